/*
 * Messages over open streams, from our domains to our service ("in") or the
 * other way round ("out"). Each carries ~STREAM:NUMBER~ in its body: what is
 * missing and what comes out of turn shows.
 *
 *     open every stream -> some messages to warm up -> measured messages
 *
 * A window limits what is under way, so that no queue of the server has a
 * reason to overflow.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	WINDOW_BURSTS = 64,
	WARM_UP_BURSTS = 2,
	DIALS_AT_A_TIME = 32,
	MARK = 32,
};

/* Reads the marks out of what comes on one connection. */
struct reader {
	bool inside;
	unsigned used;
	char text[MARK];
};

struct stream {
	struct run *run;
	struct bench_peer *peer;   /* NULL: not open (any more) */
	unsigned number;
	unsigned sent, expected;   /* the next messages' numbers */
	struct reader reader;
};

struct run {
	struct bench_stage stage;
	struct stream *streams;    /* owned */
	struct stream service;
	unsigned started, open;
	unsigned turn;             /* whose burst is next */
	unsigned goal;             /* messages of each stream, for now */
	uint64_t window;           /* so many may be under way */
	uint64_t sent, received, disordered, strange;
	bool broken;
	char why[200];
	char *text;                /* owned: one burst */
	size_t room;
};

/* ----- counting ----- */

static void arrived(struct run *run, const char *mark)
{
	unsigned number, count;
	struct stream *stream;

	if (sscanf(mark, "%u:%u", &number, &count) != 2 ||
	    number >= run->stage.options->streams) {
		run->strange++;
		return;
	}
	stream = &run->streams[number];
	/* A gap is told by the count at the end. */
	if (count < stream->expected)
		run->disordered++;
	else
		stream->expected = count + 1;
	run->received++;
	run->stage.progress++;
}

static void read_marks(struct run *run, struct reader *reader,
		       const char *bytes, size_t length)
{
	const char *end = bytes + length;

	while (bytes < end) {
		const char *mark = memchr(bytes, '~', (size_t)(end - bytes));
		size_t until = (size_t)((mark ? mark : end) - bytes);

		if (reader->inside && until < MARK - reader->used) {
			memcpy(reader->text + reader->used, bytes, until);
			reader->used += (unsigned)until;
		} else if (reader->inside) {
			reader->inside = false;
			run->strange++;
		}
		if (mark == NULL)
			return;
		reader->text[reader->used] = '\0';
		if (reader->inside)
			arrived(run, reader->text);
		reader->inside = !reader->inside;
		reader->used = 0;
		bytes = mark + 1;
	}
}

/* ----- sending ----- */

static size_t write_message(const struct run *run, const struct stream *stream,
			    unsigned count, char *out)
{
	const struct bench_options *o = run->stage.options;
	char domain[PL_ASCII_DOMAIN_SIZE];
	size_t length, tail = sizeof "</body></message>" - 1;
	int n;

	bench_domain(o, o->first + stream->number, domain);
	n = snprintf(out, run->room, "<message from='bench@%s' to='bench@%s' "
		     "id='%u'><body>~%u:%u~",
		     o->outgoing ? o->domain : domain,
		     o->outgoing ? domain : o->domain, count, stream->number,
		     count);
	length = (size_t)n;
	while (length + tail < o->bytes)
		out[length++] = 'x';
	memcpy(out + length, "</body></message>", tail);
	return length + tail;
}

static bool send_burst(struct run *run, struct stream *stream)
{
	struct bench_peer *peer = run->stage.options->outgoing
					  ? run->service.peer : stream->peer;
	size_t length = 0;

	if (peer == NULL)
		return false;
	for (unsigned i = 0; i < run->stage.options->burst &&
	     stream->sent < run->goal; i++) {
		length += write_message(run, stream, stream->sent,
					run->text + length);
		stream->sent++;
		run->sent++;
	}
	return bench_peer_write(peer, run->text, length);
}

/* Sends as much as the window allows, each stream in its turn. */
static void pump(struct run *run)
{
	const struct bench_options *o = run->stage.options;

	for (unsigned idle = 0; idle < o->streams && !run->broken &&
	     run->sent - run->received < run->window;) {
		struct stream *stream = &run->streams[run->turn];

		run->turn = (run->turn + 1) % o->streams;
		if (stream->sent >= run->goal || !send_burst(run, stream))
			idle++;
		else
			idle = 0;
	}
	if (run->received >= (uint64_t)run->goal * o->streams)
		pl_loop_stop(run->stage.loop);
}

/* ----- streams ----- */

static void take(struct run *run, struct reader *reader, const char *bytes,
		 size_t length)
{
	read_marks(run, reader, bytes, length);
	pump(run);
}

static void broke(struct run *run, const char *why)
{
	if (!run->broken)
		snprintf(run->why, sizeof run->why, "%s", why);
	run->broken = true;
	pl_loop_stop(run->stage.loop);
}

static void dial_more(struct run *run);

static void on_open(void *owner, struct bench_peer *peer)
{
	struct stream *stream = owner;
	struct run *run = stream->run;

	stream->peer = peer;
	if (stream == &run->service) {
		pl_loop_stop(run->stage.loop);
		return;
	}
	if (++run->open == run->stage.options->streams)
		pl_loop_stop(run->stage.loop);
	else
		dial_more(run);
}

static void on_bytes(void *owner, struct bench_peer *peer, const char *bytes,
		     size_t length)
{
	struct stream *stream = owner;

	(void)peer;
	if (stream == &stream->run->service)
		take(stream->run, &stream->reader, bytes, length);
}

static void on_end(void *owner, struct bench_peer *peer, const char *why)
{
	struct stream *stream = owner;

	(void)peer;
	stream->peer = NULL;
	broke(stream->run, why);
}

static const struct bench_peer_events events = { on_open, on_bytes, on_end };

static void dial_more(struct run *run)
{
	const struct bench_options *o = run->stage.options;

	while (run->started < o->streams &&
	       run->started - run->open < DIALS_AT_A_TIME) {
		struct stream *stream = &run->streams[run->started++];
		char domain[PL_ASCII_DOMAIN_SIZE];

		bench_domain(o, o->first + stream->number, domain);
		bench_peer_dial(&run->stage, domain, &events, stream);
	}
}

/* ----- streams that the server opens: found by the domain they are for ----- */

static struct stream *stream_of(struct run *run, const struct bench_peer *peer)
{
	const struct bench_options *o = run->stage.options;
	const char *domain = bench_peer_domain(peer);
	size_t before = (size_t)(strstr(o->pattern, "%d") - o->pattern);
	unsigned long number;

	if (strlen(domain) <= before)
		return NULL;
	number = strtoul(domain + before, NULL, 10);
	return number >= o->first && number - o->first < o->streams
		       ? &run->streams[number - o->first] : NULL;
}

static void on_reached(void *owner, struct bench_peer *peer)
{
	struct run *run = owner;
	struct stream *stream = stream_of(run, peer);

	if (stream == NULL)
		return;
	stream->peer = peer;
	run->open++;
	run->stage.progress++;
}

static void on_received(void *owner, struct bench_peer *peer, const char *bytes,
			size_t length)
{
	struct run *run = owner;
	struct stream *stream = stream_of(run, peer);

	if (stream != NULL)
		take(run, &stream->reader, bytes, length);
}

static void on_left(void *owner, struct bench_peer *peer, const char *why)
{
	struct run *run = owner;
	struct stream *stream = stream_of(run, peer);

	if (stream != NULL && stream->peer == peer)
		broke(run, why);
}

static const struct bench_peer_events accepted_events = {
	on_reached, on_received, on_left,
};

/* ----- the run ----- */

/* All messages up to this number of each stream. */
static bool exchange(struct run *run, unsigned goal)
{
	run->goal = goal;
	pump(run);
	if (run->received < (uint64_t)goal * run->stage.options->streams)
		bench_stage_run(&run->stage);
	return !run->broken && !run->stage.stuck;
}

static bool open_streams(struct run *run)
{
	run->service.run = run;
	bench_peer_attach(&run->stage, &events, &run->service);
	bench_stage_run(&run->stage);
	if (run->service.peer == NULL || run->broken)
		return false;
	if (run->stage.options->outgoing) {
		/* One message to each domain, a few at a time. */
		run->window = DIALS_AT_A_TIME;
		return exchange(run, 1);
	}
	dial_more(run);
	bench_stage_run(&run->stage);
	return run->open == run->stage.options->streams && !run->broken;
}

static bool prepare(struct run *run, const struct bench_options *o)
{
	run->streams = pl_calloc(o->streams, sizeof *run->streams);
	for (unsigned i = 0; i < o->streams; i++) {
		run->streams[i].run = run;
		run->streams[i].number = i;
	}
	run->room = (size_t)o->burst * (o->bytes + 1024);
	run->text = pl_calloc(1, run->room);
	run->stage.raw = o->outgoing;
	run->stage.accepted = o->outgoing ? &accepted_events : NULL;
	run->stage.owner = run;
	return bench_stage_open(&run->stage, o);
}

static int show(const struct run *run, uint64_t measured,
		const struct bench_usage *a, const struct bench_usage *b)
{
	const struct bench_options *o = run->stage.options;
	const char *direction = o->outgoing ? "out" : "in";
	long long lost = (long long)(run->sent - run->received);
	double each = measured > 0 ? (double)measured : 1;
	double cpu = (b->cpu_us - a->cpu_us) / each;
	double wall = b->wall_us - a->wall_us;
	long long disordered = (long long)(run->disordered + run->strange);

	if (o->json)
		cli_print_json(json_pack(
			"{s:s,s:s,s:i,s:i,s:I,s:I,s:I,s:f,s:f,s:f,s:f,s:o}",
			"bench", o->name, "direction", direction,
			"streams", (int)o->streams, "bytes", (int)o->bytes,
			"count", (json_int_t)measured,
			"lost", (json_int_t)lost,
			"disordered", (json_int_t)disordered,
			"seconds", wall / 1e6, "cpu_us", cpu,
			"wall_us", wall / each, "rss_kb", b->rss_kb,
			"why", run->why[0] ? cli_json_text(run->why)
					   : json_null()));
	else
		printf("%llu messages %s of %u bytes over %u streams in %.2f s: "
		       "%.2f us CPU each, %lld lost, %lld out of order%s%s\n",
		       (unsigned long long)measured, direction, o->bytes,
		       o->streams, wall / 1e6, cpu, lost, disordered,
		       run->why[0] ? "; fault: " : "", run->why);
	return lost == 0 && disordered == 0 && !run->broken ? CLI_OK
							     : CLI_DIFFERS;
}

int bench_stanzas(const struct bench_options *options)
{
	unsigned warm = 1 + WARM_UP_BURSTS * options->burst;
	struct run run = { .started = 0 };
	struct bench_usage before, after;
	int status = CLI_INCOMPLETE;
	uint64_t from;

	if (!prepare(&run, options))
		goto out;
	if (!open_streams(&run)) {
		fprintf(stderr, "parley bench: %u of %u streams: %s\n",
			run.open, options->streams,
			run.why[0] ? run.why : "nothing more came");
		goto out;
	}
	run.window = (uint64_t)WINDOW_BURSTS * options->burst;
	exchange(&run, warm);
	from = run.received;
	if (!bench_usage(options->pid, &before))
		goto out;
	if (!run.broken)
		exchange(&run, warm + options->count);
	if (bench_usage(options->pid, &after))
		status = show(&run, run.received - from, &before, &after);
out:
	bench_stage_close(&run.stage);
	free(run.streams);
	free(run.text);
	return status;
}
