/* Keys and their verification, as a ladder draws them. */
#include "event.h"

#include <stdio.h>
#include <string.h>

/* ----- dialback ----- */

static bool same_detail(const struct pl_report_record *a, const char *key_a,
			const struct pl_report_record *b, const char *key_b)
{
	return strcmp(pl_report_text(a->detail, key_a),
		      pl_report_text(b->detail, key_b)) == 0;
}

/* Is a db:verify about this db:result? Its sender is the other's target. */
static bool is_about(const struct pl_report_record *verify,
		     const struct pl_report_record *result)
{
	return result != NULL && same_detail(verify, "from", result, "to") &&
	       same_detail(verify, "to", result, "from");
}

/* The key that is asked about, against the one that went over the other
 * connection for the same pair. */
static void draw_key(struct pl_ladder *l, const struct pl_report_record *r)
{
	const char *key = pl_report_text(r->detail, "key");
	const struct pl_report_record *asked = NULL;
	const char *first;

	for (size_t i = 0; i < 2; i++)
		if (is_about(r, l->asked_by[i]))
			asked = l->asked_by[i];
	if (asked == NULL || *key == '\0')
		return;
	first = pl_report_text(asked->detail, "key");
	if (strcmp(key, first) == 0)
		pen_note(l, ' ', "the same key as on %s", asked->stream);
	else
		pen_note(l, '!', "not the key of %s, which was %s",
			 asked->stream, first);
}

static bool bad_type(const char *type)
{
	return strcmp(type, "error") == 0 || strcmp(type, "invalid") == 0;
}

/* A refused key, and nobody came to ask about it: the first thing to know. */
static void draw_no_callback(struct pl_ladder *l,
			     const struct pl_report_record *r)
{
	const char *type = pl_report_text(r->detail, "type");

	if (!pen_is_in(r) || l->accepted || l->asked == NULL || !bad_type(type))
		return;
	pen_note(l, '!', "nobody connected to us to ask about the key (waited "
		 "%.1f s)", (double)(r->mono_us - l->asked->mono_us) / 1e6);
}

void draw_dialback(struct pl_ladder *l,
		   const struct pl_report_record *r, size_t index)
{
	bool verify = pl_report_is(r, "dialback.verify");
	const char *type = pl_report_text(r->detail, "type");
	const char *condition = pl_report_text(r->detail, "condition");
	const char *key = pl_report_text(r->detail, "key");
	struct pen_text t = { "" };

	if (!verify)
		draw_no_callback(l, r);
	pen_add(&t, "<db:%s", verify ? "verify" : "result");
	if (*condition != '\0')
		pen_add(&t, " %s %s", type, condition);
	else if (*type != '\0')
		pen_add(&t, " type=%s", type);
	pen_add(&t, ">");
	if (*key != '\0')
		pen_add(&t, " %s", key);
	if (verify && *type == '\0')
		pen_add(&t, " id=%s", pl_report_text(r->detail, "id"));
	if (bad_type(type))
		pen_arrow_bad(l, r, t.text);
	else
		pen_arrow(l, r, t.text);
	if (verify && *type == '\0')
		draw_key(l, r);
	else if (!verify && *type == '\0')
		l->asked = l->asked_by[pen_is_in(r)] = r;
}

void draw_ignored(struct pl_ladder *l, const struct pl_report_record *r,
		  size_t index)
{
	pen_note(l, '!', "an answer that nobody asked for: %s",
		 pl_report_text(r->detail, "text"));
}
