/*
 * trace.h: what happens in a negotiation, written down while it happens.
 *
 *     router: look-up begins   -> pl_trace_begin     one negotiation, one trace
 *     router, stream: dialled  -> pl_trace_connection  s1, s2 ... of it
 *     anything that happens    -> pl_trace_record .. pl_trace_done
 *     the pair's outcome       -> pl_trace_outcome
 *     connection, dialer gone  -> pl_trace_leave, pl_trace_unref
 *                              -> trace.end
 *
 * A record is one JSON line, version 1; parley-trace(7) is its manual and
 * conf/trace-schema.json its schema. Records are all that the engine writes;
 * ladder, report, capture and statistics are views of them (report.h).
 *
 * Whom a trace is for is often known only when a header came, so a trace is
 * kept in memory (bounded) until it is clear where it goes: to a file, to
 * on_line, to the rings of failures and of recent negotiations, or nowhere.
 * An incoming connection that turns out to belong to a negotiation of ours (the
 * peer verifies our key, or dials its own stream back) moves into that trace.
 *
 * Everything takes NULL for "not traced" and then does nothing: that is the
 * whole cost of tracing that is off.
 *
 * Redaction happens here, when the record is written: dialback keys, SASL
 * texts of any mechanism but EXTERNAL and XEP-0114 handshakes become [key#xxxx],
 * the first four hex digits of an HMAC under a random key of the trace.
 * TLS secrets and private keys never come here at all.
 */
#ifndef PARLEY_TRACE_H
#define PARLEY_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

#include "parley/base.h"
#include "parley/log.h"
#include "parley/machine.h"

enum pl_trace_raw {
	PL_RAW_NONE,        /* no elements at all, only what happened */
	PL_RAW_NEGOTIATION, /* elements, but never a stanza's body (default) */
	PL_RAW_ALL,
};
bool pl_trace_raw_parse(const char *text, enum pl_trace_raw *out);
const char *pl_trace_raw_name(enum pl_trace_raw raw);

enum pl_trace_dir { PL_DIR_OUT, PL_DIR_IN, PL_DIR_LOCAL, PL_DIR_DNS };
enum pl_trace_role {
	PL_ROLE_INITIATOR,
	PL_ROLE_RECEIVER,
	PL_ROLE_AUTHORITATIVE, /* a connection that only verifies keys */
	PL_ROLE_COMPONENT,
};

enum {
	PL_TRACE_RAW_BYTES = 16384,      /* of one element; the rest is cut */
	PL_TRACE_MEMORY_BYTES = 512 * 1024, /* of one trace in memory; then
	                                  * records drop out (trace.dropped) */
	PL_TRACE_STANZAS = 16,           /* that such a trace shows */
	PL_TRACE_LIVE = 4096,            /* traces under way at a time */
};

/* ----- the tracer: one for each loop ----- */

struct pl_tracer;

struct pl_tracer_settings {
	enum pl_trace_raw raw;
	const char *directory;  /* NULL or "": no files. Made with mode 0700
	                         * where it is missing */
	size_t file_bytes;      /* of one trace file; then it ends */
	size_t directory_bytes; /* of all: the oldest files go first */
	unsigned failures;      /* failed negotiations kept in memory (64), of
	                         * peers that said who they are */
	unsigned recent;        /* negotiations of any end kept (64) */
};

/* What the tracer needs of the world, and whom it tells. */
struct pl_tracer_events {
	uint64_t (*monotonic_us)(void *owner);
	struct timeval (*wall)(void *owner);
	void (*random)(void *owner, void *out, size_t length);
	/* Does this negotiation get a file? NULL: every one does. Those that
	 * never told both names get none. */
	bool (*wanted)(void *owner, const char *local, const char *remote);
	/* Every line as it becomes final, '\n' included; may be NULL. */
	void (*on_line)(void *owner, const char *line, size_t length);
	/* A trace ended; path: its file, or NULL. May be NULL. Nothing may be
	 * recorded or ended from within these calls. */
	void (*on_end)(void *owner, const char *id, const char *path);
	/* Something will be due: pl_tracer_tick() is to be called now and then,
	 * a second apart or less, until it says false. May be NULL where that is called all
	 * the time. */
	void (*on_stir)(void *owner);
};

/* Settings are copied, events borrowed. NULL with a sentence: the directory
 * cannot be made or written. */
struct pl_tracer *pl_tracer_new(const struct pl_tracer_settings *settings,
				const struct pl_tracer_events *events,
				void *owner, struct pl_error *error);
/* Other settings from here on (reload); traces under way keep their file. On
 * failure the old ones stay. */
bool pl_tracer_change(struct pl_tracer *tracer,
		      const struct pl_tracer_settings *settings,
		      struct pl_error *error);
void pl_tracer_free(struct pl_tracer *tracer); /* ends every trace; NULL fine */
/* Ends traces whose outcome is told and that nobody keeps, writes what waits
 * for the disk, gives memory back. False: nothing is due before on_stir() says
 * so. */
bool pl_tracer_tick(struct pl_tracer *tracer);
/* Is anything recorded at all (file, line, ring)? */
bool pl_tracer_active(const struct pl_tracer *tracer);
/* errno of a file that could not be written since the last call; 0: none. */
int pl_tracer_trouble(struct pl_tracer *tracer);
uint64_t pl_tracer_dropped(const struct pl_tracer *tracer); /* records, ever */

/* A place for what those who record keep from one record to the next, NULL at
 * first; what stands there in the end is released with the tracer. */
void **pl_tracer_keep(struct pl_tracer *tracer, void (*release)(void *kept));

/* One that is kept in memory. Texts live until the next call of the tracer. */
struct pl_trace_kept {
	const char *id, *local, *remote; /* names NULL: never known */
	bool incoming, failed;
	const char *result;    /* as in trace.end */
	enum pl_method method;
	enum pl_code code;
	int row;
	struct timeval when;   /* of its end */
	uint64_t ms;
	const char *lines;     /* the whole trace, JSON lines */
	size_t length;
	uint64_t number;       /* counts every negotiation; 1, 2 ... */
};
/* Newest first; remote NULL: all. show returns false to stop. */
void pl_tracer_failures(struct pl_tracer *tracer, const char *remote,
			bool (*show)(void *owner,
				     const struct pl_trace_kept *kept),
			void *owner);
void pl_tracer_recent(struct pl_tracer *tracer, const char *remote,
		      bool (*show)(void *owner,
				   const struct pl_trace_kept *kept),
		      void *owner);

/* Puts another file beside the file of a trace that just ended (path of
 * on_end), with the same name but for its suffix, ".pcapng": mode 0600, counted
 * in directory_bytes and deleted in turn like a trace. */
bool pl_tracer_beside(struct pl_tracer *tracer, const char *path,
		      const char *suffix, const void *bytes, size_t length);

/* ----- one negotiation and its connections ----- */

struct pl_trace;  /* counted */
struct pl_traced; /* one TCP connection in it: "s1" */

/* A negotiation begins: outgoing with the look-up, incoming with the accepted
 * connection (local, remote NULL: not known yet). NULL: nothing is recorded. */
struct pl_trace *pl_trace_begin(struct pl_tracer *tracer, bool incoming,
				const char *local, const char *remote);
struct pl_trace *pl_trace_ref(struct pl_trace *trace);   /* NULL is fine */
void pl_trace_unref(struct pl_trace *trace);             /* NULL is fine */
/* The policy that holds, for trace.begin; again when it is known better. */
void pl_trace_terms(struct pl_trace *trace, const char *local,
		    const char *remote, const struct pl_policy *policy,
		    int row);

/* A connection of it. parent: the connection that caused it, or NULL. Holds a
 * reference of its own. */
struct pl_traced *pl_trace_connection(struct pl_trace *trace,
				      enum pl_trace_role role,
				      const struct pl_traced *parent);
void pl_trace_leave(struct pl_traced *connection); /* it is gone */
/* Still recorded? (false for NULL, and once the trace has ended) */
bool pl_trace_live(const struct pl_traced *connection);
/* Is one stanza more recorded, and counted here? What goes to a file or a line,
 * or with PL_RAW_ALL, has every one; what only memory holds the first few: a
 * busy stream would fill it with nothing else. */
bool pl_trace_stanza(struct pl_traced *connection);
struct pl_trace *pl_trace_of(struct pl_traced *connection); /* borrowed */
/* Its names and role in the records from here on ("from>to" of the hop). */
void pl_trace_rename(struct pl_traced *connection, enum pl_trace_role role,
		     const char *local, const char *remote);
/* An incoming connection told its names: if a negotiation of ours from local
 * to remote is under way, everything of it moves there, tied to that trace's
 * first connection. Under way: its outcome is not told, or less than 5 s ago.
 * Returns whether it did. */
bool pl_trace_tie(struct pl_traced *connection, const char *local,
		  const char *remote);
/* The outcome of an attempt; the trace ends with the last one it was told, of
 * its own direction where there is one. */
void pl_trace_outcome(struct pl_traced *connection,
		      const struct pl_outcome *outcome);

/* How a component's handshake went: PL_CODE_NONE, or why it was refused (then
 * with a sentence). It is no negotiation with another server: of the rings that
 * of failures alone keeps some, where the component was told by name. */
void pl_trace_component(struct pl_traced *connection, enum pl_code code,
			const char *why);

/* ----- one record ----- */

/*
 *     pl_trace_record(c, PL_DIR_IN, PL_STAGE_SASL, "success");
 *     pl_trace_text(c, "mech", "EXTERNAL");
 *     pl_trace_summary(c, "EXTERNAL accepted");
 *     pl_trace_raw(c, bytes, length, PL_MASK_SASL_EXTERNAL);
 *     pl_trace_done(c);
 *
 * The event is named STAGE.VERB. Between record and done nothing else of the
 * same tracer may be recorded. The parts may come in any order; of each but
 * the details the last one holds. Peer text goes in as it is: it is escaped
 * and, in summaries, made printable and cut here.
 */
void pl_trace_record(struct pl_traced *connection, enum pl_trace_dir dir,
		     enum pl_stage stage, const char *verb);
void pl_trace_level(struct pl_traced *connection, enum pl_log_level level);
void pl_trace_code(struct pl_traced *connection, enum pl_code code);
/* For this record and those behind it. */
void pl_trace_encrypted(struct pl_traced *connection, bool encrypted);
void pl_trace_summary(struct pl_traced *connection, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void pl_trace_done(struct pl_traced *connection);

/* Details: key and value; open and close nest objects and arrays (depth 8);
 * within an array the key is NULL. A NULL text is left out. */
void pl_trace_text(struct pl_traced *connection, const char *key,
		   const char *value);
void pl_trace_number(struct pl_traced *connection, const char *key,
		     int64_t value);
void pl_trace_bool(struct pl_traced *connection, const char *key, bool value);
void pl_trace_null(struct pl_traced *connection, const char *key);
void pl_trace_object(struct pl_traced *connection, const char *key);
void pl_trace_array(struct pl_traced *connection, const char *key);
void pl_trace_close(struct pl_traced *connection);
/* A dialback key as "[key#3f9a]". From here on the negotiation masks it wherever
 * it stands, also the front of it (16 bytes at least); `key` may be NULL: that
 * alone. */
void pl_trace_key(struct pl_traced *connection, const char *key,
		  const char *secret);

/* What of an element is masked. */
enum pl_trace_mask {
	PL_MASK_NOTHING,
	PL_MASK_TEXT,     /* all between its start tag and its end tag */
	PL_MASK_STANZA,   /* raw is left out but with PL_RAW_ALL */
};
/* The bytes as they went over the wire: one whole top-level element, a stream
 * header, or a closing tag. */
void pl_trace_raw(struct pl_traced *connection, const void *bytes,
		  size_t length, enum pl_trace_mask mask);
/* Only its length is known, or only that may be told; or, behind
 * pl_trace_raw(), that gave no more than the beginning of so many bytes. */
void pl_trace_length(struct pl_traced *connection, size_t length);

/* ----- the machines' steps (policy.step), for replay ----- */

/* A step of the stream machine, or of a pair (pair: a small number that names
 * it on this connection). The terms are written where they differ from those
 * of the machine's last step. */
void pl_trace_stream_step(struct pl_traced *connection,
			  const struct pl_terms *terms,
			  const struct pl_stream_state *before,
			  const struct pl_stream_event *event,
			  const struct pl_stream_state *after,
			  const struct pl_step *step);
void pl_trace_pair_step(struct pl_traced *connection, unsigned pair,
			const struct pl_terms *terms,
			const struct pl_pair_state *before,
			const struct pl_pair_event *event,
			const struct pl_pair_state *after,
			const struct pl_step *step);

#endif
