/* Attempts to reach a domain for a route: one at a time, with pauses after those
 * that failed. */
#include "route.h"

#include <stdio.h>
#include <string.h>

/* ----- the end of an attempt ----- */

/* Where the domain does not exist that is said, else that it could not be
 * reached in time (RFC 6120 10.4; standards 17.4). */
static enum pl_stanza_condition bounce_of(enum pl_code code)
{
	return pl_code_entry(code)->stage == PL_STAGE_DNS
		       ? PL_SC_REMOTE_SERVER_NOT_FOUND
		       : PL_SC_REMOTE_SERVER_TIMEOUT;
}

/* The longest pause: a network, or a peer that restarts, is back any moment;
 * what two policies or certificates do not allow stays so until somebody
 * changes something (and reloads, or says retry). */
static uint64_t longest_pause(enum pl_code code)
{
	switch (pl_code_entry(code)->stage) {
	case PL_STAGE_DNS:
	case PL_STAGE_TCP:
	case PL_STAGE_STREAM:
	case PL_STAGE_CLOSE:
	case PL_STAGE_ERROR:
		return PAUSE_NETWORK_MS;
	case PL_STAGE_TLS:
	case PL_STAGE_FEATURES:
	case PL_STAGE_STARTTLS:
	case PL_STAGE_SASL:
	case PL_STAGE_DIALBACK:
	case PL_STAGE_POLICY:
	case PL_STAGE_ESTABLISHED:
	case PL_STAGE_STANZA:
		break;
	}
	return PAUSE_POLICY_MS;
}

/* Twice as long each time, and up to a quarter more by chance: not everybody
 * who lost a peer comes back in the same moment. */
static void pause_after(struct route *route, enum pl_code code)
{
	uint64_t most = longest_pause(code), ms = ATTEMPT_PAUSE_MS;
	struct pl_loop *loop = route->router->world->loop;
	unsigned char chance;

	for (unsigned i = 0; i < route->failures && ms < most; i++)
		ms *= 2;
	if (ms > most)
		ms = most;
	pl_loop_random(loop, &chance, sizeof chance);
	route->failures++;
	route->failed_ms = pl_loop_now_ms(loop);
	route->pause_ms = ms + ms / 4 * chance / 256;
}

static void attempt_failed(struct route *route, enum pl_code code,
			   enum pl_stanza_condition bounce)
{
	pause_after(route, code);
	route->failed = code;
	route->bounce = bounce;
	route->pair = NULL;
	route->over = true; /* freed by the sweep or the next attempt */
	look_stir(route->router);
	if (route->outgoing != NULL)
		outgoing_over(route->outgoing);
	route_bounce_all(route, bounce);
	ping_route_failed(route->router, route->local, route->remote, code);
	negotiation_ended(route->router, route->local, route->remote, code);
}

/* An attempt that never came to a stream: its line is made here. */
static void tell_unreached(struct route *route, enum pl_code code,
			   const char *words, const char *addr)
{
	struct pl_router *router = route->router;
	const struct pl_code_entry *entry = pl_code_entry(code);
	struct pl_partner_view partner;
	unsigned char id[3];
	char stream[8];
	struct pl_outcome outcome = {
		.stream = stream,
		.local = route->local,
		.remote = route->remote,
		.method = PL_METHOD_NONE,
		.code = code,
		.stage = entry->stage,
		.side = entry->side,
		.certificate = PL_CERT_NONE,
		.addr = addr,
		.words = words,
	};

	pl_loop_random(router->world->loop, id, sizeof id);
	snprintf(stream, sizeof stream, "%02x%02x%02x", id[0], id[1], id[2]);
	router->world->partner(router->world->site, route->local,
			       route->remote, &partner);
	outcome.row = partner.row;
	outcome.policy = partner.terms.policy;
	outcome.rule = partner.row ? partner.rule : NULL;
	outcome.ms = pl_loop_now_ms(router->world->loop) - route->attempted_ms;
	pl_outcome_log(router->world->log, &outcome);
	record_keep(router, &outcome);
	traced_unreached(router, route->outgoing != NULL
				 ? outgoing_traced(route->outgoing) : NULL,
			 &outcome);
}

static void on_failed(void *owner, enum pl_code code, const char *words,
		      const char *addr)
{
	struct route *route = owner;

	tell_unreached(route, code, words, addr);
	attempt_failed(route, code, bounce_of(code));
}

static void on_stream(void *owner, struct pl_stream *stream)
{
	struct route *route = owner;

	route->pair = pl_stream_pair(stream, route->local, route->remote);
	if (route->pair != NULL)
		route->pair->route = route;
	else
		on_failed(route, PL_CODE_INTERNAL, "the stream takes no pair",
			  NULL);
}

static bool resume(void *owner, struct pl_stream_sm *sm)
{
	struct session *session = route_to_resume(owner);

	if (session == NULL)
		return false;
	session_resume(session, sm);
	return true;
}

static const struct outgoing_events outgoing_events = {
	.on_stream = on_stream,
	.on_failed = on_failed,
	.resume = resume,
};

/* ----- the beginning of an attempt ----- */

/* An open stream to the same remote domain can carry this pair as well, where
 * the partner's setting wants it (XEP-0220 2.6.1: sender multiplexing). */
static struct pl_pair *join(struct route *route)
{
	struct pl_stream_info info;
	struct link *link;

	TAILQ_FOREACH(link, &route->router->links, entry) {
		pl_stream_info(link->stream, &info);
		if (!info.incoming && !info.verify_only && !info.ended &&
		    info.authenticated &&
		    strcmp(info.remote, route->remote) == 0)
			return pl_stream_pair(link->stream, route->local,
					      route->remote);
	}
	return NULL;
}

/* A stream that asks for no session of ours: then it never will be resumed. */
static void look_at_session(struct route *route)
{
	struct session *session = route_to_resume(route);
	struct pl_stream_sm sm;

	if (session == NULL)
		return;
	pl_stream_sm(route->pair->stream, &sm);
	if (!sm.holds || sm.id == NULL)
		session_give_up(session, pl_stream_data(route->pair->stream),
				0, "the new stream offers no resumption");
}

static void opened(struct route *route, struct pl_pair *pair)
{
	route->pair = pair;
	pair->route = route;
	route->failed = PL_CODE_NONE;
	route->over = true; /* the attempt is done, the stream stays */
	if (route->outgoing != NULL)
		outgoing_over(route->outgoing);
	route->failures = 0;
	look_at_session(route);
	route_send_all(route);
	negotiation_ended(route->router, route->local, route->remote,
			  PL_CODE_NONE);
}

/* A pair on a stream that was there already: it may be open, under way, or
 * have failed at once (then its outcome was told). */
static void take_pair(struct route *route, struct pl_pair *pair)
{
	if (pair->state.phase == PL_PAIR_OPEN) {
		opened(route, pair);
	} else if (pair->state.phase < PL_PAIR_OPEN) {
		route->pair = pair;
		pair->route = route;
	}
}

/* A stream that the peer opened carries this pair too, where both sides agreed
 * on it (XEP-0288). */
static struct pl_pair *reversed(const struct route *route)
{
	struct pl_stream_info info;
	struct link *link;

	TAILQ_FOREACH(link, &route->router->links, entry) {
		pl_stream_info(link->stream, &info);
		if (!info.incoming || !info.authenticated || info.ended)
			continue;
		for (struct pl_pair *p = info.pairs; p != NULL; p = p->next)
			if (p->state.role == PL_INITIATING &&
			    p->state.phase == PL_PAIR_OPEN &&
			    strcmp(p->local, route->local) == 0 &&
			    strcmp(p->remote, route->remote) == 0)
				return p;
	}
	return NULL;
}

void route_begin(struct route *route)
{
	struct pl_router *router = route->router;
	struct pl_world *world = router->world;
	struct pl_partner_view partner;
	struct pl_pair *pair = NULL;

	outgoing_free(route->outgoing);
	route->outgoing = NULL;
	route->over = route->given_up = false;
	route->failed = PL_CODE_NONE;
	route->attempted_ms = pl_loop_now_ms(world->loop);
	world->partner(world->site, route->local, route->remote, &partner);
	if (!partner.terms.partner_known) {
		tell_unreached(route, PL_CODE_PARTNER_UNKNOWN, NULL, NULL);
		attempt_failed(route, PL_CODE_PARTNER_UNKNOWN,
			       PL_SC_REMOTE_SERVER_TIMEOUT);
		return;
	}
	if (partner.terms.bidi && route_to_resume(route) == NULL)
		pair = reversed(route);
	if (pair == NULL && partner.multiplex && route_to_resume(route) == NULL)
		pair = join(route);
	if (pair != NULL) {
		take_pair(route, pair);
		return;
	}
	if (limits_with_remote(router, route->remote) >=
	    partner.connection_limit) {
		tell_unreached(route, PL_CODE_CONNECTION_LIMIT, NULL, NULL);
		attempt_failed(route, PL_CODE_CONNECTION_LIMIT,
			       PL_SC_REMOTE_SERVER_TIMEOUT);
		return;
	}
	route->outgoing = outgoing_start(router, route->local, route->remote,
					 NULL, &outgoing_events, route);
}

bool route_negotiate(struct pl_router *router, const char *local,
		     const char *remote, bool *open)
{
	struct route *route;

	*open = false;
	if (router->draining)
		return false;
	route = route_find_or_make(router, local, remote);
	if (route == NULL)
		return false;
	route->used_ms = pl_loop_now_ms(router->world->loop);
	if (route->pair != NULL)
		*open = route->pair->state.phase == PL_PAIR_OPEN;
	else if (route->outgoing == NULL || route->over)
		route_begin(route);
	return true;
}

void route_give_up(struct pl_router *router, const char *local,
		   const char *remote)
{
	struct route *route = route_find(router, local, remote);

	if (route == NULL || route->over)
		return;
	route->given_up = true;
	if (route->outgoing != NULL && outgoing_give_up(route->outgoing))
		return;
	/* the pair is on a stream that carries others: it goes on there */
	tell_unreached(route, PL_CODE_NEGOTIATION_TIMEOUT, NULL, NULL);
	attempt_failed(route, PL_CODE_NEGOTIATION_TIMEOUT,
		       PL_SC_REMOTE_SERVER_TIMEOUT);
}

/* ----- what became of it ----- */

/* A stream whose pair failed and that carries no other has nothing to do. */
static void leave_stream(struct pl_pair *pair)
{
	struct pl_stream_info info;

	pl_stream_info(pair->stream, &info);
	for (const struct pl_pair *p = info.pairs; p != NULL; p = p->next)
		if (p != pair && p->state.phase < PL_PAIR_FAILED)
			return;
	pl_stream_idle(pair->stream);
}

void route_outcome(struct pl_router *router, struct pl_pair *pair,
		   const struct pl_outcome *outcome, enum pl_next next,
		   enum pl_stanza_condition bounce)
{
	struct route *route = pair->route;

	/* The outcome may come before on_stream() has told of the pair. */
	if (route == NULL)
		route = route_find(router, pair->local, pair->remote);
	if (route == NULL)
		return;
	if (outcome->method != PL_METHOD_NONE) {
		opened(route, pair);
		return;
	}
	pair->route = NULL;
	route->pair = NULL;
	look_stir(router);
	if (next != PL_NEXT_NONE && route->outgoing != NULL && !route->over &&
	    !route->given_up && !router->draining &&
	    outgoing_next(route->outgoing, next))
		return;
	attempt_failed(route, outcome->code, bounce);
	leave_stream(pair);
}

/* ----- what others ask ----- */

/* After a reload what failed may be tried again at once. */
void routes_forgive(struct pl_router *router)
{
	struct route *route;

	TAILQ_FOREACH(route, &router->routes, entry) {
		route->failed = PL_CODE_NONE;
		route->failures = 0;
	}
}

/* A peer that reaches us is up again: what the network, or its restart, put
 * into a pause is tried when the next stanza comes, such as the answer to what
 * it sends. */
void route_peer_came(struct pl_router *router, const char *local,
		     const char *remote)
{
	struct route *route = route_find(router, local, remote);

	if (route == NULL || route->failed == PL_CODE_NONE ||
	    longest_pause(route->failed) != PAUSE_NETWORK_MS)
		return;
	route->failed = PL_CODE_NONE;
	route->failures = 0;
}

unsigned pl_router_retry(struct pl_router *router, const char *remote)
{
	unsigned count = 0;
	struct route *route;

	if (router->draining)
		return 0;
	TAILQ_FOREACH(route, &router->routes, entry) {
		if (strcmp(route->remote, remote) != 0 || route->pair != NULL ||
		    (route->outgoing != NULL && !route->over))
			continue;
		route->failures = 0;
		route->used_ms = pl_loop_now_ms(router->world->loop);
		route_begin(route);
		count++;
	}
	return count;
}

void routes_look_up_again(struct pl_router *router)
{
	struct route *route;

	TAILQ_FOREACH(route, &router->routes, entry)
		if (route->outgoing != NULL)
			outgoing_look_up_again(route->outgoing);
}

/* The daemon drains: attempts that have no stream yet end here. */
void routes_stop(struct pl_router *router)
{
	struct route *route;

	TAILQ_FOREACH(route, &router->routes, entry) {
		if (route->outgoing == NULL || route->over ||
		    route->pair != NULL)
			continue;
		tell_unreached(route, PL_CODE_SHUTDOWN, NULL, NULL);
		outgoing_free(route->outgoing);
		route->outgoing = NULL;
		attempt_failed(route, PL_CODE_SHUTDOWN,
			       PL_SC_REMOTE_SERVER_TIMEOUT);
	}
}

unsigned pl_router_begin(struct pl_router *router, const char *local,
			 const char *remote)
{
	struct route *route;

	if (router->draining)
		return 0;
	route = route_find_or_make(router, local, remote);
	if (route == NULL || route->pair != NULL ||
	    (route->outgoing != NULL && !route->over))
		return 0;
	route->failures = 0;
	route->used_ms = pl_loop_now_ms(router->world->loop);
	route_begin(route);
	return 1;
}
