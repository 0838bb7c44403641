/* The pair machine's answers, codes and bounces, one by one. */
#include "story.h"

struct pair {
	struct pl_terms terms;
	struct pl_pair_state state;
	struct pl_step step;
};

static void start(struct pair *p, enum pl_role role, int row)
{
	memset(p, 0, sizeof *p);
	p->terms = row_terms(row);
	pl_pair_init(&p->state, role);
}

static void feed(struct pair *p, struct pl_pair_event event)
{
	pl_pair_step(&p->terms, &p->state, &event, &p->step);
}

/* A db:result that nothing is wrong with. */
static struct pl_pair_event request(bool encrypted)
{
	return (struct pl_pair_event){
		.kind = PL_PE_RESULT_REQUEST,
		.encrypted = encrypted,
		.addresses_good = true,
		.key_present = true,
		.to_hosted = true,
	};
}

static void in_phase(const struct pair *p, enum pl_pair_phase phase)
{
	assert_string_equal(pl_pair_phase_name(p->state.phase),
			    pl_pair_phase_name(phase));
}

static void does(const struct pair *p, unsigned action)
{
	if (!holds(&p->step, action))
		fail_msg("no %s", pl_action_name(action));
}

static void refused(const struct pair *p, enum pl_stanza_condition condition,
		    enum pl_code code, enum pl_stage stage)
{
	in_phase(p, PL_PAIR_FAILED);
	does(p, PL_DO_FAIL_PAIR);
	does(p, PL_DO_SEND_RESULT_ERROR);
	assert_string_equal(pl_stanza_condition_name(p->step.stanza_condition),
			    pl_stanza_condition_name(condition));
	assert_code(p->step.code, code);
	assert_string_equal(pl_stage_name(p->step.stage),
			    pl_stage_name(stage));
}

/* ---------------------------------------------------------- receiving */

static void requests_with_faults_are_refused_in_order(void **unused)
{
	struct pl_pair_event event = {
		.kind = PL_PE_RESULT_REQUEST,
		.from_local = true,
		.over_limit = true,
	};
	struct pair p;

	start(&p, PL_RECEIVING, 2);
	p.terms.partner_known = false;
	feed(&p, event);
	refused(&p, PL_SC_BAD_REQUEST, PL_CODE_PROTOCOL_VIOLATION,
		PL_STAGE_DIALBACK);
	event.addresses_good = true;
	feed(&p, event);
	refused(&p, PL_SC_BAD_REQUEST, PL_CODE_PROTOCOL_VIOLATION,
		PL_STAGE_DIALBACK);
	event.key_present = true;
	feed(&p, event);
	refused(&p, PL_SC_ITEM_NOT_FOUND, PL_CODE_HOST_UNKNOWN,
		PL_STAGE_DIALBACK);
	event.to_hosted = true;
	feed(&p, event);
	refused(&p, PL_SC_NOT_ACCEPTABLE, PL_CODE_FROM_LOCAL,
		PL_STAGE_DIALBACK);
	event.from_local = false;
	feed(&p, event);
	refused(&p, PL_SC_POLICY_VIOLATION, PL_CODE_PARTNER_UNKNOWN,
		PL_STAGE_POLICY);
	p.terms.partner_known = true;
	feed(&p, event);
	refused(&p, PL_SC_RESOURCE_CONSTRAINT, PL_CODE_CONNECTION_LIMIT,
		PL_STAGE_POLICY);
	event.over_limit = false;
	feed(&p, event);
	refused(&p, PL_SC_POLICY_VIOLATION, PL_CODE_TLS_NOT_OFFERED,
		PL_STAGE_FEATURES);
	p.terms = row_terms(18);
	feed(&p, event);
	refused(&p, PL_SC_POLICY_VIOLATION, PL_CODE_ROW_NOT_VALID,
		PL_STAGE_POLICY);
	p.terms = row_terms(17); /* and a later one is a new attempt */
	feed(&p, event);
	in_phase(&p, PL_PAIR_AWAIT_VERIFY);
	does(&p, PL_DO_START_VERIFY);
	assert_int_equal(p.step.deadline, PL_DEADLINE_VERIFY);
	assert_int_equal(p.state.method, PL_METHOD_TCP_DIALBACK);
}

static void under_tls_the_certificate_counts(void **unused)
{
	static const struct {
		int row;
		enum pl_certificate_check check;
		enum pl_certificate shown;
		enum pl_code code;
	} cases[] = {
		{ 2, PL_CHECK_STRICT, PL_CERT_NONE,
		  PL_CODE_CERTIFICATE_MISSING },
		{ 2, PL_CHECK_STRICT, PL_CERT_EXPIRED,
		  PL_CODE_CERTIFICATE_EXPIRED },
		{ 8, PL_CHECK_LOG, PL_CERT_WEAK,
		  PL_CODE_CERTIFICATE_INVALID },
		{ 2, PL_CHECK_STRICT, PL_CERT_VALID,
		  PL_CODE_DIALBACK_NOT_ALLOWED },
		{ 1, PL_CHECK_STRICT, PL_CERT_VALID,
		  PL_CODE_DIALBACK_NOT_ALLOWED },
		{ 17, PL_CHECK_LOG, PL_CERT_VALID, PL_CODE_PEER_REQUIRES_TLS },
		{ 3, PL_CHECK_LOG, PL_CERT_WRONG_NAME,
		  PL_CODE_CERTIFICATE_WRONG_NAME },
		{ 13, PL_CHECK_STRICT, PL_CERT_SELF_SIGNED,
		  PL_CODE_CERTIFICATE_UNKNOWN_CA },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct pl_pair_event event = request(true);
		struct pair p;

		start(&p, PL_RECEIVING, cases[i].row);
		p.terms.check = cases[i].check;
		event.certificate = cases[i].shown;
		feed(&p, event);
		refused(&p, PL_SC_NOT_AUTHORIZED, cases[i].code,
			pl_code_entry(cases[i].code)->stage);
	}
}

static struct pair awaiting_verify(void)
{
	struct pair p;

	start(&p, PL_RECEIVING, 7);
	feed(&p, request(true));
	in_phase(&p, PL_PAIR_AWAIT_VERIFY);
	return p;
}

static void the_authoritative_servers_word(void **unused)
{
	static const struct {
		enum pl_pair_event_kind kind;
		enum pl_stanza_condition condition;
		enum pl_code code;
	} cases[] = {
		{ PL_PE_VERIFY_ERROR, PL_SC_REMOTE_SERVER_NOT_FOUND,
		  PL_CODE_VERIFY_UNREACHABLE },
		{ PL_PE_VERIFY_UNKNOWN_DOMAIN, PL_SC_REMOTE_SERVER_NOT_FOUND,
		  PL_CODE_VERIFY_UNREACHABLE },
		{ PL_PE_VERIFY_UNREACHABLE, PL_SC_REMOTE_CONNECTION_FAILED,
		  PL_CODE_VERIFY_UNREACHABLE },
		{ PL_PE_VERIFY_LOST, PL_SC_REMOTE_SERVER_TIMEOUT,
		  PL_CODE_VERIFY_TIMEOUT },
		{ PL_PE_DEADLINE, PL_SC_REMOTE_SERVER_TIMEOUT,
		  PL_CODE_VERIFY_TIMEOUT },
	};
	struct pair p = awaiting_verify();

	feed(&p, (struct pl_pair_event){ .kind = PL_PE_VERIFY_VALID });
	in_phase(&p, PL_PAIR_OPEN);
	assert_int_equal(p.step.actions[1], PL_DO_OPEN_PAIR);
	assert_int_equal(p.step.actions[2], PL_DO_SEND_VALID);
	assert_int_equal(p.step.method, PL_METHOD_TLS_DIALBACK);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		p = awaiting_verify();
		feed(&p, (struct pl_pair_event){ .kind = cases[i].kind });
		refused(&p, cases[i].condition, cases[i].code,
			PL_STAGE_DIALBACK);
	}
}

static void an_invalid_key_ends_the_stream_unless_others_use_it(void **unused)
{
	struct pair p = awaiting_verify();

	feed(&p, (struct pl_pair_event){ .kind = PL_PE_VERIFY_INVALID });
	in_phase(&p, PL_PAIR_FAILED);
	does(&p, PL_DO_SEND_INVALID);
	does(&p, PL_DO_END_STREAM);
	assert_code(p.step.code, PL_CODE_VERIFY_INVALID);

	p = awaiting_verify();
	feed(&p, (struct pl_pair_event){ .kind = PL_PE_VERIFY_INVALID,
					 .other_pairs_open = true });
	refused(&p, PL_SC_FORBIDDEN, PL_CODE_VERIFY_INVALID,
		PL_STAGE_DIALBACK);
	assert_false(holds(&p.step, PL_DO_END_STREAM));
}

static void a_row_that_changed_meanwhile_is_asked_again(void **unused)
{
	struct pair p = awaiting_verify();

	p.terms = row_terms(2);
	feed(&p, (struct pl_pair_event){ .kind = PL_PE_VERIFY_VALID,
					 .encrypted = true });
	refused(&p, PL_SC_NOT_AUTHORIZED, PL_CODE_DIALBACK_NOT_ALLOWED,
		PL_STAGE_FEATURES);
}

static void a_repeated_request_is_no_new_attempt(void **unused)
{
	struct pair p = awaiting_verify();
	struct pl_pair_state before = p.state;

	feed(&p, request(true));
	assert_int_equal(p.step.count, 0); /* one answer will come */
	assert_memory_equal(&before, &p.state, sizeof before);
	feed(&p, (struct pl_pair_event){ .kind = PL_PE_VERIFY_VALID });
	feed(&p, request(true));
	in_phase(&p, PL_PAIR_OPEN);
	assert_int_equal(p.step.count, 1);
	does(&p, PL_DO_SEND_VALID);
}

static void unsolicited_answers_grant_nothing(void **unused)
{
	for (int kind = PL_PE_RESULT_VALID; kind <= PL_PE_VERIFY_LOST; kind++) {
		struct pair p;

		start(&p, PL_RECEIVING, 9);
		feed(&p, (struct pl_pair_event){ .kind = kind });
		in_phase(&p, PL_PAIR_AWAIT_REQUEST);
		does(&p, PL_DO_UNSOLICITED);
		start(&p, PL_INITIATING, 9);
		feed(&p, (struct pl_pair_event){ .kind = kind });
		in_phase(&p, PL_PAIR_AWAIT_STREAM);
		does(&p, PL_DO_UNSOLICITED);
		/* ... nor after a refusal */
		p.state.phase = PL_PAIR_FAILED;
		feed(&p, (struct pl_pair_event){ .kind = kind });
		in_phase(&p, PL_PAIR_FAILED);
		does(&p, PL_DO_UNSOLICITED);
	}
}

static void a_served_stream_leaves_without_an_outcome(void **unused)
{
	struct pl_pair_event end = { .kind = PL_PE_STREAM_ENDED,
				     .code = PL_CODE_PEER_CLOSED,
				     .stage = PL_STAGE_FEATURES,
				     .side = PL_SIDE_PEER };
	struct pair p;

	start(&p, PL_RECEIVING, 9);
	feed(&p, end);
	does(&p, PL_DO_FAIL_PAIR);
	assert_code(p.step.code, PL_CODE_PEER_CLOSED);
	end.excused = true;
	start(&p, PL_RECEIVING, 9);
	feed(&p, end);
	in_phase(&p, PL_PAIR_GONE);
	does(&p, PL_DO_GONE_PAIR);
	p = awaiting_verify(); /* asked for: an outcome is due */
	feed(&p, end);
	does(&p, PL_DO_FAIL_PAIR);
	end.kind = PL_PE_STREAM_ENDED;
	feed(&p, end); /* once */
	assert_int_equal(p.step.count, 0);
}

static void sasl_answers_a_pending_request(void **unused)
{
	struct pair p = awaiting_verify();

	feed(&p, (struct pl_pair_event){ .kind = PL_PE_AUTHENTICATED,
					 .encrypted = true });
	in_phase(&p, PL_PAIR_OPEN);
	does(&p, PL_DO_SEND_VALID);
	assert_int_equal(p.step.method, PL_METHOD_SASL_OVER_TLS);
	feed(&p, (struct pl_pair_event){ .kind = PL_PE_VERIFY_INVALID });
	in_phase(&p, PL_PAIR_OPEN);
	does(&p, PL_DO_UNSOLICITED);
}

/* --------------------------------------------------------- initiating */

static struct pair awaiting_result(int row, bool encrypted)
{
	struct pair p;

	start(&p, PL_INITIATING, row);
	feed(&p, (struct pl_pair_event){ .kind = PL_PE_STREAM_READY,
					 .encrypted = encrypted });
	in_phase(&p, PL_PAIR_AWAIT_RESULT);
	does(&p, PL_DO_SEND_RESULT);
	assert_int_equal(p.step.deadline, PL_DEADLINE_RESULT);
	return p;
}

static void failed(const struct pair *p, enum pl_code code,
		   enum pl_stanza_condition bounce)
{
	in_phase(p, PL_PAIR_FAILED);
	does(p, PL_DO_FAIL_PAIR);
	assert_code(p->step.code, code);
	assert_string_equal(pl_stanza_condition_name(p->step.stanza_condition),
			    pl_stanza_condition_name(bounce));
}

static void results_and_their_bounces(void **unused)
{
	struct pair p = awaiting_result(13, true);

	feed(&p, (struct pl_pair_event){ .kind = PL_PE_RESULT_INVALID });
	failed(&p, PL_CODE_DIALBACK_INVALID, PL_SC_INTERNAL_SERVER_ERROR);
	does(&p, PL_DO_END_STREAM);

	p = awaiting_result(13, true);
	feed(&p, (struct pl_pair_event){ .kind = PL_PE_DEADLINE });
	failed(&p, PL_CODE_DIALBACK_TIMEOUT, PL_SC_REMOTE_SERVER_TIMEOUT);
	feed(&p, (struct pl_pair_event){ .kind = PL_PE_RESULT_VALID });
	in_phase(&p, PL_PAIR_FAILED); /* too late to be believed */
	does(&p, PL_DO_UNSOLICITED);

	p = awaiting_result(13, true);
	feed(&p, (struct pl_pair_event){ .kind = PL_PE_STREAM_ENDED,
					 .code = PL_CODE_PEER_CLOSED,
					 .stage = PL_STAGE_DIALBACK,
					 .side = PL_SIDE_PEER });
	failed(&p, PL_CODE_PEER_CLOSED, PL_SC_REMOTE_SERVER_TIMEOUT);

	p = awaiting_result(13, true);
	feed(&p, (struct pl_pair_event){ .kind = PL_PE_STREAM_ENDED });
	failed(&p, PL_CODE_DIALBACK_TIMEOUT, PL_SC_REMOTE_SERVER_TIMEOUT);
}

static void errors_and_their_codes(void **unused)
{
	static const struct {
		int row;
		bool encrypted;
		enum pl_stanza_condition condition;
		enum pl_code code;
	} cases[] = {
		{ 17, false, PL_SC_POLICY_VIOLATION,
		  PL_CODE_PEER_REQUIRES_TLS },
		{ 9, false, PL_SC_POLICY_VIOLATION, PL_CODE_DIALBACK_REFUSED },
		{ 13, true, PL_SC_POLICY_VIOLATION, PL_CODE_DIALBACK_REFUSED },
		{ 13, true, PL_SC_REMOTE_CONNECTION_FAILED,
		  PL_CODE_DIALBACK_CANNOT_REACH_US },
		{ 13, true, PL_SC_REMOTE_SERVER_NOT_FOUND,
		  PL_CODE_DIALBACK_CANNOT_REACH_US },
		{ 13, true, PL_SC_REMOTE_SERVER_TIMEOUT,
		  PL_CODE_DIALBACK_CANNOT_REACH_US },
		{ 13, true, PL_SC_NOT_AUTHORIZED, PL_CODE_DIALBACK_REFUSED },
		{ 13, true, PL_SC_RESOURCE_CONSTRAINT,
		  PL_CODE_DIALBACK_REFUSED },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct pair p = awaiting_result(cases[i].row,
						cases[i].encrypted);

		feed(&p, (struct pl_pair_event){
			.kind = PL_PE_RESULT_ERROR,
			.encrypted = cases[i].encrypted,
			.condition = cases[i].condition });
		failed(&p, cases[i].code, PL_SC_REMOTE_SERVER_TIMEOUT);
		assert_false(holds(&p.step, PL_DO_END_STREAM));
		assert_int_equal(p.step.next,
				 cases[i].condition == PL_SC_RESOURCE_CONSTRAINT
					 ? PL_NEXT_TARGET : PL_NEXT_NONE);
	}
}

static void an_unknown_target_bounces_as_not_found(void **unused)
{
	struct pair p = awaiting_result(13, true);

	feed(&p, (struct pl_pair_event){ .kind = PL_PE_RESULT_ERROR,
					 .condition = PL_SC_ITEM_NOT_FOUND });
	failed(&p, PL_CODE_HOST_UNKNOWN, PL_SC_REMOTE_SERVER_NOT_FOUND);
}

static void a_further_pair_goes_by_its_own_row(void **unused)
{
	struct pair p;

	start(&p, PL_INITIATING, 2);
	feed(&p, (struct pl_pair_event){ .kind = PL_PE_STREAM_READY,
					 .encrypted = true });
	failed(&p, PL_CODE_DIALBACK_NOT_ALLOWED, PL_SC_REMOTE_SERVER_TIMEOUT);
	start(&p, PL_INITIATING, 7);
	feed(&p, (struct pl_pair_event){ .kind = PL_PE_STREAM_READY });
	failed(&p, PL_CODE_TLS_NOT_OFFERED, PL_SC_REMOTE_SERVER_TIMEOUT);
	start(&p, PL_INITIATING, 7);
	p.terms.partner_known = false;
	feed(&p, (struct pl_pair_event){ .kind = PL_PE_STREAM_READY,
					 .encrypted = true });
	failed(&p, PL_CODE_PARTNER_UNKNOWN, PL_SC_REMOTE_SERVER_TIMEOUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_with_faults_are_refused_in_order),
		cmocka_unit_test(under_tls_the_certificate_counts),
		cmocka_unit_test(the_authoritative_servers_word),
		cmocka_unit_test(
			an_invalid_key_ends_the_stream_unless_others_use_it),
		cmocka_unit_test(a_row_that_changed_meanwhile_is_asked_again),
		cmocka_unit_test(a_repeated_request_is_no_new_attempt),
		cmocka_unit_test(unsolicited_answers_grant_nothing),
		cmocka_unit_test(a_served_stream_leaves_without_an_outcome),
		cmocka_unit_test(sasl_answers_a_pending_request),
		cmocka_unit_test(results_and_their_bounces),
		cmocka_unit_test(errors_and_their_codes),
		cmocka_unit_test(an_unknown_target_bounces_as_not_found),
		cmocka_unit_test(a_further_pair_goes_by_its_own_row),
	};

	return cmocka_run_group_tests_name("pair", tests, NULL, NULL);
}
