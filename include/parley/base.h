/*
 * base.h: byte buffers, error records, text from strangers, wiping.
 *
 * Three kinds of error exist in parley: our bug (assert), what a peer did (a
 * code from the core, reason.h), and what the machine refused: that one
 * travels in struct pl_error.
 */
#ifndef PARLEY_BASE_H
#define PARLEY_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ----- errors ----- */

struct pl_error {
	char text[512];  /* one sentence; "" when there is none */
	char file[256];  /* configuration only, else "" */
	int line;        /* configuration only, else 0 */
};

/* Writes the sentence (printf-like); error may be NULL. Returns false, so that
 * a caller can say `return pl_error_set(...)`. */
bool pl_error_set(struct pl_error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Puts "context: " in front of the sentence. Returns false. */
bool pl_error_context(struct pl_error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* ----- buffers ----- */

/* A queue of bytes: append at the end, consume at the front. */
struct pl_buffer {
	unsigned char *data; /* owned; the first unread byte is data[start] */
	size_t start, length, capacity;
	size_t limit;        /* most bytes held; 0 = no limit */
};

void pl_buffer_init(struct pl_buffer *buffer, size_t limit_bytes);
void pl_buffer_finish(struct pl_buffer *buffer); /* a zeroed one is fine */
const unsigned char *pl_buffer_bytes(const struct pl_buffer *buffer);
/* False when the limit is exceeded or memory is out; nothing is appended. */
bool pl_buffer_append(struct pl_buffer *buffer, const void *bytes,
		      size_t length);
bool pl_buffer_text(struct pl_buffer *buffer, const char *text);
bool pl_buffer_printf(struct pl_buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void pl_buffer_consume(struct pl_buffer *buffer, size_t length);
/* Gives memory back when empty. */
void pl_buffer_trim(struct pl_buffer *buffer);
/* Wipes what is held, then as finish. */
void pl_buffer_wipe(struct pl_buffer *buffer);

/* ----- text ----- */

/*
 * Makes text of a peer fit to be shown: C0, DEL, C1, bidirectional controls
 * and other non-printing characters become \xNN or U+NNNN, broken UTF-8 \xNN,
 * and what does not fit is cut at a whole character, with "..." at the end.
 * out_size at least 8; the result ends in NUL. Returns out.
 */
char *pl_text_printable(char *out, size_t out_size, const char *text,
			size_t length);

/*
 * Dialback keys that a peer says where none belongs: every run of 40 hexadecimal
 * digits or more (ours have 64, XEP-0185) becomes "[key]", and at the end of the
 * text, which may be cut, every one of 16. In place.
 */
void pl_text_mask_keys(char *text);

/* Decodes one UTF-8 character of at most `length` bytes (one at least); its
 * length, or 0 where it is broken (overlong forms and surrogates are). */
size_t pl_text_decode(const char *text, size_t length, unsigned *code);
/* Controls, characters that show as nothing or as a space, that change the
 * direction, private ones and non-characters. */
bool pl_text_hidden(unsigned code);

/* strdup and strndup that give up on no memory (start-up paths only). */
char *pl_strdup(const char *text);
void *pl_calloc(size_t count, size_t size);

/* Overwrites secrets so that the compiler cannot drop it. NULL is fine. */
void pl_wipe(void *memory, size_t length);

/* Wipes and frees a NUL-terminated secret; NULL is fine. */
void pl_free_secret(char *secret);

/* Constant-time comparison of two byte strings of one length. */
bool pl_equal_secret(const void *a, const void *b, size_t length);

#endif
