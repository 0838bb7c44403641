/*
 * tap.h: who listens to the bytes of connections as they are on the wire.
 *
 *     stream: connection taken over  -> on_open   (a handle for this one)
 *             bytes read, written    -> on_bytes  (ciphertext, where TLS is)
 *             OpenSSL made a secret  -> on_secret
 *             either side's end      -> on_end
 *             the stream is freed    -> on_gone
 *
 * For captures of the commands only (wire.h); a daemon has none, and that
 * costs it one test per read and write. With a tap TLS secrets leave the TLS
 * room, and nowhere else.
 *
 * The order holds this promise: a secret comes before the bytes that it opens,
 * incoming ones too, so that a reader who goes through once can decrypt.
 */
#ifndef PARLEY_TAP_H
#define PARLEY_TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pl_tap_end {
	PL_TAP_PEER_CLOSED, /* the peer ended its direction */
	PL_TAP_PEER_RESET,  /* reset, or an error while reading or writing */
	PL_TAP_CLOSED,      /* we closed, after what was written */
	PL_TAP_DROPPED,     /* we dropped it */
};

/* us: microseconds of the wall clock. No member is NULL. */
struct pl_tap_events {
	/* Endpoints as "192.0.2.1:5269" or "[2001:db8::1]:5269"; local may be
	 * "". Returns the handle for the other calls; NULL: not listened to. */
	void *(*on_open)(void *owner, uint64_t us, const char *local,
			 const char *peer, bool incoming);
	/* outgoing: handed to the connection, which writes once a turn. */
	void (*on_bytes)(void *handle, uint64_t us, bool outgoing,
			 const void *bytes, size_t length);
	/* One line of an NSS key log, without '\n'. Good until it returns. */
	void (*on_secret)(void *handle, const char *line);
	void (*on_end)(void *handle, uint64_t us, enum pl_tap_end end);
	void (*on_gone)(void *handle); /* the last call */
};

#endif
