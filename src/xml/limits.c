/* What a peer may cost. */
#include "parley/xml.h"

/*
 * Expat looks at an unfinished token again with each read, which is quadratic:
 * 64 KiB in 64-byte reads cost 53 ms, 1 MiB cost 12 s. Long text is no token
 * and is not touched by this.
 */
#define TOKEN_BYTES_BEFORE 4096
#define TOKEN_BYTES_AFTER 65536
#define HEADER_BYTES 8192

static size_t at_most(size_t bytes, size_t most)
{
	return bytes < most ? bytes : most;
}

struct pl_xml_limits pl_xml_limits_before(size_t bytes)
{
	return (struct pl_xml_limits){
		.header_bytes = at_most(bytes, HEADER_BYTES),
		.element_bytes = bytes,
		.token_bytes = at_most(bytes, TOKEN_BYTES_BEFORE),
		.depth = 8,
		.attributes = 24,  /* some headers declare a dozen prefixes */
		.namespaces = 32,  /* one for each feature offered */
		.nodes = 64,
		.white_bytes = 256,
	};
}

struct pl_xml_limits pl_xml_limits_after(size_t bytes)
{
	return (struct pl_xml_limits){
		.header_bytes = HEADER_BYTES,
		.element_bytes = bytes,
		.token_bytes = at_most(bytes, TOKEN_BYTES_AFTER),
		.depth = 64,
		.attributes = 64,
		.namespaces = 128,
		.nodes = 10000,
		/* White space keeps idle streams alive, for months. */
		.white_bytes = 1 << 20,
	};
}
