/*
 * What was to be expected of each row.
 *
 * Without --peer-policy that follows from what the peer was seen to offer in
 * any of the rows: an offer stands for a promise, so that a row which fails
 * though all it needs was offered is told as different.
 */
#include "matrix.h"

#include <stdio.h>
#include <string.h>

static void learn(enum pl_known *what, enum pl_known seen)
{
	if (seen == PL_YES || *what == PL_UNKNOWN)
		*what = seen;
}

static void merge(struct matrix *matrix, const struct pl_report_summary *s)
{
	struct pl_peer_offer *to = &matrix->offer;
	const struct pl_peer_offer *from = &s->peer;

	matrix->spoke = matrix->spoke || s->spoke;
	learn(&to->starttls, from->starttls);
	learn(&to->external, from->external);
	learn(&to->dialback_tls, from->dialback_tls);
	learn(&to->dialback_clear, from->dialback_clear);
	to->starttls_required = to->starttls_required ||
				from->starttls_required;
	if (from->certificate_known) {
		to->certificate_known = true;
		to->certificate = from->certificate;
	}
	to->own_certificate = to->own_certificate ||
			      (s->tls[0] != '\0' && from->own_certificate);
}

/* What two rows make of each other, with sound certificates. */
static enum pl_method rehearse(const struct matrix *matrix,
			       const struct pl_policy *ours)
{
	struct pl_rehearsal_side us = { .certificate = PL_CERT_VALID }, them;
	struct pl_rehearsal_result result;
	bool certificate = !matrix->way.no_certificate &&
			   (matrix->offer.own_certificate ||
			    matrix->offer.starttls != PL_YES);

	us.terms = (struct pl_terms){
		.policy = *ours,
		.check = (uint8_t)pl_policy_default_check(ours),
		.partner_known = true,
		.own_certificate = true,
		.verify_requires_tls = true,
	};
	them = us;
	them.terms.policy = matrix->peer_policy;
	them.terms.check = (uint8_t)pl_policy_default_check(
		&matrix->peer_policy);
	if (!certificate) {
		us.terms.own_certificate = false;
		us.certificate = PL_CERT_NONE;
	}
	pl_rehearse(&us, &them, &result);
	return result.method;
}

static enum pl_method expect(const struct matrix *matrix,
			     const struct pl_policy *policy)
{
	return matrix->peer_known ? rehearse(matrix, policy)
				  : pl_would_work(policy, &matrix->offer);
}

static const char *verdict_of(const struct matrix *matrix,
			      const struct matrix_row *row)
{
	if (!row->valid)
		return "invalid";
	if (strcmp(row->summary.result, "negotiated") != 0 &&
	    strcmp(row->summary.result, "failed") != 0)
		return "skipped";
	if (!matrix->spoke || row->cell.exit_status == CLI_DNS ||
	    row->cell.exit_status == CLI_TCP)
		return "failed";
	return strcmp(row->cell.expected, row->cell.got) == 0 ? "ok"
							      : "differs";
}

void matrix_judge(struct matrix *matrix)
{
	for (size_t i = 0; i < matrix->count; i++)
		if (matrix->list[i].tried)
			merge(matrix, &matrix->list[i].summary);
	for (size_t i = 0; i < matrix->count; i++) {
		struct matrix_row *row = &matrix->list[i];
		struct pl_report_cell *cell = &row->cell;

		if (row->valid)
			snprintf(cell->expected, sizeof cell->expected, "%s",
				 matrix->spoke || matrix->peer_known
				 ? pl_method_name(expect(matrix,
							 &cell->policy))
				 : "unknown");
		snprintf(cell->verdict, sizeof cell->verdict, "%s",
			 verdict_of(matrix, row));
	}
}

bool matrix_is_wrong(const struct matrix_row *row)
{
	return row->valid && strcmp(row->cell.verdict, "ok") != 0;
}

static const struct matrix_row *first_with(const struct matrix *matrix,
					   const char *verdict)
{
	for (size_t i = 0; i < matrix->count; i++)
		if (strcmp(matrix->list[i].cell.verdict, verdict) == 0)
			return &matrix->list[i];
	return NULL;
}

int matrix_status(const struct matrix *matrix)
{
	const struct matrix_row *failed = first_with(matrix, "failed");

	if (first_with(matrix, "differs") != NULL)
		return CLI_DIFFERS;
	if (failed != NULL)
		return failed->cell.exit_status > 0
			       ? failed->cell.exit_status : CLI_INCOMPLETE;
	if (first_with(matrix, "skipped") != NULL)
		return CLI_INCOMPLETE;
	/* Rows that are not valid show nothing of the peer. */
	return first_with(matrix, "ok") != NULL ? CLI_OK : CLI_USAGE;
}
