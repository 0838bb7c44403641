/* Certificates of ours that will soon be out of date are told once a day, and
 * at each start and reload. */
#include "internal.h"

#include <time.h>

enum { SOON_DAYS = 21, DAY_SECONDS = 86400 };

static void tell(struct service *service, const struct pl_site_host *host,
		 time_t now)
{
	time_t end = pl_tls_identity_not_after(host->identity);
	struct pl_log_line line;
	char date[32];
	struct tm utc;

	/* What is over already is told by the configuration's own check. */
	if (end < now || end - now > (time_t)SOON_DAYS * DAY_SECONDS)
		return;
	gmtime_r(&end, &utc);
	strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
	pl_log_begin(&line, service->log, PL_LOG_WARNING);
	pl_log_text(&line, "event", "certificate-expiry");
	pl_log_text(&line, "local", host->conf->name);
	pl_log_text(&line, "certificate", host->conf->certificate != NULL
					    ? host->conf->certificate : "");
	pl_log_text(&line, "not-after", date);
	pl_log_number(&line, "days", (end - now) / DAY_SECONDS);
	pl_log_text(&line, "fix", "renew it, then `parley reload`");
	pl_log_end(&line);
}

static void on_day(void *owner)
{
	expiry_check(owner);
}

void expiry_check(struct service *service)
{
	time_t now = pl_loop_time(service->loop).tv_sec;

	for (size_t i = 0; i < service->site->hosts_count; i++)
		if (service->site->hosts[i].identity != NULL)
			tell(service, &service->site->hosts[i], now);
	if (service->expiry == NULL)
		service->expiry = pl_timer_new(service->loop, on_day, service);
	pl_timer_set(service->expiry, (uint64_t)DAY_SECONDS * 1000);
}
