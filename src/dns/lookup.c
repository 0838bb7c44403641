/*
 * One question to libunbound.
 *
 * An answer from the cache comes inside ub_resolve_event(): whatever happens
 * there is only noted, and the query goes on in the loop.
 */
#include "internal.h"

#include <stdio.h>
#include <string.h>
#include <unbound-event.h>

enum { SEC_BOGUS = 1, SEC_SECURE = 2, CLASS_IN = 1 };
enum { RCODE_NOERROR = 0, RCODE_SERVFAIL = 2, RCODE_NXDOMAIN = 3,
       RCODE_REFUSED = 5 };

static void set_why(struct lookup *lookup, const char *text)
{
	pl_text_printable(lookup->why, sizeof lookup->why, text, strlen(text));
}

static void explain_rcode(struct lookup *lookup, int rcode)
{
	if (rcode == RCODE_SERVFAIL)
		set_why(lookup, "SERVFAIL");
	else if (rcode == RCODE_REFUSED)
		set_why(lookup, "REFUSED");
	else
		snprintf(lookup->why, sizeof lookup->why, "rcode %d", rcode);
}

/* The rcode argument is 0 for NXDOMAIN, which only the packet tells; where it is
 * not 0 the packet may be an old one. Bogus answers carry data all the same. */
static void on_answer(void *owner, int rcode, void *packet, int length,
		      int security, char *why_bogus, int ratelimited)
{
	struct lookup *lookup = owner;
	struct records *records = &lookup->records;
	int type = records->type;

	lookup->pending = false;
	lookup->secure = security == SEC_SECURE;
	if (security == SEC_BOGUS) {
		records->status = BOGUS;
		set_why(lookup, why_bogus != NULL ? why_bogus : "");
	} else if (rcode == RCODE_NXDOMAIN) {
		records->status = NO_NAME;
	} else if (rcode != RCODE_NOERROR || packet == NULL || length < 12) {
		records->status = FAILED;
		explain_rcode(lookup, rcode);
	} else {
		records_read(records, type, packet, (size_t)length);
		if (records->status == FAILED)
			explain_rcode(lookup, ((uint8_t *)packet)[3] & 15);
	}
	query_wake(lookup->query);
}

void lookup_start(struct lookup *lookup, struct pl_dns_query *query,
		  const char *name, int type)
{
	int result, n;

	memset(lookup, 0, sizeof *lookup);
	lookup->query = query;
	lookup->records.type = type;
	/* The dot keeps a resolver from adding suffixes. */
	n = snprintf(lookup->name, sizeof lookup->name, "%s.", name);
	if (n < 0 || n > 254) {
		/* No such name can exist, nor be asked for. */
		lookup->records.status = NO_NAME;
		query_wake(query);
		return;
	}
	lookup->pending = true;
	result = ub_resolve_event(query_resolver(query)->ub, lookup->name, type,
				  CLASS_IN, lookup, on_answer, &lookup->id);
	lookup->name[n - 1] = '\0'; /* from here on it is for people */
	if (result == UB_NOERROR)
		return;
	lookup->pending = false;
	lookup->records.status = FAILED;
	set_why(lookup, ub_strerror(result));
	query_wake(query);
}

void lookup_cancel(struct lookup *lookup)
{
	if (!lookup->pending)
		return;
	ub_cancel(query_resolver(lookup->query)->ub, lookup->id);
	lookup->pending = false;
	lookup->records.status = FAILED;
	set_why(lookup, "no answer in time");
}

bool lookup_is_certain(const struct lookup *lookup)
{
	enum status status = lookup->records.status;

	return status == FOUND || status == NO_RECORDS || status == NO_NAME;
}
