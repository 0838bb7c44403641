/*
 * Headers, elements and closing tags in the trace, with the very bytes that they
 * were. They are told alike in both directions: what came is shown by the
 * stream's parser, and what we wrote is read again by one that the tracer keeps.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* An element, a header or a closing tag, and the bytes that it was. */
struct sight {
	enum pl_trace_dir dir;
	const unsigned char *bytes; /* the first of them; NULL: not at hand */
	size_t length;              /* at hand */
	size_t total;
};

static const char *arrow(enum pl_trace_dir dir)
{
	return dir == PL_DIR_OUT ? "sent" : "came";
}

/* ----- the bytes of what comes ----- */

void record_new_document(struct pl_stream *stream)
{
	struct stream_came *came = &stream->came;

	pl_buffer_wipe(&came->kept); /* there may be keys in it */
	memset(came, 0, sizeof *came);
}

void record_feed(struct pl_stream *stream, const unsigned char *bytes)
{
	if (stream->world->tracer != NULL)
		stream->came.feed = bytes;
}

static bool is_white(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Keeps what was fed and not shown, as much as a record shows. */
static void keep(struct stream_came *came, size_t from, size_t to)
{
	size_t room;

	if (from < came->feed_at)
		from = came->feed_at;
	if (came->kept.length < PL_TRACE_RAW_BYTES &&
	    came->kept_at + came->kept.length != from)
		pl_buffer_consume(&came->kept, came->kept.length); /* a gap */
	if (came->kept.length == 0) {
		while (from < to && is_white(came->feed[from - came->feed_at]))
			from++;
		came->kept_at = from;
	}
	room = PL_TRACE_RAW_BYTES - came->kept.length;
	if (to - from < room)
		room = to - from;
	pl_buffer_append(&came->kept, came->feed + (from - came->feed_at),
			 room);
}

void record_fed(struct pl_stream *stream, size_t used)
{
	struct stream_came *came = &stream->came;
	size_t at = came->feed_at + used;

	if (stream->world->tracer == NULL)
		return;
	if (came->shown < at && !record_is_off(stream))
		keep(came, came->shown, at);
	came->feed_at = at;
	came->feed = NULL;
}

/* The bytes from `start` to the parser's position, or their beginning. */
static void look(struct pl_stream *stream, size_t start, struct sight *sight)
{
	struct stream_came *came = &stream->came;
	size_t position = pl_xml_position(stream->parser);
	size_t kept_to = came->kept_at + came->kept.length;

	sight->dir = PL_DIR_IN;
	sight->total = position > start ? position - start : 0;
	came->shown = position;
	if (came->feed == NULL || sight->total == 0)
		return;
	if (start >= came->feed_at) {
		sight->bytes = came->feed + (start - came->feed_at);
		sight->length = sight->total;
		return;
	}
	if (came->kept.length == 0 || start < came->kept_at ||
	    start >= kept_to)
		return;
	/* What was kept, and behind it the first of this feed. */
	if (kept_to == came->feed_at && position > came->feed_at)
		keep(came, came->feed_at, position);
	sight->bytes = pl_buffer_bytes(&came->kept) + (start - came->kept_at);
	sight->length = came->kept.length - (start - came->kept_at);
	if (sight->length > sight->total)
		sight->length = sight->total;
}

static void seen(struct pl_stream *stream)
{
	struct pl_buffer *kept = &stream->came.kept;

	if (kept->length == 0)
		return;
	pl_wipe((void *)pl_buffer_bytes(kept), kept->length);
	pl_buffer_consume(kept, kept->length);
	pl_buffer_trim(kept);
}

static void skip_white(struct sight *sight)
{
	while (sight->length > 0 && is_white(*sight->bytes)) {
		sight->bytes++;
		sight->length--;
		sight->total--;
	}
}

static void add_raw(struct pl_stream *stream, const struct sight *sight,
		    enum pl_trace_mask mask)
{
	if (sight->bytes != NULL)
		pl_trace_raw(stream->traced, sight->bytes, sight->length, mask);
	if (sight->bytes == NULL || sight->length < sight->total)
		pl_trace_length(stream->traced, sight->total);
}

/* ----- elements ----- */

static enum pl_trace_mask text_mask(const struct pl_xml_node *element)
{
	char text[2];

	return pl_xml_text(element, text, sizeof text) > 0 ? PL_MASK_TEXT
							   : PL_MASK_NOTHING;
}

static void show_plain(struct pl_stream *stream, const struct sight *sight,
		       enum pl_stage stage, const char *verb)
{
	record_begin(stream, sight->dir, stage, verb);
	pl_trace_summary(stream->traced, "<%s> %s", verb, arrow(sight->dir));
	add_raw(stream, sight, PL_MASK_NOTHING);
	record_end(stream);
}

/* The first child of a namespace that is no <text/>, and that text. */
static const char *read_condition(const struct pl_xml_node *element,
				  const char *ns, char *text, size_t size)
{
	const struct pl_xml_node *child;
	const char *condition = NULL;

	text[0] = '\0';
	for (child = pl_xml_first_element(element); child != NULL;
	     child = pl_xml_next_element(child)) {
		if (strcmp(child->ns, ns) != 0)
			continue;
		if (strcmp(child->name, "text") == 0)
			pl_xml_text(child, text, size);
		else if (condition == NULL)
			condition = child->name;
	}
	return condition;
}

static void show_condition(struct pl_stream *stream, const struct sight *sight,
			   enum pl_stage stage, const char *verb,
			   const struct pl_xml_node *element, const char *ns)
{
	char text[512];
	const char *condition = read_condition(element, ns, text, sizeof text);

	record_begin(stream, sight->dir, stage, verb);
	pl_trace_level(stream->traced, PL_LOG_WARNING);
	pl_trace_text(stream->traced, "condition", condition);
	pl_trace_text(stream->traced, "text", text[0] ? text : NULL);
	pl_trace_summary(stream->traced, "%s %s%s%s",
			 condition ? condition : "without condition",
			 arrow(sight->dir), text[0] ? ": " : "", text);
	add_raw(stream, sight, text_mask(element));
	record_end(stream);
}

struct offer {
	const struct pl_xml_node *starttls, *mechanisms, *dialback;
};

static bool is_known_feature(const struct pl_xml_node *child,
			     struct offer *offer)
{
	if (pl_xml_is(child, "starttls", PL_NS_TLS))
		offer->starttls = child;
	else if (pl_xml_is(child, "mechanisms", PL_NS_SASL))
		offer->mechanisms = child;
	else if (pl_xml_is(child, "dialback", PL_NS_DIALBACK_FEATURE))
		offer->dialback = child;
	else
		return false;
	return true;
}

static void add_mechanisms(struct pl_traced *traced,
			   const struct pl_xml_node *mechanisms)
{
	const struct pl_xml_node *child;
	char name[64];

	pl_trace_array(traced, "mechanisms");
	for (child = pl_xml_first_element(mechanisms); child != NULL;
	     child = pl_xml_next_element(child)) {
		if (!pl_xml_is(child, "mechanism", PL_NS_SASL))
			continue;
		pl_xml_text(child, name, sizeof name);
		pl_trace_text(traced, NULL, name);
	}
	pl_trace_close(traced);
}

static void show_features(struct pl_stream *stream, const struct sight *sight,
			  const struct pl_xml_node *features)
{
	struct pl_traced *traced = stream->traced;
	struct offer offer = { NULL, NULL, NULL }, unused;
	const struct pl_xml_node *child;

	for (child = pl_xml_first_element(features); child != NULL;
	     child = pl_xml_next_element(child))
		is_known_feature(child, &offer);
	record_begin(stream, sight->dir, PL_STAGE_FEATURES, "offer");
	pl_trace_bool(traced, "starttls", offer.starttls != NULL);
	pl_trace_bool(traced, "required",
		      pl_xml_child(offer.starttls, "required", PL_NS_TLS));
	add_mechanisms(traced, offer.mechanisms);
	pl_trace_bool(traced, "dialback", offer.dialback != NULL);
	pl_trace_bool(traced, "errors", pl_xml_child(offer.dialback, "errors",
						     PL_NS_DIALBACK_FEATURE));
	pl_trace_array(traced, "others");
	for (child = pl_xml_first_element(features); child != NULL;
	     child = pl_xml_next_element(child)) {
		if (is_known_feature(child, &unused))
			continue;
		pl_trace_object(traced, NULL);
		pl_trace_text(traced, "name", child->name);
		pl_trace_text(traced, "ns", child->ns);
		pl_trace_close(traced);
	}
	pl_trace_close(traced);
	pl_trace_summary(traced, "features:%s%s%s%s",
			 offer.starttls ? " starttls" : "",
			 offer.mechanisms ? " sasl" : "",
			 offer.dialback ? " dialback" : "",
			 pl_xml_first_element(features) ? "" : " none");
	add_raw(stream, sight, PL_MASK_NOTHING);
	record_end(stream);
}

/* <auth/> and <response/>: EXTERNAL has nothing to hide, and the text of any
 * other mechanism is a secret. Only EXTERNAL is ever begun here. */
static void show_auth(struct pl_stream *stream, const struct sight *sight,
		      const struct pl_xml_node *element)
{
	bool auth = strcmp(element->name, "auth") == 0;
	const char *mechanism = auth ? pl_xml_attribute(element, "mechanism")
				     : "EXTERNAL";
	bool external = auth ? mechanism != NULL &&
			       strcmp(mechanism, "EXTERNAL") == 0
			     : sight->dir == PL_DIR_OUT ||
			       stream->core.phase == PL_AWAIT_RESPONSE;
	char body[PL_SASL_BODY_LIMIT + 2], authzid[PL_DOMAIN_SIZE + 16] = "";
	size_t length = pl_xml_text(element, body, sizeof body);
	bool known = external && length < sizeof body &&
		     pl_sasl_authzid(body, length, authzid, sizeof authzid);

	record_begin(stream, sight->dir, PL_STAGE_SASL, auth ? "auth" : "response");
	pl_trace_text(stream->traced, "mech",
		      auth || external ? mechanism : NULL);
	pl_trace_text(stream->traced, "authzid", known ? authzid : NULL);
	pl_trace_summary(stream->traced, "%s %s%s%s",
			 mechanism ? mechanism : "no mechanism",
			 arrow(sight->dir), known ? " as " : "", authzid);
	add_raw(stream, sight, external ? PL_MASK_NOTHING : PL_MASK_TEXT);
	record_end(stream);
	pl_wipe(body, sizeof body);
}

static void show_success(struct pl_stream *stream, const struct sight *sight,
			 const struct pl_xml_node *element)
{
	record_begin(stream, sight->dir, PL_STAGE_SASL, "success");
	pl_trace_text(stream->traced, "mech", "EXTERNAL");
	pl_trace_text(stream->traced, "authzid", sight->dir == PL_DIR_OUT
			      ? stream->remote : stream->local);
	pl_trace_summary(stream->traced, "EXTERNAL accepted");
	add_raw(stream, sight, text_mask(element));
	record_end(stream);
}

static void show_sasl(struct pl_stream *stream, const struct sight *sight,
		      const struct pl_xml_node *element)
{
	if (strcmp(element->name, "auth") == 0 ||
	    strcmp(element->name, "response") == 0) {
		show_auth(stream, sight, element);
	} else if (strcmp(element->name, "success") == 0) {
		show_success(stream, sight, element);
	} else if (strcmp(element->name, "failure") == 0) {
		show_condition(stream, sight, PL_STAGE_SASL, "failure", element,
			       PL_NS_SASL);
	} else {
		record_begin(stream, sight->dir, PL_STAGE_SASL, element->name);
		pl_trace_summary(stream->traced, "<%s> %s", element->name,
				 arrow(sight->dir));
		add_raw(stream, sight, text_mask(element));
		record_end(stream);
	}
}

static void show_dialback(struct pl_stream *stream, const struct sight *sight,
			  const struct pl_xml_node *element)
{
	const char *type = pl_xml_attribute(element, "type");
	const char *condition = NULL;
	struct pl_traced *traced = stream->traced;
	const struct pl_xml_node *error;
	char key[1100], text[256];

	pl_xml_text(element, key, sizeof key);
	error = pl_xml_child(element, "error", PL_NS_SERVER);
	if (error == NULL)
		error = pl_xml_first_element(element);
	if (error != NULL)
		condition = read_condition(error, PL_NS_STANZA_ERROR, text,
					   sizeof text);
	record_begin(stream, sight->dir, PL_STAGE_DIALBACK, element->name);
	if (type == NULL && key[0] != '\0')
		pl_trace_key(traced, NULL, key); /* attributes may hold it */
	pl_trace_text(traced, "from", pl_xml_attribute(element, "from"));
	pl_trace_text(traced, "to", pl_xml_attribute(element, "to"));
	pl_trace_text(traced, "id", pl_xml_attribute(element, "id"));
	if (type == NULL && key[0] != '\0')
		pl_trace_key(traced, "key", key);
	pl_trace_text(traced, "type", type);
	pl_trace_text(traced, "condition", condition);
	if (type != NULL && strcmp(type, "valid") != 0)
		pl_trace_level(traced, PL_LOG_WARNING);
	pl_trace_summary(traced, "db:%s %s%s%s %s", element->name,
			 type ? type : "request", condition ? " " : "",
			 condition ? condition : "", arrow(sight->dir));
	add_raw(stream, sight, type == NULL ? PL_MASK_TEXT
					    : text_mask(element));
	record_end(stream);
	pl_wipe(key, sizeof key);
}

/* The domain of an address, for the trace; the address as it is where it has
 * none that could be told. */
static const char *domain_of(const char *address, char out[PL_DOMAIN_SIZE])
{
	if (address == NULL || !pl_addr_jid_domain(address, strlen(address),
						   out, NULL))
		return NULL;
	return out;
}

static void show_stanza(struct pl_stream *stream, const struct sight *sight,
			const struct pl_xml_node *stanza)
{
	char from[PL_DOMAIN_SIZE], to[PL_DOMAIN_SIZE];

	record_begin(stream, sight->dir, PL_STAGE_STANZA, "seen");
	pl_trace_text(stream->traced, "kind", stanza->name);
	pl_trace_text(stream->traced, "from",
		      domain_of(pl_xml_attribute(stanza, "from"), from));
	pl_trace_text(stream->traced, "to",
		      domain_of(pl_xml_attribute(stanza, "to"), to));
	pl_trace_text(stream->traced, "type",
		      pl_xml_attribute(stanza, "type"));
	pl_trace_summary(stream->traced, "<%s> %s", stanza->name,
			 arrow(sight->dir));
	add_raw(stream, sight, PL_MASK_STANZA);
	record_end(stream);
}

static void show_other(struct pl_stream *stream, const struct sight *sight,
		       const struct pl_xml_node *element)
{
	record_begin(stream, sight->dir, PL_STAGE_STREAM, "element");
	pl_trace_text(stream->traced, "name", element->name);
	pl_trace_text(stream->traced, "ns", element->ns);
	pl_trace_summary(stream->traced, "<%s> %s", element->name,
			 arrow(sight->dir));
	add_raw(stream, sight, strcmp(element->ns, PL_NS_DIALBACK) == 0
			       ? text_mask(element) : PL_MASK_NOTHING);
	record_end(stream);
}

static bool is_starttls(const struct pl_xml_node *element, const char **verb)
{
	static const char *const verbs[][2] = {
		{ "starttls", "request" },
		{ "proceed", "proceed" },
		{ "failure", "failure" },
	};

	for (size_t i = 0; i < 3; i++)
		if (pl_xml_is(element, verbs[i][0], PL_NS_TLS)) {
			*verb = verbs[i][1];
			return true;
		}
	return false;
}

static bool is_sasl(const struct pl_xml_node *element)
{
	static const char *const names[] = { "auth", "challenge", "response",
					     "success", "failure", "abort" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (pl_xml_is(element, names[i], PL_NS_SASL))
			return true;
	return false;
}

static bool is_stanza(const struct pl_xml_node *element)
{
	return pl_xml_is(element, "message", PL_NS_SERVER) ||
	       pl_xml_is(element, "presence", PL_NS_SERVER) ||
	       pl_xml_is(element, "iq", PL_NS_SERVER);
}

static void show_element(struct pl_stream *stream, const struct sight *sight,
			 const struct pl_xml_node *element)
{
	enum pl_dialback_kind kind;
	const char *verb;

	if (is_starttls(element, &verb))
		show_plain(stream, sight, PL_STAGE_STARTTLS, verb);
	else if (is_sasl(element))
		show_sasl(stream, sight, element);
	else if (dialback_kind(element, &kind))
		show_dialback(stream, sight, element);
	else if (pl_xml_is(element, "features", PL_NS_STREAM))
		show_features(stream, sight, element);
	else if (pl_xml_is(element, "error", PL_NS_STREAM))
		show_condition(stream, sight, PL_STAGE_ERROR, "stream",
			       element, PL_NS_STREAM_ERROR);
	else if (is_stanza(element))
		show_stanza(stream, sight, element);
	else
		show_other(stream, sight, element);
}

static void show_header(struct pl_stream *stream, const struct sight *sight,
			const struct pl_xml_header *header)
{
	struct pl_traced *traced = stream->traced;

	record_begin(stream, sight->dir, PL_STAGE_STREAM, "header");
	pl_trace_text(traced, "to", header->to);
	pl_trace_text(traced, "from", header->from);
	pl_trace_text(traced, "id", header->id);
	pl_trace_text(traced, "version", header->version);
	pl_trace_bool(traced, "dialback", header->declares_dialback);
	pl_trace_summary(traced, "<stream> %s%s%s", arrow(sight->dir),
			 header->to ? " to " : "",
			 header->to ? header->to : "");
	add_raw(stream, sight, PL_MASK_NOTHING);
	record_end(stream);
}

/* ----- what came ----- */

void record_header(struct pl_stream *stream, const struct pl_xml_header *header)
{
	struct sight sight = { .dir = PL_DIR_IN };

	if (record_is_off(stream))
		return;
	look(stream, stream->came.kept.length > 0 ? stream->came.kept_at : 0,
	     &sight);
	skip_white(&sight);
	show_header(stream, &sight, header);
	seen(stream);
}

void record_element(struct pl_stream *stream, const struct pl_xml_node *element,
		    size_t bytes)
{
	struct sight sight = { .dir = PL_DIR_IN };

	record_request(stream, element);
	if (record_is_off(stream))
		return;
	stream->untraced = is_stanza(element) &&
			   !pl_trace_stanza(stream->traced);
	look(stream, pl_xml_position(stream->parser) - bytes, &sight);
	if (!stream->untraced)
		show_element(stream, &sight, element);
	seen(stream);
}

void record_close(struct pl_stream *stream)
{
	struct sight sight = { .dir = PL_DIR_IN };
	const unsigned char *tag;

	if (record_is_off(stream))
		return;
	look(stream, stream->came.kept.length > 0 ? stream->came.kept_at
						  : stream->came.shown, &sight);
	/* White space may stand before it, as references too. */
	tag = sight.bytes != NULL ? memrchr(sight.bytes, '<', sight.length)
				  : NULL;
	if (tag != NULL) {
		sight.length -= (size_t)(tag - sight.bytes);
		sight.total = sight.length;
		sight.bytes = tag;
	}
	show_plain(stream, &sight, PL_STAGE_CLOSE, "stream");
	seen(stream);
}

/* ----- what we wrote ----- */

/* What the writers' output stands in; odd peers have prefixes of their own. */
static const char document[] =
	"<stream:stream xmlns='" PL_NS_SERVER "' xmlns:stream='" PL_NS_STREAM
	"' xmlns:db='" PL_NS_DIALBACK "' xmlns:st='" PL_NS_STREAM
	"' xmlns:dial.back='" PL_NS_DIALBACK "'>";

/* No element of ours has more; one of a service may. */
enum { READER_BYTES = 64 * 1024 * 1024, READER_BYTES_KEPT = 8192 };

/* Reads what we write, one element after the other, whatever stream they are
 * for; kept with the tracer. */
struct reader {
	struct pl_xml_parser *parser; /* within its document */
	struct pl_stream *stream;     /* whose element is read; else NULL */
	struct sight sight;
};

static bool on_document(void *owner, const struct pl_xml_header *header)
{
	(void)owner;
	(void)header;
	return true;
}

static bool on_written_element(void *owner, const struct pl_xml_node *element,
			       size_t bytes)
{
	struct reader *reader = owner;

	(void)bytes;
	show_element(reader->stream, &reader->sight, element);
	return true;
}

static bool on_document_end(void *owner)
{
	(void)owner;
	return true;
}

static const struct pl_xml_events reader_events = {
	on_document, on_written_element, on_document_end,
};

static void free_reader(void *kept)
{
	struct reader *reader = kept;

	pl_xml_free(reader->parser);
	free(reader);
}

/* NULL: memory is out. One that stumbled begins anew. */
static struct reader *find_reader(struct pl_tracer *tracer)
{
	struct pl_xml_limits limits = pl_xml_limits_after(READER_BYTES);
	void **kept = pl_tracer_keep(tracer, free_reader);
	struct reader *reader = *kept;

	if (reader == NULL)
		reader = *kept = pl_calloc(1, sizeof *reader);
	if (reader->parser != NULL &&
	    pl_xml_fault(reader->parser) == PL_XML_NO_FAULT)
		return reader;
	pl_xml_free(reader->parser);
	reader->parser = pl_xml_new(PL_NS_SERVER, &limits, &reader_events,
				    reader);
	if (reader->parser == NULL)
		return NULL;
	pl_xml_feed(reader->parser, document, sizeof document - 1);
	return reader;
}

static bool begins(const struct sight *sight, const char *text)
{
	return sight->length >= strlen(text) &&
	       memcmp(sight->bytes, text, strlen(text)) == 0;
}

static bool begins_stanza(const struct sight *sight)
{
	return begins(sight, "<message") || begins(sight, "<presence") ||
	       begins(sight, "<iq");
}

/* The output from there on; false: there is nothing to record. */
static bool see_written(struct pl_stream *stream, size_t from,
			struct sight *sight)
{
	if (record_is_off(stream) || stream->out.length <= from)
		return false;
	sight->dir = PL_DIR_OUT;
	sight->bytes = pl_buffer_bytes(&stream->out) + from;
	sight->length = sight->total = stream->out.length - from;
	skip_white(sight);
	return true;
}

void record_written(struct pl_stream *stream, size_t from)
{
	struct sight sight;
	struct reader *reader;

	if (!see_written(stream, from, &sight))
		return;
	if (begins(&sight, "</")) {
		show_plain(stream, &sight, PL_STAGE_CLOSE, "stream");
		return;
	}
	if (begins_stanza(&sight) && !pl_trace_stanza(stream->traced))
		return;
	reader = find_reader(stream->world->tracer);
	if (reader == NULL)
		return;
	reader->stream = stream;
	reader->sight = sight;
	pl_xml_feed(reader->parser, sight.bytes, sight.length);
	reader->stream = NULL;
	if (sight.length > READER_BYTES_KEPT)
		pl_xml_rest(reader->parser); /* it grew */
}

void record_written_header(struct pl_stream *stream, size_t from,
			   const struct pl_xml_open *open)
{
	const struct pl_xml_header header = {
		.to = open->to, .from = open->from, .id = open->id,
		.version = open->version, .lang = open->lang,
		.declares_dialback = true, /* pl_xml_write_header() */
	};
	struct sight sight;

	if (see_written(stream, from, &sight))
		show_header(stream, &sight, &header);
}
