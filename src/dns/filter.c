/* Addresses: text, sockets, and those that a stranger may not send us to. */
#include "internal.h"

#include <arpa/inet.h>
#include <string.h>

static bool v4_is_forbidden(const uint8_t a[4])
{
	return a[0] == 0 ||                    /* "this host" */
	       a[0] == 127 ||                  /* loopback */
	       (a[0] == 169 && a[1] == 254) || /* link-local */
	       a[0] >= 224;                    /* multicast, broadcast */
}

/* Does an IPv6 address carry an IPv4 one in its last 4 bytes? ::ffff:0:0/96
 * (mapped), ::/96 (compatible), 64:ff9b::/96 (NAT64). */
static bool carries_v4(const uint8_t a[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, 0xff };
	static const uint8_t compatible[12] = { 0 };
	static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b };

	return memcmp(a, mapped, 12) == 0 || memcmp(a, compatible, 12) == 0 ||
	       memcmp(a, nat64, 12) == 0;
}

bool address_is_forbidden(const struct address *address)
{
	const uint8_t *a;

	if (address->family == AF_INET)
		return v4_is_forbidden((const uint8_t *)&address->in.v4);
	a = address->in.v6.s6_addr;
	if (a[0] == 0xff || (a[0] == 0xfe && (a[1] & 0xc0) == 0x80))
		return true;
	/* :: and ::1 are in ::/96, and 0.0.0.0/8 is forbidden */
	return carries_v4(a) && v4_is_forbidden(a + 12);
}

void address_put(const struct address *address, unsigned short port,
		 struct pl_dns_address *out)
{
	struct sockaddr_in *v4 = (void *)&out->addr;
	struct sockaddr_in6 *v6 = (void *)&out->addr;

	memset(out, 0, sizeof *out);
	if (address->family == AF_INET) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		v4->sin_addr = address->in.v4;
		out->length = sizeof *v4;
	} else {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		v6->sin6_addr = address->in.v6;
		out->length = sizeof *v6;
	}
}

bool address_parse(const char *text, struct address *out)
{
	char bare[INET6_ADDRSTRLEN];
	size_t length = strlen(text);

	if (length > 2 && text[0] == '[' && text[length - 1] == ']') {
		text++;
		length -= 2;
	}
	if (length >= sizeof bare)
		return false;
	memcpy(bare, text, length);
	bare[length] = '\0';
	memset(out, 0, sizeof *out);
	out->family = strchr(bare, ':') != NULL ? AF_INET6 : AF_INET;
	return inet_pton(out->family, bare, &out->in) == 1;
}
