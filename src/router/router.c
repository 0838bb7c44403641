/* The streams of a loop: taken in, listed, ended. */
#include "internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ----- what streams tell ----- */

static void on_ready(void *owner, struct pl_stream *stream)
{
	struct link *link = owner;

	if (link->authority != NULL)
		verify_ready(link->authority, stream);
}

static void on_outcome(void *owner, struct pl_stream *stream,
		       struct pl_pair *pair, const struct pl_outcome *outcome,
		       enum pl_next next, enum pl_stanza_condition bounce)
{
	struct link *link = owner;

	(void)stream;
	record_keep(link->router, outcome);
	if (pair->state.role == PL_INITIATING) {
		route_outcome(link->router, pair, outcome, next, bounce);
		return;
	}
	verify_forget_pair(link->router, pair);
	if (outcome->method == PL_METHOD_NONE)
		return;
	limits_known(link, pair->remote);
	route_peer_came(link->router, pair->local, pair->remote);
}

static void on_pair_gone(void *owner, struct pl_stream *stream,
			 struct pl_pair *pair)
{
	(void)stream;
	session_ends(owner);
	if (pair->state.role == PL_INITIATING)
		route_pair_gone(pair);
}

static void on_room(void *owner)
{
	struct link *link = owner;

	pl_stream_resume(link->stream);
}

static void on_stanza(void *owner, struct pl_stream *stream,
		      struct pl_pair *pair, const struct pl_xml_node *stanza)
{
	struct link *link = owner;

	(void)pair;
	if (link->sender == NULL)
		link->sender = pl_sender_new(link->router, on_room, link);
	stanza_take(link->router, stanza, link->sender);
	if (pl_sender_full(link->sender))
		pl_stream_pause(stream);
}

static void on_drained(void *owner, struct pl_stream *stream)
{
	struct link *link = owner;

	(void)stream;
	pl_brake_release(link->brake);
}

static void on_placed(void *owner, struct pl_stream *stream,
		      const struct pl_place *place)
{
	(void)stream;
	sent_placed(owner, place);
}

static void on_cut(void *owner, struct pl_stream *stream, uint64_t acked)
{
	(void)stream;
	sent_cut(owner, acked);
}

static bool on_leave(void *owner, struct pl_stream *stream,
		     struct pl_conn *conn, uint64_t linger_ms)
{
	(void)stream;
	return sent_leave(owner, conn, linger_ms);
}

static void on_verify(void *owner, struct pl_stream *stream,
		      struct pl_pair *pair, const char *id, const char *key)
{
	struct link *link = owner;

	verify_start(link->router, stream, pair, id, key);
}

static bool on_verify_answer(void *owner, struct pl_stream *stream,
			     const char *from, const char *to, const char *id,
			     enum pl_pair_event_kind kind)
{
	struct link *link = owner;

	(void)stream;
	return link->authority != NULL &&
	       verify_answered(link->router, link->authority, from, to, id,
			       kind);
}

static bool may_connect(void *owner, struct pl_stream *stream,
			const char *remote, unsigned limit)
{
	struct link *link = owner;

	(void)stream;
	return !limits_exceeded(link, remote, limit);
}

static bool on_sm_find(void *owner, struct pl_stream *stream, const char *id,
		       struct pl_sm *counters)
{
	(void)stream;
	return session_find(owner, id, counters);
}

static void on_sm_resumed(void *owner, struct pl_stream *stream,
			  const char *id, uint32_t acked)
{
	(void)stream;
	session_resumed(owner, id, acked);
}

static void on_sm_failed(void *owner, struct pl_stream *stream, uint32_t acked)
{
	(void)stream;
	route_not_resumed(owner, acked);
}

static void on_sm_acked(void *owner, struct pl_stream *stream, uint32_t count)
{
	(void)stream;
	session_acked(owner, count);
}

static void on_settled(void *owner, struct pl_stream *stream)
{
	struct pl_stream_info info;

	(void)owner;
	pl_stream_info(stream, &info);
	for (struct pl_pair *pair = info.pairs; pair; pair = pair->next)
		if (pair->state.role == PL_INITIATING)
			route_settled(pair);
}

static void tell_drained(void *owner)
{
	struct pl_router *router = owner;

	router->drained(router->drained_owner);
}

void router_maybe_drained(struct pl_router *router)
{
	if (router->draining && router->links_count == 0 &&
	    router->leaving_count == 0)
		pl_loop_defer(router->world->loop, tell_drained, router);
}

static void on_ended(void *owner, struct pl_stream *stream, enum pl_code code,
		     enum pl_next next, const char *words)
{
	struct link *link = owner;
	struct pl_router *router = link->router;

	verify_forget_stream(router, stream);
	TAILQ_REMOVE(&router->links, link, entry);
	router->links_count--;
	limits_end(link);
	pl_timer_free(link->look);
	if (link->probe != NULL)
		pl_router_ping_cancel(link->probe);
	session_ends(link);
	if (link->authority != NULL)
		verify_stream_ended(link->authority, code, next, words);
	else if (link->outgoing != NULL)
		outgoing_stream_gone(link->outgoing);
	pl_sender_free(link->sender);
	pl_brake_free(link->brake);
	sent_free(link->sent);
	free(link);
	routes_lost(router);
	router_maybe_drained(router);
}

static void on_awake(void *owner, struct pl_stream *stream)
{
	(void)stream;
	look_soon(owner);
}

static const struct pl_stream_events stream_events = {
	.on_ready = on_ready,
	.on_outcome = on_outcome,
	.on_pair_gone = on_pair_gone,
	.on_stanza = on_stanza,
	.on_drained = on_drained,
	.on_placed = on_placed,
	.on_cut = on_cut,
	.on_leave = on_leave,
	.on_verify = on_verify,
	.on_verify_answer = on_verify_answer,
	.may_connect = may_connect,
	.on_sm_find = on_sm_find,
	.on_sm_resumed = on_sm_resumed,
	.on_sm_failed = on_sm_failed,
	.on_sm_acked = on_sm_acked,
	.on_settled = on_settled,
	.on_awake = on_awake,
	.on_ended = on_ended,
};

/* ----- taking streams in ----- */

static struct link *new_link(struct pl_router *router)
{
	struct link *link = pl_calloc(1, sizeof *link);

	link->router = router;
	return link;
}

/* The stream may have told its end already: it lives till the turn's end. */
static struct pl_stream *keep_link(struct link *link, struct pl_stream *stream)
{
	if (stream == NULL) {
		free(link);
		return NULL;
	}
	link->stream = stream;
	pl_stream_set_data(stream, link);
	TAILQ_INSERT_TAIL(&link->router->links, link, entry);
	link->router->links_count++;
	limits_begin(link);
	look_begin(link);
	return stream;
}

void pl_router_accept(struct pl_router *router, struct pl_conn *conn,
		      bool direct_tls)
{
	struct link *link;

	if (router->draining) {
		pl_conn_abort(conn);
		return;
	}
	if (!limits_admit(router, conn))
		return;
	link = new_link(router);
	keep_link(link, pl_stream_receiving(router->world, &stream_events,
					    link, conn, direct_tls,
					    traced_accepted(router, conn,
							    direct_tls)));
}

struct pl_stream *router_dialled(struct pl_router *router,
				 struct outgoing *outgoing,
				 struct authority *authority,
				 const struct pl_stream_initiate *how)
{
	struct link *link = new_link(router);

	link->outgoing = outgoing;
	link->authority = authority;
	return keep_link(link, pl_stream_initiating(router->world,
						    &stream_events, link,
						    how));
}

/* ----- the owner's calls ----- */

struct pl_router *pl_router_new(struct pl_world *world)
{
	struct pl_router *router = pl_calloc(1, sizeof *router);

	router->world = world;
	pl_loop_random(world->loop, &router->seed, sizeof router->seed);
	TAILQ_INIT(&router->links);
	routes_init(router);
	TAILQ_INIT(&router->authorities);
	TAILQ_INIT(&router->pings);
	TAILQ_INIT(&router->negotiations);
	TAILQ_INIT(&router->records);
	TAILQ_INIT(&router->sessions);
	TAILQ_INIT(&router->leaving);
	STAILQ_INIT(&router->bounces);
	pl_buffer_init(&router->scratch, 0);
	router->bounce_timer = pl_timer_new(world->loop, bounces_send, router);
	look_init(router);
	return router;
}

void pl_router_free(struct pl_router *router)
{
	if (router == NULL)
		return;
	assert(TAILQ_EMPTY(&router->links));
	router->draining = false; /* nobody waits for that any more */
	sents_stop(router);
	pings_free(router);
	negotiations_free(router);
	sessions_free(router);
	routes_free(router);
	bounces_free(router);
	pl_buffer_finish(&router->scratch);
	verify_free_all(router);
	records_free(router);
	pl_timer_free(router->bounce_timer);
	look_finish(router);
	free(router);
}

void pl_router_close_all(struct pl_router *router)
{
	struct link *link, *next;

	for (link = TAILQ_FIRST(&router->links); link != NULL; link = next) {
		next = TAILQ_NEXT(link, entry);
		pl_stream_idle(link->stream);
	}
}

void pl_router_drop_all(struct pl_router *router)
{
	struct link *link, *next;

	router->dropped = true;
	for (link = TAILQ_FIRST(&router->links); link != NULL; link = next) {
		next = TAILQ_NEXT(link, entry);
		pl_stream_drop(link->stream);
	}
	sents_stop(router);
}

size_t pl_router_streams(const struct pl_router *router)
{
	return router->links_count + router->leaving_count;
}

void pl_router_each(struct pl_router *router,
		    void (*show)(void *owner, const struct pl_stream_info *),
		    void *owner)
{
	struct pl_stream_info info;
	struct link *link;

	TAILQ_FOREACH(link, &router->links, entry) {
		pl_stream_info(link->stream, &info);
		if (!info.ended)
			show(owner, &info);
	}
}

unsigned pl_router_close(struct pl_router *router, const char *remote)
{
	struct link *link, *next;
	unsigned count = 0;

	for (link = TAILQ_FIRST(&router->links); link != NULL; link = next) {
		struct pl_stream_info info;

		next = TAILQ_NEXT(link, entry);
		pl_stream_info(link->stream, &info);
		if (info.ended || !info.authenticated ||
		    (remote != NULL && strcmp(info.remote, remote) != 0))
			continue;
		pl_stream_idle(link->stream);
		count++;
	}
	return count;
}

void pl_router_terms_changed(struct pl_router *router)
{
	struct link *link, *next;

	for (link = TAILQ_FIRST(&router->links); link != NULL; link = next) {
		next = TAILQ_NEXT(link, entry);
		pl_stream_terms_changed(link->stream);
		look_soon(link); /* times may be others now */
	}
	routes_forgive(router);
}

void pl_router_resolver_changed(struct pl_router *router)
{
	routes_look_up_again(router);
	verify_look_up_again(router);
}

void pl_router_shutdown(struct pl_router *router, void (*done)(void *owner),
			void *owner)
{
	struct link *link, *next;

	router->draining = true;
	router->drained = done;
	router->drained_owner = owner;
	sessions_stop(router);
	routes_stop(router);
	verify_stop(router);
	for (link = TAILQ_FIRST(&router->links); link != NULL; link = next) {
		next = TAILQ_NEXT(link, entry);
		pl_stream_shutdown(link->stream);
	}
	router_maybe_drained(router);
}
