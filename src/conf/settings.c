/* The sections that say how parley runs: listeners, dialback, trust, DNS,
 * timeouts, limits, log, trace, store, control, http. */
#include "file.h"

#include "parley/addr.h"
#include "parley/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

/* ----- numbers ----- */

static const struct number {
	const char *section, *key;
	size_t offset;
	int standard, least, most;
} numbers[] = {
#define SECONDS(key, field, standard) \
	{ "timeouts", key, offsetof(struct pl_conf, timeouts.field), standard, \
	  1, 86400 }
	SECONDS("dns", dns, 5),
	SECONDS("connect", connect, 10),
	SECONDS("negotiate", negotiate, 60),
	SECONDS("idle", idle, 600),
	SECONDS("keepalive", keepalive, 300),
	SECONDS("drain", drain, 10),
	{ "timeouts", "ping", offsetof(struct pl_conf, timeouts.ping), 0, 0,
	  86400 },
#undef SECONDS
#define LIMIT(key, field, standard, least, most) \
	{ "limits", key, offsetof(struct pl_conf, limits.field), standard, \
	  least, most }
	LIMIT("connections", connections, 1000, 1, 1000000),
	LIMIT("connections-per-partner", connections_per_partner, 20, 1,
	      1000000),
	LIMIT("connections-per-address", connections_per_address, 50, 1,
	      1000000),
	LIMIT("verify-connections", verify_connections, 64, 1, 100000),
	/* the least that RFC 6120 13.12 lets a server set */
	LIMIT("stanza-bytes", stanza_bytes, 524288, 10000, 16 << 20),
	LIMIT("unauthenticated-bytes", unauthenticated_bytes, 8192, 1024,
	      1 << 20),
	LIMIT("queue-bytes", queue_bytes, 1048576, 10000, 1 << 30),
	LIMIT("output-bytes", output_bytes, 1048576, 10000, 1 << 30),
	LIMIT("contacts", contacts, 100000, 1, 10000000),
#undef LIMIT
#define TRACE(key, field, standard, least, most) \
	{ "trace", key, offsetof(struct pl_conf, trace.field), standard, \
	  least, most }
	TRACE("file-bytes", file_bytes, 4194304, 65536, 1 << 30),
	TRACE("directory-bytes", directory_bytes, 268435456, 65536, INT_MAX),
	TRACE("failures", failures, 64, 0, 1000),
	TRACE("recent", recent, 64, 0, 1000),
#undef TRACE
};
enum { NUMBERS = sizeof numbers / sizeof numbers[0] };

static int *number_at(struct pl_conf *conf, const struct number *number)
{
	return (int *)((char *)conf + number->offset);
}

static void read_numbers(struct conf_load *load, const struct conf_section *s)
{
	for (unsigned i = 0; i < NUMBERS; i++) {
		const struct number *n = &numbers[i];

		if (strcmp(n->section, s->name) == 0)
			conf_number(s, n->key, n->least, n->most,
				    number_at(load->conf, n), load->notes);
	}
}

/* ----- listeners ----- */

/* Two spellings of one endpoint are one endpoint. */
static bool same_endpoint(const char *a, const char *b)
{
	char host_a[PL_ASCII_DOMAIN_SIZE], host_b[PL_ASCII_DOMAIN_SIZE];
	unsigned short port_a, port_b;

	return pl_addr_endpoint(a, host_a, &port_a, NULL) &&
	       pl_addr_endpoint(b, host_b, &port_b, NULL) &&
	       port_a == port_b && strcasecmp(host_a, host_b) == 0;
}

/* Complains when an endpoint is listened at already. */
static bool check_free(struct conf_load *load, struct conf_place at,
		       const char *endpoint)
{
	const struct pl_conf *conf = load->conf;

	for (const struct pl_conf_listen *l = conf->listens; l != NULL;
	     l = l->next) {
		if (same_endpoint(l->endpoint, endpoint))
			return conf_fault(load->notes, at, "\"%s\" is already "
					  "listened at, by %s:%d", endpoint,
					  l->file, l->line);
	}
	if (conf->components_listen != NULL &&
	    same_endpoint(conf->components_listen, endpoint))
		return conf_fault(load->notes, at, "\"%s\" is already listened "
				  "at, for components", endpoint);
	if (conf->gateway_listen != NULL &&
	    same_endpoint(conf->gateway_listen, endpoint))
		return conf_fault(load->notes, at, "\"%s\" is already listened "
				  "at, for servers behind", endpoint);
	if (conf->http_listen != NULL &&
	    same_endpoint(conf->http_listen, endpoint))
		return conf_fault(load->notes, at, "\"%s\" is already listened "
				  "at, for http", endpoint);
	return true;
}

static bool any_certificate(const struct pl_conf *conf)
{
	for (const struct pl_conf_host *h = conf->hosts; h != NULL; h = h->next) {
		if (h->certificate != NULL)
			return true;
	}
	return false;
}

static void read_listen(struct conf_load *load, const struct conf_section *s)
{
	static const char *const words[] = { "starttls", "direct", NULL };
	struct pl_conf_listen *listen, **end = &load->conf->listens;
	char host[PL_ASCII_DOMAIN_SIZE];
	struct pl_error error = { 0 };
	unsigned short port;
	unsigned direct = 0;

	if (!pl_addr_endpoint(s->title, host, &port, &error)) {
		conf_fault(load->notes, s->at, "listen \"%s\": %s", s->title,
			   error.text);
		return;
	}
	conf_word(s, "tls", words, &direct, load->notes);
	check_free(load, s->at, s->title);
	if (direct == 1 && !any_certificate(load->conf))
		conf_fault(load->notes, conf_at(s, "tls"), "listen \"%s\": "
			   "tls = direct, but no host has a certificate",
			   s->title);
	listen = pl_calloc(1, sizeof *listen);
	listen->endpoint = pl_strdup(s->title);
	listen->direct_tls = direct == 1;
	listen->file = pl_strdup(s->at.file->path);
	listen->line = s->at.line;
	while (*end != NULL)
		end = &(*end)->next;
	*end = listen;
}

static void read_other_listen(struct conf_load *load,
			      const struct conf_section *s, char **out)
{
	char *endpoint = NULL;

	conf_endpoint(s, "listen", &endpoint, load->notes);
	if (endpoint == NULL)
		return;
	check_free(load, conf_at(s, "listen"), endpoint);
	free(*out); /* of a section before, which is a fault */
	*out = endpoint;
}

static bool is_loopback(const char *endpoint)
{
	char host[PL_ASCII_DOMAIN_SIZE];
	struct in6_addr six;
	unsigned short port;

	if (!pl_addr_endpoint(endpoint, host, &port, NULL))
		return false;
	if (inet_pton(AF_INET6, host, &six) == 1)
		return IN6_IS_ADDR_LOOPBACK(&six);
	return strncmp(host, "127.", 4) == 0 || strcmp(host, "localhost") == 0;
}

static void read_components(struct conf_load *load,
			    const struct conf_section *s)
{
	read_other_listen(load, s, &load->conf->components_listen);
	if (load->conf->components_listen != NULL &&
	    !is_loopback(load->conf->components_listen))
		conf_warn(load->notes, conf_at(s, "listen"), "components: "
			  "%s is no loopback address, and the component "
			  "protocol has neither encryption nor more than a "
			  "weak proof of its secret",
			  load->conf->components_listen);
}

static void read_gateway(struct conf_load *load, const struct conf_section *s)
{
	read_other_listen(load, s, &load->conf->gateway_listen);
}

/* A server behind us that cannot reach the world, or a door without a house. */
static void check_gateway(struct conf_load *load)
{
	const struct pl_conf_host *h = load->conf->hosts;
	const struct conf_section *s = load->tree->sections;
	bool listens = load->conf->gateway_listen != NULL;

	while (h != NULL && h->upstream_host == NULL)
		h = h->next;
	if ((h != NULL) == listens)
		return;
	while (s != NULL && strcmp(s->name, listens ? "gateway" : "host") != 0)
		s = s->next;
	if (listens)
		conf_warn(load->notes, s->at, "gateway: no host has an "
			  "upstream");
	else
		conf_warn(load->notes,
			  (struct conf_place){ s->at.file, h->line },
			  "host \"%s\": its server cannot send to the world, "
			  "because gateway { listen } is missing", h->name);
}

static void read_http(struct conf_load *load, const struct conf_section *s)
{
	read_other_listen(load, s, &load->conf->http_listen);
}

/* ----- dialback and trust ----- */

static void read_dialback(struct conf_load *load, const struct conf_section *s)
{
	struct conf_place at = conf_at(s, conf_text(s, "secret") != NULL
				       ? "secret" : "secret-file");
	char *secret = NULL;

	if (!conf_secret(s, &secret, load->notes))
		return;
	if (secret == NULL || *secret == '\0') {
		conf_warn(load->notes, at, "dialback: the secret is empty, so a "
			  "random one is used: keys are worth nothing on other "
			  "nodes and after a restart");
		pl_free_secret(secret);
		return;
	}
	if (strlen(secret) < 16)
		conf_warn(load->notes, at, "dialback: the secret is short "
			  "(%zu bytes); it should have 16 or more",
			  strlen(secret));
	pl_free_secret(load->conf->dialback_secret);
	load->conf->dialback_secret = secret;
	load->conf->dialback_secret_length = strlen(secret);
}

static void read_trust(struct conf_load *load, const struct conf_section *s)
{
	struct pl_conf *conf = load->conf;
	struct pl_tls_trust *trust;
	struct pl_error error = { 0 };
	char *file = NULL, *directory = NULL;
	bool sound = conf_readable(s, "ca-file", &file, load->notes);

	sound &= conf_readable(s, "ca-directory", &directory, load->notes);
	trust = !sound || (file == NULL && directory == NULL) ? NULL
	      : pl_tls_trust_new(file, directory, &error);
	if (sound && trust == NULL && error.text[0] != '\0')
		conf_fault(load->notes, conf_at(s, file != NULL ? "ca-file"
						: "ca-directory"),
			   "trust: %s", error.text);
	pl_tls_trust_unref(trust);
	if (file != NULL) {
		free(conf->ca_file);
		conf->ca_file = file;
	}
	if (directory != NULL) {
		free(conf->ca_directory);
		conf->ca_directory = directory;
	}
}

/* ----- DNS ----- */

static void read_file(struct conf_load *load, const struct conf_section *s,
		      const char *key, char **out)
{
	char *path = NULL;

	conf_readable(s, key, &path, load->notes);
	if (path == NULL)
		return;
	free(*out);
	*out = path;
}

static void read_dns(struct conf_load *load, const struct conf_section *s)
{
	struct pl_conf *conf = load->conf;

	read_file(load, s, "resolv-conf", &conf->dns.resolv_conf);
	read_file(load, s, "hosts", &conf->dns.hosts);
	read_file(load, s, "trust-anchor-file", &conf->dns.trust_anchor_file);
	conf_bool(s, "dane", &conf->dns.dane, load->notes);
	conf_bool(s, "allow-loopback", &conf->dns.allow_loopback, load->notes);
}

/* ----- log, trace, control ----- */

/* A file can be made there. */
static bool has_folder(const char *path)
{
	char *copy = pl_strdup(path);
	struct stat status;
	bool there = stat(dirname(copy), &status) == 0 &&
		     S_ISDIR(status.st_mode);

	free(copy);
	return there;
}

static void read_destination(struct conf_load *load,
			     const struct conf_section *s)
{
	const char *text = conf_text(s, "destination");
	struct conf_place at = conf_at(s, "destination");
	char *path;

	if (text == NULL)
		return;
	path = strcmp(text, "stderr") == 0 || strcmp(text, "syslog") == 0 ||
	       strcmp(text, "journal") == 0
	     ? pl_strdup(text) : conf_path(s, "destination");
	if (*path == '/' && !has_folder(path))
		conf_fault(load->notes, at, "destination: the folder of %s does "
			   "not exist", path);
	free(load->conf->log.destination);
	load->conf->log.destination = path;
}

static void read_log(struct conf_load *load, const struct conf_section *s)
{
	static const char *const levels[] = { "error", "warning", "notice",
					      "info", "debug", NULL };
	static const char *const formats[] = { "text", "json", NULL };
	struct pl_conf *conf = load->conf;
	unsigned level = conf->log.level, format = conf->log.format;

	conf_word(s, "level", levels, &level, load->notes);
	conf_word(s, "format", formats, &format, load->notes);
	conf->log.level = (enum pl_log_level)level;
	conf->log.format = (enum pl_log_format)format;
	read_destination(load, s);
}

static void read_trace(struct conf_load *load, const struct conf_section *s)
{
	static const char *const raws[] = { "none", "negotiation", "all", NULL };
	struct pl_conf *conf = load->conf;
	char *directory = conf_path(s, "directory");
	struct stat status;
	unsigned raw = 1;

	if (directory != NULL && stat(directory, &status) == 0 &&
	    !S_ISDIR(status.st_mode))
		conf_fault(load->notes, conf_at(s, "directory"),
			   "directory: %s is not a folder", directory);
	else if (directory != NULL && !has_folder(directory))
		conf_fault(load->notes, conf_at(s, "directory"),
			   "directory: neither %s nor the folder that it would "
			   "be made in exists", directory);
	if (directory != NULL) {
		free(conf->trace.directory);
		conf->trace.directory = directory;
	}
	if (conf_key(s, "raw") != NULL &&
	    conf_word(s, "raw", raws, &raw, load->notes)) {
		free(conf->trace.raw);
		conf->trace.raw = pl_strdup(raws[raw]);
	}
	conf_bool(s, "pcap", &conf->trace.pcap, load->notes);
	read_numbers(load, s);
	if (conf->trace.directory_bytes < conf->trace.file_bytes)
		conf_fault(load->notes, conf_at(s, "directory-bytes"),
			   "directory-bytes is less than file-bytes");
}

/* Opened by the daemon alone, as its user: here it only has to be possible. */
static void read_store(struct conf_load *load, const struct conf_section *s)
{
	char *path = conf_path(s, "file");
	struct stat status;

	if (path == NULL)
		return;
	if (stat(path, &status) == 0 ? !S_ISREG(status.st_mode)
				     : !has_folder(path))
		conf_fault(load->notes, conf_at(s, "file"), "store: %s %s",
			   path, has_folder(path) ? "is no ordinary file"
			   : "cannot be made: its folder does not exist");
	free(load->conf->store_file);
	load->conf->store_file = path;
}

static void read_control(struct conf_load *load, const struct conf_section *s)
{
	const size_t most = sizeof ((struct sockaddr_un *)0)->sun_path;
	char *path = conf_path(s, "socket");

	if (path == NULL)
		return;
	if (strlen(path) >= most)
		conf_fault(load->notes, conf_at(s, "socket"), "socket: the path "
			   "%s has %zu bytes; a socket's path may have %zu",
			   path, strlen(path), most - 1);
	free(load->conf->control_socket);
	load->conf->control_socket = path;
}

static void read_top(struct conf_load *load, const struct conf_section *s)
{
	const char *user = conf_text(s, "user");

	if (user == NULL)
		return;
	if (getpwnam(user) == NULL)
		conf_fault(load->notes, conf_at(s, "user"),
			   "user: there is no user \"%s\"", user);
	free(load->conf->user);
	load->conf->user = pl_strdup(user);
}

/* ----- all of them ----- */

static const struct {
	const char *section;
	void (*read)(struct conf_load *load, const struct conf_section *s);
} readers[] = {
	{ "", read_top },
	{ "listen", read_listen },
	{ "components", read_components },
	{ "gateway", read_gateway },
	{ "dialback", read_dialback },
	{ "trust", read_trust },
	{ "dns", read_dns },
	{ "timeouts", read_numbers },
	{ "limits", read_numbers },
	{ "log", read_log },
	{ "trace", read_trace },
	{ "store", read_store },
	{ "control", read_control },
	{ "http", read_http },
};
enum { READERS = sizeof readers / sizeof readers[0] };

void conf_set_defaults(struct pl_conf *conf)
{
	for (unsigned i = 0; i < NUMBERS; i++)
		*number_at(conf, &numbers[i]) = numbers[i].standard;
	conf->dns.dane = true;
	conf->log.level = PL_LOG_INFO;
	conf->log.format = PL_LOG_TEXT;
	conf->log.destination = pl_strdup("stderr");
	conf->trace.raw = pl_strdup("negotiation");
}

static const struct pl_conf_host *first_component(const struct pl_conf *conf)
{
	const struct pl_conf_host *h = conf->hosts;

	while (h != NULL && !h->component)
		h = h->next;
	return h;
}

static void check_components(struct conf_load *load)
{
	const struct pl_conf_host *h = first_component(load->conf);
	const struct conf_section *s = load->tree->sections;

	if (h == NULL || load->conf->components_listen != NULL)
		return;
	while (strcmp(s->name, "component") != 0)
		s = s->next;
	conf_warn(load->notes, s->at, "component \"%s\": nothing can connect, "
		  "because components { listen } is missing", s->title);
}

void conf_read_settings(struct conf_load *load)
{
	const struct conf_section *s;

	conf_set_defaults(load->conf);
	for (s = load->tree->sections; s != NULL; s = s->next) {
		for (unsigned i = 0; i < READERS; i++) {
			if (strcmp(readers[i].section, s->name) == 0)
				readers[i].read(load, s);
		}
	}
	check_components(load);
	check_gateway(load);
}
