/*
 * What would work with a peer: the same that a rehearsal with a server of that
 * kind ends in, and nothing where that hangs on what is not known.
 */
#include "story.h"

static struct pl_rehearsal_side side(int row, enum pl_certificate certificate)
{
	struct pl_rehearsal_side s = {
		.terms = row_terms(row),
		.certificate = certificate,
	};

	s.terms.own_certificate = certificate != PL_CERT_NONE;
	return s;
}

/* What a server with that row shows us, whose certificate it accepts. */
static struct pl_peer_offer offer_of(int row)
{
	struct pl_policy policy = pl_policy_of_row(row);
	struct pl_peer_offer offer = {
		.starttls = policy.tls == PL_NOT_SUPPORTED ? PL_NO : PL_YES,
		.external = pl_policy_allows(&policy, PL_METHOD_SASL_OVER_TLS)
				    ? PL_YES : PL_NO,
		.dialback_tls = pl_policy_allows(&policy,
						 PL_METHOD_TLS_DIALBACK)
					? PL_YES : PL_NO,
		.dialback_clear = pl_policy_allows(&policy,
						   PL_METHOD_TCP_DIALBACK)
					  ? PL_YES : PL_NO,
		.starttls_required = policy.tls == PL_REQUIRED,
		.certificate_known = true,
		.certificate = PL_CERT_VALID,
		.own_certificate = true,
	};

	return offer;
}

static void is_what_a_rehearsal_ends_in(void **state)
{
	for (int ours = 1; ours <= PL_POLICY_ROWS; ours++)
		for (int theirs = 1; theirs <= PL_POLICY_ROWS; theirs++) {
			struct pl_rehearsal_side out = side(ours,
							    PL_CERT_VALID);
			struct pl_rehearsal_side in = side(theirs,
							   PL_CERT_VALID);
			struct pl_peer_offer offer = offer_of(theirs);
			struct pl_policy policy = pl_policy_of_row(ours);
			struct pl_rehearsal_result result;
			enum pl_method would;

			if (!pl_policy_valid(&in.terms.policy))
				continue;
			pl_rehearse(&out, &in, &result);
			would = pl_would_work(&policy, &offer);
			if (would != result.method)
				fail_msg("row %d with a peer of row %d: %s, "
					 "rehearsed %s", ours, theirs,
					 pl_method_name(would),
					 pl_method_name(result.method));
		}
}

static enum pl_method with(int row, struct pl_peer_offer offer)
{
	struct pl_policy policy = pl_policy_of_row(row);

	return pl_would_work(&policy, &offer);
}

static void a_peer_with_dialback_in_clear_alone(void **state)
{
	struct pl_peer_offer offer = { .starttls = PL_NO,
				       .dialback_clear = PL_YES,
				       .own_certificate = true };

	/* The rows that the contract's example names, and no other. */
	for (int row = 1; row <= PL_POLICY_ROWS; row++) {
		bool works = row == 3 || row == 5 || row == 9 || row == 11 ||
			     row == 15 || row == 17;

		assert_int_equal(with(row, offer),
				 works ? PL_METHOD_TCP_DIALBACK
				       : PL_METHOD_NONE);
	}
}

static void nothing_is_claimed_of_a_stranger(void **state)
{
	struct pl_peer_offer offer = { .own_certificate = true };

	for (int row = 1; row <= PL_POLICY_ROWS; row++)
		assert_int_equal(with(row, offer), PL_METHOD_NONE);
}

static void what_does_not_matter_may_be_unknown(void **state)
{
	/* Refused before TLS: nothing is known of what is under it. */
	struct pl_peer_offer offer = { .starttls = PL_YES,
				       .dialback_clear = PL_YES,
				       .own_certificate = true };

	assert_int_equal(with(17, offer), PL_METHOD_TCP_DIALBACK);
	assert_int_equal(with(13, offer), PL_METHOD_NONE);
	offer.dialback_tls = PL_YES;
	/* Whatever the certificate is: SASL is off, the check only logs. */
	assert_int_equal(with(13, offer), PL_METHOD_TLS_DIALBACK);
	assert_int_equal(with(7, offer), PL_METHOD_NONE);
	offer.external = PL_NO;
	assert_int_equal(with(7, offer), PL_METHOD_TLS_DIALBACK);
	offer.external = PL_YES;
	offer.certificate_known = true;
	offer.certificate = PL_CERT_VALID;
	assert_int_equal(with(7, offer), PL_METHOD_SASL_OVER_TLS);
	assert_int_equal(with(2, offer), PL_METHOD_SASL_OVER_TLS);
	offer.certificate = PL_CERT_WRONG_NAME;
	assert_int_equal(with(7, offer), PL_METHOD_TLS_DIALBACK);
	assert_int_equal(with(2, offer), PL_METHOD_NONE);
}

static struct pl_peer_offer generous(void)
{
	struct pl_peer_offer offer = {
		.starttls = PL_YES,
		.external = PL_YES,
		.dialback_tls = PL_YES,
		.dialback_clear = PL_YES,
		.certificate_known = true,
		.certificate = PL_CERT_VALID,
		.own_certificate = true,
	};

	return offer;
}

static void what_was_refused_does_not_work(void **state)
{
	struct pl_peer_offer offer = generous();

	offer.refuses_external = true;
	assert_int_equal(with(7, offer), PL_METHOD_TLS_DIALBACK);
	assert_int_equal(with(2, offer), PL_METHOD_NONE);
	offer.refuses_dialback = true;
	assert_int_equal(with(7, offer), PL_METHOD_NONE);
	offer.refuses_external = false;
	assert_int_equal(with(7, offer), PL_METHOD_SASL_OVER_TLS);
	assert_int_equal(with(17, offer), PL_METHOD_NONE);
	offer = generous();
	offer.refuses_tls = true;
	assert_int_equal(with(7, offer), PL_METHOD_NONE);
	assert_int_equal(with(9, offer), PL_METHOD_NONE);
	assert_int_equal(with(17, offer), PL_METHOD_TCP_DIALBACK);
}

static void without_a_certificate_of_ours(void **state)
{
	struct pl_peer_offer offer = generous();

	offer.own_certificate = false;
	assert_int_equal(with(7, offer), PL_METHOD_TLS_DIALBACK);
	assert_int_equal(with(8, offer), PL_METHOD_NONE);
}

static void a_peer_that_requires_tls(void **state)
{
	struct pl_peer_offer offer = generous();

	offer.starttls_required = true;
	assert_int_equal(with(17, offer), PL_METHOD_NONE);
	assert_int_equal(with(9, offer), PL_METHOD_SASL_OVER_TLS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_what_a_rehearsal_ends_in),
		cmocka_unit_test(a_peer_with_dialback_in_clear_alone),
		cmocka_unit_test(nothing_is_claimed_of_a_stranger),
		cmocka_unit_test(what_does_not_matter_may_be_unknown),
		cmocka_unit_test(what_was_refused_does_not_work),
		cmocka_unit_test(without_a_certificate_of_ours),
		cmocka_unit_test(a_peer_that_requires_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
