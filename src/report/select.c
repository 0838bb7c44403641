/* Which traces a view shows, and which records of them. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

struct sieve {
	const struct pl_report_filter *filter;
	char since[40]; /* RFC 3339 in UTC, "" for none */
};

/* "10m", "2h", "1d", "30s": seconds; 0 where it is none. */
static int64_t parse_span(const char *text)
{
	char *end;
	long count = strtol(text, &end, 10);
	int64_t unit = strcmp(end, "s") == 0 ? 1
		     : strcmp(end, "m") == 0 ? 60
		     : strcmp(end, "h") == 0 ? 3600
		     : strcmp(end, "d") == 0 ? 86400 : 0;

	if (end == text || count <= 0 || count > 1000000)
		return 0;
	return count * unit;
}

/* "2026-11-22", "2026-11-22T12:03", with seconds and Z or without: what stands
 * there compares as text with a record's time. */
static bool looks_like_time(const char *text)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd";
	size_t length = strlen(text);

	if (length > 30 || length < 10)
		return false;
	for (size_t i = 0; i < length && i < sizeof form - 1; i++)
		if (form[i] == 'd' ? text[i] < '0' || text[i] > '9'
				   : text[i] != form[i])
			return false;
	return length <= 19 ||
	       text[19 + strspn(text + 19, ".0123456789Z")] == '\0';
}

static bool prepare(struct sieve *sieve, struct pl_error *error)
{
	const char *since = sieve->filter->since;
	int64_t span;
	time_t then;
	struct tm tm;

	if (since == NULL)
		return true;
	span = parse_span(since);
	if (span > 0) {
		then = (time_t)(sieve->filter->now - span);
		return (gmtime_r(&then, &tm) != NULL &&
			strftime(sieve->since, sizeof sieve->since,
				 "%Y-%m-%dT%H:%M:%S", &tm) > 0) ||
		       pl_error_set(error, "\"%s\" is too long ago", since);
	}
	if (!looks_like_time(since))
		return pl_error_set(error, "\"%.60s\" is no time: write 10m, "
				    "2h, 1d or 2026-11-22T12:03:05Z", since);
	memcpy(sieve->since, since, strlen(since) + 1);
	sieve->since[strcspn(sieve->since, "Z")] = '\0';
	return true;
}

static bool differs(const char *wanted, const char *text)
{
	return wanted != NULL && strcmp(wanted, text) != 0;
}

static bool stays(const struct pl_report_filter *f,
		  const struct pl_report_record *r)
{
	return !differs(f->stream, r->stream) && !differs(f->stage, r->stage);
}

/* Of a trace, any record will do. */
static bool has_code(const struct pl_report_trace *trace, const char *code)
{
	if (strcmp(pl_report_text(trace->end, "code"), code) == 0)
		return true;
	for (size_t i = 0; i < trace->all_count; i++)
		if (strcmp(trace->all[i].code, code) == 0)
			return true;
	return false;
}

static bool has_peer(const struct pl_report_trace *trace, const char *peer)
{
	struct pl_report_summary summary;

	pl_report_summarise(trace, &summary);
	return strcasecmp(summary.remote, peer) == 0;
}

/* Under way then, or later: its last record tells. */
static bool is_since(const struct pl_report_trace *trace, const char *since)
{
	for (size_t i = trace->all_count; i-- > 0;)
		if (strcmp(trace->all[i].ts, since) >= 0)
			return true;
	return false;
}

static bool wants(const struct sieve *sieve,
		  const struct pl_report_trace *trace)
{
	const struct pl_report_filter *f = sieve->filter;

	return (f->id == NULL ||
		strncmp(trace->id, f->id, strlen(f->id)) == 0) &&
	       (f->code == NULL || has_code(trace, f->code)) &&
	       (f->peer == NULL || has_peer(trace, f->peer)) &&
	       is_since(trace, sieve->since);
}

bool pl_report_select(struct pl_report *report,
		      const struct pl_report_filter *filter,
		      struct pl_error *error)
{
	struct sieve sieve = { .filter = filter };
	struct pl_report_record *room;
	size_t kept = 0;

	if (!prepare(&sieve, error))
		return false;
	room = pl_report_room(report);
	if (room == NULL)
		return pl_error_set(error, "no memory for the records");
	for (size_t i = 0; i < report->count; i++) {
		struct pl_report_trace trace = report->traces[i];

		if (!wants(&sieve, &trace))
			continue;
		trace.records = room;
		trace.count = 0;
		for (size_t j = 0; j < trace.all_count; j++)
			if (stays(filter, &trace.all[j]))
				trace.records[trace.count++] = trace.all[j];
		room += trace.count;
		if (trace.count > 0)
			report->traces[kept++] = trace;
	}
	report->count = kept;
	return true;
}
