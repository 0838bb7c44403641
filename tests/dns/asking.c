#include "asking.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void asking_begin(struct asking *asking, const struct pl_dns_settings *settings)
{
	struct pl_error error = { 0 };

	memset(asking, 0, sizeof *asking);
	asking->base = event_base_new();
	asking->resolver = pl_resolver_new(asking->base, settings, &error);
	if (asking->resolver == NULL)
		fail_msg("%s", error.text);
}

void asking_end(struct asking *asking)
{
	pl_resolver_free(asking->resolver);
	event_base_free(asking->base);
}

static void show(struct asking *asking, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void show(struct asking *asking, const char *format, ...)
{
	size_t length = strlen(asking->text);
	va_list ap;

	va_start(ap, format);
	vsnprintf(asking->text + length, sizeof asking->text - length, format,
		  ap);
	va_end(ap);
}

static void show_target(struct asking *asking,
			const struct pl_dns_target *target)
{
	show(asking, "%s:%u%s%s%s", target->host, target->port,
	     target->direct_tls ? "/direct" : "", target->srv ? "/srv" : "",
	     target->secure ? "/secure" : "");
	if (target->tlsa_count > 0)
		show(asking, "/tlsa%zu", target->tlsa_count);
	for (size_t i = 0; i < target->addresses_count; i++) {
		const struct sockaddr_in *v4 =
			(const void *)&target->addresses[i].addr;
		const struct sockaddr_in6 *v6 = (const void *)v4;
		char text[INET6_ADDRSTRLEN];
		bool is_v4 = v4->sin_family == AF_INET;

		assert_int_equal(ntohs(is_v4 ? v4->sin_port : v6->sin6_port),
				 target->port);
		assert_int_equal(target->addresses[i].length,
				 is_v4 ? sizeof *v4 : sizeof *v6);
		inet_ntop(v4->sin_family,
			  is_v4 ? (const void *)&v4->sin_addr
				: (const void *)&v6->sin6_addr,
			  text, sizeof text);
		show(asking, "%c%s", i == 0 ? '=' : ',', text);
	}
	show(asking, " ");
}

static void done(void *owner, const struct pl_dns_answer *answer)
{
	struct asking *asking = owner;

	asking->answers++;
	asking->answer = *answer;
	asking->answer.targets = NULL;
	asking->text[0] = '\0';
	if (answer->code != PL_CODE_NONE) {
		assert_int_equal(answer->count, 0);
		assert_string_not_equal(answer->text, "");
		show(asking, "%s", pl_code_entry(answer->code)->name);
		return;
	}
	assert_in_range(answer->count, 1, PL_DNS_TARGETS);
	for (size_t i = 0; i < answer->count; i++)
		show_target(asking, &answer->targets[i]);
}

const pl_dns_done asking_done = done;

const char *shown(struct asking *asking)
{
	return asking->text;
}

void wait_ms(struct asking *asking, unsigned ms)
{
	struct timeval limit = { .tv_sec = ms / 1000,
				 .tv_usec = ms % 1000 * 1000 };

	event_base_loopexit(asking->base, &limit);
	event_base_dispatch(asking->base);
}

void wait_for(struct asking *asking, size_t answers)
{
	uint64_t began = now_ms();

	while (asking->answers < answers && now_ms() - began < 20000) {
		event_base_loop(asking->base, EVLOOP_ONCE);
		asking->took_ms = now_ms() - began;
	}
	assert_int_equal(asking->answers, answers);
}

void ask(struct asking *asking, const char *domain, unsigned want)
{
	size_t before = asking->answers;

	pl_dns_find(asking->resolver, domain, want, asking_done, asking);
	assert_int_equal(asking->answers, before);
	wait_for(asking, before + 1);
}

void ask_host(struct asking *asking, const char *host, unsigned short port,
	      bool direct_tls)
{
	size_t before = asking->answers;

	pl_dns_find_host(asking->resolver, host, port, direct_tls, asking_done,
			 asking);
	assert_int_equal(asking->answers, before);
	wait_for(asking, before + 1);
}
