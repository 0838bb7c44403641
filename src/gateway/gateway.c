/* Servers behind us: a second router, seen the other way round. */
#include "parley/gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parley/addr.h"

struct rule {
	char *domain, *host, *where;   /* owned */
	unsigned short port;
};

struct pl_gateway {
	struct pl_world *outer_world;  /* borrowed */
	struct pl_router *outer;       /* borrowed */
	struct pl_world world;         /* the inner one */
	struct pl_router *router;      /* owned */
	struct rule *rules;            /* owned */
	size_t count;
};

static const struct rule *find(const struct pl_gateway *gateway,
			       const char *domain)
{
	for (size_t i = 0; i < gateway->count; i++)
		if (strcmp(gateway->rules[i].domain, domain) == 0)
			return &gateway->rules[i];
	return NULL;
}

/* ----- the world as the servers behind us see it ----- */

/* Every domain that has no server behind us is ours there. The certificate is
 * whatever we have: the link asks for none, it only wants to be encrypted. */
static bool inner_host(void *site, const char *domain,
		       struct pl_tls_identity **identity)
{
	struct pl_gateway *gateway = site;
	struct pl_world *outer = gateway->outer_world;
	struct pl_tls_identity *own = NULL;

	outer->host(outer->site, NULL, &own);
	if (identity != NULL)
		*identity = own;
	if (domain == NULL)
		return own != NULL;
	return find(gateway, domain) == NULL;
}

static void inner_partner(void *site, const char *local, const char *remote,
			  struct pl_partner_view *view)
{
	struct pl_gateway *gateway = site;
	const struct rule *rule = remote ? find(gateway, remote) : NULL;

	(void)local;
	memset(view, 0, sizeof *view);
	/* encrypted where the server likes, proved by dialback */
	view->row = 15;
	view->terms.policy = pl_policy_of_row(view->row);
	view->terms.check = PL_CHECK_LOG;
	view->terms.own_certificate = inner_host(gateway, NULL, NULL);
	view->connection_limit = gateway->world.limits.connections;
	view->wanted_targets = PL_DNS_STARTTLS;
	view->keepalive = true;
	/* Before a name is known, TLS may be offered to anybody. */
	view->terms.partner_known = rule != NULL || remote == NULL;
	if (rule == NULL)
		return;
	view->connect_host = rule->host;
	view->connect_port = rule->port;
	snprintf(view->rule, sizeof view->rule, "%s", rule->where);
}

/* ----- from one side to the other ----- */

static bool serves(void *owner, const char *domain)
{
	return find(owner, domain) != NULL;
}

static void take_inwards(void *owner, const struct pl_stanza *stanza,
			 struct pl_sender *sender)
{
	struct pl_gateway *gateway = owner;

	pl_router_send(gateway->router, stanza, sender);
}

static void post_inwards(void *owner, const char *from, const char *to,
			 const struct pl_buffer *stanza)
{
	struct pl_gateway *gateway = owner;

	pl_router_post(gateway->router, from, to, stanza);
}

static const struct pl_beyond inwards = {
	.serves = serves,
	.take = take_inwards,
	.post = post_inwards,
};

static bool serves_the_rest(void *owner, const char *domain)
{
	return find(owner, domain) == NULL;
}

static void take_outwards(void *owner, const struct pl_stanza *stanza,
			  struct pl_sender *sender)
{
	struct pl_gateway *gateway = owner;

	pl_router_send(gateway->outer, stanza, sender);
}

static void post_outwards(void *owner, const char *from, const char *to,
			  const struct pl_buffer *stanza)
{
	struct pl_gateway *gateway = owner;

	pl_router_post(gateway->outer, from, to, stanza);
}

static const struct pl_beyond outwards = {
	.serves = serves_the_rest,
	.take = take_outwards,
	.post = post_outwards,
};

/* ----- the life of it ----- */

void pl_gateway_world_changed(struct pl_gateway *gateway)
{
	bool resolver = gateway->world.resolver != NULL &&
		gateway->world.resolver != gateway->outer_world->resolver;

	gateway->world = *gateway->outer_world;
	gateway->world.site = gateway;
	gateway->world.host = inner_host;
	gateway->world.partner = inner_partner;
	gateway->world.contacts = NULL;
	gateway->world.counts = NULL; /* the world outside is what counts */
	/* One address speaks for all of a server's users, by a stream to each
	 * domain that they write to. */
	gateway->world.limits.connections_per_address =
		gateway->world.limits.connections;
	if (resolver)
		pl_router_resolver_changed(gateway->router);
}

struct pl_gateway *pl_gateway_new(struct pl_world *world,
				  struct pl_router *router)
{
	struct pl_gateway *gateway = pl_calloc(1, sizeof *gateway);

	gateway->outer_world = world;
	gateway->outer = router;
	pl_gateway_world_changed(gateway);
	gateway->router = pl_router_new(&gateway->world);
	pl_router_set_beyond(gateway->router, &outwards, gateway);
	pl_router_set_beyond(router, &inwards, gateway);
	return gateway;
}

static void forget_rules(struct pl_gateway *gateway)
{
	for (size_t i = 0; i < gateway->count; i++) {
		free(gateway->rules[i].domain);
		free(gateway->rules[i].host);
		free(gateway->rules[i].where);
	}
	free(gateway->rules);
	gateway->rules = NULL;
	gateway->count = 0;
}

void pl_gateway_set(struct pl_gateway *gateway,
		    const struct pl_gateway_rule *rules, size_t count)
{
	forget_rules(gateway);
	gateway->rules = pl_calloc(count + 1, sizeof *gateway->rules);
	for (size_t i = 0; i < count; i++)
		gateway->rules[i] = (struct rule){
			.domain = pl_strdup(rules[i].domain),
			.host = pl_strdup(rules[i].host),
			.where = pl_strdup(rules[i].where),
			.port = rules[i].port,
		};
	gateway->count = count;
	pl_router_terms_changed(gateway->router);
}

static bool is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 ||
	       strncmp(address, "::1", 3) == 0;
}

/* Is it the address of a server behind us? On one machine any loopback address
 * may be the source. An upstream that is a name is not
 * looked up for this: then dialback alone decides. */
static bool from_upstream(const struct pl_gateway *gateway,
			  const struct pl_conn *conn)
{
	const char *peer = pl_conn_peer(conn);

	if (peer[0] == '[')
		peer++;
	for (size_t i = 0; i < gateway->count; i++) {
		const char *host = gateway->rules[i].host;
		size_t length = strlen(host);

		if (!pl_addr_is_ip(host))
			return true;
		if (is_loopback(host) && is_loopback(peer))
			return true;
		if (strncmp(peer, host, length) == 0 &&
		    (peer[length] == ':' || peer[length] == ']'))
			return true;
	}
	return false;
}

void pl_gateway_accept(struct pl_gateway *gateway, struct pl_conn *conn)
{
	struct pl_log_line line;

	if (from_upstream(gateway, conn)) {
		pl_router_accept(gateway->router, conn, false);
		return;
	}
	pl_log_begin(&line, gateway->world.log, PL_LOG_WARNING);
	pl_log_text(&line, "event", "refused");
	pl_log_text(&line, "addr", pl_conn_peer(conn));
	pl_log_text(&line, "why", "the gateway takes connections from the "
				  "upstream of a host alone");
	pl_log_end(&line);
	pl_conn_abort(conn);
}

void pl_gateway_each(struct pl_gateway *gateway,
		     void (*show)(void *owner, const struct pl_stream_info *),
		     void *owner)
{
	pl_router_each(gateway->router, show, owner);
}

size_t pl_gateway_streams(const struct pl_gateway *gateway)
{
	return pl_router_streams(gateway->router);
}

static void nothing(void *owner)
{
	(void)owner;
}

void pl_gateway_shutdown(struct pl_gateway *gateway)
{
	pl_router_shutdown(gateway->router, nothing, NULL);
}

void pl_gateway_drop_all(struct pl_gateway *gateway)
{
	pl_router_drop_all(gateway->router);
}

void pl_gateway_free(struct pl_gateway *gateway)
{
	if (gateway == NULL)
		return;
	pl_router_set_beyond(gateway->outer, NULL, NULL);
	pl_router_free(gateway->router);
	forget_rules(gateway);
	free(gateway);
}
