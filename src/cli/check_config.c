/* parley check config: a configuration, and what each partner gets by it. */
#include "check.h"

#include "parley/base.h"
#include "parley/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_about(const struct pl_conf_note *note,
		     const struct pl_conf_partner *partner)
{
	return note->severity != PL_ERROR && note->partner != NULL &&
	       strcmp(note->partner, partner->name) == 0;
}

static bool is_about_any(const struct pl_conf *conf,
			 const struct pl_conf_note *note)
{
	const struct pl_conf_partner *p = conf->partners;

	while (p != NULL && !is_about(note, p))
		p = p->next;
	return p != NULL;
}

/* The text without `partner "x": ` in front of it. */
static const char *without_partner(const struct pl_conf_note *note)
{
	const char *end = strstr(note->text, "\": ");

	return end == NULL ? note->text : end + 3;
}

/* ----- JSON ----- */

static json_t *json_warnings(const struct pl_conf_note *notes,
			     const struct pl_conf_partner *partner)
{
	json_t *array = json_array();

	for (; notes != NULL; notes = notes->next) {
		if (notes->severity == PL_WARNING && is_about(notes, partner))
			json_array_append_new(array, cli_json_text(
				without_partner(notes)));
	}
	return array;
}

static json_t *json_errors(const struct pl_conf_note *notes)
{
	json_t *array = json_array();

	for (; notes != NULL; notes = notes->next) {
		char *line = NULL;

		if (notes->severity != PL_ERROR)
			continue;
		if (asprintf(&line, "%s:%d: %s", notes->file, notes->line,
			     notes->text) < 0)
			abort();
		json_array_append_new(array, cli_json_text(line));
		free(line);
	}
	return array;
}

static void print_json(const struct pl_conf *conf,
		       const struct pl_conf_note *notes)
{
	json_t *partners = json_array();

	for (const struct pl_conf_partner *p = conf->partners; p != NULL;
	     p = p->next)
		json_array_append_new(partners, json_pack(
			"{s:o, s:i, s:o, s:o}",
			"partner", cli_json_text(p->name), "row", p->row,
			"methods", cli_json_methods(&p->policy),
			"warnings", json_warnings(notes, p)));
	cli_print_json(json_pack("{s:o, s:o}", "partners", partners, "errors",
				 json_errors(notes)));
}

/* ----- text ----- */

static void print_partner(const struct pl_conf_note *notes,
			  const struct pl_conf_partner *partner)
{
	char methods[64], name[256];

	cli_methods(&partner->policy, methods);
	printf("%-28s  row %-2d  %s%s%s\n",
	       pl_text_printable(name, sizeof name, partner->name,
				 strlen(partner->name)),
	       partner->row, methods,
	       partner->type != PL_FEDERATED ? "  " : "",
	       partner->type != PL_FEDERATED
		       ? pl_partner_type_name(partner->type) : "");
	for (; notes != NULL; notes = notes->next) {
		if (is_about(notes, partner))
			printf("    %s: %s\n", notes->severity == PL_WARNING
			       ? "warning" : "info", without_partner(notes));
	}
}

/* What is about no partner: the result is about partners. */
static void print_rest(const struct pl_conf *conf,
		       const struct pl_conf_note *notes)
{
	for (; notes != NULL; notes = notes->next) {
		if (notes->severity == PL_ERROR)
			fprintf(stderr, "%s:%d: %s\n", notes->file, notes->line,
				notes->text);
		else if (notes->severity == PL_WARNING &&
			 !is_about_any(conf, notes))
			fprintf(stderr, "%s:%d: warning: %s\n", notes->file,
				notes->line, notes->text);
	}
}

static bool has_warnings(const struct pl_conf_note *notes)
{
	while (notes != NULL && notes->severity != PL_WARNING)
		notes = notes->next;
	return notes != NULL;
}

int check_config(const struct check *check)
{
	struct pl_conf_note *notes = NULL;
	bool sound, warned;
	struct pl_conf *conf;

	if (check->count > 0)
		return cli_usage("check", "\"%s\" is one argument too many",
				 check->words[0]);
	conf = pl_conf_read(check->path, time(NULL), &notes, &sound);
	print_rest(conf, notes);
	if (check->json) {
		print_json(conf, notes);
	} else {
		for (const struct pl_conf_partner *p = conf->partners;
		     p != NULL; p = p->next)
			print_partner(notes, p);
	}
	warned = has_warnings(notes);
	pl_conf_notes_free(notes);
	pl_conf_unref(conf);
	return !sound ? CLI_USAGE
	     : warned && check->fail_on_warn ? CLI_WARNINGS : CLI_OK;
}
