/*
 * stream.h: the shell of one S2S stream.
 *
 *     pl_conn -> bytes -> [TLS] -> parser -> event -> core -> actions
 *                                                      |
 *     pl_conn <- bytes <- [TLS] <- writer <------------+-> pairs, deadlines
 *
 * A stream owns its connection, parser, TLS engine, SASL exchange, timers and
 * pairs, and decides nothing: what comes in becomes events of the core, what
 * the core asks for is done (machine.h). Its owner (the router) hears of pairs
 * that opened or failed, of stanzas that passed every check, and of keys to
 * verify. What the configuration says comes in through struct pl_world.
 *
 * Ownership: a stream frees itself, at the end of the loop turn in which it
 * ended; on_ended is the last call about it. Pairs live inside their stream.
 */
#ifndef PARLEY_STREAM_H
#define PARLEY_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parley/addr.h"
#include "parley/counts.h"
#include "parley/dialback.h"
#include "parley/log.h"
#include "parley/machine.h"
#include "parley/net.h"
#include "parley/sm.h"
#include "parley/tap.h"
#include "parley/tls.h"
#include "parley/trace.h"
#include "parley/xml.h"

/* ----- what configuration says, as the streams see it ----- */

/* A partner, as it holds for one of our domains. */
struct pl_partner_view {
	struct pl_terms terms; /* the connection's own fields are the stream's */
	int row;               /* 1 to 18, 0: no partner section matched */
	char rule[160];        /* `partner "beta.example" (parley.conf:12)` */
	unsigned connection_limit;
	const char *connect_host; /* borrowed until the loop turn ends; or NULL */
	unsigned short connect_port;
	bool connect_direct_tls;
	const char *sni;          /* borrowed likewise: the name to show in TLS;
	                           * NULL: the remote domain */
	bool no_certificate;      /* initiating: show none, though we have one */
	bool clear_callbacks;     /* receiving: no TLS is asked for, because there
	                           * is no certificate to offer it with */
	unsigned wanted_targets; /* enum pl_dns_want: what the row can use */
	bool multiplex, keepalive;
	bool unverified;       /* its users may not begin (router.h) */
	unsigned stanza_rate;  /* a second, that we read; 0: no limit */
	size_t stanza_bytes;   /* 0: that of the world */
};

struct pl_world_limits {
	size_t unauthenticated_bytes, stanza_bytes; /* per element */
	size_t output_bytes;     /* unsent, per stream */
	size_t queue_bytes;      /* waiting, per pair */
	unsigned pairs;          /* per stream */
	unsigned connections, connections_per_address;
	unsigned verify_connections; /* dialled for db:verify at a time */
	uint64_t dns_ms, connect_ms, negotiate_ms, idle_ms, drain_ms;
	uint64_t keepalive_ms; /* 0: none */
	uint64_t ping_ms;      /* 0: none */
};

/*
 * Ways to be odd and yet legal, for those who test other servers against us
 * (`parley listen --odd`, which see for what a good server does). The core
 * knows nothing of them: they change how and when its actions are written.
 */
enum pl_odd {
	PL_ODD_NO_VERSION = 1,
	PL_ODD_EMPTY_MECHANISMS = 2,  /* receiving */
	PL_ODD_LATE_REFUSAL = 4,      /* receiving */
	PL_ODD_NO_VERIFY = 8,
	PL_ODD_SPLIT_WRITES = 16,
	PL_ODD_PREFIXES = 32,
	PL_ODD_SLOW_FEATURES = 64,    /* receiving */
	PL_ODD_WHITESPACE = 128,
	PL_ODD_OLD_ERROR = 256,
	PL_ODD_EXTRA_FEATURES = 512,  /* receiving */
	PL_ODD_REQUIRED_FEATURE = 1024, /* receiving */
	PL_ODD_UPPER_CASE = 2048,
};
struct pl_odd_entry {
	const char *name;
	unsigned bit;
	const char *text; /* one line for --help */
};
/* The number-th of them, NULL behind the last. */
const struct pl_odd_entry *pl_odd_entry(size_t number);
/* "no-version,whitespace"; false with a sentence for an unknown name. */
bool pl_odd_parse(const char *list, unsigned *odd, struct pl_error *error);

/* Everything that streams of one loop share. */
struct pl_world {
	struct pl_loop *loop;
	struct pl_log *log;            /* may be NULL */
	struct pl_counts *counts;      /* may be NULL */
	struct pl_resolver *resolver;
	struct pl_dialback *dialback;
	struct pl_tls_trust *trust;
	struct pl_world_limits limits;
	unsigned odd;                  /* enum pl_odd; 0 in daemons */
	struct pl_tracer *tracer;      /* NULL: nothing is traced */
	const struct pl_tap_events *tap; /* NULL: nobody listens */
	void *tap_owner;

	void *site;                    /* argument of the look-ups */
	/* Is it a domain of ours? identity (may be NULL) receives a borrowed
	 * certificate or NULL. domain NULL: only the default identity. */
	bool (*host)(void *site, const char *domain,
		     struct pl_tls_identity **identity);
	/* The partner that `remote` (NULL: not known) is for `local` (NULL: not
	 * known). Always fills the view. */
	void (*partner)(void *site, const char *local, const char *remote,
			struct pl_partner_view *view);
	/* Contact addresses of a host, "abuse=mailto:...", NULL-terminated;
	 * or NULL. Borrowed for the call. NULL: there are none. */
	const char *const *(*contacts)(void *site, const char *domain);
	/* Makes the key of a db:result; NULL: made with `dialback`. For a process
	 * whose db:verify another one answers. False: there is none now. */
	bool (*key)(void *site, const char *receiving, const char *originating,
		    const char *stream_id, char out[PL_DIALBACK_KEY_SIZE]);
};

/* ----- streams and pairs ----- */

struct pl_stream;

struct pl_pair {
	struct pl_pair_state state;
	struct pl_stream *stream;   /* borrowed: the stream owns the pair */
	char *local, *remote;       /* owned, normal forms; role initiating: from
	                             * local to remote, receiving: the reverse */
	struct pl_partner_view partner;
	struct pl_timer *timer;     /* owned: result or verify deadline */
	uint64_t began_ms;          /* of this attempt */
	uint64_t opened_ms;
	char *words;                /* owned: the other side's words, or NULL */
	void *route;                /* the router's own, NULL at first */
	unsigned number;            /* of this stream's pairs, in traces */
	struct pl_pair *next;       /* in pl_stream's list */
};

/* Output up to `plain` (pl_stream_plain()) ends at `wire` of what was written to
 * the connection (pl_conn_written()). */
struct pl_place {
	uint64_t plain, wire;
	bool sealed; /* in one TLS record, of use as a whole alone; else byte
	              * for byte */
};

struct pl_stream_events {
	/* Initiating: pairs may begin (or, verify only, keys be verified). */
	void (*on_ready)(void *owner, struct pl_stream *stream);
	/* The outcome of a pair, after its line was logged. `outcome` and its
	 * texts are the callee's until it returns. bounce: what waits must be
	 * bounced with (initiating, failed). */
	void (*on_outcome)(void *owner, struct pl_stream *stream,
			   struct pl_pair *pair,
			   const struct pl_outcome *outcome, enum pl_next next,
			   enum pl_stanza_condition bounce);
	/* An open pair is no more. */
	void (*on_pair_gone)(void *owner, struct pl_stream *stream,
			     struct pl_pair *pair);
	/* A stanza on an open pair; addresses are checked. */
	void (*on_stanza)(void *owner, struct pl_stream *stream,
			  struct pl_pair *pair,
			  const struct pl_xml_node *stanza);
	/* All that was sent is with the kernel; may be NULL. */
	void (*on_drained)(void *owner, struct pl_stream *stream);
	/* What pl_stream_send() took has its place in the bytes of the
	 * connection now; may be NULL. */
	void (*on_placed)(void *owner, struct pl_stream *stream,
			  const struct pl_place *place);
	/* The peer has so many bytes of them (pl_conn_acked()), and takes no
	 * more: the connection broke or is dropped, or the peer is done with
	 * it. May be NULL. */
	void (*on_cut)(void *owner, struct pl_stream *stream, uint64_t acked);
	/* Both sides said good-bye, all is written: true where the owner closes
	 * the connection, to hear what the peer had of it in the end
	 * (pl_conn_farewell()). May be NULL. */
	bool (*on_leave)(void *owner, struct pl_stream *stream,
			 struct pl_conn *conn, uint64_t linger_ms);
	/* Receiving: have this key verified by the authoritative server of
	 * pair->remote, and answer by pl_stream_verified(), later. */
	void (*on_verify)(void *owner, struct pl_stream *stream,
			  struct pl_pair *pair, const char *id,
			  const char *key);
	/* Verify only: a db:verify answer; kind PL_PE_VERIFY_VALID, _INVALID or
	 * _ERROR. Returns whether it was asked for. */
	bool (*on_verify_answer)(void *owner, struct pl_stream *stream,
				 const char *from, const char *to,
				 const char *id, enum pl_pair_event_kind kind);
	/* May another stream with this remote domain exist? (limits) */
	bool (*may_connect)(void *owner, struct pl_stream *stream,
			    const char *remote, unsigned limit);
	/* Receiving, authenticated: may this stream resume that session? Gives
	 * its counters. */
	bool (*on_sm_find)(void *owner, struct pl_stream *stream,
			   const char *id, struct pl_sm *counters);
	/* It did: the first `acked` stanzas of those that were unacknowledged
	 * are handled, the others were not; once it is settled they can be
	 * sent again. */
	void (*on_sm_resumed)(void *owner, struct pl_stream *stream,
			      const char *id, uint32_t acked);
	/* Initiating: the peer does not resume; what it still tells it has
	 * handled (or 0). */
	void (*on_sm_failed)(void *owner, struct pl_stream *stream,
			     uint32_t acked);
	/* The peer handled so many more stanzas, the oldest. */
	void (*on_sm_acked)(void *owner, struct pl_stream *stream,
			    uint32_t count);
	/* Stream management is agreed on or not: its pairs can send now. */
	void (*on_settled)(void *owner, struct pl_stream *stream);
	/* It rested, and something comes or goes again; may be NULL. */
	void (*on_awake)(void *owner, struct pl_stream *stream);
	/* The stream ended; the last call. code, next: of its end. */
	void (*on_ended)(void *owner, struct pl_stream *stream,
			 enum pl_code code, enum pl_next next,
			 const char *words);
};

/* How long a broken stream can be resumed, where nobody says less. */
enum { PL_STREAM_SM_MAX_MS = 60000 };

/* Stream management on a stream (XEP-0198). */
struct pl_stream_sm {
	bool on;             /* it counts: what is sent must be kept until it
	                      * is acknowledged */
	bool holds;          /* nothing can be sent yet */
	bool broken;         /* it ended without a closing tag or an error */
	bool left;           /* ... by a closing tag or an error of ours, with
	                      * nothing amiss */
	bool both_ways, resumed;
	const char *id;      /* borrowed; NULL: it cannot be resumed */
	uint64_t max_ms;     /* how long it can */
	struct pl_sm counters;
};

struct pl_stream_initiate {
	struct pl_conn *conn;      /* taken over */
	const char *local, *remote;
	bool direct_tls, verify_only, tls_given_up, sasl_given_up;
	const struct pl_dns_target *target; /* for DANE; NULL: none */
	uint64_t began_ms;         /* when the attempt began, for `ms` */
	struct pl_traced *traced;  /* taken over; NULL: not traced */
	const struct pl_stream_sm *resume; /* id and counters; NULL: none */
};

/* Both: NULL when memory is out (the connection is dropped). */
struct pl_stream *pl_stream_initiating(struct pl_world *world,
				       const struct pl_stream_events *events,
				       void *owner,
				       const struct pl_stream_initiate *how);
struct pl_stream *pl_stream_receiving(struct pl_world *world,
				      const struct pl_stream_events *events,
				      void *owner, struct pl_conn *conn,
				      bool direct_tls,
				      struct pl_traced *traced); /* taken over */

/* Initiating: begins a pair from local to the remote domain: now, where the
 * stream is ready, else when it is. NULL: too many pairs, or ended. */
struct pl_pair *pl_stream_pair(struct pl_stream *stream, const char *local,
			       const char *remote);
/* Sends a stanza (already written for jabber:server) on an open initiating
 * pair. False: the pair is not open, or output is over its limit. */
bool pl_stream_send(struct pl_pair *pair, const void *stanza, size_t length);
void pl_stream_sm(const struct pl_stream *stream, struct pl_stream_sm *sm);
/* Asks the peer for an acknowledgement now, where one is missing. */
void pl_stream_ask(struct pl_stream *stream);
/* Another stream resumed its session: ends it (conflict). */
void pl_stream_replaced(struct pl_stream *stream);
size_t pl_stream_pending(const struct pl_stream *stream); /* bytes unsent */
uint64_t pl_stream_plain(const struct pl_stream *stream); /* bytes of output */
uint64_t pl_stream_acked(const struct pl_stream *stream); /* pl_conn_acked() */
/* Back-pressure: nothing more is read from the peer until resumed. */
void pl_stream_pause(struct pl_stream *stream);
void pl_stream_resume(struct pl_stream *stream);
/* The largest stanza that the peer takes (XEP-0478); 0: it did not say. */
size_t pl_stream_most(const struct pl_stream *stream);
/* Shows life by white space where nothing else did for the keepalive time; when
 * it is to be called again (as of pl_loop_now_ms(), UINT64_MAX: never). */
uint64_t pl_stream_keepalive(struct pl_stream *stream);
/* To be called once a second, until it rests: a stream that was silent for some
 * seconds gives back what its parser holds, 10 KB and more, and rests until it
 * is used again (on_awake). True when it began to rest now. */
bool pl_stream_rest(struct pl_stream *stream);
bool pl_stream_rests(const struct pl_stream *stream);
/* The peer does not answer: drops the connection as if it had broken. */
void pl_stream_dead(struct pl_stream *stream);
/* Verify only, after on_ready: asks for a key. */
bool pl_stream_ask_verify(struct pl_stream *stream, const char *from,
			  const char *to, const char *id, const char *key);
/* Receiving: what became of on_verify; kind is one of PL_PE_VERIFY_... */
void pl_stream_verified(struct pl_stream *stream, struct pl_pair *pair,
			enum pl_pair_event_kind kind, const char *words);
/* The configuration was replaced: judges every open pair anew. */
void pl_stream_terms_changed(struct pl_stream *stream);
void pl_stream_give_up(struct pl_stream *stream);   /* its time is over */
void pl_stream_shutdown(struct pl_stream *stream);  /* the daemon drains */
void pl_stream_idle(struct pl_stream *stream);      /* nothing to carry */
void pl_stream_drop(struct pl_stream *stream);      /* makes room: aborts */

/* What it is, for listings and limits. Texts are borrowed. */
struct pl_stream_info {
	const char *id;         /* in logs */
	bool incoming, verify_only, direct_tls, authenticated;
	bool ended;             /* it is over, or our closing tag is out */
	const char *local, *remote; /* of the header; "" where not known */
	const char *tls, *cipher;   /* NULL: none */
	enum pl_certificate certificate;
	bool by_dane;
	const char *addr, *addr_group;
	int row;
	uint64_t began_ms, last_ms; /* last: a stanza or an attempt */
	enum pl_stream_phase phase;
	const struct pl_sm *sm; /* counters; NULL: no stream management */
	bool resumable, resumed;
	struct pl_pair *pairs;  /* the stream's */
};
void pl_stream_info(const struct pl_stream *stream,
		    struct pl_stream_info *info);

/* Its connection in a trace; borrowed, NULL: not traced. */
struct pl_traced *pl_stream_traced(const struct pl_stream *stream);
/* The record established.failed of an attempt that came to no stream. */
void pl_stream_record_failed(struct pl_traced *traced,
			     const struct pl_outcome *outcome);

/* For the owner's lists: a pointer of the owner's. */
void pl_stream_set_data(struct pl_stream *stream, void *data);
void *pl_stream_data(const struct pl_stream *stream);

#endif
