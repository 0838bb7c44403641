/* One question to a running daemon, over its control socket. */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/run/parley/control.sock"

enum { ANSWER_LIMIT = 32 * 1024 * 1024 };

struct pl_conf *client_configuration(const char *path)
{
	struct pl_conf_note *notes = NULL;
	struct pl_conf *conf = pl_conf_load(path, time(NULL), &notes);

	if (conf == NULL)
		pl_conf_notes_print(notes, stderr, false);
	pl_conf_notes_free(notes);
	return conf;
}

static int connect_to(const char *path, struct pl_error *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof address.sun_path) {
		pl_error_set(error, "%s: the path is too long", path);
		return -1;
	}
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address,
			       sizeof address) == 0)
		return fd;
	pl_error_set(error, "%s: %s%s", path, strerror(errno),
		     errno == ENOENT || errno == ECONNREFUSED
			     ? ": no parleyd runs with this configuration"
		     : errno == EACCES
			     ? ": only the user who started parleyd may ask it"
			     : "");
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool send_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes += n;
		length -= (size_t)n;
	}
	return true;
}

/* Reads up to the end of the answer or of the time. */
static bool receive(int fd, struct pl_buffer *answer, int timeout_seconds)
{
	time_t until = time(NULL) + timeout_seconds;
	char bytes[65536];

	for (;;) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		time_t now = time(NULL);
		ssize_t n;

		if (now >= until || poll(&wait, 1, (int)(until - now) * 1000) == 0)
			return false;
		n = recv(fd, bytes, sizeof bytes, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		if (!pl_buffer_append(answer, bytes, (size_t)n))
			return false;
	}
}

static bool exchange(int fd, const char *request, struct pl_buffer *answer,
		     int timeout_seconds)
{
	return send_all(fd, request, strlen(request)) &&
	       send_all(fd, "\n", 1) && receive(fd, answer, timeout_seconds);
}

json_t *client_try(const struct pl_conf *conf, json_t *request,
		   int timeout_seconds, struct pl_error *error)
{
	const char *path = conf->control_socket != NULL ? conf->control_socket
							: DEFAULT_SOCKET;
	char *line = json_dumps(request, JSON_COMPACT);
	json_t *answer = NULL;
	struct pl_buffer bytes;
	int fd;

	json_decref(request);
	fd = connect_to(path, error);
	pl_buffer_init(&bytes, ANSWER_LIMIT);
	if (fd >= 0 && line != NULL) {
		if (exchange(fd, line, &bytes, timeout_seconds))
			answer = json_loadb((const char *)pl_buffer_bytes(&bytes),
					    bytes.length, 0, NULL);
		if (answer == NULL)
			pl_error_set(error, "no answer from parleyd");
	}
	if (fd >= 0)
		close(fd);
	pl_buffer_wipe(&bytes);
	free(line);
	return answer;
}

json_t *client_ask(const struct pl_conf *conf, json_t *request,
		   int timeout_seconds)
{
	struct pl_error error = { .text = "" };
	json_t *answer = client_try(conf, request, timeout_seconds, &error);

	if (answer == NULL)
		fprintf(stderr, "parley: %s\n", error.text);
	return answer;
}

int client_refused(const json_t *answer)
{
	const char *error = json_string_value(json_object_get(answer, "error"));
	json_t *status = json_object_get(answer, "exit");

	if (error == NULL)
		return 0;
	fprintf(stderr, "parley: %s\n", error);
	return status != NULL ? (int)json_integer_value(status) : 10;
}

const char *client_text(const json_t *object, const char *key)
{
	static char numbers[4][32];
	static unsigned turn;
	const json_t *value = json_object_get(object, key);
	char *out;

	if (json_is_string(value))
		return json_string_value(value);
	if (!json_is_integer(value))
		return "";
	out = numbers[turn++ % 4];
	snprintf(out, sizeof numbers[0], "%lld",
		 (long long)json_integer_value(value));
	return out;
}
