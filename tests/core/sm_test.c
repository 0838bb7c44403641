/* The counters of stream management: what acknowledges what, and where they
 * wrap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "parley/sm.h"

static uint32_t sent(struct pl_sm *sm, int n)
{
	uint32_t asks = 0;

	while (n-- > 0)
		if (pl_sm_sent(sm)) {
			pl_sm_ask(sm);
			asks++;
		}
	return asks;
}

static void asks_after_sixteen(void **state)
{
	struct pl_sm sm = { 0 };

	(void)state;
	assert_int_equal(sent(&sm, 15), 0);
	assert_true(pl_sm_unasked(&sm));
	assert_int_equal(sent(&sm, 1), 1);
	assert_false(pl_sm_unasked(&sm));
	assert_int_equal(sent(&sm, 35), 2);
	assert_int_equal(pl_sm_unacked(&sm), 51);
}

static void acknowledges_in_steps(void **state)
{
	struct pl_sm sm = { 0 };
	uint32_t count;

	(void)state;
	sent(&sm, 10);
	assert_true(pl_sm_acked(&sm, 4, &count));
	assert_int_equal(count, 4);
	assert_true(pl_sm_acked(&sm, 4, &count));
	assert_int_equal(count, 0);
	assert_true(pl_sm_acked(&sm, 10, &count));
	assert_int_equal(count, 6);
	/* neither more than was sent, nor less than before */
	assert_false(pl_sm_acked(&sm, 11, &count));
	assert_false(pl_sm_acked(&sm, 9, &count));
	assert_false(pl_sm_acked(&sm, UINT32_MAX, &count));
	assert_int_equal(sm.acked, 10);
	assert_false(pl_sm_unasked(&sm)); /* unasked, and yet told */
}

static void wraps(void **state)
{
	struct pl_sm sm = { .sent = UINT32_MAX - 2, .acked = UINT32_MAX - 2,
			    .asked = UINT32_MAX - 2,
			    .handled = UINT32_MAX };
	uint32_t count;

	(void)state;
	assert_int_equal(sent(&sm, 16), 1);
	assert_int_equal(sm.sent, 13);
	assert_true(pl_sm_acked(&sm, UINT32_MAX, &count));
	assert_int_equal(count, 2);
	assert_true(pl_sm_acked(&sm, 0, &count));
	assert_int_equal(count, 1);
	assert_true(pl_sm_acked(&sm, 13, &count));
	assert_int_equal(count, 13);
	assert_false(pl_sm_acked(&sm, 14, &count));
	assert_false(pl_sm_acked(&sm, UINT32_MAX, &count));
	pl_sm_handled(&sm);
	assert_int_equal(sm.handled, 0);
}

static void what_is_left_counts_anew(void **state)
{
	struct pl_sm sm = { 0 };
	uint32_t count;

	(void)state;
	sent(&sm, 20);
	assert_true(pl_sm_acked(&sm, 12, &count));
	pl_sm_resumed(&sm);
	assert_int_equal(pl_sm_unacked(&sm), 0);
	assert_false(pl_sm_acked(&sm, 13, &count));
	assert_int_equal(sent(&sm, 8), 0);
	assert_true(pl_sm_acked(&sm, 20, &count));
	assert_int_equal(count, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_after_sixteen),
		cmocka_unit_test(acknowledges_in_steps),
		cmocka_unit_test(wraps),
		cmocka_unit_test(what_is_left_counts_anew),
	};

	return cmocka_run_group_tests_name("sm", tests, NULL, NULL);
}
