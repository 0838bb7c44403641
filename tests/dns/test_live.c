/*
 * Look-ups against a name server of our own (with-name-server, zones.sh), one
 * line for each case: what is asked, and the answer.
 */
#include "asking.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct pl_dns_settings settings;

static int set_up(void **state)
{
	struct asking *asking = malloc(sizeof *asking);

	memset(&settings, 0, sizeof settings);
	settings.resolv_conf = getenv("PARLEY_TEST_RESOLV_CONF");
	settings.trust_anchor_file = getenv("PARLEY_TEST_ANCHOR");
	settings.dane = true;
	asking_begin(asking, &settings);
	*state = asking;
	return 0;
}

static int tear_down(void **state)
{
	asking_end(*state);
	free(*state);
	return 0;
}

struct expected {
	const char *domain;
	unsigned want;
	const char *answer;
};

static void check(struct asking *asking, const struct expected *table,
		  size_t count)
{
	for (size_t i = 0; i < count; i++) {
		/* the second time from the cache, and the same */
		for (int time = 0; time < 2; time++) {
			ask(asking, table[i].domain, table[i].want);
			if (strcmp(shown(asking), table[i].answer) != 0)
				fail_msg("%s (%u): \"%s\" (%s)",
					 table[i].domain, table[i].want,
					 shown(asking), asking->answer.text);
		}
	}
}

#define CHECK(asking, table) \
	check(asking, table, sizeof(table) / sizeof(table)[0])

/* ----- SRV ----- */

static void services(void **state)
{
	static const struct expected table[] = {
		{ "lab.example", BOTH,
		  "host.lab.example:5269/srv/secure=2001:db8::10,192.0.2.10 " },
		{ "dt.example", BOTH,
		  "host.dt.example:5270/direct/srv/secure=192.0.2.11 "
		  "host.dt.example:5269/srv/secure=192.0.2.11 " },
		{ "dt.example", PL_DNS_STARTTLS,
		  "host.dt.example:5269/srv/secure=192.0.2.11 " },
		{ "dt.example", PL_DNS_DIRECT_TLS,
		  "host.dt.example:5270/direct/srv/secure=192.0.2.11 " },
		{ "dtonly.example", BOTH,
		  "host.dt.example:5270/direct/srv/secure=192.0.2.11 " },
		/* a row without TLS, and no SRV that it can use */
		{ "dtonly.example", PL_DNS_STARTTLS,
		  "dtonly.example:5269/secure=192.0.2.99 " },
		{ "nosrv.example", BOTH,
		  "nosrv.example:5269/secure=2001:db8::12,192.0.2.12 " },
		{ "nosrv.example", PL_DNS_DIRECT_TLS, "dns-no-service" },
		{ "svcnone.example", BOTH, "dns-no-service" },
		{ "onlydirect.example", BOTH,
		  "host.dt.example:5270/direct/srv/secure=192.0.2.11 " },
		{ "onlydirect.example", PL_DNS_STARTTLS, "dns-no-service" },
		{ "nodirect.example", BOTH,
		  "host.lab.example:5269/srv/secure=2001:db8::10,192.0.2.10 " },
		/* XEP-0368 5: no fallback then */
		{ "nofallback.example", BOTH, "dns-no-service" },
		{ "nothing.example", BOTH, "dns-no-service" },
		{ "dotandmore.example", BOTH,
		  "host.lab.example:5269/srv/secure=2001:db8::10,192.0.2.10 " },
		{ "upper.example", BOTH,
		  "host.lab.example:5269/srv/secure=2001:db8::10,192.0.2.10 " },
		{ "odd.example", BOTH, "dns-no-address" },
		{ "b\xc3\xbc"
		  "cher.example", BOTH,
		  "host.lab.example:5269/srv/secure=2001:db8::10,192.0.2.10 " },
	};

	CHECK(*state, table);
}

static void names_without(void **state)
{
	static const struct expected table[] = {
		{ "nx.example", BOTH, "dns-no-such-domain" },
		{ "empty.example", BOTH, "dns-no-address" },
		{ "noaddress.example", BOTH, "dns-no-address" },
		{ "deadfirst.example", BOTH,
		  "host.lab.example:5269/srv/secure=2001:db8::10,192.0.2.10 " },
	};

	CHECK(*state, table);
}

static void aliases(void **state)
{
	static const struct expected table[] = {
		{ "alias.example", BOTH,
		  "other.alias.example:5269/srv/secure="
		  "2001:db8::10,192.0.2.10 " },
		{ "aliased.example", BOTH,
		  "aliased.example:5269/secure=2001:db8::12,192.0.2.12 " },
		{ "srvalias.example", BOTH,
		  "host.lab.example:5269/srv/secure=2001:db8::10,192.0.2.10 " },
	};

	CHECK(*state, table);
	ask(*state, "loop.example", BOTH);
	assert_int_not_equal(((struct asking *)*state)->answer.code,
			     PL_CODE_NONE);
}

/* Is `text` somewhere in the shown answer? */
static void assert_shown(struct asking *asking, const char *text, bool wanted)
{
	if ((strstr(shown(asking), text) != NULL) != wanted)
		fail_msg("\"%s\" in: %s", text, shown(asking));
}

static void bounds(void **state)
{
	struct asking *asking = *state;
	int v4 = 0, v6 = 0;

	/* the 16 with the lowest priority numbers, lowest first */
	ask(asking, "many.example", BOTH);
	assert_int_equal(asking->answer.count, PL_DNS_TARGETS);
	assert_memory_equal(shown(asking), "host.many.example:6099/", 23);
	assert_shown(asking, ":6084/", true);
	assert_shown(asking, ":6083/", false);

	ask(asking, "crowd.example", BOTH);
	assert_int_equal(asking->answer.count, 2);
	for (const char *c = shown(asking); *c != '\0' && *c != ' '; c++) {
		v6 += strncmp(c, "2001:db8::", 10) == 0;
		v4 += strncmp(c, "192.0.2.", 8) == 0;
	}
	assert_int_equal(v6, PL_DNS_ADDRESSES / 2);
	assert_int_equal(v4, PL_DNS_ADDRESSES / 2);
	v4 = v6 = 0;
	for (const char *c = strchr(shown(asking), ' '); *c != '\0'; c++) {
		v6 += strncmp(c, "2001:db8::", 10) == 0;
		v4 += strncmp(c, "192.0.2.", 8) == 0;
	}
	assert_int_equal(v6, 1);
	assert_int_equal(v4, PL_DNS_ADDRESSES - 1);
}

/* ----- what goes wrong ----- */

static void failures_are_not_absence(void **state)
{
	static const struct expected table[] = {
		{ "broken.example", BOTH, "dns-server-failure" },
		/* only _xmpps-server fails: go on with the other */
		{ "halfbroken.example", BOTH,
		  "host.lab.example:5269/srv/secure=2001:db8::10,192.0.2.10 " },
		{ "halfbroken.example", PL_DNS_DIRECT_TLS,
		  "dns-server-failure" },
		/* only _xmpp-server fails */
		{ "lost.example", BOTH, "dns-server-failure" },
		{ "lost.example", PL_DNS_STARTTLS, "dns-server-failure" },
		{ "lost.example", PL_DNS_DIRECT_TLS,
		  "host.lab.example:5270/direct/srv/secure="
		  "2001:db8::10,192.0.2.10 " },
		{ "deadtarget.example", BOTH,
		  "host.lab.example:5269/srv/secure=2001:db8::10,192.0.2.10 " },
		{ "alldead.example", BOTH, "dns-server-failure" },
	};

	CHECK(*state, table);
}

static void bogus_is_bogus(void **state)
{
	static const struct expected table[] = {
		{ "bogus.example", BOTH, "dns-bogus" },
		{ "bogus.example", PL_DNS_STARTTLS, "dns-bogus" },
		/* a forged _xmpps-server is not passed over */
		{ "good.bogus.example", BOTH, "dns-bogus" },
		{ "good.bogus.example", PL_DNS_STARTTLS, "dns-bogus" },
		/* good SRV, forged address */
		{ "badhost.bogus.example", BOTH, "dns-bogus" },
	};
	static const struct expected without_dane[] = {
		{ "good.bogus.example", PL_DNS_STARTTLS,
		  "fine.bogus.example:5269/srv/secure=192.0.2.31 " },
		{ "good.bogus.example", BOTH, "dns-bogus" },
		{ "halfhost.bogus.example", PL_DNS_STARTTLS,
		  "fine.bogus.example:5269/srv/secure=192.0.2.31 " },
	};
	struct asking asking;

	CHECK(*state, table);
	assert_non_null(strstr(((struct asking *)*state)->answer.text,
			       "host.bogus.example"));
	settings.dane = false;
	asking_begin(&asking, &settings);
	CHECK(&asking, without_dane);
	asking_end(&asking);
}

static void without_an_anchor_nothing_is_bogus(void **state)
{
	struct asking asking;

	settings.trust_anchor_file = "/dev/null";
	asking_begin(&asking, &settings);
	ask(&asking, "bogus.example", BOTH);
	assert_string_equal(shown(&asking),
			    "host.bogus.example:5269/srv=192.0.2.66 ");
	ask(&asking, "dane.example", BOTH);
	assert_string_equal(shown(&asking),
			    "host.dane.example:5269/srv=192.0.2.40 ");
	asking_end(&asking);
}

/* ----- DNSSEC and DANE ----- */

static void note_tlsa(void *owner, const struct pl_dns_answer *answer)
{
	static const unsigned char begin[] = { 0x00, 0x11, 0x22, 0x33 };
	const struct pl_tls_dane *tlsa;
	size_t at;

	asking_done(owner, answer);
	assert_int_equal(answer->targets[0].tlsa_count, 2);
	at = answer->targets[0].tlsa[0].usage == 3 ? 0 : 1;
	tlsa = &answer->targets[0].tlsa[at];
	assert_int_equal(tlsa->usage, 3);
	assert_int_equal(tlsa->selector, 1);
	assert_int_equal(tlsa->matching, 1);
	assert_int_equal(tlsa->length, 32);
	assert_memory_equal(tlsa->data, begin, sizeof begin);
	tlsa = &answer->targets[0].tlsa[1 - at];
	assert_int_equal(tlsa->usage, 2);
	assert_int_equal(tlsa->selector, 0);
	assert_int_equal(tlsa->matching, 2);
	assert_int_equal(tlsa->length, 1);
}

static void tlsa_where_all_is_secure(void **state)
{
	static const struct expected table[] = {
		{ "dane.example", BOTH,
		  "host.dane.example:5269/srv/secure/tlsa2=192.0.2.40 " },
		{ "nosrvdane.example", BOTH,
		  "nosrvdane.example:5269/secure/tlsa1=192.0.2.41 " },
		{ "unsigned.example", BOTH,
		  "host.unsigned.example:5269/srv=192.0.2.20 " },
		/* SRV secure, addresses not */
		{ "away.example", BOTH,
		  "host.unsigned.example:5269/srv=192.0.2.20 " },
		/* the other way round */
		{ "toward.unsigned.example", BOTH,
		  "host.dane.example:5269/srv=192.0.2.40 " },
		/* only the TLSA records are not signed */
		{ "halfsigned.example", BOTH,
		  "host.halfsigned.example:5269/srv/secure=192.0.2.43 " },
		/* TLSA records that cannot be had, or are forged, are no
		 * absence of them */
		{ "brokentlsa.example", BOTH,
		  "host.lab.example:5269/srv/secure=2001:db8::10,192.0.2.10 " },
		{ "onlybrokentlsa.example", BOTH, "dns-server-failure" },
		{ "tlsa.bogus.example", BOTH, "dns-bogus" },
	};
	struct asking *asking = *state;

	CHECK(asking, table);
	ask(asking, "dane.example", BOTH);
	assert_true(asking->answer.secure);
	ask(asking, "away.example", BOTH);
	assert_false(asking->answer.secure);
	pl_dns_find(asking->resolver, "dane.example", BOTH, note_tlsa, asking);
	wait_for(asking, asking->answers + 1);
}

static void no_dane_no_tlsa(void **state)
{
	struct asking asking;

	settings.dane = false;
	asking_begin(&asking, &settings);
	ask(&asking, "dane.example", BOTH);
	assert_string_equal(shown(&asking),
			    "host.dane.example:5269/srv/secure=192.0.2.40 ");
	asking_end(&asking);
}

/* ----- addresses that are refused ----- */

static void local_addresses(void **state)
{
	static const struct expected table[] = {
		{ "local.example", BOTH, "dns-no-address" },
		{ "mixed.example", BOTH,
		  "host.mixed.example:5269/srv/secure=10.1.2.3 " },
		{ "127.0.0.1", BOTH, "dns-no-address" },
		{ "[::1]", BOTH, "dns-no-address" },
		{ "::ffff:127.0.0.1", BOTH, "dns-no-address" },
		{ "192.0.2.1", BOTH, "192.0.2.1:5269=192.0.2.1 " },
		{ "192.0.2.1", PL_DNS_DIRECT_TLS, "dns-no-service" },
		{ "[2001:db8::1]", BOTH, "[2001:db8::1]:5269=2001:db8::1 " },
	};
	struct asking *asking = *state, other;

	CHECK(asking, table);
	ask(asking, "local.example", BOTH);
	assert_non_null(strstr(asking->answer.text, "loopback"));
	/* `connect` is exempt */
	ask_host(asking, "host.mixed.example", 1234, false);
	assert_int_equal(asking->answer.count, 1);
	assert_shown(asking, "127.0.0.1", true);
	assert_shown(asking, "::1", true);

	settings.allow_loopback = true;
	asking_begin(&other, &settings);
	ask(&other, "mixed.example", BOTH);
	assert_shown(&other, "127.0.0.1", true);
	ask(&other, "127.0.0.1", BOTH);
	assert_string_equal(shown(&other), "127.0.0.1:5269=127.0.0.1 ");
	asking_end(&other);
}

static void hosts_to_connect_to(void **state)
{
	struct asking *asking = *state;

	ask_host(asking, "host.lab.example", 1234, true);
	assert_string_equal(shown(asking), "host.lab.example:1234/direct/secure"
			    "=2001:db8::10,192.0.2.10 ");
	ask_host(asking, "127.0.0.3", 5269, false);
	assert_string_equal(shown(asking), "127.0.0.3:5269=127.0.0.3 ");
	ask_host(asking, "::1", 5270, true);
	assert_string_equal(shown(asking), "::1:5270/direct=::1 ");
	ask_host(asking, "nx.example", 5269, false);
	assert_string_equal(shown(asking), "dns-no-such-domain");
	ask_host(asking, "empty.example", 5269, false);
	assert_string_equal(shown(asking), "dns-no-address");
	ask_host(asking, "broken.example", 5269, false);
	assert_string_equal(shown(asking), "dns-server-failure");
	ask_host(asking, "host.bogus.example", 5269, false);
	assert_string_equal(shown(asking), "dns-bogus");
	/* no SRV for these */
	ask_host(asking, "svcnone.example", 5269, false);
	assert_string_equal(shown(asking),
			    "svcnone.example:5269/secure=192.0.2.99 ");
}

static void names_that_cannot_be(void **state)
{
	struct asking *asking = *state;
	char longest[260];
	size_t length = 0;

	while (length < 240)
		length += (size_t)snprintf(longest + length,
					   sizeof longest - length, "%s",
					   "abcdefghi.");
	snprintf(longest + length, sizeof longest - length, "abcd.example");
	ask(asking, longest, BOTH); /* 252: SRV names would be too long */
	assert_string_equal(shown(asking), "dns-no-such-domain");
	snprintf(longest + length, sizeof longest - length, "abcdef.example");
	ask(asking, longest, BOTH);
	assert_string_equal(shown(asking), "dns-no-such-domain");
	ask(asking, "", BOTH);
	assert_string_equal(shown(asking), "dns-no-such-domain");
	ask_host(asking, "a..b", 1, false);
	assert_string_equal(shown(asking), "dns-no-such-domain");
}

/* ----- callers ----- */

static void hosts_files(void **state)
{
	struct asking asking;
	char path[] = "/tmp/parley-hosts-XXXXXX";
	FILE *file = fdopen(mkstemp(path), "w");

	fputs("192.0.2.200 printed.example other.example\n"
	      "2001:db8::200 printed.example\n", file);
	fclose(file);
	settings.hosts = path;
	asking_begin(&asking, &settings);
	ask(&asking, "printed.example", BOTH);
	assert_string_equal(shown(&asking), "printed.example:5269="
			    "2001:db8::200,192.0.2.200 ");
	ask_host(&asking, "other.example", 1, false);
	assert_string_equal(shown(&asking), "other.example:1=192.0.2.200 ");
	asking_end(&asking);
	unlink(path);
}

static struct pl_dns_query *second;

static void never(void *owner, const struct pl_dns_answer *answer)
{
	fail_msg("a cancelled query answered");
}

static void cancel_second(void *owner, const struct pl_dns_answer *answer)
{
	asking_done(owner, answer);
	pl_dns_cancel(second);
}

static void mark(void *owner, const struct pl_dns_answer *answer)
{
	*(bool *)owner = true;
}

/* Cancelled after each number of turns of the loop that an answer takes. */
static void cancelling_at_each_step(void **state)
{
	bool answered = false;

	for (int turns = 0; !answered && turns < 200; turns++) {
		struct pl_dns_query *query;
		struct asking asking;

		asking_begin(&asking, &settings);
		query = pl_dns_find(asking.resolver, "dane.example", BOTH,
				    mark, &answered);
		for (int i = 0; i < turns && !answered; i++)
			event_base_loop(asking.base, EVLOOP_ONCE);
		if (!answered)
			pl_dns_cancel(query);
		/* the next uses what the cancelled one has found out */
		if (turns % 4 == 0)
			ask(&asking, "dane.example", BOTH);
		asking_end(&asking);
	}
	assert_true(answered);
}

static void cancelling_from_an_answer(void **state)
{
	struct asking *asking = *state;

	for (int i = 0; i < 2; i++) {
		pl_dns_find(asking->resolver, "lab.example", BOTH,
			    cancel_second, asking);
		/* the second time both come from the cache */
		second = pl_dns_find(asking->resolver,
				     i ? "dane.example" : "broken.example",
				     BOTH, never, NULL);
		wait_for(asking, asking->answers + 1);
	}
	wait_ms(asking, 50);
	/* left over: freed with the resolver */
	for (int i = 0; i < 20; i++)
		pl_dns_find(asking->resolver, i % 2 ? "broken.example"
						    : "dane.example",
			    BOTH, never, NULL);
}

static void ask_again(void *owner, const struct pl_dns_answer *answer)
{
	struct asking *asking = owner;

	asking_done(owner, answer);
	if (asking->answers < 50)
		pl_dns_find(asking->resolver, "lab.example", BOTH, ask_again,
			    asking);
}

static void asking_from_an_answer(void **state)
{
	struct asking *asking = *state;

	pl_dns_find(asking->resolver, "lab.example", BOTH, ask_again, asking);
	wait_for(asking, 50);
}

static void free_resolver(void *owner, const struct pl_dns_answer *answer)
{
	struct asking *asking = owner;

	asking_done(owner, answer);
	pl_resolver_free(asking->resolver);
	asking->resolver = NULL;
}

static void freeing_the_resolver_from_an_answer(void **state)
{
	struct asking *asking = *state;

	pl_dns_find(asking->resolver, "lab.example", BOTH, free_resolver,
		    asking);
	pl_dns_find(asking->resolver, "broken.example", BOTH, never, NULL);
	wait_for(asking, 1);
	wait_ms(asking, 20);
}

static void many_at_once(void **state)
{
	struct asking *asking = *state;

	for (int i = 0; i < 300; i++) {
		char name[64];

		snprintf(name, sizeof name, "nx%d.example", i);
		pl_dns_find(asking->resolver, name, BOTH, asking_done, asking);
	}
	wait_for(asking, 300);
	assert_string_equal(shown(asking), "dns-no-such-domain");
}

#define LIVE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE(services),
		LIVE(names_without),
		LIVE(aliases),
		LIVE(bounds),
		LIVE(failures_are_not_absence),
		LIVE(bogus_is_bogus),
		LIVE(without_an_anchor_nothing_is_bogus),
		LIVE(tlsa_where_all_is_secure),
		LIVE(no_dane_no_tlsa),
		LIVE(local_addresses),
		LIVE(hosts_to_connect_to),
		LIVE(names_that_cannot_be),
		LIVE(hosts_files),
		LIVE(cancelling_at_each_step),
		LIVE(cancelling_from_an_answer),
		LIVE(asking_from_an_answer),
		LIVE(freeing_the_resolver_from_an_answer),
		LIVE(many_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
