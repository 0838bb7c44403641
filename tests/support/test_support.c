/* The scripted world does what net.h and dns.h promise. */
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One side of a connection, as a room would have it. */
struct side {
	struct pl_loop *loop;
	struct pl_conn *conn;
	char got[200000];
	size_t length, deliveries, largest;
	unsigned drained;
	int ended; /* -1: not yet */
	char text[256];
	struct pl_dial_result dialled;
	bool answered, echo;
};

struct bench {
	struct script *world;
	struct side a, b;
	struct pl_listener *listener;
};

static void on_data(void *owner, const void *bytes, size_t length)
{
	struct side *side = owner;

	assert_true(side->length + length <= sizeof side->got);
	memcpy(side->got + side->length, bytes, length);
	side->length += length;
	side->deliveries++;
	if (length > side->largest)
		side->largest = length;
	if (side->echo)
		pl_conn_write(side->conn, bytes, length);
}

static void on_end(void *owner, enum pl_conn_end end, const char *text)
{
	struct side *side = owner;

	assert_int_equal(side->ended, -1);
	side->ended = (int)end;
	snprintf(side->text, sizeof side->text, "%s", text);
}

static void on_drained(void *owner)
{
	((struct side *)owner)->drained++;
}

static const struct pl_conn_events events = { on_data, on_end, on_drained };

static void on_accepted(void *owner, struct pl_conn *conn)
{
	struct side *side = owner;

	side->conn = conn;
	pl_conn_own(conn, &events, side);
}

static void on_dialled(void *owner, const struct pl_dial_result *result)
{
	struct side *side = owner;

	side->dialled = *result;
	side->answered = true;
	side->conn = result->conn;
	if (result->conn != NULL)
		pl_conn_own(result->conn, &events, side);
}

static void on_found(void *owner, const struct pl_dns_answer *answer)
{
	struct pl_dns_answer *copy = owner;

	*copy = *answer;
	if (answer->count == 0)
		return;
	copy->targets = malloc(answer->count * sizeof *answer->targets);
	memcpy(copy->targets, answer->targets,
	       answer->count * sizeof *answer->targets);
}

/* Looks a domain up and dials all addresses of its first target. */
static struct pl_dial *dial(struct bench *bench, const char *domain)
{
	struct pl_resolver *resolver = pl_resolver_new(NULL, NULL, NULL);
	struct pl_dns_answer answer = { 0 };
	struct pl_dial *dial;

	pl_dns_find(resolver, domain, PL_DNS_STARTTLS, on_found, &answer);
	script_run(bench->world, 1);
	assert_int_equal(answer.code, PL_CODE_NONE);
	dial = pl_dial_start(bench->a.loop, answer.targets[0].addresses,
			     answer.targets[0].addresses_count, 10000,
			     on_dialled, &bench->a);
	free(answer.targets);
	pl_resolver_free(resolver);
	return dial;
}

static void connect_both(struct bench *bench, const struct script_link *link)
{
	if (link != NULL)
		script_link(bench->world, "192.0.2.2:5269", link);
	script_dns_target(bench->world, "b.example", "192.0.2.2:5269", false);
	dial(bench, "b.example");
	script_run(bench->world, 1000);
	assert_non_null(bench->a.conn);
	assert_non_null(bench->b.conn);
}

static int set_up(void **state)
{
	struct bench *bench = calloc(1, sizeof *bench);

	bench->world = script_new(7);
	bench->a.loop = pl_loop_new(NULL);
	bench->b.loop = pl_loop_new(NULL);
	bench->a.ended = bench->b.ended = -1;
	bench->listener = pl_listener_new(bench->b.loop, "192.0.2.2:5269",
					  on_accepted, &bench->b, NULL);
	*state = bench;
	return bench->listener == NULL;
}

static int tear_down(void **state)
{
	struct bench *bench = *state;

	pl_listener_free(bench->listener);
	pl_loop_free(bench->a.loop);
	pl_loop_free(bench->b.loop);
	script_free(bench->world);
	free(bench);
	return 0;
}

/* ----- time ----- */

struct ticks {
	struct bench *bench;
	struct pl_timer *timer;
	uint64_t at[8];
	size_t count;
};

static void on_tick(void *owner)
{
	struct ticks *ticks = owner;

	ticks->at[ticks->count++] = script_now(ticks->bench->world);
	if (ticks->count == 3)
		pl_loop_stop(ticks->bench->a.loop);
	else
		pl_timer_set(ticks->timer, 86400000);
}

static void days_pass_at_once(void **state)
{
	struct bench *bench = *state;
	struct ticks ticks = { .bench = bench };
	uint64_t before = pl_loop_now_ms(bench->a.loop);
	struct timeval wall = pl_loop_time(bench->a.loop);

	ticks.timer = pl_timer_new(bench->a.loop, on_tick, &ticks);
	pl_timer_set(ticks.timer, 5);
	pl_timer_set(ticks.timer, 10); /* moves */
	pl_loop_run(bench->a.loop);
	assert_int_equal(ticks.count, 3);
	assert_int_equal(ticks.at[0], 10);
	assert_int_equal(ticks.at[2], 10 + 2 * 86400000);
	assert_int_equal(pl_loop_now_ms(bench->b.loop) - before,
			 10 + 2 * 86400000);
	assert_int_equal(pl_loop_time(bench->a.loop).tv_sec - wall.tv_sec,
			 2 * 86400);
	pl_timer_set(ticks.timer, 10);
	pl_timer_clear(ticks.timer);
	script_run(bench->world, 100);
	assert_int_equal(ticks.count, 3);
	pl_timer_free(ticks.timer);
}

static void note(void *owner)
{
	char *text = owner;

	strcat(text, "x");
}

static void deferring_is_later(void **state)
{
	struct bench *bench = *state;
	char text[8] = "";

	pl_loop_defer(bench->a.loop, note, text);
	pl_loop_defer(bench->b.loop, note, text);
	assert_string_equal(text, "");
	script_run(bench->world, 0);
	assert_string_equal(text, "xx");
}

static void chance_comes_from_the_seed(void **state)
{
	struct bench *bench = *state;
	unsigned char first[64], second[64];
	struct script *other;
	struct pl_loop *loop;

	pl_loop_random(bench->a.loop, first, sizeof first);
	other = script_new(7);
	loop = pl_loop_new(NULL);
	pl_loop_random(loop, second, sizeof second);
	assert_memory_equal(first, second, sizeof first);
	pl_loop_random(loop, second, sizeof second);
	assert_memory_not_equal(first, second, sizeof first);
	pl_loop_free(loop);
	script_free(other);
}

static void nothing_left_ends_the_run(void **state)
{
	struct bench *bench = *state;

	pl_loop_run(bench->a.loop);
	assert_int_equal(script_now(bench->world), 0);
}

/* ----- connections ----- */

static void two_loops_talk(void **state)
{
	struct bench *bench = *state;

	connect_both(bench, &(struct script_link){ .latency_ms = 20 });
	assert_string_equal(bench->a.dialled.peer, "192.0.2.2:5269");
	assert_string_equal(pl_conn_peer(bench->a.conn), "192.0.2.2:5269");
	assert_string_equal(pl_conn_peer_group(bench->b.conn), "198.51.100.1");
	bench->b.echo = true;
	pl_conn_write(bench->a.conn, "he", 2);
	pl_conn_write(bench->a.conn, "llo", 3);
	assert_int_equal(pl_conn_pending(bench->a.conn), 5);
	script_run(bench->world, 19);
	assert_int_equal(bench->b.length, 0);
	script_run(bench->world, 1);
	assert_int_equal(bench->b.length, 5);
	assert_int_equal(bench->b.deliveries, 1); /* one write a turn */
	assert_int_equal(bench->a.drained, 1);
	script_run(bench->world, 20);
	assert_memory_equal(bench->a.got, "hello", 5);
}

static void byte_by_byte(void **state)
{
	struct bench *bench = *state;

	connect_both(bench, &(struct script_link){ .chunk = 1 });
	pl_conn_write(bench->a.conn, "hello", 5);
	script_run(bench->world, 1);
	assert_int_equal(bench->b.deliveries, 5);
	assert_memory_equal(bench->b.got, "hello", 5);
}

static void an_end_comes_behind_the_bytes(void **state)
{
	struct bench *bench = *state;

	connect_both(bench, &(struct script_link){ .window = 10, .chunk = 3 });
	pl_conn_write(bench->a.conn, "0123456789abcdefghij", 20);
	pl_conn_close(bench->a.conn, 1000);
	script_run(bench->world, 10);
	assert_int_equal(bench->b.length, 20);
	assert_memory_equal(bench->b.got, "0123456789abcdefghij", 20);
	assert_int_equal(bench->b.ended, PL_CONN_EOF);
	assert_false(pl_conn_write(bench->b.conn, "x", 1));
	assert_int_equal(script_connections(bench->world), 2);
	pl_conn_close(bench->b.conn, 1000);
	script_run(bench->world, 10);
	assert_int_equal(script_connections(bench->world), 0);
	assert_int_equal(bench->a.ended, -1);
}

static void lingering_has_an_end(void **state)
{
	struct bench *bench = *state;

	connect_both(bench, NULL);
	pl_conn_close(bench->a.conn, 500);
	script_run(bench->world, 499);
	assert_int_equal(pl_loop_connections(bench->a.loop), 1);
	script_run(bench->world, 1);
	assert_int_equal(pl_loop_connections(bench->a.loop), 0);
	pl_conn_abort(bench->b.conn);
}

static void who_does_not_read_overflows(void **state)
{
	struct bench *bench = *state;
	char block[1000] = "";

	connect_both(bench, &(struct script_link){ .window = 5000 });
	pl_conn_pause(bench->b.conn);
	pl_conn_set_output_limit(bench->a.conn, 3000);
	for (int i = 0; i < 8; i++) {
		assert_true(pl_conn_write(bench->a.conn, block, 1000));
		script_run(bench->world, 1);
	}
	assert_int_equal(pl_conn_pending(bench->a.conn), 3000);
	assert_false(pl_conn_write(bench->a.conn, block, 1));
	assert_int_equal(bench->a.ended, -1);
	script_run(bench->world, 1);
	assert_int_equal(bench->a.ended, PL_CONN_OVERFLOW);
	pl_conn_resume(bench->b.conn);
	script_run(bench->world, 1);
	assert_int_equal(bench->b.length, 8000);
}

static void links_break_where_told(void **state)
{
	struct bench *bench = *state;

	connect_both(bench, &(struct script_link){ .reset_after = 7 });
	pl_conn_write(bench->a.conn, "hello", 5);
	script_run(bench->world, 1);
	assert_int_equal(bench->a.ended, -1);
	pl_conn_write(bench->b.conn, "hello", 5);
	script_run(bench->world, 1);
	assert_int_equal(bench->a.length, 2);
	assert_int_equal(bench->a.ended, PL_CONN_RESET);
	assert_int_equal(bench->b.ended, PL_CONN_RESET);
}

static void links_fall_silent_where_told(void **state)
{
	struct bench *bench = *state;

	connect_both(bench, &(struct script_link){ .silent_after = 7 });
	pl_conn_write(bench->a.conn, "0123456789", 10);
	script_run(bench->world, 100000);
	assert_int_equal(bench->b.length, 7);
	assert_int_equal(bench->b.ended, -1);
	pl_conn_close(bench->a.conn, 10);
	script_run(bench->world, 100000);
	assert_int_equal(bench->b.ended, -1);
	assert_int_equal(pl_loop_connections(bench->a.loop), 0);
}

static void writing_to_nobody_is_reset(void **state)
{
	struct bench *bench = *state;

	connect_both(bench, NULL);
	pl_conn_abort(bench->b.conn);
	pl_conn_write(bench->a.conn, "x", 1);
	script_run(bench->world, 10);
	assert_true(bench->a.ended == PL_CONN_EOF ||
		    bench->a.ended == PL_CONN_RESET);
}

/* ----- dialling ----- */

static void refused_and_silent(void **state)
{
	struct bench *bench = *state;
	struct script *world = bench->world;

	script_dns_target(world, "none.example", "192.0.2.9:5269", false);
	dial(bench, "none.example");
	script_run(world, 1);
	assert_true(bench->a.answered);
	assert_int_equal(bench->a.dialled.code, PL_CODE_TCP_REFUSED);
	assert_string_equal(bench->a.dialled.peer, "192.0.2.9:5269");

	bench->a.answered = false;
	script_link(world, "192.0.2.9:5269",
		    &(struct script_link){ .reach = SCRIPT_SILENT });
	dial(bench, "none.example");
	script_run(world, 9999);
	assert_false(bench->a.answered);
	script_run(world, 1);
	assert_int_equal(bench->a.dialled.code, PL_CODE_TCP_TIMEOUT);

	script_link(world, "192.0.2.9:5269",
		    &(struct script_link){ .reach = SCRIPT_UNREACHABLE });
	dial(bench, "none.example");
	script_run(world, 1);
	assert_int_equal(bench->a.dialled.code, PL_CODE_TCP_UNREACHABLE);
	pl_dial_cancel(dial(bench, "none.example"));
}

static void eyeballs_are_happy(void **state)
{
	struct bench *bench = *state;
	struct script *world = bench->world;

	script_dns_target(world, "b.example", "[2001:db8::2]:5269", false);
	script_dns_address(world, "b.example", "[2001:db8::3]:5269");
	script_dns_address(world, "b.example", "192.0.2.2:5269");
	script_link(world, "[2001:db8::2]:5269",
		    &(struct script_link){ .reach = SCRIPT_SILENT });
	script_link(world, "[2001:db8::3]:5269",
		    &(struct script_link){ .reach = SCRIPT_SILENT });
	dial(bench, "b.example");
	script_run(world, 249);
	assert_false(bench->a.answered);
	script_run(world, 1);
	assert_true(bench->a.answered);
	assert_string_equal(bench->a.dialled.peer, "192.0.2.2:5269");
	script_run(world, 100000);
	assert_int_equal(script_connections(world), 2);
}

static void an_address_is_in_use_once(void **state)
{
	struct bench *bench = *state;
	struct pl_error error = { 0 };

	assert_null(pl_listener_new(bench->a.loop, "192.0.2.2:5269",
				    on_accepted, &bench->a, &error));
	assert_non_null(strstr(error.text, "in use"));
	pl_listener_free(bench->listener);
	bench->listener = pl_listener_new(bench->b.loop, "0.0.0.0:5269",
					  on_accepted, &bench->b, NULL);
	connect_both(bench, NULL);
}

/* ----- peers ----- */

static void a_peer_answers(void **state)
{
	struct bench *bench = *state;
	struct script_server *server = script_listen(bench->world,
						     "192.0.2.3:5269");
	struct script_peer *peer;

	script_dns_target(bench->world, "c.example", "192.0.2.3:5269", false);
	dial(bench, "c.example");
	peer = script_accept(server, 100);
	assert_non_null(peer);
	assert_null(script_accept(server, 100));
	assert_string_equal(script_address(peer), "198.51.100.1:40000");
	assert_non_null(bench->a.conn);
	pl_conn_write(bench->a.conn, "<a/><b/>", 8);
	assert_true(script_expect(peer, "<a/>", 10));
	assert_string_equal(script_received(peer, NULL), "<b/>");
	assert_true(script_expect_not(peer, "<c/>", 10));
	script_say(peer, "answer");
	script_end(peer);
	script_run(bench->world, 10);
	assert_memory_equal(bench->a.got, "answer", 6);
	assert_int_equal(bench->a.ended, PL_CONN_EOF);
	assert_false(script_has_ended(peer));
	pl_conn_abort(bench->a.conn);
	assert_true(script_expect_end(peer, 10));
}

static void shout(void *owner, struct script_peer *peer, const void *bytes,
		  size_t length)
{
	if (length > 0)
		script_send(peer, "!", 1);
	else
		*(bool *)owner = true;
}

static void a_peer_connects_and_reacts(void **state)
{
	struct bench *bench = *state;
	struct script_peer *peer = script_connect(bench->world, "192.0.2.77",
						  "192.0.2.2:5269", 100);
	bool over = false;

	assert_non_null(peer);
	script_react(peer, shout, &over);
	assert_string_equal(pl_conn_peer_group(bench->b.conn), "192.0.2.77");
	pl_conn_write(bench->b.conn, "x", 1);
	script_run(bench->world, 10);
	assert_memory_equal(bench->b.got, "!", 1);
	pl_conn_close(bench->b.conn, 10);
	script_run(bench->world, 10);
	assert_true(over);
	script_close(peer);
	assert_null(script_connect(bench->world, "192.0.2.77",
				   "192.0.2.4:5269", 100));
}

static void a_peer_resets(void **state)
{
	struct bench *bench = *state;
	struct script_peer *peer = script_connect(bench->world, "2001:db8::77",
						  "192.0.2.2:5269", 100);

	assert_string_equal(pl_conn_peer_group(bench->b.conn),
			    "2001:db8::/64");
	script_say(peer, "last words");
	script_run(bench->world, 1);
	script_reset(peer);
	script_run(bench->world, 1);
	assert_int_equal(bench->b.length, 10);
	assert_int_equal(bench->b.ended, PL_CONN_RESET);
}

static void a_control_socket(void **state)
{
	struct bench *bench = *state;
	struct pl_listener *control =
		pl_listener_unix(bench->a.loop, "/run/parley/control.sock",
				 on_accepted, &bench->a, NULL);
	struct script_peer *peer =
		script_connect(bench->world, "unix",
			       "unix:/run/parley/control.sock", 10);

	assert_non_null(peer);
	assert_string_equal(pl_conn_peer(bench->a.conn), "unix");
	pl_listener_free(control);
}

/* ----- names ----- */

static void names_are_answered(void **state)
{
	struct bench *bench = *state;
	struct script *world = bench->world;
	struct pl_resolver *resolver = pl_resolver_new(NULL, NULL, NULL);
	struct pl_dns_answer answer = { .code = PL_CODE_INTERNAL };
	struct pl_dns_query *query;

	script_dns_target(world, "b.example", "192.0.2.2:5270", true)->secure =
		true;
	script_dns_target(world, "b.example", "192.0.2.2:5269", false);
	pl_dns_find(resolver, "b.example", PL_DNS_STARTTLS | PL_DNS_DIRECT_TLS,
		    on_found, &answer);
	assert_int_equal(answer.code, PL_CODE_INTERNAL);
	script_run(world, 1);
	assert_int_equal(answer.count, 2);
	assert_true(answer.targets[0].direct_tls && answer.targets[0].secure);
	assert_false(answer.targets[1].direct_tls);
	free(answer.targets);
	pl_dns_find(resolver, "b.example", PL_DNS_STARTTLS, on_found, &answer);
	script_run(world, 1);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.targets[0].port, 5269);
	free(answer.targets);
	assert_int_equal(script_dns_asked(world, "b.example"), 2);

	pl_dns_find(resolver, "nx.example", PL_DNS_STARTTLS, on_found, &answer);
	script_run(world, 1);
	assert_int_equal(answer.code, PL_CODE_DNS_NO_SUCH_DOMAIN);
	script_dns_fail(world, "b.example", PL_CODE_DNS_BOGUS);
	script_dns_delay(world, "b.example", 700);
	pl_dns_find(resolver, "b.example", PL_DNS_STARTTLS, on_found, &answer);
	script_run(world, 699);
	assert_int_equal(answer.code, PL_CODE_DNS_NO_SUCH_DOMAIN);
	script_run(world, 1);
	assert_int_equal(answer.code, PL_CODE_DNS_BOGUS);

	pl_dns_find_host(resolver, "::1", 1234, true, on_found, &answer);
	script_run(world, 1);
	assert_int_equal(answer.code, PL_CODE_NONE);
	assert_int_equal(answer.targets[0].port, 1234);
	assert_true(answer.targets[0].direct_tls);
	free(answer.targets);

	script_dns_delay(world, "b.example", SCRIPT_NEVER);
	query = pl_dns_find(resolver, "b.example", 1, on_found, NULL);
	pl_dns_find(resolver, "b.example", 1, on_found, NULL);
	script_run(world, 1000000);
	assert_int_equal(pl_dns_overdue(query), PL_CODE_DNS_BOGUS);
	pl_dns_cancel(query);
	pl_resolver_free(resolver);
}

static void on_signal(void *owner, int number)
{
	*(int *)owner = number;
}

static void signals_are_raised(void **state)
{
	struct bench *bench = *state;
	int seen = 0;

	pl_loop_signal(bench->a.loop, 15, on_signal, &seen);
	script_signal(bench->world, 1);
	assert_int_equal(seen, 0);
	script_signal(bench->world, 15);
	assert_int_equal(seen, 15);
}

#define BENCH(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH(days_pass_at_once),
		BENCH(deferring_is_later),
		BENCH(chance_comes_from_the_seed),
		BENCH(nothing_left_ends_the_run),
		BENCH(two_loops_talk),
		BENCH(byte_by_byte),
		BENCH(an_end_comes_behind_the_bytes),
		BENCH(lingering_has_an_end),
		BENCH(who_does_not_read_overflows),
		BENCH(links_break_where_told),
		BENCH(links_fall_silent_where_told),
		BENCH(writing_to_nobody_is_reset),
		BENCH(refused_and_silent),
		BENCH(eyeballs_are_happy),
		BENCH(an_address_is_in_use_once),
		BENCH(a_peer_answers),
		BENCH(a_peer_connects_and_reacts),
		BENCH(a_peer_resets),
		BENCH(a_control_socket),
		BENCH(names_are_answered),
		BENCH(signals_are_raised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
