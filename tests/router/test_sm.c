/*
 * Stream management (XEP-0198) between servers: acknowledgements, streams that
 * break at any moment and are resumed or not, peers that lie, and peers that
 * never acknowledge. Each stanza arrives once, or comes back once.
 */
#include "server.h"

#define SM "xmlns='urn:xmpp:sm:3'"
#define SM_FEATURE "<sm " SM "/>"

enum { FLOW = 200 };

static const char alpha[] = "alpha.example", beta[] = "beta.example";
static struct server a, b;
static struct script_server *listener;
static struct peer peer, second;

/* ----- local services that count ----- */

static unsigned arrived[2][FLOW], returned[2][FLOW];
static int last_arrived[2];
static bool out_of_order;

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

static void send_message(struct server *from, const char *local,
			 const char *remote, int number, int bytes)
{
	struct pl_stanza stanza = { .name = "message" };
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

/* ----- set-up ----- */

static int begin(void **state)
{
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	memset(&peer, 0, sizeof peer);
	memset(&second, 0, sizeof second);
	memset(arrived, 0, sizeof arrived);
	memset(returned, 0, sizeof returned);
	last_arrived[0] = last_arrived[1] = -1;
	out_of_order = false;
	return world_begin(state);
}

static int end(void **state)
{
	if (peer.raw != NULL)
		peer_free(&peer);
	if (second.raw != NULL)
		peer_free(&second);
	return world_end(state);
}

static void begin_server(struct server *server, const char *domain,
			 const char *endpoint, const char *partner,
			 const int *side, bool bidi)
{
	struct pl_partner_view *view;

	server_start(server, domain, endpoint, "valid");
	view = server_rule(server, partner, 7);
	view->terms.stream_management = true;
	view->terms.bidi = bidi;
	pl_router_set_local(server->router, &service, (void *)side);
}

static void two(bool bidi)
{
	begin_server(&a, alpha, "192.0.2.1:5269", beta, &side_a, bidi);
	begin_server(&b, beta, "192.0.2.2:5269", alpha, &side_b, bidi);
}

static void find_sm(void *owner, const struct pl_stream_info *info)
{
	if (info->sm != NULL)
		*(struct pl_sm *)owner = *info->sm;
}

static struct pl_sm counters(struct server *server)
{
	struct pl_sm sm = { 0 };

	pl_router_each(server->router, find_sm, &sm);
	return sm;
}

/* ----- two of us ----- */

static void test_acks(void **state)
{
	struct pl_sm sm;

	(void)state;
	two(false);
	for (int i = 0; i < 40; i++)
		send_message(&a, alpha, beta, i, 100);
	script_run(script, 500);
	sm = counters(&a);
	assert_int_equal(sm.sent, 40);
	assert_int_equal(sm.acked, 32); /* two <r/>; the rest after a silence */
	script_run(script, 1500);
	sm = counters(&a);
	assert_int_equal(sm.acked, 40);
	assert_int_equal(counters(&b).handled, 40);
	assert_int_equal(logged(&a, "event=sm-enabled", "dir=out",
				"resume=yes", NULL), 1);
	assert_int_equal(logged(&b, "event=sm-enabled", "dir=in", NULL), 1);
}

static void test_without_it_on_one_side(void **state)
{
	(void)state;
	two(false);
	a.rules[0].view.terms.stream_management = false;
	send_message(&a, alpha, beta, 0, 100);
	script_run(script, 3000);
	assert_int_equal(arrived[1][0], 1);
	assert_int_equal(logged(&a, "event=sm-", NULL), 0);
	assert_int_equal(logged(&b, "event=sm-", NULL), 0);
}

/* 200 messages from a, and as many back where both ways are wanted, a few each
 * turn; the first connection, or each of the first ones, breaks once so many
 * bytes went over it. */
static void flow(size_t reset_after, unsigned breaks, bool back)
{
	struct script_link link = { .latency_ms = 2,
				    .reset_after = reset_after };

	script_link(script, "192.0.2.2:5269", &link);
	for (int i = 0; i < FLOW; i++) {
		send_message(&a, alpha, beta, i, 40);
		if (back)
			send_message(&b, beta, alpha, i, 40);
		if (i % 5 == 4)
			script_run(script, 3);
		if (i == 5 && breaks == 1) {
			script_run(script, 3);
			link.reset_after = 0;
			script_link(script, "192.0.2.2:5269", &link);
		}
	}
	link.reset_after = 0;
	script_link(script, "192.0.2.2:5269", &link);
	script_run(script, 130000);
}

static bool once_each(const char *what, size_t at, int from, int to)
{
	bool good = true;

	for (int i = 0; i < FLOW; i++)
		if (arrived[to][i] + returned[from][i] != 1) {
			print_error("# %s %zu: m%d arrived %u times, "
				    "came back %u times\n", what, at, i,
				    arrived[to][i], returned[from][i]);
			good = false;
		}
	return good;
}

static unsigned count(const unsigned *of)
{
	unsigned sum = 0;

	for (int i = 0; i < FLOW; i++)
		sum += of[i];
	return sum;
}

/* What breaks before TLS is up comes back, as without stream management; from
 * the first stanza on nothing does. */
static void break_everywhere(bool bidi, unsigned breaks)
{
	unsigned resumed = 0, cases = 0;
	void *state = NULL;

	for (size_t at = 3000; at < 60000; at += 1100, cases++) {
		if (cases > 0)
			begin(&state);
		two(bidi);
		flow(at, breaks, bidi);
		if (!once_each("break at", at, 0, 1) || out_of_order ||
		    (bidi && !once_each("back: break at", at, 1, 0))) {
			show_log(&a);
			show_log(&b);
			fail_msg("break at %zu, order %s", at,
				 out_of_order ? "lost" : "kept");
		}
		if (logged(&a, "event=sm-resumed", NULL) > 0) {
			resumed++;
		}
		if (breaks == 1 && logged(&a, "event=sm-resumed", NULL) > 0) {
			assert_int_equal(count(returned[0]), 0);
			assert_int_equal(count(returned[1]), 0);
		}
		if (at + 1100 < 60000)
			end(&state);
	}
	print_message("# %u cases, %u with a stream resumed\n", cases, resumed);
	assert_true(resumed > cases / 3);
}

static void test_break_once(void **state)
{
	(void)state;
	break_everywhere(false, 1);
}

static void test_break_again_and_again(void **state)
{
	(void)state;
	break_everywhere(false, 100);
}

static void test_break_both_ways(void **state)
{
	(void)state;
	break_everywhere(true, 1);
}

/* ----- a scripted beta that dials us ----- */

static void alpha_alone(void)
{
	begin_server(&a, alpha, "192.0.2.1:5269", beta, &side_a, false);
}

static bool both_ways; /* it asks for that */

/* Up to the features behind SASL; who is beta.example or gamma.example. */
static void dial_and_authenticate(struct peer *who, const char *from)
{
	char certificate[80];

	snprintf(certificate, sizeof certificate, "%s.valid", from);
	peer_connect(who, "192.0.2.9", &a);
	peer_header(who, from, alpha);
	assert_true(peer_expect(who, "</stream:features>"));
	peer_say(who, STARTTLS "/>");
	assert_true(peer_expect(who, "<proceed"));
	assert_true(peer_expect(who, ">"));
	peer_tls(who, true, certificate, alpha);
	peer_header(who, from, alpha);
	assert_true(peer_expect(who, "</stream:features>"));
	peer_say(who, "%s<auth " SASL " mechanism='EXTERNAL'>=</auth>",
		 both_ways ? "<bidi xmlns='urn:xmpp:bidi'/>" : "");
	assert_true(peer_expect(who, "<success"));
	peer_header(who, from, alpha);
}

static void dial_us(struct peer *who, const char *from)
{
	dial_and_authenticate(who, from);
	assert_true(peer_expect(who, SM_FEATURE));
	assert_true(peer_expect(who, "</stream:features>"));
}

static void dial_us_without(struct peer *who)
{
	dial_and_authenticate(who, beta);
	assert_true(peer_expect(who, "<stream:features>"));
	assert_true(peer_expect_not(who, "urn:xmpp:sm", 100));
}

static void enable(struct peer *who, char id[80])
{
	peer_say(who, "<enable " SM " resume='true'/>");
	assert_true(peer_expect(who, "<enabled " SM " id='"));
	peer_value(who, id, 80);
	assert_true(peer_expect(who, "resume='true' max='60'/>"));
}

static void say_message(struct peer *who, int number)
{
	peer_say(who, "<message from='x@beta.example' to='y@alpha.example' "
		 "id='m%d'/>", number);
}

static void resume(struct peer *who, const char *id, const char *h)
{
	peer_say(who, "<resume " SM " previd='%s' h='%s'/>", id, h);
}

static void test_offered_behind_sasl_alone(void **state)
{
	(void)state;
	alpha_alone();
	peer_connect(&peer, "192.0.2.9", &a);
	peer_header(&peer, beta, alpha);
	assert_true(peer_expect(&peer, STARTTLS));
	assert_true(peer_expect_not(&peer, "urn:xmpp:sm", 100));
	peer_say(&peer, STARTTLS "/>");
	assert_true(peer_expect(&peer, "<proceed"));
	assert_true(peer_expect(&peer, ">"));
	peer_tls(&peer, true, "beta.example.valid", alpha);
	peer_header(&peer, beta, alpha);
	assert_true(peer_expect(&peer, "<stream:features>"));
	assert_true(peer_expect_not(&peer, "urn:xmpp:sm", 100));
	/* asked for all the same: refused, and the stream lives */
	peer_say(&peer, "<enable " SM "/>");
	assert_true(peer_expect(&peer, "<failed " SM "><unexpected-request"));
	peer_say(&peer, "<auth " SASL " mechanism='EXTERNAL'>=</auth>");
	assert_true(peer_expect(&peer, "<success"));
}

static void test_receiving(void **state)
{
	char id[80];

	(void)state;
	alpha_alone();
	dial_us(&peer, beta);
	peer_say(&peer, "<r " SM "/>"); /* before it is on: nothing */
	assert_true(peer_expect_not(&peer, "<a ", 100));
	say_message(&peer, 0); /* not counted */
	enable(&peer, id);
	peer_say(&peer, "<r " SM "/>");
	assert_true(peer_expect(&peer, "<a " SM " h='0'/>"));
	say_message(&peer, 1);
	say_message(&peer, 2);
	peer_say(&peer, "<r " SM "/>");
	assert_true(peer_expect(&peer, "<a " SM " h='2'/>"));
	peer_say(&peer, "<enable " SM "/>");
	assert_true(peer_expect(&peer, "<failed " SM "><unexpected-request"));
	resume(&peer, id, "0");
	assert_true(peer_expect(&peer, "<failed " SM "><unexpected-request"));
	say_message(&peer, 3);
	peer_say(&peer, "</stream:stream>");
	assert_true(peer_expect(&peer, "<a " SM " h='3'/></stream:stream>"));
	assert_int_equal(arrived[0][3], 1);
	/* a closing tag ends the session at once */
	dial_us(&second, beta);
	resume(&second, id, "0");
	assert_true(peer_expect(&second, "<failed " SM "><item-not-found"));
	enable(&second, id);
}

static void test_resume_what_broke(void **state)
{
	char id[80];

	(void)state;
	alpha_alone();
	dial_us(&peer, beta);
	enable(&peer, id);
	for (int i = 0; i < 5; i++)
		say_message(&peer, i);
	script_run(script, 20);
	script_reset(peer.raw);
	script_run(script, 5000);
	dial_us(&second, beta);
	resume(&second, id, "0");
	assert_true(peer_expect(&second, "<resumed " SM " previd='"));
	assert_true(peer_expect(&second, "' h='5'/>"));
	say_message(&second, 5);
	peer_say(&second, "<r " SM "/>");
	assert_true(peer_expect(&second, "<a " SM " h='6'/>"));
	assert_int_equal(logged(&a, "event=sm-resumed", "dir=in", NULL), 1);
}

static void test_old_stream_gets_conflict(void **state)
{
	char id[80];

	(void)state;
	alpha_alone();
	dial_us(&peer, beta);
	enable(&peer, id);
	say_message(&peer, 0);
	dial_us(&second, beta);
	resume(&second, id, "0");
	say_message(&peer, 1); /* comes too late, and is not handled */
	assert_true(peer_expect(&second, "' h='1'/>"));
	assert_true(peer_expect(&peer, "<conflict"));
	peer_say(&second, "<r " SM "/>");
	assert_true(peer_expect(&second, "<a " SM " h='1'/>"));
	assert_int_equal(arrived[0][1], 0);
}

/* Whoever learnt the id of another's session gets nothing by it. */
static void test_another_peer_resumes_nothing(void **state)
{
	char id[80];

	(void)state;
	alpha_alone();
	server_rule(&a, "gamma.example", 7)->terms.stream_management = true;
	dial_us(&peer, beta);
	enable(&peer, id);
	dial_us(&second, "gamma.example");
	resume(&second, id, "0");
	assert_true(peer_expect(&second, "<failed " SM "><item-not-found"));
	script_reset(peer.raw);
	script_run(script, 100);
	resume(&second, id, "0");
	assert_true(peer_expect(&second, "<failed " SM "><item-not-found"));
}

static void test_not_for_ever(void **state)
{
	char id[80];

	(void)state;
	alpha_alone();
	dial_us(&peer, beta);
	enable(&peer, id);
	script_reset(peer.raw);
	script_run(script, 62000);
	dial_us(&second, beta);
	resume(&second, id, "0");
	assert_true(peer_expect(&second, "<failed " SM "><item-not-found"));
}

static void test_so_many_of_one_partner(void **state)
{
	char ids[10][80];

	(void)state;
	alpha_alone();
	for (int i = 0; i < 10; i++) {
		dial_us(&peer, beta);
		enable(&peer, ids[i]);
		script_reset(peer.raw);
		script_run(script, 50);
		peer_free(&peer);
	}
	dial_us(&second, beta);
	resume(&second, ids[0], "0");
	assert_true(peer_expect(&second, "<item-not-found"));
	resume(&second, ids[1], "0");
	assert_true(peer_expect(&second, "<item-not-found"));
	resume(&second, ids[2], "0");
	assert_true(peer_expect(&second, "<resumed"));
}

/* Too high, or no number: what is said of stanzas that were never sent. */
static void test_lies_to_the_receiving_side(void **state)
{
	static const char *const lies[] = {
		"1", "4294967295", "4294967296", "-1", "", "x", "0x0", " 0",
		"00000000000", "99999999999999999999999999",
	};
	char id[80];

	for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
		if (i > 0)
			begin(state);
		alpha_alone();
		dial_us(&peer, beta);
		enable(&peer, id);
		peer_say(&peer, "<a " SM " h='%s'/>", lies[i]);
		assert_true(peer_expect(&peer, "<undefined-condition"));
		assert_true(peer_expect(&peer, "<handled-count-too-high " SM));
		assert_true(peer_expect(&peer, "send-count='0'/>"));
		assert_true(peer_expect(&peer, "</stream:stream>"));
		dial_us(&second, beta);
		resume(&second, id, "0");
		assert_true(peer_expect(&second, "<item-not-found"));
		if (i + 1 < sizeof lies / sizeof lies[0])
			end(state);
	}
}

static void test_resume_with_a_lie(void **state)
{
	char id[80];

	(void)state;
	alpha_alone();
	dial_us(&peer, beta);
	enable(&peer, id);
	script_reset(peer.raw);
	script_run(script, 100);
	dial_us(&second, beta);
	resume(&second, id, "7");
	assert_true(peer_expect(&second, "<handled-count-too-high " SM
				" h='7' send-count='0'/>"));
}

/* Elements that make no sense, and far too many that do. */
static void test_hostile_elements(void **state)
{
	static const char *const odd[] = {
		"<enabled " SM "/>", "<resumed " SM "/>", "<failed " SM "/>",
		"<dance " SM "/>",
	};
	void *none = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		if (i > 0)
			begin(&none);
		alpha_alone();
		dial_us(&peer, beta);
		peer_say(&peer, "%s", odd[i]);
		assert_true(peer_expect(&peer, "<unsupported-stanza-type"));
		end(&none);
	}
	begin(&none);
	alpha_alone();
	dial_us(&peer, beta);
	peer_say(&peer, "<resume " SM "/><resume " SM " previd=''/>");
	assert_true(peer_expect(&peer, "<item-not-found"));
	assert_true(peer_expect(&peer, "<item-not-found"));
	for (int i = 0; i < 40; i++)
		resume(&peer, "0123456789abcdef", "0");
	assert_true(peer_expect(&peer, "<policy-violation"));
	assert_true(peer_expect_end(&peer));
}

/* Switched off by a reload: what is on goes on. */
static void test_switched_off(void **state)
{
	char id[80];

	(void)state;
	alpha_alone();
	dial_us(&peer, beta);
	enable(&peer, id);
	a.rules[0].view.terms.stream_management = false;
	pl_router_terms_changed(a.router);
	say_message(&peer, 0);
	peer_say(&peer, "<r " SM "/>");
	assert_true(peer_expect(&peer, "<a " SM " h='1'/>"));
	dial_us_without(&second);
	resume(&second, id, "0");
	assert_true(peer_expect(&second, "<unsupported-stanza-type"));
}

static void test_nobody_asks_a_server_without_it(void **state)
{
	(void)state;
	alpha_alone();
	a.rules[0].view.terms.stream_management = false;
	peer_connect(&peer, "192.0.2.9", &a);
	peer_header(&peer, beta, alpha);
	assert_true(peer_expect(&peer, "</stream:features>"));
	peer_say(&peer, "<enable " SM "/>");
	assert_true(peer_expect(&peer, "<unsupported-stanza-type"));
}

/* ----- a scripted beta that we dial ----- */

static void beta_listens(void)
{
	alpha_alone();
	script_dns_target(script, beta, "192.0.2.2:5269", false);
	listener = script_listen(script, "192.0.2.2:5269");
}

/* Takes our next connection up to the features behind SASL. */
static void take_us(struct peer *who, const char *features)
{
	peer_accept(who, listener);
	assert_true(peer_expect(who, "<stream:stream"));
	peer_answer(who, beta, alpha, "1", STARTTLS "><required/></starttls>");
	assert_true(peer_expect(who, "<starttls"));
	assert_true(peer_expect(who, "/>"));
	peer_say(who, PROCEED);
	peer_tls(who, false, "beta.example.valid", alpha);
	assert_true(peer_expect(who, "<stream:stream"));
	peer_answer(who, beta, alpha, "2", MECHANISMS SM_FEATURE);
	/* offered too early: not before SASL is done */
	assert_true(peer_expect(who, "<auth"));
	assert_true(peer_expect(who, "</auth>"));
	peer_say(who, "<success " SASL "/>");
	assert_true(peer_expect(who, "<stream:stream"));
	peer_answer(who, beta, alpha, "3", features);
}

static void send_some(int from, int to)
{
	for (int i = from; i < to; i++)
		send_message(&a, alpha, beta, i, 40);
}

/* With m0 to m4 on their way, under an id that can be resumed (or not). */
static void five_sent(const char *enabled)
{
	beta_listens();
	send_some(0, 5);
	take_us(&peer, SM_FEATURE);
	assert_true(peer_expect(&peer, "<enable " SM " resume='true'/>"));
	assert_true(peer_expect_not(&peer, "<message", 300));
	peer_say(&peer, "%s", enabled);
	assert_true(peer_expect(&peer, "id='m4'"));
	assert_true(peer_expect_within(&peer, "<r " SM "/>", 1500));
}

#define ENABLED "<enabled " SM " id='s1' resume='true' max='30'/>"

static unsigned back(int from, int to)
{
	unsigned sum = 0;

	script_run(script, 10);
	for (int i = from; i < to; i++)
		sum += returned[0][i];
	return sum;
}

static void test_acknowledged(void **state)
{
	(void)state;
	five_sent(ENABLED);
	peer_say(&peer, "<a " SM " h='5'/>");
	script_run(script, 20);
	assert_int_equal(counters(&a).acked, 5);
	script_reset(peer.raw);
	/* nothing is missing: no need of another connection */
	assert_null(script_accept(listener, 5000));
	assert_int_equal(back(0, 5), 0);
}

static void test_resumed(void **state)
{
	(void)state;
	five_sent(ENABLED);
	peer_say(&peer, "<a " SM " h='2'/>");
	script_run(script, 20);
	script_reset(peer.raw);
	script_run(script, 10);
	send_some(5, 7);
	take_us(&second, SM_FEATURE);
	assert_true(peer_expect(&second, "<resume " SM " previd='s1' h='0'/>"));
	assert_true(peer_expect_not(&second, "<message", 300));
	peer_say(&second, "<resumed " SM " previd='s1' h='3'/>");
	assert_true(peer_expect(&second, "<message"));
	assert_true(peer_expect(&second, "id='m3'"));
	assert_true(peer_expect(&second, "id='m4'"));
	assert_true(peer_expect(&second, "id='m5'"));
	assert_true(peer_expect(&second, "id='m6'"));
	assert_true(peer_expect_within(&second, "<r " SM "/>", 1500));
	peer_say(&second, "<a " SM " h='7'/>");
	script_run(script, 20);
	assert_int_equal(counters(&a).acked, 7);
	assert_int_equal(counters(&a).sent, 7); /* what went twice counts once */
	assert_int_equal(back(0, 7), 0);
	assert_int_equal(logged(&a, "event=sm-resumed", "again=2", NULL), 1);
}

/* What it still tells to have handled does not come back, the rest does; what
 * came meanwhile goes out. */
static void test_refused(void **state)
{
	(void)state;
	five_sent(ENABLED);
	script_reset(peer.raw);
	script_run(script, 10);
	send_some(5, 6);
	take_us(&second, SM_FEATURE);
	assert_true(peer_expect(&second, "<resume"));
	peer_say(&second, "<failed " SM " h='3'><item-not-found "
		 "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>");
	assert_true(peer_expect(&second, "<enable " SM));
	peer_say(&second, "<enabled " SM "/>");
	assert_true(peer_expect(&second, "id='m5'"));
	assert_int_equal(back(0, 3), 0);
	assert_int_equal(back(3, 5), 2);
	assert_int_equal(back(5, 6), 0);
	assert_int_equal(logged(&a, "event=sm-failed", "returned=2", NULL), 1);
}

static void test_resumption_not_offered(void **state)
{
	(void)state;
	five_sent(ENABLED);
	script_reset(peer.raw);
	take_us(&second, "");
	script_run(script, 50);
	assert_int_equal(back(0, 5), 5);
	assert_true(peer_expect_not(&second, "<message", 500));
}

static void test_not_resumable(void **state)
{
	(void)state;
	five_sent("<enabled " SM "/>");
	peer_say(&peer, "<a " SM " h='2'/>");
	script_run(script, 20);
	script_reset(peer.raw);
	script_run(script, 20);
	assert_int_equal(back(0, 2), 0);
	assert_int_equal(back(2, 5), 3);
	assert_null(script_accept(listener, 5000));
}

static void test_closed_by_the_peer(void **state)
{
	(void)state;
	five_sent(ENABLED);
	peer_say(&peer, "<a " SM " h='4'/></stream:stream>");
	script_run(script, 20);
	assert_int_equal(back(0, 4), 0);
	assert_int_equal(back(4, 5), 1);
	assert_null(script_accept(listener, 5000));
}

/* It is gone for longer than it promised to keep the session. */
static void test_too_late(void **state)
{
	(void)state;
	five_sent(ENABLED);
	script_unlisten(listener);
	script_reset(peer.raw);
	script_run(script, 20000);
	assert_int_equal(back(0, 5), 0);
	script_run(script, 12000);
	assert_int_equal(back(0, 5), 5);
}

static void test_back_in_time(void **state)
{
	(void)state;
	five_sent(ENABLED);
	script_unlisten(listener);
	script_reset(peer.raw);
	script_run(script, 9000);
	listener = script_listen(script, "192.0.2.2:5269");
	take_us(&second, SM_FEATURE);
	assert_true(peer_expect(&second, "<resume " SM " previd='s1'"));
	peer_say(&second, "<resumed " SM " previd='s1' h='0'/>");
	assert_true(peer_expect(&second, "id='m0'"));
	assert_true(peer_expect(&second, "id='m4'"));
	assert_int_equal(back(0, 5), 0);
}

/* <resumed/> says no `max`: that of the session still holds. */
static void test_back_in_time_again(void **state)
{
	(void)state;
	five_sent(ENABLED);
	script_reset(peer.raw);
	script_run(script, 10);
	take_us(&second, SM_FEATURE);
	assert_true(peer_expect(&second, "<resume " SM " previd='s1'"));
	peer_say(&second, "<resumed " SM " previd='s1' h='0'/>");
	assert_true(peer_expect(&second, "id='m4'"));
	script_unlisten(listener);
	script_reset(second.raw);
	script_run(script, 9000);
	listener = script_listen(script, "192.0.2.2:5269");
	peer_free(&peer);
	memset(&peer, 0, sizeof peer);
	take_us(&peer, SM_FEATURE);
	assert_true(peer_expect(&peer, "<resume " SM " previd='s1'"));
	peer_say(&peer, "<resumed " SM " previd='s1' h='5'/>");
	script_run(script, 20);
	assert_int_equal(counters(&a).acked, 5);
	assert_int_equal(back(0, 5), 0);
}

static void test_enable_is_refused(void **state)
{
	(void)state;
	beta_listens();
	send_some(0, 1);
	take_us(&peer, SM_FEATURE);
	assert_true(peer_expect(&peer, "<enable"));
	peer_say(&peer, "<failed " SM "/>");
	assert_true(peer_expect(&peer, "id='m0'"));
	assert_true(peer_expect_not(&peer, "<r ", 3000));
	script_reset(peer.raw);
	assert_null(script_accept(listener, 3000));
	assert_int_equal(back(0, 1), 0); /* as without it */
}

static void test_enable_is_not_answered(void **state)
{
	(void)state;
	beta_listens();
	send_some(0, 1);
	take_us(&peer, SM_FEATURE);
	assert_true(peer_expect(&peer, "<enable"));
	assert_true(peer_expect_within(&peer, "id='m0'", 6000));
	peer_say(&peer, ENABLED); /* too late: ignored */
	send_some(1, 2);
	assert_true(peer_expect(&peer, "id='m1'"));
	assert_true(peer_expect_not(&peer, "<r ", 3000));
}

/* Neither a wrong session nor a wrong number is believed; after some tries all
 * comes back, and only once. */
static void resumed_wrongly(const char *answer, const char *error)
{
	five_sent(ENABLED);
	script_reset(peer.raw);
	for (int i = 0; i < 4; i++) {
		take_us(&second, SM_FEATURE);
		assert_true(peer_expect(&second, "<resume"));
		peer_say(&second, "%s", answer);
		assert_true(peer_expect(&second, error));
		peer_free(&second);
	}
	assert_null(script_accept(listener, 70000));
	for (int i = 0; i < 5; i++)
		assert_int_equal(returned[0][i], 1);
}

static void test_resumed_with_a_lie(void **state)
{
	(void)state;
	resumed_wrongly("<resumed " SM " previd='s1' h='6'/>",
			"<handled-count-too-high " SM " h='6' send-count='5'/>");
}

static void test_another_session_resumed(void **state)
{
	(void)state;
	resumed_wrongly("<resumed " SM " previd='s2' h='5'/>",
			"<unsupported-stanza-type");
}

static void test_resume_is_not_answered(void **state)
{
	(void)state;
	five_sent(ENABLED);
	script_reset(peer.raw);
	take_us(&second, SM_FEATURE);
	assert_true(peer_expect(&second, "<resume"));
	assert_true(peer_expect_within(&second, "<connection-timeout", 6000));
	script_run(script, 40000);
	assert_int_equal(back(0, 5), 5);
}

/* On a stream of the peer's, both ways: what went back waits for the peer, and
 * what comes later stays behind it, even if there is another way. */
static void test_nothing_overtakes(void **state)
{
	char id[80];

	(void)state;
	beta_listens();
	a.rules[0].view.terms.bidi = true;
	both_ways = true;
	dial_us(&peer, beta);
	both_ways = false;
	enable(&peer, id);
	send_some(0, 3);
	assert_true(peer_expect(&peer, "id='m2'"));
	script_reset(peer.raw);
	script_run(script, 20);
	send_some(3, 4);
	assert_int_equal(pl_router_begin(a.router, alpha, beta), 1);
	take_us(&second, "");
	assert_true(peer_expect_not(&second, "<message", 5000));
	assert_int_equal(back(0, 4), 0);
	script_run(script, 60000);
	assert_int_equal(back(0, 3), 3);
	assert_true(peer_expect(&second, "id='m3'"));
}

/* ----- who never acknowledges ----- */

static void test_memory_is_bounded(void **state)
{
	(void)state;
	beta_listens();
	a.world.limits.queue_bytes = 20000;
	send_some(0, 1);
	take_us(&peer, SM_FEATURE);
	assert_true(peer_expect(&peer, "<enable"));
	peer_say(&peer, ENABLED);
	assert_true(peer_expect(&peer, "id='m0'"));
	for (int i = 1; i < FLOW; i++) {
		send_message(&a, alpha, beta, i, 1000);
		script_run(script, 20);
	}
	assert_in_range(counters(&a).sent, 15, 21);
	assert_int_equal(back(0, FLOW), FLOW - counters(&a).sent);
	/* as soon as it does, there is room again */
	peer_say(&peer, "<a " SM " h='%u'/>", counters(&a).sent);
	script_run(script, 20);
	memset(returned, 0, sizeof returned);
	send_some(0, 10);
	script_run(script, 20);
	assert_int_equal(back(0, 10), 0);
	/* one that is larger than all of the room still passes */
	peer_say(&peer, "<a " SM " h='%u'/>", counters(&a).sent);
	script_run(script, 20);
	send_message(&a, alpha, beta, 50, 60000);
	assert_true(peer_expect(&peer, "id='m50'"));
}

/* It takes stanzas and is silent: dead after a minute, and what it told on the
 * new connection decides what goes again. */
static void test_no_answer(void **state)
{
	(void)state;
	five_sent(ENABLED);
	assert_null(script_accept(listener, 59000));
	assert_int_equal(logged(&a, "event=closed", NULL), 0);
	take_us(&second, SM_FEATURE);
	assert_true(peer_expect(&second, "<resume " SM " previd='s1' h='0'/>"));
	peer_say(&second, "<resumed " SM " previd='s1' h='2'/>");
	assert_true(peer_expect(&second, "<message"));
	assert_true(peer_expect(&second, "id='m2'"));
	assert_true(peer_expect(&second, "id='m4'"));
	assert_int_equal(back(0, 5), 0);
	assert_int_equal(logged(&a, "event=closed", "code=peer-closed",
				"words=\"the peer does not acknowledge",
				NULL), 1);
}

static void test_no_answer_and_no_session(void **state)
{
	(void)state;
	five_sent("<enabled " SM "/>");
	script_run(script, 58000);
	assert_int_equal(back(0, 5), 0);
	script_run(script, 3000);
	assert_int_equal(back(0, 5), 5);
}

/* Later questions do not put the end off, and a shorter time can be set. */
static void test_no_answer_to_the_first(void **state)
{
	(void)state;
	beta_listens();
	a.world.limits.ping_ms = 5000;
	send_some(0, 1);
	take_us(&peer, SM_FEATURE);
	assert_true(peer_expect(&peer, "<enable"));
	peer_say(&peer, "<enabled " SM "/>");
	assert_true(peer_expect_within(&peer, "<r " SM "/>", 1500));
	for (int i = 1; i < 4; i++) {
		send_some(i, i + 1);
		script_run(script, 1200);
	}
	assert_true(peer_expect(&peer, "<r " SM "/>"));
	assert_int_equal(back(0, 4), 0);
	script_run(script, 1500);
	assert_int_equal(back(0, 4), 4);
}

/* Who answers lives, however little it has handled. */
static void test_answers_are_life(void **state)
{
	(void)state;
	five_sent(ENABLED);
	for (int i = 0; i < 3; i++) {
		script_run(script, 50000);
		peer_say(&peer, "<a " SM " h='%d'/>", i);
		script_run(script, 10);
		send_some(5 + i, 6 + i);
		assert_true(peer_expect_within(&peer, "<r " SM "/>", 1500));
	}
	peer_say(&peer, "<a " SM " h='8'/>");
	assert_null(script_accept(listener, 200000));
	assert_int_equal(logged(&a, "event=closed", NULL), 0);
	assert_int_equal(counters(&a).acked, 8);
	/* two questions, one answer: the other one is still owed */
	send_some(8, 8 + 2 * PL_SM_EVERY);
	assert_true(peer_expect(&peer, "<r " SM "/>"));
	assert_true(peer_expect(&peer, "<r " SM "/>"));
	peer_say(&peer, "<a " SM " h='9'/>");
	assert_null(script_accept(listener, 59000));
	peer_accept(&second, listener);
}

/* A long way is no silence: stanzas are still on it, and our question behind
 * them. That it is there and has no answer is. */
static void test_no_answer_over_a_slow_way(void **state)
{
	static const struct script_link slow = { .latency_ms = 200 };

	(void)state;
	beta_listens();
	script_link(script, "192.0.2.2:5269", &slow);
	send_some(0, 1);
	take_us(&peer, SM_FEATURE);
	assert_true(peer_expect(&peer, "<enable"));
	peer_say(&peer, "<enabled " SM "/>");
	assert_true(peer_expect_within(&peer, "<r " SM "/>", 3000));
	peer_say(&peer, "<a " SM " h='1'/>");
	script_run(script, 500);
	a.world.limits.ping_ms = 300; /* there and back are 400 */
	send_some(1, PL_SM_EVERY);
	script_run(script, 100);
	send_some(PL_SM_EVERY, PL_SM_EVERY + 1);
	assert_true(peer_expect(&peer, "<r " SM "/>"));
	peer_say(&peer, "<a " SM " h='%d'/>", PL_SM_EVERY + 1);
	script_run(script, 250);
	assert_int_equal(logged(&a, "event=closed", NULL), 0);
	assert_int_equal(counters(&a).acked, PL_SM_EVERY + 1);
	send_some(PL_SM_EVERY + 1, 2 * PL_SM_EVERY);
	script_run(script, 100);
	send_some(2 * PL_SM_EVERY, 2 * PL_SM_EVERY + 2);
	for (int i = 0; i < 10; i++) { /* other stanzas are no answer */
		script_run(script, 70);
		send_some(40 + i, 41 + i);
	}
	script_run(script, 100);
	assert_int_equal(logged(&a, "event=closed", NULL), 1);
}

/* On a stream of the peer's that goes both ways. */
static void test_no_answer_on_theirs(void **state)
{
	char id[80];

	(void)state;
	alpha_alone();
	a.rules[0].view.terms.bidi = true;
	both_ways = true;
	dial_us(&peer, beta);
	enable(&peer, id);
	send_some(0, 3);
	assert_true(peer_expect_within(&peer, "<r " SM "/>", 1500));
	script_run(script, 59000);
	assert_int_equal(logged(&a, "event=closed", NULL), 0);
	script_run(script, 3000);
	assert_int_equal(logged(&a, "event=closed", NULL), 1);
	dial_us(&second, beta);
	both_ways = false;
	resume(&second, id, "1");
	assert_true(peer_expect(&second, "<resumed " SM " previd='"));
	assert_true(peer_expect(&second, "id='m1'"));
	assert_true(peer_expect(&second, "id='m2'"));
	assert_int_equal(back(0, 3), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)
	const struct CMUnitTest tests[] = {
		T(acks), T(without_it_on_one_side), T(break_once),
		T(break_again_and_again), T(break_both_ways),
		T(offered_behind_sasl_alone), T(receiving),
		T(resume_what_broke), T(old_stream_gets_conflict),
		T(another_peer_resumes_nothing), T(not_for_ever),
		T(so_many_of_one_partner), T(lies_to_the_receiving_side),
		T(resume_with_a_lie), T(hostile_elements),
		T(nobody_asks_a_server_without_it), T(switched_off), T(acknowledged),
		T(resumed), T(refused), T(resumption_not_offered),
		T(not_resumable), T(closed_by_the_peer), T(too_late),
		T(back_in_time), T(back_in_time_again), T(enable_is_refused),
		T(enable_is_not_answered), T(resumed_with_a_lie),
		T(another_session_resumed), T(resume_is_not_answered),
		T(memory_is_bounded), T(nothing_overtakes), T(no_answer),
		T(no_answer_and_no_session), T(no_answer_to_the_first),
		T(answers_are_life), T(no_answer_on_theirs),
		T(no_answer_over_a_slow_way),
	};

	return cmocka_run_group_tests_name("sm", tests, suite_begin,
					   suite_end);
}
