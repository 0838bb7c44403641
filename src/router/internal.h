/*
 * internal.h: what the files of the router room share.
 *
 * router.c    streams and limits, what the owner calls
 * outgoing.c  one attempt to reach a domain: look-up, targets, retries
 * route.c     ordered pairs: their table (route.h: what its files share)
 * send.c      what waits for a pair, and what goes out on it
 * attempt.c   attempts to reach a domain for a pair, and the pauses
 * broken.c    pairs whose stream broke
 * stanza.c    stanzas: read, delivered, sent back
 * gate.c      who may begin, where a partner is unverified
 * unsent.c    what was written to a service and is not with the kernel
 * waiting.c   stanzas that wait, and those that go back
 * sender.c    back-pressure: who sends, and what holds it up
 * verify.c    keys of incoming db:result, verified with their authority
 * host.c      what our hosts answer
 * ping.c      pings of ours
 * negotiate.c negotiations for their own sake
 * record.c    outcomes that are kept
 * traced.c    the records of look-ups and connecting, and whose they are
 * session.c   what is sent and not acknowledged; streams to be resumed
 * sent.c      what is sent and not with the peer yet, on other streams
 */
#ifndef PARLEY_ROUTER_INTERNAL_H
#define PARLEY_ROUTER_INTERNAL_H

#include <sys/queue.h>

#include "parley/router.h"

enum {
	ROUTES = 32768,          /* most routes kept */
	RECORDS = 512,           /* most outcomes kept */
	PINGS = 64,              /* under way at a time */
	NEGOTIATIONS = 64,       /* likewise */
	AUTHORITY_ASKS = 64,     /* keys waiting for one authority */
	VERIFIES_PER_SOURCE = 16,/* authorities asked for one address */
	CONNECTIONS_PER_ATTEMPT = 16,
	ATTEMPT_PAUSE_MS = 1000, /* between attempts of one route, at first */
	PAUSE_NETWORK_MS = 4000, /* at most, after what may pass any moment */
	PAUSE_POLICY_MS = 60000, /* at most, after what somebody must mend */
	SWEEP_MS = 1000,
	TRIM_MS = 2000,
	PROBE_MS = 30000,        /* for the answer of a silent peer */
	CANDIDATES = 32,         /* for making room */
	BUCKETS = 8192,          /* of the table of routes; a power of two */
	TALLY_BUCKETS = 2048,    /* of each tally; a power of two */
	RECORD_BUCKETS = 256,    /* of the table of records; a power of two */
	SCRATCH_BYTES = 65536,   /* kept for the next stanza */
	SENDER_QUEUES = 4,       /* full pair queues that one sender may have */
	SESSIONS = 256,          /* broken streams that can be resumed */
	SESSIONS_PER_PARTNER = 8,
	BREAKS = 4,              /* in a row, with something to send */
	BRAKE_MS = 1000,         /* that one receiver may hold its senders */
};

struct route;
struct outgoing;
struct authority;
struct session;
struct sent;

/* One stream of ours. */
struct link {
	struct pl_router *router;      /* borrowed */
	struct pl_stream *stream;      /* owned; frees itself */
	struct outgoing *outgoing;     /* borrowed; NULL once it let go */
	struct authority *authority;   /* borrowed; verify only */
	struct pl_sender *sender;      /* owned; NULL: it has sent nothing */
	struct pl_brake *brake;        /* owned; NULL: never was full */
	struct pl_timer *look;         /* owned; when something may be due */
	char *counted;                 /* owned; in by_remote; NULL: not yet */
	bool stranger;                 /* counted among those */
	struct pl_ping *probe;         /* under way, or NULL */
	uint64_t probed_ms;
	struct session *session;       /* owned; NULL: nothing unacknowledged */
	bool session_over;             /* its end was seen to */
	struct sent *sent;             /* owned; NULL: nothing to keep */
	struct waiting *unplaced;      /* the first that is not written yet; of
	                                * session or sent, with all behind it */
	TAILQ_ENTRY(link) entry;       /* in pl_router.links, oldest first */
};

struct outgoing_events {
	/* The connection stands: the stream was made. */
	void (*on_stream)(void *owner, struct pl_stream *stream);
	/* No target is left, or none was found, and no stream was made of this
	 * try (those tell their own end). code says why; the stage is the
	 * code's usual one. addr: the last one tried, or NULL. */
	void (*on_failed)(void *owner, enum pl_code code, const char *words,
			  const char *addr);
	/* What the stream that is dialled now is to resume; false: nothing.
	 * May be NULL. */
	bool (*resume)(void *owner, struct pl_stream_sm *sm);
};

/* What a bounce is made of; borrowed. */
struct bounce {
	const char *name, *id, *from, *to; /* of the stanza; id may be NULL */
	enum pl_stanza_condition condition;
	bool away;                         /* of type wait */
};

/* A stanza that waits for its route. */
struct waiting {
	STAILQ_ENTRY(waiting) entry;
	struct pl_sender *sender;  /* counted there; NULL: of a host, or sent */
	struct route *route;       /* borrowed; sent and not acknowledged */
	const char *name;          /* static; NULL: never sent back */
	const char *from, *to, *id;
	enum pl_stanza_condition condition; /* once it goes back */
	bool away;                 /* of type wait, then */
	uint64_t end;              /* once sent: where it ends in what was
	                            * written; UINT64_MAX: it was not */
	uint64_t plain;            /* ... and in the stream's output */
	size_t cost;               /* of memory, all in all */
	size_t length;
	char bytes[];              /* the stanza; behind it from, to, id */
};

STAILQ_HEAD(waiting_list, waiting);
LIST_HEAD(bucket, route);
TAILQ_HEAD(link_list, link);
TAILQ_HEAD(route_list, route);
TAILQ_HEAD(authority_list, authority);
TAILQ_HEAD(ping_list, pl_ping);
TAILQ_HEAD(negotiation_list, pl_negotiation);
TAILQ_HEAD(record_list, record_entry);
TAILQ_HEAD(session_list, session);
TAILQ_HEAD(sent_list, sent);

/* How often each name occurs (limits.c). */
LIST_HEAD(tally_bucket, tallied);
struct tally {
	struct tally_bucket buckets[TALLY_BUCKETS];
};
LIST_HEAD(record_bucket, record_entry);

struct pl_router {
	struct pl_world *world;         /* borrowed */
	struct link_list links;
	struct route_list routes;
	struct bucket buckets[BUCKETS];
	uint64_t seed;                  /* of the table */
	struct waiting_list bounces;    /* go back in the next turn */
	struct pl_timer *bounce_timer;  /* owned */
	const struct pl_local *local;   /* borrowed; NULL: no services */
	void *local_owner;
	const struct pl_beyond *beyond; /* borrowed; NULL: none */
	void *beyond_owner;
	const struct pl_gatekeeper *gatekeeper; /* borrowed; NULL: none */
	void *gatekeeper_owner;
	struct pl_buffer scratch;       /* for the stanza in hand */
	struct authority_list authorities;
	struct ping_list pings;
	struct negotiation_list negotiations;
	struct record_list records;
	struct session_list sessions;   /* parked; oldest first */
	struct sent_list leaving;       /* their streams are over */
	unsigned links_count, routes_count, authorities_count, pings_count,
		negotiations_count, records_count,
		sessions_count, lost_count, leaving_count;
	struct tally by_address;        /* incoming streams */
	struct tally strangers;         /* those that have not authenticated */
	struct tally by_remote;         /* streams with a partner, and those
	                                 * that only say so, by address */
	struct record_bucket record_buckets[RECORD_BUCKETS];
	struct pl_timer *sweep;         /* owned; while `sweeping` */
	struct pl_timer *trim;          /* owned; while `trim_due` */
	uint64_t trim_ms;               /* not sooner again, after the last */
	bool sweeping, trim_due;
	uint64_t last_refused_log_ms, last_gate_log_ms;
	unsigned gate_untold;           /* refusals since that line */
	bool draining;
	bool dropped;                   /* every stream was: none is resumed */
	void (*drained)(void *owner);
	void *drained_owner;
};

/* router.c */
struct pl_stream *router_dialled(struct pl_router *router,
				 struct outgoing *outgoing,
				 struct authority *authority,
				 const struct pl_stream_initiate *how);
/* Of one or two names; b "": of a. */
uint64_t router_hash(const struct pl_router *router, const char *a,
		     const char *b);
/* While it drains: something that it waited for is over. */
void router_maybe_drained(struct pl_router *router);

/* limits.c */
/* May this connection come in? False: it is dropped. */
bool limits_admit(struct pl_router *router, struct pl_conn *conn);
void limits_begin(struct link *link);
/* It authenticated, for this partner first. */
void limits_known(struct link *link, const char *remote);
void limits_end(struct link *link);
/* Streams with this partner: ours, and those that authenticated. */
unsigned limits_with_remote(struct pl_router *router, const char *remote);
/* A link says that it is this partner: are there more than so many now? */
bool limits_exceeded(struct link *link, const char *remote, unsigned limit);

/* look.c */
void look_init(struct pl_router *router);
void look_finish(struct pl_router *router);
void look_begin(struct link *link);
void look_soon(struct link *link); /* something of it is due, or will be */
void look_stir(struct pl_router *router); /* the same of a route or session */

/* traced.c: each does nothing where nothing is recorded */
/* The beginning of an attempt, with its terms; NULL: nothing is recorded. */
struct pl_trace *traced_begin(struct pl_router *router, const char *local,
			      const char *remote,
			      const struct pl_partner_view *partner);
/* A connection of it to come, ours; parent: what it is made for, or NULL. */
struct pl_traced *traced_connection(struct pl_trace *trace, const char *local,
				    const char *remote,
				    const struct pl_traced *parent);
/* One that was accepted. */
struct pl_traced *traced_accepted(struct pl_router *router,
				  const struct pl_conn *conn, bool direct_tls);
void traced_query(struct pl_traced *traced, const char *remote,
		  const struct pl_partner_view *partner);
void traced_answer(struct pl_traced *traced,
		   const struct pl_dns_answer *answer);
void traced_no_answer(struct pl_traced *traced, enum pl_code code,
		      const char *text);
void traced_dial(struct pl_traced *traced, const struct pl_dns_target *target);
void traced_dialled(struct pl_traced *traced,
		    const struct pl_dial_result *result, uint64_t us);
/* An outcome that came to no stream; traced NULL: of an attempt that had
 * not even begun. */
void traced_unreached(struct pl_router *router, struct pl_traced *traced,
		      const struct pl_outcome *outcome);

/* outgoing.c */
/* Its connection in a trace, as long as no stream has it; borrowed. */
struct pl_traced *outgoing_traced(struct outgoing *outgoing);
/* The attempt is over: no more connections of it come. */
void outgoing_over(struct outgoing *outgoing);
struct outgoing *outgoing_start(struct pl_router *router, const char *local,
				const char *remote, struct authority *authority,
				const struct outgoing_events *events,
				void *owner);
/* Goes on another way after its stream ended. False: there is none. */
bool outgoing_next(struct outgoing *outgoing, enum pl_next next);
/* The stream that it made is gone. */
void outgoing_stream_gone(struct outgoing *outgoing);
/* Cancels what is under way; its stream goes on without it. */
void outgoing_free(struct outgoing *outgoing);
void outgoing_look_up_again(struct outgoing *outgoing);
/* Its time is over: ends what is under way where it stands, with its outcome.
 * False: nothing is. */
bool outgoing_give_up(struct outgoing *outgoing);

/* route.c, send.c, attempt.c, broken.c */
/* Sends a stanza written for jabber:server from local to remote. False: it
 * cannot wait any more, or draining. */
bool route_send(struct pl_router *router, const char *local,
		const char *remote, const struct pl_buffer *stanza,
		bool at_once);
/* Begins an attempt where none is under way and no pair is open. False: too
 * many routes, or draining. *open: the pair is. */
bool route_negotiate(struct pl_router *router, const char *local,
		     const char *remote, bool *open);
/* Gives the attempt up that is under way; it has its outcome then. */
void route_give_up(struct pl_router *router, const char *local,
		   const char *remote);
/* The same for a stanza that comes back as an error if it cannot be sent after
 * all. PL_SC_NONE: taken; else why it was not. */
enum pl_stanza_condition route_take(struct pl_router *router,
				    const struct pl_stanza *stanza,
				    struct pl_sender *sender);
void route_outcome(struct pl_router *router, struct pl_pair *pair,
		   const struct pl_outcome *outcome, enum pl_next next,
		   enum pl_stanza_condition bounce);
void route_pair_gone(struct pl_pair *pair);
/* A pair from remote to local has opened: remote is there. */
void route_peer_came(struct pl_router *router, const char *local,
		     const char *remote);
void routes_init(struct pl_router *router);
bool routes_sweep(struct pl_router *router); /* is there more to do later? */
void routes_stop(struct pl_router *router);
void routes_free(struct pl_router *router);
void routes_look_up_again(struct pl_router *router);
void verify_look_up_again(struct pl_router *router);
void routes_forgive(struct pl_router *router);

struct route *route_find(struct pl_router *router, const char *local,
			 const char *remote);
/* A stanza of its route's is sent and kept; acknowledged; or let go. */
void route_unacked(struct waiting *waiting);
void route_acked(struct waiting *waiting);
void route_let_go(struct waiting *waiting);
void route_wait_first(struct waiting *waiting);
/* It sends nothing before the session is decided. NULL is fine. */
void route_park(struct route *route, struct session *session);
void routes_unpark(struct pl_router *router, struct session *session);
void route_settled(struct pl_pair *pair);
/* The peer refuses to resume what it did. */
void route_not_resumed(struct link *link, uint32_t acked);
/* Begins anew for pairs whose stream broke. */
void routes_lost(struct pl_router *router);

/* session.c */
bool session_dials(const struct session *session, const char *local,
		   const char *remote);
void session_add(struct link *link, struct waiting *waiting);
void session_acked(struct link *link, uint32_t count);
/* Its stream ended; more than once is fine. */
void session_ends(struct link *link);
void session_resume(const struct session *session, struct pl_stream_sm *sm);
bool session_find(struct link *link, const char *id, struct pl_sm *counters);
void session_resumed(struct link *link, const char *id, uint32_t acked);
/* Parked: it is not resumed any more. */
void session_give_up(struct session *session, struct link *link,
		     uint32_t acked, const char *why);
bool sessions_sweep(struct pl_router *router); /* is one left? */
void sessions_stop(struct pl_router *router);
void sessions_free(struct pl_router *router);

/* sent.c */
/* A stanza that can come back is in the stream's output: it is kept, and
 * belongs to the record. length: what the stream was given. */
void sent_add(struct link *link, struct waiting *waiting, size_t length);
/* Of a session that ends orderly: it is kept on here. */
void sent_take(struct link *link, struct waiting *waiting);
/* One more that is sent and not written, at the end of its list. */
void sent_unplaced(struct link *link, struct waiting *waiting);
/* Output is written: they have their places. */
void sent_placed(struct link *link, const struct pl_place *place);
/* Asks the kernel what the peer has, and lets go of that. */
bool sent_look(struct link *link); /* is there more to look for? */
/* Does it keep more than so many bytes? */
bool sent_fills(struct link *link, size_t most);
/* The peer has so much, and that is all. */
void sent_cut(struct link *link, uint64_t acked);
/* False: nothing is left that could be lost. */
bool sent_leave(struct link *link, struct pl_conn *conn, uint64_t linger_ms);
void sent_free(struct sent *sent);
/* Drops the connections that nothing else is left of. */
void sents_stop(struct pl_router *router);

/* verify.c */
/* The connection of the stream whose key is to be verified; NULL: none. */
struct pl_traced *verify_parent(const struct authority *authority);
void verify_start(struct pl_router *router, struct pl_stream *stream,
		  struct pl_pair *pair, const char *id, const char *key);
bool verify_answered(struct pl_router *router, struct authority *authority,
		     const char *from, const char *to, const char *id,
		     enum pl_pair_event_kind kind);
void verify_ready(struct authority *authority, struct pl_stream *stream);
void verify_stream_ended(struct authority *authority, enum pl_code code,
			 enum pl_next next, const char *words);
void verify_forget_pair(struct pl_router *router, const struct pl_pair *pair);
void verify_forget_stream(struct pl_router *router,
			  const struct pl_stream *stream);
void verify_stop(struct pl_router *router);
void verify_free_all(struct pl_router *router);

/* stanza.c */
/* A stanza that came in on an open pair. */
void stanza_take(struct pl_router *router, const struct pl_xml_node *node,
		 struct pl_sender *sender);
/* Sends what was made here from one of our domains; never comes back. */
void stanza_post(struct pl_router *router, const char *from, const char *to,
		 const struct pl_buffer *stanza);
bool stanza_may_bounce(const struct pl_stanza *stanza);
bool stanza_to_bare_domain(const struct pl_stanza *stanza);
void bounce_send(struct pl_router *router, const struct bounce *bounce);

/* gate.c */
/* A stanza of ours goes to the world. */
void gate_out(struct pl_router *router, const struct pl_stanza *stanza);
/* A stanza comes from the world. False: it was refused, and that is all. */
bool gate_in(struct pl_router *router, const struct pl_stanza *stanza);

/* sender.c */
void sender_more(struct pl_sender *sender, size_t bytes); /* wait */
void sender_less(struct pl_sender *sender, size_t bytes);

/* waiting.c */
/* stanza NULL: bytes alone, never sent back. NULL: no memory. */
struct waiting *waiting_new(const void *bytes, size_t length,
			    const struct pl_stanza *stanza,
			    struct pl_sender *sender);
void waiting_free(struct waiting *waiting);
/* It is sent: it stays, but nobody is held up for it. */
void waiting_release(struct waiting *waiting);
/* Goes back as an error in the next turn, or nowhere. */
void waiting_bounce(struct pl_router *router, struct waiting *waiting,
		    enum pl_stanza_condition condition);
void bounces_send(void *router); /* of bounce_timer */
void bounces_free(struct pl_router *router);

/* host.c */
void host_take(struct pl_router *router, const struct pl_stanza *stanza);

/* ping.c */
/* Is this iq the answer to a ping of ours? Then it is taken. */
bool ping_take(struct pl_router *router, const char *local,
	       const char *remote, const char *id);
void ping_route_failed(struct pl_router *router, const char *local,
		       const char *remote, enum pl_code code);
void pings_free(struct pl_router *router);

/* negotiate.c */
/* The attempt of a pair is over; code none: it is open. */
void negotiation_ended(struct pl_router *router, const char *local,
		       const char *remote, enum pl_code code);
void negotiations_free(struct pl_router *router);

/* record.c */
void record_keep(struct pl_router *router, const struct pl_outcome *outcome);
const struct pl_record *record_find(struct pl_router *router,
				    bool incoming, const char *local,
				    const char *remote);
void records_free(struct pl_router *router);

#endif
