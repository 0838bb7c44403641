/* parley matrix: the rows of the policy matrix, each negotiated with one peer. */
#include "matrix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "parley/sasl.h"

static const char usage[] =
"usage: parley matrix [OPTION...] DOMAIN\n"
"\n"
"Negotiates with the server of DOMAIN once under each row of the policy matrix\n"
"(\"parley policy\"), one after the other, and compares what came of it with what\n"
"should: computed from what the peer was seen to offer, or from --peer-policy.\n"
"Rows that are not valid are shown and not tried.\n"
"\n"
WAY_HELP
"      --rows LIST       all (default), or numbers and ranges: 2,7,9-13\n"
"      --pause S         seconds between two rows (0)\n"
"      --peer-policy TLS,SASL,DIALBACK\n"
"                        what the peer is known to have: required, optional or\n"
"                        not-supported twice, and yes or no\n"
"      --json            one JSON object (the same as --format json)\n"
"      --junit FILE      also a JUnit file: each row a test case\n"
"      --format FORMAT   table (default), json, jsonl (the traces), html or svg\n"
"  -o, --output FILE     into FILE (mode 0600); one that exists is kept and the\n"
"                        command fails, unless --force\n"
"      --force           replace FILE\n"
"      --ascii           ASCII alone (also where the locale is not UTF-8)\n"
"      --color WHEN      auto (default), always, never; NO_COLOR is respected\n"
"      --width COLUMNS   80 to 132 (the terminal's; 80 where unknown)\n"
"  -v, --verbose         the ladder of each row that is not as expected; more of\n"
"                        them: as in parley probe\n"
"\n"
"Exit status: 0 all as expected, 1 not, 2 usage or configuration, 10 a row could\n"
"not be tried to its end; when the peer was never reached, 3 to 9 as in \"parley\n"
"probe\".\n";

enum {
	OPTION_ROWS = 0x600,
	OPTION_PAUSE,
	OPTION_PEER_POLICY,
	OPTION_JSON,
	OPTION_JUNIT,
};

static const struct option options[] = {
	WAY_OPTIONS,
	RENDER_OPTIONS,
	{ "rows", required_argument, NULL, OPTION_ROWS },
	{ "pause", required_argument, NULL, OPTION_PAUSE },
	{ "peer-policy", required_argument, NULL, OPTION_PEER_POLICY },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "junit", required_argument, NULL, OPTION_JUNIT },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* ----- arguments ----- */

static bool take_range(struct matrix *matrix, char *word)
{
	char *dash = strchr(word, '-');
	int first, last;

	if (dash != NULL)
		*dash = '\0';
	first = way_row(&matrix->way, word);
	last = dash != NULL && first > 0 ? way_row(&matrix->way, dash + 1)
					 : first;
	if (first == 0 || last == 0)
		return false;
	if (last < first) {
		cli_usage("matrix", "--rows: %d-%d goes backwards", first,
			  last);
		return false;
	}
	for (int row = first; row <= last; row++)
		matrix->rows |= 1U << row;
	return true;
}

static bool take_rows(struct matrix *matrix, const char *value)
{
	char copy[200], *save = NULL, *word;

	if (strcmp(value, "all") == 0) {
		matrix->rows = ALL_ROWS;
		return true;
	}
	snprintf(copy, sizeof copy, "%s", value);
	matrix->rows = 0;
	for (word = strtok_r(copy, ",", &save); word != NULL;
	     word = strtok_r(NULL, ",", &save))
		if (!take_range(matrix, word))
			return false;
	if (matrix->rows == 0)
		cli_usage("matrix", "--rows names no row");
	return matrix->rows != 0;
}

static bool take_pause(struct matrix *matrix, const char *value)
{
	char *end;

	matrix->pause = strtod(value, &end);
	if (end != value && *end == '\0' && matrix->pause >= 0 &&
	    matrix->pause <= 3600)
		return true;
	cli_usage("matrix", "--pause: \"%s\" is no number of seconds", value);
	return false;
}

static bool take_peer_policy(struct matrix *matrix, const char *value)
{
	char copy[120], *save = NULL, *tls, *sasl, *dialback;

	snprintf(copy, sizeof copy, "%s", value);
	tls = strtok_r(copy, ",", &save);
	sasl = strtok_r(NULL, ",", &save);
	dialback = strtok_r(NULL, ",", &save);
	matrix->peer_known = dialback != NULL &&
			     strtok_r(NULL, ",", &save) == NULL &&
			     cli_parse_policy(tls, sasl, dialback,
					      &matrix->peer_policy);
	if (!matrix->peer_known)
		cli_usage("matrix", "--peer-policy \"%s\": it is written TLS,"
			  "SASL,DIALBACK", value);
	return matrix->peer_known;
}

static bool take_format(struct matrix *matrix, int option, const char *value)
{
	enum render_format format;

	if (strcmp(value, "table") == 0) {
		matrix->render.format = RENDER_LADDER;
		return true;
	}
	if (!render_option(&matrix->render, "matrix", option, value))
		return false;
	format = matrix->render.format;
	if (strcmp(value, "ladder") != 0 &&
	    (format == RENDER_JSON || format == RENDER_JSONL ||
	     format == RENDER_HTML || format == RENDER_SVG))
		return true;
	cli_usage("matrix", "--format: a matrix is shown as table, json, "
		  "jsonl, html or svg");
	return false;
}

static bool take_option(struct matrix *matrix, int option, const char *value)
{
	switch (option) {
	case OPTION_ROWS: return take_rows(matrix, value);
	case OPTION_PAUSE: return take_pause(matrix, value);
	case OPTION_PEER_POLICY: return take_peer_policy(matrix, value);
	case OPTION_JSON: matrix->render.format = RENDER_JSON; return true;
	case OPTION_JUNIT: matrix->junit = value; return true;
	case RENDER_OPTION_FORMAT: return take_format(matrix, option, value);
	case 'h': matrix->help = true; return true;
	default: break;
	}
	if (way_is_option(option))
		return way_option(&matrix->way, option, value);
	return render_option(&matrix->render, "matrix", option, value);
}

static bool take_arguments(struct matrix *matrix, int argc, char **argv)
{
	struct render_options file = { .format = RENDER_JSON };
	int option;

	while ((option = getopt_long(argc, argv, WAY_SHORT RENDER_SHORT "h",
				     options, NULL)) != -1)
		if (!take_option(matrix, option, optarg))
			return false;
	if (matrix->help)
		return true;
	if (optind + 1 != argc) {
		cli_usage("matrix", optind == argc ? "which DOMAIN?"
						   : "one DOMAIN at a time");
		return false;
	}
	matrix->way.remote = argv[optind];
	file.output = matrix->junit;
	file.force = matrix->render.force;
	return way_ready(&matrix->way) &&
	       render_ready(&matrix->render, "matrix") &&
	       (matrix->junit == NULL || render_ready(&file, "matrix"));
}

/* ----- the rows ----- */

static bool take_trace(struct matrix_row *row, const struct cli_attempt *attempt)
{
	struct pl_report_filter filter = { .id = attempt->trace };
	struct pl_error error = { .text = "" };
	bool cut;

	if (!pl_report_read(&row->report,
			    (const char *)pl_buffer_bytes(&attempt->lines),
			    attempt->lines.length, "the trace", &cut,
			    &error) ||
	    !pl_report_select(&row->report, &filter, &error) ||
	    row->report.count == 0) {
		fprintf(stderr, "parley matrix: %s\n",
			error.text[0] ? error.text : "there is no trace");
		return false;
	}
	row->cell.trace = &row->report.traces[0];
	pl_report_summarise(row->cell.trace, &row->summary);
	return true;
}

static void fill_cell(struct matrix_row *row)
{
	struct pl_report_cell *cell = &row->cell;
	const struct pl_report_summary *s = &row->summary;

	snprintf(cell->got, sizeof cell->got, "%s", pl_method_name(s->method));
	if (s->code != PL_CODE_NONE)
		snprintf(cell->code, sizeof cell->code, "%s",
			 pl_code_entry(s->code)->name);
	cell->exit_status = s->exit_status;
	cell->ms = s->total_us / 1000;
}

static int try_row(struct matrix *matrix, struct matrix_row *row)
{
	struct cli_attempt attempt = { .local = "" };
	struct pl_conf *conf;
	int status = CLI_USAGE;

	matrix->way.policy = row->cell.policy;
	matrix->way.policy_given = true;
	conf = cli_conf(&matrix->way, &attempt);
	if (conf != NULL) {
		cli_watchdog(matrix->way.timeout + 1);
		status = cli_attempt(&matrix->way, conf, &attempt);
		cli_watchdog(0);
	}
	if (status == CLI_OK && !take_trace(row, &attempt))
		status = CLI_INCOMPLETE;
	if (status == CLI_OK) {
		row->tried = true;
		fill_cell(row);
	}
	cli_attempt_finish(&attempt);
	return status;
}

static void tell_progress(const struct matrix *matrix,
			  const struct matrix_row *row)
{
	if (!matrix->progress)
		return;
	if (!row->tried)
		fprintf(stderr, "row %2d ...\r", row->cell.row);
	else
		fprintf(stderr, "row %2d  %s %s\n", row->cell.row,
			row->cell.got, row->cell.code);
}

static void wait_a_moment(double seconds)
{
	struct timespec time = {
		.tv_sec = (time_t)seconds,
		.tv_nsec = (long)((seconds - (time_t)seconds) * 1e9),
	};

	if (seconds > 0)
		nanosleep(&time, NULL);
}

static void choose_rows(struct matrix *matrix)
{
	for (int number = 1; number <= PL_POLICY_ROWS; number++) {
		struct matrix_row *row;

		if (!(matrix->rows >> number & 1))
			continue;
		row = &matrix->list[matrix->count++];
		row->cell.row = number;
		row->cell.policy = pl_policy_of_row(number);
		row->valid = pl_policy_valid(&row->cell.policy);
	}
}

static int try_all(struct matrix *matrix)
{
	bool first = true;

	for (size_t i = 0; i < matrix->count; i++) {
		struct matrix_row *row = &matrix->list[i];
		int status;

		if (!row->valid)
			continue;
		if (!first)
			wait_a_moment(matrix->pause);
		first = false;
		tell_progress(matrix, row);
		status = try_row(matrix, row);
		if (status != CLI_OK)
			return status;
		tell_progress(matrix, row);
	}
	return CLI_OK;
}

/* ----- the whole ----- */

static int run(struct matrix *matrix)
{
	struct cli_attempt names = { .local = "" };
	struct pl_conf *conf = cli_conf(&matrix->way, &names);
	int status, written;

	if (conf == NULL)
		return CLI_USAGE;
	pl_conf_unref(conf);
	memcpy(matrix->local, names.local, sizeof matrix->local);
	memcpy(matrix->remote, names.remote, sizeof matrix->remote);
	status = cli_start_sasl(&matrix->way, matrix->local);
	if (status == CLI_OK)
		status = try_all(matrix);
	if (status != CLI_OK)
		return status;
	matrix_judge(matrix);
	written = matrix_show(matrix);
	if (written == CLI_OK && matrix->junit != NULL)
		written = matrix_junit(matrix);
	return written != CLI_OK ? written : matrix_status(matrix);
}

int verb_matrix(int argc, char **argv)
{
	struct matrix *matrix = pl_calloc(1, sizeof *matrix);
	char *command = way_command(argc, argv);
	int status = CLI_USAGE;

	matrix->way = (struct cli_way){ .verb = "matrix", .timeout = 60,
					.raw = PL_RAW_NEGOTIATION };
	matrix->rows = ALL_ROWS;
	matrix->render.command = command;
	matrix->progress = isatty(STDERR_FILENO);
	if (take_arguments(matrix, argc, argv)) {
		if (matrix->help)
			fputs(usage, stdout);
		choose_rows(matrix);
		status = matrix->help ? CLI_OK : run(matrix);
		pl_sasl_global_finish();
	}
	for (size_t i = 0; i < matrix->count; i++)
		pl_report_finish(&matrix->list[i].report);
	free(matrix);
	free(command);
	return status;
}
