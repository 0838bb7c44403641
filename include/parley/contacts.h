/*
 * contacts.h: who of ours wrote to whom, kept beyond a restart.
 *
 *     pl_contacts_add() ----> table in memory ----> SQLite, once a second
 *     pl_contacts_know() <--- table in memory <---- SQLite, at the start
 *
 * A contact is a bare address of ours with a bare address elsewhere, both as
 * pl_addr_bare() makes them, and when it was used last. The table alone is
 * asked, so that a loop never waits for a disk to know something. What changed
 * is written in batches, a second later at most; a crash loses what that second
 * brought, a machine that loses power perhaps a little more. Times of use are
 * kept to the hour on disk.
 *
 * The table is bounded: so many contacts for each local domain, and sixteen
 * times as many in all. Where one more comes, the one that was used least
 * recently goes.
 *
 * At the start a file that is damaged, foreign, in use or not writable is an
 * error. Later it is a warning: the table goes on without the file, and tries
 * it again every minute.
 */
#ifndef PARLEY_CONTACTS_H
#define PARLEY_CONTACTS_H

#include <stdbool.h>
#include <stddef.h>

#include "parley/base.h"
#include "parley/log.h"
#include "parley/net.h"

struct pl_contacts;

/* Loop and log (may be NULL) are borrowed and outlive it. file NULL: in memory
 * only. most: contacts of one local domain, 1 at least. A file that is missing is
 * made, with mode 600. NULL with a sentence. */
struct pl_contacts *pl_contacts_new(struct pl_loop *loop, struct pl_log *log,
				    const char *file, unsigned most,
				    struct pl_error *error);
/* Writes what is not yet written. NULL is fine. */
void pl_contacts_free(struct pl_contacts *contacts);

/* Is it there? Then it was used now. */
bool pl_contacts_know(struct pl_contacts *contacts, const char *local,
		      const char *remote);
/* Puts it there, used now. Nothing happens where memory is out. */
void pl_contacts_add(struct pl_contacts *contacts, const char *local,
		     const char *remote);

/* Another limit from now on. */
void pl_contacts_set_most(struct pl_contacts *contacts, unsigned most);
/* What `from` knows, `to` knows as well. */
void pl_contacts_copy(struct pl_contacts *to, const struct pl_contacts *from);

size_t pl_contacts_count(const struct pl_contacts *contacts);

#endif
