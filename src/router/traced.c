/* The records of what comes before a stream: look-ups, connecting; and which
 * trace they belong to (parley-trace(7)). */
#include "internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* ----- traces and connections ----- */

static void set_terms(struct pl_trace *trace, const char *local,
		      const char *remote,
		      const struct pl_partner_view *partner)
{
	pl_trace_terms(trace, local, remote,
		       partner->row != 0 ? &partner->terms.policy : NULL,
		       partner->row);
}

struct pl_trace *traced_begin(struct pl_router *router, const char *local,
			      const char *remote,
			      const struct pl_partner_view *partner)
{
	struct pl_trace *trace;

	if (router->world->tracer == NULL)
		return NULL;
	trace = pl_trace_begin(router->world->tracer, false, local, remote);
	if (trace != NULL)
		set_terms(trace, local, remote, partner);
	return trace;
}

struct pl_traced *traced_connection(struct pl_trace *trace, const char *local,
				    const char *remote,
				    const struct pl_traced *parent)
{
	struct pl_traced *traced;

	if (trace == NULL)
		return NULL;
	traced = pl_trace_connection(trace, PL_ROLE_INITIATOR, parent);
	pl_trace_rename(traced, PL_ROLE_INITIATOR, local, remote);
	return traced;
}

static void add_ends(struct pl_traced *traced, const struct pl_conn *conn)
{
	char local[PL_ENDPOINT_SIZE];

	pl_conn_local(conn, local);
	pl_trace_text(traced, "addr", pl_conn_peer(conn));
	pl_trace_text(traced, "local", local[0] != '\0' ? local : NULL);
}

struct pl_traced *traced_accepted(struct pl_router *router,
				  const struct pl_conn *conn, bool direct_tls)
{
	struct pl_traced *traced;
	struct pl_trace *trace;

	if (router->world->tracer == NULL)
		return NULL;
	trace = pl_trace_begin(router->world->tracer, true, NULL, NULL);
	if (trace == NULL)
		return NULL;
	traced = pl_trace_connection(trace, PL_ROLE_RECEIVER, NULL);
	pl_trace_unref(trace);
	pl_trace_record(traced, PL_DIR_IN, PL_STAGE_TCP, "accepted");
	add_ends(traced, conn);
	pl_trace_bool(traced, "direct_tls", direct_tls);
	pl_trace_summary(traced, "connection from %s", pl_conn_peer(conn));
	pl_trace_done(traced);
	return traced;
}

/* ----- names ----- */

void traced_query(struct pl_traced *traced, const char *remote,
		  const struct pl_partner_view *partner)
{
	if (!pl_trace_live(traced))
		return;
	pl_trace_record(traced, PL_DIR_DNS, PL_STAGE_DNS, "query");
	if (partner->connect_host != NULL) {
		pl_trace_text(traced, "host", partner->connect_host);
		pl_trace_number(traced, "port", partner->connect_port);
		pl_trace_summary(traced, "%s:%u, as configured",
				 partner->connect_host, partner->connect_port);
	} else {
		pl_trace_text(traced, "domain", remote);
		pl_trace_array(traced, "want");
		if (partner->wanted_targets & PL_DNS_STARTTLS)
			pl_trace_text(traced, NULL, "starttls");
		if (partner->wanted_targets & PL_DNS_DIRECT_TLS)
			pl_trace_text(traced, NULL, "direct-tls");
		pl_trace_close(traced);
		pl_trace_summary(traced, "where is %s", remote);
	}
	pl_trace_done(traced);
}

static void address_text(const struct pl_dns_address *address, char *out,
			 size_t size)
{
	const struct sockaddr_in *v4 = (const void *)&address->addr;
	const struct sockaddr_in6 *v6 = (const void *)&address->addr;

	out[0] = '\0';
	if (address->addr.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &v6->sin6_addr, out, (socklen_t)size);
	else if (address->addr.ss_family == AF_INET)
		inet_ntop(AF_INET, &v4->sin_addr, out, (socklen_t)size);
}

static void add_addresses(struct pl_traced *traced,
			  const struct pl_dns_target *target)
{
	char text[INET6_ADDRSTRLEN];

	pl_trace_array(traced, "addresses");
	for (size_t i = 0; i < target->addresses_count; i++) {
		address_text(&target->addresses[i], text, sizeof text);
		pl_trace_text(traced, NULL, text);
	}
	pl_trace_close(traced);
}

static void add_tlsa(struct pl_traced *traced,
		     const struct pl_dns_target *target)
{
	pl_trace_array(traced, "tlsa");
	for (size_t i = 0; i < target->tlsa_count; i++) {
		const struct pl_tls_dane *record = &target->tlsa[i];
		char text[160];
		size_t n;

		n = (size_t)snprintf(text, sizeof text, "%u %u %u ",
				     record->usage, record->selector,
				     record->matching);
		for (size_t j = 0; j < record->length && n + 3 < sizeof text;
		     j++, n += 2)
			snprintf(text + n, 3, "%02x", record->data[j]);
		pl_trace_text(traced, NULL, text);
	}
	pl_trace_close(traced);
}

static void add_target(struct pl_traced *traced,
		       const struct pl_dns_target *target)
{
	pl_trace_object(traced, NULL);
	pl_trace_text(traced, "host", target->host);
	pl_trace_number(traced, "port", target->port);
	pl_trace_bool(traced, "direct_tls", target->direct_tls);
	pl_trace_bool(traced, "srv", target->srv);
	pl_trace_number(traced, "priority", target->priority);
	pl_trace_number(traced, "weight", target->weight);
	pl_trace_bool(traced, "secure", target->secure);
	add_addresses(traced, target);
	add_tlsa(traced, target);
	pl_trace_close(traced);
}

void traced_no_answer(struct pl_traced *traced, enum pl_code code,
		      const char *text)
{
	if (!pl_trace_live(traced))
		return;
	pl_trace_record(traced, PL_DIR_DNS, PL_STAGE_DNS, "failed");
	pl_trace_level(traced, PL_LOG_WARNING);
	pl_trace_code(traced, code);
	pl_trace_text(traced, "text", text);
	pl_trace_summary(traced, "%s", text[0] ? text
					       : pl_code_entry(code)->name);
	pl_trace_done(traced);
}

void traced_answer(struct pl_traced *traced, const struct pl_dns_answer *answer)
{
	if (!pl_trace_live(traced))
		return;
	pl_trace_record(traced, PL_DIR_DNS, PL_STAGE_DNS, "answer");
	pl_trace_bool(traced, "secure", answer->secure);
	pl_trace_text(traced, "text", answer->text);
	pl_trace_array(traced, "targets");
	for (size_t i = 0; i < answer->count; i++)
		add_target(traced, &answer->targets[i]);
	pl_trace_close(traced);
	pl_trace_summary(traced, "%zu target%s (%s)", answer->count,
			 answer->count == 1 ? "" : "s",
			 answer->secure ? "secure" : "insecure");
	pl_trace_done(traced);
}

/* ----- connecting ----- */

void traced_dial(struct pl_traced *traced, const struct pl_dns_target *target)
{
	if (!pl_trace_live(traced))
		return;
	pl_trace_record(traced, PL_DIR_OUT, PL_STAGE_TCP, "connect");
	pl_trace_text(traced, "host", target->host);
	pl_trace_number(traced, "port", target->port);
	add_addresses(traced, target);
	pl_trace_bool(traced, "direct_tls", target->direct_tls);
	pl_trace_summary(traced, "connecting to %s:%u%s", target->host,
			 target->port,
			 target->direct_tls ? " (direct TLS)" : "");
	pl_trace_done(traced);
}

void traced_dialled(struct pl_traced *traced,
		    const struct pl_dial_result *result, uint64_t us)
{
	bool good = result->conn != NULL;

	if (!pl_trace_live(traced))
		return;
	pl_trace_record(traced, good ? PL_DIR_OUT : PL_DIR_IN, PL_STAGE_TCP,
			good ? "connected" : "failed");
	if (good) {
		add_ends(traced, result->conn);
		pl_trace_number(traced, "us", (int64_t)us);
		pl_trace_summary(traced, "connected to %s", result->peer);
	} else {
		pl_trace_text(traced, "addr",
			      result->peer[0] ? result->peer : NULL);
		pl_trace_level(traced, PL_LOG_WARNING);
		pl_trace_code(traced, result->code);
		pl_trace_text(traced, "text", result->text);
		pl_trace_summary(traced, "%s: %s", result->peer, result->text);
	}
	pl_trace_done(traced);
}

/* ----- no stream at all ----- */

static void tell(struct pl_traced *traced, const struct pl_outcome *outcome)
{
	pl_stream_record_failed(traced, outcome);
	pl_trace_outcome(traced, outcome);
}

void traced_unreached(struct pl_router *router, struct pl_traced *traced,
		      const struct pl_outcome *outcome)
{
	struct pl_trace *trace;

	if (traced != NULL) {
		tell(traced, outcome);
		return;
	}
	if (router->world->tracer == NULL)
		return;
	trace = pl_trace_begin(router->world->tracer, false, outcome->local,
			       outcome->remote);
	if (trace == NULL)
		return;
	pl_trace_terms(trace, outcome->local, outcome->remote,
		       outcome->row != 0 ? &outcome->policy : NULL,
		       outcome->row);
	traced = traced_connection(trace, outcome->local, outcome->remote,
				   NULL);
	tell(traced, outcome);
	pl_trace_leave(traced);
	pl_trace_unref(trace);
}
