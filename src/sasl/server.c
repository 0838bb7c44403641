/* The receiving entity's side of EXTERNAL. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include <sasl/saslutil.h>

struct pl_sasl_server {
	sasl_conn_t *conn;           /* owned; NULL when nothing was proved */
	sasl_callback_t callbacks[3]; /* conn points here */
	char proved[PL_DOMAIN_SIZE];
	bool started, ended;
	bool permitted;              /* may_act_as was asked and agreed */
	bool foreign;                /* another identity was asked for */
};

/* A body without white space and what it decodes to. */
struct response {
	char text[PL_SASL_BODY_LIMIT + 1];
	size_t text_length;
	char bytes[PL_SASL_BODY_LIMIT + 1];
	unsigned length;
};

/*
 * Brings an identity into the form that is compared, and notes one that is not
 * the proved domain (EXT-15). This is the place to look: what the proxy policy
 * gets to see has passed the library's own rule, which strips spaces.
 */
static int normalise_user(sasl_conn_t *conn, void *context, const char *in,
			  unsigned in_length, unsigned flags,
			  const char *realm, char *out, unsigned out_max,
			  unsigned *out_length)
{
	struct pl_sasl_server *server = context;
	char domain[PL_DOMAIN_SIZE];

	if (!pl_addr_domain(in, in_length, domain, NULL) ||
	    strcmp(domain, server->proved) != 0) {
		server->foreign = true;
		return SASL_NOAUTHZ;
	}
	return pl_sasl_copy_user(conn, NULL, domain, (unsigned)strlen(domain),
				 flags, realm, out, out_max, out_length);
}

static bool is_proved(const struct pl_sasl_server *server, const char *name,
		      unsigned length)
{
	return length == strlen(server->proved) &&
	       memcmp(name, server->proved, length) == 0;
}

/* The proxy policy: may the one whom the certificate proved act as `authzid`?
 * Only as itself. */
static int may_act_as(sasl_conn_t *conn, void *context, const char *authzid,
		      unsigned length, const char *authid,
		      unsigned authid_length, const char *realm,
		      unsigned realm_length, struct propctx *properties)
{
	struct pl_sasl_server *server = context;

	server->permitted = is_proved(server, authid, authid_length) &&
			    is_proved(server, authzid, length);
	server->foreign = !server->permitted;
	return server->permitted ? SASL_OK : SASL_NOAUTHZ;
}

static bool connect_library(struct pl_sasl_server *server,
			    const char *local_domain, struct pl_error *error)
{
	int result;

	server->callbacks[0] = (sasl_callback_t){
		SASL_CB_PROXY_POLICY, CALLBACK(may_act_as), server };
	server->callbacks[1] = (sasl_callback_t){
		SASL_CB_CANON_USER, CALLBACK(normalise_user), server };
	server->callbacks[2] = (sasl_callback_t){ SASL_CB_LIST_END, NULL,
						  NULL };
	/* A realm, even "", would be put behind the name. */
	result = sasl_server_new("xmpp", local_domain, NULL, NULL, NULL,
				 server->callbacks, 0, &server->conn);
	if (result != SASL_OK)
		return pl_sasl_fail(error, "preparing SASL", result);
	result = sasl_setprop(server->conn, SASL_AUTH_EXTERNAL,
			      server->proved);
	if (result != SASL_OK)
		return pl_sasl_fail(error, "telling SASL the proved domain",
				    result);
	return true;
}

struct pl_sasl_server *pl_sasl_server_new(const char *local_domain,
					  const char *proved_domain,
					  struct pl_error *error)
{
	struct pl_sasl_server *server = calloc(1, sizeof *server);

	if (server == NULL) {
		pl_error_set(error, "out of memory");
		return NULL;
	}
	if (proved_domain == NULL)
		return server;
	if (!pl_addr_domain(proved_domain, strlen(proved_domain),
			    server->proved, error) ||
	    !connect_library(server, local_domain, error)) {
		pl_sasl_server_free(server);
		return NULL;
	}
	return server;
}

void pl_sasl_server_free(struct pl_sasl_server *server)
{
	if (server == NULL)
		return;
	if (server->conn != NULL)
		sasl_dispose(&server->conn);
	free(server);
}

static bool is_base64(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') || c == '+' || c == '/';
}

static void strip(struct response *response, const char *body, size_t length)
{
	size_t n = 0;

	for (size_t i = 0; i < length; i++)
		if (body[i] == '\0' || strchr(" \t\r\n", body[i]) == NULL)
			response->text[n++] = body[i];
	response->text[n] = '\0';
	response->text_length = n;
}

/* Strict (RFC 4648): the alphabet, whole groups of four, padding at the end
 * only, and no stray bits before it, which encoding again shows. */
static bool decode(struct response *response)
{
	const char *text = response->text;
	size_t length = response->text_length, end = length;
	char again[sizeof response->text + 8];
	unsigned again_length;

	while (end > 0 && length - end < 2 && text[end - 1] == '=')
		end--;
	if (length % 4 != 0)
		return false;
	for (size_t i = 0; i < end; i++)
		if (!is_base64(text[i]))
			return false;
	if (sasl_decode64(text, (unsigned)length, response->bytes,
			  sizeof response->bytes, &response->length) != SASL_OK)
		return false;
	return sasl_encode64(response->bytes, response->length, again,
			     sizeof again, &again_length) == SASL_OK &&
	       again_length == length && memcmp(again, text, length) == 0;
}

static enum pl_sasl_result reject(struct pl_sasl_server *server,
				  enum pl_sasl_condition *condition,
				  enum pl_sasl_condition value)
{
	server->ended = true;
	*condition = value;
	return PL_SASL_REJECTED;
}

static enum pl_sasl_result reject_authzid(struct pl_sasl_server *server,
					  const struct response *response,
					  enum pl_sasl_condition *condition,
					  struct pl_error *why)
{
	char shown[100];

	pl_error_set(why, "authorization identity \"%s\" is not the proved "
		     "domain %.255s",
		     pl_text_printable(shown, sizeof shown, response->bytes,
				       response->length), server->proved);
	return reject(server, condition, PL_SASL_INVALID_AUTHZID);
}

/* `response` NULL: no initial response. */
static int ask_library(struct pl_sasl_server *server,
		       const struct response *response)
{
	const char *bytes = response == NULL ? NULL : response->bytes;
	unsigned length = response == NULL ? 0 : response->length;
	const char *out;
	unsigned out_length;

	if (server->started)
		return sasl_server_step(server->conn, bytes, length, &out,
					&out_length);
	server->started = true;
	return sasl_server_start(server->conn, "EXTERNAL", bytes, length,
				 &out, &out_length);
}

static enum pl_sasl_result conclude(struct pl_sasl_server *server,
				    const struct response *response, int result,
				    enum pl_sasl_condition *condition,
				    struct pl_error *why)
{
	if (result == SASL_CONTINUE && response == NULL)
		return PL_SASL_CONTINUE;
	if (server->foreign)
		return reject_authzid(server, response, condition, why);
	if (result == SASL_OK && server->permitted) {
		server->ended = true;
		return PL_SASL_ACCEPTED;
	}
	pl_sasl_fail(why, "SASL EXTERNAL", result);
	return reject(server, condition, PL_SASL_TEMPORARY_AUTH_FAILURE);
}

/* What no library needs to be asked about: PL_SASL_NONE, or what is wrong. */
static enum pl_sasl_condition screen(const struct pl_sasl_server *server,
				     struct response *response,
				     const char *body, size_t length,
				     struct pl_error *why)
{
	if (server->ended) {
		pl_error_set(why, "the SASL exchange is over");
		return PL_SASL_MALFORMED_REQUEST;
	}
	if (server->conn == NULL) {
		pl_error_set(why, "no certificate proved the peer's domain");
		return PL_SASL_NOT_AUTHORIZED;
	}
	if (length > PL_SASL_BODY_LIMIT) {
		pl_error_set(why, "the SASL response is too long");
		return PL_SASL_MALFORMED_REQUEST;
	}
	strip(response, body, length);
	if (strcmp(response->text, "=") == 0 && response->text_length == 1)
		response->text_length = 0; /* decodes to nothing */
	if (!decode(response)) {
		pl_error_set(why, "the SASL response is no base64");
		return PL_SASL_INCORRECT_ENCODING;
	}
	return PL_SASL_NONE;
}

enum pl_sasl_result pl_sasl_server_step(struct pl_sasl_server *server,
					const char *body, size_t length,
					enum pl_sasl_condition *condition,
					struct pl_error *why)
{
	struct response response;
	enum pl_sasl_condition fault;
	bool empty;

	if (body == NULL)
		length = 0;
	memset(&response, 0, sizeof response);
	fault = screen(server, &response, body, length, why);
	if (fault != PL_SASL_NONE)
		return reject(server, condition, fault);
	*condition = PL_SASL_NONE;
	/* What is longer than any name is refused by the library before
	 * normalise_user is asked, which would read like a fault of ours. */
	if (response.length >= PL_DOMAIN_SIZE)
		return reject_authzid(server, &response, condition, why);
	empty = response.text[0] == '\0';
	if (empty && !server->started)
		return conclude(server, NULL, ask_library(server, NULL),
				condition, why);
	return conclude(server, &response, ask_library(server, &response),
			condition, why);
}

bool pl_sasl_authzid(const char *body, size_t length, char *out, size_t size)
{
	struct response response;

	if (length == 0 || length > PL_SASL_BODY_LIMIT)
		return false;
	memset(&response, 0, sizeof response);
	strip(&response, body, length);
	if (strcmp(response.text, "=") != 0 && !decode(&response))
		return false;
	pl_text_printable(out, size, response.bytes, response.length);
	return true;
}
