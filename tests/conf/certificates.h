/* Self-signed certificates for tests. */
#ifndef TEST_CONF_CERTIFICATES_H
#define TEST_CONF_CERTIFICATES_H

#include <time.h>

/* Writes PREFIX.crt and PREFIX.key (mode 0600) for DNS-ID `name`, valid between
 * two times; eku is an extended key usage in OpenSSL's words, or NULL. */
void make_certificate(const char *prefix, const char *name, time_t from,
		      time_t until, const char *eku);

#endif
