/* http_unix.h - an HTTP/1.1 client over a unix socket, on a loop: for a container engine's API.
 *
 * One connection for each call, closed behind it. An answer is shown piece by piece as it arrives;
 * a call may turn into a raw byte stream in both directions (101, or an answer that lasts until the
 * peer closes). A call ends exactly once: with on_end, or silently by http_unix_cancel. All on the
 * loop. */
#pragma once

#include "base/base.h"

struct loop;
struct http_unix_call;

enum { HTTP_UNIX_QUEUE_MAX = 262144 }; /* unsent bytes of one call */

struct http_unix_request {
	const char *socket; /* path of the socket */
	const char *method; /* "GET" */
	const char *path; /* with the query, escaped */
	const char *content_type; /* of the body; NULL without one */
	const void *body;
	size_t body_len;
	bool upgrade; /* asks for a raw stream */
	uint64_t timeout_ms; /* from the call to the end of the answer's header; 0: any */
	uint64_t idle_ms; /* longest silence behind the header; 0: any */
};

struct http_unix_handler {
	/* The header is there. @status 101: raw bytes follow, and what was sent before goes out. */
	void (*on_status)(void *arg, int status);
	/* Borrowed. */
	void (*on_bytes)(void *arg, const void *bytes, size_t len);
	/* The last call; the call is freed behind it. @fault 0: the answer is complete. -ENOENT,
	 * -ECONNREFUSED: nobody listens; -ETIMEDOUT; -EPROTO: not HTTP, or cut short; -EPIPE, ... */
	void (*on_end)(void *arg, int fault);
};

/* Copies the request; @handler outlives the call. Faults: -ENOMEM, -EMFILE, -EINVAL (a path that is
 * too long for a socket); then nothing follows. */
_must_check_ int http_unix_start(struct loop *loop, const struct http_unix_request *request,
				 const struct http_unix_handler *handler, void *arg,
				 struct http_unix_call **ret_call);

/* Sends raw bytes, or keeps them until the 101 is there; copies them. -EAGAIN: more than
 * HTTP_UNIX_QUEUE_MAX would wait; -EPIPE: no upgrade was asked for, or our direction has ended. */
_must_check_ int http_unix_send(struct http_unix_call *call, const void *bytes, size_t len);

/* Bytes not yet sent. */
size_t http_unix_queued(const struct http_unix_call *call);

/* Ends our direction once what is queued was sent; the other stays open. */
void http_unix_finish(struct http_unix_call *call);

/* Stops reading, so that the peer has to wait; goes on. */
void http_unix_pause(struct http_unix_call *call);
void http_unix_resume(struct http_unix_call *call);

/* No call follows. May be called from the handler. */
void http_unix_cancel(struct http_unix_call *call);
