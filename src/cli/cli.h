/*
 * Inside of the command `parley`: the verbs and what they share.
 *
 * A verb is one file with one function in the table of main.c. It gets argv
 * with its own name first, writes its result to stdout and anything else to
 * stderr, and returns the exit status.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "parley/policy.h"

enum cli_status {
	CLI_OK = 0,
	CLI_DIFFERS = 1,     /* not as expected, or a difference was found */
	CLI_USAGE = 2,       /* wrong arguments or configuration */
	CLI_DNS = 3,
	CLI_TCP = 4,
	CLI_TLS = 5,
	CLI_AUTHENTICATION = 6,
	CLI_POLICY = 7,
	CLI_PEER = 8,
	CLI_TIMEOUT = 9,
	CLI_INCOMPLETE = 10, /* a check could not run */
	CLI_WARNINGS = 20,
};

/* The configuration that verbs read without -c. */
#define CLI_CONF "/etc/parley/parley.conf"

struct cli_verb {
	const char *name;
	const char *summary; /* one line for `parley --help` */
	int (*run)(int argc, char **argv);
};

int verb_bench(int argc, char **argv);
int verb_check(int argc, char **argv);
int verb_close(int argc, char **argv);
int verb_drain(int argc, char **argv);
int verb_explain(int argc, char **argv);
int verb_matrix(int argc, char **argv);
int verb_partners(int argc, char **argv);
int verb_listen(int argc, char **argv);
int verb_ping(int argc, char **argv);
int verb_policy(int argc, char **argv);
int verb_probe(int argc, char **argv);
int verb_queues(int argc, char **argv);
int verb_reload(int argc, char **argv);
int verb_retry(int argc, char **argv);
int verb_streams(int argc, char **argv);
int verb_trace(int argc, char **argv);
int verb_watch(int argc, char **argv);
int verb_wireshark_plugin(int argc, char **argv);

/* ----- text.c ----- */

/* Says on stderr what is wrong with the arguments of a verb and where help is;
 * returns CLI_USAGE. */
int cli_usage(const char *verb, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Prints one JSON document and a newline on stdout, and frees it. */
void cli_print_json(json_t *document);

/* A JSON string of text that may be no UTF-8. */
json_t *cli_json_text(const char *text);

/* The most similar of `count` names, or NULL where none
 * is close: for "did you mean". */
const char *cli_similar(const char *name, const char *const *names,
			size_t count);

/* required, optional or not-supported twice, and yes or no. */
bool cli_parse_policy(const char *tls, const char *sasl, const char *dialback,
		      struct pl_policy *out);

/* "SASL over TLS, TLS Dialback", or "none". */
void cli_methods(const struct pl_policy *policy, char out[64]);
/* ["sasl-over-tls","tls-dialback"] */
json_t *cli_json_methods(const struct pl_policy *policy);

#endif
