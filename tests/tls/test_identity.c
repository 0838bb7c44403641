/* Loading our certificates and those that we trust. */
#include "support.h"

#include <sys/stat.h>

#define DOMAIN "beta.example"

static void shell(const char *command)
{
	char line[2048];

	snprintf(line, sizeof line, "cd %s && { %s; } > log 2>&1",
		 certs_path("%s", ""), command);
	assert_int_equal(system(line), 0);
}

static void refused(const char *certificate, const char *key, const char *words)
{
	struct pl_error error = { 0 };
	struct pl_tls_identity *identity;

	identity = pl_tls_identity_new(certs_path("%s", certificate),
				       certs_path("%s", key), &error);
	if (identity != NULL || strstr(error.text, words) == NULL)
		print_error("%s, %s: %s\n", certificate, key, error.text);
	assert_null(identity);
	assert_non_null(strstr(error.text, words));
	/* The sentence is not needed. */
	assert_null(pl_tls_identity_new(certs_path("%s", certificate),
					certs_path("%s", key), NULL));
}

static void what_it_is_good_for(void **state)
{
	struct pl_tls_identity *identity = load_identity(DOMAIN ".valid");
	time_t now = time(NULL);

	assert_true(pl_tls_identity_covers(identity, DOMAIN));
	assert_false(pl_tls_identity_covers(identity, "alpha.example"));
	assert_true(pl_tls_identity_not_before(identity) <= now);
	assert_in_range(pl_tls_identity_not_after(identity),
			now + 364 * 86400L, now + 366 * 86400L);
	assert_false(pl_tls_identity_lacks_client(identity));
	assert_false(pl_tls_identity_lacks_server(identity));
	assert_ptr_equal(pl_tls_identity_ref(identity), identity);
	pl_tls_identity_unref(identity);
	assert_true(pl_tls_identity_covers(identity, DOMAIN));
	pl_tls_identity_unref(identity);
	pl_tls_identity_unref(NULL);
	pl_tls_trust_unref(NULL);
	pl_tls_free(NULL);

	identity = load_identity(DOMAIN ".server-eku-only");
	assert_true(pl_tls_identity_lacks_client(identity));
	assert_false(pl_tls_identity_lacks_server(identity));
	pl_tls_identity_unref(identity);
	identity = load_identity(DOMAIN ".client-eku-only");
	assert_false(pl_tls_identity_lacks_client(identity));
	assert_true(pl_tls_identity_lacks_server(identity));
	pl_tls_identity_unref(identity);
	identity = load_identity(DOMAIN ".no-eku");
	assert_false(pl_tls_identity_lacks_client(identity));
	assert_false(pl_tls_identity_lacks_server(identity));
	pl_tls_identity_unref(identity);
	identity = load_identity(DOMAIN ".expired");
	assert_int_equal(pl_tls_identity_not_after(identity), 1609459200);
	assert_int_equal(pl_tls_identity_not_before(identity), 1577836800);
	pl_tls_identity_unref(identity);
}

static void missing_files(void **state)
{
	refused("none.crt", DOMAIN ".valid.key", "No such file");
	refused(DOMAIN ".valid.crt", "none.key", "No such file");
	refused("", DOMAIN ".valid.key", "");
	shell("mkdir -p dir; : > empty");
	refused("dir", DOMAIN ".valid.key", "dir");
	refused("empty", DOMAIN ".valid.key", "holds no certificate");
	refused(DOMAIN ".valid.crt", "empty", "holds no private key");
}

static void broken_files(void **state)
{
	shell("head -c 300 " DOMAIN ".valid.crt > cut.crt;"
	      "sed s/M/A/ " DOMAIN ".valid.crt > bad.crt;"
	      "cat " DOMAIN ".valid.crt bad.crt > bad-chain.crt;"
	      "cat " DOMAIN ".valid.crt cut.crt > cut-chain.crt;"
	      "head -c 100 " DOMAIN ".valid.key > cut.key;"
	      "head -c 4000 /dev/urandom > noise");
	refused("cut.crt", DOMAIN ".valid.key", "cut.crt");
	refused("bad.crt", DOMAIN ".valid.key", "broken certificate");
	refused("bad-chain.crt", DOMAIN ".valid.key", "in the chain");
	refused("cut-chain.crt", DOMAIN ".valid.key", "in the chain");
	refused("noise", DOMAIN ".valid.key", "holds no certificate");
	refused(DOMAIN ".valid.crt", "noise", "holds no private key");
	refused(DOMAIN ".valid.crt", "cut.key", "holds no private key");
	refused(DOMAIN ".valid.crt", DOMAIN ".valid.crt",
		"holds no private key");
	refused(DOMAIN ".valid.key", DOMAIN ".valid.key",
		"holds no certificate");
}

static void key_of_another(void **state)
{
	refused(DOMAIN ".valid.crt", DOMAIN ".no-eku.key", "does not fit");
	refused(DOMAIN ".valid.crt", DOMAIN ".weak-rsa1024.key",
		"does not fit");
	/* The leaf comes first. */
	shell("cat intermediate.crt " DOMAIN ".intermediate.crt > turned.crt");
	refused("turned.crt", DOMAIN ".intermediate.key", "does not fit");
}

/* Both forms of encrypted keys; nothing may be asked at a terminal. */
static void passphrase(void **state)
{
	shell("openssl pkey -in " DOMAIN ".valid.key -aes128 -passout pass:x "
	      "-out new.key; openssl ec -in " DOMAIN ".valid.key -aes128 "
	      "-passout pass:x -out old.key; openssl pkey -in " DOMAIN
	      ".valid.key -aes128 -passout pass:1234 -traditional "
	      "-out older.key");
	refused(DOMAIN ".valid.crt", "new.key", "passphrase");
	refused(DOMAIN ".valid.crt", "old.key", "passphrase");
	refused(DOMAIN ".valid.crt", "older.key", "passphrase");
}

static void weak(void **state)
{
	refused(DOMAIN ".weak-rsa1024.crt", DOMAIN ".weak-rsa1024.key",
		"key too small");
	refused(DOMAIN ".sha1-sig.crt", DOMAIN ".sha1-sig.key", "too weak");
}

static void too_many(void **state)
{
	shell("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do "
	      "cat intermediate.crt; done > sixteen; "
	      "cat " DOMAIN ".valid.crt sixteen > seventeen.crt;"
	      "cat seventeen.crt ca.crt > eighteen.crt");
	refused("eighteen.crt", DOMAIN ".valid.key", "more than 17");
	shell("cp " DOMAIN ".valid.key seventeen.key");
	pl_tls_identity_unref(load_identity("seventeen"));
}

/* Certificate and key in one file, in either order, comments between. */
static void one_file(void **state)
{
	struct pl_tls_identity *identity;

	shell("{ echo hello; cat " DOMAIN ".valid.key; echo; "
	      "cat " DOMAIN ".valid.crt ca.crt; } > both.pem; "
	      "cat " DOMAIN ".valid.crt " DOMAIN ".valid.key > turn.pem");
	identity = pl_tls_identity_new(certs_path("both.pem"),
				       certs_path("both.pem"), NULL);
	assert_non_null(identity);
	pl_tls_identity_unref(identity);
	identity = pl_tls_identity_new(certs_path("turn.pem"),
				       certs_path("turn.pem"), NULL);
	assert_non_null(identity);
	pl_tls_identity_unref(identity);
}

static void no_trust(const char *file, const char *directory, const char *words)
{
	struct pl_error error = { 0 };
	struct pl_tls_trust *trust;

	trust = pl_tls_trust_new(file, directory, &error);
	if (trust != NULL || strstr(error.text, words) == NULL)
		print_error("%s: %s\n", file, error.text);
	assert_null(trust);
	assert_non_null(strstr(error.text, words));
}

static void trust_that_is_none(void **state)
{
	shell("mkdir -p dir; : > empty; mkdir -p plain; cp ca.crt plain; "
	      "head -c 300 ca.crt > cut-ca.crt; head -c 900 /dev/urandom > noise");
	no_trust(certs_path("none.crt"), NULL, "No such file");
	no_trust(certs_path("empty"), NULL, "holds no certificate");
	no_trust(certs_path("noise"), NULL, "holds no certificate");
	no_trust(certs_path("dir"), NULL, "dir");
	no_trust(certs_path("cut-ca.crt"), NULL, "cut-ca.crt");
	no_trust(certs_path(DOMAIN ".valid.key"), NULL, "no certificate");
	no_trust("", certs_path("none"), "No such file");
	no_trust(NULL, certs_path("dir"), "hashed name");
	no_trust(NULL, certs_path("plain"), "hashed name");
	no_trust(NULL, certs_path("ca.crt"), "Not a directory");
	no_trust(certs_path("ca.crt"), certs_path("dir"), "hashed name");
}

static enum pl_certificate verdict_under(struct pl_tls_trust *trust)
{
	struct pl_tls_identity *shown = load_identity(DOMAIN ".valid");
	struct pl_tls *a = initiate(trust, NULL, DOMAIN);
	struct pl_tls *b = receive(trust, shown);
	enum pl_certificate verdict;

	connect_pair(a, b);
	verdict = verdict_of(a, DOMAIN);
	pl_tls_free(a);
	pl_tls_free(b);
	pl_tls_identity_unref(shown);
	return verdict;
}

static void trust_of_all_kinds(void **state)
{
	struct pl_tls_trust *trust;

	shell("mkdir -p hashed; cp ca.crt hashed; openssl rehash hashed;"
	      "cat rogue-ca.crt " DOMAIN ".valid.key ca.crt > mixed.crt");
	trust = pl_tls_trust_new(certs_path("mixed.crt"), "", NULL);
	assert_non_null(trust);
	assert_int_equal(verdict_under(trust), PL_CERT_VALID);
	pl_tls_trust_unref(trust);
	trust = pl_tls_trust_new(NULL, certs_path("hashed"), NULL);
	assert_non_null(trust);
	assert_int_equal(verdict_under(trust), PL_CERT_VALID);
	pl_tls_trust_unref(trust);
	trust = pl_tls_trust_new(certs_path("rogue-ca.crt"),
				 certs_path("hashed"), NULL);
	assert_non_null(trust);
	assert_int_equal(verdict_under(trust), PL_CERT_VALID);
	pl_tls_trust_unref(trust);
	trust = pl_tls_trust_new(certs_path("rogue-ca.crt"), "", NULL);
	assert_non_null(trust);
	assert_int_equal(verdict_under(trust), PL_CERT_CHAIN_INCOMPLETE);
	pl_tls_trust_unref(trust);
}

/* Nobody's test CA is in the system's store. */
static void trust_of_the_system(void **state)
{
	struct pl_tls_trust *trust = pl_tls_trust_new(NULL, "", NULL);

	assert_non_null(trust);
	assert_int_equal(verdict_under(trust), PL_CERT_CHAIN_INCOMPLETE);
	pl_tls_trust_unref(trust);
}

/* One identity under two trusts, as around a reload: neither takes over the
 * other's anchors, and connections in being stay as they are. */
static void two_trusts(void **state)
{
	struct pl_tls_identity *shown = load_identity(DOMAIN ".valid");
	struct pl_tls_trust *good = load_trust("ca.crt");
	struct pl_tls_trust *bad = load_trust("rogue-ca.crt");

	for (int i = 0; i < 3; i++) {
		struct pl_tls *a = initiate(good, shown, DOMAIN);
		struct pl_tls *b = receive(bad, shown);

		connect_pair(a, b);
		assert_int_equal(verdict_of(a, DOMAIN), PL_CERT_VALID);
		assert_int_equal(verdict_of(b, DOMAIN),
				 PL_CERT_CHAIN_INCOMPLETE);
		pl_tls_free(a);
		pl_tls_free(b);
	}
	pl_tls_trust_unref(good);
	pl_tls_trust_unref(bad);
	pl_tls_identity_unref(shown);
}

/* A connection outlives the references that it was made with. */
static void connection_outlives(void **state)
{
	struct pl_tls_identity *shown = load_identity(DOMAIN ".valid");
	struct pl_tls_trust *trust = load_trust("ca.crt");
	struct pl_tls *a = initiate(trust, shown, DOMAIN);
	struct pl_tls *b = receive(trust, shown);

	pl_tls_trust_unref(trust);
	pl_tls_identity_unref(shown);
	connect_pair(a, b);
	assert_int_equal(verdict_of(a, DOMAIN), PL_CERT_VALID);
	pl_tls_free(a);
	pl_tls_free(b);
}

static int set_up(void **state)
{
	static const char *const words[] = {
		DOMAIN " valid", DOMAIN " server-eku-only",
		DOMAIN " client-eku-only", DOMAIN " no-eku", DOMAIN " expired",
		DOMAIN " intermediate", DOMAIN " weak-rsa1024",
		DOMAIN " sha1-sig", NULL };
	void *made = (void *)words;

	return make_certs(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_is_good_for),
		cmocka_unit_test(missing_files),
		cmocka_unit_test(broken_files),
		cmocka_unit_test(key_of_another),
		cmocka_unit_test(passphrase),
		cmocka_unit_test(weak),
		cmocka_unit_test(too_many),
		cmocka_unit_test(one_file),
		cmocka_unit_test(trust_that_is_none),
		cmocka_unit_test(trust_of_all_kinds),
		cmocka_unit_test(trust_of_the_system),
		cmocka_unit_test(two_trusts),
		cmocka_unit_test(connection_outlives),
	};

	return cmocka_run_group_tests(tests, set_up, remove_certs);
}
