/*
 * Which partner section holds, seen from the wire: a server (a) whose look-ups
 * are those of a real configuration, and one (b) that is many domains. The row
 * in a's outcome lines says which section was taken.
 */
#include "server.h"

#include <time.h>
#include <unistd.h>

#include "parley/site.h"

static const char alpha[] = "alpha.example", beta[] = "beta.example";

#define PARTNER(name, sasl, more) "partner \"" name "\" { tls = not-supported " \
	"sasl = " sasl " dialback = yes " more " }\n"
#define ROW_5 "required"
#define ROW_11 "optional"
#define ROW_17 "not-supported"

static struct server a, b;
static struct pl_site *site;
static char last[8192];

static void partner(void *owner, const char *local, const char *remote,
		    struct pl_partner_view *view)
{
	(void)owner;
	pl_site_partner(&site, local, remote, view);
}

static enum pl_delivery deliver(void *owner, const char *domain,
				const void *bytes, size_t length,
				struct pl_sender *sender)
{
	(void)owner;
	(void)domain;
	(void)sender;
	snprintf(last, sizeof last, "%.*s", (int)length, (const char *)bytes);
	return PL_DELIVERY_TAKEN;
}

static const struct pl_local service = { .deliver = deliver };

/* Another configuration, as a reload takes it. */
static void configure(const char *partners)
{
	char path[] = "/tmp/parley-site-XXXXXX";
	struct pl_conf_note *notes = NULL;
	struct pl_error error = { .text = "" };
	struct pl_site *before = site;
	int fd = mkstemp(path);
	struct pl_conf *conf;

	assert_true(fd >= 0);
	dprintf(fd, "host \"alpha.example\" { }\n"
		"store { file = \"/tmp/parley-never-made.db\" }\n%s", partners);
	close(fd);
	conf = pl_conf_load(path, time(NULL), &notes);
	if (conf == NULL)
		pl_conf_notes_print(notes, stderr, true);
	assert_non_null(conf);
	site = pl_site_new(conf, time(NULL), &error);
	assert_non_null(site);
	pl_conf_notes_free(notes);
	unlink(path);
	pl_site_free(before);
	if (a.router != NULL)
		pl_router_terms_changed(a.router);
}

static int begin(void **state)
{
	static const char *const more[] = {
		"chat.beta.example", "x.rooms.beta.example",
		"y.rooms.beta.example", "z.y.rooms.beta.example",
		"rooms.beta.example", "gamma.example",
	};

	world_begin(state);
	memset(&a, 0, sizeof a);
	site = NULL;
	server_start(&a, alpha, "192.0.2.1:5269", NULL);
	a.world.partner = partner;
	server_start(&b, beta, "192.0.2.2:5269", NULL);
	for (size_t i = 0; i < sizeof more / sizeof *more; i++)
		server_host(&b, more[i], NULL);
	server_rule(&b, "*", 17);
	return 0;
}

static int end(void **state)
{
	int status = world_end(state);

	pl_site_free(site);
	return status;
}

/* Negotiates both ways: the row that a took for this domain. */
static int row_of(const char *remote)
{
	struct ping result;
	struct seen in, out;

	assert_true(ping(&a, alpha, remote, 20000, &result));
	assert_true(outcomes(&a, false, alpha, remote, &out) > 0);
	assert_true(outcomes(&a, true, alpha, remote, &in) > 0);
	assert_string_equal(in.row, out.row);
	assert_string_equal(in.method, "tcp-dialback");
	assert_string_equal(out.method, "tcp-dialback");
	return atoi(out.row);
}

/* Exact names, in the title or in `domains`, come before every wildcard, the
 * longest wildcard before shorter ones, and "*" takes what is left; wherever
 * they stand. */
static void test_the_closest_section(void **state)
{
	(void)state;
	configure(PARTNER("*", ROW_17, "")
		  PARTNER("*.example", ROW_17, "")
		  PARTNER("*.beta.example", ROW_11, "")
		  PARTNER("*.rooms.beta.example", ROW_17, "")
		  PARTNER("beta.example", ROW_5,
			  "domains = { \"X.Rooms.beta.example\", "
			  "\"*.y.rooms.beta.example\" }"));
	assert_int_equal(row_of(beta), 5);
	assert_int_equal(row_of("x.rooms.beta.example"), 5);
	assert_int_equal(row_of("z.y.rooms.beta.example"), 5);
	assert_int_equal(row_of("y.rooms.beta.example"), 17);
	assert_int_equal(row_of("rooms.beta.example"), 11);
	assert_int_equal(row_of("chat.beta.example"), 11);
	assert_int_equal(row_of("gamma.example"), 17);
}

static void test_all_others(void **state)
{
	(void)state;
	configure(PARTNER("*", ROW_11, "")
		  PARTNER("beta.example", ROW_5, ""));
	assert_int_equal(row_of(beta), 5);
	assert_int_equal(row_of("chat.beta.example"), 11);
	assert_int_equal(row_of("gamma.example"), 11);
}

/* The type is that of the section that holds. */
static void test_types(void **state)
{
	static const struct {
		const char *domain;
		bool unverified;
	} table[] = {
		{ "beta.example", false },
		{ "chat.beta.example", false },
		{ "x.rooms.beta.example", true },
		{ "y.rooms.beta.example", false },
		{ "gamma.example", true },
	};
	struct pl_partner_view view;

	(void)state;
	configure(PARTNER("*", ROW_17, "type = unverified")
		  PARTNER("beta.example", ROW_17, "type = verified")
		  PARTNER("*.beta.example", ROW_17, "type = federated")
		  PARTNER("rooms.beta.example", ROW_17, "type = unverified "
			  "domains = { \"x.rooms.beta.example\" }"));
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		partner(NULL, alpha, table[i].domain, &view);
		assert_int_equal(view.unverified, table[i].unverified);
	}
	partner(NULL, alpha, NULL, &view); /* not yet known */
	configure(PARTNER("beta.example", ROW_17, "type = unverified"));
	partner(NULL, alpha, "gamma.example", &view);
	assert_false(view.unverified);
	assert_false(view.terms.partner_known);
}

/* ----- closed federation ----- */

static void send_message(struct server *from, const char *local,
			 const char *remote)
{
	struct pl_stanza stanza = { .name = "message", .id = "m1" };
	char text[400];

	snprintf(stanza.from, sizeof stanza.from, "u@%s", local);
	snprintf(stanza.to, sizeof stanza.to, "v@%s", remote);
	snprintf(stanza.from_domain, sizeof stanza.from_domain, "%s", local);
	snprintf(stanza.to_domain, sizeof stanza.to_domain, "%s", remote);
	stanza.length = (size_t)snprintf(text, sizeof text,
		"<message from='%s' to='%s' id='m1'/>", stanza.from,
		stanza.to);
	stanza.bytes = text;
	last[0] = '\0';
	pl_router_set_local(from->router, &service, NULL);
	pl_router_send(from->router, &stanza, NULL);
	script_run(script, 20000);
	pl_router_set_local(from->router, NULL, NULL);
}

static void test_closed_outwards(void **state)
{
	struct seen seen;

	(void)state;
	configure(PARTNER("beta.example", ROW_17, ""));
	send_message(&a, alpha, "gamma.example");
	assert_non_null(strstr(last, "<message type='error' id='m1' "
			       "from='v@gamma.example' to='u@alpha.example'>"));
	assert_int_equal(outcomes(&a, false, alpha, "gamma.example", &seen),
			 1);
	assert_string_equal(seen.code, "partner-unknown");
	assert_string_equal(seen.row, "none");
	/* nobody was called for that */
	assert_int_equal(script_connections(script), 0);
	assert_int_equal(outcomes_of(&b), 0);
	/* and the one that is named is reached */
	assert_int_equal(row_of(beta), 17);
}

static void test_closed_inwards(void **state)
{
	struct peer peer;
	struct seen seen;

	(void)state;
	configure(PARTNER("beta.example", ROW_17, ""));
	memset(&peer, 0, sizeof peer);
	peer_connect(&peer, "192.0.2.9", &a);
	peer_header(&peer, "gamma.example", alpha);
	assert_true(peer_expect(&peer, "<policy-violation "
				"xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"));
	assert_true(peer_expect_end(&peer));
	peer_free(&peer);
	assert_int_equal(outcomes(&a, true, alpha, "gamma.example", &seen), 1);
	assert_string_equal(seen.code, "partner-unknown");
	/* a whole server's user hears of it, too */
	send_message(&b, "gamma.example", alpha);
	assert_non_null(strstr(last, "type='error'"));
	assert_non_null(strstr(last, "remote-server-timeout"));
}

/* On a stream that is open for a partner, a domain without section is refused
 * by itself, and the stream stays. */
static void test_closed_on_an_open_stream(void **state)
{
	struct peer peer;

	(void)state;
	configure(PARTNER("beta.example", ROW_17, ""));
	memset(&peer, 0, sizeof peer);
	peer_connect(&peer, "192.0.2.9", &a);
	peer_header(&peer, beta, alpha);
	assert_true(peer_expect(&peer, "</stream:features>"));
	peer_say(&peer, "<db:result from='gamma.example' "
		 "to='alpha.example'>key</db:result>");
	assert_true(peer_expect(&peer, "<db:result"));
	assert_true(peer_expect(&peer, "type='error'"));
	assert_true(peer_expect(&peer, "policy-violation"));
	assert_true(peer_expect_not(&peer, "</stream:stream>", 2000));
	peer_free(&peer);
}

/* A reload opens it and closes it again. */
static void test_reload(void **state)
{
	struct ping result;

	(void)state;
	configure(PARTNER("beta.example", ROW_17, ""));
	assert_false(ping(&a, alpha, "gamma.example", 9000, &result));
	assert_int_equal(result.code, PL_CODE_PARTNER_UNKNOWN);
	configure(PARTNER("beta.example", ROW_17, "")
		  PARTNER("*", ROW_11, ""));
	assert_int_equal(row_of("gamma.example"), 11);
	configure(PARTNER("beta.example", ROW_17, ""));
	script_run(script, 2000);
	assert_int_equal(pl_router_streams(a.router), 0);
	assert_false(ping(&a, alpha, "gamma.example", 9000, &result));
	assert_int_equal(result.code, PL_CODE_PARTNER_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(test_the_closest_section), TEST(test_all_others),
		TEST(test_types), TEST(test_closed_outwards),
		TEST(test_closed_inwards), TEST(test_closed_on_an_open_stream),
		TEST(test_reload),
	};

	return cmocka_run_group_tests_name("partners", tests, suite_begin,
					   suite_end);
}
