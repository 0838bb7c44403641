/*
 * Connections: reading into the loop's buffer, writing once a turn, ending.
 *
 * A write that fails does not end the connection at once: what the peer said
 * before it (a TLS alert, a stream error) is still in the kernel and is read
 * first. The reader then meets the end and reports it.
 */
#include "internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A generous default; whoever knows better says so. */
enum { OUTPUT_LIMIT = 4 * 1024 * 1024 };
/* So much does not wait for the end of the turn: a thousand streams may feed
 * one connection in the same turn. */
enum { AT_ONCE = 128 * 1024 };
/* How often a connection that only waits for acknowledgements is looked at. */
enum { ACKED_MS = 50 };

/* ----- words ----- */

void error_text(int error, char *out, size_t size)
{
	const char *text = strerrordesc_np(error);

	if (text == NULL) {
		snprintf(out, size, "error %d", error);
		return;
	}
	snprintf(out, size, "%s", text);
	if (out[0] >= 'A' && out[0] <= 'Z' && !(out[1] >= 'A' && out[1] <= 'Z'))
		out[0] = (char)(out[0] + ('a' - 'A'));
}

void address_text(const struct sockaddr *addr, char *out, size_t size)
{
	const struct sockaddr_in *v4 = (const void *)addr;
	const struct sockaddr_in6 *v6 = (const void *)addr;
	char text[INET6_ADDRSTRLEN] = "?";

	if (addr->sa_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
		snprintf(out, size, "%s:%u", text, ntohs(v4->sin_port));
	} else if (addr->sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
		snprintf(out, size, "[%s]:%u", text, ntohs(v6->sin6_port));
	} else {
		snprintf(out, size, "unix");
	}
}

/* One subscriber has a whole /64 of IPv6, so that is what limits count. */
static void group_text(const struct sockaddr *addr, char *out, size_t size)
{
	const struct sockaddr_in *v4 = (const void *)addr;
	const struct sockaddr_in6 *v6 = (const void *)addr;
	char text[INET6_ADDRSTRLEN] = "?";
	struct in6_addr net;

	if (addr->sa_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
		snprintf(out, size, "%s", text);
	} else if (addr->sa_family == AF_INET6 &&
		   IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], text,
			  sizeof text);
		snprintf(out, size, "%s", text);
	} else if (addr->sa_family == AF_INET6) {
		net = v6->sin6_addr;
		memset(net.s6_addr + 8, 0, 8);
		inet_ntop(AF_INET6, &net, text, sizeof text);
		snprintf(out, size, "%s/64", text);
	} else {
		snprintf(out, size, "unix");
	}
}

/* ----- life ----- */

static void mark_dirty(struct pl_conn *conn)
{
	if (conn->dirty)
		return;
	conn->dirty = true;
	TAILQ_INSERT_TAIL(&conn->loop->dirty, conn, in_dirty);
	conn->loop->dirty_count++;
}

static void unmark_dirty(struct pl_conn *conn)
{
	if (!conn->dirty)
		return;
	conn->dirty = false;
	TAILQ_REMOVE(&conn->loop->dirty, conn, in_dirty);
	conn->loop->dirty_count--;
}

/* Bytes that the kernel has and the peer's TCP has not acknowledged. Our FIN
 * counts as one, and is the last. */
static uint64_t unacked(const struct pl_conn *conn)
{
	int bytes = 0;

	if (ioctl(conn->fd, SIOCOUTQ, &bytes) != 0 || bytes <= 0)
		return 0;
	return (uint64_t)bytes - conn->half_closed;
}

/* Out of everything; the memory goes when the turn ends. */
static void drop(struct pl_conn *conn)
{
	if (conn->gone != NULL)
		conn->gone(conn->gone_owner, pl_conn_settle(conn));
	event_del(&conn->readable);
	event_del(&conn->writable);
	close(conn->fd);
	conn->fd = -1;
	conn->events = NULL;
	pl_timer_free(conn->linger);
	conn->linger = NULL;
	pl_buffer_finish(&conn->output);
	unmark_dirty(conn);
	LIST_REMOVE(conn, in_loop);
	conn->loop->connections--;
	loop_bury(conn->loop, &conn->dead);
}

static void end(struct pl_conn *conn, enum pl_conn_end how, const char *text)
{
	event_del(&conn->readable);
	if (conn->ended || conn->events == NULL)
		return;
	conn->ended = true;
	conn->events->on_end(conn->owner, how, text);
}

static void end_with_errno(struct pl_conn *conn, int error)
{
	char text[128];

	error_text(error, text, sizeof text);
	end(conn, PL_CONN_RESET, text);
}

/* ----- reading ----- */

/* Both directions are over, but what the peer has is still to be known. */
static bool awaits_acks(struct pl_conn *conn)
{
	uint64_t now = pl_loop_now_ms(conn->loop);

	if (conn->gone == NULL || now >= conn->linger_until_ms ||
	    unacked(conn) == 0)
		return false;
	pl_timer_set(conn->linger, now + ACKED_MS < conn->linger_until_ms
					   ? ACKED_MS
					   : conn->linger_until_ms - now);
	return true;
}

static void discard_input(struct pl_conn *conn, ssize_t n)
{
	if (n > 0)
		return;
	conn->eof = true;
	event_del(&conn->readable);
	if (n < 0 || (conn->half_closed && !awaits_acks(conn)))
		drop(conn);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct pl_conn *conn = arg;
	struct pl_loop *loop = conn->loop;
	ssize_t n = recv(fd, loop->input, sizeof loop->input, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (conn->closing) {
		discard_input(conn, n);
	} else if (n > 0) {
		conn->events->on_data(conn->owner, loop->input, (size_t)n);
	} else if (conn->write_error != 0) {
		end_with_errno(conn, conn->write_error);
	} else if (n < 0) {
		end_with_errno(conn, errno);
	} else {
		conn->eof = true;
		end(conn, PL_CONN_EOF, "the peer closed the connection");
	}
}

static void read_on(struct pl_conn *conn)
{
	if (conn->eof || (conn->ended && !conn->closing))
		return;
	if (event_add(&conn->readable, NULL) == 0)
		return;
	conn->write_error = ENOMEM;
	mark_dirty(conn);
}

/* ----- writing ----- */

static void write_failed(struct pl_conn *conn, int error)
{
	conn->write_error = error;
	pl_buffer_finish(&conn->output);
}

static void send_output(struct pl_conn *conn)
{
	struct pl_buffer *output = &conn->output;
	ssize_t n = send(conn->fd, pl_buffer_bytes(output), output->length,
			 MSG_NOSIGNAL);

	if (n >= 0) {
		pl_buffer_consume(output, (size_t)n);
		conn->sent += (size_t)n;
		conn->sending = true;
	} else if (errno != EAGAIN && errno != EINTR) {
		write_failed(conn, errno);
		return;
	}
	if (output->length == 0) {
		pl_buffer_trim(output);
	} else {
		conn->blocked = true;
		if (event_add(&conn->writable, NULL) != 0)
			write_failed(conn, ENOMEM);
	}
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct pl_conn *conn = arg;

	conn->blocked = false;
	mark_dirty(conn);
}

/* All that was to be sent is with the kernel, or cannot be sent. */
static void half_close(struct pl_conn *conn)
{
	if (conn->write_error != 0 || shutdown(conn->fd, SHUT_WR) != 0) {
		drop(conn);
		return;
	}
	conn->half_closed = true;
	if (conn->eof && !awaits_acks(conn))
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

void conn_flush(struct pl_conn *conn)
{
	unmark_dirty(conn);
	if (conn->output.length > 0 && !conn->blocked)
		send_output(conn);
	if (conn->closing) {
		if (conn->output.length == 0 && !conn->half_closed)
			half_close(conn);
	} else if (conn->overflow) {
		end(conn, PL_CONN_OVERFLOW,
		    "the peer does not read what is sent to it");
	} else if (conn->write_error != 0) {
		/* The reader goes on to the end, unless it may not read. */
		if (!event_pending(&conn->readable, EV_READ, NULL))
			end_with_errno(conn, conn->write_error);
	} else {
		report_drained(conn);
	}
}

/* ----- what others see ----- */

void conn_options(int fd, int family)
{
	const int idle_s = 60, between_s = 20, tries = 3;
	const unsigned unanswered_ms = 120000;
	int on = 1;

	if (family != AF_INET && family != AF_INET6)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	/* A peer that vanished is noticed within two minutes, whether we
	 * wait for it or it for us. */
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &between_s,
		   sizeof between_s);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof tries);
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered_ms,
		   sizeof unanswered_ms);
}

struct pl_conn *conn_new(struct pl_loop *loop, int fd,
			 const struct sockaddr *peer)
{
	struct pl_conn *conn = calloc(1, sizeof *conn);

	if (conn == NULL) {
		close(fd);
		return NULL;
	}
	conn->loop = loop;
	conn->fd = fd;
	address_text(peer, conn->peer, sizeof conn->peer);
	group_text(peer, conn->group, sizeof conn->group);
	pl_buffer_init(&conn->output, OUTPUT_LIMIT);
	event_assign(&conn->readable, loop->base, fd, EV_READ | EV_PERSIST,
		     on_readable, conn);
	event_assign(&conn->writable, loop->base, fd, EV_WRITE, on_writable,
		     conn);
	LIST_INSERT_HEAD(&loop->conns, conn, in_loop);
	loop->connections++;
	return conn;
}

void pl_conn_own(struct pl_conn *conn, const struct pl_conn_events *events,
		 void *owner)
{
	conn->events = events;
	conn->owner = owner;
	if (!conn->paused)
		read_on(conn);
}

bool pl_conn_write(struct pl_conn *conn, const void *bytes, size_t length)
{
	if (conn->ended || conn->closing || conn->overflow)
		return false;
	if (conn->write_error != 0) {
		conn->written += length;
		return true; /* on_end follows; nobody will read it */
	}
	if (!pl_buffer_append(&conn->output, bytes, length)) {
		conn->overflow = true;
		event_del(&conn->readable);
		mark_dirty(conn);
		return false;
	}
	conn->written += length;
	if (conn->blocked)
		return true;
	mark_dirty(conn);
	if (conn->output.length >= AT_ONCE)
		send_output(conn);
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
	uint64_t on_its_way = unacked(conn);

	return on_its_way < conn->sent ? conn->sent - on_its_way : 0;
}

/* What the kernel still has goes with a reset. */
uint64_t pl_conn_settle(struct pl_conn *conn)
{
	const struct linger at_once = { .l_onoff = 1 };
	uint64_t acked = pl_conn_acked(conn);

	if (acked < conn->sent)
		setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &at_once,
			   sizeof at_once);
	return acked;
}

void pl_conn_set_output_limit(struct pl_conn *conn, size_t bytes)
{
	conn->output.limit = bytes;
}

void pl_conn_pause(struct pl_conn *conn)
{
	conn->paused = true;
	if (!conn->closing)
		event_del(&conn->readable);
}

void pl_conn_resume(struct pl_conn *conn)
{
	conn->paused = false;
	if (conn->events != NULL && !conn->overflow)
		read_on(conn);
}

static void on_linger_over(void *owner)
{
	struct pl_conn *conn = owner;

	if (!conn->eof || !conn->half_closed || !awaits_acks(conn))
		drop(conn);
}

void pl_conn_close(struct pl_conn *conn, uint64_t linger_ms)
{
	if (conn->closing)
		return;
	conn->closing = true;
	conn->events = NULL;
	conn->linger = pl_timer_new(conn->loop, on_linger_over, conn);
	conn->linger_until_ms = pl_loop_now_ms(conn->loop) + linger_ms;
	pl_timer_set(conn->linger, linger_ms);
	read_on(conn);
	mark_dirty(conn);
}

void pl_conn_farewell(struct pl_conn *conn, uint64_t linger_ms,
		      void (*gone)(void *owner, uint64_t acked), void *owner)
{
	if (conn->closing)
		return;
	conn->gone = gone;
	conn->gone_owner = owner;
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

void pl_conn_local(const struct pl_conn *conn, char out[PL_ENDPOINT_SIZE])
{
	struct sockaddr_storage addr = { .ss_family = AF_UNSPEC };
	socklen_t size = sizeof addr;

	out[0] = '\0';
	if (getsockname(conn->fd, (struct sockaddr *)&addr, &size) == 0)
		address_text((struct sockaddr *)&addr, out, PL_ENDPOINT_SIZE);
}
