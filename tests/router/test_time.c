/*
 * Peers that take their time. A third of the time for a negotiation is for each
 * stage, counted from its beginning; nothing that trickles in extends it.
 */
#include "server.h"

static const char alpha[] = "alpha.example", beta[] = "beta.example";

static struct server a;
static struct script_server *listener;
static struct ping result;

enum { WHOLE = 60000, STAGE = WHOLE / 3 };

/* alpha has a row for beta, which the test plays. */
static int begin(void **state)
{
	world_begin(state);
	server_start(&a, alpha, "192.0.2.1:5269", "valid");
	server_rule(&a, beta, 7);
	script_dns_target(script, beta, "192.0.2.2:5269", false);
	listener = script_listen(script, "192.0.2.2:5269");
	return 0;
}

static bool told(void *owner)
{
	return ((struct ping *)owner)->done;
}

/* The ping fails with this code, and so does the outcome, at about this time. */
static void failed_at(const char *code, const char *stage, uint64_t ms)
{
	struct seen seen;

	assert_true(script_run_until(script, told, &result, ms + 1000));
	assert_false(result.answered);
	assert_string_equal(pl_code_entry(result.code)->name, code);
	assert_in_range(result.ms, ms, ms + 300);
	script_run(script, 30000);
	assert_int_equal(outcomes(&a, false, alpha, beta, &seen), 1);
	assert_string_equal(seen.code, code);
	assert_string_equal(seen.stage, stage);
	assert_string_equal(seen.method, "none");
	assert_int_equal(pl_router_streams(a.router), 0);
}

static void test_no_header(void **state)
{
	struct peer peer;

	(void)state;
	ping_start(&a, alpha, beta, 100000, &result);
	peer_accept(&peer, listener);
	assert_true(peer_expect(&peer, "<stream:stream"));
	failed_at("header-timeout", "stream", STAGE);
	assert_true(peer_expect(&peer, "<connection-timeout"));
	assert_true(peer_expect(&peer, "</stream:stream>"));
	peer_free(&peer);
}

static void test_no_features(void **state)
{
	struct peer peer;

	(void)state;
	ping_start(&a, alpha, beta, 100000, &result);
	peer_accept(&peer, listener);
	script_run(script, 5000);
	peer_say(&peer, STREAM " id='1' version='1.0'>");
	failed_at("features-timeout", "features", 5000 + STAGE);
	assert_true(peer_expect(&peer, "<connection-timeout"));
	peer_free(&peer);
}

struct trickle {
	struct peer *peer;
	const char *text;
	size_t at;
	bool stop;
};

static void drip(void *owner)
{
	struct trickle *trickle = owner;
	char byte = trickle->text[trickle->at];

	if (trickle->stop)
		return;
	if (byte != '\0')
		trickle->at++;
	peer_say(trickle->peer, "%c", byte != '\0' ? byte : ' ');
	script_after(script, 1000, drip, trickle);
}

static void test_trickle(void **state)
{
	struct trickle trickle = { .text = STREAM " id='1'" };
	struct peer peer;

	(void)state;
	ping_start(&a, alpha, beta, 100000, &result);
	peer_accept(&peer, listener);
	trickle.peer = &peer;
	drip(&trickle);
	failed_at("header-timeout", "stream", STAGE);
	trickle.stop = true;
	script_run(script, 2000);
	peer_free(&peer);
}

/* Whitespace between elements keeps nothing alive either. */
static void test_trickle_of_blanks(void **state)
{
	struct trickle trickle = {
		.text = STREAM " id='1' version='1.0'>"
	};
	struct peer peer;

	(void)state;
	ping_start(&a, alpha, beta, 100000, &result);
	peer_accept(&peer, listener);
	peer_say(&peer, "%s", trickle.text);
	trickle = (struct trickle){ .peer = &peer, .text = "" };
	drip(&trickle);
	failed_at("features-timeout", "features", STAGE);
	trickle.stop = true;
	script_run(script, 2000);
	peer_free(&peer);
}

static void test_no_proceed(void **state)
{
	struct peer peer;

	(void)state;
	ping_start(&a, alpha, beta, 100000, &result);
	peer_accept(&peer, listener);
	peer_answer(&peer, beta, alpha, "1", STARTTLS "/>");
	assert_true(peer_expect(&peer, "<starttls"));
	failed_at("tls-timeout", "starttls", STAGE);
	peer_free(&peer);
}

/* An unoffered <starttls/> waits for five seconds, and blames the offer. */
static void test_unoffered(void **state)
{
	struct peer peer;

	(void)state;
	ping_start(&a, alpha, beta, 100000, &result);
	peer_accept(&peer, listener);
	peer_answer(&peer, beta, alpha, "1", DIALBACK);
	assert_true(peer_expect(&peer, "<starttls"));
	failed_at("tls-not-offered", "features", 5000);
	assert_true(peer_expect(&peer, "<policy-violation"));
	peer_free(&peer);
}

static void test_no_handshake(void **state)
{
	struct peer peer;

	(void)state;
	ping_start(&a, alpha, beta, 100000, &result);
	peer_accept(&peer, listener);
	peer_answer(&peer, beta, alpha, "1", STARTTLS "/>");
	assert_true(peer_expect(&peer, "<starttls"));
	peer_say(&peer, PROCEED);
	failed_at("tls-timeout", "tls", STAGE);
	peer_free(&peer);
}

static void test_no_sasl_answer(void **state)
{
	struct peer peer;

	(void)state;
	ping_start(&a, alpha, beta, 100000, &result);
	peer_accept(&peer, listener);
	peer_answer(&peer, beta, alpha, "1", STARTTLS "/>");
	assert_true(peer_expect(&peer, "<starttls"));
	peer_say(&peer, PROCEED);
	peer_tls(&peer, false, "beta.example.valid", NULL);
	peer_answer(&peer, beta, alpha, "2", MECHANISMS);
	assert_true(peer_expect(&peer, "mechanism='EXTERNAL'"));
	failed_at("negotiation-timeout", "sasl", STAGE);
	peer_free(&peer);
}

static void test_no_result(void **state)
{
	struct peer peer;

	(void)state;
	server_rule(&a, beta, 17);
	ping_start(&a, alpha, beta, 100000, &result);
	peer_accept(&peer, listener);
	peer_answer(&peer, beta, alpha, "1", DIALBACK);
	assert_true(peer_expect(&peer, "<db:result"));
	failed_at("dialback-timeout", "dialback", WHOLE);
	peer_free(&peer);
}

/* ----- names and TCP ----- */

static void test_no_name_server(void **state)
{
	struct seen seen;

	(void)state;
	script_dns_delay(script, beta, SCRIPT_NEVER);
	ping_start(&a, alpha, beta, 100000, &result);
	failed_at("dns-resolver-unreachable", "dns", 5000);
	assert_int_equal(outcomes(&a, false, alpha, beta, &seen), 1);
}

static void test_no_answer_to_syn(void **state)
{
	struct script_link silent = { .reach = SCRIPT_SILENT };

	(void)state;
	script_link(script, NULL, &silent);
	ping_start(&a, alpha, beta, 100000, &result);
	failed_at("tcp-timeout", "tcp", 10000);
	assert_int_equal(logged(&a, "addr=192.0.2.2:5269", NULL), 1);
}

/* The next target is tried, within the time of each. */
static void test_second_target_is_silent_too(void **state)
{
	struct script_link silent = { .reach = SCRIPT_SILENT };

	(void)state;
	script_dns_target(script, beta, "192.0.2.3:5269", false);
	script_link(script, NULL, &silent);
	ping_start(&a, alpha, beta, 100000, &result);
	failed_at("tcp-timeout", "tcp", 20000);
	assert_int_equal(logged(&a, "addr=192.0.2.3:5269", NULL), 1);
}

/* ----- the receiving side ----- */

static void test_silent_caller(void **state)
{
	struct peer peer;

	(void)state;
	peer_connect(&peer, "192.0.2.2", &a);
	script_run(script, STAGE - 1000);
	assert_false(peer.over);
	assert_true(peer_expect_within(&peer, "<connection-timeout", 1500));
	assert_true(peer_expect_end(&peer));
	assert_int_equal(outcomes_of(&a), 0);
	peer_free(&peer);
}

static void test_trickling_caller(void **state)
{
	struct trickle trickle = { .text = STREAM " from='beta.example' " };
	struct peer peer;

	(void)state;
	peer_connect(&peer, "192.0.2.2", &a);
	trickle.peer = &peer;
	drip(&trickle);
	assert_true(peer_expect_within(&peer, "<connection-timeout",
				       STAGE + 1000));
	trickle.stop = true;
	script_run(script, 2000);
	peer_free(&peer);
}

static void test_caller_stalls_handshake(void **state)
{
	struct peer peer;
	struct seen seen;

	(void)state;
	peer_connect(&peer, "192.0.2.2", &a);
	peer_header(&peer, beta, alpha);
	assert_true(peer_expect(&peer, "<starttls"));
	peer_say(&peer, STARTTLS "/>");
	assert_true(peer_expect(&peer, "<proceed"));
	script_run(script, STAGE + 500);
	assert_true(peer.over);
	assert_int_equal(outcomes(&a, true, alpha, beta, &seen), 1);
	assert_string_equal(seen.code, "tls-timeout");
	peer_free(&peer);
}

static void test_caller_chooses_nothing(void **state)
{
	struct peer peer;
	struct seen seen;

	(void)state;
	peer_connect(&peer, "192.0.2.2", &a);
	peer_header(&peer, beta, alpha);
	assert_true(peer_expect(&peer, "</stream:features>"));
	script_run(script, WHOLE - 1000);
	assert_false(peer.over);
	assert_true(peer_expect_within(&peer, "<connection-timeout", 1500));
	assert_int_equal(outcomes(&a, true, alpha, beta, &seen), 1);
	assert_string_equal(seen.code, "negotiation-timeout");
	peer_free(&peer);
}

/* ----- the authority does not answer ----- */

/* beta asks in clear; what its authority does is the test's. */
static void ask(struct peer *peer)
{
	server_rule(&a, beta, 17);
	peer_connect(peer, "192.0.2.2", &a);
	peer_header(peer, beta, alpha);
	assert_true(peer_expect(peer, "</stream:features>"));
	peer_say(peer, "<db:result from='%s' to='%s'>key</db:result>", beta,
		 alpha);
}

static void refused_within(struct peer *peer, const char *condition,
			   const char *code, uint64_t ms)
{
	struct seen seen;

	assert_true(peer_expect_within(peer, "type='error'", ms));
	assert_true(peer_expect(peer, condition));
	assert_false(peer->over);
	assert_int_equal(outcomes(&a, true, alpha, beta, &seen), 1);
	assert_string_equal(seen.code, code);
}

static void test_authority_gives_no_answer(void **state)
{
	struct peer peer, authority;

	(void)state;
	ask(&peer);
	peer_accept(&authority, listener);
	peer_answer(&authority, beta, alpha, "1", DIALBACK);
	assert_true(peer_expect(&authority, "<db:verify"));
	/* well before the asking side gives up */
	refused_within(&peer, "<remote-server-timeout", "verify-timeout",
		       WHOLE * 3 / 4);
	/* nothing waits any more: that connection has no use */
	assert_true(peer_expect(&authority, "</stream:stream>"));
	/* a late answer changes nothing */
	assert_true(peer_expect_not(&peer, "type='valid'", 5000));
	peer_free(&authority);
	peer_free(&peer);
}

static void test_authority_gives_no_header(void **state)
{
	struct peer peer, authority;

	(void)state;
	ask(&peer);
	peer_accept(&authority, listener);
	refused_within(&peer, "<remote-server-timeout", "verify-timeout",
		       WHOLE * 3 / 4);
	peer_free(&authority);
	peer_free(&peer);
}

static void test_authority_closes(void **state)
{
	struct peer peer, authority;

	(void)state;
	ask(&peer);
	peer_accept(&authority, listener);
	peer_answer(&authority, beta, alpha, "1", DIALBACK);
	assert_true(peer_expect(&authority, "<db:verify"));
	script_end(authority.raw);
	refused_within(&peer, "<remote-server-timeout", "verify-timeout", 1000);
	peer_free(&authority);
	peer_free(&peer);
}

static void test_authority_is_unreachable(void **state)
{
	struct peer peer;

	(void)state;
	script_unlisten(listener);
	ask(&peer);
	refused_within(&peer, "<remote-connection-failed",
		       "verify-unreachable", 1000);
	peer_free(&peer);
}

static void test_authority_has_no_name(void **state)
{
	struct peer peer;

	(void)state;
	script_dns_forget(script, beta);
	ask(&peer);
	refused_within(&peer, "<remote-server-not-found",
		       "verify-unreachable", 1000);
	peer_free(&peer);
}

static void test_authority_has_no_name_server(void **state)
{
	struct peer peer;

	(void)state;
	script_dns_delay(script, beta, SCRIPT_NEVER);
	ask(&peer);
	refused_within(&peer, "<remote-connection-failed",
		       "verify-unreachable", 6000);
	peer_free(&peer);
}

/* An open stream that carries nothing is closed, with its closing tag. */
static void test_idle(void **state)
{
	struct peer peer;

	(void)state;
	server_rule(&a, beta, 17);
	ping_start(&a, alpha, beta, 100000, &result);
	peer_accept(&peer, listener);
	peer_answer(&peer, beta, alpha, "1", DIALBACK);
	assert_true(peer_expect(&peer, "<db:result"));
	peer_say(&peer, "<db:result from='%s' to='%s' type='valid'/>", beta,
		 alpha);
	assert_true(peer_expect(&peer, "<ping"));
	script_run(script, 599000);
	assert_int_equal(pl_router_streams(a.router), 1);
	assert_true(peer_expect_within(&peer, "</stream:stream>", 3000));
	assert_true(peer_expect_end(&peer));
	assert_true(peer_expect_not(&peer, "<stream:error", 10));
	assert_int_equal(outcomes_of(&a), 1);
	peer_free(&peer);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, begin, world_end)
	const struct CMUnitTest tests[] = {
		T(no_header), T(no_features), T(trickle),
		T(trickle_of_blanks), T(no_proceed), T(unoffered),
		T(no_handshake), T(no_sasl_answer), T(no_result),
		T(no_name_server), T(no_answer_to_syn),
		T(second_target_is_silent_too), T(silent_caller),
		T(trickling_caller), T(caller_stalls_handshake),
		T(caller_chooses_nothing), T(authority_gives_no_answer),
		T(authority_gives_no_header), T(authority_closes),
		T(authority_is_unreachable), T(authority_has_no_name),
		T(authority_has_no_name_server), T(idle),
	};

	return cmocka_run_group_tests_name("time", tests, suite_begin,
					   suite_end);
}
