/* parley probe: one negotiation with a domain, shown as what happened. */
#include "options.h"
#include "render.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "parley/report.h"
#include "parley/sasl.h"
#include "parley/wire.h"

static const char usage[] =
"usage: parley probe [OPTION...] DOMAIN\n"
"\n"
"Negotiates once with the server of DOMAIN as a server would, sends nothing\n"
"over it, and shows what happened: a ladder of the exchange, the method that\n"
"was negotiated or the reason why none was, and what would work.\n"
"\n"
WAY_HELP
"      --row N           our policy: a row of \"parley policy\"\n"
"      --policy tls=LEVEL,sasl=LEVEL,dialback=yes|no\n"
"                        the same by its settings\n"
"      --expect METHOD[,METHOD]  sasl-over-tls, tls-dialback, tcp-dialback, none:\n"
"                        another method ends with status 1\n"
"      --fail-on WHEN    warn: warnings end with status 20; none (default)\n"
"      --pcap FILE       also a capture (pcapng) of the elements, masked\n"
"      --pcap-wire FILE --secrets\n"
"                        also one of the connections, with the TLS secrets\n"
RENDER_HELP
"\n"
"For dialback somebody must answer when DOMAIN verifies our key: a running\n"
"parleyd of the same -c FILE that serves LOCAL; else this command, at --listen,\n"
"else where FILE listens. If nobody can, the result is \"incomplete\".\n"
"\n"
"Exit status: 0 negotiated, 1 not as expected, 2 usage or configuration, 3 DNS,\n"
"4 TCP, 5 TLS, 6 authentication, 7 refused by our policy, 8 the peer's stream\n"
"error, 9 timeout, 10 incomplete, 20 warnings with --fail-on warn.\n";

enum {
	OPTION_ROW = 0x600,
	OPTION_POLICY,
	OPTION_EXPECT,
	OPTION_FAIL_ON,
	OPTION_PCAP,
	OPTION_PCAP_WIRE,
	OPTION_SECRETS,
};

static const struct option options[] = {
	WAY_OPTIONS,
	RENDER_OPTIONS,
	{ "row", required_argument, NULL, OPTION_ROW },
	{ "policy", required_argument, NULL, OPTION_POLICY },
	{ "expect", required_argument, NULL, OPTION_EXPECT },
	{ "fail-on", required_argument, NULL, OPTION_FAIL_ON },
	{ "pcap", required_argument, NULL, OPTION_PCAP },
	{ "pcap-wire", required_argument, NULL, OPTION_PCAP_WIRE },
	{ "secrets", no_argument, NULL, OPTION_SECRETS },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct request {
	struct cli_way way;
	struct render_options render;
	unsigned expect;          /* bits of enum pl_method; 0: any */
	bool fail_on_warnings, secrets, help;
	const char *pcap, *pcap_wire;
	struct pl_wire *wire;     /* owned */
};

/* ----- arguments ----- */

static bool take_row(struct request *request, const char *value)
{
	int row = way_row(&request->way, value);

	if (row == 0)
		return false;
	request->way.policy = pl_policy_of_row(row);
	request->way.policy_given = true;
	return true;
}

static bool take_expect(struct request *request, const char *value)
{
	char copy[120], *save = NULL, *word;
	enum pl_method method;

	snprintf(copy, sizeof copy, "%s", value);
	for (word = strtok_r(copy, ",", &save); word != NULL;
	     word = strtok_r(NULL, ",", &save)) {
		if (!pl_method_parse(word, &method)) {
			cli_usage("probe", "--expect: \"%s\" is none of "
				  "sasl-over-tls, tls-dialback, tcp-dialback, "
				  "none", word);
			return false;
		}
		request->expect |= 1U << method;
	}
	if (request->expect == 0)
		cli_usage("probe", "--expect names no method");
	return request->expect != 0;
}

static bool take_fail_on(struct request *request, const char *value)
{
	request->fail_on_warnings = strcmp(value, "warn") == 0;
	if (request->fail_on_warnings || strcmp(value, "none") == 0)
		return true;
	cli_usage("probe", "--fail-on: \"%s\" is neither warn nor none",
		  value);
	return false;
}

static bool take_option(struct request *request, int option, const char *value)
{
	switch (option) {
	case OPTION_ROW: return take_row(request, value);
	case OPTION_POLICY: return way_policy(&request->way, value);
	case OPTION_EXPECT: return take_expect(request, value);
	case OPTION_FAIL_ON: return take_fail_on(request, value);
	case OPTION_PCAP: request->pcap = value; return true;
	case OPTION_PCAP_WIRE: request->pcap_wire = value; return true;
	case OPTION_SECRETS: request->secrets = true; return true;
	case 'h': request->help = true; return true;
	default: break;
	}
	if (way_is_option(option))
		return way_option(&request->way, option, value);
	return render_option(&request->render, "probe", option, value);
}

/* A further file beside the result: may it be written? */
static bool may_write(const struct request *request, const char *path)
{
	struct render_options file = { .format = RENDER_PCAPNG,
				       .output = path,
				       .force = request->render.force };

	return path == NULL || render_ready(&file, "probe");
}

static bool fits(const struct request *request)
{
	const struct cli_way *way = &request->way;

	if (way->policy_given && !pl_policy_valid(&way->policy)) {
		cli_usage("probe", "row %d is not valid: it allows no method",
			  pl_policy_row(&way->policy));
		return false;
	}
	if ((request->pcap_wire != NULL) != request->secrets) {
		cli_usage("probe", "--pcap-wire holds the secrets of TLS, and "
			  "with them all that was said: it needs --secrets%s",
			  request->secrets ? ", and the other way round" : "");
		return false;
	}
	return true;
}

static bool take_arguments(struct request *request, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, WAY_SHORT RENDER_SHORT "h",
				     options, NULL)) != -1)
		if (!take_option(request, option, optarg))
			return false;
	if (request->help)
		return true;
	if (optind + 1 != argc) {
		cli_usage("probe", optind == argc ? "which DOMAIN?"
						  : "one DOMAIN at a time");
		return false;
	}
	request->way.remote = argv[optind];
	return way_ready(&request->way) && fits(request) &&
	       render_ready(&request->render, "probe") &&
	       may_write(request, request->pcap) &&
	       may_write(request, request->pcap_wire);
}

/* ----- the result ----- */

static int status_of(const struct request *request,
		     const struct pl_report_summary *s)
{
	bool negotiated = strcmp(s->result, "negotiated") == 0;
	bool none = request->expect >> PL_METHOD_NONE & 1;

	if (!negotiated && strcmp(s->result, "failed") != 0)
		return CLI_INCOMPLETE;
	if (!negotiated) {
		int status = s->exit_status > 0 ? s->exit_status
						: CLI_INCOMPLETE;
		/* Not being reached shows nothing about the peer's policy. */
		bool shown = status >= CLI_TLS && status <= CLI_PEER;

		return none && shown ? CLI_OK : status;
	}
	if (request->expect != 0 && !(request->expect >> s->method & 1))
		return CLI_DIFFERS;
	for (size_t i = 0; i < s->findings_count; i++)
		if (request->fail_on_warnings &&
		    strcmp(s->findings[i].severity, "info") != 0)
			return CLI_WARNINGS;
	return CLI_OK;
}

/* The result shows the negotiation; what was wanted of it stands here. */
static void tell_status(const struct request *request, int status,
			const struct pl_report_summary *s)
{
	if (status == CLI_DIFFERS) {
		fprintf(stderr, "parley probe: %s was negotiated; expected:",
			pl_method_name(s->method));
		for (int m = PL_METHOD_SASL_OVER_TLS; m >= PL_METHOD_NONE; m--)
			if (request->expect >> m & 1)
				fprintf(stderr, " %s", pl_method_name(
						(enum pl_method)m));
		fputs(": exit 1\n", stderr);
	} else if (status == CLI_WARNINGS) {
		fputs("parley probe: there are warnings: exit 20\n", stderr);
	}
}

/* These show the negotiation; the others also what else came in meanwhile. */
static bool shows_one(enum render_format format)
{
	return format != RENDER_JSONL && format != RENDER_HTML &&
	       format != RENDER_PCAPNG;
}

static bool read_back(struct pl_report *report,
		      const struct cli_attempt *attempt, bool one)
{
	struct pl_report_filter filter = { .id = attempt->trace };
	struct pl_error error = { .text = "" };
	bool cut;

	if (pl_report_read(report,
			   (const char *)pl_buffer_bytes(&attempt->lines),
			   attempt->lines.length, "the trace", &cut, &error) &&
	    (!one || pl_report_select(report, &filter, &error)) &&
	    report->count > 0)
		return true;
	fprintf(stderr, "parley probe: %s\n",
		error.text[0] ? error.text : "there is no trace");
	return false;
}

static int write_pcap(const struct request *request,
		      const struct pl_report *report)
{
	struct render_options file = { .format = RENDER_PCAPNG,
				       .output = request->pcap,
				       .force = request->render.force };

	return request->pcap != NULL ? render_traces(report, &file) : CLI_OK;
}

static int show(const struct request *request,
		const struct cli_attempt *attempt)
{
	struct pl_report all = { 0 }, one = { 0 };
	struct pl_report_summary summary;
	int status = CLI_INCOMPLETE, written = CLI_INCOMPLETE;

	if (read_back(&all, attempt, false) && read_back(&one, attempt, true)) {
		pl_report_summarise(&one.traces[0], &summary);
		status = status_of(request, &summary);
		written = render_traces(shows_one(request->render.format)
						? &one : &all,
					&request->render);
		if (written == CLI_OK)
			written = write_pcap(request, &all);
	}
	if (written == CLI_OK)
		tell_status(request, status, &summary);
	pl_report_finish(&one);
	pl_report_finish(&all);
	return written != CLI_OK ? written : status;
}

/* ----- the negotiation ----- */

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int open_wire(struct request *request)
{
	struct pl_error error = { .text = "" };

	if (request->pcap_wire == NULL)
		return CLI_OK;
	request->wire = pl_wire_open(request->pcap_wire,
				     request->render.force, &error);
	if (request->wire == NULL) {
		fprintf(stderr, "parley probe: %s\n", error.text);
		return CLI_USAGE;
	}
	fprintf(stderr, "parley probe: %s holds TLS secrets and dialback "
		"keys: keep it\n", request->pcap_wire);
	request->way.tap = pl_wire_events();
	request->way.tap_owner = request->wire;
	return CLI_OK;
}

static int close_wire(struct request *request)
{
	struct pl_error error = { .text = "" };

	if (pl_wire_close(request->wire, &error))
		return CLI_OK;
	fprintf(stderr, "parley probe: %s\n", error.text);
	return CLI_INCOMPLETE;
}

static int negotiate(struct request *request, struct pl_conf *conf,
		     struct cli_attempt *attempt)
{
	double began = seconds_now();
	int closed, status;

	cli_watchdog(request->way.timeout + 1);
	status = cli_start_sasl(&request->way, attempt->local);
	if (status == CLI_OK)
		status = open_wire(request);
	if (status != CLI_OK) {
		pl_conf_unref(conf);
		return status;
	}
	request->way.timeout -= seconds_now() - began;
	if (request->way.timeout < 0.05)
		request->way.timeout = 0.05;
	status = cli_attempt(&request->way, conf, attempt);
	cli_watchdog(0);
	closed = close_wire(request);
	return status != CLI_OK ? status : closed;
}

static int probe(struct request *request)
{
	struct cli_attempt attempt = { .local = "" };
	struct pl_conf *conf = cli_conf(&request->way, &attempt);
	int status;

	if (conf == NULL)
		return CLI_USAGE;
	if (isatty(STDERR_FILENO))
		request->way.on_line = cli_progress;
	status = negotiate(request, conf, &attempt);
	if (status == CLI_OK)
		status = show(request, &attempt);
	cli_attempt_finish(&attempt);
	pl_sasl_global_finish();
	return status;
}

int verb_probe(int argc, char **argv)
{
	struct request request = {
		.way = { .verb = "probe", .timeout = 60,
			 .raw = PL_RAW_NEGOTIATION },
	};
	char *command = way_command(argc, argv);
	int status = CLI_USAGE;

	request.render.command = command;
	if (take_arguments(&request, argc, argv)) {
		if (request.help)
			fputs(usage, stdout);
		status = request.help ? CLI_OK : probe(&request);
	}
	free(command);
	return status;
}
