/*
 * Validating the peer's chain. OpenSSL builds and checks it; every complaint is
 * overruled, so that the handshake goes on, and the first one that counts is
 * kept. OpenSSL's order serves well: whether the chain ends in an anchor, then
 * extensions and purposes, then strength, then signatures.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

/* Longest chain: two cross-signed roots and as many intermediates fit. */
enum { MAX_DEPTH = 9, SECURITY_LEVEL = 2 };

time_t pl_tls_time(const ASN1_TIME *time)
{
	struct tm tm;

	/* Broken dates are OpenSSL's errors 13 and 14. */
	return time != NULL && ASN1_TIME_to_tm(time, &tm) ? timegm(&tm) : 0;
}

/* The context's own parameters are edited in place: others, set before or put
 * in their stead, are dropped without a word. */
bool pl_tls_verify_setup(X509_VERIFY_PARAM *param,
			 const struct pl_tls_trust *trust)
{
	/* What the operator trusts is an anchor, self-signed or not. */
	unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;

	if (trust->revocation)
		flags |= X509_V_FLAG_CRL_CHECK;
	X509_VERIFY_PARAM_set_depth(param, MAX_DEPTH);
	X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
	return X509_VERIFY_PARAM_set_flags(param, flags) &&
	       X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER) &&
	       X509_VERIFY_PARAM_set_trust(param, X509_TRUST_SSL_SERVER);
}

/* PL_CERT_VALID for what is not ours to refuse, or judged elsewhere. */
static enum pl_certificate classify(int error)
{
	switch (error) {
	case X509_V_ERR_CERT_NOT_YET_VALID: /* judged when asked, at that time */
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_HOSTNAME_MISMATCH: /* names.c; SSL_dane_enable sets one */
	case X509_V_ERR_UNABLE_TO_GET_CRL: /* lists are used where they are */
	case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
	case X509_V_ERR_CRL_NOT_YET_VALID:
	case X509_V_ERR_CRL_HAS_EXPIRED:
	case X509_V_ERR_DIFFERENT_CRL_SCOPE:
		return PL_CERT_VALID;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		return PL_CERT_SELF_SIGNED;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_UNTRUSTED:
	case X509_V_ERR_CERT_REJECTED:
		return PL_CERT_UNKNOWN_CA;
	case X509_V_ERR_INVALID_PURPOSE:
		return PL_CERT_PURPOSE;
	case X509_V_ERR_CERT_REVOKED:
		return PL_CERT_REVOKED;
	case X509_V_ERR_DANE_NO_MATCH:
		return PL_CERT_DANE_MISMATCH;
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
	case X509_V_ERR_CA_MD_TOO_WEAK:
		return PL_CERT_WEAK;
	default:
		return PL_CERT_OTHER;
	}
}

/* The most telling part of a distinguished name, as UTF-8. */
static int telling_part(const X509_NAME *name, unsigned char **utf8)
{
	static const int order[] = { NID_commonName, NID_organizationName,
				     NID_organizationalUnitName };

	for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
		int at = X509_NAME_get_index_by_NID(name, order[i], -1);
		const ASN1_STRING *value;

		if (at < 0)
			continue;
		value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
		return ASN1_STRING_to_UTF8(utf8, value);
	}
	return -1;
}

static void keep_name(struct pl_tls_proof *proof, const X509_NAME *name)
{
	unsigned char *utf8 = NULL;
	int length = telling_part(name, &utf8);

	if (length <= 0)
		return;
	if (length > 100)
		length = 100; /* only ever shown */
	proof->name = malloc((size_t)length);
	if (proof->name != NULL) {
		memcpy(proof->name, utf8, (size_t)length);
		proof->name_length = (size_t)length;
	}
	OPENSSL_free(utf8);
}

static void record(struct pl_tls_proof *proof, int error, int depth,
		   const X509 *certificate)
{
	enum pl_certificate finding = classify(error);

	if (finding == PL_CERT_VALID || proof->finding != PL_CERT_VALID)
		return;
	proof->finding = finding;
	proof->error = error;
	proof->depth = depth;
	if (certificate == NULL)
		return;
	if (finding == PL_CERT_UNKNOWN_CA &&
	    error != X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN)
		keep_name(proof, X509_get_issuer_name(certificate));
	else
		keep_name(proof, X509_get_subject_name(certificate));
}

static int on_complaint(int ok, X509_STORE_CTX *ctx)
{
	if (!ok)
		record(X509_STORE_CTX_get_app_data(ctx),
		       X509_STORE_CTX_get_error(ctx),
		       X509_STORE_CTX_get_error_depth(ctx),
		       X509_STORE_CTX_get_current_cert(ctx));
	return 1;
}

/* The span of time in which all certificates of the chain are valid. */
static void note_dates(struct pl_tls_proof *proof,
		       const STACK_OF(X509) *chain)
{
	for (int i = 0; i < sk_X509_num(chain); i++) {
		const X509 *certificate = sk_X509_value(chain, i);
		time_t from = pl_tls_time(X509_get0_notBefore(certificate));
		time_t until = pl_tls_time(X509_get0_notAfter(certificate));

		if (i == 0 || from > proof->from) {
			proof->from = from;
			proof->from_depth = i;
		}
		if (i == 0 || until < proof->until) {
			proof->until = until;
			proof->until_depth = i;
		}
	}
}

static void validate(X509_STORE_CTX *ctx, struct pl_tls_proof *proof)
{
	pl_tls_proof_finish(proof);
	proof->done = true;
	proof->finding = PL_CERT_VALID;
	X509_STORE_CTX_set_app_data(ctx, proof);
	X509_STORE_CTX_set_verify_cb(ctx, on_complaint);
	if (X509_verify_cert(ctx) <= 0) {
		int error = X509_STORE_CTX_get_error(ctx);

		/* It gave up without asking. */
		if (classify(error) == PL_CERT_VALID)
			error = X509_V_ERR_UNSPECIFIED;
		record(proof, error, 0, NULL);
	}
	note_dates(proof, X509_STORE_CTX_get0_chain(ctx));
	ERR_clear_error();
}

/* DANE is judged in the validation: only what went without it is alike. */
static void validate_or_know(X509_STORE_CTX *ctx, struct pl_tls *tls)
{
	struct pl_tls_known *known = tls->trust->known;
	unsigned char digest[KNOWN_DIGEST];

	if (known == NULL || tls->dane ||
	    !pl_tls_known_digest(known, X509_STORE_CTX_get0_cert(ctx),
				 X509_STORE_CTX_get0_untrusted(ctx), digest)) {
		validate(ctx, &tls->proof);
		return;
	}
	pl_tls_proof_finish(&tls->proof);
	if (pl_tls_known_find(known, digest, time(NULL), &tls->proof)) {
		X509_STORE_CTX_set_error(ctx, X509_V_OK);
		return;
	}
	validate(ctx, &tls->proof);
	if (tls->proof.finding == PL_CERT_VALID)
		pl_tls_known_put(known, digest, &tls->proof);
}

int pl_tls_verify(X509_STORE_CTX *ctx, void *unused)
{
	int index = SSL_get_ex_data_X509_STORE_CTX_idx();
	const SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, index);
	struct pl_tls *tls = SSL_get_app_data(ssl);

	validate_or_know(ctx, tls);
	if (!tls->refuse)
		return 1;
	X509_STORE_CTX_set_error(ctx, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN);
	return 0;
}

void pl_tls_verify_pkix(struct pl_tls *tls)
{
	X509_STORE_CTX *ctx;

	if (tls->pkix.done)
		return;
	ERR_clear_error();
	ctx = X509_STORE_CTX_new();
	if (ctx != NULL &&
	    X509_STORE_CTX_init(ctx, tls->trust->store, tls->leaf,
				SSL_get_peer_cert_chain(tls->ssl)) &&
	    pl_tls_verify_setup(X509_STORE_CTX_get0_param(ctx), tls->trust)) {
		validate(ctx, &tls->pkix);
	} else {
		tls->pkix.done = true;
		tls->pkix.finding = PL_CERT_OTHER;
		tls->pkix.error = X509_V_ERR_OUT_OF_MEM;
	}
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
}

void pl_tls_proof_finish(struct pl_tls_proof *proof)
{
	free(proof->name);
	memset(proof, 0, sizeof *proof);
}
