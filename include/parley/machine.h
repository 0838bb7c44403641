/*
 * machine.h: the two machines that decide.
 *
 *     shell of one stream                        core
 *     -------------------                        ----
 *     bytes -> parser -> event  ---- step ---->  (terms, state, event)
 *     actions -> bytes, timers  <--- step ----   -> state', actions, code
 *
 * The stream machine (one per connection: header, STARTTLS, features, SASL)
 * and the pair machine (one per sender and target domain on a stream: result,
 * verify, valid, invalid). A stream that carries several pairs is several
 * pair machines beside one stream machine.
 *
 * The core knows no socket, clock, random source, allocator or library. Time
 * comes in as events: a step asks for a deadline with PL_DO_ARM, and the
 * shell reports PL_EV_DEADLINE when it passed. Names, ids, keys and texts
 * stay in the shell. States are flat: copy them, compare them with memcmp()
 * (initialise with pl_stream_init() or pl_pair_init()), print them on one
 * line.
 *
 * Outcome lines come from pairs alone, one for each attempt: the step of a
 * pair that holds PL_DO_OPEN_PAIR or PL_DO_FAIL_PAIR is the outcome. When a
 * stream ends, the shell hands the end to every pair of the stream.
 *
 * Sources: RFC 6120 4 to 6, XEP-0178, XEP-0220, XEP-0344; where they are
 * silent, the decisions that parley.conf(5) and parleyd(8) state.
 */
#ifndef PARLEY_MACHINE_H
#define PARLEY_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parley/policy.h"
#include "parley/reason.h"

/*
 * What holds for a stream (or for a pair) and comes from configuration. The
 * shell makes it when the partner is known and again at each stream header;
 * the machines never keep it.
 */
struct pl_terms {
	struct pl_policy policy;
	uint8_t check;              /* enum pl_certificate_check */
	bool partner_known;         /* some partner section matched */
	bool own_certificate;       /* we have one for the local domain */
	bool own_expired;           /* ... it is past its date (diagnosis) */
	bool own_no_client_purpose; /* ... it lacks clientAuth (diagnosis) */
	bool plaintext_retry;       /* partner setting of that name */
	bool bidi;                  /* partner setting of that name: one stream
	                             * may carry stanzas both ways (XEP-0288) */
	bool stream_management;     /* partner setting of that name (XEP-0198) */
	bool resumes;               /* initiating: a stream of this pair broke
	                             * and can be resumed */
	bool verify_requires_tls;   /* partner setting of that name */
	bool direct_tls;            /* the connection begins with TLS */
	bool verify_only;           /* initiating: made only for db:verify */
	bool tls_given_up;          /* a retry in clear after a broken handshake
	                             * (only with plaintext_retry) */
	bool sasl_given_up;         /* a retry without EXTERNAL, which failed
	                             * on the connection before */
};

/* ------------------------------------------------------------ stream */

enum pl_role { PL_INITIATING, PL_RECEIVING };

/* What a stream waits for. */
enum pl_stream_phase {
	PL_IDLE,              /* not started */
	PL_AWAIT_HANDSHAKE,   /* TLS under way */
	PL_AWAIT_HEADER,      /* the peer's stream header */
	PL_AWAIT_FEATURES,    /* initiating */
	PL_AWAIT_PROCEED,     /* initiating: after <starttls/> */
	PL_AWAIT_SASL,        /* initiating: after <auth/> or <response/> */
	PL_AWAIT_CHOICE,      /* receiving: starttls, auth or dialback */
	PL_AWAIT_RESPONSE,    /* receiving: after <challenge/> */
	PL_AWAIT_ACCEPTANCE,  /* receiving: the SASL library's word */
	PL_AWAIT_PAIRS,       /* stream negotiated; pairs are on their way */
	PL_OPEN,              /* at least one pair is open */
	PL_AWAIT_CLOSE,       /* our closing tag is out; what the peer still
	                       * sends is taken until its own comes */
	PL_ENDED,             /* nothing more is decided on this stream */
};

/* Where stream management stands (XEP-0198). While it is being agreed on our
 * stanzas wait, so that each of them is counted, or none. */
enum pl_sm_phase {
	PL_SM_OFF,
	PL_SM_OFFERED,  /* receiving, on a bidi stream: the peer may ask */
	PL_SM_ASKED,    /* initiating: after <enable/> */
	PL_SM_RESUMING, /* initiating: after <resume/> */
	PL_SM_ON,
};

struct pl_stream_state {
	uint8_t role;          /* enum pl_role */
	uint8_t phase;         /* enum pl_stream_phase */
	uint8_t code;          /* enum pl_code that it ended with */
	uint8_t stage;         /* enum pl_stage reached */
	uint8_t certificate;   /* enum pl_certificate shown by the peer */
	uint8_t sasl_failures; /* so far on this stream */
	uint8_t offered;       /* features offered or seen, enum pl_feature */
	bool encrypted;        /* under TLS */
	bool authenticated;    /* SASL succeeded */
	bool version_1;        /* the peer's header says 1.0 or more */
	bool declares_dialback;/* the peer's header declares xmlns:db */
	bool has_id;           /* initiating: the peer's header carries an id */
	bool starttls_unoffered; /* we tried <starttls/> without an offer */
	bool verify_served;    /* a db:verify was answered on it */
	bool dialback_seen;    /* a db:result request was seen on it */
	bool headers_sent;     /* our header went out on the current document */
	bool bidi;             /* asked for, and kept through SASL: each pair that
	                        * opens opens its reverse too (XEP-0288) */
	uint8_t sm;            /* enum pl_sm_phase */
};

enum pl_stream_event_kind {
	PL_EV_STARTED,          /* connected or accepted */
	PL_EV_HANDSHAKE_DONE,   /* initiating: certificate, as judged for the
	                         * target domain; receiving: see PL_EV_HEADER */
	PL_EV_HANDSHAKE_FAILED, /* tls_failure */
	PL_EV_HEADER,           /* header; receiving, under TLS: certificate, as
	                         * judged for this header's `from` (only now is
	                         * the name known) */
	PL_EV_FEATURES,         /* features; initiating only */
	PL_EV_STARTTLS,         /* <starttls/> came */
	PL_EV_PROCEED,          /* <proceed/> came */
	PL_EV_STARTTLS_FAILURE, /* <failure/> in the TLS namespace came */
	PL_EV_AUTH,             /* <auth/> came; flag = mechanism is EXTERNAL */
	PL_EV_CHALLENGE,        /* <challenge/> came */
	PL_EV_RESPONSE,         /* <response/> came */
	PL_EV_SASL_ABORT,       /* <abort/> came */
	PL_EV_SASL_SUCCESS,     /* <success/> came */
	PL_EV_SASL_FAILURE,     /* <failure/> in the SASL namespace came; flag =
	                         * its text or condition speaks of purpose */
	PL_EV_SASL_ACCEPTED,    /* our SASL library accepts the peer */
	PL_EV_SASL_CONTINUE,    /* ... wants a <challenge/> sent */
	PL_EV_SASL_REJECTED,    /* ... refuses: sasl */
	PL_EV_DIALBACK,         /* db:result or db:verify came: dialback */
	PL_EV_BIDI,             /* <bidi/> came (XEP-0288 2.2) */
	PL_EV_SM,               /* an element of stream management came: sm */
	PL_EV_STANZA,           /* message, presence or iq came; flag = its
	                         * (from, to) is an open pair of this stream,
	                         * addressing says otherwise what is wrong */
	PL_EV_UNEXPECTED,       /* any other first-level element */
	PL_EV_FAULT,            /* fault: what the parser refused */
	PL_EV_BYTES_BEHIND,     /* clear bytes behind <starttls/>, <proceed/> */
	PL_EV_STREAM_ERROR,     /* condition: the peer's stream error */
	PL_EV_CLOSED,           /* </stream:stream> came */
	PL_EV_DISCONNECTED,     /* TCP ended; flag = reset. After TLS, all that
	                         * could still be read was read; alert = the TLS
	                         * alert refuses our certificate */
	PL_EV_OVERFLOW,         /* the peer does not read: output limit */
	PL_EV_DEADLINE,         /* the armed stage deadline passed */
	PL_EV_NEGOTIATION_DEADLINE, /* the deadline of the whole passed */
	PL_EV_IDLE,             /* nothing to carry for the idle time */
	PL_EV_PAIR_OPENED,      /* a pair of this stream opened */
	PL_EV_REPLACED,         /* another stream resumed this one */
	PL_EV_PAIR_INVALID,     /* a pair ended by `invalid` and asks for the
	                         * stream's end; code says which */
	PL_EV_TERMS_CHANGED,    /* configuration was replaced; flag = an open
	                         * pair is no longer legal under its new row */
	PL_EV_SHUTDOWN,         /* the daemon drains */
	PL_EV_KINDS,            /* how many */
};

enum pl_tls_failure {
	PL_TLS_CLOSED,      /* the connection ended during the handshake */
	PL_TLS_VERSION,     /* no common version */
	PL_TLS_NOT_SPOKEN,  /* the bytes are no TLS */
	PL_TLS_ALERT_CERT,  /* the peer's alert refuses our certificate */
	PL_TLS_OTHER,
};

/* What the parser refuses (xml.h maps its faults to these). */
enum pl_fault {
	PL_FAULT_NOT_WELL_FORMED,
	PL_FAULT_RESTRICTED,      /* DTD, comment, PI, entity */
	PL_FAULT_ENCODING,        /* not UTF-8 */
	PL_FAULT_LIMIT,           /* size, depth, count */
	PL_FAULT_NOT_XMPP,        /* root is no stream, or no XML at all */
	PL_FAULT_NAMESPACE,       /* content namespace is not jabber:server */
	PL_FAULT_PREFIX,          /* bad-namespace-prefix */
	PL_FAULT_FORMAT,          /* text between elements, nested stream */
};

enum pl_feature {
	PL_FEATURE_STARTTLS = 1,
	PL_FEATURE_STARTTLS_REQUIRED = 2, /* set also where starttls is alone */
	PL_FEATURE_EXTERNAL = 4,
	PL_FEATURE_DIALBACK = 8,
	PL_FEATURE_DIALBACK_ERRORS = 16,
	PL_FEATURE_UNKNOWN_REQUIRED = 32,
	PL_FEATURE_BIDI = 64,
	PL_FEATURE_SM = 128,
};

/* What comes of stream management. */
enum pl_sm_element {
	PL_SM_ENABLE,
	PL_SM_ENABLED,
	PL_SM_RESUME,  /* flag: the session is there, and this peer's */
	PL_SM_RESUMED, /* flag: of the session that we asked for */
	PL_SM_FAILED,
	PL_SM_REQUEST, /* <r/> */
	PL_SM_ACK,     /* <a/> */
};

/* A stream header, judged by the shell. */
struct pl_header_facts {
	bool version_1;         /* version is 1.0 or more */
	bool has_id;            /* initiating: id present and not empty */
	bool declares_dialback; /* xmlns bound to jabber:server:dialback */
	/* receiving only: */
	bool to_present, to_hosted;
	bool from_present;      /* and is a valid domain */
	bool from_local;        /* from is a domain of ours */
	bool malformed_address; /* to or from is no domain */
	bool over_limit;        /* a connection limit is exceeded */
	bool identity_changed;  /* differs from what SASL authenticated */
};

enum pl_dialback_kind {
	PL_DB_RESULT_REQUEST,
	PL_DB_RESULT_ANSWER,
	PL_DB_VERIFY_REQUEST,
	PL_DB_VERIFY_ANSWER,
};

enum pl_addressing {
	PL_ADDRESS_OK,
	PL_ADDRESS_MISSING,      /* no to or from, or invalid */
	PL_ADDRESS_TO_FOREIGN,   /* to is not hosted here */
	PL_ADDRESS_FROM_FOREIGN, /* (from, to) is not an open pair here */
};

struct pl_stream_event {
	enum pl_stream_event_kind kind;
	bool flag;   /* see the kinds */
	bool alert;  /* PL_EV_DISCONNECTED, PL_EV_HANDSHAKE_FAILED: the last
	              * TLS alert refuses our certificate */
	enum pl_certificate certificate;
	enum pl_tls_failure tls_failure;
	struct pl_header_facts header;
	unsigned features;              /* enum pl_feature bits */
	enum pl_sasl_condition sasl;
	enum pl_condition condition;
	enum pl_dialback_kind dialback;
	enum pl_addressing addressing;
	enum pl_sm_element sm;
	enum pl_fault fault;
	enum pl_code code;              /* PL_EV_PAIR_INVALID */
	bool pairs_pending;  /* receiving, PL_EV_STARTTLS and PL_EV_AUTH: a
	                      * pair of this stream is in PL_PAIR_AWAIT_VERIFY,
	                      * so its answer must not fall into a handshake or
	                      * before a new header */
	bool stays;          /* PL_EV_TERMS_CHANGED: another pair on which the
	                      * peer sends is legal still */
	bool too_high;       /* PL_EV_SM: its `h` is none, or higher than what
	                      * was sent */
};

/* What the shell does next, in order. */
enum pl_action {
	PL_DO_NOTHING,
	PL_DO_SEND_HEADER,        /* with version 1.0; receiving: a fresh id */
	PL_DO_SEND_HEADER_OLD,    /* receiving, to a pre-1.0 peer: no version */
	PL_DO_SEND_FEATURES,      /* step.features */
	PL_DO_SEND_STARTTLS,
	PL_DO_SEND_PROCEED,
	PL_DO_SEND_TLS_FAILURE,   /* <failure/> in the TLS namespace */
	PL_DO_START_HANDSHAKE,    /* bytes already read must be none */
	PL_DO_RESTART,            /* a new parser; forget id and header */
	PL_DO_SEND_BIDI,          /* <bidi/>, which nobody answers */
	PL_DO_SEND_AUTH,          /* EXTERNAL with our authzid */
	PL_DO_SEND_RESPONSE,
	PL_DO_START_SASL,         /* give <auth/>'s body to the SASL library */
	PL_DO_CONTINUE_SASL,      /* give <response/>'s body to it */
	PL_DO_SEND_CHALLENGE,     /* empty */
	PL_DO_SEND_SUCCESS,
	PL_DO_SEND_SASL_FAILURE,  /* step.sasl */
	PL_DO_START_PAIRS,        /* initiating: dialback may begin (or, verify
	                           * only, db:verify may be sent) */
	PL_DO_AUTHENTICATED,      /* SASL authenticated the header's pair: feed
	                           * PL_PE_AUTHENTICATED to it */
	PL_DO_PAIR,               /* the dialback element is admissible: give it
	                           * to its pair (or to the authority) */
	PL_DO_DELIVER,            /* the stanza is good */
	PL_DO_SEND_ENABLE,        /* <enable/>: counting begins with what we
	                           * send next */
	PL_DO_SEND_RESUME,        /* <resume/> */
	PL_DO_SM_ENABLED,         /* initiating: <enabled/> came */
	PL_DO_SM_RESUMED,         /* initiating: <resumed/> came */
	PL_DO_SM_FAILED,          /* initiating: <failed/>, or nothing, came */
	PL_DO_ENABLE_SM,          /* receiving: answer <enabled/>, count */
	PL_DO_RESUME_SM,          /* receiving: answer <resumed/>, go on */
	PL_DO_REFUSE_SM,          /* <failed/>, step.stanza_condition */
	PL_DO_SEND_ACK,           /* <a/> */
	PL_DO_ACKED,              /* what the peer handled can be forgotten */
	PL_DO_IGNORE,             /* drop what came and log it */
	PL_DO_RAISE_LIMITS,       /* the peer is authenticated */
	PL_DO_ARM,                /* step.deadline; replaces the armed one */
	PL_DO_DISARM,             /* no stage deadline */
	PL_DO_DISARM_NEGOTIATION, /* the deadline of the whole is met */
	PL_DO_END_PAIRS,          /* give the end (step.code, step.next) to every
	                           * pair; then no more pairs */
	PL_DO_END_SENDING,        /* likewise to every pair but the open ones on
	                           * which the peer sends */
	PL_DO_SEND_ERROR,         /* stream error step.condition */
	PL_DO_SEND_CLOSE,         /* </stream:stream>, after our header */
	PL_DO_CLOSE,              /* flush, then end TLS and TCP; wait a little
	                           * for the peer's end where it is open */
	PL_DO_ABORT,              /* drop the connection, nothing more sent */
};

/* The deadlines that a step can ask for; the shell knows how long they are. */
enum pl_deadline {
	PL_DEADLINE_NONE,
	PL_DEADLINE_HANDSHAKE,
	PL_DEADLINE_HEADER,
	PL_DEADLINE_FEATURES,
	PL_DEADLINE_PROCEED,           /* an offered <starttls/> */
	PL_DEADLINE_PROCEED_UNOFFERED, /* 5 s */
	PL_DEADLINE_SASL,
	PL_DEADLINE_RESULT,            /* initiating pair */
	PL_DEADLINE_VERIFY,            /* receiving pair, shorter than RESULT */
	PL_DEADLINE_SM,                /* the answer to <enable/>, <resume/> */
	PL_DEADLINE_SM_OFFER,          /* receiving: for either; short */
	PL_DEADLINE_CLOSE,             /* the peer's closing tag, behind ours */
};

/* What the dialer may do after a failed stream. */
enum pl_next {
	PL_NEXT_NONE,          /* final: tell the reason */
	PL_NEXT_TARGET,        /* the next address or target may do better */
	PL_NEXT_WITHOUT_SASL,  /* once more, straight to dialback */
	PL_NEXT_IN_CLEAR,      /* once more without TLS (plaintext-retry) */
};

enum { PL_STEP_ACTIONS = 8 };

struct pl_step {
	uint8_t count;                        /* of actions */
	uint8_t actions[PL_STEP_ACTIONS];     /* enum pl_action, in order */
	uint8_t features;                     /* enum pl_feature bits */
	uint8_t condition;                    /* enum pl_condition */
	uint8_t stanza_condition;             /* enum pl_stanza_condition */
	uint8_t sasl;                         /* enum pl_sasl_condition */
	uint8_t deadline;                     /* enum pl_deadline */
	uint8_t code;                         /* enum pl_code, of an end */
	uint8_t stage;                        /* enum pl_stage, of an end */
	uint8_t side;                         /* enum pl_side, of an end: as
	                                       * this very case has it */
	uint8_t next;                         /* enum pl_next, of an end */
	uint8_t method;                       /* enum pl_method, of a pair */
	bool verified_by_certificate;         /* of a pair */
	bool cut;                             /* of an end with a word of the
	                                       * peer: what it has not now it
	                                       * will not take */
};

/* Sets a stream to its beginning. */
void pl_stream_init(struct pl_stream_state *state, enum pl_role role);

/*
 * Decides. `state` is replaced, `step` is written whole. Every event is legal
 * in every phase: an event that makes no sense there ends the stream with the
 * condition that fits, or is ignored in PL_ENDED.
 */
void pl_stream_step(const struct pl_terms *terms,
		    struct pl_stream_state *state,
		    const struct pl_stream_event *event,
		    struct pl_step *step);

/*
 * Does a pair that opens on this stream open its reverse as well (XEP-0288)?
 * Its own terms say so again, by PL_PE_REVERSED: what proved the one domain to
 * the other proves the other to the one.
 */
bool pl_stream_both_ways(const struct pl_stream_state *state);

/* Must what we send wait, until stream management is agreed on or not? */
bool pl_stream_holds(const struct pl_stream_state *state);

/* May a new db:result be sent on this initiating stream now (RFC 6120 5.4.2,
 * XEP-0220 2.1.1)? */
bool pl_stream_takes_pairs(const struct pl_stream_state *state);

/* -------------------------------------------------------------- pair */

enum pl_pair_phase {
	PL_PAIR_AWAIT_STREAM,  /* initiating: the stream is not ready */
	PL_PAIR_AWAIT_RESULT,  /* initiating: db:result sent */
	PL_PAIR_AWAIT_REQUEST, /* receiving: the header named it, nothing else
	                        * came yet */
	PL_PAIR_AWAIT_VERIFY,  /* receiving: db:verify is under way */
	PL_PAIR_OPEN,          /* stanzas may flow from sender to target */
	PL_PAIR_FAILED,        /* an outcome was told; receiving: a further
	                        * db:result is a new attempt */
	PL_PAIR_GONE,          /* ended after PL_PAIR_OPEN, or without need of
	                        * an outcome */
};

struct pl_pair_state {
	uint8_t role;     /* enum pl_role */
	uint8_t phase;    /* enum pl_pair_phase */
	uint8_t method;   /* enum pl_method, once open; while a db:result is
	                   * pending the method that it would give */
	bool by_certificate; /* open: P11, accepted without dialling back */
};

enum pl_pair_event_kind {
	PL_PE_STREAM_READY,   /* initiating: PL_DO_START_PAIRS happened */
	PL_PE_AUTHENTICATED,  /* PL_DO_AUTHENTICATED happened */
	PL_PE_RESULT_REQUEST, /* receiving: db:result without type */
	PL_PE_RESULT_VALID,   /* db:result type=valid for exactly this pair */
	PL_PE_RESULT_INVALID,
	PL_PE_RESULT_ERROR,   /* condition */
	PL_PE_VERIFY_VALID,   /* the authoritative server's answer to what we
	                       * asked for this pair and id */
	PL_PE_VERIFY_INVALID,
	PL_PE_VERIFY_ERROR,   /* it answered type=error, or host-unknown */
	PL_PE_VERIFY_UNREACHABLE, /* no connection: DNS, TCP or TLS */
	PL_PE_VERIFY_UNKNOWN_DOMAIN, /* DNS says that it does not exist */
	PL_PE_VERIFY_LOST,    /* it closed without an answer */
	PL_PE_DEADLINE,       /* the pair's armed deadline passed */
	PL_PE_STREAM_ENDED,   /* code, stage, side and next of the end */
	PL_PE_REVERSED,       /* on a bidi stream the pair of the other way
	                       * opened: method, and the word of the stream */
	PL_PE_KINDS,          /* how many */
};

struct pl_pair_event {
	enum pl_pair_event_kind kind;
	enum pl_stanza_condition condition; /* PL_PE_RESULT_ERROR */
	/* the stream as it is now, for every kind */
	bool encrypted;
	bool sasl_failed;           /* an EXTERNAL failed on this stream */
	bool other_pairs_open;      /* another pair of the stream is open */
	bool excused;               /* PL_PE_STREAM_ENDED: the stream served a
	                             * db:verify or carried other pairs */
	/* PL_PE_RESULT_REQUEST: */
	bool addresses_good;        /* from and to are domains */
	bool key_present;
	bool to_hosted, from_local;
	bool over_limit;            /* too many pairs, or verifies under way */
	enum pl_certificate certificate; /* judged for the pair's sender */
	enum pl_method method;      /* PL_PE_REVERSED: of the other pair */
	/* PL_PE_STREAM_ENDED: */
	enum pl_code code;
	enum pl_stage stage;
	enum pl_side side;
	enum pl_next next;
};

/* Further actions, of pair steps (their numbers follow enum pl_action). */
enum pl_pair_action {
	PL_DO_SEND_RESULT = 64,  /* db:result with our key; arms as asked */
	PL_DO_START_VERIFY,      /* ask the authoritative server */
	PL_DO_SEND_VALID,        /* db:result type=valid */
	PL_DO_SEND_INVALID,      /* db:result type=invalid */
	PL_DO_SEND_RESULT_ERROR, /* db:result type=error, stanza_condition */
	PL_DO_OPEN_PAIR,         /* outcome: negotiated; always before
	                          * PL_DO_SEND_VALID */
	PL_DO_FAIL_PAIR,         /* outcome: failed; step.code, stage, side, next;
	                          * stanza_condition is the bounce for what
	                          * waits (initiating) */
	PL_DO_GONE_PAIR,         /* ended without an outcome line */
	PL_DO_REVERSE_PAIR,      /* open without an outcome line: the outcome is
	                          * that of the pair of the other way */
	PL_DO_END_STREAM,        /* feed PL_EV_PAIR_INVALID to the stream */
	PL_DO_UNSOLICITED,       /* an answer that nobody asked for: drop, log,
	                          * count */
};

void pl_pair_init(struct pl_pair_state *state, enum pl_role role);

/* Would an open pair still be legal under these terms? (after a reload) */
bool pl_pair_still_legal(const struct pl_terms *terms,
			 const struct pl_pair_state *state);

/* Decides for one pair, under the terms of the pair's own partner. */
void pl_pair_step(const struct pl_terms *terms, struct pl_pair_state *state,
		  const struct pl_pair_event *event, struct pl_step *step);

/* --------------------------------------------------------- authority */

enum pl_verify_answer { PL_VERIFY_VALID, PL_VERIFY_INVALID, PL_VERIFY_ERROR };

/* Would we confirm a key of ours under these terms at all? Where not, there is
 * none to send. */
bool pl_authority_confirms(const struct pl_terms *terms);

/*
 * Answers db:verify as the authoritative server (XEP-0220 2.2.2). It says only
 * whether we made the key: neither the row nor authentication matter, but
 * where dialback is off for the asker no key of ours exists.
 */
enum pl_verify_answer
pl_authority_answer(const struct pl_terms *terms, bool to_hosted,
		    bool key_matches,
		    enum pl_stanza_condition *error_condition);

/* ------------------------------------------------------- explanation */

/* What a step chose. */
enum pl_choice_kind {
	PL_CHOICE_NOTHING,         /* this step chose nothing */
	PL_CHOICE_STARTTLS,        /* to ask for TLS, or to grant it */
	PL_CHOICE_STAY_IN_CLEAR,   /* to go on without TLS */
	PL_CHOICE_EXTERNAL,        /* initiating: SASL EXTERNAL */
	PL_CHOICE_DIALBACK,        /* initiating: db:result */
	PL_CHOICE_ACCEPT_EXTERNAL, /* receiving: EXTERNAL proved the peer */
	PL_CHOICE_ACCEPT_DIALBACK, /* receiving: the key will be verified */
	PL_CHOICE_CERTIFICATE,     /* receiving: db:result, proved by the
	                            * certificate alone (XEP-0344 2.4) */
	PL_CHOICE_RETRY,           /* the dialer may go on another way */
	PL_CHOICE_REFUSE,          /* no: the end, or a failure told */
	PL_CHOICE_OFFER,           /* receiving: features */
	PL_CHOICES, /* how many */
};
const char *pl_choice_name(enum pl_choice_kind choice); /* "stay-in-clear" */

/* Why something was not chosen (closed list). */
enum pl_why_not {
	PL_WHY_NOTHING,            /* nothing speaks against it */
	PL_WHY_NOT_OFFERED,
	PL_WHY_TLS_REQUIRED,
	PL_WHY_TLS_NOT_SUPPORTED,
	PL_WHY_SASL_REQUIRED,
	PL_WHY_SASL_NOT_SUPPORTED,
	PL_WHY_NO_DIALBACK,
	PL_WHY_BOTH_REQUIRED,      /* TLS and SASL: no dialback */
	PL_WHY_NEEDS_TLS,
	PL_WHY_PEER_REQUIRES_TLS,
	PL_WHY_PEER_REFUSED,
	PL_WHY_OWN_CERTIFICATE,    /* we have none */
	PL_WHY_FAILED_BEFORE,
	PL_WHY_FALLBACK,           /* kept, should the chosen way fail */
	PL_WHY_BETTER,             /* the chosen way is better */
	PL_WHY_VERIFY_ONLY,
	PL_WHY_NO_RETRY,           /* in clear: no plaintext-retry */
	PL_WHY_OVER,               /* this connection is over */
	PL_WHY_DONE,               /* it is done already */
	PL_WHY_PARTNER_UNKNOWN,
	PL_WHY_ROW_NOT_VALID,
	PL_WHY_NOT_HOSTED,
	PL_WHY_FROM_LOCAL,
	PL_WHY_ADDRESSES,          /* no domain, or none at all */
	PL_WHY_LIMIT,
	PL_WHY_NO_FROM,            /* the header names no domain of the peer */
	PL_WHY_NO_ID,
	PL_WHY_NO_KEY,
	PL_WHY_OLD,                /* the peer is older than XMPP 1.0 */
	PL_WHY_PENDING,            /* a db:result is still under way */
	PL_WHY_MECHANISM,          /* not EXTERNAL */
	PL_WHY_NOT_PROVED,
	PL_WHY_NO_ANSWER,          /* of the authoritative server */
	PL_WHY_GIVEN_UP,           /* the peer gave the exchange up */
	PL_WHY_NOT_NOW,            /* it makes no sense at this point */
	PL_WHY_CERTIFICATE,        /* and on, with enum pl_certificate added */
	PL_WHYS = PL_WHY_CERTIFICATE + PL_CERTS, /* how many */
};
const char *pl_why_not_text(unsigned why); /* "the peer does not offer it" */

enum { PL_CHOICE_REJECTED = 8 };

struct pl_choice {
	uint8_t choice;          /* enum pl_choice_kind */
	uint8_t offers;          /* enum pl_feature bits: what the peer offers
	                          * (initiating; dialback also where its header
	                          * says so), what we offer (receiving); of a
	                          * pair: 0 */
	uint8_t count;
	struct {
		uint8_t choice;  /* the alternative */
		uint8_t reason;  /* enum pl_why_not, never PL_WHY_NOTHING */
	} rejected[PL_CHOICE_REJECTED];
};

/* What the step that came out of terms, state and event chose, and why not
 * the rest; false: it chose nothing. The step itself is never judged again: an
 * explanation cannot differ from what is done. */
bool pl_stream_choice(const struct pl_terms *terms,
		      const struct pl_stream_state *before,
		      const struct pl_stream_event *event,
		      const struct pl_step *step, struct pl_choice *choice);
bool pl_pair_choice(const struct pl_terms *terms,
		    const struct pl_pair_state *before,
		    const struct pl_pair_event *event,
		    const struct pl_step *step, struct pl_choice *choice);

/* ------------------------------------------------------------- names */

const char *pl_sm_phase_name(enum pl_sm_phase phase);
const char *pl_sm_element_name(enum pl_sm_element element);
const char *pl_phase_name(enum pl_stream_phase phase);
const char *pl_event_name(enum pl_stream_event_kind kind);
const char *pl_pair_phase_name(enum pl_pair_phase phase);
const char *pl_pair_event_name(enum pl_pair_event_kind kind);
const char *pl_action_name(unsigned action); /* both kinds of actions */

/* --------------------------------------------------------- rehearsal */

/* One side of a rehearsed negotiation. */
struct pl_rehearsal_side {
	struct pl_terms terms;
	enum pl_certificate certificate; /* how the other side judges the
	                                  * certificate of this side */
	bool refuses_sasl;               /* answers EXTERNAL with failure */
};

struct pl_rehearsal_result {
	enum pl_method method;
	enum pl_code initiating; /* code on the initiating side; none if open */
	enum pl_code receiving;
	enum pl_side initiating_side, receiving_side;
	enum pl_next next;       /* what the initiating side may do next */
	unsigned connections;    /* made, retries included */
};

/*
 * Plays both machines against each other without a network: `initiating`
 * dials `receiving`, retries as the steps allow (at most 3 connections), a
 * db:verify is answered truthfully. What `parley policy --against` predicts.
 */
void pl_rehearse(const struct pl_rehearsal_side *initiating,
		 const struct pl_rehearsal_side *receiving,
		 struct pl_rehearsal_result *result);

/* --------------------------------------------------- what would work */

enum pl_known { PL_UNKNOWN, PL_YES, PL_NO };

/* What is known of a peer after a negotiation with it (works.c). */
struct pl_peer_offer {
	enum pl_known starttls;       /* it can be brought under TLS */
	enum pl_known external;       /* EXTERNAL, under TLS */
	enum pl_known dialback_tls;   /* dialback under TLS */
	enum pl_known dialback_clear; /* dialback before TLS */
	bool starttls_required;       /* it takes nothing in clear */
	bool certificate_known;
	enum pl_certificate certificate; /* as we judge it */
	bool own_certificate;         /* we have one to show */
	bool refuses_tls;             /* it was tried, in vain */
	bool refuses_external;        /* likewise */
	bool refuses_dialback;        /* likewise */
};

/*
 * The method that a negotiation with such a peer ends in under this policy
 * (with its default certificate-check). PL_METHOD_NONE: none, or what is not
 * known decides it.
 */
enum pl_method pl_would_work(const struct pl_policy *policy,
			     const struct pl_peer_offer *peer);

#endif
