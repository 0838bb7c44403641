/* Trees and headers to bytes. */
#include "internal.h"

#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* ----- escaping ----- */

/* Length of the character at s when XML 1.0 (2.2, Char) allows it, else 0. */
static size_t allowed_character(const unsigned char *s, size_t length)
{
	size_t n = pl_xml_utf8(s, length);

	if (n == 1 && s[0] < 0x20 && !pl_xml_is_white((char)s[0]))
		return 0;
	if (n == 3 && memcmp(s, "\xef\xbf", 2) == 0 && s[2] >= 0xbe)
		return 0; /* U+FFFE, U+FFFF */
	return n;
}

/* What a character turns into, or NULL when it stays. A parser turns white
 * space in an attribute into spaces, and CR into LF anywhere, unless it is
 * written as a reference (XML 1.0, 2.11 and 3.3.3). */
static const char *escape_of(unsigned char c, bool in_attribute)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '\r':
		return "&#xD;";
	case '\'':
		return in_attribute ? "&apos;" : NULL;
	case '"':
		return in_attribute ? "&quot;" : NULL;
	case '\t':
		return in_attribute ? "&#x9;" : NULL;
	case '\n':
		return in_attribute ? "&#xA;" : NULL;
	default:
		return NULL;
	}
}

/* Most characters: plain ASCII that stays as it is, wherever it stands. Nearly
 * all that we carry passes by here. */
__extension__ static const bool plain[256] = {
	[' '] = true, ['!'] = true, ['#' ... '%'] = true, ['(' ... ';'] = true,
	['='] = true, ['?' ... 0x7f] = true,
};

static bool escape(struct pl_buffer *out, const char *text, size_t length,
		   bool in_attribute)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t done = 0, at = 0; /* [done, at) is plain and not yet written */

	while (at < length) {
		const char *instead;
		size_t n;

		if (plain[s[at]]) {
			at++;
			continue;
		}
		n = allowed_character(s + at, length - at);
		instead = n == 0 ? REPLACEMENT : escape_of(s[at], in_attribute);
		if (instead == NULL) {
			at += n;
			continue;
		}
		if (!pl_buffer_append(out, s + done, at - done) ||
		    !pl_buffer_text(out, instead))
			return false;
		at += n == 0 ? 1 : n;
		done = at;
	}
	return pl_buffer_append(out, s + done, length - done);
}

/* So that nothing half-written goes out. */
static bool keep_or_undo(struct pl_buffer *out, size_t length, bool written)
{
	if (!written)
		out->length = length;
	return written;
}

bool pl_xml_escape(struct pl_buffer *out, const char *text, size_t length)
{
	size_t before = out->length;

	return keep_or_undo(out, before, escape(out, text, length, true));
}

/* ----- headers and errors ----- */

/* " name='value'", nothing for NULL. */
static bool write_attribute(struct pl_buffer *out, const char *name,
			    const char *value)
{
	if (value == NULL)
		return true;
	return pl_buffer_append(out, " ", 1) && pl_buffer_text(out, name) &&
	       pl_buffer_append(out, "='", 2) &&
	       escape(out, value, strlen(value), true) &&
	       pl_buffer_append(out, "'", 1);
}

bool pl_xml_write_header(struct pl_buffer *out, const struct pl_xml_open *open)
{
	bool server = strcmp(open->content_ns, PL_NS_SERVER) == 0;
	const char *dialback = server ? PL_NS_DIALBACK : NULL;
	size_t before = out->length;

	return keep_or_undo(out, before,
		pl_buffer_text(out, "<?xml version='1.0'?><stream:stream") &&
		write_attribute(out, "xmlns", open->content_ns) &&
		write_attribute(out, "xmlns:stream", PL_NS_STREAM) &&
		write_attribute(out, "xmlns:db", dialback) &&
		write_attribute(out, "id", open->id) &&
		write_attribute(out, "from", open->from) &&
		write_attribute(out, "to", open->to) &&
		write_attribute(out, "version", open->version) &&
		write_attribute(out, "xml:lang", open->lang) &&
		pl_buffer_append(out, ">", 1));
}

static bool write_error_text(struct pl_buffer *out, const char *text)
{
	if (text == NULL)
		return true;
	return pl_buffer_text(out, "<text xmlns='" PL_NS_STREAM_ERROR
				   "' xml:lang='en'>") &&
	       escape(out, text, strlen(text), false) &&
	       pl_buffer_text(out, "</text>");
}

bool pl_xml_write_stream_error(struct pl_buffer *out, const char *condition,
			       const char *text)
{
	size_t before = out->length;

	return keep_or_undo(out, before,
		pl_buffer_text(out, "<stream:error><") &&
		pl_buffer_text(out, condition) &&
		pl_buffer_text(out, " xmlns='" PL_NS_STREAM_ERROR "'/>") &&
		write_error_text(out, text) &&
		pl_buffer_text(out, "</stream:error>"));
}

/* ----- trees ----- */

/* Where a tree goes, and what differs for it. */
struct writer {
	struct pl_buffer *out;
	bool dialback;          /* the header declares db: */
	bool anywhere;          /* for a stream of any content namespace */
	const char *from, *to;  /* of the first element; NULL: as they are */
	const char *lang;       /* to be written on it, or NULL */
};

/* Prefixes that need no declaration. A stanza leans on no header: what is below
 * a prefixed element would lose its break with the content namespace. */
static const char *known_prefix(const struct writer *w, const char *ns)
{
	if (!w->anywhere && strcmp(ns, PL_NS_STREAM) == 0)
		return "stream:";
	if (!w->anywhere && w->dialback && strcmp(ns, PL_NS_DIALBACK) == 0)
		return "db:";
	if (strcmp(ns, PL_NS_XML) == 0)
		return "xml:";
	return NULL;
}

/* The first attribute of this element in the same namespace, which is the one
 * that declares the prefix; `number` counts the elements's own prefixes. */
static const struct pl_xml_attribute *
declarer(const struct pl_xml_node *node, const struct pl_xml_attribute *wanted,
	 unsigned *number)
{
	const struct pl_xml_attribute *a = node->attributes;

	*number = 0;
	while (a != wanted && strcmp(a->ns, wanted->ns) != 0) {
		*number += 1;
		a = a->next;
	}
	return a;
}

static bool write_other_attribute(struct pl_buffer *out,
				  const struct pl_xml_node *node,
				  const struct pl_xml_attribute *attribute)
{
	unsigned number;
	bool declared = declarer(node, attribute, &number) != attribute;

	if (!declared && (!pl_buffer_printf(out, " xmlns:n%u='", number) ||
			  !escape(out, attribute->ns, strlen(attribute->ns),
				  true) ||
			  !pl_buffer_append(out, "'", 1)))
		return false;
	return pl_buffer_printf(out, " n%u:", number) &&
	       pl_buffer_text(out, attribute->name) &&
	       pl_buffer_append(out, "='", 2) &&
	       escape(out, attribute->value, strlen(attribute->value), true) &&
	       pl_buffer_append(out, "'", 1);
}

static bool write_prefixed(struct pl_buffer *out, const char *prefix,
			   const struct pl_xml_attribute *a)
{
	return pl_buffer_append(out, " ", 1) && pl_buffer_text(out, prefix) &&
	       pl_buffer_text(out, a->name) &&
	       pl_buffer_append(out, "='", 2) &&
	       escape(out, a->value, strlen(a->value), true) &&
	       pl_buffer_append(out, "'", 1);
}

/* The value that goes out; `top`: of the first element. */
static const char *value_of(const struct writer *w, bool top,
			    const struct pl_xml_attribute *a)
{
	if (top && w->from != NULL && strcmp(a->name, "from") == 0)
		return w->from;
	if (top && w->to != NULL && strcmp(a->name, "to") == 0)
		return w->to;
	return a->value;
}

static bool write_attributes(const struct writer *w, bool top,
			     const struct pl_xml_node *node)
{
	const struct pl_xml_attribute *a;

	for (a = node->attributes; a != NULL; a = a->next) {
		const char *prefix;
		bool written;

		if (a->ns[0] == '\0')
			written = write_attribute(w->out, a->name,
						  value_of(w, top, a));
		else if ((prefix = known_prefix(w, a->ns)) != NULL)
			written = write_prefixed(w->out, prefix, a);
		else
			written = write_other_attribute(w->out, node, a);
		if (!written)
			return false;
	}
	return !top || write_attribute(w->out, "xml:lang", w->lang);
}

/* default_ns is the default namespace in force outside. The parser's limit of
 * depth bounds the recursion. */
static bool write_element(const struct writer *w, bool top,
			  const struct pl_xml_node *node,
			  const char *default_ns)
{
	const char *prefix = known_prefix(w, node->ns);
	const struct pl_xml_node *child;
	struct pl_buffer *out = w->out;

	if (!pl_buffer_append(out, "<", 1) ||
	    !pl_buffer_text(out, prefix == NULL ? "" : prefix) ||
	    !pl_buffer_text(out, node->name))
		return false;
	if (prefix == NULL && strcmp(node->ns, default_ns) != 0) {
		if (!write_attribute(out, "xmlns", node->ns))
			return false;
		default_ns = node->ns;
	}
	if (!write_attributes(w, top, node))
		return false;
	if (node->children == NULL)
		return pl_buffer_append(out, "/>", 2);
	if (!pl_buffer_append(out, ">", 1))
		return false;
	for (child = node->children; child != NULL; child = child->next) {
		bool written = child->name == NULL
			? escape(out, child->text, child->text_length, false)
			: write_element(w, false, child, default_ns);

		if (!written)
			return false;
	}
	return pl_buffer_append(out, "</", 2) &&
	       pl_buffer_text(out, prefix == NULL ? "" : prefix) &&
	       pl_buffer_text(out, node->name) &&
	       pl_buffer_append(out, ">", 1);
}

bool pl_xml_write_node(struct pl_buffer *out, const struct pl_xml_node *node,
		       const char *content_ns)
{
	struct writer writer = {
		.out = out,
		.dialback = strcmp(content_ns, PL_NS_SERVER) == 0,
	};
	size_t before = out->length;

	return keep_or_undo(out, before,
			    write_element(&writer, true, node, content_ns));
}

static bool has_lang(const struct pl_xml_node *node)
{
	const struct pl_xml_attribute *a = node->attributes;

	while (a != NULL && (strcmp(a->ns, PL_NS_XML) != 0 ||
			     strcmp(a->name, "lang") != 0))
		a = a->next;
	return a != NULL;
}

bool pl_xml_write_stanza(struct pl_buffer *out,
			 const struct pl_xml_node *stanza, const char *from,
			 const char *to)
{
	struct writer writer = { .out = out, .anywhere = true, .from = from,
				 .to = to };
	size_t before = out->length;

	if (stanza->lang[0] != '\0' && !has_lang(stanza))
		writer.lang = stanza->lang;
	return keep_or_undo(out, before,
			    write_element(&writer, true, stanza, stanza->ns));
}
