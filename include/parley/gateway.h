/*
 * gateway.h: servers behind us. A host's real server sits on a private S2S link
 * (an upstream), and we negotiate with the world in its place.
 *
 *     the world <--- policy ---> outer router <---> inner router <---> server
 *
 * The inner router is a second one, seen the other way round: there every
 * domain but those of the servers behind us is ours, and those servers are the
 * partners, found by their upstream address. A stanza from the world goes out
 * on the inner link in the name of its sender's domain; what the server sends to
 * any domain comes in by the gateway's own listener, at which the server must
 * look for all of them. Each side proves the other by dialback, the server's
 * keys being verified at its upstream address alone; TLS is used where the
 * server offers it, and nothing asks for certificates. Whoever connects to the
 * listener from another address than that of an upstream is dropped.
 *
 * What cannot be delivered on either side comes back as an error, once.
 */
#ifndef PARLEY_GATEWAY_H
#define PARLEY_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>

#include "parley/router.h"

struct pl_gateway_rule {
	const char *domain;      /* a host of ours, normal form */
	const char *host;        /* its server: an address */
	unsigned short port;
	const char *where;       /* `host "alpha.example" (parley.conf:1)` */
};

struct pl_gateway;

/* World and router (the outer ones) are borrowed and outlive it. */
struct pl_gateway *pl_gateway_new(struct pl_world *world,
				  struct pl_router *router);
/* When its streams are gone (pl_gateway_shutdown), or after
 * pl_gateway_drop_all() and a turn of the loop. */
void pl_gateway_free(struct pl_gateway *gateway); /* NULL is fine */

/* These domains and no others from now on; copied. Streams of others close. */
void pl_gateway_set(struct pl_gateway *gateway,
		    const struct pl_gateway_rule *rules, size_t count);
/* The world's limits, trust, resolver or log changed: takes them over. */
void pl_gateway_world_changed(struct pl_gateway *gateway);

/* A connection to the gateway's listener. */
void pl_gateway_accept(struct pl_gateway *gateway, struct pl_conn *conn);

/* Its streams; `local` is the world's side of them. */
void pl_gateway_each(struct pl_gateway *gateway,
		     void (*show)(void *owner, const struct pl_stream_info *),
		     void *owner);
size_t pl_gateway_streams(const struct pl_gateway *gateway);
void pl_gateway_shutdown(struct pl_gateway *gateway);
void pl_gateway_drop_all(struct pl_gateway *gateway);

#endif
