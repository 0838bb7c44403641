/* Stanzas that wait for their route, and those that go back. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

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
		sender_more(sender, size);
	return waiting;
}

void waiting_release(struct waiting *waiting)
{
	struct pl_sender *sender = waiting->sender;

	waiting->sender = NULL;
	if (sender != NULL)
		sender_less(sender, waiting->cost);
}

void waiting_free(struct waiting *waiting)
{
	waiting_release(waiting);
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
			.away = waiting->away,
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
