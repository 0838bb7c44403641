/* See support.h. */
#include "support.h"

#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

static char folder[] = "/tmp/parley-tls-XXXXXX";

int make_certs(void **state)
{
	const char *const *words = *state;
	char command[4096];
	size_t used;

	assert_non_null(mkdtemp(folder));
	used = (size_t)snprintf(command, sizeof command, "%s %s", MAKE_CERTS,
				folder);
	for (; *words != NULL; words++) {
		used += (size_t)snprintf(command + used, sizeof command - used,
					 " %s", *words);
		assert_true(used < sizeof command);
	}
	return system(command) == 0 ? 0 : -1;
}

int remove_certs(void **state)
{
	char command[100];

	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command) == 0 ? 0 : -1;
}

const char *certs_path(const char *format, ...)
{
	static char paths[8][256];
	static unsigned next;
	char *path = paths[next++ % 8];
	va_list args;
	int n = snprintf(path, sizeof paths[0], "%s/", folder);

	va_start(args, format);
	vsnprintf(path + n, sizeof paths[0] - (size_t)n, format, args);
	va_end(args);
	return path;
}

struct pl_tls_identity *load_identity(const char *name)
{
	struct pl_error error = { 0 };
	struct pl_tls_identity *identity;

	identity = pl_tls_identity_new(certs_path("%s.crt", name),
				       certs_path("%s.key", name), &error);
	if (identity == NULL)
		print_error("%s\n", error.text);
	assert_non_null(identity);
	return identity;
}

struct pl_tls_trust *load_trust(const char *file)
{
	struct pl_error error = { 0 };
	struct pl_tls_trust *trust;

	trust = pl_tls_trust_new(certs_path("%s", file), NULL, &error);
	if (trust == NULL)
		print_error("%s\n", error.text);
	assert_non_null(trust);
	return trust;
}

/* ----- minting ----- */

void add_dns(GENERAL_NAMES *names, const char *bytes, int length)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *string = ASN1_IA5STRING_new();

	ASN1_STRING_set(string, bytes, length);
	GENERAL_NAME_set0_value(name, GEN_DNS, string);
	sk_GENERAL_NAME_push(names, name);
}

void add_other(GENERAL_NAMES *names, const char *oid, int type,
	       const char *bytes, int length)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_TYPE *value = ASN1_TYPE_new();
	ASN1_STRING *string = ASN1_STRING_type_new(type);

	ASN1_STRING_set(string, bytes, length);
	ASN1_TYPE_set(value, type, string);
	GENERAL_NAME_set0_othername(name, OBJ_txt2obj(oid, 1), value);
	sk_GENERAL_NAME_push(names, name);
}

static X509 *read_certificate(const char *stem)
{
	FILE *file = fopen(certs_path("%s.crt", stem), "r");
	X509 *certificate;

	assert_non_null(file);
	certificate = PEM_read_X509(file, NULL, NULL, NULL);
	fclose(file);
	assert_non_null(certificate);
	return certificate;
}

static EVP_PKEY *read_key(const char *stem)
{
	FILE *file = fopen(certs_path("%s.key", stem), "r");
	EVP_PKEY *key;

	assert_non_null(file);
	key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
	fclose(file);
	assert_non_null(key);
	return key;
}

static void set_dates(X509 *certificate, const struct mint *how)
{
	bool given = how->from != 0 || how->until != 0;

	X509_gmtime_adj(X509_getm_notBefore(certificate),
			given ? how->from : -86400);
	X509_gmtime_adj(X509_getm_notAfter(certificate),
			given ? how->until : 86400);
}

static void sign(X509 *certificate, EVP_PKEY *key, const char *issuer)
{
	X509 *by = issuer != NULL ? read_certificate(issuer) : certificate;
	EVP_PKEY *by_key = issuer != NULL ? read_key(issuer) : key;

	X509_set_issuer_name(certificate, X509_get_subject_name(by));
	assert_true(X509_sign(certificate, by_key, EVP_sha256()) > 0);
	if (issuer != NULL) {
		X509_free(by);
		EVP_PKEY_free(by_key);
	}
}

static void save(const char *stem, X509 *certificate, EVP_PKEY *key)
{
	FILE *file = fopen(certs_path("%s.crt", stem), "w");

	assert_non_null(file);
	PEM_write_X509(file, certificate);
	fclose(file);
	file = fopen(certs_path("%s.key", stem), "w");
	assert_non_null(file);
	PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
	fclose(file);
}

void mint(const char *stem, const struct mint *how)
{
	static long serial = 1000;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();

	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
	if (how->subject != NULL)
		X509_NAME_add_entry_by_txt(
			X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
			(const unsigned char *)how->subject, -1, -1, 0);
	set_dates(certificate, how);
	X509_set_pubkey(certificate, key);
	if (how->names != NULL)
		X509_add1_ext_i2d(certificate, NID_subject_alt_name,
				  (void *)how->names, how->subject == NULL, 0);
	if (how->ca) {
		BASIC_CONSTRAINTS constraints = { .ca = 0xff };

		X509_add1_ext_i2d(certificate, NID_basic_constraints,
				  &constraints, 1, 0);
	}
	sign(certificate, key, how->issuer);
	save(stem, certificate, key);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

/* ----- engines ----- */

struct pl_tls *initiate(struct pl_tls_trust *trust,
			struct pl_tls_identity *identity, const char *domain)
{
	struct pl_error error = { 0 };
	struct pl_tls *tls = pl_tls_initiating(&(struct pl_tls_initiate){
		.trust = trust, .identity = identity, .domain = domain },
		&error);

	assert_string_equal(error.text, "");
	assert_non_null(tls);
	return tls;
}

struct pl_tls *receive(struct pl_tls_trust *trust,
		       struct pl_tls_identity *identity)
{
	struct pl_error error = { 0 };
	struct pl_tls *tls = pl_tls_receiving(&(struct pl_tls_receive){
		.trust = trust, .identity = identity }, &error);

	assert_string_equal(error.text, "");
	assert_non_null(tls);
	return tls;
}

/* Moves what one engine has for the other; was there anything? */
static bool move(struct pl_tls *from, struct pl_tls *to, size_t chunk)
{
	struct pl_buffer bytes;
	bool any;

	pl_buffer_init(&bytes, 0);
	assert_true(pl_tls_drain(from, &bytes));
	any = bytes.length > 0;
	while (bytes.length > 0) {
		size_t n = chunk == 0 || chunk > bytes.length ? bytes.length
							      : chunk;

		pl_tls_feed(to, pl_buffer_bytes(&bytes), n);
		pl_buffer_consume(&bytes, n);
	}
	pl_buffer_finish(&bytes);
	return any;
}

void shuttle(struct pl_tls *a, struct pl_tls *b, size_t chunk)
{
	while (move(a, b, chunk) | move(b, a, chunk))
		;
}

void connect_pair(struct pl_tls *initiating, struct pl_tls *receiving)
{
	assert_int_equal(pl_tls_start(receiving), PL_TLS_HANDSHAKING);
	assert_int_equal(pl_tls_start(initiating), PL_TLS_HANDSHAKING);
	shuttle(initiating, receiving, 0);
	if (pl_tls_status(initiating) == PL_TLS_FAILED ||
	    pl_tls_status(receiving) == PL_TLS_FAILED)
		print_error("initiating: %s; receiving: %s\n",
			    pl_tls_failure_text(initiating),
			    pl_tls_failure_text(receiving));
	assert_int_equal(pl_tls_status(initiating), PL_TLS_READY);
	assert_int_equal(pl_tls_status(receiving), PL_TLS_READY);
}

enum pl_certificate verdict_of(struct pl_tls *tls, const char *domain)
{
	struct pl_tls_verdict verdict;

	pl_tls_judge(tls, domain, time(NULL), &verdict);
	return verdict.certificate;
}

/* ----- raw peers ----- */

static int take_any(int ok, X509_STORE_CTX *ctx)
{
	return 1;
}

SSL_CTX *raw_context(const char *name)
{
	SSL_CTX *context = SSL_CTX_new(TLS_method());

	SSL_CTX_set_security_level(context, 0);
	SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0");
	SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, take_any);
	SSL_CTX_set_session_id_context(context, (const void *)"x", 1);
	if (name == NULL)
		return context;
	assert_int_equal(SSL_CTX_use_certificate_chain_file(
				 context, certs_path("%s.crt", name)), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(
				 context, certs_path("%s.key", name),
				 SSL_FILETYPE_PEM), 1);
	return context;
}

SSL *raw_peer(SSL_CTX *context, bool server)
{
	SSL *ssl = SSL_new(context);

	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	if (server)
		SSL_set_accept_state(ssl);
	else
		SSL_set_connect_state(ssl);
	return ssl;
}

void shuttle_raw(struct pl_tls *tls, SSL *raw)
{
	struct pl_buffer bytes;
	bool any = true;

	pl_buffer_init(&bytes, 0);
	while (any) {
		char piece[4096];
		int n;

		SSL_do_handshake(raw);
		any = false;
		while ((n = BIO_read(SSL_get_wbio(raw), piece,
				     sizeof piece)) > 0) {
			pl_tls_feed(tls, piece, (size_t)n);
			any = true;
		}
		assert_true(pl_tls_drain(tls, &bytes));
		if (bytes.length > 0) {
			BIO_write(SSL_get_rbio(raw), pl_buffer_bytes(&bytes),
				  (int)bytes.length);
			pl_buffer_consume(&bytes, bytes.length);
			any = true;
		}
	}
	pl_buffer_finish(&bytes);
	ERR_clear_error();
}
