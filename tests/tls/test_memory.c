/* OpenSSL runs out of memory, at one allocation after the other: nothing
 * crashes, and no certificate gets better by it. */
#include "support.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

#define DOMAIN "beta.example"

static long countdown = -1; /* allocations until one fails; -1: none does */

static bool fails(void)
{
	return countdown >= 0 && countdown-- == 0;
}

static void *our_malloc(size_t size, const char *file, int line)
{
	return fails() ? NULL : malloc(size);
}

static void *our_realloc(void *memory, size_t size, const char *file, int line)
{
	if (size == 0) {
		free(memory);
		return NULL;
	}
	return fails() ? NULL : realloc(memory, size);
}

static void our_free(void *memory, const char *file, int line)
{
	free(memory);
}

/* Moves bytes once in each direction; false when nothing moved. */
static bool step(struct pl_tls *a, struct pl_tls *b)
{
	struct pl_buffer bytes;
	bool any;

	pl_buffer_init(&bytes, 0);
	pl_tls_drain(a, &bytes);
	any = bytes.length > 0;
	pl_tls_feed(b, pl_buffer_bytes(&bytes), bytes.length);
	pl_buffer_finish(&bytes);
	pl_buffer_init(&bytes, 0);
	pl_tls_drain(b, &bytes);
	any = any || bytes.length > 0;
	pl_tls_feed(a, pl_buffer_bytes(&bytes), bytes.length);
	pl_buffer_finish(&bytes);
	return any;
}

/* Everything in the life of a connection; both show `name`. True when no
 * allocation was left to fail. */
static bool live(struct pl_tls_trust *trust, const char *name, long n)
{
	static const unsigned char digest[32];
	const struct pl_tls_dane dane = { 3, 1, 1, digest, sizeof digest };
	struct pl_tls_identity *shown = load_identity(name);
	struct pl_tls *a, *b;
	char byte;
	bool through;

	countdown = n;
	a = pl_tls_initiating(&(struct pl_tls_initiate){
		.trust = trust, .identity = shown, .domain = DOMAIN,
		.dane = &dane, .dane_count = (size_t)(n % 2) }, NULL);
	b = pl_tls_receiving(&(struct pl_tls_receive){
		.trust = trust, .identity = shown }, NULL);
	if (a != NULL && b != NULL) {
		pl_tls_start(b);
		pl_tls_start(a);
		for (int i = 0; i < 9 && step(a, b); i++)
			;
		assert_int_not_equal(verdict_of(a, DOMAIN), PL_CERT_VALID);
		assert_int_not_equal(verdict_of(b, DOMAIN), PL_CERT_VALID);
		assert_int_not_equal(verdict_of(a, "x.example"), PL_CERT_VALID);
		pl_tls_write(a, "x", 1);
		pl_tls_shutdown(a);
		step(a, b);
		pl_tls_read(b, &byte, 1);
		pl_tls_read(b, &byte, 1);
	}
	through = countdown >= 0;
	countdown = -1;
	pl_tls_free(a);
	pl_tls_free(b);
	pl_tls_identity_unref(shown);
	return through;
}

static void out_of_memory(void **state)
{
	static const char *const names[] = { DOMAIN ".self-signed",
					     DOMAIN ".expired",
					     DOMAIN ".client-eku-only",
					     DOMAIN ".wrong-name" };
	struct pl_tls_trust *trust = load_trust("ca.crt");
	size_t which = 0;

	/* Some thousand allocations: a prime stride still meets each kind. */
	for (long n = 0; !live(trust, names[which++ % 4], n); n += n < 200 ? 1 : 13)
		;
	pl_tls_trust_unref(trust);
}

static int set_up(void **state)
{
	static const char *const words[] = { DOMAIN " self-signed",
					     DOMAIN " expired",
					     DOMAIN " client-eku-only",
					     DOMAIN " wrong-name", NULL };
	void *made = (void *)words;

	return make_certs(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(out_of_memory),
	};

	if (!CRYPTO_set_mem_functions(our_malloc, our_realloc, our_free))
		return 1;
	return cmocka_run_group_tests(tests, set_up, remove_certs);
}
