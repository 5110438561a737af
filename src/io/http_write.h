/* http_write.h - the text of an answer's header. */
#pragma once

#include "io/http_server.h"

enum { HTTP_ANSWER_HEADERS_MAX_BYTES = 8192, HTTP_DATE_SIZE = 32 };

/* The Date header's value, made once a second. */
struct http_date {
	int64_t second;
	char text[HTTP_DATE_SIZE];
};

/* Bytes that the lines of @headers take. -EINVAL if one could not be sent (a name that is no token,
 * control characters: no answer is split), -E2BIG past HTTP_ANSWER_HEADERS_MAX_BYTES. */
_must_check_ int http_lines_size(const struct http_header *headers, size_t n_headers,
				 size_t *ret_size);

/* Writes that many bytes. */
void http_lines_write(const struct http_header *headers, size_t n_headers, char *ret_lines);

struct http_answer_head {
	int status;
	const char *lines; /* the caller's headers */
	size_t lines_len;
	size_t body_len;
	bool keep_alive;
};

enum { HTTP_ANSWER_HEAD_MAX_BYTES = HTTP_ANSWER_HEADERS_MAX_BYTES + 256 };

/* Writes the whole header, with Date, Content-Length (not for 204 and 304) and Connection; returns
 * its length. */
size_t http_head_write(const struct http_answer_head *head, struct http_date *date,
		       char ret_text[static HTTP_ANSWER_HEAD_MAX_BYTES]);

/* Whether an answer with @status has a body at all. */
static inline bool http_status_has_body(int status)
{
	return status != 204 && status != 304;
}

/* "Not Found"; "Unknown" for those that this server never sends. */
const char *http_status_title(int status);
