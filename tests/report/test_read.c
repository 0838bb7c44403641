/* Traces read back: what is taken, and all that is not. */
#include "parley/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ID "7f3c9a1e0b52"

/* A record from its parts; each may be replaced. */
#define RECORD_OF(v, seq, ts, mono, id, stream, hop, role, dir, stage, event, \
		  more) \
	"{\"v\":" v ",\"seq\":" seq ",\"ts\":\"" ts "\",\"mono_us\":" mono \
	",\"trace\":\"" id "\",\"stream\":\"" stream "\",\"hop\":\"" hop \
	"\",\"role\":\"" role "\",\"dir\":\"" dir "\",\"stage\":\"" stage \
	"\",\"event\":\"" event "\",\"level\":\"info\",\"enc\":\"tls\"," \
	"\"summary\":\"x\"," more "\"redacted\":0}\n"
#define TS "2026-11-22T12:03:05.054036Z"
#define RECORD(seq, mono, event, more) \
	RECORD_OF("1", seq, TS, mono, ID, "s1", "a.test>b.test", \
		  "initiator", "in", "sasl", event, more)
#define DETAIL "\"detail\":{},\"len\":0,"
#define GOOD RECORD("1", "0", "sasl.success", DETAIL)

struct result {
	struct pl_report report;
	struct pl_error error;
	bool good, cut;
};

/* From memory of exactly that size, so that a sanitizer sees the edges. */
static struct result read_bytes(const char *bytes, size_t length)
{
	struct result result = { .good = false };
	char *copy = malloc(length + (length == 0));

	memcpy(copy, bytes, length);
	result.good = pl_report_read(&result.report, copy, length, "x.jsonl",
				     &result.cut, &result.error);
	free(copy);
	return result;
}

static struct result read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

static void refuses(const char *text, const char *line, const char *words)
{
	struct result r = read_text(text);
	char place[32];

	snprintf(place, sizeof place, "x.jsonl:%s: ", line);
	if (r.good || strncmp(r.error.text, place, strlen(place)) != 0 ||
	    strstr(r.error.text, words) == NULL)
		fail_msg("%s\n  got: %s \"%s\", awaited \"%s...%s\"", text,
			 r.good ? "taken" : "refused", r.error.text, place,
			 words);
	assert_int_equal(r.report.count, 0);
	assert_null(r.report.traces);
}

static void takes(const char *text, size_t traces)
{
	struct result r = read_text(text);

	if (!r.good)
		fail_msg("%s\n  refused: %s", text, r.error.text);
	assert_int_equal(r.report.count, traces);
	pl_report_finish(&r.report);
}

static void takes_a_record(void **state)
{
	struct result r = read_text(
		RECORD_OF("1", "12", TS, "53412", ID, "s2", "a.test>b.test",
			  "receiver", "in", "sasl", "sasl.success",
			  "\"parent\":\"s1\",\"code\":\"sasl-refused\","
			  "\"detail\":{\"mech\":\"EXTERNAL\"},\"len\":51,"
			  "\"raw\":\"<success/>\",\"trunc\":3,\"new\":[],"));
	const struct pl_report_record *record;

	assert_true(r.good);
	assert_false(r.cut);
	assert_int_equal(r.report.count, 1);
	assert_string_equal(r.report.traces[0].id, ID);
	assert_int_equal(r.report.traces[0].count, 1);
	assert_false(r.report.traces[0].complete);
	record = r.report.traces[0].records;
	assert_int_equal(record->seq, 12);
	assert_int_equal(record->mono_us, 53412);
	assert_string_equal(record->ts, TS);
	assert_string_equal(record->stream, "s2");
	assert_string_equal(record->parent, "s1");
	assert_string_equal(record->hop, "a.test>b.test");
	assert_string_equal(record->from, "a.test");
	assert_string_equal(record->to, "b.test");
	assert_string_equal(record->role, "receiver");
	assert_string_equal(record->dir, "in");
	assert_string_equal(record->stage, "sasl");
	assert_string_equal(record->event, "sasl.success");
	assert_string_equal(record->code, "sasl-refused");
	assert_string_equal(record->raw, "<success/>");
	assert_true(record->encrypted);
	assert_false(record->raw_base64);
	assert_false(record->redacted);
	assert_int_equal(record->len, 51);
	assert_int_equal(record->trunc, 3);
	assert_string_equal(json_string_value(json_object_get(record->detail,
							      "mech")),
			    "EXTERNAL");
	pl_report_finish(&r.report);
}

static void absent_texts_are_empty(void **state)
{
	struct result r = read_text(GOOD);

	assert_true(r.good);
	assert_string_equal(r.report.traces[0].records->parent, "");
	assert_string_equal(r.report.traces[0].records->code, "");
	assert_string_equal(r.report.traces[0].records->raw, "");
	assert_int_equal(r.report.traces[0].records->trunc, 0);
	pl_report_finish(&r.report);
	pl_report_finish(&r.report); /* of a zeroed one */
}

static void sorts_by_time_then_number(void **state)
{
	struct result r = read_text(
		RECORD("1", "0", "trace.begin", DETAIL)
		RECORD("2", "900", "tcp.accepted", DETAIL)
		RECORD("3", "100", "sasl.auth", DETAIL)
		RECORD("4", "900", "trace.end", DETAIL));
	static const unsigned order[] = { 1, 3, 2, 4 };

	assert_true(r.good);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(r.report.traces[0].records[i].seq, order[i]);
	assert_true(r.report.traces[0].complete);
	assert_non_null(r.report.traces[0].begin);
	assert_non_null(r.report.traces[0].end);
	pl_report_finish(&r.report);
}

static void a_gap_is_incomplete(void **state)
{
	struct result r = read_text(
		RECORD("1", "0", "trace.begin", DETAIL)
		RECORD("3", "900", "trace.end", DETAIL));

	assert_true(r.good);
	assert_false(r.report.traces[0].complete);
	pl_report_finish(&r.report);
	r = read_text(RECORD("1", "0", "trace.begin", DETAIL)
		      RECORD("2", "1", "trace.dropped",
			     "\"detail\":{\"count\":7},\"len\":0,")
		      RECORD("3", "900", "trace.end", DETAIL));
	assert_true(r.good);
	assert_false(r.report.traces[0].complete);
	assert_int_equal(r.report.traces[0].dropped, 7);
	pl_report_finish(&r.report);
}

static void traces_may_be_mixed(void **state)
{
	struct result r = read_text(
		RECORD("1", "0", "trace.begin", DETAIL)
		RECORD_OF("1", "1", TS, "0", "aaaaaaaaaaaa", "s1", "c>d",
			  "receiver", "in", "tcp", "tcp.accepted", DETAIL)
		RECORD("2", "5", "trace.end", DETAIL));

	assert_true(r.good);
	assert_int_equal(r.report.count, 2);
	assert_string_equal(r.report.traces[0].id, ID);
	assert_int_equal(r.report.traces[0].count, 2);
	assert_true(r.report.traces[0].complete);
	assert_string_equal(r.report.traces[1].id, "aaaaaaaaaaaa");
	assert_string_equal(r.report.traces[1].records[0].to, "d");
	pl_report_finish(&r.report);
}

static void copies_count_once(void **state)
{
	takes(GOOD GOOD GOOD, 1);
	refuses(GOOD RECORD("1", "7", "sasl.success", DETAIL), "2",
		"record 1 of trace " ID " is also in line 1, and differs");
}

static void white_space_and_nothing(void **state)
{
	takes("", 0);
	takes("\n\n  \n", 0);
	takes("\xef\xbb\xbf" GOOD, 1);
	takes("\n" GOOD "\r\n", 1);
	refuses("\n\nx\n", "3", "no JSON");
}

static void a_cut_line_is_left_out(void **state)
{
	char text[] = GOOD GOOD;
	size_t whole = strlen(GOOD);

	for (size_t n = whole + 1; n < 2 * whole - 1; n++) {
		struct result r = read_bytes(text, n);

		assert_true(r.good);
		assert_true(r.cut);
		assert_int_equal(r.report.traces[0].count, 1);
		pl_report_finish(&r.report);
	}
	for (size_t n = 0; n <= whole; n++) {
		struct result r = read_bytes(text, n);

		assert_true(r.good);
		assert_int_equal(r.cut, n > 0 && n < whole - 1);
		pl_report_finish(&r.report);
	}
	/* Only the last line may be. */
	refuses("{\"v\":1\n" GOOD, "1", "no JSON");
	/* A line feed says that it was written whole. */
	refuses(GOOD "{\"v\":1\n", "2", "no JSON");
}

static void no_json(void **state)
{
	refuses("x", "1", "no JSON");
	refuses("[1,2]\n", "1", "no JSON object");
	refuses("{}\n", "1", "\"v\" is missing");
	refuses("{\"v\":1,\"v\":1}\n", "1", "no JSON");
	refuses("{\"v\":1}}\n", "1", "no JSON");
	refuses("\x1b[31m\n", "1", "no JSON");
	refuses("{\"\x1b\":1}\n", "1", "no JSON");
	refuses("{\"v\":1,\"x\":\"\xff\"}\n", "1", "no JSON");
	refuses("{\"v\":1,\"x\":\"\\u0000\"}\n", "1", "no JSON");
	refuses("{\"v\":1,\"x\":\"\\ud800\"}\n", "1", "no JSON");
	refuses("{\"v\":NaN}\n", "1", "no JSON");
}

static void foreign_text_in_a_sentence_is_printable(void **state)
{
	struct result r = read_text(
		RECORD_OF("1", "1", TS, "0", ID, "s1", "a>b", "\\u001b[31m",
			  "in", "sasl", "sasl.success", DETAIL));

	assert_false(r.good);
	assert_null(strchr(r.error.text, 0x1b));
	assert_non_null(strstr(r.error.text, "\\x1b[31m"));
}

static void every_key_is_checked(void **state)
{
	refuses(RECORD_OF("2", "1", TS, "0", ID, "s1", "a>b", "receiver", "in",
			  "sasl", "sasl.x", DETAIL), "1", "version 2");
	refuses(RECORD_OF("\"1\"", "1", TS, "0", ID, "s1", "a>b", "receiver",
			  "in", "sasl", "sasl.x", DETAIL), "1", "\"v\"");
	refuses(RECORD("0", "0", "sasl.x", DETAIL), "1", "\"seq\"");
	refuses(RECORD("-1", "0", "sasl.x", DETAIL), "1", "\"seq\"");
	refuses(RECORD("1.5", "0", "sasl.x", DETAIL), "1", "\"seq\"");
	refuses(RECORD("99999999999", "0", "sasl.x", DETAIL), "1", "\"seq\"");
	refuses(RECORD("99999999999999999999", "0", "sasl.x", DETAIL), "1",
		"JSON");
	refuses(RECORD("1", "-1", "sasl.x", DETAIL), "1", "\"mono_us\"");
	refuses(RECORD("1", "9223372036854775807", "sasl.x", DETAIL), "1",
		"\"mono_us\"");
	refuses(RECORD("1", "0", "sasl", DETAIL), "1", "\"event\"");
	refuses(RECORD("1", "0", ".x", DETAIL), "1", "\"event\"");
	refuses(RECORD("1", "0", "sasl.", DETAIL), "1", "\"event\"");
	refuses(RECORD("1", "0", "sasl.x.y", DETAIL), "1", "\"event\"");
	refuses(RECORD("1", "0", "Sasl.X", DETAIL), "1", "\"event\"");
	refuses(RECORD("1", "0", "sasl.x", "\"len\":0,"), "1", "\"detail\"");
	refuses(RECORD("1", "0", "sasl.x", "\"detail\":[],\"len\":0,"), "1",
		"\"detail\"");
	refuses(RECORD("1", "0", "sasl.x", "\"detail\":{},"), "1", "\"len\"");
	refuses(RECORD("1", "0", "sasl.x", DETAIL "\"trunc\":-1,"), "1",
		"\"trunc\"");
	refuses(RECORD("1", "0", "sasl.x", DETAIL "\"raw\":7,"), "1",
		"\"raw\"");
	refuses(RECORD("1", "0", "sasl.x", DETAIL "\"raw_enc\":\"hex\","), "1",
		"\"raw_enc\"");
	refuses(RECORD("1", "0", "sasl.x", DETAIL "\"code\":\"A b\","), "1",
		"\"code\"");
	refuses(RECORD("1", "0", "sasl.x", DETAIL "\"parent\":\"t1\","), "1",
		"\"parent\"");
}

static void every_list_is_closed(void **state)
{
	static const char *const times[] = {
		"", "2026", "2026-11-22 12:03:05Z", "2026-11-22T12:03:05",
		"2026-11-22T12:03:05.Z", "2026-11-22T12:03:05.1234567890Z",
		"2026-11-22T12:03:05+01:00", "x026-11-22T12:03:05Z",
	};
	static const char *const ids[] = { "", "7f3c9a1e0b5", "7F3C9A1E0B52",
					   "../../../etc" };
	static const char *const hops[] = { "", ">", "a>", ">b", "a", "a>b>c" };
	static const char *const streams[] = { "", "s", "s0", "1", "s1x",
					       "s1234567" };
	char text[1024];
	static const char form[] =
		RECORD_OF("1", "1", "%s", "0", "%s", "%s", "%s", "%s", "%s",
			  "%s", "sasl.x", DETAIL);

#define ALL(list, what, ...) \
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) { \
		snprintf(text, sizeof text, form, __VA_ARGS__); \
		refuses(text, "1", what); \
	}
	ALL(times, "\"ts\"", times[i], ID, "s1", "a>b", "receiver", "in",
	    "sasl");
	ALL(ids, "\"trace\"", TS, ids[i], "s1", "a>b", "receiver", "in",
	    "sasl");
	ALL(streams, "\"stream\"", TS, ID, streams[i], "a>b", "receiver",
	    "in", "sasl");
	ALL(hops, "\"hop\"", TS, ID, "s1", hops[i], "receiver", "in", "sasl");
#undef ALL
	snprintf(text, sizeof text, form, TS, ID, "s1", "a>b", "client", "in",
		 "sasl");
	refuses(text, "1", "\"role\" cannot be \"client\"");
	snprintf(text, sizeof text, form, TS, ID, "s1", "a>b", "receiver",
		 "up", "sasl");
	refuses(text, "1", "\"dir\" cannot be \"up\"");
	snprintf(text, sizeof text, form, TS, ID, "s1", "a>b", "receiver",
		 "in", "bind");
	refuses(text, "1", "\"stage\" cannot be \"bind\"");
	snprintf(text, sizeof text, form, "2026-11-22T12:03:05Z", ID, "s1",
		 "a>b", "receiver", "in", "sasl");
	takes(text, 1);
}

/* ----- bounds ----- */

static void deep_nesting_is_refused(void **state)
{
	size_t depth = 500000;
	char *text = malloc(2 * depth + 1);
	struct result r;

	memset(text, '[', depth);
	memset(text + depth, ']', depth);
	text[2 * depth] = '\n';
	r = read_bytes(text, 2 * depth + 1);
	assert_false(r.good);
	assert_non_null(strstr(r.error.text, "nested too deeply"));
	free(text);
}

static void many_values_are_refused(void **state)
{
	size_t length = 1000 * 1000;
	char *text = malloc(length + 1);
	struct result r;

	text[0] = '[';
	for (size_t i = 1; i < length; i++)
		text[i] = i % 2 ? '0' : ',';
	text[length] = ']';
	r = read_bytes(text, length + 1);
	assert_false(r.good);
	assert_non_null(strstr(r.error.text, "too many values"));
	free(text);
}

static void long_lines_are_refused(void **state)
{
	size_t length = PL_REPORT_LINE + 2;
	char *text = malloc(length);
	struct result r;

	memset(text, 'x', length);
	text[length - 1] = '\n';
	r = read_bytes(text, length);
	assert_false(r.good);
	assert_non_null(strstr(r.error.text, "more than"));
	free(text);
}

/* ----- HTML ----- */

#define SCRIPT \
	"<script type=\"application/x-ndjson\" id=\"parley-trace\">"

static void reads_the_trace_in_html(void **state)
{
	struct result r = read_text(
		"<!DOCTYPE html>\n<html>\n" SCRIPT "\n"
		RECORD("1", "0", "trace.begin",
		       DETAIL "\"raw\":\"\\u003c/script>\",")
		"</script>\n</html>\n");

	assert_true(r.good);
	assert_int_equal(r.report.count, 1);
	assert_string_equal(r.report.traces[0].records[0].raw, "</script>");
	pl_report_finish(&r.report);
	takes("  <html>" SCRIPT "</script>", 0);
	refuses("<html>\n</html>", "1", "without a trace");
	refuses("<html>\n" SCRIPT "\n" GOOD, "1", "no end");
	refuses("<html>\n\n" SCRIPT "\nx\n</script>", "4", "no JSON");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_a_record),
		cmocka_unit_test(absent_texts_are_empty),
		cmocka_unit_test(sorts_by_time_then_number),
		cmocka_unit_test(a_gap_is_incomplete),
		cmocka_unit_test(traces_may_be_mixed),
		cmocka_unit_test(copies_count_once),
		cmocka_unit_test(white_space_and_nothing),
		cmocka_unit_test(a_cut_line_is_left_out),
		cmocka_unit_test(no_json),
		cmocka_unit_test(foreign_text_in_a_sentence_is_printable),
		cmocka_unit_test(every_key_is_checked),
		cmocka_unit_test(every_list_is_closed),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(many_values_are_refused),
		cmocka_unit_test(long_lines_are_refused),
		cmocka_unit_test(reads_the_trace_in_html),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
