/*
 * The promises about a negotiation that parleyd(8) and parley.conf(5) state,
 * each as a story. Their names begin with the promise's number.
 */
#include "story.h"

enum {
	STARTTLS = PL_FEATURE_STARTTLS,
	REQUIRED = PL_FEATURE_STARTTLS | PL_FEATURE_STARTTLS_REQUIRED,
	EXTERNAL = PL_FEATURE_EXTERNAL,
	DIALBACK = PL_FEATURE_DIALBACK,
};

static void opened_by(struct story *s, enum pl_method method)
{
	assert_phase(s, PL_OPEN);
	assert_pair_does(s, PL_DO_OPEN_PAIR);
	assert_string_equal(pl_method_name(s->paired.method),
			    pl_method_name(method));
	assert_string_equal(pl_method_name(s->pair.method),
			    pl_method_name(method));
}

/* The initiating pair fails with the stream's code. */
static void pair_failed(struct story *s, enum pl_code code,
			enum pl_stanza_condition bounce)
{
	assert_pair_does(s, PL_DO_FAIL_PAIR);
	assert_code(s->paired.code, code);
	assert_string_equal(pl_stanza_condition_name(s->paired.stanza_condition),
			    pl_stanza_condition_name(bounce));
}

/* ---------------------------------------------------- the plain ways */

static void initiating_sasl_over_tls(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 7);
	up_to_tls(&s);
	features(&s, EXTERNAL | DIALBACK);
	assert_does(&s, PL_DO_SEND_AUTH);
	happens(&s, PL_EV_CHALLENGE);
	assert_does(&s, PL_DO_SEND_RESPONSE);
	happens(&s, PL_EV_SASL_SUCCESS);
	assert_does(&s, PL_DO_RESTART);
	assert_does(&s, PL_DO_SEND_HEADER);
	header(&s);
	features(&s, DIALBACK);
	assert_does(&s, PL_DO_RAISE_LIMITS);
	assert_does(&s, PL_DO_DISARM_NEGOTIATION);
	opened_by(&s, PL_METHOD_SASL_OVER_TLS);
	assert_true(pl_stream_takes_pairs(&s.stream));
}

static void receiving_sasl_over_tls(void **unused)
{
	struct story s;

	begin(&s, PL_RECEIVING, 2);
	up_to_tls(&s);
	assert_int_equal(s.step.features, EXTERNAL);
	tell(&s, (struct pl_stream_event){ .kind = PL_EV_AUTH, .flag = true });
	assert_does(&s, PL_DO_START_SASL);
	happens(&s, PL_EV_SASL_CONTINUE);
	assert_does(&s, PL_DO_SEND_CHALLENGE);
	happens(&s, PL_EV_RESPONSE);
	assert_does(&s, PL_DO_CONTINUE_SASL);
	happens(&s, PL_EV_SASL_ACCEPTED);
	assert_does(&s, PL_DO_SEND_SUCCESS);
	header(&s);
	assert_int_equal(s.step.actions[0], PL_DO_SEND_HEADER);
	assert_int_equal(s.step.actions[1], PL_DO_SEND_FEATURES);
	assert_int_equal(s.step.features, 0);
	opened_by(&s, PL_METHOD_SASL_OVER_TLS);
	/* The first stanza may come right behind the header. */
	tell(&s, (struct pl_stream_event){ .kind = PL_EV_STANZA,
					   .flag = true });
	assert_does(&s, PL_DO_DELIVER);
}

static void initiating_tls_dialback(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 13);
	up_to_tls(&s);
	features(&s, EXTERNAL | DIALBACK);
	assert_does(&s, PL_DO_START_PAIRS);
	assert_pair_does(&s, PL_DO_SEND_RESULT);
	result_answer(&s, PL_PE_RESULT_VALID, PL_SC_NONE);
	opened_by(&s, PL_METHOD_TLS_DIALBACK);
}

static void initiating_tcp_dialback_to_an_old_peer(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 17);
	s.header.version_1 = false;
	happens(&s, PL_EV_STARTED);
	header(&s);
	assert_does(&s, PL_DO_START_PAIRS);
	result_answer(&s, PL_PE_RESULT_VALID, PL_SC_NONE);
	opened_by(&s, PL_METHOD_TCP_DIALBACK);
}

static void receiving_an_old_peer_gets_an_old_header(void **unused)
{
	struct story s;

	begin(&s, PL_RECEIVING, 17);
	s.header.version_1 = false;
	s.header.to_present = s.header.to_hosted = false;
	happens(&s, PL_EV_STARTED);
	header(&s);
	assert_does(&s, PL_DO_SEND_HEADER_OLD);
	assert_false(holds(&s.step, PL_DO_SEND_FEATURES));
	assert_phase(&s, PL_AWAIT_CHOICE);
	result_request(&s);
	assert_pair_does(&s, PL_DO_START_VERIFY);
	pair_event(&s, (struct pl_pair_event){ PL_PE_VERIFY_VALID });
	assert_int_equal(s.paired.actions[1], PL_DO_OPEN_PAIR);
	assert_int_equal(s.paired.actions[2], PL_DO_SEND_VALID);
}

/* ------------------------------------------------------------ P1, P2 */

static void p1_row_3_absence_leads_to_dialback(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 3);
	happens(&s, PL_EV_STARTED);
	header(&s);
	features(&s, DIALBACK); /* no TLS */
	assert_does(&s, PL_DO_START_PAIRS);

	begin(&s, PL_INITIATING, 3);
	up_to_tls(&s);
	features(&s, DIALBACK); /* no EXTERNAL */
	assert_does(&s, PL_DO_START_PAIRS);

	begin(&s, PL_RECEIVING, 3);
	s.certificate = PL_CERT_NONE; /* no certificate */
	up_to_tls(&s);
	assert_int_equal(s.step.features,
			 DIALBACK | PL_FEATURE_DIALBACK_ERRORS);
}

static void p1_row_3_a_bad_certificate_is_final(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 3);
	s.terms.check = PL_CHECK_LOG; /* SASL required weighs more */
	s.certificate = PL_CERT_WRONG_NAME;
	up_to_tls(&s);
	assert_error(&s, PL_COND_NOT_AUTHORIZED,
		     PL_CODE_CERTIFICATE_WRONG_NAME);
	assert_int_equal(s.step.stage, PL_STAGE_TLS);
	assert_int_equal(s.step.next, PL_NEXT_NONE);
	assert_int_equal(s.step.actions[1], PL_DO_SEND_HEADER);
	pair_failed(&s, PL_CODE_CERTIFICATE_WRONG_NAME,
		    PL_SC_REMOTE_SERVER_TIMEOUT);

	begin(&s, PL_RECEIVING, 3);
	s.terms.check = PL_CHECK_LOG;
	s.certificate = PL_CERT_EXPIRED;
	up_to_tls(&s);
	assert_error(&s, PL_COND_NOT_AUTHORIZED, PL_CODE_CERTIFICATE_EXPIRED);
	assert_int_equal(s.step.stage, PL_STAGE_SASL);
}

static void p1_row_3_a_refused_external_is_final(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 3);
	up_to_tls(&s);
	features(&s, EXTERNAL | DIALBACK);
	happens(&s, PL_EV_SASL_FAILURE);
	assert_end(&s, PL_CODE_SASL_REFUSED);
	assert_int_equal(s.step.next, PL_NEXT_NONE);

	begin(&s, PL_RECEIVING, 3);
	up_to_tls(&s);
	assert_int_equal(s.step.features, EXTERNAL | DIALBACK |
					  PL_FEATURE_DIALBACK_ERRORS);
	tell(&s, (struct pl_stream_event){ .kind = PL_EV_AUTH, .flag = true });
	tell(&s, (struct pl_stream_event){ .kind = PL_EV_SASL_REJECTED,
					   .sasl = PL_SASL_INVALID_AUTHZID });
	assert_does(&s, PL_DO_SEND_SASL_FAILURE);
	assert_end(&s, PL_CODE_INVALID_AUTHZID);
}

/* A peer that the library never saw: EXTERNAL that was not offered. */
static void p1_row_3_no_dialback_after_a_failed_external(void **unused)
{
	struct story s;

	begin(&s, PL_RECEIVING, 3);
	s.certificate = PL_CERT_NONE;
	up_to_tls(&s);
	tell(&s, (struct pl_stream_event){ .kind = PL_EV_AUTH, .flag = true });
	assert_does(&s, PL_DO_SEND_SASL_FAILURE);
	assert_phase(&s, PL_AWAIT_CHOICE);
	result_request(&s);
	assert_pair_does(&s, PL_DO_SEND_RESULT_ERROR);
	assert_int_equal(s.paired.stanza_condition, PL_SC_NOT_AUTHORIZED);
	assert_code(s.paired.code, PL_CODE_SASL_REFUSED);
}

static void p2_optional_sasl_falls_back_on_the_same_stream(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 7);
	up_to_tls(&s);
	features(&s, EXTERNAL | DIALBACK);
	happens(&s, PL_EV_SASL_FAILURE);
	assert_does(&s, PL_DO_START_PAIRS);
	assert_phase(&s, PL_AWAIT_PAIRS);
	result_answer(&s, PL_PE_RESULT_VALID, PL_SC_NONE);
	opened_by(&s, PL_METHOD_TLS_DIALBACK);
}

static void p2_once_more_without_external_if_the_peer_closed(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 7);
	up_to_tls(&s);
	features(&s, EXTERNAL | DIALBACK);
	happens(&s, PL_EV_SASL_FAILURE);
	happens(&s, PL_EV_CLOSED);
	assert_end(&s, PL_CODE_SASL_REFUSED);
	assert_int_equal(s.step.next, PL_NEXT_WITHOUT_SASL);
	assert_int_equal(s.paired.next, PL_NEXT_WITHOUT_SASL);

	begin(&s, PL_INITIATING, 7);
	s.terms.sasl_given_up = true;
	up_to_tls(&s);
	features(&s, EXTERNAL | DIALBACK);
	assert_does(&s, PL_DO_START_PAIRS);
	happens(&s, PL_EV_DISCONNECTED);
	assert_end(&s, PL_CODE_PEER_CLOSED);
	assert_int_equal(s.step.next, PL_NEXT_NONE);
}

static void p2_no_retry_where_sasl_is_required(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 3);
	up_to_tls(&s);
	features(&s, EXTERNAL | DIALBACK);
	happens(&s, PL_EV_DISCONNECTED);
	assert_end(&s, PL_CODE_PEER_CLOSED);
	assert_int_equal(s.step.next, PL_NEXT_NONE);
}

static void p2_the_third_failure_ends_the_stream(void **unused)
{
	struct story s;

	begin(&s, PL_RECEIVING, 7);
	up_to_tls(&s);
	for (int i = 0; i < 2; i++) {
		tell(&s, (struct pl_stream_event){ .kind = PL_EV_AUTH,
						   .flag = true });
		tell(&s, (struct pl_stream_event){
			.kind = PL_EV_SASL_REJECTED,
			.sasl = PL_SASL_NOT_AUTHORIZED });
		assert_does(&s, PL_DO_SEND_SASL_FAILURE);
		assert_phase(&s, PL_AWAIT_CHOICE);
	}
	happens(&s, PL_EV_AUTH); /* another mechanism */
	assert_int_equal(s.step.sasl, PL_SASL_INVALID_MECHANISM);
	assert_error(&s, PL_COND_POLICY_VIOLATION, PL_CODE_SASL_REFUSED);
}

/* ---------------------------------------------------------------- P3 */

static unsigned clear_features(int row, bool own_certificate, bool from)
{
	struct story s;

	begin(&s, PL_RECEIVING, row);
	s.terms.own_certificate = own_certificate;
	s.header.from_present = from;
	happens(&s, PL_EV_STARTED);
	header(&s);
	return holds(&s.step, PL_DO_SEND_FEATURES) ? s.step.features : 99;
}

static void p3_features_in_clear(void **unused)
{
	const unsigned db = DIALBACK | PL_FEATURE_DIALBACK_ERRORS;
	static const int needs_tls[] = { 1, 2, 4, 7, 8, 10, 13 };
	static const int clear_only[] = { 5, 11, 17 };
	static const int either[] = { 3, 9, 15 };

	for (int i = 0; i < 7; i++) {
		assert_int_equal(clear_features(needs_tls[i], true, true),
				 REQUIRED);
		assert_int_equal(clear_features(needs_tls[i], false, true), 99);
	}
	for (int i = 0; i < 3; i++) {
		assert_int_equal(clear_features(clear_only[i], true, true), db);
		assert_int_equal(clear_features(either[i], true, true),
				 STARTTLS | db);
		/* P14: without a certificate as if TLS were not supported */
		assert_int_equal(clear_features(either[i], false, true), db);
	}
}

static void p3_features_under_tls(void **unused)
{
	static const struct {
		int row;
		unsigned valid, none;
	} rows[] = {
		{ 1, EXTERNAL, 99 }, { 2, EXTERNAL, 99 },
		{ 3, EXTERNAL | DIALBACK, DIALBACK }, { 4, EXTERNAL, 99 },
		{ 7, EXTERNAL | DIALBACK, DIALBACK }, { 8, EXTERNAL, 99 },
		{ 9, EXTERNAL | DIALBACK, DIALBACK }, { 10, EXTERNAL, 99 },
		{ 13, DIALBACK, DIALBACK }, { 15, DIALBACK, DIALBACK },
	};

	for (size_t i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
		bool shown = i % 2, direct = i % 4 > 1;
		unsigned wanted = shown ? rows[i / 2].valid : rows[i / 2].none;
		struct story s;

		begin(&s, PL_RECEIVING, rows[i / 2].row);
		s.certificate = shown ? PL_CERT_VALID : PL_CERT_NONE;
		s.terms.direct_tls = direct;
		if (direct) {
			happens(&s, PL_EV_STARTED);
			handshake(&s);
			header(&s);
		} else {
			up_to_tls(&s);
		}
		if (wanted != 99)
			assert_int_equal(s.step.features &
					 ~PL_FEATURE_DIALBACK_ERRORS, wanted);
		else
			assert_error(&s, PL_COND_NOT_AUTHORIZED,
				     PL_CODE_CERTIFICATE_MISSING);
	}
}

static void p3_starttls_is_answered_only_where_it_was_offered(void **unused)
{
	struct story s;

	begin(&s, PL_RECEIVING, 17);
	happens(&s, PL_EV_STARTED);
	header(&s);
	happens(&s, PL_EV_STARTTLS);
	assert_does(&s, PL_DO_SEND_TLS_FAILURE);
	assert_end(&s, PL_CODE_PEER_REQUIRES_TLS);

	begin(&s, PL_RECEIVING, 7);
	up_to_tls(&s);
	happens(&s, PL_EV_STARTTLS); /* once more, under TLS */
	assert_does(&s, PL_DO_SEND_TLS_FAILURE);
	assert_end(&s, PL_CODE_TLS_FAILED);

	/* The answer to a db:result must not fall into the handshake. */
	begin(&s, PL_RECEIVING, 9);
	happens(&s, PL_EV_STARTED);
	header(&s);
	result_request(&s);
	assert_pair_does(&s, PL_DO_START_VERIFY);
	tell(&s, (struct pl_stream_event){ .kind = PL_EV_STARTTLS,
					   .pairs_pending = true });
	assert_does(&s, PL_DO_SEND_TLS_FAILURE);
	assert_end(&s, PL_CODE_TLS_FAILED);
}

/* ------------------------------------------------------------ P4, P5 */

static void p4_the_fault_is_named(void **unused)
{
	static const struct {
		enum pl_certificate shown;
		enum pl_code code;
	} cases[] = {
		{ PL_CERT_NONE, PL_CODE_CERTIFICATE_MISSING },
		{ PL_CERT_SELF_SIGNED, PL_CODE_CERTIFICATE_UNKNOWN_CA },
		{ PL_CERT_PURPOSE, PL_CODE_CERTIFICATE_PURPOSE }, /* P18 */
		{ PL_CERT_DANE_MISMATCH, PL_CODE_CERTIFICATE_DANE },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct story s;

		begin(&s, PL_RECEIVING, 8);
		s.certificate = cases[i].shown;
		up_to_tls(&s);
		assert_int_equal(s.step.actions[0], PL_DO_SEND_HEADER);
		assert_error(&s, PL_COND_NOT_AUTHORIZED, cases[i].code);
		assert_code(s.paired.code, cases[i].code);
	}
}

static void p5_tls_required_and_not_offered(void **unused)
{
	static const enum pl_stream_event_kind ends[] = {
		PL_EV_STARTTLS_FAILURE, PL_EV_CLOSED, PL_EV_DISCONNECTED,
		PL_EV_STREAM_ERROR, PL_EV_DEADLINE, PL_EV_NEGOTIATION_DEADLINE,
	};

	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		struct story s;

		begin(&s, PL_INITIATING, 7);
		s.header.version_1 = i % 2; /* a peer of either age */
		happens(&s, PL_EV_STARTED);
		header(&s);
		if (i % 2)
			features(&s, DIALBACK);
		assert_does(&s, PL_DO_SEND_STARTTLS);
		assert_int_equal(s.step.deadline,
				 PL_DEADLINE_PROCEED_UNOFFERED);
		happens(&s, ends[i]);
		assert_end(&s, PL_CODE_TLS_NOT_OFFERED);
		assert_int_equal(s.step.stage, PL_STAGE_FEATURES);
		assert_int_equal(s.step.next, PL_NEXT_NONE);
		if (ends[i] == PL_EV_DEADLINE ||
		    ends[i] == PL_EV_STARTTLS_FAILURE)
			assert_error(&s, PL_COND_POLICY_VIOLATION,
				     PL_CODE_TLS_NOT_OFFERED);
	}
}

static void p5_an_unoffered_starttls_may_succeed(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 2);
	happens(&s, PL_EV_STARTED);
	header(&s);
	features(&s, 0);
	happens(&s, PL_EV_PROCEED);
	handshake(&s);
	header(&s);
	features(&s, EXTERNAL);
	assert_does(&s, PL_DO_SEND_AUTH);
}

static void p5_optional_tls_needed_by_sasl_is_not_tried_unoffered(void **unused)
{
	static const int rows[] = { 4, 10 };

	for (int i = 0; i < 2; i++) {
		struct story s;

		begin(&s, PL_INITIATING, rows[i]);
		happens(&s, PL_EV_STARTED);
		header(&s);
		features(&s, DIALBACK);
		assert_error(&s, PL_COND_POLICY_VIOLATION,
			     PL_CODE_TLS_NOT_OFFERED);
	}
}

static void p5_external_in_clear_is_ignored(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 9);
	happens(&s, PL_EV_STARTED);
	header(&s);
	features(&s, EXTERNAL | DIALBACK);
	assert_does(&s, PL_DO_START_PAIRS);
	assert_pair_does(&s, PL_DO_SEND_RESULT);
}

static void p5_a_row_without_tls_leaves_a_peer_that_requires_it(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 17);
	happens(&s, PL_EV_STARTED);
	header(&s);
	features(&s, REQUIRED | DIALBACK);
	assert_error(&s, PL_COND_UNSUPPORTED_FEATURE,
		     PL_CODE_PEER_REQUIRES_TLS);

	begin(&s, PL_INITIATING, 17);
	happens(&s, PL_EV_STARTED);
	header(&s);
	features(&s, STARTTLS | DIALBACK); /* not required */
	assert_does(&s, PL_DO_START_PAIRS);
}

static void p5_what_is_missing_is_named(void **unused)
{
	static const struct {
		int row;
		unsigned offered;
		bool own, declares;
		enum pl_condition condition;
		enum pl_code code;
	} cases[] = {
		{ 2, DIALBACK, true, false, PL_COND_POLICY_VIOLATION,
		  PL_CODE_SASL_NOT_OFFERED },
		{ 2, 0, true, true, PL_COND_POLICY_VIOLATION,
		  PL_CODE_SASL_NOT_OFFERED },
		{ 2, 0, true, false, PL_COND_POLICY_VIOLATION,
		  PL_CODE_NOTHING_OFFERED },
		{ 7, 0, true, false, PL_COND_POLICY_VIOLATION,
		  PL_CODE_NOTHING_OFFERED },
		{ 2, DIALBACK, false, false, PL_COND_POLICY_VIOLATION,
		  PL_CODE_OWN_CERTIFICATE_MISSING },
		{ 2, EXTERNAL, false, false, PL_COND_UNSUPPORTED_FEATURE,
		  PL_CODE_OWN_CERTIFICATE_MISSING },
		{ 13, EXTERNAL, true, false, PL_COND_UNSUPPORTED_FEATURE,
		  PL_CODE_PEER_REQUIRES_SASL },
		{ 13, 0, true, false, PL_COND_POLICY_VIOLATION,
		  PL_CODE_DIALBACK_NOT_OFFERED },
		{ 13, PL_FEATURE_UNKNOWN_REQUIRED, true, false,
		  PL_COND_UNSUPPORTED_FEATURE, PL_CODE_DIALBACK_NOT_OFFERED },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct story s;

		begin(&s, PL_INITIATING, cases[i].row);
		s.terms.own_certificate = cases[i].own;
		s.header.declares_dialback = cases[i].declares;
		up_to_tls(&s);
		features(&s, cases[i].offered);
		assert_error(&s, cases[i].condition, cases[i].code);
		assert_int_equal(s.step.stage, PL_STAGE_FEATURES);
	}
}

static void p5_own_certificate_explains_a_missing_offer(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 2);
	s.terms.own_expired = true;
	up_to_tls(&s);
	features(&s, DIALBACK);
	assert_end(&s, PL_CODE_OWN_CERTIFICATE_EXPIRED);

	begin(&s, PL_INITIATING, 8);
	s.terms.own_no_client_purpose = true;
	up_to_tls(&s);
	features(&s, 0);
	assert_end(&s, PL_CODE_OWN_CERTIFICATE_PURPOSE);
}

/* ------------------------------------------------------------ P6, P7 */

static void p6_external_needs_a_good_certificate_of_the_receiver(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 7); /* relaxed by default */
	s.certificate = PL_CERT_SELF_SIGNED;
	up_to_tls(&s);
	features(&s, EXTERNAL | DIALBACK);
	assert_false(holds(&s.step, PL_DO_SEND_AUTH));
	assert_does(&s, PL_DO_START_PAIRS);
	assert_int_equal(s.pair.method, PL_METHOD_TLS_DIALBACK);
}

static void break_handshake(struct story *s, enum pl_tls_failure failure)
{
	happens(s, PL_EV_STARTED);
	if (!s->terms.direct_tls) {
		header(s);
		features(s, STARTTLS | DIALBACK);
		happens(s, PL_EV_PROCEED);
	}
	tell(s, (struct pl_stream_event){ .kind = PL_EV_HANDSHAKE_FAILED,
					  .tls_failure = failure });
	assert_int_equal(s->step.stage, PL_STAGE_TLS);
	assert_does(s, PL_DO_ABORT);
	assert_false(holds(&s->step, PL_DO_SEND_ERROR));
	assert_false(holds(&s->step, PL_DO_SEND_CLOSE));
}

static void p7_no_clear_text_after_a_broken_handshake(void **unused)
{
	static const enum pl_code codes[] = {
		[PL_TLS_CLOSED] = PL_CODE_TLS_CLOSED,
		[PL_TLS_VERSION] = PL_CODE_TLS_VERSION,
		[PL_TLS_NOT_SPOKEN] = PL_CODE_TLS_FAILED,
		[PL_TLS_ALERT_CERT] = PL_CODE_OWN_CERTIFICATE_REJECTED,
		[PL_TLS_OTHER] = PL_CODE_TLS_FAILED,
	};

	for (int i = 0; i <= PL_TLS_OTHER; i++) {
		struct story s;

		begin(&s, PL_INITIATING, 9);
		break_handshake(&s, i);
		assert_end(&s, codes[i]);
		assert_int_equal(s.step.next, i == PL_TLS_ALERT_CERT
						      ? PL_NEXT_NONE
						      : PL_NEXT_TARGET);
	}
}

static void a_direct_tls_port_that_speaks_no_tls(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 9);
	s.terms.direct_tls = true;
	break_handshake(&s, PL_TLS_NOT_SPOKEN);
	assert_end(&s, PL_CODE_TLS_NOT_SPOKEN);
}

static void p7_plaintext_retry_allows_it_where_the_row_does(void **unused)
{
	static const struct {
		int row;
		bool direct, given_up;
		enum pl_tls_failure failure;
		enum pl_next next;
	} cases[] = {
		{ 9, false, false, PL_TLS_OTHER, PL_NEXT_IN_CLEAR },
		{ 9, true, false, PL_TLS_OTHER, PL_NEXT_TARGET },
		{ 9, false, false, PL_TLS_ALERT_CERT, PL_NEXT_NONE },
		{ 7, false, false, PL_TLS_OTHER, PL_NEXT_TARGET },
		{ 10, false, false, PL_TLS_OTHER, PL_NEXT_TARGET },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct story s;

		begin(&s, PL_INITIATING, cases[i].row);
		s.terms.plaintext_retry = true;
		s.terms.direct_tls = cases[i].direct;
		break_handshake(&s, cases[i].failure);
		assert_int_equal(s.step.next, cases[i].next);
	}
}

static void p7_the_retry_goes_in_clear(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 9);
	s.terms.plaintext_retry = s.terms.tls_given_up = true;
	happens(&s, PL_EV_STARTED);
	header(&s);
	features(&s, STARTTLS | DIALBACK);
	assert_does(&s, PL_DO_START_PAIRS);
	assert_int_equal(s.pair.method, PL_METHOD_TCP_DIALBACK);

	/* Not without the setting: TLS is taken again. */
	begin(&s, PL_INITIATING, 9);
	s.terms.tls_given_up = true;
	happens(&s, PL_EV_STARTED);
	header(&s);
	features(&s, STARTTLS | DIALBACK);
	assert_does(&s, PL_DO_SEND_STARTTLS);
}

static void p7_a_bad_certificate_is_no_broken_handshake(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 9);
	s.terms.plaintext_retry = true;
	s.terms.check = PL_CHECK_STRICT;
	s.certificate = PL_CERT_EXPIRED;
	up_to_tls(&s);
	assert_end(&s, PL_CODE_CERTIFICATE_EXPIRED);
	assert_int_equal(s.step.next, PL_NEXT_NONE);
}

/* ---------------------------------------------------------------- P8 */

static void p8_dialback_counts_by_feature_or_by_namespace(void **unused)
{
	for (int i = 0; i < 4; i++) {
		struct story s;

		begin(&s, PL_INITIATING, 17);
		s.header.declares_dialback = i & 1;
		happens(&s, PL_EV_STARTED);
		header(&s);
		features(&s, i & 2 ? DIALBACK : 0);
		if (i)
			assert_does(&s, PL_DO_START_PAIRS);
		else
			assert_error(&s, PL_COND_POLICY_VIOLATION,
				     PL_CODE_DIALBACK_NOT_OFFERED);
	}
}

static void p8_a_result_that_the_row_forbids_gets_an_error(void **unused)
{
	struct story s;

	begin(&s, PL_RECEIVING, 2);
	happens(&s, PL_EV_STARTED);
	header(&s);
	result_request(&s);
	assert_pair_does(&s, PL_DO_SEND_RESULT_ERROR);
	assert_int_equal(s.paired.stanza_condition, PL_SC_POLICY_VIOLATION);
	assert_code(s.paired.code, PL_CODE_TLS_NOT_OFFERED);
	assert_int_equal(s.paired.stage, PL_STAGE_FEATURES);
	assert_phase(&s, PL_AWAIT_CHOICE); /* the stream stays */
	happens(&s, PL_EV_STARTTLS);
	assert_does(&s, PL_DO_SEND_PROCEED);
	handshake(&s);
	header(&s);
	result_request(&s);
	assert_int_equal(s.paired.stanza_condition, PL_SC_NOT_AUTHORIZED);
	assert_code(s.paired.code, PL_CODE_DIALBACK_NOT_ALLOWED);
	/* ... and takes what the row does allow. */
	tell(&s, (struct pl_stream_event){ .kind = PL_EV_AUTH, .flag = true });
	happens(&s, PL_EV_SASL_ACCEPTED);
	header(&s);
	opened_by(&s, PL_METHOD_SASL_OVER_TLS);
}

static void p8_without_an_id_there_is_no_dialback(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 17);
	s.header.has_id = false;
	happens(&s, PL_EV_STARTED);
	header(&s);
	features(&s, DIALBACK);
	assert_error(&s, PL_COND_UNDEFINED_CONDITION, PL_CODE_NOT_XMPP);
}

/* ----------------------------------------------------------- P9, P10 */

static void p9_the_verify_connection(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 9);
	s.terms.verify_only = true;
	happens(&s, PL_EV_STARTED);
	header(&s);
	features(&s, STARTTLS | DIALBACK);
	assert_does(&s, PL_DO_SEND_STARTTLS); /* taken when offered */
	happens(&s, PL_EV_PROCEED);
	handshake(&s);
	header(&s);
	features(&s, EXTERNAL); /* never authenticates */
	assert_does(&s, PL_DO_START_PAIRS);
	happens(&s, PL_EV_IDLE);
	assert_does(&s, PL_DO_SEND_CLOSE);
	assert_end(&s, PL_CODE_NONE);

	begin(&s, PL_INITIATING, 7);
	s.terms.verify_only = true;
	happens(&s, PL_EV_STARTED);
	header(&s);
	features(&s, DIALBACK);
	assert_does(&s, PL_DO_SEND_STARTTLS); /* insists */
	happens(&s, PL_EV_STARTTLS_FAILURE);
	assert_end(&s, PL_CODE_TLS_NOT_OFFERED);

	begin(&s, PL_INITIATING, 7);
	s.terms.verify_only = true;
	s.terms.verify_requires_tls = false;
	happens(&s, PL_EV_STARTED);
	header(&s);
	features(&s, 0);
	assert_does(&s, PL_DO_START_PAIRS);
}

static void p10_the_authority_says_only_whether_the_key_is_ours(void **unused)
{
	enum pl_stanza_condition condition;

	for (int row = 1; row <= PL_POLICY_ROWS; row++) {
		struct pl_terms terms = row_terms(row);
		enum pl_verify_answer wanted = row % 2 ? PL_VERIFY_VALID
						       : PL_VERIFY_INVALID;

		assert_int_equal(pl_authority_answer(&terms, true, true,
						     &condition), wanted);
		assert_int_equal(condition, PL_SC_NONE);
		assert_int_equal(pl_authority_answer(&terms, true, false,
						     &condition),
				 PL_VERIFY_INVALID);
		assert_int_equal(pl_authority_answer(&terms, false, true,
						     &condition),
				 PL_VERIFY_ERROR);
		assert_int_equal(condition, PL_SC_ITEM_NOT_FOUND);
		terms.partner_known = false;
		assert_int_equal(pl_authority_answer(&terms, true, true,
						     &condition),
				 PL_VERIFY_INVALID);
	}
}

static void p10_a_verify_is_answered_in_clear_and_unauthenticated(void **unused)
{
	struct story s;

	begin(&s, PL_RECEIVING, 1);
	happens(&s, PL_EV_STARTED);
	header(&s);
	dialback(&s, PL_DB_VERIFY_REQUEST);
	assert_does(&s, PL_DO_PAIR);
	assert_true(s.stream.verify_served);
	assert_phase(&s, PL_AWAIT_CHOICE);
}

/* ---------------------------------------------------------- P11, P12 */

static void p11_a_valid_certificate_spares_the_verify(void **unused)
{
	struct story s;

	begin(&s, PL_RECEIVING, 13);
	up_to_tls(&s);
	result_request(&s);
	assert_int_equal(s.paired.actions[0], PL_DO_OPEN_PAIR);
	assert_int_equal(s.paired.actions[1], PL_DO_SEND_VALID);
	assert_true(s.paired.verified_by_certificate);
	assert_int_equal(s.paired.method, PL_METHOD_TLS_DIALBACK);

	begin(&s, PL_RECEIVING, 13);
	s.certificate = PL_CERT_SELF_SIGNED;
	up_to_tls(&s);
	result_request(&s);
	assert_pair_does(&s, PL_DO_START_VERIFY);
	pair_event(&s, (struct pl_pair_event){ PL_PE_VERIFY_VALID });
	assert_pair_does(&s, PL_DO_OPEN_PAIR);
	assert_false(s.paired.verified_by_certificate);
}

static void p12_without_from_only_starttls_is_offered(void **unused)
{
	struct story s;

	assert_int_equal(clear_features(9, true, false), STARTTLS);
	assert_int_equal(clear_features(7, true, false), REQUIRED);
	assert_int_equal(clear_features(17, true, false), 0);

	begin(&s, PL_RECEIVING, 2); /* no P4 for a stranger */
	s.header.from_present = false;
	up_to_tls(&s);
	assert_int_equal(s.step.features, 0);
	assert_phase(&s, PL_AWAIT_CHOICE);
	tell(&s, (struct pl_stream_event){ .kind = PL_EV_AUTH, .flag = true });
	assert_int_equal(s.step.sasl, PL_SASL_NOT_AUTHORIZED);
}

static void p12_what_was_learnt_in_clear_is_forgotten(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 7);
	s.header.declares_dialback = true;
	happens(&s, PL_EV_STARTED);
	header(&s);
	features(&s, REQUIRED | DIALBACK);
	happens(&s, PL_EV_PROCEED);
	handshake(&s);
	assert_int_equal(s.stream.offered, 0);
	assert_false(s.stream.declares_dialback);
	assert_false(s.stream.has_id);
	s.header.declares_dialback = false;
	header(&s);
	features(&s, 0);
	assert_end(&s, PL_CODE_NOTHING_OFFERED);

	/* The certificate is judged for the header's own `from`. */
	begin(&s, PL_RECEIVING, 7);
	happens(&s, PL_EV_STARTED);
	header(&s);
	happens(&s, PL_EV_STARTTLS);
	handshake(&s); /* valid */
	s.certificate = PL_CERT_WRONG_NAME;
	header(&s);
	assert_int_equal(s.stream.certificate, PL_CERT_WRONG_NAME);
	assert_int_equal(s.step.features,
			 DIALBACK | PL_FEATURE_DIALBACK_ERRORS);
}

/* ------------------------------------------------------ P14, P15, P16 */

static void p14_no_certificate_no_starttls(void **unused)
{
	struct story s;

	begin(&s, PL_RECEIVING, 7);
	s.terms.own_certificate = false;
	happens(&s, PL_EV_STARTED);
	header(&s);
	assert_error(&s, PL_COND_POLICY_VIOLATION,
		     PL_CODE_OWN_CERTIFICATE_MISSING);
}

static void p15_a_row_that_is_not_valid_decides_nothing(void **unused)
{
	static const int rows[] = { 6, 12, 14, 16, 18 };

	for (int i = 0; i < 5; i++) {
		struct story s;

		begin(&s, PL_INITIATING, rows[i]);
		happens(&s, PL_EV_STARTED);
		assert_end(&s, PL_CODE_ROW_NOT_VALID);
		assert_does(&s, PL_DO_ABORT);

		begin(&s, PL_RECEIVING, rows[i]);
		happens(&s, PL_EV_STARTED);
		header(&s);
		assert_error(&s, PL_COND_POLICY_VIOLATION,
			     PL_CODE_ROW_NOT_VALID);
	}
}

static void p16_an_unknown_partner_is_refused_both_ways(void **unused)
{
	struct story s;

	begin(&s, PL_RECEIVING, 9);
	s.terms.partner_known = false;
	happens(&s, PL_EV_STARTED);
	header(&s);
	assert_error(&s, PL_COND_POLICY_VIOLATION, PL_CODE_PARTNER_UNKNOWN);

	begin(&s, PL_INITIATING, 9);
	s.terms.partner_known = false;
	happens(&s, PL_EV_STARTED);
	assert_end(&s, PL_CODE_PARTNER_UNKNOWN);
}

/* --------------------------------------------------------------- P17 */

static void p17_header_faults(void **unused)
{
	static const struct {
		struct pl_header_facts facts;
		enum pl_condition condition;
		enum pl_code code;
	} cases[] = {
		{ { .malformed_address = true, .from_local = true },
		  PL_COND_IMPROPER_ADDRESSING, PL_CODE_PROTOCOL_VIOLATION },
		{ { .from_local = true }, PL_COND_INVALID_FROM,
		  PL_CODE_FROM_LOCAL },
		{ { .to_present = true, .from_present = true },
		  PL_COND_HOST_UNKNOWN, PL_CODE_HOST_UNKNOWN },
		{ { .to_present = true, .to_hosted = true,
		    .from_present = true, .over_limit = true },
		  PL_COND_RESOURCE_CONSTRAINT, PL_CODE_CONNECTION_LIMIT },
		{ { .from_present = true }, PL_COND_IMPROPER_ADDRESSING,
		  PL_CODE_PROTOCOL_VIOLATION },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct story s;

		begin(&s, PL_RECEIVING, 9);
		s.header = cases[i].facts;
		s.header.version_1 = true;
		happens(&s, PL_EV_STARTED);
		header(&s);
		assert_int_equal(s.step.actions[0], PL_DO_SEND_HEADER);
		assert_error(&s, cases[i].condition, cases[i].code);
	}
}

static void p17_a_new_identity_after_sasl_is_refused(void **unused)
{
	struct story s;

	begin(&s, PL_RECEIVING, 7);
	up_to_tls(&s);
	tell(&s, (struct pl_stream_event){ .kind = PL_EV_AUTH, .flag = true });
	happens(&s, PL_EV_SASL_ACCEPTED);
	s.header.identity_changed = true;
	header(&s);
	assert_error(&s, PL_COND_INVALID_FROM, PL_CODE_PROTOCOL_VIOLATION);
	assert_pair_does(&s, PL_DO_FAIL_PAIR);
}

static void p17_faults_get_our_header_first(void **unused)
{
	static const struct {
		enum pl_condition condition;
		enum pl_code code;
	} wanted[] = {
		[PL_FAULT_NOT_WELL_FORMED] = { PL_COND_NOT_WELL_FORMED,
					       PL_CODE_NOT_WELL_FORMED },
		[PL_FAULT_RESTRICTED] = { PL_COND_RESTRICTED_XML,
					  PL_CODE_RESTRICTED_XML },
		[PL_FAULT_ENCODING] = { PL_COND_UNSUPPORTED_ENCODING,
					PL_CODE_NOT_WELL_FORMED },
		[PL_FAULT_LIMIT] = { PL_COND_POLICY_VIOLATION,
				     PL_CODE_LIMIT_EXCEEDED },
		[PL_FAULT_NOT_XMPP] = { PL_COND_INVALID_NAMESPACE,
					PL_CODE_NOT_XMPP },
		[PL_FAULT_NAMESPACE] = { PL_COND_INVALID_NAMESPACE,
					 PL_CODE_WRONG_NAMESPACE },
		[PL_FAULT_PREFIX] = { PL_COND_BAD_NAMESPACE_PREFIX,
				      PL_CODE_NOT_WELL_FORMED },
		[PL_FAULT_FORMAT] = { PL_COND_BAD_FORMAT,
				      PL_CODE_NOT_WELL_FORMED },
	};

	for (int i = 0; i <= PL_FAULT_FORMAT; i++) {
		struct story s;

		begin(&s, PL_RECEIVING, 9);
		happens(&s, PL_EV_STARTED);
		tell(&s, (struct pl_stream_event){ .kind = PL_EV_FAULT,
						   .fault = i });
		assert_int_equal(s.step.actions[0], PL_DO_SEND_HEADER);
		assert_error(&s, wanted[i].condition, wanted[i].code);

		begin(&s, PL_INITIATING, 9);
		happens(&s, PL_EV_STARTED);
		tell(&s, (struct pl_stream_event){ .kind = PL_EV_FAULT,
						   .fault = i });
		assert_int_equal(s.step.actions[0], PL_DO_SEND_ERROR);
		assert_error(&s, wanted[i].condition, wanted[i].code);
		assert_int_equal(s.step.next, PL_NEXT_TARGET);
	}
}

static void p17_stanzas_out_of_turn(void **unused)
{
	struct story s;

	begin(&s, PL_RECEIVING, 9);
	happens(&s, PL_EV_STARTED);
	header(&s);
	happens(&s, PL_EV_STANZA);
	assert_error(&s, PL_COND_NOT_AUTHORIZED, PL_CODE_PROTOCOL_VIOLATION);

	begin(&s, PL_RECEIVING, 2);
	happens(&s, PL_EV_STARTED);
	header(&s);
	tell(&s, (struct pl_stream_event){ .kind = PL_EV_STANZA,
					   .flag = true });
	assert_error(&s, PL_COND_POLICY_VIOLATION, PL_CODE_TLS_NOT_OFFERED);

	begin(&s, PL_INITIATING, 7);
	up_to_tls(&s);
	features(&s, DIALBACK);
	tell(&s, (struct pl_stream_event){ .kind = PL_EV_STANZA,
					   .flag = true });
	assert_error(&s, PL_COND_NOT_AUTHORIZED, PL_CODE_PROTOCOL_VIOLATION);
}

static void p17_stanza_addresses(void **unused)
{
	static const enum pl_condition wanted[] = {
		[PL_ADDRESS_OK] = PL_COND_INVALID_FROM,
		[PL_ADDRESS_MISSING] = PL_COND_IMPROPER_ADDRESSING,
		[PL_ADDRESS_TO_FOREIGN] = PL_COND_HOST_UNKNOWN,
		[PL_ADDRESS_FROM_FOREIGN] = PL_COND_INVALID_FROM,
	};

	for (int i = 0; i <= PL_ADDRESS_FROM_FOREIGN; i++) {
		struct story s;

		begin(&s, PL_RECEIVING, 13);
		up_to_tls(&s);
		result_request(&s);
		happens(&s, PL_EV_PAIR_OPENED);
		assert_phase(&s, PL_OPEN);
		tell(&s, (struct pl_stream_event){ .kind = PL_EV_STANZA,
						   .addressing = i });
		assert_does(&s, PL_DO_SEND_ERROR);
		assert_int_equal(s.step.condition, wanted[i]);
		assert_pair_does(&s, PL_DO_GONE_PAIR); /* no second outcome */
	}
}

static void p17_ends_that_decide_nothing_lead_to_the_next_target(void **unused)
{
	static const enum pl_condition passing[] = {
		PL_COND_INTERNAL_SERVER_ERROR, PL_COND_RESOURCE_CONSTRAINT,
		PL_COND_SYSTEM_SHUTDOWN, PL_COND_RESET,
		PL_COND_REMOTE_CONNECTION_FAILED, PL_COND_UNDEFINED_CONDITION,
	};
	static const enum pl_condition final[] = {
		PL_COND_POLICY_VIOLATION, PL_COND_NOT_AUTHORIZED,
		PL_COND_UNSUPPORTED_FEATURE, PL_COND_CONFLICT,
	};
	struct story s;

	for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++) {
		begin(&s, PL_INITIATING, 9);
		happens(&s, PL_EV_STARTED);
		header(&s);
		stream_error(&s, passing[i]);
		assert_end(&s, PL_CODE_PEER_STREAM_ERROR);
		assert_int_equal(s.step.next, PL_NEXT_TARGET);
		assert_does(&s, PL_DO_SEND_CLOSE);
	}
	for (size_t i = 0; i < sizeof final / sizeof final[0]; i++) {
		begin(&s, PL_INITIATING, 9);
		happens(&s, PL_EV_STARTED);
		header(&s);
		stream_error(&s, final[i]);
		assert_end(&s, PL_CODE_PEER_STREAM_ERROR);
		assert_int_equal(s.step.next, PL_NEXT_NONE);
	}
	begin(&s, PL_INITIATING, 9);
	happens(&s, PL_EV_STARTED);
	stream_error(&s, PL_COND_HOST_GONE);
	assert_end(&s, PL_CODE_HOST_UNKNOWN);
	pair_failed(&s, PL_CODE_HOST_UNKNOWN, PL_SC_REMOTE_SERVER_NOT_FOUND);
}

static void p17_the_receiver_tells_why_its_peer_left(void **unused)
{
	static const struct {
		int row;
		bool tls;
		enum pl_certificate shown;
		enum pl_condition condition;
		enum pl_code code;
	} cases[] = {
		{ 2, false, PL_CERT_NONE, PL_COND_UNSUPPORTED_FEATURE,
		  PL_CODE_TLS_NOT_OFFERED },
		{ 2, false, PL_CERT_NONE, PL_COND_RESET,
		  PL_CODE_PEER_STREAM_ERROR },
		{ 17, false, PL_CERT_NONE, PL_COND_POLICY_VIOLATION,
		  PL_CODE_PEER_REQUIRES_TLS },
		{ 13, true, PL_CERT_VALID, PL_COND_POLICY_VIOLATION,
		  PL_CODE_PEER_REQUIRES_SASL },
		{ 7, true, PL_CERT_EXPIRED, PL_COND_POLICY_VIOLATION,
		  PL_CODE_CERTIFICATE_EXPIRED },
		{ 2, true, PL_CERT_VALID, PL_COND_UNSUPPORTED_FEATURE,
		  PL_CODE_DIALBACK_NOT_ALLOWED },
		{ 7, true, PL_CERT_VALID, PL_COND_NOT_AUTHORIZED,
		  PL_CODE_OWN_CERTIFICATE_REJECTED },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct story s;

		begin(&s, PL_RECEIVING, cases[i].row);
		s.certificate = cases[i].shown;
		if (cases[i].tls) {
			up_to_tls(&s);
		} else {
			happens(&s, PL_EV_STARTED);
			header(&s);
		}
		stream_error(&s, cases[i].condition);
		assert_end(&s, cases[i].code);
		assert_code(s.paired.code, cases[i].code);
	}
}

/* ---------------------------------------------- our own certificate */

static void own_certificate_refused_by_stream_error(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 7);
	up_to_tls(&s);
	stream_error(&s, PL_COND_NOT_AUTHORIZED);
	assert_end(&s, PL_CODE_OWN_CERTIFICATE_REJECTED);
	assert_int_equal(s.step.side, PL_SIDE_US);
	assert_int_equal(s.step.next, PL_NEXT_NONE);

	begin(&s, PL_INITIATING, 7);
	s.terms.own_expired = true;
	up_to_tls(&s);
	stream_error(&s, PL_COND_NOT_AUTHORIZED);
	assert_end(&s, PL_CODE_OWN_CERTIFICATE_EXPIRED);

	begin(&s, PL_INITIATING, 7);
	s.terms.own_certificate = false;
	up_to_tls(&s);
	stream_error(&s, PL_COND_NOT_AUTHORIZED);
	assert_end(&s, PL_CODE_OWN_CERTIFICATE_MISSING);
}

static void own_certificate_refused_by_a_reset_or_an_alert(void **unused)
{
	for (int alert = 0; alert < 2; alert++) {
		struct story s;

		begin(&s, PL_INITIATING, 7);
		happens(&s, PL_EV_STARTED);
		header(&s);
		features(&s, STARTTLS);
		happens(&s, PL_EV_PROCEED);
		handshake(&s);
		tell(&s, (struct pl_stream_event){ .kind = PL_EV_DISCONNECTED,
						   .flag = true,
						   .alert = alert });
		assert_end(&s, PL_CODE_OWN_CERTIFICATE_REJECTED);
		assert_int_equal(s.step.side, alert ? PL_SIDE_US
						    : PL_SIDE_EITHER);
		assert_int_equal(s.paired.side, s.step.side);
	}
}

static void own_certificate_without_client_purpose(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 2);
	up_to_tls(&s);
	features(&s, EXTERNAL);
	tell(&s, (struct pl_stream_event){ .kind = PL_EV_SASL_FAILURE,
					   .flag = true });
	assert_end(&s, PL_CODE_OWN_CERTIFICATE_PURPOSE);
}

/* ---------------------------------------------- deadlines and ends */

static void deadlines_name_the_stage(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 7);
	happens(&s, PL_EV_STARTED);
	happens(&s, PL_EV_DEADLINE);
	assert_error(&s, PL_COND_CONNECTION_TIMEOUT, PL_CODE_HEADER_TIMEOUT);
	assert_int_equal(s.step.next, PL_NEXT_TARGET);

	begin(&s, PL_INITIATING, 7);
	happens(&s, PL_EV_STARTED);
	header(&s);
	happens(&s, PL_EV_DEADLINE);
	assert_error(&s, PL_COND_CONNECTION_TIMEOUT, PL_CODE_FEATURES_TIMEOUT);

	begin(&s, PL_INITIATING, 7);
	happens(&s, PL_EV_STARTED);
	header(&s);
	features(&s, STARTTLS);
	happens(&s, PL_EV_DEADLINE);
	assert_error(&s, PL_COND_CONNECTION_TIMEOUT, PL_CODE_TLS_TIMEOUT);
	assert_int_equal(s.step.stage, PL_STAGE_STARTTLS);

	begin(&s, PL_INITIATING, 7);
	happens(&s, PL_EV_STARTED);
	header(&s);
	features(&s, STARTTLS);
	happens(&s, PL_EV_PROCEED);
	happens(&s, PL_EV_DEADLINE); /* nothing goes into a handshake */
	assert_end(&s, PL_CODE_TLS_TIMEOUT);
	assert_does(&s, PL_DO_ABORT);
	assert_false(holds(&s.step, PL_DO_SEND_ERROR));

	begin(&s, PL_INITIATING, 13);
	up_to_tls(&s);
	features(&s, DIALBACK);
	happens(&s, PL_EV_NEGOTIATION_DEADLINE);
	assert_error(&s, PL_COND_CONNECTION_TIMEOUT, PL_CODE_DIALBACK_TIMEOUT);

	begin(&s, PL_RECEIVING, 7);
	happens(&s, PL_EV_STARTED);
	happens(&s, PL_EV_DEADLINE);
	assert_int_equal(s.step.actions[0], PL_DO_SEND_HEADER);
	assert_error(&s, PL_COND_CONNECTION_TIMEOUT, PL_CODE_HEADER_TIMEOUT);

	begin(&s, PL_RECEIVING, 7);
	up_to_tls(&s);
	happens(&s, PL_EV_NEGOTIATION_DEADLINE);
	assert_error(&s, PL_COND_CONNECTION_TIMEOUT,
		     PL_CODE_NEGOTIATION_TIMEOUT);
}

static void an_open_stream_ends_without_a_second_outcome(void **unused)
{
	static const enum pl_stream_event_kind ends[] = {
		PL_EV_IDLE, PL_EV_SHUTDOWN, PL_EV_CLOSED, PL_EV_DISCONNECTED,
		PL_EV_OVERFLOW, PL_EV_FAULT,
	};

	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		struct story s;

		begin(&s, PL_INITIATING, 13);
		up_to_tls(&s);
		features(&s, DIALBACK);
		result_answer(&s, PL_PE_RESULT_VALID, PL_SC_NONE);
		happens(&s, PL_EV_NEGOTIATION_DEADLINE); /* late: ignored */
		happens(&s, PL_EV_DEADLINE);
		assert_phase(&s, PL_OPEN);
		happens(&s, ends[i]);
		assert_phase(&s, PL_ENDED);
		assert_pair_does(&s, PL_DO_GONE_PAIR);
		assert_int_equal(s.step.next, PL_NEXT_NONE);
	}
}

static void a_changed_configuration_ends_what_is_no_longer_legal(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 13);
	up_to_tls(&s);
	features(&s, DIALBACK);
	result_answer(&s, PL_PE_RESULT_VALID, PL_SC_NONE);
	s.terms = row_terms(2);
	assert_false(pl_pair_still_legal(&s.terms, &s.pair));
	happens(&s, PL_EV_TERMS_CHANGED);
	assert_phase(&s, PL_OPEN);
	tell(&s, (struct pl_stream_event){ .kind = PL_EV_TERMS_CHANGED,
					   .flag = true });
	assert_does(&s, PL_DO_SEND_ERROR);
	assert_int_equal(s.step.condition, PL_COND_POLICY_VIOLATION);
	s.terms = row_terms(7);
	s.pair.method = PL_METHOD_TLS_DIALBACK;
	assert_true(pl_pair_still_legal(&s.terms, &s.pair));
	s.terms.partner_known = false;
	assert_false(pl_pair_still_legal(&s.terms, &s.pair));
}

/* ----- leaving (RFC 6120 4.4) ----- */

static void stanza(struct story *s, bool open)
{
	tell(s, (struct pl_stream_event){
		.kind = PL_EV_STANZA, .flag = open,
		.addressing = open ? PL_ADDRESS_OK : PL_ADDRESS_FROM_FOREIGN });
}

/* An open stream in clear on which the peer sends. */
static void begin_open(struct story *s)
{
	begin(s, PL_RECEIVING, 17);
	happens(s, PL_EV_STARTED);
	header(s);
	result_request(s);
	pair_event(s, (struct pl_pair_event){ .kind = PL_PE_VERIFY_VALID });
	happens(s, PL_EV_PAIR_OPENED);
	assert_phase(s, PL_OPEN);
}

static void assert_awaits_close(struct story *s)
{
	assert_phase(s, PL_AWAIT_CLOSE);
	assert_does(s, PL_DO_SEND_CLOSE);
	assert_does(s, PL_DO_END_SENDING);
	assert_does(s, PL_DO_ARM);
	assert_int_equal(s->step.deadline, PL_DEADLINE_CLOSE);
	assert_false(holds(&s->step, PL_DO_CLOSE));
	assert_int_equal(s->pair.phase, PL_PAIR_OPEN);
}

static void what_comes_behind_our_close_is_taken(void **unused)
{
	static const enum pl_stream_event_kind kinds[] = {
		PL_EV_IDLE, PL_EV_SHUTDOWN };
	struct story s;

	for (int i = 0; i < 2; i++) {
		begin_open(&s);
		happens(&s, kinds[i]);
		assert_awaits_close(&s);
		assert_int_equal(holds(&s.step, PL_DO_SEND_ERROR), i);
		stanza(&s, true);
		assert_does(&s, PL_DO_DELIVER);
		stanza(&s, false);
		assert_does(&s, PL_DO_IGNORE);
		happens(&s, kinds[i]);
		assert_int_equal(s.step.count, 0);
		dialback(&s, PL_DB_RESULT_REQUEST);
		assert_does(&s, PL_DO_IGNORE);
		assert_phase(&s, PL_AWAIT_CLOSE);
		stanza(&s, true);
		assert_does(&s, PL_DO_DELIVER);
		happens(&s, PL_EV_CLOSED);
		assert_end(&s, i ? PL_CODE_SHUTDOWN : PL_CODE_NONE);
		assert_does(&s, PL_DO_CLOSE);
		assert_false(holds(&s.step, PL_DO_SEND_CLOSE));
		assert_int_equal(s.pair.phase, PL_PAIR_GONE);
	}
}

static void the_wait_for_a_close_has_an_end(void **unused)
{
	static const struct {
		enum pl_stream_event_kind kind;
		bool flag;
		unsigned how;
	} cases[] = {
		{ PL_EV_DEADLINE, false, PL_DO_CLOSE },
		{ PL_EV_DISCONNECTED, false, PL_DO_CLOSE },
		{ PL_EV_DISCONNECTED, true, PL_DO_ABORT },
		{ PL_EV_FAULT, false, PL_DO_CLOSE },
		{ PL_EV_OVERFLOW, false, PL_DO_ABORT },
		{ PL_EV_STREAM_ERROR, false, PL_DO_CLOSE },
	};
	struct story s;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		begin_open(&s);
		happens(&s, PL_EV_IDLE);
		tell(&s, (struct pl_stream_event){ .kind = cases[i].kind,
						   .flag = cases[i].flag });
		assert_end(&s, PL_CODE_NONE);
		assert_does(&s, cases[i].how);
		assert_false(holds(&s.step, PL_DO_SEND_ERROR));
	}
}

/* The peer that counts has back what we did not handle; one that is not
 * authorised any more, or errs, is not heard. */
static void not_everybody_is_heard_behind_our_close(void **unused)
{
	struct story s;

	begin_open(&s);
	s.stream.sm = PL_SM_ON;
	happens(&s, PL_EV_SHUTDOWN);
	assert_error(&s, PL_COND_SYSTEM_SHUTDOWN, PL_CODE_SHUTDOWN);
	assert_phase(&s, PL_ENDED);
	begin_open(&s);
	tell(&s, (struct pl_stream_event){ .kind = PL_EV_TERMS_CHANGED,
					   .flag = true });
	assert_error(&s, PL_COND_POLICY_VIOLATION, PL_CODE_SHUTDOWN);
	assert_phase(&s, PL_ENDED);
	begin_open(&s);
	tell(&s, (struct pl_stream_event){ .kind = PL_EV_TERMS_CHANGED,
					   .flag = true, .stays = true });
	assert_awaits_close(&s);
	assert_int_equal(s.step.condition, PL_COND_POLICY_VIOLATION);
	begin_open(&s);
	stanza(&s, false);
	assert_error(&s, PL_COND_INVALID_FROM, PL_CODE_PROTOCOL_VIOLATION);
	assert_phase(&s, PL_ENDED);
	/* Nobody but us sends on this one. */
	begin(&s, PL_INITIATING, 17);
	happens(&s, PL_EV_STARTED);
	header(&s);
	features(&s, DIALBACK);
	result_answer(&s, PL_PE_RESULT_VALID, PL_SC_NONE);
	assert_phase(&s, PL_OPEN);
	happens(&s, PL_EV_IDLE);
	assert_end(&s, PL_CODE_NONE);
}

/* Where both send on it (XEP-0288) the one who dialled waits as well; what it
 * sent itself is over. */
static void a_stream_of_both_awaits_the_close_too(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 17);
	happens(&s, PL_EV_STARTED);
	header(&s);
	features(&s, DIALBACK);
	result_answer(&s, PL_PE_RESULT_VALID, PL_SC_NONE);
	s.stream.bidi = true;
	happens(&s, PL_EV_IDLE);
	assert_phase(&s, PL_AWAIT_CLOSE);
	assert_does(&s, PL_DO_END_SENDING);
	stanza(&s, true);
	assert_does(&s, PL_DO_DELIVER);
	happens(&s, PL_EV_CLOSED);
	assert_end(&s, PL_CODE_NONE);
}

static void what_the_peer_will_not_take_is_cut(void **unused)
{
	struct story s;

	begin_open(&s);
	stream_error(&s, PL_COND_POLICY_VIOLATION);
	assert_true(s.step.cut);
	begin_open(&s);
	stream_error(&s, PL_COND_SYSTEM_SHUTDOWN);
	assert_false(s.step.cut);
	begin_open(&s);
	happens(&s, PL_EV_CLOSED);
	assert_false(s.step.cut);
}

static void bytes_behind_starttls_are_never_read(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 9);
	s.terms.plaintext_retry = true;
	happens(&s, PL_EV_STARTED);
	header(&s);
	features(&s, STARTTLS);
	happens(&s, PL_EV_BYTES_BEHIND);
	assert_end(&s, PL_CODE_PLAINTEXT_BEHIND_STARTTLS);
	assert_does(&s, PL_DO_ABORT);
	assert_int_equal(s.step.count, 2);
}

static void an_ended_stream_decides_nothing(void **unused)
{
	struct story s;
	struct pl_stream_state before;

	begin(&s, PL_INITIATING, 9);
	happens(&s, PL_EV_STARTED);
	happens(&s, PL_EV_SHUTDOWN);
	before = s.stream;
	for (int i = 0; i < PL_EV_KINDS; i++) {
		happens(&s, i);
		assert_int_equal(s.step.count, 0);
		assert_memory_equal(&before, &s.stream, sizeof before);
	}
}

/* Nothing on an initiating stream but an answer is believed. */
static void dialback_requests_on_our_own_stream_are_ignored(void **unused)
{
	struct story s;

	begin(&s, PL_INITIATING, 13);
	up_to_tls(&s);
	dialback(&s, PL_DB_RESULT_ANSWER); /* before anything was asked */
	assert_does(&s, PL_DO_IGNORE);
	features(&s, DIALBACK);
	dialback(&s, PL_DB_RESULT_REQUEST);
	assert_does(&s, PL_DO_IGNORE);
	dialback(&s, PL_DB_VERIFY_REQUEST);
	assert_does(&s, PL_DO_IGNORE);
	assert_false(s.stream.dialback_seen || s.stream.verify_served);

	begin(&s, PL_RECEIVING, 9);
	happens(&s, PL_EV_STARTED);
	header(&s);
	dialback(&s, PL_DB_RESULT_ANSWER);
	assert_does(&s, PL_DO_IGNORE);
	dialback(&s, PL_DB_VERIFY_ANSWER);
	assert_does(&s, PL_DO_IGNORE);
}

#define STORY(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(initiating_sasl_over_tls),
		STORY(receiving_sasl_over_tls),
		STORY(initiating_tls_dialback),
		STORY(initiating_tcp_dialback_to_an_old_peer),
		STORY(receiving_an_old_peer_gets_an_old_header),
		STORY(p1_row_3_absence_leads_to_dialback),
		STORY(p1_row_3_a_bad_certificate_is_final),
		STORY(p1_row_3_a_refused_external_is_final),
		STORY(p1_row_3_no_dialback_after_a_failed_external),
		STORY(p2_optional_sasl_falls_back_on_the_same_stream),
		STORY(p2_once_more_without_external_if_the_peer_closed),
		STORY(p2_no_retry_where_sasl_is_required),
		STORY(p2_the_third_failure_ends_the_stream),
		STORY(p3_features_in_clear),
		STORY(p3_features_under_tls),
		STORY(p3_starttls_is_answered_only_where_it_was_offered),
		STORY(p4_the_fault_is_named),
		STORY(p5_tls_required_and_not_offered),
		STORY(p5_an_unoffered_starttls_may_succeed),
		STORY(p5_optional_tls_needed_by_sasl_is_not_tried_unoffered),
		STORY(p5_external_in_clear_is_ignored),
		STORY(p5_a_row_without_tls_leaves_a_peer_that_requires_it),
		STORY(p5_what_is_missing_is_named),
		STORY(p5_own_certificate_explains_a_missing_offer),
		STORY(p6_external_needs_a_good_certificate_of_the_receiver),
		STORY(p7_no_clear_text_after_a_broken_handshake),
		STORY(a_direct_tls_port_that_speaks_no_tls),
		STORY(p7_plaintext_retry_allows_it_where_the_row_does),
		STORY(p7_the_retry_goes_in_clear),
		STORY(p7_a_bad_certificate_is_no_broken_handshake),
		STORY(p8_dialback_counts_by_feature_or_by_namespace),
		STORY(p8_a_result_that_the_row_forbids_gets_an_error),
		STORY(p8_without_an_id_there_is_no_dialback),
		STORY(p9_the_verify_connection),
		STORY(p10_the_authority_says_only_whether_the_key_is_ours),
		STORY(p10_a_verify_is_answered_in_clear_and_unauthenticated),
		STORY(p11_a_valid_certificate_spares_the_verify),
		STORY(p12_without_from_only_starttls_is_offered),
		STORY(p12_what_was_learnt_in_clear_is_forgotten),
		STORY(p14_no_certificate_no_starttls),
		STORY(p15_a_row_that_is_not_valid_decides_nothing),
		STORY(p16_an_unknown_partner_is_refused_both_ways),
		STORY(p17_header_faults),
		STORY(p17_a_new_identity_after_sasl_is_refused),
		STORY(p17_faults_get_our_header_first),
		STORY(p17_stanzas_out_of_turn),
		STORY(p17_stanza_addresses),
		STORY(p17_ends_that_decide_nothing_lead_to_the_next_target),
		STORY(p17_the_receiver_tells_why_its_peer_left),
		STORY(own_certificate_refused_by_stream_error),
		STORY(what_comes_behind_our_close_is_taken),
		STORY(the_wait_for_a_close_has_an_end),
		STORY(not_everybody_is_heard_behind_our_close),
		STORY(a_stream_of_both_awaits_the_close_too),
		STORY(what_the_peer_will_not_take_is_cut),
		STORY(own_certificate_refused_by_a_reset_or_an_alert),
		STORY(own_certificate_without_client_purpose),
		STORY(deadlines_name_the_stage),
		STORY(an_open_stream_ends_without_a_second_outcome),
		STORY(a_changed_configuration_ends_what_is_no_longer_legal),
		STORY(bytes_behind_starttls_are_never_read),
		STORY(an_ended_stream_decides_nothing),
		STORY(dialback_requests_on_our_own_stream_are_ignored),
	};

	return cmocka_run_group_tests_name("promises", tests, NULL, NULL);
}
