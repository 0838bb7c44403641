/*
 * Bidirectional streams (XEP-0288): both roles, every method, and what must
 * not come of it.
 */
#include "server.h"

static const char alpha[] = "alpha.example", beta[] = "beta.example";
static struct server a, b;
static struct ping result;

static int begin(void **state)
{
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	return world_begin(state);
}

static int end(void **state)
{
	return world_end(state);
}

static void count_stream(void *owner, const struct pl_stream_info *info)
{
	if (!info->verify_only)
		++*(unsigned *)owner;
}

static unsigned streams(struct server *server)
{
	unsigned count = 0;

	pl_router_each(server->router, count_stream, &count);
	return count;
}

/* Two servers under one row, with or without bidi on each side. */
static void two(int row, bool a_wants, bool b_wants, const char *b_variant)
{
	server_start(&a, alpha, "192.0.2.1:5269", "valid");
	server_start(&b, beta, "192.0.2.2:5269", b_variant);
	server_rule(&a, beta, row)->terms.bidi = a_wants;
	server_rule(&b, alpha, row)->terms.bidi = b_wants;
}

/* One stream carries the ping and its answer; one outcome each side. */
static void one_stream(const char *method)
{
	struct seen seen;

	assert_true(ping(&a, alpha, beta, 5000, &result));
	assert_int_equal(streams(&a), 1);
	assert_int_equal(streams(&b), 1);
	assert_int_equal(outcomes(&a, false, alpha, beta, &seen), 1);
	assert_string_equal(seen.method, method);
	assert_int_equal(outcomes(&b, true, beta, alpha, &seen), 1);
	assert_string_equal(seen.method, method);
	assert_int_equal(outcomes_of(&a), 1);
	assert_int_equal(outcomes_of(&b), 1);
	assert_int_equal(logged(&a, "event=bidi", "dir=out", NULL), 1);
	assert_int_equal(logged(&b, "event=bidi", "dir=in", NULL), 1);
	/* The other side's own traffic takes the same stream. */
	assert_true(ping(&b, beta, alpha, 5000, &result));
	assert_int_equal(streams(&a), 1);
}

static void test_sasl(void **state)
{
	(void)state;
	two(7, true, true, "valid");
	one_stream("sasl-over-tls");
}

static void test_tls_dialback(void **state)
{
	(void)state;
	two(13, true, true, "valid");
	one_stream("tls-dialback");
}

static void test_tcp_dialback(void **state)
{
	(void)state;
	two(17, true, true, "valid");
	one_stream("tcp-dialback");
}

/* Both must want it; and a certificate that proves nothing lets nothing back
 * in (an initiating entity does not even ask). */
static void two_streams(int row, bool a_wants, bool b_wants,
			const char *b_variant)
{
	two(row, a_wants, b_wants, b_variant);
	assert_true(ping(&a, alpha, beta, 5000, &result));
	assert_int_equal(streams(&a), 2);
	assert_int_equal(logged(&a, "event=bidi", NULL), 0);
	assert_int_equal(logged(&b, "event=bidi", NULL), 0);
}

static void test_only_we_want_it(void **state)
{
	(void)state;
	two_streams(7, true, false, "valid");
}

static void test_only_they_want_it(void **state)
{
	(void)state;
	two_streams(7, false, true, "valid");
}

static void test_unproved_certificate(void **state)
{
	(void)state;
	two(7, true, true, "self-signed");
	assert_true(ping(&a, alpha, beta, 5000, &result));
	assert_int_equal(streams(&a), 2);
	assert_int_equal(logged(&a, "event=bidi", "dir=out", NULL), 0);
}

/* A reload that takes bidi's row away closes the stream like any other. */
static void test_reload(void **state)
{
	(void)state;
	two(17, true, true, "valid");
	one_stream("tcp-dialback");
	server_rule(&a, beta, 2);
	pl_router_terms_changed(a.router);
	assert_false(ping(&b, beta, alpha, 3000, &result));
}

/* ----- peers that ask at the wrong time ----- */

static void connect_peer(struct peer *peer, bool tls)
{
	two(tls ? 7 : 17, true, true, "valid");
	peer_connect(peer, "192.0.2.9", &a);
	peer_header(peer, beta, alpha);
	assert_true(peer_expect(peer, "</stream:features>"));
	if (!tls)
		return;
	peer_say(peer, STARTTLS "/>");
	assert_true(peer_expect(peer, "<proceed"));
	assert_true(peer_expect(peer, ">"));
	peer_tls(peer, true, "beta.example.valid", alpha);
	peer_header(peer, beta, alpha);
}

/* Before it was authenticated nothing is sent back, and a stanza in the name of
 * a pair that is not open ends the stream. */
static void test_offered_under_tls(void **state)
{
	struct peer peer;

	(void)state;
	connect_peer(&peer, true);
	assert_true(peer_expect(&peer, "urn:xmpp:features:bidi"));
	peer_say(&peer, "<bidi xmlns='urn:xmpp:bidi'/>");
	ping_start(&a, alpha, beta, 2000, &result);
	assert_true(peer_expect_not(&peer, "urn:xmpp:ping", 1000));
	peer_free(&peer);
}

static void test_after_sasl_it_is_kept(void **state)
{
	struct peer peer;

	(void)state;
	connect_peer(&peer, true);
	assert_true(peer_expect(&peer, "</stream:features>"));
	peer_say(&peer, "<bidi xmlns='urn:xmpp:bidi'/><auth " SASL
		 " mechanism='EXTERNAL'>YmV0YS5leGFtcGxl</auth>");
	assert_true(peer_expect(&peer, "<success"));
	peer_header(&peer, beta, alpha);
	assert_true(peer_expect(&peer, "<stream:features>"));
	/* offered no more, and asking again means nothing */
	assert_true(peer_expect_not(&peer, "urn:xmpp:features:bidi", 200));
	peer_say(&peer, "<bidi xmlns='urn:xmpp:bidi'/>");
	ping_start(&a, alpha, beta, 2000, &result);
	assert_true(peer_expect(&peer, "urn:xmpp:ping"));
	peer_free(&peer);
}

/* Asked for behind <success/>, where it was not offered: ignored. */
static void test_too_late(void **state)
{
	struct peer peer;

	(void)state;
	connect_peer(&peer, true);
	assert_true(peer_expect(&peer, "</stream:features>"));
	peer_say(&peer, "<auth " SASL
		 " mechanism='EXTERNAL'>YmV0YS5leGFtcGxl</auth>");
	assert_true(peer_expect(&peer, "<success"));
	peer_header(&peer, beta, alpha);
	assert_true(peer_expect(&peer, "<stream:features>"));
	peer_say(&peer, "<bidi xmlns='urn:xmpp:bidi'/>");
	ping_start(&a, alpha, beta, 2000, &result);
	assert_true(peer_expect_not(&peer, "urn:xmpp:ping", 1000));
	assert_int_equal(logged(&a, "event=bidi", "dir=in", NULL), 0);
	peer_free(&peer);
}

/* Asked for in clear, then TLS: forgotten (RFC 6120 5.4.3.3). */
static void test_forgotten_by_tls(void **state)
{
	struct peer peer;

	(void)state;
	two(9, true, true, "valid");
	peer_connect(&peer, "192.0.2.9", &a);
	peer_header(&peer, beta, alpha);
	assert_true(peer_expect(&peer, "urn:xmpp:features:bidi"));
	assert_true(peer_expect(&peer, "</stream:features>"));
	peer_say(&peer, "<bidi xmlns='urn:xmpp:bidi'/>" STARTTLS "/>");
	assert_true(peer_expect(&peer, "<proceed"));
	assert_true(peer_expect(&peer, ">"));
	peer_tls(&peer, true, "beta.example.valid", alpha);
	peer_header(&peer, beta, alpha);
	assert_true(peer_expect(&peer, "</stream:features>"));
	peer_say(&peer, "<auth " SASL
		 " mechanism='EXTERNAL'>YmV0YS5leGFtcGxl</auth>");
	assert_true(peer_expect(&peer, "<success"));
	peer_header(&peer, beta, alpha);
	assert_true(peer_expect(&peer, "<stream:features>"));
	ping_start(&a, alpha, beta, 2000, &result);
	assert_true(peer_expect_not(&peer, "urn:xmpp:ping", 1000));
	peer_free(&peer);
}

/* ----- what comes back on a stream of ours ----- */

/* A stream of ours to a scripted beta, open by SASL; bidi as asked. */
static void dial_peer(struct peer *peer, bool bidi)
{
	struct script_server *at;

	server_start(&a, alpha, "192.0.2.1:5269", "valid");
	server_rule(&a, beta, 7)->terms.bidi = bidi;
	script_dns_target(script, beta, "192.0.2.2:5269", false);
	at = script_listen(script, "192.0.2.2:5269");
	ping_start(&a, alpha, beta, 9000, &result);
	peer_accept(peer, at);
	assert_true(peer_expect(peer, "<stream:stream"));
	peer_answer(peer, beta, alpha, "1", STARTTLS "><required/></starttls>");
	assert_true(peer_expect(peer, "<starttls"));
	assert_true(peer_expect(peer, "/>"));
	peer_say(peer, PROCEED);
	peer_tls(peer, false, "beta.example.valid", alpha);
	assert_true(peer_expect(peer, "<stream:stream"));
	peer_answer(peer, beta, alpha, "2", MECHANISMS
		    "<bidi xmlns='urn:xmpp:features:bidi'/>");
	if (bidi) {
		assert_true(peer_expect(peer, "<bidi xmlns='urn:xmpp:bidi'/>"));
	}
	assert_true(peer_expect(peer, "<auth"));
	assert_true(peer_expect(peer, "</auth>"));
	peer_say(peer, "<success " SASL "/>");
	assert_true(peer_expect(peer, "<stream:stream"));
	peer_answer(peer, beta, alpha, "3", "");
	assert_true(peer_expect(peer, "urn:xmpp:ping"));
}

static void test_stanza_comes_back(void **state)
{
	struct peer peer;

	(void)state;
	dial_peer(&peer, true);
	peer_say(&peer, "<iq type='get' id='x1' from='beta.example' "
		 "to='alpha.example'><ping xmlns='urn:xmpp:ping'/></iq>");
	assert_true(peer_expect(&peer, "type='result' id='x1'"));
	peer_free(&peer);
}

static void test_foreign_stanza_ends_it(void **state)
{
	struct peer peer;

	(void)state;
	dial_peer(&peer, true);
	peer_say(&peer, "<iq type='get' id='x1' from='gamma.example' "
		 "to='alpha.example'><ping xmlns='urn:xmpp:ping'/></iq>");
	assert_true(peer_expect(&peer, "<invalid-from"));
	peer_free(&peer);
}

static void test_without_it_nothing_comes_back(void **state)
{
	struct peer peer;

	(void)state;
	dial_peer(&peer, false);
	peer_say(&peer, "<iq type='get' id='x1' from='beta.example' "
		 "to='alpha.example'><ping xmlns='urn:xmpp:ping'/></iq>");
	assert_true(peer_expect(&peer, "<not-authorized"));
	peer_free(&peer);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)
	const struct CMUnitTest tests[] = {
		T(sasl), T(tls_dialback), T(tcp_dialback), T(only_we_want_it),
		T(only_they_want_it), T(unproved_certificate), T(reload),
		T(offered_under_tls), T(after_sasl_it_is_kept), T(too_late),
		T(forgotten_by_tls), T(stanza_comes_back),
		T(foreign_stanza_ends_it), T(without_it_nothing_comes_back),
	};

	return cmocka_run_group_tests_name("bidi", tests, suite_begin,
					   suite_end);
}
