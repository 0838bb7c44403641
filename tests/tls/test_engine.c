/* The engine: handshakes, data, endings, and peers that do not play along. */
#include "support.h"

#include <malloc.h>
#if defined(__SANITIZE_ADDRESS__)
size_t __sanitizer_get_current_allocated_bytes(void);
#endif

#include <openssl/err.h>

#define DOMAIN "beta.example"
#define U_DOMAIN "b\xc3\xbc" "cher.example"
#define A_DOMAIN "xn--bcher-kva.example"

static struct pl_tls_trust *trust;
static struct pl_tls_identity *sound, *international;

static void expect_failure(struct pl_tls *tls, enum pl_tls_failure kind,
			   bool alert, const char *words)
{
	bool refused = !alert;

	if (pl_tls_status(tls) != PL_TLS_FAILED ||
	    pl_tls_failure(tls, &refused) != kind ||
	    strstr(pl_tls_failure_text(tls), words) == NULL)
		print_error("status %d, failure %d, \"%s\"\n",
			    pl_tls_status(tls), pl_tls_failure(tls, &refused),
			    pl_tls_failure_text(tls));
	assert_int_equal(pl_tls_status(tls), PL_TLS_FAILED);
	assert_int_equal(pl_tls_failure(tls, &refused), kind);
	assert_int_equal(refused, alert);
	assert_non_null(strstr(pl_tls_failure_text(tls), words));
	assert_false(pl_tls_write(tls, "x", 1));
}

/* What the engine has to send; freed by the caller. */
static struct pl_buffer drained(struct pl_tls *tls)
{
	struct pl_buffer bytes;

	pl_buffer_init(&bytes, 0);
	assert_true(pl_tls_drain(tls, &bytes));
	return bytes;
}

static void drop_output(struct pl_tls *tls)
{
	struct pl_buffer bytes = drained(tls);

	pl_buffer_finish(&bytes);
}

/* Does it send exactly this alert, in clear? */
static void expect_alert(struct pl_tls *tls, int alert)
{
	struct pl_buffer bytes = drained(tls);
	const unsigned char *b = pl_buffer_bytes(&bytes);

	assert_int_equal(bytes.length, 7);
	assert_int_equal(b[0], SSL3_RT_ALERT);
	assert_int_equal(b[5], SSL3_AL_FATAL);
	assert_int_equal(b[6], alert);
	pl_buffer_finish(&bytes);
}

static void expect_data(struct pl_tls *tls, const char *text)
{
	char got[1000];
	size_t used = 0, n;

	while ((n = pl_tls_read(tls, got + used, sizeof got - 1 - used)) > 0)
		used += n;
	got[used] = '\0';
	assert_string_equal(got, text);
}

static void free_pair(struct pl_tls *a, struct pl_tls *b)
{
	pl_tls_free(a);
	pl_tls_free(b);
}

/* ----- handshakes ----- */

static void facts_of_a_pair(void **state)
{
	struct pl_tls *a = initiate(trust, sound, DOMAIN);
	struct pl_tls *b = receive(trust, sound);
	struct pl_tls_facts facts;

	pl_tls_facts(a, &facts); /* before anything */
	assert_string_equal(facts.group, "");
	assert_false(facts.certificate);
	connect_pair(a, b);
	pl_tls_facts(a, &facts);
	assert_string_equal(facts.group, "x25519");
	assert_string_equal(facts.sni, DOMAIN);
	assert_true(facts.certificate);
	assert_non_null(strstr(facts.issuer, "CN="));
	assert_true(facts.sans_count >= 1);
	assert_string_equal(facts.sans[0], "DNS:" DOMAIN);
	assert_int_equal(facts.not_after, pl_tls_peer_not_after(a));
	assert_true(facts.not_before > 0);
	assert_int_equal(strlen(facts.sha256), 64);
	assert_int_equal(facts.chain_length, 1);
	assert_false(facts.dane);
	pl_tls_facts(b, &facts);
	assert_string_equal(facts.sni, DOMAIN);
	assert_int_equal(facts.chain_length, 1);
	free_pair(a, b);
}

static void handshake(void **state)
{
	struct pl_tls *a = initiate(trust, sound, DOMAIN);
	struct pl_tls *b = receive(trust, sound);
	bool alert = true;

	connect_pair(a, b);
	assert_string_equal(pl_tls_version(a), "TLSv1.3");
	assert_string_equal(pl_tls_version(b), "TLSv1.3");
	assert_string_equal(pl_tls_cipher(a), "TLS_AES_256_GCM_SHA384");
	assert_string_equal(pl_tls_cipher(b), "TLS_AES_256_GCM_SHA384");
	assert_string_equal(pl_tls_alpn(a), "xmpp-server");
	assert_string_equal(pl_tls_alpn(b), "xmpp-server");
	assert_string_equal(pl_tls_failure_text(a), "");
	pl_tls_failure(a, &alert);
	assert_false(alert);
	/* Starting again does nothing. */
	assert_int_equal(pl_tls_start(a), PL_TLS_READY);
	free_pair(a, b);
}

static void cut_anywhere(void **state)
{
	static const size_t chunks[] = { 1, 2, 3, 5, 7, 100, 1000 };

	for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
		struct pl_tls *a = initiate(trust, sound, DOMAIN);
		struct pl_tls *b = receive(trust, sound);

		pl_tls_start(b);
		pl_tls_start(a);
		shuttle(a, b, chunks[i]);
		assert_int_equal(pl_tls_status(a), PL_TLS_READY);
		assert_int_equal(pl_tls_status(b), PL_TLS_READY);
		assert_true(pl_tls_write(a, "hello", 5));
		pl_tls_shutdown(a);
		shuttle(a, b, chunks[i]);
		expect_data(b, "hello");
		assert_int_equal(pl_tls_status(b), PL_TLS_PEER_DONE);
		assert_int_equal(verdict_of(a, DOMAIN), PL_CERT_VALID);
		assert_int_equal(verdict_of(b, DOMAIN), PL_CERT_VALID);
		free_pair(a, b);
	}
}

/* ----- names within the handshake ----- */

struct choice {
	int asked;
	char sni[256];
	struct pl_tls_identity *identity;
};

static struct pl_tls_identity *choose(void *owner, const char *sni)
{
	struct choice *choice = owner;

	choice->asked++;
	snprintf(choice->sni, sizeof choice->sni, "%s",
		 sni != NULL ? sni : "(none)");
	return choice->identity;
}

static struct pl_tls *receive_choosing(struct choice *choice)
{
	struct pl_error error = { 0 };
	struct pl_tls *tls = pl_tls_receiving(&(struct pl_tls_receive){
		.trust = trust, .identity = sound, .choose = choose,
		.owner = choice }, &error);

	assert_non_null(tls);
	return tls;
}

static void sni_chooses(void **state)
{
	struct choice choice = { .identity = international };
	struct pl_tls *a = initiate(trust, sound, U_DOMAIN);
	struct pl_tls *b = receive_choosing(&choice);

	connect_pair(a, b);
	assert_int_equal(choice.asked, 1);
	assert_string_equal(choice.sni, U_DOMAIN);
	assert_int_equal(verdict_of(a, U_DOMAIN), PL_CERT_VALID);
	assert_int_equal(verdict_of(a, A_DOMAIN), PL_CERT_VALID);
	assert_int_equal(verdict_of(a, DOMAIN), PL_CERT_WRONG_NAME);
	/* The client certificate is asked for and judged all the same. */
	assert_int_equal(verdict_of(b, DOMAIN), PL_CERT_VALID);
	assert_string_equal(pl_tls_alpn(b), "xmpp-server");
	free_pair(a, b);

	choice.identity = NULL;
	a = initiate(trust, sound, U_DOMAIN);
	b = receive_choosing(&choice);
	connect_pair(a, b);
	assert_int_equal(verdict_of(a, U_DOMAIN), PL_CERT_WRONG_NAME);
	assert_int_equal(verdict_of(a, DOMAIN), PL_CERT_VALID);
	free_pair(a, b);
}

/* ----- secrets ----- */

struct told {
	unsigned lines;
	char first[200];
	bool server_handshake, client_traffic;
};

static void note_secret(void *owner, const char *line)
{
	struct told *told = owner;

	if (told->lines++ == 0)
		snprintf(told->first, sizeof told->first, "%s", line);
	if (strncmp(line, "SERVER_HANDSHAKE_TRAFFIC_SECRET ", 32) == 0)
		told->server_handshake = true;
	if (strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24) == 0)
		told->client_traffic = true;
}

/* Connections share contexts: only those that were asked to tell. */
static void secrets_are_told_where_asked(void **state)
{
	struct choice choice = { .identity = international };
	struct told of_a = { 0 }, of_b = { 0 };
	struct pl_tls *a, *b;

	a = initiate(trust, sound, DOMAIN);
	b = receive(trust, sound);
	pl_tls_tell_secrets(a, note_secret, &of_a);
	connect_pair(a, b);
	assert_true(of_a.server_handshake && of_a.client_traffic);
	assert_null(strchr(of_a.first, '\n'));
	free_pair(a, b);

	/* With the same identity, so the same context: nothing is told. */
	of_a.lines = 0;
	a = initiate(trust, sound, DOMAIN);
	b = receive(trust, sound);
	connect_pair(a, b);
	assert_int_equal(of_a.lines, 0);
	free_pair(a, b);

	/* SNI changes the context within the handshake. */
	a = initiate(trust, sound, U_DOMAIN);
	b = receive_choosing(&choice);
	pl_tls_tell_secrets(b, note_secret, &of_b);
	connect_pair(a, b);
	assert_true(of_b.server_handshake && of_b.client_traffic);
	assert_int_equal(of_a.lines, 0);
	free_pair(a, b);
}

/* Most peers send none, and an address is none (RFC 6066 3). */
static void without_sni(void **state)
{
	struct choice choice = { .identity = NULL };
	struct pl_tls *a = initiate(trust, sound, "127.0.0.1");
	struct pl_tls *b = receive_choosing(&choice);

	connect_pair(a, b);
	assert_int_equal(choice.asked, 1);
	assert_string_equal(choice.sni, "(none)");
	assert_int_equal(verdict_of(a, "127.0.0.1"), PL_CERT_WRONG_NAME);
	free_pair(a, b);
}

static void strange_sni(void **state)
{
	static const char *const names[] = { "a b", "x@y", "-", "a..b", "*.x",
					     "\x01", "<script>", "10.0.0.1" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct choice choice = { .identity = NULL };
		struct pl_tls *b = receive_choosing(&choice);
		SSL_CTX *context = raw_context(NULL);
		SSL *raw = raw_peer(context, false);

		SSL_set_tlsext_host_name(raw, names[i]);
		pl_tls_start(b);
		shuttle_raw(b, raw);
		assert_int_equal(pl_tls_status(b), PL_TLS_READY);
		if (i + 1 < sizeof names / sizeof *names)
			assert_string_equal(choice.sni, "(none)");
		pl_tls_free(b);
		SSL_free(raw);
		SSL_CTX_free(context);
	}
}

static void alpn_of_peers(void **state)
{
	static const struct {
		const char *offer;
		unsigned length;
		const char *selected; /* NULL: refused */
	} offers[] = {
		{ "", 0, "" },
		{ "\x0bxmpp-server", 12, "xmpp-server" },
		{ "\x02h2\x0bxmpp-server", 15, "xmpp-server" },
		{ "\x0bxmpp-client\x0bxmpp-server", 24, "xmpp-server" },
		{ "\x0bxmpp-client", 12, NULL },
		{ "\x02h2\x08http/1.1", 12, NULL },
		{ "\x0axmpp-serve", 11, NULL },
		{ "\x0cxmpp-servers", 13, NULL },
		{ "\x0cxxmpp-server", 13, NULL },
		{ "\x0d\x0bxmpp-server\x01", 14, NULL },
	};

	for (size_t i = 0; i < sizeof offers / sizeof *offers; i++) {
		struct pl_tls *b = receive(trust, sound);
		SSL_CTX *context = raw_context(NULL);
		SSL *raw = raw_peer(context, false);

		if (offers[i].length > 0)
			SSL_set_alpn_protos(raw, (const void *)offers[i].offer,
					    offers[i].length);
		pl_tls_start(b);
		if (offers[i].selected != NULL) {
			shuttle_raw(b, raw);
			assert_int_equal(pl_tls_status(b), PL_TLS_READY);
			assert_string_equal(pl_tls_alpn(b), offers[i].selected);
		} else {
			char hello[2000];
			int n;

			SSL_do_handshake(raw);
			n = BIO_read(SSL_get_wbio(raw), hello, sizeof hello);
			pl_tls_feed(b, hello, (size_t)n);
			expect_failure(b, PL_TLS_OTHER, false,
				       "no application protocol");
			expect_alert(b, SSL_AD_NO_APPLICATION_PROTOCOL);
		}
		pl_tls_free(b);
		SSL_free(raw);
		SSL_CTX_free(context);
	}
}

static void receiving_peer_without_alpn(void **state)
{
	struct pl_tls *a = initiate(trust, sound, DOMAIN);
	SSL_CTX *context = raw_context(DOMAIN ".valid");
	SSL *raw = raw_peer(context, true);

	pl_tls_start(a);
	shuttle_raw(a, raw);
	assert_int_equal(pl_tls_status(a), PL_TLS_READY);
	assert_string_equal(pl_tls_alpn(a), "");
	assert_string_equal(SSL_get_servername(raw, TLSEXT_NAMETYPE_host_name),
			    DOMAIN);
	pl_tls_free(a);
	SSL_free(raw);
	SSL_CTX_free(context);
}

/* Peers choose among several certificates by the list of CAs: an empty one
 * leaves the choice to them. */
static void asks_for_any_certificate(void **state)
{
	struct pl_tls *b = receive(trust, sound);
	SSL_CTX *context = raw_context(DOMAIN ".valid");
	SSL *raw = raw_peer(context, false);

	SSL_set_max_proto_version(raw, TLS1_2_VERSION);
	pl_tls_start(b);
	shuttle_raw(b, raw);
	assert_int_equal(pl_tls_status(b), PL_TLS_READY);
	assert_string_equal(pl_tls_version(b), "TLSv1.2");
	assert_int_equal(sk_X509_NAME_num(SSL_get0_peer_CA_list(raw)), 0);
	assert_int_equal(verdict_of(b, DOMAIN), PL_CERT_VALID);
	pl_tls_free(b);
	SSL_free(raw);
	SSL_CTX_free(context);
}

/* ----- versions and things that are no TLS ----- */

static void old_versions(void **state)
{
	static const int versions[] = { TLS1_VERSION, TLS1_1_VERSION };

	for (int i = 0; i < 4; i++) {
		bool server = i >= 2;
		struct pl_tls *tls = server ? initiate(trust, sound, DOMAIN)
					    : receive(trust, sound);
		SSL_CTX *context = raw_context(DOMAIN ".valid-rsa");
		SSL *raw = raw_peer(context, server);

		SSL_set_max_proto_version(raw, versions[i % 2]);
		pl_tls_start(tls);
		shuttle_raw(tls, raw);
		expect_failure(tls, PL_TLS_VERSION, false, "");
		assert_int_not_equal(SSL_is_init_finished(raw), 1);
		pl_tls_free(tls);
		SSL_free(raw);
		SSL_CTX_free(context);
	}
}

static void fed(struct pl_tls *tls, const void *bytes, size_t length, bool split)
{
	const unsigned char *b = bytes;

	pl_tls_start(tls);
	drop_output(tls);
	if (!split)
		pl_tls_feed(tls, b, length);
	for (size_t i = 0; split && i < length; i++)
		pl_tls_feed(tls, b + i, 1);
}

static void feed_failing(const void *bytes, size_t length,
			 enum pl_tls_failure kind, const char *words)
{
	for (int i = 0; i < 4; i++) {
		struct pl_tls *tls = i < 2 ? initiate(trust, sound, DOMAIN)
					   : receive(trust, sound);

		fed(tls, bytes, length, i % 2 == 1);
		expect_failure(tls, kind, false, words);
		pl_tls_free(tls);
	}
}

/* To the initiating side; OpenSSL reads no alert in place of a ClientHello. */
static void alert_failing(const void *record, enum pl_tls_failure kind,
			  const char *words)
{
	for (int i = 0; i < 2; i++) {
		struct pl_tls *a = initiate(trust, sound, DOMAIN);

		fed(a, record, 7, i == 1);
		expect_failure(a, kind, kind == PL_TLS_ALERT_CERT, words);
		pl_tls_free(a);
	}
}

static void version_alerts(void **state)
{
	alert_failing("\x15\x03\x01\x00\x02\x02\x46", PL_TLS_VERSION,
		     "alert protocol version");
	alert_failing("\x15\x03\x03\x00\x02\x02\x56", PL_TLS_VERSION,
		     "alert inappropriate fallback");
	alert_failing("\x15\x03\x00\x00\x02\x02\x28", PL_TLS_OTHER,
		     "alert handshake failure");
	alert_failing("\x15\x03\x03\x00\x02\x02\x78", PL_TLS_OTHER,
		     "alert no application protocol");
	alert_failing("\x15\x03\x03\x00\x02\x01\x00", PL_TLS_CLOSED,
		     "closed during the handshake");
}

/* A ClientHello of SSL 2 */
static void ssl_2(void **state)
{
	static const unsigned char hello[] = {
		0x80, 0x2e, 0x01, 0x00, 0x02, 0x00, 0x15, 0x00, 0x00, 0x00,
		0x10, 0x01, 0x00, 0x80, 0x02, 0x00, 0x80, 0x03, 0x00, 0x80,
		0x04, 0x00, 0x80, 0x05, 0x00, 0x80, 0x06, 0x00, 0x40, 0x07,
		0x00, 0xc0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
		16,
	};
	struct pl_tls *b = receive(trust, sound);

	fed(b, hello, sizeof hello, false);
	expect_failure(b, PL_TLS_VERSION, false, "");
	pl_tls_free(b);
}

static void no_tls(void **state)
{
	static const char *const texts[] = {
		"<?xml version='1.0'?><stream:stream xmlns='jabber:server'>",
		"<stream:stream>", "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"CONNECT beta.example:443 HTTP/1.1\r\n\r\n",
		"HTTP/1.1 400 Bad Request\r\n\r\n",
		"SSH-2.0-OpenSSH_9.2\r\n", "220 mail.example ESMTP\r\n",
		"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b",
		"\x16<stream/>", "\x16\x02\x01\x01\x01\x01\x01\x01",
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		feed_failing(texts[i], strlen(texts[i]), PL_TLS_NOT_SPOKEN, "");
}

/* Too few bytes for OpenSSL to say anything. */
static void short_and_gone(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		enum pl_tls_failure kind;
	} cuts[] = {
		{ "", 0, PL_TLS_CLOSED },
		{ "<", 1, PL_TLS_NOT_SPOKEN },
		{ "<a/>", 4, PL_TLS_NOT_SPOKEN },
		{ "\x16", 1, PL_TLS_CLOSED },
		{ "\x16\x03", 2, PL_TLS_CLOSED },
		{ "\x16\x03\x01\x02\x00\x01", 6, PL_TLS_CLOSED },
	};

	for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
		struct pl_tls *b = receive(trust, sound);

		fed(b, cuts[i].bytes, cuts[i].length, false);
		assert_int_equal(pl_tls_status(b), PL_TLS_HANDSHAKING);
		assert_int_equal(pl_tls_eof(b), PL_TLS_FAILED);
		expect_failure(b, cuts[i].kind, false, "closed during");
		/* It stays that way. */
		assert_int_equal(pl_tls_eof(b), PL_TLS_FAILED);
		assert_int_equal(pl_tls_feed(b, "x", 1), PL_TLS_FAILED);
		assert_int_equal(pl_tls_start(b), PL_TLS_FAILED);
		pl_tls_free(b);
	}
}

/* TCP may end at any byte of the handshake. */
static void cut_handshake(void **state)
{
	for (size_t keep = 1; keep < 2500; keep += keep < 16 ? 1 : 101) {
		struct pl_tls *a = initiate(trust, sound, DOMAIN);
		struct pl_tls *b = receive(trust, sound);
		struct pl_buffer bytes;

		pl_tls_start(a);
		bytes = drained(a);
		pl_tls_feed(b, pl_buffer_bytes(&bytes), bytes.length);
		pl_buffer_finish(&bytes);
		bytes = drained(b);
		if (keep < bytes.length) {
			pl_tls_feed(a, pl_buffer_bytes(&bytes), keep);
			assert_int_equal(pl_tls_status(a), PL_TLS_HANDSHAKING);
			pl_tls_eof(a);
			expect_failure(a, PL_TLS_CLOSED, false, "closed");
			pl_tls_eof(b);
			expect_failure(b, PL_TLS_CLOSED, false, "closed");
		}
		pl_buffer_finish(&bytes);
		free_pair(a, b);
	}
}

/* ----- our certificate refused ----- */

static int refuse(int ok, X509_STORE_CTX *ctx)
{
	const int *error = SSL_get_app_data((SSL *)
		X509_STORE_CTX_get_ex_data(ctx,
			SSL_get_ex_data_X509_STORE_CTX_idx()));

	X509_STORE_CTX_set_error(ctx, *error);
	return 0;
}

static const struct {
	int error; /* of the peer's validation, which makes the alert */
	const char *words;
} refusals[] = {
	{ X509_V_ERR_CERT_HAS_EXPIRED, "alert certificate expired" },
	{ X509_V_ERR_CERT_REVOKED, "alert certificate revoked" },
	{ X509_V_ERR_INVALID_PURPOSE, "alert unsupported certificate" },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "alert unknown CA" },
	{ X509_V_ERR_CERT_REJECTED, "alert bad certificate" },
	{ X509_V_ERR_APPLICATION_VERIFICATION, "" },
};

/* In TLS 1.3 our handshake is complete by then, in 1.2 it is not. */
static void refused_by_receiving(int version)
{
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		struct pl_tls *a = initiate(trust, sound, DOMAIN);
		SSL_CTX *context = raw_context(DOMAIN ".valid");
		SSL *raw = raw_peer(context, true);
		char byte;

		SSL_set_max_proto_version(raw, version);
		SSL_set_app_data(raw, (void *)&refusals[i].error);
		SSL_set_verify(raw, SSL_VERIFY_PEER, refuse);
		pl_tls_start(a);
		shuttle_raw(a, raw);
		assert_int_equal(pl_tls_read(a, &byte, 1), 0);
		if (i + 1 < sizeof refusals / sizeof *refusals)
			expect_failure(a, PL_TLS_ALERT_CERT, true,
				       refusals[i].words);
		/* Theirs was fine: "bad for them" is not "bad for us". */
		if (version == TLS1_3_VERSION)
			assert_int_equal(verdict_of(a, DOMAIN), PL_CERT_VALID);
		assert_int_equal(pl_tls_eof(a), PL_TLS_FAILED);
		pl_tls_free(a);
		SSL_free(raw);
		SSL_CTX_free(context);
	}
}

static void refused_late(void **state)
{
	refused_by_receiving(TLS1_3_VERSION);
}

static void refused_in_handshake(void **state)
{
	refused_by_receiving(TLS1_2_VERSION);
}

static void refused_by_initiating(void **state)
{
	for (size_t i = 0; i < 2 * 5; i++) {
		struct pl_tls *b = receive(trust, sound);
		SSL_CTX *context = raw_context(DOMAIN ".valid");
		SSL *raw = raw_peer(context, false);

		SSL_set_max_proto_version(raw, i < 5 ? TLS1_2_VERSION
						     : TLS1_3_VERSION);
		SSL_set_app_data(raw, (void *)&refusals[i % 5].error);
		SSL_set_verify(raw, SSL_VERIFY_PEER, refuse);
		pl_tls_start(b);
		shuttle_raw(b, raw);
		expect_failure(b, PL_TLS_ALERT_CERT, true,
			       refusals[i % 5].words);
		pl_tls_free(b);
		SSL_free(raw);
		SSL_CTX_free(context);
	}
}

static void peer_insists(void **state)
{
	struct pl_tls *a = initiate(trust, NULL, DOMAIN);
	SSL_CTX *context = raw_context(DOMAIN ".valid");
	SSL *raw = raw_peer(context, true);
	char byte;

	SSL_set_verify(raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
		       NULL);
	pl_tls_start(a);
	shuttle_raw(a, raw);
	pl_tls_read(a, &byte, 1);
	expect_failure(a, PL_TLS_ALERT_CERT, true,
		       "alert certificate required");
	pl_tls_free(a);
	SSL_free(raw);
	SSL_CTX_free(context);
}

static void certificate_alerts(void **state)
{
	static const unsigned char alerts[] = { 41, 42, 43, 44, 45, 46, 48, 49,
						116 };

	for (size_t i = 0; i < sizeof alerts; i++) {
		unsigned char record[] = { 0x15, 3, 3, 0, 2, 2, alerts[i] };

		alert_failing(record, PL_TLS_ALERT_CERT, "alert ");
	}
}

/* ----- data and endings ----- */

static void data_before_close(void **state)
{
	struct pl_tls *a = initiate(trust, sound, DOMAIN);
	struct pl_tls *b = receive(trust, sound);
	struct pl_buffer bytes;

	connect_pair(a, b);
	assert_true(pl_tls_write(a, "one ", 4));
	assert_true(pl_tls_write(a, "two", 3));
	pl_tls_shutdown(a);
	assert_false(pl_tls_write(a, "three", 5));
	pl_tls_shutdown(a);
	bytes = drained(a);
	assert_int_equal(pl_tls_feed(b, pl_buffer_bytes(&bytes), bytes.length),
			 PL_TLS_READY);
	/* One may still answer what was read. */
	assert_true(pl_tls_write(b, "answer", 6));
	expect_data(b, "one two");
	assert_int_equal(pl_tls_status(b), PL_TLS_PEER_DONE);
	assert_false(pl_tls_write(b, "late", 4));
	pl_tls_shutdown(b);
	pl_buffer_finish(&bytes);
	bytes = drained(b);
	pl_tls_feed(a, pl_buffer_bytes(&bytes), bytes.length);
	expect_data(a, "answer");
	assert_int_equal(pl_tls_status(a), PL_TLS_PEER_DONE);
	assert_int_equal(pl_tls_eof(a), PL_TLS_PEER_DONE);
	pl_buffer_finish(&bytes);
	free_pair(a, b);
}

static void close_alone(void **state)
{
	struct pl_tls *a = initiate(trust, sound, DOMAIN);
	struct pl_tls *b = receive(trust, sound);
	struct pl_buffer bytes;

	connect_pair(a, b);
	pl_tls_shutdown(b);
	bytes = drained(b);
	assert_true(bytes.length > 0);
	assert_int_equal(pl_tls_feed(a, pl_buffer_bytes(&bytes), bytes.length),
			 PL_TLS_PEER_DONE);
	/* Behind close_notify nothing counts. */
	assert_int_equal(pl_tls_feed(a, "junk", 4), PL_TLS_PEER_DONE);
	expect_data(a, "");
	pl_buffer_finish(&bytes);
	free_pair(a, b);
}

static void data_before_unclean_end(void **state)
{
	struct pl_tls *a = initiate(trust, sound, DOMAIN);
	struct pl_tls *b = receive(trust, sound);

	connect_pair(a, b);
	assert_true(pl_tls_write(a, "last words", 10));
	shuttle(a, b, 0);
	assert_int_equal(pl_tls_eof(b), PL_TLS_PEER_DONE);
	expect_data(b, "last words");
	assert_int_equal(pl_tls_status(b), PL_TLS_PEER_DONE);
	assert_int_equal(pl_tls_eof(a), PL_TLS_PEER_DONE);
	expect_data(a, "");
	free_pair(a, b);
}

/* A forged record behind good ones does not hide them. */
static void data_before_fault(void **state)
{
	static const unsigned char forged[] = { 0x17, 3, 3, 0, 20, 1, 2, 3, 4,
						5, 6, 7, 8, 9, 10, 11, 12, 13,
						14, 15, 16, 17, 18, 19, 20 };
	struct pl_tls *a = initiate(trust, sound, DOMAIN);
	struct pl_tls *b = receive(trust, sound);
	struct pl_buffer bytes;

	connect_pair(a, b);
	assert_true(pl_tls_write(a, "good", 4));
	bytes = drained(a);
	assert_true(pl_buffer_append(&bytes, forged, sizeof forged));
	assert_int_equal(pl_tls_feed(b, pl_buffer_bytes(&bytes), bytes.length),
			 PL_TLS_READY);
	expect_data(b, "good");
	expect_failure(b, PL_TLS_OTHER, false, "bad record mac");
	pl_buffer_finish(&bytes);
	/* Our alert still goes out, and the other side can read it. */
	bytes = drained(b);
	assert_true(bytes.length > 0);
	pl_tls_feed(a, pl_buffer_bytes(&bytes), bytes.length);
	expect_failure(a, PL_TLS_OTHER, false, "alert bad record mac");
	pl_buffer_finish(&bytes);
	free_pair(a, b);
}

static void clear_text_after_handshake(void **state)
{
	struct pl_tls *a = initiate(trust, sound, DOMAIN);
	struct pl_tls *b = receive(trust, sound);

	connect_pair(a, b);
	assert_int_equal(pl_tls_feed(b, "</stream:stream>", 16), PL_TLS_FAILED);
	expect_failure(b, PL_TLS_OTHER, false, "");
	free_pair(a, b);
}

static void not_ready(void **state)
{
	struct pl_tls *a = initiate(trust, sound, DOMAIN);
	struct pl_buffer bytes;
	char byte;

	assert_false(pl_tls_write(a, "x", 1));
	assert_int_equal(pl_tls_read(a, &byte, 1), 0);
	pl_tls_shutdown(a);
	bytes = drained(a);
	assert_int_equal(bytes.length, 0);
	assert_int_equal(pl_tls_start(a), PL_TLS_HANDSHAKING);
	assert_false(pl_tls_write(a, "x", 1));
	assert_int_equal(pl_tls_read(a, &byte, 1), 0);
	pl_tls_shutdown(a);
	assert_int_equal(pl_tls_feed(a, "", 0), PL_TLS_HANDSHAKING);
	pl_buffer_finish(&bytes);
	pl_tls_free(a);
}

/* A full buffer loses nothing. */
static void full_buffer(void **state)
{
	struct pl_tls *a = initiate(trust, sound, DOMAIN);
	struct pl_tls *b = receive(trust, sound);
	struct pl_buffer small;

	pl_tls_start(b);
	pl_tls_start(a);
	pl_buffer_init(&small, 20);
	assert_false(pl_tls_drain(a, &small));
	assert_int_equal(small.length, 0);
	assert_false(pl_tls_drain(a, &small));
	shuttle(a, b, 0);
	assert_int_equal(pl_tls_status(a), PL_TLS_READY);
	assert_true(pl_tls_write(a, "0123456789", 10));
	assert_false(pl_tls_drain(a, &small));
	shuttle(a, b, 0);
	expect_data(b, "0123456789");
	pl_buffer_finish(&small);
	free_pair(a, b);
}

/* Writes `length` bytes, and reads them at the other end in odd pieces. */
static void carry(struct pl_tls *from, struct pl_tls *to, size_t length)
{
	unsigned char *sent = malloc(length), *got = malloc(length + 1);
	size_t used = 0, n;

	assert_true(sent != NULL && got != NULL);
	for (size_t i = 0; i < length; i++)
		sent[i] = (unsigned char)(i * 31 + i / 251);
	assert_true(pl_tls_write(from, sent, length));
	shuttle(from, to, 70001);
	while ((n = pl_tls_read(to, got + used,
				length + 1 - used < 1237 ? length + 1 - used
							 : 1237)) > 0)
		used += n;
	assert_int_equal(used, length);
	assert_memory_equal(sent, got, length);
	assert_int_equal(pl_tls_status(to), PL_TLS_READY);
	free(sent);
	free(got);
}

static void much_data(void **state)
{
	struct pl_tls *a = initiate(trust, sound, DOMAIN);
	struct pl_tls *b = receive(trust, sound);

	connect_pair(a, b);
	assert_true(pl_tls_write(a, "", 0));
	for (int i = 0; i < 3; i++) {
		carry(a, b, 1000000);
		carry(b, a, 1234567);
		carry(a, b, 1);
		carry(b, a, 16384);
	}
	free_pair(a, b);
}

/* Both write before either reads. */
static void crossing_data(void **state)
{
	struct pl_tls *a = initiate(trust, sound, DOMAIN);
	struct pl_tls *b = receive(trust, sound);

	connect_pair(a, b);
	for (int i = 0; i < 50; i++) {
		assert_true(pl_tls_write(a, "ping", 4));
		assert_true(pl_tls_write(b, "pong", 4));
		shuttle(a, b, 9);
		expect_data(a, "pong");
		expect_data(b, "ping");
	}
	free_pair(a, b);
}

/* ----- memory of a connection that is idle ----- */

/* Half of a record stays where it is, and so does what is not drained yet. */
static void rest_loses_nothing(void **state)
{
	struct pl_tls *a = initiate(trust, sound, DOMAIN);
	struct pl_tls *b = receive(trust, sound);
	struct pl_buffer bytes;
	const unsigned char *front;

	pl_tls_rest(a); /* nothing, before it is ready */
	connect_pair(a, b);
	pl_buffer_init(&bytes, 0);
	for (size_t cut = 1; cut < 25; cut++) {
		assert_true(pl_tls_write(a, "ping", 4));
		pl_tls_rest(a);
		assert_true(pl_tls_drain(a, &bytes));
		pl_tls_rest(a);
		assert_in_range(bytes.length, 25, 100);
		front = pl_buffer_bytes(&bytes);
		pl_tls_feed(b, front, cut);
		pl_tls_rest(b);
		expect_data(b, "");
		pl_tls_rest(b);
		pl_tls_feed(b, front + cut, bytes.length - cut);
		pl_tls_rest(b);
		expect_data(b, "ping");
		pl_tls_rest(b);
		pl_buffer_consume(&bytes, bytes.length);
	}
	pl_buffer_finish(&bytes);
	carry(b, a, 1000000);
	pl_tls_rest(a);
	carry(a, b, 1000000);
	free_pair(a, b);
}

static size_t allocated(void)
{
#if defined(__SANITIZE_ADDRESS__)
	return __sanitizer_get_current_allocated_bytes();
#else
	return mallinfo2().uordblks;
#endif
}

/* What grew with the handshake and with data goes. */
static void rest_gives_back(void **state)
{
	struct pl_tls *a = initiate(trust, sound, DOMAIN);
	struct pl_tls *b = receive(trust, sound);
	size_t before, rested;

	connect_pair(a, b);
	carry(a, b, 2000);
	carry(b, a, 2000);
	before = allocated();
	pl_tls_rest(a);
	pl_tls_rest(b);
	rested = allocated();
	assert_true(rested + 4 * 2000 <= before);
	pl_tls_rest(a);
	pl_tls_rest(b);
	assert_int_equal(allocated(), rested);
	carry(a, b, 2000);
	carry(b, a, 2000);
	free_pair(a, b);
}

/* ----- renegotiation, tickets, resumption ----- */

static int alert_read;

static void note_alert(const SSL *ssl, int where, int value)
{
	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
		alert_read = value & 0xff;
}

static void renegotiation(void **state)
{
	for (int i = 0; i < 2; i++) {
		bool server = i == 1;
		struct pl_tls *tls = server ? initiate(trust, sound, DOMAIN)
					    : receive(trust, sound);
		SSL_CTX *context = raw_context(DOMAIN ".valid");
		SSL *raw = raw_peer(context, server);
		unsigned char before[12], after[12]; /* TLS 1.2 has 12 */
		char byte;

		alert_read = -1;
		SSL_set_info_callback(raw, note_alert);
		SSL_set_max_proto_version(raw, TLS1_2_VERSION);
		pl_tls_start(tls);
		shuttle_raw(tls, raw);
		assert_int_equal(pl_tls_status(tls), PL_TLS_READY);
		SSL_get_peer_finished(raw, before, sizeof before);
		assert_int_equal(SSL_renegotiate(raw), 1);
		shuttle_raw(tls, raw);
		SSL_read(raw, &byte, 1);
		shuttle_raw(tls, raw);
		/* Refused: the first handshake is all there is. */
		assert_int_equal(alert_read, SSL_AD_NO_RENEGOTIATION);
		SSL_get_peer_finished(raw, after, sizeof after);
		assert_memory_equal(before, after, sizeof before);
		assert_int_not_equal(pl_tls_status(tls), PL_TLS_HANDSHAKING);
		assert_int_equal(verdict_of(tls, DOMAIN), PL_CERT_VALID);
		pl_tls_free(tls);
		SSL_free(raw);
		SSL_CTX_free(context);
		ERR_clear_error();
	}
}

static int tickets_seen;

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
	tickets_seen += SSL_SESSION_is_resumable(session);
	return 0;
}

static void no_tickets(void **state)
{
	static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };

	for (int i = 0; i < 2; i++) {
		struct pl_tls *b = receive(trust, sound);
		SSL_CTX *context = raw_context(DOMAIN ".valid");
		SSL *raw = raw_peer(context, false), *again;
		SSL_SESSION *session;
		char byte;

		tickets_seen = 0;
		SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT);
		SSL_CTX_sess_set_new_cb(context, on_ticket);
		SSL_set_max_proto_version(raw, versions[i]);
		pl_tls_start(b);
		shuttle_raw(b, raw);
		assert_true(pl_tls_write(b, "x", 1));
		shuttle_raw(b, raw);
		assert_int_equal(SSL_read(raw, &byte, 1), 1);
		assert_int_equal(tickets_seen, 0);
		session = SSL_get1_session(raw);
		assert_false(SSL_SESSION_has_ticket(session));
		pl_tls_free(b);

		/* One who tries to resume gets a full handshake. */
		again = raw_peer(context, false);
		SSL_set_max_proto_version(again, versions[i]);
		SSL_set_session(again, session);
		b = receive(trust, sound);
		pl_tls_start(b);
		shuttle_raw(b, again);
		assert_int_equal(pl_tls_status(b), PL_TLS_READY);
		assert_false(SSL_session_reused(again));
		assert_int_equal(verdict_of(b, DOMAIN), PL_CERT_VALID);
		pl_tls_free(b);
		SSL_SESSION_free(session);
		SSL_free(raw);
		SSL_free(again);
		SSL_CTX_free(context);
	}
}

/* ----- strength ----- */

/* No static RSA key exchange, NULL, 3DES or anonymous suites (RFC 9325). */
static void weak_suites(void **state)
{
	static const char *const lists[] = {
		"kRSA:@SECLEVEL=0", "NULL:@SECLEVEL=0", "aNULL:@SECLEVEL=0",
	};

	for (int i = 0; i < 6; i++) {
		bool server = i >= 3;
		struct pl_tls *tls = server ? initiate(trust, sound, DOMAIN)
					    : receive(trust, sound);
		SSL_CTX *context = raw_context(DOMAIN ".valid-rsa");
		SSL *raw;

		SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
		assert_int_equal(SSL_CTX_set_cipher_list(context, lists[i % 3]),
				 1);
		raw = raw_peer(context, server);
		pl_tls_start(tls);
		shuttle_raw(tls, raw);
		expect_failure(tls, PL_TLS_OTHER, false, "");
		pl_tls_free(tls);
		SSL_free(raw);
		SSL_CTX_free(context);
	}
}

/* The security level holds for the handshake's own signatures. */
static void weak_signatures(void **state)
{
	for (int i = 0; i < 2; i++) {
		bool server = i == 1;
		struct pl_tls *tls = server ? initiate(trust, sound, DOMAIN)
					    : receive(trust, sound);
		SSL_CTX *context = raw_context(DOMAIN ".valid-rsa");
		SSL *raw;

		SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
		assert_int_equal(SSL_CTX_set1_sigalgs_list(context,
				 "RSA+SHA1:ECDSA+SHA1"), 1);
		raw = raw_peer(context, server);
		pl_tls_start(tls);
		shuttle_raw(tls, raw);
		expect_failure(tls, PL_TLS_OTHER, false, "");
		pl_tls_free(tls);
		SSL_free(raw);
		SSL_CTX_free(context);
	}
}

/* What peers of the last ten years do must work. */
static void usual_suites(void **state)
{
	static const char *const lists[] = {
		"ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-SHA384",
		"DHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305",
		"ECDHE-RSA-AES128-SHA",
	};

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		struct pl_tls *a = initiate(trust, sound, DOMAIN);
		SSL_CTX *context = raw_context(DOMAIN ".valid-rsa");
		SSL *raw;

		SSL_CTX_set_dh_auto(context, 1);
		SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
		SSL_CTX_set_cipher_list(context, lists[i]);
		raw = raw_peer(context, true);
		pl_tls_start(a);
		shuttle_raw(a, raw);
		if (pl_tls_status(a) != PL_TLS_READY)
			print_error("%s: %s\n", lists[i],
				    pl_tls_failure_text(a));
		assert_int_equal(pl_tls_status(a), PL_TLS_READY);
		assert_string_equal(pl_tls_cipher(a), lists[i]);
		pl_tls_free(a);
		SSL_free(raw);
		SSL_CTX_free(context);
	}
}

/* ----- noise ----- */

/* One bit of the handshake is turned: it fails or stands still. Where it ends
 * well (the version in a clear record's head counts for nothing) all is as it
 * would have been. */
static void flip(size_t flight, size_t at)
{
	struct pl_tls *a = initiate(trust, sound, DOMAIN);
	struct pl_tls *b = receive(trust, sound);
	struct pl_tls *from = a, *to = b;
	size_t quiet = 0;

	pl_tls_start(b);
	pl_tls_start(a);
	for (size_t n = 0; quiet < 2 && n < 20; n++) {
		struct pl_buffer bytes = drained(from);
		struct pl_tls *other = from;

		quiet = bytes.length > 0 ? 0 : quiet + 1;
		if (n == flight && at < bytes.length)
			bytes.data[bytes.start + at] ^= 0x20;
		pl_tls_feed(to, pl_buffer_bytes(&bytes), bytes.length);
		pl_buffer_finish(&bytes);
		from = to;
		to = other;
	}
	if (pl_tls_status(a) == PL_TLS_READY &&
	    pl_tls_status(b) == PL_TLS_READY) {
		assert_int_equal(verdict_of(a, DOMAIN), PL_CERT_VALID);
		assert_int_equal(verdict_of(b, DOMAIN), PL_CERT_VALID);
		assert_true(pl_tls_write(a, "whole", 5));
		shuttle(a, b, 0);
		expect_data(b, "whole");
	}
	pl_tls_eof(a);
	pl_tls_eof(b);
	verdict_of(a, DOMAIN);
	verdict_of(b, DOMAIN);
	free_pair(a, b);
}

static void turned_bits(void **state)
{
	for (size_t flight = 0; flight < 3; flight++)
		for (size_t at = 0; at < 1800; at += at < 12 ? 1 : 97)
			flip(flight, at);
}

static void nowhere_to_go(void **state)
{
	struct pl_error error = { 0 };
	struct pl_tls *a = pl_tls_initiating(&(struct pl_tls_initiate){
		.trust = trust, .domain = "no domain" }, &error);

	assert_null(a);
	assert_string_not_equal(error.text, "");
}

static int set_up(void **state)
{
	static const char *const words[] = { DOMAIN " valid",
					     DOMAIN " valid-rsa",
					     A_DOMAIN " valid", NULL };
	void *made = (void *)words;

	if (make_certs(&made) != 0)
		return -1;
	trust = load_trust("ca.crt");
	sound = load_identity(DOMAIN ".valid");
	international = load_identity(A_DOMAIN ".valid");
	return 0;
}

static int tear_down(void **state)
{
	pl_tls_identity_unref(sound);
	pl_tls_identity_unref(international);
	pl_tls_trust_unref(trust);
	return remove_certs(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshake),
		cmocka_unit_test(facts_of_a_pair),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(sni_chooses),
		cmocka_unit_test(secrets_are_told_where_asked),
		cmocka_unit_test(without_sni),
		cmocka_unit_test(strange_sni),
		cmocka_unit_test(alpn_of_peers),
		cmocka_unit_test(receiving_peer_without_alpn),
		cmocka_unit_test(asks_for_any_certificate),
		cmocka_unit_test(old_versions),
		cmocka_unit_test(version_alerts),
		cmocka_unit_test(ssl_2),
		cmocka_unit_test(no_tls),
		cmocka_unit_test(short_and_gone),
		cmocka_unit_test(cut_handshake),
		cmocka_unit_test(refused_late),
		cmocka_unit_test(refused_in_handshake),
		cmocka_unit_test(refused_by_initiating),
		cmocka_unit_test(peer_insists),
		cmocka_unit_test(certificate_alerts),
		cmocka_unit_test(data_before_close),
		cmocka_unit_test(close_alone),
		cmocka_unit_test(data_before_unclean_end),
		cmocka_unit_test(data_before_fault),
		cmocka_unit_test(clear_text_after_handshake),
		cmocka_unit_test(not_ready),
		cmocka_unit_test(full_buffer),
		cmocka_unit_test(much_data),
		cmocka_unit_test(rest_loses_nothing),
		cmocka_unit_test(rest_gives_back),
		cmocka_unit_test(crossing_data),
		cmocka_unit_test(renegotiation),
		cmocka_unit_test(no_tickets),
		cmocka_unit_test(weak_suites),
		cmocka_unit_test(weak_signatures),
		cmocka_unit_test(usual_suites),
		cmocka_unit_test(turned_bits),
		cmocka_unit_test(nowhere_to_go),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
