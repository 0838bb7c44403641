/*
 * Listening sockets that the process was born with (sd_listen_fds(3)).
 *
 * The loop keeps each of them, and whoever listens at its place gets a
 * duplicate. So a listener that a reload closed can come back: the service
 * manager holds its own descriptor, and a second socket could not be bound to
 * the same place.
 */
#include "internal.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct inherited {
	int fd; /* owned */
	bool used;
	struct inherited *next; /* in pl_loop.inherited */
};

void pl_loop_inherit(struct pl_loop *loop, int fd)
{
	struct inherited *one = pl_calloc(1, sizeof *one), **end;

	evutil_make_socket_nonblocking(fd);
	evutil_make_socket_closeonexec(fd);
	one->fd = fd;
	for (end = &loop->inherited; *end != NULL; end = &(*end)->next)
		;
	*end = one;
}

static bool listens(int fd)
{
	socklen_t size = sizeof(int);
	int value = 0, type = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) != 0 ||
	    !value)
		return false;
	size = sizeof type;
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
	       type == SOCK_STREAM;
}

/* Where it listens; false where it does not. */
static bool place_of(int fd, struct sockaddr_storage *place)
{
	socklen_t size = sizeof *place;

	memset(place, 0, sizeof *place);
	return listens(fd) &&
	       getsockname(fd, (struct sockaddr *)place, &size) == 0;
}

static bool same_path(const struct sockaddr_un *a, const struct sockaddr_un *b)
{
	return a->sun_path[0] != '\0' &&
	       strncmp(a->sun_path, b->sun_path, sizeof a->sun_path) == 0;
}

static bool same_place(const struct sockaddr_storage *a,
		       const struct sockaddr_storage *b)
{
	const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;
	const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;

	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_UNIX)
		return same_path((const void *)a, (const void *)b);
	if (a->ss_family == AF_INET)
		return a4->sin_port == b4->sin_port &&
		       a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	return a->ss_family == AF_INET6 && a6->sin6_port == b6->sin6_port &&
	       memcmp(&a6->sin6_addr, &b6->sin6_addr,
		      sizeof a6->sin6_addr) == 0;
}

/* Who can open a socket of ours may command us: not everybody. */
static bool is_open_to_all(const struct sockaddr_storage *place)
{
	const struct sockaddr_un *path = (const void *)place;
	struct stat found;

	return place->ss_family == AF_UNIX &&
	       stat(path->sun_path, &found) == 0 && (found.st_mode & S_IWOTH);
}

int inherited_at(struct pl_loop *loop, const struct sockaddr_storage *place)
{
	struct sockaddr_storage found;

	for (struct inherited *i = loop->inherited; i != NULL; i = i->next) {
		int fd;

		if (!place_of(i->fd, &found) || !same_place(&found, place) ||
		    is_open_to_all(place))
			continue;
		fd = fcntl(i->fd, F_DUPFD_CLOEXEC, 0);
		i->used = i->used || fd >= 0;
		return fd;
	}
	return -1;
}

static void tell_one(const struct inherited *one,
		     void (*tell)(void *owner, const char *where, bool used),
		     void *owner)
{
	struct sockaddr_storage place;
	struct sockaddr_un *path = (void *)&place;
	char text[200];

	if (!place_of(one->fd, &place))
		snprintf(text, sizeof text, "descriptor %d, no listening "
			 "stream socket", one->fd);
	else if (place.ss_family != AF_UNIX)
		address_text((struct sockaddr *)&place, text, sizeof text);
	else if (path->sun_path[0] != '\0')
		snprintf(text, sizeof text, "%.*s%s",
			 (int)sizeof path->sun_path, path->sun_path,
			 is_open_to_all(&place) ? " (everybody may open it: "
						  "SocketMode=0600 is wanted)"
						: "");
	else
		snprintf(text, sizeof text, "a socket without a path");
	tell(owner, text, one->used);
}

void pl_loop_inherited(struct pl_loop *loop,
		       void (*tell)(void *owner, const char *where, bool used),
		       void *owner)
{
	struct inherited **link = &loop->inherited, *one;

	while ((one = *link) != NULL) {
		tell_one(one, tell, owner);
		if (one->used) {
			link = &one->next;
			continue;
		}
		*link = one->next;
		close(one->fd);
		free(one);
	}
}

void inherited_free(struct pl_loop *loop)
{
	struct inherited *one;

	while ((one = loop->inherited) != NULL) {
		loop->inherited = one->next;
		close(one->fd);
		free(one);
	}
}
