/* world.h: what the files of the scripted world share. */
#ifndef TESTS_SUPPORT_WORLD_H
#define TESTS_SUPPORT_WORLD_H

#include <sys/queue.h>

#include "script.h"

/* Something that will happen. In order of time, then of being asked for. */
struct happening {
	TAILQ_ENTRY(happening) in_world;
	uint64_t when;
	void (*call)(void *owner, size_t number);
	void *owner;
	size_t number;
};

struct deferred {
	void (*call)(void *owner);
	void *owner;
};

struct watched {
	struct watched *next;
	void (*call)(void *owner, int number);
	void *owner;
	int number;
};

/* First in whatever is freed at the end of a turn. */
struct dead {
	struct dead *next;
};

struct pl_loop {
	LIST_ENTRY(pl_loop) in_world;
	struct script *world;
	bool stop;
	size_t connections;
	struct deferred *deferred;
	size_t deferred_count, deferred_room;
	struct watched *watched;
	char v4[64], v6[64];
};

struct pl_timer {
	struct dead dead;
	struct pl_loop *loop;
	struct happening *due; /* NULL: not set */
	void (*call)(void *owner);
	void *owner;
};

struct link_entry {
	struct link_entry *next;
	char endpoint[160];
	struct script_link link;
};

struct dns_entry;

struct script {
	uint64_t now, seed, happened;
	int64_t wall_offset_us;
	bool trace;
	TAILQ_HEAD(happenings, happening) happenings;
	LIST_HEAD(, pl_loop) loops;
	struct pl_loop *own;  /* of the scripted peers */
	unsigned loops_made;
	LIST_HEAD(, pl_conn) conns;
	TAILQ_HEAD(, pl_conn) dirty;
	LIST_HEAD(, pl_listener) listeners;
	LIST_HEAD(, script_peer) peers;
	LIST_HEAD(, script_server) servers;
	struct link_entry *links;
	struct script_link default_link;
	unsigned short next_port;
	struct dns_entry *names;
	struct dead *dead;
};

/* The world that was made last, NULL when it is gone. */
struct script *world_current(void);

struct happening *world_add(struct script *world, uint64_t delay_ms,
			    void (*call)(void *owner, size_t number),
			    void *owner, size_t number);
void world_remove(struct script *world, struct happening *happening);
void world_forget(struct script *world, const void *owner);
void world_bury(struct script *world, struct dead *dead);
/* One thing happens, not later than `until`; false: nothing is left. */
bool world_turn(struct script *world, uint64_t until);

void conns_flush(struct script *world); /* the end of a turn */
void conns_abort(struct script *world, struct pl_loop *loop);
/* Both ends learn of a reset. */
void conn_reset(struct pl_conn *conn);
void conn_half_close(struct pl_conn *conn);
/* As pl_dial_start() to one address, from another. */
struct pl_dial *dial_from(struct pl_loop *loop, const char *from,
			  const char *endpoint, uint64_t timeout_ms,
			  pl_dialled dialled, void *owner);

void peers_free(struct script *world);
void names_free(struct script *world);

/* "192.0.2.1:5269" or "[::1]:5269"; false for anything else. */
bool endpoint_parse(const char *endpoint, struct pl_dns_address *out);
void endpoint_text(const struct sockaddr_storage *addr, char *out, size_t size);

#endif
