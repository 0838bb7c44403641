/*
 * Replay: what the core did is what it does, and every kind of difference is
 * found. The records are made here from the core's own steps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "parley/report.h"
#include "parley/steps.h"

static char text[262144];
static size_t used;
static unsigned seq;

static json_t *part(enum pl_step_part which, const void *thing)
{
	json_t *object = json_object();
	const struct pl_step_field *fields;
	size_t count;

	fields = pl_step_fields(which, &count);
	for (size_t i = 0; i < count; i++) {
		unsigned value = pl_step_get(&fields[i], thing);

		if (value == 0 && !fields[i].always)
			continue;
		json_object_set_new(object, fields[i].key,
				    fields[i].is_bool ? json_boolean(value)
				    : fields[i].name
				    ? json_string(fields[i].name(value))
				    : json_integer(value));
	}
	return object;
}

static json_t *actions(const struct pl_step *step)
{
	json_t *list = json_array();

	for (size_t i = 0; i < step->count; i++)
		json_array_append_new(list, json_string(
			pl_action_name(step->actions[i])));
	return list;
}

static void write_record(const char *stage, const char *event, json_t *detail)
{
	char *rest = json_dumps(detail, JSON_COMPACT);

	used += (size_t)snprintf(text + used, sizeof text - used,
		"{\"v\":1,\"seq\":%u,\"ts\":\"2026-11-22T12:00:00.000000Z\","
		"\"mono_us\":%u,\"trace\":\"0123456789ab\",\"stream\":\"s1\","
		"\"hop\":\"a.example>b.example\",\"role\":\"initiator\","
		"\"dir\":\"local\",\"stage\":\"%s\",\"event\":\"%s\","
		"\"level\":\"debug\",\"enc\":\"plain\",\"summary\":\"x\","
		"\"detail\":%s,\"len\":0,\"redacted\":0}\n", seq + 1, seq,
		stage, event, rest);
	seq++;
	free(rest);
	json_decref(detail);
}

static struct pl_terms terms;
static struct pl_stream_state state;
static bool told;

static void step(struct pl_stream_event event)
{
	struct pl_stream_state before = state;
	struct pl_step result;
	json_t *detail;

	pl_stream_step(&terms, &state, &event, &result);
	detail = json_pack("{s:s,s:o,s:o,s:o,s:o,s:o}", "machine", "stream",
		"before", part(PL_PART_STREAM_STATE, &before),
		"event", part(PL_PART_STREAM_EVENT, &event),
		"actions", actions(&result),
		"step", part(PL_PART_STEP, &result),
		"after", part(PL_PART_STREAM_STATE, &state));
	if (!told)
		json_object_set_new(detail, "terms",
				    part(PL_PART_TERMS, &terms));
	told = true;
	write_record("policy", "policy.step", detail);
}

static void step_pair(struct pl_pair_state *pair, struct pl_pair_event event,
		      bool with_terms)
{
	struct pl_pair_state before = *pair;
	struct pl_step result;
	json_t *detail;

	pl_pair_step(&terms, pair, &event, &result);
	detail = json_pack("{s:s,s:i,s:o,s:o,s:o,s:o,s:o}", "machine", "pair",
		"pair", 1,
		"before", part(PL_PART_PAIR_STATE, &before),
		"event", part(PL_PART_PAIR_EVENT, &event),
		"actions", actions(&result),
		"step", part(PL_PART_STEP, &result),
		"after", part(PL_PART_PAIR_STATE, pair));
	if (with_terms)
		json_object_set_new(detail, "terms",
				    part(PL_PART_TERMS, &terms));
	write_record("policy", "policy.step", detail);
}

/* A stream of row 7 up to the second header, and a pair that failed twice. */
static int record(void **unused)
{
	struct pl_pair_state pair;

	(void)unused;
	used = seq = 0;
	told = false;
	memset(&terms, 0, sizeof terms);
	terms.policy = pl_policy_of_row(7);
	terms.partner_known = terms.own_certificate = true;
	pl_stream_init(&state, PL_INITIATING);
	step((struct pl_stream_event){ .kind = PL_EV_STARTED });
	step((struct pl_stream_event){ .kind = PL_EV_HEADER,
		.header = { .version_1 = true, .has_id = true } });
	step((struct pl_stream_event){ .kind = PL_EV_FEATURES,
		.features = PL_FEATURE_STARTTLS });
	step((struct pl_stream_event){ .kind = PL_EV_PROCEED });
	step((struct pl_stream_event){ .kind = PL_EV_HANDSHAKE_DONE,
		.certificate = PL_CERT_VALID });
	pl_pair_init(&pair, PL_INITIATING);
	for (int i = 0; i < 2; i++) {
		pl_pair_init(&pair, PL_INITIATING);
		step_pair(&pair, (struct pl_pair_event){
			.kind = PL_PE_STREAM_READY, .encrypted = true }, !i);
		step_pair(&pair, (struct pl_pair_event){
			.kind = PL_PE_RESULT_ERROR, .encrypted = true,
			.condition = PL_SC_FORBIDDEN }, false);
	}
	return 0;
}

/* Reads what was recorded, with one text in place of another, and replays. */
static void replay(const char *from, const char *to,
		   struct pl_report_replay *result)
{
	struct pl_error error = { .text = "" };
	struct pl_report report;
	char copy[sizeof text];
	size_t length = used;
	bool cut;

	memcpy(copy, text, used + 1);
	if (from != NULL) {
		char *at = strstr(copy, from);

		assert_non_null(at);
		memmove(at + strlen(to), at + strlen(from),
			strlen(at + strlen(from)) + 1);
		memcpy(at, to, strlen(to));
		length = strlen(copy);
	}
	assert_true(pl_report_read(&report, copy, length, "it", &cut, &error));
	assert_int_equal(report.count, 1);
	pl_report_replay(&report.traces[0], result);
	pl_report_finish(&report);
}

static void same(void **unused)
{
	struct pl_report_replay result;

	(void)unused;
	replay(NULL, NULL, &result);
	assert_true(result.same);
	assert_int_equal(result.steps, 9);
}

static void is_found(const char *from, const char *to, unsigned at,
		     const char *words)
{
	struct pl_report_replay result;

	replay(from, to, &result);
	assert_false(result.same);
	assert_int_equal(result.seq, at);
	if (strstr(result.text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", result.text, words);
}

static void every_difference(void **unused)
{
	(void)unused;
	is_found("\"send-starttls\"", "\"send-auth\"", 3, "send-starttls");
	is_found("\"phase\":\"await-features\",\"stage\"",
		 "\"phase\":\"await-sasl\",\"stage\"", 2, "await-sasl");
	is_found("\"kind\":\"proceed\"", "\"kind\":\"starttls-failure\"", 4,
		 "was");
	is_found("\"condition\":\"forbidden\"",
		 "\"condition\":\"item-not-found\"", 7, "was");
	is_found("\"tls\":\"required\"", "\"tls\":\"not-supported\"", 3,
		 "send-starttls");
}

static void what_cannot_be_read(void **unused)
{
	(void)unused;
	is_found("\"send-starttls\"", "\"send-cake\"", 3, "send-cake");
	is_found("\"kind\":\"proceed\"", "\"kind\":\"cake\"", 4, "kind");
	is_found("\"machine\":\"pair\"", "\"machine\":\"cake\"", 6, "cake");
	is_found("\"pair\":1", "\"pair\":-1", 6, "number");
	is_found("\"terms\":", "\"cake\":", 1, "terms");
	is_found("\"has_id\":true", "\"has_id\":7", 2, "has_id");
	is_found("\"kind\":\"header\",", "\"kind\":\"header\",\"cake\":1,", 2,
		 "cake");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(same, record),
		cmocka_unit_test_setup(every_difference, record),
		cmocka_unit_test_setup(what_cannot_be_read, record),
	};

	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
