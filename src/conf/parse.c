/*
 * libconfuse over a file's text: a tree of sections, keys and values, each with
 * the line where it stands.
 *
 * Every value is read as text. libconfuse hands each to on_value(), and a
 * hidden key with a default value tells where a section begins (on_begin);
 * nothing is taken from its own tree, because that keeps no lines and drops a
 * section when a second one has its title.
 *
 * libconfuse stops at the first key that it does not know. Such a key is noted,
 * added to the grammar, and the file is parsed again, so that every fault is
 * told. Included files are parsed on their own, after the file that names
 * them: libconfuse would keep a stack of them that a fault leaves behind.
 */
#include "file.h"

#include <confuse.h>
#include <errno.h>
#include <libgen.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ----- the grammar ----- */

struct grammar_section {
	const char *name;
	bool titled;
	const char *keys[24]; /* a list's name ends in '*' */
};

static const struct grammar_section grammar[] = {
	{ "", false, { "user" } },
	{ "host", true, { "certificate", "private-key", "contact*", "upstream", "note" } },
	{ "listen", true, { "tls" } },
	{ "components", false, { "listen" } },
	{ "gateway", false, { "listen" } },
	{ "component", true, { "secret", "secret-file", "connect",
			       "certificate", "private-key", "note" } },
	{ "dialback", false, { "secret", "secret-file" } },
	{ "trust", false, { "ca-file", "ca-directory" } },
	{ "dns", false, { "resolv-conf", "hosts", "trust-anchor-file", "dane",
			  "allow-loopback" } },
	{ "partner", true, { "domains*", "tls", "sasl", "dialback", "connect",
			     "connect-tls", "certificate-check",
			     "plaintext-retry", "verify-requires-tls", "type",
			     "keepalive", "multiplex", "bidi",
			     "stream-management", "trace",
			     "connection-limit",
			     "stanza-rate", "stanza-bytes",
			     "note" } },
	{ "timeouts", false, { "dns", "connect", "negotiate", "idle",
			       "keepalive", "drain", "ping" } },
	{ "limits", false, { "connections", "connections-per-partner",
			     "connections-per-address", "verify-connections",
			     "stanza-bytes", "unauthenticated-bytes",
			     "queue-bytes", "output-bytes", "contacts" } },
	{ "log", false, { "level", "format", "destination" } },
	{ "trace", false, { "directory", "raw", "pcap", "file-bytes",
			    "directory-bytes", "failures", "recent" } },
	{ "store", false, { "file" } },
	{ "control", false, { "socket" } },
	{ "http", false, { "listen" } },
};
enum {
	SECTIONS = sizeof grammar / sizeof grammar[0],
	KEYS = sizeof grammar[0].keys / sizeof grammar[0].keys[0],
	UNKNOWNS = 64,          /* unknown keys that a file may have */
	OPTIONS = KEYS + SECTIONS + UNKNOWNS + 3,
};

/* Cannot be written without quotes, so it is no key of a file. */
#define BEGIN_MARK "{begin}"

/* A name that the grammar does not have; what it is shows at the next error. */
enum unknown_kind { UNKNOWN_KEY, UNKNOWN_SECTION, UNKNOWN_TITLED };
struct unknown {
	char section[64], name[64];
	enum unknown_kind kind;
};

struct include {
	char *path;
	struct conf_place at;
	struct include *next;
};

/* One file under way. */
struct parse {
	struct conf_tree *tree;
	struct conf_notes *notes;
	struct conf_file *file;
	const char *text;
	struct unknown unknown[UNKNOWNS];
	unsigned unknowns;
	struct include *includes, **includes_end;
	struct conf_section **start; /* sections of this file begin here */
	/* the error that ended it */
	bool failed, is_unknown_name;
	char section[64], name[64], error[256];
	int line;
};

/* libconfuse's callbacks carry nothing of ours, and its lexer is one for the
 * whole process: a parse is therefore alone, and this is its own. */
static _Thread_local struct parse *current;

/* ----- callbacks ----- */

static struct conf_section *add_section(struct parse *parse, const char *name,
					const char *title, const void *cfg,
					int line)
{
	struct conf_section *section = pl_calloc(1, sizeof *section);

	section->name = name;
	section->title = title == NULL ? NULL : pl_strdup(title);
	section->cfg = cfg;
	section->at = (struct conf_place){ parse->file, line };
	section->keys_end = &section->keys;
	*parse->tree->sections_end = section;
	parse->tree->sections_end = &section->next;
	return section;
}

static const struct grammar_section *known_section(const char *name)
{
	for (unsigned i = 0; i < SECTIONS; i++) {
		if (strcmp(grammar[i].name, name) == 0)
			return &grammar[i];
	}
	return NULL;
}

/* A section begins; its `cfg` is new. */
static int on_begin(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	const struct grammar_section *known = known_section(cfg->name);

	*(void **)result = NULL;
	if (known != NULL)
		add_section(current, known->name, cfg->title, cfg,
			    conf_source_line_of(current->text, cfg->line,
						cfg->name));
	return 0;
}

/* The newest section with that cfg: memory of a dropped one may be in use
 * again. */
static struct conf_section *section_of(const cfg_t *cfg)
{
	struct conf_section *found = NULL;

	for (struct conf_section *s = *current->start; s != NULL; s = s->next) {
		if (s->cfg == cfg)
			found = s;
	}
	return found;
}

static struct conf_key *key_of(struct conf_section *section, const char *name,
			       struct conf_place at)
{
	struct conf_key *key;

	for (key = section->keys; key != NULL; key = key->next) {
		if (strcmp(key->name, name) == 0)
			return key;
	}
	key = pl_calloc(1, sizeof *key);
	key->name = pl_strdup(name);
	key->at = at;
	key->values_end = &key->values;
	*section->keys_end = key;
	section->keys_end = &key->next;
	return key;
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *result)
{
	struct conf_place at = { current->file, cfg->line };
	struct conf_section *section = section_of(cfg);
	struct conf_value *value;
	struct conf_key *key;

	*(void **)result = NULL;
	if (section == NULL) /* of an unknown section */
		return 0;
	key = key_of(section, opt->name, at);
	value = pl_calloc(1, sizeof *value);
	value->text = pl_strdup(text);
	value->at = at;
	value->begins = opt->nvalues == 1;
	*key->values_end = value;
	key->values_end = &value->next;
	return 0;
}

static int on_unknown(cfg_t *cfg, cfg_opt_t *opt, const char *text,
		      void *result)
{
	*(void **)result = NULL;
	return 0;
}

static int on_include(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv)
{
	struct include *include;

	if (argc != 1) {
		cfg_error(cfg, "include() takes one file name");
		return 1;
	}
	include = pl_calloc(1, sizeof *include);
	include->path = pl_strdup(argv[0]);
	include->at = (struct conf_place){ current->file, cfg->line };
	*current->includes_end = include;
	current->includes_end = &include->next;
	return 0;
}

/* libconfuse tells one error and gives up. */
static void on_error(cfg_t *cfg, const char *format, va_list ap)
{
	struct parse *parse = current;
	char message[512];

	if (parse->failed)
		return;
	parse->failed = true;
	parse->line = cfg->line;
	snprintf(parse->section, sizeof parse->section, "%s",
		 strcmp(cfg->name, "root") == 0 ? "" : cfg->name);
	parse->is_unknown_name = strcmp(format, "no such option '%s'") == 0;
	if (parse->is_unknown_name) {
		snprintf(parse->name, sizeof parse->name, "%s",
			 va_arg(ap, const char *));
		return;
	}
	vsnprintf(message, sizeof message, format, ap);
	pl_text_printable(parse->error, sizeof parse->error, message,
			  strlen(message));
}

/* ----- grammar for libconfuse ----- */

static const cfg_opt_t end_of_options = CFG_END();

static void add_unknowns(const struct parse *parse, const char *section,
			 cfg_opt_t *out, cfg_opt_t *inside)
{
	for (unsigned i = 0; i < parse->unknowns; i++) {
		const struct unknown *u = &parse->unknown[i];
		const cfg_opt_t key = CFG_PTR_LIST_CB(u->name, 0, CFGF_NODEFAULT,
						      on_unknown, NULL);
		const cfg_opt_t plain = CFG_SEC(u->name, inside, CFGF_MULTI);
		const cfg_opt_t titled = CFG_SEC(u->name, inside,
						 CFGF_MULTI | CFGF_TITLE);

		if (strcmp(u->section, section) != 0)
			continue;
		*out++ = u->kind == UNKNOWN_KEY ? key
		       : u->kind == UNKNOWN_SECTION ? plain : titled;
	}
	*out = end_of_options;
}

/* All keys of all unknown sections together: nothing is read there. */
static void fill_unknown_section(const struct parse *parse, cfg_opt_t *out)
{
	for (unsigned i = 0; i < parse->unknowns; i++) {
		const struct unknown *u = &parse->unknown[i];
		const cfg_opt_t key = CFG_PTR_LIST_CB(u->name, 0, CFGF_NODEFAULT,
						      on_unknown, NULL);
		bool twice = false;

		for (unsigned j = 0; j < i; j++)
			twice = twice ||
				strcmp(parse->unknown[j].name, u->name) == 0;
		if (!twice && known_section(u->section) == NULL)
			*out++ = key;
	}
	*out = end_of_options;
}

/* out has room for OPTIONS. */
static cfg_opt_t *fill_keys(const struct grammar_section *section,
			    cfg_opt_t *out, char names[KEYS][32])
{
	for (unsigned i = 0; i < KEYS && section->keys[i] != NULL; i++) {
		size_t length = strlen(section->keys[i]);
		bool list = section->keys[i][length - 1] == '*';
		char *name = names[i];
		cfg_opt_t one = CFG_PTR_CB(name, 0, CFGF_NODEFAULT, on_value,
					   NULL);
		cfg_opt_t many = CFG_PTR_LIST_CB(name, 0, CFGF_NODEFAULT,
						 on_value, NULL);

		snprintf(name, 32, "%.*s", (int)(list ? length - 1 : length),
			 section->keys[i]);
		*out++ = list ? many : one;
	}
	return out;
}

struct options {
	cfg_opt_t unknown[OPTIONS];
	cfg_opt_t sections[SECTIONS][OPTIONS]; /* [0]: the top level */
	char names[SECTIONS][KEYS][32];
};

static void fill_options(const struct parse *parse, struct options *options)
{
	cfg_opt_t begin = CFG_PTR_CB(BEGIN_MARK, "x", CFGF_NONE, on_begin, NULL);
	cfg_opt_t include = CFG_FUNC("include", on_include);
	cfg_opt_t *top = fill_keys(&grammar[0], options->sections[0],
				   options->names[0]);

	fill_unknown_section(parse, options->unknown);
	for (unsigned i = 1; i < SECTIONS; i++) {
		cfg_opt_t *out = options->sections[i];
		cfg_opt_t plain = CFG_SEC(grammar[i].name, out, CFGF_MULTI);
		cfg_opt_t titled = CFG_SEC(grammar[i].name, out,
					   CFGF_MULTI | CFGF_TITLE);

		*top++ = grammar[i].titled ? titled : plain;
		*out++ = begin;
		add_unknowns(parse, grammar[i].name,
			     fill_keys(&grammar[i], out, options->names[i]),
			     options->unknown);
	}
	*top++ = include;
	add_unknowns(parse, "", top, options->unknown);
}

/* ----- one file ----- */

static void free_section(struct conf_section *section)
{
	while (section->keys != NULL) {
		struct conf_key *key = section->keys;

		section->keys = key->next;
		while (key->values != NULL) {
			struct conf_value *value = key->values;

			key->values = value->next;
			/* it may be a secret; and it is cheap */
			pl_free_secret(value->text);
			free(value);
		}
		free(key->name);
		free(key);
	}
	free(section->title);
	free(section);
}

static void drop_sections(struct conf_tree *tree, struct conf_section **from)
{
	while (*from != NULL) {
		struct conf_section *section = *from;

		*from = section->next;
		free_section(section);
	}
	tree->sections_end = from;
}

static void drop_includes(struct parse *parse)
{
	while (parse->includes != NULL) {
		struct include *include = parse->includes;

		parse->includes = include->next;
		free(include->path);
		free(include);
	}
	parse->includes_end = &parse->includes;
}

/* Runs libconfuse once over the text; the error is in *parse. */
static bool run(struct parse *parse)
{
	struct options *options = pl_calloc(1, sizeof *options);
	size_t length = strlen(parse->text);
	FILE *in = length == 0 ? NULL
		 : fmemopen((void *)parse->text, length, "r");
	bool fine = true;
	cfg_t *cfg;

	drop_sections(parse->tree, parse->start);
	drop_includes(parse);
	parse->failed = parse->is_unknown_name = false;
	snprintf(parse->error, sizeof parse->error, "cannot be understood");
	fill_options(parse, options);
	cfg = cfg_init(options->sections[0], CFGF_NONE);
	if (cfg != NULL && in != NULL) {
		cfg_set_error_function(cfg, on_error);
		cfg->filename = strdup(parse->file->path);
		add_section(parse, "", NULL, cfg, 1);
		fine = cfg_parse_fp(cfg, in) == CFG_SUCCESS;
		if (!parse->failed)
			parse->line = cfg->line;
	}
	if (in != NULL)
		fclose(in);
	cfg_free(cfg);
	free(options);
	return fine;
}

static struct unknown *find_unknown(struct parse *parse, const char *section,
				    const char *name)
{
	for (unsigned i = 0; i < parse->unknowns; i++) {
		if (strcmp(parse->unknown[i].section, section) == 0 &&
		    strcmp(parse->unknown[i].name, name) == 0)
			return &parse->unknown[i];
	}
	return NULL;
}

static void tell_unknown(struct parse *parse)
{
	struct conf_place at = { parse->file, parse->line };

	if (known_section(parse->section) == NULL)
		return; /* the section itself was told */
	if (*parse->section == '\0')
		conf_fault(parse->notes, at, "unknown key or section \"%s\"",
			   parse->name);
	else
		conf_fault(parse->notes, at, "unknown key \"%s\" in section %s",
			   parse->name, parse->section);
}

/* Takes the unknown name into the grammar; false: it is there already, so that
 * it would be no use, or there are too many. */
static bool learn_name(struct parse *parse)
{
	struct unknown *u;

	if (find_unknown(parse, parse->section, parse->name) != NULL)
		return false;
	tell_unknown(parse);
	if (parse->unknowns == UNKNOWNS)
		return false;
	u = &parse->unknown[parse->unknowns++];
	snprintf(u->section, sizeof u->section, "%s", parse->section);
	snprintf(u->name, sizeof u->name, "%s", parse->name);
	u->kind = UNKNOWN_KEY;
	return true;
}

/* An unknown name turned out to be another kind of thing than thought. */
static bool learn_kind(struct parse *parse, bool *about_unknown)
{
	for (unsigned i = 0; i < parse->unknowns; i++) {
		struct unknown *u = &parse->unknown[i];
		char quoted[80];

		snprintf(quoted, sizeof quoted, "'%s'", u->name);
		if (strcmp(u->section, parse->section) != 0 ||
		    strstr(parse->error, quoted) == NULL)
			continue;
		*about_unknown = true;
		if (*u->section != '\0' || u->kind == UNKNOWN_TITLED)
			return false;
		u->kind++;
		return true;
	}
	return false;
}

static bool check_closed(struct parse *parse)
{
	int line = conf_source_unclosed(parse->text);

	return line == 0 ||
	       conf_fault(parse->notes, (struct conf_place){ parse->file, line },
			  "the brace that opens here is never closed");
}

/* Parses the text until it passes or cannot. */
static bool parse_text(struct parse *parse)
{
	while (!run(parse)) {
		bool about_unknown = false;

		if (parse->is_unknown_name ? learn_name(parse)
		    : learn_kind(parse, &about_unknown))
			continue;
		if (!parse->is_unknown_name && !about_unknown)
			conf_fault(parse->notes,
				   (struct conf_place){ parse->file,
							parse->line },
				   "%s", parse->error);
		return false;
	}
	return check_closed(parse);
}

/* ----- files ----- */

/* The absolute folder of a path. */
static char *folder_of(const char *path)
{
	char *copy = pl_strdup(path), *resolved;

	resolved = realpath(dirname(copy), NULL);
	free(copy);
	return resolved == NULL ? pl_strdup(".") : resolved;
}

static struct conf_file *add_file(struct conf_tree *tree, const char *path,
				  struct conf_file *parent)
{
	struct conf_file *file = pl_calloc(1, sizeof *file);

	for (const struct conf_file *f = tree->files; f != NULL; f = f->next)
		file->order++;
	file->path = pl_strdup(path);
	file->folder = folder_of(path);
	file->parent = parent;
	file->depth = parent == NULL ? 0 : parent->depth + 1;
	*tree->files_end = file;
	tree->files_end = &file->next;
	return file;
}

static bool parse_file(struct conf_tree *tree, struct conf_notes *notes,
		       struct conf_file *file, char *text);

/* Beside the file that includes it, unless it is absolute. */
static char *included_path(const struct conf_file *from, const char *path)
{
	const char *slash = strrchr(from->path, '/');
	char *joined = NULL;

	if (*path == '/' || slash == NULL)
		return pl_strdup(path);
	if (asprintf(&joined, "%.*s/%s", (int)(slash - from->path), from->path,
		     path) < 0)
		abort();
	return joined;
}

static bool parse_included(struct parse *parse, const struct include *include)
{
	char *path = included_path(parse->file, include->path), *text;
	struct pl_error error = { 0 };
	bool fine;

	if (parse->file->depth == CONF_INCLUDE_DEPTH) {
		free(path);
		return conf_fault(parse->notes, include->at,
				  "include(\"%s\"): files include each other "
				  "more than %d deep", include->path,
				  CONF_INCLUDE_DEPTH);
	}
	text = conf_source_read(path, &error);
	fine = text != NULL
	     ? parse_file(parse->tree, parse->notes,
			  add_file(parse->tree, path, parse->file), text)
	     : conf_fault(parse->notes, include->at, "include(\"%s\"): %s",
			  include->path, error.text);
	pl_free_secret(text);
	free(path);
	return fine;
}

static bool parse_file(struct conf_tree *tree, struct conf_notes *notes,
		       struct conf_file *file, char *text)
{
	struct parse *parse;
	struct pl_error error = { 0 };
	bool fine;

	if (!conf_source_blank(text, &error))
		return conf_fault(notes,
				  (struct conf_place){ file, error.line },
				  "%s", error.text);
	parse = pl_calloc(1, sizeof *parse);
	parse->tree = tree;
	parse->notes = notes;
	parse->file = file;
	parse->text = text;
	parse->includes_end = &parse->includes;
	parse->start = tree->sections_end;
	current = parse;
	fine = parse_text(parse);
	current = NULL;
	for (const struct include *i = parse->includes; i != NULL; i = i->next)
		fine = parse_included(parse, i) && fine;
	drop_includes(parse);
	free(parse);
	return fine;
}

bool conf_parse(struct conf_tree *tree, const char *path,
		struct conf_notes *notes)
{
	/* libconfuse speaks the language of the locale, but its words are
	 * looked at above */
	locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	locale_t before = uselocale(plain);
	struct pl_error error = { 0 };
	struct conf_file *file;
	char *text;
	bool fine;

	tree->files_end = &tree->files;
	tree->sections_end = &tree->sections;
	file = add_file(tree, path, NULL);
	text = conf_source_read(path, &error);
	if (text == NULL)
		fine = conf_fault(notes, (struct conf_place){ file, 0 },
				  "cannot read it: %s", error.text);
	else
		fine = parse_file(tree, notes, file, text);
	pl_free_secret(text);
	uselocale(before);
	if (plain != (locale_t)0)
		freelocale(plain);
	return fine;
}

void conf_tree_finish(struct conf_tree *tree)
{
	drop_sections(tree, &tree->sections);
	while (tree->files != NULL) {
		struct conf_file *file = tree->files;

		tree->files = file->next;
		free(file->path);
		free(file->folder);
		free(file);
	}
}
