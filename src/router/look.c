/*
 * Streams over time: each is looked at when something of it may be due, and a
 * stream that rests has nothing due but what its next sign, or the clock, brings.
 * So thousands of idle streams cost nothing between two signs of life.
 */
#include "internal.h"

#include <malloc.h>

/* ----- peers that vanished ----- */

/* The answer comes on the peer's own stream: its silence is a sign, and what
 * follows is a new connection, no error. */
static void on_probe_answer(void *owner, const struct pl_ping_result *result)
{
	struct link *link = owner;

	link->probe = NULL;
	link->probed_ms = pl_loop_now_ms(link->router->world->loop);
	if (!result->answered)
		pl_stream_dead(link->stream);
	else
		look_soon(link);
}

static const struct pl_pair *open_pair(const struct pl_stream_info *info)
{
	const struct pl_pair *pair;

	for (pair = info->pairs; pair != NULL; pair = pair->next)
		if (pair->state.role == PL_INITIATING &&
		    pair->state.phase == PL_PAIR_OPEN)
			return pair;
	return NULL;
}

/* Where nothing went either way for the time set, the peer is asked for a sign
 * of life (XEP-0199 4.4). When it is due next; UINT64_MAX: never. */
static uint64_t probe(struct link *link, const struct pl_stream_info *info,
		      uint64_t now)
{
	uint64_t ms = link->router->world->limits.ping_ms, last;
	const struct pl_pair *pair;

	if (ms == 0 || info->incoming || link->probe != NULL)
		return UINT64_MAX;
	pair = open_pair(info);
	if (pair == NULL)
		return UINT64_MAX;
	last = info->last_ms > link->probed_ms ? info->last_ms
					       : link->probed_ms;
	if (now - last < ms)
		return last + ms;
	link->probe = pl_router_ping(link->router, pair->local, pair->remote,
				     PROBE_MS, on_probe_answer, link);
	return link->probe != NULL ? UINT64_MAX : now + SWEEP_MS;
}

/* ----- one stream ----- */

/* What streams gave up lies between what others hold: the allocator keeps it
 * unless it is told. That costs the more the more there are, so it is told once
 * for many, and a hundredth of the time at most goes into it. */
static void on_trim(void *owner)
{
	struct pl_router *router = owner;
	struct pl_loop *loop = router->world->loop;
	uint64_t began_us = pl_loop_now_us(loop), took_us;

	router->trim_due = false;
	malloc_trim(0);
	took_us = pl_loop_now_us(loop) - began_us;
	router->trim_ms = took_us / 10;
}

static void rested(struct pl_router *router)
{
	if (!router->trim_due)
		pl_timer_set(router->trim, router->trim_ms > TRIM_MS
						   ? router->trim_ms : TRIM_MS);
	router->trim_due = true;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Does what is due; when it is to be looked at again. */
static uint64_t look_at(struct link *link, const struct pl_stream_info *info,
			uint64_t now)
{
	uint64_t next = info->last_ms + link->router->world->limits.idle_ms;

	if (now >= next) {
		pl_stream_idle(link->stream);
		return now + SWEEP_MS; /* it may have to wait */
	}
	next = earlier(next, pl_stream_keepalive(link->stream));
	if (sent_look(link))
		next = earlier(next, now + SWEEP_MS);
	if (pl_stream_rest(link->stream))
		rested(link->router);
	if (!pl_stream_rests(link->stream))
		next = earlier(next, now + SWEEP_MS);
	return earlier(next, probe(link, info, now));
}

static void on_look(void *owner)
{
	struct link *link = owner;
	struct pl_stream_info info;
	uint64_t now = pl_loop_now_ms(link->router->world->loop), next;

	pl_stream_info(link->stream, &info);
	if (info.ended)
		return;
	/* Until then its own deadlines are shorter. */
	next = info.authenticated ? look_at(link, &info, now) : now + SWEEP_MS;
	pl_timer_set(link->look, next > now ? next - now : 1);
}

void look_begin(struct link *link)
{
	link->look = pl_timer_new(link->router->world->loop, on_look, link);
	pl_timer_set(link->look, SWEEP_MS);
}

void look_soon(struct link *link)
{
	pl_timer_set(link->look, SWEEP_MS);
}

/* ----- all the others ----- */

static void on_sweep(void *owner)
{
	struct pl_router *router = owner;
	bool more = sessions_sweep(router);

	more = routes_sweep(router) || more;
	router->sweeping = more;
	if (more)
		pl_timer_set(router->sweep, SWEEP_MS);
}

void look_stir(struct pl_router *router)
{
	if (!router->sweeping)
		pl_timer_set(router->sweep, SWEEP_MS);
	router->sweeping = true;
}

void look_init(struct pl_router *router)
{
	router->sweep = pl_timer_new(router->world->loop, on_sweep, router);
	router->trim = pl_timer_new(router->world->loop, on_trim, router);
}

void look_finish(struct pl_router *router)
{
	pl_timer_free(router->sweep);
	pl_timer_free(router->trim);
}
