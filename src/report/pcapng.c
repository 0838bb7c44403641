/*
 * A trace for Wireshark: what went over the wire as packets of the kind
 * "exported PDU", each one whole top-level element, stream header or closing
 * tag, which are dissected as XMPP without any setting; what is no such thing
 * (decisions, look-ups, the TLS handshake) as journal entries between them.
 *
 * db:result, db:verify and stream errors are unknown to the dissector: every
 * packet has a comment that says what it is.
 */
#include "parley/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>

#include "parley/log.h"

#include "pcapng_write.h"

/* Tags of an exported PDU: TAG LENGTH VALUE, big-endian, in units of four
 * bytes (Wireshark, exported_pdu.h). */
enum {
	TAG_END = 0,
	TAG_DISSECTOR = 12,
	TAG_IPV4_SOURCE = 20,
	TAG_IPV4_DESTINATION = 21,
	TAG_IPV6_SOURCE = 22,
	TAG_IPV6_DESTINATION = 23,
	TAG_PORT_TYPE = 24,
	TAG_SOURCE_PORT = 25,
	TAG_DESTINATION_PORT = 26,
	TAG_DIRECTION = 35,

	PORT_TYPE_TCP = 2,
	DIRECTION_SENT = 0,
	DIRECTION_RECEIVED = 1,

	COMMENT_BYTES = 1200, /* of a comment's or a message's text */
	DETAIL_BYTES = 8192,
	ELEMENT_BYTES = 200000, /* Wireshark takes 256 KiB of a packet */
};

/* A record with its time on the wall clock. */
struct moment {
	uint64_t us;
	size_t trace, number; /* in the report, in its trace */
	const struct pl_report_record *record;
};

struct capture {
	struct pl_buffer *out;
	json_t *endpoints; /* owned: "TRACE STREAM" -> [ours, the peer's] */
	bool good;
};

/* ----- time ----- */

/* RFC 3339 in UTC; 0 for what is none, or lies before 1970. */
static uint64_t wall_us(const char *text)
{
	struct tm tm = { 0 };
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	uint64_t us = 0, unit = 100000;
	time_t seconds;

	if (rest == NULL)
		return 0;
	if (*rest == '.')
		rest++;
	for (; *rest >= '0' && *rest <= '9'; rest++, unit /= 10)
		us += unit * (uint64_t)(*rest - '0');
	seconds = timegm(&tm);
	return seconds < 0 ? 0 : (uint64_t)seconds * 1000000 + us;
}

static int compare(const void *a, const void *b)
{
	const struct moment *left = a, *right = b;

	if (left->us != right->us)
		return left->us < right->us ? -1 : 1;
	if (left->trace != right->trace)
		return left->trace < right->trace ? -1 : 1;
	return left->number < right->number ? -1
	     : left->number > right->number;
}

/* All records in the order of time. Within a trace the monotonic clock alone
 * counts: the other one may have been set meanwhile. */
static struct moment *order(const struct pl_report *report, size_t *count)
{
	struct moment *moments;
	size_t n = 0;

	for (size_t i = 0; i < report->count; i++)
		n += report->traces[i].count;
	*count = n;
	moments = calloc(n + 1, sizeof *moments);
	if (moments == NULL)
		return NULL;
	n = 0;
	for (size_t i = 0; i < report->count; i++) {
		const struct pl_report_trace *trace = &report->traces[i];
		uint64_t begin = trace->count > 0
			? wall_us(trace->records[0].ts) : 0;

		for (size_t k = 0; k < trace->count; k++) {
			const struct pl_report_record *r = &trace->records[k];

			moments[n++] = (struct moment){
				begin + r->mono_us - trace->records[0].mono_us,
				i, k, r };
		}
	}
	qsort(moments, n, sizeof *moments, compare);
	return moments;
}

/* ----- words ----- */

static const char *printable(char *out, size_t size, const char *text)
{
	return pl_text_printable(out, size, text, strlen(text));
}

/* "s1 a.example>b.example in, tls: EXTERNAL accepted [sasl.success]" */
static void comment_of(const struct pl_report_record *r, char *out, size_t size)
{
	char summary[COMMENT_BYTES], hop[600];
	int n;

	printable(hop, sizeof hop, r->hop);
	printable(summary, sizeof summary, r->summary);
	n = snprintf(out, size, "%s %s %s, %s: %s [%s%s%s]", r->stream, hop,
		     r->dir, r->encrypted ? "tls" : "plain",
		     summary[0] != '\0' ? summary : r->event, r->event,
		     r->code[0] != '\0' ? ", " : "", r->code);
	if (r->redacted)
		n += snprintf(out + n, size - (size_t)n, " masked");
	if (r->trunc > 0)
		snprintf(out + n, size - (size_t)n, " %zu bytes cut",
			 r->trunc);
}

/* ----- addresses ----- */

static const char *text_of(const json_t *detail, const char *key)
{
	const char *text = json_string_value(json_object_get(detail, key));

	return text != NULL ? text : "";
}

static void connection_key(const struct pl_report_record *r, char out[96])
{
	snprintf(out, 96, "%s %s", r->trace, r->stream);
}

/* Keeps what tcp.connected and tcp.accepted tell for what follows them. */
static void note_endpoints(struct capture *capture,
			   const struct pl_report_record *r)
{
	char key[96];

	if (strcmp(r->event, "tcp.connected") != 0 &&
	    strcmp(r->event, "tcp.accepted") != 0)
		return;
	connection_key(r, key);
	if (json_object_set_new(capture->endpoints, key,
				json_pack("[s,s]", text_of(r->detail, "local"),
					  text_of(r->detail, "addr"))) != 0)
		capture->good = false;
}

static void find_endpoints(const struct capture *capture,
			   const struct pl_report_record *r,
			   struct endpoint *ours, struct endpoint *theirs)
{
	const json_t *pair;
	const char *text;
	char key[96];

	connection_key(r, key);
	pair = json_object_get(capture->endpoints, key);
	text = json_string_value(json_array_get(pair, 0));
	pcapng_endpoint(text != NULL ? text : "", ours);
	text = json_string_value(json_array_get(pair, 1));
	pcapng_endpoint(text != NULL ? text : "", theirs);
}

/* ----- packets ----- */

static bool add_tag(struct pl_buffer *out, uint16_t tag, const void *value,
		    size_t length)
{
	unsigned char head[4];

	put16(head, tag);
	put16(head + 2, (uint16_t)((length + 3) & ~(size_t)3));
	return pl_buffer_append(out, head, sizeof head) &&
	       pl_buffer_append(out, value, length) &&
	       pl_buffer_append(out, "\0\0", (4 - length % 4) % 4);
}

static bool add_number(struct pl_buffer *out, uint16_t tag, uint32_t number)
{
	unsigned char value[4];

	put32(value, number);
	return add_tag(out, tag, value, sizeof value);
}

static bool add_addresses(struct pl_buffer *out, const struct endpoint *from,
			  const struct endpoint *to)
{
	return (from->size == 0 ||
		add_tag(out, from->size == 4 ? TAG_IPV4_SOURCE
					     : TAG_IPV6_SOURCE,
			from->address, from->size)) &&
	       (to->size == 0 ||
		add_tag(out, to->size == 4 ? TAG_IPV4_DESTINATION
					   : TAG_IPV6_DESTINATION,
			to->address, to->size)) &&
	       add_number(out, TAG_PORT_TYPE, PORT_TYPE_TCP) &&
	       add_number(out, TAG_SOURCE_PORT, from->port) &&
	       add_number(out, TAG_DESTINATION_PORT, to->port);
}

static bool add_tags(struct pl_buffer *out, const struct capture *capture,
		     const struct pl_report_record *r, bool outgoing)
{
	struct endpoint ours, theirs;

	find_endpoints(capture, r, &ours, &theirs);
	if (!add_tag(out, TAG_DISSECTOR, "xmpp", 4) ||
	    !add_number(out, TAG_DIRECTION, outgoing ? DIRECTION_SENT
						     : DIRECTION_RECEIVED))
		return false;
	if ((ours.size > 0 || theirs.size > 0) &&
	    !add_addresses(out, outgoing ? &ours : &theirs,
			   outgoing ? &theirs : &ours))
		return false;
	return add_tag(out, TAG_END, "", 0);
}

/* The element as it was, *cut bytes shorter; what is no base64 after all stands
 * as it is. */
static bool add_element(struct pl_buffer *out, const struct pl_report_record *r,
			size_t *cut)
{
	size_t length = strlen(r->raw), pad = 0;
	const void *bytes = r->raw;
	unsigned char *decoded = NULL;
	int n = -1;
	bool good;

	if (r->raw_base64 && length % 4 == 0) {
		decoded = malloc(length + 1);
		if (decoded == NULL)
			return false;
		n = EVP_DecodeBlock(decoded, bytes, (int)length);
	}
	while (pad < 2 && n > 0 && r->raw[length - 1 - pad] == '=')
		pad++;
	if (n >= 0) {
		bytes = decoded;
		length = (size_t)n - pad;
	}
	*cut = length > ELEMENT_BYTES ? length - ELEMENT_BYTES : 0;
	good = pl_buffer_append(out, bytes, length - *cut);
	free(decoded);
	return good;
}

static bool write_packet(struct capture *capture, const struct moment *moment)
{
	const struct pl_report_record *r = moment->record;
	bool outgoing = strcmp(r->dir, "out") == 0, good;
	char comment[COMMENT_BYTES + 1024];
	struct pl_buffer bytes;
	size_t cut = 0;

	comment_of(r, comment, sizeof comment);
	pl_buffer_init(&bytes, 0);
	good = add_tags(&bytes, capture, r, outgoing) &&
	       add_element(&bytes, r, &cut);
	good = good && pcapng_packet(capture->out, &(struct packet){
		.us = moment->us,
		.way = outgoing ? WAY_OUT : WAY_IN,
		.bytes = pl_buffer_bytes(&bytes),
		.length = bytes.length,
		.original = bytes.length + cut + r->trunc,
		.comment = comment,
	});
	pl_buffer_finish(&bytes);
	return good;
}

/* ----- journal entries ----- */

static int priority_of(const char *level)
{
	static const int priorities[] = {
		[PL_LOG_ERROR] = 3,
		[PL_LOG_WARNING] = 4,
		[PL_LOG_NOTICE] = 5,
		[PL_LOG_INFO] = 6,
		[PL_LOG_DEBUG] = 7,
	};
	enum pl_log_level number;

	return pl_log_level_parse(level, &number) ? priorities[number] : 6;
}

static bool add_field(struct pl_buffer *out, const char *name, const char *text)
{
	char value[DETAIL_BYTES];

	if (text[0] == '\0')
		return true;
	printable(value, sizeof value, text);
	return pl_buffer_printf(out, "%s=%s\n", name, value);
}

static bool add_detail(struct pl_buffer *out, const json_t *detail)
{
	char *text = json_dumps(detail, JSON_COMPACT | JSON_ENSURE_ASCII);
	bool good = text != NULL && add_field(out, "PARLEY_DETAIL", text);

	free(text);
	return good;
}

static bool write_entry(struct capture *capture, const struct moment *moment)
{
	const struct pl_report_record *r = moment->record;
	char comment[COMMENT_BYTES + 1024];
	struct pl_buffer entry;
	bool good;

	comment_of(r, comment, sizeof comment);
	pl_buffer_init(&entry, 0);
	good = pl_buffer_printf(&entry, "__REALTIME_TIMESTAMP=%llu\n",
				(unsigned long long)moment->us) &&
	       add_field(&entry, "MESSAGE", comment) &&
	       pl_buffer_printf(&entry, "PRIORITY=%d\n"
				"SYSLOG_IDENTIFIER=parley\n"
				"PARLEY_SEQ=%u\n", priority_of(r->level),
				r->seq) &&
	       add_field(&entry, "PARLEY_TRACE", r->trace) &&
	       add_field(&entry, "PARLEY_STREAM", r->stream) &&
	       add_field(&entry, "PARLEY_PARENT", r->parent) &&
	       add_field(&entry, "PARLEY_HOP", r->hop) &&
	       add_field(&entry, "PARLEY_ROLE", r->role) &&
	       add_field(&entry, "PARLEY_STAGE", r->stage) &&
	       add_field(&entry, "PARLEY_EVENT", r->event) &&
	       add_field(&entry, "PARLEY_CODE", r->code) &&
	       add_detail(&entry, r->detail) &&
	       pcapng_journal(capture->out, pl_buffer_bytes(&entry),
			      entry.length);
	pl_buffer_finish(&entry);
	return good;
}

/* ----- all of it ----- */

static bool write_moment(struct capture *capture, const struct moment *moment)
{
	const struct pl_report_record *r = moment->record;

	note_endpoints(capture, r);
	if (!capture->good)
		return false;
	if (r->raw[0] != '\0')
		return write_packet(capture, moment);
	/* The machines' steps are for replay, and nobody's reading here. */
	if (strcmp(r->event, "policy.step") == 0)
		return true;
	return write_entry(capture, moment);
}

bool pl_report_pcapng(struct pl_buffer *out, const struct pl_report *report)
{
	struct capture capture = { out, json_object(), true };
	size_t count = 0;
	struct moment *moments = order(report, &count);
	bool good = moments != NULL && capture.endpoints != NULL &&
		    pcapng_begin(out, LINK_UPPER_PDU, "parley");

	for (size_t i = 0; good && i < count; i++)
		good = write_moment(&capture, &moments[i]);
	json_decref(capture.endpoints);
	free(moments);
	return good;
}
