/* What was reached, stanzas, and ends, as a ladder draws them. */
#include "event.h"

#include <stdio.h>
#include <string.h>

/* ----- established, stanzas, ends ----- */

/* Without names it is the whole of a connection that never told any. */
static bool of_the_pair(const struct pl_ladder *l,
			const struct pl_report_record *r)
{
	const char *local = pl_report_text(r->detail, "local");
	const char *remote = pl_report_text(r->detail, "remote");

	return (*local == '\0' && *remote == '\0') ||
	       (strcmp(remote, l->summary->remote) == 0 &&
		strcmp(local, l->summary->local) == 0);
}

static const char *title_of(const char *name)
{
	enum pl_method method;

	return pl_method_parse(name, &method) ? pl_method_title(method) : name;
}

/* The pair of the trace is told at the end. */
void draw_open(struct pl_ladder *l, const struct pl_report_record *r,
	       size_t index)
{
	char text[TEXT];

	if (of_the_pair(l, r)) {
		l->told = true;
		if (!pen_verbose(l, 1))
			return;
	}
	snprintf(text, sizeof text, "%s and %s are authenticated: %s%s",
		 pl_report_text(r->detail, "local"),
		 pl_report_text(r->detail, "remote"),
		 title_of(pl_report_text(r->detail, "method")),
		 pl_report_true(r->detail, "by_certificate")
			 ? ", verified by certificate" : "");
	pl_draw_note(&l->d, &r->mono_us, ' ', text);
}

void draw_pair_failed(struct pl_ladder *l,
		      const struct pl_report_record *r, size_t index)
{
	char text[TEXT];

	if (of_the_pair(l, r)) {
		l->told = true;
		if (l->trace->end != NULL)
			return;
	}
	snprintf(text, sizeof text, "%s and %s: %s",
		 pl_report_text(r->detail, "local"),
		 pl_report_text(r->detail, "remote"),
		 pl_report_text(r->detail, "why"));
	pl_draw_note(&l->d, &r->mono_us, 'X', text);
}

void draw_gone(struct pl_ladder *l, const struct pl_report_record *r,
	       size_t index)
{
	if (pen_verbose(l, 1))
		pen_note(l, ' ', "%s and %s: the pair ended",
			 pl_report_text(r->detail, "local"),
			 pl_report_text(r->detail, "remote"));
}

void draw_stanza(struct pl_ladder *l, const struct pl_report_record *r,
		 size_t index)
{
	struct pen_text t = { "" };
	const char *type = pl_report_text(r->detail, "type");

	if (!pen_verbose(l, 1))
		return;
	pen_add(&t, "<%s%s%s> %s to %s", pl_report_text(r->detail, "kind"),
		*type ? " " : "", type, pl_report_text(r->detail, "from"),
		pl_report_text(r->detail, "to"));
	pen_arrow(l, r, t.text);
}

/* Without -v an end is drawn where it is news: the peer's, before the
 * outcome. */
static bool end_is_news(const struct pl_ladder *l,
			const struct pl_report_record *r)
{
	return pen_verbose(l, 1) || (pen_is_in(r) && !l->told);
}

void draw_close(struct pl_ladder *l, const struct pl_report_record *r,
		size_t index)
{
	struct pen_text t = { "" };

	if (!end_is_news(l, r))
		return;
	if (pl_report_is(r, "close.stream"))
		pen_add(&t, "</stream>");
	else
		pen_add(&t, "TCP ends (%s)", pl_report_text(r->detail, "how"));
	pen_arrow(l, r, t.text);
}

void draw_stream_error(struct pl_ladder *l,
		       const struct pl_report_record *r, size_t index)
{
	const char *text = pl_report_text(r->detail, "text");
	struct pen_text t = { "" };

	pen_add(&t, "<stream:error %s>", pl_report_text(r->detail, "condition"));
	pen_arrow_bad(l, r, t.text);
	if (*text != '\0')
		pen_note(l, '!', "in %s words: \"%s\"", pen_is_in(r) ? "the peer's"
								     : "our", text);
}

void draw_fault(struct pl_ladder *l, const struct pl_report_record *r,
		size_t index)
{
	char text[TEXT];

	snprintf(text, sizeof text, "what came is refused: %s",
		 pl_report_text(r->detail, "text"));
	pl_draw_note(&l->d, &r->mono_us, 'X', text);
}

void draw_deadline(struct pl_ladder *l,
		   const struct pl_report_record *r, size_t index)
{
	char text[TEXT];

	snprintf(text, sizeof text, "no answer in time (%s; waited %.1f s)",
		 pl_report_text(r->detail, "deadline"),
		 (double)l->waited_us / 1e6);
	pl_draw_note(&l->d, &r->mono_us, 'X', text);
}

void draw_dropped(struct pl_ladder *l, const struct pl_report_record *r,
		  size_t index)
{
	pen_note(l, '!', "%d records are missing here",
		 (int)pl_report_number(r->detail, "count"));
}

void draw_nothing(struct pl_ladder *l, const struct pl_report_record *r,
		  size_t index)
{
}
