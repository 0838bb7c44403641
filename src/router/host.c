/*
 * What our hosts answer: ping (XEP-0199), disco#info with contact addresses
 * (XEP-0157) and #items (XEP-0030), version (XEP-0092); to any other request or
 * message service-unavailable, and bad-request to an iq that is none. Errors and
 * results are never answered (RFC 6120 8.3.1). Answers go out over our own
 * stream to the asker.
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

/* ----- disco (XEP-0030) ----- */

/* Contact addresses (XEP-0157 3): a form, one field for each kind. */
static bool write_contacts(struct pl_buffer *out, const char *const *contacts)
{
	static const char *const kinds[] = { "abuse", "admin", "feedback",
		"sales", "security", "status", "support" };
	bool good = pl_buffer_text(out,
		"<x xmlns='jabber:x:data' type='result'>"
		"<field var='FORM_TYPE' type='hidden'>"
		"<value>http://jabber.org/network/serverinfo</value></field>");

	for (size_t k = 0; good && k < sizeof kinds / sizeof kinds[0]; k++) {
		size_t length = strlen(kinds[k]);
		bool any = false;

		for (const char *const *c = contacts; *c != NULL; c++) {
			if (strncmp(*c, kinds[k], length) != 0 ||
			    (*c)[length] != '=')
				continue;
			if (!any)
				good = pl_buffer_printf(out,
					"<field var='%s-addresses' "
					"type='list-multi'>", kinds[k]);
			any = true;
			good = good && pl_buffer_text(out, "<value>") &&
			       pl_xml_escape(out, *c + length + 1,
					     strlen(*c + length + 1)) &&
			       pl_buffer_text(out, "</value>");
		}
		good = good && (!any || pl_buffer_text(out, "</field>"));
	}
	return good && pl_buffer_text(out, "</x>");
}

static bool write_info(struct pl_router *router, struct pl_buffer *out,
		       const char *host)
{
	const struct pl_world *world = router->world;
	const char *const *contacts = world->contacts != NULL
		? world->contacts(world->site, host) : NULL;

	return pl_buffer_text(out, "<query xmlns='" PL_NS_DISCO_INFO "'>"
		"<identity category='server' type='im' name='parley'/>"
		"<feature var='" PL_NS_DISCO_INFO "'/>"
		"<feature var='" PL_NS_DISCO_ITEMS "'/>"
		"<feature var='" PL_NS_PING "'/>"
		"<feature var='" PL_NS_VERSION "'/>") &&
	       (contacts == NULL || contacts[0] == NULL ||
		write_contacts(out, contacts)) &&
	       pl_buffer_text(out, "</query>");
}

static bool write_item(void *owner, const char *domain)
{
	struct pl_buffer *out = owner;

	return pl_buffer_text(out, "<item") && attribute(out, "jid", domain) &&
	       pl_buffer_text(out, "/>");
}

static bool write_items(struct pl_router *router, struct pl_buffer *out,
			const char *host)
{
	const struct pl_local *local = router->local;

	return pl_buffer_text(out, "<query xmlns='" PL_NS_DISCO_ITEMS "'>") &&
	       (local == NULL || local->items == NULL ||
		local->items(router->local_owner, host, write_item, out)) &&
	       pl_buffer_text(out, "</query>");
}

/* ----- requests ----- */

/* What an iq get to the bare host is answered with; false: not served. */
static bool write_payload(struct pl_router *router, struct pl_buffer *out,
			  const struct pl_stanza *iq)
{
	const struct pl_xml_node *query = pl_xml_first_element(iq->node);
	bool node = pl_xml_attribute(query, "node") != NULL;

	if (pl_xml_is(query, "ping", PL_NS_PING))
		return true;
	if (pl_xml_is(query, "query", PL_NS_DISCO_INFO))
		return !node && write_info(router, out, iq->to_domain);
	if (pl_xml_is(query, "query", PL_NS_DISCO_ITEMS))
		return !node && write_items(router, out, iq->to_domain);
	if (pl_xml_is(query, "query", PL_NS_VERSION))
		return pl_buffer_text(out, "<query xmlns='" PL_NS_VERSION "'>"
				      "<name>parley</name><version>"
				      PARLEY_VERSION "</version></query>");
	return false;
}

/* False: nothing that the host knows. */
static bool write_result(struct pl_router *router, struct pl_buffer *out,
			 const struct pl_stanza *iq)
{
	return strcmp(iq->type, "get") == 0 && stanza_to_bare_domain(iq) &&
	       open_answer(out, iq, "result") &&
	       write_payload(router, out, iq) && pl_buffer_text(out, "</iq>");
}

/* Of type get or set, with one payload (RFC 6120 8.2.3). */
static bool is_request(const struct pl_stanza *iq)
{
	const struct pl_xml_node *payload = pl_xml_first_element(iq->node);

	return iq->type != NULL && payload != NULL &&
	       (strcmp(iq->type, "get") == 0 || strcmp(iq->type, "set") == 0) &&
	       pl_xml_next_element(payload) == NULL;
}

/* The host knows no nodes (XEP-0030 7). */
static bool asks_for_node(const struct pl_stanza *iq)
{
	const struct pl_xml_node *query = pl_xml_first_element(iq->node);

	return stanza_to_bare_domain(iq) &&
	       pl_xml_attribute(query, "node") != NULL &&
	       (pl_xml_is(query, "query", PL_NS_DISCO_INFO) ||
		pl_xml_is(query, "query", PL_NS_DISCO_ITEMS));
}

static void take_iq(struct pl_router *router, const struct pl_stanza *iq)
{
	struct pl_buffer answer;

	if (!is_request(iq)) {
		pl_router_refuse(router, iq, PL_SC_BAD_REQUEST);
		return;
	}
	pl_buffer_init(&answer, 0);
	if (write_result(router, &answer, iq))
		stanza_post(router, iq->to_domain, iq->from_domain, &answer);
	else
		pl_router_refuse(router, iq, asks_for_node(iq)
					 ? PL_SC_ITEM_NOT_FOUND
					 : PL_SC_SERVICE_UNAVAILABLE);
	pl_buffer_finish(&answer);
}

/* Presence for a host, or an account that it does not have, has no answer (RFC
 * 6121 8.5.1). */
void host_take(struct pl_router *router, const struct pl_stanza *stanza)
{
	if (!stanza_may_bounce(stanza))
		return;
	if (strcmp(stanza->name, "iq") == 0)
		take_iq(router, stanza);
	else if (strcmp(stanza->name, "message") == 0)
		pl_router_refuse(router, stanza, PL_SC_SERVICE_UNAVAILABLE);
}
