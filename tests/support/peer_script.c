/* Scripted peers: owners of ordinary connections that collect what comes. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct script_peer {
	LIST_ENTRY(script_peer) in_world;
	LIST_ENTRY(script_peer) in_server;
	struct script *world;
	struct pl_conn *conn;       /* NULL: closed */
	struct pl_buffer received;  /* a NUL follows, see script_received() */
	bool ended;
	script_reaction react;
	void *react_owner;
	char address[160];
};

struct script_server {
	LIST_ENTRY(script_server) in_world;
	LIST_HEAD(, script_peer) waiting; /* the last one first */
	struct script *world;
	struct pl_listener *listener;
};

static void on_data(void *owner, const void *bytes, size_t length)
{
	struct script_peer *peer = owner;

	if (peer->react != NULL)
		peer->react(peer->react_owner, peer, bytes, length);
	else if (!pl_buffer_append(&peer->received, bytes, length))
		abort();
}

static void on_end(void *owner, enum pl_conn_end end, const char *text)
{
	struct script_peer *peer = owner;

	peer->ended = true;
	if (peer->react != NULL)
		peer->react(peer->react_owner, peer, NULL, 0);
}

static const struct pl_conn_events peer_events = {
	.on_data = on_data,
	.on_end = on_end,
};

static struct script_peer *peer_new(struct script *world, struct pl_conn *conn)
{
	struct script_peer *peer = pl_calloc(1, sizeof *peer);

	peer->world = world;
	peer->conn = conn;
	pl_buffer_init(&peer->received, 0);
	snprintf(peer->address, sizeof peer->address, "%s",
		 pl_conn_peer(conn));
	pl_conn_own(conn, &peer_events, peer);
	LIST_INSERT_HEAD(&world->peers, peer, in_world);
	return peer;
}

void peers_free(struct script *world)
{
	struct script_server *server;
	struct script_peer *peer;

	while ((server = LIST_FIRST(&world->servers)) != NULL) {
		LIST_REMOVE(server, in_world);
		pl_listener_free(server->listener);
		free(server);
	}
	while ((peer = LIST_FIRST(&world->peers)) != NULL) {
		LIST_REMOVE(peer, in_world);
		script_close(peer);
		pl_buffer_finish(&peer->received);
		free(peer);
	}
}

/* ----- coming about ----- */

static void on_accepted(void *owner, struct pl_conn *conn)
{
	struct script_server *server = owner;
	struct script_peer *peer = peer_new(server->world, conn);

	LIST_INSERT_HEAD(&server->waiting, peer, in_server);
}

struct script_server *script_listen(struct script *world, const char *endpoint)
{
	struct script_server *server = pl_calloc(1, sizeof *server);
	bool path = strncmp(endpoint, "unix:", 5) == 0;

	server->world = world;
	server->listener =
		path ? pl_listener_unix(world->own, endpoint + 5, on_accepted,
					server, NULL)
		     : pl_listener_new(world->own, endpoint, on_accepted,
				       server, NULL);
	if (server->listener == NULL) {
		free(server);
		return NULL;
	}
	LIST_INSERT_HEAD(&world->servers, server, in_world);
	return server;
}

void script_unlisten(struct script_server *server)
{
	pl_listener_free(server->listener);
	server->listener = NULL;
}

static bool someone_waits(void *owner)
{
	struct script_server *server = owner;

	return !LIST_EMPTY(&server->waiting);
}

struct script_peer *script_accept(struct script_server *server,
				  uint64_t limit_ms)
{
	struct script_peer *peer;

	if (!script_run_until(server->world, someone_waits, server, limit_ms))
		return NULL;
	peer = LIST_FIRST(&server->waiting);
	while (LIST_NEXT(peer, in_server) != NULL)
		peer = LIST_NEXT(peer, in_server);
	LIST_REMOVE(peer, in_server);
	return peer;
}

struct connecting {
	struct script *world;
	struct script_peer *peer;
	bool over;
};

static void on_dialled(void *owner, const struct pl_dial_result *result)
{
	struct connecting *connecting = owner;

	connecting->over = true;
	if (result->conn != NULL)
		connecting->peer = peer_new(connecting->world, result->conn);
}

static bool is_over(void *owner)
{
	return ((struct connecting *)owner)->over;
}

struct script_peer *script_connect(struct script *world, const char *from,
				   const char *endpoint, uint64_t limit_ms)
{
	struct connecting connecting = { .world = world };
	struct pl_dial *dial = dial_from(world->own, from, endpoint, limit_ms,
					 on_dialled, &connecting);

	if (!script_run_until(world, is_over, &connecting, limit_ms))
		pl_dial_cancel(dial);
	return connecting.peer;
}

/* ----- talking ----- */

void script_send(struct script_peer *peer, const void *bytes, size_t length)
{
	if (peer->conn != NULL)
		pl_conn_write(peer->conn, bytes, length);
}

void script_say(struct script_peer *peer, const char *text)
{
	script_send(peer, text, strlen(text));
}

const char *script_received(struct script_peer *peer, size_t *length)
{
	struct pl_buffer *received = &peer->received;

	/* The NUL is written behind what is held, and not held. */
	if (!pl_buffer_append(received, "", 1))
		abort();
	received->length--;
	if (length != NULL)
		*length = received->length;
	return (const char *)received->data + received->start;
}

void script_take(struct script_peer *peer, size_t length)
{
	pl_buffer_consume(&peer->received, length);
}

struct awaited {
	struct script_peer *peer;
	const char *text;
};

static const char *find(const struct awaited *awaited)
{
	size_t length;
	const char *received = script_received(awaited->peer, &length);

	return memmem(received, length, awaited->text, strlen(awaited->text));
}

static bool has_come(void *owner)
{
	return find(owner) != NULL;
}

bool script_expect(struct script_peer *peer, const char *text,
		   uint64_t limit_ms)
{
	struct awaited awaited = { .peer = peer, .text = text };
	char shown[4000];
	size_t length;
	const char *at;

	if (script_run_until(peer->world, has_come, &awaited, limit_ms)) {
		at = find(&awaited);
		script_take(peer, (size_t)(at - script_received(peer, NULL)) +
				  strlen(text));
		return true;
	}
	at = script_received(peer, &length);
	pl_text_printable(shown, sizeof shown, at, length);
	fprintf(stderr, "# %llu ms: expected \"%s\" from %s%s, has: %s\n",
		(unsigned long long)peer->world->now, text, peer->address,
		peer->ended ? " (ended)" : "", shown);
	return false;
}

bool script_expect_not(struct script_peer *peer, const char *text, uint64_t ms)
{
	struct awaited awaited = { .peer = peer, .text = text };

	return !script_run_until(peer->world, has_come, &awaited, ms);
}

static bool ended(void *owner)
{
	return ((struct script_peer *)owner)->ended;
}

bool script_expect_end(struct script_peer *peer, uint64_t limit_ms)
{
	return script_run_until(peer->world, ended, peer, limit_ms);
}

bool script_has_ended(const struct script_peer *peer)
{
	return peer->ended;
}

const char *script_address(const struct script_peer *peer)
{
	return peer->address;
}

void script_react(struct script_peer *peer, script_reaction call, void *owner)
{
	size_t length;
	const char *received = script_received(peer, &length);

	peer->react = call;
	peer->react_owner = owner;
	if (call == NULL)
		return;
	if (length > 0)
		call(owner, peer, received, length);
	script_take(peer, length);
	if (peer->ended)
		call(owner, peer, NULL, 0);
}

/* ----- ending ----- */

void script_stop_reading(struct script_peer *peer)
{
	if (peer->conn != NULL)
		pl_conn_pause(peer->conn);
}

void script_go_on_reading(struct script_peer *peer)
{
	if (peer->conn != NULL)
		pl_conn_resume(peer->conn);
}

void script_end(struct script_peer *peer)
{
	if (peer->conn != NULL)
		conn_half_close(peer->conn);
}

void script_close(struct script_peer *peer)
{
	if (peer->conn != NULL)
		pl_conn_abort(peer->conn);
	peer->conn = NULL;
}

void script_reset(struct script_peer *peer)
{
	if (peer->conn == NULL)
		return;
	conn_reset(peer->conn);
	script_close(peer);
}
