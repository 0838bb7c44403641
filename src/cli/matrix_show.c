/* The matrix as a table, JSON, HTML, SVG, and as a JUnit file. */
#include "matrix.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void describe(const struct pl_policy *policy, char *out, size_t size)
{
	snprintf(out, size, "tls=%s sasl=%s dialback=%s",
		 pl_level_name(policy->tls), pl_level_name(policy->sasl),
		 policy->dialback ? "yes" : "no");
}

static size_t count_of(const struct matrix *matrix, const char *verdict)
{
	size_t count = 0;

	for (size_t i = 0; i < matrix->count; i++)
		count += strcmp(matrix->list[i].cell.verdict, verdict) == 0;
	return count;
}

/* ----- table ----- */

static const char *short_level(enum pl_level level)
{
	return level == PL_NOT_SUPPORTED ? "none" : pl_level_name(level);
}

/* Within 80 columns; the code of a failure stands on a line of its own. */
static bool put_line(struct pl_buffer *out, const struct matrix_row *row)
{
	const struct pl_report_cell *c = &row->cell;
	char status[16] = "-", ms[24] = "-";

	if (row->tried) {
		snprintf(status, sizeof status, "%d", c->exit_status);
		snprintf(ms, sizeof ms, "%" PRIu64, c->ms);
	}
	return pl_buffer_printf(out, "%3d  %-8s %-8s %-3s  %-13s  %-13s %4s "
				"%6s  %s\n", c->row,
				short_level(c->policy.tls),
				short_level(c->policy.sasl),
				c->policy.dialback ? "yes" : "no",
				row->valid ? c->expected : "-",
				row->tried ? c->got : "-", status, ms,
				c->verdict) &&
	       (c->code[0] == '\0' ||
		pl_buffer_printf(out, "                                       "
				 "        %s\n", c->code));
}

static bool put_totals(struct pl_buffer *out, const struct matrix *matrix)
{
	static const char *const verdicts[] = { "ok", "differs", "failed",
						"skipped", "invalid" };
	const char *before = "\n";

	for (size_t i = 0; i < 5; i++) {
		size_t count = count_of(matrix, verdicts[i]);

		if (count > 0) {
			pl_buffer_printf(out, "%s%zu %s", before, count,
					 verdicts[i]);
			before = ", ";
		}
	}
	return pl_buffer_text(out, "\n");
}

static bool put_ladders(struct pl_buffer *out, const struct matrix *matrix)
{
	struct pl_report_look look = render_look(&matrix->render);

	look.verbose--;
	for (size_t i = 0; i < matrix->count; i++) {
		const struct matrix_row *row = &matrix->list[i];

		if (row->tried && matrix_is_wrong(row) &&
		    (!pl_buffer_printf(out, "\nrow %d\n\n", row->cell.row) ||
		     !pl_report_ladder(out, row->cell.trace, &look)))
			return false;
	}
	return true;
}

static bool make_table(struct pl_buffer *out, const struct matrix *matrix)
{
	bool good = pl_buffer_printf(out, "%.200s -> %.200s\n\n"
		"row  tls      sasl     db   expected       got           exit"
		"     ms  verdict\n", matrix->local, matrix->remote);

	for (size_t i = 0; i < matrix->count; i++)
		good = good && put_line(out, &matrix->list[i]);
	good = good && put_totals(out, matrix);
	if (matrix->render.verbose > 0)
		good = good && put_ladders(out, matrix);
	return good;
}

/* ----- JSON ----- */

static json_t *json_row(const struct matrix_row *row)
{
	const struct pl_report_cell *c = &row->cell;

	return json_pack("{s:i,s:s,s:s,s:b,s:b,s:o,s:o,s:o,s:o,s:o,s:s}",
		"row", c->row, "tls", pl_level_name(c->policy.tls),
		"sasl", pl_level_name(c->policy.sasl),
		"dialback", (int)c->policy.dialback,
		"valid", (int)row->valid,
		"expected", row->valid ? json_string(c->expected)
				       : json_null(),
		"got", row->tried ? json_string(c->got) : json_null(),
		"code", c->code[0] ? json_string(c->code) : json_null(),
		"exit", row->tried ? json_integer(c->exit_status)
				   : json_null(),
		"ms", row->tried ? json_integer((json_int_t)c->ms)
				 : json_null(),
		"verdict", c->verdict);
}

static bool make_json(struct pl_buffer *out, const struct matrix *matrix)
{
	json_t *rows = json_array(), *document;
	char *text;
	bool good;

	for (size_t i = 0; i < matrix->count; i++)
		json_array_append_new(rows, json_row(&matrix->list[i]));
	document = json_pack("{s:o,s:o,s:o,s:b,s:i}",
			     "local", cli_json_text(matrix->local),
			     "remote", cli_json_text(matrix->remote),
			     "rows", rows, "as_expected",
			     matrix_status(matrix) == CLI_OK,
			     "exit", matrix_status(matrix));
	text = json_dumps(document, JSON_COMPACT);
	json_decref(document);
	good = text != NULL && pl_buffer_text(out, text) &&
	       pl_buffer_text(out, "\n");
	free(text);
	return good;
}

/* ----- pictures ----- */

static bool make_picture(struct pl_buffer *out, const struct matrix *matrix,
			 bool html)
{
	struct pl_report_look look = render_look(&matrix->render);
	struct pl_report_cell cells[PL_POLICY_ROWS];
	char title[600];

	for (size_t i = 0; i < matrix->count; i++)
		cells[i] = matrix->list[i].cell;
	snprintf(title, sizeof title, "%.250s -> %.250s", matrix->local,
		 matrix->remote);
	return html ? pl_report_matrix_html(out, title, cells, matrix->count,
					    &look)
		    : pl_report_matrix_svg(out, title, cells, matrix->count);
}

static bool make_lines(struct pl_buffer *out, const struct matrix *matrix)
{
	bool good = true;

	for (size_t i = 0; i < matrix->count; i++)
		if (matrix->list[i].tried)
			good = good && pl_report_lines(
				out, &matrix->list[i].report);
	return good;
}

static bool make(struct pl_buffer *out, const struct matrix *matrix)
{
	switch (matrix->render.format) {
	case RENDER_JSON: return make_json(out, matrix);
	case RENDER_JSONL: return make_lines(out, matrix);
	case RENDER_HTML: return make_picture(out, matrix, true);
	case RENDER_SVG: return make_picture(out, matrix, false);
	case RENDER_LADDER:
	case RENDER_MERMAID:
	case RENDER_PROM:
	case RENDER_PCAPNG:
	case RENDER_FORMATS:
		break;
	}
	return make_table(out, matrix);
}

static int write_made(struct pl_buffer *out, bool made,
		      const struct render_options *options)
{
	int status = CLI_INCOMPLETE;

	if (made)
		status = render_write(options, pl_buffer_bytes(out),
				      out->length);
	else
		fprintf(stderr, "parley matrix: no memory for the result\n");
	pl_buffer_finish(out);
	return status;
}

int matrix_show(const struct matrix *matrix)
{
	struct pl_buffer out;
	bool made;

	pl_buffer_init(&out, 0);
	made = make(&out, matrix);
	return write_made(&out, made, &matrix->render);
}

/* ----- JUnit ----- */

/* As an attribute's value. */
static bool put_text(struct pl_buffer *out, const char *text)
{
	for (; *text != '\0'; text++) {
		const char *entity = *text == '&' ? "&amp;"
				   : *text == '<' ? "&lt;"
				   : *text == '>' ? "&gt;"
				   : *text == '"' ? "&quot;" : NULL;

		if (entity != NULL ? !pl_buffer_text(out, entity)
				   : !pl_buffer_append(out, text, 1))
			return false;
	}
	return true;
}

static bool put_inside(struct pl_buffer *out, const struct matrix_row *row)
{
	const struct pl_report_cell *c = &row->cell;
	bool skipped = strcmp(c->verdict, "skipped") == 0;

	if (!row->valid)
		return pl_buffer_text(out, "<skipped message=\"this row is not "
				      "valid: it allows no method\"/>");
	if (!matrix_is_wrong(row))
		return true;
	return pl_buffer_printf(out, "<%s message=\"expected %s, got %s %s: ",
				skipped ? "error" : "failure", c->expected,
				c->got, c->code) &&
	       put_text(out, row->summary.why) && pl_buffer_text(out, "\"/>");
}

static bool put_case(struct pl_buffer *out, const struct matrix *matrix,
		     const struct matrix_row *row)
{
	char policy[120];

	describe(&row->cell.policy, policy, sizeof policy);
	return pl_buffer_printf(out, "    <testcase name=\"row %d %s\" "
				"classname=\"", row->cell.row, policy) &&
	       put_text(out, matrix->remote) &&
	       pl_buffer_printf(out, "\" time=\"%.3f\">",
				(double)row->cell.ms / 1000) &&
	       put_inside(out, row) && pl_buffer_text(out, "</testcase>\n");
}

static bool make_junit(struct pl_buffer *out, const struct matrix *matrix)
{
	bool good = pl_buffer_text(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
				   "<testsuites>\n  <testsuite name=\""
				   "parley matrix ") &&
		    put_text(out, matrix->remote) &&
		    pl_buffer_printf(out, "\" tests=\"%zu\" failures=\"%zu\" "
				     "errors=\"%zu\" skipped=\"%zu\">\n",
				     matrix->count,
				     count_of(matrix, "differs") +
				     count_of(matrix, "failed"),
				     count_of(matrix, "skipped"),
				     count_of(matrix, "invalid"));

	for (size_t i = 0; i < matrix->count; i++)
		good = good && put_case(out, matrix, &matrix->list[i]);
	return good && pl_buffer_text(out, "  </testsuite>\n</testsuites>\n");
}

int matrix_junit(const struct matrix *matrix)
{
	struct render_options file = { .output = matrix->junit,
				       .force = matrix->render.force };
	struct pl_buffer out;
	bool made;

	pl_buffer_init(&out, 0);
	made = make_junit(&out, matrix);
	return write_made(&out, made, &file);
}
