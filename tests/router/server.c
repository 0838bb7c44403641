/* See server.h. */
#include "server.h"

#include <assert.h>
#include <unistd.h>

struct script *script;

static char folder[] = "/tmp/parley-router-XXXXXX";
static struct {
	char name[80];
	struct pl_tls_identity *identity;
} identities[16];
static size_t identities_count;
static struct pl_tls_trust *anchors;
static struct server *servers[SERVERS];
static size_t servers_count;
static unsigned logs;

static const char *const certificates =
	" alpha.example valid alpha.example self-signed"
	" beta.example valid beta.example self-signed"
	" gamma.example valid beta.example wrong-name";

/* ----- the suite ----- */

int suite_begin(void **state)
{
	struct pl_error error = { .text = "" };
	char command[1024];

	(void)state;
	if (mkdtemp(folder) == NULL || !pl_sasl_global_init(&error))
		return -1;
	snprintf(command, sizeof command, "%s %s%s", MAKE_CERTS, folder,
		 certificates);
	return system(command) == 0 ? 0 : -1;
}

int suite_end(void **state)
{
	char command[100];

	(void)state;
	for (size_t i = 0; i < identities_count; i++)
		pl_tls_identity_unref(identities[i].identity);
	pl_tls_trust_unref(anchors);
	pl_sasl_global_finish();
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command) == 0 ? 0 : -1;
}

struct pl_tls_identity *identity(const char *name)
{
	char certificate[200], key[200];
	struct pl_error error = { .text = "" };
	size_t i;

	for (i = 0; i < identities_count; i++)
		if (strcmp(identities[i].name, name) == 0)
			return identities[i].identity;
	assert_true(i < sizeof identities / sizeof identities[0]);
	snprintf(certificate, sizeof certificate, "%s/%s.crt", folder, name);
	snprintf(key, sizeof key, "%s/%s.key", folder, name);
	snprintf(identities[i].name, sizeof identities[i].name, "%s", name);
	identities[i].identity = pl_tls_identity_new(certificate, key, &error);
	if (identities[i].identity == NULL)
		print_error("%s\n", error.text);
	assert_non_null(identities[i].identity);
	identities_count++;
	return identities[i].identity;
}

struct pl_tls_trust *trust(void)
{
	struct pl_error error = { .text = "" };
	char path[100];

	snprintf(path, sizeof path, "%s/ca.crt", folder);
	if (anchors == NULL)
		anchors = pl_tls_trust_new(path, NULL, &error);
	assert_non_null(anchors);
	return anchors;
}

int world_begin(void **state)
{
	struct script_link link = { .latency_ms = 2 };

	(void)state;
	script = script_new(1);
	script_link(script, NULL, &link);
	return 0;
}

int world_end(void **state)
{
	(void)state;
	while (servers_count > 0)
		server_stop(servers[servers_count - 1]);
	script_free(script);
	script = NULL;
	return 0;
}

/* ----- a server ----- */

static bool site_host(void *owner, const char *domain,
		      struct pl_tls_identity **out)
{
	struct server *server = owner;

	for (size_t i = 0; i < server->hosts_count; i++)
		if (domain == NULL ||
		    strcmp(server->hosts[i].name, domain) == 0) {
			if (out != NULL)
				*out = server->hosts[i].identity;
			return true;
		}
	if (out != NULL)
		*out = NULL;
	return false;
}

static const struct rule *find_rule(const struct server *server,
				    const char *remote)
{
	const struct rule *any = NULL;

	for (size_t i = 0; i < server->rules_count; i++) {
		const struct rule *rule = &server->rules[i];

		if (remote != NULL && strcmp(rule->remote, remote) == 0)
			return rule;
		if (strcmp(rule->remote, "*") == 0)
			any = rule;
	}
	return any;
}

static void site_partner(void *owner, const char *local, const char *remote,
			 struct pl_partner_view *view)
{
	struct server *server = owner;
	const struct rule *rule = find_rule(server, remote);
	struct pl_tls_identity *ours;

	memset(view, 0, sizeof *view);
	view->terms.policy = pl_policy_of_row(PL_POLICY_ROWS);
	view->connection_limit = 20;
	if (rule != NULL)
		*view = rule->view;
	view->terms.own_certificate =
		site_host(server, local, &ours) && ours != NULL;
}

struct pl_partner_view *server_rule(struct server *server, const char *remote,
				    int row)
{
	struct rule *rule = (struct rule *)find_rule(server, remote);
	struct pl_partner_view *view;

	if (rule == NULL || strcmp(rule->remote, remote) != 0) {
		assert_true(server->rules_count < RULES);
		rule = &server->rules[server->rules_count++];
	}
	memset(rule, 0, sizeof *rule);
	snprintf(rule->remote, sizeof rule->remote, "%s", remote);
	view = &rule->view;
	view->terms.policy = pl_policy_of_row(row);
	view->terms.check = pl_policy_default_check(&view->terms.policy);
	view->terms.partner_known = true;
	view->terms.verify_requires_tls = true;
	view->row = row;
	snprintf(view->rule, sizeof view->rule, "partner \"%s\" (test:%d)",
		 remote, row);
	view->connection_limit = 20;
	view->wanted_targets = PL_DNS_STARTTLS | PL_DNS_DIRECT_TLS;
	return view;
}

static void on_accepted(void *owner, struct pl_conn *conn)
{
	struct server *server = owner;

	pl_router_accept(server->router, conn, false);
}

static struct timeval log_clock(void *owner)
{
	return pl_loop_time(owner);
}

static void start_log(struct server *server)
{
	struct pl_log_settings settings = { PL_LOG_INFO, PL_LOG_TEXT,
					    server->log_path };
	struct pl_error error = { .text = "" };

	snprintf(server->log_path, sizeof server->log_path, "%s/log-%u", folder,
		 logs++);
	server->log = pl_log_new(&settings, log_clock, server->loop, &error);
	assert_non_null(server->log);
}

void server_host(struct server *server, const char *domain,
		 const char *variant)
{
	struct host *host = &server->hosts[server->hosts_count++];
	char name[128];

	snprintf(host->name, sizeof host->name, "%s", domain);
	snprintf(name, sizeof name, "%s.%s", domain, variant ? variant : "");
	host->identity = variant != NULL ? identity(name) : NULL;
	script_dns_target(script, domain, server->endpoint, false);
}

void server_start(struct server *server, const char *domain,
		  const char *endpoint, const char *variant)
{
	struct pl_error error = { .text = "" };

	memset(server, 0, sizeof *server);
	snprintf(server->endpoint, sizeof server->endpoint, "%s", endpoint);
	server->loop = pl_loop_new(&error);
	assert_non_null(server->loop);
	start_log(server);
	server->resolver = pl_resolver_new(NULL, &(struct pl_dns_settings){ 0 },
					   &error);
	assert_true(pl_dialback_init(&server->dialback, domain, strlen(domain),
				     &error));
	server->world = (struct pl_world){
		.loop = server->loop,
		.log = server->log,
		.resolver = server->resolver,
		.dialback = &server->dialback,
		.trust = trust(),
		.limits = {
			.unauthenticated_bytes = 8192,
			.stanza_bytes = 524288,
			.output_bytes = 1048576,
			.queue_bytes = 262144,
			.pairs = 32,
			.connections = 1000,
			.connections_per_address = 50,
			.verify_connections = 64,
			.dns_ms = 5000,
			.connect_ms = 10000,
			.negotiate_ms = 60000,
			.idle_ms = 600000,
			.drain_ms = 10000,
		},
		.site = server,
		.host = site_host,
		.partner = site_partner,
	};
	server->router = pl_router_new(&server->world);
	server->listener = pl_listener_new(server->loop, endpoint, on_accepted,
					   server, &error);
	assert_non_null(server->listener);
	server_host(server, domain, variant);
	assert_true(servers_count < SERVERS);
	servers[servers_count++] = server;
}

void server_stop(struct server *server)
{
	size_t i = 0;

	while (servers[i] != server)
		assert_true(++i < servers_count);
	servers[i] = servers[--servers_count];
	pl_listener_free(server->listener);
	pl_router_drop_all(server->router);
	script_run(script, 100);
	assert_int_equal(pl_router_streams(server->router), 0);
	pl_router_free(server->router);
	pl_resolver_free(server->resolver);
	pl_dialback_finish(&server->dialback);
	pl_log_free(server->log);
	pl_loop_free(server->loop);
	unlink(server->log_path);
	free(server->text);
	server->text = NULL;
}

/* ----- the log ----- */

static const char *read_log(struct server *server)
{
	FILE *file = fopen(server->log_path, "r");
	long size;

	assert_non_null(file);
	fseek(file, 0, SEEK_END);
	size = ftell(file);
	rewind(file);
	free(server->text);
	server->text = pl_calloc(1, (size_t)size + 1);
	assert_int_equal(fread(server->text, 1, (size_t)size, file), size);
	fclose(file);
	return server->text;
}

void show_log(struct server *server)
{
	print_error("# log of %s:\n%s", server->hosts[0].name,
		    read_log(server));
}

/* The value of a key on a line, "" where it is not there. */
static void value_of(const char *line, const char *key, char *out, size_t size)
{
	char wanted[48];
	const char *at;
	size_t n = 0;

	snprintf(wanted, sizeof wanted, " %s=", key);
	at = strstr(line, wanted);
	if (at != NULL) {
		at += strlen(wanted);
		n = strcspn(at, " \n");
	}
	if (n >= size)
		n = size - 1;
	memcpy(out, at != NULL ? at : "", n);
	out[n] = '\0';
}

static bool is_outcome(const char *line)
{
	return strstr(line, " event=negotiated ") != NULL ||
	       strstr(line, " event=failed ") != NULL;
}

/* Calls for each line, with its end cut off. */
static void each_line(struct server *server,
		      void (*call)(void *owner, const char *line), void *owner)
{
	char *line, *rest = (char *)read_log(server);

	while ((line = strsep(&rest, "\n")) != NULL)
		if (line[0] != '\0')
			call(owner, line);
}

struct search {
	bool incoming;
	const char *local, *remote;
	struct seen *seen;
};

static void look_at(void *owner, const char *line)
{
	struct search *search = owner;
	struct seen *seen = search->seen;
	char dir[8], local[80], remote[80], by[16];

	value_of(line, "dir", dir, sizeof dir);
	value_of(line, "local", local, sizeof local);
	value_of(line, "remote", remote, sizeof remote);
	if (!is_outcome(line) ||
	    strcmp(dir, search->incoming ? "in" : "out") != 0 ||
	    strcmp(local, search->local) != 0 ||
	    strcmp(remote, search->remote) != 0)
		return;
	seen->count++;
	value_of(line, "method", seen->method, sizeof seen->method);
	value_of(line, "code", seen->code, sizeof seen->code);
	value_of(line, "cert", seen->cert, sizeof seen->cert);
	value_of(line, "tls", seen->tls, sizeof seen->tls);
	value_of(line, "stage", seen->stage, sizeof seen->stage);
	value_of(line, "row", seen->row, sizeof seen->row);
	value_of(line, "verified-by", by, sizeof by);
	seen->by_certificate = strcmp(by, "certificate") == 0;
	snprintf(seen->line, sizeof seen->line, "%s", line);
}

unsigned outcomes(struct server *server, bool incoming, const char *local,
		  const char *remote, struct seen *seen)
{
	struct search search = { incoming, local, remote, seen };

	memset(seen, 0, sizeof *seen);
	each_line(server, look_at, &search);
	return seen->count;
}

static void count_outcome(void *owner, const char *line)
{
	if (is_outcome(line))
		++*(unsigned *)owner;
}

unsigned outcomes_of(struct server *server)
{
	unsigned count = 0;

	each_line(server, count_outcome, &count);
	return count;
}

struct texts {
	const char *texts[8];
	size_t count;
	unsigned found;
};

static void count_texts(void *owner, const char *line)
{
	struct texts *texts = owner;

	for (size_t i = 0; i < texts->count; i++)
		if (strstr(line, texts->texts[i]) == NULL)
			return;
	texts->found++;
}

unsigned logged(struct server *server, ...)
{
	struct texts texts = { .count = 0 };
	const char *text;
	va_list args;

	va_start(args, server);
	while ((text = va_arg(args, const char *)) != NULL)
		texts.texts[texts.count++] = text;
	va_end(args);
	each_line(server, count_texts, &texts);
	return texts.found;
}

/* ----- pings ----- */

static void on_pinged(void *owner, const struct pl_ping_result *result)
{
	struct ping *ping = owner;

	assert_false(ping->done);
	ping->done = true;
	ping->answered = result->answered;
	ping->code = result->code;
	ping->ms = result->ms;
}

static bool pinged(void *owner)
{
	return ((struct ping *)owner)->done;
}

void ping_start(struct server *server, const char *local, const char *remote,
		uint64_t timeout_ms, struct ping *result)
{
	memset(result, 0, sizeof *result);
	assert_non_null(pl_router_ping(server->router, local, remote,
				       timeout_ms, on_pinged, result));
}

bool ping(struct server *server, const char *local, const char *remote,
	  uint64_t timeout_ms, struct ping *result)
{
	ping_start(server, local, remote, timeout_ms, result);
	assert_true(script_run_until(script, pinged, result,
				     timeout_ms + 1000));
	return result->answered;
}

/* ----- peers ----- */

static void flush(struct peer *peer)
{
	struct pl_buffer out;

	pl_buffer_init(&out, 0);
	pl_tls_drain(peer->tls, &out);
	if (out.length > 0)
		script_send(peer->raw, pl_buffer_bytes(&out), out.length);
	pl_buffer_finish(&out);
}

static void on_bytes(void *owner, struct script_peer *raw, const void *bytes,
		     size_t length)
{
	struct peer *peer = owner;
	unsigned char plain[4096];
	size_t n;

	(void)raw;
	if (bytes == NULL) {
		peer->over = true;
		return;
	}
	if (peer->tls == NULL) {
		pl_buffer_append(&peer->got, bytes, length);
		return;
	}
	pl_tls_feed(peer->tls, bytes, length);
	flush(peer);
	while ((n = pl_tls_read(peer->tls, plain, sizeof plain)) > 0)
		pl_buffer_append(&peer->got, plain, n);
}

static void begin_peer(struct peer *peer, struct script_peer *raw)
{
	memset(peer, 0, sizeof *peer);
	assert_non_null(raw);
	peer->raw = raw;
	pl_buffer_init(&peer->got, 0);
	script_react(raw, on_bytes, peer);
}

void peer_connect_to(struct peer *peer, const char *from, const char *endpoint)
{
	begin_peer(peer, script_connect(script, from, endpoint, 1000));
}

void peer_connect(struct peer *peer, const char *from, struct server *to)
{
	peer_connect_to(peer, from, to->endpoint);
}

void peer_accept(struct peer *peer, struct script_server *at)
{
	begin_peer(peer, script_accept(at, 20000));
}

void peer_free(struct peer *peer)
{
	script_react(peer->raw, NULL, NULL);
	script_close(peer->raw);
	pl_tls_free(peer->tls);
	pl_buffer_finish(&peer->got);
	memset(peer, 0, sizeof *peer);
}

void peer_say(struct peer *peer, const char *format, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	assert_true(n >= 0);
	if (peer->tls != NULL) {
		assert_true(pl_tls_write(peer->tls, text, (size_t)n));
		flush(peer);
	} else {
		script_send(peer->raw, text, (size_t)n);
	}
	free(text);
}

struct wanted {
	struct peer *peer;
	const char *text;
};

static bool has_text(void *owner)
{
	struct wanted *wanted = owner;

	return memmem(pl_buffer_bytes(&wanted->peer->got),
		      wanted->peer->got.length, wanted->text,
		      strlen(wanted->text)) != NULL;
}

bool peer_expect_within(struct peer *peer, const char *text, uint64_t ms)
{
	struct wanted wanted = { peer, text };
	const char *bytes, *at;
	char shown[3000];

	if (script_run_until(script, has_text, &wanted, ms)) {
		bytes = (const char *)pl_buffer_bytes(&peer->got);
		at = memmem(bytes, peer->got.length, text, strlen(text));
		pl_buffer_consume(&peer->got,
				  (size_t)(at - bytes) + strlen(text));
		return true;
	}
	pl_text_printable(shown, sizeof shown,
			  (const char *)pl_buffer_bytes(&peer->got),
			  peer->got.length);
	print_error("# %llu ms: expected \"%s\"%s, has: %s\n",
		    (unsigned long long)script_now(script), text,
		    peer->over ? " (ended)" : "", shown);
	return false;
}

bool peer_expect(struct peer *peer, const char *text)
{
	return peer_expect_within(peer, text, 500);
}

bool peer_expect_not(struct peer *peer, const char *text, uint64_t ms)
{
	struct wanted wanted = { peer, text };

	return !script_run_until(script, has_text, &wanted, ms);
}

static bool is_over(void *owner)
{
	struct peer *peer = owner;

	return peer->over || (peer->tls != NULL &&
			      pl_tls_status(peer->tls) > PL_TLS_READY);
}

bool peer_expect_end(struct peer *peer)
{
	return script_run_until(script, is_over, peer, 500);
}

void peer_value(struct peer *peer, char *out, size_t size)
{
	const char *bytes = (const char *)pl_buffer_bytes(&peer->got);
	size_t n = 0;

	while (n < peer->got.length && n < size - 1 &&
	       strchr("'\"<", bytes[n]) == NULL)
		n++;
	memcpy(out, bytes, n);
	out[n] = '\0';
}

static bool handshaken(void *owner)
{
	struct peer *peer = owner;

	return pl_tls_status(peer->tls) != PL_TLS_HANDSHAKING;
}

void peer_tls(struct peer *peer, bool initiating, const char *certificate,
	      const char *domain)
{
	struct pl_error error = { .text = "" };
	struct pl_tls_identity *ours =
		certificate != NULL ? identity(certificate) : NULL;

	peer->tls = initiating
		? pl_tls_initiating(&(struct pl_tls_initiate){
			  .trust = trust(), .identity = ours,
			  .domain = domain }, &error)
		: pl_tls_receiving(&(struct pl_tls_receive){
			  .trust = trust(), .identity = ours }, &error);
	assert_non_null(peer->tls);
	pl_tls_start(peer->tls);
	flush(peer);
	assert_true(script_run_until(script, handshaken, peer, 1000));
	assert_int_not_equal(pl_tls_status(peer->tls), PL_TLS_FAILED);
}

void peer_header(struct peer *peer, const char *from, const char *to)
{
	peer_say(peer, "<?xml version='1.0'?>" STREAM
		 " from='%s' to='%s' version='1.0'>", from, to);
}

void peer_answer(struct peer *peer, const char *from, const char *to,
		 const char *id, const char *features)
{
	peer_say(peer, "<?xml version='1.0'?>" STREAM
		 " from='%s' to='%s' id='%s' version='1.0'>"
		 "<stream:features>%s</stream:features>",
		 from, to, id, features);
}
