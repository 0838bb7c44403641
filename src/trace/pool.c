/*
 * Memory of records: blocks of one size, from slabs that come from the kernel and
 * go back to it. Most traces end seconds after they began, while what was made
 * beside them, streams, stays for days: in the heap they would leave holes
 * between these that nothing fills.
 *
 *     slab    64 blocks, one bit each: free? and its pages: touched?
 *     room    a block of a slab with free ones; what is larger is mapped alone
 *     rest    pages of free blocks go back, and slabs without any other block
 */
#include "internal.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define forbid(bytes, length) ASAN_POISON_MEMORY_REGION(bytes, length)
#define allow(bytes, length) ASAN_UNPOISON_MEMORY_REGION(bytes, length)
#else
#define forbid(bytes, length) ((void)0)
#define allow(bytes, length) ((void)0)
#endif

enum { SLAB_BLOCKS = 64, SLAB_BYTES = SLAB_BLOCKS * POOL_BLOCK };

struct slab {
	LIST_ENTRY(slab) entry;  /* in pool.partial or pool.full */
	unsigned char *memory;   /* owned */
	uint64_t free, touched;  /* bits, one a block */
};

static void *map(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory != MAP_FAILED ? memory : NULL;
}

static void unmap(void *memory, size_t bytes)
{
	allow(memory, bytes);
	munmap(memory, bytes);
}

void pool_init(struct pool *pool)
{
	LIST_INIT(&pool->partial);
	LIST_INIT(&pool->full);
	pool->slabs = pool->slack = 0;
	pool->used = false;
}

static struct slab *new_slab(struct pool *pool)
{
	struct slab *slab = calloc(1, sizeof *slab);

	if (slab == NULL)
		return NULL;
	slab->memory = map(SLAB_BYTES);
	if (slab->memory == NULL) {
		free(slab);
		return NULL;
	}
	forbid(slab->memory, SLAB_BYTES);
	slab->free = UINT64_MAX;
	LIST_INSERT_HEAD(&pool->partial, slab, entry);
	pool->slabs++;
	return slab;
}

static void free_slab(struct pool *pool, struct slab *slab)
{
	LIST_REMOVE(slab, entry);
	unmap(slab->memory, SLAB_BYTES);
	free(slab);
	pool->slabs--;
}

/* Nobody holds a block any more. */
void pool_finish(struct pool *pool)
{
	struct slab *slab;

	assert(LIST_EMPTY(&pool->full));
	while ((slab = LIST_FIRST(&pool->partial)) != NULL) {
		assert(slab->free == UINT64_MAX);
		free_slab(pool, slab);
	}
	pool_init(pool);
}

static size_t alone(size_t bytes)
{
	return (bytes + POOL_BLOCK - 1) / POOL_BLOCK * POOL_BLOCK;
}

/* A touched block first: its page is there already. */
static int choose(const struct slab *slab)
{
	uint64_t used_before = slab->free & slab->touched;

	return __builtin_ctzll(used_before != 0 ? used_before : slab->free);
}

void *pool_get(struct pool *pool, size_t bytes, struct slab **home)
{
	struct slab *slab;
	unsigned char *block;
	int number;

	*home = NULL;
	if (bytes > POOL_BLOCK)
		return map(alone(bytes));
	slab = LIST_FIRST(&pool->partial);
	if (slab == NULL)
		slab = new_slab(pool);
	if (slab == NULL)
		return NULL;
	number = choose(slab);
	if (slab->touched & 1ull << number)
		pool->slack--;
	slab->free &= ~(1ull << number);
	slab->touched |= 1ull << number;
	if (slab->free == 0) {
		LIST_REMOVE(slab, entry);
		LIST_INSERT_HEAD(&pool->full, slab, entry);
	}
	block = slab->memory + (size_t)number * POOL_BLOCK;
	allow(block, POOL_BLOCK);
	pool->used = true;
	*home = slab;
	return block;
}

void pool_put(struct pool *pool, struct slab *slab, void *memory, size_t bytes)
{
	size_t number;

	if (slab == NULL) {
		unmap(memory, alone(bytes));
		return;
	}
	number = (size_t)((unsigned char *)memory - slab->memory) / POOL_BLOCK;
	if (slab->free == 0) {
		LIST_REMOVE(slab, entry);
		LIST_INSERT_HEAD(&pool->partial, slab, entry);
	}
	slab->free |= 1ull << number;
	pool->slack++;
	forbid(memory, POOL_BLOCK);
}

/* Runs of touched free blocks, each in one call. */
static void give_back(struct pool *pool, struct slab *slab)
{
	uint64_t slack = slab->free & slab->touched;

	while (slack != 0) {
		int first = __builtin_ctzll(slack), count = 1;

		while (first + count < SLAB_BLOCKS &&
		       slack & 1ull << (first + count))
			count++;
		madvise(slab->memory + (size_t)first * POOL_BLOCK,
			(size_t)count * POOL_BLOCK, MADV_DONTNEED);
		for (; count > 0; count--, first++) {
			slack &= ~(1ull << first);
			slab->touched &= ~(1ull << first);
			pool->slack--;
		}
	}
}

bool pool_rest(struct pool *pool)
{
	struct slab *slab, *next;

	if (pool->used) {
		pool->used = false;
		return pool->slack > 0;
	}
	for (slab = LIST_FIRST(&pool->partial); slab != NULL; slab = next) {
		next = LIST_NEXT(slab, entry);
		if (slab->free == UINT64_MAX) {
			pool->slack -= (unsigned)__builtin_popcountll(
				slab->touched);
			free_slab(pool, slab);
		} else {
			give_back(pool, slab);
		}
	}
	return false;
}
