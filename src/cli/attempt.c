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

enum {
	CLOSE_MS = 1000,     /* for the peer's end of a closed stream */
	OWN_NAME_MS = 3000,  /* for a look-up of our own name */
	TICK_MS = 20,
};

/* ----- what the streams ask ----- */

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
	struct cli_world *w = ((struct cli_engine *)owner)->owner;
	const struct cli_way *way = w->way;

	pl_site_partner(&w->engine.site, local, remote, view);
	if (way->policy_given || way->configuration == NULL)
		override_terms(w, view);
	/* Whoever calls back must not be turned away for want of TLS. */
	view->clear_callbacks = !view->terms.own_certificate;
	view->sni = way->sni;
	view->no_certificate = way->no_certificate;
	if (way->connect != NULL) {
		view->connect_host = w->engine.connect_host;
		view->connect_port = w->engine.connect_port;
		view->connect_direct_tls = way->tls == CLI_TLS_DIRECT;
	}
	view->wanted_targets = way->tls == CLI_TLS_DIRECT ? PL_DNS_DIRECT_TLS
			     : PL_DNS_STARTTLS;
	if (way->tls == CLI_TLS_ANY &&
	    pl_policy_uses_tls(&view->terms.policy))
		view->wanted_targets |= PL_DNS_DIRECT_TLS;
}

/* ----- what comes ----- */

static void on_line(void *owner, const char *line, size_t length)
{
	struct cli_world *w = owner;

	pl_buffer_append(&w->attempt->lines, line, length);
	if (w->way->on_line != NULL)
		w->way->on_line(w->way->owner, line, length);
}

/* ----- the end ----- */

static uint64_t remaining(const struct cli_world *w)
{
	uint64_t now = pl_loop_now_ms(w->engine.loop);

	return now < w->until_ms ? w->until_ms - now : 0;
}

static uint64_t at_most(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void close_all(struct cli_world *w)
{
	cli_engine_close(&w->engine, at_most(CLOSE_MS, remaining(w)));
}

/* All the time is over, whatever is under way. */
static void on_end(void *owner)
{
	struct cli_world *w = owner;

	pl_loop_stop(w->engine.loop);
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
	w->own_query = pl_dns_find(w->engine.resolver, w->attempt->local,
				   PL_DNS_STARTTLS | PL_DNS_DIRECT_TLS,
				   on_own_name, w);
	if (w->own_query == NULL) {
		close_all(w);
		return;
	}
	pl_timer_set(w->engine.end, at_most(OWN_NAME_MS, remaining(w)));
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
	struct pl_world_limits *limits = &w->engine.world.limits;
	uint64_t share = share_ms(w);

	limits->negotiate_ms = w->way->configuration != NULL
		? at_most(limits->negotiate_ms, share) : share;
	limits->dns_ms = at_most(limits->dns_ms, share);
	limits->connect_ms = at_most(limits->connect_ms, share);
}

static const struct cli_engine_events engine_events = {
	.on_line = on_line,
	.on_time_over = on_end,
};

static bool build(struct cli_world *w, struct pl_conf *conf,
		  struct pl_error *error)
{
	struct cli_engine *engine = &w->engine;

	engine->way = w->way;
	engine->events = &engine_events;
	engine->owner = w;
	engine->tick_ms = TICK_MS;
	if (!cli_engine_build(engine, conf, error))
		return false;
	w->until_ms = pl_loop_now_ms(engine->loop) + whole_ms(w->way);
	engine->world.partner = look_up_partner;
	engine->world.key = cli_give_key;
	limit_times(w);
	cli_engine_start(engine);
	return true;
}

static void take_down(struct cli_world *w)
{
	if (w->own_query != NULL)
		pl_dns_cancel(w->own_query);
	cli_engine_take_down(&w->engine);
}

/* Our side as the notes need it. */
static void note_own(struct cli_world *w)
{
	struct cli_attempt *attempt = w->attempt;
	struct pl_tls_identity *identity = NULL;
	struct pl_partner_view view;

	look_up_partner(&w->engine, attempt->local, attempt->remote, &view);
	attempt->sasl_allowed = pl_policy_allows(&view.terms.policy,
						 PL_METHOD_SASL_OVER_TLS);
	attempt->own_expired = view.terms.own_expired;
	attempt->own_no_client = view.terms.own_no_client_purpose;
	pl_site_host(&w->engine.site, attempt->local, &identity);
	attempt->own_covers = identity != NULL &&
		pl_tls_identity_covers(identity, attempt->local);
}

static void run(struct cli_world *w)
{
	note_own(w);
	cli_find_authority(w);
	w->negotiation = pl_router_negotiate(w->engine.router, w->attempt->local,
					     w->attempt->remote, share_ms(w),
					     on_negotiated, w);
	pl_timer_set(w->engine.end, remaining(w));
	pl_timer_set(w->engine.tick, TICK_MS);
	pl_loop_run(w->engine.loop);
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
	    !pl_addr_endpoint(way->connect, w.engine.connect_host,
			      &w.engine.connect_port, &error)) {
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
