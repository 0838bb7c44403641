/* What the samples say in a few words. */
#include "parley/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct sample {
	struct pl_report report;
	struct pl_report_summary summary;
};

/* Up to `most` records of it; 0: all. */
static void load(struct sample *sample, const char *name, size_t most)
{
	static char bytes[1 << 20];
	char path[1024];
	struct pl_error error = { "" };
	size_t length;
	bool cut;
	FILE *file;

	snprintf(path, sizeof path, "%s/%s.jsonl", SAMPLES, name);
	file = fopen(path, "r");
	assert_non_null(file);
	length = fread(bytes, 1, sizeof bytes, file);
	fclose(file);
	for (size_t i = 0, lines = 0; most > 0 && i < length; i++) {
		lines += bytes[i] == '\n';
		if (lines == most)
			length = i + 1;
	}
	if (!pl_report_read(&sample->report, bytes, length, name, &cut,
			    &error))
		fail_msg("%s", error.text);
	pl_report_summarise(&sample->report.traces[0], &sample->summary);
}

static bool finds(const struct pl_report_summary *s, const char *code,
		  const char *severity)
{
	for (size_t i = 0; i < s->findings_count; i++)
		if (strcmp(s->findings[i].code, code) == 0)
			return strcmp(s->findings[i].severity, severity) == 0;
	return false;
}

static unsigned rows(int a, int b, int c, int d, int e, int f)
{
	return 1U << a | 1U << b | 1U << c | 1U << d | 1U << e | 1U << f;
}

static void negotiated(void **state)
{
	struct sample a;
	const struct pl_report_summary *s = &a.summary;

	load(&a, "sasl-over-tls", 0);
	assert_string_equal(s->result, "negotiated");
	assert_int_equal(s->method, PL_METHOD_SASL_OVER_TLS);
	assert_int_equal(s->code, PL_CODE_NONE);
	assert_int_equal(s->exit_status, 0);
	assert_int_equal(s->row, 7);
	assert_int_equal(s->total_us, 55000);
	assert_false(s->incoming);
	assert_string_equal(s->local, "a.test");
	assert_string_equal(s->remote, "b.test");
	assert_string_equal(s->addr, "192.0.2.2:5269");
	assert_string_equal(s->tls, "TLSv1.3");
	assert_string_equal(s->cert, "valid");
	assert_string_equal(s->offers, "STARTTLS, EXTERNAL, dialback");
	assert_string_equal(s->requires, "STARTTLS, then EXTERNAL or dialback");
	assert_int_equal(s->findings_count, 0);
	pl_report_finish(&a.report);
}

static void in_clear(void **state)
{
	struct sample a;

	load(&a, "tcp-dialback", 0);
	assert_int_equal(a.summary.method, PL_METHOD_TCP_DIALBACK);
	assert_true(finds(&a.summary, "plaintext", "warn"));
	assert_true(finds(&a.summary, "dns-not-secure", "info"));
	pl_report_finish(&a.report);
}

static void the_peer_lacks_tls(void **state)
{
	struct sample a;
	const struct pl_report_summary *s = &a.summary;

	load(&a, "tls-not-offered", 0);
	assert_string_equal(s->result, "failed");
	assert_int_equal(s->code, PL_CODE_TLS_NOT_OFFERED);
	assert_int_equal(s->stage, PL_STAGE_FEATURES);
	assert_string_equal(s->side, "peer");
	assert_int_equal(s->exit_status, 7);
	assert_true(s->reached && s->spoke && s->offers_dialback);
	assert_false(s->offers_starttls);
	assert_true(s->external_unknown);
	assert_string_equal(s->offers, "dialback; no STARTTLS");
	assert_string_equal(s->requires, "STARTTLS, then EXTERNAL");
	assert_int_equal(s->rows_would_work, rows(3, 5, 9, 11, 15, 17));
	assert_true(finds(s, "tls-not-offered", "error"));
	pl_report_finish(&a.report);
}

/* Dialback was refused, and EXTERNAL is not offered: no row helps. */
static void nothing_would_work(void **state)
{
	struct sample a;

	load(&a, "cannot-reach-us", 0);
	assert_int_equal(a.summary.rows_would_work, 0);
	assert_string_equal(a.summary.side, "us");
	assert_true(finds(&a.summary, "certificate-wrong-name", "warn"));
	assert_true(finds(&a.summary, "slow", "info"));
	pl_report_finish(&a.report);
}

static void incoming(void **state)
{
	struct sample a;
	const struct pl_report_summary *s = &a.summary;

	load(&a, "receiver", 0);
	assert_true(s->incoming);
	assert_string_equal(s->local, "b.test");
	assert_string_equal(s->remote, "a.test");
	assert_string_equal(s->addr, "192.0.2.1:51000");
	assert_string_equal(s->cert, "invalid:unknown-ca");
	assert_string_equal(s->offers, "STARTTLS, dialback; no EXTERNAL");
	pl_report_finish(&a.report);
}

static void never_reached(void **state)
{
	struct sample a;

	load(&a, "tcp-refused", 0);
	assert_false(a.summary.reached || a.summary.spoke);
	assert_string_equal(a.summary.offers,
			    "not known: it was not reached");
	assert_int_equal(a.summary.rows_would_work, 0);
	pl_report_finish(&a.report);
}

/* However early it was cut, nothing is claimed. */
static void without_an_end(void **state)
{
	for (size_t most = 1; most < 25; most++) {
		struct sample a;

		load(&a, "sasl-over-tls", most);
		assert_string_equal(a.summary.result, "incomplete");
		assert_int_equal(a.summary.exit_status, 10);
		assert_true(finds(&a.summary, "no-end", "warn"));
		pl_report_finish(&a.report);
	}
}

/* What a filter leaves out still counts for the summary. */
static void a_filter_changes_nothing(void **state)
{
	static const struct pl_report_filter filter = { .stage = "tcp" };
	struct pl_report_summary after;
	struct pl_error error;
	struct sample a;

	load(&a, "tls-not-offered", 0);
	assert_true(pl_report_select(&a.report, &filter, &error));
	assert_int_equal(a.report.count, 1);
	assert_int_equal(a.report.traces[0].count, 2);
	pl_report_summarise(&a.report.traces[0], &after);
	assert_memory_equal(&after, &a.summary, sizeof after);
	pl_report_finish(&a.report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(negotiated),
		cmocka_unit_test(in_clear),
		cmocka_unit_test(the_peer_lacks_tls),
		cmocka_unit_test(nothing_would_work),
		cmocka_unit_test(incoming),
		cmocka_unit_test(never_reached),
		cmocka_unit_test(without_an_end),
		cmocka_unit_test(a_filter_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
