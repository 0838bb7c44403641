/* The verdict on the peer's certificate: chain, then dates, then names. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include "parley/addr.h"

/* Raw words; they are made printable, and cut, in one place. */
enum { WORDS_LIMIT = 2048 };

enum { DANE_EE = 3 }; /* the usage that pins the leaf (RFC 7218) */

static void say_name(const struct pl_tls_proof *proof, struct pl_buffer *words)
{
	if (proof->name == NULL) {
		pl_buffer_text(words, "without a name");
		return;
	}
	pl_buffer_text(words, "\"");
	pl_buffer_append(words, proof->name, proof->name_length);
	pl_buffer_text(words, "\"");
}

static void say_count(int count, struct pl_buffer *words)
{
	pl_buffer_printf(words, "; the peer sent %d certificate%s", count,
			 count == 1 ? "" : "s");
}

static void say_issuer(const struct pl_tls *tls,
		       const struct pl_tls_proof *proof, struct pl_buffer *words)
{
	bool missing = proof->error != X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN &&
		       proof->error != X509_V_ERR_CERT_UNTRUSTED &&
		       proof->error != X509_V_ERR_CERT_REJECTED;

	pl_buffer_text(words, "issuer ");
	say_name(proof, words);
	pl_buffer_text(words, missing ? " is not known here"
				      : " is not trusted here");
	say_count(tls->chain_length, words);
	if (tls->chain_length == 1)
		pl_buffer_text(words, ", no intermediate");
}

static void say_finding(const struct pl_tls *tls,
			const struct pl_tls_proof *proof,
			struct pl_buffer *words)
{
	if (proof->finding == PL_CERT_UNKNOWN_CA) {
		say_issuer(tls, proof, words);
		return;
	}
	if (proof->finding == PL_CERT_DANE_MISMATCH)
		pl_buffer_text(words, "no TLSA record matches");
	else
		pl_buffer_text(words, X509_verify_cert_error_string(
				      proof->error));
	pl_buffer_text(words, proof->depth == 0 ? ": certificate "
						: ": issuer ");
	say_name(proof, words);
}

/* Is it the leaf alone, from an issuer that is not known? Most often its
 * intermediate was forgotten. */
static bool is_incomplete(const struct pl_tls *tls,
			  const struct pl_tls_proof *proof)
{
	return proof->finding == PL_CERT_UNKNOWN_CA && proof->depth == 0 &&
	       tls->chain_length == 1 &&
	       (proof->error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
		proof->error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
		proof->error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE);
}

static void say_date(const char *what, int depth, time_t when,
		     struct pl_buffer *words)
{
	char date[32] = "an unknown date";
	struct tm tm;

	if (gmtime_r(&when, &tm) != NULL)
		strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &tm);
	pl_buffer_printf(words, "%s %s %s", depth == 0 ? "certificate"
						       : "an issuer",
			 what, date);
}

/* Chain and dates, before any name. */
static enum pl_certificate judge_proof(const struct pl_tls *tls,
				       const struct pl_tls_proof *proof,
				       time_t now, struct pl_buffer *words)
{
	if (proof->finding != PL_CERT_VALID) {
		say_finding(tls, proof, words);
		return is_incomplete(tls, proof) ? PL_CERT_CHAIN_INCOMPLETE
						 : proof->finding;
	}
	if (now > proof->until) {
		say_date("expired on", proof->until_depth, proof->until, words);
		return PL_CERT_EXPIRED;
	}
	if (now < proof->from) {
		say_date("is not valid before", proof->from_depth, proof->from,
			 words);
		return PL_CERT_NOT_YET_VALID;
	}
	return PL_CERT_VALID;
}

/* DANE speaks for the domain whose records were looked up, and for no other
 * that the same connection may carry. */
static bool dane_applies(const struct pl_tls *tls, const char *domain)
{
	return tls->dane && strcmp(tls->domain, domain) == 0;
}

/* With DANE the SRV target is a name as good as the domain (RFC 7673 4). */
static bool is_named(const struct pl_tls *tls, const char *domain, bool by_dane)
{
	return pl_tls_names_cover(tls->names, domain) ||
	       (by_dane && tls->base_domain != NULL &&
		pl_tls_names_cover(tls->names, tls->base_domain));
}

static enum pl_certificate judge(struct pl_tls *tls, const char *domain,
				 time_t now, bool *by_dane,
				 struct pl_buffer *words)
{
	bool dane = dane_applies(tls, domain);
	const struct pl_tls_proof *proof = &tls->proof;
	enum pl_certificate verdict;

	if (tls->dane && !dane) {
		pl_tls_verify_pkix(tls);
		proof = &tls->pkix;
	}
	*by_dane = dane && tls->dane_usage >= 0;
	if (*by_dane && tls->dane_usage == DANE_EE) {
		/* Neither name nor dates matter (RFC 7671 5.1). */
		pl_buffer_text(words, "a TLSA record of usage 3 matches");
		return PL_CERT_VALID;
	}
	verdict = judge_proof(tls, proof, now, words);
	if (verdict != PL_CERT_VALID)
		return verdict;
	if (!is_named(tls, domain, *by_dane)) {
		pl_buffer_text(words, "certificate names ");
		pl_tls_names_list(tls->names, words);
		pl_buffer_printf(words, ", not \"%s\"", domain);
		return PL_CERT_WRONG_NAME;
	}
	say_date("is valid until", 0, pl_tls_peer_not_after(tls), words);
	return PL_CERT_VALID;
}

void pl_tls_judge(struct pl_tls *tls, const char *domain, time_t now,
		  struct pl_tls_verdict *verdict)
{
	char normal[PL_DOMAIN_SIZE];
	struct pl_buffer words;

	memset(verdict, 0, sizeof *verdict);
	if (tls->leaf == NULL) {
		verdict->certificate = PL_CERT_NONE;
		strcpy(verdict->text, "the peer showed no certificate");
		return;
	}
	pl_buffer_init(&words, WORDS_LIMIT);
	/* What is no domain keeps its form, and is covered by nothing. */
	if (pl_addr_domain(domain, strlen(domain), normal, NULL))
		domain = normal;
	verdict->certificate = judge(tls, domain, now, &verdict->by_dane,
				     &words);
	verdict->by_dane = verdict->by_dane &&
			   verdict->certificate == PL_CERT_VALID;
	verdict->chain_length = tls->chain_length;
	pl_text_printable(verdict->text, sizeof verdict->text,
			  (const char *)pl_buffer_bytes(&words), words.length);
	pl_buffer_finish(&words);
}

bool pl_tls_same_certificate(struct pl_tls *a, struct pl_tls *b)
{
	return a->leaf != NULL && b->leaf != NULL &&
	       X509_cmp(a->leaf, b->leaf) == 0;
}

time_t pl_tls_peer_not_after(struct pl_tls *tls)
{
	return tls->leaf != NULL ? pl_tls_time(X509_get0_notAfter(tls->leaf))
				 : 0;
}
