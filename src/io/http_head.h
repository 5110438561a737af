/* http_head.h - the header block of one request, by http-parser, as places in its bytes.
 *
 * Apart from the rest because http_parser.h and http_server.h both name their methods HTTP_GET.
 * The caller has already refused what http-parser 2.9 lets pass (http_reader.c): bare LF, folding,
 * white space before a colon, control characters. */
#pragma once

#include "base/base.h"

enum { HTTP_HEADERS_MAX = 64 };

struct http_span {
	uint32_t at, len;
};

struct http_head {
	struct http_span target;
	struct http_span names[HTTP_HEADERS_MAX];
	struct http_span values[HTTP_HEADERS_MAX];
	size_t n_headers;
	unsigned int minor; /* HTTP/1.minor */
	bool keep_alive;
	bool upgrade;
	bool has_length;
	bool chunked;
	uint64_t length; /* of the body, unless chunked */
};

/* @bytes hold one header block, from the request line to the empty line. Outcome: the status to
 * refuse it with, and in @ret_why (static) what is wrong. */
_must_check_ int http_head_parse(const char *bytes, size_t len, struct http_head *ret_head,
				 const char **ret_why);
