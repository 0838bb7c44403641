/*
 * A component's connection in the trace (trace.h, parley-trace(7)): role
 * component, from the accepted connection to its end. Nothing here decides
 * anything; where nothing is recorded each function returns at once.
 */
#include "internal.h"

#include <stdio.h>
#include <string.h>

#include "parley/addr.h"

static bool is_off(const struct component *component)
{
	return !pl_trace_live(component->traced);
}

/* ----- the connection ----- */

void note_accepted(struct component *component)
{
	const struct pl_conn *conn = component->conn;
	char local[PL_ENDPOINT_SIZE];
	struct pl_traced *traced;
	struct pl_trace *trace = pl_trace_begin(
		component->components->world->tracer, true, NULL, NULL);

	if (trace == NULL)
		return;
	traced = pl_trace_connection(trace, PL_ROLE_COMPONENT, NULL);
	pl_trace_unref(trace);
	component->traced = traced;
	pl_conn_local(conn, local);
	pl_trace_record(traced, PL_DIR_IN, PL_STAGE_TCP, "accepted");
	pl_trace_text(traced, "addr", pl_conn_peer(conn));
	pl_trace_text(traced, "local", local[0] != '\0' ? local : NULL);
	pl_trace_bool(traced, "direct_tls", false);
	pl_trace_summary(traced, "component from %s", pl_conn_peer(conn));
	pl_trace_done(traced);
}

/* A name below no host of ours stands for itself. */
static const char *local_of(const struct component *component)
{
	const struct section *above;

	if (component->section == NULL)
		return NULL;
	above = host_above(component->components, component->section);
	return above != NULL ? above->name : component->name;
}

void note_named(struct component *component)
{
	if (!is_off(component))
		pl_trace_rename(component->traced, PL_ROLE_COMPONENT,
				local_of(component), component->name);
}

void note_tcp(struct component *component, enum pl_trace_dir dir,
	      const char *how)
{
	if (is_off(component))
		return;
	pl_trace_record(component->traced, dir, PL_STAGE_CLOSE, "tcp");
	pl_trace_text(component->traced, "how", how);
	pl_trace_summary(component->traced, "connection %s%s", how,
			 dir == PL_DIR_IN ? " by the component" : "");
	pl_trace_done(component->traced);
}

/* ----- headers and elements ----- */

static const char *arrow(enum pl_trace_dir dir)
{
	return dir == PL_DIR_OUT ? "sent" : "came";
}

/* What came last, in so many bytes: shown where all of it is at hand. */
static void add_came(struct component *component, size_t bytes,
		     enum pl_trace_mask mask, bool shown)
{
	size_t end = pl_xml_position(component->parser);
	size_t start = end > bytes ? end - bytes : 0;

	if (shown && component->feed != NULL && start >= component->feed_at)
		pl_trace_raw(component->traced,
			     component->feed + (start - component->feed_at),
			     bytes, mask);
	else
		pl_trace_length(component->traced, bytes);
}

static void show_header(struct component *component, enum pl_trace_dir dir,
			const char *to, const char *from, const char *id)
{
	struct pl_traced *traced = component->traced;

	pl_trace_record(traced, dir, PL_STAGE_STREAM, "header");
	pl_trace_text(traced, "to", to);
	pl_trace_text(traced, "from", from);
	pl_trace_text(traced, "id", id);
	pl_trace_bool(traced, "dialback", false);
	pl_trace_summary(traced, "<stream> %s%s%s", arrow(dir),
			 to != NULL ? " to " : "", to != NULL ? to : "");
}

void note_header_in(struct component *component,
		    const struct pl_xml_header *header)
{
	if (is_off(component))
		return;
	show_header(component, PL_DIR_IN, header->to, header->from,
		    header->id);
	add_came(component, pl_xml_position(component->parser),
		 PL_MASK_NOTHING, true);
	pl_trace_done(component->traced);
}

void note_header_out(struct component *component,
		     const struct pl_xml_open *open,
		     const struct pl_buffer *bytes)
{
	if (is_off(component))
		return;
	show_header(component, PL_DIR_OUT, NULL, open->from, open->id);
	pl_trace_raw(component->traced, pl_buffer_bytes(bytes), bytes->length,
		     PL_MASK_NOTHING);
	pl_trace_done(component->traced);
}

static void begin_element(struct component *component, enum pl_trace_dir dir,
			  const char *name, const char *ns)
{
	pl_trace_record(component->traced, dir, PL_STAGE_STREAM, "element");
	pl_trace_text(component->traced, "name", name);
	pl_trace_text(component->traced, "ns", ns);
	pl_trace_summary(component->traced, "<%s> %s", name, arrow(dir));
}

/* The digest is worth as much as the secret until the stream is gone: whatever
 * stands in a place where it could be is masked, or not shown. */
void note_handshake_in(struct component *component,
		       const struct pl_xml_node *element, size_t bytes)
{
	if (is_off(component))
		return;
	begin_element(component, PL_DIR_IN, element->name, element->ns);
	add_came(component, bytes, PL_MASK_TEXT,
		 pl_xml_is(element, "handshake", PL_NS_COMPONENT) &&
		 element->attributes == NULL);
	pl_trace_done(component->traced);
}

void note_handshake_out(struct component *component, const char *bytes)
{
	if (is_off(component))
		return;
	begin_element(component, PL_DIR_OUT, "handshake", PL_NS_COMPONENT);
	pl_trace_raw(component->traced, bytes, strlen(bytes), PL_MASK_NOTHING);
	pl_trace_done(component->traced);
}

static void begin_error(struct component *component, enum pl_trace_dir dir,
			const char *condition, const char *text)
{
	struct pl_traced *traced = component->traced;

	pl_trace_record(traced, dir, PL_STAGE_ERROR, "stream");
	pl_trace_level(traced, PL_LOG_WARNING);
	pl_trace_text(traced, "condition", condition);
	pl_trace_text(traced, "text", text);
	pl_trace_summary(traced, "%s %s%s%s",
			 condition != NULL ? condition : "without condition",
			 arrow(dir), text != NULL ? ": " : "",
			 text != NULL ? text : "");
}

void note_error_out(struct component *component, const char *condition,
		    const char *text)
{
	if (is_off(component))
		return;
	begin_error(component, PL_DIR_OUT, condition, text);
	pl_trace_done(component->traced);
}

static void show_error(struct component *component,
		       const struct pl_xml_node *error, size_t bytes)
{
	const struct pl_xml_node *child;
	const char *condition = NULL;
	char text[512] = "";

	for (child = pl_xml_first_element(error); child != NULL;
	     child = pl_xml_next_element(child)) {
		if (strcmp(child->ns, PL_NS_STREAM_ERROR) != 0)
			continue;
		if (strcmp(child->name, "text") == 0)
			pl_xml_text(child, text, sizeof text);
		else if (condition == NULL)
			condition = child->name;
	}
	begin_error(component, PL_DIR_IN, condition, text[0] ? text : NULL);
	add_came(component, bytes, PL_MASK_TEXT, true);
	pl_trace_done(component->traced);
}

/* ----- stanzas ----- */

static const char *domain_of(const char *address, char out[PL_DOMAIN_SIZE])
{
	if (address == NULL || !pl_addr_jid_domain(address, strlen(address),
						   out, NULL))
		return NULL;
	return out;
}

static void begin_stanza(struct component *component, enum pl_trace_dir dir,
			 const char *kind, const char *from, const char *to,
			 const char *type)
{
	struct pl_traced *traced = component->traced;
	char domain[PL_DOMAIN_SIZE];

	pl_trace_record(traced, dir, PL_STAGE_STANZA, "seen");
	pl_trace_text(traced, "kind", kind);
	pl_trace_text(traced, "from", domain_of(from, domain));
	pl_trace_text(traced, "to", domain_of(to, domain));
	pl_trace_text(traced, "type", type);
	pl_trace_summary(traced, "<%s> %s", kind, arrow(dir));
}

/* What goes out was written by several hands: it is read again. */
struct written {
	struct component *component;
	const void *bytes;
	size_t length;
};

static bool on_written_header(void *owner, const struct pl_xml_header *header)
{
	(void)owner;
	(void)header;
	return true;
}

static bool on_written(void *owner, const struct pl_xml_node *element,
		       size_t bytes)
{
	struct written *written = owner;

	(void)bytes;
	begin_stanza(written->component, PL_DIR_OUT, element->name,
		     pl_xml_attribute(element, "from"),
		     pl_xml_attribute(element, "to"),
		     pl_xml_attribute(element, "type"));
	pl_trace_raw(written->component->traced, written->bytes,
		     written->length, PL_MASK_STANZA);
	pl_trace_done(written->component->traced);
	return true;
}

static bool on_written_end(void *owner)
{
	(void)owner;
	return true;
}

void note_stanza_out(struct component *component, const void *bytes,
		     size_t length)
{
	static const struct pl_xml_events events = {
		on_written_header, on_written, on_written_end,
	};
	static const char document[] = "<stream:stream xmlns='" PL_NS_COMPONENT
				       "' xmlns:stream='" PL_NS_STREAM "'>";
	struct written written = { component, bytes, length };
	struct pl_xml_limits limits;
	struct pl_xml_parser *parser;

	if (is_off(component) || !pl_trace_stanza(component->traced))
		return;
	limits = pl_xml_limits_after(length + sizeof document);
	parser = pl_xml_new(PL_NS_COMPONENT, &limits, &events, &written);
	if (parser == NULL)
		return;
	pl_xml_feed(parser, document, sizeof document - 1);
	pl_xml_feed(parser, bytes, length);
	pl_xml_free(parser);
}

void note_element_in(struct component *component,
		     const struct pl_xml_node *element, bool stanza,
		     size_t bytes)
{
	if (is_off(component))
		return;
	if (stanza) {
		if (!pl_trace_stanza(component->traced))
			return;
		begin_stanza(component, PL_DIR_IN, element->name,
			     pl_xml_attribute(element, "from"),
			     pl_xml_attribute(element, "to"),
			     pl_xml_attribute(element, "type"));
		add_came(component, bytes, PL_MASK_STANZA, true);
	} else if (pl_xml_is(element, "error", PL_NS_STREAM)) {
		show_error(component, element, bytes);
		return;
	} else {
		begin_element(component, PL_DIR_IN, element->name,
			      element->ns);
		add_came(component, bytes, PL_MASK_TEXT, true);
	}
	pl_trace_done(component->traced);
}

/* ----- how it went ----- */

void note_close(struct component *component, enum pl_trace_dir dir)
{
	if (is_off(component))
		return;
	pl_trace_record(component->traced, dir, PL_STAGE_CLOSE, "stream");
	pl_trace_summary(component->traced, "<stream> %s", arrow(dir));
	pl_trace_done(component->traced);
}

void note_fault(struct component *component, const char *text)
{
	if (is_off(component))
		return;
	pl_trace_record(component->traced, PL_DIR_IN, PL_STAGE_ERROR, "fault");
	pl_trace_level(component->traced, PL_LOG_WARNING);
	pl_trace_text(component->traced, "text", text);
	pl_trace_summary(component->traced, "%s", text);
	pl_trace_done(component->traced);
}

void note_attached(struct component *component)
{
	char text[PL_DOMAIN_SIZE + 80];

	if (is_off(component))
		return;
	snprintf(text, sizeof text, "the handshake is right: component \"%s\" "
		 "is attached", component->name);
	pl_trace_record(component->traced, PL_DIR_LOCAL, PL_STAGE_POLICY,
			"note");
	pl_trace_level(component->traced, PL_LOG_NOTICE);
	pl_trace_text(component->traced, "text", text);
	pl_trace_summary(component->traced, "%s", text);
	pl_trace_done(component->traced);
	pl_trace_component(component->traced, PL_CODE_NONE, NULL);
}

void note_refused(struct component *component, enum pl_code code,
		  const char *why)
{
	const struct pl_code_entry *entry = pl_code_entry(code);
	struct pl_traced *traced = component->traced;

	if (is_off(component) || component->attached)
		return;
	if (why == NULL)
		why = entry->meaning;
	pl_trace_record(traced, PL_DIR_LOCAL, PL_STAGE_ESTABLISHED, "failed");
	pl_trace_level(traced, PL_LOG_NOTICE);
	pl_trace_code(traced, code);
	pl_trace_text(traced, "local", local_of(component));
	pl_trace_text(traced, "remote",
		      component->name[0] ? component->name : NULL);
	pl_trace_text(traced, "side", pl_side_name(entry->side));
	pl_trace_text(traced, "stage", pl_stage_name(entry->stage));
	pl_trace_text(traced, "why", why);
	pl_trace_text(traced, "fix", entry->first_step);
	pl_trace_summary(traced, "%s", entry->name);
	pl_trace_done(traced);
	pl_trace_component(traced, code, why);
}

/* The code that goes with a condition of ours. */
enum pl_code note_code(const struct component *component,
		       const char *condition)
{
	static const struct {
		const char *condition;
		enum pl_code code;
	} codes[] = {
		{ "not-authorized", PL_CODE_COMPONENT_REFUSED },
		{ "conflict", PL_CODE_COMPONENT_REFUSED },
		{ "host-unknown", PL_CODE_HOST_UNKNOWN },
		{ "host-gone", PL_CODE_SHUTDOWN },
		{ "system-shutdown", PL_CODE_SHUTDOWN },
		{ "connection-timeout", PL_CODE_NEGOTIATION_TIMEOUT },
		{ "not-well-formed", PL_CODE_NOT_WELL_FORMED },
		{ "unsupported-encoding", PL_CODE_NOT_WELL_FORMED },
		{ "bad-namespace-prefix", PL_CODE_NOT_WELL_FORMED },
		{ "restricted-xml", PL_CODE_RESTRICTED_XML },
		{ "policy-violation", PL_CODE_LIMIT_EXCEEDED },
		{ "bad-format", PL_CODE_NOT_XMPP },
		{ "invalid-namespace", PL_CODE_WRONG_NAMESPACE },
		{ "internal-server-error", PL_CODE_INTERNAL },
	};

	if (condition == NULL)
		return PL_CODE_PEER_CLOSED;
	if (strcmp(condition, "connection-timeout") == 0 &&
	    component->section == NULL)
		return PL_CODE_HEADER_TIMEOUT;
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (strcmp(codes[i].condition, condition) == 0)
			return codes[i].code;
	return PL_CODE_PROTOCOL_VIOLATION;
}
