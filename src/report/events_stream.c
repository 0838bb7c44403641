/* Headers, features, STARTTLS and SASL, as a ladder draws them. */
#include "event.h"

#include <stdio.h>
#include <string.h>

/* ----- stream and features ----- */

/* The dialling side's header is drawn; the other one answers it, and where its
 * features follow they are enough. */
void draw_header(struct pl_ladder *l, const struct pl_report_record *r,
		 size_t index)
{
	bool answers = pen_is_in(r) == pen_stream(l, r)->dialled;
	const struct pl_report_record *next = pen_next(l, index);
	const char *id = pl_report_text(r->detail, "id");
	struct pen_text t = { "" };

	if (answers && !pen_verbose(l, 1) && next != NULL &&
	    pl_report_is(next, "features.offer") &&
	    strcmp(next->dir, r->dir) == 0) {
		pen_stream(l, r)->hidden = true;
		return;
	}
	if (l->summary->component && !pen_is_in(r)) /* has no to (XEP-0114 3) */
		pen_add(&t, "<stream> from=%s", pl_report_text(r->detail, "from"));
	else
		pen_add(&t, "<stream> to=%s", pl_report_text(r->detail, "to"));
	pen_arrow(l, r, t.text);
	if (!pen_verbose(l, 1))
		return;
	if (l->summary->component) {
		if (*id != '\0')
			pen_note(l, ' ', "id=%s", id);
		return;
	}
	pen_note(l, ' ', "from=%s%s%s version=%s dialback=%s",
		 pl_report_text(r->detail, "from"), *id ? " id=" : "", id,
		 pl_report_text(r->detail, "version"),
		 pl_report_true(r->detail, "dialback") ? "yes" : "no");
}

void draw_features(struct pl_ladder *l,
		   const struct pl_report_record *r, size_t index)
{
	struct pen_text t = { "<features> " }, more = { "" };
	const json_t *value;
	bool first = true;
	size_t i;

	if (pl_report_true(r->detail, "starttls"))
		pen_listed(&t, &first, pl_report_true(r->detail, "required")
					       ? "STARTTLS (required)"
					       : "STARTTLS");
	json_array_foreach(json_object_get(r->detail, "mechanisms"), i, value)
		if (json_is_string(value) && i < 8)
			pen_listed(&t, &first, json_string_value(value));
	if (pl_report_true(r->detail, "dialback"))
		pen_listed(&t, &first, "dialback");
	if (first)
		pen_add(&t, "(none for us)");
	pen_arrow(l, r, t.text);
	first = true;
	json_array_foreach(json_object_get(r->detail, "others"), i, value)
		pen_listed(&more, &first, pl_report_text(value, "name"));
	if (pen_verbose(l, 1) && !first)
		pen_note(l, ' ', "also: %s", more.text);
}

/* Of a component: its proof, and that it is accepted. Waits behind that are its
 * own business. */
static void draw_handshake(struct pl_ladder *l, const struct pl_report_record *r)
{
	const char *name = pl_report_text(r->detail, "name");
	const char *key = strstr(r->raw, "[key#");
	struct pen_text t = { "" };

	if (strcmp(name, "handshake") != 0)
		pen_add(&t, "<%s>", name);
	else if (pen_is_in(r))
		pen_add(&t, "<handshake>%s%.10s", key ? " " : "", key ? key : "");
	else
		pen_add(&t, "<handshake/> (accepted)");
	pen_arrow(l, r, t.text);
	l->told = l->told || !pen_is_in(r);
}

void draw_stream_element(struct pl_ladder *l,
			 const struct pl_report_record *r, size_t index)
{
	struct pen_text t = { "" };

	if (l->summary->component) {
		draw_handshake(l, r);
		return;
	}
	pen_add(&t, "<%s> (means nothing here)", pl_report_text(r->detail, "name"));
	pen_arrow(l, r, t.text);
}

/* ----- starttls and sasl ----- */

void draw_starttls(struct pl_ladder *l,
		   const struct pl_report_record *r, size_t index)
{
	if (pl_report_is(r, "starttls.request"))
		pen_arrow(l, r, "<starttls/>");
	else if (pl_report_is(r, "starttls.proceed"))
		pen_arrow(l, r, "<proceed/>");
	else
		pen_arrow_bad(l, r, "<failure/> of STARTTLS");
}

void draw_sasl(struct pl_ladder *l, const struct pl_report_record *r,
	       size_t index)
{
	const char *verb = strchr(r->event, '.') + 1;
	const char *mech = pl_report_text(r->detail, "mech");
	const char *authzid = pl_report_text(r->detail, "authzid");
	const char *text = pl_report_text(r->detail, "text");
	struct pen_text t = { "" };

	if (strcmp(verb, "auth") == 0)
		pen_add(&t, "<auth %s>%s%s", mech, *authzid ? " as " : "",
			authzid);
	else if (strcmp(verb, "failure") == 0)
		pen_add(&t, "<failure %s> of SASL",
			pl_report_text(r->detail, "condition"));
	else
		pen_add(&t, "<%s/>%s%s", verb, *authzid ? " for " : "", authzid);
	if (strcmp(verb, "failure") == 0)
		pen_arrow_bad(l, r, t.text);
	else
		pen_arrow(l, r, t.text);
	if (*text != '\0')
		pen_note(l, '!', "in %s words: \"%s\"", pen_is_in(r) ? "the peer's"
								     : "our", text);
}
