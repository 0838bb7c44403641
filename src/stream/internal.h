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
 * sm.c        stream management: elements, counting
 * tap.c       whoever listens to the connection's bytes
 * record.c    the records of a stream in its trace, with record_elements.c and
 *             record_tls.c
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
	STREAM_SM_ID_LIMIT = 4000, /* of a peer's (XEP-0198 5) */
	STREAM_SM_BYTES = 32768,   /* sent, before an <r/> is due */
	STREAM_SM_SILENCE_MS = 1000, /* before an <r/> */
	STREAM_SM_ANSWER_MS = 60000, /* to an <r/>, where no ping is set */
	STREAM_PAUSED_BY_OWNER = 1,
	STREAM_PAUSED_BY_RATE = 2,
};

/* Where what is fed stands in the document, and what of it no record has shown
 * yet; used with a tracer only. */
struct stream_came {
	const unsigned char *feed; /* under way; borrowed; or NULL */
	size_t feed_at;            /* where it begins */
	struct pl_buffer kept;     /* of earlier feeds ... */
	size_t kept_at;            /* ... from here on */
	size_t shown;              /* up to here it was shown */
};

struct pl_stream {
	struct pl_world *world;                /* borrowed */
	const struct pl_stream_events *events; /* borrowed */
	void *owner, *data;                    /* the owner's */
	struct pl_conn *conn;                  /* owned; NULL once closed */
	struct stream_odd *odd;                /* owned; NULL: nothing odd */
	void *tapped;                          /* the tap's handle, or NULL */
	struct pl_traced *traced;              /* owned; NULL: no records */
	struct stream_came came;
	uint64_t tls_began_us;                 /* traced only */
	struct pl_stream_state core;
	struct pl_partner_view partner;        /* of the header's pair */
	struct pl_xml_parser *parser;          /* owned */
	struct pl_tls *tls;                    /* owned; NULL in clear */
	struct pl_tls_verdict verdict;         /* for the header's pair */
	struct pl_sasl_server *sasl;           /* owned; receiving */
	struct pl_timer *stage_timer, *negotiation_timer; /* owned */
	struct pl_buffer out;                  /* plaintext of this turn */
	uint64_t plain;                        /* bytes of it in earlier turns */
	struct pl_dns_target *target;          /* owned copy; TLSA data too */
	char *peer, *peer_group;               /* owned: address, for listings */
	char log_id[16];
	char id[STREAM_ID_SIZE];               /* ours; receiving */
	char *peer_id;                         /* owned; initiating */
	char *local, *remote;                  /* owned; of the header, "" */
	struct pl_pair *pairs;                 /* owned */
	struct pl_pair *header_pair;           /* receiving; in pairs */
	unsigned pairs_count, pairs_made, ignored, verifies;
	bool incoming, direct_tls, verify_only, tls_given_up, sasl_given_up;
	bool restart, begin_handshake;         /* asked for inside a feed */
	bool feeding, handshake_told, flush_due;
	bool traced_names;                     /* its trace was found by them */
	bool heard, told;                      /* a byte of the peer's; an
	                                        * outcome of a pair */
	bool opened;                           /* keep_opened() was here */
	bool rests;                            /* until it is used again */
	bool untraced;                         /* the element in hand is a stanza
	                                        * that its trace leaves out */
	bool unplaced;                         /* stanzas of ours are in `out` */
	bool cut;                              /* the peer takes no more */
	bool ended;                            /* nothing more is sent */
	uint64_t began_ms, last_ms;
	uint64_t sent_ms;                      /* when bytes went out last */
	uint64_t peer_idle_ms, peer_max_bytes; /* as the peer told; 0: not */
	unsigned paused;                       /* STREAM_PAUSED_BY_... */
	struct pl_timer *rate_timer;           /* owned; NULL: never needed */
	uint64_t rate_us;                      /* read up to then, by the rate */
	struct pl_sm sm;                       /* what it counts */
	struct pl_sm sm_found;                 /* of the session to resume */
	char *sm_id;                           /* owned; NULL: not resumable */
	struct pl_timer *sm_timer;             /* owned; NULL: never needed */
	uint64_t sm_max_ms, sm_sent_ms;
	uint32_t sm_h, sm_sent;                /* told last, and what is known */
	uint32_t sm_told;                      /* our `h` that went out last */
	size_t sm_bytes;                       /* sent since the last <r/> */
	uint64_t sm_due_ms;                    /* of its timer; 0: not set */
	uint32_t sm_owed;                      /* answers to <r/> to come */
	uint64_t sm_owed_ms, sm_owed_acked;    /* since then, when the peer's TCP
	                                        * had so many bytes */
	uint64_t sm_owed_place;                /* of those before the question */
	bool sm_resumed;
	bool broken;                           /* ended by no word of either */
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
void stream_flush_later(struct pl_stream *stream); /* at the turn's end */
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

/* record.c and its like: each does nothing where nothing is recorded */
void record_release(struct pl_stream *stream);
bool record_is_off(const struct pl_stream *stream);
/* For these files: a record of this stream, plain until TLS is up. */
void record_begin(struct pl_stream *stream, enum pl_trace_dir dir,
		  enum pl_stage stage, const char *verb);
void record_end(struct pl_stream *stream);
/* The code that the core will give this event: it is asked on a copy. */
enum pl_code record_code_of(const struct pl_stream *stream,
			    const struct pl_stream_event *event);
/* A request of dialback begins something, of which it is the first record. */
void record_request(struct pl_stream *stream,
		    const struct pl_xml_node *element);
/* Around the feeding of a parser. */
void record_new_document(struct pl_stream *stream);
void record_feed(struct pl_stream *stream, const unsigned char *bytes);
void record_fed(struct pl_stream *stream, size_t used);
/* Inside of the parser's callbacks. */
void record_header(struct pl_stream *stream,
		   const struct pl_xml_header *header);
void record_element(struct pl_stream *stream, const struct pl_xml_node *element,
		    size_t bytes);
void record_close(struct pl_stream *stream);
/* One element or closing tag in the output, from here on. */
void record_written(struct pl_stream *stream, size_t from);
/* The header in the output, from here on, that was made of this. */
void record_written_header(struct pl_stream *stream, size_t from,
			   const struct pl_xml_open *open);
/* An incoming header was judged: its names are known. */
void record_names(struct pl_stream *stream);
/* A pair is attempted or, view NULL, a key is to be verified: in the trace of
 * this stream, or in a new one where that is over. */
void record_attempt(struct pl_stream *stream, const char *local,
		    const char *remote, const struct pl_partner_view *view);
void record_fault(struct pl_stream *stream, const struct pl_stream_event *event,
		  const char *text);
void record_deadline(struct pl_stream *stream, enum pl_stream_event_kind kind);
void record_pair_deadline(struct pl_pair *pair);
void record_sm_silence(struct pl_stream *stream);
void record_ignored(struct pl_stream *stream, const char *what);
void record_peer_end(struct pl_stream *stream, bool reset);
void record_our_end(struct pl_stream *stream, bool dropped);
void record_tls_start(struct pl_stream *stream);
void record_tls_done(struct pl_stream *stream);
void record_judged(struct pl_stream *stream, const char *domain,
		   const struct pl_tls_verdict *verdict);
void record_tls_failed(struct pl_stream *stream,
		       const struct pl_stream_event *event, const char *text);
void record_tls_close(struct pl_stream *stream, bool ours);
/* Behind a step, before it is carried out. */
void record_step(struct pl_stream *stream, const struct pl_terms *terms,
		 const struct pl_stream_state *before,
		 const struct pl_stream_event *event,
		 const struct pl_step *step);
void record_pair_step(struct pl_pair *pair, const struct pl_terms *terms,
		      const struct pl_pair_state *before,
		      const struct pl_pair_event *event,
		      const struct pl_step *step);
void record_outcome(struct pl_pair *pair, const struct pl_outcome *outcome);
/* The end of a stream none of whose pairs had an outcome. */
void record_untold_end(struct pl_stream *stream, const struct pl_step *step);

/* input.c */
extern const struct pl_conn_events stream_conn_events;
bool stream_new_parser(struct pl_stream *stream);
void stream_settle(struct pl_stream *stream); /* restarts that are due */
void stream_send(struct pl_stream *stream, const struct pl_buffer *bytes);
void stream_flush(struct pl_stream *stream);
void stream_write_out(struct pl_stream *stream, const void *bytes,
		      size_t length); /* to the connection, now */

/* keep.c */
void keep_opened(struct pl_stream *stream); /* behind whatever came */
void keep_write_limits(struct pl_stream *stream);
void keep_read_limits(struct pl_stream *stream,
		      const struct pl_xml_node *limits);
void keep_count_stanza(struct pl_stream *stream);
void keep_awake(struct pl_stream *stream); /* it is used */

/* sm.c */
void sm_begin(struct pl_stream *stream, const struct pl_stream_sm *resume);
void sm_free(struct pl_stream *stream);
/* False: no element of stream management. */
bool sm_read(struct pl_stream *stream, const struct pl_xml_node *element,
	     struct pl_stream_event *event);
void sm_carry_out(struct pl_stream *stream, enum pl_action action,
		  const struct pl_step *step);
void sm_sent(struct pl_stream *stream, size_t length); /* a stanza of ours */
void sm_handled(struct pl_stream *stream); /* one of the peer's */
void sm_last_ack(struct pl_stream *stream);
void sm_wait_anew(struct pl_stream *stream); /* for an answer that is owed */
/* False: it is no error of stream management. */
bool sm_write_error(struct pl_stream *stream, enum pl_condition condition);

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
/* Only those on which the peer can not send go on no longer. */
void pairs_end_sending(struct pl_stream *stream, const struct pl_step *step);
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
void write_done(struct pl_stream *stream, size_t from); /* one is whole */
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
