/* The tracer: settings, rings, the tick. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const raw_names[] = {
	[PL_RAW_NONE] = "none",
	[PL_RAW_NEGOTIATION] = "negotiation",
	[PL_RAW_ALL] = "all",
};

enum { FILE_LEAST = 64 * 1024, RING_MOST = 4096 };

bool pl_trace_raw_parse(const char *text, enum pl_trace_raw *out)
{
	for (unsigned i = 0; i < sizeof raw_names / sizeof *raw_names; i++) {
		if (strcmp(raw_names[i], text) != 0)
			continue;
		*out = (enum pl_trace_raw)i;
		return true;
	}
	return false;
}

const char *pl_trace_raw_name(enum pl_trace_raw raw)
{
	return raw_names[raw];
}

/* ----- rings ----- */

void ring_put(struct ring *ring, struct pl_trace *trace)
{
	struct pl_trace **slot;

	if (ring->size == 0)
		return;
	slot = &ring->slots[ring->next];
	ring->next = (ring->next + 1) % ring->size;
	trace->rings++;
	if (ring->count == ring->size)
		trace_unring(*slot);
	else
		ring->count++;
	*slot = trace;
}

/* The number-th, 0 the newest. */
static struct pl_trace *ring_at(const struct ring *ring, unsigned number)
{
	return ring->slots[(ring->next + ring->size - 1 - number) %
			   ring->size];
}

/* The newer ones move up. */
static void remove_at(struct ring *ring, unsigned number)
{
	struct pl_trace *gone = ring_at(ring, number);

	for (unsigned i = number; i > 0; i--)
		ring->slots[(ring->next + ring->size - 1 - i) % ring->size] =
			ring_at(ring, i - 1);
	ring->next = (ring->next + ring->size - 1) % ring->size;
	ring->count--;
	trace_unring(gone);
}

void ring_bound(struct ring *ring, enum pl_trace_role role, unsigned most)
{
	unsigned count = 0;

	for (unsigned i = 0; i < ring->count; i++) {
		if (ring_at(ring, i)->role != role || ++count <= most)
			continue;
		remove_at(ring, i--);
		count--;
	}
}

/* Keeps the newest. */
static void ring_resize(struct ring *ring, unsigned size)
{
	struct ring old = *ring;

	if (size > RING_MOST)
		size = RING_MOST;
	if (size == old.size)
		return;
	*ring = (struct ring){ .size = size };
	if (size > 0)
		ring->slots = pl_calloc(size, sizeof *ring->slots);
	for (unsigned i = old.count; i-- > 0;) {
		struct pl_trace *trace = ring_at(&old, i);

		ring_put(ring, trace);
		trace_unring(trace);
	}
	free(old.slots);
}

static void show_ring(struct pl_tracer *tracer, const struct ring *ring,
		      const char *remote,
		      bool (*show)(void *owner, const struct pl_trace_kept *kept),
		      void *owner)
{
	for (unsigned i = 0; i < ring->count; i++) {
		struct pl_trace *trace = ring_at(ring, i);
		struct pl_trace_kept kept;

		if (remote != NULL && (trace->remote == NULL ||
				       strcmp(trace->remote, remote) != 0))
			continue;
		pl_buffer_consume(&tracer->shown, tracer->shown.length);
		lines_all(trace, &tracer->shown);
		kept = (struct pl_trace_kept){
			.id = trace->id,
			.local = trace->local,
			.remote = trace->remote,
			.incoming = trace->incoming,
			.failed = trace_result(trace) == RESULT_FAILED,
			.result = trace_result_name(trace_result(trace)),
			.method = trace->method,
			.code = trace->code,
			.row = trace->told ? trace->told_row : trace->row,
			.when = trace->end_wall,
			.ms = trace->ms,
			.lines = (const char *)pl_buffer_bytes(&tracer->shown),
			.length = tracer->shown.length,
			.number = trace->number,
		};
		if (!show(owner, &kept))
			return;
	}
}

void pl_tracer_failures(struct pl_tracer *tracer, const char *remote,
			bool (*show)(void *owner,
				     const struct pl_trace_kept *kept),
			void *owner)
{
	if (tracer != NULL)
		show_ring(tracer, &tracer->failures, remote, show, owner);
}

void pl_tracer_recent(struct pl_tracer *tracer, const char *remote,
		      bool (*show)(void *owner,
				   const struct pl_trace_kept *kept),
		      void *owner)
{
	if (tracer != NULL)
		show_ring(tracer, &tracer->recent, remote, show, owner);
}

/* ----- settings ----- */

bool pl_tracer_change(struct pl_tracer *tracer,
		      const struct pl_tracer_settings *settings,
		      struct pl_error *error)
{
	struct folder *folder = NULL;

	if (folder_is_still(tracer->folder, settings->directory)) {
		folder = folder_ref(tracer->folder);
		folder->limit = settings->directory_bytes;
	} else if (settings->directory != NULL &&
		   *settings->directory != '\0') {
		folder = folder_open(settings->directory,
				     settings->directory_bytes, error);
		if (folder == NULL)
			return false;
	}
	folder_unref(tracer->folder);
	tracer->folder = folder;
	tracer->raw = settings->raw;
	tracer->file_bytes = settings->file_bytes > FILE_LEAST
			     ? settings->file_bytes : FILE_LEAST;
	ring_resize(&tracer->failures, settings->failures);
	ring_resize(&tracer->recent, settings->recent);
	return true;
}

struct pl_tracer *pl_tracer_new(const struct pl_tracer_settings *settings,
				const struct pl_tracer_events *events,
				void *owner, struct pl_error *error)
{
	struct pl_tracer *tracer = pl_calloc(1, sizeof *tracer);

	tracer->events = *events;
	tracer->owner = owner;
	TAILQ_INIT(&tracer->live);
	TAILQ_INIT(&tracer->told);
	TAILQ_INIT(&tracer->late);
	pool_init(&tracer->pool);
	for (unsigned i = 0; i < BUCKETS; i++)
		LIST_INIT(&tracer->buckets[i]);
	events->random(owner, tracer->key, sizeof tracer->key);
	pl_buffer_init(&tracer->shown, 0);
	tracer->line.capacity = HEAD_BYTES + BODY_BYTES;
	tracer->line.data = pl_calloc(1, tracer->line.capacity);
	if (!builder_init(&tracer->builder) || !builder_init(&tracer->own)) {
		pl_error_set(error, "no memory for traces");
		pl_tracer_free(tracer);
		return NULL;
	}
	if (!pl_tracer_change(tracer, settings, error)) {
		pl_tracer_free(tracer);
		return NULL;
	}
	return tracer;
}

/* Those who hold a trace still may; it knows nobody any more. */
static void end_all(struct pl_tracer *tracer)
{
	struct pl_trace *trace;

	while ((trace = TAILQ_FIRST(&tracer->live)) != NULL)
		trace_end(trace);
}

void pl_tracer_free(struct pl_tracer *tracer)
{
	if (tracer == NULL)
		return;
	tracer->stirred = true; /* nothing is due any more */
	end_all(tracer);
	ring_resize(&tracer->failures, 0);
	ring_resize(&tracer->recent, 0);
	pool_finish(&tracer->pool);
	builder_finish(&tracer->builder);
	builder_finish(&tracer->own);
	free(tracer->line.data);
	pl_buffer_finish(&tracer->shown);
	if (tracer->kept != NULL)
		tracer->release(tracer->kept);
	folder_unref(tracer->folder);
	pl_wipe(tracer->key, sizeof tracer->key);
	free(tracer);
}

void **pl_tracer_keep(struct pl_tracer *tracer, void (*release)(void *kept))
{
	tracer->release = release;
	return &tracer->kept;
}

bool pl_tracer_active(const struct pl_tracer *tracer)
{
	return tracer != NULL &&
	       (tracer->folder != NULL || tracer->events.on_line != NULL ||
		tracer->failures.size > 0 || tracer->recent.size > 0);
}

int pl_tracer_trouble(struct pl_tracer *tracer)
{
	int error = 0;

	if (tracer->folder != NULL) {
		error = tracer->folder->error;
		tracer->folder->error = 0;
	}
	return error;
}

uint64_t pl_tracer_dropped(const struct pl_tracer *tracer)
{
	return tracer != NULL ? tracer->dropped : 0;
}

/* ----- the tick ----- */

/* Does anybody want to know how it goes on after the outcome? */
static bool wanted_longer(const struct pl_trace *trace)
{
	return trace->to_file || trace->to_line || trace->raw == PL_RAW_ALL;
}

void tracer_stir(struct pl_tracer *tracer)
{
	if (tracer->stirred)
		return;
	tracer->stirred = true;
	if (tracer->events.on_stir != NULL)
		tracer->events.on_stir(tracer->owner);
}

static void settle(struct pl_tracer *tracer)
{
	uint64_t now = tracer_now(tracer);
	struct pl_trace *trace;

	while ((trace = TAILQ_FIRST(&tracer->told)) != NULL &&
	       now >= trace->told_us + SETTLED_US) {
		trace_untold(trace);
		if (wanted_longer(trace))
			trace_settle(trace);
		else
			trace_end(trace);
	}
}

static void flush(struct pl_tracer *tracer)
{
	struct pl_trace *trace;

	while ((trace = TAILQ_FIRST(&tracer->late)) != NULL) {
		TAILQ_REMOVE(&tracer->late, trace, late_entry);
		trace->late = false;
		tracer->dropped += file_flush(&trace->file);
	}
}

bool pl_tracer_tick(struct pl_tracer *tracer)
{
	if (tracer == NULL)
		return false;
	tracer->stirred = true;
	flush(tracer);
	settle(tracer);
	tracer->stirred = pool_rest(&tracer->pool) ||
			  !TAILQ_EMPTY(&tracer->told) ||
			  !TAILQ_EMPTY(&tracer->late);
	return tracer->stirred;
}

bool pl_tracer_beside(struct pl_tracer *tracer, const char *path,
		      const char *suffix, const void *bytes, size_t length)
{
	const struct folder *folder = tracer != NULL ? tracer->folder : NULL;
	size_t front = folder != NULL ? strlen(folder->path) : 0;
	const char *dot = strrchr(path, '.');
	char *name;
	bool good;

	/* after a change of the directory it is not ours to write to */
	if (folder == NULL || strncmp(folder->path, path, front) != 0 ||
	    path[front] != '/' || strchr(path + front + 1, '/') != NULL ||
	    dot == NULL || dot < path + front ||
	    asprintf(&name, "%.*s%s", (int)(dot - path - front - 1),
		     path + front + 1, suffix) < 0)
		return false;
	good = folder_write(tracer->folder, name, bytes, length);
	free(name);
	return good;
}
