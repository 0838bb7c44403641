/*
 * Dialling: several addresses, families interleaved, started 250 ms apart or as
 * soon as one fails; the first that answers wins (RFC 8305).
 */
#include "internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	ATTEMPT_DELAY_MS = 250, /* RFC 8305 8, "Connection Attempt Delay" */
	MOST_ADDRESSES = 64,
};

struct attempt {
	struct pl_dial *dial;
	struct event connected;
	struct pl_dns_address address;
	int fd; /* owned; -1: not started, or over */
};

struct pl_dial {
	struct dead dead;
	struct pl_loop *loop;
	struct pl_timer *next; /* owned: starts the next attempt */
	pl_dialled dialled;
	void *owner;
	uint64_t timeout_ms;
	size_t count, started, failed;
	int error;             /* of the last failure; ETIMEDOUT for ours too */
	bool silence;          /* ... it was our time limit */
	char peer[64];         /* ... and its address */
	struct attempt attempts[];
};

static void bury_dial(struct pl_dial *dial)
{
	for (size_t i = 0; i < dial->started; i++) {
		struct attempt *attempt = &dial->attempts[i];

		if (attempt->fd < 0)
			continue;
		event_del(&attempt->connected);
		close(attempt->fd);
		attempt->fd = -1;
	}
	pl_timer_free(dial->next);
	loop_bury(dial->loop, &dial->dead);
}

/* ----- answers ----- */

static void answer(struct pl_dial *dial, const struct pl_dial_result *result)
{
	pl_dialled dialled = dial->dialled;
	void *owner = dial->owner;

	bury_dial(dial);
	dialled(owner, result);
}

static enum pl_code code_of(int error)
{
	if (error == ECONNREFUSED || error == ECONNRESET)
		return PL_CODE_TCP_REFUSED;
	if (error == ETIMEDOUT)
		return PL_CODE_TCP_TIMEOUT;
	return PL_CODE_TCP_UNREACHABLE;
}

static void answer_failure(struct pl_dial *dial)
{
	struct pl_dial_result result = { .code = code_of(dial->error) };

	memcpy(result.peer, dial->peer, sizeof result.peer);
	if (dial->count == 0)
		snprintf(result.text, sizeof result.text, "no address to try");
	else if (dial->silence)
		snprintf(result.text, sizeof result.text,
			 "no answer within %llu ms",
			 (unsigned long long)dial->timeout_ms);
	else
		error_text(dial->error, result.text, sizeof result.text);
	answer(dial, &result);
}

static void fail_attempt(struct attempt *attempt, int error)
{
	struct pl_dial *dial = attempt->dial;

	if (attempt->fd >= 0) {
		event_del(&attempt->connected);
		close(attempt->fd);
		attempt->fd = -1;
	}
	dial->failed++;
	dial->error = error;
	dial->silence = false;
	address_text((struct sockaddr *)&attempt->address.addr, dial->peer,
		     sizeof dial->peer);
}

/* Where the next attempt is due at once, or all have failed. */
static void go_on(struct pl_dial *dial)
{
	if (dial->failed == dial->count)
		answer_failure(dial);
	else if (dial->started < dial->count)
		pl_timer_set(dial->next, 0);
}

static void succeed(struct attempt *attempt)
{
	struct pl_dial *dial = attempt->dial;
	struct pl_dial_result result = { .code = PL_CODE_NONE };
	const struct sockaddr *peer = (void *)&attempt->address.addr;
	int fd = attempt->fd;

	event_del(&attempt->connected);
	attempt->fd = -1;
	address_text(peer, result.peer, sizeof result.peer);
	conn_options(fd, peer->sa_family);
	result.conn = conn_new(dial->loop, fd, peer);
	if (result.conn == NULL) {
		fail_attempt(attempt, ENOMEM);
		go_on(dial);
		return;
	}
	answer(dial, &result);
}

/* ----- attempts ----- */

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
	struct attempt *attempt = arg;
	socklen_t length = sizeof(int);
	int error = 0;

	if (what & EV_TIMEOUT) {
		fail_attempt(attempt, ETIMEDOUT);
		attempt->dial->silence = true;
		go_on(attempt->dial);
		return;
	}
	if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
		error = errno;
	if (error != 0) {
		fail_attempt(attempt, error);
		go_on(attempt->dial);
		return;
	}
	succeed(attempt);
}

/* 0 when under way, else the errno that ended it. */
static int start_attempt(struct attempt *attempt)
{
	struct timeval timeout = delay_of(attempt->dial->timeout_ms);
	const struct pl_dns_address *to = &attempt->address;

	attempt->fd = socket(to->addr.ss_family,
			     SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (attempt->fd < 0)
		return errno;
	event_assign(&attempt->connected, attempt->dial->loop->base,
		     attempt->fd, EV_WRITE, on_connected, attempt);
	if (connect(attempt->fd, (const struct sockaddr *)&to->addr,
		    to->length) != 0 && errno != EINPROGRESS)
		return errno;
	return event_add(&attempt->connected, &timeout) == 0 ? 0 : ENOMEM;
}

static void on_next(void *owner)
{
	struct pl_dial *dial = owner;
	int error;

	if (dial->count == 0) {
		answer_failure(dial);
		return;
	}
	while (dial->started < dial->count) {
		struct attempt *attempt = &dial->attempts[dial->started++];

		error = start_attempt(attempt);
		if (error == 0)
			break;
		fail_attempt(attempt, error);
	}
	if (dial->failed == dial->count)
		answer_failure(dial);
	else if (dial->started < dial->count)
		pl_timer_set(dial->next, ATTEMPT_DELAY_MS);
}

/* The family of the first address, then the other, and so on in turn (RFC 8305
 * 4); the order within a family stays. */
static void interleave(struct pl_dial *dial,
		       const struct pl_dns_address *addresses)
{
	bool taken[MOST_ADDRESSES] = { false };
	int family = AF_UNSPEC;

	for (size_t n = 0; n < dial->count; n++) {
		size_t first = dial->count, other = dial->count, chosen;

		for (size_t i = dial->count; i-- > 0;) {
			if (taken[i])
				continue;
			first = i;
			if (addresses[i].addr.ss_family != family)
				other = i;
		}
		chosen = other < dial->count && n > 0 ? other : first;
		taken[chosen] = true;
		family = addresses[chosen].addr.ss_family;
		dial->attempts[n].address = addresses[chosen];
		dial->attempts[n].dial = dial;
		dial->attempts[n].fd = -1;
	}
}

struct pl_dial *pl_dial_start(struct pl_loop *loop,
			      const struct pl_dns_address *addresses,
			      size_t count, uint64_t timeout_ms,
			      pl_dialled dialled, void *owner)
{
	struct pl_dial *dial;

	if (count > MOST_ADDRESSES)
		count = MOST_ADDRESSES;
	dial = pl_calloc(1, sizeof *dial + count * sizeof dial->attempts[0]);
	dial->loop = loop;
	dial->dialled = dialled;
	dial->owner = owner;
	dial->timeout_ms = timeout_ms;
	dial->count = count;
	dial->error = ENETUNREACH;
	interleave(dial, addresses);
	dial->next = pl_timer_new(loop, on_next, dial);
	pl_timer_set(dial->next, 0);
	return dial;
}

void pl_dial_cancel(struct pl_dial *dial)
{
	bury_dial(dial);
}
