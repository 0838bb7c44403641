/*
 * What our hosts answer: ping (XEP-0199), disco#info and #items (XEP-0030),
 * version (XEP-0092); service-unavailable to any other request or message.
 * Errors and results are never answered (RFC 6120 8.3.1). Answers go out over
 * our own stream to the asker.
 */
#include "internal.h"

#include <string.h>

static bool attribute(struct pl_buffer *out, const char *name,
		      const char *value)
{
	return pl_buffer_printf(out, " %s='", name) &&
	       pl_xml_escape(out, value, strlen(value)) &&
	       pl_buffer_text(out, "'");
}

/* Opens the answer: same kind of stanza, from and to swapped, id kept. */
static bool open_answer(struct pl_buffer *out, const struct pl_stanza *stanza,
			const char *type)
{
	return pl_buffer_printf(out, "<%s", stanza->name) &&
	       attribute(out, "type", type) &&
	       (stanza->id == NULL || attribute(out, "id", stanza->id)) &&
	       attribute(out, "from", stanza->to) &&
	       attribute(out, "to", stanza->from) &&
	       pl_buffer_text(out, ">");
}

static bool refuse(struct pl_buffer *out, const struct pl_stanza *stanza)
{
	return open_answer(out, stanza, "error") &&
	       pl_buffer_printf(out, "<error type='cancel'>"
				"<service-unavailable xmlns='"
				PL_NS_STANZA_ERROR "'/></error></%s>",
				stanza->name);
}

static const char disco_info[] =
	"<query xmlns='" PL_NS_DISCO_INFO "'>"
	"<identity category='server' type='im' name='parley'/>"
	"<feature var='" PL_NS_DISCO_INFO "'/>"
	"<feature var='" PL_NS_DISCO_ITEMS "'/>"
	"<feature var='" PL_NS_PING "'/>"
	"<feature var='" PL_NS_VERSION "'/>"
	"</query>";

/* What an iq get to the bare host is answered with; NULL: not served. */
static const char *payload(const struct pl_xml_node *query)
{
	if (pl_xml_is(query, "ping", PL_NS_PING))
		return "";
	if (pl_xml_is(query, "query", PL_NS_DISCO_INFO))
		return pl_xml_attribute(query, "node") ? NULL : disco_info;
	if (pl_xml_is(query, "query", PL_NS_DISCO_ITEMS))
		return pl_xml_attribute(query, "node")
			       ? NULL
			       : "<query xmlns='" PL_NS_DISCO_ITEMS "'/>";
	if (pl_xml_is(query, "query", PL_NS_VERSION))
		return "<query xmlns='" PL_NS_VERSION "'><name>parley</name>"
		       "<version>" PARLEY_VERSION "</version></query>";
	return NULL;
}

/* Is the stanza for the host itself, not for some account at it? */
static bool to_bare_host(const struct pl_stanza *stanza)
{
	return strpbrk(stanza->to, "@/") == NULL;
}

static bool answer_iq(struct pl_buffer *out, const struct pl_stanza *iq,
		      const char *type)
{
	const char *result = NULL;

	if (strcmp(type, "get") == 0 && to_bare_host(iq))
		result = payload(pl_xml_first_element(iq->node));
	if (result == NULL)
		return refuse(out, iq);
	return open_answer(out, iq, "result") && pl_buffer_text(out, result) &&
	       pl_buffer_text(out, "</iq>");
}

void host_take(struct pl_router *router, const struct pl_stanza *stanza)
{
	const char *type = stanza->type != NULL ? stanza->type : "";
	struct pl_buffer answer;
	bool made = false;

	if (!stanza_may_bounce(stanza)) {
		if (strcmp(stanza->name, "iq") == 0 && stanza->id != NULL)
			ping_take(router, stanza->to_domain,
				  stanza->from_domain, stanza->id);
		return;
	}
	pl_buffer_init(&answer, 0);
	if (strcmp(stanza->name, "iq") == 0)
		made = answer_iq(&answer, stanza, type);
	else if (strcmp(stanza->name, "message") == 0)
		made = refuse(&answer, stanza);
	if (made)
		stanza_post(router, stanza->to_domain, stanza->from_domain,
			    &answer);
	pl_buffer_finish(&answer);
}
