/*
 * The table of events: how a ladder draws each, and how the steps of the other
 * drawings tell it. One that is not in it (a later version wrote it) is shown
 * by its summary.
 */
#include "event.h"

#include <string.h>

/* The first that fits counts. What stands at the end, with a dot, is for what
 * else there may be of a stage. */
static const struct drawn_event events[] = {
	{ "trace.begin", draw_nothing, NULL },
	{ "trace.end", draw_nothing, NULL },
	{ "trace.dropped", draw_dropped, NULL },
	{ "dns.query", draw_dns_query, tell_query },
	{ "dns.answer", draw_dns_answer, tell_answer },
	{ "dns.failed", draw_dns_failed, NULL },
	{ "tcp.connect", draw_tcp_connect, tell_connect },
	{ "tcp.connected", draw_tcp_connected, tell_connected },
	{ "tcp.accepted", draw_tcp_accepted, tell_accepted },
	{ "tcp.failed", draw_tcp_failed, NULL },
	{ "tls.start", draw_tls_start, tell_tls_start },
	{ "tls.done", draw_tls_done, tell_tls_done },
	{ "tls.judged", draw_tls_judged, tell_judged },
	{ "tls.failed", draw_tls_failed, NULL },
	{ "tls.close", draw_tls_close, NULL },
	{ "stream.header", draw_header, tell_header },
	{ "stream.element", draw_stream_element, NULL },
	{ "features.offer", draw_features, tell_features },
	{ "starttls.request", draw_starttls, tell_starttls },
	{ "starttls.proceed", draw_starttls, tell_starttls },
	{ "starttls.failure", draw_starttls, tell_starttls },
	{ "sasl.auth", draw_sasl, tell_sasl },
	{ "sasl.challenge", draw_sasl, tell_sasl },
	{ "sasl.response", draw_sasl, tell_sasl },
	{ "sasl.success", draw_sasl, tell_sasl },
	{ "sasl.abort", draw_sasl, tell_sasl },
	{ "sasl.failure", draw_sasl, tell_sasl },
	{ "dialback.result", draw_dialback, tell_dialback },
	{ "dialback.verify", draw_dialback, tell_dialback },
	{ "dialback.ignored", draw_ignored, tell_dialback },
	{ "policy.choice", draw_choice, tell_choice },
	{ "policy.step", draw_step, NULL },
	{ "policy.note", draw_command_note, NULL },
	{ "established.open", draw_open, tell_open },
	{ "established.failed", draw_pair_failed, tell_failed },
	{ "established.gone", draw_gone, NULL },
	{ "stanza.seen", draw_stanza, tell_stanza },
	{ "close.stream", draw_close, tell_close },
	{ "close.tcp", draw_close, tell_close },
	{ "error.stream", draw_stream_error, tell_error },
	{ "error.fault", draw_fault, tell_error },
	{ "error.deadline", draw_deadline, tell_error },
	{ "starttls.", NULL, tell_starttls },
	{ "sasl.", NULL, tell_sasl },
	{ "dialback.", NULL, tell_dialback },
	{ "close.", NULL, tell_close },
	{ "error.", NULL, tell_error },
};

const struct drawn_event *drawn_event(const char *name)
{
	for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
		size_t n = strlen(events[i].name);

		if (events[i].name[n - 1] == '.'
		    ? strncmp(events[i].name, name, n) == 0
		    : strcmp(events[i].name, name) == 0)
			return &events[i];
	}
	return NULL;
}

/* ----- a ladder's record ----- */

static void draw_unknown(struct pl_ladder *l, const struct pl_report_record *r)
{
	if (pen_is_in(r) || strcmp(r->dir, "out") == 0)
		pen_arrow(l, r, r->summary);
	else
		pen_note(l, ' ', "%s: %s", r->event, r->summary);
}

static void draw(struct pl_ladder *l, const struct pl_report_record *r,
		 size_t index)
{
	const struct drawn_event *event = drawn_event(r->event);

	if (event != NULL && event->draw != NULL)
		event->draw(l, r, index);
	else
		draw_unknown(l, r);
}

static void draw_element(struct pl_ladder *l, const struct pl_report_record *r)
{
	if (!pen_verbose(l, 2) || r->raw[0] == '\0')
		return;
	pl_draw_raw(&l->d, r->raw);
	if (r->trunc > 0)
		pen_note(l, ' ', "(%zu more bytes were not kept)", r->trunc);
}

void pl_ladder_event(struct pl_ladder *ladder, size_t index)
{
	const struct pl_report_record *r = &ladder->trace->records[index];
	struct pl_ladder_stream *stream = pen_stream(ladder, r);

	if (strncmp(r->event, "tcp.connect", 11) == 0)
		stream->dialled = true;
	else if (!stream->known)
		stream->dialled = strcmp(r->role, "initiator") == 0;
	if (pl_report_is(r, "tcp.accepted")) {
		stream->dialled = false;
		ladder->accepted |= strcmp(r->stream, "s1") != 0;
	}
	stream->known = true;
	ladder->waited_us = stream->timed && r->mono_us > stream->last_us
				    ? r->mono_us - stream->last_us : 0;
	if (pl_report_is(r, "policy.step")) {
		draw(ladder, r, index);
		return;
	}
	stream->hidden = false;
	draw(ladder, r, index);
	if (stream->hidden)
		return;
	draw_element(ladder, r);
	stream->timed = true;
	stream->last_us = r->mono_us;
}
