/*
 * The process-global part of Cyrus SASL, told to leave the machine alone:
 *
 * - plugins are searched where nothing can be (below a device), so that only
 *   EXTERNAL remains, which is inside the library;
 * - options are answered here, so that no configuration file is looked for;
 * - a non-empty authorization identity makes the library ask its auxiliary
 *   property plugins for that user: ours knows everyone and nothing. Whether
 *   the identity is allowed is decided in server.c;
 * - nothing is written to syslog.
 */
#include "internal.h"

#include <string.h>

#include <sasl/saslplug.h>

/* The library wants it changeable, but changes nothing. */
static char plugin_name[] = "parley";

static int answer_option(void *context, const char *plugin, const char *option,
			 const char **result, unsigned *length)
{
	if (strcmp(option, "auxprop_plugin") != 0)
		return SASL_FAIL;
	*result = plugin_name;
	if (length != NULL)
		*length = sizeof plugin_name - 1;
	return SASL_OK;
}

static int answer_path(void *context, const char **path)
{
	*path = "/dev/null/none";
	return SASL_OK;
}

static int swallow_log(void *context, int level, const char *message)
{
	return SASL_OK;
}

static const sasl_callback_t callbacks[] = {
	{ SASL_CB_GETOPT, CALLBACK(answer_option), NULL },
	{ SASL_CB_GETPATH, CALLBACK(answer_path), NULL },
	{ SASL_CB_GETCONFPATH, CALLBACK(answer_path), NULL },
	{ SASL_CB_LOG, CALLBACK(swallow_log), NULL },
	{ SASL_CB_LIST_END, NULL, NULL },
};

static int look_up(void *context, sasl_server_params_t *params, unsigned flags,
		   const char *user, unsigned length)
{
	return SASL_OK;
}

static int give_plugin(const sasl_utils_t *utils, int max_version,
		       int *version, sasl_auxprop_plug_t **plugin,
		       const char *name)
{
	static sasl_auxprop_plug_t own = { .auxprop_lookup = look_up,
					   .name = plugin_name };

	if (max_version < SASL_AUXPROP_PLUG_VERSION)
		return SASL_BADVERS;
	*version = SASL_AUXPROP_PLUG_VERSION;
	*plugin = &own;
	return SASL_OK;
}

bool pl_sasl_fail(struct pl_error *error, const char *what, int result)
{
	return pl_error_set(error, "%s: %s", what,
			    sasl_errstring(result, NULL, NULL));
}

bool pl_sasl_global_init(struct pl_error *error)
{
	int result = sasl_server_init(callbacks, "parley");

	/* Only after the server's init is there something to register with. */
	if (result == SASL_OK)
		result = sasl_auxprop_add_plugin(plugin_name, give_plugin);
	if (result == SASL_OK)
		result = sasl_client_init(callbacks);
	if (result == SASL_OK)
		return true;
	pl_sasl_fail(error, "starting SASL", result);
	pl_sasl_global_finish();
	return false;
}

void pl_sasl_global_finish(void)
{
	pl_sasl_client_forget();
	sasl_client_done();
	sasl_server_done();
}

int pl_sasl_copy_user(sasl_conn_t *conn, void *context, const char *in,
		      unsigned in_length, unsigned flags, const char *realm,
		      char *out, unsigned out_max, unsigned *out_length)
{
	if (in_length >= out_max)
		return SASL_BUFOVER;
	memcpy(out, in, in_length);
	out[in_length] = '\0';
	*out_length = in_length;
	return SASL_OK;
}
