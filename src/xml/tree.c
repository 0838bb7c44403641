/* The element in hand, built from what expat tells. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* Text memory kept for the next element. */
#define TEXT_BYTES_KEPT 4096

/* ----- names, attributes, text ----- */

const char *pl_xml_split_name(const char *name, size_t *ns_length)
{
	const char *at = strchr(name, PL_XML_SEPARATOR);

	*ns_length = at == NULL ? 0 : (size_t)(at - name);
	return at == NULL ? name : at + 1;
}

bool pl_xml_name_is(const char *name, const char *ns, const char *local)
{
	size_t length;
	const char *rest = pl_xml_split_name(name, &length);

	return strcmp(rest, local) == 0 && strlen(ns) == length &&
	       memcmp(name, ns, length) == 0;
}

char *pl_xml_copy(struct pl_xml_parser *parser, const char *text)
{
	char *fresh = pl_xml_arena_copy(&parser->arena, text, strlen(text));

	if (fresh == NULL)
		pl_xml_raise_memory(parser);
	return fresh;
}

/* Most elements are in the namespace of the element around them. */
static const char *copy_ns(struct pl_xml_parser *parser, const char *ns,
			   size_t length)
{
	const char *fresh = parser->top == NULL ? "" : parser->top->node.ns;

	if (length == 0)
		return "";
	if (strncmp(fresh, ns, length) == 0 && fresh[length] == '\0')
		return fresh;
	fresh = pl_xml_arena_copy(&parser->arena, ns, length);
	if (fresh == NULL)
		pl_xml_raise_memory(parser);
	return fresh;
}

static bool copy_attributes(struct pl_xml_parser *parser,
			    struct pl_xml_node *node, const char **from)
{
	struct pl_xml_attribute **tail = &node->attributes;

	for (; from[0] != NULL; from += 2) {
		struct pl_xml_attribute *fresh =
			pl_xml_arena_get(&parser->arena, sizeof *fresh);
		size_t ns_length;
		const char *local = pl_xml_split_name(from[0], &ns_length);

		if (fresh == NULL)
			return pl_xml_raise_memory(parser);
		fresh->ns = copy_ns(parser, from[0], ns_length);
		fresh->name = pl_xml_copy(parser, local);
		fresh->value = pl_xml_copy(parser, from[1]);
		fresh->next = NULL;
		if (pl_xml_is_deaf(parser))
			return false;
		if (pl_xml_name_is(from[0], PL_NS_XML, "lang"))
			node->lang = fresh->value;
		*tail = fresh;
		tail = &fresh->next;
	}
	return true;
}

/* The limit on the element bounds it. */
bool pl_xml_add_text(struct pl_xml_parser *parser, const char *text,
		     size_t length)
{
	size_t wanted = parser->text_length + length;

	if (wanted > parser->text_size) {
		size_t size = parser->text_size * 2;
		char *fresh;

		if (size < wanted)
			size = wanted < 256 ? 256 : wanted;
		fresh = realloc(parser->text, size);
		if (fresh == NULL)
			return pl_xml_raise_memory(parser);
		parser->text = fresh;
		parser->text_size = size;
	}
	memcpy(parser->text + parser->text_length, text, length);
	parser->text_length = wanted;
	return true;
}

void pl_xml_drop_text(struct pl_xml_parser *parser)
{
	free(parser->text);
	parser->text = NULL;
	parser->text_length = parser->text_size = 0;
}

/* Expat tells text in pieces; a node is what lies between two tags. */
static bool flush_text(struct pl_xml_parser *parser)
{
	struct pl_xml_node *node;

	if (parser->text_length == 0)
		return true;
	node = pl_xml_arena_get(&parser->arena, sizeof *node);
	if (node == NULL)
		return pl_xml_raise_memory(parser);
	memset(node, 0, sizeof *node);
	node->text = pl_xml_arena_copy(&parser->arena, parser->text,
				       parser->text_length);
	if (node->text == NULL)
		return pl_xml_raise_memory(parser);
	node->text_length = parser->text_length;
	node->lang = parser->top->node.lang;
	parser->text_length = 0;
	*parser->top->tail = node;
	parser->top->tail = &node->next;
	return true;
}

/* ----- elements ----- */

static bool may_open(struct pl_xml_parser *parser, const char *name)
{
	if (parser->depth - 1 > parser->limits.depth)
		pl_xml_raise(parser, PL_XML_LIMIT, "elements nest too deeply");
	else if (parser->nodes >= parser->limits.nodes)
		pl_xml_raise(parser, PL_XML_LIMIT, "too many elements in one");
	else if (parser->depth == 1 &&
		 pl_xml_name_is(name, PL_NS_STREAM, "stream"))
		pl_xml_raise(parser, PL_XML_FORMAT, "a stream in the stream");
	return !pl_xml_is_deaf(parser);
}

static struct pl_xml_element *new_element(struct pl_xml_parser *parser,
					  const char *name,
					  const char **attributes)
{
	size_t ns_length;
	const char *local = pl_xml_split_name(name, &ns_length);
	struct pl_xml_element *fresh =
		pl_xml_arena_get(&parser->arena, sizeof *fresh);

	if (fresh == NULL) {
		pl_xml_raise_memory(parser);
		return NULL;
	}
	memset(fresh, 0, sizeof *fresh);
	fresh->parent = parser->top;
	fresh->tail = &fresh->node.children;
	fresh->node.name = pl_xml_copy(parser, local);
	fresh->node.ns = copy_ns(parser, name, ns_length);
	fresh->node.lang = parser->top == NULL ? parser->lang
					       : parser->top->node.lang;
	if (pl_xml_is_deaf(parser) ||
	    !copy_attributes(parser, &fresh->node, attributes))
		return NULL;
	return fresh;
}

void pl_xml_open_element(struct pl_xml_parser *parser, const char *name,
			 const char **attributes)
{
	struct pl_xml_element *fresh;

	if (!may_open(parser, name) || !flush_text(parser))
		return;
	fresh = new_element(parser, name, attributes);
	if (fresh == NULL)
		return;
	if (parser->top != NULL) {
		*parser->top->tail = &fresh->node;
		parser->top->tail = &fresh->node.next;
	}
	parser->top = fresh;
	parser->nodes++;
	parser->depth++;
}

static void show_element(struct pl_xml_parser *parser,
			 const struct pl_xml_node *node)
{
	parser->scan.inside = false;
	parser->nodes = 0;
	parser->namespaces = 0;
	parser->stopped = !parser->events->on_element(parser->owner, node,
						      parser->scan.unit);
	pl_xml_arena_reset(&parser->arena);
	if (parser->text_size > TEXT_BYTES_KEPT)
		pl_xml_drop_text(parser);
}

void pl_xml_close_element(struct pl_xml_parser *parser)
{
	struct pl_xml_element *done = parser->top;

	if (!flush_text(parser))
		return;
	parser->top = done->parent;
	parser->depth--;
	if (parser->depth == 1)
		show_element(parser, &done->node);
}
