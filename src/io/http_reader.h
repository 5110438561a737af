/* http_reader.h - requests out of bytes: the buffer of a connection and what is complete in it.
 *
 * Knows no sockets, so that a fuzzer can drive it. Bytes are written where http_reader_space says,
 * http_reader_next looks at them; a complete request is shown by http_reader_request and forgotten
 * by http_reader_consume. What follows it (pipelining) stays. */
#pragma once

#include "io/http_chunked.h"
#include "io/http_head.h"
#include "io/http_server.h"

/* Shared by the readers of a server: the limits, and one buffer that none of them uses, so that
 * idle connections hold none and busy ones do not allocate. */
struct http_reader_shared {
	size_t max_header_bytes;
	size_t max_body_bytes;
	char *spare;
};

void http_reader_shared_done(struct http_reader_shared *shared);

enum http_reader_state {
	HTTP_READER_HEADER,
	HTTP_READER_BODY,
	HTTP_READER_CHUNKED,
	HTTP_READER_COMPLETE
};

/* Where in a line the header's next byte falls. */
struct http_reader_line {
	bool first; /* the request line, or an empty one before it */
	bool skipped; /* the one empty line that may come before it */
	bool colon;
	unsigned int spaces;
	size_t len;
	char last;
};

struct http_reader {
	struct http_reader_shared *shared;
	char *bytes;
	size_t size, start, end;
	enum http_reader_state state;
	struct http_reader_line line;
	size_t scanned; /* behind start */
	size_t header_len;
	size_t body_len; /* so far */
	size_t request_len; /* once complete */
	size_t raw; /* chunked: behind start, what is not decoded yet */
	bool expects; /* the client waits for 100 Continue */
	enum http_method method;
	struct http_head head;
	struct http_chunked chunked;
	char *nul_at; /* where a byte was replaced by the NUL behind the body */
	char nul_was;
	const char *why;
};

void http_reader_init(struct http_reader *reader, struct http_reader_shared *shared);
void http_reader_done(struct http_reader *reader);

/* Room for at least one more byte. Not between a complete request and its consumption. -ENOMEM. */
_must_check_ int http_reader_space(struct http_reader *reader, char **ret_at, size_t *ret_len);

/* @len bytes were written there (0: none after all). */
void http_reader_take(struct http_reader *reader, size_t len);

/* 0: a request is complete. Outcomes: HTTP_READER_E_MORE, or the status (400, 413, 414, 417, 431, 501,
 * 505) to refuse it with; reader->why says why, for people. */
enum http_reader_outcome { HTTP_READER_E_MORE = 1 };
_must_check_ int http_reader_next(struct http_reader *reader);

/* Nothing of a request has come yet. */
static inline bool http_reader_empty(const struct http_reader *reader)
{
	return reader->start == reader->end;
}

/* Whether 100 Continue is due now; true once. */
bool http_reader_expects(struct http_reader *reader);

/* The complete request, borrowed until it is consumed; all but .conn and .peer. */
void http_reader_request(struct http_reader *reader, struct http_request *ret_request,
			 struct http_header ret_headers[static HTTP_HEADERS_MAX]);

void http_reader_consume(struct http_reader *reader);

/* The bytes behind the last consumed request: the first of a WebSocket. */
static inline const char *http_reader_rest(const struct http_reader *reader, size_t *ret_len)
{
	*ret_len = reader->end - reader->start;
	return reader->bytes + reader->start;
}
