/*
 * What only the command knows, put into the trace as records before its last
 * one: who answers db:verify, whether the peer called back, what DNS says of
 * us, what the peer seems to think of our certificate; and that a result is
 * incomplete. So every view of the trace shows it.
 */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the records say about this. */
struct seen {
	json_t *records;        /* owned array: every line */
	const char *trace;      /* of the negotiation; NULL: none */
	size_t end;             /* where its trace.end stands, else the count */
	unsigned calls, verifies; /* connections to us; keys asked for */
	bool tls, shown, external, features; /* our stream, under TLS */
	bool failed;
};

struct note {
	const char *level, *code, *remedy;
	char text[700];
};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static bool is(const json_t *record, const char *key, const char *value)
{
	return strcmp(text_of(record, key), value) == 0;
}

static const json_t *detail_of(const json_t *record)
{
	return json_object_get(record, "detail");
}

/* ----- reading ----- */

static json_t *parse_lines(const struct pl_buffer *lines)
{
	const char *at = (const char *)pl_buffer_bytes(lines), *newline;
	const char *end = at + lines->length;
	json_t *records = json_array();

	while (at < end && (newline = memchr(at, '\n', (size_t)(end - at)))) {
		json_t *record = json_loadb(at, (size_t)(newline - at), 0,
					    NULL);

		if (record != NULL)
			json_array_append_new(records, record);
		at = newline + 1;
	}
	return records;
}

static void find_trace(struct seen *seen, const struct cli_attempt *attempt)
{
	const json_t *record;
	size_t i;

	json_array_foreach(seen->records, i, record)
		if (is(record, "event", "trace.begin") &&
		    is(detail_of(record), "from", attempt->local) &&
		    is(detail_of(record), "to", attempt->remote)) {
			seen->trace = text_of(record, "trace");
			return;
		}
}

static bool lists_external(const json_t *features)
{
	const json_t *mechanism;
	size_t i;

	json_array_foreach(json_object_get(features, "mechanisms"), i,
			   mechanism)
		if (json_is_string(mechanism) &&
		    strcmp(json_string_value(mechanism), "EXTERNAL") == 0)
			return true;
	return false;
}

static void look_at(struct seen *seen, const json_t *record)
{
	bool ours = is(record, "role", "initiator");
	const json_t *detail = detail_of(record);

	if (is(record, "event", "tcp.accepted"))
		seen->calls++;
	if (is(record, "event", "dialback.verify") && is(record, "dir", "in") &&
	    text_of(detail, "type")[0] == '\0')
		seen->verifies++;
	if (!ours)
		return;
	if (is(record, "event", "tls.start"))
		seen->shown = json_is_true(json_object_get(detail,
							   "certificate"));
	if (is(record, "event", "tls.done"))
		seen->tls = true;
	if (is(record, "event", "features.offer") && is(record, "dir", "in") &&
	    is(record, "enc", "tls")) {
		seen->features = true;
		seen->external = seen->external || lists_external(detail);
	}
}

static void look(struct seen *seen)
{
	const json_t *record;
	size_t i;

	seen->end = json_array_size(seen->records);
	json_array_foreach(seen->records, i, record) {
		if (is(record, "event", "tcp.accepted"))
			look_at(seen, record);
		else if (is(record, "trace", seen->trace))
			look_at(seen, record);
		if (is(record, "event", "trace.end") &&
		    is(record, "trace", seen->trace)) {
			seen->end = i;
			seen->failed = is(detail_of(record), "result",
					  "failed");
		}
	}
}

/* ----- writing ----- */

/* A record before trace.end, made from it; the numbers behind it move on. */
static void put(struct seen *seen, const struct note *note)
{
	json_t *end = json_array_get(seen->records, seen->end);
	json_t *record = json_deep_copy(end);
	json_t *detail = json_pack("{s:s}", "text", note->text);

	if (note->remedy != NULL)
		json_object_set_new(detail, "remedy",
				    json_string(note->remedy));
	json_object_set_new(record, "dir", json_string("local"));
	json_object_set_new(record, "stage", json_string("policy"));
	json_object_set_new(record, "event", json_string("policy.note"));
	json_object_set_new(record, "level", json_string(note->level));
	if (note->code != NULL)
		json_object_set_new(record, "code", json_string(note->code));
	else
		json_object_del(record, "code");
	json_object_set_new(record, "summary", json_string(note->text));
	json_object_set_new(record, "detail", detail);
	json_object_set_new(end, "seq", json_integer(
		json_integer_value(json_object_get(end, "seq")) + 1));
	json_array_insert_new(seen->records, seen->end++, record);
}

static void say(struct seen *seen, const char *level, const char *code,
		const char *remedy, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

static void say(struct seen *seen, const char *level, const char *code,
		const char *remedy, const char *format, ...)
{
	struct note note = { .level = level, .code = code, .remedy = remedy };
	va_list list;

	va_start(list, format);
	vsnprintf(note.text, sizeof note.text, format, list);
	va_end(list);
	put(seen, &note);
}

/* ----- what there is to say ----- */

static void say_calls(struct seen *seen, const struct cli_attempt *attempt)
{
	const char *remote = attempt->remote;

	if (attempt->authority == CLI_DAEMON)
		say(seen, "info", NULL, NULL, "the running parleyd answers "
		    "when %.200s verifies the key: its log shows whether it "
		    "was asked", remote);
	else if (attempt->authority == CLI_NOBODY)
		return; /* why the result is incomplete */
	else if (seen->calls == 0)
		say(seen, "warning", NULL, "make _xmpp-server._tcp of our "
		    "domain lead here, and let the port through", "no "
		    "callback connection came to %.200s", attempt->listens);
	else if (seen->verifies == 0)
		say(seen, "warning", NULL, NULL, "%u callback connection%s "
		    "came to %.200s, and none asked for the key", seen->calls,
		    seen->calls == 1 ? "" : "s", attempt->listens);
	else
		say(seen, "info", NULL, NULL, "%.200s called back and asked "
		    "for the key", remote);
}

static void say_own_name(struct seen *seen, const struct cli_attempt *attempt)
{
	if (!attempt->own_known)
		return;
	if (attempt->own_code != PL_CODE_NONE)
		say(seen, "warning", NULL, "give our domain an SRV record, or "
		    "use the domain that has one with --from", "DNS leads "
		    "nobody to %.200s: %s", attempt->local,
		    pl_code_entry(attempt->own_code)->name);
	else if (attempt->own_differs)
		say(seen, "warning", NULL, "correct the SRV record or the "
		    "address of our domain, or listen there", "we listen on "
		    "%.200s; DNS for %.100s says %.200s <- differs",
		    attempt->listens, attempt->local, attempt->own_targets);
	else
		say(seen, "info", NULL, NULL, "DNS for %.100s says %.200s%s",
		    attempt->local, attempt->own_targets,
		    attempt->listens[0] ? ", and we listen there" : "");
}

/* EXTERNAL was not offered to a certificate of ours. */
static void say_certificate(struct seen *seen,
			    const struct cli_attempt *attempt)
{
	const char *remote = attempt->remote;
	const char *because = !attempt->own_covers
		? "it does not name our domain"
		: attempt->own_expired ? "it has expired"
		: attempt->own_no_client
		? "it has no clientAuth, and some servers insist on it"
		: "the peer may not trust its CA, or offers EXTERNAL to nobody";

	if (!attempt->sasl_allowed || !seen->tls || !seen->features ||
	    seen->external)
		return;
	if (!seen->shown)
		say(seen, "info", NULL, "give one with --cert and --key",
		    "we showed no certificate, so %.200s offers no EXTERNAL",
		    remote);
	else
		say(seen, "warning",
		    attempt->own_expired ? "own-certificate-expired" : NULL,
		    "use a certificate of a CA that the peer trusts, for our "
		    "domain, with serverAuth and clientAuth", "%.200s offers "
		    "no EXTERNAL, though we showed our certificate: ours seems "
		    "bad for them (%s)", remote, because);
}

/* The result is what the negotiation came to; here it proves nothing. */
static void tell_incomplete(struct seen *seen,
			    const struct cli_attempt *attempt)
{
	json_t *end = json_array_get(seen->records, seen->end);
	json_t *detail = json_object_get(end, "detail");

	json_object_set_new(detail, "result", json_string("incomplete"));
	json_object_set_new(detail, "side", json_string("us"));
	json_object_set_new(detail, "why", json_string(attempt->why));
	json_object_set_new(detail, "fix", json_string(
		"run this beside parleyd with its -c, or where the peer "
		"reaches us with --listen"));
	json_object_set_new(detail, "exit", json_integer(CLI_INCOMPLETE));
}

/* ----- the whole ----- */

static void write_back(struct cli_attempt *attempt, const struct seen *seen)
{
	const json_t *record;
	size_t i;

	pl_buffer_finish(&attempt->lines);
	pl_buffer_init(&attempt->lines, 0);
	json_array_foreach(seen->records, i, record) {
		char *line = json_dumps(record, JSON_COMPACT |
						JSON_PRESERVE_ORDER);

		if (line != NULL) {
			pl_buffer_text(&attempt->lines, line);
			pl_buffer_text(&attempt->lines, "\n");
		}
		free(line);
	}
}

void cli_annotate(struct cli_attempt *attempt)
{
	struct seen seen = { .records = parse_lines(&attempt->lines) };

	find_trace(&seen, attempt);
	if (seen.trace != NULL) {
		snprintf(attempt->trace, sizeof attempt->trace, "%s",
			 seen.trace);
		look(&seen);
	}
	if (seen.trace != NULL && seen.end < json_array_size(seen.records)) {
		say_certificate(&seen, attempt);
		if (seen.failed && attempt->dialback_used) {
			say_calls(&seen, attempt);
			say_own_name(&seen, attempt);
		}
		if (attempt->incomplete)
			tell_incomplete(&seen, attempt);
		write_back(attempt, &seen);
	}
	json_decref(seen.records);
}
