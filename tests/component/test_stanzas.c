/* Stanzas of components: through the world, to hosts, and back as errors. */
#include "services.h"

static const char alpha[] = "alpha.example", echo[] = "echo.alpha.example",
	other[] = "other.alpha.example", beta[] = "beta.example",
	svc[] = "svc.beta.example";

static struct server a, b;
static struct services here, there;
static struct peer peers[8];

static int begin(void **state)
{
	world_begin(state);
	server_start(&a, alpha, "192.0.2.1:5269", "valid");
	server_host(&a, echo, NULL);
	server_host(&a, other, NULL);
	server_rule(&a, "*", 17);
	memset(peers, 0, sizeof peers);
	memset(&there, 0, sizeof there);
	services_start(&here, &a, "192.0.2.1:5347");
	service_rule(&here, echo, "secret", false);
	service_rule(&here, other, "secret", false);
	return 0;
}

static int end(void **state)
{
	for (size_t i = 0; i < sizeof peers / sizeof *peers; i++)
		if (peers[i].raw != NULL)
			peer_free(&peers[i]);
	services_stop(&here);
	if (there.components != NULL)
		services_stop(&there);
	return world_end(state);
}

/* The other side: a whole server with a component of its own, peers[1]. */
static void begin_there(void)
{
	server_start(&b, beta, "192.0.2.2:5269", "valid");
	server_host(&b, svc, NULL);
	server_rule(&b, "*", 17);
	services_start(&there, &b, "192.0.2.2:5347");
	service_rule(&there, svc, "secret", false);
	service_attach(&there, &peers[1], svc, "secret");
}

static void attach(void)
{
	service_attach(&here, &peers[0], echo, "secret");
}

static bool lasts(struct peer *peer)
{
	script_run(script, 50);
	return !peer->over;
}

/* How often a text is in what came and was not taken. */
static unsigned count(struct peer *peer, const char *text)
{
	const char *at = (const char *)pl_buffer_bytes(&peer->got);
	size_t left = peer->got.length;
	unsigned n = 0;

	for (const char *found; (found = memmem(at, left, text,
						strlen(text))) != NULL; n++) {
		left -= (size_t)(found - at) + strlen(text);
		at = found + strlen(text);
	}
	return n;
}

/* An error, whole, for a stanza that peers[0] sent. */
static bool comes_back(const char *name, const char *id, const char *from,
		       const char *to, const char *type, const char *condition)
{
	char text[1000];

	snprintf(text, sizeof text, "<%s type='error' id='%s' from='%s' "
		 "to='%s'><error type='%s'><%s xmlns='urn:ietf:params:xml:ns:"
		 "xmpp-stanzas'/></error></%s>", name, id, from, to, type,
		 condition, name);
	return peer_expect_within(&peers[0], text, 70000);
}

/* ----- through the world ----- */

static void test_there_and_back(void **state)
{
	struct seen seen;

	(void)state;
	begin_there();
	attach();
	peer_say(&peers[0], "<message from='a@%s/x' to='b@%s/y' id='1' "
		 "type='chat'><body>hello &amp; goodbye</body></message>",
		 echo, svc);
	assert_true(peer_expect_within(&peers[1],
		"<message from='a@echo.alpha.example/x' "
		"to='b@svc.beta.example/y' id='1' type='chat'>"
		"<body>hello &amp; goodbye</body></message>", 5000));
	assert_int_equal(outcomes(&a, false, echo, svc, &seen), 1);
	assert_string_equal(seen.method, "tcp-dialback");
	peer_say(&peers[1], "<message from='b@%s/y' to='a@%s/x' id='2'/>", svc,
		 echo);
	assert_true(peer_expect_within(&peers[0], " id='2'/>", 5000));
	/* the same streams again */
	peer_say(&peers[0], "<presence from='a@%s/x' to='b@%s/y'/>", echo, svc);
	assert_true(peer_expect(&peers[1], "<presence "));
	assert_int_equal(outcomes_of(&a), 2);
	assert_int_equal(count(&peers[0], "<"), 0);
}

/* What went in comes out: as text here, since the writer has one way to say
 * each tree (tests/xml looks at trees by chance). */
static void test_trees(void **state)
{
	static const struct {
		const char *said, *heard;
	} table[] = {
		{ "<body>a</body>", NULL },
		{ "<body xml:lang='de'>a</body><body>b</body>", NULL },
		{ "<x xmlns='jabber:client'><body>1</body></x>", NULL },
		{ "<c:x xmlns:c='urn:c' c:y='1' y='2'/>",
		  "<x xmlns='urn:c' xmlns:n0='urn:c' n0:y='1' y='2'/>" },
		{ "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:"
		  "xmpp-stanzas'/></error>", NULL },
		{ "<x xmlns=''><y/></x>", NULL },
		{ "<html xmlns='http://jabber.org/protocol/xhtml-im'><body "
		  "xmlns='http://www.w3.org/1999/xhtml'><p>a <em>b</em> c</p>"
		  "</body></html>", NULL },
		{ "<x xmlns='urn:a'><y xmlns='jabber:component:accept'/></x>",
		  NULL }, /* inside of something else: stays */
		{ "<body>&lt;stream:stream&gt;]]&gt;&apos;&quot;</body>",
		  "<body>&lt;stream:stream&gt;]]&gt;'\"</body>" },
		{ "<body><![CDATA[</message>]]></body>",
		  "<body>&lt;/message&gt;</body>" },
		{ "<body a='&#10;&#9;&#13;&lt;'>\xf0\x9f\x98\x80</body>",
		  "<body a='&#xA;&#x9;&#xD;&lt;'>\xf0\x9f\x98\x80</body>" },
		{ "<db:result xmlns:db='jabber:server:dialback'>k</db:result>",
		  "<result xmlns='jabber:server:dialback'>k</result>" },
		{ "<stream:features><a/></stream:features>",
		  "<features xmlns='http://etherx.jabber.org/streams'>"
		  "<a xmlns='jabber:component:accept'/></features>" },
	};

	(void)state;
	begin_there();
	attach();
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		char said[1000], heard[1000];

		snprintf(said, sizeof said, "<message from='%s' to='%s' "
			 "id='%zu'>%s</message>", echo, svc, i, table[i].said);
		snprintf(heard, sizeof heard, "<message from='%s' to='%s' "
			 "id='%zu'>%s</message>", echo, svc, i,
			 table[i].heard ? table[i].heard : table[i].said);
		peer_say(&peers[0], "%s", said);
		assert_true(peer_expect_within(&peers[1], heard, 5000));
	}
	assert_true(lasts(&peers[0]) && lasts(&peers[1]));
}

/* The language of a stream stands on what leaves it (RFC 6120 8.1.5). */
static void test_language(void **state)
{
	char id[64];

	(void)state;
	begin_there();
	peer_connect_to(&peers[0], "127.0.0.1", here.endpoint);
	peer_say(&peers[0], COMPONENT " to='%s' xml:lang='fr'>", echo);
	assert_true(peer_expect(&peers[0], "id='"));
	peer_value(&peers[0], id, sizeof id);
	service_handshake(&peers[0], id, "secret");
	assert_true(peer_expect(&peers[0], "<handshake/>"));
	peer_say(&peers[0], "<message from='%s' to='%s' id='1'/>", echo, svc);
	assert_true(peer_expect_within(&peers[1], " id='1' xml:lang='fr'/>",
				       5000));
	peer_say(&peers[0], "<message from='%s' to='%s' id='2' "
		 "xml:lang='en'/>", echo, svc);
	assert_true(peer_expect(&peers[1], " id='2' xml:lang='en'/>"));
}

static void test_normal_forms(void **state)
{
	(void)state;
	begin_there();
	attach();
	peer_say(&peers[0], "<message to='Bob@SVC.Beta.Example./R' "
		 "from='A@Echo.ALPHA.example' id='1'/>");
	assert_true(peer_expect_within(&peers[1],
		"<message to='Bob@svc.beta.example/R' "
		"from='A@echo.alpha.example' id='1'/>", 5000));
}

/* All of them, in the order they were sent, also those that waited. */
static void test_order_under_load(void **state)
{
	enum { MESSAGES = 3000 };
	char text[100];

	(void)state;
	begin_there();
	attach();
	a.world.limits.queue_bytes = 4 << 20;
	for (int i = 0; i < MESSAGES; i++) {
		peer_say(&peers[0], "<message from='a@%s' to='b@%s' id='m%d'>"
			 "<body>%060d</body></message>", echo, svc, i, i);
		if (i % 100 == 0)
			script_run(script, 1);
	}
	script_run(script, 5000);
	for (int i = 0; i < MESSAGES; i++) {
		snprintf(text, sizeof text, " id='m%d'>", i);
		assert_true(peer_expect(&peers[1], text));
	}
	assert_int_equal(count(&peers[0], "type='error'"), 0);
	assert_int_equal(count(&peers[1], "<message"), 0);
}

/* A host of the other side answers a component of ours. */
static void test_hosts_answer(void **state)
{
	(void)state;
	begin_there();
	attach();
	peer_say(&peers[0], "<iq type='get' from='%s' to='%s' id='1'>"
		 "<ping xmlns='urn:xmpp:ping'/></iq>", echo, beta);
	assert_true(peer_expect_within(&peers[0], "<iq type='result' id='1' "
		"from='beta.example' to='echo.alpha.example'/>", 5000));
	/* and its own */
	peer_say(&peers[0], "<iq type='get' from='x@%s/r' to='%s' id='2'>"
		 "<query xmlns='jabber:iq:version'/></iq>", echo, alpha);
	assert_true(peer_expect(&peers[0], "<iq type='result' id='2' "
		"from='alpha.example' to='x@echo.alpha.example/r'>"
		"<query xmlns='jabber:iq:version'><name>parley</name>"));
	peer_say(&peers[0], "<message from='%s' to='user@%s' id='3'/>", echo,
		 alpha);
	assert_true(comes_back("message", "3", "user@alpha.example", echo,
			       "cancel", "service-unavailable"));
}

/* Pings of ours in a service's name: the answer is ours, and the service, which
 * did not ask, sees nothing of it. */
static void test_pings_of_ours(void **state)
{
	struct ping result;

	(void)state;
	begin_there();
	attach();
	assert_true(ping(&a, echo, beta, 9000, &result));
	assert_int_equal(count(&peers[0], "<"), 0);
	/* but an answer to what it asked is its own */
	peer_say(&peers[0], "<iq type='get' from='%s' to='%s' id='1'>"
		 "<ping xmlns='urn:xmpp:ping'/></iq>", echo, beta);
	assert_true(peer_expect(&peers[0], " id='1' "));
}

/* A peer that answers is alive, also where services use its stream. */
static void test_answering_peer_is_kept(void **state)
{
	size_t streams;

	(void)state;
	a.world.limits.ping_ms = 30000;
	begin_there();
	attach();
	peer_say(&peers[0], "<iq type='get' from='%s' to='%s' id='1'>"
		 "<ping xmlns='urn:xmpp:ping'/></iq>", echo, beta);
	assert_true(peer_expect_within(&peers[0], "<iq type='result' id='1' "
		"from='beta.example' to='echo.alpha.example'/>", 5000));
	streams = pl_router_streams(a.router);
	assert_int_equal(streams, 2);
	script_run(script, 300000);
	assert_int_equal(pl_router_streams(a.router), streams);
	assert_int_equal(outcomes_of(&a), streams);
	assert_int_equal(count(&peers[0], "<") + count(&peers[1], "<"), 0);
}

/* Whatever kind of stanza, and whyever it is not delivered. */
static void test_each_kind(void **state)
{
	static const struct {
		const char *kind, *inner;
		/* from a host, an account of its, and where there is nobody */
		const char *host, *account, *away;
	} table[] = {
		{ "message", "", "service-unavailable", "service-unavailable",
		  "" },
		{ "message type='headline'", "", "service-unavailable",
		  "service-unavailable", "" },
		{ "message type='error'", "", NULL, NULL, NULL },
		{ "presence", "", NULL, NULL, "" },
		{ "presence type='unavailable'", "", NULL, NULL, "" },
		{ "presence type='subscribe'", "", NULL, NULL, "" },
		{ "presence type='subscribed'", "", NULL, NULL, "" },
		{ "presence type='probe'", "", NULL, NULL, "" },
		{ "presence type='error'", "", NULL, NULL, NULL },
		{ "iq type='get'", "<ping xmlns='urn:xmpp:ping'/>",
		  "type='result'", "service-unavailable", "" },
		{ "iq type='set'", "<ping xmlns='urn:xmpp:ping'/>",
		  "service-unavailable", "service-unavailable", "" },
		{ "iq type='get'", "<x xmlns='urn:x'/>",
		  "service-unavailable", "service-unavailable", "" },
		{ "iq type='get'", "<query node='n' xmlns='http://jabber.org/"
		  "protocol/disco#info'/>", "item-not-found",
		  "service-unavailable", "" },
		{ "iq type='get'", "<query node='n' xmlns='http://jabber.org/"
		  "protocol/disco#items'/>", "item-not-found",
		  "service-unavailable", "" },
		{ "iq type='get'", "", "bad-request", "bad-request", "" },
		{ "iq type='get'", "<ping xmlns='urn:xmpp:ping'/><x/>",
		  "bad-request", "bad-request", "" },
		{ "iq", "<x/>", "bad-request", "bad-request", "" },
		{ "iq type='gets'", "<x/>", "bad-request", "bad-request", "" },
		{ "iq type='result'", "", NULL, NULL, NULL },
		{ "iq type='error'", "<x/>", NULL, NULL, NULL },
	};
	static const struct {
		const char *to, *condition;
	} where[] = {
		{ "alpha.example", NULL }, { "u@alpha.example/r", NULL },
		{ "u@other.alpha.example", "service-unavailable" },
		{ "u@beta.example", "remote-server-timeout" },
		{ "no.example", "remote-server-not-found" },
	};
	unsigned n = 0;

	(void)state;
	attach();
	script_dns_target(script, beta, "192.0.2.99:5269", false);
	script_dns_fail(script, "no.example", PL_CODE_DNS_NO_SUCH_DOMAIN);
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		for (size_t k = 0; k < sizeof where / sizeof *where; k++) {
			const char *wanted = k == 0 ? table[i].host
				: k == 1 ? table[i].account
				: table[i].away != NULL ? where[k].condition
							: NULL;
			char id[16];
			int length = (int)strcspn(table[i].kind, " ");

			snprintf(id, sizeof id, "id='%u'", n++);
			peer_say(&peers[0], "<%s from='a@%s/r' to='%s' %s>%s"
				 "</%.*s>", table[i].kind, echo, where[k].to, id,
				 table[i].inner, length, table[i].kind);
			script_run(script, 15000);
			if (count(&peers[0], id) != (wanted != NULL) ||
			    count(&peers[0], "to='a@echo.alpha.example/r'") !=
				    (wanted != NULL) ||
			    (wanted != NULL && !peer_expect(&peers[0], wanted)))
				fail_msg("%s for %s: %.*s", table[i].kind,
					 where[k].to,
					 (int)peers[0].got.length,
					 pl_buffer_bytes(&peers[0].got));
			script_run(script, 1);
			pl_buffer_consume(&peers[0].got, peers[0].got.length);
		}
	}
	assert_true(lasts(&peers[0]));
}

/* ----- among ourselves ----- */

static void test_between_components(void **state)
{
	(void)state;
	attach();
	service_attach(&here, &peers[1], other, "secret");
	peer_say(&peers[0], "<message from='a@%s' to='b@%s' id='1'><body>x"
		 "</body></message>", echo, other);
	assert_true(peer_expect(&peers[1], "<message from='a@echo.alpha."
		"example' to='b@other.alpha.example' id='1'><body>x</body>"
		"</message>"));
	peer_say(&peers[0], "<message from='%s' to='me@%s' id='2'/>", echo,
		 echo);
	assert_true(peer_expect(&peers[0], " id='2'/>"));
	assert_int_equal(outcomes_of(&a), 0);
}

static void test_away(void **state)
{
	(void)state;
	begin_there();
	attach();
	peer_say(&peers[0], "<message from='%s' to='b@%s' id='1'/>", echo,
		 other);
	assert_true(comes_back("message", "1", "b@other.alpha.example", echo,
			       "wait", "service-unavailable"));
	/* from far away as well; negotiation succeeds (standards CMP-11) */
	peer_free(&peers[1]);
	script_run(script, 50);
	peer_say(&peers[0], "<iq type='set' from='%s' to='b@%s' id='2'/>", echo,
		 svc);
	assert_true(comes_back("iq", "2", "b@svc.beta.example", echo, "wait",
			       "service-unavailable"));
	assert_int_equal(logged(&a, "event=failed", NULL), 0);
	service_attach(&there, &peers[1], svc, "secret");
	peer_say(&peers[0], "<message from='%s' to='b@%s' id='3'/>", echo, svc);
	assert_true(peer_expect(&peers[1], " id='3'/>"));
}

static void test_disco(void **state)
{
	(void)state;
	attach();
	service_rule(&here, "*.wild.alpha.example", "w", false);
	service_rule(&here, "far.example", "f", false);
	service_attach(&here, &peers[1], "*.wild.alpha.example", "w");
	peer_say(&peers[0], "<iq type='get' from='%s' to='%s' id='1'><query "
		 "xmlns='http://jabber.org/protocol/disco#items'/></iq>", echo,
		 alpha);
	assert_true(peer_expect(&peers[0], "disco#items'>"
		"<item jid='echo.alpha.example'/></query></iq>"));
	service_attach(&here, &peers[2], "far.example", "f");
	peer_say(&peers[0], "<iq type='get' from='%s' to='%s' id='2'><query "
		 "xmlns='http://jabber.org/protocol/disco#items'/></iq>", echo,
		 alpha);
	assert_true(peer_expect(&peers[0], "<item jid='far.example'/>"));
	/* a nearer host has it */
	service_rule(&here, "sub.alpha.example", NULL, false);
	service_rule(&here, "near.sub.alpha.example", "n", false);
	service_attach(&here, &peers[3], "near.sub.alpha.example", "n");
	peer_say(&peers[0], "<iq type='get' from='%s' to='%s' id='3'><query "
		 "xmlns='http://jabber.org/protocol/disco#items'/></iq>", echo,
		 alpha);
	assert_true(peer_expect_not(&peers[0], "near.sub", 100));
	assert_true(peer_expect(&peers[0], "</query></iq>"));
}

static const char *const *contacts(void *site, const char *domain)
{
	static const char *const list[] = { "admin=mailto:a@alpha.example",
		"abuse=xmpp:b@alpha.example?message&",
		"admin=xmpp:c@alpha.example", NULL };

	return domain == alpha || strcmp(domain, alpha) == 0 ? list : NULL;
}

static void test_contacts(void **state)
{
	(void)state;
	attach();
	a.world.contacts = contacts;
	peer_say(&peers[0], "<iq type='get' from='%s' to='%s' id='1'><query "
		 "xmlns='http://jabber.org/protocol/disco#info'/></iq>", echo,
		 alpha);
	assert_true(peer_expect(&peers[0],
		"<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' "
		"type='hidden'><value>http://jabber.org/network/serverinfo"
		"</value></field><field var='abuse-addresses' "
		"type='list-multi'><value>xmpp:b@alpha.example?message&amp;"
		"</value></field><field var='admin-addresses' "
		"type='list-multi'><value>mailto:a@alpha.example</value><value>"
		"xmpp:c@alpha.example</value></field></x></query></iq>"));
}

/* ----- what comes back ----- */

static void test_no_such_domain(void **state)
{
	(void)state;
	attach();
	script_dns_fail(script, "no.example", PL_CODE_DNS_NO_SUCH_DOMAIN);
	peer_say(&peers[0], "<message from='a@%s/r' to='b@no.example/x' "
		 "id='1'/>", echo);
	assert_true(comes_back("message", "1", "b@no.example/x",
			       "a@echo.alpha.example/r", "cancel",
			       "remote-server-not-found"));
	/* at once, for a second after the last attempt */
	peer_say(&peers[0], "<presence from='a@%s/r' to='no.example' "
		 "id='2'/>", echo);
	assert_true(comes_back("presence", "2", "no.example",
			       "a@echo.alpha.example/r", "cancel",
			       "remote-server-not-found"));
	assert_int_equal(script_dns_asked(script, "no.example"), 1);
	script_run(script, 1500);
	peer_say(&peers[0], "<iq type='get' from='a@%s/r' to='no.example' "
		 "id='3'/>", echo);
	assert_true(comes_back("iq", "3", "no.example",
			       "a@echo.alpha.example/r", "cancel",
			       "remote-server-not-found"));
	assert_int_equal(script_dns_asked(script, "no.example"), 2);
}

static void test_not_reached(void **state)
{
	(void)state;
	attach();
	script_dns_target(script, beta, "192.0.2.99:5269", false);
	peer_say(&peers[0], "<message from='%s' to='%s' id='1'/>", echo, beta);
	assert_true(comes_back("message", "1", beta, echo, "wait",
			       "remote-server-timeout"));
}

static void test_no_agreement(void **state)
{
	(void)state;
	begin_there();
	attach();
	server_rule(&b, "*", 1);
	peer_say(&peers[0], "<message from='%s' to='%s' id='1'/>", echo, svc);
	assert_true(comes_back("message", "1", svc, echo, "wait",
			       "remote-server-timeout"));
	a.rules_count = 0;
	peer_say(&peers[0], "<message from='%s' to='gamma.example' id='2'/>",
		 echo);
	assert_true(comes_back("message", "2", "gamma.example", echo, "wait",
			       "remote-server-timeout"));
}

static void test_invalid_key(void **state)
{
	struct script_server *listener;

	(void)state;
	attach();
	script_dns_target(script, beta, "192.0.2.2:5269", false);
	listener = script_listen(script, "192.0.2.2:5269");
	peer_say(&peers[0], "<message from='%s' to='%s' id='1'/>", echo, beta);
	peer_accept(&peers[1], listener);
	peer_answer(&peers[1], beta, echo, "1", DIALBACK);
	assert_true(peer_expect(&peers[1], "</db:result>"));
	peer_say(&peers[1], "<db:result from='%s' to='%s' type='invalid'/>"
		 "</stream:stream>", beta, echo);
	assert_true(comes_back("message", "1", beta, echo, "cancel",
			       "internal-server-error"));
}

/* Never errors and results; in is delivered and bounced, each once. */
static void test_each_once(void **state)
{
	(void)state;
	attach();
	script_dns_target(script, beta, "192.0.2.99:5269", false);
	for (int i = 0; i < 50; i++)
		peer_say(&peers[0], "<message from='%s' to='%s' id='m%d'/>"
			 "<iq type='result' from='%s' to='%s' id='r%d'/>"
			 "<message type='error' from='%s' to='%s' id='e%d'/>",
			 echo, beta, i, echo, beta, i, echo, beta, i);
	script_run(script, 20000);
	assert_int_equal(count(&peers[0], "type='error'"), 50);
	for (int i = 0; i < 50; i++) {
		char id[16];

		snprintf(id, sizeof id, "id='m%d'", i);
		assert_int_equal(count(&peers[0], id), 1);
		assert_true(peer_expect(&peers[0], id)); /* in order, too */
	}
	assert_int_equal(count(&peers[0], "id='r"), 0);
	assert_int_equal(count(&peers[0], "id='e"), 0);
	assert_int_equal(outcomes_of(&a), 1);
}

static void test_queue_is_bounded(void **state)
{
	unsigned full, late;

	(void)state;
	attach();
	a.world.limits.queue_bytes = 20000;
	script_dns_target(script, beta, "192.0.2.99:5269", false);
	script_dns_delay(script, beta, 3000);
	for (int i = 0; i < 100; i++)
		peer_say(&peers[0], "<message from='%s' to='%s' id='m%d'>"
			 "<body>%01000d</body></message>", echo, beta, i, 0);
	/* half of the queue holds the component, but for a second only */
	script_run(script, 900);
	assert_int_equal(count(&peers[0], "<resource-constraint"), 0);
	script_run(script, 1000);
	full = count(&peers[0], "<resource-constraint");
	assert_in_range(full, 78, 85);
	assert_int_equal(count(&peers[0], "<remote-server"), 0);
	script_run(script, 10000);
	late = count(&peers[0], "<remote-server-timeout");
	assert_int_equal(full + late, 100);
	assert_int_equal(count(&peers[0], "id='m"), 100);
	/* no body comes back */
	assert_true(peers[0].got.length < 100 * 400);
}

/* A component that fills many queues is not read any further, and then is. */
static void test_sender_is_bounded(void **state)
{
	char domain[64];

	(void)state;
	attach();
	a.world.limits.queue_bytes = 10000;
	for (int i = 0; i < 200; i++) {
		snprintf(domain, sizeof domain, "d%d.example", i);
		script_dns_target(script, domain, "192.0.2.99:5269", false);
		script_dns_delay(script, domain, 3000);
	}
	for (int i = 0; i < 200; i++)
		peer_say(&peers[0], "<message from='%s' to='d%d.example' "
			 "id='m%d'><body>%02000d</body></message>", echo, i, i,
			 0);
	script_run(script, 2000);
	/* far from all of them were read: 40 KB and what was in one read */
	assert_int_equal(script_dns_asked(script, "d0.example"), 1);
	assert_int_equal(script_dns_asked(script, "d199.example"), 0);
	script_run(script, 60000);
	assert_int_equal(count(&peers[0], "<remote-server-timeout"), 200);
	assert_true(lasts(&peers[0]));
}

static void test_bad_targets(void **state)
{
	(void)state;
	attach();
	peer_say(&peers[0], "<message from='a@%s' id='1'/>", echo);
	assert_true(comes_back("message", "1", echo, "a@echo.alpha.example",
			       "modify", "bad-request"));
	peer_say(&peers[0], "<message from='a@%s' to='b b@beta.example' "
		 "id='2'/>", echo);
	assert_true(comes_back("message", "2", beta, "a@echo.alpha.example",
			       "modify", "jid-malformed"));
	peer_say(&peers[0], "<message from='a@%s' to='-.example' id='3'/>",
		 echo);
	assert_true(comes_back("message", "3", echo, "a@echo.alpha.example",
			       "modify", "jid-malformed"));
	peer_say(&peers[0], "<message type='error' from='a@%s' to='@' "
		 "id='4'/>", echo);
	assert_true(peer_expect_not(&peers[0], "id='4'", 100));
	assert_true(lasts(&peers[0]));
}

/* A slip of a user of the peer's costs that stanza alone. */
static void test_bad_targets_from_far(void **state)
{
	(void)state;
	begin_there();
	attach();
	peer_say(&peers[1], "<message from='%s' to='%s' id='1'/>", svc, echo);
	assert_true(peer_expect_within(&peers[0], "id='1'", 5000));
	peer_say(&peers[1], "<message from='%s' to='%s/&#x202e;' id='2'/>",
		 svc, echo);
	assert_true(peer_expect_within(&peers[1], "id='2'", 5000));
	assert_true(peer_expect(&peers[1], "<jid-malformed"));
	peer_say(&peers[1], "<message from='%s' to='%s' id='3'/>", svc, echo);
	assert_true(peer_expect(&peers[0], "id='3'"));
}

/* ----- who does not read ----- */

/* Who is slow, but reads, loses nothing: its senders wait. */
static void test_slow_link(void **state)
{
	enum { MESSAGES = 2000 };
	struct script_link slow = { .latency_ms = 20, .window = 8192 };
	char text[100];

	(void)state;
	script_link(script, "192.0.2.2:5269", &slow);
	begin_there();
	attach();
	a.world.limits.output_bytes = a.world.limits.queue_bytes = 200000;
	for (int i = 0; i < MESSAGES; i++)
		peer_say(&peers[0], "<message from='a@%s' to='b@%s' id='m%d'>"
			 "<body>%0250d</body></message>", echo, svc, i, 0);
	script_run(script, 20000);
	for (int i = 0; i < MESSAGES; i++) {
		snprintf(text, sizeof text, " id='m%d'>", i);
		assert_true(peer_expect(&peers[1], text));
	}
	assert_int_equal(count(&peers[0], "<"), 0);
}

static void test_slow_component(void **state)
{
	unsigned bounced;

	(void)state;
	begin_there();
	attach();
	service_attach(&here, &peers[2], other, "secret");
	a.world.limits.output_bytes = 200000;
	script_react(peers[0].raw, NULL, NULL);
	script_stop_reading(peers[0].raw);
	for (int i = 0; i < 1000; i++) {
		peer_say(&peers[1], "<message from='%s' to='%s' id='s%d'>"
			 "<body>%01000d</body></message>", svc, echo, i, 0);
		peer_say(&peers[1], "<message from='%s' to='%s' id='o%d'/>",
			 svc, other, i);
		script_run(script, 2);
	}
	/* all of the other's came: a second is the most that it cost them */
	script_run(script, 1100);
	assert_int_equal(count(&peers[2], "<message"), 1000);
	bounced = count(&peers[1], "<resource-constraint");
	assert_in_range(bounced, 500, 950);
	/* and what was taken comes when it reads */
	script_react(peers[0].raw, NULL, NULL);
	script_go_on_reading(peers[0].raw);
	script_run(script, 10000);
	{
		size_t length;
		const char *got = script_received(peers[0].raw, &length);
		unsigned n = 0;

		for (const char *at = got; (at = strstr(at, "<message")); at++)
			n++;
		assert_int_equal(n + bounced, 1000);
	}
}

/* A component that did not read is gone: what never left us comes back, what
 * the kernel took is lost with it, and nothing comes back twice. */
static void test_slow_component_dies(void **state)
{
	enum { WINDOW = 65536, BODY = 1000, MANY = 150 };
	unsigned back;

	(void)state;
	begin_there();
	attach();
	script_react(peers[0].raw, NULL, NULL);
	script_stop_reading(peers[0].raw);
	for (int i = 0; i < MANY; i++)
		peer_say(&peers[1], "<message from='%s' to='%s' id='s%d'>"
			 "<body>%01000d</body></message>", svc, echo, i, 0);
	script_run(script, 3000);
	assert_int_equal(count(&peers[1], "<message"), 0);
	script_reset(peers[0].raw);
	script_run(script, 3000);
	back = count(&peers[1], "<error type='wait'><service-unavailable");
	assert_in_range(back, MANY - WINDOW / BODY - 1, MANY - WINDOW / 1200);
	assert_int_equal(count(&peers[1], "<message"), back);
	assert_int_equal(count(&peers[1], "id='s149'"), 1);
	assert_int_equal(count(&peers[1], "id='s0'"), 0);
}

/* ----- the end ----- */

static void test_component_leaves(void **state)
{
	(void)state;
	attach();
	script_dns_target(script, beta, "192.0.2.99:5269", false);
	script_dns_delay(script, beta, 3000);
	peer_say(&peers[0], "<message from='%s' to='%s' id='1'/>", echo, beta);
	script_run(script, 100);
	peer_free(&peers[0]);
	script_run(script, 100);
	attach(); /* what was asked by the one before comes to this one */
	assert_true(comes_back("message", "1", beta, echo, "wait",
			       "remote-server-timeout"));
}

static void on_done(void *owner)
{
	++*(unsigned *)owner;
}

static void test_draining(void **state)
{
	unsigned done = 0;

	(void)state;
	attach();
	script_dns_target(script, beta, "192.0.2.99:5269", false);
	script_dns_delay(script, beta, SCRIPT_NEVER);
	peer_say(&peers[0], "<message from='%s' to='%s' id='1'/>", echo, beta);
	script_run(script, 100);
	pl_router_shutdown(a.router, on_done, &done);
	assert_true(comes_back("message", "1", beta, echo, "wait",
			       "remote-server-timeout"));
	peer_say(&peers[0], "<message from='%s' to='%s' id='2'/>", echo, beta);
	assert_true(comes_back("message", "2", beta, echo, "wait",
			       "remote-server-timeout"));
	peer_say(&peers[0], "<message from='%s' to='%s' id='3'/>", echo, echo);
	assert_true(peer_expect(&peers[0], "id='3'/>"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)
	const struct CMUnitTest tests[] = {
		T(there_and_back), T(trees), T(language), T(normal_forms),
		T(order_under_load), T(hosts_answer), T(pings_of_ours),
		T(answering_peer_is_kept), T(each_kind), T(between_components),
		T(away), T(disco), T(contacts), T(no_such_domain),
		T(not_reached), T(no_agreement), T(invalid_key), T(each_once),
		T(queue_is_bounded), T(sender_is_bounded), T(bad_targets),
		T(bad_targets_from_far), T(slow_link), T(slow_component),
		T(slow_component_dies),
		T(component_leaves), T(draining),
	};

	return cmocka_run_group_tests_name("stanzas", tests, suite_begin,
					   suite_end);
}
