/* parley ping: has the daemon ping a remote domain, and shows both
 * directions. */
#include "cli.h"
#include "client.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void usage(FILE *out)
{
	fputs("usage: parley ping [-c FILE] --from LOCAL [--timeout S] [--json] REMOTE\n"
	      "\n"
	      "Has the running parleyd ping REMOTE (XEP-0199) from its host LOCAL and\n"
	      "shows what was negotiated in each direction: the ping goes out on our\n"
	      "stream, its answer comes back on the peer's own.\n"
	      "\n"
	      "  -c, --config FILE  configuration of the daemon (/etc/parley/parley.conf)\n"
	      "      --from LOCAL   a host of the daemon\n"
	      "      --timeout S    seconds to wait (negotiate + 10)\n"
	      "      --json         one JSON object\n"
	      "\n"
	      "Exit status: 0 answered, else the status of what failed.\n", out);
}

static void show_direction(const json_t *answer, const char *key,
			   const char *from, const char *to)
{
	const json_t *o = json_object_get(answer, key);

	if (json_is_null(o)) {
		printf("%-4s %s -> %s  nothing negotiated\n", key, from, to);
		return;
	}
	if (strcmp(client_text(o, "event"), "negotiated") == 0)
		printf("%-4s %s -> %s  %s%s  row=%s tls=%s cert=%s addr=%s ms=%s\n",
		       key, from, to, client_text(o, "method"),
		       json_object_get(o, "verified-by")
			       ? " (verified by certificate)" : "",
		       client_text(o, "row"), client_text(o, "tls"),
		       client_text(o, "cert"), client_text(o, "addr"),
		       client_text(o, "ms"));
	else
		printf("%-4s %s -> %s  failed  stage=%s code=%s row=%s tls=%s cert=%s addr=%s ms=%s\n"
		       "     why: %s\n     fix: %s\n",
		       key, from, to, client_text(o, "stage"),
		       client_text(o, "code"), client_text(o, "row"),
		       client_text(o, "tls"), client_text(o, "cert"),
		       client_text(o, "addr"), client_text(o, "ms"),
		       client_text(o, "why"), client_text(o, "fix"));
}

static void show(const json_t *answer, const char *local, const char *remote)
{
	show_direction(answer, "out", local, remote);
	show_direction(answer, "in", remote, local);
	if (json_is_true(json_object_get(answer, "answered")))
		printf("answered in %s ms\n", client_text(answer, "ms"));
	else
		printf("no answer after %s ms: %s\n", client_text(answer, "ms"),
		       client_text(answer, "code"));
}

static int ask(const char *path, const char *local, const char *remote,
	       double timeout, bool json)
{
	struct pl_conf *conf = client_configuration(path);
	json_t *answer;
	int status;

	if (conf == NULL)
		return 2;
	if (timeout <= 0)
		timeout = conf->timeouts.negotiate + 10;
	answer = client_ask(conf, json_pack("{s:s,s:s,s:s,s:f}", "verb", "ping",
					    "from", local, "to", remote,
					    "timeout", timeout),
			    (int)timeout + 5);
	pl_conf_unref(conf);
	if (answer == NULL)
		return 10;
	status = client_refused(answer);
	if (status == 0) {
		status = (int)json_integer_value(json_object_get(answer, "exit"));
		json_object_del(answer, "ok");
		if (json) {
			json_dumpf(answer, stdout, JSON_INDENT(2));
			putchar('\n');
		} else {
			show(answer, local, remote);
		}
	}
	json_decref(answer);
	return status;
}

int verb_ping(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "from", required_argument, NULL, 'f' },
		{ "timeout", required_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = CLI_CONF, *local = NULL;
	bool json = false;
	double timeout = 0;
	char *end = "";
	int option;

	while ((option = getopt_long(argc, argv, "c:jh", options, NULL)) != -1)
		switch (option) {
		case 'c': path = optarg; break;
		case 'f': local = optarg; break;
		case 't': timeout = strtod(optarg, &end); break;
		case 'j': json = true; break;
		case 'h': usage(stdout); return 0;
		default: usage(stderr); return 2;
		}
	if (local == NULL || optind + 1 != argc || *end != '\0' ||
	    timeout < 0 || timeout > 3600) {
		usage(stderr);
		return 2;
	}
	return ask(path, local, argv[optind], timeout, json);
}
