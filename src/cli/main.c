/* The command `parley`: picks the verb. */
#include "cli.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* In the order of `parley --help`. */
static const struct cli_verb verbs[] = {
	{ "policy", "the 18 rows: which settings allow which methods",
	  verb_policy },
	{ "check", "configuration, DNS and certificates: is all in order?",
	  verb_check },
	{ "explain", "what a code of the log means, and what to do first",
	  verb_explain },
	{ "probe", "negotiate once with a domain and show what happens",
	  verb_probe },
	{ "matrix", "the same once under each row of the policy matrix",
	  verb_matrix },
	{ "trace", "traces of negotiations: ladders, lists, reports",
	  verb_trace },
	{ "ping", "have the running parleyd ping a remote domain", verb_ping },
	{ "streams", "list the streams of the running parleyd", verb_streams },
	{ "s2s", "the same as streams", verb_streams },
	{ "listen", "be the receiving server of negotiations, for tests",
	  verb_listen },
	{ "watch", "follow the negotiations of the running parleyd",
	  verb_watch },
	{ "partners", "list its partners with their streams", verb_partners },
	{ "queues", "list what waits for streams that are not open", verb_queues },
	{ "close", "have it close its streams with a domain", verb_close },
	{ "retry", "have it try at once to reach a domain", verb_retry },
	{ "reload", "have it read its configuration again", verb_reload },
	{ "drain", "have it close every stream and end", verb_drain },
	{ "bench", "put load on a server and tell what that costs it",
	  verb_bench },
	{ "wireshark-plugin", "print what Wireshark needs for wire captures",
	  verb_wireshark_plugin },
};
enum { VERBS = sizeof verbs / sizeof verbs[0] };

static void print_help(FILE *out)
{
	fputs("usage: parley VERB [ARGUMENTS]\n\n", out);
	for (unsigned i = 0; i < VERBS; i++)
		fprintf(out, "  %-16s  %s\n", verbs[i].name, verbs[i].summary);
	fputs("\nparley VERB --help tells more about one of them; parley "
	      "--version the version.\n", out);
}

static const struct cli_verb *find_verb(const char *name)
{
	for (unsigned i = 0; i < VERBS; i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	}
	return NULL;
}

static int unknown_verb(const char *name)
{
	const char *names[VERBS], *similar;

	for (unsigned i = 0; i < VERBS; i++)
		names[i] = verbs[i].name;
	similar = cli_similar(name, names, VERBS);
	if (similar != NULL)
		fprintf(stderr, "parley: there is no verb \"%s\"; did you mean "
			"\"%s\"?\n", name, similar);
	else
		fprintf(stderr, "parley: there is no verb \"%s\"; \"parley "
			"--help\" lists them\n", name);
	return CLI_USAGE;
}

static int help(int argc, char **argv)
{
	char *question[] = { NULL, (char *)"--help", NULL };
	const struct cli_verb *verb;

	if (argc < 3) {
		print_help(stdout);
		return CLI_OK;
	}
	verb = find_verb(argv[2]);
	question[0] = argv[2];
	return verb == NULL ? unknown_verb(argv[2]) : verb->run(2, question);
}

static int run(int argc, char **argv)
{
	const struct cli_verb *verb;

	if (argc < 2) {
		print_help(stderr);
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0)
		return help(argc, argv);
	if (strcmp(argv[1], "--version") == 0) {
		puts("parley " PARLEY_VERSION);
		return CLI_OK;
	}
	verb = find_verb(argv[1]);
	if (verb == NULL)
		return unknown_verb(argv[1]);
	return verb->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	int status;

	setlocale(LC_ALL, "");
	signal(SIGPIPE, SIG_IGN);
	status = run(argc, argv);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("parley: cannot write the result");
		return CLI_INCOMPLETE;
	}
	return status;
}
