/* The rooms put together: start, reload, drain. */
#include "internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "parley/sasl.h"

#define DEFAULT_SOCKET "/run/parley/control.sock"

static struct timeval clock_of(void *owner)
{
	return pl_loop_time(owner);
}

static void log_notes(struct service *service,
		      const struct pl_conf_note *notes)
{
	for (; notes != NULL; notes = notes->next)
		if (notes->severity != PL_INFO)
			pl_log_event(service->log,
				     notes->severity == PL_ERROR
					     ? PL_LOG_ERROR : PL_LOG_WARNING,
				     "configuration", "%s:%d: %s", notes->file,
				     notes->line, notes->text);
}

/* ----- reload ----- */

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_dns(const struct pl_conf *a, const struct pl_conf *b)
{
	return same_text(a->dns.resolv_conf, b->dns.resolv_conf) &&
	       same_text(a->dns.hosts, b->dns.hosts) &&
	       same_text(a->dns.trust_anchor_file, b->dns.trust_anchor_file) &&
	       a->dns.dane == b->dns.dane &&
	       a->dns.allow_loopback == b->dns.allow_loopback;
}

/* A random secret stays for the life of the process: keys that are out must
 * stay good. */
static void renew_dialback(struct service *service, const struct pl_conf *conf)
{
	struct pl_dialback dialback;

	if (conf->dialback_secret == NULL ||
	    !pl_site_dialback(&dialback, conf, NULL))
		return;
	pl_dialback_finish(&service->dialback);
	service->dialback = dialback;
}

/* Off where the setting is gone; a listener that cannot be had is told, and
 * nothing depends on it. */
static void open_http(struct service *service)
{
	const char *endpoint = service->site->conf->http_listen;
	struct pl_error error = { .text = "" };

	pl_http_free(service->http);
	service->http = NULL;
	if (endpoint == NULL)
		return;
	service->http = pl_http_new(service->loop, endpoint, metrics_answer,
				    service, &error);
	if (service->http == NULL)
		pl_log_event(service->log, PL_LOG_ERROR, "http", "%s",
			     error.text);
	else
		pl_log_event(service->log, PL_LOG_INFO, "listening",
			     "%s (HTTP: metrics, health, status)", endpoint);
}

static void swap_site(struct service *service, struct pl_site *site,
		      struct pl_resolver *resolver,
		      struct pl_contacts *contacts)
{
	struct pl_log_settings settings = pl_site_log_settings(site->conf);
	struct pl_error error = { .text = "" };

	pl_site_free(service->site);
	service->site = site;
	service->world.trust = site->trust;
	service->world.limits = pl_site_limits(site->conf);
	if (resolver != NULL) {
		/* Queries of the old one must not call back any more. */
		service->world.resolver = resolver;
		pl_router_resolver_changed(service->router);
		pl_gateway_world_changed(behind_gateway(service->behind));
		pl_resolver_free(service->resolver);
		service->resolver = resolver;
	}
	renew_dialback(service, site->conf);
	if (!pl_log_reopen(service->log, &settings, &error))
		pl_log_event(service->log, PL_LOG_WARNING, "log",
			     "kept as it was: %s", error.text);
	error.text[0] = '\0';
	if (!pl_site_listeners_set(service->listeners, site->conf->listens,
				   &error))
		pl_log_event(service->log, PL_LOG_ERROR, "listen", "%s",
			     error.text);
	error.text[0] = '\0';
	if (!behind_set(service->behind, site->conf, &error))
		pl_log_event(service->log, PL_LOG_ERROR, "listen", "%s",
			     error.text);
	error.text[0] = '\0';
	if (!services_set(service->services, site->conf, &error))
		pl_log_event(service->log, PL_LOG_ERROR, "listen", "%s",
			     error.text);
	open_http(service);
	traces_change(service->traces);
	contacts_set(service, contacts);
	expiry_check(service);
	pl_router_terms_changed(service->router);
}

static bool reload(struct service *service, struct pl_conf_note **notes,
		   struct pl_error *error)
{
	struct pl_contacts *contacts = NULL;
	struct pl_resolver *resolver = NULL;
	struct pl_site *site;
	struct pl_conf *conf;

	conf = pl_conf_load(service->path, time(NULL), notes);
	log_notes(service, *notes);
	if (conf == NULL)
		return false;
	site = pl_site_new(conf, time(NULL), error);
	if (site != NULL && !same_dns(conf, service->site->conf)) {
		resolver = pl_site_resolver(service->loop, conf, error);
		if (resolver == NULL) {
			pl_site_free(site);
			site = NULL;
		}
	}
	if (site != NULL &&
	    !contacts_prepare(service, conf, &contacts, error)) {
		if (resolver != NULL)
			pl_resolver_free(resolver);
		pl_site_free(site);
		site = NULL;
	}
	if (site == NULL) {
		pl_log_event(service->log, PL_LOG_ERROR, "reload", "%s",
			     error->text);
		return false;
	}
	swap_site(service, site, resolver, contacts);
	return true;
}

bool service_reload(struct service *service, struct pl_conf_note **notes,
		    struct pl_error *error)
{
	bool taken;

	notify_reloading();
	privileges_reading(true);
	error->text[0] = '\0';
	taken = reload(service, notes, error);
	privileges_reading(false);
	pl_log_event(service->log, taken ? PL_LOG_NOTICE : PL_LOG_ERROR,
		     taken ? "reloaded" : "reload-refused", "%s",
		     taken ? service->path
			   : "the configuration has faults; the old one stays");
	notify_state("READY=1\nSTATUS=%s", taken
		     ? "reloaded" : "the last reload was refused; see the log");
	return taken;
}

/* ----- the end ----- */

/* The tick looks whether the last bytes are out as well. */
static void on_drained(void *owner)
{
	struct service *service = owner;

	pl_timer_set(service->drain, 1);
}

static size_t streams(const struct service *service)
{
	return pl_router_streams(service->router) +
	       pl_gateway_streams(behind_gateway(service->behind));
}

/* Out of time: what is left is dropped, and gone at the turn's end. */
static void on_drain_over(struct service *service)
{
	if (streams(service) > 0) {
		pl_router_drop_all(service->router);
		pl_gateway_drop_all(behind_gateway(service->behind));
		pl_timer_set(service->drain, 1);
		return;
	}
	pl_loop_stop(service->loop);
}

/* Looks ten times a second whether the last connection is gone. */
static void on_drain_tick(void *owner)
{
	struct service *service = owner;
	uint64_t now = pl_loop_now_ms(service->loop);

	if (now >= service->drain_until_ms) {
		on_drain_over(service);
		return;
	}
	/* Services hear of it last: what comes back to them still does. */
	if (pl_router_streams(service->router) == 0) {
		pl_gateway_shutdown(behind_gateway(service->behind));
		services_shutdown(service->services);
	}
	if (streams(service) == 0 &&
	    pl_loop_connections(service->loop) == 0) {
		pl_loop_stop(service->loop);
		return;
	}
	pl_timer_set(service->drain, 100);
}

void service_drain(struct service *service)
{
	if (service->draining) {
		service->drain_until_ms = 0; /* asked twice: at once */
		return;
	}
	service->draining = true;
	notify_state("STOPPING=1");
	pl_log_event(service->log, PL_LOG_NOTICE, "stopping",
		     "telling every peer; at most %d seconds",
		     service->site->conf->timeouts.drain);
	pl_site_listeners_set(service->listeners, NULL, NULL);
	services_close(service->services);
	behind_close(service->behind);
	control_free(service->control);
	service->control = NULL;
	service->drain_until_ms = pl_loop_now_ms(service->loop) +
				  service->world.limits.drain_ms;
	service->drain = pl_timer_new(service->loop, on_drain_tick, service);
	pl_timer_set(service->drain, 1);
	pl_router_shutdown(service->router, on_drained, service);
}

static void on_signal(void *owner, int number)
{
	struct service *service = owner;

	if (number == SIGHUP && !service->draining) {
		struct pl_conf_note *notes = NULL;
		struct pl_error error;

		service_reload(service, &notes, &error);
		pl_conf_notes_free(notes);
	} else if (number != SIGHUP) {
		service_drain(service);
	}
}

/* ----- the beginning ----- */

/* Without a control section the default socket is used where its folder can be
 * made. */
static void open_control(struct service *service)
{
	const char *path = service->site->conf->control_socket;
	struct pl_error error = { .text = "" };

	if (path == NULL) {
		path = DEFAULT_SOCKET;
		if (mkdir("/run/parley", 0750) != 0 && errno != EEXIST) {
			pl_log_event(service->log, PL_LOG_WARNING, "control",
				     "no control socket: /run/parley: %s",
				     strerror(errno));
			return;
		}
	}
	service->control = control_new(service, path, &error);
	if (service->control == NULL)
		pl_log_event(service->log, PL_LOG_WARNING, "control",
			     "no control socket: %s", error.text);
}

static bool prepare_sasl(const struct service *service, struct pl_error *error)
{
	if (service->site->hosts_count == 0)
		return pl_sasl_global_init(error);
	return pl_site_start_sasl(service->site->hosts[0].conf->name, error);
}

/* Each connection costs a descriptor: as many as the system lets us have. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Sockets that the service manager opened serve the places that the
 * configuration names. */
static void inherit_sockets(struct service *service)
{
	int first;
	size_t count = notify_sockets(&first);

	for (size_t i = 0; i < count; i++)
		pl_loop_inherit(service->loop, first + (int)i);
}

static void tell_inherited(void *owner, const char *where, bool used)
{
	struct service *service = owner;

	if (used)
		pl_log_event(service->log, PL_LOG_INFO, "inherited",
			     "%s: the service manager's socket", where);
	else
		pl_log_event(service->log, PL_LOG_WARNING, "inherited",
			     "%s: the service manager's socket is closed, for "
			     "nothing here listens there", where);
}

static bool build(struct service *service, struct pl_conf *conf,
		  struct pl_error *error)
{
	struct pl_log_settings settings = pl_site_log_settings(conf);

	raise_descriptor_limit();
	service->loop = pl_loop_new(error);
	if (service->loop == NULL) {
		pl_conf_unref(conf);
		return false;
	}
	service->site = pl_site_new(conf, time(NULL), error);
	if (service->site == NULL)
		return false;
	service->log = pl_log_new(&settings, clock_of, service->loop, error);
	if (service->log == NULL || !prepare_sasl(service, error) ||
	    !pl_site_dialback(&service->dialback, conf, error))
		return false;
	service->resolver = pl_site_resolver(service->loop, conf, error);
	if (service->resolver == NULL)
		return false;
	service->world = (struct pl_world){
		.loop = service->loop,
		.log = service->log,
		.counts = &service->counts,
		.resolver = service->resolver,
		.dialback = &service->dialback,
		.trust = service->site->trust,
		.limits = pl_site_limits(conf),
		.site = &service->site,
		.host = pl_site_host,
		.partner = pl_site_partner,
		.contacts = pl_site_contacts,
	};
	inherit_sockets(service);
	service->router = pl_router_new(&service->world);
	service->started_ms = pl_loop_now_ms(service->loop);
	service->listeners = pl_site_listeners_new(service->loop, service->log,
						   service->router);
	service->services = services_new(&service->world, service->router);
	service->behind = behind_new(&service->world, service->router);
	return pl_site_listeners_set(service->listeners, conf->listens,
				     error) &&
	       services_set(service->services, conf, error) &&
	       behind_set(service->behind, conf, error);
}

static bool go(struct service *service, struct pl_error *error)
{
	static const int signals[] = { SIGHUP, SIGTERM, SIGINT };
	struct pl_contacts *contacts;
	char user[64];

	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		if (!pl_loop_signal(service->loop, signals[i], on_signal,
				    service))
			return pl_error_set(error, "signal %d cannot be had",
					    signals[i]);
	open_control(service);
	open_http(service);
	pl_loop_inherited(service->loop, tell_inherited, service);
	if (!privileges_drop(service->site->conf->user, user, sizeof user,
			     error))
		return false;
	/* files are the user's, not root's */
	service->traces = traces_new(service);
	if (!contacts_prepare(service, service->site->conf, &contacts, error))
		return false;
	contacts_set(service, contacts);
	pl_log_event(service->log, PL_LOG_NOTICE, "started",
		     "parleyd " PARLEY_VERSION ", %zu hosts%s%s",
		     service->site->hosts_count, user[0] ? ", user " : "",
		     user);
	expiry_check(service);
	notify_watchdog(service);
	notify_state("READY=1\nSTATUS=%zu hosts", service->site->hosts_count);
	pl_loop_run(service->loop);
	pl_log_event(service->log, PL_LOG_NOTICE, "stopped", "%s",
		     "every stream is closed");
	return true;
}

static void take_down(struct service *service)
{
	control_free(service->control);
	pl_http_free(service->http);
	pl_site_listeners_free(service->listeners);
	services_free(service->services);
	behind_free(service->behind);
	pl_router_free(service->router);
	pl_contacts_free(service->contacts);
	traces_free(service->traces);
	if (service->resolver != NULL)
		pl_resolver_free(service->resolver);
	pl_timer_free(service->drain);
	pl_timer_free(service->watchdog);
	pl_timer_free(service->expiry);
	pl_dialback_finish(&service->dialback);
	pl_site_free(service->site);
	pl_log_free(service->log);
	if (service->loop != NULL)
		pl_loop_free(service->loop);
	pl_sasl_global_finish();
	free(service->path);
}

int service_run(const char *path)
{
	struct service service = { .path = pl_strdup(path) };
	struct pl_conf_note *notes = NULL;
	struct pl_error error = { .text = "" };
	struct pl_conf *conf = pl_conf_load(path, time(NULL), &notes);
	bool good = false;

	if (conf == NULL) {
		pl_conf_notes_print(notes, stderr, true);
	} else {
		good = build(&service, conf, &error);
		log_notes(&service, notes);
		good = good && go(&service, &error);
		if (!good)
			fprintf(stderr, "parleyd: %s\n", error.text);
	}
	pl_conf_notes_free(notes);
	take_down(&service);
	return good ? 0 : 1;
}
