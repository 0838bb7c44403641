/*
 * Stanzas on streams without stream management: where such a stream breaks, or
 * ends, each of them arrives once or comes back once. The scripted link knows
 * what the peer's TCP has.
 */
#include "server.h"

enum { FLOW = 200 };

static const char alpha[] = "alpha.example", beta[] = "beta.example";
static struct server a, b;
static struct script_server *listener;
static struct peer peer;

/* ----- local services that count ----- */

static unsigned arrived[2][FLOW], returned[2][FLOW];
static int last_arrived[2];
static bool out_of_order;
static char condition[64]; /* of what came back last */

static void read_condition(const void *bytes, size_t length)
{
	const char *at = memmem(bytes, length, "<error", 6);

	at = at != NULL ? strstr(at + 1, "<") : NULL;
	snprintf(condition, sizeof condition, "%.40s", at != NULL ? at : "");
	condition[strcspn(condition, " ")] = '\0';
}

/* Messages are numbered by their ids. */
static enum pl_delivery deliver(void *owner, const char *domain,
				const void *bytes, size_t length,
				struct pl_sender *sender)
{
	int side = *(const int *)owner;
	const char *id = memmem(bytes, length, " id='m", 6);
	int number = id != NULL ? atoi(id + 6) : -1;

	(void)domain;
	(void)sender;
	if (memmem(bytes, length, "<message", 8) == NULL)
		return PL_DELIVERY_NONE;
	assert_in_range(number, 0, FLOW - 1);
	if (memmem(bytes, length, "type='error'", 12) != NULL) {
		returned[side][number]++;
		read_condition(bytes, length);
		return PL_DELIVERY_TAKEN;
	}
	arrived[side][number]++;
	if (number < last_arrived[side])
		out_of_order = true;
	last_arrived[side] = number;
	return PL_DELIVERY_TAKEN;
}

static const struct pl_local service = { .deliver = deliver };
static const int side_a = 0, side_b = 1;

static void send_typed(struct server *from, const char *local,
		       const char *remote, const char *type, int number,
		       int bytes)
{
	struct pl_stanza stanza = { .name = "message", .type = type };
	static char text[70000];
	char id[16];

	snprintf(id, sizeof id, "m%d", number);
	stanza.id = id;
	snprintf(stanza.from, sizeof stanza.from, "u@%s", local);
	snprintf(stanza.to, sizeof stanza.to, "v@%s", remote);
	snprintf(stanza.from_domain, sizeof stanza.from_domain, "%s", local);
	snprintf(stanza.to_domain, sizeof stanza.to_domain, "%s", remote);
	stanza.length = (size_t)snprintf(text, sizeof text,
		"<message from='%s' to='%s' id='%s'><body>%*s</body></message>",
		stanza.from, stanza.to, id, bytes, "x");
	stanza.bytes = text;
	pl_router_send(from->router, &stanza, NULL);
}

static void send_message(struct server *from, const char *local,
			 const char *remote, int number, int bytes)
{
	send_typed(from, local, remote, NULL, number, bytes);
}

static void send_many(int from, int to, int bytes)
{
	for (int i = from; i < to; i++)
		send_message(&a, alpha, beta, i, bytes);
}

static unsigned count(const unsigned *of)
{
	unsigned sum = 0;

	for (int i = 0; i < FLOW; i++)
		sum += of[i];
	return sum;
}

static void came_back(int from, int to)
{
	for (int i = 0; i < FLOW; i++)
		if (returned[0][i] != (i >= from && i < to))
			fail_msg("m%d came back %u times", i, returned[0][i]);
	if (to > from)
		assert_string_equal(condition, "<remote-server-timeout");
}

/* ----- set-up ----- */

static int begin(void **state)
{
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	memset(&peer, 0, sizeof peer);
	memset(arrived, 0, sizeof arrived);
	memset(returned, 0, sizeof returned);
	memset(condition, 0, sizeof condition);
	last_arrived[0] = last_arrived[1] = -1;
	out_of_order = false;
	return world_begin(state);
}

static int end(void **state)
{
	if (peer.raw != NULL)
		peer_free(&peer);
	return world_end(state);
}

static void begin_server(struct server *server, const char *domain,
			 const char *endpoint, const char *partner, int row,
			 const int *side)
{
	server_start(server, domain, endpoint, "valid");
	server_rule(server, partner, row);
	pl_router_set_local(server->router, &service, (void *)side);
}

static void two(int row)
{
	begin_server(&a, alpha, "192.0.2.1:5269", beta, row, &side_a);
	begin_server(&b, beta, "192.0.2.2:5269", alpha, row, &side_b);
}

/* ----- two of us, and a connection that breaks anywhere ----- */

static void flow(size_t reset_after)
{
	struct script_link link = { .latency_ms = 2, .chunk = 700,
				    .reset_after = reset_after };

	script_link(script, "192.0.2.2:5269", &link);
	for (int i = 0; i < FLOW; i++) {
		send_message(&a, alpha, beta, i, 40);
		if (i % 5 == 4)
			script_run(script, 3);
		if (i == 5) {
			script_run(script, 3);
			link.reset_after = 0;
			script_link(script, "192.0.2.2:5269", &link);
		}
	}
	script_run(script, 130000);
}

static void once_each(size_t at)
{
	for (int i = 0; i < FLOW; i++) {
		if (arrived[1][i] + returned[0][i] == 1)
			continue;
		show_log(&a);
		fail_msg("break at %zu: m%d arrived %u times, came back %u "
			 "times", at, i, arrived[1][i], returned[0][i]);
	}
	assert_false(out_of_order);
}

static void once_each_of(int most)
{
	for (int i = 0; i < most; i++)
		if (arrived[1][i] + returned[0][i] != 1)
			fail_msg("m%d arrived %u times, came back %u times", i,
				 arrived[1][i], returned[0][i]);
}

static void break_everywhere(int row, size_t from, size_t to)
{
	unsigned cases = 0, lossy = 0;
	void *state = NULL;

	for (size_t at = from; at < to; at += 900, cases++) {
		if (cases > 0)
			begin(&state);
		two(row);
		flow(at);
		once_each(at);
		lossy += count(returned[0]) > 0;
		assert_int_equal(logged(&a, "event=undelivered", NULL),
				 count(returned[0]) > 0);
		if (at + 900 < to)
			end(&state);
	}
	print_message("# %u cases, %u with something returned\n", cases, lossy);
	assert_true(lossy > cases / 3);
}

static void test_break_under_tls(void **state)
{
	(void)state;
	break_everywhere(7, 9000, 40000);
}

static void test_break_in_clear(void **state)
{
	(void)state;
	break_everywhere(17, 1500, 25000);
}

/* All in one turn, over many TLS records of which some arrive. */
static void test_break_of_a_burst(void **state)
{
	struct script_link link = { .latency_ms = 2, .chunk = 700 };

	for (size_t at = 9000; at < 90000; at += 9100) {
		if (at > 9000)
			begin(state);
		two(7);
		send_message(&a, alpha, beta, 0, 40);
		script_run(script, 1000);
		pl_router_close(a.router, NULL);
		script_run(script, 10000);
		link.reset_after = at;
		script_link(script, "192.0.2.2:5269", &link);
		send_many(1, FLOW, 400);
		script_run(script, 60);
		link.reset_after = 0;
		script_link(script, "192.0.2.2:5269", &link);
		script_run(script, 130000);
		once_each(at);
		if (at > 20000)
			assert_in_range(count(returned[0]), 1, FLOW - 20);
		if (at + 9100 < 90000)
			end(state);
	}
}

/* ----- a scripted beta that we dial, with a stream in clear ----- */

static void dial_beta(const struct script_link *link)
{
	begin_server(&a, alpha, "192.0.2.1:5269", beta, 17, &side_a);
	if (link != NULL)
		script_link(script, "192.0.2.2:5269", link);
	script_dns_target(script, beta, "192.0.2.2:5269", false);
	listener = script_listen(script, "192.0.2.2:5269");
	send_message(&a, alpha, beta, 0, 40);
	peer_accept(&peer, listener);
	peer_answer(&peer, beta, alpha, "1", DIALBACK);
	assert_true(peer_expect(&peer, "</db:result>"));
	peer_say(&peer, "<db:result from='%s' to='%s' type='valid'/>", beta,
		 alpha);
	assert_true(peer_expect(&peer, "id='m0'"));
	assert_true(peer_expect(&peer, "</message>"));
}

/* What does not fit into the window is nowhere but here. */
static void test_peer_dies_unread(void **state)
{
	struct script_link link = { .window = 5000 };

	(void)state;
	dial_beta(&link);
	script_stop_reading(peer.raw);
	send_many(1, FLOW, 400);
	script_run(script, 100);
	assert_int_equal(count(returned[0]), 0);
	script_reset(peer.raw);
	script_run(script, 1000);
	/* 5000 bytes are 10 whole messages of 488 bytes. */
	came_back(11, FLOW);
	assert_int_equal(logged(&a, "event=undelivered", "dir=out",
				"remote=beta.example", "returned=189", NULL),
			 1);
}

static void test_peer_vanishes(void **state)
{
	struct script_link link = { .silent_after = 3000 };

	(void)state;
	a.world.limits.ping_ms = 0;
	dial_beta(&link);
	send_many(1, 100, 40);
	script_run(script, 1000);
	assert_int_equal(count(returned[0]), 0);
	pl_router_drop_all(a.router);
	script_run(script, 1000);
	assert_true(count(returned[0]) > 60);
	came_back(100 - (int)count(returned[0]), 100);
}

static void test_nothing_without_need(void **state)
{
	(void)state;
	dial_beta(NULL);
	send_many(1, FLOW, 40);
	assert_true(peer_expect(&peer, "id='m199'"));
	script_run(script, 1000);
	script_reset(peer.raw);
	script_run(script, 1000);
	came_back(0, 0);
	assert_int_equal(logged(&a, "event=undelivered", NULL), 0);
}

static void test_errors_never_come_back(void **state)
{
	struct script_link link = { .window = 2000 };

	(void)state;
	dial_beta(&link);
	script_stop_reading(peer.raw);
	for (int i = 1; i < 50; i++)
		send_typed(&a, alpha, beta, i % 2 ? "error" : "result", i, 400);
	script_run(script, 100);
	script_reset(peer.raw);
	script_run(script, 1000);
	came_back(0, 0);
}

/* ----- ends with a word ----- */

static void test_peer_closes_and_reads(void **state)
{
	(void)state;
	dial_beta(NULL);
	send_many(1, FLOW, 400);
	peer_say(&peer, "</stream:stream>");
	assert_true(peer_expect(&peer, "id='m199'"));
	assert_true(peer_expect(&peer, "</stream:stream>"));
	script_close(peer.raw);
	script_run(script, 10000);
	came_back(0, 0);
	assert_int_equal(pl_router_streams(a.router), 0);
}

static void test_peer_closes_and_reads_no_more(void **state)
{
	struct script_link link = { .window = 5000 };

	(void)state;
	dial_beta(&link);
	script_stop_reading(peer.raw);
	send_many(1, FLOW, 400);
	peer_say(&peer, "</stream:stream>");
	script_run(script, 1000);
	came_back(0, 0); /* it may still read */
	assert_int_equal(pl_router_streams(a.router), 1);
	script_run(script, 10000);
	came_back(11, FLOW);
	assert_int_equal(pl_router_streams(a.router), 0);
}

static void test_peer_closes_and_dies(void **state)
{
	struct script_link link = { .window = 5000 };

	(void)state;
	dial_beta(&link);
	script_stop_reading(peer.raw);
	send_many(1, FLOW, 400);
	peer_say(&peer, "</stream:stream>");
	script_run(script, 100);
	script_close(peer.raw);
	script_run(script, 100);
	came_back(11, FLOW);
}

/* After most errors the peer takes nothing; a server that stops may. */
static void test_peer_errs(void **state)
{
	struct script_link link = { .window = 5000 };

	(void)state;
	dial_beta(&link);
	script_stop_reading(peer.raw);
	send_many(1, FLOW, 400);
	peer_say(&peer, "<stream:error><policy-violation xmlns="
		 "'urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
		 "</stream:stream>");
	script_run(script, 100);
	came_back(11, FLOW);
}

static void test_peer_stops(void **state)
{
	struct script_link link = { .window = 5000 };

	(void)state;
	dial_beta(&link);
	script_stop_reading(peer.raw);
	send_many(1, FLOW, 400);
	peer_say(&peer, "<stream:error><system-shutdown xmlns="
		 "'urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
		 "</stream:stream>");
	script_run(script, 100);
	came_back(0, 0);
	script_go_on_reading(peer.raw);
	assert_true(peer_expect(&peer, "id='m199'"));
	assert_true(peer_expect(&peer, "</stream:stream>"));
	script_close(peer.raw);
	script_run(script, 10000);
	came_back(0, 0);
}

static void on_done(void *owner)
{
	(*(unsigned *)owner)++;
}

static void test_we_stop(void **state)
{
	struct script_link link = { .window = 5000 };
	unsigned done = 0;

	(void)state;
	dial_beta(&link);
	script_stop_reading(peer.raw);
	send_many(1, FLOW, 400);
	script_run(script, 100);
	pl_router_shutdown(a.router, on_done, &done);
	script_run(script, 1000);
	assert_int_equal(done, 0);
	came_back(0, 0);
	script_run(script, 20000);
	assert_int_equal(done, 1);
	came_back(11, FLOW);
}

/* The last second of a drain: nothing is left open, and nothing is silent. */
static void test_we_stop_at_once(void **state)
{
	struct script_link link = { .window = 5000 };
	unsigned done = 0;

	(void)state;
	dial_beta(&link);
	script_stop_reading(peer.raw);
	send_many(1, FLOW, 400);
	script_run(script, 100);
	pl_router_shutdown(a.router, on_done, &done);
	script_run(script, 1000);
	pl_router_drop_all(a.router);
	script_run(script, 10);
	assert_int_equal(done, 1);
	came_back(11, FLOW);
}

/* ----- what a peer sends behind our closing tag ----- */

static struct peer authority;

/* A scripted domain authenticates by dialback on a stream that it opened. */
static void authenticate(const char *domain, const char *at)
{
	struct script_server *server;
	char id[80];

	script_dns_target(script, domain, at, false);
	server = script_listen(script, at);
	memset(&authority, 0, sizeof authority);
	peer_say(&peer, "<db:result from='%s' to='%s'>key</db:result>", domain,
		 alpha);
	peer_accept(&authority, server);
	assert_true(peer_expect(&authority, "<stream:stream"));
	peer_answer(&authority, domain, alpha, "1", DIALBACK);
	assert_true(peer_expect(&authority, "<db:verify"));
	assert_true(peer_expect(&authority, " id='"));
	peer_value(&authority, id, sizeof id);
	peer_say(&authority, "<db:verify from='%s' to='%s' id='%s' "
		 "type='valid'/>", domain, alpha, id);
	assert_true(peer_expect(&peer, "type='valid'"));
	peer_free(&authority);
}

static void beta_dials(void)
{
	begin_server(&a, alpha, "192.0.2.1:5269", beta, 17, &side_a);
	peer_connect(&peer, "192.0.2.9", &a);
	peer_header(&peer, beta, alpha);
	assert_true(peer_expect(&peer, "</stream:features>"));
	authenticate(beta, "192.0.2.2:5269");
}

static void say_from(const char *domain, int number)
{
	peer_say(&peer, "<message from='x@%s' to='y@alpha.example' "
		 "id='m%d'/>", domain, number);
	script_run(script, 20);
}

static void came(int from, int to)
{
	for (int i = 0; i < FLOW; i++)
		if (arrived[0][i] != (i >= from && i < to))
			fail_msg("m%d came %u times", i, arrived[0][i]);
}

/* The peer needs a while to notice. */
static void goes_on_sending(const char *error)
{
	if (error != NULL)
		assert_true(peer_expect(&peer, error));
	assert_true(peer_expect(&peer, "</stream:stream>"));
	for (int i = 0; i < 100; i++)
		say_from(beta, i);
	assert_true(peer_expect_not(&peer, ">", 10));
	peer_say(&peer, "</stream:stream><message from='x@beta.example' "
		 "to='y@alpha.example' id='m100'/>");
	assert_true(peer_expect_end(&peer));
	came(0, 100);
	assert_int_equal(logged(&a, "event=closed", "dir=in", NULL), 1);
}

static void test_we_close_an_incoming_one(void **state)
{
	(void)state;
	beta_dials();
	assert_int_equal(pl_router_close(a.router, beta), 1);
	assert_int_equal(pl_router_close(a.router, beta), 0);
	goes_on_sending(NULL);
	assert_int_equal(pl_router_streams(a.router), 0);
}

static void test_an_idle_one_wakes_up(void **state)
{
	(void)state;
	beta_dials();
	a.world.limits.idle_ms = 5000;
	script_run(script, 5500);
	goes_on_sending(NULL);
}

static void test_we_stop_and_it_sends(void **state)
{
	unsigned done = 0;

	(void)state;
	beta_dials();
	pl_router_shutdown(a.router, on_done, &done);
	script_run(script, 100);
	assert_int_equal(done, 0);
	goes_on_sending("<system-shutdown");
	script_run(script, 100);
	assert_int_equal(done, 1);
}

static void test_it_never_ends(void **state)
{
	(void)state;
	beta_dials();
	pl_router_close(a.router, beta);
	for (int i = 0; i < 100; i++) {
		say_from(beta, i);
		script_run(script, 20);
	}
	say_from(beta, 100);
	assert_in_range(arrived[0][100] ? 101 : count(arrived[0]), 100, 101);
	script_run(script, 1100);
	assert_int_equal(pl_router_streams(a.router), 0);
	say_from(beta, 150); /* behind the time-limit */
	assert_int_equal(arrived[0][150], 0);
}

/* Two domains on its stream: one is not allowed any more. */
static void test_what_is_not_legal_is_not_taken(void **state)
{
	(void)state;
	beta_dials();
	server_rule(&a, "gamma.example", 17);
	authenticate("gamma.example", "192.0.2.3:5269");
	say_from(beta, 0);
	say_from("gamma.example", 1);
	came(0, 2);
	a.rules[0].view.terms.policy.dialback = false; /* beta's */
	a.rules[0].view.terms.policy.tls = PL_REQUIRED;
	pl_router_terms_changed(a.router);
	assert_true(peer_expect(&peer, "<policy-violation"));
	assert_true(peer_expect(&peer, "</stream:stream>"));
	say_from(beta, 100);
	say_from("gamma.example", 2);
	say_from(beta, 101);
	say_from("gamma.example", 3);
	peer_say(&peer, "</stream:stream>");
	assert_true(peer_expect_end(&peer));
	came(0, 4);
}

static void test_nothing_legal_is_left(void **state)
{
	(void)state;
	beta_dials();
	a.rules[0].view.terms.policy.dialback = false;
	a.rules[0].view.terms.policy.tls = PL_REQUIRED;
	pl_router_terms_changed(a.router);
	assert_true(peer_expect(&peer, "<policy-violation"));
	assert_true(peer_expect(&peer, "</stream:stream>"));
	say_from(beta, 0);
	script_run(script, 1000);
	came(0, 0);
}

/* The configuration changes behind our closing tag: what it forbids then is not
 * taken any more, and nothing more is said. */
static void test_it_becomes_illegal_meanwhile(void **state)
{
	(void)state;
	beta_dials();
	pl_router_close(a.router, beta);
	assert_true(peer_expect(&peer, "</stream:stream>"));
	say_from(beta, 0);
	came(0, 1);
	a.rules[0].view.terms.policy.dialback = false;
	a.rules[0].view.terms.policy.tls = PL_REQUIRED;
	pl_router_terms_changed(a.router);
	say_from(beta, 1);
	pl_router_close_all(a.router);
	say_from(beta, 2);
	came(0, 1);
	assert_true(peer_expect_not(&peer, "<", 10));
	peer_say(&peer, "</stream:stream>");
	assert_true(peer_expect_end(&peer));
	assert_int_equal(pl_router_streams(a.router), 0);
}

/* What it sends there is hostile: broken XML, a new header, too much. */
static void test_it_misbehaves_at_the_end(void **state)
{
	static const char *const ends[] = {
		"<message from='x@beta.example' to='y@alpha.example'><a></b>",
		"<?xml version='1.0'?><stream:stream xmlns='jabber:server'>",
		"<!-- -->", "text", "&#0;", "\xff", "<stream:error/>",
	};

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		if (i > 0) {
			end(state);
			begin(state);
		}
		beta_dials();
		pl_router_close(a.router, beta);
		assert_true(peer_expect(&peer, "</stream:stream>"));
		say_from(beta, 0);
		/* none of these opens or ends anything */
		peer_say(&peer, "<starttls xmlns='urn:ietf:params:xml:ns:"
			 "xmpp-tls'/><auth xmlns='urn:ietf:params:xml:ns:"
			 "xmpp-sasl' mechanism='EXTERNAL'>=</auth><enable "
			 "xmlns='urn:xmpp:sm:3'/><r xmlns='urn:xmpp:sm:3'/>"
			 "<db:verify from='beta.example' to='alpha.example' "
			 "id='1'>k</db:verify><bidi xmlns='urn:xmpp:bidi'/>");
		say_from(beta, 1);
		peer_say(&peer, "%s", ends[i]);
		script_run(script, 20);
		say_from(beta, 2);
		assert_true(peer_expect_not(&peer, "<", 10));
		came(0, 2);
		assert_int_equal(pl_router_streams(a.router), 0);
	}
}

/* A new stream for what is sent meanwhile, and none of it is held up. */
static void test_a_closing_one_is_not_used(void **state)
{
	(void)state;
	beta_dials();
	pl_router_close(a.router, beta);
	assert_true(peer_expect(&peer, "</stream:stream>"));
	peer_say(&peer, "<db:result from='gamma.example' to='alpha.example'>"
		 "key</db:result>");
	say_from(beta, 0);
	assert_true(peer_expect_not(&peer, "<", 100));
	say_from("gamma.example", 50);
	peer_say(&peer, "</stream:stream>");
	assert_true(peer_expect_end(&peer));
	came(0, 1);
}

/* ----- a stream that counts, and that we close ----- */

/* Its bytes are looked at as those of any other: they were said to be sent. */
static void test_we_close_one_that_counts(void **state)
{
	struct script_link link = { .latency_ms = 2 };

	(void)state;
	two(7);
	a.rules[0].view.terms.stream_management = true;
	b.rules[0].view.terms.stream_management = true;
	script_link(script, "192.0.2.2:5269", &link);
	send_message(&a, alpha, beta, 0, 40);
	script_run(script, 3000);
	assert_int_equal(logged(&a, "event=sm-enabled", NULL), 1);
	send_many(1, 100, 40);
	pl_router_close(a.router, NULL);
	pl_router_drop_all(b.router); /* before they get there */
	script_run(script, 20000);
	once_each_of(100);
	assert_int_equal(count(returned[0]), 99);
	assert_int_equal(logged(&a, "event=undelivered", NULL), 1);
}

/* ----- what it costs ----- */

/* Nothing is acknowledged for a long time: what is kept stays in bounds, and
 * what finds no room comes back at once. */
static void test_bounded(void **state)
{
	struct script_link link = { .latency_ms = 20 };
	unsigned full;

	(void)state;
	link.window = 1 << 20;
	dial_beta(&link);
	a.world.limits.output_bytes = 10000;
	for (int i = 1; i < FLOW; i++) {
		send_message(&a, alpha, beta, i, 1);
		script_run(script, 0); /* it leaves us at once */
	}
	script_run(script, 1);
	full = count(returned[0]);
	assert_in_range(full, 100, 190);
	script_run(script, 5000);
	assert_int_equal(count(returned[0]), full);
	send_message(&a, alpha, beta, 1, 1);
	script_run(script, 5000);
	assert_int_equal(count(returned[0]), full);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_break_under_tls),
		TEST(test_break_in_clear),
		TEST(test_break_of_a_burst),
		TEST(test_peer_dies_unread),
		TEST(test_peer_vanishes),
		TEST(test_nothing_without_need),
		TEST(test_errors_never_come_back),
		TEST(test_peer_closes_and_reads),
		TEST(test_peer_closes_and_reads_no_more),
		TEST(test_peer_closes_and_dies),
		TEST(test_peer_errs),
		TEST(test_peer_stops),
		TEST(test_we_stop),
		TEST(test_we_stop_at_once),
		TEST(test_we_close_an_incoming_one),
		TEST(test_an_idle_one_wakes_up),
		TEST(test_we_stop_and_it_sends),
		TEST(test_it_never_ends),
		TEST(test_what_is_not_legal_is_not_taken),
		TEST(test_nothing_legal_is_left),
		TEST(test_it_becomes_illegal_meanwhile),
		TEST(test_it_misbehaves_at_the_end),
		TEST(test_a_closing_one_is_not_used),
		TEST(test_we_close_one_that_counts),
		TEST(test_bounded),
	};

	return cmocka_run_group_tests(tests, suite_begin, suite_end);
}
