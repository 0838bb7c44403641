/*
 * Replay: the recorded events go to the core once more (policy.step), each
 * machine for itself, and must have the same actions, results and states. What
 * the core was told then is all that it needs: no network, clock or key.
 */
#include "parley/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parley/steps.h"

enum { MACHINES = 256 };

/* A machine of the trace: the stream's, or one pair's, of one connection. */
struct machine {
	char stream[16];
	int pair; /* -1: the stream's own */
	bool has_terms;
	struct pl_terms terms;
	union {
		struct pl_stream_state stream;
		struct pl_pair_state pair;
	} state;
};

struct replay {
	struct machine machines[MACHINES];
	size_t count;
	const struct pl_report_record *record;
	struct pl_report_replay *result;
};

/* ----- telling ----- */

static void differs(struct replay *r, const char *what, const char *then,
		    const char *now)
{
	const json_t *event = json_object_get(r->record->detail, "event");
	const char *kind = json_string_value(json_object_get(event, "kind"));

	if (!r->result->same)
		return;
	r->result->same = false;
	r->result->seq = r->record->seq;
	snprintf(r->result->text, sizeof r->result->text,
		 "%.15s, %.40s: %.40s was %.200s and is now %.200s",
		 r->record->stream, kind != NULL ? kind : "?", what, then, now);
}

static void unreadable(struct replay *r, const char *what, const char *key)
{
	if (!r->result->same)
		return;
	r->result->same = false;
	r->result->seq = r->record->seq;
	snprintf(r->result->text, sizeof r->result->text,
		 "the record cannot be read: %.40s \"%.60s\"", what, key);
}

/* ----- reading what was recorded ----- */

static bool read_value(const struct pl_step_field *field, const json_t *value,
		       unsigned *out)
{
	if (json_is_boolean(value)) {
		*out = json_is_true(value);
		return field->is_bool;
	}
	if (json_is_string(value))
		return pl_step_parse(field, json_string_value(value), out);
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > UINT32_MAX)
		return false;
	*out = (unsigned)json_integer_value(value);
	return true;
}

/* Fields that are left out are 0. */
static bool read_part(struct replay *r, const char *name,
		      enum pl_step_part part, void *out)
{
	json_t *object = json_object_get(r->record->detail, name), *value;
	const char *key;

	if (!json_is_object(object)) {
		unreadable(r, "there is no object", name);
		return false;
	}
	json_object_foreach(object, key, value) {
		const struct pl_step_field *field = pl_step_field(part, key);
		unsigned number;

		if (field == NULL || !read_value(field, value, &number) ||
		    !pl_step_set(field, out, number)) {
			unreadable(r, "field", key);
			return false;
		}
	}
	return true;
}

static bool read_actions(struct replay *r, struct pl_step *out)
{
	const json_t *list = json_object_get(r->record->detail, "actions");
	const json_t *item;
	size_t i;

	if (json_array_size(list) > PL_STEP_ACTIONS) {
		unreadable(r, "more actions than a step holds", "actions");
		return false;
	}
	json_array_foreach(list, i, item) {
		unsigned action;
		const char *name = json_string_value(item);

		if (name == NULL || !pl_step_action(name, &action)) {
			unreadable(r, "action", name ? name : "?");
			return false;
		}
		out->actions[out->count++] = (uint8_t)action;
	}
	return true;
}

/* ----- comparing ----- */

static const char *value_text(const struct pl_step_field *field,
			      const void *thing, char out[24])
{
	unsigned value = pl_step_get(field, thing);

	if (field->is_bool)
		return value ? "true" : "false";
	if (field->name != NULL)
		return field->name(value);
	snprintf(out, 24, "%u", value);
	return out;
}

static bool same_part(struct replay *r, enum pl_step_part part,
		      const void *then, const void *now)
{
	size_t count;
	const struct pl_step_field *fields = pl_step_fields(part, &count);

	for (size_t i = 0; i < count; i++) {
		char a[24], b[24];

		if (pl_step_get(&fields[i], then) ==
		    pl_step_get(&fields[i], now))
			continue;
		differs(r, fields[i].key, value_text(&fields[i], then, a),
			value_text(&fields[i], now, b));
		return false;
	}
	return true;
}

static void action_list(const struct pl_step *step, char *out, size_t size)
{
	size_t used = 0;

	snprintf(out, size, "nothing");
	for (size_t i = 0; i < step->count && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%s",
					 i ? " " : "",
					 pl_action_name(step->actions[i]));
}

static bool same_step(struct replay *r, const struct pl_step *then,
		      const struct pl_step *now)
{
	char a[200], b[200];

	if (then->count == now->count &&
	    memcmp(then->actions, now->actions, then->count) == 0)
		return same_part(r, PL_PART_STEP, then, now);
	action_list(then, a, sizeof a);
	action_list(now, b, sizeof b);
	differs(r, "what to do", a, b);
	return false;
}

/* ----- one step ----- */

static struct machine *find(struct replay *r, int pair)
{
	const char *stream = r->record->stream;
	struct machine *machine;

	for (size_t i = 0; i < r->count; i++)
		if (r->machines[i].pair == pair &&
		    strcmp(r->machines[i].stream, stream) == 0)
			return &r->machines[i];
	if (r->count == MACHINES ||
	    strlen(stream) >= sizeof r->machines[0].stream) {
		unreadable(r, "too many machines", stream);
		return NULL;
	}
	machine = &r->machines[r->count++];
	snprintf(machine->stream, sizeof machine->stream, "%s", stream);
	machine->pair = pair;
	return machine;
}

static bool take_terms(struct replay *r, struct machine *machine)
{
	if (json_object_get(r->record->detail, "terms") != NULL) {
		memset(&machine->terms, 0, sizeof machine->terms);
		machine->has_terms = true;
		return read_part(r, "terms", PL_PART_TERMS, &machine->terms);
	}
	if (!machine->has_terms)
		unreadable(r, "no terms came before", machine->stream);
	return machine->has_terms;
}

/* A state that is at its beginning may begin again: a pair's next attempt. */
static bool begins(bool pair, const void *before)
{
	if (pair) {
		const struct pl_pair_state *state = before;

		return state->phase == PL_PAIR_AWAIT_STREAM ||
		       state->phase == PL_PAIR_AWAIT_REQUEST;
	}
	return ((const struct pl_stream_state *)before)->phase == PL_IDLE;
}

static void step_stream(struct replay *r, struct machine *machine)
{
	struct pl_stream_state before = { 0 }, after = { 0 };
	struct pl_stream_event event = { 0 };
	struct pl_step then = { 0 }, now;

	if (!read_part(r, "before", PL_PART_STREAM_STATE, &before) ||
	    !read_part(r, "event", PL_PART_STREAM_EVENT, &event) ||
	    !read_part(r, "after", PL_PART_STREAM_STATE, &after) ||
	    !read_part(r, "step", PL_PART_STEP, &then) ||
	    !read_actions(r, &then))
		return;
	if (begins(false, &before))
		machine->state.stream = before;
	if (!same_part(r, PL_PART_STREAM_STATE, &before,
		       &machine->state.stream))
		return;
	pl_stream_step(&machine->terms, &machine->state.stream, &event, &now);
	if (same_step(r, &then, &now) &&
	    same_part(r, PL_PART_STREAM_STATE, &after, &machine->state.stream))
		r->result->steps++;
}

static void step_pair(struct replay *r, struct machine *machine)
{
	struct pl_pair_state before = { 0 }, after = { 0 };
	struct pl_pair_event event = { 0 };
	struct pl_step then = { 0 }, now;

	if (!read_part(r, "before", PL_PART_PAIR_STATE, &before) ||
	    !read_part(r, "event", PL_PART_PAIR_EVENT, &event) ||
	    !read_part(r, "after", PL_PART_PAIR_STATE, &after) ||
	    !read_part(r, "step", PL_PART_STEP, &then) ||
	    !read_actions(r, &then))
		return;
	if (begins(true, &before))
		machine->state.pair = before;
	if (!same_part(r, PL_PART_PAIR_STATE, &before, &machine->state.pair))
		return;
	pl_pair_step(&machine->terms, &machine->state.pair, &event, &now);
	if (same_step(r, &then, &now) &&
	    same_part(r, PL_PART_PAIR_STATE, &after, &machine->state.pair))
		r->result->steps++;
}

static void step(struct replay *r)
{
	const json_t *detail = r->record->detail;
	const char *which = json_string_value(json_object_get(detail, "machine"));
	const json_t *number = json_object_get(detail, "pair");
	bool pair = which != NULL && strcmp(which, "pair") == 0;
	struct machine *machine;

	if (!pair && (which == NULL || strcmp(which, "stream") != 0)) {
		unreadable(r, "machine", which != NULL ? which : "?");
		return;
	}
	if (pair && (!json_is_integer(number) ||
		     json_integer_value(number) < 0 ||
		     json_integer_value(number) > 100000)) {
		unreadable(r, "a pair without its number", "pair");
		return;
	}
	machine = find(r, pair ? (int)json_integer_value(number) : -1);
	if (machine == NULL || !take_terms(r, machine))
		return;
	if (pair)
		step_pair(r, machine);
	else
		step_stream(r, machine);
}

void pl_report_replay(const struct pl_report_trace *trace,
		      struct pl_report_replay *result)
{
	struct replay *r = pl_calloc(1, sizeof *r);

	*result = (struct pl_report_replay){ .same = true };
	r->result = result;
	for (size_t i = 0; i < trace->count && result->same; i++) {
		r->record = &trace->records[i];
		if (strcmp(r->record->event, "policy.step") == 0)
			step(r);
	}
	free(r);
}
