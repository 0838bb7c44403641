/* The sockets of a configuration, whose connections go to a router. */
#include "parley/site.h"

#include <stdlib.h>
#include <string.h>

struct site_listener {
	struct pl_site_listeners *all;  /* borrowed */
	struct pl_listener *listener;   /* owned */
	char *endpoint;                 /* owned */
	bool direct_tls, wanted;
	struct site_listener *next;     /* in pl_site_listeners.first */
};

struct pl_site_listeners {
	struct pl_loop *loop;           /* borrowed, as all below */
	struct pl_log *log;
	struct pl_router *router;
	struct site_listener *first;    /* owned */
};

static void on_accept(void *owner, struct pl_conn *conn)
{
	struct site_listener *listener = owner;

	pl_router_accept(listener->all->router, conn, listener->direct_tls);
}

static struct site_listener *find(const struct pl_site_listeners *listeners,
				  const char *endpoint)
{
	struct site_listener *l;

	for (l = listeners->first; l != NULL; l = l->next)
		if (strcmp(l->endpoint, endpoint) == 0)
			return l;
	return NULL;
}

/* A place of a file is named; a place of the command line has none. */
static bool add_place(const struct pl_conf_listen *conf,
		      struct pl_error *error)
{
	if (conf->file == NULL)
		return false;
	return pl_error_context(error, "%s:%d", conf->file, conf->line);
}

static bool open_one(struct pl_site_listeners *listeners,
		     const struct pl_conf_listen *conf, struct pl_error *error)
{
	struct site_listener *l = pl_calloc(1, sizeof *l);

	l->all = listeners;
	l->wanted = true;
	l->direct_tls = conf->direct_tls;
	l->endpoint = pl_strdup(conf->endpoint);
	l->listener = pl_listener_new(listeners->loop, conf->endpoint,
				      on_accept, l, error);
	if (l->listener == NULL) {
		free(l->endpoint);
		free(l);
		return add_place(conf, error);
	}
	l->next = listeners->first;
	listeners->first = l;
	pl_log_event(listeners->log, PL_LOG_INFO, "listening", "%s (%s)",
		     conf->endpoint, conf->direct_tls ? "direct TLS"
						      : "STARTTLS");
	return true;
}

static void close_unwanted(struct pl_site_listeners *listeners)
{
	struct site_listener **link = &listeners->first, *l;

	while ((l = *link) != NULL) {
		if (l->wanted) {
			link = &l->next;
			continue;
		}
		*link = l->next;
		pl_listener_free(l->listener);
		free(l->endpoint);
		free(l);
	}
}

bool pl_site_listeners_set(struct pl_site_listeners *listeners,
			   const struct pl_conf_listen *wanted,
			   struct pl_error *error)
{
	struct site_listener *l;
	bool good = true;

	for (l = listeners->first; l != NULL; l = l->next)
		l->wanted = false;
	for (; wanted != NULL; wanted = wanted->next) {
		l = find(listeners, wanted->endpoint);
		if (l != NULL) {
			l->wanted = true;
			l->direct_tls = wanted->direct_tls;
		} else if (!open_one(listeners, wanted, error)) {
			good = false;
		}
	}
	close_unwanted(listeners);
	return good;
}

size_t pl_site_listeners_count(const struct pl_site_listeners *listeners)
{
	size_t count = 0;

	for (struct site_listener *l = listeners->first; l; l = l->next)
		count++;
	return count;
}

struct pl_site_listeners *pl_site_listeners_new(struct pl_loop *loop,
						struct pl_log *log,
						struct pl_router *router)
{
	struct pl_site_listeners *listeners = pl_calloc(1, sizeof *listeners);

	listeners->loop = loop;
	listeners->log = log;
	listeners->router = router;
	return listeners;
}

void pl_site_listeners_free(struct pl_site_listeners *listeners)
{
	if (listeners == NULL)
		return;
	pl_site_listeners_set(listeners, NULL, NULL);
	free(listeners);
}
