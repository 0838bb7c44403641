/*
 * Limits on connections, ways that follow a failure, what waits for a route,
 * new terms and the end of a daemon.
 */
#include "server.h"

static const char alpha[] = "alpha.example", beta[] = "beta.example";

static struct server a, b;
static struct script_server *listener;
static struct ping result;
static struct peer peers[4];

static int begin(void **state)
{
	world_begin(state);
	server_start(&a, alpha, "192.0.2.1:5269", "valid");
	server_rule(&a, "*", 17);
	memset(peers, 0, sizeof peers);
	return 0;
}

static int end(void **state)
{
	for (size_t i = 0; i < 4; i++)
		if (peers[i].raw != NULL)
			peer_free(&peers[i]);
	return world_end(state);
}

static void beta_is_ours(void)
{
	script_dns_target(script, beta, "192.0.2.2:5269", false);
	listener = script_listen(script, "192.0.2.2:5269");
}

static void beta_is_whole(int row_a, int row_b)
{
	server_start(&b, beta, "192.0.2.2:5269", "valid");
	server_rule(&a, beta, row_a);
	server_rule(&b, alpha, row_b);
}

static bool lasts(struct peer *peer)
{
	script_run(script, 50);
	return !peer->over;
}

static void call(struct peer *peer, const char *address, const char *from)
{
	peer_connect(peer, address, &a);
	peer_header(peer, from, alpha);
}

/* ----- limits ----- */

static void test_limit_of_an_address(void **state)
{
	(void)state;
	a.world.limits.connections_per_address = 2;
	peer_connect(&peers[0], "192.0.2.7", &a);
	peer_connect(&peers[1], "192.0.2.7", &a);
	peer_connect(&peers[2], "192.0.2.7", &a);
	assert_false(lasts(&peers[2]));
	assert_int_equal(peers[2].got.length, 0); /* not a word */
	peer_connect(&peers[3], "192.0.2.8", &a);
	assert_true(lasts(&peers[3]));
	assert_true(lasts(&peers[0]));
	assert_int_equal(logged(&a, "connections-per-address", NULL), 1);
}

static void test_limit_of_all(void **state)
{
	(void)state;
	a.world.limits.connections = 3;
	peer_connect(&peers[0], "192.0.2.9", &a);
	peer_connect(&peers[1], "192.0.2.7", &a);
	peer_connect(&peers[2], "192.0.2.7", &a);
	peer_connect(&peers[3], "192.0.2.8", &a);
	/* the oldest of the address that has most */
	assert_true(lasts(&peers[3]));
	assert_true(lasts(&peers[0]));
	assert_true(lasts(&peers[2]));
	assert_false(lasts(&peers[1]));
	assert_int_equal(pl_router_streams(a.router), 3);
}

static void test_limit_of_a_partner(void **state)
{
	(void)state;
	server_rule(&a, beta, 17)->connection_limit = 1;
	call(&peers[0], "192.0.2.7", beta);
	assert_true(peer_expect(&peers[0], "</stream:features>"));
	call(&peers[1], "192.0.2.7", beta);
	assert_true(peer_expect(&peers[1], "<resource-constraint"));
	call(&peers[2], "192.0.2.7", "gamma.example");
	assert_true(peer_expect(&peers[2], "</stream:features>"));
	/* who only says that it is the partner keeps nobody else out */
	call(&peers[3], "192.0.2.8", beta);
	assert_true(peer_expect(&peers[3], "</stream:features>"));
	ping(&a, alpha, beta, 5000, &result);
	assert_int_not_equal(result.code, PL_CODE_CONNECTION_LIMIT);
	assert_int_equal(logged(&a, "event=failed", "code=connection-limit",
				NULL), 1);
}

/* ----- both at once ----- */

static void test_simultaneous(void **state)
{
	static const int rows[] = { 17, 13, 9 };
	struct ping other;

	for (size_t i = 0; i < 3; i++) {
		struct seen seen;

		if (i > 0)
			begin(state);
		beta_is_whole(rows[i], rows[i]);
		ping_start(&a, alpha, beta, 5000, &result);
		ping_start(&b, beta, alpha, 5000, &other);
		script_run(script, 6000);
		assert_true(result.answered && other.answered);
		assert_int_equal(outcomes_of(&a), 2);
		assert_int_equal(outcomes_of(&b), 2);
		assert_int_equal(outcomes(&a, true, alpha, beta, &seen), 1);
		if (i < 2)
			end(state);
	}
}

/* What waits goes out in order, once the pair is open. */
static void test_order_of_what_waits(void **state)
{
	struct ping pings[3];
	char id[3][64];

	(void)state;
	beta_is_ours();
	for (int i = 0; i < 3; i++)
		ping_start(&a, alpha, beta, 20000, &pings[i]);
	peer_accept(&peers[0], listener);
	assert_null(script_accept(listener, 100));
	peer_answer(&peers[0], beta, alpha, "1", DIALBACK);
	assert_true(peer_expect(&peers[0], "</db:result>"));
	assert_true(peer_expect_not(&peers[0], "<iq", 200));
	peer_say(&peers[0], "<db:result from='%s' to='%s' type='valid'/>",
		 beta, alpha);
	for (int i = 0; i < 3; i++) {
		assert_true(peer_expect(&peers[0], "<iq type='get' id='"));
		peer_value(&peers[0], id[i], sizeof id[i]);
	}
	/* answered on a stream of beta's: each by its own id, not in order */
	call(&peers[1], "192.0.2.2", beta);
	peer_say(&peers[1], "<db:result from='%s' to='%s'>k</db:result>", beta,
		 alpha);
	peer_accept(&peers[2], listener);
	peer_answer(&peers[2], beta, alpha, "1", DIALBACK);
	assert_true(peer_expect(&peers[2], " id='"));
	peer_value(&peers[2], id[1], sizeof id[1]);
	peer_say(&peers[2], "<db:verify from='%s' to='%s' id='%s' "
		 "type='valid'/>", beta, alpha, id[1]);
	assert_true(peer_expect(&peers[1], "type='valid'"));
	peer_say(&peers[1], "<iq type='result' id='%s' from='%s' to='%s'/>",
		 id[2], beta, alpha);
	script_run(script, 50);
	assert_true(pings[2].answered);
	assert_false(pings[0].done || pings[1].done);
}

/* A peer that reaches us is up again: what it asks is answered at once, whatever
 * pause its absence had made. */
static void test_peer_is_back(void **state)
{
	const struct script_link refused = { .reach = SCRIPT_REFUSED };
	const struct script_link open = { .reach = SCRIPT_OPEN };

	(void)state;
	beta_is_whole(7, 7);
	script_link(script, "192.0.2.2:5269", &refused);
	for (int i = 0; i < 3; i++)
		ping(&a, alpha, beta, 5000, &result);
	assert_int_equal(result.code, PL_CODE_TCP_REFUSED);
	script_link(script, "192.0.2.2:5269", &open);
	assert_true(ping(&b, beta, alpha, 900, &result));
}

/* ----- other ways ----- */

static void test_next_target_after_tcp(void **state)
{
	(void)state;
	script_dns_target(script, beta, "192.0.2.3:5269", false);
	beta_is_ours();
	ping_start(&a, alpha, beta, 20000, &result);
	peer_accept(&peers[0], listener);
	assert_true(peer_expect(&peers[0], "<stream:stream"));
	assert_int_equal(outcomes_of(&a), 0);
}

static void test_next_target_after_stream(void **state)
{
	struct script_server *first = script_listen(script, "192.0.2.3:5269");

	(void)state;
	script_dns_target(script, beta, "192.0.2.3:5269", false);
	beta_is_ours();
	ping_start(&a, alpha, beta, 20000, &result);
	peer_accept(&peers[0], first);
	peer_say(&peers[0], "220 mail.example ESMTP\r\n");
	peer_accept(&peers[1], listener);
	assert_true(peer_expect(&peers[1], "<stream:stream"));
	assert_int_equal(outcomes_of(&a), 1);
	assert_false(result.done);
}

/* What the last one failed with is told too: the ping ends with it. */
static void test_next_target_that_is_dead(void **state)
{
	struct script_server *first = script_listen(script, "192.0.2.3:5269");
	struct seen seen;

	(void)state;
	script_dns_target(script, beta, "192.0.2.3:5269", false);
	script_dns_target(script, beta, "192.0.2.4:5269", false);
	ping_start(&a, alpha, beta, 20000, &result);
	peer_accept(&peers[0], first);
	peer_say(&peers[0], "220 mail.example ESMTP\r\n");
	script_run(script, 15000);
	assert_true(result.done);
	assert_int_equal(result.code, PL_CODE_TCP_REFUSED);
	assert_int_equal(outcomes(&a, false, alpha, beta, &seen), 2);
	assert_string_equal(seen.code, "tcp-refused");
	assert_non_null(strstr(seen.line, "addr=192.0.2.4:5269"));
}

/* A refusal is not hidden by the next address. */
static void test_no_next_target_after_policy(void **state)
{
	struct script_server *first = script_listen(script, "192.0.2.3:5269");

	(void)state;
	script_dns_target(script, beta, "192.0.2.3:5269", false);
	beta_is_ours();
	ping_start(&a, alpha, beta, 20000, &result);
	peer_accept(&peers[0], first);
	peer_answer(&peers[0], beta, alpha, "1", STARTTLS "><required/>"
		    "</starttls>");
	script_run(script, 200);
	assert_int_equal(result.code, PL_CODE_PEER_REQUIRES_TLS);
	assert_null(script_accept(listener, 1000));
	assert_int_equal(outcomes_of(&a), 1);
}

static void starttls_with(struct peer *peer, struct script_server *at,
			  const char *certificate)
{
	peer_accept(peer, at);
	peer_answer(peer, beta, alpha, "1", STARTTLS "/>" DIALBACK);
	assert_true(peer_expect(peer, "<starttls"));
	peer_say(peer, PROCEED);
	if (certificate != NULL)
		peer_tls(peer, false, certificate, NULL);
}

static void test_no_next_target_after_certificate(void **state)
{
	struct script_server *first = script_listen(script, "192.0.2.3:5269");
	struct pl_partner_view *view = server_rule(&a, beta, 3);

	(void)state;
	view->terms.plaintext_retry = true; /* changes nothing */
	script_dns_target(script, beta, "192.0.2.3:5269", false);
	beta_is_ours();
	ping_start(&a, alpha, beta, 20000, &result);
	starttls_with(&peers[0], first, "beta.example.wrong-name");
	script_run(script, 200);
	assert_int_equal(result.code, PL_CODE_CERTIFICATE_WRONG_NAME);
	assert_null(script_accept(listener, 1000));
	assert_null(script_accept(first, 1000));
}

static void broken_handshake(bool retry)
{
	beta_is_ours();
	server_rule(&a, beta, 9)->terms.plaintext_retry = retry;
	ping_start(&a, alpha, beta, 20000, &result);
	starttls_with(&peers[0], listener, NULL);
	script_run(script, 50);
	script_end(peers[0].raw);
}

static void test_no_clear_text_by_itself(void **state)
{
	(void)state;
	broken_handshake(false);
	assert_null(script_accept(listener, 2000));
	assert_int_equal(result.code, PL_CODE_TLS_CLOSED);
}

static void test_clear_text_where_set(void **state)
{
	(void)state;
	broken_handshake(true);
	peer_accept(&peers[1], listener);
	peer_answer(&peers[1], beta, alpha, "2", STARTTLS "/>" DIALBACK);
	assert_true(peer_expect(&peers[1], "<db:result"));
	peer_say(&peers[1], "<db:result from='%s' to='%s' type='valid'/>",
		 beta, alpha);
	assert_true(peer_expect(&peers[1], "<ping"));
	assert_int_equal(logged(&a, "method=tcp-dialback", NULL), 1);
	assert_int_equal(outcomes_of(&a), 2);
}

/* EXTERNAL failed: dialback on the same stream, on a new one only if it was
 * closed. */
static void sasl_fails(const char *behind)
{
	beta_is_ours();
	server_rule(&a, beta, 7);
	ping_start(&a, alpha, beta, 20000, &result);
	starttls_with(&peers[0], listener, "beta.example.valid");
	peer_answer(&peers[0], beta, alpha, "2", MECHANISMS DIALBACK);
	assert_true(peer_expect(&peers[0], "mechanism='EXTERNAL'"));
	peer_say(&peers[0], "<failure " SASL "><not-authorized/></failure>%s",
		 behind);
}

static void test_dialback_after_sasl(void **state)
{
	(void)state;
	sasl_fails("");
	assert_true(peer_expect(&peers[0], "<db:result"));
	assert_null(script_accept(listener, 100));
}

static void test_new_connection_after_sasl(void **state)
{
	(void)state;
	sasl_fails("</stream:stream>");
	starttls_with(&peers[1], listener, "beta.example.valid");
	peer_answer(&peers[1], beta, alpha, "2", MECHANISMS DIALBACK);
	assert_true(peer_expect(&peers[1], "<db:result"));
	peer_say(&peers[1], "</stream:stream>");
	script_run(script, 200);
	assert_true(result.done); /* and not for ever */
	assert_null(script_accept(listener, 1000));
}

/* ----- the end, and new terms ----- */

static void on_done(void *owner)
{
	++*(unsigned *)owner;
}

static void test_shutdown(void **state)
{
	unsigned done = 0;

	(void)state;
	beta_is_whole(7, 7);
	assert_true(ping(&a, alpha, beta, 5000, &result));
	call(&peers[0], "192.0.2.9", "gamma.example");
	assert_true(peer_expect(&peers[0], "</stream:features>"));
	pl_router_shutdown(a.router, on_done, &done);
	assert_true(peer_expect(&peers[0], "<system-shutdown"));
	assert_true(peer_expect(&peers[0], "</stream:stream>"));
	script_run(script, 10000);
	assert_int_equal(done, 1);
	assert_int_equal(pl_router_streams(a.router), 0);
	assert_int_equal(pl_router_streams(b.router), 0);
	peer_free(&peers[0]);
	peer_connect(&peers[0], "192.0.2.9", &a);
	assert_false(lasts(&peers[0]));
}

static void test_shutdown_of_nothing(void **state)
{
	unsigned done = 0;

	(void)state;
	pl_router_shutdown(a.router, on_done, &done);
	assert_int_equal(done, 0);
	script_run(script, 10);
	assert_int_equal(done, 1);
}

static void test_shutdown_while_looking_up(void **state)
{
	unsigned done = 0;

	(void)state;
	beta_is_ours();
	script_dns_delay(script, beta, SCRIPT_NEVER);
	ping_start(&a, alpha, beta, 20000, &result);
	script_run(script, 100);
	pl_router_shutdown(a.router, on_done, &done);
	script_run(script, 100);
	assert_int_equal(done, 1);
	assert_int_equal(result.code, PL_CODE_SHUTDOWN);
	assert_int_equal(outcomes_of(&a), 1);
}

static void test_terms_changed(void **state)
{
	(void)state;
	beta_is_whole(9, 17);
	assert_true(ping(&a, alpha, beta, 5000, &result));
	assert_int_equal(pl_router_streams(a.router), 2);
	server_rule(&a, beta, 17); /* the same method is still allowed */
	pl_router_terms_changed(a.router);
	script_run(script, 1000);
	assert_int_equal(pl_router_streams(a.router), 2);
	server_rule(&a, beta, 7);
	pl_router_terms_changed(a.router);
	script_run(script, 1000);
	assert_int_equal(pl_router_streams(a.router), 0);
	assert_false(ping(&a, alpha, beta, 9000, &result));
	assert_int_equal(result.code, PL_CODE_TLS_NOT_OFFERED);
	server_rule(&b, alpha, 7);
	pl_router_terms_changed(b.router);
	assert_true(ping(&a, alpha, beta, 5000, &result));
}

/* ----- several pairs on a stream of ours ----- */

static const char gamma_[] = "gamma.example";

static void count_outgoing(void *owner, const struct pl_stream_info *info)
{
	if (!info->incoming)
		++*(unsigned *)owner;
}

/* Both hosts of a ping b; how many streams of a's own that took. */
static unsigned streams_for_two_hosts(bool multiplex, struct seen *second)
{
	unsigned count = 0;

	beta_is_whole(7, 7);
	server_rule(&b, gamma_, 7);
	server_host(&a, gamma_, "valid");
	server_rule(&a, beta, 7)->multiplex = multiplex;
	assert_true(ping(&a, alpha, beta, 5000, &result));
	assert_true(ping(&a, gamma_, beta, 5000, &result));
	assert_int_equal(outcomes(&a, false, gamma_, beta, second), 1);
	pl_router_each(a.router, count_outgoing, &count);
	return count;
}

/* The second host's pair joins by dialback (XEP-0220 2.6.1), where the
 * partner's setting wants it. */
static void test_second_pair_joins(void **state)
{
	struct seen second;

	(void)state;
	assert_int_equal(streams_for_two_hosts(true, &second), 1);
	assert_string_equal(second.method, "tls-dialback");
	assert_true(ping(&a, alpha, beta, 5000, &result));
	assert_true(ping(&a, gamma_, beta, 5000, &result));
}

/* Else it gets a stream of its own, and so the best method. */
static void test_second_pair_alone(void **state)
{
	struct seen second;

	(void)state;
	assert_int_equal(streams_for_two_hosts(false, &second), 2);
	assert_string_equal(second.method, "sasl-over-tls");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)
	const struct CMUnitTest tests[] = {
		T(limit_of_an_address), T(limit_of_all), T(limit_of_a_partner),
		T(simultaneous), T(order_of_what_waits),
		T(peer_is_back),
		T(next_target_after_tcp), T(next_target_after_stream),
		T(next_target_that_is_dead), T(second_pair_joins),
		T(second_pair_alone),
		T(no_next_target_after_policy),
		T(no_next_target_after_certificate), T(no_clear_text_by_itself),
		T(clear_text_where_set), T(dialback_after_sasl),
		T(new_connection_after_sasl), T(shutdown),
		T(shutdown_of_nothing), T(shutdown_while_looking_up),
		T(terms_changed),
	};

	return cmocka_run_group_tests_name("traffic", tests, suite_begin,
					   suite_end);
}
