/* What is counted while a loop runs. */
#include "parley/counts.h"

const unsigned pl_counts_bounds_ms[PL_COUNTS_BUCKETS] = {
	1, 2, 5, 10, 20, 50, 100, 250, 1000, 5000, 30000,
};

void pl_counts_outcome(struct pl_counts *counts, bool incoming,
		       enum pl_method method, enum pl_code code)
{
	if (counts == NULL)
		return;
	if (method != PL_METHOD_NONE)
		counts->negotiated[incoming][method]++;
	else
		counts->failed[incoming][code]++;
}

void pl_counts_stage(struct pl_counts *counts, enum pl_stage stage, uint64_t ms)
{
	struct pl_counts_histogram *histogram;

	if (counts == NULL)
		return;
	histogram = &counts->stages[stage];
	histogram->count++;
	histogram->sum_ms += ms;
	for (size_t i = 0; i < PL_COUNTS_BUCKETS; i++)
		if (ms <= pl_counts_bounds_ms[i]) {
			histogram->buckets[i]++;
			return;
		}
}

void pl_counts_stanza(struct pl_counts *counts, bool incoming, size_t bytes)
{
	if (counts == NULL)
		return;
	counts->stanzas[incoming]++;
	counts->stanza_bytes[incoming] += bytes;
}

void pl_counts_resumption(struct pl_counts *counts, bool incoming, bool well)
{
	if (counts != NULL)
		counts->resumptions[incoming][well]++;
}

void pl_counts_bounce(struct pl_counts *counts,
		      enum pl_stanza_condition condition)
{
	if (counts != NULL)
		counts->bounces[condition]++;
}
