/*
 * What a mutual TLS 1.3 handshake costs with OpenSSL and nothing else: two
 * engines over memory BIOs in one thread, certificates of both sides looked
 * at, no tickets. Every other negotiation can be held against it.
 */
#include "bench.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <time.h>

enum { WARM_UP = 50, STEPS = 20 };

struct side {
	SSL_CTX *context;
	SSL *ssl;
	double us;
};

static double thread_us(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (double)used.tv_sec * 1e6 + (double)used.tv_nsec / 1e3;
}

static bool load(struct side *side, const struct bench_options *o,
		 const SSL_METHOD *method)
{
	SSL_CTX *context = SSL_CTX_new(method);

	side->context = context;
	if (context == NULL ||
	    SSL_CTX_use_certificate_chain_file(context, o->certificate) != 1 ||
	    SSL_CTX_use_PrivateKey_file(context, o->private_key,
					SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_load_verify_locations(context, o->ca_file, NULL) != 1)
		return false;
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER |
			   SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(context, 0);
	return SSL_CTX_set_session_id_context(context,
					      (const unsigned char *)"bench",
					      5) == 1;
}

static bool start(struct side *side)
{
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

	side->ssl = SSL_new(side->context);
	if (side->ssl == NULL || in == NULL || out == NULL) {
		BIO_free(in);
		BIO_free(out);
		return false;
	}
	SSL_set_bio(side->ssl, in, out);
	return true;
}

/* One turn of one side: takes what came, goes on, passes its answer over. */
static bool turn(struct side *side, struct side *other)
{
	char *bytes;
	long length;
	int result = SSL_do_handshake(side->ssl);

	length = BIO_get_mem_data(SSL_get_wbio(side->ssl), &bytes);
	if (length > 0) {
		BIO_write(SSL_get_rbio(other->ssl), bytes, (int)length);
		(void)BIO_reset(SSL_get_wbio(side->ssl));
	}
	return result == 1 || SSL_get_error(side->ssl, result) ==
				      SSL_ERROR_WANT_READ;
}

static bool timed(struct side *side, bool (*call)(struct side *side,
						   struct side *other),
		  struct side *other)
{
	double before = thread_us();
	bool good = call(side, other);

	side->us += thread_us() - before;
	return good;
}

static bool begin(struct side *side, struct side *other)
{
	(void)other;
	return start(side);
}

static bool end(struct side *side, struct side *other)
{
	(void)other;
	SSL_free(side->ssl);
	side->ssl = NULL;
	return true;
}

static bool handshake(struct side *initiating, struct side *receiving)
{
	bool good = timed(initiating, begin, NULL) &&
		    timed(receiving, begin, NULL);

	if (good) {
		SSL_set_connect_state(initiating->ssl);
		SSL_set_accept_state(receiving->ssl);
	}
	for (unsigned i = 0; good && i < STEPS &&
	     !(SSL_is_init_finished(initiating->ssl) &&
	       SSL_is_init_finished(receiving->ssl)); i++)
		good = timed(initiating, turn, receiving) &&
		       timed(receiving, turn, initiating);
	good = good && SSL_is_init_finished(receiving->ssl);
	timed(initiating, end, NULL);
	timed(receiving, end, NULL);
	return good;
}

static void show(const struct bench_options *o, double initiating,
		 double receiving)
{
	if (o->json)
		cli_print_json(json_pack("{s:s,s:i,s:f,s:f,s:f}",
			"bench", o->name, "count", (int)o->count,
			"receiving_us", receiving, "initiating_us", initiating,
			"both_us", initiating + receiving));
	else
		printf("%u handshakes: receiving side %.0f us, initiating side "
		       "%.0f us, both %.0f us CPU\n", o->count, receiving,
		       initiating, initiating + receiving);
}

int bench_handshake(const struct bench_options *options)
{
	struct side initiating = { .us = 0 }, receiving = { .us = 0 };
	int status = CLI_INCOMPLETE;
	bool good = load(&initiating, options, TLS_client_method()) &&
		    load(&receiving, options, TLS_server_method());

	for (unsigned i = 0; good && i < WARM_UP + options->count; i++) {
		if (i == WARM_UP)
			initiating.us = receiving.us = 0;
		good = handshake(&initiating, &receiving);
	}
	if (good) {
		show(options, initiating.us / options->count,
		     receiving.us / options->count);
		status = CLI_OK;
	} else {
		char why[200] = "OpenSSL gives no reason";

		if (ERR_peek_last_error() != 0)
			ERR_error_string_n(ERR_peek_last_error(), why,
					   sizeof why);
		fprintf(stderr, "parley bench: the handshake: %s\n", why);
	}
	SSL_CTX_free(initiating.context);
	SSL_CTX_free(receiving.context);
	return status;
}
