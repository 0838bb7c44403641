/*
 * The report: a document that needs nothing but itself.
 *
 * What it forbids a browser stands in its head: no script, no picture, no
 * font, no connection, no frame, no form. The trace lies in a script element
 * of a type that no browser runs, with every opening bracket as \u003c, so
 * that nothing in it can end that element.
 */
#include "view.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ----- the frame ----- */

void page_begin(struct ink *ink, const char *title)
{
	ink_text(ink,
		 "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
		 "<meta charset=\"utf-8\">\n"
		 "<meta http-equiv=\"Content-Security-Policy\" content=\""
		 "default-src 'none'; style-src 'unsafe-inline'; "
		 "base-uri 'none'; form-action 'none'\">\n"
		 "<meta name=\"viewport\" content=\"width=device-width, "
		 "initial-scale=1\">\n"
		 "<meta name=\"referrer\" content=\"no-referrer\">\n"
		 "<meta name=\"color-scheme\" content=\"light dark\">\n"
		 "<meta name=\"generator\" content=\"parley " PARLEY_VERSION
		 "\">\n<title>");
	ink_peer(ink, title);
	ink_text(ink, "</title>\n<style>\n");
	ink_text(ink, view_colours);
	for (size_t i = 0; page_style[i] != NULL; i++)
		ink_text(ink, page_style[i]);
	ink_text(ink, ladder_style);
	ink_text(ink, "</style>\n</head>\n<body>\n<main>\n");
}

void page_traces_begin(struct ink *ink)
{
	ink_text(ink, "<footer><p>The trace is in this file: <code>parley "
		      "trace show FILE.html</code> opens it again. Dialback "
		      "keys and SASL texts are masked as [key#....]; equal "
		      "marks are equal keys.</p></footer>\n"
		      "</main>\n<script type=\"application/x-ndjson\" "
		      "id=\"parley-trace\">\n");
}

void page_trace(struct ink *ink, const struct pl_report_trace *trace)
{
	for (size_t i = 0; i < trace->count && ink->ok; i++) {
		char *line = json_dumps(trace->records[i].json, JSON_COMPACT);
		char *from = line, *next;

		if (line == NULL) {
			ink->ok = false;
			return;
		}
		for (; (next = strchr(from, '<')) != NULL; from = next + 1) {
			ink->ok = ink->ok &&
				  pl_buffer_append(ink->out, from,
						   (size_t)(next - from));
			ink_text(ink, "\\u003c");
		}
		ink_text(ink, from);
		ink_text(ink, "\n");
		free(line);
	}
}

void page_end(struct ink *ink)
{
	ink_text(ink, "</script>\n</body>\n</html>\n");
}

void page_section(const struct page *page, const char *id, const char *title)
{
	unsigned level = page->heading + 1;

	ink_format(page->ink, "<section id=\"%s%s\" aria-labelledby=\"%s%s-h\">"
		   "<h%u id=\"%s%s-h\">%s</h%u>\n", page->prefix, id,
		   page->prefix, id, level, page->prefix, id, title, level);
}

void page_section_end(const struct page *page)
{
	ink_text(page->ink, "</section>\n");
}

void page_fact(struct ink *ink, const char *name, const char *value)
{
	if (*value == '\0')
		return;
	ink_format(ink, "<div><dt>%s</dt><dd>", name);
	ink_value(ink, value);
	ink_text(ink, "</dd></div>\n");
}

/* ----- the verdict ----- */

/* "a.example -> b.example", the dialling one first */
static void put_who(struct ink *ink, const struct pl_report_summary *s)
{
	const char *first = s->incoming ? s->remote : s->local;
	const char *second = s->incoming ? s->local : s->remote;

	ink_text(ink, "<bdi class=\"peer\">");
	ink_peer(ink, *first == '\0' ? "?" : first);
	ink_text(ink, "</bdi> &rarr; <bdi class=\"peer\">");
	ink_peer(ink, *second == '\0' ? "?" : second);
	ink_text(ink, "</bdi>");
}

static void put_verdict(const struct page *page)
{
	const struct pl_report_summary *s = page->summary;
	struct ink *ink = page->ink;
	struct verdict verdict;

	verdict_of(s, &verdict);
	ink_format(ink, "<header class=\"verdict %s\"><span class=\"sign\" "
		   "aria-hidden=\"true\">%s</span><div>\n"
		   "<h%u id=\"%sverdict\">%s</h%u>\n<p class=\"lead\">%s.</p>\n"
		   "<p class=\"who\">", tone_name(verdict.tone),
		   tone_sign(verdict.tone), page->heading, page->prefix,
		   verdict.title, page->heading, verdict.text);
	put_who(ink, s);
	ink_format(ink, " <span class=\"dim\">(%s)</span></p>\n",
		   s->incoming ? "the peer dialled us" : "we dialled the peer");
	if (*s->why != '\0') {
		ink_text(ink, "<p class=\"why\"><strong>Why:</strong> ");
		ink_value(ink, s->why);
		ink_text(ink, "</p>\n");
	}
	if (*s->fix != '\0') {
		ink_text(ink, "<p class=\"next\"><strong>What to do:</strong> ");
		ink_value(ink, s->fix);
		ink_text(ink, "</p>\n");
	}
	ink_text(ink, "</div></header>\n");
}

static void put_contents(const struct page *page)
{
	static const char *const sections[][2] = {
		{ "facts", "Facts" }, { "findings", "Findings" },
		{ "ladder", "Ladder" }, { "timing", "Timing" },
		{ "dns", "DNS" }, { "certificates", "Certificates" },
		{ "steps", "Elements and decisions" },
		{ "again", "Reproduce" },
	};
	size_t count = sizeof sections / sizeof *sections;

	ink_text(page->ink, "<nav aria-label=\"Sections\"><ul "
			    "class=\"contents\">\n");
	for (size_t i = 0; i < count; i++)
		ink_format(page->ink, "<li><a href=\"#%s%s\">%s</a></li>\n",
			   page->prefix, sections[i][0], sections[i][1]);
	ink_text(page->ink, "</ul></nav>\n");
}

/* ----- facts ----- */

static void put_policy(struct ink *ink, const struct pl_report_summary *s)
{
	char text[160], methods[120] = "";
	enum pl_method list[3];
	size_t count, used = 0;

	if (s->row == 0) {
		page_fact(ink, "Policy", s->component
			  ? "none: a local service (XEP-0114)"
			  : "none: no partner matched");
		return;
	}
	snprintf(text, sizeof text, "row %d: tls=%s, sasl=%s, dialback=%s",
		 s->row, pl_level_name(s->policy.tls),
		 pl_level_name(s->policy.sasl),
		 s->policy.dialback ? "yes" : "no");
	page_fact(ink, "Policy", text);
	count = pl_policy_methods(&s->policy, list);
	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(methods + used, sizeof methods - used,
					 "%s%s", i > 0 ? ", " : "",
					 pl_method_title(list[i]));
	page_fact(ink, "Expected, best first",
		  count == 0 ? "nothing: the row is not valid" : methods);
}

static void put_times(struct ink *ink, const struct page *page)
{
	const struct pl_report_trace *trace = page->trace;
	char text[80], span[24];

	if (trace->count > 0) {
		const char *ts = trace->records[0].ts;

		snprintf(text, sizeof text, "%.10s %.12s UTC", ts,
			 strlen(ts) > 11 ? ts + 11 : "");
		page_fact(ink, "Begun", text);
	}
	page_fact(ink, "Took", ink_span(span, page->summary->total_us));
}

static void put_software(struct ink *ink, const struct page *page)
{
	const json_t *begin = page->trace->begin;
	const char *version = begin == NULL ? ""
			      : pl_report_text(begin, "version");
	char text[120];

	if (*version != '\0') {
		snprintf(text, sizeof text, "%s%.80s",
			 strncmp(version, "parley", 6) == 0 ? "" : "parley ",
			 version);
		page_fact(ink, "Traced by", text);
	}
	if (begin != NULL)
		page_fact(ink, "Elements kept", pl_report_text(begin, "raw"));
	page_fact(ink, "Trace", page->trace->id);
}

static void put_gaps(struct ink *ink, const struct page *page)
{
	const struct pl_report_trace *trace = page->trace;

	if (trace->complete && trace->dropped == 0)
		return;
	ink_text(ink, "<div class=\"finding warn\"><p><strong>This trace is "
		      "not whole.</strong> ");
	if (trace->begin == NULL)
		ink_text(ink, "Its beginning is missing. ");
	if (trace->end == NULL)
		ink_text(ink, "Its end is missing. ");
	if (trace->dropped > 0)
		ink_format(ink, "%u records were lost. ", trace->dropped);
	else if (trace->begin != NULL && trace->end != NULL)
		ink_text(ink, "Records are missing between. ");
	ink_text(ink, "</p></div>\n");
}

static void put_facts(const struct page *page)
{
	const struct pl_report_summary *s = page->summary;
	struct ink *ink = page->ink;
	char text[160];

	page_section(page, "facts", "Who, when, under which policy");
	ink_text(ink, "<dl class=\"facts\">\n");
	page_fact(ink, "Us", s->local);
	page_fact(ink, "Peer", s->remote);
	page_fact(ink, "Peer's address", s->addr);
	put_times(ink, page);
	put_policy(ink, s);
	snprintf(text, sizeof text, "%s%s%s",
		 *s->tls == '\0' || strcmp(s->tls, "none") == 0
		 ? "none: in clear" : s->tls,
		 *s->cipher == '\0' ? "" : ", ",
		 strcmp(s->cipher, "none") == 0 ? "" : s->cipher);
	page_fact(ink, "TLS", text);
	page_fact(ink, "Peer's certificate", s->cert);
	snprintf(text, sizeof text, "%d", s->exit_status);
	page_fact(ink, "Exit status", text);
	put_software(ink, page);
	ink_text(ink, "</dl>\n");
	put_gaps(ink, page);
	page_section_end(page);
}

/* ----- findings ----- */

static void put_pair(struct ink *ink, const char *name, const char *value)
{
	if (*value == '\0')
		return;
	ink_format(ink, "<dt>%s</dt><dd>", name);
	ink_peer(ink, value);
	ink_text(ink, "</dd>\n");
}

static void put_offers(struct ink *ink, const struct pl_report_summary *s)
{
	if (*s->offers == '\0' && *s->requires == '\0' &&
	    *s->first_step == '\0')
		return;
	ink_text(ink, "<dl class=\"pairs\">\n");
	put_pair(ink, "The peer offers", s->offers);
	put_pair(ink, "Our policy requires", s->requires);
	if (strcmp(s->result, "negotiated") != 0)
		put_pair(ink, "Would work", s->would_work);
	put_pair(ink, "First step", s->first_step);
	ink_text(ink, "</dl>\n");
}

/* A severity as a class of the style sheet. */
static const char *class_of(const char *severity)
{
	if (strcmp(severity, "error") == 0)
		return "error";
	return strcmp(severity, "warn") == 0 ? "warn" : "info";
}

static void put_finding(const struct page *page,
			const struct pl_report_finding *finding)
{
	const char *class = class_of(finding->severity);
	const char *where = code_specification(finding->code);
	unsigned level = page->heading + 2;
	struct ink *ink = page->ink;

	ink_format(ink, "<div class=\"finding %s\"><h%u><span class=\"tag %s\">"
		   "%s</span> <code>", class, level, class, class);
	ink_peer(ink, finding->code);
	ink_format(ink, "</code></h%u><p>", level);
	ink_peer(ink, finding->text);
	ink_text(ink, "</p>\n");
	if (*finding->remedy != '\0') {
		ink_text(ink, "<p><strong>Remedy:</strong> ");
		ink_peer(ink, finding->remedy);
		ink_text(ink, "</p>\n");
	}
	if (*where != '\0')
		ink_format(ink, "<p class=\"dim small\">Specification: %s</p>\n",
			   where);
	ink_text(ink, "</div>\n");
}

static void put_findings(const struct page *page)
{
	const struct pl_report_summary *s = page->summary;

	page_section(page, "findings", "Findings");
	if (s->findings_count == 0)
		ink_text(page->ink, "<p>Nothing to complain about.</p>\n");
	put_offers(page->ink, s);
	for (size_t i = 0; i < s->findings_count; i++)
		put_finding(page, &s->findings[i]);
	page_section_end(page);
}

/* ----- ladder and timing ----- */

static void put_ladder(const struct page *page)
{
	page_section(page, "ladder", "Ladder");
	ink_text(page->ink, "<p class=\"dim small\">Time runs downwards; we "
			    "stand at the left. A single line is in clear, a "
			    "double line under TLS. Each step leads to its "
			    "element below.</p>\n<div class=\"frame broad\">\n");
	ladder_svg(page->ink, page->trace, page->summary, 880,
		   "role=\"group\" aria-label=\"Ladder of the negotiation\"",
		   page->prefix);
	ink_text(page->ink, "</div><div class=\"frame slim\">\n");
	ladder_svg(page->ink, page->trace, page->summary, 340,
		   "role=\"group\" aria-label=\"Ladder of the negotiation\"",
		   page->prefix);
	ink_text(page->ink, "</div>\n");
	page_section_end(page);
}

static void put_stage(struct ink *ink, const char *name, uint64_t us,
		      double from, double wide)
{
	char span[24];

	ink_format(ink, "<tr><th scope=\"row\">");
	ink_peer(ink, name);
	ink_format(ink, "</th><td class=\"number\">%s</td><td class=\"number\">"
		   "%.0f %%</td><td class=\"lane\"><span style=\"margin-left:"
		   "%.1f%%;width:%.1f%%\"></span></td></tr>\n",
		   ink_span(span, us), wide, from, wide);
}

static void put_timing(const struct page *page)
{
	const struct pl_report_summary *s = page->summary;
	uint64_t total = 0;
	double from = 0;

	page_section(page, "timing", "Timing");
	for (size_t i = 0; i < s->stages_count; i++)
		total += s->stages[i].us;
	if (total == 0) {
		ink_text(page->ink, "<p>No time was measured.</p>\n");
		page_section_end(page);
		return;
	}
	ink_text(page->ink, "<table><thead><tr><th scope=\"col\">Stage</th>"
		 "<th scope=\"col\" class=\"number\">Time</th><th scope=\"col\""
		 " class=\"number\">Share</th><th scope=\"col\" class=\"lane\">"
		 "From begin to end</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < s->stages_count; i++) {
		double wide = 100.0 * (double)s->stages[i].us / (double)total;

		put_stage(page->ink, s->stages[i].name, s->stages[i].us,
			  from > 99.5 ? 99.5 : from, wide);
		from += wide;
	}
	ink_text(page->ink, "</tbody></table>\n");
	page_section_end(page);
}

/* ----- once more ----- */

/* A name that a shell and an option parser take for nothing but a name. */
static bool is_domain(const char *text)
{
	if (!isalnum((unsigned char)*text))
		return false;
	for (; *text != '\0'; text++)
		if (!isalnum((unsigned char)*text) &&
		    strchr("-_.", *text) == NULL)
			return false;
	return true;
}

static void put_again(const struct page *page)
{
	const struct pl_report_summary *s = page->summary;
	struct ink *ink = page->ink;

	page_section(page, "again", "Reproduce");
	if (page->look != NULL && page->look->command != NULL) {
		ink_text(ink, "<pre>");
		ink_peer(ink, page->look->command);
		ink_text(ink, "</pre>\n");
	} else if (is_domain(s->remote) && is_domain(s->local)) {
		ink_format(ink, "<pre>parley probe %s --from %s", s->remote,
			   s->local);
		if (s->row != 0)
			ink_format(ink, " --row %d", s->row);
		ink_text(ink, "</pre>\n");
	} else {
		ink_text(ink, "<p>No command: the two domains are not known, "
			      "or are none.</p>\n");
	}
	page_section_end(page);
}

void page_report(const struct page *page)
{
	ink_format(page->ink, "<article aria-labelledby=\"%sverdict\">\n",
		   page->prefix);
	put_verdict(page);
	put_contents(page);
	put_facts(page);
	put_findings(page);
	put_ladder(page);
	put_timing(page);
	page_dns(page);
	page_certificates(page);
	page_steps(page);
	put_again(page);
	ink_text(page->ink, "</article>\n");
}

/* ----- several traces ----- */

static void put_index_row(struct ink *ink, const struct pl_report_trace *trace,
			  size_t number)
{
	struct pl_report_summary s;
	struct verdict verdict;
	char span[24];

	pl_report_summarise(trace, &s);
	verdict_of(&s, &verdict);
	ink_format(ink, "<tr><th scope=\"row\" data-name=\"No.\">%zu</th>"
		   "<td data-name=\"Begun\">", number);
	ink_peer(ink, trace->count == 0 ? "" : trace->records[0].ts);
	ink_format(ink, "</td><td data-name=\"Who\"><a href=\"#t%zu\">", number);
	put_who(ink, &s);
	ink_format(ink, "</a></td><td data-name=\"Result\"><span class=\"tag %s"
		   "\">%s %s</span></td><td data-name=\"Code\">%s</td>"
		   "<td class=\"number\" data-name=\"Took\">%s</td></tr>\n",
		   tone_name(verdict.tone), tone_sign(verdict.tone),
		   verdict.title, pl_code_entry(s.code)->name,
		   ink_span(span, s.total_us));
}

static void put_index(struct ink *ink, const struct pl_report *report)
{
	ink_format(ink, "<h1>%zu negotiations</h1>\n<section><table "
		   "class=\"cards\"><thead><tr><th scope=\"col\">No.</th>"
		   "<th scope=\"col\">Begun</th><th scope=\"col\">Who</th>"
		   "<th scope=\"col\">Result</th><th scope=\"col\">Code</th>"
		   "<th scope=\"col\" class=\"number\">Took</th></tr></thead>"
		   "<tbody>\n", report->count);
	for (size_t i = 0; i < report->count; i++)
		put_index_row(ink, &report->traces[i], i + 1);
	ink_text(ink, "</tbody></table></section>\n");
}

static void put_title(const struct pl_report *report, char *out, size_t size)
{
	struct pl_report_summary s;
	struct verdict verdict;

	if (report->count != 1) {
		snprintf(out, size, "%zu negotiations", report->count);
		return;
	}
	pl_report_summarise(&report->traces[0], &s);
	verdict_of(&s, &verdict);
	snprintf(out, size, "%s: %s and %s", verdict.title, s.local, s.remote);
}

bool pl_report_html(struct pl_buffer *out, const struct pl_report *report,
		    const struct pl_report_look *look)
{
	struct ink ink = { out, true };
	bool several = report->count != 1;
	char title[640];

	put_title(report, title, sizeof title);
	page_begin(&ink, title);
	if (several)
		put_index(&ink, report);
	for (size_t i = 0; i < report->count && ink.ok; i++) {
		struct pl_report_summary summary;
		char prefix[32];
		struct page page = {
			.ink = &ink, .trace = &report->traces[i],
			.summary = &summary, .look = look, .prefix = prefix,
			.heading = several ? 2 : 1,
		};

		pl_report_summarise(&report->traces[i], &summary);
		snprintf(prefix, sizeof prefix, "t%zu-", i + 1);
		ink_format(&ink, "<div id=\"t%zu\"%s>\n", i + 1,
			   several ? " class=\"several\"" : "");
		page_report(&page);
		ink_text(&ink, "</div>\n");
	}
	page_traces_begin(&ink);
	for (size_t i = 0; i < report->count; i++)
		page_trace(&ink, &report->traces[i]);
	page_end(&ink);
	return ink.ok;
}
