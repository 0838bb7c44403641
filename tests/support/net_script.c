/*
 * Connections, listeners and dialling of the scripted world.
 *
 * A connection is two ends. What an end has written goes on its way when the
 * turn ends, in pieces of the link's size, as far as the window allows; it
 * arrives after the link's latency, is read at one piece a turn, and makes the
 * window wider again. Ends and resets travel behind the bytes.
 */
#include "world.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	READ_SIZE = 16384,
	WINDOW = 65536,
	OUTPUT_LIMIT = 4 * 1024 * 1024,
	ATTEMPT_DELAY_MS = 250,
	MOST_ADDRESSES = 64,
};

/* What both ends share; the last one frees it. */
struct wire {
	struct script_link link;
	size_t crossed;
	unsigned ends;
	bool cut; /* nothing travels any more */
};

struct pl_conn {
	struct dead dead;
	struct script *world;
	struct pl_loop *loop;
	LIST_ENTRY(pl_conn) in_world;
	TAILQ_ENTRY(pl_conn) in_dirty;
	struct pl_conn *other; /* NULL: gone */
	struct wire *wire;
	const struct pl_conn_events *events;
	void *owner;
	struct pl_buffer output;
	uint64_t written, sent, acked;
	struct pl_buffer input; /* on its way to us, or unread */
	size_t arrived;         /* of it */
	struct pl_timer *linger;
	void (*farewell)(void *owner, uint64_t acked);
	void *farewell_owner;
	bool dirty, sending, paused, overflow, ended, closing, half_closed;
	bool eof, reset;        /* arrived */
	bool reading;           /* a read is due */
	bool shut;              /* to be half-closed once all is sent */
	bool gone;
	char peer[160], group[160];
};

struct pl_listener {
	struct dead dead;
	struct pl_loop *loop;
	LIST_ENTRY(pl_listener) in_world;
	pl_accepted accepted;
	void *owner;
	char endpoint[160];
};

/* ----- life ----- */

static void mark_dirty(struct pl_conn *conn)
{
	if (conn->dirty)
		return;
	conn->dirty = true;
	TAILQ_INSERT_TAIL(&conn->world->dirty, conn, in_dirty);
}

static void unmark_dirty(struct pl_conn *conn)
{
	if (!conn->dirty)
		return;
	conn->dirty = false;
	TAILQ_REMOVE(&conn->world->dirty, conn, in_dirty);
}

static void trace(const struct pl_conn *conn, const char *what,
		  const void *bytes, size_t length)
{
	char text[1500];

	if (!conn->world->trace)
		return;
	fprintf(stderr, "%8llu ms  from %s %s%s\n",
		(unsigned long long)conn->world->now, conn->peer, what,
		pl_text_printable(text, sizeof text, bytes, length));
}

static void on_eof(void *owner, size_t number);
static void on_reset(void *owner, size_t number);

/* The other end hears of it behind the bytes that are on their way. Who leaves
 * bytes unread resets, as the kernel does. */
static void tell_other(struct pl_conn *conn, bool reset)
{
	struct pl_conn *other = conn->other;
	uint64_t latency = conn->wire->link.latency_ms;

	if (other == NULL)
		return;
	conn->other = NULL;
	other->other = NULL;
	if (conn->wire->cut)
		return;
	if (reset)
		world_add(conn->world, latency, on_reset, other, 0);
	else if (!conn->half_closed)
		world_add(conn->world, latency, on_eof, other, 0);
}

static void drop(struct pl_conn *conn)
{
	assert(!conn->gone);
	conn->gone = true;
	if (conn->farewell != NULL)
		conn->farewell(conn->farewell_owner, conn->acked);
	tell_other(conn, conn->arrived > 0);
	world_forget(conn->world, conn);
	pl_timer_free(conn->linger);
	conn->events = NULL;
	pl_buffer_finish(&conn->output);
	pl_buffer_finish(&conn->input);
	unmark_dirty(conn);
	LIST_REMOVE(conn, in_world);
	conn->loop->connections--;
	if (--conn->wire->ends == 0)
		free(conn->wire);
	world_bury(conn->world, &conn->dead);
}

static void end(struct pl_conn *conn, enum pl_conn_end how, const char *text)
{
	if (conn->ended || conn->events == NULL)
		return;
	conn->ended = true;
	trace(conn, text, "", 0);
	conn->events->on_end(conn->owner, how, text);
}

/* ----- reading ----- */

static void read_later(struct pl_conn *conn);

/* Bytes for an end that is gone are answered by a reset. */
static bool awaits_acks(const struct pl_conn *conn)
{
	return conn->farewell != NULL && conn->other != NULL &&
	       conn->acked < conn->sent;
}

static void read_discarding(struct pl_conn *conn)
{
	pl_buffer_consume(&conn->input, conn->arrived);
	conn->arrived = 0;
	if (conn->reset ||
	    (conn->eof && conn->half_closed && !awaits_acks(conn)))
		drop(conn);
}

static void read_bytes(struct pl_conn *conn)
{
	unsigned char bytes[READ_SIZE];
	size_t n = conn->wire->link.chunk;

	if (n == 0 || n > sizeof bytes)
		n = sizeof bytes;
	if (n > conn->arrived)
		n = conn->arrived;
	memcpy(bytes, pl_buffer_bytes(&conn->input), n);
	pl_buffer_consume(&conn->input, n);
	conn->arrived -= n;
	if (conn->other != NULL && conn->other->output.length > 0)
		mark_dirty(conn->other);
	if (conn->arrived > 0 || conn->eof || conn->reset)
		read_later(conn);
	trace(conn, "| ", bytes, n);
	conn->events->on_data(conn->owner, bytes, n);
}

static void on_read(void *owner, size_t number)
{
	struct pl_conn *conn = owner;

	conn->reading = false;
	if (conn->closing)
		read_discarding(conn);
	else if (conn->events == NULL || conn->paused || conn->ended ||
		 conn->overflow)
		return;
	else if (conn->arrived > 0)
		read_bytes(conn);
	else if (conn->reset)
		end(conn, PL_CONN_RESET, "connection reset by peer");
	else if (conn->eof)
		end(conn, PL_CONN_EOF, "the peer closed the connection");
}

static void read_later(struct pl_conn *conn)
{
	if (conn->reading)
		return;
	conn->reading = true;
	world_add(conn->world, 0, on_read, conn, 0);
}

static void on_arrival(void *owner, size_t number)
{
	struct pl_conn *conn = owner;

	conn->arrived += number;
	if (conn->other != NULL) {
		conn->other->acked += number; /* it is there at once */
		if (conn->other->closing)
			read_later(conn->other);
	}
	read_later(conn);
}

static void on_eof(void *owner, size_t number)
{
	struct pl_conn *conn = owner;

	conn->eof = true;
	read_later(conn);
}

static void on_reset(void *owner, size_t number)
{
	struct pl_conn *conn = owner;

	conn->reset = true;
	pl_buffer_finish(&conn->output);
	read_later(conn);
}

/* ----- writing ----- */

static size_t window_of(const struct pl_conn *to)
{
	size_t window = to->wire->link.window != 0 ? to->wire->link.window
						   : WINDOW;

	return to->input.length < window ? window - to->input.length : 0;
}

static void travel(struct pl_conn *to, const unsigned char *bytes,
		   size_t length)
{
	const struct script_link *link = &to->wire->link;
	size_t chunk = link->chunk != 0 ? link->chunk : READ_SIZE;

	if (!pl_buffer_append(&to->input, bytes, length))
		abort();
	while (length > 0) {
		size_t n = length < chunk ? length : chunk;

		world_add(to->world, link->latency_ms, on_arrival, to, n);
		length -= n;
	}
}

/* How many of n bytes still cross before the link's fault. */
static size_t before_fault(const struct wire *wire, size_t n, size_t fault)
{
	size_t left = fault > wire->crossed ? fault - wire->crossed : 0;

	return fault == 0 || n < left ? n : left;
}

void conn_reset(struct pl_conn *conn)
{
	uint64_t latency = conn->wire->link.latency_ms;

	conn->wire->cut = true;
	if (conn->other != NULL)
		world_add(conn->world, latency, on_reset, conn->other, 0);
	world_add(conn->world, latency, on_reset, conn, 0);
}

static void send_output(struct pl_conn *conn)
{
	struct pl_buffer *output = &conn->output;
	struct wire *wire = conn->wire;
	size_t n = output->length, room;

	conn->sending = true;
	if (conn->other == NULL && !wire->cut) {
		/* Nobody is there: the answer is a reset. */
		pl_buffer_finish(output);
		world_add(conn->world, 2 * wire->link.latency_ms, on_reset,
			  conn, 0);
		return;
	}
	if (wire->cut) {
		/* Into the void, as far as the kernel's buffer goes. */
		room = WINDOW > wire->crossed ? WINDOW - wire->crossed : 0;
		n = n < room ? n : room;
		wire->crossed += n;
		pl_buffer_consume(output, n);
		conn->sent += n;
		return;
	}
	room = window_of(conn->other);
	n = n < room ? n : room;
	room = before_fault(wire, n, wire->link.silent_after);
	room = before_fault(wire, room, wire->link.reset_after);
	travel(conn->other, pl_buffer_bytes(output), room);
	wire->crossed += room;
	if (wire->link.reset_after != 0 &&
	    wire->crossed >= wire->link.reset_after)
		conn_reset(conn);
	if (wire->link.silent_after != 0 &&
	    wire->crossed >= wire->link.silent_after) {
		wire->cut = true;
		wire->crossed = n - room;
	}
	pl_buffer_consume(output, n);
	conn->sent += n;
}

void conn_half_close(struct pl_conn *conn)
{
	conn->shut = true;
	mark_dirty(conn);
}

static void half_close(struct pl_conn *conn)
{
	conn->half_closed = true;
	if (conn->other != NULL && !conn->wire->cut)
		world_add(conn->world, conn->wire->link.latency_ms, on_eof,
			  conn->other, 0);
	if (conn->closing && (conn->eof || conn->other == NULL) &&
	    !awaits_acks(conn))
		drop(conn);
}

static void report_drained(struct pl_conn *conn)
{
	if (!conn->sending || conn->output.length > 0)
		return;
	conn->sending = false;
	if (!conn->ended && conn->events != NULL &&
	    conn->events->on_drained != NULL)
		conn->events->on_drained(conn->owner);
}

static void flush(struct pl_conn *conn)
{
	unmark_dirty(conn);
	if (conn->output.length > 0)
		send_output(conn);
	if ((conn->closing || conn->shut) && conn->output.length == 0 &&
	    !conn->half_closed)
		half_close(conn);
	else if (conn->closing)
		return;
	else if (conn->overflow)
		end(conn, PL_CONN_OVERFLOW,
		    "the peer does not read what is sent to it");
	else
		report_drained(conn);
}

void conns_flush(struct script *world)
{
	struct pl_conn *conn;
	size_t count = 0;

	TAILQ_FOREACH(conn, &world->dirty, in_dirty)
		count++;
	while (count-- > 0 && (conn = TAILQ_FIRST(&world->dirty)) != NULL)
		flush(conn);
}

void conns_abort(struct script *world, struct pl_loop *loop)
{
	struct pl_conn *conn = LIST_FIRST(&world->conns), *next;

	for (; conn != NULL; conn = next) {
		next = LIST_NEXT(conn, in_world);
		if (conn->loop != loop)
			continue;
		conn->farewell = NULL;
		drop(conn);
	}
}

/* ----- net.h: connections ----- */

void pl_conn_own(struct pl_conn *conn, const struct pl_conn_events *events,
		 void *owner)
{
	conn->events = events;
	conn->owner = owner;
	read_later(conn);
}

bool pl_conn_write(struct pl_conn *conn, const void *bytes, size_t length)
{
	if (conn->ended || conn->closing || conn->overflow)
		return false;
	if (conn->reset) {
		conn->written += length;
		return true;
	}
	if (!pl_buffer_append(&conn->output, bytes, length)) {
		conn->overflow = true;
		mark_dirty(conn);
		return false;
	}
	conn->written += length;
	mark_dirty(conn);
	return true;
}

size_t pl_conn_pending(const struct pl_conn *conn)
{
	return conn->output.length;
}

uint64_t pl_conn_written(const struct pl_conn *conn)
{
	return conn->written;
}

uint64_t pl_conn_sent(const struct pl_conn *conn)
{
	return conn->sent;
}

uint64_t pl_conn_acked(const struct pl_conn *conn)
{
	return conn->acked;
}

uint64_t pl_conn_settle(struct pl_conn *conn)
{
	return conn->acked;
}

void pl_conn_set_output_limit(struct pl_conn *conn, size_t bytes)
{
	conn->output.limit = bytes;
}

void pl_conn_pause(struct pl_conn *conn)
{
	conn->paused = true;
}

void pl_conn_resume(struct pl_conn *conn)
{
	conn->paused = false;
	read_later(conn);
}

static void on_linger_over(void *owner)
{
	drop(owner);
}

void pl_conn_close(struct pl_conn *conn, uint64_t linger_ms)
{
	if (conn->closing)
		return;
	conn->closing = true;
	conn->events = NULL;
	conn->linger = pl_timer_new(conn->loop, on_linger_over, conn);
	pl_timer_set(conn->linger, linger_ms);
	read_later(conn);
	mark_dirty(conn);
}

void pl_conn_farewell(struct pl_conn *conn, uint64_t linger_ms,
		      void (*gone)(void *owner, uint64_t acked), void *owner)
{
	if (conn->closing)
		return;
	conn->farewell = gone;
	conn->farewell_owner = owner;
	pl_conn_close(conn, linger_ms);
}

void pl_conn_abort(struct pl_conn *conn)
{
	drop(conn);
}

const char *pl_conn_peer(const struct pl_conn *conn)
{
	return conn->peer;
}

const char *pl_conn_peer_group(const struct pl_conn *conn)
{
	return conn->group;
}

/* What the other end, while it is there, sees of this one. */
void pl_conn_local(const struct pl_conn *conn, char out[PL_ENDPOINT_SIZE])
{
	snprintf(out, PL_ENDPOINT_SIZE, "%.63s",
		 conn->other != NULL ? conn->other->peer : "");
}

/* ----- connecting two ends ----- */

static void set_names(struct pl_conn *conn, const char *peer)
{
	struct pl_dns_address address;
	char *colon;

	snprintf(conn->peer, sizeof conn->peer, "%s",
		 strncmp(peer, "unix:", 5) == 0 ? "unix" : peer);
	snprintf(conn->group, sizeof conn->group, "%s", conn->peer);
	if (!endpoint_parse(conn->peer, &address))
		return;
	if (address.addr.ss_family == AF_INET) {
		colon = strrchr(conn->group, ':');
		*colon = '\0';
	} else {
		struct sockaddr_in6 *v6 = (void *)&address.addr;
		char text[INET6_ADDRSTRLEN];

		memset(v6->sin6_addr.s6_addr + 8, 0, 8);
		inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
		snprintf(conn->group, sizeof conn->group, "%s/64", text);
	}
}

static struct pl_conn *end_new(struct pl_loop *loop, struct wire *wire,
			       const char *peer)
{
	struct pl_conn *conn = pl_calloc(1, sizeof *conn);

	conn->world = loop->world;
	conn->loop = loop;
	conn->wire = wire;
	wire->ends++;
	set_names(conn, peer);
	pl_buffer_init(&conn->output, OUTPUT_LIMIT);
	LIST_INSERT_HEAD(&loop->world->conns, conn, in_world);
	loop->connections++;
	return conn;
}

/* The two ends of a new connection: [0] is the dialling one. */
static void connect_ends(struct pl_loop *from, const char *source,
			 struct pl_listener *to, const char *endpoint,
			 const struct script_link *link,
			 struct pl_conn *ends[2])
{
	struct wire *wire = pl_calloc(1, sizeof *wire);

	wire->link = *link;
	ends[0] = end_new(from, wire, endpoint);
	ends[1] = end_new(to->loop, wire, source);
	ends[0]->other = ends[1];
	ends[1]->other = ends[0];
}

/* ----- net.h: listeners ----- */

static struct pl_listener *find_listener(struct script *world,
					 const char *endpoint, bool exact)
{
	const char *port = strrchr(endpoint, ':');
	struct pl_listener *listener;
	char any[64];

	LIST_FOREACH(listener, &world->listeners, in_world)
		if (strcmp(listener->endpoint, endpoint) == 0)
			return listener;
	if (exact || port == NULL || strncmp(endpoint, "unix:", 5) == 0)
		return NULL;
	snprintf(any, sizeof any, "%s%s",
		 endpoint[0] == '[' ? "[::]" : "0.0.0.0", port);
	return strcmp(any, endpoint) == 0 ? NULL
					  : find_listener(world, any, true);
}

static struct pl_listener *listen_at(struct pl_loop *loop, const char *endpoint,
				     pl_accepted accepted, void *owner,
				     struct pl_error *error)
{
	struct pl_listener *listener;

	if (find_listener(loop->world, endpoint, true) != NULL) {
		pl_error_set(error, "cannot listen on %s: address already in "
			     "use", endpoint);
		return NULL;
	}
	listener = pl_calloc(1, sizeof *listener);
	listener->loop = loop;
	listener->accepted = accepted;
	listener->owner = owner;
	snprintf(listener->endpoint, sizeof listener->endpoint, "%s",
		 endpoint);
	LIST_INSERT_HEAD(&loop->world->listeners, listener, in_world);
	return listener;
}

struct pl_listener *pl_listener_new(struct pl_loop *loop, const char *endpoint,
				    pl_accepted accepted, void *owner,
				    struct pl_error *error)
{
	struct pl_dns_address address;
	char normal[64];

	if (!endpoint_parse(endpoint, &address)) {
		pl_error_set(error, "cannot listen on %s: no IP address and "
			     "port", endpoint);
		return NULL;
	}
	endpoint_text(&address.addr, normal, sizeof normal);
	return listen_at(loop, normal, accepted, owner, error);
}

struct pl_listener *pl_listener_unix(struct pl_loop *loop, const char *path,
				     pl_accepted accepted, void *owner,
				     struct pl_error *error)
{
	char endpoint[160];

	snprintf(endpoint, sizeof endpoint, "unix:%s", path);
	return listen_at(loop, endpoint, accepted, owner, error);
}

void pl_listener_free(struct pl_listener *listener)
{
	if (listener == NULL)
		return;
	LIST_REMOVE(listener, in_world);
	world_bury(listener->loop->world, &listener->dead);
}

/* ----- links ----- */

void script_link(struct script *world, const char *endpoint,
		 const struct script_link *link)
{
	struct link_entry *entry;

	if (endpoint == NULL) {
		world->default_link = *link;
		return;
	}
	for (entry = world->links; entry != NULL; entry = entry->next)
		if (strcmp(entry->endpoint, endpoint) == 0)
			break;
	if (entry == NULL) {
		entry = pl_calloc(1, sizeof *entry);
		snprintf(entry->endpoint, sizeof entry->endpoint, "%s",
			 endpoint);
		entry->next = world->links;
		world->links = entry;
	}
	entry->link = *link;
}

static const struct script_link *find_link(const struct script *world,
					   const char *endpoint)
{
	for (struct link_entry *e = world->links; e != NULL; e = e->next)
		if (strcmp(e->endpoint, endpoint) == 0)
			return &e->link;
	return &world->default_link;
}

/* ----- net.h: dialling ----- */

enum outcome { PENDING, REFUSED, TIMED_OUT, UNREACHABLE };

struct attempt {
	char endpoint[160];
	char source[160];
	struct pl_conn *conn; /* ours, once the other side accepted */
};

struct pl_dial {
	struct dead dead;
	struct pl_loop *loop;
	struct script *world;
	struct happening *next; /* NULL: none due */
	pl_dialled dialled;
	void *owner;
	uint64_t timeout_ms;
	size_t count, started, failed;
	enum outcome last;
	const char *last_endpoint;
	struct attempt attempts[];
};

static void bury_dial(struct pl_dial *dial)
{
	for (size_t i = 0; i < dial->started; i++)
		if (dial->attempts[i].conn != NULL)
			drop(dial->attempts[i].conn);
	world_forget(dial->world, dial);
	world_bury(dial->world, &dial->dead);
}

static void answer(struct pl_dial *dial, const struct pl_dial_result *result)
{
	pl_dialled dialled = dial->dialled;
	void *owner = dial->owner;

	bury_dial(dial);
	dialled(owner, result);
}

static void answer_failure(struct pl_dial *dial)
{
	struct pl_dial_result result = { .code = PL_CODE_TCP_UNREACHABLE };
	const char *text = "network is unreachable";

	if (dial->count == 0) {
		text = "no address to try";
	} else if (dial->last == REFUSED) {
		result.code = PL_CODE_TCP_REFUSED;
		text = "connection refused";
	} else if (dial->last == TIMED_OUT) {
		result.code = PL_CODE_TCP_TIMEOUT;
		text = "no answer in time";
	}
	snprintf(result.text, sizeof result.text, "%s", text);
	if (dial->last_endpoint != NULL)
		snprintf(result.peer, sizeof result.peer, "%.63s",
			 dial->last_endpoint);
	answer(dial, &result);
}

static void on_next(void *owner, size_t number);

static void next_after(struct pl_dial *dial, uint64_t delay_ms)
{
	if (dial->next != NULL)
		world_remove(dial->world, dial->next);
	dial->next = world_add(dial->world, delay_ms, on_next, dial, 0);
}

static void fail(struct pl_dial *dial, size_t n, enum outcome outcome)
{
	dial->failed++;
	dial->last = outcome;
	dial->last_endpoint = dial->attempts[n].endpoint;
	if (dial->failed == dial->count)
		answer_failure(dial);
	else if (dial->started < dial->count)
		next_after(dial, 0);
}

static void on_refused(void *owner, size_t n)
{
	fail(owner, n, REFUSED);
}

static void on_unreachable(void *owner, size_t n)
{
	fail(owner, n, UNREACHABLE);
}

static void on_silence(void *owner, size_t n)
{
	fail(owner, n, TIMED_OUT);
}

/* The SYN is there. */
static void on_arrived(void *owner, size_t n)
{
	struct pl_dial *dial = owner;
	struct attempt *attempt = &dial->attempts[n];
	struct pl_listener *listener = find_listener(dial->world,
						     attempt->endpoint, false);
	const struct script_link *link = find_link(dial->world,
						   attempt->endpoint);
	struct pl_conn *ends[2];

	if (listener == NULL) {
		world_add(dial->world, link->latency_ms, on_refused, dial, n);
		return;
	}
	connect_ends(dial->loop, attempt->source, listener, attempt->endpoint,
		     link, ends);
	attempt->conn = ends[0];
	listener->accepted(listener->owner, ends[1]);
}

static void on_connected(void *owner, size_t n)
{
	struct pl_dial *dial = owner;
	struct pl_dial_result result = { .code = PL_CODE_NONE };

	if (dial->attempts[n].conn == NULL)
		return; /* it was refused meanwhile */
	result.conn = dial->attempts[n].conn;
	dial->attempts[n].conn = NULL;
	snprintf(result.peer, sizeof result.peer, "%.63s",
		 dial->attempts[n].endpoint);
	answer(dial, &result);
}

static void start(struct pl_dial *dial, size_t n)
{
	const struct script_link *link = find_link(dial->world,
						   dial->attempts[n].endpoint);
	uint64_t there = link->latency_ms;

	switch (link->reach) {
	case SCRIPT_OPEN:
		if (2 * there > dial->timeout_ms)
			break;
		world_add(dial->world, there, on_arrived, dial, n);
		world_add(dial->world, 2 * there, on_connected, dial, n);
		return;
	case SCRIPT_REFUSED:
		world_add(dial->world, 2 * there, on_refused, dial, n);
		return;
	case SCRIPT_UNREACHABLE:
		world_add(dial->world, 0, on_unreachable, dial, n);
		return;
	case SCRIPT_SILENT:
		break;
	}
	world_add(dial->world, dial->timeout_ms, on_silence, dial, n);
}

static void on_next(void *owner, size_t number)
{
	struct pl_dial *dial = owner;

	dial->next = NULL;
	if (dial->count == 0) {
		answer_failure(dial);
		return;
	}
	if (dial->started == dial->count)
		return;
	start(dial, dial->started++);
	if (dial->started < dial->count)
		next_after(dial, ATTEMPT_DELAY_MS);
}

static struct pl_dial *dial_new(struct pl_loop *loop, size_t count,
				uint64_t timeout_ms, pl_dialled dialled,
				void *owner)
{
	struct pl_dial *dial = pl_calloc(
		1, sizeof *dial + count * sizeof dial->attempts[0]);

	dial->loop = loop;
	dial->world = loop->world;
	dial->dialled = dialled;
	dial->owner = owner;
	dial->timeout_ms = timeout_ms;
	dial->count = count;
	next_after(dial, 0);
	return dial;
}

static void set_attempt(struct pl_dial *dial, size_t n, const char *endpoint,
			const char *from)
{
	struct attempt *attempt = &dial->attempts[n];

	snprintf(attempt->endpoint, sizeof attempt->endpoint, "%s", endpoint);
	snprintf(attempt->source, sizeof attempt->source,
		 strchr(from, ':') != NULL ? "[%s]:%u" : "%s:%u", from,
		 dial->world->next_port++);
}

struct pl_dial *dial_from(struct pl_loop *loop, const char *from,
			  const char *endpoint, uint64_t timeout_ms,
			  pl_dialled dialled, void *owner)
{
	struct pl_dial *dial = dial_new(loop, 1, timeout_ms, dialled, owner);

	set_attempt(dial, 0, endpoint, from);
	return dial;
}

/* As RFC 8305 4 has it: the first one's family, then the other, in turn. */
struct pl_dial *pl_dial_start(struct pl_loop *loop,
			      const struct pl_dns_address *addresses,
			      size_t count, uint64_t timeout_ms,
			      pl_dialled dialled, void *owner)
{
	struct pl_dial *dial;
	bool taken[MOST_ADDRESSES] = { false };
	int family = 0;

	if (count > MOST_ADDRESSES)
		count = MOST_ADDRESSES;
	dial = dial_new(loop, count, timeout_ms, dialled, owner);
	for (size_t n = 0; n < count; n++) {
		char endpoint[64];
		size_t i = 0;

		while (taken[i] || addresses[i].addr.ss_family == family)
			if (++i == count)
				break;
		if (i == count)
			for (i = 0; taken[i]; i++)
				;
		taken[i] = true;
		family = addresses[i].addr.ss_family;
		endpoint_text(&addresses[i].addr, endpoint, sizeof endpoint);
		set_attempt(dial, n, endpoint,
			    family == AF_INET ? loop->v4 : loop->v6);
	}
	return dial;
}

void pl_dial_cancel(struct pl_dial *dial)
{
	bury_dial(dial);
}
