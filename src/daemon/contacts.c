/* To whom users of ours wrote, where partners are unverified: the store of a
 * configuration, and its place at the router's gate. */
#include "internal.h"

#include <string.h>

static bool may_begin(void *owner, const char *local, const char *remote)
{
	struct service *service = owner;

	return pl_contacts_know(service->contacts, local, remote);
}

static void remember(void *owner, const char *local, const char *remote)
{
	struct service *service = owner;

	pl_contacts_add(service->contacts, local, remote);
}

static const struct pl_gatekeeper gatekeeper = {
	.may_begin = may_begin,
	.remember = remember,
};

static bool same_file(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool contacts_prepare(struct service *service, const struct pl_conf *conf,
		      struct pl_contacts **contacts, struct pl_error *error)
{
	*contacts = NULL;
	if (service->contacts != NULL &&
	    same_file(conf->store_file, service->site->conf->store_file))
		return true;
	*contacts = pl_contacts_new(service->loop, service->log,
				    conf->store_file,
				    (unsigned)conf->limits.contacts, error);
	return *contacts != NULL || pl_error_context(error, "store");
}

/* Without an unverified partner nothing is asked, nor remembered. */
static bool any_unverified(const struct pl_conf *conf)
{
	const struct pl_conf_partner *p = conf->partners;

	while (p != NULL && p->type != PL_UNVERIFIED)
		p = p->next;
	return p != NULL;
}

void contacts_set(struct service *service, struct pl_contacts *contacts)
{
	const struct pl_conf *conf = service->site->conf;

	if (contacts != NULL) {
		if (service->contacts != NULL)
			pl_contacts_copy(contacts, service->contacts);
		pl_contacts_free(service->contacts);
		service->contacts = contacts;
	}
	pl_contacts_set_most(service->contacts,
			     (unsigned)conf->limits.contacts);
	pl_router_set_gatekeeper(service->router, any_unverified(conf)
				 ? &gatekeeper : NULL, service);
}
