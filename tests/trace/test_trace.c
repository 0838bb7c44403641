/* Negotiations: how they begin, belong together and end; where they are kept;
 * and that nothing about files can harm anybody. */
#include "scene.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET "0123456789abcdef0123456789abcdef"

static struct pl_traced *accept_one(struct scene *scene, struct pl_trace **trace)
{
	*trace = pl_trace_begin(scene->tracer, true, NULL, NULL);
	assert_non_null(*trace);
	return pl_trace_connection(*trace, PL_ROLE_RECEIVER, NULL);
}

static void leave(struct pl_traced *connection, struct pl_trace *trace)
{
	pl_trace_leave(connection);
	pl_trace_unref(trace);
}

/* ----- the course of one ----- */

static void an_outgoing_one_is_told_at_once(void **state)
{
	struct scene scene;
	struct pl_report report;
	struct pl_trace *trace;
	struct pl_traced *c, *second;
	struct pl_outcome outcome = scene_outcome("a.test", "b.test",
						  PL_CODE_DIALBACK_INVALID);
	const struct pl_report_record *end;

	(void)state;
	scene_begin(&scene, WITH_LINES, PL_RAW_NEGOTIATION);
	c = scene_dial(&scene, "a.test", "b.test", &trace);
	assert_int_equal(scene.lines.length, 0);
	scene.now_us += 2000;
	scene_say(c, PL_DIR_DNS, PL_STAGE_DNS, "answer", NULL);
	assert_true(scene.lines.length > 0);
	scene.now_us += 3000;
	scene_say(c, PL_DIR_OUT, PL_STAGE_TCP, "connected", NULL);
	outcome.words = "no \x1b[2J \"key\"";
	pl_trace_outcome(c, &outcome);
	scene.now_us += 9000000; /* what comes later is no stage of it */
	scene_say(c, PL_DIR_IN, PL_STAGE_CLOSE, "tcp", NULL);
	second = pl_trace_connection(trace, PL_ROLE_INITIATOR, NULL);
	pl_trace_unref(trace);
	pl_trace_leave(c);
	assert_int_equal(scene.ended, 0);
	pl_trace_leave(second);
	assert_int_equal(scene.ended, 1);
	assert_string_equal(scene.path, "");
	scene_lines(&scene, &report);
	assert_whole(&report.traces[0]);
	assert_string_equal(json_string_value(json_object_get(
		report.traces[0].begin, "tls")), "required");
	assert_int_equal(json_integer_value(json_object_get(
		report.traces[0].begin, "row")), 7);
	end = scene_record(&report.traces[0], "trace.end");
	assert_string_equal(detail_of(end, "result"), "failed");
	assert_string_equal(detail_of(end, "code"), "dialback-invalid");
	assert_string_equal(detail_of(end, "side"), "peer");
	assert_non_null(strstr(detail_of(end, "why"), "b.test"));
	assert_null(strchr(detail_of(end, "why"), '\x1b'));
	assert_int_equal(json_integer_value(json_object_get(end->detail,
							    "exit")), 6);
	assert_true(json_number_value(json_object_get(json_object_get(
		end->detail, "stages_ms"), "dns")) > 1.9);
	assert_true(json_number_value(json_object_get(json_object_get(
		end->detail, "stages_ms"), "tcp")) < 3.2);
	assert_null(json_object_get(json_object_get(end->detail, "stages_ms"),
				    "close"));
	pl_report_finish(&report);
	scene_end(&scene);
}

static void an_incoming_one_waits_for_its_names(void **state)
{
	struct scene scene;
	struct pl_report report;
	struct pl_trace *trace;
	struct pl_traced *c = NULL;

	(void)state;
	scene_begin(&scene, WITH_LINES | WITH_FILES, PL_RAW_NEGOTIATION);
	c = accept_one(&scene, &trace);
	scene_say(c, PL_DIR_IN, PL_STAGE_TCP, "accepted", NULL);
	assert_int_equal(scene.lines.length, 0);
	pl_trace_rename(c, PL_ROLE_RECEIVER, "a.test", "b.test");
	assert_int_equal(scene.asked, 0);
	scene_say(c, PL_DIR_IN, PL_STAGE_STREAM, "header", "<stream>");
	assert_true(scene.lines.length > 0);
	assert_int_equal(scene.asked, 1);
	pl_trace_record(c, PL_DIR_OUT, PL_STAGE_DIALBACK, "verify");
	pl_trace_done(c);
	leave(c, trace);
	scene_lines(&scene, &report);
	assert_whole(&report.traces[0]);
	assert_string_equal(report.traces[0].records[1].hop, "?>?");
	assert_string_equal(report.traces[0].records[2].hop, "b.test>a.test");
	assert_string_equal(json_string_value(json_object_get(
		report.traces[0].begin, "from")), "b.test");
	assert_true(json_is_null(json_object_get(report.traces[0].begin,
						 "row")));
	assert_string_equal(detail_of(scene_record(&report.traces[0],
						   "trace.end"), "result"),
			    "served");
	assert_string_not_equal(scene.path, "");
	pl_report_finish(&report);
	/* who never says who it is has no file */
	c = accept_one(&scene, &trace);
	scene_say(c, PL_DIR_IN, PL_STAGE_TCP, "accepted", NULL);
	leave(c, trace);
	scene_lines(&scene, &report);
	assert_string_equal(detail_of(scene_record(&report.traces[0],
						   "trace.end"), "result"),
			    "incomplete");
	assert_string_equal(scene.path, "");
	assert_int_equal(scene_files(&scene, ".jsonl"), 1);
	pl_report_finish(&report);
	scene_end(&scene);
}

/* ----- tie ----- */

static void the_peers_stream_back_is_tied(void **state)
{
	struct scene scene;
	struct pl_report report;
	struct pl_trace *trace, *back_trace;
	struct pl_traced *c, *back, *third;
	struct pl_outcome outcome = scene_outcome("a.test", "b.test",
						  PL_CODE_NONE);
	const struct pl_report_trace *t;
	char id[13];

	(void)state;
	scene_begin(&scene, WITH_LINES | WITH_RINGS, PL_RAW_NEGOTIATION);
	back = accept_one(&scene, &back_trace);
	scene_say(back, PL_DIR_IN, PL_STAGE_TCP, "accepted", NULL);
	pl_trace_record(back, PL_DIR_IN, PL_STAGE_DIALBACK, "verify");
	pl_trace_key(back, "key", SECRET);
	pl_trace_raw(back, "<v>" SECRET "</v>", 39, PL_MASK_TEXT);
	pl_trace_done(back);
	/* nothing of ours is under way yet */
	assert_false(pl_trace_tie(back, "a.test", "b.test"));
	c = scene_dial(&scene, "a.test", "b.test", &trace);
	pl_trace_record(c, PL_DIR_OUT, PL_STAGE_DIALBACK, "result");
	pl_trace_key(c, "key", SECRET);
	pl_trace_done(c);
	assert_false(pl_trace_tie(back, "a.test", "c.test"));
	assert_false(pl_trace_tie(back, "b.test", "a.test"));
	assert_false(pl_trace_tie(c, "a.test", "b.test")); /* is it itself */
	assert_true(pl_trace_tie(back, "a.test", "b.test"));
	assert_ptr_equal(pl_trace_of(back), trace);
	assert_true(pl_trace_live(back));
	pl_trace_rename(back, PL_ROLE_AUTHORITATIVE, "a.test", "b.test");
	scene_say(back, PL_DIR_OUT, PL_STAGE_DIALBACK, "verify", NULL);
	pl_trace_outcome(c, &outcome);
	outcome.incoming = true; /* of the stream back: not what this is about */
	outcome.method = PL_METHOD_NONE;
	outcome.code = PL_CODE_TLS_FAILED;
	pl_trace_outcome(back, &outcome);
	/* who still holds the old trace goes on in the new one */
	third = pl_trace_connection(back_trace, PL_ROLE_INITIATOR, back);
	assert_ptr_equal(pl_trace_of(third), trace);
	scene_say(third, PL_DIR_OUT, PL_STAGE_TCP, "connect", NULL);
	pl_trace_unref(back_trace);
	pl_trace_leave(third);
	pl_trace_leave(back);
	assert_int_equal(scene.ended, 0);
	leave(c, trace);
	assert_int_equal(scene.ended, 1);
	scene_lines(&scene, &report);
	assert_int_equal(report.count, 1);
	t = &report.traces[0];
	assert_whole(t);
	for (size_t i = 0; i < t->count; i++)
		if (strcmp(t->records[i].event, "dialback.verify") == 0 &&
		    strcmp(t->records[i].dir, "in") == 0) {
			assert_string_equal(t->records[i].stream, "s2");
			assert_string_equal(t->records[i].parent, "s1");
			assert_memory_equal(t->records[i].raw + 3,
				detail_of(scene_record(t, "dialback.result"),
					  "key"), 10);
			assert_string_equal(detail_of(&t->records[i], "key"),
				detail_of(scene_record(t, "dialback.result"),
					  "key"));
		}
	assert_string_equal(scene_record(t, "tcp.connect")->stream, "s3");
	assert_string_equal(scene_record(t, "tcp.connect")->parent, "s2");
	assert_string_equal(detail_of(scene_record(t, "trace.end"), "result"),
			    "negotiated");
	snprintf(id, sizeof id, "%s", t->id);
	pl_report_finish(&report);
	/* later, it is a negotiation of its own */
	c = scene_dial(&scene, "a.test", "b.test", &trace);
	outcome = scene_outcome("a.test", "b.test", PL_CODE_NONE);
	pl_trace_outcome(c, &outcome);
	scene.now_us += 6000000;
	back = accept_one(&scene, &back_trace);
	assert_false(pl_trace_tie(back, "a.test", "b.test"));
	leave(back, back_trace);
	leave(c, trace);
	scene_end(&scene);
}

/* A file that was begun too early goes, and what it would have held is in the
 * other. */
static void a_tie_leaves_no_file_behind(void **state)
{
	struct scene scene;
	struct pl_trace *trace, *back_trace;
	struct pl_traced *c, *back;

	(void)state;
	scene_begin(&scene, WITH_FILES, PL_RAW_NEGOTIATION);
	back = accept_one(&scene, &back_trace);
	pl_trace_rename(back, PL_ROLE_RECEIVER, "a.test", "b.test");
	scene_say(back, PL_DIR_IN, PL_STAGE_STREAM, "header", "<stream>");
	pl_tracer_tick(scene.tracer);
	assert_int_equal(scene_files(&scene, ".jsonl"), 1);
	c = scene_dial(&scene, "a.test", "b.test", &trace);
	assert_true(pl_trace_tie(back, "a.test", "b.test"));
	assert_int_equal(scene_files(&scene, ".jsonl"), 0);
	leave(back, back_trace);
	leave(c, trace);
	assert_int_equal(scene_files(&scene, ".jsonl"), 1);
	scene_end(&scene);
}

/* ----- memory ----- */

struct gathered {
	unsigned count;
	struct { char remote[40]; bool failed; uint64_t number; } kept[200];
	struct pl_report report;
	bool read, stop;
};

static bool gather(void *owner, const struct pl_trace_kept *kept)
{
	struct gathered *g = owner;

	assert_true(g->count < 200);
	snprintf(g->kept[g->count].remote, 40, "%s",
		 kept->remote != NULL ? kept->remote : "?");
	g->kept[g->count].failed = kept->failed;
	g->kept[g->count++].number = kept->number;
	if (g->read && g->count == 1)
		scene_read(&g->report, kept->lines, kept->length);
	return !g->stop;
}

static void negotiate(struct scene *scene, const char *remote,
		      enum pl_code code)
{
	struct pl_outcome outcome = scene_outcome("a.test", remote, code);
	struct pl_trace *trace;
	struct pl_traced *c = scene_dial(scene, "a.test", remote, &trace);

	scene_say(c, PL_DIR_OUT, PL_STAGE_TCP, "connect", NULL);
	pl_trace_outcome(c, &outcome);
	leave(c, trace);
}

static void rings_hold_the_last(void **state)
{
	struct scene scene;
	struct gathered all = { 0 }, failed = { 0 }, one = { .read = true };
	struct gathered first = { .stop = true }, later = { 0 };
	struct pl_tracer_settings settings;
	char remote[40];

	(void)state;
	scene_begin(&scene, WITH_RINGS, PL_RAW_NEGOTIATION);
	for (int i = 0; i < 200; i++) {
		snprintf(remote, sizeof remote, "b%d.test", i);
		negotiate(&scene, remote, i % 10 == 0 ? PL_CODE_TLS_FAILED
						      : PL_CODE_NONE);
	}
	pl_tracer_recent(scene.tracer, NULL, gather, &all);
	assert_int_equal(all.count, 64);
	assert_string_equal(all.kept[0].remote, "b199.test");
	assert_int_equal(all.kept[0].number, 200);
	assert_int_equal(all.kept[63].number, 137);
	pl_tracer_failures(scene.tracer, NULL, gather, &failed);
	assert_int_equal(failed.count, 20);
	assert_true(failed.kept[19].failed);
	assert_string_equal(failed.kept[19].remote, "b0.test");
	pl_tracer_recent(scene.tracer, NULL, gather, &first);
	assert_int_equal(first.count, 1);
	pl_tracer_failures(scene.tracer, "b10.test", gather, &one);
	assert_int_equal(one.count, 1);
	assert_whole(&one.report.traces[0]);
	pl_report_finish(&one.report);
	settings = scene_settings(&scene, WITH_RINGS, PL_RAW_NEGOTIATION);
	settings.failures = 0;
	settings.recent = 3;
	assert_true(pl_tracer_change(scene.tracer, &settings, NULL));
	pl_tracer_recent(scene.tracer, NULL, gather, &later);
	assert_int_equal(later.count, 3);
	assert_string_equal(later.kept[0].remote, "b199.test");
	pl_tracer_failures(scene.tracer, NULL, gather, &later);
	assert_int_equal(later.count, 3);
	scene_end(&scene);
}

/* Noise at the port is shown, and pushes out nobody. */
static void a_failure_without_names_is_only_recent(void **state)
{
	struct scene scene;
	struct gathered recent = { .read = true }, failed = { 0 };
	struct pl_outcome outcome = scene_outcome(NULL, NULL,
						  PL_CODE_NOT_XMPP);
	struct pl_trace *trace;
	struct pl_traced *c;
	const struct pl_report_record *end;

	(void)state;
	outcome.incoming = true;
	scene_begin(&scene, WITH_RINGS | WITH_FILES, PL_RAW_NEGOTIATION);
	c = accept_one(&scene, &trace);
	scene_say(c, PL_DIR_IN, PL_STAGE_TCP, "accepted", NULL);
	pl_trace_outcome(c, &outcome);
	leave(c, trace);
	assert_int_equal(scene_files(&scene, ".jsonl"), 0);
	pl_tracer_failures(scene.tracer, NULL, gather, &failed);
	assert_int_equal(failed.count, 0);
	pl_tracer_recent(scene.tracer, NULL, gather, &recent);
	assert_int_equal(recent.count, 1);
	end = scene_record(&recent.report.traces[0], "trace.end");
	assert_string_equal(detail_of(end, "result"), "failed");
	assert_string_equal(detail_of(end, "code"), "not-xmpp");
	pl_report_finish(&recent.report);
	scene_end(&scene);
}

static void one_without_a_file_ends_by_the_tick(void **state)
{
	struct scene scene;
	struct pl_trace *trace;
	struct pl_traced *c, *second;
	struct pl_outcome outcome = scene_outcome("a.test", "b.test",
						  PL_CODE_TLS_FAILED);
	struct gathered kept = { .read = true };

	(void)state;
	scene_begin(&scene, WITH_RINGS | WITH_FILES, PL_RAW_NEGOTIATION);
	scene.wanted = false;
	c = scene_dial(&scene, "a.test", "b.test", &trace);
	scene_say(c, PL_DIR_OUT, PL_STAGE_TCP, "connect", NULL);
	pl_trace_outcome(c, &outcome);
	scene.now_us += 1900000;
	pl_tracer_tick(scene.tracer);
	assert_true(pl_trace_live(c));
	/* the next address: it is not over */
	second = pl_trace_connection(trace, PL_ROLE_INITIATOR, NULL);
	scene.now_us += 9000000;
	pl_tracer_tick(scene.tracer);
	assert_true(pl_trace_live(c));
	outcome.method = PL_METHOD_SASL_OVER_TLS;
	pl_trace_outcome(second, &outcome);
	scene.now_us += 2000000;
	pl_tracer_tick(scene.tracer);
	assert_false(pl_trace_live(c));
	assert_int_equal(scene.ended, 1);
	assert_null(pl_trace_connection(trace, PL_ROLE_INITIATOR, NULL));
	scene_say(c, PL_DIR_OUT, PL_STAGE_TCP, "connect", NULL);
	pl_trace_outcome(c, &outcome);
	pl_tracer_recent(scene.tracer, NULL, gather, &kept);
	assert_int_equal(kept.report.traces[0].count, 3);
	assert_string_equal(detail_of(scene_record(&kept.report.traces[0],
						   "trace.end"), "method"),
			    "sasl-over-tls");
	pl_report_finish(&kept.report);
	pl_trace_leave(second);
	leave(c, trace);
	assert_int_equal(scene.ended, 1);
	scene_end(&scene);
}

/* One with a file goes on; the rings know it all the same, as it was. */
static void one_with_a_file_goes_on(void **state)
{
	struct scene scene;
	struct pl_trace *trace;
	struct pl_traced *c;
	struct pl_outcome outcome = scene_outcome("a.test", "b.test",
						  PL_CODE_NONE);
	struct gathered kept = { .read = true };
	struct pl_report report;
	size_t length;
	char *lines;

	(void)state;
	scene_begin(&scene, WITH_RINGS | WITH_FILES, PL_RAW_NEGOTIATION);
	c = scene_dial(&scene, "a.test", "b.test", &trace);
	scene_say(c, PL_DIR_OUT, PL_STAGE_TCP, "connect", NULL);
	pl_trace_outcome(c, &outcome);
	scene.now_us += 3000000;
	pl_tracer_tick(scene.tracer);
	assert_true(pl_trace_live(c));
	for (int i = 0; i < 20; i++)
		scene_say(c, PL_DIR_IN, PL_STAGE_STANZA, "seen", NULL);
	pl_tracer_recent(scene.tracer, NULL, gather, &kept);
	assert_int_equal(kept.count, 1);
	assert_int_equal(kept.report.traces[0].count, 3);
	assert_whole(&kept.report.traces[0]);
	pl_report_finish(&kept.report);
	leave(c, trace);
	kept = (struct gathered){ 0 };
	pl_tracer_recent(scene.tracer, NULL, gather, &kept);
	assert_int_equal(kept.count, 1);
	lines = scene_file(scene.path, &length);
	scene_read(&report, lines, length);
	assert_int_equal(report.traces[0].count, 23);
	assert_whole(&report.traces[0]);
	pl_report_finish(&report);
	free(lines);
	scene_end(&scene);
}

static void memory_is_bounded(void **state)
{
	struct scene scene;
	struct pl_trace *trace, *many[PL_TRACE_LIVE];
	struct pl_traced *c;
	struct gathered kept = { .read = true };
	char *big = malloc(PL_TRACE_RAW_BYTES + 1);
	const struct pl_report_record *dropped;
	struct pl_outcome outcome = scene_outcome("a.test", "b.test",
						  PL_CODE_NONE);

	(void)state;
	memset(big, 'x', PL_TRACE_RAW_BYTES);
	big[PL_TRACE_RAW_BYTES] = '\0';
	scene_begin(&scene, WITH_RINGS, PL_RAW_NEGOTIATION);
	c = scene_dial(&scene, "a.test", "b.test", &trace);
	for (int i = 0; i < 100; i++)
		scene_say(c, PL_DIR_IN, PL_STAGE_STREAM, "element", big);
	leave(c, trace);
	pl_tracer_recent(scene.tracer, NULL, gather, &kept);
	assert_whole(&kept.report.traces[0]);
	dropped = scene_record(&kept.report.traces[0], "trace.dropped");
	assert_int_equal(json_integer_value(json_object_get(dropped->detail,
							    "count")) +
			 (json_int_t)kept.report.traces[0].count - 3, 100);
	assert_in_range(kept.report.traces[0].count, 30, 36);
	assert_int_equal(kept.report.traces[0].dropped,
			 pl_tracer_dropped(scene.tracer));
	pl_report_finish(&kept.report);
	/* so many at a time; then those whose outcome is told make room */
	for (int i = 0; i < PL_TRACE_LIVE; i++)
		many[i] = pl_trace_begin(scene.tracer, true, NULL, NULL);
	assert_non_null(many[PL_TRACE_LIVE - 1]);
	assert_null(pl_trace_begin(scene.tracer, true, NULL, NULL));
	c = pl_trace_connection(many[7], PL_ROLE_RECEIVER, NULL);
	pl_trace_outcome(c, &outcome);
	trace = pl_trace_begin(scene.tracer, true, NULL, NULL);
	assert_non_null(trace);
	assert_false(pl_trace_live(c));
	pl_trace_unref(trace);
	pl_trace_leave(c);
	for (int i = 0; i < PL_TRACE_LIVE; i++)
		pl_trace_unref(many[i]);
	free(big);
	scene_end(&scene);
}

static unsigned stanzas_shown(unsigned with, enum pl_trace_raw raw)
{
	struct scene scene;
	struct pl_trace *trace;
	struct pl_traced *c;
	unsigned shown = 0;

	scene_begin(&scene, with, raw);
	c = scene_dial(&scene, "a.test", "b.test", &trace);
	for (unsigned i = 0; i < 100; i++)
		shown += pl_trace_stanza(c);
	pl_trace_leave(c);
	pl_trace_unref(trace);
	assert_false(pl_trace_stanza(NULL));
	scene_end(&scene);
	return shown;
}

static void memory_alone_shows_few_stanzas(void **state)
{
	(void)state;
	assert_int_equal(stanzas_shown(WITH_RINGS, PL_RAW_NEGOTIATION),
			 PL_TRACE_STANZAS);
	assert_int_equal(stanzas_shown(WITH_RINGS, PL_RAW_ALL), 100);
	assert_int_equal(stanzas_shown(WITH_RINGS | WITH_FILES,
				       PL_RAW_NEGOTIATION), 100);
	assert_int_equal(stanzas_shown(WITH_LINES, PL_RAW_NEGOTIATION), 100);
}

/* Whoever still holds a trace may, when the tracer is gone. */
static void the_tracer_may_go_first(void **state)
{
	struct scene scene;
	struct pl_report report;
	struct pl_trace *trace;
	struct pl_traced *c, *other;

	(void)state;
	scene_begin(&scene, WITH_LINES | WITH_RINGS, PL_RAW_NEGOTIATION);
	c = scene_dial(&scene, "a.test", "b.test", &trace);
	pl_trace_record(c, PL_DIR_OUT, PL_STAGE_TCP, "connect");
	pl_tracer_free(scene.tracer); /* in the middle of a record */
	scene.tracer = NULL;
	assert_int_equal(scene.ended, 1);
	scene_lines(&scene, &report);
	assert_whole(&report.traces[0]);
	pl_report_finish(&report);
	pl_trace_text(c, "host", "b.test");
	pl_trace_done(c);
	scene_say(c, PL_DIR_OUT, PL_STAGE_TCP, "connect", NULL);
	pl_trace_rename(c, PL_ROLE_INITIATOR, "a", "b");
	other = pl_trace_connection(trace, PL_ROLE_INITIATOR, c);
	assert_null(other);
	assert_false(pl_trace_tie(c, "a.test", "b.test"));
	leave(c, trace);
	scene_end(&scene);
}

/* ----- files ----- */

static void files_are_for_their_owner_alone(void **state)
{
	struct scene scene;
	struct stat status;
	struct pl_error error = { .text = "" };
	struct pl_tracer_settings settings;
	char path[128];
	mode_t mask = umask(0);

	(void)state;
	scene_begin(&scene, WITH_FILES, PL_RAW_NEGOTIATION);
	snprintf(path, sizeof path, "%s/made", scene.directory);
	settings = scene_settings(&scene, WITH_FILES, PL_RAW_NEGOTIATION);
	settings.directory = path;
	assert_true(pl_tracer_change(scene.tracer, &settings, &error));
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
	negotiate(&scene, "../../b\xc3\xbc/.test", PL_CODE_NONE);
	assert_int_equal(stat(scene.path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_memory_equal(scene.path, path, strlen(path));
	assert_null(strchr(scene.path + strlen(path) + 1, '/'));
	assert_non_null(strstr(scene.path, "Z-a.test-.._.._b___.test-"));
	assert_non_null(strstr(scene.path, scene.id));
	assert_true(pl_tracer_beside(scene.tracer, scene.path, ".pcapng",
				     "12345", 5));
	assert_false(pl_tracer_beside(scene.tracer, scene.path, ".pcapng",
				      "12345", 5)); /* never over another */
	assert_false(pl_tracer_beside(scene.tracer, "/tmp/x/y.jsonl",
				      ".pcapng", "12345", 5));
	unlink(scene.path);
	strcpy(strrchr(scene.path, '.'), ".pcapng");
	assert_int_equal(stat(scene.path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(status.st_size, 5);
	unlink(scene.path);
	rmdir(path);
	umask(mask);
	/* what is no directory, or cannot be made */
	settings.directory = "/dev/null";
	assert_false(pl_tracer_change(scene.tracer, &settings, &error));
	assert_non_null(strstr(error.text, "/dev/null"));
	settings.directory = "/nowhere/at/all";
	assert_false(pl_tracer_change(scene.tracer, &settings, &error));
	scene_end(&scene);
}

static void a_file_ends_at_its_limit(void **state)
{
	struct scene scene;
	struct pl_tracer_settings settings;
	struct pl_report report;
	struct pl_trace *trace;
	struct pl_traced *c;
	const struct pl_report_record *dropped;
	size_t length;
	char *lines;

	(void)state;
	scene_begin(&scene, WITH_FILES, PL_RAW_NEGOTIATION);
	settings = scene_settings(&scene, WITH_FILES, PL_RAW_NEGOTIATION);
	settings.file_bytes = 65536;
	assert_true(pl_tracer_change(scene.tracer, &settings, NULL));
	c = scene_dial(&scene, "a.test", "b.test", &trace);
	for (int i = 0; i < 1000; i++)
		scene_say(c, PL_DIR_IN, PL_STAGE_STREAM, "element", "<x/>");
	leave(c, trace);
	lines = scene_file(scene.path, &length);
	assert_in_range(length, 50000, 65536);
	scene_read(&report, lines, length);
	assert_whole(&report.traces[0]);
	dropped = scene_record(&report.traces[0], "trace.dropped");
	assert_int_equal(json_integer_value(json_object_get(dropped->detail,
							    "count")) +
			 (json_int_t)report.traces[0].count - 3, 1000);
	pl_report_finish(&report);
	free(lines);
	scene_end(&scene);
}

static void touch(const struct scene *scene, const char *name)
{
	char path[300];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", scene->directory, name);
	file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; i < 20000; i++)
		fputs("x", file);
	fclose(file);
}

static void the_oldest_files_go(void **state)
{
	static const char *const others[] = {
		"notes.jsonl", "20200101T000000.000Z-a-b-0123456789ab.txt",
		"20200101T000000.000Z-a-b-0123456789.jsonl",
		"00000000T000000.000Z-a-b-0123456789AB.jsonl",
		"parley.conf", "20200101T000000Z-a-b-0123456789ab.jsonl",
	};
	struct scene scene;
	struct pl_tracer_settings settings;
	char first[512], path[400];
	struct stat status;
	size_t total = 0, count;
	DIR *directory;
	struct dirent *entry;

	(void)state;
	scene_begin(&scene, WITH_FILES, PL_RAW_NEGOTIATION);
	for (size_t i = 0; i < 6; i++)
		touch(&scene, others[i]);
	touch(&scene, "20200101T000000.000Z-a-b-0123456789ab.jsonl");
	touch(&scene, "20200101T000000.000Z-a-b-0123456789ab.pcapng");
	settings = scene_settings(&scene, WITH_FILES, PL_RAW_NEGOTIATION);
	settings.directory_bytes = 70000;
	assert_true(pl_tracer_change(scene.tracer, &settings, NULL));
	for (int i = 0; i < 200; i++) {
		scene.now_us += 1000000;
		negotiate(&scene, "b.test", PL_CODE_NONE);
		if (i == 0)
			strcpy(first, scene.path);
	}
	assert_int_equal(stat(scene.path, &status), 0); /* the last one */
	assert_int_not_equal(stat(first, &status), 0);
	for (size_t i = 0; i < 6; i++) {
		snprintf(path, sizeof path, "%s/%s", scene.directory,
			 others[i]);
		assert_int_equal(stat(path, &status), 0);
	}
	count = scene_files(&scene, ".jsonl");
	assert_in_range(count, 25, 120);
	assert_int_equal(scene_files(&scene, ".pcapng"), 0);
	directory = opendir(scene.directory);
	while ((entry = readdir(directory)) != NULL) {
		snprintf(path, sizeof path, "%s/%s", scene.directory,
			 entry->d_name);
		if (strncmp(entry->d_name, "2026", 4) == 0 &&
		    stat(path, &status) == 0)
			total += (size_t)status.st_size;
	}
	closedir(directory);
	assert_in_range(total, 30000, 70000);
	scene_end(&scene);
}

/* The file of a trace under way was taken away: it is not made again. */
static void a_file_that_is_gone_stays_gone(void **state)
{
	struct scene scene;
	struct pl_trace *trace;
	struct pl_traced *c;

	(void)state;
	scene_begin(&scene, WITH_FILES, PL_RAW_NEGOTIATION);
	c = scene_dial(&scene, "a.test", "b.test", &trace);
	scene_say(c, PL_DIR_OUT, PL_STAGE_TCP, "connect", NULL);
	pl_tracer_tick(scene.tracer);
	assert_int_equal(scene_files(&scene, ".jsonl"), 1);
	{
		DIR *directory = opendir(scene.directory);
		struct dirent *entry;

		while ((entry = readdir(directory)) != NULL)
			unlinkat(dirfd(directory), entry->d_name, 0);
		closedir(directory);
	}
	scene_say(c, PL_DIR_OUT, PL_STAGE_TCP, "connect", NULL);
	leave(c, trace);
	assert_int_equal(scene_files(&scene, ".jsonl"), 0);
	assert_true(pl_tracer_dropped(scene.tracer) > 0);
	scene_end(&scene);
}

static void a_full_disk_costs_records_alone(void **state)
{
	struct scene scene;
	struct rlimit before, limit;
	struct pl_trace *trace;
	struct pl_traced *c;
	struct pl_report report;
	char text[900], *lines;
	size_t length;

	(void)state;
	scene_begin(&scene, WITH_FILES | WITH_RINGS, PL_RAW_NEGOTIATION);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 20000;
	setrlimit(RLIMIT_FSIZE, &limit);
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	c = scene_dial(&scene, "a.test", "b.test", &trace);
	for (int i = 0; i < 60; i++) {
		scene_say(c, PL_DIR_IN, PL_STAGE_STREAM, "element", text);
		pl_tracer_tick(scene.tracer);
	}
	setrlimit(RLIMIT_FSIZE, &before); /* and there is room again */
	leave(c, trace);
	assert_true(pl_tracer_dropped(scene.tracer) > 30);
	lines = scene_file(scene.path, &length);
	scene_read(&report, lines, length);
	assert_whole(&report.traces[0]);
	assert_int_equal(json_integer_value(json_object_get(
		scene_record(&report.traces[0], "trace.dropped")->detail,
		"count")) + (json_int_t)report.traces[0].count - 3, 60);
	pl_report_finish(&report);
	free(lines);
	/* not a byte: no file, and no harm */
	limit.rlim_cur = 0;
	setrlimit(RLIMIT_FSIZE, &limit);
	negotiate(&scene, "c.test", PL_CODE_NONE);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_string_equal(scene.path, "");
	assert_int_equal(scene_files(&scene, ".jsonl"), 1);
	scene_end(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_outgoing_one_is_told_at_once),
		cmocka_unit_test(an_incoming_one_waits_for_its_names),
		cmocka_unit_test(the_peers_stream_back_is_tied),
		cmocka_unit_test(a_tie_leaves_no_file_behind),
		cmocka_unit_test(rings_hold_the_last),
		cmocka_unit_test(a_failure_without_names_is_only_recent),
		cmocka_unit_test(one_without_a_file_ends_by_the_tick),
		cmocka_unit_test(one_with_a_file_goes_on),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(memory_alone_shows_few_stanzas),
		cmocka_unit_test(the_tracer_may_go_first),
		cmocka_unit_test(files_are_for_their_owner_alone),
		cmocka_unit_test(a_file_ends_at_its_limit),
		cmocka_unit_test(the_oldest_files_go),
		cmocka_unit_test(a_file_that_is_gone_stays_gone),
		cmocka_unit_test(a_full_disk_costs_records_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
