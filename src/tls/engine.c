/*
 * The engine of one connection: an SSL between two memory BIOs.
 *
 *     HANDSHAKING --> READY --> PEER_DONE     close_notify, or TCP ended
 *          |            |
 *          +----------> FAILED
 *
 * Ciphertext waits in its BIO until the owner reads: what is decrypted goes
 * straight into the owner's memory.
 */
#include "internal.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "parley/addr.h"

/* A BIO that has grown beyond this is given back when it is empty: most
 * connections are idle most of the time. */
enum { KEEP_BYTES = 4096 };

/* ----- making and freeing ----- */

static bool set_bios(SSL *ssl)
{
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

	if (in == NULL || out == NULL) {
		BIO_free(in);
		BIO_free(out);
		return false;
	}
	SSL_set_bio(ssl, in, out);
	return true;
}

static struct pl_tls *new_engine(struct pl_tls_identity *identity,
				 struct pl_tls_trust *trust,
				 struct pl_error *error)
{
	SSL_CTX *context = pl_tls_context(identity, trust, error);
	struct pl_tls *tls;

	if (context == NULL)
		return NULL;
	tls = calloc(1, sizeof *tls);
	if (tls == NULL) {
		pl_error_set(error, "out of memory");
		return NULL;
	}
	tls->trust = pl_tls_trust_ref(trust);
	tls->alert = -1;
	tls->dane_usage = -1;
	ERR_clear_error();
	tls->ssl = SSL_new(context);
	if (tls->ssl == NULL || !set_bios(tls->ssl) ||
	    !SSL_set_app_data(tls->ssl, tls)) {
		pl_tls_complain(error, "TLS");
		pl_tls_free(tls);
		return NULL;
	}
	return tls;
}

void pl_tls_free(struct pl_tls *tls)
{
	if (tls == NULL)
		return;
	SSL_free(tls->ssl);
	X509_free(tls->leaf);
	GENERAL_NAMES_free(tls->names);
	pl_tls_proof_finish(&tls->proof);
	pl_tls_proof_finish(&tls->pkix);
	free(tls->domain);
	free(tls->base_domain);
	pl_tls_trust_unref(tls->trust);
	free(tls);
}

/* A copy in normal form; NULL for what is no domain. */
static char *copy_domain(const char *domain)
{
	char normal[PL_DOMAIN_SIZE];

	if (!pl_addr_domain(domain, strlen(domain), normal, NULL))
		return NULL;
	return strdup(normal);
}

/* Records that cannot be used are passed over; without any usable one the chain
 * is validated as if there were none (RFC 7671 4.1, RFC 6698 4.1). */
static bool add_dane(struct pl_tls *tls, const struct pl_tls_initiate *how)
{
	const char *base = how->base_domain != NULL &&
			   how->base_domain[0] != '\0' ? how->base_domain
						       : how->domain;
	char ascii[PL_ASCII_DOMAIN_SIZE];

	if (how->dane == NULL || how->dane_count == 0)
		return true;
	if (!pl_addr_ascii(base, ascii) || SSL_dane_enable(tls->ssl, ascii) <= 0)
		return false;
	tls->base_domain = copy_domain(base);
	for (size_t i = 0; i < how->dane_count; i++) {
		const struct pl_tls_dane *record = &how->dane[i];
		int added = SSL_dane_tlsa_add(tls->ssl, record->usage,
					      record->selector,
					      record->matching, record->data,
					      record->length);

		if (added < 0)
			return false;
		tls->dane = tls->dane || added > 0;
	}
	ERR_clear_error();
	return tls->base_domain != NULL;
}

static bool set_target(struct pl_tls *tls, const struct pl_tls_initiate *how,
		       struct pl_error *error)
{
	char ascii[PL_ASCII_DOMAIN_SIZE];

	tls->domain = copy_domain(how->domain);
	if (tls->domain == NULL)
		return pl_error_set(error, "TLS: no target domain");
	/* There is no SNI for IP literals (RFC 6066 3). */
	if (pl_addr_ascii(how->sni != NULL ? how->sni : tls->domain, ascii) &&
	    !SSL_set_tlsext_host_name(tls->ssl, ascii))
		return pl_tls_complain(error, "TLS: SNI");
	return add_dane(tls, how) || pl_tls_complain(error, "TLS: DANE");
}

struct pl_tls *pl_tls_initiating(const struct pl_tls_initiate *how,
				 struct pl_error *error)
{
	struct pl_tls *tls = new_engine(how->identity, how->trust, error);

	if (tls == NULL)
		return NULL;
	SSL_set_connect_state(tls->ssl);
	if (set_target(tls, how, error))
		return tls;
	pl_tls_free(tls);
	return NULL;
}

struct pl_tls *pl_tls_receiving(const struct pl_tls_receive *how,
				struct pl_error *error)
{
	struct pl_tls *tls = new_engine(how->identity, how->trust, error);

	if (tls == NULL)
		return NULL;
	tls->choose = how->choose;
	tls->owner = how->owner;
	tls->refuse = how->refuse;
	SSL_set_accept_state(tls->ssl);
	return tls;
}

/* ----- handshake ----- */

/* SSL_get0_dane_authority wants a result without complaints; those that do not
 * count are still in it. */
static void note_dane(struct pl_tls *tls)
{
	uint8_t usage, selector, matching;

	if (!tls->dane || tls->proof.finding != PL_CERT_VALID)
		return;
	SSL_set_verify_result(tls->ssl, X509_V_OK);
	if (SSL_get0_dane_tlsa(tls->ssl, &usage, &selector, &matching, NULL,
			       NULL) < 0)
		return;
	tls->dane_usage = usage;
	tls->dane_selector = selector;
	tls->dane_matching = matching;
}

static void handshake_done(struct pl_tls *tls)
{
	const STACK_OF(X509) *chain = SSL_get_peer_cert_chain(tls->ssl);

	tls->status = PL_TLS_READY;
	tls->leaf = SSL_get1_peer_certificate(tls->ssl);
	if (tls->leaf == NULL)
		return;
	tls->names = pl_tls_names_of(tls->leaf);
	tls->chain_length = chain != NULL ? sk_X509_num(chain) : 0;
	/* On the receiving side OpenSSL leaves the leaf out. */
	if (SSL_is_server(tls->ssl))
		tls->chain_length++;
	note_dane(tls);
	ERR_clear_error();
}

static void handshake(struct pl_tls *tls)
{
	int result;

	ERR_clear_error();
	result = SSL_do_handshake(tls->ssl);
	if (result == 1)
		handshake_done(tls);
	else if (SSL_get_error(tls->ssl, result) != SSL_ERROR_WANT_READ)
		pl_tls_fail(tls, "closed during the handshake");
}

/* OpenSSL has this callback on contexts only, which connections share. */
void pl_tls_tell_secrets(struct pl_tls *tls, pl_tls_secret secret, void *owner)
{
	tls->secret = secret;
	tls->secret_owner = owner;
	pl_tls_context_tells(SSL_get_SSL_CTX(tls->ssl));
}

enum pl_tls_status pl_tls_start(struct pl_tls *tls)
{
	if (tls->status == PL_TLS_HANDSHAKING)
		handshake(tls);
	return tls->status;
}

/* ----- bytes ----- */

/* What a call that wanted to read met instead of data. */
static void on_no_data(struct pl_tls *tls, int result)
{
	int error = SSL_get_error(tls->ssl, result);

	if (error == SSL_ERROR_ZERO_RETURN)
		tls->status = PL_TLS_PEER_DONE;
	else if (error != SSL_ERROR_WANT_READ)
		pl_tls_fail(tls, "broken TLS");
}

/* Finds close_notify, alerts and faults that no data precedes. */
static void look_ahead(struct pl_tls *tls)
{
	char byte;
	int result;

	ERR_clear_error();
	result = SSL_peek(tls->ssl, &byte, 1);
	if (result <= 0)
		on_no_data(tls, result);
}

static void note_first_bytes(struct pl_tls *tls, const unsigned char *bytes,
			     size_t length)
{
	while (length > 0 && tls->first_length < sizeof tls->first) {
		tls->first[tls->first_length++] = *bytes++;
		length--;
	}
}

enum pl_tls_status pl_tls_feed(struct pl_tls *tls, const void *bytes,
			       size_t length)
{
	if (length == 0 || tls->eof || tls->status == PL_TLS_PEER_DONE ||
	    tls->status == PL_TLS_FAILED)
		return tls->status;
	note_first_bytes(tls, bytes, length);
	if (length > INT_MAX || BIO_write(SSL_get_rbio(tls->ssl), bytes,
					  (int)length) != (int)length)
		pl_tls_fail(tls, "out of memory");
	else if (tls->status == PL_TLS_HANDSHAKING)
		handshake(tls);
	else
		look_ahead(tls);
	return tls->status;
}

enum pl_tls_status pl_tls_status(const struct pl_tls *tls)
{
	return tls->status;
}

/* Is the BIO empty, but holds on to more memory than that? */
static bool is_slack(BIO *bio, size_t keep)
{
	BUF_MEM *memory;

	BIO_get_mem_ptr(bio, &memory);
	return memory->length == 0 && memory->max > keep;
}

static void release_input(struct pl_tls *tls, size_t keep)
{
	BIO *bio;

	if (!is_slack(SSL_get_rbio(tls->ssl), keep))
		return;
	bio = BIO_new(BIO_s_mem());
	if (bio != NULL)
		SSL_set0_rbio(tls->ssl, bio);
}

static void release_output(struct pl_tls *tls, size_t keep)
{
	BIO *bio;

	/* In the handshake OpenSSL keeps a BIO of its own in front of it. */
	if (tls->status == PL_TLS_HANDSHAKING ||
	    !is_slack(SSL_get_wbio(tls->ssl), keep))
		return;
	bio = BIO_new(BIO_s_mem());
	if (bio != NULL)
		SSL_set0_wbio(tls->ssl, bio);
}

size_t pl_tls_read(struct pl_tls *tls, void *out, size_t size)
{
	bool readable = tls->status == PL_TLS_READY ||
			(tls->status == PL_TLS_PEER_DONE && tls->eof);
	int result;

	if (!readable || size == 0)
		return 0;
	ERR_clear_error();
	result = SSL_read(tls->ssl, out, size > INT_MAX ? INT_MAX : (int)size);
	if (result > 0)
		return (size_t)result;
	on_no_data(tls, result);
	release_input(tls, KEEP_BYTES);
	return 0;
}

void pl_tls_rest(struct pl_tls *tls)
{
	if (tls->status == PL_TLS_HANDSHAKING)
		return;
	release_input(tls, 0);
	release_output(tls, 0);
}

bool pl_tls_write(struct pl_tls *tls, const void *bytes, size_t length)
{
	size_t written;
	int result;

	if (tls->status != PL_TLS_READY || tls->shut)
		return false;
	if (length == 0)
		return true;
	ERR_clear_error();
	result = SSL_write_ex(tls->ssl, bytes, length, &written);
	if (result == 1 && written == length)
		return true;
	pl_tls_fail(tls, "cannot encrypt");
	return false;
}

bool pl_tls_drain(struct pl_tls *tls, struct pl_buffer *out)
{
	BIO *bio = SSL_get_wbio(tls->ssl);
	char *bytes;
	long length = BIO_get_mem_data(bio, &bytes);

	if (length > 0) {
		if (!pl_buffer_append(out, bytes, (size_t)length))
			return false;
		(void)BIO_reset(bio);
	}
	release_output(tls, KEEP_BYTES);
	return true;
}

void pl_tls_shutdown(struct pl_tls *tls)
{
	if (tls->shut || tls->status == PL_TLS_HANDSHAKING ||
	    tls->status == PL_TLS_FAILED)
		return;
	tls->shut = true;
	ERR_clear_error();
	SSL_shutdown(tls->ssl);
	ERR_clear_error();
}

enum pl_tls_status pl_tls_eof(struct pl_tls *tls)
{
	ERR_clear_error();
	if (tls->status == PL_TLS_HANDSHAKING)
		pl_tls_fail(tls, "closed during the handshake");
	/* What came before may still be read. */
	if (tls->status == PL_TLS_READY) {
		tls->status = PL_TLS_PEER_DONE;
		tls->eof = true;
	}
	return tls->status;
}

/* ----- what was negotiated ----- */

static bool is_established(const struct pl_tls *tls)
{
	return SSL_is_init_finished(tls->ssl) == 1;
}

const char *pl_tls_version(const struct pl_tls *tls)
{
	return is_established(tls) ? SSL_get_version(tls->ssl) : "";
}

const char *pl_tls_cipher(const struct pl_tls *tls)
{
	return is_established(tls) ? SSL_get_cipher_name(tls->ssl) : "";
}

/* It is the only one that we offer or select. */
const char *pl_tls_alpn(const struct pl_tls *tls)
{
	const unsigned char *name;
	unsigned length;

	SSL_get0_alpn_selected(tls->ssl, &name, &length);
	return length > 0 ? "xmpp-server" : "";
}
