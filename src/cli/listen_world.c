/* The configuration of `parley listen`, and its world. */
#include "listen.h"
#include "client.h"
#include "engine.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "parley/sasl.h"
#include "parley/site.h"

enum {
	TICK_MS = 50,
	IDLE_MS = 1000,         /* an open stream that carries nothing */
	SLOW_IDLE_MS = 5000,    /* the same, while features may be due */
	CLOSE_MS = 2000,        /* for the ends of streams, at the end */
	TRACES = 256,           /* gathered at a time */
	TRACE_BYTES = 4 * 1024 * 1024,
};

/* A trace whose lines come in. */
struct gathered {
	char id[40];
	struct pl_buffer lines;
	TAILQ_ENTRY(gathered) entry;    /* in world.traces */
};

struct listen_world {
	const struct listen_way *way;   /* borrowed, as the next two */
	const struct listen_events *events;
	void *owner;
	struct cli_engine engine;
	TAILQ_HEAD(, gathered) traces;  /* owned */
	size_t traces_count;
	bool enough, timed_out;
};

/* ----- the configuration ----- */

/* Its own host alone, whatever the file has besides. */
static bool take_host(const struct listen_way *way, struct pl_conf *conf)
{
	char name[PL_DOMAIN_SIZE], printable[300];
	struct pl_error error = { .text = "" };
	struct pl_conf_host *host = conf->hosts;

	if (!pl_addr_domain(way->host, strlen(way->host), name, &error)) {
		cli_usage("listen", "--host \"%s\" is not a domain: %s",
			  pl_text_printable(printable, sizeof printable,
					    way->host, strlen(way->host)),
			  error.text);
		return false;
	}
	while (host != NULL && strcmp(host->name, name) != 0)
		host = host->next;
	if (host == NULL)
		host = cli_add_host(conf, name);
	cli_use_certificate(&way->common, host);
	return true;
}

static void free_listens(struct pl_conf *conf)
{
	struct pl_conf_listen *listen;

	while ((listen = conf->listens) != NULL) {
		conf->listens = listen->next;
		free(listen->endpoint);
		free(listen->file);
		free(listen);
	}
}

static void add_listen(struct pl_conf *conf, const char *endpoint,
		       bool direct_tls)
{
	struct pl_conf_listen **last = &conf->listens;
	struct pl_conf_listen *listen = pl_calloc(1, sizeof *listen);

	listen->endpoint = pl_strdup(endpoint);
	listen->direct_tls = direct_tls;
	while (*last != NULL)
		last = &(*last)->next;
	*last = listen;
}

static void take_endpoints(const struct listen_way *way, struct pl_conf *conf)
{
	if (way->endpoints_count > 0)
		free_listens(conf);
	for (size_t i = 0; i < way->endpoints_count; i++)
		add_listen(conf, way->endpoints[i], way->direct_tls);
	if (conf->listens == NULL) {
		add_listen(conf, way->direct_tls ? "0.0.0.0:5270"
						 : "0.0.0.0:5269",
			   way->direct_tls);
		add_listen(conf, way->direct_tls ? "[::]:5270" : "[::]:5269",
			   way->direct_tls);
	}
}

struct pl_conf *listen_conf(const struct listen_way *way)
{
	struct pl_conf *conf;

	if (way->host == NULL && way->common.configuration == NULL) {
		cli_usage("listen", "--host or -c is needed: whose stream is "
			  "it?");
		return NULL;
	}
	conf = way->common.configuration != NULL
		? client_configuration(way->common.configuration) : pl_conf_new();
	if (conf == NULL)
		return NULL;
	if (way->host != NULL && !take_host(way, conf)) {
		pl_conf_unref(conf);
		return NULL;
	}
	if (conf->hosts == NULL) {
		cli_usage("listen", "%s has no host; --host names one",
			  way->common.configuration);
		pl_conf_unref(conf);
		return NULL;
	}
	take_endpoints(way, conf);
	cli_override(&way->common, conf);
	return conf;
}

/* ----- what the streams ask ----- */

/* Whoever comes is treated as the command line says. */
static void override_terms(const struct listen_way *way,
			   struct pl_partner_view *view)
{
	struct pl_conf_partner partner = {
		.policy = way->common.policy_given ? way->common.policy
					    : pl_policy_of_row(7),
	};

	view->terms.policy = pl_conf_policy(&partner,
					    view->terms.own_certificate);
	view->terms.check = (uint8_t)pl_policy_default_check(&partner.policy);
	view->terms.partner_known = true;
	view->row = pl_policy_row(&partner.policy);
	snprintf(view->rule, sizeof view->rule, "%s",
		 way->common.policy_given ? "the command line" : "the default row");
	view->connection_limit = 100;
	view->wanted_targets = PL_DNS_STARTTLS |
		(pl_policy_uses_tls(&partner.policy) ? PL_DNS_DIRECT_TLS : 0);
}

static void look_up_partner(void *owner, const char *local, const char *remote,
			    struct pl_partner_view *view)
{
	struct listen_world *w = ((struct cli_engine *)owner)->owner;

	pl_site_partner(&w->engine.site, local, remote, view);
	if (w->way->common.policy_given || w->way->common.configuration == NULL)
		override_terms(w->way, view);
	if (w->way->common.connect != NULL) {
		view->connect_host = w->engine.connect_host;
		view->connect_port = w->engine.connect_port;
	}
}

/* ----- traces ----- */

static void forget(struct listen_world *w, struct gathered *trace)
{
	TAILQ_REMOVE(&w->traces, trace, entry);
	w->traces_count--;
	pl_buffer_finish(&trace->lines);
	free(trace);
}

static struct gathered *find(struct listen_world *w, const char *id,
			     size_t length)
{
	struct gathered *trace;

	TAILQ_FOREACH(trace, &w->traces, entry)
		if (strlen(trace->id) == length &&
		    strncmp(trace->id, id, length) == 0)
			return trace;
	if (length >= sizeof trace->id)
		return NULL;
	if (w->traces_count >= TRACES)
		forget(w, TAILQ_FIRST(&w->traces));
	trace = pl_calloc(1, sizeof *trace);
	memcpy(trace->id, id, length);
	pl_buffer_init(&trace->lines, TRACE_BYTES);
	TAILQ_INSERT_TAIL(&w->traces, trace, entry);
	w->traces_count++;
	return trace;
}

/* Lines of several traces come mixed. The id stands before anything that a
 * peer wrote. */
static void on_line(void *owner, const char *line, size_t length)
{
	static const char key[] = "\"trace\":\"";
	struct listen_world *w = owner;
	const char *id = memmem(line, length, key, sizeof key - 1), *end;
	struct gathered *trace;

	if (id == NULL)
		return;
	id += sizeof key - 1;
	end = memchr(id, '"', length - (size_t)(id - line));
	if (end == NULL)
		return;
	trace = find(w, id, (size_t)(end - id));
	if (trace != NULL)
		pl_buffer_append(&trace->lines, line, length);
}

static void close_all(struct listen_world *w)
{
	if (w->engine.closing)
		return;
	pl_site_listeners_set(w->engine.listeners, NULL, NULL);
	cli_engine_close(&w->engine, CLOSE_MS);
}

static void on_trace_end(void *owner, const char *id, const char *path)
{
	struct listen_world *w = owner;
	struct gathered *trace = find(w, id, strlen(id));

	(void)path;
	if (trace == NULL)
		return;
	if (!w->events->on_trace(w->owner,
				 (const char *)pl_buffer_bytes(&trace->lines),
				 trace->lines.length))
		w->enough = true; /* a stream may be calling: the tick closes */
	forget(w, trace);
}

/* ----- time and signals ----- */

static void on_tick(void *owner)
{
	struct listen_world *w = owner;

	if (w->enough)
		close_all(w);
}

static void on_time_over(void *owner)
{
	struct listen_world *w = owner;

	w->timed_out = true;
	close_all(w);
}

/* Twice: at once. */
static void on_signal(void *owner, int number)
{
	struct listen_world *w = owner;

	(void)number;
	if (w->engine.closing)
		w->engine.close_until_ms = 0;
	close_all(w);
}

/* ----- building ----- */

static const struct cli_engine_events engine_events = {
	.on_line = on_line,
	.on_trace_end = on_trace_end,
	.on_tick = on_tick,
	.on_time_over = on_time_over,
};

static bool build(struct listen_world *w, struct pl_conf *conf,
		  struct pl_error *error)
{
	struct cli_engine *engine = &w->engine;

	TAILQ_INIT(&w->traces);
	engine->way = &w->way->common;
	engine->events = &engine_events;
	engine->owner = w;
	engine->tick_ms = TICK_MS;
	if (!cli_engine_build(engine, conf, error))
		return false;
	engine->world.partner = look_up_partner;
	engine->world.limits.idle_ms =
		engine->way->odd & PL_ODD_SLOW_FEATURES ? SLOW_IDLE_MS
							: IDLE_MS;
	cli_engine_start(engine);
	if (!pl_loop_signal(engine->loop, SIGINT, on_signal, w) ||
	    !pl_loop_signal(engine->loop, SIGTERM, on_signal, w))
		return pl_error_set(error, "signals cannot be had");
	return pl_site_listeners_set(engine->listeners,
				     engine->site->conf->listens, error);
}

static void take_down(struct listen_world *w)
{
	cli_engine_take_down(&w->engine);
	while (!TAILQ_EMPTY(&w->traces))
		forget(w, TAILQ_FIRST(&w->traces));
	pl_sasl_global_finish();
}

int listen_run(const struct listen_way *way, struct pl_conf *conf,
	       const struct listen_events *events, void *owner)
{
	struct listen_world w = { .way = way, .events = events,
				  .owner = owner };
	struct pl_error error = { .text = "" };
	int status = CLI_OK;

	/* It was looked at when it was taken. */
	if (way->common.connect != NULL)
		pl_addr_endpoint(way->common.connect, w.engine.connect_host,
				 &w.engine.connect_port, NULL);
	if (build(&w, conf, &error)) {
		events->on_open(owner, w.engine.site->conf);
		pl_timer_set(w.engine.tick, TICK_MS);
		if (way->limited)
			pl_timer_set(w.engine.end, (uint64_t)(way->common.timeout *
						       1000));
		pl_loop_run(w.engine.loop);
	} else {
		fprintf(stderr, "parley listen: %s\n", error.text);
		status = CLI_USAGE;
	}
	take_down(&w);
	return w.timed_out ? CLI_TIMEOUT : status;
}
