/*
 * The closed lists that outcomes are told in, and their names.
 *
 * Every list is one array, indexed by its enum; tests/core/reason_test.c sees
 * to it that no name is missing and that each is found again by its text.
 */
#include "parley/reason.h"

#include <assert.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct pl_code_entry codes[PL_CODES] = {
	[PL_CODE_NONE] = {
		"none", PL_STAGE_ESTABLISHED, PL_SIDE_EITHER, 0,
		"nothing went wrong", "nothing",
	},
	[PL_CODE_CERTIFICATE_DANE] = {
		"certificate-dane", PL_STAGE_TLS, PL_SIDE_PEER, 5,
		"DANE records do not match the peer's certificate",
		"ask the peer to correct its TLSA records",
	},
	[PL_CODE_CERTIFICATE_EXPIRED] = {
		"certificate-expired", PL_STAGE_TLS, PL_SIDE_PEER, 5,
		"the peer's certificate has expired",
		"ask the peer to renew it",
	},
	[PL_CODE_CERTIFICATE_INVALID] = {
		"certificate-invalid", PL_STAGE_TLS, PL_SIDE_PEER, 5,
		"the peer's certificate is not acceptable",
		"ask the peer to renew it",
	},
	[PL_CODE_CERTIFICATE_MISSING] = {
		"certificate-missing", PL_STAGE_SASL, PL_SIDE_PEER, 5,
		"the peer showed no certificate",
		"ask the peer to send one",
	},
	[PL_CODE_CERTIFICATE_NOT_YET_VALID] = {
		"certificate-not-yet-valid", PL_STAGE_TLS, PL_SIDE_EITHER, 5,
		"not yet valid: wrong clock here or there",
		"compare the clocks",
	},
	[PL_CODE_CERTIFICATE_PURPOSE] = {
		"certificate-purpose", PL_STAGE_TLS, PL_SIDE_PEER, 5,
		"the peer's certificate is not meant for servers",
		"ask the peer for one with serverAuth",
	},
	[PL_CODE_CERTIFICATE_UNKNOWN_CA] = {
		"certificate-unknown-ca", PL_STAGE_TLS, PL_SIDE_EITHER, 5,
		"issuer not trusted here, or an intermediate is not sent",
		"add its CA or ask for the full chain",
	},
	[PL_CODE_CERTIFICATE_WRONG_NAME] = {
		"certificate-wrong-name", PL_STAGE_TLS, PL_SIDE_PEER, 5,
		"the peer's certificate does not name its domain",
		"ask the peer for a certificate with a DNS-ID of its domain",
	},
	[PL_CODE_COMPONENT_REFUSED] = {
		"component-refused", PL_STAGE_STREAM, PL_SIDE_EITHER, 6,
		"a local service has the wrong secret, or is attached already",
		"compare its secret with that of its component section",
	},
	[PL_CODE_CONNECTION_LIMIT] = {
		"connection-limit", PL_STAGE_POLICY, PL_SIDE_US, 7,
		"too many connections",
		"raise connection-limit, or look for a flood",
	},
	[PL_CODE_DIALBACK_CANNOT_REACH_US] = {
		"dialback-cannot-reach-us", PL_STAGE_DIALBACK, PL_SIDE_US, 6,
		"the peer cannot reach our server",
		"check our SRV record and firewall",
	},
	[PL_CODE_DIALBACK_INVALID] = {
		"dialback-invalid", PL_STAGE_DIALBACK, PL_SIDE_US, 6,
		"the peer says our key is invalid",
		"same dialback secret on all nodes; DNS of ours",
	},
	[PL_CODE_DIALBACK_NOT_ALLOWED] = {
		"dialback-not-allowed", PL_STAGE_DIALBACK, PL_SIDE_EITHER, 7,
		"the peer asked for dialback, which our row does not allow here",
		"set dialback = yes, or ask the peer to use SASL",
	},
	[PL_CODE_DIALBACK_NOT_OFFERED] = {
		"dialback-not-offered", PL_STAGE_FEATURES, PL_SIDE_EITHER, 7,
		"our row leaves only dialback and the peer takes none",
		"enable SASL for this partner, or ask the peer for dialback",
	},
	[PL_CODE_DIALBACK_REFUSED] = {
		"dialback-refused", PL_STAGE_DIALBACK, PL_SIDE_EITHER, 6,
		"the peer does not take dialback",
		"enable SASL for this partner",
	},
	[PL_CODE_DIALBACK_TIMEOUT] = {
		"dialback-timeout", PL_STAGE_DIALBACK, PL_SIDE_PEER, 9,
		"no answer to our key",
		"ask the peer",
	},
	[PL_CODE_DNS_BOGUS] = {
		"dns-bogus", PL_STAGE_DNS, PL_SIDE_PEER, 3,
		"DNSSEC validation fails",
		"ask its owner to re-sign the zone",
	},
	[PL_CODE_DNS_NO_ADDRESS] = {
		"dns-no-address", PL_STAGE_DNS, PL_SIDE_PEER, 3,
		"the SRV target has no address",
		"ask its owner to correct the SRV record",
	},
	[PL_CODE_DNS_NO_SERVICE] = {
		"dns-no-service", PL_STAGE_DNS, PL_SIDE_PEER, 3,
		"the domain says it has no server",
		"ask its owner",
	},
	[PL_CODE_DNS_NO_SUCH_DOMAIN] = {
		"dns-no-such-domain", PL_STAGE_DNS, PL_SIDE_PEER, 3,
		"the name does not exist",
		"check the spelling; then ask its owner",
	},
	[PL_CODE_DNS_RESOLVER_UNREACHABLE] = {
		"dns-resolver-unreachable", PL_STAGE_DNS, PL_SIDE_US, 3,
		"our resolver does not answer",
		"check resolv.conf",
	},
	[PL_CODE_DNS_SERVER_FAILURE] = {
		"dns-server-failure", PL_STAGE_DNS, PL_SIDE_PEER, 3,
		"the domain's name servers do not answer",
		"ask its owner",
	},
	[PL_CODE_FEATURES_TIMEOUT] = {
		"features-timeout", PL_STAGE_FEATURES, PL_SIDE_PEER, 9,
		"no features came",
		"ask the peer",
	},
	[PL_CODE_FROM_LOCAL] = {
		"from-local", PL_STAGE_STREAM, PL_SIDE_PEER, 8,
		"the peer claims a domain that is ours, or we reached ourselves",
		"check DNS for a loop",
	},
	[PL_CODE_HEADER_TIMEOUT] = {
		"header-timeout", PL_STAGE_STREAM, PL_SIDE_PEER, 9,
		"no stream header came",
		"ask the peer",
	},
	[PL_CODE_HOST_UNKNOWN] = {
		"host-unknown", PL_STAGE_STREAM, PL_SIDE_PEER, 8,
		"the server does not serve this domain",
		"correct the SRV record or the host list",
	},
	[PL_CODE_INTERNAL] = {
		"internal", PL_STAGE_ERROR, PL_SIDE_US, 10,
		"a fault of ours",
		"report it with the trace",
	},
	[PL_CODE_INVALID_AUTHZID] = {
		"invalid-authzid", PL_STAGE_SASL, PL_SIDE_PEER, 6,
		"authzid is not the stream's from",
		"report to the peer",
	},
	[PL_CODE_LIMIT_EXCEEDED] = {
		"limit-exceeded", PL_STAGE_STREAM, PL_SIDE_PEER, 8,
		"more bytes, depth, elements or attributes than we allow",
		"raise the limit for this partner if it is honest",
	},
	[PL_CODE_NEGOTIATION_TIMEOUT] = {
		"negotiation-timeout", PL_STAGE_STREAM, PL_SIDE_EITHER, 9,
		"the whole negotiation took too long",
		"see the last stage reached",
	},
	[PL_CODE_NOT_WELL_FORMED] = {
		"not-well-formed", PL_STAGE_STREAM, PL_SIDE_PEER, 8,
		"XML that cannot be parsed",
		"report to the peer",
	},
	[PL_CODE_NOT_XMPP] = {
		"not-xmpp", PL_STAGE_STREAM, PL_SIDE_PEER, 8,
		"this is not an XMPP server",
		"check address and port",
	},
	[PL_CODE_NOTHING_OFFERED] = {
		"nothing-offered", PL_STAGE_FEATURES, PL_SIDE_US, 7,
		"the peer offers nothing after TLS",
		"it probably does not accept our certificate",
	},
	[PL_CODE_OWN_CERTIFICATE_EXPIRED] = {
		"own-certificate-expired", PL_STAGE_SASL, PL_SIDE_US, 6,
		"our certificate has expired",
		"renew it",
	},
	[PL_CODE_OWN_CERTIFICATE_MISSING] = {
		"own-certificate-missing", PL_STAGE_SASL, PL_SIDE_US, 6,
		"we have no certificate for this domain",
		"give the host a certificate",
	},
	[PL_CODE_OWN_CERTIFICATE_PURPOSE] = {
		"own-certificate-purpose", PL_STAGE_SASL, PL_SIDE_US, 6,
		"our certificate lacks clientAuth",
		"get one with clientAuth",
	},
	[PL_CODE_OWN_CERTIFICATE_REJECTED] = {
		"own-certificate-rejected", PL_STAGE_TLS, PL_SIDE_US, 5,
		"the peer does not accept our certificate",
		"use a certificate of a CA that it trusts",
	},
	[PL_CODE_PARTNER_UNKNOWN] = {
		"partner-unknown", PL_STAGE_POLICY, PL_SIDE_US, 7,
		"no partner entry",
		"add one",
	},
	[PL_CODE_PEER_CLOSED] = {
		"peer-closed", PL_STAGE_STREAM, PL_SIDE_PEER, 8,
		"the peer closed without a word",
		"look into the peer's log",
	},
	[PL_CODE_PEER_REQUIRES_SASL] = {
		"peer-requires-sasl", PL_STAGE_FEATURES, PL_SIDE_EITHER, 7,
		"the peer takes only SASL, our row only dialback",
		"set sasl = optional or ask for dialback",
	},
	[PL_CODE_PEER_REQUIRES_TLS] = {
		"peer-requires-tls", PL_STAGE_FEATURES, PL_SIDE_US, 7,
		"the peer requires TLS, our row excludes it",
		"set tls = optional for this partner",
	},
	[PL_CODE_PEER_STREAM_ERROR] = {
		"peer-stream-error", PL_STAGE_STREAM, PL_SIDE_PEER, 8,
		"the peer sent a stream error",
		"read its condition",
	},
	[PL_CODE_PLAINTEXT_BEHIND_STARTTLS] = {
		"plaintext-behind-starttls", PL_STAGE_STARTTLS, PL_SIDE_PEER, 5,
		"bytes in clear behind the STARTTLS exchange: injection, or a broken peer",
		"do not relax; look who is on the path",
	},
	[PL_CODE_PROTOCOL_VIOLATION] = {
		"protocol-violation", PL_STAGE_STREAM, PL_SIDE_PEER, 8,
		"the peer sent what may not come there",
		"report it to the peer with the trace",
	},
	[PL_CODE_RESTRICTED_XML] = {
		"restricted-xml", PL_STAGE_STREAM, PL_SIDE_PEER, 8,
		"DTD, comment, processing instruction or entity in a stream",
		"report to the peer",
	},
	[PL_CODE_ROW_NOT_VALID] = {
		"row-not-valid", PL_STAGE_POLICY, PL_SIDE_US, 7,
		"row is not valid",
		"see parley policy",
	},
	[PL_CODE_SASL_NOT_OFFERED] = {
		"sasl-not-offered", PL_STAGE_FEATURES, PL_SIDE_EITHER, 7,
		"no EXTERNAL offered to us",
		"the peer probably does not trust our certificate's CA",
	},
	[PL_CODE_SASL_REFUSED] = {
		"sasl-refused", PL_STAGE_SASL, PL_SIDE_EITHER, 6,
		"EXTERNAL refused",
		"compare our certificate with the CAs that the peer trusts",
	},
	[PL_CODE_SHUTDOWN] = {
		"shutdown", PL_STAGE_CLOSE, PL_SIDE_US, 10,
		"this daemon was shutting down",
		"nothing; try again",
	},
	[PL_CODE_STARTTLS_REFUSED] = {
		"starttls-refused", PL_STAGE_STARTTLS, PL_SIDE_PEER, 5,
		"the peer answered failure",
		"look into the peer's log",
	},
	[PL_CODE_TCP_REFUSED] = {
		"tcp-refused", PL_STAGE_TCP, PL_SIDE_PEER, 4,
		"nothing listens there",
		"ask the peer whether the server runs",
	},
	[PL_CODE_TCP_TIMEOUT] = {
		"tcp-timeout", PL_STAGE_TCP, PL_SIDE_PEER, 4,
		"no answer to SYN",
		"ask the peer about a firewall",
	},
	[PL_CODE_TCP_UNREACHABLE] = {
		"tcp-unreachable", PL_STAGE_TCP, PL_SIDE_US, 4,
		"no route",
		"check our network",
	},
	[PL_CODE_TLS_CLOSED] = {
		"tls-closed", PL_STAGE_TLS, PL_SIDE_PEER, 5,
		"connection closed in the handshake",
		"look into the peer's log",
	},
	[PL_CODE_TLS_FAILED] = {
		"tls-failed", PL_STAGE_TLS, PL_SIDE_EITHER, 5,
		"handshake failed",
		"see why",
	},
	[PL_CODE_TLS_NOT_OFFERED] = {
		"tls-not-offered", PL_STAGE_FEATURES, PL_SIDE_PEER, 7,
		"no STARTTLS, our row needs it",
		"ask the peer to enable TLS",
	},
	[PL_CODE_TLS_NOT_SPOKEN] = {
		"tls-not-spoken", PL_STAGE_TLS, PL_SIDE_PEER, 5,
		"this port does not speak TLS at once",
		"correct the _xmpps-server record",
	},
	[PL_CODE_TLS_TIMEOUT] = {
		"tls-timeout", PL_STAGE_TLS, PL_SIDE_PEER, 9,
		"handshake stalled",
		"ask the peer",
	},
	[PL_CODE_TLS_VERSION] = {
		"tls-version", PL_STAGE_TLS, PL_SIDE_PEER, 5,
		"no common TLS version",
		"ask the peer to enable TLS 1.2 or 1.3",
	},
	[PL_CODE_VERIFY_INVALID] = {
		"verify-invalid", PL_STAGE_DIALBACK, PL_SIDE_PEER, 6,
		"the authoritative server denies the key",
		"possible forgery",
	},
	[PL_CODE_VERIFY_TIMEOUT] = {
		"verify-timeout", PL_STAGE_DIALBACK, PL_SIDE_PEER, 9,
		"the authoritative server does not answer",
		"ask the peer",
	},
	[PL_CODE_VERIFY_UNREACHABLE] = {
		"verify-unreachable", PL_STAGE_DIALBACK, PL_SIDE_PEER, 6,
		"the authoritative server cannot be reached",
		"ask the peer to check its SRV record and port",
	},
	[PL_CODE_WRONG_NAMESPACE] = {
		"wrong-namespace", PL_STAGE_STREAM, PL_SIDE_PEER, 8,
		"not a server-to-server port",
		"correct the SRV port",
	},
};

const struct pl_code_entry *pl_code_entry(enum pl_code code)
{
	assert((unsigned)code < PL_CODES);
	return &codes[code];
}

bool pl_code_parse(const char *name, enum pl_code *out)
{
	for (size_t i = 0; i < PL_CODES; i++) {
		if (strcmp(codes[i].name, name) == 0) {
			*out = (enum pl_code)i;
			return true;
		}
	}
	return false;
}

static const char *const stages[] = {
	[PL_STAGE_DNS] = "dns",
	[PL_STAGE_TCP] = "tcp",
	[PL_STAGE_TLS] = "tls",
	[PL_STAGE_STREAM] = "stream",
	[PL_STAGE_FEATURES] = "features",
	[PL_STAGE_STARTTLS] = "starttls",
	[PL_STAGE_SASL] = "sasl",
	[PL_STAGE_DIALBACK] = "dialback",
	[PL_STAGE_POLICY] = "policy",
	[PL_STAGE_ESTABLISHED] = "established",
	[PL_STAGE_STANZA] = "stanza",
	[PL_STAGE_CLOSE] = "close",
	[PL_STAGE_ERROR] = "error",
};

static const char *const sides[] = {
	[PL_SIDE_US] = "us",
	[PL_SIDE_PEER] = "peer",
	[PL_SIDE_NETWORK] = "network",
	[PL_SIDE_EITHER] = "either",
};

static const char *const certificates[PL_CERTS] = {
	[PL_CERT_NONE] = "none",
	[PL_CERT_VALID] = "valid",
	[PL_CERT_EXPIRED] = "invalid:expired",
	[PL_CERT_NOT_YET_VALID] = "invalid:not-yet-valid",
	[PL_CERT_SELF_SIGNED] = "invalid:self-signed",
	[PL_CERT_UNKNOWN_CA] = "invalid:unknown-ca",
	[PL_CERT_WRONG_NAME] = "invalid:wrong-name",
	[PL_CERT_PURPOSE] = "invalid:purpose",
	[PL_CERT_REVOKED] = "invalid:revoked",
	[PL_CERT_DANE_MISMATCH] = "invalid:dane-mismatch",
	[PL_CERT_WEAK] = "invalid:weak",
	[PL_CERT_CHAIN_INCOMPLETE] = "invalid:chain-incomplete",
	[PL_CERT_OTHER] = "invalid:other",
};

static const char *const conditions[PL_CONDS] = {
	[PL_COND_NONE] = "none",
	[PL_COND_BAD_FORMAT] = "bad-format",
	[PL_COND_BAD_NAMESPACE_PREFIX] = "bad-namespace-prefix",
	[PL_COND_CONFLICT] = "conflict",
	[PL_COND_CONNECTION_TIMEOUT] = "connection-timeout",
	[PL_COND_HOST_GONE] = "host-gone",
	[PL_COND_HOST_UNKNOWN] = "host-unknown",
	[PL_COND_IMPROPER_ADDRESSING] = "improper-addressing",
	[PL_COND_INTERNAL_SERVER_ERROR] = "internal-server-error",
	[PL_COND_INVALID_FROM] = "invalid-from",
	[PL_COND_INVALID_NAMESPACE] = "invalid-namespace",
	[PL_COND_INVALID_XML] = "invalid-xml",
	[PL_COND_NOT_AUTHORIZED] = "not-authorized",
	[PL_COND_NOT_WELL_FORMED] = "not-well-formed",
	[PL_COND_POLICY_VIOLATION] = "policy-violation",
	[PL_COND_REMOTE_CONNECTION_FAILED] = "remote-connection-failed",
	[PL_COND_RESET] = "reset",
	[PL_COND_RESOURCE_CONSTRAINT] = "resource-constraint",
	[PL_COND_RESTRICTED_XML] = "restricted-xml",
	[PL_COND_SEE_OTHER_HOST] = "see-other-host",
	[PL_COND_SYSTEM_SHUTDOWN] = "system-shutdown",
	[PL_COND_UNDEFINED_CONDITION] = "undefined-condition",
	[PL_COND_UNSUPPORTED_ENCODING] = "unsupported-encoding",
	[PL_COND_UNSUPPORTED_FEATURE] = "unsupported-feature",
	[PL_COND_UNSUPPORTED_STANZA_TYPE] = "unsupported-stanza-type",
	[PL_COND_UNSUPPORTED_VERSION] = "unsupported-version",
};

struct stanza_condition {
	const char *name;
	const char *type;
};

/* Types as RFC 6120 8.3.3 recommends them; remote-connection-failed is of
 * XEP-0220 alone and goes with its neighbours. */
static const struct stanza_condition stanza_conditions[PL_SCS] = {
	[PL_SC_NONE] = { "none", "cancel" },
	[PL_SC_BAD_REQUEST] = { "bad-request", "modify" },
	[PL_SC_FEATURE_NOT_IMPLEMENTED] = { "feature-not-implemented", "cancel" },
	[PL_SC_FORBIDDEN] = { "forbidden", "auth" },
	[PL_SC_INTERNAL_SERVER_ERROR] = { "internal-server-error", "cancel" },
	[PL_SC_ITEM_NOT_FOUND] = { "item-not-found", "cancel" },
	[PL_SC_JID_MALFORMED] = { "jid-malformed", "modify" },
	[PL_SC_NOT_ACCEPTABLE] = { "not-acceptable", "modify" },
	[PL_SC_NOT_ALLOWED] = { "not-allowed", "cancel" },
	[PL_SC_NOT_AUTHORIZED] = { "not-authorized", "auth" },
	[PL_SC_POLICY_VIOLATION] = { "policy-violation", "modify" },
	[PL_SC_REMOTE_CONNECTION_FAILED] = { "remote-connection-failed", "cancel" },
	[PL_SC_REMOTE_SERVER_NOT_FOUND] = { "remote-server-not-found", "cancel" },
	[PL_SC_REMOTE_SERVER_TIMEOUT] = { "remote-server-timeout", "wait" },
	[PL_SC_RESOURCE_CONSTRAINT] = { "resource-constraint", "wait" },
	[PL_SC_SERVICE_UNAVAILABLE] = { "service-unavailable", "cancel" },
	[PL_SC_UNDEFINED_CONDITION] = { "undefined-condition", "cancel" },
	[PL_SC_UNEXPECTED_REQUEST] = { "unexpected-request", "wait" },
};

static const char *const sasl_conditions[PL_SASLS] = {
	[PL_SASL_NONE] = "none",
	[PL_SASL_ABORTED] = "aborted",
	[PL_SASL_ENCRYPTION_REQUIRED] = "encryption-required",
	[PL_SASL_INCORRECT_ENCODING] = "incorrect-encoding",
	[PL_SASL_INVALID_AUTHZID] = "invalid-authzid",
	[PL_SASL_INVALID_MECHANISM] = "invalid-mechanism",
	[PL_SASL_MALFORMED_REQUEST] = "malformed-request",
	[PL_SASL_NOT_AUTHORIZED] = "not-authorized",
	[PL_SASL_TEMPORARY_AUTH_FAILURE] = "temporary-auth-failure",
};

const char *pl_stage_name(enum pl_stage stage)
{
	return (size_t)stage < COUNT(stages) ? stages[stage] : "unknown";
}

const char *pl_side_name(enum pl_side side)
{
	return (size_t)side < COUNT(sides) ? sides[side] : "unknown";
}

const char *pl_certificate_name(enum pl_certificate verdict)
{
	return (size_t)verdict < PL_CERTS ? certificates[verdict] : "unknown";
}

enum pl_code pl_certificate_code(enum pl_certificate verdict)
{
	switch (verdict) {
	case PL_CERT_NONE:
		return PL_CODE_CERTIFICATE_MISSING;
	case PL_CERT_VALID:
		return PL_CODE_NONE;
	case PL_CERT_EXPIRED:
		return PL_CODE_CERTIFICATE_EXPIRED;
	case PL_CERT_NOT_YET_VALID:
		return PL_CODE_CERTIFICATE_NOT_YET_VALID;
	case PL_CERT_SELF_SIGNED:
	case PL_CERT_UNKNOWN_CA:
	case PL_CERT_CHAIN_INCOMPLETE:
		return PL_CODE_CERTIFICATE_UNKNOWN_CA;
	case PL_CERT_WRONG_NAME:
		return PL_CODE_CERTIFICATE_WRONG_NAME;
	case PL_CERT_PURPOSE:
		return PL_CODE_CERTIFICATE_PURPOSE;
	case PL_CERT_DANE_MISMATCH:
		return PL_CODE_CERTIFICATE_DANE;
	case PL_CERT_REVOKED:
	case PL_CERT_WEAK:
	case PL_CERT_OTHER:
	case PL_CERTS:
		break;
	}
	return PL_CODE_CERTIFICATE_INVALID;
}

const char *pl_condition_name(enum pl_condition condition)
{
	return (size_t)condition < PL_CONDS ? conditions[condition] : "unknown";
}

enum pl_condition pl_condition_parse(const char *name)
{
	for (size_t i = PL_COND_NONE + 1; i < PL_CONDS; i++)
		if (strcmp(conditions[i], name) == 0)
			return (enum pl_condition)i;
	/* RFC 3920 names (RFC 6120, appendix D). */
	if (strcmp(name, "xml-not-well-formed") == 0)
		return PL_COND_NOT_WELL_FORMED;
	return PL_COND_UNDEFINED_CONDITION;
}

const char *pl_stanza_condition_name(enum pl_stanza_condition condition)
{
	return (size_t)condition < PL_SCS ? stanza_conditions[condition].name
					  : "unknown";
}

enum pl_stanza_condition pl_stanza_condition_parse(const char *name)
{
	for (size_t i = PL_SC_NONE + 1; i < PL_SCS; i++)
		if (strcmp(stanza_conditions[i].name, name) == 0)
			return (enum pl_stanza_condition)i;
	return PL_SC_UNDEFINED_CONDITION;
}

const char *pl_stanza_condition_type(enum pl_stanza_condition condition)
{
	return (size_t)condition < PL_SCS ? stanza_conditions[condition].type
					  : "cancel";
}

const char *pl_sasl_condition_name(enum pl_sasl_condition condition)
{
	return (size_t)condition < PL_SASLS ? sasl_conditions[condition]
					    : "unknown";
}

enum pl_sasl_condition pl_sasl_condition_parse(const char *name)
{
	for (size_t i = PL_SASL_NONE + 1; i < PL_SASLS; i++)
		if (strcmp(sasl_conditions[i], name) == 0)
			return (enum pl_sasl_condition)i;
	return PL_SASL_NOT_AUTHORIZED;
}
