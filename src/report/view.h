/*
 * view.h: what the drawn views (HTML, SVG, Mermaid, matrix) share.
 *
 *     trace -> step_of each record -> a label, a direction, a tone
 *           -> ladder_svg, Mermaid, the list of elements
 *
 * Text of a peer enters markup through ink_peer(), ink_value() and ink_bytes()
 * alone.
 */
#ifndef PARLEY_REPORT_VIEW_H
#define PARLEY_REPORT_VIEW_H

#include "internal.h"

/* ----- writing (ink.c) ----- */

/* A buffer that remembers that it was full once: a document that lacks a piece
 * in its middle is never taken for whole. */
struct ink {
	struct pl_buffer *out;
	bool ok;
};
void ink_text(struct ink *ink, const char *markup);  /* as it is */
void ink_format(struct ink *ink, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void ink_peer(struct ink *ink, const char *text);    /* escaped, visible */
void ink_value(struct ink *ink, const char *text);   /* same; long ones cut */
void ink_bytes(struct ink *ink, const char *text, size_t length); /* same */

/* The next character of UTF-8 text: its code and length; broken bytes are one
 * character each, with the code INK_BROKEN. */
enum { INK_BROKEN = 0x110000 };
size_t ink_decode(const char *text, size_t length, unsigned *code);
/* Controls, characters that show as nothing, and those that turn others
 * round. */
bool ink_hidden(unsigned code);
/* Makes hidden characters visible (U+NNNN), without escaping; cut at a whole
 * character with "..." where it does not fit. */
char *ink_visible(char *out, size_t size, const char *text);
/* The next line of visible text, so many columns wide: its bytes. *skip: the
 * spaces behind them. */
size_t ink_wrap(const char *text, unsigned columns, size_t *skip);

/* "2.1 ms", "8.0 s" */
const char *ink_span(char out[24], uint64_t us);

/* ----- details of a record (steps.c) ----- */

int64_t view_number(const json_t *object, const char *key, int64_t no);
/* Seconds of an RFC 3339 time or date; false: none. */
bool view_time(const char *text, int64_t *seconds);

/* ----- a record as a step of a drawing (steps.c) ----- */

enum step_kind { STEP_ARROW, STEP_BAND, STEP_NOTE };
enum step_tone { TONE_PLAIN, TONE_OK, TONE_WARN, TONE_FAIL };

struct step {
	const struct pl_report_record *record;
	enum step_kind kind;
	enum step_tone tone;
	bool outgoing, encrypted;
	char label[512]; /* visible text, not escaped */
};
/* Is it drawn at all (not trace.begin, the machines' steps ...)? */
bool step_is_drawn(const struct pl_report_record *record);
/* False where it is not. Costs more than to ask. */
bool step_of(const struct pl_report_trace *trace, size_t index,
	     struct step *step);

/* "ok", "warn", "fail", "plain" */
const char *tone_name(enum step_tone tone);
/* A sign for those who do not see the colour. */
const char *tone_sign(enum step_tone tone);

/* What the whole came to. */
struct verdict {
	enum step_tone tone;
	char title[80];  /* "SASL over TLS", "No method" */
	char text[200];  /* "negotiated in 55 ms" */
};
void verdict_of(const struct pl_report_summary *summary,
		struct verdict *verdict);

/* ----- pieces of documents ----- */

/* The ladder as an <svg> so many units wide (below 600: times above their
 * arrows). attributes: more of the <svg> tag; prefix: of the ids that its steps
 * link to, NULL: no links. Returns its height. (svg.c) */
unsigned ladder_svg(struct ink *ink, const struct pl_report_trace *trace,
		    const struct pl_report_summary *summary, unsigned width,
		    const char *attributes, const char *prefix);
/* Styles for a <style> element: the colours of both themes, and the ladder. */
extern const char view_colours[];
extern const char ladder_style[];

/* An element with line breaks and colours, within <pre> (elements.c). */
void element_html(struct ink *ink, const char *raw, size_t length);

/* Where the rule behind a code is written; "" where nowhere (specs.c). */
const char *code_specification(const char *code);

/* ----- the HTML report ----- */

/* One negotiation within a document. */
struct page {
	struct ink *ink;
	const struct pl_report_trace *trace;
	const struct pl_report_summary *summary;
	const struct pl_report_look *look;
	const char *prefix; /* of its ids: "t1-" */
	unsigned heading;   /* level of its heading */
};
/* html.c: a document's begin and end; what stands between */
void page_begin(struct ink *ink, const char *title);
void page_report(const struct page *page);
void page_traces_begin(struct ink *ink);
void page_trace(struct ink *ink, const struct pl_report_trace *trace);
void page_end(struct ink *ink); /* the traces' end as well */
/* A section with its heading, and its end; a row of a description list. */
void page_section(const struct page *page, const char *id, const char *title);
void page_section_end(const struct page *page);
void page_fact(struct ink *ink, const char *name, const char *value);
/* Sections: html_dns.c, html_tls.c, html_steps.c. */
void page_dns(const struct page *page);
void page_certificates(const struct page *page);
void page_steps(const struct page *page);
/* The styles of a document (html_style.c). */
extern const char *const page_style[]; /* pieces; NULL behind the last */

#endif
