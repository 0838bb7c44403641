/*
 * Resolvers that are not what they should be: missing, silent, hostile. The name
 * server is a socket of this test.
 */
#include "asking.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char folder[] = "/tmp/parley-dns-XXXXXX";

static const char *write_file(const char *name, const char *text)
{
	static char paths[2][80];
	static int turn;
	char *path = paths[turn = !turn];
	FILE *file;

	snprintf(path, sizeof paths[0], "%s/%s", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	return path;
}

static void remove_file(const char *name)
{
	char path[80];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	unlink(path);
}

static int make_folder(void **state)
{
	return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
	remove_file("resolv.conf");
	remove_file("hosts");
	remove_file("anchor");
	return rmdir(folder);
}

/* ----- files ----- */

static void refuse(const struct pl_dns_settings *settings, const char *word)
{
	struct event_base *base = event_base_new();
	struct pl_error error = { 0 };

	assert_null(pl_resolver_new(base, settings, &error));
	if (strstr(error.text, word) == NULL)
		fail_msg("no \"%s\" in \"%s\"", word, error.text);
	event_base_free(base);
}

static void accept_settings(const struct pl_dns_settings *settings)
{
	struct asking asking;

	asking_begin(&asking, settings);
	asking_end(&asking);
}

static void faulty_files(void **state)
{
	struct pl_dns_settings settings = {
		.resolv_conf = "/nonexistent/resolv.conf",
		.trust_anchor_file = "/dev/null",
	};

	refuse(&settings, "/nonexistent/resolv.conf");
	settings.resolv_conf = write_file("resolv.conf",
					  "nameserver 127.0.0.1\n");
	settings.hosts = "/nonexistent/hosts";
	refuse(&settings, "/nonexistent/hosts");
	settings.hosts = NULL;
	settings.trust_anchor_file = "/nonexistent/anchor";
	refuse(&settings, "/nonexistent/anchor");
	settings.trust_anchor_file = write_file("anchor", "nonsense here\n");
	refuse(&settings, "trust anchor");
	settings.trust_anchor_file = "/dev/null";
	accept_settings(&settings);
	pl_resolver_free(NULL);
}

static void odd_resolv_confs(void **state)
{
	static const char *const odd[] = {
		"", "# nothing\n", "nameserver\n", "nameserver nonsense\n",
		"search example\noptions edns0\n  nameserver\t127.0.0.1\r\n",
		"nameserver ::1\nnameserver 127.0.0.1@5353\n",
		"nameserver fe80::1%lo\n",
		"nameserver 127.0.0.1@99999\n",
		"nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n"
		"nameserver 192.0.2.4\nnameserver 192.0.2.5\nnameserver 192.0.2.6\n"
		"nameserver 192.0.2.7\nnameserver 192.0.2.8\nnameserver 192.0.2.9\n",
	};
	struct pl_dns_settings settings = { .trust_anchor_file = "/dev/null" };
	char longest[3000];

	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		settings.resolv_conf = write_file("resolv.conf", odd[i]);
		accept_settings(&settings);
	}
	memset(longest, 'x', sizeof longest);
	memcpy(longest, "nameserver ", 11);
	longest[sizeof longest - 1] = '\0';
	settings.resolv_conf = write_file("resolv.conf", longest);
	accept_settings(&settings);
}

/* ----- a name server of our own ----- */

struct server {
	struct asking asking;
	int fd;
	struct event *event;
	unsigned questions, probes;
	/* Makes an answer from a question; returns its length, 0: silence. */
	size_t (*answer)(uint8_t *packet, size_t length, size_t room);
	bool answers_probes;
};

static size_t rcode(uint8_t *packet, size_t length, uint8_t code)
{
	packet[2] |= 0x80;
	packet[3] = (uint8_t)(0x80 | code);
	return length;
}

static size_t servfail(uint8_t *packet, size_t length, size_t room)
{
	return rcode(packet, length, 2);
}

static size_t refused(uint8_t *packet, size_t length, size_t room)
{
	return rcode(packet, length, 5);
}

static size_t nothing(uint8_t *packet, size_t length, size_t room)
{
	return 0;
}

static size_t garbage(uint8_t *packet, size_t length, size_t room)
{
	size_t end = 12 + (size_t)random() % 400;

	rcode(packet, length, 0);
	packet[7] = 5; /* answers, but none are there */
	for (size_t i = length; i < end; i++)
		packet[i] = (uint8_t)random();
	return end < length ? length : end;
}

/* SRV answers with compression pointers into nowhere. */
static size_t loops(uint8_t *packet, size_t length, size_t room)
{
	static const uint8_t rr[] = { 0xc0, 0x0c, 0, 33, 0, 1, 0, 0, 0, 60,
				      0, 8, 0, 1, 0, 1, 20, 149, 0xc0 };
	size_t question = 12;

	while (packet[question] != 0)
		question += packet[question] + 1u;
	question += 5;
	rcode(packet, length, 0);
	packet[7] = 1;
	packet[11] = 0;
	memcpy(packet + question, rr, sizeof rr);
	packet[question + sizeof rr] = (uint8_t)(question + sizeof rr - 1);
	return question + sizeof rr + 1;
}

/* Says NXDOMAIN to _xmpp-server and A, and nothing else at all. */
static size_t half(uint8_t *packet, size_t length, size_t room)
{
	if (memcmp(packet + 12, "\14_xmpp-server", 13) == 0)
		return rcode(packet, length, 3);
	return 0;
}

/* One A record for names in "only.example", no answer for AAAA and _xmpps. */
static size_t slow_halves(uint8_t *packet, size_t length, size_t room)
{
	static const uint8_t srv[] = { 0xc0, 0x0c, 0, 33, 0, 1, 0, 0, 0, 60,
				       0, 21, 0, 1, 0, 1, 20, 149, 4, 'o',
				       'n', 'l', 'y', 7, 'e', 'x', 'a', 'm',
				       'p', 'l', 'e', 0, 0 };
	static const uint8_t a[] = { 0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60,
				     0, 4, 192, 0, 2, 77 };
	size_t question = 12;
	unsigned type;

	while (packet[question] != 0)
		question += packet[question] + 1u;
	type = packet[question + 2];
	question += 5;
	if (type == 28 || memcmp(packet + 12, "\15_xmpps", 7) == 0)
		return 0;
	rcode(packet, length, 0);
	packet[7] = 1;
	packet[11] = 0;
	if (type == 33) {
		memcpy(packet + question, srv, sizeof srv);
		packet[question + 11] = 20;
		return question + 32;
	}
	memcpy(packet + question, a, sizeof a);
	return question + sizeof a;
}

static void on_question(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;
	uint8_t packet[2048];
	struct sockaddr_in from;
	socklen_t from_length = sizeof from;
	ssize_t n = recvfrom(fd, packet, 512, 0, (struct sockaddr *)&from,
			     &from_length);
	size_t length;

	if (n < 17)
		return;
	if (packet[12] == 0 && packet[14] == 2) { /* root, NS: the probe */
		server->probes++;
		length = server->answers_probes ? rcode(packet, (size_t)n, 0)
						: 0;
	} else {
		server->questions++;
		length = server->answer(packet, (size_t)n, sizeof packet);
	}
	if (length > 0)
		sendto(fd, packet, length, 0, (struct sockaddr *)&from,
		       from_length);
}

static void begin(struct server *server,
		  size_t (*answer)(uint8_t *packet, size_t length, size_t room),
		  bool answers_probes)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t length = sizeof addr;
	struct pl_dns_settings settings = { .trust_anchor_file = "/dev/null" };
	char line[64];

	memset(server, 0, sizeof *server);
	server->answer = answer;
	server->answers_probes = answers_probes;
	server->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(server->fd, (struct sockaddr *)&addr, length), 0);
	getsockname(server->fd, (struct sockaddr *)&addr, &length);
	snprintf(line, sizeof line, "nameserver 127.0.0.1@%u\n",
		 ntohs(addr.sin_port));
	settings.resolv_conf = write_file("resolv.conf", line);
	asking_begin(&server->asking, &settings);
	server->event = event_new(server->asking.base, server->fd,
				  EV_READ | EV_PERSIST, on_question, server);
	event_add(server->event, NULL);
}

static void end(struct server *server)
{
	event_free(server->event);
	close(server->fd);
	asking_end(&server->asking);
}

static void nobody_there(void **state)
{
	struct server server;

	begin(&server, servfail, true);
	event_del(server.event);
	close(server.fd);
	server.fd = -1;
	ask(&server.asking, "a.example", BOTH);
	assert_string_equal(shown(&server.asking), "dns-resolver-unreachable");
	assert_true(server.asking.took_ms < 3500); /* refused: no waiting */
	ask_host(&server.asking, "a.example", 1, false);
	assert_string_equal(shown(&server.asking), "dns-resolver-unreachable");
	end(&server);
}

static void silent(void **state)
{
	struct server server;

	begin(&server, nothing, false);
	ask(&server.asking, "a.example", BOTH);
	assert_string_equal(shown(&server.asking), "dns-resolver-unreachable");
	assert_in_range(server.asking.took_ms, 2000, 5000);
	assert_true(server.probes > 1);
	end(&server);
}

static void never(void *owner, const struct pl_dns_answer *answer)
{
	fail_msg("a cancelled query answered");
}

/* It answers, but cannot find out: not our resolver's fault. */
static void servers_fail(void **state)
{
	struct server server;

	begin(&server, servfail, true);
	ask(&server.asking, "a.example", BOTH);
	assert_string_equal(shown(&server.asking), "dns-server-failure");
	end(&server);
	begin(&server, refused, true);
	ask(&server.asking, "a.example", BOTH);
	assert_string_equal(shown(&server.asking), "dns-server-failure");
	end(&server);
}

static void only_some_answers(void **state)
{
	struct server server;
	struct pl_dns_query *query;

	/* one says there is none, of the other nothing is known */
	begin(&server, half, true);
	query = pl_dns_find(server.asking.resolver, "a.example", BOTH, never,
			    NULL);
	wait_ms(&server.asking, 1000);
	assert_int_equal(pl_dns_overdue(query),
			 PL_CODE_DNS_RESOLVER_UNREACHABLE);
	wait_ms(&server.asking, 1500);
	assert_int_equal(pl_dns_overdue(query), PL_CODE_DNS_SERVER_FAILURE);
	assert_true(server.probes > 0);
	pl_dns_cancel(query);
	end(&server);

	/* what can be done without is not waited for */
	begin(&server, slow_halves, true);
	ask(&server.asking, "a.example", BOTH);
	assert_string_equal(shown(&server.asking),
			    "only.example:5269/srv=192.0.2.77 ");
	assert_true(server.asking.took_ms < 4500);
	end(&server);
}

static void hostile_packets(void **state)
{
	struct server server;

	srandom(7);
	begin(&server, garbage, true);
	for (int i = 0; i < 3; i++) {
		char name[32];

		snprintf(name, sizeof name, "g%d.example", i);
		pl_dns_find(server.asking.resolver, name, BOTH, asking_done,
			    &server.asking);
	}
	wait_for(&server.asking, 3);
	assert_int_not_equal(server.asking.answer.code, PL_CODE_NONE);
	end(&server);
	begin(&server, loops, true);
	ask(&server.asking, "a.example", BOTH);
	assert_int_not_equal(server.asking.answer.code, PL_CODE_NONE);
	end(&server);
}

static void freed_while_probing(void **state)
{
	struct server server;
	struct pl_dns_query *query;

	begin(&server, nothing, false);
	query = pl_dns_find(server.asking.resolver, "a.example", BOTH, never,
			    NULL);
	pl_dns_find(server.asking.resolver, "b.example", BOTH, never, NULL);
	wait_ms(&server.asking, 2200);
	assert_true(server.probes > 0);
	pl_dns_cancel(query);
	end(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faulty_files),
		cmocka_unit_test(odd_resolv_confs),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(silent),
		cmocka_unit_test(servers_fail),
		cmocka_unit_test(only_some_answers),
		cmocka_unit_test(hostile_packets),
		cmocka_unit_test(freed_while_probing),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
