/* Outcomes that are kept: the last one of each pair and direction. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

struct record_entry {
	struct pl_record record;
	TAILQ_ENTRY(record_entry) entry; /* in pl_router.records, newest last */
	LIST_ENTRY(record_entry) in_bucket; /* in pl_router.record_buckets */
};

static char *copy(const char *text)
{
	return text != NULL ? pl_strdup(text) : NULL;
}

/* Every text of the copy is its own. */
static void copy_outcome(struct pl_outcome *to, const struct pl_outcome *from)
{
	*to = *from;
	to->stream = copy(from->stream);
	to->local = copy(from->local);
	to->remote = copy(from->remote);
	to->tls = copy(from->tls);
	to->cipher = copy(from->cipher);
	to->addr = copy(from->addr);
	to->rule = copy(from->rule);
	to->words = copy(from->words);
}

static void free_entry(struct pl_router *router, struct record_entry *entry)
{
	struct pl_outcome *outcome = &entry->record.outcome;

	TAILQ_REMOVE(&router->records, entry, entry);
	LIST_REMOVE(entry, in_bucket);
	router->records_count--;
	free((void *)outcome->stream);
	free((void *)outcome->local);
	free((void *)outcome->remote);
	free((void *)outcome->tls);
	free((void *)outcome->cipher);
	free((void *)outcome->addr);
	free((void *)outcome->rule);
	free((void *)outcome->words);
	free(entry->record.why);
	free(entry->record.fix);
	free(entry);
}

static struct record_bucket *bucket_of(struct pl_router *router,
				       const char *local, const char *remote)
{
	return &router->record_buckets[router_hash(router, local, remote) &
				       (RECORD_BUCKETS - 1)];
}

static struct record_entry *find(struct pl_router *router, bool incoming,
				 const char *local, const char *remote)
{
	struct record_entry *entry;

	LIST_FOREACH(entry, bucket_of(router, local, remote), in_bucket)
		if (entry->record.outcome.incoming == incoming &&
		    strcmp(entry->record.outcome.local, local) == 0 &&
		    strcmp(entry->record.outcome.remote, remote) == 0)
			return entry;
	return NULL;
}

void record_keep(struct pl_router *router, const struct pl_outcome *outcome)
{
	struct record_entry *entry = find(router, outcome->incoming,
					  outcome->local, outcome->remote);
	char text[2048];

	if (entry != NULL)
		free_entry(router, entry);
	else if (router->records_count >= RECORDS)
		free_entry(router, TAILQ_FIRST(&router->records));
	pl_counts_outcome(router->world->counts, outcome->incoming,
			  outcome->method, outcome->code);
	entry = pl_calloc(1, sizeof *entry);
	copy_outcome(&entry->record.outcome, outcome);
	entry->record.when = pl_loop_time(router->world->loop);
	if (outcome->method == PL_METHOD_NONE) {
		entry->record.why = pl_strdup(
			pl_outcome_why(outcome, text, sizeof text));
		entry->record.fix = pl_strdup(
			pl_outcome_fix(outcome, text, sizeof text));
	}
	TAILQ_INSERT_TAIL(&router->records, entry, entry);
	LIST_INSERT_HEAD(bucket_of(router, outcome->local, outcome->remote),
			 entry, in_bucket);
	router->records_count++;
}

const struct pl_record *record_find(struct pl_router *router, bool incoming,
				    const char *local, const char *remote)
{
	struct record_entry *entry = find(router, incoming, local, remote);

	return entry != NULL ? &entry->record : NULL;
}

void records_free(struct pl_router *router)
{
	while (!TAILQ_EMPTY(&router->records))
		free_entry(router, TAILQ_FIRST(&router->records));
}
