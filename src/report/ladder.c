/*
 * The ladder: a negotiation as lines between two lifelines, with its end in
 * words. The left lifeline is always ours.
 */
#include "ladder.h"

#include <stdio.h>
#include <string.h>

/* ----- the head ----- */

static void draw_policy(struct pl_pieces *p, const struct pl_report_summary *s)
{
	enum pl_method methods[3];
	size_t count;
	char text[128] = "none: this row is not valid";

	if (s->component) {
		pl_pieces_add(p, "a local service (XEP-0114)");
		return;
	}
	if (s->row == 0) {
		pl_pieces_add(p, "policy: not known");
		return;
	}
	pl_pieces_add(p, "policy tls=%s sasl=%s dialback=%s (row %d)",
		      pl_level_name((enum pl_level)s->policy.tls),
		      pl_level_name((enum pl_level)s->policy.sasl),
		      s->policy.dialback ? "yes" : "no", s->row);
	count = pl_policy_methods(&s->policy, methods);
	for (size_t i = 0, used = 0; i < count; i++)
		used += (size_t)snprintf(text + used, sizeof text - used,
					 "%s%s", i > 0 ? " | " : "",
					 pl_method_title(methods[i]));
	pl_pieces_add(p, "expect: %s", text);
}

static void draw_top(struct pl_ladder *l)
{
	const struct pl_report_summary *s = l->summary;
	struct pl_pieces p;

	pl_pieces_begin(&p, &l->d, PL_TONE_PLAIN, 2);
	pl_pieces_add(&p, "%s -> %s%s", s->incoming ? s->remote : s->local,
		      s->incoming ? s->local : s->remote,
		      s->incoming ? " (incoming)" : "");
	if (l->trace->all_count > 0)
		pl_pieces_add(&p, "%.10s %.8s UTC", l->trace->all[0].ts,
			      l->trace->all[0].ts + 11);
	draw_policy(&p, s);
	pl_pieces_end(&p);
	pl_draw_put(&l->d, "\n");
}

/* What can stand before the lifelines: the first look-up. */
static bool before_heads(const struct pl_report_record *r)
{
	return strcmp(r->dir, "dns") == 0 || pl_report_is(r, "trace.begin");
}

/* trace.end alone, after a look-up that failed, needs no lifelines. */
static bool needs_heads(const struct pl_report_record *r)
{
	return !before_heads(r) && !pl_report_is(r, "trace.end") &&
	       strcmp(r->stage, "established") != 0;
}

static void draw_heads(struct pl_ladder *l)
{
	const struct pl_report_summary *s = l->summary;
	char left[300], right[400];

	snprintf(left, sizeof left, "%s (us)", s->local);
	snprintf(right, sizeof right, "%s%s%s", s->remote,
		 s->addr[0] != '\0' ? " " : "", s->addr);
	/* Better no address than half of one. */
	if (pl_report_cells(left) + pl_report_cells(right) + 2 >
	    l->d.width - PL_DRAW_GUTTER)
		snprintf(right, sizeof right, "%s", s->remote);
	pl_draw_heads(&l->d, left, right);
	l->heads = true;
}

/* ----- the end ----- */

/* Those that took that long at least. */
static void name_stages(const struct pl_report_summary *s, uint64_t least,
			char *out, size_t size)
{
	size_t used = 0;

	*out = '\0';
	for (size_t i = 0; i < s->stages_count && used < size; i++) {
		uint64_t us = s->stages[i].us;

		if (us < least)
			continue;
		used += (size_t)snprintf(out + used, size - used,
					 us < 9950 ? "%s%s %.1f" : "%s%s %.0f",
					 used > 0 ? ", " : "",
					 s->stages[i].name, (double)us / 1e3);
	}
}

/* On one line: the longest ones, if there are too many. */
static void draw_stages(struct pl_pieces *p, const struct pl_report_summary *s)
{
	uint64_t least = 100;
	char text[512];

	name_stages(s, least, text, sizeof text);
	while (strlen(text) + 5 > p->d->width - p->indent) {
		least *= 2;
		name_stages(s, least, text, sizeof text);
	}
	if (text[0] != '\0')
		pl_pieces_add(p, "(%s ms)", text);
}

static void draw_total(struct pl_pieces *p, const struct pl_report_summary *s,
		       const char *word)
{
	if (s->total_us < 1000000)
		pl_pieces_add(p, "%s %.0f ms", word,
			      (double)s->total_us / 1e3);
	else
		pl_pieces_add(p, "%s %.1f s", word, (double)s->total_us / 1e6);
}

static void draw_tail(struct pl_ladder *l, struct pl_pieces *p)
{
	pl_pieces_add(p, "trace %s", l->trace->id);
	pl_pieces_add(p, "exit %d", l->summary->exit_status);
	pl_pieces_end(p);
}

/* What was said of the key that somebody asked about. */
static const char *answer_given(const struct pl_report_trace *trace)
{
	const char *answer = "not answered";

	for (size_t i = 0; i < trace->all_count; i++) {
		const struct pl_report_record *r = &trace->all[i];
		const char *type = pl_report_text(r->detail, "type");

		if (pl_report_is(r, "dialback.verify") && *type != '\0' &&
		    strcmp(r->dir, "out") == 0)
			answer = type;
	}
	return answer;
}

static void draw_good(struct pl_ladder *l, struct pl_pieces *p)
{
	const struct pl_report_summary *s = l->summary;

	pl_pieces_begin(p, &l->d, PL_TONE_OK, 4);
	if (s->component)
		pl_pieces_add(p, "OK  the component is attached");
	else if (strcmp(s->result, "served") == 0)
		pl_pieces_add(p, "OK  a key was asked about: %s",
			      answer_given(l->trace));
	else
		pl_pieces_add(p, "OK  method: %s", pl_method_title(s->method));
	draw_total(p, s, "in");
	draw_stages(p, s);
	draw_tail(l, p);
}

static void draw_four(struct pl_ladder *l)
{
	const struct pl_report_summary *s = l->summary;
	char label[300];

	if (s->component) {
		pl_draw_labelled(&l->d, PL_TONE_PLAIN, "first step:",
				 s->first_step);
		return;
	}
	snprintf(label, sizeof label, "%s %s:", s->remote,
		 s->incoming ? "uses" : "offers");
	if (pl_report_cells(label) > 15)
		snprintf(label, sizeof label, s->incoming ? "the peer uses:"
							  : "peer offers:");
	pl_draw_labelled(&l->d, PL_TONE_PLAIN, label, s->offers);
	pl_draw_labelled(&l->d, PL_TONE_PLAIN, "you require:", s->requires);
	pl_draw_labelled(&l->d, PL_TONE_PLAIN, "would work:", s->would_work);
	pl_draw_labelled(&l->d, PL_TONE_PLAIN, "first step:", s->first_step);
}

static const char *who_acts(const struct pl_report_summary *s)
{
	return strcmp(s->side, "us") == 0 ? "our side must act"
	     : strcmp(s->side, "peer") == 0 ? "the peer must act"
	     : strcmp(s->side, "network") == 0 ? "the network is at fault"
	     : "either side may act";
}

static void draw_failed(struct pl_ladder *l, struct pl_pieces *p)
{
	const struct pl_report_summary *s = l->summary;
	bool known = s->code != PL_CODE_NONE;
	const char *code = pl_report_text(l->trace->end, "code");

	pl_pieces_begin(p, &l->d, PL_TONE_FAIL, 4);
	pl_pieces_add(p, "FAIL  stage %s",
		      known ? pl_stage_name(s->stage) : "not known");
	pl_pieces_add(p, "%s", known ? pl_code_entry(s->code)->name
				     : *code != '\0' ? code : "no code");
	if (known)
		pl_pieces_add(p, "%s", who_acts(s));
	draw_total(p, s, "after");
	draw_tail(l, p);
	pl_draw_labelled(&l->d, PL_TONE_PLAIN, "why:",
			 known ? s->why : "this parley does not know the code");
	draw_four(l);
}

static void draw_unfinished(struct pl_ladder *l, struct pl_pieces *p)
{
	pl_pieces_begin(p, &l->d, PL_TONE_WARN, 4);
	pl_pieces_add(p, "INCOMPLETE");
	draw_total(p, l->summary, "up to");
	draw_tail(l, p);
	if (l->summary->code == PL_CODE_NONE)
		return;
	pl_draw_labelled(&l->d, PL_TONE_PLAIN, "why:", l->summary->why);
	draw_four(l);
}

/* What is no failure and should be known all the same. */
static void draw_findings(struct pl_ladder *l)
{
	const struct pl_report_summary *s = l->summary;
	char text[1024];

	for (size_t i = 0; i < s->findings_count; i++) {
		const struct pl_report_finding *f = &s->findings[i];
		bool warn = strcmp(f->severity, "warn") == 0;

		if (strcmp(f->severity, "error") == 0 ||
		    (!warn && l->d.look->verbose == 0))
			continue;
		snprintf(text, sizeof text, "%s: %s%s%s", f->code, f->text,
			 f->remedy[0] != '\0' ? "; " : "", f->remedy);
		pl_draw_labelled(&l->d, warn ? PL_TONE_WARN : PL_TONE_PLAIN,
				 warn ? "WARN" : "note", text);
	}
}

static void draw_end(struct pl_ladder *l)
{
	const struct pl_report_summary *s = l->summary;
	struct pl_pieces p;

	pl_draw_put(&l->d, "\n");
	if (strcmp(s->result, "negotiated") == 0 ||
	    strcmp(s->result, "served") == 0)
		draw_good(l, &p);
	else if (strcmp(s->result, "failed") == 0)
		draw_failed(l, &p);
	else
		draw_unfinished(l, &p);
	draw_findings(l);
}

bool pl_report_ladder(struct pl_buffer *out, const struct pl_report_trace *trace,
		      const struct pl_report_look *look)
{
	struct pl_report_summary summary;
	struct pl_ladder ladder = { .trace = trace, .summary = &summary };

	pl_report_summarise(trace, &summary);
	pl_draw_begin(&ladder.d, out, look);
	draw_top(&ladder);
	for (size_t i = 0; i < trace->count; i++) {
		if (!ladder.heads && needs_heads(&trace->records[i]))
			draw_heads(&ladder);
		pl_ladder_event(&ladder, i);
	}
	draw_end(&ladder);
	return !ladder.d.full;
}
