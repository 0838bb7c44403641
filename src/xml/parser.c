/*
 * Bytes to events: the scanner cuts, expat parses, this file builds the tree.
 *
 * depth 0: before and after the stream's root; 1: between first-level
 * elements; 2 and more: inside one. Each piece handed to expat ends with the
 * '>' of a tag or holds none, so a piece fires at most one start and one end.
 */
#include "internal.h"

#include <assert.h>
#ifdef HAVE_BILLION_LAUGHS
#define XML_DTD 1 /* else expat.h does not show it */
#endif
#include <expat.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

/* A piece for expat; also keeps lengths within an int. */
#define PIECE_BYTES 65536

/* Expat remembers each name it ever saw. After this many bytes it starts anew,
 * so that a peer cannot make it grow for as long as the stream lives. */
#define RENEW_BYTES (256 * 1024)

/* Memory kept for the next token. */
#define HELD_BYTES_KEPT 4096

/* Where the event or error in hand begins; the same however it was cut. */
static unsigned long long position(const struct pl_xml_parser *parser)
{
	XML_Index index = -1;

	if (parser->in_expat)
		index = XML_GetCurrentByteIndex(parser->expat);
	return index < 0 ? parser->total + parser->held.length
			 : parser->base + (unsigned long long)index;
}

void pl_xml_raise(struct pl_xml_parser *parser, enum pl_xml_fault fault,
		  const char *format, ...)
{
	va_list ap;
	int n;

	if (parser->fault != PL_XML_NO_FAULT)
		return;
	parser->fault = fault;
	va_start(ap, format);
	n = vsnprintf(parser->fault_text, sizeof parser->fault_text, format, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < sizeof parser->fault_text)
		snprintf(parser->fault_text + n,
			 sizeof parser->fault_text - (size_t)n,
			 " (byte %llu)", position(parser));
	if (parser->in_expat)
		XML_StopParser(parser->expat, XML_FALSE);
}

bool pl_xml_raise_memory(struct pl_xml_parser *parser)
{
	pl_xml_raise(parser, PL_XML_MEMORY, "memory is out");
	return false;
}

bool pl_xml_is_deaf(const struct pl_xml_parser *parser)
{
	return parser->fault != PL_XML_NO_FAULT;
}

/* ----- what expat calls ----- */

/* A tag for expat that is none for the scanner would make the cut wrong. It
 * cannot be; but the cut guards the seam to TLS, so look. */
static bool agrees(struct pl_xml_parser *parser)
{
	if (parser->scan.tag || parser->replaying)
		return true;
	pl_xml_raise(parser, PL_XML_NOT_WELL_FORMED, "a tag within a tag");
	return false;
}

static void XMLCALL on_start(void *data, const XML_Char *name,
			     const XML_Char **attributes)
{
	struct pl_xml_parser *parser = data;

	if (pl_xml_is_deaf(parser) || !agrees(parser) || parser->replaying)
		return;
	if (parser->depth == 0)
		pl_xml_open_stream(parser, name, attributes);
	else
		pl_xml_open_element(parser, name, attributes);
}

static void XMLCALL on_end(void *data, const XML_Char *name)
{
	struct pl_xml_parser *parser = data;

	if (pl_xml_is_deaf(parser) || !agrees(parser) || parser->replaying)
		return;
	if (parser->depth > 1) {
		pl_xml_close_element(parser);
		return;
	}
	parser->depth = 0;
	/* <stream:stream/>, and the owner stopped at the header. */
	if (parser->stopped)
		parser->end_due = true;
	else
		pl_xml_close_stream(parser);
}

static void XMLCALL on_text(void *data, const XML_Char *text, int length)
{
	struct pl_xml_parser *parser = data;

	if (pl_xml_is_deaf(parser) || parser->replaying)
		return;
	if (parser->depth > 1) {
		pl_xml_add_text(parser, text, (size_t)length);
		return;
	}
	for (int i = 0; i < length; i++) {
		if (pl_xml_is_white(text[i]))
			continue;
		pl_xml_raise(parser, PL_XML_FORMAT, "text between elements");
		return;
	}
}

static void XMLCALL on_cdata(void *data)
{
	struct pl_xml_parser *parser = data;

	if (parser->depth <= 1)
		pl_xml_raise(parser, PL_XML_FORMAT, "text between elements");
}

static void XMLCALL on_namespace(void *data, const XML_Char *prefix,
				 const XML_Char *uri)
{
	struct pl_xml_parser *parser = data;
	struct pl_xml_declared *declared = &parser->declared;
	bool content;

	if (pl_xml_is_deaf(parser) || parser->replaying)
		return;
	if (++parser->namespaces > parser->limits.namespaces)
		pl_xml_raise(parser, PL_XML_LIMIT, "too many namespace declarations");
	if (parser->depth > 0 || uri == NULL)
		return;
	content = strcmp(uri, parser->content_ns) == 0;
	if (prefix == NULL) {
		declared->content = content;
		declared->other = !content;
		declared->stream = strcmp(uri, PL_NS_STREAM) == 0;
		return;
	}
	declared->content_prefix |= content;
	declared->dialback |= strcmp(uri, PL_NS_DIALBACK) == 0;
}

static void XMLCALL on_declaration(void *data, const XML_Char *version,
				   const XML_Char *encoding, int standalone)
{
	if (encoding != NULL && strcasecmp(encoding, "UTF-8") != 0)
		pl_xml_raise(data, PL_XML_ENCODING,
		      "the XML declaration names another encoding than UTF-8");
}

/* The scanner refuses these earlier. This is the second wall. */
static void XMLCALL on_comment(void *data, const XML_Char *text)
{
	pl_xml_raise(data, PL_XML_RESTRICTED, "a comment");
}

static void XMLCALL on_instruction(void *data, const XML_Char *target,
				   const XML_Char *text)
{
	pl_xml_raise(data, PL_XML_RESTRICTED, "a processing instruction");
}

static void XMLCALL on_doctype(void *data, const XML_Char *name,
			       const XML_Char *system_id,
			       const XML_Char *public_id, int internal)
{
	pl_xml_raise(data, PL_XML_RESTRICTED, "a document type declaration");
}

static void XMLCALL on_entity_declaration(void *data, const XML_Char *name,
					  int is_parameter,
					  const XML_Char *value, int length,
					  const XML_Char *base,
					  const XML_Char *system_id,
					  const XML_Char *public_id,
					  const XML_Char *notation)
{
	pl_xml_raise(data, PL_XML_RESTRICTED, "an entity declaration");
}

static void XMLCALL on_skipped_entity(void *data, const XML_Char *name,
				      int is_parameter)
{
	pl_xml_raise(data, PL_XML_RESTRICTED, "an entity reference");
}

/* ----- expat itself ----- */

static void set_handlers(struct pl_xml_parser *parser)
{
	XML_Parser expat = parser->expat;

	XML_SetUserData(expat, parser);
	XML_SetElementHandler(expat, on_start, on_end);
	XML_SetCharacterDataHandler(expat, on_text);
	XML_SetStartCdataSectionHandler(expat, on_cdata);
	XML_SetStartNamespaceDeclHandler(expat, on_namespace);
	XML_SetXmlDeclHandler(expat, on_declaration);
	XML_SetCommentHandler(expat, on_comment);
	XML_SetProcessingInstructionHandler(expat, on_instruction);
	XML_SetStartDoctypeDeclHandler(expat, on_doctype);
	XML_SetEntityDeclHandler(expat, on_entity_declaration);
	XML_SetSkippedEntityHandler(expat, on_skipped_entity);
}

/* The encoding is ours to say, so that expat never guesses another. */
static bool make_expat(struct pl_xml_parser *parser)
{
	unsigned long salt;

	parser->expat = XML_ParserCreateNS("UTF-8", PL_XML_SEPARATOR);
	if (parser->expat == NULL)
		return false;
	parser->fed = 0;
	/* Without this expat finds a salt itself, as good as it can. */
	if (getrandom(&salt, sizeof salt, GRND_NONBLOCK) ==
	    (ssize_t)sizeof salt)
		XML_SetHashSalt(parser->expat, salt);
#ifdef HAVE_REPARSE_DEFERRAL
	XML_SetReparseDeferralEnabled(parser->expat, XML_FALSE);
#endif
#ifdef HAVE_BILLION_LAUGHS
	/* No entity is ever expanded, so nothing should be amplified. */
	XML_SetBillionLaughsAttackProtectionMaximumAmplification(parser->expat,
								 2.0f);
#endif
	set_handlers(parser);
	return true;
}

static void drop_expat(struct pl_xml_parser *parser)
{
	if (parser->expat != NULL)
		XML_ParserFree(parser->expat);
	parser->expat = NULL;
}

static bool is_between(const struct pl_xml_parser *parser)
{
	return parser->depth == 1 && !parser->scan.inside &&
	       parser->scan.state == PL_XML_SCAN_TEXT;
}

/* A new expat is told the header again, for its namespaces. */
static bool revive(struct pl_xml_parser *parser)
{
	enum XML_Status status;

	if (!make_expat(parser))
		return pl_xml_raise_memory(parser);
	/* Its bytes count from where the header seems to begin now. */
	parser->base = parser->total - parser->prolog.length;
	if (parser->depth == 0)
		return true;
	parser->replaying = true;
	status = XML_Parse(parser->expat,
			   (const char *)pl_buffer_bytes(&parser->prolog),
			   (int)parser->prolog.length, 0);
	parser->replaying = false;
	/* It was good before. */
	return status == XML_STATUS_OK || pl_xml_raise_memory(parser);
}

/* Whether expat stumbled over bytes that are not UTF-8 at all. */
static bool is_malformed_utf8(XML_Parser expat)
{
	int offset = 0, size = 0;
	const char *context = XML_GetInputContext(expat, &offset, &size);

	return context != NULL && offset >= 0 && offset < size &&
	       pl_xml_utf8((const unsigned char *)context + offset,
			   (size_t)(size - offset)) == 0;
}

static enum pl_xml_fault fault_of(XML_Parser expat, enum XML_Error code)
{
	/* Most codes of expat cannot come here or mean malformed XML; a switch
	 * would list some forty, and more with each release. */
	if (code == XML_ERROR_NO_MEMORY)
		return PL_XML_MEMORY;
	if (code == XML_ERROR_UNDEFINED_ENTITY ||
	    code == XML_ERROR_RECURSIVE_ENTITY_REF ||
	    code == XML_ERROR_BINARY_ENTITY_REF ||
	    code == XML_ERROR_ATTRIBUTE_EXTERNAL_ENTITY_REF)
		return PL_XML_RESTRICTED;
	if (code == XML_ERROR_UNKNOWN_ENCODING ||
	    code == XML_ERROR_INCORRECT_ENCODING)
		return PL_XML_ENCODING;
	/* RFC 6120 11.6: unsupported-encoding, not not-well-formed. */
	if (code == XML_ERROR_INVALID_TOKEN && is_malformed_utf8(expat))
		return PL_XML_ENCODING;
	return PL_XML_NOT_WELL_FORMED;
}

static bool is_white(const char *bytes, size_t length)
{
	while (length > 0 && pl_xml_is_white(bytes[length - 1]))
		length--;
	return length == 0;
}

static void hand_over(struct pl_xml_parser *parser, const char *bytes,
		      size_t length)
{
	enum XML_Status status;

	if (parser->expat == NULL && is_between(parser) &&
	    is_white(bytes, length)) {
		parser->total += length; /* a sign of life needs no expat */
		return;
	}
	if (parser->expat == NULL && !revive(parser))
		return;
	parser->total += length;
	if (!parser->scan.rooted &&
	    !pl_buffer_append(&parser->prolog, bytes, length)) {
		pl_xml_raise_memory(parser);
		return;
	}
	parser->fed += length;
	parser->in_expat = true;
	status = XML_Parse(parser->expat, bytes, (int)length, 0);
	if (status == XML_STATUS_ERROR && !pl_xml_is_deaf(parser)) {
		enum XML_Error code = XML_GetErrorCode(parser->expat);

		pl_xml_raise(parser, fault_of(parser->expat, code), "%s",
		      XML_ErrorString(code));
	}
	parser->in_expat = false;
}

/* ----- what the owner calls ----- */

struct pl_xml_parser *pl_xml_new(const char *content_ns,
				 const struct pl_xml_limits *limits,
				 const struct pl_xml_events *events,
				 void *owner)
{
	struct pl_xml_parser *parser = calloc(1, sizeof *parser);

	if (parser == NULL)
		return NULL;
	parser->content_ns = content_ns;
	parser->limits = *limits;
	parser->events = events;
	parser->owner = owner;
	pl_xml_scan_init(&parser->scan);
	pl_buffer_init(&parser->prolog, 0); /* the scanner limits them */
	pl_buffer_init(&parser->held, 0);
	if (!make_expat(parser)) {
		free(parser);
		return NULL;
	}
	return parser;
}

static void free_working_memory(struct pl_xml_parser *parser)
{
	drop_expat(parser);
	pl_xml_arena_finish(&parser->arena);
	parser->top = NULL;
	pl_buffer_finish(&parser->held);
	pl_xml_drop_text(parser);
}

void pl_xml_free(struct pl_xml_parser *parser)
{
	if (parser == NULL)
		return;
	assert(!parser->in_feed);
	free_working_memory(parser);
	pl_buffer_finish(&parser->prolog);
	free(parser->lang);
	free(parser);
}

void pl_xml_set_limits(struct pl_xml_parser *parser,
		       const struct pl_xml_limits *limits)
{
	parser->limits = *limits;
}

void pl_xml_rest(struct pl_xml_parser *parser)
{
	assert(!parser->in_feed);
	if (is_between(parser) || parser->ended)
		free_working_memory(parser);
}

/* Expat sees what was held, and this. */
static void hand_over_all(struct pl_xml_parser *parser, const char *bytes,
			  size_t length)
{
	size_t held = parser->held.length;

	if (held == 0) {
		hand_over(parser, bytes, length);
		return;
	}
	if (!pl_buffer_append(&parser->held, bytes, length)) {
		pl_xml_raise_memory(parser);
		return;
	}
	bytes = (const char *)pl_buffer_bytes(&parser->held);
	parser->held.length = 0;
	hand_over(parser, bytes, held + length);
	if (parser->held.capacity > HELD_BYTES_KEPT)
		pl_buffer_trim(&parser->held);
}

/* Only the unfinished token at the end is held; text goes on. */
static void hold(struct pl_xml_parser *parser, const char *bytes, size_t length)
{
	size_t token = parser->scan.token, text;

	text = token < length ? length - token : 0;
	if (text > 0)
		hand_over_all(parser, bytes, text);
	if (!pl_buffer_append(&parser->held, bytes + text, length - text))
		pl_xml_raise_memory(parser);
}

static void feed_piece(struct pl_xml_parser *parser, const unsigned char *bytes,
		       size_t length, size_t *used)
{
	size_t n;

	/* Right behind a tag, where expat holds back nothing. */
	if (parser->fed > RENEW_BYTES && is_between(parser))
		drop_expat(parser);
	if (length > PIECE_BYTES)
		length = PIECE_BYTES;
	n = pl_xml_scan_piece(&parser->scan, &parser->limits, bytes, length);
	*used += n;
	if (!parser->scan.ready)
		hold(parser, (const char *)bytes, n);
	else if (n + parser->held.length > 0)
		hand_over_all(parser, (const char *)bytes, n);
	if (parser->scan.due != PL_XML_NO_FAULT)
		pl_xml_raise(parser, parser->scan.due, "%s", parser->scan.why);
}

size_t pl_xml_feed(struct pl_xml_parser *parser, const void *bytes,
		   size_t length)
{
	size_t used = 0;

	assert(!parser->in_feed);
	if (pl_xml_is_deaf(parser) || parser->stopped)
		return 0;
	parser->in_feed = true;
	if (parser->end_due)
		pl_xml_close_stream(parser);
	while (used < length && !pl_xml_is_deaf(parser) && !parser->stopped &&
	       !parser->ended)
		feed_piece(parser, (const unsigned char *)bytes + used,
			   length - used, &used);
	parser->in_feed = false;
	if (pl_xml_is_deaf(parser))
		free_working_memory(parser);
	/* Nothing behind the end of a stream means anything. */
	return parser->ended && !parser->stopped ? length : used;
}

void pl_xml_resume(struct pl_xml_parser *parser)
{
	parser->stopped = false;
}

/* The piece in hand ends with that very '>', and expat has all of it. */
size_t pl_xml_position(const struct pl_xml_parser *parser)
{
	return (size_t)parser->total;
}

enum pl_xml_fault pl_xml_fault(const struct pl_xml_parser *parser)
{
	return parser->fault;
}

const char *pl_xml_fault_text(const struct pl_xml_parser *parser)
{
	return parser->fault_text;
}
