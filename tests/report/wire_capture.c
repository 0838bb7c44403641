/*
 * wire_capture FOLDER: negotiations between two servers of the scripted world,
 * each with a wire capture of what the dialling one sees; for test_wire.py,
 * which has tshark read them. What needs no tshark is tested here.
 */
#include "../router/server.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parley/wire.h"

static const char *folder;

static struct server alpha, beta;

static const char *file_name(const char *name)
{
	static char path[300];

	snprintf(path, sizeof path, "%s/%s.pcapng", folder, name);
	return path;
}

static struct pl_wire *listen_to(struct server *server, const char *name)
{
	struct pl_error error = { .text = "" };
	struct pl_wire *wire = pl_wire_open(file_name(name), false, &error);

	if (wire == NULL)
		print_error("%s\n", error.text);
	assert_non_null(wire);
	server->world.tap = pl_wire_events();
	server->world.tap_owner = wire;
	return wire;
}

static void close_file(struct pl_wire *wire)
{
	struct pl_error error = { .text = "" };

	assert_true(pl_wire_close(wire, &error));
	assert_string_equal(error.text, "");
}

static void on_direct(void *owner, struct pl_conn *conn)
{
	struct server *server = owner;

	pl_router_accept(server->router, conn, true);
}

static void on_empty(void *owner)
{
	*(bool *)owner = true;
}

static void shut_down(struct server *server)
{
	bool empty = false;

	pl_router_shutdown(server->router, on_empty, &empty);
	script_run(script, 20000);
	assert_true(empty);
}

/* Alpha pings beta, which ends all streams afterwards. */
static void negotiate(const char *name, int row, const char *variant,
		      const char *a, const char *b)
{
	struct pl_wire *wire;
	struct ping result;

	server_start(&alpha, "alpha.example", a, variant);
	server_start(&beta, "beta.example", b, variant);
	server_rule(&alpha, "beta.example", row);
	server_rule(&beta, "alpha.example", row);
	wire = listen_to(&alpha, name);
	assert_true(ping(&alpha, "alpha.example", "beta.example", 6000,
			 &result));
	shut_down(&beta);
	server_stop(&beta);
	server_stop(&alpha);
	close_file(wire);
}

static void starttls(void **state)
{
	negotiate("starttls", 1, "valid", "192.0.2.1:5269", "192.0.2.2:5269");
}

static void over_ipv6(void **state)
{
	negotiate("ipv6", 1, "valid", "[2001:db8::1]:5269",
		  "[2001:db8::2]:5269");
}

static void other_ports(void **state)
{
	negotiate("ports", 1, "valid", "192.0.2.1:6001", "192.0.2.2:6002");
}

/* The flight with the ServerHello comes in many pieces. */
static void in_small_pieces(void **state)
{
	struct script_link link = { .latency_ms = 1, .chunk = 50 };

	script_link(script, NULL, &link);
	negotiate("pieces", 1, "valid", "192.0.2.1:5269", "192.0.2.2:5269");
}

static void dialback(void **state)
{
	negotiate("dialback", 13, "self-signed", "192.0.2.1:5269",
		  "192.0.2.2:5269");
}

static void in_clear(void **state)
{
	negotiate("clear", 17, NULL, "192.0.2.1:5269", "192.0.2.2:5269");
}

/* Both directions are direct TLS, so that SNI chooses a context as well. */
static void direct_tls(void **state)
{
	struct pl_error error = { .text = "" };
	struct pl_wire *wire, *other;
	struct ping result;

	server_start(&alpha, "alpha.example", "192.0.2.1:5269", "valid");
	server_start(&beta, "beta.example", "192.0.2.2:5269", "valid");
	server_host(&beta, "gamma.example", "valid");
	script_dns_forget(script, "gamma.example");
	script_dns_target(script, "gamma.example", "192.0.2.2:5270", true);
	beta.direct = pl_listener_new(beta.loop, "192.0.2.2:5270", on_direct,
				      &beta, &error);
	assert_non_null(beta.direct);
	server_rule(&alpha, "gamma.example", 1);
	server_rule(&beta, "alpha.example", 1);
	wire = listen_to(&alpha, "direct");
	other = listen_to(&beta, "direct-received");
	assert_true(ping(&alpha, "alpha.example", "gamma.example", 6000,
			 &result));
	shut_down(&beta);
	pl_listener_free(beta.direct);
	server_stop(&beta);
	server_stop(&alpha);
	close_file(wire);
	close_file(other);
}

/* ----- the file itself ----- */

static void only_the_owner_reads_it(void **state)
{
	struct pl_error error = { .text = "" };
	struct stat got;
	mode_t before = umask(0);

	close_file(pl_wire_open(file_name("mode"), false, &error));
	umask(before);
	assert_int_equal(stat(file_name("mode"), &got), 0);
	assert_int_equal(got.st_mode & 07777, 0600);
}

static void an_old_file_stays_without_force(void **state)
{
	struct pl_error error = { .text = "" };
	const char *path = file_name("old");
	struct stat before, after;
	int fd = open(path, O_CREAT | O_WRONLY, 0644);

	assert_int_equal(write(fd, "old", 3), 3);
	close(fd);
	assert_int_equal(stat(path, &before), 0);
	assert_null(pl_wire_open(path, false, &error));
	assert_non_null(strstr(error.text, "exists already"));
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_size, 3);

	/* A new one: who has the old one open does not see the secrets. */
	fd = open(path, O_RDONLY);
	close_file(pl_wire_open(path, true, &error));
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_mode & 07777, 0600);
	assert_int_equal(fstat(fd, &before), 0);
	assert_int_equal(before.st_size, 3);
	close(fd);
}

static void only_a_file_is_replaced(void **state)
{
	struct pl_error error = { .text = "" };
	const char *path = file_name("link");
	struct stat got;

	assert_int_equal(symlink("mode.pcapng", path), 0);
	assert_null(pl_wire_open(path, false, &error));
	assert_null(pl_wire_open(path, true, &error));
	assert_non_null(strstr(error.text, "no regular file"));
	assert_int_equal(lstat(path, &got), 0);
	assert_true(S_ISLNK(got.st_mode));
	assert_null(pl_wire_open("/dev/null", true, &error));
	assert_null(pl_wire_open("/nowhere/at/all", true, &error));
	assert_non_null(strstr(error.text, "cannot make /nowhere/at/all"));
}

static void a_full_file_is_told(void **state)
{
	const struct pl_tap_events *events = pl_wire_events();
	struct pl_error error = { .text = "" };
	struct pl_wire *wire = pl_wire_open(file_name("full"), false, &error);
	static unsigned char much[4 * 1024 * 1024];
	struct stat got;
	void *c;

	c = events->on_open(wire, 1, "192.0.2.1:1", "192.0.2.2:5269", false);
	for (int i = 0; i < 80; i++)
		events->on_bytes(c, 2, true, much, sizeof much);
	assert_int_equal(stat(file_name("full"), &got), 0);
	assert_in_range(got.st_size, PL_WIRE_BYTES, PL_WIRE_BYTES + 65536);
	unlink(file_name("full"));
	assert_false(pl_wire_close(wire, &error));
	assert_non_null(strstr(error.text, "ends early"));
	/* The streams may outlive it. */
	events->on_bytes(c, 3, false, much, 1);
	events->on_secret(c, "CLIENT_RANDOM 00 00");
	events->on_end(c, 4, PL_TAP_PEER_RESET);
	events->on_gone(c);
}

static off_t size_of(const char *name)
{
	struct stat got;

	assert_int_equal(stat(file_name(name), &got), 0);
	return got.st_size;
}

#define SERVER_SECRET "SERVER_HANDSHAKE_TRAFFIC_SECRET 00 00"
#define CLIENT_SECRET "CLIENT_HANDSHAKE_TRAFFIC_SECRET 00 00"

/* Packets wait for the second secret, but not for ever nor without bound. */
static void packets_wait_for_secrets(void **state)
{
	const struct pl_tap_events *events = pl_wire_events();
	struct pl_error error = { .text = "" };
	struct pl_wire *wire = pl_wire_open(file_name("wait"), false, &error);
	static unsigned char much[3 * 1024 * 1024];
	void *one, *two;
	off_t before;

	one = events->on_open(wire, 1, "192.0.2.1:1", "192.0.2.2:5269", false);
	two = events->on_open(wire, 1, "192.0.2.1:2", "192.0.2.2:5269", false);
	events->on_secret(one, SERVER_SECRET);
	before = size_of("wait");
	events->on_bytes(one, 2, false, "a", 1);
	events->on_bytes(two, 3, false, "b", 1);
	assert_int_equal(size_of("wait"), before);
	events->on_secret(one, CLIENT_SECRET);
	assert_true(size_of("wait") > before + 100);

	/* The other order, and the same one again. */
	events->on_secret(two, CLIENT_SECRET);
	events->on_secret(two, SERVER_SECRET);
	before = size_of("wait");
	events->on_bytes(two, 4, false, "c", 1);
	assert_true(size_of("wait") > before);

	one = (events->on_gone(one), events->on_open(wire, 5, "192.0.2.1:3",
		"192.0.2.2:5269", false));
	events->on_secret(one, SERVER_SECRET);
	events->on_secret(one, SERVER_SECRET);
	before = size_of("wait");
	events->on_bytes(two, 6, true, much, sizeof much);
	assert_true(size_of("wait") > before + 1024 * 1024);
	events->on_end(one, 7, PL_TAP_PEER_RESET);
	assert_true(size_of("wait") > before + (off_t)sizeof much);
	events->on_secret(two, SERVER_SECRET);
	events->on_gone(two);

	/* What still waits at the end is written then. */
	two = events->on_open(wire, 8, "192.0.2.1:4", "192.0.2.2:5269", false);
	events->on_secret(two, SERVER_SECRET);
	before = size_of("wait");
	events->on_bytes(two, 9, false, "d", 1);
	close_file(wire);
	assert_true(size_of("wait") > before);
	events->on_gone(two);
	events->on_gone(one);
}

static void odd_endpoints(void **state)
{
	static const char *const bad[] = { "", "unix", "192.0.2.1", ":1", "[]:1",
		"[::1]", "[::1:5269", "::1]:5269", "192.0.2.1:", "192.0.2.1:x",
		"192.0.2.1:65536", "192.0.2.1:1 ", "[192.0.2.1]:1", "[:1", "]:1",
		"[::1]:-1", "192.0.2.1.5:1", "::1:1" };
	const struct pl_tap_events *events = pl_wire_events();
	struct pl_error error = { .text = "" };
	struct pl_wire *wire = pl_wire_open(file_name("odd"), false, &error);
	void *c;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_null(events->on_open(wire, 1, "192.0.2.1:1", bad[i],
					    true));
	/* Ours is not known: it is still a connection. */
	c = events->on_open(wire, 1, "", "[2001:db8::1]:65535", true);
	assert_non_null(c);
	events->on_end(c, 2, PL_TAP_PEER_CLOSED);
	events->on_end(c, 3, PL_TAP_PEER_CLOSED);
	events->on_bytes(c, 4, false, "late", 4);
	events->on_end(c, 5, PL_TAP_DROPPED);
	events->on_bytes(c, 6, true, "late", 4);
	events->on_gone(c);
	close_file(wire);
	assert_true(pl_wire_close(NULL, &error));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
		TEST(starttls), TEST(over_ipv6), TEST(direct_tls),
		TEST(other_ports), TEST(in_small_pieces),
		TEST(dialback), TEST(in_clear),
#undef TEST
		cmocka_unit_test(only_the_owner_reads_it),
		cmocka_unit_test(an_old_file_stays_without_force),
		cmocka_unit_test(only_a_file_is_replaced),
		cmocka_unit_test(a_full_file_is_told),
		cmocka_unit_test(packets_wait_for_secrets),
		cmocka_unit_test(odd_endpoints),
	};

	if (argc != 2)
		return 2;
	folder = argv[1];
	return cmocka_run_group_tests(tests, suite_begin, suite_end);
}
