/* http_chunked.h - decodes a chunked body in place, strictly: CRLF and nothing else ends a line.
 *
 * Not http-parser's: as Debian builds it, it takes any two bytes behind a chunk for CRLF and
 * ignores bare LF in extensions, which is how requests are smuggled. */
#pragma once

#include "base/base.h"

struct http_chunked {
	int state;
	uint64_t left; /* of this chunk */
	unsigned int digits;
	uint64_t total; /* body bytes so far */
	size_t line; /* bytes of the extension or trailers so far */
	size_t max_body, max_line;
};

/* @max_line bounds each extension and all trailers together. */
void http_chunked_init(struct http_chunked *chunked, size_t max_body, size_t max_line);

enum http_chunked_outcome { HTTP_CHUNKED_MORE = 1, HTTP_CHUNKED_END };

/* Decodes @len bytes at @bytes, moving the body's to their front: @ret_body of them. @ret_used is
 * how many bytes were read: all of them unless the end came. Outcomes: as above, or the status to
 * refuse it with (400, 413, 431). */
_must_check_ int http_chunked_decode(struct http_chunked *chunked, char *bytes, size_t len,
				     size_t *ret_used, size_t *ret_body);
