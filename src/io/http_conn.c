#include "io/http_conn.h"

enum {
	LINGER_MS = 2000,
	PIPELINE_MAX_BYTES = 16384, /* read ahead while a request is handled */
	PROBLEM_MAX_BYTES = 512,
};

/* ---- ending ---- */

static void on_handle_closed(uv_handle_t *handle)
{
	struct http_conn *conn = handle->data;
	struct http_server *server = conn->server;

	if (--conn->open_handles > 0)
		return;
	/* Not before: a handler may still look at its request when the connection ends. */
	http_reader_done(&conn->reader);
	free(conn);
	http_server_handle_closed(server);
}

void http_conn_close(struct http_conn *conn, bool reset)
{
	if (conn->phase == HTTP_PHASE_CLOSED)
		return;
	conn->phase = HTTP_PHASE_CLOSED;
	if (conn->ws)
		ws_conn_gone(conn);
	uv_close((uv_handle_t *)&conn->timer, on_handle_closed);
	/* Refused while a shutdown is under way. */
	if (!reset || uv_tcp_close_reset(&conn->tcp, on_handle_closed) != 0)
		uv_close((uv_handle_t *)&conn->tcp, on_handle_closed);
	http_server_release(conn->server, conn);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
	struct http_conn *conn = request->data;

	if (status < 0 || conn->eof)
		http_conn_close(conn, false);
}

static void read_on(struct http_conn *conn);

void http_conn_finish(struct http_conn *conn)
{
	if (conn->phase == HTTP_PHASE_LINGERING || conn->phase == HTTP_PHASE_CLOSED)
		return;
	conn->phase = HTTP_PHASE_LINGERING;
	http_conn_deadline(conn,
			   conn->writes > 0 ? conn->server->config.send_timeout_ms : LINGER_MS);
	conn->shutdown.data = conn;
	if (uv_shutdown(&conn->shutdown, (uv_stream_t *)&conn->tcp, on_shutdown) < 0) {
		http_conn_close(conn, false);
		return;
	}
	read_on(conn);
}

/* ---- the deadline ---- */

static void on_timer(uv_timer_t *timer);

/* The timer is set again only when it would come too late; firing early it looks again. So a busy
 * connection hardly touches it. */
void http_conn_deadline(struct http_conn *conn, uint64_t after_ms)
{
	uint64_t now = uv_now(conn->tcp.loop);

	conn->deadline = after_ms ? now + after_ms : 0;
	if (after_ms && (!conn->timer_at || conn->timer_at > conn->deadline)) {
		conn->timer_at = conn->deadline;
		uv_timer_start(&conn->timer, on_timer, after_ms, 0);
	}
}

static void deadline_writing(struct http_conn *conn)
{
	size_t queued = uv_stream_get_write_queue_size((uv_stream_t *)&conn->tcp);

	if (queued >= conn->last_queue) {
		http_conn_close(conn, true);
		return;
	}
	conn->last_queue = queued;
	http_conn_deadline(conn, conn->server->config.send_timeout_ms);
}

static void deadline_passed(struct http_conn *conn)
{
	switch (conn->phase) {
	case HTTP_PHASE_READING:
		if (!conn->started)
			http_conn_finish(conn);
		else
			http_conn_refuse(conn, 408,
					 conn->in_body ? "the body came too slowly"
						       : "the header came too slowly");
		break;
	case HTTP_PHASE_WRITING:
		deadline_writing(conn);
		break;
	case HTTP_PHASE_LINGERING:
		http_conn_close(conn, true);
		break;
	case HTTP_PHASE_WEBSOCKET:
		ws_conn_deadline(conn);
		break;
	case HTTP_PHASE_HANDLING:
	case HTTP_PHASE_CLOSED:
		break;
	}
}

static void on_timer(uv_timer_t *timer)
{
	struct http_conn *conn = timer->data;
	uint64_t now = uv_now(timer->loop);

	conn->timer_at = 0;
	if (conn->deadline == 0)
		return;
	if (now < conn->deadline) {
		http_conn_deadline(conn, conn->deadline - now);
		return;
	}
	conn->deadline = 0;
	deadline_passed(conn);
}

/* ---- writing ---- */

struct http_write {
	uv_write_t request;
	char bytes[];
};

static void advance(struct http_conn *conn);

/* The answer is with the client: on to the next request. */
static void answered(struct http_conn *conn)
{
	if (!conn->keep_alive) {
		http_conn_finish(conn);
		return;
	}
	conn->phase = HTTP_PHASE_READING;
	conn->in_body = false;
	/* Inside on_request the answered request is still in the buffer: advance looks after it. */
	if (!conn->advancing)
		advance(conn);
}

static void on_written(uv_write_t *request, int status)
{
	struct http_conn *conn = request->handle->data;

	free(request);
	conn->writes--;
	if (conn->phase == HTTP_PHASE_CLOSED)
		return;
	if (status < 0) {
		http_conn_close(conn, true);
		return;
	}
	if (conn->phase == HTTP_PHASE_WEBSOCKET)
		ws_conn_written(conn);
	else if (conn->phase == HTTP_PHASE_WRITING && conn->writes == 0)
		answered(conn);
	else if (conn->phase == HTTP_PHASE_LINGERING && conn->writes == 0)
		http_conn_deadline(conn, LINGER_MS);
}

static bool queue_rest(struct http_conn *conn, const uv_buf_t *bufs, unsigned int n_bufs,
		       size_t sent, size_t total)
{
	struct http_write *write = malloc(sizeof(*write) + total - sent);
	size_t len = 0;
	uv_buf_t rest;

	if (!write)
		return false;
	for (unsigned int i = 0; i < n_bufs; i++) {
		size_t skip = size_min(sent, bufs[i].len);

		sent -= skip;
		if (bufs[i].len > skip)
			memcpy(write->bytes + len, bufs[i].base + skip, bufs[i].len - skip);
		len += bufs[i].len - skip;
	}
	rest = uv_buf_init(write->bytes, (unsigned int)len);
	if (uv_write(&write->request, (uv_stream_t *)&conn->tcp, &rest, 1, on_written) < 0) {
		free(write);
		return false;
	}
	conn->writes++;
	return true;
}

bool http_conn_write(struct http_conn *conn, const uv_buf_t *bufs, unsigned int n_bufs)
{
	size_t total = 0, sent = 0;
	int r = UV_EAGAIN;

	for (unsigned int i = 0; i < n_bufs; i++)
		total += bufs[i].len;
	if (conn->writes == 0)
		r = uv_try_write((uv_stream_t *)&conn->tcp, bufs, n_bufs);
	if (r >= 0)
		sent = (size_t)r;
	if ((r < 0 && r != UV_EAGAIN) ||
	    (sent < total && !queue_rest(conn, bufs, n_bufs, sent, total))) {
		http_conn_close(conn, true);
		return false;
	}
	return true;
}

void http_conn_answer(struct http_conn *conn, int status, const char *lines, size_t lines_len,
		      const void *body, size_t body_len)
{
	struct http_server *server = conn->server;
	struct http_answer_head head = {
		.status = status, .lines = lines, .lines_len = lines_len, .body_len = body_len
	};
	uv_buf_t bufs[2];
	bool with_body;

	if (server->draining)
		conn->keep_alive = false;
	head.keep_alive = conn->keep_alive;
	with_body = body_len > 0 && !conn->head_only && http_status_has_body(status);
	bufs[0] = uv_buf_init(server->head,
			      (unsigned int)http_head_write(&head, &server->date, server->head));
	bufs[1] = uv_buf_init((char *)(uintptr_t)body, (unsigned int)body_len);
	conn->phase = HTTP_PHASE_WRITING;
	if (!http_conn_write(conn, bufs, with_body ? 2 : 1))
		return;
	if (conn->writes == 0) {
		answered(conn);
		return;
	}
	conn->last_queue = uv_stream_get_write_queue_size((uv_stream_t *)&conn->tcp);
	http_conn_deadline(conn, server->config.send_timeout_ms);
}

void http_conn_refuse(struct http_conn *conn, int status, const char *why)
{
	static const struct http_header headers[] = {
		{ "content-type", "application/problem+json" }, { "retry-after", "1" }
	};
	size_t n_headers = status == 503 ? 2 : 1, lines_len;
	char body[PROBLEM_MAX_BYTES], lines[128];
	int len;

	len = snprintf(body, sizeof(body),
		       "{\"type\":\"urn:kaisar:problem:http\",\"title\":\"%s\",\"status\":%d,"
		       "\"detail\":\"%s\"}\n",
		       http_status_title(status), status, why);
	if (http_lines_size(headers, n_headers, &lines_len) < 0)
		abort();
	http_lines_write(headers, n_headers, lines);
	conn->keep_alive = false;
	conn->head_only = false;
	http_conn_answer(conn, status, lines, lines_len, body, (size_t)len);
}

/* ---- reading ---- */

static void on_space(uv_handle_t *handle, _unused_ size_t wanted, uv_buf_t *ret_buf)
{
	struct http_conn *conn = handle->data;
	bool busy = conn->phase == HTTP_PHASE_HANDLING || conn->phase == HTTP_PHASE_WRITING;
	size_t len;
	char *at;

	*ret_buf = uv_buf_init(NULL, 0);
	if (conn->phase == HTTP_PHASE_LINGERING || conn->phase == HTTP_PHASE_WEBSOCKET)
		*ret_buf = uv_buf_init(conn->server->input, sizeof(conn->server->input));
	else if (busy && conn->reader.end - conn->reader.start >= PIPELINE_MAX_BYTES)
		return;
	else if (http_reader_space(&conn->reader, &at, &len) == 0)
		*ret_buf = uv_buf_init(at, (unsigned int)len);
}

/* No room: a client that pipelines waits until its first request is answered. */
static void no_space(struct http_conn *conn)
{
	if (conn->phase == HTTP_PHASE_READING) {
		http_conn_refuse(conn, 503, "out of memory");
		return;
	}
	uv_read_stop((uv_stream_t *)&conn->tcp);
	conn->paused = true;
}

static void on_eof(struct http_conn *conn)
{
	conn->eof = true;
	uv_read_stop((uv_stream_t *)&conn->tcp);
	if (conn->phase == HTTP_PHASE_READING || conn->phase == HTTP_PHASE_WEBSOCKET)
		http_conn_close(conn, false);
	else if (conn->phase == HTTP_PHASE_LINGERING && conn->writes == 0)
		http_conn_close(conn, false);
}

static void on_bytes(struct http_conn *conn, size_t len)
{
	switch (conn->phase) {
	case HTTP_PHASE_READING:
		http_reader_take(&conn->reader, len);
		advance(conn);
		break;
	case HTTP_PHASE_HANDLING:
	case HTTP_PHASE_WRITING:
		http_reader_take(&conn->reader, len);
		break;
	case HTTP_PHASE_WEBSOCKET:
		ws_conn_received(conn, conn->server->input, len);
		break;
	case HTTP_PHASE_LINGERING:
	case HTTP_PHASE_CLOSED:
		break;
	}
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct http_conn *conn = stream->data;
	bool reader = buf->base && buf->base != conn->server->input;

	if (n <= 0 && reader)
		http_reader_take(&conn->reader, 0);
	if (n > 0)
		on_bytes(conn, (size_t)n);
	else if (n == UV_ENOBUFS)
		no_space(conn);
	else if (n == UV_EOF)
		on_eof(conn);
	else if (n < 0)
		http_conn_close(conn, true);
}

static void read_on(struct http_conn *conn)
{
	conn->paused = false;
	if (!conn->eof)
		uv_read_start((uv_stream_t *)&conn->tcp, on_space, on_read);
}

/* ---- from bytes to requests ---- */

static void show(struct http_conn *conn)
{
	struct http_server *server = conn->server;
	struct http_header headers[HTTP_HEADERS_MAX];
	struct http_request request;

	http_reader_request(&conn->reader, &request, headers);
	http_conn_renew(conn);
	request.conn = http_conn_id_of(conn);
	request.peer = conn->peer;
	conn->keep_alive = conn->reader.head.keep_alive && !server->draining;
	conn->head_only = request.method == HTTP_HEAD;
	conn->websocket = request.websocket;
	if (request.websocket)
		snprintf(conn->key, sizeof(conn->key), "%s",
			 http_request_header(&request, "sec-websocket-key"));
	conn->phase = HTTP_PHASE_HANDLING;
	http_conn_deadline(conn, 0);
	server->config.on_request(server->config.arg, &request);
	http_reader_consume(&conn->reader);
	conn->started = false;
	conn->in_body = false;
}

/* More is needed: the deadlines run from the first byte, and from the end of the header. */
static void wait_more(struct http_conn *conn)
{
	const struct http_server_config *config = &conn->server->config;
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	uv_buf_t proceed = uv_buf_init((char *)(uintptr_t)text, sizeof(text) - 1);

	if (conn->eof || (conn->server->draining && http_reader_empty(&conn->reader))) {
		http_conn_finish(conn);
		return;
	}
	if (!conn->in_body && conn->reader.state != HTTP_READER_HEADER) {
		conn->in_body = true;
		conn->started = true;
		http_conn_deadline(conn, config->body_timeout_ms);
		if (http_reader_expects(&conn->reader) && !http_conn_write(conn, &proceed, 1))
			return;
	} else if (!conn->started && !http_reader_empty(&conn->reader)) {
		conn->started = true;
		/* A new connection's deadline has run since it was accepted. */
		if (conn->generation != 0)
			http_conn_deadline(conn, config->header_timeout_ms);
	} else if (!conn->started && conn->generation != 0) {
		http_conn_deadline(conn, config->idle_timeout_ms);
	}
	if (conn->paused)
		read_on(conn);
}

static void advance(struct http_conn *conn)
{
	int r;

	conn->advancing = true;
	while (conn->phase == HTTP_PHASE_READING) {
		r = http_reader_next(&conn->reader);
		if (r == HTTP_READER_E_MORE) {
			wait_more(conn);
			break;
		}
		if (r == 0)
			show(conn);
		else
			http_conn_refuse(conn, r, conn->reader.why);
	}
	conn->advancing = false;
	if (conn->phase == HTTP_PHASE_WEBSOCKET)
		http_conn_upgraded(conn);
}

void http_conn_upgraded(struct http_conn *conn)
{
	const char *rest;
	size_t len;

	/* Inside on_request: advance comes here. */
	if (conn->advancing)
		return;
	rest = http_reader_rest(&conn->reader, &len);
	if (len > 0)
		ws_conn_received(conn, rest, len);
	http_reader_done(&conn->reader);
	if (conn->eof && conn->phase == HTTP_PHASE_WEBSOCKET)
		http_conn_close(conn, false);
	else if (conn->paused)
		read_on(conn);
}

/* ---- the start ---- */

/* An IPv4 address may come as an IPv6 one. */
static void take_network(struct http_conn *conn, const struct sockaddr_storage *address)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;

	if (address->ss_family == AF_INET)
		memcpy(conn->network + 4, &v4->sin_addr, 4);
	else if (memcmp(&v6->sin6_addr, mapped, sizeof(mapped)) == 0)
		memcpy(conn->network + 4, v6->sin6_addr.s6_addr + 12, 4);
	else
		memcpy(conn->network, &v6->sin6_addr, 8);
}

static void take_peer(struct http_conn *conn)
{
	struct sockaddr_storage address;
	int len = sizeof(address), r;

	r = uv_tcp_getpeername(&conn->tcp, (struct sockaddr *)&address, &len);
	if (r == 0)
		take_network(conn, &address);
	if (r == 0 && address.ss_family == AF_INET)
		r = uv_ip4_name((struct sockaddr_in *)&address, conn->peer, sizeof(conn->peer));
	else if (r == 0)
		r = uv_ip6_name((struct sockaddr_in6 *)&address, conn->peer, sizeof(conn->peer));
	if (r != 0)
		snprintf(conn->peer, sizeof(conn->peer), "unknown");
}

void http_conn_start(struct http_conn *conn)
{
	http_reader_init(&conn->reader, &conn->server->shared);
	take_peer(conn);
	uv_tcp_nodelay(&conn->tcp, 1);
	conn->phase = HTTP_PHASE_READING;
	http_conn_deadline(conn, conn->server->config.header_timeout_ms);
	read_on(conn);
}

void http_conn_drain(struct http_conn *conn)
{
	if (conn->phase == HTTP_PHASE_WEBSOCKET)
		ws_conn_drain(conn);
	else if (conn->phase == HTTP_PHASE_READING && http_reader_empty(&conn->reader))
		http_conn_finish(conn);
}
