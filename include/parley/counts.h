/*
 * counts.h: what is counted while a loop runs.
 *
 * Plain numbers that only grow, added to where the thing happens and read by
 * whoever shows them (the daemon's /metrics). No names, no addresses: how many
 * numbers there are does not depend on what peers do.
 */
#ifndef PARLEY_COUNTS_H
#define PARLEY_COUNTS_H

#include <stddef.h>
#include <stdint.h>

#include "parley/machine.h"

enum {
	PL_COUNTS_METHODS = PL_METHOD_SASL_OVER_TLS + 1,
	PL_COUNTS_STAGES = PL_STAGE_ERROR + 1,
	PL_COUNTS_BUCKETS = 11,
};

/* Upper bounds of the histogram's buckets, in milliseconds; what is above the
 * last one counts in the total alone. */
extern const unsigned pl_counts_bounds_ms[PL_COUNTS_BUCKETS];

struct pl_counts_histogram {
	uint64_t count, sum_ms;
	uint64_t buckets[PL_COUNTS_BUCKETS]; /* each for itself, not summed up */
};

/* Where there are two of something: [0] outgoing, [1] incoming. */
struct pl_counts {
	uint64_t negotiated[2][PL_COUNTS_METHODS]; /* outcomes, by method */
	uint64_t failed[2][PL_CODES];              /* outcomes, by code */
	struct pl_counts_histogram stages[PL_COUNTS_STAGES];
	uint64_t stanzas[2];       /* over S2S streams */
	uint64_t stanza_bytes[2];  /* [0] only: what came in is known as a tree */
	uint64_t bounces[PL_SCS];  /* stanza errors of ours, by condition */
	uint64_t refused;          /* connections, by a limit */
	uint64_t resumptions[2][2]; /* of streams; [1] went well */
	uint64_t unverified;       /* stanzas of users that may not begin */
};

/* Each takes NULL for "nobody counts". */
void pl_counts_outcome(struct pl_counts *counts, bool incoming,
		       enum pl_method method, enum pl_code code);
/* A stage of a negotiation took so long. */
void pl_counts_stage(struct pl_counts *counts, enum pl_stage stage,
		     uint64_t ms);
void pl_counts_stanza(struct pl_counts *counts, bool incoming, size_t bytes);
void pl_counts_resumption(struct pl_counts *counts, bool incoming, bool well);
void pl_counts_bounce(struct pl_counts *counts,
		      enum pl_stanza_condition condition);

#endif
