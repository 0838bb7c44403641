/* The 18 rows against the published table. */
#include "story.h"

#include <stdlib.h>

enum { FIELDS = 8, FIELD_BYTES = 400 };

struct record {
	char field[FIELDS][FIELD_BYTES];
};

/* One line of the table, RFC 4180 quoting. */
static bool read_record(FILE *file, struct record *r)
{
	char line[2048], *s = line;

	memset(r, 0, sizeof *r);
	if (!fgets(line, sizeof line, file))
		return false;
	for (int i = 0; i < FIELDS; i++) {
		bool quoted = *s == '"';
		size_t n = 0;

		if (quoted)
			s++;
		while (*s && *s != '\n' && *s != (quoted ? '"' : ',')) {
			assert_true(n + 1 < FIELD_BYTES);
			r->field[i][n++] = *s++;
		}
		if (quoted)
			s++;
		if (*s == ',')
			s++;
	}
	return true;
}

static void check_notes(int row, const char *message)
{
	static const char *const words[] = {
		[PL_INFO] = "info: ",
		[PL_WARNING] = "warning: ",
		[PL_ERROR] = "error: ",
	};
	struct pl_policy_note notes[3];
	size_t count = pl_policy_notes(row, notes);
	char joined[FIELD_BYTES] = "";

	for (size_t i = 0; i < count; i++) {
		strcat(joined, i ? "; " : "");
		strcat(joined, words[notes[i].severity]);
		strcat(joined, notes[i].text);
	}
	assert_string_equal(joined, message);
}

static void check_row(const struct record *r)
{
	int row = atoi(r->field[0]);
	struct pl_policy policy = pl_policy_of_row(row);
	enum pl_method methods[3];
	size_t count = pl_policy_methods(&policy, methods);
	char joined[FIELD_BYTES] = "";

	assert_int_equal(pl_policy_row(&policy), row);
	assert_string_equal(pl_level_name(policy.tls), r->field[1]);
	assert_string_equal(pl_level_name(policy.sasl), r->field[2]);
	assert_string_equal(policy.dialback ? "yes" : "no", r->field[3]);
	assert_string_equal(pl_policy_valid(&policy) ? "yes" : "no",
			    r->field[4]);
	for (size_t i = 0; i < count; i++) {
		assert_true(i == 0 || methods[i] < methods[i - 1]);
		assert_true(pl_policy_allows(&policy, methods[i]));
		strcat(joined, i ? " > " : "");
		strcat(joined, pl_method_name(methods[i]));
	}
	assert_string_equal(joined, r->field[5]);
	assert_string_equal(pl_policy_published_note(row), r->field[6]);
	check_notes(row, r->field[7]);
}

static void rows_are_those_of_the_published_table(void **unused)
{
	FILE *file = fopen(MATRIX_CSV, "r");
	struct record r;
	int rows = 0;

	assert_non_null(file);
	assert_true(read_record(file, &r));
	assert_string_equal(r.field[0], "row");
	while (read_record(file, &r)) {
		assert_int_equal(atoi(r.field[0]), ++rows);
		check_row(&r);
	}
	fclose(file);
	assert_int_equal(rows, PL_POLICY_ROWS);
}

static void five_rows_are_not_valid(void **unused)
{
	for (int row = 1; row <= PL_POLICY_ROWS; row++) {
		struct pl_policy policy = pl_policy_of_row(row);
		bool invalid = row == 6 || row == 12 || row == 14 ||
			       row == 16 || row == 18;

		assert_int_equal(pl_policy_valid(&policy), !invalid);
		assert_false(pl_policy_allows(&policy, PL_METHOD_NONE));
	}
}

/* P13 */
static void certificate_check_has_a_default_by_row(void **unused)
{
	for (int row = 1; row <= PL_POLICY_ROWS; row++) {
		struct pl_policy policy = pl_policy_of_row(row);
		enum pl_certificate_check check =
			pl_policy_default_check(&policy);

		if (row <= 6 || row % 2 == 0)
			assert_int_equal(check, PL_CHECK_STRICT);
		else if (row <= 12)
			assert_int_equal(check, PL_CHECK_RELAXED);
		else
			assert_int_equal(check, PL_CHECK_LOG);
	}
}

static void common_uses_are_told(void **unused)
{
	for (int row = 1; row <= PL_POLICY_ROWS; row++) {
		bool common = row == 2 || row == 7 || row == 9 || row == 17;

		assert_int_equal(pl_policy_common_use(row) != NULL, common);
	}
}

static void words_are_parsed_as_they_are_written(void **unused)
{
	enum pl_level level;
	enum pl_method method;
	enum pl_certificate_check check;

	for (int i = 0; i <= PL_NOT_SUPPORTED; i++) {
		assert_true(pl_level_parse(pl_level_name(i), &level));
		assert_int_equal(level, i);
	}
	for (int i = 0; i <= PL_METHOD_SASL_OVER_TLS; i++) {
		assert_true(pl_method_parse(pl_method_name(i), &method));
		assert_int_equal(method, i);
		assert_non_null(pl_method_title(i));
	}
	for (int i = 0; i <= PL_CHECK_LOG; i++) {
		assert_true(pl_check_parse(pl_check_name(i), &check));
		assert_int_equal(check, i);
	}
	assert_false(pl_level_parse("Required", &level));
	assert_false(pl_level_parse("", &level));
	assert_false(pl_method_parse("sasl", &method));
	assert_false(pl_check_parse("strict ", &check));
	assert_string_equal(pl_level_name(77), "unknown");
	assert_string_equal(pl_method_name(77), "unknown");
}

/* A row without TLS has no use for a target that begins with TLS. */
static void direct_tls_is_for_rows_with_tls(void **state)
{
	(void)state;
	for (int row = 1; row <= PL_POLICY_ROWS; row++) {
		struct pl_policy policy = pl_policy_of_row(row);

		assert_int_equal(pl_policy_uses_tls(&policy),
				 policy.tls != PL_NOT_SUPPORTED &&
				 pl_policy_valid(&policy));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_those_of_the_published_table),
		cmocka_unit_test(five_rows_are_not_valid),
		cmocka_unit_test(certificate_check_has_a_default_by_row),
		cmocka_unit_test(common_uses_are_told),
		cmocka_unit_test(words_are_parsed_as_they_are_written),
		cmocka_unit_test(direct_tls_is_for_rows_with_tls),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
