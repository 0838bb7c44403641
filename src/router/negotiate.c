/*
 * Negotiations for their own sake: a pair is negotiated, nothing is sent. The
 * route of the pair does the work; here is who waits for its end.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

struct pl_negotiation {
	struct pl_router *router;   /* borrowed */
	char *local, *remote;       /* owned */
	uint64_t began_ms, until_ms;
	struct pl_timer *timer;     /* owned */
	pl_negotiated negotiated;
	void *owner;
	enum pl_code code;          /* told at the turn's end */
	bool over, timed_out, begun;
	TAILQ_ENTRY(pl_negotiation) entry; /* in pl_router.negotiations */
};

void pl_router_negotiate_cancel(struct pl_negotiation *negotiation)
{
	struct pl_router *router = negotiation->router;

	TAILQ_REMOVE(&router->negotiations, negotiation, entry);
	router->negotiations_count--;
	pl_timer_free(negotiation->timer);
	free(negotiation->local);
	free(negotiation->remote);
	free(negotiation);
}

void pl_router_negotiate_within(struct pl_negotiation *negotiation,
				uint64_t limit_ms)
{
	uint64_t now = pl_loop_now_ms(negotiation->router->world->loop);

	if (negotiation->over || now + limit_ms >= negotiation->until_ms)
		return;
	negotiation->until_ms = now + limit_ms;
	pl_timer_set(negotiation->timer, limit_ms);
}

static void tell(struct pl_negotiation *negotiation)
{
	struct pl_router *router = negotiation->router;
	struct pl_negotiation_result result = {
		.timed_out = negotiation->timed_out,
		.ms = pl_loop_now_ms(router->world->loop) -
		      negotiation->began_ms,
		.code = negotiation->code,
	};
	pl_negotiated negotiated = negotiation->negotiated;
	void *owner = negotiation->owner;

	if (negotiation->begun)
		result.record = record_find(router, false, negotiation->local,
					    negotiation->remote);
	pl_router_negotiate_cancel(negotiation);
	negotiated(owner, &result);
}

static void end(struct pl_negotiation *negotiation, enum pl_code code)
{
	negotiation->over = true;
	negotiation->code = code;
	pl_timer_set(negotiation->timer, 0); /* tells, but later */
}

static void on_timer(void *owner)
{
	struct pl_negotiation *negotiation = owner;

	if (!negotiation->over) {
		negotiation->timed_out = true;
		route_give_up(negotiation->router, negotiation->local,
			      negotiation->remote);
		/* which told its outcome, and so ended this one */
		if (!negotiation->over)
			end(negotiation, PL_CODE_NEGOTIATION_TIMEOUT);
		return;
	}
	tell(negotiation);
}

void negotiation_ended(struct pl_router *router, const char *local,
		       const char *remote, enum pl_code code)
{
	struct pl_negotiation *negotiation;

	TAILQ_FOREACH(negotiation, &router->negotiations, entry)
		if (!negotiation->over &&
		    strcmp(negotiation->local, local) == 0 &&
		    strcmp(negotiation->remote, remote) == 0)
			end(negotiation, code);
}

struct pl_negotiation *pl_router_negotiate(struct pl_router *router,
					   const char *local,
					   const char *remote,
					   uint64_t timeout_ms,
					   pl_negotiated negotiated,
					   void *owner)
{
	struct pl_negotiation *negotiation;
	bool open;

	if (router->negotiations_count >= NEGOTIATIONS)
		return NULL;
	negotiation = pl_calloc(1, sizeof *negotiation);
	negotiation->router = router;
	negotiation->local = pl_strdup(local);
	negotiation->remote = pl_strdup(remote);
	negotiation->began_ms = pl_loop_now_ms(router->world->loop);
	negotiation->timer = pl_timer_new(router->world->loop, on_timer,
					  negotiation);
	negotiation->negotiated = negotiated;
	negotiation->owner = owner;
	TAILQ_INSERT_TAIL(&router->negotiations, negotiation, entry);
	router->negotiations_count++;
	negotiation->until_ms = negotiation->began_ms + timeout_ms;
	pl_timer_set(negotiation->timer, timeout_ms);
	negotiation->begun = route_negotiate(router, local, remote, &open);
	if (!negotiation->begun)
		end(negotiation, router->draining ? PL_CODE_SHUTDOWN
						  : PL_CODE_INTERNAL);
	else if (open)
		end(negotiation, PL_CODE_NONE);
	return negotiation;
}

void negotiations_free(struct pl_router *router)
{
	while (!TAILQ_EMPTY(&router->negotiations))
		pl_router_negotiate_cancel(TAILQ_FIRST(&router->negotiations));
}
