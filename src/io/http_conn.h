/* http_conn.h - one connection of a server, for http_server.c, http_conn.c and ws_server.c only.
 *
 * A connection reads requests, shows one at a time, writes its answer, and ends by lingering: it
 * says that it sends no more and forgets what still comes, so that the last answer is not lost to
 * a reset. Everything here is on the loop. */
#pragma once

#include <uv.h>

#include "io/http_reader.h"
#include "io/http_write.h"
#include "io/loop.h"

struct ws_conn;

enum http_phase {
	HTTP_PHASE_READING,
	HTTP_PHASE_HANDLING, /* shown, not answered */
	HTTP_PHASE_WRITING, /* answered, not all sent */
	HTTP_PHASE_WEBSOCKET,
	HTTP_PHASE_LINGERING,
	HTTP_PHASE_CLOSED,
};

struct http_conn {
	struct http_server *server;
	uv_tcp_t tcp;
	uv_timer_t timer;
	uv_shutdown_t shutdown;
	unsigned int open_handles;
	uint32_t slot;
	uint64_t generation; /* of the request; counted by the slot */
	enum http_phase phase;
	bool advancing; /* http_conn_advance is on the stack */
	bool keep_alive; /* after the answer */
	bool head_only;
	bool http_1_0;
	bool eof; /* the client sends no more */
	bool paused; /* reading */
	bool started; /* a byte of this request came */
	bool in_body; /* its header is complete */
	bool websocket; /* the request could become one */
	bool reset; /* the write queue is not worth waiting for */
	uint64_t deadline, timer_at; /* 0: none */
	unsigned int writes; /* handed to libuv, not finished */
	size_t last_queue; /* bytes queued when the send deadline was set */
	char key[25]; /* Sec-WebSocket-Key */
	char peer[46];
	/* The peer's: 64 bits of an IPv6 address, or an IPv4 one behind zeros. */
	uint8_t network[8];
	bool known; /* http_keep */
	uint64_t arrival; /* counted by the server */
	struct http_reader reader;
	struct ws_conn *ws;
};

struct http_slot {
	struct http_conn *conn;
	uint64_t generation;
};

struct http_server {
	struct loop *loop;
	struct http_server_config config;
	uv_tcp_t listener;
	uv_timer_t drain_timer;
	unsigned int open_handles; /* its own two, and one for each connection */
	bool draining, freed;
	void (*drain_done)(void *arg);
	void *drain_arg;
	uint16_t port;
	struct http_slot *slots;
	uint32_t *free_slots;
	size_t n_slots, n_free_slots, n_conns;
	uint64_t arrivals;
	struct http_reader_shared shared;
	struct http_date date;
	char head[HTTP_ANSWER_HEAD_MAX_BYTES];
	char lines[HTTP_ANSWER_HEADERS_MAX_BYTES];
	char input[65536]; /* of WebSockets, and what is forgotten */
	char output[65536]; /* of WebSockets, between frames and socket */
};

/* ---- http_server.c ---- */

struct http_conn *http_server_find(struct http_server *server, struct http_conn_id id);
struct http_conn_id http_conn_id_of(const struct http_conn *conn);
/* The ids given out for this connection so far become stale. */
void http_conn_renew(struct http_conn *conn);
void http_server_release(struct http_server *server, struct http_conn *conn);
void http_server_handle_closed(struct http_server *server);

/* ---- http_conn.c ---- */

/* Takes a connection that was accepted. */
void http_conn_start(struct http_conn *conn);

/* Sends @status and ends. */
void http_conn_refuse(struct http_conn *conn, int status, const char *why);

void http_conn_answer(struct http_conn *conn, int status, const char *lines, size_t lines_len,
		      const void *body, size_t body_len);

/* Writes now what the socket takes and queues a copy of the rest. False: the connection ended. */
bool http_conn_write(struct http_conn *conn, const uv_buf_t *bufs, unsigned int n_bufs);

/* It is a WebSocket now: what came behind the request belongs to it. */
void http_conn_upgraded(struct http_conn *conn);

/* Everything written so far is sent, then the connection ends. */
void http_conn_finish(struct http_conn *conn);

/* Ends at once; @reset: without sending what is queued. */
void http_conn_close(struct http_conn *conn, bool reset);

/* Sets the one deadline; 0: none. */
void http_conn_deadline(struct http_conn *conn, uint64_t after_ms);

/* Nobody waits for this connection, which drains or is idle. */
void http_conn_drain(struct http_conn *conn);

/* ---- ws_server.c ---- */

void ws_conn_received(struct http_conn *conn, const char *bytes, size_t len);
/* What was queued has been sent. */
void ws_conn_written(struct http_conn *conn);
void ws_conn_deadline(struct http_conn *conn);
void ws_conn_drain(struct http_conn *conn);
/* The connection is gone: tells the handler and frees. */
void ws_conn_gone(struct http_conn *conn);
