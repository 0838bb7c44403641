/*
 * The stream machine: its entry, and what both roles do alike.
 *
 *     event                  not ended
 *     ---------------------  ----------------------------------------------
 *     FAULT                  stream error that fits the fault
 *     BYTES_BEHIND           abort: nothing behind STARTTLS is ever read
 *     OVERFLOW               abort: the peer does not read
 *     IDLE                   close, once pairs are open or were tried
 *     PAIR_INVALID           close (XEP-0220 2.2.1)
 *     TERMS_CHANGED, flag    policy-violation
 *     SHUTDOWN               system-shutdown
 *
 *     AWAIT_CLOSE            behind the closing tag of an open stream on which
 *                            the peer sends (RFC 6120 4.4)
 *     ---------------------  ----------------------------------------------
 *     STANZA                 delivered, where its pair is open
 *     CLOSED, STREAM_ERROR   ended, as is any fault, and the deadline
 *     DISCONNECTED, OVERFLOW ended
 *     elements of the peer   ignored
 *     any other              has no meaning any more
 *
 * All other events are told in initiating.c and receiving.c. In PL_ENDED every
 * event is ignored.
 */
#include <assert.h>
#include <string.h>

#include "step.h"

void pl_stream_init(struct pl_stream_state *state, enum pl_role role)
{
	memset(state, 0, sizeof *state);
	state->role = (uint8_t)role;
	state->phase = PL_IDLE;
	state->stage = PL_STAGE_TCP;
}

static void awaits_close(struct pl_moment *m);

void pl_stream_step(const struct pl_terms *terms,
		    struct pl_stream_state *state,
		    const struct pl_stream_event *event,
		    struct pl_step *step)
{
	struct pl_moment m = { terms, state, event, step };

	memset(step, 0, sizeof *step);
	if (state->phase == PL_ENDED)
		return;
	if (state->phase == PL_AWAIT_CLOSE) {
		awaits_close(&m);
		return;
	}
	switch ((enum pl_role)state->role) {
	case PL_INITIATING:
		pl_initiating_step(&m);
		return;
	case PL_RECEIVING:
		pl_receiving_step(&m);
		return;
	}
	assert(!"no such role");
}

/* An initiating entity takes nothing back from a peer that its certificate did
 * not prove; it would not have asked, unless the verdict changed since. */
bool pl_stream_both_ways(const struct pl_stream_state *state)
{
	if (!state->bidi)
		return false;
	return state->role == PL_RECEIVING || !state->encrypted ||
	       state->certificate == PL_CERT_VALID;
}

bool pl_stream_holds(const struct pl_stream_state *state)
{
	switch ((enum pl_sm_phase)state->sm) {
	case PL_SM_OFFERED:
	case PL_SM_ASKED:
	case PL_SM_RESUMING:
		return true;
	case PL_SM_OFF:
	case PL_SM_ON:
		break;
	}
	return false;
}

bool pl_stream_takes_pairs(const struct pl_stream_state *state)
{
	if (state->role != PL_INITIATING || !state->has_id)
		return false;
	if (state->phase != PL_AWAIT_PAIRS && state->phase != PL_OPEN)
		return false;
	return (state->offered & PL_FEATURE_DIALBACK) ||
	       state->declares_dialback || !state->version_1;
}

void pl_step_add(struct pl_step *step, unsigned action)
{
	assert(step->count < PL_STEP_ACTIONS);
	step->actions[step->count++] = (uint8_t)action;
}

void pl_step_arm(struct pl_step *step, enum pl_deadline deadline)
{
	step->deadline = (uint8_t)deadline;
	pl_step_add(step, PL_DO_ARM);
}

/* -------------------------------------------------------------- ends */

static void note_end(struct pl_moment *m, struct pl_end end)
{
	m->step->code = (uint8_t)end.code;
	m->step->stage = (uint8_t)end.stage;
	m->step->side = (uint8_t)pl_code_entry(end.code)->side;
	m->step->next = (uint8_t)end.next;
	m->state->code = (uint8_t)end.code;
	m->state->stage = (uint8_t)end.stage;
}

static void end(struct pl_moment *m, struct pl_end end)
{
	note_end(m, end);
	m->state->phase = PL_ENDED;
	pl_step_add(m->step, PL_DO_END_PAIRS);
}

void pl_moment_error(struct pl_moment *m, enum pl_condition condition,
		     struct pl_end why)
{
	if (m->state->phase == PL_IDLE ||
	    m->state->phase == PL_AWAIT_HANDSHAKE) {
		pl_moment_abort(m, why);
		return;
	}
	if (!m->state->headers_sent)
		pl_step_add(m->step, PL_DO_SEND_HEADER);
	m->state->headers_sent = true;
	m->step->condition = (uint8_t)condition;
	pl_step_add(m->step, PL_DO_SEND_ERROR);
	pl_moment_close(m, why);
}

void pl_moment_close(struct pl_moment *m, struct pl_end why)
{
	if (m->state->headers_sent)
		pl_step_add(m->step, PL_DO_SEND_CLOSE);
	end(m, why);
	pl_step_add(m->step, PL_DO_CLOSE);
}

/* What the peer sends behind our closing tag is delivered, unless it counts: then
 * the peer knows what was not handled, and has it. */
static bool more_may_come(const struct pl_moment *m)
{
	return m->state->phase == PL_OPEN && m->state->sm != PL_SM_ON &&
	       (m->state->role == PL_RECEIVING ||
		pl_stream_both_ways(m->state));
}

/* By our closing tag, with a stream error before it (PL_COND_NONE: without); we
 * leave, and the peer did nothing wrong. */
static void leave(struct pl_moment *m, enum pl_condition condition,
		  struct pl_end why)
{
	if (!more_may_come(m)) {
		if (condition != PL_COND_NONE)
			pl_moment_error(m, condition, why);
		else
			pl_moment_close(m, why);
		return;
	}
	m->step->condition = (uint8_t)condition;
	if (condition != PL_COND_NONE)
		pl_step_add(m->step, PL_DO_SEND_ERROR);
	pl_step_add(m->step, PL_DO_SEND_CLOSE);
	note_end(m, why);
	m->state->phase = PL_AWAIT_CLOSE;
	pl_step_add(m->step, PL_DO_END_SENDING);
	pl_step_arm(m->step, PL_DEADLINE_CLOSE);
}

/* It is over: as it was said when we left. */
static void left(struct pl_moment *m, unsigned how)
{
	end(m, (struct pl_end){ m->state->code, m->state->stage,
				PL_NEXT_NONE });
	pl_step_add(m->step, how);
}

static void awaits_close(struct pl_moment *m)
{
	switch (m->event->kind) {
	case PL_EV_STANZA:
		pl_step_add(m->step, m->event->flag &&
				     m->event->addressing == PL_ADDRESS_OK
				     ? PL_DO_DELIVER : PL_DO_IGNORE);
		return;
	case PL_EV_STREAM_ERROR:
		m->step->cut = m->event->condition != PL_COND_SYSTEM_SHUTDOWN;
		left(m, PL_DO_CLOSE);
		return;
	case PL_EV_CLOSED:
	case PL_EV_DEADLINE:
	case PL_EV_FAULT:
	case PL_EV_BYTES_BEHIND:
	case PL_EV_HEADER:
	case PL_EV_HANDSHAKE_DONE:
	case PL_EV_HANDSHAKE_FAILED:
		left(m, PL_DO_CLOSE);
		return;
	case PL_EV_DISCONNECTED:
		left(m, m->event->flag ? PL_DO_ABORT : PL_DO_CLOSE);
		return;
	case PL_EV_OVERFLOW:
		left(m, PL_DO_ABORT);
		return;
	case PL_EV_FEATURES:
	case PL_EV_STARTTLS:
	case PL_EV_PROCEED:
	case PL_EV_STARTTLS_FAILURE:
	case PL_EV_AUTH:
	case PL_EV_CHALLENGE:
	case PL_EV_RESPONSE:
	case PL_EV_SASL_ABORT:
	case PL_EV_SASL_SUCCESS:
	case PL_EV_SASL_FAILURE:
	case PL_EV_DIALBACK:
	case PL_EV_BIDI:
	case PL_EV_SM:
	case PL_EV_UNEXPECTED:
		pl_step_add(m->step, PL_DO_IGNORE);
		return;
	case PL_EV_STARTED:
	case PL_EV_SASL_ACCEPTED:
	case PL_EV_SASL_CONTINUE:
	case PL_EV_SASL_REJECTED:
	case PL_EV_NEGOTIATION_DEADLINE:
	case PL_EV_IDLE:
	case PL_EV_PAIR_OPENED:
	case PL_EV_REPLACED:
	case PL_EV_PAIR_INVALID:
	case PL_EV_TERMS_CHANGED:
	case PL_EV_SHUTDOWN:
	case PL_EV_KINDS:
		return;
	}
}

/* Behind its error a peer takes nothing any more (RFC 6120 4.9.1.1); only one
 * that stops may still take what is under way. */
void pl_moment_heard_error(struct pl_moment *m, struct pl_end why)
{
	m->step->cut = m->state->phase == PL_OPEN &&
		       m->event->condition != PL_COND_SYSTEM_SHUTDOWN;
	pl_moment_close(m, why);
}

void pl_moment_abort(struct pl_moment *m, struct pl_end why)
{
	end(m, why);
	pl_step_add(m->step, PL_DO_ABORT);
}

void pl_moment_misplaced(struct pl_moment *m)
{
	pl_moment_error(m, PL_COND_UNSUPPORTED_STANZA_TYPE,
			(struct pl_end){ PL_CODE_PROTOCOL_VIOLATION,
					 m->state->stage, PL_NEXT_NONE });
}

void pl_moment_impossible(struct pl_moment *m)
{
	pl_moment_error(m, PL_COND_INTERNAL_SERVER_ERROR,
			(struct pl_end){ PL_CODE_INTERNAL, m->state->stage,
					 PL_NEXT_NONE });
}

void pl_moment_timeout(struct pl_moment *m, enum pl_code code,
		       enum pl_stage stage)
{
	pl_moment_error(m, PL_COND_CONNECTION_TIMEOUT,
			(struct pl_end){ code, stage, pl_moment_elsewhere(m) });
}

/* ------------------------------------------------ TLS and restarts */

void pl_moment_start_handshake(struct pl_moment *m)
{
	m->state->phase = PL_AWAIT_HANDSHAKE;
	m->state->stage = PL_STAGE_TLS;
	m->state->headers_sent = false;
	pl_step_add(m->step, PL_DO_START_HANDSHAKE);
	pl_step_arm(m->step, PL_DEADLINE_HANDSHAKE);
}

void pl_moment_restart(struct pl_moment *m)
{
	m->state->phase = PL_AWAIT_HEADER;
	m->state->stage = PL_STAGE_STREAM;
	m->state->offered = 0;
	m->state->version_1 = false;
	m->state->declares_dialback = false;
	m->state->has_id = false;
	m->state->headers_sent = false;
	pl_step_add(m->step, PL_DO_RESTART);
}

void pl_moment_under_tls(struct pl_moment *m)
{
	m->state->encrypted = true;
	m->state->certificate = (uint8_t)m->event->certificate;
	m->state->sasl_failures = 0;
	m->state->bidi = false;
	m->state->sm = PL_SM_OFF;
	pl_moment_restart(m);
}

static enum pl_code tls_code(const struct pl_moment *m)
{
	if (m->event->alert)
		return pl_terms_own_certificate_code(m->terms);
	switch (m->event->tls_failure) {
	case PL_TLS_CLOSED:
		return PL_CODE_TLS_CLOSED;
	case PL_TLS_VERSION:
		return PL_CODE_TLS_VERSION;
	case PL_TLS_NOT_SPOKEN:
		/* Behind <proceed/> the port is the right one. */
		return m->terms->direct_tls ? PL_CODE_TLS_NOT_SPOKEN
					    : PL_CODE_TLS_FAILED;
	case PL_TLS_ALERT_CERT:
		return pl_terms_own_certificate_code(m->terms);
	case PL_TLS_OTHER:
		break;
	}
	return PL_CODE_TLS_FAILED;
}

void pl_moment_handshake_failed(struct pl_moment *m, enum pl_next next)
{
	if (m->state->phase != PL_AWAIT_HANDSHAKE) {
		pl_moment_impossible(m);
		return;
	}
	pl_moment_abort(m, (struct pl_end){ tls_code(m), PL_STAGE_TLS, next });
}

void pl_moment_opened(struct pl_moment *m)
{
	m->state->phase = PL_OPEN;
	m->state->stage = PL_STAGE_ESTABLISHED;
	pl_step_add(m->step, PL_DO_RAISE_LIMITS);
	pl_step_add(m->step, PL_DO_DISARM);
	pl_step_add(m->step, PL_DO_DISARM_NEGOTIATION);
}

/* ------------------------------------------------------ common events */

struct fault_words {
	enum pl_condition condition;
	enum pl_code code;
};

static struct fault_words fault_words(enum pl_fault fault)
{
	switch (fault) {
	case PL_FAULT_NOT_WELL_FORMED:
		break;
	case PL_FAULT_RESTRICTED:
		return (struct fault_words){ PL_COND_RESTRICTED_XML,
					     PL_CODE_RESTRICTED_XML };
	case PL_FAULT_ENCODING:
		return (struct fault_words){ PL_COND_UNSUPPORTED_ENCODING,
					     PL_CODE_NOT_WELL_FORMED };
	case PL_FAULT_LIMIT:
		return (struct fault_words){ PL_COND_POLICY_VIOLATION,
					     PL_CODE_LIMIT_EXCEEDED };
	case PL_FAULT_NOT_XMPP:
		return (struct fault_words){ PL_COND_INVALID_NAMESPACE,
					     PL_CODE_NOT_XMPP };
	case PL_FAULT_NAMESPACE:
		return (struct fault_words){ PL_COND_INVALID_NAMESPACE,
					     PL_CODE_WRONG_NAMESPACE };
	case PL_FAULT_PREFIX:
		return (struct fault_words){ PL_COND_BAD_NAMESPACE_PREFIX,
					     PL_CODE_NOT_WELL_FORMED };
	case PL_FAULT_FORMAT:
		return (struct fault_words){ PL_COND_BAD_FORMAT,
					     PL_CODE_NOT_WELL_FORMED };
	}
	return (struct fault_words){ PL_COND_NOT_WELL_FORMED,
				     PL_CODE_NOT_WELL_FORMED };
}

void pl_moment_fault(struct pl_moment *m)
{
	struct fault_words words = fault_words(m->event->fault);

	pl_moment_error(m, words.condition,
			(struct pl_end){ words.code, m->state->stage,
					 pl_moment_elsewhere(m) });
}

/* A stanza whose addresses are none, not ours, or of no pair that is open. */
void pl_moment_refuse_stanza(struct pl_moment *m)
{
	enum pl_condition condition = PL_COND_INVALID_FROM;
	enum pl_code code = PL_CODE_PROTOCOL_VIOLATION;

	switch (m->event->addressing) {
	case PL_ADDRESS_MISSING:
		condition = PL_COND_IMPROPER_ADDRESSING;
		break;
	case PL_ADDRESS_TO_FOREIGN:
		condition = PL_COND_HOST_UNKNOWN;
		code = PL_CODE_HOST_UNKNOWN;
		break;
	case PL_ADDRESS_OK:
	case PL_ADDRESS_FROM_FOREIGN:
		break;
	}
	pl_moment_error(m, condition, (struct pl_end){ code, PL_STAGE_STANZA,
						       PL_NEXT_NONE });
}

/* ------------------------------------------------ stream management */

/* Where it is switched off its elements mean nothing; what is on already goes on
 * till the stream's end. */
bool pl_moment_without_sm(const struct pl_moment *m)
{
	return !m->terms->stream_management && m->state->sm == PL_SM_OFF;
}

/* What acknowledges more than was sent is a lie, and all it says is worth
 * nothing (XEP-0198 6). */
void pl_moment_acked_too_high(struct pl_moment *m)
{
	pl_moment_error(m, PL_COND_UNDEFINED_CONDITION,
			(struct pl_end){ PL_CODE_PROTOCOL_VIOLATION,
					 PL_STAGE_STANZA, PL_NEXT_NONE });
}

void pl_moment_refuse_sm(struct pl_moment *m, enum pl_stanza_condition why)
{
	m->step->stanza_condition = (uint8_t)why;
	pl_step_add(m->step, PL_DO_REFUSE_SM);
}

/* <r/> and <a/> are alike on both sides. */
void pl_moment_sm_count(struct pl_moment *m)
{
	if (m->state->sm != PL_SM_ON)
		pl_step_add(m->step, PL_DO_IGNORE);
	else if (m->event->sm == PL_SM_REQUEST)
		pl_step_add(m->step, PL_DO_SEND_ACK);
	else if (m->event->too_high)
		pl_moment_acked_too_high(m);
	else
		pl_step_add(m->step, PL_DO_ACKED);
}

/* The peer came back over another connection (XEP-0198 5). */
void pl_moment_replaced(struct pl_moment *m)
{
	pl_moment_error(m, PL_COND_CONFLICT,
			(struct pl_end){ PL_CODE_PEER_CLOSED, PL_STAGE_CLOSE,
					 PL_NEXT_NONE });
}

void pl_moment_bytes_behind(struct pl_moment *m)
{
	pl_moment_abort(m, (struct pl_end){ PL_CODE_PLAINTEXT_BEHIND_STARTTLS,
					    PL_STAGE_STARTTLS, PL_NEXT_NONE });
}

void pl_moment_overflow(struct pl_moment *m)
{
	pl_moment_abort(m, (struct pl_end){ PL_CODE_LIMIT_EXCEEDED,
					    m->state->stage,
					    pl_moment_elsewhere(m) });
}

/* Nobody is told of an idle stream but by its closing tag; a pair that still
 * waited (the shell should not call that idle) got no answer. */
void pl_moment_idle(struct pl_moment *m)
{
	if (m->state->phase == PL_OPEN ||
	    (m->state->phase == PL_AWAIT_PAIRS && m->terms->verify_only))
		leave(m, PL_COND_NONE, (struct pl_end){ PL_CODE_NONE,
							PL_STAGE_CLOSE,
							PL_NEXT_NONE });
	else if (m->state->phase == PL_AWAIT_PAIRS)
		pl_moment_close(m, (struct pl_end){ PL_CODE_DIALBACK_TIMEOUT,
						    PL_STAGE_DIALBACK,
						    PL_NEXT_NONE });
}

void pl_moment_pair_invalid(struct pl_moment *m)
{
	pl_moment_close(m, (struct pl_end){ m->event->code, PL_STAGE_DIALBACK,
					    PL_NEXT_NONE });
}

/* What is not authorised any more is not taken either. */
void pl_moment_terms_changed(struct pl_moment *m)
{
	struct pl_end why = { PL_CODE_SHUTDOWN, PL_STAGE_CLOSE,
			      m->state->role == PL_INITIATING
				      ? PL_NEXT_TARGET : PL_NEXT_NONE };

	if (!m->event->flag)
		return;
	if (m->event->stays)
		leave(m, PL_COND_POLICY_VIOLATION, why);
	else
		pl_moment_error(m, PL_COND_POLICY_VIOLATION, why);
}

void pl_moment_shutdown(struct pl_moment *m)
{
	leave(m, PL_COND_SYSTEM_SHUTDOWN,
	      (struct pl_end){ PL_CODE_SHUTDOWN, PL_STAGE_CLOSE,
			       PL_NEXT_NONE });
}

/* --------------------------------------------------------- questions */

enum pl_next pl_moment_elsewhere(const struct pl_moment *m)
{
	if (m->state->role == PL_RECEIVING ||
	    m->state->phase == PL_AWAIT_PAIRS || m->state->phase == PL_OPEN)
		return PL_NEXT_NONE;
	return PL_NEXT_TARGET;
}

bool pl_moment_allows(const struct pl_moment *m, enum pl_method method)
{
	return pl_policy_allows(&m->terms->policy, method);
}

bool pl_terms_certificate_final(const struct pl_terms *terms,
				enum pl_certificate verdict)
{
	if (verdict == PL_CERT_NONE || verdict == PL_CERT_VALID)
		return false;
	return terms->check == PL_CHECK_STRICT ||
	       terms->policy.sasl == PL_REQUIRED;
}

enum pl_code pl_terms_own_certificate_code(const struct pl_terms *terms)
{
	if (!terms->own_certificate)
		return PL_CODE_OWN_CERTIFICATE_MISSING;
	if (terms->own_expired)
		return PL_CODE_OWN_CERTIFICATE_EXPIRED;
	if (terms->own_no_client_purpose)
		return PL_CODE_OWN_CERTIFICATE_PURPOSE;
	return PL_CODE_OWN_CERTIFICATE_REJECTED;
}
