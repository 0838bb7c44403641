/* Counts and times over many traces. */
#include "draw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STAGES = PL_STAGE_ERROR + 1, PEERS_SHOWN = 20 };

/* Durations of one stage, or of the whole, in microseconds. */
struct series {
	uint64_t *values; /* owned */
	size_t count;
};

struct tally {
	json_t *results, *methods, *codes, *peers; /* owned: name -> count */
	struct series stages[STAGES], total;
	size_t traces, incoming;
};

/* ----- collecting ----- */

static void count(json_t *object, const char *name)
{
	json_int_t before = json_integer_value(json_object_get(object, name));

	json_object_set_new(object, name, json_integer(before + 1));
}

static void note_time(struct series *series, uint64_t us)
{
	if (series->values != NULL)
		series->values[series->count++] = us;
}

static void note_stages(struct tally *t, const struct pl_report_summary *s)
{
	for (size_t i = 0; i < s->stages_count; i++)
		for (int j = 0; j < STAGES; j++)
			if (strcmp(s->stages[i].name,
				   pl_stage_name((enum pl_stage)j)) == 0)
				note_time(&t->stages[j], s->stages[i].us);
}

static void note(struct tally *t, const struct pl_report_trace *trace)
{
	struct pl_report_summary s;

	pl_report_summarise(trace, &s);
	if (s.component)
		return; /* no negotiation with another server */
	t->traces++;
	t->incoming += s.incoming;
	count(t->results, s.result);
	count(t->methods, pl_method_name(s.method));
	count(t->peers, s.remote);
	if (s.code != PL_CODE_NONE)
		count(t->codes, pl_code_entry(s.code)->name);
	note_stages(t, &s);
	note_time(&t->total, s.total_us);
}

static int by_value(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

static void collect(struct tally *t, const struct pl_report *report)
{
	size_t room = report->count + 1;

	memset(t, 0, sizeof *t);
	t->results = json_object();
	t->methods = json_object();
	t->codes = json_object();
	t->peers = json_object();
	t->total.values = calloc(room, sizeof(uint64_t));
	for (int i = 0; i < STAGES; i++)
		t->stages[i].values = calloc(room, sizeof(uint64_t));
	for (size_t i = 0; i < report->count; i++)
		note(t, &report->traces[i]);
	if (t->total.values != NULL)
		qsort(t->total.values, t->total.count, sizeof(uint64_t),
		      by_value);
	for (int i = 0; i < STAGES; i++)
		if (t->stages[i].values != NULL)
			qsort(t->stages[i].values, t->stages[i].count,
			      sizeof(uint64_t), by_value);
}

static void discard(struct tally *t)
{
	json_decref(t->results);
	json_decref(t->methods);
	json_decref(t->codes);
	json_decref(t->peers);
	free(t->total.values);
	for (int i = 0; i < STAGES; i++)
		free(t->stages[i].values);
}

/* The value below which that many of a hundred lie (nearest rank). */
static double percentile(const struct series *s, unsigned percent)
{
	size_t rank = (s->count * percent + 99) / 100;

	return (double)s->values[rank > 0 ? rank - 1 : 0] / 1e3;
}

/* ----- as JSON ----- */

static json_t *json_series(const struct series *s)
{
	return json_pack("{s:I, s:f, s:f, s:f, s:f}", "count",
			 (json_int_t)s->count, "min", percentile(s, 0),
			 "median", percentile(s, 50), "p95", percentile(s, 95),
			 "max", percentile(s, 100));
}

json_t *pl_report_stats_json(const struct pl_report *report)
{
	struct tally t;
	json_t *stages = json_object(), *all;

	collect(&t, report);
	for (int i = 0; i < STAGES; i++)
		if (t.stages[i].count > 0)
			json_object_set_new(stages,
					    pl_stage_name((enum pl_stage)i),
					    json_series(&t.stages[i]));
	all = json_pack("{s:I, s:I, s:O, s:O, s:O, s:O, s:o, s:o}",
			"negotiations", (json_int_t)t.traces,
			"incoming", (json_int_t)t.incoming,
			"results", t.results, "methods", t.methods,
			"codes", t.codes, "peers", t.peers,
			"stages_ms", stages, "total_ms",
			t.total.count > 0 ? json_series(&t.total)
					  : json_object());
	discard(&t);
	return all;
}

/* ----- as a table ----- */

struct entry {
	const char *name;
	json_int_t count;
};

/* Most first, then by name. */
static int by_count(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return strcmp(a->name, b->name);
}

static void draw_entry(struct pl_drawing *d, const char *label,
		       const struct entry *entry, size_t traces)
{
	char name[400];
	unsigned cells;
	size_t fit;

	pl_report_plain(name, sizeof name, entry->name, d->look->unicode);
	fit = pl_report_fit(name, 44);
	name[fit] = '\0';
	cells = pl_report_cells(name);
	pl_draw_put(d, "%-10s %s%*s %7lld %5.1f %%\n", label, name,
		    (int)(44 - cells), "", (long long)entry->count,
		    100.0 * (double)entry->count / (double)traces);
}

static void draw_counts(struct pl_drawing *d, const char *label,
			json_t *object, size_t traces, size_t most)
{
	size_t size = json_object_size(object), i = 0;
	struct entry *entries = calloc(size + 1, sizeof *entries);
	const char *name;
	json_t *value;

	if (entries == NULL) {
		d->full = true;
		return;
	}
	json_object_foreach(object, name, value)
		entries[i++] = (struct entry){ name,
					       json_integer_value(value) };
	qsort(entries, size, sizeof *entries, by_count);
	for (i = 0; i < size && i < most; i++)
		draw_entry(d, i == 0 ? label : "", &entries[i], traces);
	if (size > most)
		pl_draw_put(d, "%-10s and %zu more\n", "", size - most);
	free(entries);
}

static void draw_series(struct pl_drawing *d, const char *name,
			const struct series *s)
{
	if (s->count > 0)
		pl_draw_put(d, "%-12s %9zu %11.1f %11.1f %11.1f %11.1f\n",
			    name, s->count, percentile(s, 0),
			    percentile(s, 50), percentile(s, 95),
			    percentile(s, 100));
}

bool pl_report_stats(struct pl_buffer *out, const struct pl_report *report,
		     const struct pl_report_look *look)
{
	struct pl_drawing d;
	struct tally t;

	pl_draw_begin(&d, out, look);
	collect(&t, report);
	pl_draw_put(&d, "%zu negotiations: %zu outgoing, %zu incoming\n\n",
		    t.traces, t.traces - t.incoming, t.incoming);
	draw_counts(&d, "result", t.results, t.traces, PEERS_SHOWN);
	draw_counts(&d, "method", t.methods, t.traces, PEERS_SHOWN);
	draw_counts(&d, "code", t.codes, t.traces, PL_CODES);
	draw_counts(&d, "peer", t.peers, t.traces, PEERS_SHOWN);
	pl_draw_put(&d, "\n%-12s %9s %11s %11s %11s %11s\n", "stage (ms)",
		    "count", "min", "median", "95 %", "max");
	for (int i = 0; i < STAGES; i++)
		draw_series(&d, pl_stage_name((enum pl_stage)i), &t.stages[i]);
	draw_series(&d, "all", &t.total);
	discard(&t);
	return !d.full;
}
