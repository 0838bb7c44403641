#include "bench.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

unsigned short free_port(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t length = sizeof addr;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, length), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &length), 0);
	close(fd);
	return ntohs(addr.sin_port);
}

/* ----- owners ----- */

static void on_data(void *owner, const void *bytes, size_t length)
{
	struct side *side = owner;

	assert_int_equal(side->ends, 0);
	assert_true(length <= READ_SIZE);
	assert_true(side->length + length <= GOT_SIZE);
	memcpy(side->got + side->length, bytes, length);
	side->length += length;
	if (length > side->largest)
		side->largest = length;
	if (side->also != NULL)
		side->also(side);
}

static void on_end(void *owner, enum pl_conn_end end, const char *text)
{
	struct side *side = owner;

	side->ends++;
	side->end = end;
	snprintf(side->text, sizeof side->text, "%s", text);
}

static void on_drained(void *owner)
{
	((struct side *)owner)->drained++;
}

const struct pl_conn_events side_events = { on_data, on_end, on_drained };

static void on_accepted(void *owner, struct pl_conn *conn)
{
	struct bench *bench = owner;
	struct side *side;

	assert_true(bench->accepted < 4);
	side = &bench->sides[bench->accepted++];
	side->conn = conn;
	pl_conn_own(conn, &side_events, side);
}

/* ----- the bench ----- */

static void on_limit(void *owner)
{
	struct bench *bench = owner;

	bench->late = true;
	pl_loop_stop(bench->loop);
}

int bench_set_up(void **state)
{
	struct bench *bench = calloc(1, sizeof *bench);
	struct pl_error error = { 0 };

	*state = bench;
	bench->loop = pl_loop_new(&error);
	for (size_t i = 0; i < 4; i++)
		bench->sides[i].got = malloc(GOT_SIZE);
	bench->port = free_port();
	snprintf(bench->endpoint, sizeof bench->endpoint, "127.0.0.1:%u",
		 bench->port);
	bench->listener = pl_listener_new(bench->loop, bench->endpoint,
					  on_accepted, bench, &error);
	if (bench->listener == NULL)
		fprintf(stderr, "# %s\n", error.text);
	bench->limit = pl_timer_new(bench->loop, on_limit, bench);
	return bench->listener == NULL;
}

int bench_tear_down(void **state)
{
	struct bench *bench = *state;

	pl_timer_free(bench->limit);
	pl_listener_free(bench->listener);
	pl_loop_free(bench->loop);
	for (size_t i = 0; i < 4; i++)
		free(bench->sides[i].got);
	free(bench);
	return 0;
}

static void look(void *owner)
{
	struct bench *bench = owner;

	if (bench->holds != NULL && bench->holds(bench)) {
		bench->holds = NULL;
		pl_loop_stop(bench->loop);
	}
}

struct looking {
	struct bench *bench;
	struct pl_timer *again;
};

static void look_again(void *owner)
{
	struct looking *looking = owner;

	look(looking->bench);
	pl_timer_set(looking->again, 1);
}

bool bench_until(struct bench *bench, bool (*holds)(struct bench *bench))
{
	struct looking looking = { .bench = bench };

	bench->late = false;
	bench->holds = holds;
	looking.again = pl_timer_new(bench->loop, look_again, &looking);
	pl_timer_set(looking.again, 0);
	pl_timer_set(bench->limit, 5000);
	pl_loop_run(bench->loop);
	pl_timer_clear(bench->limit);
	pl_timer_free(looking.again);
	bench->holds = NULL;
	return !bench->late;
}

void bench_run(struct bench *bench, uint64_t ms)
{
	pl_timer_set(bench->limit, ms);
	pl_loop_run(bench->loop);
}

void bench_turn(struct bench *bench)
{
	bench_run(bench, 5);
}

int bench_connect(struct bench *bench)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(bench->port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	size_t before = bench->accepted;
	uint64_t late = now_ms() + 5000;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
	while (bench->accepted == before && now_ms() < late)
		bench_turn(bench);
	assert_int_equal(bench->accepted, before + 1);
	return fd;
}
