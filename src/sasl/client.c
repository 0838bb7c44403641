/*
 * The initiating entity's side of EXTERNAL.
 *
 * sasl_client_new asks the system's resolver for this host's full name and
 * waits for it, which a loop must not, and which takes long where no resolver
 * answers. What EXTERNAL sends is our authorization identity and nothing else:
 * so the library is asked once in a process, which shows that it has the
 * mechanism and answers so, and its codec writes the rest.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include <sasl/saslutil.h>

struct body {
	char domain[PL_DOMAIN_SIZE];
	char text[PL_SASL_BODY_LIMIT];
};

/* As global as the library's own state. */
static bool library_asked;

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

void pl_sasl_client_forget(void)
{
	library_asked = false;
}

bool pl_sasl_client_start(const char *local_domain, struct pl_buffer *body,
			  struct pl_error *error)
{
	struct body ours;
	int result;

	/* The header has the normal form, and old peers compare bytes. */
	if (!pl_addr_domain(local_domain, strlen(local_domain), ours.domain,
			    error))
		return false;
	if (!library_asked && !ask_library(&ours, error))
		return false;
	library_asked = true;
	result = sasl_encode64(ours.domain, (unsigned)strlen(ours.domain),
			       ours.text, sizeof ours.text, NULL);
	if (result != SASL_OK)
		return pl_sasl_fail(error, "SASL EXTERNAL", result);
	return pl_buffer_text(body, ours.text) ||
	       pl_error_set(error, "no room for a SASL response");
}
