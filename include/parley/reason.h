/*
 * reason.h: the closed lists that every outcome is told in.
 *
 * A negotiation ends in a method or in a code. The code names what went
 * wrong, the stage where, the side who must act, and the exit status that
 * the command line tool ends with; meaning and first step are what
 * `parley explain CODE` prints. Names stay for ever, the list may grow.
 *
 * Pure: static text only.
 */
#ifndef PARLEY_REASON_H
#define PARLEY_REASON_H

#include <stdbool.h>

/* Where in a negotiation something happened (closed list). */
enum pl_stage {
	PL_STAGE_DNS,
	PL_STAGE_TCP,
	PL_STAGE_TLS,
	PL_STAGE_STREAM,
	PL_STAGE_FEATURES,
	PL_STAGE_STARTTLS,
	PL_STAGE_SASL,
	PL_STAGE_DIALBACK,
	PL_STAGE_POLICY,
	PL_STAGE_ESTABLISHED,
	PL_STAGE_STANZA,
	PL_STAGE_CLOSE,
	PL_STAGE_ERROR,
};

/* Who must act. */
enum pl_side { PL_SIDE_US, PL_SIDE_PEER, PL_SIDE_NETWORK, PL_SIDE_EITHER };

/* In alphabetical order of their names, PL_CODE_NONE first. */
enum pl_code {
	PL_CODE_NONE,
	PL_CODE_CERTIFICATE_DANE,
	PL_CODE_CERTIFICATE_EXPIRED,
	PL_CODE_CERTIFICATE_INVALID,
	PL_CODE_CERTIFICATE_MISSING,
	PL_CODE_CERTIFICATE_NOT_YET_VALID,
	PL_CODE_CERTIFICATE_PURPOSE,
	PL_CODE_CERTIFICATE_UNKNOWN_CA,
	PL_CODE_CERTIFICATE_WRONG_NAME,
	PL_CODE_COMPONENT_REFUSED,
	PL_CODE_CONNECTION_LIMIT,
	PL_CODE_DIALBACK_CANNOT_REACH_US,
	PL_CODE_DIALBACK_INVALID,
	PL_CODE_DIALBACK_NOT_ALLOWED,
	PL_CODE_DIALBACK_NOT_OFFERED,
	PL_CODE_DIALBACK_REFUSED,
	PL_CODE_DIALBACK_TIMEOUT,
	PL_CODE_DNS_BOGUS,
	PL_CODE_DNS_NO_ADDRESS,
	PL_CODE_DNS_NO_SERVICE,
	PL_CODE_DNS_NO_SUCH_DOMAIN,
	PL_CODE_DNS_RESOLVER_UNREACHABLE,
	PL_CODE_DNS_SERVER_FAILURE,
	PL_CODE_FEATURES_TIMEOUT,
	PL_CODE_FROM_LOCAL,
	PL_CODE_HEADER_TIMEOUT,
	PL_CODE_HOST_UNKNOWN,
	PL_CODE_INTERNAL,
	PL_CODE_INVALID_AUTHZID,
	PL_CODE_LIMIT_EXCEEDED,
	PL_CODE_NEGOTIATION_TIMEOUT,
	PL_CODE_NOT_WELL_FORMED,
	PL_CODE_NOT_XMPP,
	PL_CODE_NOTHING_OFFERED,
	PL_CODE_OWN_CERTIFICATE_EXPIRED,
	PL_CODE_OWN_CERTIFICATE_MISSING,
	PL_CODE_OWN_CERTIFICATE_PURPOSE,
	PL_CODE_OWN_CERTIFICATE_REJECTED,
	PL_CODE_PARTNER_UNKNOWN,
	PL_CODE_PEER_CLOSED,
	PL_CODE_PEER_REQUIRES_SASL,
	PL_CODE_PEER_REQUIRES_TLS,
	PL_CODE_PEER_STREAM_ERROR,
	PL_CODE_PLAINTEXT_BEHIND_STARTTLS,
	PL_CODE_PROTOCOL_VIOLATION,
	PL_CODE_RESTRICTED_XML,
	PL_CODE_ROW_NOT_VALID,
	PL_CODE_SASL_NOT_OFFERED,
	PL_CODE_SASL_REFUSED,
	PL_CODE_SHUTDOWN,
	PL_CODE_STARTTLS_REFUSED,
	PL_CODE_TCP_REFUSED,
	PL_CODE_TCP_TIMEOUT,
	PL_CODE_TCP_UNREACHABLE,
	PL_CODE_TLS_CLOSED,
	PL_CODE_TLS_FAILED,
	PL_CODE_TLS_NOT_OFFERED,
	PL_CODE_TLS_NOT_SPOKEN,
	PL_CODE_TLS_TIMEOUT,
	PL_CODE_TLS_VERSION,
	PL_CODE_VERIFY_INVALID,
	PL_CODE_VERIFY_TIMEOUT,
	PL_CODE_VERIFY_UNREACHABLE,
	PL_CODE_WRONG_NAMESPACE,
	PL_CODES, /* how many */
};

struct pl_code_entry {
	const char *name;
	enum pl_stage stage; /* the usual one */
	enum pl_side side;   /* the usual one */
	int exit_status;
	const char *meaning;
	const char *first_step;
};

/* The entry of a code; PL_CODE_NONE has the name "none" and status 0. */
const struct pl_code_entry *pl_code_entry(enum pl_code code);

/* Finds a code by name; false where there is none. */
bool pl_code_parse(const char *name, enum pl_code *out);

const char *pl_stage_name(enum pl_stage stage);
const char *pl_side_name(enum pl_side side);

/* The verdict on a peer's certificate (closed list). A verdict is about chain
 * and name together; which name was asked is the asker's business. */
enum pl_certificate {
	PL_CERT_NONE,  /* no certificate was shown */
	PL_CERT_VALID,
	PL_CERT_EXPIRED,
	PL_CERT_NOT_YET_VALID,
	PL_CERT_SELF_SIGNED,
	PL_CERT_UNKNOWN_CA,
	PL_CERT_WRONG_NAME,
	PL_CERT_PURPOSE,
	PL_CERT_REVOKED,
	PL_CERT_DANE_MISMATCH,
	PL_CERT_WEAK,
	PL_CERT_CHAIN_INCOMPLETE,
	PL_CERT_OTHER,
	PL_CERTS, /* how many */
};

/* "none", "valid", "invalid:expired" ... as the outcome line has it. */
const char *pl_certificate_name(enum pl_certificate verdict);

/* The code that a bad (or missing) certificate of the peer fails with;
 * PL_CODE_NONE for a valid one. */
enum pl_code pl_certificate_code(enum pl_certificate verdict);

/* Stream error conditions (RFC 6120 4.9.3; obsolete names are read as their
 * successors, unknown ones as undefined-condition). */
enum pl_condition {
	PL_COND_NONE,
	PL_COND_BAD_FORMAT,
	PL_COND_BAD_NAMESPACE_PREFIX,
	PL_COND_CONFLICT,
	PL_COND_CONNECTION_TIMEOUT,
	PL_COND_HOST_GONE,
	PL_COND_HOST_UNKNOWN,
	PL_COND_IMPROPER_ADDRESSING,
	PL_COND_INTERNAL_SERVER_ERROR,
	PL_COND_INVALID_FROM,
	PL_COND_INVALID_NAMESPACE,
	PL_COND_INVALID_XML,
	PL_COND_NOT_AUTHORIZED,
	PL_COND_NOT_WELL_FORMED,
	PL_COND_POLICY_VIOLATION,
	PL_COND_REMOTE_CONNECTION_FAILED,
	PL_COND_RESET,
	PL_COND_RESOURCE_CONSTRAINT,
	PL_COND_RESTRICTED_XML,
	PL_COND_SEE_OTHER_HOST,
	PL_COND_SYSTEM_SHUTDOWN,
	PL_COND_UNDEFINED_CONDITION,
	PL_COND_UNSUPPORTED_ENCODING,
	PL_COND_UNSUPPORTED_FEATURE,
	PL_COND_UNSUPPORTED_STANZA_TYPE,
	PL_COND_UNSUPPORTED_VERSION,
	PL_CONDS, /* how many */
};
const char *pl_condition_name(enum pl_condition condition);
enum pl_condition pl_condition_parse(const char *name);

/* Dialback and stanza error conditions (XEP-0220 2.5, RFC 6120 8.3.3); unknown
 * names are read as undefined-condition. */
enum pl_stanza_condition {
	PL_SC_NONE,
	PL_SC_BAD_REQUEST,
	PL_SC_FEATURE_NOT_IMPLEMENTED,
	PL_SC_FORBIDDEN,
	PL_SC_INTERNAL_SERVER_ERROR,
	PL_SC_ITEM_NOT_FOUND,
	PL_SC_JID_MALFORMED,
	PL_SC_NOT_ACCEPTABLE,
	PL_SC_NOT_ALLOWED,
	PL_SC_NOT_AUTHORIZED,
	PL_SC_POLICY_VIOLATION,
	PL_SC_REMOTE_CONNECTION_FAILED, /* XEP-0220 only */
	PL_SC_REMOTE_SERVER_NOT_FOUND,
	PL_SC_REMOTE_SERVER_TIMEOUT,
	PL_SC_RESOURCE_CONSTRAINT,
	PL_SC_SERVICE_UNAVAILABLE,
	PL_SC_UNDEFINED_CONDITION,
	PL_SC_UNEXPECTED_REQUEST, /* XEP-0198 only */
	PL_SCS, /* how many */
};
const char *pl_stanza_condition_name(enum pl_stanza_condition condition);
enum pl_stanza_condition pl_stanza_condition_parse(const char *name);
/* The error type that goes with it: "cancel", "wait", "auth", "modify". */
const char *pl_stanza_condition_type(enum pl_stanza_condition condition);

/* SASL failure conditions (RFC 6120 6.5); unknown names are read as
 * not-authorized. */
enum pl_sasl_condition {
	PL_SASL_NONE,
	PL_SASL_ABORTED,
	PL_SASL_ENCRYPTION_REQUIRED,
	PL_SASL_INCORRECT_ENCODING,
	PL_SASL_INVALID_AUTHZID,
	PL_SASL_INVALID_MECHANISM,
	PL_SASL_MALFORMED_REQUEST,
	PL_SASL_NOT_AUTHORIZED,
	PL_SASL_TEMPORARY_AUTH_FAILURE,
	PL_SASLS, /* how many */
};
const char *pl_sasl_condition_name(enum pl_sasl_condition condition);
enum pl_sasl_condition pl_sasl_condition_parse(const char *name);

#endif
