/*
 * What was sent on a stream and may still be lost with it.
 *
 *     sent                -> kept, in order, without a place
 *     written             -> has its place: where it ends in what was written
 *     the peer has it all -> let go: TCP acknowledged that place
 *     the stream broke    -> what is left goes back to its senders
 *     both said good-bye  -> kept till the connection is gone; what the peer has
 *                            not by then goes back
 *
 * So it is on streams that do not count. Where stream management is on,
 * session.c keeps the same and knows better; here comes what it leaves, when we
 * close such a stream. Nothing of it is ever sent again. What the peer's TCP has
 * and its server never read is lost without a word: nobody can know of it.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

enum {
	LOOK_BYTES = 65536, /* sent, before the kernel is asked again */
	LOOK_LEAST = 4096,  /* the same, where little room is left */
};

struct sent {
	struct pl_router *router;  /* borrowed */
	struct waiting_list list;  /* owned; in the order they were sent */
	size_t bytes;              /* what they cost */
	size_t since;              /* bytes sent since the kernel was asked */
	/* once its stream is over: */
	struct pl_conn *conn;      /* borrowed: it tells its end */
	char *id, *local, *remote; /* owned; of the stream */
	bool incoming;
	TAILQ_ENTRY(sent) entry;   /* in pl_router.leaving */
};

static struct sent *record_of(struct link *link)
{
	struct sent *sent = link->sent;

	if (sent != NULL)
		return sent;
	sent = pl_calloc(1, sizeof *sent);
	sent->router = link->router;
	STAILQ_INIT(&sent->list);
	link->sent = sent;
	return sent;
}

static struct waiting *next(struct sent *sent)
{
	struct waiting *waiting = STAILQ_FIRST(&sent->list);

	if (waiting == NULL)
		return NULL;
	STAILQ_REMOVE_HEAD(&sent->list, entry);
	sent->bytes -= waiting->cost;
	return waiting;
}

void sent_free(struct sent *sent)
{
	struct waiting *waiting;

	if (sent == NULL)
		return;
	while ((waiting = next(sent)) != NULL)
		waiting_free(waiting);
	free(sent->id);
	free(sent->local);
	free(sent->remote);
	free(sent);
}

/* ----- places ----- */

void sent_unplaced(struct link *link, struct waiting *waiting)
{
	waiting->end = UINT64_MAX;
	waiting->plain = pl_stream_plain(link->stream);
	if (link->unplaced == NULL)
		link->unplaced = waiting;
}

void sent_placed(struct link *link, const struct pl_place *place)
{
	struct waiting *waiting = link->unplaced;

	for (; waiting != NULL && waiting->plain <= place->plain;
	     waiting = STAILQ_NEXT(waiting, entry))
		waiting->end = place->sealed
			? place->wire
			: place->wire - (place->plain - waiting->plain);
	link->unplaced = waiting;
}

/* ----- kept and let go ----- */

void sent_add(struct link *link, struct waiting *waiting, size_t length)
{
	struct sent *sent = record_of(link);

	STAILQ_INSERT_TAIL(&sent->list, waiting, entry);
	sent->bytes += waiting->cost;
	sent->since += length;
	sent_unplaced(link, waiting);
	if (sent->since >= LOOK_BYTES)
		sent_look(link);
}

/* Of a session that is over: the places stay. */
void sent_take(struct link *link, struct waiting *waiting)
{
	struct sent *sent = record_of(link);

	STAILQ_INSERT_TAIL(&sent->list, waiting, entry);
	sent->bytes += waiting->cost;
}

static void let_go(struct sent *sent, uint64_t acked)
{
	const struct waiting *first;

	while ((first = STAILQ_FIRST(&sent->list)) != NULL &&
	       first->end <= acked)
		waiting_free(next(sent));
}

bool sent_look(struct link *link)
{
	struct sent *sent = link->sent;
	size_t limit = link->router->world->limits.output_bytes;

	if (sent == NULL || STAILQ_EMPTY(&sent->list))
		return false;
	sent->since = 0;
	let_go(sent, pl_stream_acked(link->stream));
	if (sent->bytes <= limit / 4)
		pl_brake_release(link->brake);
	return !STAILQ_EMPTY(&sent->list);
}

bool sent_fills(struct link *link, size_t most)
{
	if (link->sent == NULL || link->sent->bytes <= most)
		return false;
	if (link->sent->since >= LOOK_LEAST)
		sent_look(link);
	return link->sent->bytes > most;
}

/* ----- the end of a stream ----- */

static void keep_names(struct sent *sent, const struct pl_stream *stream)
{
	struct pl_stream_info info;

	pl_stream_info(stream, &info);
	sent->id = pl_strdup(info.id);
	sent->local = pl_strdup(info.local);
	sent->remote = pl_strdup(info.remote);
	sent->incoming = info.incoming;
}

static void tell(const struct sent *sent, unsigned count)
{
	struct pl_log_line line;

	pl_log_begin(&line, sent->router->world->log, PL_LOG_NOTICE);
	pl_log_text(&line, "stream", sent->id);
	pl_log_text(&line, "dir", sent->incoming ? "in" : "out");
	pl_log_text(&line, "local", sent->local);
	pl_log_text(&line, "remote", sent->remote);
	pl_log_text(&line, "event", "undelivered");
	pl_log_number(&line, "returned", count);
	pl_log_end(&line);
}

/* What the peer has not goes back, as where a session is not resumed. */
static void give_back(struct sent *sent, uint64_t acked)
{
	struct waiting *waiting;
	unsigned count = 0;

	let_go(sent, acked);
	for (; (waiting = next(sent)) != NULL; count++)
		waiting_bounce(sent->router, waiting,
			       PL_SC_REMOTE_SERVER_TIMEOUT);
	if (count > 0)
		tell(sent, count);
}

void sent_cut(struct link *link, uint64_t acked)
{
	struct sent *sent = link->sent;

	link->sent = NULL;
	link->unplaced = NULL;
	if (sent == NULL)
		return;
	keep_names(sent, link->stream);
	give_back(sent, acked);
	sent_free(sent);
}

static void on_gone(void *owner, uint64_t acked)
{
	struct sent *sent = owner;
	struct pl_router *router = sent->router;

	TAILQ_REMOVE(&router->leaving, sent, entry);
	router->leaving_count--;
	give_back(sent, acked);
	sent_free(sent);
	router_maybe_drained(router);
}

bool sent_leave(struct link *link, struct pl_conn *conn, uint64_t linger_ms)
{
	struct pl_router *router = link->router;
	struct sent *sent = link->sent;

	if (sent == NULL)
		return false;
	let_go(sent, pl_conn_acked(conn));
	if (STAILQ_EMPTY(&sent->list))
		return false;
	link->sent = NULL;
	link->unplaced = NULL;
	keep_names(sent, link->stream);
	sent->conn = conn;
	TAILQ_INSERT_TAIL(&router->leaving, sent, entry);
	router->leaving_count++;
	pl_conn_farewell(conn, linger_ms, on_gone, sent);
	return true;
}

void sents_stop(struct pl_router *router)
{
	while (!TAILQ_EMPTY(&router->leaving))
		pl_conn_abort(TAILQ_FIRST(&router->leaving)->conn);
}
