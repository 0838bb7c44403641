/* The closed lists: complete, and as published. */
#include "story.h"

#include <stdlib.h>

enum { LINE_BYTES = 512 };

/* Cuts the next field off a line of the table. */
static char *field(char **line)
{
	char *s = *line, *start;
	char end = ',';

	if (*s == '"') {
		end = '"';
		s++;
	}
	start = s;
	while (*s && *s != end && *s != '\n')
		s++;
	*line = *s ? s + 1 : s;
	if (end == '"' && **line == ',')
		++*line;
	*s = '\0';
	return start;
}

static void check_code(char *line)
{
	const struct pl_code_entry *entry;
	const char *name = field(&line);
	enum pl_code code;

	if (!pl_code_parse(name, &code))
		fail_msg("no code %s", name);
	entry = pl_code_entry(code);
	assert_string_equal(pl_stage_name(entry->stage), field(&line));
	assert_string_equal(pl_side_name(entry->side), field(&line));
	assert_int_equal(entry->exit_status, atoi(field(&line)));
	assert_string_equal(entry->meaning, field(&line));
	assert_string_equal(entry->first_step, field(&line));
}

static void codes_are_those_of_the_published_table(void **unused)
{
	FILE *file = fopen(CODES_CSV, "r");
	char line[LINE_BYTES];
	int rows = 0;

	assert_non_null(file);
	assert_non_null(fgets(line, sizeof line, file));
	while (fgets(line, sizeof line, file)) {
		check_code(line);
		rows++;
	}
	fclose(file);
	assert_int_equal(rows, 60);
}

static void codes_are_complete_and_in_order(void **unused)
{
	enum pl_code found;

	for (int i = 0; i < PL_CODES; i++) {
		const struct pl_code_entry *entry = pl_code_entry(i);

		assert_non_null(entry->name);
		assert_true(entry->meaning[0] && entry->first_step[0]);
		assert_true(pl_code_parse(entry->name, &found));
		assert_int_equal(found, i);
		assert_true(entry->exit_status >= (i ? 3 : 0));
		assert_true(entry->exit_status <= 10);
		if (i > 1)
			assert_true(strcmp(pl_code_entry(i - 1)->name,
					   entry->name) < 0);
	}
	assert_false(pl_code_parse("", &found));
	assert_false(pl_code_parse("TLS-FAILED", &found));
}

static void certificates_have_codes(void **unused)
{
	assert_code(pl_certificate_code(PL_CERT_VALID), PL_CODE_NONE);
	for (int i = 0; i < PL_CERTS; i++) {
		const char *name = pl_certificate_name(i);

		assert_non_null(name);
		if (i != PL_CERT_VALID)
			assert_int_not_equal(pl_certificate_code(i),
					     PL_CODE_NONE);
		assert_int_equal(strncmp(name, "invalid:", 8) == 0,
				 i != PL_CERT_NONE && i != PL_CERT_VALID);
	}
	assert_code(pl_certificate_code(PL_CERT_NONE),
		    PL_CODE_CERTIFICATE_MISSING);
	assert_code(pl_certificate_code(PL_CERT_DANE_MISMATCH),
		    PL_CODE_CERTIFICATE_DANE);
	assert_code(pl_certificate_code(PL_CERT_CHAIN_INCOMPLETE),
		    PL_CODE_CERTIFICATE_UNKNOWN_CA);
	assert_string_equal(pl_certificate_name(PL_CERT_PURPOSE),
			    "invalid:purpose");
}

static void conditions_are_read_as_they_are_written(void **unused)
{
	for (int i = 1; i < PL_CONDS; i++)
		assert_int_equal(pl_condition_parse(pl_condition_name(i)), i);
	for (int i = 1; i < PL_SCS; i++) {
		const char *name = pl_stanza_condition_name(i);

		assert_int_equal(pl_stanza_condition_parse(name), i);
		assert_non_null(pl_stanza_condition_type(i));
	}
	for (int i = 1; i < PL_SASLS; i++) {
		const char *name = pl_sasl_condition_name(i);

		assert_int_equal(pl_sasl_condition_parse(name), i);
	}
}

static void unknown_and_old_conditions_are_read_with_care(void **unused)
{
	assert_int_equal(pl_condition_parse("xml-not-well-formed"),
			 PL_COND_NOT_WELL_FORMED);
	assert_int_equal(pl_condition_parse("invalid-id"),
			 PL_COND_UNDEFINED_CONDITION);
	assert_int_equal(pl_condition_parse("none"),
			 PL_COND_UNDEFINED_CONDITION);
	assert_int_equal(pl_stanza_condition_parse("payment-required"),
			 PL_SC_UNDEFINED_CONDITION);
	assert_int_equal(pl_sasl_condition_parse("credentials-expired"),
			 PL_SASL_NOT_AUTHORIZED);
	assert_int_equal(pl_sasl_condition_parse("none"),
			 PL_SASL_NOT_AUTHORIZED);
}

static void the_machines_enums_have_names(void **unused)
{
	for (int i = 0; i <= PL_ENDED; i++)
		assert_string_not_equal(pl_phase_name(i), "unknown");
	for (int i = 0; i < PL_EV_KINDS; i++)
		assert_string_not_equal(pl_event_name(i), "unknown");
	for (int i = 0; i <= PL_PAIR_GONE; i++)
		assert_string_not_equal(pl_pair_phase_name(i), "unknown");
	for (int i = 0; i < PL_PE_KINDS; i++)
		assert_string_not_equal(pl_pair_event_name(i), "unknown");
	for (int i = 0; i <= PL_DO_ABORT; i++)
		assert_string_not_equal(pl_action_name(i), "unknown");
	for (int i = 0; i <= PL_SM_ON; i++)
		assert_string_not_equal(pl_sm_phase_name(i), "unknown");
	for (int i = 0; i <= PL_SM_ACK; i++)
		assert_string_not_equal(pl_sm_element_name(i), "unknown");
	for (int i = PL_DO_SEND_RESULT; i <= PL_DO_UNSOLICITED; i++)
		assert_string_not_equal(pl_action_name(i), "unknown");
	assert_string_equal(pl_event_name(PL_EV_KINDS), "unknown");
	assert_string_equal(pl_action_name(60), "unknown");
	assert_string_equal(pl_stage_name(99), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_are_those_of_the_published_table),
		cmocka_unit_test(codes_are_complete_and_in_order),
		cmocka_unit_test(certificates_have_codes),
		cmocka_unit_test(conditions_are_read_as_they_are_written),
		cmocka_unit_test(unknown_and_old_conditions_are_read_with_care),
		cmocka_unit_test(the_machines_enums_have_names),
	};

	return cmocka_run_group_tests_name("reason", tests, NULL, NULL);
}
