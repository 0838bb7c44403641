/*
 * What would work with a peer: the machine itself is asked, row by row, with
 * the peer's offers put before it as they were seen.
 */
#include <string.h>

#include "parley/machine.h"

enum {
	CONNECTIONS = 3, /* a retry without EXTERNAL, one in clear */
	EVENTS = 12,     /* of one connection: more cannot be needed */
};

/* A peer of which everything is known, and how far we are with it. */
struct talk {
	const struct pl_peer_offer *peer;
	struct pl_terms terms;
	struct pl_stream_state stream;
	enum pl_method method;
	enum pl_next next;
};

static void begin(struct talk *talk)
{
	pl_stream_init(&talk->stream, PL_INITIATING);
	talk->method = PL_METHOD_NONE;
	talk->next = PL_NEXT_NONE;
}

static struct pl_stream_event header(void)
{
	return (struct pl_stream_event){
		.kind = PL_EV_HEADER,
		.header = { .version_1 = true, .has_id = true },
	};
}

static struct pl_stream_event features(const struct talk *talk)
{
	const struct pl_peer_offer *peer = talk->peer;
	bool tls = talk->stream.encrypted;
	unsigned seen = 0;

	if (!tls && peer->starttls == PL_YES)
		seen |= PL_FEATURE_STARTTLS;
	if (!tls && peer->starttls == PL_YES && peer->starttls_required)
		seen |= PL_FEATURE_STARTTLS_REQUIRED;
	if (tls && peer->external == PL_YES)
		seen |= PL_FEATURE_EXTERNAL;
	if ((tls ? peer->dialback_tls : peer->dialback_clear) == PL_YES)
		seen |= PL_FEATURE_DIALBACK;
	return (struct pl_stream_event){ .kind = PL_EV_FEATURES,
					 .features = seen };
}

/* What the peer does upon one action of ours; false: it needs no answer. */
static bool answer(struct talk *talk, unsigned action,
		   struct pl_stream_event *event)
{
	const struct pl_peer_offer *peer = talk->peer;

	memset(event, 0, sizeof *event);
	switch (action) {
	case PL_DO_SEND_HEADER:
		*event = header();
		return true;
	case PL_DO_SEND_STARTTLS:
		event->kind = peer->starttls == PL_YES ? PL_EV_PROCEED
						       : PL_EV_STARTTLS_FAILURE;
		return true;
	case PL_DO_START_HANDSHAKE:
		event->kind = peer->refuses_tls ? PL_EV_HANDSHAKE_FAILED
						: PL_EV_HANDSHAKE_DONE;
		event->tls_failure = PL_TLS_OTHER;
		event->certificate = peer->certificate;
		return true;
	case PL_DO_SEND_AUTH:
		event->kind = peer->refuses_external ? PL_EV_SASL_FAILURE
						     : PL_EV_SASL_SUCCESS;
		return true;
	case PL_DO_AUTHENTICATED:
		talk->method = PL_METHOD_SASL_OVER_TLS;
		return false;
	case PL_DO_START_PAIRS:
		if (!peer->refuses_dialback)
			talk->method = talk->stream.encrypted
					       ? PL_METHOD_TLS_DIALBACK
					       : PL_METHOD_TCP_DIALBACK;
		return false;
	default:
		return false; /* nobody waits for an answer to it */
	}
}

/* The features follow a header by themselves. */
static bool next_event(struct talk *talk, const struct pl_step *step,
		       struct pl_stream_event *event)
{
	for (unsigned i = 0; i < step->count; i++)
		if (answer(talk, step->actions[i], event))
			return true;
	if (talk->stream.phase != PL_AWAIT_FEATURES)
		return false;
	*event = features(talk);
	return true;
}

static void play(struct talk *talk)
{
	struct pl_stream_event event = { .kind = PL_EV_STARTED };
	struct pl_step step;

	for (int i = 0; i < EVENTS; i++) {
		pl_stream_step(&talk->terms, &talk->stream, &event, &step);
		talk->next = (enum pl_next)step.next;
		if (!next_event(talk, &step, &event))
			return;
	}
}

/* With a peer of which everything is known. */
static enum pl_method end_of(const struct pl_policy *policy,
			     const struct pl_peer_offer *peer)
{
	struct talk talk = { .peer = peer };

	if (!pl_policy_valid(policy))
		return PL_METHOD_NONE;
	talk.terms.policy = *policy;
	talk.terms.check = (uint8_t)pl_policy_default_check(policy);
	talk.terms.partner_known = true;
	talk.terms.own_certificate = peer->own_certificate;
	for (int i = 0; i < CONNECTIONS; i++) {
		begin(&talk);
		play(&talk);
		if (talk.next != PL_NEXT_WITHOUT_SASL)
			break;
		talk.terms.sasl_given_up = true;
	}
	return talk.method;
}

/* One of the peers that it could be: a bit for each thing not known. */
static struct pl_peer_offer supposed(const struct pl_peer_offer *peer,
				     unsigned bits)
{
	struct pl_peer_offer one = *peer;
	enum pl_known *known[] = { &one.starttls, &one.external,
				   &one.dialback_tls, &one.dialback_clear };

	for (unsigned i = 0; i < 4; i++)
		if (*known[i] == PL_UNKNOWN)
			*known[i] = bits >> i & 1 ? PL_YES : PL_NO;
	if (!peer->certificate_known)
		one.certificate = bits >> 4 & 1 ? PL_CERT_VALID
						: PL_CERT_OTHER;
	return one;
}

enum pl_method pl_would_work(const struct pl_policy *policy,
			     const struct pl_peer_offer *peer)
{
	enum pl_method method = PL_METHOD_NONE;

	for (unsigned bits = 0; bits < 32; bits++) {
		struct pl_peer_offer one = supposed(peer, bits);
		enum pl_method this = end_of(policy, &one);

		if (bits > 0 && this != method)
			return PL_METHOD_NONE;
		method = this;
	}
	return method;
}
