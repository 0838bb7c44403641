/*
 * Streams over time: signs of life, limits that are told and obeyed, rates,
 * pauses between attempts, and peers that vanish.
 */
#include "server.h"

static const char alpha[] = "alpha.example", beta[] = "beta.example";
static struct server a;
static struct script_server *listener;
static struct ping result;
static struct peer peer, second;

/* ----- a local service that counts ----- */

static unsigned delivered;
static char last[65536];   /* what came back lately, one behind the other */

static enum pl_delivery deliver(void *owner, const char *domain,
				const void *bytes, size_t length,
				struct pl_sender *sender)
{
	(void)owner;
	(void)domain;
	(void)sender;
	delivered++;
	if (strlen(last) + length < sizeof last)
		strncat(last, bytes, length);
	return PL_DELIVERY_TAKEN;
}

static const struct pl_local service = { .deliver = deliver };

static void send_message(struct server *from, const char *local,
			 const char *remote, size_t bytes, const char *id)
{
	struct pl_stanza stanza = { .name = "message", .id = id };
	char text[4096];

	snprintf(stanza.from, sizeof stanza.from, "u@%s", local);
	snprintf(stanza.to, sizeof stanza.to, "v@%s", remote);
	snprintf(stanza.from_domain, sizeof stanza.from_domain, "%s", local);
	snprintf(stanza.to_domain, sizeof stanza.to_domain, "%s", remote);
	stanza.length = (size_t)snprintf(text, sizeof text,
		"<message from='%s' to='%s' id='%s'><body>%*s</body></message>",
		stanza.from, stanza.to, id, (int)bytes, "x");
	stanza.bytes = text;
	pl_router_send(from->router, &stanza, NULL);
}

/* How many errors of this condition came back for this id (NULL: any)? */
static unsigned returned(const char *condition, const char *id)
{
	unsigned count = 0;

	script_run(script, 10);
	for (const char *at = last; (at = strstr(at, "<message")) != NULL;
	     at++) {
		const char *stop = strstr(at, "</message>");
		const char *found = strstr(at, condition);
		char wanted[40];

		snprintf(wanted, sizeof wanted, "id='%s'", id ? id : "");
		if (found != NULL && stop != NULL && found < stop &&
		    (id == NULL || (strstr(at, wanted) != NULL &&
				    strstr(at, wanted) < stop)))
			count++;
	}
	return count;
}

static int begin(void **state)
{
	memset(&a, 0, sizeof a);
	memset(&peer, 0, sizeof peer);
	memset(&second, 0, sizeof second);
	world_begin(state);
	server_start(&a, alpha, "192.0.2.1:5269", "valid");
	server_rule(&a, beta, 17);
	pl_router_set_local(a.router, &service, NULL);
	delivered = 0;
	last[0] = '\0';
	script_dns_target(script, beta, "192.0.2.2:5269", false);
	listener = script_listen(script, "192.0.2.2:5269");
	return 0;
}

static int end(void **state)
{
	if (peer.raw != NULL)
		peer_free(&peer);
	if (second.raw != NULL)
		peer_free(&second);
	return world_end(state);
}

/* A stream of ours to a scripted beta, open by dialback in clear; `features`
 * beside that of dialback. */
static void open_stream(const char *features)
{
	char all[400];

	snprintf(all, sizeof all, "%s%s", DIALBACK, features);
	ping_start(&a, alpha, beta, 1000, &result);
	peer_accept(&peer, listener);
	assert_true(peer_expect(&peer, "<stream:stream"));
	peer_answer(&peer, beta, alpha, "1", all);
	assert_true(peer_expect(&peer, "</db:result>"));
	peer_say(&peer, "<db:result from='%s' to='%s' type='valid'/>", beta,
		 alpha);
	assert_true(peer_expect(&peer, "</iq>"));
	script_run(script, 1100); /* the ping is over */
}

static bool lasts(struct peer *which, uint64_t ms)
{
	script_run(script, ms);
	return !which->over && !script_has_ended(which->raw);
}

/* A stream of beta's to us, open by dialback in clear. */
static void dial_us(void)
{
	char id[80];

	peer_connect(&peer, "192.0.2.2", &a);
	peer_header(&peer, beta, alpha);
	assert_true(peer_expect(&peer, " id='"));
	peer_value(&peer, id, sizeof id);
	assert_true(peer_expect(&peer, "</stream:features>"));
	peer_say(&peer, "<db:result from='%s' to='%s'>0123</db:result>", beta,
		 alpha);
	peer_accept(&second, listener);
	assert_true(peer_expect(&second, "<stream:stream"));
	peer_answer(&second, beta, alpha, "1", DIALBACK);
	assert_true(peer_expect(&second, "</db:verify>"));
	peer_say(&second, "<db:verify from='%s' to='%s' id='%s' "
		 "type='valid'/>", beta, alpha, id);
	assert_true(peer_expect(&peer, "type='valid'"));
}

/* ----- signs of life ----- */

static void test_white_space(void **state)
{
	(void)state;
	a.world.limits.keepalive_ms = 20000;
	a.rules[0].view.keepalive = true;
	open_stream("");
	assert_true(peer_expect_not(&peer, " ", 15000));
	assert_true(peer_expect_within(&peer, " ", 8000));
	assert_true(peer_expect_not(&peer, " ", 15000)); /* one is enough */
	assert_true(peer_expect_within(&peer, " ", 8000));
}

static void test_no_white_space(void **state)
{
	(void)state;
	a.world.limits.keepalive_ms = 20000;
	open_stream("");
	assert_true(peer_expect_not(&peer, " ", 60000));
}

/* The peer closes what is idle for 8 s: something is sent before. */
static void test_idle_seconds_of_the_peer(void **state)
{
	(void)state;
	open_stream("<limits xmlns='urn:xmpp:stream-limits:0'>"
		    "<idle-seconds>8</idle-seconds></limits>");
	assert_true(peer_expect_within(&peer, " ", 7500));
	assert_true(peer_expect_within(&peer, " ", 7500));
}

/* ----- idle streams ----- */

static uint64_t happens_within(uint64_t ms)
{
	uint64_t before = script_happened(script);

	script_run(script, ms);
	return script_happened(script) - before;
}

/* Nothing is looked at while nothing can be due; a sign of life wakes a stream,
 * and it rests again. */
static void stay_idle(void)
{
	script_run(script, 120000);
	assert_int_equal(happens_within(600000), 0);
	peer_say(&peer, " ");
	assert_in_range(happens_within(10000), 1, 6);
	assert_int_equal(happens_within(600000), 0);
}

static void test_idle_costs_nothing(void **state)
{
	(void)state;
	a.world.limits.idle_ms = 3600000;
	a.world.limits.keepalive_ms = 0;
	open_stream("");
	stay_idle();
}

static void test_idle_costs_nothing_incoming(void **state)
{
	(void)state;
	a.world.limits.idle_ms = 3600000;
	a.world.limits.keepalive_ms = 0;
	dial_us();
	stay_idle();
}

/* What has been idle is closed all the same. */
static void test_idle_ends(void **state)
{
	(void)state;
	a.world.limits.idle_ms = 300000;
	a.world.limits.keepalive_ms = 0;
	open_stream("");
	assert_true(peer_expect_not(&peer, "</stream:stream>", 250000));
	assert_true(peer_expect_within(&peer, "</stream:stream>", 60000));
}

/* ----- a peer that vanished ----- */

static void test_silent_peer(void **state)
{
	(void)state;
	a.world.limits.ping_ms = 60000;
	open_stream("");
	assert_true(peer_expect_within(&peer, "urn:xmpp:ping", 70000));
	assert_true(lasts(&peer, 25000));
	assert_false(lasts(&peer, 10000));
	/* The next thing to send finds a new connection. */
	ping_start(&a, alpha, beta, 1000, &result);
	peer_accept(&second, listener);
	assert_true(peer_expect(&second, "<stream:stream"));
}

/* ----- limits that are told ----- */

static void test_we_tell_ours(void **state)
{
	(void)state;
	a.rules[0].view.stanza_bytes = 20000;
	peer_connect(&peer, "192.0.2.2", &a);
	peer_header(&peer, beta, alpha);
	assert_true(peer_expect(&peer, "<limits xmlns="
				"'urn:xmpp:stream-limits:0'><max-bytes>8192<"));
	assert_true(peer_expect(&peer, "</stream:features>"));
}

/* The partner's own limit, which is less than the one for all, is what counts,
 * whether the peer heard of it or not. */
static void test_size_of_a_partner(void **state)
{
	(void)state;
	a.rules[0].view.stanza_bytes = 20000;
	dial_us();
	peer_say(&peer, "<message from='u@beta.example' to='v@alpha.example' "
		 "id='small'><body>%015000d</body></message>", 0);
	script_run(script, 1000);
	assert_int_equal(delivered, 1);
	assert_true(lasts(&peer, 10));
	peer_say(&peer, "<message from='u@beta.example' to='v@alpha.example' "
		 "id='large'><body>%021000d</body></message>", 0);
	assert_true(peer_expect(&peer, "<policy-violation"));
	assert_int_equal(delivered, 1);
	assert_false(lasts(&peer, 1000));
}

/* What is larger than the peer takes is not sent. */
static void test_max_bytes_of_the_peer(void **state)
{
	(void)state;
	open_stream("<limits xmlns='urn:xmpp:stream-limits:0'>"
		    "<max-bytes>1000</max-bytes></limits>");
	send_message(&a, alpha, beta, 400, "small");
	assert_true(peer_expect(&peer, "id='small'"));
	send_message(&a, alpha, beta, 1000, "large");
	send_message(&a, alpha, beta, 400, "again");
	assert_true(peer_expect(&peer, "id='again'"));
	assert_int_equal(returned("policy-violation", "large"), 1);
}

/* What says nothing that could be obeyed is as good as nothing. */
static void a_limit_that_is_none(const char *bytes)
{
	char features[200];

	snprintf(features, sizeof features, "<limits xmlns="
		 "'urn:xmpp:stream-limits:0'><max-bytes>%s</max-bytes>"
		 "</limits>", bytes);
	open_stream(features);
	send_message(&a, alpha, beta, 2000, "fine");
	assert_true(peer_expect(&peer, "id='fine'"));
}

static void test_zero_bytes(void **state)
{
	(void)state;
	a_limit_that_is_none("0");
}

static void test_negative_bytes(void **state)
{
	(void)state;
	a_limit_that_is_none("-5");
}

static void test_bytes_that_overflow(void **state)
{
	(void)state;
	a_limit_that_is_none("99999999999999999999");
}

/* ----- rates ----- */

static void test_rate(void **state)
{
	struct pl_partner_view *rule = &a.rules[0].view;

	(void)state;
	rule->stanza_rate = 10;
	dial_us();
	for (int i = 0; i < 35; i++) {
		peer_say(&peer, "<message from='u@beta.example' to='v@"
			 "alpha.example' id='%d'/>", i);
		script_run(script, 1);
	}
	assert_in_range(delivered, 9, 11);
	script_run(script, 1000);
	assert_int_equal(delivered, 35); /* late, and none lost */
	/* ... and two seconds and a half ahead of the rate */
	peer_say(&peer, "<message from='u@beta.example' to='v@alpha.example' "
		 "id='later'/>");
	script_run(script, 1500);
	assert_int_equal(delivered, 35);
	script_run(script, 1000);
	assert_int_equal(delivered, 36);
	assert_true(lasts(&peer, 10));
}

/* ----- pauses ----- */

/* After each failure a longer pause, but a peer that is back is reached within
 * a few seconds, however long it was away. */
static void test_peer_comes_back(void **state)
{
	unsigned before;

	(void)state;
	script_unlisten(listener);
	for (int i = 0; i < 60; i++) {
		char id[16];

		snprintf(id, sizeof id, "m%d", i);
		send_message(&a, alpha, beta, 100, id);
		script_run(script, 500);
	}
	before = outcomes_of(&a);
	assert_in_range(before, 6, 14); /* not one for each message */
	assert_int_equal(returned("remote-server-timeout", NULL), 60);
	listener = script_listen(script, "192.0.2.2:5269");
	for (int i = 0; i < 11; i++) {
		send_message(&a, alpha, beta, 100, "back");
		script_run(script, 500);
	}
	peer_accept(&peer, listener);
	assert_true(peer_expect(&peer, "<stream:stream"));
}

static void test_retry(void **state)
{
	(void)state;
	script_unlisten(listener);
	for (int i = 0; i < 20; i++) {
		send_message(&a, alpha, beta, 100, "x");
		script_run(script, 500);
	}
	listener = script_listen(script, "192.0.2.2:5269");
	assert_int_equal(pl_router_retry(a.router, "gamma.example"), 0);
	assert_int_equal(pl_router_retry(a.router, beta), 1);
	assert_int_equal(pl_router_retry(a.router, beta), 0); /* under way */
	peer_accept(&peer, listener);
	assert_true(peer_expect_within(&peer, "<stream:stream", 100));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)
	const struct CMUnitTest tests[] = {
		T(white_space), T(no_white_space),
		T(idle_seconds_of_the_peer), T(silent_peer), T(we_tell_ours), T(size_of_a_partner),
		T(idle_costs_nothing), T(idle_costs_nothing_incoming),
		T(idle_ends),
		T(max_bytes_of_the_peer), T(zero_bytes), T(negative_bytes),
		T(bytes_that_overflow), T(rate),
		T(peer_comes_back), T(retry),
	};

	return cmocka_run_group_tests_name("keep", tests, suite_begin,
					   suite_end);
}
