/* Time, chance, loops and timers of the scripted world. */
#include "world.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* pl_loop_new() has no argument for it. */
static struct script *current;

struct script *world_current(void)
{
	return current;
}

/* ----- happenings ----- */

struct happening *world_add(struct script *world, uint64_t delay_ms,
			    void (*call)(void *owner, size_t number),
			    void *owner, size_t number)
{
	struct happening *new = pl_calloc(1, sizeof *new), *before;

	new->when = delay_ms > UINT64_MAX - world->now ? UINT64_MAX
						       : world->now + delay_ms;
	new->call = call;
	new->owner = owner;
	new->number = number;
	TAILQ_FOREACH_REVERSE(before, &world->happenings, happenings, in_world)
		if (before->when <= new->when)
			break;
	if (before == NULL)
		TAILQ_INSERT_HEAD(&world->happenings, new, in_world);
	else
		TAILQ_INSERT_AFTER(&world->happenings, before, new, in_world);
	return new;
}

void world_remove(struct script *world, struct happening *happening)
{
	TAILQ_REMOVE(&world->happenings, happening, in_world);
	free(happening);
}

void world_forget(struct script *world, const void *owner)
{
	struct happening *happening = TAILQ_FIRST(&world->happenings), *next;

	for (; happening != NULL; happening = next) {
		next = TAILQ_NEXT(happening, in_world);
		if (happening->owner == owner)
			world_remove(world, happening);
	}
}

void world_bury(struct script *world, struct dead *dead)
{
	dead->next = world->dead;
	world->dead = dead;
}

static void sweep(struct script *world)
{
	struct dead *dead;

	while ((dead = world->dead) != NULL) {
		world->dead = dead->next;
		free(dead);
	}
}

static void run_deferred(struct pl_loop *loop)
{
	size_t count = loop->deferred_count;

	for (size_t i = 0; i < count; i++) {
		struct deferred deferred = loop->deferred[i];

		deferred.call(deferred.owner);
	}
	if (count == 0)
		return;
	loop->deferred_count -= count;
	memmove(loop->deferred, loop->deferred + count,
		loop->deferred_count * sizeof *loop->deferred);
}

static bool has_work(const struct script *world)
{
	struct pl_loop *loop;

	LIST_FOREACH(loop, &world->loops, in_world)
		if (loop->deferred_count > 0)
			return true;
	return !TAILQ_EMPTY(&world->dirty);
}

bool world_turn(struct script *world, uint64_t until)
{
	struct happening *first = TAILQ_FIRST(&world->happenings), happening;
	bool due = first != NULL && first->when <= until;
	struct pl_loop *loop, *next;

	if (has_work(world))
		due = due && first->when <= world->now;
	else if (!due)
		return false;
	if (due) {
		happening = *first;
		world_remove(world, first);
		world->now = happening.when;
		world->happened++;
		happening.call(happening.owner, happening.number);
	}
	for (loop = LIST_FIRST(&world->loops); loop != NULL; loop = next) {
		next = LIST_NEXT(loop, in_world);
		run_deferred(loop);
	}
	conns_flush(world);
	sweep(world);
	return true;
}

/* ----- the world ----- */

static struct pl_loop *loop_new(struct script *world)
{
	struct pl_loop *loop = pl_calloc(1, sizeof *loop);
	unsigned n = world->loops_made++;

	loop->world = world;
	snprintf(loop->v4, sizeof loop->v4, "198.51.100.%u", n % 256);
	snprintf(loop->v6, sizeof loop->v6, "2001:db8:ffff:%x::1", n);
	LIST_INSERT_HEAD(&world->loops, loop, in_world);
	return loop;
}

struct script *script_new(uint64_t seed)
{
	struct script *world = pl_calloc(1, sizeof *world);

	world->seed = seed;
	world->trace = getenv("SCRIPT_TRACE") != NULL;
	world->next_port = 40000;
	TAILQ_INIT(&world->happenings);
	TAILQ_INIT(&world->dirty);
	script_set_time(world, time(NULL));
	world->own = loop_new(world);
	current = world;
	return world;
}

void script_free(struct script *world)
{
	struct link_entry *link;

	if (world == NULL)
		return;
	peers_free(world);
	names_free(world);
	pl_loop_free(world->own);
	assert(LIST_EMPTY(&world->loops)); /* free them before the world */
	while ((link = world->links) != NULL) {
		world->links = link->next;
		free(link);
	}
	while (!TAILQ_EMPTY(&world->happenings))
		world_remove(world, TAILQ_FIRST(&world->happenings));
	sweep(world);
	if (current == world)
		current = NULL;
	free(world);
}

uint64_t script_happened(const struct script *world)
{
	return world->happened;
}

uint64_t script_now(const struct script *world)
{
	return world->now;
}

void script_set_time(struct script *world, time_t now)
{
	world->wall_offset_us = (int64_t)now * 1000000 -
				(int64_t)world->now * 1000;
}

bool script_run_until(struct script *world, bool (*holds)(void *owner),
		      void *owner, uint64_t limit_ms)
{
	uint64_t until = world->now + limit_ms;

	while (holds == NULL || !holds(owner)) {
		if (world_turn(world, until))
			continue;
		world->now = until;
		return holds != NULL && holds(owner);
	}
	return true;
}

void script_run(struct script *world, uint64_t ms)
{
	script_run_until(world, NULL, NULL, ms);
}

struct once {
	void (*call)(void *owner);
	void *owner;
};

static void on_after(void *owner, size_t number)
{
	struct once once = *(struct once *)owner;

	free(owner);
	once.call(once.owner);
}

void script_after(struct script *world, uint64_t ms, void (*call)(void *owner),
		  void *owner)
{
	struct once *once = pl_calloc(1, sizeof *once);

	once->call = call;
	once->owner = owner;
	world_add(world, ms, on_after, once, 0);
}

void script_signal(struct script *world, int number)
{
	struct pl_loop *loop;
	struct watched *watched;

	LIST_FOREACH(loop, &world->loops, in_world)
		for (watched = loop->watched; watched != NULL;
		     watched = watched->next)
			if (watched->number == number)
				watched->call(watched->owner, number);
}

size_t script_connections(const struct script *world)
{
	struct pl_loop *loop;
	size_t count = 0;

	LIST_FOREACH(loop, &world->loops, in_world)
		count += loop->connections;
	return count;
}

void script_source(struct pl_loop *loop, const char *v4, const char *v6)
{
	snprintf(loop->v4, sizeof loop->v4, "%s", v4);
	if (v6 != NULL)
		snprintf(loop->v6, sizeof loop->v6, "%s", v6);
}

/* ----- net.h: loop, time, chance ----- */

struct pl_loop *pl_loop_new(struct pl_error *error)
{
	if (current == NULL) {
		pl_error_set(error, "script_new() comes before pl_loop_new()");
		return NULL;
	}
	return loop_new(current);
}

void pl_loop_free(struct pl_loop *loop)
{
	struct watched *watched;

	if (loop == NULL)
		return;
	conns_abort(loop->world, loop);
	while ((watched = loop->watched) != NULL) {
		loop->watched = watched->next;
		free(watched);
	}
	LIST_REMOVE(loop, in_world);
	sweep(loop->world);
	free(loop->deferred);
	free(loop);
}

void pl_loop_run(struct pl_loop *loop)
{
	while (!loop->stop && world_turn(loop->world, UINT64_MAX - 1))
		;
	loop->stop = false;
}

void pl_loop_stop(struct pl_loop *loop)
{
	loop->stop = true;
}

struct event_base *pl_loop_base(struct pl_loop *loop)
{
	return NULL;
}

size_t pl_loop_connections(const struct pl_loop *loop)
{
	return loop->connections;
}

/* Not from 0: whoever takes 0 for "never" is then found out by real use, not by
 * the first test. */
uint64_t pl_loop_now_ms(struct pl_loop *loop)
{
	return 1000000 + loop->world->now;
}

uint64_t pl_loop_now_us(struct pl_loop *loop)
{
	return pl_loop_now_ms(loop) * 1000;
}

struct timeval pl_loop_time(struct pl_loop *loop)
{
	int64_t us = loop->world->wall_offset_us +
		     (int64_t)loop->world->now * 1000;

	return (struct timeval){ .tv_sec = us / 1000000,
				 .tv_usec = us % 1000000 };
}

/* splitmix64, after Steele, Lea and Flood. */
static uint64_t next_random(struct script *world)
{
	uint64_t z = world->seed += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

void pl_loop_random(struct pl_loop *loop, void *out, size_t length)
{
	unsigned char *to = out;

	while (length > 0) {
		uint64_t drawn = next_random(loop->world);
		size_t n = length < sizeof drawn ? length : sizeof drawn;

		memcpy(to, &drawn, n);
		to += n;
		length -= n;
	}
}

void pl_loop_defer(struct pl_loop *loop, void (*call)(void *owner),
		   void *owner)
{
	if (loop->deferred_count == loop->deferred_room) {
		loop->deferred_room = 2 * loop->deferred_room + 8;
		loop->deferred = reallocarray(loop->deferred,
					      loop->deferred_room,
					      sizeof *loop->deferred);
		assert(loop->deferred != NULL);
	}
	loop->deferred[loop->deferred_count++] =
		(struct deferred){ .call = call, .owner = owner };
}

bool pl_loop_signal(struct pl_loop *loop, int number,
		    void (*call)(void *owner, int number), void *owner)
{
	struct watched *watched = pl_calloc(1, sizeof *watched);

	watched->call = call;
	watched->owner = owner;
	watched->number = number;
	watched->next = loop->watched;
	loop->watched = watched;
	return true;
}

/* ----- net.h: timers ----- */

struct pl_timer *pl_timer_new(struct pl_loop *loop, void (*call)(void *owner),
			      void *owner)
{
	struct pl_timer *timer = pl_calloc(1, sizeof *timer);

	timer->loop = loop;
	timer->call = call;
	timer->owner = owner;
	return timer;
}

static void on_timer(void *owner, size_t number)
{
	struct pl_timer *timer = owner;

	timer->due = NULL;
	timer->call(timer->owner);
}

void pl_timer_set(struct pl_timer *timer, uint64_t delay_ms)
{
	pl_timer_clear(timer);
	timer->due = world_add(timer->loop->world, delay_ms, on_timer, timer,
			       0);
}

void pl_timer_clear(struct pl_timer *timer)
{
	if (timer->due != NULL)
		world_remove(timer->loop->world, timer->due);
	timer->due = NULL;
}

void pl_timer_free(struct pl_timer *timer)
{
	if (timer == NULL)
		return;
	pl_timer_clear(timer);
	world_bury(timer->loop->world, &timer->dead);
}

/* ----- endpoints ----- */

bool endpoint_parse(const char *endpoint, struct pl_dns_address *out)
{
	struct sockaddr_in *v4 = (void *)&out->addr;
	struct sockaddr_in6 *v6 = (void *)&out->addr;
	char host[64];
	unsigned port;

	memset(out, 0, sizeof *out);
	if (sscanf(endpoint, "[%63[0-9a-fA-F:.]]:%u", host, &port) == 2) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		out->length = sizeof *v6;
		return inet_pton(AF_INET6, host, &v6->sin6_addr) == 1;
	}
	if (sscanf(endpoint, "%63[0-9.]:%u", host, &port) != 2)
		return false;
	v4->sin_family = AF_INET;
	v4->sin_port = htons((uint16_t)port);
	out->length = sizeof *v4;
	return inet_pton(AF_INET, host, &v4->sin_addr) == 1;
}

void endpoint_text(const struct sockaddr_storage *addr, char *out, size_t size)
{
	const struct sockaddr_in *v4 = (const void *)addr;
	const struct sockaddr_in6 *v6 = (const void *)addr;
	char host[INET6_ADDRSTRLEN] = "?";

	if (addr->ss_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
		snprintf(out, size, "%s:%u", host, ntohs(v4->sin_port));
	} else {
		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
		snprintf(out, size, "[%s]:%u", host, ntohs(v6->sin6_port));
	}
}
