/*
 * draw.h: lines of a ladder. Inside of the room report.
 *
 *       +0.004  s1  |---- text ------------------------>|  2.1 ms
 *       +0.006      |  a note, wrapped
 *     ^ gutter      ^ lifeline                          ^ lifeline
 *
 * No line is wider than the look says, in columns; colour is put around marks
 * and arrows alone and takes no column.
 */
#ifndef PARLEY_REPORT_DRAW_H
#define PARLEY_REPORT_DRAW_H

#include "internal.h"

enum pl_tone { PL_TONE_PLAIN, PL_TONE_OUT, PL_TONE_IN, PL_TONE_OK,
	       PL_TONE_WARN, PL_TONE_FAIL };

enum { PL_DRAW_GUTTER = 14 }; /* columns before the left lifeline */

struct pl_drawing {
	struct pl_buffer *out;
	const struct pl_report_look *look;
	unsigned width, arrow, behind; /* columns: all, between the lifelines,
	                                * behind the right one */
	bool full;
};

void pl_draw_begin(struct pl_drawing *d, struct pl_buffer *out,
		   const struct pl_report_look *look);

/* As it is: no foreign text. */
void pl_draw_put(struct pl_drawing *d, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void pl_draw_tone(struct pl_drawing *d, enum pl_tone tone, const char *text);

/* Which way an arrow points. */
enum pl_way { PL_WAY_OUT, PL_WAY_IN, PL_WAY_BOTH };

/* One arrow; text is foreign, behind is ours. time NULL: no time. */
void pl_draw_arrow(struct pl_drawing *d, const uint64_t *us,
		   const char *stream, enum pl_way way, bool encrypted,
		   enum pl_tone tone, const char *text, const char *behind);

/* A note beside the left lifeline, foreign text, wrapped. mark: ' ', '!', 'X'.
 * us NULL: no time. */
void pl_draw_note(struct pl_drawing *d, const uint64_t *us, char mark,
		  const char *text);
/* An element as it was sent, below its arrow. */
void pl_draw_raw(struct pl_drawing *d, const char *text);
/* A line before the lifelines: label and foreign text, wrapped. */
void pl_draw_side(struct pl_drawing *d, const uint64_t *us, const char *label,
		  char mark, const char *text);
/* Who stands at the lifelines. */
void pl_draw_heads(struct pl_drawing *d, const char *left, const char *right);
/* "  label:   text", wrapped behind the label. */
void pl_draw_labelled(struct pl_drawing *d, enum pl_tone tone,
		      const char *label, const char *text);

/* Pieces that stand side by side as long as they fit. */
struct pl_pieces {
	struct pl_drawing *d;
	unsigned used, indent;
	enum pl_tone tone; /* of the first */
};
void pl_pieces_begin(struct pl_pieces *p, struct pl_drawing *d,
		     enum pl_tone first, unsigned indent);
void pl_pieces_add(struct pl_pieces *p, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void pl_pieces_end(struct pl_pieces *p);

#endif
