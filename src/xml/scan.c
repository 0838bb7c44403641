/*
 * The scanner ahead of expat: finds the ends of tags, counts bytes, and refuses
 * what can be refused by its first bytes alone.
 *
 * state        | leaves it
 * TEXT         | '<' to LESS, '&' to ENTITY
 * ENTITY       | ';' to TEXT
 * LESS         | its '<' to OPEN
 * OPEN         | '!' to BANG, '?' to DECLARATION, else TAG
 * BANG         | '[' to CDATA, '-' and 'D' are refused
 * CDATA        | ']]>' to TEXT
 * DECLARATION  | '?>' to TEXT
 * TAG          | ' to SINGLE, " to DOUBLE, '>' to TEXT: a piece ends here
 * SINGLE       | ' to TAG
 * DOUBLE       | " to TAG
 */
#include "internal.h"

#include <string.h>

/* Longer tokens are shown to expat before they are whole. */
#define FIRST_MILESTONE 256

/* Text that is looked at in one go. */
#define TEXT_RUN 256

void pl_xml_scan_init(struct pl_xml_scan *scan)
{
	memset(scan, 0, sizeof *scan);
	scan->inside = true; /* what stands before the header belongs to it */
}

static size_t refuse(struct pl_xml_scan *scan, enum pl_xml_fault fault,
		     const char *why)
{
	scan->due = fault;
	scan->why = why;
	return 0;
}

static bool in_token(const struct pl_xml_scan *scan)
{
	return scan->state != PL_XML_SCAN_TEXT &&
	       scan->state != PL_XML_SCAN_CDATA;
}

/* How many bytes may still come; at 0, why says which limit that is. */
static size_t room_left(const struct pl_xml_scan *scan,
			const struct pl_xml_limits *limits, const char **why)
{
	size_t limit, used, left;

	if (!scan->inside) {
		limit = limits->white_bytes;
		used = scan->white;
		*why = "too much white space between elements";
	} else {
		limit = scan->rooted ? limits->element_bytes
				     : limits->header_bytes;
		used = scan->unit;
		*why = scan->rooted ? "an element is too long"
				    : "the stream header is too long";
	}
	/* Limits may have shrunk under what is in hand. */
	left = used < limit ? limit - used : 0;
	if (!in_token(scan))
		return left;
	limit = limits->token_bytes;
	if (left > 0 && scan->token + left > limit) {
		left = scan->token < limit ? limit - scan->token : 0;
		*why = "a tag or reference is too long";
	}
	return left;
}

static void begin_token(struct pl_xml_scan *scan, enum pl_xml_scan_state state)
{
	scan->state = state;
	scan->token = 0;
	scan->milestone = FIRST_MILESTONE;
}

static void begin_tag(struct pl_xml_scan *scan)
{
	begin_token(scan, PL_XML_SCAN_LESS);
	scan->attributes = 0;
	scan->white = 0;
	if (scan->inside)
		return;
	scan->inside = true;
	scan->unit = 0;
}

static size_t begin_entity(struct pl_xml_scan *scan)
{
	begin_token(scan, PL_XML_SCAN_ENTITY);
	return 0;
}

static size_t refuse_text(struct pl_xml_scan *scan, unsigned char c)
{
	if (scan->rooted)
		return refuse(scan, PL_XML_FORMAT, "text between elements");
	if (scan->unit == 0 && (c == 0xef || c == 0xfe || c == 0xff))
		return refuse(scan, PL_XML_ENCODING,
			      "a byte order mark stands first");
	return refuse(scan, PL_XML_NOT_XMPP, "this is not XML");
}

static size_t scan_white(struct pl_xml_scan *scan, const unsigned char *bytes,
			 size_t length)
{
	size_t n = 0;

	while (n < length && pl_xml_is_white((char)bytes[n]))
		n++;
	if (n > 0)
		return n;
	/* A reference to white space is white space: expat will tell. */
	if (bytes[0] == '&' && scan->rooted)
		return begin_entity(scan);
	return refuse_text(scan, bytes[0]);
}

static size_t scan_text(struct pl_xml_scan *scan, const unsigned char *bytes,
			size_t length)
{
	const unsigned char *at;

	if (!scan->rooted || !scan->inside)
		return scan_white(scan, bytes, length);
	/* Two looks at each byte, of few bytes at a time: else each of many
	 * references would have all that follows it looked at. */
	if (length > TEXT_RUN)
		length = TEXT_RUN;
	at = memchr(bytes, '<', length);
	if (at != NULL)
		length = (size_t)(at - bytes);
	at = memchr(bytes, '&', length);
	if (at == bytes)
		return begin_entity(scan);
	return at != NULL ? (size_t)(at - bytes) : length;
}

/* Up to and with the byte that ends the state, or all there is. */
static size_t scan_until(struct pl_xml_scan *scan, const unsigned char *bytes,
			 size_t length, char end, enum pl_xml_scan_state next)
{
	const unsigned char *at = memchr(bytes, end, length);

	if (at == NULL)
		return length;
	scan->state = next;
	return (size_t)(at - bytes) + 1;
}

static bool starts_name(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       c == ':' || c >= 0x80;
}

static size_t scan_open(struct pl_xml_scan *scan, unsigned char c)
{
	if (c == '!') {
		scan->state = PL_XML_SCAN_BANG;
		return 1;
	}
	if (c == '?') {
		/* An XML declaration is good as the first thing only. */
		if (scan->rooted || scan->unit != 1)
			return refuse(scan, PL_XML_RESTRICTED,
				      "a processing instruction");
		scan->state = PL_XML_SCAN_DECLARATION;
		scan->previous = 0;
		return 1;
	}
	if (!scan->rooted && c == 0)
		return refuse(scan, PL_XML_ENCODING, "this looks like UTF-16");
	if (!scan->rooted && !starts_name(c))
		return refuse(scan, PL_XML_NOT_XMPP, "this is not XML");
	scan->state = PL_XML_SCAN_TAG;
	return 0;
}

static size_t scan_bang(struct pl_xml_scan *scan, unsigned char c)
{
	if (c == '-')
		return refuse(scan, PL_XML_RESTRICTED, "a comment");
	if (c == 'D')
		return refuse(scan, PL_XML_RESTRICTED,
			      "a document type declaration");
	/* Should this be no CDATA section, expat stops within the word. */
	scan->state = PL_XML_SCAN_CDATA;
	scan->brackets = 0;
	return 1;
}

static size_t scan_cdata(struct pl_xml_scan *scan, const unsigned char *bytes,
			 size_t length)
{
	for (size_t n = 0; n < length; n++) {
		if (bytes[n] == '>' && scan->brackets >= 2) {
			scan->state = PL_XML_SCAN_TEXT;
			return n + 1;
		}
		if (bytes[n] != ']')
			scan->brackets = 0;
		else if (scan->brackets < 2)
			scan->brackets++;
	}
	return length;
}

static size_t scan_declaration(struct pl_xml_scan *scan,
			       const unsigned char *bytes, size_t length)
{
	for (size_t n = 0; n < length; n++) {
		if (bytes[n] == '>' && scan->previous == '?') {
			scan->state = PL_XML_SCAN_TEXT;
			return n + 1;
		}
		scan->previous = bytes[n];
	}
	return length;
}

static size_t scan_tag(struct pl_xml_scan *scan,
		       const struct pl_xml_limits *limits,
		       const unsigned char *bytes, size_t length)
{
	size_t n = 0;

	while (n < length && bytes[n] != '>' && bytes[n] != '\'' &&
	       bytes[n] != '"')
		n++;
	if (n == length)
		return n;
	if (bytes[n] == '>') {
		scan->state = PL_XML_SCAN_TEXT;
		scan->tag = true;
		return n + 1;
	}
	/* Counted here and not in expat's handler, which has all of them in
	 * memory by then. */
	if (scan->attributes >= limits->attributes) {
		if (n > 0)
			return n;
		return refuse(scan, PL_XML_LIMIT, "too many attributes");
	}
	scan->attributes++;
	scan->state = bytes[n] == '"' ? PL_XML_SCAN_DOUBLE : PL_XML_SCAN_SINGLE;
	return n + 1;
}

/* Takes a run of bytes of the state in hand; 0 only with another state or a
 * fault. length is at least 1. */
static size_t step(struct pl_xml_scan *scan, const struct pl_xml_limits *limits,
		   const unsigned char *bytes, size_t length)
{
	switch (scan->state) {
	case PL_XML_SCAN_TEXT:
		return scan_text(scan, bytes, length);
	case PL_XML_SCAN_ENTITY:
		return scan_until(scan, bytes, length, ';', PL_XML_SCAN_TEXT);
	case PL_XML_SCAN_LESS:
		scan->state = PL_XML_SCAN_OPEN;
		return 1;
	case PL_XML_SCAN_OPEN:
		return scan_open(scan, bytes[0]);
	case PL_XML_SCAN_BANG:
		return scan_bang(scan, bytes[0]);
	case PL_XML_SCAN_CDATA:
		return scan_cdata(scan, bytes, length);
	case PL_XML_SCAN_DECLARATION:
		return scan_declaration(scan, bytes, length);
	case PL_XML_SCAN_TAG:
		return scan_tag(scan, limits, bytes, length);
	case PL_XML_SCAN_SINGLE:
		return scan_until(scan, bytes, length, '\'', PL_XML_SCAN_TAG);
	case PL_XML_SCAN_DOUBLE:
		return scan_until(scan, bytes, length, '"', PL_XML_SCAN_TAG);
	}
	return length;
}

/* Counts n bytes; at a milestone of a token the piece ends. */
static void account(struct pl_xml_scan *scan, size_t n)
{
	scan->token += n;
	if (scan->inside)
		scan->unit += n;
	else
		scan->white += n;
	if (!in_token(scan) || scan->token < scan->milestone)
		return;
	scan->milestone *= 2;
	scan->ready = true;
}

size_t pl_xml_scan_piece(struct pl_xml_scan *scan,
			 const struct pl_xml_limits *limits,
			 const unsigned char *bytes, size_t length)
{
	size_t used = 0;

	scan->tag = scan->ready = false;
	while (used < length && !scan->tag && !scan->ready) {
		const char *why;
		size_t left, n;

		if (scan->state == PL_XML_SCAN_TEXT && bytes[used] == '<')
			begin_tag(scan);
		left = room_left(scan, limits, &why);
		if (left == 0) {
			refuse(scan, PL_XML_LIMIT, why);
			break;
		}
		if (in_token(scan) && left > scan->milestone - scan->token)
			left = scan->milestone - scan->token;
		if (left > length - used)
			left = length - used;
		n = step(scan, limits, bytes + used, left);
		if (scan->due != PL_XML_NO_FAULT)
			break;
		account(scan, n);
		used += n;
	}
	/* What stands before a fault may hold an earlier one. */
	if (!in_token(scan) || scan->due != PL_XML_NO_FAULT)
		scan->ready = true;
	return used;
}
