/* What the verbs share: complaints, JSON, names. */
#include "cli.h"

#include "parley/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cli_usage(const char *verb, const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "parley %s: ", verb);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "\nTry \"parley %s --help\".\n", verb);
	return CLI_USAGE;
}

void cli_print_json(json_t *document)
{
	json_dumpf(document, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(document);
}

json_t *cli_json_text(const char *text)
{
	json_t *string = json_string(text);
	size_t size = 4 * strlen(text) + 8;
	char *printable;

	if (string != NULL)
		return string;
	printable = pl_calloc(1, size);
	string = json_string(pl_text_printable(printable, size, text,
					       strlen(text)));
	free(printable);
	return string;
}

/* How many characters must be changed, added or left out to make b of a, for
 * short names; 99 for long ones. */
static size_t distance(const char *a, const char *b)
{
	size_t row[64], n = strlen(b);

	if (strlen(a) > 60 || n > 60)
		return 99;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t corner = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < n; j++) {
			size_t above = row[j + 1];
			size_t best = corner + (a[i] != b[j]);

			if (above + 1 < best)
				best = above + 1;
			if (row[j] + 1 < best)
				best = row[j] + 1;
			corner = above;
			row[j + 1] = best;
		}
	}
	return row[n];
}

const char *cli_similar(const char *name, const char *const *names,
			size_t count)
{
	const char *best = NULL;
	size_t least = 1 + strlen(name) / 3;

	for (size_t i = 0; i < count; i++) {
		size_t this = distance(name, names[i]);

		if (this <= least) {
			best = names[i];
			least = this;
		}
	}
	return best;
}

static bool parse_switch(const char *text, bool *out)
{
	static const char *const words[] = { "no", "yes", "false", "true",
					     "off", "on" };

	for (unsigned i = 0; i < 6; i++) {
		if (strcmp(text, words[i]) == 0) {
			*out = i % 2 == 1;
			return true;
		}
	}
	return false;
}

bool cli_parse_policy(const char *tls, const char *sasl, const char *dialback,
		      struct pl_policy *out)
{
	enum pl_level t, s;

	if (!pl_level_parse(tls, &t) || !pl_level_parse(sasl, &s) ||
	    !parse_switch(dialback, &out->dialback))
		return false;
	out->tls = (uint8_t)t;
	out->sasl = (uint8_t)s;
	return true;
}

void cli_methods(const struct pl_policy *policy, char out[64])
{
	enum pl_method methods[3];
	size_t count = pl_policy_methods(policy, methods), used = 0;

	snprintf(out, 64, "none");
	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(out + used, 64 - used, "%s%s",
					 i > 0 ? ", " : "",
					 pl_method_title(methods[i]));
}

json_t *cli_json_methods(const struct pl_policy *policy)
{
	enum pl_method methods[3];
	size_t count = pl_policy_methods(policy, methods);
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array,
				      json_string(pl_method_name(methods[i])));
	return array;
}
