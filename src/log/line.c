/*
 * One line, key by key.
 *
 * A value is made printable first (base), then quoted for text or JSON. What
 * does not fit is cut inside its value, never inside an escape, so that a cut
 * line still parses: room for the end of the line is always kept.
 */
#include "log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
	VALUE_SIZE = 1536,  /* a printable value with its NUL */
	ROOM_FOR_END = 4,   /* `"` or `]`, `}`, newline */
	LEAST_VALUE = 16,   /* a key with less room than this is left out */
};

static size_t room(const struct pl_log_line *line)
{
	return sizeof line->text - ROOM_FOR_END - line->length;
}

static bool is_json(const struct pl_log_line *line)
{
	return line->log->format == PL_LOG_JSON;
}

/* Appends; the caller knows that it fits. */
static void put(struct pl_log_line *line, const char *text, size_t length)
{
	assert(length <= sizeof line->text - line->length);
	memcpy(line->text + line->length, text, length);
	line->length += length;
}

static void put_char(struct pl_log_line *line, char c)
{
	put(line, &c, 1);
}

/* Between backslashes: a character of the value with what escapes it. */
static bool needs_backslash(char c)
{
	return c == '"' || c == '\\';
}

/* Puts the value in quotes, cut to what is there; true when all of it fit. */
static void put_quoted(struct pl_log_line *line, const char *value)
{
	put_char(line, '"');
	for (size_t i = 0; value[i] != '\0';) {
		size_t n = 1;

		while (((unsigned char)value[i + n] & 0xc0) == 0x80)
			n++; /* a whole UTF-8 character */
		/* for itself, a backslash, "..." and the end quote */
		if (room(line) < n + 5) {
			put(line, "...", 3);
			break;
		}
		if (needs_backslash(value[i]))
			put_char(line, '\\');
		put(line, value + i, n);
		i += n;
	}
	put_char(line, '"');
}

static bool is_plain(const char *value)
{
	if (*value == '\0')
		return false;
	for (; *value != '\0'; value++) {
		if ((unsigned char)*value <= ' ' || *value == '"' ||
		    *value == '=' || *value == '\\' || *value == 0x7f)
			return false;
	}
	return true;
}

/* In text a value that needs no quotes has none. */
static void put_value(struct pl_log_line *line, const char *value)
{
	size_t length = strlen(value);

	if (!is_json(line) && is_plain(value) && length <= room(line))
		put(line, value, length);
	else
		put_quoted(line, value);
}

/* Begins a key where there is room for it and for some of its value. */
static bool put_key(struct pl_log_line *line, const char *key)
{
	size_t length = strlen(key);

	if (!line->wanted || room(line) < length + 4 + LEAST_VALUE)
		return false;
	if (is_json(line)) {
		put(line, ",\"", 2);
		put(line, key, length);
		put(line, "\":", 2);
	} else {
		if (line->length > 0)
			put_char(line, ' ');
		put(line, key, length);
		put_char(line, '=');
	}
	return true;
}

/* "2026-11-22T12:03:05.109Z" */
static size_t timestamp(const struct pl_log *log, char out[64])
{
	struct timeval now = log->clock(log->owner);
	struct tm utc;
	size_t length;

	gmtime_r(&now.tv_sec, &utc);
	length = strftime(out, 64, "%Y-%m-%dT%H:%M:%S", &utc);
	return length + (size_t)snprintf(out + length, 64 - length, ".%03dZ",
					 (int)(now.tv_usec / 1000));
}

void pl_log_begin(struct pl_log_line *line, struct pl_log *log,
		  enum pl_log_level level)
{
	const char *name = pl_log_level_name(level);
	char when[64];
	size_t length;

	line->log = log;
	line->level = level;
	line->length = 0;
	line->wanted = pl_log_wants(log, level);
	/* syslog has its own time and priority */
	if (!line->wanted || (log->to_syslog && !is_json(line)))
		return;
	length = timestamp(log, when);
	if (is_json(line)) {
		put(line, "{\"time\":\"", 9);
		put(line, when, length);
		put(line, "\",\"level\":\"", 11);
		put(line, name, strlen(name));
		put_char(line, '"');
	} else {
		put(line, when, length);
		put_char(line, ' ');
		put(line, name, strlen(name));
	}
}

void pl_log_text(struct pl_log_line *line, const char *key, const char *value)
{
	pl_log_bytes(line, key, value, strlen(value));
}

void pl_log_bytes(struct pl_log_line *line, const char *key, const char *value,
		  size_t length)
{
	char printable[VALUE_SIZE];

	if (!put_key(line, key))
		return;
	put_value(line, pl_text_printable(printable, sizeof printable, value,
					  length));
}

void pl_log_number(struct pl_log_line *line, const char *key, int64_t value)
{
	char digits[24];
	int length = snprintf(digits, sizeof digits, "%" PRId64, value);

	/* a number is whole or not there */
	if (room(line) >= strlen(key) + 4 + sizeof digits && put_key(line, key))
		put(line, digits, (size_t)length);
}

/* "a,b,c" as one value; a list of nothing is the word none. */
static void put_joined(struct pl_log_line *line, const char *const *values,
		       size_t count)
{
	char joined[VALUE_SIZE], printable[VALUE_SIZE];
	size_t used = 0;

	joined[0] = '\0';
	for (size_t i = 0; i < count && used < sizeof joined - 1; i++) {
		int n = snprintf(joined + used, sizeof joined - used, "%s%s",
				 i > 0 ? "," : "", values[i]);

		used += (size_t)n;
	}
	put_value(line, count == 0 ? "none"
		  : pl_text_printable(printable, sizeof printable, joined,
				      strlen(joined)));
}

static void put_array(struct pl_log_line *line, const char *const *values,
		      size_t count)
{
	put_char(line, '[');
	for (size_t i = 0; i < count && room(line) > LEAST_VALUE; i++) {
		char printable[VALUE_SIZE];

		if (i > 0)
			put_char(line, ',');
		put_quoted(line, pl_text_printable(printable, sizeof printable,
						   values[i],
						   strlen(values[i])));
	}
	put_char(line, ']');
}

void pl_log_list(struct pl_log_line *line, const char *key,
		 const char *const *values, size_t count)
{
	if (!put_key(line, key))
		return;
	if (is_json(line))
		put_array(line, values, count);
	else
		put_joined(line, values, count);
}

static bool write_line(struct pl_log_line *line)
{
	if (is_json(line))
		put_char(line, '}');
	put_char(line, '\n');
	return log_write(line->log, line->level, line->text, line->length);
}

/* The first line that there is room for again says what is missing. */
static bool tell_lost(struct pl_log *log)
{
	struct pl_log_line line;
	uint64_t lost = log->lost;

	pl_log_begin(&line, log, PL_LOG_ERROR);
	pl_log_text(&line, "event", "log");
	pl_log_number(&line, "lost", (int64_t)lost);
	pl_log_text(&line, "message",
		    "lines before this one could not be written");
	if (!write_line(&line)) {
		log->lost = lost;
		return false;
	}
	log->lost = 0;
	return true;
}

void pl_log_end(struct pl_log_line *line)
{
	struct pl_log *log = line->log;

	if (!line->wanted)
		return;
	if (log->lost > 0 && !tell_lost(log))
		log->lost++;
	else
		write_line(line);
	line->wanted = false; /* written once */
}

void pl_log_event(struct pl_log *log, enum pl_log_level level,
		  const char *event, const char *format, ...)
{
	struct pl_log_line line;
	char message[VALUE_SIZE];
	va_list ap;

	if (!pl_log_wants(log, level))
		return;
	va_start(ap, format);
	vsnprintf(message, sizeof message, format, ap);
	va_end(ap);
	pl_log_begin(&line, log, level);
	pl_log_text(&line, "event", event);
	pl_log_text(&line, "message", message);
	pl_log_end(&line);
}
