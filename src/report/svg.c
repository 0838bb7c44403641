/*
 * The ladder as a picture.
 *
 *     +0.007 s1   |  <stream> to=b.example   |
 *                 |------------------------->|     a line in clear is single,
 *     +0.010 s1   |  TLSv1.3 ...             |     under TLS it is double
 *                 |==========================|
 *
 * There are no font metrics here: the text is monospaced, and a column is
 * counted a little wider than it is in the usual fonts.
 */
#include "view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	STEPS = 400,      /* drawn at most */
	LABEL_LINES = 6,  /* of one step */
	NAME_LINES = 3,
	LINE = 15,        /* height of a line of text */
	WIDE = 600,       /* from this width on times stand at the left */
	SLOW_US = 5000,   /* waits from this length on are written */
};
static const double column = 7.3;

const char view_colours[] =
	":root{color-scheme:light dark;"
	"--bg:#f6f7f9;--card:#fff;--ink:#1b2430;--dim:#566273;--line:#d5dae1;"
	"--rule:#8a96a6;--accent:#1d5fbf;--code:#f1f3f6;"
	"--ok:#146c2e;--okbg:#e3f4e7;--warn:#8a4b00;--warnbg:#fdf0da;"
	"--fail:#b3161b;--failbg:#fce6e6;--tls:#dfeafb}\n"
	"@media screen and (prefers-color-scheme:dark){:root{"
	"--bg:#12161c;--card:#1a2028;--ink:#e4e9f0;--dim:#9faab9;"
	"--line:#323b47;--rule:#6b7889;--accent:#82b4ff;--code:#12171e;"
	"--ok:#6fd08a;--okbg:#143220;--warn:#f0b45c;--warnbg:#3a2a10;"
	"--fail:#ff8f8a;--failbg:#421a1b;--tls:#1b3153}}\n";

const char ladder_style[] =
	".ladder{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,"
	"\"DejaVu Sans Mono\",\"Liberation Mono\",monospace;"
	"fill:var(--ink)}\n"
	".ladder text{white-space:pre;unicode-bidi:isolate}\n"
	".ladder .dim{fill:var(--dim)}.ladder .b{font-weight:700}\n"
	".ladder .life{stroke:var(--rule);stroke-width:1.5}\n"
	".ladder .box{fill:var(--card);stroke:var(--rule)}\n"
	".ladder .wire{stroke:var(--ink);stroke-width:1.3;fill:none}\n"
	".ladder .head{fill:var(--ink)}\n"
	".ladder .note{fill:var(--code);stroke:var(--line)}\n"
	".ladder .band{fill:var(--tls);stroke:var(--accent)}\n"
	".ladder .ok .wire,.ladder .ok .note,.ladder .okbox"
	"{stroke:var(--ok)}\n"
	".ladder .ok .head,.ladder .ok .label,.ladder .oktext"
	"{fill:var(--ok)}\n"
	".ladder .ok .note,.ladder .okbox{fill:var(--okbg)}\n"
	".ladder .warn .wire,.ladder .warn .note,.ladder .warnbox"
	"{stroke:var(--warn)}\n"
	".ladder .warn .head,.ladder .warn .label,.ladder .warntext"
	"{fill:var(--warn)}\n"
	".ladder .warn .note,.ladder .warnbox{fill:var(--warnbg)}\n"
	".ladder .fail .wire,.ladder .fail .note,.ladder .failbox"
	"{stroke:var(--fail)}\n"
	".ladder .fail .head,.ladder .fail .label,.ladder .failtext"
	"{fill:var(--fail)}\n"
	".ladder .fail .note,.ladder .failbox{fill:var(--failbg)}\n"
	".ladder .ok .band .label,.ladder .plainbox{fill:var(--code)}\n"
	".ladder a:hover .label,.ladder a:focus .label"
	"{text-decoration:underline}\n";

struct canvas {
	struct ink ink;
	struct pl_buffer body;
	const char *prefix;
	unsigned width, left, right, y;
	bool wide;
	uint64_t before_us; /* of the step above */
};

/* How many lines the text has, and the widest of them. */
static unsigned measure(const char *text, unsigned columns, unsigned most,
			unsigned *widest)
{
	unsigned lines = 0;

	*widest = 0;
	while (*text != '\0' && lines < most) {
		size_t skip, n = ink_wrap(text, columns, &skip);
		char line[512];

		snprintf(line, sizeof line, "%.*s", (int)n, text);
		if (pl_report_cells(line) > *widest)
			*widest = pl_report_cells(line);
		text += n + skip;
		lines++;
	}
	return lines;
}

/* Lines of text at x; the last one of `most` says that more was cut. Returns
 * how many. */
static unsigned put_lines(struct canvas *c, const char *text, unsigned columns,
			  unsigned most, unsigned x, unsigned y,
			  const char *attributes)
{
	unsigned lines = 0;

	while (*text != '\0' && lines < most) {
		size_t skip, n = ink_wrap(text, columns, &skip);
		bool cut = lines + 1 == most && text[n + skip] != '\0';

		ink_format(&c->ink, "<text x=\"%u\" y=\"%u\" %s>", x,
			   y + lines * LINE, attributes);
		ink_bytes(&c->ink, text, n);
		ink_text(&c->ink, cut ? "...</text>" : "</text>");
		text += n + skip;
		lines++;
	}
	return lines;
}

static void put_text(struct canvas *c, unsigned x, unsigned y,
		     const char *attributes, const char *text)
{
	ink_format(&c->ink, "<text x=\"%u\" y=\"%u\" %s>", x, y, attributes);
	ink_peer(&c->ink, text);
	ink_text(&c->ink, "</text>");
}

/* ----- the parts of a step ----- */

/* "+0.007" and "s1": at the left, or above the label. */
static void put_time(struct canvas *c, const struct pl_report_record *record)
{
	char text[64], stream[16], span[24];
	uint64_t waited = record->mono_us > c->before_us
			  ? record->mono_us - c->before_us : 0;

	ink_visible(stream, sizeof stream, record->stream);
	snprintf(text, sizeof text, "+%" PRIu64 ".%03u",
		 record->mono_us / 1000000,
		 (unsigned)(record->mono_us / 1000 % 1000));
	c->before_us = record->mono_us;
	if (c->wide) {
		put_text(c, c->left - 56, c->y + 12,
			 "class=\"dim\" text-anchor=\"end\"", text);
		put_text(c, c->left - 46, c->y + 12, "class=\"dim\"", stream);
		if (waited >= SLOW_US)
			put_text(c, c->right + 10, c->y + 12, "class=\"dim\"",
				 ink_span(span, waited));
		return;
	}
	ink_format(&c->ink, "<text x=\"%u\" y=\"%u\" class=\"dim\">%s ",
		   c->left + 8, c->y + 11, text);
	ink_peer(&c->ink, stream);
	if (waited >= SLOW_US)
		ink_format(&c->ink, " (%s later)", ink_span(span, waited));
	ink_text(&c->ink, "</text>");
	c->y += LINE;
}

static void put_wire(struct canvas *c, const struct step *step)
{
	unsigned from = c->left + (step->outgoing ? 0 : 9);
	unsigned to = c->right - (step->outgoing ? 9 : 0), y = c->y;

	if (step->encrypted)
		ink_format(&c->ink, "<path class=\"wire\" d=\"M%u %uH%uM%u "
			   "%uH%u\"/>", from, y - 2, to, from, y + 2, to);
	else
		ink_format(&c->ink, "<path class=\"wire\" d=\"M%u %uH%u\"/>",
			   from, y, to);
	if (step->outgoing)
		ink_format(&c->ink, "<path class=\"head\" d=\"M%u %ul-10-5v10"
			   "z\"/>", c->right, y);
	else
		ink_format(&c->ink, "<path class=\"head\" d=\"M%u %ul10-5v10"
			   "z\"/>", c->left, y);
}

static void label_of(const struct step *step, char *out, size_t size)
{
	snprintf(out, size, "%s%s%s",
		 step->tone == TONE_PLAIN ? "" : tone_sign(step->tone),
		 step->tone == TONE_PLAIN ? "" : " ", step->label);
}

static void put_arrow(struct canvas *c, const struct step *step)
{
	unsigned columns = (unsigned)((c->right - c->left - 24) / column);
	char label[600];

	label_of(step, label, sizeof label);
	c->y += LINE * put_lines(c, label, columns, LABEL_LINES,
				 (c->left + c->right) / 2, c->y + 12,
				 "class=\"label\" text-anchor=\"middle\"");
	c->y += 6;
	put_wire(c, step);
	c->y += 14;
}

/* A decision, a look-up, or (across the whole) the TLS channel. */
static void put_box(struct canvas *c, const struct step *step)
{
	unsigned room = c->right - c->left, widest, lines, wide;
	unsigned columns = (unsigned)((room - 44) / column);
	char label[600];

	label_of(step, label, sizeof label);
	lines = measure(label, columns, LABEL_LINES, &widest);
	wide = step->kind == STEP_BAND ? room
	     : (unsigned)(widest * column) + 24;
	if (wide > room)
		wide = room;
	ink_format(&c->ink, "<rect class=\"%s\" x=\"%u\" y=\"%u\" width=\"%u\" "
		   "height=\"%u\" rx=\"%d\"%s/>",
		   step->kind == STEP_BAND ? "band" : "note",
		   (c->left + c->right - wide) / 2, c->y, wide,
		   lines * LINE + 8, step->kind == STEP_BAND ? 3 : 6,
		   strcmp(step->record->dir, "dns") == 0
		   ? " stroke-dasharray=\"4 3\"" : "");
	put_lines(c, label, columns, LABEL_LINES, (c->left + c->right) / 2,
		  c->y + LINE, "class=\"label\" text-anchor=\"middle\"");
	c->y += lines * LINE + 18;
}

static void put_step(struct canvas *c, const struct step *step)
{
	ink_format(&c->ink, "<g class=\"%s\">", tone_name(step->tone));
	if (c->prefix != NULL)
		ink_format(&c->ink, "<a href=\"#%se%u\">", c->prefix,
			   step->record->seq);
	put_time(c, step->record);
	if (step->kind == STEP_ARROW)
		put_arrow(c, step);
	else
		put_box(c, step);
	ink_text(&c->ink, c->prefix != NULL ? "</a></g>\n" : "</g>\n");
}

/* ----- the frame ----- */

/* A box with a name and a role, at the head of a lifeline. */
static unsigned put_name(struct canvas *c, const char *name, const char *role,
			 bool right)
{
	unsigned most = c->width / 2 - 12, wide, edge;
	unsigned columns = (unsigned)((most - 20) / column);
	unsigned lines, widest, role_lines, role_widest, high;
	char visible[800], what[200];

	ink_visible(visible, sizeof visible, *name == '\0' ? "?" : name);
	ink_visible(what, sizeof what, role);
	lines = measure(visible, columns, NAME_LINES, &widest);
	role_lines = measure(what, columns, NAME_LINES, &role_widest);
	wide = (unsigned)((role_widest > widest ? role_widest : widest) *
			  column) + 20;
	high = (lines + role_lines) * LINE + 12;
	if (wide > most)
		wide = most;
	edge = right ? c->width - 4 - wide : c->wide ? c->left - 20 : 4;
	ink_format(&c->ink, "<rect class=\"box\" x=\"%u\" y=\"8\" width=\"%u\" "
		   "height=\"%u\" rx=\"6\"/>", edge, wide, high);
	put_lines(c, visible, columns, NAME_LINES, edge + 10, 26,
		  "class=\"b\"");
	put_lines(c, what, columns, NAME_LINES, edge + 10, 26 + lines * LINE,
		  "class=\"dim\"");
	return 8 + high;
}

static void put_outcome(struct canvas *c, const struct pl_report_summary *s)
{
	unsigned columns = (unsigned)((c->width - 40) / column);
	unsigned lines, widest;
	struct verdict verdict;
	char text[320], class[64];

	verdict_of(s, &verdict);
	snprintf(text, sizeof text, "%s %s. %s", tone_sign(verdict.tone),
		 verdict.title, verdict.text);
	lines = measure(text, columns, LABEL_LINES, &widest);
	ink_format(&c->ink, "<rect class=\"%sbox\" x=\"4\" y=\"%u\" width=\"%u"
		   "\" height=\"%u\" rx=\"6\"/>", tone_name(verdict.tone), c->y,
		   c->width - 8, lines * LINE + 14);
	snprintf(class, sizeof class, "class=\"b %stext\"",
		 tone_name(verdict.tone));
	put_lines(c, text, columns, LABEL_LINES, 16, c->y + 19, class);
	c->y += lines * LINE + 22;
}

static void put_rest(struct canvas *c, size_t rest)
{
	char text[80];

	if (rest == 0)
		return;
	snprintf(text, sizeof text, "%zu more steps are not drawn", rest);
	put_text(c, (c->left + c->right) / 2, c->y + 12,
		 "class=\"dim\" text-anchor=\"middle\"", text);
	c->y += 2 * LINE;
}

static void put_steps(struct canvas *c, const struct pl_report_trace *trace)
{
	size_t drawn = 0, rest = 0;

	for (size_t i = 0; i < trace->count; i++) {
		struct step step;

		if (drawn == STEPS) {
			rest += step_is_drawn(&trace->records[i]);
		} else if (step_of(trace, i, &step)) {
			put_step(c, &step);
			drawn++;
		}
	}
	put_rest(c, rest);
}

static void put_names(struct canvas *c, const struct pl_report_summary *s)
{
	char role[96];
	unsigned left, right;

	/* on a narrow picture an address has no room for more */
	snprintf(role, sizeof role, "%s%s", c->wide || *s->addr == '\0'
		 ? "peer " : "", s->addr);
	left = put_name(c, s->local, s->incoming ? "us, dialled"
						  : "us, dialling", false);
	right = put_name(c, s->remote, role, true);
	c->y = (left > right ? left : right) + 12;
}

unsigned ladder_svg(struct ink *ink, const struct pl_report_trace *trace,
		    const struct pl_report_summary *summary, unsigned width,
		    const char *attributes, const char *prefix)
{
	bool wide = width >= WIDE;
	struct canvas c = {
		.prefix = prefix, .width = width, .wide = wide,
		.left = wide ? 118 : 12,
		.right = wide ? width - 72 : width - 12,
	};
	unsigned top, bottom;

	pl_buffer_init(&c.body, ink->out->limit);
	c.ink = (struct ink){ &c.body, true };
	put_names(&c, summary);
	top = c.y - 12;
	put_steps(&c, trace);
	bottom = c.y;
	put_outcome(&c, summary);
	ink_format(ink, "<svg class=\"ladder\" viewBox=\"0 0 %u %u\" "
		   "height=\"%u\" %s>", width, c.y, c.y, attributes);
	ink_format(ink, "<path class=\"life\" d=\"M%u %uV%uM%u %uV%u\"/>\n",
		   c.left, top, bottom, c.right, top, bottom);
	ink->ok = ink->ok && c.ink.ok &&
		  pl_buffer_append(ink->out, pl_buffer_bytes(&c.body),
				   c.body.length);
	ink_text(ink, "</svg>\n");
	pl_buffer_finish(&c.body);
	return c.y;
}

bool pl_report_svg(struct pl_buffer *out, const struct pl_report_trace *trace)
{
	struct pl_buffer body;
	struct ink ink = { out, true }, inner = { &body, true };
	struct pl_report_summary summary;
	struct verdict verdict;
	unsigned height;

	pl_report_summarise(trace, &summary);
	verdict_of(&summary, &verdict);
	/* the outer picture has the styles, and room around the ladder */
	ink_text(&ink, "<svg xmlns=\"http://www.w3.org/2000/svg\" "
		       "width=\"960\" role=\"img\" "
		       "aria-labelledby=\"title what\" viewBox=\"0 0 960 ");
	pl_buffer_init(&body, out->limit);
	height = ladder_svg(&inner, trace, &summary, 940,
			    "x=\"10\" y=\"6\" width=\"940\"", NULL);
	ink_format(&ink, "%u\" height=\"%u\">\n<title id=\"title\">",
		   height + 12, height + 12);
	ink_peer(&ink, summary.local);
	ink_text(&ink, " and ");
	ink_peer(&ink, summary.remote);
	ink_format(&ink, ": %s</title>\n<desc id=\"what\">The negotiation as a "
		   "ladder, from top to bottom: we stand at the left, the peer "
		   "at the right. A double line is under TLS. %s.</desc>\n",
		   verdict.title, verdict.text);
	ink_format(&ink, "<style>%s%ssvg{background:var(--card)}</style>\n",
		   view_colours, ladder_style);
	ink.ok = ink.ok && inner.ok &&
		 pl_buffer_append(out, pl_buffer_bytes(&body), body.length);
	ink_text(&ink, "</svg>\n");
	pl_buffer_finish(&body);
	return ink.ok;
}
