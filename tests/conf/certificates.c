#include "certificates.h"

#include <assert.h>
#include <stdio.h>
#include <sys/stat.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static void extend(X509 *certificate, int kind, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, value);

	assert(extension != NULL);
	X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
}

static X509 *sign(EVP_PKEY *key, const char *name, time_t from, time_t until,
		  const char *eku)
{
	X509 *certificate = X509_new();
	X509_NAME *subject = X509_get_subject_name(certificate);
	char names[300];

	snprintf(names, sizeof names, "DNS:%s", name);
	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
				   (const unsigned char *)"test", -1, -1, 0);
	X509_set_issuer_name(certificate, subject);
	ASN1_TIME_set(X509_getm_notBefore(certificate), from);
	ASN1_TIME_set(X509_getm_notAfter(certificate), until);
	X509_set_pubkey(certificate, key);
	extend(certificate, NID_subject_alt_name, names);
	if (eku != NULL)
		extend(certificate, NID_ext_key_usage, eku);
	X509_sign(certificate, key, EVP_sha256());
	return certificate;
}

void make_certificate(const char *prefix, const char *name, time_t from,
		      time_t until, const char *eku)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = sign(key, name, from, until, eku);
	char path[512];
	FILE *out;

	snprintf(path, sizeof path, "%s.crt", prefix);
	out = fopen(path, "w");
	assert(out != NULL);
	PEM_write_X509(out, certificate);
	fclose(out);
	snprintf(path, sizeof path, "%s.key", prefix);
	out = fopen(path, "w");
	assert(out != NULL);
	PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL);
	fclose(out);
	chmod(path, 0600);
	X509_free(certificate);
	EVP_PKEY_free(key);
}
