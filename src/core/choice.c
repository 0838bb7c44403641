/*
 * A step, explained: what it chose, and why not the other ways.
 *
 *     machine, role       the step holds               choice
 *     ------------------  ---------------------------  -----------------
 *     stream, initiating  SEND_STARTTLS                starttls
 *                         START_PAIRS, in clear        stay-in-clear
 *                         START_PAIRS, under TLS       dialback
 *                         SEND_AUTH                    external
 *                         an end that allows more      retry
 *                         an end by our own policy     refuse
 *     stream, receiving   SEND_FEATURES                offer
 *                         SEND_PROCEED                 starttls
 *                         SEND_SUCCESS                 accept-external
 *                         SEND_TLS_FAILURE,
 *                         SEND_SASL_FAILURE, or an
 *                         end by our own policy        refuse
 *     pair, initiating    SEND_RESULT                  dialback
 *                         FAIL_PAIR: row, or a retry   refuse, retry
 *     pair, receiving     START_VERIFY                 accept-dialback
 *                         OPEN_PAIR by certificate     certificate
 *                         FAIL_PAIR, not by the end    refuse
 *
 * The choice is read off the step, never made again. Why an alternative was
 * not taken is found in terms, state and event, by the questions that the
 * machines themselves ask; tests/core/walk_test.c holds both against each
 * other in every state that can be reached.
 */
#include <string.h>

#include "step.h"

static bool holds(const struct pl_step *step, unsigned action)
{
	for (int i = 0; i < step->count; i++)
		if (step->actions[i] == action)
			return true;
	return false;
}

static void reject(struct pl_choice *out, enum pl_choice_kind choice,
		   unsigned reason)
{
	if (reason == PL_WHY_NOTHING || out->count >= PL_CHOICE_REJECTED)
		return;
	out->rejected[out->count].choice = (uint8_t)choice;
	out->rejected[out->count++].reason = (uint8_t)reason;
}

/* One that nothing speaks against stands behind what was chosen. */
static void pass_over(struct pl_choice *out, enum pl_choice_kind choice,
		      unsigned reason, unsigned otherwise)
{
	reject(out, choice, reason != PL_WHY_NOTHING ? reason : otherwise);
}

static unsigned why_certificate(unsigned verdict)
{
	return verdict == PL_CERT_VALID ? (unsigned)PL_WHY_NOTHING
					: PL_WHY_CERTIFICATE + verdict;
}

/* ---------------------------------------- what the row says of a method */

static unsigned row_on_external(const struct pl_terms *terms)
{
	if (terms->policy.sasl == PL_NOT_SUPPORTED)
		return PL_WHY_SASL_NOT_SUPPORTED;
	if (terms->policy.tls == PL_NOT_SUPPORTED)
		return PL_WHY_TLS_NOT_SUPPORTED;
	return PL_WHY_NOTHING;
}

static unsigned row_on_dialback(const struct pl_terms *terms, bool encrypted)
{
	const struct pl_policy *policy = &terms->policy;

	if (pl_policy_allows(policy, encrypted ? PL_METHOD_TLS_DIALBACK
					       : PL_METHOD_TCP_DIALBACK))
		return PL_WHY_NOTHING;
	if (!policy->dialback)
		return PL_WHY_NO_DIALBACK;
	if (!encrypted)
		return PL_WHY_TLS_REQUIRED;
	return policy->tls == PL_NOT_SUPPORTED ? PL_WHY_TLS_NOT_SUPPORTED
					       : PL_WHY_BOTH_REQUIRED;
}

/* ---------------------------------------------------- stream, initiating */

struct choosing {
	const struct pl_terms *terms;
	const struct pl_stream_state *before, *after;
	const struct pl_stream_event *event;
	const struct pl_step *step;
	struct pl_choice *out;
};

static unsigned why_no_terms(const struct pl_terms *terms)
{
	if (!terms->partner_known)
		return PL_WHY_PARTNER_UNKNOWN;
	return pl_policy_valid(&terms->policy) ? PL_WHY_NOTHING
					       : PL_WHY_ROW_NOT_VALID;
}

static unsigned why_not_starttls(const struct choosing *c)
{
	if (c->terms->policy.tls == PL_NOT_SUPPORTED)
		return PL_WHY_TLS_NOT_SUPPORTED;
	if (!pl_terms_may_start_tls(c->terms))
		return PL_WHY_FAILED_BEFORE;
	if (c->event->kind == PL_EV_STARTTLS_FAILURE &&
	    !c->before->starttls_unoffered)
		return PL_WHY_PEER_REFUSED;
	if (c->before->phase == PL_AWAIT_PROCEED ||
	    (!(c->after->offered & PL_FEATURE_STARTTLS) &&
	     !pl_terms_must_start_tls(c->terms)))
		return PL_WHY_NOT_OFFERED;
	return PL_WHY_NOTHING;
}

static unsigned why_no_pairs(const struct choosing *c)
{
	if (!pl_state_offers_dialback(c->after))
		return PL_WHY_NOT_OFFERED;
	return c->after->has_id ? PL_WHY_NOTHING : PL_WHY_NO_ID;
}

static unsigned why_not_clear(const struct choosing *c)
{
	unsigned row = row_on_dialback(c->terms, false);

	if (c->terms->verify_only)
		return pl_terms_must_start_tls(c->terms)
			       ? (unsigned)PL_WHY_TLS_REQUIRED
			       : PL_WHY_NOTHING;
	if (c->after->offered & PL_FEATURE_STARTTLS_REQUIRED)
		return PL_WHY_PEER_REQUIRES_TLS;
	return row != PL_WHY_NOTHING ? row : why_no_pairs(c);
}

static unsigned why_not_external(const struct choosing *c)
{
	unsigned row = row_on_external(c->terms);

	if (c->terms->verify_only)
		return PL_WHY_VERIFY_ONLY;
	if (row != PL_WHY_NOTHING)
		return row;
	if (!(c->after->offered & PL_FEATURE_EXTERNAL))
		return PL_WHY_NOT_OFFERED;
	if (!c->terms->own_certificate)
		return PL_WHY_OWN_CERTIFICATE;
	if (c->terms->sasl_given_up || c->after->sasl_failures > 0)
		return PL_WHY_FAILED_BEFORE;
	return why_certificate(c->after->certificate);
}

static unsigned why_not_dialback(const struct choosing *c)
{
	unsigned row = row_on_dialback(c->terms, true);

	if (c->terms->verify_only)
		return PL_WHY_NOTHING;
	if (row != PL_WHY_NOTHING)
		return row;
	if (c->after->sasl_failures > 0 &&
	    c->terms->policy.sasl == PL_REQUIRED)
		return PL_WHY_SASL_REQUIRED;
	return why_no_pairs(c);
}

/* The ways that were open where a stream ended by our own word. */
static void reject_ways(const struct choosing *c)
{
	unsigned none = why_no_terms(c->terms);
	unsigned certificate = why_certificate(c->event->certificate);
	bool shown = c->event->kind == PL_EV_HANDSHAKE_DONE;

	if (none != PL_WHY_NOTHING) {
		reject(c->out, PL_CHOICE_STARTTLS, none);
		reject(c->out, PL_CHOICE_STAY_IN_CLEAR, none);
	} else if (shown) {
		pass_over(c->out, PL_CHOICE_EXTERNAL,
			  row_on_external(c->terms), certificate);
		pass_over(c->out, PL_CHOICE_DIALBACK,
			  row_on_dialback(c->terms, true), certificate);
	} else if (c->before->encrypted) {
		reject(c->out, PL_CHOICE_EXTERNAL, why_not_external(c));
		reject(c->out, PL_CHOICE_DIALBACK, why_not_dialback(c));
	} else {
		reject(c->out, PL_CHOICE_STARTTLS, why_not_starttls(c));
		pass_over(c->out, PL_CHOICE_STAY_IN_CLEAR, why_not_clear(c),
			  PL_WHY_OVER);
	}
}

/* What the dialer may do next, and what it may not. */
static void explain_retry(const struct choosing *c)
{
	unsigned row = row_on_dialback(c->terms, false);

	c->out->choice = PL_CHOICE_RETRY;
	switch ((enum pl_next)c->step->next) {
	case PL_NEXT_NONE:
		return;
	case PL_NEXT_WITHOUT_SASL:
		reject(c->out, PL_CHOICE_EXTERNAL, PL_WHY_FAILED_BEFORE);
		return;
	case PL_NEXT_IN_CLEAR:
		reject(c->out, PL_CHOICE_STARTTLS, PL_WHY_FAILED_BEFORE);
		return;
	case PL_NEXT_TARGET:
		break;
	}
	if (c->event->kind == PL_EV_HANDSHAKE_FAILED)
		pass_over(c->out, PL_CHOICE_STAY_IN_CLEAR, row,
			  c->terms->plaintext_retry ? PL_WHY_OVER
						    : PL_WHY_NO_RETRY);
	else if (c->event->kind == PL_EV_STARTTLS_FAILURE)
		reject_ways(c);
}

/* Ends of our own making; others are the peer's, the network's or time's. */
static bool initiating_refuses(const struct choosing *c)
{
	bool tried = c->before->phase == PL_AWAIT_PROCEED &&
		     c->before->starttls_unoffered;

	if (tried && c->step->code == PL_CODE_TLS_NOT_OFFERED)
		return true;
	switch (c->before->phase) {
	case PL_IDLE:
		return c->event->kind == PL_EV_STARTED;
	case PL_AWAIT_HANDSHAKE:
		return c->event->kind == PL_EV_HANDSHAKE_DONE;
	case PL_AWAIT_HEADER:
		return c->event->kind == PL_EV_HEADER;
	case PL_AWAIT_FEATURES:
		return c->event->kind == PL_EV_FEATURES;
	case PL_AWAIT_SASL:
		return c->event->kind == PL_EV_SASL_FAILURE;
	default: /* nothing is chosen there */
		return false;
	}
}

/* What the peer said of itself on this document: nothing before its header. */
static unsigned offers(const struct choosing *c)
{
	bool silent = c->before->phase == PL_IDLE ||
		      c->before->phase == PL_AWAIT_HANDSHAKE ||
		      (c->before->phase == PL_AWAIT_HEADER &&
		       c->event->kind != PL_EV_HEADER);

	if (silent)
		return 0;
	return pl_state_offers_dialback(c->after)
		       ? c->after->offered | PL_FEATURE_DIALBACK
		       : c->after->offered;
}

static void explain_initiating(const struct choosing *c)
{
	struct pl_choice *out = c->out;

	out->offers = (uint8_t)offers(c);
	if (holds(c->step, PL_DO_SEND_STARTTLS)) {
		out->choice = PL_CHOICE_STARTTLS;
		pass_over(out, PL_CHOICE_STAY_IN_CLEAR, why_not_clear(c),
			  PL_WHY_BETTER);
	} else if (holds(c->step, PL_DO_SEND_AUTH)) {
		out->choice = PL_CHOICE_EXTERNAL;
		pass_over(out, PL_CHOICE_DIALBACK, why_not_dialback(c),
			  c->terms->policy.sasl == PL_REQUIRED
				  ? PL_WHY_SASL_REQUIRED : PL_WHY_FALLBACK);
	} else if (holds(c->step, PL_DO_START_PAIRS) && c->after->encrypted) {
		out->choice = PL_CHOICE_DIALBACK;
		reject(out, PL_CHOICE_EXTERNAL, why_not_external(c));
	} else if (holds(c->step, PL_DO_START_PAIRS)) {
		out->choice = PL_CHOICE_STAY_IN_CLEAR;
		reject(out, PL_CHOICE_STARTTLS, why_not_starttls(c));
		if (!c->terms->verify_only)
			pass_over(out, PL_CHOICE_EXTERNAL,
				  row_on_external(c->terms), PL_WHY_NEEDS_TLS);
	} else if (!holds(c->step, PL_DO_END_PAIRS)) {
		return;
	} else if (c->step->next != PL_NEXT_NONE) {
		explain_retry(c);
	} else if (initiating_refuses(c)) {
		out->choice = PL_CHOICE_REFUSE;
		reject_ways(c);
	}
}

/* ----------------------------------------------------- stream, receiving */

static unsigned why_not_offer_starttls(const struct pl_terms *terms)
{
	if (terms->policy.tls == PL_NOT_SUPPORTED)
		return PL_WHY_TLS_NOT_SUPPORTED;
	return terms->own_certificate ? PL_WHY_NOTHING
				      : PL_WHY_OWN_CERTIFICATE;
}

static unsigned why_not_offer_external(const struct choosing *c)
{
	unsigned row = row_on_external(c->terms);

	if (!c->after->encrypted)
		return PL_WHY_NEEDS_TLS;
	if (c->after->authenticated)
		return PL_WHY_DONE;
	if (c->event->kind == PL_EV_HEADER && !c->event->header.from_present)
		return PL_WHY_NO_FROM;
	if (row != PL_WHY_NOTHING)
		return row;
	if (c->after->certificate != PL_CERT_VALID)
		return why_certificate(c->after->certificate);
	return c->after->version_1 ? PL_WHY_NOTHING : PL_WHY_OLD;
}

static unsigned why_not_offer_dialback(const struct choosing *c)
{
	unsigned row = row_on_dialback(c->terms, c->after->encrypted);

	if (row != PL_WHY_NOTHING)
		return row;
	if (!c->after->encrypted && c->event->kind == PL_EV_HEADER &&
	    !c->event->header.from_present)
		return PL_WHY_NO_FROM;
	return PL_WHY_NOTHING;
}

static void reject_offers(const struct choosing *c)
{
	if (!c->after->encrypted)
		reject(c->out, PL_CHOICE_STARTTLS,
		       why_not_offer_starttls(c->terms));
	reject(c->out, PL_CHOICE_EXTERNAL, why_not_offer_external(c));
	reject(c->out, PL_CHOICE_DIALBACK, why_not_offer_dialback(c));
}

/* A header that is refused as such, in the order of the machine. */
static unsigned why_not_header(const struct choosing *c)
{
	const struct pl_header_facts *h = &c->event->header;

	if (h->malformed_address)
		return PL_WHY_ADDRESSES;
	if (h->from_local)
		return PL_WHY_FROM_LOCAL;
	if (h->to_present && !h->to_hosted)
		return PL_WHY_NOT_HOSTED;
	if (h->from_present && !c->terms->partner_known)
		return PL_WHY_PARTNER_UNKNOWN;
	if (h->over_limit)
		return PL_WHY_LIMIT;
	if (c->before->authenticated && h->identity_changed)
		return PL_WHY_NOT_PROVED;
	if (!h->to_present && h->version_1)
		return PL_WHY_ADDRESSES;
	return h->from_present ? why_no_terms(c->terms) : PL_WHY_NOTHING;
}

static void refuse_header(const struct choosing *c)
{
	unsigned reason = why_not_header(c);
	unsigned bad = why_certificate(c->after->certificate);

	c->out->choice = PL_CHOICE_REFUSE;
	if (reason != PL_WHY_NOTHING) {
		reject(c->out, PL_CHOICE_OFFER, reason);
		return;
	}
	if (!c->after->encrypted) {
		reject_offers(c);
		return;
	}
	reject(c->out, PL_CHOICE_EXTERNAL, why_not_offer_external(c));
	/* Where the row allows it, a bad certificate was final. */
	pass_over(c->out, PL_CHOICE_DIALBACK, why_not_offer_dialback(c), bad);
}

static void refuse_starttls(const struct choosing *c)
{
	unsigned reason = why_not_offer_starttls(c->terms);

	c->out->choice = PL_CHOICE_REFUSE;
	if (c->before->encrypted)
		reason = PL_WHY_DONE;
	else if (reason == PL_WHY_NOTHING)
		reason = c->event->pairs_pending ? PL_WHY_PENDING
						 : PL_WHY_NOT_NOW;
	reject(c->out, PL_CHOICE_STARTTLS, reason);
}

static unsigned why_not_auth(const struct choosing *c)
{
	unsigned offer;

	if (!c->before->encrypted)
		return PL_WHY_NEEDS_TLS;
	if (c->before->phase == PL_OPEN)
		return PL_WHY_DONE;
	if (!c->event->flag)
		return PL_WHY_MECHANISM;
	if (c->before->offered & PL_FEATURE_EXTERNAL)
		return PL_WHY_PENDING;
	offer = why_not_offer_external(c);
	return offer != PL_WHY_NOTHING ? offer : PL_WHY_NO_FROM;
}

static void refuse_external(const struct choosing *c)
{
	unsigned reason = PL_WHY_NOT_NOW;

	c->out->choice = PL_CHOICE_REFUSE;
	if (c->event->kind == PL_EV_AUTH)
		reason = why_not_auth(c);
	else if (c->event->kind == PL_EV_SASL_REJECTED)
		reason = PL_WHY_NOT_PROVED;
	else if (c->event->kind == PL_EV_SASL_ABORT)
		reason = PL_WHY_GIVEN_UP;
	reject(c->out, PL_CHOICE_ACCEPT_EXTERNAL, reason);
}

static void explain_receiving(const struct choosing *c)
{
	bool ended = holds(c->step, PL_DO_END_PAIRS);

	c->out->offers = c->after->offered;
	if (holds(c->step, PL_DO_SEND_FEATURES)) {
		c->out->choice = PL_CHOICE_OFFER;
		reject_offers(c);
	} else if (holds(c->step, PL_DO_SEND_PROCEED)) {
		c->out->choice = PL_CHOICE_STARTTLS;
		reject(c->out, PL_CHOICE_STAY_IN_CLEAR,
		       row_on_dialback(c->terms, false));
	} else if (holds(c->step, PL_DO_SEND_SUCCESS)) {
		c->out->choice = PL_CHOICE_ACCEPT_EXTERNAL;
		reject(c->out, PL_CHOICE_ACCEPT_DIALBACK,
		       row_on_dialback(c->terms, true));
	} else if (holds(c->step, PL_DO_SEND_TLS_FAILURE)) {
		refuse_starttls(c);
	} else if (holds(c->step, PL_DO_SEND_SASL_FAILURE)) {
		refuse_external(c);
	} else if (ended && c->event->kind == PL_EV_HEADER &&
		   c->before->phase == PL_AWAIT_HEADER) {
		refuse_header(c);
	} else if (ended && c->event->kind == PL_EV_STANZA &&
		   c->step->code == PL_CODE_TLS_NOT_OFFERED) {
		c->out->choice = PL_CHOICE_REFUSE;
		reject(c->out, PL_CHOICE_STAY_IN_CLEAR,
		       row_on_dialback(c->terms, false));
	}
}

bool pl_stream_choice(const struct pl_terms *terms,
		      const struct pl_stream_state *before,
		      const struct pl_stream_event *event,
		      const struct pl_step *step, struct pl_choice *choice)
{
	struct pl_stream_state after = *before;
	struct pl_step again;
	const struct choosing c = { terms, before, &after, event, step,
				    choice };

	memset(choice, 0, sizeof *choice);
	pl_stream_step(terms, &after, event, &again);
	if (before->role == PL_INITIATING)
		explain_initiating(&c);
	else
		explain_receiving(&c);
	return choice->choice != PL_CHOICE_NOTHING;
}

/* ------------------------------------------------------------------ pair */

static unsigned why_not_request(const struct pl_terms *terms,
				const struct pl_pair_event *event)
{
	if (!event->addresses_good)
		return PL_WHY_ADDRESSES;
	if (!event->key_present)
		return PL_WHY_NO_KEY;
	if (!event->to_hosted)
		return PL_WHY_NOT_HOSTED;
	if (event->from_local)
		return PL_WHY_FROM_LOCAL;
	if (!terms->partner_known)
		return PL_WHY_PARTNER_UNKNOWN;
	if (event->over_limit)
		return PL_WHY_LIMIT;
	return why_no_terms(terms);
}

static unsigned why_not_accept(const struct pl_terms *terms,
			       const struct pl_pair_event *event)
{
	unsigned reason = why_not_request(terms, event);

	if (reason == PL_WHY_NOTHING)
		reason = row_on_dialback(terms, event->encrypted);
	if (reason == PL_WHY_NOTHING && event->encrypted &&
	    pl_terms_certificate_final(terms, event->certificate))
		reason = why_certificate(event->certificate);
	if (reason == PL_WHY_NOTHING && event->encrypted &&
	    event->sasl_failed && terms->policy.sasl == PL_REQUIRED)
		reason = PL_WHY_SASL_REQUIRED;
	return reason;
}

static unsigned why_not_by_certificate(const struct pl_pair_event *event)
{
	return event->encrypted ? why_certificate(event->certificate)
				: PL_WHY_NEEDS_TLS;
}

/* The authoritative server did not say yes, or what it said yes to is allowed
 * no more. */
static unsigned why_not_verified(const struct pl_terms *terms,
				 const struct pl_pair_state *before,
				 const struct pl_pair_event *event)
{
	if (event->kind == PL_PE_VERIFY_VALID)
		return row_on_dialback(terms, before->method ==
					      PL_METHOD_TLS_DIALBACK);
	if (event->kind == PL_PE_VERIFY_INVALID)
		return PL_WHY_NOT_PROVED;
	return PL_WHY_NO_ANSWER;
}

static void explain_request(const struct pl_terms *terms,
			    const struct pl_pair_event *event,
			    const struct pl_step *step, struct pl_choice *out)
{
	unsigned certificate = why_not_by_certificate(event);
	unsigned accept = why_not_accept(terms, event);

	if (holds(step, PL_DO_START_VERIFY)) {
		out->choice = PL_CHOICE_ACCEPT_DIALBACK;
		reject(out, PL_CHOICE_CERTIFICATE, certificate);
	} else if (holds(step, PL_DO_OPEN_PAIR)) {
		out->choice = PL_CHOICE_CERTIFICATE;
		pass_over(out, PL_CHOICE_ACCEPT_DIALBACK, accept,
			  PL_WHY_BETTER);
	} else if (holds(step, PL_DO_FAIL_PAIR)) {
		out->choice = PL_CHOICE_REFUSE;
		reject(out, PL_CHOICE_ACCEPT_DIALBACK, accept);
		pass_over(out, PL_CHOICE_CERTIFICATE, certificate, accept);
	}
}

static void explain_pair_receiving(const struct pl_terms *terms,
				   const struct pl_pair_state *before,
				   const struct pl_pair_event *event,
				   const struct pl_step *step,
				   struct pl_choice *out)
{
	if (event->kind == PL_PE_RESULT_REQUEST) {
		explain_request(terms, event, step, out);
	} else if (holds(step, PL_DO_FAIL_PAIR) &&
		   before->phase == PL_PAIR_AWAIT_VERIFY &&
		   event->kind != PL_PE_STREAM_ENDED &&
		   event->kind != PL_PE_AUTHENTICATED) {
		out->choice = PL_CHOICE_REFUSE;
		reject(out, PL_CHOICE_ACCEPT_DIALBACK,
		       why_not_verified(terms, before, event));
	}
}

static void explain_pair_initiating(const struct pl_terms *terms,
				    const struct pl_pair_event *event,
				    const struct pl_step *step,
				    struct pl_choice *out)
{
	bool failed = holds(step, PL_DO_FAIL_PAIR);

	if (holds(step, PL_DO_SEND_RESULT)) {
		out->choice = PL_CHOICE_DIALBACK;
	} else if (failed && event->kind == PL_PE_STREAM_READY) {
		out->choice = PL_CHOICE_REFUSE;
		reject(out, PL_CHOICE_DIALBACK, terms->partner_known
			? row_on_dialback(terms, event->encrypted)
			: (unsigned)PL_WHY_PARTNER_UNKNOWN);
	} else if (failed && event->kind == PL_PE_RESULT_ERROR &&
		   step->next != PL_NEXT_NONE) {
		out->choice = PL_CHOICE_RETRY;
		reject(out, PL_CHOICE_DIALBACK, PL_WHY_PEER_REFUSED);
	}
}

bool pl_pair_choice(const struct pl_terms *terms,
		    const struct pl_pair_state *before,
		    const struct pl_pair_event *event,
		    const struct pl_step *step, struct pl_choice *choice)
{
	memset(choice, 0, sizeof *choice);
	if (before->role == PL_INITIATING)
		explain_pair_initiating(terms, event, step, choice);
	else
		explain_pair_receiving(terms, before, event, step, choice);
	return choice->choice != PL_CHOICE_NOTHING;
}
