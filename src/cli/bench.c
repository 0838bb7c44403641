/* parley bench: arguments, and the stage that measurements share. */
#include "bench.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "parley/sasl.h"

static const char usage[] =
"usage: parley bench negotiate|stanzas|idle|handshake [OPTION...]\n"
"\n"
"Puts load on a server and tells what an operation costs it: processor time of\n"
"the process --pid (without it: the time that passed). \"in\" is what the server\n"
"receives, \"out\" what it sends. The generator answers every dialback request\n"
"with \"valid\": it is for servers on a bench, never for the open net.\n"
"\n"
"  negotiate   --count streams are negotiated and closed, --parallel at a time\n"
"  stanzas     --count messages over each of --streams streams, numbered: lost\n"
"              ones and ones out of order are told\n"
"  idle        memory of --streams streams on which nothing happens, and the\n"
"              processor time of --hold seconds of that\n"
"  handshake   a mutual TLS 1.3 handshake in memory, by OpenSSL alone: the\n"
"              measure for the others\n"
"\n"
"      --target ADDR:PORT   where the server takes streams\n"
"      --to DOMAIN          its domain\n"
"      --from-pattern NAME  our domains, with one %d: p%d.load.example\n"
"      --method METHOD      sasl (default), tls-dialback or tcp-dialback\n"
"      --out                have the server send: from a service that we attach\n"
"                           to our domains, which it must find by DNS at --listen\n"
"      --component ADDR:PORT  where the server takes services (XEP-0114)\n"
"      --domain NAME        the service's domain\n"
"      --secret TEXT        its secret\n"
"      --listen ADDR:PORT   where the server reaches our domains\n"
"      --cert FILE, --key FILE, --ca FILE\n"
"                           our certificate, its key, whom we trust\n"
"      --count N            default 1000\n"
"      --parallel N         negotiations at a time; default 8\n"
"      --streams N          default 8\n"
"      --bytes N            of one message; default 200\n"
"      --burst N            messages for one stream in one write; default 16\n"
"      --first N            number of our first domain; default 0\n"
"      --hold SECONDS       default 5\n"
"      --patience SECONDS   ends when nothing goes on for so long; default 20\n"
"      --pid PID            the process to measure\n"
"      --json               the result as one object\n"
"\n"
"Exit status: 0 all arrived, 1 some did not, 2 usage, 10 it could not run.\n";

enum {
	OPTION_TARGET = 0x700, OPTION_TO, OPTION_PATTERN, OPTION_METHOD,
	OPTION_OUT, OPTION_COMPONENT, OPTION_DOMAIN, OPTION_SECRET,
	OPTION_LISTEN, OPTION_CERT, OPTION_KEY, OPTION_CA, OPTION_COUNT,
	OPTION_PARALLEL, OPTION_STREAMS, OPTION_BYTES, OPTION_BURST,
	OPTION_FIRST, OPTION_HOLD, OPTION_PATIENCE, OPTION_PID, OPTION_JSON,
};

static const struct option long_options[] = {
	{ "target", required_argument, NULL, OPTION_TARGET },
	{ "to", required_argument, NULL, OPTION_TO },
	{ "from-pattern", required_argument, NULL, OPTION_PATTERN },
	{ "method", required_argument, NULL, OPTION_METHOD },
	{ "out", no_argument, NULL, OPTION_OUT },
	{ "component", required_argument, NULL, OPTION_COMPONENT },
	{ "domain", required_argument, NULL, OPTION_DOMAIN },
	{ "secret", required_argument, NULL, OPTION_SECRET },
	{ "listen", required_argument, NULL, OPTION_LISTEN },
	{ "cert", required_argument, NULL, OPTION_CERT },
	{ "key", required_argument, NULL, OPTION_KEY },
	{ "ca", required_argument, NULL, OPTION_CA },
	{ "count", required_argument, NULL, OPTION_COUNT },
	{ "parallel", required_argument, NULL, OPTION_PARALLEL },
	{ "streams", required_argument, NULL, OPTION_STREAMS },
	{ "bytes", required_argument, NULL, OPTION_BYTES },
	{ "burst", required_argument, NULL, OPTION_BURST },
	{ "first", required_argument, NULL, OPTION_FIRST },
	{ "hold", required_argument, NULL, OPTION_HOLD },
	{ "patience", required_argument, NULL, OPTION_PATIENCE },
	{ "pid", required_argument, NULL, OPTION_PID },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* ----- arguments ----- */

static bool take_number(const char *option, const char *value, unsigned least,
			unsigned most, unsigned *out)
{
	char *end;
	unsigned long number = strtoul(value, &end, 10);

	if (*value < '0' || *value > '9' || *end != '\0' || number < least ||
	    number > most) {
		cli_usage("bench", "%s: \"%s\" is no number from %u to %u",
			  option, value, least, most);
		return false;
	}
	*out = (unsigned)number;
	return true;
}

static bool take_endpoint(const char *option, const char *value,
			  const char **out)
{
	char host[PL_ASCII_DOMAIN_SIZE];
	struct pl_error error = { .text = "" };
	unsigned short port;

	*out = value;
	if (!pl_addr_endpoint(value, host, &port, &error))
		cli_usage("bench", "%s %s: %s", option, value, error.text);
	else if (!pl_addr_is_ip(host))
		cli_usage("bench", "%s %s: an address, not a name", option,
			  value);
	else
		return true;
	return false;
}

static bool take_method(const char *value, enum bench_method *out)
{
	static const char *const names[] = {
		[BENCH_SASL] = "sasl",
		[BENCH_TLS_DIALBACK] = "tls-dialback",
		[BENCH_TCP_DIALBACK] = "tcp-dialback",
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(value, names[i]) == 0) {
			*out = (enum bench_method)i;
			return true;
		}
	cli_usage("bench", "--method: \"%s\" is none of sasl, tls-dialback, "
		  "tcp-dialback", value);
	return false;
}

/* A pattern is no format: it is taken apart here and nowhere printed as one. */
static bool take_pattern(const char *value, const char **out)
{
	const char *mark = strstr(value, "%d");

	*out = value;
	if (mark != NULL && strchr(value, '%') == mark &&
	    strchr(mark + 1, '%') == NULL && strpbrk(value, "'<>& ") == NULL &&
	    strlen(value) < 200)
		return true;
	cli_usage("bench", "--from-pattern \"%s\": a domain with %%d once",
		  value);
	return false;
}

static bool take_option(struct bench_options *o, int option, const char *value)
{
	unsigned pid;

	switch (option) {
	case OPTION_TARGET:
		return take_endpoint("--target", value, &o->target);
	case OPTION_COMPONENT:
		return take_endpoint("--component", value, &o->component);
	case OPTION_LISTEN:
		return take_endpoint("--listen", value, &o->listen);
	case OPTION_PATTERN: return take_pattern(value, &o->pattern);
	case OPTION_METHOD: return take_method(value, &o->method);
	case OPTION_TO: o->remote = value; return true;
	case OPTION_OUT: o->outgoing = true; return true;
	case OPTION_DOMAIN: o->domain = value; return true;
	case OPTION_SECRET: o->secret = value; return true;
	case OPTION_CERT: o->certificate = value; return true;
	case OPTION_KEY: o->private_key = value; return true;
	case OPTION_CA: o->ca_file = value; return true;
	case OPTION_COUNT:
		return take_number("--count", value, 1, 100000000, &o->count);
	case OPTION_PARALLEL:
		return take_number("--parallel", value, 1, 10000,
				   &o->parallel);
	case OPTION_STREAMS:
		return take_number("--streams", value, 1, 60000, &o->streams);
	case OPTION_BYTES:
		return take_number("--bytes", value, 150, 100000, &o->bytes);
	case OPTION_BURST:
		return take_number("--burst", value, 1, 10000, &o->burst);
	case OPTION_FIRST:
		return take_number("--first", value, 0, 100000000, &o->first);
	case OPTION_HOLD:
		return take_number("--hold", value, 0, 3600, &o->hold);
	case OPTION_PATIENCE:
		return take_number("--patience", value, 1, 3600, &o->patience);
	case OPTION_PID:
		if (!take_number("--pid", value, 1, INT_MAX, &pid))
			return false;
		o->pid = (int)pid;
		return true;
	case OPTION_JSON: o->json = true; return true;
	case 'h': o->help = true; return true;
	default:
		cli_usage("bench", "options are wrong");
		return false;
	}
}

struct measurement {
	const char *name;
	int (*run)(const struct bench_options *options);
};

static const struct measurement measurements[] = {
	{ "negotiate", bench_negotiate },
	{ "stanzas", bench_stanzas },
	{ "idle", bench_idle },
	{ "handshake", bench_handshake },
};

static const struct measurement *find(const char *name)
{
	for (size_t i = 0; i < sizeof measurements / sizeof measurements[0];
	     i++)
		if (strcmp(measurements[i].name, name) == 0)
			return &measurements[i];
	return NULL;
}

static bool wants(const char *given, const char *option, const char *name)
{
	if (given == NULL)
		cli_usage("bench", "%s needs %s", name, option);
	return given != NULL;
}

static bool is_complete(const struct bench_options *o)
{
	bool stanzas = strcmp(o->name, "stanzas") == 0;
	bool alone = strcmp(o->name, "handshake") == 0;

	if ((o->certificate == NULL) != (o->private_key == NULL)) {
		cli_usage("bench", "--cert and --key belong together");
		return false;
	}
	if (alone || o->method == BENCH_SASL || o->listen != NULL)
		if (!wants(o->certificate, "--cert and --key", o->name) ||
		    !wants(o->ca_file, "--ca", o->name))
			return false;
	if (alone)
		return true;
	if (!wants(o->pattern, "--from-pattern", o->name))
		return false;
	if (o->outgoing || o->method != BENCH_SASL)
		if (!wants(o->listen, "--listen", o->name))
			return false;
	if (o->outgoing || stanzas)
		if (!wants(o->component, "--component", o->name) ||
		    !wants(o->domain, "--domain", o->name) ||
		    !wants(o->secret, "--secret", o->name))
			return false;
	return o->outgoing || (wants(o->target, "--target", o->name) &&
			       wants(o->remote, "--to", o->name));
}

void bench_domain(const struct bench_options *options, unsigned number,
		  char out[PL_ASCII_DOMAIN_SIZE])
{
	const char *mark = strstr(options->pattern, "%d");

	snprintf(out, PL_ASCII_DOMAIN_SIZE, "%.*s%u%s",
		 (int)(mark - options->pattern), options->pattern, number,
		 mark + 2);
}

/* ----- the stage ----- */

static void on_accepted(void *owner, struct pl_conn *conn)
{
	bench_peer_accept(owner, conn);
}

/* Ends the run when nothing went on since the last look. */
static void on_watch(void *owner)
{
	struct bench_stage *stage = owner;

	if (stage->progress == stage->seen) {
		stage->stuck = true;
		pl_loop_stop(stage->loop);
		return;
	}
	stage->seen = stage->progress;
	pl_timer_set(stage->watch, stage->options->patience * 1000);
}

/* A stream is a descriptor: as many as the system lets us have. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static bool load(struct bench_stage *stage, struct pl_error *error)
{
	const struct bench_options *o = stage->options;
	struct pl_buffer scratch;
	bool good;

	if (o->certificate != NULL) {
		stage->identity = pl_tls_identity_new(o->certificate,
						      o->private_key, error);
		if (stage->identity == NULL)
			return false;
	}
	stage->trust = pl_tls_trust_new(o->ca_file, NULL, error);
	if (stage->trust == NULL || !pl_sasl_global_init(error))
		return false;
	/* Its first call may wait for the system's resolver. */
	pl_buffer_init(&scratch, 0);
	good = pl_sasl_client_start("bench.example", &scratch, error);
	pl_buffer_finish(&scratch);
	return good;
}

bool bench_stage_open(struct bench_stage *stage,
		      const struct bench_options *options)
{
	struct pl_error error = { .text = "" };

	stage->options = options;
	raise_limit();
	stage->loop = pl_loop_new(&error);
	if (stage->loop == NULL || !load(stage, &error))
		goto failed;
	if (options->listen != NULL) {
		stage->listener = pl_listener_new(stage->loop, options->listen,
						  on_accepted, stage, &error);
		if (stage->listener == NULL)
			goto failed;
	}
	stage->watch = pl_timer_new(stage->loop, on_watch, stage);
	return true;
failed:
	fprintf(stderr, "parley bench: %s\n", error.text);
	return false;
}

void bench_stage_run(struct bench_stage *stage)
{
	stage->stuck = false;
	stage->seen = stage->progress;
	pl_timer_set(stage->watch, stage->options->patience * 1000);
	pl_loop_run(stage->loop);
	pl_timer_clear(stage->watch);
}

static void on_pause_over(void *owner)
{
	pl_loop_stop(owner);
}

void bench_stage_pause(struct bench_stage *stage, unsigned ms)
{
	struct pl_timer *timer = pl_timer_new(stage->loop, on_pause_over,
					      stage->loop);

	pl_timer_set(timer, ms);
	pl_loop_run(stage->loop);
	pl_timer_free(timer);
}

void bench_stage_close(struct bench_stage *stage)
{
	if (stage->loop != NULL) {
		pl_listener_free(stage->listener);
		bench_peers_drop(stage);
		bench_stage_pause(stage, 1);
		pl_timer_free(stage->watch);
		pl_loop_free(stage->loop);
	}
	pl_tls_identity_unref(stage->identity);
	if (stage->trust != NULL)
		pl_tls_trust_unref(stage->trust);
	pl_sasl_global_finish();
}

/* ----- the verb ----- */

static bool process_is_there(const struct bench_options *options)
{
	struct bench_usage usage_now;

	if (bench_usage(options->pid, &usage_now))
		return true;
	fprintf(stderr, "parley bench: there is no process %d to measure\n",
		options->pid);
	return false;
}

int verb_bench(int argc, char **argv)
{
	struct bench_options options = {
		.count = 1000, .parallel = 8, .streams = 8, .bytes = 200,
		.burst = 16, .hold = 5, .patience = 20,
	};
	const struct measurement *measurement = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1)
		if (!take_option(&options, option, optarg))
			return CLI_USAGE;
	if (options.help) {
		fputs(usage, stdout);
		return CLI_OK;
	}
	if (optind + 1 == argc)
		measurement = find(argv[optind]);
	if (measurement == NULL)
		return cli_usage("bench", "which one of negotiate, stanzas, "
				 "idle, handshake?");
	options.name = measurement->name;
	if (!is_complete(&options))
		return CLI_USAGE;
	if (!process_is_there(&options))
		return CLI_INCOMPLETE;
	return measurement->run(&options);
}
