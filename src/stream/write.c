/* The elements that a stream sends (standards: RFC 6120, XEP-0220). Whatever
 * holds a peer's text is escaped. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

void write_text(struct pl_stream *stream, const char *text)
{
	pl_buffer_text(&stream->out, text);
}

/* Everything that we send but headers comes by here once it is whole. */
void write_done(struct pl_stream *stream, size_t from)
{
	odd_element(stream, from);
	record_written(stream, from);
}

void write_element(struct pl_stream *stream, const char *text)
{
	size_t from = stream->out.length;

	write_text(stream, text);
	write_done(stream, from);
}

/* 128 bits that nobody can guess: dialback keys hang on it (XEP-0220 6.1). */
static void fresh_id(struct pl_stream *stream)
{
	unsigned char random[16];

	pl_loop_random(stream->world->loop, random, sizeof random);
	for (size_t i = 0; i < sizeof random; i++)
		snprintf(stream->id + 2 * i, 3, "%02x", random[i]);
}

void write_header(struct pl_stream *stream, bool version_1)
{
	struct pl_world *world = stream->world;
	struct pl_xml_open open = {
		.content_ns = PL_NS_SERVER,
		.version = version_1 ? "1.0" : NULL,
	};
	char from[PL_DOMAIN_SIZE], to[PL_DOMAIN_SIZE];
	size_t start = stream->out.length;

	if (stream->incoming) {
		fresh_id(stream);
		open.id = stream->id;
		open.lang = "en";
		/* Never a name that is not ours (RFC 6120 4.9.1.3). */
		open.from = world->host(world->site, stream->local, NULL)
				    ? stream->local : "";
	} else {
		open.from = stream->local;
		if (world->odd & PL_ODD_NO_VERSION)
			open.version = NULL;
	}
	open.from = odd_domain(stream, open.from, from);
	if (stream->remote[0] != '\0')
		open.to = odd_domain(stream, stream->remote, to);
	if (!odd_header(stream, &open))
		pl_xml_write_header(&stream->out, &open);
	odd_element(stream, start);
	record_written_header(stream, start, &open);
}

void write_features(struct pl_stream *stream, unsigned features)
{
	bool external = (features & PL_FEATURE_EXTERNAL) &&
			!(stream->world->odd & PL_ODD_EMPTY_MECHANISMS);
	size_t from = stream->out.length;

	write_text(stream, "<stream:features>");
	odd_features(stream, true);
	if (features & PL_FEATURE_STARTTLS)
		write_text(stream, features & PL_FEATURE_STARTTLS_REQUIRED
			? "<starttls xmlns='" PL_NS_TLS "'><required/>"
			  "</starttls>"
			: "<starttls xmlns='" PL_NS_TLS "'/>");
	if (external)
		write_text(stream, "<mechanisms xmlns='" PL_NS_SASL "'>"
				   "<mechanism>EXTERNAL</mechanism>"
				   "</mechanisms>");
	if (features & PL_FEATURE_DIALBACK)
		write_text(stream, "<dialback xmlns='" PL_NS_DIALBACK_FEATURE
				   "'><errors/></dialback>");
	if (features & PL_FEATURE_BIDI)
		write_text(stream, "<bidi xmlns='" PL_NS_BIDI_FEATURE "'/>");
	if (features & PL_FEATURE_SM)
		write_text(stream, "<sm xmlns='" PL_NS_SM "'/>");
	keep_write_limits(stream);
	odd_features(stream, false);
	write_text(stream, "</stream:features>");
	write_done(stream, from);
}

void write_auth(struct pl_stream *stream, bool response)
{
	size_t from = stream->out.length;
	struct pl_buffer body;

	pl_buffer_init(&body, 0);
	if (!pl_sasl_client_start(stream->local, &body, NULL))
		pl_buffer_text(&body, "=");
	write_text(stream, response ? "<response xmlns='" PL_NS_SASL "'>"
				    : "<auth xmlns='" PL_NS_SASL
				      "' mechanism='EXTERNAL'>");
	pl_buffer_append(&stream->out, pl_buffer_bytes(&body), body.length);
	write_text(stream, response ? "</response>" : "</auth>");
	write_done(stream, from);
	pl_buffer_finish(&body);
}

void write_sasl_failure(struct pl_stream *stream,
			enum pl_sasl_condition condition)
{
	size_t from = stream->out.length;

	pl_buffer_printf(&stream->out, "<failure xmlns='" PL_NS_SASL
			 "'><%s/></failure>",
			 pl_sasl_condition_name(condition));
	write_done(stream, from);
}

/* What the peer's administrator reads; says what to mend and nothing of our
 * inside. NULL: the condition says it all. */
static const char *wire_text(enum pl_code code)
{
	switch ((int)code) {
	case PL_CODE_CERTIFICATE_DANE:
		return "Your certificate does not match your DANE records";
	case PL_CODE_CERTIFICATE_EXPIRED:
		return "Your certificate has expired";
	case PL_CODE_CERTIFICATE_INVALID:
		return "Your certificate is not acceptable";
	case PL_CODE_CERTIFICATE_MISSING:
		return "A certificate is required and you sent none";
	case PL_CODE_CERTIFICATE_NOT_YET_VALID:
		return "Your certificate is not valid yet";
	case PL_CODE_CERTIFICATE_PURPOSE:
		return "Your certificate is not meant for servers";
	case PL_CODE_CERTIFICATE_UNKNOWN_CA:
		return "Your certificate's issuer is not trusted here, or an "
		       "intermediate certificate was not sent";
	case PL_CODE_CERTIFICATE_WRONG_NAME:
		return "Your certificate does not name your domain";
	case PL_CODE_TLS_NOT_OFFERED:
		return "TLS is required";
	case PL_CODE_PEER_REQUIRES_TLS:
		return "TLS is not supported for this domain";
	case PL_CODE_SASL_NOT_OFFERED:
	case PL_CODE_NOTHING_OFFERED:
	case PL_CODE_OWN_CERTIFICATE_EXPIRED:
	case PL_CODE_OWN_CERTIFICATE_MISSING:
	case PL_CODE_OWN_CERTIFICATE_PURPOSE:
		return "SASL EXTERNAL is required and was not offered";
	case PL_CODE_PEER_REQUIRES_SASL:
	case PL_CODE_DIALBACK_NOT_OFFERED:
		return "Dialback is required and was not offered";
	case PL_CODE_PARTNER_UNKNOWN:
		return "This server does not federate with your domain";
	case PL_CODE_FROM_LOCAL:
		return "Your stream claims a domain of this server";
	case PL_CODE_CONNECTION_LIMIT:
		return "Too many connections";
	case PL_CODE_LIMIT_EXCEEDED:
		return "More than this server accepts";
	case PL_CODE_SASL_REFUSED:
		return "Too many failed attempts";
	default:
		return NULL;
	}
}

void write_error(struct pl_stream *stream, enum pl_condition condition,
		 enum pl_code code)
{
	const char *name = odd_condition(stream, pl_condition_name(condition));
	size_t from = stream->out.length;

	if (!sm_write_error(stream, condition))
		pl_xml_write_stream_error(&stream->out, name, wire_text(code));
	write_done(stream, from);
}

/* ----- dialback ----- */

static void attribute(struct pl_stream *stream, const char *name,
		      const char *value)
{
	pl_buffer_printf(&stream->out, " %s='", name);
	pl_xml_escape(&stream->out, value, strlen(value));
	write_text(stream, "'");
}

static void domain_attribute(struct pl_stream *stream, const char *name,
			     const char *domain)
{
	char odd[PL_DOMAIN_SIZE];

	attribute(stream, name, odd_domain(stream, domain, odd));
}

static void error_child(struct pl_stream *stream,
			enum pl_stanza_condition condition)
{
	pl_buffer_printf(&stream->out,
			 "<error type='%s'><%s xmlns='" PL_NS_STANZA_ERROR
			 "'/></error>",
			 pl_stanza_condition_type(condition),
			 pl_stanza_condition_name(condition));
}

/* Old servers knew no errors of dialback (XEP-0220 2.5). */
static void finish_answer(struct pl_stream *stream, size_t from,
			  const char *end, const char *type,
			  enum pl_stanza_condition condition)
{
	if (condition != PL_SC_NONE && (stream->world->odd & PL_ODD_OLD_ERROR)) {
		condition = PL_SC_NONE;
		type = "invalid";
	}
	attribute(stream, "type", type);
	if (condition == PL_SC_NONE) {
		write_text(stream, "/>");
	} else {
		write_text(stream, ">");
		error_child(stream, condition);
		write_text(stream, end);
	}
	write_done(stream, from);
}

void write_result_request(struct pl_pair *pair, const char *key)
{
	struct pl_stream *stream = pair->stream;
	size_t from = stream->out.length;

	write_text(stream, "<db:result");
	domain_attribute(stream, "from", pair->local);
	domain_attribute(stream, "to", pair->remote);
	pl_buffer_printf(&stream->out, ">%s</db:result>", key);
	write_done(stream, from);
}

void write_result_answer(struct pl_pair *pair, const char *type,
			 enum pl_stanza_condition condition)
{
	struct pl_stream *stream = pair->stream;
	size_t from = stream->out.length;

	write_text(stream, "<db:result");
	domain_attribute(stream, "from", pair->local);
	domain_attribute(stream, "to", pair->remote);
	finish_answer(stream, from, "</db:result>", type, condition);
}

static void open_verify(struct pl_stream *stream, const char *from,
			const char *to, const char *id)
{
	write_text(stream, "<db:verify");
	domain_attribute(stream, "from", from);
	domain_attribute(stream, "to", to);
	attribute(stream, "id", id);
}

void write_verify_request(struct pl_stream *stream, const char *from,
			  const char *to, const char *id, const char *key)
{
	size_t start = stream->out.length;

	open_verify(stream, from, to, id);
	write_text(stream, ">");
	pl_xml_escape(&stream->out, key, strlen(key));
	write_text(stream, "</db:verify>");
	write_done(stream, start);
}

void write_verify_answer(struct pl_stream *stream, const char *from,
			 const char *to, const char *id,
			 enum pl_verify_answer answer,
			 enum pl_stanza_condition condition)
{
	static const char *const types[] = {
		[PL_VERIFY_VALID] = "valid",
		[PL_VERIFY_INVALID] = "invalid",
		[PL_VERIFY_ERROR] = "error",
	};
	size_t start = stream->out.length;

	open_verify(stream, from, to, id);
	finish_answer(stream, start, "</db:verify>", types[answer],
		      answer == PL_VERIFY_ERROR ? condition : PL_SC_NONE);
}
