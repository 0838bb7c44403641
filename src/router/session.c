/*
 * Sessions of stream management (XEP-0198): what was sent on a stream and is
 * not acknowledged, and streams that broke and can be resumed.
 *
 *     sent on a stream that counts -> unacked, in order, of all its pairs
 *         <a/>                     -> freed, from the head
 *         broken, resumable        -> parked; the dialer begins anew at once
 *         broken, not resumable    -> back to the senders
 *         closed by the peer       -> back to the senders
 *         closed by us             -> TCP still delivers it: sent.c looks
 *     parked
 *         resumed                  -> acknowledged: freed; else to the heads of
 *                                     its routes' queues, and so sent again
 *         refused, or its time over-> acknowledged: freed; else back
 *
 * A route with something in a parked session sends nothing before that is
 * decided: the order of its stanzas stays, and nothing is ever sent again that
 * may have been handled.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

struct session {
	struct pl_router *router;    /* borrowed */
	char *local, *remote;        /* owned; of the authenticated pair */
	char *id;                    /* owned; parked */
	bool incoming;
	struct pl_sm counters;       /* parked */
	uint64_t max_ms;             /* how long it can be resumed */
	uint64_t until_ms;           /* parked */
	struct waiting_list unacked; /* owned; in the order they were sent */
	TAILQ_ENTRY(session) entry;  /* parked: in pl_router.sessions */
};

static struct session *new_session(struct link *link)
{
	struct session *session = pl_calloc(1, sizeof *session);
	struct pl_stream_info info;

	pl_stream_info(link->stream, &info);
	session->router = link->router;
	session->incoming = info.incoming;
	session->local = pl_strdup(info.local);
	session->remote = pl_strdup(info.remote);
	STAILQ_INIT(&session->unacked);
	return session;
}

/* Its list is empty. */
static void free_session(struct session *session)
{
	free(session->local);
	free(session->remote);
	free(session->id);
	free(session);
}

/* Is it the initiating side's, of a stream for this pair? */
bool session_dials(const struct session *session, const char *local,
		   const char *remote)
{
	return !session->incoming && strcmp(session->local, local) == 0 &&
	       strcmp(session->remote, remote) == 0;
}

/* ----- what is unacknowledged ----- */

void session_add(struct link *link, struct waiting *waiting)
{
	if (link->session == NULL)
		link->session = new_session(link);
	STAILQ_INSERT_TAIL(&link->session->unacked, waiting, entry);
	sent_unplaced(link, waiting);
	route_unacked(waiting);
}

static struct waiting *next_unacked(struct session *session)
{
	struct waiting *waiting = STAILQ_FIRST(&session->unacked);

	if (waiting == NULL)
		return NULL;
	STAILQ_REMOVE_HEAD(&session->unacked, entry);
	return waiting;
}

static void acknowledge(struct session *session, uint32_t count)
{
	struct waiting *waiting;

	for (; count > 0 && (waiting = next_unacked(session)) != NULL; count--) {
		route_acked(waiting);
		waiting_free(waiting);
	}
}

/* A peer may claim what is not even written. */
void session_acked(struct link *link, uint32_t count)
{
	for (; count > 0 && link->session != NULL; count--) {
		if (link->unplaced == STAILQ_FIRST(&link->session->unacked) &&
		    link->unplaced != NULL)
			link->unplaced = STAILQ_NEXT(link->unplaced, entry);
		acknowledge(link->session, 1);
	}
}

static unsigned bounce(struct session *session)
{
	struct waiting *waiting;
	unsigned count = 0;

	for (; (waiting = next_unacked(session)) != NULL; count++) {
		route_let_go(waiting);
		waiting_bounce(session->router, waiting,
			       PL_SC_REMOTE_SERVER_TIMEOUT);
	}
	return count;
}

static void forget(struct session *session)
{
	struct waiting *waiting;

	while ((waiting = next_unacked(session)) != NULL) {
		route_let_go(waiting);
		waiting_free(waiting);
	}
}

/* Its stream leaves orderly. */
static void leave(struct session *session, struct link *link)
{
	struct waiting *waiting;

	while ((waiting = next_unacked(session)) != NULL) {
		route_let_go(waiting);
		sent_take(link, waiting);
	}
}

/* To the heads of the queues where they came from. */
static unsigned again(struct session *session)
{
	struct waiting_list reversed = STAILQ_HEAD_INITIALIZER(reversed);
	struct waiting *waiting;
	unsigned count = 0;

	while ((waiting = next_unacked(session)) != NULL)
		STAILQ_INSERT_HEAD(&reversed, waiting, entry);
	for (; (waiting = STAILQ_FIRST(&reversed)) != NULL; count++) {
		STAILQ_REMOVE_HEAD(&reversed, entry);
		route_wait_first(waiting);
	}
	return count;
}

/* ----- lines ----- */

static void log_session(const struct session *session, struct link *link,
			const char *event, const char *why, const char *what,
			unsigned count)
{
	struct pl_stream_info info;
	struct pl_log_line line;

	pl_log_begin(&line, session->router->world->log, PL_LOG_NOTICE);
	if (link != NULL) {
		pl_stream_info(link->stream, &info);
		pl_log_text(&line, "stream", info.id);
	}
	pl_log_text(&line, "dir", session->incoming ? "in" : "out");
	pl_log_text(&line, "local", session->local);
	pl_log_text(&line, "remote", session->remote);
	pl_log_text(&line, "event", event);
	if (why != NULL)
		pl_log_text(&line, "why", why);
	pl_log_number(&line, what, count);
	pl_log_end(&line);
}

/* ----- parked ----- */

static void unpark(struct session *session)
{
	TAILQ_REMOVE(&session->router->sessions, session, entry);
	session->router->sessions_count--;
}

/* Its end, without being resumed. */
static void fail(struct session *session, struct link *link, const char *why)
{
	struct pl_router *router = session->router;
	unsigned count = bounce(session);

	unpark(session);
	if (!session->incoming)
		pl_counts_resumption(router->world->counts, false, false);
	if (!session->incoming || count > 0)
		log_session(session, link, "sm-failed", why, "returned",
			    count);
	routes_unpark(router, session);
	free_session(session);
}

/* Too many sessions of one peer: the oldest makes room. */
static bool make_room(struct pl_router *router, const struct session *newcomer)
{
	struct session *session, *oldest = NULL;
	unsigned count = 0;

	TAILQ_FOREACH(session, &router->sessions, entry) {
		if (strcmp(session->remote, newcomer->remote) != 0)
			continue;
		if (oldest == NULL)
			oldest = session;
		count++;
	}
	if (count >= SESSIONS_PER_PARTNER)
		fail(oldest, NULL, "too many sessions of this partner");
	return router->sessions_count < SESSIONS;
}

static void park(struct session *session, const struct pl_stream_sm *sm)
{
	struct pl_router *router = session->router;
	struct waiting *waiting;

	session->id = pl_strdup(sm->id);
	session->counters = sm->counters;
	session->max_ms = sm->max_ms;
	session->until_ms = pl_loop_now_ms(router->world->loop) + sm->max_ms;
	TAILQ_INSERT_TAIL(&router->sessions, session, entry);
	router->sessions_count++;
	look_stir(router);
	STAILQ_FOREACH(waiting, &session->unacked, entry)
		route_park(waiting->route, session);
	if (!session->incoming)
		route_park(route_find(router, session->local,
				      session->remote), session);
}

/* The peer keeps nothing for us that we have to ask for, and we have nothing
 * that it may not have seen: then a new stream is as good. */
static bool worth_parking(const struct session *session,
			  const struct pl_stream_sm *sm)
{
	return session->incoming || sm->both_ways ||
	       !STAILQ_EMPTY(&session->unacked);
}

void session_ends(struct link *link)
{
	struct session *session = link->session;
	struct pl_router *router = link->router;
	struct pl_stream_sm sm;
	unsigned count;

	if (link->session_over)
		return;
	link->session_over = true;
	link->session = NULL;
	pl_stream_sm(link->stream, &sm);
	if (!sm.on)
		return;
	if (session == NULL)
		session = new_session(link);
	if (sm.broken && sm.id != NULL && !router->draining && !router->dropped &&
	    worth_parking(session, &sm) && make_room(router, session)) {
		link->unplaced = NULL;
		park(session, &sm);
		return;
	}
	if (sm.left) {
		leave(session, link);
	} else {
		link->unplaced = NULL;
		count = bounce(session);
		if (count > 0)
			log_session(session, link, "sm-failed",
				    !sm.broken ? "the stream was closed"
				    : sm.id == NULL ? "it cannot be resumed"
				    : "too many sessions", "returned", count);
	}
	free_session(session);
}

bool sessions_sweep(struct pl_router *router)
{
	uint64_t now = pl_loop_now_ms(router->world->loop);
	struct session *session, *next;

	for (session = TAILQ_FIRST(&router->sessions); session; session = next) {
		next = TAILQ_NEXT(session, entry);
		if (now >= session->until_ms)
			fail(session, NULL, "not resumed in time");
	}
	return !TAILQ_EMPTY(&router->sessions);
}

void sessions_stop(struct pl_router *router)
{
	struct session *session;

	while ((session = TAILQ_FIRST(&router->sessions)) != NULL)
		fail(session, NULL, "shutdown");
}

void sessions_free(struct pl_router *router)
{
	struct session *session;

	while ((session = TAILQ_FIRST(&router->sessions)) != NULL) {
		forget(session);
		unpark(session);
		routes_unpark(router, session);
		free_session(session);
	}
}

/* ----- resuming ----- */

/* Initiating: what the next stream is to ask for. */
void session_resume(const struct session *session, struct pl_stream_sm *sm)
{
	*sm = (struct pl_stream_sm){ .id = session->id,
				     .max_ms = session->max_ms,
				     .counters = session->counters };
}

static bool is_mine(const struct session *session, const char *id,
		    const struct pl_stream_info *info)
{
	return session->incoming == info->incoming &&
	       strcmp(session->id, id) == 0 &&
	       strcmp(session->local, info->local) == 0 &&
	       strcmp(session->remote, info->remote) == 0;
}

static struct session *find_parked(struct link *link, const char *id)
{
	struct pl_stream_info info;
	struct session *session;

	pl_stream_info(link->stream, &info);
	TAILQ_FOREACH(session, &link->router->sessions, entry)
		if (is_mine(session, id, &info))
			return session;
	return NULL;
}

/* A stream of the same peer that has not noticed yet that it is dead. */
static struct link *find_live(struct link *link, const char *id)
{
	struct pl_stream_info info, other_info;
	struct pl_stream_sm sm;
	struct link *other;

	pl_stream_info(link->stream, &info);
	TAILQ_FOREACH(other, &link->router->links, entry) {
		if (other == link || other->session_over)
			continue;
		pl_stream_sm(other->stream, &sm);
		pl_stream_info(other->stream, &other_info);
		if (sm.on && sm.id != NULL && other_info.incoming &&
		    !other_info.ended && strcmp(sm.id, id) == 0 &&
		    strcmp(info.local, other_info.local) == 0 &&
		    strcmp(info.remote, other_info.remote) == 0)
			return other;
	}
	return NULL;
}

bool session_find(struct link *link, const char *id, struct pl_sm *counters)
{
	struct session *session = find_parked(link, id);
	struct pl_stream_sm sm;
	struct link *live;

	if (session != NULL) {
		*counters = session->counters;
		return true;
	}
	live = find_live(link, id);
	if (live == NULL) {
		pl_counts_resumption(link->router->world->counts, true, false);
		return false;
	}
	pl_stream_sm(live->stream, &sm);
	*counters = sm.counters;
	return true;
}

/* Takes the session away from the stream that it is alive on, and ends that. */
static struct session *take_over(struct link *live)
{
	struct session *session = live->session;
	struct waiting *waiting;

	if (session == NULL)
		session = new_session(live);
	STAILQ_FOREACH(waiting, &session->unacked, entry)
		route_park(waiting->route, session);
	live->session = NULL;
	live->session_over = true;
	live->unplaced = NULL;
	pl_stream_replaced(live->stream);
	return session;
}

void session_resumed(struct link *link, const char *id, uint32_t acked)
{
	struct session *session = find_parked(link, id);
	struct pl_router *router = link->router;
	struct link *live;

	if (session != NULL) {
		unpark(session);
	} else {
		live = find_live(link, id);
		if (live == NULL)
			return;
		session = take_over(live);
	}
	acknowledge(session, acked);
	pl_counts_resumption(router->world->counts, session->incoming, true);
	log_session(session, link, "sm-resumed", NULL, "again",
		    again(session));
	routes_unpark(router, session);
	free_session(session);
}

void session_give_up(struct session *session, struct link *link,
		     uint32_t acked, const char *why)
{
	acknowledge(session, acked);
	fail(session, link, why);
}
