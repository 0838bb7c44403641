/* A record as a step of a drawing: what it is called, and how it ended. */
#include "event.h"
#include "view.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* ----- details ----- */

int64_t view_number(const json_t *object, const char *key, int64_t no)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) ? json_integer_value(value) : no;
}

bool view_time(const char *text, int64_t *seconds)
{
	struct tm utc = { 0 };
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);

	if (rest == NULL) {
		memset(&utc, 0, sizeof utc);
		rest = strptime(text, "%Y-%m-%d", &utc);
	}
	if (rest == NULL || utc.tm_year < 0 || utc.tm_year > 8000)
		return false;
	*seconds = timegm(&utc);
	return true;
}

/* ----- steps ----- */

/* Among so many records the key of a callback is looked for. */
enum { KEYS = 4096 };

static enum step_tone tone_of(const struct pl_report_record *record)
{
	size_t n = strlen(record->event);

	if (strcmp(record->level, "error") == 0 ||
	    (n > 7 && strcmp(record->event + n - 7, ".failed") == 0))
		return TONE_FAIL;
	if (strcmp(record->level, "warning") == 0)
		return TONE_WARN;
	return TONE_PLAIN;
}

bool step_is_drawn(const struct pl_report_record *record)
{
	return !pl_report_is(record, "policy.step") &&
	       !pl_report_is(record, "trace.begin") &&
	       !pl_report_is(record, "trace.end");
}

/*
 * The callback asks about a key: was it the one that went out? Masks are equal
 * where keys are (within one trace).
 */
static void compare_key(const struct pl_report_trace *trace,
			const struct pl_report_record *record,
			struct step *step, struct label *label)
{
	const char *key = pl_report_text(record->detail, "key"), *other = "";

	if (!pl_report_is(record, "dialback.verify") || *key == '\0')
		return;
	for (size_t i = 0; i < trace->count && i < KEYS; i++) {
		const struct pl_report_record *r = &trace->records[i];
		const char *sent = pl_report_text(r->detail, "key");

		if (!pl_report_is(r, "dialback.result") || *sent == '\0' ||
		    strcmp(r->stream, record->stream) == 0)
			continue;
		other = r->stream;
		if (strcmp(sent, key) == 0) {
			label_value(label, ", the key of ", other, "");
			return;
		}
	}
	if (*other == '\0')
		return;
	label_value(label, ", not the key of ", other, "");
	step->tone = TONE_WARN;
}

bool step_of(const struct pl_report_trace *trace, size_t index,
	     struct step *step)
{
	const struct pl_report_record *record = &trace->records[index];
	struct label label = { .length = 0 };
	bool told_by_peer = strcmp(record->dir, "in") == 0;
	const struct drawn_event *event = drawn_event(record->event);

	if (!step_is_drawn(record))
		return false;
	memset(step, 0, sizeof *step);
	step->record = record;
	step->outgoing = strcmp(record->dir, "out") == 0;
	step->kind = step->outgoing || told_by_peer ? STEP_ARROW : STEP_NOTE;
	step->encrypted = record->encrypted;
	step->tone = tone_of(record);
	if (event != NULL && event->tell != NULL)
		event->tell(record, step, &label);
	if (label.length == 0) {
		label_summary(&label, record);
		label_value(&label, " (", record->code, ")");
	}
	compare_key(trace, record, step, &label);
	snprintf(step->label, sizeof step->label, "%s", label.text);
	return true;
}

const char *tone_name(enum step_tone tone)
{
	switch (tone) {
	case TONE_OK: return "ok";
	case TONE_WARN: return "warn";
	case TONE_FAIL: return "fail";
	case TONE_PLAIN: break;
	}
	return "plain";
}

const char *tone_sign(enum step_tone tone)
{
	switch (tone) {
	case TONE_OK: return "\342\234\223";   /* check mark */
	case TONE_WARN: return "!";
	case TONE_FAIL: return "\342\234\227"; /* ballot x */
	case TONE_PLAIN: break;
	}
	return "\342\200\242"; /* bullet */
}

/* ----- the verdict ----- */

static void verdict_of_success(const struct pl_report_summary *s,
			       struct verdict *v)
{
	char span[24];

	snprintf(v->title, sizeof v->title, "%s", pl_method_title(s->method));
	v->tone = s->method == PL_METHOD_TCP_DIALBACK || s->exit_status != 0
		  ? TONE_WARN : TONE_OK;
	snprintf(v->text, sizeof v->text, "Negotiated in %s%s%s",
		 ink_span(span, s->total_us),
		 s->exit_status == 1 ? ", but not as expected"
		 : s->exit_status == 20 ? ", with warnings" : "",
		 s->method == PL_METHOD_TCP_DIALBACK
		 ? ". Not encrypted: every byte was readable on the path"
		 : "");
}

void verdict_of(const struct pl_report_summary *s, struct verdict *v)
{
	char span[24];

	memset(v, 0, sizeof *v);
	if (strcmp(s->result, "negotiated") == 0) {
		verdict_of_success(s, v);
	} else if (strcmp(s->result, "served") == 0 && s->component) {
		v->tone = TONE_OK;
		snprintf(v->title, sizeof v->title, "Component attached");
		snprintf(v->text, sizeof v->text,
			 "The handshake of a local service was right; attached "
			 "for %s", ink_span(span, s->total_us));
	} else if (strcmp(s->result, "served") == 0) {
		v->tone = TONE_OK;
		snprintf(v->title, sizeof v->title, "Key verified");
		snprintf(v->text, sizeof v->text,
			 "A dialback key was verified in %s, nothing else",
			 ink_span(span, s->total_us));
	} else if (strcmp(s->result, "failed") == 0) {
		v->tone = TONE_FAIL;
		snprintf(v->title, sizeof v->title, "%s",
			 s->component ? "Component refused" : "No method");
		snprintf(v->text, sizeof v->text,
			 "Failed at stage %s after %s: %s",
			 pl_stage_name(s->stage), ink_span(span, s->total_us),
			 pl_code_entry(s->code)->name);
	} else {
		v->tone = TONE_WARN;
		snprintf(v->title, sizeof v->title, "Incomplete");
		snprintf(v->text, sizeof v->text,
			 "The trace ends without an outcome, after %s",
			 ink_span(span, s->total_us));
	}
}
