/* Records as labels of the steps of a drawing (steps.c). */
#include "event.h"
#include "view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A value of a peer has this many bytes of a label at most. */
enum { VALUE = 120 };

void label_add(struct label *label, const char *text)
{
	size_t left = sizeof label->text - label->length;

	label->length += (size_t)snprintf(label->text + label->length, left,
					  "%s", text);
	if (label->length >= sizeof label->text)
		label->length = sizeof label->text - 1;
}

void label_value(struct label *label, const char *before,
		 const char *value, const char *behind)
{
	char visible[VALUE];

	if (*value == '\0')
		return;
	label_add(label, before);
	label_add(label, ink_visible(visible, sizeof visible, value));
	label_add(label, behind);
}

/* " key=value" */
static void add_detail(struct label *label, const json_t *detail,
		       const char *key)
{
	char before[32];

	snprintf(before, sizeof before, " %s=", key);
	label_value(label, before, pl_report_text(detail, key), "");
}

void label_summary(struct label *label,
		   const struct pl_report_record *record)
{
	label_value(label, "", *record->summary != '\0' ? record->summary
							: record->event, "");
}

void tell_query(const struct pl_report_record *r, struct step *step,
		struct label *label)
{
	const json_t *want = json_object_get(r->detail, "want"), *kind;
	size_t i;

	label_value(label, "DNS: look up ", pl_report_text(r->detail, "domain"), "");
	label_value(label, "DNS: look up ", pl_report_text(r->detail, "host"), "");
	if (label->length == 0)
		return;
	json_array_foreach(want, i, kind)
		if (i < 2 && json_is_string(kind))
			label_value(label, i == 0 ? " for " : ", ",
				    json_string_value(kind), "");
}

void tell_answer(const struct pl_report_record *r, struct step *step,
		 struct label *label)
{
	const json_t *targets = json_object_get(r->detail, "targets"), *first;
	size_t count = json_array_size(targets);

	first = json_array_get(targets, 0);
	if (first == NULL)
		return;
	label_value(label, "DNS: ", pl_report_text(first, "host"), "");
	if (label->length > 0 && view_number(first, "port", 0) > 0) {
		char port[40];

		snprintf(port, sizeof port, ":%" PRId64,
			 view_number(first, "port", 0));
		label_add(label, port);
	}
	if (count > 1) {
		char more[40];

		snprintf(more, sizeof more, " and %zu more", count - 1);
		label_add(label, more);
	}
	if (label->length > 0)
		label_add(label, pl_report_true(r->detail, "secure") ? " (secure)"
							    : " (insecure)");
}

void tell_connect(const struct pl_report_record *r, struct step *step,
		  struct label *label)
{
	label_add(label, pl_report_true(r->detail, "direct_tls")
		  ? "TCP connect, direct TLS" : "TCP connect");
	label_value(label, " to ", pl_report_text(r->detail, "host"), "");
	if (view_number(r->detail, "port", 0) > 0) {
		char port[40];

		snprintf(port, sizeof port, " port %" PRId64,
			 view_number(r->detail, "port", 0));
		label_add(label, port);
	}
	label_value(label, " (because of ", r->parent, ")");
}

void tell_connected(const struct pl_report_record *r, struct step *step,
		    struct label *label)
{
	char span[24];
	int64_t us = view_number(r->detail, "us", -1);

	step->outgoing = false; /* it is the peer that answered */
	label_add(label, "TCP connected");
	label_value(label, " ", pl_report_text(r->detail, "addr"), "");
	if (us >= 0)
		label_value(label, " in ", ink_span(span, (uint64_t)us), "");
}

void tell_accepted(const struct pl_report_record *r, struct step *step,
		   struct label *label)
{
	label_add(label, pl_report_true(r->detail, "direct_tls")
		  ? "TCP connect, direct TLS" : "TCP connect");
	label_value(label, " from ", pl_report_text(r->detail, "addr"), "");
	label_value(label, " (because of ", r->parent, ")");
}

void tell_tls_start(const struct pl_report_record *r, struct step *step,
		    struct label *label)
{
	label_add(label, "TLS handshake");
	add_detail(label, r->detail, "sni");
	add_detail(label, r->detail, "alpn");
	if (json_is_false(json_object_get(r->detail, "certificate")))
		label_add(label, ", no certificate of ours");
}

static void add_verify(struct step *step, struct label *label,
		       const json_t *detail)
{
	const json_t *verify = json_object_get(detail, "verify");
	const char *code = pl_report_text(verify, "code");

	if (*code == '\0')
		return;
	label_value(label, label->length > 0 ? "; certificate " : "certificate ",
		    code, "");
	step->tone = strncmp(code, "valid", 5) == 0 ? TONE_OK : TONE_WARN;
}

void tell_tls_done(const struct pl_report_record *r, struct step *step,
		   struct label *label)
{
	step->kind = STEP_BAND;
	label_value(label, "", pl_report_text(r->detail, "version"), "");
	label_value(label, " ", pl_report_text(r->detail, "cipher"), "");
	label_value(label, " ", pl_report_text(r->detail, "group"), "");
	add_verify(step, label, r->detail);
}

void tell_judged(const struct pl_report_record *r, struct step *step,
		 struct label *label)
{
	step->kind = STEP_NOTE;
	add_verify(step, label, r->detail);
	label_value(label, " for ", pl_report_text(r->detail, "domain"), "");
}

void tell_header(const struct pl_report_record *r, struct step *step,
		 struct label *label)
{
	label_add(label, "<stream>");
	add_detail(label, r->detail, "from");
	add_detail(label, r->detail, "to");
	if (*pl_report_text(r->detail, "version") == '\0' &&
	    json_object_get(r->detail, "version") == NULL)
		label_add(label, " no version");
}

static void add_mechanisms(struct label *label, const json_t *detail,
			   const char **comma)
{
	const json_t *list = json_object_get(detail, "mechanisms"), *name;
	size_t i;

	json_array_foreach(list, i, name) {
		if (i >= 6 || !json_is_string(name))
			break;
		label_add(label, *comma);
		label_value(label, "", json_string_value(name), "");
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
		label_add(label, *comma);
		label_value(label, "", pl_report_text(one, "name"), "");
		*comma = ", ";
	}
}

void tell_features(const struct pl_report_record *r, struct step *step,
		   struct label *label)
{
	const char *comma = " ";

	label_add(label, "<features>");
	if (pl_report_true(r->detail, "starttls")) {
		label_add(label, pl_report_true(r->detail, "required")
			  ? " STARTTLS required" : " STARTTLS");
		comma = ", ";
	}
	add_mechanisms(label, r->detail, &comma);
	if (pl_report_true(r->detail, "dialback")) {
		label_add(label, comma);
		label_add(label, "dialback");
		comma = ", ";
	}
	add_others(label, r->detail, &comma);
	if (*comma == ' ')
		label_add(label, " empty");
}

static const char *verb_of(const struct pl_report_record *r)
{
	const char *dot = strchr(r->event, '.');

	return dot == NULL ? r->event : dot + 1;
}

void tell_starttls(const struct pl_report_record *r, struct step *step,
		   struct label *label)
{
	const char *verb = verb_of(r);

	if (strcmp(verb, "request") == 0)
		label_add(label, "<starttls/>");
	else
		label_value(label, "<", verb, "/>");
	if (strcmp(verb, "failure") == 0)
		step->tone = TONE_FAIL;
}

void tell_sasl(const struct pl_report_record *r, struct step *step,
	       struct label *label)
{
	const char *verb = verb_of(r);

	label_value(label, "<", verb, "");
	label_value(label, " ", pl_report_text(r->detail, "mech"), "");
	label_add(label, ">");
	label_value(label, " ", pl_report_text(r->detail, "authzid"), "");
	label_value(label, " ", pl_report_text(r->detail, "condition"), "");
	label_value(label, " \"", pl_report_text(r->detail, "text"), "\"");
	if (strcmp(verb, "success") == 0)
		step->tone = TONE_OK;
	else if (strcmp(verb, "failure") == 0)
		step->tone = TONE_FAIL;
}

void tell_dialback(const struct pl_report_record *r, struct step *step,
		   struct label *label)
{
	const char *type = pl_report_text(r->detail, "type");
	const char *verb = verb_of(r);

	if (strcmp(verb, "ignored") == 0)
		return;
	label_value(label, "<db:", verb, "");
	add_detail(label, r->detail, "type");
	label_add(label, ">");
	label_value(label, " ", pl_report_text(r->detail, "condition"), "");
	if (*type == '\0')
		label_value(label, " ", pl_report_text(r->detail, "key"), "");
	if (strcmp(type, "valid") == 0)
		step->tone = TONE_OK;
	else if (*type != '\0')
		step->tone = TONE_FAIL;
}

void tell_choice(const struct pl_report_record *r, struct step *step,
		 struct label *label)
{
	const char *choice = pl_report_text(r->detail, "choice");

	step->kind = STEP_NOTE;
	label_add(label, "policy: ");
	label_summary(label, r);
	if (*choice != '\0' && strstr(r->summary, choice) == NULL)
		label_value(label, " -> ", choice, "");
	if (strcmp(choice, "refuse") == 0)
		step->tone = TONE_FAIL;
	else if (strcmp(choice, "stay-in-clear") == 0)
		step->tone = TONE_WARN;
}

void tell_open(const struct pl_report_record *r, struct step *step,
	       struct label *label)
{
	enum pl_method method;

	step->kind = STEP_NOTE;
	step->tone = TONE_OK;
	if (!pl_method_parse(pl_report_text(r->detail, "method"), &method))
		return;
	label_add(label, "authenticated: ");
	label_add(label, pl_method_title(method));
	if (pl_report_true(r->detail, "by_certificate"))
		label_add(label, ", verified by certificate");
}

void tell_failed(const struct pl_report_record *r, struct step *step,
		 struct label *label)
{
	step->kind = STEP_NOTE;
	step->tone = TONE_FAIL;
	label_value(label, "failed: ", r->code, "");
	label_value(label, " at stage ", pl_report_text(r->detail, "stage"), "");
}

void tell_stanza(const struct pl_report_record *r, struct step *step,
		 struct label *label)
{
	label_value(label, "<", pl_report_text(r->detail, "kind"), "");
	if (label->length == 0)
		return;
	add_detail(label, r->detail, "type");
	label_add(label, ">");
	add_detail(label, r->detail, "from");
	add_detail(label, r->detail, "to");
}

void tell_close(const struct pl_report_record *r, struct step *step,
		struct label *label)
{
	if (strcmp(verb_of(r), "stream") == 0) {
		label_add(label, "</stream>");
		return;
	}
	label_add(label, "TCP closed");
	label_value(label, " (", pl_report_text(r->detail, "how"), ")");
}

void tell_error(const struct pl_report_record *r, struct step *step,
		struct label *label)
{
	const char *verb = verb_of(r);

	step->tone = TONE_FAIL;
	if (strcmp(verb, "stream") == 0) {
		label_value(label, "<stream:error> ",
			    pl_report_text(r->detail, "condition"), "");
		label_value(label, " \"", pl_report_text(r->detail, "text"), "\"");
	} else if (strcmp(verb, "deadline") == 0) {
		step->kind = STEP_NOTE;
		label_value(label, "time is up: ",
			    pl_report_text(r->detail, "deadline"), "");
	} else {
		label_value(label, "refused: ", pl_report_text(r->detail, "text"),
			    "");
	}
}
