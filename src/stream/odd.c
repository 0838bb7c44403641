/*
 * The odd peer: legal streams as few servers write them, so that other servers
 * can be tested against us. Nothing here decides: the core runs as ever, and
 * what it has sent is written otherwise, later, in pieces, or not at all.
 * A daemon's world has no odd bits, and its streams none of this.
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ODD_FEATURES_MS = 3000,  /* slow-features */
	ODD_PIECE_MS = 1,        /* split-writes: between two pieces ... */
	ODD_CLEAR_PIECE = 1,     /* ... bytes of each, in clear, */
	ODD_TLS_PIECE = 61,      /* and of what TLS made */
	ODD_BULK = 4096,         /* longer output goes in records of ... */
	ODD_BULK_PIECE = 64,
};

/* What waits; only where the world has odd bits. */
struct stream_odd {
	struct pl_buffer slow;             /* for the connection */
	struct pl_timer *piece, *features; /* owned */
	unsigned offer;                    /* the features that wait */
};

/* ----- names ----- */

static const struct pl_odd_entry entries[] = {
	{ "no-version", PL_ODD_NO_VERSION,
	  "a header without version, as before XMPP 1.0: no features, dialback" },
	{ "empty-mechanisms", PL_ODD_EMPTY_MECHANISMS,
	  "under TLS a list of SASL mechanisms with nothing in it" },
	{ "late-refusal", PL_ODD_LATE_REFUSAL,
	  "TLS 1.3: the handshake ends well, then an alert refuses the "
	  "certificate" },
	{ "no-verify", PL_ODD_NO_VERIFY,
	  "db:verify and db:result are read and never answered" },
	{ "split-writes", PL_ODD_SPLIT_WRITES,
	  "a byte at a time in clear, a byte a record under TLS" },
	{ "prefixes", PL_ODD_PREFIXES,
	  "other namespace prefixes, other quotes, declarations in another "
	  "order" },
	{ "slow-features", PL_ODD_SLOW_FEATURES,
	  "the features come 3 seconds behind the header" },
	{ "whitespace", PL_ODD_WHITESPACE,
	  "blanks and line ends between elements, where they are allowed" },
	{ "old-error", PL_ODD_OLD_ERROR,
	  "errors as of RFC 3920: old names, no dialback errors" },
	{ "extra-features", PL_ODD_EXTRA_FEATURES,
	  "features that nobody knows, before and behind the usual ones" },
	{ "required-feature", PL_ODD_REQUIRED_FEATURE,
	  "such a feature that says it is required" },
	{ "upper-case", PL_ODD_UPPER_CASE,
	  "domains in capital letters in headers and dialback" },
};
enum { ENTRIES = sizeof entries / sizeof entries[0] };

const struct pl_odd_entry *pl_odd_entry(size_t number)
{
	return number < ENTRIES ? &entries[number] : NULL;
}

static unsigned bit_of(const char *name, size_t length)
{
	for (size_t i = 0; i < ENTRIES; i++)
		if (strlen(entries[i].name) == length &&
		    strncmp(entries[i].name, name, length) == 0)
			return entries[i].bit;
	return 0;
}

bool pl_odd_parse(const char *list, unsigned *odd, struct pl_error *error)
{
	*odd = 0;
	for (;;) {
		size_t length = strcspn(list, ",");
		unsigned bit = bit_of(list, length);

		if (bit == 0)
			return pl_error_set(error, "\"%.*s\" is no oddity",
					    length > 40 ? 40 : (int)length,
					    list);
		*odd |= bit;
		list += length;
		if (*list == '\0')
			return true;
		list++;
	}
}

static bool is_odd(const struct pl_stream *stream, enum pl_odd bit)
{
	return (stream->world->odd & (unsigned)bit) != 0;
}

/* ----- life ----- */

static void on_piece(void *owner);
static void on_features(void *owner);

void odd_new(struct pl_stream *stream)
{
	struct pl_loop *loop = stream->world->loop;

	if (stream->world->odd == 0)
		return;
	stream->odd = pl_calloc(1, sizeof *stream->odd);
	pl_buffer_init(&stream->odd->slow, stream->world->limits.output_bytes);
	stream->odd->piece = pl_timer_new(loop, on_piece, stream);
	stream->odd->features = pl_timer_new(loop, on_features, stream);
}

void odd_free(struct pl_stream *stream)
{
	if (stream->odd == NULL)
		return;
	pl_timer_free(stream->odd->piece);
	pl_timer_free(stream->odd->features);
	pl_buffer_finish(&stream->odd->slow);
	free(stream->odd);
	stream->odd = NULL;
}

/* ----- split-writes ----- */

static void on_piece(void *owner)
{
	struct pl_stream *stream = owner;
	struct pl_buffer *slow = &stream->odd->slow;
	size_t length = stream->tls == NULL ? ODD_CLEAR_PIECE : ODD_TLS_PIECE;

	if (stream->conn == NULL)
		return;
	if (length > slow->length)
		length = slow->length;
	stream_write_out(stream, pl_buffer_bytes(slow), length);
	pl_buffer_consume(slow, length);
	if (slow->length > 0)
		pl_timer_set(stream->odd->piece, ODD_PIECE_MS);
}

bool odd_keeps(struct pl_stream *stream, const void *bytes, size_t length)
{
	struct stream_odd *odd = stream->odd;
	bool idle;

	if (odd == NULL || !is_odd(stream, PL_ODD_SPLIT_WRITES))
		return false;
	idle = odd->slow.length == 0;
	if (!pl_buffer_append(&odd->slow, bytes, length)) {
		odd_hurry(stream); /* too much: no longer slowly */
		return false;
	}
	if (idle)
		pl_timer_set(odd->piece, ODD_PIECE_MS);
	return true;
}

void odd_hurry(struct pl_stream *stream)
{
	struct stream_odd *odd = stream->odd;

	if (odd == NULL || odd->slow.length == 0)
		return;
	stream_write_out(stream, pl_buffer_bytes(&odd->slow),
			 odd->slow.length);
	pl_buffer_consume(&odd->slow, odd->slow.length);
	pl_timer_clear(odd->piece);
}

size_t odd_record(const struct pl_stream *stream, size_t length)
{
	if (stream->odd == NULL || !is_odd(stream, PL_ODD_SPLIT_WRITES))
		return length;
	return length > ODD_BULK ? ODD_BULK_PIECE : 1;
}

/* ----- slow-features ----- */

bool odd_delays(struct pl_stream *stream, unsigned features)
{
	if (stream->odd == NULL || !is_odd(stream, PL_ODD_SLOW_FEATURES))
		return false;
	stream->odd->offer = features;
	pl_timer_set(stream->odd->features, ODD_FEATURES_MS);
	return true;
}

static void on_features(void *owner)
{
	struct pl_stream *stream = owner;

	if (stream->ended)
		return;
	write_features(stream, stream->odd->offer);
	stream_flush(stream);
}

void odd_forget_features(struct pl_stream *stream)
{
	if (stream->odd != NULL)
		pl_timer_clear(stream->odd->features);
}

/* ----- what an element looks like ----- */

static void attribute(struct pl_buffer *out, const char *name,
		      const char *value)
{
	if (value == NULL)
		return;
	pl_buffer_printf(out, "\n %s='", name);
	pl_xml_escape(out, value, strlen(value));
	pl_buffer_text(out, "'");
}

bool odd_header(struct pl_stream *stream, const struct pl_xml_open *open)
{
	struct pl_buffer *out = &stream->out;

	if (!is_odd(stream, PL_ODD_PREFIXES))
		return false;
	pl_buffer_text(out, "<?xml version='1.0' encoding='UTF-8'?>\n"
			    "<stream:stream");
	attribute(out, "version", open->version);
	attribute(out, "to", open->to);
	attribute(out, "xmlns:db", PL_NS_DIALBACK);
	attribute(out, "id", open->id);
	attribute(out, "from", open->from);
	attribute(out, "xmlns:stream", PL_NS_STREAM);
	attribute(out, "xml:lang", open->lang);
	attribute(out, "xmlns", open->content_ns);
	pl_buffer_text(out, " >");
	return true;
}

/* Between <starttls/> and <proceed/>, <auth/> and <success/> there is no white
 * space (RFC 6120 5.3.3, 6.3.5), and none before an XML declaration. */
static bool takes_space(const char *element, size_t length)
{
	static const char *const never[] = { "<?xml", "<proceed", "<failure",
					     "<challenge", "<response",
					     "<success" };

	for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
		if (length >= strlen(never[i]) &&
		    memcmp(element, never[i], strlen(never[i])) == 0)
			return false;
	return true;
}

/* Another prefix for one that begins here; how many bytes it replaces. */
static size_t rename_prefix(struct pl_buffer *out, const char *at, size_t left)
{
	static const struct {
		const char *usual, *odd;
	} names[] = {
		{ "stream:", "st:" },
		{ "db:", "dial.back:" },
		{ "xmlns:stream=", "xmlns:st=" },
		{ "xmlns:db=", "xmlns:dial.back=" },
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		size_t length = strlen(names[i].usual);

		if (left < length || memcmp(at, names[i].usual, length) != 0)
			continue;
		pl_buffer_text(out, names[i].odd);
		return length;
	}
	return 0;
}

/* One tag, from '<' to '>'; how many bytes it has. Values hold no quotes: the
 * writer escapes both kinds. */
static size_t rename_tag(struct pl_buffer *out, const char *tag, size_t left)
{
	bool quoted = false, name = true; /* a name may begin here */
	size_t i = 0;

	while (i < left) {
		char c = tag[i];
		size_t used = 0;

		if (!quoted && name)
			used = rename_prefix(out, tag + i, left - i);
		if (used > 0) {
			i += used;
			name = false;
			continue;
		}
		name = c == '<' || c == '/' || c == ' ' || c == '\n';
		quoted ^= c == '\'';
		pl_buffer_append(out, c == '\'' ? "\"" : &c, 1);
		i++;
		if (c == '>' && !quoted)
			break;
	}
	return i;
}

static void rename_all(struct pl_buffer *out, const char *bytes, size_t length)
{
	size_t at = 0;

	while (at < length) {
		const char *tag = memchr(bytes + at, '<', length - at);
		size_t text = tag != NULL ? (size_t)(tag - bytes) - at
					  : length - at;

		pl_buffer_append(out, bytes + at, text);
		at += text;
		if (tag != NULL)
			at += rename_tag(out, tag, length - at);
	}
}

void odd_element(struct pl_stream *stream, size_t from)
{
	struct pl_buffer *out = &stream->out, copy;
	const char *bytes;
	size_t length;

	if ((stream->world->odd & (PL_ODD_WHITESPACE | PL_ODD_PREFIXES)) == 0 ||
	    out->length <= from)
		return;
	length = out->length - from;
	pl_buffer_init(&copy, 0);
	pl_buffer_append(&copy, pl_buffer_bytes(out) + from, length);
	out->length = from;
	bytes = (const char *)pl_buffer_bytes(&copy);
	if (is_odd(stream, PL_ODD_WHITESPACE) && takes_space(bytes, length))
		pl_buffer_text(out, "\n \t\r\n  ");
	if (is_odd(stream, PL_ODD_PREFIXES))
		rename_all(out, bytes, length);
	else
		pl_buffer_append(out, bytes, length);
	pl_buffer_finish(&copy);
}

const char *odd_domain(const struct pl_stream *stream, const char *domain,
		       char out[PL_DOMAIN_SIZE])
{
	size_t i;

	if (!is_odd(stream, PL_ODD_UPPER_CASE) ||
	    strlen(domain) >= PL_DOMAIN_SIZE)
		return domain;
	for (i = 0; domain[i] != '\0'; i++)
		out[i] = domain[i] >= 'a' && domain[i] <= 'z'
			? (char)(domain[i] - 'a' + 'A') : domain[i];
	out[i] = '\0';
	return out;
}

void odd_features(struct pl_stream *stream, bool before)
{
	if (before && is_odd(stream, PL_ODD_EXTRA_FEATURES))
		write_text(stream,
			   "<unknown xmlns='urn:example:nobody-knows'/>"
			   "<starttls xmlns='urn:example:not-tls'/>");
	if (before && is_odd(stream, PL_ODD_EMPTY_MECHANISMS) &&
	    stream->tls != NULL)
		write_text(stream, "<mechanisms xmlns='" PL_NS_SASL "'/>");
	if (!before && is_odd(stream, PL_ODD_EXTRA_FEATURES))
		write_text(stream,
			   "<mechanisms xmlns='urn:example:not-sasl'>"
			   "<mechanism>EXTERNAL</mechanism></mechanisms>"
			   "<deep xmlns='urn:example:nobody-knows'><a><b>"
			   "&amp; text</b></a><optional/></deep>");
	if (!before && is_odd(stream, PL_ODD_REQUIRED_FEATURE))
		write_text(stream, "<unknown xmlns='urn:example:required'>"
				   "<required/></unknown>");
}

const char *odd_condition(const struct pl_stream *stream, const char *condition)
{
	if (is_odd(stream, PL_ODD_OLD_ERROR) &&
	    strcmp(condition, "not-well-formed") == 0)
		return "xml-not-well-formed";
	return condition;
}
