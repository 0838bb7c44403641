/* parley policy: the 18 rows, one of them, and what two rows make of each
 * other. */
#include "cli.h"

#include "parley/base.h"
#include "parley/machine.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
"usage: parley policy [--json] [--common | --row N | TLS SASL DIALBACK]\n"
"                     [--against TLS,SASL,DIALBACK]\n"
"\n"
"Prints the rows of the policy matrix: all 18, those of common configurations\n"
"(--common), or one of them by number or by its settings.\n"
"\n"
"  TLS, SASL    required, optional or not-supported\n"
"  DIALBACK     yes or no\n"
"  --against    also predicts what becomes of negotiations with a partner that\n"
"               has this policy, when we initiate and when the partner does;\n"
"               both sides have sound certificates\n"
"  --json       JSON in place of text\n"
"\n"
"Exit status: 0; 1 when the one row asked for is not valid; 2 for wrong\n"
"arguments.\n";

struct request {
	bool json, common;
	int row;                 /* 0: all of them */
	bool against;
	struct pl_policy theirs; /* with against */
};

/* ----- prediction ----- */

struct prediction {
	enum pl_method method;
	enum pl_code code; /* as our side has it */
};

static struct pl_rehearsal_side side_of(const struct pl_policy *policy)
{
	struct pl_rehearsal_side side = {
		.terms = {
			.policy = *policy,
			.check = (uint8_t)pl_policy_default_check(policy),
			.partner_known = true,
			.own_certificate = true,
			.verify_requires_tls = true,
		},
		.certificate = PL_CERT_VALID,
	};

	return side;
}

static struct prediction predict(const struct pl_policy *ours,
				 const struct pl_policy *theirs, bool we_dial)
{
	struct pl_rehearsal_side us = side_of(ours), them = side_of(theirs);
	struct pl_rehearsal_result result;

	if (we_dial)
		pl_rehearse(&us, &them, &result);
	else
		pl_rehearse(&them, &us, &result);
	return (struct prediction){ result.method, we_dial ? result.initiating
						   : result.receiving };
}

/* ----- JSON ----- */

static json_t *json_prediction(struct prediction p)
{
	bool failed = p.method == PL_METHOD_NONE;

	return json_pack("{s:s, s:o}", "method", pl_method_name(p.method),
			 "code", failed && p.code != PL_CODE_NONE
			 ? json_string(pl_code_entry(p.code)->name)
			 : json_null());
}

static json_t *json_notes(int row, enum pl_severity severity)
{
	struct pl_policy_note notes[3];
	size_t count = pl_policy_notes(row, notes);
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++) {
		if (notes[i].severity == severity)
			json_array_append_new(array,
					      json_string(notes[i].text));
	}
	return array;
}

static json_t *json_row(const struct request *request, int row)
{
	struct pl_policy policy = pl_policy_of_row(row);
	json_t *object = json_pack("{s:i, s:s, s:s, s:b, s:b, s:o, s:o, s:o}",
		"row", row, "tls", pl_level_name(policy.tls),
		"sasl", pl_level_name(policy.sasl),
		"dialback", (int)policy.dialback,
		"valid", (int)pl_policy_valid(&policy),
		"methods", cli_json_methods(&policy),
		"warnings", json_notes(row, PL_WARNING),
		"errors", json_notes(row, PL_ERROR));

	if (request->against) {
		json_object_set_new(object, "out", json_prediction(
			predict(&policy, &request->theirs, true)));
		json_object_set_new(object, "in", json_prediction(
			predict(&policy, &request->theirs, false)));
	}
	return object;
}

/* ----- text ----- */

static const char *severity_name(enum pl_severity severity)
{
	return severity == PL_ERROR ? "error"
	     : severity == PL_WARNING ? "warning" : "info";
}

static void print_prediction(const char *who, struct prediction p)
{
	if (p.method != PL_METHOD_NONE)
		printf("  %s  %s\n", who, pl_method_title(p.method));
	else
		printf("  %s  fails: %s (%s)\n", who,
		       pl_code_entry(p.code)->name,
		       pl_code_entry(p.code)->meaning);
}

static void print_row(const struct request *request, int row)
{
	struct pl_policy policy = pl_policy_of_row(row);
	struct pl_policy_note notes[3];
	size_t count = pl_policy_notes(row, notes);
	char methods[64];

	cli_methods(&policy, methods);
	printf("row %d: tls = %s, sasl = %s, dialback = %s\n", row,
	       pl_level_name(policy.tls), pl_level_name(policy.sasl),
	       policy.dialback ? "yes" : "no");
	printf("  valid            %s\n",
	       pl_policy_valid(&policy) ? "yes" : "no");
	printf("  methods          %s\n", methods);
	for (size_t i = 0; i < count; i++)
		printf("  %-15s  %s\n", severity_name(notes[i].severity),
		       notes[i].text);
	if (!request->against)
		return;
	printf("against row %d: tls = %s, sasl = %s, dialback = %s\n",
	       pl_policy_row(&request->theirs),
	       pl_level_name(request->theirs.tls),
	       pl_level_name(request->theirs.sasl),
	       request->theirs.dialback ? "yes" : "no");
	print_prediction("we initiate    ",
			 predict(&policy, &request->theirs, true));
	print_prediction("they initiate  ",
			 predict(&policy, &request->theirs, false));
}

/* "sasl-over-tls", or the code where it fails */
static const char *short_prediction(struct prediction p)
{
	return p.method != PL_METHOD_NONE ? pl_method_name(p.method)
	     : pl_code_entry(p.code)->name;
}

static void print_line(const struct request *request, int row)
{
	struct pl_policy policy = pl_policy_of_row(row);
	char methods[64];

	cli_methods(&policy, methods);
	printf("%3d  %-13s  %-13s  %-8s  %-5s  ", row,
	       pl_level_name(policy.tls), pl_level_name(policy.sasl),
	       policy.dialback ? "yes" : "no",
	       pl_policy_valid(&policy) ? "yes" : "no");
	if (request->against)
		printf("%-22s  %s\n", short_prediction(predict(&policy,
			&request->theirs, true)),
		       short_prediction(predict(&policy, &request->theirs,
						false)));
	else
		printf("%s\n", methods);
}

static bool shown(const struct request *request, int row)
{
	return !request->common || pl_policy_common_use(row) != NULL;
}

static void print_notes(const struct request *request)
{
	for (int row = 1; row <= PL_POLICY_ROWS; row++) {
		struct pl_policy_note notes[3];
		size_t count = shown(request, row) ? pl_policy_notes(row, notes)
						   : 0;

		if (shown(request, row) && request->common)
			printf("%3d  %s\n", row, pl_policy_common_use(row));
		for (size_t i = 0; i < count; i++)
			printf("%3d  %s: %s\n", row,
			       severity_name(notes[i].severity),
			       notes[i].text);
	}
}

static void print_table(const struct request *request)
{
	printf("row  %-13s  %-13s  %-8s  %-5s  ", "tls", "sasl", "dialback",
	       "valid");
	if (request->against)
		printf("%-22s  %s\n", "we initiate", "they initiate");
	else
		printf("methods, best first\n");
	for (int row = 1; row <= PL_POLICY_ROWS; row++) {
		if (shown(request, row))
			print_line(request, row);
	}
	putchar('\n');
	print_notes(request);
}

/* ----- arguments ----- */

static bool parse_against(char *text, struct pl_policy *out)
{
	char *tls = text, *sasl = strchr(text, ','), *dialback;

	if (sasl == NULL)
		return false;
	*sasl++ = '\0';
	dialback = strchr(sasl, ',');
	if (dialback == NULL)
		return false;
	*dialback++ = '\0';
	return cli_parse_policy(tls, sasl, dialback, out);
}

static bool parse_row(const char *text, int *out)
{
	char *end;
	long row = strtol(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || row < 1 ||
	    row > PL_POLICY_ROWS)
		return false;
	*out = (int)row;
	return true;
}

static int parse_triple(char **words, int count, struct request *request)
{
	struct pl_policy policy;

	if (count == 0)
		return CLI_OK;
	if (request->row != 0 || request->common)
		return cli_usage("policy", "--row, --common and TLS SASL "
				 "DIALBACK exclude each other");
	if (count != 3 ||
	    !cli_parse_policy(words[0], words[1], words[2], &policy))
		return cli_usage("policy", "expected TLS SASL DIALBACK, such as "
				 "required optional yes");
	request->row = pl_policy_row(&policy);
	return CLI_OK;
}

/* CLI_OK, or the status to end with; *done after --help. */
static int parse(int argc, char **argv, struct request *request, bool *done)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "common", no_argument, NULL, 'm' },
		{ "row", required_argument, NULL, 'r' },
		{ "against", required_argument, NULL, 'a' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 'j':
			request->json = true;
			break;
		case 'm':
			request->common = true;
			break;
		case 'r':
			if (!parse_row(optarg, &request->row))
				return cli_usage("policy", "--row %s: expected "
						 "1 to 18", optarg);
			break;
		case 'a':
			if (!parse_against(optarg, &request->theirs))
				return cli_usage("policy", "--against: expected "
						 "TLS,SASL,DIALBACK, such as "
						 "required,optional,yes");
			request->against = true;
			break;
		case 'h':
			fputs(usage, stdout);
			*done = true;
			return CLI_OK;
		default:
			return cli_usage("policy", "\"%s\" is no option, or "
					 "lacks its value", argv[optind - 1]);
		}
	}
	if (request->row != 0 && request->common)
		return cli_usage("policy", "--row and --common exclude each "
				 "other");
	return parse_triple(argv + optind, argc - optind, request);
}

static void print_all_json(const struct request *request)
{
	json_t *array = json_array();

	for (int row = 1; row <= PL_POLICY_ROWS; row++) {
		json_t *object;

		if (!shown(request, row))
			continue;
		object = json_row(request, row);
		if (request->common)
			json_object_set_new(object, "use", json_string(
				pl_policy_common_use(row)));
		json_array_append_new(array, object);
	}
	cli_print_json(array);
}

int verb_policy(int argc, char **argv)
{
	struct request request = { 0 };
	struct pl_policy policy;
	bool done = false;
	int status = parse(argc, argv, &request, &done);

	if (status != CLI_OK || done)
		return status;
	if (request.row == 0) {
		if (request.json)
			print_all_json(&request);
		else
			print_table(&request);
		return CLI_OK;
	}
	if (request.json)
		cli_print_json(json_row(&request, request.row));
	else
		print_row(&request, request.row);
	policy = pl_policy_of_row(request.row);
	return pl_policy_valid(&policy) ? CLI_OK : CLI_DIFFERS;
}
