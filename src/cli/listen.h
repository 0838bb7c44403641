/*
 * listen.h: the world of `parley listen`: a receiver without a daemon.
 *
 *     listen_conf -> configuration -> listen_run -> on_open, on_trace ...
 *
 * Connections are taken as parleyd takes them. A stream that carries nothing
 * for a second after its outcome is closed, so that its trace ends.
 */
#ifndef PARLEY_CLI_LISTEN_H
#define PARLEY_CLI_LISTEN_H

#include "world.h"

enum { LISTEN_ENDPOINTS = 16 };

/* What the command line says. Texts are borrowed. */
struct listen_way {
	struct cli_way common;       /* no local, remote, listen, sni */
	const char *host;            /* NULL: those of the configuration */
	const char *endpoints[LISTEN_ENDPOINTS];
	size_t endpoints_count;      /* 0: those of the configuration, else
	                              * port 5269 everywhere */
	bool direct_tls;
	bool limited;                /* common.timeout is for all of it; else
	                              * there is no end */
};

struct listen_events {
	/* All sockets are open. */
	void (*on_open)(void *owner, const struct pl_conf *conf);
	/* A negotiation ended; lines: its trace. False: that was the last. */
	bool (*on_trace)(void *owner, const char *lines, size_t length);
};

/* Reads or makes the configuration. NULL: what is wrong was said, the exit
 * status is CLI_USAGE. */
struct pl_conf *listen_conf(const struct listen_way *way);

/* Takes connections until on_trace says so, the time is over (CLI_TIMEOUT), or
 * SIGINT or SIGTERM comes. Takes the reference on conf. CLI_USAGE: what is
 * wrong was said. */
int listen_run(const struct listen_way *way, struct pl_conf *conf,
	       const struct listen_events *events, void *owner);

#endif
