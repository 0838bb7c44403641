/*
 * log.h: log lines as key=value text or JSON, and the outcome line.
 *
 * A line is begun, gets its keys in order, and is written with one call. Values
 * with spaces, quotes, '=' or nothing in them are quoted and escaped; text of
 * a peer is made printable and cut. Keys, secrets and bodies never get here.
 *
 *     2026-11-22T12:03:05.109Z notice stream=3f2a dir=out ... ms=55
 *     {"time":"2026-11-22T12:03:05.109Z","level":"notice","stream":"3f2a",...}
 */
#ifndef PARLEY_LOG_H
#define PARLEY_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

#include "parley/base.h"
#include "parley/machine.h"

enum pl_log_level {
	PL_LOG_ERROR,   /* an operator must act */
	PL_LOG_WARNING,
	PL_LOG_NOTICE,  /* outcomes */
	PL_LOG_INFO,    /* milestones */
	PL_LOG_DEBUG,   /* actions of the core */
};
const char *pl_log_level_name(enum pl_log_level level);
bool pl_log_level_parse(const char *text, enum pl_log_level *out);

enum pl_log_format { PL_LOG_TEXT, PL_LOG_JSON };

struct pl_log_settings {
	enum pl_log_level level;
	enum pl_log_format format;
	const char *destination; /* "stderr", "syslog", "journal" (a field each
	                          * key) or a path (appended to,
	                          * made with mode 0640) */
};

struct pl_log;

/* The wall clock comes in from outside (pl_loop_time). */
typedef struct timeval (*pl_log_clock)(void *owner);

/* NULL with a sentence when the file cannot be opened. */
struct pl_log *pl_log_new(const struct pl_log_settings *settings,
			  pl_log_clock clock, void *owner,
			  struct pl_error *error);
void pl_log_free(struct pl_log *log);
/* Takes other settings; a file is opened anew (for rotation). On failure the
 * old ones stay. */
bool pl_log_reopen(struct pl_log *log, const struct pl_log_settings *settings,
		   struct pl_error *error);

bool pl_log_wants(const struct pl_log *log, enum pl_log_level level);

/* A file that cannot be written (a full disk) stops nobody: its lines are lost,
 * stderr hears of it once, and the first line that finds room again is event=log
 * lost=N. */

/* One line under construction, at most 8 KiB; longer ones are cut. log may be
 * NULL: the line goes nowhere. */
struct pl_log_line {
	struct pl_log *log;
	enum pl_log_level level;
	bool wanted;
	size_t length;
	char text[8192];
};
void pl_log_begin(struct pl_log_line *line, struct pl_log *log,
		  enum pl_log_level level);
void pl_log_text(struct pl_log_line *line, const char *key, const char *value);
void pl_log_bytes(struct pl_log_line *line, const char *key, const char *value,
		  size_t length);
void pl_log_number(struct pl_log_line *line, const char *key, int64_t value);
/* Several words: a,b,c in text, an array in JSON. */
void pl_log_list(struct pl_log_line *line, const char *key,
		 const char *const *values, size_t count);
void pl_log_end(struct pl_log_line *line); /* writes it */

/* A free line: event=EVENT with one message. */
void pl_log_event(struct pl_log *log, enum pl_log_level level,
		  const char *event, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* ----- the outcome of one attempt to authenticate a pair ----- */

struct pl_outcome {
	const char *stream;       /* id of the connection in logs, "3f2a" */
	bool incoming;            /* dir=in */
	const char *local, *remote;
	int row;                  /* 0: none (no partner matched) */
	struct pl_policy policy;
	enum pl_method method;    /* PL_METHOD_NONE: failed */
	bool by_certificate;      /* verified-by=certificate */
	enum pl_code code;        /* failed */
	enum pl_stage stage;
	enum pl_side side;
	const char *tls;          /* "TLSv1.3", or NULL: none */
	const char *cipher;       /* NULL: none */
	enum pl_certificate certificate;
	bool by_dane;             /* cert=valid/dane */
	const char *addr;         /* peer's address and port; NULL: none */
	uint64_t ms;              /* since the connection began (out: since the
	                           * look-up began) */
	const char *rule;         /* where the rule stands: `partner
	                           * "beta.example" (parley.conf:12)`; or NULL */
	const char *words;        /* the peer's or the system's own words: stream
	                           * error with text, TLS alert, SASL failure,
	                           * verdict on the certificate; or NULL */
};

/* Writes event=negotiated or event=failed, level notice, the keys in the
 * documented order. The only place where outcome lines are made. */
void pl_outcome_log(struct pl_log *log, const struct pl_outcome *outcome);

/* The sentences of a failed line, also for `parley ping`: what happened, which
 * rule, the peer's own words; and who does what first. Returns out. */
char *pl_outcome_why(const struct pl_outcome *outcome, char *out, size_t size);
char *pl_outcome_fix(const struct pl_outcome *outcome, char *out, size_t size);

#endif
