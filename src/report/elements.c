/*
 * An element as it went over the wire, with line breaks and colours.
 *
 * This is no XML parser: what is shown may be cut, broken or hostile, and then
 * it is shown as broken as it is. Every byte of the input comes out, in its
 * order, escaped; only white space between tags is replaced.
 */
#include "view.h"

#include <string.h>

enum { DEPTH = 24 }; /* deeper ones are not indented further */

struct pretty {
	struct ink *ink;
	const char *text;
	size_t at, length;
	unsigned depth;
	bool begun, after_text; /* text came last: a closing tag stays behind it */
};

static void open_span(struct pretty *p, const char *class)
{
	ink_format(p->ink, "<span class=%s>", class);
}

static void piece(struct pretty *p, const char *class, size_t end)
{
	if (end <= p->at)
		return;
	if (class != NULL)
		open_span(p, class);
	ink_bytes(p->ink, p->text + p->at, end - p->at);
	if (class != NULL)
		ink_text(p->ink, "</span>");
	p->at = end;
}

static void new_line(struct pretty *p)
{
	unsigned depth = p->depth < DEPTH ? p->depth : DEPTH;

	if (p->begun)
		ink_format(p->ink, "\n%*s", (int)(2 * depth), "");
	p->begun = true;
}

/* Behind the '>' that ends the tag at `at`, or the end where none does;
 * quotes may hold a '>'. */
static size_t tag_end(const struct pretty *p)
{
	char quote = '\0';

	for (size_t i = p->at + 1; i < p->length; i++) {
		char c = p->text[i];

		if (quote != '\0')
			quote = c == quote ? '\0' : quote;
		else if (c == '"' || c == '\'')
			quote = c;
		else if (c == '>')
			return i + 1;
	}
	return p->length;
}

static size_t span_of(const struct pretty *p, size_t end, const char *stop)
{
	size_t i = p->at;

	while (i < end && strchr(stop, p->text[i]) == NULL)
		i++;
	return i;
}

/* Names and values of a tag's attributes. */
static void attributes(struct pretty *p, size_t end)
{
	while (p->at < end) {
		char c = p->text[p->at];

		if (c == '"' || c == '\'') {
			const char *last = memchr(p->text + p->at + 1, c,
						  end - p->at - 1);

			piece(p, "v", last == NULL ? end
			      : (size_t)(last - p->text) + 1);
		} else if (strchr(" \t\r\n", c) != NULL && c != '\0') {
			ink_text(p->ink, " ");
			p->at++;
		} else if (strchr("=/>?", c) != NULL && c != '\0') {
			piece(p, NULL, p->at + 1);
		} else {
			size_t stop = span_of(p, end, " \t\r\n=/>?\"'");

			piece(p, "a", stop > p->at ? stop : p->at + 1);
		}
	}
}

static void tag(struct pretty *p)
{
	size_t end = tag_end(p);
	bool closing = p->at + 1 < end && p->text[p->at + 1] == '/';
	bool special = p->at + 1 < end && (p->text[p->at + 1] == '?' ||
					   p->text[p->at + 1] == '!');
	bool empty = end - p->at > 2 && p->text[end - 2] == '/';

	if (closing && p->depth > 0)
		p->depth--;
	if (!(closing && p->after_text))
		new_line(p);
	piece(p, NULL, p->at + (closing && p->at + 2 <= end ? 2 : 1));
	piece(p, "t", span_of(p, end, " \t\r\n/>"));
	attributes(p, end);
	/* what opens and closes at once holds nothing that goes deeper */
	if (!closing && !special && !empty)
		p->depth++;
	p->after_text = !closing && !special && !empty;
}

/* "[key#3f9a]" stands for something that was masked. */
static size_t masked(const struct pretty *p, size_t end)
{
	const char *close;

	if (end - p->at < 8 || memcmp(p->text + p->at, "[key#", 5) != 0)
		return 0;
	close = memchr(p->text + p->at, ']', end - p->at);
	return close == NULL || close - (p->text + p->at) > 32
	       ? 0 : (size_t)(close - p->text) + 1;
}

static bool is_white(const struct pretty *p, size_t end)
{
	for (size_t i = p->at; i < end; i++)
		if (strchr(" \t\r\n", p->text[i]) == NULL ||
		    p->text[i] == '\0')
			return false;
	return true;
}

/* Text between tags: its own line breaks stay, indented. */
static void between(struct pretty *p)
{
	const char *next = memchr(p->text + p->at, '<', p->length - p->at);
	size_t end = next == NULL ? p->length : (size_t)(next - p->text);

	if (is_white(p, end)) {
		p->at = end;
		return;
	}
	if (!p->after_text)
		new_line(p);
	p->begun = p->after_text = true;
	while (p->at < end) {
		const char *line = memchr(p->text + p->at, '\n', end - p->at);
		const char *mask = memmem(p->text + p->at, end - p->at,
					  "[key#", 5);
		size_t stop = line == NULL ? end : (size_t)(line - p->text);

		if (masked(p, end) > 0) {
			piece(p, "k", masked(p, end));
			continue;
		}
		if (mask != NULL && (size_t)(mask - p->text) < stop)
			stop = (size_t)(mask - p->text) +
			       (mask == p->text + p->at ? 1 : 0);
		piece(p, NULL, stop);
		if (p->at < end && p->text[p->at] == '\n') {
			p->at++;
			new_line(p);
		}
	}
}

void element_html(struct ink *ink, const char *raw, size_t length)
{
	struct pretty p = { .ink = ink, .text = raw, .length = length };

	while (p.at < p.length && ink->ok) {
		if (p.text[p.at] == '<')
			tag(&p);
		else
			between(&p);
	}
}
