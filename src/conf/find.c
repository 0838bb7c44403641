/* Look-ups in a configuration; a stream asks with a normal form. */
#include "parley/addr.h"
#include "parley/conf.h"

#include <string.h>

static bool is_wildcard(const char *pattern)
{
	return strncmp(pattern, "*.", 2) == 0;
}

const struct pl_conf_host *pl_conf_host(const struct pl_conf *conf,
					const char *domain)
{
	const struct pl_conf_host *best = NULL;
	size_t length = 0;

	for (const struct pl_conf_host *h = conf->hosts; h != NULL;
	     h = h->next) {
		if (strcmp(h->name, domain) == 0)
			return h;
		if (is_wildcard(h->name) && pl_addr_matches(h->name, domain) &&
		    strlen(h->name) > length) {
			best = h;
			length = strlen(h->name);
		}
	}
	return best;
}

/* How well a pattern of a section matches: 0 not at all, wildcards by their
 * length, a domain of the list better than those, the section's name best. */
static size_t rank(const char *pattern, bool own_name, const char *domain)
{
	if (strcmp(pattern, "*") == 0)
		return 0; /* pl_conf_any_partner */
	if (strcmp(pattern, domain) == 0)
		return own_name ? 3 * PL_DOMAIN_SIZE : 2 * PL_DOMAIN_SIZE;
	if (is_wildcard(pattern) && pl_addr_matches(pattern, domain))
		return strlen(pattern);
	return 0;
}

static size_t best_rank(const struct pl_conf_partner *partner,
			const char *domain)
{
	size_t best = rank(partner->name, true, domain);

	for (char **d = partner->domains; *d != NULL; d++) {
		size_t this = rank(*d, false, domain);

		if (this > best)
			best = this;
	}
	return best;
}

const struct pl_conf_partner *pl_conf_partner(const struct pl_conf *conf,
					      const char *domain)
{
	const struct pl_conf_partner *best = NULL;
	size_t highest = 0;

	for (const struct pl_conf_partner *p = conf->partners; p != NULL;
	     p = p->next) {
		size_t this = best_rank(p, domain);

		if (this > highest) {
			best = p;
			highest = this;
		}
	}
	return best != NULL ? best : pl_conf_any_partner(conf);
}

const char *pl_partner_type_name(enum pl_partner_type type)
{
	static const char *const names[] = {
		[PL_FEDERATED] = "federated",
		[PL_VERIFIED] = "verified",
		[PL_UNVERIFIED] = "unverified",
	};

	return names[type];
}

const struct pl_conf_partner *pl_conf_any_partner(const struct pl_conf *conf)
{
	const struct pl_conf_partner *p = conf->partners;

	while (p != NULL && strcmp(p->name, "*") != 0)
		p = p->next;
	return p;
}

struct pl_policy pl_conf_policy(const struct pl_conf_partner *partner,
				bool host_has_certificate)
{
	struct pl_policy policy = partner->policy;

	if (!host_has_certificate)
		policy = pl_policy_without_tls(policy);
	return policy;
}
