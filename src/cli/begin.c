/*
 * Before and around negotiations: what may block is bounded here.
 *
 * The SASL library asks the system's resolver for this machine's name and
 * waits for it; that happens on a thread which is given up when it takes too
 * long. Behind everything stands a signal that ends the process.
 */
#include "world.h"

#include "parley/site.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* ----- the last resort ----- */

static void on_alarm(int number)
{
	static const char text[] =
		"parley: the time is over and something still blocks: giving "
		"up\n";

	(void)number;
	if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
		_exit(CLI_TIMEOUT); /* it makes no difference */
	_exit(CLI_TIMEOUT);
}

void cli_watchdog(double seconds)
{
	struct itimerval timer = {
		.it_value.tv_sec = (time_t)seconds,
		.it_value.tv_usec = (suseconds_t)((seconds - (time_t)seconds) *
						  1e6),
	};

	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* ----- SASL ----- */

struct start {
	char domain[PL_DOMAIN_SIZE];
	struct pl_error error;
	bool good;
};

static void *start_sasl(void *argument)
{
	struct start *start = argument;

	start->good = pl_site_start_sasl(start->domain, &start->error);
	return NULL;
}

/* A moment from now, as pthread_timedjoin_np() wants it. */
static struct timespec after(double seconds)
{
	struct timespec when;

	clock_gettime(CLOCK_REALTIME, &when);
	when.tv_sec += (time_t)seconds;
	when.tv_nsec += (long)((seconds - (time_t)seconds) * 1e9);
	if (when.tv_nsec >= 1000000000) {
		when.tv_nsec -= 1000000000;
		when.tv_sec++;
	}
	return when;
}

int cli_start_sasl(const struct cli_way *way, const char *domain)
{
	struct start *start = pl_calloc(1, sizeof *start);
	struct timespec until = after(way->timeout);
	pthread_t thread;
	int status;

	/* One name server that is silent must not cost all the time. */
	setenv("RES_OPTIONS", "timeout:1 attempts:1", 0);
	snprintf(start->domain, sizeof start->domain, "%s", domain);
	if (pthread_create(&thread, NULL, start_sasl, start) != 0) {
		free(start);
		fprintf(stderr, "parley %s: no thread can be had\n",
			way->verb);
		return CLI_INCOMPLETE;
	}
	if (pthread_timedjoin_np(thread, NULL, &until) != 0) {
		/* It goes on; its memory stays with it. */
		fprintf(stderr, "parley %s: sasl: this machine's resolver is "
			"silent about the machine's own name\n", way->verb);
		fflush(stdout);
		_exit(CLI_TIMEOUT);
	}
	status = start->good ? CLI_OK : CLI_INCOMPLETE;
	if (!start->good)
		fprintf(stderr, "parley %s: %s\n", way->verb,
			start->error.text);
	free(start);
	return status;
}

/* ----- progress ----- */

void cli_progress(void *owner, const char *line, size_t length)
{
	json_t *record = json_loadb(line, length, 0, NULL);
	const char *summary = json_string_value(json_object_get(record,
								"summary"));
	const char *level = json_string_value(json_object_get(record,
							      "level"));
	json_int_t us = json_integer_value(json_object_get(record, "mono_us"));
	char printable[200];

	(void)owner;
	if (summary != NULL && summary[0] != '\0' &&
	    (level == NULL || strcmp(level, "debug") != 0))
		fprintf(stderr, "%+7.3f  %s\n", (double)us / 1e6,
			pl_text_printable(printable, sizeof printable, summary,
					  strlen(summary)));
	json_decref(record);
}
