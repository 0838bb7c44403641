/*
 * The odd peer (enum pl_odd): what each oddity looks like on the wire, and that
 * a usual parley copes with an odd one.
 */
#include "server.h"

static const char alpha[] = "alpha.example", beta[] = "beta.example";

static struct server a, b;

/* beta is odd; alpha plays by the book. */
static void start(unsigned odd, int row)
{
	server_start(&a, alpha, "192.0.2.1:5269", "valid");
	server_start(&b, beta, "192.0.2.2:5269", "valid");
	server_rule(&a, beta, row);
	server_rule(&b, alpha, row);
	b.world.odd = odd;
}

/* A stream from alpha to the odd beta, up to beta's header. */
static void dial(struct peer *peer)
{
	peer_connect(peer, "192.0.2.1", &b);
	peer_header(peer, alpha, beta);
}

static void secure(struct peer *peer)
{
	dial(peer);
	assert_true(peer_expect(peer, "</stream:features>"));
	peer_say(peer, STARTTLS "/>");
	assert_true(peer_expect(peer, PROCEED));
	peer_tls(peer, true, "alpha.example.valid", beta);
	peer_header(peer, alpha, beta);
}

/* ----- names ----- */

static void test_names(void **state)
{
	struct pl_error error = { .text = "" };
	unsigned odd, all = 0;
	size_t count = 0;

	(void)state;
	for (; pl_odd_entry(count) != NULL; count++) {
		const struct pl_odd_entry *entry = pl_odd_entry(count);

		assert_true(pl_odd_parse(entry->name, &odd, &error));
		assert_int_equal(odd, entry->bit);
		assert_int_equal(all & odd, 0);
		all |= odd;
	}
	assert_int_equal(count, 12);
	assert_true(pl_odd_parse("whitespace,prefixes", &odd, &error));
	assert_int_equal(odd, PL_ODD_WHITESPACE | PL_ODD_PREFIXES);
	assert_false(pl_odd_parse("whitespace,strange", &odd, &error));
	assert_non_null(strstr(error.text, "\"strange\""));
	assert_false(pl_odd_parse("", &odd, &error));
	assert_false(pl_odd_parse("whitespace,", &odd, &error));
	assert_false(pl_odd_parse("white", &odd, &error));
}

/* ----- on the wire ----- */

static void test_no_version(void **state)
{
	struct peer peer;
	char header[400];

	(void)state;
	start(PL_ODD_NO_VERSION, 17);
	dial(&peer);
	assert_true(peer_expect(&peer, "<stream:stream"));
	peer_value(&peer, header, sizeof header);
	assert_true(peer_expect(&peer, " id='"));
	assert_true(peer_expect_not(&peer, "version=", 300));
	assert_true(peer_expect_not(&peer, "features", 2000));
	peer_say(&peer, "<db:result from='%s' to='%s'>00</db:result>", alpha,
		 beta);
	assert_true(peer_expect_within(&peer, "type='invalid'", 3000));
	peer_free(&peer);
}

static void test_empty_mechanisms(void **state)
{
	struct peer peer;

	(void)state;
	start(PL_ODD_EMPTY_MECHANISMS, 7);
	secure(&peer);
	assert_true(peer_expect(&peer, "<stream:features>"));
	assert_true(peer_expect(&peer, "<mechanisms " SASL "/>"));
	assert_true(peer_expect(&peer, DIALBACK));
	assert_true(peer_expect_not(&peer, "EXTERNAL", 300));
	peer_free(&peer);
}

static void test_late_refusal(void **state)
{
	struct peer peer;
	bool alert;

	(void)state;
	start(PL_ODD_LATE_REFUSAL, 7);
	dial(&peer);
	assert_true(peer_expect(&peer, "</stream:features>"));
	peer_say(&peer, STARTTLS "/>");
	assert_true(peer_expect(&peer, PROCEED));
	/* For us the handshake is done before the alert comes. */
	peer_tls(&peer, true, "alpha.example.valid", beta);
	assert_string_equal(pl_tls_version(peer.tls), "TLSv1.3");
	assert_true(peer_expect_end(&peer));
	pl_tls_failure(peer.tls, &alert);
	assert_true(alert);
	assert_non_null(strcasestr(pl_tls_failure_text(peer.tls),
				   "unknown ca"));
	peer_free(&peer);
}

static void test_no_verify(void **state)
{
	struct peer peer;

	(void)state;
	start(PL_ODD_NO_VERIFY, 17);
	dial(&peer);
	assert_true(peer_expect(&peer, "</stream:features>"));
	peer_say(&peer, "<db:verify from='%s' to='%s' id='1'>00</db:verify>",
		 alpha, beta);
	peer_say(&peer, "<db:result from='%s' to='%s'>00</db:result>", alpha,
		 beta);
	assert_true(peer_expect_not(&peer, "<db:", 15000));
	assert_false(peer.over);
	peer_free(&peer);
}

static void test_split_writes(void **state)
{
	struct peer peer;
	uint64_t begun;

	(void)state;
	start(PL_ODD_SPLIT_WRITES, 7);
	dial(&peer);
	begun = script_now(script);
	assert_true(peer_expect(&peer, "<s"));
	assert_true(peer.got.length < 5);
	assert_true(peer_expect_within(&peer, "</stream:features>", 5000));
	/* A byte a millisecond: some 400 of them. */
	assert_in_range(script_now(script) - begun, 300, 1500);
	peer_say(&peer, STARTTLS "/>");
	assert_true(peer_expect(&peer, PROCEED));
	peer_tls(&peer, true, "alpha.example.valid", beta);
	peer_header(&peer, alpha, beta);
	assert_true(peer_expect_within(&peer, "<s", 1000));
	assert_true(peer.got.length < 64);
	assert_true(peer_expect_within(&peer, "</stream:features>", 5000));
	peer_free(&peer);
}

static void test_prefixes(void **state)
{
	struct peer peer;

	(void)state;
	start(PL_ODD_PREFIXES, 17);
	dial(&peer);
	assert_true(peer_expect(&peer, "<?xml version=\"1.0\""));
	assert_true(peer_expect(&peer, "<st:stream"));
	assert_true(peer_expect(&peer, "xmlns:dial.back="
				       "\"jabber:server:dialback\""));
	assert_true(peer_expect(&peer, "xmlns:st="
				       "\"http://etherx.jabber.org/streams\""));
	assert_true(peer_expect(&peer, " xmlns=\"jabber:server\" >"));
	assert_true(peer_expect(&peer, "<st:features><dialback xmlns=\"urn:"));
	assert_true(peer_expect(&peer, "</st:features>"));
	peer_say(&peer, "<db:verify from='%s' to='%s' id='a&apos;b'>00"
		 "</db:verify>", alpha, beta);
	assert_true(peer_expect(&peer, "<dial.back:verify from=\""));
	assert_true(peer_expect(&peer, " id=\"a&apos;b\" type=\"invalid\"/>"));
	peer_say(&peer, "</stream:stream>");
	assert_true(peer_expect(&peer, "</st:stream>"));
	peer_free(&peer);
}

static void test_slow_features(void **state)
{
	struct peer peer;

	(void)state;
	start(PL_ODD_SLOW_FEATURES, 7);
	dial(&peer);
	assert_true(peer_expect(&peer, "<stream:stream"));
	assert_true(peer_expect_not(&peer, "features", 2900));
	assert_true(peer_expect_within(&peer, "</stream:features>", 200));
	peer_free(&peer);
}

/* Who does not wait for them gets none into the handshake. */
static void test_slow_features_dropped(void **state)
{
	struct peer peer;

	(void)state;
	start(PL_ODD_SLOW_FEATURES, 7);
	dial(&peer);
	assert_true(peer_expect(&peer, "<stream:stream"));
	peer_say(&peer, STARTTLS "/>");
	assert_true(peer_expect(&peer, PROCEED));
	assert_true(peer_expect_not(&peer, "features", 4000));
	peer_free(&peer);
}

static void test_whitespace(void **state)
{
	struct peer peer;

	(void)state;
	start(PL_ODD_WHITESPACE, 7);
	dial(&peer);
	assert_true(peer_expect(&peer, "<?xml"));
	assert_true(peer_expect(&peer, ">\n \t\r\n  <stream:features>"));
	assert_true(peer_expect(&peer, "</stream:features>"));
	peer_say(&peer, STARTTLS "/>");
	/* None in front of <proceed/> (RFC 6120 5.3.3). */
	assert_true(peer_expect(&peer, "<proceed"));
	assert_int_equal(peer.got.length, strlen(PROCEED) - strlen("<proceed"));
	peer_free(&peer);
}

static void test_old_error(void **state)
{
	struct peer peer;

	(void)state;
	start(PL_ODD_OLD_ERROR, 17);
	dial(&peer);
	assert_true(peer_expect(&peer, "</stream:features>"));
	/* A dialback error turns into what was known then. */
	peer_say(&peer, "<db:result from='%s' to='unknown.example'>00"
		 "</db:result>", alpha);
	assert_true(peer_expect(&peer, "to='alpha.example' type='invalid'/>"));
	peer_free(&peer);
	dial(&peer);
	assert_true(peer_expect(&peer, "</stream:features>"));
	peer_say(&peer, "<a></b>");
	assert_true(peer_expect(&peer, "<xml-not-well-formed"));
	peer_free(&peer);
}

static void test_extra_features(void **state)
{
	struct peer peer;

	(void)state;
	start(PL_ODD_EXTRA_FEATURES | PL_ODD_REQUIRED_FEATURE, 7);
	dial(&peer);
	assert_true(peer_expect(&peer, "<stream:features><unknown "));
	assert_true(peer_expect(&peer, STARTTLS));
	assert_true(peer_expect(&peer, "'urn:example:required'><required/>"));
	assert_true(peer_expect(&peer, "</stream:features>"));
	peer_free(&peer);
}

static void test_upper_case(void **state)
{
	struct peer peer;

	(void)state;
	start(PL_ODD_UPPER_CASE, 7);
	dial(&peer);
	assert_true(peer_expect(&peer, " from='BETA.EXAMPLE'"
				       " to='ALPHA.EXAMPLE'"));
	peer_free(&peer);
}

/* ----- our own peer copes ----- */

static const struct {
	unsigned odd;
	int row;
	enum pl_method there, back; /* alpha to beta, beta to alpha */
} cases[] = {
	{ 0, 7, PL_METHOD_SASL_OVER_TLS, PL_METHOD_SASL_OVER_TLS },
	{ PL_ODD_NO_VERSION, 17, PL_METHOD_TCP_DIALBACK,
	  PL_METHOD_TCP_DIALBACK },
	{ PL_ODD_EMPTY_MECHANISMS, 7, PL_METHOD_TLS_DIALBACK,
	  PL_METHOD_SASL_OVER_TLS },
	{ PL_ODD_SPLIT_WRITES, 7, PL_METHOD_SASL_OVER_TLS,
	  PL_METHOD_SASL_OVER_TLS },
	{ PL_ODD_SPLIT_WRITES, 13, PL_METHOD_TLS_DIALBACK,
	  PL_METHOD_TLS_DIALBACK },
	{ PL_ODD_PREFIXES, 7, PL_METHOD_SASL_OVER_TLS,
	  PL_METHOD_SASL_OVER_TLS },
	{ PL_ODD_PREFIXES, 13, PL_METHOD_TLS_DIALBACK,
	  PL_METHOD_TLS_DIALBACK },
	{ PL_ODD_PREFIXES, 17, PL_METHOD_TCP_DIALBACK,
	  PL_METHOD_TCP_DIALBACK },
	{ PL_ODD_SLOW_FEATURES, 7, PL_METHOD_SASL_OVER_TLS,
	  PL_METHOD_SASL_OVER_TLS },
	{ PL_ODD_WHITESPACE, 7, PL_METHOD_SASL_OVER_TLS,
	  PL_METHOD_SASL_OVER_TLS },
	{ PL_ODD_WHITESPACE, 17, PL_METHOD_TCP_DIALBACK,
	  PL_METHOD_TCP_DIALBACK },
	{ PL_ODD_OLD_ERROR, 13, PL_METHOD_TLS_DIALBACK,
	  PL_METHOD_TLS_DIALBACK },
	{ PL_ODD_EXTRA_FEATURES, 7, PL_METHOD_SASL_OVER_TLS,
	  PL_METHOD_SASL_OVER_TLS },
	/* Known features suffice (RFC 6120 4.3.2). */
	{ PL_ODD_REQUIRED_FEATURE, 7, PL_METHOD_SASL_OVER_TLS,
	  PL_METHOD_SASL_OVER_TLS },
	{ PL_ODD_UPPER_CASE, 7, PL_METHOD_SASL_OVER_TLS,
	  PL_METHOD_SASL_OVER_TLS },
	{ PL_ODD_UPPER_CASE, 13, PL_METHOD_TLS_DIALBACK,
	  PL_METHOD_TLS_DIALBACK },
	{ PL_ODD_UPPER_CASE, 17, PL_METHOD_TCP_DIALBACK,
	  PL_METHOD_TCP_DIALBACK },
};

static bool ended_in(struct server *x, const char *local, const char *remote,
		     enum pl_method method)
{
	struct seen seen;

	outcomes(x, false, local, remote, &seen);
	return seen.count == 1 &&
	       strcmp(seen.method, pl_method_name(method)) == 0;
}

static void test_usual_peer_copes(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct ping result;

		start(cases[i].odd, cases[i].row);
		if (!ping(&a, alpha, beta, 30000, &result) ||
		    !ended_in(&a, alpha, beta, cases[i].there) ||
		    !ended_in(&b, beta, alpha, cases[i].back)) {
			print_error("# odd %#x, row %d\n", cases[i].odd,
				    cases[i].row);
			show_log(&a);
			show_log(&b);
			bad++;
		}
		world_end(NULL);
		world_begin(NULL);
	}
	assert_int_equal(bad, 0);
}

/* What cannot end well ends with the code that says why. */
static void fails_as(unsigned odd, int row, const char *code)
{
	struct ping result;
	struct seen seen;

	start(odd, row);
	ping(&a, alpha, beta, 90000, &result);
	outcomes(&a, false, alpha, beta, &seen);
	if (result.answered || strcmp(seen.code, code) != 0)
		show_log(&a);
	assert_string_equal(seen.code, code);
	assert_false(result.answered);
	world_end(NULL);
	world_begin(NULL);
}

static void test_failures(void **state)
{
	(void)state;
	fails_as(PL_ODD_NO_VERIFY, 17, "dialback-timeout");
	fails_as(PL_ODD_LATE_REFUSAL, 2, "own-certificate-rejected");
	fails_as(PL_ODD_NO_VERSION, 2, "tls-not-offered");
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, world_begin, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		TEST(test_no_version),
		TEST(test_empty_mechanisms),
		TEST(test_late_refusal),
		TEST(test_no_verify),
		TEST(test_split_writes),
		TEST(test_prefixes),
		TEST(test_slow_features),
		TEST(test_slow_features_dropped),
		TEST(test_whitespace),
		TEST(test_old_error),
		TEST(test_extra_features),
		TEST(test_upper_case),
		TEST(test_usual_peer_copes),
		TEST(test_failures),
	};

	return cmocka_run_group_tests_name("odd", tests, suite_begin,
					   suite_end);
}
