/*
 * From a packet to records, with ldns.
 *
 * libunbound has followed aliases, checked signatures and dropped what does not
 * belong to the answer; here the records of one type are counted, bounded and
 * checked for names that no host has.
 */
#include "internal.h"

#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

/* ----- host names ----- */

static bool is_host_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_';
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

/* The labels of a name, joined with dots; false for one that has other bytes
 * than host names have. "." becomes "". */
static bool host_text(const ldns_rdf *name, char out[NAME_SIZE])
{
	const uint8_t *wire = ldns_rdf_data(name);
	size_t size = ldns_rdf_size(name), at = 0, end = 0;

	out[0] = '\0';
	while (at < size && wire[at] != 0) {
		size_t label = wire[at++];

		if (label > LDNS_MAX_LABELLEN || label > size - at ||
		    end + label + 2 > NAME_SIZE)
			return false;
		if (end > 0)
			out[end++] = '.';
		for (size_t i = 0; i < label; i++) {
			uint8_t c = lower(wire[at + i]);

			if (!is_host_byte(c))
				return false;
			out[end++] = (char)c;
		}
		at += label;
		out[end] = '\0';
	}
	return at < size;
}

/* ----- records of each type ----- */

static bool is_same_place(const struct srv *a, const struct srv *b)
{
	return a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* Where a new record goes: a free place, else that of the record which would be
 * tried last, if it would be tried after this one. NULL: nowhere. */
static struct srv *place_for(struct records *records, const struct srv *srv)
{
	struct srv *last = &records->list.srv[0];

	for (size_t i = 0; i < records->count; i++) {
		struct srv *other = &records->list.srv[i];

		if (is_same_place(other, srv))
			return srv->priority < other->priority ? other : NULL;
		if (other->priority > last->priority)
			last = other;
	}
	if (records->count < MOST_SRV)
		return &records->list.srv[records->count++];
	return srv->priority < last->priority ? last : NULL;
}

static void read_srv(struct records *records, const ldns_rr *rr)
{
	struct srv srv, *place;

	if (ldns_rr_rd_count(rr) != 4)
		return;
	records->unusable = true; /* until one can be used */
	srv.priority = ldns_rdf2native_int16(ldns_rr_rdf(rr, 0));
	srv.weight = ldns_rdf2native_int16(ldns_rr_rdf(rr, 1));
	srv.port = ldns_rdf2native_int16(ldns_rr_rdf(rr, 2));
	if (!host_text(ldns_rr_rdf(rr, 3), srv.host))
		return;
	if (srv.host[0] == '\0') {
		records->refused = true;
		return;
	}
	if (srv.port == 0)
		return;
	place = place_for(records, &srv);
	if (place != NULL)
		*place = srv;
}

static void read_address(struct records *records, const ldns_rr *rr)
{
	struct address *address = &records->list.addresses[records->count];
	bool v4 = records->type == TYPE_A;
	size_t size = v4 ? sizeof address->in.v4 : sizeof address->in.v6;
	const ldns_rdf *rdf = ldns_rr_rdf(rr, 0);

	if (records->count == PL_DNS_ADDRESSES || rdf == NULL ||
	    ldns_rdf_size(rdf) != size)
		return;
	memset(address, 0, sizeof *address);
	address->family = v4 ? AF_INET : AF_INET6;
	memcpy(&address->in, ldns_rdf_data(rdf), size);
	records->count++;
}

static void read_tlsa(struct records *records, const ldns_rr *rr)
{
	struct tlsa *tlsa = &records->list.tlsa[records->count];
	const ldns_rdf *data;
	size_t length;

	if (records->count == PL_DNS_TLSA || ldns_rr_rd_count(rr) != 4)
		return;
	data = ldns_rr_rdf(rr, 3);
	length = ldns_rdf_size(data);
	if (length == 0 || length > MOST_TLSA_BYTES)
		return;
	tlsa->data = malloc(length);
	if (tlsa->data == NULL)
		return;
	memcpy(tlsa->data, ldns_rdf_data(data), length);
	tlsa->length = length;
	tlsa->usage = ldns_rdf2native_int8(ldns_rr_rdf(rr, 0));
	tlsa->selector = ldns_rdf2native_int8(ldns_rr_rdf(rr, 1));
	tlsa->matching = ldns_rdf2native_int8(ldns_rr_rdf(rr, 2));
	records->count++;
}

static bool make_room(struct records *records)
{
	size_t count = PL_DNS_ADDRESSES, size = sizeof(struct address);

	if (records->type == TYPE_SRV) {
		count = MOST_SRV;
		size = sizeof(struct srv);
	} else if (records->type == TYPE_TLSA) {
		count = PL_DNS_TLSA;
		size = sizeof(struct tlsa);
	}
	records->list.any = calloc(count, size);
	return records->list.any != NULL;
}

static void read_answer(struct records *records, const ldns_rr_list *answer)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(answer); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(answer, i);

		if ((int)ldns_rr_get_type(rr) != records->type ||
		    ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN)
			continue;
		if (records->type == TYPE_SRV)
			read_srv(records, rr);
		else if (records->type == TYPE_TLSA)
			read_tlsa(records, rr);
		else
			read_address(records, rr);
	}
	/* RFC 2782: "." counts where it is the only record. */
	records->refused = records->refused && records->count == 0;
	records->unusable = records->unusable && records->count == 0 &&
			    !records->refused;
}

static enum status status_of(const ldns_pkt *packet)
{
	ldns_pkt_rcode rcode = ldns_pkt_get_rcode(packet);

	if (rcode == LDNS_RCODE_NXDOMAIN)
		return NO_NAME;
	return rcode == LDNS_RCODE_NOERROR ? NO_RECORDS : FAILED;
}

void records_read(struct records *records, int type, const void *packet,
		  size_t length)
{
	ldns_pkt *pkt = NULL;

	memset(records, 0, sizeof *records);
	records->type = type;
	records->status = FAILED;
	if (ldns_wire2pkt(&pkt, packet, length) != LDNS_STATUS_OK)
		return;
	records->status = status_of(pkt);
	if (records->status == NO_RECORDS) {
		if (!make_room(records))
			records->status = FAILED;
		else
			read_answer(records, ldns_pkt_answer(pkt));
	}
	ldns_pkt_free(pkt);
	if (records->count > 0 || records->refused || records->unusable) {
		records->status = FOUND;
	} else {
		free(records->list.any);
		records->list.any = NULL;
	}
}

void records_finish(struct records *records)
{
	if (records->type == TYPE_TLSA)
		for (size_t i = 0; i < records->count; i++)
			free(records->list.tlsa[i].data);
	free(records->list.any);
	memset(records, 0, sizeof *records);
}
