/*
 * Back-pressure: who sends, and what holds it up.
 *
 * A sender is not read while too much of what it sent waits for negotiations.
 * Nor is it while a brake is on, that of a receiver with half of its room taken,
 * until that has drained. But one who does not read must not stop all who send
 * to it for ever, since they send to others too: after a second the brake lets
 * go, and does not grip again before the receiver has drained. What finds no
 * room meanwhile comes back to its sender.
 */
#include "internal.h"

#include <stdlib.h>

struct pl_sender {
	struct pl_router *router;   /* borrowed; not used once the owner left */
	size_t waiting;             /* bytes of memory */
	bool was_full, left;
	struct pl_brake *brake;     /* that holds it, or NULL */
	void (*room)(void *owner);
	void *owner;
	LIST_ENTRY(pl_sender) entry; /* in pl_brake.held */
};

struct pl_brake {
	LIST_HEAD(, pl_sender) held;
	struct pl_timer *timer;      /* owned */
	bool stalled;                /* it held for long enough */
};

/* ----- senders ----- */

static size_t bound(const struct pl_sender *sender)
{
	return SENDER_QUEUES * sender->router->world->limits.queue_bytes;
}

struct pl_sender *pl_sender_new(struct pl_router *router,
				void (*room)(void *owner), void *owner)
{
	struct pl_sender *sender = pl_calloc(1, sizeof *sender);

	sender->router = router;
	sender->room = room;
	sender->owner = owner;
	return sender;
}

bool pl_sender_full(const struct pl_sender *sender)
{
	return sender->was_full || sender->brake != NULL;
}

size_t pl_sender_waiting(const struct pl_sender *sender)
{
	return sender->waiting;
}

static void let_go(struct pl_sender *sender)
{
	if (sender->brake == NULL)
		return;
	LIST_REMOVE(sender, entry);
	sender->brake = NULL;
}

void pl_sender_free(struct pl_sender *sender)
{
	if (sender == NULL)
		return;
	let_go(sender);
	sender->left = true;
	if (sender->waiting == 0)
		free(sender);
}

void sender_more(struct pl_sender *sender, size_t bytes)
{
	sender->waiting += bytes;
	if (!sender->left && sender->waiting > bound(sender))
		sender->was_full = true;
}

/* Half of it has to go before there is room again: no flutter. */
void sender_less(struct pl_sender *sender, size_t bytes)
{
	sender->waiting -= bytes;
	if (sender->left) {
		if (sender->waiting == 0)
			free(sender);
		return;
	}
	if (!sender->was_full || sender->waiting > bound(sender) / 2)
		return;
	sender->was_full = false;
	if (!pl_sender_full(sender))
		sender->room(sender->owner);
}

/* ----- brakes ----- */

static void release_all(struct pl_brake *brake)
{
	struct pl_sender *sender;

	while ((sender = LIST_FIRST(&brake->held)) != NULL) {
		let_go(sender);
		if (!pl_sender_full(sender))
			sender->room(sender->owner);
	}
}

static void on_timer(void *owner)
{
	struct pl_brake *brake = owner;

	brake->stalled = true;
	release_all(brake);
}

struct pl_brake *pl_brake_new(struct pl_loop *loop)
{
	struct pl_brake *brake = pl_calloc(1, sizeof *brake);

	LIST_INIT(&brake->held);
	brake->timer = pl_timer_new(loop, on_timer, brake);
	return brake;
}

void pl_brake_hold(struct pl_brake *brake, struct pl_sender *sender)
{
	if (sender == NULL || sender->brake != NULL || brake->stalled)
		return;
	if (LIST_EMPTY(&brake->held))
		pl_timer_set(brake->timer, BRAKE_MS);
	sender->brake = brake;
	LIST_INSERT_HEAD(&brake->held, sender, entry);
}

void pl_brake_release(struct pl_brake *brake)
{
	if (brake == NULL)
		return;
	brake->stalled = false;
	pl_timer_clear(brake->timer);
	release_all(brake);
}

void pl_brake_free(struct pl_brake *brake)
{
	if (brake == NULL)
		return;
	pl_brake_release(brake);
	pl_timer_free(brake->timer);
	free(brake);
}
