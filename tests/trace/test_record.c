/* What stands in a record: any text of a peer, and no secret. */
#include "scene.h"

/* ----- hostile text ----- */

/* Every byte, in raw and in a detail: each line is JSON, ASCII controls and
 * what a terminal acts upon never stand in it, and the bytes come back. */
static void every_byte_is_escaped(void **state)
{
	struct scene scene;
	struct pl_report report;
	struct pl_trace *trace;
	struct pl_traced *c;
	const unsigned char *line;

	(void)state;
	scene_begin(&scene, WITH_LINES, PL_RAW_NEGOTIATION);
	c = scene_dial(&scene, "a.test", "b.test", &trace);
	for (unsigned byte = 0; byte < 256; byte++) {
		char text[8] = { '<', 'x', (char)byte, '>', 0 };

		pl_trace_record(c, PL_DIR_IN, PL_STAGE_STREAM, "element");
		pl_trace_text(c, "name", text);
		pl_trace_summary(c, "got %s", text);
		pl_trace_raw(c, text, 4, PL_MASK_NOTHING);
		pl_trace_done(c);
	}
	line = pl_buffer_bytes(&scene.lines);
	for (size_t i = 0; i < scene.lines.length; i++)
		assert_true((line[i] >= 0x20 && line[i] < 0x7f) ||
			    line[i] == '\n');
	scene_lines(&scene, &report);
	assert_int_equal(report.traces[0].count, 257);
	for (unsigned byte = 0; byte < 256; byte++) {
		const struct pl_report_record *r =
			&report.traces[0].records[byte + 1];
		char text[8] = { '<', 'x', (char)byte, '>', 0 };

		assert_int_equal(r->len, 4);
		if (byte == 0 || byte >= 0x80) {
			assert_true(r->raw_base64);
			assert_int_equal(strlen(r->raw), 8);
		} else {
			assert_false(r->raw_base64);
			assert_string_equal(r->raw, text);
		}
		if (byte > 0 && byte < 0x80)
			assert_string_equal(detail_of(r, "name"), text);
		if (byte == 0xff)
			assert_string_equal(detail_of(r, "name"), "<x\\xff>");
		if (byte == 0xff)
			assert_string_equal(r->raw, "PHj/Pg==");
	}
	pl_report_finish(&report);
	pl_trace_leave(c);
	pl_trace_unref(trace);
	scene_end(&scene);
}

static void unicode_comes_back(void **state)
{
	static const char text[] =
		"b\xc3\xbc" "cher \xe2\x80\xae \xc2\x9b \xf0\x9f\x98\x80 "
		"\xf3\xa0\x80\x81 \xef\xbf\xbe";
	struct scene scene;
	struct pl_report report;
	struct pl_trace *trace;
	struct pl_traced *c;

	(void)state;
	scene_begin(&scene, WITH_LINES, PL_RAW_NEGOTIATION);
	c = scene_dial(&scene, "b\xc3\xbc" "cher.test", "b>\xff.test", &trace);
	pl_trace_record(c, PL_DIR_IN, PL_STAGE_STREAM, "element");
	pl_trace_text(c, "name", text);
	pl_trace_raw(c, text, strlen(text), PL_MASK_NOTHING);
	pl_trace_done(c);
	/* what changes the direction, and C1, are escaped */
	assert_null(memmem(pl_buffer_bytes(&scene.lines), scene.lines.length,
			   "\xe2\x80\xae", 3));
	assert_null(memmem(pl_buffer_bytes(&scene.lines), scene.lines.length,
			   "\xc2\x9b", 2));
	assert_non_null(memmem(pl_buffer_bytes(&scene.lines),
			       scene.lines.length, "\xc3\xbc", 2));
	scene_lines(&scene, &report);
	assert_string_equal(report.traces[0].records[1].raw, text);
	assert_string_equal(detail_of(&report.traces[0].records[1], "name"),
			    text);
	assert_string_equal(report.traces[0].records[1].from,
			    "b\xc3\xbc" "cher.test");
	assert_string_equal(report.traces[0].records[1].to, "b?\\xff.test");
	pl_report_finish(&report);
	pl_trace_leave(c);
	pl_trace_unref(trace);
	scene_end(&scene);
}

static void long_things_are_cut(void **state)
{
	struct scene scene;
	struct pl_report report;
	struct pl_trace *trace;
	struct pl_traced *c;
	const struct pl_report_record *r;
	char *big = malloc(200001);

	(void)state;
	scene_begin(&scene, WITH_LINES, PL_RAW_NEGOTIATION);
	c = scene_dial(&scene, "a.test", "b.test", &trace);
	memset(big, 1, 200000);
	big[200000] = '\0';
	pl_trace_record(c, PL_DIR_IN, PL_STAGE_STREAM, "element");
	pl_trace_summary(c, "%s", big);
	pl_trace_array(c, "list");
	for (int i = 0; i < 1000; i++)
		pl_trace_text(c, NULL, big);
	pl_trace_close(c);
	pl_trace_number(c, "behind", 1);
	pl_trace_raw(c, big, 200000, PL_MASK_NOTHING);
	pl_trace_done(c);
	/* a character of three bytes across the limit goes as a whole */
	memset(big, 'x', 200000);
	memcpy(big + PL_TRACE_RAW_BYTES - 1, "\xe2\x82\xac", 3);
	pl_trace_record(c, PL_DIR_IN, PL_STAGE_STREAM, "element");
	pl_trace_raw(c, big, 20000, PL_MASK_NOTHING);
	pl_trace_done(c);
	scene_lines(&scene, &report);
	r = &report.traces[0].records[1];
	assert_int_equal(r->len, 200000);
	assert_int_equal(r->trunc, 200000 - PL_TRACE_RAW_BYTES);
	assert_int_equal(strlen(r->raw), PL_TRACE_RAW_BYTES);
	assert_true(strlen(r->summary) < 330);
	assert_in_range(json_array_size(json_object_get(r->detail, "list")),
			1, 100);
	r++;
	assert_false(r->raw_base64);
	assert_int_equal(strlen(r->raw), PL_TRACE_RAW_BYTES - 1);
	assert_int_equal(r->trunc, 20000 - PL_TRACE_RAW_BYTES + 1);
	pl_report_finish(&report);
	pl_trace_leave(c);
	pl_trace_unref(trace);
	free(big);
	scene_end(&scene);
}

static void nesting_always_closes(void **state)
{
	struct scene scene;
	struct pl_report report;
	struct pl_trace *trace;
	struct pl_traced *c;
	const json_t *at;

	(void)state;
	scene_begin(&scene, WITH_LINES, PL_RAW_NEGOTIATION);
	c = scene_dial(&scene, "a.test", "b.test", &trace);
	pl_trace_record(c, PL_DIR_IN, PL_STAGE_STREAM, "element");
	for (int i = 0; i < 20; i++)
		pl_trace_object(c, "deeper");
	pl_trace_text(c, "name", "too deep");
	for (int i = 0; i < 12; i++)
		pl_trace_close(c);
	pl_trace_text(c, "name", "at eight");
	pl_trace_done(c); /* closes the rest */
	pl_trace_record(c, PL_DIR_IN, PL_STAGE_STREAM, "element");
	for (int i = 0; i < 5; i++)
		pl_trace_close(c);
	pl_trace_null(c, "nothing");
	pl_trace_bool(c, "yes", true);
	pl_trace_number(c, "least", INT64_MIN);
	pl_trace_text(c, "left-out", NULL);
	pl_trace_done(c);
	scene_lines(&scene, &report);
	at = report.traces[0].records[1].detail;
	for (int i = 0; i < 8; i++)
		at = json_object_get(at, "deeper");
	assert_string_equal(json_string_value(json_object_get(at, "name")),
			    "at eight");
	at = report.traces[0].records[2].detail;
	assert_int_equal(json_object_size(at), 3);
	assert_true(json_is_null(json_object_get(at, "nothing")));
	assert_true(json_integer_value(json_object_get(at, "least")) ==
		    INT64_MIN);
	pl_report_finish(&report);
	pl_trace_leave(c);
	pl_trace_unref(trace);
	scene_end(&scene);
}

/* ----- secrets ----- */

#define SECRET "1e701f120f66824b57303384e83b51feba858024fd2221d39f7acc52dcf767a9"

static const struct {
	const char *element, *masked;
} elements[] = {
	{ "<db:result from='a.test' to='b.test'>" SECRET "</db:result>",
	  "<db:result from='a.test' to='b.test'>[key#%s]</db:result>" },
	{ "<db:result from='>' to=\"'>'\">\n " SECRET " \n</db:result>",
	  "<db:result from='>' to=\"'>'\">\n [key#%s] \n</db:result>" },
	{ " <auth mechanism='PLAIN'>" SECRET "</auth>",
	  " <auth mechanism='PLAIN'>[key#%s]</auth>" },
	{ "<auth mechanism='PLAIN'>" SECRET, /* cut off */
	  "<auth mechanism='PLAIN'>[key#%s]" },
	{ SECRET, "[key#%s]" },
	{ "<auth x='" SECRET, "[key#" }, /* where does it begin? all goes */
	{ "<r>\xff</a>" SECRET "</r\xff>", "[key#" }, /* no text: all goes */
	{ "<r><![CDATA[ </x> ]]>" SECRET "</r>", "<r>[key#" },
	{ "<r><![CDATA[ </x> ]]>" SECRET, "<r>[key#" },
	{ "<r><![CDATA[ </x ]]>" SECRET "> ", "<r>[key#" },
	{ "<r>" SECRET "</r>\n", "<r>[key#%s]</r>\n" },
};

static void secrets_are_masked(void **state)
{
	struct scene scene;
	struct pl_report report;
	struct pl_trace *trace;
	struct pl_traced *c;
	char expected[200], tag[5];
	size_t count = sizeof elements / sizeof *elements;

	(void)state;
	scene_begin(&scene, WITH_LINES | WITH_FILES | WITH_RINGS, PL_RAW_ALL);
	c = scene_dial(&scene, "a.test", "b.test", &trace);
	pl_trace_record(c, PL_DIR_OUT, PL_STAGE_DIALBACK, "result");
	pl_trace_key(c, "key", SECRET);
	pl_trace_done(c);
	for (size_t i = 0; i < count; i++) {
		pl_trace_record(c, PL_DIR_OUT, PL_STAGE_DIALBACK, "result");
		pl_trace_key(c, "key", "\n" SECRET);
		pl_trace_raw(c, elements[i].element,
			     strlen(elements[i].element), PL_MASK_TEXT);
		pl_trace_done(c);
	}
	for (int i = 0; i < 2; i++) { /* nothing there to mask */
		const char *raw = i == 0 ? "<auth/>" : "<a>  </a>";

		pl_trace_record(c, PL_DIR_OUT, PL_STAGE_SASL, "auth");
		pl_trace_raw(c, raw, strlen(raw), PL_MASK_TEXT);
		pl_trace_done(c);
	}
	pl_trace_leave(c);
	pl_trace_unref(trace);
	assert_null(memmem(pl_buffer_bytes(&scene.lines), scene.lines.length,
			   SECRET, 20));
	scene_lines(&scene, &report);
	assert_whole(&report.traces[0]);
	snprintf(tag, sizeof tag, "%s",
		 detail_of(&report.traces[0].records[1], "key") + 5);
	for (size_t i = 0; i < count; i++) {
		const struct pl_report_record *r =
			&report.traces[0].records[2 + i];

		snprintf(expected, sizeof expected, elements[i].masked, tag);
		if (strchr(expected, ']') != NULL)
			assert_string_equal(r->raw, expected);
		else
			assert_memory_equal(r->raw, expected,
					    strlen(expected));
		assert_memory_equal(detail_of(r, "key") + 5, tag, 4);
		assert_true(r->redacted);
		assert_int_equal(r->len, strlen(elements[i].element));
	}
	assert_false(report.traces[0].records[2 + count].redacted);
	assert_string_equal(report.traces[0].records[3 + count].raw,
			    "<a>  </a>");
	pl_report_finish(&report);
	scene_end(&scene);
}

/* A peer says a key again, where no key belongs. */
static void keys_said_again_are_masked(void **state)
{
	struct scene scene;
	struct pl_report report;
	struct pl_trace *trace;
	struct pl_traced *c;
	const struct pl_report_record *r;
	char tag[11], long_key[101], raw[600];
	struct pl_outcome outcome;

	(void)state;
	scene_begin(&scene, WITH_LINES | WITH_FILES | WITH_RINGS, PL_RAW_ALL);
	c = scene_dial(&scene, "a.test", "b.test", &trace);
	scene_say(c, PL_DIR_IN, PL_STAGE_STANZA, "message",
		  "<m>0123456789</m>");
	pl_trace_record(c, PL_DIR_OUT, PL_STAGE_DIALBACK, "result");
	pl_trace_key(c, NULL, SECRET);
	pl_trace_text(c, "id", SECRET);
	pl_trace_key(c, "key", SECRET);
	pl_trace_done(c);
	/* everywhere, whole, twice, and as a part from its front */
	pl_trace_record(c, PL_DIR_IN, PL_STAGE_ERROR, "stream");
	pl_trace_text(c, "text", "a " SECRET " b " SECRET " \"\n");
	pl_trace_text(c, "cut", "1e701f120f66824b5730...");
	pl_trace_text(c, "short", "1e701f120f66824");
	pl_trace_summary(c, "twice?");
	pl_trace_summary(c, "they say \n" SECRET);
	pl_trace_raw(c, "<e x='" SECRET "'>" SECRET "</e>", 6 + 64 + 2 + 64 + 4,
		     PL_MASK_NOTHING);
	pl_trace_done(c);
	scene_say(c, PL_DIR_IN, PL_STAGE_ERROR, "stream",
		  "<e>\xff" SECRET "</e>");
	/* one of the peer's, longer than is kept of it */
	memset(long_key, 'k', 100);
	long_key[100] = '\0';
	pl_trace_record(c, PL_DIR_IN, PL_STAGE_DIALBACK, "result");
	snprintf(raw, sizeof raw, "<r id='%s'>%s</r>", long_key, long_key);
	pl_trace_raw(c, raw, strlen(raw), PL_MASK_TEXT);
	pl_trace_done(c);
	outcome = scene_outcome("a.test", "b.test", PL_CODE_PEER_STREAM_ERROR);
	outcome.words = "host-unknown " SECRET;
	pl_trace_outcome(c, &outcome);
	pl_trace_leave(c);
	pl_trace_unref(trace);
	assert_null(memmem(pl_buffer_bytes(&scene.lines), scene.lines.length,
			   SECRET, 16));
	assert_null(memmem(pl_buffer_bytes(&scene.lines), scene.lines.length,
			   long_key, 16));
	assert_null(memmem(pl_buffer_bytes(&scene.lines), scene.lines.length,
			   "MWU3MDFmMTIwZjY2", 16)); /* in base64 */
	scene_lines(&scene, &report);
	assert_whole(&report.traces[0]);
	assert_string_equal(report.traces[0].records[1].raw,
			    "<m>0123456789</m>");
	r = &report.traces[0].records[2];
	snprintf(tag, sizeof tag, "%s", detail_of(r, "key"));
	assert_string_equal(detail_of(r, "id"), tag);
	r = &report.traces[0].records[3];
	snprintf(raw, sizeof raw, "a %s b %s \"\n", tag, tag);
	assert_string_equal(detail_of(r, "text"), raw);
	snprintf(raw, sizeof raw, "%s...", tag);
	assert_string_equal(detail_of(r, "cut"), raw);
	assert_string_equal(detail_of(r, "short"), "1e701f120f66824");
	/* the fifth and what follows has no tag that could be changed */
	snprintf(raw, sizeof raw, "<e x='%s'>%s</e>", tag, tag);
	assert_true(strcmp(r->raw, raw) == 0 ||
		    strstr(r->raw, "[key]") != NULL);
	assert_true(r->redacted);
	assert_int_equal(r->len, 6 + 64 + 2 + 64 + 4);
	assert_non_null(strstr(report.traces[0].records[4].raw, tag));
	assert_non_null(strstr(report.traces[0].records[5].raw, "<r id='[key#"));
	pl_report_finish(&report);
	scene_end(&scene);
}

/* Tied, the keys of both are known, and the tags are those of the whole. */
static void keys_are_known_after_a_tie(void **state)
{
	struct scene scene;
	struct pl_report report;
	struct pl_trace *trace, *theirs;
	struct pl_traced *c, *called;
	const struct pl_report_trace *t;
	const char *tag;

	(void)state;
	scene_begin(&scene, WITH_LINES | WITH_RINGS, PL_RAW_NEGOTIATION);
	c = scene_dial(&scene, "a.test", "b.test", &trace);
	theirs = pl_trace_begin(scene.tracer, true, NULL, NULL);
	called = pl_trace_connection(theirs, PL_ROLE_AUTHORITATIVE, NULL);
	pl_trace_record(called, PL_DIR_IN, PL_STAGE_DIALBACK, "verify");
	pl_trace_key(called, "key", SECRET);
	pl_trace_summary(called, "%s", SECRET);
	pl_trace_text(called, "id", SECRET);
	pl_trace_done(called);
	assert_true(pl_trace_tie(called, "a.test", "b.test"));
	scene_say(c, PL_DIR_IN, PL_STAGE_ERROR, "stream", "<e>" SECRET "</e>");
	pl_trace_leave(called);
	pl_trace_unref(theirs);
	pl_trace_leave(c);
	pl_trace_unref(trace);
	assert_null(memmem(pl_buffer_bytes(&scene.lines), scene.lines.length,
			   SECRET, 16));
	scene_lines(&scene, &report);
	t = &report.traces[0];
	tag = detail_of(scene_record(t, "dialback.verify"), "key");
	assert_string_equal(detail_of(scene_record(t, "dialback.verify"), "id"),
			    tag);
	assert_string_equal(scene_record(t, "dialback.verify")->summary, tag);
	assert_memory_equal(scene_record(t, "error.stream")->raw + 3, tag, 10);
	pl_report_finish(&report);
	scene_end(&scene);
}

/* Another trace shows another tag: keys cannot be followed from trace to
 * trace. */
static void tags_differ_between_traces(void **state)
{
	struct scene scene;
	struct pl_report report;
	char tags[8][20];
	unsigned same = 0;

	(void)state;
	scene_begin(&scene, WITH_LINES, PL_RAW_NEGOTIATION);
	for (int i = 0; i < 8; i++) {
		struct pl_trace *trace;
		struct pl_traced *c = scene_dial(&scene, "a.test", "b.test",
						 &trace);

		pl_trace_record(c, PL_DIR_OUT, PL_STAGE_DIALBACK, "result");
		pl_trace_key(c, "key", SECRET);
		pl_trace_done(c);
		pl_trace_leave(c);
		pl_trace_unref(trace);
	}
	scene_lines(&scene, &report);
	for (int i = 0; i < 8; i++) {
		snprintf(tags[i], sizeof tags[i], "%s",
			 detail_of(&report.traces[i].records[1], "key"));
		for (int other = 0; other < i; other++)
			same += strcmp(tags[i], tags[other]) == 0;
	}
	assert_true(same <= 1);
	pl_report_finish(&report);
	scene_end(&scene);
}

static void raw_does_as_it_is_told(void **state)
{
	static const char stanza[] = "<message><body>private</body></message>";

	(void)state;
	for (int raw = PL_RAW_NONE; raw <= PL_RAW_ALL; raw++) {
		struct scene scene;
		struct pl_report report;
		struct pl_trace *trace;
		struct pl_traced *c;
		const struct pl_report_record *r;

		scene_begin(&scene, WITH_LINES, (enum pl_trace_raw)raw);
		c = scene_dial(&scene, "a.test", "b.test", &trace);
		scene_say(c, PL_DIR_IN, PL_STAGE_STREAM, "header", "<stream>");
		pl_trace_record(c, PL_DIR_IN, PL_STAGE_STANZA, "seen");
		pl_trace_raw(c, stanza, strlen(stanza), PL_MASK_STANZA);
		pl_trace_done(c);
		pl_trace_record(c, PL_DIR_IN, PL_STAGE_CLOSE, "stream");
		pl_trace_length(c, 17);
		pl_trace_done(c);
		pl_trace_leave(c);
		pl_trace_unref(trace);
		scene_lines(&scene, &report);
		r = &report.traces[0].records[1];
		assert_string_equal(r[0].raw, raw == PL_RAW_NONE ? ""
								 : "<stream>");
		assert_int_equal(r[0].len, 8);
		assert_string_equal(r[1].raw, raw == PL_RAW_ALL ? stanza : "");
		assert_int_equal(r[1].len, strlen(stanza));
		assert_int_equal(r[2].len, 17);
		pl_report_finish(&report);
		scene_end(&scene);
	}
}

/* ----- the rest of a record ----- */

static void keys_stand_in_their_order(void **state)
{
	static const char *const order[] = {
		"v", "seq", "ts", "mono_us", "trace", "stream", "parent",
		"hop", "role", "dir", "stage", "event", "level", "code",
		"enc", "summary", "detail", "len", "raw", "raw_enc", "trunc",
		"redacted",
	};
	struct scene scene;
	struct pl_report report;
	struct pl_trace *trace;
	struct pl_traced *c, *second;
	char *big = calloc(1, 20000);
	size_t at = 0;
	const char *key;
	json_t *value;

	(void)state;
	scene_begin(&scene, WITH_LINES, PL_RAW_NEGOTIATION);
	c = scene_dial(&scene, "a.test", "b.test", &trace);
	second = pl_trace_connection(trace, PL_ROLE_AUTHORITATIVE, c);
	pl_trace_record(second, PL_DIR_IN, PL_STAGE_ERROR, "fault");
	pl_trace_encrypted(second, true);
	pl_trace_level(second, PL_LOG_WARNING);
	pl_trace_code(second, PL_CODE_TLS_FAILED);
	pl_trace_raw(second, big, 20000, PL_MASK_NOTHING);
	pl_trace_done(second);
	scene_say(second, PL_DIR_IN, PL_STAGE_CLOSE, "tcp", NULL);
	scene_lines(&scene, &report);
	json_object_foreach((json_t *)report.traces[0].records[1].json, key,
			    value)
		assert_string_equal(key, order[at++]);
	assert_int_equal(at, sizeof order / sizeof *order);
	assert_string_equal(report.traces[0].records[1].code, "tls-failed");
	assert_string_equal(report.traces[0].records[1].parent, "s1");
	assert_string_equal(report.traces[0].records[1].stream, "s2");
	assert_string_equal(report.traces[0].records[1].level, "warning");
	/* what a record said ends with it, TLS does not */
	assert_string_equal(report.traces[0].records[2].code, "");
	assert_string_equal(report.traces[0].records[2].level, "info");
	assert_true(report.traces[0].records[2].encrypted);
	pl_report_finish(&report);
	pl_trace_leave(second);
	pl_trace_leave(c);
	pl_trace_unref(trace);
	free(big);
	scene_end(&scene);
}

static void steps_can_be_read_back(void **state)
{
	struct scene scene;
	struct pl_report report;
	struct pl_trace *trace;
	struct pl_traced *c;
	struct pl_terms terms = { .policy = { PL_REQUIRED, PL_OPTIONAL, true },
				  .partner_known = true };
	struct pl_stream_state before, after;
	struct pl_stream_event event = { .kind = PL_EV_STARTED };
	struct pl_pair_state pair, pair_before;
	struct pl_pair_event pair_event = { .kind = PL_PE_STREAM_READY };
	struct pl_step step;
	const struct pl_report_record *r;

	(void)state;
	scene_begin(&scene, WITH_LINES, PL_RAW_NEGOTIATION);
	c = scene_dial(&scene, "a.test", "b.test", &trace);
	pl_stream_init(&after, PL_INITIATING);
	for (int i = 0; i < 2; i++) {
		before = after;
		pl_stream_step(&terms, &after, &event, &step);
		pl_trace_stream_step(c, &terms, &before, &event, &after,
				     &step);
		event = (struct pl_stream_event){
			.kind = PL_EV_HEADER,
			.header = { .version_1 = true, .has_id = true },
		};
	}
	pl_pair_init(&pair, PL_INITIATING);
	for (unsigned number = 1; number <= 2; number++)
		for (int i = 0; i < 2; i++) {
			pair_before = pair;
			pl_pair_step(&terms, &pair, &pair_event, &step);
			pl_trace_pair_step(c, number, &terms, &pair_before,
					   &pair_event, &pair, &step);
		}
	terms.direct_tls = true;
	pl_trace_pair_step(c, 1, &terms, &pair_before, &pair_event, &pair,
			   &step);
	scene_lines(&scene, &report);
	r = &report.traces[0].records[1];
	assert_string_equal(r->event, "policy.step");
	assert_string_equal(r->level, "debug");
	assert_string_equal(detail_of(r, "machine"), "stream");
	assert_string_equal(json_string_value(json_object_get(json_object_get(
		r->detail, "before"), "phase")), "idle");
	assert_string_equal(json_string_value(json_object_get(json_object_get(
		r->detail, "after"), "phase")), "await-header");
	assert_string_equal(json_string_value(json_object_get(json_object_get(
		r->detail, "event"), "kind")), "started");
	assert_string_equal(json_string_value(json_object_get(json_object_get(
		r->detail, "terms"), "tls")), "required");
	assert_string_equal(json_string_value(json_array_get(json_object_get(
		r->detail, "actions"), 0)), "send-header");
	assert_null(json_object_get(r[1].detail, "terms"));
	assert_true(json_is_true(json_object_get(json_object_get(
		r[1].detail, "event"), "version_1")));
	/* each machine has terms of its own */
	assert_non_null(json_object_get(r[2].detail, "terms"));
	assert_null(json_object_get(r[3].detail, "terms"));
	assert_non_null(json_object_get(r[4].detail, "terms"));
	assert_null(json_object_get(r[5].detail, "terms"));
	assert_non_null(json_object_get(r[6].detail, "terms"));
	assert_int_equal(json_integer_value(json_object_get(r[4].detail,
							    "pair")), 2);
	pl_report_finish(&report);
	pl_trace_leave(c);
	pl_trace_unref(trace);
	scene_end(&scene);
}

static void nothing_is_recorded_for_nobody(void **state)
{
	struct pl_outcome outcome = scene_outcome("a", "b", PL_CODE_NONE);
	struct scene scene;

	(void)state;
	scene_begin(&scene, 0, PL_RAW_NEGOTIATION);
	assert_false(pl_tracer_active(scene.tracer));
	assert_null(pl_trace_begin(scene.tracer, false, "a", "b"));
	scene_end(&scene);
	assert_null(pl_trace_begin(NULL, true, NULL, NULL));
	assert_null(pl_trace_connection(NULL, PL_ROLE_RECEIVER, NULL));
	assert_null(pl_trace_ref(NULL));
	assert_null(pl_trace_of(NULL));
	assert_false(pl_trace_live(NULL));
	assert_false(pl_trace_tie(NULL, "a", "b"));
	pl_trace_terms(NULL, "a", "b", NULL, 0);
	pl_trace_record(NULL, PL_DIR_IN, PL_STAGE_TCP, "accepted");
	pl_trace_encrypted(NULL, true);
	pl_trace_text(NULL, "a", "b");
	pl_trace_key(NULL, "a", "b");
	pl_trace_raw(NULL, "a", 1, PL_MASK_TEXT);
	pl_trace_done(NULL);
	pl_trace_rename(NULL, PL_ROLE_RECEIVER, "a", "b");
	pl_trace_outcome(NULL, &outcome);
	pl_trace_leave(NULL);
	pl_trace_unref(NULL);
	pl_tracer_tick(NULL);
	pl_tracer_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_is_escaped),
		cmocka_unit_test(unicode_comes_back),
		cmocka_unit_test(long_things_are_cut),
		cmocka_unit_test(nesting_always_closes),
		cmocka_unit_test(secrets_are_masked),
		cmocka_unit_test(keys_said_again_are_masked),
		cmocka_unit_test(keys_are_known_after_a_tie),
		cmocka_unit_test(tags_differ_between_traces),
		cmocka_unit_test(raw_does_as_it_is_told),
		cmocka_unit_test(keys_stand_in_their_order),
		cmocka_unit_test(steps_can_be_read_back),
		cmocka_unit_test(nothing_is_recorded_for_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
