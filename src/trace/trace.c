/*
 * Negotiations and their connections.
 *
 * A trace lives while anybody keeps it (a reference, a connection) or a ring
 * holds it. It ends once: when nobody keeps it any more, or earlier by the
 * tick; from then on its connections are dead and record nothing. One that was
 * tied to another is a signpost to that.
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	NAME_SHOWN = 255,    /* bytes of a domain in a hop */
	COMPONENT_FAILURES = 8, /* that are kept */
};

struct chunk {
	struct chunk *next;
	struct slab *home;
	size_t used, size;
	_Alignas(8) unsigned char bytes[];
};

/* ----- memory ----- */

/* One that is large stands behind the one that is being filled. */
static struct chunk *add_chunk(struct pl_trace *trace, size_t bytes)
{
	size_t whole = sizeof(struct chunk) + bytes;
	struct slab *home;
	struct chunk *chunk;

	if (whole < POOL_BLOCK)
		whole = POOL_BLOCK;
	chunk = pool_get(&trace->tracer->pool, whole, &home);
	if (chunk == NULL)
		return NULL;
	chunk->home = home;
	chunk->used = 0;
	chunk->size = whole - sizeof *chunk;
	if (home != NULL || trace->chunks == NULL) {
		chunk->next = trace->chunks;
		trace->chunks = chunk;
	} else {
		chunk->next = trace->chunks->next;
		trace->chunks->next = chunk;
	}
	return chunk;
}

struct record *trace_room(struct pl_trace *trace, size_t bytes)
{
	struct chunk *chunk = trace->chunks;
	void *room;

	bytes = (bytes + 7) & ~(size_t)7;
	if (trace->bytes + bytes > PL_TRACE_MEMORY_BYTES)
		return NULL;
	if (chunk == NULL || chunk->size - chunk->used < bytes)
		chunk = add_chunk(trace, bytes);
	if (chunk == NULL)
		return NULL;
	room = chunk->bytes + chunk->used;
	chunk->used += bytes;
	trace->bytes += bytes;
	return room;
}

static void free_chunks(struct pl_trace *trace)
{
	while (trace->chunks != NULL) {
		struct chunk *chunk = trace->chunks;

		trace->chunks = chunk->next;
		pool_put(&trace->tracer->pool, chunk->home, chunk,
			 sizeof *chunk + chunk->size);
		tracer_stir(trace->tracer);
	}
	trace->first = NULL;
	trace->last = &trace->first;
}

static void free_if_unused(struct pl_trace *trace)
{
	struct pl_trace *moved = trace->moved;

	if (trace->keepers > 0 || trace->rings > 0 || !trace->ended)
		return;
	free_chunks(trace);
	file_finish(&trace->file);
	pl_wipe(trace->key, sizeof trace->key);
	free(trace->local);
	free(trace->remote);
	free(trace->why);
	free(trace);
	if (moved != NULL)
		pl_trace_unref(moved);
}

void trace_unring(struct pl_trace *trace)
{
	trace->rings--;
	/* Its stream may live on for days, and nobody can ask for these now. */
	if (trace->rings == 0 && trace->ended)
		free_chunks(trace);
	free_if_unused(trace);
}

/* ----- names ----- */

static const char *const role_names[] = {
	[PL_ROLE_INITIATOR] = "initiator",
	[PL_ROLE_RECEIVER] = "receiver",
	[PL_ROLE_AUTHORITATIVE] = "authoritative",
	[PL_ROLE_COMPONENT] = "component",
};

/* A name that is no domain cannot make a second arrow. */
static void put_hop_name(struct text *text, const char *name)
{
	char shown[NAME_SHOWN + 1];

	if (name == NULL || *name == '\0')
		name = "?";
	snprintf(shown, text_cut(name, strlen(name), NAME_SHOWN) + 1, "%s",
		 name);
	for (char *c = shown; *c != '\0'; c++) {
		if (*c == '>')
			*c = '?';
	}
	text_escaped(text, HOP_BYTES / 2 - 64, shown, strlen(shown));
}

void trace_hop(char *out, const char *from, const char *to,
	       enum pl_trace_role role)
{
	struct text text = { .data = out, .capacity = HOP_BYTES };

	text_literal(&text, "\"hop\":\"");
	put_hop_name(&text, from);
	text_char(&text, '>');
	put_hop_name(&text, to);
	text_literal(&text, "\",\"role\":\"");
	text_string(&text, role_names[role]);
	text_literal(&text, "\"");
	text_char(&text, '\0');
}

/* FNV-1a over both names. */
static unsigned bucket_of(const char *local, const char *remote)
{
	uint32_t hash = 2166136261u;

	for (; *local != '\0'; local++)
		hash = (hash ^ (unsigned char)*local) * 16777619u;
	hash = (hash ^ '>') * 16777619u;
	for (; *remote != '\0'; remote++)
		hash = (hash ^ (unsigned char)*remote) * 16777619u;
	return hash % BUCKETS;
}

static void unhash(struct pl_trace *trace)
{
	if (trace->hashed)
		LIST_REMOVE(trace, bucket);
	trace->hashed = false;
}

static void set_name(char **name, const char *value)
{
	char *copy;

	if (value == NULL || (*name != NULL && strcmp(*name, value) == 0))
		return;
	copy = strdup(value);
	if (copy == NULL)
		return;
	free(*name);
	*name = copy;
}

static void name_trace(struct pl_trace *trace, const char *local,
		       const char *remote)
{
	set_name(&trace->local, local);
	set_name(&trace->remote, remote);
	unhash(trace);
	if (trace->incoming || trace->local == NULL || trace->remote == NULL)
		return;
	LIST_INSERT_HEAD(&trace->tracer->buckets[bucket_of(trace->local,
							   trace->remote)],
			 trace, bucket);
	trace->hashed = true;
}

/* ----- one negotiation ----- */

/* Where a tied trace has gone to. */
static struct pl_trace *resolve(struct pl_trace *trace)
{
	while (trace != NULL && trace->moved != NULL)
		trace = trace->moved;
	return trace;
}

/* Too many are under way: the oldest whose outcome is told makes room. */
static bool make_way(struct pl_tracer *tracer)
{
	struct pl_trace *trace;

	if (tracer->live_count < PL_TRACE_LIVE)
		return true;
	TAILQ_FOREACH(trace, &tracer->live, entry) {
		if (!trace->told || trace->told_us == 0)
			continue;
		trace_end(trace);
		return true;
	}
	return false;
}

static void make_id(struct pl_tracer *tracer, char id[13])
{
	unsigned char bytes[6];

	tracer->events.random(tracer->owner, bytes, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(id + 2 * i, 3, "%02x", bytes[i]);
}

struct pl_trace *pl_trace_begin(struct pl_tracer *tracer, bool incoming,
				const char *local, const char *remote)
{
	struct pl_trace *trace;

	if (tracer == NULL || !pl_tracer_active(tracer) || !make_way(tracer))
		return NULL;
	trace = calloc(1, sizeof *trace);
	if (trace == NULL)
		return NULL;
	trace->tracer = tracer;
	trace->keepers = 1;
	trace->incoming = incoming;
	trace->role = incoming ? PL_ROLE_RECEIVER : PL_ROLE_INITIATOR;
	trace->raw = tracer->raw;
	trace->last = &trace->first;
	trace->start_us = trace->last_us = tracer_now(tracer);
	trace->start_wall = tracer->events.wall(tracer->owner);
	LIST_INIT(&trace->connections);
	make_id(tracer, trace->id);
	tracer->events.random(tracer->owner, trace->key, sizeof trace->key);
	name_trace(trace, local, remote);
	TAILQ_INSERT_TAIL(&tracer->live, trace, entry);
	tracer->live_count++;
	return trace;
}

struct pl_trace *pl_trace_ref(struct pl_trace *trace)
{
	if (trace != NULL)
		trace->keepers++;
	return trace;
}

void pl_trace_unref(struct pl_trace *trace)
{
	if (trace == NULL)
		return;
	if (--trace->keepers == 0 && !trace->ended)
		trace_end(trace);
	else
		free_if_unused(trace);
}

void pl_trace_terms(struct pl_trace *trace, const char *local,
		    const char *remote, const struct pl_policy *policy, int row)
{
	trace = resolve(trace);
	if (trace == NULL || trace->ended)
		return;
	name_trace(trace, local, remote);
	trace->policy_known = policy != NULL && row > 0;
	if (!trace->policy_known)
		return;
	trace->policy = *policy;
	trace->row = row;
}

enum result trace_result(const struct pl_trace *trace)
{
	if (trace->told)
		return trace->method != PL_METHOD_NONE ? RESULT_NEGOTIATED
						       : RESULT_FAILED;
	return trace->served ? RESULT_SERVED : RESULT_INCOMPLETE;
}

const char *trace_result_name(enum result result)
{
	static const char *const names[] = {
		[RESULT_INCOMPLETE] = "incomplete",
		[RESULT_SERVED] = "served",
		[RESULT_FAILED] = "failed",
		[RESULT_NEGOTIATED] = "negotiated",
	};

	return names[result];
}

static void leave_live(struct pl_trace *trace)
{
	struct pl_tracer *tracer = trace->tracer;
	struct builder *builder = &tracer->builder;

	if (builder->connection != NULL && builder->connection->trace == trace)
		builder_drop(builder);
	trace_untold(trace);
	if (trace->late)
		TAILQ_REMOVE(&tracer->late, trace, late_entry);
	trace->late = false;
	TAILQ_REMOVE(&tracer->live, trace, entry);
	tracer->live_count--;
	unhash(trace);
	trace->ended = true;
}

/* One that tries again and again must not push other servers' failures out. */
static void keep_component(struct pl_trace *trace, enum result result)
{
	if (result != RESULT_FAILED || trace->in_failures ||
	    trace->remote == NULL)
		return;
	ring_bound(&trace->tracer->failures, PL_ROLE_COMPONENT,
		   COMPONENT_FAILURES - 1);
	ring_put(&trace->tracer->failures, trace);
	trace->in_failures = true;
}

/* Into the rings where it belongs, once into each. Who never said who it is,
 * and who scans ports does not, pushes nobody out of the failures. */
static void keep(struct pl_trace *trace)
{
	struct pl_tracer *tracer = trace->tracer;
	enum result result = trace_result(trace);
	bool failure = result == RESULT_FAILED && trace->remote != NULL;

	if (trace->number == 0)
		trace->number = ++tracer->negotiations;
	if (trace->role == PL_ROLE_COMPONENT) {
		keep_component(trace, result);
		return;
	}
	if (failure && !trace->in_failures)
		ring_put(&tracer->failures, trace);
	if (result != RESULT_SERVED && !trace->in_recent)
		ring_put(&tracer->recent, trace);
	trace->in_failures |= failure;
	trace->in_recent |= result != RESULT_SERVED;
}

void trace_untold(struct pl_trace *trace)
{
	if (trace->due)
		TAILQ_REMOVE(&trace->tracer->told, trace, told_entry);
	trace->due = false;
}

void trace_told(struct pl_trace *trace)
{
	struct pl_tracer *tracer = trace->tracer;

	trace_untold(trace);
	trace->told_us = tracer_now(tracer);
	TAILQ_INSERT_TAIL(&tracer->told, trace, told_entry);
	trace->due = true;
	tracer_stir(tracer);
}

void trace_settle(struct pl_trace *trace)
{
	if (trace->settled)
		return;
	trace->settled = true;
	trace->end_us = tracer_now(trace->tracer);
	trace->end_wall = trace->tracer->events.wall(trace->tracer->owner);
	keep(trace);
}

void trace_end(struct pl_trace *trace)
{
	struct pl_tracer *tracer = trace->tracer;
	char *path;

	leave_live(trace);
	known_wipe(trace);
	lines_end(trace);
	path = trace->to_file ? file_path(&trace->file) : NULL;
	file_finish(&trace->file);
	if (!trace->told)
		trace->ms = (trace->last_us - trace->start_us) / 1000;
	trace->rings++; /* held until here */
	trace_settle(trace);
	keep(trace); /* it may have failed since */
	if (tracer->events.on_end != NULL)
		tracer->events.on_end(tracer->owner, trace->id, path);
	free(path);
	if (trace->rings == 1)
		free_chunks(trace);
	trace_unring(trace);
}

/* ----- its connections ----- */

static void make_hop(struct pl_traced *connection)
{
	char text[HOP_BYTES], *hop;

	trace_hop(text, connection->accepted ? connection->remote
					     : connection->local,
		  connection->accepted ? connection->local
				       : connection->remote, connection->role);
	hop = strdup(text);
	if (hop == NULL)
		return;
	free(connection->hop);
	connection->hop = hop;
}

struct pl_traced *pl_trace_connection(struct pl_trace *trace,
				      enum pl_trace_role role,
				      const struct pl_traced *parent)
{
	struct pl_traced *connection;

	trace = resolve(trace);
	if (trace == NULL || trace->ended ||
	    trace->connections_count == CONNECTIONS)
		return NULL;
	connection = calloc(1, sizeof *connection);
	if (connection == NULL)
		return NULL;
	connection->number = ++trace->connections_count;
	connection->accepted = trace->incoming && connection->number == 1;
	connection->role = role;
	set_name(&connection->local, trace->local);
	set_name(&connection->remote, trace->remote);
	make_hop(connection);
	if (connection->hop == NULL) {
		free(connection->local);
		free(connection->remote);
		free(connection);
		return NULL;
	}
	if (parent != NULL && parent->trace == trace)
		connection->parent = parent->number;
	if (connection->number == 1)
		trace->role = role;
	connection->trace = pl_trace_ref(trace);
	LIST_INSERT_HEAD(&trace->connections, connection, entry);
	trace_untold(trace);
	trace->told_us = 0; /* there is more to come */
	trace->settled = false;
	return connection;
}

void pl_trace_leave(struct pl_traced *connection)
{
	struct pl_trace *trace;

	if (connection == NULL)
		return;
	trace = connection->trace;
	if (!trace->ended && trace->tracer->builder.connection == connection)
		builder_drop(&trace->tracer->builder);
	LIST_REMOVE(connection, entry);
	free(connection->local);
	free(connection->remote);
	free(connection->hop);
	free(connection->pairs);
	free(connection);
	pl_trace_unref(trace);
}

bool pl_trace_live(const struct pl_traced *connection)
{
	return connection != NULL && !connection->trace->ended;
}

bool pl_trace_stanza(struct pl_traced *connection)
{
	const struct pl_tracer *tracer;
	struct pl_trace *trace;
	bool file;

	if (!pl_trace_live(connection))
		return false;
	trace = connection->trace;
	tracer = trace->tracer;
	/* before the first record is final, a file may still be chosen */
	file = trace->final ? trace->to_file : tracer->folder != NULL;
	if (file || tracer->events.on_line != NULL || trace->raw == PL_RAW_ALL)
		return true;
	if (trace->stanzas >= PL_TRACE_STANZAS)
		return false;
	trace->stanzas++;
	return true;
}

struct pl_trace *pl_trace_of(struct pl_traced *connection)
{
	return connection != NULL ? connection->trace : NULL;
}

void pl_trace_rename(struct pl_traced *connection, enum pl_trace_role role,
		     const char *local, const char *remote)
{
	struct pl_trace *trace;

	if (!pl_trace_live(connection))
		return;
	trace = connection->trace;
	connection->role = role;
	set_name(&connection->local, local);
	set_name(&connection->remote, remote);
	make_hop(connection);
	if (connection->number != 1)
		return;
	trace->role = role;
	if (trace->incoming)
		name_trace(trace, trace->local == NULL ? local : NULL,
			   trace->remote == NULL ? remote : NULL);
}

/* ----- a connection that belongs to another trace ----- */

/* The newest negotiation of ours that is under way. */
static struct pl_trace *find_own(struct pl_tracer *tracer, const char *local,
				 const char *remote)
{
	uint64_t now = tracer_now(tracer);
	struct pl_trace *trace;

	LIST_FOREACH(trace, &tracer->buckets[bucket_of(local, remote)],
		     bucket) {
		if (strcmp(trace->local, local) == 0 &&
		    strcmp(trace->remote, remote) == 0 &&
		    (!trace->told || trace->told_us == 0 ||
		     now < trace->told_us + TIE_US))
			return trace;
	}
	return NULL;
}

/* Gives the records of one trace the numbers and tags of the other. */
static void restamp(struct pl_trace *trace, struct pl_trace *to,
		    unsigned offset)
{
	for (struct record *r = trace->first; r != NULL; r = r->next) {
		r->stream = (uint16_t)(r->stream + offset);
		r->parent = (uint16_t)(r->parent > 0 ? r->parent + offset : 1);
		for (unsigned i = 0; i < r->marks_count; i++)
			mask_tag(to, r->marks[i].digest,
				 record_text(r) + r->marks[i].offset);
	}
}

static void move_records(struct pl_trace *trace, struct pl_trace *to,
			 unsigned offset)
{
	struct record *first = trace->first;
	struct chunk **end = &trace->chunks;

	to->dropped += trace->dropped;
	restamp(trace, to, offset);
	if (to->final)
		lines_moved(to, first);
	else
		to->lost += trace->lost;
	if (first == NULL)
		return;
	*to->last = first;
	to->last = trace->last;
	to->bytes += trace->bytes;
	/* behind the chunk that is being filled */
	while (*end != NULL)
		end = &(*end)->next;
	if (to->chunks != NULL) {
		*end = to->chunks->next;
		to->chunks->next = trace->chunks;
	} else {
		to->chunks = trace->chunks;
	}
	trace->chunks = NULL;
	trace->first = NULL;
	trace->last = &trace->first;
}

static void drop_records(struct pl_trace *trace)
{
	unsigned count = 0;

	for (struct record *r = trace->first; r != NULL; r = r->next)
		count++;
	trace->dropped += count;
	trace->lost += count;
	trace->tracer->dropped += count;
	free_chunks(trace);
	trace->bytes = 0;
}

static void move_connections(struct pl_trace *trace, struct pl_trace *to,
			     unsigned offset)
{
	struct pl_traced *c;

	while ((c = LIST_FIRST(&trace->connections)) != NULL) {
		LIST_REMOVE(c, entry);
		c->number += offset;
		c->parent = c->parent > 0 ? c->parent + offset : 1;
		c->trace = pl_trace_ref(to);
		trace->keepers--;
		LIST_INSERT_HEAD(&to->connections, c, entry);
	}
	to->connections_count = offset + trace->connections_count;
}

bool pl_trace_tie(struct pl_traced *connection, const char *local,
		  const char *remote)
{
	struct pl_trace *trace, *to;
	unsigned offset;

	if (!pl_trace_live(connection) || local == NULL || remote == NULL)
		return false;
	trace = connection->trace;
	to = trace->incoming ? find_own(trace->tracer, local, remote) : NULL;
	if (to == NULL)
		return false;
	/* "s1" is the first connection of ours, also before it stands */
	offset = to->connections_count > 0 ? to->connections_count : 1;
	if (offset + trace->connections_count > CONNECTIONS)
		return false;
	if (trace->tracer->builder.connection != NULL)
		pl_trace_done(trace->tracer->builder.connection);
	if (to->bytes + trace->bytes > PL_TRACE_MEMORY_BYTES)
		drop_records(trace);
	known_move(trace, to);
	leave_live(trace);
	file_remove(&trace->file);
	file_finish(&trace->file);
	trace->keepers++; /* until the end of this */
	move_records(trace, to, offset);
	move_connections(trace, to, offset);
	trace->moved = pl_trace_ref(to);
	if (to->told)
		trace_told(to);
	pl_trace_unref(trace);
	return true;
}

/* ----- the outcome ----- */

/* Why, as the outcome line has it. */
static void tell_why(struct pl_trace *trace, const struct pl_outcome *outcome)
{
	char why[2048];

	free(trace->why);
	trace->why = NULL;
	if (outcome->method == PL_METHOD_NONE)
		trace->why = strdup(pl_outcome_why(outcome, why, sizeof why));
	if (trace->why != NULL)
		known_mask(trace, trace->why);
}

void pl_trace_outcome(struct pl_traced *connection,
		      const struct pl_outcome *outcome)
{
	struct pl_trace *trace;
	bool own;

	if (!pl_trace_live(connection))
		return;
	trace = connection->trace;
	own = outcome->incoming == trace->incoming;
	trace_told(trace);
	/* The stream of the peer's own has an outcome too; ours is what the
	 * trace is about. */
	if (trace->told_own && !own)
		return;
	trace->settled = false;
	trace->told = true;
	trace->told_own = own;
	trace->method = outcome->method;
	trace->code = outcome->method == PL_METHOD_NONE ? outcome->code
							: PL_CODE_NONE;
	trace->side = outcome->side;
	trace->told_row = outcome->row;
	trace->ms = outcome->ms;
	memcpy(trace->told_stage_us, trace->stage_us,
	       sizeof trace->told_stage_us);
	trace->told_stages_seen = trace->stages_seen;
	tell_why(trace, outcome);
	name_trace(trace, trace->local == NULL ? outcome->local : NULL,
		   trace->remote == NULL ? outcome->remote : NULL);
}

void pl_trace_component(struct pl_traced *connection, enum pl_code code,
			const char *why)
{
	struct pl_trace *trace;

	if (!pl_trace_live(connection))
		return;
	trace = connection->trace;
	trace_told(trace);
	trace->settled = false;
	trace->served = code == PL_CODE_NONE;
	if (trace->served)
		return;
	trace->told = trace->told_own = true;
	trace->code = code;
	trace->side = pl_code_entry(code)->side;
	trace->ms = (trace->told_us - trace->start_us) / 1000;
	memcpy(trace->told_stage_us, trace->stage_us,
	       sizeof trace->told_stage_us);
	trace->told_stages_seen = trace->stages_seen;
	free(trace->why);
	trace->why = why != NULL ? strdup(why) : NULL;
}
