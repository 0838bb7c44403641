/* ladder.h: a ladder under construction. Inside of the room report. */
#ifndef PARLEY_REPORT_LADDER_H
#define PARLEY_REPORT_LADDER_H

#include "draw.h"

enum { PL_LADDER_STREAMS = 64 };

/* One connection, as far as it is drawn. */
struct pl_ladder_stream {
	bool known, dialled;
	bool timed;        /* last_us is that of a record */
	bool hidden;       /* the current record is not drawn: the wait goes on
	                    * to the next one */
	uint64_t last_us;
	const char *verdict; /* on the certificate, as drawn; NULL: none */
};

struct pl_ladder {
	struct pl_drawing d;
	const struct pl_report_trace *trace;
	const struct pl_report_summary *summary;
	struct pl_ladder_stream streams[PL_LADDER_STREAMS + 1];
	bool heads;        /* the names are drawn */
	bool accepted;     /* a connection came in */
	bool told;         /* the outcome is behind us */
	const struct pl_report_record *asked; /* our db:result, or the peer's */
	const struct pl_report_record *asked_by[2]; /* ours, the peer's */
	uint64_t waited_us; /* of the current record, on its connection */
};

/* Draws one record, or nothing of it (events.c). */
void pl_ladder_event(struct pl_ladder *ladder, size_t index);

#endif
