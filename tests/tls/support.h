/* Certificates, engines in pairs, and peers of plain OpenSSL for the tests. */
#ifndef TESTS_TLS_SUPPORT_H
#define TESTS_TLS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "parley/tls.h"

/* ----- certificates on disk ----- */

/* Group set-up: *state is a NULL-ended list of "DOMAIN VARIANT" words for
 * tools/make-certs. They are made in a folder of their own. */
int make_certs(void **state);
int remove_certs(void **state);
/* The path of a file in that folder; good until 8 more were asked for. */
const char *certs_path(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
/* "DOMAIN.VARIANT" as an identity; must load. */
struct pl_tls_identity *load_identity(const char *name);
struct pl_tls_trust *load_trust(const char *file);

/* ----- certificates of our own making ----- */

struct mint {
	const char *subject;       /* CN; NULL: none */
	const char *issuer;        /* file stem in the folder; NULL: itself */
	const GENERAL_NAMES *names;/* NULL: none */
	long from, until;          /* seconds from now; 0 and 0: a day around */
	bool ca;
};
/* Writes STEM.crt and STEM.key, with P-256. */
void mint(const char *stem, const struct mint *how);
/* Puts an otherName or dNSName of raw bytes into the list. */
void add_dns(GENERAL_NAMES *names, const char *bytes, int length);
void add_other(GENERAL_NAMES *names, const char *oid, int type,
	       const char *bytes, int length);

/* ----- engines ----- */

struct pl_tls *initiate(struct pl_tls_trust *trust,
			struct pl_tls_identity *identity, const char *domain);
struct pl_tls *receive(struct pl_tls_trust *trust,
		       struct pl_tls_identity *identity);
/* Moves bytes until both are quiet, at most `chunk` at once (0: all). */
void shuttle(struct pl_tls *a, struct pl_tls *b, size_t chunk);
/* Starts both and shuttles; both must get ready. */
void connect_pair(struct pl_tls *initiating, struct pl_tls *receiving);
enum pl_certificate verdict_of(struct pl_tls *tls, const char *domain);

/* ----- a peer of plain OpenSSL ----- */

/* A context that takes anything: any version from TLS 1.0, security level 0,
 * no verification. name: certificate to show, or NULL. */
SSL_CTX *raw_context(const char *name);
SSL *raw_peer(SSL_CTX *context, bool server);
/* Moves bytes between an engine and a raw peer until both are quiet. */
void shuttle_raw(struct pl_tls *tls, SSL *raw);

#endif
