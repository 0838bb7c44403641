/* A log that writes to a file of its own, and what it wrote. */
#ifndef TEST_LOG_CAPTURE_H
#define TEST_LOG_CAPTURE_H

#include "parley/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct capture {
	char path[64];
	char text[65536];
	struct pl_log *log;
};

static struct timeval test_clock(void *owner)
{
	(void)owner;
	/* 2026-11-22T12:03:05.109Z */
	return (struct timeval){ .tv_sec = 1795348985, .tv_usec = 109999 };
}

static inline void capture_open(struct capture *capture,
				enum pl_log_level level,
				enum pl_log_format format)
{
	struct pl_log_settings settings = { level, format, capture->path };
	struct pl_error error = { 0 };
	int fd;

	strcpy(capture->path, "/tmp/parley-log-XXXXXX");
	fd = mkstemp(capture->path);
	assert_true(fd >= 0);
	close(fd);
	capture->log = pl_log_new(&settings, test_clock, NULL, &error);
	assert_non_null(capture->log);
}

static inline const char *capture_read(struct capture *capture)
{
	FILE *file = fopen(capture->path, "r");
	size_t n;

	assert_non_null(file);
	n = fread(capture->text, 1, sizeof capture->text - 1, file);
	capture->text[n] = '\0';
	fclose(file);
	return capture->text;
}

static inline void capture_close(struct capture *capture)
{
	pl_log_free(capture->log);
	unlink(capture->path);
}

#endif
