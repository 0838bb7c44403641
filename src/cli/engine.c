/* What a command that negotiates runs on. */
#include "engine.h"

#include <time.h>

/* ----- what the streams ask ----- */

static bool look_up_host(void *owner, const char *domain,
			 struct pl_tls_identity **identity)
{
	struct cli_engine *engine = owner;

	return pl_site_host(&engine->site, domain, identity);
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
	struct cli_engine *engine = owner;

	return pl_loop_time(engine->loop);
}

static void draw(void *owner, void *out, size_t length)
{
	struct cli_engine *engine = owner;

	pl_loop_random(engine->loop, out, length);
}

static void on_line(void *owner, const char *line, size_t length)
{
	struct cli_engine *engine = owner;

	engine->events->on_line(engine->owner, line, length);
}

static void on_trace_end(void *owner, const char *id, const char *path)
{
	struct cli_engine *engine = owner;

	if (engine->events->on_trace_end != NULL)
		engine->events->on_trace_end(engine->owner, id, path);
}

static const struct pl_tracer_events tracer_events = {
	.monotonic_us = monotonic_us,
	.wall = wall,
	.random = draw,
	.on_line = on_line,
	.on_end = on_trace_end,
};

/* ----- time ----- */

static void on_tick(void *owner)
{
	struct cli_engine *engine = owner;
	bool gone = pl_router_streams(engine->router) == 0 &&
		    pl_loop_connections(engine->loop) == 0;

	pl_tracer_tick(engine->tracer);
	if (engine->events->on_tick != NULL)
		engine->events->on_tick(engine->owner);
	if (engine->closing &&
	    (gone || pl_loop_now_ms(engine->loop) >= engine->close_until_ms)) {
		pl_loop_stop(engine->loop);
		return;
	}
	pl_timer_set(engine->tick, engine->tick_ms);
}

static void on_time_over(void *owner)
{
	struct cli_engine *engine = owner;

	engine->events->on_time_over(engine->owner);
}

void cli_engine_close(struct cli_engine *engine, uint64_t within_ms)
{
	engine->closing = true;
	engine->close_until_ms = pl_loop_now_ms(engine->loop) + within_ms;
	pl_router_close_all(engine->router);
}

/* ----- building, and the way down ----- */

static void make_world(struct cli_engine *engine)
{
	engine->world = (struct pl_world){
		.loop = engine->loop,
		.tracer = engine->tracer,
		.tap = engine->way->tap,
		.tap_owner = engine->way->tap_owner,
		.odd = engine->way->odd,
		.resolver = engine->resolver,
		.dialback = &engine->dialback,
		.trust = engine->site->trust,
		.limits = pl_site_limits(engine->site->conf),
		.site = engine,
		.host = look_up_host,
	};
}

bool cli_engine_build(struct cli_engine *engine, struct pl_conf *conf,
		      struct pl_error *error)
{
	struct pl_tracer_settings settings = { .raw = engine->way->raw };

	engine->site = pl_site_new(conf, time(NULL), error);
	if (engine->site == NULL)
		return false;
	engine->loop = pl_loop_new(error);
	if (engine->loop == NULL ||
	    !pl_site_dialback(&engine->dialback, engine->site->conf, error))
		return false;
	engine->resolver = pl_site_resolver(engine->loop, engine->site->conf,
					    error);
	if (engine->resolver == NULL)
		return false;
	engine->tracer = pl_tracer_new(&settings, &tracer_events, engine,
				       error);
	if (engine->tracer == NULL)
		return false;
	make_world(engine);
	engine->end = pl_timer_new(engine->loop, on_time_over, engine);
	engine->tick = pl_timer_new(engine->loop, on_tick, engine);
	return true;
}

void cli_engine_start(struct cli_engine *engine)
{
	engine->router = pl_router_new(&engine->world);
	engine->listeners = pl_site_listeners_new(engine->loop, NULL,
						  engine->router);
}

/* What is still open is dropped; it is gone at a turn's end. */
static void drop_streams(struct cli_engine *engine)
{
	if (engine->router == NULL || pl_router_streams(engine->router) == 0)
		return;
	pl_router_drop_all(engine->router);
	pl_timer_clear(engine->end);
	pl_timer_set(engine->tick, 1);
	engine->closing = true;
	engine->close_until_ms = 0;
	pl_loop_run(engine->loop);
}

void cli_engine_take_down(struct cli_engine *engine)
{
	pl_site_listeners_free(engine->listeners);
	drop_streams(engine);
	pl_router_free(engine->router);
	pl_tracer_free(engine->tracer);
	if (engine->resolver != NULL)
		pl_resolver_free(engine->resolver);
	pl_timer_free(engine->tick);
	pl_timer_free(engine->end);
	pl_dialback_finish(&engine->dialback);
	pl_site_free(engine->site);
	if (engine->loop != NULL)
		pl_loop_free(engine->loop);
}
