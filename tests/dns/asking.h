/* asking.h: a resolver on a loop, and questions that wait for their answer. */
#ifndef TESTS_DNS_ASKING_H
#define TESTS_DNS_ASKING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "parley/dns.h"

struct event_base;

enum { BOTH = PL_DNS_STARTTLS | PL_DNS_DIRECT_TLS };

struct asking {
	struct event_base *base;
	struct pl_resolver *resolver;
	struct pl_dns_answer answer; /* the last one, copied */
	size_t answers;
	char text[2048];             /* see shown() */
	uint64_t took_ms;
};

void asking_begin(struct asking *asking,
		  const struct pl_dns_settings *settings);
void asking_end(struct asking *asking);
/* Waits up to 20 s for the answer. */
void ask(struct asking *asking, const char *domain, unsigned want);
void ask_host(struct asking *asking, const char *host, unsigned short port,
	      bool direct_tls);
void wait_for(struct asking *asking, size_t answers);
void wait_ms(struct asking *asking, unsigned ms);
extern const pl_dns_done asking_done; /* owner: struct asking */
uint64_t now_ms(void);

/* The last answer on one line: its code, or each target as
 * "host:port[/direct][/srv][/secure][/tlsaN]=address,address ". */
const char *shown(struct asking *asking);

#endif
