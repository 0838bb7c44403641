/* Timers: one event of libevent each, in its heap. */
#include "internal.h"

#include <assert.h>
#include <stdlib.h>

struct timeval delay_of(uint64_t ms)
{
	if (ms > MAX_DELAY_MS)
		ms = MAX_DELAY_MS;
	return (struct timeval){
		.tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000),
	};
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct pl_timer *timer = arg;

	timer->call(timer->owner);
}

/* Never NULL: a negotiation without its deadline would hang for ever. */
struct pl_timer *pl_timer_new(struct pl_loop *loop, void (*call)(void *owner),
			      void *owner)
{
	struct pl_timer *timer = pl_calloc(1, sizeof *timer);

	timer->loop = loop;
	timer->call = call;
	timer->owner = owner;
	evtimer_assign(&timer->event, loop->base, on_timeout, timer);
	return timer;
}

void pl_timer_set(struct pl_timer *timer, uint64_t delay_ms)
{
	struct timeval delay = delay_of(delay_ms);
	int result = event_add(&timer->event, &delay);

	assert(result == 0);
}

void pl_timer_clear(struct pl_timer *timer)
{
	event_del(&timer->event);
}

void pl_timer_free(struct pl_timer *timer)
{
	if (timer == NULL)
		return;
	event_del(&timer->event);
	loop_bury(timer->loop, &timer->dead);
}
