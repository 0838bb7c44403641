/*
 * client.h: one question to a running daemon, over its control socket.
 */
#ifndef PARLEY_CLI_CLIENT_H
#define PARLEY_CLI_CLIENT_H

#include <jansson.h>

#include "parley/conf.h"

/* Reads the configuration that both share. NULL: its faults were printed, the
 * exit status is 2. */
struct pl_conf *client_configuration(const char *path);

/* Sends a request (the reference is taken) and waits for the answer. NULL: told
 * on stderr why not, the exit status is 10. */
json_t *client_ask(const struct pl_conf *conf, json_t *request,
		   int timeout_seconds);

/* The same without a word on stderr: NULL with a sentence. */
json_t *client_try(const struct pl_conf *conf, json_t *request,
		   int timeout_seconds, struct pl_error *error);

/* Prints a refusal of the daemon on stderr; its exit status. 0: none. */
int client_refused(const json_t *answer);

/* A member as text, numbers too; "" where there is none. Valid till the next
 * four calls. */
const char *client_text(const json_t *object, const char *key);

#endif
