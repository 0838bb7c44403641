/* TLS in the trace. */
#include "internal.h"

#include <time.h>

void record_tls_start(struct pl_stream *stream)
{
	struct pl_world *world = stream->world;
	struct pl_tls_identity *identity = NULL;
	struct pl_partner_view partner;

	if (record_is_off(stream))
		return;
	stream->tls_began_us = pl_loop_now_us(world->loop);
	record_begin(stream, stream->incoming ? PL_DIR_IN : PL_DIR_OUT, PL_STAGE_TLS,
		     "start");
	if (!stream->incoming) {
		world->host(world->site, stream->local, &identity);
		world->partner(world->site, stream->local, stream->remote,
			       &partner);
		pl_trace_text(stream->traced, "sni", partner.sni != NULL
				      ? partner.sni : stream->remote);
		pl_trace_text(stream->traced, "alpn", "xmpp-server");
	}
	pl_trace_bool(stream->traced, "certificate",
		      stream->incoming || identity != NULL);
	pl_trace_summary(stream->traced, "TLS handshake begins");
	record_end(stream);
}

static void add_date(struct pl_traced *traced, const char *key, time_t when)
{
	char text[32];
	struct tm tm;

	if (when == 0 || gmtime_r(&when, &tm) == NULL)
		return;
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	pl_trace_text(traced, key, text);
}

static void add_peer(struct pl_traced *traced, const struct pl_tls_facts *facts)
{
	if (!facts->certificate) {
		pl_trace_null(traced, "peer");
		return;
	}
	pl_trace_object(traced, "peer");
	pl_trace_text(traced, "subject", facts->subject);
	pl_trace_text(traced, "issuer", facts->issuer);
	pl_trace_array(traced, "sans");
	for (size_t i = 0; i < facts->sans_count; i++)
		pl_trace_text(traced, NULL, facts->sans[i]);
	pl_trace_close(traced);
	add_date(traced, "not_before", facts->not_before);
	add_date(traced, "not_after", facts->not_after);
	pl_trace_text(traced, "sha256", facts->sha256);
	pl_trace_number(traced, "chain", facts->chain_length);
	pl_trace_close(traced);
}

/* As the outcome line has it. */
static void add_verdict(struct pl_traced *traced,
			const struct pl_tls_verdict *verdict)
{
	pl_trace_object(traced, "verify");
	pl_trace_text(traced, "code", verdict->by_dane
			      ? "valid/dane"
			      : pl_certificate_name(verdict->certificate));
	pl_trace_text(traced, "text", verdict->text);
	pl_trace_close(traced);
}

static void add_dane(struct pl_stream *stream, const struct pl_tls_facts *facts)
{
	struct pl_traced *traced = stream->traced;

	if (stream->target == NULL || stream->target->tlsa_count == 0) {
		pl_trace_null(traced, "dane");
		return;
	}
	pl_trace_object(traced, "dane");
	if (facts->dane) {
		pl_trace_number(traced, "usage", facts->usage);
		pl_trace_number(traced, "sel", facts->selector);
		pl_trace_number(traced, "match", facts->matching);
	}
	pl_trace_bool(traced, "secure", true); /* others are never used */
	pl_trace_close(traced);
}

void record_tls_done(struct pl_stream *stream)
{
	struct pl_traced *traced = stream->traced;
	struct pl_tls_facts facts;
	uint64_t now;

	if (record_is_off(stream))
		return;
	now = pl_loop_now_us(stream->world->loop);
	pl_tls_facts(stream->tls, &facts);
	record_begin(stream, PL_DIR_IN, PL_STAGE_TLS, "done");
	pl_trace_text(traced, "version", pl_tls_version(stream->tls));
	pl_trace_text(traced, "cipher", pl_tls_cipher(stream->tls));
	pl_trace_text(traced, "group", facts.group);
	pl_trace_text(traced, "alpn", pl_tls_alpn(stream->tls));
	pl_trace_text(traced, "sni", facts.sni);
	if (stream->tls_began_us != 0)
		pl_trace_number(traced, "us",
				(int64_t)(now - stream->tls_began_us));
	add_peer(traced, &facts);
	if (!stream->incoming)
		add_verdict(traced, &stream->verdict);
	add_dane(stream, &facts);
	pl_trace_number(traced, "tickets", 0);
	pl_trace_bool(traced, "truncated", false);
	pl_trace_summary(traced, "%s %s %s%s", pl_tls_version(stream->tls),
			 pl_tls_cipher(stream->tls), facts.group,
			 facts.certificate ? "" : ", no certificate");
	record_end(stream);
}

void record_judged(struct pl_stream *stream, const char *domain,
		   const struct pl_tls_verdict *verdict)
{
	if (record_is_off(stream) || stream->tls == NULL)
		return;
	record_begin(stream, PL_DIR_LOCAL, PL_STAGE_TLS, "judged");
	if (verdict->certificate != PL_CERT_VALID)
		pl_trace_level(stream->traced, PL_LOG_WARNING);
	pl_trace_text(stream->traced, "domain", domain);
	add_verdict(stream->traced, verdict);
	pl_trace_summary(stream->traced, "certificate for %s: %s", domain,
			 pl_certificate_name(verdict->certificate));
	record_end(stream);
}

void record_tls_failed(struct pl_stream *stream,
		       const struct pl_stream_event *event, const char *text)
{
	if (record_is_off(stream))
		return;
	record_begin(stream, PL_DIR_IN, PL_STAGE_TLS, "failed");
	pl_trace_level(stream->traced, PL_LOG_WARNING);
	pl_trace_code(stream->traced, record_code_of(stream, event));
	pl_trace_text(stream->traced, "text", text);
	pl_trace_bool(stream->traced, "alert", event->alert);
	pl_trace_summary(stream->traced, "TLS failed: %s", text);
	record_end(stream);
}

void record_tls_close(struct pl_stream *stream, bool ours)
{
	if (record_is_off(stream))
		return;
	record_begin(stream, ours ? PL_DIR_OUT : PL_DIR_IN, PL_STAGE_TLS, "close");
	pl_trace_summary(stream->traced, "close_notify");
	record_end(stream);
}
