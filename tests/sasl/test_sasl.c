/* EXTERNAL on both sides: what is accepted, and what must never be. */
#include "parley/sasl.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sasl/sasl.h>
#include <sasl/saslutil.h>

#define PROVED "alpha.example"
#define BODY "YWxwaGEuZXhhbXBsZQ==" /* base64 of PROVED */
#define BUECHER "b\xc3\xbc" "cher.example"

/* ----- memory: the library's allocations are counted here ----- */

static long held;           /* blocks the library holds */
static long allocations;    /* so far */
static long fail_at = -1;   /* this one fails; -1: none */

static bool fails(void)
{
	return allocations++ == fail_at;
}

static void *count_malloc(size_t size)
{
	void *block = fails() ? NULL : malloc(size);

	held += block != NULL;
	return block;
}

static void *count_calloc(size_t count, size_t size)
{
	void *block = fails() ? NULL : calloc(count, size);

	held += block != NULL;
	return block;
}

static void *count_realloc(void *old, size_t size)
{
	void *block = fails() ? NULL : realloc(old, size);

	held += old == NULL && block != NULL;
	return block;
}

static void count_free(void *block)
{
	held -= block != NULL;
	free(block);
}

/* ----- helpers ----- */

static struct pl_sasl_server *serve(const char *proved)
{
	struct pl_error error = { 0 };
	struct pl_sasl_server *server;

	server = pl_sasl_server_new("beta.example", proved, &error);
	if (server == NULL)
		fail_msg("%s", error.text);
	return server;
}

/* One step; the body is copied so that a read beyond it is noticed. */
static enum pl_sasl_result step(struct pl_sasl_server *server,
				const char *body, size_t length,
				enum pl_sasl_condition *condition)
{
	char *exact = length == 0 ? NULL : malloc(length);
	struct pl_error why = { 0 };
	enum pl_sasl_result result;

	*condition = PL_SASL_ABORTED; /* must be overwritten */
	if (length > 0)
		memcpy(exact, body, length);
	result = pl_sasl_server_step(server, exact, length, condition, &why);
	free(exact);
	assert_int_equal(result == PL_SASL_REJECTED,
			 *condition != PL_SASL_NONE);
	assert_int_equal(result == PL_SASL_REJECTED, why.text[0] != '\0');
	for (char *p = why.text; *p != '\0'; p++)
		assert_true((unsigned char)*p >= 0x20);
	return result;
}

static void auth_for(const char *proved, const char *body, size_t length,
		     enum pl_sasl_result result,
		     enum pl_sasl_condition expected)
{
	struct pl_sasl_server *server = serve(proved);
	enum pl_sasl_condition condition;

	assert_int_equal(step(server, body, length, &condition), result);
	assert_int_equal(condition, expected);
	if (result != PL_SASL_CONTINUE) {
		/* the exchange is over, for good */
		assert_int_equal(step(server, BODY, strlen(BODY), &condition),
				 PL_SASL_REJECTED);
		assert_int_equal(condition, PL_SASL_MALFORMED_REQUEST);
	}
	pl_sasl_server_free(server);
}

static void accepts(const char *body)
{
	auth_for(PROVED, body, strlen(body), PL_SASL_ACCEPTED, PL_SASL_NONE);
}

static void rejects(const char *body, enum pl_sasl_condition condition)
{
	auth_for(PROVED, body, strlen(body), PL_SASL_REJECTED, condition);
}

/* An authorization identity in <auth/>, and after an empty challenge. */
static void authzid_for(const char *proved, const char *authzid, size_t length,
			enum pl_sasl_result result,
			enum pl_sasl_condition expected)
{
	enum pl_sasl_condition condition;
	struct pl_sasl_server *server;
	char body[4096];
	unsigned n;

	assert_int_equal(sasl_encode64(authzid, (unsigned)length, body,
				       sizeof body, &n), SASL_OK);
	auth_for(proved, body, n, result, expected);
	server = serve(proved);
	assert_int_equal(step(server, NULL, 0, &condition), PL_SASL_CONTINUE);
	assert_int_equal(step(server, body, n, &condition), result);
	assert_int_equal(condition, expected);
	pl_sasl_server_free(server);
}

static void authzid_passes(const char *authzid)
{
	authzid_for(PROVED, authzid, strlen(authzid), PL_SASL_ACCEPTED,
		    PL_SASL_NONE);
}

static void authzid_refused(const char *authzid)
{
	authzid_for(PROVED, authzid, strlen(authzid), PL_SASL_REJECTED,
		    PL_SASL_INVALID_AUTHZID);
}

/* EXT-8, EXT-9, EXT-11 */
static void the_proved_domain_is_accepted(void **state)
{
	accepts(BODY);
	accepts("=");
	authzid_passes(PROVED);
	authzid_passes("Alpha.EXAMPLE");
	authzid_passes("alpha.example.");
	authzid_for(BUECHER, BUECHER, strlen(BUECHER), PL_SASL_ACCEPTED,
		    PL_SASL_NONE);
	authzid_for(BUECHER, "xn--bcher-kva.example", 21, PL_SASL_ACCEPTED,
		    PL_SASL_NONE);
	authzid_for("Alpha.Example", PROVED, strlen(PROVED), PL_SASL_ACCEPTED,
		    PL_SASL_NONE);
}

/* EXT-15 */
static void any_other_identity_is_refused(void **state)
{
	authzid_refused("evil.example");
	authzid_refused("beta.example");
	authzid_refused("x.alpha.example");
	authzid_refused("example");
	authzid_refused("alpha.example2");
	authzid_refused("alpha.exampl");
	authzid_refused(" alpha.example");
	authzid_refused("alpha.example ");
	authzid_refused(" ");
	authzid_refused("alpha.example\n");
	authzid_refused("alpha.example..");
	authzid_refused("@alpha.example");
	authzid_refused("anna@alpha.example");
	authzid_refused("alpha.example/x");
	authzid_refused("alpha.example@evil.example");
	authzid_refused("\xff\xfe\x1b[31m");
	authzid_refused("alpha.examp\xc2\xad" "le.evil.example");
	authzid_for(BUECHER, "bucher.example", 14, PL_SASL_REJECTED,
		    PL_SASL_INVALID_AUTHZID);
}

static void a_nul_does_not_cut(void **state)
{
	authzid_for(PROVED, PROVED "\0", sizeof PROVED, PL_SASL_REJECTED,
		    PL_SASL_INVALID_AUTHZID);
	authzid_for(PROVED, PROVED "\0.evil.example", 27, PL_SASL_REJECTED,
		    PL_SASL_INVALID_AUTHZID);
	authzid_for(PROVED, "\0" PROVED, sizeof PROVED, PL_SASL_REJECTED,
		    PL_SASL_INVALID_AUTHZID);
	authzid_for(PROVED, "\0", 1, PL_SASL_REJECTED,
		    PL_SASL_INVALID_AUTHZID);
	/* and in the body itself */
	auth_for(PROVED, BODY "\0", sizeof BODY, PL_SASL_REJECTED,
		 PL_SASL_INCORRECT_ENCODING);
	auth_for(PROVED, "\0", 1, PL_SASL_REJECTED,
		 PL_SASL_INCORRECT_ENCODING);
	auth_for(PROVED, "=\0", 2, PL_SASL_REJECTED,
		 PL_SASL_INCORRECT_ENCODING);
}

/* EXT-12, EXT-13 */
static void no_initial_response_leads_to_a_challenge(void **state)
{
	static const char *answers[] = { BODY, "=", "", " \r\n" };
	enum pl_sasl_condition condition;
	struct pl_sasl_server *server;

	for (size_t i = 0; i < 4; i++) {
		server = serve(PROVED);
		assert_int_equal(step(server, NULL, 0, &condition),
				 PL_SASL_CONTINUE);
		assert_int_equal(step(server, answers[i], strlen(answers[i]),
				      &condition), PL_SASL_ACCEPTED);
		pl_sasl_server_free(server);
	}
	server = serve(PROVED); /* white space is no response either */
	assert_int_equal(step(server, "\n  ", 3, &condition),
			 PL_SASL_CONTINUE);
	assert_int_equal(step(server, "!", 1, &condition), PL_SASL_REJECTED);
	assert_int_equal(condition, PL_SASL_INCORRECT_ENCODING);
	pl_sasl_server_free(server);
}

/* EXT-14, EXT-19 */
static void base64_is_strict_but_for_white_space(void **state)
{
	static const char *bad[] = {
		"!", "====", "==", "===", "A", "AA", "AAA", "AA=", "A===",
		"AAAAA", "=AAA", "A=AA", "AA=A", "AAAA=", "AAAA==",
		"YWxwaGEuZXhhbXBsZQ",       /* no padding */
		"YWxwaGEuZXhhbXBsZQ=",
		"YWxwaGEuZXhhbXBsZR==",     /* stray bits */
		"YWxwaGEuZXhhbXBsZQ==YQ==", /* goes on after padding */
		"YWxwaGEuZXhhbXBsZQ==.",
		"YWxwaGEuZXhhbXBsZQ==\x7f",
		"YWxw_GEuZXhhbXBs", "YWxw-GEuZXhhbXBs", "YWxw\xc3\xbc" "GE",
		PROVED, "alpha", "&#61;",
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		rejects(bad[i], PL_SASL_INCORRECT_ENCODING);
	accepts(" " BODY);
	accepts("\n   " BODY "\r\n\t");
	accepts("YWxwaGEu\n  ZXhhbXBs\n  ZQ=\n  =");
	accepts(" = ");
}

static void long_bodies(void **state)
{
	char body[PL_SASL_BODY_LIMIT + 8], name[PL_SASL_BODY_LIMIT];

	memset(body, 'A', sizeof body);
	auth_for(PROVED, body, PL_SASL_BODY_LIMIT + 4, PL_SASL_REJECTED,
		 PL_SASL_MALFORMED_REQUEST);
	memset(body, 'Y', sizeof body);
	auth_for(PROVED, body, PL_SASL_BODY_LIMIT, PL_SASL_REJECTED,
		 PL_SASL_INVALID_AUTHZID);
	memset(body, ' ', sizeof body);
	memcpy(body + PL_SASL_BODY_LIMIT - strlen(BODY), BODY, strlen(BODY));
	auth_for(PROVED, body, PL_SASL_BODY_LIMIT, PL_SASL_ACCEPTED,
		 PL_SASL_NONE);
	auth_for(PROVED, body, PL_SASL_BODY_LIMIT + 1, PL_SASL_REJECTED,
		 PL_SASL_MALFORMED_REQUEST);
	memset(name, 'a', sizeof name);
	for (size_t n = 1015; n < 1035; n++)
		authzid_for(PROVED, name, n, PL_SASL_REJECTED,
			    PL_SASL_INVALID_AUTHZID);
	authzid_for(PROVED, name, 1500, PL_SASL_REJECTED,
		    PL_SASL_INVALID_AUTHZID);
}

/* EXT-17: nothing proved, nothing accepted, whatever is asked for. */
static void without_proof_nobody_gets_in(void **state)
{
	struct pl_error error = { 0 };

	auth_for(NULL, BODY, strlen(BODY), PL_SASL_REJECTED,
		 PL_SASL_NOT_AUTHORIZED);
	auth_for(NULL, "=", 1, PL_SASL_REJECTED, PL_SASL_NOT_AUTHORIZED);
	auth_for(NULL, NULL, 0, PL_SASL_REJECTED, PL_SASL_NOT_AUTHORIZED);
	assert_null(pl_sasl_server_new("beta.example", "", &error));
	assert_string_not_equal(error.text, "");
	assert_null(pl_sasl_server_new("beta.example", "a b", &error));
	assert_null(pl_sasl_server_new("beta.example", "a@b", &error));
}

/* EXT-23, EXT-25: freed in the middle; another exchange is not touched. */
static void an_abandoned_exchange(void **state)
{
	struct pl_sasl_server *first = serve(PROVED), *second = serve(PROVED);
	enum pl_sasl_condition condition;

	assert_int_equal(step(first, NULL, 0, &condition), PL_SASL_CONTINUE);
	pl_sasl_server_free(first);
	assert_int_equal(step(second, BODY, strlen(BODY), &condition),
			 PL_SASL_ACCEPTED);
	pl_sasl_server_free(second);
	pl_sasl_server_free(serve(PROVED));
	pl_sasl_server_free(NULL);
}

/* A server's proof is its own. */
static void two_exchanges_do_not_mix(void **state)
{
	struct pl_sasl_server *alpha = serve(PROVED);
	struct pl_sasl_server *gamma = serve("gamma.example");
	enum pl_sasl_condition condition;

	assert_int_equal(step(alpha, NULL, 0, &condition), PL_SASL_CONTINUE);
	assert_int_equal(step(gamma, NULL, 0, &condition), PL_SASL_CONTINUE);
	assert_int_equal(step(gamma, BODY, strlen(BODY), &condition),
			 PL_SASL_REJECTED);
	assert_int_equal(condition, PL_SASL_INVALID_AUTHZID);
	assert_int_equal(step(alpha, BODY, strlen(BODY), &condition),
			 PL_SASL_ACCEPTED);
	pl_sasl_server_free(alpha);
	pl_sasl_server_free(gamma);
}

static void the_initiating_side_writes_its_domain(void **state)
{
	struct pl_error error = { 0 };
	struct pl_buffer body;

	pl_buffer_init(&body, 0);
	assert_true(pl_sasl_client_start(PROVED, &body, &error));
	assert_int_equal(body.length, strlen(BODY));
	assert_memory_equal(pl_buffer_bytes(&body), BODY, strlen(BODY));
	pl_buffer_finish(&body);
	assert_false(pl_sasl_client_start("", &body, &error));
	assert_false(pl_sasl_client_start("a b", &body,
					  &error));
	assert_int_equal(body.length, 0);
	pl_buffer_init(&body, strlen(BODY) - 1);
	assert_false(pl_sasl_client_start(PROVED, &body,
					  &error));
	assert_int_equal(body.length, 0);
	pl_buffer_finish(&body);
}

/* Nothing of one exchange shows in the next, not even after a failed one. */
static void many_initiate_one_after_another(void **state)
{
	long before = held;

	for (int round = 0; round < 600; round++) {
		int i = round % 300; /* the second time from memory */
		char domain[32], expected[64];
		struct pl_buffer body;

		pl_buffer_init(&body, 0);
		snprintf(domain, sizeof domain, "d%d.%s.example", i,
			 i % 2 ? "long-name" : "x");
		sasl_encode64(domain, (unsigned)strlen(domain), expected,
			      sizeof expected, NULL);
		if (i % 7 == 0)
			assert_false(pl_sasl_client_start("a b", &body, NULL));
		assert_true(pl_sasl_client_start(domain, &body, NULL));
		assert_int_equal(body.length, strlen(expected));
		assert_memory_equal(pl_buffer_bytes(&body), expected,
				    body.length);
		pl_buffer_finish(&body);
	}
	assert_int_equal(held, before);
}

static void both_sides_agree(void **state)
{
	static const char *domains[] = { PROVED, BUECHER, "[::1]",
					 "192.0.2.1", "Alpha.Example." };
	char longest[254];

	memset(longest, 'a', 253);
	longest[63] = longest[127] = longest[191] = '.';
	longest[253] = '\0';
	for (size_t i = 0; i < 6; i++) {
		const char *domain = i < 5 ? domains[i] : longest;
		struct pl_sasl_server *server;
		enum pl_sasl_condition condition;
		struct pl_buffer body;

		pl_buffer_init(&body, PL_SASL_BODY_LIMIT);
		assert_true(pl_sasl_client_start(domain, &body, NULL));
		auth_for(domain, (const char *)pl_buffer_bytes(&body),
			 body.length, PL_SASL_ACCEPTED, PL_SASL_NONE);
		server = serve(domain); /* the same bytes answer a challenge */
		assert_int_equal(step(server, NULL, 0, &condition),
				 PL_SASL_CONTINUE);
		assert_int_equal(step(server,
				      (const char *)pl_buffer_bytes(&body),
				      body.length, &condition),
				 PL_SASL_ACCEPTED);
		pl_sasl_server_free(server);
		pl_buffer_finish(&body);
	}
}

static void nothing_but_external_is_loaded(void **state)
{
	const char **mechanisms = sasl_global_listmech();
	sasl_conn_t *conn = NULL;
	const char *list;
	int count = 0;

	assert_int_not_equal(access("/dev/null/none", F_OK), 0);
	assert_non_null(mechanisms);
	for (int i = 0; mechanisms[i] != NULL; i++)
		assert_string_equal(mechanisms[i], "EXTERNAL");
	assert_int_equal(sasl_server_new("xmpp", "beta.example", NULL, NULL,
					 NULL, NULL, 0, &conn), SASL_OK);
	assert_int_equal(sasl_setprop(conn, SASL_AUTH_EXTERNAL, PROVED),
			 SASL_OK);
	assert_int_equal(sasl_listmech(conn, NULL, "", " ", "", &list, NULL,
				       &count), SASL_OK);
	assert_string_equal(list, "EXTERNAL");
	assert_int_equal(count, 1);
	sasl_dispose(&conn);
	assert_int_equal(sasl_client_new("xmpp", "beta.example", NULL, NULL,
					 NULL, 0, &conn), SASL_OK);
	assert_int_equal(sasl_setprop(conn, SASL_AUTH_EXTERNAL, PROVED),
			 SASL_OK);
	assert_int_equal(sasl_listmech(conn, NULL, "", " ", "", &list, NULL,
				       &count), SASL_OK);
	assert_string_equal(list, "EXTERNAL");
	sasl_dispose(&conn);
}

static void a_thousand_exchanges_leave_nothing(void **state)
{
	long before = held;

	for (int i = 0; i < 1000; i++) {
		struct pl_sasl_server *server = serve(PROVED);
		enum pl_sasl_condition condition;

		if (i % 3 == 0)
			step(server, NULL, 0, &condition);
		assert_int_equal(step(server, i % 2 ? BODY : "ZXZpbA==",
				      i % 2 ? strlen(BODY) : 8, &condition),
				 i % 2 ? PL_SASL_ACCEPTED : PL_SASL_REJECTED);
		pl_sasl_server_free(server);
	}
	assert_int_equal(held, before);
}

/* The n-th allocation within the step fails, for every n: nobody gets in who
 * should not, and a fault of ours is told as one. (Within sasl_server_new
 * Cyrus SASL 2.1.28 itself falls over.) */
static void no_memory_is_no_way_in(void **state)
{
	static const char *bodies[] = { BODY, "ZXZpbC5leGFtcGxl", "=" };
	long before = held, n, accepted = 0;

	for (size_t i = 0; i < 3; i++) {
		for (n = 0;; n++) {
			struct pl_sasl_server *server = serve(PROVED);
			enum pl_sasl_condition condition;
			enum pl_sasl_result result;

			allocations = 0;
			fail_at = n;
			result = step(server, bodies[i], strlen(bodies[i]),
				      &condition);
			fail_at = -1;
			pl_sasl_server_free(server);
			assert_int_equal(held, before);
			accepted += result == PL_SASL_ACCEPTED;
			if (i == 1)
				assert_int_equal(result, PL_SASL_REJECTED);
			else if (result == PL_SASL_REJECTED)
				assert_int_equal(condition,
					PL_SASL_TEMPORARY_AUTH_FAILURE);
			if (allocations <= n)
				break;
		}
	}
	assert_true(accepted >= 2);
}

static int set_up(void **state)
{
	struct pl_error error = { 0 };

	sasl_set_alloc(count_malloc, count_calloc, count_realloc, count_free);
	pl_sasl_global_finish(); /* fine before init */
	if (pl_sasl_global_init(&error))
		return 0;
	print_error("%s\n", error.text);
	return -1;
}

static int tear_down(void **state)
{
	pl_sasl_global_finish();
	pl_sasl_global_finish();
	return held == 0 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_proved_domain_is_accepted),
		cmocka_unit_test(any_other_identity_is_refused),
		cmocka_unit_test(a_nul_does_not_cut),
		cmocka_unit_test(no_initial_response_leads_to_a_challenge),
		cmocka_unit_test(base64_is_strict_but_for_white_space),
		cmocka_unit_test(long_bodies),
		cmocka_unit_test(without_proof_nobody_gets_in),
		cmocka_unit_test(an_abandoned_exchange),
		cmocka_unit_test(two_exchanges_do_not_mix),
		cmocka_unit_test(the_initiating_side_writes_its_domain),
		cmocka_unit_test(many_initiate_one_after_another),
		cmocka_unit_test(both_sides_agree),
		cmocka_unit_test(nothing_but_external_is_loaded),
		cmocka_unit_test(a_thousand_exchanges_leave_nothing),
		cmocka_unit_test(no_memory_is_no_way_in),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
