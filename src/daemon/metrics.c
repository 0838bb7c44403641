/*
 * What the HTTP listener shows: /metrics (OpenMetrics), /healthz, /readyz and
 * a page for people at /.
 */
#include "internal.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

static const char *const directions[] = { "out", "in" };

/* ----- OpenMetrics ----- */

static void family(struct pl_buffer *out, const char *name, const char *type,
		   const char *help)
{
	pl_buffer_printf(out, "# TYPE %s %s\n# HELP %s %s\n", name, type, name,
			 help);
}

static void show_negotiations(struct pl_buffer *out,
			      const struct pl_counts *counts)
{
	family(out, "parley_negotiations", "counter",
	       "Attempts to authenticate a pair of domains, by outcome.");
	for (int in = 0; in < 2; in++) {
		for (int m = PL_METHOD_TCP_DIALBACK; m < PL_COUNTS_METHODS; m++)
			pl_buffer_printf(out, "parley_negotiations_total"
				"{dir=\"%s\",method=\"%s\",result=\"negotiated\","
				"code=\"\"} %" PRIu64 "\n", directions[in],
				pl_method_name(m), counts->negotiated[in][m]);
		for (int c = 0; c < PL_CODES; c++)
			if (counts->failed[in][c] > 0)
				pl_buffer_printf(out,
					"parley_negotiations_total{dir=\"%s\","
					"method=\"none\",result=\"failed\","
					"code=\"%s\"} %" PRIu64 "\n",
					directions[in], pl_code_entry(c)->name,
					counts->failed[in][c]);
	}
}

static void show_stages(struct pl_buffer *out, const struct pl_counts *counts)
{
	const char *name = "parley_stage_seconds";

	family(out, name, "histogram",
	       "How long the stages of negotiations took.");
	for (int s = 0; s < PL_COUNTS_STAGES; s++) {
		const struct pl_counts_histogram *h = &counts->stages[s];
		const char *stage = pl_stage_name(s);
		uint64_t sum = 0;

		if (h->count == 0)
			continue;
		for (int b = 0; b < PL_COUNTS_BUCKETS; b++) {
			sum += h->buckets[b];
			pl_buffer_printf(out, "%s_bucket{stage=\"%s\","
					 "le=\"%g\"} %" PRIu64 "\n", name,
					 stage, pl_counts_bounds_ms[b] / 1000.0,
					 sum);
		}
		pl_buffer_printf(out, "%s_bucket{stage=\"%s\",le=\"+Inf\"} %"
				 PRIu64 "\n%s_count{stage=\"%s\"} %" PRIu64
				 "\n%s_sum{stage=\"%s\"} %" PRIu64 ".%03u\n",
				 name, stage, h->count, name, stage, h->count,
				 name, stage, h->sum_ms / 1000,
				 (unsigned)(h->sum_ms % 1000));
	}
}

static void show_stanzas(struct pl_buffer *out, const struct pl_counts *counts)
{
	family(out, "parley_stanzas", "counter",
	       "Stanzas over streams with other servers.");
	for (int in = 0; in < 2; in++)
		pl_buffer_printf(out, "parley_stanzas_total{dir=\"%s\"} %" PRIu64
				 "\n", directions[in], counts->stanzas[in]);
	family(out, "parley_bounces", "counter",
	       "Stanza errors that were made here, by condition.");
	for (int c = PL_SC_NONE + 1; c < PL_SCS; c++)
		if (counts->bounces[c] > 0)
			pl_buffer_printf(out, "parley_bounces_total"
					 "{condition=\"%s\"} %" PRIu64 "\n",
					 pl_stanza_condition_name(c),
					 counts->bounces[c]);
	family(out, "parley_stream_resumptions", "counter",
	       "Broken streams that were to go on over a new connection.");
	for (int in = 0; in < 2; in++)
		for (int well = 1; well >= 0; well--)
			pl_buffer_printf(out, "parley_stream_resumptions_total"
					 "{dir=\"%s\",result=\"%s\"} %" PRIu64
					 "\n", directions[in],
					 well ? "resumed" : "failed",
					 counts->resumptions[in][well]);
	family(out, "parley_refused_connections", "counter",
	       "Connections that a limit kept out.");
	pl_buffer_printf(out, "parley_refused_connections_total %" PRIu64 "\n",
			 counts->refused);
	family(out, "parley_refused_stanzas", "counter",
	       "Stanzas from users of partners that were not let in.");
	pl_buffer_printf(out, "parley_refused_stanzas_total"
			 "{reason=\"unverified\"} %" PRIu64 "\n",
			 counts->unverified);
}

static void show_contacts(struct pl_buffer *out, const struct service *service)
{
	family(out, "parley_contacts", "gauge",
	       "Users of unverified partners that users of ours wrote to.");
	pl_buffer_printf(out, "parley_contacts %zu\n",
			 service->contacts != NULL
				 ? pl_contacts_count(service->contacts) : 0);
}

/* Open pairs, by direction of the stream, method, and TLS or not. */
struct sessions {
	unsigned open[2][PL_COUNTS_METHODS][2];
	unsigned negotiating[2];
};

static void count_stream(void *owner, const struct pl_stream_info *info)
{
	struct sessions *sessions = owner;

	if (!info->verify_only && !info->authenticated)
		sessions->negotiating[info->incoming]++;
	for (const struct pl_pair *p = info->pairs; p != NULL; p = p->next)
		if (p->state.phase == PL_PAIR_OPEN)
			sessions->open[info->incoming][p->state.method]
				      [info->tls != NULL]++;
}

static void show_sessions(struct pl_buffer *out, const struct service *service)
{
	struct sessions sessions = { 0 };

	pl_router_each(service->router, count_stream, &sessions);
	family(out, "parley_sessions", "gauge",
	       "Domain pairs that are authenticated now.");
	for (int in = 0; in < 2; in++)
		for (int m = PL_METHOD_TCP_DIALBACK; m < PL_COUNTS_METHODS; m++)
			for (int tls = 0; tls < 2; tls++)
				if (tls == (m != PL_METHOD_TCP_DIALBACK))
					pl_buffer_printf(out, "parley_sessions"
						"{dir=\"%s\",method=\"%s\","
						"tls=\"%s\"} %u\n",
						directions[in],
						pl_method_name(m),
						tls ? "yes" : "no",
						sessions.open[in][m][tls]);
	family(out, "parley_negotiating", "gauge",
	       "Streams that are being negotiated now.");
	for (int in = 0; in < 2; in++)
		pl_buffer_printf(out, "parley_negotiating{dir=\"%s\"} %u\n",
				 directions[in], sessions.negotiating[in]);
}

/* What waits for streams that are not open. */
static void add_queue(void *owner, const struct pl_queue_info *info)
{
	struct pl_queue_info *sum = owner;

	sum->stanzas += info->stanzas;
	sum->bytes += info->bytes;
}

static void show_queues(struct pl_buffer *out, const struct service *service)
{
	struct pl_queue_info sum = { .stanzas = 0 };

	pl_router_queues(service->router, add_queue, &sum);
	family(out, "parley_queued_stanzas", "gauge",
	       "Stanzas that wait for a stream that is not open.");
	pl_buffer_printf(out, "parley_queued_stanzas %zu\n", sum.stanzas);
	family(out, "parley_queued_bytes", "gauge",
	       "Bytes of those stanzas.");
	pl_buffer_printf(out, "parley_queued_bytes %zu\n", sum.bytes);
}

static void show_traces(struct pl_buffer *out, const struct service *service)
{
	family(out, "parley_trace_dropped", "counter",
	       "Trace records that neither memory nor disk had room for.");
	pl_buffer_printf(out, "parley_trace_dropped_total %" PRIu64 "\n",
			 pl_tracer_dropped(service->world.tracer));
}

static void show_certificates(struct pl_buffer *out, const struct pl_site *site)
{
	family(out, "parley_certificate_not_after_seconds", "gauge",
	       "End of validity of our own certificates, as Unix time.");
	for (size_t i = 0; i < site->hosts_count; i++)
		if (site->hosts[i].identity != NULL)
			pl_buffer_printf(out,
				"parley_certificate_not_after_seconds"
				"{host=\"%s\"} %lld\n",
				site->hosts[i].conf->name,
				(long long)pl_tls_identity_not_after(
					site->hosts[i].identity));
}

static void show_process(struct pl_buffer *out, const struct service *service)
{
	uint64_t now = pl_loop_now_ms(service->loop);

	family(out, "parley_build", "info", "The version that runs.");
	pl_buffer_printf(out, "parley_build_info{version=\"%s\"} 1\n",
			 PARLEY_VERSION);
	family(out, "parley_uptime_seconds", "gauge",
	       "Time since the daemon was started.");
	pl_buffer_printf(out, "parley_uptime_seconds %" PRIu64 "\n",
			 (now - service->started_ms) / 1000);
}

static void metrics(const struct service *service, struct pl_buffer *out)
{
	show_process(out, service);
	show_negotiations(out, &service->counts);
	show_stages(out, &service->counts);
	show_sessions(out, service);
	show_stanzas(out, &service->counts);
	show_queues(out, service);
	show_contacts(out, service);
	show_traces(out, service);
	show_certificates(out, service->site);
	pl_buffer_text(out, "# EOF\n");
}

/* ----- a page for people ----- */

static const char page_head[] =
	"<!doctype html><html lang=en><meta charset=utf-8>"
	"<meta name=viewport content='width=device-width,initial-scale=1'>"
	"<title>parleyd</title><style>"
	":root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}"
	"body{max-width:70rem;margin:2rem auto;padding:0 1rem}"
	"table{border-collapse:collapse;width:100%}"
	"th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #8884}"
	"td{overflow-wrap:anywhere}</style><h1>parleyd " PARLEY_VERSION "</h1>";

static void cell(struct pl_buffer *out, const char *text)
{
	char printable[512];

	pl_buffer_text(out, "<td>");
	pl_http_escape(out, pl_text_printable(printable, sizeof printable, text,
					      strlen(text)));
	pl_buffer_text(out, "</td>");
}

static void show_row(void *owner, const struct pl_stream_info *info)
{
	struct pl_buffer *out = owner;

	for (const struct pl_pair *p = info->pairs; p != NULL; p = p->next) {
		if (p->state.phase != PL_PAIR_OPEN)
			continue;
		pl_buffer_text(out, "<tr>");
		cell(out, info->incoming ? "in" : "out");
		cell(out, p->local);
		cell(out, p->remote);
		cell(out, pl_method_title(p->state.method));
		cell(out, info->tls ? info->tls : "none");
		cell(out, pl_certificate_name(info->certificate));
		cell(out, info->addr);
		pl_buffer_text(out, "</tr>");
	}
}

static void page(const struct service *service, struct pl_buffer *out)
{
	pl_buffer_text(out, page_head);
	pl_buffer_printf(out, "<p>%s, up %" PRIu64 " s, %zu streams. "
			 "<a href=/metrics>metrics</a></p><table><tr><th>dir"
			 "<th>local<th>remote<th>method<th>TLS<th>certificate"
			 "<th>address</tr>",
			 service->draining ? "stopping" : "running",
			 (pl_loop_now_ms(service->loop) - service->started_ms) /
				 1000, pl_router_streams(service->router));
	pl_router_each(service->router, show_row, out);
	pl_buffer_text(out, "</table>");
}

/* ----- which is asked for ----- */

/* Alive is who answers; ready is who takes connections. */
static void ready(const struct service *service, struct pl_http_answer *answer)
{
	bool is = !service->draining && service->listeners != NULL &&
		  pl_site_listeners_count(service->listeners) > 0;

	answer->status = is ? 200 : 503;
	pl_buffer_text(&answer->body, is ? "ready\n"
			: service->draining ? "stopping\n" : "not listening\n");
}

void metrics_answer(void *owner, const char *path,
		    struct pl_http_answer *answer)
{
	const struct service *service = owner;

	if (strcmp(path, "/metrics") == 0) {
		answer->type = "application/openmetrics-text; version=1.0.0; "
			       "charset=utf-8";
		metrics(service, &answer->body);
	} else if (strcmp(path, "/healthz") == 0) {
		pl_buffer_text(&answer->body, "ok\n");
	} else if (strcmp(path, "/readyz") == 0) {
		ready(service, answer);
	} else if (strcmp(path, "/") == 0) {
		answer->type = "text/html; charset=utf-8";
		page(service, &answer->body);
	} else {
		answer->status = 404;
		pl_buffer_text(&answer->body, "there are /metrics, /healthz, "
			       "/readyz and /\n");
	}
}
