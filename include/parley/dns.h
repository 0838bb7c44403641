/*
 * dns.h: from a domain to the places where its server can be reached.
 *
 *     pl_dns_find(domain) -> SRV _xmpps-server and _xmpp-server together
 *                         -> merged by priority and weight (RFC 2782,
 *                            XEP-0368), "." honoured
 *                         -> A and AAAA of each target (and TLSA, where all
 *                            before it was DNSSEC-secure)
 *                         -> one list, in the order of trying
 *
 * Resolution and validation are libunbound's, on the caller's event loop;
 * answers are read with ldns. A temporary failure (SERVFAIL, bogus, silence)
 * is never read as "no SRV" (standards DNS-16).
 */
#ifndef PARLEY_DNS_H
#define PARLEY_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "parley/base.h"
#include "parley/reason.h"
#include "parley/tls.h" /* struct pl_tls_dane */

struct event_base; /* libevent's */
struct pl_resolver;

struct pl_dns_settings {
	const char *resolv_conf;       /* NULL or "": /etc/resolv.conf; a
	                                * "@port" may follow an address */
	const char *hosts;             /* hosts file; NULL or "": none */
	const char *trust_anchor_file; /* NULL or "": /usr/share/dns/root.key
	                                * where readable, else no validation;
	                                * /dev/null: no validation */
	bool dane;
	bool allow_loopback;           /* else loopback, link-local, multicast
	                                * and unspecified addresses are dropped
	                                * (SSRF; standards DNS-23) */
};

/* NULL with a sentence: unreadable files, the library's refusal. */
struct pl_resolver *pl_resolver_new(struct event_base *base,
				    const struct pl_dns_settings *settings,
				    struct pl_error *error);
void pl_resolver_free(struct pl_resolver *resolver); /* cancels queries
                                                      * without calling back */

enum {
	PL_DNS_TARGETS = 16,  /* most targets kept of an answer */
	PL_DNS_ADDRESSES = 8, /* most addresses kept per target */
	PL_DNS_TLSA = 8,
};

struct pl_dns_address {
	struct sockaddr_storage addr; /* with the port */
	socklen_t length;
};

/* A place to connect to. */
struct pl_dns_target {
	char host[256];      /* SRV target or the domain, A-labels */
	unsigned short port;
	bool direct_tls;     /* from _xmpps-server: TLS at once */
	bool srv;            /* false: fallback to the domain's addresses */
	unsigned short priority, weight;
	bool secure;         /* SRV and addresses are DNSSEC-secure */
	size_t addresses_count;
	struct pl_dns_address addresses[PL_DNS_ADDRESSES]; /* AAAA first */
	size_t tlsa_count;
	struct pl_tls_dane tlsa[PL_DNS_TLSA]; /* data owned by the answer */
};

struct pl_dns_answer {
	enum pl_code code;   /* PL_CODE_NONE, or a dns-... code */
	char text[256];      /* in words: which name, what came back */
	bool secure;         /* the whole chain of look-ups was secure */
	size_t count;        /* targets, in the order of trying; targets without
	                      * an address are left out (all: dns-no-address) */
	struct pl_dns_target *targets;
};

enum pl_dns_want { PL_DNS_STARTTLS = 1, PL_DNS_DIRECT_TLS = 2 };

struct pl_dns_query;

/* answer is the callee's to read until it returns; it may start other queries
 * or free the resolver's other queries from inside. */
typedef void (*pl_dns_done)(void *owner, const struct pl_dns_answer *answer);

/*
 * Looks a domain up (normal form). Always answers later, never inside the
 * call, even when everything is cached. `want` says which kinds of targets the
 * caller can use (a row without TLS wants no direct TLS). The caller owns the
 * time limit: pl_dns_cancel() when it has waited enough.
 */
struct pl_dns_query *pl_dns_find(struct pl_resolver *resolver,
				 const char *domain, unsigned want,
				 pl_dns_done done, void *owner);
/* Ends a query without calling back; not after it was answered. */
void pl_dns_cancel(struct pl_dns_query *query);
/* For an owner who has waited enough: whose silence is it? dns-server-failure
 * when our resolver itself was seen to answer (it is asked after 2 s), else
 * dns-resolver-unreachable. The query goes on until it is cancelled. */
enum pl_code pl_dns_overdue(const struct pl_dns_query *query);

/* For a `connect` setting: host (name or IP literal) and port, no SRV, exempt
 * from the refusal of loopback and such. */
struct pl_dns_query *pl_dns_find_host(struct pl_resolver *resolver,
				      const char *host, unsigned short port,
				      bool direct_tls, pl_dns_done done,
				      void *owner);

/* ----- what was asked, for who explains an answer ----- */

enum pl_dns_state {
	PL_DNS_FOUND,
	PL_DNS_NO_RECORDS,
	PL_DNS_NO_NAME,  /* NXDOMAIN */
	PL_DNS_DOT,      /* SRV: "." alone, there is no service */
	PL_DNS_UNUSABLE, /* SRV: records that name no possible host and port */
	PL_DNS_BOGUS,
	PL_DNS_FAILED,
	PL_DNS_PENDING,
};

/* One question of a query, and what came back. Valid until the query ends. */
struct pl_dns_question {
	const char *name, *type; /* "SRV", "AAAA", "A", "TLSA" */
	enum pl_dns_state state;
	bool secure;             /* DNSSEC-secure, whatever the state */
	const char *why;         /* BOGUS, FAILED: in words, printable */
	size_t count;            /* of its records: */
	const void *records;
};

typedef void (*pl_dns_asked)(void *owner,
			     const struct pl_dns_question *question);
/* Every question so far, SRV first, then for each target addresses and TLSA;
 * a target that is named twice, twice. While the query is under way, and inside
 * its pl_dns_done. */
void pl_dns_questions(const struct pl_dns_query *query, pl_dns_asked asked,
		      void *owner);
enum { PL_DNS_RECORD_SIZE = 300 };
/* The n-th record as zone files have it, "10 0 5269 host.example"; long TLSA
 * data is cut. */
void pl_dns_record(const struct pl_dns_question *question, size_t n,
		   char out[PL_DNS_RECORD_SIZE]);
/* False for an address that only allow_loopback would let pass. */
bool pl_dns_record_allowed(const struct pl_dns_question *question, size_t n);

/* Orders targets by priority and weight (RFC 2782); draw(owner, total) gives a
 * uniform number in 0..total. Exposed for its test. */
void pl_dns_order(struct pl_dns_target *targets, size_t count,
		  unsigned (*draw)(void *owner, unsigned total), void *owner);

#endif
