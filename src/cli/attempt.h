/* attempt.h: the world of one negotiation, as its files share it. */
#ifndef PARLEY_CLI_ATTEMPT_H
#define PARLEY_CLI_ATTEMPT_H

#include "engine.h"

struct cli_world {
	const struct cli_way *way;      /* borrowed */
	struct cli_attempt *attempt;    /* borrowed */
	struct cli_engine engine;
	struct pl_negotiation *negotiation; /* under way, or NULL */
	struct pl_dns_query *own_query;     /* likewise */
	uint64_t until_ms;              /* all of it */
	bool failed;
};

/* authority.c: decides who answers db:verify for us, and listens where that is
 * ourselves. */
void cli_find_authority(struct cli_world *w);
/* The look-up of struct pl_world (owner: the engine): a key that the authority
 * will confirm. */
bool cli_give_key(void *owner, const char *receiving, const char *originating,
		  const char *stream_id, char out[PL_DIALBACK_KEY_SIZE]);
/* What DNS says of us, as text, against where we listen. */
void cli_judge_own_name(struct cli_attempt *attempt,
			const struct pl_dns_answer *answer);

#endif
