#include "io/ws_stream.h"

#include <wslay/wslay.h>

#include "base/random.h"

enum { WS_FRAME_OVERHEAD_BYTES = 128 }; /* of a queued frame, in memory */

static ssize_t on_recv(wslay_event_context_ptr frames, uint8_t *buf, size_t len, _unused_ int flags,
		       void *arg)
{
	struct ws_stream *stream = arg;
	size_t n = size_min(len, stream->input_len);

	if (n == 0 || stream->deaf) {
		wslay_event_set_error(frames, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	memcpy(buf, stream->input, n);
	stream->input += n;
	stream->input_len -= n;
	return (ssize_t)n;
}

static ssize_t on_send(wslay_event_context_ptr frames, const uint8_t *data, size_t len,
		       _unused_ int flags, void *arg)
{
	struct ws_stream *stream = arg;
	size_t n = stream->handler->on_output(stream->arg, data, len);

	if (n == 0) {
		wslay_event_set_error(frames, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	return (ssize_t)n;
}

static int on_mask(wslay_event_context_ptr frames, uint8_t *buf, size_t len, _unused_ void *arg)
{
	if (random_fill(&random_system, buf, len) < 0) {
		wslay_event_set_error(frames, WSLAY_ERR_CALLBACK_FAILURE);
		return -1;
	}
	return 0;
}

static void on_msg(_unused_ wslay_event_context_ptr frames,
		   const struct wslay_event_on_msg_recv_arg *msg, void *arg)
{
	struct ws_stream *stream = arg;

	/* wslay takes half a close code for none. */
	if (msg->opcode == WSLAY_CONNECTION_CLOSE && msg->msg_length == 1)
		stream->broken = true;
	if (msg->opcode == WSLAY_CONNECTION_CLOSE && msg->msg_length > 2)
		snprintf(stream->reason, sizeof(stream->reason), "%.*s", (int)(msg->msg_length - 2),
			 (const char *)msg->msg + 2);
	if (stream->deaf || wslay_is_ctrl_frame(msg->opcode))
		return;
	stream->handler->on_message(stream->arg,
				    msg->opcode == WSLAY_TEXT_FRAME ? WS_TEXT : WS_BINARY,
				    msg->msg ? msg->msg : (const uint8_t *)"", msg->msg_length);
}

int ws_stream_init(struct ws_stream *stream, bool server, size_t max_message_bytes,
		   const struct ws_stream_handler *handler, void *arg)
{
	static const struct wslay_event_callbacks callbacks = {
		.recv_callback = on_recv,
		.send_callback = on_send,
		.genmask_callback = on_mask,
		.on_msg_recv_callback = on_msg,
	};
	int r;

	*stream = (struct ws_stream){ .handler = handler, .arg = arg };
	r = server ? wslay_event_context_server_init(&stream->frames, &callbacks, stream)
		   : wslay_event_context_client_init(&stream->frames, &callbacks, stream);
	if (r != 0)
		return -ENOMEM;
	wslay_event_config_set_max_recv_msg_length(stream->frames, max_message_bytes);
	return 0;
}

void ws_stream_done(struct ws_stream *stream)
{
	if (stream->frames)
		wslay_event_context_free(stream->frames);
	stream->frames = NULL;
}

int ws_stream_receive(struct ws_stream *stream, const void *bytes, size_t len)
{
	int r = 0;

	stream->input = bytes;
	stream->input_len = len;
	if (wslay_event_get_read_enabled(stream->frames))
		r = wslay_event_recv(stream->frames);
	stream->input = NULL;
	stream->input_len = 0;
	if (r == WSLAY_ERR_CALLBACK_FAILURE) {
		/* on_recv never fails: the frame's header was malformed, and wslay has queued a
		 * close frame without a code. */
		stream->broken = true;
		r = 0;
	}
	return r == 0 ? 0 : -ENOMEM;
}

void ws_stream_deafen(struct ws_stream *stream)
{
	stream->deaf = true;
}

static int queue(struct ws_stream *stream, uint8_t opcode, const void *bytes, size_t len)
{
	struct wslay_event_msg msg = { opcode, bytes, len };

	if (stream->close_waits)
		return -EPIPE;
	switch (wslay_event_queue_msg(stream->frames, &msg)) {
	case 0:
		return 0;
	case WSLAY_ERR_NO_MORE_MSG:
		return -EPIPE;
	default:
		return -ENOMEM;
	}
}

int ws_stream_send(struct ws_stream *stream, enum ws_kind kind, const void *bytes, size_t len)
{
	return queue(stream, kind == WS_TEXT ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME, bytes, len);
}

int ws_stream_ping(struct ws_stream *stream)
{
	return queue(stream, WSLAY_PING, NULL, 0);
}

int ws_stream_close(struct ws_stream *stream, uint16_t code, const char *reason)
{
	if (stream->close_waits || !wslay_event_get_write_enabled(stream->frames))
		return -EPIPE;
	stream->close_waits = true;
	stream->close_code = code;
	snprintf(stream->close_reason, sizeof(stream->close_reason), "%s", reason);
	return 0;
}

/* wslay sends control frames first: given to it at once, a close frame would drop the messages. */
static int queue_close(struct ws_stream *stream)
{
	int r = wslay_event_queue_close(stream->frames, stream->close_code,
					(const uint8_t *)stream->close_reason,
					strlen(stream->close_reason));

	stream->close_waits = false;
	/* A peer that closed meanwhile has its answer already. */
	return r == 0 || r == WSLAY_ERR_NO_MORE_MSG ? 0 : -ENOMEM;
}

static int send_frames(struct ws_stream *stream)
{
	if (!wslay_event_want_write(stream->frames))
		return 0;
	return wslay_event_send(stream->frames) == 0 ? 0 : -ENOMEM;
}

int ws_stream_flush(struct ws_stream *stream)
{
	int r = send_frames(stream);

	if (r < 0 || !stream->close_waits || wslay_event_want_write(stream->frames))
		return r;
	r = queue_close(stream);
	return r < 0 ? r : send_frames(stream);
}

size_t ws_stream_queued(const struct ws_stream *stream)
{
	return wslay_event_get_queued_msg_length(stream->frames);
}

size_t ws_stream_held(const struct ws_stream *stream)
{
	return ws_stream_queued(stream) +
	       wslay_event_get_queued_msg_count(stream->frames) * WS_FRAME_OVERHEAD_BYTES;
}

bool ws_stream_ended(const struct ws_stream *stream)
{
	return wslay_event_get_close_sent(stream->frames) &&
	       (wslay_event_get_close_received(stream->frames) ||
		!wslay_event_get_read_enabled(stream->frames));
}

uint16_t ws_stream_code(const struct ws_stream *stream)
{
	if (stream->broken)
		return WSLAY_CODE_PROTOCOL_ERROR;
	if (wslay_event_get_close_received(stream->frames))
		return wslay_event_get_status_code_received(stream->frames);
	if (!wslay_event_get_read_enabled(stream->frames))
		return wslay_event_get_status_code_sent(stream->frames);
	return WSLAY_CODE_ABNORMAL_CLOSURE;
}
