/* What a command that negotiates is told, as a configuration. */
#include "world.h"
#include "client.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where there is nothing else to go by: the name of this machine. */
static const char *machine_name(char out[256])
{
	if (gethostname(out, 256) != 0)
		return NULL;
	out[255] = '\0';
	return out;
}

static const char *first_host(const struct pl_conf *conf)
{
	const struct pl_conf_host *host = conf->hosts;

	while (host != NULL && host->component)
		host = host->next;
	return host != NULL ? host->name : NULL;
}

static bool take_domain(const struct cli_way *way, const char *text,
			const char *what, char out[PL_DOMAIN_SIZE])
{
	struct pl_error error = { .text = "" };
	char printable[300];

	if (pl_addr_domain(text, strlen(text), out, &error))
		return true;
	cli_usage(way->verb, "%s \"%s\" is not a domain: %s", what,
		  pl_text_printable(printable, sizeof printable, text,
				    strlen(text)), error.text);
	return false;
}

static bool take_names(const struct cli_way *way, const struct pl_conf *conf,
		       struct cli_attempt *attempt)
{
	const char *local = way->local;
	char machine[256];

	if (!take_domain(way, way->remote, "DOMAIN", attempt->remote))
		return false;
	if (local == NULL)
		local = way->configuration != NULL ? first_host(conf)
						   : machine_name(machine);
	if (local == NULL) {
		cli_usage(way->verb, "--from is needed: there is no host to "
			  "begin with");
		return false;
	}
	if (!take_domain(way, local, "--from", attempt->local))
		return false;
	if (strcmp(attempt->local, attempt->remote) != 0)
		return true;
	cli_usage(way->verb, "%s cannot negotiate with itself: --from is "
		  "another domain", attempt->local);
	return false;
}

struct pl_conf_host *cli_add_host(struct pl_conf *conf, const char *name)
{
	struct pl_conf_host *host = pl_calloc(1, sizeof *host);

	host->name = pl_strdup(name);
	host->contacts = pl_calloc(1, sizeof *host->contacts);
	host->next = conf->hosts;
	conf->hosts = host;
	return host;
}

static struct pl_conf_host *find_host(struct pl_conf *conf, const char *name)
{
	const struct pl_conf_host *found = pl_conf_host(conf, name);
	struct pl_conf_host *host = conf->hosts;

	while (host != found)
		host = host->next;
	return host;
}

static void replace(char **text, const char *by)
{
	if (by == NULL)
		return;
	free(*text);
	*text = pl_strdup(by);
}

void cli_use_certificate(const struct cli_way *way, struct pl_conf_host *host)
{
	replace(&host->certificate, way->certificate);
	replace(&host->private_key, way->private_key);
}

void cli_override(const struct cli_way *way, struct pl_conf *conf)
{
	replace(&conf->ca_file, way->ca_file);
	replace(&conf->dns.resolv_conf, way->resolv_conf);
	replace(&conf->dns.trust_anchor_file, way->trust_anchor);
	if (way->allow_loopback)
		conf->dns.allow_loopback = true;
}

/* Our side of it: a host of the file, or one made for the occasion. */
static bool take_host(const struct cli_way *way, struct pl_conf *conf,
		      const char *name)
{
	struct pl_conf_host *host = find_host(conf, name);

	if (host == NULL && way->configuration != NULL &&
	    way->certificate == NULL) {
		cli_usage(way->verb, "%s is not a host of %s", name,
			  way->configuration);
		return false;
	}
	if (host == NULL)
		host = cli_add_host(conf, name);
	cli_use_certificate(way, host);
	return true;
}

struct pl_conf *cli_conf(const struct cli_way *way,
			 struct cli_attempt *attempt)
{
	struct pl_conf *conf = way->configuration != NULL
				       ? client_configuration(way->configuration)
				       : pl_conf_new();

	if (conf == NULL)
		return NULL;
	if (!take_names(way, conf, attempt) ||
	    !take_host(way, conf, attempt->local)) {
		pl_conf_unref(conf);
		return NULL;
	}
	cli_override(way, conf);
	return conf;
}
