/* dns.h from a table that the test fills. */
#include "world.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parley/addr.h"

struct dns_entry {
	struct dns_entry *next;
	char domain[PL_DOMAIN_SIZE];
	enum pl_code code;
	bool secure;
	long delay_ms;
	size_t asked;
	size_t count;
	struct pl_dns_target targets[PL_DNS_TARGETS];
};

struct pl_resolver {
	struct script *world;
	LIST_HEAD(, pl_dns_query) queries;
};

struct pl_dns_query {
	LIST_ENTRY(pl_dns_query) in_resolver;
	struct script *world;
	pl_dns_done done;
	void *owner;
	unsigned want;
	bool connect, direct_tls;
	enum pl_code overdue;
	unsigned short port;
	char name[PL_DOMAIN_SIZE];
};

/* ----- the table ----- */

static struct dns_entry *find_entry(const struct script *world,
				    const char *domain)
{
	for (struct dns_entry *e = world->names; e != NULL; e = e->next)
		if (strcmp(e->domain, domain) == 0)
			return e;
	return NULL;
}

static struct dns_entry *make_entry(struct script *world, const char *domain)
{
	struct dns_entry *entry = find_entry(world, domain);

	if (entry != NULL)
		return entry;
	entry = pl_calloc(1, sizeof *entry);
	snprintf(entry->domain, sizeof entry->domain, "%s", domain);
	entry->delay_ms = 1;
	entry->next = world->names;
	world->names = entry;
	return entry;
}

struct pl_dns_target *script_dns_target(struct script *world,
					const char *domain,
					const char *endpoint, bool direct_tls)
{
	struct dns_entry *entry = make_entry(world, domain);
	struct pl_dns_target *target = &entry->targets[entry->count];
	const char *port = strrchr(endpoint, ':');

	assert(entry->count < PL_DNS_TARGETS && port != NULL);
	memset(target, 0, sizeof *target);
	snprintf(target->host, sizeof target->host, "target%zu.%.200s",
		 entry->count, domain);
	target->port = (unsigned short)atoi(port + 1);
	target->direct_tls = direct_tls;
	target->srv = true;
	entry->count++;
	script_dns_address(world, domain, endpoint);
	return target;
}

void script_dns_address(struct script *world, const char *domain,
			const char *endpoint)
{
	struct dns_entry *entry = find_entry(world, domain);
	struct pl_dns_target *target;
	bool parsed;

	assert(entry != NULL && entry->count > 0);
	target = &entry->targets[entry->count - 1];
	assert(target->addresses_count < PL_DNS_ADDRESSES);
	parsed = endpoint_parse(endpoint,
				&target->addresses[target->addresses_count++]);
	assert(parsed);
}

void script_dns_fail(struct script *world, const char *domain,
		     enum pl_code code)
{
	make_entry(world, domain)->code = code;
}

void script_dns_delay(struct script *world, const char *domain, long delay_ms)
{
	make_entry(world, domain)->delay_ms = delay_ms;
}

void script_dns_secure(struct script *world, const char *domain, bool secure)
{
	make_entry(world, domain)->secure = secure;
}

void script_dns_forget(struct script *world, const char *domain)
{
	struct dns_entry **at = &world->names, *entry;

	for (; (entry = *at) != NULL; at = &entry->next) {
		if (strcmp(entry->domain, domain) != 0)
			continue;
		*at = entry->next;
		free(entry);
		return;
	}
}

size_t script_dns_asked(const struct script *world, const char *domain)
{
	const struct dns_entry *entry = find_entry(world, domain);

	return entry == NULL ? 0 : entry->asked;
}

void names_free(struct script *world)
{
	while (world->names != NULL)
		script_dns_forget(world, world->names->domain);
}

/* ----- answers ----- */

static void set_port(struct pl_dns_target *target, unsigned short port)
{
	target->port = port;
	for (size_t i = 0; i < target->addresses_count; i++) {
		struct pl_dns_address *address = &target->addresses[i];
		struct sockaddr_in *v4 = (void *)&address->addr;
		struct sockaddr_in6 *v6 = (void *)&address->addr;

		if (address->addr.ss_family == AF_INET)
			v4->sin_port = htons(port);
		else
			v6->sin6_port = htons(port);
	}
}

static bool is_wanted(const struct pl_dns_query *query,
		      const struct pl_dns_target *target)
{
	unsigned kind = target->direct_tls ? PL_DNS_DIRECT_TLS
					   : PL_DNS_STARTTLS;

	return query->connect || (query->want & kind) != 0;
}

static void take_targets(const struct pl_dns_query *query,
			 const struct dns_entry *entry,
			 struct pl_dns_answer *answer)
{
	for (size_t i = 0; i < entry->count; i++) {
		struct pl_dns_target *target = &answer->targets[answer->count];

		if (!is_wanted(query, &entry->targets[i]))
			continue;
		*target = entry->targets[i];
		answer->count++;
		if (!query->connect)
			continue;
		target->srv = false;
		target->direct_tls = query->direct_tls;
		set_port(target, query->port);
	}
	answer->secure = entry->secure;
	if (answer->count == 0)
		answer->code = PL_CODE_DNS_NO_SERVICE;
}

/* An IP literal needs no entry. */
static bool take_literal(const struct pl_dns_query *query,
			 struct pl_dns_answer *answer)
{
	struct pl_dns_target *target = &answer->targets[0];
	unsigned short port = query->connect ? query->port : 5269;
	bool bare_v6 = query->name[0] != '[' && strchr(query->name, ':');
	char endpoint[PL_DOMAIN_SIZE + 16];

	snprintf(endpoint, sizeof endpoint, bare_v6 ? "[%s]:%u" : "%s:%u",
		 query->name, port);
	if (!endpoint_parse(endpoint, &target->addresses[0]))
		return false;
	snprintf(target->host, sizeof target->host, "%.255s", query->name);
	target->port = port;
	target->direct_tls = query->direct_tls;
	target->addresses_count = 1;
	answer->count = 1;
	return true;
}

static void make_answer(const struct pl_dns_query *query,
			struct pl_dns_answer *answer)
{
	const struct dns_entry *entry = find_entry(query->world, query->name);

	if (entry == NULL && take_literal(query, answer))
		return;
	if (entry == NULL)
		answer->code = PL_CODE_DNS_NO_SUCH_DOMAIN;
	else if (entry->code != PL_CODE_NONE)
		answer->code = entry->code;
	else
		take_targets(query, entry, answer);
	if (answer->code != PL_CODE_NONE)
		snprintf(answer->text, sizeof answer->text,
			 "the script says so for %.200s", query->name);
}

static void on_due(void *owner, size_t number)
{
	struct pl_dns_query *query = owner;
	struct pl_dns_target targets[PL_DNS_TARGETS] = { 0 };
	struct pl_dns_answer answer = { .targets = targets };

	make_answer(query, &answer);
	if (answer.code != PL_CODE_NONE) {
		answer.count = 0;
		answer.targets = NULL;
	}
	LIST_REMOVE(query, in_resolver);
	query->done(query->owner, &answer);
	free(query);
}

static struct pl_dns_query *ask(struct pl_resolver *resolver, const char *name,
				pl_dns_done done, void *owner)
{
	struct dns_entry *entry = find_entry(resolver->world, name);
	struct pl_dns_query *query = pl_calloc(1, sizeof *query);
	long delay_ms = entry == NULL ? 1 : entry->delay_ms;

	query->world = resolver->world;
	query->done = done;
	query->owner = owner;
	snprintf(query->name, sizeof query->name, "%s", name);
	LIST_INSERT_HEAD(&resolver->queries, query, in_resolver);
	query->overdue = PL_CODE_DNS_RESOLVER_UNREACHABLE;
	if (entry != NULL) {
		entry->asked++;
		if (entry->code != PL_CODE_NONE)
			query->overdue = entry->code;
	}
	if (delay_ms >= 0)
		world_add(resolver->world, (uint64_t)delay_ms, on_due, query,
			  0);
	return query;
}

/* ----- dns.h ----- */

struct pl_resolver *pl_resolver_new(struct event_base *base,
				    const struct pl_dns_settings *settings,
				    struct pl_error *error)
{
	struct pl_resolver *resolver;

	if (world_current() == NULL) {
		pl_error_set(error, "script_new() comes first");
		return NULL;
	}
	resolver = pl_calloc(1, sizeof *resolver);
	resolver->world = world_current();
	return resolver;
}

void pl_resolver_free(struct pl_resolver *resolver)
{
	if (resolver == NULL)
		return;
	while (!LIST_EMPTY(&resolver->queries))
		pl_dns_cancel(LIST_FIRST(&resolver->queries));
	free(resolver);
}

struct pl_dns_query *pl_dns_find(struct pl_resolver *resolver,
				 const char *domain, unsigned want,
				 pl_dns_done done, void *owner)
{
	struct pl_dns_query *query = ask(resolver, domain, done, owner);

	query->want = want;
	return query;
}

struct pl_dns_query *pl_dns_find_host(struct pl_resolver *resolver,
				      const char *host, unsigned short port,
				      bool direct_tls, pl_dns_done done,
				      void *owner)
{
	struct pl_dns_query *query = ask(resolver, host, done, owner);

	query->connect = true;
	query->port = port;
	query->direct_tls = direct_tls;
	return query;
}

void pl_dns_cancel(struct pl_dns_query *query)
{
	world_forget(query->world, query);
	LIST_REMOVE(query, in_resolver);
	free(query);
}

enum pl_code pl_dns_overdue(const struct pl_dns_query *query)
{
	return query->overdue;
}
