/* The loop: turns, timers, what is deferred, signals, chance. */
#include "bench.h"

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct notes {
	struct bench *bench;
	char text[64];
	struct pl_timer *timer;
	int depth;
};

static void note_a(void *owner)
{
	strcat(((struct notes *)owner)->text, "a");
}

static void note_b(void *owner)
{
	strcat(((struct notes *)owner)->text, "b");
}

static void note_and_defer(void *owner)
{
	struct notes *notes = owner;

	strcat(notes->text, "d");
	pl_loop_defer(notes->bench->loop, note_b, notes);
	assert_null(strchr(notes->text, 'b'));
}

static void deferred_calls_keep_their_order(void **state)
{
	struct notes notes = { .bench = *state };

	pl_loop_defer(notes.bench->loop, note_and_defer, &notes);
	pl_loop_defer(notes.bench->loop, note_a, &notes);
	assert_string_equal(notes.text, "");
	bench_run(notes.bench, 10);
	assert_string_equal(notes.text, "dab");
}

static void defer_for_ever(void *owner)
{
	struct notes *notes = owner;

	if (++notes->depth < 100000)
		pl_loop_defer(notes->bench->loop, defer_for_ever, notes);
}

/* Who defers from what was deferred does not keep timers from running. */
static void deferring_starves_nobody(void **state)
{
	struct notes notes = { .bench = *state };

	notes.depth = -1000000000; /* as good as for ever */
	pl_loop_defer(notes.bench->loop, defer_for_ever, &notes);
	bench_run(notes.bench, 20);
	notes.depth = 100000;
	bench_run(notes.bench, 20);
}

static void count_one(void *owner)
{
	((struct notes *)owner)->depth++;
}

static void many_are_deferred(void **state)
{
	struct notes notes = { .bench = *state };

	for (int i = 0; i < 1000; i++)
		pl_loop_defer(notes.bench->loop, count_one, &notes);
	bench_run(notes.bench, 10);
	assert_int_equal(notes.depth, 1000);
}

/* ----- timers ----- */

static void timers_run_in_order(void **state)
{
	struct bench *bench = *state;
	struct notes notes = { .bench = bench };
	struct pl_timer *a = pl_timer_new(bench->loop, note_a, &notes);
	struct pl_timer *b = pl_timer_new(bench->loop, note_b, &notes);
	uint64_t before;

	pl_timer_set(a, 30);
	pl_timer_set(b, 10);
	bench_run(bench, 60);
	assert_string_equal(notes.text, "ba");
	pl_timer_set(a, 10);
	pl_timer_set(a, 100000000); /* moves */
	pl_timer_set(b, 10);
	pl_timer_clear(b);
	bench_run(bench, 40);
	assert_string_equal(notes.text, "ba");
	before = pl_loop_now_ms(bench->loop);
	bench_run(bench, 25);
	assert_true(pl_loop_now_ms(bench->loop) - before >= 25);
	pl_timer_set(a, UINT64_MAX);
	bench_run(bench, 10);
	assert_string_equal(notes.text, "ba");
	pl_timer_free(a);
	pl_timer_free(b);
	pl_timer_free(NULL);
}

static void free_own_timer(void *owner)
{
	struct notes *notes = owner;

	pl_timer_free(notes->timer);
	pl_timer_set(notes->bench->limit, 5);
	strcat(notes->text, "f");
}

static void a_timer_frees_itself(void **state)
{
	struct notes notes = { .bench = *state };

	notes.timer = pl_timer_new(notes.bench->loop, free_own_timer, &notes);
	pl_timer_set(notes.timer, 0);
	bench_run(notes.bench, 1000);
	assert_string_equal(notes.text, "f");
}

static void set_again(void *owner)
{
	struct notes *notes = owner;

	notes->depth++;
	pl_timer_set(notes->timer, 0);
}

/* A timer of 0 ms that sets itself again leaves room for others. */
static void a_busy_timer_starves_nobody(void **state)
{
	struct notes notes = { .bench = *state };

	notes.timer = pl_timer_new(notes.bench->loop, set_again, &notes);
	pl_timer_set(notes.timer, 0);
	bench_run(notes.bench, 20);
	assert_true(notes.depth > 10);
	pl_timer_free(notes.timer);
}

/* ----- the rest ----- */

static void stopping_before_running(void **state)
{
	struct bench *bench = *state;
	uint64_t before = now_ms();

	pl_timer_set(bench->limit, 3000);
	pl_loop_stop(bench->loop);
	pl_loop_run(bench->loop);
	assert_true(now_ms() - before < 1000);
	pl_timer_clear(bench->limit);
}

static void an_empty_loop_returns(void **state)
{
	struct pl_loop *loop = pl_loop_new(NULL);

	pl_loop_run(loop);
	pl_loop_free(loop);
	pl_loop_free(NULL);
}

static void on_signal(void *owner, int number)
{
	struct notes *notes = owner;

	assert_int_equal(number, SIGUSR1);
	strcat(notes->text, "s");
}

static void a_signal_comes_in_the_loop(void **state)
{
	struct notes notes = { .bench = *state };

	assert_true(pl_loop_signal(notes.bench->loop, SIGUSR1, on_signal,
				   &notes));
	assert_false(pl_loop_signal(notes.bench->loop, 1000, on_signal,
				    &notes));
	kill(getpid(), SIGUSR1);
	assert_string_equal(notes.text, "");
	bench_run(notes.bench, 20);
	assert_string_equal(notes.text, "s");
}

static void chance_is_not_repeated(void **state)
{
	struct bench *bench = *state;
	unsigned char one[300] = { 0 }, two[300] = { 0 };
	int zeros = 0;

	pl_loop_random(bench->loop, one, sizeof one);
	pl_loop_random(bench->loop, two, sizeof two);
	assert_memory_not_equal(one, two, sizeof one);
	for (size_t i = 0; i < sizeof one; i++)
		zeros += one[i] == 0;
	assert_true(zeros < 20);
	pl_loop_random(bench->loop, NULL, 0);
}

static void the_wall_clock_is_the_systems(void **state)
{
	struct bench *bench = *state;

	assert_in_range(pl_loop_time(bench->loop).tv_sec, time(NULL) - 2,
			time(NULL) + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH(deferred_calls_keep_their_order),
		BENCH(deferring_starves_nobody),
		BENCH(many_are_deferred),
		BENCH(timers_run_in_order),
		BENCH(a_timer_frees_itself),
		BENCH(a_busy_timer_starves_nobody),
		BENCH(stopping_before_running),
		BENCH(an_empty_loop_returns),
		BENCH(a_signal_comes_in_the_loop),
		BENCH(chance_is_not_repeated),
		BENCH(the_wall_clock_is_the_systems),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
