/*
 * The wall clock jumps, by years and both ways: it only dates the lines of the
 * log. Deadlines, pauses and idle times go by the clock that never jumps.
 */
#include "server.h"

#include <time.h>

static const char alpha[] = "alpha.example", beta[] = "beta.example";

enum { WHOLE = 60000, STAGE = WHOLE / 3 };

/* 2001, 2022 and 2037 */
static const time_t long_ago = 1000000000, then = 1650000000,
		    far_ahead = 2140000000;

static struct server a, b;
static struct ping result;

static int begin(void **state)
{
	world_begin(state);
	script_set_time(script, then);
	server_start(&a, alpha, "192.0.2.1:5269", "valid");
	server_rule(&a, beta, 17);
	return 0;
}

static void beta_is_whole(void)
{
	server_start(&b, beta, "192.0.2.2:5269", "valid");
	server_rule(&b, alpha, 17);
}

static bool told(void *owner)
{
	return ((struct ping *)owner)->done;
}

/* A deadline is neither hastened nor put off, and `ms` says how long it was. */
static void deadline_after_jump(time_t to, const char *year)
{
	struct script_server *listener =
		script_listen(script, "192.0.2.2:5269");
	struct peer peer;

	script_dns_target(script, beta, "192.0.2.2:5269", false);
	ping_start(&a, alpha, beta, 100000, &result);
	peer_accept(&peer, listener);
	assert_true(peer_expect(&peer, "<stream:stream"));
	script_set_time(script, to);
	script_run(script, STAGE - 1000);
	assert_false(result.done);
	assert_true(script_run_until(script, told, &result, 2000));
	assert_in_range(result.ms, STAGE, STAGE + 300);
	assert_int_equal(result.code, PL_CODE_HEADER_TIMEOUT);
	assert_int_equal(logged(&a, "code=header-timeout", year, "ms=200",
				NULL), 1);
	peer_free(&peer);
}

static void test_ahead_in_negotiation(void **state)
{
	(void)state;
	deadline_after_jump(far_ahead, "2037-");
}

static void test_back_in_negotiation(void **state)
{
	(void)state;
	deadline_after_jump(long_ago, "2001-");
}

/* Open streams stay, and are as idle as they were. */
static void test_open_streams(void **state)
{
	static const time_t jumps[] = { far_ahead, long_ago, then };
	size_t streams;

	(void)state;
	beta_is_whole();
	assert_true(ping(&a, alpha, beta, 5000, &result));
	streams = pl_router_streams(a.router);
	for (size_t i = 0; i < 3; i++) {
		script_set_time(script, jumps[i]);
		script_run(script, 5000);
		assert_int_equal(pl_router_streams(a.router), streams);
		assert_true(ping(&a, alpha, beta, 5000, &result));
	}
	assert_int_equal(outcomes_of(&a), 2); /* of the first ping */
	script_set_time(script, far_ahead);
	script_run(script, a.world.limits.idle_ms - 5000);
	assert_int_equal(pl_router_streams(a.router), streams);
	script_run(script, 10000);
	assert_int_equal(pl_router_streams(a.router), 0);
}

/* The pause behind a failure is over when its time is, also when the clock was
 * put back meanwhile. */
static void test_pause(void **state)
{
	const struct script_link refused = { .reach = SCRIPT_REFUSED };
	const struct script_link open = { .reach = SCRIPT_OPEN };

	(void)state;
	beta_is_whole();
	script_link(script, "192.0.2.2:5269", &refused);
	assert_false(ping(&a, alpha, beta, 5000, &result));
	script_set_time(script, long_ago);
	script_link(script, "192.0.2.2:5269", &open);
	script_run(script, 6000);
	assert_true(ping(&b, beta, alpha, 5000, &result));
	assert_true(ping(&a, alpha, beta, 5000, &result));
}

/* Keys that went out before are good afterwards (XEP-0185 knows no time). */
static void test_key_across_jump(void **state)
{
	struct ping other;

	(void)state;
	beta_is_whole();
	ping_start(&a, alpha, beta, 8000, &result);
	ping_start(&b, beta, alpha, 8000, &other);
	for (int i = 0; i < 40 && !(result.done && other.done); i++) {
		script_set_time(script, i % 2 ? far_ahead : long_ago);
		script_run(script, 1);
	}
	script_run(script, 8000);
	assert_true(result.answered && other.answered);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, begin, world_end)
	const struct CMUnitTest tests[] = {
		T(ahead_in_negotiation), T(back_in_negotiation),
		T(open_streams), T(pause), T(key_across_jump),
	};

	return cmocka_run_group_tests_name("clock", tests, suite_begin,
					   suite_end);
}
