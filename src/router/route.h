/*
 * route.h: a route, for the files that make up its life. Not for others.
 *
 * route.c    the table of routes, and their keeping
 * send.c     what waits for a route, and what goes out on it
 * attempt.c  one attempt at a time: its beginning, its end, the pauses
 * broken.c   streams that broke with something of a route on them
 */
#ifndef PARLEY_ROUTER_ROUTE_H
#define PARLEY_ROUTER_ROUTE_H

#include "internal.h"

/* An ordered domain pair with what waits for it. */
struct route {
	struct pl_router *router;    /* borrowed */
	char *local, *remote;        /* owned */
	struct pl_pair *pair;        /* borrowed; open or under way, or NULL */
	struct outgoing *outgoing;   /* owned; NULL: no attempt under way */
	struct waiting_list waiting; /* owned; in the order they came */
	size_t waiting_bytes;
	size_t unacked_bytes;        /* sent, and kept by sessions */
	struct session *session;     /* parked; borrowed: nothing is sent before
	                              * it is decided */
	unsigned breaks;             /* of streams, nothing acknowledged since */
	bool lost;                   /* its stream broke in this turn */
	bool unparked;               /* its session was decided in this turn */
	struct pl_brake *brake;      /* owned; NULL: never half full */
	uint64_t attempted_ms;       /* when the last attempt began */
	uint64_t failed_ms, pause_ms; /* no attempt until then */
	unsigned failures;           /* in a row */
	uint64_t used_ms;
	enum pl_code failed;         /* of the last attempt; none if it went */
	enum pl_stanza_condition bounce; /* what goes back then */
	bool over;                   /* the attempt is over: free it */
	bool given_up;               /* its time is over: no other way */
	TAILQ_ENTRY(route) entry;    /* in pl_router.routes */
	LIST_ENTRY(route) in_bucket; /* in pl_router.buckets */
};

/* route.c */
/* NULL: too many. */
struct route *route_find_or_make(struct pl_router *router, const char *local,
				 const char *remote);

/* send.c */
/* Takes the first one out of what waits. NULL: nothing does. */
struct waiting *route_next_waiting(struct route *route);
void route_bounce_all(struct route *route,
		      enum pl_stanza_condition condition);
/* Sends what waits, as soon as anything may be sent. */
void route_send_all(struct route *route);

/* attempt.c */
void route_begin(struct route *route);

/* broken.c */
/* A broken stream of ours that waits to be resumed; NULL: none. */
struct session *route_to_resume(const struct route *route);
/* Something waits, or is to be resumed, and nothing is done about it. */
bool route_has_work(const struct route *route);

#endif
