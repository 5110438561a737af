#include "io/http_conn.h"

#include "base/log.h"
#include "io/ws_handshake.h"
#include "io/ws_stream.h"

enum { WS_CLOSE_MS = 5000 }; /* for the peer to answer a close frame */

struct ws_conn {
	struct http_conn *conn;
	struct ws_stream stream;
	const struct ws_handler *handler;
	void *arg;
	struct http_conn_id id;
	uint64_t heard_at;
	size_t output_len; /* in server->output, during a flush */
	bool receiving; /* wslay is on the stack: the end must wait */
	bool doomed;
	bool closing;
	size_t unsent; /* when the closing deadline was set */
};

/* ---- the end ---- */

static void say_gone(void *arg)
{
	struct ws_conn *ws = arg;
	uint16_t code = ws->doomed ? 1006 : ws_stream_code(&ws->stream);

	ws->handler->on_close(ws->arg, ws->id, code);
	ws_stream_done(&ws->stream);
	free(ws);
}

/* A send may find that the peer is gone while its caller still holds what on_close frees: so that is
 * said from the loop's queue, never from within a call. */
void ws_conn_gone(struct http_conn *conn)
{
	struct ws_conn *ws = conn->ws;

	conn->ws = NULL;
	ws->conn = NULL;
	/* A loop that has stopped has no callers left. */
	if (loop_post(conn->server->loop, say_gone, ws) < 0)
		say_gone(ws);
}

/* A peer that is too slow, silent or broken. */
static void cut(struct ws_conn *ws)
{
	ws->doomed = true;
	ws_stream_deafen(&ws->stream);
	if (!ws->receiving)
		http_conn_close(ws->conn, true);
}

/* ---- frames to the socket ---- */

static size_t on_output(void *arg, const void *bytes, size_t len)
{
	struct ws_conn *ws = arg;
	struct http_server *server = ws->conn->server;
	size_t n = size_min(len, sizeof(server->output) - ws->output_len);

	memcpy(server->output + ws->output_len, bytes, n);
	ws->output_len += n;
	return n;
}

/* One write for as many frames as there are; the rest stays queued until the socket took it. */
static void flush(struct ws_conn *ws)
{
	struct http_conn *conn = ws->conn;
	uv_buf_t buf;

	while (conn->writes == 0) {
		ws->output_len = 0;
		if (ws_stream_flush(&ws->stream) < 0) {
			cut(ws);
			return;
		}
		if (ws->output_len == 0)
			break;
		buf = uv_buf_init(conn->server->output, (unsigned int)ws->output_len);
		if (!http_conn_write(conn, &buf, 1))
			return;
	}
	if (conn->writes == 0 && ws_stream_ended(&ws->stream)) {
		ws_conn_gone(conn);
		http_conn_finish(conn);
	}
}

static void push(struct ws_conn *ws)
{
	if (ws_stream_held(&ws->stream) > ws->conn->server->config.ws_max_queue_bytes)
		cut(ws);
	else if (!ws->receiving)
		flush(ws);
}

void ws_conn_written(struct http_conn *conn)
{
	if (conn->ws)
		flush(conn->ws);
}

/* ---- from the socket to messages ---- */

static void on_message(void *arg, enum ws_kind kind, const void *bytes, size_t len)
{
	struct ws_conn *ws = arg;

	ws->handler->on_message(ws->arg, ws->id, kind, bytes, len);
}

void ws_conn_received(struct http_conn *conn, const char *bytes, size_t len)
{
	struct ws_conn *ws = conn->ws;
	int r;

	ws->heard_at = uv_now(conn->tcp.loop);
	ws->receiving = true;
	r = ws_stream_receive(&ws->stream, bytes, len);
	ws->receiving = false;
	if (r < 0 || ws->doomed)
		cut(ws);
	else
		push(ws);
}

/* ---- deadlines ---- */

static size_t unsent(const struct ws_conn *ws)
{
	return ws_stream_held(&ws->stream) +
	       uv_stream_get_write_queue_size((uv_stream_t *)&ws->conn->tcp);
}

static void closing_deadline(struct ws_conn *ws)
{
	ws->unsent = unsent(ws);
	http_conn_deadline(ws->conn, WS_CLOSE_MS);
}

static void ping_deadline(struct ws_conn *ws)
{
	uint64_t ping_ms = ws->conn->server->config.ws_ping_ms;

	if (uv_now(ws->conn->tcp.loop) - ws->heard_at >= 2 * ping_ms) {
		cut(ws);
		return;
	}
	http_conn_deadline(ws->conn, ping_ms);
	if (ws_stream_ping(&ws->stream) == -ENOMEM)
		cut(ws);
	else
		push(ws);
}

void ws_conn_deadline(struct http_conn *conn)
{
	struct ws_conn *ws = conn->ws;

	if (!ws->closing)
		ping_deadline(ws);
	else if (unsent(ws) < ws->unsent)
		closing_deadline(ws); /* it still takes what came before the close frame */
	else
		cut(ws);
}

static void close_with(struct ws_conn *ws, uint16_t code, const char *reason)
{
	if (ws->closing || ws_stream_close(&ws->stream, code, reason) < 0)
		return;
	ws->closing = true;
	closing_deadline(ws);
	push(ws);
}

void ws_conn_drain(struct http_conn *conn)
{
	close_with(conn->ws, 1001, "the server is going away");
}

/* ---- the upgrade ---- */

static const struct ws_stream_handler stream_handler = {
	.on_output = on_output,
	.on_message = on_message,
};

static bool say_101(struct http_conn *conn, const char *protocol)
{
	char text[512], accept[WS_ACCEPT_SIZE];
	uv_buf_t buf;
	int len;

	ws_handshake_accept(conn->key, accept);
	len = snprintf(text, sizeof(text),
		       "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		       "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s%s%s\r\n",
		       accept, protocol ? "Sec-WebSocket-Protocol: " : "", protocol ? protocol : "",
		       protocol ? "\r\n" : "");
	buf = uv_buf_init(text, (unsigned int)len);
	return http_conn_write(conn, &buf, 1);
}

static int ws_conn_new(struct http_conn *conn, const struct ws_handler *handler, void *arg)
{
	const struct http_server_config *config = &conn->server->config;
	struct ws_conn *ws = calloc(1, sizeof(*ws));

	if (!ws)
		return -ENOMEM;
	ws->conn = conn;
	ws->handler = handler;
	ws->arg = arg;
	ws->id = http_conn_id_of(conn);
	ws->heard_at = uv_now(conn->tcp.loop);
	if (ws_stream_init(&ws->stream, true, config->ws_max_message_bytes, &stream_handler, ws) <
	    0) {
		free(ws);
		return -ENOMEM;
	}
	conn->ws = ws;
	conn->phase = HTTP_PHASE_WEBSOCKET;
	http_conn_deadline(conn, config->ws_ping_ms);
	return 0;
}

static void upgrade(struct http_server *server, struct http_conn_id id,
		    const struct ws_handler *handler, void *arg, const char *protocol)
{
	struct http_conn *conn = http_server_find(server, id);

	if (!conn || conn->phase != HTTP_PHASE_HANDLING) {
		handler->on_close(arg, id, 1006);
		return;
	}
	if (!conn->websocket) {
		handler->on_close(arg, id, 1006);
		http_conn_refuse(conn, 400, "this is a WebSocket: upgrade to it");
		return;
	}
	if (ws_conn_new(conn, handler, arg) < 0) {
		handler->on_close(arg, id, 1006);
		http_conn_close(conn, true);
		return;
	}
	if (!say_101(conn, protocol))
		return;
	if (handler->on_open)
		handler->on_open(arg, id);
	if (server->draining && conn->ws)
		ws_conn_drain(conn);
	if (conn->ws)
		http_conn_upgraded(conn);
}

struct upgrade {
	struct http_server *server;
	struct http_conn_id conn;
	const struct ws_handler *handler;
	void *arg;
	char protocol[64];
};

static void upgrade_on_loop(void *arg)
{
	struct upgrade *posted = arg;

	upgrade(posted->server, posted->conn, posted->handler, posted->arg,
		posted->protocol[0] ? posted->protocol : NULL);
	free(posted);
}

void http_upgrade(struct http_server *server, struct http_conn_id conn,
		  const struct ws_handler *handler, void *arg, const char *protocol)
{
	struct upgrade *posted;
	int r = -ENOMEM;

	if (loop_is_current(server->loop)) {
		upgrade(server, conn, handler, arg, protocol);
		return;
	}
	posted = calloc(1, sizeof(*posted));
	if (posted) {
		posted->server = server;
		posted->conn = conn;
		posted->handler = handler;
		posted->arg = arg;
		snprintf(posted->protocol, sizeof(posted->protocol), "%s",
			 protocol ? protocol : "");
		r = loop_post(server->loop, upgrade_on_loop, posted);
	}
	if (r < 0) {
		free(posted);
		/* No loop will: @arg goes back from here. */
		handler->on_close(arg, conn, 1006);
	}
}

/* ---- from any thread ---- */

static struct ws_conn *find(struct http_server *server, struct http_conn_id id)
{
	struct http_conn *conn = http_server_find(server, id);

	return conn && conn->phase == HTTP_PHASE_WEBSOCKET ? conn->ws : NULL;
}

static void send_message(struct ws_conn *ws, enum ws_kind kind, const void *bytes, size_t len)
{
	if (ws_stream_send(&ws->stream, kind, bytes, len) == -ENOMEM)
		cut(ws);
	else
		push(ws);
}

struct ws_posted {
	struct http_server *server;
	struct http_conn_id conn;
	int kind; /* enum ws_kind, or -1: close */
	uint16_t code;
	size_t len;
	char bytes[];
};

static void posted_on_loop(void *arg)
{
	struct ws_posted *posted = arg;
	struct ws_conn *ws = find(posted->server, posted->conn);

	if (ws && posted->kind < 0)
		close_with(ws, posted->code, posted->bytes);
	else if (ws)
		send_message(ws, (enum ws_kind)posted->kind, posted->bytes, posted->len);
	free(posted);
}

static void post(const struct ws_posted *like, const void *bytes)
{
	struct ws_posted *posted = malloc(sizeof(*posted) + like->len);
	int r = -ENOMEM;

	if (posted) {
		*posted = *like;
		if (like->len > 0)
			memcpy(posted->bytes, bytes, like->len);
		r = loop_post(like->server->loop, posted_on_loop, posted);
	}
	if (r == 0)
		return;
	free(posted);
	if (r != -ESHUTDOWN)
		log_error("ws_send_lost", log_fault(r));
}

void ws_send(struct http_server *server, struct http_conn_id conn, enum ws_kind kind,
	     const void *bytes, size_t len)
{
	struct ws_posted posted = { .server = server, .conn = conn, .kind = (int)kind, .len = len };
	struct ws_conn *ws;

	if (!loop_is_current(server->loop)) {
		post(&posted, bytes);
		return;
	}
	ws = find(server, conn);
	if (ws)
		send_message(ws, kind, bytes, len);
}

size_t ws_queued(struct http_server *server, struct http_conn_id conn)
{
	struct ws_conn *ws = find(server, conn);

	if (!ws)
		return 0;
	return ws_stream_queued(&ws->stream) +
	       uv_stream_get_write_queue_size((uv_stream_t *)&ws->conn->tcp);
}

void ws_close(struct http_server *server, struct http_conn_id conn, uint16_t code,
	      const char *reason)
{
	struct ws_posted posted = { .server = server, .conn = conn, .kind = -1, .code = code };
	struct ws_conn *ws;

	if (!loop_is_current(server->loop)) {
		posted.len = strlen(reason) + 1;
		post(&posted, reason);
		return;
	}
	ws = find(server, conn);
	if (ws)
		close_with(ws, code, reason);
}
