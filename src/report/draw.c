/* Lines of a ladder. */
#include "draw.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAD = 4, LABEL = 17, NARROWEST = 80, WIDEST = 132 };

void pl_draw_begin(struct pl_drawing *d, struct pl_buffer *out,
		   const struct pl_report_look *look)
{
	unsigned width = look->width < NARROWEST ? NARROWEST
		       : look->width > WIDEST ? WIDEST : look->width;

	memset(d, 0, sizeof *d);
	d->out = out;
	d->look = look;
	d->width = width;
	d->behind = 13 + (width - NARROWEST) / 8;
	d->arrow = width - PL_DRAW_GUTTER - 2 - d->behind;
}

/* ----- bytes ----- */

static void put_bytes(struct pl_drawing *d, const char *text, size_t length)
{
	if (!pl_buffer_append(d->out, text, length))
		d->full = true;
}

static void put_text(struct pl_drawing *d, const char *text)
{
	put_bytes(d, text, strlen(text));
}

void pl_draw_put(struct pl_drawing *d, const char *format, ...)
{
	char text[1024];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	put_text(d, text);
}

static void put_many(struct pl_drawing *d, const char *text, unsigned times)
{
	while (times-- > 0)
		put_text(d, text);
}

static void begin_tone(struct pl_drawing *d, enum pl_tone tone)
{
	static const char *const codes[] = {
		[PL_TONE_PLAIN] = "", [PL_TONE_OUT] = "36",
		[PL_TONE_IN] = "35", [PL_TONE_OK] = "1;32",
		[PL_TONE_WARN] = "33", [PL_TONE_FAIL] = "1;31",
	};

	if (d->look->colour && tone != PL_TONE_PLAIN)
		pl_draw_put(d, "\x1b[%sm", codes[tone]);
}

static void end_tone(struct pl_drawing *d, enum pl_tone tone)
{
	if (d->look->colour && tone != PL_TONE_PLAIN)
		put_text(d, "\x1b[0m");
}

void pl_draw_tone(struct pl_drawing *d, enum pl_tone tone, const char *text)
{
	begin_tone(d, tone);
	put_text(d, text);
	end_tone(d, tone);
}

/* ----- the gutter: time and connection ----- */

static void put_gutter(struct pl_drawing *d, const uint64_t *us,
		       const char *stream)
{
	char time[32] = "";

	if (us != NULL && *us < 100000000000)
		snprintf(time, sizeof time, "+%llu.%03llu",
			 (unsigned long long)(*us / 1000000),
			 (unsigned long long)(*us / 1000 % 1000));
	pl_draw_put(d, "%9.9s %-4.4s", time, stream);
}

static const char *lifeline(const struct pl_drawing *d)
{
	return d->look->unicode ? "│" : "|";
}

/* ----- arrows ----- */

struct pen {
	const char *line, *left, *right;
};

static struct pen pen_of(const struct pl_drawing *d, bool encrypted)
{
	if (!d->look->unicode)
		return (struct pen){ encrypted ? "=" : "-", "<", ">" };
	return (struct pen){ encrypted ? "═" : "─", "◄", "►" };
}

void pl_draw_arrow(struct pl_drawing *d, const uint64_t *us,
		   const char *stream, enum pl_way way, bool encrypted,
		   enum pl_tone tone, const char *text, const char *behind)
{
	struct pen pen = pen_of(d, encrypted);
	char plain[1024], short_text[1024];
	unsigned room = d->arrow - LEAD - 4, cells;
	size_t fit;

	pl_report_plain(plain, sizeof plain, text, d->look->unicode);
	cells = pl_report_cells(plain);
	if (cells > room) {
		fit = pl_report_fit(plain, room - 3);
		snprintf(short_text, sizeof short_text, "%.*s...", (int)fit,
			 plain);
	} else {
		snprintf(short_text, sizeof short_text, "%s", plain);
	}
	cells = pl_report_cells(short_text);
	put_gutter(d, us, stream);
	put_text(d, lifeline(d));
	begin_tone(d, tone);
	put_text(d, way == PL_WAY_IN ? pen.left : pen.line);
	put_many(d, pen.line, LEAD - 1);
	pl_draw_put(d, " %s ", short_text);
	put_many(d, pen.line, d->arrow - LEAD - 2 - cells - 1);
	put_text(d, way == PL_WAY_OUT ? pen.right : pen.line);
	end_tone(d, tone);
	put_text(d, lifeline(d));
	if (behind != NULL && *behind != '\0')
		pl_draw_put(d, " %.*s", (int)d->behind - 1, behind);
	put_text(d, "\n");
}

/* ----- running text ----- */

/* One line of it; returns what is left, without the space at the break. */
static const char *put_line(struct pl_drawing *d, const char *text,
			    unsigned cells)
{
	size_t length = pl_report_break(text, cells), shown = length;

	while (shown > 0 && text[shown - 1] == ' ')
		shown--;
	put_bytes(d, text, shown);
	put_text(d, "\n");
	text += length;
	while (*text == ' ')
		text++;
	return text;
}

static enum pl_tone tone_of(char mark)
{
	return mark == '!' ? PL_TONE_WARN : mark == 'X' ? PL_TONE_FAIL
						       : PL_TONE_PLAIN;
}

static void put_mark(struct pl_drawing *d, char mark)
{
	char text[2] = { mark, '\0' };

	pl_draw_tone(d, tone_of(mark), text);
}

/* A peer may be wordy; -vv shows all. */
static unsigned most_lines(const struct pl_drawing *d)
{
	return d->look->verbose < 2 ? 6 : 200;
}

void pl_draw_note(struct pl_drawing *d, const uint64_t *us, char mark,
		  const char *text)
{
	char plain[4096];
	const char *left = plain;
	unsigned room = d->width - PL_DRAW_GUTTER - 3;

	pl_report_plain(plain, sizeof plain, text, d->look->unicode);
	put_gutter(d, us, "");
	/* An X stands on the lifeline: here it ends badly. */
	put_text(d, mark == 'X' ? "" : lifeline(d));
	put_mark(d, mark);
	put_text(d, mark == 'X' ? "  " : " ");
	left = put_line(d, left, room);
	for (unsigned lines = 1; *left != '\0'; lines++) {
		put_gutter(d, NULL, "");
		pl_draw_put(d, "%s    ", lifeline(d));
		if (lines == most_lines(d)) {
			put_text(d, "...\n");
			return;
		}
		left = put_line(d, left, room - 2);
	}
}

void pl_draw_raw(struct pl_drawing *d, const char *text)
{
	unsigned room = d->width - PL_DRAW_GUTTER - 3;
	char *plain = calloc(1, strlen(text) * 6 + 8);
	const char *left = plain;

	if (plain == NULL) {
		d->full = true;
		return;
	}
	pl_text_printable(plain, strlen(text) * 6 + 8, text, strlen(text));
	while (*left != '\0') {
		char line[1024], ascii[1024];
		size_t fit = pl_report_fit(left, room);

		snprintf(line, sizeof line, "%.*s", (int)fit, left);
		pl_report_plain(ascii, sizeof ascii, line, d->look->unicode);
		/* Escaped, it may have grown: as much as fits is shown. */
		while (pl_report_cells(ascii) > room && fit > 1) {
			fit = pl_report_fit(left, pl_report_cells(line) / 2);
			snprintf(line, sizeof line, "%.*s", (int)fit, left);
			pl_report_plain(ascii, sizeof ascii, line,
					d->look->unicode);
		}
		put_gutter(d, NULL, "");
		pl_draw_put(d, "%s  %s\n", lifeline(d), ascii);
		left += fit;
	}
	free(plain);
}

void pl_draw_side(struct pl_drawing *d, const uint64_t *us, const char *label,
		  char mark, const char *text)
{
	char plain[4096];
	const char *left = plain;
	unsigned room = d->width - PL_DRAW_GUTTER - (mark == ' ' ? 0 : 2);

	pl_report_plain(plain, sizeof plain, text, d->look->unicode);
	put_gutter(d, us, label);
	if (mark != ' ') {
		put_mark(d, mark);
		put_text(d, " ");
	}
	left = put_line(d, left, room);
	for (unsigned lines = 1; *left != '\0'; lines++) {
		put_gutter(d, NULL, "");
		put_text(d, "  ");
		if (lines == most_lines(d)) {
			put_text(d, "...\n");
			return;
		}
		left = put_line(d, left, d->width - PL_DRAW_GUTTER - 2);
	}
}

/* ----- heads and labels ----- */

/* Foreign text, cut to so many columns. */
static void shorten(const struct pl_drawing *d, char *out, size_t size,
		    const char *text, unsigned cells)
{
	size_t fit;

	pl_report_plain(out, size, text, d->look->unicode);
	if (pl_report_cells(out) <= cells)
		return;
	fit = pl_report_fit(out, cells - 3);
	memcpy(out + fit, "...", 4);
}

void pl_draw_heads(struct pl_drawing *d, const char *left, const char *right)
{
	char l[1024], r[1024];
	unsigned room = d->width - PL_DRAW_GUTTER, end = d->arrow + 2, gap;

	shorten(d, l, sizeof l, left, room / 2 - 2);
	shorten(d, r, sizeof r, right, room - pl_report_cells(l) - 2);
	/* The right name ends above its lifeline, where it can. */
	gap = pl_report_cells(l) + pl_report_cells(r) + 2 > end ? 2
		: end - pl_report_cells(l) - pl_report_cells(r);
	put_gutter(d, NULL, "");
	pl_draw_put(d, "%s%*s", l, (int)gap, "");
	pl_draw_put(d, "%s\n", r);
}

void pl_draw_labelled(struct pl_drawing *d, enum pl_tone tone,
		      const char *label, const char *text)
{
	char plain[4096], shown[64];
	const char *left = plain;
	unsigned cells;

	shorten(d, shown, sizeof shown, label, LABEL - 2);
	pl_report_plain(plain, sizeof plain, text, d->look->unicode);
	cells = pl_report_cells(shown);
	put_text(d, "  ");
	pl_draw_tone(d, tone, shown);
	pl_draw_put(d, "%*s ", (int)(LABEL - 2 - cells), "");
	left = put_line(d, left, d->width - LABEL - 1);
	while (*left != '\0') {
		pl_draw_put(d, "%*s", LABEL + 1, "");
		left = put_line(d, left, d->width - LABEL - 1);
	}
}

/* ----- pieces ----- */

void pl_pieces_begin(struct pl_pieces *p, struct pl_drawing *d,
		     enum pl_tone first, unsigned indent)
{
	p->d = d;
	p->used = 0;
	p->indent = indent;
	p->tone = first;
}

void pl_pieces_add(struct pl_pieces *p, const char *format, ...)
{
	char text[1024], plain[1024];
	unsigned cells;
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	shorten(p->d, plain, sizeof plain, text, p->d->width - p->indent);
	cells = pl_report_cells(plain);
	if (p->used > 0 && p->used + 3 + cells > p->d->width) {
		pl_draw_put(p->d, "\n%*s", (int)p->indent, "");
		p->used = p->indent;
	} else if (p->used > 0) {
		put_text(p->d, "   ");
		p->used += 3;
	}
	pl_draw_tone(p->d, p->tone, plain);
	p->tone = PL_TONE_PLAIN;
	p->used += cells;
}

void pl_pieces_end(struct pl_pieces *p)
{
	put_text(p->d, "\n");
}
