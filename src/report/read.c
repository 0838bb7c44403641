/*
 * Traces read back. Nothing in them is believed: every line is measured before
 * it is parsed, and every key that a view uses is checked here, once.
 */
#include "internal.h"

#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parley/log.h"

enum {
	DEPTH = 24,                 /* of nesting; a detail has 8 at most */
	LINE_VALUES = 16384,        /* JSON values of one line */
	ALL_VALUES = 16 * 1024 * 1024,
	NAME_BYTES = 1023,          /* of a domain in a hop */
};

/* What all texts of a report lie in. */
struct memory {
	json_t *lines;                    /* owned: array of the records */
	json_t *hops;                     /* owned: "a>b" -> ["a", "b"] */
	struct pl_report_record *records; /* owned: of all traces */
	struct pl_report_record *chosen;  /* owned: those that were selected */
};

struct entry {
	struct pl_report_record record;
	size_t trace; /* index */
	size_t line;
};

struct reader {
	const char *name;
	size_t line;
	size_t values;
	struct memory *memory;  /* borrowed from the report */
	json_t *ids;            /* owned: id -> index */
	struct entry *entries;  /* owned */
	size_t count, capacity;
	struct pl_error *error;
};

/* ----- sentences ----- */

/* "trace.jsonl:12: what is wrong". */
static bool refuse(struct reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static bool refuse(struct reader *reader, const char *format, ...)
{
	char text[400], name[200];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	pl_text_printable(name, sizeof name, reader->name,
			  strlen(reader->name));
	return pl_error_set(reader->error, "%s:%zu: %s", name, reader->line,
			    text);
}

/* Foreign text for a sentence. */
struct shown {
	char text[80];
};

static struct shown show(const char *text)
{
	struct shown shown;

	pl_text_printable(shown.text, sizeof shown.text, text, strlen(text));
	return shown;
}

static bool no_memory(struct reader *reader)
{
	return refuse(reader, "no memory for so much");
}

/* ----- one line, measured ----- */

struct measure {
	size_t values;
	unsigned depth, deepest;
	bool in_text;
};

/* Counts brackets and separators outside of texts, so that the parser never
 * sees a line that would take much memory or stack. */
static struct measure measure(const char *line, size_t length)
{
	struct measure m = { 0 };

	for (size_t i = 0; i < length; i++) {
		char c = line[i];

		if (m.in_text) {
			if (c == '\\')
				i++;
			else if (c == '"')
				m.in_text = false;
		} else if (c == '"') {
			m.in_text = true;
		} else if (c == '{' || c == '[') {
			m.values++;
			if (++m.depth > m.deepest)
				m.deepest = m.depth;
		} else if ((c == '}' || c == ']') && m.depth > 0) {
			m.depth--;
		} else if (c == ',' || c == ':') {
			m.values++;
		}
	}
	return m;
}

/* ----- the keys of a record ----- */

static const char *const roles[] = { "initiator", "receiver", "authoritative",
				     "component", NULL };
static const char *const dirs[] = { "out", "in", "local", "dns", NULL };
static const char *const encs[] = { "plain", "tls", NULL };

static bool listed(const char *const *list, const char *text)
{
	for (; *list != NULL; list++) {
		if (strcmp(*list, text) == 0)
			return true;
	}
	return false;
}

static bool is_stage(const char *text)
{
	for (int i = PL_STAGE_DNS; i <= PL_STAGE_ERROR; i++) {
		if (strcmp(pl_stage_name((enum pl_stage)i), text) == 0)
			return true;
	}
	return false;
}

/* Lower-case letters, digits and what else may be in a name. */
static bool is_name(const char *text, const char *also, size_t most)
{
	size_t length = strlen(text);

	if (length == 0 || length > most)
		return false;
	for (; *text != '\0'; text++) {
		if (!islower((unsigned char)*text) &&
		    !isdigit((unsigned char)*text) &&
		    strchr(also, *text) == NULL)
			return false;
	}
	return true;
}

/* STAGE.VERB */
static bool is_event(const char *text)
{
	const char *dot = strchr(text, '.');

	return is_name(text, ".-", 63) && dot != NULL && dot != text &&
	       dot[1] != '\0' && strchr(dot + 1, '.') == NULL;
}

static bool is_id(const char *text)
{
	size_t length = strlen(text);

	return length >= 12 && length <= 64 &&
	       strspn(text, "0123456789abcdef") == length;
}

/* "s1", "s2" ... */
static bool is_stream(const char *text)
{
	size_t length = strlen(text);

	return length >= 2 && length <= 6 && text[0] == 's' &&
	       text[1] != '0' && strspn(text + 1, "0123456789") == length - 1;
}

/* 2026-11-22T12:03:05.054036Z, with 0 to 9 digits of a second's parts. */
static bool is_time(const char *text)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd";
	size_t i, digits;

	for (i = 0; form[i] != '\0'; i++) {
		if (form[i] == 'd' ? !isdigit((unsigned char)text[i])
				   : text[i] != form[i])
			return false;
	}
	if (text[i] == '.') {
		digits = strspn(text + i + 1, "0123456789");
		if (digits == 0 || digits > 9)
			return false;
		i += 1 + digits;
	}
	return strcmp(text + i, "Z") == 0;
}

static bool take_text(struct reader *reader, const json_t *json,
		      const char *key, bool needed, const char **out)
{
	const json_t *value = json_object_get(json, key);

	*out = "";
	if (value == NULL && !needed)
		return true;
	if (value == NULL)
		return refuse(reader, "the key \"%s\" is missing", key);
	if (!json_is_string(value))
		return refuse(reader, "\"%s\" is no text", key);
	*out = json_string_value(value);
	return true;
}

/* As take_text, and the text must be good. */
static bool take_checked(struct reader *reader, const json_t *json,
			 const char *key, bool (*good)(const char *text),
			 const char **out)
{
	if (!take_text(reader, json, key, true, out))
		return false;
	if (!good(*out))
		return refuse(reader, "\"%s\" cannot be \"%s\"", key,
			      show(*out).text);
	return true;
}

static bool take_listed(struct reader *reader, const json_t *json,
			const char *key, const char *const *list,
			const char **out)
{
	if (!take_text(reader, json, key, true, out))
		return false;
	if (!listed(list, *out))
		return refuse(reader, "\"%s\" cannot be \"%s\"", key,
			      show(*out).text);
	return true;
}

static bool take_number(struct reader *reader, const json_t *json,
			const char *key, bool needed, json_int_t least,
			json_int_t most, json_int_t *out)
{
	const json_t *value = json_object_get(json, key);

	*out = 0;
	if (value == NULL && !needed)
		return true;
	if (value == NULL)
		return refuse(reader, "the key \"%s\" is missing", key);
	if (!json_is_integer(value))
		return refuse(reader, "\"%s\" is no whole number", key);
	*out = json_integer_value(value);
	if (*out < least || *out > most)
		return refuse(reader, "\"%s\" is out of range", key);
	return true;
}

static bool take_numbers(struct reader *reader, const json_t *json,
			 struct pl_report_record *r)
{
	json_int_t v, seq, mono, len, trunc, redacted;

	if (!take_number(reader, json, "v", true, 0, INT_MAX, &v))
		return false;
	if (v != 1)
		return refuse(reader, "this is version %d of the format; this "
			      "parley reads version 1", (int)v);
	if (!take_number(reader, json, "seq", true, 1, INT_MAX, &seq) ||
	    !take_number(reader, json, "mono_us", true, 0, INT64_MAX / 2,
			 &mono) ||
	    !take_number(reader, json, "len", true, 0, INT_MAX, &len) ||
	    !take_number(reader, json, "trunc", false, 0, INT_MAX, &trunc) ||
	    !take_number(reader, json, "redacted", true, 0, 1, &redacted))
		return false;
	r->seq = (unsigned)seq;
	r->mono_us = (uint64_t)mono;
	r->len = (size_t)len;
	r->trunc = (size_t)trunc;
	r->redacted = redacted == 1;
	return true;
}

/* "a.example>b.example": both names, made once for each hop. */
static bool take_hop(struct reader *reader, struct pl_report_record *r)
{
	const char *arrow = strchr(r->hop, '>');
	json_t *pair = json_object_get(reader->memory->hops, r->hop);

	if (arrow == NULL || arrow == r->hop || arrow[1] == '\0' ||
	    strchr(arrow + 1, '>') != NULL ||
	    arrow - r->hop > NAME_BYTES || strlen(arrow + 1) > NAME_BYTES)
		return refuse(reader, "\"hop\" cannot be \"%s\"",
			      show(r->hop).text);
	if (pair == NULL) {
		pair = json_pack("[s%,s]", r->hop, (size_t)(arrow - r->hop),
				 arrow + 1);
		if (pair == NULL || json_object_set_new(reader->memory->hops,
							r->hop, pair) != 0)
			return no_memory(reader);
	}
	r->from = json_string_value(json_array_get(pair, 0));
	r->to = json_string_value(json_array_get(pair, 1));
	return true;
}

static bool take_texts(struct reader *reader, const json_t *json,
		       struct pl_report_record *r)
{
	const char *enc, *raw_enc;
	enum pl_log_level level;

	if (!take_checked(reader, json, "ts", is_time, &r->ts) ||
	    !take_checked(reader, json, "trace", is_id, &r->trace) ||
	    !take_checked(reader, json, "stream", is_stream, &r->stream) ||
	    !take_text(reader, json, "parent", false, &r->parent) ||
	    !take_text(reader, json, "hop", true, &r->hop) ||
	    !take_hop(reader, r) ||
	    !take_listed(reader, json, "role", roles, &r->role) ||
	    !take_listed(reader, json, "dir", dirs, &r->dir) ||
	    !take_checked(reader, json, "stage", is_stage, &r->stage) ||
	    !take_checked(reader, json, "event", is_event, &r->event) ||
	    !take_text(reader, json, "level", true, &r->level) ||
	    !take_text(reader, json, "code", false, &r->code) ||
	    !take_listed(reader, json, "enc", encs, &enc) ||
	    !take_text(reader, json, "summary", true, &r->summary) ||
	    !take_text(reader, json, "raw", false, &r->raw) ||
	    !take_text(reader, json, "raw_enc", false, &raw_enc))
		return false;
	if (r->parent[0] != '\0' && !is_stream(r->parent))
		return refuse(reader, "\"parent\" cannot be \"%s\"",
			      show(r->parent).text);
	if (!pl_log_level_parse(r->level, &level))
		return refuse(reader, "\"level\" cannot be \"%s\"",
			      show(r->level).text);
	if (r->code[0] != '\0' && !is_name(r->code, "-", 47))
		return refuse(reader, "\"code\" cannot be \"%s\"",
			      show(r->code).text);
	if (raw_enc[0] != '\0' && strcmp(raw_enc, "b64") != 0)
		return refuse(reader, "\"raw_enc\" cannot be \"%s\"",
			      show(raw_enc).text);
	r->encrypted = strcmp(enc, "tls") == 0;
	r->raw_base64 = raw_enc[0] != '\0';
	return true;
}

static bool take_record(struct reader *reader, const json_t *json,
			struct pl_report_record *r)
{
	memset(r, 0, sizeof *r);
	r->json = json;
	if (!json_is_object(json))
		return refuse(reader, "this line is no JSON object");
	if (!take_numbers(reader, json, r) || !take_texts(reader, json, r))
		return false;
	r->detail = json_object_get(json, "detail");
	if (r->detail == NULL)
		return refuse(reader, "the key \"detail\" is missing");
	if (!json_is_object(r->detail))
		return refuse(reader, "\"detail\" is no object");
	return true;
}

/* ----- records to traces ----- */

static bool find_trace(struct reader *reader, const char *id, size_t *index)
{
	const json_t *known = json_object_get(reader->ids, id);

	if (known != NULL) {
		*index = (size_t)json_integer_value(known);
		return true;
	}
	*index = json_object_size(reader->ids);
	return json_object_set_new(reader->ids, id,
				   json_integer((json_int_t)*index)) == 0;
}

static bool keep(struct reader *reader, const struct pl_report_record *record)
{
	struct entry *entry;

	if (reader->count == reader->capacity) {
		size_t capacity = reader->capacity * 2 + 64;
		struct entry *more = realloc(reader->entries,
					     capacity * sizeof *more);

		if (more == NULL)
			return no_memory(reader);
		reader->entries = more;
		reader->capacity = capacity;
	}
	entry = &reader->entries[reader->count];
	entry->record = *record;
	entry->line = reader->line;
	if (!find_trace(reader, record->trace, &entry->trace))
		return no_memory(reader);
	reader->count++;
	return true;
}

static bool parse_line(struct reader *reader, const char *line, size_t length)
{
	struct pl_report_record record;
	json_error_t fault;
	json_t *json = json_loadb(line, length, JSON_REJECT_DUPLICATES,
				  &fault);

	if (json == NULL)
		return refuse(reader, "this line is no JSON: %s",
			      show(fault.text).text);
	if (json_array_append_new(reader->memory->lines, json) != 0)
		return no_memory(reader);
	return take_record(reader, json, &record) && keep(reader, &record);
}

static bool is_blank(const char *line, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
			return false;
	}
	return true;
}

/* ended: by a line feed; otherwise it is the last one and may be cut. */
static bool read_line(struct reader *reader, const char *line, size_t length,
		      bool ended, bool *cut)
{
	struct measure m;

	if (is_blank(line, length))
		return true;
	if (length > PL_REPORT_LINE)
		return refuse(reader, "this line has more than %d bytes",
			      PL_REPORT_LINE);
	m = measure(line, length);
	if (!ended && line[0] == '{' && (m.in_text || m.depth > 0)) {
		*cut = true;
		return true;
	}
	reader->values += m.values;
	if (m.deepest > DEPTH)
		return refuse(reader, "this line is nested too deeply");
	if (m.values > LINE_VALUES || reader->values > ALL_VALUES)
		return refuse(reader, "there are too many values in it");
	return parse_line(reader, line, length);
}

static bool read_lines(struct reader *reader, const char *bytes, size_t length,
		       bool *cut)
{
	const char *end = bytes + length;

	while (bytes < end) {
		const char *feed = memchr(bytes, '\n', (size_t)(end - bytes));
		const char *stop = feed != NULL ? feed : end;

		if (!read_line(reader, bytes, (size_t)(stop - bytes),
			       feed != NULL, cut))
			return false;
		if (feed == NULL)
			break;
		bytes = feed + 1;
		reader->line++;
	}
	return true;
}

static int by_time(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->trace != b->trace)
		return a->trace < b->trace ? -1 : 1;
	if (a->record.mono_us != b->record.mono_us)
		return a->record.mono_us < b->record.mono_us ? -1 : 1;
	if (a->record.seq != b->record.seq)
		return a->record.seq < b->record.seq ? -1 : 1;
	return a->line < b->line ? -1 : a->line > b->line;
}

static int by_seq(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->trace != b->trace)
		return a->trace < b->trace ? -1 : 1;
	if (a->record.seq != b->record.seq)
		return a->record.seq < b->record.seq ? -1 : 1;
	return a->line < b->line ? -1 : a->line > b->line;
}

/* The same record twice (two copies of one file) counts once; two records of
 * one number cannot both be true. */
static bool drop_copies(struct reader *reader)
{
	struct entry *entries = reader->entries;
	size_t kept = 0;

	qsort(entries, reader->count, sizeof *entries, by_seq);
	for (size_t i = 0; i < reader->count; i++) {
		struct entry *last = kept > 0 ? &entries[kept - 1] : NULL;

		if (last == NULL || last->trace != entries[i].trace ||
		    last->record.seq != entries[i].record.seq) {
			entries[kept++] = entries[i];
			continue;
		}
		if (json_equal(last->record.json, entries[i].record.json))
			continue;
		reader->line = entries[i].line;
		return refuse(reader, "record %u of trace %s is also in line "
			      "%zu, and differs", entries[i].record.seq,
			      show(entries[i].record.trace).text, last->line);
	}
	reader->count = kept;
	return true;
}

/* Begin, end, losses; the entries are still in the order of seq. */
static void note_ends(struct pl_report_trace *trace,
		      const struct pl_report_record *r)
{
	const json_t *count = json_object_get(r->detail, "count");

	if (strcmp(r->event, "trace.begin") == 0 && trace->begin == NULL)
		trace->begin = r->detail;
	else if (strcmp(r->event, "trace.end") == 0)
		trace->end = r->detail;
	else if (strcmp(r->event, "trace.dropped") == 0 &&
		 json_integer_value(count) > 0 &&
		 json_integer_value(count) < INT_MAX)
		trace->dropped += (unsigned)json_integer_value(count);
}

static void note_traces(struct reader *reader, struct pl_report *report)
{
	for (size_t i = 0; i < reader->count; i++) {
		const struct pl_report_record *r = &reader->entries[i].record;
		struct pl_report_trace *trace =
			&report->traces[reader->entries[i].trace];

		trace->id = r->trace;
		trace->count++;
		trace->complete = r->seq == trace->count;
		note_ends(trace, r);
	}
	for (size_t i = 0; i < report->count; i++) {
		struct pl_report_trace *trace = &report->traces[i];

		trace->complete = trace->complete && trace->begin != NULL &&
				  trace->end != NULL && trace->dropped == 0;
	}
}

static bool make_traces(struct reader *reader, struct pl_report *report)
{
	struct pl_report_record *records;

	if (reader->count == 0)
		return true;
	if (!drop_copies(reader))
		return false;
	report->count = json_object_size(reader->ids);
	report->traces = calloc(report->count, sizeof *report->traces);
	records = calloc(reader->count, sizeof *records);
	reader->memory->records = records;
	if (report->traces == NULL || records == NULL)
		return no_memory(reader);
	note_traces(reader, report);
	qsort(reader->entries, reader->count, sizeof *reader->entries,
	      by_time);
	for (size_t i = 0; i < reader->count; i++)
		records[i] = reader->entries[i].record;
	for (size_t i = 0; i < report->count; i++) {
		report->traces[i].records = records;
		report->traces[i].all = records;
		report->traces[i].all_count = report->traces[i].count;
		records += report->traces[i].count;
	}
	return true;
}

/* ----- the whole ----- */

static const char html_begin[] =
	"<script type=\"application/x-ndjson\" id=\"parley-trace\">";
static const char html_end[] = "</script>";

static size_t lines_before(const char *bytes, const char *end)
{
	size_t lines = 0;

	for (; bytes < end; bytes++)
		lines += *bytes == '\n';
	return lines;
}

/* In an HTML report the lines stand in a script element. */
static bool find_lines(struct reader *reader, const char **bytes,
		       size_t *length)
{
	const char *at = *bytes, *end = at + *length, *begin, *stop;

	if (*length >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
		at += 3;
	begin = at;
	while (at < end && isspace((unsigned char)*at))
		at++;
	if (at == end || *at != '<') {
		*length = (size_t)(end - begin);
		*bytes = begin;
		return true;
	}
	begin = memmem(at, (size_t)(end - at), html_begin,
		       sizeof html_begin - 1);
	if (begin == NULL)
		return refuse(reader, "this is HTML without a trace in it");
	begin += sizeof html_begin - 1;
	stop = memmem(begin, (size_t)(end - begin), html_end,
		      sizeof html_end - 1);
	if (stop == NULL)
		return refuse(reader, "the trace in this HTML has no end");
	reader->line += lines_before(*bytes, begin);
	*bytes = begin;
	*length = (size_t)(stop - begin);
	return true;
}

static bool prepare(struct reader *reader, struct pl_report *report)
{
	struct memory *memory = calloc(1, sizeof *memory);

	report->memory = reader->memory = memory;
	if (memory == NULL)
		return no_memory(reader);
	memory->lines = json_array();
	memory->hops = json_object();
	reader->ids = json_object();
	return (memory->lines != NULL && memory->hops != NULL &&
		reader->ids != NULL) || no_memory(reader);
}

bool pl_report_read(struct pl_report *report, const char *bytes, size_t length,
		    const char *name, bool *cut, struct pl_error *error)
{
	struct reader reader = { .name = name, .line = 1, .error = error };
	bool cut_off = false, good;

	memset(report, 0, sizeof *report);
	if (length > PL_REPORT_BYTES)
		return refuse(&reader, "this is larger than %d MiB",
			      PL_REPORT_BYTES / (1024 * 1024));
	good = prepare(&reader, report) &&
	       find_lines(&reader, &bytes, &length) &&
	       read_lines(&reader, bytes, length, &cut_off) &&
	       make_traces(&reader, report);
	json_decref(reader.ids);
	free(reader.entries);
	if (cut != NULL)
		*cut = cut_off;
	if (!good)
		pl_report_finish(report);
	return good;
}

struct pl_report_record *pl_report_room(struct pl_report *report)
{
	struct memory *memory = report->memory;
	size_t count = 0;

	for (size_t i = 0; i < report->count; i++)
		count += report->traces[i].all_count;
	if (memory->chosen == NULL)
		memory->chosen = calloc(count + 1, sizeof *memory->chosen);
	return memory->chosen;
}

void pl_report_finish(struct pl_report *report)
{
	struct memory *memory = report->memory;

	if (memory != NULL) {
		json_decref(memory->lines);
		json_decref(memory->hops);
		free(memory->records);
		free(memory->chosen);
	}
	free(memory);
	free(report->traces);
	memset(report, 0, sizeof *report);
}
