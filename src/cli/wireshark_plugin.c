/* parley wireshark-plugin: what Wireshark must be told to read a wire capture. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
"usage: parley wireshark-plugin > ~/.local/lib/wireshark/plugins/parley.lua\n"
"\n"
"Prints a small Lua file for Wireshark and tshark. Without it they know XMPP on\n"
"the client port 5222 alone; with it also between servers: on port 5269, in TLS\n"
"on port 5270, and in any TLS that says xmpp-server in its ALPN. A wire capture\n"
"of parley then shows its elements, and any other capture does for which there\n"
"are keys. An export of a trace as pcapng needs no plug-in.\n"
"\n"
"To try it once: parley wireshark-plugin > parley.lua;\n"
"                tshark -X lua_script:parley.lua -r FILE -Y xmpp\n"
"For STARTTLS on a port N of its own: -d tcp.port==N,xmpp; in Wireshark Analyze,\n"
"Decode As.\n"
"\n"
"Exit status: 0; 2 for wrong arguments.\n";

static const char plugin[] =
"-- XMPP between servers, for Wireshark and tshark: the dissector is there, but\n"
"-- is tied to the port of clients alone. From: parley wireshark-plugin\n"
"\n"
"local xmpp = Dissector.get(\"xmpp\")\n"
"\n"
"-- RFC 6120: in clear at first, then STARTTLS\n"
"DissectorTable.get(\"tcp.port\"):add(5269, xmpp)\n"
"-- XEP-0368: TLS from the first byte\n"
"DissectorTable.get(\"tls.port\"):add(5270, xmpp)\n"
"DissectorTable.get(\"tls.alpn\"):add(\"xmpp-server\", xmpp)\n";

static const char where[] =
"parley: this file belongs into ~/.local/lib/wireshark/plugins, with a name that\n"
"parley: ends in .lua; Wireshark's Help, About, Folders shows the place as\n"
"parley: \"Personal Lua Plugins\"\n";

int verb_wireshark_plugin(int argc, char **argv)
{
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 ||
			  strcmp(argv[1], "-h") == 0)) {
		fputs(usage, stdout);
		return CLI_OK;
	}
	if (argc > 1)
		return cli_usage("wireshark-plugin", "unexpected \"%s\": it "
				 "takes no arguments", argv[1]);
	fputs(plugin, stdout);
	fputs(where, stderr);
	return CLI_OK;
}
