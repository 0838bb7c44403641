#include "scene.h"

#include <dirent.h>
#include <unistd.h>

static uint64_t monotonic(void *owner)
{
	struct scene *scene = owner;

	return scene->now_us += 10;
}

static struct timeval wall(void *owner)
{
	struct scene *scene = owner;
	uint64_t us = 1790000000000000ull + scene->now_us;

	return (struct timeval){ .tv_sec = (time_t)(us / 1000000),
				 .tv_usec = (suseconds_t)(us % 1000000) };
}

static void chance(void *owner, void *out, size_t length)
{
	struct scene *scene = owner;
	unsigned char *bytes = out;

	for (size_t i = 0; i < length; i++) {
		scene->random = scene->random * 1103515245u + 12345u;
		bytes[i] = (unsigned char)(scene->random >> 16);
	}
}

static bool wanted(void *owner, const char *local, const char *remote)
{
	struct scene *scene = owner;

	assert_non_null(local);
	assert_non_null(remote);
	scene->asked++;
	return scene->wanted;
}

static void on_line(void *owner, const char *line, size_t length)
{
	struct scene *scene = owner;

	assert_int_equal(line[length - 1], '\n');
	assert_ptr_equal(memchr(line, '\n', length), line + length - 1);
	assert_true(pl_buffer_append(&scene->lines, line, length));
}

static void on_end(void *owner, const char *id, const char *path)
{
	struct scene *scene = owner;

	scene->ended++;
	snprintf(scene->id, sizeof scene->id, "%s", id);
	snprintf(scene->path, sizeof scene->path, "%s",
		 path != NULL ? path : "");
}

struct pl_tracer_settings scene_settings(struct scene *scene, unsigned with,
					 enum pl_trace_raw raw)
{
	return (struct pl_tracer_settings){
		.raw = raw,
		.directory = with & WITH_FILES ? scene->directory : NULL,
		.file_bytes = 4 << 20,
		.directory_bytes = 256 << 20,
		.failures = with & WITH_RINGS ? 64 : 0,
		.recent = with & WITH_RINGS ? 64 : 0,
	};
}

void scene_begin(struct scene *scene, unsigned with, enum pl_trace_raw raw)
{
	struct pl_tracer_events events = {
		.monotonic_us = monotonic,
		.wall = wall,
		.random = chance,
		.wanted = wanted,
		.on_line = with & WITH_LINES ? on_line : NULL,
		.on_end = on_end,
	};
	struct pl_tracer_settings settings;
	struct pl_error error = { .text = "" };

	memset(scene, 0, sizeof *scene);
	scene->random = 4711;
	scene->wanted = true;
	pl_buffer_init(&scene->lines, 0);
	if (with & WITH_FILES) {
		strcpy(scene->directory, "/tmp/parley-trace-XXXXXX");
		assert_non_null(mkdtemp(scene->directory));
	}
	settings = scene_settings(scene, with, raw);
	scene->tracer = pl_tracer_new(&settings, &events, scene, &error);
	assert_string_equal(error.text, "");
	assert_non_null(scene->tracer);
}

void scene_end(struct scene *scene)
{
	DIR *directory;
	struct dirent *entry;
	char path[400];

	pl_tracer_free(scene->tracer);
	pl_buffer_finish(&scene->lines);
	if (scene->directory[0] == '\0')
		return;
	directory = opendir(scene->directory);
	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		snprintf(path, sizeof path, "%s/%s", scene->directory,
			 entry->d_name);
		unlink(path);
	}
	if (directory != NULL)
		closedir(directory);
	rmdir(scene->directory);
}

void scene_read(struct pl_report *report, const char *lines, size_t length)
{
	struct pl_error error = { .text = "" };
	bool cut = false;

	memset(report, 0, sizeof *report);
	if (!pl_report_read(report, lines, length, "lines", &cut, &error))
		fail_msg("%s", error.text);
	assert_false(cut);
}

void scene_lines(struct scene *scene, struct pl_report *report)
{
	scene_read(report, (const char *)pl_buffer_bytes(&scene->lines),
		   scene->lines.length);
	pl_buffer_consume(&scene->lines, scene->lines.length);
}

char *scene_file(const char *path, size_t *length)
{
	FILE *file = fopen(path, "r");
	char *bytes = calloc(1, 16 << 20);

	assert_non_null(file);
	assert_non_null(bytes);
	*length = fread(bytes, 1, (16 << 20) - 1, file);
	fclose(file);
	return bytes;
}

size_t scene_files(const struct scene *scene, const char *suffix)
{
	DIR *directory = opendir(scene->directory);
	struct dirent *entry;
	size_t count = 0;

	assert_non_null(directory);
	while ((entry = readdir(directory)) != NULL) {
		size_t length = strlen(entry->d_name);

		count += length > strlen(suffix) &&
			 strcmp(entry->d_name + length - strlen(suffix),
				suffix) == 0;
	}
	closedir(directory);
	return count;
}

void assert_whole(const struct pl_report_trace *trace)
{
	unsigned char seen[65536] = { 0 };

	assert_true(trace->count < sizeof seen);
	for (size_t i = 0; i < trace->count; i++) {
		unsigned seq = trace->records[i].seq;

		assert_in_range(seq, 1, trace->count);
		assert_int_equal(seen[seq], 0);
		seen[seq] = 1;
		if (seq == 1)
			assert_string_equal(trace->records[i].event,
					    "trace.begin");
		if (seq == trace->count)
			assert_string_equal(trace->records[i].event,
					    "trace.end");
	}
	assert_non_null(trace->begin);
	assert_non_null(trace->end);
}

const struct pl_report_record *
scene_record(const struct pl_report_trace *trace, const char *event)
{
	for (size_t i = 0; i < trace->count; i++) {
		if (strcmp(trace->records[i].event, event) == 0)
			return &trace->records[i];
	}
	fail_msg("no %s", event);
	return NULL;
}

const char *detail_of(const struct pl_report_record *record, const char *key)
{
	const char *text = json_string_value(json_object_get(record->detail,
							     key));

	assert_non_null(text);
	return text;
}

struct pl_traced *scene_dial(struct scene *scene, const char *local,
			     const char *remote, struct pl_trace **trace)
{
	struct pl_policy policy = pl_policy_of_row(7);
	struct pl_traced *connection;

	*trace = pl_trace_begin(scene->tracer, false, local, remote);
	assert_non_null(*trace);
	pl_trace_terms(*trace, local, remote, &policy, 7);
	connection = pl_trace_connection(*trace, PL_ROLE_INITIATOR, NULL);
	assert_non_null(connection);
	return connection;
}

void scene_say(struct pl_traced *connection, enum pl_trace_dir dir,
	       enum pl_stage stage, const char *verb, const char *raw)
{
	pl_trace_record(connection, dir, stage, verb);
	pl_trace_summary(connection, "%s", verb);
	if (raw != NULL)
		pl_trace_raw(connection, raw, strlen(raw), PL_MASK_NOTHING);
	pl_trace_done(connection);
}

struct pl_outcome scene_outcome(const char *local, const char *remote,
				enum pl_code code)
{
	return (struct pl_outcome){
		.stream = "3f2a",
		.local = local,
		.remote = remote,
		.row = 7,
		.policy = pl_policy_of_row(7),
		.method = code == PL_CODE_NONE ? PL_METHOD_TLS_DIALBACK
					       : PL_METHOD_NONE,
		.code = code,
		.stage = PL_STAGE_DIALBACK,
		.side = PL_SIDE_PEER,
		.ms = 55,
		.rule = "partner \"b.test\" (parley.conf:12)",
	};
}
