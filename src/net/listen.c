/* Listeners: TCP and Unix-domain sockets, and accepting in moderation. */
#include "internal.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "parley/addr.h"

enum {
	ACCEPTS_PER_TURN = 64,
	BACKLOG = 1024,
	EXHAUSTION_PAUSE_MS = 200, /* time for somebody to close something */
};

struct pl_listener {
	struct dead dead;
	struct pl_loop *loop;
	struct event acceptable;
	struct pl_timer *pause; /* owned */
	pl_accepted accepted;
	void *owner;
	int fd;     /* owned; -1 once freed */
	char *path; /* owned; Unix-domain only */
	dev_t device; /* of the socket at path, so that none other is removed */
	ino_t inode;
};

/* ----- accepting ----- */

static bool is_exhaustion(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS ||
	       error == ENOMEM;
}

static void on_pause_over(void *owner)
{
	struct pl_listener *listener = owner;

	if (event_add(&listener->acceptable, NULL) != 0)
		pl_timer_set(listener->pause, EXHAUSTION_PAUSE_MS);
}

/* The socket stays readable: without a pause the loop would spin. */
static void take_a_pause(struct pl_listener *listener)
{
	event_del(&listener->acceptable);
	pl_timer_set(listener->pause, EXHAUSTION_PAUSE_MS);
}

/* False: nothing more to accept now. */
static bool accept_one(struct pl_listener *listener)
{
	struct sockaddr_storage peer = { 0 };
	socklen_t length = sizeof peer;
	struct pl_conn *conn;
	int fd = accept4(listener->fd, (struct sockaddr *)&peer, &length,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		if (is_exhaustion(errno))
			take_a_pause(listener);
		/* One that was reset while it waited says nothing about the
		 * next; the bound on a turn holds in any case. */
		return errno == EINTR || errno == ECONNABORTED;
	}
	conn = conn_new(listener->loop, fd, (struct sockaddr *)&peer);
	if (conn != NULL)
		listener->accepted(listener->owner, conn);
	return true;
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct pl_listener *listener = arg;

	for (int i = 0; i < ACCEPTS_PER_TURN; i++)
		if (listener->fd < 0 || !accept_one(listener))
			return;
}

/* What is accepted has the options of its listener: so they are set once. */
static void set_options(int fd)
{
	struct sockaddr_storage addr = { 0 };
	socklen_t length = sizeof addr;

	if (getsockname(fd, (struct sockaddr *)&addr, &length) == 0)
		conn_options(fd, addr.ss_family);
}

static struct pl_listener *listener_new(struct pl_loop *loop, int fd,
					pl_accepted accepted, void *owner)
{
	struct pl_listener *listener = pl_calloc(1, sizeof *listener);
	int result;

	set_options(fd);
	listener->loop = loop;
	listener->fd = fd;
	listener->accepted = accepted;
	listener->owner = owner;
	listener->pause = pl_timer_new(loop, on_pause_over, listener);
	event_assign(&listener->acceptable, loop->base, fd,
		     EV_READ | EV_PERSIST, on_acceptable, listener);
	result = event_add(&listener->acceptable, NULL);
	assert(result == 0);
	return listener;
}

static void remove_path(struct pl_listener *listener)
{
	struct stat now;

	if (listener->path == NULL)
		return;
	if (lstat(listener->path, &now) == 0 && S_ISSOCK(now.st_mode) &&
	    now.st_dev == listener->device && now.st_ino == listener->inode)
		unlink(listener->path);
	free(listener->path);
	listener->path = NULL;
}

void pl_listener_free(struct pl_listener *listener)
{
	if (listener == NULL)
		return;
	event_del(&listener->acceptable);
	pl_timer_free(listener->pause);
	close(listener->fd);
	listener->fd = -1;
	remove_path(listener);
	loop_bury(listener->loop, &listener->dead);
}

/* ----- opening ----- */

static bool parse_endpoint(const char *endpoint, struct sockaddr_storage *addr,
			   socklen_t *length, struct pl_error *error)
{
	struct sockaddr_in *v4 = (void *)addr;
	struct sockaddr_in6 *v6 = (void *)addr;
	char host[PL_ASCII_DOMAIN_SIZE];
	unsigned short port;

	if (!pl_addr_endpoint(endpoint, host, &port, error))
		return false;
	memset(addr, 0, sizeof *addr);
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		*length = sizeof *v4;
		return true;
	}
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		*length = sizeof *v6;
		return true;
	}
	return pl_error_set(error, "cannot listen on %s: \"%s\" is no IP "
			    "address", endpoint, host);
}

static bool refuse(struct pl_error *error, const char *where, int number)
{
	char text[128];

	error_text(number, text, sizeof text);
	return pl_error_set(error, "cannot listen on %s: %s", where, text);
}

static bool open_tcp(int fd, const struct sockaddr_storage *addr,
		     socklen_t length)
{
	int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
		return false;
	if (addr->ss_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0)
		return false;
	return bind(fd, (const struct sockaddr *)addr, length) == 0 &&
	       listen(fd, BACKLOG) == 0;
}

struct pl_listener *pl_listener_new(struct pl_loop *loop, const char *endpoint,
				    pl_accepted accepted, void *owner,
				    struct pl_error *error)
{
	struct sockaddr_storage addr;
	socklen_t length = 0;
	int fd;

	if (!parse_endpoint(endpoint, &addr, &length, error))
		return NULL;
	fd = inherited_at(loop, &addr);
	if (fd >= 0)
		return listener_new(loop, fd, accepted, owner);
	fd = socket(addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		    0);
	if (fd < 0) {
		refuse(error, endpoint, errno);
		return NULL;
	}
	if (!open_tcp(fd, &addr, length)) {
		refuse(error, endpoint, errno);
		close(fd);
		return NULL;
	}
	return listener_new(loop, fd, accepted, owner);
}

int pl_listener_inherited(struct pl_loop *loop, const char *endpoint)
{
	struct sockaddr_storage addr;
	socklen_t length = 0;

	if (!parse_endpoint(endpoint, &addr, &length, NULL))
		return -1;
	return inherited_at(loop, &addr);
}

/* Does nobody listen at this path any more? A full queue is a sign of life. */
static bool is_dead_socket(const struct sockaddr_un *addr)
{
	struct stat found;
	bool dead;
	int fd;

	if (lstat(addr->sun_path, &found) != 0)
		return errno == ENOENT;
	if (!S_ISSOCK(found.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	dead = connect(fd, (const struct sockaddr *)addr, sizeof *addr) != 0 &&
	       errno == ECONNREFUSED;
	close(fd);
	return dead;
}

static bool bind_path(int fd, const struct sockaddr_un *addr)
{
	if (bind(fd, (const struct sockaddr *)addr, sizeof *addr) == 0)
		return true;
	if (errno != EADDRINUSE)
		return false;
	if (!is_dead_socket(addr)) {
		errno = EADDRINUSE;
		return false;
	}
	if (unlink(addr->sun_path) != 0 && errno != ENOENT)
		return false;
	return bind(fd, (const struct sockaddr *)addr, sizeof *addr) == 0;
}

/* The mode of the unbound socket becomes that of the path, less the umask: at no
 * moment may others connect. */
static bool open_path(int fd, const struct sockaddr_un *addr)
{
	return fchmod(fd, 0600) == 0 && bind_path(fd, addr) &&
	       listen(fd, BACKLOG) == 0;
}

/* Its path and mode are the service manager's, who also removes it. */
static int inherited_path(struct pl_loop *loop, const struct sockaddr_un *addr)
{
	struct sockaddr_storage place = { 0 };

	memcpy(&place, addr, sizeof *addr);
	return inherited_at(loop, &place);
}

struct pl_listener *pl_listener_unix(struct pl_loop *loop, const char *path,
				     pl_accepted accepted, void *owner,
				     struct pl_error *error)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct pl_listener *listener;
	struct stat made = { 0 };
	int fd;

	if (path[0] == '\0' || strlen(path) >= sizeof addr.sun_path) {
		pl_error_set(error, "cannot listen on %s: a socket's path has "
			     "1 to %zu bytes", path, sizeof addr.sun_path - 1);
		return NULL;
	}
	memcpy(addr.sun_path, path, strlen(path));
	fd = inherited_path(loop, &addr);
	if (fd >= 0)
		return listener_new(loop, fd, accepted, owner);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		refuse(error, path, errno);
		return NULL;
	}
	if (!open_path(fd, &addr) || lstat(path, &made) != 0) {
		refuse(error, path, errno);
		close(fd);
		return NULL;
	}
	listener = listener_new(loop, fd, accepted, owner);
	listener->path = pl_strdup(path);
	listener->device = made.st_dev;
	listener->inode = made.st_ino;
	return listener;
}
