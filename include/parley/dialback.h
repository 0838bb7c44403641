/*
 * dialback.h: dialback keys (XEP-0185), nothing else.
 *
 *     key = hex(HMAC-SHA256(hex(SHA256(secret)),
 *                           receiving + " " + originating + " " + stream id))
 *
 * The HMAC key is the 64 characters of the hexadecimal TEXT. Keys are
 * stateless: every process with the same secret makes and checks the same.
 */
#ifndef PARLEY_DIALBACK_H
#define PARLEY_DIALBACK_H

#include <stdbool.h>
#include <stddef.h>

#include "parley/base.h"

enum { PL_DIALBACK_KEY_SIZE = 65 };

struct pl_dialback {
	char hmac_key[65]; /* hex(SHA256(secret)) */
};

/* Takes the secret (its bytes are not kept). */
bool pl_dialback_init(struct pl_dialback *dialback, const void *secret,
		      size_t length, struct pl_error *error);
/* With a secret of 256 random bits that dies with the process. */
bool pl_dialback_init_random(struct pl_dialback *dialback,
			     struct pl_error *error);
void pl_dialback_finish(struct pl_dialback *dialback); /* wipes */

/* Makes the key for a db:result from `originating` to `receiving` on the
 * stream whose response header had `stream_id` (standards KEY-1 to KEY-3). */
bool pl_dialback_key(const struct pl_dialback *dialback,
		     const char *receiving, const char *originating,
		     const char *stream_id, char out[PL_DIALBACK_KEY_SIZE]);

/* Did we make this key? Constant time over the key (KEY-4 to KEY-6). */
bool pl_dialback_check(const struct pl_dialback *dialback,
		       const char *receiving, const char *originating,
		       const char *stream_id, const char *key, size_t length);

#endif
