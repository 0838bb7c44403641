/*
 * parley check dns: what parleyd would find for a domain.
 *
 *     each domain -> one query, as a stream would ask -> questions, places,
 *     [own host: where we listen] -> an object -> text, or JSON
 */
#include "check.h"
#include "endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parley/addr.h"
#include "parley/reason.h"
#include "parley/site.h"

struct asking {
	const struct check *check;      /* borrowed */
	const struct pl_conf *conf;     /* borrowed */
	bool configured;                /* conf is of a file */
	struct pl_loop *loop;           /* owned, as the next three */
	struct pl_resolver *resolver;
	struct pl_timer *end;
	json_t *domains;
	struct pl_dns_query *query;     /* under way, or NULL */
	const char *domain;             /* the one at hand, normal form */
	json_t *result;                 /* of that; borrowed from domains */
	enum cli_status status;
	bool warned;
};

__attribute__((format(printf, 2, 3)))
static void warn(struct asking *asking, const char *format, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		abort();
	va_end(ap);
	json_array_append_new(json_object_get(asking->result, "warnings"),
			      cli_json_text(text));
	free(text);
	asking->warned = true;
}

/* ----- questions ----- */

static const char *state_name(enum pl_dns_state state)
{
	switch (state) {
	case PL_DNS_FOUND:
		return "found";
	case PL_DNS_NO_RECORDS:
		return "no-record";
	case PL_DNS_NO_NAME:
		return "no-such-name";
	case PL_DNS_DOT:
		return "dot";
	case PL_DNS_UNUSABLE:
		return "unusable";
	case PL_DNS_BOGUS:
		return "bogus";
	case PL_DNS_FAILED:
		return "failed";
	case PL_DNS_PENDING:
		break;
	}
	return "pending";
}

static const char *dnssec_name(const struct pl_dns_question *question)
{
	if (question->state == PL_DNS_BOGUS)
		return "bogus";
	if (question->state == PL_DNS_FAILED ||
	    question->state == PL_DNS_PENDING)
		return "unknown";
	return question->secure ? "secure" : "insecure";
}

static bool is_told(const json_t *questions,
		    const struct pl_dns_question *question)
{
	const json_t *told;
	size_t i;

	json_array_foreach(questions, i, told)
		if (strcmp(check_text(told, "name"), question->name) == 0 &&
		    strcmp(check_text(told, "type"), question->type) == 0)
			return true;
	return false;
}

static void on_question(void *owner, const struct pl_dns_question *question)
{
	struct asking *asking = owner;
	json_t *questions = json_object_get(asking->result, "questions");
	json_t *records, *refused;
	char text[PL_DNS_RECORD_SIZE];

	if (is_told(questions, question))
		return;
	records = json_array();
	refused = json_array();
	for (size_t i = 0; i < question->count; i++) {
		bool allowed = asking->conf->dns.allow_loopback ||
			json_is_string(json_object_get(asking->result,
						       "connect")) ||
			pl_dns_record_allowed(question, i);

		pl_dns_record(question, i, text);
		json_array_append_new(allowed ? records : refused,
				      cli_json_text(text));
	}
	json_array_append_new(questions, json_pack(
		"{s:o, s:s, s:s, s:s, s:o, s:o, s:o}",
		"name", cli_json_text(question->name), "type", question->type,
		"state", state_name(question->state),
		"dnssec", dnssec_name(question), "records", records,
		"refused", refused, "why", cli_json_text(question->why)));
}

/* ----- where we listen ----- */

static const struct pl_conf_listen *taker(const struct pl_conf *conf,
					  const char *address, bool direct_tls)
{
	const struct pl_conf_listen *l, *other = NULL;

	for (l = conf->listens; l != NULL; l = l->next) {
		if (!cli_endpoint_takes(l->endpoint, address))
			continue;
		if (l->direct_tls == direct_tls)
			return l;
		other = l;
	}
	return other;
}

static const char *way_name(bool direct_tls)
{
	return direct_tls ? "direct TLS" : "STARTTLS";
}

static bool judge_address(struct asking *asking,
			  const struct pl_dns_target *target,
			  const struct pl_dns_address *address)
{
	const struct pl_conf_listen *l;
	char text[PL_ENDPOINT_SIZE];

	if (!cli_address_text(address, text, sizeof text))
		return false;
	l = taker(asking->conf, text, target->direct_tls);
	if (l == NULL) {
		warn(asking, "DNS leads to %s (%s), where nothing of %s "
		     "listens: correct one of them, unless a NAT or a proxy "
		     "forwards it", text, way_name(target->direct_tls),
		     asking->check->path);
		return false;
	}
	if (l->direct_tls != target->direct_tls) {
		warn(asking, "DNS says %s for %s, but listen \"%s\" takes %s "
		     "there: correct the SRV record or the section",
		     way_name(target->direct_tls), text, l->endpoint,
		     way_name(l->direct_tls));
		return false;
	}
	if (!cli_address_is_ours(address))
		warn(asking, "%s is no address of this machine: right only "
		     "where a NAT or a proxy forwards it, or parleyd runs "
		     "elsewhere", text);
	return true;
}

/* A host of the file: can it be reached where it listens? */
static void judge_own(struct asking *asking,
		      const struct pl_dns_answer *answer)
{
	json_t *listens = json_array();
	bool matches = false;

	for (const struct pl_conf_listen *l = asking->conf->listens; l != NULL;
	     l = l->next)
		json_array_append_new(listens, json_pack(
			"{s:o, s:b}", "endpoint", cli_json_text(l->endpoint),
			"direct_tls", l->direct_tls));
	for (size_t i = 0; i < answer->count; i++)
		for (size_t j = 0; j < answer->targets[i].addresses_count; j++)
			matches |= judge_address(
				asking, &answer->targets[i],
				&answer->targets[i].addresses[j]);
	json_object_set_new(asking->result, "own", json_pack(
		"{s:o, s:b}", "listens", listens, "matches", matches));
}

/* ----- the answer ----- */

static void put_targets(struct asking *asking,
			const struct pl_dns_answer *answer)
{
	json_t *targets = json_object_get(asking->result, "targets");

	for (size_t i = 0; i < answer->count; i++) {
		const struct pl_dns_target *t = &answer->targets[i];
		json_t *addresses = json_array();
		char text[PL_ENDPOINT_SIZE];

		for (size_t j = 0; j < t->addresses_count; j++)
			if (cli_address_text(&t->addresses[j], text,
					     sizeof text))
				json_array_append_new(addresses,
						      json_string(text));
		json_array_append_new(targets, json_pack(
			"{s:o, s:i, s:b, s:b, s:i, s:i, s:b, s:i, s:o}",
			"host", cli_json_text(t->host), "port", (int)t->port,
			"direct_tls", t->direct_tls, "srv", t->srv,
			"priority", (int)t->priority, "weight", (int)t->weight,
			"secure", t->secure, "tlsa", (int)t->tlsa_count,
			"addresses", addresses));
	}
}

/* Whose side it is, and what to do. What the code has is written for the zones
 * of others. */
static void put_advice(struct asking *asking, enum pl_code code,
		       const char *text)
{
	const struct pl_code_entry *entry = pl_code_entry(code);
	const char *side = pl_side_name(entry->side);
	const char *step = entry->first_step;

	if (strncmp(text, "our resolver", 12) == 0) {
		side = pl_side_name(PL_SIDE_US);
		step = "check resolv.conf and the trust anchor of the dns "
		       "section";
	} else if (entry->side == PL_SIDE_PEER &&
		   pl_conf_host(asking->conf, asking->domain) != NULL) {
		side = pl_side_name(PL_SIDE_US);
		step = "correct your own zone, and ask again";
	}
	json_object_set_new(asking->result, "side", json_string(side));
	json_object_set_new(asking->result, "first_step", json_string(step));
}

static void take_answer(struct asking *asking, enum pl_code code,
			const char *text)
{
	json_object_set_new(asking->result, "code",
			    json_string(pl_code_entry(code)->name));
	json_object_set_new(asking->result, "text", cli_json_text(text));
	put_advice(asking, code, text);
	if (asking->status == CLI_OK)
		asking->status = code == PL_CODE_INTERNAL ? CLI_INCOMPLETE
							  : CLI_DNS;
}

static void on_answer(void *owner, const struct pl_dns_answer *answer)
{
	struct asking *asking = owner;

	pl_dns_questions(asking->query, on_question, asking);
	asking->query = NULL;
	json_object_set_new(asking->result, "secure",
			    json_boolean(answer->secure));
	put_targets(asking, answer);
	if (answer->code != PL_CODE_NONE)
		take_answer(asking, answer->code, answer->text);
	if (asking->configured &&
	    pl_conf_host(asking->conf, asking->domain) != NULL)
		judge_own(asking, answer);
	pl_loop_stop(asking->loop);
}

static void on_time_over(void *owner)
{
	struct asking *asking = owner;
	enum pl_code code;
	char text[80];

	if (asking->query == NULL)
		return;
	code = pl_dns_overdue(asking->query);
	pl_dns_questions(asking->query, on_question, asking);
	pl_dns_cancel(asking->query);
	asking->query = NULL;
	snprintf(text, sizeof text, "no answer within the %d seconds that the "
		 "configuration gives", asking->conf->timeouts.dns);
	take_answer(asking, code, text);
	pl_loop_stop(asking->loop);
}

/* ----- asking ----- */

/* As a stream to that domain would. */
static void begin(struct asking *asking)
{
	const struct pl_conf_partner *partner =
		pl_conf_partner(asking->conf, asking->domain);
	unsigned want = PL_DNS_STARTTLS | PL_DNS_DIRECT_TLS;
	bool own = pl_conf_host(asking->conf, asking->domain) != NULL;
	char connect[PL_ASCII_DOMAIN_SIZE + 8];

	if (own || partner == NULL) {
		if (asking->configured && !own)
			warn(asking, "no partner section is for it: parleyd "
			     "would not negotiate with it");
	} else if (partner->connect_host != NULL) {
		snprintf(connect, sizeof connect, "%s:%u",
			 partner->connect_host, partner->connect_port);
		json_object_set_new(asking->result, "connect",
				    cli_json_text(connect));
		asking->query = pl_dns_find_host(
			asking->resolver, partner->connect_host,
			partner->connect_port, partner->connect_direct_tls,
			on_answer, asking);
		return;
	} else if (!pl_policy_uses_tls(&partner->policy)) {
		want = PL_DNS_STARTTLS;
	}
	asking->query = pl_dns_find(asking->resolver, asking->domain, want,
				    on_answer, asking);
}

static void ask(struct asking *asking, const char *domain)
{
	asking->domain = domain;
	asking->result = json_pack(
		"{s:o, s:n, s:s, s:s, s:s, s:b, s:n, s:[], s:[], s:n, s:[]}",
		"domain", cli_json_text(domain), "code", "text", "",
		"side", "", "first_step", "", "secure", false, "connect",
		"questions", "targets", "own", "warnings");
	json_array_append_new(asking->domains, asking->result);
	begin(asking);
	pl_timer_set(asking->end, (uint64_t)asking->conf->timeouts.dns * 1000);
	pl_loop_run(asking->loop);
	pl_timer_clear(asking->end);
}

/* ----- text ----- */

/* Names and types of a domain stand in columns. */
static int widest_name(const json_t *questions)
{
	const json_t *question;
	size_t i, widest = 0;

	json_array_foreach(questions, i, question) {
		size_t length = strlen(check_text(question, "name"));

		if (length > widest)
			widest = length;
	}
	return widest < 60 ? (int)widest : 60;
}

static void print_line(const json_t *question, int width, const char *text,
		       const char *note)
{
	printf("  %-8s  %-4s  %-*s  %s%s\n", check_text(question, "dnssec"),
	       check_text(question, "type"), width,
	       check_text(question, "name"), text, note);
}

static void print_question(const json_t *question, int width)
{
	const json_t *records = json_object_get(question, "records"), *record;
	const json_t *refused = json_object_get(question, "refused");
	const char *state = check_text(question, "state");
	size_t i;

	json_array_foreach(records, i, record)
		print_line(question, width, json_string_value(record), "");
	json_array_foreach(refused, i, record)
		print_line(question, width, json_string_value(record),
			   "  (refused: loopback, link-local or the like)");
	if (strcmp(state, "dot") == 0)
		print_line(question, width, ".", "  (there is no service)");
	else if (strcmp(state, "unusable") == 0)
		print_line(question, width, "nothing that can be used", "");
	else if (strcmp(state, "no-record") == 0)
		print_line(question, width, "no record", "");
	else if (strcmp(state, "no-such-name") == 0)
		print_line(question, width, "no such name", "");
	else if (strcmp(state, "pending") == 0)
		print_line(question, width, "no answer yet", "");
	else if (strcmp(state, "found") != 0)
		print_line(question, width, state, "");
	if (check_text(question, "why")[0] != '\0')
		printf("            %s\n", check_text(question, "why"));
}

static void print_targets(const json_t *targets)
{
	const json_t *target, *address;
	int number = 0;
	size_t i, j;

	json_array_foreach(targets, i, target) {
		const json_t *list = json_object_get(target, "addresses");
		long long tlsa = json_integer_value(json_object_get(target,
								    "tlsa"));

		if (i == 0)
			puts("  in the order of trying:");
		json_array_foreach(list, j, address) {
			printf("  %3d. %s  %s, %s, %s", ++number,
			       json_string_value(address),
			       check_text(target, "host"),
			       way_name(json_is_true(json_object_get(
				       target, "direct_tls"))),
			       json_is_true(json_object_get(target, "secure"))
				       ? "secure" : "insecure");
			if (tlsa > 0)
				printf(", DANE with %lld TLSA record%s", tlsa,
				       tlsa == 1 ? "" : "s");
			putchar('\n');
		}
	}
}

static void print_own(const json_t *own)
{
	const json_t *listens = json_object_get(own, "listens"), *listen;
	size_t i;

	if (!json_is_object(own))
		return;
	fputs("  it is a host of ours, which listens at", stdout);
	json_array_foreach(listens, i, listen)
		printf("%s %s (%s)", i > 0 ? "," : "",
		       check_text(listen, "endpoint"),
		       way_name(json_is_true(json_object_get(listen,
							     "direct_tls"))));
	printf("%s: %s\n", json_array_size(listens) == 0 ? " no place" : "",
	       json_is_true(json_object_get(own, "matches"))
		       ? "DNS leads there" : "DNS does not lead there");
}

static void print_head(const json_t *result)
{
	const char *connect = check_text(result, "connect");
	const char *code = check_text(result, "code");

	printf("%s: ", check_text(result, "domain"));
	if (code[0] != '\0')
		printf("%s: %s\n", code, check_text(result, "text"));
	else
		printf("found, %s\n", json_is_true(json_object_get(result,
			"secure")) ? "all of it DNSSEC-secure"
				   : "not all of it DNSSEC-secure");
	if (connect[0] != '\0')
		printf("  its partner section connects to %s: no SRV record "
		       "is asked for\n", connect);
}

static void print_result(const json_t *result)
{
	const json_t *questions = json_object_get(result, "questions");
	const json_t *warnings = json_object_get(result, "warnings");
	const json_t *each;
	int width = widest_name(questions);
	size_t i;

	print_head(result);
	json_array_foreach(questions, i, each)
		print_question(each, width);
	print_targets(json_object_get(result, "targets"));
	print_own(json_object_get(result, "own"));
	json_array_foreach(warnings, i, each)
		printf("  warning: %s\n", json_string_value(each));
	if (check_text(result, "code")[0] != '\0')
		printf("  who acts    %s\n  first step  %s\n",
		       check_text(result, "side"),
		       check_text(result, "first_step"));
}

/* ----- the whole ----- */

static bool build(struct asking *asking, struct pl_error *error)
{
	asking->domains = json_array();
	asking->loop = pl_loop_new(error);
	if (asking->loop == NULL)
		return false;
	asking->resolver = pl_site_resolver(asking->loop, asking->conf, error);
	if (asking->resolver == NULL)
		return false;
	asking->end = pl_timer_new(asking->loop, on_time_over, asking);
	return true;
}

static void take_down(struct asking *asking)
{
	if (asking->resolver != NULL)
		pl_resolver_free(asking->resolver);
	pl_timer_free(asking->end);
	if (asking->loop != NULL)
		pl_loop_free(asking->loop);
	json_decref(asking->domains);
}

static void show(const struct asking *asking)
{
	const json_t *result;
	size_t i;

	if (asking->check->json) {
		cli_print_json(json_pack("{s:O}", "domains", asking->domains));
		return;
	}
	json_array_foreach(asking->domains, i, result) {
		if (i > 0)
			putchar('\n');
		print_result(result);
	}
}

static int run(struct asking *asking, char (*domains)[PL_DOMAIN_SIZE])
{
	struct pl_error error = { .text = "" };
	bool good = build(asking, &error);

	if (good) {
		for (int i = 0; i < asking->check->count; i++)
			ask(asking, domains[i]);
		show(asking);
	} else {
		fprintf(stderr, "parley check: %s\n", error.text);
	}
	take_down(asking);
	if (!good)
		return CLI_INCOMPLETE;
	return asking->status == CLI_OK && asking->warned &&
	       asking->check->fail_on_warn ? CLI_WARNINGS : (int)asking->status;
}

static bool take_domains(const struct check *check,
			 char (*domains)[PL_DOMAIN_SIZE])
{
	for (int i = 0; i < check->count; i++) {
		const char *text = check->words[i];
		struct pl_error error = { .text = "" };
		char printable[300];

		if (pl_addr_domain(text, strlen(text), domains[i], &error))
			continue;
		cli_usage("check", "\"%s\" is not a domain: %s",
			  pl_text_printable(printable, sizeof printable, text,
					    strlen(text)), error.text);
		return false;
	}
	return true;
}

/* Without -c a machine that has no parleyd does with its own resolver. */
static struct pl_conf *configuration(const struct check *check, bool *of_file)
{
	struct pl_conf_note *notes = NULL;
	struct pl_conf *conf;

	*of_file = check->given || access(check->path, F_OK) == 0 ||
		   errno != ENOENT;
	if (!*of_file)
		return pl_conf_new();
	conf = pl_conf_load(check->path, time(NULL), &notes);
	if (conf == NULL)
		pl_conf_notes_print(notes, stderr, false);
	pl_conf_notes_free(notes);
	return conf;
}

int check_dns(const struct check *check)
{
	struct asking asking = { .check = check };
	char (*domains)[PL_DOMAIN_SIZE];
	struct pl_conf *conf;
	int status = CLI_USAGE;

	if (check->count == 0)
		return cli_usage("check", "dns needs a DOMAIN");
	domains = pl_calloc((size_t)check->count, sizeof *domains);
	if (take_domains(check, domains)) {
		conf = configuration(check, &asking.configured);
		asking.conf = conf;
		if (conf != NULL)
			status = run(&asking, domains);
		pl_conf_unref(conf);
	}
	free(domains);
	return status;
}
