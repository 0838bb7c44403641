/*
 * story.h: the words that the core's tests tell their stories in.
 *
 * A story is one stream (and its header's pair) that is told what happens, and
 * asserts what the machine does about it.
 */
#ifndef PARLEY_TESTS_CORE_STORY_H
#define PARLEY_TESTS_CORE_STORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "parley/machine.h"

struct story {
	struct pl_terms terms;
	struct pl_stream_state stream;
	struct pl_pair_state pair;
	struct pl_step step;   /* of the stream, the last */
	struct pl_step paired; /* of the pair, the last */
	struct pl_header_facts header; /* that the peer sends next */
	enum pl_certificate certificate; /* that the peer shows */
};

/* Terms of a row as the configuration gives them where all is well. */
static inline struct pl_terms row_terms(int row)
{
	struct pl_policy policy = pl_policy_of_row(row);

	return (struct pl_terms){
		.policy = policy,
		.check = (uint8_t)pl_policy_default_check(&policy),
		.partner_known = true,
		.own_certificate = true,
		.verify_requires_tls = true,
	};
}

static inline void begin(struct story *s, enum pl_role role, int row)
{
	memset(s, 0, sizeof *s);
	s->terms = row_terms(row);
	s->certificate = PL_CERT_VALID;
	s->header = (struct pl_header_facts){
		.version_1 = true,
		.has_id = true,
		.to_present = true,
		.to_hosted = true,
		.from_present = true,
	};
	pl_stream_init(&s->stream, role);
	pl_pair_init(&s->pair, role);
}

static inline bool holds(const struct pl_step *step, unsigned action)
{
	return memchr(step->actions, (int)action, step->count) != NULL;
}

static inline void pair_event(struct story *s, struct pl_pair_event event)
{
	event.encrypted = s->stream.encrypted;
	event.sasl_failed = s->stream.sasl_failures > 0;
	pl_pair_step(&s->terms, &s->pair, &event, &s->paired);
}

static inline void tell(struct story *s, struct pl_stream_event event)
{
	pl_stream_step(&s->terms, &s->stream, &event, &s->step);
	if (holds(&s->step, PL_DO_START_PAIRS))
		pair_event(s, (struct pl_pair_event){ PL_PE_STREAM_READY });
	if (holds(&s->step, PL_DO_AUTHENTICATED))
		pair_event(s, (struct pl_pair_event){ PL_PE_AUTHENTICATED });
	if (holds(&s->step, PL_DO_END_PAIRS))
		pair_event(s, (struct pl_pair_event){
			.kind = PL_PE_STREAM_ENDED,
			.code = s->step.code,
			.stage = s->step.stage,
			.side = s->step.side,
			.next = s->step.next });
}

static inline void happens(struct story *s, enum pl_stream_event_kind kind)
{
	tell(s, (struct pl_stream_event){ .kind = kind });
}

static inline void header(struct story *s)
{
	tell(s, (struct pl_stream_event){ .kind = PL_EV_HEADER,
					  .header = s->header,
					  .certificate = s->certificate });
}

static inline void features(struct story *s, unsigned features)
{
	tell(s, (struct pl_stream_event){ .kind = PL_EV_FEATURES,
					  .features = features });
}

static inline void handshake(struct story *s)
{
	tell(s, (struct pl_stream_event){ .kind = PL_EV_HANDSHAKE_DONE,
					  .certificate = s->certificate });
}

static inline void stream_error(struct story *s, enum pl_condition condition)
{
	tell(s, (struct pl_stream_event){ .kind = PL_EV_STREAM_ERROR,
					  .condition = condition });
}

static inline void dialback(struct story *s, enum pl_dialback_kind kind)
{
	tell(s, (struct pl_stream_event){ .kind = PL_EV_DIALBACK,
					  .dialback = kind });
}

/* A db:result for the header's pair, which is well-formed. */
static inline void result_request(struct story *s)
{
	dialback(s, PL_DB_RESULT_REQUEST);
	assert_true(holds(&s->step, PL_DO_PAIR));
	pair_event(s, (struct pl_pair_event){
		.kind = PL_PE_RESULT_REQUEST,
		.addresses_good = true,
		.key_present = true,
		.to_hosted = true,
		.certificate = s->stream.encrypted ? s->certificate
						   : PL_CERT_NONE });
}

/* An answer for the header's pair. */
static inline void result_answer(struct story *s, enum pl_pair_event_kind kind,
				 enum pl_stanza_condition condition)
{
	dialback(s, PL_DB_RESULT_ANSWER);
	if (holds(&s->step, PL_DO_PAIR))
		pair_event(s, (struct pl_pair_event){ .kind = kind,
						      .condition = condition });
	if (holds(&s->paired, PL_DO_OPEN_PAIR))
		happens(s, PL_EV_PAIR_OPENED);
}

/* The stream up to its features under TLS: by STARTTLS, whichever the role. */
static inline void up_to_tls(struct story *s)
{
	happens(s, PL_EV_STARTED);
	header(s);
	if (s->stream.role == PL_INITIATING) {
		features(s, PL_FEATURE_STARTTLS);
		assert_true(holds(&s->step, PL_DO_SEND_STARTTLS));
		happens(s, PL_EV_PROCEED);
	} else {
		happens(s, PL_EV_STARTTLS);
		assert_true(holds(&s->step, PL_DO_SEND_PROCEED));
	}
	assert_true(holds(&s->step, PL_DO_START_HANDSHAKE));
	handshake(s);
	if (s->stream.phase != PL_ENDED)
		header(s);
}

#define assert_does(s, action) \
	do { \
		if (!holds(&(s)->step, action)) \
			fail_msg("no %s in the step; phase %s, code %s", \
				 pl_action_name(action), \
				 pl_phase_name((s)->stream.phase), \
				 pl_code_entry((s)->step.code)->name); \
	} while (0)

#define assert_pair_does(s, action) \
	do { \
		if (!holds(&(s)->paired, action)) \
			fail_msg("no %s in the pair's step; phase %s, code %s", \
				 pl_action_name(action), \
				 pl_pair_phase_name((s)->pair.phase), \
				 pl_code_entry((s)->paired.code)->name); \
	} while (0)

#define assert_code(actual, wanted) \
	assert_string_equal(pl_code_entry(actual)->name, \
			    pl_code_entry(wanted)->name)

/* The stream ended by our stream error. */
#define assert_error(s, cond, wanted) \
	do { \
		assert_does(s, PL_DO_SEND_ERROR); \
		assert_does(s, PL_DO_SEND_CLOSE); \
		assert_does(s, PL_DO_CLOSE); \
		assert_string_equal(pl_condition_name((s)->step.condition), \
				    pl_condition_name(cond)); \
		assert_code((s)->step.code, wanted); \
	} while (0)

/* The stream ended, in whatever way, with this code. */
#define assert_end(s, wanted) \
	do { \
		assert_int_equal((s)->stream.phase, PL_ENDED); \
		assert_does(s, PL_DO_END_PAIRS); \
		assert_code((s)->step.code, wanted); \
	} while (0)

#define assert_phase(s, wanted) \
	assert_string_equal(pl_phase_name((s)->stream.phase), \
			    pl_phase_name(wanted))

#endif
