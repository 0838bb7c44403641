/* Streams and outcomes as JSON, with the keys of the outcome line. */
#include "internal.h"

#include <string.h>
#include <time.h>

/* Text of a peer: made printable, so that it is valid and safe to show. */
static json_t *text(const char *value)
{
	char printable[1024];

	if (value == NULL)
		return json_null();
	return json_string(pl_text_printable(printable, sizeof printable,
					     value, strlen(value)));
}

static json_t *row_number(int row)
{
	return row > 0 ? json_integer(row) : json_string("none");
}

static json_t *certificate(enum pl_certificate verdict, bool by_dane)
{
	return json_string(verdict == PL_CERT_VALID && by_dane
				   ? "valid/dane"
				   : pl_certificate_name(verdict));
}

/* The best method of the open pairs; and how many pairs there are. */
static const struct pl_pair *best_pair(const struct pl_stream_info *info,
				       int *open)
{
	const struct pl_pair *best = NULL;

	*open = 0;
	for (const struct pl_pair *pair = info->pairs; pair; pair = pair->next) {
		if (pair->state.phase != PL_PAIR_OPEN)
			continue;
		(*open)++;
		if (best == NULL || pair->state.method > best->state.method)
			best = pair;
	}
	return best;
}

static json_t *pair_list(const struct pl_stream_info *info)
{
	json_t *list = json_array();

	for (const struct pl_pair *pair = info->pairs; pair; pair = pair->next)
		if (pair->state.phase == PL_PAIR_OPEN)
			json_array_append_new(list, json_pack(
				"{s:o,s:o,s:s,s:o}",
				"local", text(pair->local),
				"remote", text(pair->remote),
				"method", pl_method_name(pair->state.method),
				"row", row_number(pair->partner.row)));
	return list;
}

/* Stream management (XEP-0198); null where the stream has none. */
static json_t *sm(const struct pl_stream_info *info)
{
	if (info->sm == NULL)
		return json_null();
	return json_pack("{s:b,s:b,s:I,s:I,s:I}",
			 "resumable", info->resumable,
			 "resumed", info->resumed,
			 "sent", (json_int_t)info->sm->sent,
			 "unacknowledged",
			 (json_int_t)pl_sm_unacked(info->sm),
			 "received", (json_int_t)info->sm->handled);
}

json_t *json_stream(const struct pl_stream_info *info, uint64_t now_ms)
{
	int open;
	const struct pl_pair *best = best_pair(info, &open);
	json_t *stream = json_object();

	json_object_set_new(stream, "id", json_string(info->id));
	json_object_set_new(stream, "dir",
			    json_string(info->incoming ? "in" : "out"));
	json_object_set_new(stream, "local",
			    text(best ? best->local : info->local));
	json_object_set_new(stream, "remote",
			    text(best ? best->remote : info->remote));
	json_object_set_new(stream, "method",
			    json_string(pl_method_name(
				    best ? (enum pl_method)best->state.method
					 : PL_METHOD_NONE)));
	json_object_set_new(stream, "tls",
			    json_string(info->tls ? info->tls : "none"));
	json_object_set_new(stream, "cert",
			    certificate(info->certificate, info->by_dane));
	json_object_set_new(stream, "row",
			    row_number(best ? best->partner.row : info->row));
	json_object_set_new(stream, "addr", text(info->addr));
	json_object_set_new(stream, "age", json_integer(
		(json_int_t)((now_ms - info->began_ms) / 1000)));
	json_object_set_new(stream, "phase",
			    json_string(pl_phase_name(info->phase)));
	json_object_set_new(stream, "verify_only",
			    json_boolean(info->verify_only));
	json_object_set_new(stream, "sm", sm(info));
	json_object_set_new(stream, "pairs", pair_list(info));
	return stream;
}

/* With the keys of a stream, as far as a component has them. */
json_t *json_component(const struct pl_component_info *info, uint64_t now_ms)
{
	return json_pack(
		"{s:s,s:s,s:o,s:s,s:s,s:s,s:s,s:s,s:o,s:I,s:s,s:b,s:I,s:I}",
		"id", info->id, "dir", "in", "local", text(info->name),
		"remote", "-", "method", "component", "tls", "none",
		"cert", "none", "row", "none", "addr", text(info->addr),
		"age", (json_int_t)((now_ms - info->began_ms) / 1000),
		"phase", info->attached ? "open" : "handshake",
		"verify_only", 0,
		"received", (json_int_t)info->received,
		"sent", (json_int_t)info->sent);
}

static json_t *expected(const struct pl_policy *policy)
{
	enum pl_method methods[3];
	size_t count = pl_policy_methods(policy, methods);
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list,
				      json_string(pl_method_name(methods[i])));
	return list;
}

static void add_failure(json_t *object, const struct pl_record *record)
{
	const struct pl_outcome *o = &record->outcome;

	json_object_set_new(object, "stage",
			    json_string(pl_stage_name(o->stage)));
	json_object_set_new(object, "code",
			    json_string(pl_code_entry(o->code)->name));
	json_object_set_new(object, "side", json_string(pl_side_name(o->side)));
	json_object_set_new(object, "why", text(record->why));
	json_object_set_new(object, "fix", text(record->fix));
}

json_t *json_record(const struct pl_record *record)
{
	const struct pl_outcome *o;
	json_t *object;
	bool failed;

	if (record == NULL)
		return json_null();
	o = &record->outcome;
	failed = o->method == PL_METHOD_NONE;
	object = json_pack("{s:s,s:s,s:o,s:o,s:s,s:s,s:o}",
			   "stream", o->stream,
			   "dir", o->incoming ? "in" : "out",
			   "local", text(o->local), "remote", text(o->remote),
			   "event", failed ? "failed" : "negotiated",
			   "method", pl_method_name(o->method),
			   "row", row_number(o->row));
	if (o->by_certificate)
		json_object_set_new(object, "verified-by",
				    json_string("certificate"));
	if (failed)
		add_failure(object, record);
	else
		json_object_set_new(object, "expected", expected(&o->policy));
	json_object_set_new(object, "tls",
			    json_string(o->tls ? o->tls : "none"));
	if (o->cipher != NULL)
		json_object_set_new(object, "cipher", json_string(o->cipher));
	json_object_set_new(object, "cert",
			    certificate(o->certificate, o->by_dane));
	json_object_set_new(object, "addr",
			    o->addr ? text(o->addr) : json_string("none"));
	json_object_set_new(object, "ms", json_integer((json_int_t)o->ms));
	return object;
}

static json_t *time_text(const struct timeval *when)
{
	char seconds[32];
	struct tm parts;

	gmtime_r(&when->tv_sec, &parts);
	if (strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &parts) == 0)
		return json_null();
	return json_sprintf("%s.%03dZ", seconds, (int)(when->tv_usec / 1000));
}

json_t *json_kept(const struct pl_trace_kept *kept)
{
	json_t *row = json_pack(
		"{s:s,s:I,s:o,s:s,s:o,s:o,s:s,s:o,s:s,s:I}",
		"id", kept->id, "number", (json_int_t)kept->number,
		"time", time_text(&kept->when),
		"dir", kept->incoming ? "in" : "out",
		"local", text(kept->local), "remote", text(kept->remote),
		"method", pl_method_name(kept->method),
		"row", row_number(kept->row), "result", kept->result,
		"ms", (json_int_t)kept->ms);

	if (kept->failed)
		json_object_set_new(row, "code", json_string(
			pl_code_entry(kept->code)->name));
	return row;
}
