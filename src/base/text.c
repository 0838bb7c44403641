/* Text of strangers, made fit to be shown. */
#include "parley/base.h"

#include <stdio.h>
#include <string.h>

size_t pl_text_decode(const char *text, size_t length, unsigned *code)
{
	const unsigned char *s = (const unsigned char *)text;
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

bool pl_text_hidden(unsigned c)
{
	/* in ascending order */
	static const struct { unsigned first, last; } ranges[] = {
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

	if (c >= 0x20 && c < 0x7f)
		return false;
	if ((c & 0xfffe) == 0xfffe)
		return true;
	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
		if (c <= ranges[i].last)
			return c >= ranges[i].first;
	return false;
}

char *pl_text_printable(char *out, size_t out_size, const char *text,
			size_t length)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t used = 0, cut = 0; /* cut: where "..." still fits */

	for (size_t i = 0; i < length;) {
		char piece[16];
		unsigned code = 0;
		size_t n = pl_text_decode(text + i, length - i, &code);
		size_t wide = n;

		if (n == 0)
			wide = (size_t)snprintf(piece, sizeof piece, "\\x%02x",
						s[i]);
		else if (pl_text_hidden(code))
			wide = (size_t)snprintf(piece, sizeof piece, code < 0x100
						? "\\x%02x" : "U+%04X", code);
		else
			memcpy(piece, text + i, n);
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

enum { KEY_RUN = 40, CUT_KEY_RUN = 16 };

void pl_text_mask_keys(char *text)
{
	static const char hex[] = "0123456789abcdefABCDEF", tag[] = "[key]";

	while (*(text += strcspn(text, hex)) != '\0') {
		size_t run = strspn(text, hex), rest = strlen(text + run);

		if (run < (rest > 0 ? KEY_RUN : CUT_KEY_RUN)) {
			text += run;
			continue;
		}
		memcpy(text, tag, sizeof tag - 1);
		memmove(text + sizeof tag - 1, text + run, rest + 1);
		text += sizeof tag - 1;
	}
}
