/*
 * An open stream over time: white space that shows life (RFC 6120 4.6.1), the
 * limits that both sides tell (XEP-0478), and how fast a partner may send.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

enum { REST_MS = 3000 };

/* ----- limits that are told ----- */

/* Ours, as they hold at this moment; they may change with each features. */
void keep_write_limits(struct pl_stream *stream)
{
	const struct pl_world_limits *limits = &stream->world->limits;
	size_t bytes = stream->core.authenticated
		? stream_stanza_bytes(stream) : limits->unauthenticated_bytes;

	pl_buffer_printf(&stream->out, "<limits xmlns='" PL_NS_LIMITS "'>"
			 "<max-bytes>%zu</max-bytes>", bytes);
	if (stream->core.authenticated && limits->idle_ms >= 1000)
		pl_buffer_printf(&stream->out,
				 "<idle-seconds>%llu</idle-seconds>",
				 (unsigned long long)limits->idle_ms / 1000);
	write_text(stream, "</limits>");
}

/* A number of a peer's; 0: absent, or none. */
static uint64_t number(const struct pl_xml_node *limits, const char *name)
{
	const struct pl_xml_node *child = pl_xml_child(limits, name,
						       PL_NS_LIMITS);
	unsigned long long value;
	char text[24], *end;

	if (child == NULL || pl_xml_text(child, text, sizeof text) >= sizeof text
	    || text[0] < '0' || text[0] > '9')
		return 0;
	errno = 0;
	value = strtoull(text, &end, 10);
	return *end == '\0' && errno == 0 ? value : 0;
}

/* What the peer tells replaces what it told before. Less than a short stanza
 * (RFC 6120 13.12) is no limit that anybody could obey. */
void keep_read_limits(struct pl_stream *stream,
		      const struct pl_xml_node *limits)
{
	uint64_t bytes = number(limits, "max-bytes");
	uint64_t seconds = number(limits, "idle-seconds");

	stream->peer_max_bytes = bytes >= 1000 ? bytes : 0;
	stream->peer_idle_ms = seconds > 0 && seconds < 86400 * 365
				       ? seconds * 1000 : 0;
}

size_t pl_stream_most(const struct pl_stream *stream)
{
	return stream->peer_max_bytes;
}

/* ----- white space ----- */

static uint64_t interval(const struct pl_stream *stream)
{
	uint64_t ms = stream->partner.keepalive
		? stream->world->limits.keepalive_ms : 0;
	uint64_t theirs = stream->peer_idle_ms / 4 * 3;

	if (theirs > 0 && (ms == 0 || theirs < ms))
		return theirs;
	return ms;
}

uint64_t pl_stream_keepalive(struct pl_stream *stream)
{
	uint64_t ms = interval(stream);
	uint64_t now = pl_loop_now_ms(stream->world->loop);

	if (stream->ended || stream->core.phase != PL_OPEN || ms == 0)
		return UINT64_MAX;
	if (now - stream->sent_ms < ms)
		return stream->sent_ms + ms;
	if (stream->out.length == 0 && pl_conn_pending(stream->conn) == 0) {
		write_text(stream, " ");
		stream_flush(stream);
	}
	return now + ms;
}

/* ----- memory ----- */

bool pl_stream_rest(struct pl_stream *stream)
{
	uint64_t now = pl_loop_now_ms(stream->world->loop);

	if (stream->rests || stream->feeding || stream->ended ||
	    stream->core.phase != PL_OPEN || stream->parser == NULL ||
	    now - stream->last_ms < REST_MS)
		return false;
	stream->rests = true;
	pl_xml_rest(stream->parser);
	if (stream->tls != NULL)
		pl_tls_rest(stream->tls);
	if (record_is_off(stream))
		record_release(stream);
	return true;
}

/* When it has just opened: most that comes now comes later, or never. Thousands
 * of streams that open at once do not hold a parser each meanwhile. */
void keep_opened(struct pl_stream *stream)
{
	if (stream->opened || stream->ended || stream->core.phase != PL_OPEN)
		return;
	stream->opened = true;
	pl_xml_rest(stream->parser);
}

bool pl_stream_rests(const struct pl_stream *stream)
{
	return stream->rests;
}

void keep_awake(struct pl_stream *stream)
{
	if (!stream->rests)
		return;
	stream->rests = false;
	if (stream->events->on_awake != NULL)
		stream->events->on_awake(stream->owner, stream);
}

/* ----- how fast ----- */

static void on_rate_timer(void *owner)
{
	struct pl_stream *stream = owner;

	stream_resume(stream, STREAM_PAUSED_BY_RATE);
}

/* Each stanza is worth its part of a second. Who is more than a second ahead is
 * not read from until the half of it is over: what he sends waits in his own
 * queues, and none of it is lost. */
void keep_count_stanza(struct pl_stream *stream)
{
	unsigned rate = stream->partner.stanza_rate;
	uint64_t now_us;

	if (rate == 0)
		return;
	now_us = pl_loop_now_ms(stream->world->loop) * 1000;
	if (stream->rate_us < now_us)
		stream->rate_us = now_us;
	stream->rate_us += 1000000 / rate;
	if (stream->rate_us - now_us < 1000000)
		return;
	if (stream->rate_timer == NULL)
		stream->rate_timer = pl_timer_new(stream->world->loop,
						  on_rate_timer, stream);
	stream_pause(stream, STREAM_PAUSED_BY_RATE);
	pl_timer_set(stream->rate_timer,
		     (stream->rate_us - now_us - 500000) / 1000);
}
