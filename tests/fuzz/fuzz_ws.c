/* fuzz_ws.c - bytes of a peer through the frames of both sides; every message is echoed. */
#include "io/ws_handshake.h"
#include "io/ws_stream.h"

enum { MESSAGE_MAX_BYTES = 300 };

struct peer {
	struct ws_stream stream;
	size_t sent;
};

static size_t on_output(void *arg, _unused_ const void *bytes, size_t len)
{
	((struct peer *)arg)->sent += len;
	return len;
}

static void on_message(void *arg, enum ws_kind kind, const void *bytes, size_t len)
{
	struct peer *peer = arg;
	int r;

	if (len > MESSAGE_MAX_BYTES)
		abort();
	r = ws_stream_send(&peer->stream, kind, bytes, len);
	if (r != 0 && r != -EPIPE)
		abort();
}

static void run(bool server, const uint8_t *bytes, size_t len, size_t step)
{
	static const struct ws_stream_handler handler = { on_output, on_message };
	struct peer peer = { .sent = 0 };

	if (ws_stream_init(&peer.stream, server, MESSAGE_MAX_BYTES, &handler, &peer) < 0)
		abort();
	while (len > 0 && !ws_stream_ended(&peer.stream)) {
		size_t n = size_min(len, step);

		if (ws_stream_receive(&peer.stream, bytes, n) < 0 ||
		    ws_stream_flush(&peer.stream) < 0)
			abort();
		bytes += n;
		len -= n;
	}
	if (ws_stream_code(&peer.stream) == 0)
		abort();
	/* A close frame drops what was queued behind it. */
	if (!ws_stream_ended(&peer.stream) && ws_stream_queued(&peer.stream) > 0)
		abort();
	ws_stream_done(&peer.stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct ws_answer answer;
	size_t step;

	if (len == 0)
		return 0;
	step = bytes[0] % 16 + 1;
	run(true, bytes + 1, len - 1, step);
	run(false, bytes + 1, len - 1, step);
	if (ws_handshake_answer((const char *)bytes + 1, len - 1, bytes[0] & 16,
				"dGhlIHNhbXBsZSBub25jZQ==", &answer) == 0 &&
	    answer.len > len - 1)
		abort();
	return 0;
}
