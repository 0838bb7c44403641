/*
 * Peers that do what they must not. Nothing opens by an answer that nobody
 * asked for; each fault has its stream error; limits hold.
 */
#include "server.h"

static const char alpha[] = "alpha.example", beta[] = "beta.example",
	third[] = "gamma.example";

static struct server a;
static struct script_server *listener;
static struct ping result;
static struct peer peer, other, authority;

/* alpha is whole; beta and third, both at one address, are the test's. */
static int begin(void **state)
{
	world_begin(state);
	server_start(&a, alpha, "192.0.2.1:5269", "valid");
	server_rule(&a, "*", 17);
	script_dns_target(script, beta, "192.0.2.2:5269", false);
	script_dns_target(script, third, "192.0.2.2:5269", false);
	listener = script_listen(script, "192.0.2.2:5269");
	memset(&peer, 0, sizeof peer);
	memset(&other, 0, sizeof other);
	memset(&authority, 0, sizeof authority);
	return 0;
}

static int end(void **state)
{
	if (peer.raw != NULL)
		peer_free(&peer);
	if (other.raw != NULL)
		peer_free(&other);
	if (authority.raw != NULL)
		peer_free(&authority);
	return world_end(state);
}

static void rows(const char *remote, int row)
{
	server_rule(&a, remote, row);
}

/* Nothing was negotiated, in whatever direction. */
static void nothing_opened(void)
{
	assert_int_equal(logged(&a, "event=negotiated", NULL), 0);
}

static void ended_with(struct peer *who, const char *condition)
{
	assert_true(peer_expect(who, "<stream:error><"));
	assert_true(peer_expect(who, condition));
	assert_true(peer_expect(who, "</stream:stream>"));
	assert_true(peer_expect_end(who));
}

static void failed_with(bool incoming, const char *remote, const char *code)
{
	struct seen seen;

	if (outcomes(&a, incoming, alpha, remote, &seen) != 1 ||
	    strcmp(seen.code, code) != 0)
		show_log(&a);
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.code, code);
}

/* The peer alive still answers: an unknown domain's key is asked for. */
static void alive(struct peer *who)
{
	peer_say(who, "<db:verify from='x.example' to='nobody.example' id='7'>"
		 "k</db:verify>");
	assert_true(peer_expect(who, "<item-not-found"));
}

static void call_in_clear(const char *from)
{
	peer_connect(&peer, "192.0.2.2", &a);
	peer_header(&peer, from, alpha);
	assert_true(peer_expect(&peer, "</stream:features>"));
}

static void ask(struct peer *who, const char *from)
{
	peer_say(who, "<db:result from='%s' to='%s'>key</db:result>", from,
		 alpha);
}

/* The authority of `from` answers the next db:verify. */
static void verify_answer(const char *from, const char *type)
{
	char id[64];

	assert_true(peer_expect(&authority, "<db:verify"));
	assert_true(peer_expect(&authority, "id='"));
	peer_value(&authority, id, sizeof id);
	peer_say(&authority, "<db:verify from='%s' to='%s' id='%s' type='%s'/>",
		 from, alpha, id, type);
}

static void authority_says(const char *from, const char *type)
{
	peer_accept(&authority, listener);
	peer_answer(&authority, from, alpha, "1", DIALBACK);
	verify_answer(from, type);
	script_run(script, 50);
	peer_free(&authority);
}

/* beta has an open pair with alpha, in clear. */
static void open_in_clear(void)
{
	call_in_clear(beta);
	ask(&peer, beta);
	authority_says(beta, "valid");
	assert_true(peer_expect(&peer, "type='valid'"));
}

/* The test, as beta, under TLS behind a new header. */
static void call_under_tls(const char *certificate, int row)
{
	rows(beta, row);
	call_in_clear(beta);
	peer_say(&peer, STARTTLS "/>");
	assert_true(peer_expect(&peer, "<proceed"));
	assert_true(peer_expect(&peer, ">"));
	peer_tls(&peer, true, certificate, alpha);
	peer_header(&peer, beta, alpha);
	assert_true(peer_expect(&peer, "</stream:features>"));
}

/* ----- STARTTLS ----- */

static void test_bytes_behind_starttls(void **state)
{
	(void)state;
	rows(beta, 7);
	call_in_clear(beta);
	peer_say(&peer, STARTTLS "/><db:result from='beta.example' "
		 "to='alpha.example'>key</db:result>");
	assert_true(peer_expect_end(&peer));
	failed_with(true, beta, "plaintext-behind-starttls");
	nothing_opened();
}

static void test_one_blank_behind_starttls(void **state)
{
	(void)state;
	rows(beta, 7);
	call_in_clear(beta);
	peer_say(&peer, STARTTLS "/>\n");
	assert_true(peer_expect_end(&peer));
	failed_with(true, beta, "plaintext-behind-starttls");
}

static void test_clear_text_instead_of_handshake(void **state)
{
	(void)state;
	rows(beta, 9);
	call_in_clear(beta);
	peer_say(&peer, STARTTLS "/>");
	assert_true(peer_expect(&peer, "<proceed"));
	ask(&peer, beta);
	script_run(script, 100);
	assert_true(peer.over);
	failed_with(true, beta, "tls-failed");
	assert_int_equal(script_dns_asked(script, beta), 0);
}

static void test_bytes_behind_proceed(void **state)
{
	(void)state;
	rows(beta, 7);
	ping_start(&a, alpha, beta, 20000, &result);
	peer_accept(&peer, listener);
	peer_answer(&peer, beta, alpha, "1", STARTTLS "/>");
	assert_true(peer_expect(&peer, "<starttls"));
	peer_say(&peer, PROCEED "<stream:features>" DIALBACK
		 "</stream:features>");
	assert_true(peer_expect_end(&peer));
	failed_with(false, beta, "plaintext-behind-starttls");
}

static void test_proceed_unasked(void **state)
{
	(void)state;
	rows(beta, 7);
	ping_start(&a, alpha, beta, 20000, &result);
	peer_accept(&peer, listener);
	peer_say(&peer, STREAM " id='1' version='1.0'>" PROCEED);
	ended_with(&peer, "unsupported-stanza-type");
	failed_with(false, beta, "protocol-violation");
}

static void test_starttls_where_not_offered(void **state)
{
	(void)state;
	call_in_clear(beta); /* row 17 */
	peer_say(&peer, STARTTLS "/>");
	assert_true(peer_expect(&peer,
		"<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
		"</stream:stream>"));
	assert_true(peer_expect_end(&peer));
	failed_with(true, beta, "peer-requires-tls");
}

static void test_starttls_again_under_tls(void **state)
{
	(void)state;
	call_under_tls("beta.example.valid", 7);
	peer_say(&peer, STARTTLS "/>");
	assert_true(peer_expect(&peer, "<failure"));
	nothing_opened();
}

/* ----- answers that nobody asked for ----- */

static void test_unsolicited_on_receiving_stream(void **state)
{
	(void)state;
	call_in_clear(beta);
	peer_say(&peer, "<db:result from='%s' to='%s' type='valid'/>", beta,
		 alpha);
	peer_say(&peer, "<db:verify from='%s' to='%s' id='1' type='valid'/>",
		 beta, alpha);
	alive(&peer);
	nothing_opened();
	peer_say(&peer, "<message from='%s' to='%s'/>", beta, alpha);
	ended_with(&peer, "not-authorized");
	nothing_opened();
}

/* The asker answers its own db:verify, on the stream that it has. */
static void test_asker_answers_itself(void **state)
{
	char id[64];

	(void)state;
	peer_connect(&peer, "192.0.2.2", &a);
	peer_header(&peer, beta, alpha);
	assert_true(peer_expect(&peer, " id='"));
	peer_value(&peer, id, sizeof id);
	ask(&peer, beta);
	peer_accept(&authority, listener);
	peer_answer(&authority, beta, alpha, "1", DIALBACK);
	assert_true(peer_expect(&authority, id));
	peer_say(&peer, "<db:verify from='%s' to='%s' id='%s' type='valid'/>",
		 beta, alpha, id);
	assert_true(peer_expect_not(&peer, "type='valid'", 200));
	nothing_opened();
	assert_int_equal(logged(&a, "event=ignored", "db:verify", NULL) +
			 logged(&a, "event=ignored", "verify", NULL) > 0, 1);
}

/* Another peer's stream is not the authority's, whatever it says. */
static void test_answer_on_another_stream(void **state)
{
	char id[64];

	(void)state;
	ping_start(&a, alpha, third, 20000, &result);
	peer_accept(&other, listener);
	peer_answer(&other, third, alpha, "1", DIALBACK);
	assert_true(peer_expect(&other, "<db:result"));
	peer_connect(&peer, "192.0.2.2", &a);
	peer_header(&peer, beta, alpha);
	assert_true(peer_expect(&peer, " id='"));
	peer_value(&peer, id, sizeof id);
	ask(&peer, beta);
	peer_accept(&authority, listener);
	peer_answer(&authority, beta, alpha, "1", DIALBACK);
	assert_true(peer_expect(&authority, "<db:verify"));
	peer_say(&other, "<db:verify from='%s' to='%s' id='%s' type='valid'/>",
		 beta, alpha, id);
	peer_say(&other, "<db:result from='%s' to='%s' type='valid'/>", beta,
		 alpha);
	assert_true(peer_expect_not(&peer, "type='valid'", 200));
	nothing_opened();
}

static void test_answers_of_the_authority(void **state)
{
	char id[64];

	(void)state;
	call_in_clear(beta);
	ask(&peer, beta);
	peer_accept(&authority, listener);
	peer_answer(&authority, beta, alpha, "1", DIALBACK);
	assert_true(peer_expect(&authority, " id='"));
	peer_value(&authority, id, sizeof id);
	/* wrong id; wrong names; names exchanged; no type of an answer */
	peer_say(&authority, "<db:verify from='%s' to='%s' id='%sx' "
		 "type='valid'/>", beta, alpha, id);
	peer_say(&authority, "<db:verify from='%s' to='%s' type='valid'/>",
		 beta, alpha);
	peer_say(&authority, "<db:verify from='%s' to='%s' id='%s' "
		 "type='valid'/>", third, alpha, id);
	peer_say(&authority, "<db:verify from='%s' to='%s' id='%s' "
		 "type='valid'/>", beta, third, id);
	peer_say(&authority, "<db:verify from='%s' to='%s' id='%s' "
		 "type='valid'/>", alpha, beta, id);
	peer_say(&authority, "<db:verify from='%s' to='%s' id='%s' "
		 "type='VALID'/>", beta, alpha, id);
	peer_say(&authority, "<db:result from='%s' to='%s' type='valid'/>",
		 beta, alpha);
	assert_true(peer_expect_not(&peer, "type=", 200));
	nothing_opened();
	assert_int_equal(logged(&a, "event=ignored", NULL), 7);
	/* and the right one; names compare in normal form */
	peer_say(&authority, "<db:verify from='BETA.example' to='Alpha.Example'"
		 " id='%s' type='valid'/>", id);
	assert_true(peer_expect(&peer, "type='valid'"));
	assert_true(peer_expect(&authority, "</stream:stream>"));
}

static void test_answers_to_our_result(void **state)
{
	(void)state;
	ping_start(&a, alpha, beta, 20000, &result);
	peer_accept(&peer, listener);
	/* before we asked */
	peer_say(&peer, STREAM " id='1' version='1.0'><db:result from='%s' "
		 "to='%s' type='valid'/>", beta, alpha);
	script_run(script, 50);
	nothing_opened();
	peer_say(&peer, "<stream:features>" DIALBACK "</stream:features>");
	assert_true(peer_expect(&peer, "<db:result"));
	peer_say(&peer, "<db:result from='%s' to='%s' type='valid'/>", third,
		 alpha);
	peer_say(&peer, "<db:result from='%s' to='%s' type='valid'/>", beta,
		 third);
	peer_say(&peer, "<db:result from='%s' to='%s' type='valid'/>", alpha,
		 beta);
	peer_say(&peer, "<db:result from='%s' to='%s' type='yes'/>", beta,
		 alpha);
	peer_say(&peer, "<db:result type='valid'/>");
	assert_true(peer_expect_not(&peer, "<iq", 200));
	nothing_opened();
	peer_say(&peer, "<db:result from='%s' to='%s' type='valid'/>", beta,
		 alpha);
	assert_true(peer_expect(&peer, "<iq"));
	/* invalid, once open, closes nothing */
	peer_say(&peer, "<db:result from='%s' to='%s' type='invalid'/>", beta,
		 alpha);
	peer_say(&peer, "<db:result from='%s' to='%s' type='error'/>", beta,
		 alpha);
	script_run(script, 200);
	assert_false(peer.over);
	assert_int_equal(outcomes_of(&a), 1);
}

/* Requests on a stream of ours grant and ask nothing. */
static void test_request_on_our_stream(void **state)
{
	(void)state;
	ping_start(&a, alpha, beta, 20000, &result);
	peer_accept(&peer, listener);
	peer_answer(&peer, beta, alpha, "1", DIALBACK);
	assert_true(peer_expect(&peer, "<db:result"));
	ask(&peer, beta);
	peer_say(&peer, "<db:verify from='%s' to='%s' id='1'>key</db:verify>",
		 beta, alpha);
	assert_true(peer_expect_not(&peer, "type=", 200));
	assert_int_equal(script_dns_asked(script, beta), 1);
	peer_say(&peer, "<message from='%s' to='%s'/>", beta, alpha);
	ended_with(&peer, "not-authorized");
	failed_with(false, beta, "protocol-violation");
}

static void test_too_many_unasked(void **state)
{
	(void)state;
	call_in_clear(beta);
	for (int i = 0; i < 32; i++)
		peer_say(&peer, "<db:result from='%s' to='%s' type='valid'/>",
			 beta, alpha);
	script_run(script, 50);
	assert_false(peer.over);
	peer_say(&peer, "<db:result from='%s' to='%s' type='valid'/>", beta,
		 alpha);
	ended_with(&peer, "policy-violation");
	failed_with(true, beta, "limit-exceeded");
}

/* ----- stanzas ----- */

static void test_stanza_before_authentication(void **state)
{
	(void)state;
	call_in_clear(beta);
	ask(&peer, beta);
	peer_say(&peer, "<message from='%s' to='%s'/>", beta, alpha);
	ended_with(&peer, "not-authorized");
	failed_with(true, beta, "protocol-violation");
}

static void test_stanza_in_clear_where_tls_is_required(void **state)
{
	(void)state;
	rows(beta, 7);
	call_in_clear(beta);
	peer_say(&peer, "<message from='%s' to='%s'/>", beta, alpha);
	ended_with(&peer, "policy-violation");
	failed_with(true, beta, "tls-not-offered");
}

static void wrong_stanza(const char *from, const char *to,
			 const char *condition)
{
	open_in_clear();
	peer_say(&peer, "<presence from='%s/x' to='u@%s'/>", beta, alpha);
	script_run(script, 50);
	assert_false(peer.over);
	peer_say(&peer, "<iq type='result' id='1' from='%s' to='%s'/>", from,
		 to);
	ended_with(&peer, condition);
	assert_int_equal(outcomes_of(&a), 1);
}

static void test_stanza_of_another(void **state)
{
	(void)state;
	wrong_stanza(third, alpha, "invalid-from");
}

static void test_stanza_of_subdomain(void **state)
{
	(void)state;
	wrong_stanza("chat.beta.example", alpha, "invalid-from");
}

static void test_stanza_of_ours(void **state)
{
	(void)state;
	wrong_stanza(alpha, alpha, "invalid-from");
}

static void test_stanza_to_foreign(void **state)
{
	(void)state;
	wrong_stanza(beta, third, "host-unknown");
}

static void test_stanza_without_domain(void **state)
{
	(void)state;
	wrong_stanza("", alpha, "improper-addressing");
}

static void test_stanza_exchanged(void **state)
{
	(void)state;
	wrong_stanza(alpha, beta, "host-unknown");
}

/* A second host of ours is another pair. */
static void test_stanza_to_our_other_host(void **state)
{
	(void)state;
	server_host(&a, third, NULL);
	wrong_stanza(beta, third, "invalid-from");
}

static void test_unknown_element(void **state)
{
	(void)state;
	open_in_clear();
	peer_say(&peer, "<strange xmlns='urn:x'/>");
	ended_with(&peer, "unsupported-stanza-type");
}

/* ----- db:result ----- */

static void test_second_request_while_pending(void **state)
{
	(void)state;
	call_in_clear(beta);
	ask(&peer, beta);
	ask(&peer, beta);
	authority_says(beta, "valid");
	assert_true(peer_expect(&peer, "type='valid'"));
	assert_true(peer_expect_not(&peer, "type='valid'", 200));
	assert_int_equal(script_dns_asked(script, beta), 1);
	/* once open it is valid at once, and no new attempt */
	ask(&peer, beta);
	assert_true(peer_expect(&peer, "type='valid'"));
	assert_int_equal(script_dns_asked(script, beta), 1);
	assert_int_equal(outcomes_of(&a), 1);
}

/* A refusal is an outcome; the next request on the stream is a new attempt. */
static void test_request_after_a_failure(void **state)
{
	struct seen seen;

	(void)state;
	call_in_clear(beta);
	ask(&peer, beta);
	authority_says(beta, "error");
	assert_true(peer_expect(&peer, "<remote-server-not-found"));
	failed_with(true, beta, "verify-unreachable");
	script_run(script, 2000);
	ask(&peer, beta);
	authority_says(beta, "valid");
	assert_true(peer_expect(&peer, "type='valid'"));
	assert_int_equal(outcomes(&a, true, alpha, beta, &seen), 2);
	assert_string_equal(seen.method, "tcp-dialback");
}

static void test_refused_by_row(void **state)
{
	(void)state;
	rows(beta, 7);
	call_in_clear(beta);
	ask(&peer, beta);
	assert_true(peer_expect(&peer, "<policy-violation"));
	failed_with(true, beta, "tls-not-offered");
	alive(&peer);
	assert_int_equal(script_dns_asked(script, beta), 0);
}

static void test_bad_requests(void **state)
{
	static const struct { const char *element, *condition; } bad[] = {
		{ "<db:result from='beta.example' to='alpha.example'/>",
		  "<bad-request" },
		{ "<db:result to='alpha.example'>k</db:result>",
		  "<bad-request" },
		{ "<db:result from='beta.example'>k</db:result>",
		  "<bad-request" },
		{ "<db:result from='u@beta.example' to='alpha.example'>k"
		  "</db:result>", "<bad-request" },
		{ "<db:result from='beta.example' to='gamma.example'>k"
		  "</db:result>", "<item-not-found" },
		{ "<db:result from='alpha.example' to='alpha.example'>k"
		  "</db:result>", "<not-acceptable" },
		/* never to an address that the peer names */
		{ "<db:result from='192.0.2.2' to='alpha.example'>k"
		  "</db:result>", "<remote-connection-failed" },
		{ "<db:result from='[2001:db8::2]' to='alpha.example'>k"
		  "</db:result>", "<remote-connection-failed" },
	};

	(void)state;
	call_in_clear(beta);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		peer_say(&peer, "%s", bad[i].element);
		assert_true(peer_expect(&peer, "type='error'"));
		assert_true(peer_expect(&peer, bad[i].condition));
		alive(&peer);
	}
	nothing_opened();
	assert_int_equal(outcomes_of(&a), sizeof bad / sizeof bad[0]);
	assert_int_equal(script_dns_asked(script, beta), 0);
	assert_int_equal(script_dns_asked(script, alpha), 0);
	assert_int_equal(script_connections(script), 2);
}

static void test_many_pairs(void **state)
{
	(void)state;
	a.world.limits.pairs = 4;
	call_in_clear(beta);
	for (int i = 1; i <= 6; i++) {
		char name[32];

		snprintf(name, sizeof name, "d%d.example", i);
		script_dns_target(script, name, "192.0.2.2:5269", false);
		script_dns_delay(script, name, SCRIPT_NEVER);
		ask(&peer, name);
		script_run(script, 50);
	}
	/* the header's pair is one of the four */
	assert_true(peer_expect(&peer, "to='d4.example' type='error'"));
	assert_true(peer_expect(&peer, "<resource-constraint"));
	assert_true(peer_expect(&peer, "to='d5.example' type='error'"));
	assert_true(peer_expect(&peer, "to='d6.example' type='error'"));
	alive(&peer);
	assert_int_equal(script_dns_asked(script, "d3.example"), 1);
	assert_int_equal(script_dns_asked(script, "d4.example"), 0);
}

/* One address must not have us dial half of the world. */
static void test_reflection(void **state)
{
	(void)state;
	call_in_clear(beta);
	for (int i = 1; i <= 17; i++) {
		char name[32];

		snprintf(name, sizeof name, "d%d.example", i);
		script_dns_target(script, name, "192.0.2.2:5269", false);
		script_dns_delay(script, name, SCRIPT_NEVER);
		ask(&peer, name);
	}
	assert_true(peer_expect(&peer, "<remote-connection-failed"));
	assert_int_equal(script_dns_asked(script, "d16.example"), 1);
	assert_int_equal(script_dns_asked(script, "d17.example"), 0);
}

static void test_one_connection_for_an_authority(void **state)
{
	(void)state;
	call_in_clear(beta);
	ask(&peer, beta);
	peer_connect(&other, "192.0.2.2", &a);
	peer_header(&other, beta, alpha);
	assert_true(peer_expect(&other, "</stream:features>"));
	ask(&other, beta);
	peer_accept(&authority, listener);
	peer_answer(&authority, beta, alpha, "1", DIALBACK);
	verify_answer(beta, "valid");
	verify_answer(beta, "invalid");
	assert_true(peer_expect(&peer, "type='valid'"));
	assert_true(peer_expect(&other, "type='invalid'"));
	assert_true(peer_expect_end(&other));
	assert_false(peer.over);
	assert_true(peer_expect(&authority, "</stream:stream>"));
	assert_int_equal(script_dns_asked(script, beta), 1);
}

/* `invalid` ends a stream, unless it serves another pair. */
static void test_invalid_alone(void **state)
{
	(void)state;
	call_in_clear(beta);
	ask(&peer, beta);
	authority_says(beta, "invalid");
	assert_true(peer_expect(&peer, "type='invalid'"));
	assert_true(peer_expect(&peer, "</stream:stream>"));
	failed_with(true, beta, "verify-invalid");
}

static void test_invalid_beside_an_open_pair(void **state)
{
	(void)state;
	open_in_clear();
	ask(&peer, third);
	authority_says(third, "invalid");
	assert_true(peer_expect(&peer, "to='gamma.example' type='error'"));
	assert_true(peer_expect(&peer, "<forbidden"));
	failed_with(true, third, "verify-invalid");
	peer_say(&peer, "<presence from='%s' to='%s'/>", beta, alpha);
	alive(&peer);
	peer_say(&peer, "<presence from='%s' to='%s'/>", third, alpha);
	ended_with(&peer, "invalid-from");
}

/* The limit of a partner: what is open counts for everybody, and what only
 * claims to be it counts at its own address. */
static void test_claims_and_the_limit(void **state)
{
	(void)state;
	rows(beta, 5);
	server_rule(&a, beta, 5)->connection_limit = 1;
	peer_connect(&other, "192.0.2.66", &a);
	peer_header(&other, beta, alpha);
	assert_true(peer_expect(&other, "</stream:features>"));
	open_in_clear();
	peer_connect(&authority, "192.0.2.66", &a);
	peer_header(&authority, beta, alpha);
	ended_with(&authority, "resource-constraint");
	ping(&a, alpha, beta, 5000, &result);
	assert_int_equal(result.code, PL_CODE_CONNECTION_LIMIT);
	/* it goes as it came */
	peer_free(&peer);
	peer_free(&other);
	peer_free(&authority);
	script_run(script, 100);
	call_in_clear(beta);
}

/* The asker has gone when the answer comes. */
static void test_asker_leaves(void **state)
{
	(void)state;
	call_in_clear(beta);
	ask(&peer, beta);
	peer_accept(&authority, listener);
	peer_answer(&authority, beta, alpha, "1", DIALBACK);
	assert_true(peer_expect(&authority, "<db:verify"));
	script_reset(peer.raw);
	assert_true(peer_expect(&authority, "</stream:stream>"));
	failed_with(true, beta, "peer-closed");
	peer_say(&authority, "<db:verify from='%s' to='%s' id='1' "
		 "type='valid'/>", beta, alpha);
	script_run(script, 100);
	nothing_opened();
}

/* ----- db:verify ----- */

static void test_verify_needs_no_authentication(void **state)
{
	char key[PL_DIALBACK_KEY_SIZE];

	(void)state;
	rows(beta, 7); /* nor TLS */
	call_in_clear(beta);
	assert_true(pl_dialback_key(&a.dialback, beta, alpha, "s1", key));
	peer_say(&peer, "<db:verify from='%s' to='%s' id='s1'>%s</db:verify>",
		 beta, alpha, key);
	assert_true(peer_expect(&peer, "<db:verify from='alpha.example' "
				"to='beta.example' id='s1' type='valid'/>"));
	peer_say(&peer, "<db:verify from='%s' to='%s' id='s2'>%s</db:verify>",
		 beta, alpha, key);
	assert_true(peer_expect(&peer, "id='s2' type='invalid'"));
	peer_say(&peer, "<db:verify from='%s' to='%s' id='s1'>%s</db:verify>",
		 third, alpha, key);
	assert_true(peer_expect(&peer, "type='invalid'"));
	peer_say(&peer, "<db:verify from='%s' to='%s' id='s1'/>", beta, alpha);
	assert_true(peer_expect(&peer, "type='invalid'"));
	alive(&peer); /* a foreign domain: item-not-found, the stream stays */
	rows(beta, 2); /* no dialback, no keys of ours */
	peer_say(&peer, "<db:verify from='%s' to='%s' id='s1'>%s</db:verify>",
		 beta, alpha, key);
	assert_true(peer_expect(&peer, "type='invalid'"));
	/* that stream asked, it did not fail to authenticate */
	peer_say(&peer, "</stream:stream>");
	assert_true(peer_expect_end(&peer));
	assert_int_equal(outcomes_of(&a), 0);
}

static void test_verify_is_escaped(void **state)
{
	(void)state;
	call_in_clear(beta);
	peer_say(&peer, "<db:verify from='%s' to='%s' "
		 "id='&quot;&apos;&lt;x>&amp;'>k</db:verify>", beta, alpha);
	assert_true(peer_expect(&peer, "<db:verify from='alpha.example' "
				"to='beta.example' id='"));
	assert_true(peer_expect_not(&peer, "<x", 100));
	assert_true(peer_expect(&peer, "&lt;x"));
	assert_true(peer_expect(&peer, "type='invalid'"));
}

/* A peer that asks and asks, and reads nothing. */
static void test_peer_that_never_reads(void **state)
{
	size_t before;

	(void)state;
	a.world.limits.output_bytes = 20000;
	call_in_clear(beta);
	before = script_connections(script);
	script_stop_reading(peer.raw);
	for (int i = 0; i < 900; i++)
		peer_say(&peer, "<db:verify from='%s' to='%s' "
			 "id='0123456789012345678901234567890123456789'>k"
			 "</db:verify>", beta, alpha);
	script_run(script, 1000);
	assert_int_equal(pl_router_streams(a.router), 0);
	assert_true(script_connections(script) < before);
}

/* ----- XML ----- */

static void test_restricted_xml(void **state)
{
	static const char *const bad[] = {
		"<!-- c -->", "<?pi x?>",
		"<db:result from='&x;' to='alpha.example'>k</db:result>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		call_in_clear(beta);
		peer_say(&peer, "%s", bad[i]);
		ended_with(&peer, "restricted-xml");
		peer_free(&peer);
	}
	peer_connect(&peer, "192.0.2.2", &a);
	peer_say(&peer, "<!DOCTYPE x [<!ENTITY x 'y'>]>" STREAM ">");
	ended_with(&peer, "restricted-xml");
}

static void huge(const char *before, const char *fill, unsigned times,
		 const char *condition)
{
	struct pl_buffer buffer;

	pl_buffer_init(&buffer, 0);
	pl_buffer_text(&buffer, before);
	for (unsigned i = 0; i < times; i++)
		pl_buffer_text(&buffer, fill);
	call_in_clear(beta);
	script_send(peer.raw, pl_buffer_bytes(&buffer), buffer.length);
	pl_buffer_finish(&buffer);
	ended_with(&peer, condition);
	peer_free(&peer);
}

static void test_huge_things(void **state)
{
	(void)state;
	huge("<db:result from='", "x", 9000, "policy-violation");
	huge("<db:result>", "x", 9000, "policy-violation");
	huge("", "<x>", 100, "policy-violation");
	huge("", " ", 100000, "policy-violation");
	huge("<", "x", 9000, "policy-violation");
	huge("<x xmlns:a='u' xmlns:a='u'/>", "", 1, "not-well-formed");
	huge("text", "", 1, "bad-format");
	assert_int_equal(logged(&a, "event=failed", "code=limit-exceeded", NULL), 5);
	nothing_opened();
}

static void test_wrong_namespace(void **state)
{
	(void)state;
	peer_connect(&peer, "192.0.2.2", &a);
	peer_say(&peer, "<stream:stream xmlns='jabber:client' xmlns:stream="
		 "'http://etherx.jabber.org/streams' from='beta.example' "
		 "to='alpha.example' version='1.0'>");
	ended_with(&peer, "invalid-namespace");
	peer_free(&peer);
	peer_connect(&peer, "192.0.2.2", &a);
	peer_say(&peer, "GET / HTTP/1.0\r\n\r\n");
	ended_with(&peer, "");
	assert_int_equal(outcomes_of(&a), 0);
}

/* ----- headers ----- */

static void bad_header(const char *attributes, const char *condition)
{
	peer_connect(&peer, "192.0.2.2", &a);
	peer_say(&peer, STREAM " %s>", attributes);
	ended_with(&peer, condition);
	peer_free(&peer);
}

static void test_headers(void **state)
{
	(void)state;
	bad_header("from='alpha.example' to='alpha.example' version='1.0'",
		   "invalid-from");
	bad_header("from='beta.example' to='nobody.example' version='1.0'",
		   "host-unknown");
	bad_header("from='beta.example' version='1.0'",
		   "improper-addressing");
	bad_header("from='u@beta.example' to='alpha.example' version='1.0'",
		   "improper-addressing");
	assert_int_equal(logged(&a, "event=failed", "code=from-local", NULL), 1);
	assert_int_equal(logged(&a, "event=failed", "code=host-unknown",
				"local=nobody.example", NULL), 1);
	nothing_opened();
}

/* Of an unhosted domain nothing is said in our name. */
static void test_unknown_host_is_not_ours(void **state)
{
	(void)state;
	peer_connect(&peer, "192.0.2.2", &a);
	peer_header(&peer, beta, "nobody.example");
	assert_true(peer_expect_not(&peer, "from='nobody.example'", 100));
	ended_with(&peer, "host-unknown");
}

static void test_stranger(void **state)
{
	(void)state;
	a.rules_count = 0;
	rows(third, 9);
	peer_connect(&peer, "192.0.2.2", &a);
	peer_header(&peer, beta, alpha);
	ended_with(&peer, "policy-violation");
	failed_with(true, beta, "partner-unknown");
	ping(&a, alpha, beta, 20000, &result);
	assert_false(result.answered);
	assert_int_equal(result.code, PL_CODE_PARTNER_UNKNOWN);
	assert_int_equal(script_dns_asked(script, beta), 0);
	failed_with(false, beta, "partner-unknown");
}

/* Without `from` only starttls is shown, while dialback works by its own
 * addresses. */
static void test_no_from(void **state)
{
	(void)state;
	rows("*", 9);
	peer_connect(&peer, "192.0.2.2", &a);
	peer_say(&peer, STREAM " to='alpha.example' version='1.0'>");
	assert_true(peer_expect(&peer, "<starttls"));
	assert_true(peer_expect_not(&peer, "urn:xmpp:features:dialback", 50));
	ask(&peer, beta);
	authority_says(beta, "valid");
	assert_true(peer_expect(&peer, "type='valid'"));
	peer_say(&peer, "<presence from='%s' to='%s'/>", beta, alpha);
	alive(&peer);
}

static void test_no_from_under_tls(void **state)
{
	(void)state;
	rows("*", 9);
	peer_connect(&peer, "192.0.2.2", &a);
	peer_header(&peer, beta, alpha);
	assert_true(peer_expect(&peer, "</stream:features>"));
	peer_say(&peer, STARTTLS "/>");
	assert_true(peer_expect(&peer, "<proceed"));
	assert_true(peer_expect(&peer, ">"));
	peer_tls(&peer, true, "beta.example.valid", alpha);
	peer_say(&peer, STREAM " to='alpha.example' version='1.0'>");
	assert_true(peer_expect_not(&peer, "EXTERNAL", 100));
	assert_true(peer_expect(&peer, "</stream:features>"));
	ask(&peer, beta); /* XEP-0344: the certificate is enough */
	assert_true(peer_expect(&peer, "type='valid'"));
	assert_int_equal(logged(&a, "verified-by=certificate", NULL), 1);
}

/* ----- before 1.0 ----- */

static void test_old_caller(void **state)
{
	(void)state;
	peer_connect(&peer, "192.0.2.2", &a);
	peer_say(&peer, STREAM ">");
	assert_true(peer_expect(&peer, "<stream:stream"));
	assert_true(peer_expect(&peer, " id='"));
	assert_true(peer_expect_not(&peer, "version=", 100));
	assert_true(peer_expect_not(&peer, "features", 100));
	ask(&peer, beta);
	authority_says(beta, "valid");
	assert_true(peer_expect(&peer, "type='valid'"));
	assert_int_equal(logged(&a, "method=tcp-dialback", "dir=in",
				"remote=beta.example", NULL), 1);
}

static void test_old_caller_where_tls_is_required(void **state)
{
	(void)state;
	rows(beta, 7);
	peer_connect(&peer, "192.0.2.2", &a);
	peer_say(&peer, STREAM " from='beta.example' to='alpha.example'>");
	ask(&peer, beta);
	assert_true(peer_expect(&peer, "<policy-violation"));
	failed_with(true, beta, "tls-not-offered");
}

static void test_old_callee(void **state)
{
	(void)state;
	ping_start(&a, alpha, beta, 20000, &result);
	peer_accept(&peer, listener);
	peer_say(&peer, STREAM " id='1'>");
	assert_true(peer_expect(&peer, "<db:result"));
	peer_say(&peer, "<db:result from='%s' to='%s' type='valid'/>", beta,
		 alpha);
	assert_true(peer_expect(&peer, "<ping"));
}

static void test_callee_without_id(void **state)
{
	(void)state;
	ping_start(&a, alpha, beta, 20000, &result);
	peer_accept(&peer, listener);
	peer_say(&peer, STREAM ">");
	assert_true(peer_expect_not(&peer, "<db:result", 100));
	ended_with(&peer, "undefined-condition");
	failed_with(false, beta, "not-xmpp");
}

/* ----- SASL ----- */

static void test_sasl_without_body(void **state)
{
	(void)state;
	call_under_tls("beta.example.valid", 1);
	peer_say(&peer, "<auth " SASL " mechanism='EXTERNAL'/>");
	assert_true(peer_expect(&peer, "<challenge"));
	peer_say(&peer, "<response " SASL ">=</response>");
	assert_true(peer_expect(&peer, "<success"));
	peer_header(&peer, beta, alpha);
	assert_true(peer_expect(&peer, "<stream:features"));
	peer_say(&peer, "<presence from='%s' to='%s'/>", beta, alpha);
	alive(&peer);
	assert_int_equal(logged(&a, "method=sasl-over-tls", NULL), 1);
	/* a stanza of another domain that the certificate does not prove */
	peer_say(&peer, "<presence from='%s' to='%s'/>", third, alpha);
	ended_with(&peer, "invalid-from");
}

static void test_sasl_and_header_in_one_write(void **state)
{
	(void)state;
	call_under_tls("beta.example.valid", 1);
	peer_say(&peer, "<auth " SASL " mechanism='EXTERNAL'>=</auth>" STREAM
		 " from='beta.example' to='alpha.example' version='1.0'>"
		 "<presence from='beta.example' to='alpha.example'/>");
	assert_true(peer_expect(&peer, "<success"));
	assert_true(peer_expect(&peer, "<stream:features"));
	alive(&peer);
	assert_int_equal(logged(&a, "method=sasl-over-tls", NULL), 1);
}

static void test_sasl_foreign_authzid(void **state)
{
	(void)state;
	call_under_tls("beta.example.valid", 1);
	peer_say(&peer, "<auth " SASL " mechanism='EXTERNAL'>"
		 "Z2FtbWEuZXhhbXBsZQ==</auth>"); /* gamma.example */
	assert_true(peer_expect(&peer, "<failure " SASL "><invalid-authzid/>"));
	assert_true(peer_expect(&peer, "</stream:stream>"));
	failed_with(true, beta, "invalid-authzid");
	nothing_opened();
}

/* Where dialback may follow, it may be tried again, but not for ever. */
static void test_sasl_three_failures(void **state)
{
	(void)state;
	call_under_tls("beta.example.valid", 9);
	for (int i = 0; i < 3; i++) {
		peer_say(&peer, "<auth " SASL " mechanism='EXTERNAL'>"
			 "Z2FtbWEuZXhhbXBsZQ==</auth>");
		assert_true(peer_expect(&peer, "<invalid-authzid/>"));
	}
	ended_with(&peer, "policy-violation");
	failed_with(true, beta, "sasl-refused");
}

static void test_sasl_other_mechanism(void **state)
{
	(void)state;
	call_under_tls("beta.example.valid", 9);
	peer_say(&peer, "<auth " SASL " mechanism='PLAIN'>AGEAYg==</auth>");
	assert_true(peer_expect(&peer, "<invalid-mechanism/>"));
	peer_say(&peer, "<auth " SASL " mechanism='EXTERNAL'>=</auth>");
	assert_true(peer_expect(&peer, "<success"));
}

static void test_sasl_in_clear(void **state)
{
	(void)state;
	rows(beta, 9);
	call_in_clear(beta);
	peer_say(&peer, "<auth " SASL " mechanism='EXTERNAL'>=</auth>");
	assert_true(peer_expect(&peer, "<encryption-required/>"));
	nothing_opened();
}

/* EXTERNAL was not offered: the certificate is another's. */
static void test_sasl_with_wrong_certificate(void **state)
{
	(void)state;
	call_under_tls("beta.example.wrong-name", 9);
	peer_say(&peer, "<auth " SASL " mechanism='EXTERNAL'>=</auth>");
	assert_true(peer_expect(&peer, "<not-authorized/>"));
	nothing_opened();
}

static void test_sasl_identity_changes(void **state)
{
	(void)state;
	call_under_tls("beta.example.valid", 1);
	peer_say(&peer, "<auth " SASL " mechanism='EXTERNAL'>=</auth>");
	assert_true(peer_expect(&peer, "<success"));
	peer_header(&peer, third, alpha);
	ended_with(&peer, "invalid-from");
	nothing_opened();
	failed_with(true, beta, "protocol-violation");
}

/* After <success/> a header may lack its names: the first one's hold. */
static void test_sasl_restart_without_names(void **state)
{
	(void)state;
	call_under_tls("beta.example.valid", 1);
	peer_say(&peer, "<auth " SASL " mechanism='EXTERNAL'>=</auth>");
	assert_true(peer_expect(&peer, "<success"));
	peer_say(&peer, STREAM " version='1.0'>");
	assert_true(peer_expect(&peer, "<stream:features"));
	assert_int_equal(logged(&a, "method=sasl-over-tls", NULL), 1);
	peer_say(&peer, "<presence from='%s' to='%s'/>", beta, alpha);
	alive(&peer);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)
	const struct CMUnitTest tests[] = {
		T(bytes_behind_starttls), T(one_blank_behind_starttls),
		T(clear_text_instead_of_handshake), T(bytes_behind_proceed),
		T(proceed_unasked), T(starttls_where_not_offered),
		T(starttls_again_under_tls), T(unsolicited_on_receiving_stream),
		T(asker_answers_itself), T(answer_on_another_stream),
		T(answers_of_the_authority), T(answers_to_our_result),
		T(request_on_our_stream), T(too_many_unasked),
		T(stanza_before_authentication),
		T(stanza_in_clear_where_tls_is_required), T(stanza_of_another),
		T(stanza_of_subdomain), T(stanza_of_ours),
		T(stanza_to_foreign), T(stanza_without_domain),
		T(stanza_exchanged), T(stanza_to_our_other_host),
		T(unknown_element), T(second_request_while_pending),
		T(request_after_a_failure), T(refused_by_row), T(bad_requests),
		T(many_pairs), T(reflection), T(one_connection_for_an_authority),
		T(invalid_alone), T(invalid_beside_an_open_pair),
		T(asker_leaves), T(claims_and_the_limit),
		T(verify_needs_no_authentication),
		T(verify_is_escaped), T(peer_that_never_reads),
		T(restricted_xml), T(huge_things), T(wrong_namespace),
		T(headers), T(unknown_host_is_not_ours), T(stranger),
		T(no_from), T(no_from_under_tls), T(old_caller),
		T(old_caller_where_tls_is_required), T(old_callee),
		T(callee_without_id), T(sasl_without_body),
		T(sasl_and_header_in_one_write), T(sasl_foreign_authzid),
		T(sasl_three_failures), T(sasl_other_mechanism),
		T(sasl_in_clear), T(sasl_with_wrong_certificate),
		T(sasl_identity_changes), T(sasl_restart_without_names),
	};

	return cmocka_run_group_tests_name("hostile", tests, suite_begin,
					   suite_end);
}
