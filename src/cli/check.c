/* parley check: is what is needed there? Picks the subject. */
#include "check.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
"usage: parley check [config] [-c FILE] [--json]\n"
"       parley check dns [-c FILE] [--json] DOMAIN...\n"
"       parley check certs [-c FILE] [--json] [HOST...]\n"
"\n"
"config: reads a configuration, " CLI_CONF " without -c, and prints\n"
"the row of each partner, the methods that it allows, best first, and what to\n"
"know about it. Faults are listed on stderr, one a line, as FILE:LINE: TEXT, and\n"
"so are warnings that are about no partner.\n"
"\n"
"dns: what parleyd would find in DNS for a domain, asking as FILE says: every\n"
"record with its DNSSEC state, and the places in the order of trying. For hosts\n"
"of FILE: does DNS lead to where it listens? Without FILE: the system's resolver.\n"
"\n"
"certs: the certificates of FILE's hosts and components, judged as a peer with\n"
"the same trust would: names, chain, dates, key, purposes.\n"
"\n"
"  -c, --config FILE  the configuration\n"
"  --json             JSON in place of text\n"
"  --fail-on WHEN     warn: warnings end with status 20; none (default)\n"
"\n"
"Exit status: 0 fine; 1 something is wrong with a certificate; 2 parleyd would\n"
"not take the file, or wrong arguments; 3 DNS; 10 the check could not run;\n"
"20 warnings with --fail-on warn.\n";

enum { OPTION_JSON = 0x100, OPTION_FAIL_ON };

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "fail-on", required_argument, NULL, OPTION_FAIL_ON },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static const struct subject {
	const char *name;
	int (*run)(const struct check *check);
} subjects[] = {
	{ "config", check_config },
	{ "dns", check_dns },
	{ "certs", check_certs },
};
enum { SUBJECTS = sizeof subjects / sizeof subjects[0] };

const char *check_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static bool take_fail_on(struct check *check, const char *text)
{
	check->fail_on_warn = strcmp(text, "warn") == 0;
	if (check->fail_on_warn || strcmp(text, "none") == 0)
		return true;
	cli_usage("check", "--fail-on: \"%s\" is neither warn nor none", text);
	return false;
}

static int unknown_subject(const char *name)
{
	const char *names[SUBJECTS], *similar;

	for (unsigned i = 0; i < SUBJECTS; i++)
		names[i] = subjects[i].name;
	similar = cli_similar(name, names, SUBJECTS);
	if (similar != NULL)
		return cli_usage("check", "there is no \"%s\" to check; did "
				 "you mean \"%s\"?", name, similar);
	return cli_usage("check", "there is no \"%s\" to check: config, dns or "
			 "certs", name);
}

static int run(struct check *check, int argc, char **argv)
{
	if (optind == argc)
		return check_config(check);
	check->words = argv + optind + 1;
	check->count = argc - optind - 1;
	for (unsigned i = 0; i < SUBJECTS; i++)
		if (strcmp(argv[optind], subjects[i].name) == 0)
			return subjects[i].run(check);
	return unknown_subject(argv[optind]);
}

int verb_check(int argc, char **argv)
{
	struct check check = { .path = CLI_CONF };
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			check.path = optarg;
			check.given = true;
			break;
		case OPTION_JSON:
			check.json = true;
			break;
		case OPTION_FAIL_ON:
			if (!take_fail_on(&check, optarg))
				return CLI_USAGE;
			break;
		case 'h':
			fputs(usage, stdout);
			return CLI_OK;
		default:
			return cli_usage("check", "\"%s\" is no option, or lacks "
					 "its value", argv[optind - 1]);
		}
	}
	return run(&check, argc, argv);
}
