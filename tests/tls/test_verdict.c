/* Every kind of certificate, shown in both directions, and its verdict. */
#include "support.h"

#include <sys/stat.h>
#include <unistd.h>

#include <openssl/pem.h>

#define DOMAIN "beta.example"

static const struct {
	const char *variant;
	enum pl_certificate verdict;
	int sent;
	const char *text;
} variants[] = {
	{ "valid", PL_CERT_VALID, 1, "is valid until 20" },
	{ "valid-rsa", PL_CERT_VALID, 1, "" },
	{ "all-sans", PL_CERT_VALID, 1, "" },
	{ "dns-only", PL_CERT_VALID, 1, "" },
	{ "srv-only", PL_CERT_VALID, 1, "" },
	{ "xmppaddr-only", PL_CERT_VALID, 1, "" },
	{ "cn-only", PL_CERT_WRONG_NAME, 1,
	  "names no domain, not \"" DOMAIN "\"" },
	{ "wildcard", PL_CERT_WRONG_NAME, 1, "\"*.example\"" },
	{ "wrong-name", PL_CERT_WRONG_NAME, 1,
	  "names \"wrong.example\", \"www.wrong.example\", not" },
	{ "prefix-name", PL_CERT_WRONG_NAME, 1, "" },
	{ "nul-name", PL_CERT_WRONG_NAME, 1, DOMAIN "\\x00.evil" },
	{ "expired", PL_CERT_EXPIRED, 1, "expired on 2021-01-01T00:00:00Z" },
	{ "not-yet-valid", PL_CERT_NOT_YET_VALID, 1,
	  "not valid before 2048-01-01" },
	{ "self-signed", PL_CERT_SELF_SIGNED, 1, "self-signed" },
	{ "unknown-ca", PL_CERT_UNKNOWN_CA, 2,
	  "issuer \"parley rogue CA\" is not trusted here; the peer sent 2 " },
	{ "server-eku-only", PL_CERT_VALID, 1, "" },
	{ "client-eku-only", PL_CERT_PURPOSE, 1, "purpose" },
	{ "no-eku", PL_CERT_VALID, 1, "" },
	{ "intermediate", PL_CERT_VALID, 2, "" },
	{ "chain-missing", PL_CERT_CHAIN_INCOMPLETE, 1,
	  "issuer \"parley test intermediate\" is not known here; the peer "
	  "sent 1 certificate, no intermediate" },
	{ "weak-rsa1024", PL_CERT_WEAK, 1, "key too" },
	{ "sha1-sig", PL_CERT_WEAK, 1, "too weak" },
};
enum { VARIANTS = sizeof variants / sizeof *variants };

static struct pl_tls_trust *trust;
static struct pl_tls_identity *sound;

static const char *domain_of(size_t i)
{
	/* The wildcard stands beside the domain, whose own label it covers. */
	return strcmp(variants[i].variant, "wildcard") == 0 ? "a." DOMAIN
							    : DOMAIN;
}

static void check(struct pl_tls *tls, size_t i)
{
	struct pl_tls_verdict verdict;

	pl_tls_judge(tls, domain_of(i), time(NULL), &verdict);
	if (verdict.certificate != variants[i].verdict ||
	    strstr(verdict.text, variants[i].text) == NULL)
		print_error("%s: verdict %d, \"%s\"\n", variants[i].variant,
			    verdict.certificate, verdict.text);
	assert_int_equal(verdict.certificate, variants[i].verdict);
	assert_non_null(strstr(verdict.text, variants[i].text));
	assert_int_equal(verdict.chain_length, variants[i].sent);
	assert_false(verdict.by_dane);
}

/* The handshake must stand whatever the certificate; version 0: any. */
static void show(size_t i, bool by_receiving, int version)
{
	char name[64];
	SSL_CTX *context;
	SSL *raw;
	struct pl_tls *tls;

	snprintf(name, sizeof name, DOMAIN ".%s", variants[i].variant);
	context = raw_context(name);
	SSL_CTX_set_max_proto_version(context, version);
	raw = raw_peer(context, by_receiving);
	tls = by_receiving ? initiate(trust, sound, DOMAIN)
			   : receive(trust, sound);
	pl_tls_start(tls);
	shuttle_raw(tls, raw);
	if (pl_tls_status(tls) != PL_TLS_READY)
		print_error("%s: %s\n", name, pl_tls_failure_text(tls));
	assert_int_equal(pl_tls_status(tls), PL_TLS_READY);
	check(tls, i);
	pl_tls_free(tls);
	SSL_free(raw);
	SSL_CTX_free(context);
}

static void verdict_on_receiving(void **state)
{
	for (size_t i = 0; i < VARIANTS; i++)
		show(i, true, 0);
}

static void verdict_on_initiating(void **state)
{
	for (size_t i = 0; i < VARIANTS; i++)
		show(i, false, 0);
}

static void verdict_with_tls_1_2(void **state)
{
	for (size_t i = 0; i < VARIANTS; i++) {
		show(i, true, TLS1_2_VERSION);
		show(i, false, TLS1_2_VERSION);
	}
}

/* The same between two engines, for what can be loaded. */
static void verdict_between_engines(void **state)
{
	for (size_t i = 0; i < VARIANTS; i++) {
		struct pl_tls_identity *shown;
		struct pl_tls *a, *b;

		if (variants[i].verdict == PL_CERT_WEAK)
			continue;
		shown = load_identity(certs_path(DOMAIN ".%s",
						 variants[i].variant) +
				      strlen(certs_path("%s", "")));
		a = initiate(trust, shown, DOMAIN);
		b = receive(trust, shown);
		connect_pair(a, b);
		check(a, i);
		check(b, i);
		pl_tls_free(a);
		pl_tls_free(b);
		pl_tls_identity_unref(shown);
	}
}

static void wildcard_covers_one_label(void **state)
{
	struct pl_tls_identity *shown = load_identity(DOMAIN ".wildcard");
	struct pl_tls *a = initiate(trust, shown, DOMAIN);
	struct pl_tls *b = receive(trust, shown);

	connect_pair(a, b);
	assert_int_equal(verdict_of(a, "beta.example"), PL_CERT_VALID);
	assert_int_equal(verdict_of(a, "GAMMA.Example."), PL_CERT_VALID);
	assert_int_equal(verdict_of(a, "example"), PL_CERT_WRONG_NAME);
	assert_int_equal(verdict_of(a, "x.beta.example"), PL_CERT_WRONG_NAME);
	assert_int_equal(verdict_of(a, "beta.example.org"),
			 PL_CERT_WRONG_NAME);
	pl_tls_free(a);
	pl_tls_free(b);
	pl_tls_identity_unref(shown);
}

static void no_certificate(void **state)
{
	struct pl_tls *a = initiate(trust, NULL, DOMAIN);
	struct pl_tls *b = receive(trust, sound);
	struct pl_tls_verdict verdict;

	connect_pair(a, b);
	pl_tls_judge(b, DOMAIN, time(NULL), &verdict);
	assert_int_equal(verdict.certificate, PL_CERT_NONE);
	assert_int_equal(verdict.chain_length, 0);
	assert_string_not_equal(verdict.text, "");
	assert_int_equal(pl_tls_peer_not_after(b), 0);
	assert_int_equal(verdict_of(a, DOMAIN), PL_CERT_VALID);
	assert_false(pl_tls_same_certificate(a, b));
	assert_false(pl_tls_same_certificate(b, b));
	pl_tls_free(a);
	pl_tls_free(b);
}

/* Before the handshake nothing is known. */
static void nothing_yet(void **state)
{
	struct pl_tls *a = initiate(trust, sound, DOMAIN);

	assert_int_equal(verdict_of(a, DOMAIN), PL_CERT_NONE);
	pl_tls_start(a);
	assert_int_equal(verdict_of(a, DOMAIN), PL_CERT_NONE);
	assert_string_equal(pl_tls_version(a), "");
	assert_string_equal(pl_tls_cipher(a), "");
	pl_tls_free(a);
}

/* A connection may outlive its certificate: dates are those of `now`. */
static void dates_at_now(void **state)
{
	struct pl_tls *a = initiate(trust, sound, DOMAIN);
	struct pl_tls *b = receive(trust, sound);
	time_t until = pl_tls_identity_not_after(sound);
	time_t from = pl_tls_identity_not_before(sound);
	struct pl_tls_verdict verdict;

	connect_pair(a, b);
	assert_int_equal(pl_tls_peer_not_after(b), until);
	pl_tls_judge(b, DOMAIN, until, &verdict);
	assert_int_equal(verdict.certificate, PL_CERT_VALID);
	pl_tls_judge(b, DOMAIN, until + 1, &verdict);
	assert_int_equal(verdict.certificate, PL_CERT_EXPIRED);
	pl_tls_judge(b, DOMAIN, from, &verdict);
	assert_true(verdict.certificate == PL_CERT_VALID ||
		    verdict.certificate == PL_CERT_NOT_YET_VALID);
	pl_tls_judge(b, DOMAIN, from - 86400, &verdict);
	assert_int_equal(verdict.certificate, PL_CERT_NOT_YET_VALID);
	/* The date outweighs the name, and the chain the date. */
	pl_tls_judge(b, "other.example", until + 1, &verdict);
	assert_int_equal(verdict.certificate, PL_CERT_EXPIRED);
	pl_tls_free(a);
	pl_tls_free(b);
}

static void chain_outweighs_dates_and_names(void **state)
{
	struct pl_tls_trust *rogue = load_trust("rogue-ca.crt");
	struct pl_tls_identity *old = load_identity(DOMAIN ".expired");
	struct pl_tls *a = initiate(rogue, old, DOMAIN);
	struct pl_tls *b = receive(rogue, old);

	connect_pair(a, b);
	assert_int_equal(verdict_of(a, DOMAIN), PL_CERT_CHAIN_INCOMPLETE);
	assert_int_equal(verdict_of(b, "other.example"),
			 PL_CERT_CHAIN_INCOMPLETE);
	pl_tls_free(a);
	pl_tls_free(b);
	pl_tls_identity_unref(old);
	pl_tls_trust_unref(rogue);
}

/* An intermediate whose own date is over ends the chain. */
static void issuer_expired(void **state)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	struct pl_tls_identity *shown;
	struct pl_tls_trust *old;
	struct pl_tls *a, *b;
	struct pl_tls_verdict verdict;
	char command[1024];

	add_dns(names, DOMAIN, strlen(DOMAIN));
	mint("old-root", &(struct mint){ .subject = "old root", .ca = true });
	mint("old-issuer", &(struct mint){ .subject = "old issuer", .ca = true,
		.issuer = "old-root", .from = -7200, .until = -3600 });
	mint("by-old-issuer", &(struct mint){ .subject = "leaf",
		.issuer = "old-issuer", .names = names });
	GENERAL_NAMES_free(names);
	snprintf(command, sizeof command, "cat %s >> %s",
		 certs_path("old-issuer.crt"), certs_path("by-old-issuer.crt"));
	assert_int_equal(system(command), 0);
	shown = load_identity("by-old-issuer");
	old = load_trust("old-root.crt");
	a = initiate(old, shown, DOMAIN);
	b = receive(old, shown);
	connect_pair(a, b);
	pl_tls_judge(a, DOMAIN, time(NULL), &verdict);
	assert_int_equal(verdict.certificate, PL_CERT_EXPIRED);
	assert_non_null(strstr(verdict.text, "an issuer expired on"));
	pl_tls_judge(b, DOMAIN, time(NULL) - 5400, &verdict);
	assert_int_equal(verdict.certificate, PL_CERT_VALID);
	pl_tls_free(a);
	pl_tls_free(b);
	pl_tls_identity_unref(shown);
	pl_tls_trust_unref(old);
}

/* One connection may carry pairs of several domains (XEP-0344 2.4). */
static void several_domains(void **state)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	struct pl_tls_identity *shown;
	struct pl_tls *a, *b;

	add_dns(names, "one.example", 11);
	add_dns(names, "two.example", 11);
	add_other(names, "1.3.6.1.5.5.7.8.7", V_ASN1_IA5STRING,
		  "_xmpp-server.three.example", 26);
	mint("many", &(struct mint){ .subject = "many", .issuer = "ca",
				     .names = names });
	GENERAL_NAMES_free(names);
	shown = load_identity("many");
	a = initiate(trust, shown, "one.example");
	b = receive(trust, sound);
	connect_pair(a, b);
	assert_int_equal(verdict_of(b, "one.example"), PL_CERT_VALID);
	assert_int_equal(verdict_of(b, "two.example"), PL_CERT_VALID);
	assert_int_equal(verdict_of(b, "three.example"), PL_CERT_VALID);
	assert_int_equal(verdict_of(b, "four.example"), PL_CERT_WRONG_NAME);
	assert_int_equal(verdict_of(b, "one.example/x"), PL_CERT_WRONG_NAME);
	assert_int_equal(verdict_of(b, ""), PL_CERT_WRONG_NAME);
	assert_int_equal(verdict_of(b, "one.example"), PL_CERT_VALID);
	assert_false(pl_tls_same_certificate(a, b));
	pl_tls_free(a);
	pl_tls_free(b);
	pl_tls_identity_unref(shown);
}

static void same_certificate(void **state)
{
	struct pl_tls *a = initiate(trust, sound, DOMAIN);
	struct pl_tls *b = receive(trust, sound);

	connect_pair(a, b);
	assert_true(pl_tls_same_certificate(a, b));
	pl_tls_free(a);
	pl_tls_free(b);
}

/* Both sides show `name`, both trust `file`. */
static enum pl_certificate trusting(const char *file, const char *name)
{
	struct pl_tls_trust *other = load_trust(file);
	struct pl_tls_identity *shown = load_identity(name);
	struct pl_tls *a = initiate(other, shown, DOMAIN);
	struct pl_tls *b = receive(other, shown);
	enum pl_certificate verdict;

	connect_pair(a, b);
	verdict = verdict_of(a, DOMAIN);
	assert_int_equal(verdict_of(b, DOMAIN), verdict);
	pl_tls_free(a);
	pl_tls_free(b);
	pl_tls_identity_unref(shown);
	pl_tls_trust_unref(other);
	return verdict;
}

/* What the operator trusts need not be a root. */
static void anchors_of_all_kinds(void **state)
{
	assert_int_equal(trusting("intermediate.crt", DOMAIN ".chain-missing"),
			 PL_CERT_VALID);
	assert_int_equal(trusting("intermediate.crt", DOMAIN ".valid"),
			 PL_CERT_CHAIN_INCOMPLETE);
	assert_int_equal(trusting(DOMAIN ".self-signed.crt",
				  DOMAIN ".self-signed"), PL_CERT_VALID);
	assert_int_equal(trusting(DOMAIN ".valid.crt", DOMAIN ".valid"),
			 PL_CERT_VALID);
	assert_int_equal(trusting("rogue-ca.crt", DOMAIN ".unknown-ca"),
			 PL_CERT_VALID);
	assert_int_equal(trusting("rogue-ca.crt", DOMAIN ".intermediate"),
			 PL_CERT_UNKNOWN_CA);
}

/* A leaf of a stranger's CA, sent alone, looks like a forgotten chain. */
static void stranger_alone(void **state)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();

	add_dns(names, DOMAIN, strlen(DOMAIN));
	mint("alone", &(struct mint){ .subject = "alone", .issuer = "rogue-ca",
				      .names = names });
	GENERAL_NAMES_free(names);
	assert_int_equal(trusting("ca.crt", "alone"), PL_CERT_CHAIN_INCOMPLETE);
	assert_int_equal(trusting("rogue-ca.crt", "alone"), PL_CERT_VALID);
}

/* More was sent, but not the issuer: that is no forgotten chain. */
static void stranger_in_company(void **state)
{
	char command[1024];

	snprintf(command, sizeof command,
		 "cd %s && cat " DOMAIN ".chain-missing.crt rogue-ca.crt > "
		 "company.crt && cp " DOMAIN ".chain-missing.key company.key",
		 certs_path("%s", ""));
	assert_int_equal(system(command), 0);
	assert_int_equal(trusting("ca.crt", "company"), PL_CERT_UNKNOWN_CA);
}

/* A leaf is no issuer, whatever it signs. */
static void leaf_as_issuer(void **state)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	char command[1024];

	add_dns(names, DOMAIN, strlen(DOMAIN));
	mint("forged", &(struct mint){ .subject = "forged",
		.issuer = DOMAIN ".valid", .names = names });
	GENERAL_NAMES_free(names);
	snprintf(command, sizeof command, "cat %s >> %s",
		 certs_path(DOMAIN ".valid.crt"), certs_path("forged.crt"));
	assert_int_equal(system(command), 0);
	assert_int_not_equal(trusting("ca.crt", "forged"), PL_CERT_VALID);
}

/* An impostor with our CA's name, but another key. */
static void issuer_in_name_only(void **state)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	enum pl_certificate verdict;

	add_dns(names, DOMAIN, strlen(DOMAIN));
	mint("true-ca", &(struct mint){ .subject = "one CA", .ca = true });
	mint("false-ca", &(struct mint){ .subject = "one CA", .ca = true });
	mint("impostor", &(struct mint){ .subject = "impostor",
		.issuer = "false-ca", .names = names });
	GENERAL_NAMES_free(names);
	verdict = trusting("true-ca.crt", "impostor");
	assert_true(verdict == PL_CERT_OTHER || verdict == PL_CERT_UNKNOWN_CA ||
		    verdict == PL_CERT_CHAIN_INCOMPLETE);
	assert_int_equal(trusting("false-ca.crt", "impostor"), PL_CERT_VALID);
}

/* What a certificate says of itself must not reach a terminal raw. */
static void text_is_printable(void **state)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	char name[400];
	struct pl_tls_identity *shown;
	struct pl_tls *a, *b;
	struct pl_tls_verdict verdict;

	memset(name, 'x', sizeof name);
	memcpy(name, "\x1b[31m\n\xe2\x80\xae", 9);
	add_dns(names, name, sizeof name);
	mint("ugly-ca", &(struct mint){ .subject = "\x1b]0;\n\xe2\x80\xae",
					.ca = true });
	mint("ugly", &(struct mint){ .subject = "ugly", .issuer = "ugly-ca",
				     .names = names });
	mint("long", &(struct mint){ .subject = "long", .issuer = "ca",
				     .names = names });
	GENERAL_NAMES_free(names);
	for (int i = 0; i < 2; i++) {
		shown = load_identity(i == 0 ? "ugly" : "long");
		a = initiate(trust, shown, DOMAIN);
		b = receive(trust, shown);
		connect_pair(a, b);
		pl_tls_judge(a, DOMAIN, time(NULL), &verdict);
		assert_int_equal(verdict.certificate,
				 i == 0 ? PL_CERT_CHAIN_INCOMPLETE
					: PL_CERT_WRONG_NAME);
		assert_null(strpbrk(verdict.text, "\x1b\n"));
		assert_null(strstr(verdict.text, "\xe2\x80\xae"));
		assert_non_null(strstr(verdict.text, "\\x1b"));
		assert_true(strlen(verdict.text) < sizeof verdict.text);
		pl_tls_free(a);
		pl_tls_free(b);
		pl_tls_identity_unref(shown);
	}
}

/* A revocation list beside the CA is honoured; where there is none for an
 * issuer, nothing is revoked. */
static void revoked(void **state)
{
	static const char *const commands[] = {
		"printf '[ca]\\ndefault_ca=c\\n[c]\\ndatabase=index\\n"
		"default_md=sha256\\ndefault_crl_days=9\\n' > conf",
		": > index",
		"openssl ca -config conf -cert ca.crt -keyfile ca.key -revoke "
		DOMAIN ".all-sans.crt",
		"openssl ca -config conf -cert ca.crt -keyfile ca.key -gencrl "
		"-out ca.crl",
		"cat ca.crt rogue-ca.crt ca.crl > with-list.crt",
	};

	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		char command[1024];

		snprintf(command, sizeof command, "cd %s && %s 2> log",
			 certs_path("%s", ""), commands[i]);
		assert_int_equal(system(command), 0);
	}
	assert_int_equal(trusting("with-list.crt", DOMAIN ".all-sans"),
			 PL_CERT_REVOKED);
	assert_int_equal(trusting("with-list.crt", DOMAIN ".valid"),
			 PL_CERT_VALID);
	assert_int_equal(trusting("with-list.crt", DOMAIN ".intermediate"),
			 PL_CERT_VALID);
	assert_int_equal(trusting("with-list.crt", DOMAIN ".unknown-ca"),
			 PL_CERT_VALID);
	assert_int_equal(trusting("ca.crt", DOMAIN ".all-sans"), PL_CERT_VALID);
}

static int set_up(void **state)
{
	static char words[VARIANTS][64];
	static const char *list[VARIANTS + 1];
	void *made = list;

	for (size_t i = 0; i < VARIANTS; i++) {
		snprintf(words[i], sizeof words[i], DOMAIN " %s",
			 variants[i].variant);
		list[i] = words[i];
	}
	if (make_certs(&made) != 0)
		return -1;
	trust = load_trust("ca.crt");
	sound = load_identity(DOMAIN ".valid");
	return 0;
}

static int tear_down(void **state)
{
	pl_tls_identity_unref(sound);
	pl_tls_trust_unref(trust);
	return remove_certs(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdict_on_receiving),
		cmocka_unit_test(verdict_on_initiating),
		cmocka_unit_test(verdict_with_tls_1_2),
		cmocka_unit_test(verdict_between_engines),
		cmocka_unit_test(wildcard_covers_one_label),
		cmocka_unit_test(no_certificate),
		cmocka_unit_test(nothing_yet),
		cmocka_unit_test(dates_at_now),
		cmocka_unit_test(chain_outweighs_dates_and_names),
		cmocka_unit_test(issuer_expired),
		cmocka_unit_test(several_domains),
		cmocka_unit_test(same_certificate),
		cmocka_unit_test(anchors_of_all_kinds),
		cmocka_unit_test(stranger_alone),
		cmocka_unit_test(stranger_in_company),
		cmocka_unit_test(leaf_as_issuer),
		cmocka_unit_test(issuer_in_name_only),
		cmocka_unit_test(text_is_printable),
		cmocka_unit_test(revoked),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
