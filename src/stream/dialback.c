/*
 * db:result and db:verify. Answers count only for what we asked: an answer to
 * db:result needs a pair of this stream that waits for exactly it, an answer
 * to db:verify an entry in the owner's table; all others are dropped and
 * counted (XEP-0220 2.1.1, 2.1.2).
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool dialback_kind(const struct pl_xml_node *element,
		   enum pl_dialback_kind *kind)
{
	bool answer = pl_xml_attribute(element, "type") != NULL;

	if (pl_xml_is(element, "result", PL_NS_DIALBACK))
		*kind = answer ? PL_DB_RESULT_ANSWER : PL_DB_RESULT_REQUEST;
	else if (pl_xml_is(element, "verify", PL_NS_DIALBACK))
		*kind = answer ? PL_DB_VERIFY_ANSWER : PL_DB_VERIFY_REQUEST;
	else
		return false;
	return true;
}

void dialback_unsolicited(struct pl_stream *stream, const char *what)
{
	struct pl_log_line line;

	record_ignored(stream, what);
	pl_log_begin(&line, stream->world->log, PL_LOG_INFO);
	pl_log_text(&line, "stream", stream->log_id);
	pl_log_text(&line, "event", "ignored");
	pl_log_text(&line, "element", what);
	pl_log_text(&line, "addr", stream->peer);
	pl_log_end(&line);
	if (++stream->ignored <= STREAM_IGNORED)
		return;
	stream_words(stream, "more than %d elements that nobody asked for",
		     STREAM_IGNORED);
	stream_event(stream, &(struct pl_stream_event){
		.kind = PL_EV_FAULT, .fault = PL_FAULT_LIMIT });
}

/* Both addresses in normal form; false where one is missing or no domain. */
static bool addresses(const struct pl_xml_node *element,
		      char from[PL_DOMAIN_SIZE], char to[PL_DOMAIN_SIZE])
{
	const char *a = pl_xml_attribute(element, "from");
	const char *b = pl_xml_attribute(element, "to");

	from[0] = to[0] = '\0';
	return a != NULL && b != NULL &&
	       pl_addr_domain(a, strlen(a), from, NULL) &&
	       pl_addr_domain(b, strlen(b), to, NULL);
}

/* ----- db:result ----- */

/* A request for one pair too many, or without usable addresses, is judged by a
 * pair that lives only for it. */
static struct pl_pair *pair_for_request(struct pl_stream *stream,
					const char *local, const char *remote,
					bool *full)
{
	struct pl_pair *pair;

	*full = false;
	pair = pair_find(stream, PL_RECEIVING, local, remote);
	if (pair == NULL)
		pair = pair_new(stream, PL_RECEIVING, local, remote);
	if (pair == NULL) {
		*full = true;
		stream->pairs_count--;
		pair = pair_new(stream, PL_RECEIVING, local, remote);
		stream->pairs_count++;
	}
	return pair;
}

static void drop_pair(struct pl_stream *stream, struct pl_pair *pair)
{
	struct pl_pair **link = &stream->pairs;

	while (*link != pair)
		link = &(*link)->next;
	*link = pair->next;
	stream->pairs_count--;
	pair_free(pair);
}

static void take_result_request(struct pl_stream *stream,
				const struct pl_xml_node *element)
{
	struct pl_pair_event event = { .kind = PL_PE_RESULT_REQUEST };
	char from[PL_DOMAIN_SIZE], to[PL_DOMAIN_SIZE], key[1100];
	struct pl_tls_verdict verdict = { .certificate = PL_CERT_NONE };
	struct pl_world *world = stream->world;
	struct pl_pair *pair;
	size_t length;
	bool full;

	if (world->odd & PL_ODD_NO_VERIFY)
		return; /* never answered */
	event.addresses_good = addresses(element, from, to);
	length = pl_xml_text(element, key, sizeof key);
	event.key_present = length > 0 && length <= 1024;
	event.to_hosted = world->host(world->site, to, NULL);
	event.from_local = world->host(world->site, from, NULL);
	pair = pair_for_request(stream, to, from, &full);
	if (pair == NULL)
		return;
	event.over_limit = full;
	if (pair->state.phase == PL_PAIR_FAILED) {
		pair->began_ms = pl_loop_now_ms(world->loop);
		pair_words(pair, NULL);
	}
	if (stream->tls != NULL && event.addresses_good)
		pl_tls_judge(stream->tls, from,
			     pl_loop_time(world->loop).tv_sec, &verdict);
	if (stream->tls != NULL && event.addresses_good &&
	    strcmp(from, stream->remote) != 0)
		record_judged(stream, from, &verdict);
	event.certificate = verdict.certificate;
	pair_event(pair, &event);
	if ((full || !event.addresses_good) && pair != stream->header_pair)
		drop_pair(stream, pair);
	stream_touch(stream);
}

/* The words of a dialback error, for the log. */
static enum pl_stanza_condition error_words(struct pl_pair *pair,
					    const struct pl_xml_node *element)
{
	const struct pl_xml_node *error, *child, *condition = NULL;
	char text[256] = "", words[400];

	error = pl_xml_child(element, "error", PL_NS_SERVER);
	if (error == NULL) /* some declare another namespace here */
		error = pl_xml_first_element(element);
	for (child = pl_xml_first_element(error); child != NULL;
	     child = pl_xml_next_element(child)) {
		if (strcmp(child->ns, PL_NS_STANZA_ERROR) != 0)
			continue;
		if (strcmp(child->name, "text") == 0)
			pl_xml_text(child, text, sizeof text);
		else if (condition == NULL)
			condition = child;
	}
	snprintf(words, sizeof words, "dialback error %.100s%s%s",
		 condition ? condition->name : "without condition",
		 text[0] ? ": " : "", text);
	pair_words(pair, words);
	return pl_stanza_condition_parse(condition ? condition->name : "");
}

static void take_result_answer(struct pl_stream *stream,
			       const struct pl_xml_node *element)
{
	const char *type = pl_xml_attribute(element, "type");
	char from[PL_DOMAIN_SIZE], to[PL_DOMAIN_SIZE];
	struct pl_pair_event event = { .kind = PL_PE_RESULT_ERROR };
	struct pl_pair *pair = NULL;

	if (addresses(element, from, to))
		pair = pair_find(stream, PL_INITIATING, to, from);
	if (pair == NULL) {
		dialback_unsolicited(stream, "db:result");
		return;
	}
	if (strcmp(type, "valid") == 0)
		event.kind = PL_PE_RESULT_VALID;
	else if (strcmp(type, "invalid") == 0)
		event.kind = PL_PE_RESULT_INVALID;
	else if (strcmp(type, "error") == 0)
		event.condition = error_words(pair, element);
	else {
		dialback_unsolicited(stream, "db:result");
		return;
	}
	pair_event(pair, &event);
}

/* ----- db:verify ----- */

static void take_verify_request(struct pl_stream *stream,
				const struct pl_xml_node *element)
{
	struct pl_world *world = stream->world;
	enum pl_stanza_condition condition = PL_SC_NONE;
	const char *id = pl_xml_attribute(element, "id");
	char from[PL_DOMAIN_SIZE], to[PL_DOMAIN_SIZE], key[1100];
	struct pl_partner_view view;
	enum pl_verify_answer answer;
	size_t length;
	bool matches;

	if (!addresses(element, from, to) || id == NULL ||
	    strlen(id) > STREAM_ID_LIMIT) {
		dialback_unsolicited(stream, "db:verify");
		return;
	}
	if (++stream->verifies > STREAM_VERIFIES) {
		stream_words(stream, "more than %d db:verify on one stream",
			     STREAM_VERIFIES);
		stream_event(stream, &(struct pl_stream_event){
			.kind = PL_EV_FAULT, .fault = PL_FAULT_LIMIT });
		return;
	}
	if (world->odd & PL_ODD_NO_VERIFY)
		return; /* never answered */
	length = pl_xml_text(element, key, sizeof key);
	matches = length < sizeof key &&
		  pl_dialback_check(world->dialback, from, to, id, key,
				    length);
	world->partner(world->site, to, from, &view);
	answer = pl_authority_answer(&view.terms,
				     world->host(world->site, to, NULL),
				     matches, &condition);
	write_verify_answer(stream, to, from, id, answer, condition);
	stream_touch(stream);
}

static void take_verify_answer(struct pl_stream *stream,
			       const struct pl_xml_node *element)
{
	const char *type = pl_xml_attribute(element, "type");
	const char *id = pl_xml_attribute(element, "id");
	enum pl_pair_event_kind kind = PL_PE_VERIFY_ERROR;
	char from[PL_DOMAIN_SIZE], to[PL_DOMAIN_SIZE];

	if (strcmp(type, "valid") == 0)
		kind = PL_PE_VERIFY_VALID;
	else if (strcmp(type, "invalid") == 0)
		kind = PL_PE_VERIFY_INVALID;
	else if (strcmp(type, "error") != 0)
		id = NULL; /* not a type: no answer to anything */
	if (id == NULL || !addresses(element, from, to) ||
	    !stream->events->on_verify_answer(stream->owner, stream, from, to,
					      id, kind))
		dialback_unsolicited(stream, "db:verify");
}

void dialback_take(struct pl_stream *stream, const struct pl_xml_node *element)
{
	enum pl_dialback_kind kind;

	if (element == NULL || !dialback_kind(element, &kind))
		return;
	switch (kind) {
	case PL_DB_RESULT_REQUEST: take_result_request(stream, element); break;
	case PL_DB_RESULT_ANSWER: take_result_answer(stream, element); break;
	case PL_DB_VERIFY_REQUEST: take_verify_request(stream, element); break;
	case PL_DB_VERIFY_ANSWER: take_verify_answer(stream, element); break;
	}
}
