/*
 * The stream machine of the initiating entity.
 *
 *     phase            event              what follows
 *     ---------------  -----------------  ---------------------------------
 *     IDLE             STARTED            our header; direct TLS: handshake
 *     AWAIT_HANDSHAKE  HANDSHAKE_DONE     our header, or not-authorized where
 *                                         the certificate is bad and final
 *                      HANDSHAKE_FAILED   abort; perhaps once more in clear
 *     AWAIT_HEADER     HEADER             1.0: AWAIT_FEATURES; else choose;
 *                                         after SASL: OPEN
 *     AWAIT_FEATURES   FEATURES           choose; after SASL: OPEN
 *     AWAIT_PROCEED    PROCEED            handshake
 *                      STARTTLS_FAILURE   close
 *     AWAIT_SASL       CHALLENGE          response
 *                      SASL_SUCCESS       restart, our header
 *                      SASL_FAILURE       dialback, or close
 *     AWAIT_PAIRS      DIALBACK, answer   to its pair
 *                      PAIR_OPENED        OPEN
 *     OPEN             DIALBACK, answer   to its pair
 *     OPEN             STANZA             on a bidi stream: delivered, or the
 *                                         stream error that fits
 *                      SM                 what became of our <enable/> or
 *                                         <resume/>; counted
 *     any              STANZA             not-authorized: this stream carries
 *                                         stanzas one way only
 *                      BIDI               ignored: only the other side asks
 *                      DIALBACK else      ignored (XEP-0220 2.2)
 *                      STREAM_ERROR, CLOSED, DISCONNECTED: see why_ended()
 *                      DEADLINE, NEGOTIATION_DEADLINE: the code of the phase
 *
 * choose: STARTTLS where it is offered and allowed, or not offered and needed;
 * then EXTERNAL, then dialback, as row and offer permit; else the end, with the
 * code that names what was missing. Any other event in any other phase is the
 * peer's fault (unsupported-stanza-type) or our shell's (internal).
 */
#include "step.h"

/* ----------------------------------------------------------- choosing */

/* A retry in clear, which the partner's settings must allow still. */
static bool only_in_clear(const struct pl_terms *terms)
{
	return terms->tls_given_up && terms->plaintext_retry &&
	       pl_policy_allows(&terms->policy, PL_METHOD_TCP_DIALBACK);
}

bool pl_terms_may_start_tls(const struct pl_terms *terms)
{
	return terms->policy.tls != PL_NOT_SUPPORTED && !only_in_clear(terms);
}

bool pl_terms_must_start_tls(const struct pl_terms *terms)
{
	if (terms->policy.tls != PL_REQUIRED)
		return false;
	return !terms->verify_only || terms->verify_requires_tls;
}

bool pl_state_offers_dialback(const struct pl_stream_state *state)
{
	return (state->offered & PL_FEATURE_DIALBACK) ||
	       state->declares_dialback || !state->version_1;
}

static void give_up(struct pl_moment *m, enum pl_condition condition,
		    enum pl_code code)
{
	pl_moment_error(m, condition,
			(struct pl_end){ code, PL_STAGE_FEATURES,
					 PL_NEXT_NONE });
}

/* The peer does not offer what our row needs. Where it insists on something
 * that we do not know, that is the better thing to say (RFC 6120 4.9.3.23). */
static void give_up_unoffered(struct pl_moment *m, enum pl_code code)
{
	give_up(m, m->state->offered & PL_FEATURE_UNKNOWN_REQUIRED
			   ? PL_COND_UNSUPPORTED_FEATURE
			   : PL_COND_POLICY_VIOLATION, code);
}

/*
 * Asks for both ways, right before what authenticates us (XEP-0288 2.2). Stanzas
 * that come back are as good as the proof of who the peer is: a certificate
 * that did not verify is none, while a row that does without TLS relies on DNS
 * in either direction.
 */
static void ask_for_bidi(struct pl_moment *m)
{
	const struct pl_stream_state *state = m->state;

	if (!m->terms->bidi || m->terms->verify_only || state->bidi ||
	    !(state->offered & PL_FEATURE_BIDI) ||
	    (state->encrypted && state->certificate != PL_CERT_VALID))
		return;
	m->state->bidi = true;
	pl_step_add(m->step, PL_DO_SEND_BIDI);
}

static void start_pairs(struct pl_moment *m)
{
	if (!m->state->has_id && !m->terms->verify_only) {
		/* No id, no key (XEP-0220 2.1.1). */
		pl_moment_error(m, PL_COND_UNDEFINED_CONDITION,
				(struct pl_end){ PL_CODE_NOT_XMPP,
						 PL_STAGE_STREAM,
						 PL_NEXT_TARGET });
		return;
	}
	ask_for_bidi(m);
	m->state->phase = PL_AWAIT_PAIRS;
	m->state->stage = PL_STAGE_DIALBACK;
	pl_step_add(m->step, PL_DO_DISARM);
	pl_step_add(m->step, PL_DO_START_PAIRS);
}

static void send_starttls(struct pl_moment *m, bool offered)
{
	m->state->starttls_unoffered = !offered;
	m->state->phase = PL_AWAIT_PROCEED;
	m->state->stage = offered ? PL_STAGE_STARTTLS : PL_STAGE_FEATURES;
	pl_step_add(m->step, PL_DO_SEND_STARTTLS);
	pl_step_arm(m->step, offered ? PL_DEADLINE_PROCEED
				     : PL_DEADLINE_PROCEED_UNOFFERED);
}

static void choose_in_clear(struct pl_moment *m)
{
	unsigned offered = m->state->offered;
	bool tls = pl_terms_may_start_tls(m->terms);

	if (tls && (offered & PL_FEATURE_STARTTLS))
		send_starttls(m, true);
	else if (tls && pl_terms_must_start_tls(m->terms))
		send_starttls(m, false);
	else if (m->terms->verify_only)
		start_pairs(m);
	else if (offered & PL_FEATURE_STARTTLS_REQUIRED)
		give_up(m, PL_COND_UNSUPPORTED_FEATURE,
			PL_CODE_PEER_REQUIRES_TLS);
	else if (!pl_moment_allows(m, PL_METHOD_TCP_DIALBACK))
		give_up_unoffered(m, PL_CODE_TLS_NOT_OFFERED);
	else if (!pl_state_offers_dialback(m->state))
		give_up_unoffered(m, PL_CODE_DIALBACK_NOT_OFFERED);
	else
		start_pairs(m);
}

static bool may_send_auth(const struct pl_moment *m)
{
	return (m->state->offered & PL_FEATURE_EXTERNAL) &&
	       pl_moment_allows(m, PL_METHOD_SASL_OVER_TLS) &&
	       m->terms->own_certificate && !m->terms->sasl_given_up &&
	       m->state->certificate == PL_CERT_VALID;
}

static void send_auth(struct pl_moment *m)
{
	ask_for_bidi(m);
	m->state->phase = PL_AWAIT_SASL;
	m->state->stage = PL_STAGE_SASL;
	pl_step_add(m->step, PL_DO_SEND_AUTH);
	pl_step_arm(m->step, PL_DEADLINE_SASL);
}

/* The peer offers EXTERNAL and nothing else that we may take. */
static void give_up_external(struct pl_moment *m)
{
	if (!pl_moment_allows(m, PL_METHOD_SASL_OVER_TLS))
		give_up(m, PL_COND_UNSUPPORTED_FEATURE,
			PL_CODE_PEER_REQUIRES_SASL);
	else if (!m->terms->own_certificate)
		give_up(m, PL_COND_UNSUPPORTED_FEATURE,
			PL_CODE_OWN_CERTIFICATE_MISSING);
	else if (m->state->certificate != PL_CERT_VALID)
		give_up(m, PL_COND_NOT_AUTHORIZED,
			pl_certificate_code(m->state->certificate));
	else
		give_up(m, PL_COND_POLICY_VIOLATION, PL_CODE_SASL_REFUSED);
}

/* Neither EXTERNAL nor a dialback that our row allows is offered. */
static void give_up_nothing(struct pl_moment *m)
{
	const struct pl_terms *terms = m->terms;

	if (!pl_moment_allows(m, PL_METHOD_SASL_OVER_TLS))
		give_up_unoffered(m, PL_CODE_DIALBACK_NOT_OFFERED);
	else if (!terms->own_certificate &&
		 !pl_moment_allows(m, PL_METHOD_TLS_DIALBACK))
		give_up_unoffered(m, PL_CODE_OWN_CERTIFICATE_MISSING);
	else if (terms->own_certificate && terms->own_expired)
		give_up_unoffered(m, PL_CODE_OWN_CERTIFICATE_EXPIRED);
	else if (terms->own_certificate && terms->own_no_client_purpose)
		give_up_unoffered(m, PL_CODE_OWN_CERTIFICATE_PURPOSE);
	else if (!pl_state_offers_dialback(m->state))
		give_up_unoffered(m, PL_CODE_NOTHING_OFFERED);
	else
		give_up_unoffered(m, PL_CODE_SASL_NOT_OFFERED);
}

static void choose_under_tls(struct pl_moment *m)
{
	bool sasl = pl_moment_allows(m, PL_METHOD_SASL_OVER_TLS);
	bool dialback = pl_moment_allows(m, PL_METHOD_TLS_DIALBACK);

	if (m->terms->verify_only)
		start_pairs(m);
	else if (!sasl && !dialback)
		give_up(m, PL_COND_UNSUPPORTED_FEATURE,
			PL_CODE_PEER_REQUIRES_TLS);
	else if (may_send_auth(m))
		send_auth(m);
	else if (dialback && pl_state_offers_dialback(m->state))
		start_pairs(m);
	else if (m->state->offered & PL_FEATURE_EXTERNAL)
		give_up_external(m);
	else
		give_up_nothing(m);
}

static void ask_for_sm(struct pl_moment *m)
{
	m->state->sm = PL_SM_ASKED;
	pl_step_add(m->step, PL_DO_SEND_ENABLE);
}

/* The first thing on an authenticated stream, where the peer offers it: what
 * follows waits for the answer, so that all of it is counted. */
static void open_authenticated(struct pl_moment *m)
{
	bool sm = m->terms->stream_management &&
		  (m->state->offered & PL_FEATURE_SM);

	if (sm && m->terms->resumes) {
		m->state->sm = PL_SM_RESUMING;
		pl_step_add(m->step, PL_DO_SEND_RESUME);
	} else if (sm) {
		ask_for_sm(m);
	}
	pl_step_add(m->step, PL_DO_AUTHENTICATED);
	pl_moment_opened(m);
	if (sm)
		pl_step_arm(m->step, PL_DEADLINE_SM);
}

static void choose(struct pl_moment *m)
{
	if (m->state->authenticated) {
		open_authenticated(m);
	} else if (m->state->encrypted) {
		choose_under_tls(m);
	} else {
		choose_in_clear(m);
	}
}

/* ------------------------------------------------- start, TLS, header */

static void send_header(struct pl_moment *m)
{
	m->state->phase = PL_AWAIT_HEADER;
	m->state->stage = PL_STAGE_STREAM;
	m->state->headers_sent = true;
	pl_step_add(m->step, PL_DO_SEND_HEADER);
	pl_step_arm(m->step, PL_DEADLINE_HEADER);
}

static void on_started(struct pl_moment *m)
{
	if (m->state->phase != PL_IDLE)
		pl_moment_impossible(m);
	else if (!m->terms->partner_known)
		pl_moment_abort(m, (struct pl_end){ PL_CODE_PARTNER_UNKNOWN,
						    PL_STAGE_POLICY,
						    PL_NEXT_NONE });
	else if (!pl_policy_valid(&m->terms->policy))
		pl_moment_abort(m, (struct pl_end){ PL_CODE_ROW_NOT_VALID,
						    PL_STAGE_POLICY,
						    PL_NEXT_NONE });
	else if (m->terms->direct_tls)
		pl_moment_start_handshake(m);
	else
		send_header(m);
}

static void on_handshake_done(struct pl_moment *m)
{
	enum pl_certificate verdict = m->event->certificate;

	if (m->state->phase != PL_AWAIT_HANDSHAKE) {
		pl_moment_impossible(m);
		return;
	}
	pl_moment_under_tls(m);
	if (!pl_terms_certificate_final(m->terms, verdict)) {
		send_header(m);
		return;
	}
	/* The handshake is complete, so the peer can be told. */
	pl_moment_error(m, PL_COND_NOT_AUTHORIZED,
			(struct pl_end){ pl_certificate_code(verdict),
					 PL_STAGE_TLS, PL_NEXT_NONE });
}

/* A refused certificate is no broken handshake: neither clear text nor
 * another address follows (design: P7, P17). */
static void on_handshake_failed(struct pl_moment *m)
{
	const struct pl_terms *terms = m->terms;
	enum pl_next next = PL_NEXT_TARGET;

	if (m->event->alert || m->event->tls_failure == PL_TLS_ALERT_CERT)
		next = PL_NEXT_NONE;
	else if (terms->plaintext_retry && !terms->direct_tls &&
		 !terms->tls_given_up &&
		 pl_moment_allows(m, PL_METHOD_TCP_DIALBACK))
		next = PL_NEXT_IN_CLEAR;
	pl_moment_handshake_failed(m, next);
}

static void on_header(struct pl_moment *m)
{
	if (m->state->phase != PL_AWAIT_HEADER) {
		pl_moment_misplaced(m);
		return;
	}
	m->state->version_1 = m->event->header.version_1;
	m->state->has_id = m->event->header.has_id;
	m->state->declares_dialback = m->event->header.declares_dialback;
	m->state->stage = PL_STAGE_FEATURES;
	if (!m->state->version_1) {
		choose(m); /* such a peer sends no features */
		return;
	}
	m->state->phase = PL_AWAIT_FEATURES;
	pl_step_arm(m->step, PL_DEADLINE_FEATURES);
}

static void on_features(struct pl_moment *m)
{
	if (m->state->phase != PL_AWAIT_FEATURES) {
		pl_moment_misplaced(m);
		return;
	}
	m->state->offered = (uint8_t)m->event->features;
	choose(m);
}

static void on_proceed(struct pl_moment *m)
{
	if (m->state->phase != PL_AWAIT_PROCEED)
		pl_moment_misplaced(m);
	else
		pl_moment_start_handshake(m);
}

static const struct pl_end unoffered_end = {
	PL_CODE_TLS_NOT_OFFERED, PL_STAGE_FEATURES, PL_NEXT_NONE
};

static bool tries_unoffered(const struct pl_stream_state *state)
{
	return state->phase == PL_AWAIT_PROCEED && state->starttls_unoffered;
}

static void on_starttls_failure(struct pl_moment *m)
{
	if (m->state->phase != PL_AWAIT_PROCEED)
		pl_moment_misplaced(m);
	else if (m->state->starttls_unoffered)
		pl_moment_error(m, PL_COND_POLICY_VIOLATION, unoffered_end);
	else
		pl_moment_close(m, (struct pl_end){ PL_CODE_STARTTLS_REFUSED,
						    PL_STAGE_STARTTLS,
						    PL_NEXT_TARGET });
}

/* -------------------------------------------------------------- SASL */

static void on_challenge(struct pl_moment *m)
{
	if (m->state->phase != PL_AWAIT_SASL) {
		pl_moment_misplaced(m);
		return;
	}
	pl_step_add(m->step, PL_DO_SEND_RESPONSE);
	pl_step_arm(m->step, PL_DEADLINE_SASL);
}

static void on_sasl_success(struct pl_moment *m)
{
	if (m->state->phase != PL_AWAIT_SASL) {
		pl_moment_misplaced(m);
		return;
	}
	m->state->authenticated = true;
	pl_moment_restart(m);
	send_header(m);
}

/* Why the peer refused EXTERNAL, as far as we can tell. */
static enum pl_code sasl_code(const struct pl_moment *m, bool says_purpose)
{
	if (m->terms->own_expired)
		return PL_CODE_OWN_CERTIFICATE_EXPIRED;
	if (says_purpose || m->terms->own_no_client_purpose)
		return PL_CODE_OWN_CERTIFICATE_PURPOSE;
	return PL_CODE_SASL_REFUSED;
}

/* May dialback follow a failed EXTERNAL (design: P1, P2)? */
static bool may_fall_back(const struct pl_moment *m)
{
	return m->terms->policy.sasl != PL_REQUIRED &&
	       pl_moment_allows(m, PL_METHOD_TLS_DIALBACK);
}

static void on_sasl_failure(struct pl_moment *m)
{
	if (m->state->phase != PL_AWAIT_SASL) {
		pl_moment_misplaced(m);
		return;
	}
	m->state->sasl_failures++;
	if (may_fall_back(m) && pl_state_offers_dialback(m->state))
		start_pairs(m);
	else
		pl_moment_close(m, (struct pl_end){
			sasl_code(m, m->event->flag), PL_STAGE_SASL,
			PL_NEXT_NONE });
}

/* --------------------------------------------------- pairs, stanzas */

static bool is_answer(const struct pl_stream_event *event)
{
	return event->dialback == PL_DB_RESULT_ANSWER ||
	       event->dialback == PL_DB_VERIFY_ANSWER;
}

/* An answer goes to its pair, which knows whether it was asked for. Requests
 * come on a bidi stream alone, for further domains of the peer (XEP-0288 2.2);
 * anywhere else nothing is ever granted by one. */
static void on_dialback(struct pl_moment *m)
{
	bool ready = m->state->phase == PL_AWAIT_PAIRS ||
		     m->state->phase == PL_OPEN;
	bool reversed = m->event->dialback == PL_DB_RESULT_REQUEST &&
			m->state->phase == PL_OPEN &&
			pl_stream_both_ways(m->state);

	pl_step_add(m->step, (ready && is_answer(m->event)) || reversed
				     ? PL_DO_PAIR : PL_DO_IGNORE);
}

/* ------------------------------------------------ stream management */

static void sm_on(struct pl_moment *m, enum pl_action action)
{
	m->state->sm = PL_SM_ON;
	pl_step_add(m->step, PL_DO_DISARM);
	pl_step_add(m->step, action);
}

/* It goes on without, or with a session of its own. */
static void on_sm_failed(struct pl_moment *m)
{
	bool resuming = m->state->sm == PL_SM_RESUMING;

	if (!pl_stream_holds(m->state)) {
		pl_step_add(m->step, PL_DO_IGNORE);
		return;
	}
	m->state->sm = PL_SM_OFF;
	pl_step_add(m->step, PL_DO_DISARM);
	pl_step_add(m->step, PL_DO_SM_FAILED);
	if (resuming) {
		ask_for_sm(m);
		pl_step_arm(m->step, PL_DEADLINE_SM);
	}
}

/* Of another session than ours, and any answer to what was not asked, is
 * nothing that we could go on with. */
static void on_resumed(struct pl_moment *m)
{
	if (m->state->sm != PL_SM_RESUMING || !m->event->flag)
		pl_moment_misplaced(m);
	else if (m->event->too_high)
		pl_moment_acked_too_high(m);
	else
		sm_on(m, PL_DO_SM_RESUMED);
}

static void on_sm(struct pl_moment *m)
{
	if (m->state->phase != PL_OPEN || pl_moment_without_sm(m)) {
		pl_moment_misplaced(m);
		return;
	}
	switch (m->event->sm) {
	case PL_SM_ENABLED:
		if (m->state->sm == PL_SM_ASKED)
			sm_on(m, PL_DO_SM_ENABLED);
		else
			pl_step_add(m->step, PL_DO_IGNORE); /* too late */
		return;
	case PL_SM_RESUMED:
		on_resumed(m);
		return;
	case PL_SM_FAILED:
		on_sm_failed(m);
		return;
	case PL_SM_REQUEST:
	case PL_SM_ACK:
		pl_moment_sm_count(m);
		return;
	case PL_SM_ENABLE:
	case PL_SM_RESUME:
		pl_moment_misplaced(m); /* those are ours to send */
		return;
	}
}

/* No answer to <enable/> is as good as a refusal; to <resume/> it is the end:
 * the peer may count on what we do not know. */
static void on_sm_deadline(struct pl_moment *m)
{
	if (m->state->sm == PL_SM_RESUMING) {
		pl_moment_timeout(m, PL_CODE_NEGOTIATION_TIMEOUT,
				  PL_STAGE_ESTABLISHED);
	} else if (m->state->sm == PL_SM_ASKED) {
		m->state->sm = PL_SM_OFF;
		pl_step_add(m->step, PL_DO_SM_FAILED);
	}
}

static void on_stanza(struct pl_moment *m)
{
	if (m->state->phase != PL_OPEN || !pl_stream_both_ways(m->state))
		pl_moment_error(m, PL_COND_NOT_AUTHORIZED,
				(struct pl_end){ PL_CODE_PROTOCOL_VIOLATION,
						 PL_STAGE_STANZA,
						 PL_NEXT_NONE });
	else if (m->event->flag && m->event->addressing == PL_ADDRESS_OK)
		pl_step_add(m->step, PL_DO_DELIVER);
	else
		pl_moment_refuse_stanza(m);
}

static void on_pair_opened(struct pl_moment *m)
{
	if (m->state->phase == PL_AWAIT_PAIRS)
		pl_moment_opened(m);
	else if (m->state->phase != PL_OPEN)
		pl_moment_impossible(m);
}

/* --------------------------------------------------- the peer's ends */

/* The peer may end the stream for a reason that passes. */
static bool passes(enum pl_condition condition)
{
	return condition == PL_COND_INTERNAL_SERVER_ERROR ||
	       condition == PL_COND_RESOURCE_CONSTRAINT ||
	       condition == PL_COND_SYSTEM_SHUTDOWN ||
	       condition == PL_COND_REMOTE_CONNECTION_FAILED ||
	       condition == PL_COND_CONNECTION_TIMEOUT ||
	       condition == PL_COND_RESET ||
	       condition == PL_COND_UNDEFINED_CONDITION;
}

/* Under TLS, and the peer has not yet said anything of authentication: the
 * phases in which a refused certificate shows. */
static bool certificate_on_trial(const struct pl_stream_state *state)
{
	return state->encrypted && !state->authenticated &&
	       (state->phase == PL_AWAIT_HEADER ||
		state->phase == PL_AWAIT_FEATURES);
}

/* EXTERNAL failed, or ended without a word, and no pair opened since. */
static bool sasl_on_trial(const struct pl_stream_state *state)
{
	return state->phase == PL_AWAIT_SASL ||
	       (state->phase == PL_AWAIT_PAIRS && state->sasl_failures > 0);
}

/* The end after a refused EXTERNAL; `silent` is the code where the peer had
 * not refused it in so many words. */
static struct pl_end sasl_end(const struct pl_moment *m, enum pl_code silent)
{
	bool again = may_fall_back(m); /* for once: see may_send_auth() */
	bool refused = m->state->sasl_failures > 0 ||
		       (m->event->kind == PL_EV_STREAM_ERROR &&
			m->event->condition == PL_COND_NOT_AUTHORIZED);

	return (struct pl_end){ refused ? sasl_code(m, false) : silent,
				PL_STAGE_SASL,
				again ? PL_NEXT_WITHOUT_SASL : PL_NEXT_NONE };
}

static struct pl_end own_certificate_end(const struct pl_moment *m)
{
	return (struct pl_end){ pl_terms_own_certificate_code(m->terms),
				PL_STAGE_TLS, PL_NEXT_NONE };
}

static struct pl_end why_error(const struct pl_moment *m)
{
	enum pl_condition condition = m->event->condition;
	enum pl_stage stage = m->state->stage;

	if (tries_unoffered(m->state))
		return unoffered_end;
	if (condition == PL_COND_HOST_UNKNOWN || condition == PL_COND_HOST_GONE)
		return (struct pl_end){ PL_CODE_HOST_UNKNOWN, stage,
					PL_NEXT_NONE };
	if (condition == PL_COND_NOT_AUTHORIZED &&
	    certificate_on_trial(m->state))
		return own_certificate_end(m);
	if (sasl_on_trial(m->state) && !passes(condition))
		return sasl_end(m, PL_CODE_PEER_STREAM_ERROR);
	return (struct pl_end){ PL_CODE_PEER_STREAM_ERROR, stage,
				passes(condition) ? pl_moment_elsewhere(m)
						  : PL_NEXT_NONE };
}

static struct pl_end why_gone(const struct pl_moment *m)
{
	const struct pl_stream_state *state = m->state;

	if (tries_unoffered(state))
		return unoffered_end;
	if (m->event->alert && state->encrypted && !state->authenticated &&
	    state->phase != PL_OPEN)
		return own_certificate_end(m);
	if (state->phase == PL_AWAIT_HEADER && certificate_on_trial(state) &&
	    m->terms->own_certificate)
		return own_certificate_end(m);
	if (sasl_on_trial(state))
		return sasl_end(m, PL_CODE_PEER_CLOSED);
	if (state->phase == PL_AWAIT_HANDSHAKE)
		return (struct pl_end){ PL_CODE_TLS_CLOSED, PL_STAGE_TLS,
					PL_NEXT_TARGET };
	return (struct pl_end){ PL_CODE_PEER_CLOSED, state->stage,
				pl_moment_elsewhere(m) };
}

/* Without an alert a refused certificate is only the likeliest reason. */
static void soften_side(struct pl_moment *m)
{
	if (m->step->code == PL_CODE_OWN_CERTIFICATE_REJECTED &&
	    !m->event->alert)
		m->step->side = PL_SIDE_EITHER;
}

static void on_stream_error(struct pl_moment *m)
{
	pl_moment_heard_error(m, why_error(m));
}

static void on_closed(struct pl_moment *m)
{
	pl_moment_close(m, why_gone(m));
	soften_side(m);
}

static void on_disconnected(struct pl_moment *m)
{
	pl_moment_abort(m, why_gone(m));
	soften_side(m);
}

/* --------------------------------------------------------- deadlines */

/* A deadline that passed in a phase which set none is a late one. */
static void on_deadline(struct pl_moment *m)
{
	switch ((enum pl_stream_phase)m->state->phase) {
	case PL_AWAIT_HANDSHAKE:
		pl_moment_timeout(m, PL_CODE_TLS_TIMEOUT, PL_STAGE_TLS);
		return;
	case PL_AWAIT_HEADER:
		pl_moment_timeout(m, PL_CODE_HEADER_TIMEOUT, PL_STAGE_STREAM);
		return;
	case PL_AWAIT_FEATURES:
		pl_moment_timeout(m, PL_CODE_FEATURES_TIMEOUT,
				  PL_STAGE_FEATURES);
		return;
	case PL_AWAIT_PROCEED:
		if (m->state->starttls_unoffered)
			pl_moment_error(m, PL_COND_POLICY_VIOLATION,
					unoffered_end);
		else
			pl_moment_timeout(m, PL_CODE_TLS_TIMEOUT,
					  PL_STAGE_STARTTLS);
		return;
	case PL_AWAIT_SASL:
		pl_moment_timeout(m, PL_CODE_NEGOTIATION_TIMEOUT,
				  PL_STAGE_SASL);
		return;
	case PL_OPEN:
		on_sm_deadline(m);
		return;
	case PL_IDLE:
	case PL_AWAIT_CHOICE:
	case PL_AWAIT_RESPONSE:
	case PL_AWAIT_ACCEPTANCE:
	case PL_AWAIT_PAIRS:
	case PL_AWAIT_CLOSE:
	case PL_ENDED:
		return;
	}
}

static void on_negotiation_deadline(struct pl_moment *m)
{
	if (m->state->phase == PL_OPEN)
		return;
	if (tries_unoffered(m->state))
		pl_moment_error(m, PL_COND_POLICY_VIOLATION, unoffered_end);
	else if (m->state->phase == PL_AWAIT_PAIRS)
		pl_moment_timeout(m, PL_CODE_DIALBACK_TIMEOUT,
				  PL_STAGE_DIALBACK);
	else
		pl_moment_timeout(m, PL_CODE_NEGOTIATION_TIMEOUT,
				  m->state->stage);
}

void pl_initiating_step(struct pl_moment *m)
{
	switch (m->event->kind) {
	case PL_EV_STARTED:
		on_started(m);
		return;
	case PL_EV_HANDSHAKE_DONE:
		on_handshake_done(m);
		return;
	case PL_EV_HANDSHAKE_FAILED:
		on_handshake_failed(m);
		return;
	case PL_EV_HEADER:
		on_header(m);
		return;
	case PL_EV_FEATURES:
		on_features(m);
		return;
	case PL_EV_PROCEED:
		on_proceed(m);
		return;
	case PL_EV_STARTTLS_FAILURE:
		on_starttls_failure(m);
		return;
	case PL_EV_CHALLENGE:
		on_challenge(m);
		return;
	case PL_EV_SASL_SUCCESS:
		on_sasl_success(m);
		return;
	case PL_EV_SASL_FAILURE:
		on_sasl_failure(m);
		return;
	case PL_EV_DIALBACK:
		on_dialback(m);
		return;
	case PL_EV_BIDI:
		pl_step_add(m->step, PL_DO_IGNORE);
		return;
	case PL_EV_SM:
		on_sm(m);
		return;
	case PL_EV_STANZA:
		on_stanza(m);
		return;
	case PL_EV_STARTTLS:
	case PL_EV_AUTH:
	case PL_EV_RESPONSE:
	case PL_EV_SASL_ABORT:
	case PL_EV_UNEXPECTED:
		pl_moment_misplaced(m);
		return;
	case PL_EV_SASL_ACCEPTED:
	case PL_EV_SASL_CONTINUE:
	case PL_EV_SASL_REJECTED:
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
