/* parley trace: traces shown, listed, exported, cleaned, counted. */
#include "trace.h"

#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ----- the parts ----- */

static const struct {
	const char *name, *summary;
	int (*run)(int argc, char **argv);
} parts[] = {
	{ "show", "draw the ladder of each trace", trace_show },
	{ "view", "list many traces, or draw one of them", trace_view },
	{ "follow", "show records as they are written", trace_follow },
	{ "diff", "compare two negotiations, element by element", trace_diff },
	{ "replay", "feed recorded events to the state machines again",
	  trace_replay },
	{ "export", "as HTML, SVG, pcapng and other formats, into a file",
	  trace_export },
	{ "redact", "take out names, addresses and texts, to send it on",
	  trace_redact },
	{ "stats", "count results and times over many traces", trace_stats },
	{ "last", "the last negotiations of the running parleyd", trace_last },
	{ "on", "have parleyd write traces of a partner", trace_on },
	{ "off", "and no longer", trace_off },
};
enum { PARTS = sizeof parts / sizeof parts[0] };

static void print_help(FILE *out)
{
	fputs("usage: parley trace PART [ARGUMENTS]\n\n", out);
	for (size_t i = 0; i < PARTS; i++)
		fprintf(out, "  %-8s %s\n", parts[i].name, parts[i].summary);
	fputs("\nFILE is a trace (JSON lines), an HTML report, a folder of "
	      "traces, or - for\nstdin. parley trace PART --help tells more; "
	      "parley-trace(1) all of it.\n", out);
}

int verb_trace(int argc, char **argv)
{
	const char *names[PARTS], *similar;

	if (argc < 2) {
		print_help(stderr);
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help(stdout);
		return CLI_OK;
	}
	for (size_t i = 0; i < PARTS; i++) {
		if (strcmp(parts[i].name, argv[1]) == 0)
			return parts[i].run(argc - 1, argv + 1);
		names[i] = parts[i].name;
	}
	similar = cli_similar(argv[1], names, PARTS);
	return cli_usage("trace", "there is no \"%s\"%s%s%s", argv[1],
			 similar != NULL ? "; did you mean \"" : "",
			 similar != NULL ? similar : "",
			 similar != NULL ? "\"?" : "");
}

/* ----- arguments ----- */

#define FILTER_HELP \
"      --peer DOMAIN     only negotiations with it\n" \
"      --code CODE       only those with this code (parley explain --list)\n" \
"      --since TIME      only those under way then or later: 10m, 2h, 1d, or\n" \
"                        2026-11-22T12:03:05Z\n" \
"      --id ID           only the trace whose id begins so\n" \
"      --stream sN       only records of this connection\n" \
"      --stage STAGE     only records of this stage (dns, tcp, tls ...)\n"

enum { OPTION_STREAM = 0x500, OPTION_STAGE, OPTION_CODE, OPTION_PEER,
       OPTION_SINCE, OPTION_ID, OPTION_ALL, OPTION_FAILED, OPTION_COUNT,
       OPTION_TIMEOUT };

static bool check_stage(const char *part, const char *stage)
{
	const char *names[PL_STAGE_ERROR + 1], *similar;

	for (int i = PL_STAGE_DNS; i <= PL_STAGE_ERROR; i++) {
		names[i] = pl_stage_name((enum pl_stage)i);
		if (strcmp(names[i], stage) == 0)
			return true;
	}
	similar = cli_similar(stage, names, PL_STAGE_ERROR + 1);
	cli_usage(part, "--stage: there is no stage \"%s\"%s%s%s", stage,
		  similar != NULL ? "; did you mean \"" : "",
		  similar != NULL ? similar : "", similar != NULL ? "\"?" : "");
	return false;
}

static bool check_code(const char *part, const char *code)
{
	enum pl_code found;

	if (pl_code_parse(code, &found))
		return true;
	cli_usage(part, "--code: there is no code \"%s\"; parley explain "
		  "--list lists them", code);
	return false;
}

static bool take_filter(struct trace_options *o, const char *part, int option)
{
	switch (option) {
	case OPTION_STREAM:
		o->filter.stream = optarg;
		return true;
	case OPTION_STAGE:
		o->filter.stage = optarg;
		return check_stage(part, optarg);
	case OPTION_CODE:
		o->filter.code = optarg;
		return check_code(part, optarg);
	case OPTION_PEER:
		o->filter.peer = optarg;
		return true;
	case OPTION_SINCE:
		o->filter.since = optarg;
		return true;
	default:
		o->filter.id = optarg;
		return true;
	}
}

static bool take_count(struct trace_options *o, const char *part)
{
	char *end;
	long count = strtol(optarg, &end, 10);

	if (end == optarg || *end != '\0' || count < 1 || count > 1000000) {
		cli_usage(part, "--count: \"%s\" is no number from 1", optarg);
		return false;
	}
	o->count = (unsigned)count;
	return true;
}

static bool take_wait(struct trace_options *o, const char *part)
{
	char *end;

	o->wait = strtod(optarg, &end);
	if (end == optarg || *end != '\0' || !(o->wait > 0) ||
	    o->wait > 86400) {
		cli_usage(part, "--timeout: \"%s\" is no number of seconds",
			  optarg);
		return false;
	}
	return true;
}

static const struct option all_options[] = {
	RENDER_OPTIONS,
	{ "stream", required_argument, NULL, OPTION_STREAM },
	{ "stage", required_argument, NULL, OPTION_STAGE },
	{ "code", required_argument, NULL, OPTION_CODE },
	{ "peer", required_argument, NULL, OPTION_PEER },
	{ "since", required_argument, NULL, OPTION_SINCE },
	{ "id", required_argument, NULL, OPTION_ID },
	{ "config", required_argument, NULL, 'c' },
	{ "all", no_argument, NULL, OPTION_ALL },
	{ "failed", no_argument, NULL, OPTION_FAILED },
	{ "count", required_argument, NULL, OPTION_COUNT },
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

/* Is it an option of this part at all? */
static bool taken(unsigned takes, int option)
{
	switch (option) {
	case OPTION_STREAM:
	case OPTION_STAGE:
	case OPTION_CODE:
	case OPTION_PEER:
	case OPTION_SINCE:
	case OPTION_ID:
		return (takes & TRACE_FILTERS) != 0;
	case 'c':
		return (takes & TRACE_CONFIG) != 0;
	case OPTION_COUNT:
		return (takes & TRACE_COUNT) != 0;
	case OPTION_ALL:
	case OPTION_TIMEOUT:
		return (takes & TRACE_FOLLOW) != 0;
	case OPTION_FAILED:
		return (takes & TRACE_FAILED) != 0;
	default:
		return true;
	}
}

static bool take(struct trace_options *o, const char *part, unsigned takes,
		 int option, const char *given)
{
	if (!taken(takes, option)) {
		cli_usage(part, "%s is no option of it", given);
		return false;
	}
	switch (option) {
	case 'c':
		o->config = optarg;
		o->config_given = true;
		return true;
	case OPTION_ALL:
		o->all = true;
		return true;
	case OPTION_FAILED:
		o->failed = true;
		return true;
	case OPTION_COUNT:
		return take_count(o, part);
	case OPTION_TIMEOUT:
		return take_wait(o, part);
	case OPTION_STREAM:
	case OPTION_STAGE:
	case OPTION_CODE:
	case OPTION_PEER:
	case OPTION_SINCE:
	case OPTION_ID:
		return take_filter(o, part, option);
	default:
		o->format_given |= option == RENDER_OPTION_FORMAT;
		return render_option(&o->render, part, option, optarg);
	}
}

/* A last argument that is no file and looks like an id is one. */
static void find_id(struct trace_options *o)
{
	const char *last;
	size_t length;

	if (o->rest_count < 2)
		return;
	last = o->rest[o->rest_count - 1];
	length = strlen(last);
	if (length < 4 || length > 64 || access(last, F_OK) == 0 ||
	    strspn(last, "0123456789abcdef") != length)
		return;
	o->filter.id = last;
	o->rest_count--;
}

bool trace_arguments(struct trace_options *options, const char *part,
		     unsigned takes, const char *usage, int argc, char **argv,
		     int *status)
{
	int option;

	memset(options, 0, sizeof *options);
	options->config = CLI_CONF;
	options->filter.now = (int64_t)time(NULL);
	*status = CLI_USAGE;
	while ((option = getopt_long(argc, argv, RENDER_SHORT "c:h",
				     all_options, NULL)) != -1) {
		if (option == 'h') {
			fputs(usage, stdout);
			*status = CLI_OK;
			return false;
		}
		if (!take(options, part, takes, option, argv[optind - 1]))
			return false;
	}
	options->rest = argv + optind;
	options->rest_count = argc - optind;
	if (takes & TRACE_ID)
		find_id(options);
	return render_ready(&options->render, part);
}

int trace_load(struct trace_options *options, const char *part,
	       struct pl_report *report)
{
	struct pl_error error = { 0 };
	int status;

	memset(report, 0, sizeof *report);
	if (options->rest_count == 0)
		return cli_usage(part, "name a FILE, or - for stdin");
	status = render_read(report, options->rest, options->rest_count);
	if (status != CLI_OK)
		return status;
	if (report->count == 0) {
		fprintf(stderr, "parley: there is no trace in %s\n",
			options->rest[0]);
		return CLI_INCOMPLETE;
	}
	if (!pl_report_select(report, &options->filter, &error)) {
		pl_report_finish(report);
		return cli_usage(part, "%s", error.text);
	}
	if (report->count > 0)
		return CLI_OK;
	fprintf(stderr, "parley: no trace is left by the filters\n");
	return CLI_INCOMPLETE;
}

/* ----- show and export ----- */

static int load_and(int (*then)(const struct pl_report *report,
				const struct trace_options *options),
		    struct trace_options *options, const char *part)
{
	struct pl_report report;
	int status = trace_load(options, part, &report);

	if (status == CLI_OK)
		status = then(&report, options);
	pl_report_finish(&report);
	return status;
}

static int show(const struct pl_report *report,
		const struct trace_options *options)
{
	return render_traces(report, &options->render);
}

int trace_show(int argc, char **argv)
{
	static const char usage[] =
		"usage: parley trace show [OPTIONS] FILE... [ID]\n"
		"\n"
		"Draws each negotiation as a ladder between our side (left) and "
		"the peer, with\nits end in words.\n"
		"\n" FILTER_HELP RENDER_HELP
		"\n"
		"Exit status: 0 shown, 2 wrong arguments or no trace at all, "
		"10 nothing to show.\n";
	struct trace_options options;
	int status;

	if (!trace_arguments(&options, "trace show", TRACE_FILTERS | TRACE_ID,
			     usage, argc, argv, &status))
		return status;
	return load_and(show, &options, "trace show");
}

/* The format by the end of the file's name. */
static bool format_of(const char *path, enum render_format *format)
{
	static const struct {
		const char *end;
		enum render_format format;
	} ends[] = {
		{ ".html", RENDER_HTML }, { ".svg", RENDER_SVG },
		{ ".mmd", RENDER_MERMAID }, { ".json", RENDER_JSON },
		{ ".jsonl", RENDER_JSONL }, { ".prom", RENDER_PROM },
		{ ".pcapng", RENDER_PCAPNG }, { ".txt", RENDER_LADDER },
	};
	size_t length = strlen(path);

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		size_t tail = strlen(ends[i].end);

		if (length > tail &&
		    strcmp(path + length - tail, ends[i].end) == 0) {
			*format = ends[i].format;
			return true;
		}
	}
	return false;
}

int trace_export(int argc, char **argv)
{
	static const char usage[] =
		"usage: parley trace export [OPTIONS] -o OUT FILE... [ID]\n"
		"\n"
		"Writes the negotiations in another format. Without --format "
		"the end of OUT's\nname tells: .html .svg .mmd .json .jsonl "
		".prom .pcapng .txt (ladder).\n"
		"\n" FILTER_HELP RENDER_HELP
		"\n"
		"Exit status: 0 written, 2 wrong arguments or OUT exists, 10 "
		"nothing to write.\n";
	struct trace_options options;
	int status;

	if (!trace_arguments(&options, "trace export",
			     TRACE_FILTERS | TRACE_ID, usage, argc, argv,
			     &status))
		return status;
	if (!options.format_given &&
	    (options.render.output == NULL ||
	     !format_of(options.render.output, &options.render.format)))
		return cli_usage("trace export", "give --format, or -o with a "
				 "name that tells it");
	return load_and(show, &options, "trace export");
}

/* ----- view ----- */

static const char *result_of(const struct pl_report_summary *s)
{
	return s->code != PL_CODE_NONE ? pl_code_entry(s->code)->name
				       : s->result;
}

/* Columns by the width there is: 80 hold the least of each. */
struct columns {
	unsigned time, name, result, id;
	bool unicode;
};

static struct columns columns_for(const struct pl_report_look *look)
{
	struct columns c = { 8, 12, 13, 6, look->unicode };
	unsigned more = look->width > 80 ? look->width - 80 : 0;

	if (more >= 27) {
		c.time = 19;
		c.id = 12;
		c.result = 24;
		c.name += (more - 27) / 2;
	} else {
		c.name += more / 2;
	}
	return c;
}

/* Foreign text, cut and filled to so many columns, and a space. */
static void put_cell(struct pl_buffer *out, const char *text, unsigned cells,
		     bool unicode)
{
	char plain[1024];
	size_t fit;

	pl_report_plain(plain, sizeof plain, text, unicode);
	if (pl_report_cells(plain) > cells) {
		fit = pl_report_fit(plain, cells - 2);
		memcpy(plain + fit, "..", 3);
	}
	pl_buffer_printf(out, "%s%*s", plain,
			 (int)(cells - pl_report_cells(plain)) + 1, "");
}

static void put_row(struct pl_buffer *out, const struct columns *c,
		    const char *const texts[8])
{
	const unsigned cells[] = { c->time, 3, c->name, c->name, 13, c->result,
				   6, c->id };

	for (int i = 0; i < 7; i++)
		put_cell(out, texts[i], cells[i], c->unicode);
	pl_buffer_printf(out, "%.*s\n", (int)c->id, texts[7]);
}

static void list_one(struct pl_buffer *out, const struct columns *c,
		     const struct pl_report_trace *trace)
{
	struct pl_report_summary s;
	char time[40], ms[32];

	pl_report_summarise(trace, &s);
	snprintf(time, sizeof time, "%.10s %.8s", trace->all[0].ts,
		 trace->all[0].ts + 11);
	snprintf(ms, sizeof ms, "%6llu",
		 (unsigned long long)(s.total_us / 1000));
	put_row(out, c, (const char *const[]){
		c->time < 19 ? time + 11 : time, s.incoming ? "in" : "out",
		s.incoming ? s.remote : s.local,
		s.incoming ? s.local : s.remote, pl_method_name(s.method),
		result_of(&s), ms, trace->id });
}

static int view(const struct pl_report *report,
		const struct trace_options *options)
{
	struct pl_report_look look = render_look(&options->render);
	struct columns c = columns_for(&look);
	struct pl_buffer out;
	int status;

	if (report->count == 1 || options->format_given)
		return render_traces(report, &options->render);
	pl_buffer_init(&out, 0);
	put_row(&out, &c, (const char *const[]){ "time", "dir", "from", "to",
						 "method", "result", "    ms",
						 "id" });
	for (size_t i = 0; i < report->count; i++)
		list_one(&out, &c, &report->traces[i]);
	status = render_write(&options->render, pl_buffer_bytes(&out),
			      out.length);
	pl_buffer_finish(&out);
	return status;
}

int trace_view(int argc, char **argv)
{
	static const char usage[] =
		"usage: parley trace view [OPTIONS] FILE... [ID]\n"
		"\n"
		"Lists the negotiations: when, direction, from, to, method, "
		"result or code, how\nlong, id. With an id, or where it is "
		"one alone, draws its ladder.\n"
		"\n" FILTER_HELP RENDER_HELP
		"\n"
		"Exit status: 0 shown, 2 wrong arguments or no trace at all, "
		"10 nothing to show.\n";
	struct trace_options options;
	int status;

	if (!trace_arguments(&options, "trace view", TRACE_FILTERS | TRACE_ID,
			     usage, argc, argv, &status))
		return status;
	return load_and(view, &options, "trace view");
}

/* ----- redact ----- */

static int redact(const struct pl_report *report,
		  const struct trace_options *options)
{
	struct pl_buffer out;
	int status = CLI_INCOMPLETE;

	pl_buffer_init(&out, 0);
	if (pl_report_redact(&out, report))
		status = render_write(&options->render, pl_buffer_bytes(&out),
				      out.length);
	else
		fprintf(stderr, "parley: no memory for the result\n");
	pl_buffer_finish(&out);
	return status;
}

int trace_redact(int argc, char **argv)
{
	static const char usage[] =
		"usage: parley trace redact [-o OUT] [OPTIONS] FILE... [ID]\n"
		"\n"
		"Writes the traces again, as JSON lines, without what tells "
		"who is who: domains,\nhosts and addresses become stable "
		"pseudonyms; certificates' names and prints,\nfree texts and "
		"stanzas are taken out. What is left is for sending on.\n"
		"\n" FILTER_HELP
		"  -o, --output OUT      into OUT (mode 0600); one that exists "
		"is kept\n"
		"      --force           replace OUT\n"
		"\n"
		"Exit status: 0 written, 2 wrong arguments or OUT exists, 10 "
		"nothing to write.\n";
	struct trace_options options;
	int status;

	if (!trace_arguments(&options, "trace redact",
			     TRACE_FILTERS | TRACE_ID, usage, argc, argv,
			     &status))
		return status;
	if (options.format_given && options.render.format != RENDER_JSONL)
		return cli_usage("trace redact", "it writes jsonl alone");
	return load_and(redact, &options, "trace redact");
}

/* ----- stats ----- */

static int stats(const struct pl_report *report,
		 const struct trace_options *options)
{
	struct pl_report_look look = render_look(&options->render);
	struct pl_buffer out;
	int status = CLI_INCOMPLETE;

	if (options->render.format == RENDER_JSON)
		return render_json(&options->render,
				   pl_report_stats_json(report));
	pl_buffer_init(&out, 0);
	if (pl_report_stats(&out, report, &look))
		status = render_write(&options->render, pl_buffer_bytes(&out),
				      out.length);
	pl_buffer_finish(&out);
	return status;
}

int trace_stats(int argc, char **argv)
{
	static const char usage[] =
		"usage: parley trace stats [OPTIONS] FILE...\n"
		"\n"
		"Counts results, methods, codes and peers over all "
		"negotiations, with their\ntimes, stage by stage.\n"
		"\n" FILTER_HELP
		"      --format FORMAT   ladder (a table, default) or json\n"
		"  -o, --output FILE     into FILE; --force replaces it\n"
		"      --ascii           ASCII alone\n"
		"\n"
		"Exit status: 0 counted, 2 wrong arguments, 10 nothing to "
		"count.\n";
	struct trace_options options;
	int status;

	if (!trace_arguments(&options, "trace stats", TRACE_FILTERS, usage,
			     argc, argv, &status))
		return status;
	if (options.render.format != RENDER_LADDER &&
	    options.render.format != RENDER_JSON)
		return cli_usage("trace stats", "its formats are a table (the "
				 "default) and json");
	return load_and(stats, &options, "trace stats");
}
