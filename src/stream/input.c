/*
 * Bytes in and out. Input goes to the TLS engine where there is one, else to
 * the parser. A restart throws the parser away exactly behind the '>' that
 * ends the exchange: behind <success/> the rest belongs to the new document,
 * behind <starttls/> and <proceed/> there must be no rest at all (RFC 6120
 * 4.3.3, 5.3.3).
 */
#include "internal.h"

#include <string.h>

enum { TLS_RECORD = 16384 }; /* of plaintext, at most (RFC 8446 5.1) */

bool stream_new_parser(struct pl_stream *stream)
{
	const struct pl_world_limits *limits = &stream->world->limits;
	struct pl_xml_limits xml = stream->core.authenticated
		? pl_xml_limits_after(stream_stanza_bytes(stream))
		: pl_xml_limits_before(limits->unauthenticated_bytes);

	record_new_document(stream);
	pl_xml_free(stream->parser);
	stream->parser = pl_xml_new(PL_NS_SERVER, &xml, &stream_xml_events,
				    stream);
	return stream->parser != NULL;
}

static void memory_gone(struct pl_stream *stream)
{
	stream_words(stream, "no memory for this stream");
	stream_simple_event(stream, PL_EV_OVERFLOW);
}

/* ----- output ----- */

/* What the connection does not take has no place in it. */
void stream_write_out(struct pl_stream *stream, const void *bytes,
		      size_t length)
{
	tap_bytes(stream, true, bytes, length);
	if (!pl_conn_write(stream->conn, bytes, length))
		stream->unplaced = false;
}

static void write_out(struct pl_stream *stream, const struct pl_buffer *bytes)
{
	const unsigned char *start = pl_buffer_bytes(bytes);

	if (!odd_keeps(stream, start, bytes->length))
		stream_write_out(stream, start, bytes->length);
}

/* Hands what the TLS engine produced to the connection. */
static void drain_tls(struct pl_stream *stream)
{
	struct pl_buffer bytes;

	if (stream->tls == NULL || stream->conn == NULL)
		return;
	pl_buffer_init(&bytes, 0);
	if (pl_tls_drain(stream->tls, &bytes) && bytes.length > 0)
		write_out(stream, &bytes);
	pl_buffer_finish(&bytes);
}

/* So much of the output is written. */
static void tell_place(struct pl_stream *stream, size_t length)
{
	if (stream->unplaced && stream->events->on_placed != NULL)
		stream->events->on_placed(stream->owner, stream,
					  &(struct pl_place){
			.plain = stream->plain + length,
			.wire = pl_conn_written(stream->conn),
			.sealed = stream->tls != NULL });
}

/* One record at a time, so that it is known in which one a stanza ends. */
static void encrypt(struct pl_stream *stream, const struct pl_buffer *bytes)
{
	const unsigned char *start = pl_buffer_bytes(bytes);
	size_t record = odd_record(stream, bytes->length);

	if (record > TLS_RECORD)
		record = TLS_RECORD;
	for (size_t at = 0; at < bytes->length; at += record) {
		size_t left = bytes->length - at;
		size_t n = left < record ? left : record;

		if (!pl_tls_write(stream->tls, start + at, n))
			stream->unplaced = false;
		drain_tls(stream);
		tell_place(stream, at + n);
	}
}

void stream_send(struct pl_stream *stream, const struct pl_buffer *bytes)
{
	if (stream->ended)
		return;
	pl_buffer_append(&stream->out, pl_buffer_bytes(bytes), bytes->length);
}

void stream_flush(struct pl_stream *stream)
{
	if (stream->conn == NULL)
		return;
	if (stream->out.length > 0)
		stream->sent_ms = pl_loop_now_ms(stream->world->loop);
	if (stream->out.length > 0 && stream->tls == NULL) {
		write_out(stream, &stream->out);
		tell_place(stream, stream->out.length);
	} else if (stream->out.length > 0) {
		encrypt(stream, &stream->out);
	}
	stream->plain += stream->out.length;
	stream->unplaced = false;
	pl_buffer_consume(&stream->out, stream->out.length);
	pl_buffer_trim(&stream->out);
	drain_tls(stream);
}

/* ----- TLS ----- */

/* SNI chooses among our certificates on direct TLS, where no `to` came yet. */
static struct pl_tls_identity *choose_identity(void *owner, const char *sni)
{
	struct pl_stream *stream = owner;
	struct pl_tls_identity *identity = NULL;

	if (sni != NULL)
		stream->world->host(stream->world->site, sni, &identity);
	return identity;
}

static struct pl_tls *new_tls(struct pl_stream *stream, struct pl_error *error)
{
	struct pl_world *world = stream->world;
	struct pl_tls_identity *identity = NULL;
	struct pl_partner_view partner;

	if (stream->incoming) {
		struct pl_tls_receive how = {
			.trust = world->trust,
			.refuse = (world->odd & PL_ODD_LATE_REFUSAL) != 0,
		};

		if (stream->local[0] == '\0' ||
		    !world->host(world->site, stream->local, &identity) ||
		    identity == NULL)
			world->host(world->site, NULL, &identity);
		if (identity == NULL) {
			pl_error_set(error, "no certificate of ours to show");
			return NULL;
		}
		how.identity = identity;
		/* With STARTTLS the header's `to` has already chosen. */
		if (stream->direct_tls || stream->local[0] == '\0')
			how.choose = choose_identity;
		how.owner = stream;
		return pl_tls_receiving(&how, error);
	}
	world->host(world->site, stream->local, &identity);
	world->partner(world->site, stream->local, stream->remote, &partner);
	return pl_tls_initiating(&(struct pl_tls_initiate){
		.trust = world->trust,
		.identity = partner.no_certificate ? NULL : identity,
		.domain = stream->remote,
		.sni = partner.sni,
		.base_domain = stream->target ? stream->target->host : NULL,
		.dane = stream->target && stream->target->tlsa_count
			? stream->target->tlsa : NULL,
		.dane_count = stream->target ? stream->target->tlsa_count : 0,
	}, error);
}

static void begin_handshake(struct pl_stream *stream)
{
	struct pl_error error = { .text = "" };

	stream->begin_handshake = false;
	stream_flush(stream); /* what is still to be sent in clear */
	stream->tls = new_tls(stream, &error);
	if (stream->tls == NULL) {
		stream_words(stream, "%s", error.text);
		stream_event(stream, &(struct pl_stream_event){
			.kind = PL_EV_HANDSHAKE_FAILED,
			.tls_failure = PL_TLS_OTHER });
		return;
	}
	tap_secrets(stream);
	record_tls_start(stream);
	pl_tls_start(stream->tls);
	drain_tls(stream);
}

static void handshake_failed(struct pl_stream *stream)
{
	struct pl_stream_event event = { .kind = PL_EV_HANDSHAKE_FAILED };

	event.tls_failure = pl_tls_failure(stream->tls, &event.alert);
	stream_words(stream, "%s", pl_tls_failure_text(stream->tls));
	drain_tls(stream); /* our own alert */
	record_tls_failed(stream, &event, pl_tls_failure_text(stream->tls));
	stream_event(stream, &event);
}

static void handshake_done(struct pl_stream *stream)
{
	struct pl_stream_event event = { .kind = PL_EV_HANDSHAKE_DONE };

	stream->handshake_told = true;
	if (!stream->incoming) {
		pl_tls_judge(stream->tls, stream->remote,
			     pl_loop_time(stream->world->loop).tv_sec,
			     &stream->verdict);
		event.certificate = stream->verdict.certificate;
	}
	record_tls_done(stream);
	stream_event(stream, &event);
	stream_settle(stream);
}

/* ----- input ----- */

/* Restarts and handshakes that a step asked for, outside of the parser. */
void stream_settle(struct pl_stream *stream)
{
	if (stream->feeding || stream->ended)
		return;
	if (stream->restart) {
		stream->restart = false;
		if (!stream_new_parser(stream))
			memory_gone(stream);
	}
	if (stream->begin_handshake && !stream->ended)
		begin_handshake(stream);
}

static void tell_fault(struct pl_stream *stream)
{
	static const enum pl_fault faults[] = {
		[PL_XML_NOT_WELL_FORMED] = PL_FAULT_NOT_WELL_FORMED,
		[PL_XML_RESTRICTED] = PL_FAULT_RESTRICTED,
		[PL_XML_ENCODING] = PL_FAULT_ENCODING,
		[PL_XML_LIMIT] = PL_FAULT_LIMIT,
		[PL_XML_NOT_XMPP] = PL_FAULT_NOT_XMPP,
		[PL_XML_NAMESPACE] = PL_FAULT_NAMESPACE,
		[PL_XML_PREFIX] = PL_FAULT_PREFIX,
		[PL_XML_FORMAT] = PL_FAULT_FORMAT,
	};
	enum pl_xml_fault fault = pl_xml_fault(stream->parser);
	struct pl_stream_event event = { .kind = PL_EV_FAULT };

	if (fault == PL_XML_MEMORY) {
		memory_gone(stream);
		return;
	}
	event.fault = faults[fault];
	stream_words(stream, "%s", pl_xml_fault_text(stream->parser));
	record_fault(stream, &event, pl_xml_fault_text(stream->parser));
	stream_event(stream, &event);
}

/* Plaintext goes to the parser, over as many documents as it spans. */
static void take(struct pl_stream *stream, const unsigned char *bytes,
		 size_t length)
{
	keep_awake(stream);
	while (length > 0 && !stream->ended) {
		size_t used;

		stream->feeding = true;
		record_feed(stream, bytes);
		used = pl_xml_feed(stream->parser, bytes, length);
		record_fed(stream, used);
		stream->feeding = false;
		bytes += used;
		length -= used;
		if (stream->ended)
			return;
		if (pl_xml_fault(stream->parser) != PL_XML_NO_FAULT) {
			tell_fault(stream);
			return;
		}
		if (stream->begin_handshake && length > 0) {
			stream_simple_event(stream, PL_EV_BYTES_BEHIND);
			return;
		}
		if (stream->restart || stream->begin_handshake)
			stream_settle(stream);
		else
			pl_xml_resume(stream->parser);
	}
}

static void read_plaintext(struct pl_stream *stream)
{
	unsigned char plain[16384];
	size_t n;

	while (!stream->ended &&
	       (n = pl_tls_read(stream->tls, plain, sizeof plain)) > 0)
		take(stream, plain, n);
	pl_wipe(plain, 64);
}

/* TLS ended, or failed after the handshake. */
static void tell_tls_end(struct pl_stream *stream, bool reset)
{
	struct pl_stream_event event = { .kind = PL_EV_DISCONNECTED,
					 .flag = reset };

	if (pl_tls_status(stream->tls) == PL_TLS_FAILED) {
		pl_tls_failure(stream->tls, &event.alert);
		if (pl_tls_failure_text(stream->tls)[0] != '\0')
			stream_words(stream, "%s",
				     pl_tls_failure_text(stream->tls));
		record_tls_failed(stream, &event,
				  pl_tls_failure_text(stream->tls));
	}
	stream_event(stream, &event);
}

static void take_tls(struct pl_stream *stream, const void *bytes,
		     size_t length)
{
	enum pl_tls_status status = pl_tls_feed(stream->tls, bytes, length);

	tap_bytes(stream, false, bytes, length); /* behind its secrets */
	if (!stream->handshake_told && status == PL_TLS_FAILED) {
		handshake_failed(stream);
		return;
	}
	drain_tls(stream);
	if (!stream->handshake_told && status != PL_TLS_HANDSHAKING)
		handshake_done(stream);
	if (!stream->handshake_told || stream->ended)
		return;
	read_plaintext(stream);
	status = pl_tls_status(stream->tls);
	if (!stream->ended &&
	    (status == PL_TLS_PEER_DONE || status == PL_TLS_FAILED)) {
		if (status == PL_TLS_PEER_DONE)
			record_tls_close(stream, false);
		tell_tls_end(stream, false);
	}
}

static void on_data(void *owner, const void *bytes, size_t length)
{
	struct pl_stream *stream = owner;

	if (stream->ended)
		return;
	stream->heard = true;
	if (stream->tls != NULL) {
		take_tls(stream, bytes, length);
	} else {
		tap_bytes(stream, false, bytes, length);
		take(stream, bytes, length);
	}
	keep_opened(stream);
	stream_flush(stream);
}

static void on_end(void *owner, enum pl_conn_end end, const char *text)
{
	struct pl_stream *stream = owner;

	if (stream->ended)
		return;
	if (end != PL_CONN_OVERFLOW)
		tap_end(stream, end == PL_CONN_EOF ? PL_TAP_PEER_CLOSED
						   : PL_TAP_PEER_RESET);
	if (end != PL_CONN_OVERFLOW)
		record_peer_end(stream, end == PL_CONN_RESET);
	if (stream->words == NULL && text != NULL && text[0] != '\0')
		stream_words(stream, "%s", text);
	if (end == PL_CONN_OVERFLOW) {
		stream_simple_event(stream, PL_EV_OVERFLOW);
		return;
	}
	if (stream->tls == NULL) {
		stream_event(stream, &(struct pl_stream_event){
			.kind = PL_EV_DISCONNECTED,
			.flag = end == PL_CONN_RESET });
		stream_flush(stream);
		return;
	}
	pl_tls_eof(stream->tls);
	if (!stream->handshake_told)
		handshake_failed(stream);
	else
		tell_tls_end(stream, end == PL_CONN_RESET);
}

static void on_drained(void *owner)
{
	struct pl_stream *stream = owner;

	if (!stream->ended && stream->events->on_drained != NULL)
		stream->events->on_drained(stream->owner, stream);
}

const struct pl_conn_events stream_conn_events = {
	.on_data = on_data,
	.on_end = on_end,
	.on_drained = on_drained,
};
