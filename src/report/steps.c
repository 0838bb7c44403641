/* A record as a step of a drawing: what it is called, and how it ended. */
#include "view.h"

#include <inttypes.h>
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

/* ----- labels ----- */

struct label {
	char text[512];
	size_t length;
};

/* A value of a peer has this many bytes of a label at most. */
enum { VALUE = 120 };
/* Among so many records the key of a callback is looked for. */
enum { KEYS = 4096 };

static void add(struct label *label, const char *text)
{
	size_t left = sizeof label->text - label->length;

	label->length += (size_t)snprintf(label->text + label->length, left,
					  "%s", text);
	if (label->length >= sizeof label->text)
		label->length = sizeof label->text - 1;
}

static void add_value(struct label *label, const char *before,
		      const char *value, const char *behind)
{
	char visible[VALUE];

	if (*value == '\0')
		return;
	add(label, before);
	add(label, ink_visible(visible, sizeof visible, value));
	add(label, behind);
}

/* " key=value" */
static void add_detail(struct label *label, const json_t *detail,
		       const char *key)
{
	char before[32];

	snprintf(before, sizeof before, " %s=", key);
	add_value(label, before, pl_report_text(detail, key), "");
}

static void add_summary(struct label *label,
			const struct pl_report_record *record)
{
	add_value(label, "", *record->summary != '\0' ? record->summary
						      : record->event, "");
}

/* How a step is told; the label is empty when it comes, and the record's
 * summary stands in where it stays so. */
typedef void (*teller)(const struct pl_report_record *record,
		       struct step *step, struct label *label);

static void tell_query(const struct pl_report_record *r, struct step *step,
		       struct label *label)
{
	const json_t *want = json_object_get(r->detail, "want"), *kind;
	size_t i;

	add_value(label, "DNS: look up ", pl_report_text(r->detail, "domain"), "");
	add_value(label, "DNS: look up ", pl_report_text(r->detail, "host"), "");
	if (label->length == 0)
		return;
	json_array_foreach(want, i, kind)
		if (i < 2 && json_is_string(kind))
			add_value(label, i == 0 ? " for " : ", ",
				  json_string_value(kind), "");
}

static void tell_answer(const struct pl_report_record *r, struct step *step,
			struct label *label)
{
	const json_t *targets = json_object_get(r->detail, "targets"), *first;
	size_t count = json_array_size(targets);

	first = json_array_get(targets, 0);
	if (first == NULL)
		return;
	add_value(label, "DNS: ", pl_report_text(first, "host"), "");
	if (label->length > 0 && view_number(first, "port", 0) > 0) {
		char port[40];

		snprintf(port, sizeof port, ":%" PRId64,
			 view_number(first, "port", 0));
		add(label, port);
	}
	if (count > 1) {
		char more[40];

		snprintf(more, sizeof more, " and %zu more", count - 1);
		add(label, more);
	}
	if (label->length > 0)
		add(label, pl_report_true(r->detail, "secure") ? " (secure)"
							    : " (insecure)");
}

static void tell_connect(const struct pl_report_record *r, struct step *step,
			 struct label *label)
{
	add(label, pl_report_true(r->detail, "direct_tls")
	    ? "TCP connect, direct TLS" : "TCP connect");
	add_value(label, " to ", pl_report_text(r->detail, "host"), "");
	if (view_number(r->detail, "port", 0) > 0) {
		char port[40];

		snprintf(port, sizeof port, " port %" PRId64,
			 view_number(r->detail, "port", 0));
		add(label, port);
	}
	add_value(label, " (because of ", r->parent, ")");
}

static void tell_connected(const struct pl_report_record *r, struct step *step,
			   struct label *label)
{
	char span[24];
	int64_t us = view_number(r->detail, "us", -1);

	step->outgoing = false; /* it is the peer that answered */
	add(label, "TCP connected");
	add_value(label, " ", pl_report_text(r->detail, "addr"), "");
	if (us >= 0)
		add_value(label, " in ", ink_span(span, (uint64_t)us), "");
}

static void tell_accepted(const struct pl_report_record *r, struct step *step,
			  struct label *label)
{
	add(label, pl_report_true(r->detail, "direct_tls")
	    ? "TCP connect, direct TLS" : "TCP connect");
	add_value(label, " from ", pl_report_text(r->detail, "addr"), "");
	add_value(label, " (because of ", r->parent, ")");
}

static void tell_tls_start(const struct pl_report_record *r, struct step *step,
			   struct label *label)
{
	add(label, "TLS handshake");
	add_detail(label, r->detail, "sni");
	add_detail(label, r->detail, "alpn");
	if (json_is_false(json_object_get(r->detail, "certificate")))
		add(label, ", no certificate of ours");
}

static void add_verify(struct step *step, struct label *label,
		       const json_t *detail)
{
	const json_t *verify = json_object_get(detail, "verify");
	const char *code = pl_report_text(verify, "code");

	if (*code == '\0')
		return;
	add_value(label, label->length > 0 ? "; certificate " : "certificate ",
		  code, "");
	step->tone = strncmp(code, "valid", 5) == 0 ? TONE_OK : TONE_WARN;
}

static void tell_tls_done(const struct pl_report_record *r, struct step *step,
			  struct label *label)
{
	step->kind = STEP_BAND;
	add_value(label, "", pl_report_text(r->detail, "version"), "");
	add_value(label, " ", pl_report_text(r->detail, "cipher"), "");
	add_value(label, " ", pl_report_text(r->detail, "group"), "");
	add_verify(step, label, r->detail);
}

static void tell_judged(const struct pl_report_record *r, struct step *step,
			struct label *label)
{
	step->kind = STEP_NOTE;
	add_verify(step, label, r->detail);
	add_value(label, " for ", pl_report_text(r->detail, "domain"), "");
}

static void tell_header(const struct pl_report_record *r, struct step *step,
			struct label *label)
{
	add(label, "<stream>");
	add_detail(label, r->detail, "from");
	add_detail(label, r->detail, "to");
	if (*pl_report_text(r->detail, "version") == '\0' &&
	    json_object_get(r->detail, "version") == NULL)
		add(label, " no version");
}

static void add_mechanisms(struct label *label, const json_t *detail,
			   const char **comma)
{
	const json_t *list = json_object_get(detail, "mechanisms"), *name;
	size_t i;

	json_array_foreach(list, i, name) {
		if (i >= 6 || !json_is_string(name))
			break;
		add(label, *comma);
		add_value(label, "", json_string_value(name), "");
		*comma = ", ";
	}
}

static void add_others(struct label *label, const json_t *detail,
		       const char **comma)
{
	const json_t *list = json_object_get(detail, "others"), *one;
	size_t i;

	json_array_foreach(list, i, one) {
		if (i >= 4 || *pl_report_text(one, "name") == '\0')
			break;
		add(label, *comma);
		add_value(label, "", pl_report_text(one, "name"), "");
		*comma = ", ";
	}
}

static void tell_features(const struct pl_report_record *r, struct step *step,
			  struct label *label)
{
	const char *comma = " ";

	add(label, "<features>");
	if (pl_report_true(r->detail, "starttls")) {
		add(label, pl_report_true(r->detail, "required")
		    ? " STARTTLS required" : " STARTTLS");
		comma = ", ";
	}
	add_mechanisms(label, r->detail, &comma);
	if (pl_report_true(r->detail, "dialback")) {
		add(label, comma);
		add(label, "dialback");
		comma = ", ";
	}
	add_others(label, r->detail, &comma);
	if (*comma == ' ')
		add(label, " empty");
}

static const char *verb_of(const struct pl_report_record *r)
{
	const char *dot = strchr(r->event, '.');

	return dot == NULL ? r->event : dot + 1;
}

static void tell_starttls(const struct pl_report_record *r, struct step *step,
			  struct label *label)
{
	const char *verb = verb_of(r);

	if (strcmp(verb, "request") == 0)
		add(label, "<starttls/>");
	else
		add_value(label, "<", verb, "/>");
	if (strcmp(verb, "failure") == 0)
		step->tone = TONE_FAIL;
}

static void tell_sasl(const struct pl_report_record *r, struct step *step,
		      struct label *label)
{
	const char *verb = verb_of(r);

	add_value(label, "<", verb, "");
	add_value(label, " ", pl_report_text(r->detail, "mech"), "");
	add(label, ">");
	add_value(label, " ", pl_report_text(r->detail, "authzid"), "");
	add_value(label, " ", pl_report_text(r->detail, "condition"), "");
	add_value(label, " \"", pl_report_text(r->detail, "text"), "\"");
	if (strcmp(verb, "success") == 0)
		step->tone = TONE_OK;
	else if (strcmp(verb, "failure") == 0)
		step->tone = TONE_FAIL;
}

static void tell_dialback(const struct pl_report_record *r, struct step *step,
			  struct label *label)
{
	const char *type = pl_report_text(r->detail, "type");
	const char *verb = verb_of(r);

	if (strcmp(verb, "ignored") == 0)
		return;
	add_value(label, "<db:", verb, "");
	add_detail(label, r->detail, "type");
	add(label, ">");
	add_value(label, " ", pl_report_text(r->detail, "condition"), "");
	if (*type == '\0')
		add_value(label, " ", pl_report_text(r->detail, "key"), "");
	if (strcmp(type, "valid") == 0)
		step->tone = TONE_OK;
	else if (*type != '\0')
		step->tone = TONE_FAIL;
}

static void tell_choice(const struct pl_report_record *r, struct step *step,
			struct label *label)
{
	const char *choice = pl_report_text(r->detail, "choice");

	step->kind = STEP_NOTE;
	add(label, "policy: ");
	add_summary(label, r);
	if (*choice != '\0' && strstr(r->summary, choice) == NULL)
		add_value(label, " -> ", choice, "");
	if (strcmp(choice, "refuse") == 0)
		step->tone = TONE_FAIL;
	else if (strcmp(choice, "stay-in-clear") == 0)
		step->tone = TONE_WARN;
}

static void tell_open(const struct pl_report_record *r, struct step *step,
		      struct label *label)
{
	enum pl_method method;

	step->kind = STEP_NOTE;
	step->tone = TONE_OK;
	if (!pl_method_parse(pl_report_text(r->detail, "method"), &method))
		return;
	add(label, "authenticated: ");
	add(label, pl_method_title(method));
	if (pl_report_true(r->detail, "by_certificate"))
		add(label, ", verified by certificate");
}

static void tell_failed(const struct pl_report_record *r, struct step *step,
			struct label *label)
{
	step->kind = STEP_NOTE;
	step->tone = TONE_FAIL;
	add_value(label, "failed: ", r->code, "");
	add_value(label, " at stage ", pl_report_text(r->detail, "stage"), "");
}

static void tell_stanza(const struct pl_report_record *r, struct step *step,
			struct label *label)
{
	add_value(label, "<", pl_report_text(r->detail, "kind"), "");
	if (label->length == 0)
		return;
	add_detail(label, r->detail, "type");
	add(label, ">");
	add_detail(label, r->detail, "from");
	add_detail(label, r->detail, "to");
}

static void tell_close(const struct pl_report_record *r, struct step *step,
		       struct label *label)
{
	if (strcmp(verb_of(r), "stream") == 0) {
		add(label, "</stream>");
		return;
	}
	add(label, "TCP closed");
	add_value(label, " (", pl_report_text(r->detail, "how"), ")");
}

static void tell_error(const struct pl_report_record *r, struct step *step,
		       struct label *label)
{
	const char *verb = verb_of(r);

	step->tone = TONE_FAIL;
	if (strcmp(verb, "stream") == 0) {
		add_value(label, "<stream:error> ",
			  pl_report_text(r->detail, "condition"), "");
		add_value(label, " \"", pl_report_text(r->detail, "text"), "\"");
	} else if (strcmp(verb, "deadline") == 0) {
		step->kind = STEP_NOTE;
		add_value(label, "time is up: ",
			  pl_report_text(r->detail, "deadline"), "");
	} else {
		add_value(label, "refused: ", pl_report_text(r->detail, "text"),
			  "");
	}
}

static const struct {
	const char *event; /* or "stage." for all of the stage */
	teller tell;
} tellers[] = {
	{ "dns.query", tell_query }, { "dns.answer", tell_answer },
	{ "tcp.connect", tell_connect }, { "tcp.connected", tell_connected },
	{ "tcp.accepted", tell_accepted },
	{ "tls.start", tell_tls_start }, { "tls.done", tell_tls_done },
	{ "tls.judged", tell_judged },
	{ "stream.header", tell_header }, { "features.offer", tell_features },
	{ "starttls.", tell_starttls }, { "sasl.", tell_sasl },
	{ "dialback.", tell_dialback }, { "policy.choice", tell_choice },
	{ "established.open", tell_open }, { "established.failed", tell_failed },
	{ "stanza.seen", tell_stanza }, { "close.", tell_close },
	{ "error.", tell_error },
};

static teller teller_of(const char *event)
{
	for (size_t i = 0; i < sizeof tellers / sizeof *tellers; i++) {
		size_t n = strlen(tellers[i].event);

		if (tellers[i].event[n - 1] == '.'
		    ? strncmp(tellers[i].event, event, n) == 0
		    : strcmp(tellers[i].event, event) == 0)
			return tellers[i].tell;
	}
	return NULL;
}

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
			add_value(label, ", the key of ", other, "");
			return;
		}
	}
	if (*other == '\0')
		return;
	add_value(label, ", not the key of ", other, "");
	step->tone = TONE_WARN;
}

bool step_of(const struct pl_report_trace *trace, size_t index,
	     struct step *step)
{
	const struct pl_report_record *record = &trace->records[index];
	struct label label = { .length = 0 };
	bool told_by_peer = strcmp(record->dir, "in") == 0;
	teller tell = teller_of(record->event);

	if (!step_is_drawn(record))
		return false;
	memset(step, 0, sizeof *step);
	step->record = record;
	step->outgoing = strcmp(record->dir, "out") == 0;
	step->kind = step->outgoing || told_by_peer ? STEP_ARROW : STEP_NOTE;
	step->encrypted = record->encrypted;
	step->tone = tone_of(record);
	if (tell != NULL)
		tell(record, step, &label);
	if (label.length == 0) {
		add_summary(&label, record);
		add_value(&label, " (", record->code, ")");
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
