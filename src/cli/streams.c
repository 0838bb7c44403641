/* parley streams and parley reload. */
#include "cli.h"
#include "client.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* Both take the same two options. */
static bool options_of(int argc, char **argv, const char *usage,
		       const char **path, bool *json, int *status)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

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
		default:
			fputs(usage, stderr);
			return false;
		}
	if (optind != argc)
		fputs(usage, stderr);
	return optind == argc;
}

static json_t *ask(const char *path, const char *verb, int *status)
{
	struct pl_conf *conf = client_configuration(path);
	json_t *answer;

	if (conf == NULL) {
		*status = 2;
		return NULL;
	}
	answer = client_ask(conf, json_pack("{s:s}", "verb", verb), 30);
	pl_conf_unref(conf);
	*status = answer != NULL ? client_refused(answer) : 10;
	if (answer != NULL && *status != 0) {
		json_decref(answer);
		answer = NULL;
	}
	return answer;
}

/* ----- streams ----- */

static const char *const columns[] = { "id", "dir", "local", "remote",
	"method", "tls", "cert", "row", "addr", "age" };
enum { COLUMNS = sizeof columns / sizeof columns[0] };

static void print_row(const json_t *stream, const int *widths)
{
	for (int i = 0; i < COLUMNS; i++)
		printf("%-*s%s", i + 1 < COLUMNS ? widths[i] : 0,
		       stream != NULL ? client_text(stream, columns[i])
				      : columns[i],
		       i + 1 < COLUMNS ? "  " : "\n");
}

static void show(const json_t *streams)
{
	int widths[COLUMNS];
	const json_t *stream;
	size_t i;

	for (int c = 0; c < COLUMNS; c++)
		widths[c] = (int)strlen(columns[c]);
	json_array_foreach(streams, i, stream)
		for (int c = 0; c < COLUMNS; c++) {
			int width = (int)strlen(client_text(stream, columns[c]));

			if (width > widths[c])
				widths[c] = width;
		}
	print_row(NULL, widths);
	json_array_foreach(streams, i, stream)
		print_row(stream, widths);
}

int verb_streams(int argc, char **argv)
{
	static const char usage[] =
		"usage: parley streams [-c FILE] [--json]\n"
		"\n"
		"Lists the streams of the running parleyd: id (as in its log), direction,\n"
		"our domain, the remote domain, method, TLS version, verdict on the\n"
		"peer's certificate, policy row, the peer's address, age in seconds.\n"
		"Local services (method component) have no remote domain.\n";
	const char *path;
	json_t *answer;
	bool json;
	int status;

	if (!options_of(argc, argv, usage, &path, &json, &status))
		return status;
	answer = ask(path, "streams", &status);
	if (answer == NULL)
		return status;
	if (json) {
		json_dumpf(json_object_get(answer, "streams"), stdout,
			   JSON_INDENT(2));
		putchar('\n');
	} else {
		show(json_object_get(answer, "streams"));
	}
	json_decref(answer);
	return 0;
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
	if (json) {
		json_dumpf(answer, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		puts("stopping");
	}
	json_decref(answer);
	return 0;
}
