/* What the look-up found, and whether DNSSEC vouches for it. */
#include "view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { RECORDS = 64, TARGETS = 64, VALUES = 16 }; /* shown at most */

enum state { SECURE, INSECURE, BOGUS };

static void put_state(struct ink *ink, enum state state)
{
	static const char *const tags[] = {
		[SECURE] = "<span class=\"tag ok\">\342\234\223 secure</span>",
		[INSECURE] = "<span class=\"tag plain\">insecure</span>",
		[BOGUS] = "<span class=\"tag error\">\342\234\227 bogus</span>",
	};

	ink_text(ink, tags[state]);
}

/* Texts of an array, each on a line of its own. */
static void put_list(struct ink *ink, const json_t *list)
{
	const json_t *value;
	size_t i, shown = 0;

	json_array_foreach(list, i, value) {
		if (!json_is_string(value) || shown == VALUES)
			continue;
		ink_text(ink, shown++ > 0 ? "<br><code>" : "<code>");
		ink_value(ink, json_string_value(value));
		ink_text(ink, "</code>");
	}
	if (shown == VALUES && json_array_size(list) > VALUES)
		ink_format(ink, "<br>and %zu more",
			   json_array_size(list) - shown);
	if (shown == 0)
		ink_text(ink, "none");
}

static void put_target(struct ink *ink, const json_t *target)
{
	const json_t *srv = json_object_get(target, "srv");

	ink_text(ink, "<tr><th scope=\"row\" data-name=\"Target\"><code>");
	ink_value(ink, pl_report_text(target, "host"));
	ink_format(ink, ":%" PRId64 "</code></th><td data-name=\"Begins\">%s"
		   "</td><td data-name=\"SRV\">",
		   view_number(target, "port", 0),
		   pl_report_true(target, "direct_tls") ? "direct TLS"
						     : "STARTTLS");
	if (json_is_false(srv))
		ink_text(ink, "no record");
	else
		ink_format(ink, "priority %" PRId64 ", weight %" PRId64,
			   view_number(target, "priority", 0),
			   view_number(target, "weight", 0));
	ink_text(ink, "</td><td class=\"list\" data-name=\"Addresses\">");
	put_list(ink, json_object_get(target, "addresses"));
	ink_text(ink, "</td><td class=\"list\" data-name=\"TLSA\">");
	put_list(ink, json_object_get(target, "tlsa"));
	ink_text(ink, "</td><td data-name=\"DNSSEC\">");
	put_state(ink, pl_report_true(target, "secure") ? SECURE : INSECURE);
	ink_text(ink, "</td></tr>\n");
}

static void put_targets(struct ink *ink, const json_t *targets)
{
	const json_t *target;
	size_t i;

	ink_text(ink, "<div class=\"scroll\"><table class=\"cards "
		      "targets\"><thead><tr>"
		      "<th scope=\"col\">Target</th><th scope=\"col\">Begins "
		      "with</th><th scope=\"col\">SRV record</th><th "
		      "scope=\"col\">Addresses</th><th scope=\"col\">TLSA</th>"
		      "<th scope=\"col\">DNSSEC</th></tr></thead><tbody>\n");
	json_array_foreach(targets, i, target)
		if (i < TARGETS && json_is_object(target))
			put_target(ink, target);
	ink_text(ink, "</tbody></table></div>\n");
	if (json_array_size(targets) > TARGETS)
		ink_format(ink, "<p>%zu more targets are not shown.</p>\n",
			   json_array_size(targets) - TARGETS);
}

static void put_line(struct ink *ink, const struct pl_report_record *record,
		     const char *what)
{
	ink_text(ink, "<p><code>");
	ink_value(ink, record->stream);
	ink_format(ink, "</code> %s ", what);
}

static void put_query(struct ink *ink, const struct pl_report_record *record)
{
	const char *domain = pl_report_text(record->detail, "domain");
	const json_t *want = json_object_get(record->detail, "want"), *kind;
	size_t i;

	put_line(ink, record, "looked up");
	ink_text(ink, "<strong class=\"peer\">");
	ink_value(ink, *domain != '\0' ? domain
		 : pl_report_text(record->detail, "host"));
	ink_text(ink, "</strong>");
	json_array_foreach(want, i, kind) {
		if (i >= 4 || !json_is_string(kind))
			continue;
		ink_text(ink, i == 0 ? ", wanted: " : ", ");
		ink_value(ink, json_string_value(kind));
	}
	ink_text(ink, "</p>\n");
}

static void put_answer(struct ink *ink, const struct pl_report_record *record)
{
	const json_t *targets = json_object_get(record->detail, "targets");

	put_line(ink, record, "answer:");
	put_state(ink, pl_report_true(record->detail, "secure") ? SECURE
							     : INSECURE);
	ink_text(ink, " ");
	ink_value(ink, pl_report_text(record->detail, "text"));
	ink_text(ink, "</p>\n");
	if (json_array_size(targets) > 0)
		put_targets(ink, targets);
}

static void put_failed(struct ink *ink, const struct pl_report_record *record)
{
	put_line(ink, record, "failed:");
	if (strcmp(record->code, "dns-bogus") == 0)
		put_state(ink, BOGUS);
	else
		ink_text(ink, "<span class=\"tag error\">\342\234\227</span>");
	ink_text(ink, " <code>");
	ink_value(ink, record->code);
	ink_text(ink, "</code> ");
	ink_value(ink, pl_report_text(record->detail, "text"));
	ink_text(ink, "</p>\n");
}

void page_dns(const struct page *page)
{
	unsigned asked = 0;

	page_section(page, "dns", "DNS");
	for (size_t i = 0; i < page->trace->count; i++) {
		const struct pl_report_record *r = &page->trace->records[i];

		if (strncmp(r->event, "dns.", 4) != 0)
			continue;
		if (asked++ >= RECORDS)
			continue;
		if (strcmp(r->event, "dns.query") == 0)
			put_query(page->ink, r);
		else if (strcmp(r->event, "dns.answer") == 0)
			put_answer(page->ink, r);
		else if (strcmp(r->event, "dns.failed") == 0)
			put_failed(page->ink, r);
	}
	if (asked > RECORDS)
		ink_format(page->ink, "<p>%u more records are in the trace.</p>"
			   "\n", asked - RECORDS);
	if (asked == 0)
		ink_text(page->ink, "<p>Nothing was looked up.</p>\n");
	page_section_end(page);
}
