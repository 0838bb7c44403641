/*
 * The outcome line: one attempt to authenticate a pair, in one line.
 *
 * A failed attempt is told in sentences. Each code has its own, with what
 * happened and the rule that made it fatal; the words of the peer stand at the
 * end, in quotes. In the templates
 *
 *     $R the remote domain     $L the local domain    $A the peer's address
 *     $P the rule: `row 2 of partner "x" (parley.conf:12)`
 *     $M the methods of the row: "SASL over TLS or TLS Dialback"
 *     $X "in clear" or "under TLS"        $S the stage
 *     $V what is wrong with the certificate
 *     $F what to do about its issuer
 */
#include "log.h"

#include <stdio.h>
#include <string.h>

struct sentence {
	const char *out; /* we dialled, or both directions */
	const char *in;  /* the peer dialled; NULL: as out */
	const char *fix;
	const char *fix_in; /* NULL: as fix */
	const char *told;   /* as `in`, where the peer gave up with words of its
	                     * own; NULL: no difference */
	bool plain_words;   /* the words are ours or the system's: no quotes */
};

static const struct sentence sentences[PL_CODES] = {
	[PL_CODE_NONE] = {
		"the negotiation with $R ended without a reason",
		.fix = "report it with the trace",
	},

	/* ----- the peer's certificate ----- */
	[PL_CODE_CERTIFICATE_DANE] = {
		"the certificate of $R does not match the TLSA records of its "
		"host; $P asks for a valid one",
		.fix = "ask the administrator of $R to correct the TLSA "
		       "records or the certificate",
		.plain_words = true,
	},
	[PL_CODE_CERTIFICATE_EXPIRED] = {
		"the certificate of $R has expired; $P asks for a valid one",
		.fix = "ask the administrator of $R to renew its certificate",
		.plain_words = true,
	},
	[PL_CODE_CERTIFICATE_INVALID] = {
		"the certificate of $R $V; $P asks for a valid one",
		.fix = "ask the administrator of $R for a new certificate: "
		       "this one $V",
		.plain_words = true,
	},
	[PL_CODE_CERTIFICATE_MISSING] = {
		"$R showed no certificate; $P needs $M",
		.fix = "ask the administrator of $R to let its server show "
		       "its certificate to other servers",
		.plain_words = true,
	},
	[PL_CODE_CERTIFICATE_NOT_YET_VALID] = {
		"the certificate of $R is not valid yet; $P asks for a valid "
		"one",
		.fix = "compare the clock of this machine with the right "
		       "time; if it is right, ask the administrator of $R to "
		       "look at the dates of its certificate",
		.plain_words = true,
	},
	[PL_CODE_CERTIFICATE_PURPOSE] = {
		"the certificate of $R is not meant for servers; $P asks for "
		"a valid one",
		.fix = "ask the administrator of $R for a certificate with "
		       "serverAuth in its extended key usage, or without one",
		.plain_words = true,
	},
	[PL_CODE_CERTIFICATE_UNKNOWN_CA] = {
		"the certificate of $R $V; $P asks for a valid one",
		.fix = "$F",
		.plain_words = true,
	},
	[PL_CODE_CERTIFICATE_WRONG_NAME] = {
		"the certificate of $R does not name $R; $P asks for a valid "
		"one",
		.fix = "ask the administrator of $R for a certificate with "
		       "the DNS-ID $R",
		.plain_words = true,
	},

	/* ----- our own certificate ----- */
	[PL_CODE_OWN_CERTIFICATE_EXPIRED] = {
		"$R did not authenticate us, and our certificate for $L has "
		"expired",
		.fix = "on our side: renew the certificate of $L, then run "
		       "parley reload",
	},
	[PL_CODE_OWN_CERTIFICATE_MISSING] = {
		"our side has no certificate for $L; $P needs $M",
		.fix = "on our side: give $L a certificate and private-key in "
		       "the configuration",
	},
	[PL_CODE_OWN_CERTIFICATE_PURPOSE] = {
		"$R did not authenticate us, and our certificate for $L has "
		"an extended key usage without clientAuth",
		.fix = "on our side: get a certificate for $L with clientAuth, "
		       "or ask the administrator of $R to accept serverAuth",
	},
	[PL_CODE_OWN_CERTIFICATE_REJECTED] = {
		"$R does not accept our certificate for $L",
		.fix = "on our side: use a certificate for $L that names it, "
		       "is in date, comes with its chain and is issued by a CA "
		       "that $R trusts",
	},

	/* ----- local services ----- */
	[PL_CODE_COMPONENT_REFUSED] = {
		"the local service $R at $A has the wrong secret, or is "
		"attached already",
		.fix = "on our side: compare secret-file of component \"$R\" "
		       "with what the service was told, or set connect = "
		       "replace",
		.plain_words = true,
	},

	/* ----- policy and limits ----- */
	[PL_CODE_CONNECTION_LIMIT] = {
		"one more connection with $R ($A) would exceed a connection "
		"limit",
		.fix = "on our side: raise connection-limit of the partner or "
		       "the limits section if the connections are honest, "
		       "else look for a flood",
		.plain_words = true,
	},
	[PL_CODE_PARTNER_UNKNOWN] = {
		"no partner section matches $R, and there is none named \"*\"",
		.fix = "on our side: add partner \"$R\", or partner \"*\", to "
		       "the configuration if $R is wanted",
	},
	[PL_CODE_ROW_NOT_VALID] = {
		"$P allows no method at all",
		.fix = "on our side: correct the row; parley policy lists the "
		       "valid ones",
	},
	[PL_CODE_SHUTDOWN] = {
		"this server is shutting down, so the negotiation with $R was "
		"ended at stage $S",
		.fix = "nothing: it is tried again once this server runs",
		.plain_words = true,
	},

	/* ----- dialback ----- */
	[PL_CODE_DIALBACK_CANNOT_REACH_US] = {
		"$R cannot reach the server of $L to verify our dialback key",
		.fix = "on our side: check the SRV and address records of $L, "
		       "and that the firewall lets $R in",
	},
	[PL_CODE_DIALBACK_INVALID] = {
		"$R says that our dialback key for $L is not valid",
		.fix = "on our side: use the same dialback secret on every "
		       "node of $L, and check that DNS of $L leads here and "
		       "nowhere else",
	},
	[PL_CODE_DIALBACK_NOT_ALLOWED] = {
		"dialback with $R $X is not allowed by $P, which needs $M",
		"$R relies on dialback $X; $P needs $M",
		"on our side set dialback = yes for $R, or ask its "
		"administrator to use SASL EXTERNAL",
		.told = "$R gave up $X; $P needs $M",
	},
	[PL_CODE_DIALBACK_NOT_OFFERED] = {
		"$R offers no dialback $X, and nothing else is left of what $P "
		"allows ($M)",
		"$R did not use dialback $X, and nothing else is left of what "
		"$P allows ($M)",
		"on our side enable SASL for $R, or ask its administrator to "
		"enable dialback",
	},
	[PL_CODE_DIALBACK_REFUSED] = {
		"$R refused dialback $X for $L",
		"dialback $X of $R for $L was refused",
		"on our side enable SASL for $R, or ask its administrator why "
		"dialback is refused",
	},
	[PL_CODE_DIALBACK_TIMEOUT] = {
		"$R did not say in time whether our dialback key is valid",
		"$R did not finish dialback in time",
		"ask the administrator of $R whether its server can reach the "
		"one of $L",
	},
	[PL_CODE_VERIFY_INVALID] = {
		"the authoritative server of $R denies the dialback key",
		"the authoritative server of $R denies the dialback key that "
		"came from $A",
		"look whether $A is a server of $R: if not, someone forges "
		"its name; if so, its administrator must use one dialback "
		"secret on all nodes",
	},
	[PL_CODE_VERIFY_TIMEOUT] = {
		"the authoritative server of $R did not answer in time whether "
		"the dialback key is valid",
		.fix = "ask the administrator of $R whether its server answers "
		       "db:verify",
		.plain_words = true,
	},
	[PL_CODE_VERIFY_UNREACHABLE] = {
		"the authoritative server of $R cannot be reached to verify "
		"the dialback key",
		.fix = "ask the administrator of $R to check its SRV record and "
		       "port",
		.plain_words = true,
	},

	/* ----- DNS and TCP ----- */
	[PL_CODE_DNS_BOGUS] = {
		"the DNS records of $R fail DNSSEC validation",
		.fix = "ask the owner of $R to sign the zone again",
		.plain_words = true,
	},
	[PL_CODE_DNS_NO_ADDRESS] = {
		"the SRV record of $R leads to a host without an address",
		.fix = "ask the owner of $R to correct the SRV record",
		.plain_words = true,
	},
	[PL_CODE_DNS_NO_SERVICE] = {
		"DNS says that $R has no XMPP server",
		.fix = "ask the owner of $R for an SRV record that leads to a "
		       "server",
		.plain_words = true,
	},
	[PL_CODE_DNS_NO_SUCH_DOMAIN] = {
		"the name $R does not exist in DNS",
		.fix = "check the spelling of $R; if it is right, ask its owner",
		.plain_words = true,
	},
	[PL_CODE_DNS_RESOLVER_UNREACHABLE] = {
		"our DNS resolver did not answer the question for $R",
		.fix = "on our side: check resolv.conf and the resolver it "
		       "names",
		.plain_words = true,
	},
	[PL_CODE_DNS_SERVER_FAILURE] = {
		"the name servers of $R do not answer",
		.fix = "ask the owner of $R to look after its name servers",
		.plain_words = true,
	},
	[PL_CODE_TCP_REFUSED] = {
		"$A refuses the connection for $R: nothing listens there",
		.fix = "ask the administrator of $R whether the server runs "
		       "and listens at $A",
		.plain_words = true,
	},
	[PL_CODE_TCP_TIMEOUT] = {
		"$A did not answer the connection for $R in time",
		.fix = "ask the administrator of $R whether a firewall drops "
		       "connections to $A",
		.plain_words = true,
	},
	[PL_CODE_TCP_UNREACHABLE] = {
		"there is no route to $A, the address of $R",
		.fix = "on our side: check the network, its routes and "
		       "whether it carries this kind of address",
		.plain_words = true,
	},

	/* ----- TLS ----- */
	[PL_CODE_PEER_REQUIRES_TLS] = {
		"$R requires TLS, which $P excludes",
		.fix = "on our side: set tls = optional, or required, for $R",
	},
	[PL_CODE_PLAINTEXT_BEHIND_STARTTLS] = {
		"bytes in clear followed <proceed/> of $R",
		"bytes in clear followed <starttls/> of $R",
		"do not relax the policy; look who is on the path to $A",
		.plain_words = true,
	},
	[PL_CODE_STARTTLS_REFUSED] = {
		"$R answered <starttls/> with <failure/>; $P needs $M",
		.fix = "ask the administrator of $R to look into the server's "
		       "log for the reason",
	},
	[PL_CODE_TLS_CLOSED] = {
		"$R closed the connection during the TLS handshake",
		.fix = "ask the administrator of $R to look into the server's "
		       "log for the reason",
		.plain_words = true,
	},
	[PL_CODE_TLS_FAILED] = {
		"the TLS handshake with $R failed",
		"TLS with $R failed at stage $S",
		"see the words of the TLS library; ask the "
		       "administrator of $R to look into the server's log",
		.plain_words = true,
	},
	[PL_CODE_TLS_NOT_OFFERED] = {
		"$R offers no STARTTLS; $P needs $M",
		"$R sent db:result in clear; $P needs $M",
		"ask the administrator of $R to enable TLS for "
		"server-to-server connections",
		.told = "$R gave up in clear; $P needs $M",
	},
	[PL_CODE_TLS_NOT_SPOKEN] = {
		"$A does not speak TLS from the first byte",
		"the connection from $A did not begin with TLS",
		"ask the administrator of $R to correct the _xmpps-server "
		"record; with connect, set connect-tls = starttls",
		"ask the administrator of $R to connect to the port for direct "
		"TLS with TLS, or to the other port with STARTTLS",
		.plain_words = true,
	},
	[PL_CODE_TLS_TIMEOUT] = {
		"the TLS handshake with $R did not finish in time",
		.fix = "ask the administrator of $R whether the server is "
		       "overloaded or a firewall drops large packets",
		.plain_words = true,
	},
	[PL_CODE_TLS_VERSION] = {
		"$R and this server have no common TLS version",
		.fix = "ask the administrator of $R to enable TLS 1.2 or 1.3",
		.plain_words = true,
	},

	/* ----- SASL ----- */
	[PL_CODE_INVALID_AUTHZID] = {
		"$R refuses our authorization identity $L",
		"$R asks for an authorization identity that is not the "
		"stream's from",
		"report it to the administrator of $R",
	},
	[PL_CODE_PEER_REQUIRES_SASL] = {
		"$R takes SASL EXTERNAL alone; $P allows $M",
		.fix = "on our side set sasl = optional for $R, or ask its "
		       "administrator for dialback",
	},
	[PL_CODE_SASL_NOT_OFFERED] = {
		"$R does not offer SASL EXTERNAL $X; $P needs $M",
		"$R did not use SASL EXTERNAL $X; $P needs $M",
		"on our side: check that the certificate of $L names it, is in "
		"date and comes from a CA that $R trusts; then ask the "
		"administrator of $R to enable SASL EXTERNAL",
		"ask the administrator of $R to enable SASL EXTERNAL for "
		"connections to $L",
	},
	[PL_CODE_SASL_REFUSED] = {
		"$R refused SASL EXTERNAL for $L; $P needs $M",
		"SASL EXTERNAL of $R was refused; $P needs $M",
		"compare the issuer of the certificate of $L with the CAs that "
		"$R trusts",
		"ask the administrator of $R which certificate and "
		"authorization identity the server uses",
	},

	/* ----- the stream ----- */
	[PL_CODE_FEATURES_TIMEOUT] = {
		"$R sent no stream features in time",
		"$R did not answer our stream features in time",
		"ask the administrator of $R to look into the server's log",
	},
	[PL_CODE_FROM_LOCAL] = {
		"the connection to $R led to ourselves",
		"the peer at $A calls itself $R, which is served here",
		"check that DNS of $R does not lead to this server",
		"check DNS of $R for a loop; without one, $A uses a name that "
		"is not its own",
	},
	[PL_CODE_HEADER_TIMEOUT] = {
		"$R sent no stream header in time",
		.fix = "ask the administrator of $R whether an XMPP server "
		       "answers at $A",
	},
	[PL_CODE_HOST_UNKNOWN] = {
		"the server at $A does not serve $R",
		"$R asked for $L, which is not served here",
		"ask the administrator of $R to correct its SRV record, or "
		"the list of domains of the server at $A",
		"correct the SRV record of $L, or add host \"$L\" to the "
		"configuration",
	},
	[PL_CODE_LIMIT_EXCEEDED] = {
		"$R exceeded a limit at stage $S",
		.fix = "on our side: raise unauthenticated-bytes or "
		       "stanza-bytes in limits if $R is honest",
		.plain_words = true,
	},
	[PL_CODE_NEGOTIATION_TIMEOUT] = {
		"the negotiation with $R took too long; it was at stage $S",
		.fix = "look what stage $S waited for; raise negotiate in "
		       "timeouts only if $R is slow but sound",
	},
	[PL_CODE_NOT_WELL_FORMED] = {
		"$R sent XML that cannot be parsed",
		.fix = "report it to the administrator of $R with the trace",
		.plain_words = true,
	},
	[PL_CODE_NOT_XMPP] = {
		"what answers at $A for $R is no XMPP server",
		"what connected from $A does not speak XMPP",
		"check the address and port $A; ask the administrator of $R "
		"to correct its SRV record",
		"look what runs at $A",
		.plain_words = true,
	},
	[PL_CODE_NOTHING_OFFERED] = {
		"$R offers no way to authenticate $X; $P needs $M",
		"nothing could be offered to $R $X; $P needs $M",
		"on our side: check that the certificate of $L names it, is in "
		"date and comes from a CA that $R trusts",
		"ask the administrator of $R to let its server show a valid "
		"certificate",
	},
	[PL_CODE_PEER_CLOSED] = {
		"$R closed the connection at stage $S without saying why",
		.fix = "ask the administrator of $R to look into the server's "
		       "log for the reason",
		.plain_words = true,
	},
	[PL_CODE_PEER_STREAM_ERROR] = {
		"$R ended the stream",
		.fix = "act on the condition that $R named; ask its "
		       "administrator where it is not clear",
	},
	[PL_CODE_PROTOCOL_VIOLATION] = {
		"$R sent what may not come at stage $S",
		.fix = "report it to the administrator of $R with the trace",
		.plain_words = true,
	},
	[PL_CODE_RESTRICTED_XML] = {
		"$R sent a DTD, comment, processing instruction or entity, "
		"which streams must not hold",
		.fix = "report it to the administrator of $R with the trace",
		.plain_words = true,
	},
	[PL_CODE_WRONG_NAMESPACE] = {
		"the peer at $A does not speak jabber:server",
		.fix = "ask the administrator of $R to correct the port in the "
		       "SRV record: $A is not one for servers",
		.fix_in = "report it to the administrator of $R: clients and "
			  "components do not belong on this port",
		.plain_words = true,
	},
	[PL_CODE_INTERNAL] = {
		"a fault of our own ended the negotiation with $R at stage $S",
		.fix = "report it with the trace",
		.plain_words = true,
	},
};

/* ----- text with a bound ----- */

struct text {
	char *out;
	size_t size, length;
};

static void add(struct text *text, const char *piece)
{
	size_t n = strlen(piece), left = text->size - 1 - text->length;

	if (n > left)
		n = left;
	memcpy(text->out + text->length, piece, n);
	text->length += n;
	text->out[text->length] = '\0';
}

/* A name or words of the peer: printable, and no longer than a domain. */
static void add_foreign(struct text *text, const char *piece)
{
	char printable[320];

	add(text, pl_text_printable(printable, sizeof printable, piece,
				    strlen(piece)));
}

static const char *or(const char *text, const char *otherwise)
{
	return text != NULL && *text != '\0' ? text : otherwise;
}

/* ----- the placeholders ----- */

static void add_rule(struct text *text, const struct pl_outcome *o)
{
	char row[32];

	if (o->row == 0) {
		add(text, "our configuration");
		return;
	}
	snprintf(row, sizeof row, "row %d", o->row);
	add(text, row);
	if (o->rule != NULL) {
		add(text, " of ");
		add_foreign(text, o->rule);
	}
}

static void add_methods(struct text *text, const struct pl_outcome *o)
{
	enum pl_method methods[3];
	size_t count = o->row == 0 ? 0 : pl_policy_methods(&o->policy, methods);

	if (count == 0)
		add(text, "no method");
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			add(text, i + 1 < count ? ", " : " or ");
		add(text, pl_method_title(methods[i]));
	}
}

static const char *verdict(enum pl_certificate certificate)
{
	switch (certificate) {
	case PL_CERT_EXPIRED:
		return "has expired";
	case PL_CERT_NOT_YET_VALID:
		return "is not valid yet";
	case PL_CERT_SELF_SIGNED:
		return "is self-signed";
	case PL_CERT_UNKNOWN_CA:
		return "was issued by a CA that is not trusted here";
	case PL_CERT_WRONG_NAME:
		return "names other domains";
	case PL_CERT_PURPOSE:
		return "is not meant for servers";
	case PL_CERT_REVOKED:
		return "was revoked";
	case PL_CERT_DANE_MISMATCH:
		return "does not match the TLSA records of its host";
	case PL_CERT_WEAK:
		return "is too weak";
	case PL_CERT_CHAIN_INCOMPLETE:
		return "came alone, without the certificate of its issuer, "
		       "which is not known here";
	case PL_CERT_NONE:
	case PL_CERT_VALID:
	case PL_CERT_OTHER:
	case PL_CERTS:
		break;
	}
	return "is not acceptable";
}

/* What to do about a certificate whose issuer is not trusted here. */
static const char *issuer_fix(enum pl_certificate certificate)
{
	if (certificate == PL_CERT_SELF_SIGNED)
		return "ask the administrator of $R for a certificate of a CA "
		       "that is trusted here, or add this one to ca-file";
	if (certificate == PL_CERT_CHAIN_INCOMPLETE)
		return "ask the administrator of $R to send the full chain, "
		       "with every intermediate certificate";
	return "on our side add the CA to ca-file if it is to be trusted, or "
	       "ask the administrator of $R for a certificate of another CA";
}

static void expand(struct text *text, const struct pl_outcome *o,
		   const char *template);

static void add_place(struct text *text, const struct pl_outcome *o, char what)
{
	switch (what) {
	case 'R':
		add_foreign(text, or(o->remote, "the peer"));
		break;
	case 'L':
		add_foreign(text, or(o->local, "this server"));
		break;
	case 'A':
		add_foreign(text, or(o->addr, "its address"));
		break;
	case 'P':
		add_rule(text, o);
		break;
	case 'M':
		add_methods(text, o);
		break;
	case 'X':
		add(text, o->tls == NULL ? "in clear" : "under TLS");
		break;
	case 'S':
		add(text, pl_stage_name(o->stage));
		break;
	case 'V':
		add(text, verdict(o->certificate));
		break;
	case 'F':
		expand(text, o, issuer_fix(o->certificate));
		break;
	}
}

static void expand(struct text *text, const struct pl_outcome *o,
		   const char *template)
{
	for (; *template != '\0'; template++) {
		char piece[2] = { *template, '\0' };

		if (*template == '$')
			add_place(text, o, *++template);
		else
			add(text, piece);
	}
}

static bool has_words(const struct pl_outcome *o)
{
	return o->words != NULL && *o->words != '\0';
}

/* A code that is newer than these sentences has its general meaning. */
static const char *sentence_of(const struct pl_outcome *o)
{
	const struct sentence *s = &sentences[o->code];

	if (o->incoming && s->told != NULL && has_words(o))
		return s->told;
	if (o->incoming && s->in != NULL)
		return s->in;
	return s->out != NULL ? s->out : pl_code_entry(o->code)->meaning;
}

static const char *fix_of(const struct pl_outcome *o)
{
	const struct sentence *s = &sentences[o->code];

	if (o->incoming && s->fix_in != NULL)
		return s->fix_in;
	return s->fix != NULL ? s->fix : pl_code_entry(o->code)->first_step;
}

char *pl_outcome_why(const struct pl_outcome *outcome, char *out, size_t size)
{
	struct text text = { out, size, 0 };
	const char *quote = sentences[outcome->code].plain_words ? "" : "\"";

	*out = '\0';
	expand(&text, outcome, sentence_of(outcome));
	if (has_words(outcome)) {
		add(&text, ": ");
		add(&text, quote);
		add_foreign(&text, outcome->words);
		add(&text, quote);
	}
	return out;
}

char *pl_outcome_fix(const struct pl_outcome *outcome, char *out, size_t size)
{
	struct text text = { out, size, 0 };

	*out = '\0';
	expand(&text, outcome, fix_of(outcome));
	return out;
}

/* ----- the line ----- */

static void log_row(struct pl_log_line *line, const struct pl_outcome *o)
{
	if (o->row == 0)
		pl_log_text(line, "row", "none");
	else
		pl_log_number(line, "row", o->row);
}

static void log_expected(struct pl_log_line *line, const struct pl_outcome *o)
{
	enum pl_method methods[3];
	const char *names[3];
	size_t count = o->row == 0 ? 0 : pl_policy_methods(&o->policy, methods);

	for (size_t i = 0; i < count; i++)
		names[i] = pl_method_name(methods[i]);
	pl_log_list(line, "expected", names, count);
}

static void log_certificate(struct pl_log_line *line,
			    const struct pl_outcome *o)
{
	bool by_dane = o->certificate == PL_CERT_VALID && o->by_dane;

	pl_log_text(line, "cert", by_dane ? "valid/dane"
		    : pl_certificate_name(o->certificate));
}

static void log_negotiated(struct pl_log_line *line, const struct pl_outcome *o)
{
	pl_log_text(line, "event", "negotiated");
	pl_log_text(line, "method", pl_method_name(o->method));
	if (o->by_certificate)
		pl_log_text(line, "verified-by", "certificate");
	log_row(line, o);
	log_expected(line, o);
	pl_log_text(line, "tls", or(o->tls, "none"));
	pl_log_text(line, "cipher", or(o->cipher, "none"));
	log_certificate(line, o);
	pl_log_text(line, "addr", or(o->addr, "none"));
	pl_log_number(line, "ms", (int64_t)o->ms);
}

static void log_failed(struct pl_log_line *line, const struct pl_outcome *o)
{
	char text[1280];

	pl_log_text(line, "event", "failed");
	pl_log_text(line, "method", pl_method_name(PL_METHOD_NONE));
	log_row(line, o);
	pl_log_text(line, "stage", pl_stage_name(o->stage));
	pl_log_text(line, "code", pl_code_entry(o->code)->name);
	pl_log_text(line, "side", pl_side_name(o->side));
	pl_log_text(line, "tls", or(o->tls, "none"));
	if (o->cipher != NULL)
		pl_log_text(line, "cipher", o->cipher);
	log_certificate(line, o);
	pl_log_text(line, "addr", or(o->addr, "none"));
	pl_log_number(line, "ms", (int64_t)o->ms);
	pl_log_text(line, "why", pl_outcome_why(o, text, sizeof text));
	pl_log_text(line, "fix", pl_outcome_fix(o, text, sizeof text));
}

void pl_outcome_log(struct pl_log *log, const struct pl_outcome *outcome)
{
	struct pl_log_line line;

	pl_log_begin(&line, log, PL_LOG_NOTICE);
	pl_log_text(&line, "stream", or(outcome->stream, "none"));
	pl_log_text(&line, "dir", outcome->incoming ? "in" : "out");
	pl_log_text(&line, "local", outcome->local == NULL ? ""
		    : outcome->local);
	pl_log_text(&line, "remote", outcome->remote == NULL ? ""
		    : outcome->remote);
	if (outcome->method != PL_METHOD_NONE)
		log_negotiated(&line, outcome);
	else
		log_failed(&line, outcome);
	pl_log_end(&line);
}
