/*
 * Inside of the trace room.
 *
 *     record.c   one record under construction; its text
 *     json.c     characters of a JSON text
 *     mask.c     secrets to [key#3f9a]
 *     known.c    the keys that a trace knows, wherever they are said again
 *     step.c     steps of the machines; fields.c: their structs by field
 *     trace.c    negotiations and connections: begin, tie, outcome, end
 *     lines.c    records to lines; where the lines go
 *     file.c     the files and their directory
 *     pool.c     memory of records
 *     tracer.c   settings, rings, the tick
 *
 * A record in memory is the part of its line that never changes, from "hop" on.
 * What stands before that (number, time since the beginning, trace, stream) is
 * written when the line becomes final, so that records can move into another
 * trace.
 */
#ifndef PARLEY_TRACE_INTERNAL_H
#define PARLEY_TRACE_INTERNAL_H

#include <string.h>
#include <sys/queue.h>

#include "parley/trace.h"

enum {
	STAGES = PL_STAGE_ERROR + 1,
	KEY_BYTES = 32,
	TAG_LENGTH = 10,            /* [key#3f9a] */
	TAG_DIGITS = 5,             /* where its digits begin */
	DIGEST_BYTES = 16,
	MARKS = 4,                  /* masked texts of a record */
	NESTING = 8,
	DETAIL_BYTES = 48 * 1024,
	DETAIL_TEXT = 2048,         /* of one text in a detail, as it came */
	/* each byte may need six, or five; and some in front and behind */
	RAW_BYTES = PL_TRACE_RAW_BYTES * 6 + 64,
	SUMMARY_BYTES = 1024,
	VERB_BYTES = 32,
	HOP_BYTES = 4096,
	BODY_BYTES = HOP_BYTES + SUMMARY_BYTES + DETAIL_BYTES + RAW_BYTES + 1024,
	HEAD_BYTES = 256,
	CONNECTIONS = 9999,         /* of a trace */
	POOL_BLOCK = 4096,
	PAIRS = 64,                 /* of a connection, whose terms are known */
	BUCKETS = 1024,
	SETTLED_US = 2 * 1000 * 1000,
	TIE_US = 5 * 1000 * 1000,   /* after the outcome; then a connection of
	                             * the peer is something of its own */
	FLUSH_BYTES = 16 * 1024,
	END_BYTES = 4096,           /* of a file, kept free for its last lines */
};

/* ----- text of a bounded length (json.c) ----- */

struct text {
	char *data;              /* owned */
	size_t length, capacity;
};

static inline size_t text_room(const struct text *text)
{
	return text->capacity - text->length;
}

/* The caller knows that it fits. */
static inline void text_put(struct text *text, const char *bytes, size_t length)
{
	memcpy(text->data + text->length, bytes, length);
	text->length += length;
}

static inline void text_char(struct text *text, char c)
{
	text->data[text->length++] = c;
}

#define text_literal(text, literal) \
	text_put(text, literal, sizeof(literal) - 1)

/* How many bytes at the front stand for themselves in a JSON text. */
size_t text_plain(const char *bytes, size_t length);
void text_string(struct text *text, const char *string);
void text_number(struct text *text, int64_t number);
/* With 0 in front up to that width. */
void text_padded(struct text *text, unsigned number, unsigned width);
/* Escaped for a JSON text, up to `room` characters, cut at a whole character;
 * returns how many bytes went in. Broken UTF-8 becomes \xNN as text. */
size_t text_escaped(struct text *text, size_t room, const char *bytes,
		    size_t length);
/* Is it UTF-8 without NUL? */
bool text_is_utf8(const char *bytes, size_t length);
/* The length to cut at so that no character is broken. */
size_t text_cut(const char *bytes, size_t length, size_t most);

/* ----- masking (mask.c) ----- */

/* Where a tag stands in a record, and what it is made from: the secret hashed
 * under a key of the tracer, so that the tag of another trace can be made. */
struct mark {
	uint32_t offset;
	unsigned char digest[DIGEST_BYTES];
};

struct pl_trace;
void mask_digest(const struct pl_tracer *tracer, const char *secret,
		 size_t length, unsigned char digest[DIGEST_BYTES]);
void mask_tag(const struct pl_trace *trace,
	      const unsigned char digest[DIGEST_BYTES], char tag[TAG_LENGTH]);
/* The part of an element to mask, without the white space around it; false:
 * nothing is there. */
bool mask_find(const char *bytes, size_t length, size_t *start, size_t *end);

/* ----- keys that are said again (known.c) ----- */

struct known;

struct echo {
	size_t at, length;
	const unsigned char *digest; /* borrowed */
};

void known_add(struct pl_trace *trace, const char *secret, size_t length,
	       const unsigned char digest[DIGEST_BYTES]);
void known_move(struct pl_trace *trace, struct pl_trace *to);
void known_wipe(struct pl_trace *trace);
/* The first in these bytes; trace: NULL knows none. */
bool known_find(const struct pl_trace *trace, const char *bytes, size_t length,
		struct echo *echo);
/* Every one in a text becomes its tag, which is shorter. */
void known_mask(const struct pl_trace *trace, char *text);

/* ----- a record ----- */

struct record {
	struct record *next;
	uint64_t at_us;
	struct timeval wall;
	uint32_t length;            /* of the text */
	uint16_t stream, parent;    /* numbers; parent 0: none */
	uint16_t marks_count;
	struct mark marks[];        /* behind them the text, from "hop" on */
};

static inline char *record_text(struct record *record)
{
	return (char *)&record->marks[record->marks_count];
}

/* ----- the record under construction (record.c) ----- */

enum part { IN_SUMMARY, IN_DETAIL, IN_RAW, PARTS };

struct builder {
	struct pl_traced *connection; /* borrowed; NULL: none */
	const struct pl_trace *trace; /* borrowed: whose keys are masked; NULL:
	                               * there are none */
	enum pl_trace_dir dir;
	enum pl_stage stage;
	enum pl_log_level level;
	enum pl_code code;
	char verb[VERB_BYTES];
	struct text summary;        /* escaped */
	struct text detail, raw;    /* JSON; raw without quotes */
	unsigned depth, skipped;    /* of nesting; of what did not fit */
	bool in_array[NESTING + 1], comma[NESTING + 1];
	size_t wire, cut;
	bool base64, has_raw, redacted;
	struct mark marks[MARKS];   /* offsets in their part */
	enum part parts[MARKS];
	unsigned marks_count;
	struct text body;           /* of the last record that was made */
};

/* Made printable, and cut. */
void builder_summary(struct builder *builder, const char *text);
bool builder_init(struct builder *builder);
void builder_finish(struct builder *builder);
void builder_begin(struct builder *builder, const struct pl_trace *trace);
/* Ends the record without a trace of it. */
void builder_drop(struct builder *builder);
/* "event" as STAGE.VERB, where event is NULL; enc. Puts all into body; the
 * offsets of marks are those in body then. */
void builder_close(struct builder *builder, const char *hop_and_role,
		   const char *event, bool encrypted);

/* Details without a connection. */
void detail_text(struct builder *builder, const char *key, const char *value);
void detail_number(struct builder *builder, const char *key, int64_t value);
void detail_bool(struct builder *builder, const char *key, bool value);
void detail_null(struct builder *builder, const char *key);
void detail_open(struct builder *builder, const char *key, bool array);
void detail_close(struct builder *builder);

/* ----- files (file.c) ----- */

struct folder {                     /* counted */
	unsigned references;
	char *path;                 /* owned */
	int fd;                     /* owned */
	size_t bytes, limit;        /* held, as far as we know; at most */
	int error;                  /* errno of the last write that failed */
};

struct folder *folder_open(const char *path, size_t limit,
			   struct pl_error *error);
/* Is it (NULL: none) what this path leads to now, and good to write? */
bool folder_is_still(const struct folder *folder, const char *path);
struct folder *folder_ref(struct folder *folder);
void folder_unref(struct folder *folder); /* NULL is fine */
/* A file of its own, in one go. */
bool folder_write(struct folder *folder, const char *name, const void *bytes,
		  size_t length);

struct file {
	struct folder *folder;      /* owned reference; NULL: no file */
	char *name;                 /* owned */
	struct pl_buffer waiting;   /* whole lines, not written yet */
	unsigned waiting_lines;
	size_t bytes, limit;        /* written; at most */
	unsigned seq;               /* of the last line */
	unsigned lost;              /* lines that are not in it */
	bool made, full;
};

/* TIME-LOCAL-REMOTE-TRACEID.jsonl */
void file_begin(struct file *file, struct folder *folder, size_t limit,
		const struct timeval *when, const char *local,
		const char *remote, const char *id);
/* May the line go into it? Counts it as lost where not. last: into the space
 * that is kept for the end. */
bool file_takes(struct file *file, size_t length, bool last);
void file_line(struct file *file, const char *line, size_t length);
/* What waits goes to the disk; where it cannot, it is lost and the file is
 * full. Returns how many lines were lost. */
unsigned file_flush(struct file *file);
void file_remove(struct file *file);
void file_finish(struct file *file);
/* FOLDER/NAME, or NULL; free it. */
char *file_path(const struct file *file);

/* ----- memory of records (pool.c) ----- */

struct slab;

struct pool {
	LIST_HEAD(, slab) partial, full; /* owned; those with free blocks */
	unsigned slabs, slack;      /* touched blocks that are free */
	bool used;                  /* since the last rest */
};

void pool_init(struct pool *pool);
void pool_finish(struct pool *pool);
/* Up to POOL_BLOCK bytes are a block, more are mapped alone; NULL: no memory.
 * *home goes back to pool_put(). */
void *pool_get(struct pool *pool, size_t bytes, struct slab **home);
void pool_put(struct pool *pool, struct slab *home, void *memory, size_t bytes);
/* Gives back what is free, if nothing was taken since the last call; true: it
 * is to be called again. */
bool pool_rest(struct pool *pool);

/* ----- a negotiation ----- */

struct chunk;

struct pl_traced {
	struct pl_trace *trace;     /* counted in it */
	LIST_ENTRY(pl_traced) entry; /* in pl_trace.connections */
	unsigned number, parent;
	enum pl_trace_role role;
	bool accepted, encrypted;
	char *local, *remote;       /* owned; NULL: not known */
	char *hop;                  /* owned: "hop":"a>b","role":"initiator" */
	bool stream_terms_known;
	struct pl_terms stream_terms;
	struct pair_terms {
		unsigned pair;
		struct pl_terms terms;
	} *pairs;                   /* owned */
	size_t pairs_count;
};

enum result { RESULT_INCOMPLETE, RESULT_SERVED, RESULT_FAILED,
	      RESULT_NEGOTIATED };

struct pl_trace {
	struct pl_tracer *tracer;   /* borrowed; NULL: it is gone */
	struct pl_trace *moved;     /* counted there: what it was tied to */
	/* references and connections; and rings that hold it */
	unsigned keepers, rings;
	bool ended;
	TAILQ_ENTRY(pl_trace) entry; /* in pl_tracer.live */
	TAILQ_ENTRY(pl_trace) told_entry; /* in pl_tracer.told, while due */
	TAILQ_ENTRY(pl_trace) late_entry; /* in pl_tracer.late, while late */
	bool due, late;
	LIST_ENTRY(pl_trace) bucket; /* in pl_tracer.buckets */
	bool hashed;
	LIST_HEAD(, pl_traced) connections;
	unsigned connections_count;

	char id[13];
	unsigned char key[KEY_BYTES];
	struct known *known;        /* owned; newest first */
	bool incoming;
	enum pl_trace_role role;    /* of its first connection */
	enum pl_trace_raw raw;
	char *local, *remote;       /* owned; NULL: not known */
	bool policy_known;
	struct pl_policy policy;
	int row;

	uint64_t start_us;
	struct timeval start_wall;
	struct record *first, **last;
	struct chunk *chunks;       /* owned: what the records lie in */
	size_t bytes;
	unsigned dropped;           /* that memory had no room for */
	unsigned stanzas;           /* recorded; at most PL_TRACE_STANZAS where
	                             * only memory holds them */

	bool final, to_file, to_line;
	unsigned line_seq;
	unsigned lost;              /* dropped before it was final */
	struct file file;

	uint64_t last_us, stage_us[STAGES];
	unsigned stages_seen;       /* bits */
	bool served;                /* a key was verified for the peer */
	bool told, told_own;
	uint64_t told_us, told_stage_us[STAGES];
	unsigned told_stages_seen;
	enum pl_method method;
	enum pl_code code;
	enum pl_side side;
	int told_row;
	uint64_t ms;
	char *why;                  /* owned */
	bool settled;               /* nothing more goes into memory */
	bool in_failures, in_recent;
	uint64_t end_us;            /* or when it was settled */
	struct timeval end_wall;
	uint64_t number;            /* 0: not yet */
};

/* trace.c */
void trace_end(struct pl_trace *trace);
void trace_unring(struct pl_trace *trace); /* a ring lets go of it */
enum result trace_result(const struct pl_trace *trace);
const char *trace_result_name(enum result result);
/* Its outcome was told just now; or it is not settled after all. */
void trace_told(struct pl_trace *trace);
void trace_untold(struct pl_trace *trace);
/* What is known now is what the rings have of it. */
void trace_settle(struct pl_trace *trace);
/* Memory for a record; NULL: over the limit. */
struct record *trace_room(struct pl_trace *trace, size_t bytes);

/* "hop":"from>to","role":"..." with "?" for NULL; out: HOP_BYTES. */
void trace_hop(char *out, const char *from, const char *to,
	       enum pl_trace_role role);

/* lines.c */
/* The body of the builder becomes a record of the trace. */
void lines_record(struct pl_trace *trace, unsigned stream, unsigned parent);
/* Where it goes is clear now. */
void lines_final(struct pl_trace *trace);
/* The last line, and what is not on the disk yet. */
void lines_end(struct pl_trace *trace);
/* Records that came by a tie, in a trace that is final. */
void lines_moved(struct pl_trace *trace, struct record *from);
/* The whole trace, as the rings have it. */
bool lines_all(struct pl_trace *trace, struct pl_buffer *out);

/* ----- the tracer ----- */

struct ring {
	struct pl_trace **slots;    /* owned; counted there */
	unsigned size, count, next;
};

struct pl_tracer {
	struct pl_tracer_events events; /* copied; what they point to is not */
	void *owner;
	enum pl_trace_raw raw;
	size_t file_bytes;
	struct folder *folder;      /* NULL: no files */
	unsigned char key[KEY_BYTES];
	TAILQ_HEAD(, pl_trace) live;
	TAILQ_HEAD(, pl_trace) told; /* their outcome is; oldest first */
	TAILQ_HEAD(, pl_trace) late; /* with lines that are not on the disk */
	bool stirred;               /* a tick is to come */
	unsigned live_count;
	struct pool pool;
	LIST_HEAD(, pl_trace) buckets[BUCKETS];
	struct ring failures, recent;
	uint64_t dropped, negotiations;
	struct builder builder;
	struct builder own;         /* for the lines of a trace itself */
	struct text line;           /* a whole line */
	time_t stamp_second;        /* of stamp */
	char stamp[20];             /* 2026-11-22T12:03:05 */
	struct pl_buffer shown;     /* lines of a kept trace */
	void *kept;                 /* of those who record */
	void (*release)(void *kept);
};

static inline uint64_t tracer_now(const struct pl_tracer *tracer)
{
	return tracer->events.monotonic_us(tracer->owner);
}

/* Is a trace kept once it is over? */
static inline bool tracer_keeps(const struct pl_tracer *tracer)
{
	return tracer->failures.size > 0 || tracer->recent.size > 0;
}

/* Something will be due: there is to be a tick. */
void tracer_stir(struct pl_tracer *tracer);
void ring_put(struct ring *ring, struct pl_trace *trace);
/* Lets the oldest of a role go, until so many are left. */
void ring_bound(struct ring *ring, enum pl_trace_role role, unsigned most);

#endif
