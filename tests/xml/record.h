/* Events of a parser as lines of text, for comparing. */
#ifndef TESTS_XML_RECORD_H
#define TESTS_XML_RECORD_H

#include "parley/xml.h"

#define HEADER \
	"<?xml version='1.0'?><stream:stream xmlns='jabber:server' " \
	"xmlns:stream='http://etherx.jabber.org/streams' " \
	"xmlns:db='jabber:server:dialback' id='b-0001' from='beta.example' " \
	"to='alpha.example' version='1.0' xml:lang='en'>"

struct record {
	struct pl_xml_parser *parser;
	struct pl_buffer out;
	const char *stop_at; /* name of the first-level element to stop at */
	bool stop_always;
	unsigned headers, elements, ends;
	size_t bytes;        /* of the last element */
	size_t at, at_all;   /* the position of the last event, of all */
	char *written;       /* owned; the last element, written again */
};

void record_init(struct record *record, const char *content_ns,
		 const struct pl_xml_limits *limits);
void record_finish(struct record *record);

/* The tree as text: no two trees look alike. */
void dump_node(struct pl_buffer *out, const struct pl_xml_node *node);

/* Feeds in steps of so many bytes and goes on after each stop. */
void record_feed(struct record *record, const char *bytes, size_t length,
		 size_t step);

/* The record with the fault at its end; good until the next call. */
const char *record_text(struct record *record);

#endif
