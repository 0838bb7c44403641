/* The configuration of `parley listen`, and its world. */
#include "listen.h"
#include "client.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

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
	struct pl_loop *loop;           /* owned, as all below */
	struct pl_site *site;
	struct pl_dialback dialback;
	struct pl_resolver *resolver;
	struct pl_tracer *tracer;
	struct pl_world world;
	struct pl_router *router;
	struct pl_site_listeners *listeners;
	struct pl_timer *tick, *end;
	TAILQ_HEAD(, gathered) traces;
	size_t traces_count;
	char connect_host[PL_ASCII_DOMAIN_SIZE];
	unsigned short connect_port;
	uint64_t close_until_ms;
	bool enough, closing, timed_out;
};

/* ----- the configuration ----- */

static void replace(char **text, const char *by)
{
	if (by == NULL)
		return;
	free(*text);
	*text = pl_strdup(by);
}

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
	if (host == NULL) {
		host = pl_calloc(1, sizeof *host);
		host->name = pl_strdup(name);
		host->contacts = pl_calloc(1, sizeof *host->contacts);
		host->next = conf->hosts;
		conf->hosts = host;
	}
	replace(&host->certificate, way->common.certificate);
	replace(&host->private_key, way->common.private_key);
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
	replace(&conf->ca_file, way->common.ca_file);
	replace(&conf->dns.resolv_conf, way->common.resolv_conf);
	replace(&conf->dns.trust_anchor_file, way->common.trust_anchor);
	if (way->common.allow_loopback)
		conf->dns.allow_loopback = true;
	return conf;
}

/* ----- what the streams ask ----- */

static bool look_up_host(void *owner, const char *domain,
			 struct pl_tls_identity **identity)
{
	struct listen_world *w = owner;

	return pl_site_host(&w->site, domain, identity);
}

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
	struct listen_world *w = owner;

	pl_site_partner(&w->site, local, remote, view);
	if (w->way->common.policy_given || w->way->common.configuration == NULL)
		override_terms(w->way, view);
	if (w->way->common.connect != NULL) {
		view->connect_host = w->connect_host;
		view->connect_port = w->connect_port;
	}
}

/* ----- traces ----- */

static uint64_t monotonic_us(void *owner)
{
	struct timespec now;

	(void)owner;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static struct timeval wall(void *owner)
{
	struct listen_world *w = owner;

	return pl_loop_time(w->loop);
}

static void draw(void *owner, void *out, size_t length)
{
	struct listen_world *w = owner;

	pl_loop_random(w->loop, out, length);
}

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
	if (w->closing)
		return;
	w->closing = true;
	w->close_until_ms = pl_loop_now_ms(w->loop) + CLOSE_MS;
	pl_site_listeners_set(w->listeners, NULL, NULL);
	pl_router_close_all(w->router);
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

static const struct pl_tracer_events tracer_events = {
	.monotonic_us = monotonic_us,
	.wall = wall,
	.random = draw,
	.on_line = on_line,
	.on_end = on_trace_end,
};

/* ----- time and signals ----- */

static void on_tick(void *owner)
{
	struct listen_world *w = owner;
	bool gone = pl_router_streams(w->router) == 0 &&
		    pl_loop_connections(w->loop) == 0;

	pl_tracer_tick(w->tracer);
	if (w->enough)
		close_all(w);
	if (w->closing &&
	    (gone || pl_loop_now_ms(w->loop) >= w->close_until_ms)) {
		pl_loop_stop(w->loop);
		return;
	}
	pl_timer_set(w->tick, TICK_MS);
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
	if (w->closing)
		w->close_until_ms = 0;
	close_all(w);
}

/* ----- building ----- */

static bool build_world(struct listen_world *w, struct pl_error *error)
{
	struct pl_tracer_settings settings = { .raw = w->way->common.raw };

	w->tracer = pl_tracer_new(&settings, &tracer_events, w, error);
	if (w->tracer == NULL)
		return false;
	w->world = (struct pl_world){
		.loop = w->loop,
		.tracer = w->tracer,
		.tap = w->way->common.tap,
		.tap_owner = w->way->common.tap_owner,
		.resolver = w->resolver,
		.dialback = &w->dialback,
		.trust = w->site->trust,
		.limits = pl_site_limits(w->site->conf),
		.odd = w->way->common.odd,
		.site = w,
		.host = look_up_host,
		.partner = look_up_partner,
	};
	w->world.limits.idle_ms = w->way->common.odd & PL_ODD_SLOW_FEATURES
		? SLOW_IDLE_MS : IDLE_MS;
	w->router = pl_router_new(&w->world);
	return true;
}

static bool build(struct listen_world *w, struct pl_conf *conf,
		  struct pl_error *error)
{
	TAILQ_INIT(&w->traces);
	w->site = pl_site_new(conf, time(NULL), error);
	if (w->site == NULL)
		return false;
	w->loop = pl_loop_new(error);
	if (w->loop == NULL || !pl_site_dialback(&w->dialback, w->site->conf,
						 error))
		return false;
	w->resolver = pl_site_resolver(w->loop, w->site->conf, error);
	if (w->resolver == NULL || !build_world(w, error))
		return false;
	w->tick = pl_timer_new(w->loop, on_tick, w);
	w->end = pl_timer_new(w->loop, on_time_over, w);
	w->listeners = pl_site_listeners_new(w->loop, NULL, w->router);
	if (!pl_loop_signal(w->loop, SIGINT, on_signal, w) ||
	    !pl_loop_signal(w->loop, SIGTERM, on_signal, w))
		return pl_error_set(error, "signals cannot be had");
	return pl_site_listeners_set(w->listeners, w->site->conf->listens,
				     error);
}

/* What is still open is dropped; it is gone at a turn's end. */
static void drop_streams(struct listen_world *w)
{
	if (w->router == NULL || pl_router_streams(w->router) == 0)
		return;
	pl_router_drop_all(w->router);
	pl_timer_clear(w->end);
	pl_timer_set(w->tick, 1);
	w->closing = true;
	w->close_until_ms = 0;
	pl_loop_run(w->loop);
}

static void take_down(struct listen_world *w)
{
	pl_site_listeners_free(w->listeners);
	drop_streams(w);
	pl_router_free(w->router);
	pl_tracer_free(w->tracer);
	while (!TAILQ_EMPTY(&w->traces))
		forget(w, TAILQ_FIRST(&w->traces));
	if (w->resolver != NULL)
		pl_resolver_free(w->resolver);
	pl_timer_free(w->tick);
	pl_timer_free(w->end);
	pl_dialback_finish(&w->dialback);
	pl_site_free(w->site);
	if (w->loop != NULL)
		pl_loop_free(w->loop);
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
		pl_addr_endpoint(way->common.connect, w.connect_host,
				 &w.connect_port, NULL);
	if (build(&w, conf, &error)) {
		events->on_open(owner, w.site->conf);
		pl_timer_set(w.tick, TICK_MS);
		if (way->limited)
			pl_timer_set(w.end, (uint64_t)(way->common.timeout *
						       1000));
		pl_loop_run(w.loop);
	} else {
		fprintf(stderr, "parley listen: %s\n", error.text);
		status = CLI_USAGE;
	}
	take_down(&w);
	return w.timed_out ? CLI_TIMEOUT : status;
}
