/*
 * server.h: whole daemons, short of main, in the scripted world (script.h).
 *
 * A server is a loop, a router, a listener, a log that is kept, certificates
 * and rules. Scripted peers that speak TLS are here as well.
 *
 *     world_begin();                              a world of its own each test
 *     server_start(&a, "alpha.example", "192.0.2.1:5269", "valid");
 *     server_rule(&a, "beta.example", 7);
 *     ... ping(&a, "beta.example", 6000) ...
 *     outcomes(&a, false, "alpha.example", "beta.example", &seen);
 *     world_end();                                with all servers of the test
 */
#ifndef TESTS_ROUTER_SERVER_H
#define TESTS_ROUTER_SERVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "parley/router.h"
#include "parley/sasl.h"
#include "script.h"

enum { HOSTS = 8, RULES = 72, SERVERS = 6 };

struct host {
	char name[80];
	struct pl_tls_identity *identity; /* borrowed; NULL: none */
};

struct rule {
	char remote[80]; /* "*": any other */
	struct pl_partner_view view;
};

struct server {
	struct pl_loop *loop;
	struct pl_listener *listener, *direct;
	struct pl_resolver *resolver;
	struct pl_log *log;
	struct pl_dialback dialback;
	struct pl_world world;
	struct pl_router *router;
	struct host hosts[HOSTS];
	struct rule rules[RULES];
	size_t hosts_count, rules_count;
	char endpoint[64], log_path[64];
	char *text; /* what the log has */
};

extern struct script *script; /* the world of the test under way */

/* cmocka's group set-up and tear-down: certificates, libraries. */
int suite_begin(void **state);
int suite_end(void **state);
/* "alpha.example.valid"; cached for the whole suite. */
struct pl_tls_identity *identity(const char *name);
struct pl_tls_trust *trust(void);

/* cmocka's set-up and tear-down of each test. */
int world_begin(void **state);
int world_end(void **state);

/* Serves a domain under its SRV record; variant NULL: without certificate. */
void server_start(struct server *server, const char *domain,
		  const char *endpoint, const char *variant);
void server_host(struct server *server, const char *domain,
		 const char *variant);
void server_stop(struct server *server); /* world_end() does it, too */
/* The rule for a partner ("*": all others), good until the next is added. */
struct pl_partner_view *server_rule(struct server *server, const char *remote,
				    int row);

/* ----- what became of it ----- */

struct seen {
	unsigned count;                /* of outcome lines */
	char method[32], code[48], cert[48], tls[16], stage[16], row[8];
	bool by_certificate;
	char line[2048];               /* the last one */
};

/* Outcome lines of a pair and direction. Returns how many. */
unsigned outcomes(struct server *server, bool incoming, const char *local,
		  const char *remote, struct seen *seen);
/* All outcome lines of a server. */
unsigned outcomes_of(struct server *server);
/* How many lines hold all these texts (ended by NULL)? */
unsigned logged(struct server *server, ...) __attribute__((sentinel));
void show_log(struct server *server);

/* Pings, and lets time pass until the answer. Returns whether it came. */
struct ping {
	bool done, answered;
	enum pl_code code;
	uint64_t ms;
};
bool ping(struct server *server, const char *local, const char *remote,
	  uint64_t timeout_ms, struct ping *result);
void ping_start(struct server *server, const char *local, const char *remote,
		uint64_t timeout_ms, struct ping *result);

/* ----- scripted peers that speak XMPP ----- */

/* A peer over TLS, or in clear until peer_tls(). */
struct peer {
	struct script_peer *raw;
	struct pl_tls *tls;
	struct pl_buffer got;
	bool over;
};

/* Connects to a server from an address. */
void peer_connect(struct peer *peer, const char *from, struct server *to);
void peer_connect_to(struct peer *peer, const char *from,
		     const char *endpoint);
/* Takes the next connection of a listener of the test's. */
void peer_accept(struct peer *peer, struct script_server *at);
void peer_free(struct peer *peer);
void peer_say(struct peer *peer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Waits for a text and takes all up to its end. */
bool peer_expect(struct peer *peer, const char *text);
bool peer_expect_within(struct peer *peer, const char *text, uint64_t ms);
bool peer_expect_not(struct peer *peer, const char *text, uint64_t ms);
bool peer_expect_end(struct peer *peer);
/* The value behind what was expected last: up to the quote or '<'. */
void peer_value(struct peer *peer, char *out, size_t size);
/* Handshakes at once, as the side that dials or that was dialled. */
void peer_tls(struct peer *peer, bool initiating, const char *certificate,
	      const char *domain);
void peer_header(struct peer *peer, const char *from, const char *to);
/* Answers a header: with id and features. */
void peer_answer(struct peer *peer, const char *from, const char *to,
		 const char *id, const char *features);

#define STREAM "<stream:stream xmlns='jabber:server' " \
	"xmlns:db='jabber:server:dialback' " \
	"xmlns:stream='http://etherx.jabber.org/streams'"
#define STARTTLS "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'"
#define PROCEED "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
#define DIALBACK "<dialback xmlns='urn:xmpp:features:dialback'><errors/>" \
	"</dialback>"
#define MECHANISMS "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" \
	"<mechanism>EXTERNAL</mechanism></mechanisms>"
#define SASL "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"

#endif
