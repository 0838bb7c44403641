/* What a world is made from: resolver, dialback, log, limits, SASL. */
#include "parley/site.h"

#include "parley/sasl.h"

struct pl_world_limits pl_site_limits(const struct pl_conf *conf)
{
	return (struct pl_world_limits){
		.unauthenticated_bytes =
			(size_t)conf->limits.unauthenticated_bytes,
		.stanza_bytes = (size_t)conf->limits.stanza_bytes,
		.output_bytes = (size_t)conf->limits.output_bytes,
		.queue_bytes = (size_t)conf->limits.queue_bytes,
		.pairs = 32,
		.connections = (unsigned)conf->limits.connections,
		.connections_per_address =
			(unsigned)conf->limits.connections_per_address,
		.verify_connections =
			(unsigned)conf->limits.verify_connections,
		.dns_ms = (uint64_t)conf->timeouts.dns * 1000,
		.connect_ms = (uint64_t)conf->timeouts.connect * 1000,
		.negotiate_ms = (uint64_t)conf->timeouts.negotiate * 1000,
		.idle_ms = (uint64_t)conf->timeouts.idle * 1000,
		.keepalive_ms = (uint64_t)conf->timeouts.keepalive * 1000,
		.ping_ms = (uint64_t)conf->timeouts.ping * 1000,
		.drain_ms = (uint64_t)conf->timeouts.drain * 1000,
	};
}

struct pl_resolver *pl_site_resolver(struct pl_loop *loop,
				     const struct pl_conf *conf,
				     struct pl_error *error)
{
	struct pl_dns_settings settings = {
		.resolv_conf = conf->dns.resolv_conf,
		.hosts = conf->dns.hosts,
		.trust_anchor_file = conf->dns.trust_anchor_file,
		.dane = conf->dns.dane,
		.allow_loopback = conf->dns.allow_loopback,
	};

	return pl_resolver_new(pl_loop_base(loop), &settings, error);
}

bool pl_site_dialback(struct pl_dialback *dialback, const struct pl_conf *conf,
		      struct pl_error *error)
{
	if (conf->dialback_secret == NULL)
		return pl_dialback_init_random(dialback, error);
	return pl_dialback_init(dialback, conf->dialback_secret,
				conf->dialback_secret_length, error);
}

struct pl_log_settings pl_site_log_settings(const struct pl_conf *conf)
{
	return (struct pl_log_settings){
		.level = conf->log.level,
		.format = conf->log.format,
		.destination = conf->log.destination,
	};
}

bool pl_site_start_sasl(const char *some_domain, struct pl_error *error)
{
	struct pl_buffer body;
	bool good;

	if (!pl_sasl_global_init(error))
		return false;
	pl_buffer_init(&body, 0);
	good = pl_sasl_client_start(some_domain, &body, error);
	pl_buffer_finish(&body);
	return good;
}
