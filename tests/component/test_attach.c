/* Components: who may attach, and what ends one. */
#include "internal.h"
#include "services.h"

static const char alpha[] = "alpha.example", echo[] = "echo.alpha.example",
	wild[] = "*.rooms.alpha.example";

static struct server a;
static struct services services;
static struct peer peers[70];

static int begin(void **state)
{
	world_begin(state);
	server_start(&a, alpha, "192.0.2.1:5269", "valid");
	server_host(&a, echo, NULL);
	server_rule(&a, "*", 17);
	memset(peers, 0, sizeof peers);
	services_start(&services, &a, "192.0.2.1:5347");
	service_rule(&services, echo, "component-secret", false);
	service_rule(&services, wild, "other-secret", false);
	return 0;
}

static int end(void **state)
{
	for (size_t i = 0; i < sizeof peers / sizeof *peers; i++)
		if (peers[i].raw != NULL)
			peer_free(&peers[i]);
	services_stop(&services);
	return world_end(state);
}

static bool refused(struct peer *peer, const char *condition)
{
	char text[200];

	snprintf(text, sizeof text, "<stream:error><%s xmlns='urn:ietf:params:"
		 "xml:ns:xmpp-streams'/>", condition);
	return peer_expect(peer, text) &&
	       peer_expect(peer, "</stream:error></stream:stream>") &&
	       peer_expect_end(peer);
}

static bool lasts(struct peer *peer)
{
	script_run(script, 50);
	return !peer->over;
}

/* ----- the handshake ----- */

/* The digest that XEP-0114 prints, and one of our own reckoning (openssl). */
static void test_known_digests(void **state)
{
	char digest[DIGEST_SIZE];

	(void)state;
	assert_true(handshake_digest("3BF96D32", "test", digest));
	assert_string_equal(digest,
			    "aaee83c26aeeafcbabeabfcbcd50df997e0a2a1e");
	assert_true(handshake_digest("c-7f3a", "component-secret", digest));
	assert_string_equal(digest,
			    "c5dba75c7b2a89ff6e8d104b5a56b3ce4d4f2145");
}

static void test_good(void **state)
{
	(void)state;
	service_attach(&services, &peers[0], echo, "component-secret");
	assert_true(lasts(&peers[0]));
	assert_int_equal(logged(&a, "event=component-attached",
				"component=echo.alpha.example",
				"addr=127.0.0.1:", NULL), 1);
	/* past the deadline of the handshake */
	script_run(script, 30000);
	assert_true(lasts(&peers[0]));
}

static void test_header_of_answer(void **state)
{
	char id[64], other[64];

	(void)state;
	service_header(&services, &peers[0], "ECHO.Alpha.example.", id);
	assert_int_equal(strlen(id), 32);
	assert_true(peer_expect(&peers[0], " from='echo.alpha.example'>"));
	service_header(&services, &peers[1], echo, other);
	assert_string_not_equal(id, other);
	assert_true(peer_expect_not(&peers[0], "version=", 10));
	assert_true(peer_expect_not(&peers[0], "features", 10));
}

/* A leniency for reading (standards CMP-6). */
static void test_upper_case_and_white_space(void **state)
{
	char id[64], digest[64];

	(void)state;
	service_header(&services, &peers[0], echo, id);
	service_digest(id, "component-secret", digest);
	for (char *c = digest; *c != '\0'; c++)
		if (*c >= 'a')
			*c = (char)(*c - 32);
	peer_say(&peers[0], "\n <handshake>\n ");
	script_run(script, 10);
	peer_say(&peers[0], "%s </handshake>", digest);
	assert_true(peer_expect(&peers[0], "<handshake/>"));
}

static void test_bad_digests(void **state)
{
	static const char *const bad[] = {
		"<handshake/>", "<handshake></handshake>",
		"<handshake>0</handshake>",
		"<handshake>0000000000000000000000000000000000000000"
			"</handshake>",
		"<handshake>00000000000000000000000000000000000000000"
			"</handshake>",
		"<handshake><x>0</x></handshake>",
		"<handshake xmlns='jabber:server'/>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char id[64];

		service_header(&services, &peers[i], echo, id);
		peer_say(&peers[i], "%s", bad[i]);
		assert_true(refused(&peers[i], "not-authorized"));
	}
	assert_int_equal(logged(&a, "event=component-refused",
				"why=not-authorized", NULL), 7);
}

/* Every digit counts. */
static void test_each_digit(void **state)
{
	(void)state;
	for (size_t i = 0; i < DIGEST_SIZE - 1; i++) {
		char id[64], digest[64];

		service_header(&services, &peers[i], echo, id);
		service_digest(id, "component-secret", digest);
		digest[i] = digest[i] == '0' ? '1' : '0';
		peer_say(&peers[i], "<handshake>%s</handshake>", digest);
		assert_true(refused(&peers[i], "not-authorized"));
	}
}

static void test_wrong_secret(void **state)
{
	char id[64];

	(void)state;
	service_header(&services, &peers[0], echo, id);
	service_handshake(&peers[0], id, "component-secret ");
	assert_true(refused(&peers[0], "not-authorized"));
	/* the other component's */
	service_header(&services, &peers[1], echo, id);
	service_handshake(&peers[1], id, "other-secret");
	assert_true(refused(&peers[1], "not-authorized"));
	/* that of another stream */
	service_header(&services, &peers[2], echo, id);
	service_header(&services, &peers[3], echo, id);
	service_handshake(&peers[2], id, "component-secret");
	assert_true(refused(&peers[2], "not-authorized"));
	assert_int_equal(logged(&a, "event=component-attached", NULL), 0);
}

/* Neither secret nor digest is ever told. */
static void test_nothing_leaks(void **state)
{
	char id[64];

	(void)state;
	service_attach(&services, &peers[0], echo, "component-secret");
	service_header(&services, &peers[1], echo, id);
	service_handshake(&peers[1], id, "wrong");
	assert_true(refused(&peers[1], "not-authorized"));
	assert_int_equal(logged(&a, "secret", NULL), 0);
	assert_int_equal(logged(&a, "handshake", NULL), 0);
	assert_int_equal(logged(&a, id, NULL), 0);
}

static void test_late(void **state)
{
	char id[64];

	(void)state;
	service_header(&services, &peers[0], echo, id);
	peer_connect_to(&peers[1], "127.0.0.1", services.endpoint);
	assert_true(peer_expect_not(&peers[0], "<stream:error", 9500));
	assert_true(peer_expect_within(&peers[0], "<connection-timeout", 600));
	/* with a header of ours in front, also where none came */
	assert_true(peer_expect(&peers[1], "<stream:stream"));
	assert_true(refused(&peers[1], "connection-timeout"));
}

static void test_before_the_handshake(void **state)
{
	char id[64];

	(void)state;
	service_header(&services, &peers[0], echo, id);
	peer_say(&peers[0], "<message from='%s' to='b@beta.example'/>", echo);
	assert_true(refused(&peers[0], "not-authorized"));
	assert_int_equal(script_dns_asked(script, "beta.example"), 0);
	/* at once, in one packet */
	peer_connect_to(&peers[1], "127.0.0.1", services.endpoint);
	peer_say(&peers[1], COMPONENT " to='%s'><iq type='get' id='1' "
		 "from='%s' to='%s'/>", echo, echo, alpha);
	assert_true(refused(&peers[1], "not-authorized"));
}

/* ----- the header ----- */

static void hello(struct peer *peer, const char *text)
{
	peer_connect_to(peer, "127.0.0.1", services.endpoint);
	peer_say(peer, "%s", text);
}

static void test_hostile_headers(void **state)
{
	static const struct {
		const char *text, *condition;
	} table[] = {
		{ COMPONENT " to='gamma.example'>", "host-unknown" },
		{ COMPONENT " to='alpha.example'>", "host-unknown" },
		{ COMPONENT " to='rooms.alpha.example'>", "host-unknown" },
		{ COMPONENT " to='*.alpha.example'>", "host-unknown" },
		{ COMPONENT " to='*'>", "host-unknown" },
		{ COMPONENT " to='a@echo.alpha.example'>", "host-unknown" },
		{ COMPONENT " to=''>", "improper-addressing" },
		{ COMPONENT ">", "improper-addressing" },
		{ STREAM " to='echo.alpha.example'>", "invalid-namespace" },
		{ "<stream:stream xmlns='jabber:component:connect' xmlns:stream"
		  "='http://etherx.jabber.org/streams' "
		  "to='echo.alpha.example'>", "invalid-namespace" },
		{ "<a xmlns='jabber:component:accept'>", "bad-format" },
		{ "<!DOCTYPE a>", "restricted-xml" },
		{ "<!-- a -->", "restricted-xml" },
		{ "GET / HTTP/1.1\r\n\r\n", "bad-format" },
		{ "<stream:stream>", "not-well-formed" },
		{ "<?xml version='1.0' encoding='latin-1'?>",
		  "unsupported-encoding" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		hello(&peers[i], table[i].text);
		assert_true(peer_expect(&peers[i], "<stream:stream"));
		if (!refused(&peers[i], table[i].condition))
			fail_msg("%s", table[i].text);
	}
	assert_int_equal(logged(&a, "component-attached", NULL), 0);
}

static void test_limit_before_the_handshake(void **state)
{
	char id[64];

	(void)state;
	service_header(&services, &peers[0], echo, id);
	peer_say(&peers[0], "<handshake>");
	for (int i = 0; i < 9; i++)
		peer_say(&peers[0], "%01000d", 0);
	assert_true(refused(&peers[0], "policy-violation"));
	peer_connect_to(&peers[1], "127.0.0.1", services.endpoint);
	peer_say(&peers[1], "<stream:stream a='");
	for (int i = 0; i < 9; i++)
		peer_say(&peers[1], "%01000d", 0);
	assert_true(refused(&peers[1], "policy-violation"));
}

static void test_limit_behind_it(void **state)
{
	(void)state;
	service_attach(&services, &peers[0], echo, "component-secret");
	a.world.limits.queue_bytes = 1 << 20;
	peer_say(&peers[0], "<message from='%s' to='%s'><body>", echo, echo);
	for (int i = 0; i < 520; i++)
		peer_say(&peers[0], "%01000d", 0);
	peer_say(&peers[0], "</body></message>");
	assert_true(peer_expect_within(&peers[0], "</message>", 5000));
	peer_say(&peers[0], "<message from='%s' to='%s'><body>", echo, echo);
	for (int i = 0; i < 525; i++)
		peer_say(&peers[0], "%01000d", 0);
	assert_true(peer_expect_within(&peers[0], "<policy-violation", 5000));
}

/* However it is cut, the same comes of it. */
static void test_byte_by_byte(void **state)
{
	struct script_link link = { .latency_ms = 1, .chunk = 1 };

	(void)state;
	script_link(script, services.endpoint, &link);
	service_attach(&services, &peers[0], echo, "component-secret");
	peer_say(&peers[0], "<message from='%s' to='x@%s' id='1'><body>a&lt;"
		 "</body></message><presence from='%s' to='%s'/>", echo, echo,
		 echo, echo);
	assert_true(peer_expect(&peers[0], "<message from='echo.alpha.example' "
		"to='x@echo.alpha.example' id='1'><body>a&lt;</body></message>"
		"<presence from='echo.alpha.example' "
		"to='echo.alpha.example'/>"));
	peer_say(&peers[0], "</stream:stream>");
	assert_true(peer_expect(&peers[0], "</stream:stream>"));
}

static unsigned below(uint64_t *seed, unsigned n)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (unsigned)(*seed >> 33) % n;
}

/* Damaged bytes, before and behind the handshake: each such connection goes on
 * or ends, and nobody else notices. */
static void test_noise(void **state)
{
	static const char good[] = COMPONENT " to='echo.alpha.example'>"
		"<handshake>00</handshake><message from='echo.alpha.example' "
		"to='alpha.example'><body xml:lang='en'>b</body></message>";
	static const char stanza[] = "<iq type='get' from='a@wild.rooms.alpha."
		"example/r' to='b@alpha.example' id='1'><x xmlns='urn:x' "
		"y='z'>&amp;</x></iq>";
	uint64_t seed = 0x9e3779b97f4a7c15u;

	(void)state;
	service_attach(&services, &peers[0], echo, "component-secret");
	for (int i = 0; i < 400; i++) {
		bool inside = i % 2 != 0;
		char text[sizeof good];
		size_t length;

		strcpy(text, inside ? stanza : good);
		length = strlen(text);
		for (unsigned n = 1 + below(&seed, 4); n > 0; n--)
			text[below(&seed, (unsigned)length)] =
				(char)(1 + below(&seed, 255));
		if (inside)
			service_attach(&services, &peers[1], wild,
				       "other-secret");
		else
			peer_connect_to(&peers[1], "127.0.0.1",
					services.endpoint);
		peer_say(&peers[1], "%s", text);
		script_run(script, 5);
		peer_free(&peers[1]);
	}
	assert_true(lasts(&peers[0]));
	peer_say(&peers[0], "<message from='%s' to='%s' id='ok'/>", echo, echo);
	assert_true(peer_expect(&peers[0], "id='ok'"));
	assert_int_equal(logged(&a, "component-attached", NULL), 201);
}

/* A flood of silent connections costs the silent ones. */
static void test_flood(void **state)
{
	char id[64];

	(void)state;
	service_attach(&services, &peers[0], echo, "component-secret");
	for (int i = 1; i < 70; i++)
		peer_connect_to(&peers[i], "127.0.0.1", services.endpoint);
	script_run(script, 50);
	assert_true(lasts(&peers[0]));
	assert_true(peers[1].over && peers[5].over);
	assert_false(peers[6].over || peers[69].over);
	peer_say(&peers[69], COMPONENT " to='%s'>", echo);
	assert_true(peer_expect(&peers[69], " id='"));
	peer_value(&peers[69], id, sizeof id);
	service_handshake(&peers[69], id, "component-secret");
	assert_true(peer_expect(&peers[69], "<handshake/>"));
}

/* ----- two for one domain ----- */

static void test_replace(void **state)
{
	(void)state;
	service_attach(&services, &peers[0], echo, "component-secret");
	service_attach(&services, &peers[1], echo, "component-secret");
	assert_true(refused(&peers[0], "conflict"));
	assert_true(lasts(&peers[1]));
	peer_say(&peers[1], "<message from='%s' to='%s' id='m'/>", echo, echo);
	assert_true(peer_expect(&peers[1], "id='m'"));
	assert_int_equal(logged(&a, "event=component-detached", "why=conflict",
				NULL), 1);
}

/* Only who knows the secret pushes another one out. */
static void test_no_replacing_by_strangers(void **state)
{
	char id[64];

	(void)state;
	service_attach(&services, &peers[0], echo, "component-secret");
	service_header(&services, &peers[1], echo, id);
	service_handshake(&peers[1], id, "guess");
	assert_true(refused(&peers[1], "not-authorized"));
	assert_true(lasts(&peers[0]));
}

static void test_refuse(void **state)
{
	char id[64];

	(void)state;
	service_rule(&services, echo, "component-secret", true);
	service_attach(&services, &peers[0], echo, "component-secret");
	service_header(&services, &peers[1], echo, id);
	service_handshake(&peers[1], id, "component-secret");
	assert_true(refused(&peers[1], "conflict"));
	assert_true(lasts(&peers[0]));
	peer_free(&peers[0]);
	script_run(script, 50);
	service_attach(&services, &peers[0], echo, "component-secret");
}

/* ----- wildcards ----- */

static void test_wildcard(void **state)
{
	(void)state;
	service_attach(&services, &peers[0], wild, "other-secret");
	service_attach(&services, &peers[1], "a.rooms.alpha.example", "other-secret");
	assert_true(refused(&peers[0], "conflict")); /* one section, one */
	peer_say(&peers[1], "<message from='x@b.c.rooms.alpha.example' "
		 "to='y@nowhere.example'/>");
	assert_true(lasts(&peers[1]));
	peer_say(&peers[1], "<message from='x@rooms.alpha.example' "
		 "to='y@nowhere.example'/>");
	assert_true(refused(&peers[1], "invalid-from"));
}

/* A name with a section of its own is none of the wildcard's. */
static void test_wildcard_spares_sections(void **state)
{
	char id[64];

	(void)state;
	service_rule(&services, "own.rooms.alpha.example", "third", false);
	service_rule(&services, "host.rooms.alpha.example", NULL, false);
	service_header(&services, &peers[0], "own.rooms.alpha.example", id);
	service_handshake(&peers[0], id, "other-secret");
	assert_true(refused(&peers[0], "not-authorized"));
	service_attach(&services, &peers[1], wild, "other-secret");
	peer_say(&peers[1], "<message from='x@own.rooms.alpha.example' "
		 "to='y@nowhere.example'/>");
	assert_true(refused(&peers[1], "invalid-from"));
	service_attach(&services, &peers[2], wild, "other-secret");
	peer_say(&peers[2], "<message from='x@host.rooms.alpha.example' "
		 "to='y@nowhere.example'/>");
	assert_true(refused(&peers[2], "invalid-from"));
	hello(&peers[3], COMPONENT " to='host.rooms.alpha.example'>");
	assert_true(refused(&peers[3], "host-unknown"));
}

/* Of several the longest, in whatever order they stand. */
static void test_nested_wildcards(void **state)
{
	(void)state;
	server_host(&a, "y.deep.rooms.alpha.example", NULL);
	service_rule(&services, "*.deep.rooms.alpha.example", "deep", false);
	service_rule(&services, "*.alpha.example", "shallow", false);
	service_attach(&services, &peers[0], "x.deep.rooms.alpha.example",
		       "deep");
	service_attach(&services, &peers[1], "x.rooms.alpha.example",
		       "other-secret");
	service_attach(&services, &peers[2], "x.alpha.example", "shallow");
	assert_true(lasts(&peers[0]) && lasts(&peers[1]));
	peer_say(&peers[0], "<message id='1' from='y.deep.rooms.alpha.example' "
		 "to='alpha.example'/>");
	assert_true(peer_expect(&peers[0], "id='1'"));
	peer_say(&peers[1], "<message from='y.deep.rooms.alpha.example' "
		 "to='alpha.example'/>");
	assert_true(refused(&peers[1], "invalid-from"));
	peer_say(&peers[2], "<message from='y.rooms.alpha.example' "
		 "to='alpha.example'/>");
	assert_true(refused(&peers[2], "invalid-from"));
}

/* ----- what a component may not say ----- */

static void test_foreign_from(void **state)
{
	static const char *const bad[] = {
		"from='alpha.example'", "from='x@gamma.example'",
		"from='sub.echo.alpha.example'", "from=''", "",
		"from='echo.alpha.example/'", "from='a b@echo.alpha.example'",
		"from='a@b@echo.alpha.example'",
		"from='&#x202e;@echo.alpha.example'",
		"from='gamma.example/echo.alpha.example'",
		"from='echo.alpha.example@gamma.example'",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		service_attach(&services, &peers[i], echo, "component-secret");
		peer_say(&peers[i], "<message %s to='y@beta.example'/>",
			 bad[i]);
		if (!refused(&peers[i], "invalid-from"))
			fail_msg("%s", bad[i]);
	}
	assert_int_equal(script_dns_asked(script, "beta.example"), 0);
}

static void test_no_stanzas(void **state)
{
	static const struct {
		const char *text, *condition;
	} table[] = {
		{ "<handshake/>", "unsupported-stanza-type" },
		{ "<message xmlns='jabber:server' from='echo.alpha.example' "
		  "to='alpha.example'/>", "unsupported-stanza-type" },
		{ "<r xmlns='urn:xmpp:sm:3'/>", "unsupported-stanza-type" },
		{ "<stream:features/>", "unsupported-stanza-type" },
		{ "<db:result xmlns:db='jabber:server:dialback' "
		  "from='gamma.example' to='alpha.example'>k</db:result>",
		  "unsupported-stanza-type" },
		{ "text", "bad-format" },
		{ "<!-- c -->", "restricted-xml" },
		{ "<message></iq>", "not-well-formed" },
		{ COMPONENT " to='echo.alpha.example'>", "bad-format" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		service_attach(&services, &peers[i], echo, "component-secret");
		peer_say(&peers[i], "%s", table[i].text);
		if (!refused(&peers[i], table[i].condition))
			fail_msg("%s", table[i].text);
	}
}

/* ----- the end ----- */

static void test_orderly_end(void **state)
{
	(void)state;
	service_attach(&services, &peers[0], echo, "component-secret");
	peer_say(&peers[0], "</stream:stream>");
	assert_true(peer_expect(&peers[0], "</stream:stream>"));
	assert_true(peer_expect_end(&peers[0]));
	assert_int_equal(logged(&a, "component-detached", NULL), 1);
}

static void test_shutdown(void **state)
{
	char id[64];

	(void)state;
	service_attach(&services, &peers[0], echo, "component-secret");
	service_header(&services, &peers[1], echo, id);
	pl_components_shutdown(services.components);
	assert_true(refused(&peers[0], "system-shutdown"));
	assert_true(refused(&peers[1], "system-shutdown"));
}

static void count_one(void *owner, const struct pl_component_info *info)
{
	unsigned *count = owner;

	if (info->attached)
		++*count;
}

static void test_other_sections(void **state)
{
	unsigned count = 0;

	(void)state;
	service_attach(&services, &peers[0], echo, "component-secret");
	service_attach(&services, &peers[1], wild, "other-secret");
	service_rule(&services, "new.alpha.example", "x", false);
	service_rule(&services, echo, "component-secret", true);
	assert_true(lasts(&peers[0]) && lasts(&peers[1]));
	service_rule(&services, wild, "changed", false);
	assert_true(refused(&peers[1], "host-gone"));
	assert_true(lasts(&peers[0]));
	pl_components_each(services.components, count_one, &count);
	assert_int_equal(count, 1);
	service_forget(&services, echo);
	assert_true(refused(&peers[0], "host-gone"));
	service_attach(&services, &peers[2], wild, "changed");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)
	const struct CMUnitTest tests[] = {
		T(known_digests), T(good), T(header_of_answer), T(upper_case_and_white_space),
		T(bad_digests), T(each_digit), T(wrong_secret), T(nothing_leaks), T(late),
		T(before_the_handshake), T(hostile_headers),
		T(limit_before_the_handshake), T(limit_behind_it),
		T(byte_by_byte), T(noise), T(flood),
		T(replace), T(no_replacing_by_strangers), T(refuse),
		T(wildcard), T(wildcard_spares_sections), T(nested_wildcards),
		T(foreign_from),
		T(no_stanzas), T(orderly_end), T(shutdown), T(other_sections),
	};

	return cmocka_run_group_tests_name("attach", tests, suite_begin,
					   suite_end);
}
