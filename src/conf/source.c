/*
 * The text of a file, made ready for libconfuse.
 *
 * libconfuse 3.3 counts the lines of comments twice or three times, and takes a
 * comment inside a list or between a title and its brace for an error. So
 * comments become spaces before it sees them; strings are left alone.
 */
#include "file.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool read_open(FILE *in, char **out, struct pl_error *error)
{
	struct stat status;
	size_t length;
	char *text;

	if (fstat(fileno(in), &status) == 0 && S_ISDIR(status.st_mode))
		return pl_error_set(error, "%s", strerror(EISDIR));
	text = pl_calloc(1, CONF_FILE_BYTES + 2);
	length = fread(text, 1, CONF_FILE_BYTES + 1, in);
	*out = text;
	if (ferror(in))
		return pl_error_set(error, "%s", strerror(errno));
	if (length > CONF_FILE_BYTES)
		return pl_error_set(error, "is larger than 4 MiB");
	if (memchr(text, '\0', length) != NULL)
		return pl_error_set(error, "is not a text file");
	return true;
}

char *conf_source_read(const char *path, struct pl_error *error)
{
	FILE *in = fopen(path, "re");
	char *text = NULL;
	bool fine;

	if (in == NULL) {
		pl_error_set(error, "%s", strerror(errno));
		return NULL;
	}
	setvbuf(in, NULL, _IONBF, 0); /* no copy of a secret in a buffer */
	fine = read_open(in, &text, error);
	fclose(in);
	if (fine)
		return text;
	pl_free_secret(text);
	return NULL;
}

/* Behind the string that begins at s; NULL: it never ends. */
static char *skip_string(char *s)
{
	char quote = *s++;

	for (; *s != '\0' && *s != quote; s++) {
		if (*s == '\\' && s[1] != '\0')
			s++;
	}
	return *s == quote ? s + 1 : NULL;
}

/* The end of ${NAME}. */
static char *skip_variable(char *s)
{
	s += strcspn(s, "}");
	return *s == '}' ? s + 1 : s;
}

static char *blank_to(char *s, const char *end)
{
	for (; s < end; s++) {
		if (*s != '\n' && *s != '\r')
			*s = ' ';
	}
	return s;
}

static char *blank_line(char *s)
{
	return blank_to(s, s + strcspn(s, "\n"));
}

/* Behind the comment that begins at s; NULL: it never ends. */
static char *blank_block(char *s)
{
	const char *end = strstr(s + 2, "*/");

	return end == NULL ? NULL : blank_to(s, end + 2);
}

/* Does a bare word end before this character? */
static bool ends_word(char c)
{
	return strchr(" \t\r\n{}()=+,\"'", c) != NULL;
}

/* Behind the token at s, with a comment blanked; NULL: it never ends. */
static char *skip(char *s, bool fresh)
{
	if (*s == '"' || *s == '\'')
		return skip_string(s);
	if (s[0] == '$' && s[1] == '{')
		return skip_variable(s);
	if (*s == '#' || (fresh && s[0] == '/' && s[1] == '/'))
		return blank_line(s);
	if (s[0] == '/' && s[1] == '*')
		return blank_block(s);
	return s + 1;
}

bool conf_source_blank(char *text, struct pl_error *error)
{
	int line = 1;

	for (char *s = text, *next; *s != '\0';) {
		next = skip(s, s == text || ends_word(s[-1]));
		if (next == NULL) {
			error->line = line;
			return pl_error_set(error, "the %s that begins here "
					    "never ends",
					    *s == '/' ? "comment" : "string");
		}
		for (; s < next; s++)
			line += *s == '\n';
	}
	return true;
}

int conf_source_unclosed(const char *text)
{
	int line = 1, depth = 0, outermost = 0;

	while (*text != '\0') {
		const char *next = text + 1;

		if (*text == '"' || *text == '\'')
			next = skip_string((char *)text);
		else if (text[0] == '$' && text[1] == '{')
			next = skip_variable((char *)text);
		else if (*text == '{' && depth++ == 0)
			outermost = line;
		else if (*text == '}')
			depth--;
		for (; text < next; text++)
			line += *text == '\n';
	}
	return depth > 0 ? outermost : 0;
}

static bool holds_word(const char *line, size_t length, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= length; i++) {
		if (memcmp(line + i, word, n) == 0 &&
		    (i == 0 || ends_word(line[i - 1])) &&
		    (i + n == length || ends_word(line[i + n])))
			return true;
	}
	return false;
}

int conf_source_line_of(const char *text, int line, const char *word)
{
	int found = line;

	for (int i = 1; i <= line; i++) {
		size_t length = strcspn(text, "\n");

		if (holds_word(text, length, word))
			found = i;
		if (text[length] == '\0')
			break;
		text += length + 1;
	}
	return found;
}
