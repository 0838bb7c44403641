/*
 * Inside of the configuration room: the file as it was read, before it means
 * anything, and the complaints.
 *
 *     source.c    a file's text with its comments blanked
 *     parse.c     libconfuse over that text: a tree of sections, keys, values
 *     check.c     values of a tree as numbers, words, paths
 *     hosts.c partners.c settings.c    the tree as struct pl_conf
 *     load.c      all of it in order; counting and freeing
 *     find.c      look-ups in what was loaded
 */
#ifndef CONF_FILE_H
#define CONF_FILE_H

#include "parley/addr.h"
#include "parley/conf.h"

enum {
	CONF_FILE_BYTES = 4 << 20, /* most that a file may hold */
	CONF_INCLUDE_DEPTH = 10,
};

/* One file: the main one or an included one. */
struct conf_file {
	char *path;               /* as opened */
	char *folder;             /* absolute: relative paths start here */
	unsigned order;           /* of reading, the main file 0 */
	unsigned depth;           /* of include() */
	struct conf_file *parent; /* borrowed; NULL: the main file */
	struct conf_file *next;
};

/* Where something stands. */
struct conf_place {
	const struct conf_file *file;
	int line;
};

struct conf_value {
	char *text;
	struct conf_place at;
	bool begins;              /* the first behind an equal sign */
	struct conf_value *next;
};

struct conf_key {
	char *name;
	struct conf_place at;     /* of its first value */
	struct conf_value *values, **values_end;
	struct conf_key *next;
};

struct conf_section {
	const char *name;         /* borrowed from the grammar; "" top level */
	char *title;              /* NULL: has none */
	const void *cfg;          /* while parsing: libconfuse's section */
	struct conf_place at;
	struct conf_key *keys, **keys_end;
	struct conf_section *next;
};

struct conf_tree {
	struct conf_file *files, **files_end;
	struct conf_section *sections, **sections_end;
};

/* ----- complaints ----- */

struct conf_notes {
	struct pl_conf_note *first, **end;
	unsigned faults;
};

/* Adds one; returns false, so that a check can say `return conf_fault(...)`. */
bool conf_fault(struct conf_notes *notes, struct conf_place at,
		const char *format, ...) __attribute__((format(printf, 3, 4)));
void conf_warn(struct conf_notes *notes, struct conf_place at,
	       const char *format, ...) __attribute__((format(printf, 3, 4)));
/* About a partner, and its row where row is not 0. */
void conf_note_partner(struct conf_notes *notes, enum pl_severity severity,
		       struct conf_place at, const char *partner, int row,
		       const char *format, ...)
	__attribute__((format(printf, 6, 7)));

/* ----- source.c ----- */

/* Reads a whole file; NULL with a sentence. Free the text. */
char *conf_source_read(const char *path, struct pl_error *error);

/* Turns comments into spaces, in place; line breaks stay. False, with a line,
 * for a comment or string that never ends (libconfuse would take it). */
bool conf_source_blank(char *text, struct pl_error *error);

/* The line of a brace that no other closes, in a text without comments; 0: all
 * are closed. libconfuse takes the end of the file for the end of a section. */
int conf_source_unclosed(const char *text);

/* The last line up to `line` that holds the word outside of other words. */
int conf_source_line_of(const char *text, int line, const char *word);

/* ----- parse.c ----- */

/* Reads a file and what it includes. False when something could not be parsed:
 * then the tree is not whole. Unknown keys are faults, but no hindrance. */
bool conf_parse(struct conf_tree *tree, const char *path,
		struct conf_notes *notes);
void conf_tree_finish(struct conf_tree *tree);

/* ----- check.c ----- */

/* Complains about keys that are set twice in one section, and untitled
 * sections that both set one. */
void conf_check_twice(const struct conf_tree *tree, struct conf_notes *notes);

/* The key of a section, or NULL. */
const struct conf_key *conf_key(const struct conf_section *section,
				const char *name);
/* Its text; NULL where it is absent or "". */
const char *conf_text(const struct conf_section *section, const char *name);
/* Where it stands, else where the section begins. */
struct conf_place conf_at(const struct conf_section *section,
			  const char *name);
/* The readers below leave *out alone where the key is absent, and complain and
 * return false where the value is wrong. */
bool conf_bool(const struct conf_section *section, const char *name, bool *out,
	       struct conf_notes *notes);
bool conf_number(const struct conf_section *section, const char *name,
		 int least, int most, int *out, struct conf_notes *notes);
/* One word of a list that ends in NULL; *out is its place in the list. */
bool conf_word(const struct conf_section *section, const char *name,
	       const char *const *words, unsigned *out,
	       struct conf_notes *notes);
/* The normal form of a domain, "*.domain" or "*". */
bool conf_pattern(const char *text, char out[PL_DOMAIN_SIZE],
		  struct pl_error *error);
/* "host:port", checked; *out is a new string. */
bool conf_endpoint(const struct conf_section *section, const char *name,
		   char **out, struct conf_notes *notes);
/* A path relative to the folder of its file, as a new absolute path; NULL
 * where absent or "". */
char *conf_path(const struct conf_section *section, const char *name);
/* The same, and it can be read. */
bool conf_readable(const struct conf_section *section, const char *name,
		   char **out, struct conf_notes *notes);
/* Secret by `secret` or `secret-file` of a section: false after a complaint;
 * *out NULL where there is none. */
bool conf_secret(const struct conf_section *section, char **out,
		 struct conf_notes *notes);
/* Warns when others than the owner can read a file that must be secret. */
void conf_warn_readable(const struct conf_section *section, const char *name,
			const char *path, struct conf_notes *notes);

/* ----- from tree to configuration ----- */

struct conf_load {
	const struct conf_tree *tree;
	struct pl_conf *conf;
	struct conf_notes *notes;
	time_t now;
};

void conf_read_hosts(struct conf_load *load);
void conf_read_partners(struct conf_load *load);
/* Partners against hosts, once both are read (P14). */
void conf_check_partners(struct conf_load *load);
void conf_read_settings(struct conf_load *load);
void conf_set_defaults(struct pl_conf *conf);

#endif
