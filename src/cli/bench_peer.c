/*
 * One stream of the generator: a server that dials, one that is dialled, or a
 * service. It goes the straight way and ends with a sentence off it.
 *
 *     dials     header, STARTTLS, header, EXTERNAL, header      -> open
 *                                         or db:result          -> open
 *     accepted  the same from the other side; db:verify at any time
 *     service   header, handshake                               -> open
 *
 * Until it is open a parser reads; from there on the bytes go to the owner as
 * they are, which costs the generator next to nothing.
 */
#include "bench.h"

#include <netdb.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parley/sasl.h"
#include "parley/xml.h"

enum {
	LINGER_MS = 2000,
	CONNECT_MS = 10000,
	OUTPUT_LIMIT = 256 * 1024 * 1024,
	RECORD = 16384,
	ELEMENT_LIMIT = 65536,
};

enum kind { DIALS, ACCEPTED, SERVICE };

struct bench_peer {
	struct bench_stage *stage;
	struct bench_peer *previous, *next; /* in bench_stage.peers */
	const struct bench_peer_events *events;
	void *owner;
	enum kind kind;
	struct pl_dial *dial;      /* owned */
	struct pl_conn *conn;
	struct pl_tls *tls;        /* owned */
	struct pl_xml_parser *parser; /* owned */
	char local[PL_ASCII_DOMAIN_SIZE], remote[PL_ASCII_DOMAIN_SIZE];
	bool authenticated, open, dead;
	bool restart;              /* a new document begins */
	bool begin_tls;            /* and TLS before it */
	char why[200];
};

static const struct pl_xml_events xml_events;

/* ----- the end ----- */

static void free_later(void *owner)
{
	struct bench_peer *peer = owner;

	pl_tls_free(peer->tls);
	pl_xml_free(peer->parser);
	free(peer);
}

static void bury(struct bench_peer *peer)
{
	peer->dead = true;
	if (peer->next != NULL)
		peer->next->previous = peer->previous;
	if (peer->previous != NULL)
		peer->previous->next = peer->next;
	else
		peer->stage->peers = peer->next;
	if (peer->dial != NULL)
		pl_dial_cancel(peer->dial);
	peer->dial = NULL;
	pl_loop_defer(peer->stage->loop, free_later, peer);
}

static void fail(struct bench_peer *peer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void fail(struct bench_peer *peer, const char *format, ...)
{
	va_list arguments;

	if (peer->dead)
		return;
	va_start(arguments, format);
	vsnprintf(peer->why, sizeof peer->why, format, arguments);
	va_end(arguments);
	if (peer->conn != NULL)
		pl_conn_abort(peer->conn);
	peer->conn = NULL;
	bury(peer);
	if (peer->events != NULL)
		peer->events->on_end(peer->owner, peer, peer->why);
}

/* ----- output ----- */

static void drain(struct bench_peer *peer)
{
	struct pl_buffer bytes;

	if (peer->conn == NULL)
		return;
	pl_buffer_init(&bytes, 0);
	if (pl_tls_drain(peer->tls, &bytes) && bytes.length > 0)
		pl_conn_write(peer->conn, pl_buffer_bytes(&bytes),
			      bytes.length);
	pl_buffer_finish(&bytes);
}

bool bench_peer_write(struct bench_peer *peer, const void *bytes,
		      size_t length)
{
	if (peer->dead || peer->conn == NULL)
		return false;
	if (peer->tls == NULL)
		return pl_conn_write(peer->conn, bytes, length);
	for (size_t at = 0; at < length; at += RECORD)
		if (!pl_tls_write(peer->tls, (const char *)bytes + at,
				  length - at < RECORD ? length - at : RECORD))
			return false;
	drain(peer);
	return true;
}

static void say(struct bench_peer *peer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void say(struct bench_peer *peer, const char *format, ...)
{
	char text[4096];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (length > 0 && (size_t)length < sizeof text)
		bench_peer_write(peer, text, (size_t)length);
}

void bench_peer_close(struct bench_peer *peer)
{
	if (peer->dead)
		return;
	say(peer, "</stream:stream>");
	if (peer->tls != NULL) {
		pl_tls_shutdown(peer->tls);
		drain(peer);
	}
	if (peer->conn != NULL)
		pl_conn_close(peer->conn, LINGER_MS);
	peer->conn = NULL;
	bury(peer);
}

void bench_peers_drop(struct bench_stage *stage)
{
	while (stage->peers != NULL) {
		struct bench_peer *peer = stage->peers;

		if (peer->conn != NULL)
			pl_conn_abort(peer->conn);
		peer->conn = NULL;
		bury(peer);
	}
}

const char *bench_peer_domain(const struct bench_peer *peer)
{
	return peer->local;
}

static void is_open(struct bench_peer *peer)
{
	peer->open = true;
	peer->stage->progress++;
	if (peer->events != NULL)
		peer->events->on_open(peer->owner, peer);
}

/* ----- we dial ----- */

static void dialled_header(struct bench_peer *peer)
{
	say(peer, "<?xml version='1.0'?><stream:stream xmlns='" PL_NS_SERVER
	    "' xmlns:stream='" PL_NS_STREAM "' xmlns:db='" PL_NS_DIALBACK
	    "' from='%s' to='%s' version='1.0'>", peer->local, peer->remote);
}

static void authenticate(struct bench_peer *peer)
{
	struct pl_buffer body;

	pl_buffer_init(&body, 0);
	if (!pl_sasl_client_start(peer->local, &body, NULL))
		pl_buffer_text(&body, "=");
	say(peer, "<auth xmlns='" PL_NS_SASL "' mechanism='EXTERNAL'>%.*s"
	    "</auth>", (int)body.length, (const char *)pl_buffer_bytes(&body));
	pl_buffer_finish(&body);
}

static void show_key(struct bench_peer *peer)
{
	say(peer, "<db:result from='%s' to='%s'>this key is always valid"
	    "</db:result>", peer->local, peer->remote);
}

static void on_features(struct bench_peer *peer,
			const struct pl_xml_node *features)
{
	enum bench_method method = peer->stage->options->method;
	const struct pl_xml_node *external =
		pl_xml_child(features, "mechanisms", PL_NS_SASL);

	if (peer->authenticated)
		is_open(peer);
	else if (method == BENCH_TCP_DIALBACK ||
		 (method == BENCH_TLS_DIALBACK && peer->tls != NULL))
		show_key(peer);
	else if (peer->tls == NULL &&
		 pl_xml_child(features, "starttls", PL_NS_TLS) != NULL)
		say(peer, "<starttls xmlns='" PL_NS_TLS "'/>");
	else if (peer->tls == NULL)
		fail(peer, "the server offers no STARTTLS");
	else if (external == NULL)
		fail(peer, "the server offers no EXTERNAL");
	else
		authenticate(peer);
}

static bool on_dialled(struct bench_peer *peer, const struct pl_xml_node *e)
{
	const char *type = pl_xml_attribute(e, "type");

	if (pl_xml_is(e, "features", PL_NS_STREAM)) {
		on_features(peer, e);
	} else if (pl_xml_is(e, "proceed", PL_NS_TLS)) {
		peer->restart = peer->begin_tls = true;
	} else if (pl_xml_is(e, "success", PL_NS_SASL)) {
		peer->restart = peer->authenticated = true;
		dialled_header(peer);
	} else if (pl_xml_is(e, "result", PL_NS_DIALBACK)) {
		if (type != NULL && strcmp(type, "valid") == 0)
			is_open(peer);
		else
			fail(peer, "the server refused our key");
	} else {
		const struct pl_xml_node *first = pl_xml_first_element(e);
		char name[40], condition[60];

		fail(peer, "the server said <%s/> %s",
		     pl_text_printable(name, sizeof name, e->name,
				       strlen(e->name)),
		     first == NULL ? ""
		     : pl_text_printable(condition, sizeof condition,
					 first->name, strlen(first->name)));
	}
	return !peer->restart && !peer->open && !peer->dead;
}

/* ----- we are dialled ----- */

static void accepted_header(struct bench_peer *peer,
			    const struct pl_xml_header *header)
{
	const char *domain = peer->local;
	unsigned char id[8];
	char hex[17];

	if (header->to != NULL)
		snprintf(peer->local, sizeof peer->local, "%s", header->to);
	pl_loop_random(peer->stage->loop, id, sizeof id);
	for (size_t i = 0; i < sizeof id; i++)
		snprintf(hex + 2 * i, 3, "%02x", id[i]);
	say(peer, "<?xml version='1.0'?><stream:stream xmlns='" PL_NS_SERVER
	    "' xmlns:stream='" PL_NS_STREAM "' xmlns:db='" PL_NS_DIALBACK
	    "' from='%s' id='%s' version='1.0'><stream:features>", domain, hex);
	if (peer->tls == NULL && peer->stage->identity != NULL)
		say(peer, "<starttls xmlns='" PL_NS_TLS "'/>");
	else if (peer->tls != NULL && !peer->authenticated)
		say(peer, "<mechanisms xmlns='" PL_NS_SASL "'><mechanism>"
		    "EXTERNAL</mechanism></mechanisms>");
	if (!peer->authenticated)
		say(peer, "<dialback xmlns='" PL_NS_DIALBACK_FEATURE "'/>");
	say(peer, "</stream:features>");
}

static void answer_key(struct bench_peer *peer, const struct pl_xml_node *e)
{
	const char *from = pl_xml_attribute(e, "from");
	const char *to = pl_xml_attribute(e, "to");
	const char *id = pl_xml_attribute(e, "id");

	if (from == NULL || to == NULL)
		fail(peer, "dialback without addresses");
	else if (id != NULL)
		say(peer, "<db:verify from='%s' to='%s' id='%s' type='valid'/>",
		    to, from, id);
	else
		say(peer, "<db:result from='%s' to='%s' type='valid'/>", to,
		    from);
}

static bool on_accepted(struct bench_peer *peer, const struct pl_xml_node *e)
{
	if (pl_xml_is(e, "starttls", PL_NS_TLS)) {
		say(peer, "<proceed xmlns='" PL_NS_TLS "'/>");
		peer->restart = peer->begin_tls = true;
	} else if (pl_xml_is(e, "auth", PL_NS_SASL)) {
		say(peer, "<success xmlns='" PL_NS_SASL "'/>");
		peer->restart = peer->authenticated = true;
	} else if (pl_xml_is(e, "verify", PL_NS_DIALBACK)) {
		answer_key(peer, e);
		peer->stage->progress++;
	} else if (pl_xml_is(e, "result", PL_NS_DIALBACK)) {
		answer_key(peer, e);
		if (!peer->dead && peer->stage->raw)
			is_open(peer);
	}
	return !peer->restart && !peer->open && !peer->dead;
}

/* ----- we are a service ----- */

static void service_header(struct bench_peer *peer)
{
	say(peer, "<?xml version='1.0'?><stream:stream xmlns='" PL_NS_COMPONENT
	    "' xmlns:stream='" PL_NS_STREAM "' to='%s'>", peer->local);
}

static void prove_secret(struct bench_peer *peer, const char *id)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char text[600], hex[2 * EVP_MAX_MD_SIZE + 1] = "";
	unsigned length = 0;
	int size = snprintf(text, sizeof text, "%s%s", id,
			    peer->stage->options->secret);

	if (size >= (int)sizeof text ||
	    !EVP_Digest(text, (size_t)size, digest, &length, EVP_sha1(), NULL))
		fail(peer, "the stream id is too long");
	for (unsigned i = 0; i < length; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	say(peer, "<handshake>%s</handshake>", hex);
}

static bool on_service(struct bench_peer *peer, const struct pl_xml_node *e)
{
	if (pl_xml_is(e, "handshake", PL_NS_COMPONENT))
		is_open(peer);
	else
		fail(peer, "the server takes no service with this name and "
		     "secret");
	return false;
}

/* ----- input ----- */

static bool on_header(void *owner, const struct pl_xml_header *header)
{
	struct bench_peer *peer = owner;

	if (peer->kind == ACCEPTED)
		accepted_header(peer, header);
	else if (peer->kind == SERVICE)
		prove_secret(peer, header->id != NULL ? header->id : "");
	/* An accepted stream carries stanzas from here on, or none at all. */
	if (peer->kind == ACCEPTED && peer->authenticated && peer->stage->raw)
		is_open(peer);
	return !peer->open && !peer->dead;
}

static bool on_element(void *owner, const struct pl_xml_node *element,
		       size_t bytes)
{
	struct bench_peer *peer = owner;

	(void)bytes;
	switch (peer->kind) {
	case DIALS: return on_dialled(peer, element);
	case ACCEPTED: return on_accepted(peer, element);
	case SERVICE: return on_service(peer, element);
	}
	return false;
}

static bool on_stream_end(void *owner)
{
	(void)owner;
	return true;
}

static const struct pl_xml_events xml_events = {
	on_header, on_element, on_stream_end,
};

static void new_document(struct bench_peer *peer)
{
	struct pl_xml_limits limits = pl_xml_limits_after(ELEMENT_LIMIT);

	peer->restart = false;
	pl_xml_free(peer->parser);
	peer->parser = pl_xml_new(peer->kind == SERVICE ? PL_NS_COMPONENT
							: PL_NS_SERVER,
				  &limits, &xml_events, peer);
}

static void take_text(struct bench_peer *peer, const char *bytes, size_t length)
{
	while (length > 0 && !peer->dead && !peer->open) {
		size_t used = pl_xml_feed(peer->parser, bytes, length);

		bytes += used;
		length -= used;
		if (peer->dead)
			return;
		if (pl_xml_fault(peer->parser) != PL_XML_NO_FAULT) {
			fail(peer, "the server's XML: %s",
			     pl_xml_fault_text(peer->parser));
			return;
		}
		if (peer->restart)
			new_document(peer);
		else
			pl_xml_resume(peer->parser);
		if (peer->begin_tls)
			return;
	}
	if (peer->dead || !peer->open)
		return;
	pl_xml_free(peer->parser);
	peer->parser = NULL;
	if (length > 0 && peer->events != NULL &&
	    peer->events->on_bytes != NULL)
		peer->events->on_bytes(peer->owner, peer, bytes, length);
}

static void start_tls(struct bench_peer *peer)
{
	const struct bench_stage *stage = peer->stage;
	/* Dialback is measured without a certificate that would do. */
	bool shows = stage->options->method == BENCH_SASL;
	struct pl_error error = { .text = "" };

	peer->begin_tls = false;
	if (peer->kind == DIALS)
		peer->tls = pl_tls_initiating(&(struct pl_tls_initiate){
			.trust = stage->trust,
			.identity = shows ? stage->identity : NULL,
			.domain = peer->remote }, &error);
	else
		peer->tls = pl_tls_receiving(&(struct pl_tls_receive){
			.trust = stage->trust,
			.identity = stage->identity }, &error);
	if (peer->tls == NULL) {
		fail(peer, "%s", error.text);
		return;
	}
	pl_tls_start(peer->tls);
	drain(peer);
}

static void take_cipher(struct bench_peer *peer, const void *bytes,
			size_t length)
{
	enum pl_tls_status before = pl_tls_status(peer->tls), after;
	char plain[RECORD];
	size_t n;

	after = pl_tls_feed(peer->tls, bytes, length);
	drain(peer);
	if (before == PL_TLS_HANDSHAKING && after == PL_TLS_READY &&
	    peer->kind == DIALS)
		dialled_header(peer);
	while (!peer->dead &&
	       (n = pl_tls_read(peer->tls, plain, sizeof plain)) > 0)
		take_text(peer, plain, n);
	if (peer->dead)
		return;
	if (pl_tls_status(peer->tls) == PL_TLS_FAILED)
		fail(peer, "TLS: %s", pl_tls_failure_text(peer->tls));
	else if (pl_tls_status(peer->tls) == PL_TLS_PEER_DONE)
		fail(peer, "the server closed TLS");
}

static void on_data(void *owner, const void *bytes, size_t length)
{
	struct bench_peer *peer = owner;

	if (peer->dead)
		return;
	if (peer->tls != NULL)
		take_cipher(peer, bytes, length);
	else
		take_text(peer, bytes, length);
	if (!peer->dead && peer->begin_tls)
		start_tls(peer);
}

static void on_end(void *owner, enum pl_conn_end end, const char *text)
{
	(void)end;
	fail(owner, "%s", text);
}

static const struct pl_conn_events conn_events = { on_data, on_end, NULL };

/* ----- the beginning ----- */

static struct bench_peer *new_peer(struct bench_stage *stage, enum kind kind,
				   const struct bench_peer_events *events,
				   void *owner)
{
	struct bench_peer *peer = pl_calloc(1, sizeof *peer);

	peer->stage = stage;
	peer->kind = kind;
	peer->events = events;
	peer->owner = owner;
	peer->next = stage->peers;
	if (peer->next != NULL)
		peer->next->previous = peer;
	stage->peers = peer;
	new_document(peer);
	return peer;
}

static void own(struct bench_peer *peer, struct pl_conn *conn)
{
	peer->conn = conn;
	pl_conn_set_output_limit(conn, OUTPUT_LIMIT);
	pl_conn_own(conn, &conn_events, peer);
}

static void on_connected(void *owner, const struct pl_dial_result *result)
{
	struct bench_peer *peer = owner;

	peer->dial = NULL;
	if (result->conn == NULL) {
		fail(peer, "%s: %s", result->peer, result->text);
		return;
	}
	own(peer, result->conn);
	if (peer->kind == DIALS)
		dialled_header(peer);
	else
		service_header(peer);
}

/* Endpoints of the command line are numbers, and were looked at there. */
static void dial(struct bench_peer *peer, const char *endpoint)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				  .ai_socktype = SOCK_STREAM }, *found = NULL;
	char host[PL_ASCII_DOMAIN_SIZE] = "", service[8];
	struct pl_dns_address address = { .length = 0 };
	unsigned short port = 0;

	pl_addr_endpoint(endpoint, host, &port, NULL);
	snprintf(service, sizeof service, "%u", port);
	if (getaddrinfo(host, service, &hints, &found) == 0) {
		memcpy(&address.addr, found->ai_addr, found->ai_addrlen);
		address.length = found->ai_addrlen;
		freeaddrinfo(found);
	}
	peer->dial = pl_dial_start(peer->stage->loop, &address, 1, CONNECT_MS,
				   on_connected, peer);
}

struct bench_peer *bench_peer_dial(struct bench_stage *stage,
				   const char *domain,
				   const struct bench_peer_events *events,
				   void *owner)
{
	struct bench_peer *peer = new_peer(stage, DIALS, events, owner);

	snprintf(peer->local, sizeof peer->local, "%s", domain);
	snprintf(peer->remote, sizeof peer->remote, "%s",
		 stage->options->remote);
	dial(peer, stage->options->target);
	return peer;
}

struct bench_peer *bench_peer_attach(struct bench_stage *stage,
				     const struct bench_peer_events *events,
				     void *owner)
{
	struct bench_peer *peer = new_peer(stage, SERVICE, events, owner);

	snprintf(peer->local, sizeof peer->local, "%s",
		 stage->options->domain);
	dial(peer, stage->options->component);
	return peer;
}

void bench_peer_accept(struct bench_stage *stage, struct pl_conn *conn)
{
	own(new_peer(stage, ACCEPTED, stage->accepted, stage->owner), conn);
}
