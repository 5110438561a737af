#include "io/ws_client.h"

#include <jansson.h>
#include <uv.h>

#include "base/text.h"
#include "io/http_write.h"
#include "io/loop_owned.h"
#include "io/ws_handshake.h"
#include "io/ws_request.h"
#include "io/ws_stream.h"
#include "io/ws_transport.h"

enum {
	CLOSE_MS = 5000, /* for the server to answer a close frame */
	BUFFER_BYTES = 16384,
};

enum client_phase { CONNECTING, ASKING, OPEN, ENDING };

struct ws_client {
	struct loop_owned owned;
	const struct ws_client_handler *handler;
	void *arg;
	uint64_t connect_timeout_ms, ping_ms;
	size_t max_message_bytes, max_queue_bytes;
	char *request; /* the upgrade, as text */
	char key[WS_KEY_SIZE];

	struct ws_transport *transport;
	uv_work_t work;
	int connected; /* what the work came to */
	uv_poll_t poll;
	uv_timer_t timer;
	unsigned int users; /* timer, poll, and the connecting thread */

	enum client_phase phase;
	uint64_t began_at, heard_at;
	struct ws_stream stream;
	bool closing, receiving;
	size_t unsent; /* when the closing deadline was set */
	char input[BUFFER_BYTES];
	size_t input_len; /* of the answer to the upgrade */
	char output[BUFFER_BYTES];
	size_t output_len, output_sent;

	int status;
	uint16_t code;
	char detail[256];
};

/* ---- the end ---- */

static void client_free(struct ws_client *client)
{
	ws_transport_free(client->transport);
	ws_stream_done(&client->stream);
	free(client->request);
	free(client);
}

/* One of the handles, or the connecting thread, is done with it. */
static void release(struct ws_client *client)
{
	if (--client->users > 0)
		return;
	client->handler->on_close(client->arg, client->status, client->code, client->detail);
	client_free(client);
}

static void on_handle_closed(uv_handle_t *handle)
{
	release(handle->data);
}

static void end(struct ws_client *client, uint16_t code, const char *detail)
{
	if (client->phase == ENDING)
		return;
	loop_disown(&client->owned);
	client->code = code;
	text_copy(client->detail, sizeof(client->detail), detail);
	ws_transport_abandon(client->transport);
	if (client->phase == OPEN)
		ws_stream_deafen(&client->stream);
	if (client->phase != CONNECTING)
		uv_close((uv_handle_t *)&client->poll, on_handle_closed);
	client->phase = ENDING;
	uv_close((uv_handle_t *)&client->timer, on_handle_closed);
}

static void end_with_fault(struct ws_client *client, const char *what)
{
	const char *why = ws_transport_why(client->transport);
	char detail[sizeof(client->detail)];

	snprintf(detail, sizeof(detail), "%s%s%.200s", what, *why ? ": " : "", why);
	end(client, 1006, detail);
}

/* ---- bytes ---- */

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(struct ws_client *client)
{
	int events = UV_READABLE;

	if (client->output_sent < client->output_len)
		events |= UV_WRITABLE;
	uv_poll_start(&client->poll, events, on_poll);
}

/* Sends what is in the output; true when all is gone. */
static bool send_output(struct ws_client *client)
{
	while (client->output_sent < client->output_len) {
		size_t n = 0;
		int r = ws_transport_send(client->transport, client->output + client->output_sent,
					  client->output_len - client->output_sent, &n);

		if (r == -EAGAIN)
			return false;
		if (r < 0) {
			end_with_fault(client, "sending failed");
			return false;
		}
		client->output_sent += n;
	}
	client->output_len = client->output_sent = 0;
	return true;
}

static void flush(struct ws_client *client)
{
	while (send_output(client)) {
		if (client->phase != OPEN)
			break;
		if (ws_stream_flush(&client->stream) < 0) {
			end(client, 1006, "out of memory");
			return;
		}
		if (client->output_len == 0)
			break;
	}
	if (client->phase == OPEN && client->output_len == 0 && ws_stream_ended(&client->stream)) {
		end(client, ws_stream_code(&client->stream), client->stream.reason);
		return;
	}
	if (client->phase != ENDING)
		watch(client);
}

static size_t on_output(void *arg, const void *bytes, size_t len)
{
	struct ws_client *client = arg;
	size_t n = size_min(len, sizeof(client->output) - client->output_len);

	memcpy(client->output + client->output_len, bytes, n);
	client->output_len += n;
	return n;
}

static void on_message(void *arg, enum ws_kind kind, const void *bytes, size_t len)
{
	struct ws_client *client = arg;

	client->handler->on_message(client->arg, kind, bytes, len);
}

static void receive(struct ws_client *client, const char *bytes, size_t len)
{
	int r;

	client->heard_at = uv_now(client->timer.loop);
	client->receiving = true;
	r = ws_stream_receive(&client->stream, bytes, len);
	client->receiving = false;
	if (r < 0)
		end(client, 1006, "out of memory");
	else if (ws_stream_held(&client->stream) > client->max_queue_bytes)
		end(client, 1006, "the server does not read");
}

/* ---- the upgrade ---- */

static void on_timer(uv_timer_t *timer);

/* What the problem's body says, or the status alone. */
static void end_refused(struct ws_client *client, const struct ws_answer *answer)
{
	json_t *body = json_loadb(answer->body, answer->body_len, JSON_REJECT_DUPLICATES, NULL);
	const char *detail = json_string_value(json_object_get(body, "detail"));

	if (!detail)
		detail = json_string_value(json_object_get(body, "title"));
	client->status = answer->status;
	end(client, 1006, detail ? detail : http_status_title(answer->status));
	json_decref(body);
}

static void open_stream(struct ws_client *client, const struct ws_answer *answer)
{
	static const struct ws_stream_handler handler = {
		.on_output = on_output,
		.on_message = on_message,
	};
	size_t rest = client->input_len - answer->len;

	client->status = 101;
	if (ws_stream_init(&client->stream, false, client->max_message_bytes, &handler, client) <
	    0) {
		end(client, 1006, "out of memory");
		return;
	}
	client->phase = OPEN;
	uv_timer_start(&client->timer, on_timer, client->ping_ms, client->ping_ms);
	if (client->handler->on_open)
		client->handler->on_open(client->arg);
	if (client->phase == OPEN)
		receive(client, client->input + answer->len, rest);
}

static void take_answer(struct ws_client *client, bool ended)
{
	struct ws_answer answer;
	int r;

	r = ws_handshake_answer(client->input, client->input_len, ended, client->key, &answer);
	if (r == WS_ANSWER_E_MORE && client->input_len < sizeof(client->input))
		return;
	if (r < 0 || (r == WS_ANSWER_E_MORE && answer.status == 0))
		end(client, 1006, "the server does not speak WebSocket");
	else if (answer.accepted)
		open_stream(client, &answer);
	else
		end_refused(client, &answer);
}

/* ---- the socket ---- */

static void end_with_code(struct ws_client *client)
{
	uint16_t code = ws_stream_code(&client->stream);

	end(client, code, code == 1006 ? "the connection broke off" : client->stream.reason);
}

static void on_ended(struct ws_client *client)
{
	if (client->phase == ASKING)
		take_answer(client, true);
	else if (client->phase == OPEN)
		end_with_code(client);
}

/* There may be bytes that no poll reports: read until there are none. */
static void read_all(struct ws_client *client)
{
	while (client->phase == ASKING || client->phase == OPEN) {
		size_t at = client->phase == ASKING ? client->input_len : 0, n = 0;
		int r = ws_transport_receive(client->transport, client->input + at,
					     sizeof(client->input) - at, &n);

		if (r == -EAGAIN)
			return;
		if (r < 0 || n == 0) {
			on_ended(client);
			return;
		}
		if (client->phase == ASKING) {
			client->input_len += n;
			take_answer(client, false);
		} else {
			receive(client, client->input, n);
		}
	}
}

static void on_poll(uv_poll_t *poll, int status, _unused_ int events)
{
	struct ws_client *client = poll->data;

	if (status < 0) {
		on_ended(client);
		return;
	}
	read_all(client);
	if (client->phase != ENDING)
		flush(client);
}

static void closing_deadline(struct ws_client *client)
{
	size_t unsent = ws_client_queued(client);

	if (unsent >= client->unsent) {
		end(client, 1006, "the server did not close in time");
		return;
	}
	/* It still takes what came before the close frame. */
	client->unsent = unsent;
	uv_timer_start(&client->timer, on_timer, CLOSE_MS, 0);
}

static void on_timer(uv_timer_t *timer)
{
	struct ws_client *client = timer->data;

	if (client->phase == ASKING)
		end(client, 1006, "the server did not answer in time");
	else if (client->closing)
		closing_deadline(client);
	else if (uv_now(timer->loop) - client->heard_at >= 2 * client->ping_ms)
		end(client, 1006, "the server fell silent");
	else if (ws_stream_ping(&client->stream) == -ENOMEM)
		end(client, 1006, "out of memory");
	else
		flush(client);
}

/* ---- connecting, on a thread of libuv's pool ---- */

static void connect_work(uv_work_t *work)
{
	struct ws_client *client = work->data;

	client->connected = ws_transport_connect(client->transport);
}

static void ask(struct ws_client *client)
{
	uint64_t spent = uv_now(client->timer.loop) - client->began_at;
	uint64_t left = client->connect_timeout_ms - size_min(spent, client->connect_timeout_ms);

	client->phase = ASKING;
	client->poll.data = client;
	client->users++;
	client->output_len = strlen(client->request);
	memcpy(client->output, client->request, client->output_len);
	uv_timer_start(&client->timer, on_timer, left, 0);
	flush(client);
}

static void connect_done(uv_work_t *work, _unused_ int status)
{
	struct ws_client *client = work->data;

	uv_update_time(client->timer.loop);
	if (client->phase == ENDING)
		; /* given up while it connected */
	else if (client->connected < 0 ||
		 uv_poll_init_socket(client->timer.loop, &client->poll,
				     ws_transport_fd(client->transport)) < 0)
		end_with_fault(client, "connecting failed");
	else
		ask(client);
	release(client);
}

/* ---- opening ---- */

static int client_new(const struct ws_client_config *config, struct ws_client **ret_client)
{
	struct ws_client *client = calloc(1, sizeof(*client));
	_cleanup_(freep) char *url = NULL;
	int r;

	if (!client)
		return -ENOMEM;
	client->connect_timeout_ms = config->connect_timeout_ms;
	client->ping_ms = config->ping_ms;
	client->max_message_bytes = config->max_message_bytes;
	client->max_queue_bytes = config->max_queue_bytes;
	r = ws_request_make(config->url, config->headers, config->n_headers, client->key, &url,
			    &client->request);
	if (r == 0 && strlen(client->request) > sizeof(client->output))
		r = -EINVAL;
	if (r == 0)
		r = ws_transport_new(url, config->connect_timeout_ms, &client->transport);
	if (r < 0) {
		client_free(client);
		return r;
	}
	*ret_client = client;
	return 0;
}

static void on_loop_freed(struct loop_owned *owned)
{
	struct ws_client *client = (struct ws_client *)((char *)owned -
							offsetof(struct ws_client, owned));

	end(client, 1006, "the program ends");
}

int ws_client_open(struct loop *loop, const struct ws_client_config *config,
		   const struct ws_client_handler *handler, void *arg,
		   struct ws_client **ret_client)
{
	struct ws_client *client;
	int r;

	r = client_new(config, &client);
	if (r < 0)
		return r;
	client->handler = handler;
	client->arg = arg;
	client->work.data = client;
	r = uv_queue_work(loop_uv(loop), &client->work, connect_work, connect_done);
	if (r < 0) {
		client_free(client);
		return r;
	}
	uv_timer_init(loop_uv(loop), &client->timer);
	uv_update_time(loop_uv(loop));
	client->timer.data = client;
	client->began_at = uv_now(loop_uv(loop));
	client->users = 2;
	loop_own(loop, &client->owned, on_loop_freed);
	*ret_client = client;
	return 0;
}

/* ---- use ---- */

int ws_client_send(struct ws_client *client, enum ws_kind kind, const void *bytes, size_t len)
{
	int r;

	if (client->phase != OPEN)
		return -EPIPE;
	if (ws_stream_held(&client->stream) + len > client->max_queue_bytes)
		return -EAGAIN;
	r = ws_stream_send(&client->stream, kind, bytes, len);
	if (r == 0 && !client->receiving)
		flush(client);
	return r;
}

size_t ws_client_queued(const struct ws_client *client)
{
	if (client->phase != OPEN)
		return 0;
	return ws_stream_queued(&client->stream) + client->output_len - client->output_sent;
}

void ws_client_close(struct ws_client *client, uint16_t code)
{
	if (client->phase != OPEN) {
		end(client, 1006, "closed before it was open");
		return;
	}
	if (client->closing)
		return;
	client->closing = true;
	client->unsent = ws_client_queued(client);
	if (ws_stream_close(&client->stream, code, "") == -EPIPE) {
		end(client, ws_stream_code(&client->stream), client->stream.reason);
		return;
	}
	uv_timer_start(&client->timer, on_timer, CLOSE_MS, 0);
	if (!client->receiving)
		flush(client);
}
