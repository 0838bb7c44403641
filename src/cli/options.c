/* Options of the verbs that negotiate by themselves. */
#include "options.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parley/stream.h"

enum { MOST_SECONDS = 3600 };

bool way_is_option(int option)
{
	return option == 'c' ||
	       (option >= WAY_OPTION_FROM && option < WAY_OPTION_LAST);
}

static bool take_timeout(struct cli_way *way, const char *value)
{
	char *end;
	double seconds = strtod(value, &end);

	if (end == value || *end != '\0' || !(seconds >= 0.1) ||
	    seconds > MOST_SECONDS) {
		cli_usage(way->verb, "--timeout: \"%s\" is no number of "
			  "seconds from 0.1 to %d", value, MOST_SECONDS);
		return false;
	}
	way->timeout = seconds;
	return true;
}

static bool take_endpoint(const struct cli_way *way, const char *option,
			  const char *value, const char **out)
{
	struct pl_error error = { .text = "" };
	char host[PL_ASCII_DOMAIN_SIZE];
	unsigned short port;

	if (!pl_addr_endpoint(value, host, &port, &error)) {
		cli_usage(way->verb, "%s %s: %s", option, value, error.text);
		return false;
	}
	*out = value;
	return true;
}

static bool take_odd(struct cli_way *way, const char *list)
{
	struct pl_error error = { .text = "" };
	unsigned odd;

	if (!pl_odd_parse(list, &odd, &error)) {
		cli_usage(way->verb, "--odd: %s; \"parley listen --help\" "
			  "lists them", error.text);
		return false;
	}
	way->odd |= odd;
	return true;
}

static bool take_tls(struct cli_way *way, enum cli_tls_way tls)
{
	if (way->tls != CLI_TLS_ANY && way->tls != tls) {
		cli_usage(way->verb, "--direct-tls and --starttls exclude "
			  "each other");
		return false;
	}
	way->tls = tls;
	return true;
}

bool way_option(struct cli_way *way, int option, const char *value)
{
	switch (option) {
	case 'c': way->configuration = value; return true;
	case WAY_OPTION_FROM: way->local = value; return true;
	case WAY_OPTION_CERT: way->certificate = value; return true;
	case WAY_OPTION_KEY: way->private_key = value; return true;
	case WAY_OPTION_CA: way->ca_file = value; return true;
	case WAY_OPTION_RESOLV_CONF: way->resolv_conf = value; return true;
	case WAY_OPTION_TRUST_ANCHOR: way->trust_anchor = value; return true;
	case WAY_OPTION_ALLOW_LOOPBACK: way->allow_loopback = true; return true;
	case WAY_OPTION_CONNECT:
		return take_endpoint(way, "--connect", value, &way->connect);
	case WAY_OPTION_DIRECT_TLS: return take_tls(way, CLI_TLS_DIRECT);
	case WAY_OPTION_STARTTLS: return take_tls(way, CLI_TLS_STARTTLS);
	case WAY_OPTION_SNI: way->sni = value; return true;
	case WAY_OPTION_NO_CLIENT_CERT: way->no_certificate = true; return true;
	case WAY_OPTION_TIMEOUT: return take_timeout(way, value);
	case WAY_OPTION_LISTEN:
		return take_endpoint(way, "--listen", value, &way->listen);
	case WAY_OPTION_ODD: return take_odd(way, value);
	default: return false;
	}
}

bool way_ready(struct cli_way *way)
{
	char name[PL_DOMAIN_SIZE];
	struct pl_error error = { .text = "" };

	if ((way->certificate == NULL) != (way->private_key == NULL)) {
		cli_usage(way->verb, "--cert and --key belong together");
		return false;
	}
	if (way->sni != NULL &&
	    !pl_addr_domain(way->sni, strlen(way->sni), name, &error)) {
		cli_usage(way->verb, "--sni %s: %s", way->sni, error.text);
		return false;
	}
	return true;
}

/* ----- policies ----- */

bool way_policy(struct cli_way *way, const char *value)
{
	char copy[120], *save = NULL, *word;
	const char *tls = "required", *sasl = "optional", *dialback = "yes";

	snprintf(copy, sizeof copy, "%s", value);
	for (word = strtok_r(copy, ",", &save); word != NULL;
	     word = strtok_r(NULL, ",", &save)) {
		if (strncmp(word, "tls=", 4) == 0)
			tls = word + 4;
		else if (strncmp(word, "sasl=", 5) == 0)
			sasl = word + 5;
		else if (strncmp(word, "dialback=", 9) == 0)
			dialback = word + 9;
		else
			tls = "";
	}
	if (!cli_parse_policy(tls, sasl, dialback, &way->policy)) {
		cli_usage(way->verb, "--policy \"%s\": it is written tls=LEVEL,"
			  "sasl=LEVEL,dialback=yes|no, and a LEVEL is "
			  "required, optional or not-supported", value);
		return false;
	}
	way->policy_given = true;
	return true;
}

int way_row(const struct cli_way *way, const char *value)
{
	char *end;
	long row = strtol(value, &end, 10);

	if (end != value && *end == '\0' && row >= 1 && row <= PL_POLICY_ROWS)
		return (int)row;
	cli_usage(way->verb, "\"%s\" is no row: they are numbered 1 to %d",
		  value, PL_POLICY_ROWS);
	return 0;
}

/* ----- the command line ----- */

static bool is_plain(const char *word)
{
	if (*word == '\0')
		return false;
	for (; *word != '\0'; word++)
		if (!isalnum((unsigned char)*word) &&
		    strchr("-_=.,:/@+%[]", *word) == NULL)
			return false;
	return true;
}

static void add_word(struct pl_buffer *out, const char *word)
{
	if (is_plain(word)) {
		pl_buffer_text(out, word);
		return;
	}
	pl_buffer_text(out, "'");
	for (; *word != '\0'; word++) {
		if (*word == '\'')
			pl_buffer_text(out, "'\\''");
		else
			pl_buffer_append(out, word, 1);
	}
	pl_buffer_text(out, "'");
}

char *way_command(int argc, char **argv)
{
	struct pl_buffer out;
	char *command;

	pl_buffer_init(&out, 0);
	pl_buffer_text(&out, "parley");
	for (int i = 0; i < argc; i++) {
		pl_buffer_text(&out, " ");
		add_word(&out, argv[i]);
	}
	pl_buffer_append(&out, "", 1);
	command = pl_strdup((const char *)pl_buffer_bytes(&out));
	pl_buffer_finish(&out);
	return command;
}
