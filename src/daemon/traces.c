/*
 * Traces: whom they are written for, and what the control socket tells of
 * them.
 *
 *     {"verb":"trace","what":"last","remote":"b.example","count":2}
 *     {"verb":"trace","what":"on","remote":"b.example"}     and "off"
 *     {"verb":"negotiations","since":17}   {"verb":"negotiations","id":"..."}
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "parley/report.h"

enum {
	TICK_MS = 500,
	TROUBLE_MS = 60000,             /* between lines about a full disk */
	SWITCHES = 256,                 /* domains that were turned on or off */
	TOLD_MOST = 64,                 /* traces in one answer */
	TOLD_BYTES = 6 * 1024 * 1024,   /* of lines in one answer */
};

/* What `parley trace on` and `off` said of a domain. */
struct trace_switch {
	char *domain;                   /* owned */
	bool on;
};

struct traces {
	struct service *service;        /* borrowed */
	struct pl_tracer *tracer;       /* owned, as all below */
	struct pl_timer *tick;
	struct trace_switch switches[SWITCHES];
	size_t count;
	uint64_t told_ms;               /* that files cannot be written */
};

/* ----- what the tracer asks ----- */

static uint64_t monotonic(void *owner)
{
	return pl_loop_now_us(((struct traces *)owner)->service->loop);
}

static struct timeval wall(void *owner)
{
	return pl_loop_time(((struct traces *)owner)->service->loop);
}

static void chance(void *owner, void *out, size_t length)
{
	pl_loop_random(((struct traces *)owner)->service->loop, out, length);
}

static struct trace_switch *find(struct traces *traces, const char *domain)
{
	for (size_t i = 0; i < traces->count; i++)
		if (strcmp(traces->switches[i].domain, domain) == 0)
			return &traces->switches[i];
	return NULL;
}

/* What was said at run time is stronger than the configuration. Strangers fill
 * no disk: who is no partner has no file. */
static bool wanted(void *owner, const char *local, const char *remote)
{
	struct traces *traces = owner;
	const struct trace_switch *said = find(traces, remote);
	const struct pl_conf_partner *partner =
		pl_conf_partner(traces->service->site->conf, remote);

	(void)local;
	if (said != NULL)
		return said->on;
	return partner != NULL && partner->trace;
}

static bool read_file(const char *path, struct pl_buffer *out)
{
	FILE *file = fopen(path, "re");
	char piece[16384];
	size_t n;
	bool good = file != NULL;

	while (good && (n = fread(piece, 1, sizeof piece, file)) > 0)
		good = pl_buffer_append(out, piece, n);
	if (file != NULL)
		fclose(file);
	return good;
}

/* The same as packets, beside it. */
static void write_packets(struct traces *traces, const char *path)
{
	struct pl_buffer lines, packets;
	struct pl_report report;
	bool cut;

	pl_buffer_init(&lines, PL_REPORT_BYTES);
	pl_buffer_init(&packets, PL_REPORT_BYTES);
	if (read_file(path, &lines) &&
	    pl_report_read(&report, (const char *)pl_buffer_bytes(&lines),
			   lines.length, path, &cut, NULL)) {
		if (pl_report_pcapng(&packets, &report))
			pl_tracer_beside(traces->tracer, path, ".pcapng",
					 pl_buffer_bytes(&packets),
					 packets.length);
		pl_report_finish(&report);
	}
	pl_buffer_finish(&lines);
	pl_buffer_finish(&packets);
}

static void on_end(void *owner, const char *id, const char *path)
{
	struct traces *traces = owner;

	(void)id;
	if (path != NULL && traces->service->site->conf->trace.pcap)
		write_packets(traces, path);
}

/* A full disk costs traces, and a line a minute. */
static void tell_trouble(struct traces *traces)
{
	uint64_t now = pl_loop_now_ms(traces->service->loop);
	int error = pl_tracer_trouble(traces->tracer);

	if (error == 0 || (traces->told_ms != 0 &&
			   now - traces->told_ms < TROUBLE_MS))
		return;
	traces->told_ms = now;
	pl_log_event(traces->service->log, PL_LOG_ERROR, "trace",
		     "%s takes no more traces: %s",
		     traces->service->site->conf->trace.directory,
		     strerror(error));
}

static void on_tick(void *owner)
{
	struct traces *traces = owner;

	bool more = pl_tracer_tick(traces->tracer);

	tell_trouble(traces);
	if (more)
		pl_timer_set(traces->tick, TICK_MS);
}

static void on_stir(void *owner)
{
	struct traces *traces = owner;

	pl_timer_set(traces->tick, TICK_MS);
}

/* ----- settings ----- */

static struct pl_tracer_settings settings_of(const struct pl_conf *conf)
{
	struct pl_tracer_settings settings = {
		.directory = conf->trace.directory,
		.file_bytes = (size_t)conf->trace.file_bytes,
		.directory_bytes = (size_t)conf->trace.directory_bytes,
		.failures = (unsigned)conf->trace.failures,
		.recent = (unsigned)conf->trace.recent,
	};

	pl_trace_raw_parse(conf->trace.raw, &settings.raw);
	return settings;
}

struct traces *traces_new(struct service *service)
{
	static const struct pl_tracer_events events = {
		.monotonic_us = monotonic,
		.wall = wall,
		.random = chance,
		.wanted = wanted,
		.on_end = on_end,
		.on_stir = on_stir,
	};
	struct traces *traces = pl_calloc(1, sizeof *traces);
	struct pl_tracer_settings settings = settings_of(service->site->conf);
	struct pl_error error = { .text = "" };

	traces->service = service;
	traces->tick = pl_timer_new(service->loop, on_tick, traces);
	traces->tracer = pl_tracer_new(&settings, &events, traces, &error);
	if (traces->tracer == NULL) { /* without files, then */
		pl_log_event(service->log, PL_LOG_ERROR, "trace", "%s",
			     error.text);
		settings.directory = NULL;
		traces->tracer = pl_tracer_new(&settings, &events, traces,
					       &error);
	}
	service->world.tracer = traces->tracer;
	return traces;
}

void traces_change(struct traces *traces)
{
	struct pl_tracer_settings settings;
	struct pl_error error = { .text = "" };

	if (traces == NULL || traces->tracer == NULL)
		return;
	settings = settings_of(traces->service->site->conf);
	if (!pl_tracer_change(traces->tracer, &settings, &error))
		pl_log_event(traces->service->log, PL_LOG_ERROR, "trace",
			     "kept as they were: %s", error.text);
}

void traces_free(struct traces *traces)
{
	if (traces == NULL)
		return;
	traces->service->world.tracer = NULL;
	pl_tracer_free(traces->tracer);
	pl_timer_free(traces->tick);
	for (size_t i = 0; i < traces->count; i++)
		free(traces->switches[i].domain);
	free(traces);
}

/* ----- on and off ----- */

const char *traces_turn(struct traces *traces, const char *domain, bool on)
{
	const char *directory = traces->service->site->conf->trace.directory;
	struct trace_switch *said = find(traces, domain);

	if (on && (directory == NULL || *directory == '\0'))
		return "there is no directory for traces: set directory in "
		       "the trace section of the configuration and run parley "
		       "reload";
	if (said == NULL && traces->count == SWITCHES)
		return "too many domains were turned on or off already";
	if (said == NULL) {
		said = &traces->switches[traces->count++];
		said->domain = pl_strdup(domain);
	}
	said->on = on;
	return NULL;
}

/* ----- what is kept ----- */

struct telling {
	json_t *list;
	json_int_t since;    /* tell those with a greater number */
	const char *id;      /* NULL: all */
	size_t most, bytes;
	bool lines;
};

static bool told_already(const struct telling *telling, uint64_t number)
{
	json_t *row;
	size_t i;

	json_array_foreach(telling->list, i, row)
		if (json_integer_value(json_object_get(row, "number")) ==
		    (json_int_t)number)
			return true;
	return false;
}

static bool tell(void *owner, const struct pl_trace_kept *kept)
{
	struct telling *telling = owner;
	json_t *row;

	if ((json_int_t)kept->number <= telling->since ||
	    (telling->id != NULL && strcmp(telling->id, kept->id) != 0) ||
	    told_already(telling, kept->number))
		return true;
	if (json_array_size(telling->list) >= telling->most)
		return false;
	row = json_kept(kept);
	telling->bytes += kept->length;
	if (telling->lines && telling->bytes <= TOLD_BYTES)
		json_object_set_new(row, "lines",
				    json_stringn(kept->lines, kept->length));
	json_array_append_new(telling->list, row);
	return true;
}

/* Newest first. */
static void sort(json_t *list)
{
	for (size_t i = 1; i < json_array_size(list); i++)
		for (size_t k = i; k > 0; k--) {
			json_t *a = json_array_get(list, k - 1);
			json_t *b = json_array_get(list, k);

			if (json_integer_value(json_object_get(a, "number")) >=
			    json_integer_value(json_object_get(b, "number")))
				break;
			json_incref(a);
			json_array_set(list, k - 1, b);
			json_array_set_new(list, k, a);
		}
}

json_t *traces_last(struct traces *traces, const char *remote, bool failed,
		    size_t count)
{
	struct telling telling = { .list = json_array(), .lines = true };

	/* a failure may have left the one ring and still be in the other */
	telling.most = count < 1 ? 1 : count > TOLD_MOST ? TOLD_MOST : count;
	if (!failed)
		pl_tracer_recent(traces->tracer, remote, tell, &telling);
	telling.most *= 2;
	pl_tracer_failures(traces->tracer, remote, tell, &telling);
	telling.most /= 2;
	sort(telling.list);
	while (json_array_size(telling.list) > telling.most)
		json_array_remove(telling.list, telling.most);
	return telling.list;
}

json_t *traces_since(struct traces *traces, json_int_t since)
{
	struct telling telling = { .list = json_array(), .since = since,
				   .most = SIZE_MAX };

	pl_tracer_recent(traces->tracer, NULL, tell, &telling);
	return telling.list;
}

json_t *traces_with_id(struct traces *traces, const char *id)
{
	struct telling telling = { .list = json_array(), .id = id, .most = 1,
				   .lines = true };

	pl_tracer_recent(traces->tracer, NULL, tell, &telling);
	pl_tracer_failures(traces->tracer, NULL, tell, &telling);
	return telling.list;
}
