/* Ordered domain pairs with what waits for them: one attempt at a time, and
 * stanzas in the order in which they came. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct route {
	struct pl_router *router;    /* borrowed */
	char *local, *remote;        /* owned */
	struct pl_pair *pair;        /* borrowed; open or under way, or NULL */
	struct outgoing *outgoing;   /* owned; NULL: no attempt under way */
	struct waiting_list waiting; /* owned; in the order they came */
	size_t waiting_bytes;
	size_t unacked_bytes;        /* sent, and kept by sessions */
	struct session *session;     /* parked; borrowed: nothing is sent before
	                              * it is decided */
	unsigned breaks;             /* of streams, nothing acknowledged since */
	bool lost;                   /* its stream broke in this turn */
	bool unparked;               /* its session was decided in this turn */
	struct pl_brake *brake;      /* owned; NULL: never half full */
	uint64_t attempted_ms;       /* when the last attempt began */
	uint64_t failed_ms, pause_ms; /* no attempt until then */
	unsigned failures;           /* in a row */
	uint64_t used_ms;
	enum pl_code failed;         /* of the last attempt; none if it went */
	enum pl_stanza_condition bounce; /* what goes back then */
	bool over;                   /* the attempt is over: free it */
	bool given_up;               /* its time is over: no other way */
	TAILQ_ENTRY(route) entry;    /* in pl_router.routes */
	LIST_ENTRY(route) in_bucket; /* in pl_router.buckets */
};

/* ----- what waits ----- */

/* Takes the first one out. NULL: nothing waits. */
static struct waiting *next_waiting(struct route *route)
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

static void bounce_all(struct route *route, enum pl_stanza_condition condition)
{
	struct waiting *waiting;

	while ((waiting = next_waiting(route)) != NULL)
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

/* The same, and keeps it where the stream counts; else it is freed. What could
 * not be sent stays the caller's. */
static enum pl_stanza_condition send_waiting(struct route *route,
					     struct waiting *waiting)
{
	enum pl_stanza_condition why = send_on(route->pair, waiting->bytes,
					       waiting->length);

	if (why != PL_SC_NONE)
		return why;
	if (!counts(route->pair)) {
		waiting_free(waiting);
		return why;
	}
	waiting->route = route;
	session_add(pl_stream_data(route->pair->stream), waiting);
	waiting_release(waiting);
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

/* The same, and holds a sender whose peer does not read. */
static enum pl_stanza_condition send_now(struct route *route,
					 const void *bytes, size_t length,
					 const struct pl_stanza *stanza,
					 struct pl_sender *sender)
{
	struct pl_pair *pair = route->pair;
	struct link *link = pl_stream_data(pair->stream);
	size_t limit = link->router->world->limits.output_bytes;

	if (pl_stream_pending(pair->stream) + length > limit / 2)
		hold(link->router, &link->brake, sender);
	return counts(pair)
		? send_counted(route, bytes, length, stanza, sender)
		: send_on(pair, bytes, length);
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

/* ----- the table ----- */

/* FNV-1a from a random start: whoever names domains does not know it. */
static size_t bucket_of(const struct pl_router *router, const char *local,
			const char *remote)
{
	uint64_t hash = router->seed;

	for (const char *c = local; *c != '\0'; c++)
		hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
	hash = (hash ^ 0xff) * 0x100000001b3u; /* in no domain */
	for (const char *c = remote; *c != '\0'; c++)
		hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
	return (hash ^ hash >> 32) & (BUCKETS - 1);
}

void routes_init(struct pl_router *router)
{
	TAILQ_INIT(&router->routes);
	pl_loop_random(router->world->loop, &router->seed,
		       sizeof router->seed);
}

static void free_route(struct route *route)
{
	struct pl_router *router = route->router;
	struct waiting *waiting;

	if (route->pair != NULL)
		route->pair->route = NULL;
	TAILQ_REMOVE(&router->routes, route, entry);
	LIST_REMOVE(route, in_bucket);
	router->routes_count--;
	outgoing_free(route->outgoing);
	pl_brake_free(route->brake);
	while ((waiting = next_waiting(route)) != NULL)
		waiting_free(waiting);
	free(route->local);
	free(route->remote);
	free(route);
}

static struct route *find(const struct pl_router *router, const char *local,
			  const char *remote)
{
	struct route *route;

	LIST_FOREACH(route, &router->buckets[bucket_of(router, local, remote)],
		     in_bucket)
		if (strcmp(route->local, local) == 0 &&
		    strcmp(route->remote, remote) == 0)
			return route;
	return NULL;
}

struct route *route_find(const struct pl_router *router, const char *local,
			 const char *remote)
{
	return find(router, local, remote);
}

static struct route *find_or_make(struct pl_router *router, const char *local,
				  const char *remote)
{
	struct route *route = find(router, local, remote);

	if (route != NULL || router->routes_count >= ROUTES)
		return route;
	route = pl_calloc(1, sizeof *route);
	route->router = router;
	route->local = pl_strdup(local);
	route->remote = pl_strdup(remote);
	STAILQ_INIT(&route->waiting);
	TAILQ_INSERT_TAIL(&router->routes, route, entry);
	LIST_INSERT_HEAD(&router->buckets[bucket_of(router, local, remote)],
			 route, in_bucket);
	router->routes_count++;
	return route;
}

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
	if (route->outgoing != NULL)
		outgoing_over(route->outgoing);
	bounce_all(route, bounce);
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

/* A broken stream of ours that waits to be resumed. */
static struct session *to_resume(const struct route *route)
{
	return route->session != NULL &&
	       session_dials(route->session, route->local, route->remote)
		       ? route->session : NULL;
}

static bool resume(void *owner, struct pl_stream_sm *sm)
{
	struct session *session = to_resume(owner);

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
static void send_all(struct route *route)
{
	struct waiting *waiting;

	if (!may_send(route))
		return;
	if (!counts(route->pair))
		route->breaks = 0;
	while ((waiting = next_waiting(route)) != NULL) {
		enum pl_stanza_condition why = send_waiting(route, waiting);

		if (why != PL_SC_NONE)
			waiting_bounce(route->router, waiting, why);
	}
	pl_brake_release(route->brake);
}

/* A stream that asks for no session of ours: then it never will be resumed. */
static void look_at_session(struct route *route)
{
	struct session *session = to_resume(route);
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
	send_all(route);
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

static void begin(struct route *route)
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
	if (partner.terms.bidi && to_resume(route) == NULL)
		pair = reversed(route);
	if (pair == NULL && partner.multiplex && to_resume(route) == NULL)
		pair = join(route);
	if (pair != NULL) {
		take_pair(route, pair);
		return;
	}
	if (router_with_remote(router, route->remote, NULL) >=
	    partner.connection_limit) {
		tell_unreached(route, PL_CODE_CONNECTION_LIMIT, NULL, NULL);
		attempt_failed(route, PL_CODE_CONNECTION_LIMIT,
			       PL_SC_REMOTE_SERVER_TIMEOUT);
		return;
	}
	route->outgoing = outgoing_start(router, route->local, route->remote,
					 NULL, &outgoing_events, route);
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
	    (route->session != NULL && to_resume(route) == NULL) ||
	    (route->outgoing != NULL && !route->over))
		return wait_here(route, bytes, length, stanza, sender)
			       ? PL_SC_NONE : PL_SC_RESOURCE_CONSTRAINT;
	if (!at_once && route->failed != PL_CODE_NONE &&
	    now - route->failed_ms < route->pause_ms)
		return route->bounce;
	/* before begin(): it may fail at once, and takes it along */
	if (!wait_here(route, bytes, length, stanza, sender))
		return PL_SC_RESOURCE_CONSTRAINT;
	begin(route);
	return PL_SC_NONE;
}

bool route_send(struct pl_router *router, const char *local,
		const char *remote, const struct pl_buffer *stanza,
		bool at_once)
{
	struct route *route;

	if (router->draining)
		return false;
	route = find_or_make(router, local, remote);
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
	route = find_or_make(router, stanza->from_domain, stanza->to_domain);
	if (route == NULL)
		return PL_SC_RESOURCE_CONSTRAINT;
	return take(route, stanza->bytes, stanza->length, stanza, sender,
		    false);
}

bool route_negotiate(struct pl_router *router, const char *local,
		     const char *remote, bool *open)
{
	struct route *route;

	*open = false;
	if (router->draining)
		return false;
	route = find_or_make(router, local, remote);
	if (route == NULL)
		return false;
	route->used_ms = pl_loop_now_ms(router->world->loop);
	if (route->pair != NULL)
		*open = route->pair->state.phase == PL_PAIR_OPEN;
	else if (route->outgoing == NULL || route->over)
		begin(route);
	return true;
}

void route_give_up(struct pl_router *router, const char *local,
		   const char *remote)
{
	struct route *route = find(router, local, remote);

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
		route = find(router, pair->local, pair->remote);
	if (route == NULL)
		return;
	if (outcome->method != PL_METHOD_NONE) {
		opened(route, pair);
		return;
	}
	pair->route = NULL;
	route->pair = NULL;
	if (next != PL_NEXT_NONE && route->outgoing != NULL && !route->over &&
	    !route->given_up && !router->draining &&
	    outgoing_next(route->outgoing, next))
		return;
	attempt_failed(route, outcome->code, bounce);
	leave_stream(pair);
}

void route_pair_gone(struct pl_pair *pair)
{
	struct route *route = pair->route;

	if (route == NULL)
		return;
	pair->route = NULL;
	if (route->pair != pair)
		return;
	route->pair = NULL;
	if (!route->lost && (!STAILQ_EMPTY(&route->waiting) ||
			     to_resume(route) != NULL)) {
		route->lost = true;
		route->router->lost_count++;
	}
}

/* ----- streams that broke ----- */

void route_park(struct route *route, struct session *session)
{
	if (route != NULL)
		route->session = session;
}

void route_wait_first(struct waiting *waiting)
{
	struct route *route = waiting->route;

	route_let_go(waiting);
	STAILQ_INSERT_HEAD(&route->waiting, waiting, entry);
	route->waiting_bytes += waiting->cost;
}

/* Goes on with what waits: over the pair that it has, or a new one. */
static void go_on(struct route *route)
{
	if (route->pair != NULL)
		send_all(route);
	else if (!STAILQ_EMPTY(&route->waiting) && !route->lost &&
		 !route->router->draining &&
		 (route->outgoing == NULL || route->over))
		begin(route);
}

void routes_unpark(struct pl_router *router, struct session *session)
{
	struct route *route;

	TAILQ_FOREACH(route, &router->routes, entry)
		if (route->session == session)
			route->unparked = true;
	TAILQ_FOREACH(route, &router->routes, entry)
		if (route->unparked) {
			route->unparked = false;
			route->session = NULL;
			go_on(route);
		}
}

void route_settled(struct pl_pair *pair)
{
	if (pair->route != NULL)
		send_all(pair->route);
}

void route_not_resumed(struct link *link, uint32_t acked)
{
	struct pl_stream_info info;
	struct route *route;

	pl_stream_info(link->stream, &info);
	route = find(link->router, info.local, info.remote);
	if (route != NULL && to_resume(route) != NULL)
		session_give_up(route->session, link, acked,
				"the peer does not resume it");
}

static bool has_work(const struct route *route)
{
	return route->pair == NULL && !route->router->draining &&
	       !route->router->dropped &&
	       (route->outgoing == NULL || route->over) &&
	       (to_resume(route) != NULL || (route->session == NULL &&
					     !STAILQ_EMPTY(&route->waiting)));
}

/* Once at once, then with pauses; and not for ever. */
static void try_again(struct route *route)
{
	struct session *session = to_resume(route);

	if (route->router->draining)
		bounce_all(route, PL_SC_REMOTE_SERVER_TIMEOUT);
	if (!has_work(route)) {
		return;
	} else if (++route->breaks > BREAKS) {
		bounce_all(route, PL_SC_REMOTE_SERVER_TIMEOUT);
		if (session != NULL)
			session_give_up(session, NULL, 0,
					"streams break again and again");
	} else if (route->breaks == 1) {
		begin(route);
	} else {
		route->failed_ms = pl_loop_now_ms(route->router->world->loop);
		route->pause_ms = 250u << route->breaks;
	}
}

void routes_lost(struct pl_router *router)
{
	struct route *route;

	if (router->lost_count == 0)
		return;
	router->lost_count = 0;
	TAILQ_FOREACH(route, &router->routes, entry)
		if (route->lost) {
			route->lost = false;
			try_again(route);
		}
}

/* ----- keeping ----- */

void routes_sweep(struct pl_router *router)
{
	uint64_t now = pl_loop_now_ms(router->world->loop);
	struct route *route, *next;

	for (route = TAILQ_FIRST(&router->routes); route != NULL;
	     route = next) {
		next = TAILQ_NEXT(route, entry);
		if (route->over && route->outgoing != NULL) {
			outgoing_free(route->outgoing);
			route->outgoing = NULL;
		}
		if (has_work(route) && now - route->failed_ms >= route->pause_ms)
			begin(route);
		if (route->pair == NULL && route->outgoing == NULL &&
		    route->session == NULL && route->unacked_bytes == 0 &&
		    now - route->used_ms > 60000)
			free_route(route);
	}
}

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
	struct route *route = find(router, local, remote);

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
		begin(route);
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

void routes_free(struct pl_router *router)
{
	while (!TAILQ_EMPTY(&router->routes))
		free_route(TAILQ_FIRST(&router->routes));
}

unsigned pl_router_begin(struct pl_router *router, const char *local,
			 const char *remote)
{
	struct route *route;

	if (router->draining)
		return 0;
	route = find_or_make(router, local, remote);
	if (route == NULL || route->pair != NULL ||
	    (route->outgoing != NULL && !route->over))
		return 0;
	route->failures = 0;
	route->used_ms = pl_loop_now_ms(router->world->loop);
	begin(route);
	return 1;
}

void pl_router_queues(struct pl_router *router,
		      void (*show)(void *owner, const struct pl_queue_info *),
		      void *owner)
{
	uint64_t now = pl_loop_now_ms(router->world->loop);
	struct route *route;

	TAILQ_FOREACH(route, &router->routes, entry) {
		uint64_t since = now - route->failed_ms;
		struct pl_queue_info info = {
			.local = route->local,
			.remote = route->remote,
			.bytes = route->waiting_bytes,
			.negotiating = route->outgoing != NULL && !route->over,
			.failed = route->failed,
			.retry_in_ms = route->failed != PL_CODE_NONE &&
				       since < route->pause_ms
				? route->pause_ms - since : 0,
		};
		struct waiting *waiting;

		STAILQ_FOREACH(waiting, &route->waiting, entry)
			info.stanzas++;
		if (info.stanzas > 0 || info.negotiating ||
		    info.failed != PL_CODE_NONE)
			show(owner, &info);
	}
}
