/* What waits for a route, and what goes out on it: in the order in which it
 * came. */
#include "route.h"

/* ----- what waits ----- */

/* Takes the first one out. NULL: nothing waits. */
struct waiting *route_next_waiting(struct route *route)
{
	struct waiting *waiting = STAILQ_FIRST(&route->waiting);

	if (waiting == NULL)
		return NULL;
	STAILQ_REMOVE_HEAD(&route->waiting, entry);
	route->waiting_bytes -= waiting->cost;
	return waiting;
}

static void hold(struct pl_router *router, struct pl_brake **brake,
		 struct pl_sender *sender)
{
	if (sender == NULL)
		return;
	if (*brake == NULL)
		*brake = pl_brake_new(router->world->loop);
	pl_brake_hold(*brake, sender);
}

/* False: no room, or no memory. */
static bool wait_here(struct route *route, const void *bytes, size_t length,
		      const struct pl_stanza *stanza, struct pl_sender *sender)
{
	size_t limit = route->router->world->limits.queue_bytes;
	struct waiting *waiting;

	if (route->waiting_bytes + route->unacked_bytes + length > limit)
		return false;
	waiting = waiting_new(bytes, length, stanza, sender);
	if (waiting == NULL)
		return false;
	STAILQ_INSERT_TAIL(&route->waiting, waiting, entry);
	route->waiting_bytes += waiting->cost;
	if (route->waiting_bytes > limit / 2)
		hold(route->router, &route->brake, sender);
	return true;
}

void route_bounce_all(struct route *route, enum pl_stanza_condition condition)
{
	struct waiting *waiting;

	while ((waiting = route_next_waiting(route)) != NULL)
		waiting_bounce(route->router, waiting, condition);
	pl_brake_release(route->brake);
}

static bool counts(const struct pl_pair *pair)
{
	struct pl_stream_sm sm;

	pl_stream_sm(pair->stream, &sm);
	return sm.on;
}

/* PL_SC_NONE: it is on its way. */
static enum pl_stanza_condition send_on(struct pl_pair *pair,
					const void *bytes, size_t length)
{
	size_t most = pl_stream_most(pair->stream);

	if (most > 0 && length > most)
		return PL_SC_POLICY_VIOLATION; /* XEP-0478 4 */
	return pl_stream_send(pair, bytes, length)
		       ? PL_SC_NONE : PL_SC_RESOURCE_CONSTRAINT;
}

/* The same, and keeps it where the stream counts or may lose it; else it is
 * freed. What could not be sent stays the caller's. */
static enum pl_stanza_condition send_waiting(struct route *route,
					     struct waiting *waiting)
{
	struct link *link = pl_stream_data(route->pair->stream);
	enum pl_stanza_condition why = send_on(route->pair, waiting->bytes,
					       waiting->length);

	if (why != PL_SC_NONE)
		return why;
	waiting_release(waiting);
	if (counts(route->pair)) {
		waiting->route = route;
		session_add(link, waiting);
	} else if (waiting->name != NULL) {
		sent_add(link, waiting, waiting->length);
	} else {
		waiting_free(waiting);
	}
	return why;
}

/* So much may be on its way without an acknowledgement; but one stanza always
 * may, whatever its size. */
static bool fills_up(struct route *route, size_t length,
		     struct pl_sender *sender)
{
	size_t limit = route->router->world->limits.queue_bytes;

	if (route->unacked_bytes + length > limit / 2) {
		hold(route->router, &route->brake, sender);
		if (route->unacked_bytes <= limit / 2)
			pl_stream_ask(route->pair->stream);
	}
	return route->unacked_bytes > 0 &&
	       route->unacked_bytes + length > limit;
}

static enum pl_stanza_condition send_counted(struct route *route,
					     const void *bytes, size_t length,
					     const struct pl_stanza *stanza,
					     struct pl_sender *sender)
{
	enum pl_stanza_condition why;
	struct waiting *waiting;

	if (fills_up(route, length, sender))
		return PL_SC_RESOURCE_CONSTRAINT;
	waiting = waiting_new(bytes, length, stanza, NULL);
	if (waiting == NULL)
		return PL_SC_RESOURCE_CONSTRAINT;
	why = send_waiting(route, waiting);
	if (why != PL_SC_NONE)
		waiting_free(waiting);
	return why;
}

/* Without stream management: what can come back is kept, without its content,
 * until the peer has it. */
static enum pl_stanza_condition send_uncounted(struct route *route,
					       const void *bytes, size_t length,
					       const struct pl_stanza *stanza)
{
	struct link *link = pl_stream_data(route->pair->stream);
	enum pl_stanza_condition why;
	struct waiting *waiting;

	if (stanza == NULL || !stanza_may_bounce(stanza))
		return send_on(route->pair, bytes, length);
	if (sent_fills(link, link->router->world->limits.output_bytes))
		return PL_SC_RESOURCE_CONSTRAINT;
	waiting = waiting_new("", 0, stanza, NULL);
	if (waiting == NULL)
		return PL_SC_RESOURCE_CONSTRAINT;
	why = send_on(route->pair, bytes, length);
	if (why != PL_SC_NONE)
		waiting_free(waiting);
	else
		sent_add(link, waiting, length);
	return why;
}

/* The same, and holds a sender whose peer does not read. */
static enum pl_stanza_condition send_now(struct route *route,
					 const void *bytes, size_t length,
					 const struct pl_stanza *stanza,
					 struct pl_sender *sender)
{
	struct pl_pair *pair = route->pair;
	struct link *link = pl_stream_data(pair->stream);
	size_t limit = link->router->world->limits.output_bytes;

	if (pl_stream_pending(pair->stream) + length > limit / 2 ||
	    sent_fills(link, limit / 2))
		hold(link->router, &link->brake, sender);
	return counts(pair)
		? send_counted(route, bytes, length, stanza, sender)
		: send_uncounted(route, bytes, length, stanza);
}

/* ----- what is sent and not acknowledged ----- */

void route_unacked(struct waiting *waiting)
{
	waiting->route->unacked_bytes += waiting->cost;
}

void route_let_go(struct waiting *waiting)
{
	struct route *route = waiting->route;

	waiting->route = NULL;
	route->unacked_bytes -= waiting->cost;
}

void route_acked(struct waiting *waiting)
{
	struct route *route = waiting->route;

	route_let_go(waiting);
	route->breaks = 0;
	if (route->unacked_bytes + route->waiting_bytes <=
	    route->router->world->limits.queue_bytes / 4)
		pl_brake_release(route->brake);
}

static bool may_send(const struct route *route)
{
	struct pl_stream_sm sm;

	if (route->session != NULL || route->pair == NULL ||
	    route->pair->state.phase != PL_PAIR_OPEN)
		return false;
	pl_stream_sm(route->pair->stream, &sm);
	return !sm.holds;
}

/* Sends what waits, as soon as anything may be sent. */
void route_send_all(struct route *route)
{
	struct waiting *waiting;

	if (!may_send(route))
		return;
	if (!counts(route->pair))
		route->breaks = 0;
	while ((waiting = route_next_waiting(route)) != NULL) {
		enum pl_stanza_condition why = send_waiting(route, waiting);

		if (why != PL_SC_NONE)
			waiting_bounce(route->router, waiting, why);
	}
	pl_brake_release(route->brake);
}

/* Sends, or has it wait. `stanza` NULL: it never comes back. */
static enum pl_stanza_condition take(struct route *route, const void *bytes,
				     size_t length,
				     const struct pl_stanza *stanza,
				     struct pl_sender *sender, bool at_once)
{
	uint64_t now = pl_loop_now_ms(route->router->world->loop);

	route->used_ms = now;
	if (may_send(route))
		return send_now(route, bytes, length, stanza, sender);
	if (route->pair != NULL || route->lost ||
	    (route->session != NULL && route_to_resume(route) == NULL) ||
	    (route->outgoing != NULL && !route->over))
		return wait_here(route, bytes, length, stanza, sender)
			       ? PL_SC_NONE : PL_SC_RESOURCE_CONSTRAINT;
	if (!at_once && route->failed != PL_CODE_NONE &&
	    now - route->failed_ms < route->pause_ms)
		return route->bounce;
	/* before route_begin(): it may fail at once, and takes it along */
	if (!wait_here(route, bytes, length, stanza, sender))
		return PL_SC_RESOURCE_CONSTRAINT;
	route_begin(route);
	return PL_SC_NONE;
}

bool route_send(struct pl_router *router, const char *local,
		const char *remote, const struct pl_buffer *stanza,
		bool at_once)
{
	struct route *route;

	if (router->draining)
		return false;
	route = route_find_or_make(router, local, remote);
	return route != NULL &&
	       take(route, pl_buffer_bytes(stanza), stanza->length, NULL,
		    NULL, at_once) == PL_SC_NONE;
}

enum pl_stanza_condition route_take(struct pl_router *router,
				    const struct pl_stanza *stanza,
				    struct pl_sender *sender)
{
	struct route *route;

	if (router->draining)
		return PL_SC_REMOTE_SERVER_TIMEOUT;
	route = route_find_or_make(router, stanza->from_domain,
				   stanza->to_domain);
	if (route == NULL)
		return PL_SC_RESOURCE_CONSTRAINT;
	return take(route, stanza->bytes, stanza->length, stanza, sender,
		    false);
}

void route_settled(struct pl_pair *pair)
{
	if (pair->route != NULL)
		route_send_all(pair->route);
}
