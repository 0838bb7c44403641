/*
 * The control socket: one JSON object a line in, one a line out, and the end.
 *
 *     {"verb":"ping","from":"a.example","to":"b.example","timeout":30}
 *     {"verb":"streams"}   {"verb":"reload"}
 *     {"verb":"key","from":"a.example","to":"b.example","id":"STREAM ID"}
 *
 * An answer is {"ok":true,...} or {"ok":false,"error":"...","exit":2}. The
 * socket has mode 0600: who can open it may use it.
 */
#include "internal.h"

#include <string.h>
#include <stdlib.h>
#include <sys/queue.h>

enum { REQUEST_LIMIT = 8192, REQUEST_MS = 10000, CLIENTS = 32,
       ANSWER_LIMIT = 16 * 1024 * 1024 };

struct client {
	struct control *control;    /* borrowed */
	struct pl_conn *conn;       /* owned; NULL once closed */
	struct pl_buffer request;
	struct pl_ping *ping;       /* under way, or NULL */
	struct pl_timer *timer;     /* owned: the request must come */
	bool answered;
	LIST_ENTRY(client) entry;   /* in control.clients */
};

struct control {
	struct service *service;    /* borrowed */
	struct pl_listener *listener;
	LIST_HEAD(, client) clients;
	unsigned clients_count;
};

static void free_client(struct client *client)
{
	LIST_REMOVE(client, entry);
	client->control->clients_count--;
	if (client->ping != NULL)
		pl_router_ping_cancel(client->ping);
	pl_timer_free(client->timer);
	pl_buffer_finish(&client->request);
	free(client);
}

/* Takes the reference on `answer`. */
static void reply(struct client *client, json_t *answer)
{
	char *line = json_dumps(answer, JSON_COMPACT);

	json_decref(answer);
	client->answered = true;
	if (line != NULL) {
		pl_conn_write(client->conn, line, strlen(line));
		pl_conn_write(client->conn, "\n", 1);
	}
	free(line);
	pl_conn_close(client->conn, 5000);
	client->conn = NULL;
	free_client(client);
}

static void refuse(struct client *client, const char *error, int status)
{
	reply(client, json_pack("{s:b,s:s,s:i}", "ok", 0, "error", error,
				"exit", status));
}

/* ----- verbs ----- */

static void on_pinged(void *owner, const struct pl_ping_result *result)
{
	struct client *client = owner;
	const struct pl_code_entry *code = pl_code_entry(result->code);

	client->ping = NULL;
	reply(client, json_pack(
		"{s:b,s:b,s:I,s:o,s:i,s:o,s:o}", "ok", 1,
		"answered", (int)result->answered,
		"ms", (json_int_t)result->ms,
		"code", result->code == PL_CODE_NONE ? json_null()
						     : json_string(code->name),
		"exit", result->answered ? 0 : code->exit_status,
		"out", json_record(result->out),
		"in", json_record(result->in)));
}

/* A domain of the request in normal form; false: answered with the fault. */
static bool domain_of(struct client *client, json_t *request, const char *key,
		      char out[PL_DOMAIN_SIZE])
{
	const char *text = json_string_value(json_object_get(request, key));
	struct pl_error error = { .text = "" };
	char sentence[700];

	if (text == NULL) {
		refuse(client, "both domains are needed", 2);
		return false;
	}
	if (pl_addr_domain(text, strlen(text), out, &error))
		return true;
	snprintf(sentence, sizeof sentence, "%.100s is not a domain: %.500s",
		 text, error.text);
	refuse(client, sentence, 2);
	return false;
}

static bool is_host(struct client *client, const char *domain)
{
	char sentence[300];

	if (pl_site_host(&client->control->service->site, domain, NULL))
		return true;
	snprintf(sentence, sizeof sentence,
		 "%.200s is not a host of this daemon", domain);
	refuse(client, sentence, 2);
	return false;
}

static void verb_ping(struct client *client, json_t *request)
{
	struct service *service = client->control->service;
	char local[PL_DOMAIN_SIZE], remote[PL_DOMAIN_SIZE], sentence[400];
	double seconds = json_number_value(json_object_get(request, "timeout"));

	if (!domain_of(client, request, "from", local) ||
	    !domain_of(client, request, "to", remote) ||
	    !is_host(client, local))
		return;
	if (pl_site_host(&service->site, remote, NULL)) {
		snprintf(sentence, sizeof sentence,
			 "%.200s is served by this daemon itself", remote);
		refuse(client, sentence, 2);
		return;
	}
	if (!(seconds > 0 && seconds <= 3600))
		seconds = 30;
	pl_timer_clear(client->timer);
	client->ping = pl_router_ping(service->router, local, remote,
				      (uint64_t)(seconds * 1000), on_pinged,
				      client);
	if (client->ping == NULL)
		refuse(client, "too many pings are under way", 10);
}

struct listing {
	json_t *list;
	uint64_t now_ms;
};

static void show(void *owner, const struct pl_stream_info *info)
{
	struct listing *listing = owner;

	json_array_append_new(listing->list,
			      json_stream(info, listing->now_ms));
}

static void show_component(void *owner, const struct pl_component_info *info)
{
	struct listing *listing = owner;

	json_array_append_new(listing->list,
			      json_component(info, listing->now_ms));
}

static void verb_streams(struct client *client, json_t *request)
{
	struct service *service = client->control->service;
	struct listing listing = { json_array(),
				   pl_loop_now_ms(service->loop) };

	(void)request;
	pl_router_each(service->router, show, &listing);
	pl_gateway_each(behind_gateway(service->behind), show, &listing);
	services_each(service->services, show_component, &listing);
	reply(client, json_pack("{s:b,s:o}", "ok", 1, "streams",
				listing.list));
}

/*
 * The key of a db:result from a host of ours to a remote domain on the stream
 * of that id, for a command that negotiates itself while we answer db:verify.
 * Without id only whether we would confirm one: not where our row for that
 * domain has no dialback.
 */
static void verb_key(struct client *client, json_t *request)
{
	struct service *service = client->control->service;
	const char *id = json_string_value(json_object_get(request, "id"));
	char local[PL_DOMAIN_SIZE], remote[PL_DOMAIN_SIZE];
	char key[PL_DIALBACK_KEY_SIZE];
	struct pl_partner_view view;
	bool dialback;
	json_t *answer;

	if (!domain_of(client, request, "from", local) ||
	    !domain_of(client, request, "to", remote) ||
	    !is_host(client, local))
		return;
	pl_site_partner(&service->site, local, remote, &view);
	dialback = pl_authority_confirms(&view.terms);
	answer = json_pack("{s:b,s:b,s:i}", "ok", 1, "dialback", (int)dialback,
			   "row", view.row);
	if (dialback && id != NULL &&
	    pl_dialback_key(&service->dialback, remote, local, id, key))
		json_object_set_new(answer, "key", json_string(key));
	pl_wipe(key, sizeof key);
	reply(client, answer);
}

static json_t *note_list(const struct pl_conf_note *notes, bool errors)
{
	json_t *list = json_array();

	for (; notes != NULL; notes = notes->next)
		if ((notes->severity == PL_ERROR) == errors &&
		    notes->severity != PL_INFO)
			json_array_append_new(list, json_sprintf(
				"%s:%d: %s", notes->file, notes->line,
				notes->text));
	return list;
}

static void verb_reload(struct client *client, json_t *request)
{
	struct pl_conf_note *notes = NULL;
	struct pl_error error;
	bool taken = service_reload(client->control->service, &notes, &error);
	json_t *errors = note_list(notes, true);

	(void)request;
	if (error.text[0] != '\0')
		json_array_append_new(errors, json_string(error.text));
	reply(client, json_pack("{s:b,s:i,s:o,s:o}", "ok", (int)taken,
				"exit", taken ? 0 : 2,
				"errors", errors,
				"warnings", note_list(notes, false)));
	pl_conf_notes_free(notes);
}

/* ----- partners, queues ----- */

struct partner_count {
	const struct pl_conf *conf;
	const struct pl_conf_partner *partner;
	json_int_t in, out, stanzas;
};

static void count_stream(void *owner, const struct pl_stream_info *info)
{
	struct partner_count *count = owner;

	if (info->verify_only || info->remote[0] == '\0' ||
	    pl_conf_partner(count->conf, info->remote) != count->partner)
		return;
	if (info->incoming)
		count->in++;
	else
		count->out++;
}

static void count_queue(void *owner, const struct pl_queue_info *info)
{
	struct partner_count *count = owner;

	if (pl_conf_partner(count->conf, info->remote) == count->partner)
		count->stanzas += (json_int_t)info->stanzas;
}

/* Every partner section, with the streams and the queued stanzas of all its
 * domains. */
static void verb_partners(struct client *client, json_t *request)
{
	struct service *service = client->control->service;
	const struct pl_conf *conf = service->site->conf;
	const struct pl_conf_partner *p;
	json_t *list = json_array();

	(void)request;
	for (p = conf->partners; p != NULL; p = p->next) {
		struct partner_count count = { .conf = conf, .partner = p };

		pl_router_each(service->router, count_stream, &count);
		pl_router_queues(service->router, count_queue, &count);
		json_array_append_new(list, json_pack(
			"{s:s,s:s,s:i,s:s,s:s,s:b,s:I,s:I,s:I}",
			"partner", p->name,
			"type", pl_partner_type_name(p->type), "row", p->row,
			"tls", pl_level_name(p->policy.tls),
			"sasl", pl_level_name(p->policy.sasl),
			"dialback", (int)p->policy.dialback,
			"out", count.out, "in", count.in,
			"queued", count.stanzas));
	}
	reply(client, json_pack("{s:b,s:o}", "ok", 1, "partners", list));
}

static void show_queue(void *owner, const struct pl_queue_info *info)
{
	json_array_append_new(owner, json_pack(
		"{s:s,s:s,s:I,s:I,s:b,s:o,s:I}",
		"local", info->local, "remote", info->remote,
		"stanzas", (json_int_t)info->stanzas,
		"bytes", (json_int_t)info->bytes,
		"negotiating", (int)info->negotiating,
		"code", info->failed == PL_CODE_NONE ? json_null()
			: json_string(pl_code_entry(info->failed)->name),
		"retry_ms", (json_int_t)info->retry_in_ms));
}

static void verb_queues(struct client *client, json_t *request)
{
	json_t *list = json_array();

	(void)request;
	pl_router_queues(client->control->service->router, show_queue, list);
	reply(client, json_pack("{s:b,s:o}", "ok", 1, "queues", list));
}

static void verb_close(struct client *client, json_t *request)
{
	struct service *service = client->control->service;
	char remote[PL_DOMAIN_SIZE];

	if (!domain_of(client, request, "to", remote))
		return;
	reply(client, json_pack("{s:b,s:i,s:i}", "ok", 1, "exit", 0, "count",
				(int)pl_router_close(service->router, remote)));
}

/* Pairs that nobody used lately are forgotten: "from" names one then. */
static void verb_retry(struct client *client, json_t *request)
{
	struct service *service = client->control->service;
	char local[PL_DOMAIN_SIZE], remote[PL_DOMAIN_SIZE];
	unsigned count;

	if (!domain_of(client, request, "to", remote))
		return;
	count = pl_router_retry(service->router, remote);
	if (count == 0 && json_object_get(request, "from") != NULL) {
		if (!domain_of(client, request, "from", local))
			return;
		if (!pl_site_host(&service->site, local, NULL)) {
			refuse(client, "from: not a host of this daemon", 2);
			return;
		}
		count = pl_router_begin(service->router, local, remote);
	}
	reply(client, json_pack("{s:b,s:i,s:i}", "ok", 1, "exit", 0, "count",
				(int)count));
}

/* ----- traces ----- */

/* Of the partner, where the request names one; false: answered. */
static bool remote_of(struct client *client, json_t *request,
		      char out[PL_DOMAIN_SIZE], const char **remote)
{
	const char *key = json_object_get(request, "domain") != NULL
			  ? "domain" : "remote";

	*remote = NULL;
	if (json_object_get(request, key) == NULL)
		return true;
	*remote = out;
	return domain_of(client, request, key, out);
}

static void turn_traces(struct client *client, const char *remote, bool on)
{
	const char *fault;

	if (remote == NULL) {
		refuse(client, "a domain is needed", 2);
		return;
	}
	fault = traces_turn(client->control->service->traces, remote, on);
	if (fault != NULL)
		refuse(client, fault, 2);
	else
		reply(client, json_pack("{s:b,s:i}", "ok", 1, "exit", 0));
}

static void verb_trace(struct client *client, json_t *request)
{
	const char *what = json_string_value(json_object_get(request, "what"));
	json_int_t count = json_integer_value(json_object_get(request,
							      "count"));
	char domain[PL_DOMAIN_SIZE];
	const char *remote;

	if (!remote_of(client, request, domain, &remote))
		return;
	if (what != NULL && strcmp(what, "last") == 0)
		reply(client, json_pack("{s:b,s:o}", "ok", 1, "traces",
			traces_last(client->control->service->traces, remote,
				    json_is_true(json_object_get(request,
								 "failed")),
				    count > 0 ? (size_t)count : 1)));
	else if (what != NULL && strcmp(what, "on") == 0)
		turn_traces(client, remote, true);
	else if (what != NULL && strcmp(what, "off") == 0)
		turn_traces(client, remote, false);
	else
		refuse(client, "what is one of last, on, off", 2);
}

/* Those that ended: behind a number, or one with its lines. */
static void verb_negotiations(struct client *client, json_t *request)
{
	struct traces *traces = client->control->service->traces;
	const char *id = json_string_value(json_object_get(request, "id"));
	json_int_t since = json_integer_value(json_object_get(request,
							      "since"));

	reply(client, json_pack("{s:b,s:o}", "ok", 1, "negotiations",
				id != NULL ? traces_with_id(traces, id)
					   : traces_since(traces, since)));
}

static void drain_now(void *owner)
{
	service_drain(owner);
}

/* The answer goes out first: the socket is closed by what follows. */
static void verb_drain(struct client *client, json_t *request)
{
	struct service *service = client->control->service;

	(void)request;
	reply(client, json_pack("{s:b,s:i}", "ok", 1, "exit", 0));
	pl_loop_defer(service->loop, drain_now, service);
}

static const struct {
	const char *name;
	void (*run)(struct client *client, json_t *request);
} verbs[] = {
	{ "ping", verb_ping },
	{ "streams", verb_streams },
	{ "reload", verb_reload },
	{ "drain", verb_drain },
	{ "partners", verb_partners },
	{ "queues", verb_queues },
	{ "close", verb_close },
	{ "retry", verb_retry },
	{ "trace", verb_trace },
	{ "negotiations", verb_negotiations },
	{ "key", verb_key },
};

static void run(struct client *client, json_t *request)
{
	const char *verb = json_string_value(json_object_get(request, "verb"));

	for (size_t i = 0; verb != NULL && i < sizeof verbs / sizeof *verbs;
	     i++)
		if (strcmp(verbs[i].name, verb) == 0) {
			verbs[i].run(client, request);
			return;
		}
	refuse(client, "unknown verb", 2);
}

/* ----- connections ----- */

static void on_data(void *owner, const void *bytes, size_t length)
{
	struct client *client = owner;
	const char *start;
	json_t *request;

	if (client->ping != NULL)
		return; /* one request a connection */
	if (!pl_buffer_append(&client->request, bytes, length)) {
		refuse(client, "the request is too long", 2);
		return;
	}
	start = (const char *)pl_buffer_bytes(&client->request);
	if (memchr(start, '\n', client->request.length) == NULL)
		return;
	request = json_loadb(start, client->request.length,
			     JSON_DISABLE_EOF_CHECK, NULL);
	if (request == NULL) {
		refuse(client, "the request is not JSON", 2);
		return;
	}
	run(client, request);
	json_decref(request);
}

static void on_end(void *owner, enum pl_conn_end end, const char *text)
{
	struct client *client = owner;

	(void)end;
	(void)text;
	pl_conn_abort(client->conn);
	free_client(client);
}

static void on_timer(void *owner)
{
	refuse(owner, "no request came", 2);
}

static const struct pl_conn_events client_events = {
	.on_data = on_data,
	.on_end = on_end,
};

static void on_accept(void *owner, struct pl_conn *conn)
{
	struct control *control = owner;
	struct client *client;

	if (control->clients_count >= CLIENTS) {
		pl_conn_abort(conn);
		return;
	}
	client = pl_calloc(1, sizeof *client);
	client->control = control;
	client->conn = conn;
	pl_buffer_init(&client->request, REQUEST_LIMIT);
	client->timer = pl_timer_new(control->service->loop, on_timer, client);
	pl_timer_set(client->timer, REQUEST_MS);
	LIST_INSERT_HEAD(&control->clients, client, entry);
	control->clients_count++;
	pl_conn_set_output_limit(conn, ANSWER_LIMIT);
	pl_conn_own(conn, &client_events, client);
}

struct control *control_new(struct service *service, const char *path,
			    struct pl_error *error)
{
	struct control *control = pl_calloc(1, sizeof *control);

	control->service = service;
	LIST_INIT(&control->clients);
	control->listener = pl_listener_unix(service->loop, path, on_accept,
					     control, error);
	if (control->listener == NULL) {
		free(control);
		return NULL;
	}
	return control;
}

void control_free(struct control *control)
{
	struct client *client;

	if (control == NULL)
		return;
	while ((client = LIST_FIRST(&control->clients)) != NULL) {
		pl_conn_abort(client->conn);
		free_client(client);
	}
	pl_listener_free(control->listener);
	free(control);
}
