/*
 * internal.h: what the files of the stream room share.
 *
 * stream.c    life, timers, what the owner calls
 * input.c     bytes to parser or TLS engine; restarts and their exact cut
 * elements.c  what the parser shows, to events of the core
 * actions.c   what the core asks for
 * pairs.c     the pairs, their machine, their outcome
 * dialback.c  db:result and db:verify
 * write.c     the elements that we send
 * keep.c      keepalive, limits that are told, rates
 * tap.c       whoever listens to the connection's bytes
 * odd.c       for tests of others: legal and yet unusual
 */
#ifndef PARLEY_STREAM_INTERNAL_H
#define PARLEY_STREAM_INTERNAL_H

#include "parley/sasl.h"
#include "parley/stream.h"

enum {
	STREAM_ID_SIZE = 33,     /* 128 random bits as text */
	STREAM_ID_LIMIT = 256,   /* of a peer's id */
	STREAM_IGNORED = 32,     /* elements dropped before it is enough */
	STREAM_VERIFIES = 1024,  /* db:verify requests answered per stream */
	STREAM_LINGER_MS = 5000, /* for the peer's end, once we closed */
	STREAM_PAUSED_BY_OWNER = 1,
	STREAM_PAUSED_BY_RATE = 2,
};

struct pl_stream {
	struct pl_world *world;                /* borrowed */
	const struct pl_stream_events *events; /* borrowed */
	void *owner, *data;                    /* the owner's */
	struct pl_conn *conn;                  /* owned; NULL once closed */
	struct stream_odd *odd;                /* owned; NULL: nothing odd */
	void *tapped;                          /* the tap's handle, or NULL */
	struct pl_stream_state core;
	struct pl_partner_view partner;        /* of the header's pair */
	struct pl_xml_parser *parser;          /* owned */
	struct pl_tls *tls;                    /* owned; NULL in clear */
	struct pl_tls_verdict verdict;         /* for the header's pair */
	struct pl_sasl_server *sasl;           /* owned; receiving */
	struct pl_timer *stage_timer, *negotiation_timer; /* owned */
	struct pl_buffer out;                  /* plaintext of this turn */
	struct pl_dns_target *target;          /* owned copy; TLSA data too */
	char *peer, *peer_group;               /* owned: address, for listings */
	char log_id[16];
	char id[STREAM_ID_SIZE];               /* ours; receiving */
	char *peer_id;                         /* owned; initiating */
	char *local, *remote;                  /* owned; of the header, "" */
	struct pl_pair *pairs;                 /* owned */
	struct pl_pair *header_pair;           /* receiving; in pairs */
	unsigned pairs_count, ignored, verifies;
	bool incoming, direct_tls, verify_only, tls_given_up, sasl_given_up;
	bool restart, begin_handshake;         /* asked for inside a feed */
	bool feeding, handshake_told, flush_due;
	bool ended;                            /* nothing more is sent */
	uint64_t began_ms, last_ms;
	uint64_t sent_ms;                      /* when bytes went out last */
	uint64_t peer_idle_ms, peer_max_bytes; /* as the peer told; 0: not */
	unsigned paused;                       /* STREAM_PAUSED_BY_... */
	struct pl_timer *rate_timer;           /* owned; NULL: never needed */
	uint64_t rate_us;                      /* read up to then, by the rate */
	uint64_t stage_ms;                     /* when its stage began */
	enum pl_code code;                     /* of its end */
	enum pl_next next;
	char *words;                           /* owned; the peer's own, or of
	                                        * the system */
	const struct pl_xml_node *element;     /* in hand */
	struct pl_pair *stanza_pair;           /* of the stanza in hand */
};

/* stream.c */
void stream_event(struct pl_stream *stream, const struct pl_stream_event *event);
void stream_simple_event(struct pl_stream *stream,
			 enum pl_stream_event_kind kind);
void stream_words(struct pl_stream *stream, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void stream_touch(struct pl_stream *stream);
void stream_finish(struct pl_stream *stream); /* frees it, at the turn's end */
struct pl_terms stream_terms(const struct pl_stream *stream,
			     const struct pl_partner_view *view);
void stream_pause(struct pl_stream *stream, unsigned why);
void stream_resume(struct pl_stream *stream, unsigned why);
size_t stream_stanza_bytes(const struct pl_stream *stream);
void stream_rename(char **name, const char *value);

/* tap.c: each does nothing when nobody listens */
void tap_open(struct pl_stream *stream);
void tap_bytes(struct pl_stream *stream, bool outgoing, const void *bytes,
	       size_t length);
void tap_secrets(struct pl_stream *stream); /* of its new TLS engine */
void tap_end(struct pl_stream *stream, enum pl_tap_end end);
void tap_gone(struct pl_stream *stream);

/* input.c */
extern const struct pl_conn_events stream_conn_events;
bool stream_new_parser(struct pl_stream *stream);
void stream_settle(struct pl_stream *stream); /* restarts that are due */
void stream_send(struct pl_stream *stream, const struct pl_buffer *bytes);
void stream_flush(struct pl_stream *stream);
void stream_write_out(struct pl_stream *stream, const void *bytes,
		      size_t length); /* to the connection, now */

/* keep.c */
void keep_write_limits(struct pl_stream *stream);
void keep_read_limits(struct pl_stream *stream,
		      const struct pl_xml_node *limits);
void keep_count_stanza(struct pl_stream *stream);

/* elements.c */
extern const struct pl_xml_events stream_xml_events;

/* actions.c */
void stream_carry_out(struct pl_stream *stream, unsigned action,
		      const struct pl_step *step);

/* pairs.c */
struct pl_pair *pair_find(struct pl_stream *stream, enum pl_role role,
			  const char *local, const char *remote);
struct pl_pair *pair_new(struct pl_stream *stream, enum pl_role role,
			 const char *local, const char *remote);
void pair_again(struct pl_pair *pair); /* a new attempt */
void pair_free(struct pl_pair *pair);
void pair_look_up(struct pl_pair *pair);
void pair_event(struct pl_pair *pair, struct pl_pair_event *event);
void pair_simple_event(struct pl_pair *pair, enum pl_pair_event_kind kind);
void pair_words(struct pl_pair *pair, const char *text);
void pairs_end(struct pl_stream *stream, const struct pl_step *step);
bool pairs_other_open(const struct pl_stream *stream,
		      const struct pl_pair *than);

/* dialback.c */
bool dialback_kind(const struct pl_xml_node *element,
		   enum pl_dialback_kind *kind);
void dialback_take(struct pl_stream *stream, const struct pl_xml_node *element);
void dialback_unsolicited(struct pl_stream *stream, const char *what);

/* odd.c: each does nothing, and changes nothing, in a world without odd bits */
void odd_new(struct pl_stream *stream);
void odd_free(struct pl_stream *stream);
/* Bytes for the connection: taken to go out slowly? */
bool odd_keeps(struct pl_stream *stream, const void *bytes, size_t length);
void odd_hurry(struct pl_stream *stream); /* what waits goes out now */
/* How much of so much plaintext goes into one TLS record. */
size_t odd_record(const struct pl_stream *stream, size_t length);
/* Features that are due: taken, to be written later? */
bool odd_delays(struct pl_stream *stream, unsigned features);
void odd_forget_features(struct pl_stream *stream);
/* Writes a header of its own kind? */
bool odd_header(struct pl_stream *stream, const struct pl_xml_open *open);
/* What stands in the output from here on is one whole element (a header, a
 * closing tag): it gets its looks. */
void odd_element(struct pl_stream *stream, size_t from);
void odd_features(struct pl_stream *stream, bool before);
const char *odd_domain(const struct pl_stream *stream, const char *domain,
		       char out[PL_DOMAIN_SIZE]);
const char *odd_condition(const struct pl_stream *stream,
			  const char *condition);

/* write.c: each appends to the stream's output of this turn */
void write_header(struct pl_stream *stream, bool version_1);
void write_features(struct pl_stream *stream, unsigned features);
void write_text(struct pl_stream *stream, const char *text); /* as it is */
void write_element(struct pl_stream *stream, const char *text); /* a whole one */
void write_auth(struct pl_stream *stream, bool response);
void write_sasl_failure(struct pl_stream *stream,
			enum pl_sasl_condition condition);
void write_error(struct pl_stream *stream, enum pl_condition condition,
		 enum pl_code code);
void write_result_request(struct pl_pair *pair, const char *key);
void write_result_answer(struct pl_pair *pair, const char *type,
			 enum pl_stanza_condition condition);
void write_verify_request(struct pl_stream *stream, const char *from,
			  const char *to, const char *id, const char *key);
void write_verify_answer(struct pl_stream *stream, const char *from,
			 const char *to, const char *id,
			 enum pl_verify_answer answer,
			 enum pl_stanza_condition condition);

#endif
