/*
 * What all connections with one certificate have in common, made once: a
 * connection then costs an SSL_new. One context serves both roles.
 */
#include "internal.h"

#include <string.h>

#include <openssl/err.h>

#include "parley/addr.h"

static const unsigned char alpn_offer[] = "\x0bxmpp-server";
enum { ALPN_LENGTH = sizeof alpn_offer - 1 };

/* TLS 1.2: forward secrecy and nothing broken (RFC 9325 4.2). TLS 1.3 has no
 * other. */
static const char ciphers[] =
	"ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:ECDHE+AES:DHE+AES:"
	"!aNULL:!PSK:!SRP:!DSS";

/* 112 bits, for our keys and for the peer's chain: RSA 2048, no SHA-1. */
enum { SECURITY_LEVEL = 2 };

/* Selects xmpp-server, and refuses an offer without it (XEP-0368). */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *length,
		   const unsigned char *offer, unsigned offered, void *unused)
{
	unsigned i = 0;

	while (i < offered) {
		unsigned n = offer[i];

		if (offered - i < ALPN_LENGTH)
			break;
		if (memcmp(offer + i, alpn_offer, ALPN_LENGTH) == 0) {
			*out = offer + i + 1;
			*length = (unsigned char)n;
			return SSL_TLSEXT_ERR_OK;
		}
		i += 1 + n;
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void on_secret(const SSL *ssl, const char *line)
{
	const struct pl_tls *tls = SSL_get_app_data(ssl);

	if (tls != NULL && tls->secret != NULL)
		tls->secret(tls->secret_owner, line);
}

void pl_tls_context_tells(SSL_CTX *context)
{
	SSL_CTX_set_keylog_callback(context, on_secret);
}

/* OpenSSL asks for each ClientHello, with SNI or without, and on the
 * initiating side too. */
static int on_server_name(SSL *ssl, int *alert, void *unused)
{
	struct pl_tls *tls = SSL_get_app_data(ssl);
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	char domain[PL_DOMAIN_SIZE];
	struct pl_tls_identity *identity;
	SSL_CTX *context;

	if (!SSL_is_server(ssl) || tls->choose == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	if (name != NULL && !pl_addr_domain(name, strlen(name), domain, NULL))
		name = NULL;
	identity = tls->choose(tls->owner, name != NULL ? domain : NULL);
	if (identity == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	context = pl_tls_context(identity, tls->trust, NULL);
	if (context == NULL || SSL_set_SSL_CTX(ssl, context) == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	if (tls->secret != NULL)
		pl_tls_context_tells(context);
	return SSL_TLSEXT_ERR_OK;
}

static void on_info(const SSL *ssl, int where, int value)
{
	struct pl_tls *tls = SSL_get_app_data(ssl);

	if (tls != NULL && (where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
		tls->alert = value & 0xff;
}

/* No renegotiation, tickets or resumption: a resumed session runs no
 * validation and keeps an old verdict. */
static void forbid(SSL_CTX *context)
{
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION |
			    SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_num_tickets(context, 0);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_early_data(context, 0);
}

static bool set_up(SSL_CTX *context)
{
	static const unsigned char session_id[] = "parley";

	SSL_CTX_set_security_level(context, SECURITY_LEVEL);
	forbid(context);
	/* Our chain is what its file holds, not what else we trust. */
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS |
			 SSL_MODE_AUTO_RETRY | SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_info_callback(context, on_info);
	SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
	SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(context, pl_tls_verify, NULL);
	/* Without an id a peer that tries to resume gets a fatal alert. */
	return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) &&
	       SSL_CTX_set_cipher_list(context, ciphers) &&
	       SSL_CTX_set_dh_auto(context, 1) &&
	       SSL_CTX_set_session_id_context(context, session_id,
					      sizeof session_id - 1) &&
	       SSL_CTX_set_alpn_protos(context, alpn_offer, ALPN_LENGTH) == 0 &&
	       SSL_CTX_dane_enable(context) > 0;
}

static bool set_trust(SSL_CTX *context, const struct pl_tls_trust *trust)
{
	SSL_CTX_set1_cert_store(context, trust->store);
	return pl_tls_verify_setup(SSL_CTX_get0_param(context), trust);
}

static bool set_identity(SSL_CTX *context, struct pl_tls_identity *identity)
{
	return SSL_CTX_use_cert_and_key(context, identity->leaf, identity->key,
					identity->chain, 1) > 0;
}

static SSL_CTX *new_context(struct pl_tls_identity *identity,
			    const struct pl_tls_trust *trust,
			    struct pl_error *error)
{
	SSL_CTX *context;

	ERR_clear_error();
	context = SSL_CTX_new(TLS_method());
	if (context != NULL && set_up(context) && set_trust(context, trust) &&
	    (identity == NULL || set_identity(context, identity)))
		return context;
	pl_tls_complain(error, "TLS cannot be set up");
	SSL_CTX_free(context);
	return NULL;
}

SSL_CTX *pl_tls_context(struct pl_tls_identity *identity,
			struct pl_tls_trust *trust, struct pl_error *error)
{
	SSL_CTX *context;

	if (identity == NULL) {
		if (trust->context == NULL)
			trust->context = new_context(NULL, trust, error);
		return trust->context;
	}
	if (identity->context_trust == trust)
		return identity->context;
	context = new_context(identity, trust, error);
	if (context == NULL)
		return NULL;
	/* Connections in being keep the old one alive. */
	SSL_CTX_free(identity->context);
	pl_tls_trust_unref(identity->context_trust);
	identity->context = context;
	identity->context_trust = pl_tls_trust_ref(trust);
	return context;
}

bool pl_tls_context_accepts(struct pl_tls_identity *identity,
			    struct pl_error *error)
{
	SSL_CTX *context = SSL_CTX_new(TLS_method());
	bool accepted = false;

	if (context != NULL) {
		SSL_CTX_set_security_level(context, SECURITY_LEVEL);
		accepted = set_identity(context, identity);
	}
	SSL_CTX_free(context);
	if (accepted)
		return true;
	return pl_tls_complain(error, "the certificate cannot be used");
}
