/*
 * internal.h: what the files of src/net share.
 *
 *     one turn of the loop (loop.c)
 *       libevent: reads, writable sockets, timers, signals, accepts
 *       -> what was deferred -> one write per connection with output
 *       -> memory of what was freed meanwhile
 *
 * Freeing an object takes it out of libevent, closes its descriptor and puts
 * its memory on pl_loop.dead, so that callbacks below it on the stack may
 * still look at it.
 */
#ifndef PARLEY_NET_INTERNAL_H
#define PARLEY_NET_INTERNAL_H

#include <sys/queue.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "parley/net.h"

enum {
	READ_SIZE = 16384, /* read from one connection in one turn, at most */
	MAX_DELAY_MS = 2000000000, /* longer timers end here: 23 days */
};

/* The first member of whatever is freed at the end of a turn. */
struct dead {
	struct dead *next;
};

struct deferred {
	void (*call)(void *owner);
	void *owner;
};

struct watched_signal {
	struct watched_signal *next; /* in pl_loop.signals */
	struct event *event;         /* owned */
	void (*call)(void *owner, int number);
	void *owner;
	int number;
};

struct pl_loop {
	struct event_base *base; /* owned */
	bool stop;
	LIST_HEAD(, pl_conn) conns;
	size_t connections;
	TAILQ_HEAD(, pl_conn) dirty; /* have something to do at the turn's end */
	size_t dirty_count;
	struct deferred *deferred; /* owned */
	size_t deferred_count, deferred_room;
	struct dead *dead;         /* owned */
	struct watched_signal *signals; /* owned */
	struct inherited *inherited;    /* owned */
	unsigned char input[READ_SIZE]; /* what one read brought */
	unsigned char chance[256]; /* from getrandom(), the unused end of it */
	size_t chance_left;
};

struct pl_timer {
	struct dead dead;
	struct pl_loop *loop;
	struct event event;
	void (*call)(void *owner);
	void *owner;
};

struct pl_conn {
	struct dead dead;
	struct pl_loop *loop;
	LIST_ENTRY(pl_conn) in_loop;   /* pl_loop.conns */
	TAILQ_ENTRY(pl_conn) in_dirty; /* pl_loop.dirty, while `dirty` */
	const struct pl_conn_events *events; /* borrowed; NULL without owner */
	void *owner;
	struct event readable, writable;
	struct pl_buffer output;
	uint64_t written, sent;  /* bytes: taken from the owner, by the kernel */
	struct pl_timer *linger; /* owned; once closing */
	uint64_t linger_until_ms;
	void (*gone)(void *owner, uint64_t acked); /* NULL: nobody asks */
	void *gone_owner;
	int fd;                  /* owned */
	int write_error;         /* errno of the write that failed, or 0 */
	bool dirty;
	bool blocked;  /* the kernel takes no more: writable is awaited */
	bool sending;  /* something was written since on_drained */
	bool paused;
	bool overflow; /* the output limit was exceeded */
	bool eof;      /* the peer ended its direction */
	bool ended;    /* on_end was called */
	bool closing;  /* pl_conn_close() was called */
	bool half_closed; /* our direction is shut down */
	char peer[64];
	char group[64];
};

void loop_bury(struct pl_loop *loop, struct dead *dead);

struct timeval delay_of(uint64_t ms);

/* Of a TCP socket; others have none of these. */
void conn_options(int fd, int family);
/* Takes over a connected, non-blocking socket. NULL (the socket is closed) when
 * memory is out. */
struct pl_conn *conn_new(struct pl_loop *loop, int fd,
			 const struct sockaddr *peer);
void conn_flush(struct pl_conn *conn); /* the turn's one write */

/* inherit.c */
/* A duplicate of the socket that we were handed for a place, or -1. */
int inherited_at(struct pl_loop *loop, const struct sockaddr_storage *place);
void inherited_free(struct pl_loop *loop);

/* "127.0.0.3:5269", "[::1]:5269", "unix" */
void address_text(const struct sockaddr *addr, char *out, size_t size);

/* The system's words for an errno, without a capital: "connection refused". */
void error_text(int error, char *out, size_t size);

#endif
