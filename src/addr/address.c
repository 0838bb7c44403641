/* Addresses around a domain: JIDs, partner patterns, host:port. */
#include "parley/addr.h"

#include <locale.h>
#include <stdint.h>
#include <string.h>
#include <wctype.h>

enum { MAX_PART = 1023 }; /* standards JID-1 */

/* ----- addresses ----- */

static bool split(const char *jid, size_t length, struct pl_jid *parts,
		  struct pl_error *error)
{
	const char *slash, *at;
	size_t bare = length;

	*parts = (struct pl_jid){ .domain = jid };
	if (length == 0)
		return pl_error_set(error, "address is empty");
	if (memchr(jid, '\0', length) != NULL)
		return pl_error_set(error, "address contains a NUL");
	slash = memchr(jid, '/', length);
	if (slash != NULL) {
		bare = (size_t)(slash - jid);
		parts->resource = slash + 1;
		parts->resource_length = length - bare - 1;
		if (parts->resource_length == 0 ||
		    parts->resource_length > MAX_PART)
			return pl_error_set(error, "address has %s resource",
					    parts->resource_length == 0
						    ? "an empty"
						    : "too long a");
	}
	at = memchr(jid, '@', bare);
	if (at != NULL) {
		parts->local = jid;
		parts->local_length = (size_t)(at - jid);
		if (parts->local_length == 0 || parts->local_length > MAX_PART)
			return pl_error_set(error, "address has %s localpart",
					    parts->local_length == 0
						    ? "an empty"
						    : "too long a");
		parts->domain = at + 1;
		bare -= parts->local_length + 1;
	}
	parts->domain_length = bare;
	return true;
}

bool pl_addr_jid_domain(const char *jid, size_t length,
			char out[PL_DOMAIN_SIZE], struct pl_error *error)
{
	struct pl_jid parts;

	out[0] = '\0';
	return split(jid, length, &parts, error) &&
	       pl_addr_domain(parts.domain, parts.domain_length, out, error);
}

/* The character at s, its length in *used; 0xffffffff where it is no UTF-8. */
static uint32_t character(const unsigned char *s, size_t length, size_t *used)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2
		 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
	uint32_t c = n == 1 ? s[0] : s[0] & (0x7fu >> n);

	if (n == 0 || n > length)
		return UINT32_MAX;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return UINT32_MAX;
		c = c << 6 | (s[i] & 0x3f);
	}
	*used = n;
	return c < least[n] || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff
		       ? UINT32_MAX : c;
}

/* Neither profile of RFC 7622 (nor those of RFC 6122 before it) lets these
 * pass: controls, separators of lines, changes of direction. */
static bool is_forbidden(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200e ||
	       c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x206f) || c == 0xfeff ||
	       (c & 0xfffe) == 0xfffe || c == UINT32_MAX;
}

static bool is_not_local(uint32_t c)
{
	if (c < 0x80)
		return strchr(" \"&'/:<>@", (int)c) != NULL;
	return c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200b) ||
	       c == 0x202f || c == 0x205f || c == 0x3000;
}

/* Good in every part. */
__extension__ static const bool plain[256] = {
	['!'] = true, ['#' ... '%'] = true, ['(' ... '.'] = true,
	['0' ... '9'] = true, [';'] = true, ['='] = true, ['?'] = true,
	['A' ... '~'] = true,
};

static bool check_part(const char *text, size_t length, bool local,
		       struct pl_error *error)
{
	size_t used;

	for (size_t at = 0; at < length; at += used) {
		uint32_t c;

		used = 1;
		if (plain[(unsigned char)text[at]])
			continue;
		c = character((const unsigned char *)text + at, length - at,
			      &used);
		if (is_forbidden(c) || (local && is_not_local(c)))
			return pl_error_set(error, "address has a character "
					    "that no %s may have",
					    local ? "localpart" : "resource");
	}
	return true;
}

/* Puts the parts together again, around the normal form of the domain. */
static void join(const struct pl_jid *parts, const char *domain, char *out)
{
	if (parts->local != NULL) {
		memcpy(out, parts->local, parts->local_length);
		out += parts->local_length;
		*out++ = '@';
	}
	out = stpcpy(out, domain);
	if (parts->resource != NULL) {
		*out++ = '/';
		memcpy(out, parts->resource, parts->resource_length);
		out += parts->resource_length;
	}
	*out = '\0';
}

bool pl_addr_jid(const char *jid, size_t length, struct pl_jid *parts,
		 char *domain, char *out, struct pl_error *error)
{
	char normal[PL_DOMAIN_SIZE];

	if (domain == NULL)
		domain = normal;
	domain[0] = '\0';
	if (out != NULL)
		out[0] = '\0';
	if (!split(jid, length, parts, error) ||
	    !check_part(parts->local, parts->local_length, true, error) ||
	    !check_part(parts->resource, parts->resource_length, false,
			error) ||
	    !pl_addr_domain(parts->domain, parts->domain_length, domain,
			    error))
		return false;
	if (out != NULL)
		join(parts, domain, out);
	return true;
}

/* ----- bare addresses ----- */

static size_t encode(uint32_t c, char *out)
{
	static const unsigned char first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(first[n] | c);
	return n;
}

/* False: it has no room in MAX_PART bytes, or is no UTF-8. */
static bool lower(const char *text, size_t length, locale_t unicode,
		  char **out)
{
	const char *end = *out + MAX_PART;
	size_t used, n;
	char bytes[4];

	for (size_t at = 0; at < length; at += used) {
		uint32_t c = character((const unsigned char *)text + at,
				       length - at, &used);

		if (c == UINT32_MAX)
			return false;
		if (c < 0x80)
			c = c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
		else if (unicode != (locale_t)0)
			c = (uint32_t)towlower_l((wint_t)c, unicode);
		n = encode(c, bytes);
		if ((size_t)(end - *out) < n)
			return false;
		memcpy(*out, bytes, n);
		*out += n;
	}
	return true;
}

static bool is_ascii(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if ((text[i] & 0x80) != 0)
			return false;
	return true;
}

bool pl_addr_bare(const char *jid, char out[PL_BARE_SIZE])
{
	locale_t unicode = (locale_t)0;
	struct pl_jid parts;
	bool good = true;

	out[0] = '\0';
	if (!split(jid, strlen(jid), &parts, NULL) ||
	    parts.domain_length >= PL_DOMAIN_SIZE)
		return false;
	if (parts.local != NULL) {
		if (!is_ascii(parts.local, parts.local_length))
			unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", unicode);
		good = lower(parts.local, parts.local_length, unicode, &out);
		if (unicode != (locale_t)0)
			freelocale(unicode);
		*out++ = '@';
	}
	memcpy(out, parts.domain, parts.domain_length);
	out[parts.domain_length] = '\0';
	return good;
}

/* ----- patterns and endpoints ----- */

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
