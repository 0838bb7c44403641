/* The life of a stream: made, fed with events, ended, freed. */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void stream_touch(struct pl_stream *stream)
{
	stream->last_ms = pl_loop_now_ms(stream->world->loop);
	keep_awake(stream);
}

void stream_words(struct pl_stream *stream, const char *format, ...)
{
	va_list ap;
	char *words;

	va_start(ap, format);
	if (vasprintf(&words, format, ap) < 0)
		words = NULL;
	if (words != NULL)
		pl_text_mask_keys(words);
	va_end(ap);
	free(stream->words);
	stream->words = words;
}

/* Of an authenticated peer: the partner's own limit, where it is the smaller. */
size_t stream_stanza_bytes(const struct pl_stream *stream)
{
	size_t bytes = stream->world->limits.stanza_bytes;

	if (stream->partner.stanza_bytes > 0 &&
	    stream->partner.stanza_bytes < bytes)
		bytes = stream->partner.stanza_bytes;
	return bytes;
}

void stream_rename(char **name, const char *value)
{
	if (*name != NULL && strcmp(*name, value) == 0)
		return;
	free(*name);
	*name = pl_strdup(value);
}

/* The terms of a partner, with what only the connection knows. */
struct pl_terms stream_terms(const struct pl_stream *stream,
			     const struct pl_partner_view *view)
{
	struct pl_terms terms = view->terms;

	if (!stream->incoming && view->no_certificate)
		terms.own_certificate = false;
	if (stream->incoming && view->clear_callbacks)
		terms.policy = pl_policy_without_tls(terms.policy);
	terms.direct_tls = stream->direct_tls;
	terms.verify_only = stream->verify_only;
	terms.tls_given_up = stream->tls_given_up;
	terms.sasl_given_up = stream->sasl_given_up;
	terms.resumes = !stream->incoming && stream->sm_id != NULL;
	return terms;
}

static void log_step(const struct pl_stream *stream,
		     const struct pl_stream_event *event, unsigned before,
		     const struct pl_step *step)
{
	const char *names[PL_STEP_ACTIONS];
	struct pl_log_line line;

	if (stream->world->log == NULL ||
	    !pl_log_wants(stream->world->log, PL_LOG_DEBUG))
		return;
	for (size_t i = 0; i < step->count; i++)
		names[i] = pl_action_name(step->actions[i]);
	pl_log_begin(&line, stream->world->log, PL_LOG_DEBUG);
	pl_log_text(&line, "stream", stream->log_id);
	pl_log_text(&line, "event", "step");
	pl_log_text(&line, "phase", pl_phase_name(before));
	pl_log_text(&line, "saw", pl_event_name(event->kind));
	pl_log_list(&line, "actions", names, step->count);
	pl_log_text(&line, "next", pl_phase_name(stream->core.phase));
	pl_log_end(&line);
}

/* How long the stage took that is over now. */
static void count_stage(struct pl_stream *stream, enum pl_stage before)
{
	uint64_t now;

	if (stream->world->counts == NULL || stream->core.stage == before)
		return;
	now = pl_loop_now_ms(stream->world->loop);
	pl_counts_stage(stream->world->counts, before,
			now - stream->stage_ms);
	stream->stage_ms = now;
}

void stream_event(struct pl_stream *stream, const struct pl_stream_event *event)
{
	struct pl_terms terms = stream_terms(stream, &stream->partner);
	const struct pl_stream_state before = stream->core;
	bool held = pl_stream_holds(&stream->core);
	struct pl_step step;

	if (stream->ended)
		return;
	pl_stream_step(&terms, &stream->core, event, &step);
	log_step(stream, event, before.phase, &step);
	record_step(stream, &terms, &before, event, &step);
	count_stage(stream, before.stage);
	for (size_t i = 0; i < step.count; i++)
		stream_carry_out(stream, step.actions[i], &step);
	if (held && !pl_stream_holds(&stream->core) &&
	    stream->core.phase < PL_AWAIT_CLOSE)
		stream->events->on_settled(stream->owner, stream);
}

void stream_simple_event(struct pl_stream *stream,
			 enum pl_stream_event_kind kind)
{
	struct pl_stream_event event = { .kind = kind };

	stream_event(stream, &event);
}

/* For timers and calls of the owner: an event from outside the input. */
static void outside_event(struct pl_stream *stream,
			  enum pl_stream_event_kind kind)
{
	stream_simple_event(stream, kind);
	stream_settle(stream);
	stream_flush(stream);
}

static void on_stage_deadline(void *owner)
{
	record_deadline(owner, PL_EV_DEADLINE);
	outside_event(owner, PL_EV_DEADLINE);
}

static void on_negotiation_deadline(void *owner)
{
	record_deadline(owner, PL_EV_NEGOTIATION_DEADLINE);
	outside_event(owner, PL_EV_NEGOTIATION_DEADLINE);
}

/* ----- ending ----- */

static void release(struct pl_stream *stream)
{
	struct pl_pair *pair;

	while ((pair = stream->pairs) != NULL) {
		stream->pairs = pair->next;
		pair_free(pair);
	}
	pl_xml_free(stream->parser);
	pl_tls_free(stream->tls);
	tap_gone(stream);
	odd_free(stream);
	record_release(stream);
	pl_sasl_server_free(stream->sasl);
	pl_timer_free(stream->stage_timer);
	pl_timer_free(stream->negotiation_timer);
	pl_timer_free(stream->rate_timer);
	sm_free(stream);
	pl_buffer_finish(&stream->out);
	if (stream->target != NULL)
		for (size_t i = 0; i < stream->target->tlsa_count; i++)
			free((void *)stream->target->tlsa[i].data);
	free(stream->target);
	free(stream->peer);
	free(stream->peer_group);
	free(stream->peer_id);
	free(stream->local);
	free(stream->remote);
	free(stream->words);
	free(stream);
}

/* Outcomes are lines of their own: this tells of the connection. */
static void log_end(const struct pl_stream *stream)
{
	struct pl_log_line line;

	pl_log_begin(&line, stream->world->log, PL_LOG_INFO);
	pl_log_text(&line, "stream", stream->log_id);
	pl_log_text(&line, "dir", stream->incoming ? "in" : "out");
	pl_log_text(&line, "local", stream->local);
	pl_log_text(&line, "remote", stream->remote);
	pl_log_text(&line, "event",
		    stream->verify_only ? "verify-closed" : "closed");
	pl_log_text(&line, "code", pl_code_entry(stream->code)->name);
	pl_log_text(&line, "addr", stream->peer);
	if (stream->words != NULL)
		pl_log_text(&line, "words", stream->words);
	pl_log_end(&line);
}

static void finish_at_turn_end(void *owner)
{
	struct pl_stream *stream = owner;

	log_end(stream);

	stream->events->on_ended(stream->owner, stream, stream->code,
				 stream->next, stream->words);
	release(stream);
}

void stream_finish(struct pl_stream *stream)
{
	if (stream->ended)
		return;
	stream->ended = true;
	pl_timer_clear(stream->stage_timer);
	pl_timer_clear(stream->negotiation_timer);
	pl_loop_defer(stream->world->loop, finish_at_turn_end, stream);
}

/* ----- making ----- */

static void name_in_logs(struct pl_stream *stream)
{
	unsigned char bytes[3];

	pl_loop_random(stream->world->loop, bytes, sizeof bytes);
	snprintf(stream->log_id, sizeof stream->log_id, "%02x%02x%02x",
		 bytes[0], bytes[1], bytes[2]);
}

/* Keeps the target: DANE is judged in the handshake, long after the look-up's
 * answer is gone. */
static struct pl_dns_target *copy_target(const struct pl_dns_target *target)
{
	struct pl_dns_target *copy;

	if (target == NULL)
		return NULL;
	copy = pl_calloc(1, sizeof *copy);
	*copy = *target;
	for (size_t i = 0; i < copy->tlsa_count; i++) {
		unsigned char *data = pl_calloc(1, copy->tlsa[i].length + 1);

		memcpy(data, target->tlsa[i].data, copy->tlsa[i].length);
		copy->tlsa[i].data = data;
	}
	return copy;
}

static struct pl_stream *new_stream(struct pl_world *world,
				    const struct pl_stream_events *events,
				    void *owner, struct pl_conn *conn,
				    struct pl_traced *traced, enum pl_role role)
{
	struct pl_stream *stream = calloc(1, sizeof *stream);

	if (stream == NULL) {
		pl_trace_leave(traced);
		pl_conn_abort(conn);
		return NULL;
	}
	stream->traced = traced;
	stream->world = world;
	stream->events = events;
	stream->owner = owner;
	stream->conn = conn;
	stream->incoming = role == PL_RECEIVING;
	pl_stream_init(&stream->core, role);
	stream->stage_timer = pl_timer_new(world->loop, on_stage_deadline,
					   stream);
	stream->negotiation_timer = pl_timer_new(
		world->loop, on_negotiation_deadline, stream);
	stream->peer = pl_strdup(pl_conn_peer(conn));
	stream->peer_group = pl_strdup(pl_conn_peer_group(conn));
	stream->local = pl_strdup("");
	stream->remote = pl_strdup("");
	stream->began_ms = pl_loop_now_ms(world->loop);
	stream->stage_ms = stream->began_ms;
	name_in_logs(stream);
	odd_new(stream);
	stream_touch(stream);
	if (!stream_new_parser(stream)) {
		pl_conn_abort(conn);
		release(stream);
		return NULL;
	}
	pl_conn_set_output_limit(conn, world->limits.output_bytes);
	return stream;
}

static void start(struct pl_stream *stream)
{
	pl_timer_set(stream->negotiation_timer,
		     stream->world->limits.negotiate_ms);
	tap_open(stream);
	pl_conn_own(stream->conn, &stream_conn_events, stream);
	outside_event(stream, PL_EV_STARTED);
}

struct pl_stream *pl_stream_initiating(struct pl_world *world,
				       const struct pl_stream_events *events,
				       void *owner,
				       const struct pl_stream_initiate *how)
{
	struct pl_stream *stream = new_stream(world, events, owner, how->conn,
					      how->traced, PL_INITIATING);

	if (stream == NULL)
		return NULL;
	stream->direct_tls = how->direct_tls;
	stream->verify_only = how->verify_only;
	stream->tls_given_up = how->tls_given_up;
	stream->sasl_given_up = how->sasl_given_up;
	stream->target = copy_target(how->target);
	stream->began_ms = how->began_ms;
	stream_rename(&stream->local, how->local);
	stream_rename(&stream->remote, how->remote);
	sm_begin(stream, how->resume);
	world->partner(world->site, how->local, how->remote, &stream->partner);
	start(stream);
	return stream;
}

struct pl_stream *pl_stream_receiving(struct pl_world *world,
				      const struct pl_stream_events *events,
				      void *owner, struct pl_conn *conn,
				      bool direct_tls,
				      struct pl_traced *traced)
{
	struct pl_stream *stream = new_stream(world, events, owner, conn,
					      traced, PL_RECEIVING);

	if (stream == NULL)
		return NULL;
	stream->direct_tls = direct_tls;
	world->partner(world->site, NULL, NULL, &stream->partner);
	start(stream);
	return stream;
}

/* ----- what the owner asks ----- */

struct pl_pair *pl_stream_pair(struct pl_stream *stream, const char *local,
			       const char *remote)
{
	struct pl_pair *pair;

	if (stream->ended || stream->core.phase >= PL_AWAIT_CLOSE)
		return NULL;
	pair = pair_find(stream, PL_INITIATING, local, remote);
	if (pair != NULL && pair->state.phase < PL_PAIR_FAILED)
		return pair;
	if (pair == NULL)
		pair = pair_new(stream, PL_INITIATING, local, remote);
	else
		pair_again(pair);
	if (pair != NULL)
		record_attempt(stream, local, remote, &pair->partner);
	if (pair != NULL && pl_stream_takes_pairs(&stream->core)) {
		pair_simple_event(pair, PL_PE_STREAM_READY);
		stream_settle(stream);
		stream_flush(stream);
	}
	return pair;
}

static void flush_at_turn_end(void *owner)
{
	struct pl_stream *stream = owner;

	stream->flush_due = false;
	stream_flush(stream);
}

void stream_flush_later(struct pl_stream *stream)
{
	if (stream->flush_due)
		return;
	stream->flush_due = true;
	pl_loop_defer(stream->world->loop, flush_at_turn_end, stream);
}

size_t pl_stream_pending(const struct pl_stream *stream)
{
	return stream->conn != NULL
		? pl_conn_pending(stream->conn) + stream->out.length : 0;
}

uint64_t pl_stream_plain(const struct pl_stream *stream)
{
	return stream->plain + stream->out.length;
}

uint64_t pl_stream_acked(const struct pl_stream *stream)
{
	return stream->conn != NULL ? pl_conn_acked(stream->conn) : 0;
}

/* The owner and the rate may both want it; reading goes on for neither. */
void stream_pause(struct pl_stream *stream, unsigned why)
{
	if (stream->conn != NULL && stream->paused == 0)
		pl_conn_pause(stream->conn);
	stream->paused |= why;
}

void stream_resume(struct pl_stream *stream, unsigned why)
{
	bool was = stream->paused != 0;

	stream->paused &= ~why;
	if (stream->conn != NULL && stream->sm_owed > 0)
		sm_wait_anew(stream); /* the answer may lie behind the rest */
	if (stream->conn != NULL && was && stream->paused == 0)
		pl_conn_resume(stream->conn);
}

void pl_stream_pause(struct pl_stream *stream)
{
	stream_pause(stream, STREAM_PAUSED_BY_OWNER);
}

void pl_stream_resume(struct pl_stream *stream)
{
	stream_resume(stream, STREAM_PAUSED_BY_OWNER);
}

bool pl_stream_send(struct pl_pair *pair, const void *stanza, size_t length)
{
	struct pl_stream *stream = pair->stream;

	if (stream->ended || pair->state.role != PL_INITIATING ||
	    pair->state.phase != PL_PAIR_OPEN ||
	    pl_stream_holds(&stream->core))
		return false;
	if (pl_stream_pending(stream) + length >
	    stream->world->limits.output_bytes)
		return false;
	if (!pl_buffer_append(&stream->out, stanza, length))
		return false;
	pl_counts_stanza(stream->world->counts, false, length);
	write_done(stream, stream->out.length - length);
	stream->unplaced = true;
	sm_sent(stream, length);
	stream_touch(stream);
	stream_flush_later(stream);
	return true;
}

bool pl_stream_ask_verify(struct pl_stream *stream, const char *from,
			  const char *to, const char *id, const char *key)
{
	if (stream->ended || !pl_stream_takes_pairs(&stream->core))
		return false;
	write_verify_request(stream, from, to, id, key);
	stream_touch(stream);
	stream_flush(stream);
	return true;
}

void pl_stream_verified(struct pl_stream *stream, struct pl_pair *pair,
			enum pl_pair_event_kind kind, const char *words)
{
	if (stream->ended)
		return;
	if (words != NULL)
		pair_words(pair, words);
	pair_simple_event(pair, kind);
	stream_settle(stream);
	stream_flush(stream);
}

void pl_stream_terms_changed(struct pl_stream *stream)
{
	struct pl_stream_event event = { .kind = PL_EV_TERMS_CHANGED };

	if (stream->ended)
		return;
	stream->world->partner(stream->world->site,
			       stream->local[0] ? stream->local : NULL,
			       stream->remote[0] ? stream->remote : NULL,
			       &stream->partner);
	for (struct pl_pair *pair = stream->pairs; pair; pair = pair->next) {
		struct pl_terms terms;

		pair_look_up(pair);
		terms = stream_terms(stream, &pair->partner);
		if (pair->state.phase != PL_PAIR_OPEN)
			continue;
		if (!pl_pair_still_legal(&terms, &pair->state))
			event.flag = true;
		else if (pair->state.role == PL_RECEIVING)
			event.stays = true;
	}
	stream_event(stream, &event);
	stream_settle(stream);
	stream_flush(stream);
}

void pl_stream_give_up(struct pl_stream *stream)
{
	record_deadline(stream, PL_EV_NEGOTIATION_DEADLINE);
	outside_event(stream, PL_EV_NEGOTIATION_DEADLINE);
}

void pl_stream_dead(struct pl_stream *stream)
{
	if (stream->ended)
		return;
	stream_words(stream, "the peer does not answer any more");
	stream_event(stream, &(struct pl_stream_event){
		.kind = PL_EV_DISCONNECTED, .flag = true });
}

void pl_stream_shutdown(struct pl_stream *stream)
{
	outside_event(stream, PL_EV_SHUTDOWN);
}

void pl_stream_idle(struct pl_stream *stream)
{
	outside_event(stream, PL_EV_IDLE);
}

void pl_stream_drop(struct pl_stream *stream)
{
	stream_words(stream, "dropped to make room for other connections");
	outside_event(stream, PL_EV_OVERFLOW);
}

void pl_stream_info(const struct pl_stream *stream, struct pl_stream_info *info)
{
	bool ready = stream->tls != NULL && stream->handshake_told;

	*info = (struct pl_stream_info){
		.id = stream->log_id,
		.incoming = stream->incoming,
		.verify_only = stream->verify_only,
		.direct_tls = stream->direct_tls,
		.authenticated = stream->core.phase == PL_OPEN,
		.ended = stream->ended || stream->core.phase >= PL_AWAIT_CLOSE,
		.local = stream->local,
		.remote = stream->remote,
		.tls = ready ? pl_tls_version(stream->tls) : NULL,
		.cipher = ready ? pl_tls_cipher(stream->tls) : NULL,
		.certificate = ready ? stream->verdict.certificate
				     : PL_CERT_NONE,
		.by_dane = stream->verdict.by_dane,
		.addr = stream->peer,
		.addr_group = stream->peer_group,
		.row = stream->partner.row,
		.began_ms = stream->began_ms,
		.last_ms = stream->last_ms,
		.phase = stream->core.phase,
		.sm = stream->core.sm == PL_SM_ON ? &stream->sm : NULL,
		.resumable = stream->sm_id != NULL,
		.resumed = stream->sm_resumed,
		.pairs = stream->pairs,
	};
}

struct pl_traced *pl_stream_traced(const struct pl_stream *stream)
{
	return stream->traced;
}

void pl_stream_set_data(struct pl_stream *stream, void *data)
{
	stream->data = data;
}

void *pl_stream_data(const struct pl_stream *stream)
{
	return stream->data;
}
