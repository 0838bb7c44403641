/*
 * Both machines against each other: every row against every row, with every
 * kind of certificate on either side, ends in the best method that rows and
 * certificates leave, or fails with a code on both sides.
 */
#include "story.h"

static const enum pl_certificate shown[] = {
	PL_CERT_VALID, PL_CERT_NONE, PL_CERT_EXPIRED,
};

static struct pl_rehearsal_side side(int row, enum pl_certificate certificate)
{
	struct pl_rehearsal_side s = {
		.terms = row_terms(row),
		.certificate = certificate,
	};

	s.terms.own_certificate = certificate != PL_CERT_NONE;
	s.terms.own_expired = certificate == PL_CERT_EXPIRED;
	return s;
}

static bool both(const struct pl_rehearsal_side *a,
		 const struct pl_rehearsal_side *b, enum pl_method method)
{
	return pl_policy_allows(&a->terms.policy, method) &&
	       pl_policy_allows(&b->terms.policy, method);
}

/* The best of the rows alone. */
static enum pl_method best_common(const struct pl_rehearsal_side *a,
				  const struct pl_rehearsal_side *b)
{
	for (int m = PL_METHOD_SASL_OVER_TLS; m > PL_METHOD_NONE; m--)
		if (both(a, b, m))
			return m;
	return PL_METHOD_NONE;
}

/* Does `judge` end it over what `shower` shows? (P1) */
static bool final(const struct pl_rehearsal_side *judge,
		  const struct pl_rehearsal_side *shower)
{
	return shower->certificate == PL_CERT_EXPIRED &&
	       (judge->terms.policy.sasl == PL_REQUIRED ||
		judge->terms.check == PL_CHECK_STRICT);
}

/* TLS is taken wherever `server` can offer it and both rows let it. */
static bool tls(const struct pl_rehearsal_side *a,
		const struct pl_rehearsal_side *server)
{
	return a->terms.policy.tls != PL_NOT_SUPPORTED &&
	       server->terms.policy.tls != PL_NOT_SUPPORTED &&
	       server->certificate != PL_CERT_NONE;
}

/* Can `in` ask the server of `out` about a key (P9)? Without a certificate that
 * server turns everybody away where its row needs TLS. */
static bool verifiable(const struct pl_rehearsal_side *out,
		       const struct pl_rehearsal_side *in)
{
	if (tls(in, out))
		return !final(in, out);
	return in->terms.policy.tls != PL_REQUIRED &&
	       out->terms.policy.tls != PL_REQUIRED;
}

static enum pl_method expected(const struct pl_rehearsal_side *out,
			       const struct pl_rehearsal_side *in)
{
	bool external = both(out, in, PL_METHOD_SASL_OVER_TLS) &&
			out->certificate == PL_CERT_VALID &&
			in->certificate == PL_CERT_VALID;

	if (!tls(out, in))
		return both(out, in, PL_METHOD_TCP_DIALBACK) &&
		       verifiable(out, in) ? PL_METHOD_TCP_DIALBACK
					   : PL_METHOD_NONE;
	if (final(out, in) || final(in, out))
		return PL_METHOD_NONE;
	if (external && !in->refuses_sasl)
		return PL_METHOD_SASL_OVER_TLS;
	/* Where the receiving side alone wants SASL it closes; the connection
	 * that follows keeps EXTERNAL back, which row 3 cannot tell from a peer
	 * that has none (P1, P2). */
	if (external && out->terms.policy.sasl == PL_REQUIRED)
		return PL_METHOD_NONE;
	if (!both(out, in, PL_METHOD_TLS_DIALBACK))
		return PL_METHOD_NONE;
	if (out->certificate != PL_CERT_VALID && !verifiable(out, in))
		return PL_METHOD_NONE;
	return PL_METHOD_TLS_DIALBACK;
}

static void check(const struct pl_rehearsal_side *out,
		  const struct pl_rehearsal_side *in)
{
	struct pl_rehearsal_result result;
	enum pl_method wanted = expected(out, in);

	pl_rehearse(out, in, &result);
	if (result.method != wanted ||
	    (wanted == PL_METHOD_NONE) != (result.initiating != PL_CODE_NONE) ||
	    (wanted == PL_METHOD_NONE) != (result.receiving != PL_CODE_NONE) ||
	    result.initiating == PL_CODE_INTERNAL ||
	    result.receiving == PL_CODE_INTERNAL ||
	    result.connections < 1 || result.connections > 3)
		fail_msg("row %d (%s) to row %d (%s)%s: %s (%s, %s), not %s",
			 pl_policy_row(&out->terms.policy),
			 pl_certificate_name(out->certificate),
			 pl_policy_row(&in->terms.policy),
			 pl_certificate_name(in->certificate),
			 in->refuses_sasl ? " SASL refused" : "",
			 pl_method_name(result.method),
			 pl_code_entry(result.initiating)->name,
			 pl_code_entry(result.receiving)->name,
			 pl_method_name(wanted));
}

static void every_row_with_every_row(void **unused)
{
	int count = 0;

	for (int i = 0; i < 18 * 18 * 9 * 2 * 2; i++) {
		struct pl_rehearsal_side out = side(i % 18 + 1,
						    shown[i / 324 % 3]);
		struct pl_rehearsal_side in = side(i / 18 % 18 + 1,
						   shown[i / 972 % 3]);

		in.refuses_sasl = i / 2916 % 2;
		out.terms.direct_tls = false;
		if (i / 5832 % 2) { /* everybody strict */
			out.terms.check = PL_CHECK_STRICT;
			in.terms.check = PL_CHECK_STRICT;
		}
		check(&out, &in);
		count++;
	}
	print_message("# %d rehearsals\n", count);
}

static void sound_certificates_give_the_best_common_method(void **unused)
{
	for (int i = 0; i < 18 * 18; i++) {
		struct pl_rehearsal_side out = side(i % 18 + 1, PL_CERT_VALID);
		struct pl_rehearsal_side in = side(i / 18 + 1, PL_CERT_VALID);
		struct pl_rehearsal_result there, back;

		pl_rehearse(&out, &in, &there);
		pl_rehearse(&in, &out, &back);
		assert_int_equal(there.method, best_common(&out, &in));
		assert_int_equal(back.method, best_common(&out, &in));
		assert_int_equal(there.connections, 1);
	}
}

static void codes_say_what_was_wrong(void **unused)
{
	static const struct {
		int out, in;
		enum pl_certificate shown;
		enum pl_code initiating, receiving;
	} cases[] = {
		{ 2, 17, PL_CERT_VALID, PL_CODE_TLS_NOT_OFFERED,
		  PL_CODE_PEER_REQUIRES_TLS },
		{ 17, 2, PL_CERT_VALID, PL_CODE_PEER_REQUIRES_TLS,
		  PL_CODE_TLS_NOT_OFFERED },
		{ 4, 17, PL_CERT_VALID, PL_CODE_TLS_NOT_OFFERED,
		  PL_CODE_PEER_REQUIRES_TLS },
		/* Our header declares xmlns:db, so it is tried (P8). */
		{ 13, 2, PL_CERT_VALID, PL_CODE_DIALBACK_REFUSED,
		  PL_CODE_DIALBACK_NOT_ALLOWED },
		{ 2, 13, PL_CERT_VALID, PL_CODE_SASL_NOT_OFFERED,
		  PL_CODE_PEER_REQUIRES_SASL },
		{ 2, 2, PL_CERT_EXPIRED, PL_CODE_OWN_CERTIFICATE_EXPIRED,
		  PL_CODE_CERTIFICATE_EXPIRED },
		{ 8, 7, PL_CERT_EXPIRED, PL_CODE_OWN_CERTIFICATE_EXPIRED,
		  PL_CODE_CERTIFICATE_EXPIRED },
		{ 2, 2, PL_CERT_NONE, PL_CODE_OWN_CERTIFICATE_MISSING,
		  PL_CODE_CERTIFICATE_MISSING },
		{ 8, 7, PL_CERT_NONE, PL_CODE_OWN_CERTIFICATE_MISSING,
		  PL_CODE_CERTIFICATE_MISSING },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct pl_rehearsal_side out = side(cases[i].out,
						    cases[i].shown);
		struct pl_rehearsal_side in = side(cases[i].in, PL_CERT_VALID);
		struct pl_rehearsal_result result;

		pl_rehearse(&out, &in, &result);
		assert_int_equal(result.method, PL_METHOD_NONE);
		assert_code(result.initiating, cases[i].initiating);
		assert_code(result.receiving, cases[i].receiving);
	}
}

static void direct_tls_changes_nothing_under_tls(void **unused)
{
	for (int i = 0; i < 18 * 18; i++) {
		struct pl_rehearsal_side out = side(i % 18 + 1, PL_CERT_VALID);
		struct pl_rehearsal_side in = side(i / 18 + 1, PL_CERT_VALID);
		struct pl_rehearsal_result result;
		enum pl_method best = best_common(&out, &in);

		out.terms.direct_tls = true;
		if (best == PL_METHOD_TCP_DIALBACK)
			best = PL_METHOD_NONE;
		pl_rehearse(&out, &in, &result);
		assert_int_equal(result.method, best);
	}
}

/* P7: the handshake breaks since the receiving side has no certificate, which
 * only direct TLS brings about here. */
static void a_broken_handshake_is_not_followed_by_clear_text(void **unused)
{
	struct pl_rehearsal_side out = side(9, PL_CERT_VALID);
	struct pl_rehearsal_side in = side(9, PL_CERT_NONE);
	struct pl_rehearsal_result result;

	out.terms.direct_tls = true;
	pl_rehearse(&out, &in, &result);
	assert_int_equal(result.method, PL_METHOD_NONE);
	assert_code(result.initiating, PL_CODE_TLS_FAILED);
	assert_int_equal(result.next, PL_NEXT_TARGET);
	assert_int_equal(result.connections, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_with_every_row),
		cmocka_unit_test(sound_certificates_give_the_best_common_method),
		cmocka_unit_test(codes_say_what_was_wrong),
		cmocka_unit_test(direct_tls_changes_nothing_under_tls),
		cmocka_unit_test(a_broken_handshake_is_not_followed_by_clear_text),
	};

	return cmocka_run_group_tests_name("rehearse", tests, NULL, NULL);
}
