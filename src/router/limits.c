/* How many connections there may be: of all, of an address, of a partner. They
 * are counted as they come and go, so that the next one costs no more for the
 * thousands that are there. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a from a random start: whoever chooses names does not know it. */
uint64_t router_hash(const struct pl_router *router, const char *a,
		     const char *b)
{
	uint64_t hash = router->seed;

	for (; *a != '\0'; a++)
		hash = (hash ^ (unsigned char)*a) * 0x100000001b3u;
	hash = (hash ^ 0xff) * 0x100000001b3u; /* in no domain */
	for (; *b != '\0'; b++)
		hash = (hash ^ (unsigned char)*b) * 0x100000001b3u;
	return hash ^ hash >> 32;
}

/* ----- counting by name ----- */

struct tallied {
	LIST_ENTRY(tallied) entry;
	unsigned count;
	char name[];
};

static struct tally_bucket *bucket_of(struct pl_router *router,
				      struct tally *tally, const char *name)
{
	return &tally->buckets[router_hash(router, name, "") &
			       (TALLY_BUCKETS - 1)];
}

static struct tallied *find(struct pl_router *router, struct tally *tally,
			    const char *name)
{
	struct tallied *tallied;

	LIST_FOREACH(tallied, bucket_of(router, tally, name), entry)
		if (strcmp(tallied->name, name) == 0)
			return tallied;
	return NULL;
}

static unsigned count_of(struct pl_router *router, struct tally *tally,
			 const char *name)
{
	const struct tallied *tallied = find(router, tally, name);

	return tallied != NULL ? tallied->count : 0;
}

static void add(struct pl_router *router, struct tally *tally,
		const char *name)
{
	struct tallied *tallied = find(router, tally, name);
	size_t size = strlen(name) + 1;

	if (tallied == NULL) {
		tallied = pl_calloc(1, sizeof *tallied + size);
		memcpy(tallied->name, name, size);
		LIST_INSERT_HEAD(bucket_of(router, tally, name), tallied,
				 entry);
	}
	tallied->count++;
}

static void drop(struct pl_router *router, struct tally *tally,
		 const char *name)
{
	struct tallied *tallied = find(router, tally, name);

	if (--tallied->count > 0)
		return;
	LIST_REMOVE(tallied, entry);
	free(tallied);
}

/* ----- what is counted ----- */

/* Who has not authenticated counts among those of its own address that say the
 * same: anybody can say so, and must not keep the partner itself out, nor us
 * from calling it. */
static char *claim_of(const char *remote, const char *addr_group)
{
	char *claim = NULL;

	if (asprintf(&claim, "%s/%s", remote, addr_group) < 0)
		abort();
	return claim;
}

static void count_as(struct link *link, char *name)
{
	struct pl_router *router = link->router;

	if (link->counted != NULL)
		drop(router, &router->by_remote, link->counted);
	free(link->counted);
	link->counted = name;
	add(router, &router->by_remote, name);
}

static void count_with(struct link *link, const char *remote)
{
	struct pl_stream_info info;

	pl_stream_info(link->stream, &info);
	count_as(link, link->stranger ? claim_of(remote, info.addr_group)
				      : pl_strdup(remote));
}

void limits_begin(struct link *link)
{
	struct pl_router *router = link->router;
	struct pl_stream_info info;

	pl_stream_info(link->stream, &info);
	if (info.incoming) {
		link->stranger = true;
		add(router, &router->by_address, info.addr_group);
		add(router, &router->strangers, info.addr_group);
	} else if (!info.verify_only) {
		count_with(link, info.remote);
	}
}

void limits_known(struct link *link, const char *remote)
{
	struct pl_stream_info info;

	if (!link->stranger)
		return;
	link->stranger = false;
	pl_stream_info(link->stream, &info);
	drop(link->router, &link->router->strangers, info.addr_group);
	count_as(link, pl_strdup(remote));
}

void limits_end(struct link *link)
{
	struct pl_router *router = link->router;
	struct pl_stream_info info;

	pl_stream_info(link->stream, &info);
	if (link->stranger)
		drop(router, &router->strangers, info.addr_group);
	if (info.incoming)
		drop(router, &router->by_address, info.addr_group);
	if (link->counted != NULL)
		drop(router, &router->by_remote, link->counted);
	free(link->counted);
	link->counted = NULL;
}

unsigned limits_with_remote(struct pl_router *router, const char *remote)
{
	return count_of(router, &router->by_remote, remote);
}

bool limits_exceeded(struct link *link, const char *remote, unsigned limit)
{
	struct pl_router *router = link->router;
	unsigned count;

	count_with(link, remote);
	count = count_of(router, &router->by_remote, link->counted);
	if (link->stranger)
		count += limits_with_remote(router, remote);
	return count > limit; /* with this one */
}

/* ----- a newcomer ----- */

/* Drops the oldest unauthenticated connection of the address that has most of
 * them: a flood pays for itself, and a newcomer gets in. Only the oldest few
 * are looked at, so that a flood does not pay in our time either. */
static bool make_room(struct pl_router *router)
{
	struct link *link, *victim = NULL;
	struct pl_stream_info info;
	unsigned most = 0, looked_at = 0;

	TAILQ_FOREACH(link, &router->links, entry) {
		unsigned count;

		pl_stream_info(link->stream, &info);
		if (!link->stranger || info.ended)
			continue;
		if (++looked_at > CANDIDATES)
			break;
		count = count_of(router, &router->strangers, info.addr_group);
		if (count > most) {
			most = count;
			victim = link;
		}
	}
	if (victim == NULL)
		return false;
	pl_stream_drop(victim->stream);
	return true;
}

/* Says so once a second at most: a flood must not fill the log. */
static void refuse(struct pl_router *router, struct pl_conn *conn,
		   const char *which)
{
	uint64_t now = pl_loop_now_ms(router->world->loop);

	if (router->world->counts != NULL)
		router->world->counts->refused++;
	if (router->last_refused_log_ms == 0 ||
	    now - router->last_refused_log_ms >= 1000) {
		struct pl_log_line line;

		router->last_refused_log_ms = now;
		pl_log_begin(&line, router->world->log, PL_LOG_WARNING);
		pl_log_text(&line, "event", "refused");
		pl_log_text(&line, "code", "connection-limit");
		pl_log_text(&line, "limit", which);
		pl_log_text(&line, "addr", pl_conn_peer(conn));
		pl_log_end(&line);
	}
	pl_conn_abort(conn);
}

bool limits_admit(struct pl_router *router, struct pl_conn *conn)
{
	const struct pl_world_limits *limits = &router->world->limits;

	if (count_of(router, &router->by_address, pl_conn_peer_group(conn)) >=
	    limits->connections_per_address) {
		refuse(router, conn, "connections-per-address");
		return false;
	}
	if (router->links_count >= limits->connections && !make_room(router)) {
		refuse(router, conn, "connections");
		return false;
	}
	return true;
}
