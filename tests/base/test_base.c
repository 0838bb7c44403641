/* Buffers against a model, error records, text of strangers. */
#include "parley/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ----- buffers ----- */

static void a_zeroed_buffer_is_empty(void **state)
{
	struct pl_buffer buffer = { 0 };

	assert_non_null(pl_buffer_bytes(&buffer));
	pl_buffer_consume(&buffer, 5);
	assert_int_equal(buffer.length, 0);
	assert_true(pl_buffer_append(&buffer, NULL, 0));
	pl_buffer_trim(&buffer);
	pl_buffer_wipe(&buffer);
	pl_buffer_finish(&buffer);
	pl_buffer_finish(&buffer);
}

static void a_limit_holds_to_the_byte(void **state)
{
	struct pl_buffer buffer;

	pl_buffer_init(&buffer, 10);
	assert_true(pl_buffer_text(&buffer, "12345"));
	assert_false(pl_buffer_text(&buffer, "678901"));
	assert_int_equal(buffer.length, 5);
	assert_memory_equal(pl_buffer_bytes(&buffer), "12345", 5);
	assert_true(pl_buffer_text(&buffer, "67890"));
	assert_false(pl_buffer_text(&buffer, "x"));
	assert_true(pl_buffer_append(&buffer, "", 0));
	pl_buffer_consume(&buffer, 1);
	assert_true(pl_buffer_text(&buffer, "x"));
	assert_false(pl_buffer_text(&buffer, "y"));
	assert_memory_equal(pl_buffer_bytes(&buffer), "234567890x", 10);
	pl_buffer_finish(&buffer);
	assert_int_equal(buffer.limit, 10);
	assert_false(pl_buffer_text(&buffer, "12345678901"));
	pl_buffer_finish(&buffer);
}

static void an_absurd_length_is_refused(void **state)
{
	struct pl_buffer buffer;

	pl_buffer_init(&buffer, 0);
	assert_true(pl_buffer_text(&buffer, "a"));
	assert_false(pl_buffer_append(&buffer, "a", SIZE_MAX));
	assert_false(pl_buffer_append(&buffer, "a", SIZE_MAX / 2));
	assert_int_equal(buffer.length, 1);
	pl_buffer_finish(&buffer);
}

static void printf_small_and_large(void **state)
{
	char text[3000];
	struct pl_buffer buffer;

	memset(text, 'x', sizeof text);
	pl_buffer_init(&buffer, 4000);
	for (int n = 509; n < 516; n++) {
		assert_true(pl_buffer_printf(&buffer, "%.*s", n, text));
		assert_int_equal(buffer.length, n);
		assert_memory_equal(pl_buffer_bytes(&buffer), text, n);
		pl_buffer_consume(&buffer, (size_t)n);
	}
	assert_true(pl_buffer_printf(&buffer, "%d:%.2999s", 7, text));
	assert_int_equal(buffer.length, 3001);
	assert_false(pl_buffer_printf(&buffer, "%.1000s", text));
	assert_int_equal(buffer.length, 3001);
	assert_memory_equal(pl_buffer_bytes(&buffer), "7:x", 3);
	pl_buffer_finish(&buffer);
}

/* A queue of known bytes: the n-th byte ever appended is pattern(n). */
static unsigned char pattern(size_t n)
{
	return (unsigned char)(n * 31 + (n >> 8) * 7);
}

static void check_against_model(const struct pl_buffer *buffer, size_t read,
				size_t written)
{
	const unsigned char *bytes = pl_buffer_bytes(buffer);

	assert_int_equal(buffer->length, written - read);
	for (size_t i = read; i < written; i++)
		if (bytes[i - read] != pattern(i))
			fail_msg("byte %zu differs", i);
}

static void random_use_agrees_with_a_model(void **state)
{
	size_t read = 0, written = 0;
	unsigned char chunk[700];
	struct pl_buffer buffer;
	unsigned seed = 5;

	pl_buffer_init(&buffer, 5000);
	for (int step = 0; step < 20000; step++) {
		size_t n = (size_t)rand_r(&seed) % sizeof chunk;
		bool grow = rand_r(&seed) % 100 < (step / 2000 % 2 ? 60 : 40);

		if (grow) {
			for (size_t i = 0; i < n; i++)
				chunk[i] = pattern(written + i);
			assert_int_equal(pl_buffer_append(&buffer, chunk, n),
					 written - read + n <= 5000);
			if (written - read + n <= 5000)
				written += n;
		} else {
			size_t held = written - read;

			pl_buffer_consume(&buffer, n);
			read += n < held ? n : held;
		}
		if (rand_r(&seed) % 50 == 0)
			pl_buffer_trim(&buffer);
		assert_true(buffer.start + buffer.length <= buffer.capacity);
		if (step % 16 == 0)
			check_against_model(&buffer, read, written);
	}
	assert_true(written > 1000000);
	pl_buffer_finish(&buffer);
}

/* A long queue that is fed and drained in small pieces must neither grow without
 * end nor be copied at every piece. */
static void a_sliding_queue_stays_cheap(void **state)
{
	enum { HELD = 64 * 1024 - 8, PIECE = 8 };
	unsigned char piece[PIECE];
	struct pl_buffer buffer;
	const unsigned char *last = NULL;
	size_t moves = 0;

	pl_buffer_init(&buffer, 0);
	memset(piece, 'x', sizeof piece);
	while (buffer.length < HELD)
		assert_true(pl_buffer_append(&buffer, piece, PIECE));
	for (int i = 0; i < 100000; i++) {
		size_t start;

		pl_buffer_consume(&buffer, PIECE);
		start = buffer.start;
		assert_true(pl_buffer_append(&buffer, piece, PIECE));
		moves += buffer.data != last || buffer.start < start;
		last = buffer.data;
	}
	assert_int_equal(buffer.length, HELD);
	assert_true(buffer.capacity <= 4 * HELD);
	if (moves > 30)
		fail_msg("%zu moves of the whole queue", moves);
	pl_buffer_finish(&buffer);
}

static void trim_gives_back_only_what_is_empty(void **state)
{
	struct pl_buffer buffer;

	pl_buffer_init(&buffer, 0);
	assert_true(pl_buffer_text(&buffer, "abc"));
	pl_buffer_trim(&buffer);
	assert_int_equal(buffer.length, 3);
	pl_buffer_consume(&buffer, SIZE_MAX);
	assert_int_equal(buffer.length, 0);
	pl_buffer_trim(&buffer);
	assert_null(buffer.data);
	assert_int_equal(buffer.capacity, 0);
}

/* ----- errors ----- */

static void errors_are_set_and_given_context(void **state)
{
	struct pl_error error = { .line = 12 };
	char text[2000];

	assert_false(pl_error_set(NULL, "nobody asked"));
	assert_false(pl_error_context(NULL, "nobody asked"));
	assert_false(pl_error_set(&error, "cannot open %s", "a.pem"));
	assert_string_equal(error.text, "cannot open a.pem");
	assert_false(pl_error_context(&error, "row %d", 7));
	assert_string_equal(error.text, "row 7: cannot open a.pem");
	assert_int_equal(error.line, 12);
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	pl_error_set(&error, "%s", text);
	assert_int_equal(strlen(error.text), sizeof error.text - 1);
	for (int i = 0; i < 5; i++)
		pl_error_context(&error, "%s", text);
	assert_true(strlen(error.text) < sizeof error.text);
}

/* ----- text ----- */

static void shows(const char *text, size_t length, const char *expected)
{
	char out[256];

	assert_ptr_equal(pl_text_printable(out, sizeof out, text, length),
			 out);
	assert_string_equal(out, expected);
}

#define SHOWS(literal, expected) shows(literal, sizeof literal - 1, expected)

static void plain_text_passes(void **state)
{
	SHOWS("", "");
	shows(NULL, 0, "");
	SHOWS("alpha.example", "alpha.example");
	SHOWS("b\xc3\xbc" "cher \xe4\xbe\x8b \xf0\x9f\x90\xb1",
	      "b\xc3\xbc" "cher \xe4\xbe\x8b \xf0\x9f\x90\xb1");
}

static void controls_are_escaped(void **state)
{
	SHOWS("a\r\nb", "a\\x0d\\x0ab");
	SHOWS("\x1b[31mred", "\\x1b[31mred");
	SHOWS("a\0b", "a\\x00b");
	SHOWS("\x7f", "\\x7f");
	SHOWS("\xc2\x9b" "31m", "\\x9b31m");     /* C1: CSI in one character */
	SHOWS("\xc2\x85", "\\x85");              /* next line */
	SHOWS("\xc2\xad", "\\xad");              /* soft hyphen */
	SHOWS("\xe2\x80\xa8", "U+2028");         /* line separator */
}

static void invisible_and_turning_characters_are_escaped(void **state)
{
	SHOWS("a\xe2\x80\xae" "b", "aU+202Eb");
	SHOWS("\xe2\x81\xa6\xe2\x81\xa9", "U+2066U+2069");
	SHOWS("\xe2\x80\x8f\xd8\x9c", "U+200FU+061C");
	SHOWS("\xe2\x80\x8b\xef\xbb\xbf", "U+200BU+FEFF");
	SHOWS("\xef\xbf\xbe\xee\x80\x80", "U+FFFEU+E000");
	SHOWS("\xf3\xa0\x81\x81", "U+E0041");    /* tag characters */
	SHOWS("\xef\xb8\x8f", "U+FE0F");         /* variation selector */
	SHOWS("\xe3\x85\xa4", "U+3164");         /* Hangul filler */
	SHOWS("\xcd\x8f", "U+034F");             /* grapheme joiner */
	SHOWS("\xe2\x80\x83", "U+2003");         /* em space */
}

static void broken_utf8_is_shown_byte_by_byte(void **state)
{
	SHOWS("\xff", "\\xff");
	SHOWS("\x80", "\\x80");
	SHOWS("\xc3", "\\xc3");
	SHOWS("\xc3(", "\\xc3(");
	SHOWS("\xc0\x80", "\\xc0\\x80");         /* overlong NUL */
	SHOWS("\xc1\xbf", "\\xc1\\xbf");
	SHOWS("\xe0\x80\xaf", "\\xe0\\x80\\xaf");
	SHOWS("\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf");
	SHOWS("\xed\xa0\x80", "\\xed\\xa0\\x80"); /* surrogate */
	SHOWS("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
	SHOWS("\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80");
	SHOWS("\xe4\xbe", "\\xe4\\xbe");
	SHOWS("\xe4\xbe\xe4\xbe\x8b", "\\xe4\\xbe\xe4\xbe\x8b");
	shows("\xe4\xbe\x8b", 2, "\\xe4\\xbe");  /* no look beyond the length */
}

/* What is made of every code point: no byte below 0x20, no 0x7f. */
static void nothing_harmful_comes_through(void **state)
{
	char text[4], out[32];

	for (unsigned a = 0; a < 256; a++)
		for (unsigned b = 0; b < 256; b++) {
			text[0] = (char)a;
			text[1] = (char)b;
			pl_text_printable(out, sizeof out, text, 2);
			for (char *p = out; *p != '\0'; p++)
				assert_true((unsigned char)*p >= 0x20 &&
					    *p != 0x7f);
		}
}

/* Every size: the result fits, is whole characters and escapes of the full
 * result, and ends in "..." exactly when something was cut. */
static void cutting_keeps_characters_whole(void **state)
{
	static const char text[] = "a\xc3\xbc\n\xf0\x9f\x90\xb1z\xe2\x80\xae"
				   "\xff" "bc\xe4\xbe\x8b";
	static const char full[] = "a\xc3\xbc\\x0a\xf0\x9f\x90\xb1zU+202E"
				   "\\xff" "bc\xe4\xbe\x8b";
	/* where a character or an escape of `full` ends */
	static const size_t ends[] = { 0, 1, 3, 7, 11, 12, 18, 22, 23, 24, 27 };
	size_t whole = sizeof full - 1;

	assert_int_equal(whole, 27);
	for (size_t size = 8; size < 40; size++) {
		char *out = malloc(size);
		size_t best = 0, length;

		pl_text_printable(out, size, text, sizeof text - 1);
		if (size > whole) {
			assert_string_equal(out, full);
			free(out);
			continue;
		}
		for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
			if (ends[i] + 4 <= size)
				best = ends[i];
		length = strlen(out);
		assert_int_equal(length, best + 3);
		assert_memory_equal(out, full, best);
		assert_string_equal(out + best, "...");
		free(out);
	}
}

/* ----- secrets ----- */

static void secrets_compare_in_every_byte(void **state)
{
	unsigned char a[64], b[64];

	for (size_t i = 0; i < sizeof a; i++)
		a[i] = b[i] = (unsigned char)(i * 5);
	assert_true(pl_equal_secret(a, b, sizeof a));
	assert_true(pl_equal_secret(a, b, 0));
	for (size_t i = 0; i < sizeof a; i++)
		for (unsigned bit = 1; bit < 256; bit <<= 1) {
			b[i] ^= (unsigned char)bit;
			assert_false(pl_equal_secret(a, b, sizeof a));
			b[i] ^= (unsigned char)bit;
		}
}

static void wiping(void **state)
{
	char memory[] = "secret";

	pl_wipe(NULL, 0);
	pl_wipe(memory, 3);
	assert_memory_equal(memory, "\0\0\0ret", 6);
	pl_free_secret(NULL);
	pl_free_secret(pl_strdup("secret"));
	free(pl_calloc(3, 4));
}

static void keys_in_words_are_masked(void **state)
{
#define HEX40 "0123456789abcdefABCDEF012345678901234567"
	static const struct {
		const char *text, *masked;
	} table[] = {
		{ "", "" },
		{ "undefined-condition (bad dad)", "undefined-condition (bad dad)" },
		{ HEX40, "[key]" },
		{ "a " HEX40 "ff, b " HEX40 ".", "a [key], b [key]." },
		{ "id 123456789012345678901234567890123456789 .",
		  "id 123456789012345678901234567890123456789 ." },
		{ "cut 0123456789abcdef", "cut [key]" },
		{ "cut 0123456789abcde", "cut 0123456789abcde" },
	};
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		strcpy(text, table[i].text);
		pl_text_mask_keys(text);
		assert_string_equal(text, table[i].masked);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_zeroed_buffer_is_empty),
		cmocka_unit_test(a_limit_holds_to_the_byte),
		cmocka_unit_test(an_absurd_length_is_refused),
		cmocka_unit_test(printf_small_and_large),
		cmocka_unit_test(random_use_agrees_with_a_model),
		cmocka_unit_test(a_sliding_queue_stays_cheap),
		cmocka_unit_test(trim_gives_back_only_what_is_empty),
		cmocka_unit_test(errors_are_set_and_given_context),
		cmocka_unit_test(plain_text_passes),
		cmocka_unit_test(keys_in_words_are_masked),
		cmocka_unit_test(controls_are_escaped),
		cmocka_unit_test(invisible_and_turning_characters_are_escaped),
		cmocka_unit_test(broken_utf8_is_shown_byte_by_byte),
		cmocka_unit_test(nothing_harmful_comes_through),
		cmocka_unit_test(cutting_keeps_characters_whole),
		cmocka_unit_test(secrets_compare_in_every_byte),
		cmocka_unit_test(wiping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
