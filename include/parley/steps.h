/*
 * steps.h: how a step of the machines stands in a trace (policy.step), for
 * those who write it (trace) and those who read it back (replay).
 *
 *     {"machine":"stream","terms":{"tls":"required", ...},
 *      "before":{"role":"initiating","phase":"await-header", ...},
 *      "event":{"kind":"header","version_1":true, ...},
 *      "actions":["send-header","arm"],
 *      "step":{"deadline":"features"},
 *      "after":{"role":"initiating","phase":"await-features", ...}}
 *
 * Each object is one of the structs below, field by field: a switch is true,
 * a value of an enum its name (numbers of enums change when lists grow), all
 * else a number. A field that is left out is 0. `terms` stand where they
 * differ from those of the machine's last step on that connection; a pair step
 * has "machine":"pair" and a small number "pair" that names it there.
 */
#ifndef PARLEY_STEPS_H
#define PARLEY_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parley/machine.h"

enum pl_step_part {
	PL_PART_TERMS,        /* struct pl_terms */
	PL_PART_STREAM_STATE, /* struct pl_stream_state */
	PL_PART_STREAM_EVENT, /* struct pl_stream_event, with its header */
	PL_PART_PAIR_STATE,   /* struct pl_pair_state */
	PL_PART_PAIR_EVENT,   /* struct pl_pair_event */
	PL_PART_STEP,         /* struct pl_step but its actions and their count */
	PL_PARTS,
};

struct pl_step_field {
	const char *key;
	size_t offset, size;   /* in its struct; size 1 or 4 */
	bool is_bool;
	bool always;           /* written even where it is 0 */
	const char *(*name)(unsigned value); /* of an enum; else NULL */
	unsigned count;        /* of an enum: how many values */
};

/* The fields of a struct, in the order in which they are written. */
const struct pl_step_field *pl_step_fields(enum pl_step_part part,
					   size_t *count);
/* The field of that key, or NULL. */
const struct pl_step_field *pl_step_field(enum pl_step_part part,
					  const char *key);

unsigned pl_step_get(const struct pl_step_field *field, const void *thing);
/* The value must fit: at most 1 for a switch, 255 where the size is 1, less
 * than count for an enum; false (and nothing is set) where it does not. */
bool pl_step_set(const struct pl_step_field *field, void *thing,
		 unsigned value);
/* The value of an enum by its name. */
bool pl_step_parse(const struct pl_step_field *field, const char *name,
		   unsigned *value);
/* An action of either kind by its name. */
bool pl_step_action(const char *name, unsigned *action);

#endif
