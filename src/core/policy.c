/*
 * The 18 rows: what a partner's policy allows, and what an operator must hear
 * about it.
 *
 * The rule is computed, not tabled (see policy.h); what is tabled are the
 * words. tests/core/policy_test.c holds the rule against the published table.
 */
#include "parley/policy.h"

#include <assert.h>
#include <string.h>

int pl_policy_row(const struct pl_policy *policy)
{
	assert(policy->tls <= PL_NOT_SUPPORTED);
	assert(policy->sasl <= PL_NOT_SUPPORTED);
	return policy->sasl * 6 + policy->tls * 2 + (policy->dialback ? 1 : 2);
}

struct pl_policy pl_policy_of_row(int row)
{
	assert(row >= 1 && row <= PL_POLICY_ROWS);
	return (struct pl_policy){
		.sasl = (uint8_t)((row - 1) / 6),
		.tls = (uint8_t)((row - 1) % 6 / 2),
		.dialback = row % 2 == 1,
	};
}

static bool allows_tls_dialback(const struct pl_policy *policy)
{
	if (policy->tls == PL_REQUIRED && policy->sasl == PL_REQUIRED)
		return false; /* as published: dialback does not operate */
	return policy->tls != PL_NOT_SUPPORTED && policy->dialback;
}

bool pl_policy_allows(const struct pl_policy *policy, enum pl_method method)
{
	switch (method) {
	case PL_METHOD_NONE:
		return false;
	case PL_METHOD_TCP_DIALBACK:
		return policy->tls != PL_REQUIRED && policy->dialback;
	case PL_METHOD_TLS_DIALBACK:
		return allows_tls_dialback(policy);
	case PL_METHOD_SASL_OVER_TLS:
		return policy->tls != PL_NOT_SUPPORTED &&
		       policy->sasl != PL_NOT_SUPPORTED;
	}
	return false;
}

bool pl_policy_uses_tls(const struct pl_policy *policy)
{
	return pl_policy_allows(policy, PL_METHOD_SASL_OVER_TLS) ||
	       pl_policy_allows(policy, PL_METHOD_TLS_DIALBACK);
}

bool pl_policy_valid(const struct pl_policy *policy)
{
	enum pl_method methods[3];

	return pl_policy_methods(policy, methods) > 0;
}

struct pl_policy pl_policy_without_tls(struct pl_policy policy)
{
	policy.tls = PL_NOT_SUPPORTED;
	return policy;
}

size_t pl_policy_methods(const struct pl_policy *policy,
			 enum pl_method out[3])
{
	static const enum pl_method best_first[] = {
		PL_METHOD_SASL_OVER_TLS,
		PL_METHOD_TLS_DIALBACK,
		PL_METHOD_TCP_DIALBACK,
	};
	size_t count = 0;

	for (size_t i = 0; i < 3; i++)
		if (pl_policy_allows(policy, best_first[i]))
			out[count++] = best_first[i];
	return count;
}

enum pl_certificate_check
pl_policy_default_check(const struct pl_policy *policy)
{
	if (policy->sasl == PL_REQUIRED || !policy->dialback)
		return PL_CHECK_STRICT;
	return policy->sasl == PL_OPTIONAL ? PL_CHECK_RELAXED : PL_CHECK_LOG;
}

/* ------------------------------------------------------------- words */

#define CLEAR_TEXT \
	"stanzas may cross the network in clear text, authenticated by DNS only"
#define DNS_ONLY \
	"encrypted, but a peer may be authenticated by DNS only " \
	"(unless DNSSEC or a valid certificate backs it)"
#define OPTIONAL_TLS_IS_REQUIRED \
	"TLS optional has no effect: SASL is the only method, so peers " \
	"without TLS are turned away"
#define SASL_WITHOUT_TLS \
	"SASL EXTERNAL needs TLS, TLS is not supported and dialback is off: " \
	"no way to authenticate"
#define NO_WAY \
	"no way to authenticate: enable SASL (with TLS) or dialback"

struct row_words {
	struct pl_policy_note notes[3]; /* up to the first without text */
	const char *published;
	const char *common_use; /* or NULL */
};

#define PUBLISHED_SASL_NEEDS_TLS \
	"warning: SASL needs TLS; letting TLS be optional can make " \
	"negotiations fail"

static const struct row_words words[PL_POLICY_ROWS + 1] = {
	[1] = {
		.notes = {{ PL_WARNING, "dialback has no effect when TLS and "
			    "SASL are both required" }},
		.published = "warning: dialback will not operate when TLS and "
			     "SASL are both required",
	},
	[2] = {
		.published = "",
		.common_use = "the strictest: both sides hold certificates "
			      "that the other trusts, and nothing less will do",
	},
	[3] = {
		.notes = {
			{ PL_WARNING, "SASL required is not enforced while TLS "
			  "is optional and dialback on: a peer or an attacker "
			  "that withholds TLS or EXTERNAL gets dialback; set "
			  "TLS to required to enforce it" },
			{ PL_WARNING, CLEAR_TEXT },
		},
		.published = PUBLISHED_SASL_NEEDS_TLS,
	},
	[4] = {
		.notes = {{ PL_WARNING, OPTIONAL_TLS_IS_REQUIRED }},
		.published = PUBLISHED_SASL_NEEDS_TLS,
	},
	[5] = {
		.notes = {
			{ PL_WARNING, "SASL is set to required but TLS is not "
			  "supported: SASL can never be used, this row is "
			  "plain dialback" },
			{ PL_WARNING, CLEAR_TEXT },
		},
		.published = PUBLISHED_SASL_NEEDS_TLS,
	},
	[6] = {
		.notes = {{ PL_ERROR, SASL_WITHOUT_TLS }},
		.published = "error: SASL needs TLS, which is not available, "
			     "and dialback is off",
	},
	[7] = {
		.notes = {{ PL_INFO, DNS_ONLY }},
		.published = "",
		.common_use = "encryption always: certificates where both "
			      "trust them, else dialback under TLS",
	},
	[8] = { .published = "" },
	[9] = {
		.notes = {{ PL_WARNING, CLEAR_TEXT }},
		.published = PUBLISHED_SASL_NEEDS_TLS,
		.common_use = "the widest reach: the best that the peer can "
			      "do, down to dialback in clear",
	},
	[10] = {
		.notes = {{ PL_WARNING, OPTIONAL_TLS_IS_REQUIRED }},
		.published = PUBLISHED_SASL_NEEDS_TLS,
	},
	[11] = {
		.notes = {
			{ PL_WARNING, "SASL has no effect without TLS: this "
			  "row is plain dialback" },
			{ PL_WARNING, CLEAR_TEXT },
		},
		.published = PUBLISHED_SASL_NEEDS_TLS,
	},
	[12] = {
		.notes = {{ PL_ERROR, SASL_WITHOUT_TLS }},
		.published = PUBLISHED_SASL_NEEDS_TLS,
	},
	[13] = {
		.notes = {{ PL_INFO, DNS_ONLY }},
		.published = "note: allows TLS Dialback",
	},
	[14] = {
		.notes = {{ PL_ERROR, NO_WAY }},
		.published = "error: SASL or dialback must be enabled",
	},
	[15] = {
		.notes = {{ PL_WARNING, CLEAR_TEXT }},
		.published = "note: the other end decides between TCP and TLS "
			     "Dialback",
	},
	[16] = {
		.notes = {{ PL_ERROR, NO_WAY }},
		.published = "error: SASL or dialback must be enabled",
	},
	[17] = {
		.notes = {{ PL_WARNING, CLEAR_TEXT }},
		.published = "note: TCP Dialback is the only method",
		.common_use = "peers without TLS: dialback in clear and "
			      "nothing else",
	},
	[18] = {
		.notes = {{ PL_ERROR, NO_WAY }},
		.published = "error: SASL or dialback must be enabled",
	},
};

size_t pl_policy_notes(int row, struct pl_policy_note out[3])
{
	size_t count = 0;

	assert(row >= 1 && row <= PL_POLICY_ROWS);
	while (count < 3 && words[row].notes[count].text) {
		out[count] = words[row].notes[count];
		count++;
	}
	return count;
}

const char *pl_policy_published_note(int row)
{
	assert(row >= 1 && row <= PL_POLICY_ROWS);
	return words[row].published;
}

const char *pl_policy_common_use(int row)
{
	assert(row >= 1 && row <= PL_POLICY_ROWS);
	return words[row].common_use;
}

/* ------------------------------------------------------------- names */

static const char *const levels[] = {
	[PL_REQUIRED] = "required",
	[PL_OPTIONAL] = "optional",
	[PL_NOT_SUPPORTED] = "not-supported",
};

static const char *const methods[] = {
	[PL_METHOD_NONE] = "none",
	[PL_METHOD_TCP_DIALBACK] = "tcp-dialback",
	[PL_METHOD_TLS_DIALBACK] = "tls-dialback",
	[PL_METHOD_SASL_OVER_TLS] = "sasl-over-tls",
};

static const char *const titles[] = {
	[PL_METHOD_NONE] = "none",
	[PL_METHOD_TCP_DIALBACK] = "TCP Dialback",
	[PL_METHOD_TLS_DIALBACK] = "TLS Dialback",
	[PL_METHOD_SASL_OVER_TLS] = "SASL over TLS",
};

static const char *const checks[] = {
	[PL_CHECK_STRICT] = "strict",
	[PL_CHECK_RELAXED] = "relaxed",
	[PL_CHECK_LOG] = "log",
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char *name(const char *const *names, size_t count, size_t i)
{
	return i < count ? names[i] : "unknown";
}

/* The place of text in names, or count. */
static size_t find(const char *const *names, size_t count, const char *text)
{
	size_t i = 0;

	while (i < count && strcmp(names[i], text) != 0)
		i++;
	return i;
}

const char *pl_level_name(enum pl_level level)
{
	return name(levels, COUNT(levels), level);
}

const char *pl_method_name(enum pl_method method)
{
	return name(methods, COUNT(methods), method);
}

const char *pl_method_title(enum pl_method method)
{
	return name(titles, COUNT(titles), method);
}

const char *pl_check_name(enum pl_certificate_check check)
{
	return name(checks, COUNT(checks), check);
}

bool pl_level_parse(const char *text, enum pl_level *out)
{
	size_t i = find(levels, COUNT(levels), text);

	if (i == COUNT(levels))
		return false;
	*out = (enum pl_level)i;
	return true;
}

bool pl_method_parse(const char *text, enum pl_method *out)
{
	size_t i = find(methods, COUNT(methods), text);

	if (i == COUNT(methods))
		return false;
	*out = (enum pl_method)i;
	return true;
}

bool pl_check_parse(const char *text, enum pl_certificate_check *out)
{
	size_t i = find(checks, COUNT(checks), text);

	if (i == COUNT(checks))
		return false;
	*out = (enum pl_certificate_check)i;
	return true;
}
