/* Negotiations: so many, some at a time, each closed when it is open. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SETTLE_MS = 200 };

struct run {
	struct bench_stage stage;
	unsigned started, ended, failed;
	double *began_us, *took_us;   /* owned; by number, from 0 */
	unsigned took;
	char why[200];                /* of the first that failed */
	struct bench_peer *service;
};

struct one {
	struct run *run;
	unsigned number;
};

static void next(struct run *run);

static void over(struct run *run)
{
	run->ended++;
	run->stage.progress++;
	if (run->ended == run->stage.options->count)
		pl_loop_stop(run->stage.loop);
	else
		next(run);
}

static void succeeded(struct run *run, unsigned number)
{
	if (number >= run->stage.options->count ||
	    run->began_us[number] == 0)
		return;
	run->took_us[run->took++] = bench_wall_us() - run->began_us[number];
	run->began_us[number] = 0;
	over(run);
}

static void failed(struct run *run, const char *why)
{
	if (run->failed++ == 0)
		snprintf(run->why, sizeof run->why, "%s", why);
	over(run);
}

/* ----- in: we dial ----- */

static void on_open(void *owner, struct bench_peer *peer)
{
	struct one *one = owner;

	bench_peer_close(peer);
	succeeded(one->run, one->number);
	free(one);
}

static void on_end(void *owner, struct bench_peer *peer, const char *why)
{
	struct one *one = owner;

	(void)peer;
	failed(one->run, why);
	free(one);
}

static const struct bench_peer_events dialled_events = {
	.on_open = on_open, .on_end = on_end,
};

static void dial(struct run *run, unsigned number)
{
	struct one *one = pl_calloc(1, sizeof *one);
	char domain[PL_ASCII_DOMAIN_SIZE];

	one->run = run;
	one->number = number;
	bench_domain(run->stage.options, run->stage.options->first + number,
		     domain);
	bench_peer_dial(&run->stage, domain, &dialled_events, one);
}

/* ----- out: the server dials, because its service wrote to us ----- */

static void ask(struct run *run, unsigned number)
{
	const struct bench_options *o = run->stage.options;
	char domain[PL_ASCII_DOMAIN_SIZE], text[1024];
	int length;

	bench_domain(o, o->first + number, domain);
	length = snprintf(text, sizeof text,
			  "<message from='bench@%s' to='bench@%s'><body>~%u~"
			  "</body></message>", o->domain, domain, number);
	bench_peer_write(run->service, text, (size_t)length);
}

/* The first stanza shows that the negotiation is over. */
static void on_arrived(void *owner, struct bench_peer *peer, const char *bytes,
		       size_t length)
{
	struct run *run = owner;
	const char *mark = memchr(bytes, '~', length);

	if (mark == NULL)
		return;
	bench_peer_close(peer);
	succeeded(run, (unsigned)strtoul(mark + 1, NULL, 10));
}

static void on_reached(void *owner, struct bench_peer *peer)
{
	(void)owner;
	(void)peer;
}

static void on_broken(void *owner, struct bench_peer *peer, const char *why)
{
	struct run *run = owner;

	(void)peer;
	if (run->why[0] == '\0')
		snprintf(run->why, sizeof run->why, "%s", why);
}

static const struct bench_peer_events accepted_events = {
	.on_open = on_reached, .on_bytes = on_arrived, .on_end = on_broken,
};

static void on_attached(void *owner, struct bench_peer *peer)
{
	(void)peer;
	pl_loop_stop(((struct run *)owner)->stage.loop);
}

static void on_detached(void *owner, struct bench_peer *peer, const char *why)
{
	struct run *run = owner;

	(void)peer;
	run->service = NULL;
	snprintf(run->why, sizeof run->why, "the service: %s", why);
	pl_loop_stop(run->stage.loop);
}

static const struct bench_peer_events service_events = {
	.on_open = on_attached, .on_end = on_detached,
};

static bool attach(struct run *run)
{
	if (!run->stage.options->outgoing)
		return true;
	run->stage.raw = true;
	run->stage.accepted = &accepted_events;
	run->stage.owner = run;
	run->service = bench_peer_attach(&run->stage, &service_events, run);
	bench_stage_run(&run->stage);
	return run->service != NULL && !run->stage.stuck;
}

/* ----- both ----- */

static void next(struct run *run)
{
	const struct bench_options *o = run->stage.options;

	while (run->started < o->count &&
	       run->started - run->ended < o->parallel) {
		unsigned number = run->started++;

		run->began_us[number] = bench_wall_us();
		if (!o->outgoing)
			dial(run, number);
		else if (run->service != NULL)
			ask(run, number);
	}
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double percentile(const struct run *run, double part)
{
	return run->took == 0 ? 0
	     : run->took_us[(size_t)(part * (run->took - 1))] / 1e3;
}

static int show(struct run *run, const struct bench_usage *a,
		const struct bench_usage *b, double wall_us)
{
	const struct bench_options *o = run->stage.options;
	static const char *const methods[] = {
		[BENCH_SASL] = "sasl-over-tls",
		[BENCH_TLS_DIALBACK] = "tls-dialback",
		[BENCH_TCP_DIALBACK] = "tcp-dialback",
	};
	unsigned done = run->took ? run->took : 1;
	double cpu = (b->cpu_us - a->cpu_us) / done;

	qsort(run->took_us, run->took, sizeof *run->took_us, by_size);
	if (o->json)
		cli_print_json(json_pack(
			"{s:s,s:s,s:s,s:i,s:i,s:f,s:f,s:f,s:f,s:o}",
			"bench", o->name, "direction", o->outgoing ? "out" : "in",
			"method", methods[o->method], "count", (int)run->took,
			"failed", (int)(o->count - run->took),
			"seconds", wall_us / 1e6, "cpu_us", cpu,
			"p50_ms", percentile(run, 0.5),
			"p99_ms", percentile(run, 0.99),
			"why", run->why[0] ? cli_json_text(run->why)
					   : json_null()));
	else
		printf("%u of %u negotiations %s, %s, in %.2f s: %.0f us CPU "
		       "each, p50 %.2f ms, p99 %.2f ms%s%s\n", run->took,
		       o->count, o->outgoing ? "out" : "in",
		       methods[o->method], wall_us / 1e6, cpu,
		       percentile(run, 0.5), percentile(run, 0.99),
		       run->why[0] ? "; first fault: " : "", run->why);
	return run->took == o->count ? CLI_OK : CLI_DIFFERS;
}

int bench_negotiate(const struct bench_options *options)
{
	struct run run = { .took = 0 };
	struct bench_usage before, after;
	double wall_us;
	int status = CLI_INCOMPLETE;

	run.began_us = pl_calloc(options->count, sizeof *run.began_us);
	run.took_us = pl_calloc(options->count, sizeof *run.took_us);
	if (!bench_stage_open(&run.stage, options))
		goto out;
	if (!attach(&run)) {
		fprintf(stderr, "parley bench: %s\n", run.why);
		goto out;
	}
	bench_usage(options->pid, &before);
	next(&run);
	bench_stage_run(&run.stage);
	wall_us = bench_wall_us() - before.wall_us;
	if (run.stage.stuck && run.why[0] == '\0')
		snprintf(run.why, sizeof run.why, "nothing more came");
	bench_stage_pause(&run.stage, SETTLE_MS);
	if (bench_usage(options->pid, &after))
		status = show(&run, &before, &after, wall_us);
	else
		fprintf(stderr, "parley bench: the measured process ended\n");
out:
	bench_stage_close(&run.stage);
	free(run.began_us);
	free(run.took_us);
	return status;
}
