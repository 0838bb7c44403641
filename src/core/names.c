/* The machines' enums as traces and logs write them. */
#include "parley/machine.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char *const phases[] = {
	[PL_IDLE] = "idle",
	[PL_AWAIT_HANDSHAKE] = "await-handshake",
	[PL_AWAIT_HEADER] = "await-header",
	[PL_AWAIT_FEATURES] = "await-features",
	[PL_AWAIT_PROCEED] = "await-proceed",
	[PL_AWAIT_SASL] = "await-sasl",
	[PL_AWAIT_CHOICE] = "await-choice",
	[PL_AWAIT_RESPONSE] = "await-response",
	[PL_AWAIT_ACCEPTANCE] = "await-acceptance",
	[PL_AWAIT_PAIRS] = "await-pairs",
	[PL_OPEN] = "open",
	[PL_AWAIT_CLOSE] = "await-close",
	[PL_ENDED] = "ended",
};

static const char *const sm_phases[] = {
	[PL_SM_OFF] = "off",
	[PL_SM_OFFERED] = "offered",
	[PL_SM_ASKED] = "asked",
	[PL_SM_RESUMING] = "resuming",
	[PL_SM_ON] = "on",
};

static const char *const sm_elements[] = {
	[PL_SM_ENABLE] = "enable",
	[PL_SM_ENABLED] = "enabled",
	[PL_SM_RESUME] = "resume",
	[PL_SM_RESUMED] = "resumed",
	[PL_SM_FAILED] = "failed",
	[PL_SM_REQUEST] = "r",
	[PL_SM_ACK] = "a",
};

static const char *const events[] = {
	[PL_EV_STARTED] = "started",
	[PL_EV_HANDSHAKE_DONE] = "handshake-done",
	[PL_EV_HANDSHAKE_FAILED] = "handshake-failed",
	[PL_EV_HEADER] = "header",
	[PL_EV_FEATURES] = "features",
	[PL_EV_STARTTLS] = "starttls",
	[PL_EV_PROCEED] = "proceed",
	[PL_EV_STARTTLS_FAILURE] = "starttls-failure",
	[PL_EV_AUTH] = "auth",
	[PL_EV_CHALLENGE] = "challenge",
	[PL_EV_RESPONSE] = "response",
	[PL_EV_SASL_ABORT] = "sasl-abort",
	[PL_EV_SASL_SUCCESS] = "sasl-success",
	[PL_EV_SASL_FAILURE] = "sasl-failure",
	[PL_EV_SASL_ACCEPTED] = "sasl-accepted",
	[PL_EV_SASL_CONTINUE] = "sasl-continue",
	[PL_EV_SASL_REJECTED] = "sasl-rejected",
	[PL_EV_DIALBACK] = "dialback",
	[PL_EV_BIDI] = "bidi",
	[PL_EV_SM] = "sm",
	[PL_EV_STANZA] = "stanza",
	[PL_EV_UNEXPECTED] = "unexpected",
	[PL_EV_FAULT] = "fault",
	[PL_EV_BYTES_BEHIND] = "bytes-behind",
	[PL_EV_STREAM_ERROR] = "stream-error",
	[PL_EV_CLOSED] = "closed",
	[PL_EV_DISCONNECTED] = "disconnected",
	[PL_EV_OVERFLOW] = "overflow",
	[PL_EV_DEADLINE] = "deadline",
	[PL_EV_NEGOTIATION_DEADLINE] = "negotiation-deadline",
	[PL_EV_IDLE] = "idle",
	[PL_EV_PAIR_OPENED] = "pair-opened",
	[PL_EV_REPLACED] = "replaced",
	[PL_EV_PAIR_INVALID] = "pair-invalid",
	[PL_EV_TERMS_CHANGED] = "terms-changed",
	[PL_EV_SHUTDOWN] = "shutdown",
};

static const char *const pair_phases[] = {
	[PL_PAIR_AWAIT_STREAM] = "await-stream",
	[PL_PAIR_AWAIT_RESULT] = "await-result",
	[PL_PAIR_AWAIT_REQUEST] = "await-request",
	[PL_PAIR_AWAIT_VERIFY] = "await-verify",
	[PL_PAIR_OPEN] = "open",
	[PL_PAIR_FAILED] = "failed",
	[PL_PAIR_GONE] = "gone",
};

static const char *const pair_events[] = {
	[PL_PE_STREAM_READY] = "stream-ready",
	[PL_PE_AUTHENTICATED] = "authenticated",
	[PL_PE_RESULT_REQUEST] = "result-request",
	[PL_PE_RESULT_VALID] = "result-valid",
	[PL_PE_RESULT_INVALID] = "result-invalid",
	[PL_PE_RESULT_ERROR] = "result-error",
	[PL_PE_VERIFY_VALID] = "verify-valid",
	[PL_PE_VERIFY_INVALID] = "verify-invalid",
	[PL_PE_VERIFY_ERROR] = "verify-error",
	[PL_PE_VERIFY_UNREACHABLE] = "verify-unreachable",
	[PL_PE_VERIFY_UNKNOWN_DOMAIN] = "verify-unknown-domain",
	[PL_PE_VERIFY_LOST] = "verify-lost",
	[PL_PE_DEADLINE] = "deadline",
	[PL_PE_STREAM_ENDED] = "stream-ended",
	[PL_PE_REVERSED] = "reversed",
};

static const char *const actions[] = {
	[PL_DO_NOTHING] = "nothing",
	[PL_DO_SEND_HEADER] = "send-header",
	[PL_DO_SEND_HEADER_OLD] = "send-header-old",
	[PL_DO_SEND_FEATURES] = "send-features",
	[PL_DO_SEND_STARTTLS] = "send-starttls",
	[PL_DO_SEND_PROCEED] = "send-proceed",
	[PL_DO_SEND_TLS_FAILURE] = "send-tls-failure",
	[PL_DO_START_HANDSHAKE] = "start-handshake",
	[PL_DO_RESTART] = "restart",
	[PL_DO_SEND_BIDI] = "send-bidi",
	[PL_DO_SEND_AUTH] = "send-auth",
	[PL_DO_SEND_RESPONSE] = "send-response",
	[PL_DO_START_SASL] = "start-sasl",
	[PL_DO_CONTINUE_SASL] = "continue-sasl",
	[PL_DO_SEND_CHALLENGE] = "send-challenge",
	[PL_DO_SEND_SUCCESS] = "send-success",
	[PL_DO_SEND_SASL_FAILURE] = "send-sasl-failure",
	[PL_DO_START_PAIRS] = "start-pairs",
	[PL_DO_AUTHENTICATED] = "authenticated",
	[PL_DO_PAIR] = "pair",
	[PL_DO_DELIVER] = "deliver",
	[PL_DO_SEND_ENABLE] = "send-enable",
	[PL_DO_SEND_RESUME] = "send-resume",
	[PL_DO_SM_ENABLED] = "sm-enabled",
	[PL_DO_SM_RESUMED] = "sm-resumed",
	[PL_DO_SM_FAILED] = "sm-failed",
	[PL_DO_ENABLE_SM] = "enable-sm",
	[PL_DO_RESUME_SM] = "resume-sm",
	[PL_DO_REFUSE_SM] = "refuse-sm",
	[PL_DO_SEND_ACK] = "send-ack",
	[PL_DO_ACKED] = "acked",
	[PL_DO_IGNORE] = "ignore",
	[PL_DO_RAISE_LIMITS] = "raise-limits",
	[PL_DO_ARM] = "arm",
	[PL_DO_DISARM] = "disarm",
	[PL_DO_DISARM_NEGOTIATION] = "disarm-negotiation",
	[PL_DO_END_PAIRS] = "end-pairs",
	[PL_DO_END_SENDING] = "end-sending",
	[PL_DO_SEND_ERROR] = "send-error",
	[PL_DO_SEND_CLOSE] = "send-close",
	[PL_DO_CLOSE] = "close",
	[PL_DO_ABORT] = "abort",
	[PL_DO_SEND_RESULT] = "send-result",
	[PL_DO_START_VERIFY] = "start-verify",
	[PL_DO_SEND_VALID] = "send-valid",
	[PL_DO_SEND_INVALID] = "send-invalid",
	[PL_DO_SEND_RESULT_ERROR] = "send-result-error",
	[PL_DO_OPEN_PAIR] = "open-pair",
	[PL_DO_FAIL_PAIR] = "fail-pair",
	[PL_DO_GONE_PAIR] = "gone-pair",
	[PL_DO_REVERSE_PAIR] = "reverse-pair",
	[PL_DO_END_STREAM] = "end-stream",
	[PL_DO_UNSOLICITED] = "unsolicited",
};

static const char *const choices[] = {
	[PL_CHOICE_NOTHING] = "nothing",
	[PL_CHOICE_STARTTLS] = "starttls",
	[PL_CHOICE_STAY_IN_CLEAR] = "stay-in-clear",
	[PL_CHOICE_EXTERNAL] = "external",
	[PL_CHOICE_DIALBACK] = "dialback",
	[PL_CHOICE_ACCEPT_EXTERNAL] = "accept-external",
	[PL_CHOICE_ACCEPT_DIALBACK] = "accept-dialback",
	[PL_CHOICE_CERTIFICATE] = "certificate",
	[PL_CHOICE_RETRY] = "retry",
	[PL_CHOICE_REFUSE] = "refuse",
	[PL_CHOICE_OFFER] = "offer",
};

#define CERTIFICATE_IS "certificate is "

static const char *const whys[] = {
	[PL_WHY_NOTHING] = "nothing speaks against it",
	[PL_WHY_NOT_OFFERED] = "the peer does not offer it",
	[PL_WHY_TLS_REQUIRED] = "tls = required here",
	[PL_WHY_TLS_NOT_SUPPORTED] = "tls = not-supported here",
	[PL_WHY_SASL_REQUIRED] = "sasl = required here",
	[PL_WHY_SASL_NOT_SUPPORTED] = "sasl = not-supported here",
	[PL_WHY_NO_DIALBACK] = "row has no dialback",
	[PL_WHY_BOTH_REQUIRED] = "tls and sasl are both required here",
	[PL_WHY_NEEDS_TLS] = "it needs TLS",
	[PL_WHY_PEER_REQUIRES_TLS] = "the peer requires TLS",
	[PL_WHY_PEER_REFUSED] = "the peer refused it",
	[PL_WHY_OWN_CERTIFICATE] = "we have no certificate for it",
	[PL_WHY_FAILED_BEFORE] = "it failed before",
	[PL_WHY_FALLBACK] = "kept as fallback",
	[PL_WHY_BETTER] = "there is a better way",
	[PL_WHY_VERIFY_ONLY] = "the connection only verifies a key",
	[PL_WHY_NO_RETRY] = "plaintext-retry is off",
	[PL_WHY_OVER] = "the connection is over",
	[PL_WHY_DONE] = "it is done already",
	[PL_WHY_PARTNER_UNKNOWN] = "no partner section matches",
	[PL_WHY_ROW_NOT_VALID] = "the row allows no method",
	[PL_WHY_NOT_HOSTED] = "the domain is not served here",
	[PL_WHY_FROM_LOCAL] = "the domain claimed is served here",
	[PL_WHY_ADDRESSES] = "to or from is missing or no domain",
	[PL_WHY_LIMIT] = "a limit is reached",
	[PL_WHY_NO_FROM] = "the peer's header has no from",
	[PL_WHY_NO_ID] = "the peer's header has no id",
	[PL_WHY_NO_KEY] = "there is no key",
	[PL_WHY_OLD] = "the peer is older than XMPP 1.0",
	[PL_WHY_PENDING] = "a db:result is still under way",
	[PL_WHY_MECHANISM] = "the mechanism is not EXTERNAL",
	[PL_WHY_NOT_PROVED] = "the peer is not proved to be who it says",
	[PL_WHY_NO_ANSWER] = "the authoritative server did not answer",
	[PL_WHY_GIVEN_UP] = "the peer gave it up",
	[PL_WHY_NOT_NOW] = "it makes no sense at this point",
	[PL_WHY_CERTIFICATE + PL_CERT_NONE] = "no certificate was shown",
	[PL_WHY_CERTIFICATE + PL_CERT_VALID] = CERTIFICATE_IS "valid",
	[PL_WHY_CERTIFICATE + PL_CERT_EXPIRED] =
		CERTIFICATE_IS "invalid:expired",
	[PL_WHY_CERTIFICATE + PL_CERT_NOT_YET_VALID] =
		CERTIFICATE_IS "invalid:not-yet-valid",
	[PL_WHY_CERTIFICATE + PL_CERT_SELF_SIGNED] =
		CERTIFICATE_IS "invalid:self-signed",
	[PL_WHY_CERTIFICATE + PL_CERT_UNKNOWN_CA] =
		CERTIFICATE_IS "invalid:unknown-ca",
	[PL_WHY_CERTIFICATE + PL_CERT_WRONG_NAME] =
		CERTIFICATE_IS "invalid:wrong-name",
	[PL_WHY_CERTIFICATE + PL_CERT_PURPOSE] =
		CERTIFICATE_IS "invalid:purpose",
	[PL_WHY_CERTIFICATE + PL_CERT_REVOKED] =
		CERTIFICATE_IS "invalid:revoked",
	[PL_WHY_CERTIFICATE + PL_CERT_DANE_MISMATCH] =
		CERTIFICATE_IS "invalid:dane-mismatch",
	[PL_WHY_CERTIFICATE + PL_CERT_WEAK] = CERTIFICATE_IS "invalid:weak",
	[PL_WHY_CERTIFICATE + PL_CERT_CHAIN_INCOMPLETE] =
		CERTIFICATE_IS "invalid:chain-incomplete",
	[PL_WHY_CERTIFICATE + PL_CERT_OTHER] = CERTIFICATE_IS "invalid:other",
};

static const char *name(const char *const *names, size_t count, size_t i)
{
	return i < count && names[i] ? names[i] : "unknown";
}

const char *pl_sm_phase_name(enum pl_sm_phase phase)
{
	return name(sm_phases, COUNT(sm_phases), phase);
}

const char *pl_sm_element_name(enum pl_sm_element element)
{
	return name(sm_elements, COUNT(sm_elements), element);
}

const char *pl_phase_name(enum pl_stream_phase phase)
{
	return name(phases, COUNT(phases), phase);
}

const char *pl_event_name(enum pl_stream_event_kind kind)
{
	return name(events, COUNT(events), kind);
}

const char *pl_pair_phase_name(enum pl_pair_phase phase)
{
	return name(pair_phases, COUNT(pair_phases), phase);
}

const char *pl_pair_event_name(enum pl_pair_event_kind kind)
{
	return name(pair_events, COUNT(pair_events), kind);
}

const char *pl_action_name(unsigned action)
{
	return name(actions, COUNT(actions), action);
}

const char *pl_choice_name(enum pl_choice_kind choice)
{
	return name(choices, COUNT(choices), choice);
}

const char *pl_why_not_text(unsigned why)
{
	return name(whys, COUNT(whys), why);
}
