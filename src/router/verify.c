/*
 * Keys of incoming db:result, verified with the authoritative server of the
 * sender domain. An authority is one connection made for nothing else; keys
 * for the same domain share it, and it closes behind the last answer. An
 * answer counts only for an ask in its table, by names and id (XEP-0220
 * 2.1.2).
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One key that waits for its answer. */
struct ask {
	struct pl_stream *stream;    /* borrowed: that db:result came on */
	struct pl_pair *pair;        /* borrowed */
	char *local, *id, *key;      /* owned; key is wiped */
	bool sent;
	TAILQ_ENTRY(ask) entry;
};
TAILQ_HEAD(ask_list, ask);

struct authority {
	struct pl_router *router;    /* borrowed */
	char *remote;                /* owned: the sender domain */
	char *source;                /* owned: address group of the asker */
	struct outgoing *outgoing;   /* owned; NULL: refused from the start */
	struct pl_stream *stream;    /* borrowed; NULL: not connected */
	struct ask_list asks;
	unsigned asks_count;
	bool ready, over;
	const char *refusal;         /* why it is not even tried, or NULL */
	struct pl_stream *first;     /* borrowed, while it is being made */
	TAILQ_ENTRY(authority) entry;
};

static void free_ask(struct authority *authority, struct ask *ask)
{
	TAILQ_REMOVE(&authority->asks, ask, entry);
	authority->asks_count--;
	free(ask->local);
	free(ask->id);
	pl_free_secret(ask->key);
	free(ask);
}

static void free_authority(void *owner)
{
	struct authority *authority = owner;
	struct pl_router *router = authority->router;

	while (!TAILQ_EMPTY(&authority->asks))
		free_ask(authority, TAILQ_FIRST(&authority->asks));
	TAILQ_REMOVE(&router->authorities, authority, entry);
	outgoing_free(authority->outgoing);
	free(authority->remote);
	free(authority->source);
	free(authority);
}

/* Takes no more keys; freed at the turn's end. */
static void retire(struct authority *authority)
{
	if (authority->over)
		return;
	authority->over = true;
	authority->router->authorities_count--;
	pl_loop_defer(authority->router->world->loop, free_authority,
		      authority);
}

/* Nothing waits any more: the connection has no other use. */
static void close_authority(struct authority *authority)
{
	retire(authority);
	if (authority->stream != NULL)
		pl_stream_idle(authority->stream);
}

/* Everything that still waits hears the same. */
static void tell_all(struct authority *authority, enum pl_pair_event_kind kind,
		     const char *words)
{
	struct ask *ask;

	retire(authority);
	while ((ask = TAILQ_FIRST(&authority->asks)) != NULL) {
		struct pl_stream *stream = ask->stream;
		struct pl_pair *pair = ask->pair;

		free_ask(authority, ask);
		pl_stream_verified(stream, pair, kind, words);
	}
}

/* ----- the connection ----- */

static void on_stream(void *owner, struct pl_stream *stream)
{
	struct authority *authority = owner;

	authority->stream = stream;
}

static enum pl_pair_event_kind kind_of_failure(enum pl_code code)
{
	if (code == PL_CODE_DNS_NO_SUCH_DOMAIN ||
	    code == PL_CODE_DNS_NO_SERVICE)
		return PL_PE_VERIFY_UNKNOWN_DOMAIN;
	if (code == PL_CODE_HOST_UNKNOWN)
		return PL_PE_VERIFY_ERROR;
	/* TCP stood, and then there was silence (XEP-0220 2.5). */
	if (code == PL_CODE_HEADER_TIMEOUT ||
	    code == PL_CODE_FEATURES_TIMEOUT ||
	    code == PL_CODE_NEGOTIATION_TIMEOUT ||
	    code == PL_CODE_PEER_CLOSED)
		return PL_PE_VERIFY_LOST;
	return PL_PE_VERIFY_UNREACHABLE;
}

static void fail(struct authority *authority, enum pl_pair_event_kind kind,
		 enum pl_code code, const char *words)
{
	char text[400];

	snprintf(text, sizeof text, "verifying with %.100s: %s%s%s",
		 authority->remote, pl_code_entry(code)->name,
		 words != NULL && words[0] ? ": " : "", words ? words : "");
	tell_all(authority, kind, text);
}

static void on_failed(void *owner, enum pl_code code, const char *words,
		      const char *addr)
{
	struct authority *authority = owner;

	(void)addr;
	fail(authority, kind_of_failure(code), code, words);
}

static const struct outgoing_events outgoing_events = {
	.on_stream = on_stream,
	.on_failed = on_failed,
};

static void send_asks(struct authority *authority)
{
	struct ask *ask;

	TAILQ_FOREACH(ask, &authority->asks, entry)
		if (!ask->sent)
			ask->sent = pl_stream_ask_verify(
				authority->stream, ask->local,
				authority->remote, ask->id, ask->key);
}

void verify_ready(struct authority *authority, struct pl_stream *stream)
{
	authority->stream = stream;
	authority->ready = true;
	send_asks(authority);
}

void verify_stream_ended(struct authority *authority, enum pl_code code,
			 enum pl_next next, const char *words)
{
	authority->stream = NULL;
	outgoing_stream_gone(authority->outgoing);
	if (authority->over)
		return;
	if (authority->ready)
		fail(authority, code == PL_CODE_HOST_UNKNOWN
					? PL_PE_VERIFY_ERROR
					: PL_PE_VERIFY_LOST, code, words);
	else if (!outgoing_next(authority->outgoing, next))
		fail(authority, kind_of_failure(code), code, words);
}

/* ----- asking and answering ----- */

static struct authority *find(const struct pl_router *router,
			      const char *remote)
{
	struct authority *authority;

	TAILQ_FOREACH(authority, &router->authorities, entry)
		if (!authority->over && strcmp(authority->remote, remote) == 0)
			return authority;
	return NULL;
}

static unsigned from_source(const struct pl_router *router, const char *source)
{
	struct authority *authority;
	unsigned count = 0;

	TAILQ_FOREACH(authority, &router->authorities, entry)
		if (!authority->over && strcmp(authority->source, source) == 0)
			count++;
	return count;
}

/* Why the authority of this domain is not asked; NULL: it is. */
static const char *refusal(struct pl_router *router, const char *local,
			   const char *remote, const char *source)
{
	struct pl_world *world = router->world;
	struct pl_partner_view partner;

	world->partner(world->site, local, remote, &partner);
	if (pl_addr_is_ip(remote) && partner.connect_host == NULL)
		return "keys of IP literals are not verified";
	if (world->host(world->site, remote, NULL))
		return "that domain is served here";
	if (router->authorities_count >= world->limits.verify_connections)
		return "too many verifications are under way";
	if (from_source(router, source) >= VERIFIES_PER_SOURCE)
		return "too many verifications for this address";
	return NULL;
}

static void tell_refusal(void *owner)
{
	struct authority *authority = owner;

	if (!authority->over)
		tell_all(authority, PL_PE_VERIFY_UNREACHABLE,
			 authority->refusal);
}

/* The first ask may be on its way still. */
struct pl_traced *verify_parent(const struct authority *authority)
{
	const struct ask *ask = TAILQ_FIRST(&authority->asks);

	if (ask != NULL)
		return pl_stream_traced(ask->stream);
	return authority->first != NULL ? pl_stream_traced(authority->first)
					: NULL;
}

static struct authority *make(struct pl_router *router, const char *local,
			      const char *remote, const char *source,
			      struct pl_stream *first)
{
	struct authority *authority = pl_calloc(1, sizeof *authority);

	authority->router = router;
	authority->remote = pl_strdup(remote);
	authority->source = pl_strdup(source);
	authority->refusal = refusal(router, local, remote, source);
	authority->first = first;
	TAILQ_INIT(&authority->asks);
	TAILQ_INSERT_TAIL(&router->authorities, authority, entry);
	router->authorities_count++;
	if (authority->refusal != NULL)
		pl_loop_defer(router->world->loop, tell_refusal, authority);
	else
		authority->outgoing = outgoing_start(router, local, remote,
						     authority,
						     &outgoing_events,
						     authority);
	authority->first = NULL;
	return authority;
}

void verify_start(struct pl_router *router, struct pl_stream *stream,
		  struct pl_pair *pair, const char *id, const char *key)
{
	struct authority *authority = find(router, pair->remote);
	struct pl_stream_info info;
	struct ask *ask;

	pl_stream_info(stream, &info);
	if (authority == NULL || authority->asks_count >= AUTHORITY_ASKS)
		authority = make(router, pair->local, pair->remote,
				 info.addr_group, stream);
	ask = pl_calloc(1, sizeof *ask);
	ask->stream = stream;
	ask->pair = pair;
	ask->local = pl_strdup(pair->local);
	ask->id = pl_strdup(id);
	ask->key = pl_strdup(key);
	TAILQ_INSERT_TAIL(&authority->asks, ask, entry);
	authority->asks_count++;
	if (authority->ready)
		send_asks(authority);
}

bool verify_answered(struct pl_router *router, struct authority *authority,
		     const char *from, const char *to, const char *id,
		     enum pl_pair_event_kind kind)
{
	struct pl_stream *stream;
	struct pl_pair *pair;
	struct ask *ask;

	(void)router;
	if (authority->over || strcmp(from, authority->remote) != 0)
		return false;
	TAILQ_FOREACH(ask, &authority->asks, entry)
		if (ask->sent && strcmp(ask->local, to) == 0 &&
		    strcmp(ask->id, id) == 0)
			break;
	if (ask == NULL)
		return false;
	stream = ask->stream;
	pair = ask->pair;
	free_ask(authority, ask);
	pl_stream_verified(stream, pair, kind, NULL);
	if (TAILQ_EMPTY(&authority->asks) && !authority->over)
		close_authority(authority);
	return true;
}

/* ----- forgetting ----- */

static void forget(struct pl_router *router, const struct pl_stream *stream,
		   const struct pl_pair *pair)
{
	struct authority *authority;
	struct ask *ask, *next;

	TAILQ_FOREACH(authority, &router->authorities, entry) {
		for (ask = TAILQ_FIRST(&authority->asks); ask; ask = next) {
			next = TAILQ_NEXT(ask, entry);
			if (ask->stream == stream || ask->pair == pair)
				free_ask(authority, ask);
		}
		if (TAILQ_EMPTY(&authority->asks) && !authority->over)
			close_authority(authority);
	}
}

void verify_forget_pair(struct pl_router *router, const struct pl_pair *pair)
{
	forget(router, NULL, pair);
}

void verify_forget_stream(struct pl_router *router,
			  const struct pl_stream *stream)
{
	forget(router, stream, NULL);
}

void verify_look_up_again(struct pl_router *router)
{
	struct authority *authority;

	TAILQ_FOREACH(authority, &router->authorities, entry)
		if (authority->outgoing != NULL)
			outgoing_look_up_again(authority->outgoing);
}

/* The daemon drains: what is not connected yet is given up. */
void verify_stop(struct pl_router *router)
{
	struct authority *authority;

	TAILQ_FOREACH(authority, &router->authorities, entry)
		if (!authority->over)
			retire(authority);
}

void verify_free_all(struct pl_router *router)
{
	while (!TAILQ_EMPTY(&router->authorities))
		free_authority(TAILQ_FIRST(&router->authorities));
}
