/* The loop, its turns, time, chance and signals. */
#include "internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* A precise timer: with the coarse clock timers could end some milliseconds
 * before pl_loop_now_ms() says so. */
static struct event_base *make_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config == NULL)
		return NULL;
	if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK |
				  EVENT_BASE_FLAG_PRECISE_TIMER) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

struct pl_loop *pl_loop_new(struct pl_error *error)
{
	struct pl_loop *loop = calloc(1, sizeof *loop);

	if (loop == NULL) {
		pl_error_set(error, "no memory for the loop");
		return NULL;
	}
	loop->base = make_base();
	if (loop->base == NULL) {
		pl_error_set(error, "libevent cannot start");
		free(loop);
		return NULL;
	}
	LIST_INIT(&loop->conns);
	TAILQ_INIT(&loop->dirty);
	return loop;
}

void loop_bury(struct pl_loop *loop, struct dead *dead)
{
	dead->next = loop->dead;
	loop->dead = dead;
}

static void sweep(struct pl_loop *loop)
{
	struct dead *dead;

	while ((dead = loop->dead) != NULL) {
		loop->dead = dead->next;
		free(dead);
	}
}

void pl_loop_free(struct pl_loop *loop)
{
	struct watched_signal *watched;

	if (loop == NULL)
		return;
	/* Those that linger belong to nobody else. */
	while (!LIST_EMPTY(&loop->conns)) {
		LIST_FIRST(&loop->conns)->gone = NULL;
		pl_conn_abort(LIST_FIRST(&loop->conns));
	}
	while ((watched = loop->signals) != NULL) {
		loop->signals = watched->next;
		event_free(watched->event);
		free(watched);
	}
	sweep(loop);
	inherited_free(loop);
	free(loop->deferred);
	pl_wipe(loop->chance, sizeof loop->chance);
	event_base_free(loop->base);
	free(loop);
}

/* Calls what was deferred before now; what these calls defer has its turn
 * next. The array may move while a call adds to it. */
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

/* Callbacks may write to connections and drop them meanwhile: the list is taken
 * from the front, and no more often than it was long. */
static void flush_dirty(struct pl_loop *loop)
{
	size_t count = loop->dirty_count;

	while (count-- > 0 && !TAILQ_EMPTY(&loop->dirty))
		conn_flush(TAILQ_FIRST(&loop->dirty));
}

static bool has_work(const struct pl_loop *loop)
{
	return loop->deferred_count > 0 || loop->dirty_count > 0;
}

void pl_loop_run(struct pl_loop *loop)
{
	int result;

	while (!loop->stop) {
		result = event_base_loop(loop->base, EVLOOP_ONCE |
					 (has_work(loop) ? EVLOOP_NONBLOCK
							 : 0));
		assert(result >= 0);
		if (result == 1 && !has_work(loop))
			break; /* nothing is left that could happen */
		run_deferred(loop);
		flush_dirty(loop);
		sweep(loop);
	}
	loop->stop = false;
}

void pl_loop_stop(struct pl_loop *loop)
{
	loop->stop = true;
}

struct event_base *pl_loop_base(struct pl_loop *loop)
{
	return loop->base;
}

size_t pl_loop_connections(const struct pl_loop *loop)
{
	return loop->connections;
}

uint64_t pl_loop_now_us(struct pl_loop *loop)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t pl_loop_now_ms(struct pl_loop *loop)
{
	return pl_loop_now_us(loop) / 1000;
}

struct timeval pl_loop_time(struct pl_loop *loop)
{
	struct timeval now;

	gettimeofday(&now, NULL);
	return now;
}

/* Without chance there are no keys: nothing to go on with. */
static void draw(unsigned char *to, size_t length)
{
	while (length > 0) {
		ssize_t n = getrandom(to, length, 0);

		if (n < 0 && errno == EINTR)
			continue;
		assert(n > 0);
		to += n;
		length -= (size_t)n;
	}
}

/* Drawn in advance, for a stream asks several times; what was handed out is
 * forgotten. */
void pl_loop_random(struct pl_loop *loop, void *out, size_t length)
{
	unsigned char *next;

	if (length == 0 || length > sizeof loop->chance) {
		draw(out, length);
		return;
	}
	if (length > loop->chance_left) {
		draw(loop->chance, sizeof loop->chance);
		loop->chance_left = sizeof loop->chance;
	}
	next = loop->chance + sizeof loop->chance - loop->chance_left;
	memcpy(out, next, length);
	pl_wipe(next, length);
	loop->chance_left -= length;
}

void pl_loop_defer(struct pl_loop *loop, void (*call)(void *owner),
		   void *owner)
{
	if (loop->deferred_count == loop->deferred_room) {
		size_t room = loop->deferred_room == 0
				      ? 16 : 2 * loop->deferred_room;

		loop->deferred = reallocarray(loop->deferred, room,
					      sizeof *loop->deferred);
		assert(loop->deferred != NULL);
		loop->deferred_room = room;
	}
	loop->deferred[loop->deferred_count++] =
		(struct deferred){ .call = call, .owner = owner };
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	struct watched_signal *watched = arg;

	watched->call(watched->owner, watched->number);
}

/* libevent can watch signals in one loop of a process only; a second loop that
 * asks takes them over. */
bool pl_loop_signal(struct pl_loop *loop, int number,
		    void (*call)(void *owner, int number), void *owner)
{
	struct watched_signal *watched = calloc(1, sizeof *watched);

	if (watched == NULL)
		return false;
	watched->call = call;
	watched->owner = owner;
	watched->number = number;
	watched->event = evsignal_new(loop->base, number, on_signal, watched);
	if (watched->event == NULL || event_add(watched->event, NULL) != 0) {
		if (watched->event != NULL)
			event_free(watched->event);
		free(watched);
		return false;
	}
	watched->next = loop->signals;
	loop->signals = watched;
	return true;
}
