/* Domain names: what passes, in which form, and what must not. */
#include "parley/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BUECHER "b\xc3\xbc" "cher.example"

static void becomes(const char *text, const char *expected)
{
	char out[PL_DOMAIN_SIZE], again[PL_DOMAIN_SIZE];
	struct pl_error error = { 0 };

	if (!pl_addr_domain(text, strlen(text), out, &error))
		fail_msg("%s", error.text);
	assert_string_equal(out, expected);
	/* the normal form is a fixed point */
	assert_true(pl_addr_domain(out, strlen(out), again, NULL));
	assert_string_equal(again, out);
}

static void refused_bytes(const char *text, size_t length)
{
	char out[PL_DOMAIN_SIZE] = "untouched";
	struct pl_error error = { 0 };
	char *exact = malloc(length + 1); /* no NUL behind: read by length */

	memcpy(exact, text, length);
	exact = realloc(exact, length == 0 ? 1 : length);
	if (pl_addr_domain(exact, length, out, &error))
		fail_msg("%.*s passed as %s", (int)length, text, out);
	free(exact);
	assert_string_equal(out, "");
	assert_string_not_equal(error.text, "");
	for (const char *p = error.text; *p != '\0'; p++)
		assert_true((unsigned char)*p >= 0x20);
}

static void refused(const char *text)
{
	refused_bytes(text, strlen(text));
}

static void plain_names(void **state)
{
	becomes("alpha.example", "alpha.example");
	becomes("ALPHA.Example", "alpha.example");
	becomes("alpha.example.", "alpha.example");
	becomes("localhost", "localhost");
	becomes("a", "a");
	becomes("3com.example", "3com.example");
	becomes("1.2.3.example", "1.2.3.example");
	becomes("a--b.example", "a--b.example");
	becomes("ab--cd.example", "ab--cd.example");
}

static void names_that_are_none(void **state)
{
	refused("");
	refused(".");
	refused("..");
	refused(".example");
	refused("alpha..example");
	refused("alpha.example..");
	refused("-alpha.example");
	refused("alpha-.example");
	refused("-");
	refused("a b.example");
	refused(" alpha.example");
	refused("alpha.example ");
	refused("alpha.example\n");
	refused("a_b.example");
	refused("_xmpp-server._tcp.alpha.example");
	refused("*.example");
	refused("alpha.example:5269");
	refused("user@alpha.example");
	refused("alpha.example/resource");
	refused("@alpha.example");
	refused("alpha.example/");
	refused("a&b.example");
	refused("a<b.example");
	refused("a'b.example");
	refused("\x1b[31m.example");
	refused_bytes("alpha\0.example", 14);
	refused_bytes("alpha.example\0", 14);
}

static void numbers_are_no_names(void **state)
{
	refused("127.1");
	refused("1");
	refused("256.1.1.1");
	refused("1.2.3.4.5");
	refused("alpha.1");
	refused("1.2.3.4..");
}

static void lengths(void **state)
{
	char name[1100], label[80];

	memset(label, 'a', sizeof label);
	snprintf(name, sizeof name, "%.63s.example", label);
	becomes(name, name);
	snprintf(name, sizeof name, "%.64s.example", label);
	refused(name);
	/* 63 + 1 + 63 + 1 + 63 + 1 + 61 = 253 */
	snprintf(name, sizeof name, "%.63s.%.63s.%.63s.%.61s", label, label,
		 label, label);
	assert_int_equal(strlen(name), 253);
	becomes(name, name);
	strcat(name, ".");
	name[strlen(name) - 1] = 'a';
	refused(name);
	memset(name, 'a', sizeof name);
	refused_bytes(name, 1023);
	refused_bytes(name, 1024);
	refused_bytes(name, 1100);
	for (size_t i = 1; i < 1023; i += 2)
		name[i] = '.';
	refused_bytes(name, 1023);
}

static void names_beyond_ascii(void **state)
{
	becomes(BUECHER, BUECHER);
	becomes("B\xc3\x9c" "CHER.EXAMPLE", BUECHER);
	becomes("bu\xcc\x88" "cher.example", BUECHER);      /* not in NFC */
	becomes("xn--bcher-kva.example", BUECHER);
	becomes("XN--BCHER-KVA.example.", BUECHER);
	becomes("xn--bcher-kva.b\xc3\xbc" "cher.example",
		"b\xc3\xbc" "cher." BUECHER);
	becomes("stra\xc3\x9f" "e.example", "stra\xc3\x9f" "e.example");
	becomes("xn--strae-oqa.example", "stra\xc3\x9f" "e.example");
	becomes("\xe4\xbe\x8b\xe5\xad\x90.\xe6\xb5\x8b\xe8\xaf\x95",
		"\xe4\xbe\x8b\xe5\xad\x90.\xe6\xb5\x8b\xe8\xaf\x95");
	/* fullwidth letters and dots are the same name */
	becomes("\xef\xbd\x81lpha\xe3\x80\x82" "example", "alpha.example");
	/* Hebrew, right to left */
	becomes("\xd7\x90\xd7\x91.example", "\xd7\x90\xd7\x91.example");
}

static void names_beyond_ascii_that_are_none(void **state)
{
	refused("\xff.example");
	refused("b\xc3.example");
	refused("\xc0\xafx.example");               /* overlong */
	refused("\xed\xa0\x80x.example");           /* surrogate */
	refused("a\xef\xbc\x8f" "b.example");       /* fullwidth '/' */
	refused("a\xef\xbc\xa0" "b.example");       /* fullwidth '@' */
	refused("a\xef\xbc\xbf" "b.example");       /* fullwidth '_' */
	refused("\xe2\x84\x80.example");            /* a/c in one character */
	refused("\xe2\x98\xba.example");            /* a symbol */
	refused("xn--74h.example");                 /* the same in A-labels */
	refused("\xf0\x9f\x90\xb1.example");        /* an emoji */
	refused("xn--a.example");                   /* decodes to nothing good */
	refused("xn--.example");
	refused("xn--bcher-kva\xff.example");
	refused("xn--99999999999.example");
	refused("xn--alpha-.example");              /* ASCII in disguise */
	refused("xn--fiqs8s-.example");
	refused("\xcc\x88" "a.example");            /* leading combining mark */
	refused("a\xe2\x80\x8d" "b.example");       /* joiner without context */
	refused("\xd7\x90" "a.example");            /* breaks the Bidi rule */
	refused("a\xe2\x80\xae" "b.example");       /* direction override */
	refused("\xc2\xad.example");                /* a label of nothing */
	refused("\xe3\x80\x82");
	refused("\xc3\xbc-.example");
	refused(BUECHER "..");
	refused("ab--cd." BUECHER); /* reserved, and no plain name */
	refused("\xef\xbc\x91\xef\xbc\x92.\xef\xbc\x91"); /* wide "12.1" */
}

static void long_names_beyond_ascii(void **state)
{
	char name[1024] = "", out[PL_DOMAIN_SIZE];

	/* 56 times one ideograph is one A-label of at most 63 characters;
	 * four such labels fit a name and make 600 bytes. */
	for (int label = 0; label < 3; label++) {
		for (int i = 0; i < 50; i++)
			strcat(name, "\xe4\xbe\x8b");
		strcat(name, ".");
	}
	strcat(name, "example");
	assert_true(pl_addr_domain(name, strlen(name), out, NULL));
	assert_string_equal(out, name);
	memmove(name + 300, name, strlen(name) + 1);
	for (int i = 0; i < 100; i++)
		memcpy(name + 3 * i, "\xe4\xbe\x8b", 3);
	refused(name);
}

static void addresses(void **state)
{
	becomes("127.0.0.1", "127.0.0.1");
	becomes("127.0.0.1.", "127.0.0.1");
	becomes("::1", "[::1]");
	becomes("[::1]", "[::1]");
	becomes("[2001:DB8:0:0:0:0:0:1]", "[2001:db8::1]");
	becomes("2001:db8::0001", "[2001:db8::1]");
	becomes("::ffff:127.0.0.1", "[::ffff:127.0.0.1]");
	refused("[127.0.0.1]");
	refused("[::1");
	refused("::1]");
	refused("[]");
	refused("[");
	refused("]");
	refused("[[::1]]");
	refused("[::1]x");
	refused("[::1]:5269");
	refused("fe80::1%eth0");
	refused("[fe80::1%1]");
	refused("0x7f.0.0.1");
	refused("127.0.0.01");
	refused("1:2:3:4:5:6:7:8:9");
	refused("[alpha.example]");
	assert_true(pl_addr_is_ip("127.0.0.1"));
	assert_true(pl_addr_is_ip("::1"));
	assert_true(pl_addr_is_ip("[::1]"));
	assert_false(pl_addr_is_ip("alpha.example"));
	assert_false(pl_addr_is_ip("[alpha.example]"));
	assert_false(pl_addr_is_ip(""));
	assert_false(pl_addr_is_ip("["));
}

static void a_labels(void **state)
{
	char out[PL_ASCII_DOMAIN_SIZE], big[2000];

	assert_true(pl_addr_ascii(BUECHER, out));
	assert_string_equal(out, "xn--bcher-kva.example");
	assert_true(pl_addr_ascii("alpha.example", out));
	assert_string_equal(out, "alpha.example");
	assert_true(pl_addr_ascii("xn--bcher-kva.Example", out));
	assert_string_equal(out, "xn--bcher-kva.example");
	assert_false(pl_addr_ascii("127.0.0.1", out));
	assert_string_equal(out, "");
	assert_false(pl_addr_ascii("[::1]", out));
	assert_false(pl_addr_ascii("", out));
	assert_false(pl_addr_ascii("a_b.example", out));
	assert_false(pl_addr_ascii("\xff", out));
	memset(big, 'a', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	assert_false(pl_addr_ascii(big, out));
	memcpy(big, "\xc3\xbc", 2);
	assert_false(pl_addr_ascii(big, out));
}

static void jid_is(const char *jid, const char *expected)
{
	char out[PL_DOMAIN_SIZE];
	struct pl_error error = { 0 };
	bool done = pl_addr_jid_domain(jid, strlen(jid), out, &error);

	if (expected == NULL) {
		if (done)
			fail_msg("%s passed as %s", jid, out);
		assert_string_not_equal(error.text, "");
		return;
	}
	if (!done)
		fail_msg("%s", error.text);
	assert_string_equal(out, expected);
}

static void jids(void **state)
{
	char out[PL_DOMAIN_SIZE], big[3000];

	jid_is("alpha.example", "alpha.example");
	jid_is("anna@Alpha.Example", "alpha.example");
	jid_is("anna@alpha.example/home", "alpha.example");
	jid_is("alpha.example/home", "alpha.example");
	jid_is("alpha.example/a@b.example/c", "alpha.example");
	jid_is("anna@alpha.example/x@y", "alpha.example");
	jid_is("anna@[::1]/x", "[::1]");
	jid_is("anna@" BUECHER, BUECHER);
	jid_is("", NULL);
	jid_is("@alpha.example", NULL);
	jid_is("anna@", NULL);
	jid_is("anna@/home", NULL);
	jid_is("/home", NULL);
	jid_is("alpha.example/", NULL);
	jid_is("anna@alpha.example/", NULL);
	jid_is("anna@b@alpha.example", NULL);
	jid_is("@", NULL);
	jid_is("/", NULL);
	assert_false(pl_addr_jid_domain("a\0b@alpha.example", 17, out, NULL));
	memset(big, 'a', sizeof big);
	memcpy(big + 1023, "@alpha.example/", 15);
	assert_true(pl_addr_jid_domain(big, 1023 + 15 + 1023, out, NULL));
	assert_string_equal(out, "alpha.example");
	assert_false(pl_addr_jid_domain(big, 1023 + 15 + 1024, out, NULL));
	memset(big, 'a', sizeof big);
	memcpy(big + 1024, "@alpha.example/", 15);
	assert_false(pl_addr_jid_domain(big, 1024 + 15 + 10, out, NULL));
}

/* The whole address in normal form; NULL: it is none. */
static void whole_is(const char *jid, const char *expected)
{
	char out[PL_JID_SIZE], domain[PL_DOMAIN_SIZE];
	struct pl_error error = { 0 };
	struct pl_jid parts;
	bool done = pl_addr_jid(jid, strlen(jid), &parts, domain, out, &error);

	if (done != (expected != NULL))
		fail_msg("%s: %s", jid, done ? out : error.text);
	assert_int_equal(done, pl_addr_jid(jid, strlen(jid), &parts, NULL,
					   NULL, NULL));
	if (expected != NULL)
		assert_string_equal(out, expected);
	else
		assert_string_not_equal(error.text, "");
}

static void whole_addresses(void **state)
{
	char big[4000], out[PL_JID_SIZE], domain[PL_DOMAIN_SIZE];
	struct pl_jid parts;

	whole_is("alpha.example", "alpha.example");
	whole_is("Anna@Alpha.Example.", "Anna@alpha.example");
	whole_is("a@Alpha.example/Home @ x/y", "a@alpha.example/Home @ x/y");
	whole_is("ALPHA.example/r", "alpha.example/r");
	whole_is("\xc3\xa4\xf0\x9f\x98\x80@a.example/\xe2\x82\xac",
		 "\xc3\xa4\xf0\x9f\x98\x80@a.example/\xe2\x82\xac");
	whole_is("a@[::0001]/x", "a@[::1]/x");
	/* of a localpart alone */
	whole_is("a b@a.example", NULL);
	whole_is("a.example/a b", "a.example/a b");
	whole_is("a\xc2\xa0" "b@a.example", NULL);
	whole_is("a.example/a\xc2\xa0" "b", "a.example/a\xc2\xa0" "b");
	whole_is("a\"b@a.example", NULL);
	whole_is("a&b@a.example", NULL);
	whole_is("a'b@a.example", NULL);
	whole_is("a:b@a.example", NULL);
	whole_is("a<b@a.example", NULL);
	whole_is("a>b@a.example", NULL);
	whole_is("a.example/\"&':<>@", "a.example/\"&':<>@");
	/* of both */
	for (const char *const *bad = (const char *const[]){ "\x01", "\x1f",
	     "\n", "\x7f", "\xc2\x80", "\xc2\x9f", "\xe2\x80\x8e",
	     "\xe2\x80\xae", "\xe2\x80\xa8", "\xe2\x81\xa6",
	     "\xef\xbb\xbf", "\xef\xbf\xbe", "\xf0\x9f\xbf\xbf", "\xff",
	     "\xc0\xaf", "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80",
	     "\xe0\x80\xaf", NULL }; *bad != NULL; bad++) {
		snprintf(big, sizeof big, "a%sb@a.example", *bad);
		whole_is(big, NULL);
		snprintf(big, sizeof big, "a%s@a.example", *bad);
		whole_is(big, NULL);
		snprintf(big, sizeof big, "a@a.example/%s", *bad);
		whole_is(big, NULL);
	}
	whole_is("", NULL);
	whole_is("@a.example", NULL);
	whole_is("a@", NULL);
	whole_is("a@b@c.example", NULL);
	whole_is("a.example/", NULL);
	/* the longest of all */
	memset(big, 'a', sizeof big);
	memcpy(big + 1023, "@alpha.example/", 15);
	assert_true(pl_addr_jid(big, 1023 + 15 + 1023, &parts, domain, out,
				NULL));
	assert_int_equal(strlen(out), 1023 + 15 + 1023);
	assert_memory_equal(out, big, 1023 + 15 + 1023);
	assert_int_equal(parts.local_length, 1023);
	assert_int_equal(parts.resource_length, 1023);
	assert_false(pl_addr_jid(big, 1023 + 15 + 1024, &parts, domain, out,
				 NULL));
}

static void patterns(void **state)
{
	assert_true(pl_addr_matches("*", "alpha.example"));
	assert_true(pl_addr_matches("*", "[::1]"));
	assert_true(pl_addr_matches("alpha.example", "alpha.example"));
	assert_false(pl_addr_matches("alpha.example", "a.alpha.example"));
	assert_false(pl_addr_matches("a.alpha.example", "alpha.example"));
	assert_true(pl_addr_matches("*.alpha.example", "a.alpha.example"));
	assert_true(pl_addr_matches("*.alpha.example", "a.b.alpha.example"));
	assert_false(pl_addr_matches("*.alpha.example", "alpha.example"));
	assert_false(pl_addr_matches("*.alpha.example", ".alpha.example"));
	assert_false(pl_addr_matches("*.alpha.example", "xalpha.example"));
	assert_false(pl_addr_matches("*.alpha.example",
				     "a.alpha.example.evil"));
	assert_false(pl_addr_matches("*.", "alpha."));
	assert_false(pl_addr_matches("a*.example", "ab.example"));
	assert_false(pl_addr_matches("*.0.0.1", "127.0.0.1"));
	assert_false(pl_addr_matches("", "alpha.example"));
}

static void endpoint_is(const char *text, const char *host, unsigned port)
{
	char out[PL_ASCII_DOMAIN_SIZE];
	struct pl_error error = { 0 };
	unsigned short number;
	bool done = pl_addr_endpoint(text, out, &number, &error);

	if (host == NULL) {
		if (done)
			fail_msg("%s passed as %s %u", text, out, number);
		assert_string_not_equal(error.text, "");
		return;
	}
	if (!done)
		fail_msg("%s: %s", text, error.text);
	assert_string_equal(out, host);
	assert_int_equal(number, port);
}

static void endpoints(void **state)
{
	endpoint_is("127.0.0.1:5269", "127.0.0.1", 5269);
	endpoint_is("[::1]:5269", "::1", 5269);
	endpoint_is("[2001:DB8::]:1", "2001:db8::", 1);
	endpoint_is("localhost:65535", "localhost", 65535);
	endpoint_is("Alpha.Example:05269", "alpha.example", 5269);
	endpoint_is(BUECHER ":5269", "xn--bcher-kva.example", 5269);
	endpoint_is("", NULL, 0);
	endpoint_is(":", NULL, 0);
	endpoint_is(":5269", NULL, 0);
	endpoint_is("alpha.example", NULL, 0);
	endpoint_is("alpha.example:", NULL, 0);
	endpoint_is("alpha.example:0", NULL, 0);
	endpoint_is("alpha.example:65536", NULL, 0);
	endpoint_is("alpha.example:99999999999999999999", NULL, 0);
	endpoint_is("alpha.example:-1", NULL, 0);
	endpoint_is("alpha.example:+1", NULL, 0);
	endpoint_is("alpha.example: 1", NULL, 0);
	endpoint_is("alpha.example:5269x", NULL, 0);
	endpoint_is("alpha.example:0x10", NULL, 0);
	endpoint_is("::1", NULL, 0);
	endpoint_is("::1:5269", NULL, 0);
	endpoint_is("[::1]", NULL, 0);
	endpoint_is("[::1]5269", NULL, 0);
	endpoint_is("[alpha.example]:5269", NULL, 0);
	endpoint_is("[127.0.0.1]:5269", NULL, 0);
	endpoint_is("a b:5269", NULL, 0);
}

/* Whatever comes in: a fixed point comes out, or nothing. */
static void bare(const char *jid, const char *expected)
{
	char whole[PL_JID_SIZE], out[PL_BARE_SIZE], again[PL_BARE_SIZE];
	struct pl_jid parts;

	assert_true(pl_addr_jid(jid, strlen(jid), &parts, NULL, whole, NULL));
	assert_true(pl_addr_bare(whole, out));
	assert_string_equal(out, expected);
	assert_true(pl_addr_bare(out, again));
	assert_string_equal(again, out);
}

/* Who is meant, whatever the letters' case and the device. */
static void bare_addresses(void **state)
{
	char jid[PL_JID_SIZE], out[PL_BARE_SIZE];

	bare("a@b.example", "a@b.example");
	bare("Juliet@B.example/Balcony", "juliet@b.example");
	bare("B.example/X@y/Z", "b.example");
	bare("\xc3\x84.\xce\xa3@b.example", "\xc3\xa4.\xcf\x83@b.example");
	bare("\xf0\x90\x90\x80@b.example", "\xf0\x90\x90\xa8@b.example");
	bare("[::1]/x", "[::1]");
	/* the longest there is passes, and what would outgrow it does not */
	memset(jid, 'X', 1023);
	strcpy(jid + 1023, "@b.example");
	assert_true(pl_addr_bare(jid, out));
	assert_int_equal(strspn(out, "x"), 1023);
	for (size_t i = 0; i < 1022; i += 2)
		memcpy(jid + i, "\xc8\xba", 2); /* two bytes; lower: three */
	assert_false(pl_addr_bare(jid, out));
	assert_false(pl_addr_bare("", out));
	assert_false(pl_addr_bare("@b.example", out));
}

static void random_bytes(void **state)
{
	static const char *pieces[] = {
		"a", "Z", "-", ".", "xn--", "\xc3\xbc", "\xcc\x88",
		"\xe3\x80\x82", "\xef\xbc\x8e", "1", "\xd7\x90", "\xe2\x80\x8d",
		"[", "]", ":", "\xff", "kva", "9", "\xe4\xbe\x8b", "_",
	};
	char out[PL_DOMAIN_SIZE], again[PL_DOMAIN_SIZE];
	char ascii[PL_ASCII_DOMAIN_SIZE];
	unsigned seed = 9, passed = 0;

	for (int round = 0; round < 20000; round++) {
		char text[200] = "";
		int n = 1 + rand_r(&seed) % 12;

		while (n-- > 0)
			strcat(text, pieces[rand_r(&seed) % 20]);
		if (!pl_addr_domain(text, strlen(text), out, NULL))
			continue;
		passed++;
		assert_true(pl_addr_domain(out, strlen(out), again, NULL));
		assert_string_equal(out, again);
		if (pl_addr_is_ip(out))
			continue;
		assert_true(pl_addr_ascii(out, ascii));
		assert_true(pl_addr_domain(ascii, strlen(ascii), again, NULL));
		assert_string_equal(out, again);
	}
	assert_true(passed > 500);
}

/* Names of plain labels have a short way, which a dot at their end keeps them
 * from: both must come to the same. */
static void same_both_ways(const char *text, size_t length, unsigned *passed)
{
	char with_dot[PL_DOMAIN_SIZE + 8], fast[PL_DOMAIN_SIZE],
		slow[PL_DOMAIN_SIZE];
	bool good;

	memcpy(with_dot, text, length);
	with_dot[length] = '.';
	good = pl_addr_domain(text, length, fast, NULL);
	/* Of two dots at the end one goes: it is an empty label either way. */
	if (good != pl_addr_domain(with_dot, length + 1, slow, NULL) &&
	    !(length > 0 && text[length - 1] == '.'))
		fail_msg("\"%.*s\": %d", (int)length, text, good);
	if (good && !(length > 0 && text[length - 1] == '.'))
		assert_string_equal(fast, slow);
	*passed += good;
}

static void short_way_and_long(void **state)
{
	static const char *const pieces[] = {
		"a", "Z", "xn--", "XN--", "Xn-", "-", "--", "0", "9", "1.2.3.4",
		".", ".", ".", "example", "0x7f", "_", " ", "\xc3\xbc", "[", ":",
		"0123456789012345678901234567890",
		"abcdefghijklmnopqrstuvwxyzabcdef",
		"abcdefghijklmnopqrstuvwxyzabcde", "a.b", "xn--bcher-kva", "\x7f",
		"\x80", "@", "/", "k",
	};
	enum { PIECES = sizeof pieces / sizeof *pieces };
	char text[PL_DOMAIN_SIZE];
	unsigned seed = 7, passed = 0;

	for (int i = 0; i < 60000; i++) {
		size_t length = 0;
		int n = rand_r(&seed) % 10;

		while (n-- > 0) {
			const char *piece = pieces[rand_r(&seed) % PIECES];

			if (length + strlen(piece) > 300)
				break;
			memcpy(text + length, piece, strlen(piece));
			length += strlen(piece);
		}
		same_both_ways(text, length, &passed);
	}
	assert_true(passed > 5000);
	/* every byte, alone and in a label */
	for (int c = 0; c < 256; c++) {
		char label[] = { 'a', (char)c, 'b', '.', 'c' };

		if (c == '.')
			continue;
		same_both_ways(label + 1, 1, &passed);
		same_both_ways(label, sizeof label, &passed);
	}
	/* every length, of a label and of the whole */
	for (size_t length = 1; length <= 300; length++) {
		memset(text, 'A', length);
		same_both_ways(text, length, &passed);
		for (size_t at = 63; at < length; at += 64)
			text[at] = '.';
		same_both_ways(text, length, &passed);
	}
}

/* What the table lets pass is what the rules let pass, in every part. */
static void every_byte_of_an_address(void **state)
{
	static const char never[] = "\"&'/:<>@ ";
	struct pl_jid parts;
	char out[PL_JID_SIZE];

	for (int c = 1; c < 0x80; c++) {
		char local[] = { 'x', (char)c, 'y', '@', 'd', '\0' };
		char resource[] = { 'd', '/', 'x', (char)c, 'y', '\0' };

		/* '@' and '/' cut it elsewhere: that is told in jids */
		if (c != '@' && c != '/')
			assert_int_equal(pl_addr_jid(local, 5, &parts, NULL, out,
						     NULL),
					 c >= 0x20 && c != 0x7f &&
					 strchr(never, c) == NULL);
		assert_int_equal(pl_addr_jid(resource, 5, &parts, NULL, out, NULL),
				 c >= 0x20 && c != 0x7f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_names),
		cmocka_unit_test(names_that_are_none),
		cmocka_unit_test(numbers_are_no_names),
		cmocka_unit_test(lengths),
		cmocka_unit_test(names_beyond_ascii),
		cmocka_unit_test(names_beyond_ascii_that_are_none),
		cmocka_unit_test(long_names_beyond_ascii),
		cmocka_unit_test(addresses),
		cmocka_unit_test(a_labels),
		cmocka_unit_test(jids),
		cmocka_unit_test(whole_addresses),
		cmocka_unit_test(patterns),
		cmocka_unit_test(endpoints),
		cmocka_unit_test(bare_addresses),
		cmocka_unit_test(random_bytes),
		cmocka_unit_test(short_way_and_long),
		cmocka_unit_test(every_byte_of_an_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
