/* Whom we trust: a file, a directory of hashed names, or the system's store. */
#include "internal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

/* A file of anchors may hold keys; nobody is asked for their passphrase. */
static int no_passphrase(char *buffer, int size, int writing, void *unused)
{
	return -1;
}

/* Puts certificates and revocation lists into the store; how many of the
 * former, or -1 when memory or the library fails. */
static int add_items(struct pl_tls_trust *trust, STACK_OF(X509_INFO) *items)
{
	int count = 0;

	for (int i = 0; i < sk_X509_INFO_num(items); i++) {
		const X509_INFO *item = sk_X509_INFO_value(items, i);

		if (item->x509 != NULL) {
			if (!X509_STORE_add_cert(trust->store, item->x509))
				return -1;
			count++;
		}
		if (item->crl != NULL) {
			if (!X509_STORE_add_crl(trust->store, item->crl))
				return -1;
			trust->revocation = true;
		}
	}
	return count;
}

static bool load_file(struct pl_tls_trust *trust, const char *file,
		      struct pl_error *error)
{
	STACK_OF(X509_INFO) *items;
	BIO *bio;
	int count;

	errno = 0;
	bio = BIO_new_file(file, "r");
	if (bio == NULL) {
		ERR_clear_error();
		return pl_error_set(error, "cannot read \"%s\": %s", file,
				    strerror(errno));
	}
	items = PEM_X509_INFO_read_bio(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	if (items == NULL) {
		pl_tls_complain(error, "not a PEM file of certificates");
		return pl_error_context(error, "\"%s\"", file);
	}
	count = add_items(trust, items);
	sk_X509_INFO_pop_free(items, X509_INFO_free);
	ERR_clear_error();
	if (count > 0)
		return true;
	return pl_error_set(error, count == 0
			    ? "\"%s\" holds no certificate"
			    : "the certificates of \"%s\" cannot be used",
			    file);
}

/* "9d66eef0.0", as `openssl rehash` makes them. */
static bool is_hashed_name(const char *name)
{
	for (int i = 0; i < 8; i++)
		if (!isxdigit((unsigned char)name[i]))
			return false;
	return name[8] == '.' && isdigit((unsigned char)name[9]);
}

/* Files are found by the hash of their subject: others would be passed over
 * without a word. */
static bool has_hashed_names(const char *directory, struct pl_error *error)
{
	DIR *dir = opendir(directory);
	const struct dirent *entry;
	bool found = false;

	if (dir == NULL)
		return pl_error_set(error, "cannot read \"%s\": %s", directory,
				    strerror(errno));
	while (!found && (entry = readdir(dir)) != NULL)
		found = is_hashed_name(entry->d_name);
	closedir(dir);
	return found ||
	       pl_error_set(error, "\"%s\" holds no certificate under a hashed "
			    "name (see openssl-rehash(1))", directory);
}

static bool load(struct pl_tls_trust *trust, const char *file,
		 const char *directory, struct pl_error *error)
{
	if (file[0] == '\0' && directory[0] == '\0')
		return X509_STORE_set_default_paths(trust->store) ||
		       pl_tls_complain(error, "the system's certificates");
	if (file[0] != '\0' && !load_file(trust, file, error))
		return false;
	if (directory[0] == '\0')
		return true;
	if (!has_hashed_names(directory, error))
		return false;
	trust->revocation = true;
	return X509_STORE_load_path(trust->store, directory) ||
	       pl_tls_complain(error, "the directory of certificates");
}

struct pl_tls_trust *pl_tls_trust_new(const char *ca_file,
				      const char *ca_directory,
				      struct pl_error *error)
{
	struct pl_tls_trust *trust = pl_calloc(1, sizeof *trust);

	ERR_clear_error();
	trust->references = 1;
	trust->store = X509_STORE_new();
	if (trust->store == NULL)
		pl_tls_complain(error, "a store of certificates");
	else if (load(trust, ca_file != NULL ? ca_file : "",
		      ca_directory != NULL ? ca_directory : "", error)) {
		if (!trust->revocation)
			trust->known = pl_tls_known_new();
		return trust;
	}
	pl_tls_trust_unref(trust);
	return NULL;
}

struct pl_tls_trust *pl_tls_trust_ref(struct pl_tls_trust *trust)
{
	trust->references++;
	return trust;
}

void pl_tls_trust_unref(struct pl_tls_trust *trust)
{
	if (trust == NULL || --trust->references > 0)
		return;
	SSL_CTX_free(trust->context);
	X509_STORE_free(trust->store);
	pl_tls_known_free(trust->known);
	free(trust);
}
