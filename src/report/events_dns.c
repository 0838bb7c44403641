/* Looking up and connecting, as a ladder draws it. */
#include "event.h"

#include <stdio.h>
#include <string.h>

enum {
	TARGETS = 6,   /* shown without -v */
	FURTHER = 512, /* records: where a connection is told apart */
};

/* ----- dns ----- */

static void draw_target(struct pl_ladder *l, const uint64_t *us,
			const json_t *target)
{
	struct pen_text t = { "" };
	const json_t *value;
	bool first = true;
	size_t i;

	pen_add(&t, "%s:%d", pl_report_text(target, "host"),
		(int)pl_report_number(target, "port"));
	if (pl_report_true(target, "direct_tls"))
		pen_add(&t, " direct TLS");
	pen_add(&t, "  ");
	json_array_foreach(json_object_get(target, "addresses"), i, value)
		if (json_is_string(value))
			pen_listed(&t, &first, json_string_value(value));
	if (first)
		pen_add(&t, "no address");
	if (pl_report_true(target, "srv"))
		pen_add(&t, "  SRV %d %d", (int)pl_report_number(target,
								 "priority"),
			(int)pl_report_number(target, "weight"));
	else
		pen_add(&t, "  no SRV record");
	pen_add(&t, pl_report_true(target, "secure") ? " (secure)"
						     : " (not secure)");
	json_array_foreach(json_object_get(target, "tlsa"), i, value)
		if (json_is_string(value))
			pen_add(&t, "  TLSA %.*s", pen_verbose(l, 1) ? 80 : 5,
				json_string_value(value));
	pl_draw_side(&l->d, us, "dns", ' ', t.text);
}

void draw_dns_answer(struct pl_ladder *l,
		     const struct pl_report_record *r, size_t index)
{
	const json_t *targets = json_object_get(r->detail, "targets"), *target;
	size_t most = pen_verbose(l, 1) ? 64 : TARGETS, i;
	struct pen_text t = { "" };

	json_array_foreach(targets, i, target) {
		if (i == most)
			break;
		draw_target(l, i == 0 ? &r->mono_us : NULL, target);
	}
	if (json_array_size(targets) > most) {
		pen_add(&t, "and %zu more", json_array_size(targets) - most);
		pl_draw_side(&l->d, NULL, "", ' ', t.text);
	}
	if (json_array_size(targets) == 0)
		pl_draw_side(&l->d, &r->mono_us, "dns", ' ',
			     pl_report_text(r->detail, "text"));
}

void draw_dns_query(struct pl_ladder *l,
		    const struct pl_report_record *r, size_t index)
{
	if (pen_verbose(l, 1) || (!pen_next_is(l, index, "dns.answer") &&
				  !pen_next_is(l, index, "dns.failed")))
		pl_draw_side(&l->d, &r->mono_us, "dns", ' ', r->summary);
}

void draw_dns_failed(struct pl_ladder *l,
		     const struct pl_report_record *r, size_t index)
{
	pl_draw_side(&l->d, &r->mono_us, "dns", 'X',
		     pl_report_text(r->detail, "text"));
}

/* ----- tcp ----- */

/* What a further connection is there for shows later: does that come on it? */
static bool comes(const struct pl_ladder *l, size_t index, const char *event)
{
	const struct pl_report_record *r = &l->trace->records[index];

	for (size_t i = 1; i <= FURTHER && index + i < l->trace->count; i++)
		if (strcmp(r[i].stream, r->stream) == 0 &&
		    pl_report_is(&r[i], event) && pen_is_in(&r[i]))
			return true;
	return false;
}

static void draw_reason(struct pl_ladder *l, const struct pl_report_record *r,
			size_t index)
{
	bool dialled = pen_stream(l, r)->dialled;

	if (strcmp(r->stream, "s1") == 0)
		return;
	if (r->parent[0] == '\0')
		pen_note(l, ' ', "%s", dialled ? "another try"
					       : "another connection");
	else if (dialled)
		pen_note(l, ' ', "%s: we ask the server of %s whether it made "
			 "the key on %s", r->stream, r->to, r->parent);
	else if (strcmp(r->role, "authoritative") == 0 ||
		 comes(l, index, "dialback.verify"))
		pen_note(l, ' ', "%s: the peer dials back to ask whether we made "
			 "the key on %s", r->stream, r->parent);
	else if (comes(l, index, "stream.header"))
		pen_note(l, ' ', "%s: the peer's own stream to us", r->stream);
}

void draw_tcp_connect(struct pl_ladder *l,
		      const struct pl_report_record *r, size_t index)
{
	struct pen_text t = { "" };

	if (pen_next_is(l, index, "tcp.connected") && !pen_verbose(l, 1))
		return;
	pen_add(&t, "TCP connect to %s:%d", pl_report_text(r->detail, "host"),
		(int)pl_report_number(r->detail, "port"));
	pen_arrow(l, r, t.text);
}

void draw_tcp_connected(struct pl_ladder *l,
			const struct pl_report_record *r, size_t index)
{
	struct pen_text t = { "" };

	pen_add(&t, "TCP connect");
	if (strcmp(r->stream, "s1") != 0)
		pen_add(&t, " %s", pl_report_text(r->detail, "addr"));
	pen_arrow_timed(l, r, PL_WAY_OUT, PL_TONE_OUT,
			(uint64_t)pl_report_number(r->detail, "us"), t.text);
	draw_reason(l, r, index);
}

void draw_tcp_accepted(struct pl_ladder *l,
		       const struct pl_report_record *r, size_t index)
{
	struct pen_text t = { "" };

	pen_add(&t, "TCP connect from %s", pl_report_text(r->detail, "addr"));
	pen_arrow_timed(l, r, PL_WAY_IN, PL_TONE_IN, 0, t.text);
	draw_reason(l, r, index);
}

void draw_tcp_failed(struct pl_ladder *l,
		     const struct pl_report_record *r, size_t index)
{
	char text[TEXT];

	snprintf(text, sizeof text, "TCP to %s: %s",
		 pl_report_text(r->detail, "addr"),
		 pl_report_text(r->detail, "text"));
	pl_draw_note(&l->d, &r->mono_us, 'X', text);
}
