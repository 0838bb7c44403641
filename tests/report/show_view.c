/*
 * show_view VIEW FILE: a trace file as one of the views on stdout, for tests.
 * The matrix takes the traces of the file one after the other as its rows.
 */
#include "parley/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *read_file(const char *path, size_t *length)
{
	FILE *file = fopen(path, "rb");
	char *bytes;

	if (file == NULL)
		return NULL;
	fseek(file, 0, SEEK_END);
	*length = (size_t)ftell(file);
	rewind(file);
	bytes = malloc(*length + 1);
	*length = fread(bytes, 1, *length, file);
	fclose(file);
	return bytes;
}

static bool put_json(struct pl_buffer *out, const struct pl_report_trace *trace)
{
	json_t *json = pl_report_json(trace);
	char *text = json_dumps(json, JSON_INDENT(2));
	bool good = text != NULL && pl_buffer_text(out, text) &&
		    pl_buffer_text(out, "\n");

	free(text);
	json_decref(json);
	return good;
}

/* Each trace has the row of its own begin; rows without one were skipped. */
static size_t fill_cells(const struct pl_report *report,
			 struct pl_report_cell cells[18])
{
	for (int row = 1; row <= 18; row++) {
		struct pl_report_cell *cell = &cells[row - 1];
		struct pl_report_summary s;

		memset(cell, 0, sizeof *cell);
		cell->row = row;
		cell->policy = pl_policy_of_row(row);
		strcpy(cell->expected, "SASL over TLS, TLS Dialback");
		strcpy(cell->verdict, pl_policy_valid(&cell->policy) ? "skipped"
								     : "invalid");
		if ((size_t)row > report->count)
			continue;
		cell->trace = &report->traces[row - 1];
		pl_report_summarise(cell->trace, &s);
		snprintf(cell->got, sizeof cell->got, "%s",
			 pl_method_name(s.method));
		snprintf(cell->code, sizeof cell->code, "%s",
			 pl_code_entry(s.code)->name);
		strcpy(cell->verdict, row == 2 ? "differs"
		       : s.method == PL_METHOD_NONE ? "failed" : "ok");
		cell->exit_status = s.exit_status;
		cell->ms = s.total_us / 1000;
	}
	return 18;
}

/* Every view of every trace, one after the other. */
static bool put_all(struct pl_buffer *out, const struct pl_report *report)
{
	bool good = true;

	for (size_t i = 0; i < report->count && good; i++)
		good = pl_report_svg(out, &report->traces[i]) &&
		       pl_report_mermaid(out, &report->traces[i]) &&
		       put_json(out, &report->traces[i]) &&
		       pl_report_prom(out, &report->traces[i]);
	return good;
}

/* A view in a buffer that is too small says so; it is never cut silently. */
static bool put_small(const struct pl_report *report, size_t whole)
{
	struct pl_report_look look = { .width = 80 };
	bool lied = false;

	for (size_t limit = 1; limit < whole && !lied;
	     limit += 1 + limit / 3) {
		struct pl_buffer small;

		pl_buffer_init(&small, limit);
		lied = pl_report_html(&small, report, &look);
		pl_buffer_finish(&small);
		pl_buffer_init(&small, limit);
		lied = lied || (pl_report_svg(&small, &report->traces[0]) &&
				small.length < 12);
		pl_buffer_finish(&small);
	}
	return !lied;
}

static bool show(struct pl_buffer *out, const struct pl_report *report,
		 const char *view)
{
	const struct pl_report_trace *trace = &report->traces[0];
	struct pl_report_look look = { .width = 80, .unicode = true };
	struct pl_report_cell cells[18];

	if (strcmp(view, "html") == 0)
		return pl_report_html(out, report, &look);
	if (strcmp(view, "small") == 0)
		return pl_report_html(out, report, &look) &&
		       put_small(report, out->length);
	if (strcmp(view, "all") == 0)
		return put_all(out, report);
	if (strcmp(view, "matrix-html") == 0)
		return pl_report_matrix_html(out, "The matrix of <b.example>",
					     cells, fill_cells(report, cells),
					     &look);
	if (strcmp(view, "matrix-svg") == 0)
		return pl_report_matrix_svg(out, "The matrix of <b.example>",
					    cells, fill_cells(report, cells));
	if (strcmp(view, "svg") == 0)
		return pl_report_svg(out, trace);
	if (strcmp(view, "mermaid") == 0)
		return pl_report_mermaid(out, trace);
	if (strcmp(view, "prom") == 0)
		return pl_report_prom(out, trace);
	return strcmp(view, "json") == 0 && put_json(out, trace);
}

int main(int argc, char **argv)
{
	struct pl_error error = { .text = "cannot be read" };
	struct pl_report report;
	struct pl_buffer out;
	size_t length = 0;
	char *bytes = argc == 3 ? read_file(argv[2], &length) : NULL;
	bool cut, good;

	if (bytes == NULL || !pl_report_read(&report, bytes, length, argv[2],
					     &cut, &error)) {
		fprintf(stderr, "show_view: %s\n", error.text);
		free(bytes);
		return 2;
	}
	pl_buffer_init(&out, 0);
	good = report.count > 0 && show(&out, &report, argv[1]) &&
	       fwrite(pl_buffer_bytes(&out), 1, out.length, stdout) ==
	       out.length && fflush(stdout) == 0;
	pl_buffer_finish(&out);
	pl_report_finish(&report);
	free(bytes);
	return good ? 0 : 1;
}
