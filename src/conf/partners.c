/* Sections partner: whom we talk to, and under which row. */
#include "file.h"

#include "parley/addr.h"

#include <stdlib.h>
#include <string.h>

static const char *const level_words[] = { "required", "optional",
					   "not-supported", NULL };
static const char *const check_words[] = { "strict", "relaxed", "log", NULL };
static const char *const tls_words[] = { "starttls", "direct", NULL };
static const char *const type_words[] = { "federated", "verified", "unverified",
					  NULL };

/* ----- names ----- */

/* The partner that claims a pattern already, or NULL. */
static const struct pl_conf_partner *claimant(const struct pl_conf *conf,
					      const char *pattern)
{
	for (const struct pl_conf_partner *p = conf->partners; p != NULL;
	     p = p->next) {
		if (strcmp(p->name, pattern) == 0)
			return p;
		for (char **d = p->domains; *d != NULL; d++) {
			if (strcmp(*d, pattern) == 0)
				return p;
		}
	}
	return NULL;
}

static bool check_claim(struct conf_load *load, struct conf_place at,
			const char *title, const char *text,
			const char *pattern)
{
	const struct pl_conf_partner *other = claimant(load->conf, pattern);

	if (other == NULL)
		return true;
	conf_note_partner(load->notes, PL_ERROR, at, title, 0,
			  "%s is already claimed by partner \"%s\" at %s:%d",
			  text, other->name, other->file, other->line);
	return false;
}

static void read_domain(struct conf_load *load, const char *title,
			const struct conf_value *value,
			struct pl_conf_partner *partner, size_t *count)
{
	char pattern[PL_DOMAIN_SIZE];
	struct pl_error error = { 0 };

	if (!conf_pattern(value->text, pattern, &error)) {
		conf_note_partner(load->notes, PL_ERROR, value->at, title, 0,
				  "domains: \"%s\": %s", value->text,
				  error.text);
		return;
	}
	if (strcmp(pattern, "*") == 0) {
		conf_note_partner(load->notes, PL_ERROR, value->at, title, 0,
				  "domains: \"*\" is the name of a section of "
				  "its own, partner \"*\"");
		return;
	}
	if (check_claim(load, value->at, title, value->text, pattern))
		partner->domains[(*count)++] = pl_strdup(pattern);
}

/* The partner is in the list already, so that it also meets its own claims. */
static void read_domains(struct conf_load *load,
			 const struct conf_section *section,
			 struct pl_conf_partner *partner)
{
	const struct conf_key *key = conf_key(section, "domains");
	const struct conf_value *v;
	size_t count = 0, most = 0;

	for (v = key == NULL ? NULL : key->values; v != NULL; v = v->next)
		most++;
	free(partner->domains);
	partner->domains = pl_calloc(most + 1, sizeof *partner->domains);
	for (v = key == NULL ? NULL : key->values; v != NULL; v = v->next)
		read_domain(load, section->title, v, partner, &count);
}

/* ----- the row ----- */

static void tell_invalid(struct conf_load *load,
			 const struct conf_section *section,
			 const struct pl_conf_partner *p, const char *because)
{
	conf_note_partner(load->notes, PL_ERROR, section->at, section->title,
			  p->row, "row %d (tls = %s, sasl = %s, dialback = %s) "
			  "is not valid: %s", p->row,
			  pl_level_name(p->policy.tls),
			  pl_level_name(p->policy.sasl),
			  p->policy.dialback ? "yes" : "no", because);
}

static void tell_row(struct conf_load *load, const struct conf_section *section,
		     const struct pl_conf_partner *partner)
{
	struct pl_policy_note notes[3];
	size_t count = pl_policy_notes(partner->row, notes);

	for (size_t i = 0; i < count; i++) {
		if (notes[i].severity == PL_ERROR)
			tell_invalid(load, section, partner, notes[i].text);
		else
			conf_note_partner(load->notes, notes[i].severity,
					  section->at, section->title,
					  partner->row, "row %d: %s",
					  partner->row, notes[i].text);
	}
}

/* P20: what is left out is that of row 7. */
static void read_policy(struct conf_load *load,
			const struct conf_section *section,
			struct pl_conf_partner *partner)
{
	unsigned tls = PL_REQUIRED, sasl = PL_OPTIONAL;
	bool sound;

	partner->policy.dialback = true;
	sound = conf_word(section, "tls", level_words, &tls, load->notes);
	sound &= conf_word(section, "sasl", level_words, &sasl, load->notes);
	sound &= conf_bool(section, "dialback", &partner->policy.dialback,
			   load->notes);
	partner->policy.tls = (uint8_t)tls;
	partner->policy.sasl = (uint8_t)sasl;
	partner->row = pl_policy_row(&partner->policy);
	if (sound)
		tell_row(load, section, partner);
}

/* ----- the other keys ----- */

static void read_connect(struct conf_load *load,
			 const struct conf_section *section,
			 struct pl_conf_partner *partner)
{
	char host[PL_ASCII_DOMAIN_SIZE], *endpoint = NULL;
	unsigned direct = 0;

	conf_word(section, "connect-tls", tls_words, &direct, load->notes);
	partner->connect_direct_tls = direct == 1;
	conf_endpoint(section, "connect", &endpoint, load->notes);
	if (endpoint != NULL &&
	    pl_addr_endpoint(endpoint, host, &partner->connect_port, NULL))
		partner->connect_host = pl_strdup(host);
	free(endpoint);
	if (conf_key(section, "connect-tls") != NULL &&
	    conf_text(section, "connect") == NULL)
		conf_note_partner(load->notes, PL_WARNING,
				  conf_at(section, "connect-tls"),
				  section->title, 0,
				  "connect-tls has no effect without connect");
	if (partner->connect_direct_tls &&
	    partner->policy.tls == PL_NOT_SUPPORTED)
		conf_note_partner(load->notes, PL_ERROR,
				  conf_at(section, "connect-tls"),
				  section->title, partner->row,
				  "connect-tls = direct contradicts tls = "
				  "not-supported (row %d)", partner->row);
}

static void read_check(struct conf_load *load,
		       const struct conf_section *section,
		       struct pl_conf_partner *partner)
{
	unsigned check = pl_policy_default_check(&partner->policy);

	conf_word(section, "certificate-check", check_words, &check,
		  load->notes);
	partner->check = (enum pl_certificate_check)check;
}

static void read_switches(struct conf_load *load,
			  const struct conf_section *section,
			  struct pl_conf_partner *partner)
{
	partner->verify_requires_tls = true;
	partner->keepalive = true;
	partner->stream_management = true;
	conf_bool(section, "plaintext-retry", &partner->plaintext_retry,
		  load->notes);
	conf_bool(section, "verify-requires-tls",
		  &partner->verify_requires_tls, load->notes);
	conf_bool(section, "keepalive", &partner->keepalive, load->notes);
	conf_bool(section, "multiplex", &partner->multiplex, load->notes);
	conf_bool(section, "bidi", &partner->bidi, load->notes);
	partner->trace = true;
	conf_bool(section, "trace", &partner->trace, load->notes);
	conf_bool(section, "stream-management", &partner->stream_management,
		  load->notes);
	if (partner->plaintext_retry &&
	    !pl_policy_allows(&partner->policy, PL_METHOD_TCP_DIALBACK))
		conf_note_partner(load->notes, PL_WARNING,
				  conf_at(section, "plaintext-retry"),
				  section->title, partner->row,
				  "plaintext-retry has no effect: row %d does "
				  "not allow TCP Dialback", partner->row);
}

static void read_type(struct conf_load *load,
		      const struct conf_section *section,
		      struct pl_conf_partner *partner)
{
	unsigned type = PL_FEDERATED;

	conf_word(section, "type", type_words, &type, load->notes);
	partner->type = (enum pl_partner_type)type;
	if (partner->type == PL_UNVERIFIED && load->conf->store_file == NULL)
		conf_note_partner(load->notes, PL_WARNING,
				  conf_at(section, "type"), section->title, 0,
				  "to whom users of ours wrote is forgotten at "
				  "each restart, because store { file } is "
				  "missing");
}

static struct pl_conf_partner *new_partner(const struct conf_section *section,
					   const char *name)
{
	struct pl_conf_partner *partner = pl_calloc(1, sizeof *partner);
	const char *note = conf_text(section, "note");

	partner->name = pl_strdup(name);
	partner->domains = pl_calloc(1, sizeof *partner->domains);
	partner->note = pl_strdup(note == NULL ? "" : note);
	partner->file = pl_strdup(section->at.file->path);
	partner->line = section->at.line;
	return partner;
}

static void read_partner(struct conf_load *load,
			 const struct conf_section *section,
			 struct pl_conf_partner ***end)
{
	int limit = load->conf->limits.connections_per_partner;
	struct pl_conf_partner *partner;
	struct pl_error error = { 0 };
	char name[PL_DOMAIN_SIZE];

	if (!conf_pattern(section->title, name, &error)) {
		conf_note_partner(load->notes, PL_ERROR, section->at,
				  section->title, 0, "%s", error.text);
		return;
	}
	check_claim(load, section->at, section->title, "its name", name);
	partner = new_partner(section, name);
	**end = partner;
	*end = &partner->next;
	read_domains(load, section, partner);
	read_policy(load, section, partner);
	read_check(load, section, partner);
	read_connect(load, section, partner);
	read_switches(load, section, partner);
	read_type(load, section, partner);
	conf_number(section, "connection-limit", 1, 1000000, &limit,
		    load->notes);
	partner->connection_limit = limit;
	conf_number(section, "stanza-rate", 1, 1000000, &partner->stanza_rate,
		    load->notes);
	conf_number(section, "stanza-bytes", 10000, 16 << 20,
		    &partner->stanza_bytes, load->notes);
}

void conf_read_partners(struct conf_load *load)
{
	struct pl_conf_partner **end = &load->conf->partners;
	const struct conf_section *s;

	for (s = load->tree->sections; s != NULL; s = s->next) {
		if (strcmp(s->name, "partner") == 0)
			read_partner(load, s, &end);
	}
}

/* ----- against the hosts ----- */

/* P14: a host without certificate cannot serve a row that needs TLS; where the
 * row can do without, it does, and we say so. */
static void check_against(struct conf_load *load,
			  const struct conf_section *section,
			  const struct pl_conf_partner *p,
			  const struct pl_conf_host *host)
{
	bool in_clear = pl_policy_allows(&p->policy, PL_METHOD_TCP_DIALBACK);

	if (!in_clear)
		conf_note_partner(load->notes, PL_ERROR, section->at,
				  section->title, p->row,
				  "row %d needs TLS, but host \"%s\" (%s:%d) has "
				  "no certificate", p->row, host->name,
				  host->file, host->line);
	else if (p->policy.tls != PL_NOT_SUPPORTED)
		conf_note_partner(load->notes, PL_WARNING, section->at,
				  section->title, p->row,
				  "row %d: streams to host \"%s\" (%s:%d) know "
				  "no TLS, because that has no certificate",
				  p->row, host->name, host->file, host->line);
}

/* Several sections may stand in one line. */
static const struct pl_conf_partner *partner_of(const struct conf_load *load,
						const struct conf_section *s)
{
	const struct pl_conf_partner *p = load->conf->partners;
	char name[PL_DOMAIN_SIZE];

	if (!conf_pattern(s->title, name, NULL))
		return NULL;
	while (p != NULL && (p->line != s->at.line ||
			     strcmp(p->file, s->at.file->path) != 0 ||
			     strcmp(p->name, name) != 0))
		p = p->next;
	return p;
}

static void check_partner(struct conf_load *load, const struct conf_section *s)
{
	const struct pl_conf_partner *partner = partner_of(load, s);

	if (partner == NULL || !pl_policy_valid(&partner->policy))
		return;
	for (const struct pl_conf_host *h = load->conf->hosts; h != NULL;
	     h = h->next) {
		if (!h->component && strcmp(h->name, partner->name) == 0)
			conf_note_partner(load->notes, PL_WARNING, s->at,
					  s->title, 0, "this name is a host of "
					  "ours at %s:%d", h->file, h->line);
		if (!h->component && h->certificate == NULL)
			check_against(load, s, partner, h);
	}
}

void conf_check_partners(struct conf_load *load)
{
	const struct conf_section *s;

	for (s = load->tree->sections; s != NULL; s = s->next) {
		if (strcmp(s->name, "partner") == 0)
			check_partner(load, s);
	}
}
