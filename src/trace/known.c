/*
 * The keys of a negotiation while it lives. A peer may say a key again where no
 * key belongs (in the text of an error, an attribute, a message): it becomes
 * its tag there, too. A part of 16 bytes from its front counts, since texts are
 * cut; shorter keys are not remembered, they could be anything.
 */
#include "internal.h"

#include <stdlib.h>

enum {
	KNOWN_KEYS = 8,   /* of a trace; then the oldest is forgotten */
	KNOWN_LEAST = 16,
	KNOWN_BYTES = 64, /* as long as ours; of longer ones the front */
};

struct known {
	struct known *next;
	size_t length;
	bool cut;
	unsigned char digest[DIGEST_BYTES];
	char text[KNOWN_BYTES];
};

static void forget(struct known **link)
{
	struct known *known = *link;

	*link = known->next;
	pl_wipe(known, sizeof *known);
	free(known);
}

void known_wipe(struct pl_trace *trace)
{
	while (trace->known != NULL)
		forget(&trace->known);
}

/* As the newest; there may be one of the same digest. */
static void put(struct pl_trace *trace, struct known *known)
{
	struct known **link = &trace->known;
	unsigned count = 1;

	while (*link != NULL) {
		if (memcmp((*link)->digest, known->digest, DIGEST_BYTES) == 0 ||
		    count == KNOWN_KEYS) {
			forget(link);
			continue;
		}
		link = &(*link)->next;
		count++;
	}
	known->next = trace->known;
	trace->known = known;
}

void known_add(struct pl_trace *trace, const char *secret, size_t length,
	       const unsigned char digest[DIGEST_BYTES])
{
	struct known *known;

	if (length < KNOWN_LEAST ||
	    (trace->known != NULL &&
	     memcmp(trace->known->digest, digest, DIGEST_BYTES) == 0))
		return;
	known = calloc(1, sizeof *known);
	if (known == NULL)
		return;
	known->cut = length > KNOWN_BYTES;
	known->length = known->cut ? KNOWN_BYTES : length;
	memcpy(known->text, secret, known->length);
	memcpy(known->digest, digest, DIGEST_BYTES);
	put(trace, known);
}

void known_move(struct pl_trace *trace, struct pl_trace *to)
{
	while (trace->known != NULL) {
		struct known *known = trace->known;

		trace->known = known->next;
		put(to, known);
	}
}

/* How many bytes there are the key's, at least KNOWN_LEAST. The rest of a key
 * that is longer than what is kept of it is whatever stands there together. */
static size_t extent(const struct known *known, const char *at, size_t room)
{
	size_t length = KNOWN_LEAST;

	while (length < known->length && length < room &&
	       at[length] == known->text[length])
		length++;
	while (known->cut && length >= KNOWN_BYTES && length < room &&
	       at[length] > ' ' && strchr("<>&\"'", at[length]) == NULL)
		length++;
	return length;
}

bool known_find(const struct pl_trace *trace, const char *bytes, size_t length,
		struct echo *echo)
{
	const struct known *known = trace != NULL ? trace->known : NULL;

	echo->at = length;
	for (; known != NULL; known = known->next) {
		const char *at = memmem(bytes, length, known->text,
					KNOWN_LEAST);

		if (at == NULL || (size_t)(at - bytes) >= echo->at)
			continue;
		echo->at = (size_t)(at - bytes);
		echo->length = extent(known, at, length - echo->at);
		echo->digest = known->digest;
	}
	return echo->at < length;
}

void known_mask(const struct pl_trace *trace, char *text)
{
	char tag[TAG_LENGTH];
	struct echo echo;
	size_t length = strlen(text);

	while (known_find(trace, text, length, &echo)) {
		mask_tag(trace, echo.digest, tag);
		memcpy(text + echo.at, tag, TAG_LENGTH);
		text += echo.at + TAG_LENGTH;
		length -= echo.at + echo.length;
		memmove(text, text + echo.length - TAG_LENGTH, length + 1);
	}
}
