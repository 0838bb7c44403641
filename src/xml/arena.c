/* Memory that is got in small pieces and given back all at once. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 4096
#define BLOCK_BYTES_MAX 65536
#define ALIGNMENT sizeof(void *)

struct block {
	struct block *next;
	size_t size, used;
	void *data[]; /* for its alignment */
};

static struct block *add_block(struct pl_xml_arena *arena, size_t size)
{
	size_t wanted = BLOCK_BYTES;
	struct block *block;

	/* Larger and larger, so that a large element takes few blocks. */
	if (arena->last != NULL && arena->last->size < BLOCK_BYTES_MAX / 2)
		wanted = arena->last->size * 2;
	else if (arena->last != NULL)
		wanted = BLOCK_BYTES_MAX;
	if (wanted < size)
		wanted = size;
	block = malloc(sizeof *block + wanted);
	if (block == NULL)
		return NULL;
	block->next = NULL;
	block->size = wanted;
	block->used = 0;
	if (arena->last != NULL)
		arena->last->next = block;
	else
		arena->first = block;
	arena->last = block;
	return block;
}

void *pl_xml_arena_get(struct pl_xml_arena *arena, size_t size)
{
	struct block *block = arena->last;
	void *memory;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	if (block == NULL || block->size - block->used < size)
		block = add_block(arena, size);
	if (block == NULL)
		return NULL;
	memory = (char *)block->data + block->used;
	block->used += size;
	return memory;
}

char *pl_xml_arena_copy(struct pl_xml_arena *arena, const char *text,
			size_t length)
{
	char *copy = pl_xml_arena_get(arena, length + 1);

	if (copy == NULL)
		return NULL;
	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

static void free_blocks(struct block *block)
{
	while (block != NULL) {
		struct block *next = block->next;

		free(block);
		block = next;
	}
}

void pl_xml_arena_reset(struct pl_xml_arena *arena)
{
	struct block *first = arena->first;

	if (first == NULL)
		return;
	if (first->size > BLOCK_BYTES) {
		pl_xml_arena_finish(arena);
		return;
	}
	free_blocks(first->next);
	first->next = NULL;
	first->used = 0;
	arena->last = first;
}

void pl_xml_arena_finish(struct pl_xml_arena *arena)
{
	free_blocks(arena->first);
	arena->first = arena->last = NULL;
}
