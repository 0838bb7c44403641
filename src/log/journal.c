/*
 * The journal: a line as a message, and each key as a field of its own, so that
 * `journalctl PARLEY_CODE=tls-not-offered` finds it.
 *
 * A line for the journal is made as JSON and taken apart here: the keys are
 * those of the documentation, in capitals, with PARLEY_ before them.
 */
#include "log.h"

#ifdef HAVE_LIBSYSTEMD
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

enum { FIELDS = 48 };

struct fields {
	struct iovec list[FIELDS];
	char *texts[FIELDS]; /* owned */
	size_t count;
};

static void add(struct fields *fields, char *text)
{
	if (text == NULL || fields->count == FIELDS) {
		free(text);
		return;
	}
	fields->texts[fields->count] = text;
	fields->list[fields->count++] = (struct iovec){ text, strlen(text) };
}

/* An array as words with commas, as the text form has it. */
static char *value_text(const json_t *value)
{
	char *text = NULL, *longer;
	const json_t *item;
	size_t i;

	if (json_is_string(value))
		return strdup(json_string_value(value));
	if (!json_is_array(value))
		return json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	text = strdup("");
	json_array_foreach(value, i, item) {
		if (text == NULL ||
		    asprintf(&longer, "%s%s%s", text, i ? "," : "",
			     json_string_value(item)) < 0)
			break;
		free(text);
		text = longer;
	}
	return text;
}

static void add_field(struct fields *fields, const char *key, const char *value)
{
	char *text;

	if (asprintf(&text, "PARLEY_%s=%s", key, value) < 0)
		return;
	for (char *c = text + 7; *c != '='; c++)
		*c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
	add(fields, text);
}

/* "stream=3f2a event=negotiated ..." for who reads the journal. */
static void add_message(struct fields *fields, const char *message)
{
	char *text;

	if (asprintf(&text, "MESSAGE=%s", message) >= 0)
		add(fields, text);
}

static void take_apart(struct fields *fields, json_t *line)
{
	char message[8192];
	const char *key;
	size_t used = 0;
	json_t *value;

	json_object_foreach(line, key, value) {
		char *text;
		bool quoted;

		if (strcmp(key, "time") == 0 || strcmp(key, "level") == 0)
			continue;
		text = value_text(value);
		if (text == NULL)
			continue;
		quoted = text[0] == '\0' || strpbrk(text, " \"=\\") != NULL;
		if (used < sizeof message)
			used += (size_t)snprintf(message + used,
				sizeof message - used, "%s%s=%s%s%s",
				used ? " " : "", key, quoted ? "\"" : "", text,
				quoted ? "\"" : "");
		add_field(fields, key, text);
		free(text);
	}
	add_message(fields, used ? message : "");
}

bool log_to_journal(int priority, const char *text, size_t length)
{
	json_t *line = json_loadb(text, length, 0, NULL);
	struct fields fields = { .count = 0 };
	char *level;

	if (line == NULL)
		return false;
	if (asprintf(&level, "PRIORITY=%d", priority) >= 0)
		add(&fields, level);
	add(&fields, strdup("SYSLOG_IDENTIFIER=parleyd"));
	take_apart(&fields, line);
	json_decref(line);
	sd_journal_sendv(fields.list, (int)fields.count);
	for (size_t i = 0; i < fields.count; i++)
		free(fields.texts[i]);
	return true;
}

bool log_has_journal(void)
{
	return true;
}

#else

bool log_to_journal(int priority, const char *text, size_t length)
{
	(void)priority;
	(void)text;
	(void)length;
	return false;
}

bool log_has_journal(void)
{
	return false;
}

#endif
