/*
 * xml.h: a push parser for one XMPP stream, and writing.
 *
 *     bytes -> pl_xml_feed -> on_header   (the stream's opening tag)
 *                          -> on_element  (each whole first-level element)
 *                          -> on_end      (</stream:stream>)
 *                          -> fault       (and nothing more)
 *
 * One parser serves one XML document. At a restart the owner throws it away
 * and makes another; feed tells exactly how many bytes the old one used, up to
 * the closing '>' of the element whose callback asked to stop (RFC 6120
 * 4.3.3). Restricted XML (DTD, entity declarations, comments, processing
 * instructions; RFC 6120 11.1) is refused at the first one. Nothing is kept of
 * a stream but the element in hand. Reparse deferral of expat is off, so a
 * token is reported when its last byte comes, however it was cut.
 */
#ifndef PARLEY_XML_H
#define PARLEY_XML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parley/base.h"

#define PL_NS_STREAM "http://etherx.jabber.org/streams"
#define PL_NS_SERVER "jabber:server"
#define PL_NS_COMPONENT "jabber:component:accept"
#define PL_NS_DIALBACK "jabber:server:dialback"
#define PL_NS_DIALBACK_FEATURE "urn:xmpp:features:dialback"
#define PL_NS_TLS "urn:ietf:params:xml:ns:xmpp-tls"
#define PL_NS_SASL "urn:ietf:params:xml:ns:xmpp-sasl"
#define PL_NS_STREAM_ERROR "urn:ietf:params:xml:ns:xmpp-streams"
#define PL_NS_STANZA_ERROR "urn:ietf:params:xml:ns:xmpp-stanzas"
#define PL_NS_BIDI "urn:xmpp:bidi"
#define PL_NS_BIDI_FEATURE "urn:xmpp:features:bidi"
#define PL_NS_LIMITS "urn:xmpp:stream-limits:0"
#define PL_NS_SM "urn:xmpp:sm:3"
#define PL_NS_PING "urn:xmpp:ping"
#define PL_NS_DISCO_INFO "http://jabber.org/protocol/disco#info"
#define PL_NS_DISCO_ITEMS "http://jabber.org/protocol/disco#items"
#define PL_NS_VERSION "jabber:iq:version"
#define PL_NS_XML "http://www.w3.org/XML/1998/namespace"

/* Limits on what a peer can choose; 0 allows none. */
struct pl_xml_limits {
	size_t header_bytes;   /* the opening tag, with what stands before it */
	size_t element_bytes;  /* one first-level element, also unfinished */
	size_t token_bytes;    /* one token (tag, reference), also unfinished */
	unsigned depth;        /* levels below the first-level element */
	unsigned attributes;   /* per element, declarations included */
	unsigned namespaces;   /* declarations per first-level element, and on
	                        * the header */
	unsigned nodes;        /* elements in one first-level element, itself
	                        * included */
	size_t white_bytes;    /* white space in a row between elements */
};

/* Before authentication: 8192 bytes an element, depth 8, ... `bytes` is the
 * setting unauthenticated-bytes. */
struct pl_xml_limits pl_xml_limits_before(size_t bytes);
/* After it; `bytes` is the setting stanza-bytes. */
struct pl_xml_limits pl_xml_limits_after(size_t bytes);

/* Why a parser gave up. */
enum pl_xml_fault {
	PL_XML_NO_FAULT,
	PL_XML_NOT_WELL_FORMED,  /* also unbound prefix; also in the header */
	PL_XML_RESTRICTED,
	PL_XML_ENCODING,         /* declared or found: not UTF-8; a BOM;
	                          * malformed UTF-8 */
	PL_XML_LIMIT,
	PL_XML_NOT_XMPP,         /* root is not stream:stream, or nothing
	                          * that starts like XML */
	PL_XML_NAMESPACE,        /* default namespace is not the wanted one */
	PL_XML_PREFIX,           /* no default namespace but a prefix for it */
	PL_XML_FORMAT,           /* text between elements; a nested stream */
	PL_XML_MEMORY,
};

struct pl_xml_attribute {
	const char *name;      /* local name */
	const char *ns;        /* "" = none */
	const char *value;
	struct pl_xml_attribute *next;
};

/* An element or a piece of text. All memory belongs to its parser and lives
 * until the callback that showed it returns. Text holds no NUL. */
struct pl_xml_node {
	const char *name;      /* local name; NULL: this is text */
	const char *ns;        /* namespace of an element; "" = none */
	const char *text;      /* of a text node */
	size_t text_length;
	const char *lang;      /* xml:lang in force here, or "" */
	struct pl_xml_attribute *attributes;
	struct pl_xml_node *children, *next; /* in document order */
};

/* The stream's opening tag. */
struct pl_xml_header {
	const char *to, *from, *id, *version, *lang; /* NULL where absent */
	int major, minor;       /* of version; 0.9 where absent or unreadable */
	bool declares_dialback; /* a prefix is bound to jabber:server:dialback */
};

struct pl_xml_events {
	/* Each returns true to go on and false to stop right behind the '>'. */
	bool (*on_header)(void *owner, const struct pl_xml_header *header);
	bool (*on_element)(void *owner, const struct pl_xml_node *element,
			   size_t bytes); /* its length on the wire */
	bool (*on_end)(void *owner);
};

struct pl_xml_parser;

/* Content namespace: PL_NS_SERVER or PL_NS_COMPONENT (what the default namespace
 * of the header must be). NULL when memory is out. content_ns and events are borrowed and
 * outlive it. */
struct pl_xml_parser *pl_xml_new(const char *content_ns,
				 const struct pl_xml_limits *limits,
				 const struct pl_xml_events *events,
				 void *owner);
void pl_xml_free(struct pl_xml_parser *parser); /* NULL is fine; not inside
                                                 * its own callback */

/* Other limits from here on; also from within a callback. */
void pl_xml_set_limits(struct pl_xml_parser *parser,
		       const struct pl_xml_limits *limits);

/*
 * Feeds bytes. Returns how many were used: all, or, when a callback stopped
 * it, those up to and with the closing '>' of that element. A stopped parser
 * takes nothing more until pl_xml_resume(). When a fault comes up: those up to
 * the fault or a few more; after it, none. Behind </stream:stream> nothing
 * means anything: bytes there count as used and are dropped. Not to be called
 * from within a callback.
 */
size_t pl_xml_feed(struct pl_xml_parser *parser, const void *bytes,
		   size_t length);
void pl_xml_resume(struct pl_xml_parser *parser);

/* Within a callback: how many bytes of the whole document were used, up to and
 * with the '>' of what it shows. */
size_t pl_xml_position(const struct pl_xml_parser *parser);

/* Gives memory back (10 to 20 KB) while no element is in hand, else does
 * nothing. The next feed gets it again, at the cost of reading the header once
 * more (about 10 us): for streams that are idle. */
void pl_xml_rest(struct pl_xml_parser *parser);

enum pl_xml_fault pl_xml_fault(const struct pl_xml_parser *parser);
/* A sentence about the fault, for the log ("" without). Not a word of it is
 * the peer's. */
const char *pl_xml_fault_text(const struct pl_xml_parser *parser);

/* Reading helpers; node may be NULL, which gives NULL or false. */
const char *pl_xml_attribute(const struct pl_xml_node *node,
			     const char *name); /* no namespace */
const struct pl_xml_node *pl_xml_child(const struct pl_xml_node *node,
				       const char *name, const char *ns);
const struct pl_xml_node *pl_xml_first_element(const struct pl_xml_node *node);
const struct pl_xml_node *pl_xml_next_element(const struct pl_xml_node *node);
bool pl_xml_is(const struct pl_xml_node *node, const char *name,
	       const char *ns);
/* The text directly inside, pieces joined and outer white space stripped; a
 * copy into out (cut to fit, NUL-terminated). Returns the whole length. */
size_t pl_xml_text(const struct pl_xml_node *node, char *out, size_t size);

/* ----- writing: all append to a buffer and return false when it is full ----- */

/* Text with & < > ' " escaped, and tab, LF, CR as references, so that it is
 * good in an attribute too; bytes that XML forbids become U+FFFD. When the
 * buffer is full nothing at all is appended: so with all below. */
bool pl_xml_escape(struct pl_buffer *out, const char *text, size_t length);

struct pl_xml_open {
	const char *content_ns;
	const char *to, *from, *id, *version, *lang; /* NULL: not written */
};
/* <?xml version='1.0'?><stream:stream ...>, for PL_NS_SERVER with xmlns:db
 * declared. */
bool pl_xml_write_header(struct pl_buffer *out, const struct pl_xml_open *open);

/* A whole element, namespaces declared where needed, below a stream whose
 * default namespace is content_ns, and with the prefixes stream: and db: as
 * the header declares them. What the parser showed comes out as the same
 * tree. */
bool pl_xml_write_node(struct pl_buffer *out, const struct pl_xml_node *node,
		       const char *content_ns);

/*
 * A stanza that goes on to another stream. It is written below its own
 * namespace as the default one, so the same bytes are right in a stream of any
 * content namespace: the stanza and those of its elements that share its
 * namespace without a break change theirs with the stream's (RFC 6120 4.8.3),
 * all else stays as it came. The xml:lang in force stands on it (8.1.5), and
 * its from and to have these values (NULL: as they are).
 */
bool pl_xml_write_stanza(struct pl_buffer *out,
			 const struct pl_xml_node *stanza, const char *from,
			 const char *to);

/* <stream:error> with condition and, unless NULL, text. */
bool pl_xml_write_stream_error(struct pl_buffer *out, const char *condition,
			       const char *text);

#endif
