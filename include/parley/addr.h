/*
 * addr.h: domain names: checking, normal form, comparing.
 *
 * The normal form is what XMPP puts on the wire: lower-case U-labels (RFC 7622
 * 3.2, IDNA2008 by libidn2), no trailing dot, or an IP literal. Keys are made
 * over normal forms and names are compared as normal forms; DNS and
 * certificates use A-labels (pl_addr_ascii). (standards JID-1 to JID-8)
 */
#ifndef PARLEY_ADDR_H
#define PARLEY_ADDR_H

#include <stdbool.h>
#include <stddef.h>

#include "parley/base.h"

/* Room for any normal form with its NUL. */
enum { PL_DOMAIN_SIZE = 1024, PL_ASCII_DOMAIN_SIZE = 256 };

/* Brings `length` bytes of text into normal form. False (with a sentence) for
 * what is no domain: empty, a localpart or resource, bad UTF-8, bad IDNA, too
 * long labels or name, NUL. IP literals pass (bracketed IPv6 as well). */
bool pl_addr_domain(const char *text, size_t length,
		    char out[PL_DOMAIN_SIZE], struct pl_error *error);

/* The A-label form, for DNS and certificates; false for IP literals. */
bool pl_addr_ascii(const char *domain, char out[PL_ASCII_DOMAIN_SIZE]);

/* Is it an IPv4 or IPv6 literal (with or without brackets)? */
bool pl_addr_is_ip(const char *domain);

/* Splits an address (JID) at the first '/', then the first '@' before it, and
 * brings its domain into normal form. False: empty or invalid domain, an empty
 * localpart or resource, a part above 1023 bytes. */
bool pl_addr_jid_domain(const char *jid, size_t length,
			char out[PL_DOMAIN_SIZE], struct pl_error *error);

/* The parts of an address: pointers into its text, with their lengths. */
struct pl_jid {
	const char *local, *domain, *resource; /* NULL: none */
	size_t local_length, domain_length, resource_length;
};

/* Room for an address with its NUL. */
enum { PL_JID_SIZE = 2 * 1023 + 2 + PL_DOMAIN_SIZE };

/*
 * Splits an address as pl_addr_jid_domain() does, and looks at its localpart
 * and resource too: bad UTF-8, controls, and what turns the direction of text
 * are in neither; spaces and " & ' / : < > @ are not in a localpart (RFC 7622
 * 3.3, 3.4). Neither is changed: mapping the case of a localpart is left to
 * the server whose account it is. out (PL_JID_SIZE) gets the whole address with
 * its domain in normal form, domain that form alone; both may be NULL.
 */
bool pl_addr_jid(const char *jid, size_t length, struct pl_jid *parts,
		 char *domain, char *out, struct pl_error *error);

/* Room for a bare address with its NUL. */
enum { PL_BARE_SIZE = 1023 + 1 + PL_DOMAIN_SIZE };

/* The bare address of what pl_addr_jid() put out, with its localpart in lower
 * case: for comparing whom two addresses mean (RFC 7622 3.3 has servers map
 * case so), never for the wire. False: it has no room. */
bool pl_addr_bare(const char *jid, char out[PL_BARE_SIZE]);

/* Does a partner pattern match a normal form? "*" matches everything, "*.x" one
 * or more labels before x (never x itself), anything else only itself. */
bool pl_addr_matches(const char *pattern, const char *domain);

/* Splits "host:port" or "[v6]:port" into host (without brackets) and port
 * (1 to 65535). False with a sentence otherwise. */
bool pl_addr_endpoint(const char *text, char host[PL_ASCII_DOMAIN_SIZE],
		      unsigned short *port, struct pl_error *error);

#endif
