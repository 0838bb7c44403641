/* Text in columns, and details of records. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

/* ----- characters ----- */

/* Length of a character of valid UTF-8, and what it is. */
static size_t decode(const char *text, unsigned *code)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	*code = n == 1 ? s[0] : s[0] & (0xff >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return i;
		*code = *code << 6 | (s[i] & 0x3f);
	}
	return n;
}

struct range {
	unsigned first, last;
};

static bool within(const struct range *ranges, size_t count, unsigned code)
{
	for (size_t i = 0; i < count; i++) {
		if (code <= ranges[i].last)
			return code >= ranges[i].first;
	}
	return false;
}

/* Two columns: East Asian wide and fullwidth, pictures (Unicode, UAX 11). */
static bool wide(unsigned code)
{
	static const struct range ranges[] = {
		{ 0x1100, 0x115f }, { 0x231a, 0x231b }, { 0x2329, 0x232a },
		{ 0x23e9, 0x23ec }, { 0x23f0, 0x23f0 }, { 0x23f3, 0x23f3 },
		{ 0x25fd, 0x25fe }, { 0x2614, 0x2615 }, { 0x2648, 0x2653 },
		{ 0x267f, 0x267f }, { 0x2693, 0x2693 }, { 0x26a1, 0x26a1 },
		{ 0x26aa, 0x26ab }, { 0x26bd, 0x26be }, { 0x26c4, 0x26c5 },
		{ 0x26ce, 0x26ce }, { 0x26d4, 0x26d4 }, { 0x26ea, 0x26ea },
		{ 0x26f2, 0x26f3 }, { 0x26f5, 0x26f5 }, { 0x26fa, 0x26fa },
		{ 0x26fd, 0x26fd }, { 0x2705, 0x2705 }, { 0x270a, 0x270b },
		{ 0x2728, 0x2728 }, { 0x274c, 0x274c }, { 0x274e, 0x274e },
		{ 0x2753, 0x2755 }, { 0x2757, 0x2757 }, { 0x2795, 0x2797 },
		{ 0x27b0, 0x27b0 }, { 0x27bf, 0x27bf }, { 0x2b1b, 0x2b1c },
		{ 0x2b50, 0x2b50 }, { 0x2b55, 0x2b55 }, { 0x2e80, 0x303e },
		{ 0x3041, 0x33ff }, { 0x3400, 0x4dbf }, { 0x4e00, 0xa4cf },
		{ 0xa960, 0xa97c }, { 0xac00, 0xd7a3 }, { 0xf900, 0xfaff },
		{ 0xfe10, 0xfe19 }, { 0xfe30, 0xfe6f }, { 0xff00, 0xff60 },
		{ 0xffe0, 0xffe6 }, { 0x16fe0, 0x18cff }, { 0x1b000, 0x1b2ff },
		{ 0x1f004, 0x1f004 }, { 0x1f0cf, 0x1f0cf },
		{ 0x1f18e, 0x1f18e }, { 0x1f191, 0x1f19a },
		{ 0x1f200, 0x1f64f }, { 0x1f680, 0x1f6ff },
		{ 0x1f7e0, 0x1f7eb }, { 0x1f900, 0x1f9ff },
		{ 0x1fa70, 0x1faff }, { 0x20000, 0x3fffd },
	};

	return within(ranges, sizeof ranges / sizeof *ranges, code);
}

char *pl_report_plain(char *out, size_t size, const char *text, bool unicode)
{
	char all[4096];
	size_t used = 0, cut = 0; /* cut: where "..." still fits */

	if (unicode)
		return pl_text_printable(out, size, text, strlen(text));
	pl_text_printable(all, sizeof all, text, strlen(text));
	for (const char *at = all; *at != '\0';) {
		char piece[16];
		unsigned code;

		at += decode(at, &code);
		snprintf(piece, sizeof piece, code < 0x80 ? "%c" : "U+%04X",
			 code);
		if (used + strlen(piece) + 1 > size) {
			memcpy(out + cut, "...", 4);
			return out;
		}
		memcpy(out + used, piece, strlen(piece));
		used += strlen(piece);
		if (used + 4 <= size)
			cut = used;
	}
	out[used] = '\0';
	return out;
}

/* A mark that stands over another character is counted as a column of its own:
 * where a terminal shows it so, no line grows; where not, one is shorter. */
static unsigned columns(unsigned code)
{
	return wide(code) ? 2 : 1;
}

unsigned pl_report_cells(const char *text)
{
	unsigned cells = 0, code;

	while (*text != '\0') {
		text += decode(text, &code);
		cells += columns(code);
	}
	return cells;
}

size_t pl_report_fit(const char *text, unsigned cells)
{
	size_t used = 0;
	unsigned code;

	while (text[used] != '\0') {
		size_t n = decode(text + used, &code);

		if (columns(code) > cells)
			break;
		cells -= columns(code);
		used += n;
	}
	return used;
}

size_t pl_report_break(const char *text, unsigned cells)
{
	size_t fit = pl_report_fit(text, cells), at = fit;
	unsigned code;

	if (fit == 0 && *text != '\0')
		return decode(text, &code);
	if (text[fit] == '\0' || text[fit] == ' ')
		return fit;
	while (at > 0 && text[at - 1] != ' ')
		at--;
	/* A word as long as half a line is broken itself. */
	return at > fit / 2 ? at : fit;
}

/* ----- details ----- */

bool pl_report_is(const struct pl_report_record *record, const char *event)
{
	return strcmp(record->event, event) == 0;
}

const char *pl_report_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

int64_t pl_report_number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (json_is_real(value)) {
		double real = json_real_value(value);

		return real > -9e15 && real < 9e15 ? (int64_t)real : 0;
	}
	return json_integer_value(value);
}

bool pl_report_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}
