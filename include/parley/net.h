/*
 * net.h: the loop, time, chance, listeners and connections.
 *
 * The only room that owns a file descriptor, reads a clock or draws random
 * bytes. Everything hangs from one struct pl_loop; a process may run several
 * in as many threads. Tests put a second implementation of this header behind
 * the same names, with scripted links and a clock of its own.
 *
 * Callbacks run from pl_loop_run() only, never inside the call that asked for
 * them. Inside a callback any of these functions may be called, also the
 * freeing of the very object: memory goes at the end of the loop turn.
 */
#ifndef PARLEY_NET_H
#define PARLEY_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "parley/base.h"
#include "parley/dns.h"

/* ----- loop, time, chance ----- */

struct pl_loop;
struct event_base;

struct pl_loop *pl_loop_new(struct pl_error *error);
void pl_loop_free(struct pl_loop *loop); /* after everything in it */
/* Runs until pl_loop_stop(). */
void pl_loop_run(struct pl_loop *loop);
void pl_loop_stop(struct pl_loop *loop);
/* For the resolver; NULL in the scripted implementation. */
struct event_base *pl_loop_base(struct pl_loop *loop);

uint64_t pl_loop_now_ms(struct pl_loop *loop);       /* monotonic */
uint64_t pl_loop_now_us(struct pl_loop *loop);       /* the same clock */
struct timeval pl_loop_time(struct pl_loop *loop);   /* wall clock */
void pl_loop_random(struct pl_loop *loop, void *out, size_t length);

/* Calls back once, at the end of this turn of the loop. */
void pl_loop_defer(struct pl_loop *loop, void (*call)(void *owner),
		   void *owner);

struct pl_timer;
struct pl_timer *pl_timer_new(struct pl_loop *loop, void (*call)(void *owner),
			      void *owner);
void pl_timer_set(struct pl_timer *timer, uint64_t delay_ms); /* again: moves */
void pl_timer_clear(struct pl_timer *timer);
void pl_timer_free(struct pl_timer *timer); /* NULL is fine */

/* Calls back in the loop for a signal. False when it cannot be had. */
bool pl_loop_signal(struct pl_loop *loop, int number,
		    void (*call)(void *owner, int number), void *owner);

/* ----- connections ----- */

struct pl_conn;

enum pl_conn_end {
	PL_CONN_EOF,      /* the peer's orderly end */
	PL_CONN_RESET,    /* reset, or an error while reading or writing */
	PL_CONN_OVERFLOW, /* the peer does not read: output limit exceeded */
};

struct pl_conn_events {
	/* Bytes came. They are the callee's only until it returns. */
	void (*on_data)(void *owner, const void *bytes, size_t length);
	/* Nothing more will come, and all that came was delivered. Called once;
	 * not after pl_conn_close() or pl_conn_abort(). */
	void (*on_end)(void *owner, enum pl_conn_end end, const char *text);
	/* All output has been handed to the kernel; may be NULL. */
	void (*on_drained)(void *owner);
};

/* Gives an accepted or dialled connection its owner; reading starts. */
void pl_conn_own(struct pl_conn *conn, const struct pl_conn_events *events,
		 void *owner);
/* Queues bytes; written once per loop turn, or when 128 KB of them wait; Nagle
 * is off. False once the
 * limit is exceeded (on_end OVERFLOW follows) or after the end. */
bool pl_conn_write(struct pl_conn *conn, const void *bytes, size_t length);
size_t pl_conn_pending(const struct pl_conn *conn); /* bytes not yet sent */
/* Bytes since the beginning: that pl_conn_write() took, and those of them that
 * the kernel has. On a connection that broke the rest was never sent. */
uint64_t pl_conn_written(const struct pl_conn *conn);
uint64_t pl_conn_sent(const struct pl_conn *conn);
/* ... and those of them that the peer's TCP has acknowledged: what is on its way
 * is not among them. A system call; true also of a connection that broke. */
uint64_t pl_conn_acked(const struct pl_conn *conn);
/* The same, for the last time: what is not acknowledged by now is not sent any
 * more either. pl_conn_abort() follows. */
uint64_t pl_conn_settle(struct pl_conn *conn);
void pl_conn_set_output_limit(struct pl_conn *conn, size_t bytes);
void pl_conn_pause(struct pl_conn *conn);  /* stop reading: back-pressure */
void pl_conn_resume(struct pl_conn *conn);
/* Sends what is queued, half-closes, waits for the peer's end (discarding what
 * comes), both within linger_ms; then it is gone. No callbacks after it. */
void pl_conn_close(struct pl_conn *conn, uint64_t linger_ms);
/* The same, but for one callback, when the connection is gone: how much of what
 * was written the peer's TCP acknowledged, as pl_conn_settle(). Till then, or
 * till linger_ms are over, it also waits for that. pl_conn_abort() ends it
 * before, and calls back at once; when the loop is freed nothing does. */
void pl_conn_farewell(struct pl_conn *conn, uint64_t linger_ms,
		      void (*gone)(void *owner, uint64_t acked), void *owner);
/* Drops it now: what is queued is lost, no callbacks after it. */
void pl_conn_abort(struct pl_conn *conn);
/* "127.0.0.3:5269", "[::1]:5269" */
const char *pl_conn_peer(const struct pl_conn *conn);
/* The address alone, for limits: IPv4 whole, IPv6 as its /64. */
const char *pl_conn_peer_group(const struct pl_conn *conn);
/* Our own endpoint, in the same form; "" when it cannot be had. */
enum { PL_ENDPOINT_SIZE = 64 };
void pl_conn_local(const struct pl_conn *conn, char out[PL_ENDPOINT_SIZE]);
/* Connections that are alive in the loop, for tests and limits. */
size_t pl_loop_connections(const struct pl_loop *loop);

/* ----- listening ----- */

struct pl_listener;

/* conn is not owned yet: own it or abort it. */
typedef void (*pl_accepted)(void *owner, struct pl_conn *conn);

/* Listens on "addr:port" or "[v6]:port". Fails with a sentence. Accepting goes
 * on after descriptor exhaustion (with a pause), and at most 64 connections
 * are accepted in one turn. IPv6 wildcard listeners are IPv6 only. */
struct pl_listener *pl_listener_new(struct pl_loop *loop, const char *endpoint,
				    pl_accepted accepted, void *owner,
				    struct pl_error *error);
/* Unix-domain stream socket at a path, mode 0600, an old dead socket is
 * replaced; a live one is an error. One that was inherited
 * keeps its mode, and is not taken where everybody may open it. */
struct pl_listener *pl_listener_unix(struct pl_loop *loop, const char *path,
				     pl_accepted accepted, void *owner,
				     struct pl_error *error);
void pl_listener_free(struct pl_listener *listener); /* NULL is fine */

/*
 * Listening sockets that somebody else opened for us, a service manager. Any
 * listener of this loop whose address or path is that of such a socket listens
 * on it instead of opening one; the loop keeps it, so that it is there again
 * when a listener that went comes back.
 */
void pl_loop_inherit(struct pl_loop *loop, int fd); /* the loop's from now on */
/* Tells of each by its place, and closes those that no listener has used. */
void pl_loop_inherited(struct pl_loop *loop,
		       void (*tell)(void *owner, const char *where, bool used),
		       void *owner);
/* For a server that is not ours: a duplicate of the one at this endpoint, which
 * is the caller's, or -1. */
int pl_listener_inherited(struct pl_loop *loop, const char *endpoint);

/* ----- dialling ----- */

struct pl_dial;

struct pl_dial_result {
	struct pl_conn *conn;  /* NULL on failure; else yours, not owned yet */
	enum pl_code code;     /* tcp-refused, tcp-timeout, tcp-unreachable */
	char peer[64];         /* the address reached, or the last one tried */
	char text[256];        /* the system's words */
};
typedef void (*pl_dialled)(void *owner, const struct pl_dial_result *result);

/*
 * Connects to the first of some addresses that answers (happy eyeballs, RFC
 * 8305: families interleaved, next attempt after 250 ms or at a failure).
 * timeout_ms is per address. Always answers later.
 */
struct pl_dial *pl_dial_start(struct pl_loop *loop,
			      const struct pl_dns_address *addresses,
			      size_t count, uint64_t timeout_ms,
			      pl_dialled dialled, void *owner);
void pl_dial_cancel(struct pl_dial *dial); /* not after it answered */

#endif
