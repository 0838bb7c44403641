/* matrix.h: what the files of `parley matrix` share. */
#ifndef PARLEY_CLI_MATRIX_H
#define PARLEY_CLI_MATRIX_H

#include "options.h"
#include "render.h"

#define ALL_ROWS (((1U << PL_POLICY_ROWS) - 1) << 1)

struct matrix_row {
	struct pl_report_cell cell;
	struct pl_report report;          /* owned: its trace */
	struct pl_report_summary summary;
	bool valid, tried;
};

struct matrix {
	struct cli_way way;
	struct render_options render;
	unsigned rows;                    /* bit n: row n */
	double pause;                     /* seconds */
	bool peer_known;
	struct pl_policy peer_policy;
	const char *junit;
	bool help, progress;
	char local[PL_DOMAIN_SIZE], remote[PL_DOMAIN_SIZE];
	struct matrix_row list[PL_POLICY_ROWS];
	size_t count;
	struct pl_peer_offer offer;       /* merged */
	bool spoke;                       /* in one of the rows */
};

/* matrix_judge.c: what was to be expected of each row, and the verdict. */
void matrix_judge(struct matrix *matrix);
int matrix_status(const struct matrix *matrix);
/* Was it tried, and differs? */
bool matrix_is_wrong(const struct matrix_row *row);

/* matrix_show.c */
int matrix_show(const struct matrix *matrix);
int matrix_junit(const struct matrix *matrix);

#endif
