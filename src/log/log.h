/* Inside of the log room: where lines go. */
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include "parley/log.h"

struct pl_log {
	enum pl_log_level level;
	enum pl_log_format format;
	bool to_syslog;
	int fd;            /* a file is ours, stderr is not; -1: syslog */
	pl_log_clock clock;
	void *owner;
};

/* Writes one finished line, which ends in a newline. */
void log_write(const struct pl_log *log, enum pl_log_level level,
	       const char *text, size_t length);

#endif
