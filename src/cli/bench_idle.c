/* Streams on which nothing happens: what they hold, and what they cost. */
#include "bench.h"

#include <stdio.h>
#include <string.h>

enum { SETTLE_MS = 6000, AT_A_TIME = 32 };

struct run {
	struct bench_stage stage;
	unsigned started, open, failed;
	char why[200];
};

static void next(struct run *run);

static void on_open(void *owner, struct bench_peer *peer)
{
	struct run *run = owner;

	(void)peer;
	if (++run->open == run->stage.options->streams)
		pl_loop_stop(run->stage.loop);
	else
		next(run);
}

static void on_end(void *owner, struct bench_peer *peer, const char *why)
{
	struct run *run = owner;

	(void)peer;
	run->failed++;
	snprintf(run->why, sizeof run->why, "%s", why);
	pl_loop_stop(run->stage.loop);
}

static const struct bench_peer_events events = {
	.on_open = on_open, .on_end = on_end,
};

static void next(struct run *run)
{
	const struct bench_options *o = run->stage.options;
	char domain[PL_ASCII_DOMAIN_SIZE];

	while (run->started < o->streams &&
	       run->started - run->open < AT_A_TIME) {
		bench_domain(o, o->first + run->started++, domain);
		bench_peer_dial(&run->stage, domain, &events, run);
	}
}

static void show(const struct run *run, double rss_kb, double idle_us)
{
	const struct bench_options *o = run->stage.options;
	double each = run->open > 0 ? rss_kb / run->open : 0;
	double second = o->hold > 0 ? idle_us / o->hold : 0;

	if (o->json)
		cli_print_json(json_pack("{s:s,s:i,s:i,s:f,s:f,s:i}",
			"bench", o->name, "streams", (int)run->open,
			"failed", (int)(o->streams - run->open),
			"rss_kb", each, "idle_cpu_us_per_second", second,
			"seconds", (int)o->hold));
	else
		printf("%u of %u streams: %.1f KB resident each, %.0f us CPU "
		       "in a second of nothing%s%s\n", run->open, o->streams,
		       each, second, run->why[0] ? "; fault: " : "", run->why);
}

int bench_idle(const struct bench_options *options)
{
	struct run run = { .open = 0 };
	struct bench_usage empty, full, later;
	int status = CLI_INCOMPLETE;

	if (!bench_stage_open(&run.stage, options))
		goto out;
	bench_usage(options->pid, &empty);
	next(&run);
	bench_stage_run(&run.stage);
	bench_stage_pause(&run.stage, SETTLE_MS);
	if (!bench_usage(options->pid, &full))
		goto out;
	bench_stage_pause(&run.stage, options->hold * 1000);
	if (!bench_usage(options->pid, &later))
		goto out;
	show(&run, later.rss_kb - empty.rss_kb, later.cpu_us - full.cpu_us);
	status = run.failed == 0 && run.open == options->streams ? CLI_OK
							       : CLI_DIFFERS;
out:
	bench_stage_close(&run.stage);
	return status;
}
