/*
 * internal.h: what the files of src/dns share.
 *
 *     resolver.c  one libunbound context on the owner's event base
 *     query.c     the steps of one query: SRV, addresses, TLSA, answer
 *     lookup.c    one question to libunbound
 *     records.c   a packet, read with ldns, to bounded records
 *     order.c     RFC 2782's order
 *     filter.c    addresses that a stranger may not send us to
 *     probe.c     does the resolver itself answer?
 *     question.c  what was asked, for who explains an answer
 */
#ifndef PARLEY_DNS_INTERNAL_H
#define PARLEY_DNS_INTERNAL_H

#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <unbound.h>

#include "parley/dns.h"

enum {
	TYPE_A = 1,
	TYPE_AAAA = 28,
	TYPE_SRV = 33,
	TYPE_TLSA = 52,
	MOST_SRV = 64,         /* records kept of one SRV answer */
	MOST_TLSA_BYTES = 8192,
	MOST_NAMESERVERS = 8,
	NAME_SIZE = 256,
	XMPP_SERVER_PORT = 5269,
};

/* ----- records ----- */

enum status {
	FAILED,  /* SERVFAIL, refusal, a packet that makes no sense */
	BOGUS,   /* DNSSEC says that it was forged, or badly signed */
	NO_NAME, /* NXDOMAIN */
	NO_RECORDS, /* the name may exist, these records do not */
	FOUND,
};

struct srv {
	char host[NAME_SIZE]; /* lower case, no trailing dot */
	unsigned short port, priority, weight;
};

struct address {
	int family;
	union {
		struct in_addr v4;
		struct in6_addr v6;
	} in;
};

struct tlsa {
	uint8_t usage, selector, matching;
	unsigned char *data; /* owned */
	size_t length;
};

struct records {
	enum status status;
	bool refused;  /* SRV: the only target is "." */
	bool unusable; /* SRV: records there were, none that can be used */
	size_t count;
	union {        /* owned, by type; NULL when count is 0 */
		struct srv *srv;
		struct address *addresses;
		struct tlsa *tlsa;
		void *any;
	} list;
	int type;
};

/* Reads the records of a type out of a packet that libunbound made. Never
 * fails: what cannot be read is FAILED. */
void records_read(struct records *records, int type, const void *packet,
		  size_t length);
void records_finish(struct records *records);

/* ----- lookups ----- */

struct lookup {
	struct pl_dns_query *query; /* in it */
	char name[NAME_SIZE];
	int id;            /* libunbound's, while pending */
	bool pending;
	bool secure;       /* DNSSEC-secure, whatever the status */
	struct records records;
	char why[200];     /* BOGUS and FAILED: in words, printable */
};

void lookup_start(struct lookup *lookup, struct pl_dns_query *query,
		  const char *name, int type);
void lookup_cancel(struct lookup *lookup); /* nothing when not pending */
/* Has it an answer with (or for certain without) records? */
bool lookup_is_certain(const struct lookup *lookup);

/* ----- the resolver and its queries ----- */

struct nameserver {
	struct sockaddr_storage addr;
	socklen_t length;
};

enum liveness { NOT_KNOWN, ALIVE, DEAD };

/* One round of asking each name server for the root's; shared by all queries
 * that want to know. */
struct probe {
	struct pl_resolver *resolver; /* in it */
	struct event retry;
	struct probed {
		struct probe *probe;
		struct event answer;
		int fd; /* owned; -1: refused, or not open */
	} servers[MOST_NAMESERVERS];
	bool running;
	int sent;
	uint8_t packet[17];
};

struct pl_resolver {
	struct event_base *base; /* borrowed */
	struct ub_ctx *ub;       /* owned */
	LIST_HEAD(, pl_dns_query) queries;
	size_t nameservers_count;
	struct nameserver nameservers[MOST_NAMESERVERS];
	struct probe probe;
	bool dane, allow_loopback;
};

void probe_init(struct probe *probe, struct pl_resolver *resolver);
void probe_start(struct probe *probe); /* nothing when running */
void probe_stop(struct probe *probe);

/* A lookup has its answer: the query goes on in the loop. */
void query_wake(struct pl_dns_query *query);
/* All look-ups that were begun, in the order of pl_dns_questions(). */
void query_each(const struct pl_dns_query *query,
		void (*each)(void *owner, const struct lookup *lookup),
		void *owner);
struct pl_resolver *query_resolver(struct pl_dns_query *query);
struct pl_dns_query *query_next(struct pl_dns_query *query);
/* The probe came to an end: whoever waits for it goes on. */
void query_probed(struct pl_dns_query *query, enum liveness liveness);

/* ----- addresses ----- */

/* Loopback, link-local, multicast, unspecified, also inside IPv6 forms that
 * carry IPv4 addresses (standards DNS-23). */
bool address_is_forbidden(const struct address *address);
void address_put(const struct address *address, unsigned short port,
		 struct pl_dns_address *out);
/* An IP literal, with or without brackets. */
bool address_parse(const char *text, struct address *out);

/* A uniform number in 0..total from the system's random source. */
unsigned draw_random(void *owner, unsigned total);

#endif
