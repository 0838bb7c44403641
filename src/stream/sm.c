/*
 * Stream management (XEP-0198): its elements, and who counts when.
 *
 *     initiating   features -> <enable/>  -> <enabled/> -> both count
 *                           -> <resume/>  -> <resumed/> -> both go on
 *                                         -> <failed/>  -> <enable/>
 *     receiving    <enable/> -> <enabled/>, <resume/> -> <resumed/>, <failed/>
 *
 * Between the question and its answer nothing is sent (pl_stream_holds()), so
 * both sides count from the same stanza on. What was sent is kept by the owner,
 * who also finds the sessions that can be resumed. The numbers are sm.h's.
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ----- reading ----- */

/* A number of 32 bits, in digits alone. */
static bool read_h(const struct pl_xml_node *element, uint32_t *h)
{
	const char *text = pl_xml_attribute(element, "h");
	uint64_t value = 0;

	if (text == NULL || text[0] == '\0' || strlen(text) > 10)
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (uint64_t)(*text - '0');
	}
	*h = (uint32_t)value;
	return value <= UINT32_MAX;
}

static bool is_true(const char *value)
{
	return value != NULL &&
	       (strcmp(value, "true") == 0 || strcmp(value, "1") == 0);
}

/* Does it acknowledge what these counters know of? What does not stays noted,
 * for the error that names it. */
static bool acknowledges(struct pl_stream *stream, const struct pl_sm *sm,
			 const struct pl_xml_node *element)
{
	struct pl_sm probe = *sm;
	uint32_t count;

	stream->sm_sent = sm->sent;
	return read_h(element, &stream->sm_h) &&
	       pl_sm_acked(&probe, stream->sm_h, &count);
}

static void judge_resume(struct pl_stream *stream,
			 const struct pl_xml_node *element,
			 struct pl_stream_event *event)
{
	const char *id = pl_xml_attribute(element, "previd");

	if (!stream->incoming || !stream->core.authenticated ||
	    stream->core.phase != PL_OPEN || stream->core.sm == PL_SM_ON ||
	    id == NULL)
		return;
	event->flag = stream->events->on_sm_find(stream->owner, stream, id,
						 &stream->sm_found);
	if (event->flag)
		event->too_high = !acknowledges(stream, &stream->sm_found,
						element);
}

static void judge_resumed(struct pl_stream *stream,
			  const struct pl_xml_node *element,
			  struct pl_stream_event *event)
{
	const char *id = pl_xml_attribute(element, "previd");

	event->flag = id != NULL && stream->sm_id != NULL &&
		      strcmp(id, stream->sm_id) == 0;
	event->too_high = !acknowledges(stream, &stream->sm, element);
}

bool sm_read(struct pl_stream *stream, const struct pl_xml_node *element,
	     struct pl_stream_event *event)
{
	if (strcmp(element->ns, PL_NS_SM) != 0)
		return false;
	for (unsigned kind = 0; kind <= PL_SM_ACK; kind++) {
		if (strcmp(element->name, pl_sm_element_name(kind)) != 0)
			continue;
		event->kind = PL_EV_SM;
		event->sm = kind;
		if (kind == PL_SM_ACK)
			event->too_high = !acknowledges(stream, &stream->sm,
							element);
		else if (kind == PL_SM_RESUME)
			judge_resume(stream, element, event);
		else if (kind == PL_SM_RESUMED)
			judge_resumed(stream, element, event);
		return true;
	}
	return false;
}

/* ----- writing ----- */

static void attribute(struct pl_stream *stream, const char *name,
		      const char *value)
{
	pl_buffer_printf(&stream->out, " %s='", name);
	pl_xml_escape(&stream->out, value, strlen(value));
	write_text(stream, "'");
}

static void write_ack(struct pl_stream *stream)
{
	size_t from = stream->out.length;

	stream->sm_told = stream->sm.handled;
	pl_buffer_printf(&stream->out, "<a xmlns='" PL_NS_SM "' h='%u'/>",
			 stream->sm.handled);
	write_done(stream, from);
}

static void arm(struct pl_stream *stream);

/* The time for the answer runs from the first <r/> that has none. */
static void ask(struct pl_stream *stream)
{
	pl_sm_ask(&stream->sm);
	stream->sm_bytes = 0;
	write_element(stream, "<r xmlns='" PL_NS_SM "'/>");
	if (stream->sm_owed++ == 0)
		sm_wait_anew(stream);
	arm(stream);
}

static void write_resumed(struct pl_stream *stream, const char *name)
{
	size_t from = stream->out.length;

	pl_buffer_printf(&stream->out, "<%s xmlns='" PL_NS_SM "'", name);
	attribute(stream, "previd", stream->sm_id);
	pl_buffer_printf(&stream->out, " h='%u'/>", stream->sm.handled);
	stream->sm_told = stream->sm.handled;
	write_done(stream, from);
}

/* The peer's last chance to learn what was handled (XEP-0198 4). */
void sm_last_ack(struct pl_stream *stream)
{
	if (stream->core.sm == PL_SM_ON &&
	    stream->sm_told != stream->sm.handled)
		write_ack(stream);
}

bool sm_write_error(struct pl_stream *stream, enum pl_condition condition)
{
	if (condition != PL_COND_UNDEFINED_CONDITION ||
	    stream->element == NULL ||
	    strcmp(stream->element->ns, PL_NS_SM) != 0)
		return false;
	pl_buffer_printf(&stream->out, "<stream:error><undefined-condition "
			 "xmlns='" PL_NS_STREAM_ERROR "'/>"
			 "<handled-count-too-high xmlns='" PL_NS_SM "' h='%u' "
			 "send-count='%u'/></stream:error>", stream->sm_h,
			 stream->sm_sent);
	return true;
}

/* ----- counting ----- */

/* How long the peer may owe an answer. */
static uint64_t patience(const struct pl_stream *stream)
{
	uint64_t ms = stream->world->limits.ping_ms;

	return ms > 0 ? ms : STREAM_SM_ANSWER_MS;
}

/* For one more time as long. */
static void wait_on(struct pl_stream *stream)
{
	stream->sm_owed_ms = pl_loop_now_ms(stream->world->loop);
	stream->sm_owed_acked = pl_conn_acked(stream->conn);
}

void sm_wait_anew(struct pl_stream *stream)
{
	stream->sm_owed_place = pl_conn_written(stream->conn);
	wait_on(stream);
}

/* It may lie in what we do not read now, and our question behind what the peer's
 * TCP takes slowly, out of our hands and the kernel's: neither is silence. */
static bool is_silent(const struct pl_stream *stream)
{
	return stream->paused == 0 &&
	       (stream->sm_owed_acked >= stream->sm_owed_place ||
		pl_conn_acked(stream->conn) == stream->sm_owed_acked);
}

/* Half-alive: it takes stanzas and says nothing of them. As if the connection
 * were broken, for nobody knows what it handled (XEP-0198 4, 5). */
static void give_up(struct pl_stream *stream)
{
	stream_words(stream, "the peer does not acknowledge any more");
	record_sm_silence(stream);
	stream_event(stream, &(struct pl_stream_event){
		.kind = PL_EV_DISCONNECTED, .flag = true });
}

/* One timer for both: when to ask, and when to wait no longer. */
static uint64_t due_ms(const struct pl_stream *stream)
{
	uint64_t due = UINT64_MAX, owed;

	if (pl_sm_unasked(&stream->sm))
		due = stream->sm_sent_ms + STREAM_SM_SILENCE_MS;
	owed = stream->sm_owed_ms + patience(stream);
	return stream->sm_owed > 0 && owed < due ? owed : due;
}

static void on_timer(void *owner)
{
	struct pl_stream *stream = owner;
	uint64_t now = pl_loop_now_ms(stream->world->loop);

	stream->sm_due_ms = 0;
	if (stream->ended)
		return;
	if (stream->sm_owed > 0 &&
	    now >= stream->sm_owed_ms + patience(stream)) {
		if (is_silent(stream)) {
			give_up(stream);
			return;
		}
		wait_on(stream);
	}
	if (pl_sm_unasked(&stream->sm) &&
	    now >= stream->sm_sent_ms + STREAM_SM_SILENCE_MS)
		ask(stream);
	arm(stream);
	stream_flush(stream);
}

/* Where it is set for an earlier time it stays, and is set anew only then:
 * neither a stanza nor an answer moves it. */
static void arm(struct pl_stream *stream)
{
	uint64_t due = due_ms(stream), now;

	if (due == UINT64_MAX ||
	    (stream->sm_due_ms > 0 && stream->sm_due_ms <= due))
		return;
	if (stream->sm_timer == NULL)
		stream->sm_timer = pl_timer_new(stream->world->loop, on_timer,
						stream);
	now = pl_loop_now_ms(stream->world->loop);
	stream->sm_due_ms = due;
	pl_timer_set(stream->sm_timer, due > now ? due - now : 0);
}

/* A stanza of ours is in the output. */
void sm_sent(struct pl_stream *stream, size_t length)
{
	if (stream->core.sm != PL_SM_ON)
		return;
	stream->sm_sent_ms = pl_loop_now_ms(stream->world->loop);
	stream->sm_bytes += length;
	if (pl_sm_sent(&stream->sm) || stream->sm_bytes > STREAM_SM_BYTES) {
		ask(stream);
		return;
	}
	arm(stream);
}

void sm_handled(struct pl_stream *stream)
{
	if (stream->core.sm == PL_SM_ON)
		pl_sm_handled(&stream->sm);
}

void pl_stream_ask(struct pl_stream *stream)
{
	if (!stream->ended && stream->core.sm == PL_SM_ON &&
	    pl_sm_unasked(&stream->sm)) {
		ask(stream);
		stream_flush_later(stream);
	}
}

/* ----- what the core asks for ----- */

static void log_event(struct pl_stream *stream, const char *event,
		      const char *key, const char *value)
{
	struct pl_log_line line;

	pl_log_begin(&line, stream->world->log, PL_LOG_INFO);
	pl_log_text(&line, "stream", stream->log_id);
	pl_log_text(&line, "dir", stream->incoming ? "in" : "out");
	pl_log_text(&line, "local", stream->local);
	pl_log_text(&line, "remote", stream->remote);
	pl_log_text(&line, "event", event);
	pl_log_text(&line, key, value);
	pl_log_end(&line);
}

static void forget(struct pl_stream *stream)
{
	free(stream->sm_id);
	stream->sm_id = NULL;
	stream->sm = (struct pl_sm){ 0 };
	stream->sm_told = 0;
	stream->sm_owed = 0;
}

/* Nobody can guess it; and it is good for the same authenticated pair alone. */
static void fresh_id(struct pl_stream *stream)
{
	unsigned char random[16];
	char id[2 * sizeof random + 1];

	pl_loop_random(stream->world->loop, random, sizeof random);
	for (size_t i = 0; i < sizeof random; i++)
		snprintf(id + 2 * i, 3, "%02x", random[i]);
	stream->sm_id = pl_strdup(id);
}

static void enabled(struct pl_stream *stream)
{
	log_event(stream, "sm-enabled", "resume",
		  stream->sm_id != NULL ? "yes" : "no");
}

/* Receiving. */
static void enable(struct pl_stream *stream)
{
	bool resume = is_true(pl_xml_attribute(stream->element, "resume"));
	size_t from = stream->out.length;

	forget(stream);
	write_text(stream, "<enabled xmlns='" PL_NS_SM "'");
	if (resume) {
		fresh_id(stream);
		attribute(stream, "id", stream->sm_id);
		pl_buffer_printf(&stream->out, " resume='true' max='%d'",
				 PL_STREAM_SM_MAX_MS / 1000);
	}
	write_text(stream, "/>");
	write_done(stream, from);
	stream->sm_max_ms = PL_STREAM_SM_MAX_MS;
	enabled(stream);
}

/* Initiating: how long the peer keeps it, where it says so. */
static uint64_t read_max_ms(const struct pl_xml_node *element)
{
	const char *text = pl_xml_attribute(element, "max");
	unsigned long seconds;

	if (text == NULL || text[0] < '0' || text[0] > '9')
		return PL_STREAM_SM_MAX_MS;
	seconds = strtoul(text, NULL, 10);
	return seconds < PL_STREAM_SM_MAX_MS / 1000 ? seconds * 1000
						    : PL_STREAM_SM_MAX_MS;
}

static void take_enabled(struct pl_stream *stream)
{
	const char *id = pl_xml_attribute(stream->element, "id");

	forget(stream);
	if (is_true(pl_xml_attribute(stream->element, "resume")) &&
	    id != NULL && id[0] != '\0' && strlen(id) <= STREAM_SM_ID_LIMIT)
		stream->sm_id = pl_strdup(id);
	stream->sm_max_ms = read_max_ms(stream->element);
	enabled(stream);
}

/* Both: what the peer handled is forgotten, the rest the owner sends again. */
static void resumed(struct pl_stream *stream)
{
	uint32_t count = 0;

	pl_sm_acked(&stream->sm, stream->sm_h, &count);
	pl_sm_resumed(&stream->sm);
	stream->sm_resumed = true;
	if (stream->incoming)
		write_resumed(stream, "resumed");
	stream->events->on_sm_resumed(stream->owner, stream, stream->sm_id,
				      count);
}

static void resume(struct pl_stream *stream)
{
	forget(stream);
	stream->sm = stream->sm_found;
	stream->sm_id = pl_strdup(pl_xml_attribute(stream->element, "previd"));
	stream->sm_max_ms = PL_STREAM_SM_MAX_MS;
	resumed(stream);
}

/* Initiating: to <resume/> or <enable/>, with an element or without. */
static void take_failed(struct pl_stream *stream)
{
	uint32_t count = 0, h;

	if (stream->sm_id == NULL) {
		log_event(stream, "sm-failed", "why", stream->element != NULL
			  ? "the peer refused it" : "the peer did not answer");
		return;
	}
	if (stream->element == NULL || !read_h(stream->element, &h) ||
	    !pl_sm_acked(&stream->sm, h, &count))
		count = 0;
	stream->events->on_sm_failed(stream->owner, stream, count);
	forget(stream);
}

static void refuse(struct pl_stream *stream, enum pl_stanza_condition why)
{
	size_t from = stream->out.length;

	pl_buffer_printf(&stream->out, "<failed xmlns='" PL_NS_SM "'><%s "
			 "xmlns='" PL_NS_STANZA_ERROR "'/></failed>",
			 pl_stanza_condition_name(why));
	write_done(stream, from);
	dialback_unsolicited(stream, "sm"); /* counted: not for ever */
}

static void take_ack(struct pl_stream *stream)
{
	uint32_t count = 0;
	bool good = pl_sm_acked(&stream->sm, stream->sm_h, &count);

	/* Each <r/> has its answer; one that tells all is one to all. */
	if (stream->sm_owed > 0)
		stream->sm_owed--;
	if (stream->sm.acked == stream->sm.asked)
		stream->sm_owed = 0;
	sm_wait_anew(stream);
	if (good && count > 0)
		stream->events->on_sm_acked(stream->owner, stream, count);
}

void sm_carry_out(struct pl_stream *stream, enum pl_action action,
		  const struct pl_step *step)
{
	switch ((int)action) {
	case PL_DO_SEND_ENABLE:
		write_element(stream, "<enable xmlns='" PL_NS_SM
				      "' resume='true'/>");
		break;
	case PL_DO_SEND_RESUME: write_resumed(stream, "resume"); break;
	case PL_DO_SM_ENABLED: take_enabled(stream); break;
	case PL_DO_SM_RESUMED: resumed(stream); break;
	case PL_DO_SM_FAILED: take_failed(stream); break;
	case PL_DO_ENABLE_SM: enable(stream); break;
	case PL_DO_RESUME_SM: resume(stream); break;
	case PL_DO_REFUSE_SM: refuse(stream, step->stanza_condition); break;
	case PL_DO_SEND_ACK: write_ack(stream); break;
	case PL_DO_ACKED: take_ack(stream); break;
	}
}

/* ----- what the owner asks ----- */

void pl_stream_replaced(struct pl_stream *stream)
{
	stream_words(stream, "resumed by another stream");
	stream_simple_event(stream, PL_EV_REPLACED);
}

void pl_stream_sm(const struct pl_stream *stream, struct pl_stream_sm *sm)
{
	*sm = (struct pl_stream_sm){
		.on = stream->core.sm == PL_SM_ON,
		.holds = pl_stream_holds(&stream->core),
		.broken = stream->broken,
		.left = !stream->broken && (stream->code == PL_CODE_NONE ||
					    stream->code == PL_CODE_SHUTDOWN),
		.both_ways = stream->core.bidi,
		.resumed = stream->sm_resumed,
		.id = stream->sm_id,
		.max_ms = stream->sm_max_ms,
		.counters = stream->sm,
	};
}

void sm_begin(struct pl_stream *stream, const struct pl_stream_sm *resume)
{
	if (resume == NULL)
		return;
	stream->sm_id = pl_strdup(resume->id);
	stream->sm_max_ms = resume->max_ms; /* <resumed/> does not say it */
	stream->sm = resume->counters;
}

void sm_free(struct pl_stream *stream)
{
	pl_timer_free(stream->sm_timer);
	free(stream->sm_id);
}
