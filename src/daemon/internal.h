/*
 * internal.h: what the files of the daemon room share.
 *
 * main.c        arguments
 * service.c     the rooms put together; signals, reload, drain
 * contacts.c    to whom users of ours wrote
 * services.c    components: their listener and names
 * control.c     the control socket
 * behind.c      servers behind us
 * json.c        streams and outcomes as JSON
 * privileges.c  from root to a user
 * metrics.c     what the HTTP listener shows
 * traces.c      traces of negotiations, and what is told of them
 * expiry.c      certificates that are soon out of date
 * notify.c      the service manager
 */
#ifndef PARLEY_DAEMON_INTERNAL_H
#define PARLEY_DAEMON_INTERNAL_H

#include <jansson.h>

#include "parley/component.h"
#include "parley/contacts.h"
#include "parley/gateway.h"
#include "parley/http.h"
#include "parley/site.h"

/* ----- service.c ----- */

struct control;
struct behind;
struct services;
struct traces;

struct service {
	struct pl_loop *loop;          /* owned, as all below */
	struct pl_log *log;
	struct pl_site *site;
	struct pl_dialback dialback;
	struct pl_resolver *resolver;
	struct pl_world world;
	struct pl_router *router;
	struct pl_site_listeners *listeners;
	struct services *services;
	struct traces *traces;         /* NULL before it has a user */
	struct behind *behind;
	struct pl_contacts *contacts;  /* NULL before it has a user */
	struct control *control;
	struct pl_http *http;
	struct pl_timer *drain, *watchdog, *expiry;
	struct pl_counts counts;
	char *path;                    /* of the configuration */
	bool draining;
	uint64_t drain_until_ms, started_ms, watchdog_ms;
};

/* Runs until it was told to end; returns the exit status. */
int service_run(const char *path);
/* Reads the configuration again. False: refused, the old one stays; *notes
 * holds its faults either way, *error what else was in the way, or "". */
bool service_reload(struct service *service, struct pl_conf_note **notes,
		    struct pl_error *error);
/* Tells every peer, closes and ends, within the time limit; again: at once. */
void service_drain(struct service *service);

/* ----- contacts.c ----- */

/* Opens the store of a configuration, where it is another one than now; else
 * *contacts is NULL. False with a sentence. */
bool contacts_prepare(struct service *service, const struct pl_conf *conf,
		      struct pl_contacts **contacts, struct pl_error *error);
/* Takes that over, with what was known before; then minds service->site. */
void contacts_set(struct service *service, struct pl_contacts *contacts);

/* ----- services.c ----- */

struct services *services_new(struct pl_world *world,
			      struct pl_router *router);
/* Names and listener of a configuration. Services whose section did not change
 * stay. False with a sentence: the listener cannot be had. */
bool services_set(struct services *services, const struct pl_conf *conf,
		  struct pl_error *error);
void services_close(struct services *services);    /* no new ones */
void services_shutdown(struct services *services); /* tells each, closes */
void services_each(struct services *services,
		   void (*show)(void *owner,
				const struct pl_component_info *info),
		   void *owner);
void services_free(struct services *services); /* NULL is fine */

/* ----- control.c ----- */

struct control *control_new(struct service *service, const char *path,
			    struct pl_error *error);
void control_free(struct control *control);

/* ----- json.c ----- */

json_t *json_stream(const struct pl_stream_info *info, uint64_t now_ms);
json_t *json_component(const struct pl_component_info *info, uint64_t now_ms);
json_t *json_record(const struct pl_record *record); /* null for NULL */
/* A negotiation without its lines. */
json_t *json_kept(const struct pl_trace_kept *kept);

/* ----- traces.c ----- */

/* Sets the world's tracer. Where the directory cannot be had this is logged,
 * and there are no files. */
struct traces *traces_new(struct service *service);
void traces_change(struct traces *traces); /* another configuration */
void traces_free(struct traces *traces);   /* NULL is fine */
/* From now on, whatever the configuration says. Returns what speaks against
 * it, or NULL. */
const char *traces_turn(struct traces *traces, const char *domain, bool on);
/* Arrays, newest first; remote may be NULL; failed: those alone. */
json_t *traces_last(struct traces *traces, const char *remote, bool failed,
		    size_t count);
json_t *traces_since(struct traces *traces, json_int_t since);
json_t *traces_with_id(struct traces *traces, const char *id);

/* ----- behind.c ----- */

struct behind *behind_new(struct pl_world *world, struct pl_router *router);
/* Takes over what a configuration says; false where it cannot listen. */
bool behind_set(struct behind *behind, const struct pl_conf *conf,
		struct pl_error *error);
void behind_close(struct behind *behind); /* takes no more connections */
struct pl_gateway *behind_gateway(struct behind *behind);
void behind_free(struct behind *behind);  /* NULL is fine */

/* ----- metrics.c ----- */

/* The handler of the HTTP listener; owner is the service. */
void metrics_answer(void *owner, const char *path,
		    struct pl_http_answer *answer);

/* ----- expiry.c ----- */

/* Tells of certificates that end soon; again each day. */
void expiry_check(struct service *service);

/* ----- notify.c ----- */

/* "READY=1" and the like, to the service manager. */
void notify_state(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
void notify_reloading(void);
/* Begins to show life, where that is wanted. */
void notify_watchdog(struct service *service);
/* Listening sockets that were handed to us: how many, from *first on. */
size_t notify_sockets(int *first);

/* ----- privileges.c ----- */

/* From root to a user: user, or "parley", or "nobody" where that does not
 * exist. Keeps only the right to read files, which a reload uses and nothing
 * else does. No-op for other users. */
bool privileges_drop(const char *user, char *became, size_t size,
		     struct pl_error *error);
/* The right to read files, on for a reload and off behind it. */
void privileges_reading(bool on);

#endif
