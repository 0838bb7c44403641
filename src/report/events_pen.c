/* What the records of a ladder are drawn with. */
#include "event.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	LOOK_AHEAD = 64, /* records */
	SLOW_US = 1000000,
};

void pen_add(struct pen_text *t, const char *format, ...)
{
	size_t length = strlen(t->text);
	va_list list;

	va_start(list, format);
	vsnprintf(t->text + length, sizeof t->text - length, format, list);
	va_end(list);
}

/* A comma before all but the first. */
void pen_listed(struct pen_text *t, bool *first, const char *text)
{
	pen_add(t, "%s%s", *first ? "" : ", ", text);
	*first = false;
}

bool pen_verbose(const struct pl_ladder *l, unsigned level)
{
	return l->d.look->verbose >= level;
}

bool pen_is_in(const struct pl_report_record *r)
{
	return strcmp(r->dir, "in") == 0;
}

struct pl_ladder_stream *pen_stream(struct pl_ladder *l,
				    const struct pl_report_record *r)
{
	unsigned number = 0;

	for (const char *at = r->stream + 1; *at >= '0' && *at <= '9'; at++)
		number = number * 10 + (unsigned)(*at - '0');
	return &l->streams[number <= PL_LADDER_STREAMS ? number : 0];
}

/* The next record of the same connection, if it is near. */
const struct pl_report_record *pen_next(const struct pl_ladder *l,
					size_t index)
{
	const struct pl_report_record *r = &l->trace->records[index];

	for (size_t i = 1; i <= LOOK_AHEAD && index + i < l->trace->count; i++)
		if (strcmp(r[i].stream, r->stream) == 0 &&
		    strcmp(r[i].event, "policy.step") != 0)
			return &r[i];
	return NULL;
}

bool pen_next_is(const struct pl_ladder *l, size_t index, const char *event)
{
	const struct pl_report_record *next = pen_next(l, index);

	return next != NULL && pl_report_is(next, event);
}

/* ----- arrows and notes ----- */

/* How long, and whether that is long: a second, or most of the whole. */
static void add_time(const struct pl_ladder *l, char *out, size_t size,
		     uint64_t us)
{
	bool slow = us >= SLOW_US ||
		    (us >= LONG_US && us > l->summary->total_us / 2);

	bool seconds = us >= 1000000;
	double value = (double)us / (seconds ? 1e6 : 1e3);

	snprintf(out, size, value < 99.95 ? "%.1f %s%s" : "%.0f %s%s", value,
		 seconds ? "s" : "ms", slow ? " slow" : "");
}

void pen_arrow_timed(struct pl_ladder *l, const struct pl_report_record *r,
		     enum pl_way way, enum pl_tone tone, uint64_t us,
		     const char *text)
{
	char behind[32] = "";

	if (us > 0)
		add_time(l, behind, sizeof behind, us);
	pl_draw_arrow(&l->d, &r->mono_us, r->stream, way, r->encrypted, tone,
		      text, behind);
}

static void arrow_toned(struct pl_ladder *l, const struct pl_report_record *r,
			enum pl_tone tone, const char *text)
{
	bool in = pen_is_in(r);

	pen_arrow_timed(l, r, in ? PL_WAY_IN : PL_WAY_OUT, tone,
			in && l->waited_us >= LONG_US ? l->waited_us : 0, text);
}

void pen_arrow(struct pl_ladder *l, const struct pl_report_record *r,
	       const char *text)
{
	arrow_toned(l, r, pen_is_in(r) ? PL_TONE_IN : PL_TONE_OUT, text);
}

/* An element that says no. */
void pen_arrow_bad(struct pl_ladder *l, const struct pl_report_record *r,
		   const char *text)
{
	arrow_toned(l, r, PL_TONE_FAIL, text);
}

void pen_note(struct pl_ladder *l, char mark, const char *format, ...)
{
	char text[TEXT];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	pl_draw_note(&l->d, NULL, mark, text);
}
