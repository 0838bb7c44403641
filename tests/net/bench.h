/* bench.h: what the tests of the net room share. */
#ifndef TESTS_NET_BENCH_H
#define TESTS_NET_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "internal.h"

enum { GOT_SIZE = 4 * 1024 * 1024 };

/* An owner of a connection that notes what happens. */
struct side {
	struct pl_conn *conn;
	unsigned char *got; /* GOT_SIZE */
	size_t length, largest;
	unsigned drained, ends;
	enum pl_conn_end end;
	char text[256];
	void (*also)(struct side *side); /* after each delivery */
};

struct bench {
	struct pl_loop *loop;
	struct pl_listener *listener;
	char endpoint[64];
	unsigned short port;
	struct side sides[4]; /* in the order of accepting */
	size_t accepted;
	struct pl_timer *limit;
	bool late;
	bool (*holds)(struct bench *bench);
};

int bench_set_up(void **state);
int bench_tear_down(void **state);
#define BENCH(f) cmocka_unit_test_setup_teardown(f, bench_set_up, \
						 bench_tear_down)

extern const struct pl_conn_events side_events;

/* Runs the loop until something holds, for 5 s at most. */
bool bench_until(struct bench *bench, bool (*holds)(struct bench *bench));
void bench_run(struct bench *bench, uint64_t ms);
void bench_turn(struct bench *bench); /* what can be done at once */

/* A plain blocking socket connected to the listener, its end accepted as
 * sides[...]. */
int bench_connect(struct bench *bench);
unsigned short free_port(void);
uint64_t now_ms(void);

#endif
