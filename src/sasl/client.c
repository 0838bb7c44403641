/*
 * The initiating entity's side of EXTERNAL.
 *
 * sasl_client_new asks the system's resolver for this host's full name and
 * waits for it, which a loop must not; and a connection of the library is good
 * for one exchange only. What EXTERNAL sends depends on our domain alone: so
 * the library is asked once for each hosted domain, and its word is kept.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include <sasl/saslutil.h>

struct body {
	struct body *next;
	char domain[PL_DOMAIN_SIZE];
	char text[PL_SASL_BODY_LIMIT];
};

/* As global as the library's own state. One for each hosted domain. */
static struct body *bodies;

static int give_user(void *context, int id, const char **result,
		     unsigned *length)
{
	const struct body *body = context;

	*result = body->domain;
	if (length != NULL)
		*length = (unsigned)strlen(body->domain);
	return SASL_OK;
}

/* Has the library make the response; "=" stands for an empty one (EXT-10). */
static int respond(sasl_conn_t *conn, struct body *body)
{
	const char *bytes = NULL, *mechanism;
	unsigned length = 0;
	int result;

	result = sasl_setprop(conn, SASL_AUTH_EXTERNAL, body->domain);
	if (result == SASL_OK)
		result = sasl_client_start(conn, "EXTERNAL", NULL, &bytes,
					   &length, &mechanism);
	if (result != SASL_OK && result != SASL_CONTINUE)
		return result;
	if (bytes == NULL || length == 0) {
		strcpy(body->text, "=");
		return SASL_OK;
	}
	return sasl_encode64(bytes, length, body->text, sizeof body->text,
			     NULL);
}

static bool ask_library(struct body *body, struct pl_error *error)
{
	sasl_callback_t callbacks[] = {
		{ SASL_CB_USER, CALLBACK(give_user), body },
		{ SASL_CB_CANON_USER, CALLBACK(pl_sasl_copy_user), NULL },
		{ SASL_CB_LIST_END, NULL, NULL },
	};
	sasl_conn_t *conn = NULL;
	int result;

	result = sasl_client_new("xmpp", body->domain, NULL, NULL, callbacks,
				 0, &conn);
	if (result == SASL_OK)
		result = respond(conn, body);
	if (conn != NULL)
		sasl_dispose(&conn);
	return result == SASL_OK ||
	       pl_sasl_fail(error, "SASL EXTERNAL", result);
}

static const struct body *body_of(const char *domain, struct pl_error *error)
{
	struct body *body;

	for (body = bodies; body != NULL; body = body->next)
		if (strcmp(body->domain, domain) == 0)
			return body;
	body = calloc(1, sizeof *body);
	if (body == NULL) {
		pl_error_set(error, "out of memory");
		return NULL;
	}
	strcpy(body->domain, domain);
	if (!ask_library(body, error)) {
		free(body);
		return NULL;
	}
	body->next = bodies;
	bodies = body;
	return body;
}

void pl_sasl_forget_bodies(void)
{
	while (bodies != NULL) {
		struct body *body = bodies;

		bodies = body->next;
		free(body);
	}
}

bool pl_sasl_client_start(const char *local_domain, struct pl_buffer *body,
			  struct pl_error *error)
{
	char domain[PL_DOMAIN_SIZE];
	const struct body *ours;

	/* The header has the normal form, and old peers compare bytes. */
	if (!pl_addr_domain(local_domain, strlen(local_domain), domain, error))
		return false;
	ours = body_of(domain, error);
	if (ours == NULL)
		return false;
	return pl_buffer_text(body, ours->text) ||
	       pl_error_set(error, "no room for a SASL response");
}
