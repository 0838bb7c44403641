/*
 * event.h: one table of the events of a trace (events.c). Inside of the room
 * report.
 *
 *     ladder.c -> pl_ladder_event -> drawn_event -> draw (events_*.c), with a pen
 *     steps.c  -> step_of         -> drawn_event -> tell (tellers.c), a label
 */
#ifndef PARLEY_REPORT_EVENT_H
#define PARLEY_REPORT_EVENT_H

#include "ladder.h"

struct step;
struct label;

/* Draws a record, or nothing of it. */
typedef void drawer(struct pl_ladder *l, const struct pl_report_record *r,
		    size_t index);
/* How a step is told; the label is empty when it comes, and the record's
 * summary stands in where it stays so. */
typedef void teller(const struct pl_report_record *record, struct step *step,
		    struct label *label);

struct drawn_event {
	const char *name; /* or "stage." for all of the stage */
	drawer *draw;     /* NULL: by its summary, as the next */
	teller *tell;
};

/* NULL: it is not in the table. */
const struct drawn_event *drawn_event(const char *name);

/* events_dialback.c */
drawer draw_dialback, draw_ignored;
/* events_dns.c */
drawer draw_dns_answer, draw_dns_query, draw_dns_failed, draw_tcp_connect,
	draw_tcp_connected, draw_tcp_accepted, draw_tcp_failed;
/* events_end.c */
drawer draw_open, draw_pair_failed, draw_gone, draw_stanza, draw_close,
	draw_stream_error, draw_fault, draw_deadline, draw_dropped,
	draw_nothing;
/* events_policy.c */
drawer draw_choice, draw_command_note, draw_step;
/* events_stream.c */
drawer draw_header, draw_features, draw_stream_element, draw_starttls,
	draw_sasl;
/* events_tls.c */
drawer draw_tls_start, draw_tls_done, draw_tls_judged, draw_tls_failed,
	draw_tls_close;
/* tellers.c */
teller tell_query, tell_answer, tell_connect, tell_connected, tell_accepted,
	tell_tls_start, tell_tls_done, tell_judged, tell_header,
	tell_features, tell_starttls, tell_sasl, tell_dialback, tell_choice,
	tell_open, tell_failed, tell_stanza, tell_close, tell_error;

/* ----- what a ladder's record is drawn with (events_pen.c) ----- */

enum { TEXT = 2048, LONG_US = 20000 };

struct pen_text {
	char text[TEXT];
};
void pen_add(struct pen_text *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* A comma before all but the first. */
void pen_listed(struct pen_text *t, bool *first, const char *text);

bool pen_verbose(const struct pl_ladder *l, unsigned level);
bool pen_is_in(const struct pl_report_record *r);
struct pl_ladder_stream *pen_stream(struct pl_ladder *l,
				    const struct pl_report_record *r);
/* The next record of the same connection, if it is near. */
const struct pl_report_record *pen_next(const struct pl_ladder *l,
					size_t index);
bool pen_next_is(const struct pl_ladder *l, size_t index, const char *event);

void pen_arrow(struct pl_ladder *l, const struct pl_report_record *r,
	       const char *text);
/* An element that says no. */
void pen_arrow_bad(struct pl_ladder *l, const struct pl_report_record *r,
		   const char *text);
void pen_arrow_timed(struct pl_ladder *l, const struct pl_report_record *r,
		     enum pl_way way, enum pl_tone tone, uint64_t us,
		     const char *text);
void pen_note(struct pl_ladder *l, char mark, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* ----- labels of steps (tellers.c) ----- */

struct label {
	char text[512];
	size_t length;
};
void label_add(struct label *label, const char *text);
/* A value of a peer, visible and cut; nothing where it is empty. */
void label_value(struct label *label, const char *before, const char *value,
		 const char *behind);
void label_summary(struct label *label, const struct pl_report_record *record);

#endif
