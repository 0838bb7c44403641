/* What the files of the XML room know of each other. */
#ifndef PARLEY_XML_INTERNAL_H
#define PARLEY_XML_INTERNAL_H

#include "parley/xml.h"

/* ----- arena.c: memory of one first-level element ----- */

struct block;

struct pl_xml_arena {
	struct block *first, *last; /* owned */
};

/* NULL when memory is out. The memory is aligned for any of our structs. */
void *pl_xml_arena_get(struct pl_xml_arena *arena, size_t size);
/* A NUL-terminated copy; NULL when memory is out. */
char *pl_xml_arena_copy(struct pl_xml_arena *arena, const char *text,
			size_t length);
/* Forgets everything but keeps one block for the next element. */
void pl_xml_arena_reset(struct pl_xml_arena *arena);
void pl_xml_arena_finish(struct pl_xml_arena *arena);

/* ----- scan.c: where tags end, and the limits in bytes ----- */

/*
 * The scanner runs ahead of expat and cuts what came into pieces that end
 * behind the '>' of a tag at the latest. So expat never holds a byte that
 * stands behind an element whose callback may stop the stream, and a limit is
 * met at the same byte however the input was cut. For well-formed input the
 * scanner's idea of a tag is exact; for other input expat gives up first.
 *
 * Expat goes through an unfinished token again each time it grows, which in
 * single bytes costs 1.3 s for 64 KiB. So it is shown a token when that is
 * whole, or when its length has doubled: always at the same bytes.
 */
enum pl_xml_scan_state {
	PL_XML_SCAN_TEXT,
	PL_XML_SCAN_ENTITY,      /* behind '&' */
	PL_XML_SCAN_LESS,        /* at '<' */
	PL_XML_SCAN_OPEN,        /* behind '<' */
	PL_XML_SCAN_BANG,        /* behind '<!' */
	PL_XML_SCAN_CDATA,
	PL_XML_SCAN_DECLARATION, /* behind '<?' at the very start */
	PL_XML_SCAN_TAG,
	PL_XML_SCAN_SINGLE,      /* attribute value in ' */
	PL_XML_SCAN_DOUBLE,      /* attribute value in " */
};

struct pl_xml_scan {
	enum pl_xml_scan_state state;
	bool rooted;  /* the opening tag of the stream is complete */
	bool inside;  /* in the header (and before it) or in an element */
	bool tag;     /* the piece just cut ends with the '>' of a tag */
	bool ready;   /* expat is to see it now, not with what follows */
	unsigned char previous; /* byte, in CDATA and declaration */
	unsigned brackets;      /* ']' in a row, in CDATA */
	unsigned attributes;    /* of the tag in hand */
	size_t unit;  /* bytes of the header or first-level element in hand */
	size_t token; /* bytes of the token in hand */
	size_t milestone; /* at this length expat sees it, whole or not */
	size_t white; /* bytes in a row between elements */
	enum pl_xml_fault due;  /* of the byte behind the piece just cut */
	const char *why;
};

void pl_xml_scan_init(struct pl_xml_scan *scan);
/* Returns the length of the next piece; 0 only when a fault is due. */
size_t pl_xml_scan_piece(struct pl_xml_scan *scan,
			 const struct pl_xml_limits *limits,
			 const unsigned char *bytes, size_t length);

/* ----- utf8.c ----- */

/* Length of the UTF-8 character at bytes; 0: malformed or cut short. */
size_t pl_xml_utf8(const unsigned char *bytes, size_t length);
bool pl_xml_is_white(char c);

/* ----- parser.c ----- */

/* Between namespace and local name in what expat says. XML 1.0 forbids this
 * character in any form, so neither part can hold it. */
#define PL_XML_SEPARATOR '\f'

/* An element whose end tag is still to come. */
struct pl_xml_element {
	struct pl_xml_node node;
	struct pl_xml_element *parent;       /* NULL: a first-level element */
	struct pl_xml_node **tail; /* where its next child goes */
};

/* What the declarations on the header say. */
struct pl_xml_declared {
	bool content, other;   /* the default namespace is ..., or another */
	bool stream;           /* the default namespace is that of streams */
	bool content_prefix;   /* a prefix is bound to the content namespace */
	bool dialback;         /* a prefix is bound to that of dialback */
};

struct pl_xml_parser {
	const char *content_ns;             /* borrowed */
	const struct pl_xml_events *events; /* borrowed */
	void *owner;                        /* borrowed */
	struct pl_xml_limits limits;
	struct pl_xml_scan scan;
	struct XML_ParserStruct *expat; /* owned; NULL: made when needed */
	struct pl_buffer prolog;   /* the header as it came, for a new expat */
	struct pl_buffer held;     /* of an unfinished token, not for expat yet */
	size_t fed;                /* to this expat */
	unsigned long long total;  /* bytes that any expat saw */
	unsigned long long base;   /* of those, before this expat */
	unsigned depth, nodes, namespaces;
	struct pl_xml_declared declared;
	char *lang;                /* owned; of the header */
	struct pl_xml_arena arena; /* of the element in hand */
	struct pl_xml_element *top; /* innermost open element, in arena */
	char *text;                /* owned; text not yet a node */
	size_t text_length, text_size;
	bool in_feed, in_expat, replaying;
	bool stopped, end_due, ended;
	enum pl_xml_fault fault;
	char fault_text[160];
};

/* The first fault counts. The text never holds words of the peer. */
void pl_xml_raise(struct pl_xml_parser *parser, enum pl_xml_fault fault,
		  const char *format, ...) __attribute__((format(printf, 3, 4)));
bool pl_xml_raise_memory(struct pl_xml_parser *parser); /* returns false */
/* Nothing counts after a fault. */
bool pl_xml_is_deaf(const struct pl_xml_parser *parser);

/* ----- header.c ----- */

void pl_xml_open_stream(struct pl_xml_parser *parser, const char *name,
			const char **attributes);
void pl_xml_close_stream(struct pl_xml_parser *parser);

/* ----- tree.c ----- */

/* The local part; *ns_length gets the length of the namespace before it. */
const char *pl_xml_split_name(const char *name, size_t *ns_length);
bool pl_xml_name_is(const char *name, const char *ns, const char *local);
/* A copy that lives as long as the element; NULL after a fault. */
char *pl_xml_copy(struct pl_xml_parser *parser, const char *text);
void pl_xml_open_element(struct pl_xml_parser *parser, const char *name,
			 const char **attributes);
void pl_xml_close_element(struct pl_xml_parser *parser);
bool pl_xml_add_text(struct pl_xml_parser *parser, const char *text,
		     size_t length);
void pl_xml_drop_text(struct pl_xml_parser *parser);

#endif
