/*
 * One attempt to reach a domain.
 *
 *     look-up -> targets -> dial -> stream
 *        ^                   |        | ended, and the core allows more:
 *        |                   +--------+-- next target, or the same target
 *        +-- (connect: no SRV)            without EXTERNAL, or in clear
 *
 * Which of these ways is open is the core's word (enum pl_next); this file
 * only counts, so that an attempt ends.
 */
#include "internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct outgoing {
	struct pl_router *router;             /* borrowed */
	struct authority *authority;          /* borrowed; verify only */
	const struct outgoing_events *events; /* borrowed */
	void *owner;
	char *local, *remote;                 /* owned */
	struct pl_partner_view partner;
	struct pl_dns_query *query;           /* under way, or NULL */
	struct pl_timer *dns_timer;           /* owned */
	struct pl_dial *dial;                 /* under way, or NULL */
	struct pl_dns_target *targets;        /* owned, TLSA data too */
	size_t count, current;
	unsigned connections;
	bool tls_given_up, sasl_given_up;
	struct pl_trace *trace;               /* owned; NULL: none, or over */
	struct pl_traced *traced;             /* owned till a stream has it */
	uint64_t dialled_us;                  /* traced only */
	struct pl_stream *stream;             /* made by it; NULL once gone */
	uint64_t began_ms, stage_ms;
	enum pl_code code;                    /* of the last failure */
	char words[256], addr[64];
};

static void forget_stream(struct outgoing *outgoing)
{
	struct link *link;

	if (outgoing->stream == NULL)
		return;
	link = pl_stream_data(outgoing->stream);
	link->outgoing = NULL;
	link->authority = NULL;
	outgoing->stream = NULL;
}

/* ----- its trace ----- */

struct pl_traced *outgoing_traced(struct outgoing *outgoing)
{
	const struct pl_traced *parent = NULL;

	if (outgoing->traced != NULL || outgoing->trace == NULL)
		return outgoing->traced;
	if (outgoing->authority != NULL)
		parent = verify_parent(outgoing->authority);
	outgoing->traced = traced_connection(outgoing->trace, outgoing->local,
					     outgoing->remote, parent);
	return outgoing->traced;
}

static void leave_connection(struct outgoing *outgoing)
{
	pl_trace_leave(outgoing->traced);
	outgoing->traced = NULL;
}

void outgoing_over(struct outgoing *outgoing)
{
	leave_connection(outgoing);
	pl_trace_unref(outgoing->trace);
	outgoing->trace = NULL;
}

/* A key is verified in the trace of the stream that it came on. */
static void begin_trace(struct outgoing *outgoing)
{
	struct pl_traced *parent;

	if (outgoing->router->world->tracer == NULL)
		return;
	if (outgoing->authority == NULL) {
		outgoing->trace = traced_begin(outgoing->router,
					       outgoing->local,
					       outgoing->remote,
					       &outgoing->partner);
	} else {
		parent = verify_parent(outgoing->authority);
		if (parent != NULL)
			outgoing->trace = pl_trace_ref(pl_trace_of(parent));
	}
}

static void free_targets(struct outgoing *outgoing)
{
	for (size_t i = 0; i < outgoing->count; i++)
		for (size_t j = 0; j < outgoing->targets[i].tlsa_count; j++)
			free((void *)outgoing->targets[i].tlsa[j].data);
	free(outgoing->targets);
	outgoing->targets = NULL;
	outgoing->count = 0;
}

void outgoing_free(struct outgoing *outgoing)
{
	if (outgoing == NULL)
		return;
	forget_stream(outgoing);
	outgoing_over(outgoing);
	if (outgoing->query != NULL)
		pl_dns_cancel(outgoing->query);
	if (outgoing->dial != NULL)
		pl_dial_cancel(outgoing->dial);
	pl_timer_free(outgoing->dns_timer);
	free_targets(outgoing);
	free(outgoing->local);
	free(outgoing->remote);
	free(outgoing);
}

void outgoing_stream_gone(struct outgoing *outgoing)
{
	outgoing->stream = NULL;
}

static void fail(struct outgoing *outgoing, enum pl_code code,
		 const char *words)
{
	outgoing->code = code;
	snprintf(outgoing->words, sizeof outgoing->words, "%s", words);
	outgoing->events->on_failed(outgoing->owner, code, outgoing->words,
				    outgoing->addr[0] ? outgoing->addr : NULL);
}

static void count_stage(struct outgoing *outgoing, enum pl_stage stage)
{
	uint64_t now = pl_loop_now_ms(outgoing->router->world->loop);

	pl_counts_stage(outgoing->router->world->counts, stage,
			now - outgoing->stage_ms);
	outgoing->stage_ms = now;
}

/* ----- dialling ----- */

static bool dial_current(struct outgoing *outgoing);

static void tell_dialled(struct outgoing *outgoing,
			 const struct pl_dial_result *result)
{
	if (outgoing->traced != NULL)
		traced_dialled(outgoing->traced, result,
			       pl_loop_now_us(outgoing->router->world->loop) -
			       outgoing->dialled_us);
}

static void on_dialled(void *owner, const struct pl_dial_result *result)
{
	struct outgoing *outgoing = owner;
	const struct pl_dns_target *target =
		&outgoing->targets[outgoing->current];
	struct pl_traced *traced;
	struct pl_stream_sm resume;

	outgoing->dial = NULL;
	count_stage(outgoing, PL_STAGE_TCP);
	snprintf(outgoing->addr, sizeof outgoing->addr, "%s", result->peer);
	tell_dialled(outgoing, result);
	if (result->conn == NULL) {
		outgoing->current++;
		if (!dial_current(outgoing))
			fail(outgoing, result->code, result->text);
		return;
	}
	traced = outgoing_traced(outgoing);
	outgoing->traced = NULL;
	outgoing->stream = router_dialled(
		outgoing->router, outgoing, outgoing->authority,
		&(struct pl_stream_initiate){
			.conn = result->conn,
			.local = outgoing->local,
			.remote = outgoing->remote,
			.direct_tls = target->direct_tls,
			.verify_only = outgoing->authority != NULL,
			.tls_given_up = outgoing->tls_given_up,
			.sasl_given_up = outgoing->sasl_given_up,
			.target = target->srv || target->tlsa_count
					  ? target : NULL,
			.began_ms = outgoing->connections == 1
				? outgoing->began_ms
				: pl_loop_now_ms(outgoing->router->world->loop),
			.traced = traced,
			.resume = outgoing->events->resume != NULL &&
				  outgoing->events->resume(outgoing->owner,
							   &resume)
				? &resume : NULL,
		});
	if (outgoing->stream == NULL) {
		fail(outgoing, PL_CODE_INTERNAL, "no memory");
		return;
	}
	outgoing->events->on_stream(outgoing->owner, outgoing->stream);
}

/* A retry in clear cannot use targets that begin with TLS. */
static bool usable(const struct outgoing *outgoing,
		   const struct pl_dns_target *target)
{
	return !(outgoing->tls_given_up && target->direct_tls);
}

static bool dial_current(struct outgoing *outgoing)
{
	const struct pl_dns_target *target;

	while (outgoing->current < outgoing->count &&
	       !usable(outgoing, &outgoing->targets[outgoing->current]))
		outgoing->current++;
	if (outgoing->current >= outgoing->count ||
	    outgoing->connections >= CONNECTIONS_PER_ATTEMPT)
		return false;
	outgoing->stage_ms = pl_loop_now_ms(outgoing->router->world->loop);
	/* Each connection has records of its own, the first the look-up's. */
	if (outgoing->connections++ > 0)
		leave_connection(outgoing);
	target = &outgoing->targets[outgoing->current];
	if (outgoing_traced(outgoing) != NULL) {
		outgoing->dialled_us =
			pl_loop_now_us(outgoing->router->world->loop);
		traced_dial(outgoing->traced, target);
	}
	outgoing->dial = pl_dial_start(
		outgoing->router->world->loop, target->addresses,
		target->addresses_count,
		outgoing->router->world->limits.connect_ms, on_dialled,
		outgoing);
	return outgoing->dial != NULL;
}

bool outgoing_next(struct outgoing *outgoing, enum pl_next next)
{
	forget_stream(outgoing);
	switch (next) {
	case PL_NEXT_NONE:
		return false;
	case PL_NEXT_TARGET:
		outgoing->current++;
		break;
	case PL_NEXT_WITHOUT_SASL:
		if (outgoing->sasl_given_up)
			return false;
		outgoing->sasl_given_up = true;
		break;
	case PL_NEXT_IN_CLEAR:
		if (outgoing->tls_given_up)
			return false;
		outgoing->tls_given_up = true;
		break;
	}
	return dial_current(outgoing);
}

/* ----- the look-up ----- */

static void keep_targets(struct outgoing *outgoing,
			 const struct pl_dns_answer *answer)
{
	size_t size = sizeof outgoing->targets[0];

	outgoing->targets = pl_calloc(answer->count, size);
	memcpy(outgoing->targets, answer->targets, answer->count * size);
	outgoing->count = answer->count;
	for (size_t i = 0; i < outgoing->count; i++)
		for (size_t j = 0; j < outgoing->targets[i].tlsa_count; j++) {
			struct pl_tls_dane *tlsa =
				&outgoing->targets[i].tlsa[j];
			unsigned char *data = pl_calloc(1, tlsa->length + 1);

			memcpy(data, tlsa->data, tlsa->length);
			tlsa->data = data;
		}
}

static void on_found(void *owner, const struct pl_dns_answer *answer)
{
	struct outgoing *outgoing = owner;

	outgoing->query = NULL;
	pl_timer_clear(outgoing->dns_timer);
	count_stage(outgoing, PL_STAGE_DNS);
	if (answer->code != PL_CODE_NONE || answer->count == 0) {
		enum pl_code code = answer->code != PL_CODE_NONE
			? answer->code : PL_CODE_DNS_NO_ADDRESS;

		traced_no_answer(outgoing->traced, code, answer->text);
		fail(outgoing, code, answer->text);
		return;
	}
	traced_answer(outgoing->traced, answer);
	keep_targets(outgoing, answer);
	if (!dial_current(outgoing))
		fail(outgoing, PL_CODE_DNS_NO_ADDRESS,
		     "none of the targets can be used");
}

static void on_dns_deadline(void *owner)
{
	struct outgoing *outgoing = owner;
	enum pl_code code = PL_CODE_DNS_RESOLVER_UNREACHABLE;

	if (outgoing->query != NULL) {
		code = pl_dns_overdue(outgoing->query);
		pl_dns_cancel(outgoing->query);
	}
	outgoing->query = NULL;
	traced_no_answer(outgoing->traced, code,
			 "no answer within the time limit");
	fail(outgoing, code, "no answer within the time limit");
}

/* The address that is being dialled, or the first of several. */
static void name_address(struct outgoing *outgoing)
{
	const struct pl_dns_target *target =
		&outgoing->targets[outgoing->current];
	const struct sockaddr *addr = (void *)&target->addresses[0].addr;
	const struct sockaddr_in *v4 = (void *)addr;
	const struct sockaddr_in6 *v6 = (void *)addr;
	char text[INET6_ADDRSTRLEN] = "";

	if (target->addresses_count == 0)
		return;
	if (addr->sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
		snprintf(outgoing->addr, sizeof outgoing->addr, "[%s]:%u",
			 text, ntohs(v6->sin6_port));
	} else {
		inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
		snprintf(outgoing->addr, sizeof outgoing->addr, "%s:%u", text,
			 ntohs(v4->sin_port));
	}
}

static void tell_given_up(struct outgoing *outgoing)
{
	struct pl_dial_result result = { .code = PL_CODE_TCP_TIMEOUT,
		.text = "no answer within the time limit" };

	snprintf(result.peer, sizeof result.peer, "%s", outgoing->addr);
	tell_dialled(outgoing, &result);
}

bool outgoing_give_up(struct outgoing *outgoing)
{
	if (outgoing->stream != NULL) {
		pl_stream_give_up(outgoing->stream);
		return true;
	}
	if (outgoing->dial != NULL) {
		pl_dial_cancel(outgoing->dial);
		outgoing->dial = NULL;
		name_address(outgoing);
		tell_given_up(outgoing);
		fail(outgoing, PL_CODE_TCP_TIMEOUT,
		     "no answer within the time limit");
		return true;
	}
	if (outgoing->query == NULL)
		return false;
	pl_timer_clear(outgoing->dns_timer);
	on_dns_deadline(outgoing);
	return true;
}

static void look_up(struct outgoing *outgoing)
{
	const struct pl_partner_view *partner = &outgoing->partner;
	struct pl_world *world = outgoing->router->world;

	outgoing->stage_ms = pl_loop_now_ms(world->loop);
	traced_query(outgoing_traced(outgoing), outgoing->remote, partner);
	pl_timer_set(outgoing->dns_timer, world->limits.dns_ms);
	if (partner->connect_host != NULL)
		outgoing->query = pl_dns_find_host(
			world->resolver, partner->connect_host,
			partner->connect_port, partner->connect_direct_tls,
			on_found, outgoing);
	else
		outgoing->query = pl_dns_find(world->resolver,
					      outgoing->remote,
					      partner->wanted_targets,
					      on_found, outgoing);
	if (outgoing->query == NULL)
		pl_timer_set(outgoing->dns_timer, 0); /* tells, but later */
}

void outgoing_look_up_again(struct outgoing *outgoing)
{
	struct pl_world *world = outgoing->router->world;

	if (outgoing->query == NULL)
		return;
	pl_dns_cancel(outgoing->query);
	world->partner(world->site, outgoing->local, outgoing->remote,
		       &outgoing->partner);
	look_up(outgoing);
	outgoing->partner.connect_host = NULL;
}

struct outgoing *outgoing_start(struct pl_router *router, const char *local,
				const char *remote, struct authority *authority,
				const struct outgoing_events *events,
				void *owner)
{
	struct outgoing *outgoing = pl_calloc(1, sizeof *outgoing);
	struct pl_world *world = router->world;

	outgoing->router = router;
	outgoing->authority = authority;
	outgoing->events = events;
	outgoing->owner = owner;
	outgoing->local = pl_strdup(local);
	outgoing->remote = pl_strdup(remote);
	outgoing->began_ms = pl_loop_now_ms(world->loop);
	outgoing->dns_timer = pl_timer_new(world->loop, on_dns_deadline,
					   outgoing);
	world->partner(world->site, local, remote, &outgoing->partner);
	begin_trace(outgoing);
	look_up(outgoing);
	outgoing->partner.connect_host = NULL; /* was borrowed for this turn */
	return outgoing;
}
