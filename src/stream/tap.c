/* Tells whoever listens (tap.h) what goes over the connection. */
#include "internal.h"

static uint64_t now_us(const struct pl_stream *stream)
{
	struct timeval now = pl_loop_time(stream->world->loop);

	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_usec;
}

void tap_open(struct pl_stream *stream)
{
	const struct pl_world *world = stream->world;
	char local[PL_ENDPOINT_SIZE];

	if (world->tap == NULL)
		return;
	pl_conn_local(stream->conn, local);
	stream->tapped = world->tap->on_open(world->tap_owner, now_us(stream),
					     local, stream->peer,
					     stream->incoming);
}

void tap_bytes(struct pl_stream *stream, bool outgoing, const void *bytes,
	       size_t length)
{
	if (stream->tapped != NULL)
		stream->world->tap->on_bytes(stream->tapped, now_us(stream),
					     outgoing, bytes, length);
}

static void on_secret(void *owner, const char *line)
{
	struct pl_stream *stream = owner;

	stream->world->tap->on_secret(stream->tapped, line);
}

void tap_secrets(struct pl_stream *stream)
{
	if (stream->tapped != NULL)
		pl_tls_tell_secrets(stream->tls, on_secret, stream);
}

void tap_end(struct pl_stream *stream, enum pl_tap_end end)
{
	if (stream->tapped != NULL)
		stream->world->tap->on_end(stream->tapped, now_us(stream), end);
}

void tap_gone(struct pl_stream *stream)
{
	if (stream->tapped != NULL)
		stream->world->tap->on_gone(stream->tapped);
	stream->tapped = NULL;
}
