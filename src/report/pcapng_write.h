/*
 * Writing pcapng (draft-ietf-opsawg-pcapng): the five kinds of block that our
 * two captures need, each appended whole to a buffer or not at all.
 *
 * Of what Debian has, libpcap writes the older format only, which has neither
 * comments nor secrets; libwiretap does, under another licence, without a
 * stable interface, and with all of Wireshark behind it.
 *
 * Everything is little-endian. One section, one interface.
 */
#ifndef REPORT_PCAPNG_WRITE_H
#define REPORT_PCAPNG_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parley/base.h"

enum {
	LINK_RAW = 101,       /* LINKTYPE_RAW: IPv4 or IPv6 */
	LINK_UPPER_PDU = 252, /* LINKTYPE_WIRESHARK_UPPER_PDU */
};

enum packet_way { WAY_UNKNOWN = 0, WAY_IN = 1, WAY_OUT = 2 };

struct packet {
	uint64_t us;         /* since 1970 */
	enum packet_way way;
	const void *bytes;
	size_t length;
	size_t original;     /* its length before it was cut */
	const char *comment; /* UTF-8; "" for none; cut at 64 KiB */
};

/* The section with our name and version, and its interface. */
bool pcapng_begin(struct pl_buffer *out, uint16_t link_type,
		  const char *interface_name);
bool pcapng_packet(struct pl_buffer *out, const struct packet *packet);
/* An entry of the Journal Export Format, without its empty line at the end. */
bool pcapng_journal(struct pl_buffer *out, const void *entry, size_t length);
/* A line of an NSS key log, without '\n'. */
bool pcapng_secret(struct pl_buffer *out, const char *line);

/* "192.0.2.1:5269" or "[2001:db8::1]:5269" as numbers. */
struct endpoint {
	size_t size;             /* of the address: 4 or 16; 0: not known */
	unsigned char address[16];
	uint16_t port;
};
bool pcapng_endpoint(const char *text, struct endpoint *out);

/* Big-endian, as packets have it. */
static inline void put16(unsigned char *out, uint16_t value)
{
	out[0] = (unsigned char)(value >> 8);
	out[1] = (unsigned char)value;
}

static inline void put32(unsigned char *out, uint32_t value)
{
	put16(out, (uint16_t)(value >> 16));
	put16(out + 2, (uint16_t)value);
}

#endif
