/*
 * parley check certs: our certificates, as a peer with the same trust would
 * judge them.
 *
 *     each host and component -> its files are loaded -> a handshake in memory,
 *     whose other side judges -> findings, worst first -> an object -> text, or
 *     JSON
 */
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "parley/addr.h"
#include "parley/tls.h"

enum { SOON_DAYS = 21, DAY_SECONDS = 86400, TURNS = 32 };

/* Worst first. */
enum severity { FAULT, UNCHECKED, WARNING, SEVERITIES };

static const char *const severity_names[SEVERITIES] = {
	[FAULT] = "error",
	[UNCHECKED] = "unchecked",
	[WARNING] = "warning",
};

struct judging {
	const struct check *check;     /* borrowed */
	const struct pl_conf *conf;    /* borrowed */
	struct pl_tls_trust *trust;    /* owned */
	time_t now;
	json_t *hosts;                 /* owned */
	unsigned found[SEVERITIES];
	unsigned certificates;
	/* of the one at hand */
	const struct pl_conf_host *host;
	json_t *result;                /* borrowed from hosts */
	json_t *findings[SEVERITIES];  /* owned until they are ranked */
};

__attribute__((format(printf, 4, 5)))
static void find(struct judging *judging, enum severity severity,
		 const char *first_step, const char *format, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		abort();
	va_end(ap);
	json_array_append_new(judging->findings[severity], json_pack(
		"{s:s, s:o, s:o}", "severity", severity_names[severity],
		"text", cli_json_text(text),
		"first_step", cli_json_text(first_step)));
	free(text);
	judging->found[severity]++;
}

/* ----- names ----- */

/* A certificate does not tell for a pattern itself; any name below will do. */
static bool covers(const struct pl_tls_identity *identity, const char *name)
{
	char sample[PL_DOMAIN_SIZE + 8];

	if (strncmp(name, "*.", 2) == 0) {
		snprintf(sample, sizeof sample, "parley%s", name + 1);
		name = sample;
	}
	return pl_tls_identity_covers(identity, name);
}

static void put_names(struct judging *judging,
		      const struct pl_tls_identity *identity)
{
	json_t *dns = json_array(), *srv = json_array(), *xmpp = json_array();
	char name[600];
	int at = 0;

	while (pl_tls_identity_name(identity, &at, name, sizeof name)) {
		json_t *array = name[0] == 'D' ? dns
			      : name[0] == 'S' ? srv : xmpp;

		json_array_append_new(array,
				      cli_json_text(strchr(name, ':') + 1));
	}
	if (json_array_size(dns) == 0 &&
	    json_array_size(srv) + json_array_size(xmpp) > 0)
		find(judging, WARNING, "have the next one name it as DNS too",
		     "it has no DNS name, and many servers look at no other "
		     "kind");
	json_object_set_new(judging->result, "names", json_pack(
		"{s:o, s:o, s:o}", "xmppAddr", xmpp, "SRVName", srv,
		"DNS", dns));
}

static bool is_below(const char *name, const char *domain)
{
	size_t length = strlen(name), tail = strlen(domain);

	return length > tail && name[length - tail - 1] == '.' &&
	       strcmp(name + length - tail, domain) == 0;
}

/* The host's own name, and those of ours below it. */
static void put_covered(struct judging *judging,
			const struct pl_tls_identity *identity)
{
	json_t *covered = json_array(), *missing = json_array();
	const struct pl_conf_host *h;

	for (h = judging->conf->hosts; h != NULL; h = h->next)
		if (h == judging->host ||
		    is_below(h->name, judging->host->name))
			json_array_append_new(covers(identity, h->name)
						      ? covered : missing,
					      cli_json_text(h->name));
	json_object_set_new(judging->result, "covers", covered);
	json_object_set_new(judging->result, "does_not_cover", missing);
	if (!covers(identity, judging->host->name))
		find(judging, FAULT, "get one with this name as DNS name",
		     "none of its names is %s: peers cannot prove our "
		     "identity by it", judging->host->name);
}

/* ----- what it is made of ----- */

static void put_description(struct judging *judging,
			    const struct pl_tls_identity *identity)
{
	struct pl_tls_description d;

	pl_tls_identity_describe(identity, &d);
	json_object_update_new(judging->result, json_pack(
		"{s:i, s:s, s:i, s:s, s:s, s:s}", "certificates",
		d.certificates, "key", d.key, "bits", d.bits, "signature",
		d.digest, "usage", d.usage, "purposes", d.purposes));
	if (!d.may_sign)
		find(judging, FAULT, "get one whose keyUsage has "
		     "digitalSignature", "its keyUsage (%s) does not let it "
		     "sign, which TLS 1.3 needs", d.usage);
	if (pl_tls_identity_lacks_server(identity))
		find(judging, FAULT, "get one with serverAuth and clientAuth",
		     "its extendedKeyUsage (%s) lacks serverAuth: peers take "
		     "it for no server's", d.purposes);
	if (pl_tls_identity_lacks_client(identity))
		find(judging, WARNING, "get one with clientAuth as well, or "
		     "have dialback allowed", "its extendedKeyUsage (%s) lacks "
		     "clientAuth: many peers will not take it for SASL "
		     "EXTERNAL when we call them", d.purposes);
}

static void date(time_t when, char out[32])
{
	struct tm utc;

	if (gmtime_r(&when, &utc) == NULL ||
	    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
		snprintf(out, 32, "unknown");
}

static void put_dates(struct judging *judging,
		      const struct pl_tls_identity *identity)
{
	time_t first = pl_tls_identity_not_before(identity);
	time_t last = pl_tls_identity_not_after(identity);
	long long days = (long long)(last - judging->now) / DAY_SECONDS;
	char first_text[32], last_text[32];

	date(first, first_text);
	date(last, last_text);
	json_object_update_new(judging->result, json_pack(
		"{s:s, s:s, s:I}", "not_before", first_text, "not_after",
		last_text, "days_left", (json_int_t)days));
	if (last < judging->now)
		find(judging, FAULT, "renew it, then `parley reload`",
		     "it expired on %s", last_text);
	if (first > judging->now)
		find(judging, FAULT, "check this machine's clock",
		     "it is not valid before %s", first_text);
	if (last >= judging->now && days <= SOON_DAYS)
		find(judging, WARNING, "renew it, then `parley reload`",
		     "it expires in %lld day%s, on %s", days,
		     days == 1 ? "" : "s", last_text);
}

/* ----- as a peer would judge it ----- */

static bool move_bytes(struct pl_tls *from, struct pl_tls *to)
{
	struct pl_buffer bytes;
	bool moved;

	pl_buffer_init(&bytes, 0);
	moved = pl_tls_drain(from, &bytes) && bytes.length > 0;
	if (moved)
		pl_tls_feed(to, pl_buffer_bytes(&bytes), bytes.length);
	pl_buffer_finish(&bytes);
	return moved;
}

/* Both ends here, and no network. */
static bool shake_hands(struct pl_tls *peer, struct pl_tls *us)
{
	bool moved = true;

	pl_tls_start(us);
	pl_tls_start(peer);
	for (int i = 0; moved && i < TURNS; i++) {
		moved = move_bytes(peer, us);
		moved |= move_bytes(us, peer);
	}
	return pl_tls_status(peer) == PL_TLS_READY;
}

static const char *trust_name(const struct judging *judging)
{
	return judging->conf->ca_file != NULL ? judging->conf->ca_file
	     : judging->conf->ca_directory != NULL
		     ? judging->conf->ca_directory : "the system's store";
}

/* Chains come first in a verdict, then dates, then names. */
static bool is_trusted(enum pl_certificate verdict)
{
	return verdict == PL_CERT_VALID || verdict == PL_CERT_EXPIRED ||
	       verdict == PL_CERT_NOT_YET_VALID ||
	       verdict == PL_CERT_WRONG_NAME;
}

static void take_verdict(struct judging *judging,
			 const struct pl_tls_verdict *verdict,
			 const struct pl_tls_facts *facts)
{
	switch (verdict->certificate) {
	case PL_CERT_VALID:
	case PL_CERT_WRONG_NAME: /* put_covered() */
		break;
	case PL_CERT_EXPIRED:
	case PL_CERT_NOT_YET_VALID:
		if (strncmp(verdict->text, "an issuer", 9) == 0)
			find(judging, FAULT, "get a chain that is in date",
			     "%s", verdict->text);
		break; /* else put_dates() */
	case PL_CERT_SELF_SIGNED:
		find(judging, FAULT, "get one from a CA that your peers trust; "
		     "without, dialback alone will do", "it is self-signed, "
		     "and %s does not hold it", trust_name(judging));
		break;
	case PL_CERT_CHAIN_INCOMPLETE:
		find(judging, FAULT, "put the issuer's certificate behind it "
		     "in the file (CAs call that fullchain)", "the file holds "
		     "it alone, and its issuer (%s) is not in %s: peers cannot "
		     "build the chain", facts->issuer, trust_name(judging));
		break;
	case PL_CERT_UNKNOWN_CA:
		find(judging, FAULT, "complete the chain in the file, or get "
		     "one from a CA that your peers trust", "its chain of %d "
		     "leads to no CA of %s; its issuer is %s",
		     facts->chain_length, trust_name(judging), facts->issuer);
		break;
	case PL_CERT_PURPOSE:
		if (json_array_size(judging->findings[FAULT]) > 0)
			break; /* put_description() said what is missing */
		/* fall through */
	case PL_CERT_NONE:
	case PL_CERT_REVOKED:
	case PL_CERT_DANE_MISMATCH:
	case PL_CERT_WEAK:
	case PL_CERT_OTHER:
	case PL_CERTS:
		find(judging, FAULT, "get another one", "%s: %s",
		     pl_certificate_name(verdict->certificate), verdict->text);
	}
}

static void judge(struct judging *judging, struct pl_tls_identity *identity)
{
	const char *name = judging->host->name;
	struct pl_tls_initiate initiate = {
		.trust = judging->trust,
		.domain = strncmp(name, "*.", 2) == 0 ? name + 2 : name,
	};
	struct pl_tls_receive receive = { .trust = judging->trust,
					  .identity = identity };
	struct pl_error error = { .text = "" };
	struct pl_tls *peer = pl_tls_initiating(&initiate, &error);
	struct pl_tls *us = peer == NULL ? NULL
					 : pl_tls_receiving(&receive, &error);
	struct pl_tls_verdict verdict;
	struct pl_tls_facts facts;

	if (us == NULL) {
		find(judging, UNCHECKED, "try again", "%s", error.text);
	} else if (!shake_hands(peer, us)) {
		find(judging, FAULT, "get another one", "no handshake succeeds "
		     "with it: %s%s", pl_tls_failure_text(peer),
		     pl_tls_failure_text(us));
	} else {
		pl_tls_judge(peer, initiate.domain, judging->now, &verdict);
		pl_tls_facts(peer, &facts);
		json_object_update_new(judging->result, json_pack(
			"{s:s, s:b, s:o, s:o, s:s}", "verdict",
			pl_certificate_name(verdict.certificate),
			"trusted", is_trusted(verdict.certificate),
			"subject", cli_json_text(facts.subject),
			"issuer", cli_json_text(facts.issuer),
			"sha256", facts.sha256));
		take_verdict(judging, &verdict, &facts);
	}
	pl_tls_free(us);
	pl_tls_free(peer);
}

/* ----- one host ----- */

/* Another user may: that is no fault of the file. */
static bool is_forbidden(const char *path)
{
	return access(path, R_OK) != 0 && errno == EACCES;
}

static void load(struct judging *judging)
{
	const struct pl_conf_host *host = judging->host;
	struct pl_error error = { .text = "" };
	struct pl_tls_identity *identity = NULL;

	judging->certificates++;
	if (host->certificate == NULL || host->private_key == NULL) {
		find(judging, FAULT, "set both certificate and private-key",
		     "one of certificate and private-key is not set");
		return;
	}
	identity = pl_tls_identity_new(host->certificate, host->private_key,
				       &error);
	if (identity == NULL) {
		bool forbidden = is_forbidden(host->certificate) ||
				 is_forbidden(host->private_key);

		find(judging, forbidden ? UNCHECKED : FAULT, forbidden
		     ? "run this as root, or as the user of parleyd"
		     : "correct the files that the section names", "%s",
		     error.text);
		return;
	}
	put_names(judging, identity);
	put_covered(judging, identity);
	put_description(judging, identity);
	put_dates(judging, identity);
	judge(judging, identity);
	pl_tls_identity_unref(identity);
}

/* The configuration gives a component without one that of the first host which
 * covers it. */
static const struct pl_conf_host *lender(const struct judging *judging)
{
	const struct pl_conf_host *h = judging->conf->hosts;

	while (h != NULL && (h->component || h->certificate == NULL ||
			     strcmp(h->certificate,
				    judging->host->certificate) != 0))
		h = h->next;
	return h;
}

static void name_lender(struct judging *judging)
{
	const struct pl_conf_host *from = NULL;

	if (judging->host->component && judging->host->certificate != NULL)
		from = lender(judging);
	if (from != NULL)
		json_object_set_new(judging->result, "uses_that_of",
				    cli_json_text(from->name));
}

static void do_without(struct judging *judging)
{
	find(judging, WARNING, "give it certificate and private-key",
	     judging->host->component
	     ? "it has no certificate, and that of no host names it: its "
	       "streams know neither TLS nor SASL"
	     : "it has no certificate: its streams know neither TLS nor SASL");
}

static void judge_host(struct judging *judging, const struct pl_conf_host *host)
{
	json_t *ranked = json_array();

	judging->host = host;
	for (int i = 0; i < SEVERITIES; i++)
		judging->findings[i] = json_array();
	judging->result = json_pack(
		"{s:o, s:b, s:o?, s:o?, s:n}", "host",
		cli_json_text(host->name), "component", host->component,
		"certificate", host->certificate != NULL
			? cli_json_text(host->certificate) : NULL,
		"private_key", host->private_key != NULL
			? cli_json_text(host->private_key) : NULL,
		"uses_that_of");
	json_array_append_new(judging->hosts, judging->result);
	name_lender(judging);
	if (host->certificate != NULL || host->private_key != NULL)
		load(judging);
	else
		do_without(judging);
	for (int i = 0; i < SEVERITIES; i++) {
		json_array_extend(ranked, judging->findings[i]);
		json_decref(judging->findings[i]);
	}
	json_object_set_new(judging->result, "findings", ranked);
}

/* ----- text ----- */

static void print_list(const char *title, const json_t *list)
{
	const json_t *each;
	size_t i;

	if (json_array_size(list) == 0)
		return;
	printf("  %-12s", title);
	json_array_foreach(list, i, each)
		printf("%s%s", i > 0 ? ", " : "", json_string_value(each));
	putchar('\n');
}

static void print_certificate(const json_t *result)
{
	const json_t *names = json_object_get(result, "names");
	const char *digest = check_text(result, "signature");
	const char *usage = check_text(result, "usage");
	const char *purposes = check_text(result, "purposes");
	long long days = json_integer_value(json_object_get(result,
							    "days_left"));

	print_list("xmppAddr", json_object_get(names, "xmppAddr"));
	print_list("SRVName", json_object_get(names, "SRVName"));
	print_list("DNS", json_object_get(names, "DNS"));
	print_list("covers", json_object_get(result, "covers"));
	print_list("but not", json_object_get(result, "does_not_cover"));
	printf("  chain       %lld in the file, %s; issuer %s\n",
	       json_integer_value(json_object_get(result, "certificates")),
	       json_is_true(json_object_get(result, "trusted"))
		       ? "complete and trusted" : check_text(result, "verdict"),
	       check_text(result, "issuer"));
	printf("  key         %s, %lld bits; it fits; signed with %s\n",
	       check_text(result, "key"),
	       json_integer_value(json_object_get(result, "bits")),
	       digest[0] != '\0' ? digest : "its issuer's own kind");
	printf("  usage       %s; %s\n", usage[0] != '\0' ? usage : "any",
	       purposes[0] != '\0' ? purposes : "any purpose");
	printf("  valid       %s to %s", check_text(result, "not_before"),
	       check_text(result, "not_after"));
	if (days >= 0)
		printf(", %lld days left", days);
	putchar('\n');
}

static void print_result(const json_t *result)
{
	const json_t *findings = json_object_get(result, "findings"), *each;
	const char *file = check_text(result, "certificate");
	const char *from = check_text(result, "uses_that_of");
	size_t i;

	printf("%s%s: %s\n", check_text(result, "host"),
	       json_is_true(json_object_get(result, "component"))
		       ? " (component)" : "",
	       json_array_size(findings) == 0 ? "fine"
		       : check_text(json_array_get(findings, 0), "severity"));
	if (from[0] != '\0')
		printf("  uses the certificate of %s\n", from);
	if (file[0] != '\0')
		printf("  files       %s, %s\n", file,
		       check_text(result, "private_key"));
	if (json_object_get(result, "key") != NULL)
		print_certificate(result);
	json_array_foreach(findings, i, each)
		printf("  %s: %s\n    first step: %s\n",
		       check_text(each, "severity"), check_text(each, "text"),
		       check_text(each, "first_step"));
}

static void show(const struct judging *judging)
{
	const json_t *result;
	size_t i;

	if (judging->check->json) {
		cli_print_json(json_pack("{s:O, s:s}", "hosts", judging->hosts,
					 "trust", trust_name(judging)));
		return;
	}
	json_array_foreach(judging->hosts, i, result) {
		if (i > 0)
			putchar('\n');
		print_result(result);
	}
}

/* ----- the whole ----- */

static bool is_wanted(const struct check *check,
		      const struct pl_conf_host *host)
{
	char name[PL_DOMAIN_SIZE];

	for (int i = 0; i < check->count; i++)
		if (strcmp(check->words[i], host->name) == 0 ||
		    (pl_addr_domain(check->words[i], strlen(check->words[i]),
				    name, NULL) &&
		     strcmp(name, host->name) == 0))
			return true;
	return check->count == 0;
}

static bool all_known(const struct check *check, const struct pl_conf *conf)
{
	for (int i = 0; i < check->count; i++) {
		const struct check one = { .words = check->words + i,
					   .count = 1 };
		const struct pl_conf_host *host = conf->hosts;
		char printable[300];

		while (host != NULL && !is_wanted(&one, host))
			host = host->next;
		if (host != NULL)
			continue;
		cli_usage("check", "\"%s\" is no host or component of %s",
			  pl_text_printable(printable, sizeof printable,
					    check->words[i],
					    strlen(check->words[i])),
			  check->path);
		return false;
	}
	return true;
}

static int status_of(const struct judging *judging, bool sound)
{
	if (judging->found[FAULT] > 0)
		return CLI_DIFFERS;
	if (!sound && judging->found[UNCHECKED] == 0)
		return CLI_USAGE;
	if (judging->found[UNCHECKED] > 0 || judging->certificates == 0)
		return CLI_INCOMPLETE;
	return judging->found[WARNING] > 0 && judging->check->fail_on_warn
		       ? CLI_WARNINGS : CLI_OK;
}

static int run(const struct check *check, const struct pl_conf *conf,
	       bool sound)
{
	struct judging judging = { .check = check, .conf = conf,
				   .now = time(NULL) };
	struct pl_error error = { .text = "" };

	judging.trust = pl_tls_trust_new(conf->ca_file, conf->ca_directory,
					 &error);
	if (judging.trust == NULL) {
		fprintf(stderr, "parley check: the trust: %s\n", error.text);
		return CLI_USAGE;
	}
	judging.hosts = json_array();
	for (const struct pl_conf_host *h = conf->hosts; h != NULL; h = h->next)
		if (is_wanted(check, h))
			judge_host(&judging, h);
	show(&judging);
	if (judging.certificates == 0)
		fprintf(stderr, "parley check: no host or component that was "
			"asked for has a certificate in %s\n", check->path);
	json_decref(judging.hosts);
	pl_tls_trust_unref(judging.trust);
	return status_of(&judging, sound);
}

/* Without the trust that was meant there is nothing to judge by. */
static bool trust_is_faulty(const struct pl_conf_note *notes)
{
	while (notes != NULL && (notes->severity != PL_ERROR ||
				 strncmp(notes->text, "ca-", 3) != 0))
		notes = notes->next;
	return notes != NULL;
}

/* A faulty file too: the fault may be the certificate's. */
int check_certs(const struct check *check)
{
	struct pl_conf_note *notes = NULL;
	bool sound;
	struct pl_conf *conf = pl_conf_read(check->path, time(NULL), &notes,
					    &sound);
	int status = CLI_USAGE;

	if (!sound)
		pl_conf_notes_print(notes, stderr, false);
	if ((sound || conf->hosts != NULL) && !trust_is_faulty(notes) &&
	    all_known(check, conf))
		status = run(check, conf, sound);
	pl_conf_notes_free(notes);
	pl_conf_unref(conf);
	return status;
}
