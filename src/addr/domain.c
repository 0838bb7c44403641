/*
 * Domain names: checking, normal form, A-labels.
 *
 * A name of letters, digits, hyphens and dots only is lower-cased and done. Any
 * other is mapped (UTS 46, non-transitional: case, width, NFC), must then be
 * IDNA2008 label by label, and must come back to the same A-labels: what is
 * returned is a fixed point, so that equal names are equal bytes.
 */
#include "parley/addr.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LABEL = 63, MAX_NAME = 253, MAX_TEXT = PL_DOMAIN_SIZE - 1 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Unlike tolower() and isalnum() these know no locale. */
static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_ldh(char c)
{
	c = lower(c);
	return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-';
}

/* What is wrong with one label of ASCII characters; NULL when nothing is. */
static const char *label_fault(const char *label, size_t length)
{
	if (length == 0)
		return "has an empty label";
	if (length > MAX_LABEL)
		return "has a label of more than 63 characters";
	if (label[0] == '-' || label[length - 1] == '-')
		return "has a label that begins or ends with a hyphen";
	for (size_t i = 0; i < length; i++)
		if (!is_ldh(label[i]))
			return "has a character that no host name has";
	return NULL;
}

/* The same for a whole name in A-labels. A last label of digits is refused: such
 * a name is a mistyped IPv4 address, and some resolvers take it for one. */
static const char *name_fault(const char *name)
{
	bool digits = true;
	size_t length;

	if (strlen(name) > MAX_NAME)
		return "is longer than 253 characters";
	for (;; name += length + 1) {
		const char *fault;

		length = strcspn(name, ".");
		fault = label_fault(name, length);
		if (fault != NULL)
			return fault;
		if (name[length] == '\0')
			break;
	}
	for (size_t i = 0; i < length; i++)
		digits = digits && is_digit(name[i]);
	return digits ? "ends in a number and is no IPv4 address" : NULL;
}

/* Only ASCII, and no label that could be an A-label? (standards JID-8) */
static bool is_plain(const char *name)
{
	bool starts = true;

	for (; *name != '\0'; name++) {
		if ((unsigned char)*name >= 0x80)
			return false;
		if (starts && strncasecmp(name, "xn--", 4) == 0)
			return false;
		starts = *name == '.';
	}
	return true;
}

static void copy_lower(char *out, const char *name)
{
	while (*name != '\0')
		*out++ = lower(*name++);
	*out = '\0';
}

/* Maps a name to A-labels; NULL or what is wrong with it. */
static const char *to_ascii(const char *name, char out[PL_ASCII_DOMAIN_SIZE])
{
	uint8_t *ascii = NULL;
	const char *fault;
	int rc;

	rc = idn2_lookup_u8((const uint8_t *)name, &ascii,
			    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (rc != IDN2_OK)
		return idn2_strerror(rc);
	/* The mapping may yield '/', '@' or '_' out of wide forms of them. */
	fault = name_fault((const char *)ascii);
	if (fault == NULL)
		copy_lower(out, (const char *)ascii);
	idn2_free(ascii);
	return fault;
}

/* Is a U-label good IDNA2008, and is `ascii` its A-label? The mapping alone lets
 * symbols through that IDNA2008 disallows. */
static const char *check_u_label(const char *label, const char *ascii)
{
	uint8_t *back = NULL;
	const char *fault = NULL;
	int rc = idn2_lookup_u8((const uint8_t *)label, &back, IDN2_NO_TR46);

	if (rc != IDN2_OK)
		return idn2_strerror(rc);
	if (strcmp((const char *)back, ascii) != 0)
		fault = "has a label that does not survive a round trip";
	idn2_free(back);
	return fault;
}

/* Compares a name in U-labels with its A-labels, label by label; cuts both into
 * labels on the way. */
static const char *check_labels(char *unicode, char *ascii)
{
	char *u, *a, *rest_u = NULL, *rest_a = NULL;

	u = strtok_r(unicode, ".", &rest_u);
	a = strtok_r(ascii, ".", &rest_a);
	while (u != NULL && a != NULL) {
		const char *fault = NULL;

		if (strncmp(a, "xn--", 4) == 0)
			fault = check_u_label(u, a);
		else if (strcmp(u, a) != 0)
			fault = "has a label that does not survive a round trip";
		if (fault != NULL)
			return fault;
		u = strtok_r(NULL, ".", &rest_u);
		a = strtok_r(NULL, ".", &rest_a);
	}
	return u == a ? NULL : "changes its number of labels";
}

static const char *to_unicode(char ascii[PL_ASCII_DOMAIN_SIZE],
			      char out[PL_DOMAIN_SIZE])
{
	char copy[PL_DOMAIN_SIZE], *unicode = NULL;
	const char *fault;
	int rc = idn2_to_unicode_8z8z(ascii, &unicode, 0);

	if (rc != IDN2_OK)
		return idn2_strerror(rc);
	if (strlen(unicode) >= PL_DOMAIN_SIZE) {
		idn2_free(unicode);
		return "is too long";
	}
	strcpy(copy, unicode);
	fault = check_labels(copy, ascii);
	if (fault == NULL)
		strcpy(out, unicode);
	idn2_free(unicode);
	return fault;
}

/* IPv4, or IPv6 with or without brackets, into the form that goes on the wire
 * (RFC 7622 3.2: brackets around IPv6). */
static bool parse_ip(const char *text, char out[PL_DOMAIN_SIZE])
{
	unsigned char bytes[sizeof(struct in6_addr)];
	char bare[INET6_ADDRSTRLEN];
	size_t length = strlen(text);

	/* Most names are none. */
	if (strchr(text, ':') == NULL &&
	    (length == 0 || !is_digit(text[length - 1])))
		return false;
	if (inet_pton(AF_INET, text, bytes) == 1)
		return inet_ntop(AF_INET, bytes, out, PL_DOMAIN_SIZE) != NULL;
	if (text[0] == '[') {
		if (length < 2 || text[length - 1] != ']')
			return false;
		text++;
		length -= 2;
	}
	if (length >= sizeof bare)
		return false;
	memcpy(bare, text, length);
	bare[length] = '\0';
	if (inet_pton(AF_INET6, bare, bytes) != 1)
		return false;
	if (inet_ntop(AF_INET6, bytes, bare, sizeof bare) == NULL)
		return false;
	out[0] = '[';
	strcpy(out + 1, bare);
	strcat(out, "]");
	return true;
}

/* Normal form of a name that is no IP literal; NULL or what is wrong. */
static const char *normalise(const char *name, char out[PL_DOMAIN_SIZE])
{
	char ascii[PL_ASCII_DOMAIN_SIZE];
	const char *fault;

	if (!is_plain(name)) {
		fault = to_ascii(name, ascii);
		return fault != NULL ? fault : to_unicode(ascii, out);
	}
	fault = name_fault(name);
	if (fault == NULL)
		copy_lower(out, name);
	return fault;
}

/* What a letter, digit or hyphen is in a normal form; 0 for all else. */
static const char folded[256] = {
	['-'] = '-',
	['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4',
	['5'] = '5', ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9',
	['A'] = 'a', ['B'] = 'b', ['C'] = 'c', ['D'] = 'd', ['E'] = 'e',
	['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i', ['J'] = 'j',
	['K'] = 'k', ['L'] = 'l', ['M'] = 'm', ['N'] = 'n', ['O'] = 'o',
	['P'] = 'p', ['Q'] = 'q', ['R'] = 'r', ['S'] = 's', ['T'] = 't',
	['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x', ['Y'] = 'y',
	['Z'] = 'z',
	['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd', ['e'] = 'e',
	['f'] = 'f', ['g'] = 'g', ['h'] = 'h', ['i'] = 'i', ['j'] = 'j',
	['k'] = 'k', ['l'] = 'l', ['m'] = 'm', ['n'] = 'n', ['o'] = 'o',
	['p'] = 'p', ['q'] = 'q', ['r'] = 'r', ['s'] = 's', ['t'] = 't',
	['u'] = 'u', ['v'] = 'v', ['w'] = 'w', ['x'] = 'x', ['y'] = 'y',
	['z'] = 'z',
};

/*
 * The names that nearly every stanza has, in one pass: labels of letters, digits
 * and inner hyphens, none of which could be an A-label, the last one without
 * digits. False: it takes the long way, which says what it is.
 */
static bool copy_simple(const char *text, size_t length, char *out)
{
	size_t label = 0; /* where it begins */
	bool digit = false;

	if (length > MAX_NAME)
		return false;
	for (size_t i = 0; i <= length; i++) {
		char c = i < length ? folded[(unsigned char)text[i]] : 0;

		out[i] = c;
		digit = digit || (c >= '0' && c <= '9');
		if (c != 0)
			continue;
		if (i < length && text[i] != '.')
			return false;
		if (i == label || i - label > MAX_LABEL ||
		    out[label] == '-' || out[i - 1] == '-' ||
		    (i - label > 4 && memcmp(out + label, "xn--", 4) == 0))
			return false;
		if (i == length)
			return !digit;
		out[i] = '.';
		label = i + 1;
		digit = false;
	}
	return false;
}

static bool refuse(struct pl_error *error, const char *text, size_t length,
		   const char *fault)
{
	char shown[100];

	return pl_error_set(error, "domain \"%s\": %s",
			    pl_text_printable(shown, sizeof shown, text,
					      length), fault);
}

bool pl_addr_domain(const char *text, size_t length,
		    char out[PL_DOMAIN_SIZE], struct pl_error *error)
{
	char name[PL_DOMAIN_SIZE];
	const char *fault;

	if (copy_simple(text, length, out))
		return true;
	out[0] = '\0';
	if (length == 0)
		return pl_error_set(error, "domain is empty");
	if (length > MAX_TEXT)
		return refuse(error, text, length, "is too long");
	if (memchr(text, '\0', length) != NULL)
		return refuse(error, text, length, "contains a NUL");
	if (memchr(text, '/', length) != NULL ||
	    memchr(text, '@', length) != NULL)
		return refuse(error, text, length,
			      "has a localpart or resource");
	memcpy(name, text, length);
	if (name[length - 1] == '.') /* one only, before all else: JID-2 */
		name[length - 1] = '\0';
	name[length] = '\0';
	if (parse_ip(name, out))
		return true;
	fault = normalise(name, out);
	return fault == NULL || refuse(error, text, length, fault);
}

bool pl_addr_ascii(const char *domain, char out[PL_ASCII_DOMAIN_SIZE])
{
	char ip[PL_DOMAIN_SIZE];

	out[0] = '\0';
	if (parse_ip(domain, ip) || strlen(domain) > MAX_TEXT)
		return false;
	if (!is_plain(domain))
		return to_ascii(domain, out) == NULL;
	if (name_fault(domain) != NULL)
		return false;
	copy_lower(out, domain);
	return true;
}

bool pl_addr_is_ip(const char *domain)
{
	char ip[PL_DOMAIN_SIZE];

	return parse_ip(domain, ip);
}
