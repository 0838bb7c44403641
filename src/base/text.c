/* Text of strangers, made fit to be shown. */
#include "parley/base.h"

#include <stdio.h>
#include <string.h>

/* Decodes one UTF-8 character of at most `length` bytes; its length, or 0 where
 * it is broken (overlong forms and surrogates are). */
static size_t decode(const unsigned char *s, size_t length, unsigned *code)
{
	static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = s[0] < 0x80 ? 1
		 : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
		 : s[0] >= 0xe0 ? 3
		 : s[0] >= 0xc2 ? 2 : 0;

	if (n == 0 || n > length || s[0] > 0xf4)
		return 0;
	*code = n == 1 ? s[0] : s[0] & (0xff >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (s[i] & 0x3f);
	}
	if (*code < least[n] || *code > 0x10ffff ||
	    (*code >= 0xd800 && *code <= 0xdfff))
		return 0;
	return n;
}

/* Controls, invisible and direction-changing characters. */
static bool hidden(unsigned c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0xa0) || c == 0xad ||
	       c == 0x61c || c == 0x180e ||
	       (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202f) ||
	       (c >= 0x205f && c <= 0x206f) || c == 0x3000 || c == 0xfeff ||
	       (c >= 0xe000 && c <= 0xf8ff) || (c >= 0xfff0 && c <= 0xffff) ||
	       c >= 0xe0000;
}

char *pl_text_printable(char *out, size_t out_size, const char *text,
			size_t length)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t used = 0, cut = 0; /* cut: where "..." still fits */

	for (size_t i = 0; i < length;) {
		char piece[16];
		unsigned code = 0;
		size_t n = decode(s + i, length - i, &code), wide;

		if (n == 0)
			snprintf(piece, sizeof piece, "\\x%02x", s[i]);
		else if (hidden(code))
			snprintf(piece, sizeof piece,
				 code < 0x100 ? "\\x%02x" : "U+%04X", code);
		else
			snprintf(piece, sizeof piece, "%.*s", (int)n, text + i);
		wide = strlen(piece);
		if (used + wide + 1 > out_size) {
			memcpy(out + cut, "...", 4);
			return out;
		}
		memcpy(out + used, piece, wide);
		used += wide;
		if (used + 4 <= out_size)
			cut = used;
		i += n == 0 ? 1 : n;
	}
	out[used] = '\0';
	return out;
}
