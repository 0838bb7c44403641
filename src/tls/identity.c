/* Our own certificates: loading them, and what they are good for. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

/* What is sent with each handshake; peers refuse chains above about 100 kB. */
enum { MAX_CHAIN = 16 };

/* Nobody sits at a daemon's terminal: note that one was wanted. */
static int no_passphrase(char *buffer, int size, int writing, void *wanted)
{
	*(bool *)wanted = true;
	return -1;
}

static BIO *open_file(const char *file, struct pl_error *error)
{
	BIO *bio;

	errno = 0;
	bio = BIO_new_file(file, "r");
	if (bio == NULL)
		pl_error_set(error, "cannot read \"%s\": %s", file,
			     strerror(errno));
	ERR_clear_error();
	return bio;
}

/* Is the queue's complaint only that the file has no more PEM blocks? */
static bool at_end_of_file(void)
{
	unsigned long e = ERR_peek_last_error();

	return ERR_GET_LIB(e) == ERR_LIB_PEM &&
	       ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
}

static bool read_chain(struct pl_tls_identity *identity, BIO *bio,
		       const char *file, struct pl_error *error)
{
	bool wanted = false;
	X509 *next;

	identity->leaf = PEM_read_bio_X509(bio, NULL, no_passphrase, &wanted);
	if (identity->leaf == NULL) {
		if (at_end_of_file())
			return pl_error_set(error, "\"%s\" holds no "
					    "certificate", file);
		pl_tls_complain(error, "broken certificate");
		return pl_error_context(error, "\"%s\"", file);
	}
	while ((next = PEM_read_bio_X509(bio, NULL, no_passphrase,
					 &wanted)) != NULL) {
		if (sk_X509_num(identity->chain) >= MAX_CHAIN ||
		    !sk_X509_push(identity->chain, next)) {
			X509_free(next);
			return pl_error_set(error, "\"%s\" holds more than %d "
					    "certificates: a chain is wanted",
					    file, MAX_CHAIN + 1);
		}
	}
	if (at_end_of_file())
		return true;
	pl_tls_complain(error, "broken certificate in the chain");
	return pl_error_context(error, "\"%s\"", file);
}

static bool load_certificates(struct pl_tls_identity *identity,
			      const char *file, struct pl_error *error)
{
	BIO *bio = open_file(file, error);
	bool done;

	if (bio == NULL)
		return false;
	done = read_chain(identity, bio, file, error);
	BIO_free(bio);
	ERR_clear_error();
	identity->names = done ? pl_tls_names_of(identity->leaf) : NULL;
	return done;
}

static bool load_key(struct pl_tls_identity *identity, const char *file,
		     struct pl_error *error)
{
	bool wanted = false;
	BIO *bio = open_file(file, error);

	if (bio == NULL)
		return false;
	identity->key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase,
						&wanted);
	BIO_free(bio);
	ERR_clear_error();
	if (identity->key != NULL)
		return true;
	if (wanted)
		return pl_error_set(error, "the private key \"%s\" has a "
				    "passphrase: remove it (openssl pkey)",
				    file);
	return pl_error_set(error, "\"%s\" holds no private key", file);
}

static bool load(struct pl_tls_identity *identity, const char *certificates,
		 const char *key, struct pl_error *error)
{
	if (!load_certificates(identity, certificates, error) ||
	    !load_key(identity, key, error))
		return false;
	if (!X509_check_private_key(identity->leaf, identity->key)) {
		ERR_clear_error();
		return pl_error_set(error, "the private key \"%s\" does not fit "
				    "the first certificate of \"%s\"", key,
				    certificates);
	}
	return pl_tls_context_accepts(identity, error) ||
	       pl_error_context(error, "\"%s\"", certificates);
}

struct pl_tls_identity *pl_tls_identity_new(const char *certificate_file,
					    const char *key_file,
					    struct pl_error *error)
{
	struct pl_tls_identity *identity = pl_calloc(1, sizeof *identity);

	ERR_clear_error();
	identity->references = 1;
	identity->chain = sk_X509_new_null();
	if (identity->chain != NULL &&
	    load(identity, certificate_file, key_file, error))
		return identity;
	pl_tls_identity_unref(identity);
	return NULL;
}

struct pl_tls_identity *pl_tls_identity_ref(struct pl_tls_identity *identity)
{
	identity->references++;
	return identity;
}

void pl_tls_identity_unref(struct pl_tls_identity *identity)
{
	if (identity == NULL || --identity->references > 0)
		return;
	SSL_CTX_free(identity->context);
	pl_tls_trust_unref(identity->context_trust);
	GENERAL_NAMES_free(identity->names);
	sk_X509_pop_free(identity->chain, X509_free);
	X509_free(identity->leaf);
	EVP_PKEY_free(identity->key); /* wipes it */
	free(identity);
}

bool pl_tls_identity_covers(const struct pl_tls_identity *identity,
			    const char *domain)
{
	return pl_tls_names_cover(identity->names, domain);
}

bool pl_tls_identity_name(const struct pl_tls_identity *identity, int *at,
			  char *out, size_t size)
{
	return pl_tls_names_next(identity->names, at, out, size);
}

time_t pl_tls_identity_not_after(const struct pl_tls_identity *identity)
{
	return pl_tls_time(X509_get0_notAfter(identity->leaf));
}

time_t pl_tls_identity_not_before(const struct pl_tls_identity *identity)
{
	return pl_tls_time(X509_get0_notBefore(identity->leaf));
}

/* Without an extended key usage all bits are set. */
static bool lacks(const struct pl_tls_identity *identity, uint32_t usage)
{
	return (X509_get_extended_key_usage(identity->leaf) & usage) == 0;
}

bool pl_tls_identity_lacks_client(const struct pl_tls_identity *identity)
{
	return lacks(identity, XKU_SSL_CLIENT);
}

bool pl_tls_identity_lacks_server(const struct pl_tls_identity *identity)
{
	return lacks(identity, XKU_SSL_SERVER);
}
