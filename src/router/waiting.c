/* Stanzas that wait for their route, and the senders that count them. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* ----- senders ----- */

struct pl_sender {
	struct pl_router *router;   /* borrowed; not used once the owner left */
	size_t waiting;             /* bytes of memory */
	bool was_full, left;
	void (*room)(void *owner);
	void *owner;
};

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
	return sender->was_full;
}

size_t pl_sender_waiting(const struct pl_sender *sender)
{
	return sender->waiting;
}

void pl_sender_free(struct pl_sender *sender)
{
	if (sender == NULL)
		return;
	sender->left = true;
	if (sender->waiting == 0)
		free(sender);
}

static void more(struct pl_sender *sender, size_t bytes)
{
	sender->waiting += bytes;
	if (!sender->left && sender->waiting > bound(sender))
		sender->was_full = true;
}

/* Half of it has to go before there is room again: no flutter. */
static void less(struct pl_sender *sender, size_t bytes)
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
	sender->room(sender->owner);
}

/* ----- stanzas ----- */

static const char *static_name(const char *name)
{
	return strcmp(name, "message") == 0 ? "message"
	     : strcmp(name, "presence") == 0 ? "presence" : "iq";
}

/* Copies a text behind what is there. */
static char *add(char **at, const char *text)
{
	char *copy = *at;

	*at = stpcpy(copy, text) + 1;
	return copy;
}

struct waiting *waiting_new(const void *bytes, size_t length,
			    const struct pl_stanza *stanza,
			    struct pl_sender *sender)
{
	bool returns = stanza != NULL && stanza_may_bounce(stanza);
	size_t size = sizeof(struct waiting) + length;
	struct waiting *waiting;
	char *at;

	if (returns)
		size += strlen(stanza->from) + strlen(stanza->to) + 2 +
			(stanza->id != NULL ? strlen(stanza->id) + 1 : 0);
	waiting = malloc(size);
	if (waiting == NULL)
		return NULL;
	*waiting = (struct waiting){ .sender = sender, .cost = size,
				     .length = length };
	memcpy(waiting->bytes, bytes, length);
	at = waiting->bytes + length;
	if (returns) {
		waiting->name = static_name(stanza->name);
		waiting->from = add(&at, stanza->from);
		waiting->to = add(&at, stanza->to);
		if (stanza->id != NULL)
			waiting->id = add(&at, stanza->id);
	}
	if (sender != NULL)
		more(sender, size);
	return waiting;
}

void waiting_free(struct waiting *waiting)
{
	if (waiting->sender != NULL)
		less(waiting->sender, waiting->cost);
	free(waiting);
}

/* ----- what goes back ----- */

void bounces_send(void *owner)
{
	struct pl_router *router = owner;
	struct waiting_list list = STAILQ_HEAD_INITIALIZER(list);
	struct waiting *waiting;

	STAILQ_CONCAT(&list, &router->bounces);
	while ((waiting = STAILQ_FIRST(&list)) != NULL) {
		STAILQ_REMOVE_HEAD(&list, entry);
		bounce_send(router, &(struct bounce){
			.name = waiting->name,
			.id = waiting->id,
			.from = waiting->from,
			.to = waiting->to,
			.condition = waiting->condition,
		});
		waiting_free(waiting);
	}
}

void waiting_bounce(struct pl_router *router, struct waiting *waiting,
		    enum pl_stanza_condition condition)
{
	if (waiting->name == NULL) {
		waiting_free(waiting);
		return;
	}
	waiting->condition = condition;
	if (STAILQ_EMPTY(&router->bounces))
		pl_timer_set(router->bounce_timer, 0);
	STAILQ_INSERT_TAIL(&router->bounces, waiting, entry);
}

void bounces_free(struct pl_router *router)
{
	struct waiting *waiting;

	while ((waiting = STAILQ_FIRST(&router->bounces)) != NULL) {
		STAILQ_REMOVE_HEAD(&router->bounces, entry);
		waiting_free(waiting);
	}
}
