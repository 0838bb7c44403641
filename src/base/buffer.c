/* A queue of bytes with a limit. */
#include "parley/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pl_buffer_init(struct pl_buffer *buffer, size_t limit_bytes)
{
	memset(buffer, 0, sizeof *buffer);
	buffer->limit = limit_bytes;
}

void pl_buffer_finish(struct pl_buffer *buffer)
{
	size_t limit = buffer->limit;

	free(buffer->data);
	pl_buffer_init(buffer, limit);
}

const unsigned char *pl_buffer_bytes(const struct pl_buffer *buffer)
{
	return buffer->data == NULL ? (const unsigned char *)""
				    : buffer->data + buffer->start;
}

/*
 * Makes room for `more` bytes behind what is held: by moving it to the front
 * where at least as much was consumed before it, else by growing by half or
 * more. Either way a byte is copied a bounded number of times, whatever the
 * pattern of appending and consuming.
 */
static bool make_room(struct pl_buffer *buffer, size_t more)
{
	size_t wanted, capacity;
	unsigned char *data;

	if (buffer->capacity - buffer->start - buffer->length >= more)
		return true;
	if (buffer->start > 0 && buffer->capacity - buffer->length >= more &&
	    buffer->start >= buffer->length) {
		memmove(buffer->data, buffer->data + buffer->start,
			buffer->length);
		buffer->start = 0;
		return true;
	}
	wanted = buffer->length + more;
	capacity = buffer->capacity;
	do
		capacity = capacity < 256 ? 256 : capacity + capacity / 2;
	while (capacity < wanted);
	data = malloc(capacity);
	if (data == NULL)
		return false;
	if (buffer->length > 0)
		memcpy(data, buffer->data + buffer->start, buffer->length);
	free(buffer->data);
	buffer->data = data;
	buffer->start = 0;
	buffer->capacity = capacity;
	return true;
}

bool pl_buffer_append(struct pl_buffer *buffer, const void *bytes,
		      size_t length)
{
	if (length > SIZE_MAX / 4 - buffer->length)
		return false;
	if (buffer->limit != 0 && buffer->length + length > buffer->limit)
		return false;
	if (length == 0)
		return true;
	if (!make_room(buffer, length))
		return false;
	memcpy(buffer->data + buffer->start + buffer->length, bytes, length);
	buffer->length += length;
	return true;
}

bool pl_buffer_text(struct pl_buffer *buffer, const char *text)
{
	return pl_buffer_append(buffer, text, strlen(text));
}

bool pl_buffer_printf(struct pl_buffer *buffer, const char *format, ...)
{
	char small[512], *large;
	va_list ap;
	bool fits;
	int n;

	va_start(ap, format);
	n = vsnprintf(small, sizeof small, format, ap);
	va_end(ap);
	if (n < 0)
		return false;
	if ((size_t)n < sizeof small)
		return pl_buffer_append(buffer, small, (size_t)n);
	va_start(ap, format);
	n = vasprintf(&large, format, ap);
	va_end(ap);
	if (n < 0)
		return false;
	fits = pl_buffer_append(buffer, large, (size_t)n);
	free(large);
	return fits;
}

void pl_buffer_consume(struct pl_buffer *buffer, size_t length)
{
	if (length > buffer->length)
		length = buffer->length;
	buffer->start += length;
	buffer->length -= length;
	if (buffer->length == 0)
		buffer->start = 0;
}

void pl_buffer_trim(struct pl_buffer *buffer)
{
	if (buffer->length == 0)
		pl_buffer_finish(buffer);
}

void pl_buffer_wipe(struct pl_buffer *buffer)
{
	pl_wipe(buffer->data, buffer->capacity);
	pl_buffer_finish(buffer);
}
