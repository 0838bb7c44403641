/*
 * script.h: a world for tests: net.h and dns.h without sockets or sleeping.
 *
 * The library `support` has the same functions as the rooms net and dns, with a
 * clock of its own, so that whole daemons, short of main, negotiate with one
 * another or with scripted peers inside one process, in virtual time and always
 * the same way.
 *
 *     struct script *world = script_new(1);       before any pl_loop_new()
 *     loop = pl_loop_new(&error);                  as many as there are daemons
 *     script_dns_target(world, "b.example", "192.0.2.2:5269", false);
 *     server = script_listen(world, "192.0.2.2:5269");
 *     ... what is tested dials b.example ...
 *     peer = script_accept(server, 1000);          lets time pass until then
 *     assert_true(script_expect(peer, "<stream:stream", 1000));
 *     script_say(peer, "<?xml ...");
 *     script_free(world);                          after all loops
 *
 * A listener made with pl_listener_new() is reached by pl_dial_start() and by
 * script_connect() alike. Nothing happens but inside the functions that let time
 * pass: script_run(), script_accept(), script_connect(), the script_expect
 * functions and pl_loop_run(). Do not call these from callbacks.
 *
 * With SCRIPT_TRACE in the environment every delivery is shown on stderr.
 *
 * It departs from real sockets in this: each event is a turn of its own, the
 * turn's end serves all loops, and names and ports need no permission.
 */
#ifndef TESTS_SUPPORT_SCRIPT_H
#define TESTS_SUPPORT_SCRIPT_H

#include "parley/dns.h"
#include "parley/net.h"

struct script;

/* ----- the world ----- */

/* Loops and resolvers that are made from now on belong to it. The seed decides
 * all that pl_loop_random() gives. */
struct script *script_new(uint64_t seed);
void script_free(struct script *script);

uint64_t script_now(const struct script *script); /* ms since script_new() */
/* How often a loop had something to do: timers, bytes, connections. */
uint64_t script_happened(const struct script *script);
/* What the wall clock shows now; at first it is the real time. */
void script_set_time(struct script *script, time_t now);
/* Lets time pass. Ends early when nothing is left that could happen. */
void script_run(struct script *script, uint64_t ms);
/* ... until something holds; false when it did not within limit_ms. */
bool script_run_until(struct script *script, bool (*holds)(void *owner),
		      void *owner, uint64_t limit_ms);
/* Calls back once at a later time: the test's own timer. */
void script_after(struct script *script, uint64_t ms,
		  void (*call)(void *owner), void *owner);
/* Raises a signal in all loops that watch it. */
void script_signal(struct script *script, int number);
/* Connections (ends of them) alive in all loops and peers. */
size_t script_connections(const struct script *script);

/* Where a loop's connections come from; by default each loop has addresses of
 * its own: 198.51.100.N and 2001:db8:ffff::N. v6 may be NULL. */
void script_source(struct pl_loop *loop, const char *v4, const char *v6);

/* ----- links ----- */

enum script_reach {
	SCRIPT_OPEN,        /* refused where nobody listens */
	SCRIPT_REFUSED,
	SCRIPT_SILENT,      /* no answer at all */
	SCRIPT_UNREACHABLE, /* "network is unreachable", at once */
};

struct script_link {
	enum script_reach reach;
	uint64_t latency_ms; /* one way */
	size_t chunk;        /* bytes of one delivery, at most; 0: 16 KiB */
	size_t window;       /* bytes on their way or unread; 0: 64 KiB */
	size_t reset_after;  /* both ends see a reset once so many bytes have
	                      * crossed, both directions together; 0: never */
	size_t silent_after; /* then nothing arrives any more; 0: never */
};

/* How connections to an endpoint ("192.0.2.1:5269", "[2001:db8::1]:5269",
 * "unix:/path"; NULL: all that have no link of their own) behave from now on.
 * Existing connections keep theirs. */
void script_link(struct script *script, const char *endpoint,
		 const struct script_link *link);

/* ----- scripted peers ----- */

struct script_server;
struct script_peer;

/* Accepts whatever comes; for the life of the world. NULL: address in use. */
struct script_server *script_listen(struct script *script,
				    const char *endpoint);
void script_unlisten(struct script_server *server); /* from now on refused */
/* The next connection; NULL when none comes within limit_ms. */
struct script_peer *script_accept(struct script_server *server,
				  uint64_t limit_ms);
/* Connects; `from` is an address without port. NULL when it does not work. */
struct script_peer *script_connect(struct script *script, const char *from,
				   const char *endpoint, uint64_t limit_ms);

void script_send(struct script_peer *peer, const void *bytes, size_t length);
void script_say(struct script_peer *peer, const char *text);
/* Waits until the text is in what was received, and takes everything up to its
 * end. False (with what was received on stderr) when it does not come. */
bool script_expect(struct script_peer *peer, const char *text,
		   uint64_t limit_ms);
/* The peer must not get this text within ms; what comes is kept. */
bool script_expect_not(struct script_peer *peer, const char *text, uint64_t ms);
/* Waits for the other side's end: EOF or reset. */
bool script_expect_end(struct script_peer *peer, uint64_t limit_ms);
/* What was received and not taken; ends in a NUL that is not counted. */
const char *script_received(struct script_peer *peer, size_t *length);
void script_take(struct script_peer *peer, size_t length);

/* Instead of collecting: calls back in the loop with what comes (NULL, 0: the
 * end). Answer with script_send(). What was collected comes first, at once. */
typedef void (*script_reaction)(void *owner, struct script_peer *peer,
				const void *bytes, size_t length);
void script_react(struct script_peer *peer, script_reaction call, void *owner);

void script_stop_reading(struct script_peer *peer);
void script_go_on_reading(struct script_peer *peer);
void script_end(struct script_peer *peer);   /* half-closes, still reads */
void script_close(struct script_peer *peer); /* as pl_conn_abort() */
void script_reset(struct script_peer *peer);
bool script_has_ended(const struct script_peer *peer); /* the other side */
const char *script_address(const struct script_peer *peer); /* the other's */

/* ----- names ----- */

enum { SCRIPT_NEVER = -1 };

/* Adds a target at an endpoint to a domain's answer (in this order of trying)
 * and returns it, to set priority, secure, tlsa and so on; good until the next
 * is added. TLSA data stays the test's. A domain without entry is answered
 * dns-no-such-domain. Hosts for pl_dns_find_host() are entered in the same way,
 * their port is replaced. */
struct pl_dns_target *script_dns_target(struct script *script,
					const char *domain,
					const char *endpoint, bool direct_tls);
/* A further address for the last target of a domain. */
void script_dns_address(struct script *script, const char *domain,
			const char *endpoint);
/* Answers with a code; PL_CODE_NONE: with the targets again. */
void script_dns_fail(struct script *script, const char *domain,
		     enum pl_code code);
/* Answers after so many ms (1 by default), or SCRIPT_NEVER; pl_dns_overdue()
 * then gives the code of script_dns_fail(), or dns-resolver-unreachable. */
void script_dns_delay(struct script *script, const char *domain,
		      long delay_ms);
void script_dns_secure(struct script *script, const char *domain, bool secure);
void script_dns_forget(struct script *script, const char *domain);
/* How often it was asked for. */
size_t script_dns_asked(const struct script *script, const char *domain);

#endif
