/* What a query asked, for who explains its answer. */
#include "internal.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { SHOWN_BYTES = 64 }; /* of TLSA data: a SHA-512 */

struct telling {
	pl_dns_asked asked;
	void *owner;
};

static enum pl_dns_state state_of(const struct lookup *lookup)
{
	const struct records *records = &lookup->records;

	if (lookup->pending)
		return PL_DNS_PENDING;
	switch (records->status) {
	case FAILED:
		return PL_DNS_FAILED;
	case BOGUS:
		return PL_DNS_BOGUS;
	case NO_NAME:
		return PL_DNS_NO_NAME;
	case NO_RECORDS:
		return PL_DNS_NO_RECORDS;
	case FOUND:
		break;
	}
	return records->refused ? PL_DNS_DOT
	     : records->unusable ? PL_DNS_UNUSABLE : PL_DNS_FOUND;
}

static const char *type_name(int type)
{
	switch (type) {
	case TYPE_SRV:
		return "SRV";
	case TYPE_AAAA:
		return "AAAA";
	case TYPE_A:
		return "A";
	default:
		return "TLSA";
	}
}

static void tell(void *owner, const struct lookup *lookup)
{
	const struct telling *telling = owner;
	enum pl_dns_state state = state_of(lookup);
	struct pl_dns_question question = {
		.name = lookup->name,
		.type = type_name(lookup->records.type),
		.state = state,
		.secure = lookup->secure,
		.why = lookup->why,
		.count = state == PL_DNS_FOUND ? lookup->records.count : 0,
		.records = &lookup->records,
	};

	telling->asked(telling->owner, &question);
}

void pl_dns_questions(const struct pl_dns_query *query, pl_dns_asked asked,
		      void *owner)
{
	struct telling telling = { .asked = asked, .owner = owner };

	query_each(query, tell, &telling);
}

static void tlsa_text(const struct tlsa *tlsa, char out[PL_DNS_RECORD_SIZE])
{
	int used = snprintf(out, PL_DNS_RECORD_SIZE, "%u %u %u ", tlsa->usage,
			    tlsa->selector, tlsa->matching);

	for (size_t i = 0; i < tlsa->length && i < SHOWN_BYTES; i++)
		used += snprintf(out + used,
				 PL_DNS_RECORD_SIZE - (size_t)used, "%02x",
				 tlsa->data[i]);
	if (tlsa->length > SHOWN_BYTES)
		snprintf(out + used, PL_DNS_RECORD_SIZE - (size_t)used, "...");
}

void pl_dns_record(const struct pl_dns_question *question, size_t n,
		   char out[PL_DNS_RECORD_SIZE])
{
	const struct records *records = question->records;
	const struct srv *srv;
	const struct address *address;

	out[0] = '\0';
	if (n >= question->count)
		return;
	switch (records->type) {
	case TYPE_SRV:
		srv = &records->list.srv[n];
		snprintf(out, PL_DNS_RECORD_SIZE, "%u %u %u %s", srv->priority,
			 srv->weight, srv->port, srv->host);
		break;
	case TYPE_TLSA:
		tlsa_text(&records->list.tlsa[n], out);
		break;
	default:
		address = &records->list.addresses[n];
		inet_ntop(address->family, &address->in, out,
			  PL_DNS_RECORD_SIZE);
	}
}

bool pl_dns_record_allowed(const struct pl_dns_question *question, size_t n)
{
	const struct records *records = question->records;

	if (n >= question->count ||
	    (records->type != TYPE_A && records->type != TYPE_AAAA))
		return true;
	return !address_is_forbidden(&records->list.addresses[n]);
}
