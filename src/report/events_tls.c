/* TLS and certificates, as a ladder draws them. */
#include "event.h"

#include <stdio.h>
#include <string.h>

enum { NAMES = 3 }; /* shown without -v */

/* ----- tls ----- */

static const char *without(const char *text, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(text, prefix, length) == 0 ? text + length : text;
}

static void add_names(struct pen_text *t, const json_t *names, size_t most)
{
	const json_t *name;
	bool first = true;
	size_t i;

	json_array_foreach(names, i, name) {
		if (i == most)
			break;
		if (json_is_string(name))
			pen_listed(t, &first,
				   without(json_string_value(name), "DNS:"));
	}
	if (json_array_size(names) > most)
		pen_add(t, " and %zu more", json_array_size(names) - most);
	if (first)
		pen_add(t, "no name");
}

static void add_verdict(struct pen_text *t, const json_t *detail, char *mark)
{
	const json_t *verify = json_object_get(detail, "verify");
	const char *code = pl_report_text(verify, "code");

	if (*code == '\0' || strcmp(code, "none") == 0)
		return;
	if (strncmp(code, "valid", 5) == 0) {
		pen_add(t, "  valid%s", code[5] != '\0' ? " by DANE" : "");
		return;
	}
	*mark = '!';
	pen_add(t, "  %s (%s)", code, pl_report_text(verify, "text"));
}

static const char *verdict_of(const struct pl_report_record *r)
{
	return pl_report_text(json_object_get(r->detail, "verify"), "code");
}

static void add_dane(struct pen_text *t, const json_t *dane)
{
	if (json_is_object(dane) && json_object_get(dane, "usage") == NULL)
		pen_add(t, "  DANE: no TLSA record matches");
	else if (json_is_object(dane))
		pen_add(t, "  DANE %d %d %d%s",
			(int)pl_report_number(dane, "usage"),
			(int)pl_report_number(dane, "sel"),
			(int)pl_report_number(dane, "match"),
			pl_report_true(dane, "secure") ? "" : " (not secure)");
}

static void draw_certificate(struct pl_ladder *l,
			     const struct pl_report_record *r)
{
	const json_t *peer = json_object_get(r->detail, "peer");
	struct pen_text t = { "" };
	char mark = ' ';

	if (!json_is_object(peer)) {
		pen_note(l, ' ', "the peer showed no certificate");
		return;
	}
	pen_add(&t, "peer certificate: ");
	add_names(&t, json_object_get(peer, "sans"), pen_verbose(l, 1) ? 64
								       : NAMES);
	if (*pl_report_text(peer, "not_after") != '\0')
		pen_add(&t, "  to %.10s", pl_report_text(peer, "not_after"));
	add_dane(&t, json_object_get(r->detail, "dane"));
	add_verdict(&t, r->detail, &mark);
	pen_note(l, mark, "%s", t.text);
	pen_stream(l, r)->verdict = verdict_of(r);
	if (!pen_verbose(l, 1))
		return;
	pen_note(l, ' ', "subject %s", pl_report_text(peer, "subject"));
	pen_note(l, ' ', "issuer %s, chain of %d", pl_report_text(peer, "issuer"),
		 (int)pl_report_number(peer, "chain"));
	pen_note(l, ' ', "sha256 %s", pl_report_text(peer, "sha256"));
}

void draw_tls_start(struct pl_ladder *l,
		    const struct pl_report_record *r, size_t index)
{
	if (!pen_verbose(l, 1) && (pen_next_is(l, index, "tls.done") ||
				   pen_next_is(l, index, "tls.failed")))
		return;
	pen_arrow(l, r, "TLS handshake begins");
	if (!pen_verbose(l, 1))
		return;
	pen_note(l, ' ', "SNI %s  ALPN %s  our certificate is %s",
		 pl_report_text(r->detail, "sni"),
		 pl_report_text(r->detail, "alpn"),
		 pl_report_true(r->detail, "certificate") ? "shown" : "not shown");
}

void draw_tls_done(struct pl_ladder *l,
		   const struct pl_report_record *r, size_t index)
{
	struct pen_text t = { "" };
	const char *version = pl_report_text(r->detail, "version");

	pen_add(&t, "TLS %s %s %s", without(version, "TLSv"),
		without(pl_report_text(r->detail, "cipher"), "TLS_"),
		pl_report_text(r->detail, "group"));
	pen_arrow_timed(l, r, PL_WAY_BOTH, PL_TONE_OK,
			(uint64_t)pl_report_number(r->detail, "us"), t.text);
	draw_certificate(l, r);
}

void draw_tls_judged(struct pl_ladder *l,
		     const struct pl_report_record *r, size_t index)
{
	struct pen_text t = { "" };
	char mark = ' ';
	const char *before = pen_stream(l, r)->verdict;

	if (before != NULL && strcmp(before, verdict_of(r)) == 0 &&
	    !pen_verbose(l, 1))
		return;
	pen_stream(l, r)->verdict = verdict_of(r);
	pen_add(&t, "peer certificate as one of %s:",
		pl_report_text(r->detail, "domain"));
	add_verdict(&t, r->detail, &mark);
	pen_note(l, mark, "%s", t.text);
}

void draw_tls_failed(struct pl_ladder *l,
		     const struct pl_report_record *r, size_t index)
{
	char text[TEXT];

	snprintf(text, sizeof text, "TLS failed%s: %s",
		 pl_report_true(r->detail, "alert")
			 ? ": the peer refuses our certificate" : "",
		 pl_report_text(r->detail, "text"));
	pl_draw_note(&l->d, &r->mono_us, 'X', text);
}

void draw_tls_close(struct pl_ladder *l,
		    const struct pl_report_record *r, size_t index)
{
	if (pen_verbose(l, 1))
		pen_arrow(l, r, "TLS close_notify");
}
