/*
 * services.h: components of a whole server in the scripted world (server.h).
 *
 *     services_start(&s, &server, "192.0.2.1:5347");
 *     service_rule(&s, "echo.alpha.example", "secret", false);
 *     service_attach(&s, &peer, "echo.alpha.example", "secret");
 */
#ifndef TESTS_COMPONENT_SERVICES_H
#define TESTS_COMPONENT_SERVICES_H

#include "parley/component.h"
#include "server.h"

#define COMPONENT "<stream:stream xmlns='jabber:component:accept' " \
	"xmlns:stream='http://etherx.jabber.org/streams'"

enum { NAMES = 16 };

struct services {
	struct server *server;
	struct pl_components *components;
	struct pl_listener *listener;
	const char *endpoint;
	struct pl_component_rule rules[NAMES];
	size_t count;
};

void services_start(struct services *services, struct server *server,
		    const char *endpoint);
void services_stop(struct services *services);
/* Adds or changes a name (secret NULL: a host); it is in force at once. */
void service_rule(struct services *services, const char *name,
		  const char *secret, bool refuse_second);
void service_forget(struct services *services, const char *name);

/* Connects and sends a header; id gets the id of the answer. */
void service_header(struct services *services, struct peer *peer,
		    const char *to, char id[64]);
void service_digest(const char *id, const char *secret, char hex[64]);
void service_handshake(struct peer *peer, const char *id, const char *secret);
/* All of it. */
void service_attach(struct services *services, struct peer *peer,
		    const char *to, const char *secret);

#endif
