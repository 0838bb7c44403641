/*
 * http.h: a small HTTP server for reading: metrics, health, a status page.
 *
 * libevent's server on the loop's own base: GET and HEAD alone, small requests,
 * short time limits, and a handler that makes the whole answer at once. It has
 * no TLS and no authentication: it belongs on a loopback address, or behind
 * something that has them.
 */
#ifndef PARLEY_HTTP_H
#define PARLEY_HTTP_H

#include "parley/base.h"
#include "parley/net.h"

struct pl_http;

struct pl_http_answer {
	int status;            /* 200; the handler may set another */
	const char *type;      /* content type; "text/plain; charset=utf-8" */
	struct pl_buffer body;
};

/* Makes the answer for a path (without its query). */
typedef void (*pl_http_handler)(void *owner, const char *path,
				struct pl_http_answer *answer);

/* Listens on "addr:port" or "[v6]:port". NULL with a sentence. */
struct pl_http *pl_http_new(struct pl_loop *loop, const char *endpoint,
			    pl_http_handler handler, void *owner,
			    struct pl_error *error);
void pl_http_free(struct pl_http *http); /* NULL is fine */

/* The same with text escaped for HTML. */
bool pl_http_escape(struct pl_buffer *out, const char *text);

#endif
