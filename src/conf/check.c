/* Values of a tree as booleans, numbers, words, paths and secrets. */
#include "file.h"

#include "parley/addr.h"

#include <errno.h>
#include <stdlib.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

const struct conf_key *conf_key(const struct conf_section *section,
				const char *name)
{
	const struct conf_key *key = section->keys;

	while (key != NULL && strcmp(key->name, name) != 0)
		key = key->next;
	return key;
}

/* Where a key is set twice (which is a fault) the last value is used. */
static const struct conf_value *last_value(const struct conf_section *section,
					   const char *name)
{
	const struct conf_key *key = conf_key(section, name);
	const struct conf_value *value = key == NULL ? NULL : key->values;

	while (value != NULL && value->next != NULL)
		value = value->next;
	return value;
}

const char *conf_text(const struct conf_section *section, const char *name)
{
	const struct conf_value *value = last_value(section, name);

	return value == NULL || *value->text == '\0' ? NULL : value->text;
}

struct conf_place conf_at(const struct conf_section *section, const char *name)
{
	const struct conf_value *value = last_value(section, name);

	return value == NULL ? section->at : value->at;
}

/* ----- keys set twice ----- */

static void check_key(const struct conf_key *key, struct conf_notes *notes)
{
	for (const struct conf_value *v = key->values; v != NULL; v = v->next) {
		if (v->begins && v != key->values)
			conf_fault(notes, v->at,
				   "%s is set a second time; first at %s:%d",
				   key->name, key->at.file->path, key->at.line);
	}
}

/* The untitled section before `section` that sets the key too, or NULL. */
static const struct conf_key *set_before(const struct conf_tree *tree,
					 const struct conf_section *section,
					 const char *key)
{
	const struct conf_section *s;

	for (s = tree->sections; s != section; s = s->next) {
		if (s->title == NULL && strcmp(s->name, section->name) == 0 &&
		    conf_key(s, key) != NULL)
			return conf_key(s, key);
	}
	return NULL;
}

void conf_check_twice(const struct conf_tree *tree, struct conf_notes *notes)
{
	const struct conf_section *s;

	for (s = tree->sections; s != NULL; s = s->next) {
		for (const struct conf_key *k = s->keys; k != NULL;
		     k = k->next) {
			const struct conf_key *before = s->title != NULL ? NULL
				: set_before(tree, s, k->name);

			check_key(k, notes);
			if (before != NULL)
				conf_fault(notes, k->at, "%s is set a second "
					   "time; first at %s:%d", k->name,
					   before->at.file->path,
					   before->at.line);
		}
	}
}

/* ----- values ----- */

bool conf_pattern(const char *text, char out[PL_DOMAIN_SIZE],
		  struct pl_error *error)
{
	bool wildcard = strncmp(text, "*.", 2) == 0;
	char domain[PL_DOMAIN_SIZE];

	if (strcmp(text, "*") == 0) {
		strcpy(out, "*");
		return true;
	}
	if (!pl_addr_domain(text + 2 * wildcard, strlen(text + 2 * wildcard),
			    domain, error))
		return false;
	if (snprintf(out, PL_DOMAIN_SIZE, "%s%s", wildcard ? "*." : "",
		     domain) >= PL_DOMAIN_SIZE)
		return pl_error_set(error, "the name is too long");
	return true;
}


bool conf_bool(const struct conf_section *section, const char *name, bool *out,
	       struct conf_notes *notes)
{
	static const char *const yes[] = { "yes", "true", "on" };
	static const char *const no[] = { "no", "false", "off" };
	const struct conf_value *value = last_value(section, name);

	if (value == NULL)
		return true;
	for (unsigned i = 0; i < 3; i++) {
		if (strcasecmp(value->text, yes[i]) == 0 ||
		    strcasecmp(value->text, no[i]) == 0) {
			*out = strcasecmp(value->text, yes[i]) == 0;
			return true;
		}
	}
	return conf_fault(notes, value->at, "%s = \"%s\": expected yes or no",
			  name, value->text);
}

bool conf_number(const struct conf_section *section, const char *name,
		 int least, int most, int *out, struct conf_notes *notes)
{
	const struct conf_value *value = last_value(section, name);
	char *end;
	long number;

	if (value == NULL)
		return true;
	errno = 0;
	number = strtol(value->text, &end, 10);
	if (*value->text == '\0' || *end != '\0' ||
	    strchr(" \t\n\r\v\f+", *value->text) != NULL)
		return conf_fault(notes, value->at,
				  "%s = \"%s\": expected a whole number", name,
				  value->text);
	if (errno == ERANGE || number < least || number > most)
		return conf_fault(notes, value->at,
				  "%s = %s: must be from %d to %d", name,
				  value->text, least, most);
	*out = (int)number;
	return true;
}

/* By opening it: access() asks for the rights of the real user, and the daemon
 * may hold one right more (privileges.c). errno says why not. */
static bool readable(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* "a, b or c" */
static void join_words(const char *const *words, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (unsigned i = 0; words[i] != NULL && used < size; i++) {
		const char *before = i == 0 ? ""
			: words[i + 1] == NULL ? " or " : ", ";

		used += (size_t)snprintf(out + used, size - used, "%s%s",
					 before, words[i]);
	}
}

bool conf_word(const struct conf_section *section, const char *name,
	       const char *const *words, unsigned *out,
	       struct conf_notes *notes)
{
	const struct conf_value *value = last_value(section, name);
	char list[128];

	if (value == NULL)
		return true;
	for (unsigned i = 0; words[i] != NULL; i++) {
		if (strcmp(value->text, words[i]) == 0) {
			*out = i;
			return true;
		}
	}
	join_words(words, list, sizeof list);
	return conf_fault(notes, value->at, "%s = \"%s\": expected %s", name,
			  value->text, list);
}

bool conf_endpoint(const struct conf_section *section, const char *name,
		   char **out, struct conf_notes *notes)
{
	const char *text = conf_text(section, name);
	char host[PL_ASCII_DOMAIN_SIZE];
	struct pl_error error = { 0 };
	unsigned short port;

	if (text == NULL)
		return true;
	if (!pl_addr_endpoint(text, host, &port, &error))
		return conf_fault(notes, conf_at(section, name),
				  "%s = \"%s\": %s", name, text, error.text);
	*out = pl_strdup(text);
	return true;
}

/* ----- files ----- */

char *conf_path(const struct conf_section *section, const char *name)
{
	const char *text = conf_text(section, name);
	const char *folder = conf_at(section, name).file->folder;
	char *path = NULL;

	if (text == NULL)
		return NULL;
	if (*text == '/')
		return pl_strdup(text);
	if (asprintf(&path, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder,
		     text) < 0)
		abort();
	return path;
}

bool conf_readable(const struct conf_section *section, const char *name,
		   char **out, struct conf_notes *notes)
{
	char *path = conf_path(section, name);

	if (path != NULL && !readable(path)) {
		conf_fault(notes, conf_at(section, name), "%s: cannot read %s: %s",
			   name, path, strerror(errno));
		free(path);
		return false;
	}
	*out = path;
	return true;
}

void conf_warn_readable(const struct conf_section *section, const char *name,
			const char *path, struct conf_notes *notes)
{
	struct stat status;

	if (stat(path, &status) != 0 || (status.st_mode & 077) == 0)
		return;
	conf_warn(notes, conf_at(section, name),
		  "%s: others than its owner have access to %s (mode %03o); "
		  "it should be 600", name, path,
		  (unsigned)status.st_mode & 0777);
}

/* The content without the line's end. */
static char *read_secret(const struct conf_section *section, const char *path,
			 struct conf_notes *notes)
{
	struct pl_error error = { 0 };
	char *secret = conf_source_read(path, &error), *copy;
	size_t length;

	if (secret == NULL) {
		conf_fault(notes, conf_at(section, "secret-file"),
			   "secret-file: cannot read %s: %s", path, error.text);
		return NULL;
	}
	length = strlen(secret);
	while (length > 0 && strchr("\r\n", secret[length - 1]) != NULL)
		secret[--length] = '\0';
	copy = pl_strdup(secret); /* not the whole read buffer */
	pl_free_secret(secret);
	conf_warn_readable(section, "secret-file", path, notes);
	return copy;
}

bool conf_secret(const struct conf_section *section, char **out,
		 struct conf_notes *notes)
{
	const char *text = conf_text(section, "secret");
	char *path = conf_path(section, "secret-file");

	*out = NULL;
	if (text != NULL && path != NULL) {
		free(path);
		return conf_fault(notes, conf_at(section, "secret-file"),
				  "secret and secret-file are both set; one of "
				  "them is enough");
	}
	if (path != NULL)
		*out = read_secret(section, path, notes);
	else if (text != NULL)
		*out = pl_strdup(text);
	free(path);
	return *out != NULL || conf_text(section, "secret-file") == NULL;
}
