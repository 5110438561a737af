/* ws_stream.h - the frames of one WebSocket, either side, by wslay. Knows no sockets: the owner
 * feeds it bytes and takes bytes from it. */
#pragma once

#include "io/http_server.h"

struct wslay_event_context;

struct ws_stream_handler {
	/* Takes up to @len bytes to be sent and returns how many; 0: not now. */
	size_t (*on_output)(void *arg, const void *bytes, size_t len);
	/* One whole message, borrowed. Must not end the stream. */
	void (*on_message)(void *arg, enum ws_kind kind, const void *bytes, size_t len);
};

struct ws_stream {
	struct wslay_event_context *frames;
	const struct ws_stream_handler *handler;
	void *arg;
	const uint8_t *input;
	size_t input_len;
	bool deaf;
	bool broken; /* by the peer */
	bool close_waits; /* for what was queued before it */
	uint16_t close_code;
	char close_reason[124];
	char reason[124]; /* of the peer's close frame */
};

/* @server: the peer must mask its frames; otherwise ours are masked. A message longer than
 * @max_message_bytes ends the stream with 1009. */
_must_check_ int ws_stream_init(struct ws_stream *stream, bool server, size_t max_message_bytes,
				const struct ws_stream_handler *handler, void *arg);
void ws_stream_done(struct ws_stream *stream);

/* Reads all of it; answers (pongs, the echo of a close) are queued. Faults: -ENOMEM. */
_must_check_ int ws_stream_receive(struct ws_stream *stream, const void *bytes, size_t len);

/* No message is shown any more. */
void ws_stream_deafen(struct ws_stream *stream);

/* Queues a copy. -EPIPE: a close frame is queued or sent. -ENOMEM. */
_must_check_ int ws_stream_send(struct ws_stream *stream, enum ws_kind kind, const void *bytes,
				size_t len);
_must_check_ int ws_stream_ping(struct ws_stream *stream);
/* The close frame goes behind everything that is queued. */
_must_check_ int ws_stream_close(struct ws_stream *stream, uint16_t code, const char *reason);

/* Hands out what is queued until nothing is left or on_output takes no more. -ENOMEM. */
_must_check_ int ws_stream_flush(struct ws_stream *stream);

/* Payload bytes queued. */
size_t ws_stream_queued(const struct ws_stream *stream);

/* The memory of what is queued, about. */
size_t ws_stream_held(const struct ws_stream *stream);

/* The close frame is out, and the peer's is in or will not be read: nothing more will happen. */
bool ws_stream_ended(const struct ws_stream *stream);

/* The peer's close code; ours if it broke the protocol (1002, 1007, 1009); 1006 without either. */
uint16_t ws_stream_code(const struct ws_stream *stream);
