/* parleyd: arguments. */
#include "internal.h"

#include <getopt.h>
#include <stdio.h>
#include <time.h>

#define DEFAULT_CONFIGURATION "/etc/parley/parley.conf"

static void usage(FILE *out)
{
	fputs("usage: parleyd [-t] [-c FILE]\n"
	      "\n"
	      "Opens and accepts XMPP server-to-server streams, negotiates each\n"
	      "under its partner's policy row, and logs what was negotiated.\n"
	      "Stays in the foreground.\n"
	      "\n"
	      "  -c, --config FILE  configuration (" DEFAULT_CONFIGURATION ")\n"
	      "  -t, --test         check the configuration and exit: 0 good, 1 not\n"
	      "  -h, --help         this text\n"
	      "  -V, --version      version\n"
	      "\n"
	      "Signals: HUP reads configuration and certificates again, TERM and\n"
	      "INT tell every peer, close, and end; twice: at once.\n",
	      out);
}

/* Warnings are told, faults decide. */
static int check(const char *path)
{
	struct pl_conf_note *notes = NULL;
	struct pl_conf *conf = pl_conf_load(path, time(NULL), &notes);
	bool good = conf != NULL;

	pl_conf_notes_print(notes, stderr, true);
	pl_conf_notes_free(notes);
	pl_conf_unref(conf);
	return good ? 0 : 1;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "test", no_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = DEFAULT_CONFIGURATION;
	bool test = false;
	int option;

	while ((option = getopt_long(argc, argv, "c:thV", options, NULL)) != -1)
		switch (option) {
		case 'c': path = optarg; break;
		case 't': test = true; break;
		case 'h': usage(stdout); return 0;
		case 'V': puts("parleyd " PARLEY_VERSION); return 0;
		default: usage(stderr); return 2;
		}
	if (optind != argc) {
		usage(stderr);
		return 2;
	}
	return test ? check(path) : service_run(path);
}
