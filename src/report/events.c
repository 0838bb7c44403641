/*
 * The records of a ladder, one by one. An event that is not in the table (a
 * later version wrote it) is drawn with its summary.
 */
#include "ladder.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	TEXT = 2048,
	LOOK_AHEAD = 64,       /* records */
	TARGETS = 6, NAMES = 3, /* shown without -v */
	SLOW_US = 1000000,
	LONG_US = 20000,
};

struct text {
	char text[TEXT];
};

static void add(struct text *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add(struct text *t, const char *format, ...)
{
	size_t length = strlen(t->text);
	va_list list;

	va_start(list, format);
	vsnprintf(t->text + length, sizeof t->text - length, format, list);
	va_end(list);
}

/* A comma before all but the first. */
static void add_listed(struct text *t, bool *first, const char *text)
{
	add(t, "%s%s", *first ? "" : ", ", text);
	*first = false;
}

static bool verbose(const struct pl_ladder *l, unsigned level)
{
	return l->d.look->verbose >= level;
}

static bool is_in(const struct pl_report_record *r)
{
	return strcmp(r->dir, "in") == 0;
}

static struct pl_ladder_stream *stream_of(struct pl_ladder *l,
					  const struct pl_report_record *r)
{
	unsigned number = 0;

	for (const char *at = r->stream + 1; *at >= '0' && *at <= '9'; at++)
		number = number * 10 + (unsigned)(*at - '0');
	return &l->streams[number <= PL_LADDER_STREAMS ? number : 0];
}

/* The next record of the same connection, if it is near. */
static const struct pl_report_record *next_of(const struct pl_ladder *l,
					      size_t index)
{
	const struct pl_report_record *r = &l->trace->records[index];

	for (size_t i = 1; i <= LOOK_AHEAD && index + i < l->trace->count; i++)
		if (strcmp(r[i].stream, r->stream) == 0 &&
		    strcmp(r[i].event, "policy.step") != 0)
			return &r[i];
	return NULL;
}

static bool next_is(const struct pl_ladder *l, size_t index, const char *event)
{
	const struct pl_report_record *next = next_of(l, index);

	return next != NULL && pl_report_is(next, event);
}

/* ----- arrows and notes ----- */

/* How long, and whether that is long: a second, or most of the whole. */
static void add_time(const struct pl_ladder *l, char *out, size_t size,
		     uint64_t us)
{
	bool slow = us >= SLOW_US ||
		    (us >= LONG_US && us > l->summary->total_us / 2);

	bool seconds = us >= 1000000;
	double value = (double)us / (seconds ? 1e6 : 1e3);

	snprintf(out, size, value < 99.95 ? "%.1f %s%s" : "%.0f %s%s", value,
		 seconds ? "s" : "ms", slow ? " slow" : "");
}

static void arrow_timed(struct pl_ladder *l, const struct pl_report_record *r,
			enum pl_way way, enum pl_tone tone, uint64_t us,
			const char *text)
{
	char behind[32] = "";

	if (us > 0)
		add_time(l, behind, sizeof behind, us);
	pl_draw_arrow(&l->d, &r->mono_us, r->stream, way, r->encrypted, tone,
		      text, behind);
}

static void arrow_toned(struct pl_ladder *l, const struct pl_report_record *r,
			enum pl_tone tone, const char *text)
{
	bool in = is_in(r);

	arrow_timed(l, r, in ? PL_WAY_IN : PL_WAY_OUT, tone,
		    in && l->waited_us >= LONG_US ? l->waited_us : 0, text);
}

static void arrow(struct pl_ladder *l, const struct pl_report_record *r,
		  const char *text)
{
	arrow_toned(l, r, is_in(r) ? PL_TONE_IN : PL_TONE_OUT, text);
}

/* An element that says no. */
static void arrow_bad(struct pl_ladder *l, const struct pl_report_record *r,
		      const char *text)
{
	arrow_toned(l, r, PL_TONE_FAIL, text);
}

static void note(struct pl_ladder *l, char mark, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void note(struct pl_ladder *l, char mark, const char *format, ...)
{
	char text[TEXT];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	pl_draw_note(&l->d, NULL, mark, text);
}

/* ----- dns ----- */

static void draw_target(struct pl_ladder *l, const uint64_t *us,
			const json_t *target)
{
	struct text t = { "" };
	const json_t *value;
	bool first = true;
	size_t i;

	add(&t, "%s:%d", pl_report_text(target, "host"),
	    (int)pl_report_number(target, "port"));
	if (pl_report_true(target, "direct_tls"))
		add(&t, " direct TLS");
	add(&t, "  ");
	json_array_foreach(json_object_get(target, "addresses"), i, value)
		if (json_is_string(value))
			add_listed(&t, &first, json_string_value(value));
	if (first)
		add(&t, "no address");
	if (pl_report_true(target, "srv"))
		add(&t, "  SRV %d %d", (int)pl_report_number(target,
							     "priority"),
		    (int)pl_report_number(target, "weight"));
	else
		add(&t, "  no SRV record");
	add(&t, pl_report_true(target, "secure") ? " (secure)"
						 : " (not secure)");
	json_array_foreach(json_object_get(target, "tlsa"), i, value)
		if (json_is_string(value))
			add(&t, "  TLSA %.*s", verbose(l, 1) ? 80 : 5,
			    json_string_value(value));
	pl_draw_side(&l->d, us, "dns", ' ', t.text);
}

static void draw_dns_answer(struct pl_ladder *l,
			    const struct pl_report_record *r, size_t index)
{
	const json_t *targets = json_object_get(r->detail, "targets"), *target;
	size_t most = verbose(l, 1) ? 64 : TARGETS, i;
	struct text t = { "" };

	json_array_foreach(targets, i, target) {
		if (i == most)
			break;
		draw_target(l, i == 0 ? &r->mono_us : NULL, target);
	}
	if (json_array_size(targets) > most) {
		add(&t, "and %zu more", json_array_size(targets) - most);
		pl_draw_side(&l->d, NULL, "", ' ', t.text);
	}
	if (json_array_size(targets) == 0)
		pl_draw_side(&l->d, &r->mono_us, "dns", ' ',
			     pl_report_text(r->detail, "text"));
}

static void draw_dns_query(struct pl_ladder *l,
			   const struct pl_report_record *r, size_t index)
{
	if (verbose(l, 1) || (!next_is(l, index, "dns.answer") &&
			      !next_is(l, index, "dns.failed")))
		pl_draw_side(&l->d, &r->mono_us, "dns", ' ', r->summary);
}

static void draw_dns_failed(struct pl_ladder *l,
			    const struct pl_report_record *r, size_t index)
{
	pl_draw_side(&l->d, &r->mono_us, "dns", 'X',
		     pl_report_text(r->detail, "text"));
}

/* ----- tcp ----- */

/* What a further connection is there for shows later: does that come on it? */
static bool comes(const struct pl_ladder *l, size_t index, const char *event)
{
	const struct pl_report_record *r = &l->trace->records[index];

	for (size_t i = 1; i <= 8 * LOOK_AHEAD && index + i < l->trace->count;
	     i++)
		if (strcmp(r[i].stream, r->stream) == 0 &&
		    pl_report_is(&r[i], event) && is_in(&r[i]))
			return true;
	return false;
}

static void draw_reason(struct pl_ladder *l, const struct pl_report_record *r,
			size_t index)
{
	bool dialled = stream_of(l, r)->dialled;

	if (strcmp(r->stream, "s1") == 0)
		return;
	if (r->parent[0] == '\0')
		note(l, ' ', "%s", dialled ? "another try"
					   : "another connection");
	else if (dialled)
		note(l, ' ', "%s: we ask the server of %s whether it made "
		     "the key on %s", r->stream, r->to, r->parent);
	else if (strcmp(r->role, "authoritative") == 0 ||
		 comes(l, index, "dialback.verify"))
		note(l, ' ', "%s: the peer dials back to ask whether we made "
		     "the key on %s", r->stream, r->parent);
	else if (comes(l, index, "stream.header"))
		note(l, ' ', "%s: the peer's own stream to us", r->stream);
}

static void draw_tcp_connect(struct pl_ladder *l,
			     const struct pl_report_record *r, size_t index)
{
	struct text t = { "" };

	if (next_is(l, index, "tcp.connected") && !verbose(l, 1))
		return;
	add(&t, "TCP connect to %s:%d", pl_report_text(r->detail, "host"),
	    (int)pl_report_number(r->detail, "port"));
	arrow(l, r, t.text);
}

static void draw_tcp_connected(struct pl_ladder *l,
			       const struct pl_report_record *r, size_t index)
{
	struct text t = { "" };

	add(&t, "TCP connect");
	if (strcmp(r->stream, "s1") != 0)
		add(&t, " %s", pl_report_text(r->detail, "addr"));
	arrow_timed(l, r, PL_WAY_OUT, PL_TONE_OUT,
		    (uint64_t)pl_report_number(r->detail, "us"), t.text);
	draw_reason(l, r, index);
}

static void draw_tcp_accepted(struct pl_ladder *l,
			      const struct pl_report_record *r, size_t index)
{
	struct text t = { "" };

	add(&t, "TCP connect from %s", pl_report_text(r->detail, "addr"));
	arrow_timed(l, r, PL_WAY_IN, PL_TONE_IN, 0, t.text);
	draw_reason(l, r, index);
}

static void draw_tcp_failed(struct pl_ladder *l,
			    const struct pl_report_record *r, size_t index)
{
	char text[TEXT];

	snprintf(text, sizeof text, "TCP to %s: %s",
		 pl_report_text(r->detail, "addr"),
		 pl_report_text(r->detail, "text"));
	pl_draw_note(&l->d, &r->mono_us, 'X', text);
}

/* ----- tls ----- */

static const char *without(const char *text, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(text, prefix, length) == 0 ? text + length : text;
}

static void add_names(struct text *t, const json_t *names, size_t most)
{
	const json_t *name;
	bool first = true;
	size_t i;

	json_array_foreach(names, i, name) {
		if (i == most)
			break;
		if (json_is_string(name))
			add_listed(t, &first,
				   without(json_string_value(name), "DNS:"));
	}
	if (json_array_size(names) > most)
		add(t, " and %zu more", json_array_size(names) - most);
	if (first)
		add(t, "no name");
}

static void add_verdict(struct text *t, const json_t *detail, char *mark)
{
	const json_t *verify = json_object_get(detail, "verify");
	const char *code = pl_report_text(verify, "code");

	if (*code == '\0' || strcmp(code, "none") == 0)
		return;
	if (strncmp(code, "valid", 5) == 0) {
		add(t, "  valid%s", code[5] != '\0' ? " by DANE" : "");
		return;
	}
	*mark = '!';
	add(t, "  %s (%s)", code, pl_report_text(verify, "text"));
}

static const char *verdict_of(const struct pl_report_record *r)
{
	return pl_report_text(json_object_get(r->detail, "verify"), "code");
}

static void add_dane(struct text *t, const json_t *dane)
{
	if (json_is_object(dane) && json_object_get(dane, "usage") == NULL)
		add(t, "  DANE: no TLSA record matches");
	else if (json_is_object(dane))
		add(t, "  DANE %d %d %d%s",
		    (int)pl_report_number(dane, "usage"),
		    (int)pl_report_number(dane, "sel"),
		    (int)pl_report_number(dane, "match"),
		    pl_report_true(dane, "secure") ? "" : " (not secure)");
}

static void draw_certificate(struct pl_ladder *l,
			     const struct pl_report_record *r)
{
	const json_t *peer = json_object_get(r->detail, "peer");
	struct text t = { "" };
	char mark = ' ';

	if (!json_is_object(peer)) {
		note(l, ' ', "the peer showed no certificate");
		return;
	}
	add(&t, "peer certificate: ");
	add_names(&t, json_object_get(peer, "sans"), verbose(l, 1) ? 64
								   : NAMES);
	if (*pl_report_text(peer, "not_after") != '\0')
		add(&t, "  to %.10s", pl_report_text(peer, "not_after"));
	add_dane(&t, json_object_get(r->detail, "dane"));
	add_verdict(&t, r->detail, &mark);
	note(l, mark, "%s", t.text);
	stream_of(l, r)->verdict = verdict_of(r);
	if (!verbose(l, 1))
		return;
	note(l, ' ', "subject %s", pl_report_text(peer, "subject"));
	note(l, ' ', "issuer %s, chain of %d", pl_report_text(peer, "issuer"),
	     (int)pl_report_number(peer, "chain"));
	note(l, ' ', "sha256 %s", pl_report_text(peer, "sha256"));
}

static void draw_tls_start(struct pl_ladder *l,
			   const struct pl_report_record *r, size_t index)
{
	if (!verbose(l, 1) && (next_is(l, index, "tls.done") ||
			       next_is(l, index, "tls.failed")))
		return;
	arrow(l, r, "TLS handshake begins");
	if (!verbose(l, 1))
		return;
	note(l, ' ', "SNI %s  ALPN %s  our certificate is %s",
	     pl_report_text(r->detail, "sni"),
	     pl_report_text(r->detail, "alpn"),
	     pl_report_true(r->detail, "certificate") ? "shown" : "not shown");
}

static void draw_tls_done(struct pl_ladder *l,
			  const struct pl_report_record *r, size_t index)
{
	struct text t = { "" };
	const char *version = pl_report_text(r->detail, "version");

	add(&t, "TLS %s %s %s", without(version, "TLSv"),
	    without(pl_report_text(r->detail, "cipher"), "TLS_"),
	    pl_report_text(r->detail, "group"));
	arrow_timed(l, r, PL_WAY_BOTH, PL_TONE_OK,
		    (uint64_t)pl_report_number(r->detail, "us"), t.text);
	draw_certificate(l, r);
}

static void draw_tls_judged(struct pl_ladder *l,
			    const struct pl_report_record *r, size_t index)
{
	struct text t = { "" };
	char mark = ' ';
	const char *before = stream_of(l, r)->verdict;

	if (before != NULL && strcmp(before, verdict_of(r)) == 0 &&
	    !verbose(l, 1))
		return;
	stream_of(l, r)->verdict = verdict_of(r);
	add(&t, "peer certificate as one of %s:",
	    pl_report_text(r->detail, "domain"));
	add_verdict(&t, r->detail, &mark);
	note(l, mark, "%s", t.text);
}

static void draw_tls_failed(struct pl_ladder *l,
			    const struct pl_report_record *r, size_t index)
{
	char text[TEXT];

	snprintf(text, sizeof text, "TLS failed%s: %s",
		 pl_report_true(r->detail, "alert")
			 ? ": the peer refuses our certificate" : "",
		 pl_report_text(r->detail, "text"));
	pl_draw_note(&l->d, &r->mono_us, 'X', text);
}

static void draw_tls_close(struct pl_ladder *l,
			   const struct pl_report_record *r, size_t index)
{
	if (verbose(l, 1))
		arrow(l, r, "TLS close_notify");
}

/* ----- stream and features ----- */

/* The dialling side's header is drawn; the other one answers it, and where its
 * features follow they are enough. */
static void draw_header(struct pl_ladder *l, const struct pl_report_record *r,
			size_t index)
{
	bool answers = is_in(r) == stream_of(l, r)->dialled;
	const struct pl_report_record *next = next_of(l, index);
	const char *id = pl_report_text(r->detail, "id");
	struct text t = { "" };

	if (answers && !verbose(l, 1) && next != NULL &&
	    pl_report_is(next, "features.offer") &&
	    strcmp(next->dir, r->dir) == 0) {
		stream_of(l, r)->hidden = true;
		return;
	}
	if (l->summary->component && !is_in(r)) /* has no to (XEP-0114 3) */
		add(&t, "<stream> from=%s", pl_report_text(r->detail, "from"));
	else
		add(&t, "<stream> to=%s", pl_report_text(r->detail, "to"));
	arrow(l, r, t.text);
	if (!verbose(l, 1))
		return;
	if (l->summary->component) {
		if (*id != '\0')
			note(l, ' ', "id=%s", id);
		return;
	}
	note(l, ' ', "from=%s%s%s version=%s dialback=%s",
	     pl_report_text(r->detail, "from"), *id ? " id=" : "", id,
	     pl_report_text(r->detail, "version"),
	     pl_report_true(r->detail, "dialback") ? "yes" : "no");
}

static void draw_features(struct pl_ladder *l,
			  const struct pl_report_record *r, size_t index)
{
	struct text t = { "<features> " }, more = { "" };
	const json_t *value;
	bool first = true;
	size_t i;

	if (pl_report_true(r->detail, "starttls"))
		add_listed(&t, &first, pl_report_true(r->detail, "required")
					       ? "STARTTLS (required)"
					       : "STARTTLS");
	json_array_foreach(json_object_get(r->detail, "mechanisms"), i, value)
		if (json_is_string(value) && i < 8)
			add_listed(&t, &first, json_string_value(value));
	if (pl_report_true(r->detail, "dialback"))
		add_listed(&t, &first, "dialback");
	if (first)
		add(&t, "(none for us)");
	arrow(l, r, t.text);
	first = true;
	json_array_foreach(json_object_get(r->detail, "others"), i, value)
		add_listed(&more, &first, pl_report_text(value, "name"));
	if (verbose(l, 1) && !first)
		note(l, ' ', "also: %s", more.text);
}

/* Of a component: its proof, and that it is accepted. Waits behind that are its
 * own business. */
static void draw_handshake(struct pl_ladder *l, const struct pl_report_record *r)
{
	const char *name = pl_report_text(r->detail, "name");
	const char *key = strstr(r->raw, "[key#");
	struct text t = { "" };

	if (strcmp(name, "handshake") != 0)
		add(&t, "<%s>", name);
	else if (is_in(r))
		add(&t, "<handshake>%s%.10s", key ? " " : "", key ? key : "");
	else
		add(&t, "<handshake/> (accepted)");
	arrow(l, r, t.text);
	l->told = l->told || !is_in(r);
}

static void draw_stream_element(struct pl_ladder *l,
				const struct pl_report_record *r, size_t index)
{
	struct text t = { "" };

	if (l->summary->component) {
		draw_handshake(l, r);
		return;
	}
	add(&t, "<%s> (means nothing here)", pl_report_text(r->detail, "name"));
	arrow(l, r, t.text);
}

/* ----- starttls and sasl ----- */

static void draw_starttls(struct pl_ladder *l,
			  const struct pl_report_record *r, size_t index)
{
	if (pl_report_is(r, "starttls.request"))
		arrow(l, r, "<starttls/>");
	else if (pl_report_is(r, "starttls.proceed"))
		arrow(l, r, "<proceed/>");
	else
		arrow_bad(l, r, "<failure/> of STARTTLS");
}

static void draw_sasl(struct pl_ladder *l, const struct pl_report_record *r,
		      size_t index)
{
	const char *verb = strchr(r->event, '.') + 1;
	const char *mech = pl_report_text(r->detail, "mech");
	const char *authzid = pl_report_text(r->detail, "authzid");
	const char *text = pl_report_text(r->detail, "text");
	struct text t = { "" };

	if (strcmp(verb, "auth") == 0)
		add(&t, "<auth %s>%s%s", mech, *authzid ? " as " : "",
		    authzid);
	else if (strcmp(verb, "failure") == 0)
		add(&t, "<failure %s> of SASL",
		    pl_report_text(r->detail, "condition"));
	else
		add(&t, "<%s/>%s%s", verb, *authzid ? " for " : "", authzid);
	if (strcmp(verb, "failure") == 0)
		arrow_bad(l, r, t.text);
	else
		arrow(l, r, t.text);
	if (*text != '\0')
		note(l, '!', "in %s words: \"%s\"", is_in(r) ? "the peer's"
							     : "our", text);
}

/* ----- dialback ----- */

static bool same_detail(const struct pl_report_record *a, const char *key_a,
			const struct pl_report_record *b, const char *key_b)
{
	return strcmp(pl_report_text(a->detail, key_a),
		      pl_report_text(b->detail, key_b)) == 0;
}

/* Is a db:verify about this db:result? Its sender is the other's target. */
static bool is_about(const struct pl_report_record *verify,
		     const struct pl_report_record *result)
{
	return result != NULL && same_detail(verify, "from", result, "to") &&
	       same_detail(verify, "to", result, "from");
}

/* The key that is asked about, against the one that went over the other
 * connection for the same pair. */
static void draw_key(struct pl_ladder *l, const struct pl_report_record *r)
{
	const char *key = pl_report_text(r->detail, "key");
	const struct pl_report_record *asked = NULL;
	const char *first;

	for (size_t i = 0; i < 2; i++)
		if (is_about(r, l->asked_by[i]))
			asked = l->asked_by[i];
	if (asked == NULL || *key == '\0')
		return;
	first = pl_report_text(asked->detail, "key");
	if (strcmp(key, first) == 0)
		note(l, ' ', "the same key as on %s", asked->stream);
	else
		note(l, '!', "not the key of %s, which was %s",
		     asked->stream, first);
}

static bool bad_type(const char *type)
{
	return strcmp(type, "error") == 0 || strcmp(type, "invalid") == 0;
}

/* A refused key, and nobody came to ask about it: the first thing to know. */
static void draw_no_callback(struct pl_ladder *l,
			     const struct pl_report_record *r)
{
	const char *type = pl_report_text(r->detail, "type");

	if (!is_in(r) || l->accepted || l->asked == NULL || !bad_type(type))
		return;
	note(l, '!', "nobody connected to us to ask about the key (waited "
	     "%.1f s)", (double)(r->mono_us - l->asked->mono_us) / 1e6);
}

static void draw_dialback(struct pl_ladder *l,
			  const struct pl_report_record *r, size_t index)
{
	bool verify = pl_report_is(r, "dialback.verify");
	const char *type = pl_report_text(r->detail, "type");
	const char *condition = pl_report_text(r->detail, "condition");
	const char *key = pl_report_text(r->detail, "key");
	struct text t = { "" };

	if (!verify)
		draw_no_callback(l, r);
	add(&t, "<db:%s", verify ? "verify" : "result");
	if (*condition != '\0')
		add(&t, " %s %s", type, condition);
	else if (*type != '\0')
		add(&t, " type=%s", type);
	add(&t, ">");
	if (*key != '\0')
		add(&t, " %s", key);
	if (verify && *type == '\0')
		add(&t, " id=%s", pl_report_text(r->detail, "id"));
	if (bad_type(type))
		arrow_bad(l, r, t.text);
	else
		arrow(l, r, t.text);
	if (verify && *type == '\0')
		draw_key(l, r);
	else if (!verify && *type == '\0')
		l->asked = l->asked_by[is_in(r)] = r;
}

static void draw_ignored(struct pl_ladder *l, const struct pl_report_record *r,
			 size_t index)
{
	note(l, '!', "an answer that nobody asked for: %s",
	     pl_report_text(r->detail, "text"));
}

/* ----- policy ----- */

static const char *choice_words(const struct pl_report_record *r,
				const char *choice)
{
	static const char *const words[][2] = {
		{ "starttls", "STARTTLS" },
		{ "stay-in-clear", "stay in clear: TCP Dialback" },
		{ "external", "SASL EXTERNAL" },
		{ "accept-external", "accept SASL EXTERNAL" },
		{ "accept-dialback", "accept dialback, verify the key" },
		{ "certificate", "proven by its certificate" },
		{ "retry", "try again" },
	};

	/* A connection that another one caused serves it. */
	if (r->parent[0] != '\0' && (strcmp(choice, "dialback") == 0 ||
				     strcmp(choice, "stay-in-clear") == 0))
		return "ask about the key";
	if (strcmp(choice, "dialback") == 0)
		return r->encrypted ? "TLS Dialback" : "TCP Dialback";
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(words[i][0], choice) == 0)
			return words[i][1];
	return choice;
}

/* The same, as what was not done. */
static const char *way_words(const char *choice)
{
	static const char *const words[][2] = {
		{ "starttls", "STARTTLS" },
		{ "stay-in-clear", "in clear" },
		{ "external", "EXTERNAL" },
		{ "accept-external", "EXTERNAL" },
		{ "accept-dialback", "dialback" },
		{ "certificate", "by certificate" },
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(words[i][0], choice) == 0)
			return words[i][1];
	return choice;
}

/* Why not a better way than the chosen one: that is what is asked first. What
 * is merely over or done needs no word. */
static bool is_news(const char *choice, const json_t *rejected)
{
	static const unsigned quiet[] = { PL_WHY_DONE, PL_WHY_NOT_NOW,
		PL_WHY_BETTER, PL_WHY_FALLBACK, PL_WHY_OVER,
		PL_WHY_VERIFY_ONLY };
	const char *way = pl_report_text(rejected, "choice");
	const char *reason = pl_report_text(rejected, "reason");

	if (strcmp(choice, "refuse") == 0)
		return true;
	for (size_t i = 0; i < sizeof quiet / sizeof *quiet; i++)
		if (strcmp(reason, pl_why_not_text(quiet[i])) == 0)
			return false;
	return (strcmp(choice, "stay-in-clear") == 0 &&
		strcmp(way, "starttls") == 0) ||
	       (strstr(choice, "dialback") != NULL &&
		strstr(way, "external") != NULL);
}

static void draw_rejected(struct pl_ladder *l, const char *choice,
			  const json_t *rejected)
{
	const json_t *one;
	size_t i;

	json_array_foreach(rejected, i, one) {
		if (i == 8)
			break;
		if (verbose(l, 1) || is_news(choice, one))
			note(l, ' ', "  not %s: %s",
			     way_words(pl_report_text(one, "choice")),
			     pl_report_text(one, "reason"));
	}
}

static bool lists(const json_t *array, const char *wanted)
{
	const json_t *value;
	size_t i;

	json_array_foreach(array, i, value)
		if (json_is_string(value) &&
		    strcmp(json_string_value(value), wanted) == 0)
			return true;
	return false;
}

/* "offered STARTTLS, dialback -> ": where we dialled, what the peer offers. */
static void add_offers(struct text *t, const json_t *offers)
{
	static const char *const words[][2] = {
		{ "starttls", "STARTTLS" }, { "external", "EXTERNAL" },
		{ "dialback", "dialback" },
	};
	bool first = true;

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (lists(offers, words[i][0])) {
			add(t, "%s%s", first ? "offered " : ", ", words[i][1]);
			first = false;
		}
	if (!first)
		add(t, " -> ");
}

static void draw_choice(struct pl_ladder *l, const struct pl_report_record *r,
			size_t index)
{
	const char *choice = pl_report_text(r->detail, "choice");
	const char *rule = pl_report_text(r->detail, "rule");
	bool refuse = strcmp(choice, "refuse") == 0;
	bool clear = strcmp(choice, "stay-in-clear") == 0;
	bool dialled = stream_of(l, r)->dialled;
	const json_t *offers = json_object_get(r->detail, "offers");
	struct text t = { "policy: " };

	if (strcmp(choice, "offer") == 0 && !verbose(l, 1))
		return;
	if (dialled)
		add_offers(&t, offers);
	add(&t, "%s", choice_words(r, choice));
	/* What is needed is asked for all the same. */
	if (dialled && strcmp(choice, "starttls") == 0 &&
	    !lists(offers, "starttls"))
		add(&t, ", though it is not offered");
	pl_draw_note(&l->d, &r->mono_us, refuse ? 'X' : clear ? '!' : ' ',
		     t.text);
	draw_rejected(l, choice, json_object_get(r->detail, "rejected"));
	if ((refuse || verbose(l, 1)) && *rule != '\0')
		note(l, ' ', "  rule: row %d of %s",
		     (int)pl_report_number(r->detail, "row"), rule);
	if (clear)
		note(l, '!', "every byte can be read and changed on the path");
}

/* What the command found out beside the negotiation. */
static void draw_command_note(struct pl_ladder *l,
			      const struct pl_report_record *r, size_t index)
{
	(void)index;
	note(l, strcmp(r->level, "warning") == 0 ? '!' : ' ', "%s",
	     pl_report_text(r->detail, "text"));
}

static void draw_step(struct pl_ladder *l, const struct pl_report_record *r,
		      size_t index)
{
	char text[TEXT];

	if (!verbose(l, 3))
		return;
	snprintf(text, sizeof text, "%s: %s", r->stream, r->summary);
	pl_draw_note(&l->d, &r->mono_us, ' ', text);
}

/* ----- established, stanzas, ends ----- */

/* Without names it is the whole of a connection that never told any. */
static bool of_the_pair(const struct pl_ladder *l,
			const struct pl_report_record *r)
{
	const char *local = pl_report_text(r->detail, "local");
	const char *remote = pl_report_text(r->detail, "remote");

	return (*local == '\0' && *remote == '\0') ||
	       (strcmp(remote, l->summary->remote) == 0 &&
		strcmp(local, l->summary->local) == 0);
}

static const char *title_of(const char *name)
{
	enum pl_method method;

	return pl_method_parse(name, &method) ? pl_method_title(method) : name;
}

/* The pair of the trace is told at the end. */
static void draw_open(struct pl_ladder *l, const struct pl_report_record *r,
		      size_t index)
{
	char text[TEXT];

	if (of_the_pair(l, r)) {
		l->told = true;
		if (!verbose(l, 1))
			return;
	}
	snprintf(text, sizeof text, "%s and %s are authenticated: %s%s",
		 pl_report_text(r->detail, "local"),
		 pl_report_text(r->detail, "remote"),
		 title_of(pl_report_text(r->detail, "method")),
		 pl_report_true(r->detail, "by_certificate")
			 ? ", verified by certificate" : "");
	pl_draw_note(&l->d, &r->mono_us, ' ', text);
}

static void draw_pair_failed(struct pl_ladder *l,
			     const struct pl_report_record *r, size_t index)
{
	char text[TEXT];

	if (of_the_pair(l, r)) {
		l->told = true;
		if (l->trace->end != NULL)
			return;
	}
	snprintf(text, sizeof text, "%s and %s: %s",
		 pl_report_text(r->detail, "local"),
		 pl_report_text(r->detail, "remote"),
		 pl_report_text(r->detail, "why"));
	pl_draw_note(&l->d, &r->mono_us, 'X', text);
}

static void draw_gone(struct pl_ladder *l, const struct pl_report_record *r,
		      size_t index)
{
	if (verbose(l, 1))
		note(l, ' ', "%s and %s: the pair ended",
		     pl_report_text(r->detail, "local"),
		     pl_report_text(r->detail, "remote"));
}

static void draw_stanza(struct pl_ladder *l, const struct pl_report_record *r,
			size_t index)
{
	struct text t = { "" };
	const char *type = pl_report_text(r->detail, "type");

	if (!verbose(l, 1))
		return;
	add(&t, "<%s%s%s> %s to %s", pl_report_text(r->detail, "kind"),
	    *type ? " " : "", type, pl_report_text(r->detail, "from"),
	    pl_report_text(r->detail, "to"));
	arrow(l, r, t.text);
}

/* Without -v an end is drawn where it is news: the peer's, before the
 * outcome. */
static bool end_is_news(const struct pl_ladder *l,
			const struct pl_report_record *r)
{
	return verbose(l, 1) || (is_in(r) && !l->told);
}

static void draw_close(struct pl_ladder *l, const struct pl_report_record *r,
		       size_t index)
{
	struct text t = { "" };

	if (!end_is_news(l, r))
		return;
	if (pl_report_is(r, "close.stream"))
		add(&t, "</stream>");
	else
		add(&t, "TCP ends (%s)", pl_report_text(r->detail, "how"));
	arrow(l, r, t.text);
}

static void draw_stream_error(struct pl_ladder *l,
			      const struct pl_report_record *r, size_t index)
{
	const char *text = pl_report_text(r->detail, "text");
	struct text t = { "" };

	add(&t, "<stream:error %s>", pl_report_text(r->detail, "condition"));
	arrow_bad(l, r, t.text);
	if (*text != '\0')
		note(l, '!', "in %s words: \"%s\"", is_in(r) ? "the peer's"
							     : "our", text);
}

static void draw_fault(struct pl_ladder *l, const struct pl_report_record *r,
		       size_t index)
{
	char text[TEXT];

	snprintf(text, sizeof text, "what came is refused: %s",
		 pl_report_text(r->detail, "text"));
	pl_draw_note(&l->d, &r->mono_us, 'X', text);
}

static void draw_deadline(struct pl_ladder *l,
			  const struct pl_report_record *r, size_t index)
{
	char text[TEXT];

	snprintf(text, sizeof text, "no answer in time (%s; waited %.1f s)",
		 pl_report_text(r->detail, "deadline"),
		 (double)l->waited_us / 1e6);
	pl_draw_note(&l->d, &r->mono_us, 'X', text);
}

static void draw_dropped(struct pl_ladder *l, const struct pl_report_record *r,
			 size_t index)
{
	note(l, '!', "%d records are missing here",
	     (int)pl_report_number(r->detail, "count"));
}

static void draw_nothing(struct pl_ladder *l, const struct pl_report_record *r,
			 size_t index)
{
}

/* ----- the table ----- */

static const struct {
	const char *event;
	void (*draw)(struct pl_ladder *l, const struct pl_report_record *r,
		     size_t index);
} events[] = {
	{ "trace.begin", draw_nothing },
	{ "trace.end", draw_nothing },
	{ "trace.dropped", draw_dropped },
	{ "dns.query", draw_dns_query },
	{ "dns.answer", draw_dns_answer },
	{ "dns.failed", draw_dns_failed },
	{ "tcp.connect", draw_tcp_connect },
	{ "tcp.connected", draw_tcp_connected },
	{ "tcp.accepted", draw_tcp_accepted },
	{ "tcp.failed", draw_tcp_failed },
	{ "tls.start", draw_tls_start },
	{ "tls.done", draw_tls_done },
	{ "tls.judged", draw_tls_judged },
	{ "tls.failed", draw_tls_failed },
	{ "tls.close", draw_tls_close },
	{ "stream.header", draw_header },
	{ "stream.element", draw_stream_element },
	{ "features.offer", draw_features },
	{ "starttls.request", draw_starttls },
	{ "starttls.proceed", draw_starttls },
	{ "starttls.failure", draw_starttls },
	{ "sasl.auth", draw_sasl },
	{ "sasl.challenge", draw_sasl },
	{ "sasl.response", draw_sasl },
	{ "sasl.success", draw_sasl },
	{ "sasl.abort", draw_sasl },
	{ "sasl.failure", draw_sasl },
	{ "dialback.result", draw_dialback },
	{ "dialback.verify", draw_dialback },
	{ "dialback.ignored", draw_ignored },
	{ "policy.choice", draw_choice },
	{ "policy.step", draw_step },
	{ "policy.note", draw_command_note },
	{ "established.open", draw_open },
	{ "established.failed", draw_pair_failed },
	{ "established.gone", draw_gone },
	{ "stanza.seen", draw_stanza },
	{ "close.stream", draw_close },
	{ "close.tcp", draw_close },
	{ "error.stream", draw_stream_error },
	{ "error.fault", draw_fault },
	{ "error.deadline", draw_deadline },
};

static void draw_unknown(struct pl_ladder *l, const struct pl_report_record *r)
{
	if (is_in(r) || strcmp(r->dir, "out") == 0)
		arrow(l, r, r->summary);
	else
		note(l, ' ', "%s: %s", r->event, r->summary);
}

static void draw(struct pl_ladder *l, const struct pl_report_record *r,
		 size_t index)
{
	for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
		if (pl_report_is(r, events[i].event)) {
			events[i].draw(l, r, index);
			return;
		}
	}
	draw_unknown(l, r);
}

static void draw_element(struct pl_ladder *l, const struct pl_report_record *r)
{
	if (!verbose(l, 2) || r->raw[0] == '\0')
		return;
	pl_draw_raw(&l->d, r->raw);
	if (r->trunc > 0)
		note(l, ' ', "(%zu more bytes were not kept)", r->trunc);
}

void pl_ladder_event(struct pl_ladder *ladder, size_t index)
{
	const struct pl_report_record *r = &ladder->trace->records[index];
	struct pl_ladder_stream *stream = stream_of(ladder, r);

	if (strncmp(r->event, "tcp.connect", 11) == 0)
		stream->dialled = true;
	else if (!stream->known)
		stream->dialled = strcmp(r->role, "initiator") == 0;
	if (pl_report_is(r, "tcp.accepted")) {
		stream->dialled = false;
		ladder->accepted |= strcmp(r->stream, "s1") != 0;
	}
	stream->known = true;
	ladder->waited_us = stream->timed && r->mono_us > stream->last_us
				    ? r->mono_us - stream->last_us : 0;
	if (pl_report_is(r, "policy.step")) {
		draw(ladder, r, index);
		return;
	}
	stream->hidden = false;
	draw(ladder, r, index);
	if (stream->hidden)
		return;
	draw_element(ladder, r);
	stream->timed = true;
	stream->last_us = r->mono_us;
}
