/* What was decided, and why not otherwise, as a ladder draws it. */
#include "event.h"

#include <stdio.h>
#include <string.h>

/* ----- policy ----- */

static const char *choice_words(const struct pl_report_record *r,
				const char *choice)
{
	static const char *const words[][2] = {
		{ "starttls", "STARTTLS" },
		{ "stay-in-clear", "stay in clear: TCP Dialback" },
		{ "external", "SASL EXTERNAL" },
		{ "accept-external", "accept SASL EXTERNAL" },
		{ "accept-dialback", "accept dialback, verify the key" },
		{ "certificate", "proven by its certificate" },
		{ "retry", "try again" },
	};

	/* A connection that another one caused serves it. */
	if (r->parent[0] != '\0' && (strcmp(choice, "dialback") == 0 ||
				     strcmp(choice, "stay-in-clear") == 0))
		return "ask about the key";
	if (strcmp(choice, "dialback") == 0)
		return r->encrypted ? "TLS Dialback" : "TCP Dialback";
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(words[i][0], choice) == 0)
			return words[i][1];
	return choice;
}

/* The same, as what was not done. */
static const char *way_words(const char *choice)
{
	static const char *const words[][2] = {
		{ "starttls", "STARTTLS" },
		{ "stay-in-clear", "in clear" },
		{ "external", "EXTERNAL" },
		{ "accept-external", "EXTERNAL" },
		{ "accept-dialback", "dialback" },
		{ "certificate", "by certificate" },
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(words[i][0], choice) == 0)
			return words[i][1];
	return choice;
}

/* Why not a better way than the chosen one: that is what is asked first. What
 * is merely over or done needs no word. */
static bool is_news(const char *choice, const json_t *rejected)
{
	static const unsigned quiet[] = { PL_WHY_DONE, PL_WHY_NOT_NOW,
		PL_WHY_BETTER, PL_WHY_FALLBACK, PL_WHY_OVER,
		PL_WHY_VERIFY_ONLY };
	const char *way = pl_report_text(rejected, "choice");
	const char *reason = pl_report_text(rejected, "reason");

	if (strcmp(choice, "refuse") == 0)
		return true;
	for (size_t i = 0; i < sizeof quiet / sizeof *quiet; i++)
		if (strcmp(reason, pl_why_not_text(quiet[i])) == 0)
			return false;
	return (strcmp(choice, "stay-in-clear") == 0 &&
		strcmp(way, "starttls") == 0) ||
	       (strstr(choice, "dialback") != NULL &&
		strstr(way, "external") != NULL);
}

static void draw_rejected(struct pl_ladder *l, const char *choice,
			  const json_t *rejected)
{
	const json_t *one;
	size_t i;

	json_array_foreach(rejected, i, one) {
		if (i == 8)
			break;
		if (pen_verbose(l, 1) || is_news(choice, one))
			pen_note(l, ' ', "  not %s: %s",
				 way_words(pl_report_text(one, "choice")),
				 pl_report_text(one, "reason"));
	}
}

static bool lists(const json_t *array, const char *wanted)
{
	const json_t *value;
	size_t i;

	json_array_foreach(array, i, value)
		if (json_is_string(value) &&
		    strcmp(json_string_value(value), wanted) == 0)
			return true;
	return false;
}

/* "offered STARTTLS, dialback -> ": where we dialled, what the peer offers. */
static void add_offers(struct pen_text *t, const json_t *offers)
{
	static const char *const words[][2] = {
		{ "starttls", "STARTTLS" }, { "external", "EXTERNAL" },
		{ "dialback", "dialback" },
	};
	bool first = true;

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (lists(offers, words[i][0])) {
			pen_add(t, "%s%s", first ? "offered " : ", ", words[i][1]);
			first = false;
		}
	if (!first)
		pen_add(t, " -> ");
}

void draw_choice(struct pl_ladder *l, const struct pl_report_record *r,
		 size_t index)
{
	const char *choice = pl_report_text(r->detail, "choice");
	const char *rule = pl_report_text(r->detail, "rule");
	bool refuse = strcmp(choice, "refuse") == 0;
	bool clear = strcmp(choice, "stay-in-clear") == 0;
	bool dialled = pen_stream(l, r)->dialled;
	const json_t *offers = json_object_get(r->detail, "offers");
	struct pen_text t = { "policy: " };

	if (strcmp(choice, "offer") == 0 && !pen_verbose(l, 1))
		return;
	if (dialled)
		add_offers(&t, offers);
	pen_add(&t, "%s", choice_words(r, choice));
	/* What is needed is asked for all the same. */
	if (dialled && strcmp(choice, "starttls") == 0 &&
	    !lists(offers, "starttls"))
		pen_add(&t, ", though it is not offered");
	pl_draw_note(&l->d, &r->mono_us, refuse ? 'X' : clear ? '!' : ' ',
		     t.text);
	draw_rejected(l, choice, json_object_get(r->detail, "rejected"));
	if ((refuse || pen_verbose(l, 1)) && *rule != '\0')
		pen_note(l, ' ', "  rule: row %d of %s",
			 (int)pl_report_number(r->detail, "row"), rule);
	if (clear)
		pen_note(l, '!', "every byte can be read and changed on the path");
}

/* What the command found out beside the negotiation. */
void draw_command_note(struct pl_ladder *l,
		       const struct pl_report_record *r, size_t index)
{
	(void)index;
	pen_note(l, strcmp(r->level, "warning") == 0 ? '!' : ' ', "%s",
		 pl_report_text(r->detail, "text"));
}

void draw_step(struct pl_ladder *l, const struct pl_report_record *r,
	       size_t index)
{
	char text[TEXT];

	if (!pen_verbose(l, 3))
		return;
	snprintf(text, sizeof text, "%s: %s", r->stream, r->summary);
	pl_draw_note(&l->d, &r->mono_us, ' ', text);
}
