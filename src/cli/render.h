/*
 * render.h: options that all verbs share which show traces, and showing them.
 *
 *     struct render_options options = RENDER_DEFAULTS;
 *     static const struct option list[] = { RENDER_OPTIONS, ... };
 *     while ((option = getopt_long(argc, argv, RENDER_SHORT "h", list, ...)))
 *             switch (option) {
 *             case 'h': ...
 *             default:
 *                     if (!render_option(&options, "probe", option, optarg))
 *                             return CLI_USAGE;
 *             }
 *     if (!render_ready(&options, "probe"))
 *             return CLI_USAGE;
 *     ... the traces ...
 *     status = render_traces(&report, &options);
 */
#ifndef PARLEY_CLI_RENDER_H
#define PARLEY_CLI_RENDER_H

#include <getopt.h>
#include <stdbool.h>

#include "parley/report.h"

enum render_format {
	RENDER_LADDER,
	RENDER_JSON,
	RENDER_JSONL,
	RENDER_HTML,
	RENDER_MERMAID,
	RENDER_SVG,
	RENDER_PROM,
	RENDER_PCAPNG,
	RENDER_FORMATS, /* how many */
};

enum render_colour { RENDER_AUTO, RENDER_ALWAYS, RENDER_NEVER };

struct render_options {
	enum render_format format;
	const char *output;   /* -o; NULL: stdout */
	bool force;           /* an existing file may be replaced */
	bool ascii;
	enum render_colour colour;
	unsigned width;       /* 0: as wide as the terminal, 80 if unknown */
	unsigned verbose;     /* 0 to 3 */
	const char *command;  /* for "reproduce"; NULL */
};

/* For getopt_long(); values above all characters. */
enum {
	RENDER_OPTION_FORMAT = 0x400,
	RENDER_OPTION_FORCE,
	RENDER_OPTION_ASCII,
	RENDER_OPTION_COLOUR,
	RENDER_OPTION_WIDTH,
};
#define RENDER_SHORT "o:v"
#define RENDER_OPTIONS \
	{ "format", required_argument, NULL, RENDER_OPTION_FORMAT }, \
	{ "output", required_argument, NULL, 'o' }, \
	{ "force", no_argument, NULL, RENDER_OPTION_FORCE }, \
	{ "ascii", no_argument, NULL, RENDER_OPTION_ASCII }, \
	{ "color", required_argument, NULL, RENDER_OPTION_COLOUR }, \
	{ "colour", required_argument, NULL, RENDER_OPTION_COLOUR }, \
	{ "width", required_argument, NULL, RENDER_OPTION_WIDTH }, \
	{ "verbose", no_argument, NULL, 'v' }

/* Lines for --help. */
#define RENDER_HELP \
"      --format FORMAT   ladder (default), json, jsonl, html, mermaid, svg, prom\n" \
"                        or pcapng\n" \
"  -o, --output FILE     into FILE (mode 0600); one that exists is kept and the\n" \
"                        command fails, unless --force\n" \
"      --force           replace FILE\n" \
"      --ascii           ASCII alone (also where the locale is not UTF-8)\n" \
"      --color WHEN      auto (default), always, never; NO_COLOR is respected\n" \
"      --width COLUMNS   80 to 132 (the terminal's; 80 where unknown)\n" \
"  -v, --verbose         details; twice: elements as sent; three times: the\n" \
"                        machines' steps\n"

/* Takes an option of the list. False: it was said on stderr what is wrong, or
 * it is none of ours ("is no option" was said): end with CLI_USAGE. */
bool render_option(struct render_options *options, const char *verb,
		   int option, const char *value);

/* To be asked before anything long begins: can the result be written? Says on
 * stderr why not; then CLI_USAGE. */
bool render_ready(const struct render_options *options, const char *verb);

/* How the terminal wants it. */
struct pl_report_look render_look(const struct render_options *options);

/* Shows them on stdout or in the file. CLI_OK, or CLI_USAGE (this format shows
 * one trace only), or CLI_INCOMPLETE (it cannot be written): said on stderr. */
int render_traces(const struct pl_report *report,
		  const struct render_options *options);

/* Writes a result that was made elsewhere, to stdout or the file. */
int render_write(const struct render_options *options, const void *bytes,
		 size_t length);

/* Writes one JSON document, and frees it. */
int render_json(const struct render_options *options, json_t *document);

/* Reads traces from files, "-" for stdin; all of them as one report. CLI_OK, or
 * what was said on stderr. */
int render_read(struct pl_report *report, char *const *files, int count);

#endif
