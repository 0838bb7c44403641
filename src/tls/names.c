/*
 * Whether a certificate names a domain: DNS-ID, SRV-ID and XmppAddr, by our own
 * reading of subjectAltName (RFC 6120 13.7.1.2, RFC 9525 6, RFC 4985). Neither
 * the Common Name nor addresses count (standards CRT-3 to CRT-12).
 */
#include "internal.h"

#include <string.h>
#include <strings.h>

#include "parley/addr.h"

/* Far more than anyone needs; a peer's certificate may hold thousands. */
enum { MAX_NAMES = 1000, MAX_NAME = 253, SHOWN = 4 };

static const char srv_prefix[] = "_xmpp-server.";

/* Compares a presented DNS name with a reference in A-labels. A wildcard is the
 * whole left-most label and stands for exactly one. The reference is a host name
 * for certain: no NUL, `*` or byte beyond ASCII can equal a part of it. */
static bool dns_matches(const char *name, size_t length, const char *ascii)
{
	if (length > 0 && name[length - 1] == '.')
		length--;
	if (length > MAX_NAME)
		return false;
	if (length > 2 && name[0] == '*' && name[1] == '.') {
		ascii = strchr(ascii, '.');
		if (ascii == NULL)
			return false;
		ascii++;
		name += 2;
		length -= 2;
	}
	return strlen(ascii) == length &&
	       strncasecmp(name, ascii, length) == 0;
}

static bool srv_matches(const char *name, size_t length, const char *ascii)
{
	const size_t prefix = sizeof srv_prefix - 1;

	return length > prefix &&
	       strncasecmp(name, srv_prefix, prefix) == 0 &&
	       dns_matches(name + prefix, length - prefix, ascii);
}

/* XmppAddr of a domain: no localpart, resource, NUL or wildcard. */
static bool xmpp_matches(const char *name, size_t length, const char *normal)
{
	char domain[PL_DOMAIN_SIZE];

	return pl_addr_domain(name, length, domain, NULL) &&
	       strcmp(domain, normal) == 0;
}

/* The bytes of a presented name, if it is of a kind that counts. */
enum kind { KIND_NONE, KIND_DNS, KIND_SRV, KIND_XMPP };

static enum kind kind_of(const GENERAL_NAME *name, const char **text,
			 size_t *length)
{
	const ASN1_STRING *string;
	enum kind kind = KIND_NONE;
	int nid;

	if (name->type == GEN_DNS) {
		kind = KIND_DNS;
		string = name->d.dNSName;
	} else if (name->type == GEN_OTHERNAME) {
		const ASN1_TYPE *value = name->d.otherName->value;

		nid = OBJ_obj2nid(name->d.otherName->type_id);
		if (nid == NID_SRVName && value->type == V_ASN1_IA5STRING)
			kind = KIND_SRV;
		if (nid == NID_XmppAddr && value->type == V_ASN1_UTF8STRING)
			kind = KIND_XMPP;
		if (kind == KIND_NONE)
			return kind;
		string = value->value.asn1_string;
	} else {
		return kind;
	}
	*text = (const char *)ASN1_STRING_get0_data(string);
	*length = (size_t)ASN1_STRING_length(string);
	return kind;
}

static bool matches(const GENERAL_NAME *name, const char *ascii,
		    const char *normal)
{
	const char *text;
	size_t length;

	switch (kind_of(name, &text, &length)) {
	case KIND_NONE:
		return false;
	case KIND_DNS:
		return dns_matches(text, length, ascii);
	case KIND_SRV:
		return srv_matches(text, length, ascii);
	case KIND_XMPP:
		return xmpp_matches(text, length, normal);
	}
	return false;
}

bool pl_tls_names_cover(const GENERAL_NAMES *names, const char *domain)
{
	char normal[PL_DOMAIN_SIZE], ascii[PL_ASCII_DOMAIN_SIZE];

	if (!pl_addr_domain(domain, strlen(domain), normal, NULL) ||
	    !pl_addr_ascii(normal, ascii))
		return false;
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && i < MAX_NAMES; i++)
		if (matches(sk_GENERAL_NAME_value(names, i), ascii, normal))
			return true;
	return false;
}

void pl_tls_names_list(const GENERAL_NAMES *names, struct pl_buffer *out)
{
	int count = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && i < MAX_NAMES; i++) {
		const char *text;
		size_t length;

		if (kind_of(sk_GENERAL_NAME_value(names, i), &text,
			    &length) == KIND_NONE)
			continue;
		if (count++ >= SHOWN)
			continue;
		pl_buffer_text(out, count == 1 ? "\"" : ", \"");
		pl_buffer_append(out, text, length);
		pl_buffer_text(out, "\"");
	}
	if (count > SHOWN)
		pl_buffer_printf(out, " and %d more", count - SHOWN);
	if (count == 0)
		pl_buffer_text(out, "no domain");
}

bool pl_tls_names_next(const GENERAL_NAMES *names, int *at, char *out,
		       size_t size)
{
	static const char *const prefixes[] = {
		[KIND_DNS] = "DNS:", [KIND_SRV] = "SRV:", [KIND_XMPP] = "XMPP:",
	};

	while (*at < sk_GENERAL_NAME_num(names) && *at < MAX_NAMES) {
		const char *text;
		size_t length, prefix;
		enum kind kind = kind_of(sk_GENERAL_NAME_value(names, (*at)++),
					 &text, &length);

		if (kind == KIND_NONE)
			continue;
		prefix = strlen(prefixes[kind]);
		memcpy(out, prefixes[kind], prefix);
		pl_text_printable(out + prefix, size - prefix, text, length);
		return true;
	}
	return false;
}

GENERAL_NAMES *pl_tls_names_of(const X509 *certificate)
{
	return X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
}
