/* The configuration file: every key, every complaint with its exact line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certificates.h"
#include "parley/conf.h"

enum { NOW = 1795348985 }; /* 2026-11-22 */

/* ----- a folder of files ----- */

static char folder[64];

static int remove_one(const char *path, const struct stat *status, int kind,
		      struct FTW *where)
{
	return remove(path);
}

static const char *in_folder(const char *name)
{
	static char path[4][512];
	static unsigned turn;
	char *out = path[turn++ % 4];

	snprintf(out, sizeof path[0], "%s/%s", folder, name);
	return out;
}

static void put(const char *name, const char *text)
{
	FILE *out = fopen(in_folder(name), "w");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
	chmod(in_folder(name), 0600);
}

static int set_up(void **state)
{
	const time_t day = 86400, year = 365 * day;

	strcpy(folder, "/tmp/parley-conf-XXXXXX");
	assert_non_null(mkdtemp(folder));
	mkdir(in_folder("sub"), 0700);
	make_certificate(in_folder("alpha"), "alpha.example", NOW - year,
			 NOW + year, NULL);
	make_certificate(in_folder("wild"), "*.alpha.example", NOW - year,
			 NOW + year, "serverAuth,clientAuth");
	make_certificate(in_folder("old"), "alpha.example", NOW - year,
			 NOW - day, NULL);
	make_certificate(in_folder("young"), "alpha.example", NOW + day,
			 NOW + year, NULL);
	make_certificate(in_folder("client"), "alpha.example", NOW - year,
			 NOW + year, "clientAuth");
	return 0;
}

static int tear_down(void **state)
{
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ----- loading, and what was said ----- */

static struct pl_conf_note *notes;
static struct pl_conf *loaded;

static void forget(void)
{
	pl_conf_notes_free(notes);
	pl_conf_unref(loaded);
	notes = NULL;
	loaded = NULL;
}

static struct pl_conf *load(const char *text)
{
	forget();
	put("parley.conf", text);
	loaded = pl_conf_load(in_folder("parley.conf"), NOW, &notes);
	return loaded;
}

static void print_notes(void)
{
	for (const struct pl_conf_note *n = notes; n != NULL; n = n->next)
		fprintf(stderr, "# [%d] %s:%d: %s\n", (int)n->severity, n->file,
			n->line, n->text);
}

static unsigned count(enum pl_severity severity)
{
	unsigned found = 0;

	for (const struct pl_conf_note *n = notes; n != NULL; n = n->next)
		found += n->severity == severity;
	return found;
}

static const struct pl_conf_note *find_note(enum pl_severity severity,
					    const char *file, int line,
					    const char *part)
{
	for (const struct pl_conf_note *n = notes; n != NULL; n = n->next) {
		if (n->severity == severity && n->line == line &&
		    strcmp(n->file, in_folder(file)) == 0 &&
		    strstr(n->text, part) != NULL)
			return n;
	}
	print_notes();
	fail_msg("nothing says \"%s\" at %s:%d", part, file, line);
	return NULL;
}

static void is_loaded(const char *text)
{
	if (load(text) == NULL) {
		print_notes();
		fail_msg("refused");
	}
	assert_int_equal(count(PL_ERROR), 0);
}

/* Refused for exactly one reason, which stands in that line. */
static void is_refused(const char *text, int line, const char *part)
{
	if (load(text) != NULL)
		fail_msg("accepted: %s", text);
	find_note(PL_ERROR, "parley.conf", line, part);
	if (count(PL_ERROR) != 1)
		print_notes();
	assert_int_equal(count(PL_ERROR), 1);
}

static void is_warned(const char *text, int line, const char *part)
{
	is_loaded(text);
	find_note(PL_WARNING, "parley.conf", line, part);
}

#define ALPHA "host \"alpha.example\" { certificate = alpha.crt " \
	      "private-key = alpha.key }\n"

/* ----- tests ----- */

static void a_whole_file_is_read(void **state)
{
	const struct pl_conf_partner *p;
	const struct pl_conf_host *h;
	char path[512];

	put("dialback.secret", "0123456789abcdef0123\n");
	put("resolv.conf", "nameserver 127.0.0.1\n");
	put("hosts", "127.0.0.1 x\n");
	is_loaded("# one comment\n"
		  "host \"Alpha.Example\" {\n"
		  "\tcertificate = \"alpha.crt\" // another\n"
		  "\tprivate-key = \"alpha.key\"\n"
		  "\tnote = \"the first\"\n"
		  "}\n"
		  "listen \"127.0.0.1:5269\" { tls = starttls }\n"
		  "listen \"[::]:5270\" { tls = direct }\n"
		  "components { listen = \"127.0.0.1:5347\" }\n"
		  "component \"echo.alpha.example\" { secret = \"s\"\n"
		  "  certificate = wild.crt private-key = wild.key }\n"
		  "dialback { secret-file = \"dialback.secret\" }\n"
		  "trust { ca-file = \"alpha.crt\" ca-directory = \"\" }\n"
		  "dns { resolv-conf = resolv.conf hosts = hosts dane = no\n"
		  "      trust-anchor-file = \"\" allow-loopback = on }\n"
		  "partner \"beta.example\" { /* of many\n"
		  " lines */\n"
		  "\tdomains = { \"chat.beta.example\", # here too\n"
		  "\t\t\"*.rooms.beta.example\" }\n"
		  "\ttls = optional sasl = required dialback = true\n"
		  "\tconnect = \"127.0.0.3:5269\" connect-tls = direct\n"
		  "\tcertificate-check = relaxed plaintext-retry = yes\n"
		  "\tverify-requires-tls = no type = verified keepalive = off\n"
		  "\tmultiplex = yes bidi = yes trace = no\n"
		  "\tstream-management = no connection-limit = 7 note = \"n\"\n"
		  "}\n"
		  "partner \"*\" { }\n"
		  "timeouts { dns = 1 connect = 2 negotiate = 3 idle = 4\n"
		  "           keepalive = 5 drain = 6 }\n"
		  "limits { connections = 11 connections-per-partner = 12\n"
		  "  connections-per-address = 13 stanza-bytes = 10000\n"
		  "  unauthenticated-bytes = 4096 verify-connections = 14\n"
		  "  queue-bytes = 20000 output-bytes = 30000 contacts = 15 }\n"
		  "store { file = \"sub/p.db\" }\n"
		  "log { level = debug format = json destination = \"x.log\" }\n"
		  "trace { directory = \"sub\" raw = all pcap = yes failures = 0\n"
		  "        file-bytes = 70000 directory-bytes = 70001 recent = 3 }\n"
		  "control { socket = \"c.sock\" }\n"
		  "http { listen = \"127.0.0.1:9269\" }\n"
		  "user = root\n");
	h = loaded->hosts;
	assert_string_equal(h->name, "alpha.example");
	snprintf(path, sizeof path, "%s/alpha.crt", folder);
	assert_string_equal(h->certificate, path);
	assert_string_equal(h->note, "the first");
	assert_int_equal(h->line, 2);
	assert_false(h->component);
	h = h->next;
	assert_true(h->component);
	assert_string_equal(h->secret, "s");
	assert_int_equal(h->line, 10);
	assert_null(h->next);
	assert_false(loaded->listens->direct_tls);
	assert_string_equal(loaded->listens->next->endpoint, "[::]:5270");
	assert_true(loaded->listens->next->direct_tls);
	assert_string_equal(loaded->components_listen, "127.0.0.1:5347");
	assert_string_equal(loaded->dialback_secret, "0123456789abcdef0123");
	assert_int_equal(loaded->dialback_secret_length, 20);
	assert_non_null(strstr(loaded->ca_file, "/alpha.crt"));
	assert_null(loaded->ca_directory);
	assert_non_null(strstr(loaded->dns.resolv_conf, "/resolv.conf"));
	assert_non_null(strstr(loaded->dns.hosts, "/hosts"));
	assert_null(loaded->dns.trust_anchor_file);
	assert_false(loaded->dns.dane);
	assert_true(loaded->dns.allow_loopback);
	p = loaded->partners;
	assert_string_equal(p->name, "beta.example");
	assert_string_equal(p->domains[0], "chat.beta.example");
	assert_string_equal(p->domains[1], "*.rooms.beta.example");
	assert_null(p->domains[2]);
	assert_int_equal(p->row, 3);
	assert_int_equal(p->line, 16);
	assert_string_equal(p->connect_host, "127.0.0.3");
	assert_int_equal(p->connect_port, 5269);
	assert_true(p->connect_direct_tls);
	assert_int_equal(p->check, PL_CHECK_RELAXED);
	assert_true(p->plaintext_retry);
	assert_false(p->verify_requires_tls);
	assert_false(p->keepalive);
	assert_true(p->multiplex);
	assert_false(p->trace);
	assert_true(p->bidi);
	assert_false(p->stream_management);
	assert_int_equal(p->type, PL_VERIFIED);
	assert_int_equal(p->connection_limit, 7);
	p = p->next;
	assert_int_equal(p->row, 7);
	assert_int_equal(p->check, PL_CHECK_RELAXED);
	assert_int_equal(p->connection_limit, 12);
	assert_true(p->verify_requires_tls);
	assert_true(p->keepalive);
	assert_false(p->multiplex);
	assert_true(p->trace);
	assert_false(p->bidi);
	assert_true(p->stream_management);
	assert_int_equal(loaded->timeouts.dns, 1);
	assert_int_equal(loaded->timeouts.connect, 2);
	assert_int_equal(loaded->timeouts.negotiate, 3);
	assert_int_equal(loaded->timeouts.idle, 4);
	assert_int_equal(loaded->timeouts.keepalive, 5);
	assert_int_equal(loaded->timeouts.drain, 6);
	assert_int_equal(loaded->limits.connections, 11);
	assert_int_equal(loaded->limits.connections_per_partner, 12);
	assert_int_equal(loaded->limits.connections_per_address, 13);
	assert_int_equal(loaded->limits.stanza_bytes, 10000);
	assert_int_equal(loaded->limits.unauthenticated_bytes, 4096);
	assert_int_equal(loaded->limits.verify_connections, 14);
	assert_int_equal(loaded->limits.queue_bytes, 20000);
	assert_int_equal(loaded->limits.output_bytes, 30000);
	assert_int_equal(loaded->limits.contacts, 15);
	assert_non_null(strstr(loaded->store_file, "/sub/p.db"));
	assert_int_equal(loaded->log.level, PL_LOG_DEBUG);
	assert_int_equal(loaded->log.format, PL_LOG_JSON);
	assert_non_null(strstr(loaded->log.destination, "/x.log"));
	assert_non_null(strstr(loaded->trace.directory, "/sub"));
	assert_string_equal(loaded->trace.raw, "all");
	assert_true(loaded->trace.pcap);
	assert_int_equal(loaded->trace.file_bytes, 70000);
	assert_int_equal(loaded->trace.directory_bytes, 70001);
	assert_int_equal(loaded->trace.failures, 0);
	assert_int_equal(loaded->trace.recent, 3);
	snprintf(path, sizeof path, "%s/c.sock", folder);
	assert_string_equal(loaded->control_socket, path);
	assert_string_equal(loaded->http_listen, "127.0.0.1:9269");
	assert_string_equal(loaded->user, "root");
}

static void defaults_hold(void **state)
{
	is_loaded("");
	assert_null(loaded->hosts);
	assert_null(loaded->partners);
	assert_null(loaded->listens);
	assert_int_equal(loaded->timeouts.dns, 5);
	assert_int_equal(loaded->timeouts.connect, 10);
	assert_int_equal(loaded->timeouts.negotiate, 60);
	assert_int_equal(loaded->timeouts.idle, 600);
	assert_int_equal(loaded->timeouts.keepalive, 300);
	assert_int_equal(loaded->timeouts.drain, 10);
	assert_int_equal(loaded->limits.connections, 1000);
	assert_int_equal(loaded->limits.connections_per_partner, 20);
	assert_int_equal(loaded->limits.connections_per_address, 50);
	assert_int_equal(loaded->limits.verify_connections, 64);
	assert_int_equal(loaded->limits.stanza_bytes, 524288);
	assert_int_equal(loaded->limits.unauthenticated_bytes, 8192);
	assert_int_equal(loaded->limits.queue_bytes, 1048576);
	assert_int_equal(loaded->limits.output_bytes, 1048576);
	assert_int_equal(loaded->limits.contacts, 100000);
	assert_null(loaded->store_file);
	assert_true(loaded->dns.dane);
	assert_false(loaded->dns.allow_loopback);
	assert_int_equal(loaded->log.level, PL_LOG_INFO);
	assert_string_equal(loaded->log.destination, "stderr");
	assert_null(loaded->trace.directory);
	assert_string_equal(loaded->trace.raw, "negotiation");
	assert_int_equal(loaded->trace.file_bytes, 4194304);
	assert_int_equal(loaded->trace.directory_bytes, 268435456);
	assert_int_equal(loaded->trace.failures, 64);
	assert_int_equal(loaded->trace.recent, 64);
	assert_null(loaded->control_socket);
	assert_null(loaded->http_listen);
	assert_null(loaded->dialback_secret);
	assert_null(loaded->user);
	/* one more reference, one less */
	pl_conf_ref(loaded);
	pl_conf_unref(loaded);
	assert_int_equal(loaded->references, 1);
}

static void empty_values_count_as_absent(void **state)
{
	is_loaded(ALPHA
		  "trust { ca-file = \"\" }\ntrace { directory = \"\" }\n"
		  "dns { hosts = \"\" trust-anchor-file = \"\" }\n"
		  "http { listen = \"\" }\nuser = \"\"\n"
		  "control { socket = \"\" }\nstore { file = \"\" }\n"
		  "partner \"b.example\" { connect = \"\" note = \"\"\n"
		  "  domains = {} }\n");
	assert_null(loaded->ca_file);
	assert_null(loaded->http_listen);
	assert_null(loaded->partners->connect_host);
	assert_null(loaded->control_socket);
	assert_null(loaded->store_file);
}

static void every_row_that_is_not_valid_is_refused(void **state)
{
	static const int bad[] = { 6, 12, 14, 16, 18 };

	for (unsigned i = 0; i < 5; i++) {
		struct pl_policy policy = pl_policy_of_row(bad[i]);
		char text[400], row[80];
		const struct pl_conf_note *note;

		snprintf(text, sizeof text, ALPHA "# a comment\n"
			 "partner \"beta.example\"\n{\n  tls = %s\n"
			 "  sasl = %s dialback = no }\n",
			 pl_level_name(policy.tls), pl_level_name(policy.sasl));
		snprintf(row, sizeof row, "partner \"beta.example\": row %d (tls "
			 "= %s, sasl = %s, dialback = no) is not valid: ",
			 bad[i], pl_level_name(policy.tls),
			 pl_level_name(policy.sasl));
		is_refused(text, 3, row);
		note = find_note(PL_ERROR, "parley.conf", 3, row);
		assert_string_equal(note->partner, "beta.example");
		assert_int_equal(note->row, bad[i]);
	}
}

static void rows_have_their_warnings(void **state)
{
	for (int row = 1; row <= PL_POLICY_ROWS; row++) {
		struct pl_policy policy = pl_policy_of_row(row);
		struct pl_policy_note expected[3];
		size_t n = pl_policy_notes(row, expected);
		char text[400];

		if (!pl_policy_valid(&policy))
			continue;
		snprintf(text, sizeof text, ALPHA "\npartner \"*\" { tls = %s "
			 "sasl = %s dialback = %s }\n",
			 pl_level_name(policy.tls), pl_level_name(policy.sasl),
			 policy.dialback ? "yes" : "no");
		is_loaded(text);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(find_note(expected[i].severity,
						   "parley.conf", 3,
						   expected[i].text)->row, row);
		assert_int_equal(loaded->partners->check,
				 pl_policy_default_check(&policy));
	}
}

static void every_fault_is_told(void **state)
{
	assert_null(load("host \"alpha.example\" { certificate = \"no.crt\" }\n"
			 "partner \"a.example\" { tls = sometimes }\n"
			 "# here\n"
			 "partner \"b.example\" { dialback = maybe\n"
			 "  colour = red }\n"
			 "partner \"c.example\" { tls = not-supported\n"
			 "  sasl = required dialback = no }\n"
			 "limits { stanza-bytes = 9999\n"
			 "  connections = many }\n"
			 "timeouts { dns = 0 }\n"
			 "shop { open = yes\n"
			 "  closed = no }\n"
			 "room \"x\" { seats = 4 }\n"
			 "log { level = loud }\n"
			 "listen \"nonsense\" { }\n"));
	find_note(PL_ERROR, "parley.conf", 1, "certificate without private-key");
	find_note(PL_ERROR, "parley.conf", 2, "tls = \"sometimes\": expected "
		  "required, optional or not-supported");
	find_note(PL_ERROR, "parley.conf", 4,
		  "dialback = \"maybe\": expected yes or no");
	find_note(PL_ERROR, "parley.conf", 5,
		  "unknown key \"colour\" in section partner");
	find_note(PL_ERROR, "parley.conf", 6, "row 6");
	find_note(PL_ERROR, "parley.conf", 8,
		  "stanza-bytes = 9999: must be from 10000 to 16777216");
	find_note(PL_ERROR, "parley.conf", 9,
		  "connections = \"many\": expected a whole number");
	find_note(PL_ERROR, "parley.conf", 10,
		  "dns = 0: must be from 1 to 86400");
	find_note(PL_ERROR, "parley.conf", 11,
		  "unknown key or section \"shop\"");
	find_note(PL_ERROR, "parley.conf", 13,
		  "unknown key or section \"room\"");
	find_note(PL_ERROR, "parley.conf", 14, "level = \"loud\"");
	find_note(PL_ERROR, "parley.conf", 15, "listen \"nonsense\"");
	assert_int_equal(count(PL_ERROR), 12);
	/* in the order of the file */
	for (const struct pl_conf_note *n = notes; n->next != NULL; n = n->next)
		assert_true(n->line <= n->next->line);
}

static void what_cannot_be_parsed_says_where(void **state)
{
	is_refused("host \"a.example\" {\n}\nhost \"b.example\" { note = \"}\"\n"
		   "\n  # }\n", 3, "never closed");
	is_refused("# c\n# c\n}\n", 3, "closing brace");
	is_refused("\n\nlog { level }\n", 3, "missing equal sign");
	is_refused("host { }\n", 1, "missing title");
	is_refused("\nuser = \"root\n}\n", 2, "the string that begins here");
	is_refused("\nuser = 'root\n}\n", 2, "the string that begins here");
	is_refused("log {\n  /* never\n ends\n", 2,
		   "the comment that begins here");
	is_refused("\npartner \"b.example\" { tls = { required } }\n", 2, "");
	is_refused("\npartner \"b.example\" { include(\"x\") }\n", 2,
		   "include");
}

/* The same words, whatever the locale. */
static void unknown_keys_are_found_in_any_locale(void **state)
{
	setlocale(LC_ALL, "");
	is_refused("\nuser = root\ncolour = red\n", 3,
		   "unknown key or section \"colour\"");
	setlocale(LC_ALL, "C");
}

static void a_missing_file_is_told(void **state)
{
	forget();
	loaded = pl_conf_load(in_folder("none.conf"), NOW, &notes);
	assert_null(loaded);
	find_note(PL_ERROR, "none.conf", 0, "No such file");
	forget();
	loaded = pl_conf_load(folder, NOW, &notes);
	assert_null(loaded);
	assert_int_equal(count(PL_ERROR), 1);
}

static void included_files_have_their_own_lines(void **state)
{
	put("sub/one.conf", "# one\n# two\nhost \"beta.example\" {\n"
			    "  certificate = \"../alpha.crt\"\n"
			    "  private-key = \"../alpha.key\"\n}\n"
			    "include(\"two.conf\")\n");
	put("sub/two.conf", "\n\n/* c\n */ partner \"b.example\" { }\n");
	is_loaded("include(\"sub/one.conf\")\n" ALPHA);
	assert_string_equal(loaded->hosts->name, "alpha.example");
	find_note(PL_WARNING, "sub/one.conf", 4, "does not name it");
	assert_string_equal(loaded->partners->file, in_folder("sub/two.conf"));
	assert_int_equal(loaded->partners->line, 4);

	/* faults in both files, and nothing stays behind for the next load */
	for (int i = 0; i < 20; i++) {
		put("sub/two.conf", "\npartner \"b.example\" {\n  tls = x\n"
				    "  hue = y }\npartner { }");
		assert_null(load("include(\"sub/one.conf\")\nhue = 5\n"));
		find_note(PL_ERROR, "sub/two.conf", 4, "\"hue\"");
		find_note(PL_ERROR, "sub/two.conf", 5, "missing title");
		find_note(PL_ERROR, "parley.conf", 2, "\"hue\"");
	}
	put("sub/two.conf", "");
	is_loaded("include(\"sub/one.conf\")\n" ALPHA);
	is_refused("\ninclude(\"gone.conf\")\n", 2, "gone.conf");
	put("loop.conf", "include(\"loop.conf\")\n");
	assert_null(load("include(\"loop.conf\")\n"));
	find_note(PL_ERROR, "loop.conf", 1, "include each other");
}

static void nothing_is_set_twice(void **state)
{
	is_refused("log { level = info\n level = debug }\n", 2,
		   "level is set a second time; first at");
	is_refused("log { level = info }\nlog { level = debug }\n", 2,
		   "level is set a second time; first at");
	is_refused(ALPHA "partner \"b.example\" { domains = { c.example }\n"
		   "domains = { d.example } }\n", 3, "domains is set a second");
	is_loaded(ALPHA "partner \"b.example\" { domains = { c.example }\n"
		  "domains += { d.example } }\nlog { level = info }\n"
		  "log { format = json }\n");
	assert_string_equal(loaded->partners->domains[1], "d.example");
	assert_int_equal(loaded->log.format, PL_LOG_JSON);
}

static void names_are_claimed_once(void **state)
{
	is_refused(ALPHA "partner \"b.example\" { }\n"
		   "partner \"B.Example\" { }\n", 3, "is already claimed by");
	is_refused(ALPHA "partner \"b.example\" { }\npartner \"b.example\" { }\n",
		   3, "is already claimed by partner \"b.example\"");
	is_refused(ALPHA "partner \"b.example\" { domains = { \"c.example\" }}\n"
		   "partner \"d.example\" {\n domains = { \"x.example\",\n"
		   "  \"C.example\" } }\n", 5, "C.example is already claimed");
	is_refused(ALPHA "partner \"*\" { }\npartner \"*\" { }\n", 3, "claimed");
	is_refused(ALPHA "partner \"*.x.example\" { }\n"
		   "partner \"y.example\" { domains = { \"*.X.example\" } }\n",
		   3, "claimed");
	is_refused(ALPHA "partner \"y.example\" { domains = { \"*\" } }\n", 2,
		   "partner \"*\"");
	is_refused(ALPHA "partner \"a b\" { }\n", 2, "partner \"a b\": ");
	is_refused(ALPHA ALPHA, 2, "already that of the host");
	is_refused(ALPHA "\nhost \"ALPHA.example\" { }\n", 3,
		   "already that of the host");
	is_refused(ALPHA "components { listen = \"127.0.0.1:1\" }\n"
		   "component \"alpha.example\" { secret = x }\n", 3,
		   "already that of the host");
}

static void endpoints_are_listened_at_once(void **state)
{
	is_refused("listen \"127.0.0.1:5269\" { }\nlisten \"127.0.0.1:5269\" "
		   "{ tls = starttls }\n", 2, "already listened at");
	is_refused("listen \"127.0.0.1:5269\" { }\n"
		   "components { listen = \"127.0.0.1:5269\" }\n", 2,
		   "already listened at");
	is_refused("http { listen = \"[::1]:80\" }\n"
		   "listen \"[::1]:80\" { }\n", 2, "already listened at");
	is_refused("listen \"127.0.0.1:99999\" { }\n", 1, "99999");
	is_refused("listen \"127.0.0.1:1\" { tls = direct }\n", 1,
		   "no host has a certificate");
	is_refused("\nhttp { listen = \"x\" }\n", 2, "listen = \"x\"");
	is_refused(ALPHA "\npartner \"b.example\" { connect = \"b\" }\n", 3,
		   "connect = \"b\"");
}

static void certificates_are_looked_at(void **state)
{
	is_refused("host \"alpha.example\" {\n certificate = gone.crt\n"
		   " private-key = alpha.key }\n", 2, "gone.crt");
	is_refused("host \"alpha.example\" {\n certificate = alpha.crt\n"
		   " private-key = wild.key }\n", 2, "host \"alpha.example\": ");
	is_refused("host \"alpha.example\" {\n private-key = alpha.key }\n", 2,
		   "private-key without certificate");
	is_warned("host \"alpha.example\" {\n certificate = old.crt\n"
		  " private-key = old.key }\n", 2, "expired on 2026-11-21");
	is_warned("host \"alpha.example\" {\n certificate = young.crt\n"
		  " private-key = young.key }\n", 2,
		  "not valid before 2026-11-23");
	is_warned("host \"alpha.example\" {\n certificate = client.crt\n"
		  " private-key = client.key }\n", 2, "serverAuth");
	is_warned("host \"other.example\" {\n certificate = alpha.crt\n"
		  " private-key = alpha.key }\n", 2, "does not name it");
	is_loaded(ALPHA);
	assert_int_equal(count(PL_WARNING), 0);
	chmod(in_folder("alpha.key"), 0640);
	is_warned(ALPHA, 1, "mode 640");
	chmod(in_folder("alpha.key"), 0600);
}

/* P14 */
static void rows_that_need_tls_need_certificates(void **state)
{
	for (int row = 1; row <= PL_POLICY_ROWS; row++) {
		struct pl_policy policy = pl_policy_of_row(row), here;
		char text[400], says[80];

		if (!pl_policy_valid(&policy))
			continue;
		snprintf(text, sizeof text, ALPHA "host \"bare.example\" { }\n"
			 "partner \"b.example\" { tls = %s sasl = %s "
			 "dialback = %s }\n", pl_level_name(policy.tls),
			 pl_level_name(policy.sasl),
			 policy.dialback ? "yes" : "no");
		snprintf(says, sizeof says, "row %d needs TLS, but host "
			 "\"bare.example\"", row);
		switch (row) {
		case 3:
		case 9:
		case 15:
			is_warned(text, 3, "bare.example");
			here = pl_conf_policy(loaded->partners, false);
			assert_int_equal(here.tls, PL_NOT_SUPPORTED);
			here = pl_conf_policy(loaded->partners, true);
			assert_int_equal(here.tls, PL_OPTIONAL);
			break;
		case 5:
		case 11:
		case 17:
			is_loaded(text);
			break;
		default:
			is_refused(text, 3, says);
		}
	}
}

static void servers_behind(void **state)
{
	is_loaded("host \"alpha.example\" { certificate = alpha.crt\n"
		  " private-key = alpha.key upstream = \"127.0.0.5:5269\" }\n"
		  "gateway { listen = \"127.0.0.9:5269\" }\n");
	assert_string_equal(loaded->hosts->upstream_host, "127.0.0.5");
	assert_int_equal(loaded->hosts->upstream_port, 5269);
	assert_string_equal(loaded->gateway_listen, "127.0.0.9:5269");
	is_warned("\nhost \"a.example\" { upstream = \"127.0.0.5:5269\" }\n", 2,
		  "gateway { listen } is missing");
	is_warned("host \"a.example\" { }\n\ngateway { listen = "
		  "\"127.0.0.9:5269\" }\n", 3, "no host has an upstream");
	is_refused("\nhost \"a.example\" { upstream = \"x\" }\n", 2, "upstream");
	is_refused("listen \"127.0.0.9:5269\" { }\n"
		   "gateway { listen = \"127.0.0.9:5269\" }\n", 2, "already");
}

/* P21 */
static void components_borrow_certificates(void **state)
{
#define LISTEN "components { listen = \"127.0.0.1:5347\" }\n"
	is_loaded(ALPHA "host \"h.alpha.example\" { certificate = wild.crt\n"
		  " private-key = wild.key }\n" LISTEN
		  "component \"echo.alpha.example\" { secret = s }\n"
		  "component \"*.alpha.example\" { secret = s }\n"
		  "component \"echo.beta.example\" { secret = s }\n");
	assert_non_null(strstr(pl_conf_host(loaded, "echo.alpha.example")
			       ->certificate, "/wild.crt"));
	assert_non_null(strstr(pl_conf_host(loaded, "x.alpha.example")
			       ->certificate, "/wild.crt"));
	assert_null(pl_conf_host(loaded, "echo.beta.example")->certificate);
	find_note(PL_WARNING, "parley.conf", 7, "covers it");
	assert_string_equal(pl_conf_host(loaded, "alpha.example")->name,
			    "alpha.example");
	assert_null(pl_conf_host(loaded, "beta.example"));

	is_refused(LISTEN "\ncomponent \"e.example\" { }\n", 3, "needs a secret");
	is_refused(LISTEN "component \"e.example\" { secret = a\n"
		   "  secret-file = b }\n", 3, "both set");
	put("empty", "\n");
	is_refused(LISTEN "component \"e.example\" { secret-file = empty }\n",
		   2, "not empty");
	is_warned("component \"e.example\" { secret = a }\n", 1,
		  "nothing can connect");
}

static void secrets_are_weighed(void **state)
{
	put("s1", "0123456789abcdef\r\n\n");
	is_loaded(ALPHA "dialback { secret-file = s1 }\n");
	assert_string_equal(loaded->dialback_secret, "0123456789abcdef");
	assert_int_equal(count(PL_WARNING), 0);
	is_warned("\ndialback { secret = \"short\" }\n", 2, "short (5 bytes)");
	assert_string_equal(loaded->dialback_secret, "short");
	is_warned("\ndialback { secret = \"\" }\n", 2, "empty");
	assert_null(loaded->dialback_secret);
	put("s2", "\n");
	is_warned("dialback { secret-file = s2 }\n", 1, "empty");
	assert_null(loaded->dialback_secret);
	is_refused("dialback { secret = a\n secret-file = s1 }\n", 2,
		   "both set");
	is_refused("dialback {\n secret-file = s9 }\n", 2, "s9");
	chmod(in_folder("s1"), 0644);
	is_warned("dialback {\n secret-file = s1 }\n", 2, "mode 644");
}

static void files_and_folders_must_be_there(void **state)
{
	char text[400], name[200];

	is_refused("trust {\n ca-file = gone.crt }\n", 2, "gone.crt");
	put("no-certificate", "nothing\n");
	is_refused("trust {\n ca-file = no-certificate }\n", 2, "trust: ");
	is_refused("trust {\n ca-directory = gone }\n", 2, "gone");
	is_refused("dns {\n resolv-conf = gone }\n", 2, "gone");
	is_refused("dns {\n\n hosts = gone }\n", 3, "gone");
	is_refused("dns {\n trust-anchor-file = gone }\n", 2, "gone");
	is_refused("log {\n destination = \"gone/x.log\" }\n", 2, "gone/x.log");
	is_refused("trace {\n directory = \"gone/x\" }\n", 2, "gone/x");
	is_refused("trace {\n directory = \"alpha.crt\" }\n", 2, "not a folder");
	is_loaded("trace { directory = \"will-be-made\" }\n");
	is_refused("trace {\n file-bytes = 100000\n directory-bytes = 90000 }\n", 3,
		   "less than file-bytes");
	is_refused("trace {\n file-bytes = 1 }\n", 2, "file-bytes");
	is_refused("store {\n file = \"gone/p.db\" }\n", 2, "gone/p.db");
	is_refused("store {\n file = \"sub\" }\n", 2, "no ordinary file");
	is_refused("limits {\n contacts = 0 }\n", 2, "contacts");
	is_refused("\nuser = \"no-such-user-here\"\n", 2, "no-such-user-here");
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	snprintf(text, sizeof text, "control {\n socket = \"/tmp/%s\" }\n", name);
	is_refused(text, 2, "may have 107");
	name[102] = '\0';
	snprintf(text, sizeof text, "control {\n socket = \"/tmp/%s\" }\n", name);
	is_loaded(text);
}

static void settings_without_effect_are_told(void **state)
{
	is_warned(ALPHA "partner \"b.example\" {\n plaintext-retry = yes }\n", 3,
		  "no effect");
	is_warned(ALPHA "partner \"b.example\" {\n connect-tls = direct }\n", 3,
		  "no effect");
	is_warned(ALPHA "\npartner \"alpha.example\" { }\n", 3, "a host of ours");
	is_refused("partner \"b.example\" { tls = not-supported\n"
		   "connect = \"b.example:1\"\nconnect-tls = direct }\n", 3,
		   "contradicts");
}

static void types_of_partners(void **state)
{
	is_refused("partner \"b.example\" {\n type = public }\n", 2, "type");
	is_warned(ALPHA "partner \"b.example\" {\n type = unverified }\n", 3,
		  "forgotten at each restart");
	is_loaded(ALPHA "partner \"b.example\" { type = unverified }\n"
		  "partner \"c.example\" { type = verified }\n"
		  "partner \"d.example\" { type = federated }\n"
		  "partner \"e.example\" { }\nstore { file = \"p.db\" }\n");
	assert_int_equal(count(PL_WARNING), 0);
	assert_int_equal(loaded->partners->type, PL_UNVERIFIED);
	assert_int_equal(loaded->partners->next->type, PL_VERIFIED);
	assert_int_equal(loaded->partners->next->next->type, PL_FEDERATED);
	assert_int_equal(loaded->partners->next->next->next->type,
			 PL_FEDERATED);
	assert_string_equal(pl_partner_type_name(PL_FEDERATED), "federated");
	assert_string_equal(pl_partner_type_name(PL_VERIFIED), "verified");
	assert_string_equal(pl_partner_type_name(PL_UNVERIFIED),
			    "unverified");
	/* nothing is made by looking */
	assert_int_equal(access(in_folder("p.db"), F_OK), -1);
}

static void empty_settings_are_none(void **state)
{
	is_loaded(ALPHA "http { listen = \"\" }\ntrace { directory = \"\" }\n");
	assert_int_equal(count(PL_WARNING), 0);
}

static void a_second_connection_of_a_component(void **state)
{
#define SERVICE(more) ALPHA "components { listen = \"127.0.0.1:1\" }\n" \
	"component \"s.alpha.example\" { secret = x\n" more " }\n"
	is_loaded(SERVICE(""));
	assert_false(loaded->hosts->next->refuse_second);
	is_loaded(SERVICE("connect = replace"));
	assert_false(loaded->hosts->next->refuse_second);
	is_loaded(SERVICE("connect = refuse"));
	assert_true(loaded->hosts->next->refuse_second);
	is_refused(SERVICE("connect = both"), 4,
		   "expected replace or refuse");
	is_refused("host \"a.example\" { connect = replace }\n", 1,
		   "connect");
#undef SERVICE
}

static void components_belong_on_loopback(void **state)
{
	is_loaded("components { listen = \"127.0.0.1:1\" }\n");
	is_loaded("components { listen = \"[::1]:1\" }\n");
	is_loaded("components { listen = \"127.9.9.9:1\" }\n");
	assert_int_equal(count(PL_WARNING), 1); /* there is no host */
	is_warned("\ncomponents { listen = \"0.0.0.0:1\" }\n", 2,
		  "no loopback");
	is_warned("\ncomponents { listen = \"[::]:1\" }\n", 2,
		  "no loopback");
	is_warned("\ncomponents { listen = \"192.0.2.1:1\" }\n", 2,
		  "no loopback");
}

static void contacts(void **state)
{
#define HOST(list) "host \"a.example\" { contact = {" list "} }\n"
	is_loaded(HOST("\"abuse=mailto:abuse@a.example\", "
		       "\"admin=xmpp:admin@a.example\""));
	assert_string_equal(loaded->hosts->contacts[0],
			    "abuse=mailto:abuse@a.example");
	assert_string_equal(loaded->hosts->contacts[1],
			    "admin=xmpp:admin@a.example");
	assert_null(loaded->hosts->contacts[2]);
	is_loaded("host \"a.example\" { }\n");
	assert_null(loaded->hosts->contacts[0]);
	is_refused(HOST("\"mailto:abuse@a.example\""), 1, "contact");
	is_refused(HOST("\"boss=mailto:abuse@a.example\""), 1, "contact");
	is_refused(HOST("\"abuse\""), 1, "contact");
	is_refused(HOST("\"abuse=\""), 1, "contact");
	is_refused(HOST("\"abuse=abuse@a.example\""), 1, "a URI");
	is_refused(HOST("\"abuse=mailto:\""), 1, "a URI");
	is_refused(HOST("\"abuse=mailto:a b\""), 1, "a URI");
	is_refused(HOST("\"abuse=mailto:<a>\""), 1, "a URI");
#undef HOST
}

static void booleans_have_six_spellings(void **state)
{
	static const char *const words[] = { "yes", "true", "on", "no", "false",
					     "off" };

	for (unsigned i = 0; i < 6; i++) {
		char text[200];

		snprintf(text, sizeof text, "dns { dane = %s }\n", words[i]);
		is_loaded(text);
		assert_int_equal(loaded->dns.dane, i < 3);
	}
	is_refused("dns { dane = 1 }\n", 1, "expected yes or no");
	is_refused("dns { dane = \"\" }\n", 1, "expected yes or no");
}

static void numbers_are_whole_and_in_range(void **state)
{
	static const char *const bad[] = { "\"\"", "\" 5\"", "5s", "0x10", "5.0",
					   "\"+5\"", "99999999999999999999",
					   "-1", "86401" };

	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char text[200];

		snprintf(text, sizeof text, "timeouts {\n# c\nidle = %s }\n",
			 bad[i]);
		is_refused(text, 3, "idle = ");
	}
}

static const char *partner_for(const char *domain)
{
	const struct pl_conf_partner *p = pl_conf_partner(loaded, domain);

	return p == NULL ? "none" : p->name;
}

static void the_closest_section_is_found(void **state)
{
	is_loaded(ALPHA
		  "partner \"*.example\" { }\n"
		  "partner \"b.example\" { domains = { \"c.example\",\n"
		  "  \"*.rooms.b.example\" } }\n"
		  "partner \"*.b.example\" { domains = { \"chat.b.example\" } }\n"
		  "partner \"x.b.example\" { }\n"
		  );
	assert_string_equal(partner_for("b.example"), "b.example");
	assert_string_equal(partner_for("c.example"), "b.example");
	assert_string_equal(partner_for("x.rooms.b.example"), "b.example");
	assert_string_equal(partner_for("y.x.rooms.b.example"), "b.example");
	assert_string_equal(partner_for("rooms.b.example"), "*.b.example");
	assert_string_equal(partner_for("chat.b.example"), "*.b.example");
	assert_string_equal(partner_for("x.b.example"), "x.b.example");
	assert_string_equal(partner_for("z.example"), "*.example");
	assert_string_equal(partner_for("example"), "none");
	assert_string_equal(partner_for("z.test"), "none");
	assert_null(pl_conf_any_partner(loaded));
	is_loaded(ALPHA "partner \"b.example\" { }\npartner \"*\" { }\n");
	assert_string_equal(partner_for("z.test"), "*");
	assert_string_equal(partner_for("*"), "*");
	assert_string_equal(pl_conf_any_partner(loaded)->name, "*");
}

static void names_take_their_normal_form(void **state)
{
	is_loaded(ALPHA "partner \"XN--BCHER-KVA.Example\" { domains = { "
		  "\"*.\xc3\x9c" "X.example\" } }\n");
	assert_string_equal(loaded->partners->name,
			    "b\xc3\xbc" "cher.example");
	assert_string_equal(loaded->partners->domains[0],
			    "*.\xc3\xbc" "x.example");
}

/* Text of the file is shown, but never raw. */
static void notes_are_printable(void **state)
{
	assert_null(load("log { level = \"\033[31m\" }\n"
			 "\"ke\\ey\" = 5\n"));
	for (const struct pl_conf_note *n = notes; n != NULL; n = n->next) {
		for (const char *s = n->text; *s != '\0'; s++)
			assert_true((unsigned char)*s >= ' ');
	}
	assert_int_equal(count(PL_ERROR), 2);
}

static void comments_do_not_hide_text(void **state)
{
	is_loaded("log { destination = \"sub//x#y.log\" } // c \" open\n"
		  "# it's\n"
		  "host \"a.example\" { note = 'it # is' /* \" */ }\n"
		  "host \"b.example\" { note = \"/* no */ \\\" // no\" }\n"
		  "control { socket = sub//c.sock }\n");
	assert_non_null(strstr(loaded->log.destination, "sub//x#y.log"));
	assert_string_equal(loaded->hosts->note, "it # is");
	assert_string_equal(loaded->hosts->next->note, "/* no */ \" // no");
	assert_int_equal(loaded->hosts->next->line, 4);
	assert_non_null(strstr(loaded->control_socket, "sub//c.sock"));
}

static void notes_print_as_lines(void **state)
{
	char text[2048] = "";
	FILE *out = fmemopen(text, sizeof text, "w");

	assert_null(load(ALPHA "partner \"a.example\" { tls = optional }\n"
			 "log { level = x }\n"));
	pl_conf_notes_print(notes, out, false);
	fflush(out);
	assert_null(strstr(text, ": warning: "));
	assert_non_null(strstr(text, "/parley.conf:3: level = \"x\""));
	rewind(out);
	pl_conf_notes_print(notes, out, true);
	fclose(out);
	assert_non_null(strstr(text, "/parley.conf:2: warning: partner "
			       "\"a.example\": row 9: "));
}

/* The example loads as it stands, and with every setting that it shows. */
static void the_example_is_sound(void **state)
{
	char text[32768], all[32768], *out = all;
	FILE *in = fopen(EXAMPLE, "r");
	size_t n;

	assert_non_null(in);
	n = fread(text, 1, sizeof text - 1, in);
	text[n] = '\0';
	fclose(in);
	put("dialback.secret", "0123456789abcdef0123\n");
	is_loaded(text);
	assert_int_equal(count(PL_WARNING), 0);
	assert_string_equal(partner_for("bank.example"), "*");

	for (const char *line = text; *line != '\0';) {
		size_t length = strcspn(line, "\n") + 1;
		const char *from = line + strspn(line, " ");

		if (*from == '#' && from[1] != ' ' && from[1] != '\n')
			from++;
		memcpy(out, from, (size_t)(line + length - from));
		out += line + length - from;
		line += length;
	}
	*out = '\0';
	put("echo.secret", "secret\n");
	put("ca.crt", "");
	make_certificate(in_folder("ca"), "ca", NOW - 5, NOW + 5, NULL);
	is_loaded(all);
	assert_string_equal(partner_for("x.rooms.bank.example"), "bank.example");
	assert_int_equal(loaded->limits.connections, 1000);
	/* what is shown as a default is one */
	assert_int_equal(loaded->limits.stanza_bytes, 524288);
	assert_int_equal(loaded->timeouts.drain, 10);
	assert_non_null(loaded->listens->next);
	assert_non_null(loaded->http_listen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_file_is_read),
		cmocka_unit_test(defaults_hold),
		cmocka_unit_test(empty_values_count_as_absent),
		cmocka_unit_test(every_row_that_is_not_valid_is_refused),
		cmocka_unit_test(rows_have_their_warnings),
		cmocka_unit_test(every_fault_is_told),
		cmocka_unit_test(what_cannot_be_parsed_says_where),
		cmocka_unit_test(unknown_keys_are_found_in_any_locale),
		cmocka_unit_test(a_missing_file_is_told),
		cmocka_unit_test(included_files_have_their_own_lines),
		cmocka_unit_test(nothing_is_set_twice),
		cmocka_unit_test(names_are_claimed_once),
		cmocka_unit_test(endpoints_are_listened_at_once),
		cmocka_unit_test(certificates_are_looked_at),
		cmocka_unit_test(rows_that_need_tls_need_certificates),
		cmocka_unit_test(servers_behind),
		cmocka_unit_test(components_borrow_certificates),
		cmocka_unit_test(a_second_connection_of_a_component),
		cmocka_unit_test(components_belong_on_loopback),
		cmocka_unit_test(contacts),
		cmocka_unit_test(secrets_are_weighed),
		cmocka_unit_test(files_and_folders_must_be_there),
		cmocka_unit_test(settings_without_effect_are_told),
		cmocka_unit_test(empty_settings_are_none),
		cmocka_unit_test(types_of_partners),
		cmocka_unit_test(booleans_have_six_spellings),
		cmocka_unit_test(numbers_are_whole_and_in_range),
		cmocka_unit_test(the_closest_section_is_found),
		cmocka_unit_test(names_take_their_normal_form),
		cmocka_unit_test(notes_are_printable),
		cmocka_unit_test(comments_do_not_hide_text),
		cmocka_unit_test(notes_print_as_lines),
		cmocka_unit_test(the_example_is_sound),
	};
	int failed = cmocka_run_group_tests(tests, set_up, tear_down);

	forget();
	return failed;
}
