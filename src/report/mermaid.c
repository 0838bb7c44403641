/*
 * The ladder as a Mermaid sequenceDiagram.
 *
 * Mermaid reads its text line by line, and takes ; # : % and words such as
 * "end" for its own; what it renders is HTML. So of a label only letters,
 * digits and a few signs stay as they are, the rest becomes #NNN; (a decimal
 * character code), which Mermaid shows as the character.
 */
#include "view.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { STEPS = 400 }; /* drawn at most; Mermaid has a limit of its own */

static bool is_plain(unsigned code)
{
	if (code >= 0x80)
		return true;
	return isalnum((int)code) ||
	       (code != 0 && strchr(" ._-/,()=", (int)code) != NULL);
}

/* "end" as a word closes a block, wherever it stands. */
static bool is_end(const char *text, size_t at)
{
	if (strncasecmp(text + at, "end", 3) != 0)
		return false;
	return (at == 0 || !isalnum((unsigned char)text[at - 1])) &&
	       !isalnum((unsigned char)text[at + 3]);
}

/* visible: no character of it is hidden. */
static void mermaid_text(struct ink *ink, const char *visible)
{
	size_t length = strlen(visible);

	for (size_t i = 0; i < length;) {
		unsigned code;
		size_t n = ink_decode(visible + i, length - i, &code);

		if (is_plain(code) && !is_end(visible, i))
			ink->ok = ink->ok &&
				  pl_buffer_append(ink->out, visible + i, n);
		else
			ink_format(ink, "#%u;", code);
		i += n;
	}
}

static void mermaid_peer(struct ink *ink, const char *text)
{
	char visible[800];

	ink_visible(visible, sizeof visible, *text == '\0' ? "?" : text);
	mermaid_text(ink, visible);
}

static void put_step(struct ink *ink, const struct step *step)
{
	const char *arrow = step->encrypted ? "->>" : "-->>";

	if (step->kind == STEP_ARROW && step->outgoing)
		ink_format(ink, "    L%sR: ", arrow);
	else if (step->kind == STEP_ARROW)
		ink_format(ink, "    R%sL: ", arrow);
	else if (step->kind == STEP_BAND)
		ink_text(ink, "    Note over L,R: ");
	else
		ink_text(ink, "    Note over L: ");
	if (*step->record->stream != '\0') {
		mermaid_peer(ink, step->record->stream);
		ink_text(ink, " ");
	}
	if (step->tone != TONE_PLAIN) {
		mermaid_text(ink, tone_sign(step->tone));
		ink_text(ink, " ");
	}
	mermaid_text(ink, step->label);
	ink_text(ink, "\n");
}

static void put_steps(struct ink *ink, const struct pl_report_trace *trace)
{
	size_t drawn = 0, rest = 0;

	for (size_t i = 0; i < trace->count; i++) {
		struct step step;

		if (drawn == STEPS) {
			rest += step_is_drawn(&trace->records[i]);
		} else if (step_of(trace, i, &step)) {
			put_step(ink, &step);
			drawn++;
		}
	}
	if (rest > 0)
		ink_format(ink, "    Note over L,R: %zu more steps are not "
			   "drawn\n", rest);
}

bool pl_report_mermaid(struct pl_buffer *out,
		       const struct pl_report_trace *trace)
{
	struct ink ink = { out, true };
	struct pl_report_summary s;
	struct verdict verdict;

	pl_report_summarise(trace, &s);
	verdict_of(&s, &verdict);
	ink_text(&ink, "sequenceDiagram\n    participant L as ");
	mermaid_peer(&ink, s.local);
	ink_text(&ink, "\n    participant R as ");
	mermaid_peer(&ink, s.remote);
	ink_text(&ink, "\n");
	put_steps(&ink, trace);
	ink_text(&ink, "    Note over L,R: ");
	mermaid_text(&ink, tone_sign(verdict.tone));
	ink_format(&ink, " %s. ", verdict.title);
	mermaid_text(&ink, verdict.text);
	ink_text(&ink, "\n");
	return ink.ok;
}
