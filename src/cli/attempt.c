/*
 * One negotiation in a world of its own.
 *
 *     build -> negotiate -> [what DNS says of us] -> close -> the trace ends
 *
 * Each of these has its share of the time, and a timer over all of them.
 */
#include "attempt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "parley/sasl.h"

enum {
	CLOSE_MS = 1000,     /* for the peer's end of a closed stream */
	OWN_NAME_MS = 3000,  /* for a look-up of our own name */
	TICK_MS = 20,
};

/* ----- what the streams ask ----- */

static bool look_up_host(void *owner, const char *domain,
			 struct pl_tls_identity **identity)
{
	struct cli_world *w = owner;

	return pl_site_host(&w->site, domain, identity);
}

/* Whoever has to do with the negotiation is treated as the command line says:
 * the callback of a peer that hides behind another name, too. */
static void override_terms(const struct cli_world *w,
			   struct pl_partner_view *view)
{
	const struct cli_way *way = w->way;
	bool own = view->terms.own_certificate;

	if (!view->terms.partner_known)
		view->terms.verify_requires_tls = true;
	view->terms.policy = way->policy_given ? way->policy
					       : pl_policy_of_row(7);
	view->terms.check = (uint8_t)pl_policy_default_check(
		&view->terms.policy);
	view->terms.partner_known = true;
	view->terms.own_certificate = own;
	view->row = pl_policy_row(&view->terms.policy);
	snprintf(view->rule, sizeof view->rule, "%s",
		 way->policy_given ? "the command line" : "the defaults");
	view->connection_limit = 100;
	view->multiplex = false;
}

static void look_up_partner(void *owner, const char *local, const char *remote,
			    struct pl_partner_view *view)
{
	struct cli_world *w = owner;
	const struct cli_way *way = w->way;

	pl_site_partner(&w->site, local, remote, view);
	if (way->policy_given || way->configuration == NULL)
		override_terms(w, view);
	/* Whoever calls back must not be turned away for want of TLS. */
	view->clear_callbacks = !view->terms.own_certificate;
	view->sni = way->sni;
	view->no_certificate = way->no_certificate;
	if (way->connect != NULL) {
		view->connect_host = w->connect_host;
		view->connect_port = w->connect_port;
		view->connect_direct_tls = way->tls == CLI_TLS_DIRECT;
	}
	view->wanted_targets = way->tls == CLI_TLS_DIRECT ? PL_DNS_DIRECT_TLS
			     : PL_DNS_STARTTLS;
	if (way->tls == CLI_TLS_ANY &&
	    pl_policy_uses_tls(&view->terms.policy))
		view->wanted_targets |= PL_DNS_DIRECT_TLS;
}

/* ----- the tracer's world ----- */

static uint64_t monotonic_us(void *owner)
{
	struct timespec now;

	(void)owner;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static struct timeval wall(void *owner)
{
	struct cli_world *w = owner;

	return pl_loop_time(w->loop);
}

static void draw(void *owner, void *out, size_t length)
{
	struct cli_world *w = owner;

	pl_loop_random(w->loop, out, length);
}

static void on_line(void *owner, const char *line, size_t length)
{
	struct cli_world *w = owner;

	pl_buffer_append(&w->attempt->lines, line, length);
	if (w->way->on_line != NULL)
		w->way->on_line(w->way->owner, line, length);
}

static const struct pl_tracer_events tracer_events = {
	.monotonic_us = monotonic_us,
	.wall = wall,
	.random = draw,
	.on_line = on_line,
};

/* ----- the end ----- */

static uint64_t remaining(const struct cli_world *w)
{
	uint64_t now = pl_loop_now_ms(w->loop);

	return now < w->until_ms ? w->until_ms - now : 0;
}

static uint64_t at_most(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void close_all(struct cli_world *w)
{
	w->closing = true;
	w->close_until_ms = pl_loop_now_ms(w->loop) +
			    at_most(CLOSE_MS, remaining(w));
	pl_router_close_all(w->router);
}

static void on_tick(void *owner)
{
	struct cli_world *w = owner;
	bool gone = pl_router_streams(w->router) == 0 &&
		    pl_loop_connections(w->loop) == 0;

	pl_tracer_tick(w->tracer);
	if (w->closing &&
	    (gone || pl_loop_now_ms(w->loop) >= w->close_until_ms)) {
		pl_loop_stop(w->loop);
		return;
	}
	pl_timer_set(w->tick, TICK_MS);
}

/* All the time is over, whatever is under way. */
static void on_end(void *owner)
{
	struct cli_world *w = owner;

	pl_loop_stop(w->loop);
}

/* ----- our own name ----- */

static void on_own_name(void *owner, const struct pl_dns_answer *answer)
{
	struct cli_world *w = owner;

	w->own_query = NULL;
	cli_judge_own_name(w->attempt, answer);
	close_all(w);
}

/* Dialback failed: what would the peer have found? */
static void look_up_own_name(struct cli_world *w)
{
	w->own_query = pl_dns_find(w->resolver, w->attempt->local,
				   PL_DNS_STARTTLS | PL_DNS_DIRECT_TLS,
				   on_own_name, w);
	if (w->own_query == NULL) {
		close_all(w);
		return;
	}
	pl_timer_set(w->end, at_most(OWN_NAME_MS, remaining(w)));
}

static void on_negotiated(void *owner,
			  const struct pl_negotiation_result *result)
{
	struct cli_world *w = owner;

	w->negotiation = NULL;
	w->failed = result->code != PL_CODE_NONE;
	if (w->failed && w->attempt->dialback_used && remaining(w) > 0)
		look_up_own_name(w);
	else
		close_all(w);
}

/* ----- building ----- */

static bool build_tracer(struct cli_world *w, struct pl_error *error)
{
	struct pl_tracer_settings settings = { .raw = w->way->raw };

	w->tracer = pl_tracer_new(&settings, &tracer_events, w, error);
	return w->tracer != NULL;
}

static uint64_t whole_ms(const struct cli_way *way)
{
	return (uint64_t)(way->timeout * 1000);
}

/* The negotiation's share: something is left for what comes behind it. */
static uint64_t share_ms(const struct cli_world *w)
{
	uint64_t all = remaining(w);

	return all - at_most(all / 5, 2000);
}

static void limit_times(struct cli_world *w)
{
	struct pl_world_limits *limits = &w->world.limits;
	uint64_t share = share_ms(w);

	*limits = pl_site_limits(w->site->conf);
	limits->negotiate_ms = w->way->configuration != NULL
		? at_most(limits->negotiate_ms, share) : share;
	limits->dns_ms = at_most(limits->dns_ms, share);
	limits->connect_ms = at_most(limits->connect_ms, share);
}

static bool build(struct cli_world *w, struct pl_conf *conf,
		  struct pl_error *error)
{
	w->site = pl_site_new(conf, time(NULL), error);
	if (w->site == NULL)
		return false;
	w->loop = pl_loop_new(error);
	if (w->loop == NULL ||
	    !pl_site_dialback(&w->dialback, w->site->conf, error))
		return false;
	w->until_ms = pl_loop_now_ms(w->loop) + whole_ms(w->way);
	w->resolver = pl_site_resolver(w->loop, w->site->conf, error);
	if (w->resolver == NULL || !build_tracer(w, error))
		return false;
	w->world = (struct pl_world){
		.loop = w->loop,
		.tracer = w->tracer,
		.tap = w->way->tap,
		.tap_owner = w->way->tap_owner,
		.odd = w->way->odd,
		.resolver = w->resolver,
		.dialback = &w->dialback,
		.trust = w->site->trust,
		.site = w,
		.host = look_up_host,
		.partner = look_up_partner,
		.key = cli_give_key,
	};
	limit_times(w);
	w->router = pl_router_new(&w->world);
	w->listeners = pl_site_listeners_new(w->loop, NULL, w->router);
	w->end = pl_timer_new(w->loop, on_end, w);
	w->tick = pl_timer_new(w->loop, on_tick, w);
	return true;
}

/* What is still open is dropped; it is gone at a turn's end. */
static void drop_streams(struct cli_world *w)
{
	if (pl_router_streams(w->router) == 0)
		return;
	pl_router_drop_all(w->router);
	pl_timer_clear(w->tick);
	pl_timer_set(w->end, 1);
	pl_loop_run(w->loop);
}

static void take_down(struct cli_world *w)
{
	if (w->own_query != NULL)
		pl_dns_cancel(w->own_query);
	pl_site_listeners_free(w->listeners);
	if (w->router != NULL)
		drop_streams(w);
	pl_router_free(w->router);
	pl_tracer_free(w->tracer);
	if (w->resolver != NULL)
		pl_resolver_free(w->resolver);
	pl_timer_free(w->end);
	pl_timer_free(w->tick);
	pl_dialback_finish(&w->dialback);
	pl_site_free(w->site);
	if (w->loop != NULL)
		pl_loop_free(w->loop);
}

/* Our side as the notes need it. */
static void note_own(struct cli_world *w)
{
	struct cli_attempt *attempt = w->attempt;
	struct pl_tls_identity *identity = NULL;
	struct pl_partner_view view;

	look_up_partner(w, attempt->local, attempt->remote, &view);
	attempt->sasl_allowed = pl_policy_allows(&view.terms.policy,
						 PL_METHOD_SASL_OVER_TLS);
	attempt->own_expired = view.terms.own_expired;
	attempt->own_no_client = view.terms.own_no_client_purpose;
	look_up_host(w, attempt->local, &identity);
	attempt->own_covers = identity != NULL &&
		pl_tls_identity_covers(identity, attempt->local);
}

static void run(struct cli_world *w)
{
	note_own(w);
	cli_find_authority(w);
	w->negotiation = pl_router_negotiate(w->router, w->attempt->local,
					     w->attempt->remote, share_ms(w),
					     on_negotiated, w);
	pl_timer_set(w->end, remaining(w));
	pl_timer_set(w->tick, TICK_MS);
	pl_loop_run(w->loop);
}

static void judge(struct cli_world *w)
{
	struct cli_attempt *attempt = w->attempt;

	if (!w->failed || !attempt->dialback_used ||
	    attempt->authority != CLI_NOBODY)
		return;
	attempt->incomplete = true;
	snprintf(attempt->why, sizeof attempt->why,
		 "dialback was needed, and nobody answers for %.100s when "
		 "%.100s verifies the key: %.300s", attempt->local,
		 attempt->remote, attempt->no_authority);
}

int cli_attempt(const struct cli_way *way, struct pl_conf *conf,
		struct cli_attempt *attempt)
{
	struct cli_world w = { .way = way, .attempt = attempt };
	struct pl_error error = { .text = "" };
	bool good;

	pl_buffer_init(&attempt->lines, 0);
	if (way->connect != NULL &&
	    !pl_addr_endpoint(way->connect, w.connect_host, &w.connect_port,
			      &error)) {
		pl_conf_unref(conf);
		return cli_usage(way->verb, "--connect %s: %s", way->connect,
				 error.text);
	}
	good = build(&w, conf, &error);
	if (good) {
		run(&w);
		judge(&w);
	} else {
		fprintf(stderr, "parley %s: %s\n", way->verb, error.text);
	}
	take_down(&w);
	if (!good)
		return CLI_USAGE;
	cli_annotate(attempt);
	return CLI_OK;
}

void cli_attempt_finish(struct cli_attempt *attempt)
{
	pl_buffer_finish(&attempt->lines);
}
