/*
 * Chains that were validated before. A partner comes back with the certificate
 * that it had, and building and checking its chain again is a seventh of what a
 * handshake costs. Only what was found good is remembered, under a digest of
 * every certificate that the peer showed, with the trust it was found good by:
 * other trust (a reload) begins with nothing. That the peer holds the key is
 * proven in each handshake all the same, and names and dates are judged anew.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

enum { KNOWN = 512 }; /* 64 KB at most */

struct known {
	bool used;
	unsigned char digest[KNOWN_DIGEST];
	struct pl_tls_proof proof;
};

struct pl_tls_known {
	EVP_MD *sha256;      /* owned */
	EVP_MD_CTX *context; /* owned */
	struct known chains[KNOWN]; /* the newest of those that share a place */
};

struct pl_tls_known *pl_tls_known_new(void)
{
	struct pl_tls_known *known = pl_calloc(1, sizeof *known);

	known->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	known->context = EVP_MD_CTX_new();
	return known;
}

void pl_tls_known_free(struct pl_tls_known *known)
{
	if (known == NULL)
		return;
	EVP_MD_CTX_free(known->context);
	EVP_MD_free(known->sha256);
	free(known);
}

/* Each certificate behind its length, so that no two lists are alike. */
static bool add_certificate(EVP_MD_CTX *context, const X509 *certificate)
{
	unsigned char *der = NULL;
	int length = i2d_X509(certificate, &der);
	bool good = length > 0 &&
		    EVP_DigestUpdate(context, &length, sizeof length) &&
		    EVP_DigestUpdate(context, der, (size_t)length);

	OPENSSL_free(der);
	return good;
}

bool pl_tls_known_digest(struct pl_tls_known *known, const X509 *leaf,
			 const STACK_OF(X509) *others,
			 unsigned char digest[KNOWN_DIGEST])
{
	EVP_MD_CTX *context = known->context;
	unsigned length = 0;

	if (context == NULL || known->sha256 == NULL ||
	    !EVP_DigestInit_ex(context, known->sha256, NULL) ||
	    !add_certificate(context, leaf))
		return false;
	for (int i = 0; i < sk_X509_num(others); i++)
		if (!add_certificate(context, sk_X509_value(others, i)))
			return false;
	return EVP_DigestFinal_ex(context, digest, &length) &&
	       length == KNOWN_DIGEST;
}

static struct known *place_of(struct pl_tls_known *known,
			      const unsigned char digest[KNOWN_DIGEST])
{
	return &known->chains[(digest[0] | digest[1] << 8) % KNOWN];
}

bool pl_tls_known_find(struct pl_tls_known *known,
		       const unsigned char digest[KNOWN_DIGEST], time_t now,
		       struct pl_tls_proof *proof)
{
	const struct known *found = place_of(known, digest);

	/* Outside of its dates another chain may do. */
	if (!found->used || now < found->proof.from ||
	    now > found->proof.until ||
	    memcmp(found->digest, digest, KNOWN_DIGEST) != 0)
		return false;
	*proof = found->proof;
	return true;
}

void pl_tls_known_put(struct pl_tls_known *known,
		      const unsigned char digest[KNOWN_DIGEST],
		      const struct pl_tls_proof *proof)
{
	struct known *place = place_of(known, digest);

	place->used = true;
	memcpy(place->digest, digest, KNOWN_DIGEST);
	place->proof = *proof;
}
