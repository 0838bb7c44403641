/* Packets, sound and hostile, to records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "internal.h"

/* ----- making packets ----- */

struct packet {
	uint8_t bytes[65536];
	size_t length;
};

static void put(struct packet *packet, const void *bytes, size_t length)
{
	assert_true(packet->length + length <= sizeof packet->bytes);
	memcpy(packet->bytes + packet->length, bytes, length);
	packet->length += length;
}

static void put16(struct packet *packet, unsigned n)
{
	put(packet, (uint8_t[]){ (uint8_t)(n >> 8), (uint8_t)n }, 2);
}

static void put_name(struct packet *packet, const char *name)
{
	while (*name != '\0') {
		size_t n = strcspn(name, ".");

		put(packet, (uint8_t[]){ (uint8_t)n }, 1);
		put(packet, name, n);
		name += n + (name[n] == '.');
	}
	put(packet, "", 1);
}

static void begin(struct packet *packet, int rcode, unsigned answers, int type)
{
	packet->length = 0;
	put16(packet, 1234);
	put16(packet, 0x8180u | (unsigned)rcode);
	put16(packet, 1);
	put16(packet, answers);
	put16(packet, 0);
	put16(packet, 0);
	put_name(packet, "q.example");
	put16(packet, (unsigned)type);
	put16(packet, 1);
}

static void put_rr(struct packet *packet, int type, int class,
		   const void *rdata, size_t length)
{
	put16(packet, 0xc00c); /* the question's name */
	put16(packet, (unsigned)type);
	put16(packet, (unsigned)class);
	put(packet, "\0\0\0\74", 4);
	put16(packet, (unsigned)length);
	put(packet, rdata, length);
}

static void put_srv(struct packet *packet, unsigned priority, unsigned weight,
		    unsigned port, const char *host)
{
	struct packet *rdata = calloc(1, sizeof *rdata);

	put16(rdata, priority);
	put16(rdata, weight);
	put16(rdata, port);
	put_name(rdata, host);
	put_rr(packet, TYPE_SRV, 1, rdata->bytes, rdata->length);
	free(rdata);
}

static struct packet packet;
static struct records records;

/* A copy without room behind it: the sanitizer sees each byte too far. */
static void read_packet(int type)
{
	uint8_t *exact = malloc(packet.length + (packet.length == 0));

	memcpy(exact, packet.bytes, packet.length);
	records_read(&records, type, exact, packet.length);
	free(exact);
}

/* ----- sound ones ----- */

static void srv_records(void **state)
{
	begin(&packet, 0, 2, TYPE_SRV);
	put_srv(&packet, 1, 2, 5269, "HOST.Example");
	put_srv(&packet, 65535, 65534, 65533, "_x-1.example");
	read_packet(TYPE_SRV);
	assert_int_equal(records.status, FOUND);
	assert_int_equal(records.count, 2);
	assert_string_equal(records.list.srv[0].host, "host.example");
	assert_int_equal(records.list.srv[0].priority, 1);
	assert_int_equal(records.list.srv[0].weight, 2);
	assert_int_equal(records.list.srv[0].port, 5269);
	assert_string_equal(records.list.srv[1].host, "_x-1.example");
	assert_int_equal(records.list.srv[1].port, 65533);
	assert_false(records.refused || records.unusable);
	records_finish(&records);
	records_finish(&records);
}

static void a_dot_alone_is_a_refusal(void **state)
{
	begin(&packet, 0, 1, TYPE_SRV);
	put_srv(&packet, 0, 0, 0, "");
	read_packet(TYPE_SRV);
	assert_int_equal(records.status, FOUND);
	assert_true(records.refused);
	assert_false(records.unusable);
	assert_int_equal(records.count, 0);
	records_finish(&records);

	begin(&packet, 0, 2, TYPE_SRV);
	put_srv(&packet, 0, 0, 0, "");
	put_srv(&packet, 9, 0, 5269, "host.example");
	read_packet(TYPE_SRV);
	assert_false(records.refused);
	assert_int_equal(records.count, 1);
	records_finish(&records);
}

static void hosts_that_cannot_be(void **state)
{
	char label[70];

	begin(&packet, 0, 5, TYPE_SRV);
	put_srv(&packet, 0, 0, 5269, "a b.example");
	put_srv(&packet, 0, 0, 5269, "\xc3\xa4.example");
	put_srv(&packet, 0, 0, 5269, "a\\b.example");
	put_srv(&packet, 0, 0, 0, "host.example");
	put_srv(&packet, 0, 0, 5269, "a\nb.example");
	read_packet(TYPE_SRV);
	assert_int_equal(records.status, FOUND);
	assert_true(records.unusable);
	assert_int_equal(records.count, 0);
	records_finish(&records);

	/* a dot and a NUL inside a label */
	begin(&packet, 0, 2, TYPE_SRV);
	put_rr(&packet, TYPE_SRV, 1, "\0\1\0\1\0\1\3a.b\0", 11);
	put_rr(&packet, TYPE_SRV, 1, "\0\1\0\1\0\1\3a\0b\0", 11);
	read_packet(TYPE_SRV);
	assert_true(records.unusable);
	records_finish(&records);

	/* the longest name there is: 63+1+63+1+63+1+61 */
	memset(label, 'x', 63);
	label[63] = '\0';
	begin(&packet, 0, 1, TYPE_SRV);
	{
		char name[300];

		snprintf(name, sizeof name, "%s.%s.%s.%.61s", label, label,
			 label, label);
		put_srv(&packet, 0, 0, 5269, name);
		read_packet(TYPE_SRV);
		assert_int_equal(records.count, 1);
		assert_string_equal(records.list.srv[0].host, name);
	}
	records_finish(&records);
}

static void too_many_records(void **state)
{
	bool low = false;

	begin(&packet, 0, 500, TYPE_SRV);
	for (unsigned i = 0; i < 500; i++)
		put_srv(&packet, 1000 - i, 0, 5000 + i, "host.example");
	read_packet(TYPE_SRV);
	assert_int_equal(records.count, MOST_SRV);
	for (size_t i = 0; i < records.count; i++) {
		assert_true(records.list.srv[i].priority <= 501 + MOST_SRV);
		low |= records.list.srv[i].priority == 501;
	}
	assert_true(low);
	records_finish(&records);

	begin(&packet, 0, 3, TYPE_SRV);
	put_srv(&packet, 5, 0, 5269, "host.example");
	put_srv(&packet, 3, 7, 5269, "HOST.example");
	put_srv(&packet, 9, 0, 5269, "host.example");
	read_packet(TYPE_SRV);
	assert_int_equal(records.count, 1);
	assert_int_equal(records.list.srv[0].priority, 3);
	assert_int_equal(records.list.srv[0].weight, 7);
	records_finish(&records);

	begin(&packet, 0, 100, TYPE_AAAA);
	for (unsigned i = 0; i < 100; i++)
		put_rr(&packet, TYPE_AAAA, 1, "0123456789abcdef", 16);
	read_packet(TYPE_AAAA);
	assert_int_equal(records.count, PL_DNS_ADDRESSES);
	records_finish(&records);
}

static void addresses(void **state)
{
	begin(&packet, 0, 4, TYPE_A);
	put_rr(&packet, TYPE_A, 1, "\300\0\2\1", 4);
	put_rr(&packet, TYPE_A, 3, "\300\0\2\2", 4);	/* class CH */
	put_rr(&packet, TYPE_AAAA, 1, "0123456789abcdef", 16);
	put_rr(&packet, 46, 1, "not a signature, but of that type", 33);
	packet.bytes[7] = 3;
	packet.length -= 45;
	read_packet(TYPE_A);
	assert_int_equal(records.status, FOUND);
	assert_int_equal(records.count, 1);
	assert_int_equal(records.list.addresses[0].family, AF_INET);
	assert_memory_equal(&records.list.addresses[0].in, "\300\0\2\1", 4);
	records_finish(&records);
}

static void tlsa_records(void **state)
{
	static uint8_t huge[MOST_TLSA_BYTES + 4];

	begin(&packet, 0, 4, TYPE_TLSA);
	put_rr(&packet, TYPE_TLSA, 1, "\3\1\1abc", 6);
	put_rr(&packet, TYPE_TLSA, 1, "\377\376\375x", 4);
	put_rr(&packet, TYPE_TLSA, 1, "\3\1\1", 3);
	put_rr(&packet, TYPE_TLSA, 1, huge, sizeof huge);
	read_packet(TYPE_TLSA);
	assert_int_equal(records.count, 2);
	assert_int_equal(records.list.tlsa[0].usage, 3);
	assert_int_equal(records.list.tlsa[0].selector, 1);
	assert_int_equal(records.list.tlsa[0].matching, 1);
	assert_int_equal(records.list.tlsa[0].length, 3);
	assert_memory_equal(records.list.tlsa[0].data, "abc", 3);
	assert_int_equal(records.list.tlsa[1].usage, 255);
	assert_int_equal(records.list.tlsa[1].selector, 254);
	records_finish(&records);

	begin(&packet, 0, 50, TYPE_TLSA);
	for (int i = 0; i < 50; i++)
		put_rr(&packet, TYPE_TLSA, 1, "\3\1\1abc", 6);
	read_packet(TYPE_TLSA);
	assert_int_equal(records.count, PL_DNS_TLSA);
	records_finish(&records);
}

static void nothing_and_nobody(void **state)
{
	static const struct {
		int rcode;
		enum status status;
	} table[] = { { 0, NO_RECORDS }, { 3, NO_NAME }, { 2, FAILED },
		      { 5, FAILED },	 { 1, FAILED },	 { 15, FAILED } };

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		begin(&packet, table[i].rcode, 0, TYPE_SRV);
		read_packet(TYPE_SRV);
		assert_int_equal(records.status, table[i].status);
		assert_null(records.list.any);
		records_finish(&records);
	}
	/* an error with records: the error counts */
	begin(&packet, 2, 1, TYPE_SRV);
	put_srv(&packet, 1, 1, 1, "host.example");
	read_packet(TYPE_SRV);
	assert_int_equal(records.status, FAILED);
	assert_int_equal(records.count, 0);
	records_finish(&records);
}

/* ----- hostile ones ----- */

static const int types[] = { TYPE_A, TYPE_AAAA, TYPE_SRV, TYPE_TLSA };

static void read_as_all(void)
{
	for (size_t i = 0; i < 4; i++) {
		read_packet(types[i]);
		assert_true(records.count <= MOST_SRV);
		assert_true(records.status != FOUND || records.count > 0 ||
			    records.refused || records.unusable);
		records_finish(&records);
	}
}

static void sound_packet(void)
{
	begin(&packet, 0, 4, TYPE_SRV);
	put_srv(&packet, 1, 2, 5269, "host.example");
	put_rr(&packet, TYPE_TLSA, 1, "\3\1\1abc", 6);
	put_rr(&packet, TYPE_A, 1, "\300\0\2\1", 4);
	put_rr(&packet, TYPE_AAAA, 1, "0123456789abcdef", 16);
}

static void cut_at_each_byte(void **state)
{
	size_t whole;

	sound_packet();
	whole = packet.length;
	for (packet.length = 0; packet.length < whole; packet.length++)
		read_as_all();
}

static void each_byte_changed(void **state)
{
	static const uint8_t values[] = { 0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xc0,
					  0xff };
	size_t whole;

	sound_packet();
	whole = packet.length;
	for (size_t at = 0; at < whole; at++)
		for (size_t i = 0; i < sizeof values; i++) {
			sound_packet();
			packet.bytes[at] = values[i];
			read_as_all();
		}
}

static void random_bytes(void **state)
{
	srandom(1);
	for (int round = 0; round < 20000; round++) {
		packet.length = (size_t)random() % 300;
		for (size_t i = 0; i < packet.length; i++)
			packet.bytes[i] = (uint8_t)random();
		/* every other one looks like an answer at first sight */
		if (round % 2 == 0 && packet.length > 12) {
			memcpy(packet.bytes, "\4\322\201\200\0\1\0\3\0\0\0\0",
			       12);
			packet.bytes[12] = 0;
		}
		read_as_all();
	}
}

static void pointers_in_circles(void **state)
{
	begin(&packet, 0, 1, TYPE_SRV);
	put_rr(&packet, TYPE_SRV, 1, "\0\1\0\1\0\1\300\54", 8);
	for (unsigned to = 0; to < packet.length + 3; to++) {
		packet.bytes[packet.length - 2] = 0xc0;
		packet.bytes[packet.length - 1] = (uint8_t)to;
		read_as_all();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(srv_records),
		cmocka_unit_test(a_dot_alone_is_a_refusal),
		cmocka_unit_test(hosts_that_cannot_be),
		cmocka_unit_test(too_many_records),
		cmocka_unit_test(addresses),
		cmocka_unit_test(tlsa_records),
		cmocka_unit_test(nothing_and_nobody),
		cmocka_unit_test(cut_at_each_byte),
		cmocka_unit_test(each_byte_changed),
		cmocka_unit_test(random_bytes),
		cmocka_unit_test(pointers_in_circles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
