/*
 * What a trace says, in a few words. All of it comes from the records and from
 * the core: what would work is asked of the machine, row by row.
 */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "parley/log.h"

enum { STREAMS = 64, EXPIRY_DAYS = 21, SLOW_US = 1000000 };

/* One connection of the trace. */
struct hop {
	bool known, dialled, main;
	const struct pl_report_record *last; /* seen so far */
};

struct facts {
	const struct pl_report_trace *trace;
	struct pl_report_summary *summary;
	struct hop hops[STREAMS + 1]; /* by the number of "sN" */
	struct pl_peer_offer peer;
	const struct pl_report_record *opened, *failed; /* of the pair */
	const struct pl_report_record *certificate;     /* tls.done */
	bool secure_dns, asked_dns, we_offered_tls, in_clear;
	uint64_t slowest_us;
	const struct pl_report_record *slowest;
};

/* ----- small pieces ----- */

static void copy(char *out, size_t size, const char *text)
{
	pl_text_printable(out, size, text, strlen(text));
}

/* Appends to a text of that size, as far as it fits. */
static void add(char *out, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void add(char *out, size_t size, const char *format, ...)
{
	size_t length = strlen(out);
	va_list list;

	va_start(list, format);
	vsnprintf(out + length, size - length, format, list);
	va_end(list);
}

static struct hop *hop_of(struct facts *facts, const char *stream)
{
	unsigned number = 0;

	for (stream++; *stream >= '0' && *stream <= '9'; stream++)
		number = number * 10 + (unsigned)(*stream - '0');
	return &facts->hops[number <= STREAMS ? number : 0];
}

static bool is_in(const struct pl_report_record *r)
{
	return strcmp(r->dir, "in") == 0;
}

static bool parse_certificate(const char *text, enum pl_certificate *out)
{
	for (int i = 0; i < PL_CERTS; i++) {
		const char *name = pl_certificate_name((enum pl_certificate)i);

		if (strcmp(name, text) == 0) {
			*out = (enum pl_certificate)i;
			return true;
		}
	}
	*out = PL_CERT_VALID;
	return strcmp(text, "valid/dane") == 0;
}

/* ----- the policy, from trace.begin ----- */

static void read_policy(struct pl_report_summary *s, const json_t *begin)
{
	int64_t row = pl_report_number(begin, "row");
	enum pl_level tls, sasl;

	if (row >= 1 && row <= PL_POLICY_ROWS) {
		s->row = (int)row;
		s->policy = pl_policy_of_row(s->row);
		return;
	}
	if (!pl_level_parse(pl_report_text(begin, "tls"), &tls) ||
	    !pl_level_parse(pl_report_text(begin, "sasl"), &sasl))
		return;
	s->policy.tls = (uint8_t)tls;
	s->policy.sasl = (uint8_t)sasl;
	s->policy.dialback = pl_report_true(begin, "dialback") ||
			     strcmp(pl_report_text(begin, "dialback"),
				    "yes") == 0;
	s->row = pl_policy_row(&s->policy);
}

/* ----- which connections are ours to the peer ----- */

/* "tcp.connect" is what the dialling side writes; without it the role tells. */
static void meet_hops(struct facts *facts)
{
	for (size_t i = 0; i < facts->trace->all_count; i++) {
		const struct pl_report_record *r = &facts->trace->all[i];
		struct hop *hop = hop_of(facts, r->stream);

		if (pl_report_is(r, "tcp.accepted"))
			hop->dialled = false;
		else if (strncmp(r->event, "tcp.connect", 11) == 0)
			hop->dialled = true;
		else if (!hop->known)
			hop->dialled = strcmp(r->role, "initiator") == 0;
		hop->main = hop->known ? hop->main : true;
		if (r->parent[0] != '\0')
			hop->main = false;
		hop->known = true;
	}
}

/* A connection that we dialled because another one of ours failed is of the
 * same kind; only those of the other direction serve it. */
static void choose_main(struct facts *facts)
{
	bool dialled = facts->hops[1].dialled;

	facts->summary->incoming = !dialled;
	for (size_t i = 0; i <= STREAMS; i++)
		facts->hops[i].main = facts->hops[i].main &&
				      facts->hops[i].dialled == dialled;
}

/* ----- what the peer offers ----- */

static void learn(enum pl_known *what, bool yes)
{
	if (*what != PL_YES)
		*what = yes ? PL_YES : PL_NO;
}

static bool lists_external(const json_t *detail)
{
	const json_t *list = json_object_get(detail, "mechanisms"), *value;
	size_t i;

	json_array_foreach(list, i, value)
		if (json_is_string(value) &&
		    strcmp(json_string_value(value), "EXTERNAL") == 0)
			return true;
	return false;
}

/* STARTTLS without anything else is required (RFC 6120 5.3.1). */
static bool tls_is_required(const json_t *d)
{
	return pl_report_true(d, "required") ||
	       (!pl_report_true(d, "dialback") &&
		json_array_size(json_object_get(d, "mechanisms")) == 0 &&
		json_array_size(json_object_get(d, "others")) == 0);
}

static void on_features(struct facts *facts, const struct pl_report_record *r)
{
	struct pl_peer_offer *peer = &facts->peer;

	if (!is_in(r)) {
		facts->we_offered_tls |= !r->encrypted &&
					 pl_report_true(r->detail, "starttls");
		return;
	}
	if (r->encrypted) {
		learn(&peer->external, lists_external(r->detail));
		learn(&peer->dialback_tls,
		      pl_report_true(r->detail, "dialback"));
		return;
	}
	learn(&peer->starttls, pl_report_true(r->detail, "starttls"));
	learn(&peer->dialback_clear, pl_report_true(r->detail, "dialback"));
	peer->starttls_required = pl_report_true(r->detail, "starttls") &&
				  tls_is_required(r->detail);
}

/* A server older than features speaks dialback and no TLS. */
static void on_header(struct facts *facts, const struct pl_report_record *r)
{
	struct pl_peer_offer *peer = &facts->peer;
	bool old = strcmp(pl_report_text(r->detail, "version"), "1.0") < 0;

	if (!is_in(r))
		return;
	facts->summary->spoke = true;
	if (facts->summary->incoming)
		return;
	if (pl_report_true(r->detail, "dialback") || old)
		learn(r->encrypted ? &peer->dialback_tls
				   : &peer->dialback_clear, true);
	if (old && !r->encrypted)
		learn(&peer->starttls, false);
}

/* What the peer does on its own connection shows what it can do. */
static void on_dialback(struct facts *facts, const struct pl_report_record *r)
{
	struct pl_peer_offer *peer = &facts->peer;
	const char *type = pl_report_text(r->detail, "type");

	if (!pl_report_is(r, "dialback.result"))
		return;
	if (!r->encrypted)
		facts->in_clear = true;
	if (facts->summary->incoming && is_in(r) && *type == '\0')
		learn(r->encrypted ? &peer->dialback_tls
				   : &peer->dialback_clear, true);
	if (strcmp(type, "invalid") == 0 || strcmp(type, "error") == 0)
		peer->refuses_dialback = true;
}

static void on_sasl(struct facts *facts, const struct pl_report_record *r)
{
	bool external = strcmp(pl_report_text(r->detail, "mech"),
			       "EXTERNAL") == 0;

	if (pl_report_is(r, "sasl.auth") && is_in(r) && external)
		learn(&facts->peer.external, true);
	if (pl_report_is(r, "sasl.failure"))
		facts->peer.refuses_external = true;
}

static void on_verdict(struct facts *facts, const struct pl_report_record *r)
{
	const json_t *verify = json_object_get(r->detail, "verify");
	const char *text = pl_report_text(verify, "code");

	if (*text == '\0')
		return;
	copy(facts->summary->cert, sizeof facts->summary->cert, text);
	if (parse_certificate(text, &facts->peer.certificate))
		facts->peer.certificate_known = true;
}

static void on_tls(struct facts *facts, const struct pl_report_record *r)
{
	struct pl_report_summary *s = facts->summary;

	if (pl_report_is(r, "tls.start"))
		facts->peer.own_certificate =
			json_object_get(r->detail, "certificate") == NULL ||
			pl_report_true(r->detail, "certificate");
	if (pl_report_is(r, "tls.failed"))
		facts->peer.refuses_tls = true;
	if (pl_report_is(r, "tls.judged"))
		on_verdict(facts, r);
	if (!pl_report_is(r, "tls.done"))
		return;
	copy(s->tls, sizeof s->tls, pl_report_text(r->detail, "version"));
	copy(s->cipher, sizeof s->cipher, pl_report_text(r->detail, "cipher"));
	learn(&facts->peer.starttls, true);
	facts->certificate = r;
	on_verdict(facts, r);
}

static void on_tcp(struct facts *facts, const struct pl_report_record *r)
{
	struct pl_report_summary *s = facts->summary;
	const char *addr = pl_report_text(r->detail, "addr");

	if (*addr != '\0')
		copy(s->addr, sizeof s->addr, addr);
	if (pl_report_true(r->detail, "direct_tls"))
		s->direct_tls = true;
	if (pl_report_is(r, "tcp.connected") ||
	    pl_report_is(r, "tcp.accepted"))
		s->reached = true;
}

static void on_starttls(struct facts *facts, const struct pl_report_record *r)
{
	if (pl_report_is(r, "starttls.request") && is_in(r))
		learn(&facts->peer.starttls, true);
	if (pl_report_is(r, "starttls.failure"))
		facts->peer.refuses_tls = true;
}

static void on_main(struct facts *facts, const struct pl_report_record *r)
{
	if (pl_report_is(r, "features.offer"))
		on_features(facts, r);
	else if (pl_report_is(r, "stream.header"))
		on_header(facts, r);
	else if (strcmp(r->stage, "dialback") == 0)
		on_dialback(facts, r);
	else if (strcmp(r->stage, "sasl") == 0)
		on_sasl(facts, r);
	else if (strcmp(r->stage, "tls") == 0)
		on_tls(facts, r);
	else if (strcmp(r->stage, "tcp") == 0)
		on_tcp(facts, r);
	else if (strcmp(r->stage, "starttls") == 0)
		on_starttls(facts, r);
}

static bool of_the_pair(const struct facts *facts,
			const struct pl_report_record *r)
{
	const char *remote = pl_report_text(r->detail, "remote");

	return *remote == '\0' || facts->summary->remote[0] == '\0' ||
	       strcmp(remote, facts->summary->remote) == 0;
}

/* Where the beginning is lost, a later record may know the row. */
static void on_row(struct facts *facts, const struct pl_report_record *r)
{
	struct pl_report_summary *s = facts->summary;
	int64_t row = pl_report_number(r->detail, "row");

	if (s->row != 0 || row < 1 || row > PL_POLICY_ROWS)
		return;
	s->row = (int)row;
	s->policy = pl_policy_of_row(s->row);
}

static void on_any(struct facts *facts, const struct pl_report_record *r)
{
	if (facts->trace->begin == NULL && hop_of(facts, r->stream)->main &&
	    (pl_report_is(r, "policy.choice") ||
	     pl_report_is(r, "established.open")))
		on_row(facts, r);
	if (pl_report_is(r, "established.open") && of_the_pair(facts, r))
		facts->opened = r;
	if (pl_report_is(r, "established.failed") && of_the_pair(facts, r))
		facts->failed = r;
	if (pl_report_is(r, "dns.answer")) {
		facts->asked_dns = true;
		facts->secure_dns = pl_report_true(r->detail, "secure");
	}
}

/* A wait that belongs to one connection: between two of its records. */
static void on_wait(struct facts *facts, struct hop *hop,
		    const struct pl_report_record *r)
{
	uint64_t waited = hop->last != NULL ? r->mono_us - hop->last->mono_us
					    : 0;

	hop->last = r;
	if (!is_in(r) || waited <= facts->slowest_us)
		return;
	facts->slowest_us = waited;
	facts->slowest = r;
}

static void scan(struct facts *facts)
{
	bool before = true; /* the outcome */

	for (size_t i = 0; i < facts->trace->all_count; i++) {
		const struct pl_report_record *r = &facts->trace->all[i];
		struct hop *hop = hop_of(facts, r->stream);

		if (hop->main)
			on_main(facts, r);
		if (before && hop->main)
			on_wait(facts, hop, r);
		on_any(facts, r);
		before = before && facts->opened == NULL &&
			 facts->failed == NULL;
	}
}

/* A peer that had the choice on its own connection and did otherwise. */
static void conclude_incoming(struct facts *facts)
{
	struct pl_peer_offer *peer = &facts->peer;

	if (!facts->summary->incoming || !facts->summary->spoke)
		return;
	if (peer->starttls == PL_UNKNOWN && facts->we_offered_tls)
		peer->starttls = PL_NO;
	if (peer->external == PL_UNKNOWN && peer->dialback_tls == PL_YES)
		peer->external = PL_NO;
}

/* ----- in words ----- */

static void name_offers(const struct facts *facts, char *out, size_t size)
{
	const struct pl_report_summary *s = facts->summary;
	const struct pl_peer_offer *peer = &facts->peer;
	const char *comma = "";

	*out = '\0';
	if (!s->spoke) {
		add(out, size, s->reached ? "not known: no stream header came"
					  : "not known: it was not reached");
		return;
	}
#define OFFER(...) (add(out, size, "%s", comma), add(out, size, __VA_ARGS__), \
		    comma = ", ")
	if (peer->starttls == PL_YES)
		OFFER("%s%s", s->direct_tls ? "direct TLS" : "STARTTLS",
		      peer->starttls_required ? " (required)" : "");
	if (peer->external == PL_YES)
		OFFER("EXTERNAL");
	if (peer->dialback_tls == PL_YES || peer->dialback_clear == PL_YES)
		OFFER("dialback%s", peer->starttls != PL_YES ? ""
		      : peer->dialback_tls == PL_NO ? " in clear alone" : "");
	if (*comma == '\0')
		OFFER("nothing");
	comma = "; no ";
	if (peer->starttls == PL_NO)
		OFFER("STARTTLS");
	if (peer->external == PL_NO)
		OFFER("EXTERNAL");
	if (peer->dialback_tls == PL_NO && peer->dialback_clear != PL_YES)
		OFFER("dialback");
#undef OFFER
}

static void name_requires(const struct pl_report_summary *s, char *out,
			  size_t size)
{
	enum pl_method methods[3];
	size_t count = pl_policy_methods(&s->policy, methods);
	const char *tls = s->direct_tls ? "TLS" : "STARTTLS";
	bool sasl, under_tls, clear;

	*out = '\0';
	if (s->row == 0) {
		add(out, size, "not known: no partner section matched");
		return;
	}
	sasl = pl_policy_allows(&s->policy, PL_METHOD_SASL_OVER_TLS);
	under_tls = pl_policy_allows(&s->policy, PL_METHOD_TLS_DIALBACK);
	clear = pl_policy_allows(&s->policy, PL_METHOD_TCP_DIALBACK);
	if (count == 0)
		add(out, size, "what cannot be: this row allows no method");
	else if (!clear)
		add(out, size, "%s, then %s%s%s", tls, sasl ? "EXTERNAL" : "",
		    sasl && under_tls ? " or " : "",
		    under_tls ? "dialback" : "");
	else if (!sasl && !under_tls)
		add(out, size, "dialback in clear (TLS is off)");
	else
		add(out, size, "%sdialback, under TLS where it is offered",
		    sasl ? "EXTERNAL under TLS, or " : "");
}

static unsigned rows_of(const enum pl_method works[PL_POLICY_ROWS + 1],
			enum pl_method method)
{
	unsigned rows = 0;

	for (int row = 1; row <= PL_POLICY_ROWS; row++)
		if (works[row] == method)
			rows |= 1U << row;
	return rows;
}

/* "tls=optional|not-supported "; nothing where all three will do. */
static void name_levels(const char *setting, unsigned levels, char *out,
			size_t size)
{
	const char *before = "=";

	if (levels == 7)
		return;
	add(out, size, "%s", setting);
	for (int i = PL_REQUIRED; i <= PL_NOT_SUPPORTED; i++) {
		if (!(levels >> i & 1))
			continue;
		add(out, size, "%s%s", before,
		    pl_level_name((enum pl_level)i));
		before = "|";
	}
	add(out, size, " ");
}

/* The settings that make exactly these rows, where they are a plain choice of
 * values: "tls=optional|not-supported dialback=yes". */
static void name_settings(unsigned rows, char *out, size_t size)
{
	unsigned tls = 0, sasl = 0, dialback = 0;

	for (int row = 1; row <= PL_POLICY_ROWS; row++) {
		struct pl_policy p = pl_policy_of_row(row);

		if (rows >> row & 1) {
			tls |= 1U << p.tls;
			sasl |= 1U << p.sasl;
			dialback |= 1U << p.dialback;
		}
	}
	for (int row = 1; row <= PL_POLICY_ROWS; row++) {
		struct pl_policy p = pl_policy_of_row(row);

		if (!(rows >> row & 1) && (tls >> p.tls & 1) &&
		    (sasl >> p.sasl & 1) && (dialback >> p.dialback & 1) &&
		    pl_policy_valid(&p))
			return;
	}
	name_levels("tls", tls, out, size);
	name_levels("sasl", sasl, out, size);
	if (dialback != 3)
		add(out, size, "dialback=%s ", dialback == 2 ? "yes" : "no");
}

static void name_rows(unsigned rows, char *out, size_t size)
{
	const char *before = (rows & (rows - 1)) != 0 ? "(rows " : "(row ";

	for (int row = 1; row <= PL_POLICY_ROWS; row++) {
		if (!(rows >> row & 1))
			continue;
		add(out, size, "%s%d", before, row);
		before = ", ";
	}
	add(out, size, ")");
}

static void name_works(struct facts *facts, char *out, size_t size)
{
	enum pl_method works[PL_POLICY_ROWS + 1] = { PL_METHOD_NONE };
	const char *before = "";

	*out = '\0';
	if (!facts->summary->spoke) {
		add(out, size, "not known: nothing was offered yet");
		return;
	}
	for (int row = 1; row <= PL_POLICY_ROWS; row++) {
		struct pl_policy policy = pl_policy_of_row(row);

		works[row] = pl_would_work(&policy, &facts->peer);
	}
	for (int m = PL_METHOD_SASL_OVER_TLS; m > PL_METHOD_NONE; m--) {
		unsigned rows = rows_of(works, (enum pl_method)m);
		char settings[100] = "";

		if (rows == 0)
			continue;
		facts->summary->rows_would_work |= rows;
		name_settings(rows, settings, sizeof settings);
		add(out, size, "%s%s%s%s ", before, settings,
		    settings[0] != '\0' ? "-> " : "",
		    pl_method_title((enum pl_method)m));
		name_rows(rows, out, size);
		if (m == PL_METHOD_TCP_DIALBACK)
			add(out, size, ", unencrypted");
		before = "; ";
	}
	if (*before == '\0')
		add(out, size, "no row, as far as this negotiation shows");
}

/* ----- the end ----- */

static void read_stages(struct pl_report_summary *s, const json_t *stages)
{
	for (int i = PL_STAGE_DNS; i <= PL_STAGE_ERROR; i++) {
		const char *name = pl_stage_name((enum pl_stage)i);
		const json_t *ms = json_object_get(stages, name);
		double value = json_number_value(ms);

		if (ms == NULL || value < 0 || value > 1e9)
			continue;
		snprintf(s->stages[s->stages_count].name,
			 sizeof s->stages[0].name, "%s", name);
		s->stages[s->stages_count++].us = (uint64_t)(value * 1000);
	}
}

static enum pl_stage parse_stage(const char *text, enum pl_stage otherwise)
{
	for (int i = PL_STAGE_DNS; i <= PL_STAGE_ERROR; i++)
		if (strcmp(pl_stage_name((enum pl_stage)i), text) == 0)
			return (enum pl_stage)i;
	return otherwise;
}

static const char *or(const char *text, const char *otherwise)
{
	return *text != '\0' ? text : otherwise;
}

/* Without trace.end the last outcome that was told stands for it. */
static void read_result(struct facts *facts)
{
	const json_t *end = facts->trace->end;
	struct pl_report_summary *s = facts->summary;
	const char *result = pl_report_text(end, "result");
	const struct pl_report_record *told = facts->opened != NULL
						      ? facts->opened
						      : facts->failed;

	copy(s->result, sizeof s->result, or(result, "incomplete"));
	s->exit_status = 10;
	if (end != NULL)
		s->exit_status = (int)(pl_report_number(end, "exit") & 0xff);
	pl_method_parse(pl_report_text(end, "method"), &s->method);
	if (s->method == PL_METHOD_NONE && facts->opened != NULL &&
	    strcmp(s->result, "failed") != 0)
		pl_method_parse(pl_report_text(facts->opened->detail,
					       "method"), &s->method);
	if (!pl_code_parse(or(pl_report_text(end, "code"),
			      facts->failed != NULL ? facts->failed->code
						    : ""), &s->code))
		s->code = PL_CODE_NONE;
	s->total_us = facts->trace->all_count == 0 ? 0 : told != NULL
		? told->mono_us
		: facts->trace->all[facts->trace->all_count - 1].mono_us;
}

static void read_reason(struct facts *facts)
{
	const json_t *end = facts->trace->end;
	const json_t *failed = facts->failed != NULL ? facts->failed->detail
						     : NULL;
	struct pl_report_summary *s = facts->summary;
	const struct pl_code_entry *entry = pl_code_entry(s->code);

	s->stage = parse_stage(pl_report_text(failed, "stage"), entry->stage);
	if (s->code == PL_CODE_NONE)
		return;
	copy(s->side, sizeof s->side,
	     or(or(pl_report_text(end, "side"),
		   pl_report_text(failed, "side")),
		pl_side_name(entry->side)));
	copy(s->why, sizeof s->why,
	     or(or(pl_report_text(end, "why"), pl_report_text(failed, "why")),
		entry->meaning));
	copy(s->fix, sizeof s->fix,
	     or(or(pl_report_text(end, "fix"), pl_report_text(failed, "fix")),
		entry->first_step));
	copy(s->first_step, sizeof s->first_step, s->fix);
}

/* ----- findings ----- */

static void find(struct pl_report_summary *s, const char *code,
		 const char *severity, const char *remedy, const char *format,
		 ...) __attribute__((format(printf, 5, 6)));

static void find(struct pl_report_summary *s, const char *code,
		 const char *severity, const char *remedy, const char *format,
		 ...)
{
	struct pl_report_finding *finding = &s->findings[s->findings_count];
	va_list list;

	if (s->findings_count == sizeof s->findings / sizeof *s->findings)
		return;
	s->findings_count++;
	snprintf(finding->code, sizeof finding->code, "%s", code);
	snprintf(finding->severity, sizeof finding->severity, "%s", severity);
	copy(finding->remedy, sizeof finding->remedy, remedy);
	va_start(list, format);
	vsnprintf(finding->text, sizeof finding->text, format, list);
	va_end(list);
}

/* Days since 1970 of "YYYY-MM-DD...", or -1. */
static long days_of(const char *date)
{
	int year, month, day;
	long era, of_era, of_year;

	if (sscanf(date, "%4d-%2d-%2d", &year, &month, &day) != 3 ||
	    month < 1 || month > 12 || day < 1 || day > 31 || year < 1970)
		return -1;
	year -= month <= 2;
	era = year / 400;
	of_era = year - era * 400;
	of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 +
	       of_year - 719468;
}

static void find_certificate(const struct facts *facts)
{
	struct pl_report_summary *s = facts->summary;
	const json_t *peer;
	enum pl_code code = pl_certificate_code(facts->peer.certificate);
	long end, now;

	if (facts->certificate == NULL)
		return;
	if (facts->peer.certificate_known && code != PL_CODE_NONE &&
	    code != s->code)
		find(s, pl_code_entry(code)->name, "warn",
		     pl_code_entry(code)->first_step,
		     "the peer is not proven by its certificate (%s)",
		     s->cert);
	peer = json_object_get(facts->certificate->detail, "peer");
	end = days_of(pl_report_text(peer, "not_after"));
	now = days_of(facts->certificate->ts);
	if (end >= now && now >= 0 && end - now <= EXPIRY_DAYS)
		find(s, "certificate-ends-soon", "warn",
		     "ask the peer to renew it",
		     "the peer's certificate ends in %ld day%s", end - now,
		     end - now == 1 ? "" : "s");
}

/* What the command that made the trace adds. */
static void find_notes(const struct facts *facts)
{
	for (size_t i = 0; i < facts->trace->all_count; i++) {
		const struct pl_report_record *r = &facts->trace->all[i];
		const char *severity = strcmp(r->level, "error") == 0 ? "error"
				     : strcmp(r->level, "warning") == 0 ? "warn"
				     : "info";

		char text[400];

		if (!pl_report_is(r, "policy.note"))
			continue;
		copy(text, sizeof text, pl_report_text(r->detail, "text"));
		find(facts->summary, or(r->code, "note"), severity,
		     pl_report_text(r->detail, "remedy"), "%s", text);
	}
}

static void find_losses(const struct facts *facts)
{
	struct pl_report_summary *s = facts->summary;

	if (facts->trace->dropped > 0)
		find(s, "records-lost", "warn", "",
		     "%u records of this trace were lost",
		     facts->trace->dropped);
	if (facts->trace->end == NULL)
		find(s, "no-end", "warn", "",
		     "this trace has no end: the negotiation was under way, or "
		     "the file was cut");
	else if (!facts->trace->complete && facts->trace->dropped == 0)
		find(s, "not-whole", "info", "",
		     "this trace is not whole: records are missing");
}

static void find_all(const struct facts *facts)
{
	struct pl_report_summary *s = facts->summary;
	bool dialback = s->method == PL_METHOD_TLS_DIALBACK ||
			s->method == PL_METHOD_TCP_DIALBACK;

	if (s->code != PL_CODE_NONE)
		find(s, pl_code_entry(s->code)->name, "error", s->first_step,
		     "%s", pl_code_entry(s->code)->meaning);
	if (s->method == PL_METHOD_TCP_DIALBACK || facts->in_clear)
		find(s, "plaintext", "warn",
		     "ask the peer to enable TLS; set tls=required where it "
		     "has it", "every byte was readable on the path");
	find_certificate(facts);
	if (dialback && facts->asked_dns && !facts->secure_dns)
		find(s, "dns-not-secure", "info",
		     "sign the zone, or use SASL EXTERNAL",
		     "the peer is proven by DNS alone, and the answer was not "
		     "signed");
	if (strcmp(s->tls, "TLSv1.1") == 0 || strcmp(s->tls, "TLSv1") == 0)
		find(s, "tls-old", "warn", "ask the peer to enable TLS 1.2 "
		     "or 1.3", "%s is out of date", s->tls);
	if (facts->slowest != NULL && facts->slowest_us >= SLOW_US &&
	    !s->component)
		find(s, "slow", "info", "",
		     "the peer took %.1f s to answer (%s)",
		     (double)facts->slowest_us / 1e6, facts->slowest->event);
	find_notes(facts);
	find_losses(facts);
}

/* ----- the whole ----- */

static void read_names(struct facts *facts)
{
	const struct pl_report_trace *trace = facts->trace;
	struct pl_report_summary *s = facts->summary;
	const char *from = pl_report_text(trace->begin, "from");
	const char *to = pl_report_text(trace->begin, "to");

	if (trace->all_count > 0 && *from == '\0' && *to == '\0') {
		from = trace->all[trace->all_count - 1].from;
		to = trace->all[trace->all_count - 1].to;
	}
	copy(s->local, sizeof s->local, s->incoming ? to : from);
	copy(s->remote, sizeof s->remote, s->incoming ? from : to);
}

void pl_report_summarise(const struct pl_report_trace *trace,
			 struct pl_report_summary *summary)
{
	struct facts facts = { .trace = trace, .summary = summary };
	struct pl_report_summary *s = summary;

	memset(s, 0, sizeof *s);
	facts.peer.own_certificate = true;
	copy(s->cert, sizeof s->cert, "none");
	meet_hops(&facts);
	choose_main(&facts);
	read_names(&facts);
	read_policy(s, trace->begin);
	scan(&facts);
	conclude_incoming(&facts);
	read_result(&facts);
	read_reason(&facts);
	/* Nobody could answer for us: that is no refusal of the peer's. */
	if (strcmp(s->result, "incomplete") == 0)
		facts.peer.refuses_dialback = false;
	read_stages(s, json_object_get(trace->end, "stages_ms"));
	s->offers_starttls = facts.peer.starttls == PL_YES;
	s->offers_external = facts.peer.external == PL_YES;
	s->offers_dialback = facts.peer.dialback_tls == PL_YES ||
			     facts.peer.dialback_clear == PL_YES;
	s->external_unknown = facts.peer.external == PL_UNKNOWN;
	s->dialback_unknown = facts.peer.dialback_tls == PL_UNKNOWN &&
			      facts.peer.dialback_clear == PL_UNKNOWN;
	s->component = trace->all_count > 0 &&
		       strcmp(trace->all[0].role, "component") == 0;
	if (!s->component) {
		name_offers(&facts, s->offers, sizeof s->offers);
		name_requires(s, s->requires, sizeof s->requires);
		name_works(&facts, s->would_work, sizeof s->would_work);
	}
	s->peer = facts.peer;
	find_all(&facts);
}
