/* Listening and dialling over real sockets. */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct pl_dns_address address(const char *host, unsigned short port)
{
	struct pl_dns_address out = { 0 };
	struct sockaddr_in *v4 = (void *)&out.addr;
	struct sockaddr_in6 *v6 = (void *)&out.addr;

	if (strchr(host, ':') != NULL) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		assert_int_equal(inet_pton(AF_INET6, host, &v6->sin6_addr), 1);
		out.length = sizeof *v6;
	} else {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		assert_int_equal(inet_pton(AF_INET, host, &v4->sin_addr), 1);
		out.length = sizeof *v4;
	}
	return out;
}

static int dial_plainly(unsigned short port)
{
	struct pl_dns_address to = address("127.0.0.1", port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to.addr, to.length),
			 0);
	return fd;
}

/* ----- accepting ----- */

struct crowd {
	struct pl_loop *loop;
	size_t count, turn, in_turn, most;
	struct pl_timer *pulse;
};

static void on_crowd(void *owner, struct pl_conn *conn)
{
	struct crowd *crowd = owner;

	crowd->count++;
	crowd->in_turn++;
	if (crowd->in_turn > crowd->most)
		crowd->most = crowd->in_turn;
	pl_conn_abort(conn);
}

static void next_turn(void *owner)
{
	struct crowd *crowd = owner;

	crowd->in_turn = 0;
	crowd->turn++;
	if (crowd->turn < 100000)
		pl_loop_defer(crowd->loop, next_turn, crowd);
}

static void accepting_in_moderation(void **state)
{
	struct bench *bench = *state;
	struct crowd crowd = { .loop = bench->loop };
	unsigned short port = free_port();
	struct pl_listener *listener;
	char endpoint[64];
	int fds[200];

	snprintf(endpoint, sizeof endpoint, "127.0.0.1:%u", port);
	listener = pl_listener_new(bench->loop, endpoint, on_crowd, &crowd,
				   NULL);
	assert_non_null(listener);
	for (int i = 0; i < 200; i++)
		fds[i] = dial_plainly(port);
	pl_loop_defer(bench->loop, next_turn, &crowd);
	bench_run(bench, 50);
	assert_int_equal(crowd.count, 200);
	assert_int_equal(crowd.most, 64);
	crowd.turn = 100000;
	bench_turn(bench);
	for (int i = 0; i < 200; i++)
		close(fds[i]);
	pl_listener_free(listener);
}

/* Without descriptors the loop pauses, without spinning, and goes on. */
static void accepting_after_exhaustion(void **state)
{
	struct bench *bench = *state;
	struct rlimit old, low;
	int fds[3], extra = dup(0);
	struct timespec before, after;

	for (int i = 0; i < 3; i++)
		fds[i] = dial_plainly(bench->port);
	getrlimit(RLIMIT_NOFILE, &old);
	low = old;
	low.rlim_cur = (rlim_t)fds[2] + 1;
	close(extra); /* room for one */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	bench_run(bench, 300);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	assert_int_equal(bench->accepted, 1);
	assert_true((after.tv_sec - before.tv_sec) * 1000 +
		    (after.tv_nsec - before.tv_nsec) / 1000000 < 50);
	setrlimit(RLIMIT_NOFILE, &old);
	bench_run(bench, 400);
	assert_int_equal(bench->accepted, 3);
	for (int i = 0; i < 3; i++) {
		pl_conn_abort(bench->sides[i].conn);
		close(fds[i]);
	}
}

static void free_listener(void *owner, struct pl_conn *conn)
{
	struct pl_listener **listener = owner;

	assert_non_null(*listener);
	pl_listener_free(*listener);
	*listener = NULL;
	pl_conn_abort(conn);
}

static void a_listener_is_freed_while_accepting(void **state)
{
	struct bench *bench = *state;
	unsigned short port = free_port();
	struct pl_listener *listener;
	char endpoint[64];
	int one, two;

	snprintf(endpoint, sizeof endpoint, "127.0.0.1:%u", port);
	listener = pl_listener_new(bench->loop, endpoint, free_listener,
				   &listener, NULL);
	one = dial_plainly(port);
	two = dial_plainly(port);
	bench_turn(bench);
	assert_null(listener);
	close(one);
	close(two);
	pl_listener_free(NULL);
}

/* ----- opening ----- */

static void refuses_with_a_sentence(void **state)
{
	struct bench *bench = *state;
	struct pl_error error = { 0 };
	const char *wrong[] = { "127.0.0.1", "127.0.0.1:0", "localhost:5269",
				":5269", "", "127.0.0.1:99999", "[::1:5269" };

	assert_null(pl_listener_new(bench->loop, bench->endpoint, NULL, NULL,
				    &error));
	assert_non_null(strstr(error.text, bench->endpoint));
	assert_non_null(strstr(error.text, "address already in use"));
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		error.text[0] = '\0';
		assert_null(pl_listener_new(bench->loop, wrong[i], NULL, NULL,
					    &error));
		assert_string_not_equal(error.text, "");
	}
}

static void wildcards_share_a_port(void **state)
{
	struct bench *bench = *state;
	unsigned short port = free_port();
	char v4[64], v6[64];
	struct pl_listener *one, *two;
	struct crowd crowd = { 0 };
	struct pl_error error = { 0 };

	snprintf(v4, sizeof v4, "0.0.0.0:%u", port);
	snprintf(v6, sizeof v6, "[::]:%u", port);
	one = pl_listener_new(bench->loop, v4, on_crowd, &crowd, &error);
	two = pl_listener_new(bench->loop, v6, on_crowd, &crowd, &error);
	assert_non_null(one);
	if (two == NULL && strstr(error.text, "not supported")) {
		print_message("# no IPv6 here\n");
		pl_listener_free(one);
		return;
	}
	assert_non_null(two);
	pl_listener_free(one);
	pl_listener_free(two);
}

static void on_unix(void *owner, struct pl_conn *conn)
{
	snprintf(owner, 64, "%s %s", pl_conn_peer(conn),
		 pl_conn_peer_group(conn));
	pl_conn_abort(conn);
}

static int dial_unix(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path);
	if (connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0)
		return fd;
	close(fd);
	return -1;
}

static void unix_sockets(void **state)
{
	struct bench *bench = *state;
	char folder[] = "/tmp/parley-net-XXXXXX", path[64], names[64] = "";
	char other[80], longer[200];
	struct pl_listener *one, *two;
	struct pl_error error = { 0 };
	struct stat made;
	int fd;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/socket", folder);
	snprintf(other, sizeof other, "%s.old", path);
	umask(0);
	one = pl_listener_unix(bench->loop, path, on_unix, names, &error);
	umask(022);
	assert_non_null(one);
	assert_int_equal(stat(path, &made), 0);
	assert_int_equal(made.st_mode & 07777, 0600);
	fd = dial_unix(path);
	assert_true(fd >= 0);
	bench_turn(bench);
	assert_string_equal(names, "unix unix");
	close(fd);

	/* live: refused, and it goes on */
	assert_null(pl_listener_unix(bench->loop, path, on_unix, names,
				     &error));
	assert_non_null(strstr(error.text, "in use"));
	close(dial_unix(path));
	bench_turn(bench);

	/* dead: replaced */
	assert_int_equal(link(path, other), 0);
	pl_listener_free(one);
	assert_int_equal(stat(path, &made), -1);
	assert_int_equal(rename(other, path), 0);
	assert_true(dial_unix(path) < 0);
	one = pl_listener_unix(bench->loop, path, on_unix, names, &error);
	assert_non_null(one);
	fd = dial_unix(path);
	assert_true(fd >= 0);
	close(fd);

	/* somebody else's by now: left alone */
	unlink(path);
	two = pl_listener_unix(bench->loop, path, on_unix, names, &error);
	assert_non_null(two);
	pl_listener_free(one);
	fd = dial_unix(path);
	assert_true(fd >= 0);
	close(fd);
	one = two;
	unlink(path);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	pl_listener_free(one);
	assert_int_equal(stat(path, &made), 0);
	assert_null(pl_listener_unix(bench->loop, path, on_unix, names,
				     &error));
	assert_int_equal(stat(path, &made), 0);
	unlink(path);
	assert_null(pl_listener_unix(bench->loop, "/nonexistent/x", on_unix,
				     names, &error));
	assert_null(pl_listener_unix(bench->loop, "", on_unix, names, &error));
	memset(longer, 'x', sizeof longer);
	longer[sizeof longer - 1] = '\0';
	assert_null(pl_listener_unix(bench->loop, longer, on_unix, names,
				     &error));
	rmdir(folder);
}

/* ----- dialling ----- */

struct call {
	struct pl_dial_result result;
	bool answered;
	uint64_t began, took;
};

static struct call call;

static void on_dialled(void *owner, const struct pl_dial_result *result)
{
	assert_false(call.answered);
	call.result = *result;
	call.answered = true;
	call.took = now_ms() - call.began;
	if (result->conn != NULL)
		pl_conn_abort(result->conn);
}

static bool is_answered(struct bench *bench)
{
	return call.answered;
}

static struct pl_dial *start(struct bench *bench,
			     const struct pl_dns_address *to, size_t count,
			     uint64_t timeout_ms)
{
	struct pl_dial *dial;

	memset(&call, 0, sizeof call);
	call.began = now_ms();
	dial = pl_dial_start(bench->loop, to, count, timeout_ms, on_dialled,
			     NULL);
	assert_false(call.answered);
	return dial;
}

/* A listening socket whose queue is full: the kernel drops what comes. */
static int silent_port(unsigned short *port, int fillers[3])
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*port = free_port();
	addr.sin_port = htons(*port);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
	assert_int_equal(listen(fd, 0), 0);
	for (int i = 0; i < 3; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fillers[i], (struct sockaddr *)&addr, sizeof addr);
	}
	usleep(20000);
	return fd;
}

static void reaches_and_is_refused(void **state)
{
	struct bench *bench = *state;
	struct pl_dns_address to = address("127.0.0.1", bench->port);

	start(bench, &to, 1, 1000);
	assert_true(bench_until(bench, is_answered));
	assert_int_equal(call.result.code, PL_CODE_NONE);
	assert_non_null(call.result.conn);
	assert_string_equal(call.result.peer, bench->endpoint);

	to = address("127.0.0.1", free_port());
	start(bench, &to, 1, 1000);
	assert_true(bench_until(bench, is_answered));
	assert_int_equal(call.result.code, PL_CODE_TCP_REFUSED);
	assert_null(call.result.conn);
	assert_string_equal(call.result.text, "connection refused");
	assert_memory_equal(call.result.peer, "127.0.0.1:", 10);
	pl_conn_abort(bench->sides[0].conn);
}

static void no_address_at_all(void **state)
{
	struct bench *bench = *state;

	start(bench, NULL, 0, 1000);
	assert_true(bench_until(bench, is_answered));
	assert_int_equal(call.result.code, PL_CODE_TCP_UNREACHABLE);
	assert_string_equal(call.result.peer, "");
}

static void the_next_one_at_once_after_a_refusal(void **state)
{
	struct bench *bench = *state;
	unsigned short closed = free_port();
	struct pl_dns_address to[3] = { address("127.0.0.1", closed),
					address("127.0.0.1", closed),
					address("127.0.0.1", bench->port) };

	start(bench, to, 3, 1000);
	assert_true(bench_until(bench, is_answered));
	assert_string_equal(call.result.peer, bench->endpoint);
	assert_true(call.took < 200);
	bench_turn(bench);
	pl_conn_abort(bench->sides[0].conn);
}

static void the_next_one_after_a_while_of_silence(void **state)
{
	struct bench *bench = *state;
	unsigned short silent;
	int fillers[3], fd = silent_port(&silent, fillers);
	struct pl_dns_address to[2] = { address("127.0.0.1", silent),
					address("127.0.0.1", bench->port) };

	start(bench, to, 2, 2000);
	assert_true(bench_until(bench, is_answered));
	assert_string_equal(call.result.peer, bench->endpoint);
	assert_in_range(call.took, 240, 600);

	/* all are silent, then the last one answers with a refusal */
	start(bench, to, 1, 300);
	assert_true(bench_until(bench, is_answered));
	assert_int_equal(call.result.code, PL_CODE_TCP_TIMEOUT);
	assert_string_equal(call.result.text, "no answer within 300 ms");
	assert_in_range(call.took, 290, 600);

	to[1] = address("127.0.0.1", free_port());
	start(bench, to, 2, 400);
	assert_true(bench_until(bench, is_answered));
	assert_int_equal(call.result.code, PL_CODE_TCP_TIMEOUT);
	assert_in_range(call.took, 390, 700);

	pl_dial_cancel(start(bench, to, 2, 300));
	assert_int_equal(pl_loop_connections(bench->loop), 1);
	bench_run(bench, 20);
	{
		struct pl_dial *dial = start(bench, to, 1, 300);

		bench_run(bench, 50);
		pl_dial_cancel(dial);
		bench_run(bench, 400);
		assert_false(call.answered);
	}
	pl_conn_abort(bench->sides[0].conn);
	for (int i = 0; i < 3; i++)
		close(fillers[i]);
	close(fd);
}

static void families_are_interleaved(void **state)
{
	struct bench *bench = *state;
	const char *given[] = { "2001:db8::1", "2001:db8::2", "2001:db8::3",
				"192.0.2.1", "192.0.2.2" };
	const char *wanted[] = { "[2001:db8::1]:1", "192.0.2.1:1",
				 "[2001:db8::2]:1", "192.0.2.2:1",
				 "[2001:db8::3]:1" };
	struct pl_dns_address to[5];

	/* Nothing may leave this machine: only where there is no route. */
	if (getenv("PARLEY_TEST_NAMESPACE") == NULL) {
		print_message("# no network of our own here\n");
		return;
	}
	for (size_t i = 0; i < 5; i++)
		to[i] = address(given[i], 1);
	/* Seen through the order of failures, where nothing is routed. */
	for (size_t n = 1; n <= 5; n++) {
		start(bench, to, n, 50);
		assert_true(bench_until(bench, is_answered));
		assert_int_equal(call.result.code, PL_CODE_TCP_UNREACHABLE);
		if (n == 5)
			assert_string_equal(call.result.peer, wanted[4]);
		if (n == 4)
			assert_string_equal(call.result.peer,
					    "[2001:db8::3]:1");
		if (n == 1)
			assert_string_equal(call.result.peer, wanted[0]);
	}
	assert_string_not_equal(call.result.text, "");
}

static void ipv6_has_groups(void **state)
{
	struct bench *bench = *state;
	struct sockaddr_in6 peer = { .sin6_family = AF_INET6,
				     .sin6_port = htons(5269) };
	int pair[2];
	struct pl_conn *conn;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	inet_pton(AF_INET6, "2001:db8:1:2:3:4:5:6", &peer.sin6_addr);
	conn = conn_new(bench->loop, pair[0], (struct sockaddr *)&peer);
	assert_string_equal(pl_conn_peer(conn), "[2001:db8:1:2:3:4:5:6]:5269");
	assert_string_equal(pl_conn_peer_group(conn), "2001:db8:1:2::/64");
	pl_conn_abort(conn);
	inet_pton(AF_INET6, "::ffff:192.0.2.7", &peer.sin6_addr);
	conn = conn_new(bench->loop, pair[1], (struct sockaddr *)&peer);
	assert_string_equal(pl_conn_peer_group(conn), "192.0.2.7");
	pl_conn_abort(conn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH(accepting_in_moderation),
		BENCH(accepting_after_exhaustion),
		BENCH(a_listener_is_freed_while_accepting),
		BENCH(refuses_with_a_sentence),
		BENCH(wildcards_share_a_port),
		BENCH(unix_sockets),
		BENCH(reaches_and_is_refused),
		BENCH(no_address_at_all),
		BENCH(the_next_one_at_once_after_a_refusal),
		BENCH(the_next_one_after_a_while_of_silence),
		BENCH(families_are_interleaved),
		BENCH(ipv6_has_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
