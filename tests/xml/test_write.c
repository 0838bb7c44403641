/* What is written is well-formed, harmless, and reads as the same tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "record.h"

#define TREES 4000

static void expect_text(struct pl_buffer *out, const char *wanted)
{
	assert_int_equal(out->length, strlen(wanted));
	assert_memory_equal(pl_buffer_bytes(out), wanted, out->length);
	pl_buffer_finish(out);
}

/* ----- headers, errors, escaping ----- */

static void header(void **state)
{
	struct pl_xml_open open = { PL_NS_SERVER, "alpha.example",
				    "beta.example", "b-0001", "1.0", "en" };
	struct pl_buffer out = { 0 };

	assert_true(pl_xml_write_header(&out, &open));
	expect_text(&out,
		"<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
		"xmlns:stream='http://etherx.jabber.org/streams' "
		"xmlns:db='jabber:server:dialback' id='b-0001' "
		"from='beta.example' to='alpha.example' version='1.0' "
		"xml:lang='en'>");
	open = (struct pl_xml_open){ PL_NS_SERVER };
	assert_true(pl_xml_write_header(&out, &open));
	expect_text(&out,
		"<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
		"xmlns:stream='http://etherx.jabber.org/streams' "
		"xmlns:db='jabber:server:dialback'>");
	open.content_ns = PL_NS_COMPONENT;
	assert_true(pl_xml_write_header(&out, &open));
	expect_text(&out,
		"<?xml version='1.0'?><stream:stream "
		"xmlns='jabber:component:accept' "
		"xmlns:stream='http://etherx.jabber.org/streams'>");
	open.content_ns = PL_NS_SERVER;
	open.to = "'/><evil x='\n&\xff";
	open.id = "";
	assert_true(pl_xml_write_header(&out, &open));
	expect_text(&out,
		"<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
		"xmlns:stream='http://etherx.jabber.org/streams' "
		"xmlns:db='jabber:server:dialback' id='' "
		"to='&apos;/&gt;&lt;evil x=&apos;&#xA;&amp;\xef\xbf\xbd'>");
}

static void stream_errors(void **state)
{
	struct pl_buffer out = { 0 };

	assert_true(pl_xml_write_stream_error(&out, "host-unknown", NULL));
	expect_text(&out, "<stream:error><host-unknown "
			  "xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
			  "</stream:error>");
	assert_true(pl_xml_write_stream_error(&out, "policy-violation",
					      "</text>&"));
	expect_text(&out, "<stream:error><policy-violation "
			  "xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
			  "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams' "
			  "xml:lang='en'>&lt;/text&gt;&amp;</text>"
			  "</stream:error>");
}

static void escaping(void **state)
{
	static const struct {
		const char *text;
		size_t length;
		const char *wanted;
	} table[] = {
		{ "", 0, "" },
		{ "plain", 5, "plain" },
		{ "&<>'\"", 5, "&amp;&lt;&gt;&apos;&quot;" },
		{ "]]>", 3, "]]&gt;" },
		{ "a\tb\nc\rd", 7, "a&#x9;b&#xA;c&#xD;d" },
		{ "a\0b", 3, "a\xef\xbf\xbd" "b" },
		{ "\x01\x1f\x7f", 3, "\xef\xbf\xbd\xef\xbf\xbd\x7f" },
		{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9,
		  "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "\xc3", 1, "\xef\xbf\xbd" },
		{ "\xe2\x82<", 3, "\xef\xbf\xbd\xef\xbf\xbd&lt;" },
		{ "\xc0\xbc", 2, "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xef\xbf\xbf", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xef\xbf\xbd", 3, "\xef\xbf\xbd" },
		{ "\xf4\x8f\xbf\xbf", 4, "\xf4\x8f\xbf\xbf" },
	};
	struct pl_buffer out = { 0 };

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		assert_true(pl_xml_escape(&out, table[i].text,
					  table[i].length));
		expect_text(&out, table[i].wanted);
	}
}

static void full_buffers_stay_as_they_were(void **state)
{
	struct pl_xml_attribute b = { "b", "urn:b", "1", NULL };
	struct pl_xml_node text = { .text = "t&t", .text_length = 3 };
	struct pl_xml_node a = { .name = "a", .ns = "urn:a", .lang = "",
				 .attributes = &b, .children = &text };
	const struct pl_xml_open open = { PL_NS_SERVER, "a", "b" };
	size_t most = 1;

	for (size_t limit = 1; most < 5; limit++) {
		struct pl_buffer out;

		pl_buffer_init(&out, limit);
		assert_true(pl_buffer_append(&out, "x", 1));
		most = 1;
		most += pl_xml_write_node(&out, &a, PL_NS_SERVER);
		assert_true(out.length == 1 || most == 2);
		out.length = 1;
		most += pl_xml_write_header(&out, &open);
		assert_true(out.length == 1 || most >= 2);
		out.length = 1;
		most += pl_xml_write_stream_error(&out, "reset", "why");
		assert_true(out.length == 1 || most >= 2);
		out.length = 1;
		most += pl_xml_escape(&out, "a&b&c", 5);
		assert_true(out.length == 1 || most >= 2);
		assert_memory_equal(pl_buffer_bytes(&out), "x", 1);
		pl_buffer_finish(&out);
		assert_in_range(limit, 1, 1000);
	}
}

/* ----- trees by hand ----- */

/* Parses an element and looks at how it is written again. */
static void expect_written(const char *element, const char *wanted)
{
	struct pl_xml_limits limits = pl_xml_limits_before(8192);
	struct record first, second;

	record_init(&first, PL_NS_SERVER, &limits);
	record_feed(&first, HEADER, strlen(HEADER), SIZE_MAX);
	pl_buffer_consume(&first.out, first.out.length);
	record_feed(&first, element, strlen(element), SIZE_MAX);
	assert_int_equal(first.elements, 1);
	assert_string_equal(first.written, wanted);
	record_init(&second, PL_NS_SERVER, &limits);
	record_feed(&second, HEADER, strlen(HEADER), SIZE_MAX);
	record_feed(&second, first.written, strlen(first.written), SIZE_MAX);
	assert_int_equal(second.elements, 1);
	/* Behind the length, which may differ, all is the same. */
	assert_string_equal(
		strchr(strstr(record_text(&first), "element bytes"), '['),
		strchr(strstr(record_text(&second), "element bytes"), '['));
	record_finish(&first);
	record_finish(&second);
}

static void namespaces(void **state)
{
	static const char *const as_they_are[] = {
		"<message to='a'><body>hi</body></message>",
		"<iq><ping xmlns='urn:xmpp:ping'/></iq>",
		"<db:result from='a' to='b'>0123</db:result>",
		"<db:result><error><a xmlns='urn:b'/></error></db:result>",
		"<stream:features><a xmlns='urn:a'><b/></a></stream:features>",
		"<a xmlns='urn:a'><b xmlns='jabber:server'/></a>",
		"<a xmlns=''><b xmlns='jabber:server'/><c/></a>",
		"<a xmlns='urn:a'><db:b><c/></db:b></a>",
		"<a xml:lang='en' stream:b='1' db:c='2'/>",
		"<a xmlns:n0='urn:b' n0:b='1' n0:c='2' xmlns:n2='urn:d' "
		"n2:d='3'/>",
		"<xml:a/>",
		"<a> \n\t </a>",
		"<a b='&#x9;&#xA;&#xD;&amp;&lt;&gt;&apos;&quot;'>"
		"&amp;&lt;&gt;'\"&#xD;\n</a>",
	};

	for (size_t i = 0; i < sizeof as_they_are / sizeof as_they_are[0]; i++)
		expect_written(as_they_are[i], as_they_are[i]);
	expect_written("<x:a xmlns:x='urn:a'><x:b/></x:a>",
		       "<a xmlns='urn:a'><b/></a>");
	expect_written("<a xmlns='jabber:server' xmlns:x='urn:x'/>", "<a/>");
	expect_written("<d:result xmlns:d='jabber:server:dialback'/>",
		       "<db:result/>");
	expect_written("<result xmlns='jabber:server:dialback'/>",
		       "<db:result/>");
	/* A prefix of the same name as one of ours. */
	expect_written("<db:a xmlns:db='urn:x'><stream:b "
		       "xmlns:stream='urn:y'/></db:a>",
		       "<a xmlns='urn:x'><b xmlns='urn:y'/></a>");
	expect_written("<a xmlns='&lt;&apos;>'/>",
		       "<a xmlns='&lt;&apos;&gt;'/>");
	expect_written("<a></a>", "<a/>");
	expect_written("<a><![CDATA[<&]]>x</a>", "<a>&lt;&amp;x</a>");
}

static void for_a_component(void **state)
{
	struct pl_xml_node body = { .name = "body", .ns = PL_NS_SERVER,
				    .lang = "" };
	struct pl_xml_node message = { .name = "message",
				       .ns = "jabber:component:accept",
				       .lang = "", .children = &body };
	struct pl_buffer out = { 0 };

	assert_true(pl_xml_write_node(&out, &message,
				      "jabber:component:accept"));
	expect_text(&out, "<message><body xmlns='jabber:server'/></message>");
}

/* ----- trees by chance ----- */

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static unsigned below(uint64_t *seed, unsigned n)
{
	return (unsigned)(next_random(seed) >> 33) % n;
}

static const char *pick_ns(uint64_t *seed)
{
	static const char *const table[] = {
		"", PL_NS_SERVER, PL_NS_SERVER, PL_NS_SERVER, PL_NS_STREAM,
		PL_NS_DIALBACK, PL_NS_XML, "urn:a", "urn:b", "urn:<'\">&",
		"jabber:client", "urn:\xc3\xa4", " ", "a\nb", PL_NS_COMPONENT,
	};

	return table[below(seed, sizeof table / sizeof table[0])];
}

static const char *pick_name(uint64_t *seed)
{
	static const char *const table[] = {
		"a", "b", "message", "iq", "stream", "x-1.2", "_", "n0",
		"\xc3\xa4\xc3\xb6", "lang2", "xmlx",
	};

	return table[below(seed, sizeof table / sizeof table[0])];
}

/* Characters that matter to XML, and any others. */
static char *make_text(uint64_t *seed, unsigned most)
{
	static const char *const table[] = {
		"&", "<", ">", "'", "\"", "\n", "\r", "\t", "]]>", " ", "\x7f",
		"&amp;", "&#10;", "<![CDATA[", "-->", "<?xml", "\xc3\xa4",
		"\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xef\xbf\xbd", "\xc2\x85",
		"\xe2\x80\xa8", "a", "b", "0", ";", "=", "/", "\r\n", "%",
	};
	unsigned n = below(seed, most + 1);
	char *text = calloc(n + 1, 16);

	assert_non_null(text);
	while (n-- > 0)
		strcat(text, table[below(seed, sizeof table / sizeof table[0])]);
	return text;
}

static struct pl_xml_attribute *make_attributes(uint64_t *seed,
						const char **lang)
{
	struct pl_xml_attribute *first = NULL, *a, *b;

	for (unsigned n = below(seed, 6); n > 0; n--) {
		a = calloc(1, sizeof *a);
		assert_non_null(a);
		a->ns = pick_ns(seed);
		a->name = strcmp(a->ns, PL_NS_XML) == 0 ? "lang"
							: pick_name(seed);
		for (b = first; b != NULL; b = b->next)
			if (strcmp(b->ns, a->ns) == 0 &&
			    strcmp(b->name, a->name) == 0)
				break;
		if (b != NULL) {
			free(a);
			continue;
		}
		a->value = make_text(seed, 8);
		if (strcmp(a->ns, PL_NS_XML) == 0)
			*lang = a->value;
		a->next = first;
		first = a;
	}
	return first;
}

static struct pl_xml_node *make_node(uint64_t *seed, unsigned depth,
				     const char *lang)
{
	struct pl_xml_node *node = calloc(1, sizeof *node), **tail;
	bool after_text = false;

	assert_non_null(node);
	node->ns = pick_ns(seed);
	node->name = pick_name(seed);
	if (depth == 0 && strcmp(node->ns, PL_NS_STREAM) == 0)
		node->name = "features";
	node->lang = lang;
	node->attributes = make_attributes(seed, &node->lang);
	tail = &node->children;
	for (unsigned n = depth < 5 ? below(seed, 5) : 0; n > 0; n--) {
		if (!after_text && below(seed, 3) == 0) {
			char *text = make_text(seed, 12);

			if (text[0] == '\0') {
				free(text);
				continue;
			}
			*tail = calloc(1, sizeof **tail);
			assert_non_null(*tail);
			(*tail)->text = text;
			(*tail)->text_length = strlen(text);
			(*tail)->lang = node->lang;
			after_text = true;
		} else {
			*tail = make_node(seed, depth + 1, node->lang);
			after_text = false;
		}
		tail = &(*tail)->next;
	}
	return node;
}

static void free_node(struct pl_xml_node *node)
{
	while (node != NULL) {
		struct pl_xml_node *next = node->next;

		while (node->attributes != NULL) {
			struct pl_xml_attribute *a = node->attributes;

			node->attributes = a->next;
			free((char *)a->value);
			free(a);
		}
		free_node(node->children);
		free((char *)node->text);
		free(node);
		node = next;
	}
}

static void trees_survive(void **state)
{
	struct pl_xml_limits limits = pl_xml_limits_after(1 << 20);
	uint64_t seed = 0x9e3779b97f4a7c15u;

	limits.nodes = 100000;
	limits.namespaces = 100000;
	for (unsigned i = 0; i < TREES; i++) {
		struct pl_xml_node *node = make_node(&seed, 0, "en");
		struct pl_buffer wire = { 0 }, tree = { 0 };
		struct record record;
		const char *found;

		dump_node(&tree, node);
		assert_true(pl_buffer_append(&tree, "\nfault=0 \0", 10));
		assert_true(pl_xml_write_node(&wire, node, PL_NS_SERVER));
		record_init(&record, PL_NS_SERVER, &limits);
		record_feed(&record, HEADER, strlen(HEADER), SIZE_MAX);
		record_feed(&record, (const char *)pl_buffer_bytes(&wire),
			    wire.length, 1 + below(&seed, 400));
		if (record.elements != 1)
			fail_msg("tree %u: %s: %.*s", i, record_text(&record),
				 (int)wire.length, pl_buffer_bytes(&wire));
		assert_int_equal(record.bytes, wire.length);
		found = strchr(strstr(record_text(&record), "element bytes"),
			       '[');
		assert_string_equal(found, (const char *)pl_buffer_bytes(&tree));
		/* And once more, byte for byte. */
		assert_int_equal(strlen(record.written), wire.length);
		assert_memory_equal(record.written, pl_buffer_bytes(&wire),
				    wire.length);
		record_finish(&record);
		pl_buffer_finish(&wire);
		pl_buffer_finish(&tree);
		free_node(node);
	}
}

/* ----- the same tree as others write it ----- */

/* Which of the ways to say it: by prefixes of any name, declared where they are
 * used or not used at all; by default namespaces; with either quote, as
 * references, in CDATA sections; empty elements as one tag or two. */

static size_t code_point(const char *text, unsigned *code)
{
	const unsigned char *u = (const unsigned char *)text;
	size_t length = u[0] < 0x80 ? 1 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;

	*code = length == 1 ? u[0] : u[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++)
		*code = *code << 6 | (u[i] & 0x3fu);
	return length;
}

static const char *entity(char c)
{
	return c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;"
	     : c == '"' ? "&quot;" : "&apos;";
}

/* `special`: what must not stand there as it is. */
static void say_text(struct pl_buffer *out, uint64_t *seed, const char *text,
		     const char *special)
{
	while (*text != '\0') {
		unsigned code, way = below(seed, 6);
		size_t length = code_point(text, &code);
		bool named = strchr("&<>'\"", *text) != NULL;

		if (way == 0)
			pl_buffer_printf(out, "&#%u;", code);
		else if (way == 1)
			pl_buffer_printf(out, "&#x%x;", code);
		else if (named && (way == 2 || strchr(special, *text) != NULL))
			pl_buffer_text(out, entity(*text));
		else if (strchr(special, *text) != NULL)
			pl_buffer_printf(out, "&#%04u;", code);
		else
			pl_buffer_append(out, text, length);
		text += length;
	}
}

/* In pieces, some of them CDATA. */
static void say_content(struct pl_buffer *out, uint64_t *seed,
			const char *text)
{
	while (*text != '\0') {
		size_t length = strcspn(text, "]\r");
		char piece[400];

		if (length > 0 && length < sizeof piece && below(seed, 3) == 0) {
			pl_buffer_printf(out, "<![CDATA[%.*s]]>", (int)length,
					 text);
			text += length;
			continue;
		}
		length = strcspn(text + 1, "&<x ") + 1;
		assert_true(length < sizeof piece);
		snprintf(piece, sizeof piece, "%.*s", (int)length, text);
		say_text(out, seed, piece, "&<>\r");
		text += length;
	}
}

static void say_value(struct pl_buffer *out, uint64_t *seed, const char *name,
		      const char *value)
{
	bool single = below(seed, 2);

	pl_buffer_printf(out, "%s%s%s%s", below(seed, 4) ? " " : "\n ", name,
			 below(seed, 4) ? "=" : " = ", single ? "'" : "\"");
	say_text(out, seed, value, single ? "&<'\n\r\t" : "&<\"\n\r\t");
	pl_buffer_text(out, single ? "'" : "\"");
}

static void say_attributes(struct pl_buffer *out, uint64_t *seed,
			   const struct pl_xml_node *node)
{
	unsigned n = 0;

	for (const struct pl_xml_attribute *a = node->attributes; a != NULL;
	     a = a->next, n++) {
		char name[100], declaration[100];

		if (a->ns[0] == '\0') {
			say_value(out, seed, a->name, a->value);
			continue;
		}
		if (strcmp(a->ns, PL_NS_XML) == 0) {
			snprintf(name, sizeof name, "xml:%s", a->name);
			say_value(out, seed, name, a->value);
			continue;
		}
		snprintf(name, sizeof name, "q%u:%s", n, a->name);
		snprintf(declaration, sizeof declaration, "xmlns:q%u", n);
		/* a prefix may be used before it is declared */
		if (below(seed, 2)) {
			say_value(out, seed, name, a->value);
			say_value(out, seed, declaration, a->ns);
		} else {
			say_value(out, seed, declaration, a->ns);
			say_value(out, seed, name, a->value);
		}
	}
}

static void say_node(struct pl_buffer *out, uint64_t *seed,
		     const struct pl_xml_node *node, const char *around)
{
	static const char *const prefixes[] = { "stream", "db", "n0", "x", "p",
		"message" };
	const char *prefix = prefixes[below(seed, 6)];
	char name[100], declaration[100] = "";
	bool plain = node->ns[0] == '\0' || below(seed, 2);

	if (strcmp(node->ns, PL_NS_XML) == 0) {
		snprintf(name, sizeof name, "xml:%s", node->name);
	} else if (plain) {
		snprintf(name, sizeof name, "%s", node->name);
		if (strcmp(around, node->ns) != 0 || below(seed, 4) == 0)
			strcpy(declaration, "xmlns");
		around = node->ns;
	} else {
		snprintf(name, sizeof name, "%s:%s", prefix, node->name);
		snprintf(declaration, sizeof declaration, "xmlns:%s", prefix);
	}
	pl_buffer_printf(out, "<%s", name);
	if (declaration[0] != '\0')
		say_value(out, seed, declaration, node->ns);
	say_attributes(out, seed, node);
	if (below(seed, 5) == 0)
		say_value(out, seed, "xmlns:unused", "urn:unused");
	if (node->children == NULL && below(seed, 2)) {
		pl_buffer_text(out, below(seed, 2) ? "/>" : " />");
		return;
	}
	pl_buffer_text(out, ">");
	for (const struct pl_xml_node *c = node->children; c; c = c->next)
		if (c->name == NULL)
			say_content(out, seed, c->text);
		else
			say_node(out, seed, c, around);
	pl_buffer_printf(out, "</%s%s>", name, below(seed, 4) ? "" : " ");
}

static void others_are_understood(void **state)
{
	struct pl_xml_limits limits = pl_xml_limits_after(1 << 20);
	uint64_t seed = 0xd1b54a32d192ed03u;

	limits.nodes = limits.namespaces = 100000;
	for (unsigned i = 0; i < TREES / 4; i++) {
		struct pl_xml_node *node = make_node(&seed, 0, "en");
		struct pl_buffer wire = { 0 }, tree = { 0 };
		struct record record;

		dump_node(&tree, node);
		assert_true(pl_buffer_append(&tree, "\nfault=0 \0", 10));
		say_node(&wire, &seed, node, PL_NS_SERVER);
		record_init(&record, PL_NS_SERVER, &limits);
		record_feed(&record, HEADER, strlen(HEADER), SIZE_MAX);
		record_feed(&record, (const char *)pl_buffer_bytes(&wire),
			    wire.length, 1 + below(&seed, 400));
		if (record.elements != 1)
			fail_msg("tree %u: %s: %.*s", i, record_text(&record),
				 (int)wire.length, pl_buffer_bytes(&wire));
		assert_string_equal(strchr(strstr(record_text(&record),
						  "element bytes"), '['),
				    (const char *)pl_buffer_bytes(&tree));
		record_finish(&record);
		pl_buffer_finish(&wire);
		pl_buffer_finish(&tree);
		free_node(node);
	}
}

/* What is in the stanza's namespace without a break goes with it into that of
 * the other stream. An element in xml: cannot be told by a default namespace,
 * and so is no break. */
static void rename_content(struct pl_xml_node *node, const char *from,
			   const char *to)
{
	if (node->name == NULL || (strcmp(node->ns, from) != 0 &&
				   strcmp(node->ns, PL_NS_XML) != 0))
		return;
	if (strcmp(node->ns, from) == 0)
		node->ns = to;
	for (struct pl_xml_node *child = node->children; child != NULL;
	     child = child->next)
		rename_content(child, from, to);
}

static bool has_lang(const struct pl_xml_node *node)
{
	for (struct pl_xml_attribute *a = node->attributes; a; a = a->next)
		if (strcmp(a->ns, PL_NS_XML) == 0)
			return true;
	return false;
}

static void add_lang(struct pl_xml_node *node)
{
	struct pl_xml_attribute *lang = calloc(1, sizeof *lang), **end;

	assert_non_null(lang);
	*lang = (struct pl_xml_attribute){ "lang", PL_NS_XML,
					   strdup(node->lang), NULL };
	for (end = &node->attributes; *end != NULL; end = &(*end)->next)
		;
	*end = lang;
}

#define BARE_HEADER(ns) "<stream:stream xmlns='" ns "' " \
	"xmlns:stream='http://etherx.jabber.org/streams'>"

/* Any stanza, onto a stream of another namespace: the same tree. */
static void stanza_survives(uint64_t *seed, const char *from, const char *to,
			    const char *header)
{
	struct pl_xml_limits limits = pl_xml_limits_after(1 << 20);
	struct pl_xml_node *node = make_node(seed, 0, "en");
	struct pl_buffer wire = { 0 }, tree = { 0 };
	struct record record;

	limits.nodes = limits.namespaces = 100000;
	node->ns = from;
	assert_true(pl_xml_write_stanza(&wire, node, NULL, NULL));
	rename_content(node, from, to);
	if (!has_lang(node) && node->lang[0] != '\0')
		add_lang(node);
	dump_node(&tree, node);
	assert_true(pl_buffer_append(&tree, "\nfault=0 \0", 10));
	record_init(&record, to, &limits);
	record_feed(&record, header, strlen(header), SIZE_MAX);
	record_feed(&record, (const char *)pl_buffer_bytes(&wire), wire.length,
		    SIZE_MAX);
	if (record.elements != 1)
		fail_msg("%s: %.*s", record_text(&record), (int)wire.length,
			 pl_buffer_bytes(&wire));
	assert_string_equal(strchr(strstr(record_text(&record),
					  "element bytes"), '['),
			    (const char *)pl_buffer_bytes(&tree));
	record_finish(&record);
	pl_buffer_finish(&wire);
	pl_buffer_finish(&tree);
	free_node(node);
}

static void stanzas_survive(void **state)
{
	uint64_t seed = 0x853c49e6748fea9bu;

	for (unsigned i = 0; i < TREES; i++) {
		stanza_survives(&seed, PL_NS_SERVER, PL_NS_COMPONENT,
				BARE_HEADER(PL_NS_COMPONENT));
		stanza_survives(&seed, PL_NS_COMPONENT, PL_NS_SERVER,
				BARE_HEADER(PL_NS_SERVER));
	}
}

static void stanza_addresses(void **state)
{
	struct pl_xml_attribute other = { "from", "urn:a", "3", NULL };
	struct pl_xml_attribute to = { "to", "", "2", &other };
	struct pl_xml_attribute from = { "from", "", "1", &to };
	struct pl_xml_node inside = { .name = "message", .ns = PL_NS_SERVER,
				      .lang = "", .attributes = &from };
	struct pl_xml_node message = { .name = "message", .ns = PL_NS_SERVER,
				       .lang = "de", .attributes = &from,
				       .children = &inside };
	struct pl_buffer out = { 0 };

	assert_true(pl_xml_write_stanza(&out, &message, "x'", NULL));
	expect_text(&out, "<message from='x&apos;' to='2' xmlns:n2='urn:a' "
			  "n2:from='3' xml:lang='de'><message from='1' to='2' "
			  "xmlns:n2='urn:a' n2:from='3'/></message>");
	/* db: is declared by no header of a component. */
	inside = (struct pl_xml_node){ .name = "a", .ns = PL_NS_DIALBACK,
				       .lang = "" };
	message.attributes = NULL;
	message.lang = "";
	assert_true(pl_xml_write_stanza(&out, &message, "x", "y"));
	expect_text(&out, "<message><a xmlns='jabber:server:dialback'/>"
			  "</message>");
}

/* Any bytes as text: what comes out is XML and holds no mark-up of theirs. */
static void noise_survives(void **state)
{
	struct pl_xml_limits limits = pl_xml_limits_after(1 << 20);
	uint64_t seed = 0x2545f4914f6cdd1du;

	for (unsigned i = 0; i < TREES; i++) {
		char bytes[64], value[65] = "";
		size_t length = below(&seed, sizeof bytes);
		struct pl_xml_attribute b = { "b", "", value, NULL };
		struct pl_xml_node text = { .text = bytes, .lang = "" };
		struct pl_xml_node a = { .name = "a", .ns = "", .lang = "",
					 .attributes = &b };
		struct pl_buffer wire = { 0 };
		struct record record;

		for (size_t k = 0; k < length; k++) {
			bytes[k] = (char)next_random(&seed);
			value[k] = bytes[k] == '\0' ? 'x' : bytes[k];
		}
		text.text_length = length;
		a.children = &text;
		assert_true(pl_xml_write_node(&wire, &a, PL_NS_SERVER));
		record_init(&record, PL_NS_SERVER, &limits);
		record_feed(&record, HEADER, strlen(HEADER), SIZE_MAX);
		record_feed(&record, (const char *)pl_buffer_bytes(&wire),
			    wire.length, SIZE_MAX);
		assert_int_equal(record.elements, 1);
		assert_int_equal(record.bytes, wire.length);
		record_finish(&record);
		pl_buffer_finish(&wire);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header),
		cmocka_unit_test(stream_errors),
		cmocka_unit_test(escaping),
		cmocka_unit_test(full_buffers_stay_as_they_were),
		cmocka_unit_test(namespaces),
		cmocka_unit_test(for_a_component),
		cmocka_unit_test(stanzas_survive),
		cmocka_unit_test(stanza_addresses),
		cmocka_unit_test(trees_survive),
		cmocka_unit_test(others_are_understood),
		cmocka_unit_test(noise_survives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
