/*
 * internal.h: what the files of the component room share.
 *
 * components.c  names and who is attached to them; what comes for them
 * stream.c      one connection: header, handshake, stanzas
 * handshake.c   the digest
 * record.c      what its trace has of a connection
 */
#ifndef PARLEY_COMPONENT_INTERNAL_H
#define PARLEY_COMPONENT_INTERNAL_H

#include <sys/queue.h>

#include "parley/component.h"
#include "parley/trace.h"

enum {
	UNATTACHED = 64,         /* connections before their handshake */
	HANDSHAKE_MS = 10000,
	LINGER_MS = 5000,        /* for the other side's end, once we closed */
	DIGEST_SIZE = 41,        /* hexadecimal SHA-1 with its NUL */
	KEPT_BYTES = 65536,      /* of memory, for the next stanza */
};

/* A name of ours. */
struct section {
	char *name;              /* owned */
	char *secret;            /* owned, wiped; NULL: a host */
	bool refuse_second;
	struct component *attached; /* NULL: nobody */
	LIST_ENTRY(section) entry;
};

/* One connection. */
struct component {
	struct pl_components *components; /* borrowed */
	struct pl_conn *conn;             /* owned; NULL once closed */
	struct pl_xml_parser *parser;     /* owned */
	struct pl_timer *timer;           /* owned; until the handshake */
	struct pl_sender *sender;         /* owned */
	struct pl_brake *brake;           /* owned */
	struct pl_unsent *unsent;         /* owned */
	struct section *section;          /* borrowed; NULL before the header
	                                   * and once detached */
	char *addr;                       /* owned */
	char *name;                       /* owned: of the header, "" */
	char id[33], log_id[8];
	bool attached, header_sent, feeding, ended;
	uint64_t began_ms, received, sent;
	struct pl_traced *traced;         /* NULL: not recorded */
	const unsigned char *feed;        /* what is being read; feed_at: its
	                                   * place in the document */
	size_t feed_at;
	TAILQ_ENTRY(component) entry;     /* in pl_components.all */
};

struct pl_components {
	struct pl_world *world;           /* borrowed */
	struct pl_router *router;         /* borrowed */
	LIST_HEAD(, section) sections;
	TAILQ_HEAD(, component) all;      /* oldest first */
	unsigned unattached;
	struct pl_buffer scratch;         /* the stanza in hand */
};

/* components.c */
/* The section of a domain: by name, then the longest wildcard. NULL: none. */
struct section *section_of(const struct pl_components *components,
			   const char *domain);
/* The host that a section belongs to, or NULL. */
const struct section *host_above(const struct pl_components *components,
				 const struct section *section);
/* The handshake is done. False: the section has one that stays. */
bool section_attach(struct component *component);

/* stream.c */
struct component *component_new(struct pl_components *components,
				struct pl_conn *conn);
/* Tells a stream error (NULL: closes only) and closes. It is freed at once, or
 * behind its own callback. */
void component_end(struct component *component, const char *condition,
		   const char *text);
void component_drop(struct component *component);
/* False: its output is full. */
bool component_write(struct component *component, const void *bytes,
		     size_t length, struct pl_sender *sender);

/* It was written just now, and may go back while the kernel has not got it. */
void component_taken(struct component *component,
		     const struct pl_stanza *stanza);

/* record.c */
void note_accepted(struct component *component);
void note_named(struct component *component);
void note_header_in(struct component *component,
		    const struct pl_xml_header *header);
void note_header_out(struct component *component,
		     const struct pl_xml_open *open,
		     const struct pl_buffer *bytes);
void note_handshake_in(struct component *component,
		       const struct pl_xml_node *element, size_t bytes);
void note_handshake_out(struct component *component, const char *bytes);
void note_element_in(struct component *component,
		     const struct pl_xml_node *element, bool stanza,
		     size_t bytes);
void note_stanza_out(struct component *component, const void *bytes,
		     size_t length);
void note_error_out(struct component *component, const char *condition,
		    const char *text);
void note_fault(struct component *component, const char *text);
void note_close(struct component *component, enum pl_trace_dir dir);
void note_tcp(struct component *component, enum pl_trace_dir dir,
	      const char *how);
/* How the handshake ended; once attached it cannot be refused any more. */
void note_attached(struct component *component);
void note_refused(struct component *component, enum pl_code code,
		  const char *why); /* NULL: what the code means */
enum pl_code note_code(const struct component *component,
		       const char *condition); /* NULL: it closed */

/* handshake.c */
/* Hexadecimal SHA-1 of id and secret (XEP-0114 3). */
bool handshake_digest(const char *id, const char *secret,
		      char out[DIGEST_SIZE]);
/* Is it what the element says? Compared in constant time. */
bool handshake_good(const struct pl_xml_node *handshake, const char *id,
		    const char *secret);

#endif
