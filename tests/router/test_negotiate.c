/*
 * Negotiations for their own sake: they end with the outcome, send nothing, and
 * end in time whoever is silent.
 */
#include "server.h"

static const char alpha[] = "alpha.example", beta[] = "beta.example";

static struct server a, b;

struct ended {
	unsigned count;
	bool timed_out, recorded;
	enum pl_code code, record_code;
	enum pl_method method;
	enum pl_stage stage;
	char addr[64];
	uint64_t ms;
};
static struct ended ended;

static int begin(void **state)
{
	world_begin(state);
	server_start(&a, alpha, "192.0.2.1:5269", "valid");
	server_rule(&a, beta, 7);
	memset(&ended, 0, sizeof ended);
	return 0;
}

static void beta_is_whole(const char *variant, int row)
{
	server_start(&b, beta, "192.0.2.2:5269", variant);
	server_rule(&b, alpha, row);
}

static struct script_server *beta_is_ours(void)
{
	script_dns_target(script, beta, "192.0.2.2:5269", false);
	return script_listen(script, "192.0.2.2:5269");
}

static void on_negotiated(void *owner,
			  const struct pl_negotiation_result *result)
{
	struct ended *to = owner;
	const struct pl_record *record = result->record;

	to->count++;
	to->timed_out = result->timed_out;
	to->code = result->code;
	to->ms = result->ms;
	to->recorded = record != NULL;
	if (record == NULL)
		return;
	to->record_code = record->outcome.code;
	to->method = record->outcome.method;
	to->stage = record->outcome.stage;
	snprintf(to->addr, sizeof to->addr, "%s",
		 record->outcome.addr ? record->outcome.addr : "");
}

static bool told(void *owner)
{
	return ((struct ended *)owner)->count > 0;
}

static struct pl_negotiation *start(uint64_t timeout_ms)
{
	struct pl_negotiation *negotiation = pl_router_negotiate(
		a.router, alpha, beta, timeout_ms, on_negotiated, &ended);

	assert_non_null(negotiation);
	assert_int_equal(ended.count, 0); /* never inside of the call */
	return negotiation;
}

static void negotiate(uint64_t timeout_ms)
{
	start(timeout_ms);
	assert_true(script_run_until(script, told, &ended, timeout_ms + 10));
	script_run(script, 1000);
	assert_int_equal(ended.count, 1);
}

static void test_open(void **state)
{
	struct seen seen;

	(void)state;
	beta_is_whole("valid", 7);
	negotiate(5000);
	assert_false(ended.timed_out);
	assert_int_equal(ended.code, PL_CODE_NONE);
	assert_true(ended.recorded);
	assert_int_equal(ended.method, PL_METHOD_SASL_OVER_TLS);
	assert_int_equal(outcomes(&b, true, beta, alpha, &seen), 1);
	/* no stanza went out, so beta has no reason to call us */
	assert_int_equal(outcomes(&b, false, beta, alpha, &seen), 0);
	assert_int_equal(pl_router_streams(a.router), 1);
}

/* An open pair is told at once, and nothing is dialled again. */
static void test_open_already(void **state)
{
	(void)state;
	beta_is_whole("valid", 7);
	negotiate(5000);
	memset(&ended, 0, sizeof ended);
	negotiate(5000);
	assert_int_equal(ended.method, PL_METHOD_SASL_OVER_TLS);
	assert_int_equal(outcomes_of(&a), 1);
}

static void test_dialback(void **state)
{
	(void)state;
	server_rule(&a, beta, 13);
	beta_is_whole("valid", 13);
	negotiate(5000);
	assert_int_equal(ended.method, PL_METHOD_TLS_DIALBACK);
}

static void test_refused(void **state)
{
	(void)state;
	server_rule(&a, beta, 2);
	beta_is_whole("valid", 17);
	negotiate(10000);
	assert_int_equal(ended.code, PL_CODE_TLS_NOT_OFFERED);
	assert_int_equal(ended.record_code, PL_CODE_TLS_NOT_OFFERED);
	assert_false(ended.timed_out);
}

static void test_unknown_name(void **state)
{
	(void)state;
	negotiate(5000);
	assert_int_equal(ended.code, PL_CODE_DNS_NO_SUCH_DOMAIN);
	assert_true(ended.recorded);
}

static void test_unknown_partner(void **state)
{
	(void)state;
	a.rules_count = 0;
	negotiate(5000);
	assert_int_equal(ended.code, PL_CODE_PARTNER_UNKNOWN);
}

/* All targets are tried, and the last outcome is the one. */
static void test_second_target(void **state)
{
	(void)state;
	script_dns_target(script, beta, "192.0.2.9:5269", false);
	beta_is_whole("valid", 7);
	negotiate(20000);
	assert_int_equal(ended.method, PL_METHOD_SASL_OVER_TLS);
	assert_string_equal(ended.addr, "192.0.2.2:5269");
}

/* ----- silence ----- */

static void ends_in_time(enum pl_code code, enum pl_stage stage)
{
	assert_true(ended.timed_out);
	assert_int_equal(ended.ms, 3000);
	assert_int_equal(ended.code, code);
	assert_int_equal(ended.record_code, code);
	assert_int_equal(ended.stage, stage);
	assert_int_equal(outcomes_of(&a), 1);
	/* given up is given up: no other way is tried */
	script_run(script, 100000);
	assert_int_equal(outcomes_of(&a), 1);
	assert_int_equal(pl_router_streams(a.router), 0);
}

static void test_silent_resolver(void **state)
{
	(void)state;
	script_dns_delay(script, beta, SCRIPT_NEVER);
	negotiate(3000);
	ends_in_time(PL_CODE_DNS_RESOLVER_UNREACHABLE, PL_STAGE_DNS);
}

static void test_silent_network(void **state)
{
	struct script_link silent = { .reach = SCRIPT_SILENT };

	(void)state;
	script_dns_target(script, beta, "192.0.2.2:5269", false);
	script_dns_target(script, beta, "[2001:db8::2]:5269", false);
	script_link(script, NULL, &silent);
	negotiate(3000);
	ends_in_time(PL_CODE_TCP_TIMEOUT, PL_STAGE_TCP);
	assert_string_equal(ended.addr, "192.0.2.2:5269");
}

static void test_silent_peer(void **state)
{
	struct script_server *at = beta_is_ours();

	(void)state;
	script_dns_target(script, beta, "192.0.2.3:5269", false);
	negotiate(3000);
	assert_non_null(script_accept(at, 0));
	ends_in_time(PL_CODE_NEGOTIATION_TIMEOUT, PL_STAGE_STREAM);
}

static void test_silent_dialback(void **state)
{
	struct script_server *at = beta_is_ours();
	struct peer peer;

	(void)state;
	server_rule(&a, beta, 17);
	start(3000);
	peer_accept(&peer, at);
	peer_answer(&peer, beta, alpha, "1",
		    "<dialback xmlns='urn:xmpp:features:dialback'/>");
	assert_true(peer_expect(&peer, "<db:result"));
	script_run(script, 4000);
	assert_int_equal(ended.count, 1);
	assert_int_equal(ended.stage, PL_STAGE_DIALBACK);
	assert_int_equal(pl_code_entry(ended.code)->exit_status, 9);
	peer_free(&peer);
}

/* The limit moves nearer, never farther. */
static void test_within(void **state)
{
	struct pl_negotiation *negotiation;

	(void)state;
	script_dns_target(script, beta, "192.0.2.2:5269", false);
	script_link(script, NULL,
		    &(struct script_link){ .reach = SCRIPT_SILENT });
	negotiation = start(6000);
	pl_router_negotiate_within(negotiation, 3000);
	pl_router_negotiate_within(negotiation, 5000);
	script_run(script, 2990);
	assert_int_equal(ended.count, 0);
	script_run(script, 20);
	assert_int_equal(ended.count, 1);
	assert_int_equal(ended.ms, 3000);
}

/* ----- what a view may say ----- */

static void test_no_certificate(void **state)
{
	(void)state;
	server_rule(&a, beta, 7)->no_certificate = true;
	beta_is_whole("valid", 7);
	negotiate(5000);
	assert_int_equal(ended.method, PL_METHOD_TLS_DIALBACK);
}

/* A caller who knows no TLS may ask for keys, though the row wants TLS. */
static void test_clear_callbacks(void **state)
{
	struct peer peer;

	(void)state;
	server_rule(&a, beta, 13)->clear_callbacks = true;
	server_rule(&a, "*", 13)->clear_callbacks = true;
	peer_connect(&peer, "192.0.2.2", &a);
	peer_header(&peer, beta, alpha);
	assert_true(peer_expect(&peer, "</stream:features>"));
	peer_say(&peer, "<db:verify from='%s' to='%s' id='1'>no</db:verify>",
		 beta, alpha);
	assert_true(peer_expect(&peer, "type='invalid'"));
	peer_free(&peer);
}

/* All streams are closed in order, with their closing tags. */
static void test_close_all(void **state)
{
	(void)state;
	beta_is_whole("valid", 7);
	negotiate(5000);
	pl_router_close_all(a.router);
	script_run(script, 1000);
	assert_int_equal(pl_router_streams(a.router), 0);
	assert_int_equal(logged(&b, "peer-stream-error", NULL), 0);
	assert_int_equal(outcomes_of(&a), 1);
}

/* ----- the owner changes its mind ----- */

static void test_cancel(void **state)
{
	(void)state;
	beta_is_whole("valid", 7);
	pl_router_negotiate_cancel(start(5000));
	script_run(script, 6000);
	assert_int_equal(ended.count, 0);
	assert_int_equal(outcomes_of(&a), 1); /* the attempt went on */
}

static void on_empty(void *owner)
{
	*(bool *)owner = true;
}

static void test_draining(void **state)
{
	bool empty = false;

	(void)state;
	pl_router_shutdown(a.router, on_empty, &empty);
	negotiate(5000);
	assert_int_equal(ended.code, PL_CODE_SHUTDOWN);
	assert_false(ended.recorded);
	assert_true(empty);
}

static void test_too_many(void **state)
{
	unsigned count = 0;

	(void)state;
	while (pl_router_negotiate(a.router, alpha, beta, 1000, on_negotiated,
				   &ended) != NULL)
		count++;
	assert_in_range(count, 10, 1000);
	script_run(script, 2000);
	assert_int_equal(ended.count, count);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, begin, world_end)
	const struct CMUnitTest tests[] = {
		T(open), T(open_already), T(dialback), T(refused),
		T(unknown_name), T(unknown_partner), T(second_target),
		T(silent_resolver), T(silent_network), T(silent_peer),
		T(silent_dialback), T(within), T(no_certificate),
		T(clear_callbacks), T(close_all), T(cancel), T(draining), T(too_many),
	};

	return cmocka_run_group_tests_name("negotiate", tests, suite_begin,
					   suite_end);
}
