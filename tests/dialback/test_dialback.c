/* Keys against published and own vectors; what must not pass as a key. */
#include "parley/dialback.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

struct vector {
	const char *secret, *receiving, *originating, *stream_id, *key;
};

/* 1 to 3 are the examples of XEP-0185 (the first) and XEP-0220. */
static const struct vector vectors[] = {
	{ "s3cr3tf0rd14lb4ck", "xmpp.example.com", "example.org", "D60000229F",
	  "37c69b1cf07a3f67c04a5ef5902fa5114f2c76fe4a2686482ba5b89323075643" },
	{ "s3cr3tf0rd14lb4ck", "montague.example", "capulet.example",
	  "D60000229F",
	  "b4835385f37fe2895af6c196b59097b16862406db80559900d96bf6fa7d23df3" },
	{ "d14lb4ck43v3r", "capulet.example", "montague.example", "417GAF25",
	  "225cc5aa6a071133249d25fef42ae516fc7a86c523aa1c6980a7f73e784c972d" },
	{ "alpha-dialback-secret", "beta.example", "alpha.example", "b-0001",
	  "0dfdf153dfd2da83e696f8f9f0a02bff09271db0f4480355d3532ca5286a95cf" },
	{ "alpha-dialback-secret", "beta.example", "alpha.example", "b-0002",
	  "153674de2f2c783bcdddca1de22f8c626a2f72131f3f3743b504aa2c27e36c64" },
	{ "alpha-dialback-secret", "beta.example", "rooms.alpha.example",
	  "b-0002",
	  "40d74a938d6c8224e262db12a0c93f03ec60878553d2c5ed93a124f2866106f7" },
	{ "alpha-dialback-secret", "chat.beta.example", "alpha.example",
	  "b-0002",
	  "696eed625944681b711f28b65085034b96c46fd8f6f22606a724be8d1873bf63" },
	{ "beta-dialback-secret", "alpha.example", "chat.beta.example",
	  "b-0002",
	  "721a64b5598849541dd6d17cdeddc71e2292a8119c32e8eb9d0e973f80f97b95" },
};

enum { VECTORS = sizeof vectors / sizeof *vectors };

static void use(struct pl_dialback *dialback, const char *secret)
{
	struct pl_error error = { 0 };

	if (!pl_dialback_init(dialback, secret, strlen(secret), &error))
		fail_msg("%s", error.text);
}

static void the_vectors_come_out(void **state)
{
	struct pl_dialback dialback;
	char key[PL_DIALBACK_KEY_SIZE];

	for (size_t i = 0; i < VECTORS; i++) {
		const struct vector *v = &vectors[i];

		use(&dialback, v->secret);
		assert_true(pl_dialback_key(&dialback, v->receiving,
					    v->originating, v->stream_id,
					    key));
		assert_string_equal(key, v->key);
		assert_true(pl_dialback_check(&dialback, v->receiving,
					      v->originating, v->stream_id,
					      v->key, strlen(v->key)));
		pl_dialback_finish(&dialback);
	}
}

static void the_hmac_key_is_the_hex_text(void **state)
{
	/* Row 3 as it would be with the 32 raw bytes of the digest. */
	static const char wrong[] =
		"be00cf342f89707752799cc0edb721a6"
		"7c0dd1b1811e50f3db6145eff10deeaa";
	struct pl_dialback dialback;

	use(&dialback, "s3cr3tf0rd14lb4ck");
	assert_string_equal(dialback.hmac_key,
			    "a7136eb1f46c9ef18c5e78c36ca25706"
			    "7c69b3d518285f0b18a96c33beae9acc");
	use(&dialback, "d14lb4ck43v3r");
	assert_false(pl_dialback_check(&dialback, vectors[2].receiving,
				       vectors[2].originating,
				       vectors[2].stream_id, wrong, 64));
}

/* Each vector's key is good for its own row only. */
static void a_key_is_good_for_one_pair_and_stream(void **state)
{
	struct pl_dialback dialback;

	for (size_t i = 0; i < VECTORS; i++) {
		use(&dialback, vectors[i].secret);
		for (size_t j = 0; j < VECTORS; j++)
			assert_int_equal(
				pl_dialback_check(&dialback,
						  vectors[i].receiving,
						  vectors[i].originating,
						  vectors[i].stream_id,
						  vectors[j].key, 64),
				i == j);
		/* the two domains in the wrong order */
		assert_false(pl_dialback_check(&dialback,
					       vectors[i].originating,
					       vectors[i].receiving,
					       vectors[i].stream_id,
					       vectors[i].key, 64));
	}
}

static bool row4(const struct pl_dialback *dialback, const char *key,
		 size_t length)
{
	return pl_dialback_check(dialback, "beta.example", "alpha.example",
				 "b-0001", key, length);
}

static void only_the_exact_bytes_pass(void **state)
{
	struct pl_dialback dialback;
	char key[80] = { 0 }, *exact;

	use(&dialback, vectors[3].secret);
	strcpy(key, vectors[3].key);
	assert_true(row4(&dialback, key, 64));
	for (size_t length = 0; length < 64; length++)
		assert_false(row4(&dialback, key, length));
	assert_false(row4(&dialback, key, 65)); /* a NUL behind it */
	key[64] = '0';
	for (size_t length = 65; length < 70; length++)
		assert_false(row4(&dialback, key, length));
	assert_false(row4(&dialback, key, SIZE_MAX));
	for (size_t i = 0; i < 64; i++) {
		key[i] ^= 1;
		assert_false(row4(&dialback, key, 64));
		key[i] ^= 1;
	}
	key[1] = 'D'; /* upper-case: we never make that */
	assert_false(row4(&dialback, key, 64));
	assert_false(row4(&dialback, NULL, 0));
	/* no byte beyond the length is read (the sanitizer looks) */
	exact = malloc(64);
	memcpy(exact, vectors[3].key, 64);
	assert_true(row4(&dialback, exact, 64));
	free(exact);
}

static void a_space_cannot_move_between_the_fields(void **state)
{
	struct pl_dialback dialback;
	char key[PL_DIALBACK_KEY_SIZE];

	use(&dialback, "secret");
	assert_false(pl_dialback_key(&dialback, "a b", "c", "id", key));
	assert_string_equal(key, "");
	assert_false(pl_dialback_key(&dialback, "a", "b c", "id", key));
	assert_false(pl_dialback_key(&dialback, "", "b", "id", key));
	assert_false(pl_dialback_key(&dialback, "a", "", "id", key));
	assert_false(pl_dialback_key(&dialback, "a", "b", "", key));
	assert_true(pl_dialback_key(&dialback, "a", "b", "i d", key));
}

static void names_beyond_ascii_are_bytes(void **state)
{
	struct pl_dialback dialback;
	char key[PL_DIALBACK_KEY_SIZE], ascii[PL_DIALBACK_KEY_SIZE];

	use(&dialback, "secret");
	assert_true(pl_dialback_key(&dialback, "b\xc3\xbc" "cher.example",
				    "a.example", "1", key));
	assert_true(pl_dialback_key(&dialback, "xn--bcher-kva.example",
				    "a.example", "1", ascii));
	assert_string_not_equal(key, ascii);
}

static void random_secrets_differ(void **state)
{
	struct pl_dialback a, b;
	char key[PL_DIALBACK_KEY_SIZE];

	assert_true(pl_dialback_init_random(&a, NULL));
	assert_true(pl_dialback_init_random(&b, NULL));
	assert_string_not_equal(a.hmac_key, b.hmac_key);
	assert_int_equal(strlen(a.hmac_key), 64);
	assert_true(pl_dialback_key(&a, "x", "y", "1", key));
	assert_true(pl_dialback_check(&a, "x", "y", "1", key, 64));
	assert_false(pl_dialback_check(&b, "x", "y", "1", key, 64));
}

static void an_empty_secret_is_refused(void **state)
{
	struct pl_dialback dialback;
	struct pl_error error = { 0 };

	assert_false(pl_dialback_init(&dialback, "", 0, &error));
	assert_string_equal(error.text, "the dialback secret is empty");
}

static void a_secret_may_hold_any_bytes(void **state)
{
	struct pl_dialback a, b;

	assert_true(pl_dialback_init(&a, "a\0b", 3, NULL));
	assert_true(pl_dialback_init(&b, "a\0c", 3, NULL));
	assert_string_not_equal(a.hmac_key, b.hmac_key);
}

static void finish_leaves_nothing(void **state)
{
	static const struct pl_dialback zero;
	struct pl_dialback dialback;
	char key[PL_DIALBACK_KEY_SIZE];

	use(&dialback, "secret");
	pl_dialback_finish(&dialback);
	assert_memory_equal(&dialback, &zero, sizeof zero);
	/* and no key is made of nothing */
	assert_false(pl_dialback_key(&dialback, "x", "y", "1", key));
	pl_dialback_finish(&dialback);
	assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vectors_come_out),
		cmocka_unit_test(the_hmac_key_is_the_hex_text),
		cmocka_unit_test(a_key_is_good_for_one_pair_and_stream),
		cmocka_unit_test(only_the_exact_bytes_pass),
		cmocka_unit_test(a_space_cannot_move_between_the_fields),
		cmocka_unit_test(names_beyond_ascii_are_bytes),
		cmocka_unit_test(random_secrets_differ),
		cmocka_unit_test(an_empty_secret_is_refused),
		cmocka_unit_test(a_secret_may_hold_any_bytes),
		cmocka_unit_test(finish_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
