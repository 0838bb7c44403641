/*
 * A walk of the whole reachable graph.
 *
 * For every row, role and setting a model of the shell (one stream, the
 * header's pair, one further pair under a row of its own) is told every event
 * with every field value that matters, in every state that can be reached. What
 * the model knows for itself (was a handshake done, was a result asked for) is
 * kept apart from the machines' states and held against every step: what must
 * never happen fails here, with the path's last event.
 */
#include "story.h"

#include <stdlib.h>
#include <time.h>

enum { NODES = 1 << 16, SLOTS = 1 << 17 };

/* In the states that are reached first, which hold every phase, the fields that
 * only choose a code take every value; in the others, values that differ in
 * what follows. */
enum { FULL = 48 };

enum { HEADER_PAIR, FURTHER_PAIR, PAIRS };

/* What a shell would know; one byte each, so that nodes compare by memcmp. */
struct known {
	uint8_t document;      /* our header is out on the current document */
	uint8_t peer_document; /* the peer's header is in */
	uint8_t handshaking, tls_failed, encrypted, over;
	uint8_t certificate;   /* the last verdict under TLS */
	uint8_t external;      /* offered, on this document, by the receiver */
	uint8_t sasl_begun, sasl_done;
	uint8_t ready;         /* PL_DO_START_PAIRS was seen */
	uint8_t any_opened;
	uint8_t bidi_offered;  /* on this document */
	uint8_t bidi;          /* asked for, and not forgotten */
	uint8_t sm_offered;    /* on this document */
	uint8_t sm_asked;      /* initiating: <enable/> or <resume/> is out */
	uint8_t sm_on;
	uint8_t closed;        /* our closing tag is out */
	uint8_t exists[PAIRS];
	uint8_t undecided[PAIRS]; /* an attempt without its outcome yet */
	uint8_t opened[PAIRS];
	uint8_t asked[PAIRS];  /* db:result out, or db:verify under way */
	uint8_t shown[PAIRS];  /* receiving: certificate at the db:result */
};

struct node {
	struct pl_stream_state stream;
	struct pl_pair_state pairs[PAIRS];
	struct known known;
};

struct walk {
	struct pl_terms terms[PAIRS]; /* [HEADER_PAIR]: the stream's too */
	enum pl_role role;
	struct node now;              /* being changed */
	bool full;                    /* see FULL */
	const struct pl_stream_event *event;
	const struct pl_pair_event *pair_event;
	struct node *nodes;
	uint32_t *slots;              /* index + 1, or 0 */
	uint32_t count;
	uint64_t states, transitions;
	uint32_t largest;
};

static void describe(const struct walk *w, const char *what)
{
	const struct pl_terms *t = &w->terms[HEADER_PAIR];

	fail_msg("%s: row %d, %s, check %s, own certificate %d, direct %d, "
		 "verify-only %d, given up TLS %d SASL %d; further row %d; "
		 "phase %s on %s/%s; pairs %s, %s",
		 what, pl_policy_row(&t->policy),
		 w->role == PL_INITIATING ? "initiating" : "receiving",
		 pl_check_name(t->check), t->own_certificate, t->direct_tls,
		 t->verify_only, t->tls_given_up, t->sasl_given_up,
		 pl_policy_row(&w->terms[FURTHER_PAIR].policy),
		 pl_phase_name(w->now.stream.phase),
		 w->event ? pl_event_name(w->event->kind) : "-",
		 w->pair_event ? pl_pair_event_name(w->pair_event->kind) : "-",
		 pl_pair_phase_name(w->now.pairs[0].phase),
		 pl_pair_phase_name(w->now.pairs[1].phase));
}

#define NEVER(w, condition) \
	do { \
		if (condition) \
			describe(w, #condition); \
	} while (0)

/* ------------------------------------------------------------- nodes */

static uint32_t hash(const struct node *node)
{
	const unsigned char *bytes = (const unsigned char *)node;
	uint64_t h = 1469598103934665603u;
	uint64_t word;

	for (size_t i = 0; i < sizeof *node; i += sizeof word) {
		size_t left = sizeof *node - i;

		word = 0;
		memcpy(&word, bytes + i,
		       left < sizeof word ? left : sizeof word);
		h = (h ^ word) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	return (uint32_t)(h >> 16);
}

/* After the end nothing is decided, and nothing opens: no state that is worth
 * a visit. */
static void check_ended(struct walk *w)
{
	static const uint8_t kinds[] = { PL_EV_STARTED, PL_EV_STANZA,
					 PL_EV_PAIR_OPENED, PL_EV_SHUTDOWN };
	static const uint8_t answers[] = { PL_PE_VERIFY_VALID, PL_PE_DEADLINE,
					   PL_PE_RESULT_VALID,
					   PL_PE_STREAM_READY };
	struct pl_step step;

	for (size_t i = 0; i < sizeof kinds; i++) {
		struct pl_stream_event event = { .kind = kinds[i] };

		pl_stream_step(&w->terms[0], &w->now.stream, &event, &step);
		NEVER(w, step.count > 0 || w->now.stream.phase != PL_ENDED);
	}
	for (int i = 0; i < PAIRS * 4; i++) {
		struct pl_pair_event event = { .kind = answers[i / 2] };

		if (!w->now.known.exists[i % 2])
			continue;
		pl_pair_step(&w->terms[i % 2], &w->now.pairs[i % 2], &event,
			     &step);
		NEVER(w, step.count > 0 &&
			 step.actions[0] != PL_DO_UNSOLICITED);
	}
}

/* Adds the node that the walk just made, unless it is known. */
static void remember(struct walk *w)
{
	uint32_t slot;

	w->transitions++;
	if (w->now.stream.phase == PL_ENDED) {
		if (w->transitions % 8 == 0)
			check_ended(w);
		return;
	}
	slot = hash(&w->now) % SLOTS;
	while (w->slots[slot]) {
		if (memcmp(&w->nodes[w->slots[slot] - 1], &w->now,
			   sizeof w->now) == 0)
			return;
		slot = (slot + 1) % SLOTS;
	}
	assert_true(w->count < NODES);
	w->nodes[w->count] = w->now;
	w->slots[slot] = ++w->count;
}

/* ----------------------------------------------------- what pairs do */

static void step_stream(struct walk *w, const struct pl_stream_event *event);
static void check_pair_choice(struct walk *w, int i,
			      const struct pl_pair_state *before,
			      const struct pl_pair_event *event,
			      const struct pl_step *step);
static void step_pair(struct walk *w, int i, struct pl_pair_event event);

static bool allows(const struct walk *w, int i, enum pl_method method)
{
	return pl_policy_allows(&w->terms[i].policy, method);
}

static bool bad(uint8_t certificate)
{
	return certificate != PL_CERT_NONE && certificate != PL_CERT_VALID;
}

static void may_send(struct walk *w)
{
	NEVER(w, w->now.known.handshaking);
	NEVER(w, w->now.known.tls_failed);
	NEVER(w, !w->now.known.document);
	NEVER(w, w->now.known.over || w->now.known.closed);
}

/* The pair of the other way opens exactly where both sides agreed on it, and
 * its own row allows what proved the first. */
static void check_reverse(struct walk *w, int i, enum pl_method method)
{
	const struct known *k = &w->now.known;
	bool ways = pl_stream_both_ways(&w->now.stream);
	struct pl_pair_state pair;
	struct pl_step step;

	NEVER(w, ways && (!k->bidi || !w->terms[HEADER_PAIR].bidi));
	NEVER(w, ways && w->role == PL_INITIATING && k->encrypted &&
		 k->certificate != PL_CERT_VALID);
	pl_pair_init(&pair, w->role == PL_INITIATING ? PL_RECEIVING
						     : PL_INITIATING);
	pl_pair_step(&w->terms[i], &pair, &(struct pl_pair_event){
		.kind = PL_PE_REVERSED, .method = method }, &step);
	NEVER(w, (pair.phase == PL_PAIR_OPEN) !=
		 (w->terms[i].bidi && w->terms[i].partner_known &&
		  allows(w, i, method)));
	NEVER(w, holds(&step, PL_DO_OPEN_PAIR));
}

/* An outcome: negotiated. */
static void on_open(struct walk *w, int i, const struct pl_step *step)
{
	struct known *k = &w->now.known;
	const struct pl_terms *t = &w->terms[i];
	bool sasl = step->method == PL_METHOD_SASL_OVER_TLS;

	NEVER(w, !k->exists[i] || !k->undecided[i]);
	NEVER(w, !allows(w, i, step->method));
	NEVER(w, step->method != w->now.pairs[i].method);
	NEVER(w, !t->partner_known);
	NEVER(w, t->policy.tls == PL_REQUIRED && !k->encrypted);
	NEVER(w, t->verify_only);
	if (sasl) {
		NEVER(w, i != HEADER_PAIR);
		NEVER(w, !k->encrypted || !k->sasl_done);
		NEVER(w, w->role == PL_INITIATING && !t->own_certificate);
		NEVER(w, w->role == PL_INITIATING &&
			 k->certificate != PL_CERT_VALID);
	} else if (w->role == PL_INITIATING) {
		NEVER(w, w->pair_event->kind != PL_PE_RESULT_VALID);
		NEVER(w, !k->asked[i]);
	} else if (step->verified_by_certificate) {
		NEVER(w, k->shown[i] != PL_CERT_VALID || !k->encrypted);
		NEVER(w, w->pair_event->kind != PL_PE_RESULT_REQUEST);
	} else {
		NEVER(w, w->pair_event->kind != PL_PE_VERIFY_VALID);
		NEVER(w, !k->asked[i]);
	}
	NEVER(w, !sasl && k->encrypted !=
			  (step->method == PL_METHOD_TLS_DIALBACK));
	NEVER(w, !sasl && k->encrypted && w->role == PL_RECEIVING &&
		 bad(k->shown[i]) && (t->policy.sasl == PL_REQUIRED ||
				      t->check == PL_CHECK_STRICT));
	NEVER(w, i == HEADER_PAIR && k->encrypted &&
		 w->role == PL_INITIATING && bad(k->certificate) &&
		 (t->policy.sasl == PL_REQUIRED ||
		  t->check == PL_CHECK_STRICT));
	check_reverse(w, i, step->method);
	k->undecided[i] = false;
	k->opened[i] = true;
	k->any_opened = true;
	step_stream(w, &(struct pl_stream_event){ .kind = PL_EV_PAIR_OPENED });
}

/* An outcome: failed. */
static void on_fail(struct walk *w, int i, const struct pl_step *step)
{
	struct known *k = &w->now.known;

	NEVER(w, !k->exists[i] || !k->undecided[i]);
	NEVER(w, step->code == PL_CODE_NONE);
	NEVER(w, step->next == PL_NEXT_IN_CLEAR &&
		 (!w->terms[HEADER_PAIR].plaintext_retry ||
		  !allows(w, HEADER_PAIR, PL_METHOD_TCP_DIALBACK)));
	NEVER(w, w->role == PL_INITIATING &&
		 step->stanza_condition == PL_SC_NONE);
	k->undecided[i] = false;
}

static void carry_out_pair(struct walk *w, int i, const struct pl_step *step,
			   unsigned action)
{
	struct known *k = &w->now.known;

	switch (action) {
	case PL_DO_SEND_RESULT:
		may_send(w);
		NEVER(w, k->opened[i] || k->asked[i]);
		NEVER(w, !k->ready && !k->any_opened);
		NEVER(w, !allows(w, i, k->encrypted ? PL_METHOD_TLS_DIALBACK
						    : PL_METHOD_TCP_DIALBACK));
		k->asked[i] = true;
		break;
	case PL_DO_START_VERIFY:
		NEVER(w, k->opened[i] || k->asked[i]);
		k->asked[i] = true;
		break;
	case PL_DO_SEND_VALID:
		may_send(w);
		NEVER(w, !k->opened[i]);
		k->asked[i] = false;
		break;
	case PL_DO_SEND_INVALID:
	case PL_DO_SEND_RESULT_ERROR:
		may_send(w);
		NEVER(w, k->opened[i]);
		NEVER(w, action == PL_DO_SEND_RESULT_ERROR &&
			 step->stanza_condition == PL_SC_NONE);
		k->asked[i] = false;
		break;
	case PL_DO_OPEN_PAIR:
		on_open(w, i, step);
		break;
	case PL_DO_FAIL_PAIR:
		on_fail(w, i, step);
		break;
	case PL_DO_GONE_PAIR:
		k->undecided[i] = false;
		k->opened[i] = false;
		break;
	case PL_DO_END_STREAM:
		step_stream(w, &(struct pl_stream_event){
			.kind = PL_EV_PAIR_INVALID, .code = step->code });
		NEVER(w, w->now.stream.phase != PL_ENDED);
		break;
	case PL_DO_ARM:
	case PL_DO_DISARM:
	case PL_DO_UNSOLICITED:
		break;
	default:
		describe(w, "a pair's step holds a foreign action");
	}
}

static void step_pair(struct walk *w, int i, struct pl_pair_event event)
{
	const struct pl_pair_event *outer = w->pair_event;
	struct known *k = &w->now.known;
	const struct pl_pair_state state = w->now.pairs[i];
	struct pl_step step;
	bool failed = w->now.pairs[i].phase == PL_PAIR_FAILED;

	event.encrypted = w->now.stream.encrypted;
	event.sasl_failed = w->now.stream.sasl_failures > 0;
	event.other_pairs_open = k->opened[!i];
	/* What was told is told; these begin a new attempt (design, section 2,
	 * "the outcome line"). */
	if (w->role == PL_RECEIVING && failed &&
	    (event.kind == PL_PE_RESULT_REQUEST ||
	     event.kind == PL_PE_AUTHENTICATED))
		k->undecided[i] = true;
	w->pair_event = &event;
	pl_pair_step(&w->terms[i], &w->now.pairs[i], &event, &step);
	check_pair_choice(w, i, &state, &event, &step);
	for (int a = 0; a < step.count; a++)
		carry_out_pair(w, i, &step, step.actions[a]);
	if (w->role == PL_INITIATING &&
	    w->now.pairs[i].phase != PL_PAIR_AWAIT_RESULT)
		k->asked[i] = false;
	NEVER(w, (w->now.pairs[i].phase == PL_PAIR_OPEN) != k->opened[i]);
	w->pair_event = outer;
}

/* sending: those on which the peer sends, and which are open, go on. */
static void end_pairs(struct walk *w, const struct pl_step *step, bool sending)
{
	for (int i = 0; i < PAIRS; i++) {
		if (!w->now.known.exists[i])
			continue;
		if (sending && w->role == PL_RECEIVING &&
		    w->now.known.opened[i])
			continue;
		step_pair(w, i, (struct pl_pair_event){
			.kind = PL_PE_STREAM_ENDED,
			.code = step->code,
			.stage = step->stage,
			.side = step->side,
			.next = step->next,
			.excused = w->now.stream.verify_served ||
				   w->now.stream.dialback_seen });
		NEVER(w, w->now.known.undecided[i]);
		NEVER(w, w->now.known.opened[i]);
	}
}

/* --------------------------------------------------- what streams do */

static void check_features(struct walk *w, unsigned features)
{
	const struct known *k = &w->now.known;
	const struct pl_terms *t = &w->terms[HEADER_PAIR];

	NEVER(w, (features & PL_FEATURE_EXTERNAL) &&
		 (!k->encrypted || k->certificate != PL_CERT_VALID ||
		  k->sasl_done ||
		  !allows(w, HEADER_PAIR, PL_METHOD_SASL_OVER_TLS)));
	NEVER(w, (features & PL_FEATURE_STARTTLS) &&
		 (k->encrypted || !t->own_certificate ||
		  t->policy.tls == PL_NOT_SUPPORTED));
	NEVER(w, (features & PL_FEATURE_BIDI) &&
		 (!t->bidi || k->sasl_done || features == PL_FEATURE_BIDI ||
		  (features & PL_FEATURE_STARTTLS_REQUIRED)));
	NEVER(w, (features & PL_FEATURE_SM) &&
		 (!k->sasl_done || !t->stream_management));
	NEVER(w, (features & PL_FEATURE_DIALBACK) &&
		 !allows(w, HEADER_PAIR, k->encrypted
					 ? PL_METHOD_TLS_DIALBACK
					 : PL_METHOD_TCP_DIALBACK));
}

static void may_begin_sasl(struct walk *w)
{
	const struct known *k = &w->now.known;

	NEVER(w, !k->encrypted || !k->external);
	NEVER(w, k->certificate != PL_CERT_VALID);
	NEVER(w, k->sasl_done || k->any_opened);
	NEVER(w, !allows(w, HEADER_PAIR, PL_METHOD_SASL_OVER_TLS));
	NEVER(w, w->role == PL_INITIATING &&
		 (!w->terms[HEADER_PAIR].own_certificate ||
		  w->terms[HEADER_PAIR].verify_only ||
		  w->terms[HEADER_PAIR].sasl_given_up));
}

/* Counting begins on authenticated streams alone, once, and where both sides
 * want it. */
static void may_begin_sm(struct walk *w)
{
	const struct known *k = &w->now.known;

	NEVER(w, !k->sasl_done || !k->encrypted || k->sm_on);
	NEVER(w, !k->sm_offered);
	NEVER(w, !w->terms[HEADER_PAIR].stream_management);
	NEVER(w, w->terms[HEADER_PAIR].verify_only);
}

static void begin_document(struct walk *w)
{
	w->now.known.sm_offered = false;
	w->now.known.document = w->now.known.peer_document = false;
	w->now.known.external = false;
	w->now.known.bidi_offered = false;
}

static void carry_out(struct walk *w, const struct pl_step *step,
		      enum pl_action action)
{
	struct known *k = &w->now.known;
	const struct pl_stream_event *event = w->event;

	switch (action) {
	case PL_DO_SEND_HEADER:
	case PL_DO_SEND_HEADER_OLD:
		NEVER(w, k->document); /* one a document */
		k->document = true;
		may_send(w);
		break;
	case PL_DO_SEND_FEATURES:
		may_send(w);
		check_features(w, step->features);
		k->external = (step->features & PL_FEATURE_EXTERNAL) != 0;
		k->bidi_offered = (step->features & PL_FEATURE_BIDI) != 0;
		k->sm_offered = (step->features & PL_FEATURE_SM) != 0;
		break;
	case PL_DO_SEND_ENABLE:
	case PL_DO_SEND_RESUME:
		may_send(w);
		may_begin_sm(w);
		NEVER(w, w->role != PL_INITIATING || k->sm_asked);
		NEVER(w, action == PL_DO_SEND_RESUME &&
			 !w->terms[HEADER_PAIR].resumes);
		k->sm_asked = true;
		break;
	case PL_DO_SM_ENABLED:
	case PL_DO_SM_RESUMED:
		NEVER(w, !k->sm_asked || k->sm_on || event->kind != PL_EV_SM);
		NEVER(w, action == PL_DO_SM_RESUMED &&
			 (!event->flag || event->too_high));
		k->sm_on = true;
		break;
	case PL_DO_SM_FAILED:
		NEVER(w, !k->sm_asked || k->sm_on);
		k->sm_asked = false;
		break;
	case PL_DO_ENABLE_SM:
	case PL_DO_RESUME_SM:
		may_send(w);
		may_begin_sm(w);
		NEVER(w, w->role != PL_RECEIVING || !k->opened[HEADER_PAIR]);
		NEVER(w, action == PL_DO_RESUME_SM &&
			 (!event->flag || event->too_high));
		k->sm_on = true;
		break;
	case PL_DO_REFUSE_SM:
		may_send(w);
		NEVER(w, w->role != PL_RECEIVING);
		NEVER(w, step->stanza_condition == PL_SC_NONE);
		break;
	case PL_DO_SEND_ACK:
		may_send(w);
		NEVER(w, !k->sm_on || event->sm != PL_SM_REQUEST);
		break;
	case PL_DO_ACKED:
		NEVER(w, !k->sm_on || event->too_high);
		break;
	case PL_DO_SEND_BIDI:
		may_send(w);
		NEVER(w, w->role != PL_INITIATING || k->bidi || k->any_opened);
		NEVER(w, !w->terms[HEADER_PAIR].bidi || !k->bidi_offered);
		NEVER(w, w->terms[HEADER_PAIR].verify_only);
		NEVER(w, k->encrypted && k->certificate != PL_CERT_VALID);
		k->bidi = true;
		break;
	case PL_DO_SEND_STARTTLS:
		may_send(w);
		NEVER(w, k->encrypted);
		NEVER(w, w->terms[HEADER_PAIR].policy.tls == PL_NOT_SUPPORTED);
		break;
	case PL_DO_SEND_PROCEED:
		may_send(w);
		NEVER(w, k->encrypted || k->asked[0] || k->asked[1]);
		break;
	case PL_DO_START_HANDSHAKE:
		NEVER(w, k->encrypted || k->handshaking);
		k->handshaking = true;
		begin_document(w);
		break;
	case PL_DO_RESTART:
		NEVER(w, w->role == PL_RECEIVING &&
			 (k->asked[0] || k->asked[1]));
		begin_document(w);
		break;
	case PL_DO_SEND_AUTH:
		may_send(w);
		may_begin_sasl(w);
		k->sasl_begun = true;
		break;
	case PL_DO_START_SASL:
		may_begin_sasl(w);
		k->sasl_begun = true;
		break;
	case PL_DO_SEND_SUCCESS:
		may_send(w);
		NEVER(w, event->kind != PL_EV_SASL_ACCEPTED || !k->sasl_begun);
		k->sasl_done = true;
		break;
	case PL_DO_SEND_SASL_FAILURE:
		may_send(w);
		NEVER(w, step->sasl == PL_SASL_NONE);
		k->sasl_begun = false;
		break;
	case PL_DO_SEND_RESPONSE:
	case PL_DO_SEND_CHALLENGE:
	case PL_DO_CONTINUE_SASL:
		may_send(w);
		NEVER(w, !k->sasl_begun || !k->encrypted);
		break;
	case PL_DO_SEND_TLS_FAILURE:
		may_send(w);
		break;
	case PL_DO_SEND_CLOSE:
		may_send(w);
		k->closed = true;
		break;
	case PL_DO_SEND_ERROR:
		may_send(w);
		NEVER(w, step->condition == PL_COND_NONE);
		break;
	case PL_DO_START_PAIRS:
		NEVER(w, w->role != PL_INITIATING);
		k->ready = true;
		if (!w->terms[HEADER_PAIR].verify_only)
			step_pair(w, HEADER_PAIR, (struct pl_pair_event){
				.kind = PL_PE_STREAM_READY });
		break;
	case PL_DO_AUTHENTICATED:
		NEVER(w, !k->sasl_done);
		if (k->exists[HEADER_PAIR])
			step_pair(w, HEADER_PAIR, (struct pl_pair_event){
				.kind = PL_PE_AUTHENTICATED });
		break;
	case PL_DO_DELIVER:
		NEVER(w, w->role == PL_INITIATING &&
			 (!k->bidi || (k->encrypted &&
				       k->certificate != PL_CERT_VALID)));
		NEVER(w, !event->flag || event->addressing != PL_ADDRESS_OK);
		NEVER(w, w->role == PL_RECEIVING && !k->opened[0] &&
			 !k->opened[1]);
		break;
	case PL_DO_PAIR:
		NEVER(w, event->kind != PL_EV_DIALBACK);
		NEVER(w, (event->dialback == PL_DB_RESULT_REQUEST ||
			  event->dialback == PL_DB_VERIFY_REQUEST) !=
			 (w->role == PL_RECEIVING) &&
			 !(event->dialback == PL_DB_RESULT_REQUEST &&
			   k->bidi && k->any_opened));
		break;
	case PL_DO_END_PAIRS:
		end_pairs(w, step, false);
		break;
	case PL_DO_END_SENDING:
		NEVER(w, k->sm_on || !k->closed);
		NEVER(w, w->role == PL_INITIATING && !k->bidi);
		end_pairs(w, step, true);
		break;
	case PL_DO_CLOSE:
	case PL_DO_ABORT:
		k->over = true;
		break;
	case PL_DO_ARM:
		NEVER(w, step->deadline == PL_DEADLINE_NONE);
		break;
	case PL_DO_NOTHING:
	case PL_DO_IGNORE:
	case PL_DO_RAISE_LIMITS:
	case PL_DO_DISARM:
	case PL_DO_DISARM_NEGOTIATION:
		break;
	}
}

/* Our own fault is only what our own shell can cause. */
static bool shells_own(enum pl_stream_event_kind kind)
{
	return kind == PL_EV_STARTED || kind == PL_EV_HANDSHAKE_DONE ||
	       kind == PL_EV_HANDSHAKE_FAILED || kind == PL_EV_SASL_ACCEPTED ||
	       kind == PL_EV_SASL_CONTINUE || kind == PL_EV_SASL_REJECTED;
}

static void check_step(struct walk *w, unsigned before,
		       const struct pl_step *step)
{
	const struct pl_stream_state *s = &w->now.stream;
	bool ends = holds(step, PL_DO_CLOSE) || holds(step, PL_DO_ABORT);

	NEVER(w, before == PL_ENDED && step->count > 0);
	NEVER(w, (before != PL_ENDED && s->phase == PL_ENDED) != ends);
	NEVER(w, ends != holds(step, PL_DO_END_PAIRS));
	NEVER(w, ends && holds(step, PL_DO_CLOSE) == holds(step, PL_DO_ABORT));
	NEVER(w, ends && step->code == PL_CODE_NONE &&
		 w->event->kind != PL_EV_IDLE && before != PL_AWAIT_CLOSE);
	NEVER(w, before == PL_AWAIT_CLOSE && s->phase != PL_AWAIT_CLOSE &&
		 !ends);
	NEVER(w, (s->phase == PL_AWAIT_CLOSE) != (w->now.known.closed &&
						  !w->now.known.over));
	NEVER(w, step->code == PL_CODE_INTERNAL && !shells_own(w->event->kind));
	NEVER(w, step->next == PL_NEXT_WITHOUT_SASL &&
		 (w->role != PL_INITIATING ||
		  w->terms[HEADER_PAIR].policy.sasl == PL_REQUIRED ||
		  w->terms[HEADER_PAIR].sasl_given_up ||
		  !allows(w, HEADER_PAIR, PL_METHOD_TLS_DIALBACK)));
	NEVER(w, step->next == PL_NEXT_IN_CLEAR &&
		 (w->event->kind != PL_EV_HANDSHAKE_FAILED ||
		  w->terms[HEADER_PAIR].tls_given_up));
	NEVER(w, step->next != PL_NEXT_NONE && w->role == PL_RECEIVING);
	NEVER(w, s->authenticated && !w->now.known.encrypted);
}

/* ------------------------------------- what the explanation must not say */

static unsigned why_not(const struct pl_choice *choice, unsigned alternative)
{
	for (int i = 0; i < choice->count; i++)
		if (choice->rejected[i].choice == alternative)
			return choice->rejected[i].reason;
	return PL_WHY_NOTHING;
}

/* Something speaks against it, not only for another. */
static bool is_hard(unsigned why)
{
	return why != PL_WHY_NOTHING && why != PL_WHY_BETTER &&
	       why != PL_WHY_FALLBACK;
}

static void check_reasons(struct walk *w, const struct pl_choice *choice)
{
	const struct pl_terms *t =
		&w->terms[w->pair_event != NULL ? FURTHER_PAIR : HEADER_PAIR];

	for (int i = 0; i < choice->count; i++) {
		unsigned why = choice->rejected[i].reason;

		NEVER(w, why == PL_WHY_NOTHING || why >= PL_WHYS ||
			 why == PL_WHY_CERTIFICATE + PL_CERT_VALID);
		NEVER(w, choice->rejected[i].choice == choice->choice);
		NEVER(w, choice->choice == PL_CHOICE_REFUSE && !is_hard(why));
		if (w->pair_event != NULL)
			continue;
		NEVER(w, why == PL_WHY_TLS_REQUIRED &&
			 t->policy.tls != PL_REQUIRED);
		NEVER(w, why == PL_WHY_TLS_NOT_SUPPORTED &&
			 t->policy.tls != PL_NOT_SUPPORTED);
		NEVER(w, why == PL_WHY_SASL_REQUIRED &&
			 t->policy.sasl != PL_REQUIRED);
		NEVER(w, why == PL_WHY_SASL_NOT_SUPPORTED &&
			 t->policy.sasl != PL_NOT_SUPPORTED);
		NEVER(w, why == PL_WHY_NO_DIALBACK && t->policy.dialback);
		NEVER(w, why == PL_WHY_OWN_CERTIFICATE && t->own_certificate);
	}
	NEVER(w, choice->choice == PL_CHOICE_REFUSE && choice->count == 0);
}

/* Every feature was offered, or there is a reason. */
static void check_offer(struct walk *w, const struct pl_choice *choice,
			const struct pl_step *step)
{
	static const uint8_t pairs[][2] = {
		{ PL_FEATURE_EXTERNAL, PL_CHOICE_EXTERNAL },
		{ PL_FEATURE_DIALBACK, PL_CHOICE_DIALBACK },
		{ PL_FEATURE_STARTTLS, PL_CHOICE_STARTTLS },
	};

	NEVER(w, choice->offers != step->features);
	for (int i = 0; i < (w->now.known.encrypted ? 2 : 3); i++)
		NEVER(w, ((step->features & pairs[i][0]) != 0) ==
			 (why_not(choice, pairs[i][1]) != PL_WHY_NOTHING));
}

static void check_choice(struct walk *w, const struct pl_stream_state *before,
			 const struct pl_stream_event *event,
			 const struct pl_stream_state *after,
			 const struct pl_step *step)
{
	bool pairs = holds(step, PL_DO_START_PAIRS);
	bool failure = holds(step, PL_DO_SEND_TLS_FAILURE) ||
		       holds(step, PL_DO_SEND_SASL_FAILURE);
	bool ended = holds(step, PL_DO_END_PAIRS);
	struct pl_choice choice;
	unsigned chosen;

	NEVER(w, pl_stream_choice(&w->terms[HEADER_PAIR], before, event, step,
				  &choice) !=
		 (choice.choice != PL_CHOICE_NOTHING));
	chosen = choice.choice;
	NEVER(w, (chosen == PL_CHOICE_STARTTLS) !=
		 (holds(step, PL_DO_SEND_STARTTLS) ||
		  holds(step, PL_DO_SEND_PROCEED)));
	NEVER(w, (chosen == PL_CHOICE_EXTERNAL) !=
		 holds(step, PL_DO_SEND_AUTH));
	NEVER(w, (chosen == PL_CHOICE_STAY_IN_CLEAR) !=
		 (pairs && !after->encrypted));
	NEVER(w, (chosen == PL_CHOICE_DIALBACK) != (pairs && after->encrypted));
	NEVER(w, (chosen == PL_CHOICE_OFFER) !=
		 holds(step, PL_DO_SEND_FEATURES));
	NEVER(w, (chosen == PL_CHOICE_ACCEPT_EXTERNAL) !=
		 holds(step, PL_DO_SEND_SUCCESS));
	NEVER(w, (chosen == PL_CHOICE_RETRY) !=
		 (ended && step->next != PL_NEXT_NONE));
	NEVER(w, chosen == PL_CHOICE_REFUSE && !failure && !ended);
	NEVER(w, failure && chosen != PL_CHOICE_REFUSE);
	NEVER(w, ended && step->next == PL_NEXT_NONE &&
		 (step->code == PL_CODE_PARTNER_UNKNOWN ||
		  step->code == PL_CODE_ROW_NOT_VALID ||
		  step->code == PL_CODE_DIALBACK_NOT_OFFERED ||
		  step->code == PL_CODE_NOTHING_OFFERED) &&
		 chosen != PL_CHOICE_REFUSE);
	/* What was left aside for another way has a reason of its own. */
	NEVER(w, chosen == PL_CHOICE_DIALBACK &&
		 !is_hard(why_not(&choice, PL_CHOICE_EXTERNAL)));
	NEVER(w, chosen == PL_CHOICE_STAY_IN_CLEAR &&
		 !is_hard(why_not(&choice, PL_CHOICE_STARTTLS)));
	NEVER(w, chosen == PL_CHOICE_STARTTLS && w->role == PL_INITIATING &&
		 why_not(&choice, PL_CHOICE_STAY_IN_CLEAR) == PL_WHY_NOTHING);
	check_reasons(w, &choice);
	if (chosen == PL_CHOICE_OFFER)
		check_offer(w, &choice, step);
}

static void check_pair_choice(struct walk *w, int i,
			      const struct pl_pair_state *before,
			      const struct pl_pair_event *event,
			      const struct pl_step *step)
{
	bool failed = holds(step, PL_DO_FAIL_PAIR);
	struct pl_choice choice;
	unsigned chosen;

	NEVER(w, pl_pair_choice(&w->terms[i], before, event, step, &choice) !=
		 (choice.choice != PL_CHOICE_NOTHING));
	chosen = choice.choice;
	NEVER(w, (chosen == PL_CHOICE_DIALBACK) !=
		 holds(step, PL_DO_SEND_RESULT));
	NEVER(w, (chosen == PL_CHOICE_ACCEPT_DIALBACK) !=
		 holds(step, PL_DO_START_VERIFY));
	NEVER(w, (chosen == PL_CHOICE_CERTIFICATE) !=
		 (holds(step, PL_DO_OPEN_PAIR) &&
		  step->verified_by_certificate));
	NEVER(w, chosen == PL_CHOICE_REFUSE && !failed);
	NEVER(w, failed && event->kind == PL_PE_RESULT_REQUEST &&
		 chosen != PL_CHOICE_REFUSE);
	NEVER(w, chosen == PL_CHOICE_RETRY && step->next == PL_NEXT_NONE);
	NEVER(w, chosen == PL_CHOICE_ACCEPT_DIALBACK &&
		 !is_hard(why_not(&choice, PL_CHOICE_CERTIFICATE)));
	NEVER(w, chosen == PL_CHOICE_CERTIFICATE &&
		 is_hard(why_not(&choice, PL_CHOICE_ACCEPT_DIALBACK)));
	check_reasons(w, &choice);
}

static void note_event(struct walk *w, const struct pl_stream_event *event)
{
	struct known *k = &w->now.known;
	unsigned phase = w->now.stream.phase;

	if (event->kind == PL_EV_HANDSHAKE_DONE && k->handshaking) {
		k->handshaking = false;
		k->encrypted = true;
		k->certificate = (uint8_t)event->certificate;
		k->sasl_begun = false;
		k->bidi = false; /* what was asked in clear is forgotten */
	}
	if (event->kind == PL_EV_HANDSHAKE_FAILED && k->handshaking)
		k->tls_failed = true;
	if (event->kind == PL_EV_HEADER && phase == PL_AWAIT_HEADER) {
		k->peer_document = true;
		if (w->role == PL_RECEIVING && k->encrypted)
			k->certificate = (uint8_t)event->certificate;
		if (w->role == PL_RECEIVING && event->header.from_present &&
		    !k->exists[HEADER_PAIR]) {
			k->exists[HEADER_PAIR] = true;
			k->undecided[HEADER_PAIR] = true;
		}
	}
	if (event->kind == PL_EV_FEATURES && w->role == PL_INITIATING) {
		k->external = (event->features & PL_FEATURE_EXTERNAL) != 0;
		k->bidi_offered = (event->features & PL_FEATURE_BIDI) != 0;
		k->sm_offered = (event->features & PL_FEATURE_SM) != 0;
	}
	if (event->kind == PL_EV_BIDI && w->role == PL_RECEIVING &&
	    k->bidi_offered && phase == PL_AWAIT_CHOICE)
		k->bidi = true;
	if (event->kind == PL_EV_SASL_SUCCESS && k->sasl_begun &&
	    w->role == PL_INITIATING)
		k->sasl_done = true;
	if (event->kind == PL_EV_SASL_FAILURE && w->role == PL_INITIATING)
		k->sasl_begun = false;
}

static void step_stream(struct walk *w, const struct pl_stream_event *event)
{
	const struct pl_stream_event *outer = w->event;
	const struct pl_stream_state state = w->now.stream;
	unsigned before = w->now.stream.phase;
	struct pl_stream_state after;
	struct pl_step step;

	w->event = event;
	note_event(w, event);
	pl_stream_step(&w->terms[HEADER_PAIR], &w->now.stream, event, &step);
	after = w->now.stream;
	for (int a = 0; a < step.count; a++)
		carry_out(w, &step, step.actions[a]);
	check_step(w, before, &step);
	if (w->full || w->transitions % 4 == 0)
		check_choice(w, &state, event, &after, &step);
	NEVER(w, pl_stream_holds(&w->now.stream) &&
		 (!w->now.known.sasl_done || w->now.known.sm_on));
	NEVER(w, w->now.stream.sm == PL_SM_ON && !w->now.known.sm_on);
	NEVER(w, event->kind == PL_EV_DEADLINE &&
		 pl_stream_holds(&w->now.stream) &&
		 w->now.stream.phase == PL_OPEN);
	NEVER(w, w->now.stream.phase == PL_OPEN && !w->now.known.any_opened &&
		 event->kind != PL_EV_PAIR_OPENED);
	NEVER(w, event->kind == PL_EV_NEGOTIATION_DEADLINE &&
		 w->now.stream.phase < PL_OPEN);
	NEVER(w, event->kind == PL_EV_SHUTDOWN &&
		 w->now.stream.phase < PL_AWAIT_CLOSE);
	NEVER(w, (event->kind == PL_EV_DISCONNECTED ||
		  event->kind == PL_EV_CLOSED ||
		  event->kind == PL_EV_STREAM_ERROR ||
		  event->kind == PL_EV_FAULT ||
		  event->kind == PL_EV_BYTES_BEHIND ||
		  event->kind == PL_EV_OVERFLOW) &&
		 w->now.stream.phase != PL_ENDED);
	w->event = outer;
}

/* -------------------------------------------------------- all events */

static void try_event(struct walk *w, const struct node *from,
		      struct pl_stream_event event)
{
	w->now = *from;
	step_stream(w, &event);
	remember(w);
}

static void try_pair(struct walk *w, const struct node *from, int i,
		     struct pl_pair_event event)
{
	w->now = *from;
	w->event = NULL;
	if (!w->now.known.exists[i])
		return;
	step_pair(w, i, event);
	remember(w);
}

static const enum pl_certificate verdicts[] = {
	PL_CERT_NONE, PL_CERT_VALID, PL_CERT_EXPIRED,
};

#define BIT(n, bit) (((n) >> (bit)) & 1)

/* Where no handshake is awaited they are all alike. */
static void try_handshakes(struct walk *w, const struct node *from)
{
	int n = from->stream.phase == PL_AWAIT_HANDSHAKE ? PL_TLS_OTHER : 0;

	for (int i = 0; i < 3; i++)
		try_event(w, from, (struct pl_stream_event){
			.kind = PL_EV_HANDSHAKE_DONE,
			.certificate = verdicts[i] });
	for (int i = 0; i <= n; i++)
		for (int alert = 0; alert < 2; alert++)
			try_event(w, from, (struct pl_stream_event){
				.kind = PL_EV_HANDSHAKE_FAILED,
				.tls_failure = i, .alert = alert });
}

static void try_initiating_headers(struct walk *w, const struct node *from)
{
	for (int i = 0; i < 8; i++)
		try_event(w, from, (struct pl_stream_event){
			.kind = PL_EV_HEADER,
			.header = { .version_1 = BIT(i, 0),
				    .has_id = BIT(i, 1),
				    .declares_dialback = BIT(i, 2) } });
}

/* With all faults together, or with at most one. What the header declares is
 * kept and decides nothing on this side: it goes with the version. */
static void try_receiving_headers(struct walk *w, const struct node *from)
{
	for (int i = 0; i < 3 * 256; i++) {
		int bits = i / 3, faults = (bits >> 2 ^ 3) & 63;

		if (!w->full && (faults & (faults - 1)))
			continue;
		try_event(w, from, (struct pl_stream_event){
			.kind = PL_EV_HEADER,
			.certificate = verdicts[i % 3],
			.header = { .version_1 = BIT(bits, 0),
				    .declares_dialback = BIT(bits, 0),
				    .from_present = BIT(bits, 1),
				    .to_present = BIT(bits, 2),
				    .to_hosted = BIT(bits, 2) && BIT(bits, 3),
				    .from_local = BIT(bits, 4),
				    .malformed_address = BIT(bits, 5),
				    .over_limit = BIT(bits, 6),
				    .identity_changed = BIT(bits, 7) } });
	}
}

/* Where no header is awaited they are all alike. */
static void try_headers(struct walk *w, const struct node *from)
{
	if (from->stream.phase != PL_AWAIT_HEADER)
		try_event(w, from, (struct pl_stream_event){
			.kind = PL_EV_HEADER });
	else if (w->role == PL_INITIATING)
		try_initiating_headers(w, from);
	else
		try_receiving_headers(w, from);
}

/* Every bit but DIALBACK_ERRORS, which no transition looks at. */
static void try_features(struct walk *w, const struct node *from)
{
	unsigned n = from->stream.phase != PL_AWAIT_FEATURES ? 1
		   : w->terms[HEADER_PAIR].stream_management ? 256
		   : w->terms[HEADER_PAIR].bidi ? 128 : 64;

	for (unsigned i = 0; i < n; i++)
		if (!(i & PL_FEATURE_DIALBACK_ERRORS))
			try_event(w, from, (struct pl_stream_event){
				.kind = PL_EV_FEATURES, .features = i });
}

static bool pending(const struct node *from)
{
	for (int i = 0; i < PAIRS; i++)
		if (from->known.exists[i] &&
		    from->pairs[i].phase == PL_PAIR_AWAIT_VERIFY)
			return true;
	return false;
}

static void try_elements(struct walk *w, const struct node *from)
{
	static const uint8_t kinds[] = {
		PL_EV_PROCEED, PL_EV_STARTTLS_FAILURE, PL_EV_CHALLENGE,
		PL_EV_RESPONSE, PL_EV_SASL_ABORT, PL_EV_SASL_SUCCESS,
		PL_EV_UNEXPECTED, PL_EV_BYTES_BEHIND, PL_EV_CLOSED,
		PL_EV_OVERFLOW, PL_EV_DEADLINE, PL_EV_NEGOTIATION_DEADLINE,
		PL_EV_IDLE, PL_EV_SHUTDOWN, PL_EV_STARTED, PL_EV_SASL_ACCEPTED,
		PL_EV_SASL_CONTINUE, PL_EV_BIDI, PL_EV_REPLACED,
	};

	for (size_t i = 0; i < sizeof kinds; i++)
		try_event(w, from, (struct pl_stream_event){
			.kind = kinds[i] });
	for (int flag = 0; flag < 2; flag++) {
		try_event(w, from, (struct pl_stream_event){
			.kind = PL_EV_AUTH, .flag = flag,
			.pairs_pending = pending(from) });
		try_event(w, from, (struct pl_stream_event){
			.kind = PL_EV_SASL_FAILURE, .flag = flag });
		for (int stays = 0; stays < 2; stays++)
			try_event(w, from, (struct pl_stream_event){
				.kind = PL_EV_TERMS_CHANGED, .flag = flag,
				.stays = stays });
	}
	try_event(w, from, (struct pl_stream_event){
		.kind = PL_EV_STARTTLS, .pairs_pending = pending(from) });
	for (int i = 1; i < PL_SASLS; i++)
		if (w->full || i == PL_SASL_NOT_AUTHORIZED ||
		    i == PL_SASL_INVALID_AUTHZID)
			try_event(w, from, (struct pl_stream_event){
				.kind = PL_EV_SASL_REJECTED, .sasl = i });
	for (int i = 0; i <= PL_FAULT_FORMAT; i++)
		if (w->full || i == PL_FAULT_LIMIT)
			try_event(w, from, (struct pl_stream_event){
				.kind = PL_EV_FAULT, .fault = i });
	for (int i = 1; i < PL_CONDS; i++)
		if (w->full || i == PL_COND_NOT_AUTHORIZED ||
		    i == PL_COND_POLICY_VIOLATION || i == PL_COND_RESET ||
		    i == PL_COND_HOST_UNKNOWN)
			try_event(w, from, (struct pl_stream_event){
				.kind = PL_EV_STREAM_ERROR, .condition = i });
	for (int i = 0; i < 4; i++)
		try_event(w, from, (struct pl_stream_event){
			.kind = PL_EV_DISCONNECTED, .flag = BIT(i, 0),
			.alert = BIT(i, 1) });
}

static void try_sm(struct walk *w, const struct node *from)
{
	for (int i = 0; i <= PL_SM_ACK; i++)
		for (int bits = 0; bits < 4; bits++)
			try_event(w, from, (struct pl_stream_event){
				.kind = PL_EV_SM, .sm = i,
				.flag = BIT(bits, 0),
				.too_high = BIT(bits, 1) });
}

static void try_stanzas(struct walk *w, const struct node *from)
{
	for (int i = 0; i <= PL_ADDRESS_FROM_FOREIGN; i++)
		for (int open = 0; open < 2; open++)
			try_event(w, from, (struct pl_stream_event){
				.kind = PL_EV_STANZA, .flag = open,
				.addressing = i });
}

/* A db:result or its answer, for one of the pairs. */
static void try_result(struct walk *w, const struct node *from, int i,
		       enum pl_dialback_kind kind, struct pl_pair_event event)
{
	struct pl_stream_event element = { .kind = PL_EV_DIALBACK,
					   .dialback = kind };
	struct pl_stream_state probe = from->stream;
	struct pl_step step;
	struct known *k = &w->now.known;

	pl_stream_step(&w->terms[HEADER_PAIR], &probe, &element, &step);
	if (!holds(&step, PL_DO_PAIR))
		return; /* try_dialback() tells that to the stream */
	w->now = *from;
	step_stream(w, &element);
	w->event = &element;
	if (event.kind == PL_PE_RESULT_REQUEST) {
		if (!k->exists[i]) {
			k->exists[i] = true;
			k->undecided[i] = true;
			pl_pair_init(&w->now.pairs[i], w->role);
		}
		if (!k->asked[i])
			k->shown[i] = k->encrypted ? event.certificate
						   : PL_CERT_NONE;
		event.certificate = k->shown[i];
	} else if (!k->exists[i]) {
		return;
	}
	step_pair(w, i, event);
	NEVER(w, event.kind == PL_PE_RESULT_REQUEST && !k->opened[i] &&
		 !k->asked[i] && w->now.pairs[i].phase != PL_PAIR_FAILED);
	remember(w);
}

static void try_dialback(struct walk *w, const struct node *from)
{
	for (int i = 0; i <= PL_DB_VERIFY_ANSWER; i++)
		if (i != PL_DB_RESULT_REQUEST || w->role == PL_INITIATING)
			try_event(w, from, (struct pl_stream_event){
				.kind = PL_EV_DIALBACK, .dialback = i });
	for (int i = 0; i < PAIRS; i++) {
		if (w->role == PL_INITIATING) {
			for (int c = 0; c < (w->full ? PL_SCS : 1); c++)
				try_result(w, from, i, PL_DB_RESULT_ANSWER,
					   (struct pl_pair_event){
					.kind = PL_PE_RESULT_ERROR,
					.condition = c });
			try_result(w, from, i, PL_DB_RESULT_ANSWER,
				   (struct pl_pair_event){
				.kind = PL_PE_RESULT_VALID });
			try_result(w, from, i, PL_DB_RESULT_ANSWER,
				   (struct pl_pair_event){
				.kind = PL_PE_RESULT_INVALID });
			continue;
		}
		/* Every fault alone, then every certificate without one. */
		for (int f = 0; f < 5; f++)
			try_result(w, from, i, PL_DB_RESULT_REQUEST,
				   (struct pl_pair_event){
				.kind = PL_PE_RESULT_REQUEST,
				.addresses_good = f != 0,
				.key_present = f != 1,
				.to_hosted = f != 2,
				.from_local = f == 3,
				.over_limit = f == 4 });
		for (int c = 0; c < 3; c++)
			try_result(w, from, i, PL_DB_RESULT_REQUEST,
				   (struct pl_pair_event){
				.kind = PL_PE_RESULT_REQUEST,
				.addresses_good = true,
				.key_present = true,
				.to_hosted = true,
				.certificate = verdicts[c] });
	}
}

/* The shell opens a further pair where it may; time and the authoritative
 * server speak to pairs whenever they like. */
static void try_pairs(struct walk *w, const struct node *from)
{
	for (int i = 0; i < PAIRS; i++) {
		try_pair(w, from, i, (struct pl_pair_event){
			.kind = PL_PE_DEADLINE });
		for (int v = PL_PE_VERIFY_VALID; v <= PL_PE_VERIFY_LOST; v++)
			try_pair(w, from, i, (struct pl_pair_event){
				.kind = v });
	}
	if (w->terms[HEADER_PAIR].verify_only ||
	    !pl_stream_takes_pairs(&from->stream) ||
	    from->known.exists[FURTHER_PAIR])
		return;
	w->now = *from;
	w->event = NULL;
	w->now.known.exists[FURTHER_PAIR] = true;
	w->now.known.undecided[FURTHER_PAIR] = true;
	pl_pair_init(&w->now.pairs[FURTHER_PAIR], w->role);
	step_pair(w, FURTHER_PAIR, (struct pl_pair_event){
		.kind = PL_PE_STREAM_READY });
	remember(w);
}

static void walk(struct walk *w)
{
	memset(w->slots, 0, SLOTS * sizeof *w->slots);
	memset(&w->now, 0, sizeof w->now);
	w->count = 0;
	pl_stream_init(&w->now.stream, w->role);
	for (int i = 0; i < PAIRS; i++)
		pl_pair_init(&w->now.pairs[i], w->role);
	if (w->role == PL_INITIATING && !w->terms[HEADER_PAIR].verify_only) {
		w->now.known.exists[HEADER_PAIR] = true;
		w->now.known.undecided[HEADER_PAIR] = true;
	}
	remember(w);
	for (uint32_t i = 0; i < w->count; i++) {
		const struct node from = w->nodes[i];

		w->full = i < FULL;
		try_elements(w, &from);
		try_handshakes(w, &from);
		try_headers(w, &from);
		try_features(w, &from);
		try_stanzas(w, &from);
		try_sm(w, &from);
		try_dialback(w, &from);
		try_pairs(w, &from);
	}
	w->states += w->count;
	if (w->count > w->largest)
		w->largest = w->count;
}

/* ------------------------------------------------------ all settings */

static void report(const struct walk *w, clock_t began)
{
	print_message("# %llu states, %llu transitions, at most %u states at "
		      "once, %.1f s\n", (unsigned long long)w->states,
		      (unsigned long long)w->transitions, w->largest,
		      (double)(clock() - began) / CLOCKS_PER_SEC);
}

static void walk_settings(struct walk *w, const struct pl_terms *flags,
			  size_t count)
{
	for (int row = 1; row <= PL_POLICY_ROWS; row++)
	for (int check = PL_CHECK_STRICT; check <= PL_CHECK_LOG; check++)
	for (int own = 0; own < 2; own++)
	for (size_t f = 0; f < count; f++) {
		static const int further[] = { 7, 17, 2 };
		struct pl_terms *terms = w->terms;

		/* It comes behind SASL, which all of these can reach. */
		if (flags[f].stream_management &&
		    (check != PL_CHECK_STRICT || !own))
			continue;
		terms[HEADER_PAIR] = flags[f];
		terms[HEADER_PAIR].policy = pl_policy_of_row(row);
		terms[HEADER_PAIR].check = (uint8_t)check;
		terms[HEADER_PAIR].own_certificate = own;
		terms[FURTHER_PAIR] = row_terms(further[(row + f) % 3]);
		terms[FURTHER_PAIR].own_certificate = own;
		terms[FURTHER_PAIR].bidi = flags[f].bidi && row % 2;
		walk(w);
	}
}

static void make(struct walk *w, enum pl_role role)
{
	memset(w, 0, sizeof *w);
	w->role = role;
	w->nodes = calloc(NODES, sizeof *w->nodes);
	w->slots = calloc(SLOTS, sizeof *w->slots);
	assert_non_null(w->nodes);
	assert_non_null(w->slots);
}

static void done(struct walk *w, clock_t began)
{
	report(w, began);
	free(w->nodes);
	free(w->slots);
}

static void the_initiating_entity(void **unused)
{
	static const struct pl_terms flags[] = {
		{ .partner_known = true },
		{ .partner_known = true, .direct_tls = true },
		{ .partner_known = true, .plaintext_retry = true },
		{ .partner_known = true, .plaintext_retry = true,
		  .tls_given_up = true },
		{ .partner_known = true, .tls_given_up = true },
		{ .partner_known = true, .sasl_given_up = true },
		{ .partner_known = true, .own_expired = true },
		{ .partner_known = true, .bidi = true },
		{ .partner_known = true, .bidi = true,
		  .stream_management = true },
		{ .partner_known = true, .stream_management = true,
		  .resumes = true },
		{ .partner_known = true, .verify_only = true },
		{ .partner_known = true, .verify_only = true,
		  .stream_management = true },
		{ .partner_known = true, .verify_only = true,
		  .verify_requires_tls = true },
		{ .partner_known = false },
	};
	clock_t began = clock();
	struct walk w;

	make(&w, PL_INITIATING);
	walk_settings(&w, flags, sizeof flags / sizeof flags[0]);
	done(&w, began);
}

static void the_receiving_entity(void **unused)
{
	static const struct pl_terms flags[] = {
		{ .partner_known = true },
		{ .partner_known = true, .direct_tls = true },
		{ .partner_known = true, .bidi = true },
		{ .partner_known = true, .stream_management = true },
		{ .partner_known = true, .bidi = true,
		  .stream_management = true },
		{ .partner_known = false },
	};
	clock_t began = clock();
	struct walk w;

	make(&w, PL_RECEIVING);
	walk_settings(&w, flags, sizeof flags / sizeof flags[0]);
	done(&w, began);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_initiating_entity),
		cmocka_unit_test(the_receiving_entity),
	};

	return cmocka_run_group_tests_name("walk", tests, NULL, NULL);
}
