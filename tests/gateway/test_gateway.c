/*
 * A server behind us (c, alpha.example) and a server of the world (b,
 * beta.example); between them a gateway (a) that negotiates in alpha's name.
 */
#include "server.h"

#include "parley/gateway.h"

static const char alpha[] = "alpha.example", beta[] = "beta.example";
static struct server a, b, c;
static struct pl_gateway *gateway;
static struct pl_listener *inside;
static struct ping result;

static void on_accept(void *owner, struct pl_conn *conn)
{
	(void)owner;
	pl_gateway_accept(gateway, conn);
}

/* c finds every domain at the gateway's listener. */
static struct pl_partner_view *look_at_gateway(int row)
{
	struct pl_partner_view *rule = server_rule(&c, "*", row);

	rule->connect_host = "192.0.2.1";
	rule->connect_port = 5299;
	return rule;
}

/* By an address, connections from elsewhere are dropped; by a name, not. */
static void upstream_at(const char *host)
{
	const struct pl_gateway_rule rule = {
		.domain = "alpha.example",
		.host = host,
		.port = 5269,
		.where = "host \"alpha.example\" (parley.conf:1)",
	};

	pl_gateway_set(gateway, &rule, 1);
}

static int begin(void **state)
{
	world_begin(state);
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	memset(&c, 0, sizeof c);
	server_start(&c, alpha, "192.0.2.7:5269", "valid");
	script_dns_forget(script, alpha);
	server_start(&a, alpha, "192.0.2.1:5269", "valid");
	server_start(&b, beta, "192.0.2.2:5269", "valid");
	look_at_gateway(15);
	server_rule(&a, beta, 2);
	server_rule(&b, alpha, 2);
	gateway = pl_gateway_new(&a.world, a.router);
	upstream_at("inner.example");
	inside = pl_listener_new(a.loop, "192.0.2.1:5299", on_accept, NULL,
				 NULL);
	assert_non_null(inside);
	script_dns_target(script, "192.0.2.1", "192.0.2.1:5299", false);
	script_dns_target(script, "inner.example", "192.0.2.7:5269", false);
	return 0;
}

static int end(void **state)
{
	pl_listener_free(inside);
	pl_gateway_drop_all(gateway);
	script_run(script, 10);
	pl_gateway_free(gateway);
	return world_end(state);
}

/* The world's server pings alpha, and it is c that answers: the strict policy
 * holds outside, dialback inside. */
static void test_from_the_world(void **state)
{
	struct seen seen;

	(void)state;
	assert_true(ping(&b, beta, alpha, 9000, &result));
	assert_int_equal(outcomes(&b, false, beta, alpha, &seen), 1);
	assert_string_equal(seen.method, "sasl-over-tls");
	assert_int_equal(outcomes(&b, true, beta, alpha, &seen), 1);
	assert_string_equal(seen.method, "sasl-over-tls");
	assert_int_equal(outcomes(&c, true, alpha, beta, &seen), 1);
	assert_string_equal(seen.method, "tls-dialback");
	assert_int_equal(outcomes(&c, false, alpha, beta, &seen), 1);
	assert_string_equal(seen.method, "tls-dialback");
}

static void test_to_the_world(void **state)
{
	struct seen seen;

	(void)state;
	assert_true(ping(&c, alpha, beta, 9000, &result));
	assert_int_equal(outcomes(&b, true, beta, alpha, &seen), 1);
	assert_string_equal(seen.method, "sasl-over-tls");
}

/* What we ask in alpha's name is answered to us: the server behind did not ask.
 * So a link over which nothing else goes is not taken for dead, on either side. */
static void test_pings_of_ours(void **state)
{
	size_t streams;

	(void)state;
	assert_true(ping(&a, alpha, beta, 9000, &result));
	assert_int_equal(outcomes_of(&c), 0);
	a.world.limits.ping_ms = 30000;
	pl_gateway_world_changed(gateway);
	assert_true(ping(&b, beta, alpha, 9000, &result));
	streams = pl_router_streams(a.router) + pl_gateway_streams(gateway);
	assert_int_equal(streams, 4);
	script_run(script, 300000);
	assert_int_equal(pl_router_streams(a.router) +
			 pl_gateway_streams(gateway), streams);
	assert_int_equal(outcomes_of(&c), 2);
}

/* The inner link may be in clear; the border's policy is none the wiser. */
static void test_in_clear_inside(void **state)
{
	struct seen seen;

	(void)state;
	look_at_gateway(17);
	assert_true(ping(&c, alpha, beta, 9000, &result));
	assert_int_equal(outcomes(&c, false, alpha, beta, &seen), 1);
	assert_string_equal(seen.method, "tcp-dialback");
	assert_int_equal(outcomes(&b, true, beta, alpha, &seen), 1);
	assert_string_equal(seen.method, "sasl-over-tls");
}

/* ----- what cannot be delivered ----- */

static char last[8192];
static unsigned delivered;

static enum pl_delivery deliver(void *owner, const char *domain,
				const void *bytes, size_t length,
				struct pl_sender *sender)
{
	(void)owner;
	(void)domain;
	(void)sender;
	delivered++;
	snprintf(last, sizeof last, "%.*s", (int)length, (const char *)bytes);
	return PL_DELIVERY_TAKEN;
}

static const struct pl_local service = { .deliver = deliver };

static void send_from(struct server *from, const char *local,
		      const char *remote, const char *user, const char *to)
{
	struct pl_stanza stanza = { .name = "message", .id = "m1" };
	char text[1000];

	snprintf(stanza.from, sizeof stanza.from, "%s@%s", user, local);
	snprintf(stanza.to, sizeof stanza.to, "%s@%s", to, remote);
	snprintf(stanza.from_domain, sizeof stanza.from_domain, "%s", local);
	snprintf(stanza.to_domain, sizeof stanza.to_domain, "%s", remote);
	stanza.length = (size_t)snprintf(text, sizeof text,
		"<message from='%s' to='%s' id='m1'><body>x</body></message>",
		stanza.from, stanza.to);
	stanza.bytes = text;
	delivered = 0;
	last[0] = '\0';
	pl_router_set_local(from->router, &service, NULL);
	pl_router_send(from->router, &stanza, NULL);
	script_run(script, 20000);
}

static void send_message(struct server *from, const char *local,
			 const char *remote)
{
	send_from(from, local, remote, "u", "v");
}

static void comes_back(const char *condition)
{
	assert_int_equal(delivered, 1);
	assert_non_null(strstr(last, "type='error'"));
	assert_non_null(strstr(last, "id='m1'"));
	if (strstr(last, condition) == NULL)
		fail_msg("\"%s\" is not in %s", condition, last);
}

static void test_server_behind_is_away(void **state)
{
	(void)state;
	server_stop(&c);
	send_message(&b, beta, alpha);
	comes_back("remote-server-timeout");
}

/* It is reached again within seconds, as any other. */
static void test_server_behind_is_back(void **state)
{
	(void)state;
	server_stop(&c);
	for (int i = 0; i < 3; i++) {
		send_message(&b, beta, alpha); /* each runs for 20 s */
		comes_back("remote-server-timeout");
	}
	server_start(&c, alpha, "192.0.2.7:5269", "valid");
	script_dns_forget(script, alpha);
	script_dns_target(script, alpha, "192.0.2.1:5269", false);
	look_at_gateway(15);
	pl_router_set_local(c.router, &service, NULL);
	script_run(script, 5000);
	send_message(&b, beta, alpha);
	assert_int_equal(delivered, 1);
	assert_null(strstr(last, "error")); /* at c */
}

static void test_world_is_away(void **state)
{
	(void)state;
	server_stop(&b);
	send_message(&c, alpha, beta);
	comes_back("remote-server-timeout");
}

static void test_no_such_domain(void **state)
{
	(void)state;
	server_rule(&a, "nowhere.example", 7);
	send_message(&c, alpha, "nowhere.example");
	comes_back("remote-server-not-found");
}

/* The border's policy is what fails, and the user inside hears of it. */
static void test_policy_at_the_border(void **state)
{
	(void)state;
	server_stop(&b);
	server_start(&b, beta, "192.0.2.12:5269", NULL);
	server_rule(&b, alpha, 17);
	send_message(&c, alpha, beta);
	comes_back("remote-server-");
}

/* ----- an unverified partner ----- */

static char spoken[2][100];

static bool may_begin(void *owner, const char *local, const char *remote)
{
	(void)owner;
	return strcmp(spoken[0], local) == 0 && strcmp(spoken[1], remote) == 0;
}

static void remember(void *owner, const char *local, const char *remote)
{
	(void)owner;
	snprintf(spoken[0], sizeof spoken[0], "%s", local);
	snprintf(spoken[1], sizeof spoken[1], "%s", remote);
}

static const struct pl_gatekeeper gatekeeper = { may_begin, remember };

/* A user of the server behind us is protected, and speaks, as any other. */
static void test_unverified(void **state)
{
	(void)state;
	memset(spoken, 0, sizeof spoken);
	server_rule(&a, beta, 2)->unverified = true;
	pl_router_set_gatekeeper(a.router, &gatekeeper, NULL);
	pl_router_set_local(c.router, &service, NULL);
	send_message(&b, beta, alpha);
	comes_back("not-allowed");
	assert_int_equal(outcomes_of(&c), 0); /* it did not get that far */
	send_from(&c, alpha, beta, "v", "u");
	assert_int_equal(delivered, 1); /* at b */
	assert_string_equal(spoken[0], "v@alpha.example");
	assert_string_equal(spoken[1], "u@beta.example");
	send_message(&b, beta, alpha);
	assert_int_equal(delivered, 1);
	assert_null(strstr(last, "error")); /* at c */
	assert_non_null(strstr(last, "to='v@alpha.example'"));
}

/* ----- who may use it ----- */

static void test_stranger(void **state)
{
	struct peer peer;

	(void)state;
	upstream_at("192.0.2.7");
	peer.raw = script_connect(script, "192.0.2.66", "192.0.2.1:5299",
				  1000);
	assert_non_null(peer.raw);
	assert_true(script_expect_end(peer.raw, 1000));
	assert_int_equal(logged(&a, "the upstream of a host", NULL), 1);
	script_close(peer.raw);
}

/* A server behind us speaks for its own domain and no other. */
static void test_foreign_name_inside(void **state)
{
	struct script_peer *peer;

	(void)state;
	upstream_at("192.0.2.7");
	peer = script_connect(script, "192.0.2.7", "192.0.2.1:5299", 1000);
	assert_non_null(peer);
	script_say(peer, "<?xml version='1.0'?>" STREAM " version='1.0' "
		   "from='gamma.example' to='beta.example'>");
	assert_true(script_expect(peer, "invalid-from", 1000));
	script_close(peer);
}

/* Not on a stream that it proved, either: that ends, and nothing gets out. */
static void test_foreign_stanza_inside(void **state)
{
	struct script_server *upstream;
	static struct peer peer, verify;
	char id[80];

	(void)state;
	server_stop(&c);
	upstream = script_listen(script, "192.0.2.7:5269");
	upstream_at("192.0.2.7");
	script_dns_target(script, "192.0.2.7", "192.0.2.7:5269", false);
	peer_connect_to(&peer, "192.0.2.7", "192.0.2.1:5299");
	peer_header(&peer, alpha, beta);
	assert_true(peer_expect(&peer, " id='"));
	peer_value(&peer, id, sizeof id);
	assert_true(peer_expect(&peer, "</stream:features>"));
	peer_say(&peer, "<db:result from='%s' to='%s'>0123</db:result>", alpha,
		 beta);
	peer_accept(&verify, upstream);
	assert_true(peer_expect(&verify, "<stream:stream"));
	peer_answer(&verify, alpha, beta, "1", DIALBACK);
	assert_true(peer_expect(&verify, "</db:verify>"));
	peer_say(&verify, "<db:verify from='%s' to='%s' id='%s' "
		 "type='valid'/>", alpha, beta, id);
	assert_true(peer_expect(&peer, "type='valid'"));
	pl_router_set_local(b.router, &service, NULL);
	delivered = 0;
	peer_say(&peer, "<message from='u@alpha.example' to='v@beta.example'/>");
	script_run(script, 20000);
	assert_int_equal(delivered, 1);
	peer_say(&peer, "<message from='u@gamma.example' to='v@beta.example'/>");
	assert_true(peer_expect(&peer, "<invalid-from"));
	script_run(script, 20000);
	assert_int_equal(delivered, 1);
	peer_free(&peer);
	peer_free(&verify);
}

/* A server behind us opens a stream to each domain that its users write to:
 * the limit of an address is one for the world. */
static void test_many_from_inside(void **state)
{
	static struct peer many[5]; /* in use still where it fails */

	(void)state;
	upstream_at("192.0.2.7");
	a.world.limits.connections_per_address = 2;
	pl_gateway_world_changed(gateway);
	for (size_t i = 0; i < 5; i++) {
		peer_connect_to(&many[i], "192.0.2.7", "192.0.2.1:5299");
		peer_header(&many[i], alpha, beta);
		assert_true(peer_expect(&many[i], "</stream:features>"));
	}
	for (size_t i = 0; i < 5; i++)
		peer_free(&many[i]);
	assert_int_equal(logged(&a, "connection-limit", NULL), 0);
}

/* Nor can it be reached through the gateway's listener. */
static void test_alpha_is_not_served_inside(void **state)
{
	struct script_peer *peer;

	(void)state;
	upstream_at("192.0.2.7");
	peer = script_connect(script, "192.0.2.7", "192.0.2.1:5299", 1000);
	assert_non_null(peer);
	script_say(peer, "<?xml version='1.0'?>" STREAM " version='1.0' "
		   "from='alpha.example' to='alpha.example'>");
	assert_true(script_expect(peer, "host-unknown", 1000));
	script_close(peer);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)
	const struct CMUnitTest tests[] = {
		T(from_the_world), T(to_the_world), T(in_clear_inside), T(pings_of_ours),
		T(server_behind_is_away), T(server_behind_is_back), T(world_is_away), T(no_such_domain),
		T(policy_at_the_border), T(unverified), T(stranger), T(foreign_name_inside),
		T(foreign_stanza_inside), T(many_from_inside),
		T(alpha_is_not_served_inside),
	};

	return cmocka_run_group_tests_name("gateway", tests, suite_begin,
					   suite_end);
}
