/*
 * engine.h: what a command that negotiates runs on, whichever side it takes:
 * certificates, loop, resolver, tracer, router, listeners, and the way down.
 *
 *     fill in way, events, owner -> cli_engine_build -> [world: partner, key,
 *     limits] -> cli_engine_start -> pl_loop_run -> cli_engine_take_down
 *
 * The look-ups of the world get the engine as their owner.
 */
#ifndef PARLEY_CLI_ENGINE_H
#define PARLEY_CLI_ENGINE_H

#include "world.h"

#include "parley/site.h"

struct cli_engine_events {
	/* As those of a tracer; on_trace_end may be NULL. */
	void (*on_line)(void *owner, const char *line, size_t length);
	void (*on_trace_end)(void *owner, const char *id, const char *path);
	void (*on_tick)(void *owner);   /* may be NULL */
	void (*on_time_over)(void *owner); /* of the timer `end` */
};

struct cli_engine {
	const struct cli_way *way;      /* borrowed, as the next two */
	const struct cli_engine_events *events;
	void *owner;
	unsigned tick_ms;
	struct pl_loop *loop;           /* owned, as all below */
	struct pl_site *site;
	struct pl_dialback dialback;
	struct pl_resolver *resolver;
	struct pl_tracer *tracer;
	struct pl_world world;
	struct pl_router *router;
	struct pl_site_listeners *listeners;
	struct pl_timer *end, *tick;
	char connect_host[PL_ASCII_DOMAIN_SIZE]; /* of way->connect */
	unsigned short connect_port;
	bool closing;
	uint64_t close_until_ms;
};

/* The world without its partners and limits, and no router yet. Takes the
 * reference on conf. False with a sentence; take_down() either way. */
bool cli_engine_build(struct cli_engine *engine, struct pl_conf *conf,
		      struct pl_error *error);
/* Router and listeners, none of which is open. */
void cli_engine_start(struct cli_engine *engine);
/* Closes every stream; when they are gone, or the time is over, the tick ends
 * the loop. */
void cli_engine_close(struct cli_engine *engine, uint64_t within_ms);
void cli_engine_take_down(struct cli_engine *engine);

#endif
