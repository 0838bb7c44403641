/*
 * Stanzas on their way: read and checked, handed to whoever serves their
 * target, or sent back as errors (RFC 6120 8.3, 10.4).
 *
 * What could not be delivered goes back once, never for an error or a result
 * (8.3.1), and always from the loop: whoever finds out that an attempt failed
 * is in the middle of something.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* ----- reading ----- */

static enum pl_stanza_fault read_to(struct pl_stanza *stanza, const char *to)
{
	struct pl_jid parts;

	if (to != NULL && pl_addr_jid(to, strlen(to), &parts,
				      stanza->to_domain, stanza->to, NULL))
		return PL_STANZA_GOOD;
	/* Errors about it come from the domain, where it has one. */
	if (to == NULL || !pl_addr_jid_domain(to, strlen(to),
					      stanza->to_domain, NULL))
		strcpy(stanza->to_domain, stanza->from_domain);
	strcpy(stanza->to, stanza->to_domain);
	return to == NULL ? PL_STANZA_NO_TO : PL_STANZA_BAD_TO;
}

enum pl_stanza_fault pl_stanza_read(struct pl_stanza *stanza,
				    const struct pl_xml_node *node,
				    struct pl_buffer *bytes)
{
	const char *from = pl_xml_attribute(node, "from");
	enum pl_stanza_fault fault;
	struct pl_jid parts;

	stanza->node = node;
	stanza->name = node->name;
	stanza->type = pl_xml_attribute(node, "type");
	stanza->id = pl_xml_attribute(node, "id");
	stanza->length = 0;
	if (from == NULL ||
	    !pl_addr_jid(from, strlen(from), &parts, stanza->from_domain,
			 stanza->from, NULL))
		return PL_STANZA_BAD_FROM;
	fault = read_to(stanza, pl_xml_attribute(node, "to"));
	if (fault != PL_STANZA_GOOD)
		return fault;
	pl_buffer_consume(bytes, bytes->length);
	if (!pl_xml_write_stanza(bytes, node, stanza->from, stanza->to))
		return PL_STANZA_NO_MEMORY;
	stanza->bytes = pl_buffer_bytes(bytes);
	stanza->length = bytes->length;
	return PL_STANZA_GOOD;
}

/* ----- errors ----- */

/* A result that is a message or presence does not exist; leave it alone. */
bool stanza_may_bounce(const struct pl_stanza *stanza)
{
	return stanza->type == NULL || (strcmp(stanza->type, "error") != 0 &&
					strcmp(stanza->type, "result") != 0);
}

/* Is it for the domain itself, not for some account at it? */
bool stanza_to_bare_domain(const struct pl_stanza *stanza)
{
	return strpbrk(stanza->to, "@/") == NULL;
}

static bool attribute(struct pl_buffer *out, const char *name,
		      const char *value)
{
	return value == NULL ||
	       (pl_buffer_printf(out, " %s='", name) &&
		pl_xml_escape(out, value, strlen(value)) &&
		pl_buffer_text(out, "'"));
}

/* A service that is away will be back: its type is wait, not cancel. */
static const char *type_of(enum pl_stanza_condition condition, bool away)
{
	return away ? "wait" : pl_stanza_condition_type(condition);
}

static bool write_bounce(struct pl_buffer *out, const struct bounce *bounce)
{
	return pl_buffer_printf(out, "<%s type='error'", bounce->name) &&
	       attribute(out, "id", bounce->id) &&
	       attribute(out, "from", bounce->to) &&
	       attribute(out, "to", bounce->from) &&
	       pl_buffer_printf(out, "><error type='%s'><%s xmlns='"
				PL_NS_STANZA_ERROR "'/></error></%s>",
				type_of(bounce->condition, bounce->away),
				pl_stanza_condition_name(bounce->condition),
				bounce->name);
}

void bounce_send(struct pl_router *router, const struct bounce *bounce)
{
	char from[PL_DOMAIN_SIZE], to[PL_DOMAIN_SIZE];
	struct pl_buffer out;

	if (!pl_addr_jid_domain(bounce->to, strlen(bounce->to), from, NULL) ||
	    !pl_addr_jid_domain(bounce->from, strlen(bounce->from), to, NULL))
		return;
	pl_buffer_init(&out, 0);
	pl_counts_bounce(router->world->counts, bounce->condition);
	if (write_bounce(&out, bounce))
		stanza_post(router, from, to, &out);
	pl_buffer_finish(&out);
}

/* Sends it back at once: only from where nothing is under way. */
static void refuse(struct pl_router *router, const struct pl_stanza *stanza,
		   enum pl_stanza_condition condition, bool away)
{
	if (stanza_may_bounce(stanza))
		bounce_send(router, &(struct bounce){
			.name = stanza->name,
			.id = stanza->id,
			.from = stanza->from,
			.to = stanza->to,
			.condition = condition,
			.away = away,
		});
}

/* ----- to whom ----- */

static enum pl_delivery deliver(struct pl_router *router, const char *domain,
				const void *bytes, size_t length,
				struct pl_sender *sender)
{
	if (router->local == NULL)
		return PL_DELIVERY_NONE;
	return router->local->deliver(router->local_owner, domain, bytes,
				      length, sender);
}

static bool is_beyond(const struct pl_router *router, const char *domain)
{
	return router->beyond != NULL &&
	       router->beyond->serves(router->beyond_owner, domain);
}

/* An answer to a ping of ours is ours, whoever serves the domain that it was
 * sent from: a service, or a server behind us, did not ask. */
static bool answers_us(struct pl_router *router,
		       const struct pl_stanza *stanza)
{
	return !TAILQ_EMPTY(&router->pings) && !stanza_may_bounce(stanza) &&
	       strcmp(stanza->name, "iq") == 0 && stanza->id != NULL &&
	       stanza_to_bare_domain(stanza) &&
	       ping_take(router, stanza->to_domain, stanza->from_domain,
			 stanza->id);
}

static void deliver_stanza(struct pl_router *router,
			   const struct pl_stanza *stanza,
			   struct pl_sender *sender)
{
	if (answers_us(router, stanza))
		return;
	if (is_beyond(router, stanza->to_domain)) {
		router->beyond->take(router->beyond_owner, stanza, sender);
		return;
	}
	switch (deliver(router, stanza->to_domain, stanza->bytes,
			stanza->length, sender)) {
	case PL_DELIVERY_TAKEN:
		if (router->local->taken != NULL)
			router->local->taken(router->local_owner, stanza);
		break;
	case PL_DELIVERY_NONE:
		host_take(router, stanza);
		break;
	case PL_DELIVERY_AWAY:
		refuse(router, stanza, PL_SC_SERVICE_UNAVAILABLE, true);
		break;
	case PL_DELIVERY_FULL:
		refuse(router, stanza, PL_SC_RESOURCE_CONSTRAINT, false);
		break;
	}
}

void stanza_post(struct pl_router *router, const char *from, const char *to,
		 const struct pl_buffer *stanza)
{
	struct pl_world *world = router->world;

	if (!world->host(world->site, to, NULL))
		route_send(router, from, to, stanza, false);
	else if (is_beyond(router, to))
		router->beyond->post(router->beyond_owner, from, to, stanza);
	else
		deliver(router, to, pl_buffer_bytes(stanza), stanza->length,
			NULL);
}

void pl_router_post(struct pl_router *router, const char *from, const char *to,
		    const struct pl_buffer *stanza)
{
	stanza_post(router, from, to, stanza);
}

void pl_router_set_beyond(struct pl_router *router,
			  const struct pl_beyond *beyond, void *owner)
{
	router->beyond = beyond;
	router->beyond_owner = owner;
}

/* Keeps the buffer for the next stanza, but not a large one. */
static void keep_scratch(struct pl_router *router)
{
	pl_buffer_consume(&router->scratch, router->scratch.length);
	if (router->scratch.capacity > SCRATCH_BYTES)
		pl_buffer_trim(&router->scratch);
}

void stanza_take(struct pl_router *router, const struct pl_xml_node *node,
		 struct pl_sender *sender)
{
	struct pl_stanza stanza;

	switch (pl_stanza_read(&stanza, node, &router->scratch)) {
	case PL_STANZA_GOOD:
		if (gate_in(router, &stanza))
			deliver_stanza(router, &stanza, sender);
		break;
	case PL_STANZA_NO_TO:
	case PL_STANZA_BAD_TO:
		/* A slip of one user of the peer's closes no stream. */
		refuse(router, &stanza, PL_SC_JID_MALFORMED, false);
		break;
	case PL_STANZA_NO_MEMORY:
		refuse(router, &stanza, PL_SC_RESOURCE_CONSTRAINT, false);
		break;
	case PL_STANZA_BAD_FROM:
		break; /* nobody to tell */
	}
	keep_scratch(router);
}

/* ----- what local services send ----- */

void pl_router_set_local(struct pl_router *router,
			 const struct pl_local *local, void *owner)
{
	router->local = local;
	router->local_owner = owner;
}

void pl_router_send(struct pl_router *router, const struct pl_stanza *stanza,
		    struct pl_sender *sender)
{
	struct pl_world *world = router->world;
	enum pl_stanza_condition condition;

	if (!world->host(world->site, stanza->from_domain, NULL))
		return;
	if (world->host(world->site, stanza->to_domain, NULL)) {
		deliver_stanza(router, stanza, sender);
		return;
	}
	gate_out(router, stanza);
	condition = route_take(router, stanza, sender);
	if (condition != PL_SC_NONE)
		refuse(router, stanza, condition, false);
}

void pl_router_refuse(struct pl_router *router, const struct pl_stanza *stanza,
		      enum pl_stanza_condition condition)
{
	refuse(router, stanza, condition, false);
}
