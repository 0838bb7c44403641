/*
 * The pair machine (one sender and target domain on one stream), and the word
 * of the authoritative server.
 *
 *     initiating
 *     phase         event             what follows
 *     ------------  ----------------  -------------------------------------
 *     AWAIT_STREAM  STREAM_READY      db:result, AWAIT_RESULT
 *                   AUTHENTICATED     OPEN (SASL over TLS)
 *                   STREAM_ENDED      FAILED
 *     AWAIT_RESULT  RESULT_VALID      OPEN
 *                   RESULT_INVALID    FAILED, and the stream ends
 *                   RESULT_ERROR, DEADLINE, STREAM_ENDED: FAILED
 *     OPEN          STREAM_ENDED      GONE
 *
 *     receiving
 *     AWAIT_REQUEST RESULT_REQUEST    OPEN by certificate, AWAIT_VERIFY, or
 *      and FAILED                     FAILED with a dialback error
 *                   AUTHENTICATED     OPEN (SASL over TLS)
 *     AWAIT_REQUEST STREAM_ENDED      FAILED; GONE where it was excused
 *     AWAIT_VERIFY  VERIFY_VALID      OPEN, then db:result valid
 *                   VERIFY_INVALID    FAILED, and the stream ends unless it
 *                                     carries other pairs
 *                   VERIFY_* else, DEADLINE: FAILED with a dialback error
 *                   STREAM_ENDED      FAILED
 *     OPEN          RESULT_REQUEST    db:result valid again
 *                   STREAM_ENDED      GONE
 *
 *     either
 *     AWAIT_STREAM, REVERSED          OPEN, where its row allows the method
 *     AWAIT_REQUEST                   that opened the pair of the other way
 *
 * An answer in any other phase is one that nobody asked for, and grants nothing
 * (XEP-0220 2.1.1, 2.1.2). Every other event in any other phase is ignored.
 */
#include <string.h>

#include "step.h"

/* What one transition of a pair works with. */
struct turn {
	const struct pl_terms *terms;
	struct pl_pair_state *state;
	const struct pl_pair_event *event;
	struct pl_step *step;
};

void pl_pair_init(struct pl_pair_state *state, enum pl_role role)
{
	memset(state, 0, sizeof *state);
	state->role = (uint8_t)role;
	state->phase = role == PL_INITIATING ? PL_PAIR_AWAIT_STREAM
					     : PL_PAIR_AWAIT_REQUEST;
}

static bool allows(const struct turn *t, enum pl_method method)
{
	return pl_policy_allows(&t->terms->policy, method);
}

static enum pl_method dialback_method(const struct turn *t)
{
	return t->event->encrypted ? PL_METHOD_TLS_DIALBACK
				   : PL_METHOD_TCP_DIALBACK;
}

static void opened(struct turn *t, enum pl_method method, bool by_certificate)
{
	t->state->phase = PL_PAIR_OPEN;
	t->state->method = (uint8_t)method;
	t->state->by_certificate = by_certificate;
	t->step->method = (uint8_t)method;
	t->step->verified_by_certificate = by_certificate;
	pl_step_add(t->step, PL_DO_OPEN_PAIR);
}

/* stanza_condition is the caller's: a bounce or a dialback error. */
static void failed(struct turn *t, enum pl_stanza_condition condition,
		   enum pl_code code, enum pl_stage stage)
{
	t->state->phase = PL_PAIR_FAILED;
	t->state->method = PL_METHOD_NONE;
	t->step->stanza_condition = (uint8_t)condition;
	t->step->code = (uint8_t)code;
	t->step->stage = (uint8_t)stage;
	t->step->side = (uint8_t)pl_code_entry(code)->side;
	t->step->next = PL_NEXT_NONE;
	pl_step_add(t->step, PL_DO_FAIL_PAIR);
}

/* The stream ended before an outcome was told: its end is the outcome. */
static void failed_with_stream(struct turn *t, enum pl_code silent)
{
	const struct pl_pair_event *event = t->event;
	enum pl_stanza_condition bounce = PL_SC_REMOTE_SERVER_TIMEOUT;

	if (event->code == PL_CODE_NONE) {
		/* An idle stream was closed, which waited for something. */
		failed(t, bounce, silent, pl_code_entry(silent)->stage);
		return;
	}
	if (event->code == PL_CODE_HOST_UNKNOWN)
		bounce = PL_SC_REMOTE_SERVER_NOT_FOUND;
	failed(t, bounce, event->code, event->stage);
	t->step->side = (uint8_t)event->side;
	t->step->next = (uint8_t)event->next;
}

static void gone(struct turn *t)
{
	t->state->phase = PL_PAIR_GONE;
	t->state->method = PL_METHOD_NONE;
	t->state->by_certificate = false;
	pl_step_add(t->step, PL_DO_GONE_PAIR);
}

static void unsolicited(struct turn *t)
{
	pl_step_add(t->step, PL_DO_UNSOLICITED);
}

/* XEP-0288 2.2. The row is the same both ways, but a pair is judged by its own
 * terms, always. */
static void reversed(struct turn *t)
{
	if (!t->terms->partner_known || !t->terms->bidi ||
	    !allows(t, t->event->method))
		return;
	t->state->phase = PL_PAIR_OPEN;
	t->state->method = (uint8_t)t->event->method;
	t->step->method = (uint8_t)t->event->method;
	pl_step_add(t->step, PL_DO_REVERSE_PAIR);
}

/* -------------------------------------------------------- initiating */

/* The pair's own row decides, which may be another than the stream's. */
static void send_result(struct turn *t)
{
	enum pl_method method = dialback_method(t);

	if (!t->terms->partner_known) {
		failed(t, PL_SC_REMOTE_SERVER_TIMEOUT, PL_CODE_PARTNER_UNKNOWN,
		       PL_STAGE_POLICY);
	} else if (allows(t, method)) {
		t->state->phase = PL_PAIR_AWAIT_RESULT;
		t->state->method = (uint8_t)method;
		pl_step_add(t->step, PL_DO_SEND_RESULT);
		pl_step_arm(t->step, PL_DEADLINE_RESULT);
	} else if (t->event->encrypted) {
		failed(t, PL_SC_REMOTE_SERVER_TIMEOUT,
		       PL_CODE_DIALBACK_NOT_ALLOWED, PL_STAGE_FEATURES);
	} else {
		failed(t, PL_SC_REMOTE_SERVER_TIMEOUT, PL_CODE_TLS_NOT_OFFERED,
		       PL_STAGE_FEATURES);
	}
}

/* SASL succeeded for this pair; a row that excludes it never asked for it. */
static void authenticated(struct turn *t)
{
	if (allows(t, PL_METHOD_SASL_OVER_TLS))
		opened(t, PL_METHOD_SASL_OVER_TLS, false);
	else
		failed(t, PL_SC_INTERNAL_SERVER_ERROR, PL_CODE_INTERNAL,
		       PL_STAGE_SASL);
}

static enum pl_code result_error_code(const struct turn *t)
{
	switch (t->event->condition) {
	case PL_SC_ITEM_NOT_FOUND:
		return PL_CODE_HOST_UNKNOWN;
	case PL_SC_REMOTE_CONNECTION_FAILED:
	case PL_SC_REMOTE_SERVER_NOT_FOUND:
	case PL_SC_REMOTE_SERVER_TIMEOUT:
		return PL_CODE_DIALBACK_CANNOT_REACH_US;
	case PL_SC_POLICY_VIOLATION:
		if (t->state->method == PL_METHOD_TCP_DIALBACK &&
		    t->terms->policy.tls == PL_NOT_SUPPORTED)
			return PL_CODE_PEER_REQUIRES_TLS;
		break;
	case PL_SC_NONE:
	case PL_SC_BAD_REQUEST:
	case PL_SC_FEATURE_NOT_IMPLEMENTED:
	case PL_SC_FORBIDDEN:
	case PL_SC_INTERNAL_SERVER_ERROR:
	case PL_SC_JID_MALFORMED:
	case PL_SC_NOT_ACCEPTABLE:
	case PL_SC_NOT_ALLOWED:
	case PL_SC_NOT_AUTHORIZED:
	case PL_SC_RESOURCE_CONSTRAINT:
	case PL_SC_SERVICE_UNAVAILABLE:
	case PL_SC_UNDEFINED_CONDITION:
	case PL_SC_UNEXPECTED_REQUEST:
	case PL_SCS:
		break;
	}
	return PL_CODE_DIALBACK_REFUSED;
}

/* The stream stays (XEP-0220 2.5). resource-constraint speaks of this
 * connection alone: another may do better. */
static void on_result_error(struct turn *t)
{
	enum pl_code code = result_error_code(t);

	pl_step_add(t->step, PL_DO_DISARM);
	failed(t, code == PL_CODE_HOST_UNKNOWN ? PL_SC_REMOTE_SERVER_NOT_FOUND
					       : PL_SC_REMOTE_SERVER_TIMEOUT,
	       code, PL_STAGE_DIALBACK);
	if (t->event->condition == PL_SC_RESOURCE_CONSTRAINT)
		t->step->next = PL_NEXT_TARGET;
}

static void on_result_valid(struct turn *t)
{
	pl_step_add(t->step, PL_DO_DISARM);
	opened(t, t->state->method, false);
}

static void on_result_invalid(struct turn *t)
{
	pl_step_add(t->step, PL_DO_DISARM);
	failed(t, PL_SC_INTERNAL_SERVER_ERROR, PL_CODE_DIALBACK_INVALID,
	       PL_STAGE_DIALBACK);
	pl_step_add(t->step, PL_DO_END_STREAM);
}

static void initiating_ended(struct turn *t)
{
	switch ((enum pl_pair_phase)t->state->phase) {
	case PL_PAIR_AWAIT_STREAM:
		failed_with_stream(t, PL_CODE_NEGOTIATION_TIMEOUT);
		return;
	case PL_PAIR_AWAIT_RESULT:
		pl_step_add(t->step, PL_DO_DISARM);
		failed_with_stream(t, PL_CODE_DIALBACK_TIMEOUT);
		return;
	case PL_PAIR_OPEN:
		gone(t);
		return;
	case PL_PAIR_AWAIT_REQUEST:
	case PL_PAIR_AWAIT_VERIFY:
	case PL_PAIR_FAILED:
	case PL_PAIR_GONE:
		return;
	}
}

static void initiating_step(struct turn *t)
{
	bool waits = t->state->phase == PL_PAIR_AWAIT_STREAM;
	bool asked = t->state->phase == PL_PAIR_AWAIT_RESULT;

	switch (t->event->kind) {
	case PL_PE_STREAM_READY:
		if (waits)
			send_result(t);
		return;
	case PL_PE_AUTHENTICATED:
		if (waits)
			authenticated(t);
		return;
	case PL_PE_RESULT_VALID:
		asked ? on_result_valid(t) : unsolicited(t);
		return;
	case PL_PE_RESULT_INVALID:
		asked ? on_result_invalid(t) : unsolicited(t);
		return;
	case PL_PE_RESULT_ERROR:
		asked ? on_result_error(t) : unsolicited(t);
		return;
	case PL_PE_DEADLINE:
		if (asked)
			failed(t, PL_SC_REMOTE_SERVER_TIMEOUT,
			       PL_CODE_DIALBACK_TIMEOUT, PL_STAGE_DIALBACK);
		return;
	case PL_PE_STREAM_ENDED:
		initiating_ended(t);
		return;
	case PL_PE_VERIFY_VALID:
	case PL_PE_VERIFY_INVALID:
	case PL_PE_VERIFY_ERROR:
	case PL_PE_VERIFY_UNREACHABLE:
	case PL_PE_VERIFY_UNKNOWN_DOMAIN:
	case PL_PE_VERIFY_LOST:
		unsolicited(t);
		return;
	case PL_PE_REVERSED:
		if (waits)
			reversed(t);
		return;
	case PL_PE_RESULT_REQUEST:
	case PL_PE_KINDS:
		return;
	}
}

/* --------------------------------------------------------- receiving */

/* A refused db:result: an outcome, and an answer, never silence. */
static void refused(struct turn *t, enum pl_stanza_condition condition,
		    enum pl_code code, enum pl_stage stage)
{
	failed(t, condition, code, stage);
	pl_step_add(t->step, PL_DO_SEND_RESULT_ERROR);
}

/* What is wrong with the request itself; true when it was refused. */
static bool refuse_request(struct turn *t)
{
	const struct pl_pair_event *event = t->event;

	if (!event->addresses_good || !event->key_present)
		refused(t, PL_SC_BAD_REQUEST, PL_CODE_PROTOCOL_VIOLATION,
			PL_STAGE_DIALBACK);
	else if (!event->to_hosted)
		refused(t, PL_SC_ITEM_NOT_FOUND, PL_CODE_HOST_UNKNOWN,
			PL_STAGE_DIALBACK);
	else if (event->from_local)
		refused(t, PL_SC_NOT_ACCEPTABLE, PL_CODE_FROM_LOCAL,
			PL_STAGE_DIALBACK);
	else if (!t->terms->partner_known)
		refused(t, PL_SC_POLICY_VIOLATION, PL_CODE_PARTNER_UNKNOWN,
			PL_STAGE_POLICY);
	else if (event->over_limit)
		refused(t, PL_SC_RESOURCE_CONSTRAINT, PL_CODE_CONNECTION_LIMIT,
			PL_STAGE_POLICY);
	else if (!pl_policy_valid(&t->terms->policy))
		refused(t, PL_SC_POLICY_VIOLATION, PL_CODE_ROW_NOT_VALID,
			PL_STAGE_POLICY);
	return t->step->count > 0;
}

/* Under TLS the row wants a certificate, or another one. */
static void refuse_uncertified(struct turn *t)
{
	enum pl_certificate verdict = t->event->certificate;
	enum pl_code code = pl_certificate_code(verdict);

	if (t->terms->policy.tls == PL_NOT_SUPPORTED)
		code = PL_CODE_PEER_REQUIRES_TLS;
	else if (verdict == PL_CERT_VALID)
		code = PL_CODE_DIALBACK_NOT_ALLOWED;
	refused(t, PL_SC_NOT_AUTHORIZED, code, pl_code_entry(code)->stage);
}

/* What the row says against dialback here; true when it was refused. */
static bool refuse_by_row(struct turn *t)
{
	const struct pl_terms *terms = t->terms;

	if (!t->event->encrypted) {
		if (!allows(t, PL_METHOD_TCP_DIALBACK))
			refused(t, PL_SC_POLICY_VIOLATION,
				PL_CODE_TLS_NOT_OFFERED, PL_STAGE_FEATURES);
	} else if (!allows(t, PL_METHOD_TLS_DIALBACK) ||
		 pl_terms_certificate_final(terms, t->event->certificate)) {
		refuse_uncertified(t);
	} else if (t->event->sasl_failed && terms->policy.sasl == PL_REQUIRED) {
		refused(t, PL_SC_NOT_AUTHORIZED, PL_CODE_SASL_REFUSED,
			PL_STAGE_SASL);
	}
	return t->step->count > 0;
}

static void judge_request(struct turn *t)
{
	if (refuse_request(t) || refuse_by_row(t))
		return;
	if (t->event->encrypted && t->event->certificate == PL_CERT_VALID) {
		/* XEP-0344 2.4: dialback without dialling back. */
		opened(t, PL_METHOD_TLS_DIALBACK, true);
		pl_step_add(t->step, PL_DO_SEND_VALID);
		return;
	}
	t->state->phase = PL_PAIR_AWAIT_VERIFY;
	t->state->method = (uint8_t)dialback_method(t);
	pl_step_add(t->step, PL_DO_START_VERIFY);
	pl_step_arm(t->step, PL_DEADLINE_VERIFY);
}

static void on_result_request(struct turn *t)
{
	switch ((enum pl_pair_phase)t->state->phase) {
	case PL_PAIR_AWAIT_REQUEST:
	case PL_PAIR_FAILED:
		judge_request(t);
		return;
	case PL_PAIR_OPEN:
		/* No new attempt, and no outcome: it is open already. */
		pl_step_add(t->step, PL_DO_SEND_VALID);
		return;
	case PL_PAIR_AWAIT_VERIFY: /* one answer will do for both */
	case PL_PAIR_AWAIT_STREAM:
	case PL_PAIR_AWAIT_RESULT:
	case PL_PAIR_GONE:
		return;
	}
}

/* SASL counts for the pair that the header names; a db:result that was still
 * under way is answered by it. */
static void on_authenticated(struct turn *t)
{
	bool asked = t->state->phase == PL_PAIR_AWAIT_VERIFY;

	if (t->state->phase == PL_PAIR_OPEN || t->state->phase == PL_PAIR_GONE)
		return;
	if (asked)
		pl_step_add(t->step, PL_DO_DISARM);
	authenticated(t);
	if (asked && t->state->phase == PL_PAIR_OPEN)
		pl_step_add(t->step, PL_DO_SEND_VALID);
}

/* The row is asked again: it may have changed since the request. */
static void on_verify_valid(struct turn *t)
{
	bool clear = t->state->method == PL_METHOD_TCP_DIALBACK;

	if (allows(t, t->state->method)) {
		opened(t, t->state->method, false);
		pl_step_add(t->step, PL_DO_SEND_VALID);
	} else if (clear) {
		refused(t, PL_SC_POLICY_VIOLATION, PL_CODE_TLS_NOT_OFFERED,
			PL_STAGE_FEATURES);
	} else {
		refused(t, PL_SC_NOT_AUTHORIZED, PL_CODE_DIALBACK_NOT_ALLOWED,
			PL_STAGE_FEATURES);
	}
}

/* XEP-0220 2.2.1: the stream must not go on, unless it serves others. */
static void on_verify_invalid(struct turn *t)
{
	if (t->event->other_pairs_open) {
		refused(t, PL_SC_FORBIDDEN, PL_CODE_VERIFY_INVALID,
			PL_STAGE_DIALBACK);
		return;
	}
	failed(t, PL_SC_NONE, PL_CODE_VERIFY_INVALID, PL_STAGE_DIALBACK);
	pl_step_add(t->step, PL_DO_SEND_INVALID);
	pl_step_add(t->step, PL_DO_END_STREAM);
}

/* The authoritative server's word, or its absence (XEP-0220 2.5). */
static void on_verify(struct turn *t)
{
	const enum pl_stage stage = PL_STAGE_DIALBACK;

	if (t->state->phase != PL_PAIR_AWAIT_VERIFY) {
		unsolicited(t);
		return;
	}
	pl_step_add(t->step, PL_DO_DISARM);
	switch (t->event->kind) {
	case PL_PE_VERIFY_VALID:
		on_verify_valid(t);
		return;
	case PL_PE_VERIFY_INVALID:
		on_verify_invalid(t);
		return;
	case PL_PE_VERIFY_ERROR:
	case PL_PE_VERIFY_UNKNOWN_DOMAIN:
		refused(t, PL_SC_REMOTE_SERVER_NOT_FOUND,
			PL_CODE_VERIFY_UNREACHABLE, stage);
		return;
	case PL_PE_VERIFY_UNREACHABLE:
		refused(t, PL_SC_REMOTE_CONNECTION_FAILED,
			PL_CODE_VERIFY_UNREACHABLE, stage);
		return;
	case PL_PE_VERIFY_LOST:
	case PL_PE_DEADLINE:
		refused(t, PL_SC_REMOTE_SERVER_TIMEOUT, PL_CODE_VERIFY_TIMEOUT,
			stage);
		return;
	case PL_PE_STREAM_READY:
	case PL_PE_AUTHENTICATED:
	case PL_PE_RESULT_REQUEST:
	case PL_PE_RESULT_VALID:
	case PL_PE_RESULT_INVALID:
	case PL_PE_RESULT_ERROR:
	case PL_PE_STREAM_ENDED:
	case PL_PE_REVERSED:
	case PL_PE_KINDS:
		return;
	}
}

static void receiving_ended(struct turn *t)
{
	switch ((enum pl_pair_phase)t->state->phase) {
	case PL_PAIR_AWAIT_REQUEST:
		if (t->event->excused)
			gone(t);
		else
			failed_with_stream(t, PL_CODE_NEGOTIATION_TIMEOUT);
		return;
	case PL_PAIR_AWAIT_VERIFY:
		pl_step_add(t->step, PL_DO_DISARM);
		failed_with_stream(t, PL_CODE_VERIFY_TIMEOUT);
		return;
	case PL_PAIR_OPEN:
		gone(t);
		return;
	case PL_PAIR_AWAIT_STREAM:
	case PL_PAIR_AWAIT_RESULT:
	case PL_PAIR_FAILED:
	case PL_PAIR_GONE:
		return;
	}
}

static void receiving_step(struct turn *t)
{
	switch (t->event->kind) {
	case PL_PE_RESULT_REQUEST:
		on_result_request(t);
		return;
	case PL_PE_AUTHENTICATED:
		on_authenticated(t);
		return;
	case PL_PE_VERIFY_VALID:
	case PL_PE_VERIFY_INVALID:
	case PL_PE_VERIFY_ERROR:
	case PL_PE_VERIFY_UNREACHABLE:
	case PL_PE_VERIFY_UNKNOWN_DOMAIN:
	case PL_PE_VERIFY_LOST:
		on_verify(t);
		return;
	case PL_PE_DEADLINE:
		if (t->state->phase == PL_PAIR_AWAIT_VERIFY)
			on_verify(t);
		return;
	case PL_PE_STREAM_ENDED:
		receiving_ended(t);
		return;
	case PL_PE_RESULT_VALID:
	case PL_PE_RESULT_INVALID:
	case PL_PE_RESULT_ERROR:
		unsolicited(t);
		return;
	case PL_PE_REVERSED:
		if (t->state->phase == PL_PAIR_AWAIT_REQUEST ||
		    t->state->phase == PL_PAIR_FAILED)
			reversed(t);
		return;
	case PL_PE_STREAM_READY:
	case PL_PE_KINDS:
		return;
	}
}

void pl_pair_step(const struct pl_terms *terms, struct pl_pair_state *state,
		  const struct pl_pair_event *event, struct pl_step *step)
{
	struct turn t = { terms, state, event, step };

	memset(step, 0, sizeof *step);
	switch ((enum pl_role)state->role) {
	case PL_INITIATING:
		initiating_step(&t);
		return;
	case PL_RECEIVING:
		receiving_step(&t);
		return;
	}
}

bool pl_pair_still_legal(const struct pl_terms *terms,
			 const struct pl_pair_state *state)
{
	return terms->partner_known &&
	       pl_policy_allows(&terms->policy, state->method);
}

/* --------------------------------------------------------- authority */

bool pl_authority_confirms(const struct pl_terms *terms)
{
	return terms->partner_known && terms->policy.dialback;
}

enum pl_verify_answer
pl_authority_answer(const struct pl_terms *terms, bool to_hosted,
		    bool key_matches,
		    enum pl_stanza_condition *error_condition)
{
	*error_condition = PL_SC_NONE;
	if (!to_hosted) {
		*error_condition = PL_SC_ITEM_NOT_FOUND;
		return PL_VERIFY_ERROR;
	}
	if (!pl_authority_confirms(terms))
		return PL_VERIFY_INVALID;
	return key_matches ? PL_VERIFY_VALID : PL_VERIFY_INVALID;
}
