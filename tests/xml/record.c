#include "record.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void dump_text(struct pl_buffer *out, const char *text, size_t length)
{
	assert(pl_buffer_printf(out, "%zu:", length));
	assert(pl_buffer_append(out, text, length));
}

static void dump(struct pl_buffer *out, const char *name, const char *text)
{
	assert(pl_buffer_printf(out, " %s=", name));
	if (text == NULL)
		assert(pl_buffer_text(out, "(none)"));
	else
		dump_text(out, text, strlen(text));
}

void dump_node(struct pl_buffer *out, const struct pl_xml_node *node)
{
	if (node->name == NULL) {
		assert(pl_buffer_text(out, "[text "));
		assert(strlen(node->text) == node->text_length);
		dump_text(out, node->text, node->text_length);
		dump(out, "lang", node->lang);
		assert(pl_buffer_text(out, "]"));
		return;
	}
	assert(pl_buffer_printf(out, "[{%s}%s", node->ns, node->name));
	dump(out, "lang", node->lang);
	for (const struct pl_xml_attribute *a = node->attributes; a != NULL;
	     a = a->next) {
		assert(pl_buffer_printf(out, " {%s}", a->ns));
		dump(out, a->name, a->value);
	}
	for (const struct pl_xml_node *child = node->children; child != NULL;
	     child = child->next)
		dump_node(out, child);
	assert(pl_buffer_text(out, "]"));
}

static bool on_header(void *owner, const struct pl_xml_header *header)
{
	struct record *record = owner;

	record->headers++;
	pl_buffer_text(&record->out, "header");
	dump(&record->out, "to", header->to);
	dump(&record->out, "from", header->from);
	dump(&record->out, "id", header->id);
	dump(&record->out, "version", header->version);
	dump(&record->out, "lang", header->lang);
	record->at = pl_xml_position(record->parser);
	record->at_all += record->at;
	pl_buffer_printf(&record->out, " %d.%d dialback=%d\n", header->major,
			 header->minor, header->declares_dialback);
	return !record->stop_always;
}

static bool on_element(void *owner, const struct pl_xml_node *element,
		       size_t bytes)
{
	struct record *record = owner;
	struct pl_buffer written;

	record->elements++;
	record->bytes = bytes;
	record->at = pl_xml_position(record->parser);
	record->at_all += record->at;
	pl_buffer_printf(&record->out, "element bytes=%zu ", bytes);
	dump_node(&record->out, element);
	pl_buffer_text(&record->out, "\n");
	pl_buffer_init(&written, 0);
	assert(pl_xml_write_node(&written, element, PL_NS_SERVER));
	free(record->written);
	record->written = strndup((const char *)pl_buffer_bytes(&written),
				  written.length);
	assert(strlen(record->written) == written.length);
	pl_buffer_finish(&written);
	return !record->stop_always &&
	       (record->stop_at == NULL ||
		strcmp(record->stop_at, element->name) != 0);
}

static bool on_end(void *owner)
{
	struct record *record = owner;

	record->ends++;
	record->at = pl_xml_position(record->parser);
	record->at_all += record->at;
	pl_buffer_text(&record->out, "end\n");
	return !record->stop_always;
}

static const struct pl_xml_events events = { on_header, on_element, on_end };

void record_init(struct record *record, const char *content_ns,
		 const struct pl_xml_limits *limits)
{
	memset(record, 0, sizeof *record);
	record->parser = pl_xml_new(content_ns, limits, &events, record);
	assert(record->parser != NULL);
}

void record_finish(struct record *record)
{
	pl_xml_free(record->parser);
	pl_buffer_finish(&record->out);
	free(record->written);
}

void record_feed(struct record *record, const char *bytes, size_t length,
		 size_t step)
{
	while (length > 0 && pl_xml_fault(record->parser) == PL_XML_NO_FAULT) {
		size_t n = length < step ? length : step, used;
		/* A copy of its own, so that reading beyond it is noticed. */
		char *piece = malloc(n);

		assert(piece != NULL);
		memcpy(piece, bytes, n);
		used = pl_xml_feed(record->parser, piece, n);
		free(piece);
		assert(used <= n);
		if (used < n && pl_xml_fault(record->parser) == PL_XML_NO_FAULT)
			assert(pl_xml_feed(record->parser, "<", 1) == 0);
		pl_xml_resume(record->parser);
		bytes += used;
		length -= used;
	}
}

const char *record_text(struct record *record)
{
	size_t length = record->out.length;

	pl_buffer_printf(&record->out, "fault=%d %s%c",
			 pl_xml_fault(record->parser),
			 pl_xml_fault_text(record->parser), '\0');
	record->out.length = length;
	return (const char *)pl_buffer_bytes(&record->out);
}
