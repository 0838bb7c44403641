/*
 * component.h: services that attach here, by the component protocol (XEP-0114).
 *
 *     pl_conn -> header -> handshake -> stanzas -> pl_router_send()
 *                                                       |
 *     pl_conn <------------------- struct pl_local <- router <- streams
 *
 * A service connects, names its domain and proves that it knows the domain's
 * secret: <handshake/> holds the hexadecimal SHA-1 of our stream id and the
 * secret. From then on the domain's stanzas are its own: whatever comes for it
 * is written to the service, and what the service sends goes where its `to`
 * says. The protocol knows neither TLS nor anything better than that digest,
 * so it belongs on a loopback address or a network that is trusted.
 *
 * A section "*.x" is served by one connection, for every name below x that has
 * no section of its own; its header names "*.x" or any such name.
 *
 * Refused with a stream error: another namespace (invalid-namespace), a domain
 * without section (host-unknown), anything before the handshake or a wrong one
 * (not-authorized), a handshake that does not come in ten seconds
 * (connection-timeout), a stanza whose `from` is not in the service's domain
 * (invalid-from), a further connection for its domain (conflict; which of both
 * gets it is a setting), an element that is no stanza (unsupported-stanza-type).
 * A `to` that is missing or malformed ends no stream: the stanza alone comes
 * back (bad-request, jid-malformed).
 *
 * Neither secrets nor digests ever enter a log or a trace.
 */
#ifndef PARLEY_COMPONENT_H
#define PARLEY_COMPONENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parley/router.h"

/* A name that is served here. */
struct pl_component_rule {
	const char *name;     /* normal form, or "*." and one */
	const char *secret;   /* NULL: a host, which no service may take */
	bool refuse_second;   /* while one is attached, a further connection
	                       * gets conflict; else it takes the domain over */
};

struct pl_components;

/* World and router are borrowed and outlive it. */
struct pl_components *pl_components_new(struct pl_world *world,
					struct pl_router *router);
/* Drops every connection. */
void pl_components_free(struct pl_components *components);

/* These names and no others, from now on; copied. A service stays where its name
 * and secret stayed. */
void pl_components_set(struct pl_components *components,
		       const struct pl_component_rule *rules, size_t count);

/* Takes a connection that was accepted. At most 64 wait for their handshake: a
 * further one has the oldest dropped. */
void pl_components_accept(struct pl_components *components,
			  struct pl_conn *conn);

/* Texts are borrowed. */
struct pl_component_info {
	const char *id;          /* in logs */
	const char *name;        /* of its section; "" before the header */
	const char *addr;
	bool attached;           /* the handshake is done */
	uint64_t began_ms;
	uint64_t received, sent; /* stanzas, as we see it */
};
/* Shows every connection, oldest first. */
void pl_components_each(struct pl_components *components,
			void (*show)(void *owner,
				     const struct pl_component_info *info),
			void *owner);

/* Tells each system-shutdown and closes. */
void pl_components_shutdown(struct pl_components *components);

#endif
