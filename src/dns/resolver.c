/* The resolver: one libunbound context on the owner's event base. */
#include "internal.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unbound-event.h>
#include <unistd.h>

static const char default_resolv_conf[] = "/etc/resolv.conf";
static const char default_trust_anchor[] = "/usr/share/dns/root.key";

static bool is_set(const char *text)
{
	return text != NULL && text[0] != '\0';
}

static bool refuse(struct pl_error *error, const char *what, int result)
{
	return pl_error_set(error, "the resolver: %s: %s", what,
			    ub_strerror(result));
}

static bool set_option(struct pl_resolver *resolver, const char *option,
		       const char *value, struct pl_error *error)
{
	int result = ub_ctx_set_option(resolver->ub, option, value);

	return result == UB_NOERROR || refuse(error, option, result);
}

/* ----- name servers ----- */

static bool is_loopback(const struct nameserver *server)
{
	const struct sockaddr_in *v4 = (const void *)&server->addr;
	const struct sockaddr_in6 *v6 = (const void *)&server->addr;

	if (server->addr.ss_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

/* "192.0.2.53", "2001:db8::53", "fe80::53%eth0"; as libunbound has it, "@port"
 * may follow. */
static bool parse_nameserver(const char *text, struct nameserver *server)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				  .ai_socktype = SOCK_DGRAM };
	struct addrinfo *found;
	const char *port;
	char host[128];
	size_t length = strcspn(text, "@");

	if (length >= sizeof host)
		return false;
	memcpy(host, text, length);
	host[length] = '\0';
	port = text[length] == '@' ? text + length + 1 : "53";
	if (getaddrinfo(host, port, &hints, &found) != 0)
		return false;
	memcpy(&server->addr, found->ai_addr, found->ai_addrlen);
	server->length = found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

static bool add_nameserver(struct pl_resolver *resolver, const char *text,
			   struct pl_error *error)
{
	struct nameserver server;
	int result;

	if (!parse_nameserver(text, &server))
		return true; /* libc passes over such a line as well */
	result = ub_ctx_set_fwd(resolver->ub, text);
	if (result != UB_NOERROR)
		return refuse(error, text, result);
	resolver->nameservers[resolver->nameservers_count++] = server;
	return !is_loopback(&server) ||
	       set_option(resolver, "do-not-query-localhost:", "no", error);
}

/* ub_ctx_resolvconf() would do, but does not tell what it found, and the probe
 * and the question of loopback need to know. */
static bool read_resolv_conf(struct pl_resolver *resolver, const char *path,
			     struct pl_error *error)
{
	char line[512], word[sizeof line];
	bool fine = true;
	FILE *file = fopen(path, "re");

	if (file == NULL)
		return pl_error_set(error, "cannot read %s: %s", path,
				    strerror(errno));
	while (fine && resolver->nameservers_count < MOST_NAMESERVERS &&
	       fgets(line, sizeof line, file) != NULL)
		if (sscanf(line, " nameserver %511s", word) == 1)
			fine = add_nameserver(resolver, word, error);
	fclose(file);
	if (fine && resolver->nameservers_count == 0)
		fine = add_nameserver(resolver, "127.0.0.1", error);
	return fine; /* without a line it is this machine: resolv.conf(5) */
}

/* ----- files ----- */

static bool is_readable(const char *path, struct pl_error *error)
{
	return access(path, R_OK) == 0 ||
	       pl_error_set(error, "cannot read %s: %s", path, strerror(errno));
}

static bool read_hosts(struct pl_resolver *resolver, const char *path,
		       struct pl_error *error)
{
	int result;

	if (!is_set(path))
		return true;
	if (!is_readable(path, error))
		return false;
	result = ub_ctx_hosts(resolver->ub, path);
	return result == UB_NOERROR || refuse(error, path, result);
}

static bool read_trust_anchor(struct pl_resolver *resolver, const char *path,
			      struct pl_error *error)
{
	int result;

	if (!is_set(path)) {
		path = default_trust_anchor;
		if (access(path, R_OK) != 0)
			return true;
	}
	if (!is_readable(path, error))
		return false;
	result = ub_ctx_add_ta_file(resolver->ub, path);
	return result == UB_NOERROR || refuse(error, path, result);
}

/* The files are read for good when the context is first used; asking it to
 * forget a name that it never had is such a use, and brings faults to light
 * now instead of at the first look-up. */
static bool finalise(struct pl_resolver *resolver, struct pl_error *error)
{
	int result = ub_ctx_data_remove(resolver->ub, "nothing.invalid.");

	return result == UB_NOERROR ||
	       pl_error_set(error, "the resolver does not start (%s): is the "
			    "trust anchor file or the hosts file faulty?",
			    ub_strerror(result));
}

static bool set_up(struct pl_resolver *resolver,
		   const struct pl_dns_settings *settings,
		   struct pl_error *error)
{
	const char *resolv_conf = is_set(settings->resolv_conf)
					  ? settings->resolv_conf
					  : default_resolv_conf;

	ub_ctx_debugout(resolver->ub, NULL); /* stderr is the log's */
	return set_option(resolver, "outgoing-range:", "64", error) &&
	       read_resolv_conf(resolver, resolv_conf, error) &&
	       read_hosts(resolver, settings->hosts, error) &&
	       read_trust_anchor(resolver, settings->trust_anchor_file,
				 error) &&
	       finalise(resolver, error);
}

struct pl_resolver *pl_resolver_new(struct event_base *base,
				    const struct pl_dns_settings *settings,
				    struct pl_error *error)
{
	struct pl_resolver *resolver = pl_calloc(1, sizeof *resolver);

	resolver->base = base;
	resolver->dane = settings->dane;
	resolver->allow_loopback = settings->allow_loopback;
	LIST_INIT(&resolver->queries);
	probe_init(&resolver->probe, resolver);
	resolver->ub = ub_ctx_create_event(base);
	if (resolver->ub == NULL) {
		pl_error_set(error, "libunbound cannot start");
		pl_resolver_free(resolver);
		return NULL;
	}
	if (!set_up(resolver, settings, error)) {
		pl_resolver_free(resolver);
		return NULL;
	}
	return resolver;
}

void pl_resolver_free(struct pl_resolver *resolver)
{
	if (resolver == NULL)
		return;
	while (!LIST_EMPTY(&resolver->queries))
		pl_dns_cancel(LIST_FIRST(&resolver->queries));
	probe_stop(&resolver->probe);
	ub_ctx_delete(resolver->ub);
	free(resolver);
}
