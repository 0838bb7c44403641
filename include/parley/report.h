/*
 * report.h: traces read back, and every view of them.
 *
 *     JSON lines -> pl_report_read -> traces -> records
 *                                       |
 *          summary, ladder, HTML, SVG, Mermaid, JSON, metrics, pcapng,
 *          difference, statistics, replay
 *
 * A trace may come from anywhere: a peer wrote half of it, a stranger sent the
 * file. Everything is checked and bounded when it is read, and every view
 * escapes whatever it shows for the place where it shows it.
 */
#ifndef PARLEY_REPORT_H
#define PARLEY_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parley/base.h"
#include "parley/machine.h"

/* ----- traces in memory (read.c) ----- */

/* One record; texts are never NULL ("" where absent), UTF-8 without NUL. */
struct pl_report_record {
	unsigned seq;
	const char *ts;
	uint64_t mono_us;      /* order and deltas come from here */
	const char *trace, *stream, *parent;
	const char *hop, *from, *to; /* of the hop */
	const char *role, *dir, *stage, *event, *level, *code, *summary;
	bool encrypted;
	const json_t *detail;  /* an object, never NULL */
	const char *raw;       /* element as text; "" where none */
	const json_t *json;    /* the whole record */
	size_t len, trunc;     /* bytes on the wire; bytes cut */
	bool raw_base64, redacted;
};

/* One negotiation. */
struct pl_report_trace {
	const char *id;
	struct pl_report_record *records; /* in the order of mono_us, then seq */
	size_t count;
	const struct pl_report_record *all; /* the same before records were
	                                   * selected: what the summary reads */
	size_t all_count;
	const json_t *begin, *end;        /* details of trace.begin and
	                                   * trace.end; NULL where missing */
	bool complete;                    /* both are there and no gap in seq */
	unsigned dropped;
};

struct pl_report {
	struct pl_report_trace *traces;   /* in the order of the first record */
	size_t count;
	void *memory;                     /* owned: what the texts lie in */
};

enum { PL_REPORT_BYTES = 256 * 1024 * 1024, PL_REPORT_LINE = 1024 * 1024 };

/* Reads JSON lines, or an HTML report that this room wrote (its embedded
 * trace). Fails with the line's number and what is wrong in it; a last line
 * that was cut off is left out, *cut says so. name: for the sentence. */
bool pl_report_read(struct pl_report *report, const char *bytes, size_t length,
		    const char *name, bool *cut, struct pl_error *error);
void pl_report_finish(struct pl_report *report);

/* Which traces a view shows, and which records of them; NULL or 0: all. Traces
 * without a record left are left out. */
struct pl_report_filter {
	const char *id;             /* of the trace, or how it begins */
	const char *peer;           /* of the trace */
	const char *code;           /* a record of the trace has it */
	const char *since;  /* RFC 3339 text or "10m", "2h", "1d": the trace was
	                     * under way then, or later */
	int64_t now;        /* for the latter */
	const char *stream, *stage; /* records */
};
bool pl_report_select(struct pl_report *report,
		      const struct pl_report_filter *filter,
		      struct pl_error *error);

/* ----- what a trace says, in a few words (summary.c) ----- */

struct pl_report_finding {
	char code[48];      /* of outcome-codes, or "plaintext", "slow" ... */
	char severity[8];   /* "error", "warn", "info" */
	char text[400], remedy[400];
};

struct pl_report_summary {
	char result[16];    /* negotiated, failed, incomplete, served */
	enum pl_method method;
	enum pl_code code;
	enum pl_stage stage;
	char side[8], why[1200], fix[800];
	char local[256], remote[256], addr[64], tls[16], cipher[64], cert[48];
	bool incoming;
	bool component;     /* a local service (XEP-0114): no policy, no offers */
	int row;            /* 0: none */
	struct pl_policy policy;
	int exit_status;
	uint64_t total_us;
	struct { char name[12]; uint64_t us; } stages[13];
	size_t stages_count;
	/* What the peer offered, seen by us: */
	bool reached, spoke;         /* TCP stood; a header came */
	bool offers_starttls, offers_external, offers_dialback, direct_tls;
	bool external_unknown, dialback_unknown; /* it never came to that */
	struct pl_peer_offer peer;   /* the same, as the core takes it */
	char offers[200];            /* "STARTTLS, EXTERNAL, dialback" */
	char requires[200];          /* "STARTTLS, then EXTERNAL" */
	char would_work[400];        /* "tls=... -> TCP Dialback (rows 3, 5)" */
	char first_step[800];
	unsigned rows_would_work;    /* bit n: row n */
	struct pl_report_finding findings[16];
	size_t findings_count;
};
void pl_report_summarise(const struct pl_report_trace *trace,
			 struct pl_report_summary *summary);

/* ----- views: each appends to out, false when it is full ----- */

struct pl_report_look {
	unsigned width;      /* columns, 80 to 132 */
	bool unicode;        /* else ASCII */
	bool colour;         /* escape sequences for out, in, ok, warn, fail */
	unsigned verbose;    /* 1: elements' details, 2: elements as sent, 3:
	                      * the machines' steps */
	const char *command; /* that made it, for "reproduce", or NULL */
};

bool pl_report_ladder(struct pl_buffer *out, const struct pl_report_trace *trace,
		      const struct pl_report_look *look);
/* A self-contained document; several traces: a list, then each. */
bool pl_report_html(struct pl_buffer *out, const struct pl_report *report,
		    const struct pl_report_look *look);
bool pl_report_svg(struct pl_buffer *out, const struct pl_report_trace *trace);
bool pl_report_mermaid(struct pl_buffer *out,
		       const struct pl_report_trace *trace);
/* The outcome line's keys with trace, stages_ms, offers, requires, would_work,
 * findings. */
json_t *pl_report_json(const struct pl_report_trace *trace);
/* OpenMetrics of one probe. */
bool pl_report_prom(struct pl_buffer *out, const struct pl_report_trace *trace);
bool pl_report_lines(struct pl_buffer *out, const struct pl_report *report);

/* JSON lines for sending on (redact.c): domains, hosts, addresses, ids and
 * fingerprints become stable pseudonyms; texts that others wrote, and stanzas,
 * are taken out. */
bool pl_report_redact(struct pl_buffer *out, const struct pl_report *report);

/* pcapng, exported PDUs: one packet per top-level element, decisions as
 * journal blocks, nothing that is masked (pcapng.c). */
bool pl_report_pcapng(struct pl_buffer *out, const struct pl_report *report);

/* The first difference, by element; ids, times, keys and addresses do not
 * count, nor who closes first. Returns how many; each is shown as text. */
size_t pl_report_diff(struct pl_buffer *out, const struct pl_report_trace *a,
		      const struct pl_report_trace *b,
		      const struct pl_report_look *look);
/* Counts and times over all traces, as a table or as JSON. */
bool pl_report_stats(struct pl_buffer *out, const struct pl_report *report,
		     const struct pl_report_look *look);
json_t *pl_report_stats_json(const struct pl_report *report);

/* Replay: feeds the recorded events (policy.step) to the core. */
struct pl_report_replay {
	size_t steps;       /* that were replayed */
	bool same;
	unsigned seq;       /* of the first record that differs */
	char text[600];     /* what it did then, and what it does now */
};
void pl_report_replay(const struct pl_report_trace *trace,
		      struct pl_report_replay *result);

/* The matrix as a picture: one cell a row, its ladder behind it. */
struct pl_report_cell {
	int row;
	struct pl_policy policy;
	char expected[80], got[24], code[48], verdict[16]; /* ok, differs,
	                                * skipped, invalid, failed */
	int exit_status;
	uint64_t ms;
	const struct pl_report_trace *trace; /* or NULL */
};
bool pl_report_matrix_html(struct pl_buffer *out, const char *title,
			   const struct pl_report_cell *cells, size_t count,
			   const struct pl_report_look *look);
bool pl_report_matrix_svg(struct pl_buffer *out, const char *title,
			  const struct pl_report_cell *cells, size_t count);

/* Text of a peer in its place. */
bool pl_report_html_text(struct pl_buffer *out, const char *text);

/* For a terminal: as pl_text_printable(), and where it knows ASCII alone, the
 * rest as U+NNNN. size at least 8. Returns out. */
char *pl_report_plain(char *out, size_t size, const char *text, bool unicode);
/* How many columns such text takes, and how many of its bytes fit into some:
 * whole characters. */
unsigned pl_report_cells(const char *text);
size_t pl_report_fit(const char *text, unsigned cells);

#endif
