/* See services.h. */
#include "services.h"

#include <openssl/evp.h>

static void on_accepted(void *owner, struct pl_conn *conn)
{
	struct services *services = owner;

	pl_components_accept(services->components, conn);
}

void services_start(struct services *services, struct server *server,
		    const char *endpoint)
{
	struct pl_error error = { .text = "" };

	memset(services, 0, sizeof *services);
	services->server = server;
	services->endpoint = endpoint;
	services->components = pl_components_new(&server->world,
						 server->router);
	services->listener = pl_listener_new(server->loop, endpoint,
					     on_accepted, services, &error);
	assert_non_null(services->listener);
	for (size_t i = 0; i < server->hosts_count; i++)
		service_rule(services, server->hosts[i].name, NULL, false);
}

void services_stop(struct services *services)
{
	pl_listener_free(services->listener);
	pl_components_free(services->components);
}

static void set(struct services *services)
{
	pl_components_set(services->components, services->rules,
			  services->count);
}

void service_rule(struct services *services, const char *name,
		  const char *secret, bool refuse_second)
{
	size_t i = 0;

	while (i < services->count &&
	       strcmp(services->rules[i].name, name) != 0)
		i++;
	assert_true(i < NAMES);
	if (i == services->count)
		services->count++;
	services->rules[i] = (struct pl_component_rule){ name, secret,
							 refuse_second };
	set(services);
}

void service_forget(struct services *services, const char *name)
{
	size_t i = 0;

	while (strcmp(services->rules[i].name, name) != 0)
		assert_true(++i < services->count);
	services->rules[i] = services->rules[--services->count];
	set(services);
}

void service_header(struct services *services, struct peer *peer,
		    const char *to, char id[64])
{
	peer_connect_to(peer, "127.0.0.1", services->endpoint);
	peer_say(peer, "<?xml version='1.0'?>" COMPONENT " to='%s'>", to);
	assert_true(peer_expect(peer, "xmlns='jabber:component:accept' "
				"xmlns:stream='http://etherx.jabber.org/"
				"streams' id='"));
	peer_expect_not(peer, ">", 500); /* until the tag is whole */
	peer_value(peer, id, 64);
}

void service_digest(const char *id, const char *secret, char hex[64])
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	char text[300];
	unsigned length;

	snprintf(text, sizeof text, "%s%s", id, secret);
	assert_int_equal(EVP_Digest(text, strlen(text), hash, &length,
				    EVP_sha1(), NULL), 1);
	for (unsigned i = 0; i < length; i++)
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
}

void service_handshake(struct peer *peer, const char *id, const char *secret)
{
	char hex[64];

	service_digest(id, secret, hex);
	peer_say(peer, "<handshake>%s</handshake>", hex);
}

void service_attach(struct services *services, struct peer *peer,
		    const char *to, const char *secret)
{
	char id[64];

	service_header(services, peer, to, id);
	service_handshake(peer, id, secret);
	assert_true(peer_expect(peer, "<handshake/>"));
}
