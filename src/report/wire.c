/*
 * The wire capture (wire.h): connections as IP packets with TCP around what
 * went over them, and secrets before what they open. Written block by block, so
 * that a run that is cut short leaves a good file.
 *
 * OpenSSL's initiating side tells the secret of its own handshake messages only
 * when it sends them, whereas Wireshark looks for both sides' at the ServerHello
 * and never again. So packets wait from the one secret to the other; those of
 * other connections too, as the file is in the order of time.
 */
#include "parley/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pcapng_write.h"

enum {
	SEGMENT_BYTES = 32768, /* of one packet's payload */
	HELD_BYTES = 1024 * 1024, /* of packets that wait */
	TCP_BYTES = 20,
	SYN_OPTIONS = 8,
	WINDOW_SCALE = 7,

	FIN = 0x01,
	SYN = 0x02,
	RST = 0x04,
	PSH = 0x08,
	ACK = 0x10,

	PROTOCOL_TCP = 6,
};

struct pl_wire {
	int fd;            /* owned; -1 once closed */
	size_t written;
	struct pl_buffer held; /* packets that wait for a secret ... */
	size_t waits;          /* ... of so many connections */
	int error;         /* errno of the write that failed, or 0 */
	bool full;
	bool closed;       /* freed with its last connection */
	size_t connections;
	char *path;        /* owned */
};

/* One direction's end: 0 ours, 1 the peer's. */
struct side {
	struct endpoint endpoint;
	uint32_t next;     /* sequence number */
	bool finished;
};

struct connection {
	struct pl_wire *wire; /* borrowed: lives as long */
	struct side sides[2];
	bool reset;
	bool waits, told;  /* for the second secret of the handshake */
};

/* ----- the file ----- */

static bool write_all(struct pl_wire *wire, const struct pl_buffer *bytes)
{
	const unsigned char *at = pl_buffer_bytes(bytes);
	size_t left = bytes->length;

	while (left > 0) {
		ssize_t n = write(wire->fd, at, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			wire->error = errno;
			return false;
		}
		at += n;
		left -= (size_t)n;
	}
	wire->written += bytes->length;
	return true;
}

static bool takes_more(struct pl_wire *wire)
{
	if (wire->written > PL_WIRE_BYTES)
		wire->full = true;
	return wire->fd >= 0 && wire->error == 0 && !wire->full;
}

/* Writes a block that was made, or that memory was lacking for. */
static void write_block(struct pl_wire *wire, struct pl_buffer *block,
			bool made)
{
	if (!made)
		wire->error = ENOMEM;
	else
		write_all(wire, block);
	pl_buffer_wipe(block);
}

static void write_held(struct pl_wire *wire)
{
	struct pl_buffer held = wire->held;

	pl_buffer_init(&wire->held, 0);
	if (held.length > 0 && wire->error == 0)
		write_all(wire, &held);
	pl_buffer_wipe(&held);
}

/* As write_block, once nobody waits any more. */
static void hold_block(struct pl_wire *wire, struct pl_buffer *block, bool made)
{
	if (wire->waits == 0 || !made) {
		write_block(wire, block, made);
		return;
	}
	if (wire->held.length > HELD_BYTES)
		write_held(wire);
	if (!pl_buffer_append(&wire->held, pl_buffer_bytes(block),
			      block->length))
		wire->error = ENOMEM;
	pl_buffer_wipe(block);
}

/* A fresh file, whoever else may have the old one open. */
static int make_file(const char *path, bool force, struct pl_error *error)
{
	struct stat old;
	int fd;

	if (force && lstat(path, &old) == 0) {
		if (!S_ISREG(old.st_mode)) {
			pl_error_set(error, "%s is no regular file, and is not "
				     "replaced", path);
			return -1;
		}
		unlink(path);
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		  0600);
	if (fd < 0 && errno == EEXIST)
		pl_error_set(error, "%s exists already", path);
	else if (fd < 0)
		pl_error_set(error, "cannot make %s: %s", path,
			     strerror(errno));
	return fd;
}

struct pl_wire *pl_wire_open(const char *path, bool force,
			     struct pl_error *error)
{
	struct pl_wire *wire;
	struct pl_buffer begin;
	int fd = make_file(path, force, error);

	if (fd < 0)
		return NULL;
	wire = pl_calloc(1, sizeof *wire);
	wire->fd = fd;
	wire->path = pl_strdup(path);
	pl_buffer_init(&begin, 0);
	write_block(wire, &begin, pcapng_begin(&begin, LINK_RAW, "parley"));
	return wire;
}

static void release(struct pl_wire *wire)
{
	if (!wire->closed || wire->connections > 0)
		return;
	free(wire->path);
	free(wire);
}

bool pl_wire_close(struct pl_wire *wire, struct pl_error *error)
{
	bool good;

	if (wire == NULL)
		return true;
	write_held(wire);
	if (close(wire->fd) != 0 && wire->error == 0)
		wire->error = errno;
	good = wire->error == 0 && !wire->full;
	if (wire->error != 0)
		pl_error_set(error, "cannot write %s: %s", wire->path,
			     strerror(wire->error));
	else if (wire->full)
		pl_error_set(error, "%s ends early: it has reached %d MiB",
			     wire->path, PL_WIRE_BYTES / (1024 * 1024));
	wire->fd = -1;
	wire->closed = true;
	release(wire);
	return good;
}

/* ----- packets ----- */

/* One's complement sum of 16-bit words (RFC 1071). */
static uint32_t sum(uint32_t before, const unsigned char *bytes, size_t length)
{
	for (; length > 1; bytes += 2, length -= 2) {
		before += (uint32_t)bytes[0] << 8 | bytes[1];
		before = (before & 0xffff) + (before >> 16);
	}
	if (length == 1)
		before += (uint32_t)bytes[0] << 8;
	return (before & 0xffff) + (before >> 16);
}

static uint16_t folded(uint32_t total)
{
	return (uint16_t)~((total & 0xffff) + (total >> 16));
}

/* Returns its length: 20 or 40. */
static size_t ip_header(unsigned char *out, const struct endpoint *from,
			const struct endpoint *to, size_t length)
{
	if (from->size == 16) {
		put32(out, 0x60000000);
		put16(out + 4, (uint16_t)length);
		out[6] = PROTOCOL_TCP;
		out[7] = 64;
		memcpy(out + 8, from->address, 16);
		memcpy(out + 24, to->address, 16);
		return 40;
	}
	put32(out, 0x45000000 | (uint32_t)(length + 20));
	put32(out + 4, 0x00004000); /* not to be fragmented */
	out[8] = 64;
	out[9] = PROTOCOL_TCP;
	put16(out + 10, 0);
	memcpy(out + 12, from->address, 4);
	memcpy(out + 16, to->address, 4);
	put16(out + 10, folded(sum(0, out, 20)));
	return 20;
}

static size_t tcp_header(unsigned char *out, const struct side *from,
			 const struct side *to, unsigned flags)
{
	static const unsigned char options[SYN_OPTIONS] = {
		2, 4, SEGMENT_BYTES >> 8, SEGMENT_BYTES & 0xff, /* MSS */
		1, 3, 3, WINDOW_SCALE };
	size_t length = TCP_BYTES + (flags & SYN ? SYN_OPTIONS : 0);

	put16(out, from->endpoint.port);
	put16(out + 2, to->endpoint.port);
	put32(out + 4, from->next);
	put32(out + 8, flags & ACK ? to->next : 0);
	put16(out + 12, (uint16_t)((length / 4) << 12 | flags));
	put16(out + 14, UINT16_MAX); /* the window: no reader minds */
	put32(out + 16, 0);
	if (flags & SYN)
		memcpy(out + TCP_BYTES, options, SYN_OPTIONS);
	return length;
}

static void put_checksum(unsigned char *tcp, size_t length,
			 const struct side *from, const struct side *to)
{
	unsigned char more[6];
	uint32_t total;

	put16(more, PROTOCOL_TCP);
	put32(more + 2, (uint32_t)length);
	total = sum(0, from->endpoint.address, from->endpoint.size);
	total = sum(total, to->endpoint.address, to->endpoint.size);
	total = sum(total, more, sizeof more);
	total = sum(total, tcp, length);
	put16(tcp + 16, folded(total));
}

/* who sends: 0 we, 1 the peer. */
static void send_packet(struct connection *c, int who, uint64_t us,
			unsigned flags, const void *bytes, size_t length)
{
	struct side *from = &c->sides[who], *to = &c->sides[1 - who];
	unsigned char packet[40 + TCP_BYTES + SYN_OPTIONS + SEGMENT_BYTES];
	unsigned char tcp[TCP_BYTES + SYN_OPTIONS];
	size_t tcp_length = tcp_header(tcp, from, to, flags);
	size_t ip_length = ip_header(packet, &from->endpoint, &to->endpoint,
				     tcp_length + length);
	struct pl_buffer block;

	if (!takes_more(c->wire))
		return;
	memcpy(packet + ip_length, tcp, tcp_length);
	if (length > 0)
		memcpy(packet + ip_length + tcp_length, bytes, length);
	put_checksum(packet + ip_length, tcp_length + length, from, to);
	from->next += (uint32_t)length + (flags & (SYN | FIN) ? 1 : 0);
	pl_buffer_init(&block, 0);
	length += ip_length + tcp_length;
	hold_block(c->wire, &block, pcapng_packet(&block, &(struct packet){
		.us = us,
		.way = who == 0 ? WAY_OUT : WAY_IN,
		.bytes = packet,
		.length = length,
		.original = length,
		.comment = "",
	}));
}

/* ----- what the tap tells ----- */

static void *on_open(void *owner, uint64_t us, const char *local,
		     const char *peer, bool incoming)
{
	struct pl_wire *wire = owner;
	struct connection *c = calloc(1, sizeof *c);
	int dialler = incoming ? 1 : 0;

	if (c == NULL)
		return NULL;
	c->wire = wire;
	if (!pcapng_endpoint(peer, &c->sides[1].endpoint)) {
		free(c);
		return NULL;
	}
	/* Ours is only a name here: without it, any address will do. */
	if (!pcapng_endpoint(local, &c->sides[0].endpoint) ||
	    c->sides[0].endpoint.size != c->sides[1].endpoint.size)
		c->sides[0].endpoint = (struct endpoint){
			.size = c->sides[1].endpoint.size };
	wire->connections++;
	send_packet(c, dialler, us, SYN, NULL, 0);
	send_packet(c, 1 - dialler, us, SYN | ACK, NULL, 0);
	send_packet(c, dialler, us, ACK, NULL, 0);
	return c;
}

static void on_bytes(void *handle, uint64_t us, bool outgoing,
		     const void *bytes, size_t length)
{
	struct connection *c = handle;
	const unsigned char *at = bytes;
	int who = outgoing ? 0 : 1;

	if (c->reset || c->sides[who].finished)
		return;
	while (length > 0) {
		size_t n = length < SEGMENT_BYTES ? length : SEGMENT_BYTES;

		send_packet(c, who, us, PSH | ACK, at, n);
		at += n;
		length -= n;
	}
}

static void end_waiting(struct connection *c)
{
	if (!c->waits)
		return;
	c->waits = false;
	if (--c->wire->waits == 0 && c->wire->fd >= 0)
		write_held(c->wire);
}

static bool begins(const char *line, const char *label)
{
	return strncmp(line, label, strlen(label)) == 0;
}

/* What one of them is for is told by the first word (TLS 1.3). */
static void note_secret(struct connection *c, const char *line)
{
	if (begins(line, "CLIENT_HANDSHAKE_TRAFFIC_SECRET ")) {
		c->told = true;
		end_waiting(c);
	} else if (begins(line, "SERVER_HANDSHAKE_TRAFFIC_SECRET ") &&
		   !c->told && !c->waits) {
		c->waits = true;
		c->wire->waits++;
	}
}

static void on_secret(void *handle, const char *line)
{
	struct connection *c = handle;
	struct pl_buffer block;

	if (!takes_more(c->wire))
		return;
	pl_buffer_init(&block, 0);
	write_block(c->wire, &block, pcapng_secret(&block, line));
	note_secret(c, line);
}

static void on_end(void *handle, uint64_t us, enum pl_tap_end end)
{
	struct connection *c = handle;
	int who = end == PL_TAP_CLOSED || end == PL_TAP_DROPPED ? 0 : 1;
	bool reset = end == PL_TAP_DROPPED || end == PL_TAP_PEER_RESET;

	if (c->reset || c->sides[who].finished)
		return;
	send_packet(c, who, us, (reset ? RST : FIN) | ACK, NULL, 0);
	c->reset = reset;
	c->sides[who].finished = true;
	end_waiting(c);
}

static void on_gone(void *handle)
{
	struct connection *c = handle;
	struct pl_wire *wire = c->wire;

	end_waiting(c);
	free(c);
	wire->connections--;
	release(wire);
}

const struct pl_tap_events *pl_wire_events(void)
{
	static const struct pl_tap_events events = {
		.on_open = on_open,
		.on_bytes = on_bytes,
		.on_secret = on_secret,
		.on_end = on_end,
		.on_gone = on_gone,
	};

	return &events;
}
