/*
 * world.h: how a command negotiates by itself.
 *
 *     struct cli_way (what the command line says)
 *         -> cli_conf    the configuration, from a file or without one
 *         -> cli_start_sasl
 *         -> cli_attempt one negotiation in a world of its own: loop, router,
 *                        resolver, tracer, listeners; ends in time, always
 *         -> lines       its trace, and what only the command knows, as records
 *
 * Nothing is shown here: views of the trace are (report.h).
 */
#ifndef PARLEY_CLI_WORLD_H
#define PARLEY_CLI_WORLD_H

#include "cli.h"

#include "parley/addr.h"
#include "parley/conf.h"
#include "parley/tap.h"
#include "parley/trace.h"

enum cli_tls_way { CLI_TLS_ANY, CLI_TLS_DIRECT, CLI_TLS_STARTTLS };

/* What a negotiation is told to be. Texts are borrowed. */
struct cli_way {
	const char *verb;           /* for complaints: "probe" */
	const char *configuration;  /* -c; NULL: none */
	const char *local;          /* --from; NULL: the first host of the file,
	                             * else this machine's name */
	const char *remote;
	bool policy_given;          /* else the partner's own row, 7 without
	                             * configuration */
	struct pl_policy policy;
	const char *certificate, *private_key; /* --cert, --key */
	bool no_certificate;
	const char *connect;        /* HOST:PORT in place of DNS */
	enum cli_tls_way tls;
	const char *sni;
	const char *listen;         /* ADDR:PORT for callbacks */
	const char *ca_file, *resolv_conf, *trust_anchor; /* in place of
	                             * the file's */
	bool allow_loopback;
	unsigned odd;               /* enum pl_odd */
	double timeout;             /* seconds, for all of it */
	enum pl_trace_raw raw;
	const struct pl_tap_events *tap; /* may be NULL */
	void *tap_owner;
	/* Every record as it comes; may be NULL. */
	void (*on_line)(void *owner, const char *line, size_t length);
	void *owner;
};

/* Who answers when the peer asks whether a key is ours. */
enum cli_authority { CLI_NOBODY, CLI_DAEMON, CLI_OURSELVES };

struct cli_attempt {
	char local[PL_DOMAIN_SIZE], remote[PL_DOMAIN_SIZE];
	struct pl_buffer lines;     /* JSON lines of every trace */
	char trace[40];             /* id of the negotiation's own; "" none */
	enum cli_authority authority;
	char listens[400];          /* where we are reached: "a:1, b:2" */
	char no_authority[400];     /* why there is nobody */
	bool dialback_used;         /* a key was sent */
	bool sasl_allowed;          /* by the row */
	bool own_covers, own_expired, own_no_client; /* our certificate */
	bool incomplete;
	char why[600];              /* incomplete: what could not be done */
	bool own_known;             /* our own name was looked up */
	enum pl_code own_code;      /* what that gave; none: own_targets */
	char own_targets[400];      /* "192.0.2.1:5269, ..." */
	bool own_differs;           /* from where we listen */
};

/* Reads or makes the configuration, with all that the command line says of our
 * side; both domains are checked and put into `attempt`. NULL: what is wrong
 * was said, the exit status is CLI_USAGE. */
struct pl_conf *cli_conf(const struct cli_way *way,
			 struct cli_attempt *attempt);

/* Pieces of it, for who has other hosts (way.c): a host without certificate; the
 * certificate, and the trust and DNS, that the command line names. */
struct pl_conf_host *cli_add_host(struct pl_conf *conf, const char *name);
void cli_use_certificate(const struct cli_way *way, struct pl_conf_host *host);
void cli_override(const struct cli_way *way, struct pl_conf *conf);

/* Negotiates once, at most way->timeout seconds. Takes the reference on conf.
 * CLI_OK: there is a trace, whatever it says. Else what is wrong was said. */
int cli_attempt(const struct cli_way *way, struct pl_conf *conf,
		struct cli_attempt *attempt);
void cli_attempt_finish(struct cli_attempt *attempt);

/* annotate.c: puts what only the command knows into the trace (who answers
 * db:verify, whether the peer called, what DNS says of us, that the result is
 * incomplete). */
void cli_annotate(struct cli_attempt *attempt);

/* begin.c: starts SASL, once in the process, within way->timeout, before the
 * first negotiation. CLI_OK, or what is wrong was said. */
int cli_start_sasl(const struct cli_way *way, const char *domain);
/* A record as a line of progress on stderr: for cli_way.on_line. */
void cli_progress(void *owner, const char *line, size_t length);

/* The last resort, should anything block for ever: ends the process with
 * CLI_TIMEOUT, and says so. 0: off. */
void cli_watchdog(double seconds);

#endif
