/*
 * Traces for sending on: what tells who is who is taken out, what tells what
 * happened stays. Nothing is kept because it looks harmless: a detail stays
 * where its key is known to hold a word of the protocol, a number or a flag.
 *
 *     domain            name1.example, and its hosts h2.name1.example
 *     address           198.18.0.1, 2001:db8::1; the port stays
 *     stream id         id1
 *     fingerprint       print1
 *     texts, stanzas    [removed]
 *
 * The same name has the same pseudonym everywhere in one output.
 */
#include "internal.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REMOVED "[removed]"

enum { NAME = 300 };

struct names {
	json_t *known; /* owned: "kind:text" -> pseudonym */
	unsigned domains, hosts, four, six, ids, prints;
};

/* ----- pseudonyms ----- */

static const char *recall(const struct names *n, char kind, const char *text,
			  char key[NAME + 2])
{
	size_t i;

	key[0] = kind;
	for (i = 0; text[i] != '\0' && i < NAME; i++)
		key[i + 1] = (char)tolower((unsigned char)text[i]);
	key[i + 1] = '\0';
	/* A cut in a character would be no UTF-8. */
	while (i > 0 && i == NAME && ((unsigned char)key[i] & 0xc0) == 0x80)
		key[i--] = '\0';
	if (i > 0 && (unsigned char)key[i] >= 0xc0)
		key[i] = '\0';
	return json_string_value(json_object_get(n->known, key));
}

static const char *remember(struct names *n, const char *key,
			    const char *pseudonym)
{
	const char *kept;

	json_object_set_new(n->known, key, json_string(pseudonym));
	kept = json_string_value(json_object_get(n->known, key));
	return kept != NULL ? kept : REMOVED;
}

/* Behind the first dot, if that is a known domain. */
static const char *domain_of(const struct names *n, const char *name)
{
	const char *dot = strchr(name, '.');
	char key[NAME + 2];

	return dot != NULL ? recall(n, 'n', dot + 1, key) : NULL;
}

static const char *name_for(struct names *n, const char *name)
{
	char key[NAME + 2], made[NAME];
	const char *known = recall(n, 'n', name, key);
	const char *domain;

	if (known != NULL || name[0] == '\0' || strcmp(name, "?") == 0)
		return known != NULL ? known : name;
	domain = domain_of(n, name);
	if (name[0] == '*' && name[1] == '.')
		snprintf(made, sizeof made, "*.%.200s",
			 domain != NULL ? domain : name_for(n, name + 2));
	else if (domain != NULL)
		snprintf(made, sizeof made, "h%u.%.200s", ++n->hosts, domain);
	else
		snprintf(made, sizeof made, "name%u.example", ++n->domains);
	return remember(n, key, made);
}

static const char *numbered(struct names *n, char kind, const char *word,
			    unsigned *counter, const char *text)
{
	char key[NAME + 2], made[64];
	const char *known = recall(n, kind, text, key);

	if (known != NULL || text[0] == '\0')
		return known != NULL ? known : text;
	snprintf(made, sizeof made, "%s%u", word, ++*counter);
	return remember(n, key, made);
}

/* An address without its port; NULL: it is none. */
static const char *address_for(struct names *n, const char *text)
{
	unsigned char bytes[16];
	char key[NAME + 2], made[64];
	const char *known = recall(n, 'a', text, key);
	bool four = inet_pton(AF_INET, text, bytes) == 1;

	if (known != NULL)
		return known;
	n->four += four;
	if (four)
		snprintf(made, sizeof made, "198.%u.%u.%u",
			 18 + (n->four >> 16 & 1), n->four >> 8 & 255,
			 n->four & 255);
	else if (inet_pton(AF_INET6, text, bytes) == 1)
		snprintf(made, sizeof made, "2001:db8::%x", ++n->six);
	else
		return NULL;
	return remember(n, key, made);
}

/* "192.0.2.1:5269", "[2001:db8::1]:5269", or without the port. */
static bool endpoint(struct names *n, const char *text, char *out, size_t size)
{
	char host[64];
	const char *colon = strrchr(text, ':'), *made;
	const char *begin = text + (text[0] == '[');
	size_t length = strlen(begin);

	made = address_for(n, text);
	if (made != NULL) {
		snprintf(out, size, "%s", made);
		return true;
	}
	if (colon != NULL && colon >= begin)
		length = (size_t)(colon - begin) - (colon[-1] == ']');
	if (colon == NULL || colon == text || length >= sizeof host ||
	    strspn(colon + 1, "0123456789") != strlen(colon + 1))
		return false;
	memcpy(host, begin, length);
	host[length] = '\0';
	made = address_for(n, host);
	if (made == NULL)
		return false;
	snprintf(out, size, text[0] == '[' ? "[%s]%s" : "%s%s", made, colon);
	return true;
}

/* ----- words ----- */

static bool is_word(const char *text)
{
	size_t length = strlen(text);

	return length > 0 && length <= 80 &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWX"
			    "YZ0123456789-_+.") == length;
}

/* A word of the protocol, which is not a name at the same time, or a verdict on
 * a certificate. */
static const char *word(const struct names *n, const char *text)
{
	char key[NAME + 2];

	for (int i = 0; i < PL_CERTS; i++)
		if (strcmp(text, pl_certificate_name((enum pl_certificate)i)) ==
		    0)
			return text;
	if (strcmp(text, "valid/dane") == 0 || *text == '\0')
		return text;
	return is_word(text) && recall(n, 'n', text, key) == NULL ? text
								  : REMOVED;
}

static const char *namespace_of(const char *text)
{
	static const char *const good[] = { "urn:ietf:", "urn:xmpp:", "jabber:",
		"http://jabber.org/", "http://etherx.jabber.org/" };

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		if (strncmp(text, good[i], strlen(good[i])) == 0 &&
		    strlen(text) <= 80 && strpbrk(text, "<>&'\" ") == NULL)
			return text;
	return *text == '\0' ? text : REMOVED;
}

static bool is_key(const char *text)
{
	return strlen(text) == 10 && strncmp(text, "[key#", 5) == 0 &&
	       strspn(text + 5, "0123456789abcdef") == 4 && text[9] == ']';
}

/* The domain of an address of XMPP. */
static const char *jid_for(struct names *n, const char *jid)
{
	const char *at = strchr(jid, '@');
	char domain[NAME];

	snprintf(domain, sizeof domain, "%.*s",
		 (int)strcspn(at != NULL ? at + 1 : jid, "/"),
		 at != NULL ? at + 1 : jid);
	return name_for(n, domain);
}

/* ----- sentences of ours ----- */

static bool in_run(char c)
{
	return isalnum((unsigned char)c) || strchr(".-_:%[]*", c) != NULL ||
	       (unsigned char)c >= 0x80;
}

/* "1.3", "TLSv1.3", "0.1.0": dots that make no name. */
static bool is_version(const char *run)
{
	run += strspn(run, "TLSv");
	return *run != '\0' && strspn(run, "0123456789.") == strlen(run);
}

/* One run of letters that may be a name, alone or between colons. */
static void clean_part(struct names *n, char *part, struct pl_buffer *out)
{
	char key[NAME + 2];
	size_t length = strlen(part), tail = 0;

	while (tail < length && strchr(".-", part[length - 1 - tail]) != NULL)
		tail++;
	part[length - tail] = '\0';
	if (recall(n, 'n', part, key) != NULL ||
	    (strchr(part, '.') != NULL && !is_version(part)))
		pl_buffer_text(out, name_for(n, part));
	else
		pl_buffer_text(out, part);
	part[length - tail] = tail > 0 ? '.' : '\0';
	pl_buffer_append(out, part + length - tail, tail > 0);
}

static void clean_run(struct names *n, char *run, struct pl_buffer *out)
{
	char made[100], *rest = run, *part;
	const char *colon = "";

	if (is_key(run)) {
		pl_buffer_text(out, run);
		return;
	}
	if (endpoint(n, run, made, sizeof made)) {
		pl_buffer_text(out, made);
		return;
	}
	while ((part = strsep(&rest, ":[]%")) != NULL) {
		pl_buffer_text(out, colon);
		clean_part(n, part, out);
		colon = ":";
	}
}

/* Names and addresses become pseudonyms; what stands in quotes, and a name
 * before '@', is gone. */
static void clean(struct names *n, const char *text, struct pl_buffer *out)
{
	char run[NAME];

	while (*text != '\0') {
		size_t length = 0;

		if (*text == '"') {
			const char *end = strchr(text + 1, '"');

			pl_buffer_text(out, "\"" REMOVED "\"");
			text = end != NULL ? end + 1 : text + strlen(text);
			continue;
		}
		while (in_run(text[length]) && text[length] != '\0')
			length++;
		if (length == 0) {
			pl_buffer_append(out, text++, 1);
			continue;
		}
		snprintf(run, sizeof run, "%.*s", (int)length, text);
		text += length;
		if (length >= sizeof run || *text == '@')
			pl_buffer_text(out, REMOVED);
		else
			clean_run(n, run, out);
	}
}

static json_t *json_clean(struct names *n, const char *text)
{
	struct pl_buffer out;
	json_t *json;

	pl_buffer_init(&out, 65536);
	clean(n, text, &out);
	json = json_stringn((const char *)pl_buffer_bytes(&out), out.length);
	pl_buffer_finish(&out);
	return json != NULL ? json : json_string(REMOVED);
}

/* ----- elements ----- */

static void put(struct pl_buffer *out, const char *text)
{
	pl_buffer_text(out, text);
}

static const char *attribute_for(struct names *n, const char *name,
				 const char *value)
{
	static const char *const words[] = { "type", "version", "mechanism",
					     "xml:lang" };

	if (strncmp(name, "xmlns", 5) == 0)
		return namespace_of(value);
	if (strcmp(name, "from") == 0 || strcmp(name, "to") == 0)
		return jid_for(n, value);
	if (strcmp(name, "id") == 0)
		return numbered(n, 'i', "id", &n->ids, value);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(name, words[i]) == 0)
			return word(n, value);
	return REMOVED;
}

/* Copies a piece of at most NAME bytes. */
static const char *piece(char out[NAME], const char *text, size_t length)
{
	snprintf(out, NAME, "%.*s", (int)(length < NAME ? length : NAME - 1),
		 text);
	return out;
}

static const char *attribute_name(const char *name)
{
	static const char *const known[] = { "xmlns", "xmlns:stream",
		"xmlns:db", "from", "to", "id", "type", "version", "mechanism",
		"xml:lang" };

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(name, known[i]) == 0)
			return name;
	return "x";
}

/* Elements that the standards name in a negotiation; others are x. */
static const char *element_for(const char *name)
{
	static const char names[] =
		" stream:stream stream:features stream:error starttls required "
		"optional proceed failure mechanisms mechanism auth challenge "
		"response success abort dialback errors db:result db:verify "
		"error text bidi ";
	const char *base = name + (*name == '/');
	char wanted[40];

	snprintf(wanted, sizeof wanted, " %.36s ", base);
	if (strstr(names, wanted) != NULL ||
	    pl_condition_parse(base) != PL_COND_UNDEFINED_CONDITION ||
	    pl_stanza_condition_parse(base) != PL_SC_UNDEFINED_CONDITION ||
	    strcmp(base, "undefined-condition") == 0)
		return name;
	for (int i = 0; i < PL_SASLS; i++)
		if (strcmp(base, pl_sasl_condition_name(
					 (enum pl_sasl_condition)i)) == 0)
			return name;
	return *name == '/' ? "/x" : "x";
}

/* name='value' ... up to the end of the tag; returns what is behind it, or NULL
 * where it has no end. */
static const char *scrub_attributes(struct names *n, const char *at,
				    struct pl_buffer *out)
{
	char name[NAME], value[NAME];

	for (;;) {
		size_t length;
		const char *end;

		at += strspn(at, " \t\r\n");
		if (*at == '>' || (at[0] == '/' && at[1] == '>')) {
			put(out, *at == '>' ? ">" : "/>");
			return at + (*at == '>' ? 1 : 2);
		}
		length = strcspn(at, "= \t\r\n/>'\"<");
		if (length == 0 || at[length] != '=' ||
		    (at[length + 1] != '\'' && at[length + 1] != '"'))
			return NULL;
		end = strchr(at + length + 2, at[length + 1]);
		if (end == NULL)
			return NULL;
		piece(name, at, length);
		piece(value, at + length + 2,
		      (size_t)(end - at) - length - 2);
		put(out, " ");
		put(out, attribute_name(name));
		put(out, "='");
		put(out, attribute_for(n, name, value));
		put(out, "'");
		at = end + 1;
	}
}

/* The text of an element: keys that are masked, and names of mechanisms. */
static void scrub_text(const char *text, size_t length, struct pl_buffer *out)
{
	char copy[NAME];

	if (length == 0)
		return;
	piece(copy, text, length);
	if (length < NAME &&
	    (is_key(copy) || strspn(copy, " \t\r\n") == length ||
	     (length <= 24 && strspn(copy, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					   "0123456789-") == length)))
		put(out, copy);
	else
		put(out, REMOVED);
}

static bool scrub(struct names *n, const char *at, struct pl_buffer *out)
{
	char name[NAME];

	while (*at != '\0') {
		size_t length = strcspn(at, "<");

		scrub_text(at, length, out);
		at += length;
		if (*at == '\0')
			break;
		if (at[1] == '?') {
			at = strstr(at, "?>");
			if (at == NULL)
				return false;
			at += 2;
			continue;
		}
		length = 1 + strcspn(at + 1, " \t\r\n>'\"<=");
		if (at[length - 1] == '/' && length > 2)
			length--;
		piece(name, at + 1, length - 1);
		if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz:-/")] != '\0')
			return false;
		put(out, "<");
		put(out, element_for(name));
		at = scrub_attributes(n, at + length, out);
		if (at == NULL)
			return false;
	}
	return true;
}

/* NULL: nothing of it can stay. */
static json_t *json_raw(struct names *n, const struct pl_report_record *r)
{
	struct pl_buffer out;
	json_t *json = NULL;

	if (r->raw[0] == '\0' || r->raw_base64 || r->trunc > 0 ||
	    strcmp(r->stage, "stanza") == 0)
		return NULL;
	pl_buffer_init(&out, PL_REPORT_LINE);
	if (scrub(n, r->raw, &out))
		json = json_stringn((const char *)pl_buffer_bytes(&out),
				    out.length);
	pl_buffer_finish(&out);
	return json;
}

/* ----- details ----- */

enum keeps { KEEP_NOTHING, KEEP_WORD, KEEP_NAME, KEEP_ADDRESS, KEEP_SAN,
	     KEEP_SENTENCE, KEEP_WHY, KEEP_REASON, KEEP_NAMESPACE, KEEP_ID, KEEP_PRINT, KEEP_KEY,
	     KEEP_TLSA, KEEP_DATE };

static enum keeps keeps_of(const char *key)
{
	static const struct {
		const char *keys;
		enum keeps keeps;
	} table[] = {
		{ " mech mechanisms condition type kind version cipher group "
		  "alpn how deadline choice machine offers method expected "
		  "raw tls sasl dialback result code side stage want name "
		  "pair terms before event actions step after ", KEEP_WORD },
		{ " host domain from to local remote sni authzid ", KEEP_NAME },
		{ " addr addresses ", KEEP_ADDRESS },
		{ " sans ", KEEP_SAN },
		{ " fix rule ", KEEP_SENTENCE },
		{ " why ", KEEP_WHY },
		{ " reason ", KEEP_REASON },
		{ " ns ", KEEP_NAMESPACE },
		{ " id ", KEEP_ID },
		{ " sha256 ", KEEP_PRINT },
		{ " key ", KEEP_KEY },
		{ " tlsa ", KEEP_TLSA },
		{ " not_before not_after ", KEEP_DATE },
	};
	char wanted[80];

	snprintf(wanted, sizeof wanted, " %.70s ", key);
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strstr(table[i].keys, wanted) != NULL)
			return table[i].keeps;
	return KEEP_NOTHING;
}

static json_t *json_san(struct names *n, const char *text)
{
	size_t kind = strcspn(text, ":");
	char made[NAME];

	if (text[kind] == ':' && kind < 12 && is_word(piece(made, text, kind)))
		return json_sprintf("%.*s:%s", (int)kind, text,
				    name_for(n, text + kind + 1));
	return json_string(name_for(n, text));
}

/* "3 1 1 ...": three numbers of one digit. */
static bool is_tlsa(const char *text)
{
	static const char form[] = "d d d ";

	for (size_t i = 0; form[i] != '\0'; i++)
		if (form[i] == 'd' ? !isdigit((unsigned char)text[i])
				   : text[i] != form[i])
			return false;
	return true;
}

static bool is_reason(const char *text)
{
	for (unsigned i = 0; i < PL_WHYS; i++)
		if (strcmp(text, pl_why_not_text(i)) == 0)
			return true;
	return false;
}

/* Behind the colon stand the words of the peer or of the system. */
static json_t *json_why(struct names *n, const char *text)
{
	const char *colon = strstr(text, ": ");
	char ours[1200];

	snprintf(ours, sizeof ours, "%.*s", colon != NULL
		 ? (int)(colon - text < 1000 ? colon - text : 1000) : 1000,
		 text);
	return json_clean(n, ours);
}

static json_t *json_text(struct names *n, const char *text, enum keeps keeps)
{
	char made[100];

	switch (keeps) {
	case KEEP_WORD:
		return json_string(word(n, text));
	case KEEP_NAME:
		return json_string(jid_for(n, text));
	case KEEP_ADDRESS:
		return json_string(endpoint(n, text, made, sizeof made)
					   ? made : REMOVED);
	case KEEP_SAN:
		return json_san(n, text);
	case KEEP_SENTENCE:
		return json_clean(n, text);
	case KEEP_WHY:
		return json_why(n, text);
	case KEEP_REASON:
		return json_string(is_reason(text) ? text : REMOVED);
	case KEEP_NAMESPACE:
		return json_string(namespace_of(text));
	case KEEP_ID:
		return json_string(numbered(n, 'i', "id", &n->ids, text));
	case KEEP_PRINT:
		return json_string(numbered(n, 'p', "print", &n->prints, text));
	case KEEP_KEY:
		return json_string(is_key(text) ? text : REMOVED);
	case KEEP_TLSA:
		return json_sprintf("%.5s " REMOVED, is_tlsa(text) ? text : "");
	case KEEP_DATE:
		return json_string(strspn(text, "0123456789-T:Z") ==
				   strlen(text) ? text : REMOVED);
	case KEEP_NOTHING:
		break;
	}
	return json_string(*text == '\0' ? "" : REMOVED);
}

static json_t *json_value(struct names *n, const json_t *value,
			  enum keeps keeps, bool step);

/* Within what the machines' steps hold, every key is one of ours. */
static json_t *json_members(struct names *n, const json_t *value, bool step)
{
	json_t *object = (json_t *)(uintptr_t)value, *made = json_object();
	void *at = json_object_iter(object);

	for (; at != NULL; at = json_object_iter_next(object, at)) {
		const char *key = json_object_iter_key(at);
		enum keeps keeps = step ? KEEP_WORD : keeps_of(key);

		json_object_set_new(made, is_word(key) ? key : "x",
				    json_value(n, json_object_iter_value(at),
					       keeps, step));
	}
	return made;
}

static json_t *json_value(struct names *n, const json_t *value,
			  enum keeps keeps, bool step)
{
	const json_t *item;
	json_t *made;
	size_t i;

	if (json_is_string(value))
		return json_text(n, json_string_value(value), keeps);
	if (json_is_object(value))
		return json_members(n, value, step);
	if (!json_is_array(value))
		return json_deep_copy(value);
	made = json_array();
	json_array_foreach(value, i, item)
		json_array_append_new(made, json_value(n, item, keeps, step));
	return made;
}

/* ----- records ----- */

/* A summary that is ours alone, or else the event's name. */
static json_t *json_summary(struct names *n, const struct pl_report_record *r)
{
	if (pl_report_is(r, "dns.query") || pl_report_is(r, "policy.step"))
		return json_clean(n, r->summary);
	return json_string(r->event);
}

static void set_text(json_t *out, const char *key, const char *text)
{
	if (*text != '\0')
		json_object_set_new(out, key, json_string(text));
}

static void set_number(json_t *out, const char *key, uint64_t number)
{
	json_object_set_new(out, key, json_integer((json_int_t)number));
}

static json_t *json_record(struct names *n, const struct pl_report_record *r)
{
	json_t *out = json_object(), *raw = json_raw(n, r);

	set_number(out, "v", 1);
	set_number(out, "seq", r->seq);
	set_text(out, "ts", r->ts);
	set_number(out, "mono_us", r->mono_us);
	set_text(out, "trace", r->trace);
	set_text(out, "stream", r->stream);
	set_text(out, "parent", r->parent);
	json_object_set_new(out, "hop", json_sprintf("%s>%s",
						     name_for(n, r->from),
						     name_for(n, r->to)));
	set_text(out, "role", r->role);
	set_text(out, "dir", r->dir);
	set_text(out, "stage", r->stage);
	set_text(out, "event", r->event);
	set_text(out, "level", r->level);
	set_text(out, "code", r->code);
	set_text(out, "enc", r->encrypted ? "tls" : "plain");
	json_object_set_new(out, "summary", json_summary(n, r));
	json_object_set_new(out, "detail",
			    json_members(n, r->detail,
					 pl_report_is(r, "policy.step")));
	set_number(out, "len", r->len);
	if (raw != NULL)
		json_object_set_new(out, "raw", raw);
	if (r->trunc > 0)
		set_number(out, "trunc", r->trunc);
	set_number(out, "redacted", 1);
	return out;
}

static bool put_record(struct names *n, struct pl_buffer *out,
		       const struct pl_report_record *r)
{
	json_t *json = json_record(n, r);
	char *line = json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII |
				      JSON_REAL_PRECISION(12));
	bool good = line != NULL && pl_buffer_text(out, line) &&
		    pl_buffer_text(out, "\n");

	free(line);
	json_decref(json);
	return good;
}

/* The two sides first, so that hosts get their domain's pseudonym; then every
 * name that stands in a place for names, so that sentences are searched for
 * all of them. */
static void meet_names(struct names *n, const struct pl_report_trace *trace)
{
	for (size_t i = 0; i < trace->count; i++) {
		name_for(n, trace->records[i].from);
		name_for(n, trace->records[i].to);
	}
	for (size_t i = 0; i < trace->count; i++)
		json_decref(json_members(n, trace->records[i].detail,
					 pl_report_is(&trace->records[i],
						      "policy.step")));
}

bool pl_report_redact(struct pl_buffer *out, const struct pl_report *report)
{
	struct names names = { .known = json_object() };
	bool good = names.known != NULL;

	for (size_t i = 0; i < report->count && good; i++)
		meet_names(&names, &report->traces[i]);
	for (size_t i = 0; i < report->count && good; i++) {
		const struct pl_report_trace *trace = &report->traces[i];

		for (size_t j = 0; j < trace->count && good; j++)
			good = put_record(&names, out, &trace->records[j]);
	}
	json_decref(names.known);
	return good;
}
