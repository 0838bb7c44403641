/*
 * What was written to a connection and is not with the kernel yet. Nobody has
 * read it, that much is sure: if the connection breaks it goes back to those who
 * sent it. What the kernel has taken may have been read, and does not.
 */
#include "internal.h"

#include <stdlib.h>

struct pl_unsent {
	struct pl_router *router;  /* borrowed */
	struct waiting_list list;  /* owned; in the order of writing */
};

struct pl_unsent *pl_unsent_new(struct pl_router *router)
{
	struct pl_unsent *unsent = pl_calloc(1, sizeof *unsent);

	unsent->router = router;
	STAILQ_INIT(&unsent->list);
	return unsent;
}

static struct waiting *next(struct pl_unsent *unsent)
{
	struct waiting *waiting = STAILQ_FIRST(&unsent->list);

	STAILQ_REMOVE_HEAD(&unsent->list, entry);
	return waiting;
}

void pl_unsent_add(struct pl_unsent *unsent, const struct pl_stanza *stanza,
		   uint64_t end)
{
	struct waiting *waiting;

	if (!stanza_may_bounce(stanza))
		return;
	waiting = waiting_new("", 0, stanza, NULL);
	if (waiting == NULL)
		return;
	waiting->end = end;
	STAILQ_INSERT_TAIL(&unsent->list, waiting, entry);
}

void pl_unsent_gone(struct pl_unsent *unsent, uint64_t sent)
{
	const struct waiting *first;

	while ((first = STAILQ_FIRST(&unsent->list)) != NULL &&
	       first->end <= sent)
		waiting_free(next(unsent));
}

unsigned pl_unsent_return(struct pl_unsent *unsent)
{
	struct waiting *waiting;
	unsigned count = 0;

	for (; !STAILQ_EMPTY(&unsent->list); count++) {
		waiting = next(unsent);
		waiting->away = true;
		waiting_bounce(unsent->router, waiting,
			       PL_SC_SERVICE_UNAVAILABLE);
	}
	return count;
}

void pl_unsent_free(struct pl_unsent *unsent)
{
	if (unsent == NULL)
		return;
	while (!STAILQ_EMPTY(&unsent->list))
		waiting_free(next(unsent));
	free(unsent);
}
