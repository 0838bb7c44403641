/* Certificates of ours that will soon be out of date are told once a day, and
 * at each start and reload; in the second in which one ends, that is told too,
 * and each day from then on. */
#include "internal.h"

#include <time.h>

enum { SOON_DAYS = 21, DAY_SECONDS = 86400 };

static void tell(struct service *service, const struct pl_site_host *host,
		 time_t now, bool running)
{
	time_t end = pl_tls_identity_not_after(host->identity);
	struct pl_log_line line;
	char date[32];
	struct tm utc;

	if (end - now > (time_t)SOON_DAYS * DAY_SECONDS)
		return;
	/* When it is read, the configuration's own check tells of it. */
	if (end < now && !running)
		return;
	gmtime_r(&end, &utc);
	strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
	pl_log_begin(&line, service->log,
		     end < now ? PL_LOG_ERROR : PL_LOG_WARNING);
	pl_log_text(&line, "event", "certificate-expiry");
	pl_log_text(&line, "local", host->conf->name);
	pl_log_text(&line, "certificate", host->conf->certificate != NULL
					    ? host->conf->certificate : "");
	pl_log_text(&line, "not-after", date);
	pl_log_number(&line, "days", (end - now) / DAY_SECONDS);
	pl_log_text(&line, "fix", "renew it, then `parley reload`");
	pl_log_end(&line);
}

/* In a day, or when the next one of them ends. */
static time_t next_check(const struct service *service, time_t now)
{
	time_t wait = DAY_SECONDS;

	for (size_t i = 0; i < service->site->hosts_count; i++) {
		const struct pl_site_host *host = &service->site->hosts[i];
		time_t end = host->identity != NULL
			? pl_tls_identity_not_after(host->identity) : -1;

		if (end >= now && end - now + 1 < wait)
			wait = end - now + 1;
	}
	return wait;
}

static void check(struct service *service, bool running);

static void on_time(void *owner)
{
	check(owner, true);
}

static void check(struct service *service, bool running)
{
	time_t now = pl_loop_time(service->loop).tv_sec;

	for (size_t i = 0; i < service->site->hosts_count; i++)
		if (service->site->hosts[i].identity != NULL)
			tell(service, &service->site->hosts[i], now, running);
	if (service->expiry == NULL)
		service->expiry = pl_timer_new(service->loop, on_time, service);
	pl_timer_set(service->expiry,
		     (uint64_t)next_check(service, now) * 1000);
}

void expiry_check(struct service *service)
{
	check(service, false);
}
