/* The counters of stream management: see sm.h. Differences are taken modulo
 * 2^32, so that nothing happens where a counter wraps. */
#include "parley/sm.h"

bool pl_sm_sent(struct pl_sm *sm)
{
	sm->sent++;
	return sm->sent - sm->asked >= PL_SM_EVERY;
}

void pl_sm_ask(struct pl_sm *sm)
{
	sm->asked = sm->sent;
}

bool pl_sm_unasked(const struct pl_sm *sm)
{
	return sm->sent != sm->acked && sm->sent != sm->asked;
}

uint32_t pl_sm_unacked(const struct pl_sm *sm)
{
	return sm->sent - sm->acked;
}

bool pl_sm_acked(struct pl_sm *sm, uint32_t h, uint32_t *count)
{
	uint32_t more = h - sm->acked;

	if (more > pl_sm_unacked(sm))
		return false;
	/* What is acknowledged unasked need not be asked for any more. */
	if (sm->asked - sm->acked < more)
		sm->asked = h;
	sm->acked = h;
	*count = more;
	return true;
}

void pl_sm_handled(struct pl_sm *sm)
{
	sm->handled++;
}

void pl_sm_resumed(struct pl_sm *sm)
{
	sm->sent = sm->asked = sm->acked;
}
