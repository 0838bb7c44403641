/* parley listen: the receiving side for a tester, without a daemon. */
#include "listen.h"
#include "options.h"
#include "render.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parley/stream.h"

/* Kept for documents that are written at the end. */
enum { ALL_BYTES = 64 * 1024 * 1024 };

struct listen {
	struct listen_way way;
	struct render_options render;
	const char *pcap;             /* file, or NULL */
	unsigned expect;              /* a bit for each method; 0: any */
	bool fail_on_warn;
	unsigned long count, seen;    /* count 0: until a signal */
	struct pl_buffer all;         /* traces for what waits for the end */
	bool printed, full;
	int worst;                    /* exit status so far */
	int broken;                   /* the result could not be written */
};

/* ----- what a negotiation counts ----- */

/* A failure outranks a method that was not expected, that one a warning. */
static int rank(int status)
{
	if (status == CLI_OK)
		return 0;
	if (status == CLI_WARNINGS)
		return 1;
	return status == CLI_DIFFERS ? 2 : 3;
}

static bool warns(const struct pl_report_summary *summary)
{
	for (size_t i = 0; i < summary->findings_count; i++)
		if (strcmp(summary->findings[i].severity, "warn") == 0)
			return true;
	return false;
}

static int status_of(const struct listen *listen,
		     const struct pl_report_summary *summary)
{
	if (summary->exit_status != CLI_OK)
		return summary->exit_status;
	if (listen->expect != 0 &&
	    !(listen->expect & (1u << summary->method)))
		return CLI_DIFFERS;
	if (listen->fail_on_warn && warns(summary))
		return CLI_WARNINGS;
	return CLI_OK;
}

/* Does the record show that something came? TLS begins, on our side, before the
 * first byte, and a handshake without any ends as closed. */
static bool shows_words(const struct pl_report_record *record)
{
	return strcmp(record->dir, "in") == 0 &&
	       strcmp(record->stage, "tcp") != 0 &&
	       strcmp(record->stage, "close") != 0 &&
	       strcmp(record->event, "tls.start") != 0 &&
	       strcmp(record->code, "tls-closed") != 0;
}

/* Who only looks whether the port is open negotiates nothing. */
static bool said_something(const struct pl_report_trace *trace)
{
	for (size_t i = 0; i < trace->count; i++)
		if (shows_words(&trace->records[i]))
			return true;
	return false;
}

/* Incoming, and more than a key of ours that was verified. */
static bool is_negotiation(const struct pl_report_summary *summary)
{
	return summary->incoming && strcmp(summary->result, "served") != 0;
}

static bool enough(const struct listen *listen)
{
	return listen->count != 0 && listen->seen >= listen->count;
}

static void count(struct listen *listen,
		  const struct pl_report_summary *summary)
{
	int status = status_of(listen, summary);

	if (rank(status) > rank(listen->worst))
		listen->worst = status;
	listen->seen++;
}

/* ----- showing ----- */

/* On stdout each is shown as it ends; documents and files at the end. */
static bool at_once(const struct listen *listen)
{
	return listen->render.output == NULL &&
	       (listen->render.format == RENDER_LADDER ||
		listen->render.format == RENDER_JSONL);
}

static bool shows_one(enum render_format format)
{
	return format == RENDER_MERMAID || format == RENDER_SVG ||
	       format == RENDER_PROM;
}

static void show_now(struct listen *listen, const struct pl_report *report)
{
	if (listen->printed && listen->render.format == RENDER_LADDER)
		putchar('\n');
	listen->printed = true;
	listen->broken = render_traces(report, &listen->render);
	if (fflush(stdout) != 0)
		listen->broken = CLI_INCOMPLETE;
}

static void keep(struct listen *listen, const char *lines, size_t length)
{
	if (pl_buffer_append(&listen->all, lines, length) || listen->full)
		return;
	listen->full = true;
	fputs("parley listen: no more traces are kept for the file; it has "
	      "those so far\n", stderr);
}

/* One that was still under way when there were enough ends because of us: it
 * is none of those that were asked for. */
static void take(struct listen *listen, const struct pl_report *report,
		 const char *lines, size_t length)
{
	struct pl_report_summary summary;
	bool negotiation;

	pl_report_summarise(&report->traces[0], &summary);
	negotiation = is_negotiation(&summary);
	if (negotiation && enough(listen))
		return;
	if (negotiation)
		count(listen, &summary);
	if (at_once(listen))
		show_now(listen, report);
	if (listen->pcap != NULL ||
	    (!at_once(listen) &&
	     (negotiation || !shows_one(listen->render.format))))
		keep(listen, lines, length);
}

static bool on_trace(void *owner, const char *lines, size_t length)
{
	struct listen *listen = owner;
	struct pl_error error = { .text = "" };
	struct pl_report report = { 0 };
	bool cut;

	if (!pl_report_read(&report, lines, length, "trace", &cut, &error)) {
		fprintf(stderr, "parley listen: %s\n", error.text);
		return true;
	}
	if (report.count > 0 && said_something(&report.traces[0]))
		take(listen, &report, lines, length);
	else
		fputs("parley listen: a connection that said nothing\n",
		      stderr);
	pl_report_finish(&report);
	return listen->broken == CLI_OK && !enough(listen);
}

static int render_all(const struct listen *listen, enum render_format format,
		      const char *output)
{
	struct render_options options = listen->render;
	struct pl_error error = { .text = "" };
	struct pl_report report = { 0 };
	bool cut;
	int status;

	options.format = format;
	options.output = output;
	if (!pl_report_read(&report,
			    (const char *)pl_buffer_bytes(&listen->all),
			    listen->all.length, "trace", &cut, &error)) {
		fprintf(stderr, "parley listen: %s\n", error.text);
		return CLI_INCOMPLETE;
	}
	status = render_traces(&report, &options);
	pl_report_finish(&report);
	return status;
}

static int show_rest(const struct listen *listen)
{
	int status = CLI_OK;

	if (listen->seen == 0 && listen->all.length == 0)
		return CLI_OK;
	if (!at_once(listen))
		status = render_all(listen, listen->render.format,
				    listen->render.output);
	if (listen->pcap != NULL && status == CLI_OK)
		status = render_all(listen, RENDER_PCAPNG, listen->pcap);
	return status;
}

static void on_open(void *owner, const struct pl_conf *conf)
{
	const struct pl_conf_listen *at;

	(void)owner;
	for (at = conf->listens; at != NULL; at = at->next)
		fprintf(stderr, "parley listen: listening on %s (%s)\n",
			at->endpoint, at->direct_tls ? "direct TLS"
						     : "STARTTLS");
}

/* ----- arguments ----- */

static void usage(FILE *out)
{
	fputs("usage: parley listen --host DOMAIN [--cert FILE --key FILE] [OPTIONS]\n"
	      "       parley listen -c FILE [OPTIONS]\n"
	      "\n"
	      "Accepts the streams of other servers as parleyd does, without a daemon,\n"
	      "shows each negotiation when it ended, and leaves after N of them with the\n"
	      "exit status of the worst.\n"
	      "\n"
	      "      --host DOMAIN     the domain that others negotiate with\n"
	      "      --cert FILE       its certificate with chain, and\n"
	      "      --key FILE        the private key (without: no TLS)\n"
	      "  -c, --config FILE     hosts, trust, DNS, partners, listen addresses\n"
	      "      --listen ADDR:PORT  listen there (may be repeated); default: those of\n"
	      "                        FILE, else port 5269 everywhere\n"
	      "      --direct-tls      TLS from the first byte (port 5270)\n"
	      "      --row N           policy for whoever comes: a row, 1 to 18, or\n"
	      "      --policy tls=LEVEL,sasl=LEVEL,dialback=BOOL\n"
	      "      --connect HOST:PORT  verify dialback keys there, not by DNS\n"
	      "      --ca FILE         trust anchors; default: the system's\n"
	      "      --resolv-conf FILE  name servers\n"
	      "      --trust-anchor FILE  where DNSSEC begins; /dev/null: no validation\n"
	      "      --allow-loopback  names may lead to this machine\n"
	      "      --odd LIST        be odd in legal ways, see below\n"
	      "      --count N         leave after N negotiations (1); 0: on Ctrl-C\n"
	      "      --timeout S       leave after S seconds: status 9\n"
	      "      --expect METHOD[,METHOD]  status 1 for another method\n"
	      "      --fail-on warn    status 20 where there are warnings\n"
	      "      --raw LEVEL       none, negotiation (default) or all\n"
	      "      --pcap FILE       the elements as pcapng, too\n", out);
	fputs(RENDER_HELP, out);
	fputs("\nOddities, with commas between them (parley-listen(1) tells what a good\n"
	      "server does with each):\n", out);
	for (size_t i = 0; pl_odd_entry(i) != NULL; i++)
		fprintf(out, "  %-17s %s\n", pl_odd_entry(i)->name,
			pl_odd_entry(i)->text);
}

static bool take_policy(struct listen_way *way, const char *text, bool row)
{
	struct cli_way *common = &way->common;

	if (row) {
		int number = way_row(common, text);

		if (number == 0)
			return false;
		common->policy = pl_policy_of_row(number);
		common->policy_given = true;
	} else if (!way_policy(common, text)) {
		return false;
	}
	if (pl_policy_valid(&common->policy))
		return true;
	cli_usage("listen", "row %d allows no method",
		  pl_policy_row(&common->policy));
	return false;
}

static bool take_expected(struct listen *listen, const char *list)
{
	char copy[128], *save = NULL, *word;
	enum pl_method method;

	snprintf(copy, sizeof copy, "%s", list);
	for (word = strtok_r(copy, ",", &save); word != NULL;
	     word = strtok_r(NULL, ",", &save)) {
		if (!pl_method_parse(word, &method)) {
			cli_usage("listen", "--expect %s: methods are "
				  "sasl-over-tls, tls-dialback, tcp-dialback",
				  word);
			return false;
		}
		listen->expect |= 1u << method;
	}
	return true;
}

static bool take_count(struct listen *listen, const char *text)
{
	char *end;

	errno = 0;
	listen->count = strtoul(text, &end, 10);
	if (errno == 0 && end != text && *end == '\0' && text[0] != '-')
		return true;
	cli_usage("listen", "--count %s: that is no number", text);
	return false;
}

static bool take_endpoint(struct listen_way *way, const char *text)
{
	if (way->endpoints_count < LISTEN_ENDPOINTS) {
		way->endpoints[way->endpoints_count++] = text;
		return way_option(&way->common, WAY_OPTION_LISTEN, text);
	}
	cli_usage("listen", "--listen: %d places at most", LISTEN_ENDPOINTS);
	return false;
}

static bool take_warn(struct listen *listen, const char *text)
{
	listen->fail_on_warn = strcmp(text, "warn") == 0;
	if (listen->fail_on_warn || strcmp(text, "none") == 0)
		return true;
	cli_usage("listen", "--fail-on %s: warn or none", text);
	return false;
}

static bool take_raw(struct listen_way *way, const char *text)
{
	if (pl_trace_raw_parse(text, &way->common.raw))
		return true;
	cli_usage("listen", "--raw %s: none, negotiation or all", text);
	return false;
}

enum {
	OPTION_HOST = 0x600, OPTION_LISTEN, OPTION_DIRECT, OPTION_ROW,
	OPTION_POLICY, OPTION_COUNT, OPTION_EXPECT, OPTION_FAIL,
	OPTION_RAW, OPTION_PCAP,
};

static const struct option options[] = {
	{ "host", required_argument, NULL, OPTION_HOST },
	{ "cert", required_argument, NULL, WAY_OPTION_CERT },
	{ "key", required_argument, NULL, WAY_OPTION_KEY },
	{ "config", required_argument, NULL, 'c' },
	{ "listen", required_argument, NULL, OPTION_LISTEN },
	{ "direct-tls", no_argument, NULL, OPTION_DIRECT },
	{ "row", required_argument, NULL, OPTION_ROW },
	{ "policy", required_argument, NULL, OPTION_POLICY },
	{ "connect", required_argument, NULL, WAY_OPTION_CONNECT },
	{ "ca", required_argument, NULL, WAY_OPTION_CA },
	{ "resolv-conf", required_argument, NULL, WAY_OPTION_RESOLV_CONF },
	{ "trust-anchor", required_argument, NULL, WAY_OPTION_TRUST_ANCHOR },
	{ "allow-loopback", no_argument, NULL, WAY_OPTION_ALLOW_LOOPBACK },
	{ "odd", required_argument, NULL, WAY_OPTION_ODD },
	{ "count", required_argument, NULL, OPTION_COUNT },
	{ "timeout", required_argument, NULL, WAY_OPTION_TIMEOUT },
	{ "expect", required_argument, NULL, OPTION_EXPECT },
	{ "fail-on", required_argument, NULL, OPTION_FAIL },
	{ "raw", required_argument, NULL, OPTION_RAW },
	{ "pcap", required_argument, NULL, OPTION_PCAP },
	RENDER_OPTIONS,
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* False: it was said what is wrong. */
static bool take_option(struct listen *listen, int option, const char *value)
{
	struct listen_way *way = &listen->way;

	switch (option) {
	case OPTION_HOST: way->host = value; return true;
	case OPTION_LISTEN: return take_endpoint(way, value);
	case OPTION_DIRECT: way->direct_tls = true; return true;
	case OPTION_ROW: return take_policy(way, value, true);
	case OPTION_POLICY: return take_policy(way, value, false);
	case OPTION_COUNT: return take_count(listen, value);
	case OPTION_EXPECT: return take_expected(listen, value);
	case OPTION_FAIL: return take_warn(listen, value);
	case OPTION_RAW: return take_raw(way, value);
	case OPTION_PCAP: listen->pcap = value; return true;
	default: break;
	}
	if (!way_is_option(option))
		return render_option(&listen->render, "listen", option, value);
	way->limited = way->limited || option == WAY_OPTION_TIMEOUT;
	return way_option(&way->common, option, value);
}

/* What fits together; asked before anything long begins. */
static bool ready(struct listen *listen)
{
	struct listen_way *way = &listen->way;
	struct render_options pcap = listen->render;

	if (!way_ready(&way->common))
		return false;
	if (way->common.certificate != NULL && way->host == NULL) {
		cli_usage("listen", "--cert is the certificate of --host, "
			  "which is not given");
		return false;
	}
	if (shows_one(listen->render.format) && listen->count != 1) {
		cli_usage("listen", "this format shows one negotiation: "
			  "--count 1");
		return false;
	}
	pcap.format = RENDER_PCAPNG;
	pcap.output = listen->pcap;
	pcap.force = listen->render.force;
	return render_ready(&listen->render, "listen") &&
	       (listen->pcap == NULL || render_ready(&pcap, "listen"));
}

/* How listening ended, against what was wanted of it. */
static int end_status(const struct listen *listen, int status)
{
	if (status == CLI_USAGE)
		return status;
	if (status == CLI_TIMEOUT && listen->count == 0)
		status = CLI_OK;
	if (listen->seen < listen->count) {
		fprintf(stderr, "parley listen: %lu of %lu negotiations came\n",
			listen->seen, listen->count);
		if (status == CLI_OK)
			status = CLI_INCOMPLETE; /* by a signal */
	}
	return status == CLI_OK || rank(listen->worst) == 3 ? listen->worst
							   : status;
}

static int run(struct listen *listen)
{
	static const struct listen_events events = {
		.on_open = on_open,
		.on_trace = on_trace,
	};
	struct pl_conf *conf = listen_conf(&listen->way);
	int status, shown;

	if (conf == NULL)
		return CLI_USAGE;
	/* The configuration has a host: it was asked for. */
	status = cli_start_sasl(&listen->way.common, conf->hosts->name);
	if (status != CLI_OK) {
		pl_conf_unref(conf);
		return status;
	}
	pl_buffer_init(&listen->all, ALL_BYTES);
	status = listen_run(&listen->way, conf, &events, listen);
	shown = listen->broken != CLI_OK ? listen->broken : show_rest(listen);
	pl_buffer_finish(&listen->all);
	return shown != CLI_OK ? shown : end_status(listen, status);
}

int verb_listen(int argc, char **argv)
{
	struct listen listen = {
		.way.common = { .verb = "listen", .timeout = 60,
				.raw = PL_RAW_NEGOTIATION },
		.count = 1,
	};
	int option;

	while ((option = getopt_long(argc, argv, WAY_SHORT RENDER_SHORT "h", options,
				     NULL)) != -1) {
		if (option == 'h') {
			usage(stdout);
			return CLI_OK;
		}
		if (!take_option(&listen, option, optarg))
			return CLI_USAGE;
	}
	if (optind != argc)
		return cli_usage("listen", "%s: there is nothing to name",
				 argv[optind]);
	return ready(&listen) ? run(&listen) : CLI_USAGE;
}
