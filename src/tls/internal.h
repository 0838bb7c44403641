/* What the files of this room know of each other. */
#ifndef PARLEY_TLS_INTERNAL_H
#define PARLEY_TLS_INTERNAL_H

#include "parley/tls.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct pl_tls_identity {
	unsigned references;
	X509 *leaf;                         /* owned */
	STACK_OF(X509) *chain;              /* owned; behind the leaf */
	EVP_PKEY *key;                      /* owned */
	GENERAL_NAMES *names;               /* owned; NULL: the leaf has none */
	SSL_CTX *context;                   /* owned; NULL until asked for */
	struct pl_tls_trust *context_trust; /* owned; whom `context` trusts */
};

struct pl_tls_trust {
	unsigned references;
	X509_STORE *store; /* owned */
	bool revocation;   /* revocation lists may be there */
	SSL_CTX *context;  /* owned; without certificate; NULL until asked for */
	struct pl_tls_known *known; /* owned; chains it found good; NULL: none
	                             * are remembered, for lists may come */
};

/* What the validation of a chain found. Dates and names are left to the
 * verdict: they depend on when, and for whom, it is asked. */
struct pl_tls_proof {
	bool done;
	enum pl_certificate finding; /* PL_CERT_VALID: nothing against it */
	int error, depth;            /* X509_V_ERR_* of the finding; where */
	char *name;                  /* owned; raw; the issuer that is missing,
	                              * or the certificate that is at fault */
	size_t name_length;
	time_t from, until;          /* when all of the chain is valid */
	int from_depth, until_depth; /* whose dates these are */
};

struct pl_tls {
	SSL *ssl;                     /* owned; owns the two memory BIOs */
	struct pl_tls_trust *trust;   /* owned */
	pl_tls_choose choose;         /* receiving; may be NULL */
	void *owner;                  /* of `choose`; borrowed */
	bool refuse;                  /* receiving: any certificate */
	pl_tls_secret secret;         /* NULL: secrets stay here */
	void *secret_owner;           /* borrowed */
	enum pl_tls_status status;
	bool eof, shut;               /* TCP ended; our close_notify is out */
	unsigned char first[3];       /* the peer's first bytes ... */
	uint8_t first_length;         /* ... and how many are known */
	int alert;                    /* the last that the peer sent; -1: none */
	enum pl_tls_failure failure;
	char text[100];

	char *domain, *base_domain;   /* owned; initiating; normal forms */
	bool dane;                    /* at least one record is usable */
	int dane_usage;               /* of the record that matched; -1: none */
	uint8_t dane_selector, dane_matching;

	X509 *leaf;                   /* owned; the peer's; NULL: none */
	GENERAL_NAMES *names;         /* owned; the leaf's; NULL: none */
	int chain_length;
	struct pl_tls_proof proof;    /* by the handshake, DANE included */
	struct pl_tls_proof pkix;     /* without DANE; made when asked for */
};

/* ----- context.c ----- */

/* The context for connections that show this identity (NULL: none); made once,
 * kept by the identity or by the trust. Borrowed; NULL on failure. */
SSL_CTX *pl_tls_context(struct pl_tls_identity *identity,
			struct pl_tls_trust *trust, struct pl_error *error);
/* Tells secrets from here on of those connections that want it told. */
void pl_tls_context_tells(SSL_CTX *context);
/* Would OpenSSL show this identity? (weak keys) False with a sentence. */
bool pl_tls_context_accepts(struct pl_tls_identity *identity,
			    struct pl_error *error);

/* ----- failure.c ----- */

/* Fills the sentence with what OpenSSL says and empties its queue; false. */
bool pl_tls_complain(struct pl_error *error, const char *what);
/* The engine failed: status, failure and text, out of OpenSSL's queue, the
 * peer's alert and its first bytes; without any of these, `otherwise`. */
void pl_tls_fail(struct pl_tls *tls, const char *otherwise);

/* ----- known.c ----- */

enum { KNOWN_DIGEST = 32 };

struct pl_tls_known *pl_tls_known_new(void);
void pl_tls_known_free(struct pl_tls_known *known); /* NULL is fine */
/* Of a leaf and what came with it (NULL: nothing). */
bool pl_tls_known_digest(struct pl_tls_known *known, const X509 *leaf,
			 const STACK_OF(X509) *others,
			 unsigned char digest[KNOWN_DIGEST]);
/* Was it found good, and may it still be now? */
bool pl_tls_known_find(struct pl_tls_known *known,
		       const unsigned char digest[KNOWN_DIGEST], time_t now,
		       struct pl_tls_proof *proof);
/* Remembers a proof of PL_CERT_VALID, without a name. */
void pl_tls_known_put(struct pl_tls_known *known,
		      const unsigned char digest[KNOWN_DIGEST],
		      const struct pl_tls_proof *proof);

/* ----- names.c ----- */

/* Do these names cover the domain (any form)? */
bool pl_tls_names_cover(const GENERAL_NAMES *names, const char *domain);
/* Appends the first few names, as raw bytes. */
void pl_tls_names_list(const GENERAL_NAMES *names, struct pl_buffer *out);
/* The n-th of the names that count, "DNS:b.example", printable; false: there
 * are no more. `at` is 0 at first and then theirs. */
bool pl_tls_names_next(const GENERAL_NAMES *names, int *at, char *out,
		       size_t size);
/* subjectAltName of a certificate; NULL without, or when it is broken. */
GENERAL_NAMES *pl_tls_names_of(const X509 *certificate);

/* ----- verify.c ----- */

time_t pl_tls_time(const ASN1_TIME *time); /* 0 when it cannot be read */
/* How chains are validated, in both directions. */
bool pl_tls_verify_setup(X509_VERIFY_PARAM *param,
			 const struct pl_tls_trust *trust);
/* For SSL_CTX_set_cert_verify_callback: fills tls->proof, returns 1 (but where
 * any certificate is to be refused). */
int pl_tls_verify(X509_STORE_CTX *ctx, void *unused);
/* Fills tls->pkix, once: the chain as if there were no DANE records. */
void pl_tls_verify_pkix(struct pl_tls *tls);
void pl_tls_proof_finish(struct pl_tls_proof *proof);

#endif
