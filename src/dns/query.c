/*
 * One query, step by step. A step is taken in the loop when nothing it waits
 * for is pending.
 *
 *     AWAIT_SRV        both SRV look-ups      -> targets, or the domain itself
 *     AWAIT_ADDRESSES  A and AAAA of each     -> targets with addresses
 *     AWAIT_TLSA       of those that are secure
 *     AWAIT_PROBE      all went wrong: is it the domain, or our resolver?
 *     ANSWERED         the answer is ready
 *
 * What cannot be known is never taken for "there is none" (standards DNS-16).
 * What can be done without is waited for briefly, once there is something to
 * go on with.
 */
#include "internal.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parley/addr.h"

enum {
	GRACE_MS = 1500,   /* for what can be done without */
	SILENCE_MS = 2000, /* then the resolver itself is looked at */
	/* So that neither family crowds out the other. */
	KEPT_FOR_V4 = PL_DNS_ADDRESSES / 2,
};

enum step { AWAIT_SRV, AWAIT_ADDRESSES, AWAIT_TLSA, AWAIT_PROBE, ANSWERED };

/* The look-ups of one target. */
struct host {
	struct lookup aaaa, a, tlsa;
	bool asked_tlsa;
};

struct pl_dns_query {
	LIST_ENTRY(pl_dns_query) in_resolver; /* pl_resolver.queries */
	struct pl_resolver *resolver;         /* borrowed */
	pl_dns_done done;
	void *owner;
	struct event go_on, grace, silence;
	char name[NAME_SIZE]; /* the domain, or the host of a `connect` */
	enum step step;
	unsigned want;
	bool connect;         /* pl_dns_find_host() */
	bool asked_probe, in_grace;
	enum liveness liveness;
	struct lookup starttls, direct; /* SRV */
	size_t count;
	struct pl_dns_target *targets;  /* owned */
	struct host *hosts;             /* owned; one for each target */
	unsigned forbidden;             /* addresses that were dropped */
	struct pl_dns_answer answer;
};

/* ----- answering ----- */

__attribute__((format(printf, 3, 4)))
static void answer(struct pl_dns_query *query, enum pl_code code,
		   const char *format, ...)
{
	va_list ap;

	query->answer.code = code;
	va_start(ap, format);
	vsnprintf(query->answer.text, sizeof query->answer.text, format, ap);
	va_end(ap);
	query->step = ANSWERED;
}

/* Where not even the trust anchor's own records come, it is not the domain. */
static void answer_bogus(struct pl_dns_query *query,
			 const struct lookup *lookup)
{
	if (strstr(lookup->why, "for trust anchor") != NULL)
		answer(query, PL_CODE_DNS_BOGUS, "our resolver passes no "
		       "DNSSEC records on, or the trust anchor is not its "
		       "root's; asked for %s", lookup->name);
	else
		answer(query, PL_CODE_DNS_BOGUS,
		       "DNSSEC validation fails for %s%s%s",
		       lookup->name, lookup->why[0] == '\0' ? "" : ": ",
		       lookup->why);
}

/* Whose fault it is, the probe tells. */
static void answer_failed(struct pl_dns_query *query,
			  const struct lookup *lookup)
{
	answer(query, PL_CODE_DNS_SERVER_FAILURE, "no usable answer for %s (%s)",
	       lookup->name, lookup->why);
	query->step = AWAIT_PROBE;
	query->asked_probe = true;
	probe_start(&query->resolver->probe);
}

/* Nothing comes back to it any more. */
static void detach(struct pl_dns_query *query)
{
	event_del(&query->go_on);
	event_del(&query->grace);
	event_del(&query->silence);
	LIST_REMOVE(query, in_resolver);
	lookup_cancel(&query->starttls);
	lookup_cancel(&query->direct);
	for (size_t i = 0; query->hosts != NULL && i < query->count; i++) {
		lookup_cancel(&query->hosts[i].aaaa);
		lookup_cancel(&query->hosts[i].a);
		lookup_cancel(&query->hosts[i].tlsa);
	}
}

static void release(struct pl_dns_query *query)
{
	records_finish(&query->starttls.records);
	records_finish(&query->direct.records);
	for (size_t i = 0; query->hosts != NULL && i < query->count; i++) {
		records_finish(&query->hosts[i].aaaa.records);
		records_finish(&query->hosts[i].a.records);
		records_finish(&query->hosts[i].tlsa.records);
	}
	free(query->hosts);
	free(query->targets);
	free(query);
}

/* The owner may free the resolver in its callback: the query is out of it
 * before. TLSA data is in the look-ups until then. */
static void deliver(struct pl_dns_query *query)
{
	detach(query);
	query->done(query->owner, &query->answer);
	release(query);
}

/* ----- the end: targets with addresses ----- */

/* The first look-up of a target's addresses (or TLSA) with a status. */
static const struct lookup *find_status(const struct pl_dns_query *query,
					enum status status)
{
	for (size_t i = 0; i < query->count; i++) {
		const struct host *host = &query->hosts[i];

		if (host->aaaa.records.status == status)
			return &host->aaaa;
		if (host->a.records.status == status)
			return &host->a;
		if (host->asked_tlsa && host->tlsa.records.status == status)
			return &host->tlsa;
	}
	return NULL;
}

static void answer_without_address(struct pl_dns_query *query)
{
	const struct lookup *bogus = find_status(query, BOGUS);
	const struct lookup *failed = find_status(query, FAILED);
	bool srv = query->targets[0].srv;

	if (bogus != NULL)
		answer_bogus(query, bogus);
	else if (failed != NULL)
		answer_failed(query, failed);
	else if (query->forbidden > 0)
		answer(query, PL_CODE_DNS_NO_ADDRESS, "only loopback, "
		       "link-local, multicast or unspecified addresses, which "
		       "are not allowed, for %s", query->targets[0].host);
	else if (!srv && find_status(query, NO_NAME) != NULL)
		answer(query, PL_CODE_DNS_NO_SUCH_DOMAIN, "no such domain: %s",
		       query->name);
	else if (srv)
		answer(query, PL_CODE_DNS_NO_ADDRESS, "no address for %s, "
		       "which the SRV record names", query->targets[0].host);
	else if (query->connect)
		answer(query, PL_CODE_DNS_NO_ADDRESS, "no address for %s",
		       query->name);
	else
		answer(query, PL_CODE_DNS_NO_ADDRESS, "neither SRV record nor "
		       "address for %s", query->name);
}

/* Those with addresses, in their order. The look-ups stay where they are: they
 * own what the targets point to. */
static void finish_targets(struct pl_dns_query *query)
{
	size_t kept = 0;

	query->answer.secure = true;
	for (size_t i = 0; i < query->count; i++) {
		if (query->targets[i].addresses_count == 0)
			continue;
		query->answer.secure &= query->targets[i].secure;
		query->targets[kept] = query->targets[i];
		kept++;
	}
	if (kept == 0) {
		query->answer.secure = false;
		answer_without_address(query);
		return;
	}
	query->answer.targets = query->targets;
	query->answer.count = kept;
	query->step = ANSWERED;
}

/* ----- TLSA ----- */

/* A target whose TLSA records exist but cannot be had must not be used: else
 * whoever suppresses them has got rid of DANE (RFC 7673 3.3). */
static void take_tlsa(struct pl_dns_target *target, const struct host *host)
{
	const struct records *records = &host->tlsa.records;

	if (!lookup_is_certain(&host->tlsa)) {
		target->addresses_count = 0;
		return;
	}
	if (!host->tlsa.secure || records->status != FOUND)
		return;
	for (size_t i = 0; i < records->count; i++) {
		const struct tlsa *from = &records->list.tlsa[i];

		target->tlsa[i] = (struct pl_tls_dane){
			.usage = from->usage,
			.selector = from->selector,
			.matching = from->matching,
			.data = from->data,
			.length = from->length,
		};
	}
	target->tlsa_count = records->count;
}

static void after_tlsa(struct pl_dns_query *query)
{
	for (size_t i = 0; i < query->count; i++)
		if (query->hosts[i].asked_tlsa)
			take_tlsa(&query->targets[i], &query->hosts[i]);
	finish_targets(query);
}

static void ask_tlsa(struct pl_dns_query *query)
{
	char name[NAME_SIZE + 16];

	query->step = AWAIT_TLSA;
	for (size_t i = 0; i < query->count; i++) {
		struct pl_dns_target *target = &query->targets[i];

		if (!query->resolver->dane || query->connect ||
		    !target->secure || target->addresses_count == 0)
			continue;
		snprintf(name, sizeof name, "_%u._tcp.%s", target->port,
			 target->host);
		query->hosts[i].asked_tlsa = true;
		lookup_start(&query->hosts[i].tlsa, query, name, TYPE_TLSA);
	}
}

/* ----- addresses ----- */

static size_t usable(struct pl_dns_query *query, const struct lookup *lookup,
		     const struct address *out[PL_DNS_ADDRESSES])
{
	bool all = query->connect || query->resolver->allow_loopback;
	size_t count = 0;

	for (size_t i = 0; i < lookup->records.count; i++) {
		const struct address *address =
			&lookup->records.list.addresses[i];

		if (all || !address_is_forbidden(address))
			out[count++] = address;
		else
			query->forbidden++;
	}
	return count;
}

static void take_addresses(struct pl_dns_query *query, size_t n)
{
	const struct address *v6[PL_DNS_ADDRESSES], *v4[PL_DNS_ADDRESSES];
	struct pl_dns_target *target = &query->targets[n];
	const struct host *host = &query->hosts[n];
	size_t v6_count = usable(query, &host->aaaa, v6);
	size_t v4_count = usable(query, &host->a, v4);
	size_t count = 0;

	if (v4_count > KEPT_FOR_V4 && v6_count + v4_count > PL_DNS_ADDRESSES)
		v4_count = PL_DNS_ADDRESSES - v6_count > KEPT_FOR_V4
				   ? PL_DNS_ADDRESSES - v6_count : KEPT_FOR_V4;
	if (v6_count > PL_DNS_ADDRESSES - v4_count)
		v6_count = PL_DNS_ADDRESSES - v4_count;
	for (size_t i = 0; i < v6_count; i++)
		address_put(v6[i], target->port, &target->addresses[count++]);
	for (size_t i = 0; i < v4_count; i++)
		address_put(v4[i], target->port, &target->addresses[count++]);
	target->addresses_count = count;
	if (lookup_is_certain(&host->aaaa))
		target->secure &= host->aaaa.secure;
	if (lookup_is_certain(&host->a))
		target->secure &= host->a.secure;
}

static void after_addresses(struct pl_dns_query *query)
{
	for (size_t i = 0; i < query->count; i++)
		take_addresses(query, i);
	ask_tlsa(query);
}

/* query->targets are known: the same number of hosts, and their look-ups. */
static void ask_addresses(struct pl_dns_query *query)
{
	query->hosts = calloc(query->count, sizeof *query->hosts);
	if (query->hosts == NULL) {
		query->count = 0;
		answer(query, PL_CODE_INTERNAL, "no memory");
		return;
	}
	query->step = AWAIT_ADDRESSES;
	for (size_t i = 0; i < query->count; i++) {
		struct host *host = &query->hosts[i];
		const char *name = query->targets[i].host;

		lookup_start(&host->aaaa, query, name, TYPE_AAAA);
		lookup_start(&host->a, query, name, TYPE_A);
	}
}

/* ----- SRV ----- */

static bool make_targets(struct pl_dns_query *query, size_t most)
{
	query->targets = calloc(most, sizeof *query->targets);
	if (query->targets == NULL)
		answer(query, PL_CODE_INTERNAL, "no memory");
	return query->targets != NULL;
}

static void add_targets(struct pl_dns_query *query, const struct lookup *lookup,
			bool direct_tls)
{
	for (size_t i = 0; i < lookup->records.count; i++) {
		const struct srv *srv = &lookup->records.list.srv[i];
		struct pl_dns_target *target = &query->targets[query->count++];

		memcpy(target->host, srv->host, sizeof target->host);
		target->port = srv->port;
		target->priority = srv->priority;
		target->weight = srv->weight;
		target->direct_tls = direct_tls;
		target->srv = true;
		target->secure = lookup->secure;
	}
}

/* One list of both kinds, priorities and weights mixed (XEP-0368 3). Those who
 * are equal in all: direct TLS first. */
static void use_srv(struct pl_dns_query *query)
{
	if (!make_targets(query, query->direct.records.count +
				 query->starttls.records.count))
		return;
	add_targets(query, &query->direct, true);
	add_targets(query, &query->starttls, false);
	pl_dns_order(query->targets, query->count, draw_random, NULL);
	if (query->count > PL_DNS_TARGETS)
		query->count = PL_DNS_TARGETS;
	ask_addresses(query);
}

/* Without SRV records: the domain's own addresses, STARTTLS (RFC 6120 3.2.2,
 * standards DNS-10, DNS-11). */
static void use_domain(struct pl_dns_query *query)
{
	if (!make_targets(query, 1))
		return;
	query->count = 1;
	memcpy(query->targets[0].host, query->name,
	       sizeof query->targets[0].host);
	query->targets[0].port = XMPP_SERVER_PORT;
	query->targets[0].secure =
		(!(query->want & PL_DNS_STARTTLS) || query->starttls.secure) &&
		(!(query->want & PL_DNS_DIRECT_TLS) || query->direct.secure);
	ask_addresses(query);
}

static void after_srv(struct pl_dns_query *query)
{
	const struct records *starttls = &query->starttls.records;
	const struct records *direct = &query->direct.records;

	if (starttls->status == BOGUS)
		answer_bogus(query, &query->starttls);
	else if (direct->status == BOGUS)
		answer_bogus(query, &query->direct);
	else if (starttls->status == FAILED)
		answer_failed(query, &query->starttls);
	else if (starttls->count + direct->count > 0)
		use_srv(query);
	else if (direct->status == FAILED)
		answer_failed(query, &query->direct);
	else if (starttls->refused || direct->refused)
		answer(query, PL_CODE_DNS_NO_SERVICE, "the SRV record of %s "
		       "says that it has no server", query->name);
	else if (starttls->unusable || direct->unusable)
		answer(query, PL_CODE_DNS_NO_ADDRESS, "no SRV record of %s "
		       "names a possible host and port", query->name);
	else if (!(query->want & PL_DNS_STARTTLS))
		answer(query, PL_CODE_DNS_NO_SERVICE, "no SRV record for "
		       "direct TLS at %s", query->name);
	else
		use_domain(query);
}

static void ask_srv(struct pl_dns_query *query)
{
	char name[NAME_SIZE + 32];

	query->step = AWAIT_SRV;
	query->starttls.records.status = NO_RECORDS; /* where it is not asked */
	query->direct.records.status = NO_RECORDS;
	if (query->want & PL_DNS_STARTTLS) {
		snprintf(name, sizeof name, "_xmpp-server._tcp.%s",
			 query->name);
		lookup_start(&query->starttls, query, name, TYPE_SRV);
	}
	if (query->want & PL_DNS_DIRECT_TLS) {
		snprintf(name, sizeof name, "_xmpps-server._tcp.%s",
			 query->name);
		lookup_start(&query->direct, query, name, TYPE_SRV);
	}
}

/* ----- waiting ----- */

static bool hosts_pending(const struct pl_dns_query *query)
{
	for (size_t i = 0; i < query->count; i++) {
		const struct host *host = &query->hosts[i];

		if (host->aaaa.pending || host->a.pending || host->tlsa.pending)
			return true;
	}
	return false;
}

static bool is_pending(const struct pl_dns_query *query)
{
	switch (query->step) {
	case AWAIT_SRV:
		return query->starttls.pending || query->direct.pending;
	case AWAIT_ADDRESSES:
	case AWAIT_TLSA:
		return hosts_pending(query);
	case AWAIT_PROBE:
		return query->asked_probe;
	case ANSWERED:
		return false;
	}
	return false;
}

/* Is there enough to go on with, should the rest never come? */
static bool can_go_on(const struct pl_dns_query *query)
{
	if (query->step == AWAIT_SRV)
		return query->starttls.records.count > 0;
	if (query->step != AWAIT_ADDRESSES)
		return false;
	for (size_t i = 0; i < query->count; i++)
		if (query->hosts[i].aaaa.records.count > 0 ||
		    query->hosts[i].a.records.count > 0)
			return true;
	return false;
}

static void wait_briefly(struct pl_dns_query *query)
{
	static const struct timeval delay = {
		.tv_sec = GRACE_MS / 1000, .tv_usec = GRACE_MS % 1000 * 1000,
	};

	if (query->in_grace || !can_go_on(query))
		return;
	query->in_grace = true;
	event_add(&query->grace, &delay);
}

static void on_grace_over(evutil_socket_t fd, short what, void *arg)
{
	struct pl_dns_query *query = arg;

	if (query->step == AWAIT_SRV)
		lookup_cancel(&query->direct);
	for (size_t i = 0; query->step == AWAIT_ADDRESSES && i < query->count;
	     i++) {
		lookup_cancel(&query->hosts[i].aaaa);
		lookup_cancel(&query->hosts[i].a);
	}
	query_wake(query);
}

static void on_silence(evutil_socket_t fd, short what, void *arg)
{
	struct pl_dns_query *query = arg;

	query->asked_probe = true;
	probe_start(&query->resolver->probe);
}

static void take_step(struct pl_dns_query *query)
{
	event_del(&query->grace);
	query->in_grace = false;
	switch (query->step) {
	case AWAIT_SRV:
		after_srv(query);
		break;
	case AWAIT_ADDRESSES:
		after_addresses(query);
		break;
	case AWAIT_TLSA:
		after_tlsa(query);
		break;
	case AWAIT_PROBE:
		query->step = ANSWERED;
		break;
	case ANSWERED:
		break;
	}
}

static void notice_dead_resolver(struct pl_dns_query *query)
{
	if (query->liveness == DEAD && query->step != ANSWERED)
		answer(query, PL_CODE_DNS_RESOLVER_UNREACHABLE,
		       "our resolver does not answer, asked for %s",
		       query->name);
}

static void on_go_on(evutil_socket_t fd, short what, void *arg)
{
	struct pl_dns_query *query = arg;

	while (query->step != ANSWERED) {
		notice_dead_resolver(query);
		if (is_pending(query)) {
			wait_briefly(query);
			return;
		}
		take_step(query);
	}
	deliver(query);
}

void query_wake(struct pl_dns_query *query)
{
	event_active(&query->go_on, EV_TIMEOUT, 0);
}

void query_each(const struct pl_dns_query *query,
		void (*each)(void *owner, const struct lookup *lookup),
		void *owner)
{
	if (query->direct.query != NULL)
		each(owner, &query->direct);
	if (query->starttls.query != NULL)
		each(owner, &query->starttls);
	for (size_t i = 0; query->hosts != NULL && i < query->count; i++) {
		const struct host *host = &query->hosts[i];

		if (host->aaaa.query != NULL)
			each(owner, &host->aaaa);
		if (host->a.query != NULL)
			each(owner, &host->a);
		if (host->asked_tlsa)
			each(owner, &host->tlsa);
	}
}

struct pl_resolver *query_resolver(struct pl_dns_query *query)
{
	return query->resolver;
}

struct pl_dns_query *query_next(struct pl_dns_query *query)
{
	return LIST_NEXT(query, in_resolver);
}

void query_probed(struct pl_dns_query *query, enum liveness liveness)
{
	if (!query->asked_probe)
		return;
	query->asked_probe = false;
	query->liveness = liveness;
	query_wake(query);
}

/* ----- what others see ----- */

static struct pl_dns_query *query_new(struct pl_resolver *resolver,
				      pl_dns_done done, void *owner)
{
	static const struct timeval delay = { .tv_sec = SILENCE_MS / 1000 };
	struct pl_dns_query *query = pl_calloc(1, sizeof *query);

	query->resolver = resolver;
	query->done = done;
	query->owner = owner;
	evtimer_assign(&query->go_on, resolver->base, on_go_on, query);
	evtimer_assign(&query->grace, resolver->base, on_grace_over, query);
	evtimer_assign(&query->silence, resolver->base, on_silence, query);
	event_add(&query->silence, &delay);
	LIST_INSERT_HEAD(&resolver->queries, query, in_resolver);
	return query;
}

/* A domain or host that is an address needs no look-up. */
static void use_address(struct pl_dns_query *query,
			const struct address *address, unsigned short port,
			bool direct_tls)
{
	struct pl_dns_target *target;

	query_wake(query);
	if (!query->connect && !(query->want & PL_DNS_STARTTLS)) {
		answer(query, PL_CODE_DNS_NO_SERVICE, "an address has no SRV "
		       "record, which direct TLS needs");
		return;
	}
	if (!query->connect && !query->resolver->allow_loopback &&
	    address_is_forbidden(address)) {
		answer(query, PL_CODE_DNS_NO_ADDRESS, "loopback, link-local, "
		       "multicast and unspecified addresses are not allowed");
		return;
	}
	if (!make_targets(query, 1))
		return;
	target = &query->targets[0];
	snprintf(target->host, sizeof target->host, "%s", query->name);
	target->port = port;
	target->direct_tls = direct_tls;
	address_put(address, port, &target->addresses[0]);
	target->addresses_count = 1;
	query->count = 1;
	query->answer.targets = query->targets;
	query->answer.count = 1;
	query->step = ANSWERED;
}

struct pl_dns_query *pl_dns_find(struct pl_resolver *resolver,
				 const char *domain, unsigned want,
				 pl_dns_done done, void *owner)
{
	struct pl_dns_query *query = query_new(resolver, done, owner);
	struct address address;

	query->want = want;
	snprintf(query->name, sizeof query->name, "%s", domain);
	if (address_parse(domain, &address)) {
		use_address(query, &address, XMPP_SERVER_PORT, false);
	} else if (!pl_addr_ascii(domain, query->name)) {
		answer(query, PL_CODE_DNS_NO_SUCH_DOMAIN,
		       "no name that DNS could have");
		query_wake(query);
	} else {
		ask_srv(query);
	}
	return query;
}

struct pl_dns_query *pl_dns_find_host(struct pl_resolver *resolver,
				      const char *host, unsigned short port,
				      bool direct_tls, pl_dns_done done,
				      void *owner)
{
	struct pl_dns_query *query = query_new(resolver, done, owner);
	struct address address;

	query->connect = true;
	snprintf(query->name, sizeof query->name, "%s", host);
	if (address_parse(host, &address)) {
		use_address(query, &address, port, direct_tls);
		return query;
	}
	if (!pl_addr_ascii(host, query->name)) {
		answer(query, PL_CODE_DNS_NO_SUCH_DOMAIN,
		       "no name that DNS could have");
		query_wake(query);
		return query;
	}
	if (!make_targets(query, 1)) {
		query_wake(query);
		return query;
	}
	query->count = 1;
	memcpy(query->targets[0].host, query->name,
	       sizeof query->targets[0].host);
	query->targets[0].port = port;
	query->targets[0].direct_tls = direct_tls;
	query->targets[0].secure = true; /* as its addresses are */
	ask_addresses(query);
	return query;
}

void pl_dns_cancel(struct pl_dns_query *query)
{
	detach(query);
	release(query);
}

enum pl_code pl_dns_overdue(const struct pl_dns_query *query)
{
	return query->liveness == ALIVE ? PL_CODE_DNS_SERVER_FAILURE
					: PL_CODE_DNS_RESOLVER_UNREACHABLE;
}
