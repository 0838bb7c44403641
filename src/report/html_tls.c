/* The certificates that the peer showed, and what was said about them. */
#include "view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
	NAMES = 100,   /* shown of one certificate */
	CHANNELS = 32, /* shown of one trace */
};

/* ----- names, by their type ----- */

static const struct kind {
	const char *prefix, *title;
} kinds[] = {
	{ "DNS:", "DNS-ID" },
	{ "SRV:", "SRV-ID" },
	{ "XMPP:", "XmppAddr" },
	{ "IP:", "IP address" },
	{ "", "Others" },
};

static const struct kind *kind_of(const char *name)
{
	const struct kind *kind = kinds;

	while (strncmp(kind->prefix, name, strlen(kind->prefix)) != 0)
		kind++;
	return kind;
}

static void put_names(struct ink *ink, const json_t *sans)
{
	size_t count = sizeof kinds / sizeof *kinds, i;
	const json_t *name;

	for (size_t k = 0; k < count; k++) {
		size_t shown = 0;

		json_array_foreach(sans, i, name) {
			const char *text = json_string_value(name);

			if (i >= NAMES || text == NULL ||
			    kind_of(text) != &kinds[k])
				continue;
			if (shown++ == 0)
				ink_format(ink, "<dt>%s</dt><dd>",
					   kinds[k].title);
			else
				ink_text(ink, ", ");
			ink_text(ink, "<code>");
			ink_value(ink, text + strlen(kinds[k].prefix));
			ink_text(ink, "</code>");
		}
		if (shown > 0)
			ink_text(ink, "</dd>\n");
	}
	if (json_array_size(sans) == 0)
		ink_text(ink, "<dt>Names</dt><dd>none</dd>\n");
	if (json_array_size(sans) > NAMES)
		ink_format(ink, "<dt>More names</dt><dd>%zu, in the trace</dd>"
			   "\n", json_array_size(sans) - NAMES);
}

/* ----- dates ----- */

/* A date as text or as seconds. */
static bool date_of(const json_t *peer, const char *key, int64_t *seconds)
{
	const json_t *value = json_object_get(peer, key);

	if (json_is_integer(value)) {
		*seconds = json_integer_value(value);
		return *seconds > -(INT64_C(1) << 40) &&
		       *seconds < INT64_C(1) << 40;
	}
	return view_time(pl_report_text(peer, key), seconds);
}

static void put_date(struct ink *ink, const json_t *peer, const char *key,
		     const char *title)
{
	int64_t seconds;
	struct tm utc;
	time_t when;
	char text[64];

	if (!date_of(peer, key, &seconds))
		return;
	when = (time_t)seconds;
	gmtime_r(&when, &utc);
	strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &utc);
	ink_format(ink, "<dt>%s</dt><dd>%s", title, text);
}

static void put_dates(struct ink *ink, const json_t *peer, const char *ts)
{
	int64_t now, begin, end;
	bool dated = view_time(ts, &now);

	if (date_of(peer, "not_before", &begin)) {
		put_date(ink, peer, "not_before", "Valid from");
		if (dated && now < begin)
			ink_text(ink, " <span class=\"tag error\">\342\234\227 "
				      "not yet</span>");
		ink_text(ink, "</dd>\n");
	}
	if (!date_of(peer, "not_after", &end))
		return;
	put_date(ink, peer, "not_after", "Valid until");
	if (dated && now > end)
		ink_format(ink, " <span class=\"tag error\">\342\234\227 expired "
			   "%" PRId64 " days before</span>",
			   (now - end) / 86400);
	else if (dated)
		ink_format(ink, " <span class=\"tag %s\">%" PRId64 " days left"
			   "</span>", end - now < 14 * 86400 ? "warn" : "plain",
			   (end - now) / 86400);
	ink_text(ink, "</dd>\n");
}

/* ----- one certificate ----- */

static void put_pair(struct ink *ink, const char *title, const char *value)
{
	if (*value == '\0')
		return;
	ink_format(ink, "<dt>%s</dt><dd>", title);
	ink_value(ink, value);
	ink_text(ink, "</dd>\n");
}

/* The number of certificates sent, or their subjects. */
static void put_chain(struct ink *ink, const json_t *chain)
{
	const json_t *one;
	size_t i;

	if (json_is_integer(chain))
		ink_format(ink, "<dt>Chain</dt><dd>%" JSON_INTEGER_FORMAT
			   " sent%s</dd>\n", json_integer_value(chain),
			   json_integer_value(chain) == 1
			   ? ": this one alone" : "");
	if (json_array_size(chain) == 0)
		return;
	ink_text(ink, "<dt>Chain</dt><dd><ol>\n");
	json_array_foreach(chain, i, one) {
		const char *text = json_is_string(one) ? json_string_value(one)
				   : pl_report_text(one, "subject");

		if (i >= NAMES)
			break;
		ink_text(ink, "<li>");
		ink_value(ink, text);
		ink_text(ink, "</li>\n");
	}
	ink_text(ink, "</ol></dd>\n");
}

static const char *named(int64_t value, const char *const *names, int64_t count)
{
	return value >= 0 && value < count ? names[value] : "?";
}

static void put_dane(struct ink *ink, const json_t *dane)
{
	static const char *const usages[] = { "PKIX-TA", "PKIX-EE", "DANE-TA",
					      "DANE-EE" };
	static const char *const selectors[] = { "Cert", "SPKI" };
	static const char *const matchings[] = { "Full", "SHA2-256",
						 "SHA2-512" };
	int64_t usage = view_number(dane, "usage", -1);
	int64_t sel = view_number(dane, "sel", -1);
	int64_t match = view_number(dane, "match", -1);

	if (!json_is_object(dane)) {
		ink_text(ink, "<dt>DANE</dt><dd>not used: no TLSA record that counts</dd>\n");
		return;
	}
	ink_text(ink, "<dt>DANE</dt><dd>");
	if (usage >= 0)
		ink_format(ink, "%" PRId64 " %" PRId64 " %" PRId64
			   " (%s, %s, %s) ", usage, sel, match,
			   named(usage, usages, 4), named(sel, selectors, 2),
			   named(match, matchings, 3));
	ink_text(ink, pl_report_true(dane, "secure")
		 ? "<span class=\"tag ok\">\342\234\223 secure</span></dd>\n"
		 : "<span class=\"tag plain\">insecure</span></dd>\n");
}

static void put_verify(struct ink *ink, const struct pl_report_record *record)
{
	const json_t *verify = json_object_get(record->detail, "verify");
	const char *code = pl_report_text(verify, "code");
	const char *domain = pl_report_text(record->detail, "domain");
	bool good = strncmp(code, "valid", 5) == 0;

	if (*code == '\0')
		return;
	ink_text(ink, "<dt>Verdict</dt><dd>");
	ink_format(ink, "<span class=\"tag %s\">%s ", good ? "ok" : "error",
		   tone_sign(good ? TONE_OK : TONE_FAIL));
	ink_value(ink, code);
	ink_text(ink, "</span> ");
	if (*domain != '\0') {
		ink_text(ink, "for ");
		ink_value(ink, domain);
		ink_text(ink, " ");
	}
	ink_value(ink, pl_report_text(verify, "text"));
	ink_text(ink, "</dd>\n");
}

static void put_channel(struct ink *ink, const json_t *detail)
{
	char text[320];

	snprintf(text, sizeof text, "%.60s %.80s %.60s",
		 pl_report_text(detail, "version"), pl_report_text(detail, "cipher"),
		 pl_report_text(detail, "group"));
	put_pair(ink, "Channel", text);
	put_pair(ink, "SNI", pl_report_text(detail, "sni"));
	put_pair(ink, "ALPN", pl_report_text(detail, "alpn"));
	if (view_number(detail, "tickets", -1) >= 0)
		ink_format(ink, "<dt>Session tickets</dt><dd>%" PRId64
			   "</dd>\n", view_number(detail, "tickets", 0));
}

/* What was judged later, when the name was known. */
static void put_judged(const struct page *page,
		       const struct pl_report_record *done)
{
	unsigned shown = 0;

	for (size_t i = 0; i < page->trace->count && shown < 16; i++) {
		const struct pl_report_record *r = &page->trace->records[i];

		if (strcmp(r->event, "tls.judged") != 0 ||
		    strcmp(r->stream, done->stream) != 0)
			continue;
		put_verify(page->ink, r);
		shown++;
	}
}

static void put_certificate(const struct page *page,
			    const struct pl_report_record *record)
{
	const json_t *peer = json_object_get(record->detail, "peer");
	unsigned level = page->heading + 2;
	struct ink *ink = page->ink;

	ink_format(ink, "<h%u>Connection ", level);
	ink_value(ink, record->stream);
	ink_format(ink, "</h%u>\n<dl class=\"pairs\">\n", level);
	put_verify(ink, record);
	put_judged(page, record);
	if (json_is_object(peer)) {
		put_pair(ink, "Subject", pl_report_text(peer, "subject"));
		put_pair(ink, "Issuer", pl_report_text(peer, "issuer"));
		put_names(ink, json_object_get(peer, "sans"));
		put_dates(ink, peer, record->ts);
		put_chain(ink, json_object_get(peer, "chain"));
		put_dane(ink, json_object_get(record->detail, "dane"));
		put_pair(ink, "SHA-256", pl_report_text(peer, "sha256"));
	} else {
		put_pair(ink, "Certificate", "none was shown");
	}
	put_channel(ink, record->detail);
	ink_text(ink, "</dl>\n");
}

void page_certificates(const struct page *page)
{
	unsigned shown = 0, rest = 0;

	page_section(page, "certificates", "TLS and certificates of the peer");
	for (size_t i = 0; i < page->trace->count; i++) {
		if (!pl_report_is(&page->trace->records[i], "tls.done"))
			continue;
		if (shown == CHANNELS) {
			rest++;
			continue;
		}
		put_certificate(page, &page->trace->records[i]);
		shown++;
	}
	if (rest > 0)
		ink_format(page->ink, "<p>%u more handshakes are in the trace."
			   "</p>\n", rest);
	if (shown == 0)
		ink_text(page->ink, "<p>No TLS handshake was completed.</p>\n");
	page_section_end(page);
}
