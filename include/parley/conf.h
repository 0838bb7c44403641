/*
 * conf.h: the configuration file, as structs that are already checked.
 *
 * pl_conf_load() reads a file (libconfuse syntax), checks everything, and
 * either gives a configuration without fault or every fault, each with file
 * and line. A configuration is read-only and counted: streams keep the one they
 * began with until they are told that it was replaced.
 *
 * Refused: rows that allow no method (6, 12, 14, 16, 18), unknown keys, missing
 * or unreadable files, a key that does not fit its certificate, two partners
 * that claim one name, a partner that needs TLS while a host has no
 * certificate. Warned about: notes of valid rows, a certificate of ours that
 * is expired, not yet valid or does not cover its host, rows 3, 9 and 15 at a
 * host without certificate.
 */
#ifndef PARLEY_CONF_H
#define PARLEY_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include "parley/base.h"
#include "parley/log.h"
#include "parley/policy.h"

/* A fault or warning; in the order of the file. */
struct pl_conf_note {
	enum pl_severity severity;
	char *file;      /* owned; as named on the command line, or that one's
	                  * folder and what include() names */
	int line;
	char *text;      /* owned; "partner "x": row 6 is not valid: ..." */
	char *partner;   /* owned, normal form; NULL unless it is about one */
	int row;         /* 0 unless it is about a row */
	struct pl_conf_note *next;
};

struct pl_conf_host {
	char *name;             /* normal form */
	char *certificate, *private_key; /* absolute paths, NULL: none */
	char *note;
	char *upstream_host;    /* its server behind us; NULL: none */
	unsigned short upstream_port;
	bool component;         /* from a component section */
	char *secret;           /* component: wiped at the end; else NULL */
	bool refuse_second;     /* component: connect = refuse */
	char **contacts;        /* host: "abuse=mailto:...", NULL-terminated */
	char *file;
	int line;
	struct pl_conf_host *next;
};

struct pl_conf_listen {
	char *endpoint;         /* "127.0.0.1:5269" */
	bool direct_tls;
	char *file;
	int line;
	struct pl_conf_listen *next;
};

enum pl_partner_type {
	PL_FEDERATED,
	PL_VERIFIED,   /* as federated; shown in lists */
	PL_UNVERIFIED, /* its users may not begin (router.h) */
};
/* "federated" and so on. */
const char *pl_partner_type_name(enum pl_partner_type type);


struct pl_conf_partner {
	char *name;             /* normal form, "*.x" or "*" */
	char **domains;         /* further patterns, NULL-terminated */
	struct pl_policy policy;
	int row;
	enum pl_certificate_check check; /* the setting, or the row's default */
	char *connect_host;     /* NULL: DNS */
	unsigned short connect_port;
	bool connect_direct_tls;
	bool plaintext_retry, verify_requires_tls, keepalive, multiplex, bidi;
	bool trace;             /* its negotiations get files */
	bool stream_management;
	enum pl_partner_type type;
	int connection_limit;
	int stanza_rate, stanza_bytes; /* 0: no limit, the general one */
	char *note;
	char *file;
	int line;
	struct pl_conf_partner *next;
};

struct pl_conf {
	unsigned references;
	char *path;
	struct pl_conf_host *hosts;        /* components included */
	struct pl_conf_listen *listens;    /* default: none */
	char *gateway_listen;              /* NULL: none */
	char *components_listen;           /* NULL: none */
	struct pl_conf_partner *partners;
	char *dialback_secret;             /* wiped at the end; NULL: random */
	size_t dialback_secret_length;
	char *ca_file, *ca_directory;      /* NULL: the system's store */
	struct {
		char *resolv_conf, *hosts, *trust_anchor_file; /* NULL: default */
		bool dane, allow_loopback;
	} dns;
	struct {
		int dns, connect, negotiate, idle, keepalive, drain; /* seconds */
		int ping;                  /* likewise; 0: none */
	} timeouts;
	struct {
		int connections, connections_per_partner,
			connections_per_address;
		int verify_connections;    /* dialled for db:verify at a time */
		int stanza_bytes, unauthenticated_bytes;
		int queue_bytes;           /* waiting per pair while negotiating */
		int output_bytes;          /* unsent to a peer that does not read */
		int contacts;              /* kept for each local domain */
	} limits;
	struct {
		enum pl_log_level level;
		enum pl_log_format format;
		char *destination;
	} log;
	struct {
		char *directory, *raw;
		bool pcap;
		int file_bytes, directory_bytes;
		int failures, recent;  /* negotiations kept in memory */
	} trace;
	char *store_file;                  /* NULL: in memory only */
	char *control_socket;              /* NULL: the section is absent */
	char *http_listen;                 /* NULL: off */
	char *user;                        /* to drop to from root; NULL: default */
};

/*
 * Loads. On success *conf is set (one reference) and *notes holds warnings; on
 * failure NULL, and *notes holds every fault beside the warnings. `now` is the
 * time that dates of certificates are judged at.
 */
struct pl_conf *pl_conf_load(const char *path, time_t now,
			     struct pl_conf_note **notes);
/* As pl_conf_load, but gives a faulty configuration too, as far as it could be
 * understood; *sound says whether it may be used. For showing only. */
struct pl_conf *pl_conf_read(const char *path, time_t now,
			     struct pl_conf_note **notes, bool *sound);
/* One without a file: every default, no host, no partner, no listener. Its
 * owner adds what is wanted, with memory of malloc(). */
struct pl_conf *pl_conf_new(void);
void pl_conf_notes_free(struct pl_conf_note *notes);
/* Prints "FILE:LINE: text" (warnings with "warning: " before the text) to a
 * stream, faults only or warnings too; never what is PL_INFO. */
void pl_conf_notes_print(const struct pl_conf_note *notes, FILE *out,
			 bool warnings_too);

struct pl_conf *pl_conf_ref(struct pl_conf *conf);
void pl_conf_unref(struct pl_conf *conf); /* NULL is fine */

/* The host or component of that name, or NULL. "*.domain" components match. */
const struct pl_conf_host *pl_conf_host(const struct pl_conf *conf,
					const char *domain);
/* The partner section for a remote domain: by exact name, then by `domains`,
 * then the longest wildcard, then "*"; or NULL. */
const struct pl_conf_partner *pl_conf_partner(const struct pl_conf *conf,
					      const char *domain);
/* The "*" section or NULL: for peers that do not say who they are. */
const struct pl_conf_partner *pl_conf_any_partner(const struct pl_conf *conf);

/* The policy of a partner as it holds for one host: a host without certificate
 * knows no TLS (P14). */
struct pl_policy pl_conf_policy(const struct pl_conf_partner *partner,
				bool host_has_certificate);

#endif
