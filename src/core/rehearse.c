/*
 * Rehearsal: both machines against each other, without a network.
 *
 *     party          stream machine and one pair machine, as on a live stream
 *     letter         what one party put on the wire for the other, or what its
 *                    own libraries told it
 *     connection     two parties, and the letters between them
 *
 * A connection plays until no letter is left. A verify is a connection of its
 * own, made in the other direction for db:verify only.
 */
#include <assert.h>
#include <string.h>

#include "parley/machine.h"

enum { LETTERS = 16, CONNECTIONS = 3, LETTERS_IN_ALL = 200 };

struct letter {
	struct pl_stream_event event;
	enum pl_pair_event_kind pair;       /* of a PL_EV_DIALBACK */
	enum pl_stanza_condition condition; /* of a PL_PE_RESULT_ERROR */
};

struct party {
	const struct pl_rehearsal_side *side; /* borrowed from the caller */
	struct pl_terms terms;
	struct pl_stream_state stream;
	struct pl_pair_state pair;
	struct letter letters[LETTERS]; /* not read yet: a ring */
	size_t first, count;
	bool shakes_hands;
	enum pl_code code;
	enum pl_side who; /* must act */
	enum pl_next next;
};

struct connection {
	struct party initiating, receiving;
};

static void play(struct connection *c);

static struct party *other(struct connection *c, const struct party *p)
{
	return p == &c->initiating ? &c->receiving : &c->initiating;
}

static void post(struct party *to, const struct letter *letter)
{
	assert(to->count < LETTERS);
	to->letters[(to->first + to->count++) % LETTERS] = *letter;
}

static void post_event(struct party *to, struct pl_stream_event event)
{
	struct letter letter = { .event = event };

	post(to, &letter);
}

static void post_kind(struct party *to, enum pl_stream_event_kind kind)
{
	post_event(to, (struct pl_stream_event){ .kind = kind });
}

static void post_dialback(struct party *to, enum pl_dialback_kind dialback,
			  enum pl_pair_event_kind pair,
			  enum pl_stanza_condition condition)
{
	struct letter letter = {
		.event = { .kind = PL_EV_DIALBACK, .dialback = dialback },
		.pair = pair,
		.condition = condition,
	};

	post(to, &letter);
}

static void post_header(struct connection *c, struct party *from, bool version)
{
	struct party *to = other(c, from);

	post_event(to, (struct pl_stream_event){
		.kind = PL_EV_HEADER,
		.certificate = from->side->certificate,
		.header = {
			.version_1 = version,
			.has_id = true,
			.declares_dialback = true,
			.to_present = true,
			.to_hosted = true,
			.from_present = true,
		},
	});
}

/* As the parser does it: starttls alone means required (RFC 6120 5.3.1). */
static void post_features(struct party *to, unsigned features)
{
	if (features == PL_FEATURE_STARTTLS)
		features |= PL_FEATURE_STARTTLS_REQUIRED;
	post_event(to, (struct pl_stream_event){ .kind = PL_EV_FEATURES,
						 .features = features });
}

static void shake_hands(struct connection *c, struct party *p)
{
	struct party *in = &c->receiving, *out = &c->initiating;
	bool works = in->terms.own_certificate;

	p->shakes_hands = true;
	if (!in->shakes_hands || !out->shakes_hands)
		return;
	in->shakes_hands = out->shakes_hands = false;
	post_event(in, (struct pl_stream_event){
		.kind = works ? PL_EV_HANDSHAKE_DONE : PL_EV_HANDSHAKE_FAILED,
		.certificate = out->side->certificate,
		.tls_failure = PL_TLS_OTHER,
	});
	post_event(out, (struct pl_stream_event){
		.kind = works ? PL_EV_HANDSHAKE_DONE : PL_EV_HANDSHAKE_FAILED,
		.certificate = in->side->certificate,
		.tls_failure = PL_TLS_OTHER,
	});
}

/* ------------------------------------------------------------- verify */

static void begin(struct party *p, const struct pl_rehearsal_side *side,
		  enum pl_role role)
{
	memset(p, 0, sizeof *p);
	p->side = side;
	p->terms = side->terms;
	pl_stream_init(&p->stream, role);
	pl_pair_init(&p->pair, role);
}

/* What `asker` hears when it asks the server of `sender`. */
static enum pl_pair_event_kind verify(const struct pl_rehearsal_side *asker,
				      const struct pl_rehearsal_side *sender)
{
	struct connection c;
	enum pl_stanza_condition condition;

	begin(&c.initiating, asker, PL_INITIATING);
	begin(&c.receiving, sender, PL_RECEIVING);
	c.initiating.terms.verify_only = true;
	c.initiating.terms.direct_tls = c.receiving.terms.direct_tls = false;
	play(&c);
	if (c.initiating.stream.phase != PL_AWAIT_PAIRS)
		return PL_PE_VERIFY_UNREACHABLE;
	switch (pl_authority_answer(&sender->terms, true, true, &condition)) {
	case PL_VERIFY_VALID:
		return PL_PE_VERIFY_VALID;
	case PL_VERIFY_INVALID:
		return PL_PE_VERIFY_INVALID;
	case PL_VERIFY_ERROR:
		break;
	}
	return PL_PE_VERIFY_ERROR;
}

/* -------------------------------------------------------------- pairs */

static void step_stream(struct connection *c, struct party *p,
			const struct letter *letter);
static void step_pair(struct connection *c, struct party *p,
		      struct pl_pair_event event);

static void step_stream_kind(struct connection *c, struct party *p,
			     enum pl_stream_event_kind kind, enum pl_code code)
{
	struct letter letter = { .event = { .kind = kind, .code = code } };

	step_stream(c, p, &letter);
}

static void act_pair(struct connection *c, struct party *p,
		     const struct pl_step *step, unsigned action)
{
	struct party *peer = other(c, p);

	switch ((enum pl_pair_action)action) {
	case PL_DO_SEND_RESULT:
		post_dialback(peer, PL_DB_RESULT_REQUEST, PL_PE_RESULT_REQUEST,
			      PL_SC_NONE);
		return;
	case PL_DO_START_VERIFY:
		step_pair(c, p, (struct pl_pair_event){
			.kind = verify(p->side, peer->side) });
		return;
	case PL_DO_SEND_VALID:
		post_dialback(peer, PL_DB_RESULT_ANSWER, PL_PE_RESULT_VALID,
			      PL_SC_NONE);
		return;
	case PL_DO_SEND_INVALID:
		post_dialback(peer, PL_DB_RESULT_ANSWER, PL_PE_RESULT_INVALID,
			      PL_SC_NONE);
		return;
	case PL_DO_SEND_RESULT_ERROR:
		post_dialback(peer, PL_DB_RESULT_ANSWER, PL_PE_RESULT_ERROR,
			      step->stanza_condition);
		return;
	case PL_DO_OPEN_PAIR:
		step_stream_kind(c, p, PL_EV_PAIR_OPENED, PL_CODE_NONE);
		return;
	case PL_DO_FAIL_PAIR:
		p->code = step->code;
		p->who = step->side;
		p->next = step->next;
		return;
	case PL_DO_END_STREAM:
		step_stream_kind(c, p, PL_EV_PAIR_INVALID, step->code);
		return;
	case PL_DO_GONE_PAIR:
	case PL_DO_REVERSE_PAIR:
	case PL_DO_UNSOLICITED:
		return;
	}
}

static void step_pair(struct connection *c, struct party *p,
		      struct pl_pair_event event)
{
	struct pl_step step;

	event.encrypted = p->stream.encrypted;
	event.sasl_failed = p->stream.sasl_failures > 0;
	event.addresses_good = event.key_present = event.to_hosted = true;
	event.certificate = other(c, p)->side->certificate;
	pl_pair_step(&p->terms, &p->pair, &event, &step);
	/* Numbers below are those of enum pl_action: deadlines. */
	for (unsigned i = 0; i < step.count; i++)
		if (step.actions[i] >= PL_DO_SEND_RESULT)
			act_pair(c, p, &step, step.actions[i]);
}

/* ------------------------------------------------------------- streams */

static void judge_sasl(struct party *p)
{
	post_event(p, (struct pl_stream_event){
		.kind = p->side->refuses_sasl ? PL_EV_SASL_REJECTED
					      : PL_EV_SASL_ACCEPTED,
		.sasl = PL_SASL_NOT_AUTHORIZED,
	});
}

static void end_pairs(struct connection *c, struct party *p,
		      const struct pl_step *step)
{
	step_pair(c, p, (struct pl_pair_event){ .kind = PL_PE_STREAM_ENDED,
						.code = step->code,
						.stage = step->stage,
						.side = step->side,
						.next = step->next });
}

static void post_sm(struct party *peer, enum pl_sm_element element)
{
	post_event(peer, (struct pl_stream_event){ .kind = PL_EV_SM,
						   .sm = element });
}

static void act(struct connection *c, struct party *p,
		const struct letter *letter, const struct pl_step *step,
		enum pl_action action)
{
	struct party *peer = other(c, p);

	switch (action) {
	case PL_DO_SEND_HEADER:
		post_header(c, p, true);
		return;
	case PL_DO_SEND_HEADER_OLD:
		post_header(c, p, false);
		return;
	case PL_DO_SEND_FEATURES:
		post_features(peer, step->features);
		return;
	case PL_DO_SEND_STARTTLS:
		post_kind(peer, PL_EV_STARTTLS);
		return;
	case PL_DO_SEND_PROCEED:
		post_kind(peer, PL_EV_PROCEED);
		return;
	case PL_DO_SEND_TLS_FAILURE:
		post_kind(peer, PL_EV_STARTTLS_FAILURE);
		return;
	case PL_DO_START_HANDSHAKE:
		shake_hands(c, p);
		return;
	case PL_DO_SEND_BIDI:
		post_kind(peer, PL_EV_BIDI);
		return;
	case PL_DO_SEND_ENABLE:
		post_sm(peer, PL_SM_ENABLE);
		return;
	case PL_DO_SEND_RESUME:
		post_sm(peer, PL_SM_RESUME);
		return;
	case PL_DO_ENABLE_SM:
		post_sm(peer, PL_SM_ENABLED);
		return;
	case PL_DO_RESUME_SM:
		post_sm(peer, PL_SM_RESUMED);
		return;
	case PL_DO_REFUSE_SM:
		post_sm(peer, PL_SM_FAILED);
		return;
	case PL_DO_SEND_AUTH:
		post_event(peer, (struct pl_stream_event){ .kind = PL_EV_AUTH,
							   .flag = true });
		return;
	case PL_DO_SEND_RESPONSE:
		post_kind(peer, PL_EV_RESPONSE);
		return;
	case PL_DO_START_SASL:
	case PL_DO_CONTINUE_SASL:
		judge_sasl(p);
		return;
	case PL_DO_SEND_CHALLENGE:
		post_kind(peer, PL_EV_CHALLENGE);
		return;
	case PL_DO_SEND_SUCCESS:
		post_kind(peer, PL_EV_SASL_SUCCESS);
		return;
	case PL_DO_SEND_SASL_FAILURE:
		post_kind(peer, PL_EV_SASL_FAILURE);
		return;
	case PL_DO_START_PAIRS:
		if (!p->terms.verify_only)
			step_pair(c, p, (struct pl_pair_event){
				.kind = PL_PE_STREAM_READY });
		return;
	case PL_DO_AUTHENTICATED:
		step_pair(c, p, (struct pl_pair_event){
			.kind = PL_PE_AUTHENTICATED });
		return;
	case PL_DO_PAIR:
		step_pair(c, p, (struct pl_pair_event){
			.kind = letter->pair,
			.condition = letter->condition });
		return;
	case PL_DO_END_PAIRS:
		end_pairs(c, p, step);
		return;
	case PL_DO_SEND_ERROR:
		post_event(peer, (struct pl_stream_event){
			.kind = PL_EV_STREAM_ERROR,
			.condition = step->condition });
		return;
	case PL_DO_SEND_CLOSE:
		post_kind(peer, PL_EV_CLOSED);
		return;
	case PL_DO_CLOSE:
	case PL_DO_ABORT:
		post_kind(peer, PL_EV_DISCONNECTED);
		return;
	case PL_DO_NOTHING:
	case PL_DO_END_SENDING: /* nobody leaves an open stream here */
	case PL_DO_RESTART:
	case PL_DO_DELIVER:
	case PL_DO_SM_ENABLED:
	case PL_DO_SM_RESUMED:
	case PL_DO_SM_FAILED:
	case PL_DO_SEND_ACK:
	case PL_DO_ACKED:
	case PL_DO_IGNORE:
	case PL_DO_RAISE_LIMITS:
	case PL_DO_ARM:
	case PL_DO_DISARM:
	case PL_DO_DISARM_NEGOTIATION:
		return;
	}
}

static void step_stream(struct connection *c, struct party *p,
			const struct letter *letter)
{
	struct pl_step step;

	pl_stream_step(&p->terms, &p->stream, &letter->event, &step);
	for (unsigned i = 0; i < step.count; i++)
		act(c, p, letter, &step, step.actions[i]);
}

static bool read_letter(struct connection *c, struct party *p)
{
	struct letter letter;

	if (p->count == 0)
		return false;
	letter = p->letters[p->first];
	p->first = (p->first + 1) % LETTERS;
	p->count--;
	step_stream(c, p, &letter);
	return true;
}

static void play(struct connection *c)
{
	step_stream_kind(c, &c->receiving, PL_EV_STARTED, PL_CODE_NONE);
	step_stream_kind(c, &c->initiating, PL_EV_STARTED, PL_CODE_NONE);
	for (int i = 0; i < LETTERS_IN_ALL; i++)
		if (!read_letter(c, &c->receiving) &&
		    !read_letter(c, &c->initiating))
			break;
}

/* A party that still waits when no letter is left would wait for its deadline,
 * and one whose pair failed on a living stream has nothing to keep it for. */
static void conclude(struct connection *c)
{
	if (c->initiating.pair.phase == PL_PAIR_OPEN &&
	    c->receiving.pair.phase == PL_PAIR_OPEN)
		return;
	step_stream_kind(c, &c->initiating, PL_EV_NEGOTIATION_DEADLINE,
			 PL_CODE_NONE);
	step_stream_kind(c, &c->receiving, PL_EV_NEGOTIATION_DEADLINE,
			 PL_CODE_NONE);
}

void pl_rehearse(const struct pl_rehearsal_side *initiating,
		 const struct pl_rehearsal_side *receiving,
		 struct pl_rehearsal_result *result)
{
	struct pl_terms terms = initiating->terms;
	struct connection c;

	memset(result, 0, sizeof *result);
	do {
		begin(&c.initiating, initiating, PL_INITIATING);
		begin(&c.receiving, receiving, PL_RECEIVING);
		c.initiating.terms = terms;
		c.receiving.terms.direct_tls = terms.direct_tls;
		play(&c);
		conclude(&c);
		terms.sasl_given_up |= c.initiating.next == PL_NEXT_WITHOUT_SASL;
		terms.tls_given_up |= c.initiating.next == PL_NEXT_IN_CLEAR;
		result->connections++;
	} while (result->connections < CONNECTIONS &&
		 (c.initiating.next == PL_NEXT_WITHOUT_SASL ||
		  c.initiating.next == PL_NEXT_IN_CLEAR));
	if (c.initiating.pair.phase == PL_PAIR_OPEN &&
	    c.receiving.pair.phase == PL_PAIR_OPEN)
		result->method = c.initiating.pair.method;
	result->initiating = c.initiating.code;
	result->receiving = c.receiving.code;
	result->initiating_side = c.initiating.who;
	result->receiving_side = c.receiving.who;
	result->next = c.initiating.next;
}
