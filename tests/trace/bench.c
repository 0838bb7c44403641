/*
 * What a trace costs: negotiations of 40 records, with the rings alone and with
 * files. Not a test: times are for people.
 *
 *     bench [NEGOTIATIONS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "parley/trace.h"

static uint64_t monotonic(void *owner)
{
	struct timespec now;

	(void)owner;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static struct timeval wall(void *owner)
{
	struct timeval now;

	(void)owner;
	gettimeofday(&now, NULL);
	return now;
}

static void chance(void *owner, void *out, size_t length)
{
	(void)owner;
	if (getrandom(out, length, 0) != (ssize_t)length)
		abort();
}

static void element(struct pl_traced *c, enum pl_trace_dir dir,
		    enum pl_stage stage, const char *verb, const char *raw,
		    enum pl_trace_mask mask)
{
	pl_trace_record(c, dir, stage, verb);
	pl_trace_text(c, "to", "b.example");
	pl_trace_text(c, "from", "a.example");
	pl_trace_text(c, "id", "1f0a9d2c33b84d5e");
	pl_trace_summary(c, "%s of %s", verb, "b.example");
	pl_trace_raw(c, raw, strlen(raw), mask);
	pl_trace_done(c);
}

/* A machine's step after each element: 13 elements and 13 steps, 10 others. */
static void step(struct pl_traced *c)
{
	struct pl_terms terms = { .policy = { PL_REQUIRED, PL_OPTIONAL, true },
				  .partner_known = true };
	struct pl_stream_state before, after;
	struct pl_stream_event event = {
		.kind = PL_EV_HEADER,
		.header = { .version_1 = true, .has_id = true },
	};
	struct pl_step out;

	pl_stream_init(&after, PL_INITIATING);
	after.phase = PL_AWAIT_HEADER;
	before = after;
	pl_stream_step(&terms, &after, &event, &out);
	pl_trace_stream_step(c, &terms, &before, &event, &after, &out);
}

static void negotiate(struct pl_tracer *tracer)
{
	static const char header[] =
		"<stream:stream xmlns='jabber:server' xmlns:stream='http://"
		"etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' "
		"to='b.example' from='a.example' version='1.0'>";
	static const char result[] =
		"<db:result from='a.example' to='b.example'>1e701f120f66824b5"
		"7303384e83b51feba858024fd2221d39f7acc52dcf767a9</db:result>";
	struct pl_policy policy = pl_policy_of_row(7);
	struct pl_trace *trace = pl_trace_begin(tracer, false, "a.example",
						"b.example");
	struct pl_traced *c = pl_trace_connection(trace, PL_ROLE_INITIATOR,
						  NULL);
	struct pl_outcome outcome = {
		.stream = "3f2a", .local = "a.example",
		.remote = "b.example", .row = 7, .policy = policy,
		.method = PL_METHOD_TLS_DIALBACK, .ms = 40,
	};

	pl_trace_terms(trace, "a.example", "b.example", &policy, 7);
	for (int i = 0; i < 10; i++) {
		pl_trace_record(c, PL_DIR_LOCAL, PL_STAGE_POLICY, "choice");
		pl_trace_text(c, "choice", "starttls");
		pl_trace_array(c, "rejected");
		pl_trace_object(c, NULL);
		pl_trace_text(c, "choice", "dialback");
		pl_trace_text(c, "reason", "kept, should the chosen way fail");
		pl_trace_close(c);
		pl_trace_close(c);
		pl_trace_summary(c, "%s", "starttls; not dialback");
		pl_trace_done(c);
	}
	for (int i = 0; i < 13; i++) {
		element(c, PL_DIR_OUT, PL_STAGE_STREAM, "header", header,
			PL_MASK_NOTHING);
		step(c);
	}
	pl_trace_record(c, PL_DIR_OUT, PL_STAGE_DIALBACK, "result");
	pl_trace_key(c, "key", "1e701f120f66824b57303384e83b51feba858024fd22");
	pl_trace_raw(c, result, strlen(result), PL_MASK_TEXT);
	pl_trace_done(c);
	pl_trace_record(c, PL_DIR_LOCAL, PL_STAGE_ESTABLISHED, "open");
	pl_trace_done(c);
	pl_trace_outcome(c, &outcome);
	pl_trace_leave(c);
	pl_trace_unref(trace);
}

/* Of the processor alone: others may use the machine. */
static uint64_t used(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void measure(const char *what, const char *directory, unsigned rings,
		    unsigned count)
{
	static const struct pl_tracer_events events = {
		.monotonic_us = monotonic, .wall = wall, .random = chance,
	};
	struct pl_tracer_settings settings = {
		.raw = PL_RAW_NEGOTIATION, .directory = directory,
		.file_bytes = 4 << 20, .directory_bytes = 16 << 20,
		.failures = rings, .recent = rings,
	};
	struct pl_error error = { .text = "" };
	struct pl_tracer *tracer = pl_tracer_new(&settings, &events, NULL,
						 &error);
	uint64_t start;

	if (tracer == NULL) {
		fprintf(stderr, "%s\n", error.text);
		return;
	}
	for (unsigned i = 0; i < 100; i++)
		negotiate(tracer);
	start = used();
	for (unsigned i = 0; i < count; i++)
		negotiate(tracer);
	printf("%-28s %6.1f us a negotiation of 40 records\n", what,
	       (double)(used() - start) / count);
	pl_tracer_free(tracer);
}

int main(int argc, char **argv)
{
	unsigned count = argc > 1 ? (unsigned)atoi(argv[1]) : 5000;
	char directory[] = "/tmp/parley-bench-XXXXXX", command[80];

	measure("nothing", NULL, 0, count);
	measure("memory (rings of 64)", NULL, 64, count);
	if (mkdtemp(directory) == NULL)
		return 1;
	measure("memory and files", directory, 64, count);
	snprintf(command, sizeof command, "rm -r %s", directory);
	return system(command) == 0 ? 0 : 1;
}
