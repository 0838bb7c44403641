/* parley trace last, on and off: questions to the running parleyd. */
#include "trace.h"

#include "cli.h"
#include "client.h"

#include <stdio.h>
#include <string.h>

enum { ANSWER_SECONDS = 30 };

/* The daemon's answer; NULL: *status, and what is wrong was said. */
static json_t *ask(const struct trace_options *options, const char *what,
		   int *status)
{
	struct pl_conf *conf = client_configuration(options->config);
	const char *remote = options->rest_count > 0 ? options->rest[0] : NULL;
	json_t *request, *answer;

	*status = CLI_USAGE;
	if (conf == NULL)
		return NULL;
	request = json_pack("{s:s, s:s, s:s*}", "verb", "trace", "what", what,
			    "remote", remote);
	if (options->count > 0)
		json_object_set_new(request, "count",
				    json_integer(options->count));
	if (options->failed)
		json_object_set_new(request, "failed", json_true());
	answer = client_ask(conf, request, ANSWER_SECONDS);
	pl_conf_unref(conf);
	*status = answer != NULL ? client_refused(answer) : CLI_INCOMPLETE;
	if (*status == CLI_OK)
		return answer;
	json_decref(answer);
	return NULL;
}

/* ----- last ----- */

/* All lines of the answer, one trace after the other. */
static bool gather(const json_t *answer, struct pl_buffer *lines)
{
	const json_t *trace;
	size_t i;

	json_array_foreach(json_object_get(answer, "traces"), i, trace) {
		const char *text = json_string_value(
			json_object_get(trace, "lines"));

		if (text != NULL && !pl_buffer_text(lines, text))
			return false;
	}
	return true;
}

static int show(struct pl_buffer *lines, const struct trace_options *options)
{
	struct pl_report report;
	struct pl_error error = { 0 };
	bool cut;
	int status;

	if (!pl_report_read(&report, (const char *)pl_buffer_bytes(lines),
			    lines->length, "parleyd", &cut, &error)) {
		fprintf(stderr, "parley: %s\n", error.text);
		return CLI_INCOMPLETE;
	}
	if (report.count > 0) {
		status = render_traces(&report, &options->render);
	} else {
		fprintf(stderr, "parley: parleyd remembers no such "
			"negotiation\n");
		status = CLI_INCOMPLETE;
	}
	pl_report_finish(&report);
	return status;
}

int trace_last(int argc, char **argv)
{
	static const char usage[] =
		"usage: parley trace last [-c FILE] [OPTIONS] [DOMAIN]\n"
		"\n"
		"Asks the running parleyd for its last negotiation (with "
		"DOMAIN) and draws its\nladder. parleyd remembers them whether "
		"or not it writes trace files.\n"
		"\n"
		"  -c, --config FILE     configuration of the daemon "
		"(" CLI_CONF ")\n"
		"      --count N         the last N (1)\n"
		"      --failed          of those that failed\n"
		RENDER_HELP
		"\n"
		"Exit status: 0 shown, 2 wrong arguments, 10 no answer, or "
		"none to show.\n";
	struct trace_options options;
	struct pl_buffer lines;
	json_t *answer;
	int status;

	if (!trace_arguments(&options, "trace last",
			     TRACE_CONFIG | TRACE_COUNT | TRACE_FAILED, usage,
			     argc, argv, &status))
		return status;
	if (options.rest_count > 1)
		return cli_usage("trace last", "expected one DOMAIN at most");
	if (options.count == 0)
		options.count = 1;
	answer = ask(&options, "last", &status);
	if (answer == NULL)
		return status;
	pl_buffer_init(&lines, PL_REPORT_BYTES);
	status = CLI_INCOMPLETE;
	if (gather(answer, &lines))
		status = show(&lines, &options);
	pl_buffer_finish(&lines);
	json_decref(answer);
	return status;
}

/* ----- on and off ----- */

static int turn(const char *what, const char *part, const char *usage,
		int argc, char **argv)
{
	struct trace_options options;
	json_t *answer;
	char domain[1024];
	int status;

	if (!trace_arguments(&options, part, TRACE_CONFIG, usage, argc, argv,
			     &status))
		return status;
	if (options.rest_count != 1)
		return cli_usage(part, "expected one DOMAIN");
	answer = ask(&options, what, &status);
	if (answer == NULL)
		return status;
	json_decref(answer);
	pl_text_printable(domain, sizeof domain, options.rest[0],
			  strlen(options.rest[0]));
	printf("traces of %s: %s\n", domain, what);
	return CLI_OK;
}

int trace_on(int argc, char **argv)
{
	static const char usage[] =
		"usage: parley trace on [-c FILE] DOMAIN\n"
		"\n"
		"From now on the running parleyd writes a trace file of each "
		"negotiation with\nDOMAIN into its trace directory, until "
		"parley trace off or its end. The\nconfiguration's own "
		"settings stay as they are.\n"
		"\n"
		"  -c, --config FILE  configuration of the daemon "
		"(" CLI_CONF ")\n"
		"\n"
		"Exit status: 0 done, 2 wrong arguments or refused, 10 no "
		"answer.\n";

	return turn("on", "trace on", usage, argc, argv);
}

int trace_off(int argc, char **argv)
{
	static const char usage[] =
		"usage: parley trace off [-c FILE] DOMAIN\n"
		"\n"
		"From now on the running parleyd writes no trace files of "
		"negotiations with\nDOMAIN, whatever its configuration says, "
		"until parley trace on or its end.\n"
		"\n"
		"  -c, --config FILE  configuration of the daemon "
		"(" CLI_CONF ")\n"
		"\n"
		"Exit status: 0 done, 2 wrong arguments or refused, 10 no "
		"answer.\n";

	return turn("off", "trace off", usage, argc, argv);
}
