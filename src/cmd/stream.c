#include "cmd/stream.h"

#include "io/loop.h"

enum {
	CONNECT_TIMEOUT_MS = 10000,
	PING_MS = 15000,
	MESSAGE_MAX = 1 << 20,
	QUEUE_MAX = 1 << 20,
	CLOSE_NORMAL = 1000,
	SIGNAL_CODE = 128,
};

struct stream {
	struct loop *loop;
	struct ws_client *socket; /* NULL once it has ended */
	const struct stream_handler *handler;
	void *arg;
	struct stream_end end;
};

static void on_open(void *arg)
{
	struct stream *stream = arg;

	if (stream->handler->on_open)
		stream->handler->on_open(stream, stream->arg);
}

static void on_message(void *arg, enum ws_kind kind, const void *bytes, size_t len)
{
	struct stream *stream = arg;

	if (stream->handler->on_message)
		stream->handler->on_message(stream, stream->arg, kind, bytes, len);
}

static void on_close(void *arg, int status, uint16_t code, const char *detail)
{
	struct stream *stream = arg;

	stream->socket = NULL;
	stream->end.status = status;
	stream->end.code = code;
	snprintf(stream->end.detail, sizeof(stream->end.detail), "%s", detail ? detail : "");
	if (stream->handler->on_end)
		stream->handler->on_end(stream, stream->arg);
	loop_stop(stream->loop);
}

static const struct ws_client_handler socket_handler = {
	.on_open = on_open,
	.on_message = on_message,
	.on_close = on_close,
};

static void on_signal(void *arg, int signal)
{
	struct stream *stream = arg;

	if (stream->handler->on_signal) {
		stream->handler->on_signal(stream, stream->arg, signal);
		return;
	}
	stream->end.signal = signal;
	stream_close(stream);
}

/* "http://host/..." is "ws://host/...", "https" "wss". */
static const char *socket_url(struct client *client, const char *path)
{
	return arena_printf(client_arena(client), "ws%s%s", client_url(client) + strlen("http"),
			    path);
}

static int open_socket(struct client *client, const char *path, struct stream *stream)
{
	struct http_header headers[1];
	struct ws_client_config config = {
		.url = socket_url(client, path),
		.headers = headers,
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
		.ping_ms = PING_MS,
		.max_message_bytes = MESSAGE_MAX,
		.max_queue_bytes = QUEUE_MAX,
	};
	const char *authorization;
	int r = client_authorization(client, &authorization);

	if (r != 0)
		return r;
	if (!config.url)
		return cli_fault(-ENOMEM, path);
	if (authorization)
		headers[config.n_headers++] = (struct http_header){ "Authorization",
								    authorization };
	r = loop_on_signal(stream->loop, on_signal, stream);
	if (r == 0)
		r = ws_client_open(stream->loop, &config, &socket_handler, stream, &stream->socket);
	return r < 0 ? cli_fault(r, path) : 0;
}

int stream_run(struct client *client, const char *path, const struct stream_handler *handler,
	       void *arg, struct stream_end *ret_end)
{
	struct stream stream = { .handler = handler, .arg = arg };
	int r = loop_new(&stream.loop);

	if (r < 0)
		return cli_fault(r, path);
	r = open_socket(client, path, &stream);
	if (r == 0) {
		r = loop_run(stream.loop);
		r = r < 0 ? cli_fault(r, path) : 0;
	}
	loop_free(stream.loop);
	if (r == 0)
		*ret_end = stream.end;
	return r;
}

struct loop *stream_loop(struct stream *stream)
{
	return stream->loop;
}

int stream_send(struct stream *stream, enum ws_kind kind, const void *bytes, size_t len)
{
	return stream->socket ? ws_client_send(stream->socket, kind, bytes, len) : -ENOTCONN;
}

void stream_close(struct stream *stream)
{
	if (stream->socket)
		ws_client_close(stream->socket, CLOSE_NORMAL);
}

int stream_exit_code(const struct stream_end *end)
{
	const char *detail = *end->detail ? end->detail : "the connection was lost";

	if (end->signal)
		return SIGNAL_CODE + end->signal;
	if (end->status != 101 && end->status != 0)
		return cli_refused(end->status, detail);
	return end->code == CLOSE_NORMAL ? 0 : cli_fail(CLI_FAILED, "%s", detail);
}
