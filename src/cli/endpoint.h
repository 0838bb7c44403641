/* endpoint.h: what DNS says of us, against where we listen. */
#ifndef PARLEY_CLI_ENDPOINT_H
#define PARLEY_CLI_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

#include "parley/dns.h"

/* "192.0.2.1:5269", "[2001:db8::1]:5269". */
bool cli_address_text(const struct pl_dns_address *address, char *out,
		      size_t size);

/* Does a listening endpoint take what comes to this address (as text)? */
bool cli_endpoint_takes(const char *endpoint, const char *address);

/* Is it an address of an interface of this machine? */
bool cli_address_is_ours(const struct pl_dns_address *address);

#endif
