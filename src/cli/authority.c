/*
 * Who answers when the peer asks whether a key is ours: a running parleyd that
 * serves the domain, else this process, at --listen or where the file listens,
 * else nobody.
 */
#include "attempt.h"
#include "client.h"
#include "endpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAEMON_SECONDS = 2, CALLBACK_MS = 10000 };

static void add_word(char *out, size_t size, const char *word)
{
	size_t used = strlen(out);

	snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "", word);
}

static void list_endpoints(char *out, size_t size,
			   const struct pl_conf_listen *listens)
{
	out[0] = '\0';
	for (; listens != NULL; listens = listens->next)
		add_word(out, size, listens->endpoint);
}

/* ----- a running daemon ----- */

static json_t *ask_daemon(const struct cli_world *w, const char *id,
			  struct pl_error *error)
{
	json_t *request = json_pack("{s:s,s:s,s:s}", "verb", "key", "from",
				    w->attempt->local, "to",
				    w->attempt->remote);

	if (id != NULL)
		json_object_set_new(request, "id", cli_json_text(id));
	return client_try(w->engine.site->conf, request, DAEMON_SECONDS, error);
}

static bool daemon_answers(struct cli_world *w)
{
	struct cli_attempt *attempt = w->attempt;
	struct pl_error error = { .text = "" };
	json_t *answer;
	bool confirms;

	if (w->way->configuration == NULL)
		return false;
	answer = ask_daemon(w, NULL, &error);
	confirms = json_is_true(json_object_get(answer, "dialback"));
	if (confirms) {
		list_endpoints(attempt->listens, sizeof attempt->listens,
			       w->engine.site->conf->listens);
	} else if (json_is_true(json_object_get(answer, "ok"))) {
		snprintf(attempt->no_authority, sizeof attempt->no_authority,
			 "the running parleyd serves %.100s, but its row %d "
			 "for %.100s has no dialback: it would deny the key",
			 attempt->local,
			 (int)json_integer_value(json_object_get(answer,
								 "row")),
			 attempt->remote);
	}
	json_decref(answer);
	return confirms;
}

/* ----- this process ----- */

static bool listen_at(struct cli_world *w, const struct pl_conf_listen *where)
{
	struct cli_attempt *attempt = w->attempt;
	struct pl_error error = { .text = "" };

	if (pl_site_listeners_set(w->engine.listeners, where, &error)) {
		list_endpoints(attempt->listens, sizeof attempt->listens,
			       where);
		return where != NULL;
	}
	if (attempt->no_authority[0] == '\0')
		snprintf(attempt->no_authority, sizeof attempt->no_authority,
			 "%.380s", error.text);
	/* Some may be open: which ones, the sentence does not say. */
	if (pl_site_listeners_count(w->engine.listeners) == 0)
		return false;
	list_endpoints(attempt->listens, sizeof attempt->listens, where);
	return true;
}

static bool we_answer(struct cli_world *w)
{
	struct pl_conf_listen own = { .endpoint = (char *)w->way->listen };

	if (w->way->listen != NULL)
		return listen_at(w, &own);
	if (w->engine.site->conf->listens != NULL)
		return listen_at(w, w->engine.site->conf->listens);
	if (w->attempt->no_authority[0] == '\0')
		snprintf(w->attempt->no_authority,
			 sizeof w->attempt->no_authority,
			 "no parleyd was found that serves %.100s, and there "
			 "is no --listen", w->attempt->local);
	return false;
}

void cli_find_authority(struct cli_world *w)
{
	struct pl_partner_view view;

	w->engine.world.partner(&w->engine, w->attempt->local,
				w->attempt->remote, &view);
	if (!pl_authority_confirms(&view.terms))
		return;
	if (daemon_answers(w)) {
		w->attempt->authority = CLI_DAEMON;
		if (w->way->listen != NULL)
			fprintf(stderr, "parley %s: the running parleyd "
				"answers db:verify: --listen is not used\n",
				w->way->verb);
	} else if (we_answer(w)) {
		w->attempt->authority = CLI_OURSELVES;
	}
}

/* ----- the key ----- */

static bool key_of_daemon(const struct cli_world *w, const char *id,
			  char out[PL_DIALBACK_KEY_SIZE])
{
	json_t *answer = ask_daemon(w, id, NULL);
	const char *key = json_string_value(json_object_get(answer, "key"));
	bool good = key != NULL && strlen(key) == PL_DIALBACK_KEY_SIZE - 1;

	if (good)
		memcpy(out, key, PL_DIALBACK_KEY_SIZE);
	json_decref(answer);
	return good;
}

bool cli_give_key(void *owner, const char *receiving, const char *originating,
		  const char *stream_id, char out[PL_DIALBACK_KEY_SIZE])
{
	struct cli_world *w = ((struct cli_engine *)owner)->owner;

	w->attempt->dialback_used = true;
	/* Nobody answers: what the peer makes of it is soon known. */
	if (w->attempt->authority == CLI_NOBODY && w->negotiation != NULL)
		pl_router_negotiate_within(w->negotiation, CALLBACK_MS);
	if (w->attempt->authority == CLI_DAEMON &&
	    strcmp(originating, w->attempt->local) == 0 &&
	    strcmp(receiving, w->attempt->remote) == 0 &&
	    key_of_daemon(w, stream_id, out))
		return true;
	return pl_dialback_key(&w->engine.dialback, receiving, originating, stream_id,
			       out);
}

/* ----- our own name ----- */

static bool listened_at(const char *listens, const char *address)
{
	char copy[400], *save = NULL, *word;

	snprintf(copy, sizeof copy, "%s", listens);
	for (word = strtok_r(copy, ", ", &save); word != NULL;
	     word = strtok_r(NULL, ", ", &save))
		if (cli_endpoint_takes(word, address))
			return true;
	return false;
}

void cli_judge_own_name(struct cli_attempt *attempt,
			const struct pl_dns_answer *answer)
{
	bool listened = false;
	unsigned shown = 0;
	char text[80];

	attempt->own_known = true;
	attempt->own_code = answer->code != PL_CODE_NONE ? answer->code
			  : answer->count == 0 ? PL_CODE_DNS_NO_ADDRESS
			  : PL_CODE_NONE;
	for (size_t i = 0; i < answer->count; i++)
		for (size_t j = 0; j < answer->targets[i].addresses_count; j++) {
			if (!cli_address_text(&answer->targets[i].addresses[j],
					  text, sizeof text))
				continue;
			if (shown++ < 4)
				add_word(attempt->own_targets,
					 sizeof attempt->own_targets, text);
			listened = listened ||
				   listened_at(attempt->listens, text);
		}
	attempt->own_differs = attempt->own_code == PL_CODE_NONE &&
			       attempt->listens[0] != '\0' && !listened;
}
