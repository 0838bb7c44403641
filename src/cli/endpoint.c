/* What DNS says of us, against where we listen. */
#include "endpoint.h"

#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

bool cli_address_text(const struct pl_dns_address *address, char *out,
		      size_t size)
{
	char host[64], port[8];

	if (getnameinfo((const struct sockaddr *)&address->addr,
			address->length, host, sizeof host, port, sizeof port,
			NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return false;
	snprintf(out, size, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host,
		 port);
	return true;
}

bool cli_endpoint_takes(const char *endpoint, const char *address)
{
	const char *port = strrchr(endpoint, ':'), *to = strrchr(address, ':');
	bool v6 = address[0] == '[';

	if (strcmp(endpoint, address) == 0)
		return true;
	if (port == NULL || to == NULL || strcmp(port, to) != 0)
		return false;
	/* the wildcard of IPv6 takes IPv6 alone */
	return strncmp(endpoint, v6 ? "[::]:" : "0.0.0.0:", v6 ? 5 : 8) == 0;
}

static bool is_same(const struct sockaddr *a, const struct sockaddr_storage *b)
{
	if (a == NULL || a->sa_family != b->ss_family)
		return false;
	if (a->sa_family == AF_INET)
		return memcmp(&((const struct sockaddr_in *)a)->sin_addr,
			      &((const struct sockaddr_in *)b)->sin_addr,
			      sizeof(struct in_addr)) == 0;
	return a->sa_family == AF_INET6 &&
	       memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
		      &((const struct sockaddr_in6 *)b)->sin6_addr,
		      sizeof(struct in6_addr)) == 0;
}

/* All of 127.0.0.0/8 is, whatever the interface says. */
static bool is_loopback(const struct sockaddr_storage *address)
{
	const struct sockaddr_in *v4 = (const void *)address;

	return address->ss_family == AF_INET &&
	       ntohl(v4->sin_addr.s_addr) >> 24 == 127;
}

bool cli_address_is_ours(const struct pl_dns_address *address)
{
	struct ifaddrs *all = NULL;
	bool ours = is_loopback(&address->addr);

	if (ours || getifaddrs(&all) != 0)
		return true; /* not known: no complaint */
	for (const struct ifaddrs *i = all; i != NULL && !ours; i = i->ifa_next)
		ours = is_same(i->ifa_addr, &address->addr);
	freeifaddrs(all);
	return ours;
}
