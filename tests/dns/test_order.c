/* RFC 2782's order, and the addresses that are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "internal.h"

/* Draws from a list, and notes what it was asked for. */
struct draws {
	unsigned values[8], totals[8];
	size_t count;
};

static unsigned drawn(void *owner, unsigned total)
{
	struct draws *draws = owner;

	draws->totals[draws->count] = total;
	return draws->values[draws->count++];
}

static void put(struct pl_dns_target *target, char name, unsigned priority,
		unsigned weight)
{
	memset(target, 0, sizeof *target);
	target->host[0] = name;
	target->priority = (unsigned short)priority;
	target->weight = (unsigned short)weight;
}

static void names(const struct pl_dns_target *targets, size_t count, char *out)
{
	for (size_t i = 0; i < count; i++)
		out[i] = targets[i].host[0];
	out[count] = '\0';
}

static void priorities_come_first(void **state)
{
	struct pl_dns_target targets[6];
	struct draws draws = { 0 };
	char order[8];

	put(&targets[0], 'f', 65535, 65535);
	put(&targets[1], 'c', 20, 0);
	put(&targets[2], 'a', 0, 1);
	put(&targets[3], 'd', 30, 65535);
	put(&targets[4], 'b', 10, 5);
	put(&targets[5], 'e', 256, 0);
	pl_dns_order(targets, 6, drawn, &draws);
	names(targets, 6, order);
	assert_string_equal(order, "abcdef");
	pl_dns_order(targets, 0, drawn, &draws);
	pl_dns_order(NULL, 0, drawn, &draws);
}

static void the_draw_decides_within_a_priority(void **state)
{
	struct pl_dns_target targets[4];
	/* a: sum 0 (weight 0 comes first), b: 10, c: 40, d: 100 */
	struct draws draws = { .values = { 41, 0, 11, 0 } };
	char order[8];

	put(&targets[0], 'b', 1, 10);
	put(&targets[1], 'c', 1, 30);
	put(&targets[2], 'd', 1, 60);
	put(&targets[3], 'a', 1, 0);
	pl_dns_order(targets, 4, drawn, &draws);
	names(targets, 4, order);
	assert_string_equal(order, "dacb");
	assert_int_equal(draws.totals[0], 100);
	assert_int_equal(draws.totals[1], 40);
	assert_int_equal(draws.totals[2], 40);
	assert_int_equal(draws.totals[3], 10);
}

static void the_largest_draw_takes_the_last(void **state)
{
	struct pl_dns_target targets[2];
	struct draws draws = { .values = { 2 * 65535 } };
	char order[8];

	put(&targets[0], 'a', 7, 65535);
	put(&targets[1], 'b', 7, 65535);
	pl_dns_order(targets, 2, drawn, &draws);
	names(targets, 2, order);
	assert_string_equal(order, "ba");
	assert_int_equal(draws.totals[0], 2 * 65535);
}

static void equals_without_weight_stay(void **state)
{
	struct pl_dns_target targets[3];
	char order[8];

	put(&targets[0], 'a', 7, 0);
	put(&targets[1], 'b', 7, 0);
	put(&targets[2], 'c', 7, 0);
	pl_dns_order(targets, 3, draw_random, NULL);
	names(targets, 3, order);
	assert_string_equal(order, "abc");
}

/* First places over many draws: within 5 standard deviations of what RFC 2782's
 * inclusive draw gives (weight w of 101 outcomes, 0 has one). */
static void shares_follow_weights(void **state)
{
	enum { ROUNDS = 20000 };
	struct pl_dns_target targets[4];
	int first[256] = { 0 };

	for (int i = 0; i < ROUNDS; i++) {
		put(&targets[0], 'a', 1, 10);
		put(&targets[1], 'b', 1, 30);
		put(&targets[2], 'c', 1, 60);
		put(&targets[3], 'z', 1, 0);
		pl_dns_order(targets, 4, draw_random, NULL);
		first[(unsigned char)targets[0].host[0]]++;
	}
	assert_in_range(first['z'], 128, 268);   /* 198, s = 14 */
	assert_in_range(first['a'], 1769, 2191); /* 1980, s = 42 */
	assert_in_range(first['b'], 5616, 6265); /* 5941, s = 65 */
	assert_in_range(first['c'], 11534, 12228); /* 11881, s = 69 */
}

static void random_draws_reach_both_ends(void **state)
{
	int seen[4] = { 0 };

	for (int i = 0; i < 1000; i++) {
		unsigned n = draw_random(NULL, 3);

		assert_in_range(n, 0, 3);
		seen[n]++;
	}
	for (int i = 0; i < 4; i++)
		assert_in_range(seen[i], 180, 320);
	assert_int_equal(draw_random(NULL, 0), 0);
}

/* ----- addresses ----- */

static void forbidden_addresses(void **state)
{
	static const struct {
		const char *text;
		bool forbidden;
	} table[] = {
		{ "127.0.0.1", true },	      { "127.255.255.254", true },
		{ "126.255.255.255", false }, { "128.0.0.1", false },
		{ "0.0.0.0", true },	      { "0.1.2.3", true },
		{ "169.254.169.254", true },  { "169.253.0.1", false },
		{ "169.255.0.1", false },     { "224.0.0.1", true },
		{ "239.1.1.1", true },	      { "255.255.255.255", true },
		{ "223.255.255.255", false }, { "10.0.0.1", false },
		{ "192.168.1.1", false },     { "::", true },
		{ "::1", true },	      { "fe80::1", true },
		{ "febf::1", true },	      { "fec0::1", false },
		{ "ff02::1", true },	      { "2001:db8::1", false },
		{ "fd00::1", false },	      { "::ffff:127.0.0.1", true },
		{ "::ffff:192.0.2.1", false }, { "::127.0.0.1", true },
		{ "64:ff9b::127.0.0.1", true }, { "64:ff9b::192.0.2.1", false },
		{ "64:ff9b:1::127.0.0.1", false },
		{ "[::1]", true },
	};
	struct address address;

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		assert_true(address_parse(table[i].text, &address));
		if (address_is_forbidden(&address) != table[i].forbidden)
			fail_msg("%s", table[i].text);
	}
	assert_false(address_parse("", &address));
	assert_false(address_parse("[]", &address));
	assert_false(address_parse("[::1", &address));
	assert_false(address_parse("1.2.3", &address));
	assert_false(address_parse("a.example", &address));
	assert_false(address_parse("fe80::1%lo", &address));
	assert_false(address_parse("1111111111111111111111111111111111111111111"
				   "1111111", &address));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(priorities_come_first),
		cmocka_unit_test(the_draw_decides_within_a_priority),
		cmocka_unit_test(the_largest_draw_takes_the_last),
		cmocka_unit_test(equals_without_weight_stay),
		cmocka_unit_test(shares_follow_weights),
		cmocka_unit_test(random_draws_reach_both_ends),
		cmocka_unit_test(forbidden_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
