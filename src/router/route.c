/* Ordered domain pairs: their table, and their keeping. */
#include "route.h"

#include <stdlib.h>
#include <string.h>

/* ----- the table ----- */

static struct bucket *bucket_of(struct pl_router *router, const char *local,
				const char *remote)
{
	return &router->buckets[router_hash(router, local, remote) &
				(BUCKETS - 1)];
}

void routes_init(struct pl_router *router)
{
	TAILQ_INIT(&router->routes);
}

static void free_route(struct route *route)
{
	struct pl_router *router = route->router;
	struct waiting *waiting;

	if (route->pair != NULL)
		route->pair->route = NULL;
	TAILQ_REMOVE(&router->routes, route, entry);
	LIST_REMOVE(route, in_bucket);
	router->routes_count--;
	outgoing_free(route->outgoing);
	pl_brake_free(route->brake);
	while ((waiting = route_next_waiting(route)) != NULL)
		waiting_free(waiting);
	free(route->local);
	free(route->remote);
	free(route);
}

struct route *route_find(struct pl_router *router, const char *local,
			 const char *remote)
{
	struct route *route;

	LIST_FOREACH(route, bucket_of(router, local, remote), in_bucket)
		if (strcmp(route->local, local) == 0 &&
		    strcmp(route->remote, remote) == 0)
			return route;
	return NULL;
}

struct route *route_find_or_make(struct pl_router *router, const char *local,
				 const char *remote)
{
	struct route *route = route_find(router, local, remote);

	if (route != NULL || router->routes_count >= ROUTES)
		return route;
	route = pl_calloc(1, sizeof *route);
	route->router = router;
	route->local = pl_strdup(local);
	route->remote = pl_strdup(remote);
	STAILQ_INIT(&route->waiting);
	TAILQ_INSERT_TAIL(&router->routes, route, entry);
	LIST_INSERT_HEAD(bucket_of(router, local, remote), route, in_bucket);
	router->routes_count++;
	look_stir(router);
	return route;
}

/* ----- keeping ----- */

/* A route with an open pair has nothing due. */
bool routes_sweep(struct pl_router *router)
{
	uint64_t now = pl_loop_now_ms(router->world->loop);
	struct route *route, *next;
	bool more = false;

	for (route = TAILQ_FIRST(&router->routes); route != NULL;
	     route = next) {
		next = TAILQ_NEXT(route, entry);
		if (route->over && route->outgoing != NULL) {
			outgoing_free(route->outgoing);
			route->outgoing = NULL;
		}
		if (route_has_work(route) && now - route->failed_ms >= route->pause_ms)
			route_begin(route);
		if (route->pair == NULL && route->outgoing == NULL &&
		    route->session == NULL && route->unacked_bytes == 0 &&
		    now - route->used_ms > 60000)
			free_route(route);
		else if (route->pair == NULL)
			more = true;
	}
	return more;
}

void routes_free(struct pl_router *router)
{
	while (!TAILQ_EMPTY(&router->routes))
		free_route(TAILQ_FIRST(&router->routes));
}

void pl_router_queues(struct pl_router *router,
		      void (*show)(void *owner, const struct pl_queue_info *),
		      void *owner)
{
	uint64_t now = pl_loop_now_ms(router->world->loop);
	struct route *route;

	TAILQ_FOREACH(route, &router->routes, entry) {
		uint64_t since = now - route->failed_ms;
		struct pl_queue_info info = {
			.local = route->local,
			.remote = route->remote,
			.bytes = route->waiting_bytes,
			.negotiating = route->outgoing != NULL && !route->over,
			.failed = route->failed,
			.retry_in_ms = route->failed != PL_CODE_NONE &&
				       since < route->pause_ms
				? route->pause_ms - since : 0,
		};
		struct waiting *waiting;

		STAILQ_FOREACH(waiting, &route->waiting, entry)
			info.stanzas++;
		if (info.stanzas > 0 || info.negotiating ||
		    info.failed != PL_CODE_NONE)
			show(owner, &info);
	}
}
