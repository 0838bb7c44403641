/* The pairs of a stream: found, made, stepped; and their outcome. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

struct pl_pair *pair_find(struct pl_stream *stream, enum pl_role role,
			  const char *local, const char *remote)
{
	for (struct pl_pair *pair = stream->pairs; pair; pair = pair->next)
		if (pair->state.role == role &&
		    strcmp(pair->local, local) == 0 &&
		    strcmp(pair->remote, remote) == 0)
			return pair;
	return NULL;
}

void pair_look_up(struct pl_pair *pair)
{
	struct pl_world *world = pair->stream->world;

	world->partner(world->site, pair->local[0] ? pair->local : NULL,
		       pair->remote[0] ? pair->remote : NULL, &pair->partner);
}

static void on_deadline(void *owner)
{
	struct pl_pair *pair = owner;
	struct pl_stream *stream = pair->stream;

	record_pair_deadline(pair);
	pair_simple_event(pair, PL_PE_DEADLINE);
	stream_settle(stream);
	stream_flush(stream);
}

struct pl_pair *pair_new(struct pl_stream *stream, enum pl_role role,
			 const char *local, const char *remote)
{
	struct pl_pair *pair;

	if (stream->pairs_count >= stream->world->limits.pairs)
		return NULL;
	pair = calloc(1, sizeof *pair);
	if (pair == NULL)
		return NULL;
	pl_pair_init(&pair->state, role);
	pair->stream = stream;
	pair->local = pl_strdup(local);
	pair->remote = pl_strdup(remote);
	pair->timer = pl_timer_new(stream->world->loop, on_deadline, pair);
	pair->began_ms = stream->pairs == NULL
		? stream->began_ms : pl_loop_now_ms(stream->world->loop);
	pair->number = ++stream->pairs_made;
	pair->next = stream->pairs;
	stream->pairs = pair;
	stream->pairs_count++;
	pair_look_up(pair);
	return pair;
}

void pair_free(struct pl_pair *pair)
{
	pl_timer_free(pair->timer);
	free(pair->local);
	free(pair->remote);
	free(pair->words);
	free(pair);
}

void pair_again(struct pl_pair *pair)
{
	pl_pair_init(&pair->state, pair->state.role);
	pair->began_ms = pl_loop_now_ms(pair->stream->world->loop);
	pair_words(pair, NULL);
	pair_look_up(pair);
}

void pair_words(struct pl_pair *pair, const char *text)
{
	free(pair->words);
	pair->words = text != NULL ? strdup(text) : NULL;
	if (pair->words != NULL)
		pl_text_mask_keys(pair->words);
}

bool pairs_other_open(const struct pl_stream *stream,
		      const struct pl_pair *than)
{
	for (struct pl_pair *pair = stream->pairs; pair; pair = pair->next)
		if (pair != than && pair->state.phase == PL_PAIR_OPEN)
			return true;
	return false;
}

/* ----- the outcome ----- */

/* The verdict on the certificate as far as this pair is concerned. */
static void pair_verdict(struct pl_pair *pair, struct pl_tls_verdict *verdict)
{
	struct pl_stream *stream = pair->stream;

	memset(verdict, 0, sizeof *verdict);
	if (stream->tls == NULL || !stream->handshake_told)
		return;
	if (pair->state.role == PL_INITIATING || pair->remote[0] == '\0')
		*verdict = stream->verdict;
	else
		pl_tls_judge(stream->tls, pair->remote,
			     pl_loop_time(stream->world->loop).tv_sec,
			     verdict);
}

static bool about_certificate(enum pl_code code)
{
	return strncmp(pl_code_entry(code)->name, "certificate-", 12) == 0;
}

static void tell_outcome(struct pl_pair *pair, const struct pl_step *step,
			 bool failed)
{
	struct pl_stream *stream = pair->stream;
	struct pl_tls_verdict verdict;
	struct pl_outcome outcome = {
		.stream = stream->log_id,
		.incoming = stream->incoming,
		.local = pair->local,
		.remote = pair->remote,
		.row = pair->partner.row,
		.policy = pair->partner.terms.policy,
		.method = failed ? PL_METHOD_NONE
				 : (enum pl_method)pair->state.method,
		.by_certificate = !failed && pair->state.by_certificate,
		.addr = stream->peer,
		.ms = pl_loop_now_ms(stream->world->loop) - pair->began_ms,
		.rule = pair->partner.row ? pair->partner.rule : NULL,
	};

	pair_verdict(pair, &verdict);
	outcome.certificate = verdict.certificate;
	outcome.by_dane = verdict.by_dane;
	if (stream->tls != NULL && stream->handshake_told) {
		outcome.tls = pl_tls_version(stream->tls);
		outcome.cipher = pl_tls_cipher(stream->tls);
	}
	if (failed) {
		outcome.code = step->code;
		outcome.stage = step->stage;
		outcome.side = step->side;
		outcome.words = pair->words != NULL ? pair->words
			      : about_certificate(step->code) ? verdict.text
			      : stream->words;
	}
	stream->told = true;
	pl_outcome_log(stream->world->log, &outcome);
	record_outcome(pair, &outcome);
	stream->events->on_outcome(stream->owner, stream, pair, &outcome,
				   failed ? (enum pl_next)step->next
					  : PL_NEXT_NONE,
				   step->stanza_condition);
}

static void open_pair(struct pl_pair *pair, const struct pl_step *step)
{
	struct pl_stream *stream = pair->stream;

	pair->opened_ms = pl_loop_now_ms(stream->world->loop);
	pl_timer_clear(pair->timer);
	stream_touch(stream); /* idle counts from here at the earliest */
	tell_outcome(pair, step, false);
	stream_simple_event(stream, PL_EV_PAIR_OPENED);
}

/* On a bidi stream the pair of the other way comes with it, once the peer has
 * been told that it is authenticated (XEP-0288 2.2). */
static void reverse(struct pl_pair *pair)
{
	struct pl_stream *stream = pair->stream;
	enum pl_role role = pair->state.role == PL_INITIATING ? PL_RECEIVING
							      : PL_INITIATING;
	struct pl_pair *other = pair_find(stream, role, pair->local,
					  pair->remote);

	if (other == NULL)
		other = pair_new(stream, role, pair->local, pair->remote);
	if (other == NULL)
		return;
	pair_event(other, &(struct pl_pair_event){
		.kind = PL_PE_REVERSED, .method = pair->state.method });
}

static void reverse_opened(struct pl_pair *pair)
{
	struct pl_stream *stream = pair->stream;
	struct pl_log_line line;

	pair->opened_ms = pl_loop_now_ms(stream->world->loop);
	pl_log_begin(&line, stream->world->log, PL_LOG_INFO);
	pl_log_text(&line, "stream", stream->log_id);
	pl_log_text(&line, "dir", stream->incoming ? "in" : "out");
	pl_log_text(&line, "local", pair->local);
	pl_log_text(&line, "remote", pair->remote);
	pl_log_text(&line, "event", "bidi");
	pl_log_text(&line, "method", pl_method_name(pair->state.method));
	pl_log_end(&line);
}

static void gone(struct pl_pair *pair)
{
	pl_timer_clear(pair->timer);
	if (pair->stream->events->on_pair_gone != NULL)
		pair->stream->events->on_pair_gone(pair->stream->owner,
						   pair->stream, pair);
}

/* ----- what the pair machine asks for ----- */

static bool make_key(const struct pl_pair *pair, char key[PL_DIALBACK_KEY_SIZE])
{
	const struct pl_world *world = pair->stream->world;

	if (world->key != NULL)
		return world->key(world->site, pair->remote, pair->local,
				  pair->stream->peer_id, key);
	return pl_dialback_key(world->dialback, pair->remote, pair->local,
			       pair->stream->peer_id, key);
}

static void send_result(struct pl_pair *pair)
{
	struct pl_stream *stream = pair->stream;
	char key[PL_DIALBACK_KEY_SIZE];

	if (stream->peer_id == NULL || !make_key(pair, key))
		return; /* the deadline ends it; the core wants an id first */
	write_result_request(pair, key);
	stream_touch(stream);
	pl_wipe(key, sizeof key);
}

static void start_verify(struct pl_pair *pair)
{
	struct pl_stream *stream = pair->stream;
	char key[1025];

	pl_xml_text(stream->element, key, sizeof key);
	/* On a bidi stream of ours the id is the peer's: there is no other
	 * (XEP-0288 leaves it open). */
	stream->events->on_verify(stream->owner, stream, pair,
				  stream->incoming ? stream->id
						   : stream->peer_id, key);
	pl_wipe(key, sizeof key);
}

static void arm(struct pl_pair *pair, enum pl_deadline deadline)
{
	uint64_t whole = pair->stream->world->limits.negotiate_ms;

	pl_timer_set(pair->timer, deadline == PL_DEADLINE_VERIFY
					  ? whole / 3 * 2 : whole);
}

static void end_stream(struct pl_pair *pair, const struct pl_step *step)
{
	stream_event(pair->stream, &(struct pl_stream_event){
		.kind = PL_EV_PAIR_INVALID, .code = step->code });
}

static void carry_out(struct pl_pair *pair, unsigned action,
		      const struct pl_step *step)
{
	switch (action) {
	case PL_DO_SEND_RESULT: send_result(pair); break;
	case PL_DO_START_VERIFY: start_verify(pair); break;
	case PL_DO_SEND_VALID:
		write_result_answer(pair, "valid", PL_SC_NONE);
		break;
	case PL_DO_SEND_INVALID:
		write_result_answer(pair, "invalid", PL_SC_NONE);
		break;
	case PL_DO_SEND_RESULT_ERROR:
		write_result_answer(pair, "error", step->stanza_condition);
		break;
	case PL_DO_OPEN_PAIR: open_pair(pair, step); break;
	case PL_DO_FAIL_PAIR:
		pl_timer_clear(pair->timer);
		tell_outcome(pair, step, true);
		break;
	case PL_DO_GONE_PAIR: gone(pair); break;
	case PL_DO_REVERSE_PAIR: reverse_opened(pair); break;
	case PL_DO_END_STREAM: end_stream(pair, step); break;
	case PL_DO_UNSOLICITED:
		dialback_unsolicited(pair->stream, "db:result");
		break;
	case PL_DO_ARM: arm(pair, step->deadline); break;
	case PL_DO_DISARM: pl_timer_clear(pair->timer); break;
	default: break; /* the others are the stream's alone */
	}
}

void pair_event(struct pl_pair *pair, struct pl_pair_event *event)
{
	struct pl_stream *stream = pair->stream;
	struct pl_terms terms = stream_terms(stream, &pair->partner);
	const struct pl_pair_state was = pair->state;
	struct pl_step step;

	event->encrypted = stream->core.encrypted;
	event->sasl_failed = stream->core.sasl_failures > 0;
	event->other_pairs_open = pairs_other_open(stream, pair);
	pl_pair_step(&terms, &pair->state, event, &step);
	record_pair_step(pair, &terms, &was, event, &step);
	for (size_t i = 0; i < step.count; i++)
		carry_out(pair, step.actions[i], &step);
	if (was.phase != PL_PAIR_OPEN && pair->state.phase == PL_PAIR_OPEN &&
	    event->kind != PL_PE_REVERSED && !stream->ended &&
	    pl_stream_both_ways(&stream->core))
		reverse(pair);
}

void pair_simple_event(struct pl_pair *pair, enum pl_pair_event_kind kind)
{
	struct pl_pair_event event = { .kind = kind };

	pair_event(pair, &event);
}

static void end_pair(struct pl_pair *pair, const struct pl_step *step)
{
	const struct pl_stream_state *core = &pair->stream->core;

	pair_event(pair, &(struct pl_pair_event){
		.kind = PL_PE_STREAM_ENDED,
		.code = step->code,
		.stage = step->stage,
		.side = step->side,
		.next = step->next,
		.excused = core->verify_served || core->dialback_seen });
}

/* The stream ends: every pair hears it, and those without outcome get one. */
void pairs_end(struct pl_stream *stream, const struct pl_step *step)
{
	for (struct pl_pair *pair = stream->pairs; pair; pair = pair->next)
		end_pair(pair, step);
}

void pairs_end_sending(struct pl_stream *stream, const struct pl_step *step)
{
	for (struct pl_pair *pair = stream->pairs; pair; pair = pair->next)
		if (pair->state.role == PL_INITIATING ||
		    pair->state.phase != PL_PAIR_OPEN)
			end_pair(pair, step);
}
