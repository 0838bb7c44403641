/* The digest that proves a component's secret (XEP-0114 3; CMP-4 to CMP-6). */
#include "internal.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

bool handshake_digest(const char *id, const char *secret,
		      char out[DIGEST_SIZE])
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned length = 0;
	bool made;

	made = context != NULL &&
	       EVP_DigestInit_ex(context, EVP_sha1(), NULL) == 1 &&
	       EVP_DigestUpdate(context, id, strlen(id)) == 1 &&
	       EVP_DigestUpdate(context, secret, strlen(secret)) == 1 &&
	       EVP_DigestFinal_ex(context, hash, &length) == 1 &&
	       length == (DIGEST_SIZE - 1) / 2;
	EVP_MD_CTX_free(context);
	out[0] = '\0';
	for (unsigned i = 0; made && i < length; i++)
		snprintf(out + 2 * i, 3, "%02x", hash[i]);
	pl_wipe(hash, sizeof hash);
	return made;
}

bool handshake_good(const struct pl_xml_node *handshake, const char *id,
		    const char *secret)
{
	char said[DIGEST_SIZE], wanted[DIGEST_SIZE];
	bool good;

	if (pl_xml_text(handshake, said, sizeof said) != DIGEST_SIZE - 1)
		return false;
	for (char *c = said; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'F')
			*c = (char)(*c + ('a' - 'A'));
	good = handshake_digest(id, secret, wanted) &&
	       pl_equal_secret(said, wanted, DIGEST_SIZE - 1);
	pl_wipe(said, sizeof said);
	pl_wipe(wanted, sizeof wanted);
	return good;
}
