/*
 * options.h: what all verbs share that negotiate by themselves; used as the
 * options of render.h are.
 */
#ifndef PARLEY_CLI_OPTIONS_H
#define PARLEY_CLI_OPTIONS_H

#include <getopt.h>

#include "world.h"

enum {
	WAY_OPTION_FROM = 0x500,
	WAY_OPTION_CERT,
	WAY_OPTION_KEY,
	WAY_OPTION_CA,
	WAY_OPTION_RESOLV_CONF,
	WAY_OPTION_TRUST_ANCHOR,
	WAY_OPTION_ALLOW_LOOPBACK,
	WAY_OPTION_CONNECT,
	WAY_OPTION_DIRECT_TLS,
	WAY_OPTION_STARTTLS,
	WAY_OPTION_SNI,
	WAY_OPTION_NO_CLIENT_CERT,
	WAY_OPTION_TIMEOUT,
	WAY_OPTION_LISTEN,
	WAY_OPTION_ODD,
	WAY_OPTION_LAST,
};
#define WAY_SHORT "c:"
#define WAY_OPTIONS \
	{ "config", required_argument, NULL, 'c' }, \
	{ "from", required_argument, NULL, WAY_OPTION_FROM }, \
	{ "cert", required_argument, NULL, WAY_OPTION_CERT }, \
	{ "key", required_argument, NULL, WAY_OPTION_KEY }, \
	{ "ca", required_argument, NULL, WAY_OPTION_CA }, \
	{ "resolv-conf", required_argument, NULL, WAY_OPTION_RESOLV_CONF }, \
	{ "trust-anchor", required_argument, NULL, WAY_OPTION_TRUST_ANCHOR }, \
	{ "allow-loopback", no_argument, NULL, WAY_OPTION_ALLOW_LOOPBACK }, \
	{ "connect", required_argument, NULL, WAY_OPTION_CONNECT }, \
	{ "direct-tls", no_argument, NULL, WAY_OPTION_DIRECT_TLS }, \
	{ "starttls", no_argument, NULL, WAY_OPTION_STARTTLS }, \
	{ "sni", required_argument, NULL, WAY_OPTION_SNI }, \
	{ "no-client-cert", no_argument, NULL, WAY_OPTION_NO_CLIENT_CERT }, \
	{ "timeout", required_argument, NULL, WAY_OPTION_TIMEOUT }, \
	{ "listen", required_argument, NULL, WAY_OPTION_LISTEN }, \
	{ "odd", required_argument, NULL, WAY_OPTION_ODD }

#define WAY_HELP \
"  -c, --config FILE     hosts, trust, DNS and partners of a parleyd; without it\n" \
"                        the system's trust and resolver, and row 7\n" \
"      --from LOCAL      who we are (the first host of FILE; else this machine)\n" \
"      --cert FILE, --key FILE\n" \
"                        our certificate chain and its key, PEM\n" \
"      --no-client-cert  show no certificate\n" \
"      --ca FILE         trust these CAs, and no others\n" \
"      --resolv-conf FILE  ask the name servers of this file\n" \
"      --trust-anchor FILE  DNSSEC begins with the keys of this file\n" \
"      --allow-loopback  DNS may lead to loopback and link-local addresses\n" \
"      --connect HOST:PORT  connect there in place of what DNS says\n" \
"      --direct-tls      TLS from the first byte alone (XEP-0368)\n" \
"      --starttls        STARTTLS alone\n" \
"      --sni NAME        show this name in TLS in place of DOMAIN\n" \
"      --timeout S       seconds for each negotiation (60)\n" \
"      --listen ADDR:PORT  answer db:verify there, where no parleyd does\n" \
"      --odd LIST        be odd in legal ways: see parley-listen(1)\n"

/* Is it one of ours? */
bool way_is_option(int option);
/* Takes it. False: what is wrong was said; end with CLI_USAGE. */
bool way_option(struct cli_way *way, int option, const char *value);
/* When all are taken: do they fit together? False as above. */
bool way_ready(struct cli_way *way);

/* "tls=required,sasl=optional,dialback=yes"; what is left out is as in a
 * partner section. False as above. */
bool way_policy(struct cli_way *way, const char *value);
/* A row's number, valid or not. 0: what is wrong was said. */
int way_row(const struct cli_way *way, const char *value);

/* The command line as a shell takes it again. Free it. */
char *way_command(int argc, char **argv);

#endif
