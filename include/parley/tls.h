/*
 * tls.h: TLS as an engine (bytes in, bytes out), and certificate identity.
 *
 *     ciphertext -> pl_tls_feed ----> pl_tls_read  -> plaintext
 *     plaintext  -> pl_tls_write ---> pl_tls_drain -> ciphertext
 *
 * The engine owns no socket. After every feed, write or shutdown the owner
 * drains what must go out. The handshake never fails because of the peer's
 * certificate: the verdict is recorded and the core decides (RFC 6120 13.7).
 * TLS 1.2 or newer; no renegotiation, tickets, session cache, compression or
 * early data. ALPN xmpp-server (XEP-0368) is offered by the initiating side; a
 * receiving side selects it, does without it, and refuses offers that lack it.
 *
 * Identity is ours: DNS-ID, SRV-ID (_xmpp-server) and XmppAddr, wildcards as
 * the whole left-most label and for exactly one, never the Common Name (RFC
 * 6120 13.7.1.2, RFC 9525). Both directions want the server purpose or no
 * extended key usage.
 */
#ifndef PARLEY_TLS_H
#define PARLEY_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "parley/base.h"
#include "parley/machine.h"

/* ----- our own certificates ----- */

/* A certificate chain with its key, shared by many engines. */
struct pl_tls_identity;

/* Loads PEM files. Fails with a sentence for: a missing or unreadable file, no
 * certificate in it, a key that does not fit, a key with a passphrase. */
struct pl_tls_identity *pl_tls_identity_new(const char *certificate_file,
					    const char *key_file,
					    struct pl_error *error);
struct pl_tls_identity *pl_tls_identity_ref(struct pl_tls_identity *identity);
void pl_tls_identity_unref(struct pl_tls_identity *identity); /* NULL fine */

/* Does its certificate name this domain (A- or U-label form)? */
bool pl_tls_identity_covers(const struct pl_tls_identity *identity,
			    const char *domain);
time_t pl_tls_identity_not_after(const struct pl_tls_identity *identity);
time_t pl_tls_identity_not_before(const struct pl_tls_identity *identity);
/* Does it have an extended key usage without clientAuth (without serverAuth)?
 * Some peers insist on clientAuth. */
bool pl_tls_identity_lacks_client(const struct pl_tls_identity *identity);
bool pl_tls_identity_lacks_server(const struct pl_tls_identity *identity);

/* What its certificate is made of, for who shows it. */
struct pl_tls_description {
	char key[32];       /* "RSA", "EC P-256", "ED25519" */
	int bits;
	char digest[24];    /* of the signature on it, "SHA256"; "": the
	                     * signature's kind has no choice of one */
	char usage[200];    /* "digitalSignature, keyEncipherment"; "": no
	                     * restriction */
	char purposes[200]; /* "serverAuth, clientAuth"; "": no restriction */
	bool may_sign;      /* keyUsage lets it sign handshakes */
	int certificates;   /* in the file, the leaf included */
};
void pl_tls_identity_describe(const struct pl_tls_identity *identity,
			      struct pl_tls_description *description);
/* Its names, one a call: "DNS:", "SRV:" or "XMPP:" and a name, printable. `at`
 * is 0 at first, and then theirs; false: there are no more. */
bool pl_tls_identity_name(const struct pl_tls_identity *identity, int *at,
			  char *out, size_t size);

/* ----- whom we trust ----- */

/* The trust anchors, shared by many engines. */
struct pl_tls_trust;

/* ca_file and ca_directory may be NULL or ""; both empty: the system's store.
 * Fails for a file that is missing or holds no certificate. */
struct pl_tls_trust *pl_tls_trust_new(const char *ca_file,
				      const char *ca_directory,
				      struct pl_error *error);
struct pl_tls_trust *pl_tls_trust_ref(struct pl_tls_trust *trust);
void pl_tls_trust_unref(struct pl_tls_trust *trust);

/* ----- one connection ----- */

struct pl_tls;

/* One TLSA record (RFC 6698), only ever from a DNSSEC-secure answer. */
struct pl_tls_dane {
	uint8_t usage, selector, matching;
	const unsigned char *data; /* borrowed, copied by pl_tls_initiating */
	size_t length;
};

struct pl_tls_initiate {
	struct pl_tls_trust *trust;       /* not NULL */
	struct pl_tls_identity *identity; /* NULL: show no certificate */
	const char *domain;               /* target domain: SNI and identity */
	const char *sni;                  /* another name to show; NULL: domain */
	const char *base_domain;          /* SRV target, for DANE names; may be
	                                   * NULL */
	const struct pl_tls_dane *dane;   /* NULL: no DANE */
	size_t dane_count;
};

/* The initiating side. NULL (with a sentence) when memory or OpenSSL fails. */
struct pl_tls *pl_tls_initiating(const struct pl_tls_initiate *how,
				 struct pl_error *error);

/* Chooses the identity for a name shown by SNI (normal form, or NULL for none);
 * may return NULL to go on with the default. Borrowed. */
typedef struct pl_tls_identity *(*pl_tls_choose)(void *owner,
						 const char *sni);

struct pl_tls_receive {
	struct pl_tls_trust *trust;       /* not NULL */
	struct pl_tls_identity *identity; /* of the stream's `to`, or, on direct
	                                   * TLS, the default; not NULL */
	pl_tls_choose choose;             /* NULL: SNI does not matter */
	void *owner;
	bool refuse;                      /* whatever certificate comes, by an
	                                   * alert (unknown CA): for tests of
	                                   * the peer */
};

/* The receiving side; asks for a certificate, never insists. */
struct pl_tls *pl_tls_receiving(const struct pl_tls_receive *how,
				struct pl_error *error);
void pl_tls_free(struct pl_tls *tls); /* NULL is fine */

/* Has every secret of this connection told, as a line of an NSS key log, the
 * moment it is made: inside the call that takes or makes the bytes that need it
 * first. For captures that somebody asked for, never in a daemon. Only before
 * pl_tls_start. */
typedef void (*pl_tls_secret)(void *owner, const char *line);
void pl_tls_tell_secrets(struct pl_tls *tls, pl_tls_secret secret, void *owner);

enum pl_tls_status {
	PL_TLS_HANDSHAKING,
	PL_TLS_READY,     /* handshake done, data may flow */
	PL_TLS_PEER_DONE, /* close_notify came; plaintext before it is kept */
	PL_TLS_FAILED,    /* pl_tls_failure, pl_tls_failure_text */
};

/* Begins the handshake (the initiating side then has bytes to drain). */
enum pl_tls_status pl_tls_start(struct pl_tls *tls);
/* Takes ciphertext. Once READY, read until 0 after each feed, and only then look
 * at pl_tls_status: data comes before the PEER_DONE or FAILED behind it. What
 * came along with the end of the handshake is met by that reading, too. */
enum pl_tls_status pl_tls_feed(struct pl_tls *tls, const void *bytes,
			       size_t length);
enum pl_tls_status pl_tls_status(const struct pl_tls *tls);
/* Plaintext that arrived: returns bytes put into out (0: none now; the status
 * may then have changed). */
size_t pl_tls_read(struct pl_tls *tls, void *out, size_t size);
/* Encrypts; false when not READY or on a fault. */
bool pl_tls_write(struct pl_tls *tls, const void *bytes, size_t length);
/* Ciphertext to send: appended to out and removed here; false: out is full. */
bool pl_tls_drain(struct pl_tls *tls, struct pl_buffer *out);
/* Gives back what empty buffers hold (2.5 KB); the next bytes get it again. */
void pl_tls_rest(struct pl_tls *tls);
/* Produces close_notify. */
void pl_tls_shutdown(struct pl_tls *tls);
/* TCP ended: FAILED while handshaking, else as PEER_DONE (unclean). */
enum pl_tls_status pl_tls_eof(struct pl_tls *tls);

/* After FAILED. alert says whether the peer's last alert refuses our
 * certificate (bad, unsupported, revoked, expired, unknown certificate,
 * unknown CA, certificate required, access denied). It may also come after the
 * handshake (TLS 1.3): then status is FAILED and this tells. */
enum pl_tls_failure pl_tls_failure(const struct pl_tls *tls, bool *alert);
/* The library's words, e.g. "alert certificate expired"; "" without. */
const char *pl_tls_failure_text(const struct pl_tls *tls);

/* After the handshake: "TLSv1.3", "TLS_AES_256_GCM_SHA384", ALPN or "". */
const char *pl_tls_version(const struct pl_tls *tls);
const char *pl_tls_cipher(const struct pl_tls *tls);
const char *pl_tls_alpn(const struct pl_tls *tls);

/* ----- the peer's certificate ----- */

enum { PL_TLS_SANS = 16 };

/* What an established connection is, for who writes it down. All texts are
 * printable. */
struct pl_tls_facts {
	char group[32];           /* of the key exchange: "x25519"; or "" */
	char sni[256];            /* "" where none was sent */
	bool certificate;         /* the peer showed one; else nothing below */
	char subject[256], issuer[256]; /* one line each, RFC 2253 */
	size_t sans_count;        /* at most PL_TLS_SANS are kept */
	char sans[PL_TLS_SANS][280]; /* "DNS:", "SRV:" or "XMPP:" and a name */
	time_t not_before, not_after; /* 0: unreadable */
	char sha256[65];          /* of the leaf, hex */
	int chain_length;         /* certificates the peer sent */
	bool dane;                /* a TLSA record matched: */
	uint8_t usage, selector, matching;
};
/* Before the handshake is done: nothing at all. */
void pl_tls_facts(const struct pl_tls *tls, struct pl_tls_facts *facts);

struct pl_tls_verdict {
	enum pl_certificate certificate; /* chain, purpose, dates and name */
	bool by_dane;                    /* valid because of DANE */
	int chain_length;                /* certificates the peer sent */
	char text[256];                  /* in words, with what is missing: the
	                                  * issuer that is not known, the names
	                                  * that it has, the date; printable */
};

/* Judges the peer's certificate for a domain. May be asked for several domains
 * of one connection (multiplexed pairs) and again later: dates are judged at
 * `now`. Chain validation happened in the handshake. PL_CERT_NONE when there
 * is no certificate. A certificate with a bad chain and a wrong name is
 * reported by its chain. chain-incomplete: the peer sent the leaf alone and its
 * issuer, which is not the leaf itself, is unknown. */
void pl_tls_judge(struct pl_tls *tls, const char *domain, time_t now,
		  struct pl_tls_verdict *verdict);
/* Is the peer's leaf the same as the other connection's (XEP-0344 2.6)? */
bool pl_tls_same_certificate(struct pl_tls *a, struct pl_tls *b);
/* notAfter of the peer's certificate; 0 without one. */
time_t pl_tls_peer_not_after(struct pl_tls *tls);

#endif
