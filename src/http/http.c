/* Metrics, health and status over HTTP, by libevent's server. */
#include "parley/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/http.h>

#include "parley/addr.h"

enum {
	REQUEST_SECONDS = 5,
	HEADER_BYTES = 8192,
	BODY_BYTES = 1024, /* GET has none */
};

struct pl_http {
	struct evhttp *server; /* owned */
	pl_http_handler handler;
	void *owner;
};

static void send_answer(struct evhttp_request *request,
			const struct pl_http_answer *answer)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct evbuffer *body = evbuffer_new();

	evhttp_add_header(headers, "Content-Type", answer->type);
	evhttp_add_header(headers, "Cache-Control", "no-store");
	evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
	evhttp_add_header(headers, "Content-Security-Policy",
			  "default-src 'none'; style-src 'unsafe-inline'");
	if (body != NULL)
		evbuffer_add(body, pl_buffer_bytes(&answer->body),
			     answer->body.length);
	evhttp_send_reply(request, answer->status,
			  answer->status == 200 ? "OK"
			  : answer->status == 404 ? "Not Found"
						  : "Service Unavailable",
			  body);
	if (body != NULL)
		evbuffer_free(body);
}

static void on_request(struct evhttp_request *request, void *arg)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const char *path = uri != NULL ? evhttp_uri_get_path(uri) : NULL;
	struct pl_http *http = arg;
	struct pl_http_answer answer = {
		.status = 200,
		.type = "text/plain; charset=utf-8",
	};

	pl_buffer_init(&answer.body, 0);
	http->handler(http->owner, path != NULL && path[0] ? path : "/",
		      &answer);
	send_answer(request, &answer);
	pl_buffer_finish(&answer.body);
}

static bool listen_at(struct pl_http *http, struct pl_loop *loop,
		      const char *endpoint, const char *host,
		      unsigned short port)
{
	int fd = pl_listener_inherited(loop, endpoint);

	if (fd < 0)
		return evhttp_bind_socket(http->server, host, port) == 0;
	if (evhttp_accept_socket(http->server, fd) == 0)
		return true;
	close(fd);
	return false;
}

struct pl_http *pl_http_new(struct pl_loop *loop, const char *endpoint,
			    pl_http_handler handler, void *owner,
			    struct pl_error *error)
{
	struct pl_http *http;
	char host[PL_ASCII_DOMAIN_SIZE];
	unsigned short port;

	if (!pl_addr_endpoint(endpoint, host, &port, error))
		return NULL;
	http = pl_calloc(1, sizeof *http);
	http->handler = handler;
	http->owner = owner;
	http->server = evhttp_new(pl_loop_base(loop));
	if (http->server == NULL) {
		pl_error_set(error, "no memory for an HTTP server");
		free(http);
		return NULL;
	}
	evhttp_set_timeout(http->server, REQUEST_SECONDS);
	evhttp_set_max_headers_size(http->server, HEADER_BYTES);
	evhttp_set_max_body_size(http->server, BODY_BYTES);
	evhttp_set_allowed_methods(http->server,
				   EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_gencb(http->server, on_request, http);
	errno = 0;
	if (!listen_at(http, loop, endpoint, host, port)) {
		pl_error_set(error, "cannot listen on %s: %s", endpoint,
			     errno ? strerror(errno) : "no IP address");
		pl_http_free(http);
		return NULL;
	}
	return http;
}

void pl_http_free(struct pl_http *http)
{
	if (http == NULL)
		return;
	evhttp_free(http->server);
	free(http);
}

bool pl_http_escape(struct pl_buffer *out, const char *text)
{
	for (; *text != '\0'; text++) {
		bool good;

		switch (*text) {
		case '&': good = pl_buffer_text(out, "&amp;"); break;
		case '<': good = pl_buffer_text(out, "&lt;"); break;
		case '>': good = pl_buffer_text(out, "&gt;"); break;
		case '"': good = pl_buffer_text(out, "&quot;"); break;
		case '\'': good = pl_buffer_text(out, "&#39;"); break;
		default: good = pl_buffer_append(out, text, 1); break;
		}
		if (!good)
			return false;
	}
	return true;
}
