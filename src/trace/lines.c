/*
 * Records to lines, and where the lines go.
 *
 * A line becomes final when its trace is clear: outgoing with its first record,
 * incoming with the first record after its names are known (until then it may
 * turn out to belong to another trace). Each place counts for itself: a file
 * that is full has other numbers than a trace in memory, and both without a
 * gap.
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* A record on its way into a line. */
struct piece {
	uint64_t at_us;
	struct timeval wall;
	unsigned stream, parent;
	const char *text; /* from "hop" on */
	size_t length;
};

/* ----- the front of a line ----- */

static void put_time(struct pl_tracer *tracer, struct text *line,
		     const struct timeval *wall)
{
	if (wall->tv_sec != tracer->stamp_second || tracer->stamp[0] == '\0') {
		struct tm parts;

		gmtime_r(&wall->tv_sec, &parts);
		if (strftime(tracer->stamp, sizeof tracer->stamp,
			     "%Y-%m-%dT%H:%M:%S", &parts) == 0)
			strcpy(tracer->stamp, "1970-01-01T00:00:00");
		tracer->stamp_second = wall->tv_sec;
	}
	text_string(line, tracer->stamp);
	text_char(line, '.');
	text_padded(line, (unsigned)wall->tv_usec, 6);
	text_char(line, 'Z');
}

static void put_stream(struct text *line, const char *key, unsigned number)
{
	text_literal(line, ",\"");
	text_string(line, key);
	text_literal(line, "\":\"s");
	text_number(line, number);
	text_char(line, '"');
}

/* The line, whole, in tracer.line. */
static const struct text *make_line(struct pl_trace *trace, unsigned seq,
				    const struct piece *piece)
{
	struct text *line = &trace->tracer->line;

	line->length = 0;
	text_literal(line, "{\"v\":1,\"seq\":");
	text_number(line, seq);
	text_literal(line, ",\"ts\":\"");
	put_time(trace->tracer, line, &piece->wall);
	text_literal(line, "\",\"mono_us\":");
	/* a connection that was tied may be older than the trace */
	text_number(line, piece->at_us > trace->start_us
			  ? (int64_t)(piece->at_us - trace->start_us) : 0);
	text_literal(line, ",\"trace\":\"");
	text_put(line, trace->id, 12);
	text_char(line, '"');
	put_stream(line, "stream", piece->stream);
	if (piece->parent > 0)
		put_stream(line, "parent", piece->parent);
	text_char(line, ',');
	text_put(line, piece->text, piece->length);
	return line;
}

/* ----- where they go ----- */

static void to_line(struct pl_trace *trace, const struct piece *piece)
{
	const struct text *line;

	if (!trace->to_line)
		return;
	line = make_line(trace, ++trace->line_seq, piece);
	trace->tracer->events.on_line(trace->tracer->owner, line->data,
				      line->length);
}

/* The next tick writes it. */
static void be_late(struct pl_trace *trace)
{
	struct pl_tracer *tracer = trace->tracer;

	if (trace->late || trace->ended)
		return;
	trace->late = true;
	TAILQ_INSERT_TAIL(&tracer->late, trace, late_entry);
	tracer_stir(tracer);
}

static void to_file(struct pl_trace *trace, const struct piece *piece,
		    bool last)
{
	struct file *file = &trace->file;
	const struct text *line;

	if (!trace->to_file)
		return;
	if (!file_takes(file, HEAD_BYTES + piece->length, last)) {
		trace->tracer->dropped++;
		return;
	}
	line = make_line(trace, ++file->seq, piece);
	file_line(file, line->data, line->length);
	be_late(trace);
	if (file->waiting.length >= FLUSH_BYTES)
		trace->tracer->dropped += file_flush(file);
}

static void emit(struct pl_trace *trace, const struct piece *piece, bool last)
{
	to_line(trace, piece);
	to_file(trace, piece, last);
}

static struct piece piece_of(struct record *record)
{
	return (struct piece){
		.at_us = record->at_us,
		.wall = record->wall,
		.stream = record->stream,
		.parent = record->parent,
		.text = record_text(record),
		.length = record->length,
	};
}

/* What a builder made, now. */
static struct piece piece_now(struct pl_trace *trace,
			      const struct builder *builder)
{
	const struct pl_tracer *tracer = trace->tracer;

	return (struct piece){
		.at_us = tracer_now(tracer),
		.wall = tracer->events.wall(tracer->owner),
		.stream = 1,
		.text = builder->body.data,
		.length = builder->body.length,
	};
}

/* ----- the lines of the trace itself ----- */

static const char *or_unknown(const char *name)
{
	return name != NULL ? name : "?";
}

/* Where no partner was known there is no policy: null. */
static void put_policy(struct builder *builder, const struct pl_trace *trace)
{
	const struct pl_policy *policy = &trace->policy;
	enum pl_method methods[3];
	size_t count;

	if (!trace->policy_known) {
		detail_null(builder, "row");
		detail_null(builder, "tls");
		detail_null(builder, "sasl");
		detail_null(builder, "dialback");
		detail_open(builder, "expected", true);
		detail_close(builder);
		return;
	}
	detail_number(builder, "row", trace->row);
	detail_text(builder, "tls", pl_level_name((enum pl_level)policy->tls));
	detail_text(builder, "sasl",
		    pl_level_name((enum pl_level)policy->sasl));
	detail_bool(builder, "dialback", policy->dialback);
	detail_open(builder, "expected", true);
	count = pl_policy_methods(policy, methods);
	for (size_t i = 0; i < count; i++)
		detail_text(builder, NULL, pl_method_name(methods[i]));
	detail_close(builder);
}

static void put_name(struct builder *builder, const char *key,
		     const char *name)
{
	if (name != NULL)
		detail_text(builder, key, name);
	else
		detail_null(builder, key);
}

static void close_own(struct builder *builder, struct pl_trace *trace,
		      const char *event)
{
	char hop[HOP_BYTES];

	trace_hop(hop, trace->incoming ? trace->remote : trace->local,
		  trace->incoming ? trace->local : trace->remote, trace->role);
	builder_close(builder, hop, event, false);
}

static struct piece begin_piece(struct pl_trace *trace)
{
	struct builder *builder = &trace->tracer->own;
	const char *from = trace->incoming ? trace->remote : trace->local;
	const char *to = trace->incoming ? trace->local : trace->remote;
	char text[600];
	struct piece piece;

	builder_begin(builder, NULL);
	detail_text(builder, "version", PARLEY_VERSION);
	put_name(builder, "from", from);
	put_name(builder, "to", to);
	put_policy(builder, trace);
	detail_text(builder, "raw", pl_trace_raw_name(trace->raw));
	detail_number(builder, "resolution_ns", 1000);
	snprintf(text, sizeof text, "negotiation %.250s > %.250s",
		 or_unknown(from), or_unknown(to));
	builder_summary(builder, text);
	close_own(builder, trace, "trace.begin");
	piece = piece_now(trace, builder);
	piece.at_us = trace->start_us;
	piece.wall = trace->start_wall;
	return piece;
}

static struct piece dropped_piece(struct pl_trace *trace, unsigned count)
{
	struct builder *builder = &trace->tracer->own;
	char text[80];

	builder_begin(builder, NULL);
	builder->level = PL_LOG_WARNING;
	detail_number(builder, "count", count);
	snprintf(text, sizeof text, "%u records were lost", count);
	builder_summary(builder, text);
	close_own(builder, trace, "trace.dropped");
	return piece_now(trace, builder);
}

/* Milliseconds with their thousandths. */
static void put_ms(struct builder *builder, const char *key, uint64_t us)
{
	struct text *detail = &builder->detail;

	detail_number(builder, key, (int64_t)(us / 1000));
	if (us % 1000 == 0)
		return;
	text_char(detail, '.');
	text_padded(detail, (unsigned)(us % 1000), 3);
}

static void put_stages(struct builder *builder, const struct pl_trace *trace)
{
	const uint64_t *us = trace->told ? trace->told_stage_us
					 : trace->stage_us;
	unsigned seen = trace->told ? trace->told_stages_seen
				    : trace->stages_seen;

	detail_open(builder, "stages_ms", false);
	for (int i = 0; i < STAGES; i++) {
		if (seen & 1u << i)
			put_ms(builder, pl_stage_name((enum pl_stage)i), us[i]);
	}
	detail_close(builder);
}

static int exit_status(const struct pl_trace *trace, enum result result)
{
	switch (result) {
	case RESULT_NEGOTIATED:
	case RESULT_SERVED:
		return 0;
	case RESULT_FAILED:
		return pl_code_entry(trace->code)->exit_status;
	case RESULT_INCOMPLETE:
		break;
	}
	return 10;
}

static struct piece end_piece(struct pl_trace *trace)
{
	struct builder *builder = &trace->tracer->own;
	enum result result = trace_result(trace);
	const char *word = trace_result_name(result);
	char text[160];

	builder_begin(builder, NULL);
	builder->level = PL_LOG_NOTICE;
	detail_text(builder, "result", word);
	detail_text(builder, "method", pl_method_name(trace->method));
	snprintf(text, sizeof text, "%s", word);
	if (result == RESULT_FAILED) {
		const char *code = pl_code_entry(trace->code)->name;

		builder->code = trace->code;
		detail_text(builder, "code", code);
		detail_text(builder, "side", pl_side_name(trace->side));
		detail_text(builder, "why", trace->why);
		snprintf(text, sizeof text, "%s: %s", word, code);
	} else if (result == RESULT_NEGOTIATED) {
		snprintf(text, sizeof text, "%s: %s", word,
			 pl_method_name(trace->method));
	}
	put_stages(builder, trace);
	detail_number(builder, "exit", exit_status(trace, result));
	builder_summary(builder, text);
	close_own(builder, trace, "trace.end");
	return piece_now(trace, builder);
}

/* ----- records ----- */

static struct record *store(struct pl_trace *trace, const struct piece *piece,
			    const struct builder *builder)
{
	size_t marks = builder->marks_count * sizeof(struct mark);
	struct record *record = trace_room(
		trace, sizeof *record + marks + piece->length);

	if (record == NULL)
		return NULL;
	record->next = NULL;
	record->at_us = piece->at_us;
	record->wall = piece->wall;
	record->length = (uint32_t)piece->length;
	record->stream = (uint16_t)piece->stream;
	record->parent = (uint16_t)piece->parent;
	record->marks_count = (uint16_t)builder->marks_count;
	memcpy(record->marks, builder->marks, marks);
	memcpy(record_text(record), piece->text, piece->length);
	return record;
}

/* The time until a record counts for the stage of that record: that is what was
 * awaited. Decisions take none. */
static void count_stage(struct pl_trace *trace, enum pl_stage stage,
			uint64_t now)
{
	if (stage == PL_STAGE_POLICY)
		return;
	trace->stages_seen |= 1u << stage;
	if (now > trace->last_us) {
		trace->stage_us[stage] += now - trace->last_us;
		trace->last_us = now;
	}
}

void lines_record(struct pl_trace *trace, unsigned stream, unsigned parent)
{
	struct pl_tracer *tracer = trace->tracer;
	const struct builder *builder = &tracer->builder;
	struct piece piece = piece_now(trace, builder);
	struct record *record;

	piece.stream = stream;
	piece.parent = parent;
	count_stage(trace, builder->stage, piece.at_us);
	if (!trace->final && trace->local != NULL && trace->remote != NULL)
		lines_final(trace);
	if (trace->final)
		emit(trace, &piece, false);
	if (trace->final && (trace->settled || !tracer_keeps(tracer)))
		return;
	record = store(trace, &piece, builder);
	if (record != NULL) {
		*trace->last = record;
		trace->last = &record->next;
		return;
	}
	trace->dropped++;
	tracer->dropped++;
	if (!trace->final)
		trace->lost++;
}

static void choose_destination(struct pl_trace *trace)
{
	struct pl_tracer *tracer = trace->tracer;
	const struct pl_tracer_events *events = &tracer->events;

	trace->to_line = events->on_line != NULL;
	/* what never told its names is no one's negotiation */
	if (tracer->folder == NULL || trace->local == NULL ||
	    trace->remote == NULL ||
	    (events->wanted != NULL &&
	     !events->wanted(tracer->owner, trace->local, trace->remote)))
		return;
	trace->to_file = true;
	file_begin(&trace->file, tracer->folder, tracer->file_bytes,
		   &trace->start_wall, trace->local, trace->remote, trace->id);
}

void lines_final(struct pl_trace *trace)
{
	struct piece piece;

	trace->final = true;
	choose_destination(trace);
	if (!trace->to_line && !trace->to_file)
		return;
	piece = begin_piece(trace);
	emit(trace, &piece, false);
	lines_moved(trace, trace->first);
	if (trace->lost == 0)
		return;
	piece = dropped_piece(trace, trace->lost);
	emit(trace, &piece, false);
}

void lines_moved(struct pl_trace *trace, struct record *from)
{
	if (!trace->to_line && !trace->to_file)
		return;
	for (; from != NULL; from = from->next) {
		struct piece piece = piece_of(from);

		emit(trace, &piece, false);
	}
}

void lines_end(struct pl_trace *trace)
{
	struct piece piece;

	if (!trace->final)
		lines_final(trace);
	if (trace->to_file && trace->file.lost > 0) {
		piece = dropped_piece(trace, trace->file.lost);
		to_file(trace, &piece, true);
	}
	piece = end_piece(trace);
	emit(trace, &piece, true);
	if (trace->to_file)
		trace->tracer->dropped += file_flush(&trace->file);
}

/* ----- from memory ----- */

static bool append(struct pl_buffer *out, struct pl_trace *trace,
		   unsigned *seq, const struct piece *piece)
{
	const struct text *line = make_line(trace, ++*seq, piece);

	return pl_buffer_append(out, line->data, line->length);
}

bool lines_all(struct pl_trace *trace, struct pl_buffer *out)
{
	unsigned seq = 0;
	struct piece piece = begin_piece(trace);
	bool good = append(out, trace, &seq, &piece);

	for (struct record *r = trace->first; good && r != NULL; r = r->next) {
		piece = piece_of(r);
		good = append(out, trace, &seq, &piece);
	}
	if (good && trace->dropped > 0) {
		piece = dropped_piece(trace, trace->dropped);
		piece.wall = trace->end_wall;
		piece.at_us = trace->end_us;
		good = append(out, trace, &seq, &piece);
	}
	if (!good)
		return false;
	piece = end_piece(trace);
	piece.wall = trace->end_wall;
	piece.at_us = trace->end_us;
	return append(out, trace, &seq, &piece);
}
