/* Sections host and component: names that are served here, and their
 * certificates. */
#include "file.h"

#include "parley/addr.h"
#include "parley/tls.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A domain, or "*." and a domain where `wildcard` allows it. */
static bool normal_name(const char *title, bool wildcard,
			char out[PL_DOMAIN_SIZE], struct pl_error *error)
{
	char domain[PL_DOMAIN_SIZE];

	if (!wildcard || strncmp(title, "*.", 2) != 0)
		return pl_addr_domain(title, strlen(title), out, error);
	if (!pl_addr_domain(title + 2, strlen(title + 2), domain, error))
		return false;
	if (strlen(domain) + 3 > PL_DOMAIN_SIZE)
		return pl_error_set(error, "the name is too long");
	memcpy(out, "*.", 2);
	strcpy(out + 2, domain);
	return true;
}

/* A certificate does not tell for a pattern itself; any name below will do. */
static bool covers(const struct pl_tls_identity *identity, const char *name)
{
	char sample[PL_DOMAIN_SIZE + 8];

	if (strncmp(name, "*.", 2) != 0)
		return pl_tls_identity_covers(identity, name);
	snprintf(sample, sizeof sample, "parley%s", name + 1);
	return pl_tls_identity_covers(identity, sample);
}

static void date(time_t when, char out[32])
{
	struct tm utc;

	gmtime_r(&when, &utc);
	strftime(out, 32, "%Y-%m-%d", &utc);
}

static void check_dates(struct conf_load *load,
			const struct conf_section *section,
			const struct pl_tls_identity *identity)
{
	struct conf_place at = conf_at(section, "certificate");
	time_t first = pl_tls_identity_not_before(identity);
	time_t last = pl_tls_identity_not_after(identity);
	char day[32];

	if (last < load->now) {
		date(last, day);
		conf_warn(load->notes, at, "%s \"%s\": its certificate expired "
			  "on %s", section->name, section->title, day);
	}
	if (first > load->now) {
		date(first, day);
		conf_warn(load->notes, at, "%s \"%s\": its certificate is not "
			  "valid before %s", section->name, section->title, day);
	}
}

/* What loads, but will not do everywhere (P14, P18). */
static void check_identity(struct conf_load *load,
			   const struct conf_section *section, const char *name,
			   const struct pl_tls_identity *identity)
{
	struct conf_place at = conf_at(section, "certificate");

	check_dates(load, section, identity);
	if (!covers(identity, name))
		conf_warn(load->notes, at, "%s \"%s\": its certificate does not "
			  "name it", section->name, section->title);
	if (pl_tls_identity_lacks_server(identity))
		conf_warn(load->notes, at, "%s \"%s\": its certificate has an "
			  "extended key usage without serverAuth: peers take "
			  "it for no server's", section->name, section->title);
}

static bool both_or_none(struct conf_load *load,
			 const struct conf_section *section)
{
	bool certificate = conf_text(section, "certificate") != NULL;
	bool key = conf_text(section, "private-key") != NULL;

	if (certificate == key)
		return true;
	return conf_fault(load->notes,
			  conf_at(section, certificate ? "certificate"
				  : "private-key"),
			  "%s \"%s\": %s without %s", section->name,
			  section->title,
			  certificate ? "certificate" : "private-key",
			  certificate ? "private-key" : "certificate");
}

static void read_identity(struct conf_load *load,
			  const struct conf_section *section,
			  struct pl_conf_host *host)
{
	struct pl_tls_identity *identity;
	struct pl_error error = { 0 };

	/* set even where they are faulty: this host is not one without */
	host->certificate = conf_path(section, "certificate");
	host->private_key = conf_path(section, "private-key");
	if (!both_or_none(load, section) || host->certificate == NULL)
		return;
	identity = pl_tls_identity_new(host->certificate, host->private_key,
				       &error);
	if (identity == NULL) {
		conf_fault(load->notes, conf_at(section, "certificate"),
			   "%s \"%s\": %s", section->name, section->title,
			   error.text);
		return;
	}
	check_identity(load, section, host->name, identity);
	pl_tls_identity_unref(identity);
	conf_warn_readable(section, "private-key", host->private_key,
			   load->notes);
}

static const struct pl_conf_host *find(const struct pl_conf *conf,
				       const char *name)
{
	const struct pl_conf_host *h = conf->hosts;

	while (h != NULL && strcmp(h->name, name) != 0)
		h = h->next;
	return h;
}

static void check_name(struct conf_load *load,
		       const struct conf_section *section, const char *name)
{
	const struct pl_conf_host *other = find(load->conf, name);

	if (other != NULL)
		conf_fault(load->notes, section->at,
			   "%s \"%s\": the name is already that of the %s at "
			   "%s:%d", section->name, section->title,
			   other->component ? "component" : "host",
			   other->file, other->line);
}

static void read_component_secret(struct conf_load *load,
				  const struct conf_section *section,
				  struct pl_conf_host *host)
{
	if (conf_secret(section, &host->secret, load->notes) &&
	    (host->secret == NULL || *host->secret == '\0'))
		conf_fault(load->notes, section->at, "component \"%s\": it "
			   "needs a secret or a secret-file that is not empty",
			   section->title);
}

/* What a second connection for a component means. */
static void read_connect(struct conf_load *load,
			 const struct conf_section *section,
			 struct pl_conf_host *host)
{
	static const char *const words[] = { "replace", "refuse", NULL };
	unsigned word = 0;

	conf_word(section, "connect", words, &word, load->notes);
	host->refuse_second = word == 1;
}

/* ----- contacts ----- */

/* "KIND=URI", with a kind of XEP-0157 and a scheme in front of something that
 * has neither spaces nor controls. */
static const char *contact_fault(const char *text)
{
	static const char *const kinds[] = { "abuse", "admin", "feedback",
		"sales", "security", "status", "support" };
	size_t length = strcspn(text, "="), i = 0, scheme;

	while (i < sizeof kinds / sizeof kinds[0] &&
	       (strlen(kinds[i]) != length ||
		strncmp(text, kinds[i], length) != 0))
		i++;
	if (i == sizeof kinds / sizeof kinds[0] || text[length] == '\0')
		return "expected abuse, admin, feedback, sales, security, "
		       "status or support, an equal sign, and a URI";
	text += length + 1;
	scheme = strspn(text, "abcdefghijklmnopqrstuvwxyz"
			      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
	if (scheme == 0 || text[scheme] != ':' || text[scheme + 1] == '\0')
		return "expected a URI behind the equal sign, such as "
		       "mailto:admin@alpha.example";
	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f ||
		    strchr("<>\"", *c) != NULL)
			return "a URI has a character that none may have";
	return NULL;
}

static void read_contacts(struct conf_load *load,
			  const struct conf_section *section,
			  struct pl_conf_host *host)
{
	const struct conf_key *key = conf_key(section, "contact");
	const struct conf_value *v;
	size_t count = 0;

	for (v = key == NULL ? NULL : key->values; v != NULL; v = v->next)
		count++;
	host->contacts = pl_calloc(count + 1, sizeof *host->contacts);
	count = 0;
	for (v = key == NULL ? NULL : key->values; v != NULL; v = v->next) {
		const char *fault = contact_fault(v->text);

		if (fault == NULL)
			host->contacts[count++] = pl_strdup(v->text);
		else
			conf_fault(load->notes, v->at, "contact: \"%s\": %s",
				   v->text, fault);
	}
}

static void read_upstream(struct conf_load *load,
			  const struct conf_section *section,
			  struct pl_conf_host *host)
{
	char name[PL_ASCII_DOMAIN_SIZE];
	char *endpoint = NULL;

	conf_endpoint(section, "upstream", &endpoint, load->notes);
	if (endpoint != NULL &&
	    pl_addr_endpoint(endpoint, name, &host->upstream_port, NULL))
		host->upstream_host = pl_strdup(name);
	free(endpoint);
}

static void read_host(struct conf_load *load,
		      const struct conf_section *section,
		      struct pl_conf_host ***end)
{
	bool component = strcmp(section->name, "component") == 0;
	char name[PL_DOMAIN_SIZE];
	struct pl_error error = { 0 };
	struct pl_conf_host *host;

	if (!normal_name(section->title, component, name, &error)) {
		conf_fault(load->notes, section->at, "%s \"%s\": %s",
			   section->name, section->title, error.text);
		return;
	}
	check_name(load, section, name);
	host = pl_calloc(1, sizeof *host);
	host->name = pl_strdup(name);
	host->component = component;
	host->note = pl_strdup(conf_text(section, "note") == NULL ? ""
			       : conf_text(section, "note"));
	host->file = pl_strdup(section->at.file->path);
	host->line = section->at.line;
	**end = host;
	*end = &host->next;
	read_identity(load, section, host);
	read_contacts(load, section, host);
	if (!component) {
		read_upstream(load, section, host);
		return;
	}
	read_component_secret(load, section, host);
	read_connect(load, section, host);
}

/* A component without a certificate of its own takes that of the first host
 * which covers it (P21). */
static const struct pl_conf_host *lender(const struct pl_conf *conf,
					 const char *name)
{
	for (const struct pl_conf_host *h = conf->hosts; h != NULL;
	     h = h->next) {
		struct pl_tls_identity *identity;
		bool fits;

		if (h->component || h->certificate == NULL)
			continue;
		identity = pl_tls_identity_new(h->certificate, h->private_key,
					       NULL);
		fits = identity != NULL && covers(identity, name);
		pl_tls_identity_unref(identity);
		if (fits)
			return h;
	}
	return NULL;
}

static void lend(struct conf_load *load, const struct conf_section *section,
		 struct pl_conf_host *component)
{
	const struct pl_conf_host *host = lender(load->conf, component->name);

	if (host == NULL) {
		conf_warn(load->notes, section->at, "component \"%s\": it has "
			  "no certificate, and no host's certificate covers it",
			  section->title);
		return;
	}
	component->certificate = pl_strdup(host->certificate);
	component->private_key = pl_strdup(host->private_key);
}

/* Several sections may stand in one line. */
static struct pl_conf_host *component_of(const struct conf_load *load,
					 const struct conf_section *s)
{
	struct pl_conf_host *h = load->conf->hosts;
	char name[PL_DOMAIN_SIZE];

	if (!normal_name(s->title, true, name, NULL))
		return NULL;
	while (h != NULL && (!h->component || h->line != s->at.line ||
			     strcmp(h->file, s->at.file->path) != 0 ||
			     strcmp(h->name, name) != 0))
		h = h->next;
	return h;
}

static void lend_certificates(struct conf_load *load)
{
	const struct conf_section *s;

	for (s = load->tree->sections; s != NULL; s = s->next) {
		struct pl_conf_host *h;

		if (strcmp(s->name, "component") != 0 ||
		    conf_text(s, "certificate") != NULL)
			continue;
		h = component_of(load, s);
		if (h != NULL)
			lend(load, s, h);
	}
}

void conf_read_hosts(struct conf_load *load)
{
	struct pl_conf_host **end = &load->conf->hosts;
	const struct conf_section *s;

	for (s = load->tree->sections; s != NULL; s = s->next) {
		if (strcmp(s->name, "host") == 0 ||
		    strcmp(s->name, "component") == 0)
			read_host(load, s, &end);
	}
	lend_certificates(load);
	if (load->conf->hosts == NULL)
		conf_warn(load->notes,
			  (struct conf_place){ load->tree->files, 1 },
			  "there is no host section: nothing is served");
}
