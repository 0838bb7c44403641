/* Verbs that ask the daemon one thing: streams, partners, queues, close, retry,
 * reload, drain. */
#include "cli.h"
#include "client.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* All take the same options; those about one domain --from beside (where from
 * is not NULL) and the domain. */
static bool domain_options(int argc, char **argv, const char *usage,
			   const char **path, bool *json, const char **from,
			   const char **remote, int *status)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "from", required_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	int option, wanted = remote != NULL;

	*path = CLI_CONF;
	*json = false;
	*status = 2;
	while ((option = getopt_long(argc, argv, "c:jh", options, NULL)) != -1)
		switch (option) {
		case 'c': *path = optarg; break;
		case 'j': *json = true; break;
		case 'h':
			fputs(usage, stdout);
			*status = 0;
			return false;
		case 'f':
			if (from != NULL) {
				*from = optarg;
				break;
			}
			/* fall through */
		default:
			fputs(usage, stderr);
			return false;
		}
	if (optind + wanted != argc) {
		fputs(usage, stderr);
		return false;
	}
	if (remote != NULL)
		*remote = argv[optind];
	return true;
}

static bool options_of(int argc, char **argv, const char *usage,
		       const char **path, bool *json, int *status)
{
	return domain_options(argc, argv, usage, path, json, NULL, NULL,
			      status);
}

/* Takes the reference on the request. */
static json_t *ask_with(const char *path, json_t *request, int *status)
{
	struct pl_conf *conf = client_configuration(path);
	json_t *answer;

	if (conf == NULL) {
		json_decref(request);
		*status = 2;
		return NULL;
	}
	answer = client_ask(conf, request, 30);
	pl_conf_unref(conf);
	*status = answer != NULL ? client_refused(answer) : 10;
	if (answer != NULL && *status != 0) {
		json_decref(answer);
		answer = NULL;
	}
	return answer;
}

static json_t *ask(const char *path, const char *verb, int *status)
{
	return ask_with(path, json_pack("{s:s}", "verb", verb), status);
}

static void print_json(json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2));
	putchar('\n');
}

/* ----- lists ----- */

enum { COLUMNS_MOST = 12 };

static void print_row(const json_t *item, const char *const *columns,
		      size_t count, const int *widths)
{
	for (size_t i = 0; i < count; i++)
		printf("%-*s%s", i + 1 < count ? widths[i] : 0,
		       item != NULL ? client_text(item, columns[i])
				    : columns[i], i + 1 < count ? "  " : "\n");
}

static void show(const json_t *list, const char *const *columns, size_t count)
{
	int widths[COLUMNS_MOST];
	const json_t *item;
	size_t i;

	for (size_t c = 0; c < count; c++)
		widths[c] = (int)strlen(columns[c]);
	json_array_foreach(list, i, item)
		for (size_t c = 0; c < count; c++) {
			int width = (int)strlen(client_text(item, columns[c]));

			if (width > widths[c])
				widths[c] = width;
		}
	print_row(NULL, columns, count, widths);
	json_array_foreach(list, i, item)
		print_row(item, columns, count, widths);
}

/* A verb whose answer holds a list of its own name. */
static int list(int argc, char **argv, const char *verb, const char *usage,
		const char *const *columns, size_t count)
{
	const char *path;
	json_t *answer;
	bool json;
	int status;

	if (!options_of(argc, argv, usage, &path, &json, &status))
		return status;
	answer = ask(path, verb, &status);
	if (answer == NULL)
		return status;
	if (json)
		print_json(json_object_get(answer, verb));
	else
		show(json_object_get(answer, verb), columns, count);
	json_decref(answer);
	return 0;
}

/* What the daemon's answer has, and what follows from it: who dialled whom, and
 * by which means the pair was authenticated. */
static void add_columns(json_t *streams)
{
	json_t *item;
	size_t i;

	json_array_foreach(streams, i, item) {
		bool in = strcmp(client_text(item, "dir"), "in") == 0;
		const char *method = client_text(item, "method");

		json_object_set(item, "from",
				json_object_get(item, in ? "remote" : "local"));
		json_object_set(item, "to",
				json_object_get(item, in ? "local" : "remote"));
		json_object_set(item, "ip", json_object_get(item, "addr"));
		json_object_set_new(item, "sasl", json_string(
			strcmp(method, "sasl-over-tls") == 0 ? "EXTERNAL"
							     : "-"));
		json_object_set_new(item, "dialback", json_string(
			strstr(method, "dialback") != NULL ? "yes" : "-"));
	}
}

static const char *const stream_columns[] = { "id", "dir", "local", "remote",
	"method", "tls", "cert", "row", "addr", "age", "from", "to", "ip",
	"sasl", "dialback", "phase" };
enum {
	STREAM_COLUMNS = sizeof stream_columns / sizeof stream_columns[0],
	STREAM_SHOWN = 10, /* of them, where nothing is said */
};

/* The named columns; false with a complaint about one that does not exist. */
static bool choose_columns(char *list, const char *chosen[COLUMNS_MOST],
			   size_t *count)
{
	*count = 0;
	for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
		size_t i = 0;

		while (i < STREAM_COLUMNS &&
		       strcmp(stream_columns[i], name) != 0)
			i++;
		if (i == STREAM_COLUMNS || *count == COLUMNS_MOST) {
			cli_usage("streams", "--columns: there is no column "
				  "\"%s\", or there are too many", name);
			return false;
		}
		chosen[(*count)++] = stream_columns[i];
	}
	return *count > 0;
}

static void streams_usage(FILE *out)
{
	fputs("usage: parley streams [-c FILE] [--columns NAME,...] [--json]\n"
	      "\n"
	      "Lists the streams of the running parleyd: id (as in its log), direction,\n"
	      "our domain, the remote domain, method, TLS version, verdict on the\n"
	      "peer's certificate, policy row, the peer's address, age in seconds.\n"
	      "Local services (method component) have no remote domain.\n"
	      "\n"
	      "      --columns LIST  of id, dir, local, remote, method, tls, cert, row,\n"
	      "                      addr, age, from, to (who dialled whom), ip, sasl,\n"
	      "                      dialback, phase\n"
	      "\n"
	      "parley s2s is the same.\n", out);
}

static int show_streams(const char *path, bool json, const char *const *columns,
			size_t count)
{
	json_t *answer, *streams;
	int status;

	answer = ask(path, "streams", &status);
	if (answer == NULL)
		return status;
	streams = json_object_get(answer, "streams");
	if (json) {
		print_json(streams);
	} else {
		add_columns(streams);
		show(streams, columns, count);
	}
	json_decref(answer);
	return 0;
}

int verb_streams(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "columns", required_argument, NULL, 'C' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = CLI_CONF, *chosen[COLUMNS_MOST];
	const char *const *columns = stream_columns;
	size_t count = STREAM_SHOWN;
	bool json = false;
	int option;

	while ((option = getopt_long(argc, argv, "c:jh", options, NULL)) != -1)
		switch (option) {
		case 'c': path = optarg; break;
		case 'j': json = true; break;
		case 'h': streams_usage(stdout); return 0;
		case 'C':
			if (!choose_columns(optarg, chosen, &count))
				return CLI_USAGE;
			columns = chosen;
			break;
		default: streams_usage(stderr); return CLI_USAGE;
		}
	if (optind != argc) {
		streams_usage(stderr);
		return CLI_USAGE;
	}
	return show_streams(path, json, columns, count);
}

int verb_partners(int argc, char **argv)
{
	static const char *const columns[] = { "partner", "type", "row", "tls",
		"sasl", "out", "in", "queued" };
	static const char usage[] =
		"usage: parley partners [-c FILE] [--json]\n"
		"\n"
		"Lists the partner sections of the running parleyd: type, row, TLS and\n"
		"SASL settings, streams that go out and come in, and stanzas that wait.\n";

	return list(argc, argv, "partners", usage, columns,
		    sizeof columns / sizeof columns[0]);
}

int verb_queues(int argc, char **argv)
{
	static const char *const columns[] = { "local", "remote", "stanzas",
		"bytes", "code", "retry_ms" };
	static const char usage[] =
		"usage: parley queues [-c FILE] [--json]\n"
		"\n"
		"Lists the pairs of domains of the running parleyd that are not open but\n"
		"wanted: what waits for them, why the last attempt failed, and in how\n"
		"many milliseconds a stanza would start the next one.\n";

	return list(argc, argv, "queues", usage, columns,
		    sizeof columns / sizeof columns[0]);
}

/* ----- one domain ----- */

static void print_count(const json_t *answer, const char *one,
			const char *several)
{
	const char *count = client_text(answer, "count");

	printf("%s %s\n", count, strcmp(count, "1") == 0 ? one : several);
}

int verb_close(int argc, char **argv)
{
	static const char usage[] =
		"usage: parley close [-c FILE] [--json] REMOTE\n"
		"\n"
		"Has the running parleyd close its streams with the domain REMOTE. They\n"
		"are opened again when something is to be sent.\n";
	const char *path, *remote;
	json_t *answer;
	bool json;
	int status;

	if (!domain_options(argc, argv, usage, &path, &json, NULL, &remote,
			    &status))
		return status;
	answer = ask_with(path, json_pack("{s:s,s:s}", "verb", "close", "to",
					  remote), &status);
	if (answer == NULL)
		return status;
	if (json)
		print_json(answer);
	else
		print_count(answer, "stream closed", "streams closed");
	json_decref(answer);
	return 0;
}

int verb_retry(int argc, char **argv)
{
	static const char usage[] =
		"usage: parley retry [-c FILE] [--from LOCAL] [--json] REMOTE\n"
		"\n"
		"Has the running parleyd try at once to reach the domain REMOTE, whatever\n"
		"pause an earlier failure has put in force: from every domain of ours that\n"
		"lately wanted to, or from LOCAL.\n"
		"\n"
		"Exit status: 0 an attempt began, 1 there was none to begin.\n";
	const char *path, *remote, *from = NULL;
	json_t *answer, *request;
	bool json;
	int status;

	if (!domain_options(argc, argv, usage, &path, &json, &from, &remote,
			    &status))
		return status;
	request = json_pack("{s:s,s:s}", "verb", "retry", "to", remote);
	if (from != NULL)
		json_object_set_new(request, "from", json_string(from));
	answer = ask_with(path, request, &status);
	if (answer == NULL)
		return status;
	status = json_integer_value(json_object_get(answer, "count")) > 0
			 ? 0 : 1;
	if (json)
		print_json(answer);
	else
		print_count(answer, "attempt begun", "attempts begun");
	if (status == 1)
		fprintf(stderr, "parley: nothing to try: it is open or under way, "
			"or no domain of ours wanted it lately (--from names one)\n");
	json_decref(answer);
	return status;
}

/* ----- reload ----- */

static void print_all(const json_t *list, const char *before)
{
	const json_t *line;
	size_t i;

	json_array_foreach(list, i, line)
		fprintf(stderr, "%s%s\n", before, json_string_value(line));
}

int verb_reload(int argc, char **argv)
{
	static const char usage[] =
		"usage: parley reload [-c FILE] [--json]\n"
		"\n"
		"Has the running parleyd read its configuration and certificates again.\n"
		"Streams that are still legal stay. A configuration with any fault is\n"
		"refused whole: exit status 2, and the old one stays.\n";
	const char *path;
	json_t *answer;
	bool json;
	int status;

	if (!options_of(argc, argv, usage, &path, &json, &status))
		return status;
	answer = ask(path, "reload", &status);
	if (answer == NULL)
		return status;
	status = (int)json_integer_value(json_object_get(answer, "exit"));
	if (json) {
		json_dumpf(answer, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_all(json_object_get(answer, "warnings"), "warning: ");
		print_all(json_object_get(answer, "errors"), "");
		puts(status == 0 ? "reloaded" : "refused: the old one stays");
	}
	json_decref(answer);
	return status;
}

int verb_drain(int argc, char **argv)
{
	static const char usage[] =
		"usage: parley drain [-c FILE] [--json]\n"
		"\n"
		"Has the running parleyd tell every peer that it stops, close its streams\n"
		"within timeouts { drain }, and end.\n";
	const char *path;
	json_t *answer;
	bool json;
	int status;

	if (!options_of(argc, argv, usage, &path, &json, &status))
		return status;
	answer = ask(path, "drain", &status);
	if (answer == NULL)
		return status;
	if (json)
		print_json(answer);
	else
		puts("stopping");
	json_decref(answer);
	return 0;
}
