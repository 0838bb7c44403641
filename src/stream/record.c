/*
 * The records of a stream in its trace (trace.h, parley-trace(7)). Nothing here
 * decides or changes anything; each function is called where something happens
 * and returns at once where nothing is recorded.
 *
 * record.c           whose trace it is; steps, choices, outcomes, faults, ends
 * record_elements.c  headers, elements and closing tags, with their bytes
 * record_tls.c       TLS
 */
#include "internal.h"

#include <string.h>

void record_begin(struct pl_stream *stream, enum pl_trace_dir dir,
		  enum pl_stage stage, const char *verb)
{
	pl_trace_encrypted(stream->traced, stream->tls != NULL &&
					   stream->handshake_told);
	pl_trace_record(stream->traced, dir, stage, verb);
}

void record_end(struct pl_stream *stream)
{
	pl_trace_done(stream->traced);
}

bool record_is_off(const struct pl_stream *stream)
{
	return stream->traced == NULL || !pl_trace_live(stream->traced);
}

/* ----- names, and which trace it is ----- */

static void set_terms(struct pl_stream *stream, const char *local,
		      const char *remote, const struct pl_partner_view *view)
{
	pl_trace_terms(pl_trace_of(stream->traced), local, remote,
		       view->row != 0 ? &view->terms.policy : NULL, view->row);
}

/* Part of a negotiation of ours where there is one, else one of its own. */
static void tie(struct pl_stream *stream, const char *local, const char *remote,
		const struct pl_partner_view *view)
{
	if (pl_trace_tie(stream->traced, local, remote))
		stream->traced_names = true;
	else if (view != NULL)
		set_terms(stream, local, remote, view);
}

void record_names(struct pl_stream *stream)
{
	if (record_is_off(stream))
		return;
	pl_trace_rename(stream->traced, PL_ROLE_RECEIVER,
			stream->local[0] ? stream->local : NULL,
			stream->remote[0] ? stream->remote : NULL);
	if (stream->traced_names || stream->local[0] == '\0' ||
	    stream->remote[0] == '\0')
		return;
	stream->traced_names = true;
	tie(stream, stream->local, stream->remote, &stream->partner);
}

/* The trace of this stream is over, and it is used again: one of its own. */
static void begin_again(struct pl_stream *stream, enum pl_trace_role role,
			const char *local, const char *remote)
{
	struct pl_tracer *tracer = stream->world->tracer;
	struct pl_trace *trace;

	pl_trace_leave(stream->traced);
	stream->traced = NULL;
	trace = pl_trace_begin(tracer, stream->incoming, local, remote);
	if (trace == NULL)
		return;
	stream->traced = pl_trace_connection(trace, role, NULL);
	pl_trace_unref(trace);
	pl_trace_rename(stream->traced, role, local, remote);
	stream->traced_names = false;
}

void record_attempt(struct pl_stream *stream, const char *local,
		    const char *remote, const struct pl_partner_view *view)
{
	enum pl_trace_role role = !stream->incoming ? PL_ROLE_INITIATOR
				: view == NULL ? PL_ROLE_AUTHORITATIVE
					       : PL_ROLE_RECEIVER;

	if (stream->world->tracer == NULL || local[0] == '\0' ||
	    remote[0] == '\0')
		return;
	if (record_is_off(stream)) {
		begin_again(stream, role, local, remote);
		if (stream->traced != NULL && !stream->incoming && view)
			set_terms(stream, local, remote, view);
	}
	if (stream->traced == NULL || !stream->incoming)
		return;
	/* Who only asks for keys makes us the authority and nothing more. */
	if (view == NULL && (stream->core.dialback_seen ||
			     stream->core.phase == PL_OPEN))
		role = PL_ROLE_RECEIVER;
	pl_trace_rename(stream->traced, role,
			stream->remote[0] ? stream->local : local,
			stream->remote[0] ? stream->remote : remote);
	if (stream->traced_names)
		return;
	stream->traced_names = true;
	tie(stream, local, remote, view);
}

void record_request(struct pl_stream *stream,
		    const struct pl_xml_node *element)
{
	struct pl_world *world = stream->world;
	char local[PL_DOMAIN_SIZE], remote[PL_DOMAIN_SIZE];
	struct pl_partner_view view;
	enum pl_dialback_kind kind;
	const char *from, *to;

	if (world->tracer == NULL || !dialback_kind(element, &kind) ||
	    (kind != PL_DB_RESULT_REQUEST && kind != PL_DB_VERIFY_REQUEST))
		return;
	from = pl_xml_attribute(element, "from");
	to = pl_xml_attribute(element, "to");
	if (from == NULL || to == NULL ||
	    !pl_addr_domain(from, strlen(from), remote, NULL) ||
	    !pl_addr_domain(to, strlen(to), local, NULL))
		return;
	if (kind == PL_DB_RESULT_REQUEST)
		world->partner(world->site, local, remote, &view);
	record_attempt(stream, local, remote,
		       kind == PL_DB_RESULT_REQUEST ? &view : NULL);
}

/* ----- faults, ends, time ----- */

enum pl_code record_code_of(const struct pl_stream *stream,
			    const struct pl_stream_event *event)
{
	struct pl_terms terms = stream_terms(stream, &stream->partner);
	struct pl_stream_state state = stream->core;
	struct pl_step step;

	pl_stream_step(&terms, &state, event, &step);
	return step.code;
}

void record_fault(struct pl_stream *stream, const struct pl_stream_event *event,
		  const char *text)
{
	if (record_is_off(stream))
		return;
	record_begin(stream, PL_DIR_IN, PL_STAGE_ERROR, "fault");
	pl_trace_level(stream->traced, PL_LOG_WARNING);
	pl_trace_code(stream->traced, record_code_of(stream, event));
	pl_trace_text(stream->traced, "text", text);
	pl_trace_summary(stream->traced, "%s", text);
	record_end(stream);
}

static void show_deadline(struct pl_stream *stream, const char *which)
{
	if (which == NULL)
		return;
	record_begin(stream, PL_DIR_LOCAL, PL_STAGE_ERROR, "deadline");
	pl_trace_level(stream->traced, PL_LOG_WARNING);
	pl_trace_text(stream->traced, "deadline", which);
	pl_trace_summary(stream->traced, "the time for %s is over", which);
	record_end(stream);
}

/* Only phases that wait for something have one. */
static const char *stage_deadline(const struct pl_stream *stream)
{
	switch ((enum pl_stream_phase)stream->core.phase) {
	case PL_AWAIT_HANDSHAKE:
		return "handshake";
	case PL_AWAIT_HEADER:
		return "header";
	case PL_AWAIT_FEATURES:
		return "features";
	case PL_AWAIT_PROCEED:
		return "proceed";
	case PL_AWAIT_SASL:
	case PL_AWAIT_RESPONSE:
		return "sasl";
	case PL_IDLE:
	case PL_AWAIT_CHOICE:
	case PL_AWAIT_ACCEPTANCE:
	case PL_AWAIT_PAIRS:
	case PL_OPEN:
	case PL_AWAIT_CLOSE: /* nobody failed to do what was wanted */
	case PL_ENDED:
		break;
	}
	return NULL;
}

void record_deadline(struct pl_stream *stream, enum pl_stream_event_kind kind)
{
	if (record_is_off(stream) || stream->ended)
		return;
	if (kind == PL_EV_DEADLINE)
		show_deadline(stream, stage_deadline(stream));
	else if (kind == PL_EV_NEGOTIATION_DEADLINE &&
		 stream->core.phase < PL_OPEN)
		show_deadline(stream, "negotiation");
}

void record_sm_silence(struct pl_stream *stream)
{
	if (!record_is_off(stream))
		show_deadline(stream, "acknowledgement");
}

void record_pair_deadline(struct pl_pair *pair)
{
	if (record_is_off(pair->stream))
		return;
	if (pair->state.phase == PL_PAIR_AWAIT_RESULT)
		show_deadline(pair->stream, "result");
	else if (pair->state.phase == PL_PAIR_AWAIT_VERIFY)
		show_deadline(pair->stream, "verify");
}

void record_ignored(struct pl_stream *stream, const char *what)
{
	if (record_is_off(stream))
		return;
	record_begin(stream, PL_DIR_IN, PL_STAGE_DIALBACK, "ignored");
	pl_trace_level(stream->traced, PL_LOG_WARNING);
	pl_trace_text(stream->traced, "text", what);
	pl_trace_summary(stream->traced, "%s that nobody had asked for", what);
	record_end(stream);
}

static void show_end(struct pl_stream *stream, enum pl_trace_dir dir,
		     const char *how)
{
	if (record_is_off(stream))
		return;
	record_begin(stream, dir, PL_STAGE_CLOSE, "tcp");
	pl_trace_text(stream->traced, "how", how);
	pl_trace_summary(stream->traced, "connection %s%s", how,
			 dir == PL_DIR_IN ? " by the peer" : "");
	record_end(stream);
}

void record_peer_end(struct pl_stream *stream, bool reset)
{
	show_end(stream, PL_DIR_IN, reset ? "reset" : "eof");
}

void record_our_end(struct pl_stream *stream, bool dropped)
{
	show_end(stream, PL_DIR_OUT, dropped ? "dropped" : "closed");
}

/* ----- steps and choices ----- */

static void add_offers(struct pl_traced *traced, unsigned offers)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {
		{ PL_FEATURE_STARTTLS, "starttls" },
		{ PL_FEATURE_STARTTLS_REQUIRED, "starttls-required" },
		{ PL_FEATURE_EXTERNAL, "external" },
		{ PL_FEATURE_DIALBACK, "dialback" },
		{ PL_FEATURE_DIALBACK_ERRORS, "dialback-errors" },
		{ PL_FEATURE_UNKNOWN_REQUIRED, "unknown-required" },
		{ PL_FEATURE_BIDI, "bidi" },
	};

	pl_trace_array(traced, "offers");
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (offers & names[i].bit)
			pl_trace_text(traced, NULL, names[i].name);
	pl_trace_close(traced);
}

static void show_choice(struct pl_stream *stream, const char *machine,
			const struct pl_partner_view *partner,
			const struct pl_choice *choice)
{
	struct pl_traced *traced = stream->traced;
	const char *why = choice->count > 0
		? pl_why_not_text(choice->rejected[0].reason) : NULL;

	record_begin(stream, PL_DIR_LOCAL, PL_STAGE_POLICY, "choice");
	if (choice->choice == PL_CHOICE_REFUSE)
		pl_trace_level(traced, PL_LOG_WARNING);
	pl_trace_text(traced, "machine", machine);
	add_offers(traced, choice->offers);
	if (partner->row != 0) {
		pl_trace_text(traced, "rule", partner->rule);
		pl_trace_number(traced, "row", partner->row);
	}
	pl_trace_text(traced, "choice", pl_choice_name(choice->choice));
	pl_trace_array(traced, "rejected");
	for (int i = 0; i < choice->count; i++) {
		pl_trace_object(traced, NULL);
		pl_trace_text(traced, "choice",
			      pl_choice_name(choice->rejected[i].choice));
		pl_trace_text(traced, "reason",
			      pl_why_not_text(choice->rejected[i].reason));
		pl_trace_close(traced);
	}
	pl_trace_close(traced);
	if (why != NULL)
		pl_trace_summary(traced, "%s; not %s: %s",
				 pl_choice_name(choice->choice),
				 pl_choice_name(choice->rejected[0].choice),
				 why);
	else
		pl_trace_summary(traced, "%s", pl_choice_name(choice->choice));
	record_end(stream);
}

void record_step(struct pl_stream *stream, const struct pl_terms *terms,
		 const struct pl_stream_state *before,
		 const struct pl_stream_event *event, const struct pl_step *step)
{
	struct pl_choice choice;

	if (record_is_off(stream))
		return;
	/* Where it changes nothing a replay misses nothing. */
	if (stream->untraced && event->kind == PL_EV_STANZA &&
	    memcmp(before, &stream->core, sizeof *before) == 0)
		return;
	pl_trace_stream_step(stream->traced, terms, before, event,
			     &stream->core, step);
	if (pl_stream_choice(terms, before, event, step, &choice))
		show_choice(stream, "stream", &stream->partner, &choice);
}

/* That the header's pair goes by dialback was the stream's choice already. */
static bool was_told(const struct pl_pair *pair, const struct pl_choice *choice)
{
	const struct pl_stream *stream = pair->stream;

	return choice->choice == PL_CHOICE_DIALBACK &&
	       strcmp(pair->local, stream->local) == 0 &&
	       strcmp(pair->remote, stream->remote) == 0;
}

static void show_gone(struct pl_pair *pair)
{
	struct pl_stream *stream = pair->stream;

	record_begin(stream, PL_DIR_LOCAL, PL_STAGE_ESTABLISHED, "gone");
	pl_trace_text(stream->traced, "local", pair->local);
	pl_trace_text(stream->traced, "remote", pair->remote);
	pl_trace_summary(stream->traced, "%s is gone", pair->remote);
	record_end(stream);
}

void record_pair_step(struct pl_pair *pair, const struct pl_terms *terms,
		      const struct pl_pair_state *before,
		      const struct pl_pair_event *event,
		      const struct pl_step *step)
{
	struct pl_stream *stream = pair->stream;
	struct pl_choice choice;

	if (record_is_off(stream))
		return;
	pl_trace_pair_step(stream->traced, pair->number, terms, before, event,
			   &pair->state, step);
	if (pl_pair_choice(terms, before, event, step, &choice) &&
	    !was_told(pair, &choice))
		show_choice(stream, "pair", &pair->partner, &choice);
	if (before->phase == PL_PAIR_OPEN && pair->state.phase == PL_PAIR_GONE)
		show_gone(pair);
}

/* ----- outcomes ----- */

static void show_open(struct pl_pair *pair, const struct pl_outcome *outcome)
{
	struct pl_stream *stream = pair->stream;
	uint64_t us = pl_loop_now_us(stream->world->loop) -
		      pair->began_ms * 1000;

	record_begin(stream, PL_DIR_LOCAL, PL_STAGE_ESTABLISHED, "open");
	pl_trace_level(stream->traced, PL_LOG_NOTICE);
	pl_trace_text(stream->traced, "local", outcome->local);
	pl_trace_text(stream->traced, "remote", outcome->remote);
	pl_trace_text(stream->traced, "method",
		      pl_method_name(outcome->method));
	pl_trace_bool(stream->traced, "by_certificate",
		      outcome->by_certificate);
	pl_trace_number(stream->traced, "row", outcome->row);
	pl_trace_number(stream->traced, "us", (int64_t)us);
	pl_trace_summary(stream->traced, "%s", pl_method_title(outcome->method));
	record_end(stream);
}

void pl_stream_record_failed(struct pl_traced *traced,
			     const struct pl_outcome *outcome)
{
	char text[2048];

	if (!pl_trace_live(traced))
		return;
	pl_trace_record(traced, PL_DIR_LOCAL, PL_STAGE_ESTABLISHED, "failed");
	pl_trace_level(traced, PL_LOG_NOTICE);
	pl_trace_code(traced, outcome->code);
	pl_trace_text(traced, "local", outcome->local);
	pl_trace_text(traced, "remote", outcome->remote);
	pl_trace_text(traced, "side", pl_side_name(outcome->side));
	pl_trace_text(traced, "stage", pl_stage_name(outcome->stage));
	pl_trace_text(traced, "why",
		      pl_outcome_why(outcome, text, sizeof text));
	pl_trace_text(traced, "fix",
		      pl_outcome_fix(outcome, text, sizeof text));
	pl_trace_summary(traced, "%s", pl_code_entry(outcome->code)->name);
	pl_trace_done(traced);
}

void record_outcome(struct pl_pair *pair, const struct pl_outcome *outcome)
{
	struct pl_stream *stream = pair->stream;

	if (record_is_off(stream))
		return;
	if (outcome->method != PL_METHOD_NONE)
		show_open(pair, outcome);
	else
		pl_stream_record_failed(stream->traced, outcome);
	pl_trace_outcome(stream->traced, outcome);
}

static const char *or_unknown(const char *name)
{
	return name[0] != '\0' ? name : NULL;
}

/* Without a header there is no pair, and no outcome line (nor where only keys
 * were asked for); what went wrong is known all the same. Who only looks whether
 * the port is open, or had its key verified, did nothing wrong. */
void record_untold_end(struct pl_stream *stream, const struct pl_step *step)
{
	struct pl_outcome outcome = {
		.incoming = true,
		.local = or_unknown(stream->local),
		.remote = or_unknown(stream->remote),
		.row = stream->partner.row,
		.policy = stream->partner.terms.policy,
		.code = step->code,
		.stage = step->stage,
		.side = step->side,
		.words = stream->words,
		.addr = stream->peer,
		.ms = pl_loop_now_ms(stream->world->loop) - stream->began_ms,
	};

	if (record_is_off(stream) || !stream->incoming || !stream->heard ||
	    stream->told || stream->core.verify_served ||
	    step->code == PL_CODE_NONE)
		return;
	pl_stream_record_failed(stream->traced, &outcome);
	pl_trace_outcome(stream->traced, &outcome);
}

/* ----- the end ----- */

void record_release(struct pl_stream *stream)
{
	pl_buffer_wipe(&stream->came.kept);
	pl_trace_leave(stream->traced);
	stream->traced = NULL;
}
