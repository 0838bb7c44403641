/* One probe as metrics (OpenMetrics), in the form of a probe exporter. */
#include "view.h"

#include <inttypes.h>
#include <stdio.h>

static void family(struct ink *ink, const char *name, const char *unit,
		   const char *help)
{
	ink_format(ink, "# TYPE %s gauge\n", name);
	if (*unit != '\0')
		ink_format(ink, "# UNIT %s %s\n", name, unit);
	ink_format(ink, "# HELP %s %s\n", name, help);
}

static void seconds(struct ink *ink, const char *name, const char *labels,
		    uint64_t us)
{
	ink_format(ink, "%s%s %" PRIu64 ".%06u\n", name, labels, us / 1000000,
		   (unsigned)(us % 1000000));
}

static void offered(struct ink *ink, const char *what, bool is)
{
	ink_format(ink, "parley_probe_offered{what=\"%s\"} %d\n", what, is);
}

/* What nobody can know is not there: a peer that requires TLS and was left in
 * clear never showed its mechanisms. */
static void put_offers(struct ink *ink, const struct pl_report_summary *s)
{
	family(ink, "parley_probe_offered", "",
	       "Whether the peer offered it, where it came to that.");
	if (!s->spoke && !s->direct_tls)
		return;
	offered(ink, "direct-tls", s->direct_tls);
	if (!s->direct_tls)
		offered(ink, "starttls", s->offers_starttls);
	if (!s->external_unknown)
		offered(ink, "external", s->offers_external);
	if (!s->dialback_unknown)
		offered(ink, "dialback", s->offers_dialback);
}

static void put_stages(struct ink *ink, const struct pl_report_summary *s)
{
	family(ink, "parley_probe_stage_seconds", "seconds",
	       "How long each stage took.");
	for (size_t i = 0; i < s->stages_count; i++) {
		char labels[40];

		snprintf(labels, sizeof labels, "{stage=\"%s\"}",
			 s->stages[i].name);
		seconds(ink, "parley_probe_stage_seconds", labels,
			s->stages[i].us);
	}
}

bool pl_report_prom(struct pl_buffer *out, const struct pl_report_trace *trace)
{
	struct ink ink = { out, true };
	struct pl_report_summary s;

	pl_report_summarise(trace, &s);
	family(&ink, "probe_success", "",
	       "Whether the negotiation ended as wanted.");
	ink_format(&ink, "probe_success %d\n", s.exit_status == 0);
	family(&ink, "probe_duration_seconds", "seconds",
	       "How long the negotiation took.");
	seconds(&ink, "probe_duration_seconds", "", s.total_us);
	family(&ink, "parley_probe_exit_status", "",
	       "The exit status of parley probe.");
	ink_format(&ink, "parley_probe_exit_status %d\n", s.exit_status);
	family(&ink, "parley_probe_method", "",
	       "The method that was negotiated, or none.");
	ink_format(&ink, "parley_probe_method{method=\"%s\"} 1\n",
		   pl_method_name(s.method));
	family(&ink, "parley_probe_code", "", "Why it failed, or none.");
	ink_format(&ink, "parley_probe_code{code=\"%s\"} 1\n",
		   pl_code_entry(s.code)->name);
	put_offers(&ink, &s);
	put_stages(&ink, &s);
	ink_text(&ink, "# EOF\n");
	return ink.ok;
}
