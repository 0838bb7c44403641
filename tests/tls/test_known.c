/* Chains that were validated before: used where they may be, and only there. */
#include "support.h"

#include <time.h>

#include "../../src/tls/internal.h"

#define DOMAIN "beta.example"

/* What the initiating side thinks of this certificate, by this trust; proof:
 * how it came to it. */
static enum pl_certificate meet(struct pl_tls_trust *trust, const char *name,
				struct pl_tls_proof *proof)
{
	struct pl_tls_identity *shown = load_identity(name);
	struct pl_tls *a = initiate(trust, NULL, DOMAIN);
	struct pl_tls *b = receive(trust, shown);
	enum pl_certificate verdict;

	connect_pair(a, b);
	verdict = verdict_of(a, DOMAIN);
	if (proof != NULL)
		*proof = a->proof;
	pl_tls_free(a);
	pl_tls_free(b);
	pl_tls_identity_unref(shown);
	return verdict;
}

static unsigned char *digest_of(struct pl_tls_trust *trust, const char *name)
{
	static unsigned char digest[KNOWN_DIGEST];
	struct pl_tls_identity *shown = load_identity(name);
	STACK_OF(X509) *sent = sk_X509_new_null();

	assert_non_null(trust->known);
	sk_X509_push(sent, shown->leaf);
	for (int i = 0; i < sk_X509_num(shown->chain); i++)
		sk_X509_push(sent, sk_X509_value(shown->chain, i));
	assert_true(pl_tls_known_digest(trust->known, shown->leaf, sent,
					digest));
	sk_X509_free(sent);
	pl_tls_identity_unref(shown);
	return digest;
}

static const char *const good[] = { DOMAIN ".valid", DOMAIN ".intermediate" };

/* The second time the proof is the one that was kept: a mark in it shows. */
static void the_second_time(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		struct pl_tls_trust *trust = load_trust("ca.crt");
		struct pl_tls_proof first, second;
		unsigned char *digest;

		assert_int_equal(meet(trust, good[i], &first), PL_CERT_VALID);
		assert_int_equal(meet(trust, good[i], &second), PL_CERT_VALID);
		assert_int_equal(second.from, first.from);
		assert_int_equal(second.until, first.until);
		digest = digest_of(trust, good[i]);
		assert_true(pl_tls_known_find(trust->known, digest, time(NULL),
					      &second));
		second.until_depth = 7;
		pl_tls_known_put(trust->known, digest, &second);
		meet(trust, good[i], &second);
		assert_int_equal(second.until_depth, 7);
		pl_tls_trust_unref(trust);
	}
}

/* What was found bad is looked at again, and says why each time. */
static void nothing_bad_is_kept(void **state)
{
	static const char *const bad[] = { "unknown-ca", "self-signed",
					   "client-eku-only", "chain-missing" };
	struct pl_tls_trust *trust = load_trust("ca.crt");

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct pl_tls_proof proof;
		char name[64];
		enum pl_certificate first;

		snprintf(name, sizeof name, DOMAIN ".%s", bad[i]);
		first = meet(trust, name, NULL);
		assert_int_not_equal(first, PL_CERT_VALID);
		assert_int_equal(meet(trust, name, NULL), first);
		assert_false(pl_tls_known_find(trust->known,
					       digest_of(trust, name),
					       time(NULL), &proof));
	}
	pl_tls_trust_unref(trust);
}

/* Another certificate, though it has the same names and the same issuer's name,
 * is another chain; and so is one that came with other company. */
static void a_likeness_is_not_known(void **state)
{
	struct pl_tls_trust *trust = load_trust("ca.crt");
	GENERAL_NAMES *names = GENERAL_NAMES_new();

	add_dns(names, DOMAIN, strlen(DOMAIN));
	mint("parted", &(struct mint){ .subject = "leaf", .issuer = "ca",
				       .names = names });
	mint("double-ca", &(struct mint){ .subject = "parley test CA",
					  .ca = true });
	mint("feigned", &(struct mint){ .subject = "leaf",
					.issuer = "double-ca", .names = names });
	GENERAL_NAMES_free(names);
	assert_int_equal(meet(trust, "parted", NULL), PL_CERT_VALID);
	assert_int_not_equal(meet(trust, "feigned", NULL), PL_CERT_VALID);
	assert_int_equal(meet(trust, good[1], NULL), PL_CERT_VALID);
	assert_int_equal(meet(trust, DOMAIN ".chain-missing", NULL),
			 PL_CERT_CHAIN_INCOMPLETE);
	pl_tls_trust_unref(trust);
}

/* What one trust found good is nothing to another. */
static void each_trust_for_itself(void **state)
{
	struct pl_tls_trust *trust = load_trust("ca.crt");
	struct pl_tls_trust *other = load_trust("rogue-ca.crt");

	assert_int_equal(meet(trust, good[0], NULL), PL_CERT_VALID);
	assert_int_not_equal(meet(other, good[0], NULL), PL_CERT_VALID);
	pl_tls_trust_unref(trust);
	pl_tls_trust_unref(other);
}

/* Outside of its dates a chain is built anew: another one may do. */
static void its_dates_bound_it(void **state)
{
	struct pl_tls_trust *trust = load_trust("ca.crt");
	struct pl_tls_proof proof;
	unsigned char *digest;

	assert_int_equal(meet(trust, good[0], &proof), PL_CERT_VALID);
	digest = digest_of(trust, good[0]);
	assert_true(pl_tls_known_find(trust->known, digest, proof.from,
				      &proof));
	assert_true(pl_tls_known_find(trust->known, digest, proof.until,
				      &proof));
	assert_false(pl_tls_known_find(trust->known, digest, proof.from - 1,
				       &proof));
	assert_false(pl_tls_known_find(trust->known, digest, proof.until + 1,
				       &proof));
	pl_tls_trust_unref(trust);
}

/* Where revocation lists may come, every chain is asked about again. */
static void lists_forbid_it(void **state)
{
	struct pl_tls_trust *trust;
	char command[512];

	snprintf(command, sizeof command, "cd %s && mkdir hashed && cp ca.crt "
		 "hashed && openssl rehash hashed", certs_path("%s", ""));
	assert_int_equal(system(command), 0);
	trust = pl_tls_trust_new(NULL, certs_path("hashed"), NULL);
	assert_non_null(trust);
	assert_null(trust->known);
	assert_int_equal(meet(trust, good[0], NULL), PL_CERT_VALID);
	assert_int_equal(meet(trust, good[0], NULL), PL_CERT_VALID);
	pl_tls_trust_unref(trust);
}

static int set_up(void **state)
{
	static const char *certs[] = {
		DOMAIN " valid", DOMAIN " intermediate", DOMAIN " unknown-ca",
		DOMAIN " self-signed", DOMAIN " client-eku-only",
		DOMAIN " chain-missing", NULL
	};

	*state = certs;
	return make_certs(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_second_time),
		cmocka_unit_test(nothing_bad_is_kept),
		cmocka_unit_test(a_likeness_is_not_known),
		cmocka_unit_test(each_trust_for_itself),
		cmocka_unit_test(its_dates_bound_it),
		cmocka_unit_test(lists_forbid_it),
	};

	return cmocka_run_group_tests(tests, set_up, remove_certs);
}
