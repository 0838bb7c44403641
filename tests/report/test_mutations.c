/*
 * Samples changed at random, then read and shown in every way: nothing may
 * crash, no line of a ladder may be wider than it should, and no control of a
 * peer may reach the terminal. The changes are the same each time.
 */
#include "parley/report.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BYTES = 120, VALUES = 150 };

static uint32_t state_of_chance;

static uint32_t chance(uint32_t below)
{
	state_of_chance = state_of_chance * 1664525 + 1013904223;
	return (state_of_chance >> 8) % below;
}

/* ----- what is done with each ----- */

static void check_text(const struct pl_buffer *out, unsigned width)
{
	const char *text = (const char *)pl_buffer_bytes(out);
	char line[2048];

	for (size_t i = 0; i < out->length;) {
		const char *end = memchr(text + i, '\n', out->length - i);
		size_t length = (end ? (size_t)(end - text) : out->length) - i;

		assert_true(length < sizeof line);
		memcpy(line, text + i, length);
		line[length] = '\0';
		if (pl_report_cells(line) > width)
			fail_msg("wider than %u: %s", width, line);
		for (size_t j = 0; j < length; j++)
			if ((unsigned char)line[j] < 0x20 || line[j] == 0x7f)
				fail_msg("a control in: %s", line);
		i += length + 1;
	}
}

static void show_ladder(const struct pl_report_trace *trace, unsigned width,
			bool unicode, unsigned verbose)
{
	const struct pl_report_look look = { .width = width,
					     .unicode = unicode,
					     .verbose = verbose };
	struct pl_buffer out;

	pl_buffer_init(&out, 0);
	assert_true(pl_report_ladder(&out, trace, &look));
	check_text(&out, width);
	pl_buffer_finish(&out);
}

static void show_all(const struct pl_report *report)
{
	const struct pl_report_look look = { .width = 80 };
	struct pl_report_replay replay;
	struct pl_buffer out;

	for (size_t i = 0; i < report->count; i++) {
		const struct pl_report_trace *trace = &report->traces[i];

		show_ladder(trace, 80, false, chance(4));
		show_ladder(trace, 132, true, chance(4));
		pl_buffer_init(&out, 0);
		pl_report_diff(&out, trace, &report->traces[0], &look);
		check_text(&out, 80);
		pl_buffer_finish(&out);
		json_decref(pl_report_json(trace));
		pl_report_replay(trace, &replay);
		pl_buffer_init(&out, 0);
		assert_true(pl_report_svg(&out, trace));
		assert_true(pl_report_mermaid(&out, trace));
		assert_true(pl_report_prom(&out, trace));
		pl_buffer_finish(&out);
	}
	pl_buffer_init(&out, 0);
	assert_true(pl_report_html(&out, report, &look));
	assert_true(pl_report_pcapng(&out, report));
	assert_true(pl_report_stats(&out, report, &look));
	pl_buffer_finish(&out);
}

/* What is cleaned can be read again. */
static void redact(const struct pl_report *report)
{
	struct pl_report again;
	struct pl_error error = { "" };
	struct pl_buffer out;
	bool cut;

	pl_buffer_init(&out, 0);
	assert_true(pl_report_redact(&out, report));
	if (!pl_report_read(&again, (const char *)pl_buffer_bytes(&out),
			    out.length, "redacted", &cut, &error))
		fail_msg("%s", error.text);
	assert_int_equal(again.count, report->count);
	pl_report_finish(&again);
	pl_buffer_finish(&out);
}

/* Returns whether it could be read. */
static bool try(const char *bytes, size_t length)
{
	struct pl_report report;
	struct pl_error error = { "" };
	char *copy = malloc(length + 1);
	bool cut, good;

	memcpy(copy, bytes, length);
	good = pl_report_read(&report, copy, length, "mutation", &cut, &error);
	free(copy);
	if (good) {
		show_all(&report);
		redact(&report);
	} else {
		assert_non_null(strstr(error.text, "mutation:"));
	}
	pl_report_finish(&report);
	return good;
}

/* ----- samples ----- */

static char *load(const char *name, size_t *length)
{
	char path[1024], *bytes = malloc(1 << 20);
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", SAMPLES, name);
	file = fopen(path, "r");
	assert_non_null(file);
	*length = fread(bytes, 1, 1 << 20, file);
	fclose(file);
	return bytes;
}

static void each_sample(void (*change)(const char *bytes, size_t length))
{
	struct dirent **entries;
	int count = scandir(SAMPLES, &entries, NULL, alphasort), seen = 0;

	assert_true(count > 0);
	for (int i = 0; i < count; i++) {
		const char *end = strstr(entries[i]->d_name, ".jsonl");
		size_t length;
		char *bytes;

		if (end != NULL) {
			bytes = load(entries[i]->d_name, &length);
			state_of_chance = 7 + (uint32_t)seen++;
			change(bytes, length);
			free(bytes);
		}
		free(entries[i]);
	}
	free(entries);
	assert_true(seen >= 9);
}

static void as_it_is(const char *bytes, size_t length)
{
	assert_true(try(bytes, length));
}

static void samples_are_good(void **state)
{
	each_sample(as_it_is);
}

/* ----- bytes ----- */

static void change_bytes(const char *bytes, size_t length)
{
	static const char favourites[] = "\"{}[]:,\\u0019e-\n\x1b\xff<>";
	char *copy = malloc(length + 1);

	for (int i = 0; i < BYTES / 10; i++) {
		size_t size = length;

		memcpy(copy, bytes, length);
		for (uint32_t n = chance(3) + 1; n > 0; n--)
			copy[chance((uint32_t)size)] =
				favourites[chance(sizeof favourites - 1)];
		if (chance(3) == 0)
			size = chance((uint32_t)size);
		try(copy, size);
	}
	free(copy);
}

static void changed_bytes_do_no_harm(void **state)
{
	each_sample(change_bytes);
}

/* ----- values ----- */

static json_t *hostile_value(void)
{
	static const char *const texts[] = { "", "\x1b[2J\x1b[31m", "?", "s1",
		"\xe2\x80\xae" "evil", "</script>", "valid", "\xc2\x9b" "1m",
		"[key#0000]", "a.test", "'\"&<>", "\n\r\t",
		"\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2" };
	char longer[6000];
	json_t *value;

	switch (chance(9)) {
	case 0:
		return json_integer((json_int_t)chance(2000000) - 1000000);
	case 1:
		return json_integer(INT64_MAX);
	case 2:
		return json_real(1e300);
	case 3:
		return json_null();
	case 4:
		value = json_array();
		json_array_append_new(value, json_string("x"));
		json_array_append_new(value, json_object());
		json_array_append_new(value, json_integer(-1));
		return value;
	case 5:
		return json_pack("{s:{s:[s]}}", "a", "b", "c");
	case 6:
		memset(longer, "Aa .-<\xc3"[chance(6)], sizeof longer - 1);
		longer[sizeof longer - 1] = '\0';
		return json_string(longer);
	default:
		return json_string(texts[chance(sizeof texts /
						sizeof *texts)]);
	}
}

/* Puts something else in the place of one value, somewhere inside. */
static void spoil(json_t *value, unsigned depth)
{
	size_t size = json_is_object(value) ? json_object_size(value)
					    : json_array_size(value);
	uint32_t which, down = chance(3);
	void *at;

	if (size == 0)
		return;
	which = chance((uint32_t)size);
	if (json_is_array(value)) {
		if (down > 0 && depth < 6)
			spoil(json_array_get(value, which), depth + 1);
		else
			json_array_set_new(value, which, hostile_value());
		return;
	}
	at = json_object_iter(value);
	while (which-- > 0)
		at = json_object_iter_next(value, at);
	if (down > 0 && depth < 6 &&
	    (json_is_object(json_object_iter_value(at)) ||
	     json_is_array(json_object_iter_value(at))))
		spoil(json_object_iter_value(at), depth + 1);
	else if (chance(8) == 0)
		json_object_del(value, json_object_iter_key(at));
	else
		json_object_iter_set_new(value, at, hostile_value());
}

/* A detail of one record, or rarely any key of it. */
static void spoil_line(struct pl_buffer *out, const char *line, size_t length)
{
	json_t *json = json_loadb(line, length, 0, NULL);
	char *text;

	assert_non_null(json);
	if (chance(12) == 0)
		spoil(json, 0);
	else
		spoil(json_object_get(json, "detail"), 0);
	if (chance(4) == 0)
		json_object_set_new(json, "raw", hostile_value());
	text = json_dumps(json, JSON_COMPACT);
	pl_buffer_text(out, text);
	pl_buffer_text(out, "\n");
	free(text);
	json_decref(json);
}

static bool change_values(const char *bytes, size_t length)
{
	struct pl_buffer out;
	const char *end = bytes + length;
	bool good;

	pl_buffer_init(&out, 0);
	while (bytes < end) {
		const char *feed = memchr(bytes, '\n', (size_t)(end - bytes));

		if (chance(20) != 0) {
			if (chance(6) == 0)
				spoil_line(&out, bytes, (size_t)(feed - bytes));
			else
				pl_buffer_append(&out, bytes,
						 (size_t)(feed + 1 - bytes));
		}
		bytes = feed + 1;
	}
	good = try((const char *)pl_buffer_bytes(&out), out.length);
	pl_buffer_finish(&out);
	return good;
}

static int readable;

static void change_values_often(const char *bytes, size_t length)
{
	for (int i = 0; i < VALUES / 10; i++)
		readable += change_values(bytes, length);
}

static void changed_values_do_no_harm(void **state)
{
	each_sample(change_values_often);
	/* Most are traces still: the views have been at work. */
	assert_true(readable > VALUES / 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_are_good),
		cmocka_unit_test(changed_bytes_do_no_harm),
		cmocka_unit_test(changed_values_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
