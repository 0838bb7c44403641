/* parley trace diff and replay. */
#include "trace.h"

#include "cli.h"

#include <stdio.h>
#include <string.h>

/* ----- diff ----- */

static int load_single(const struct trace_options *options, char *file,
		       struct pl_report *report)
{
	struct trace_options one = *options;
	int status;

	one.rest = &file;
	one.rest_count = 1;
	status = trace_load(&one, "trace diff", report);
	if (status != CLI_OK || report->count == 1)
		return status;
	return cli_usage("trace diff", "%s holds %zu traces; choose one with "
			 "--peer or --since, or export it by its id", file,
			 report->count);
}

static int diff(const struct trace_options *options,
		const struct pl_report *a, const struct pl_report *b)
{
	struct pl_report_look look = render_look(&options->render);
	struct pl_buffer out;
	size_t count;
	int status;

	pl_buffer_init(&out, 0);
	count = pl_report_diff(&out, &a->traces[0], &b->traces[0], &look);
	if (count == 0)
		pl_buffer_text(&out, "no difference\n");
	status = render_write(&options->render, pl_buffer_bytes(&out),
			      out.length);
	pl_buffer_finish(&out);
	return status != CLI_OK ? status : count > 0 ? CLI_DIFFERS : CLI_OK;
}

int trace_diff(int argc, char **argv)
{
	static const char usage[] =
		"usage: parley trace diff [OPTIONS] A B\n"
		"\n"
		"Compares two negotiations, element by element and connection "
		"by connection.\nNames, ids, keys, addresses, times and who "
		"closes first do not count. Lines\nwith - are in A alone, "
		"lines with + in B alone.\n"
		"\n"
		"      --peer, --code, --since, --stream, --stage   as for "
		"parley trace show\n"
		"  -o FILE, --force, --ascii, --color, --width      likewise\n"
		"\n"
		"Exit status: 0 no difference, 1 they differ, 2 wrong "
		"arguments, 10 no trace.\n";
	struct trace_options options;
	struct pl_report a, b;
	int status;

	if (!trace_arguments(&options, "trace diff", TRACE_FILTERS, usage,
			     argc, argv, &status))
		return status;
	if (options.rest_count != 2)
		return cli_usage("trace diff", "expected two files");
	if (options.format_given && options.render.format != RENDER_LADDER)
		return cli_usage("trace diff", "it has no other format");
	memset(&b, 0, sizeof b);
	status = load_single(&options, options.rest[0], &a);
	if (status == CLI_OK)
		status = load_single(&options, options.rest[1], &b);
	if (status == CLI_OK)
		status = diff(&options, &a, &b);
	pl_report_finish(&a);
	pl_report_finish(&b);
	return status;
}

/* ----- replay ----- */

/* One line a trace; what differs is told below it. */
static void tell_replay(struct pl_buffer *out,
			const struct pl_report_trace *trace,
			const struct pl_report_replay *result,
			const struct pl_report_look *look)
{
	char plain[1024];

	if (result->steps == 0) {
		pl_buffer_printf(out, "%s: nothing to replay (no policy.step "
				 "in it)\n", trace->id);
		return;
	}
	pl_buffer_printf(out, "%s: %zu steps, %s\n", trace->id, result->steps,
			 result->same ? "the same decisions" : "differs");
	if (result->same)
		return;
	pl_report_plain(plain, sizeof plain, result->text, look->unicode);
	pl_buffer_printf(out, "  record %u: %s\n", result->seq, plain);
}

static json_t *json_replay(const struct pl_report_trace *trace,
			   const struct pl_report_replay *result)
{
	json_t *json = json_pack("{s:s, s:I, s:b}", "trace", trace->id,
				 "steps", (json_int_t)result->steps, "same",
				 result->same);

	if (!result->same && result->steps > 0) {
		json_object_set_new(json, "seq", json_integer(result->seq));
		json_object_set_new(json, "text", cli_json_text(result->text));
	}
	return json;
}

/* The worst of all traces. */
static int worse(int status, const struct pl_report_replay *result)
{
	if (status == CLI_DIFFERS || (result->steps > 0 && !result->same))
		return CLI_DIFFERS;
	return result->steps == 0 ? CLI_INCOMPLETE : status;
}

static int replay(const struct pl_report *report,
		  const struct trace_options *options)
{
	struct pl_report_look look = render_look(&options->render);
	json_t *array = json_array();
	struct pl_buffer out;
	int status = CLI_OK, written;

	pl_buffer_init(&out, 0);
	for (size_t i = 0; i < report->count; i++) {
		struct pl_report_replay result;

		memset(&result, 0, sizeof result);
		pl_report_replay(&report->traces[i], &result);
		status = worse(status, &result);
		tell_replay(&out, &report->traces[i], &result, &look);
		json_array_append_new(array, json_replay(&report->traces[i],
							 &result));
	}
	if (options->render.format == RENDER_JSON)
		written = render_json(&options->render, json_incref(array));
	else
		written = render_write(&options->render, pl_buffer_bytes(&out),
				       out.length);
	json_decref(array);
	pl_buffer_finish(&out);
	return written != CLI_OK ? written : status;
}

int trace_replay(int argc, char **argv)
{
	static const char usage[] =
		"usage: parley trace replay [OPTIONS] FILE...\n"
		"\n"
		"Feeds the recorded events to this parley's state machines "
		"again and compares\nwhat they decide with what was decided "
		"then.\n"
		"\n"
		"      --peer, --code, --since, --id   as for parley trace "
		"show\n"
		"      --format json     an array of objects: trace, steps, "
		"same, seq, text\n"
		"  -o FILE, --force      into FILE\n"
		"\n"
		"Exit status: 0 the same, 1 it differs, 2 wrong arguments, 10 "
		"a trace has nothing\nto replay.\n";
	struct trace_options options;
	struct pl_report report;
	int status;

	if (!trace_arguments(&options, "trace replay",
			     TRACE_FILTERS | TRACE_ID, usage, argc, argv,
			     &status))
		return status;
	if (options.render.format != RENDER_LADDER &&
	    options.render.format != RENDER_JSON)
		return cli_usage("trace replay", "its formats are text (the "
				 "default) and json");
	options.filter.stream = options.filter.stage = NULL;
	status = trace_load(&options, "trace replay", &report);
	if (status == CLI_OK)
		status = replay(&report, &options);
	pl_report_finish(&report);
	return status;
}
