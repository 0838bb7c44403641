/*
 * What the service manager hears and gives (sd_notify(3), sd_listen_fds(3)).
 * Without libsystemd, or outside of systemd, nothing happens.
 */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifdef HAVE_LIBSYSTEMD
#include <systemd/sd-daemon.h>

void notify_state(const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	sd_notify(0, text);
}

void notify_reloading(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &now);
	notify_state("RELOADING=1\nMONOTONIC_USEC=%llu",
		     (unsigned long long)now.tv_sec * 1000000 +
			     (unsigned long long)now.tv_nsec / 1000);
}

static void on_watchdog(void *owner)
{
	struct service *service = owner;

	sd_notify(0, "WATCHDOG=1");
	pl_timer_set(service->watchdog, service->watchdog_ms);
}

/* Twice as often as wanted. A loop that stands still says nothing. */
void notify_watchdog(struct service *service)
{
	uint64_t usec = 0;

	if (sd_watchdog_enabled(0, &usec) <= 0)
		return;
	service->watchdog_ms = usec / 2000;
	if (service->watchdog_ms == 0)
		service->watchdog_ms = 1;
	service->watchdog = pl_timer_new(service->loop, on_watchdog, service);
	pl_timer_set(service->watchdog, 0);
}

size_t notify_sockets(int *first)
{
	int count = sd_listen_fds(1);

	*first = SD_LISTEN_FDS_START;
	return count > 0 ? (size_t)count : 0;
}

#else

void notify_state(const char *format, ...)
{
	(void)format;
}

void notify_reloading(void)
{
}

void notify_watchdog(struct service *service)
{
	(void)service;
}

size_t notify_sockets(int *first)
{
	*first = 0;
	return 0;
}

#endif
