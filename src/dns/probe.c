/*
 * Does the resolver itself answer?
 *
 * libunbound says SERVFAIL both when a domain's servers fail and when nobody
 * answers at all. For the people who must act that is all the difference, so
 * the name servers of resolv.conf are asked for the root's NS records, by UDP:
 * any answer is a sign of life.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROUNDS = 5, ROUND_MS = 500, HEADER_SIZE = 12, QR = 0x80 };

static void close_server(struct probed *server)
{
	if (server->fd < 0)
		return;
	event_del(&server->answer);
	close(server->fd);
	server->fd = -1;
}

void probe_stop(struct probe *probe)
{
	if (!probe->running)
		return;
	probe->running = false;
	event_del(&probe->retry);
	for (size_t i = 0; i < probe->resolver->nameservers_count; i++)
		close_server(&probe->servers[i]);
}

static void conclude(struct probe *probe, enum liveness liveness)
{
	struct pl_dns_query *query = LIST_FIRST(&probe->resolver->queries);

	probe_stop(probe);
	for (; query != NULL; query = query_next(query))
		query_probed(query, liveness);
}

static bool someone_is_left(const struct probe *probe)
{
	for (size_t i = 0; i < probe->resolver->nameservers_count; i++)
		if (probe->servers[i].fd >= 0)
			return true;
	return false;
}

/* Connected sockets: only the server itself can answer, and a closed port is
 * reported by the kernel. */
static void on_reply(evutil_socket_t fd, short what, void *arg)
{
	struct probed *server = arg;
	struct probe *probe = server->probe;
	uint8_t reply[512];
	ssize_t n = recv(fd, reply, sizeof reply, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n >= HEADER_SIZE && memcmp(reply, probe->packet, 2) == 0 &&
	    (reply[2] & QR)) {
		conclude(probe, ALIVE);
		return;
	}
	if (n >= 0)
		return; /* not an answer to us */
	close_server(server);
	if (!someone_is_left(probe))
		conclude(probe, DEAD);
}

static void open_server(struct probe *probe, size_t i)
{
	const struct nameserver *to = &probe->resolver->nameservers[i];
	struct probed *server = &probe->servers[i];

	server->probe = probe;
	server->fd = socket(to->addr.ss_family,
			    SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (server->fd < 0)
		return;
	event_assign(&server->answer, probe->resolver->base, server->fd,
		     EV_READ | EV_PERSIST, on_reply, server);
	if (connect(server->fd, (const struct sockaddr *)&to->addr,
		    to->length) != 0 || event_add(&server->answer, NULL) != 0)
		close_server(server);
}

static void send_round(struct probe *probe)
{
	static const struct timeval delay = { .tv_usec = ROUND_MS * 1000 };

	for (size_t i = 0; i < probe->resolver->nameservers_count; i++) {
		struct probed *server = &probe->servers[i];

		if (server->fd >= 0 &&
		    send(server->fd, probe->packet, sizeof probe->packet,
			 MSG_NOSIGNAL) < 0 && errno != EAGAIN)
			close_server(server);
	}
	probe->sent++;
	if (!someone_is_left(probe) || event_add(&probe->retry, &delay) != 0)
		conclude(probe, DEAD);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct probe *probe = arg;

	if (probe->sent < ROUNDS)
		send_round(probe);
	else
		conclude(probe, DEAD);
}

void probe_init(struct probe *probe, struct pl_resolver *resolver)
{
	probe->resolver = resolver;
	evtimer_assign(&probe->retry, resolver->base, on_retry, probe);
}

/* Header with RD and one question: the root, NS, IN. */
static void make_packet(uint8_t packet[17])
{
	static const uint8_t plain[17] = { [2] = 0x01, [5] = 1, [14] = 2,
					   [16] = 1 };

	memcpy(packet, plain, sizeof plain);
	if (getrandom(packet, 2, GRND_NONBLOCK) != 2)
		packet[0] = 'p'; /* it guards nothing but a diagnosis */
}

void probe_start(struct probe *probe)
{
	if (probe->running)
		return;
	probe->running = true;
	probe->sent = 0;
	make_packet(probe->packet);
	for (size_t i = 0; i < probe->resolver->nameservers_count; i++)
		open_server(probe, i);
	send_round(probe);
}
