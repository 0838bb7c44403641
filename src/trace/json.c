/* Characters of a JSON text, written fast. */
#include "internal.h"

#include <stdio.h>

/* Bytes that stand for themselves: printable ASCII but quote and backslash. */
static bool plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

#define EACH(byte) (0x0101010101010101ull * (byte))

/* Is none of eight bytes special? Each test sets the top bit of a byte that
 * fails it (and may set that of others behind one that does). */
static bool eight_plain(const char *bytes)
{
	uint64_t x, quote, backslash, delete;

	memcpy(&x, bytes, sizeof x);
	quote = x ^ EACH('"');
	backslash = x ^ EACH('\\');
	delete = x ^ EACH(0x7f);
	return ((x | (x - EACH(0x20)) | (quote - EACH(1)) |
		 (backslash - EACH(1)) | (delete - EACH(1))) &
		EACH(0x80)) == 0;
}

size_t text_plain(const char *bytes, size_t length)
{
	size_t i = 0;

	while (length - i >= 8 && eight_plain(bytes + i))
		i += 8;
	while (i < length && plain((unsigned char)bytes[i]))
		i++;
	return i;
}

void text_string(struct text *text, const char *string)
{
	text_put(text, string, strlen(string));
}

void text_number(struct text *text, int64_t number)
{
	char digits[24];
	size_t at = sizeof digits;
	uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

	do {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (number < 0)
		digits[--at] = '-';
	text_put(text, digits + at, sizeof digits - at);
}

void text_padded(struct text *text, unsigned number, unsigned width)
{
	char *at = text->data + text->length + width;

	text->length += width;
	for (unsigned i = 0; i < width; i++) {
		*--at = (char)('0' + number % 10);
		number /= 10;
	}
}

static size_t unicode(char *out, unsigned code)
{
	if (code >= 0x10000)
		return (size_t)sprintf(out, "\\u%04x\\u%04x",
				       0xd800 + ((code - 0x10000) >> 10),
				       0xdc00 + ((code - 0x10000) & 0x3ff));
	return (size_t)sprintf(out, "\\u%04x", code);
}

/* One character that does not stand for itself; its bytes, or 1 where they are
 * broken. What a terminal would act upon or not show is escaped too, so that
 * a trace can be looked at as it is. */
static size_t special(const char *bytes, size_t length, char out[16],
		      size_t *wide)
{
	unsigned code = 0;
	size_t n = pl_text_decode(bytes, length, &code);

	if (n == 0) {
		*wide = (size_t)sprintf(out, "\\\\x%02x",
					(unsigned char)*bytes);
		return 1;
	}
	if (code == '"' || code == '\\') {
		out[0] = '\\';
		out[1] = (char)code;
		*wide = 2;
	} else if (code == '\n' || code == '\t' || code == '\r') {
		out[0] = '\\';
		out[1] = code == '\n' ? 'n' : code == '\t' ? 't' : 'r';
		*wide = 2;
	} else if (pl_text_hidden(code)) {
		*wide = unicode(out, code);
	} else {
		memcpy(out, bytes, n);
		*wide = n;
	}
	return n;
}

size_t text_escaped(struct text *text, size_t room, const char *bytes,
		    size_t length)
{
	size_t most = room < text_room(text) ? room : text_room(text);
	size_t end = text->length + most, i = 0;

	while (i < length) {
		size_t run = i + text_plain(bytes + i, length - i), wide, n;
		char piece[16];

		if (run - i > end - text->length)
			run = i + (end - text->length);
		text_put(text, bytes + i, run - i);
		i = run;
		if (i == length || text->length == end)
			break;
		n = special(bytes + i, length - i, piece, &wide);
		if (wide > end - text->length)
			break;
		text_put(text, piece, wide);
		i += n;
	}
	return i;
}

bool text_is_utf8(const char *bytes, size_t length)
{
	for (size_t i = text_plain(bytes, length); i < length;) {
		unsigned code;
		size_t n = pl_text_decode(bytes + i, length - i, &code);

		if (n == 0 || bytes[i] == '\0')
			return false;
		i += n;
		i += text_plain(bytes + i, length - i);
	}
	return true;
}

size_t text_cut(const char *bytes, size_t length, size_t most)
{
	size_t at = most;

	if (length <= most)
		return length;
	for (int back = 0; back < 4 && at > 0; back++, at--) {
		if (((unsigned char)bytes[at] & 0xc0) != 0x80)
			return at;
	}
	return most; /* no UTF-8 anyway */
}
