#include "io/http_unix.h"

#include <http_parser.h>
#include <sys/un.h>
#include <uv.h>

#include "io/loop.h"

enum { READ_SIZE = 8192 };

struct http_unix_call {
	uv_pipe_t pipe;
	uv_timer_t timer;
	uv_connect_t connect;
	uv_shutdown_t shutdown;
	http_parser parser;
	const struct http_unix_handler *handler;
	void *arg;
	char *request; /* header and body until they are sent */
	size_t request_len;
	uint64_t idle_ms;
	size_t queued;
	int open_handles;
	bool upgrade, raw, complete, ended, paused, finishing;
	char *early; /* raw bytes that came before the 101 */
	size_t early_len;
	char buffer[READ_SIZE];
};

struct piece {
	uv_write_t write;
	struct http_unix_call *call;
	size_t len;
	char bytes[];
};

static void on_handle_closed(uv_handle_t *handle)
{
	struct http_unix_call *call = handle->data;

	if (--call->open_handles > 0)
		return;
	free(call->request);
	free(call->early);
	free(call);
}

/* Closes what is open; the memory lives until libuv has let go of it. */
static void retire(struct http_unix_call *call)
{
	call->ended = true;
	uv_close((uv_handle_t *)&call->pipe, on_handle_closed);
	uv_close((uv_handle_t *)&call->timer, on_handle_closed);
}

static void end(struct http_unix_call *call, int fault)
{
	if (call->ended)
		return;
	retire(call);
	call->handler->on_end(call->arg, fault);
}

static void on_deadline(uv_timer_t *timer)
{
	end(timer->data, -ETIMEDOUT);
}

static void watch_silence(struct http_unix_call *call)
{
	if (call->idle_ms > 0 && !call->paused)
		uv_timer_start(&call->timer, on_deadline, call->idle_ms, 0);
	else
		uv_timer_stop(&call->timer);
}

static int on_headers_complete(http_parser *parser)
{
	struct http_unix_call *call = parser->data;

	/* An interim answer (100) is not the answer. */
	if (parser->status_code < 200 && parser->status_code != 101)
		return 0;
	call->raw = parser->status_code == 101;
	watch_silence(call);
	if (call->handler->on_status)
		call->handler->on_status(call->arg, parser->status_code);
	if (call->ended)
		return -1;
	/* 2: what follows is not HTTP, whatever the header says. */
	return call->raw ? 2 : 0;
}

static int on_body(http_parser *parser, const char *bytes, size_t len)
{
	struct http_unix_call *call = parser->data;

	call->handler->on_bytes(call->arg, bytes, len);
	return call->ended ? -1 : 0;
}

static int on_message_complete(http_parser *parser)
{
	struct http_unix_call *call = parser->data;

	if (parser->status_code >= 200)
		call->complete = true;
	return 0;
}

static const http_parser_settings parser_settings = {
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

static void release_early(struct http_unix_call *call);

static void take_raw(struct http_unix_call *call, const char *bytes, size_t len)
{
	if (len > 0)
		call->handler->on_bytes(call->arg, bytes, len);
}

static void take(struct http_unix_call *call, const char *bytes, size_t len)
{
	size_t parsed;

	if (call->raw) {
		take_raw(call, bytes, len);
		return;
	}
	parsed = http_parser_execute(&call->parser, &parser_settings, bytes, len);
	if (call->ended)
		return;
	if (call->raw) {
		release_early(call);
		if (!call->ended)
			take_raw(call, bytes + parsed, len - parsed);
	} else if (HTTP_PARSER_ERRNO(&call->parser) != HPE_OK) {
		end(call, -EPROTO);
	} else if (call->complete) {
		end(call, 0);
	}
}

/* The peer closed: the end of a raw stream, or of a body without a length. */
static void take_end(struct http_unix_call *call)
{
	if (!call->raw)
		http_parser_execute(&call->parser, &parser_settings, NULL, 0);
	end(call, call->raw || call->complete ? 0 : -EPROTO);
}

static void on_alloc(uv_handle_t *handle, size_t suggested _unused_, uv_buf_t *buffer)
{
	struct http_unix_call *call = handle->data;

	*buffer = uv_buf_init(call->buffer, sizeof(call->buffer));
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buffer)
{
	struct http_unix_call *call = stream->data;

	if (call->ended || len == 0)
		return;
	if (len == UV_EOF) {
		take_end(call);
		return;
	}
	if (len < 0) {
		end(call, (int)len);
		return;
	}
	if (call->raw || call->parser.status_code >= 200)
		watch_silence(call);
	take(call, buffer->base, (size_t)len);
}

static void on_written(uv_write_t *write, int status)
{
	struct piece *piece = (struct piece *)write;
	struct http_unix_call *call = piece->call;

	call->queued -= piece->len;
	free(piece);
	/* A peer that answers before it has read everything closes: its answer is read first. */
	if (status < 0 && status != UV_EPIPE && status != UV_ECANCELED)
		end(call, status);
}

static void on_shutdown(uv_shutdown_t *shutdown _unused_, int status _unused_)
{
}

static int put(struct http_unix_call *call, const void *bytes, size_t len)
{
	struct piece *piece = malloc(sizeof(*piece) + len);
	uv_buf_t buffer;
	int r;

	if (!piece)
		return -ENOMEM;
	piece->call = call;
	piece->len = len;
	memcpy(piece->bytes, bytes, len);
	buffer = uv_buf_init(piece->bytes, (unsigned int)len);
	r = uv_write(&piece->write, (uv_stream_t *)&call->pipe, &buffer, 1, on_written);
	if (r < 0) {
		free(piece);
		return r;
	}
	call->queued += len;
	return 0;
}

/* libuv shuts down behind the queued writes. */
static void shut(struct http_unix_call *call)
{
	uv_shutdown(&call->shutdown, (uv_stream_t *)&call->pipe, on_shutdown);
}

/* The 101 is there: what waited for it goes out. */
static void release_early(struct http_unix_call *call)
{
	int r = call->early_len > 0 ? put(call, call->early, call->early_len) : 0;

	free(call->early);
	call->early = NULL;
	call->early_len = 0;
	if (r < 0)
		end(call, r);
	else if (call->finishing)
		shut(call);
}

static void on_connected(uv_connect_t *connect, int status)
{
	struct http_unix_call *call = connect->data;
	int r = status;

	if (call->ended)
		return;
	if (r == 0)
		r = put(call, call->request, call->request_len);
	free(call->request);
	call->request = NULL;
	if (r == 0)
		r = uv_read_start((uv_stream_t *)&call->pipe, on_alloc, on_read);
	if (r < 0)
		end(call, r);
}

static int compose(const struct http_unix_request *request, char **ret_bytes, size_t *ret_len)
{
	char *bytes;
	int head;

	head = asprintf(&bytes,
			"%s %s HTTP/1.1\r\nHost: engine\r\n%s%s%s%s"
			"Content-Length: %zu\r\n\r\n",
			request->method, request->path,
			request->upgrade ? "Connection: Upgrade\r\nUpgrade: tcp\r\n"
					 : "Connection: close\r\n",
			request->content_type ? "Content-Type: " : "",
			request->content_type ? request->content_type : "",
			request->content_type ? "\r\n" : "", request->body_len);
	if (head < 0)
		return -ENOMEM;
	if (request->body_len > 0) {
		char *grown = realloc(bytes, (size_t)head + request->body_len);

		if (!grown) {
			free(bytes);
			return -ENOMEM;
		}
		bytes = grown;
		memcpy(bytes + head, request->body, request->body_len);
	}
	*ret_bytes = bytes;
	*ret_len = (size_t)head + request->body_len;
	return 0;
}

static int open_handles(struct http_unix_call *call, uv_loop_t *uv)
{
	int r;

	r = uv_pipe_init(uv, &call->pipe, 0);
	if (r < 0)
		return r;
	call->open_handles = 2;
	uv_timer_init(uv, &call->timer);
	call->pipe.data = call->timer.data = call->connect.data = call;
	return 0;
}

int http_unix_start(struct loop *loop, const struct http_unix_request *request,
		    const struct http_unix_handler *handler, void *arg,
		    struct http_unix_call **ret_call)
{
	struct http_unix_call *call;
	int r;

	if (strlen(request->socket) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return -EINVAL;
	call = calloc(1, sizeof(*call));
	if (!call)
		return -ENOMEM;
	r = compose(request, &call->request, &call->request_len);
	if (r == 0)
		r = open_handles(call, loop_uv(loop));
	if (r < 0) {
		free(call->request);
		free(call);
		return r;
	}
	http_parser_init(&call->parser, HTTP_RESPONSE);
	call->parser.data = call;
	call->handler = handler;
	call->arg = arg;
	call->idle_ms = request->idle_ms;
	call->upgrade = request->upgrade;
	if (request->timeout_ms > 0)
		uv_timer_start(&call->timer, on_deadline, request->timeout_ms, 0);
	/* A fault of connecting comes through the callback, too. */
	uv_pipe_connect(&call->connect, &call->pipe, request->socket, on_connected);
	*ret_call = call;
	return 0;
}

static int hold(struct http_unix_call *call, const void *bytes, size_t len)
{
	char *early;

	if (call->early_len + len > HTTP_UNIX_QUEUE_MAX)
		return -EAGAIN;
	early = realloc(call->early, call->early_len + len);
	if (!early)
		return -ENOMEM;
	memcpy(early + call->early_len, bytes, len);
	call->early = early;
	call->early_len += len;
	return 0;
}

int http_unix_send(struct http_unix_call *call, const void *bytes, size_t len)
{
	if (call->ended || call->finishing || !call->upgrade)
		return -EPIPE;
	if (len == 0)
		return 0;
	if (!call->raw)
		return hold(call, bytes, len);
	if (call->queued + len > HTTP_UNIX_QUEUE_MAX)
		return -EAGAIN;
	return put(call, bytes, len);
}

size_t http_unix_queued(const struct http_unix_call *call)
{
	return call->queued + call->early_len;
}

void http_unix_finish(struct http_unix_call *call)
{
	if (call->ended || call->finishing)
		return;
	call->finishing = true;
	if (call->raw)
		shut(call);
}

void http_unix_pause(struct http_unix_call *call)
{
	if (call->ended || call->paused)
		return;
	call->paused = true;
	uv_read_stop((uv_stream_t *)&call->pipe);
	watch_silence(call);
}

void http_unix_resume(struct http_unix_call *call)
{
	if (call->ended || !call->paused)
		return;
	call->paused = false;
	watch_silence(call);
	uv_read_start((uv_stream_t *)&call->pipe, on_alloc, on_read);
}

void http_unix_cancel(struct http_unix_call *call)
{
	if (!call->ended)
		retire(call);
}
