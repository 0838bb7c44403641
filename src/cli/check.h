/*
 * check.h: `parley check`, one file for each of its subjects.
 *
 * A subject gathers what it found as JSON; text, where it is wanted, is written
 * from that, so that both say the same.
 */
#ifndef PARLEY_CLI_CHECK_H
#define PARLEY_CLI_CHECK_H

#include "cli.h"

#include "parley/conf.h"

struct check {
	const char *path;    /* of the configuration */
	bool given;          /* it was named with -c */
	bool json, fail_on_warn;
	char **words;        /* behind the subject */
	int count;
};

int check_config(const struct check *check);
int check_dns(const struct check *check);
int check_certs(const struct check *check);

/* A member as text; "" where there is none. */
const char *check_text(const json_t *object, const char *key);

#endif
