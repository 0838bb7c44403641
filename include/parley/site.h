/*
 * site.h: a configuration at work: certificates loaded, the look-ups that
 * streams ask, and what a loop's world is made from.
 *
 *     pl_conf ---- pl_site_new ----> pl_site -- pl_site_host, _partner -->
 *                                                        streams, router
 *     pl_conf ---- pl_site_resolver, pl_site_dialback, pl_site_log_settings,
 *                  pl_site_limits, pl_site_listeners_set ---> pl_world
 *
 * The daemon and the commands that negotiate by themselves (`parley probe`,
 * `parley matrix`) build their world with it, so that both do the same.
 */
#ifndef PARLEY_SITE_H
#define PARLEY_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "parley/conf.h"
#include "parley/log.h"
#include "parley/router.h"

/* ----- hosts and partners ----- */

/* A host or component with its certificate; NULL where it has none. */
struct pl_site_host {
	const struct pl_conf_host *conf;   /* borrowed from pl_site.conf */
	struct pl_tls_identity *identity;  /* owned */
	bool expired, no_client_purpose;
};

struct pl_site {
	struct pl_conf *conf;              /* owned reference */
	struct pl_tls_trust *trust;        /* owned reference */
	struct pl_site_host *hosts;        /* owned */
	size_t hosts_count;
	struct pl_tls_identity *fallback;  /* borrowed: of the first host that
	                                    * has one */
};

/* Loads certificates and anchors; takes the reference on conf, also where it
 * fails (with a sentence). */
struct pl_site *pl_site_new(struct pl_conf *conf, time_t now,
			    struct pl_error *error);
void pl_site_free(struct pl_site *site); /* NULL is fine */

/* The look-ups of struct pl_world; `site` is a struct pl_site **, so that a
 * reload can replace what it points to. */
bool pl_site_host(void *site, const char *domain,
		  struct pl_tls_identity **identity);
void pl_site_partner(void *site, const char *local, const char *remote,
		     struct pl_partner_view *view);

const char *const *pl_site_contacts(void *site, const char *domain);

struct pl_world_limits pl_site_limits(const struct pl_conf *conf);

/* ----- what else a world needs ----- */

struct pl_resolver *pl_site_resolver(struct pl_loop *loop,
				     const struct pl_conf *conf,
				     struct pl_error *error);
/* A configuration without a secret gets a random one. */
bool pl_site_dialback(struct pl_dialback *dialback, const struct pl_conf *conf,
		      struct pl_error *error);
/* Texts are borrowed from conf. */
struct pl_log_settings pl_site_log_settings(const struct pl_conf *conf);
/* Starts SASL. The library looks this machine's name up once: here, where
 * waiting harms nobody. pl_sasl_global_finish() ends it. */
bool pl_site_start_sasl(const char *some_domain, struct pl_error *error);

/* ----- listeners ----- */

/* The sockets of a loop whose connections go to a router. */
struct pl_site_listeners;

/* log may be NULL. */
struct pl_site_listeners *pl_site_listeners_new(struct pl_loop *loop,
						struct pl_log *log,
						struct pl_router *router);
/* Opens what is new, closes what is gone, and lets the others be. False with a
 * sentence when one cannot be had; the others are open. */
bool pl_site_listeners_set(struct pl_site_listeners *listeners,
			   const struct pl_conf_listen *wanted,
			   struct pl_error *error);
size_t pl_site_listeners_count(const struct pl_site_listeners *listeners);
void pl_site_listeners_free(struct pl_site_listeners *listeners); /* NULL fine */

#endif
