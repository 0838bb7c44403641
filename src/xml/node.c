/* Reading a tree. */
#include "internal.h"

#include <string.h>

const char *pl_xml_attribute(const struct pl_xml_node *node, const char *name)
{
	if (node == NULL)
		return NULL;
	for (const struct pl_xml_attribute *a = node->attributes; a != NULL;
	     a = a->next)
		if (a->ns[0] == '\0' && strcmp(a->name, name) == 0)
			return a->value;
	return NULL;
}

bool pl_xml_is(const struct pl_xml_node *node, const char *name, const char *ns)
{
	return node != NULL && node->name != NULL &&
	       strcmp(node->name, name) == 0 && strcmp(node->ns, ns) == 0;
}

static const struct pl_xml_node *skip_text(const struct pl_xml_node *node)
{
	while (node != NULL && node->name == NULL)
		node = node->next;
	return node;
}

const struct pl_xml_node *pl_xml_first_element(const struct pl_xml_node *node)
{
	return node == NULL ? NULL : skip_text(node->children);
}

const struct pl_xml_node *pl_xml_next_element(const struct pl_xml_node *node)
{
	return node == NULL ? NULL : skip_text(node->next);
}

const struct pl_xml_node *pl_xml_child(const struct pl_xml_node *node,
				       const char *name, const char *ns)
{
	const struct pl_xml_node *child = pl_xml_first_element(node);

	while (child != NULL && !pl_xml_is(child, name, ns))
		child = pl_xml_next_element(child);
	return child;
}

/* Calls for the pieces of text directly inside, one after the other. */
static const struct pl_xml_node *next_text(const struct pl_xml_node *node)
{
	while (node != NULL && node->name != NULL)
		node = node->next;
	return node;
}

/* Where the joined text begins and ends without outer white space. */
static void find_bounds(const struct pl_xml_node *node, size_t *begin,
			size_t *end)
{
	const struct pl_xml_node *piece;
	bool found = false;
	size_t at = 0;

	*begin = *end = 0;
	for (piece = next_text(node->children); piece != NULL;
	     piece = next_text(piece->next)) {
		for (size_t i = 0; i < piece->text_length; i++, at++) {
			if (pl_xml_is_white(piece->text[i]))
				continue;
			if (!found)
				*begin = at;
			found = true;
			*end = at + 1;
		}
	}
}

/* Cuts back to a whole character. */
static size_t whole_characters(const char *text, size_t length)
{
	size_t i = length;

	while (i > 0 && length - i < 3 && ((unsigned char)text[i - 1] & 0xc0) == 0x80)
		i--;
	if (i > 0 && pl_xml_utf8((const unsigned char *)text + i - 1,
				 length - i + 1) == 0)
		return i - 1;
	return length;
}

size_t pl_xml_text(const struct pl_xml_node *node, char *out, size_t size)
{
	const struct pl_xml_node *piece;
	size_t begin, end, at = 0, length = 0;

	if (size > 0)
		out[0] = '\0';
	if (node == NULL || node->name == NULL)
		return 0;
	find_bounds(node, &begin, &end);
	if (size == 0)
		return end - begin;
	for (piece = next_text(node->children); piece != NULL;
	     piece = next_text(piece->next))
		for (size_t i = 0; i < piece->text_length; i++, at++)
			if (at >= begin && at < end && length < size - 1)
				out[length++] = piece->text[i];
	if (length < end - begin)
		length = whole_characters(out, length);
	out[length] = '\0';
	return end - begin;
}
