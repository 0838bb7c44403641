/*
 * Each valid row against each: two whole daemons, real TLS, SASL, XML and
 * dialback. The pair ends in the best method that both rows allow, or fails on
 * both sides with a code, and quickly.
 */
#include "server.h"

static const char alpha[] = "alpha.example", beta[] = "beta.example";

static struct server a, b;

static enum pl_method best_common(int one, int other)
{
	struct pl_policy p = pl_policy_of_row(one), q = pl_policy_of_row(other);
	enum pl_method best = PL_METHOD_NONE;

	for (int method = PL_METHOD_TCP_DIALBACK;
	     method <= PL_METHOD_SASL_OVER_TLS; method++)
		if (pl_policy_allows(&p, (enum pl_method)method) &&
		    pl_policy_allows(&q, (enum pl_method)method))
			best = (enum pl_method)method;
	return best;
}

static bool valid(int row)
{
	struct pl_policy policy = pl_policy_of_row(row);

	return pl_policy_valid(&policy);
}

static void start(int row_a, int row_b, const char *variant, size_t chunk)
{
	struct script_link link = { .latency_ms = 2, .chunk = chunk };

	world_begin(NULL);
	script_link(script, NULL, &link);
	server_start(&a, alpha, "192.0.2.1:5269", variant);
	server_start(&b, beta, "192.0.2.2:5269", variant);
	server_rule(&a, beta, row_a);
	server_rule(&b, alpha, row_b);
}

static bool complain(const char *what, int row_a, int row_b)
{
	print_error("# row %d to row %d: %s\n", row_a, row_b, what);
	show_log(&a);
	show_log(&b);
	return false;
}

/* One direction: from x to y. */
static bool same(struct server *x, const char *local, struct server *y,
		 const char *remote, enum pl_method method)
{
	struct seen out, in;

	outcomes(x, false, local, remote, &out);
	outcomes(y, true, remote, local, &in);
	return out.count == 1 && in.count == 1 &&
	       strcmp(out.method, pl_method_name(method)) == 0 &&
	       strcmp(in.method, pl_method_name(method)) == 0;
}

static bool none(struct server *x, bool incoming, const char *local,
		 const char *remote)
{
	struct seen seen;

	return outcomes(x, incoming, local, remote, &seen) == 0;
}

static bool failed_well(void)
{
	struct seen out, in;

	return same(&a, alpha, &b, beta, PL_METHOD_NONE) &&
	       outcomes(&a, false, alpha, beta, &out) && out.code[0] &&
	       outcomes(&b, true, beta, alpha, &in) && in.code[0] &&
	       none(&b, false, beta, alpha) && none(&a, true, alpha, beta);
}

static bool try_rows(int row_a, int row_b, enum pl_method method,
		     const char *variant, size_t chunk)
{
	struct ping result;
	bool good = true;

	start(row_a, row_b, variant, chunk);
	ping(&a, alpha, beta, 20000, &result);
	if (result.answered != (method != PL_METHOD_NONE))
		good = complain("answered, or not", row_a, row_b);
	else if (result.ms >= 6000)
		good = complain("too slow", row_a, row_b);
	script_run(script, 10000);
	if (!good)
		;
	else if (method == PL_METHOD_NONE)
		good = failed_well() || complain("failure", row_a, row_b);
	else if (!same(&a, alpha, &b, beta, method) ||
		 !same(&b, beta, &a, alpha, method))
		good = complain("method", row_a, row_b);
	world_end(NULL);
	return good;
}

/* An oracle that knows no machine: the rows' common methods alone. */
static void test_good_certificates(void **state)
{
	unsigned bad = 0, tried = 0;

	(void)state;
	for (int i = 1; i <= PL_POLICY_ROWS; i++)
		for (int j = 1; j <= PL_POLICY_ROWS; j++) {
			if (!valid(i) || !valid(j))
				continue;
			tried++;
			bad += !try_rows(i, j, best_common(i, j), "valid", 0);
		}
	assert_int_equal(tried, 169);
	assert_int_equal(bad, 0);
}

static void side_of(struct pl_rehearsal_side *side, int row)
{
	memset(side, 0, sizeof *side);
	side->terms.policy = pl_policy_of_row(row);
	side->terms.check = pl_policy_default_check(&side->terms.policy);
	side->terms.partner_known = true;
	side->terms.own_certificate = true;
	side->terms.verify_requires_tls = true;
	side->certificate = PL_CERT_SELF_SIGNED;
}

/* Both certificates are self-signed: what is rehearsed is what happens, and
 * dialback under TLS asks the authority. */
static void test_bad_certificates(void **state)
{
	struct pl_rehearsal_side x, y;
	struct pl_rehearsal_result there;
	unsigned bad = 0;

	(void)state;
	for (int i = 1; i <= PL_POLICY_ROWS; i += 2)
		for (int j = 1; j <= PL_POLICY_ROWS; j += 2) {
			struct ping result;

			if (!valid(i) || !valid(j))
				continue;
			side_of(&x, i);
			side_of(&y, j);
			pl_rehearse(&x, &y, &there);
			start(i, j, "self-signed", 0);
			ping(&a, alpha, beta, 20000, &result);
			script_run(script, 10000);
			if (result.ms >= 6000 ||
			    !same(&a, alpha, &b, beta, there.method)) {
				complain("self-signed", i, j);
				bad++;
			}
			world_end(NULL);
		}
	assert_int_equal(bad, 0);
}

/* However the bytes are cut, the outcome is the same. */
static void test_split_writes(void **state)
{
	static const struct { int a, b; size_t chunk; } cases[] = {
		{ 1, 1, 1 }, { 7, 7, 1 }, { 13, 13, 1 }, { 17, 17, 1 },
		{ 9, 15, 1 }, { 2, 17, 1 }, { 9, 9, 3 }, { 7, 13, 7 },
		{ 15, 9, 13 }, { 3, 5, 61 }, { 11, 9, 17 }, { 8, 8, 127 },
		{ 1, 13, 5 },
	};
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		bad += !try_rows(cases[i].a, cases[i].b,
				 best_common(cases[i].a, cases[i].b), "valid",
				 cases[i].chunk);
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_certificates),
		cmocka_unit_test(test_bad_certificates),
		cmocka_unit_test(test_split_writes),
	};

	return cmocka_run_group_tests_name("rows", tests, suite_begin,
					   suite_end);
}
