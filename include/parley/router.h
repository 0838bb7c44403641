/*
 * router.h: which stream carries a domain pair.
 *
 *     accepted connection -> stream (receiving) -> stanza -> answer of the host
 *     something to send   -> route (local, remote) -> outgoing attempt
 *                            DNS -> dial -> stream (initiating) -> pair open
 *     db:result to verify -> authority of the sender domain -> db:verify
 *
 * The router owns every stream of its loop. A route is an ordered domain pair
 * with what waits for it; it makes one attempt at a time, goes on to the next
 * target or another way as the core says, and keeps what became of the last
 * attempt in each direction. Keys are verified over connections made for
 * nothing else, one for each domain at a time, never to IP literals and never
 * to ourselves (XEP-0220 2.1.2).
 *
 * Stanzas go to whoever serves their target: a local service by way of struct
 * pl_local (component.h), else the host itself, or out over a route. What can
 * not be delivered comes back to its sender as an error (RFC 6120 10.4). What an
 * unverified partner's users begin is refused (struct pl_gatekeeper).
 *
 * The hosts answer ping (XEP-0199), disco#info and #items (XEP-0030) and
 * version (XEP-0092) themselves, and service-unavailable to all else.
 */
#ifndef PARLEY_ROUTER_H
#define PARLEY_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parley/stream.h"

struct pl_router;

/* The world is borrowed and outlives it. */
struct pl_router *pl_router_new(struct pl_world *world);
/* When no stream is left; not inside a callback of its own. */
void pl_router_free(struct pl_router *router);

/* Takes an accepted connection; it is dropped without a word where a limit on
 * connections says so. When the total is reached, the oldest connection that
 * has not authenticated makes room, from the address that has most of them. */
void pl_router_accept(struct pl_router *router, struct pl_conn *conn,
		      bool direct_tls);

/* What became of an attempt, kept after its stream; texts are owned. */
struct pl_record {
	struct pl_outcome outcome;
	struct timeval when;
	char *why, *fix;      /* failed; else NULL */
};

struct pl_ping_result {
	bool answered;
	uint64_t ms;                   /* till the answer, or till it failed */
	enum pl_code code;             /* what failed; none where answered */
	const struct pl_record *out;   /* from local to remote; NULL: none yet */
	const struct pl_record *in;    /* from remote to local; NULL: none yet */
};
typedef void (*pl_pinged)(void *owner, const struct pl_ping_result *result);

/* Pings the remote domain from a host of ours (normal forms). Answers once,
 * later, at the latest after timeout_ms. Returns a handle for cancelling, NULL
 * where too many are under way. */
struct pl_ping *pl_router_ping(struct pl_router *router, const char *local,
			       const char *remote, uint64_t timeout_ms,
			       pl_pinged pinged, void *owner);
void pl_router_ping_cancel(struct pl_ping *ping);

struct pl_negotiation_result {
	bool timed_out;                /* it was given up at its limit */
	uint64_t ms;                   /* till it ended */
	enum pl_code code;             /* what failed; none: the pair is open */
	const struct pl_record *record; /* its last outcome; NULL: it could not
	                                * begin */
};
typedef void (*pl_negotiated)(void *owner,
			      const struct pl_negotiation_result *result);

/*
 * Negotiates the pair (normal forms; local is a host of ours) without sending
 * anything over it: over all targets and retries that the core allows. Answers
 * once, later, with the last outcome. What is under way after timeout_ms is
 * given up where it stands, and has its outcome as well (a timeout of that
 * stage). An open pair stays open: its stream is the caller's to close. Returns
 * a handle for cancelling, NULL where too many are under way.
 */
struct pl_negotiation *pl_router_negotiate(struct pl_router *router,
					   const char *local,
					   const char *remote,
					   uint64_t timeout_ms,
					   pl_negotiated negotiated,
					   void *owner);
/* Has it end within so many ms from now, where it would take longer. */
void pl_router_negotiate_within(struct pl_negotiation *negotiation,
				uint64_t limit_ms);
/* Ends without calling back; the attempt itself goes on. */
void pl_router_negotiate_cancel(struct pl_negotiation *negotiation);

/* Shows every live stream, oldest first. */
void pl_router_each(struct pl_router *router,
		    void (*show)(void *owner, const struct pl_stream_info *),
		    void *owner);
/* How many they are, with those that are over and whose last stanzas may not be
 * with their peers yet. */
size_t pl_router_streams(const struct pl_router *router);

/* ----- stanzas of local services ----- */

/* A stanza on its way; what its pointers show is borrowed. */
struct pl_stanza {
	const struct pl_xml_node *node;
	const char *name;            /* "message", "presence", "iq" */
	const char *type, *id;       /* NULL: absent */
	const void *bytes;           /* written by pl_xml_write_stanza() */
	size_t length;
	char from[PL_JID_SIZE], to[PL_JID_SIZE]; /* domains in normal form */
	char from_domain[PL_DOMAIN_SIZE], to_domain[PL_DOMAIN_SIZE];
};

enum pl_stanza_fault {
	PL_STANZA_GOOD,
	PL_STANZA_BAD_FROM,   /* or none */
	PL_STANZA_NO_TO,
	PL_STANZA_BAD_TO,
	PL_STANZA_NO_MEMORY,  /* bytes is at its limit */
};

/* Reads a message, presence or iq; its addresses are checked and brought into
 * normal form, and it is written into bytes (emptied before). Where `to` is at
 * fault, the stanza can still be refused: then `to` names its domain, or that
 * of from. */
enum pl_stanza_fault pl_stanza_read(struct pl_stanza *stanza,
				    const struct pl_xml_node *node,
				    struct pl_buffer *bytes);

enum pl_delivery {
	PL_DELIVERY_TAKEN,
	PL_DELIVERY_NONE, /* a host without service: it answers itself */
	PL_DELIVERY_AWAY, /* the domain's service is not there:
	                   * service-unavailable, of type wait */
	PL_DELIVERY_FULL, /* it does not read: resource-constraint */
};

struct pl_sender;
struct pl_brake;

/* Who serves local domains. */
struct pl_local {
	/* A stanza for a local domain (normal form): bytes as written by
	 * pl_xml_write_stanza(). Whoever sent it can be held; NULL: nobody. */
	enum pl_delivery (*deliver)(void *owner, const char *domain,
				    const void *bytes, size_t length,
				    struct pl_sender *sender);
	/* deliver() has just taken this one, which its sender may have back if
	 * it gets no further (struct pl_unsent). NULL: of no interest. */
	void (*taken)(void *owner, const struct pl_stanza *stanza);
	/* Shows the services that belong to a host, for disco#items; false as
	 * soon as show() says so. NULL: there are none. */
	bool (*items)(void *owner, const char *host,
		      bool (*show)(void *show_owner, const char *domain),
		      void *show_owner);
};
/* Stanzas on a connection of a service that the kernel has not taken yet. */
struct pl_unsent;
struct pl_unsent *pl_unsent_new(struct pl_router *router);
/* end: bytes written to the connection by then, as of pl_conn_written(). */
void pl_unsent_add(struct pl_unsent *unsent, const struct pl_stanza *stanza,
		   uint64_t end);
/* So many bytes are with the kernel, as of pl_conn_sent(). */
void pl_unsent_gone(struct pl_unsent *unsent, uint64_t sent);
/* The connection broke: what is left goes back to its senders, in the next
 * turn, as service-unavailable of type wait; how many. */
unsigned pl_unsent_return(struct pl_unsent *unsent);
void pl_unsent_free(struct pl_unsent *unsent); /* NULL is fine */

/* `local` is borrowed; NULL: nobody. */
void pl_router_set_local(struct pl_router *router,
			 const struct pl_local *local, void *owner);

/* Who serves domains of ours beyond another router (gateway.h). Asked before
 * struct pl_local. */
struct pl_beyond {
	bool (*serves)(void *owner, const char *domain);
	/* Takes the stanza; sends it back itself where it must. */
	void (*take)(void *owner, const struct pl_stanza *stanza,
		     struct pl_sender *sender);
	/* The same for what never comes back: an error, or an answer. */
	void (*post)(void *owner, const char *from, const char *to,
		     const struct pl_buffer *stanza);
};
void pl_router_set_beyond(struct pl_router *router,
			  const struct pl_beyond *beyond, void *owner);
/* Sends what never comes back from one of our domains (both in normal form);
 * the bytes as written by pl_xml_write_stanza(). */
void pl_router_post(struct pl_router *router, const char *from, const char *to,
		    const struct pl_buffer *stanza);

/* Who remembers to whom users of ours have spoken: asked about partners that are
 * unverified, whose users may not begin. Both are bare addresses as made by
 * pl_addr_bare(); local is ours. */
struct pl_gatekeeper {
	/* Has local spoken to remote before? */
	bool (*may_begin)(void *owner, const char *local, const char *remote);
	/* It does now. */
	void (*remember)(void *owner, const char *local, const char *remote);
};
/* NULL: nobody, and whoever is authenticated may begin. */
void pl_router_set_gatekeeper(struct pl_router *router,
			      const struct pl_gatekeeper *gatekeeper,
			      void *owner);

/*
 * Back-pressure. A sender is whatever is read here and sends stanzas: when
 * pl_sender_full() is true its owner stops reading, until room() says that it
 * may go on. That is so while too much of what it sent waits for negotiations,
 * and while a brake holds it.
 */
struct pl_sender *pl_sender_new(struct pl_router *router,
				void (*room)(void *owner), void *owner);
bool pl_sender_full(const struct pl_sender *sender);
size_t pl_sender_waiting(const struct pl_sender *sender); /* bytes */
/* Its owner is gone; what waits goes on waiting. NULL is fine. */
void pl_sender_free(struct pl_sender *sender);

/* A receiver's brake, on while half of its room is taken: whoever sends to it
 * is held until it has drained (release), for a second at most; then it has to
 * drain before it can hold again. */
struct pl_brake *pl_brake_new(struct pl_loop *loop);
void pl_brake_hold(struct pl_brake *brake, struct pl_sender *sender);
void pl_brake_release(struct pl_brake *brake); /* NULL is fine */
void pl_brake_free(struct pl_brake *brake);    /* releases; NULL is fine */

/*
 * Sends a stanza of a local service; nothing happens unless from_domain is
 * ours: parley is no relay. The route is made when needed; what waits for it
 * is bounded and keeps its order. What cannot be sent comes back by way of
 * deliver(), now or later, as the error that tells why:
 *     remote-server-not-found  no such domain
 *     remote-server-timeout    it could not be reached or agreed with
 *     internal-server-error    it says that our dialback key is invalid
 *     resource-constraint      too much waits, or the peer does not read
 * Errors and results never come back.
 */
void pl_router_send(struct pl_router *router, const struct pl_stanza *stanza,
		    struct pl_sender *sender);
/* Sends a stanza back to its sender with an error. */
void pl_router_refuse(struct pl_router *router, const struct pl_stanza *stanza,
		      enum pl_stanza_condition condition);

/* Tries again at once to reach a remote domain from every domain of ours that
 * wanted to, whatever pause is in force; how many attempts began. */
unsigned pl_router_retry(struct pl_router *router, const char *remote);

/* The same for one pair that nobody may have asked for yet; 0 where it is open
 * or under way. */
unsigned pl_router_begin(struct pl_router *router, const char *local,
			 const char *remote);

/* Closes every open stream with this domain (NULL: all), orderly; how many. */
unsigned pl_router_close(struct pl_router *router, const char *remote);

/* A pair that is not open: what waits for it, and when it is tried again. */
struct pl_queue_info {
	const char *local, *remote;
	size_t stanzas, bytes;
	bool negotiating;
	enum pl_code failed;     /* the last attempt; none */
	uint64_t retry_in_ms;    /* pause that is left; 0: none */
};
void pl_router_queues(struct pl_router *router,
		      void (*show)(void *owner, const struct pl_queue_info *),
		      void *owner);

/* The configuration was replaced. Streams with a pair that is no longer legal
 * are closed, the others stay. */
void pl_router_terms_changed(struct pl_router *router);

/* world->resolver is another one: look-ups under way begin anew with it. The
 * old one must live until this returns. */
void pl_router_resolver_changed(struct pl_router *router);

/* Tells every peer system-shutdown and closes; calls back when no stream is
 * left (at once, but later, where there is none). */
void pl_router_shutdown(struct pl_router *router, void (*done)(void *owner),
			void *owner);
/* Closes every stream in order, as one that carries nothing. */
void pl_router_close_all(struct pl_router *router);
/* Drops every stream without a word; they are gone at the turn's end. */
void pl_router_drop_all(struct pl_router *router);

#endif
