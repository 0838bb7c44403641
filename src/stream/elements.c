/* What the parser shows becomes events of the core. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ----- the header ----- */

/* A domain of a header in normal form; false where it is none. */
static bool header_domain(const char *text, char out[PL_DOMAIN_SIZE])
{
	return pl_addr_domain(text, strlen(text), out, NULL);
}

static void keep_peer_id(struct pl_stream *stream, const char *id)
{
	free(stream->peer_id);
	stream->peer_id = NULL;
	if (id != NULL && id[0] != '\0' && strlen(id) <= STREAM_ID_LIMIT)
		stream->peer_id = strdup(id);
}

/* The pair that the header names gets its outcome even if nothing follows. A
 * later header of the same stream renames it (after TLS all is judged
 * afresh). */
static void name_header_pair(struct pl_stream *stream)
{
	struct pl_pair *pair = stream->header_pair;

	if (pair == NULL) {
		pair = pair_new(stream, PL_RECEIVING, stream->local,
				stream->remote);
		if (pair == NULL)
			return;
		pair->began_ms = stream->began_ms;
		stream->header_pair = pair;
	}
	stream_rename(&pair->local, stream->local);
	stream_rename(&pair->remote, stream->remote);
	pair->partner = stream->partner;
}

static bool same_after_sasl(const struct pl_stream *stream, const char *local,
			    const char *remote)
{
	return strcmp(stream->local, local) == 0 &&
	       strcmp(stream->remote, remote) == 0;
}

/* A header behind <success/> may leave out what SASL has settled; only a
 * changed name is refused. */
static void keep_after_sasl(const struct pl_stream *stream,
			    char local[PL_DOMAIN_SIZE],
			    char remote[PL_DOMAIN_SIZE],
			    struct pl_header_facts *facts)
{
	if (!facts->to_present) {
		facts->to_present = facts->to_hosted = true;
		snprintf(local, PL_DOMAIN_SIZE, "%s", stream->local);
	}
	if (!facts->from_present && !facts->malformed_address) {
		facts->from_present = true;
		snprintf(remote, PL_DOMAIN_SIZE, "%s", stream->remote);
	}
}

static void judge_addresses(struct pl_stream *stream,
			    const struct pl_xml_header *header,
			    struct pl_header_facts *facts)
{
	struct pl_world *world = stream->world;
	char local[PL_DOMAIN_SIZE] = "", remote[PL_DOMAIN_SIZE] = "";

	if (header->to != NULL && header->to[0] != '\0') {
		facts->to_present = true;
		if (!header_domain(header->to, local)) {
			facts->malformed_address = true;
			snprintf(local, 256, "%s", header->to);
		}
		facts->to_hosted = world->host(world->site, local, NULL);
	}
	if (header->from != NULL && header->from[0] != '\0') {
		facts->from_present = header_domain(header->from, remote);
		if (!facts->from_present) {
			facts->malformed_address = true;
			snprintf(remote, 256, "%s", header->from);
		}
		facts->from_local = facts->from_present &&
			world->host(world->site, remote, NULL);
	}
	if (stream->core.authenticated) {
		keep_after_sasl(stream, local, remote, facts);
		facts->identity_changed = !same_after_sasl(stream, local,
							   remote);
		if (facts->identity_changed)
			return;
	}
	stream_rename(&stream->local, local);
	stream_rename(&stream->remote, remote);
	world->partner(world->site, local[0] ? local : NULL,
		       facts->from_present ? remote : NULL, &stream->partner);
}

static void judge_certificate(struct pl_stream *stream)
{
	memset(&stream->verdict, 0, sizeof stream->verdict);
	if (stream->tls != NULL && stream->remote[0] != '\0')
		pl_tls_judge(stream->tls, stream->remote,
			     pl_loop_time(stream->world->loop).tv_sec,
			     &stream->verdict);
}

static bool on_header(void *owner, const struct pl_xml_header *header)
{
	struct pl_stream *stream = owner;
	struct pl_stream_event event = { .kind = PL_EV_HEADER };
	struct pl_header_facts *facts = &event.header;

	/* Who sends no version gets, and gives, nothing that came with it. */
	facts->version_1 = header->major >= 1 &&
		!(stream->world->odd & PL_ODD_NO_VERSION);
	facts->has_id = header->id != NULL && header->id[0] != '\0' &&
			strlen(header->id) <= STREAM_ID_LIMIT;
	facts->declares_dialback = header->declares_dialback;
	if (!stream->incoming) {
		record_header(stream, header);
		keep_peer_id(stream, header->id);
	} else {
		judge_addresses(stream, header, facts);
		record_names(stream);
		record_header(stream, header);
		judge_certificate(stream);
		event.certificate = stream->verdict.certificate;
		if (stream->tls != NULL && stream->remote[0] != '\0')
			record_judged(stream, stream->remote,
				      &stream->verdict);
		if (!facts->identity_changed)
			name_header_pair(stream);
		if (facts->from_present && !facts->malformed_address)
			facts->over_limit = !stream->events->may_connect(
				stream->owner, stream, stream->remote,
				stream->partner.connection_limit);
	}
	stream_event(stream, &event);
	return !stream->ended && !stream->restart && !stream->begin_handshake;
}

/* ----- features ----- */

static bool offers_external(const struct pl_xml_node *mechanisms)
{
	const struct pl_xml_node *child;
	char name[32];

	for (child = pl_xml_first_element(mechanisms); child != NULL;
	     child = pl_xml_next_element(child)) {
		if (!pl_xml_is(child, "mechanism", PL_NS_SASL))
			continue;
		if (pl_xml_text(child, name, sizeof name) < sizeof name &&
		    strcmp(name, "EXTERNAL") == 0)
			return true;
	}
	return false;
}

static unsigned read_feature(const struct pl_xml_node *child)
{
	if (pl_xml_is(child, "starttls", PL_NS_TLS))
		return PL_FEATURE_STARTTLS |
		       (pl_xml_child(child, "required", PL_NS_TLS)
				? PL_FEATURE_STARTTLS_REQUIRED : 0);
	if (pl_xml_is(child, "mechanisms", PL_NS_SASL))
		return offers_external(child) ? PL_FEATURE_EXTERNAL : 0;
	if (pl_xml_is(child, "dialback", PL_NS_DIALBACK_FEATURE))
		return PL_FEATURE_DIALBACK |
		       (pl_xml_child(child, "errors", PL_NS_DIALBACK_FEATURE)
				? PL_FEATURE_DIALBACK_ERRORS : 0);
	if (pl_xml_is(child, "bidi", PL_NS_BIDI_FEATURE))
		return PL_FEATURE_BIDI;
	if (pl_xml_is(child, "sm", PL_NS_SM))
		return PL_FEATURE_SM;
	if (pl_xml_child(child, "required", child->ns))
		return PL_FEATURE_UNKNOWN_REQUIRED;
	return 0;
}

static unsigned read_features(const struct pl_xml_node *features)
{
	const struct pl_xml_node *child = pl_xml_first_element(features);
	unsigned bits = 0;
	bool alone = child != NULL && pl_xml_next_element(child) == NULL;

	for (; child != NULL; child = pl_xml_next_element(child))
		bits |= read_feature(child);
	/* STARTTLS as the only feature is mandatory (RFC 6120 5.3.1). */
	if (alone && (bits & PL_FEATURE_STARTTLS))
		bits |= PL_FEATURE_STARTTLS_REQUIRED;
	return bits;
}

/* ----- errors of the peer ----- */

/* "condition: text" of a stream error, a SASL failure or a dialback error;
 * returns the condition. The text stays the peer's: who shows it makes it
 * printable. */
static const char *read_words(struct pl_stream *stream,
			      const struct pl_xml_node *error, const char *ns,
			      const char *what)
{
	const struct pl_xml_node *child, *condition = NULL;
	char text[512] = "";

	for (child = pl_xml_first_element(error); child != NULL;
	     child = pl_xml_next_element(child)) {
		if (strcmp(child->ns, ns) != 0)
			continue;
		if (strcmp(child->name, "text") == 0)
			pl_xml_text(child, text, sizeof text);
		else if (condition == NULL)
			condition = child;
	}
	stream_words(stream, "%s %s%s%s", what,
		     condition ? condition->name : "without condition",
		     text[0] ? ": " : "", text);
	return condition ? condition->name : "";
}

static void on_stream_error(struct pl_stream *stream,
			    const struct pl_xml_node *error)
{
	const char *name = read_words(stream, error, PL_NS_STREAM_ERROR,
				      "stream error");

	stream_event(stream, &(struct pl_stream_event){
		.kind = PL_EV_STREAM_ERROR,
		.condition = pl_condition_parse(name) });
}

static void on_sasl_failure(struct pl_stream *stream,
			    const struct pl_xml_node *failure)
{
	const char *name = read_words(stream, failure, PL_NS_SASL,
				      "SASL failure");

	stream_event(stream, &(struct pl_stream_event){
		.kind = PL_EV_SASL_FAILURE,
		.sasl = pl_sasl_condition_parse(name),
		.flag = strstr(stream->words ? stream->words : "",
			       "purpose") != NULL });
}

/* ----- stanzas ----- */

static bool is_stanza(const struct pl_xml_node *element)
{
	return pl_xml_is(element, "message", PL_NS_SERVER) ||
	       pl_xml_is(element, "presence", PL_NS_SERVER) ||
	       pl_xml_is(element, "iq", PL_NS_SERVER);
}

/* Finds the open pair that a stanza is for (exact sender and target). */
static enum pl_addressing stanza_pair(struct pl_stream *stream,
				      const struct pl_xml_node *stanza,
				      struct pl_pair **pair)
{
	const char *from = pl_xml_attribute(stanza, "from");
	const char *to = pl_xml_attribute(stanza, "to");
	char sender[PL_DOMAIN_SIZE], target[PL_DOMAIN_SIZE];

	*pair = NULL;
	if (from == NULL || to == NULL ||
	    !pl_addr_jid_domain(from, strlen(from), sender, NULL) ||
	    !pl_addr_jid_domain(to, strlen(to), target, NULL))
		return PL_ADDRESS_MISSING;
	*pair = pair_find(stream, PL_RECEIVING, target, sender);
	if (*pair != NULL && (*pair)->state.phase == PL_PAIR_OPEN)
		return PL_ADDRESS_OK;
	*pair = NULL;
	if (!stream->world->host(stream->world->site, target, NULL))
		return PL_ADDRESS_TO_FOREIGN;
	return PL_ADDRESS_FROM_FOREIGN;
}

/* Behind a change of the configuration only what is legal still is taken. */
static bool still_legal(const struct pl_stream *stream,
			const struct pl_pair *pair)
{
	struct pl_terms terms;

	if (stream->core.phase != PL_AWAIT_CLOSE)
		return true;
	terms = stream_terms(stream, &pair->partner);
	return pl_pair_still_legal(&terms, &pair->state);
}

static void on_stanza(struct pl_stream *stream,
		      const struct pl_xml_node *stanza)
{
	struct pl_stream_event event = { .kind = PL_EV_STANZA };

	event.addressing = stanza_pair(stream, stanza, &stream->stanza_pair);
	event.flag = event.addressing == PL_ADDRESS_OK &&
		     still_legal(stream, stream->stanza_pair);
	stream_event(stream, &event);
	stream->stanza_pair = NULL;
}

/* ----- which element is which event ----- */

static bool simple_kind(const struct pl_xml_node *element,
			enum pl_stream_event_kind *kind)
{
	static const struct {
		const char *name, *ns;
		enum pl_stream_event_kind kind;
	} table[] = {
		{ "starttls", PL_NS_TLS, PL_EV_STARTTLS },
		{ "proceed", PL_NS_TLS, PL_EV_PROCEED },
		{ "failure", PL_NS_TLS, PL_EV_STARTTLS_FAILURE },
		{ "challenge", PL_NS_SASL, PL_EV_CHALLENGE },
		{ "response", PL_NS_SASL, PL_EV_RESPONSE },
		{ "abort", PL_NS_SASL, PL_EV_SASL_ABORT },
		{ "success", PL_NS_SASL, PL_EV_SASL_SUCCESS },
		{ "bidi", PL_NS_BIDI, PL_EV_BIDI },
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (pl_xml_is(element, table[i].name, table[i].ns)) {
			*kind = table[i].kind;
			return true;
		}
	return false;
}

/* An answer of an authority must not fall into a handshake, or in front of a
 * new header. */
static bool pairs_pending(const struct pl_stream *stream)
{
	for (const struct pl_pair *p = stream->pairs; p != NULL; p = p->next)
		if (p->state.phase == PL_PAIR_AWAIT_VERIFY)
			return true;
	return false;
}

static void on_auth(struct pl_stream *stream, const struct pl_xml_node *auth)
{
	const char *mechanism = pl_xml_attribute(auth, "mechanism");

	stream_event(stream, &(struct pl_stream_event){
		.kind = PL_EV_AUTH,
		.pairs_pending = pairs_pending(stream),
		.flag = mechanism != NULL &&
			strcmp(mechanism, "EXTERNAL") == 0 });
}

static void tell_element(struct pl_stream *stream,
			 const struct pl_xml_node *element)
{
	struct pl_stream_event event = { .kind = PL_EV_UNEXPECTED };

	if (dialback_kind(element, &event.dialback)) {
		event.kind = PL_EV_DIALBACK;
		stream_event(stream, &event);
	} else if (is_stanza(element)) {
		on_stanza(stream, element);
	} else if (pl_xml_is(element, "error", PL_NS_STREAM)) {
		on_stream_error(stream, element);
	} else if (pl_xml_is(element, "failure", PL_NS_SASL)) {
		on_sasl_failure(stream, element);
	} else if (pl_xml_is(element, "auth", PL_NS_SASL)) {
		on_auth(stream, element);
	} else if (!stream->incoming &&
		   pl_xml_is(element, "features", PL_NS_STREAM)) {
		event.kind = PL_EV_FEATURES;
		event.features = read_features(element);
		keep_read_limits(stream, pl_xml_child(element, "limits",
						      PL_NS_LIMITS));
		stream_event(stream, &event);
	} else if (sm_read(stream, element, &event)) {
		stream_event(stream, &event);
	} else {
		simple_kind(element, &event.kind);
		event.pairs_pending = pairs_pending(stream);
		stream_event(stream, &event);
	}
}

static bool on_element(void *owner, const struct pl_xml_node *element,
		       size_t bytes)
{
	struct pl_stream *stream = owner;

	stream->element = element;
	record_element(stream, element, bytes);
	tell_element(stream, element);
	stream->element = NULL;
	return !stream->ended && !stream->restart && !stream->begin_handshake;
}

static bool on_end(void *owner)
{
	struct pl_stream *stream = owner;

	record_close(stream);
	stream_simple_event(stream, PL_EV_CLOSED);
	return !stream->ended;
}

const struct pl_xml_events stream_xml_events = {
	.on_header = on_header,
	.on_element = on_element,
	.on_end = on_end,
};
