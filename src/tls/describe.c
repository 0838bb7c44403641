/* What a certificate of ours is made of, in words. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/err.h>

static void add(char *out, size_t size, const char *word)
{
	size_t used = strlen(out);

	snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "", word);
}

static void describe_key(const EVP_PKEY *key,
			 struct pl_tls_description *description)
{
	char group[32];
	const char *nist;
	size_t length;

	description->bits = EVP_PKEY_get_bits(key);
	if (!EVP_PKEY_is_a(key, "EC") ||
	    !EVP_PKEY_get_group_name(key, group, sizeof group, &length)) {
		snprintf(description->key, sizeof description->key, "%.31s",
			 EVP_PKEY_get0_type_name(key));
		return;
	}
	nist = EC_curve_nid2nist(OBJ_txt2nid(group));
	snprintf(description->key, sizeof description->key, "EC %.28s",
		 nist != NULL ? nist : group);
}

static void describe_digest(X509 *certificate,
			    struct pl_tls_description *description)
{
	int digest = NID_undef;

	if (X509_get_signature_info(certificate, &digest, NULL, NULL, NULL) &&
	    digest != NID_undef)
		snprintf(description->digest, sizeof description->digest,
			 "%.23s", OBJ_nid2sn(digest));
}

static void describe_usage(X509 *certificate,
			   struct pl_tls_description *description)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} usages[] = {
		{ KU_DIGITAL_SIGNATURE, "digitalSignature" },
		{ KU_NON_REPUDIATION, "nonRepudiation" },
		{ KU_KEY_ENCIPHERMENT, "keyEncipherment" },
		{ KU_DATA_ENCIPHERMENT, "dataEncipherment" },
		{ KU_KEY_AGREEMENT, "keyAgreement" },
		{ KU_KEY_CERT_SIGN, "keyCertSign" },
		{ KU_CRL_SIGN, "cRLSign" },
	};
	uint32_t usage = X509_get_key_usage(certificate);

	description->may_sign = (usage & KU_DIGITAL_SIGNATURE) != 0;
	if (usage == UINT32_MAX) /* no such extension */
		return;
	for (size_t i = 0; i < sizeof usages / sizeof *usages; i++)
		if (usage & usages[i].bit)
			add(description->usage, sizeof description->usage,
			    usages[i].name);
}

static void describe_purposes(const X509 *certificate,
			      struct pl_tls_description *description)
{
	EXTENDED_KEY_USAGE *purposes = X509_get_ext_d2i(
		certificate, NID_ext_key_usage, NULL, NULL);
	char name[80];

	for (int i = 0; i < sk_ASN1_OBJECT_num(purposes); i++) {
		const ASN1_OBJECT *purpose = sk_ASN1_OBJECT_value(purposes, i);
		int nid = OBJ_obj2nid(purpose);

		if (nid != NID_undef)
			snprintf(name, sizeof name, "%s", OBJ_nid2sn(nid));
		else
			OBJ_obj2txt(name, sizeof name, purpose, 1);
		add(description->purposes, sizeof description->purposes, name);
	}
	sk_ASN1_OBJECT_pop_free(purposes, ASN1_OBJECT_free);
}

void pl_tls_identity_describe(const struct pl_tls_identity *identity,
			      struct pl_tls_description *description)
{
	memset(description, 0, sizeof *description);
	describe_key(identity->key, description);
	describe_digest(identity->leaf, description);
	describe_usage(identity->leaf, description);
	describe_purposes(identity->leaf, description);
	description->certificates = 1 + sk_X509_num(identity->chain);
	ERR_clear_error();
}
