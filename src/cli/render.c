/* Showing traces: the options, the terminal, the file. */
#include "render.h"

#include "cli.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NARROWEST = 80, WIDEST = 132 };

/* ----- options ----- */

static const char *const formats[RENDER_FORMATS] = {
	[RENDER_LADDER] = "ladder", [RENDER_JSON] = "json",
	[RENDER_JSONL] = "jsonl", [RENDER_HTML] = "html",
	[RENDER_MERMAID] = "mermaid", [RENDER_SVG] = "svg",
	[RENDER_PROM] = "prom", [RENDER_PCAPNG] = "pcapng",
};

static bool find_word(const char *const *words, size_t count,
		      const char *word, int *out)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(words[i], word) == 0) {
			*out = (int)i;
			return true;
		}
	}
	return false;
}

static bool take_format(struct render_options *options, const char *verb,
			const char *value)
{
	const char *similar;
	int found;

	if (find_word(formats, RENDER_FORMATS, value, &found)) {
		options->format = (enum render_format)found;
		return true;
	}
	similar = cli_similar(value, formats, RENDER_FORMATS);
	cli_usage(verb, "--format: \"%s\" is none of ladder, json, jsonl, "
		  "html, mermaid, svg, prom, pcapng%s%s%s", value,
		  similar != NULL ? "; did you mean \"" : "",
		  similar != NULL ? similar : "", similar != NULL ? "\"?" : "");
	return false;
}

static bool take_colour(struct render_options *options, const char *verb,
			const char *value)
{
	static const char *const words[] = { "auto", "always", "never" };
	int found;

	if (!find_word(words, 3, value, &found)) {
		cli_usage(verb, "--color: \"%s\" is none of auto, always, "
			  "never", value);
		return false;
	}
	options->colour = (enum render_colour)found;
	return true;
}

static bool take_width(struct render_options *options, const char *verb,
		       const char *value)
{
	char *end;
	long width = strtol(value, &end, 10);

	if (end == value || *end != '\0' || width < NARROWEST ||
	    width > WIDEST) {
		cli_usage(verb, "--width: \"%s\" is no number from %d to %d",
			  value, NARROWEST, WIDEST);
		return false;
	}
	options->width = (unsigned)width;
	return true;
}

bool render_option(struct render_options *options, const char *verb,
		   int option, const char *value)
{
	switch (option) {
	case RENDER_OPTION_FORMAT:
		return take_format(options, verb, value);
	case RENDER_OPTION_COLOUR:
		return take_colour(options, verb, value);
	case RENDER_OPTION_WIDTH:
		return take_width(options, verb, value);
	case RENDER_OPTION_FORCE:
		options->force = true;
		return true;
	case RENDER_OPTION_ASCII:
		options->ascii = true;
		return true;
	case 'o':
		options->output = strcmp(value, "-") == 0 ? NULL : value;
		return true;
	case 'v':
		options->verbose += options->verbose < 3;
		return true;
	default:
		/* getopt_long() said what is wrong. */
		fprintf(stderr, "Try \"parley %s --help\".\n", verb);
		return false;
	}
}

bool render_ready(const struct render_options *options, const char *verb)
{
	struct stat stat;

	if (options->format == RENDER_PCAPNG && options->output == NULL &&
	    isatty(STDOUT_FILENO)) {
		cli_usage(verb, "pcapng is no text: give a file with -o, or a "
			  "pipe");
		return false;
	}
	if (options->output == NULL || options->force ||
	    lstat(options->output, &stat) != 0)
		return true;
	cli_usage(verb, "%s exists; --force replaces it", options->output);
	return false;
}

/* ----- the terminal ----- */

static unsigned clamp(long width)
{
	return width < NARROWEST ? NARROWEST
	     : width > WIDEST ? WIDEST : (unsigned)width;
}

static unsigned find_width(const struct render_options *options)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size = { 0 };

	if (options->width != 0)
		return options->width;
	if (options->output == NULL &&
	    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return clamp(size.ws_col);
	if (columns != NULL && atol(columns) > 0)
		return clamp(atol(columns));
	return NARROWEST;
}

static bool wants_colour(const struct render_options *options)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (options->colour != RENDER_AUTO)
		return options->colour == RENDER_ALWAYS;
	if (no != NULL && *no != '\0')
		return false;
	return options->output == NULL && isatty(STDOUT_FILENO) &&
	       term != NULL && *term != '\0' && strcmp(term, "dumb") != 0;
}

struct pl_report_look render_look(const struct render_options *options)
{
	return (struct pl_report_look){
		.width = find_width(options),
		.unicode = !options->ascii &&
			   strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
		.colour = wants_colour(options),
		.verbose = options->verbose,
		.command = options->command,
	};
}

/* ----- the file ----- */

static int complain(const char *path)
{
	fprintf(stderr, "parley: %s: %s%s\n", path, strerror(errno),
		errno == EEXIST ? "; --force replaces it" : "");
	return errno == EEXIST ? CLI_USAGE : CLI_INCOMPLETE;
}

static bool write_all(int fd, const unsigned char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, bytes, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		bytes += n;
		length -= (size_t)n;
	}
	return true;
}

/* Closes it as well; errno tells the first failure. */
static bool write_to(int fd, const void *bytes, size_t length)
{
	bool good = write_all(fd, bytes, length);
	int error = errno;

	if (close(fd) != 0 && good)
		return false;
	errno = error;
	return good;
}

static int write_new(const char *path, const void *bytes, size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int status;

	if (fd < 0)
		return complain(path);
	if (write_to(fd, bytes, length))
		return CLI_OK;
	status = complain(path);
	unlink(path);
	return status;
}

/* The old file stays until the new one is whole. */
static int write_over(const char *path, const void *bytes, size_t length)
{
	size_t size = strlen(path) + 8;
	char *beside = malloc(size);
	int fd, status = CLI_OK;

	if (beside == NULL)
		return complain(path);
	snprintf(beside, size, "%s.XXXXXX", path);
	fd = mkostemp(beside, O_CLOEXEC);
	if (fd < 0) {
		status = complain(path);
	} else if (!write_to(fd, bytes, length) || rename(beside, path) != 0) {
		status = complain(path);
		unlink(beside);
	}
	free(beside);
	return status;
}

static int write_device(const char *path, const void *bytes, size_t length)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || !write_to(fd, bytes, length))
		return complain(path);
	return CLI_OK;
}

int render_write(const struct render_options *options, const void *bytes,
		 size_t length)
{
	const char *path = options->output;
	struct stat stat_of;

	if (path == NULL) {
		fwrite(bytes, 1, length, stdout);
		return CLI_OK; /* main looks after stdout */
	}
	if (stat(path, &stat_of) == 0 && !S_ISREG(stat_of.st_mode) &&
	    !S_ISDIR(stat_of.st_mode) && options->force)
		return write_device(path, bytes, length);
	return options->force ? write_over(path, bytes, length)
			      : write_new(path, bytes, length);
}

/* ----- the formats ----- */

static bool make_ladders(struct pl_buffer *out, const struct pl_report *report,
			 const struct pl_report_look *look)
{
	for (size_t i = 0; i < report->count; i++) {
		if (i > 0 && !pl_buffer_text(out, "\n\n"))
			return false;
		if (!pl_report_ladder(out, &report->traces[i], look))
			return false;
	}
	return true;
}

static bool make(struct pl_buffer *out, const struct pl_report *report,
		 const struct render_options *options)
{
	struct pl_report_look look = render_look(options);

	switch (options->format) {
	case RENDER_LADDER:
		return make_ladders(out, report, &look);
	case RENDER_JSONL:
		return pl_report_lines(out, report);
	case RENDER_HTML:
		return pl_report_html(out, report, &look);
	case RENDER_MERMAID:
		return pl_report_mermaid(out, &report->traces[0]);
	case RENDER_SVG:
		return pl_report_svg(out, &report->traces[0]);
	case RENDER_PROM:
		return pl_report_prom(out, &report->traces[0]);
	case RENDER_PCAPNG:
		return pl_report_pcapng(out, report);
	case RENDER_JSON:
	case RENDER_FORMATS:
		break;
	}
	return false;
}

/* One object for one trace, else an array of them. */
static json_t *make_json(const struct pl_report *report)
{
	json_t *array;

	if (report->count == 1)
		return pl_report_json(&report->traces[0]);
	array = json_array();
	for (size_t i = 0; i < report->count; i++)
		json_array_append_new(array,
				      pl_report_json(&report->traces[i]));
	return array;
}

static bool shows_one(enum render_format format)
{
	return format == RENDER_MERMAID || format == RENDER_SVG ||
	       format == RENDER_PROM;
}

int render_traces(const struct pl_report *report,
		  const struct render_options *options)
{
	struct pl_buffer out;
	int status;

	if (shows_one(options->format) && report->count != 1) {
		fprintf(stderr, "parley: %s shows one trace, and these are "
			"%zu; name the id of one\n", formats[options->format],
			report->count);
		return CLI_USAGE;
	}
	if (options->format == RENDER_JSON)
		return render_json(options, make_json(report));
	pl_buffer_init(&out, 0);
	if (make(&out, report, options)) {
		status = render_write(options, pl_buffer_bytes(&out),
				      out.length);
	} else {
		fprintf(stderr, "parley: no memory for the result\n");
		status = CLI_INCOMPLETE;
	}
	pl_buffer_finish(&out);
	return status;
}

/* All but ASCII is escaped: it may end on a terminal. */
int render_json(const struct render_options *options, json_t *document)
{
	char *text = json_dumps(document, JSON_INDENT(2) | JSON_ENSURE_ASCII |
					  JSON_REAL_PRECISION(12));
	int status = CLI_INCOMPLETE;
	struct pl_buffer out;

	json_decref(document);
	pl_buffer_init(&out, 0);
	if (text != NULL && pl_buffer_printf(&out, "%s\n", text)) {
		status = render_write(options, pl_buffer_bytes(&out),
				      out.length);
	} else {
		fprintf(stderr, "parley: no memory for the result\n");
	}
	pl_buffer_finish(&out);
	free(text);
	return status;
}

/* ----- reading ----- */

static bool read_stream(FILE *file, struct pl_buffer *bytes)
{
	char part[65536];
	size_t n;

	while ((n = fread(part, 1, sizeof part, file)) > 0)
		if (!pl_buffer_append(bytes, part, n))
			return false;
	return ferror(file) == 0;
}

static int read_file(struct pl_buffer *bytes, const char *path)
{
	bool standard = strcmp(path, "-") == 0;
	FILE *file = standard ? stdin : fopen(path, "re");
	int status = CLI_OK;

	errno = 0;
	if (file == NULL || !read_stream(file, bytes)) {
		fprintf(stderr, "parley: %s: %s\n", path,
			errno != 0 ? strerror(errno) : "it is too large");
		status = CLI_USAGE;
	}
	if (file != NULL && !standard)
		fclose(file);
	return status;
}

static int is_trace(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > 6 &&
	       strcmp(entry->d_name + length - 6, ".jsonl") == 0;
}

/* A folder is all its traces, in the order of their names: of time. */
static int read_folder(struct pl_report *report, const char *path)
{
	struct dirent **entries;
	int count = scandir(path, &entries, is_trace, alphasort);
	char **files;
	int status;

	if (count < 0) {
		fprintf(stderr, "parley: %s: %s\n", path, strerror(errno));
		return CLI_USAGE;
	}
	files = pl_calloc((size_t)count + 1, sizeof *files);
	for (int i = 0; i < count; i++) {
		size_t size = strlen(path) + strlen(entries[i]->d_name) + 2;

		files[i] = pl_calloc(1, size);
		snprintf(files[i], size, "%s/%s", path, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	status = render_read(report, files, count);
	for (int i = 0; i < count; i++)
		free(files[i]);
	free(files);
	return status;
}

static int read_one(struct pl_report *report, const char *path)
{
	struct pl_buffer bytes;
	struct pl_error error = { 0 };
	struct stat stat_of;
	bool cut = false;
	int status;

	memset(report, 0, sizeof *report);
	if (strcmp(path, "-") != 0 && stat(path, &stat_of) == 0 &&
	    S_ISDIR(stat_of.st_mode))
		return read_folder(report, path);
	pl_buffer_init(&bytes, PL_REPORT_BYTES);
	status = read_file(&bytes, path);
	if (status == CLI_OK &&
	    !pl_report_read(report, (const char *)pl_buffer_bytes(&bytes),
			    bytes.length, path, &cut, &error)) {
		fprintf(stderr, "parley: %s\n", error.text);
		status = CLI_USAGE;
	}
	if (cut)
		fprintf(stderr, "parley: %s: the last line was cut off and is "
			"left out\n", path);
	pl_buffer_finish(&bytes);
	return status;
}

/* Traces of several files become one report by way of their lines. */
static int read_together(struct pl_buffer *lines, char *const *files,
			 int count)
{
	for (int i = 0; i < count; i++) {
		struct pl_report report;
		int status = read_one(&report, files[i]);

		if (status == CLI_OK && !pl_report_lines(lines, &report)) {
			fprintf(stderr, "parley: these are too many traces\n");
			status = CLI_USAGE;
		}
		pl_report_finish(&report);
		if (status != CLI_OK)
			return status;
	}
	return CLI_OK;
}

int render_read(struct pl_report *report, char *const *files, int count)
{
	struct pl_buffer lines;
	struct pl_error error = { 0 };
	bool cut;
	int status;

	if (count == 1)
		return read_one(report, files[0]);
	memset(report, 0, sizeof *report);
	pl_buffer_init(&lines, PL_REPORT_BYTES);
	status = read_together(&lines, files, count);
	if (status == CLI_OK &&
	    !pl_report_read(report, (const char *)pl_buffer_bytes(&lines),
			    lines.length, "these files together", &cut, &error)) {
		fprintf(stderr, "parley: %s\n", error.text);
		status = CLI_USAGE;
	}
	pl_buffer_finish(&lines);
	return status;
}
