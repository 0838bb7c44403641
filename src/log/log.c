/*
 * Where lines go: stderr, a file, syslog or the journal.
 *
 * A line leaves with one write to a descriptor opened for appending, so that
 * lines of several processes do not mix, and a rotated file is opened anew
 * with pl_log_reopen().
 */
#include "log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

static const char *const level_names[] = {
	[PL_LOG_ERROR] = "error",
	[PL_LOG_WARNING] = "warning",
	[PL_LOG_NOTICE] = "notice",
	[PL_LOG_INFO] = "info",
	[PL_LOG_DEBUG] = "debug",
};
enum { LEVELS = sizeof level_names / sizeof level_names[0] };

const char *pl_log_level_name(enum pl_log_level level)
{
	assert((unsigned)level < LEVELS);
	return level_names[level];
}

bool pl_log_level_parse(const char *text, enum pl_log_level *out)
{
	for (unsigned i = 0; i < LEVELS; i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*out = (enum pl_log_level)i;
			return true;
		}
	}
	return false;
}

static int priority(enum pl_log_level level)
{
	switch (level) {
	case PL_LOG_ERROR:
		return LOG_ERR;
	case PL_LOG_WARNING:
		return LOG_WARNING;
	case PL_LOG_NOTICE:
		return LOG_NOTICE;
	case PL_LOG_INFO:
		return LOG_INFO;
	case PL_LOG_DEBUG:
		return LOG_DEBUG;
	}
	return LOG_ERR;
}

/* Opens the destination into *log; on failure *log is as it was. */
static bool open_destination(struct pl_log *log,
			     const struct pl_log_settings *settings,
			     struct pl_error *error)
{
	const char *to = settings->destination;
	bool to_syslog = to != NULL && strcmp(to, "syslog") == 0;
	bool to_journal = to != NULL && strcmp(to, "journal") == 0;
	int fd = -1;

	if (to_journal && !log_has_journal())
		return pl_error_set(error, "cannot log to the journal: built "
				    "without libsystemd");

	if (to == NULL || strcmp(to, "stderr") == 0) {
		fd = STDERR_FILENO;
	} else if (!to_syslog && !to_journal) {
		fd = open(to, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC |
			  O_NOCTTY, 0640);
		if (fd < 0)
			return pl_error_set(error, "cannot open log file %s: %s",
					    to, strerror(errno));
	}
	log->level = settings->level;
	log->format = to_journal ? PL_LOG_JSON : settings->format;
	log->to_syslog = to_syslog;
	log->to_journal = to_journal;
	log->fd = fd;
	/* The descriptor of syslog is the process's; this keeps nothing but a
	 * static name. */
	if (to_syslog)
		openlog("parleyd", LOG_PID | LOG_NDELAY, LOG_DAEMON);
	return true;
}

static void close_destination(const struct pl_log *log)
{
	if (log->to_syslog)
		closelog();
	else if (log->fd >= 0 && log->fd != STDERR_FILENO)
		close(log->fd);
}

struct pl_log *pl_log_new(const struct pl_log_settings *settings,
			  pl_log_clock clock, void *owner,
			  struct pl_error *error)
{
	struct pl_log *log = pl_calloc(1, sizeof *log);

	log->clock = clock;
	log->owner = owner;
	if (open_destination(log, settings, error))
		return log;
	free(log);
	return NULL;
}

void pl_log_free(struct pl_log *log)
{
	if (log == NULL)
		return;
	close_destination(log);
	free(log);
}

bool pl_log_reopen(struct pl_log *log, const struct pl_log_settings *settings,
		   struct pl_error *error)
{
	struct pl_log old = *log;

	if (!open_destination(log, settings, error))
		return false;
	log->cut = false;
	/* From syslog to syslog the one descriptor stays open. */
	if (!old.to_syslog || !log->to_syslog)
		close_destination(&old);
	return true;
}

bool pl_log_wants(const struct pl_log *log, enum pl_log_level level)
{
	return log != NULL && level <= log->level;
}

/* False: some or all of it could not be written. */
static bool write_file(struct pl_log *log, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t n = write(log->fd, text, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		log->cut = text[n - 1] != '\n';
		text += n;
		length -= (size_t)n;
	}
	return true;
}

/* A full disk must not stop the service; stderr hears of it once. */
static void lose(struct pl_log *log)
{
	if (log->lost++ == 0 && log->fd != STDERR_FILENO)
		dprintf(STDERR_FILENO, "parleyd: the log cannot be written: "
			"%s; lines are lost until it can\n", strerror(errno));
}

bool log_write(struct pl_log *log, enum pl_log_level level, const char *text,
	       size_t length)
{
	if (log->to_syslog) {
		/* syslog ends its messages itself */
		syslog(LOG_DAEMON | priority(level), "%.*s", (int)length - 1,
		       text);
		return true;
	}
	if (log->to_journal) {
		log_to_journal(priority(level), text, length);
		return true;
	}
	if ((log->cut && !write_file(log, "\n", 1)) ||
	    !write_file(log, text, length)) {
		lose(log);
		return false;
	}
	return true;
}
