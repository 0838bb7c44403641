/*
 * wire.h: a capture of the connections themselves, with the keys to read it.
 *
 *     wire = pl_wire_open("x.pcapng", false, &error)
 *     world.tap = pl_wire_events(); world.tap_owner = wire;
 *     ... streams come and go ...
 *     pl_wire_close(wire, &error)     after the last stream is freed
 *
 * A pcapng file of IP packets (LINKTYPE_RAW): the payload is what went over the
 * connection; handshake, numbers and ends of TCP are made up around it. TLS
 * secrets stand in Decryption Secrets Blocks before the packets that they open.
 * What the peer sends once we closed is not in it: nobody reads that.
 * Whoever has the file reads all of it, dialback keys included: the command
 * that makes one asks for --secrets, and says on stderr what the file holds.
 * Without secrets it would be of no use beside the trace, so there is no such
 * way.
 */
#ifndef PARLEY_WIRE_H
#define PARLEY_WIRE_H

#include <stdbool.h>

#include "parley/base.h"
#include "parley/tap.h"

enum {
	PL_WIRE_BYTES = 256 * 1024 * 1024, /* of the file; then it ends */
};

struct pl_wire;

/* Makes the file, mode 0600; one that exists is an error, or, with force and
 * where it is a regular file, is replaced. NULL with a sentence. */
struct pl_wire *pl_wire_open(const char *path, bool force,
			     struct pl_error *error);
/* The owner of these events is the struct pl_wire. */
const struct pl_tap_events *pl_wire_events(void);
/* Ends the file. False with a sentence: it could not be written whole, or grew
 * too large. NULL is fine. */
bool pl_wire_close(struct pl_wire *wire, struct pl_error *error);

#endif
