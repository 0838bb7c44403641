/*
 * sasl.h: EXTERNAL through Cyrus SASL, as bytes in and bytes out.
 *
 *     pl_sasl_global_init           once, from main
 *     receiving entity              initiating entity
 *                                   pl_sasl_client_start -> <auth>BODY</auth>
 *     pl_sasl_server_new
 *     pl_sasl_server_step(BODY)
 *       -> PL_SASL_CONTINUE         <challenge/>
 *     pl_sasl_server_step(BODY)     <response>BODY</response>, same BODY
 *       -> PL_SASL_ACCEPTED         <success/>
 *       or PL_SASL_REJECTED         <failure> with a condition
 *     pl_sasl_server_free           also on <abort/>
 *
 * Bodies are the character data of the elements: base64, or "=" for a response
 * of length 0. Whether EXTERNAL is offered and which mechanism was asked for is
 * not decided here, nor is any certificate looked at: the caller says which
 * domain the certificate proved. No mechanism but EXTERNAL is ever loaded, and
 * no file is read. (RFC 6120 6, XEP-0178 3, RFC 4422 A; standards EXT-8 to 16)
 *
 * Cyrus SASL keeps its state in the process, so this room does: one thread.
 */
#ifndef PARLEY_SASL_H
#define PARLEY_SASL_H

#include <stdbool.h>
#include <stddef.h>

#include "parley/addr.h"
#include "parley/base.h"
#include "parley/reason.h"

/* Most bytes of a body that are looked at. */
enum { PL_SASL_BODY_LIMIT = 2 * PL_DOMAIN_SIZE };

/* Starts both sides of the library; once, before all else here. */
bool pl_sasl_global_init(struct pl_error *error);
/* When every server is freed. Fine without a (successful) init as well. */
void pl_sasl_global_finish(void);

/* ----- receiving entity ----- */

struct pl_sasl_server; /* one exchange, from <auth/> on */

enum pl_sasl_result {
	PL_SASL_ACCEPTED, /* the peer is the proved domain */
	PL_SASL_CONTINUE, /* send an empty <challenge/>, step with the answer */
	PL_SASL_REJECTED, /* send <failure/> */
};

/*
 * Starts an exchange. `local_domain` is ours (header `to`); `proved_domain` the
 * header `from` under TLS, proved by the certificate (EXT-18), or NULL when
 * nothing was proved: the exchange then ends in not-authorized. Both are
 * copied. NULL with a sentence when the machine refuses.
 */
struct pl_sasl_server *pl_sasl_server_new(const char *local_domain,
					  const char *proved_domain,
					  struct pl_error *error);
void pl_sasl_server_free(struct pl_sasl_server *server); /* NULL is fine */

/*
 * Takes the body of <auth/> (first call) or <response/> (after
 * PL_SASL_CONTINUE). White space in it is skipped (XEP-0288 shows line breaks).
 * An empty body or NULL means in <auth/> that there is no initial response
 * (PL_SASL_CONTINUE), in <response/> a response of length 0, as "=" does.
 *
 * On PL_SASL_REJECTED `*condition` and `why` (may be NULL) say what is wrong:
 *   incorrect-encoding      no strict base64 (EXT-14)
 *   invalid-authzid         an authorization identity that is not, in normal
 *                           form, the proved domain (EXT-15), or holds a NUL
 *   malformed-request       above PL_SASL_BODY_LIMIT; a step after the end
 *   not-authorized          nothing was proved (EXT-17)
 *   temporary-auth-failure  the library failed
 * and PL_SASL_NONE otherwise. `why` may hold text of the peer, made printable.
 */
enum pl_sasl_result pl_sasl_server_step(struct pl_sasl_server *server,
					const char *body, size_t length,
					enum pl_sasl_condition *condition,
					struct pl_error *why);

/* The authorization identity in a body of EXTERNAL, printable, for who only
 * shows it; "" for "=". False: it is empty or no base64. */
bool pl_sasl_authzid(const char *body, size_t length, char *out, size_t size);

/* ----- initiating entity ----- */

/*
 * Appends the body for <auth mechanism='EXTERNAL'/>: the base64 of
 * `local_domain`, which is sent for the sake of old peers (EXT-9), or "=" when
 * the library gives an empty one (EXT-10). The same bytes answer a <challenge/>
 * (EXT-13). False with a sentence when the machine refuses; nothing is then
 * appended.
 *
 * The first call in a process may wait for the system's resolver (the library
 * wants this host's full name), later ones do not: call it once before the
 * loop runs, into a buffer that is thrown away.
 */
bool pl_sasl_client_start(const char *local_domain, struct pl_buffer *body,
			  struct pl_error *error);

#endif
