/* Markup, and text of strangers within it. */
#include "view.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More marks than this on one letter reach into other lines. */
enum { MARKS = 2 };
/* A value that is longer would push what matters off the page. */
enum { VALUE = 600 };

void ink_text(struct ink *ink, const char *markup)
{
	ink->ok = ink->ok && pl_buffer_text(ink->out, markup);
}

void ink_format(struct ink *ink, const char *format, ...)
{
	char text[1024], *large = NULL;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	if (n >= (int)sizeof text) {
		va_start(ap, format);
		n = vasprintf(&large, format, ap);
		va_end(ap);
	}
	ink->ok = ink->ok && n >= 0 &&
		  pl_buffer_append(ink->out, large != NULL ? large : text,
				   (size_t)n);
	free(large);
}

size_t ink_decode(const char *text, size_t length, unsigned *code)
{
	static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)text;
	size_t n = s[0] < 0x80 ? 1
		 : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
		 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
		 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : 0;

	*code = INK_BROKEN;
	if (n == 0 || n > length)
		return 1;
	if (n == 1) {
		*code = s[0];
		return 1;
	}
	unsigned c = s[0] & (0xff >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 1;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 1;
	*code = c;
	return n;
}

struct range {
	unsigned first, last;
};

static bool within(unsigned code, const struct range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (code <= ranges[i].last)
			return code >= ranges[i].first;
	return false;
}
#define WITHIN(code, ranges) \
	within(code, ranges, sizeof ranges / sizeof *ranges)

/* Marks that stand on the letter before them. */
static bool is_mark(unsigned code)
{
	static const struct range marks[] = {
		{ 0x300, 0x36f }, { 0x483, 0x489 }, { 0x591, 0x5bd },
		{ 0x5bf, 0x5bf }, { 0x5c1, 0x5c2 }, { 0x5c4, 0x5c5 },
		{ 0x610, 0x61a }, { 0x64b, 0x65f }, { 0x6d6, 0x6dc },
		{ 0x6df, 0x6e4 }, { 0xe31, 0xe31 }, { 0xe34, 0xe3a },
		{ 0xe47, 0xe4e }, { 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff },
		{ 0x20d0, 0x20ff }, { 0x302a, 0x302f }, { 0x3099, 0x309a },
		{ 0xfe20, 0xfe2f },
	};

	return WITHIN(code, marks);
}

bool ink_hidden(unsigned code)
{
	static const struct range hidden[] = {
		{ 0x00, 0x1f }, { 0x7f, 0xa0 }, { 0xad, 0xad },
		{ 0x34f, 0x34f }, { 0x61c, 0x61c }, { 0x115f, 0x1160 },
		{ 0x1680, 0x1680 }, { 0x17b4, 0x17b5 }, { 0x180b, 0x180f },
		{ 0x2000, 0x200f }, { 0x2028, 0x202f }, { 0x205f, 0x206f },
		{ 0x2800, 0x2800 }, { 0x3000, 0x3000 }, { 0x3164, 0x3164 },
		{ 0xe000, 0xf8ff }, { 0xfdd0, 0xfdef }, { 0xfe00, 0xfe0f },
		{ 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 }, { 0xfff0, 0xffff },
		{ 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a },
		{ 0xe0000, 0x10ffff },
	};

	return (code & 0xfffe) == 0xfffe || WITHIN(code, hidden);
}

/*
 * The visible form of one character into piece[16]: itself, U+NNNN, or \xNN
 * where it is no UTF-8. *marks counts those on the letter in hand. Returns how
 * many bytes were read.
 */
static size_t visible(char piece[16], const char *text, size_t length,
		      unsigned *marks)
{
	unsigned code;
	size_t n = ink_decode(text, length, &code);

	*marks = is_mark(code) ? *marks + 1 : 0;
	if (code == INK_BROKEN)
		snprintf(piece, 16, "\\x%02x", (unsigned char)*text);
	else if (ink_hidden(code) || *marks > MARKS)
		snprintf(piece, 16, "U+%04X", code);
	else
		snprintf(piece, 16, "%.*s", (int)n, text);
	return n;
}

static const char *entity(char c)
{
	switch (c) {
	case '&': return "&amp;";
	case '<': return "&lt;";
	case '>': return "&gt;";
	case '"': return "&quot;";
	case '\'': return "&#39;";
	}
	return NULL;
}

static bool is_safe(char c)
{
	return c >= ' ' && c < 0x7f && entity(c) == NULL;
}

static bool html_bytes(struct pl_buffer *out, const char *text, size_t length)
{
	unsigned marks = 0;

	for (size_t i = 0; i < length;) {
		char piece[16];
		size_t n = 0;

		while (i + n < length && is_safe(text[i + n]))
			n++;
		if (n > 0) {
			marks = 0;
			if (!pl_buffer_append(out, text + i, n))
				return false;
			i += n;
			continue;
		}
		i += visible(piece, text + i, length - i, &marks);
		if (!pl_buffer_text(out, entity(*piece) != NULL ? entity(*piece)
							       : piece))
			return false;
	}
	return true;
}

bool pl_report_html_text(struct pl_buffer *out, const char *text)
{
	return html_bytes(out, text, strlen(text));
}

void ink_peer(struct ink *ink, const char *text)
{
	ink_bytes(ink, text, strlen(text));
}

void ink_bytes(struct ink *ink, const char *text, size_t length)
{
	ink->ok = ink->ok && html_bytes(ink->out, text, length);
}

void ink_value(struct ink *ink, const char *text)
{
	size_t length = strlen(text), cut = length;

	if (length > VALUE)
		for (cut = VALUE; cut > 0 && (text[cut] & 0xc0) == 0x80;)
			cut--;
	ink_bytes(ink, text, cut);
	if (cut < length)
		ink_format(ink, " ... (%zu bytes more in the trace)",
			   length - cut);
}

char *ink_visible(char *out, size_t size, const char *text)
{
	size_t used = 0, cut = 0, length = strnlen(text, 4 * size);
	unsigned marks = 0;

	for (size_t i = 0; i < length;) {
		char piece[16];
		size_t wide;

		i += visible(piece, text + i, length - i, &marks);
		wide = strlen(piece);
		if (used + wide + 1 > size) {
			memcpy(out + cut, "...", 4);
			return out;
		}
		memcpy(out + used, piece, wide);
		used += wide;
		if (used + 4 <= size)
			cut = used;
	}
	out[used] = '\0';
	return out;
}

size_t ink_wrap(const char *text, unsigned columns, size_t *skip)
{
	size_t length = pl_report_break(text, columns);

	*skip = strspn(text + length, " ");
	return length;
}

const char *ink_span(char out[24], uint64_t us)
{
	if (us < 10000)
		snprintf(out, 24, "%.1f ms", (double)us / 1000);
	else if (us < 1000000)
		snprintf(out, 24, "%.0f ms", (double)us / 1000);
	else
		snprintf(out, 24, "%.1f s", (double)us / 1000000);
	return out;
}
