/* http_server.h - HTTP/1.1 and WebSocket connections of a server, all owned by one loop.
 *
 * A request is shown on the loop, borrowed, and must be answered once: at once or later, from any
 * thread, by the connection's id. An id holds a generation: an answer to a connection that is gone
 * is dropped without harm. Requests of one connection are shown one at a time, in order.
 *
 * Limits are absolute: a header that is not complete by its deadline, a body that is too long or too
 * slow, a client that does not take its answer, each end the connection with a status where one can
 * still be sent (400, 408, 413, 414, 431, 503). Ambiguous framing (both Content-Length and
 * Transfer-Encoding, repeated lengths, obsolete folding, bare LF) is refused: RFC 9112. */
#pragma once

#include "base/base.h"

struct loop;
struct http_server;

struct http_conn_id {
	uint64_t value; /* slot and generation; 0 is no connection */
};

enum http_method {
	HTTP_GET,
	HTTP_POST,
	HTTP_PUT,
	HTTP_PATCH,
	HTTP_DELETE,
	HTTP_HEAD,
	HTTP_OPTIONS
};

struct http_header {
	const char *name, *value;
};

/* Borrowed: valid during on_request only. Texts end with NUL. */
struct http_request {
	struct http_conn_id conn;
	enum http_method method;
	const char *path; /* as sent, without the query; starts with '/' */
	const char *query; /* behind the '?', "" if none */
	const struct http_header *headers; /* names in lower case */
	size_t n_headers;
	const char *body;
	size_t body_len;
	const char *peer; /* "127.0.0.1" */
	bool websocket; /* a well-formed WebSocket upgrade (RFC 6455, version 13) */
};

/* NULL if absent; @name in lower case. */
const char *http_request_header(const struct http_request *request, const char *name);

struct http_server_config {
	const char *host; /* numeric address */
	uint16_t port; /* 0: any free one */
	size_t max_connections;
	/* 0: whoever comes when all connections are taken is refused. Else a connection is a stranger's
	 * until http_keep, of one network (an IPv4 address, 64 bits of an IPv6 one) there are so many at
	 * most, and the oldest stranger, of its own network if that has so many, makes room for the next. */
	size_t max_strangers;
	size_t max_header_bytes; /* request line and headers */
	size_t max_body_bytes;
	uint64_t header_timeout_ms; /* from the connection's or the last answer's end; keep-alive
					 * idling counts against idle_timeout_ms instead */
	uint64_t body_timeout_ms; /* from the end of the header to the end of the body */
	uint64_t idle_timeout_ms;
	uint64_t send_timeout_ms; /* a client that takes nothing for so long is cut */
	size_t ws_max_message_bytes;
	size_t ws_max_queue_bytes; /* unsent bytes after which a slow WebSocket reader is cut */
	uint64_t ws_ping_ms; /* pings; a peer silent for two of them is cut */

	/* On the loop. Must answer with http_reply or http_upgrade, now or later. */
	void (*on_request)(void *arg, const struct http_request *request);
	void *arg;
};

/* Sane defaults for everything but host, port and on_request. */
void http_server_config_init(struct http_server_config *config);

/* Listens. Faults: -EADDRINUSE, -EACCES, -ENOMEM, ... On the loop's thread, before or while it runs. */
_must_check_ int http_server_new(struct loop *loop, const struct http_server_config *config,
				 struct http_server **ret_server);

/* The port it listens on. */
uint16_t http_server_port(const struct http_server *server);

/* Answers a request. @headers (may be NULL) besides Content-Length, Date and Connection, which are
 * the server's own. Copies everything. From any thread. */
void http_reply(struct http_server *server, struct http_conn_id conn, int status,
		const struct http_header *headers, size_t n_headers, const void *body,
		size_t body_len);

/* This connection is no stranger's any more. On the loop. */
void http_keep(struct http_server *server, struct http_conn_id conn);

/* ---- WebSocket ---- */

enum ws_kind { WS_TEXT, WS_BINARY };

/* All on the loop. */
struct ws_handler {
	/* The 101 is on its way; messages may be sent. May be NULL. */
	void (*on_open)(void *arg, struct http_conn_id conn);
	/* One whole message, borrowed. */
	void (*on_message)(void *arg, struct http_conn_id conn, enum ws_kind kind,
			   const void *bytes, size_t len);
	/* The last call for this connection, from the loop's queue: never from within ws_send or
	 * ws_close. @code as in RFC 6455 section 7.4; 1006 without a close
	 * frame. The one who gave @arg frees it here. */
	void (*on_close)(void *arg, struct http_conn_id conn, uint16_t code);
};

/* Answers a request whose .websocket was true with 101; @protocol may be NULL. From any thread.
 * @handler must outlive the server. If the connection is already gone, on_close is still called
 * (on the loop), so that @arg is always given back. */
void http_upgrade(struct http_server *server, struct http_conn_id conn,
		  const struct ws_handler *handler, void *arg, const char *protocol);

/* Queues one message; copies it. A connection that is gone, or whose queue is full (it is then
 * cut), drops it: what must arrive is kept in the store. From any thread. */
void ws_send(struct http_server *server, struct http_conn_id conn, enum ws_kind kind,
	     const void *bytes, size_t len);

/* Bytes queued and not yet sent, for back-pressure; 0 for a connection that is gone. On the loop. */
size_t ws_queued(struct http_server *server, struct http_conn_id conn);

/* Sends a close frame with @code and @reason (at most 123 bytes), then ends. From any thread. */
void ws_close(struct http_server *server, struct http_conn_id conn, uint16_t code,
	      const char *reason);

/* Stops accepting, answers what is in flight with Connection: close, closes WebSockets with 1001,
 * and calls @done on the loop when all is gone or @timeout_ms passed. */
void http_server_drain(struct http_server *server, uint64_t timeout_ms, void (*done)(void *arg),
		       void *arg);

/* After the loop has stopped. */
void http_server_free(struct http_server *server);
