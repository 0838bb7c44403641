/* Memory of records: reused, given back, and never while somebody holds it; and
 * when the tracer wants its tick. */
#include "scene.h"

#include "../../src/trace/internal.h"

enum { MANY = 200, SLAB = 64 };

struct held {
	unsigned char *memory;
	struct slab *home;
};

static void take(struct pool *pool, struct held *held, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		held[i].memory = pool_get(pool, POOL_BLOCK, &held[i].home);
		assert_non_null(held[i].memory);
		assert_non_null(held[i].home);
		memset(held[i].memory, (int)i, POOL_BLOCK);
	}
}

static void put(struct pool *pool, const struct held *held)
{
	pool_put(pool, held->home, held->memory, POOL_BLOCK);
}

static void assert_intact(const struct held *held, size_t number)
{
	for (size_t i = 0; i < POOL_BLOCK; i++)
		assert_int_equal(held->memory[i], (unsigned char)number);
}

/* The first call only sees that something was taken. */
static void rest(struct pool *pool)
{
	pool_rest(pool);
	assert_false(pool_rest(pool));
}

static void all_goes_back(void **state)
{
	struct held held[MANY];
	struct pool pool;

	(void)state;
	pool_init(&pool);
	take(&pool, held, MANY);
	for (size_t i = 0; i < MANY; i++)
		assert_intact(&held[i], i);
	assert_int_equal(pool.slabs, (MANY + SLAB - 1) / SLAB);
	for (size_t i = 0; i < MANY; i++)
		put(&pool, &held[i]);
	assert_int_equal(pool.slack, MANY);
	assert_true(pool_rest(&pool)); /* it may be wanted again at once */
	assert_int_equal(pool.slack, MANY);
	assert_false(pool_rest(&pool));
	assert_int_equal(pool.slabs, 0);
	assert_int_equal(pool.slack, 0);
	pool_finish(&pool);
}

/* Every third stays: nobody touches it, what was given back is clean. */
static void what_is_held_stays(void **state)
{
	struct held held[MANY], again[MANY];
	struct pool pool;
	size_t count = 0;

	(void)state;
	pool_init(&pool);
	take(&pool, held, MANY);
	for (size_t i = 0; i < MANY; i++)
		if (i % 3 != 0)
			put(&pool, &held[i]);
	rest(&pool);
	assert_int_equal(pool.slack, 0);
	assert_int_equal(pool.slabs, (MANY + SLAB - 1) / SLAB);
	for (size_t i = 0; i < MANY; i += 3)
		assert_intact(&held[i], i);
	for (; count < MANY * 2 / 3; count++) {
		again[count].memory = pool_get(&pool, 1, &again[count].home);
		assert_non_null(again[count].memory);
		assert_int_equal(again[count].memory[POOL_BLOCK - 1], 0);
		memset(again[count].memory, 0xff, POOL_BLOCK);
	}
	assert_int_equal(pool.slabs, (MANY + SLAB - 1) / SLAB);
	for (size_t i = 0; i < MANY; i += 3) {
		assert_intact(&held[i], i);
		put(&pool, &held[i]);
	}
	while (count > 0)
		put(&pool, &again[--count]);
	rest(&pool);
	assert_int_equal(pool.slabs, 0);
	pool_finish(&pool);
}

/* In use all the time it grows no further, and keeps its pages. */
static void what_is_free_is_used_again(void **state)
{
	struct held held[8];
	struct pool pool;

	(void)state;
	pool_init(&pool);
	for (int turn = 0; turn < 1000; turn++) {
		take(&pool, held, 8);
		for (size_t i = 0; i < 8; i++)
			put(&pool, &held[i]);
		pool_rest(&pool);
		assert_int_equal(pool.slabs, 1);
		assert_int_equal(pool.slack, 8);
	}
	rest(&pool);
	pool_finish(&pool);
}

static void large_ones_stand_alone(void **state)
{
	static const size_t sizes[] = { POOL_BLOCK + 1, 2 * POOL_BLOCK,
					100 * POOL_BLOCK + 17 };
	struct slab *home;
	struct pool pool;
	void *memory;

	(void)state;
	pool_init(&pool);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		memory = pool_get(&pool, sizes[i], &home);
		assert_non_null(memory);
		assert_null(home);
		memset(memory, 1, sizes[i]);
		pool_put(&pool, home, memory, sizes[i]);
	}
	assert_int_equal(pool.slabs, 0);
	pool_finish(&pool);
}

/* ----- the tick ----- */

static unsigned stirs;

static void on_stir(void *owner)
{
	(void)owner;
	stirs++;
}

/* Records of all sizes, larger than a block too. */
static void say_much(struct pl_traced *connection)
{
	char raw[PL_TRACE_RAW_BYTES];

	memset(raw, 'x', sizeof raw);
	for (size_t length = 1; length < sizeof raw; length *= 3) {
		raw[length] = '\0';
		scene_say(connection, PL_DIR_IN, PL_STAGE_STREAM, "header",
			  raw);
		raw[length] = 'x';
	}
}

static void negotiate(struct scene *scene)
{
	struct pl_outcome outcome = scene_outcome("a.test", "b.test",
						  PL_CODE_NONE);
	struct pl_trace *trace;
	struct pl_traced *connection;

	outcome.method = PL_METHOD_SASL_OVER_TLS;
	connection = scene_dial(scene, "a.test", "b.test", &trace);
	say_much(connection);
	pl_trace_outcome(connection, &outcome);
	pl_trace_leave(connection);
	pl_trace_unref(trace);
}

static bool show(void *owner, const struct pl_trace_kept *kept)
{
	struct pl_report report = { 0 };

	scene_read(&report, kept->lines, kept->length);
	pl_report_finish(&report);
	++*(unsigned *)owner;
	return true;
}

/* One call for the tick, however much there is; then none until something new
 * is due. Memory is down to what the ring keeps. */
static void ticks_only_when_due(void **state)
{
	struct pool *pool;
	struct scene scene;
	unsigned shown = 0, ticks = 0, kept;

	(void)state;
	scene_begin(&scene, WITH_RINGS, PL_RAW_NEGOTIATION);
	scene.tracer->events.on_stir = on_stir;
	stirs = 0;
	pool = &scene.tracer->pool;
	kept = scene.tracer->recent.size;
	for (unsigned i = 0; i < 20 * kept; i++)
		negotiate(&scene);
	assert_int_equal(stirs, 1);
	for (; pl_tracer_tick(scene.tracer); ticks++)
		scene.now_us += 500000;
	assert_in_range(ticks, 1, 8);
	assert_int_equal(pool->slack, 0);
	assert_in_range(pool->slabs, 1, 2 + kept * 16 / SLAB);
	pl_tracer_recent(scene.tracer, NULL, show, &shown);
	assert_int_equal(shown, kept);
	assert_false(pl_tracer_tick(scene.tracer));
	assert_int_equal(stirs, 1);
	negotiate(&scene);
	assert_int_equal(stirs, 2);
	scene_end(&scene);
}

/* A stream that lives on does not keep the tick going. */
static void a_quiet_connection_is_left_alone(void **state)
{
	struct pl_outcome outcome = scene_outcome("a.test", "b.test",
						  PL_CODE_NONE);
	struct scene scene;
	struct pl_trace *trace;
	struct pl_traced *connection;
	unsigned ticks = 0;

	(void)state;
	scene_begin(&scene, WITH_FILES | WITH_RINGS, PL_RAW_NEGOTIATION);
	scene.tracer->events.on_stir = on_stir;
	stirs = 0;
	connection = scene_dial(&scene, "a.test", "b.test", &trace);
	scene_say(connection, PL_DIR_OUT, PL_STAGE_STREAM, "header", "<a>");
	assert_int_equal(stirs, 1);
	assert_false(pl_tracer_tick(scene.tracer)); /* written */
	outcome.method = PL_METHOD_SASL_OVER_TLS;
	pl_trace_outcome(connection, &outcome);
	assert_int_equal(stirs, 2);
	for (; pl_tracer_tick(scene.tracer); ticks++)
		scene.now_us += 500000;
	assert_in_range(ticks, 1, 8);
	assert_int_equal(scene_files(&scene, ".jsonl"), 1);
	assert_int_equal(scene.ended, 0);
	scene_say(connection, PL_DIR_OUT, PL_STAGE_STREAM, "closed", NULL);
	assert_int_equal(stirs, 3);
	pl_trace_leave(connection);
	pl_trace_unref(trace);
	assert_int_equal(scene.ended, 1);
	scene_end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_goes_back),
		cmocka_unit_test(what_is_held_stays),
		cmocka_unit_test(what_is_free_is_used_again),
		cmocka_unit_test(large_ones_stand_alone),
		cmocka_unit_test(ticks_only_when_due),
		cmocka_unit_test(a_quiet_connection_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
