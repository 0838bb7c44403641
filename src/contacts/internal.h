/*
 * internal.h: what the files of the contacts room share.
 *
 * contacts.c  the table: look-up, bounds, what is still to be written
 * store.c     the file (SQLite)
 */
#ifndef PARLEY_CONTACTS_INTERNAL_H
#define PARLEY_CONTACTS_INTERNAL_H

#include <stdint.h>

#include "parley/contacts.h"

struct store;

/* Makes the file where it is missing; NULL with a sentence. */
struct store *store_open(const char *path, struct pl_error *error);
/* Shows every contact, the longest unused first. False with a sentence. */
bool store_load(struct store *store,
		void (*row)(void *owner, const char *local, const char *remote,
			    int64_t used),
		void *owner, struct pl_error *error);
/* Nothing may be asked of it now. It ends by itself, soon. */
bool store_busy(struct store *store);
/* A batch: either all of it is in the file after store_commit(), or, where one
 * of these returned false (with a sentence) and store_cancel() was called,
 * nothing. */
bool store_begin(struct store *store, struct pl_error *error);
bool store_put(struct store *store, const char *local, const char *remote,
	       int64_t used, struct pl_error *error);
bool store_drop(struct store *store, const char *local, const char *remote,
		struct pl_error *error);
bool store_commit(struct store *store, struct pl_error *error);
void store_cancel(struct store *store);
/* Waits where it is busy. NULL is fine. */
void store_close(struct store *store);

#endif
