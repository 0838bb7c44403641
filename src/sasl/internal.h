/* What the files of this room share. */
#ifndef PARLEY_SASL_INTERNAL_H
#define PARLEY_SASL_INTERNAL_H

#include <sasl/sasl.h>

#include "parley/sasl.h"

/* Cyrus keeps callbacks as int (*)(void); the way over void (*)(void) tells the
 * compiler that the change of type is meant. */
#define CALLBACK(function) ((int (*)(void))(void (*)(void))(function))

/* A domain is no user name: it is copied as it is, in place of the library's
 * ideas about users and realms. */
int pl_sasl_copy_user(sasl_conn_t *conn, void *context, const char *in,
		      unsigned in_length, unsigned flags, const char *realm,
		      char *out, unsigned out_max, unsigned *out_length);

/* "what: the library's words for a result". Returns false. */
bool pl_sasl_fail(struct pl_error *error, const char *what, int result);

/* The initiating side's part of the global finish. */
void pl_sasl_client_forget(void);

#endif
