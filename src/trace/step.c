/* The steps of the machines as records, by the tables of fields.c. */
#include "internal.h"

#include <stdlib.h>

#include "parley/steps.h"

static void put_struct(struct pl_traced *connection, const char *key,
		       enum pl_step_part part, const void *thing)
{
	size_t count;
	const struct pl_step_field *fields = pl_step_fields(part, &count);

	pl_trace_object(connection, key);
	for (size_t i = 0; i < count; i++) {
		const struct pl_step_field *field = &fields[i];
		unsigned value = pl_step_get(field, thing);

		if (value == 0 && !field->always)
			continue;
		if (field->is_bool)
			pl_trace_bool(connection, field->key, value != 0);
		else if (field->name != NULL)
			pl_trace_text(connection, field->key,
				      field->name(value));
		else
			pl_trace_number(connection, field->key, value);
	}
	pl_trace_close(connection);
}

static void put_actions(struct pl_traced *connection,
			const struct pl_step *step)
{
	pl_trace_array(connection, "actions");
	for (size_t i = 0; i < step->count; i++)
		pl_trace_text(connection, NULL,
			      pl_action_name(step->actions[i]));
	pl_trace_close(connection);
}

/* The machine's terms in its last step; NULL: the terms stand in every step. */
static struct pl_terms *pair_terms(struct pl_traced *connection, unsigned pair,
				   bool *known)
{
	struct pair_terms *more;

	*known = true;
	for (size_t i = 0; i < connection->pairs_count; i++) {
		if (connection->pairs[i].pair == pair)
			return &connection->pairs[i].terms;
	}
	*known = false;
	if (connection->pairs_count == PAIRS)
		return NULL;
	more = realloc(connection->pairs,
		       (connection->pairs_count + 1) * sizeof *more);
	if (more == NULL)
		return NULL;
	connection->pairs = more;
	more[connection->pairs_count].pair = pair;
	return &more[connection->pairs_count++].terms;
}

static void put_terms(struct pl_traced *connection,
		      const struct pl_terms *terms, struct pl_terms *last,
		      bool known)
{
	/* all its members are bytes: there is nothing between them */
	_Static_assert(_Alignof(struct pl_terms) == 1, "terms have padding");

	if (known && memcmp(last, terms, sizeof *terms) == 0)
		return;
	put_struct(connection, "terms", PL_PART_TERMS, terms);
	if (last != NULL)
		*last = *terms;
}

void pl_trace_stream_step(struct pl_traced *connection,
			  const struct pl_terms *terms,
			  const struct pl_stream_state *before,
			  const struct pl_stream_event *event,
			  const struct pl_stream_state *after,
			  const struct pl_step *step)
{
	if (!pl_trace_live(connection))
		return;
	pl_trace_record(connection, PL_DIR_LOCAL, PL_STAGE_POLICY, "step");
	pl_trace_level(connection, PL_LOG_DEBUG);
	pl_trace_code(connection, (enum pl_code)step->code);
	pl_trace_summary(connection, "%s: %s -> %s",
			 pl_phase_name((enum pl_stream_phase)before->phase),
			 pl_event_name(event->kind),
			 pl_phase_name((enum pl_stream_phase)after->phase));
	pl_trace_text(connection, "machine", "stream");
	put_terms(connection, terms, &connection->stream_terms,
		  connection->stream_terms_known);
	connection->stream_terms_known = true;
	put_struct(connection, "before", PL_PART_STREAM_STATE, before);
	put_struct(connection, "event", PL_PART_STREAM_EVENT, event);
	put_actions(connection, step);
	put_struct(connection, "step", PL_PART_STEP, step);
	put_struct(connection, "after", PL_PART_STREAM_STATE, after);
	pl_trace_done(connection);
}

void pl_trace_pair_step(struct pl_traced *connection, unsigned pair,
			const struct pl_terms *terms,
			const struct pl_pair_state *before,
			const struct pl_pair_event *event,
			const struct pl_pair_state *after,
			const struct pl_step *step)
{
	struct pl_terms *last;
	bool known;

	if (!pl_trace_live(connection))
		return;
	last = pair_terms(connection, pair, &known);
	pl_trace_record(connection, PL_DIR_LOCAL, PL_STAGE_POLICY, "step");
	pl_trace_level(connection, PL_LOG_DEBUG);
	pl_trace_code(connection, (enum pl_code)step->code);
	pl_trace_summary(connection, "pair %u, %s: %s -> %s", pair,
			 pl_pair_phase_name((enum pl_pair_phase)before->phase),
			 pl_pair_event_name(event->kind),
			 pl_pair_phase_name((enum pl_pair_phase)after->phase));
	pl_trace_text(connection, "machine", "pair");
	pl_trace_number(connection, "pair", pair);
	put_terms(connection, terms, last, known);
	put_struct(connection, "before", PL_PART_PAIR_STATE, before);
	put_struct(connection, "event", PL_PART_PAIR_EVENT, event);
	put_actions(connection, step);
	put_struct(connection, "step", PL_PART_STEP, step);
	put_struct(connection, "after", PL_PART_PAIR_STATE, after);
	pl_trace_done(connection);
}
