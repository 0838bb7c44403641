/* Secrets to [key#3f9a]: the same key looks the same on every connection of a
 * trace, and its value cannot be found. */
#include "internal.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

static void hmac(const unsigned char key[KEY_BYTES], const void *bytes,
		 size_t length, unsigned char out[EVP_MAX_MD_SIZE])
{
	unsigned wide = 0;

	if (HMAC(EVP_sha256(), key, KEY_BYTES, bytes, length, out, &wide) ==
	    NULL)
		memset(out, 0, EVP_MAX_MD_SIZE);
}

void mask_digest(const struct pl_tracer *tracer, const char *secret,
		 size_t length, unsigned char digest[DIGEST_BYTES])
{
	unsigned char whole[EVP_MAX_MD_SIZE];

	hmac(tracer->key, secret, length, whole);
	memcpy(digest, whole, DIGEST_BYTES);
}

void mask_tag(const struct pl_trace *trace,
	      const unsigned char digest[DIGEST_BYTES], char tag[TAG_LENGTH])
{
	unsigned char whole[EVP_MAX_MD_SIZE];
	char text[TAG_LENGTH + 1];

	hmac(trace->key, digest, DIGEST_BYTES, whole);
	snprintf(text, sizeof text, "[key#%02x%02x]", whole[0], whole[1]);
	memcpy(tag, text, TAG_LENGTH);
}

/* Behind the start tag; length: it never ends. *empty: it is the whole
 * element. */
static size_t behind_start(const char *bytes, size_t length, bool *empty)
{
	const char *open = memchr(bytes, '<', length);
	char quote = 0;

	*empty = false;
	if (open == NULL)
		return 0;
	for (size_t i = (size_t)(open - bytes); i < length; i++) {
		char c = bytes[i];

		if (quote != 0) {
			if (c == quote)
				quote = 0;
		} else if (c == '\'' || c == '"') {
			quote = c;
		} else if (c == '>') {
			*empty = bytes[i - 1] == '/';
			return i + 1;
		}
	}
	/* no start tag of ours to trust: all of it may be the secret */
	return 0;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Where the end tag begins that these bytes end with; length: they end with
 * none, because the element was cut. */
static size_t before_end(const char *bytes, size_t length)
{
	size_t last = length;

	while (last > 0 && is_space(bytes[last - 1]))
		last--;
	if (last == 0 || bytes[last - 1] != '>')
		return length;
	for (size_t i = last - 1; i-- > 1;) {
		if (bytes[i] == '>')
			break;
		if (bytes[i] == '/' && bytes[i - 1] == '<')
			return i - 1;
	}
	return length;
}

bool mask_find(const char *bytes, size_t length, size_t *start, size_t *end)
{
	bool empty;

	*start = behind_start(bytes, length, &empty);
	if (empty)
		return false;
	*end = before_end(bytes, length);
	if (*end < *start)
		*end = length;
	while (*start < *end && is_space(bytes[*start]))
		++*start;
	while (*end > *start && is_space(bytes[*end - 1]))
		--*end;
	return *end > *start;
}
