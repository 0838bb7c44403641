/*
 * trace.h: the parts of the verb `parley trace`. Inside of the room cli.
 *
 * Each part gets argv with its own name first, as a verb does.
 */
#ifndef PARLEY_CLI_TRACE_H
#define PARLEY_CLI_TRACE_H

#include "render.h"

/* trace.c */
int trace_show(int argc, char **argv);
int trace_view(int argc, char **argv);
int trace_export(int argc, char **argv);
int trace_redact(int argc, char **argv);
int trace_stats(int argc, char **argv);
/* trace_compare.c */
int trace_diff(int argc, char **argv);
int trace_replay(int argc, char **argv);
/* trace_follow.c */
int trace_follow(int argc, char **argv);
/* trace_daemon.c */
int trace_last(int argc, char **argv);
int trace_on(int argc, char **argv);
int trace_off(int argc, char **argv);

/* What the parts have in common. */
struct trace_options {
	struct render_options render;
	struct pl_report_filter filter;
	const char *config;   /* -c */
	bool config_given;
	bool format_given;
	bool all;             /* --all */
	bool failed;          /* --failed */
	unsigned count;       /* --count; 0: not given */
	double wait;          /* --timeout; 0: not given */
	char **rest;          /* arguments that are no options */
	int rest_count;
};

/* Which options a part takes beside those of render.h. */
enum trace_takes {
	TRACE_FILTERS = 1, TRACE_CONFIG = 2, TRACE_COUNT = 4, TRACE_ID = 8,
	TRACE_FOLLOW = 16, TRACE_FAILED = 32,
};

/* Reads the arguments. False: end with *status (help was printed, or what is
 * wrong was said). */
bool trace_arguments(struct trace_options *options, const char *part,
		     unsigned takes, const char *usage, int argc, char **argv,
		     int *status);

/* Reads the files of the arguments and selects. CLI_OK or what was said. */
int trace_load(struct trace_options *options, const char *part,
	       struct pl_report *report);

#endif
