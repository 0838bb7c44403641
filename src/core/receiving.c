/*
 * The stream machine of the receiving entity.
 *
 *     phase             event            what follows
 *     ----------------  ---------------  ----------------------------------
 *     IDLE              STARTED          AWAIT_HEADER; direct TLS: handshake
 *     AWAIT_HANDSHAKE   HANDSHAKE_DONE   AWAIT_HEADER
 *                       HANDSHAKE_FAILED abort
 *     AWAIT_HEADER      HEADER           our header, then features, a stream
 *                                        error, or after SASL: OPEN
 *     AWAIT_CHOICE      STARTTLS         proceed, handshake; or failure
 *                       AUTH             AWAIT_ACCEPTANCE; or SASL failure
 *                       DIALBACK         to its pair, or the authority
 *                       BIDI             noted; ignored anywhere else
 *                       PAIR_OPENED      OPEN
 *     AWAIT_ACCEPTANCE  SASL_ACCEPTED    success, restart
 *                       SASL_CONTINUE    challenge, AWAIT_RESPONSE
 *                       SASL_REJECTED    SASL failure; final where the row
 *                                        leaves nothing else
 *     AWAIT_RESPONSE    RESPONSE         AWAIT_ACCEPTANCE
 *                       SASL_ABORT       SASL failure, AWAIT_CHOICE
 *     OPEN              STANZA           delivered, or the stream error that
 *                                        fits its addresses
 *                       DIALBACK         to its pair, or the authority
 *                       SM               enabled, resumed or refused; counted
 *     any but OPEN      STANZA           not-authorized
 *                       SM               refused
 *     any               dialback answer  ignored: this stream never asked
 *                       STREAM_ERROR, CLOSED, DISCONNECTED: see why_error()
 *                       DEADLINE, NEGOTIATION_DEADLINE: the code of the phase
 *
 * Any other event in any other phase is the peer's fault (stream error
 * unsupported-stanza-type) or our shell's (internal). A late word of the SASL
 * library, whose exchange was given up, is ignored.
 */
#include "step.h"

enum { SASL_FAILURE_LIMIT = 3 };

/* ------------------------------------------------------------- header */

static void refuse(struct pl_moment *m, enum pl_condition condition,
		   enum pl_code code, enum pl_stage stage)
{
	pl_moment_error(m, condition,
			(struct pl_end){ code, stage, PL_NEXT_NONE });
}

/* What is wrong with the header itself; true when the stream ended of it. */
static bool refuse_header(struct pl_moment *m)
{
	const struct pl_header_facts *h = &m->event->header;
	const enum pl_stage stage = PL_STAGE_STREAM;

	if (h->malformed_address)
		refuse(m, PL_COND_IMPROPER_ADDRESSING,
		       PL_CODE_PROTOCOL_VIOLATION, stage);
	else if (h->from_local)
		refuse(m, PL_COND_INVALID_FROM, PL_CODE_FROM_LOCAL, stage);
	else if (h->to_present && !h->to_hosted)
		refuse(m, PL_COND_HOST_UNKNOWN, PL_CODE_HOST_UNKNOWN, stage);
	else if (h->from_present && !m->terms->partner_known)
		refuse(m, PL_COND_POLICY_VIOLATION, PL_CODE_PARTNER_UNKNOWN,
		       PL_STAGE_POLICY);
	else if (h->over_limit)
		refuse(m, PL_COND_RESOURCE_CONSTRAINT,
		       PL_CODE_CONNECTION_LIMIT, PL_STAGE_POLICY);
	else if (m->state->authenticated && h->identity_changed)
		refuse(m, PL_COND_INVALID_FROM, PL_CODE_PROTOCOL_VIOLATION,
		       stage);
	else if (!h->to_present && h->version_1)
		refuse(m, PL_COND_IMPROPER_ADDRESSING,
		       PL_CODE_PROTOCOL_VIOLATION, stage);
	else if (h->from_present && !pl_policy_valid(&m->terms->policy))
		refuse(m, PL_COND_POLICY_VIOLATION, PL_CODE_ROW_NOT_VALID,
		       PL_STAGE_POLICY);
	return m->state->phase == PL_ENDED;
}

/* Before TLS. Without a `from` the partner is not known yet: starttls only,
 * while dialback works by its own addresses (design: P3, P12). */
static unsigned features_in_clear(const struct pl_moment *m)
{
	bool dialback = pl_moment_allows(m, PL_METHOD_TCP_DIALBACK);
	unsigned features = 0;

	if (m->terms->policy.tls != PL_NOT_SUPPORTED &&
	    m->terms->own_certificate) {
		features |= PL_FEATURE_STARTTLS;
		if (!dialback)
			features |= PL_FEATURE_STARTTLS_REQUIRED;
	}
	if (dialback && m->event->header.from_present) {
		features |= PL_FEATURE_DIALBACK | PL_FEATURE_DIALBACK_ERRORS;
		if (m->terms->bidi)
			features |= PL_FEATURE_BIDI;
	}
	return features;
}

static unsigned features_under_tls(const struct pl_moment *m)
{
	unsigned features = 0;

	if (m->event->header.from_present && !m->state->authenticated &&
	    m->state->certificate == PL_CERT_VALID &&
	    pl_moment_allows(m, PL_METHOD_SASL_OVER_TLS))
		features |= PL_FEATURE_EXTERNAL;
	if (pl_moment_allows(m, PL_METHOD_TLS_DIALBACK))
		features |= PL_FEATURE_DIALBACK | PL_FEATURE_DIALBACK_ERRORS;
	return features;
}

static void send_features(struct pl_moment *m, unsigned features)
{
	m->state->offered = (uint8_t)features;
	m->step->features = (uint8_t)features;
	pl_step_add(m->step, PL_DO_SEND_FEATURES);
}

static void await_choice(struct pl_moment *m)
{
	m->state->phase = PL_AWAIT_CHOICE;
	m->state->stage = PL_STAGE_FEATURES;
	pl_step_add(m->step, PL_DO_DISARM);
}

/* Why nothing can be offered under TLS (design: P4). */
static void refuse_under_tls(struct pl_moment *m)
{
	enum pl_code code = pl_certificate_code(m->state->certificate);
	enum pl_stage stage = PL_STAGE_SASL;

	if (m->terms->policy.tls == PL_NOT_SUPPORTED)
		code = PL_CODE_PEER_REQUIRES_TLS;
	else if (m->state->certificate == PL_CERT_VALID)
		code = PL_CODE_DIALBACK_NOT_ALLOWED; /* too old for SASL */
	if (code == PL_CODE_PEER_REQUIRES_TLS ||
	    code == PL_CODE_DIALBACK_NOT_ALLOWED)
		stage = PL_STAGE_FEATURES;
	refuse(m, PL_COND_NOT_AUTHORIZED, code, stage);
}

static void answer_under_tls(struct pl_moment *m)
{
	unsigned features = features_under_tls(m);
	const unsigned usable = m->state->version_1 ? features
				: features & ~(unsigned)PL_FEATURE_EXTERNAL;
	bool judged = m->event->header.from_present;

	if (judged && (!usable || pl_terms_certificate_final(
					  m->terms, m->state->certificate))) {
		refuse_under_tls(m);
		return;
	}
	if (judged && m->terms->bidi)
		features |= PL_FEATURE_BIDI;
	if (m->state->version_1)
		send_features(m, features);
	await_choice(m);
}

static void answer_in_clear(struct pl_moment *m)
{
	unsigned features = features_in_clear(m);

	if (!m->state->version_1) {
		await_choice(m);
		return;
	}
	if (m->event->header.from_present && !features) {
		/* The row needs TLS, for which we have no certificate. */
		refuse(m, PL_COND_POLICY_VIOLATION,
		       PL_CODE_OWN_CERTIFICATE_MISSING, PL_STAGE_FEATURES);
		return;
	}
	send_features(m, features);
	await_choice(m);
}

/* The peer may send its first stanza right behind this header: outcome and
 * limits come in the same step. */
static void answer_authenticated(struct pl_moment *m)
{
	unsigned features = features_under_tls(m);

	if (m->terms->stream_management)
		features |= PL_FEATURE_SM;
	if (m->state->version_1)
		send_features(m, features);
	/* What goes back on a bidi stream is counted from the first one on. */
	if (m->state->bidi && (m->state->offered & PL_FEATURE_SM))
		m->state->sm = PL_SM_OFFERED;
	pl_step_add(m->step, PL_DO_AUTHENTICATED);
	pl_moment_opened(m);
	if (m->state->sm == PL_SM_OFFERED)
		pl_step_arm(m->step, PL_DEADLINE_SM_OFFER);
}

static void on_header(struct pl_moment *m)
{
	if (m->state->phase != PL_AWAIT_HEADER) {
		pl_moment_misplaced(m);
		return;
	}
	m->state->version_1 = m->event->header.version_1;
	m->state->declares_dialback = m->event->header.declares_dialback;
	if (m->state->encrypted)
		m->state->certificate = (uint8_t)m->event->certificate;
	m->state->headers_sent = true;
	pl_step_add(m->step, m->state->version_1 ? PL_DO_SEND_HEADER
						 : PL_DO_SEND_HEADER_OLD);
	if (refuse_header(m))
		return;
	if (m->state->authenticated)
		answer_authenticated(m);
	else if (m->state->encrypted)
		answer_under_tls(m);
	else
		answer_in_clear(m);
}

/* --------------------------------------------------------------- TLS */

static void await_header(struct pl_moment *m)
{
	m->state->phase = PL_AWAIT_HEADER;
	m->state->stage = PL_STAGE_STREAM;
	pl_step_arm(m->step, PL_DEADLINE_HEADER);
}

static void on_started(struct pl_moment *m)
{
	if (m->state->phase != PL_IDLE)
		pl_moment_impossible(m);
	else if (m->terms->direct_tls)
		pl_moment_start_handshake(m);
	else
		await_header(m);
}

static void on_handshake_done(struct pl_moment *m)
{
	if (m->state->phase != PL_AWAIT_HANDSHAKE) {
		pl_moment_impossible(m);
		return;
	}
	pl_moment_under_tls(m);
	await_header(m);
}

/* STARTTLS that was not offered, or that would let the answer to a db:result
 * fall into the handshake (RFC 6120 5.4.2.2). */
static void refuse_starttls(struct pl_moment *m)
{
	enum pl_code code = PL_CODE_TLS_FAILED;

	if (!m->state->encrypted && m->terms->policy.tls == PL_NOT_SUPPORTED)
		code = PL_CODE_PEER_REQUIRES_TLS;
	else if (!m->state->encrypted && !m->terms->own_certificate)
		code = PL_CODE_OWN_CERTIFICATE_MISSING;
	pl_step_add(m->step, PL_DO_SEND_TLS_FAILURE);
	pl_moment_close(m, (struct pl_end){ code, PL_STAGE_STARTTLS,
					    PL_NEXT_NONE });
}

static void on_starttls(struct pl_moment *m)
{
	if (!m->state->headers_sent) {
		pl_moment_misplaced(m);
		return;
	}
	if (m->state->phase != PL_AWAIT_CHOICE || m->state->encrypted ||
	    !(m->state->offered & PL_FEATURE_STARTTLS) ||
	    m->event->pairs_pending) {
		refuse_starttls(m);
		return;
	}
	pl_step_add(m->step, PL_DO_SEND_PROCEED);
	pl_moment_start_handshake(m);
}

/* -------------------------------------------------------------- SASL */

static bool in_exchange(const struct pl_stream_state *state)
{
	return state->phase == PL_AWAIT_RESPONSE ||
	       state->phase == PL_AWAIT_ACCEPTANCE;
}

/* <auth/> and its like make sense only behind our header. */
static bool takes_sasl(const struct pl_stream_state *state)
{
	return state->phase == PL_AWAIT_CHOICE || in_exchange(state) ||
	       state->phase == PL_OPEN;
}

/* Answers one failed attempt; the last of too many ends the stream. */
static void fail_sasl(struct pl_moment *m, enum pl_sasl_condition condition)
{
	m->state->sasl_failures++;
	m->step->sasl = (uint8_t)condition;
	pl_step_add(m->step, PL_DO_SEND_SASL_FAILURE);
	if (m->state->sasl_failures >= SASL_FAILURE_LIMIT) {
		refuse(m, PL_COND_POLICY_VIOLATION, PL_CODE_SASL_REFUSED,
		       PL_STAGE_SASL);
		return;
	}
	if (in_exchange(m->state)) {
		m->state->phase = PL_AWAIT_CHOICE;
		pl_step_add(m->step, PL_DO_DISARM);
	}
}

static void on_auth(struct pl_moment *m)
{
	const struct pl_stream_state *state = m->state;

	if (!takes_sasl(state)) {
		pl_moment_misplaced(m);
	} else if (!state->encrypted) {
		fail_sasl(m, PL_SASL_ENCRYPTION_REQUIRED);
	} else if (state->phase == PL_OPEN) {
		fail_sasl(m, PL_SASL_NOT_AUTHORIZED);
	} else if (!m->event->flag) {
		fail_sasl(m, PL_SASL_INVALID_MECHANISM);
	} else if (!(state->offered & PL_FEATURE_EXTERNAL) ||
		   m->event->pairs_pending) {
		fail_sasl(m, PL_SASL_NOT_AUTHORIZED);
	} else {
		/* A second <auth/> discards the first (RFC 6120 6.4.2). */
		m->state->phase = PL_AWAIT_ACCEPTANCE;
		m->state->stage = PL_STAGE_SASL;
		pl_step_add(m->step, PL_DO_START_SASL);
	}
}

static void on_response(struct pl_moment *m)
{
	if (!takes_sasl(m->state)) {
		pl_moment_misplaced(m);
	} else if (m->state->phase != PL_AWAIT_RESPONSE) {
		fail_sasl(m, PL_SASL_MALFORMED_REQUEST);
	} else {
		m->state->phase = PL_AWAIT_ACCEPTANCE;
		pl_step_add(m->step, PL_DO_CONTINUE_SASL);
	}
}

static void on_sasl_abort(struct pl_moment *m)
{
	if (!takes_sasl(m->state))
		pl_moment_misplaced(m);
	else
		fail_sasl(m, PL_SASL_ABORTED);
}

static void on_sasl_accepted(struct pl_moment *m)
{
	if (m->state->phase != PL_AWAIT_ACCEPTANCE)
		return;
	m->state->authenticated = true;
	pl_step_add(m->step, PL_DO_SEND_SUCCESS);
	pl_moment_restart(m);
	await_header(m);
}

static void on_sasl_continue(struct pl_moment *m)
{
	if (m->state->phase != PL_AWAIT_ACCEPTANCE)
		return;
	m->state->phase = PL_AWAIT_RESPONSE;
	pl_step_add(m->step, PL_DO_SEND_CHALLENGE);
	pl_step_arm(m->step, PL_DEADLINE_SASL);
}

/* Final where the row wants SASL or has nothing else (design: P1). */
static void on_sasl_rejected(struct pl_moment *m)
{
	enum pl_sasl_condition condition = m->event->sasl;

	if (m->state->phase != PL_AWAIT_ACCEPTANCE)
		return;
	if (m->terms->policy.sasl != PL_REQUIRED &&
	    pl_moment_allows(m, PL_METHOD_TLS_DIALBACK)) {
		fail_sasl(m, condition);
		return;
	}
	m->state->sasl_failures++;
	m->step->sasl = (uint8_t)condition;
	pl_step_add(m->step, PL_DO_SEND_SASL_FAILURE);
	pl_moment_close(m, (struct pl_end){
		condition == PL_SASL_INVALID_AUTHZID ? PL_CODE_INVALID_AUTHZID
						     : PL_CODE_SASL_REFUSED,
		PL_STAGE_SASL, PL_NEXT_NONE });
}

/* --------------------------------------------------- pairs, stanzas */

static void on_dialback(struct pl_moment *m)
{
	bool result = m->event->dialback == PL_DB_RESULT_REQUEST;
	bool request = result || m->event->dialback == PL_DB_VERIFY_REQUEST;

	if (!request) {
		pl_step_add(m->step, PL_DO_IGNORE);
		return;
	}
	if (!takes_sasl(m->state) && m->state->phase != PL_AWAIT_PAIRS) {
		pl_moment_misplaced(m);
		return;
	}
	if (in_exchange(m->state)) {
		m->state->phase = PL_AWAIT_CHOICE; /* SASL is given up */
		pl_step_add(m->step, PL_DO_DISARM);
	}
	if (result) {
		m->state->dialback_seen = true;
		if (m->state->phase != PL_OPEN)
			m->state->stage = PL_STAGE_DIALBACK;
	} else {
		m->state->verify_served = true;
	}
	pl_step_add(m->step, PL_DO_PAIR);
}

/* Asked for once, before anything authenticates; TLS makes us forget it. At
 * any other time it has no meaning (XEP-0288 2.1, 2.2). */
static void on_bidi(struct pl_moment *m)
{
	struct pl_stream_state *state = m->state;

	if (!state->headers_sent)
		pl_moment_misplaced(m);
	else if (state->phase == PL_AWAIT_CHOICE && !state->dialback_seen &&
		 (state->offered & PL_FEATURE_BIDI) && !state->bidi)
		state->bidi = true;
	else
		pl_step_add(m->step, PL_DO_IGNORE);
}

/* ------------------------------------------------ stream management */

static bool may_ask_for_sm(const struct pl_stream_state *state)
{
	return state->phase == PL_OPEN && state->authenticated &&
	       (state->offered & PL_FEATURE_SM) && state->sm != PL_SM_ON;
}

static void on_enable(struct pl_moment *m)
{
	if (!may_ask_for_sm(m->state)) {
		pl_moment_refuse_sm(m, PL_SC_UNEXPECTED_REQUEST);
		return;
	}
	m->state->sm = PL_SM_ON;
	pl_step_add(m->step, PL_DO_ENABLE_SM);
}

/* A refusal leaves <enable/> possible (XEP-0198 5). */
static void on_resume(struct pl_moment *m)
{
	if (!may_ask_for_sm(m->state))
		pl_moment_refuse_sm(m, PL_SC_UNEXPECTED_REQUEST);
	else if (!m->event->flag)
		pl_moment_refuse_sm(m, PL_SC_ITEM_NOT_FOUND);
	else if (m->event->too_high)
		pl_moment_acked_too_high(m);
	else {
		m->state->sm = PL_SM_ON;
		pl_step_add(m->step, PL_DO_RESUME_SM);
	}
}

static void on_sm(struct pl_moment *m)
{
	if (!takes_sasl(m->state) || pl_moment_without_sm(m)) {
		pl_moment_misplaced(m);
		return;
	}
	switch (m->event->sm) {
	case PL_SM_ENABLE:
		on_enable(m);
		return;
	case PL_SM_RESUME:
		on_resume(m);
		return;
	case PL_SM_REQUEST:
	case PL_SM_ACK:
		pl_moment_sm_count(m);
		return;
	case PL_SM_ENABLED:
	case PL_SM_RESUMED:
	case PL_SM_FAILED:
		pl_moment_misplaced(m);
		return;
	}
}

/* The peer begins without it, and may still ask later. */
static void go_on_without_sm(struct pl_moment *m)
{
	if (m->state->sm == PL_SM_OFFERED)
		m->state->sm = PL_SM_OFF;
}

static void refuse_stanza_early(struct pl_moment *m)
{
	if (!m->state->encrypted && m->state->headers_sent &&
	    !pl_moment_allows(m, PL_METHOD_TCP_DIALBACK))
		refuse(m, PL_COND_POLICY_VIOLATION, PL_CODE_TLS_NOT_OFFERED,
		       PL_STAGE_FEATURES);
	else
		refuse(m, PL_COND_NOT_AUTHORIZED, PL_CODE_PROTOCOL_VIOLATION,
		       PL_STAGE_STANZA);
}

static void on_stanza(struct pl_moment *m)
{
	if (m->state->phase != PL_OPEN)
		refuse_stanza_early(m);
	else if (!m->event->flag || m->event->addressing != PL_ADDRESS_OK)
		pl_moment_refuse_stanza(m);
	else {
		go_on_without_sm(m);
		pl_step_add(m->step, PL_DO_DELIVER);
	}
}

/* While a new document awaits its header the pair may carry stanzas only after
 * it; whatever opens the stream then comes with that header. */
static void on_pair_opened(struct pl_moment *m)
{
	if (m->state->phase == PL_AWAIT_CHOICE || in_exchange(m->state) ||
	    m->state->phase == PL_AWAIT_PAIRS)
		pl_moment_opened(m);
}

/* --------------------------------------------------- the peer's ends */

/* Why a peer of ours gave up after our features in clear. */
static enum pl_code gave_up_in_clear(const struct pl_moment *m)
{
	if (!pl_moment_allows(m, PL_METHOD_TCP_DIALBACK))
		return PL_CODE_TLS_NOT_OFFERED;
	if (m->terms->policy.tls == PL_NOT_SUPPORTED)
		return PL_CODE_PEER_REQUIRES_TLS;
	if (!m->terms->own_certificate)
		return PL_CODE_OWN_CERTIFICATE_MISSING;
	return PL_CODE_PEER_STREAM_ERROR;
}

/* ... and after those under TLS. */
static enum pl_code gave_up_under_tls(const struct pl_moment *m)
{
	bool external = m->state->offered & PL_FEATURE_EXTERNAL;
	bool dialback = m->state->offered & PL_FEATURE_DIALBACK;

	if (external)
		return dialback ? PL_CODE_PEER_STREAM_ERROR
				: PL_CODE_DIALBACK_NOT_ALLOWED;
	if (!pl_moment_allows(m, PL_METHOD_SASL_OVER_TLS))
		return PL_CODE_PEER_REQUIRES_SASL;
	if (m->state->certificate != PL_CERT_VALID)
		return pl_certificate_code(m->state->certificate);
	return PL_CODE_PEER_STREAM_ERROR;
}

static bool sasl_was_refused(const struct pl_stream_state *state)
{
	return state->sasl_failures > 0 && !state->authenticated;
}

static enum pl_code why_error(const struct pl_moment *m)
{
	const struct pl_stream_state *state = m->state;
	enum pl_condition condition = m->event->condition;
	bool untried = state->phase == PL_AWAIT_CHOICE &&
		       !state->dialback_seen && !state->sasl_failures;
	bool unsuited = condition == PL_COND_POLICY_VIOLATION ||
			condition == PL_COND_UNSUPPORTED_FEATURE;

	if (untried && unsuited)
		return state->encrypted ? gave_up_under_tls(m)
					: gave_up_in_clear(m);
	if (untried && state->encrypted && condition == PL_COND_NOT_AUTHORIZED)
		return pl_terms_own_certificate_code(m->terms);
	if (!state->encrypted && unsuited && state->phase == PL_AWAIT_CHOICE &&
	    !pl_moment_allows(m, PL_METHOD_TCP_DIALBACK))
		return PL_CODE_TLS_NOT_OFFERED;
	return PL_CODE_PEER_STREAM_ERROR;
}

static struct pl_end gone_end(const struct pl_moment *m)
{
	struct pl_end end = { PL_CODE_PEER_CLOSED, m->state->stage,
			      PL_NEXT_NONE };

	if (m->event->alert && m->state->encrypted &&
	    m->state->phase != PL_OPEN) {
		end.code = pl_terms_own_certificate_code(m->terms);
		end.stage = PL_STAGE_TLS;
	} else if (m->state->phase == PL_AWAIT_HANDSHAKE) {
		end.code = PL_CODE_TLS_CLOSED;
	} else if (m->state->phase == PL_AWAIT_CHOICE &&
		   sasl_was_refused(m->state)) {
		end.code = PL_CODE_SASL_REFUSED;
		end.stage = PL_STAGE_SASL;
	}
	return end;
}

static void on_stream_error(struct pl_moment *m)
{
	enum pl_code code = why_error(m);
	enum pl_stage stage = code == PL_CODE_PEER_STREAM_ERROR
				      ? m->state->stage
				      : pl_code_entry(code)->stage;

	pl_moment_heard_error(m, (struct pl_end){ code, stage, PL_NEXT_NONE });
}

static void on_closed(struct pl_moment *m)
{
	pl_moment_close(m, gone_end(m));
}

static void on_disconnected(struct pl_moment *m)
{
	pl_moment_abort(m, gone_end(m));
}

/* --------------------------------------------------------- deadlines */

static void on_deadline(struct pl_moment *m)
{
	switch ((enum pl_stream_phase)m->state->phase) {
	case PL_AWAIT_HANDSHAKE:
		pl_moment_timeout(m, PL_CODE_TLS_TIMEOUT, PL_STAGE_TLS);
		return;
	case PL_AWAIT_HEADER:
		pl_moment_timeout(m, PL_CODE_HEADER_TIMEOUT, PL_STAGE_STREAM);
		return;
	case PL_AWAIT_RESPONSE:
		pl_moment_timeout(m, PL_CODE_NEGOTIATION_TIMEOUT,
				  PL_STAGE_SASL);
		return;
	case PL_OPEN:
		go_on_without_sm(m);
		return;
	case PL_IDLE:
	case PL_AWAIT_FEATURES:
	case PL_AWAIT_PROCEED:
	case PL_AWAIT_SASL:
	case PL_AWAIT_CHOICE:
	case PL_AWAIT_ACCEPTANCE:
	case PL_AWAIT_PAIRS:
	case PL_AWAIT_CLOSE:
	case PL_ENDED:
		return;
	}
}

static void on_negotiation_deadline(struct pl_moment *m)
{
	if (m->state->phase != PL_OPEN)
		pl_moment_timeout(m, PL_CODE_NEGOTIATION_TIMEOUT,
				  m->state->stage);
}

void pl_receiving_step(struct pl_moment *m)
{
	switch (m->event->kind) {
	case PL_EV_STARTED:
		on_started(m);
		return;
	case PL_EV_HANDSHAKE_DONE:
		on_handshake_done(m);
		return;
	case PL_EV_HANDSHAKE_FAILED:
		pl_moment_handshake_failed(m, PL_NEXT_NONE);
		return;
	case PL_EV_HEADER:
		on_header(m);
		return;
	case PL_EV_STARTTLS:
		on_starttls(m);
		return;
	case PL_EV_AUTH:
		on_auth(m);
		return;
	case PL_EV_RESPONSE:
		on_response(m);
		return;
	case PL_EV_SASL_ABORT:
		on_sasl_abort(m);
		return;
	case PL_EV_SASL_ACCEPTED:
		on_sasl_accepted(m);
		return;
	case PL_EV_SASL_CONTINUE:
		on_sasl_continue(m);
		return;
	case PL_EV_SASL_REJECTED:
		on_sasl_rejected(m);
		return;
	case PL_EV_DIALBACK:
		on_dialback(m);
		return;
	case PL_EV_BIDI:
		on_bidi(m);
		return;
	case PL_EV_SM:
		on_sm(m);
		return;
	case PL_EV_STANZA:
		on_stanza(m);
		return;
	case PL_EV_FEATURES:
	case PL_EV_PROCEED:
	case PL_EV_STARTTLS_FAILURE:
	case PL_EV_CHALLENGE:
	case PL_EV_SASL_SUCCESS:
	case PL_EV_SASL_FAILURE:
	case PL_EV_UNEXPECTED:
		pl_moment_misplaced(m);
		return;
	case PL_EV_KINDS:
		pl_moment_impossible(m);
		return;
	case PL_EV_FAULT:
		pl_moment_fault(m);
		return;
	case PL_EV_BYTES_BEHIND:
		pl_moment_bytes_behind(m);
		return;
	case PL_EV_STREAM_ERROR:
		on_stream_error(m);
		return;
	case PL_EV_CLOSED:
		on_closed(m);
		return;
	case PL_EV_DISCONNECTED:
		on_disconnected(m);
		return;
	case PL_EV_OVERFLOW:
		pl_moment_overflow(m);
		return;
	case PL_EV_DEADLINE:
		on_deadline(m);
		return;
	case PL_EV_NEGOTIATION_DEADLINE:
		on_negotiation_deadline(m);
		return;
	case PL_EV_IDLE:
		pl_moment_idle(m);
		return;
	case PL_EV_PAIR_OPENED:
		on_pair_opened(m);
		return;
	case PL_EV_REPLACED:
		pl_moment_replaced(m);
		return;
	case PL_EV_PAIR_INVALID:
		pl_moment_pair_invalid(m);
		return;
	case PL_EV_TERMS_CHANGED:
		pl_moment_terms_changed(m);
		return;
	case PL_EV_SHUTDOWN:
		pl_moment_shutdown(m);
		return;
	}
}
