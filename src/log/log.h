/* Inside of the log room: where lines go. */
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include "parley/log.h"

struct pl_log {
	enum pl_log_level level;
	enum pl_log_format format;
	bool to_syslog, to_journal;
	int fd;            /* a file is ours, stderr is not; -1: syslog,
	                    * journal */
	pl_log_clock clock;
	void *owner;
	uint64_t lost;     /* lines that the file did not take */
	bool cut;          /* it ends in half a line */
};

/* Writes one finished line, which ends in a newline. False: it is lost, and
 * counted. */
bool log_write(struct pl_log *log, enum pl_log_level level,
	       const char *text, size_t length);

/* A line made as JSON becomes an entry with fields. */
bool log_to_journal(int priority, const char *text, size_t length);
bool log_has_journal(void); /* was it built with libsystemd? */

#endif
