/*
 * Pings of ours (XEP-0199): an iq goes out over the route of the pair, its
 * answer comes in on the remote domain's own stream to us. So an answer proves
 * both directions.
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pl_ping {
	struct pl_router *router;   /* borrowed */
	char *local, *remote;       /* owned */
	char id[40];
	uint64_t began_ms;
	struct pl_timer *timer;     /* owned */
	pl_pinged pinged;
	void *owner;
	enum pl_code failed;        /* told at the turn's end */
	bool over;
	TAILQ_ENTRY(pl_ping) entry; /* in pl_router.pings */
};

static void free_ping(struct pl_ping *ping)
{
	TAILQ_REMOVE(&ping->router->pings, ping, entry);
	ping->router->pings_count--;
	pl_timer_free(ping->timer);
	free(ping->local);
	free(ping->remote);
	free(ping);
}

void pl_router_ping_cancel(struct pl_ping *ping)
{
	free_ping(ping);
}

static void answer(struct pl_ping *ping, bool answered, enum pl_code code)
{
	struct pl_router *router = ping->router;
	struct pl_ping_result result = {
		.answered = answered,
		.ms = pl_loop_now_ms(router->world->loop) - ping->began_ms,
		.code = code,
		.out = record_find(router, false, ping->local, ping->remote),
		.in = record_find(router, true, ping->local, ping->remote),
	};
	pl_pinged pinged = ping->pinged;
	void *owner = ping->owner;

	free_ping(ping);
	pinged(owner, &result);
}

/* Which direction failed while no answer came: an outcome of this attempt, the
 * outgoing one first; else nothing is known but the silence. */
static enum pl_code blame(const struct pl_ping *ping)
{
	const struct pl_record *record;

	record = record_find(ping->router, false, ping->local, ping->remote);
	if (record != NULL && record->outcome.code != PL_CODE_NONE)
		return record->outcome.code;
	record = record_find(ping->router, true, ping->local, ping->remote);
	if (record != NULL && record->outcome.code != PL_CODE_NONE)
		return record->outcome.code;
	return PL_CODE_NEGOTIATION_TIMEOUT;
}

static void on_timer(void *owner)
{
	struct pl_ping *ping = owner;

	if (ping->over)
		answer(ping, false, ping->failed);
	else
		answer(ping, false, blame(ping));
}

bool ping_take(struct pl_router *router, const char *local,
	       const char *remote, const char *id)
{
	struct pl_ping *ping;

	TAILQ_FOREACH(ping, &router->pings, entry)
		if (strcmp(ping->id, id) == 0 &&
		    strcmp(ping->local, local) == 0 &&
		    strcmp(ping->remote, remote) == 0)
			break;
	if (ping == NULL)
		return false;
	answer(ping, true, PL_CODE_NONE);
	return true;
}

void ping_route_failed(struct pl_router *router, const char *local,
		       const char *remote, enum pl_code code)
{
	struct pl_ping *ping;

	TAILQ_FOREACH(ping, &router->pings, entry)
		if (!ping->over && strcmp(ping->local, local) == 0 &&
		    strcmp(ping->remote, remote) == 0) {
			ping->over = true;
			ping->failed = code;
			pl_timer_set(ping->timer, 0); /* tells, but later */
		}
}

static bool write_ping(const struct pl_ping *ping, struct pl_buffer *out)
{
	return pl_buffer_text(out, "<iq type='get' id='") &&
	       pl_buffer_text(out, ping->id) &&
	       pl_buffer_text(out, "' from='") &&
	       pl_xml_escape(out, ping->local, strlen(ping->local)) &&
	       pl_buffer_text(out, "' to='") &&
	       pl_xml_escape(out, ping->remote, strlen(ping->remote)) &&
	       pl_buffer_text(out, "'><ping xmlns='" PL_NS_PING "'/></iq>");
}

struct pl_ping *pl_router_ping(struct pl_router *router, const char *local,
			       const char *remote, uint64_t timeout_ms,
			       pl_pinged pinged, void *owner)
{
	struct pl_buffer stanza;
	unsigned char random[12];
	struct pl_ping *ping;

	if (router->pings_count >= PINGS)
		return NULL;
	ping = pl_calloc(1, sizeof *ping);
	ping->router = router;
	ping->local = pl_strdup(local);
	ping->remote = pl_strdup(remote);
	ping->began_ms = pl_loop_now_ms(router->world->loop);
	ping->timer = pl_timer_new(router->world->loop, on_timer, ping);
	ping->pinged = pinged;
	ping->owner = owner;
	pl_loop_random(router->world->loop, random, sizeof random);
	for (size_t i = 0; i < sizeof random; i++)
		snprintf(ping->id + 2 * i, 3, "%02x", random[i]);
	TAILQ_INSERT_TAIL(&router->pings, ping, entry);
	router->pings_count++;
	pl_timer_set(ping->timer, timeout_ms);
	pl_buffer_init(&stanza, 0);
	if (!write_ping(ping, &stanza) ||
	    !route_send(router, local, remote, &stanza, true)) {
		ping->over = true;
		ping->failed = router->draining ? PL_CODE_SHUTDOWN
						: PL_CODE_INTERNAL;
		pl_timer_set(ping->timer, 0);
	}
	pl_buffer_finish(&stanza);
	return ping;
}

void pings_free(struct pl_router *router)
{
	while (!TAILQ_EMPTY(&router->pings))
		free_ping(TAILQ_FIRST(&router->pings));
}
