/*
 * policy.h: the 18 rows.
 *
 * A partner's policy is TLS x SASL x dialback. Each of the 18 combinations
 * is a row; a row allows between none and three methods, and a row that
 * allows none is not valid.
 *
 *     SASL over TLS  iff TLS != not-supported and SASL != not-supported
 *     TLS Dialback   iff TLS != not-supported and dialback
 *                        and not (TLS = required and SASL = required)
 *     TCP Dialback   iff TLS != required and dialback
 *
 * Rows are numbered sasl * 6 + tls * 2 + (dialback ? 1 : 2), each setting
 * counted required, optional, not-supported: row 1 is required, required,
 * yes and row 18 not-supported, not-supported, no.
 *
 * Pure: no I/O, no allocation, no state. Everything returned as text is
 * static.
 */
#ifndef PARLEY_POLICY_H
#define PARLEY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PL_POLICY_ROWS = 18 };

/* How much a partner's policy wants of TLS or SASL. */
enum pl_level {
	PL_REQUIRED,      /* "required" */
	PL_OPTIONAL,      /* "optional" */
	PL_NOT_SUPPORTED, /* "not-supported" */
};

/* How a pair was authenticated; worst first, so that a greater value is the
 * better method. */
enum pl_method {
	PL_METHOD_NONE,          /* "none" */
	PL_METHOD_TCP_DIALBACK,  /* "tcp-dialback": XEP-0220 in clear */
	PL_METHOD_TLS_DIALBACK,  /* "tls-dialback": XEP-0220 under TLS */
	PL_METHOD_SASL_OVER_TLS, /* "sasl-over-tls": EXTERNAL, two verified
	                          * certificates */
};

/* What a bad certificate of the peer means (key certificate-check). */
enum pl_certificate_check {
	PL_CHECK_STRICT,  /* "strict": it ends the negotiation */
	PL_CHECK_RELAXED, /* "relaxed": no EXTERNAL with it; dialback goes on */
	PL_CHECK_LOG,     /* "log": as relaxed, and not worth a warning */
};

struct pl_policy {
	uint8_t tls;  /* enum pl_level */
	uint8_t sasl; /* enum pl_level */
	bool dialback;
};

/* 1 to 18. */
int pl_policy_row(const struct pl_policy *policy);

/* The inverse; row must be 1 to 18. */
struct pl_policy pl_policy_of_row(int row);

/* May the row end in this method? PL_METHOD_NONE: always false. */
bool pl_policy_allows(const struct pl_policy *policy, enum pl_method method);

/* May the row end in a method under TLS (so that a target with direct TLS is
 * of use)? */
bool pl_policy_uses_tls(const struct pl_policy *policy);

/* Does the row allow any method at all? */
bool pl_policy_valid(const struct pl_policy *policy);

/* The policy as it holds where there is no certificate of ours to show: without
 * TLS. */
struct pl_policy pl_policy_without_tls(struct pl_policy policy);

/* The allowed methods, best first, into out[3]; returns how many. */
size_t pl_policy_methods(const struct pl_policy *policy,
			 enum pl_method out[3]);

/* The value that certificate-check has where it is not set: strict where SASL
 * is required or dialback is off, relaxed where SASL is optional with
 * dialback, log where SASL is not supported. */
enum pl_certificate_check
pl_policy_default_check(const struct pl_policy *policy);

enum pl_severity { PL_INFO, PL_WARNING, PL_ERROR };

/* What an operator must hear about a row. */
struct pl_policy_note {
	enum pl_severity severity;
	const char *text; /* static, one sentence, no severity word in it */
};

/* The notes of a row, at most 3, into out; returns how many. */
size_t pl_policy_notes(int row, struct pl_policy_note out[3]);

/* What the published table says beside the row ("" where it is silent). */
const char *pl_policy_published_note(int row);

/* What a common configuration is for: rows 2, 7, 9 and 17; NULL for the
 * others. */
const char *pl_policy_common_use(int row);

/* Names as the configuration, the log and JSON write them. */
const char *pl_level_name(enum pl_level level);
const char *pl_method_name(enum pl_method method);   /* "tls-dialback" */
const char *pl_method_title(enum pl_method method);  /* "TLS Dialback" */
const char *pl_check_name(enum pl_certificate_check check);
bool pl_level_parse(const char *text, enum pl_level *out);
bool pl_method_parse(const char *text, enum pl_method *out);
bool pl_check_parse(const char *text, enum pl_certificate_check *out);

#endif
