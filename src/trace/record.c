/*
 * One record under construction: details, summary and raw bytes as JSON text,
 * put together when it is done. Room for all of it is there from the start;
 * what does not fit is left out, and brackets always close.
 */
#include "internal.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	CLOSE_ROOM = NESTING + 2,  /* for the brackets still open */
	SUMMARY_SHOWN = 320,
	KEY_ROOM = 64,             /* a key with what is around it */
};

static bool text_init(struct text *text, size_t capacity)
{
	text->data = malloc(capacity);
	text->capacity = capacity;
	return text->data != NULL;
}

bool builder_init(struct builder *builder)
{
	return text_init(&builder->summary, SUMMARY_BYTES) &&
	       text_init(&builder->detail, DETAIL_BYTES) &&
	       text_init(&builder->raw, RAW_BYTES) &&
	       text_init(&builder->body, BODY_BYTES);
}

void builder_finish(struct builder *builder)
{
	free(builder->summary.data);
	free(builder->detail.data);
	free(builder->raw.data);
	free(builder->body.data);
}

void builder_begin(struct builder *builder, const struct pl_trace *trace)
{
	builder->trace = trace;
	builder->dir = PL_DIR_LOCAL;
	builder->stage = PL_STAGE_POLICY;
	builder->level = PL_LOG_INFO;
	builder->code = PL_CODE_NONE;
	builder->verb[0] = '\0';
	builder->summary.length = 0;
	builder->detail.length = 0;
	builder->raw.length = 0;
	builder->depth = builder->skipped = 0;
	builder->in_array[0] = builder->comma[0] = false;
	builder->wire = builder->cut = 0;
	builder->base64 = builder->has_raw = builder->redacted = false;
	builder->marks_count = 0;
	text_char(&builder->detail, '{');
}

void builder_drop(struct builder *builder)
{
	builder->connection = NULL;
}

/* ----- marks ----- */

/* A mark more; false: there are enough. */
static bool add_mark(struct builder *builder, enum part part, size_t offset,
		     const unsigned char digest[DIGEST_BYTES])
{
	struct mark *mark = &builder->marks[builder->marks_count];

	builder->redacted = true;
	if (builder->marks_count == MARKS)
		return false;
	mark->offset = (uint32_t)offset;
	memcpy(mark->digest, digest, DIGEST_BYTES);
	builder->parts[builder->marks_count++] = part;
	return true;
}

static void put_tag(struct builder *builder, struct text *text, enum part part,
		    const struct pl_trace *trace,
		    const unsigned char digest[DIGEST_BYTES])
{
	char tag[TAG_LENGTH];

	if (!add_mark(builder, part, text->length, digest)) {
		text_literal(text, "[key]");
		return;
	}
	mask_tag(trace, digest, tag);
	text_put(text, tag, TAG_LENGTH);
}

static void forget_part(struct builder *builder, enum part part)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < builder->marks_count; i++) {
		if (builder->parts[i] == part)
			continue;
		builder->marks[kept] = builder->marks[i];
		builder->parts[kept++] = builder->parts[i];
	}
	builder->marks_count = kept;
	builder->redacted = kept > 0;
}

/* Escaped, up to `room` characters, and every known key as its tag. */
static void put_masked(struct builder *builder, struct text *text,
		       enum part part, size_t room, const char *bytes,
		       size_t length)
{
	size_t most = text->length + room;
	struct echo echo;

	while (known_find(builder->trace, bytes, length, &echo)) {
		if (text_escaped(text, most - text->length, bytes, echo.at) <
			    echo.at || most - text->length < TAG_LENGTH)
			return;
		put_tag(builder, text, part, builder->trace, echo.digest);
		bytes += echo.at + echo.length;
		length -= echo.at + echo.length;
	}
	text_escaped(text, most - text->length, bytes, length);
}

void builder_summary(struct builder *builder, const char *text)
{
	size_t length = strlen(text);
	char shown[SUMMARY_SHOWN];

	builder->summary.length = 0;
	if (builder->marks_count > 0)
		forget_part(builder, IN_SUMMARY);
	if (length >= SUMMARY_SHOWN || text_plain(text, length) < length) {
		text = pl_text_printable(shown, sizeof shown, text, length);
		length = strlen(text);
	}
	put_masked(builder, &builder->summary, IN_SUMMARY, SUMMARY_BYTES, text,
		   length);
}

/* ----- details ----- */

static bool fits(const struct builder *builder, size_t length)
{
	return builder->skipped == 0 &&
	       text_room(&builder->detail) >= KEY_ROOM + length + CLOSE_ROOM;
}

/* Keys are ours: short, without anything to escape. */
static void put_key(struct builder *builder, const char *key)
{
	struct text *detail = &builder->detail;

	if (builder->comma[builder->depth])
		text_char(detail, ',');
	builder->comma[builder->depth] = true;
	if (builder->in_array[builder->depth])
		return;
	assert(key != NULL && strlen(key) < KEY_ROOM - 8);
	text_char(detail, '"');
	text_string(detail, key);
	text_literal(detail, "\":");
}

void detail_text(struct builder *builder, const char *key, const char *value)
{
	struct text *detail = &builder->detail;
	size_t length;

	if (value == NULL)
		return;
	length = strlen(value);
	if (!fits(builder, length < DETAIL_TEXT ? length : DETAIL_TEXT))
		return;
	length = text_cut(value, length, DETAIL_TEXT);
	put_key(builder, key);
	text_char(detail, '"');
	put_masked(builder, detail, IN_DETAIL,
		   text_room(detail) - CLOSE_ROOM - 2, value, length);
	text_char(detail, '"');
}

void detail_number(struct builder *builder, const char *key, int64_t value)
{
	if (!fits(builder, 24))
		return;
	put_key(builder, key);
	text_number(&builder->detail, value);
}

void detail_bool(struct builder *builder, const char *key, bool value)
{
	if (!fits(builder, 8))
		return;
	put_key(builder, key);
	text_string(&builder->detail, value ? "true" : "false");
}

void detail_null(struct builder *builder, const char *key)
{
	if (!fits(builder, 8))
		return;
	put_key(builder, key);
	text_literal(&builder->detail, "null");
}

/* What does not fit, or is nested too deeply, is skipped with all in it. */
void detail_open(struct builder *builder, const char *key, bool array)
{
	if (!fits(builder, 8) || builder->depth == NESTING) {
		builder->skipped++;
		return;
	}
	put_key(builder, key);
	text_char(&builder->detail, array ? '[' : '{');
	builder->depth++;
	builder->in_array[builder->depth] = array;
	builder->comma[builder->depth] = false;
}

void detail_close(struct builder *builder)
{
	if (builder->skipped > 0) {
		builder->skipped--;
		return;
	}
	if (builder->depth == 0)
		return;
	text_char(&builder->detail,
		  builder->in_array[builder->depth] ? ']' : '}');
	builder->depth--;
}

static void detail_key(struct builder *builder, struct pl_trace *trace,
		       const char *key, const char *secret)
{
	size_t start = 0, end = strlen(secret);
	unsigned char digest[DIGEST_BYTES];

	while (start < end && strchr(" \t\r\n", secret[start]) != NULL)
		start++;
	while (end > start && strchr(" \t\r\n", secret[end - 1]) != NULL)
		end--;
	mask_digest(trace->tracer, secret + start, end - start, digest);
	known_add(trace, secret + start, end - start, digest);
	if (key == NULL || !fits(builder, TAG_LENGTH + 2))
		return;
	put_key(builder, key);
	text_char(&builder->detail, '"');
	put_tag(builder, &builder->detail, IN_DETAIL, trace, digest);
	text_char(&builder->detail, '"');
}

/* ----- raw bytes ----- */

static void raw_base64(struct builder *builder, const char *bytes,
		       size_t length)
{
	int wide = EVP_EncodeBlock((unsigned char *)builder->raw.data,
				   (const unsigned char *)bytes, (int)length);

	builder->raw.length = (size_t)wide;
	builder->base64 = true;
}

static void raw_whole(struct builder *builder, const char *bytes, size_t length)
{
	size_t shown = text_cut(bytes, length, PL_TRACE_RAW_BYTES);
	struct echo echo;

	builder->has_raw = true;
	builder->cut = length - shown;
	if (text_is_utf8(bytes, shown)) {
		put_masked(builder, &builder->raw, IN_RAW, RAW_BYTES, bytes,
			   shown);
	} else if (known_find(builder->trace, bytes, shown, &echo)) {
		/* no text: the tag alone */
		builder->cut = length - echo.length;
		put_tag(builder, &builder->raw, IN_RAW, builder->trace,
			echo.digest);
	} else {
		raw_base64(builder, bytes, shown);
	}
}

/* Start tag, tag, end tag; where they are no text, the tag alone. */
static void raw_masked(struct builder *builder, struct pl_trace *trace,
		       const char *bytes, size_t length, size_t start,
		       size_t end)
{
	size_t before = text_cut(bytes, start, PL_TRACE_RAW_BYTES / 2);
	size_t behind = text_cut(bytes + end, length - end,
				 PL_TRACE_RAW_BYTES / 4);
	unsigned char digest[DIGEST_BYTES];

	if (!text_is_utf8(bytes, before) ||
	    !text_is_utf8(bytes + end, behind))
		before = behind = 0;
	mask_digest(trace->tracer, bytes + start, end - start, digest);
	known_add(trace, bytes + start, end - start, digest);
	builder->has_raw = true;
	builder->cut = start - before + length - end - behind;
	put_masked(builder, &builder->raw, IN_RAW, RAW_BYTES, bytes, before);
	put_tag(builder, &builder->raw, IN_RAW, trace, digest);
	put_masked(builder, &builder->raw, IN_RAW,
		   RAW_BYTES - builder->raw.length, bytes + end, behind);
}

static void forget_raw(struct builder *builder)
{
	forget_part(builder, IN_RAW);
	builder->raw.length = 0;
	builder->has_raw = builder->base64 = false;
	builder->cut = 0;
}

/* ----- all together ----- */

static const char *const dir_names[] = {
	[PL_DIR_OUT] = "out",
	[PL_DIR_IN] = "in",
	[PL_DIR_LOCAL] = "local",
	[PL_DIR_DNS] = "dns",
};

static void put_event(struct builder *builder, const char *event)
{
	struct text *body = &builder->body;
	const char *stage = pl_stage_name(builder->stage);

	text_literal(body, ",\"dir\":\"");
	text_string(body, dir_names[builder->dir]);
	text_literal(body, "\",\"stage\":\"");
	text_string(body, stage);
	text_literal(body, "\",\"event\":\"");
	if (event != NULL) {
		text_string(body, event);
	} else {
		text_string(body, stage);
		text_char(body, '.');
		text_string(body, builder->verb);
	}
	text_literal(body, "\",\"level\":\"");
	text_string(body, pl_log_level_name(builder->level));
	if (builder->code != PL_CODE_NONE) {
		text_literal(body, "\",\"code\":\"");
		text_string(body, pl_code_entry(builder->code)->name);
	}
}

/* Returns where raw begins in the body. */
static size_t put_raw(struct builder *builder)
{
	struct text *body = &builder->body;
	size_t start;

	text_literal(body, ",\"raw\":\"");
	start = body->length;
	text_put(body, builder->raw.data, builder->raw.length);
	text_char(body, '"');
	if (builder->base64)
		text_literal(body, ",\"raw_enc\":\"b64\"");
	if (builder->cut > 0) {
		text_literal(body, ",\"trunc\":");
		text_number(body, (int64_t)builder->cut);
	}
	return start;
}

void builder_close(struct builder *builder, const char *hop_and_role,
		   const char *event, bool encrypted)
{
	struct text *body = &builder->body;
	size_t at[PARTS] = { 0 };

	builder->skipped = 0;
	while (builder->depth > 0)
		detail_close(builder);
	body->length = 0;
	text_string(body, hop_and_role);
	put_event(builder, event);
	text_literal(body, "\",\"enc\":\"");
	text_string(body, encrypted ? "tls" : "plain");
	text_literal(body, "\",\"summary\":\"");
	at[IN_SUMMARY] = body->length;
	text_put(body, builder->summary.data, builder->summary.length);
	text_literal(body, "\",\"detail\":");
	at[IN_DETAIL] = body->length;
	text_put(body, builder->detail.data, builder->detail.length);
	text_literal(body, "},\"len\":");
	text_number(body, (int64_t)builder->wire);
	if (builder->has_raw)
		at[IN_RAW] = put_raw(builder);
	text_literal(body, ",\"redacted\":");
	text_char(body, builder->redacted ? '1' : '0');
	text_literal(body, "}\n");
	for (unsigned i = 0; i < builder->marks_count; i++)
		builder->marks[i].offset += (uint32_t)at[builder->parts[i]];
}

/* ----- for those who record ----- */

/* The builder where this connection's record is under construction. */
static struct builder *building(const struct pl_traced *connection)
{
	struct pl_tracer *tracer;

	if (connection == NULL || connection->trace->ended)
		return NULL;
	tracer = connection->trace->tracer;
	return tracer->builder.connection == connection ? &tracer->builder
							: NULL;
}

void pl_trace_record(struct pl_traced *connection, enum pl_trace_dir dir,
		     enum pl_stage stage, const char *verb)
{
	struct builder *builder;

	if (!pl_trace_live(connection))
		return;
	builder = &connection->trace->tracer->builder;
	if (builder->connection != NULL)
		pl_trace_done(builder->connection);
	builder_begin(builder, connection->trace);
	builder->connection = connection;
	builder->dir = dir;
	builder->stage = stage;
	snprintf(builder->verb, sizeof builder->verb, "%s", verb);
}

void pl_trace_level(struct pl_traced *connection, enum pl_log_level level)
{
	struct builder *builder = building(connection);

	if (builder != NULL)
		builder->level = level;
}

void pl_trace_code(struct pl_traced *connection, enum pl_code code)
{
	struct builder *builder = building(connection);

	if (builder != NULL)
		builder->code = code;
}

void pl_trace_encrypted(struct pl_traced *connection, bool encrypted)
{
	if (connection != NULL)
		connection->encrypted = encrypted;
}

void pl_trace_summary(struct pl_traced *connection, const char *format, ...)
{
	struct builder *builder = building(connection);
	char text[SUMMARY_BYTES];
	va_list list;

	if (builder == NULL)
		return;
	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	builder_summary(builder, text);
}

void pl_trace_text(struct pl_traced *connection, const char *key,
		   const char *value)
{
	struct builder *builder = building(connection);

	if (builder != NULL)
		detail_text(builder, key, value);
}

void pl_trace_number(struct pl_traced *connection, const char *key,
		     int64_t value)
{
	struct builder *builder = building(connection);

	if (builder != NULL)
		detail_number(builder, key, value);
}

void pl_trace_bool(struct pl_traced *connection, const char *key, bool value)
{
	struct builder *builder = building(connection);

	if (builder != NULL)
		detail_bool(builder, key, value);
}

void pl_trace_null(struct pl_traced *connection, const char *key)
{
	struct builder *builder = building(connection);

	if (builder != NULL)
		detail_null(builder, key);
}

void pl_trace_object(struct pl_traced *connection, const char *key)
{
	struct builder *builder = building(connection);

	if (builder != NULL)
		detail_open(builder, key, false);
}

void pl_trace_array(struct pl_traced *connection, const char *key)
{
	struct builder *builder = building(connection);

	if (builder != NULL)
		detail_open(builder, key, true);
}

void pl_trace_close(struct pl_traced *connection)
{
	struct builder *builder = building(connection);

	if (builder != NULL)
		detail_close(builder);
}

void pl_trace_key(struct pl_traced *connection, const char *key,
		  const char *secret)
{
	struct builder *builder = building(connection);

	if (builder != NULL && secret != NULL)
		detail_key(builder, connection->trace, key, secret);
}

void pl_trace_length(struct pl_traced *connection, size_t length)
{
	struct builder *builder = building(connection);

	if (builder == NULL)
		return;
	if (builder->has_raw && length > builder->wire)
		builder->cut += length - builder->wire;
	builder->wire = length;
}

void pl_trace_raw(struct pl_traced *connection, const void *bytes,
		  size_t length, enum pl_trace_mask mask)
{
	struct builder *builder = building(connection);
	enum pl_trace_raw raw;
	size_t start, end;

	if (builder == NULL)
		return;
	raw = connection->trace->raw;
	forget_raw(builder);
	builder->wire = length;
	if (raw == PL_RAW_NONE || length == 0 ||
	    (mask == PL_MASK_STANZA && raw != PL_RAW_ALL))
		return;
	if (mask == PL_MASK_TEXT && mask_find(bytes, length, &start, &end))
		raw_masked(builder, connection->trace, bytes, length, start,
			   end);
	else
		raw_whole(builder, bytes, length);
}

void pl_trace_done(struct pl_traced *connection)
{
	struct builder *builder = building(connection);
	struct pl_trace *trace;

	if (builder == NULL)
		return;
	trace = connection->trace;
	builder_close(builder, connection->hop, NULL, connection->encrypted);
	builder->connection = NULL;
	if (trace->incoming && connection->accepted &&
	    builder->stage == PL_STAGE_DIALBACK &&
	    builder->dir == PL_DIR_OUT && strcmp(builder->verb, "verify") == 0)
		trace->served = true;
	lines_record(trace, connection->number, connection->parent);
}
