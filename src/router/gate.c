/*
 * Who may begin. Users of an unverified partner may not: what one of them sends
 * to one of ours is refused, unless that one has written before (a message, a
 * request, presence) to the sender's bare address. So a stranger gets no word
 * in, while whoever is spoken to can answer, and goes on being able to.
 *
 * This is how the public, unverified partners of Lync Server 2013's XMPP
 * federation are dealt with. Federated and verified ones pass everything here.
 *
 * How a refusal looks on the wire:
 *     message, iq         not-allowed, of type cancel: nobody over there may do
 *                         this (RFC 6120 8.3.3.10). Not not-acceptable or
 *                         policy-violation, of type modify: no change of the
 *                         stanza helps. Not forbidden, of type auth: no log-in
 *                         helps. It comes whether the account exists or not,
 *                         and so tells nothing of that, while
 *                         service-unavailable would tell the peer's operator
 *                         nothing of the reason either.
 *     subscribe           type unsubscribed, as if the user had declined (RFC
 *                         6121 3.1.4, 3.2)
 *     other presence      nothing: it has no answer (RFC 6121 4)
 *
 * Always let in: errors and results, which answer something, and what is for a
 * bare domain of ours (ping, disco, version), where no user is spoken to.
 */
#include "internal.h"

#include <string.h>

/* The only place that asks what type a partner has. */
static bool is_unverified(const struct pl_router *router, const char *local,
			  const char *remote)
{
	struct pl_partner_view view;

	router->world->partner(router->world->site, local, remote, &view);
	return view.unverified;
}

static bool is_type(const struct pl_stanza *stanza, const char *type)
{
	return stanza->type != NULL && strcmp(stanza->type, type) == 0;
}

static bool is_a(const struct pl_stanza *stanza, const char *name)
{
	return strcmp(stanza->name, name) == 0;
}

/* ----- what ours send ----- */

/* Does it speak to somebody? An answer does not, an error even less; presence
 * does, where it asks or shows something: a probe goes to those alone that the
 * user subscribed to. */
static bool speaks(const struct pl_stanza *stanza)
{
	if (is_a(stanza, "iq"))
		return is_type(stanza, "get") || is_type(stanza, "set");
	if (is_a(stanza, "message"))
		return !is_type(stanza, "error");
	return stanza->type == NULL || is_type(stanza, "subscribe") ||
	       is_type(stanza, "subscribed") || is_type(stanza, "probe");
}

void gate_out(struct pl_router *router, const struct pl_stanza *stanza)
{
	char local[PL_BARE_SIZE], remote[PL_BARE_SIZE];

	if (router->gatekeeper == NULL || !speaks(stanza) ||
	    !is_unverified(router, stanza->from_domain, stanza->to_domain))
		return;
	if (pl_addr_bare(stanza->from, local) &&
	    pl_addr_bare(stanza->to, remote))
		router->gatekeeper->remember(router->gatekeeper_owner, local,
					     remote);
}

/* ----- what comes for ours ----- */

static bool answers(const struct pl_stanza *stanza)
{
	return is_type(stanza, "error") ||
	       (is_a(stanza, "iq") && is_type(stanza, "result"));
}

static bool may_begin(const struct pl_router *router,
		      const struct pl_stanza *stanza)
{
	char local[PL_BARE_SIZE], remote[PL_BARE_SIZE];

	return pl_addr_bare(stanza->to, local) &&
	       pl_addr_bare(stanza->from, remote) &&
	       router->gatekeeper->may_begin(router->gatekeeper_owner, local,
					     remote);
}

/* Once a second at most, with what was left out. No user is named: a log is
 * read by more people than a roster. */
static void tell(struct pl_router *router, const struct pl_stanza *stanza)
{
	uint64_t now = pl_loop_now_ms(router->world->loop);
	struct pl_log_line line;

	if (router->world->counts != NULL)
		router->world->counts->unverified++;
	if (router->last_gate_log_ms != 0 &&
	    now - router->last_gate_log_ms < 1000) {
		router->gate_untold++;
		return;
	}
	router->last_gate_log_ms = now;
	pl_log_begin(&line, router->world->log, PL_LOG_INFO);
	pl_log_text(&line, "event", "stanza-refused");
	pl_log_text(&line, "local", stanza->to_domain);
	pl_log_text(&line, "remote", stanza->from_domain);
	pl_log_text(&line, "stanza", stanza->name);
	pl_log_text(&line, "reason", "unverified");
	if (router->gate_untold > 0)
		pl_log_number(&line, "untold", router->gate_untold);
	pl_log_text(&line, "why", "the partner is unverified, and the user of "
		    "ours has not written to this sender");
	pl_log_end(&line);
	router->gate_untold = 0;
}

/* From and to the bare addresses, as a server would (RFC 6121 3.2.2). */
static void decline(struct pl_router *router, const struct pl_stanza *stanza)
{
	struct pl_buffer out;

	pl_buffer_init(&out, 0);
	if (pl_buffer_text(&out, "<presence type='unsubscribed'") &&
	    (stanza->id == NULL ||
	     (pl_buffer_text(&out, " id='") &&
	      pl_xml_escape(&out, stanza->id, strlen(stanza->id)) &&
	      pl_buffer_text(&out, "'"))) &&
	    pl_buffer_text(&out, " from='") &&
	    pl_xml_escape(&out, stanza->to, strcspn(stanza->to, "/")) &&
	    pl_buffer_text(&out, "' to='") &&
	    pl_xml_escape(&out, stanza->from, strcspn(stanza->from, "/")) &&
	    pl_buffer_text(&out, "'/>"))
		stanza_post(router, stanza->to_domain, stanza->from_domain,
			    &out);
	pl_buffer_finish(&out);
}

bool gate_in(struct pl_router *router, const struct pl_stanza *stanza)
{
	if (router->gatekeeper == NULL || answers(stanza) ||
	    stanza_to_bare_domain(stanza) ||
	    !is_unverified(router, stanza->to_domain, stanza->from_domain) ||
	    may_begin(router, stanza))
		return true;
	tell(router, stanza);
	if (!is_a(stanza, "presence"))
		pl_router_refuse(router, stanza, PL_SC_NOT_ALLOWED);
	else if (is_type(stanza, "subscribe"))
		decline(router, stanza);
	return false;
}

void pl_router_set_gatekeeper(struct pl_router *router,
			      const struct pl_gatekeeper *gatekeeper,
			      void *owner)
{
	router->gatekeeper = gatekeeper;
	router->gatekeeper_owner = owner;
}
