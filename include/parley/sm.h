/*
 * sm.h: the counters of stream management (XEP-0198 4).
 *
 *     a stanza goes out  -> pl_sm_sent()     ask now, by <r/>?
 *     <a h=''/> comes    -> pl_sm_acked()    how many are new; or a lie
 *     a stanza came in   -> pl_sm_handled()
 *     a stream resumes   -> pl_sm_resumed()  what was not handled goes again
 *
 * One of these for a stream. It knows no stanza, no time and no text: what was
 * sent and not acknowledged is kept by whoever sends (router.h), in order, and
 * goes from its head by the number that comes out here. Both counters wrap from
 * 2^32 - 1 to 0.
 */
#ifndef PARLEY_SM_H
#define PARLEY_SM_H

#include <stdbool.h>
#include <stdint.h>

enum { PL_SM_EVERY = 16 }; /* stanzas, after which an <r/> is due */

struct pl_sm {
	uint32_t sent;    /* stanzas of ours */
	uint32_t acked;   /* ... that the peer says it handled */
	uint32_t asked;   /* `sent` when the last <r/> went out */
	uint32_t handled; /* stanzas of the peer's: our `h` */
};

/* Counts one of ours. True: time to ask. */
bool pl_sm_sent(struct pl_sm *sm);
/* Our <r/> goes out now. */
void pl_sm_ask(struct pl_sm *sm);
/* Is something unacknowledged that was not asked for yet? */
bool pl_sm_unasked(const struct pl_sm *sm);
/* How many wait for their acknowledgement? */
uint32_t pl_sm_unacked(const struct pl_sm *sm);
/* An `h` of the peer's. False, and nothing changed: it is higher than what was
 * sent, or lower than it was before. */
bool pl_sm_acked(struct pl_sm *sm, uint32_t h, uint32_t *count);
void pl_sm_handled(struct pl_sm *sm);
/* A stream goes on where another broke off, after pl_sm_acked(): what is left
 * was not handled, and counts anew when it is sent again. */
void pl_sm_resumed(struct pl_sm *sm);

#endif
