/* The servers behind us, as the configuration names them, and the listener at
 * which they look for the world. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct behind {
	struct pl_loop *loop;           /* borrowed */
	struct pl_log *log;             /* borrowed */
	struct pl_gateway *gateway;     /* owned */
	struct pl_listener *listener;   /* owned; NULL: none */
	char *endpoint;                 /* owned; of the listener */
};

static void on_accept(void *owner, struct pl_conn *conn)
{
	struct behind *behind = owner;

	pl_gateway_accept(behind->gateway, conn);
}

void behind_close(struct behind *behind)
{
	pl_listener_free(behind->listener);
	behind->listener = NULL;
	free(behind->endpoint);
	behind->endpoint = NULL;
}

static void set_rules(struct behind *behind, const struct pl_conf *conf)
{
	struct pl_gateway_rule *rules;
	char (*texts)[300];
	size_t count = 0;

	for (const struct pl_conf_host *h = conf->hosts; h; h = h->next)
		count++;
	rules = pl_calloc(count + 1, sizeof *rules);
	texts = pl_calloc(count + 1, sizeof *texts);
	count = 0;
	for (const struct pl_conf_host *h = conf->hosts; h; h = h->next) {
		if (h->upstream_host == NULL)
			continue;
		snprintf(texts[count], sizeof *texts, "host \"%.80s\" (%.60s:%d)",
			 h->name, h->file, h->line);
		rules[count] = (struct pl_gateway_rule){
			.domain = h->name,
			.host = h->upstream_host,
			.port = h->upstream_port,
			.where = texts[count],
		};
		count++;
	}
	pl_gateway_set(behind->gateway, rules, count);
	free(rules);
	free(texts);
}

bool behind_set(struct behind *behind, const struct pl_conf *conf,
		struct pl_error *error)
{
	const char *endpoint = conf->gateway_listen;

	pl_gateway_world_changed(behind->gateway);
	set_rules(behind, conf);
	if (behind->endpoint != NULL && endpoint != NULL &&
	    strcmp(behind->endpoint, endpoint) == 0)
		return true;
	behind_close(behind);
	if (endpoint == NULL)
		return true;
	behind->listener = pl_listener_new(behind->loop, endpoint, on_accept,
					   behind, error);
	if (behind->listener == NULL)
		return pl_error_context(error, "gateway");
	behind->endpoint = pl_strdup(endpoint);
	pl_log_event(behind->log, PL_LOG_INFO, "listening",
		     "%s (servers behind us)", endpoint);
	return true;
}

struct behind *behind_new(struct pl_world *world, struct pl_router *router)
{
	struct behind *behind = pl_calloc(1, sizeof *behind);

	behind->loop = world->loop;
	behind->log = world->log;
	behind->gateway = pl_gateway_new(world, router);
	return behind;
}

struct pl_gateway *behind_gateway(struct behind *behind)
{
	return behind->gateway;
}

void behind_free(struct behind *behind)
{
	if (behind == NULL)
		return;
	behind_close(behind);
	pl_gateway_free(behind->gateway);
	free(behind);
}
