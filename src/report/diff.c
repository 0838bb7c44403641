/*
 * Two negotiations, element by element. Each is told as a list of short texts,
 * connection by connection, that leave out what may differ every time: names,
 * ids, keys, addresses, times, and who closes.
 */
#include "draw.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 2000, TEXT = 160, CONTEXT = 2 };

struct step {
	char text[TEXT];
	unsigned stream;
	size_t order;
};

struct telling {
	struct step *steps; /* owned */
	size_t count;
	bool cut;           /* there are more */
};

static void add(struct step *step, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add(struct step *step, const char *format, ...)
{
	size_t length = strlen(step->text);
	va_list list;

	va_start(list, format);
	vsnprintf(step->text + length, sizeof step->text - length, format,
		  list);
	va_end(list);
}

static void add_key(struct step *step, const json_t *detail, const char *key)
{
	const char *text = pl_report_text(detail, key);

	if (*text != '\0')
		add(step, " %s", text);
}

static void add_flag(struct step *step, const json_t *detail, const char *key)
{
	if (pl_report_true(detail, key))
		add(step, " %s", key);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* In the order of the alphabet: a list of features has no order of its own. */
static void add_list(struct step *step, const json_t *list, const char *key)
{
	const char *names[32];
	size_t count = 0, i;
	const json_t *value;

	json_array_foreach(list, i, value) {
		const char *name = key != NULL ? pl_report_text(value, key)
					       : json_string_value(value);

		if (name != NULL && count < 32)
			names[count++] = name;
	}
	qsort(names, count, sizeof *names, by_name);
	for (i = 0; i < count; i++)
		add(step, " %.40s", names[i]);
}

static void tell_features(struct step *step, const json_t *d)
{
	add_flag(step, d, "starttls");
	add_flag(step, d, "required");
	add_list(step, json_object_get(d, "mechanisms"), NULL);
	add_flag(step, d, "dialback");
	add_flag(step, d, "errors");
	add_list(step, json_object_get(d, "others"), "name");
}

static void tell_tls(struct step *step, const json_t *d)
{
	add_key(step, d, "version");
	add_key(step, d, "cipher");
	add_key(step, d, "group");
	add(step, " certificate");
	add_key(step, json_object_get(d, "verify"), "code");
}

static void tell_rest(struct step *step, const json_t *d)
{
	static const char *const keys[] = { "version", "mech", "type",
		"condition", "choice", "method", "deadline", "name" };

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		add_key(step, d, keys[i]);
}

/* Elements and decisions; not how the names were found, nor what was carried
 * afterwards, nor the end. */
static bool counts(const struct pl_report_record *r)
{
	static const char *const stages[] = { "stream", "features", "starttls",
		"sasl", "dialback", "established", "error" };

	if (pl_report_is(r, "policy.choice") || pl_report_is(r, "tls.done") ||
	    pl_report_is(r, "tls.failed") || pl_report_is(r, "tcp.failed") ||
	    pl_report_is(r, "dns.failed"))
		return true;
	if (strncmp(r->event, "trace.", 6) == 0 ||
	    pl_report_is(r, "established.gone"))
		return false;
	for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
		if (strcmp(r->stage, stages[i]) == 0)
			return true;
	return false;
}

static void tell(struct step *step, const struct pl_report_record *r,
		 size_t order)
{
	memset(step, 0, sizeof *step);
	step->stream = (unsigned)atoi(r->stream + 1);
	step->order = order;
	add(step, "%-3s %-5s %-5s %s", r->stream, r->dir,
	    r->encrypted ? "tls" : "plain", r->event);
	if (pl_report_is(r, "features.offer"))
		tell_features(step, r->detail);
	else if (pl_report_is(r, "tls.done"))
		tell_tls(step, r->detail);
	else
		tell_rest(step, r->detail);
	if (r->code[0] != '\0')
		add(step, " %s", r->code);
}

static int by_stream(const void *left, const void *right)
{
	const struct step *a = left, *b = right;

	if (a->stream != b->stream)
		return a->stream < b->stream ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

static void tell_end(struct telling *t, const struct pl_report_trace *trace)
{
	struct pl_report_summary s;
	struct step *step = &t->steps[t->count++];

	pl_report_summarise(trace, &s);
	memset(step, 0, sizeof *step);
	add(step, "end: %s, method %s", s.result, pl_method_name(s.method));
	if (s.code != PL_CODE_NONE)
		add(step, ", code %s", pl_code_entry(s.code)->name);
}

static bool tell_all(struct telling *t, const struct pl_report_trace *trace)
{
	memset(t, 0, sizeof *t);
	t->steps = calloc(STEPS + 1, sizeof *t->steps);
	if (t->steps == NULL)
		return false;
	for (size_t i = 0; i < trace->count; i++) {
		if (!counts(&trace->records[i]))
			continue;
		t->cut = t->count == STEPS;
		if (t->cut)
			break;
		tell(&t->steps[t->count++], &trace->records[i], i);
	}
	qsort(t->steps, t->count, sizeof *t->steps, by_stream);
	tell_end(t, trace);
	return true;
}

/* ----- the longest common list ----- */

struct table {
	uint16_t *cells; /* owned: of what is left of both */
	size_t width;
};

static uint16_t *cell(const struct table *t, size_t i, size_t j)
{
	return &t->cells[i * t->width + j];
}

static bool same(const struct telling *a, size_t i, const struct telling *b,
		 size_t j)
{
	return strcmp(a->steps[i].text, b->steps[j].text) == 0;
}

static bool fill(struct table *t, const struct telling *a,
		 const struct telling *b)
{
	t->width = b->count + 1;
	t->cells = calloc((a->count + 1) * t->width, sizeof *t->cells);
	if (t->cells == NULL)
		return false;
	for (size_t i = a->count; i-- > 0;)
		for (size_t j = b->count; j-- > 0;) {
			uint16_t down = *cell(t, i + 1, j);
			uint16_t right = *cell(t, i, j + 1);

			*cell(t, i, j) = same(a, i, b, j)
				? (uint16_t)(*cell(t, i + 1, j + 1) + 1)
				: down > right ? down : right;
		}
	return true;
}

/* ----- shown ----- */

struct shown {
	struct pl_drawing d;
	const char *context[CONTEXT];
	size_t waiting;     /* of them */
};

static void line(struct shown *s, char mark, const char *text)
{
	char plain[TEXT * 4], begin[3] = { mark, ' ', '\0' };
	size_t fit;

	pl_report_plain(plain, sizeof plain, text, s->d.look->unicode);
	fit = pl_report_fit(plain, s->d.width - 2);
	pl_draw_tone(&s->d, mark == '-' ? PL_TONE_FAIL
		     : mark == '+' ? PL_TONE_OK : PL_TONE_PLAIN, begin);
	pl_draw_put(&s->d, "%.*s\n", (int)fit, plain);
}

/* The last elements before a difference tell where it is. */
static void equal(struct shown *s, const char *text)
{
	if (s->waiting == CONTEXT) {
		memmove(s->context, s->context + 1,
			(CONTEXT - 1) * sizeof *s->context);
		s->waiting--;
	}
	s->context[s->waiting++] = text;
}

static void different(struct shown *s, char mark, const char *text)
{
	for (size_t i = 0; i < s->waiting; i++)
		line(s, ' ', s->context[i]);
	s->waiting = 0;
	line(s, mark, text);
}

static size_t walk(struct shown *s, const struct table *t,
		   const struct telling *a, const struct telling *b)
{
	size_t i = 0, j = 0, count = 0;

	while (i < a->count || j < b->count) {
		if (i < a->count && j < b->count && same(a, i, b, j)) {
			equal(s, a->steps[i].text);
			i++, j++;
			continue;
		}
		if (j == b->count || (i < a->count &&
				      *cell(t, i + 1, j) >= *cell(t, i, j + 1)))
			different(s, '-', a->steps[i++].text);
		else
			different(s, '+', b->steps[j++].text);
		count++;
	}
	return count;
}

size_t pl_report_diff(struct pl_buffer *out, const struct pl_report_trace *a,
		      const struct pl_report_trace *b,
		      const struct pl_report_look *look)
{
	struct telling tell_a = { 0 }, tell_b = { 0 };
	struct table table = { 0 };
	struct shown shown = { .waiting = 0 };
	size_t count = 0;

	pl_draw_begin(&shown.d, out, look);
	if (tell_all(&tell_a, a) && tell_all(&tell_b, b) &&
	    fill(&table, &tell_a, &tell_b)) {
		count = walk(&shown, &table, &tell_a, &tell_b);
		if (tell_a.cut || tell_b.cut)
			pl_draw_put(&shown.d, "only the first %d elements "
				    "were compared\n", STEPS);
	} else {
		pl_draw_put(&shown.d, "no memory to compare them\n");
		count = 1;
	}
	free(table.cells);
	free(tell_a.steps);
	free(tell_b.steps);
	return count;
}
