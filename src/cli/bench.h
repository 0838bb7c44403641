/*
 * bench.h: load for measuring a server, ours or another.
 *
 *     bench.c            the verb: arguments, which measurement
 *     bench_negotiate.c  negotiations, in and out
 *     bench_stanzas.c    messages over open streams, in and out
 *     bench_idle.c       memory of idle streams
 *     bench_handshake.c  what OpenSSL alone costs
 *         bench_peer.c   one stream of the generator
 *         bench_meter.c  what a process has used
 *
 * The peers here are lean on purpose: they know the way that a negotiation
 * goes well and give up on any other, they look at a certificate no more than
 * OpenSSL does, and answer every db:verify with "valid". They are for servers
 * on a bench, never for the open net.
 *
 * "in" is what the measured server receives, "out" what it sends.
 */
#ifndef PARLEY_CLI_BENCH_H
#define PARLEY_CLI_BENCH_H

#include "cli.h"

#include "parley/addr.h"
#include "parley/net.h"
#include "parley/tls.h"

/* ----- arguments ----- */

enum bench_method { BENCH_SASL, BENCH_TLS_DIALBACK, BENCH_TCP_DIALBACK };

/* What the command line says. Texts are borrowed. */
struct bench_options {
	const char *name;          /* of the measurement */
	const char *target;        /* ADDR:PORT for streams; or NULL */
	const char *remote;        /* the server's domain there */
	const char *pattern;       /* our domains, with one %d */
	const char *component;     /* ADDR:PORT for services; or NULL */
	const char *domain, *secret; /* the service's */
	const char *listen;        /* ADDR:PORT where we are reached */
	const char *certificate, *private_key, *ca_file;
	enum bench_method method;
	bool outgoing;
	unsigned first;            /* number of our first domain */
	unsigned count;            /* operations, or messages a stream */
	unsigned parallel, streams, bytes, burst;
	unsigned hold;             /* seconds of doing nothing */
	unsigned patience;         /* seconds without progress, then the end */
	int pid;                   /* of the measured process; 0: none */
	bool json, help;
};

/* The domain of that number, by the pattern. */
void bench_domain(const struct bench_options *options, unsigned number,
		  char out[PL_ASCII_DOMAIN_SIZE]);

/* Each does its measurement, prints it and returns the exit status. */
int bench_negotiate(const struct bench_options *options);
int bench_stanzas(const struct bench_options *options);
int bench_idle(const struct bench_options *options);
int bench_handshake(const struct bench_options *options);

/* ----- what a process has used (bench_meter.c) ----- */

struct bench_usage {
	double cpu_us;             /* of all its threads, user and system */
	double wall_us;
	double rss_kb;
};

/* False when there is no such process (pid 0: nothing but the time). */
bool bench_usage(int pid, struct bench_usage *out);
double bench_wall_us(void);

/* ----- the stage (bench.c) ----- */

/* What all peers of a run share. */
struct bench_stage {
	const struct bench_options *options;
	struct pl_loop *loop;
	struct pl_tls_identity *identity; /* NULL: no certificate given */
	struct pl_tls_trust *trust;
	bool raw;                  /* accepted streams carry messages */
	struct pl_listener *listener;
	struct pl_timer *watch;
	uint64_t progress, seen;   /* counts up; what the watch saw last */
	bool stuck;                /* nothing went on in time */
	struct bench_peer *peers;  /* owned; all that are alive */
	const struct bench_peer_events *accepted; /* for accepted streams */
	void *owner;
};

/* Loop, certificates, descriptors, the listener where options name one. False
 * after a complaint. */
bool bench_stage_open(struct bench_stage *stage,
		      const struct bench_options *options);
void bench_stage_close(struct bench_stage *stage);
/* Runs the loop until somebody stops it or nothing goes on any more. */
void bench_stage_run(struct bench_stage *stage);
/* Lets so much time pass, serving who comes. */
void bench_stage_pause(struct bench_stage *stage, unsigned ms);

/* ----- one stream (bench_peer.c) ----- */

struct bench_peer;

struct bench_peer_events {
	/* The stream is negotiated: stanzas may be sent. */
	void (*on_open)(void *owner, struct bench_peer *peer);
	/* What comes after that, as it comes; may be NULL. */
	void (*on_bytes)(void *owner, struct bench_peer *peer,
			 const char *bytes, size_t length);
	/* It is over and gone; why is one sentence. Not after
	 * bench_peer_close(). */
	void (*on_end)(void *owner, struct bench_peer *peer, const char *why);
};

/* Dials the target as the initiating server of a domain. */
struct bench_peer *bench_peer_dial(struct bench_stage *stage,
				   const char *domain,
				   const struct bench_peer_events *events,
				   void *owner);
/* Attaches to the server as its service. */
struct bench_peer *bench_peer_attach(struct bench_stage *stage,
				     const struct bench_peer_events *events,
				     void *owner);
/* A connection that was accepted: we receive, or answer verifications. */
void bench_peer_accept(struct bench_stage *stage, struct pl_conn *conn);

/* Drops all there are, without a word to anybody. */
void bench_peers_drop(struct bench_stage *stage);

bool bench_peer_write(struct bench_peer *peer, const void *bytes,
		      size_t length);
/* Ends the stream orderly; no events come after it. */
void bench_peer_close(struct bench_peer *peer);
/* The domain that the other side of an accepted stream wrote to, ours of a
 * dialled one. */
const char *bench_peer_domain(const struct bench_peer *peer);

#endif
