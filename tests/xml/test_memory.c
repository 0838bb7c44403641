/* Each allocation fails once: only the stream ends, and nothing leaks. */
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

static bool fails(void)
{
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

	return XML_ParserCreate_MM(encoding, &suite, text);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
