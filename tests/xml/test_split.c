/* However a stream is cut into reads, the same events come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "record.h"
#include "transcripts.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* What is harder to cut than a negotiation. */
#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X256 X64 X64 X64 X64

static const char *const awkward[] = {
	/* Tags so long that expat sees them before they are whole. */
	HEADER "<m a='" X256 X256 X64 "' b='>" X64 X64 "'>" X256 "</m><" X256
	       " b='\xc3\xa4'/>&#" "0000000000000000000000065;",
	HEADER "<m>" X256 "<m a='" X64 "' b='" X64 X64 X64 "' a=''/>",
	HEADER "<m>" X256 "<m a='" X64 "' b='" X256 "' c=\xff",
	HEADER "<m>" X256 "<m a='" X64 "' a='" X256 X256,
	HEADER "<m>" X256 "&" X256 X256,
	HEADER "<a b='>' c=\">'>\" d='\">'/><e f='/>'></e><g\n>\r\n</g\t></"
	       "stream:stream\n>",
	HEADER "<m><![CDATA[</m>it's ]] > ]]]]></m> <m>x<![CDATA[]]>y</m>",
	HEADER "<m>]</m><m>]]&gt;</m><m>&amp;&#x41;&#65;&apos;</m>&#32;<m/>",
	HEADER "<m>\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\r\nx\ry</m>",
	HEADER "<m t='\xc3\xa4\r\n\t&#10;'><x:y xmlns:x='urn:x' x:z='1'/></m>",
	HEADER " \n<m xml:lang='de'><b>x<i xml:lang=''/></b></m>\t<m/>",
	"\n <s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns="
	"\"jabber:server\" to='a>b'/> ",
	"<?xml version=\"1.0\" encoding='utf-8' standalone='yes' ?>\n"
	"<stream:stream xmlns='jabber:server' "
	"xmlns:stream='http://etherx.jabber.org/streams'><a></a> ",
	/* And what is refused, at one place whatever the cut. */
	HEADER "<a/><!-- x --><b/>",
	HEADER "<a><b/><!DOCTYPE x></a>",
	HEADER "<a><?php?></a>",
	HEADER "<a/><?xml version='1.0'?>",
	HEADER "<a></b>",
	HEADER "<a>\xc3(</a>",
	HEADER "<a>\xed\xa0\x80</a>",
	HEADER "<a b='\xff'/>",
	HEADER "<a>\xef\xbf\xbf</a>",
	HEADER "<a/>x<b/>",
	HEADER "<a/>&#65;<b/>",
	HEADER "<a/><![CDATA[]]><b/>",
	HEADER "<a><![CDATX[ ' ]]></a>",
	HEADER "<a/><!ELEMENT b>",
	HEADER "<a b='&foo;'/>",
	HEADER "<a>&foo;</a>",
	HEADER "<a>]]></a>",
	HEADER "<a b='1' b='2'/>",
	HEADER "<a b=1/>",
	HEADER "</a'><b c='>'/>",
	HEADER "<x:a/>",
	HEADER HEADER,
	"\xef\xbb\xbf<stream:stream>",
	"\xfe\xff\0<",
	"GET / HTTP/1.1\r\n\r\n",
	"<?xml version='1.0' encoding='iso-8859-1'?><stream:stream>",
	"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'b'>]><stream:stream>",
	"<?php x ?><stream:stream>",
	"<html><body/></html>",
	"<stream:stream to='x'>",
	"<stream:stream to='x' to='y'>",
};

static char *record(const char *ns, const char *text, size_t first, size_t step)
{
	struct pl_xml_limits limits = pl_xml_limits_before(8192);
	size_t length = strlen(text);
	struct record made;
	char *copy;

	record_init(&made, ns, &limits);
	record_feed(&made, text, first, SIZE_MAX);
	record_feed(&made, text + first, length - first, step);
	pl_buffer_printf(&made.out, "positions %zx\n", made.at_all);
	copy = strdup(record_text(&made));
	record_finish(&made);
	assert_non_null(copy);
	return copy;
}

static void compare(const char *whole, const char *ns, const char *text,
		    size_t first, size_t step)
{
	char *cut = record(ns, text, first, step);

	assert_string_equal(cut, whole);
	free(cut);
}

static void check_cuts(const char *ns, const char *text)
{
	size_t length = strlen(text);
	char *whole = record(ns, text, 0, SIZE_MAX);

	for (size_t at = 1; at < length; at++)
		compare(whole, ns, text, at, SIZE_MAX);
	for (size_t step = 1; step < 8; step++)
		compare(whole, ns, text, 0, step);
	free(whole);
}

static void transcripts_cut_anywhere(void **state)
{
	for (size_t i = 0; i < COUNT(transcripts); i++)
		check_cuts(transcripts[i].content_ns, transcripts[i].text);
}

static void transcripts_are_good(void **state)
{
	for (size_t i = 0; i < COUNT(transcripts); i++) {
		char *whole = record(transcripts[i].content_ns,
				     transcripts[i].text, 0, SIZE_MAX);

		if (strstr(whole, "fault=0 ") == NULL)
			fail_msg("%s: %s", transcripts[i].name, whole);
		assert_memory_equal(whole, "header ", 7);
		free(whole);
	}
}

static void awkward_cut_anywhere(void **state)
{
	for (size_t i = 0; i < COUNT(awkward); i++)
		check_cuts("jabber:server", awkward[i]);
}

/* An event comes with the last byte of its tag, not later. */
static void no_byte_late(void **state)
{
	const char *text = HEADER
		"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
	struct pl_xml_limits limits = pl_xml_limits_before(8192);
	size_t length = strlen(text);
	struct record made;

	record_init(&made, PL_NS_SERVER, &limits);
	for (size_t i = 0; i < length; i++) {
		assert_int_equal(made.headers, i >= strlen(HEADER));
		assert_int_equal(made.elements, 0);
		record_feed(&made, text + i, 1, 1);
		if (i + 1 == strlen(HEADER))
			assert_int_equal(made.at, i + 1);
	}
	assert_int_equal(made.elements, 1);
	assert_int_equal(made.at, length);
	record_finish(&made);
}

/* Renewing the memory between elements is not seen from outside. */
static void rests_are_not_seen(void **state)
{
	for (size_t i = 0; i < COUNT(transcripts) + COUNT(awkward); i++) {
		bool own = i < COUNT(transcripts);
		const char *ns = own ? transcripts[i].content_ns
				     : "jabber:server";
		const char *text = own ? transcripts[i].text
				       : awkward[i - COUNT(transcripts)];
		struct pl_xml_limits limits = pl_xml_limits_before(8192);
		char *whole = record(ns, text, 0, SIZE_MAX);
		struct record made;

		record_init(&made, ns, &limits);
		for (size_t at = 0; at < strlen(text); at++) {
			pl_xml_rest(made.parser);
			record_feed(&made, text + at, 1, 1);
		}
		pl_buffer_printf(&made.out, "positions %zx\n", made.at_all);
		assert_string_equal(record_text(&made), whole);
		record_finish(&made);
		free(whole);
	}
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed >> 16;
}

/* Overwrites, drops and doubles bytes; never makes a NUL. */
static char *damage(const char *text, uint64_t *seed)
{
	static const char marks[] = "<>'\"&;/!?[]-=: \n\xff\xc3" "Dx#";
	size_t length = strlen(text);
	char *copy = malloc(length * 2 + 32);

	assert_non_null(copy);
	memcpy(copy, text, length + 1);
	for (unsigned n = 1 + next_random(seed) % 3; n > 0; n--) {
		size_t at = next_random(seed) % length;
		size_t span = 1 + next_random(seed) % 8;

		if (span > length - at)
			span = length - at;
		if (next_random(seed) % 3 == 0) {
			memmove(copy + at, copy + at + span,
				length - at - span + 1);
			length -= span;
		} else if (next_random(seed) % 2 == 0) {
			memmove(copy + at + span, copy + at, length - at + 1);
			length += span;
		} else {
			copy[at] = marks[next_random(seed) %
					 (sizeof marks - 1)];
		}
		if (length == 0)
			break;
	}
	return copy;
}

/* Whatever comes, the cut does not matter. */
static void damaged_cut_anywhere(void **state)
{
	uint64_t seed = 0x853c49e6748fea9bu;

	for (size_t i = 0; i < 4000; i++) {
		size_t k = next_random(&seed) %
			   (COUNT(transcripts) + COUNT(awkward));
		bool own = k < COUNT(transcripts);
		const char *ns = own ? transcripts[k].content_ns
				     : "jabber:server";
		char *text = damage(own ? transcripts[k].text
					: awkward[k - COUNT(transcripts)],
				    &seed);
		char *whole = record(ns, text, 0, SIZE_MAX);

		compare(whole, ns, text, 0, 1);
		compare(whole, ns, text, next_random(&seed) %
					 (strlen(text) + 1), SIZE_MAX);
		compare(whole, ns, text, 0, 1 + next_random(&seed) % 50);
		free(whole);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transcripts_are_good),
		cmocka_unit_test(transcripts_cut_anywhere),
		cmocka_unit_test(awkward_cut_anywhere),
		cmocka_unit_test(damaged_cut_anywhere),
		cmocka_unit_test(no_byte_late),
		cmocka_unit_test(rests_are_not_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
