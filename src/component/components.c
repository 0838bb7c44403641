/* The names that are served here, and who is attached to them. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* ----- sections ----- */

struct section *section_of(const struct pl_components *components,
			   const char *domain)
{
	struct section *section, *best = NULL;
	size_t longest = 0;

	LIST_FOREACH(section, &components->sections, entry) {
		size_t length = strlen(section->name);

		if (strcmp(section->name, domain) == 0)
			return section;
		if (section->name[0] == '*' && length > longest &&
		    pl_addr_matches(section->name, domain)) {
			best = section;
			longest = length;
		}
	}
	return best;
}

static void free_section(struct section *section)
{
	LIST_REMOVE(section, entry);
	free(section->name);
	pl_free_secret(section->secret);
	free(section);
}

static bool same_secret(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strlen(a) == strlen(b) && pl_equal_secret(a, b, strlen(a));
}

static const struct pl_component_rule *
rule_of(const struct section *section, const struct pl_component_rule *rules,
	size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(rules[i].name, section->name) == 0)
			return &rules[i];
	return NULL;
}

static struct section *section_named(const struct pl_components *components,
				     const char *name)
{
	struct section *section;

	LIST_FOREACH(section, &components->sections, entry)
		if (strcmp(section->name, name) == 0)
			return section;
	return NULL;
}

/* Whoever is connected for a section that is gone, or under handshake. */
static void end_all_of(struct pl_components *components,
		       const struct section *section)
{
	struct component *component, *next;

	for (component = TAILQ_FIRST(&components->all); component != NULL;
	     component = next) {
		next = TAILQ_NEXT(component, entry);
		if (component->section == section)
			component_end(component, "host-gone",
				      "The configuration changed");
	}
}

void pl_components_set(struct pl_components *components,
		       const struct pl_component_rule *rules, size_t count)
{
	struct section *section, *next;

	for (section = LIST_FIRST(&components->sections); section != NULL;
	     section = next) {
		const struct pl_component_rule *rule =
			rule_of(section, rules, count);

		next = LIST_NEXT(section, entry);
		if (rule != NULL &&
		    same_secret(rule->secret, section->secret)) {
			section->refuse_second = rule->refuse_second;
			continue;
		}
		end_all_of(components, section);
		free_section(section);
	}
	for (size_t i = 0; i < count; i++) {
		if (section_named(components, rules[i].name) != NULL)
			continue;
		section = pl_calloc(1, sizeof *section);
		section->name = pl_strdup(rules[i].name);
		if (rules[i].secret != NULL)
			section->secret = pl_strdup(rules[i].secret);
		section->refuse_second = rules[i].refuse_second;
		LIST_INSERT_HEAD(&components->sections, section, entry);
	}
}

bool section_attach(struct component *component)
{
	struct section *section = component->section;

	if (section->attached != NULL && section->refuse_second)
		return false;
	if (section->attached != NULL)
		component_end(section->attached, "conflict",
			      "Another connection took this domain over");
	section->attached = component;
	component->attached = true;
	component->components->unattached--;
	return true;
}

/* ----- what comes for them ----- */

static enum pl_delivery deliver(void *owner, const char *domain,
				const void *bytes, size_t length,
				struct pl_sender *sender)
{
	struct pl_components *components = owner;
	struct section *section = section_of(components, domain);

	if (section == NULL || section->secret == NULL)
		return PL_DELIVERY_NONE;
	if (section->attached == NULL)
		return PL_DELIVERY_AWAY;
	return component_write(section->attached, bytes, length, sender)
		       ? PL_DELIVERY_TAKEN : PL_DELIVERY_FULL;
}

static void taken(void *owner, const struct pl_stanza *stanza)
{
	struct section *section = section_of(owner, stanza->to_domain);

	if (section != NULL && section->attached != NULL)
		component_taken(section->attached, stanza);
}

/* The host that a service belongs to: of those above it the nearest. */
const struct section *host_above(const struct pl_components *components,
				 const struct section *service)
{
	size_t length = strlen(service->name), longest = 0;
	const struct section *section, *best = NULL;

	LIST_FOREACH(section, &components->sections, entry) {
		size_t n = strlen(section->name);

		if (section->secret == NULL && n > longest && n + 1 < length &&
		    service->name[length - n - 1] == '.' &&
		    strcmp(service->name + length - n, section->name) == 0) {
			best = section;
			longest = n;
		}
	}
	return best;
}

/* A service below no host is shown by all of them; a wildcard is no address
 * that could be shown. */
static bool items(void *owner, const char *host,
		  bool (*show)(void *show_owner, const char *domain),
		  void *show_owner)
{
	const struct pl_components *components = owner;
	const struct section *section;

	LIST_FOREACH(section, &components->sections, entry) {
		const struct section *above;

		if (section->attached == NULL || section->name[0] == '*')
			continue;
		above = host_above(components, section);
		if (above != NULL && strcmp(above->name, host) != 0)
			continue;
		if (!show(show_owner, section->name))
			return false;
	}
	return true;
}

static const struct pl_local local = {
	.deliver = deliver,
	.taken = taken,
	.items = items,
};

/* ----- the owner's calls ----- */

struct pl_components *pl_components_new(struct pl_world *world,
					struct pl_router *router)
{
	struct pl_components *components = pl_calloc(1, sizeof *components);

	components->world = world;
	components->router = router;
	LIST_INIT(&components->sections);
	TAILQ_INIT(&components->all);
	pl_buffer_init(&components->scratch, 0);
	pl_router_set_local(router, &local, components);
	return components;
}

void pl_components_free(struct pl_components *components)
{
	struct component *component;

	if (components == NULL)
		return;
	pl_router_set_local(components->router, NULL, NULL);
	while ((component = TAILQ_FIRST(&components->all)) != NULL)
		component_drop(component);
	while (!LIST_EMPTY(&components->sections))
		free_section(LIST_FIRST(&components->sections));
	pl_buffer_finish(&components->scratch);
	free(components);
}

static void make_room(struct pl_components *components)
{
	struct component *component;

	TAILQ_FOREACH(component, &components->all, entry)
		if (!component->attached) {
			note_refused(component, PL_CODE_CONNECTION_LIMIT,
				     NULL);
			note_tcp(component, PL_DIR_OUT, "dropped");
			component_drop(component);
			return;
		}
}

void pl_components_accept(struct pl_components *components,
			  struct pl_conn *conn)
{
	if (components->unattached >= UNATTACHED)
		make_room(components);
	component_new(components, conn);
}

void pl_components_each(struct pl_components *components,
			void (*show)(void *owner,
				     const struct pl_component_info *info),
			void *owner)
{
	struct component *component;

	TAILQ_FOREACH(component, &components->all, entry)
		show(owner, &(struct pl_component_info){
			.id = component->log_id,
			.name = component->section != NULL
					? component->section->name : "",
			.addr = component->addr,
			.attached = component->attached,
			.began_ms = component->began_ms,
			.received = component->received,
			.sent = component->sent,
		});
}

void pl_components_shutdown(struct pl_components *components)
{
	struct component *component, *next;

	for (component = TAILQ_FIRST(&components->all); component != NULL;
	     component = next) {
		next = TAILQ_NEXT(component, entry);
		component_end(component, "system-shutdown", NULL);
	}
}
