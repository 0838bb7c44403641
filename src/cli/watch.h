/*
 * watch.h: what `parley watch` knows of a daemon, and its screen.
 *
 *     control socket -> watch_poll -> rows -> watch_plain   lines
 *                                          -> watch_screen  ncurses
 *
 * Rows are the JSON objects that the daemon gave; all text in them may be a
 * peer's and is made printable in watch_cell.
 */
#ifndef PARLEY_CLI_WATCH_H
#define PARLEY_CLI_WATCH_H

#include "client.h"

#include <signal.h>

enum {
	WATCH_ROWS = 2000,   /* negotiations kept; older ones drop out */
	WATCH_POLL_MS = 500,
	WATCH_CELL = 300,    /* bytes of a cell */
};

enum watch_column {
	WATCH_TIME, WATCH_DIR, WATCH_LOCAL, WATCH_REMOTE, WATCH_METHOD,
	WATCH_ROW, WATCH_RESULT, WATCH_MS, WATCH_COLUMNS,
};

struct watch {
	const struct pl_conf *conf;  /* borrowed */
	json_t *negotiations;        /* owned array, oldest first */
	json_t *streams;             /* owned array: those that live now */
	json_int_t since;            /* number of the newest */
	char fault[512];             /* why the last question failed, or "" */
	bool json;
	unsigned long count;         /* plain: end after so many; 0: never */
};

/* Set by signals that end it. */
extern volatile sig_atomic_t watch_over;

/* Asks for what is new. False: `fault` says why not; what was known stays. */
bool watch_poll(struct watch *watch);
bool watch_poll_streams(struct watch *watch);
/* The trace of a negotiation as JSON lines, or NULL with a sentence. Freed by
 * the caller. */
char *watch_lines(struct watch *watch, const char *id, struct pl_error *error);

/* A cell as printable text. streams: of that list. */
const char *watch_cell(const json_t *row, bool streams,
		       enum watch_column column, char out[WATCH_CELL]);
const char *watch_heading(bool streams, enum watch_column column);
bool watch_failed(const json_t *row);

/* Both run until they are told to end; exit status. */
int watch_plain(struct watch *watch);
int watch_screen(struct watch *watch);

#endif
