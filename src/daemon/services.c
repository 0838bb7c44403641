/* Local services of a configuration: their listener, and their names. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

struct services {
	struct pl_loop *loop;             /* borrowed */
	struct pl_log *log;               /* borrowed */
	struct pl_components *components; /* owned */
	struct pl_listener *listener;     /* owned; NULL: none */
	char *endpoint;                   /* owned; of the listener */
};

static void on_accept(void *owner, struct pl_conn *conn)
{
	struct services *services = owner;

	pl_components_accept(services->components, conn);
}

static void set_names(struct services *services, const struct pl_conf *conf)
{
	struct pl_component_rule *rules;
	size_t count = 0;

	for (const struct pl_conf_host *h = conf->hosts; h; h = h->next)
		count++;
	rules = pl_calloc(count + 1, sizeof *rules);
	count = 0;
	for (const struct pl_conf_host *h = conf->hosts; h; h = h->next)
		rules[count++] = (struct pl_component_rule){
			.name = h->name,
			.secret = h->component ? h->secret : NULL,
			.refuse_second = h->refuse_second,
		};
	pl_components_set(services->components, rules, count);
	free(rules);
}

static void close_listener(struct services *services)
{
	pl_listener_free(services->listener);
	services->listener = NULL;
	free(services->endpoint);
	services->endpoint = NULL;
}

static bool set_listener(struct services *services, const char *endpoint,
			 struct pl_error *error)
{
	if (services->endpoint != NULL && endpoint != NULL &&
	    strcmp(services->endpoint, endpoint) == 0)
		return true;
	close_listener(services);
	if (endpoint == NULL)
		return true;
	services->listener = pl_listener_new(services->loop, endpoint,
					     on_accept, services, error);
	if (services->listener == NULL)
		return pl_error_context(error, "components");
	services->endpoint = pl_strdup(endpoint);
	pl_log_event(services->log, PL_LOG_INFO, "listening",
		     "%s (components)", endpoint);
	return true;
}

bool services_set(struct services *services, const struct pl_conf *conf,
		  struct pl_error *error)
{
	set_names(services, conf);
	return set_listener(services, conf->components_listen, error);
}

struct services *services_new(struct pl_world *world, struct pl_router *router)
{
	struct services *services = pl_calloc(1, sizeof *services);

	services->loop = world->loop;
	services->log = world->log;
	services->components = pl_components_new(world, router);
	return services;
}

void services_close(struct services *services)
{
	close_listener(services);
}

void services_shutdown(struct services *services)
{
	pl_components_shutdown(services->components);
}

void services_each(struct services *services,
		   void (*show)(void *owner,
				const struct pl_component_info *info),
		   void *owner)
{
	pl_components_each(services->components, show, owner);
}

void services_free(struct services *services)
{
	if (services == NULL)
		return;
	close_listener(services);
	pl_components_free(services->components);
	free(services);
}
