/* What was negotiated and what the peer showed, for who writes it down. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

static void name_line(const X509_NAME *name, char *out, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes;
	long length;

	/* ESC_MSB off: UTF-8 stays what it is. */
	if (bio != NULL && X509_NAME_print_ex(bio, name, 0,
					      XN_FLAG_RFC2253 &
					      ~ASN1_STRFLGS_ESC_MSB) >= 0) {
		length = BIO_get_mem_data(bio, &bytes);
		pl_text_printable(out, size, bytes,
				  length > 0 ? (size_t)length : 0);
	}
	BIO_free(bio);
}

static void fingerprint(const X509 *certificate, char out[65])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned length = 0;

	if (!X509_digest(certificate, EVP_sha256(), digest, &length))
		return;
	for (unsigned i = 0; i < length && i < 32; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static void leaf_facts(const struct pl_tls *tls, struct pl_tls_facts *facts)
{
	int at = 0;

	facts->certificate = true;
	name_line(X509_get_subject_name(tls->leaf), facts->subject,
		  sizeof facts->subject);
	name_line(X509_get_issuer_name(tls->leaf), facts->issuer,
		  sizeof facts->issuer);
	facts->not_before = pl_tls_time(X509_get0_notBefore(tls->leaf));
	facts->not_after = pl_tls_time(X509_get0_notAfter(tls->leaf));
	fingerprint(tls->leaf, facts->sha256);
	facts->chain_length = tls->chain_length;
	while (facts->sans_count < PL_TLS_SANS &&
	       pl_tls_names_next(tls->names, &at,
				 facts->sans[facts->sans_count],
				 sizeof facts->sans[0]))
		facts->sans_count++;
	facts->dane = tls->dane_usage >= 0;
	facts->usage = facts->dane ? (uint8_t)tls->dane_usage : 0;
	facts->selector = tls->dane_selector;
	facts->matching = tls->dane_matching;
}

void pl_tls_facts(const struct pl_tls *tls, struct pl_tls_facts *facts)
{
	const char *sni, *group;
	int nid;

	memset(facts, 0, sizeof *facts);
	if (!SSL_is_init_finished(tls->ssl))
		return;
	sni = SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name);
	if (sni != NULL)
		pl_text_printable(facts->sni, sizeof facts->sni, sni,
				  strlen(sni));
	nid = SSL_get_negotiated_group(tls->ssl);
	group = nid != NID_undef ? SSL_group_to_name(tls->ssl, nid) : NULL;
	snprintf(facts->group, sizeof facts->group, "%s", group ? group : "");
	if (tls->leaf != NULL)
		leaf_facts(tls, facts);
	ERR_clear_error();
}
