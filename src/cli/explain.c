/* parley explain: what a code of an outcome line means. */
#include "cli.h"

#include "parley/reason.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
"usage: parley explain [--json] CODE\n"
"       parley explain [--json] --list\n"
"\n"
"Says what a code of the log means, at which stage it usually comes, whose\n"
"side has to act, the exit status that goes with it, and the first step.\n"
"\n"
"  --list  all codes\n"
"  --json  JSON in place of text\n"
"\n"
"Exit status: 0, or 2 for wrong arguments and codes that do not exist.\n";

static json_t *json_code(enum pl_code code)
{
	const struct pl_code_entry *entry = pl_code_entry(code);

	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "code", entry->name,
			 "stage", pl_stage_name(entry->stage),
			 "side", pl_side_name(entry->side),
			 "meaning", entry->meaning,
			 "first_step", entry->first_step);
}

static void print_code(enum pl_code code)
{
	const struct pl_code_entry *entry = pl_code_entry(code);

	printf("%s\n"
	       "  meaning      %s\n"
	       "  stage        %s\n"
	       "  who acts     %s\n"
	       "  first step   %s\n"
	       "  exit status  %d\n", entry->name, entry->meaning,
	       pl_stage_name(entry->stage), pl_side_name(entry->side),
	       entry->first_step, entry->exit_status);
}

static void print_list(bool json)
{
	json_t *array = json ? json_array() : NULL;

	for (int code = PL_CODE_NONE + 1; code < PL_CODES; code++) {
		const struct pl_code_entry *entry =
			pl_code_entry((enum pl_code)code);

		if (json)
			json_array_append_new(array,
					      json_code((enum pl_code)code));
		else
			printf("%-27s  %-10s  %-7s  %s\n", entry->name,
			       pl_stage_name(entry->stage),
			       pl_side_name(entry->side), entry->meaning);
	}
	if (json)
		cli_print_json(array);
}

static int unknown_code(const char *name)
{
	const char *names[PL_CODES], *similar;

	for (int i = 0; i < PL_CODES; i++)
		names[i] = pl_code_entry((enum pl_code)i)->name;
	similar = cli_similar(name, names + 1, PL_CODES - 1);
	if (similar != NULL)
		return cli_usage("explain", "there is no code \"%s\"; did you "
				 "mean \"%s\"?", name, similar);
	return cli_usage("explain", "there is no code \"%s\"; \"parley explain "
			 "--list\" lists them", name);
}

static int explain(const char *name, bool json)
{
	enum pl_code code;

	if (!pl_code_parse(name, &code) || code == PL_CODE_NONE)
		return unknown_code(name);
	if (json)
		cli_print_json(json_code(code));
	else
		print_code(code);
	return CLI_OK;
}

int verb_explain(int argc, char **argv)
{
	static const struct option options[] = {
		{ "list", no_argument, NULL, 'l' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	bool json = false, list = false;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 'l':
			list = true;
			break;
		case 'j':
			json = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return CLI_OK;
		default:
			return cli_usage("explain", "\"%s\" is no option",
					 argv[optind - 1]);
		}
	}
	if (argc - optind != (list ? 0 : 1))
		return cli_usage("explain", "expected one CODE or --list");
	if (!list)
		return explain(argv[optind], json);
	print_list(json);
	return CLI_OK;
}
