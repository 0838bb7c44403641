/* Where the rule behind a code is written. */
#include "view.h"

#include <string.h>

static const struct {
	const char *code, *text;
} specifications[] = {
	{ "certificate-dane", "RFC 6698; RFC 7673, section 3" },
	{ "certificate-expired", "RFC 5280, section 4.1.2.5" },
	{ "certificate-invalid", "RFC 5280, section 6; RFC 6120, section "
	  "13.7.2" },
	{ "certificate-missing", "XEP-0178, section 3" },
	{ "certificate-not-yet-valid", "RFC 5280, section 4.1.2.5" },
	{ "certificate-purpose", "RFC 5280, section 4.2.1.12" },
	{ "certificate-unknown-ca", "RFC 5280, section 6" },
	{ "certificate-wrong-name", "RFC 6120, section 13.7.1.2; RFC 6125, "
	  "section 6" },
	{ "component-refused", "XEP-0114, section 3" },
	{ "connection-limit", "RFC 6120, section 13.12; parley.conf(5)" },
	{ "dialback-cannot-reach-us", "XEP-0220, section 2.5" },
	{ "dialback-invalid", "XEP-0220, section 2.1; XEP-0185" },
	{ "dialback-not-allowed", "XEP-0220, section 2.5; parley.conf(5)" },
	{ "dialback-not-offered", "XEP-0220, section 2.4.1" },
	{ "dialback-refused", "XEP-0220, section 2.5" },
	{ "dialback-timeout", "XEP-0220, section 2.1.1" },
	{ "dns-bogus", "RFC 4033, section 5" },
	{ "dns-no-address", "RFC 2782" },
	{ "dns-no-service", "RFC 2782; RFC 6120, section 3.2.1" },
	{ "dns-no-such-domain", "RFC 2308; RFC 6120, section 3.2.1" },
	{ "dns-server-failure", "RFC 1035, section 4.1.1" },
	{ "features-timeout", "RFC 6120, section 4.3.2" },
	{ "header-timeout", "RFC 6120, section 4.2" },
	{ "host-unknown", "RFC 6120, section 4.9.3.6" },
	{ "invalid-authzid", "RFC 6120, section 6.5.6; XEP-0178, section 3" },
	{ "limit-exceeded", "RFC 6120, section 13.12" },
	{ "not-well-formed", "RFC 6120, section 4.9.3.13" },
	{ "not-xmpp", "RFC 6120, section 4.2" },
	{ "nothing-offered", "RFC 6120, section 4.3.2; XEP-0178, section 3" },
	{ "own-certificate-expired", "RFC 5280, section 4.1.2.5; XEP-0178, "
	  "section 3" },
	{ "own-certificate-missing", "XEP-0178, section 3" },
	{ "own-certificate-purpose", "RFC 5280, section 4.2.1.12" },
	{ "own-certificate-rejected", "RFC 8446, section 6.2; XEP-0178, "
	  "section 3" },
	{ "peer-requires-sasl", "RFC 6120, section 6.3.1" },
	{ "peer-requires-tls", "RFC 6120, section 5.3.1" },
	{ "peer-stream-error", "RFC 6120, section 4.9" },
	{ "plaintext", "RFC 7590, section 3.1; XEP-0220, section 3" },
	{ "plaintext-behind-starttls", "RFC 6120, section 5.3.3" },
	{ "protocol-violation", "RFC 6120, section 4.9" },
	{ "restricted-xml", "RFC 6120, section 11.1" },
	{ "sasl-not-offered", "RFC 6120, section 6.4.1; XEP-0178, section 3" },
	{ "sasl-refused", "RFC 6120, section 6.5; XEP-0178, section 3" },
	{ "shutdown", "RFC 6120, section 4.9.3.20" },
	{ "starttls-refused", "RFC 6120, section 5.4.2.2" },
	{ "tls-closed", "RFC 6120, section 5.4.3.2" },
	{ "tls-failed", "RFC 6120, section 5.4.3.2" },
	{ "tls-not-offered", "RFC 6120, section 5.3.1; RFC 7590, section 3.1" },
	{ "tls-not-spoken", "XEP-0368, section 3" },
	{ "tls-timeout", "RFC 6120, section 5.4.3.2" },
	{ "tls-version", "RFC 9325, section 3.1" },
	{ "verify-invalid", "XEP-0220, section 2.2" },
	{ "verify-timeout", "XEP-0220, section 2.5" },
	{ "verify-unreachable", "XEP-0220, section 2.5" },
	{ "wrong-namespace", "RFC 6120, section 4.9.3.10" },
};

const char *code_specification(const char *code)
{
	size_t count = sizeof specifications / sizeof *specifications;

	for (size_t i = 0; i < count; i++)
		if (strcmp(specifications[i].code, code) == 0)
			return specifications[i].text;
	return "";
}
