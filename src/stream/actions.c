/* What the core asks for is done here, one short function an action. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ----- deadlines ----- */

/* How long each stage may take; all absolute from the moment of arming, so
 * that bytes which trickle in extend nothing. A third of the whole each, five
 * seconds for an unoffered <starttls/>. */
static uint64_t deadline_ms(const struct pl_stream *stream,
			    enum pl_deadline deadline)
{
	uint64_t whole = stream->world->limits.negotiate_ms;

	switch (deadline) {
	case PL_DEADLINE_NONE:
		return 0;
	case PL_DEADLINE_HANDSHAKE:
	case PL_DEADLINE_HEADER:
	case PL_DEADLINE_FEATURES:
	case PL_DEADLINE_PROCEED:
	case PL_DEADLINE_SASL:
		return whole / 3;
	case PL_DEADLINE_PROCEED_UNOFFERED:
		return whole / 3 < 5000 ? whole / 3 : 5000;
	case PL_DEADLINE_RESULT:
		return whole;
	case PL_DEADLINE_VERIFY:
		return whole / 3 * 2;
	case PL_DEADLINE_SM:
		return whole / 3 < 5000 ? whole / 3 : 5000;
	case PL_DEADLINE_SM_OFFER:
		return whole / 3 < 1000 ? whole / 3 : 1000;
	case PL_DEADLINE_CLOSE:
		return STREAM_LINGER_MS;
	}
	return whole;
}

static void arm(struct pl_stream *stream, enum pl_deadline deadline)
{
	if (deadline == PL_DEADLINE_NONE)
		pl_timer_clear(stream->stage_timer);
	else
		pl_timer_set(stream->stage_timer,
			     deadline_ms(stream, deadline));
}

/* ----- SASL ----- */

/* Nothing learnt before a restart survives it but what the core kept. */
static void restart(struct pl_stream *stream)
{
	odd_forget_features(stream);
	stream->restart = true;
	free(stream->peer_id);
	stream->peer_id = NULL;
	stream->id[0] = '\0';
}

static void tell_sasl(struct pl_stream *stream, enum pl_sasl_result result,
		      enum pl_sasl_condition condition)
{
	struct pl_stream_event event = { .kind = PL_EV_SASL_REJECTED,
					 .sasl = condition };

	switch (result) {
	case PL_SASL_ACCEPTED:
		event.kind = PL_EV_SASL_ACCEPTED;
		break;
	case PL_SASL_CONTINUE:
		event.kind = PL_EV_SASL_CONTINUE;
		break;
	case PL_SASL_REJECTED:
		break;
	}
	if (result != PL_SASL_CONTINUE) {
		pl_sasl_server_free(stream->sasl);
		stream->sasl = NULL;
	}
	stream_event(stream, &event);
}

/* Gives the body of <auth/> or <response/> to the SASL library. An element
 * without text is no initial response (RFC 6120 6.4.2). */
static void step_sasl(struct pl_stream *stream, bool response)
{
	enum pl_sasl_condition condition = PL_SASL_NONE;
	struct pl_error why = { .text = "" };
	char body[PL_SASL_BODY_LIMIT + 2] = "";
	enum pl_sasl_result result;
	size_t length;

	length = pl_xml_text(stream->element, body, sizeof body);
	if (length >= sizeof body)
		length = sizeof body - 1; /* too long: the room refuses it */
	result = pl_sasl_server_step(stream->sasl,
				     length == 0 && !response ? NULL : body,
				     length, &condition, &why);
	if (result == PL_SASL_REJECTED)
		stream_words(stream, "%s", why.text);
	tell_sasl(stream, result, condition);
}

static void start_sasl(struct pl_stream *stream)
{
	struct pl_error error = { .text = "" };

	pl_sasl_server_free(stream->sasl);
	stream->sasl = pl_sasl_server_new(stream->local, stream->remote,
					  &error);
	if (stream->sasl == NULL) {
		stream_words(stream, "%s", error.text);
		tell_sasl(stream, PL_SASL_REJECTED,
			  PL_SASL_TEMPORARY_AUTH_FAILURE);
		return;
	}
	step_sasl(stream, false);
}

static void continue_sasl(struct pl_stream *stream)
{
	if (stream->sasl != NULL)
		step_sasl(stream, true);
	else
		tell_sasl(stream, PL_SASL_REJECTED,
			  PL_SASL_MALFORMED_REQUEST);
}

/* ----- pairs ----- */

/* A pair may fail, and its failure end the stream: look at the list anew. */
static void start_waiting_pairs(struct pl_stream *stream)
{
	struct pl_pair *pair = stream->pairs, *next;

	for (; pair != NULL && !stream->ended; pair = next) {
		next = pair->next;
		if (pair->state.role == PL_INITIATING &&
		    pair->state.phase == PL_PAIR_AWAIT_STREAM)
			pair_simple_event(pair, PL_PE_STREAM_READY);
	}
}

static void start_pairs(struct pl_stream *stream)
{
	start_waiting_pairs(stream);
	if (!stream->ended && stream->events->on_ready != NULL)
		stream->events->on_ready(stream->owner, stream);
}

static void authenticated(struct pl_stream *stream)
{
	struct pl_pair *pair = stream->header_pair;

	if (!stream->incoming)
		pair = pair_find(stream, PL_INITIATING, stream->local,
				 stream->remote);
	if (pair != NULL)
		pair_simple_event(pair, PL_PE_AUTHENTICATED);
	if (!stream->incoming && !stream->ended)
		start_pairs(stream);
}

static void deliver(struct pl_stream *stream)
{
	stream_touch(stream);
	pl_counts_stanza(stream->world->counts, true, 0);
	keep_count_stanza(stream);
	sm_handled(stream);
	if (stream->stanza_pair != NULL)
		stream->events->on_stanza(stream->owner, stream,
					  stream->stanza_pair,
					  stream->element);
}

static void ignore(struct pl_stream *stream)
{
	dialback_unsolicited(stream, stream->element != NULL
					     ? stream->element->name : "");
}

static void raise_limits(struct pl_stream *stream)
{
	struct pl_xml_limits limits =
		pl_xml_limits_after(stream_stanza_bytes(stream));

	pl_xml_set_limits(stream->parser, &limits);
}

/* ----- the end ----- */

static void keep_end(struct pl_stream *stream, const struct pl_step *step)
{
	for (size_t i = 0; i < step->count; i++)
		stream->broken |= step->actions[i] == PL_DO_ABORT;
	stream->cut = step->cut;
	stream->code = step->code;
	stream->next = step->next;
	pairs_end(stream, step);
	record_untold_end(stream, step);
}

static void tell_cut(struct pl_stream *stream, uint64_t acked)
{
	if (stream->events->on_cut != NULL)
		stream->events->on_cut(stream->owner, stream, acked);
}

static void close_stream(struct pl_stream *stream)
{
	if (stream->conn == NULL)
		return;
	if (stream->cut)
		tell_cut(stream, pl_conn_acked(stream->conn));
	stream_flush(stream);
	if (stream->tls != NULL) {
		pl_tls_shutdown(stream->tls);
		record_tls_close(stream, true);
		stream_flush(stream);
	}
	odd_hurry(stream);
	tap_end(stream, PL_TAP_CLOSED);
	record_our_end(stream, false);
	if (stream->events->on_leave == NULL ||
	    !stream->events->on_leave(stream->owner, stream, stream->conn,
				      STREAM_LINGER_MS))
		pl_conn_close(stream->conn, STREAM_LINGER_MS);
	stream->conn = NULL;
	stream_finish(stream);
}

static void abort_stream(struct pl_stream *stream)
{
	if (stream->conn == NULL)
		return;
	odd_hurry(stream);
	tap_end(stream, PL_TAP_DROPPED);
	record_our_end(stream, true);
	tell_cut(stream, pl_conn_settle(stream->conn));
	/* The alert that says why a handshake failed is still to go out. */
	if (stream->tls != NULL && !stream->handshake_told &&
	    pl_conn_pending(stream->conn) > 0)
		pl_conn_close(stream->conn, STREAM_LINGER_MS);
	else
		pl_conn_abort(stream->conn);
	stream->conn = NULL;
	stream_finish(stream);
}

static void offer(struct pl_stream *stream, unsigned features)
{
	if (!odd_delays(stream, features))
		write_features(stream, features);
}

void stream_carry_out(struct pl_stream *stream, unsigned action,
		      const struct pl_step *step)
{
	if (stream->ended)
		return;
	switch ((enum pl_action)action) {
	case PL_DO_NOTHING: break;
	case PL_DO_SEND_HEADER: write_header(stream, true); break;
	case PL_DO_SEND_HEADER_OLD: write_header(stream, false); break;
	case PL_DO_SEND_FEATURES: offer(stream, step->features); break;
	case PL_DO_SEND_STARTTLS:
		write_element(stream, "<starttls xmlns='" PL_NS_TLS "'/>");
		break;
	case PL_DO_SEND_PROCEED:
		write_element(stream, "<proceed xmlns='" PL_NS_TLS "'/>");
		break;
	case PL_DO_SEND_TLS_FAILURE:
		write_element(stream, "<failure xmlns='" PL_NS_TLS "'/>");
		break;
	case PL_DO_START_HANDSHAKE:
		odd_forget_features(stream);
		stream->begin_handshake = true;
		break;
	case PL_DO_RESTART: restart(stream); break;
	case PL_DO_SEND_BIDI:
		write_element(stream, "<bidi xmlns='" PL_NS_BIDI "'/>");
		break;
	case PL_DO_SEND_AUTH: write_auth(stream, false); break;
	case PL_DO_SEND_RESPONSE: write_auth(stream, true); break;
	case PL_DO_START_SASL: start_sasl(stream); break;
	case PL_DO_CONTINUE_SASL: continue_sasl(stream); break;
	case PL_DO_SEND_CHALLENGE:
		write_element(stream, "<challenge xmlns='" PL_NS_SASL "'/>");
		break;
	case PL_DO_SEND_SUCCESS:
		write_element(stream, "<success xmlns='" PL_NS_SASL "'/>");
		break;
	case PL_DO_SEND_SASL_FAILURE:
		write_sasl_failure(stream, step->sasl);
		break;
	case PL_DO_START_PAIRS: start_pairs(stream); break;
	case PL_DO_AUTHENTICATED: authenticated(stream); break;
	case PL_DO_PAIR: dialback_take(stream, stream->element); break;
	case PL_DO_DELIVER: deliver(stream); break;
	case PL_DO_IGNORE: ignore(stream); break;
	case PL_DO_RAISE_LIMITS: raise_limits(stream); break;
	case PL_DO_ARM: arm(stream, step->deadline); break;
	case PL_DO_DISARM: arm(stream, PL_DEADLINE_NONE); break;
	case PL_DO_DISARM_NEGOTIATION:
		pl_timer_clear(stream->negotiation_timer);
		break;
	case PL_DO_END_PAIRS: keep_end(stream, step); break;
	case PL_DO_END_SENDING: pairs_end_sending(stream, step); break;
	case PL_DO_SEND_ENABLE:
	case PL_DO_SEND_RESUME:
	case PL_DO_SM_ENABLED:
	case PL_DO_SM_RESUMED:
	case PL_DO_SM_FAILED:
	case PL_DO_ENABLE_SM:
	case PL_DO_RESUME_SM:
	case PL_DO_REFUSE_SM:
	case PL_DO_SEND_ACK:
	case PL_DO_ACKED:
		sm_carry_out(stream, action, step);
		break;
	case PL_DO_SEND_ERROR:
		sm_last_ack(stream);
		write_error(stream, step->condition, step->code);
		break;
	case PL_DO_SEND_CLOSE:
		sm_last_ack(stream);
		write_element(stream, "</stream:stream>");
		break;
	case PL_DO_CLOSE: close_stream(stream); break;
	case PL_DO_ABORT: abort_stream(stream); break;
	}
}
