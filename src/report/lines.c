/* Traces as JSON lines again. */
#include "parley/report.h"

#include <stdlib.h>

/* All but ASCII is escaped: a line may end on a terminal. */
bool pl_report_lines(struct pl_buffer *out, const struct pl_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct pl_report_trace *trace = &report->traces[i];

		for (size_t j = 0; j < trace->count; j++) {
			char *line = json_dumps(trace->records[j].json,
						JSON_COMPACT |
						JSON_ENSURE_ASCII |
						JSON_REAL_PRECISION(12));
			bool fits = line != NULL && pl_buffer_text(out, line) &&
				    pl_buffer_text(out, "\n");

			free(line);
			if (!fits)
				return false;
		}
	}
	return true;
}
