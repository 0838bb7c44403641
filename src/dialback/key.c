/* Dialback keys: HMAC-SHA256 keyed with the hexadecimal text of the secret's
 * digest (XEP-0185 2; standards KEY-1). */
#include "parley/dialback.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/core_names.h>
#include <openssl/rand.h>

enum { DIGEST_SIZE = 32, HEX_SIZE = 2 * DIGEST_SIZE };

_Static_assert(HEX_SIZE + 1 == PL_DIALBACK_KEY_SIZE, "a key is a digest");

static void write_hex(char out[HEX_SIZE + 1],
		      const unsigned char digest[DIGEST_SIZE])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < DIGEST_SIZE; i++) {
		out[2 * i] = digits[digest[i] >> 4];
		out[2 * i + 1] = digits[digest[i] & 15];
	}
	out[HEX_SIZE] = '\0';
}

/* Empties OpenSSL's queue, which the next user of it would read otherwise. */
static bool fail(struct pl_error *error, const char *what)
{
	const char *why = ERR_reason_error_string(ERR_peek_error());

	pl_error_set(error, "%s: %s", what, why == NULL ? "OpenSSL failed"
							: why);
	ERR_clear_error();
	return false;
}

bool pl_dialback_init(struct pl_dialback *dialback, const void *secret,
		      size_t length, struct pl_error *error)
{
	unsigned char digest[DIGEST_SIZE];
	bool done;

	memset(dialback, 0, sizeof *dialback);
	if (length == 0)
		return pl_error_set(error, "the dialback secret is empty");
	done = EVP_Q_digest(NULL, "SHA256", NULL, secret, length, digest,
			    NULL);
	if (done)
		write_hex(dialback->hmac_key, digest);
	pl_wipe(digest, sizeof digest);
	return done || fail(error, "hashing the dialback secret");
}

bool pl_dialback_init_random(struct pl_dialback *dialback,
			     struct pl_error *error)
{
	unsigned char secret[DIGEST_SIZE];
	bool done;

	memset(dialback, 0, sizeof *dialback);
	if (RAND_priv_bytes(secret, sizeof secret) != 1)
		return fail(error, "drawing a dialback secret");
	done = pl_dialback_init(dialback, secret, sizeof secret, error);
	pl_wipe(secret, sizeof secret);
	return done;
}

void pl_dialback_finish(struct pl_dialback *dialback)
{
	pl_wipe(dialback, sizeof *dialback);
}

static bool update(EVP_MAC_CTX *mac, const char *text)
{
	return EVP_MAC_update(mac, (const unsigned char *)text, strlen(text));
}

static bool compute(EVP_MAC_CTX *mac, const char *hmac_key,
		    const char *receiving, const char *originating,
		    const char *stream_id, unsigned char digest[DIGEST_SIZE])
{
	char name[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name,
						 0),
		OSSL_PARAM_construct_end(),
	};
	size_t size = 0;

	return EVP_MAC_init(mac, (const unsigned char *)hmac_key, HEX_SIZE,
			    params) &&
	       update(mac, receiving) && update(mac, " ") &&
	       update(mac, originating) && update(mac, " ") &&
	       update(mac, stream_id) &&
	       EVP_MAC_final(mac, digest, &size, DIGEST_SIZE) &&
	       size == DIGEST_SIZE;
}

/*
 * A space joins the three texts, so one inside a domain would make the key of
 * one pair the key of another: "a" + "b c" and "a b" + "c". No domain has one.
 * Without a stream id a key would be good on every stream.
 */
static bool are_distinct(const char *receiving, const char *originating,
			 const char *stream_id)
{
	return receiving[0] != '\0' && strchr(receiving, ' ') == NULL &&
	       originating[0] != '\0' && strchr(originating, ' ') == NULL &&
	       stream_id[0] != '\0';
}

bool pl_dialback_key(const struct pl_dialback *dialback,
		     const char *receiving, const char *originating,
		     const char *stream_id, char out[PL_DIALBACK_KEY_SIZE])
{
	unsigned char digest[DIGEST_SIZE];
	EVP_MAC_CTX *context;
	EVP_MAC *mac;
	bool done;

	out[0] = '\0';
	if (dialback->hmac_key[0] == '\0' ||
	    !are_distinct(receiving, originating, stream_id))
		return false;
	mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	context = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
	done = context != NULL &&
	       compute(context, dialback->hmac_key, receiving, originating,
		       stream_id, digest);
	EVP_MAC_CTX_free(context); /* cleanses the key */
	EVP_MAC_free(mac);
	if (!done)
		return fail(NULL, "making a dialback key");
	write_hex(out, digest);
	pl_wipe(digest, sizeof digest);
	return true;
}

bool pl_dialback_check(const struct pl_dialback *dialback,
		       const char *receiving, const char *originating,
		       const char *stream_id, const char *key, size_t length)
{
	char ours[PL_DIALBACK_KEY_SIZE];
	bool same;

	/* The length of our keys is no secret. Exactly our bytes: KEY-6. */
	if (length != HEX_SIZE)
		return false;
	if (!pl_dialback_key(dialback, receiving, originating, stream_id, ours))
		return false;
	same = pl_equal_secret(ours, key, HEX_SIZE);
	pl_wipe(ours, sizeof ours);
	return same;
}
