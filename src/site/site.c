/* A configuration with its certificates loaded, as the streams see it. */
#include "parley/site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A component without a certificate of its own uses that of the first host
 * whose certificate covers it. */
static struct pl_tls_identity *covering(const struct pl_site *site,
					const char *domain)
{
	for (size_t i = 0; i < site->hosts_count; i++) {
		struct pl_site_host *host = &site->hosts[i];

		if (!host->conf->component && host->identity != NULL &&
		    pl_tls_identity_covers(host->identity, domain))
			return pl_tls_identity_ref(host->identity);
	}
	return NULL;
}

static bool load_host(struct pl_site *site, struct pl_site_host *host,
		      time_t now, struct pl_error *error)
{
	const struct pl_conf_host *conf = host->conf;

	if (conf->certificate != NULL)
		host->identity = pl_tls_identity_new(conf->certificate,
						     conf->private_key, error);
	if (conf->certificate != NULL && host->identity == NULL)
		return false;
	if (host->identity == NULL && conf->component)
		host->identity = covering(site, conf->name);
	if (host->identity == NULL)
		return true;
	host->expired = pl_tls_identity_not_after(host->identity) < now;
	host->no_client_purpose = pl_tls_identity_lacks_client(host->identity);
	if (site->fallback == NULL)
		site->fallback = host->identity;
	return true;
}

struct pl_site *pl_site_new(struct pl_conf *conf, time_t now,
			    struct pl_error *error)
{
	struct pl_site *site = pl_calloc(1, sizeof *site);
	const struct pl_conf_host *host;

	site->conf = conf;
	for (host = conf->hosts; host != NULL; host = host->next)
		site->hosts_count++;
	site->hosts = pl_calloc(site->hosts_count + 1, sizeof *site->hosts);
	host = conf->hosts;
	for (size_t i = 0; i < site->hosts_count; i++, host = host->next)
		site->hosts[i].conf = host;
	site->trust = pl_tls_trust_new(conf->ca_file, conf->ca_directory,
				       error);
	if (site->trust == NULL) {
		pl_site_free(site);
		return NULL;
	}
	/* Hosts first: components may lean on them. */
	for (int component = 0; component <= 1; component++)
		for (size_t i = 0; i < site->hosts_count; i++)
			if (site->hosts[i].conf->component == component &&
			    !load_host(site, &site->hosts[i], now, error)) {
				pl_site_free(site);
				return NULL;
			}
	return site;
}

void pl_site_free(struct pl_site *site)
{
	if (site == NULL)
		return;
	for (size_t i = 0; i < site->hosts_count; i++)
		pl_tls_identity_unref(site->hosts[i].identity);
	free(site->hosts);
	pl_tls_trust_unref(site->trust);
	pl_conf_unref(site->conf);
	free(site);
}

static const struct pl_site_host *find(const struct pl_site *site,
				    const char *domain)
{
	const struct pl_conf_host *conf = pl_conf_host(site->conf, domain);

	for (size_t i = 0; conf != NULL && i < site->hosts_count; i++)
		if (site->hosts[i].conf == conf)
			return &site->hosts[i];
	return NULL;
}

bool pl_site_host(void *owner, const char *domain,
		  struct pl_tls_identity **identity)
{
	struct pl_site *site = *(struct pl_site **)owner;
	const struct pl_site_host *host;

	if (domain == NULL) {
		if (identity != NULL)
			*identity = site->fallback;
		return site->fallback != NULL;
	}
	host = find(site, domain);
	if (identity != NULL)
		*identity = host != NULL ? host->identity : NULL;
	return host != NULL;
}

static void describe_rule(const struct pl_conf_partner *partner, char *out,
			  size_t size)
{
	const char *slash = strrchr(partner->file, '/');

	snprintf(out, size, "partner \"%.80s\" (%.40s:%d)", partner->name,
		 slash != NULL ? slash + 1 : partner->file, partner->line);
}

void pl_site_partner(void *owner, const char *local, const char *remote,
		     struct pl_partner_view *view)
{
	struct pl_site *site = *(struct pl_site **)owner;
	const struct pl_site_host *host = local ? find(site, local) : NULL;
	const struct pl_conf_partner *partner;

	memset(view, 0, sizeof *view);
	view->terms.own_certificate = host != NULL ? host->identity != NULL
						   : site->fallback != NULL;
	if (host != NULL) {
		view->terms.own_expired = host->expired;
		view->terms.own_no_client_purpose = host->no_client_purpose;
	}
	partner = remote != NULL ? pl_conf_partner(site->conf, remote)
				 : pl_conf_any_partner(site->conf);
	view->terms.policy = pl_policy_of_row(PL_POLICY_ROWS);
	view->connection_limit =
		(unsigned)site->conf->limits.connections_per_partner;
	if (partner == NULL)
		return;
	view->terms.policy = pl_conf_policy(partner,
					    view->terms.own_certificate);
	view->terms.check = partner->check;
	view->terms.partner_known = true;
	view->terms.plaintext_retry = partner->plaintext_retry;
	view->terms.verify_requires_tls = partner->verify_requires_tls;
	view->row = partner->row;
	describe_rule(partner, view->rule, sizeof view->rule);
	view->connection_limit = (unsigned)partner->connection_limit;
	view->connect_host = partner->connect_host;
	view->connect_port = partner->connect_port;
	view->connect_direct_tls = partner->connect_direct_tls;
	view->multiplex = partner->multiplex;
	view->keepalive = partner->keepalive;
	view->unverified = partner->type == PL_UNVERIFIED;
	view->stanza_rate = (unsigned)partner->stanza_rate;
	view->stanza_bytes = (size_t)partner->stanza_bytes;
	view->terms.bidi = partner->bidi;
	view->terms.stream_management = partner->stream_management;
	view->wanted_targets = PL_DNS_STARTTLS |
		(pl_policy_uses_tls(&view->terms.policy) ? PL_DNS_DIRECT_TLS
							 : 0);
}

const char *const *pl_site_contacts(void *owner, const char *domain)
{
	struct pl_site *site = *(struct pl_site **)owner;
	const struct pl_site_host *host = find(site, domain);

	return host != NULL ? (const char *const *)host->conf->contacts : NULL;
}
