/* parley watch: follows the negotiations of a running daemon. */
#include "cli.h"
#include "watch.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ASK_SECONDS = 3, LINES_SECONDS = 10 };

volatile sig_atomic_t watch_over;

/* ----- asking ----- */

/* An answer without a refusal in it, or NULL with a sentence. */
static json_t *ask(struct watch *watch, json_t *request, int seconds,
		   struct pl_error *error)
{
	json_t *answer = client_try(watch->conf, request, seconds, error);
	const char *refusal;

	if (answer == NULL)
		return NULL;
	refusal = json_string_value(json_object_get(answer, "error"));
	if (refusal == NULL)
		return answer;
	pl_error_set(error, "%s", refusal);
	json_decref(answer);
	return NULL;
}

static json_t *ask_list(struct watch *watch, json_t *request, const char *key)
{
	struct pl_error error = { .text = "" };
	json_t *answer = ask(watch, request, ASK_SECONDS, &error), *list;

	watch->fault[0] = '\0';
	list = json_object_get(answer, key);
	if (answer != NULL && !json_is_array(list))
		pl_error_set(&error, "parleyd's answer has no %s", key);
	if (!json_is_array(list)) {
		pl_text_printable(watch->fault, sizeof watch->fault, error.text,
				  strlen(error.text));
		json_decref(answer);
		return NULL;
	}
	json_incref(list);
	json_decref(answer);
	return list;
}

static json_int_t number_of(const json_t *row)
{
	return json_integer_value(json_object_get(row, "number"));
}

/* Keeps the order of their numbers, whatever the daemon's is. */
static void add(json_t *rows, json_t *row)
{
	size_t at = json_array_size(rows);

	while (at > 0 && number_of(json_array_get(rows, at - 1)) >
			 number_of(row))
		at--;
	json_array_insert(rows, at, row);
	while (json_array_size(rows) > WATCH_ROWS)
		json_array_remove(rows, 0);
}

bool watch_poll(struct watch *watch)
{
	json_t *list = ask_list(watch, json_pack("{s:s,s:I}", "verb",
						 "negotiations", "since",
						 watch->since),
				"negotiations"), *row;
	json_int_t newest = watch->since;
	size_t i;

	json_array_foreach(list, i, row) {
		if (!json_is_object(row) || number_of(row) <= watch->since)
			continue;
		add(watch->negotiations, row);
		if (number_of(row) > newest)
			newest = number_of(row);
	}
	watch->since = newest;
	json_decref(list);
	return list != NULL;
}

bool watch_poll_streams(struct watch *watch)
{
	json_t *list = ask_list(watch, json_pack("{s:s}", "verb", "streams"),
				"streams");

	if (list == NULL)
		return false;
	json_decref(watch->streams);
	watch->streams = list;
	return true;
}

char *watch_lines(struct watch *watch, const char *id, struct pl_error *error)
{
	json_t *answer = ask(watch, json_pack("{s:s,s:s}", "verb",
					      "negotiations", "id", id),
			     LINES_SECONDS, error);
	json_t *list = json_object_get(answer, "negotiations");
	const char *lines = json_string_value(
		json_object_get(json_array_get(list, 0), "lines"));
	char *copy = lines != NULL ? pl_strdup(lines) : NULL;

	if (answer != NULL && copy == NULL)
		pl_error_set(error, "parleyd no longer has this trace");
	json_decref(answer);
	return copy;
}

/* ----- cells ----- */

bool watch_failed(const json_t *row)
{
	return strcmp(client_text(row, "result"), "failed") == 0;
}

/* "2026-11-22T12:03:05.109Z" as the local time of day. */
static void time_of_day(const char *time, char out[WATCH_CELL])
{
	struct tm utc = { 0 }, local;
	time_t seconds;

	if (strptime(time, "%Y-%m-%dT%H:%M:%S", &utc) == NULL) {
		snprintf(out, WATCH_CELL, "%.8s", time);
		return;
	}
	seconds = timegm(&utc);
	localtime_r(&seconds, &local);
	strftime(out, WATCH_CELL, "%H:%M:%S", &local);
}

static void age(json_int_t seconds, char out[WATCH_CELL])
{
	if (seconds < 120)
		snprintf(out, WATCH_CELL, "%lld s", (long long)seconds);
	else if (seconds < 7200)
		snprintf(out, WATCH_CELL, "%lld min", (long long)seconds / 60);
	else
		snprintf(out, WATCH_CELL, "%lld h", (long long)seconds / 3600);
}

static const char *key_of(const json_t *row, bool streams,
			  enum watch_column column)
{
	switch (column) {
	case WATCH_TIME: return streams ? "age" : "time";
	case WATCH_DIR: return "dir";
	case WATCH_LOCAL: return "local";
	case WATCH_REMOTE: return "remote";
	case WATCH_METHOD: return "method";
	case WATCH_ROW: return "row";
	case WATCH_RESULT:
		return streams ? "phase" : watch_failed(row) ? "code"
							     : "result";
	case WATCH_MS: return streams ? "tls" : "ms";
	case WATCH_COLUMNS: break;
	}
	return "";
}

const char *watch_cell(const json_t *row, bool streams,
		       enum watch_column column, char out[WATCH_CELL])
{
	const char *text = client_text(row, key_of(row, streams, column));
	char printable[WATCH_CELL];

	pl_text_printable(printable, sizeof printable, text, strlen(text));
	if (column == WATCH_TIME && streams)
		age(json_integer_value(json_object_get(row, "age")), out);
	else if (column == WATCH_TIME)
		time_of_day(printable, out);
	else
		snprintf(out, WATCH_CELL, "%s",
			 printable[0] != '\0' ? printable : "-");
	return out;
}

const char *watch_heading(bool streams, enum watch_column column)
{
	switch (column) {
	case WATCH_TIME: return streams ? "age" : "time";
	case WATCH_DIR: return "dir";
	case WATCH_LOCAL: return "local";
	case WATCH_REMOTE: return "remote";
	case WATCH_METHOD: return "method";
	case WATCH_ROW: return "row";
	case WATCH_RESULT: return streams ? "phase" : "result";
	case WATCH_MS: return streams ? "tls" : "ms";
	case WATCH_COLUMNS: break;
	}
	return "";
}

/* ----- plain lines ----- */

static void print_row(const json_t *row)
{
	static const int widths[] = {
		[WATCH_TIME] = 8, [WATCH_DIR] = 3, [WATCH_LOCAL] = 20,
		[WATCH_REMOTE] = 20, [WATCH_METHOD] = 13, [WATCH_ROW] = 4,
		[WATCH_RESULT] = 24, [WATCH_MS] = 0,
	};

	for (int i = 0; i < WATCH_COLUMNS; i++) {
		char cell[WATCH_CELL];

		printf("%-*s%s", widths[i],
		       row != NULL ? watch_cell(row, false,
						(enum watch_column)i, cell)
				   : watch_heading(false,
						   (enum watch_column)i),
		       i + 1 < WATCH_COLUMNS ? "  " : "\n");
	}
}

static void print_one(const struct watch *watch, const json_t *row)
{
	if (!watch->json) {
		print_row(row);
		return;
	}
	json_dumpf(row, stdout, JSON_COMPACT);
	putchar('\n');
}

/* Those behind the first `shown`; false: that is enough. */
static bool print_new(struct watch *watch, json_int_t shown,
		      unsigned long *printed)
{
	const json_t *row;
	size_t i;

	json_array_foreach(watch->negotiations, i, row) {
		if (number_of(row) <= shown)
			continue;
		print_one(watch, row);
		if (++*printed == watch->count)
			return false;
	}
	return fflush(stdout) == 0;
}

/* A lost daemon is told once, and so is its return. Numbers begin again with
 * it. */
static void tell_connection(struct watch *watch, bool here, bool *was_here)
{
	if (here == *was_here)
		return;
	*was_here = here;
	if (here)
		fputs("parley watch: parleyd answers again\n", stderr);
	else
		fprintf(stderr, "parley watch: %s; waiting for it\n",
			watch->fault);
	if (!here) {
		watch->since = 0;
		json_array_clear(watch->negotiations);
	}
}

int watch_plain(struct watch *watch)
{
	static const struct timespec pause = { 0, WATCH_POLL_MS * 1000000L };
	unsigned long printed = 0;
	json_int_t shown = 0;
	bool here = true;

	if (!watch->json)
		print_row(NULL);
	for (;;) {
		if (!print_new(watch, shown, &printed) || watch_over)
			return 0;
		shown = watch->since;
		nanosleep(&pause, NULL);
		if (watch_over)
			return 0;
		tell_connection(watch, watch_poll(watch), &here);
		if (!here)
			shown = 0;
	}
}

/* ----- arguments ----- */

static void usage(FILE *out)
{
	fputs("usage: parley watch [-c FILE] [--plain | --json] [--count N]\n"
	      "\n"
	      "Follows the negotiations of the running parleyd: one line each, as\n"
	      "they end. On a terminal a screen; Enter shows the ladder of one.\n"
	      "\n"
	      "  -c, --config FILE  configuration of the daemon (" CLI_CONF ")\n"
	      "      --plain        lines on stdout (what it does without a terminal)\n"
	      "      --json         each as one JSON object a line\n"
	      "      --count N      lines: end after N negotiations\n"
	      "\n"
	      "Keys: up, down, page up, page down, home, end move; Enter opens the\n"
	      "ladder; tab switches to the streams that live now; / sets a filter;\n"
	      "p pauses; q leaves.\n", out);
}

static void on_signal(int number)
{
	(void)number;
	watch_over = 1;
}

static void catch_signals(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal };

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		sigaction(numbers[i], &action, NULL);
}

static int run(const char *path, struct watch *watch, bool plain)
{
	struct pl_conf *conf = client_configuration(path);
	int status = CLI_INCOMPLETE;

	if (conf == NULL)
		return CLI_USAGE;
	watch->conf = conf;
	watch->negotiations = json_array();
	watch->streams = json_array();
	if (!watch_poll(watch)) {
		fprintf(stderr, "parley watch: %s\n", watch->fault);
	} else {
		catch_signals();
		plain = plain || watch->json || !isatty(STDOUT_FILENO) ||
			!isatty(STDIN_FILENO);
		status = plain ? watch_plain(watch) : watch_screen(watch);
	}
	json_decref(watch->negotiations);
	json_decref(watch->streams);
	pl_conf_unref(conf);
	return status;
}

static bool parse_count(const char *text, unsigned long *count)
{
	char *end;

	errno = 0;
	*count = strtoul(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && text[0] != '-' &&
	       *count > 0;
}

int verb_watch(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "plain", no_argument, NULL, 'p' },
		{ "json", no_argument, NULL, 'j' },
		{ "count", required_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = CLI_CONF;
	struct watch watch = { 0 };
	bool plain = false;
	int option;

	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1)
		switch (option) {
		case 'c': path = optarg; break;
		case 'p': plain = true; break;
		case 'j': watch.json = true; break;
		case 'n':
			if (!parse_count(optarg, &watch.count))
				return cli_usage("watch", "\"%s\" is no count "
						 "of negotiations", optarg);
			plain = true;
			break;
		case 'h': usage(stdout); return CLI_OK;
		default: usage(stderr); return CLI_USAGE;
		}
	if (optind != argc) {
		usage(stderr);
		return CLI_USAGE;
	}
	return run(path, &watch, plain);
}
