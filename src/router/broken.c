/* Streams that broke with something of a route on them: parked, resumed, or begun
 * anew. */
#include "route.h"

/* A broken stream of ours that waits to be resumed. */
struct session *route_to_resume(const struct route *route)
{
	return route->session != NULL &&
	       session_dials(route->session, route->local, route->remote)
		       ? route->session : NULL;
}

void route_pair_gone(struct pl_pair *pair)
{
	struct route *route = pair->route;

	if (route == NULL)
		return;
	pair->route = NULL;
	if (route->pair != pair)
		return;
	route->pair = NULL;
	look_stir(route->router);
	if (!route->lost && (!STAILQ_EMPTY(&route->waiting) ||
			     route_to_resume(route) != NULL)) {
		route->lost = true;
		route->router->lost_count++;
	}
}

void route_park(struct route *route, struct session *session)
{
	if (route != NULL)
		route->session = session;
}

void route_wait_first(struct waiting *waiting)
{
	struct route *route = waiting->route;

	route_let_go(waiting);
	STAILQ_INSERT_HEAD(&route->waiting, waiting, entry);
	route->waiting_bytes += waiting->cost;
}

/* Goes on with what waits: over the pair that it has, or a new one. */
static void go_on(struct route *route)
{
	if (route->pair != NULL)
		route_send_all(route);
	else if (!STAILQ_EMPTY(&route->waiting) && !route->lost &&
		 !route->router->draining &&
		 (route->outgoing == NULL || route->over))
		route_begin(route);
}

void routes_unpark(struct pl_router *router, struct session *session)
{
	struct route *route;

	TAILQ_FOREACH(route, &router->routes, entry)
		if (route->session == session)
			route->unparked = true;
	TAILQ_FOREACH(route, &router->routes, entry)
		if (route->unparked) {
			route->unparked = false;
			route->session = NULL;
			go_on(route);
		}
}

void route_not_resumed(struct link *link, uint32_t acked)
{
	struct pl_stream_info info;
	struct route *route;

	pl_stream_info(link->stream, &info);
	route = route_find(link->router, info.local, info.remote);
	if (route != NULL && route_to_resume(route) != NULL)
		session_give_up(route->session, link, acked,
				"the peer does not resume it");
}

bool route_has_work(const struct route *route)
{
	return route->pair == NULL && !route->router->draining &&
	       !route->router->dropped &&
	       (route->outgoing == NULL || route->over) &&
	       (route_to_resume(route) != NULL || (route->session == NULL &&
					     !STAILQ_EMPTY(&route->waiting)));
}

/* Once at once, then with pauses; and not for ever. */
static void try_again(struct route *route)
{
	struct session *session = route_to_resume(route);

	if (route->router->draining)
		route_bounce_all(route, PL_SC_REMOTE_SERVER_TIMEOUT);
	if (!route_has_work(route)) {
		return;
	} else if (++route->breaks > BREAKS) {
		route_bounce_all(route, PL_SC_REMOTE_SERVER_TIMEOUT);
		if (session != NULL)
			session_give_up(session, NULL, 0,
					"streams break again and again");
	} else if (route->breaks == 1) {
		route_begin(route);
	} else {
		route->failed_ms = pl_loop_now_ms(route->router->world->loop);
		route->pause_ms = 250u << route->breaks;
	}
}

void routes_lost(struct pl_router *router)
{
	struct route *route;

	if (router->lost_count == 0)
		return;
	router->lost_count = 0;
	TAILQ_FOREACH(route, &router->routes, entry)
		if (route->lost) {
			route->lost = false;
			try_again(route);
		}
}
