/* Every field of the machines' structs stands in a trace and comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "parley/steps.h"

/* The size of each struct, and the bytes of it that no field covers: padding,
 * and the actions of a step with their count. A new member that nobody put
 * into the table of fields makes a difference here. */
static const struct {
	size_t size, uncovered;
} structs[PL_PARTS] = {
	[PL_PART_TERMS] = { sizeof(struct pl_terms), 0 },
	[PL_PART_STREAM_STATE] = { sizeof(struct pl_stream_state), 0 },
	[PL_PART_STREAM_EVENT] = { sizeof(struct pl_stream_event), 2 + 2 + 1 },
	[PL_PART_PAIR_STATE] = { sizeof(struct pl_pair_state), 0 },
	[PL_PART_PAIR_EVENT] = { sizeof(struct pl_pair_event), 3 },
	[PL_PART_STEP] = { sizeof(struct pl_step), 1 + PL_STEP_ACTIONS },
};

static void no_member_is_forgotten(void **state)
{
	(void)state;
	for (int part = 0; part < PL_PARTS; part++) {
		unsigned char covered[256] = { 0 };
		size_t count, left = 0;
		const struct pl_step_field *f =
			pl_step_fields((enum pl_step_part)part, &count);

		assert_true(structs[part].size <= sizeof covered);
		for (size_t i = 0; i < count; i++) {
			assert_true(f[i].size == 1 || f[i].size == 4);
			for (size_t b = 0; b < f[i].size; b++) {
				assert_true(f[i].offset + b <
					    structs[part].size);
				assert_int_equal(covered[f[i].offset + b]++,
						 0);
			}
			assert_ptr_equal(pl_step_field((enum pl_step_part)part,
						       f[i].key), &f[i]);
		}
		for (size_t b = 0; b < structs[part].size; b++)
			left += covered[b] == 0;
		assert_int_equal(left, structs[part].uncovered);
	}
}

static void every_value_comes_back(void **state)
{
	(void)state;
	for (int part = 0; part < PL_PARTS; part++) {
		unsigned char thing[256] = { 0 };
		size_t count;
		const struct pl_step_field *f =
			pl_step_fields((enum pl_step_part)part, &count);

		for (size_t i = 0; i < count; i++) {
			unsigned most = f[i].is_bool ? 1
				      : f[i].name ? f[i].count - 1 : 63;

			for (unsigned v = 0; v <= most; v++) {
				unsigned back = 99;

				assert_true(pl_step_set(&f[i], thing, v));
				assert_int_equal(pl_step_get(&f[i], thing), v);
				if (f[i].name == NULL)
					continue;
				assert_string_not_equal(f[i].name(v),
							"unknown");
				assert_true(pl_step_parse(&f[i], f[i].name(v),
							  &back));
				assert_int_equal(back, v);
			}
		}
	}
}

static void what_does_not_fit_is_refused(void **state)
{
	const struct pl_step_field *code =
		pl_step_field(PL_PART_STREAM_STATE, "code");
	const struct pl_step_field *flag =
		pl_step_field(PL_PART_STREAM_STATE, "encrypted");
	const struct pl_step_field *number =
		pl_step_field(PL_PART_STREAM_STATE, "offered");
	struct pl_stream_state thing = { 0 };
	unsigned value = 7;

	(void)state;
	assert_false(pl_step_set(code, &thing, PL_CODES));
	assert_false(pl_step_set(flag, &thing, 2));
	assert_false(pl_step_set(number, &thing, 256));
	assert_int_equal(thing.code, 0);
	assert_false(pl_step_parse(code, "no-such-code", &value));
	assert_false(pl_step_parse(flag, "true", &value));
	assert_int_equal(value, 7);
	assert_null(pl_step_field(PL_PART_STREAM_STATE, "phases"));
}

static void every_action_has_its_name(void **state)
{
	unsigned action;

	(void)state;
	for (unsigned i = 0; i <= PL_DO_UNSOLICITED; i++) {
		if (i > PL_DO_ABORT && i < PL_DO_SEND_RESULT)
			continue;
		assert_true(pl_step_action(pl_action_name(i), &action));
		assert_int_equal(action, i);
	}
	assert_false(pl_step_action("unknown", &action));
	assert_false(pl_step_action("dance", &action));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_member_is_forgotten),
		cmocka_unit_test(every_value_comes_back),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(every_action_has_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
