/* http_client.h - blocking HTTP requests of a client (the CLI, the agent's join), over libcurl:
 * TLS, proxies from the environment, absolute time-outs, bounded answers. */
#pragma once

#include "base/arena.h"
#include "io/http_server.h"

struct http_call {
	const char *method; /* "GET" */
	const char *url;
	const struct http_header *headers;
	size_t n_headers;
	const void *body; /* NULL: none */
	size_t body_len;
	uint64_t timeout_ms;
	size_t max_answer_bytes;
};

struct http_answer {
	int status;
	char *body; /* in the arena, NUL behind it */
	size_t body_len;
};

/* Faults: -ECONNREFUSED, -EHOSTUNREACH, -ETIMEDOUT, -EMSGSIZE (answer too long), -EPROTO (TLS or
 * framing), -EINVAL (the URL or a header), -ENOMEM. */
_must_check_ int http_call(const struct http_call *call, struct arena *arena,
			   struct http_answer *ret_answer);
