/* What a name in a certificate covers, and what it must not. */
#include "support.h"

#define SRV "1.3.6.1.5.5.7.8.7"
#define XMPP "1.3.6.1.5.5.7.8.5"

enum kind { DNS, SRV_ID, XMPP_ADDR };

/* U+00FC is "xn--..-": b\u00fccher.example */
#define BUCH_U "b\xc3\xbc" "cher.example"
#define BUCH_UP "B\xc3\x9c" "CHER.Example"
#define BUCH_A "xn--bcher-kva.example"
#define TEXT(x) x, sizeof x - 1

static const struct {
	enum kind kind;
	const char *name;
	size_t length;
	const char *domain;
	bool covered;
} rows[] = {
	/* DNS-ID */
	{ DNS, TEXT("a.example"), "a.example", true },
	{ DNS, TEXT("A.EXAMPLE"), "a.example", true },
	{ DNS, TEXT("a.example"), "A.Example", true },
	{ DNS, TEXT("a.example."), "a.example", true },
	{ DNS, TEXT("a.example"), "a.example.", true },
	{ DNS, TEXT("a.example.."), "a.example", false },
	{ DNS, TEXT(".a.example"), "a.example", false },
	{ DNS, TEXT("b.example"), "a.example", false },
	{ DNS, TEXT("xa.example"), "a.example", false },
	{ DNS, TEXT("a.example.org"), "a.example", false },
	{ DNS, TEXT("example"), "a.example", false },
	{ DNS, TEXT("x.a.example"), "a.example", false },
	{ DNS, TEXT("a.example\0.evil.example"), "a.example", false },
	{ DNS, TEXT("a.example\0"), "a.example", false },
	{ DNS, TEXT("\0a.example"), "a.example", false },
	{ DNS, TEXT(" a.example"), "a.example", false },
	{ DNS, TEXT("a.example\n"), "a.example", false },
	{ DNS, TEXT("a.example/x"), "a.example", false },
	{ DNS, TEXT("u@a.example"), "a.example", false },
	{ DNS, TEXT(""), "a.example", false },
	{ DNS, TEXT("."), "a.example", false },
	{ DNS, TEXT("*"), "a.example", false },
	{ DNS, TEXT("_xmpp-server.a.example"), "a.example", false },
	/* wildcards */
	{ DNS, TEXT("*.a.example"), "x.a.example", true },
	{ DNS, TEXT("*.A.example"), "X.a.EXAMPLE", true },
	{ DNS, TEXT("*.a.example"), "a.example", false },
	{ DNS, TEXT("*.a.example"), "y.x.a.example", false },
	{ DNS, TEXT("*.a.example"), "xa.example", false },
	{ DNS, TEXT("*.a.example"), ".a.example", false },
	{ DNS, TEXT("*.a.example"), "*.a.example", false },
	{ DNS, TEXT("*.example"), "example", false },
	{ DNS, TEXT("*."), "example", false },
	{ DNS, TEXT("*.."), "a.example", false },
	{ DNS, TEXT("*.*"), "a.example", false },
	{ DNS, TEXT("*.*.example"), "x.a.example", false },
	{ DNS, TEXT("x.*.example"), "x.a.example", false },
	{ DNS, TEXT("a.*"), "a.example", false },
	{ DNS, TEXT("x*.a.example"), "xy.a.example", false },
	{ DNS, TEXT("*y.a.example"), "xy.a.example", false },
	{ DNS, TEXT("x*y.a.example"), "xzy.a.example", false },
	{ DNS, TEXT("**.a.example"), "x.a.example", false },
	{ DNS, TEXT("*a.example"), "a.example", false },
	{ DNS, TEXT("xn--*.a.example"), "xn--bcher-kva.a.example", false },
	{ DNS, TEXT("*.a.example"), "b\xc3\xbc" "cher.a.example", true },
	/* international names */
	{ DNS, TEXT(BUCH_A), BUCH_U, true },
	{ DNS, TEXT(BUCH_A), BUCH_UP, true },
	{ DNS, TEXT("XN--BCHER-KVA.EXAMPLE"), BUCH_A, true },
	{ DNS, TEXT(BUCH_U), BUCH_U, false }, /* not ASCII: CRT-10 */
	{ DNS, TEXT("bucher.example"), BUCH_U, false },
	/* addresses are no names */
	{ DNS, TEXT("127.0.0.1"), "127.0.0.1", false },
	{ DNS, TEXT("*.0.0.1"), "127.0.0.1", false },
	{ DNS, TEXT("::1"), "[::1]", false },
	/* what is no domain is covered by nothing */
	{ DNS, TEXT("a.example"), "u@a.example", false },
	{ DNS, TEXT("a.example"), "a.example/r", false },
	{ DNS, TEXT("a.example"), "", false },
	/* SRV-ID */
	{ SRV_ID, TEXT("_xmpp-server.a.example"), "a.example", true },
	{ SRV_ID, TEXT("_XMPP-Server.A.example"), "a.example", true },
	{ SRV_ID, TEXT("_xmpp-server.*.a.example"), "x.a.example", true },
	{ SRV_ID, TEXT("_xmpp-server.*.a.example"), "a.example", false },
	{ SRV_ID, TEXT("_xmpp-server." BUCH_A), BUCH_U, true },
	{ SRV_ID, TEXT("_xmpp-client.a.example"), "a.example", false },
	{ SRV_ID, TEXT("_xmpps-server.a.example"), "a.example", false },
	{ SRV_ID, TEXT("a.example"), "a.example", false },
	{ SRV_ID, TEXT("_xmpp-server."), "a.example", false },
	{ SRV_ID, TEXT("_xmpp-server"), "a.example", false },
	{ SRV_ID, TEXT("*.a.example"), "x.a.example", false },
	{ SRV_ID, TEXT("_xmpp-server.b.example"), "a.example", false },
	{ SRV_ID, TEXT("_xmpp-server.a.example\0x"), "a.example", false },
	{ SRV_ID, TEXT("_xmpp-server\0a.example"), "a.example", false },
	{ SRV_ID, TEXT("x_xmpp-server.a.example"), "a.example", false },
	/* XmppAddr */
	{ XMPP_ADDR, TEXT("a.example"), "a.example", true },
	{ XMPP_ADDR, TEXT("A.Example"), "a.example", true },
	{ XMPP_ADDR, TEXT(BUCH_U), BUCH_U, true },
	{ XMPP_ADDR, TEXT(BUCH_UP), BUCH_A, true },
	{ XMPP_ADDR, TEXT(BUCH_A), BUCH_U, true },
	{ XMPP_ADDR, TEXT("u@a.example"), "a.example", false },
	{ XMPP_ADDR, TEXT("a.example/r"), "a.example", false },
	{ XMPP_ADDR, TEXT("@a.example"), "a.example", false },
	{ XMPP_ADDR, TEXT("*.a.example"), "x.a.example", false },
	{ XMPP_ADDR, TEXT("b.example"), "a.example", false },
	{ XMPP_ADDR, TEXT("a.example\0"), "a.example", false },
	{ XMPP_ADDR, TEXT("a.example\0.evil.example"), "a.example", false },
	{ XMPP_ADDR, TEXT("\xff\xfe.example"), "a.example", false },
	{ XMPP_ADDR, TEXT(""), "a.example", false },
	{ XMPP_ADDR, TEXT("127.0.0.1"), "127.0.0.1", false },
};

static void add(GENERAL_NAMES *names, enum kind kind, const char *name,
		size_t length)
{
	switch (kind) {
	case DNS:
		add_dns(names, name, (int)length);
		break;
	case SRV_ID:
		add_other(names, SRV, V_ASN1_IA5STRING, name, (int)length);
		break;
	case XMPP_ADDR:
		add_other(names, XMPP, V_ASN1_UTF8STRING, name, (int)length);
		break;
	}
}

/* Mints a certificate of these names (freed here) and loads it. */
static struct pl_tls_identity *with_names(GENERAL_NAMES *names)
{
	struct pl_tls_identity *identity;

	/* The Common Name, which must never count, is always the domain. */
	mint("named", &(struct mint){ .subject = "a.example", .issuer = "ca",
				      .names = names });
	GENERAL_NAMES_free(names);
	identity = load_identity("named");
	return identity;
}

static void every_row(void **state)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		GENERAL_NAMES *names = GENERAL_NAMES_new();
		struct pl_tls_identity *identity;
		bool covered;

		add(names, rows[i].kind, rows[i].name, rows[i].length);
		identity = with_names(names);
		covered = pl_tls_identity_covers(identity, rows[i].domain);
		if (covered != rows[i].covered)
			print_error("row %zu: %d \"%s\" for \"%s\"\n", i,
				    rows[i].kind, rows[i].name, rows[i].domain);
		assert_int_equal(covered, rows[i].covered);
		pl_tls_identity_unref(identity);
	}
}

/* The verdict on a peer reads names the same way. */
static void verdict_agrees(void **state)
{
	struct pl_tls_trust *trust = load_trust("ca.crt");

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i += 3) {
		GENERAL_NAMES *names = GENERAL_NAMES_new();
		struct pl_tls_identity *identity;
		struct pl_tls *a, *b;

		add(names, rows[i].kind, rows[i].name, rows[i].length);
		identity = with_names(names);
		a = initiate(trust, identity, "a.example");
		b = receive(trust, identity);
		connect_pair(a, b);
		assert_int_equal(verdict_of(a, rows[i].domain),
				 rows[i].covered ? PL_CERT_VALID
						 : PL_CERT_WRONG_NAME);
		assert_int_equal(verdict_of(b, rows[i].domain),
				 rows[i].covered ? PL_CERT_VALID
						 : PL_CERT_WRONG_NAME);
		pl_tls_free(a);
		pl_tls_free(b);
		pl_tls_identity_unref(identity);
	}
	pl_tls_trust_unref(trust);
}

/* One good name among bad ones is enough. */
static void any_of_many(void **state)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	struct pl_tls_identity *identity;

	add(names, DNS, TEXT("a.example\0x"));
	add(names, XMPP_ADDR, TEXT("u@a.example"));
	add(names, SRV_ID, TEXT("_xmpp-client.a.example"));
	add(names, DNS, TEXT("a.example"));
	identity = with_names(names);
	assert_true(pl_tls_identity_covers(identity, "a.example"));
	pl_tls_identity_unref(identity);
}

/* The type of the string belongs to the name, and so does its OID. */
static void other_strings(void **state)
{
	static const struct {
		const char *oid;
		int type;
		const char *name;
	} others[] = {
		{ SRV, V_ASN1_UTF8STRING, "_xmpp-server.a.example" },
		{ SRV, V_ASN1_OCTET_STRING, "_xmpp-server.a.example" },
		{ XMPP, V_ASN1_IA5STRING, "a.example" },
		{ XMPP, V_ASN1_BMPSTRING, "a.example" },
		{ "1.3.6.1.5.5.7.8.9", V_ASN1_UTF8STRING, "a.example" },
		{ "1.3.6.1.4.1.311.20.2.3", V_ASN1_UTF8STRING, "a.example" },
	};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		GENERAL_NAMES *names = GENERAL_NAMES_new();
		struct pl_tls_identity *identity;

		add_other(names, others[i].oid, others[i].type, others[i].name,
			  (int)strlen(others[i].name));
		identity = with_names(names);
		assert_false(pl_tls_identity_covers(identity, "a.example"));
		pl_tls_identity_unref(identity);
	}
}

/* Addresses, mail addresses, URIs: of no account (CRT-12). */
static void other_kinds(void **state)
{
	static const struct {
		int type;
		const char *name;
		int length;
	} others[] = {
		{ GEN_IPADD, "\x7f\0\0\1", 4 },
		{ GEN_EMAIL, "a.example", 9 },
		{ GEN_URI, "xmpp:a.example", 14 },
		{ GEN_URI, "a.example", 9 },
	};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		GENERAL_NAMES *names = GENERAL_NAMES_new();
		GENERAL_NAME *name = GENERAL_NAME_new();
		ASN1_STRING *string = ASN1_STRING_type_new(
			others[i].type == GEN_IPADD ? V_ASN1_OCTET_STRING
						    : V_ASN1_IA5STRING);
		struct pl_tls_identity *identity;

		ASN1_STRING_set(string, others[i].name, others[i].length);
		GENERAL_NAME_set0_value(name, others[i].type, string);
		sk_GENERAL_NAME_push(names, name);
		identity = with_names(names);
		assert_false(pl_tls_identity_covers(identity, "a.example"));
		assert_false(pl_tls_identity_covers(identity, "127.0.0.1"));
		pl_tls_identity_unref(identity);
	}
}

/* A certificate of thousands of names is read up to a bound. */
static void very_many_names(void **state)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	struct pl_tls_identity *identity;
	char name[32];

	for (int i = 0; i < 3000; i++)
		add_dns(names, name, snprintf(name, sizeof name,
					      "d%d.example", i));
	identity = with_names(names);
	assert_true(pl_tls_identity_covers(identity, "d0.example"));
	assert_true(pl_tls_identity_covers(identity, "d999.example"));
	assert_false(pl_tls_identity_covers(identity, "d1000.example"));
	pl_tls_identity_unref(identity);
}

static void no_names(void **state)
{
	struct pl_tls_identity *identity = with_names(NULL);

	assert_false(pl_tls_identity_covers(identity, "a.example"));
	pl_tls_identity_unref(identity);
}

static int set_up(void **state)
{
	static const char *const words[] = { "beta.example valid", NULL };
	void *made = (void *)words;

	return make_certs(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(verdict_agrees),
		cmocka_unit_test(any_of_many),
		cmocka_unit_test(other_strings),
		cmocka_unit_test(other_kinds),
		cmocka_unit_test(very_many_names),
		cmocka_unit_test(no_names),
	};

	return cmocka_run_group_tests(tests, set_up, remove_certs);
}
