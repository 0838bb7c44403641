/*
 * The traces of whole daemons: which events, in which order, on which
 * connection; what is masked; that raw is what was on the wire; and that a
 * negotiation of ours takes in what the peer does because of it.
 */
#include "server.h"

#include <jansson.h>

#include "parley/dialback.h"

static const char alpha[] = "alpha.example", beta[] = "beta.example";

static struct server a, b;
static struct ping result;
static struct peer peer, other;
static struct script_server *listener;

/* ----- a tracer whose lines are kept ----- */

enum { LINES = 2048 };

struct view {
	struct pl_tracer *tracer;
	json_t *lines[LINES];
	char *texts[LINES];
	size_t count, ended;
	unsigned char chance;
};

static struct view at_a, at_b;

static uint64_t monotonic_us(void *owner)
{
	(void)owner;
	return script_now(script) * 1000;
}

static struct timeval wall(void *owner)
{
	(void)owner;
	return (struct timeval){ .tv_sec = 1790000000 +
				 (time_t)(script_now(script) / 1000) };
}

static void chance(void *owner, void *out, size_t length)
{
	struct view *view = owner;

	for (size_t i = 0; i < length; i++)
		((unsigned char *)out)[i] = view->chance += 37;
}

static void on_line(void *owner, const char *line, size_t length)
{
	struct view *view = owner;
	json_error_t error;

	assert_true(view->count < LINES);
	assert_int_equal(line[length - 1], '\n');
	assert_null(memchr(line, '\n', length - 1));
	view->lines[view->count] = json_loadb(line, length, 0, &error);
	if (view->lines[view->count] == NULL)
		fail_msg("%s: %.*s", error.text, (int)length, line);
	view->texts[view->count++] = strndup(line, length);
}

static void on_end(void *owner, const char *id, const char *path)
{
	(void)id;
	assert_null(path);
	((struct view *)owner)->ended++;
}

static const struct pl_tracer_events tracer_events = {
	.monotonic_us = monotonic_us,
	.wall = wall,
	.random = chance,
	.on_line = on_line,
	.on_end = on_end,
};

static void watch(struct server *server, struct view *view)
{
	struct pl_tracer_settings settings = { .raw = PL_RAW_NEGOTIATION,
					       .failures = 4, .recent = 4 };
	struct pl_error error = { .text = "" };

	memset(view, 0, sizeof *view);
	view->chance = view == &at_a ? 1 : 101;
	view->tracer = pl_tracer_new(&settings, &tracer_events, view, &error);
	assert_non_null(view->tracer);
	server->world.tracer = view->tracer;
}

static void unwatch(struct view *view)
{
	pl_tracer_free(view->tracer);
	for (size_t i = 0; i < view->count; i++) {
		json_decref(view->lines[i]);
		free(view->texts[i]);
	}
	memset(view, 0, sizeof *view);
}

/* Lets time pass, with the tick of a daemon. */
static void pass(unsigned seconds)
{
	for (unsigned i = 0; i < seconds; i++) {
		script_run(script, 1000);
		if (at_a.tracer != NULL)
			pl_tracer_tick(at_a.tracer);
		if (at_b.tracer != NULL)
			pl_tracer_tick(at_b.tracer);
	}
}

/* ----- what the lines say ----- */

static const char *word(const json_t *line, const char *key)
{
	const char *value = json_string_value(json_object_get(line, key));

	return value != NULL ? value : "";
}

static const char *detail(const json_t *line, const char *key)
{
	return word(json_object_get(line, "detail"), key);
}

static bool is(const json_t *line, const char *event)
{
	return strcmp(word(line, "event"), event) == 0;
}

/* The n-th line of an event (from 0), of any trace; NULL: no such. */
static const json_t *find(const struct view *view, const char *event,
			  unsigned n)
{
	for (size_t i = 0; i < view->count; i++)
		if (is(view->lines[i], event) && n-- == 0)
			return view->lines[i];
	return NULL;
}

static unsigned count(const struct view *view, const char *event)
{
	unsigned n = 0;

	while (find(view, event, n) != NULL)
		n++;
	return n;
}

/* "s1>dns.query s1<..": stream, direction and event of each line of the trace
 * that holds the n-th trace.begin, steps left out. */
static char *story(const struct view *view, unsigned n)
{
	static char text[16384];
	const json_t *first = find(view, "trace.begin", n);
	const char *trace;

	assert_non_null(first);
	trace = word(first, "trace");
	text[0] = '\0';
	for (size_t i = 0; i < view->count; i++) {
		const json_t *line = view->lines[i];
		const char *dir = word(line, "dir"), *mark = "";
		char piece[160];

		if (strcmp(word(line, "trace"), trace) != 0 ||
		    is(line, "policy.step"))
			continue;
		if (strcmp(dir, "in") == 0)
			mark = "<";
		else if (strcmp(dir, "out") == 0)
			mark = ">";
		if (is(line, "policy.choice"))
			snprintf(piece, sizeof piece, "%s=%s ",
				 word(line, "stream"), detail(line, "choice"));
		else
			snprintf(piece, sizeof piece, "%s%s%s ",
				 word(line, "stream"), mark,
				 word(line, "event"));
		assert_true(strlen(text) + strlen(piece) < sizeof text);
		strcat(text, piece);
	}
	return text;
}

static void expect_story(const struct view *view, unsigned n, const char *want)
{
	const char *got = story(view, n);

	if (strcmp(got, want) == 0)
		return;
	print_error("# got:\n# %s\n# want:\n# %s\n", got, want);
	fail();
}

static void begin_with(void **state, const char *variant)
{
	world_begin(state);
	memset(&peer, 0, sizeof peer);
	memset(&other, 0, sizeof other);
	server_start(&a, alpha, "192.0.2.1:5269", variant);
	watch(&a, &at_a);
}

static int begin(void **state)
{
	begin_with(state, "valid");
	return 0;
}

static void on_negotiated(void *owner,
			  const struct pl_negotiation_result *negotiated)
{
	(void)owner;
	(void)negotiated;
}

static int end(void **state)
{
	if (peer.raw != NULL)
		peer_free(&peer);
	if (other.raw != NULL)
		peer_free(&other);
	world_end(state);
	unwatch(&at_a);
	unwatch(&at_b);
	return 0;
}

static void negotiate(void)
{
	assert_non_null(pl_router_negotiate(a.router, alpha, beta, 30000,
					    on_negotiated, NULL));
}

static void beta_with(int row_a, int row_b, const char *variant)
{
	server_start(&b, beta, "192.0.2.2:5269", variant);
	watch(&b, &at_b);
	server_rule(&a, beta, row_a);
	server_rule(&b, alpha, row_b);
}

/* ----- who said what, in which order ----- */

struct scene {
	const char *name;
	int row_a, row_b;
	const char *variant;   /* of beta's certificate */
	const char *own;       /* of alpha's */
	const char *initiator; /* what alpha's first trace tells */
	const char *receiver;  /* what beta's first trace tells; NULL: none */
};

static const struct scene scenes[] = {
	{ "tcp-dialback", 17, 17, "valid", "valid",
	  "s1trace.begin s1dns.query s1dns.answer s1>tcp.connect "
	  "s1>tcp.connected s1>stream.header s1<stream.header "
	  "s1<features.offer s1=stay-in-clear s1>dialback.result "
	  "s2<tcp.accepted s2<stream.header s2=offer "
	  "s2>stream.header s2>features.offer s2<dialback.verify "
	  "s2>dialback.verify s2<close.stream s2>close.stream "
	  "s2>close.tcp s1<dialback.result s1established.open "
	  "s1established.gone s1>close.tcp s1trace.end ",
	  "s1trace.begin s1<tcp.accepted s1<stream.header s1=offer "
	  "s1>stream.header s1>features.offer s1<dialback.result "
	  "s1=accept-dialback s2dns.query s2dns.answer "
	  "s2>tcp.connect s2>tcp.connected s2>stream.header "
	  "s2<stream.header s2<features.offer s2=stay-in-clear "
	  "s2>dialback.verify s2<dialback.verify s1established.open "
	  "s2>close.stream s2>close.tcp s1>dialback.result "
	  "s1<close.tcp s1established.gone s1>close.tcp s1trace.end " },
	{ "tls-dialback", 13, 13, "self-signed", "self-signed",
	  "s1trace.begin s1dns.query s1dns.answer s1>tcp.connect "
	  "s1>tcp.connected s1>stream.header s1<stream.header "
	  "s1<features.offer s1=starttls s1>starttls.request "
	  "s1<starttls.proceed s1>tls.start s1<tls.done "
	  "s1>stream.header s1<stream.header s1<features.offer "
	  "s1=dialback s1>dialback.result s2<tcp.accepted "
	  "s2<stream.header s2=offer s2>stream.header "
	  "s2>features.offer s2<starttls.request s2=starttls "
	  "s2>starttls.proceed s2<tls.start s2<tls.done "
	  "s2<stream.header s2tls.judged s2=offer s2>stream.header "
	  "s2>features.offer s2<dialback.verify s2>dialback.verify "
	  "s2<close.stream s2>close.stream s2>tls.close s2>close.tcp "
	  "s1<dialback.result s1established.open s1established.gone "
	  "s1>close.tcp s1trace.end ",
	  "s1trace.begin s1<tcp.accepted s1<stream.header s1=offer "
	  "s1>stream.header s1>features.offer s1<starttls.request "
	  "s1=starttls s1>starttls.proceed s1<tls.start s1<tls.done "
	  "s1<stream.header s1tls.judged s1=offer s1>stream.header "
	  "s1>features.offer s1<dialback.result s1=accept-dialback "
	  "s2dns.query s2dns.answer s2>tcp.connect s2>tcp.connected "
	  "s2>stream.header s2<stream.header s2<features.offer "
	  "s2=starttls s2>starttls.request s2<starttls.proceed "
	  "s2>tls.start s2<tls.done s2>stream.header "
	  "s2<stream.header s2<features.offer s2=dialback "
	  "s2>dialback.verify s2<dialback.verify s1established.open "
	  "s2>close.stream s2>tls.close s2>close.tcp "
	  "s1>dialback.result s1<close.tcp s1established.gone "
	  "s1>close.tcp s1trace.end " },
	{ "by certificate", 13, 13, "valid", "valid",
	  "s1trace.begin s1dns.query s1dns.answer s1>tcp.connect "
	  "s1>tcp.connected s1>stream.header s1<stream.header "
	  "s1<features.offer s1=starttls s1>starttls.request "
	  "s1<starttls.proceed s1>tls.start s1<tls.done "
	  "s1>stream.header s1<stream.header s1<features.offer "
	  "s1=dialback s1>dialback.result s1<dialback.result "
	  "s1established.open s1established.gone s1>close.tcp "
	  "s1trace.end ",
	  "s1trace.begin s1<tcp.accepted s1<stream.header s1=offer "
	  "s1>stream.header s1>features.offer s1<starttls.request "
	  "s1=starttls s1>starttls.proceed s1<tls.start s1<tls.done "
	  "s1<stream.header s1tls.judged s1=offer s1>stream.header "
	  "s1>features.offer s1<dialback.result s1=certificate "
	  "s1established.open s1>dialback.result s1<close.tcp "
	  "s1established.gone s1>close.tcp s1trace.end " },
	{ "sasl-over-tls", 7, 7, "valid", "valid",
	  "s1trace.begin s1dns.query s1dns.answer s1>tcp.connect "
	  "s1>tcp.connected s1>stream.header s1<stream.header "
	  "s1<features.offer s1=starttls s1>starttls.request "
	  "s1<starttls.proceed s1>tls.start s1<tls.done "
	  "s1>stream.header s1<stream.header s1<features.offer "
	  "s1=external s1>sasl.auth s1<sasl.success s1>stream.header "
	  "s1<stream.header s1<features.offer s1established.open "
	  "s1established.gone s1>close.tcp s1trace.end ",
	  "s1trace.begin s1<tcp.accepted s1<stream.header s1=offer "
	  "s1>stream.header s1>features.offer s1<starttls.request "
	  "s1=starttls s1>starttls.proceed s1<tls.start s1<tls.done "
	  "s1<stream.header s1tls.judged s1=offer s1>stream.header "
	  "s1>features.offer s1<sasl.auth s1=accept-external "
	  "s1>sasl.success s1<stream.header s1tls.judged s1=offer "
	  "s1>stream.header s1>features.offer s1established.open "
	  "s1<close.tcp s1established.gone s1>close.tcp s1trace.end " },
	{ "TLS is not offered", 2, 17, "valid", "valid",
	  "s1trace.begin s1dns.query s1dns.answer s1>tcp.connect "
	  "s1>tcp.connected s1>stream.header s1<stream.header "
	  "s1<features.offer s1=starttls s1>starttls.request "
	  "s1<starttls.failure s1=refuse s1>error.stream "
	  "s1>close.stream s1established.failed s1>close.tcp "
	  "s1trace.end ",
	  "s1trace.begin s1<tcp.accepted s1<stream.header s1=offer "
	  "s1>stream.header s1>features.offer s1<starttls.request "
	  "s1=refuse s1>starttls.failure s1>close.stream "
	  "s1established.failed s1>close.tcp s1trace.end " },
	{ "wrong name", 2, 7, "wrong-name", "valid",
	  "s1trace.begin s1dns.query s1dns.answer s1>tcp.connect "
	  "s1>tcp.connected s1>stream.header s1<stream.header "
	  "s1<features.offer s1=starttls s1>starttls.request "
	  "s1<starttls.proceed s1>tls.start s1<tls.done s1=refuse "
	  "s1>stream.header s1>error.stream s1>close.stream "
	  "s1established.failed s1>tls.close s1>close.tcp "
	  "s1trace.end ",
	  "s1trace.begin s1<tcp.accepted s1<stream.header s1=offer "
	  "s1>stream.header s1>features.offer s1<starttls.request "
	  "s1=starttls s1>starttls.proceed s1<tls.start s1<tls.done "
	  "s1<stream.header s1tls.judged s1=offer s1>stream.header "
	  "s1>features.offer s1<error.stream s1>close.stream "
	  "s1established.failed s1>tls.close s1>close.tcp "
	  "s1trace.end " },
	{ "own certificate", 2, 2, "valid", "self-signed",
	  "s1trace.begin s1dns.query s1dns.answer s1>tcp.connect "
	  "s1>tcp.connected s1>stream.header s1<stream.header "
	  "s1<features.offer s1=starttls s1>starttls.request "
	  "s1<starttls.proceed s1>tls.start s1<tls.done "
	  "s1>stream.header s1<stream.header s1<error.stream "
	  "s1>close.stream s1established.failed s1>tls.close "
	  "s1>close.tcp s1trace.end ",
	  "s1trace.begin s1<tcp.accepted s1<stream.header s1=offer "
	  "s1>stream.header s1>features.offer s1<starttls.request "
	  "s1=starttls s1>starttls.proceed s1<tls.start s1<tls.done "
	  "s1<stream.header s1tls.judged s1=refuse s1>stream.header "
	  "s1>error.stream s1>close.stream s1established.failed "
	  "s1>tls.close s1>close.tcp s1trace.end " },
};

static bool told(const char *name, const struct view *view, const char *want)
{
	const char *got = story(view, 0);

	if (strcmp(got, want) == 0)
		return true;
	print_error("# %s, at %s, got:\n# %s\n# want:\n# %s\n", name,
		    view == &at_a ? alpha : beta, got, want);
	return false;
}

static void test_stories(void **state)
{
	bool good = true;

	end(state);
	for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++) {
		const struct scene *scene = &scenes[i];

		begin_with(state, scene->own);
		beta_with(scene->row_a, scene->row_b, scene->variant);
		negotiate();
		pass(3);
		pl_router_drop_all(a.router);
		pass(1);
		good &= told(scene->name, &at_a, scene->initiator);
		good &= told(scene->name, &at_b, scene->receiver);
		end(state);
	}
	assert_true(good);
	begin(state);
}

/* ----- attempts without a stream ----- */

static void expect_end(const struct view *view, const char *code)
{
	const json_t *last = find(view, "trace.end", 0);

	assert_non_null(last);
	assert_string_equal(detail(last, "result"), "failed");
	assert_string_equal(detail(last, "code"), code);
}

static void test_unknown_partner(void **state)
{
	(void)state;
	negotiate();
	pass(1);
	expect_story(&at_a, 0, "s1trace.begin s1established.failed "
			       "s1trace.end ");
	expect_end(&at_a, "partner-unknown");
}

static void test_no_name(void **state)
{
	(void)state;
	server_rule(&a, beta, 7);
	negotiate();
	pass(1);
	expect_story(&at_a, 0, "s1trace.begin s1dns.query s1dns.failed "
			       "s1established.failed s1trace.end ");
	expect_end(&at_a, "dns-no-such-domain");
}

/* Each connection has a number of its own. */
static void test_refused(void **state)
{
	(void)state;
	server_rule(&a, beta, 7);
	script_dns_target(script, beta, "192.0.2.8:5269", false);
	script_dns_target(script, beta, "192.0.2.9:5269", false);
	negotiate();
	pass(1);
	expect_story(&at_a, 0, "s1trace.begin s1dns.query s1dns.answer "
			       "s1>tcp.connect s1<tcp.failed s2>tcp.connect "
			       "s2<tcp.failed s2established.failed "
			       "s1trace.end ");
	expect_end(&at_a, "tcp-refused");
}

static void test_given_up(void **state)
{
	(void)state;
	server_rule(&a, beta, 7);
	script_dns_target(script, beta, "192.0.2.8:5269", false);
	script_dns_delay(script, beta, SCRIPT_NEVER);
	negotiate();
	pass(7);
	expect_story(&at_a, 0, "s1trace.begin s1dns.query s1dns.failed "
			       "s1established.failed s1trace.end ");
}

/* ----- the peer's part in a negotiation of ours ----- */

/* The tag of the key in a record. */
static const char *tag(const json_t *line)
{
	assert_non_null(line);
	assert_int_equal(strlen(detail(line, "key")), strlen("[key#3f9a]"));
	assert_int_equal(strncmp(detail(line, "key"), "[key#", 5), 0);
	return detail(line, "key");
}

static void test_parents(void **state)
{
	const struct view *views[] = { &at_a, &at_b };

	(void)state;
	beta_with(17, 17, "valid");
	negotiate();
	pass(1);
	for (size_t i = 0; i < 2; i++) {
		const json_t *asked = find(views[i], "dialback.result", 0);
		const json_t *verify = find(views[i], "dialback.verify", 0);

		assert_string_equal(word(asked, "stream"), "s1");
		assert_string_equal(word(asked, "parent"), "");
		assert_string_equal(word(verify, "stream"), "s2");
		assert_string_equal(word(verify, "parent"), "s1");
		assert_string_equal(tag(asked), tag(verify));
		assert_string_equal(word(verify, "role"),
				    i == 0 ? "authoritative" : "initiator");
		assert_string_equal(word(verify, "hop"),
				    "beta.example>alpha.example");
		assert_string_equal(word(asked, "hop"),
				    "alpha.example>beta.example");
	}
	/* Each has a key of its own for its tags. */
	assert_string_not_equal(tag(find(&at_a, "dialback.result", 0)),
				tag(find(&at_b, "dialback.result", 0)));
}

/* Both ends of a connection, as each side has them. */
static void test_ends(void **state)
{
	const json_t *dialled, *accepted;

	(void)state;
	beta_with(2, 2, "valid");
	negotiate();
	pass(1);
	dialled = find(&at_a, "tcp.connected", 0);
	accepted = find(&at_b, "tcp.accepted", 0);
	assert_string_equal(detail(dialled, "addr"), b.endpoint);
	assert_string_equal(detail(accepted, "local"), b.endpoint);
	assert_string_not_equal(detail(dialled, "local"), "");
	assert_string_equal(detail(dialled, "local"), detail(accepted, "addr"));
}

/* The answer to a ping comes on a stream of beta's own. */
static void test_stream_back(void **state)
{
	unsigned n = 0;

	(void)state;
	beta_with(7, 7, "valid");
	assert_true(ping(&a, alpha, beta, 5000, &result));
	assert_int_equal(count(&at_a, "trace.begin"), 1);
	for (size_t i = 0; i < at_a.count; i++)
		if (is(at_a.lines[i], "established.open")) {
			assert_string_equal(word(at_a.lines[i], "stream"),
					    n == 0 ? "s1" : "s2");
			n++;
		}
	assert_int_equal(n, 2);
	assert_int_equal(count(&at_b, "trace.begin"), 2);
	for (size_t i = 0; i < at_a.count; i++)
		if (is(at_a.lines[i], "stanza.seen"))
			assert_null(json_object_get(at_a.lines[i], "raw"));
	assert_true(count(&at_a, "stanza.seen") >= 2);
}

/* Without a from in the header the names come with the db:result. */
static void test_names_come_late(void **state)
{
	(void)state;
	server_rule(&a, beta, 17);
	script_dns_target(script, beta, "192.0.2.2:5269", false);
	listener = script_listen(script, "192.0.2.2:5269");
	negotiate();
	peer_accept(&peer, listener);
	assert_true(peer_expect(&peer, "version='1.0'>"));
	peer_answer(&peer, beta, alpha, "an-id", DIALBACK);
	assert_true(peer_expect(&peer, "</db:result>"));
	peer_connect(&other, "192.0.2.2", &a);
	peer_say(&other, "<?xml version='1.0'?>" STREAM
		 " to='alpha.example' version='1.0'>");
	assert_true(peer_expect(&other, "</stream:features>"));
	peer_say(&other, "<db:verify from='beta.example' to='alpha.example' "
		 "id='an-id'>0123</db:verify>");
	assert_true(peer_expect(&other, "type='invalid'"));
	pass(1);
	assert_int_equal(count(&at_a, "trace.begin"), 1);
	assert_string_equal(word(find(&at_a, "dialback.verify", 0), "stream"),
			    "s2");
	assert_string_equal(word(find(&at_a, "dialback.verify", 0), "hop"),
			    "beta.example>alpha.example");
}

/* ----- what is masked ----- */

static bool has_text(const struct view *view, const char *text)
{
	for (size_t i = 0; i < view->count; i++)
		if (strstr(view->texts[i], text) != NULL)
			return true;
	return false;
}

/* Every key that these servers can have made for ids in the trace. */
static unsigned look_for_keys(const struct view *view,
			      const struct pl_dialback *dialback)
{
	char key[PL_DIALBACK_KEY_SIZE];
	unsigned looked = 0;

	for (size_t i = 0; i < view->count; i++) {
		const char *id = detail(view->lines[i], "id");

		if (id[0] == '\0')
			continue;
		assert_true(pl_dialback_key(dialback, alpha, beta, id, key));
		assert_false(has_text(view, key));
		assert_true(pl_dialback_key(dialback, beta, alpha, id, key));
		assert_false(has_text(view, key));
		looked++;
	}
	return looked;
}

static void test_no_keys(void **state)
{
	static const int rows[] = { 17, 13, 9 };

	end(state);
	for (size_t i = 0; i < 3; i++) {
		begin_with(state, "self-signed");
		beta_with(rows[i], rows[i], "self-signed");
		ping(&a, alpha, beta, 5000, &result);
		pass(1);
		assert_true(count(&at_a, "dialback.verify") >= 2);
		assert_true(look_for_keys(&at_a, &a.dialback) > 3);
		assert_true(look_for_keys(&at_a, &b.dialback) > 3);
		assert_true(look_for_keys(&at_b, &a.dialback) > 3);
		assert_true(look_for_keys(&at_b, &b.dialback) > 3);
		end(state);
	}
	begin(state);
}

static void test_sasl_text(void **state)
{
	(void)state;
	server_rule(&a, "*", 7);
	peer_connect(&peer, "192.0.2.7", &a);
	peer_header(&peer, beta, alpha);
	assert_true(peer_expect(&peer, "</stream:features>"));
	peer_say(&peer, "<auth " SASL " mechanism='PLAIN'>AGpvZQBzZWNyZXQ="
		 "</auth><response " SASL ">AGpvZQBzZWNyZXQ=</response>");
	assert_true(peer_expect(&peer, "</failure>"));
	assert_true(peer_expect(&peer, "</failure>"));
	assert_string_equal(detail(find(&at_a, "sasl.auth", 0), "mech"),
			    "PLAIN");
	assert_non_null(find(&at_a, "sasl.response", 0));
	assert_false(has_text(&at_a, "AGpvZQBzZWNyZXQ"));
	assert_string_equal(detail(find(&at_a, "sasl.failure", 0),
				   "condition"), "encryption-required");
}

/* ----- raw is what was on the wire ----- */

#define ANSWER(id) "<db:verify from='beta.example' to='alpha.example' " \
	"id='" id "' type='error'><error type='cancel'><item-not-found " \
	"xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:verify>"

static const char *const said[] = {
	"<?xml version='1.0'?>" STREAM
	" from='beta.example' to='alpha.example' version='1.0'>",
	ANSWER("1"),
	"<db:verify  to=\"alpha.example\"\n from='beta.example' id='&gt;' "
	"type='valid'   />",
	ANSWER("\xc3\xa4"),
	"<db:result type='valid' from='beta.example' to='alpha.example'/>",
	"</stream:stream  >",
};
enum { SAID = sizeof said / sizeof said[0] };

static void say_all(const char *between, size_t first)
{
	char all[4096] = "";

	for (size_t i = 0; i < SAID; i++) {
		strcat(all, said[i]);
		if (i + 1 < SAID)
			strcat(all, between);
	}
	if (first == 0 || first >= strlen(all)) {
		script_send(peer.raw, all, strlen(all));
		return;
	}
	script_send(peer.raw, all, first);
	script_run(script, 10);
	script_send(peer.raw, all + first, strlen(all) - first);
}

static void expect_raw(void)
{
	size_t n = 0;

	for (size_t i = 0; i < at_a.count; i++) {
		const json_t *line = at_a.lines[i];
		const char *raw = word(line, "raw");

		if (strcmp(word(line, "dir"), "in") != 0 || raw[0] == '\0')
			continue;
		assert_true(n < SAID);
		assert_string_equal(raw, said[n]);
		assert_int_equal(json_integer_value(json_object_get(line,
								    "len")),
				 strlen(said[n]));
		n++;
	}
	assert_int_equal(n, SAID);
}

static void hear(void **state, size_t chunk, const char *between, size_t first)
{
	struct script_link link = { .latency_ms = 1, .chunk = chunk };

	begin(state);
	script_link(script, NULL, &link);
	server_rule(&a, "*", 17);
	peer_connect(&peer, "192.0.2.7", &a);
	say_all(between, first);
	pass(2);
	expect_raw();
	end(state);
}

static void test_raw_in(void **state)
{
	size_t length = 0;

	end(state);
	for (size_t i = 0; i < SAID; i++)
		length += strlen(said[i]);
	for (size_t chunk = 0; chunk < 8; chunk++) {
		hear(state, chunk, "", 0);
		hear(state, chunk, " \r\n\t ", 0);
		hear(state, chunk, "&#32;", 0);
	}
	for (size_t first = 1; first < length; first += 1)
		hear(state, 0, "", first);
	begin(state);
}

/* What we say, one record an element, in order and without a gap. */
static void test_raw_out(void **state)
{
	size_t at = 0, length;
	const char *got;

	(void)state;
	server_rule(&a, "*", 17);
	peer_connect(&peer, "192.0.2.7", &a);
	script_react(peer.raw, NULL, NULL);
	script_say(peer.raw, "<?xml version='1.0'?>" STREAM
		   " from='beta.example' to='alpha.example' version='1.0'>"
		   "<db:verify from='beta.example' to='alpha.example' id='7'>"
		   "0123</db:verify><iq/>");
	pass(1);
	got = script_received(peer.raw, &length);
	for (size_t i = 0; i < at_a.count; i++) {
		const char *raw = word(at_a.lines[i], "raw");

		if (strcmp(word(at_a.lines[i], "dir"), "out") != 0 ||
		    raw[0] == '\0')
			continue;
		assert_true(at + strlen(raw) <= length);
		assert_memory_equal(got + at, raw, strlen(raw));
		at += strlen(raw);
	}
	assert_int_equal(at, length);
	assert_non_null(find(&at_a, "error.stream", 0));
}

static void test_long_element(void **state)
{
	static const char open[] = "<db:verify from='beta.example' "
		"to='alpha.example' id='1' type='valid'><a>";
	static const char shut[] = "</a></db:verify>";
	const size_t length = sizeof open - 1 + 20000 + sizeof shut - 1;
	char text[20001];
	const json_t *line;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	a.world.limits.unauthenticated_bytes = 65536;
	server_rule(&a, "*", 17);
	peer_connect(&peer, "192.0.2.7", &a);
	peer_header(&peer, beta, alpha);
	peer_say(&peer, "%s%s%s", open, text, shut);
	peer_say(&peer, "<db:verify from='beta.example' to='alpha.example' "
		 "id='1'>%s</db:verify>", text);
	pass(1);
	line = find(&at_a, "dialback.verify", 0);
	assert_non_null(line);
	assert_int_equal(json_integer_value(json_object_get(line, "len")),
			 (json_int_t)length);
	assert_int_equal(json_integer_value(json_object_get(line, "trunc")),
			 (json_int_t)length - PL_TRACE_RAW_BYTES);
	assert_int_equal(strlen(word(line, "raw")), PL_TRACE_RAW_BYTES);
	line = find(&at_a, "dialback.verify", 1);
	assert_non_null(line);
	assert_null(strstr(word(line, "raw"), "xxx"));
}

/* ----- faults and time ----- */

static void test_fault(void **state)
{
	(void)state;
	server_rule(&a, "*", 17);
	peer_connect(&peer, "192.0.2.7", &a);
	peer_header(&peer, beta, alpha);
	peer_say(&peer, "<!-- secret -->");
	pass(1);
	assert_string_equal(word(find(&at_a, "error.fault", 0), "code"),
			    "restricted-xml");
	assert_false(has_text(&at_a, "secret"));
	assert_string_equal(detail(find(&at_a, "error.stream", 0),
				   "condition"), "restricted-xml");
	expect_end(&at_a, "restricted-xml");
}

static void test_silence(void **state)
{
	(void)state;
	server_rule(&a, beta, 7);
	script_dns_target(script, beta, "192.0.2.2:5269", false);
	listener = script_listen(script, "192.0.2.2:5269");
	negotiate();
	peer_accept(&peer, listener);
	pass(25);
	assert_string_equal(detail(find(&at_a, "error.deadline", 0),
				   "deadline"), "header");
	expect_end(&at_a, "header-timeout");
}

/* ----- a stream that is used again ----- */

struct seen_traces {
	unsigned count, with_both;
};

static bool on_kept(void *owner, const struct pl_trace_kept *kept)
{
	struct seen_traces *seen = owner;

	seen->count++;
	if (strstr(kept->lines, "dialback.result") != NULL)
		seen->with_both++;
	return true;
}

/* The trace of a stream ends; a further db:result on it has one of its own. */
static void test_used_again(void **state)
{
	struct pl_tracer_events quiet = tracer_events;
	struct pl_tracer_settings settings = { .raw = PL_RAW_NEGOTIATION,
					       .failures = 4, .recent = 4 };
	struct seen_traces seen = { 0, 0 };
	struct pl_error error = { .text = "" };

	(void)state;
	quiet.on_line = NULL;
	pl_tracer_free(at_a.tracer);
	at_a.tracer = pl_tracer_new(&settings, &quiet, &at_a, &error);
	assert_non_null(at_a.tracer);
	a.world.tracer = at_a.tracer;
	server_rule(&a, "*", 13);
	server_host(&a, "gamma.example", "valid");
	peer_connect(&peer, "192.0.2.7", &a);
	peer_header(&peer, beta, "gamma.example");
	assert_true(peer_expect(&peer, "</stream:features>"));
	peer_say(&peer, STARTTLS "/>");
	assert_true(peer_expect(&peer, PROCEED));
	peer_tls(&peer, true, "beta.example.valid", "gamma.example");
	peer_header(&peer, beta, "gamma.example");
	assert_true(peer_expect(&peer, "</stream:features>"));
	peer_say(&peer, "<db:result from='beta.example' to='gamma.example'>"
		 "1</db:result>");
	assert_true(peer_expect(&peer, "type='valid'"));
	pass(5); /* the first is over */
	peer_say(&peer, "<db:result from='beta.example' to='alpha.example'>"
		 "1</db:result>");
	assert_true(peer_expect(&peer, "type='valid'"));
	pass(5);
	pl_tracer_recent(at_a.tracer, beta, on_kept, &seen);
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.with_both, 2);
}

/* ----- nobody listens ----- */

static void test_untraced(void **state)
{
	(void)state;
	beta_with(7, 7, "valid");
	a.world.tracer = NULL;
	assert_true(ping(&a, alpha, beta, 5000, &result));
	pass(1);
	assert_int_equal(at_a.count, 0);
	assert_true(at_b.count > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_stories),
		TEST(test_unknown_partner),
		TEST(test_no_name),
		TEST(test_refused),
		TEST(test_given_up),
		TEST(test_parents),
		TEST(test_ends),
		TEST(test_stream_back),
		TEST(test_names_come_late),
		TEST(test_no_keys),
		TEST(test_sasl_text),
		TEST(test_raw_in),
		TEST(test_raw_out),
		TEST(test_long_element),
		TEST(test_fault),
		TEST(test_silence),
		TEST(test_used_again),
		TEST(test_untraced),
	};

	return cmocka_run_group_tests_name("trace", tests, suite_begin,
					   suite_end);
}
