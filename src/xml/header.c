/* The opening and the closing tag of a stream. */
#include "internal.h"

#include <string.h>

/* digits.digits, within reason (RFC 6120 4.7.5). */
static bool read_number(const char **at, int *number)
{
	int digits = 0;

	*number = 0;
	while (**at >= '0' && **at <= '9') {
		if (++digits > 9)
			return false;
		*number = *number * 10 + (**at - '0');
		*at += 1;
	}
	return digits > 0;
}

static void read_version(struct pl_xml_header *header)
{
	const char *at = header->version;

	if (at != NULL && read_number(&at, &header->major) && *at++ == '.' &&
	    read_number(&at, &header->minor) && *at == '\0')
		return;
	header->major = 0;
	header->minor = 9;
}

static bool check_declared(struct pl_xml_parser *parser)
{
	const struct pl_xml_declared *declared = &parser->declared;

	if (declared->content)
		return true;
	/* Content by prefix, below a default namespace of streams or of
	 * nothing, is legal (RFC 6120 4.8.3), but we do not do it. */
	if (declared->content_prefix && (!declared->other || declared->stream))
		pl_xml_raise(parser, PL_XML_PREFIX,
		      "the content namespace is bound to a prefix");
	else if (declared->other)
		pl_xml_raise(parser, PL_XML_NAMESPACE,
		      "the default namespace is not the content namespace");
	else
		pl_xml_raise(parser, PL_XML_NAMESPACE,
		      "the header declares no default namespace");
	return false;
}

static bool keep_lang(struct pl_xml_parser *parser, const char *lang)
{
	parser->lang = strdup(lang == NULL ? "" : lang);
	return parser->lang != NULL || pl_xml_raise_memory(parser);
}

static bool read_header(struct pl_xml_parser *parser,
			struct pl_xml_header *header, const char **from)
{
	for (; from[0] != NULL; from += 2) {
		const char **slot = NULL;

		if (strcmp(from[0], "to") == 0)
			slot = &header->to;
		else if (strcmp(from[0], "from") == 0)
			slot = &header->from;
		else if (strcmp(from[0], "id") == 0)
			slot = &header->id;
		else if (strcmp(from[0], "version") == 0)
			slot = &header->version;
		else if (pl_xml_name_is(from[0], PL_NS_XML, "lang"))
			slot = &header->lang;
		if (slot != NULL)
			*slot = pl_xml_copy(parser, from[1]);
	}
	header->declares_dialback = parser->declared.dialback;
	read_version(header);
	return !pl_xml_is_deaf(parser) && keep_lang(parser, header->lang);
}

void pl_xml_open_stream(struct pl_xml_parser *parser, const char *name,
			const char **attributes)
{
	struct pl_xml_header header = { 0 };

	if (!pl_xml_name_is(name, PL_NS_STREAM, "stream")) {
		pl_xml_raise(parser, PL_XML_NOT_XMPP,
		      "the root element is not that of a stream");
		return;
	}
	if (!check_declared(parser) ||
	    !read_header(parser, &header, attributes))
		return;
	parser->depth = 1;
	parser->namespaces = 0;
	parser->scan.rooted = true;
	parser->scan.inside = false;
	parser->stopped = !parser->events->on_header(parser->owner, &header);
	pl_xml_arena_reset(&parser->arena);
}

void pl_xml_close_stream(struct pl_xml_parser *parser)
{
	parser->ended = true;
	parser->end_due = false;
	parser->stopped = !parser->events->on_end(parser->owner);
}
