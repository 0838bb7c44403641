/*
 * The 18 rows against one peer, as a picture: TLS from left to right, SASL and
 * dialback from top to bottom, each row's ladder behind its cell.
 */
#include "view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { COLUMNS = 3, LINES = 6 };

static enum step_tone tone_of(const struct pl_report_cell *cell)
{
	if (strcmp(cell->verdict, "ok") == 0)
		return TONE_OK;
	if (strcmp(cell->verdict, "differs") == 0 ||
	    strcmp(cell->verdict, "failed") == 0)
		return TONE_FAIL;
	return strcmp(cell->verdict, "skipped") == 0 ? TONE_WARN : TONE_PLAIN;
}

/* The row at a place of the grid. */
static int row_at(unsigned line, unsigned column)
{
	return (int)(line / 2 * 6 + column * 2 + line % 2 + 1);
}

static const char *got_of(const struct pl_report_cell *cell)
{
	enum pl_method method;

	if (*cell->got == '\0')
		return "-";
	if (strcmp(cell->got, "none") != 0 &&
	    pl_method_parse(cell->got, &method))
		return pl_method_title(method);
	return cell->got;
}

/* What stands under the method: a code where there is one, and the time. */
static void more_of(const struct pl_report_cell *cell, char *out, size_t size)
{
	bool code = *cell->code != '\0' && strcmp(cell->code, "none") != 0;

	if (cell->trace == NULL && cell->ms == 0) {
		snprintf(out, size, "%.48s", code ? cell->code : "not tried");
		return;
	}
	snprintf(out, size, "%.48s%s%" PRIu64 " ms", code ? cell->code : "",
		 code ? ", " : "", cell->ms);
}

static void policy_of(const struct pl_report_cell *cell, char *out, size_t size)
{
	snprintf(out, size, "tls=%s sasl=%s dialback=%s",
		 pl_level_name(cell->policy.tls),
		 pl_level_name(cell->policy.sasl),
		 cell->policy.dialback ? "yes" : "no");
}

static size_t count_of(const struct pl_report_cell *cells, size_t count,
		       const char *verdict)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += strcmp(cells[i].verdict, verdict) == 0;
	return n;
}

/* "16 ok, 2 differ" */
static void totals_of(const struct pl_report_cell *cells, size_t count,
		      char *out, size_t size)
{
	static const char *const verdicts[][2] = {
		{ "ok", "as expected" }, { "differs", "different" },
		{ "failed", "failed" }, { "skipped", "skipped" },
		{ "invalid", "not valid" },
	};
	size_t used = 0;

	*out = '\0';
	for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
		size_t n = count_of(cells, count, verdicts[i][0]);

		if (n > 0 && used < size)
			used += (size_t)snprintf(out + used, size - used,
						 "%s%zu %s",
						 used > 0 ? ", " : "", n,
						 verdicts[i][1]);
	}
}

/* Was all as it should be? Rows that are not valid do not count. */
static enum step_tone tone_of_all(const struct pl_report_cell *cells,
				  size_t count)
{
	if (count_of(cells, count, "differs") +
	    count_of(cells, count, "failed") > 0)
		return TONE_FAIL;
	return count_of(cells, count, "ok") > 0 &&
	       count_of(cells, count, "skipped") == 0 ? TONE_OK : TONE_WARN;
}

/* ----- HTML ----- */

static void put_cell(struct ink *ink, const struct pl_report_cell *cell,
		     size_t index)
{
	enum step_tone tone = tone_of(cell);
	char policy[120], more[120];

	policy_of(cell, policy, sizeof policy);
	more_of(cell, more, sizeof more);
	if (cell->trace != NULL)
		ink_format(ink, "<a class=\"cell %s\" href=\"#c%zu\">",
			   tone_name(tone), index);
	else
		ink_format(ink, "<span class=\"cell %s\">", tone_name(tone));
	ink_format(ink, "<span class=\"top\"><span>Row %d</span><span>%s ",
		   cell->row, tone_sign(tone));
	ink_peer(ink, cell->verdict);
	ink_text(ink, "</span></span><span class=\"got\">");
	ink_peer(ink, got_of(cell));
	ink_text(ink, "</span><span class=\"more\">");
	ink_peer(ink, more);
	ink_text(ink, "</span><span class=\"more\">expected: ");
	ink_peer(ink, *cell->expected == '\0' ? "nothing" : cell->expected);
	ink_format(ink, "</span><span class=\"more\">%s</span>%s\n", policy,
		   cell->trace != NULL ? "</a>" : "</span>");
}

static void put_place(struct ink *ink, const struct pl_report_cell *cells,
		      size_t count, int row)
{
	ink_text(ink, "<td>");
	for (size_t i = 0; i < count; i++)
		if (cells[i].row == row)
			put_cell(ink, &cells[i], i + 1);
	ink_text(ink, "</td>");
}

static void put_grid(struct ink *ink, const struct pl_report_cell *cells,
		     size_t count)
{
	ink_text(ink, "<table class=\"matrix\"><thead><tr><td></td>");
	for (unsigned column = 0; column < COLUMNS; column++)
		ink_format(ink, "<th scope=\"col\">TLS %s</th>",
			   pl_level_name((enum pl_level)column));
	ink_text(ink, "</tr></thead><tbody>\n");
	for (unsigned line = 0; line < LINES; line++) {
		ink_format(ink, "<tr><th scope=\"row\">SASL %s<br>dialback %s"
			   "</th>", pl_level_name((enum pl_level)(line / 2)),
			   line % 2 == 0 ? "yes" : "no");
		for (unsigned column = 0; column < COLUMNS; column++)
			put_place(ink, cells, count, row_at(line, column));
		ink_text(ink, "</tr>\n");
	}
	ink_text(ink, "</tbody></table>\n");
}

static void put_line(struct ink *ink, const struct pl_report_cell *cell,
		     size_t index)
{
	char policy[120];

	policy_of(cell, policy, sizeof policy);
	ink_format(ink, "<tr><th scope=\"row\" data-name=\"Row\">%d</th>"
		   "<td data-name=\"Policy\">%s</td><td data-name=\"Expected\">",
		   cell->row, policy);
	ink_peer(ink, *cell->expected == '\0' ? "nothing" : cell->expected);
	ink_text(ink, "</td><td data-name=\"Got\">");
	ink_peer(ink, got_of(cell));
	ink_format(ink, "</td><td data-name=\"Verdict\"><span class=\"tag %s\">"
		   "%s ", tone_name(tone_of(cell)), tone_sign(tone_of(cell)));
	ink_peer(ink, cell->verdict);
	ink_text(ink, "</span></td><td data-name=\"Code\">");
	ink_peer(ink, *cell->code == '\0' ? "none" : cell->code);
	ink_format(ink, "</td><td class=\"number\" data-name=\"Exit\">%d</td>"
		   "<td class=\"number\" data-name=\"Took\">%" PRIu64 " ms</td>"
		   "<td data-name=\"Report\">", cell->exit_status, cell->ms);
	if (cell->trace != NULL)
		ink_format(ink, "<a href=\"#c%zu\">report</a>", index);
	else
		ink_text(ink, "none");
	ink_text(ink, "</td></tr>\n");
}

static void put_lines(struct ink *ink, const struct pl_report_cell *cells,
		      size_t count)
{
	ink_text(ink, "<div class=\"scroll\"><table class=\"cards\"><thead><tr>"
		      "<th scope=\"col\">Row</th><th scope=\"col\">Policy</th>"
		      "<th scope=\"col\">Expected</th><th scope=\"col\">Got</th>"
		      "<th scope=\"col\">Verdict</th><th scope=\"col\">Code</th>"
		      "<th scope=\"col\" class=\"number\">Exit</th>"
		      "<th scope=\"col\" class=\"number\">Took</th>"
		      "<th scope=\"col\">Report</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < count; i++)
		put_line(ink, &cells[i], i + 1);
	ink_text(ink, "</tbody></table></div>\n");
}

static void put_report(struct ink *ink, const struct pl_report_cell *cell,
		       size_t index, const struct pl_report_look *look)
{
	struct pl_report_summary summary;
	char prefix[32], policy[120];
	struct page page = {
		.ink = ink, .trace = cell->trace, .summary = &summary,
		.look = look, .prefix = prefix, .heading = 3,
	};

	if (cell->trace == NULL)
		return;
	pl_report_summarise(cell->trace, &summary);
	snprintf(prefix, sizeof prefix, "c%zu-", index);
	policy_of(cell, policy, sizeof policy);
	ink_format(ink, "<details class=\"report\" id=\"c%zu\"><summary>Row %d: "
		   "%s &rarr; ", index, cell->row, policy);
	ink_peer(ink, got_of(cell));
	ink_text(ink, "</summary>\n");
	page_report(&page);
	ink_text(ink, "</details>\n");
}

bool pl_report_matrix_html(struct pl_buffer *out, const char *title,
			   const struct pl_report_cell *cells, size_t count,
			   const struct pl_report_look *look)
{
	/* the command ran the matrix, not one of its rows */
	struct pl_report_look each = { 0 };
	struct ink ink = { out, true };
	enum step_tone tone = tone_of_all(cells, count);
	char totals[160];

	totals_of(cells, count, totals, sizeof totals);
	page_begin(&ink, title);
	ink_format(&ink, "<header class=\"verdict %s\"><span class=\"sign\" "
		   "aria-hidden=\"true\">%s</span><div><h1>", tone_name(tone),
		   tone_sign(tone));
	ink_peer(&ink, title);
	ink_format(&ink, "</h1><p class=\"lead\">%zu rows: %s.</p></div>"
		   "</header>\n<section id=\"grid\"><h2>The matrix</h2>\n",
		   count, totals);
	put_grid(&ink, cells, count);
	ink_text(&ink, "</section>\n<section id=\"rows\"><h2>Row by row</h2>\n");
	put_lines(&ink, cells, count);
	if (look != NULL && look->command != NULL) {
		ink_text(&ink, "</section>\n<section id=\"again\"><h2>Reproduce"
			       "</h2><pre>");
		ink_peer(&ink, look->command);
		ink_text(&ink, "</pre>\n");
	}
	ink_text(&ink, "</section>\n<section id=\"reports\"><h2>Negotiations"
		       "</h2>\n");
	for (size_t i = 0; i < count && ink.ok; i++)
		put_report(&ink, &cells[i], i + 1, &each);
	ink_text(&ink, "</section>\n");
	page_traces_begin(&ink);
	for (size_t i = 0; i < count; i++)
		if (cells[i].trace != NULL)
			page_trace(&ink, cells[i].trace);
	page_end(&ink);
	return ink.ok;
}

/* ----- SVG ----- */

enum { CELL_WIDE = 250, CELL_HIGH = 92, GAP = 10, SIDE = 176, TOP = 110,
       SVG_WIDE = SIDE + COLUMNS * (CELL_WIDE + GAP) + GAP };

static const char grid_style[] =
	"svg{background:var(--bg);font:13px system-ui,sans-serif;"
	"fill:var(--ink)}\n"
	".cell{fill:var(--code);stroke:var(--rule)}"
	".ok>.cell{fill:var(--okbg);stroke:var(--ok)}"
	".warn>.cell{fill:var(--warnbg);stroke:var(--warn)}"
	".fail>.cell{fill:var(--failbg);stroke:var(--fail)}\n"
	".ok>.mark{fill:var(--ok)}.warn>.mark{fill:var(--warn)}"
	".fail>.mark{fill:var(--fail)}"
	".b{font-weight:700}.dim{fill:var(--dim)}.s{font-size:11px}\n";

/* Text of one line, cut to the columns. */
static void put_svg_text(struct ink *ink, unsigned x, unsigned y,
			 const char *class, const char *text, unsigned columns)
{
	char visible[400], line[400];
	size_t skip, n;

	ink_visible(visible, sizeof visible, text);
	n = ink_wrap(visible, columns, &skip);
	snprintf(line, sizeof line, "%.*s%s", (int)n, visible,
		 visible[n] != '\0' ? "..." : "");
	ink_format(ink, "<text x=\"%u\" y=\"%u\" class=\"%s\">", x, y, class);
	ink_bytes(ink, line, strlen(line));
	ink_text(ink, "</text>");
}

static void put_svg_cell(struct ink *ink, const struct pl_report_cell *cell,
			 size_t index, unsigned x, unsigned y)
{
	enum step_tone tone = tone_of(cell);
	char line[160];

	if (cell->trace != NULL)
		ink_format(ink, "<a href=\"#c%zu\">", index);
	ink_format(ink, "<g class=\"%s\"><rect class=\"cell\" x=\"%u\" y=\"%u\" "
		   "width=\"%d\" height=\"%d\" rx=\"8\"/>", tone_name(tone), x,
		   y, CELL_WIDE, CELL_HIGH);
	snprintf(line, sizeof line, "Row %d  %s %.16s", cell->row,
		 tone_sign(tone), cell->verdict);
	put_svg_text(ink, x + 12, y + 22, "mark b", line, 40);
	put_svg_text(ink, x + 12, y + 42, "b", got_of(cell), 30);
	more_of(cell, line, sizeof line);
	put_svg_text(ink, x + 12, y + 60, "dim s", line, 40);
	snprintf(line, sizeof line, "expected: %s", *cell->expected == '\0'
		 ? "nothing" : cell->expected);
	put_svg_text(ink, x + 12, y + 78, "dim s", line, 40);
	ink_text(ink, cell->trace != NULL ? "</g></a>\n" : "</g>\n");
}

static void put_svg_sides(struct ink *ink)
{
	char text[80];

	for (unsigned column = 0; column < COLUMNS; column++) {
		snprintf(text, sizeof text, "TLS %s",
			 pl_level_name((enum pl_level)column));
		put_svg_text(ink, SIDE + 12 + column * (CELL_WIDE + GAP),
			     TOP - 12, "b", text, 40);
	}
	for (unsigned line = 0; line < LINES; line++) {
		unsigned y = TOP + line * (CELL_HIGH + GAP) + 40;

		snprintf(text, sizeof text, "SASL %s",
			 pl_level_name((enum pl_level)(line / 2)));
		put_svg_text(ink, GAP, y, "b", text, 30);
		snprintf(text, sizeof text, "dialback %s",
			 line % 2 == 0 ? "yes" : "no");
		put_svg_text(ink, GAP, y + 18, "dim", text, 30);
	}
}

static void put_svg_cells(struct ink *ink, const struct pl_report_cell *cells,
			  size_t count)
{
	for (size_t i = 0; i < count; i++) {
		unsigned place = (unsigned)cells[i].row - 1;
		unsigned line = place / 6 * 2 + place % 2;
		unsigned column = place % 6 / 2;

		if (cells[i].row < 1 || cells[i].row > PL_POLICY_ROWS)
			continue;
		put_svg_cell(ink, &cells[i], i + 1,
			     SIDE + column * (CELL_WIDE + GAP),
			     TOP + line * (CELL_HIGH + GAP));
	}
}

/* The ladders, one under the other; returns where they end. */
static unsigned put_svg_ladders(struct ink *ink,
				const struct pl_report_cell *cells,
				size_t count)
{
	unsigned y = TOP + LINES * (CELL_HIGH + GAP) + 40;

	for (size_t i = 0; i < count && ink->ok; i++) {
		struct pl_report_summary summary;
		char text[200], policy[120], place[120];

		if (cells[i].trace == NULL)
			continue;
		pl_report_summarise(cells[i].trace, &summary);
		policy_of(&cells[i], policy, sizeof policy);
		snprintf(text, sizeof text, "Row %d: %s", cells[i].row, policy);
		ink_format(ink, "<g id=\"c%zu\">", i + 1);
		put_svg_text(ink, GAP, y, "b", text, 120);
		snprintf(place, sizeof place, "x=\"%d\" y=\"%u\" width=\"%d\"",
			 GAP, y + 12, SVG_WIDE - 2 * GAP);
		y += 60 + ladder_svg(ink, cells[i].trace, &summary,
				     SVG_WIDE - 2 * GAP, place, NULL);
		ink_text(ink, "</g>\n");
	}
	return y;
}

bool pl_report_matrix_svg(struct pl_buffer *out, const char *title,
			  const struct pl_report_cell *cells, size_t count)
{
	struct ink ink = { out, true };
	struct pl_buffer body;
	struct ink inner = { &body, true };
	unsigned height;
	char totals[160];

	totals_of(cells, count, totals, sizeof totals);
	pl_buffer_init(&body, out->limit);
	put_svg_text(&inner, GAP, 34, "b", title, 110);
	put_svg_text(&inner, GAP, 56, "dim", totals, 110);
	put_svg_sides(&inner);
	put_svg_cells(&inner, cells, count);
	height = put_svg_ladders(&inner, cells, count);
	ink_format(&ink, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\""
		   "0 0 %d %u\" width=\"%d\" height=\"%u\" role=\"group\" "
		   "aria-labelledby=\"title\">\n<title id=\"title\">", SVG_WIDE,
		   height, SVG_WIDE, height);
	ink_peer(&ink, title);
	ink_format(&ink, "</title>\n<style>%s%s%s</style>\n", view_colours,
		   ladder_style, grid_style);
	ink.ok = ink.ok && inner.ok &&
		 pl_buffer_append(out, pl_buffer_bytes(&body), body.length);
	ink_text(&ink, "</svg>\n");
	pl_buffer_finish(&body);
	return ink.ok;
}
