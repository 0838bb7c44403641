/*
 * The outcome of a trace as one JSON object: the keys of the outcome line, in
 * its order and with its types, and what the trace adds to them.
 */
#include "view.h"

#include <stdio.h>
#include <string.h>

static void set_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, json_string(text));
}

static void set_or_none(json_t *object, const char *key, const char *text)
{
	set_text(object, key, *text == '\0' ? "none" : text);
}

static void set_number(json_t *object, const char *key, uint64_t number)
{
	json_object_set_new(object, key, json_integer((json_int_t)number));
}

/* The record that tells the outcome, else the last one. */
static const struct pl_report_record *
outcome_of(const struct pl_report_trace *trace)
{
	for (size_t i = trace->count; i-- > 0;) {
		const char *event = trace->records[i].event;

		if (strcmp(event, "established.open") == 0 ||
		    strcmp(event, "established.failed") == 0)
			return &trace->records[i];
	}
	return trace->count == 0 ? NULL : &trace->records[trace->count - 1];
}

/* As the log writes it: milliseconds, "2026-11-22T12:03:05.109Z". */
static void set_time(json_t *object, const char *ts)
{
	size_t second = strlen("2026-11-22T12:03:05"), length = strlen(ts);
	char text[64];

	if (length == second + 8 && ts[second] == '.')
		snprintf(text, sizeof text, "%.*sZ", (int)second + 4, ts);
	else
		snprintf(text, sizeof text, "%.40s", ts);
	set_text(object, "time", text);
}

static json_t *methods_of(const struct pl_report_summary *s)
{
	json_t *list = json_array();
	enum pl_method methods[3];
	size_t count = s->row == 0 ? 0 : pl_policy_methods(&s->policy, methods);

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list,
				      json_string(pl_method_name(methods[i])));
	return list;
}

static void set_row(json_t *object, const struct pl_report_summary *s)
{
	if (s->row == 0)
		set_text(object, "row", "none");
	else
		set_number(object, "row", (uint64_t)s->row);
}

static void set_failure(json_t *object, const struct pl_report_summary *s)
{
	set_text(object, "stage", pl_stage_name(s->stage));
	set_text(object, "code", pl_code_entry(s->code)->name);
	set_text(object, "side", s->side);
}

static void set_outcome(json_t *object, const struct pl_report_trace *trace,
			const struct pl_report_summary *s)
{
	const struct pl_report_record *outcome = outcome_of(trace);
	bool failed = strcmp(s->result, "failed") == 0;

	set_time(object, outcome == NULL ? "" : outcome->ts);
	set_text(object, "level", "notice");
	set_text(object, "stream", outcome == NULL ? "" : outcome->stream);
	set_text(object, "dir", s->incoming ? "in" : "out");
	set_text(object, "local", s->local);
	set_text(object, "remote", s->remote);
	set_text(object, "event", s->result);
	set_text(object, "method", pl_method_name(s->method));
	if (outcome != NULL && pl_report_true(outcome->detail, "by_certificate"))
		set_text(object, "verified-by", "certificate");
	set_row(object, s);
	json_object_set_new(object, "expected", methods_of(s));
	if (failed)
		set_failure(object, s);
	set_or_none(object, "tls", s->tls);
	set_or_none(object, "cipher", s->cipher);
	set_or_none(object, "cert", s->cert);
	set_or_none(object, "addr", s->addr);
	set_number(object, "ms", (s->total_us + 500) / 1000);
	if (failed) {
		set_text(object, "why", s->why);
		set_text(object, "fix", s->fix);
	}
}

/* In the words of the ladder. */
static json_t *offers_of(const struct pl_report_summary *s)
{
	json_t *list = json_array();

	if (s->offers_starttls)
		json_array_append_new(list, json_string("STARTTLS"));
	if (s->offers_external)
		json_array_append_new(list, json_string("EXTERNAL"));
	if (s->offers_dialback)
		json_array_append_new(list, json_string("dialback"));
	return list;
}

static json_t *stages_of(const struct pl_report_summary *s)
{
	json_t *stages = json_object();

	for (size_t i = 0; i < s->stages_count; i++)
		set_number(stages, s->stages[i].name,
			   (s->stages[i].us + 500) / 1000);
	return stages;
}

static json_t *rows_of(unsigned bits)
{
	json_t *rows = json_array();

	for (int row = 1; row <= PL_POLICY_ROWS; row++)
		if (bits & 1u << row)
			json_array_append_new(rows, json_integer(row));
	return rows;
}

static json_t *findings_of(const struct pl_report_summary *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->findings_count; i++) {
		const struct pl_report_finding *f = &s->findings[i];
		json_t *finding = json_object();

		set_text(finding, "code", f->code);
		set_text(finding, "severity", f->severity);
		set_text(finding, "text", f->text);
		set_text(finding, "remedy", f->remedy);
		set_text(finding, "specification", code_specification(f->code));
		json_array_append_new(list, finding);
	}
	return list;
}

json_t *pl_report_json(const struct pl_report_trace *trace)
{
	json_t *object = json_object();
	struct pl_report_summary s;

	if (object == NULL)
		return NULL;
	pl_report_summarise(trace, &s);
	set_outcome(object, trace, &s);
	set_text(object, "trace", trace->id);
	set_number(object, "exit", (uint64_t)s.exit_status);
	json_object_set_new(object, "stages_ms", stages_of(&s));
	json_object_set_new(object, "offers", offers_of(&s));
	set_text(object, "requires", s.requires);
	set_text(object, "would_work", s.would_work);
	json_object_set_new(object, "rows_would_work",
			    rows_of(s.rows_would_work));
	json_object_set_new(object, "findings", findings_of(&s));
	return object;
}
