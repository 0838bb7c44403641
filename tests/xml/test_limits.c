/* Each limit: exactly met passes, one more does not, however it is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "record.h"

static enum pl_xml_fault try(const struct pl_xml_limits *limits,
			     const char *text, size_t length, size_t step)
{
	enum pl_xml_fault fault;
	struct record record;

	record_init(&record, PL_NS_SERVER, limits);
	record_feed(&record, text, length, step);
	fault = pl_xml_fault(record.parser);
	record_finish(&record);
	return fault;
}

static void expect(const struct pl_xml_limits *limits, const char *text,
		   enum pl_xml_fault fault)
{
	static const size_t steps[] = { 1, 2, 7, 64, 1000000 };

	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
		assert_int_equal(try(limits, text, strlen(text), steps[i]),
				 fault);
}

/* before, n times the unit, after. */
static char *repeat(const char *before, const char *unit, size_t n,
		    const char *after)
{
	char *text = malloc(strlen(before) + strlen(unit) * n + strlen(after) + 1);
	char *at = text;

	assert_non_null(text);
	at = stpcpy(at, before);
	while (n-- > 0)
		at = stpcpy(at, unit);
	strcpy(at, after);
	return text;
}

/* n is the most that passes. */
static void expect_most(const struct pl_xml_limits *limits, const char *before,
			const char *unit, size_t n, const char *after)
{
	char *text = repeat(before, unit, n, after);

	expect(limits, text, PL_XML_NO_FAULT);
	free(text);
	text = repeat(before, unit, n + 1, after);
	expect(limits, text, PL_XML_LIMIT);
	free(text);
}

static struct pl_xml_limits wide(void)
{
	struct pl_xml_limits limits = pl_xml_limits_after(1 << 20);

	return limits;
}

static void header_bytes(void **state)
{
	struct pl_xml_limits limits = wide();

	limits.header_bytes = strlen(HEADER);
	expect(&limits, HEADER, PL_XML_NO_FAULT);
	limits.header_bytes--;
	expect(&limits, HEADER, PL_XML_LIMIT);
	/* White space before it counts, and what is unfinished. */
	limits = wide();
	limits.header_bytes = 500;
	expect_most(&limits, "", " ", 500, "");
	expect_most(&limits, "<a b='", "x", 494, "");
	expect_most(&limits, "<?xml version='1.0'?>", "\n", 479, "");
}

static void element_bytes(void **state)
{
	struct pl_xml_limits limits = wide();

	limits.element_bytes = 1000;
	expect_most(&limits, HEADER "<a>", "x", 993, "</a><a/> <b/>");
	expect_most(&limits, HEADER "<a>", "x", 997, "");
	expect_most(&limits, HEADER "<a b='", "x", 991, "'/>");
	expect_most(&limits, HEADER "<a b='", "x", 994, "");
	expect_most(&limits, HEADER "<a>", "<b/>", 249, "");
	expect_most(&limits, HEADER "<a>", "&lt;", 249, "");
	expect_most(&limits, HEADER "<a><![CDATA[", "]", 988, "");
	expect_most(&limits, HEADER "<a>\n\n", "\n", 995, "");
}

static void many_short_elements_are_no_long_one(void **state)
{
	struct pl_xml_limits limits = wide();
	char *text;

	limits.element_bytes = 20;
	limits.nodes = 3;
	limits.namespaces = 11;
	text = repeat(HEADER, "<a><b/><c/></a> \n", 500, "</stream:stream>");
	expect(&limits, text, PL_XML_NO_FAULT);
	free(text);
}

static void token_bytes(void **state)
{
	struct pl_xml_limits limits = wide();

	limits.token_bytes = 300; /* the header's tag has 215 */
	expect_most(&limits, HEADER "<a b='", "x", 291, "'/>");
	expect_most(&limits, HEADER "<a b='", ">", 294, "");
	expect_most(&limits, HEADER "<", "a", 299, "");
	expect_most(&limits, HEADER "<a", " ", 297, ">");
	expect_most(&limits, HEADER "<a></a", " ", 296, ">");
	expect_most(&limits, HEADER "<a>&#", "0", 295, "65;</a>");
	expect_most(&limits, HEADER "<a>&", "a", 299, "");
	expect_most(&limits, HEADER "&#", "0", 298, "");
	/* Long text is no token, a CDATA section neither. */
	limits.white_bytes = 1000;
	expect_most(&limits, HEADER, " ", 1000, "");
	limits.element_bytes = 1000;
	expect_most(&limits, HEADER "<a>", "x", 997, "");
	expect_most(&limits, HEADER "<a><![CDATA[", "x", 988, "");
	/* A small limit stops a long header tag as well. */
	limits.token_bytes = 150;
	expect(&limits, HEADER, PL_XML_LIMIT);
}

static void token_that_never_ends(void **state)
{
	static const char *const starts[] = {
		HEADER "<a b='", HEADER "<a>&", HEADER "&", HEADER "<",
		HEADER "<a>&#", HEADER "<a b='&", HEADER "</", "<", "<?xml ",
		"", HEADER "<a ", HEADER "<a><![CDATA[", HEADER "<a b=\"",
	};
	struct pl_xml_limits limits = pl_xml_limits_before(8192);

	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
		struct record record;
		size_t fed = 0;

		record_init(&record, PL_NS_SERVER, &limits);
		record_feed(&record, starts[i], strlen(starts[i]), 1);
		while (pl_xml_fault(record.parser) == PL_XML_NO_FAULT) {
			pl_xml_feed(record.parser, i == 9 ? " " : "a", 1);
			assert_in_range(fed++, 0, 8192);
		}
		record_finish(&record);
	}
}

static void depth(void **state)
{
	struct pl_xml_limits limits = wide();

	limits.depth = 0;
	expect(&limits, HEADER "<a/><a>x</a>", PL_XML_NO_FAULT);
	expect(&limits, HEADER "<a><b/></a>", PL_XML_LIMIT);
	limits.depth = 5;
	expect_most(&limits, HEADER "<a>", "<b>", 5, "");
	expect(&limits, HEADER "<a><b/><b/><b/><b/><b/><b/><b/><b/></a>",
	       PL_XML_NO_FAULT);
}

static void attributes(void **state)
{
	struct pl_xml_limits limits = wide();

	limits.attributes = 8; /* as many as the header has */
	expect(&limits, HEADER "<a b='1' c='2' d='3' xmlns:e='4' f='5' g='6' "
		       "h='7' i='8'><a b='\"\"\"\"\"\"\"' c='='/></a>",
	       PL_XML_NO_FAULT);
	expect(&limits, HEADER "<a b='1' c='2' d='3' xmlns:e='4' f='5' g='6' "
		       "h='7' i='8' j='9'/>", PL_XML_LIMIT);
	/* An earlier fault comes first, although it was not yet looked for. */
	expect(&limits, HEADER "<a b=1 c='2' d='3' e='4' f='5' g='6' h='7' "
		       "i='8' j='9' k='10'/>", PL_XML_NOT_WELL_FORMED);
	limits.attributes = 7;
	expect(&limits, HEADER, PL_XML_LIMIT);
}

static void namespaces(void **state)
{
	struct pl_xml_limits limits = wide();

	limits.namespaces = 3;
	expect(&limits, HEADER, PL_XML_NO_FAULT);
	expect_most(&limits, HEADER "<a xmlns='b'>", "<c xmlns='d'/>", 2,
		    "</a><a xmlns='b' xmlns:c='d' xmlns:e='f'/><a xmlns=''/>");
	limits.namespaces = 2;
	expect(&limits, HEADER, PL_XML_LIMIT);
}

static void nodes(void **state)
{
	struct pl_xml_limits limits = wide();

	limits.nodes = 10;
	expect_most(&limits, HEADER "<z/><a>", "<b/>", 9, "</a><a/>");
	expect_most(&limits, HEADER "<a>x", "<b>y</b>", 9, "</a><a/>");
	limits.nodes = 0;
	expect(&limits, HEADER, PL_XML_NO_FAULT);
	expect(&limits, HEADER "<a/>", PL_XML_LIMIT);
}

static void white_bytes(void **state)
{
	struct pl_xml_limits limits = wide();

	limits.white_bytes = 10;
	expect_most(&limits, HEADER, " ", 10, "<a/>");
	expect_most(&limits, HEADER "<a/>", "\n", 10, "<a/>");
	expect_most(&limits, HEADER "&#32;", "\r", 5, "<a/>");
	expect_most(&limits, HEADER, "\t", 10, "</stream:stream>");
	expect(&limits, HEADER "<a>               </a>          <a/>         ",
	       PL_XML_NO_FAULT);
}

static void limits_change_underway(void **state)
{
	struct pl_xml_limits limits = wide();
	struct record record;

	record_init(&record, PL_NS_SERVER, &limits);
	record_feed(&record, HEADER, strlen(HEADER), SIZE_MAX);
	record_feed(&record, "<a>xxxxxxxxxxxx</a>", 19, SIZE_MAX);
	limits.element_bytes = 10;
	pl_xml_set_limits(record.parser, &limits);
	record_feed(&record, "<a>xxx</a>", 10, SIZE_MAX);
	assert_int_equal(record.elements, 2);
	assert_int_equal(record.bytes, 10);
	record_feed(&record, "<a>xx", 5, SIZE_MAX);
	limits.element_bytes = 3; /* less than there is */
	pl_xml_set_limits(record.parser, &limits);
	record_feed(&record, "x", 1, SIZE_MAX);
	assert_int_equal(pl_xml_fault(record.parser), PL_XML_LIMIT);
	record_finish(&record);
}

static void settings(void **state)
{
	struct pl_xml_limits before = pl_xml_limits_before(8192);
	struct pl_xml_limits after = pl_xml_limits_after(524288);
	struct pl_xml_limits small = pl_xml_limits_before(1000);

	assert_int_equal(before.element_bytes, 8192);
	assert_int_equal(before.header_bytes, 8192);
	assert_int_equal(before.token_bytes, 4096);
	assert_int_equal(after.element_bytes, 524288);
	assert_int_equal(after.token_bytes, 65536);
	assert_int_equal(small.token_bytes, 1000);
	assert_int_equal(small.header_bytes, 1000);
	/* RFC 6120 13.12: 10000 bytes at least pass once authenticated. */
	after = pl_xml_limits_after(10000);
	expect_most(&after, HEADER "<a>", "x", 9993, "</a>");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_bytes),
		cmocka_unit_test(element_bytes),
		cmocka_unit_test(many_short_elements_are_no_long_one),
		cmocka_unit_test(token_bytes),
		cmocka_unit_test(token_that_never_ends),
		cmocka_unit_test(depth),
		cmocka_unit_test(attributes),
		cmocka_unit_test(namespaces),
		cmocka_unit_test(nodes),
		cmocka_unit_test(white_bytes),
		cmocka_unit_test(limits_change_underway),
		cmocka_unit_test(settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
