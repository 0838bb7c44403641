/* The outcome line: its keys and their order, and a sentence for each code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture.h"

#include <jansson.h>

static const struct pl_outcome good = {
	.stream = "3f2a", .local = "alpha.example", .remote = "beta.example",
	.row = 7, .policy = { PL_REQUIRED, PL_OPTIONAL, true },
	.method = PL_METHOD_SASL_OVER_TLS, .tls = "TLSv1.3",
	.cipher = "TLS_AES_256_GCM_SHA384", .certificate = PL_CERT_VALID,
	.addr = "127.0.0.3:5269", .ms = 55,
};

static const struct pl_outcome bad = {
	.stream = "41c0", .incoming = true, .local = "alpha.example",
	.remote = "gamma.example", .row = 2,
	.policy = { PL_REQUIRED, PL_REQUIRED, false },
	.code = PL_CODE_TLS_NOT_OFFERED, .stage = PL_STAGE_FEATURES,
	.side = PL_SIDE_PEER, .addr = "127.0.0.5:51812", .ms = 4,
	.rule = "partner \"gamma.example\" (parley.conf:12)",
};

static void line_is(const struct pl_outcome *outcome, const char *expected)
{
	struct capture capture;
	char whole[4096];

	snprintf(whole, sizeof whole, "2026-11-22T12:03:05.109Z notice %s\n",
		 expected);
	capture_open(&capture, PL_LOG_NOTICE, PL_LOG_TEXT);
	pl_outcome_log(capture.log, outcome);
	assert_string_equal(capture_read(&capture), whole);
	capture_close(&capture);
}

static json_t *json_of(const struct pl_outcome *outcome)
{
	struct capture capture;
	json_t *root;

	capture_open(&capture, PL_LOG_NOTICE, PL_LOG_JSON);
	pl_outcome_log(capture.log, outcome);
	root = json_loads(capture_read(&capture), 0, NULL);
	capture_close(&capture);
	assert_non_null(root);
	return root;
}

static const char *why(const struct pl_outcome *outcome)
{
	static char text[1280];

	return pl_outcome_why(outcome, text, sizeof text);
}

static const char *fix(const struct pl_outcome *outcome)
{
	static char text[1280];

	return pl_outcome_fix(outcome, text, sizeof text);
}

/* ----- lines ----- */

static void a_negotiated_line(void **state)
{
	line_is(&good, "stream=3f2a dir=out local=alpha.example "
		"remote=beta.example event=negotiated method=sasl-over-tls "
		"row=7 expected=sasl-over-tls,tls-dialback tls=TLSv1.3 "
		"cipher=TLS_AES_256_GCM_SHA384 cert=valid addr=127.0.0.3:5269 "
		"ms=55");
}

static void a_failed_line(void **state)
{
	line_is(&bad, "stream=41c0 dir=in local=alpha.example "
		"remote=gamma.example event=failed method=none row=2 "
		"stage=features code=tls-not-offered side=peer tls=none "
		"cert=none addr=127.0.0.5:51812 ms=4 why=\"gamma.example sent "
		"db:result in clear; row 2 of partner \\\"gamma.example\\\" "
		"(parley.conf:12) needs SASL over TLS\" fix=\"ask the "
		"administrator of gamma.example to enable TLS for "
		"server-to-server connections\"");
}

static void what_there_is_not_is_none(void **state)
{
	struct pl_outcome outcome = bad;

	outcome.row = 0;
	outcome.addr = NULL;
	outcome.rule = NULL;
	outcome.remote = NULL;
	outcome.code = PL_CODE_PARTNER_UNKNOWN;
	outcome.stage = PL_STAGE_POLICY;
	outcome.side = PL_SIDE_US;
	line_is(&outcome, "stream=41c0 dir=in local=alpha.example remote=\"\" "
		"event=failed method=none row=none stage=policy "
		"code=partner-unknown side=us tls=none cert=none addr=none "
		"ms=4 why=\"no partner section matches the peer, and there is "
		"none named \\\"*\\\"\" fix=\"on our side: add partner \\\"the "
		"peer\\\", or partner \\\"*\\\", to the configuration if the "
		"peer is wanted\"");
	outcome = good;
	outcome.method = PL_METHOD_TCP_DIALBACK;
	outcome.policy = pl_policy_of_row(9);
	outcome.row = 9;
	outcome.tls = outcome.cipher = NULL;
	outcome.certificate = PL_CERT_NONE;
	line_is(&outcome, "stream=3f2a dir=out local=alpha.example "
		"remote=beta.example event=negotiated method=tcp-dialback "
		"row=9 expected=sasl-over-tls,tls-dialback,tcp-dialback "
		"tls=none cipher=none cert=none addr=127.0.0.3:5269 ms=55");
}

static void certificates_have_their_words(void **state)
{
	struct pl_outcome outcome = good;

	outcome.method = PL_METHOD_TLS_DIALBACK;
	outcome.by_certificate = true;
	outcome.by_dane = true;
	line_is(&outcome, "stream=3f2a dir=out local=alpha.example "
		"remote=beta.example event=negotiated method=tls-dialback "
		"verified-by=certificate row=7 "
		"expected=sasl-over-tls,tls-dialback tls=TLSv1.3 "
		"cipher=TLS_AES_256_GCM_SHA384 cert=valid/dane "
		"addr=127.0.0.3:5269 ms=55");
	outcome.by_certificate = false;
	outcome.certificate = PL_CERT_EXPIRED; /* not valid, so not by DANE */
	line_is(&outcome, "stream=3f2a dir=out local=alpha.example "
		"remote=beta.example event=negotiated method=tls-dialback "
		"row=7 expected=sasl-over-tls,tls-dialback tls=TLSv1.3 "
		"cipher=TLS_AES_256_GCM_SHA384 cert=invalid:expired "
		"addr=127.0.0.3:5269 ms=55");
}

static void json_has_the_same_keys(void **state)
{
	static const char *const keys[] = { "time", "level", "stream", "dir",
		"local", "remote", "event", "method", "row", "stage", "code",
		"side", "tls", "cipher", "cert", "addr", "ms", "why", "fix" };
	struct pl_outcome outcome = bad;
	json_t *root = json_of(&good), *value;
	const char *key;
	unsigned i = 0;

	assert_int_equal(json_integer_value(json_object_get(root, "row")), 7);
	assert_int_equal(json_integer_value(json_object_get(root, "ms")), 55);
	value = json_object_get(root, "expected");
	assert_int_equal(json_array_size(value), 2);
	assert_string_equal(json_string_value(json_array_get(value, 1)),
			    "tls-dialback");
	assert_string_equal(json_string_value(json_object_get(root, "level")),
			    "notice");
	json_decref(root);

	outcome.row = 0;
	outcome.tls = "TLSv1.2";
	outcome.cipher = "C";
	root = json_of(&outcome);
	json_object_foreach(root, key, value)
		assert_string_equal(key, keys[i++]);
	assert_int_equal(i, sizeof keys / sizeof keys[0]);
	assert_string_equal(json_string_value(json_object_get(root, "row")),
			    "none");
	json_decref(root);
}

/* ----- sentences ----- */

/* Each says something of its own, with every placeholder filled, and ends
 * without a full stop so that words can follow. */
static void every_code_has_its_sentence(void **state)
{
	for (int code = PL_CODE_NONE + 1; code < PL_CODES; code++) {
		for (int dir = 0; dir < 2; dir++) {
			struct pl_outcome outcome = bad;
			const struct pl_code_entry *entry =
				pl_code_entry((enum pl_code)code);
			const char *text;

			outcome.code = (enum pl_code)code;
			outcome.incoming = dir;
			for (int w = 0; w < 2; w++) {
				outcome.words = w ? "the words" : NULL;
				text = why(&outcome);
				assert_true(strlen(text) > 20);
				assert_null(strchr(text, '$'));
				assert_true(w == 1 ||
					    strcmp(text, entry->meaning) != 0);
				assert_true(text[strlen(text) - 1] != '.');
				assert_int_equal(strstr(text, "the words") != NULL,
						 w);
			}
			text = fix(&outcome);
			assert_true(strlen(text) > 10);
			assert_null(strchr(text, '$'));
		}
	}
}

static void words_of_the_peer_stand_in_quotes(void **state)
{
	struct pl_outcome outcome = bad;

	outcome.code = PL_CODE_PEER_STREAM_ERROR;
	outcome.words = "not-authorized: Your server's certificate has expired";
	assert_string_equal(why(&outcome), "gamma.example ended the stream: "
			    "\"not-authorized: Your server's certificate has "
			    "expired\"");
	outcome.code = PL_CODE_TLS_NOT_OFFERED;
	outcome.words = "policy-violation";
	assert_string_equal(why(&outcome), "gamma.example gave up in clear; row "
			    "2 of partner \"gamma.example\" (parley.conf:12) "
			    "needs SASL over TLS: \"policy-violation\"");
}

static void who_dialled_decides_the_sentence(void **state)
{
	struct pl_outcome outcome = bad;

	outcome.incoming = false;
	assert_string_equal(why(&outcome), "gamma.example offers no STARTTLS; "
			    "row 2 of partner \"gamma.example\" "
			    "(parley.conf:12) needs SASL over TLS");
	outcome.words = "said";
	assert_non_null(strstr(why(&outcome), "offers no STARTTLS"));
	outcome.code = PL_CODE_HOST_UNKNOWN;
	assert_non_null(strstr(why(&outcome), "127.0.0.5:51812 does not serve "
			       "gamma.example"));
	assert_non_null(strstr(fix(&outcome), "ask the administrator"));
	outcome.incoming = true;
	assert_non_null(strstr(why(&outcome), "asked for alpha.example"));
	assert_non_null(strstr(fix(&outcome), "add host \"alpha.example\""));
}

static void the_issuer_decides_the_fix(void **state)
{
	struct pl_outcome outcome = bad;

	outcome.code = PL_CODE_CERTIFICATE_UNKNOWN_CA;
	outcome.words = "issuer \"Some CA\" is unknown";
	outcome.certificate = PL_CERT_CHAIN_INCOMPLETE;
	assert_non_null(strstr(why(&outcome), "came alone"));
	assert_non_null(strstr(why(&outcome), ": issuer \"Some CA\" is"));
	assert_non_null(strstr(fix(&outcome), "send the full chain"));
	outcome.certificate = PL_CERT_SELF_SIGNED;
	assert_non_null(strstr(why(&outcome), "is self-signed"));
	outcome.certificate = PL_CERT_UNKNOWN_CA;
	assert_non_null(strstr(fix(&outcome), "ca-file"));
	outcome.code = PL_CODE_CERTIFICATE_INVALID;
	outcome.certificate = PL_CERT_REVOKED;
	assert_non_null(strstr(why(&outcome), "was revoked"));
}

/* Neither names nor words of a peer can break the line or fill it. */
static void hostile_names_do_no_harm(void **state)
{
	char name[3000];
	struct pl_outcome outcome = bad;

	for (size_t i = 0; i + 1 < sizeof name; i++)
		name[i] = "\"\\\n\x1b $R=\xe2\x80\xae"[i % 11];
	name[sizeof name - 1] = '\0';
	outcome.remote = outcome.local = outcome.words = outcome.addr = name;
	for (int code = PL_CODE_NONE; code < PL_CODES; code++) {
		struct capture capture;
		const char *text;
		json_t *root;

		outcome.code = (enum pl_code)code;
		root = json_of(&outcome);
		assert_non_null(json_object_get(root, "fix"));
		json_decref(root);
		capture_open(&capture, PL_LOG_NOTICE, PL_LOG_TEXT);
		pl_outcome_log(capture.log, &outcome);
		text = capture_read(&capture);
		assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
		assert_null(strchr(text, '\x1b'));
		assert_non_null(strstr(text, " fix=\""));
		capture_close(&capture);
	}
}

static void small_buffers_are_enough(void **state)
{
	for (size_t size = 1; size < 200; size++) {
		char *exact = malloc(size);

		pl_outcome_why(&bad, exact, size);
		assert_true(strlen(exact) < size);
		pl_outcome_fix(&bad, exact, size);
		assert_true(strlen(exact) < size);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_negotiated_line),
		cmocka_unit_test(a_failed_line),
		cmocka_unit_test(what_there_is_not_is_none),
		cmocka_unit_test(certificates_have_their_words),
		cmocka_unit_test(json_has_the_same_keys),
		cmocka_unit_test(every_code_has_its_sentence),
		cmocka_unit_test(words_of_the_peer_stand_in_quotes),
		cmocka_unit_test(who_dialled_decides_the_sentence),
		cmocka_unit_test(the_issuer_decides_the_fix),
		cmocka_unit_test(hostile_names_do_no_harm),
		cmocka_unit_test(small_buffers_are_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
