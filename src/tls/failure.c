/* OpenSSL's failures in words, and in the few kinds that the core knows. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

/* Empties the queue. The first entry of the TLS part says what happened; what
 * other parts put in front of it are details, behind it are consequences. */
static unsigned long take_error(void)
{
	unsigned long chosen = 0, e;

	while ((e = ERR_get_error()) != 0)
		if (chosen == 0 || (ERR_GET_LIB(chosen) != ERR_LIB_SSL &&
				    ERR_GET_LIB(e) == ERR_LIB_SSL))
			chosen = e;
	return chosen;
}

bool pl_tls_complain(struct pl_error *error, const char *what)
{
	unsigned long e = take_error();
	const char *reason = e != 0 ? ERR_reason_error_string(e) : NULL;

	return pl_error_set(error, "%s: %s", what,
			    reason != NULL ? reason : "out of memory");
}

/* Alerts by which a peer refuses our certificate (RFC 8446 6.2). */
static bool refuses_certificate(int alert)
{
	switch (alert) {
	case SSL_AD_NO_CERTIFICATE: /* SSL 3 only, but seen */
	case SSL_AD_BAD_CERTIFICATE:
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
	case SSL_AD_CERTIFICATE_REVOKED:
	case SSL_AD_CERTIFICATE_EXPIRED:
	case SSL_AD_CERTIFICATE_UNKNOWN:
	case SSL_AD_UNKNOWN_CA:
	case SSL_AD_ACCESS_DENIED:
	case SSL_AD_CERTIFICATE_REQUIRED:
		return true;
	default:
		return false;
	}
}

static const char *alert_name(int alert)
{
	/* OpenSSL 3.0 does not know the names of these. */
	if (alert == SSL_AD_CERTIFICATE_REQUIRED)
		return "certificate required";
	if (alert == SSL_AD_NO_APPLICATION_PROTOCOL)
		return "no application protocol";
	if (alert == SSL_AD_INAPPROPRIATE_FALLBACK)
		return "inappropriate fallback";
	if (alert == SSL_AD_MISSING_EXTENSION)
		return "missing extension";
	return SSL_alert_desc_string_long(alert);
}

/* Can the peer's first bytes be TLS: a record, or the ClientHello of SSL 2? */
static bool begins_like_tls(const struct pl_tls *tls)
{
	const unsigned char *first = tls->first;

	if (tls->first_length == 0)
		return true;
	if (first[0] >= SSL3_RT_CHANGE_CIPHER_SPEC &&
	    first[0] <= SSL3_RT_APPLICATION_DATA)
		return tls->first_length == 1 || first[1] == SSL3_VERSION_MAJOR;
	return (first[0] & 0x80) != 0 &&
	       (tls->first_length < 3 || first[2] == SSL2_MT_CLIENT_HELLO);
}

static bool is_about_version(int reason)
{
	switch (reason) {
	case SSL_R_BAD_LEGACY_VERSION:
	case SSL_R_BAD_PROTOCOL_VERSION_NUMBER:
	case SSL_R_INAPPROPRIATE_FALLBACK:
	case SSL_R_NO_PROTOCOLS_AVAILABLE:
	case SSL_R_UNKNOWN_PROTOCOL:
	case SSL_R_UNKNOWN_SSL_VERSION:
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_UNSUPPORTED_SSL_VERSION:
	case SSL_R_VERSION_TOO_HIGH:
	case SSL_R_VERSION_TOO_LOW:
	case SSL_R_WRONG_SSL_VERSION:
	case SSL_R_WRONG_VERSION_NUMBER:
		return true;
	default:
		return false;
	}
}

static enum pl_tls_failure kind_of(const struct pl_tls *tls, unsigned long e)
{
	if (!begins_like_tls(tls))
		return PL_TLS_NOT_SPOKEN;
	if (refuses_certificate(tls->alert))
		return PL_TLS_ALERT_CERT;
	if (tls->alert == SSL_AD_PROTOCOL_VERSION ||
	    tls->alert == SSL_AD_INAPPROPRIATE_FALLBACK)
		return PL_TLS_VERSION;
	if (tls->status != PL_TLS_HANDSHAKING)
		return PL_TLS_OTHER;
	if (e == 0 && tls->alert <= SSL_AD_CLOSE_NOTIFY)
		return PL_TLS_CLOSED;
	if (ERR_GET_LIB(e) == ERR_LIB_SSL &&
	    is_about_version(ERR_GET_REASON(e)))
		return PL_TLS_VERSION;
	return PL_TLS_OTHER;
}

void pl_tls_fail(struct pl_tls *tls, const char *otherwise)
{
	unsigned long e = take_error();
	const char *reason = e != 0 ? ERR_reason_error_string(e) : NULL;

	tls->failure = kind_of(tls, e);
	tls->status = PL_TLS_FAILED;
	if (tls->alert > SSL_AD_CLOSE_NOTIFY &&
	    tls->failure != PL_TLS_NOT_SPOKEN)
		snprintf(tls->text, sizeof tls->text, "alert %s",
			 alert_name(tls->alert));
	else
		snprintf(tls->text, sizeof tls->text, "%s",
			 reason != NULL ? reason : otherwise);
}

enum pl_tls_failure pl_tls_failure(const struct pl_tls *tls, bool *alert)
{
	*alert = refuses_certificate(tls->alert);
	return tls->failure;
}

const char *pl_tls_failure_text(const struct pl_tls *tls)
{
	return tls->text;
}
