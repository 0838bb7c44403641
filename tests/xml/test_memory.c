/* Each allocation fails once: only the stream ends, and nothing leaks. And what
 * a stream costs: allocations, parsers, calls of expat. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <expat.h>

#include "parley/xml.h"

#define HEADER \
	"<?xml version='1.0'?><stream:stream xmlns='jabber:server' " \
	"xmlns:stream='http://etherx.jabber.org/streams' id='b' xml:lang='en'>"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);

static unsigned countdown; /* 0: none fails */
static bool failed;
static unsigned allocations, parsers, parses;

static bool fails(void)
{
	allocations++;
	if (countdown == 0 || --countdown > 0)
		return false;
	failed = true;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

/* Expat's own allocations fail as well. */
XML_Parser __wrap_XML_ParserCreateNS(const XML_Char *encoding,
				     XML_Char separator);

XML_Parser __wrap_XML_ParserCreateNS(const XML_Char *encoding,
				     XML_Char separator)
{
	static const XML_Memory_Handling_Suite suite = {
		__wrap_malloc, __wrap_realloc, free
	};
	const XML_Char text[] = { separator, 0 };

	parsers++;
	return XML_ParserCreate_MM(encoding, &suite, text);
}

enum XML_Status __real_XML_Parse(XML_Parser expat, const char *bytes,
				 int length, int final);
enum XML_Status __wrap_XML_Parse(XML_Parser expat, const char *bytes,
				 int length, int final);

enum XML_Status __wrap_XML_Parse(XML_Parser expat, const char *bytes,
				 int length, int final)
{
	parses++;
	return __real_XML_Parse(expat, bytes, length, final);
}

static bool on_header(void *owner, const struct pl_xml_header *header)
{
	assert_string_equal(header->id, "b");
	return true;
}

static bool on_element(void *owner, const struct pl_xml_node *element,
		       size_t bytes)
{
	*(unsigned *)owner += 1;
	return true;
}

static bool on_end(void *owner)
{
	return true;
}

/* Whether it ran to the end. */
static bool run(unsigned nth)
{
	static const struct pl_xml_events events = { on_header, on_element,
						     on_end };
	struct pl_xml_limits limits = pl_xml_limits_after(100000);
	static char text[30000];
	struct pl_xml_parser *parser;
	unsigned elements = 0;
	size_t used, n;

	n = (size_t)sprintf(text, "%s", HEADER "<a b='c' xml:lang='d'>x<e "
				"xmlns='f' g='h'/>y</a>");
	memcpy(text + n, "<a>", 3);
	memset(text + n + 3, 'x', 20000);
	strcpy(text + n + 20003, "</a></stream:stream>");
	countdown = nth;
	failed = false;
	parser = pl_xml_new(PL_NS_SERVER, &limits, &events, &elements);
	if (parser == NULL) {
		countdown = 0;
		assert_true(failed);
		return false;
	}
	used = pl_xml_feed(parser, text, n);
	pl_xml_rest(parser);
	used += pl_xml_feed(parser, text + n, strlen(text + n));
	countdown = 0;
	if (!failed) {
		assert_int_equal(pl_xml_fault(parser), PL_XML_NO_FAULT);
		assert_int_equal(elements, 2);
		assert_int_equal(used, strlen(text));
	} else {
		assert_int_equal(pl_xml_fault(parser), PL_XML_MEMORY);
		assert_int_equal(pl_xml_feed(parser, "<a/>", 4), 0);
	}
	pl_xml_free(parser);
	return !failed;
}

static void each_allocation(void **state)
{
	unsigned nth = 1;

	while (!run(nth))
		assert_in_range(nth++, 1, 1000);
	assert_in_range(nth, 50, 1000);
}

static struct pl_xml_parser *open_stream(unsigned *elements)
{
	static const struct pl_xml_events events = { on_header, on_element,
						     on_end };
	struct pl_xml_limits limits = pl_xml_limits_after(100000);
	struct pl_xml_parser *parser =
		pl_xml_new(PL_NS_SERVER, &limits, &events, elements);

	assert_non_null(parser);
	assert_int_equal(pl_xml_feed(parser, HEADER, strlen(HEADER)),
			 strlen(HEADER));
	return parser;
}

/* Once warm, an element costs no allocation. */
static void warm_streams_allocate_nothing(void **state)
{
	const char *text = "<message to='a' id='b'><body>hi</body>"
			   "<x xmlns='urn:x' y='z'/></message>";
	unsigned elements = 0, before;
	struct pl_xml_parser *parser = open_stream(&elements);

	for (unsigned i = 0; i < 100; i++)
		pl_xml_feed(parser, text, strlen(text));
	before = allocations;
	for (unsigned i = 0; i < 1000; i++)
		pl_xml_feed(parser, text, strlen(text));
	assert_int_equal(elements, 1100);
	assert_int_equal(allocations, before);
	pl_xml_free(parser);
}

/* A stream at rest stays so when white space shows life, and what follows is
 * read as ever. */
static void white_space_wakes_nothing(void **state)
{
	const char *text = "<a xmlns:p='urn:p'><p:b/></a>";
	unsigned elements = 0, before;
	struct pl_xml_parser *parser = open_stream(&elements);

	pl_xml_feed(parser, text, strlen(text));
	pl_xml_rest(parser);
	before = parsers;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(pl_xml_feed(parser, " \n", 2), 2);
	assert_int_equal(parsers, before);
	assert_int_equal(pl_xml_position(parser),
			 strlen(HEADER) + strlen(text) + 20);
	pl_xml_feed(parser, text, strlen(text));
	assert_int_equal(elements, 2);
	assert_int_equal(parsers, before + 1);
	pl_xml_feed(parser, "\n<b></c>", 8);
	assert_int_equal(pl_xml_fault(parser), PL_XML_NOT_WELL_FORMED);
	pl_xml_free(parser);
}

/* Expat keeps names for ever, so it is made anew from time to time. */
static void long_streams_do_not_grow(void **state)
{
	unsigned elements = 0, before = parsers;
	struct pl_xml_parser *parser = open_stream(&elements);
	char text[64];

	for (unsigned i = 0; i < 100000; i++) {
		snprintf(text, sizeof text, "<a%u/>", i);
		pl_xml_feed(parser, text, strlen(text));
	}
	assert_int_equal(elements, 100000);
	assert_in_range(parsers - before, 3, 10);
	pl_xml_free(parser);
}

/* Expat would go through an unfinished tag again with each byte. */
static void slow_tags_are_looked_at_seldom(void **state)
{
	unsigned elements = 0, before;
	struct pl_xml_parser *parser = open_stream(&elements);

	pl_xml_feed(parser, "<a b='", 6);
	before = parses;
	for (unsigned i = 0; i < 60000; i++)
		assert_int_equal(pl_xml_feed(parser, ">", 1), 1);
	assert_in_range(parses - before, 1, 10);
	pl_xml_feed(parser, "'/>", 3);
	assert_int_equal(elements, 1);
	pl_xml_free(parser);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_allocation),
		cmocka_unit_test(warm_streams_allocate_nothing),
		cmocka_unit_test(white_space_wakes_nothing),
		cmocka_unit_test(long_streams_do_not_grow),
		cmocka_unit_test(slow_tags_are_looked_at_seldom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
