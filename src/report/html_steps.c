/* Every step, with what was sent and what was understood. */
#include "view.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 3000, VALUES = 40 }; /* shown at most */

static const char *way_of(const struct pl_report_record *record)
{
	if (strcmp(record->dir, "out") == 0)
		return "\342\206\222 out"; /* arrow to the right */
	if (strcmp(record->dir, "in") == 0)
		return "\342\206\220 in"; /* to the left */
	return strcmp(record->dir, "dns") == 0 ? "DNS" : "here";
}

static void put_summary(struct ink *ink, const struct step *step)
{
	const struct pl_report_record *r = step->record;
	bool wire = step->kind != STEP_NOTE;

	ink_format(ink, "<summary><span class=\"time\">+%" PRIu64 ".%03u</span>"
		   "<span class=\"stream\">", r->mono_us / 1000000,
		   (unsigned)(r->mono_us / 1000 % 1000));
	ink_peer(ink, r->stream);
	ink_format(ink, "</span><span class=\"way\">%s</span><span class=\""
		   "label\">", way_of(r));
	if (step->tone != TONE_PLAIN)
		ink_format(ink, "<span class=\"tag %s\">%s</span> ",
			   tone_name(step->tone), tone_sign(step->tone));
	ink_bytes(ink, step->label, strlen(step->label));
	ink_text(ink, "</span><span class=\"meta\">");
	if (wire)
		ink_text(ink, step->encrypted ? "TLS" : "clear");
	if (r->len > 0)
		ink_format(ink, " \302\267 %zu B", r->len);
	ink_text(ink, "</span></summary>\n");
}

/* ----- the element ----- */

/* Bytes that are no UTF-8 travel as base64; they are shown as they were. */
static void put_base64(struct ink *ink, const char *text)
{
	size_t length = strlen(text);
	unsigned char *bytes = malloc(length + 4);
	int n = -1;

	if (bytes != NULL && length < INT32_MAX)
		n = EVP_DecodeBlock(bytes, (const unsigned char *)text,
				    (int)length);
	if (n < 0) {
		ink_peer(ink, text);
	} else {
		/* what fills up the last group is no byte of it */
		for (; length > 0 && n > 0 && text[length - 1] == '='; length--)
			n--;
		element_html(ink, (const char *)bytes, (size_t)n);
	}
	free(bytes);
}

static void put_raw(struct ink *ink, const struct pl_report_record *record)
{
	if (*record->raw == '\0')
		return;
	ink_text(ink, "<pre>");
	if (record->raw_base64)
		put_base64(ink, record->raw);
	else
		element_html(ink, record->raw, strlen(record->raw));
	ink_text(ink, "</pre>\n");
	if (record->raw_base64)
		ink_text(ink, "<p class=\"dim small\">These bytes are no "
			      "UTF-8.</p>\n");
	if (record->trunc > 0)
		ink_format(ink, "<p class=\"dim small\">%zu more bytes were cut "
			   "off.</p>\n", record->trunc);
	if (record->redacted)
		ink_text(ink, "<p class=\"dim small\">Secrets in it are "
			      "masked.</p>\n");
}

/* ----- the details ----- */

static bool is_list_of_texts(const json_t *list)
{
	const json_t *value;
	size_t i;

	if (!json_is_array(list))
		return false;
	json_array_foreach(list, i, value)
		if (!json_is_string(value))
			return false;
	return true;
}

static void put_texts(struct ink *ink, const json_t *list)
{
	const json_t *value;
	size_t i;

	json_array_foreach(list, i, value) {
		if (i == VALUES) {
			ink_format(ink, " and %zu more",
				   json_array_size(list) - VALUES);
			return;
		}
		ink_text(ink, i > 0 ? ", " : "");
		ink_value(ink, json_string_value(value));
	}
	if (i == 0)
		ink_text(ink, "none");
}

/* A text as it is, yes and no, texts side by side; all else as JSON. */
static void put_value(struct ink *ink, const json_t *value)
{
	char *text;

	if (json_is_string(value)) {
		ink_value(ink, json_string_value(value));
		return;
	}
	if (json_is_boolean(value)) {
		ink_text(ink, json_is_true(value) ? "yes" : "no");
		return;
	}
	if (is_list_of_texts(value)) {
		put_texts(ink, value);
		return;
	}
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	if (text == NULL) {
		ink->ok = false;
		return;
	}
	ink_value(ink, text);
	free(text);
}

static void put_rejected(struct ink *ink, const json_t *rejected)
{
	const json_t *one;
	size_t i;

	ink_text(ink, "<dt>rejected</dt><dd>");
	json_array_foreach(rejected, i, one) {
		if (i == VALUES)
			break;
		if (i > 0)
			ink_text(ink, "<br>");
		if (!json_is_object(one)) {
			put_value(ink, one);
			continue;
		}
		ink_text(ink, "<code>");
		ink_value(ink, pl_report_text(one, "choice"));
		ink_text(ink, "</code>: ");
		ink_value(ink, pl_report_text(one, "reason"));
	}
	ink_text(ink, json_array_size(rejected) == 0 ? "nothing</dd>\n"
						     : "</dd>\n");
}

static void put_details(struct ink *ink, const struct pl_report_record *record)
{
	json_t *detail = (json_t *)(uintptr_t)record->detail, *value;
	const char *key;

	ink_text(ink, "<dl class=\"pairs small\">\n<dt>event</dt><dd><code>");
	ink_peer(ink, record->event);
	ink_format(ink, "</code>, record %u</dd>\n", record->seq);
	if (*record->code != '\0') {
		ink_text(ink, "<dt>code</dt><dd><code>");
		ink_peer(ink, record->code);
		ink_text(ink, "</code></dd>\n");
	}
	if (*record->summary != '\0') {
		ink_text(ink, "<dt>summary</dt><dd>");
		ink_value(ink, record->summary);
		ink_text(ink, "</dd>\n");
	}
	json_object_foreach(detail, key, value) {
		if (strcmp(key, "rejected") == 0 && json_is_array(value)) {
			put_rejected(ink, value);
			continue;
		}
		ink_text(ink, "<dt>");
		ink_peer(ink, key);
		ink_text(ink, "</dt><dd>");
		put_value(ink, value);
		ink_text(ink, "</dd>\n");
	}
	ink_text(ink, "</dl>\n");
}

static void put_step(const struct page *page, const struct step *step)
{
	struct ink *ink = page->ink;

	ink_format(ink, "<details class=\"step %s\" id=\"%se%u\">\n",
		   tone_name(step->tone), page->prefix, step->record->seq);
	put_summary(ink, step);
	ink_text(ink, "<div class=\"body\">\n");
	put_raw(ink, step->record);
	put_details(ink, step->record);
	ink_text(ink, "</div></details>\n");
}

void page_steps(const struct page *page)
{
	size_t shown = 0, rest = 0, hidden = 0;

	page_section(page, "steps", "Elements and decisions");
	for (size_t i = 0; i < page->trace->count && page->ink->ok; i++) {
		struct step step;

		if (!step_is_drawn(&page->trace->records[i])) {
			hidden++;
		} else if (shown == STEPS) {
			rest++;
		} else if (step_of(page->trace, i, &step)) {
			put_step(page, &step);
			shown++;
		}
	}
	if (rest > 0)
		ink_format(page->ink, "<p>%zu more steps are in the trace.</p>"
			   "\n", rest);
	if (hidden > 0)
		ink_format(page->ink, "<p class=\"dim small\">The trace holds "
			   "%zu more records: its begin and end, and the steps "
			   "of the state machines.</p>\n", hidden);
	page_section_end(page);
}
