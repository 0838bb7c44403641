/* Lines: their form in text and JSON, quoting, cutting, destinations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture.h"

#include <jansson.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <syslog.h>

/* ----- what goes to syslog ----- */

static int syslog_priority;
static char syslog_text[8192];

void __wrap_syslog(int priority, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void __wrap___syslog_chk(int priority, int flag, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

void __wrap_syslog(int priority, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(syslog_text, sizeof syslog_text, format, ap);
	va_end(ap);
	syslog_priority = priority;
}

void __wrap___syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list ap;

	(void)flag;
	va_start(ap, format);
	vsnprintf(syslog_text, sizeof syslog_text, format, ap);
	va_end(ap);
	syslog_priority = priority;
}

/* ----- helpers ----- */

static void value_is(const char *value, size_t length, const char *text,
		     const char *json_text)
{
	struct capture capture;
	struct pl_log_line line;
	char expected[512];
	json_t *root;

	capture_open(&capture, PL_LOG_INFO, PL_LOG_TEXT);
	pl_log_begin(&line, capture.log, PL_LOG_INFO);
	pl_log_bytes(&line, "k", value, length);
	pl_log_end(&line);
	snprintf(expected, sizeof expected,
		 "2026-11-22T12:03:05.109Z info k=%s\n", text);
	assert_string_equal(capture_read(&capture), expected);
	capture_close(&capture);

	capture_open(&capture, PL_LOG_INFO, PL_LOG_JSON);
	pl_log_begin(&line, capture.log, PL_LOG_INFO);
	pl_log_bytes(&line, "k", value, length);
	pl_log_end(&line);
	root = json_loads(capture_read(&capture), 0, NULL);
	assert_non_null(root);
	assert_string_equal(json_string_value(json_object_get(root, "k")),
			    json_text);
	json_decref(root);
	capture_close(&capture);
}

static void value(const char *bytes, const char *text, const char *json_text)
{
	value_is(bytes, strlen(bytes), text, json_text);
}

/* ----- tests ----- */

static void plain_values_stand_bare(void **state)
{
	value("alpha.example", "alpha.example", "alpha.example");
	value("127.0.0.3:5269", "127.0.0.3:5269", "127.0.0.3:5269");
	value("[::1]:5269", "[::1]:5269", "[::1]:5269");
	value("b\xc3\xbc" "cher.example", "b\xc3\xbc" "cher.example",
	      "b\xc3\xbc" "cher.example");
}

static void others_are_quoted(void **state)
{
	value("", "\"\"", "");
	value("two words", "\"two words\"", "two words");
	value("a=b", "\"a=b\"", "a=b");
	value("say \"no\"", "\"say \\\"no\\\"\"", "say \"no\"");
	value("back\\slash", "\"back\\\\slash\"", "back\\slash");
}

/* A peer must neither start a new line nor move the cursor. */
static void controls_are_told_as_text(void **state)
{
	value("a\nb", "\"a\\\\x0ab\"", "a\\x0ab");
	value("\x1b[2J", "\"\\\\x1b[2J\"", "\\x1b[2J");
	value_is("a\0b", 3, "\"a\\\\x00b\"", "a\\x00b");
	value("x event=negotiated method=sasl-over-tls",
	      "\"x event=negotiated method=sasl-over-tls\"",
	      "x event=negotiated method=sasl-over-tls");
	value("\xff\xfe", "\"\\\\xff\\\\xfe\"", "\\xff\\xfe");
	value("a\xe2\x80\xae" "b", "aU+202Eb", "aU+202Eb");
}

static void keys_stand_in_order(void **state)
{
	static const char *const list[] = { "sasl-over-tls", "tls-dialback" };
	struct capture capture;
	struct pl_log_line line;

	for (int format = PL_LOG_TEXT; format <= PL_LOG_JSON; format++) {
		capture_open(&capture, PL_LOG_DEBUG, format);
		pl_log_begin(&line, capture.log, PL_LOG_NOTICE);
		pl_log_text(&line, "stream", "3f2a");
		pl_log_number(&line, "row", 7);
		pl_log_number(&line, "least", INT64_MIN);
		pl_log_list(&line, "expected", list, 2);
		pl_log_list(&line, "nothing", list, 0);
		pl_log_end(&line);
		pl_log_end(&line); /* once is enough */
		assert_string_equal(capture_read(&capture),
			format == PL_LOG_TEXT
			? "2026-11-22T12:03:05.109Z notice stream=3f2a row=7 "
			  "least=-9223372036854775808 "
			  "expected=sasl-over-tls,tls-dialback nothing=none\n"
			: "{\"time\":\"2026-11-22T12:03:05.109Z\","
			  "\"level\":\"notice\",\"stream\":\"3f2a\",\"row\":7,"
			  "\"least\":-9223372036854775808,"
			  "\"expected\":[\"sasl-over-tls\",\"tls-dialback\"],"
			  "\"nothing\":[]}\n");
		capture_close(&capture);
	}
}

static void levels_filter(void **state)
{
	struct capture capture;

	capture_open(&capture, PL_LOG_NOTICE, PL_LOG_TEXT);
	assert_true(pl_log_wants(capture.log, PL_LOG_ERROR));
	assert_true(pl_log_wants(capture.log, PL_LOG_NOTICE));
	assert_false(pl_log_wants(capture.log, PL_LOG_INFO));
	pl_log_event(capture.log, PL_LOG_INFO, "not", "there");
	pl_log_event(capture.log, PL_LOG_ERROR, "disk.full", "%d left", 3);
	assert_string_equal(capture_read(&capture),
			    "2026-11-22T12:03:05.109Z error event=disk.full "
			    "message=\"3 left\"\n");
	capture_close(&capture);
}

static void no_log_is_fine(void **state)
{
	struct pl_log_line line;

	pl_log_begin(&line, NULL, PL_LOG_ERROR);
	pl_log_text(&line, "k", "v");
	pl_log_number(&line, "n", 1);
	pl_log_list(&line, "l", NULL, 0);
	pl_log_end(&line);
	pl_log_event(NULL, PL_LOG_ERROR, "a", "b");
	pl_log_free(NULL);
	assert_false(pl_log_wants(NULL, PL_LOG_ERROR));
}

/* However much there is to say, a line has its bound, ends in a newline and,
 * as JSON, still parses. Each length of filling moves the cut by one byte. */
static void long_lines_are_cut(void **state)
{
	static const char *const list[] = { "\"\"\"\"\"\"\"\"\"\"\"\"", "\\",
					    "\xc3\xbc\xc3\xbc\xc3\xbc" };
	char hostile[4000];

	for (size_t i = 0; i < sizeof hostile; i++)
		hostile[i] = "\"\\\n\x9f\"a="[i % 7];
	for (size_t cut = 0; cut < 80; cut++) {
		for (int format = PL_LOG_TEXT; format <= PL_LOG_JSON; format++) {
			struct capture capture;
			struct pl_log_line line;
			const char *text;
			size_t length;

			capture_open(&capture, PL_LOG_INFO, format);
			pl_log_begin(&line, capture.log, PL_LOG_INFO);
			pl_log_bytes(&line, "filling", hostile, cut);
			for (int i = 0; i < 12; i++)
				pl_log_bytes(&line, "k", hostile,
					     sizeof hostile - (size_t)i);
			for (int i = 0; i < 30; i++)
				pl_log_list(&line, "l", list, 3);
			for (int i = 0; i < 30; i++)
				pl_log_number(&line, "n", INT64_MIN);
			pl_log_end(&line);
			text = capture_read(&capture);
			length = strlen(text);
			assert_true(length > 7500 && length <= 8192);
			assert_ptr_equal(strchr(text, '\n'), text + length - 1);
			if (format == PL_LOG_JSON) {
				json_t *root = json_loads(text, 0, NULL);

				assert_non_null(root);
				json_decref(root);
			}
			capture_close(&capture);
		}
	}
}

static void syslog_has_its_own_prefix(void **state)
{
	static const int priorities[] = { LOG_ERR, LOG_WARNING, LOG_NOTICE,
					  LOG_INFO, LOG_DEBUG };
	struct pl_log_settings settings = { PL_LOG_DEBUG, PL_LOG_TEXT,
					    "syslog" };
	struct pl_log *log = pl_log_new(&settings, test_clock, NULL, NULL);

	assert_non_null(log);
	for (int level = PL_LOG_ERROR; level <= PL_LOG_DEBUG; level++) {
		pl_log_event(log, level, "a.b", "100%% %s", "%s%n");
		assert_string_equal(syslog_text,
				    "event=a.b message=\"100% %s%n\"");
		assert_int_equal(syslog_priority,
				 LOG_DAEMON | priorities[level]);
	}
	settings.format = PL_LOG_JSON;
	assert_true(pl_log_reopen(log, &settings, NULL));
	pl_log_event(log, PL_LOG_INFO, "a.b", "c");
	assert_string_equal(syslog_text,
			    "{\"time\":\"2026-11-22T12:03:05.109Z\","
			    "\"level\":\"info\",\"event\":\"a.b\","
			    "\"message\":\"c\"}");
	pl_log_free(log);
}

static void a_rotated_file_is_opened_anew(void **state)
{
	struct capture capture;
	struct pl_log_settings settings = { PL_LOG_INFO, PL_LOG_TEXT, NULL };
	struct pl_error error = { 0 };
	char rotated[80];
	struct stat status;

	capture_open(&capture, PL_LOG_INFO, PL_LOG_TEXT);
	settings.destination = capture.path;
	pl_log_event(capture.log, PL_LOG_INFO, "one", "1");
	snprintf(rotated, sizeof rotated, "%s.1", capture.path);
	assert_int_equal(rename(capture.path, rotated), 0);
	pl_log_event(capture.log, PL_LOG_INFO, "two", "2");
	assert_true(pl_log_reopen(capture.log, &settings, &error));
	pl_log_event(capture.log, PL_LOG_INFO, "three", "3");
	assert_string_equal(capture_read(&capture),
			    "2026-11-22T12:03:05.109Z info event=three "
			    "message=3\n");
	assert_int_equal(stat(capture.path, &status), 0);
	assert_int_equal(status.st_mode & 0137, 0); /* at most 0640 */

	/* what cannot be opened leaves the old one in place */
	settings.destination = "/nonexistent/parley.log";
	assert_false(pl_log_reopen(capture.log, &settings, &error));
	assert_non_null(strstr(error.text, "/nonexistent/parley.log"));
	pl_log_event(capture.log, PL_LOG_INFO, "four", "4");
	assert_non_null(strstr(capture_read(&capture), "event=four"));
	unlink(rotated);
	capture_close(&capture);
	assert_null(pl_log_new(&settings, test_clock, NULL, &error));
}

/* A line that got in by half, one that did not at all; then there is room. */
static void a_full_disk_is_told_later(void **state)
{
	struct rlimit limit, small;
	struct capture capture;

	(void)state;
	capture_open(&capture, PL_LOG_INFO, PL_LOG_TEXT);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = (struct rlimit){ 60, limit.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	pl_log_event(capture.log, PL_LOG_INFO, "one", "1");
	pl_log_event(capture.log, PL_LOG_INFO, "two", "2");
	pl_log_event(capture.log, PL_LOG_INFO, "three", "3");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	pl_log_event(capture.log, PL_LOG_INFO, "four", "4");
	pl_log_event(capture.log, PL_LOG_INFO, "five", "5");
	assert_string_equal(capture_read(&capture),
		"2026-11-22T12:03:05.109Z info event=one message=1\n"
		"2026-11-22\n"
		"2026-11-22T12:03:05.109Z error event=log lost=2 message="
		"\"lines before this one could not be written\"\n"
		"2026-11-22T12:03:05.109Z info event=four message=4\n"
		"2026-11-22T12:03:05.109Z info event=five message=5\n");
	capture_close(&capture);
}

static void level_names_read_back(void **state)
{
	enum pl_log_level level;

	for (int i = PL_LOG_ERROR; i <= PL_LOG_DEBUG; i++) {
		assert_true(pl_log_level_parse(pl_log_level_name(i), &level));
		assert_int_equal(level, i);
	}
	assert_false(pl_log_level_parse("Info", &level));
	assert_false(pl_log_level_parse("", &level));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_values_stand_bare),
		cmocka_unit_test(others_are_quoted),
		cmocka_unit_test(controls_are_told_as_text),
		cmocka_unit_test(keys_stand_in_order),
		cmocka_unit_test(levels_filter),
		cmocka_unit_test(no_log_is_fine),
		cmocka_unit_test(long_lines_are_cut),
		cmocka_unit_test(syslog_has_its_own_prefix),
		cmocka_unit_test(a_rotated_file_is_opened_anew),
		cmocka_unit_test(a_full_disk_is_told_later),
		cmocka_unit_test(level_names_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
