/*
 * An unverified partner: its users may not begin. Components of ours (a) and a
 * component of the partner (b), so that each stanza goes the whole way.
 */
#include "services.h"

#include <unistd.h>

#include "parley/contacts.h"

static const char alpha[] = "alpha.example", echo[] = "echo.alpha.example",
	beta[] = "beta.example", svc[] = "svc.beta.example";

#define LOCAL "juliet@echo.alpha.example"
#define REMOTE "romeo@svc.beta.example"
#define STANZAS "urn:ietf:params:xml:ns:xmpp-stanzas"

static struct server a, b;
static struct services here, there;
static struct peer ours, theirs;
static struct pl_contacts *contacts;
static struct pl_counts counts;
static char path[64];

/* ----- the gate, as the daemon has it ----- */

static bool may_begin(void *owner, const char *local, const char *remote)
{
	(void)owner;
	return pl_contacts_know(contacts, local, remote);
}

static void remember(void *owner, const char *local, const char *remote)
{
	(void)owner;
	pl_contacts_add(contacts, local, remote);
}

static const struct pl_gatekeeper gatekeeper = { may_begin, remember };

static void open_contacts(void)
{
	struct pl_error error = { .text = "" };

	contacts = pl_contacts_new(a.loop, a.log, path, 10, &error);
	assert_non_null(contacts);
}

static int begin(void **state)
{
	world_begin(state);
	server_start(&a, alpha, "192.0.2.1:5269", "valid");
	server_host(&a, echo, NULL);
	server_rule(&a, "*", 17)->unverified = true;
	memset(&counts, 0, sizeof counts);
	a.world.counts = &counts;
	snprintf(path, sizeof path, "/tmp/parley-unverified-%d.db",
		 (int)getpid());
	open_contacts();
	pl_router_set_gatekeeper(a.router, &gatekeeper, NULL);
	services_start(&here, &a, "192.0.2.1:5347");
	service_rule(&here, echo, "secret", false);
	service_attach(&here, &ours, echo, "secret");

	server_start(&b, beta, "192.0.2.2:5269", "valid");
	server_host(&b, svc, NULL);
	server_rule(&b, "*", 17);
	services_start(&there, &b, "192.0.2.2:5347");
	service_rule(&there, svc, "secret", false);
	service_attach(&there, &theirs, svc, "secret");
	return 0;
}

static int end(void **state)
{
	peer_free(&ours);
	peer_free(&theirs);
	services_stop(&here);
	services_stop(&there);
	pl_contacts_free(contacts);
	unlink(path);
	return world_end(state);
}

/* ----- what each side says, and what comes of it ----- */

/* Something that passes: when it is there, all before it has been judged. */
static void fence(void)
{
	static unsigned number;
	char id[32];

	snprintf(id, sizeof id, "fence%u", ++number);
	peer_say(&theirs, "<iq type='result' from='" REMOTE "' to='" LOCAL
		 "' id='%s'/>", id);
	assert_true(peer_expect_within(&ours, id, 20000));
}

static void drop_all(struct peer *peer)
{
	pl_buffer_consume(&peer->got, peer->got.length);
}

static bool has(struct peer *peer, const char *text)
{
	return memmem(pl_buffer_bytes(&peer->got), peer->got.length, text,
		      strlen(text)) != NULL;
}

/* They say it: does it come to us? */
static bool let_in(const char *stanza)
{
	bool came;

	fence();
	drop_all(&ours);
	peer_say(&theirs, "%s", stanza);
	script_run(script, 2000);
	came = has(&ours, "id='t'");
	fence();
	return came;
}

static bool refused_with(const char *text)
{
	return peer_expect_within(&theirs, text, 20000);
}

static void we_say(const char *stanza)
{
	peer_say(&ours, "%s", stanza);
	script_run(script, 2000);
}

#define FROM_TO " from='" REMOTE "/x' to='" LOCAL "/y' id='t'"

static const char *const begins[] = {
	"<message" FROM_TO "><body>hi</body></message>",
	"<message type='chat'" FROM_TO "/>",
	"<message type='normal'" FROM_TO "/>",
	"<message type='headline'" FROM_TO "/>",
	"<message type='groupchat'" FROM_TO "/>",
	"<message type='result'" FROM_TO "/>", /* no such type: normal */
	"<message type='nonsense'" FROM_TO "/>",
	"<iq type='get'" FROM_TO "><query xmlns='urn:x'/></iq>",
	"<iq type='set'" FROM_TO "><query xmlns='urn:x'/></iq>",
	"<iq" FROM_TO "><query xmlns='urn:x'/></iq>",
	"<presence type='subscribe'" FROM_TO "/>",
	"<presence" FROM_TO "/>",
	"<presence type='unavailable'" FROM_TO "/>",
	"<presence type='probe'" FROM_TO "/>",
	"<presence type='subscribed'" FROM_TO "/>",
	"<presence type='unsubscribe'" FROM_TO "/>",
	"<presence type='unsubscribed'" FROM_TO "/>",
};
enum { BEGINS = sizeof begins / sizeof *begins };

static void all_let_in(bool expected)
{
	for (size_t i = 0; i < BEGINS; i++) {
		if (let_in(begins[i]) == expected)
			continue;
		print_error("%s\n", begins[i]);
		fail();
	}
}

/* ----- before ----- */

static void test_strangers(void **state)
{
	(void)state;
	all_let_in(false);
	assert_int_equal(counts.unverified, BEGINS);
}

/* What a refusal looks like, to the last byte. */
static void test_refusals(void **state)
{
	(void)state;
	assert_false(let_in(begins[0]));
	assert_true(refused_with("<message type='error' id='t' from='" LOCAL
		"/y' to='" REMOTE "/x'><error type='cancel'><not-allowed "
		"xmlns='" STANZAS "'/></error></message>"));
	assert_false(let_in(begins[7]));
	assert_true(refused_with("<iq type='error' id='t' from='" LOCAL
		"/y' to='" REMOTE "/x'><error type='cancel'><not-allowed "
		"xmlns='" STANZAS "'/></error></iq>"));
	assert_int_equal(counts.bounces[PL_SC_NOT_ALLOWED], 2);
	assert_false(let_in(begins[10]));
	assert_true(refused_with("<presence type='unsubscribed' id='t' from='"
		LOCAL "' to='" REMOTE "'/>"));
	/* other presence, and types that no message has: not a word */
	drop_all(&theirs);
	for (size_t i = 11; i < BEGINS; i++)
		assert_false(let_in(begins[i]));
	assert_false(let_in(begins[5]));
	assert_false(has(&theirs, "<presence"));
	assert_false(has(&theirs, "<message"));
}

/* Answers, and what is for the bare domain. */
static void test_always(void **state)
{
	static const char *const always[] = {
		"<message type='error'" FROM_TO "/>",
		"<presence type='error'" FROM_TO "/>",
		"<iq type='error'" FROM_TO "/>",
		"<iq type='result'" FROM_TO "/>",
		"<iq type='get' from='" REMOTE "/x' to='echo.alpha.example' "
			"id='t'><query xmlns='urn:x'/></iq>",
		"<message from='svc.beta.example' to='ECHO.alpha.example' "
			"id='t'/>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		assert_true(let_in(always[i]));
	assert_int_equal(counts.unverified, 0);
	/* a resource of it is somebody again */
	assert_false(let_in("<message from='" REMOTE "' "
			    "to='echo.alpha.example/bot' id='t'/>"));
}

static void test_hosts_answer(void **state)
{
	struct ping result;

	(void)state;
	assert_true(ping(&b, beta, alpha, 9000, &result));
	assert_true(ping(&a, alpha, beta, 9000, &result));
	assert_int_equal(counts.unverified, 0);
	assert_int_equal(pl_contacts_count(contacts), 0);
}

/* ----- after ----- */

static void test_after_each(void **state)
{
	static const char *const opens[] = {
		"<message from='" LOCAL "/z' to='" REMOTE "/w'/>",
		"<message type='chat' from='" LOCAL "' to='" REMOTE "'/>",
		"<message type='groupchat' from='" LOCAL "' to='" REMOTE "'/>",
		"<iq type='get' from='" LOCAL "/z' to='" REMOTE "' id='1'/>",
		"<iq type='set' from='" LOCAL "/z' to='" REMOTE "' id='1'/>",
		"<presence type='subscribe' from='" LOCAL "' to='" REMOTE "'/>",
		"<presence type='subscribed' from='" LOCAL "' to='" REMOTE
			"'/>",
		"<presence type='probe' from='" LOCAL "' to='" REMOTE "'/>",
		"<presence from='" LOCAL "/z' to='" REMOTE "/nick'/>",
	};

	for (size_t i = 0; i < sizeof opens / sizeof *opens; i++) {
		if (i > 0) {
			end(state);
			begin(state);
		}
		assert_false(let_in(begins[i]));
		we_say(opens[i]);
		assert_int_equal(pl_contacts_count(contacts), 1);
		assert_true(let_in(begins[i]));
	}
	all_let_in(true);
}

/* An answer, or leaving, opens nothing; nor does what is said to another. */
static void test_opens_nothing(void **state)
{
	static const char *const words[] = {
		"<message type='error' from='" LOCAL "' to='" REMOTE "'/>",
		"<iq type='result' from='" LOCAL "' to='" REMOTE "' id='1'/>",
		"<iq type='error' from='" LOCAL "' to='" REMOTE "' id='1'/>",
		"<presence type='unavailable' from='" LOCAL "' to='" REMOTE
			"'/>",
		"<presence type='unsubscribe' from='" LOCAL "' to='" REMOTE
			"'/>",
		"<presence type='unsubscribed' from='" LOCAL "' to='" REMOTE
			"'/>",
		"<presence type='error' from='" LOCAL "' to='" REMOTE "'/>",
		"<message from='" LOCAL "' to='tybalt@svc.beta.example'/>",
		"<message from='" LOCAL "' to='svc.beta.example'/>",
		"<message from='nurse@echo.alpha.example' to='" REMOTE "'/>",
		"<message from='echo.alpha.example' to='" REMOTE "'/>",
		/* inside, it is nobody's business */
		"<message from='" LOCAL "' to='" LOCAL "'/>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		we_say(words[i]);
		assert_false(let_in(begins[0]));
	}
	assert_int_equal(pl_contacts_count(contacts), 4);
}

/* The bounce of what was refused opens nothing either, on any side. */
static void test_no_loop(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++)
		assert_false(let_in(begins[i % BEGINS]));
	assert_int_equal(pl_contacts_count(contacts), 0);
}

/* Case and resources make no other person. */
static void test_normal_form(void **state)
{
	(void)state;
	we_say("<message from='Juliet@echo.ALPHA.example/z' "
	       "to='R\xc3\x96MEO@svc.Beta.example'/>");
	assert_true(let_in("<message from='r\xc3\xb6meo@svc.beta.example/x' "
			   "to='JULIET@Echo.alpha.example' id='t'/>"));
	assert_false(let_in("<message from='romeo@svc.beta.example/x' "
			    "to='" LOCAL "' id='t'/>"));
}

/* Whoever was let in may end there for all we know, and comes back. */
static void test_restart(void **state)
{
	(void)state;
	we_say("<message from='" LOCAL "' to='" REMOTE "'/>");
	pl_contacts_free(contacts);
	open_contacts();
	all_let_in(true);
}

static void test_without_gatekeeper(void **state)
{
	(void)state;
	pl_router_set_gatekeeper(a.router, NULL, NULL);
	all_let_in(true);
}

/* Federated and verified partners are not asked, and not remembered. */
static void test_other_partners(void **state)
{
	(void)state;
	server_rule(&a, svc, 17);
	all_let_in(true);
	we_say("<message from='" LOCAL "' to='" REMOTE "'/>");
	assert_int_equal(pl_contacts_count(contacts), 0);
	/* and the type is that of now */
	server_rule(&a, svc, 17)->unverified = true;
	assert_false(let_in(begins[0]));
}

/* A flood fills neither the log nor says who it was. */
static void test_log(void **state)
{
	(void)state;
	fence();
	for (unsigned i = 0; i < 500; i++)
		peer_say(&theirs, "%s", begins[i % BEGINS]);
	script_run(script, 1500);
	assert_false(let_in(begins[0]));
	assert_int_equal(counts.unverified, 501);
	assert_in_range(logged(&a, " event=stanza-refused ", NULL), 2, 4);
	assert_true(logged(&a, "info event=stanza-refused local=echo.alpha."
			   "example remote=svc.beta.example stanza=message "
			   "reason=unverified", NULL) > 0);
	assert_true(logged(&a, "event=stanza-refused", " untold=", NULL) > 0);
	assert_int_equal(logged(&a, "juliet", NULL), 0);
	assert_int_equal(logged(&a, "romeo", NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(test_strangers), TEST(test_refusals), TEST(test_always),
		TEST(test_hosts_answer), TEST(test_after_each),
		TEST(test_opens_nothing), TEST(test_no_loop),
		TEST(test_normal_form), TEST(test_restart),
		TEST(test_without_gatekeeper), TEST(test_other_partners),
		TEST(test_log),
	};

	return cmocka_run_group_tests_name("unverified", tests, suite_begin,
					   suite_end);
}
