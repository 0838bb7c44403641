/* The structs of the machines, field by field, for policy.step. */
#include "parley/steps.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ----- names ----- */

/* The machines' own lists have no names elsewhere. */
#define NAMED(function, ...)                                              \
	static const char *function(unsigned value)                       \
	{                                                                 \
		static const char *const names[] = { __VA_ARGS__ };       \
		return value < COUNT(names) ? names[value] : "unknown";   \
	}

NAMED(role_name, [PL_INITIATING] = "initiating", [PL_RECEIVING] = "receiving")
NAMED(tls_failure_name, [PL_TLS_CLOSED] = "closed",
      [PL_TLS_VERSION] = "version", [PL_TLS_NOT_SPOKEN] = "not-spoken",
      [PL_TLS_ALERT_CERT] = "alert-certificate", [PL_TLS_OTHER] = "other")
NAMED(fault_name, [PL_FAULT_NOT_WELL_FORMED] = "not-well-formed",
      [PL_FAULT_RESTRICTED] = "restricted", [PL_FAULT_ENCODING] = "encoding",
      [PL_FAULT_LIMIT] = "limit", [PL_FAULT_NOT_XMPP] = "not-xmpp",
      [PL_FAULT_NAMESPACE] = "namespace", [PL_FAULT_PREFIX] = "prefix",
      [PL_FAULT_FORMAT] = "format")
NAMED(dialback_name, [PL_DB_RESULT_REQUEST] = "result-request",
      [PL_DB_RESULT_ANSWER] = "result-answer",
      [PL_DB_VERIFY_REQUEST] = "verify-request",
      [PL_DB_VERIFY_ANSWER] = "verify-answer")
NAMED(addressing_name, [PL_ADDRESS_OK] = "ok",
      [PL_ADDRESS_MISSING] = "missing",
      [PL_ADDRESS_TO_FOREIGN] = "to-foreign",
      [PL_ADDRESS_FROM_FOREIGN] = "from-foreign")
NAMED(deadline_name, [PL_DEADLINE_NONE] = "none",
      [PL_DEADLINE_HANDSHAKE] = "handshake", [PL_DEADLINE_HEADER] = "header",
      [PL_DEADLINE_FEATURES] = "features", [PL_DEADLINE_PROCEED] = "proceed",
      [PL_DEADLINE_PROCEED_UNOFFERED] = "proceed-unoffered",
      [PL_DEADLINE_SASL] = "sasl", [PL_DEADLINE_RESULT] = "result",
      [PL_DEADLINE_VERIFY] = "verify", [PL_DEADLINE_SM] = "sm",
      [PL_DEADLINE_SM_OFFER] = "sm-offer", [PL_DEADLINE_CLOSE] = "close")
NAMED(next_name, [PL_NEXT_NONE] = "none", [PL_NEXT_TARGET] = "target",
      [PL_NEXT_WITHOUT_SASL] = "without-sasl",
      [PL_NEXT_IN_CLEAR] = "in-clear")

/* Those of the core take enums. */
#define WRAPPED(function, type, of_core)                                  \
	static const char *function(unsigned value)                       \
	{                                                                 \
		return of_core((enum type)value);                         \
	}

WRAPPED(level_name, pl_level, pl_level_name)
WRAPPED(check_name, pl_certificate_check, pl_check_name)
WRAPPED(method_name, pl_method, pl_method_name)
WRAPPED(sm_phase_name, pl_sm_phase, pl_sm_phase_name)
WRAPPED(sm_element_name, pl_sm_element, pl_sm_element_name)
WRAPPED(phase_name, pl_stream_phase, pl_phase_name)
WRAPPED(event_name, pl_stream_event_kind, pl_event_name)
WRAPPED(pair_phase_name, pl_pair_phase, pl_pair_phase_name)
WRAPPED(pair_event_name, pl_pair_event_kind, pl_pair_event_name)
WRAPPED(stage_name, pl_stage, pl_stage_name)
WRAPPED(side_name, pl_side, pl_side_name)
WRAPPED(certificate_name, pl_certificate, pl_certificate_name)
WRAPPED(condition_name, pl_condition, pl_condition_name)
WRAPPED(stanza_condition_name, pl_stanza_condition, pl_stanza_condition_name)
WRAPPED(sasl_name, pl_sasl_condition, pl_sasl_condition_name)

static const char *code_name(unsigned value)
{
	return pl_code_entry((enum pl_code)value)->name;
}

/* ----- tables ----- */

#define PLACE(type, member) \
	offsetof(struct type, member), sizeof(((struct type *)0)->member)
#define SWITCH(type, member) \
	{ #member, PLACE(type, member), true, false, NULL, 0 }
#define NUMBER(type, member) \
	{ #member, PLACE(type, member), false, false, NULL, 0 }
#define ENUM(type, member, names, last) \
	{ #member, PLACE(type, member), false, false, names, (last) + 1 }
/* 0 is a value like any other. */
#define ALWAYS(type, member, names, last) \
	{ #member, PLACE(type, member), false, true, names, (last) + 1 }

#define TERM(member) SWITCH(pl_terms, member)
static const struct pl_step_field terms[] = {
	{ "tls", PLACE(pl_terms, policy.tls), false, true, level_name,
	  PL_NOT_SUPPORTED + 1 },
	{ "sasl", PLACE(pl_terms, policy.sasl), false, true, level_name,
	  PL_NOT_SUPPORTED + 1 },
	{ "dialback", PLACE(pl_terms, policy.dialback), true, true, NULL, 0 },
	ALWAYS(pl_terms, check, check_name, PL_CHECK_LOG),
	TERM(partner_known),
	TERM(own_certificate),
	TERM(own_expired),
	TERM(own_no_client_purpose),
	TERM(plaintext_retry),
	TERM(bidi),
	TERM(stream_management),
	TERM(resumes),
	TERM(verify_requires_tls),
	TERM(direct_tls),
	TERM(verify_only),
	TERM(tls_given_up),
	TERM(sasl_given_up),
};

static const struct pl_step_field stream_state[] = {
	ALWAYS(pl_stream_state, role, role_name, PL_RECEIVING),
	ALWAYS(pl_stream_state, phase, phase_name, PL_ENDED),
	ENUM(pl_stream_state, code, code_name, PL_CODES - 1),
	ENUM(pl_stream_state, stage, stage_name, PL_STAGE_ERROR),
	ENUM(pl_stream_state, certificate, certificate_name, PL_CERTS - 1),
	NUMBER(pl_stream_state, sasl_failures),
	NUMBER(pl_stream_state, offered),
	SWITCH(pl_stream_state, encrypted),
	SWITCH(pl_stream_state, authenticated),
	SWITCH(pl_stream_state, version_1),
	SWITCH(pl_stream_state, declares_dialback),
	SWITCH(pl_stream_state, has_id),
	SWITCH(pl_stream_state, starttls_unoffered),
	SWITCH(pl_stream_state, verify_served),
	SWITCH(pl_stream_state, dialback_seen),
	SWITCH(pl_stream_state, headers_sent),
	SWITCH(pl_stream_state, bidi),
	ENUM(pl_stream_state, sm, sm_phase_name, PL_SM_ON),
};

#define HEADER(member) \
	{ #member, PLACE(pl_stream_event, header.member), true, false, NULL, 0 }
static const struct pl_step_field stream_event[] = {
	ALWAYS(pl_stream_event, kind, event_name, PL_EV_KINDS - 1),
	SWITCH(pl_stream_event, flag),
	SWITCH(pl_stream_event, alert),
	ENUM(pl_stream_event, certificate, certificate_name, PL_CERTS - 1),
	ENUM(pl_stream_event, tls_failure, tls_failure_name, PL_TLS_OTHER),
	HEADER(version_1),
	HEADER(has_id),
	HEADER(declares_dialback),
	HEADER(to_present),
	HEADER(to_hosted),
	HEADER(from_present),
	HEADER(from_local),
	HEADER(malformed_address),
	HEADER(over_limit),
	HEADER(identity_changed),
	NUMBER(pl_stream_event, features),
	ENUM(pl_stream_event, sasl, sasl_name, PL_SASLS - 1),
	ENUM(pl_stream_event, condition, condition_name, PL_CONDS - 1),
	ENUM(pl_stream_event, dialback, dialback_name, PL_DB_VERIFY_ANSWER),
	ENUM(pl_stream_event, addressing, addressing_name,
	     PL_ADDRESS_FROM_FOREIGN),
	ENUM(pl_stream_event, sm, sm_element_name, PL_SM_ACK),
	ENUM(pl_stream_event, fault, fault_name, PL_FAULT_FORMAT),
	ENUM(pl_stream_event, code, code_name, PL_CODES - 1),
	SWITCH(pl_stream_event, pairs_pending),
	SWITCH(pl_stream_event, stays),
	SWITCH(pl_stream_event, too_high),
};

static const struct pl_step_field pair_state[] = {
	ALWAYS(pl_pair_state, role, role_name, PL_RECEIVING),
	ALWAYS(pl_pair_state, phase, pair_phase_name, PL_PAIR_GONE),
	ENUM(pl_pair_state, method, method_name, PL_METHOD_SASL_OVER_TLS),
	SWITCH(pl_pair_state, by_certificate),
};

static const struct pl_step_field pair_event[] = {
	ALWAYS(pl_pair_event, kind, pair_event_name, PL_PE_KINDS - 1),
	ENUM(pl_pair_event, condition, stanza_condition_name, PL_SCS - 1),
	SWITCH(pl_pair_event, encrypted),
	SWITCH(pl_pair_event, sasl_failed),
	SWITCH(pl_pair_event, other_pairs_open),
	SWITCH(pl_pair_event, excused),
	SWITCH(pl_pair_event, addresses_good),
	SWITCH(pl_pair_event, key_present),
	SWITCH(pl_pair_event, to_hosted),
	SWITCH(pl_pair_event, from_local),
	SWITCH(pl_pair_event, over_limit),
	ENUM(pl_pair_event, certificate, certificate_name, PL_CERTS - 1),
	ENUM(pl_pair_event, method, method_name, PL_METHOD_SASL_OVER_TLS),
	ENUM(pl_pair_event, code, code_name, PL_CODES - 1),
	ENUM(pl_pair_event, stage, stage_name, PL_STAGE_ERROR),
	ENUM(pl_pair_event, side, side_name, PL_SIDE_EITHER),
	ENUM(pl_pair_event, next, next_name, PL_NEXT_IN_CLEAR),
};

static const struct pl_step_field step[] = {
	NUMBER(pl_step, features),
	ENUM(pl_step, condition, condition_name, PL_CONDS - 1),
	ENUM(pl_step, stanza_condition, stanza_condition_name, PL_SCS - 1),
	ENUM(pl_step, sasl, sasl_name, PL_SASLS - 1),
	ENUM(pl_step, deadline, deadline_name, PL_DEADLINE_CLOSE),
	ENUM(pl_step, code, code_name, PL_CODES - 1),
	ENUM(pl_step, stage, stage_name, PL_STAGE_ERROR),
	ENUM(pl_step, side, side_name, PL_SIDE_EITHER),
	ENUM(pl_step, next, next_name, PL_NEXT_IN_CLEAR),
	ENUM(pl_step, method, method_name, PL_METHOD_SASL_OVER_TLS),
	SWITCH(pl_step, cut),
	SWITCH(pl_step, verified_by_certificate),
};

static const struct {
	const struct pl_step_field *fields;
	size_t count;
} parts[PL_PARTS] = {
	[PL_PART_TERMS] = { terms, COUNT(terms) },
	[PL_PART_STREAM_STATE] = { stream_state, COUNT(stream_state) },
	[PL_PART_STREAM_EVENT] = { stream_event, COUNT(stream_event) },
	[PL_PART_PAIR_STATE] = { pair_state, COUNT(pair_state) },
	[PL_PART_PAIR_EVENT] = { pair_event, COUNT(pair_event) },
	[PL_PART_STEP] = { step, COUNT(step) },
};

const struct pl_step_field *pl_step_fields(enum pl_step_part part,
					   size_t *count)
{
	*count = parts[part].count;
	return parts[part].fields;
}

const struct pl_step_field *pl_step_field(enum pl_step_part part,
					  const char *key)
{
	for (size_t i = 0; i < parts[part].count; i++) {
		if (strcmp(parts[part].fields[i].key, key) == 0)
			return &parts[part].fields[i];
	}
	return NULL;
}

/* ----- values ----- */

unsigned pl_step_get(const struct pl_step_field *field, const void *thing)
{
	const unsigned char *at = (const unsigned char *)thing + field->offset;
	unsigned value;

	if (field->size == 1)
		return *at;
	memcpy(&value, at, sizeof value);
	return value;
}

static bool fits(const struct pl_step_field *field, unsigned value)
{
	if (field->is_bool)
		return value <= 1;
	if (field->name != NULL)
		return value < field->count;
	return field->size > 1 || value <= UINT8_MAX;
}

bool pl_step_set(const struct pl_step_field *field, void *thing,
		 unsigned value)
{
	unsigned char *at = (unsigned char *)thing + field->offset;

	if (!fits(field, value))
		return false;
	if (field->size == 1)
		*at = (unsigned char)value;
	else
		memcpy(at, &value, sizeof value);
	return true;
}

bool pl_step_parse(const struct pl_step_field *field, const char *name,
		   unsigned *value)
{
	for (unsigned i = 0; field->name != NULL && i < field->count; i++) {
		if (strcmp(field->name(i), name) != 0)
			continue;
		*value = i;
		return true;
	}
	return false;
}

/* Two ranges share the numbers below 256, with nothing between them. */
bool pl_step_action(const char *name, unsigned *action)
{
	if (strcmp(name, "unknown") == 0)
		return false;
	for (unsigned i = 0; i <= UINT8_MAX; i++) {
		if (strcmp(pl_action_name(i), name) != 0)
			continue;
		*action = i;
		return true;
	}
	return false;
}
