/* Headers, stops, faults, and reading a tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "record.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define STREAMS "xmlns:stream='http://etherx.jabber.org/streams'"
#define OPEN "<stream:stream xmlns='jabber:server' " STREAMS

static void start(struct record *record)
{
	struct pl_xml_limits limits = pl_xml_limits_before(8192);

	record_init(record, PL_NS_SERVER, &limits);
}

/* ----- headers ----- */

static void expect_header(const char *text, const char *wanted)
{
	struct record record;

	start(&record);
	record_feed(&record, text, strlen(text), SIZE_MAX);
	assert_string_equal(record_text(&record), wanted);
	record_finish(&record);
}

static void header_parts(void **state)
{
	expect_header(HEADER,
		      "header to=13:alpha.example from=12:beta.example "
		      "id=6:b-0001 version=3:1.0 lang=2:en 1.0 dialback=1\n"
		      "fault=0 ");
	expect_header(OPEN ">",
		      "header to=(none) from=(none) id=(none) version=(none) "
		      "lang=(none) 0.9 dialback=0\nfault=0 ");
	/* Other prefixes and foreign attributes are fine. */
	expect_header("<s:stream id='' x='1' s:to='no' f:from='no' "
		      "xmlns:f='urn:f' xmlns:d=\"jabber:server:dialback\" "
		      "xmlns='jabber:server' lang='no' "
		      "xmlns:s='http://etherx.jabber.org/streams'>",
		      "header to=(none) from=(none) id=0: version=(none) "
		      "lang=(none) 0.9 dialback=1\nfault=0 ");
	/* The default namespace is no prefix. */
	expect_header("<stream:stream xmlns='jabber:server' " STREAMS
		      " xmlns:x='urn:xmpp:features:dialback'>",
		      "header to=(none) from=(none) id=(none) version=(none) "
		      "lang=(none) 0.9 dialback=0\nfault=0 ");
}

static void header_versions(void **state)
{
	static const struct {
		const char *version, *read;
	} table[] = {
		{ "1.0", " 1.0 " }, { "1.10", " 1.10 " }, { "01.00", " 1.0 " },
		{ "2.1", " 2.1 " }, { "0.9", " 0.9 " }, { "1", " 0.9 " },
		{ "", " 0.9 " }, { "1.", " 0.9 " }, { ".1", " 0.9 " },
		{ "1.0 ", " 0.9 " }, { " 1.0", " 0.9 " }, { "1.0x", " 0.9 " },
		{ "-1.0", " 0.9 " }, { "+1.0", " 0.9 " }, { "1.0.0", " 0.9 " },
		{ "1,0", " 0.9 " }, { "4294967297.0", " 0.9 " },
		{ "999999999.999999999", " 999999999.999999999 " },
		{ "1.0000000000000000", " 0.9 " },
	};

	for (size_t i = 0; i < COUNT(table); i++) {
		struct record record;
		char text[256];

		snprintf(text, sizeof text, OPEN " version='%s'>",
			 table[i].version);
		start(&record);
		record_feed(&record, text, strlen(text), SIZE_MAX);
		assert_non_null(strstr(record_text(&record), table[i].read));
		record_finish(&record);
	}
}

/* ----- stops ----- */

/* Feeds once; the cut has to be right before `behind`. */
static void expect_cut(const char *stop_at, const char *upto,
		       const char *behind)
{
	size_t length = strlen(upto) + strlen(behind);
	char *text = malloc(length + 1);
	struct record record;
	size_t used = 0;

	assert_non_null(text);
	strcpy(text, upto);
	strcat(text, behind);
	for (size_t first = 1; first <= length; first++) {
		start(&record);
		record.stop_at = stop_at;
		used = pl_xml_feed(record.parser, text, first);
		if (used == first && first < strlen(upto))
			used += pl_xml_feed(record.parser, text + first,
					    length - first);
		assert_int_equal(used, strlen(upto));
		assert_int_equal(record.elements, 1);
		/* Nothing more until it is resumed, and then nothing is lost. */
		assert_int_equal(pl_xml_feed(record.parser, "<b/>", 4), 0);
		pl_xml_resume(record.parser);
		assert_int_equal(pl_xml_feed(record.parser, "<b/>", 4), 4);
		assert_int_equal(record.elements, 2);
		assert_int_equal(pl_xml_fault(record.parser), 0);
		record_finish(&record);
	}
	free(text);
}

static void cut_is_exact(void **state)
{
	static const char *const elements[] = {
		"<%s xmlns='%s'/>", "<%s xmlns='%s'></%s>", "<%s xmlns='%s' />",
		"<%s\nxmlns='%s'\t>\n</%s \r\n>", "<x:%s xmlns:x='%s'/>",
		"<%s xmlns='%s' a='/>' b=\"'>\"/>",
		"<%s xmlns='%s'>text<c/><d>'</d><![CDATA[>\"]]></%s>",
		"<%s xmlns='%s'><![CDATA[]>\"<c d='>]] >]]]></%s>",
	};
	static const char *const behind[] = {
		"", "\x16\x03\x01\x02", ">", "<", "<?xml version='1.0'?>",
		" ", "<b/>", "</stream:stream>", "</", "\xff", "'>", "]]>",
		"\n<!-- --><!DOCTYPE",
	};

	for (size_t i = 0; i < COUNT(elements) * COUNT(behind); i++) {
		char text[1024];
		size_t n = strlen(HEADER);

		strcpy(text, HEADER);
		snprintf(text + n, sizeof text - n,
			 elements[i / COUNT(behind)], "proceed", PL_NS_TLS,
			 "proceed");
		expect_cut("proceed", text, behind[i % COUNT(behind)]);
	}
}

static void cut_behind_each_kind(void **state)
{
	expect_cut("starttls", HEADER "<starttls xmlns='" PL_NS_TLS "'/>",
		   "\x16\x03\x01");
	expect_cut("success", HEADER "<success xmlns='" PL_NS_SASL "'/>",
		   "<?xml version='1.0'?><stream:stream>");
	expect_cut("success", HEADER "<success xmlns='" PL_NS_SASL "'>=</success>",
		   "<?xml version='1.0'?><stream:stream>");
}

static void stop_at_header_and_end(void **state)
{
	const char *text = HEADER "<a/></stream:stream>\n<what/>";
	struct record record;
	size_t used;

	start(&record);
	record.stop_always = true;
	used = pl_xml_feed(record.parser, text, strlen(text));
	assert_int_equal(used, strlen(HEADER));
	assert_int_equal(record.headers, 1);
	pl_xml_resume(record.parser);
	assert_int_equal(pl_xml_feed(record.parser, text + used,
				     strlen(text) - used), 4);
	assert_int_equal(record.elements, 1);
	pl_xml_resume(record.parser);
	used += 4;
	assert_int_equal(pl_xml_feed(record.parser, text + used,
				     strlen(text) - used), 16);
	assert_int_equal(record.ends, 1);
	/* Behind the end all is dropped. */
	assert_int_equal(pl_xml_feed(record.parser, "x", 1), 0);
	pl_xml_resume(record.parser);
	assert_int_equal(pl_xml_feed(record.parser, "<x>\xff&", 5), 5);
	assert_int_equal(pl_xml_fault(record.parser), PL_XML_NO_FAULT);
	assert_int_equal(record.elements, 1);
	record_finish(&record);
}

/* One tag that opens and closes the stream. */
static void empty_stream(void **state)
{
	const char *text = OPEN "/>";
	struct record record;

	start(&record);
	assert_int_equal(pl_xml_feed(record.parser, text, strlen(text)),
			 strlen(text));
	assert_int_equal(record.headers, 1);
	assert_int_equal(record.ends, 1);
	record_finish(&record);

	start(&record);
	record.stop_always = true;
	assert_int_equal(pl_xml_feed(record.parser, text, strlen(text)),
			 strlen(text));
	assert_int_equal(record.headers, 1);
	assert_int_equal(record.ends, 0);
	pl_xml_resume(record.parser);
	assert_int_equal(pl_xml_feed(record.parser, "", 0), 0);
	assert_int_equal(record.ends, 1);
	record_finish(&record);
}

/* ----- faults ----- */

static const struct {
	enum pl_xml_fault fault;
	unsigned headers, elements;
	const char *text;
} faults[] = {
	{ PL_XML_NOT_WELL_FORMED, 1, 1, HEADER "<a/></b>" },
	{ PL_XML_NOT_WELL_FORMED, 1, 0, HEADER "<a></b>" },
	{ PL_XML_NOT_WELL_FORMED, 1, 0, HEADER "<a b='1' b='2'/>" },
	{ PL_XML_NOT_WELL_FORMED, 1, 0, HEADER "<x:a/>" },
	{ PL_XML_NOT_WELL_FORMED, 1, 0, HEADER "<a x:b='1'/>" },
	{ PL_XML_NOT_WELL_FORMED, 1, 0, HEADER "<a b=c/>" },
	{ PL_XML_NOT_WELL_FORMED, 1, 0, HEADER "<a b='<'/>" },
	{ PL_XML_NOT_WELL_FORMED, 1, 0, HEADER "<a>&#0;</a>" },
	{ PL_XML_NOT_WELL_FORMED, 1, 0, HEADER "<a>&#xFFFE;</a>" },
	{ PL_XML_NOT_WELL_FORMED, 1, 0, HEADER "<a>\x01</a>" },
	{ PL_XML_NOT_WELL_FORMED, 1, 0, HEADER "<a>\xef\xbf\xbe</a>" },
	{ PL_XML_NOT_WELL_FORMED, 1, 0, HEADER "<a>]]></a>" },
	{ PL_XML_NOT_WELL_FORMED, 1, 0, HEADER "< a/>" },
	{ PL_XML_NOT_WELL_FORMED, 1, 0, HEADER "<a xmlns:b=''/>" },
	{ PL_XML_NOT_WELL_FORMED, 1, 0, HEADER "<a xmlns='&#10;' b='1'b=''/>" },
	{ PL_XML_NOT_WELL_FORMED, 1, 0, HEADER "<a xmlns='&#12;'/>" },
	{ PL_XML_NOT_WELL_FORMED, 1, 0, HEADER "<!FOO>" },
	{ PL_XML_NOT_WELL_FORMED, 0, 0, "<stream:stream xmlns='jabber:server'>" },
	{ PL_XML_NOT_WELL_FORMED, 0, 0, OPEN " to='a' to='b'>" },
	{ PL_XML_NOT_WELL_FORMED, 0, 0, "<stream:error><a/></stream:error>" },
	{ PL_XML_NOT_WELL_FORMED, 0, 0, "<?xml version='1.0'<a>?>" },
	{ PL_XML_RESTRICTED, 1, 1, HEADER "<a/><!--" },
	{ PL_XML_RESTRICTED, 1, 0, HEADER "<a><!-- b --></a>" },
	{ PL_XML_RESTRICTED, 1, 0, HEADER "<!DOCTYPE a>" },
	{ PL_XML_RESTRICTED, 1, 0, HEADER "<?a b?>" },
	{ PL_XML_RESTRICTED, 1, 0, HEADER "<a><?" },
	{ PL_XML_RESTRICTED, 1, 0, HEADER "<?xml version='1.0'?>" },
	{ PL_XML_RESTRICTED, 1, 0, HEADER "<a>&foo;</a>" },
	{ PL_XML_RESTRICTED, 1, 0, HEADER "<a b='&foo;'/>" },
	{ PL_XML_RESTRICTED, 1, 0, HEADER "<a>&amp;&AMP;</a>" },
	{ PL_XML_RESTRICTED, 1, 0, HEADER "&foo;" },
	{ PL_XML_RESTRICTED, 0, 0, "<!-- a -->" OPEN ">" },
	{ PL_XML_RESTRICTED, 0, 0, "<?a?>" OPEN ">" },
	{ PL_XML_RESTRICTED, 0, 0, " <?xml version='1.0'?>" OPEN ">" },
	{ PL_XML_RESTRICTED, 0, 0, "<?xml version='1.0'?><?a?>" OPEN ">" },
	{ PL_XML_RESTRICTED, 0, 0, "<!DOCTYPE stream:stream>" OPEN ">" },
	{ PL_XML_RESTRICTED, 0, 0, "<?xml version='1.0'?>\n<!DOCTYPE lolz ["
		"<!ENTITY lol 'lol'><!ENTITY a '&lol;&lol;'>]>" OPEN ">&a;" },
	{ PL_XML_RESTRICTED, 0, 0, OPEN " to='&foo;'>" },
	{ PL_XML_ENCODING, 0, 0, "\xef\xbb\xbf" OPEN ">" },
	{ PL_XML_ENCODING, 0, 0, "\xff\xfe<" },
	{ PL_XML_ENCODING, 0, 0, "\xfe\xff" },
	{ PL_XML_ENCODING, 0, 0, "<?xml version='1.0' encoding='UTF-16'?>" OPEN ">" },
	{ PL_XML_ENCODING, 0, 0, "<?xml version='1.0' encoding='US-ASCII'?>" OPEN ">" },
	{ PL_XML_ENCODING, 0, 0, "<?xml version='1.0' encoding='x'?>" OPEN ">" },
	{ PL_XML_ENCODING, 1, 0, HEADER "<a>\xff</a>" },
	{ PL_XML_ENCODING, 1, 0, HEADER "<a>\x80</a>" },
	{ PL_XML_ENCODING, 1, 0, HEADER "<a>\xc0\xaf</a>" },
	{ PL_XML_ENCODING, 1, 0, HEADER "<a>\xe0\x80\xaf</a>" },
	{ PL_XML_ENCODING, 1, 0, HEADER "<a>\xed\xa0\x80</a>" },
	{ PL_XML_ENCODING, 1, 0, HEADER "<a>\xf4\x90\x80\x80</a>" },
	{ PL_XML_ENCODING, 1, 0, HEADER "<a>\xc3\x28</a>" },
	{ PL_XML_ENCODING, 1, 0, HEADER "<a b='\xc3\x28'/>" },
	{ PL_XML_ENCODING, 1, 0, HEADER "<a\xff/>" },
	{ PL_XML_ENCODING, 0, 0, OPEN " to='\xe4'>" },
	{ PL_XML_NOT_XMPP, 0, 0, "GET / HTTP/1.1\r\n" },
	{ PL_XML_NOT_XMPP, 0, 0, "\x16\x03\x01\x02" },
	{ PL_XML_NOT_XMPP, 0, 0, "\n x" },
	{ PL_XML_NOT_XMPP, 0, 0, "&lt;" },
	{ PL_XML_NOT_XMPP, 0, 0, " \xef\xbb\xbf" OPEN ">" },
	{ PL_XML_NOT_XMPP, 0, 0, "<<" },
	{ PL_XML_NOT_XMPP, 0, 0, "</stream:stream>" },
	{ PL_XML_NOT_XMPP, 0, 0, "< stream>" },
	{ PL_XML_NOT_XMPP, 0, 0, "<?xml version='1.0'?>x" },
	{ PL_XML_NOT_XMPP, 0, 0, "<html>" },
	{ PL_XML_NOT_XMPP, 0, 0, "<stream xmlns='jabber:server'>" },
	{ PL_XML_NOT_XMPP, 0, 0, "<stream:error " STREAMS ">" },
	{ PL_XML_NOT_XMPP, 0, 0, "<stream:stream xmlns='jabber:server' "
		"xmlns:stream='http://etherx.jabber.org/streams/'>" },
	{ PL_XML_NOT_XMPP, 0, 0, "<stream:Stream xmlns='jabber:server' " STREAMS ">" },
	{ PL_XML_NAMESPACE, 0, 0, "<stream:stream xmlns='jabber:client' " STREAMS ">" },
	{ PL_XML_NAMESPACE, 0, 0, "<stream:stream xmlns='jabber:server ' " STREAMS ">" },
	{ PL_XML_NAMESPACE, 0, 0, "<stream:stream xmlns='' " STREAMS ">" },
	{ PL_XML_NAMESPACE, 0, 0, "<stream:stream " STREAMS ">" },
	{ PL_XML_NAMESPACE, 0, 0, "<stream:stream xmlns='jabber:client' "
		"xmlns:s='jabber:server' " STREAMS ">" },
	{ PL_XML_NAMESPACE, 0, 0, "<stream xmlns='http://etherx.jabber.org/streams'>" },
	{ PL_XML_PREFIX, 0, 0, "<stream:stream xmlns:s='jabber:server' " STREAMS ">" },
	{ PL_XML_PREFIX, 0, 0, "<stream xmlns:s='jabber:server' "
		"xmlns='http://etherx.jabber.org/streams'>" },
	{ PL_XML_FORMAT, 1, 1, HEADER "<a/>x" },
	{ PL_XML_FORMAT, 1, 0, HEADER " \n x<a/>" },
	{ PL_XML_FORMAT, 1, 0, HEADER "&amp;<a/>" },
	{ PL_XML_FORMAT, 1, 0, HEADER "&#65;<a/>" },
	{ PL_XML_FORMAT, 1, 0, HEADER "]<a/>" },
	{ PL_XML_FORMAT, 1, 0, HEADER "<![CDATA[ ]]><a/>" },
	{ PL_XML_FORMAT, 1, 0, HEADER "\xff" },
	{ PL_XML_FORMAT, 1, 0, HEADER OPEN ">" },
	{ PL_XML_FORMAT, 1, 0, HEADER "<stream:stream/>" },
};

static void each_fault(void **state)
{
	for (size_t i = 0; i < COUNT(faults); i++) {
		size_t length = strlen(faults[i].text);
		struct record record;
		unsigned fault;

		start(&record);
		record_feed(&record, faults[i].text, length, SIZE_MAX);
		fault = pl_xml_fault(record.parser);
		if (fault != faults[i].fault)
			fail_msg("%s: %u", faults[i].text, fault);
		assert_int_equal(record.headers, faults[i].headers);
		assert_int_equal(record.elements, faults[i].elements);
		assert_int_not_equal(pl_xml_fault_text(record.parser)[0], 0);
		/* And nothing more. */
		assert_int_equal(pl_xml_feed(record.parser, "<a/>", 4), 0);
		pl_xml_resume(record.parser);
		assert_int_equal(pl_xml_feed(record.parser, "<a/>", 4), 0);
		assert_int_equal(record.elements, faults[i].elements);
		record_finish(&record);
	}
}

static void nul_and_utf16(void **state)
{
	static const struct {
		enum pl_xml_fault fault;
		const char *text;
		size_t length;
	} table[] = {
		{ PL_XML_ENCODING, "<\0s\0", 4 },
		{ PL_XML_NOT_XMPP, "\0<\0s", 4 },
		{ PL_XML_NOT_WELL_FORMED, "<s\0>", 4 },
		{ PL_XML_NOT_WELL_FORMED, HEADER "<a>\0</a>",
		  sizeof HEADER "<a>0</a>" - 1 },
		{ PL_XML_NOT_WELL_FORMED, HEADER "<a b='\0'/>",
		  sizeof HEADER "<a b='0'/>" - 1 },
		{ PL_XML_FORMAT, HEADER "\0", sizeof HEADER },
	};

	for (size_t i = 0; i < COUNT(table); i++) {
		struct record record;

		start(&record);
		record_feed(&record, table[i].text, table[i].length, SIZE_MAX);
		assert_int_equal(pl_xml_fault(record.parser), table[i].fault);
		record_finish(&record);
	}
}

static void fault_text_shows_nothing_of_the_peer(void **state)
{
	const char *text = HEADER "<EVIL></EVIL2>";
	struct record record;

	start(&record);
	record_feed(&record, text, strlen(text), SIZE_MAX);
	assert_null(strstr(pl_xml_fault_text(record.parser), "EVIL"));
	assert_string_equal(pl_xml_fault_text(record.parser),
			    "mismatched tag (byte 227)");
	record_finish(&record);
}

/* ----- reading ----- */

static bool look(void *owner, const struct pl_xml_node *node, size_t bytes)
{
	const struct pl_xml_node *a, *b;
	char out[16];

	*(unsigned *)owner += 1;
	assert_true(pl_xml_is(node, "m", PL_NS_SERVER));
	assert_false(pl_xml_is(node, "m", "jabber:client"));
	assert_false(pl_xml_is(node, "n", PL_NS_SERVER));
	assert_string_equal(pl_xml_attribute(node, "to"), "x");
	assert_null(pl_xml_attribute(node, "lang"));
	assert_null(pl_xml_attribute(node, "from"));
	assert_string_equal(node->lang, "de");
	a = pl_xml_first_element(node);
	assert_true(pl_xml_is(a, "a", PL_NS_SERVER));
	assert_string_equal(a->lang, "de");
	b = pl_xml_next_element(a);
	assert_true(pl_xml_is(b, "a", "urn:a"));
	assert_string_equal(b->lang, "fr");
	assert_null(pl_xml_next_element(b));
	assert_ptr_equal(pl_xml_child(node, "a", "urn:a"), b);
	assert_null(pl_xml_child(node, "a", ""));
	assert_null(pl_xml_child(a, "a", "urn:a"));
	assert_null(pl_xml_attribute(a, "to"));
	/* " one " " two" " \xc3\xa4 ": white space outside goes. */
	assert_int_equal(pl_xml_text(node, out, sizeof out), 11);
	assert_string_equal(out, "one  two \xc3\xa4");
	assert_int_equal(pl_xml_text(node, out, 4), 11);
	assert_string_equal(out, "one");
	assert_int_equal(pl_xml_text(node, out, 11), 11);
	assert_string_equal(out, "one  two ");
	assert_int_equal(pl_xml_text(node, out, 12), 11);
	assert_string_equal(out, "one  two \xc3\xa4");
	assert_int_equal(pl_xml_text(node, out, 1), 11);
	assert_string_equal(out, "");
	assert_int_equal(pl_xml_text(node, NULL, 0), 11);
	assert_int_equal(pl_xml_text(a, out, sizeof out), 0);
	assert_string_equal(out, "");
	return true;
}

static bool go_on_header(void *owner, const struct pl_xml_header *header)
{
	return true;
}

static bool go_on_end(void *owner)
{
	return true;
}

static void reading_a_tree(void **state)
{
	static const struct pl_xml_events events = { go_on_header, look,
						     go_on_end };
	const char *text = HEADER
		"<m x:to='no' to='x' xml:lang='de' xmlns:x='urn:x'>\n one "
		"<a> \n\t&#13; </a> two<x:a xmlns:x='urn:a' xml:lang='fr'/> "
		"<![CDATA[\xc3\xa4]]>&#x20;</m>";
	struct pl_xml_limits limits = pl_xml_limits_before(8192);
	unsigned seen = 0;
	struct pl_xml_parser *parser =
		pl_xml_new(PL_NS_SERVER, &limits, &events, &seen);

	assert_int_equal(pl_xml_feed(parser, text, strlen(text)), strlen(text));
	assert_int_equal(seen, 1);
	pl_xml_free(parser);
}

static void nothing_of_nothing(void **state)
{
	char out[4] = "x";

	assert_null(pl_xml_attribute(NULL, "a"));
	assert_null(pl_xml_child(NULL, "a", ""));
	assert_null(pl_xml_first_element(NULL));
	assert_null(pl_xml_next_element(NULL));
	assert_false(pl_xml_is(NULL, "a", ""));
	assert_int_equal(pl_xml_text(NULL, out, sizeof out), 0);
	assert_string_equal(out, "");
	pl_xml_free(NULL);
}

static void languages(void **state)
{
	const char *text = HEADER "<a/><a xml:lang='de'><b/><c xml:lang=''>x"
				  "</c>y</a><a/>";
	struct record record;

	start(&record);
	record_feed(&record, text, strlen(text), SIZE_MAX);
	assert_non_null(strstr(record_text(&record),
		"element bytes=4 [{jabber:server}a lang=2:en]\n"
		"element bytes=46 [{jabber:server}a lang=2:de "
		"{http://www.w3.org/XML/1998/namespace} lang=2:de"
		"[{jabber:server}b lang=2:de][{jabber:server}c lang=0: "
		"{http://www.w3.org/XML/1998/namespace} lang=0:"
		"[text 1:x lang=0:]][text 1:y lang=2:de]]\n"
		"element bytes=4 [{jabber:server}a lang=2:en]\n"));
	record_finish(&record);
}

/* A stream may go on for ever; names seen once are not kept for ever. */
static void a_long_stream(void **state)
{
	struct record record;

	start(&record);
	record_feed(&record, HEADER, strlen(HEADER), SIZE_MAX);
	for (unsigned i = 0; i < 60000; i++) {
		char text[64];

		snprintf(text, sizeof text, "<db:a%u b%u='1'/>%s", i, i,
			 i % 3 == 0 ? " " : "");
		record_feed(&record, text, strlen(text), SIZE_MAX);
		assert_int_equal(record.elements, i + 1);
		pl_buffer_consume(&record.out, record.out.length);
	}
	assert_int_equal(pl_xml_fault(record.parser), PL_XML_NO_FAULT);
	record_feed(&record, "<db:x>\xff", 7, SIZE_MAX);
	assert_int_equal(pl_xml_fault(record.parser), PL_XML_ENCODING);
	record_finish(&record);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_parts),
		cmocka_unit_test(header_versions),
		cmocka_unit_test(cut_is_exact),
		cmocka_unit_test(cut_behind_each_kind),
		cmocka_unit_test(stop_at_header_and_end),
		cmocka_unit_test(empty_stream),
		cmocka_unit_test(each_fault),
		cmocka_unit_test(nul_and_utf16),
		cmocka_unit_test(fault_text_shows_nothing_of_the_peer),
		cmocka_unit_test(reading_a_tree),
		cmocka_unit_test(nothing_of_nothing),
		cmocka_unit_test(languages),
		cmocka_unit_test(a_long_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
