/*
 * One connection of a component: header, handshake, stanzas.
 *
 *     AWAIT_HEADER -> AWAIT_HANDSHAKE -> attached -> ended
 *
 * It ends from inside its own feed (then on_data frees it) or from outside
 * (then it is freed at once).
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ----- words ----- */

static void log_this(const struct component *component,
		     enum pl_log_level level, const char *event,
		     const char *why)
{
	struct pl_log_line line;

	pl_log_begin(&line, component->components->world->log, level);
	pl_log_text(&line, "stream", component->log_id);
	pl_log_text(&line, "event", event);
	pl_log_text(&line, "component", component->name);
	pl_log_text(&line, "addr", component->addr);
	if (why != NULL)
		pl_log_text(&line, "why", why);
	pl_log_end(&line);
}

static void name_it(struct component *component)
{
	struct pl_loop *loop = component->components->world->loop;
	unsigned char random[16];

	pl_loop_random(loop, random, sizeof random);
	for (size_t i = 0; i < sizeof random; i++)
		snprintf(component->id + 2 * i, 3, "%02x", random[i]);
	pl_loop_random(loop, random, 3);
	for (size_t i = 0; i < 3; i++)
		snprintf(component->log_id + 2 * i, 3, "%02x", random[i]);
}

/* ----- the end ----- */

static void free_component(struct component *component)
{
	pl_xml_free(component->parser);
	pl_timer_free(component->timer);
	pl_sender_free(component->sender);
	pl_brake_free(component->brake);
	pl_unsent_free(component->unsent);
	pl_trace_leave(component->traced);
	free(component->addr);
	free(component->name);
	free(component);
}

/* Out of every list; nothing is sent to it and nothing read any more. */
static void leave(struct component *component)
{
	struct pl_components *components = component->components;

	component->ended = true;
	TAILQ_REMOVE(&components->all, component, entry);
	if (!component->attached)
		components->unattached--;
	else if (component->section->attached == component)
		component->section->attached = NULL;
	component->section = NULL;
	if (!component->feeding)
		free_component(component);
}

static void write_buffer(struct component *component,
			 const struct pl_buffer *bytes)
{
	pl_conn_write(component->conn, pl_buffer_bytes(bytes), bytes->length);
}

/* No version and no features (XEP-0114 3). */
static void write_header(struct component *component)
{
	struct pl_xml_open open = {
		.content_ns = PL_NS_COMPONENT,
		.from = component->name[0] ? component->name : NULL,
		.id = component->id,
	};
	struct pl_buffer out;

	if (component->header_sent)
		return;
	component->header_sent = true;
	pl_buffer_init(&out, 0);
	pl_xml_write_header(&out, &open);
	write_buffer(component, &out);
	note_header_out(component, &open, &out);
	pl_buffer_finish(&out);
}

void component_end(struct component *component, const char *condition,
		   const char *text)
{
	struct pl_buffer out;

	if (component->ended)
		return;
	log_this(component, component->attached ? PL_LOG_NOTICE : PL_LOG_WARNING,
		 component->attached ? "component-detached"
				     : "component-refused",
		 condition != NULL ? condition : "it closed");
	write_header(component); /* an error needs one (RFC 6120 4.9.1.2) */
	pl_buffer_init(&out, 0);
	if (condition != NULL) {
		pl_xml_write_stream_error(&out, condition, text);
		note_error_out(component, condition, text);
	}
	pl_buffer_text(&out, "</stream:stream>");
	write_buffer(component, &out);
	pl_buffer_finish(&out);
	note_refused(component, note_code(component, condition), text);
	note_close(component, PL_DIR_OUT);
	note_tcp(component, PL_DIR_OUT, "closed");
	pl_conn_close(component->conn, LINGER_MS);
	component->conn = NULL;
	leave(component);
}

void component_drop(struct component *component)
{
	pl_conn_abort(component->conn);
	component->conn = NULL;
	leave(component);
}

/* ----- the header ----- */

/* A section may be named by itself, also "*.x", or by a name below. */
static struct section *named_by(const struct pl_components *components,
				const char *to, char name[PL_DOMAIN_SIZE])
{
	struct section *section;
	bool wild = strncmp(to, "*.", 2) == 0;

	if (!pl_addr_domain(to + 2 * wild, strlen(to + 2 * wild), name, NULL))
		return NULL;
	if (wild && strlen(name) + 3 <= PL_DOMAIN_SIZE) {
		memmove(name + 2, name, strlen(name) + 1);
		memcpy(name, "*.", 2);
	}
	section = section_of(components, name);
	return section != NULL && section->secret != NULL ? section : NULL;
}

static bool on_header(void *owner, const struct pl_xml_header *header)
{
	struct component *component = owner;
	char name[PL_DOMAIN_SIZE] = "";

	note_header_in(component, header);
	if (header->to == NULL || header->to[0] == '\0') {
		component_end(component, "improper-addressing",
			      "The header names no component");
		return false;
	}
	component->section = named_by(component->components, header->to, name);
	if (component->section == NULL) {
		component_end(component, "host-unknown",
			      "No component section has this name");
		return false;
	}
	free(component->name);
	component->name = pl_strdup(name);
	note_named(component);
	write_header(component);
	return true;
}

/* ----- the handshake ----- */

static bool on_handshake(struct component *component,
			 const struct pl_xml_node *element)
{
	struct pl_world *world = component->components->world;
	struct pl_xml_limits limits =
		pl_xml_limits_after(world->limits.stanza_bytes);

	if (!pl_xml_is(element, "handshake", PL_NS_COMPONENT)) {
		component_end(component, "not-authorized",
			      "The handshake comes first");
		return false;
	}
	if (!handshake_good(element, component->id,
			    component->section->secret)) {
		component_end(component, "not-authorized",
			      "The handshake is wrong");
		return false;
	}
	if (!section_attach(component)) {
		component_end(component, "conflict",
			      "The component is attached already");
		return false;
	}
	pl_timer_clear(component->timer);
	pl_xml_set_limits(component->parser, &limits);
	pl_conn_write(component->conn, "<handshake/>", 12);
	note_handshake_out(component, "<handshake/>");
	note_attached(component);
	log_this(component, PL_LOG_NOTICE, "component-attached", NULL);
	return true;
}

/* ----- stanzas ----- */

static bool is_stanza(const struct pl_xml_node *element)
{
	return strcmp(element->ns, PL_NS_COMPONENT) == 0 &&
	       (strcmp(element->name, "message") == 0 ||
		strcmp(element->name, "presence") == 0 ||
		strcmp(element->name, "iq") == 0);
}

static void on_stanza(struct component *component,
		      const struct pl_xml_node *element)
{
	struct pl_components *components = component->components;
	struct pl_stanza stanza;
	enum pl_stanza_fault fault =
		pl_stanza_read(&stanza, element, &components->scratch);

	if (fault == PL_STANZA_BAD_FROM ||
	    section_of(components, stanza.from_domain) != component->section) {
		component_end(component, "invalid-from",
			      "A stanza is not from this component");
		return;
	}
	component->received++;
	switch (fault) {
	case PL_STANZA_GOOD:
		pl_router_send(components->router, &stanza, component->sender);
		break;
	case PL_STANZA_NO_TO:
		pl_router_refuse(components->router, &stanza,
				 PL_SC_BAD_REQUEST);
		break;
	case PL_STANZA_BAD_TO:
		pl_router_refuse(components->router, &stanza,
				 PL_SC_JID_MALFORMED);
		break;
	case PL_STANZA_NO_MEMORY:
		pl_router_refuse(components->router, &stanza,
				 PL_SC_RESOURCE_CONSTRAINT);
		break;
	case PL_STANZA_BAD_FROM:
		break; /* has ended it */
	}
	pl_buffer_consume(&components->scratch, components->scratch.length);
	if (components->scratch.capacity > KEPT_BYTES)
		pl_buffer_trim(&components->scratch);
	if (!component->ended && pl_sender_full(component->sender))
		pl_conn_pause(component->conn);
}

static bool on_element(void *owner, const struct pl_xml_node *element,
		       size_t bytes)
{
	struct component *component = owner;

	if (!component->attached) {
		note_handshake_in(component, element, bytes);
		return on_handshake(component, element);
	}
	note_element_in(component, element, is_stanza(element), bytes);
	if (is_stanza(element))
		on_stanza(component, element);
	else if (pl_xml_is(element, "error", PL_NS_STREAM))
		component_end(component, NULL, NULL);
	else
		component_end(component, "unsupported-stanza-type", NULL);
	return !component->ended;
}

static bool on_stream_end(void *owner)
{
	note_close(owner, PL_DIR_IN);
	component_end(owner, NULL, NULL);
	return false;
}

static const struct pl_xml_events xml_events = {
	.on_header = on_header,
	.on_element = on_element,
	.on_end = on_stream_end,
};

/* ----- input and output ----- */

static void tell_fault(struct component *component)
{
	static const char *const conditions[] = {
		[PL_XML_NOT_WELL_FORMED] = "not-well-formed",
		[PL_XML_RESTRICTED] = "restricted-xml",
		[PL_XML_ENCODING] = "unsupported-encoding",
		[PL_XML_LIMIT] = "policy-violation",
		[PL_XML_NOT_XMPP] = "bad-format",
		[PL_XML_NAMESPACE] = "invalid-namespace",
		[PL_XML_PREFIX] = "bad-namespace-prefix",
		[PL_XML_FORMAT] = "bad-format",
		[PL_XML_MEMORY] = "internal-server-error",
	};
	enum pl_xml_fault fault = pl_xml_fault(component->parser);

	log_this(component, PL_LOG_WARNING, "component-fault",
		 pl_xml_fault_text(component->parser));
	note_fault(component, pl_xml_fault_text(component->parser));
	component_end(component, conditions[fault],
		      fault == PL_XML_LIMIT ? "More than this server accepts"
					    : NULL);
}

static void on_data(void *owner, const void *bytes, size_t length)
{
	struct component *component = owner;

	component->feeding = true;
	component->feed = bytes;
	pl_xml_feed(component->parser, bytes, length);
	component->feed_at += length;
	component->feed = NULL;
	if (!component->ended &&
	    pl_xml_fault(component->parser) != PL_XML_NO_FAULT)
		tell_fault(component);
	component->feeding = false;
	if (component->ended)
		free_component(component);
}

static void on_end(void *owner, enum pl_conn_end end, const char *text)
{
	struct component *component = owner;

	log_this(component, PL_LOG_NOTICE,
		 component->attached ? "component-detached"
				     : "component-gone",
		 end == PL_CONN_OVERFLOW ? "it does not read" : text);
	note_tcp(component, end == PL_CONN_OVERFLOW ? PL_DIR_OUT : PL_DIR_IN,
		 end == PL_CONN_OVERFLOW ? "dropped"
		 : end == PL_CONN_RESET  ? "reset" : "eof");
	note_refused(component, PL_CODE_PEER_CLOSED, NULL);
	pl_unsent_gone(component->unsent, pl_conn_sent(component->conn));
	pl_unsent_return(component->unsent);
	component_drop(component);
}

static void on_drained(void *owner)
{
	struct component *component = owner;

	pl_unsent_gone(component->unsent, pl_conn_sent(component->conn));
	pl_brake_release(component->brake);
}

static const struct pl_conn_events conn_events = {
	.on_data = on_data,
	.on_end = on_end,
	.on_drained = on_drained,
};

bool component_write(struct component *component, const void *bytes,
		     size_t length, struct pl_sender *sender)
{
	size_t limit = component->components->world->limits.output_bytes;
	size_t pending = pl_conn_pending(component->conn) + length;

	if (pending > limit / 2)
		pl_brake_hold(component->brake, sender);
	if (pending > limit ||
	    !pl_conn_write(component->conn, bytes, length))
		return false;
	component->sent++;
	note_stanza_out(component, bytes, length);
	return true;
}

void component_taken(struct component *component,
		     const struct pl_stanza *stanza)
{
	pl_unsent_gone(component->unsent, pl_conn_sent(component->conn));
	pl_unsent_add(component->unsent, stanza,
		      pl_conn_written(component->conn));
}

/* ----- making ----- */

static void on_timer(void *owner)
{
	component_end(owner, "connection-timeout",
		      "No handshake within 10 seconds");
}

static void on_room(void *owner)
{
	struct component *component = owner;

	if (component->conn != NULL)
		pl_conn_resume(component->conn);
}

struct component *component_new(struct pl_components *components,
				struct pl_conn *conn)
{
	struct pl_world *world = components->world;
	struct pl_xml_limits limits =
		pl_xml_limits_before(world->limits.unauthenticated_bytes);
	struct component *component = calloc(1, sizeof *component);

	if (component != NULL)
		component->parser = pl_xml_new(PL_NS_COMPONENT, &limits,
					       &xml_events, component);
	if (component == NULL || component->parser == NULL) {
		free(component);
		pl_conn_abort(conn);
		return NULL;
	}
	component->components = components;
	component->conn = conn;
	component->addr = pl_strdup(pl_conn_peer(conn));
	component->name = pl_strdup("");
	component->began_ms = pl_loop_now_ms(world->loop);
	name_it(component);
	component->sender = pl_sender_new(components->router, on_room,
					  component);
	component->brake = pl_brake_new(world->loop);
	component->unsent = pl_unsent_new(components->router);
	component->timer = pl_timer_new(world->loop, on_timer, component);
	pl_timer_set(component->timer, HANDSHAKE_MS);
	/* Room for an error behind what component_write() lets wait. */
	pl_conn_set_output_limit(conn, world->limits.output_bytes + 4096);
	TAILQ_INSERT_TAIL(&components->all, component, entry);
	components->unattached++;
	note_accepted(component);
	pl_conn_own(conn, &conn_events, component);
	return component;
}
