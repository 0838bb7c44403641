/* Blocks of pcapng. A block is TYPE LENGTH BODY LENGTH, in units of four bytes;
 * an option of it CODE LENGTH VALUE, the same. */
#include "pcapng_write.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 6,   /* Enhanced Packet Block */
	BLOCK_JOURNAL = 9,
	BLOCK_SECRETS = 10,
	BLOCK_SECTION = 0x0a0d0d0a,

	OPTION_END = 0,
	OPTION_COMMENT = 1,
	OPTION_FLAGS = 2,   /* of a packet */
	OPTION_NAME = 2,    /* of an interface */
	OPTION_APPLICATION = 4,
	OPTION_RESOLUTION = 9,

	BYTE_ORDER_MAGIC = 0x1a2b3c4d,
	SECRETS_TLS = 0x544c534b, /* an NSS key log */
	MICROSECONDS = 6,
	OPTION_BYTES = 65532, /* its length has 16 bits; and the padding */
};

/* A block under way: `out` as it was, so that a failure leaves no half of it. */
struct block {
	struct pl_buffer *out;
	size_t before;
	bool good;
};

static void add(struct block *block, const void *bytes, size_t length)
{
	block->good = block->good &&
		      pl_buffer_append(block->out, bytes, length);
}

static void add16(struct block *block, uint16_t value)
{
	unsigned char bytes[] = { (unsigned char)value,
				  (unsigned char)(value >> 8) };

	add(block, bytes, sizeof bytes);
}

static void add32(struct block *block, uint32_t value)
{
	add16(block, (uint16_t)value);
	add16(block, (uint16_t)(value >> 16));
}

static void add_padded(struct block *block, const void *bytes, size_t length)
{
	add(block, bytes, length);
	add(block, "\0\0", (4 - length % 4) % 4);
}

static void add_option(struct block *block, uint16_t code, const void *bytes,
		       size_t length)
{
	if (length > OPTION_BYTES)
		length = OPTION_BYTES;
	add16(block, code);
	add16(block, (uint16_t)length);
	add_padded(block, bytes, length);
}

static void end_options(struct block *block)
{
	add_option(block, OPTION_END, "", 0);
}

static struct block begin(struct pl_buffer *out, uint32_t type)
{
	struct block block = { out, out->length, true };

	add32(&block, type);
	add32(&block, 0); /* the length, once it is known */
	return block;
}

static bool end(struct block *block)
{
	struct pl_buffer *out = block->out;
	size_t length = out->length + 4 - block->before;
	unsigned char *field;

	if (length > UINT32_MAX)
		block->good = false;
	add32(block, (uint32_t)length);
	if (!block->good) {
		out->length = block->before;
		return false;
	}
	field = out->data + out->start + block->before + 4;
	memcpy(field, out->data + out->start + out->length - 4, 4);
	return true;
}

bool pcapng_begin(struct pl_buffer *out, uint16_t link_type,
		  const char *interface_name)
{
	static const char name[] = "parley " PARLEY_VERSION;
	static const unsigned char unknown_length[8] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	unsigned char resolution = MICROSECONDS;
	struct block block = begin(out, BLOCK_SECTION);

	add32(&block, BYTE_ORDER_MAGIC);
	add16(&block, 1); /* version 1.0 */
	add16(&block, 0);
	add(&block, unknown_length, sizeof unknown_length);
	add_option(&block, OPTION_APPLICATION, name, sizeof name - 1);
	end_options(&block);
	if (!end(&block))
		return false;
	block = begin(out, BLOCK_INTERFACE);
	add16(&block, link_type);
	add16(&block, 0);
	add32(&block, 0); /* packets of any length */
	add_option(&block, OPTION_NAME, interface_name, strlen(interface_name));
	add_option(&block, OPTION_RESOLUTION, &resolution, 1);
	end_options(&block);
	return end(&block);
}

bool pcapng_packet(struct pl_buffer *out, const struct packet *packet)
{
	unsigned char flags[4] = { (unsigned char)packet->way };
	struct block block = begin(out, BLOCK_PACKET);

	add32(&block, 0); /* the interface */
	add32(&block, (uint32_t)(packet->us >> 32));
	add32(&block, (uint32_t)packet->us);
	add32(&block, (uint32_t)packet->length);
	add32(&block, (uint32_t)packet->original);
	add_padded(&block, packet->bytes, packet->length);
	if (packet->comment[0] != '\0')
		add_option(&block, OPTION_COMMENT, packet->comment,
			   strlen(packet->comment));
	add_option(&block, OPTION_FLAGS, flags, sizeof flags);
	end_options(&block);
	return end(&block);
}

bool pcapng_journal(struct pl_buffer *out, const void *entry, size_t length)
{
	struct block block = begin(out, BLOCK_JOURNAL);

	add_padded(&block, entry, length);
	return end(&block);
}

bool pcapng_secret(struct pl_buffer *out, const char *line)
{
	size_t length = strlen(line) + 1;
	struct block block = begin(out, BLOCK_SECRETS);

	add32(&block, SECRETS_TLS);
	add32(&block, (uint32_t)length);
	add(&block, line, length - 1);
	add(&block, "\n\0\0", 1 + (4 - length % 4) % 4);
	end_options(&block);
	return end(&block);
}

/* ----- endpoints ----- */

static bool port_parse(const char *text, uint16_t *out)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long port = strtoul(text, NULL, 10);

	if (digits == 0 || digits > 5 || text[digits] != '\0' ||
	    port > UINT16_MAX)
		return false;
	*out = (uint16_t)port;
	return true;
}

bool pcapng_endpoint(const char *text, struct endpoint *out)
{
	bool v6 = text[0] == '[';
	const char *colon = strrchr(text, ':');
	size_t length, skip = v6 ? 1 : 0;
	char address[INET6_ADDRSTRLEN];

	memset(out, 0, sizeof *out);
	if (colon == NULL || colon < text + 2 * skip ||
	    (v6 && colon[-1] != ']') || !port_parse(colon + 1, &out->port))
		return false;
	length = (size_t)(colon - text) - 2 * skip;
	if (length >= sizeof address)
		return false;
	memcpy(address, text + skip, length);
	address[length] = '\0';
	if (inet_pton(v6 ? AF_INET6 : AF_INET, address, out->address) != 1)
		return false;
	out->size = v6 ? 16 : 4;
	return true;
}
