/* Addresses around a domain: JIDs, partner patterns, host:port. */
#include "parley/addr.h"

#include <string.h>

enum { MAX_PART = 1023 }; /* standards JID-1 */

bool pl_addr_jid_domain(const char *jid, size_t length,
			char out[PL_DOMAIN_SIZE], struct pl_error *error)
{
	const char *slash, *at, *domain = jid;
	size_t bare = length;

	out[0] = '\0';
	if (length == 0)
		return pl_error_set(error, "address is empty");
	if (memchr(jid, '\0', length) != NULL)
		return pl_error_set(error, "address contains a NUL");
	slash = memchr(jid, '/', length);
	if (slash != NULL) {
		size_t resource = length - (size_t)(slash - jid) - 1;

		if (resource == 0 || resource > MAX_PART)
			return pl_error_set(error, "address has %s resource",
					    resource == 0 ? "an empty"
							  : "too long a");
		bare = (size_t)(slash - jid);
	}
	at = memchr(jid, '@', bare);
	if (at != NULL) {
		size_t local = (size_t)(at - jid);

		if (local == 0 || local > MAX_PART)
			return pl_error_set(error, "address has %s localpart",
					    local == 0 ? "an empty"
						       : "too long a");
		domain = at + 1;
		bare -= local + 1;
	}
	return pl_addr_domain(domain, bare, out, error);
}

bool pl_addr_matches(const char *pattern, const char *domain)
{
	size_t tail, length;

	if (strcmp(pattern, "*") == 0)
		return true;
	if (strncmp(pattern, "*.", 2) != 0)
		return strcmp(pattern, domain) == 0;
	/* "*.0.0.1" is no pattern for 127.0.0.1: addresses have no labels. */
	if (pl_addr_is_ip(domain))
		return false;
	pattern++;
	tail = strlen(pattern);
	length = strlen(domain);
	return tail > 1 && length > tail &&
	       strcmp(domain + length - tail, pattern) == 0;
}

/* 1 to 65535 in at most five digits; 0 for anything else. */
static unsigned short parse_port(const char *text)
{
	unsigned long port = 0;
	size_t i;

	for (i = 0; text[i] >= '0' && text[i] <= '9' && i < 5; i++)
		port = port * 10 + (unsigned long)(text[i] - '0');
	return text[i] == '\0' && port <= 65535 ? (unsigned short)port : 0;
}

/* The host of an endpoint as getaddrinfo and inet_pton like it. */
static bool parse_host(const char *text, size_t length,
		       char host[PL_ASCII_DOMAIN_SIZE], struct pl_error *error)
{
	char domain[PL_DOMAIN_SIZE];
	bool bracketed = length > 0 && text[0] == '[';

	if (!pl_addr_domain(text, length, domain, error))
		return false;
	if (domain[0] == '[' && !bracketed)
		return pl_error_set(error, "an IPv6 address and a port need "
				    "brackets: [address]:port");
	if (!pl_addr_is_ip(domain))
		return pl_addr_ascii(domain, host) ||
		       pl_error_set(error, "not a host name");
	length = strlen(domain);
	if (bracketed)
		length -= 2;
	memcpy(host, domain + bracketed, length);
	host[length] = '\0';
	return true;
}

bool pl_addr_endpoint(const char *text, char host[PL_ASCII_DOMAIN_SIZE],
		      unsigned short *port, struct pl_error *error)
{
	const char *colon = strrchr(text, ':');

	host[0] = '\0';
	*port = 0;
	if (colon == NULL)
		return pl_error_set(error, "no port: host:port or "
				    "[IPv6 address]:port is wanted");
	*port = parse_port(colon + 1);
	if (*port == 0)
		return pl_error_set(error, "no port from 1 to 65535 behind "
				    "the colon");
	return parse_host(text, (size_t)(colon - text), host, error);
}
