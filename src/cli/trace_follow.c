/* parley trace follow: records as they are written. */
#include "trace.h"

#include "cli.h"
#include "client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TAILED = 1024, POLL_MS = 100 };

/* ----- follow: one line a record ----- */

struct tail {
	char *path;            /* owned */
	dev_t device;
	ino_t inode;
	off_t offset;          /* of what was read */
	struct pl_buffer rest; /* of a line that has no end yet */
	size_t line;
};

struct follow {
	const struct trace_options *options;
	struct pl_report_look look;
	struct tail tails[TAILED];
	size_t count;
	unsigned ended;        /* traces */
	bool from_start;       /* of files that are there already */
};

static bool skipped(const struct follow *f, const struct pl_report_record *r,
		    const char *remote)
{
	const struct pl_report_filter *filter = &f->options->filter;

	return (filter->stream && strcmp(filter->stream, r->stream) != 0) ||
	       (filter->stage && strcmp(filter->stage, r->stage) != 0) ||
	       (filter->code && strcmp(filter->code, r->code) != 0) ||
	       (filter->id && strncmp(r->trace, filter->id,
				      strlen(filter->id)) != 0) ||
	       (filter->peer && strcasecmp(filter->peer, remote) != 0);
}

static const char *sign_of(const struct follow *f,
			   const struct pl_report_record *r)
{
	if (strcmp(r->dir, "in") == 0)
		return f->look.unicode ? "◄" : "<";
	if (strcmp(r->dir, "out") == 0)
		return f->look.unicode ? "►" : ">";
	return " ";
}

/* Time, trace, connection, which way, what; cut to the width. */
static void show_record(const struct follow *f,
			const struct pl_report_record *r)
{
	bool dialled = strcmp(r->role, "initiator") == 0;
	const char *peer = dialled ? r->to : r->from;
	char text[2048], plain[4096];
	size_t fit;

	if (skipped(f, r, peer) ||
	    (f->look.verbose < 3 && strcmp(r->event, "policy.step") == 0))
		return;
	snprintf(text, sizeof text, "%.12s %.6s %-3s %s", r->ts + 11, r->trace,
		 r->stream, peer);
	pl_report_plain(plain, sizeof plain, text, f->look.unicode);
	fit = pl_report_fit(plain, f->look.width / 2);
	printf("%.*s %s ", (int)fit, plain, sign_of(f, r));
	fit = f->look.width - 3 - pl_report_cells(plain) +
	      (fit < strlen(plain) ? pl_report_cells(plain + fit) : 0);
	snprintf(text, sizeof text, "%s: %s%s%s%s", r->event, r->summary,
		 r->code[0] ? " [" : "", r->code, r->code[0] ? "]" : "");
	pl_report_plain(plain, sizeof plain, text, f->look.unicode);
	printf("%.*s\n", (int)pl_report_fit(plain, (unsigned)fit), plain);
}

static void show_lines(struct follow *f, const struct pl_report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct pl_report_trace *trace = &report->traces[i];

		for (size_t j = 0; j < trace->count; j++)
			show_record(f, &trace->records[j]);
	}
}

static void show_raw(struct follow *f, struct pl_report *report)
{
	struct pl_error error;

	if (report->count > 0 &&
	    pl_report_select(report, &f->options->filter, &error) &&
	    report->count > 0)
		render_traces(report, &f->options->render);
}

/* What came as whole lines; broken ones are told and passed by. */
static void take_lines(struct follow *f, struct tail *tail)
{
	const char *bytes = (const char *)pl_buffer_bytes(&tail->rest);
	const char *last = memrchr(bytes, '\n', tail->rest.length);
	size_t length = last != NULL ? (size_t)(last - bytes) + 1 : 0;
	struct pl_error error = { 0 };
	struct pl_report report;
	bool cut;

	if (length == 0)
		return;
	if (!pl_report_read(&report, bytes, length, tail->path, &cut, &error))
		fprintf(stderr, "parley: %s\n", error.text);
	for (size_t i = 0; i < report.count; i++)
		f->ended += report.traces[i].end != NULL;
	if (f->options->render.format == RENDER_JSONL)
		show_raw(f, &report);
	else
		show_lines(f, &report);
	pl_report_finish(&report);
	pl_buffer_consume(&tail->rest, length);
	pl_buffer_trim(&tail->rest);
	fflush(stdout);
}

static void read_tail(struct follow *f, struct tail *tail, int fd)
{
	char part[65536];
	ssize_t n;

	while ((n = pread(fd, part, sizeof part, tail->offset)) > 0) {
		tail->offset += n;
		if (!pl_buffer_append(&tail->rest, part, (size_t)n)) {
			fprintf(stderr, "parley: %s: a line is too long\n",
				tail->path);
			pl_buffer_consume(&tail->rest, tail->rest.length);
			continue;
		}
		take_lines(f, tail);
	}
}

/* A file that was replaced or shortened is read from its beginning. */
static bool poll_tail(struct follow *f, struct tail *tail)
{
	int fd = open(tail->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat stat;

	if (fd < 0)
		return errno == ENOENT;
	if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode)) {
		close(fd);
		return false;
	}
	if (stat.st_ino != tail->inode || stat.st_dev != tail->device ||
	    stat.st_size < tail->offset) {
		tail->inode = stat.st_ino;
		tail->device = stat.st_dev;
		tail->offset = 0;
		pl_buffer_consume(&tail->rest, tail->rest.length);
	}
	read_tail(f, tail, fd);
	close(fd);
	return true;
}

static bool known(const struct follow *f, const char *path)
{
	for (size_t i = 0; i < f->count; i++)
		if (strcmp(f->tails[i].path, path) == 0)
			return true;
	return false;
}

/* The oldest one makes room; its traces have ended long ago. */
static struct tail *new_tail(struct follow *f, const char *path)
{
	struct tail *tail;

	if (f->count == TAILED) {
		free(f->tails[0].path);
		pl_buffer_finish(&f->tails[0].rest);
		memmove(f->tails, f->tails + 1,
			(TAILED - 1) * sizeof *f->tails);
		f->count--;
	}
	tail = &f->tails[f->count++];
	memset(tail, 0, sizeof *tail);
	tail->path = pl_strdup(path);
	pl_buffer_init(&tail->rest, 2 * PL_REPORT_LINE);
	return tail;
}

/* Files that are there before we look are old, unless --all. */
static void begin_at_end(struct tail *tail)
{
	struct stat stat_of;

	if (stat(tail->path, &stat_of) != 0)
		return;
	tail->inode = stat_of.st_ino;
	tail->device = stat_of.st_dev;
	tail->offset = stat_of.st_size;
}

static bool scan_folder(struct follow *f, const char *folder, bool first)
{
	DIR *entries = opendir(folder);
	const struct dirent *entry;
	char path[4096];

	if (entries == NULL)
		return false;
	while ((entry = readdir(entries)) != NULL) {
		size_t length = strlen(entry->d_name);

		if (length < 7 || entry->d_name[0] == '.' ||
		    strcmp(entry->d_name + length - 6, ".jsonl") != 0)
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		if (known(f, path))
			continue;
		new_tail(f, path);
		if (first && !f->from_start)
			begin_at_end(&f->tails[f->count - 1]);
	}
	closedir(entries);
	return true;
}

static bool is_folder(const char *path)
{
	struct stat stat_of;

	return stat(path, &stat_of) == 0 && S_ISDIR(stat_of.st_mode);
}

static int complain(const char *path)
{
	fprintf(stderr, "parley: %s: %s\n", path,
		errno != 0 ? strerror(errno) : "it is no file");
	return CLI_USAGE;
}

static int poll_all(struct follow *f, bool first)
{
	const struct trace_options *o = f->options;

	for (int i = 0; i < o->rest_count; i++) {
		errno = 0;
		if (is_folder(o->rest[i])) {
			if (!scan_folder(f, o->rest[i], first))
				return complain(o->rest[i]);
		} else if (first) {
			if (access(o->rest[i], R_OK) != 0)
				return complain(o->rest[i]);
			new_tail(f, o->rest[i]);
			if (!f->from_start)
				begin_at_end(&f->tails[f->count - 1]);
		}
	}
	for (size_t i = 0; i < f->count; i++) {
		errno = 0;
		if (!poll_tail(f, &f->tails[i]))
			return complain(f->tails[i].path);
	}
	return CLI_OK;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int follow(struct follow *f)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	double until = f->options->wait > 0 ? now() + f->options->wait : 0;
	int status = poll_all(f, true);

	while (status == CLI_OK && ferror(stdout) == 0) {
		if (f->options->count > 0 && f->ended >= f->options->count)
			return CLI_OK;
		if (until > 0 && now() >= until)
			return CLI_TIMEOUT;
		nanosleep(&pause, NULL);
		status = poll_all(f, false);
	}
	return status;
}

static void finish(struct follow *f)
{
	for (size_t i = 0; i < f->count; i++) {
		free(f->tails[i].path);
		pl_buffer_finish(&f->tails[i].rest);
	}
	free(f);
}

/* The folder that the daemon's configuration names. */
static char *daemon_folder(const char *path, int *status)
{
	struct pl_conf *conf = client_configuration(path);
	char *folder = NULL;

	*status = CLI_USAGE;
	if (conf == NULL)
		return NULL;
	if (conf->trace.directory != NULL && *conf->trace.directory != '\0')
		folder = pl_strdup(conf->trace.directory);
	else
		fprintf(stderr, "parley: %s: no trace directory is set, so "
			"parleyd writes no files; parley trace last shows what "
			"it keeps in memory\n", path);
	pl_conf_unref(conf);
	return folder;
}

int trace_follow(int argc, char **argv)
{
	static const char usage[] =
		"usage: parley trace follow [OPTIONS] FILE|FOLDER...\n"
		"       parley trace follow [OPTIONS] -c CONFIG\n"
		"\n"
		"Shows each record in one line as it is written: time, trace, "
		"connection, peer,\nwhat. A folder is watched for new files. "
		"With -c: the trace directory of the\nconfiguration.\n"
		"\n"
		"      --all             what is in the files already, too\n"
		"      --count N         end once N negotiations have ended\n"
		"      --timeout S       end after S seconds\n"
		"      --peer, --code, --stream, --stage, --id   only such "
		"records\n"
		"      --format jsonl    the records as they are\n"
		"      --ascii           ASCII alone\n"
		"      --width COLUMNS   80 to 132\n"
		"  -vvv                  the machines' steps as well\n"
		"\n"
		"Exit status: 0 N negotiations ended, 2 wrong arguments, 9 the "
		"time is over.\n";
	struct trace_options options;
	struct follow *f;
	char *folder = NULL;
	int status;

	if (!trace_arguments(&options, "trace follow",
			     TRACE_FILTERS | TRACE_CONFIG | TRACE_COUNT |
				     TRACE_FOLLOW, usage, argc, argv, &status))
		return status;
	if (options.render.format != RENDER_LADDER &&
	    options.render.format != RENDER_JSONL)
		return cli_usage("trace follow", "it shows lines or jsonl");
	if (options.render.output != NULL)
		return cli_usage("trace follow", "it writes to stdout");
	if (options.rest_count == 0 && !options.config_given)
		return cli_usage("trace follow", "name a FILE or FOLDER, or a "
				 "configuration with -c");
	if (options.config_given && options.rest_count == 0) {
		folder = daemon_folder(options.config, &status);
		if (folder == NULL)
			return status;
		options.rest = &folder;
		options.rest_count = 1;
	}
	f = pl_calloc(1, sizeof *f);
	f->options = &options;
	f->look = render_look(&options.render);
	f->from_start = options.all;
	status = follow(f);
	finish(f);
	free(folder);
	return status;
}
