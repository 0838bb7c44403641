/*
 * Stream management (XEP-0198) between servers: acknowledgements, streams that
 * break at any moment and are resumed or not, peers that lie, and peers that
 * never acknowledge. Each stanza arrives once, or comes back once.
 */
#include "server.h"

#define SM "xmlns='urn:xmpp:sm:3'"
#define SM_FEATURE "<sm " SM "/>"

enum { FLOW = 200 };

static const char alpha[] = "alpha.example", beta[] = "beta.example";
static struct server a, b;
static struct script_server *listener;
static struct peer peer, second;

/* ----- local services that count ----- */

static unsigned arrived[2][FLOW], returned[2][FLOW];
static int last_arrived[2];
static bool out_of_order;

/* Messages are numbered by their ids. */
static enum pl_delivery deliver(void *owner, const char *domain,
				const void *bytes, size_t length,
				struct pl_sender *sender)
{
	int side = *(const int *)owner;
	const char *id = memmem(bytes, length, " id='m", 6);
	int number = id != NULL ? atoi(id + 6) : -1;

	(void)domain;
	(void)sender;
	if (memmem(bytes, length, "<message", 8) == NULL)
		return PL_DELIVERY_NONE;
	assert_in_range(number, 0, FLOW - 1);
	if (memmem(bytes, length, "type='error'", 12) != NULL) {
		returned[side][number]++;
		return PL_DELIVERY_TAKEN;
	}
	arrived[side][number]++;
	if (number < last_arrived[side])
		out_of_order = true;
	last_arrived[side] = number;
	return PL_DELIVERY_TAKEN;
}

static const struct pl_local service = { .deliver = deliver };
static const int side_a = 0, side_b = 1;

static void send_message(struct server *from, const char *local,
			 const char *remote, int number, int bytes)
{
	struct pl_stanza stanza = { .name = "message" };
	static char text[70000];
	char id[16];

	snprintf(id, sizeof id, "m%d", number);
	stanza.id = id;
	snprintf(stanza.from, sizeof stanza.from, "u@%s", local);
	snprintf(stanza.to, sizeof stanza.to, "v@%s", remote);
	snprintf(stanza.from_domain, sizeof stanza.from_domain, "%s", local);
	snprintf(stanza.to_domain, sizeof stanza.to_domain, "%s", remote);
	stanza.length = (size_t)snprintf(text, sizeof text,
		"<message from='%s' to='%s' id='%s'><body>%*s</body></message>",
		stanza.from, stanza.to, id, bytes, "x");
	stanza.bytes = text;
	pl_router_send(from->router, &stanza, NULL);
}

/* ----- set-up ----- */

static int begin(void **state)
{
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	memset(&peer, 0, sizeof peer);
	memset(&second, 0, sizeof second);
	memset(arrived, 0, sizeof arrived);
	memset(returned, 0, sizeof returned);
	last_arrived[0] = last_arrived[1] = -1;
	out_of_order = false;
	return world_begin(state);
}

static int end(void **state)
{
	if (peer.raw != NULL)
		peer_free(&peer);
	if (second.raw != NULL)
		peer_free(&second);
	return world_end(state);
}

static void begin_server(struct server *server, const char *domain,
			 const char *endpoint, const char *partner,
			 const int *side, bool bidi)
{
	struct pl_partner_view *view;

	server_start(server, domain, endpoint, "valid");
	view = server_rule(server, partner, 7);
	view->terms.stream_management = true;
	view->terms.bidi = bidi;
	pl_router_set_local(server->router, &service, (void *)side);
}

static void two(bool bidi)
{
	begin_server(&a, alpha, "192.0.2.1:5269", beta, &side_a, bidi);
	begin_server(&b, beta, "192.0.2.2:5269", alpha, &side_b, bidi);
}

static void find_sm(void *owner, const struct pl_stream_info *info)
{
	if (info->sm != NULL)
		*(struct pl_sm *)owner = *info->sm;
}

static struct pl_sm counters(struct server *server)
{
	struct pl_sm sm = { 0 };

	pl_router_each(server->router, find_sm, &sm);
	return sm;
}

/* ----- two of us ----- */

static void test_acks(void **state)
{
	struct pl_sm sm;

	(void)state;
	two(false);
	for (int i = 0; i < 40; i++)
		send_message(&a, alpha, beta, i, 100);
	script_run(script, 500);
	sm = counters(&a);
	assert_int_equal(sm.sent, 40);
	assert_int_equal(sm.acked, 32); /* two <r/>; the rest after a silence */
	script_run(script, 1500);
	sm = counters(&a);
	assert_int_equal(sm.acked, 40);
	assert_int_equal(counters(&b).handled, 40);
	assert_int_equal(logged(&a, "event=sm-enabled", "dir=out",
				"resume=yes", NULL), 1);
	assert_int_equal(logged(&b, "event=sm-enabled", "dir=in", NULL), 1);
}

static void test_without_it_on_one_side(void **state)
{
	(void)state;
	two(false);
	a.rules[0].view.terms.stream_management = false;
	send_message(&a, alpha, beta, 0, 100);
	script_run(script, 3000);
	assert_int_equal(arrived[1][0], 1);
	assert_int_equal(logged(&a, "event=sm-", NULL), 0);
	assert_int_equal(logged(&b, "event=sm-", NULL), 0);
}

/* 200 messages from a, and as many back where both ways are wanted, a few each
 * turn; the first connection, or each of the first ones, breaks once so many
 * bytes went over it. */
static void flow(size_t reset_after, unsigned breaks, bool back)
{
	struct script_link link = { .latency_ms = 2,
				    .reset_after = reset_after };

	script_link(script, "192.0.2.2:5269", &link);
	for (int i = 0; i < FLOW; i++) {
		send_message(&a, alpha, beta, i, 40);
		if (back)
			send_message(&b, beta, alpha, i, 40);
		if (i % 5 == 4)
			script_run(script, 3);
		if (i == 5 && breaks == 1) {
			script_run(script, 3);
			link.reset_after = 0;
			script_link(script, "192.0.2.2:5269", &link);
		}
	}
	link.reset_after = 0;
	script_link(script, "192.0.2.2:5269", &link);
	script_run(script, 130000);
}

static bool once_each(const char *what, size_t at, int from, int to)
{
	bool good = true;

	for (int i = 0; i < FLOW; i++)
		if (arrived[to][i] + returned[from][i] != 1) {
			print_error("# %s %zu: m%d arrived %u times, "
				    "came back %u times\n", what, at, i,
				    arrived[to][i], returned[from][i]);
			good = false;
		}
	return good;
}

static unsigned count(const unsigned *of)
{
	unsigned sum = 0;

	for (int i = 0; i < FLOW; i++)
		sum += of[i];
	return sum;
}

/* What breaks before TLS is up comes back, as without stream management; from
 * the first stanza on nothing does. */
static void break_everywhere(bool bidi, unsigned breaks)
{
	unsigned resumed = 0, cases = 0;
	void *state = NULL;

	for (size_t at = 3000; at < 60000; at += 1100, cases++) {
		if (cases > 0)
			begin(&state);
		two(bidi);
		flow(at, breaks, bidi);
		if (!once_each("break at", at, 0, 1) || out_of_order ||
		    (bidi && !once_each("back: break at", at, 1, 0))) {
			show_log(&a);
			show_log(&b);
			fail_msg("break at %zu, order %s", at,
				 out_of_order ? "lost" : "kept");
		}
		if (logged(&a, "event=sm-resumed", NULL) > 0) {
			resumed++;
		}
		if (breaks == 1 && logged(&a, "event=sm-resumed", NULL) > 0) {
			assert_int_equal(count(returned[0]), 0);
			assert_int_equal(count(returned[1]), 0);
		}
		if (at + 1100 < 60000)
			end(&state);
	}
	print_message("# %u cases, %u with a stream resumed\n", cases, resumed);
	assert_true(resumed > cases / 3);
}

static void test_break_once(void **state)
{
	(void)state;
	break_everywhere(false, 1);
}

static void test_break_again_and_again(void **state)
{
	(void)state;
	break_everywhere(false, 100);
}

static void test_break_both_ways(void **state)
{
	(void)state;
	break_everywhere(true, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)
	const struct CMUnitTest tests[] = {
		T(acks), T(without_it_on_one_side), T(break_once),
		T(break_again_and_again), T(break_both_ways),
	};

	(void)listener;
	(void)second;
	return cmocka_run_group_tests_name("sm", tests, suite_begin,
					   suite_end);
}
