/* Error records and start-up memory. */
#include "parley/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool pl_error_set(struct pl_error *error, const char *format, ...)
{
	va_list ap;

	if (error == NULL)
		return false;
	va_start(ap, format);
	vsnprintf(error->text, sizeof error->text, format, ap);
	va_end(ap);
	return false;
}

bool pl_error_context(struct pl_error *error, const char *format, ...)
{
	char old[sizeof error->text], prefix[sizeof error->text];
	va_list ap;

	if (error == NULL)
		return false;
	memcpy(old, error->text, sizeof old);
	va_start(ap, format);
	vsnprintf(prefix, sizeof prefix, format, ap);
	va_end(ap);
	snprintf(error->text, sizeof error->text, "%.200s: %.300s", prefix, old);
	return false;
}

static void *must(void *memory)
{
	if (memory == NULL) {
		fputs("parley: out of memory\n", stderr);
		abort();
	}
	return memory;
}

char *pl_strdup(const char *text)
{
	return must(strdup(text));
}

void *pl_calloc(size_t count, size_t size)
{
	return must(calloc(count, size));
}

void pl_wipe(void *memory, size_t length)
{
	if (memory != NULL)
		explicit_bzero(memory, length);
}

void pl_free_secret(char *secret)
{
	if (secret != NULL)
		pl_wipe(secret, strlen(secret));
	free(secret);
}

bool pl_equal_secret(const void *a, const void *b, size_t length)
{
	const volatile unsigned char *x = a, *y = b;
	unsigned char difference = 0;

	for (size_t i = 0; i < length; i++)
		difference |= x[i] ^ y[i];
	return difference == 0;
}
