/*
 * A configuration from its file: read, check, and every complaint in the order
 * of the file.
 */
#include "file.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ----- complaints ----- */

static void add_note(struct conf_notes *notes, enum pl_severity severity,
		     struct conf_place at, const char *partner, int row,
		     const char *before, const char *format, va_list ap)
{
	struct pl_conf_note *note = pl_calloc(1, sizeof *note);
	char text[1024], printable[2048];
	size_t used = (size_t)snprintf(text, sizeof text, "%.300s", before);

	vsnprintf(text + used, sizeof text - used, format, ap);
	pl_text_printable(printable, sizeof printable, text, strlen(text));
	note->severity = severity;
	note->file = pl_strdup(at.file->path);
	note->line = at.line;
	note->text = pl_strdup(printable);
	note->partner = partner == NULL ? NULL : pl_strdup(partner);
	note->row = row;
	*notes->end = note;
	notes->end = &note->next;
	if (severity == PL_ERROR)
		notes->faults++;
}

bool conf_fault(struct conf_notes *notes, struct conf_place at,
		const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	add_note(notes, PL_ERROR, at, NULL, 0, "", format, ap);
	va_end(ap);
	return false;
}

void conf_warn(struct conf_notes *notes, struct conf_place at,
	       const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	add_note(notes, PL_WARNING, at, NULL, 0, "", format, ap);
	va_end(ap);
}

void conf_note_partner(struct conf_notes *notes, enum pl_severity severity,
		       struct conf_place at, const char *partner, int row,
		       const char *format, ...)
{
	char before[320], name[PL_DOMAIN_SIZE];
	va_list ap;

	snprintf(before, sizeof before, "partner \"%.280s\": ", partner);
	va_start(ap, format);
	add_note(notes, severity, at,
		 conf_pattern(partner, name, NULL) ? name : partner, row,
		 before, format, ap);
	va_end(ap);
}

/* The order in which files were read, then lines; a stable sort by insertion,
 * for lists are short. */
static unsigned order_of(const struct conf_tree *tree, const char *path)
{
	const struct conf_file *file = tree->files;

	while (file != NULL && strcmp(file->path, path) != 0)
		file = file->next;
	return file == NULL ? 0 : file->order;
}

static bool stands_after(const struct conf_tree *tree,
			 const struct pl_conf_note *a,
			 const struct pl_conf_note *b)
{
	unsigned x = order_of(tree, a->file), y = order_of(tree, b->file);

	return x != y ? x > y : a->line > b->line;
}

static struct pl_conf_note *sort_notes(const struct conf_tree *tree,
				       struct pl_conf_note *notes)
{
	struct pl_conf_note *sorted = NULL;

	while (notes != NULL) {
		struct pl_conf_note *note = notes, **to = &sorted;

		notes = note->next;
		while (*to != NULL && !stands_after(tree, *to, note))
			to = &(*to)->next;
		note->next = *to;
		*to = note;
	}
	return sorted;
}

void pl_conf_notes_free(struct pl_conf_note *notes)
{
	while (notes != NULL) {
		struct pl_conf_note *note = notes;

		notes = note->next;
		free(note->file);
		free(note->text);
		free(note->partner);
		free(note);
	}
}

void pl_conf_notes_print(const struct pl_conf_note *notes, FILE *out,
			 bool warnings_too)
{
	for (; notes != NULL; notes = notes->next) {
		bool fault = notes->severity == PL_ERROR;

		/* what is merely good to know is for `parley check` */
		if (fault || (warnings_too && notes->severity == PL_WARNING))
			fprintf(out, "%s:%d: %s%s\n", notes->file, notes->line,
				fault ? "" : "warning: ", notes->text);
	}
}

/* ----- loading ----- */

struct pl_conf *pl_conf_read(const char *path, time_t now,
			     struct pl_conf_note **notes, bool *sound)
{
	struct conf_notes found = { .end = &found.first };
	struct conf_tree tree = { 0 };
	struct pl_conf *conf = pl_calloc(1, sizeof *conf);
	struct conf_load load = { &tree, conf, &found, now };

	conf->references = 1;
	conf->path = pl_strdup(path);
	/* half a tree would bring complaints about what is only missing */
	if (conf_parse(&tree, path, &found)) {
		conf_check_twice(&tree, &found);
		conf_read_hosts(&load);
		conf_read_settings(&load);
		conf_read_partners(&load);
		conf_check_partners(&load);
	}
	*notes = sort_notes(&tree, found.first);
	*sound = found.faults == 0;
	conf_tree_finish(&tree);
	return conf;
}

struct pl_conf *pl_conf_load(const char *path, time_t now,
			     struct pl_conf_note **notes)
{
	bool sound;
	struct pl_conf *conf = pl_conf_read(path, now, notes, &sound);

	if (sound)
		return conf;
	pl_conf_unref(conf);
	return NULL;
}

struct pl_conf *pl_conf_new(void)
{
	struct pl_conf *conf = pl_calloc(1, sizeof *conf);

	conf->references = 1;
	conf->path = pl_strdup("");
	conf_set_defaults(conf);
	return conf;
}

struct pl_conf *pl_conf_ref(struct pl_conf *conf)
{
	conf->references++;
	return conf;
}

/* ----- freeing ----- */

static void free_hosts(struct pl_conf_host *host)
{
	while (host != NULL) {
		struct pl_conf_host *next = host->next;

		free(host->name);
		free(host->certificate);
		free(host->private_key);
		free(host->upstream_host);
		free(host->note);
		pl_free_secret(host->secret);
		for (char **c = host->contacts; *c != NULL; c++)
			free(*c);
		free(host->contacts);
		free(host->file);
		free(host);
		host = next;
	}
}

static void free_listens(struct pl_conf_listen *listen)
{
	while (listen != NULL) {
		struct pl_conf_listen *next = listen->next;

		free(listen->endpoint);
		free(listen->file);
		free(listen);
		listen = next;
	}
}

static void free_partners(struct pl_conf_partner *partner)
{
	while (partner != NULL) {
		struct pl_conf_partner *next = partner->next;

		for (char **d = partner->domains; *d != NULL; d++)
			free(*d);
		free(partner->domains);
		free(partner->name);
		free(partner->connect_host);
		free(partner->note);
		free(partner->file);
		free(partner);
		partner = next;
	}
}

void pl_conf_unref(struct pl_conf *conf)
{
	if (conf == NULL)
		return;
	assert(conf->references > 0);
	if (--conf->references > 0)
		return;
	free_hosts(conf->hosts);
	free_listens(conf->listens);
	free_partners(conf->partners);
	pl_free_secret(conf->dialback_secret);
	free(conf->path);
	free(conf->components_listen);
	free(conf->gateway_listen);
	free(conf->store_file);
	free(conf->ca_file);
	free(conf->ca_directory);
	free(conf->dns.resolv_conf);
	free(conf->dns.hosts);
	free(conf->dns.trust_anchor_file);
	free(conf->log.destination);
	free(conf->trace.directory);
	free(conf->trace.raw);
	free(conf->control_socket);
	free(conf->http_listen);
	free(conf->user);
	free(conf);
}
