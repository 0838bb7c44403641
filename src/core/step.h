/*
 * step.h: what the core's machine files share. Not for other rooms.
 *
 * A moment is one transition in the making: the terms and the event it is
 * about, the state it changes and the step it writes.
 */
#ifndef PARLEY_CORE_STEP_H
#define PARLEY_CORE_STEP_H

#include "parley/machine.h"

struct pl_moment {
	const struct pl_terms *terms;
	struct pl_stream_state *state;
	const struct pl_stream_event *event;
	struct pl_step *step;
};

/* An end in the making: why, where, and what the dialer may do next. */
struct pl_end {
	enum pl_code code;
	enum pl_stage stage;
	enum pl_next next;
};

void pl_step_add(struct pl_step *step, unsigned action);
void pl_step_arm(struct pl_step *step, enum pl_deadline deadline);

/* --- what ends a stream; each leaves PL_ENDED. The side is the code's usual
 * one; a caller that knows better sets step->side afterwards. --- */

/* By a stream error, with our header before it where that is still due. Before
 * the connection, or within a TLS handshake, there is no stream to send it on:
 * then as pl_moment_abort() (RFC 6120 4.9.1.2, 5.4.3.2). */
void pl_moment_error(struct pl_moment *m, enum pl_condition condition,
		     struct pl_end end);
/* By </stream:stream>, without a stream error. */
void pl_moment_close(struct pl_moment *m, struct pl_end end);
/* The same, after the peer's stream error. */
void pl_moment_heard_error(struct pl_moment *m, struct pl_end end);
/* By dropping the connection. */
void pl_moment_abort(struct pl_moment *m, struct pl_end end);

/* The peer sent what may not come in this phase. */
void pl_moment_misplaced(struct pl_moment *m);
/* The shell reported what cannot happen in this phase. */
void pl_moment_impossible(struct pl_moment *m);

/* --- what both roles do alike --- */

void pl_moment_start_handshake(struct pl_moment *m);
/* TLS is up: everything learnt in clear is forgotten (RFC 6120 5.4.3.3). */
void pl_moment_under_tls(struct pl_moment *m);
/* A new document begins on the same connection. */
void pl_moment_restart(struct pl_moment *m);
void pl_moment_handshake_failed(struct pl_moment *m, enum pl_next next);
/* The pair (or the first of them) is open. */
void pl_moment_opened(struct pl_moment *m);

void pl_moment_fault(struct pl_moment *m);
void pl_moment_refuse_stanza(struct pl_moment *m);
bool pl_moment_without_sm(const struct pl_moment *m);
void pl_moment_acked_too_high(struct pl_moment *m);
void pl_moment_refuse_sm(struct pl_moment *m, enum pl_stanza_condition why);
void pl_moment_sm_count(struct pl_moment *m);
void pl_moment_replaced(struct pl_moment *m);
void pl_moment_bytes_behind(struct pl_moment *m);
void pl_moment_overflow(struct pl_moment *m);
void pl_moment_idle(struct pl_moment *m);
void pl_moment_pair_invalid(struct pl_moment *m);
void pl_moment_terms_changed(struct pl_moment *m);
void pl_moment_shutdown(struct pl_moment *m);

/* A stage deadline passed: `code` at `stage`, told as connection-timeout. */
void pl_moment_timeout(struct pl_moment *m, enum pl_code code,
		       enum pl_stage stage);

/* --- questions --- */

/* What a dialer may do after an end that decided nothing: another target, as
 * long as authentication has not begun. */
enum pl_next pl_moment_elsewhere(const struct pl_moment *m);
bool pl_moment_allows(const struct pl_moment *m, enum pl_method method);
/* Is a certificate that was shown, and is bad, final (design: P1)? */
bool pl_terms_certificate_final(const struct pl_terms *terms,
				enum pl_certificate verdict);
/* What is probably wrong with our own certificate when the peer refuses it. */
enum pl_code pl_terms_own_certificate_code(const struct pl_terms *terms);

/* The initiating entity's view of TLS: may it ask, must it? */
bool pl_terms_may_start_tls(const struct pl_terms *terms);
bool pl_terms_must_start_tls(const struct pl_terms *terms);
/* Does the peer offer dialback (XEP-0220 2.4): by feature, by namespace, or
 * because it is older than features? */
bool pl_state_offers_dialback(const struct pl_stream_state *state);

void pl_initiating_step(struct pl_moment *m);
void pl_receiving_step(struct pl_moment *m);

#endif
