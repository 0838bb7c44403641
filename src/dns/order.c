/* RFC 2782: by priority, and within one priority by a weighted draw. */
#include "internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

/* Takes a target out at `from` and puts it in at `to` <= from. */
static void move(struct pl_dns_target *targets, size_t from, size_t to)
{
	struct pl_dns_target taken = targets[from];

	memmove(&targets[to + 1], &targets[to],
		(from - to) * sizeof targets[0]);
	targets[to] = taken;
}

/* Those without weight come first within their priority: then the draw of 0
 * alone reaches them, which is the small chance that the RFC wants. */
static bool precedes(const struct pl_dns_target *a,
		     const struct pl_dns_target *b)
{
	if (a->priority != b->priority)
		return a->priority < b->priority;
	return a->weight == 0 && b->weight != 0;
}

/* Stable, and quick for what is mostly in order already. */
static void sort(struct pl_dns_target *targets, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		size_t to = i;

		while (to > 0 && precedes(&targets[i], &targets[to - 1]))
			to--;
		if (to < i)
			move(targets, i, to);
	}
}

/* Draws one of the targets of a priority, which begins at targets[0]. */
static size_t choose(const struct pl_dns_target *targets, size_t count,
		     unsigned (*draw)(void *owner, unsigned total), void *owner)
{
	unsigned total = 0, sum = 0, drawn;
	size_t end = 0;

	while (end < count && targets[end].priority == targets[0].priority)
		total += targets[end++].weight;
	drawn = draw(owner, total);
	for (size_t i = 0; i < end; i++) {
		sum += targets[i].weight;
		if (sum >= drawn)
			return i;
	}
	return 0;
}

void pl_dns_order(struct pl_dns_target *targets, size_t count,
		  unsigned (*draw)(void *owner, unsigned total), void *owner)
{
	sort(targets, count);
	for (size_t i = 0; i < count; i++)
		move(targets, i + choose(targets + i, count - i, draw, owner),
		     i);
}

unsigned draw_random(void *owner, unsigned total)
{
	uint32_t range, drawn, limit;

	if (total == 0)
		return 0;
	range = total + 1;
	limit = UINT32_MAX - UINT32_MAX % range; /* else small ones win */
	do {
		ssize_t n;

		do
			n = getrandom(&drawn, sizeof drawn, 0);
		while (n < 0 && errno == EINTR);
		assert(n == (ssize_t)sizeof drawn);
	} while (drawn >= limit);
	return drawn % range;
}
