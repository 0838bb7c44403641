/* DANE (RFC 6698, 7671, 7673) on the initiating side. */
#include "support.h"

#include <openssl/pem.h>

#define DOMAIN "beta.example"
#define TARGET "xmpp.hoster.example"

static struct pl_tls_trust *trust;

/* The data of a TLSA record for a certificate: selector 0 (all) or 1 (key),
 * matching 0 (itself), 1 (SHA-256) or 2 (SHA-512). */
struct record {
	unsigned char data[4096];
	struct pl_tls_dane dane;
};

static struct record *record_of(const char *name, uint8_t usage,
				uint8_t selector, uint8_t matching)
{
	static struct record records[8];
	static unsigned next;
	struct record *record = &records[next++ % 8];
	FILE *file = fopen(certs_path("%s.crt", name), "r");
	X509 *certificate;
	unsigned char *der = NULL;
	unsigned length;
	int n;

	assert_non_null(file);
	certificate = PEM_read_X509(file, NULL, NULL, NULL);
	fclose(file);
	n = selector == 0 ? i2d_X509(certificate, &der)
			  : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate),
					    &der);
	assert_in_range(n, 1, sizeof record->data);
	length = (unsigned)n;
	if (matching == 0)
		memcpy(record->data, der, length);
	else
		EVP_Digest(der, (size_t)n, record->data, &length,
			   matching == 1 ? EVP_sha256() : EVP_sha512(), NULL);
	OPENSSL_free(der);
	X509_free(certificate);
	record->dane = (struct pl_tls_dane){ usage, selector, matching,
					     record->data, length };
	return record;
}

/* The receiving side shows `name`; what the initiating side, which knows these
 * records for DOMAIN, thinks for `asked` at `now` (0: now). */
static struct pl_tls_verdict verdict(const char *name, const char *base,
				     const struct pl_tls_dane *dane,
				     size_t count, const char *asked,
				     time_t now)
{
	struct pl_tls_identity *shown = load_identity(name);
	struct pl_error error = { 0 };
	struct pl_tls_verdict result;
	struct pl_tls *b = receive(trust, shown), *a;

	a = pl_tls_initiating(&(struct pl_tls_initiate){
		.trust = trust, .domain = DOMAIN, .base_domain = base,
		.dane = dane, .dane_count = count }, &error);
	assert_string_equal(error.text, "");
	assert_non_null(a);
	connect_pair(a, b);
	pl_tls_judge(a, asked, now != 0 ? now : time(NULL), &result);
	/* Asked again, the same. */
	if (strcmp(asked, DOMAIN) != 0) {
		struct pl_tls_verdict again;

		pl_tls_judge(a, asked, now != 0 ? now : time(NULL), &again);
		assert_string_equal(again.text, result.text);
	}
	pl_tls_free(a);
	pl_tls_free(b);
	pl_tls_identity_unref(shown);
	return result;
}

static void expect(const char *name, uint8_t usage, const char *of,
		   enum pl_certificate wanted, bool by_dane)
{
	struct pl_tls_verdict v;

	for (uint8_t selector = 0; selector < 2; selector++) {
		for (uint8_t matching = 0; matching < 3; matching++) {
			struct record *r = record_of(of, usage, selector,
						     matching);

			v = verdict(name, TARGET, &r->dane, 1, DOMAIN, 0);
			if (v.certificate != wanted || v.by_dane != by_dane)
				print_error("%s, %d %d %d of %s: %d \"%s\"\n",
					    name, usage, selector, matching, of,
					    v.certificate, v.text);
			assert_int_equal(v.certificate, wanted);
			assert_int_equal(v.by_dane, by_dane);
		}
	}
}

/* Usage 3 pins the leaf: issuer, name and dates do not matter. */
static void usage_3(void **state)
{
	static const char *const names[] = {
		DOMAIN ".valid", DOMAIN ".self-signed", DOMAIN ".expired",
		DOMAIN ".not-yet-valid", DOMAIN ".wrong-name",
		DOMAIN ".chain-missing", DOMAIN ".unknown-ca",
		DOMAIN ".client-eku-only",
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		expect(names[i], 3, names[i], PL_CERT_VALID, true);
}

/* A certificate that PKIX would take is refused as well. */
static void usage_3_mismatch(void **state)
{
	expect(DOMAIN ".valid", 3, DOMAIN ".self-signed",
	       PL_CERT_DANE_MISMATCH, false);
	expect(DOMAIN ".self-signed", 3, DOMAIN ".valid",
	       PL_CERT_DANE_MISMATCH, false);
	/* Usage 3 is about the leaf, not about its issuer. */
	expect(DOMAIN ".intermediate", 3, "intermediate",
	       PL_CERT_DANE_MISMATCH, false);
}

/* Usage 2 makes an anchor; names and dates count. */
static void usage_2(void **state)
{
	expect(DOMAIN ".unknown-ca", 2, "rogue-ca", PL_CERT_VALID, true);
	expect(DOMAIN ".intermediate", 2, "intermediate", PL_CERT_VALID, true);
	expect(DOMAIN ".valid", 2, "rogue-ca", PL_CERT_DANE_MISMATCH, false);
	expect("rogue-old", 2, "rogue-ca", PL_CERT_EXPIRED, false);
	expect("rogue-other", 2, "rogue-ca", PL_CERT_WRONG_NAME, false);
	/* The SRV target is as good a name as the domain ... */
	expect("rogue-target", 2, "rogue-ca", PL_CERT_VALID, true);
}

/* Usages 0 and 1 narrow what PKIX takes. */
static void usages_0_and_1(void **state)
{
	expect(DOMAIN ".valid", 0, "ca", PL_CERT_VALID, true);
	expect(DOMAIN ".valid", 1, DOMAIN ".valid", PL_CERT_VALID, true);
	expect(DOMAIN ".valid", 1, DOMAIN ".self-signed",
	       PL_CERT_DANE_MISMATCH, false);
	expect(DOMAIN ".valid", 0, "rogue-ca", PL_CERT_DANE_MISMATCH, false);
	expect(DOMAIN ".expired", 1, DOMAIN ".expired", PL_CERT_EXPIRED, false);
	expect(DOMAIN ".wrong-name", 1, DOMAIN ".wrong-name",
	       PL_CERT_WRONG_NAME, false);
}

/* A self-signed leaf that matches usage 1 has no issuer that PKIX takes. */
static void usage_1_needs_pkix(void **state)
{
	struct record *r = record_of(DOMAIN ".self-signed", 1, 0, 1);
	struct pl_tls_verdict v = verdict(DOMAIN ".self-signed", TARGET,
					  &r->dane, 1, DOMAIN, 0);

	assert_int_not_equal(v.certificate, PL_CERT_VALID);
	assert_false(v.by_dane);
}

static void target_name_needs_dane(void **state)
{
	struct record *r = record_of("rogue-ca", 2, 0, 1);
	struct pl_tls_verdict v;

	/* Without records, or with others alone, it is nobody's name. */
	v = verdict("ca-target", TARGET, NULL, 0, DOMAIN, 0);
	assert_int_equal(v.certificate, PL_CERT_WRONG_NAME);
	r->dane.usage = 9;
	v = verdict("ca-target", TARGET, &r->dane, 1, DOMAIN, 0);
	assert_int_equal(v.certificate, PL_CERT_WRONG_NAME);
}

/* Records that cannot be used leave it to PKIX. */
static void unusable(void **state)
{
	static const unsigned char some[32] = { 1, 2, 3 };
	const struct pl_tls_dane records[] = {
		{ 4, 1, 1, some, 32 },   /* no such usage */
		{ 255, 1, 1, some, 32 },
		{ 3, 2, 1, some, 32 },   /* no such selector */
		{ 3, 1, 3, some, 32 },   /* no such hash */
		{ 3, 1, 1, some, 31 },   /* too short for its hash */
		{ 3, 1, 2, some, 32 },
		{ 3, 0, 0, some, 32 },   /* no certificate */
		{ 3, 1, 0, some, 32 },   /* no key */
		{ 3, 1, 1, some, 0 },
	};
	struct pl_tls_verdict v;

	for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
		v = verdict(DOMAIN ".valid", TARGET, &records[i], 1, DOMAIN, 0);
		assert_int_equal(v.certificate, PL_CERT_VALID);
		assert_false(v.by_dane);
	}
	v = verdict(DOMAIN ".self-signed", TARGET, records,
		    sizeof records / sizeof *records, DOMAIN, 0);
	assert_int_equal(v.certificate, PL_CERT_SELF_SIGNED);
}

/* One that matches is enough, unusable and foreign ones beside it. */
static void any_record(void **state)
{
	struct pl_tls_dane records[3];
	struct pl_tls_verdict v;

	records[0] = record_of(DOMAIN ".valid", 3, 1, 1)->dane;
	records[1] = record_of(DOMAIN ".valid", 77, 1, 1)->dane;
	records[2] = record_of(DOMAIN ".self-signed", 3, 1, 2)->dane;
	v = verdict(DOMAIN ".self-signed", NULL, records, 3, DOMAIN, 0);
	assert_int_equal(v.certificate, PL_CERT_VALID);
	assert_true(v.by_dane);
}

/* The records speak for the domain that was looked up. A further domain on the
 * connection needs PKIX; a mismatch does not touch it either. */
static void other_domains(void **state)
{
	struct record *r = record_of("two-domains-self", 3, 1, 1);
	struct pl_tls_verdict v;

	v = verdict("two-domains-self", TARGET, &r->dane, 1, "beta.EXAMPLE.",
		    0);
	assert_int_equal(v.certificate, PL_CERT_VALID);
	assert_true(v.by_dane);
	v = verdict("two-domains-self", TARGET, &r->dane, 1, "gamma.example",
		    0);
	assert_int_equal(v.certificate, PL_CERT_SELF_SIGNED);
	assert_false(v.by_dane);
	v = verdict("two-domains-self", TARGET, &r->dane, 1, TARGET, 0);
	assert_int_equal(v.certificate, PL_CERT_SELF_SIGNED);

	r = record_of(DOMAIN ".valid", 3, 1, 1);
	v = verdict("two-domains", TARGET, &r->dane, 1, DOMAIN, 0);
	assert_int_equal(v.certificate, PL_CERT_DANE_MISMATCH);
	v = verdict("two-domains", TARGET, &r->dane, 1, "gamma.example", 0);
	assert_int_equal(v.certificate, PL_CERT_VALID);
	assert_false(v.by_dane);
	v = verdict("two-domains", TARGET, &r->dane, 1, "gamma.example",
		    time(NULL) + 10 * 86400);
	assert_int_equal(v.certificate, PL_CERT_EXPIRED);

	r = record_of("gamma.example.client-eku-only", 3, 1, 1);
	v = verdict("gamma.example.client-eku-only", TARGET, &r->dane, 1,
		    DOMAIN, 0);
	assert_int_equal(v.certificate, PL_CERT_VALID);
	v = verdict("gamma.example.client-eku-only", TARGET, &r->dane, 1,
		    "gamma.example", 0);
	assert_int_equal(v.certificate, PL_CERT_PURPOSE);
}

/* SNI is the domain, not the SRV target. */
static char seen[256];

static struct pl_tls_identity *note_sni(void *owner, const char *sni)
{
	snprintf(seen, sizeof seen, "%s", sni != NULL ? sni : "(none)");
	return NULL;
}

static void sni_with_dane(void **state)
{
	struct record *r = record_of(DOMAIN ".valid", 3, 1, 1);
	struct pl_tls_identity *shown = load_identity(DOMAIN ".valid");
	struct pl_tls *a, *b;

	a = pl_tls_initiating(&(struct pl_tls_initiate){
		.trust = trust, .domain = DOMAIN, .base_domain = TARGET,
		.dane = &r->dane, .dane_count = 1 }, NULL);
	b = pl_tls_receiving(&(struct pl_tls_receive){
		.trust = trust, .identity = shown, .choose = note_sni }, NULL);
	connect_pair(a, b);
	assert_string_equal(seen, DOMAIN);
	pl_tls_free(a);
	pl_tls_free(b);
	pl_tls_identity_unref(shown);
}

static void mint_names(const char *stem, const char *issuer, const char *one,
		       const char *two, long from, long until)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	char command[1024];

	add_dns(names, one, (int)strlen(one));
	if (two != NULL)
		add_dns(names, two, (int)strlen(two));
	mint(stem, &(struct mint){ .subject = stem, .issuer = issuer,
				   .names = names, .from = from,
				   .until = until });
	GENERAL_NAMES_free(names);
	if (issuer == NULL)
		return;
	snprintf(command, sizeof command, "cat %s >> %s",
		 certs_path("%s.crt", issuer), certs_path("%s.crt", stem));
	assert_int_equal(system(command), 0);
}

static int set_up(void **state)
{
	static const char *const words[] = {
		DOMAIN " valid", DOMAIN " self-signed", DOMAIN " expired",
		DOMAIN " not-yet-valid", DOMAIN " wrong-name",
		DOMAIN " chain-missing", DOMAIN " unknown-ca",
		DOMAIN " intermediate", DOMAIN " client-eku-only",
		"gamma.example client-eku-only", NULL };
	void *made = (void *)words;

	if (make_certs(&made) != 0)
		return -1;
	mint_names("rogue-old", "rogue-ca", DOMAIN, NULL, -7200, -3600);
	mint_names("rogue-other", "rogue-ca", "other.example", NULL, 0, 0);
	mint_names("rogue-target", "rogue-ca", TARGET, NULL, 0, 0);
	mint_names("ca-target", "ca", TARGET, NULL, 0, 0);
	mint_names("two-domains-self", NULL, DOMAIN, "gamma.example", 0, 0);
	mint_names("two-domains", "ca", DOMAIN, "gamma.example", 0, 0);
	trust = load_trust("ca.crt");
	return 0;
}

static int tear_down(void **state)
{
	pl_tls_trust_unref(trust);
	return remove_certs(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usage_3),
		cmocka_unit_test(usage_3_mismatch),
		cmocka_unit_test(usage_2),
		cmocka_unit_test(usages_0_and_1),
		cmocka_unit_test(usage_1_needs_pkix),
		cmocka_unit_test(target_name_needs_dane),
		cmocka_unit_test(unusable),
		cmocka_unit_test(any_record),
		cmocka_unit_test(other_domains),
		cmocka_unit_test(sni_with_dane),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
