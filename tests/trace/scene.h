/* What the tests of traces share: a tracer with a clock of its own, that keeps
 * every line. */
#ifndef TESTS_TRACE_SCENE_H
#define TESTS_TRACE_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "parley/report.h"
#include "parley/trace.h"

struct scene {
	uint64_t now_us;
	unsigned random;
	struct pl_buffer lines;     /* of on_line */
	unsigned ended;
	char path[512], id[32];     /* of the last one that ended */
	bool wanted;
	unsigned asked;
	struct pl_tracer *tracer;
	char directory[64];         /* "" or a temporary one */
};

enum scene_with { WITH_LINES = 1, WITH_FILES = 2, WITH_RINGS = 4 };

void scene_begin(struct scene *scene, unsigned with, enum pl_trace_raw raw);
void scene_end(struct scene *scene);
struct pl_tracer_settings scene_settings(struct scene *scene, unsigned with,
					 enum pl_trace_raw raw);

/* Reads lines back, strictly; the caller finishes the report. */
void scene_read(struct pl_report *report, const char *lines, size_t length);
/* The lines that came so far, and forgets them. */
void scene_lines(struct scene *scene, struct pl_report *report);
/* The whole file; free it. */
char *scene_file(const char *path, size_t *length);
size_t scene_files(const struct scene *scene, const char *suffix);

/* Numbers from 1 on and times that never go back within a stream. */
void assert_whole(const struct pl_report_trace *trace);
const struct pl_report_record *
scene_record(const struct pl_report_trace *trace, const char *event);
const char *detail_of(const struct pl_report_record *record, const char *key);

/* An outgoing negotiation of some records; and its end. */
struct pl_traced *scene_dial(struct scene *scene, const char *local,
			     const char *remote, struct pl_trace **trace);
void scene_say(struct pl_traced *connection, enum pl_trace_dir dir,
	       enum pl_stage stage, const char *verb, const char *raw);
struct pl_outcome scene_outcome(const char *local, const char *remote,
				enum pl_code code);

#endif
