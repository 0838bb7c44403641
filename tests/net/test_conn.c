/* Connections over real sockets: reading, writing, ending. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Everything until the end; -1 when it was a reset. */
static ssize_t read_all(int fd, char *out, size_t size)
{
	size_t length = 0;

	for (;;) {
		ssize_t n = read(fd, out + length, size - length);

		if (n < 0)
			return -1;
		if (n == 0)
			return (ssize_t)length;
		length += (size_t)n;
	}
}

static void reset_close(int fd)
{
	struct linger linger = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	close(fd);
}

static bool first_ended(struct bench *bench)
{
	return bench->sides[0].ends > 0;
}

static bool none_left(struct bench *bench)
{
	return pl_loop_connections(bench->loop) == 0;
}

/* ----- reading and writing ----- */

static void options_and_names(void **state)
{
	struct bench *bench = *state;
	int fd = bench_connect(bench), value = 0;
	socklen_t length = sizeof value;
	struct pl_conn *conn = bench->sides[0].conn;
	char local[PL_ENDPOINT_SIZE], expected[PL_ENDPOINT_SIZE];
	struct sockaddr_in addr;

	getsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &value, &length);
	assert_true(value);
	value = 0;
	getsockopt(conn->fd, SOL_SOCKET, SO_KEEPALIVE, &value, &length);
	assert_true(value);
	assert_true(fcntl(conn->fd, F_GETFD) & FD_CLOEXEC);
	assert_memory_equal(pl_conn_peer(conn), "127.0.0.1:", 10);
	assert_string_equal(pl_conn_peer_group(conn), "127.0.0.1");
	assert_int_equal(getpeername(fd, (void *)&addr, &(socklen_t){
		sizeof addr }), 0);
	pl_conn_local(conn, local);
	snprintf(expected, sizeof expected, "127.0.0.1:%u",
		 ntohs(addr.sin_port));
	assert_string_equal(local, expected);
	pl_conn_abort(conn);
	pl_conn_local(conn, local); /* it is closed */
	assert_string_equal(local, "");
	close(fd);
}

static void one_write_a_turn(void **state)
{
	struct bench *bench = *state;
	int fd = bench_connect(bench);
	struct pl_conn *conn = bench->sides[0].conn;
	struct tcp_info info = { 0 };
	socklen_t length = sizeof info;
	char got[200];

	for (int i = 0; i < 100; i++)
		assert_true(pl_conn_write(conn, "x", 1));
	assert_int_equal(pl_conn_pending(conn), 100);
	assert_int_equal(bench->sides[0].drained, 0);
	bench_turn(bench);
	assert_int_equal(pl_conn_pending(conn), 0);
	assert_int_equal(bench->sides[0].drained, 1);
	getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, &info, &length);
	assert_int_equal(info.tcpi_data_segs_out, 1);
	assert_int_equal(read(fd, got, sizeof got), 100);
	assert_null(conn->output.data); /* an idle one holds no memory */
	pl_conn_abort(conn);
	close(fd);
}

static void pausing_stops_reading(void **state)
{
	struct bench *bench = *state;
	int fd = bench_connect(bench);
	struct side *side = &bench->sides[0];

	pl_conn_pause(side->conn);
	assert_int_equal(write(fd, "hello", 5), 5);
	close(fd);
	bench_run(bench, 20);
	assert_int_equal(side->length, 0);
	assert_int_equal(side->ends, 0);
	pl_conn_resume(side->conn);
	assert_true(bench_until(bench, first_ended));
	assert_int_equal(side->length, 5);
	assert_int_equal(side->end, PL_CONN_EOF);
	pl_conn_abort(side->conn);
}

static void pause_self(struct side *side)
{
	pl_conn_pause(side->conn);
}

static void pausing_in_on_data(void **state)
{
	struct bench *bench = *state;
	int fd = bench_connect(bench);
	struct side *side = &bench->sides[0];
	char block[40000] = "";

	side->also = pause_self;
	assert_int_equal(write(fd, block, sizeof block), sizeof block);
	bench_run(bench, 20);
	assert_int_equal(side->length, READ_SIZE);
	pl_conn_resume(side->conn);
	bench_run(bench, 20);
	assert_int_equal(side->length, 2 * READ_SIZE);
	pl_conn_abort(side->conn);
	close(fd);
}

/* A flood is read 16 KiB a turn, and others have their turn in between. */
static size_t flooded_before;

static void note_flood(struct side *side)
{
	struct side *flooding = side - 1;

	flooded_before = flooding->length;
}

static void a_flood_starves_nobody(void **state)
{
	struct bench *bench = *state;
	int flood = bench_connect(bench), quiet = bench_connect(bench);
	static char block[1024 * 1024];
	ssize_t n;

	pl_conn_pause(bench->sides[0].conn);
	fcntl(flood, F_SETFL, O_NONBLOCK);
	for (size_t sent = 0; (n = write(flood, block, sizeof block)) > 0;)
		sent += (size_t)n;
	bench->sides[1].also = note_flood;
	assert_int_equal(write(quiet, "x", 1), 1);
	pl_conn_resume(bench->sides[0].conn);
	bench_run(bench, 50);
	assert_int_equal(bench->sides[1].length, 1);
	assert_true(bench->sides[0].length > 4 * READ_SIZE);
	assert_true(flooded_before <= 2 * READ_SIZE);
	assert_int_equal(bench->sides[0].largest, READ_SIZE);
	pl_conn_abort(bench->sides[0].conn);
	pl_conn_abort(bench->sides[1].conn);
	close(flood);
	close(quiet);
}

/* ----- limits ----- */

static void who_does_not_read_overflows(void **state)
{
	struct bench *bench = *state;
	int fd = bench_connect(bench);
	struct side *side = &bench->sides[0];
	static char block[100000];
	int writes = 0;

	pl_conn_set_output_limit(side->conn, 300000);
	while (pl_conn_write(side->conn, block, sizeof block)) {
		assert_true(pl_conn_pending(side->conn) <= 300000);
		assert_true(writes++ < 1000);
		bench_turn(bench);
	}
	assert_true(writes > 3);
	assert_int_equal(side->ends, 0); /* not inside the call */
	assert_false(pl_conn_write(side->conn, "x", 1));
	assert_int_equal(write(fd, "late", 4), 4);
	bench_turn(bench);
	assert_int_equal(side->ends, 1);
	assert_int_equal(side->end, PL_CONN_OVERFLOW);
	assert_int_equal(side->length, 0);
	bench_run(bench, 20);
	assert_int_equal(side->ends, 1);
	pl_conn_abort(side->conn);
	close(fd);
}

static void a_limit_within_one_turn(void **state)
{
	struct bench *bench = *state;
	int fd = bench_connect(bench);
	struct side *side = &bench->sides[0];
	char got[100];

	pl_conn_set_output_limit(side->conn, 10);
	assert_true(pl_conn_write(side->conn, "0123456789", 10));
	assert_false(pl_conn_write(side->conn, "x", 1));
	/* What was queued before still goes out with the close. */
	pl_conn_close(side->conn, 1000);
	bench_turn(bench);
	assert_int_equal(read_all(fd, got, sizeof got), 10);
	assert_int_equal(side->ends, 0);
	close(fd);
	assert_true(bench_until(bench, none_left));
}

/* ----- ends ----- */

static void all_bytes_come_before_the_end(void **state)
{
	struct bench *bench = *state;
	int fd = bench_connect(bench);
	struct side *side = &bench->sides[0];
	static char block[100000];

	assert_int_equal(write(fd, block, sizeof block), sizeof block);
	close(fd);
	assert_true(bench_until(bench, first_ended));
	assert_int_equal(side->length, sizeof block);
	assert_int_equal(side->end, PL_CONN_EOF);
	assert_false(pl_conn_write(side->conn, "x", 1));
	bench_run(bench, 20);
	assert_int_equal(side->ends, 1);
	pl_conn_close(side->conn, 1000);
	assert_true(bench_until(bench, none_left));
}

/* What was queued before a peer's half-close is still sent to it. */
static void queue_answer(struct side *side)
{
	pl_conn_write(side->conn, "answer", 6);
}

static void a_half_closed_peer_is_answered(void **state)
{
	struct bench *bench = *state;
	int fd = bench_connect(bench);
	struct side *side = &bench->sides[0];
	char got[20];

	side->also = queue_answer;
	assert_int_equal(write(fd, "question", 8), 8);
	shutdown(fd, SHUT_WR);
	assert_true(bench_until(bench, first_ended));
	pl_conn_close(side->conn, 1000);
	bench_turn(bench);
	assert_int_equal(read_all(fd, got, sizeof got), 6);
	assert_int_equal(pl_loop_connections(bench->loop), 0);
	close(fd);
}

static void a_reset_is_reported(void **state)
{
	struct bench *bench = *state;
	int fd = bench_connect(bench);

	reset_close(fd);
	assert_true(bench_until(bench, first_ended));
	assert_int_equal(bench->sides[0].end, PL_CONN_RESET);
	assert_string_equal(bench->sides[0].text, "connection reset by peer");
	pl_conn_close(bench->sides[0].conn, 1000);
	assert_true(bench_until(bench, none_left));
}

/* The write fails before the read: the last words are read all the same. */
static void last_words_before_a_reset(void **state)
{
	struct bench *bench = *state;
	int fd = bench_connect(bench);
	struct side *side = &bench->sides[0];

	pl_conn_pause(side->conn);
	assert_int_equal(write(fd, "alert", 5), 5);
	reset_close(fd);
	pl_conn_resume(side->conn);
	/* both in one turn, the write before libevent is asked */
	pl_conn_write(side->conn, "hello", 5);
	conn_flush(side->conn);
	assert_int_not_equal(side->conn->write_error, 0);
	assert_int_equal(side->ends, 0);
	assert_true(pl_conn_write(side->conn, "more", 4));
	assert_true(bench_until(bench, first_ended));
	assert_int_equal(side->length, 5);
	assert_memory_equal(side->got, "alert", 5);
	assert_int_equal(side->end, PL_CONN_RESET);
	assert_int_equal(side->ends, 1);
	pl_conn_abort(side->conn);
}

/* Who may not read is not left waiting for an end that it cannot see. */
static void a_failed_write_ends_a_paused_one(void **state)
{
	struct bench *bench = *state;
	int fd = bench_connect(bench);
	struct side *side = &bench->sides[0];

	pl_conn_pause(side->conn);
	assert_int_equal(write(fd, "unread", 6), 6);
	reset_close(fd);
	bench_turn(bench);
	pl_conn_write(side->conn, "hello", 5);
	assert_true(bench_until(bench, first_ended));
	assert_int_equal(side->end, PL_CONN_RESET);
	pl_conn_abort(side->conn);
}

static void an_end_is_told_once(void **state)
{
	struct bench *bench = *state;
	int fd = bench_connect(bench);
	struct side *side = &bench->sides[0];

	pl_conn_write(side->conn, "hello", 5);
	reset_close(fd);
	pl_conn_set_output_limit(side->conn, 5);
	pl_conn_write(side->conn, "x", 1);
	bench_run(bench, 30);
	assert_int_equal(side->ends, 1);
	pl_conn_abort(side->conn);
}

/* ----- closing ----- */

/* The peer goes on sending what nobody wants: an early close would reset it and
 * lose our last words. */
static void closing_lingers(void **state)
{
	struct bench *bench = *state;
	int fd = bench_connect(bench);
	struct side *side = &bench->sides[0];
	static char block[1000000], got[sizeof block + 1];
	ssize_t n;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (write(fd, block, 1000) > 0 && side->length < 500000)
		bench_turn(bench);
	memset(block, 'x', sizeof block);
	assert_true(pl_conn_write(side->conn, block, sizeof block));
	pl_conn_close(side->conn, 2000);
	assert_false(pl_conn_write(side->conn, "x", 1));
	pl_conn_close(side->conn, 2000);
	for (int i = 0; i < 20; i++) {
		n = write(fd, got, 1000);
		assert_true(n == 1000 || errno == EAGAIN);
		bench_turn(bench);
	}
	assert_int_equal(pl_loop_connections(bench->loop), 1);
	for (n = 0; n < (ssize_t)sizeof block;) {
		ssize_t more = read(fd, got + n, sizeof got - (size_t)n);

		assert_int_not_equal(more, 0);
		assert_true(more > 0 || errno == EAGAIN);
		n += more > 0 ? more : 0;
		bench_turn(bench);
	}
	assert_int_equal(read(fd, got, 1), 0);
	assert_memory_equal(got, block, sizeof block - 1);
	assert_int_equal(pl_loop_connections(bench->loop), 1);
	close(fd);
	bench_turn(bench); /* the peer's end ends it, before the time is up */
	assert_int_equal(pl_loop_connections(bench->loop), 0);
	assert_int_equal(side->ends, 0);
}

static void lingering_has_an_end(void **state)
{
	struct bench *bench = *state;
	int fd = bench_connect(bench);
	static char block[3000000];

	/* a peer that neither reads nor closes */
	assert_true(pl_conn_write(bench->sides[0].conn, block, sizeof block));
	pl_conn_close(bench->sides[0].conn, 100);
	bench_run(bench, 50);
	assert_int_equal(pl_loop_connections(bench->loop), 1);
	bench_run(bench, 100);
	assert_int_equal(pl_loop_connections(bench->loop), 0);
	close(fd);
}

static void the_loop_takes_lingering_ones_along(void **state)
{
	struct bench *bench = *state;
	int fd = bench_connect(bench);

	pl_conn_write(bench->sides[0].conn, "x", 1);
	pl_conn_close(bench->sides[0].conn, 100000);
	close(fd);
	/* tear_down frees the loop; the sanitizer sees what is left */
}

/* ----- what the peer has ----- */

/* How many of the bytes that the kernel took the peer's TCP has: till there it
 * was told so, in any state of the connection. */
static uint64_t sent_and_stuck(struct bench *bench, struct pl_conn *conn)
{
	static char block[8000000];
	uint64_t acked = 0;

	pl_conn_set_output_limit(conn, sizeof block);
	assert_true(pl_conn_write(conn, block, sizeof block));
	for (int i = 0; i < 20 && (acked == 0 || acked != pl_conn_acked(conn));
	     i++) {
		acked = pl_conn_acked(conn);
		bench_run(bench, 150); /* acknowledgements may be late */
	}
	assert_in_range(acked, 1, pl_conn_sent(conn) - 1);
	return acked;
}

static void the_peer_has_what_it_acknowledged(void **state)
{
	struct bench *bench = *state;
	int fd = bench_connect(bench);
	struct pl_conn *conn = bench->sides[0].conn;
	static char got[4000000];
	uint64_t acked;

	assert_int_equal(pl_conn_acked(conn), 0);
	assert_true(pl_conn_write(conn, "hello", 5));
	bench_run(bench, 5);
	assert_int_equal(pl_conn_acked(conn), 5);
	acked = sent_and_stuck(bench, conn);
	assert_true(read(fd, got, 5) == 5);
	reset_close(fd);
	assert_true(bench_until(bench, first_ended));
	assert_int_equal(bench->sides[0].end, PL_CONN_RESET);
	assert_int_equal(pl_conn_acked(conn), acked);
	assert_int_equal(pl_conn_settle(conn), acked);
	pl_conn_abort(conn);
}

/* The rest must not arrive after all, when somebody was told it will not. */
static void what_is_settled_is_not_sent(void **state)
{
	struct bench *bench = *state;
	int fd = bench_connect(bench);
	struct pl_conn *conn = bench->sides[0].conn;
	static char got[100000];
	uint64_t acked = sent_and_stuck(bench, conn), read_of_it = 0;
	ssize_t n;

	assert_int_equal(pl_conn_settle(conn), acked);
	pl_conn_abort(conn);
	while ((n = read(fd, got, sizeof got)) > 0)
		read_of_it += (uint64_t)n;
	assert_int_equal(n, -1);
	assert_int_equal(errno, ECONNRESET);
	assert_true(read_of_it <= acked);
	close(fd);
}

static struct {
	unsigned times;
	uint64_t acked;
} gone;

static void on_gone(void *owner, uint64_t acked)
{
	assert_ptr_equal(owner, &gone);
	gone.times++;
	gone.acked = acked;
}

static void farewell(struct pl_conn *conn, uint64_t linger_ms)
{
	memset(&gone, 0, sizeof gone);
	pl_conn_farewell(conn, linger_ms, on_gone, &gone);
}

static void a_farewell_tells_that_all_arrived(void **state)
{
	struct bench *bench = *state;
	int fd = bench_connect(bench);
	struct pl_conn *conn = bench->sides[0].conn;
	char got[10];

	assert_true(pl_conn_write(conn, "hello", 5));
	farewell(conn, 5000);
	assert_int_equal(gone.times, 0);
	bench_run(bench, 5);
	assert_int_equal(read(fd, got, sizeof got), 5);
	assert_int_equal(read(fd, got, sizeof got), 0);
	close(fd);
	assert_true(bench_until(bench, none_left));
	assert_int_equal(gone.times, 1);
	assert_int_equal(gone.acked, 5);
}

/* The peer half-closed and reads slowly: its end is no reason to hurry. */
static void a_farewell_waits_for_a_peer_that_ended(void **state)
{
	struct bench *bench = *state;
	int fd = bench_connect(bench);
	struct pl_conn *conn = bench->sides[0].conn;
	static char block[3000000], got[100000];
	size_t length = 0;
	ssize_t n;

	assert_true(pl_conn_write(conn, block, sizeof block));
	shutdown(fd, SHUT_WR);
	assert_true(bench_until(bench, first_ended));
	farewell(conn, 5000);
	bench_run(bench, 200);
	assert_int_equal(gone.times, 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (length < sizeof block) {
		n = read(fd, got, sizeof got);
		assert_true(n > 0 || (n < 0 && errno == EAGAIN));
		length += n > 0 ? (size_t)n : 0;
		bench_turn(bench);
	}
	assert_true(bench_until(bench, none_left));
	assert_int_equal(gone.times, 1);
	assert_int_equal(gone.acked, sizeof block);
	close(fd);
}

static void a_farewell_of_one_that_does_not_read(void **state)
{
	struct bench *bench = *state;
	int fd = bench_connect(bench);
	struct pl_conn *conn = bench->sides[0].conn;
	uint64_t acked = sent_and_stuck(bench, conn);

	shutdown(fd, SHUT_WR);
	farewell(conn, 150);
	bench_run(bench, 50);
	assert_int_equal(gone.times, 0);
	bench_run(bench, 200);
	assert_int_equal(gone.times, 1);
	assert_int_equal(gone.acked, acked);
	assert_int_equal(pl_loop_connections(bench->loop), 0);
	close(fd);
}

static void a_farewell_is_cut_short(void **state)
{
	struct bench *bench = *state;
	int fd = bench_connect(bench);
	struct pl_conn *conn = bench->sides[0].conn;
	uint64_t acked = sent_and_stuck(bench, conn);

	farewell(conn, 100000);
	bench_run(bench, 20);
	assert_int_equal(gone.times, 0);
	pl_conn_abort(conn);
	assert_int_equal(gone.times, 1);
	assert_int_equal(gone.acked, acked);
	close(fd);
	close(bench_connect(bench));
	pl_conn_write(bench->sides[1].conn, "x", 1);
	farewell(bench->sides[1].conn, 100000);
	/* nobody hears of this one: tear_down frees the loop */
}

static struct pl_conn *victim;

static void abort_both(struct side *side)
{
	if (victim != NULL) {
		pl_conn_abort(victim);
		pl_conn_abort(side->conn);
	}
	victim = NULL;
}

/* Both have input in the same turn; the first to run drops both. */
static void dropping_another_in_the_same_turn(void **state)
{
	struct bench *bench = *state;
	int one = bench_connect(bench), two = bench_connect(bench);

	for (int first = 0; first < 2; first++)
		bench->sides[first].also = abort_both;
	victim = bench->sides[1].conn;
	assert_int_equal(write(one, "x", 1), 1);
	bench_turn(bench);
	assert_int_equal(pl_loop_connections(bench->loop), 0);
	close(one);
	close(two);

	bench->accepted = 0;
	one = bench_connect(bench);
	two = bench_connect(bench);
	assert_int_equal(write(one, "x", 1), 1);
	assert_int_equal(write(two, "x", 1), 1);
	victim = bench->sides[1].conn;
	bench->sides[1].also = NULL;
	bench->sides[0].length = bench->sides[1].length = 0;
	bench_run(bench, 20);
	assert_int_equal(pl_loop_connections(bench->loop), 0);
	close(one);
	close(two);
}

static void write_other(void *owner)
{
	struct bench *bench = owner;

	/* flushed next turn, dropped in this one */
	pl_conn_write(bench->sides[1].conn, "x", 1);
	pl_conn_abort(bench->sides[1].conn);
}

static void dropping_one_with_output(void **state)
{
	struct bench *bench = *state;
	int one = bench_connect(bench), two = bench_connect(bench);
	char got[10];

	pl_conn_write(bench->sides[0].conn, "a", 1);
	pl_conn_write(bench->sides[1].conn, "b", 1);
	pl_loop_defer(bench->loop, write_other, bench);
	bench_turn(bench);
	assert_int_equal(read(one, got, 10), 1);
	assert_int_equal(read_all(two, got, 10), 0);
	pl_conn_abort(bench->sides[0].conn);
	close(one);
	close(two);
}

static void drop_other(void *owner)
{
	struct bench *bench = owner;

	if (bench->sides[0].conn == NULL)
		return;
	/* it has had its turn, and would have the next */
	pl_conn_write(bench->sides[0].conn, "x", 1);
	pl_conn_abort(bench->sides[0].conn);
	bench->sides[0].conn = NULL;
}

static void ignore_data(void *owner, const void *bytes, size_t length)
{
}

static void ignore_end(void *owner, enum pl_conn_end end, const char *text)
{
}

static void dropping_one_that_was_flushed(void **state)
{
	static const struct pl_conn_events dropping = {
		ignore_data, ignore_end, drop_other,
	};
	struct bench *bench = *state;
	int one = bench_connect(bench), two = bench_connect(bench);

	pl_conn_own(bench->sides[1].conn, &dropping, bench);
	pl_conn_write(bench->sides[0].conn, "a", 1);
	pl_conn_write(bench->sides[1].conn, "b", 1);
	bench_run(bench, 20);
	assert_null(bench->sides[0].conn);
	assert_int_equal(bench->loop->dirty_count, 0);
	pl_conn_abort(bench->sides[1].conn);
	close(one);
	close(two);
}

static void a_pipe_signal_kills_nobody(void **state)
{
	struct bench *bench = *state;
	int fd = bench_connect(bench);
	struct side *side = &bench->sides[0];

	shutdown(side->conn->fd, SHUT_WR);
	pl_conn_write(side->conn, "x", 1);
	bench_turn(bench);
	assert_int_equal(side->conn->write_error, EPIPE);
	close(fd);
	bench_turn(bench);
	assert_int_equal(side->end, PL_CONN_RESET);
	assert_string_equal(side->text, "broken pipe");
	pl_conn_abort(side->conn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH(options_and_names),
		BENCH(one_write_a_turn),
		BENCH(pausing_stops_reading),
		BENCH(pausing_in_on_data),
		BENCH(a_flood_starves_nobody),
		BENCH(who_does_not_read_overflows),
		BENCH(a_limit_within_one_turn),
		BENCH(all_bytes_come_before_the_end),
		BENCH(a_half_closed_peer_is_answered),
		BENCH(a_reset_is_reported),
		BENCH(last_words_before_a_reset),
		BENCH(a_failed_write_ends_a_paused_one),
		BENCH(an_end_is_told_once),
		BENCH(closing_lingers),
		BENCH(lingering_has_an_end),
		BENCH(the_loop_takes_lingering_ones_along),
		BENCH(the_peer_has_what_it_acknowledged),
		BENCH(what_is_settled_is_not_sent),
		BENCH(a_farewell_tells_that_all_arrived),
		BENCH(a_farewell_waits_for_a_peer_that_ended),
		BENCH(a_farewell_of_one_that_does_not_read),
		BENCH(a_farewell_is_cut_short),
		BENCH(dropping_another_in_the_same_turn),
		BENCH(dropping_one_with_output),
		BENCH(dropping_one_that_was_flushed),
		BENCH(a_pipe_signal_kills_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
