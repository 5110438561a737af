#include "modules/service/service_streams.h"

#include "io/loop.h"
#include "modules/service/stream_text.h"
#include "wire/wire.h"

enum {
	QUEUED_MAX = 256 << 10, /* unsent bytes to the tenant, then the machine waits */
	INPUT_MAX = 1 << 20, /* unsent bytes to the machine, then the exec ends */
	TICK_MS = 50,
	FIRST_MESSAGE_MS = 10000,
	ARENA_BYTES = 4 << 20,
	CLOSE_NORMAL = 1000,
	CLOSE_POLICY = 1008,
	CLOSE_FAULT = 1011,
	CLOSE_TRY_LATER = 1013,
	CLOSE_REASON_MAX = 123,
};

/* The first byte of an exec's binary messages. */
enum { EXEC_STDIN, EXEC_STDOUT, EXEC_STDERR, EXEC_CONTROL };

struct input {
	struct input *next;
	enum worker_channel channel;
	size_t len;
	uint8_t bytes[];
};

/* What a handler leaves for the upgrade. */
struct prepared {
	struct worker_stream_request request;
};

/* One WebSocket and its stream; owned by the WebSocket. All on the loop. */
struct relay {
	const struct context *context;
	struct http_conn_id conn;
	struct worker_stream_request request;
	struct worker_stream *stream; /* NULL before it is opened and after it ended */
	struct loop_timer *timer; /* while something waits */
	size_t owed; /* bytes taken from the machine, not yet credited */
	struct input *input, **input_end;
	size_t input_bytes;
	bool input_ended; /* the client said so */
	bool closing;
	bool gone; /* the WebSocket has ended */
	int busy; /* we are on the stack, so the end must wait: sending may end the WebSocket */
};

int service_stream_prepare(struct request *request, const struct rental *rental,
			   const struct worker_stream_request *wanted)
{
	struct prepared *prepared = malloc(sizeof(*prepared));

	if (!prepared)
		return -ENOMEM;
	prepared->request = *wanted;
	prepared->request.machine = rental->machine;
	prepared->request.lease = rental->lease;
	request_prepare(request, prepared);
	return 0;
}

static void discard(void *prepared)
{
	free(prepared);
}

/* A close reason is short UTF-8; what machines and fields are called may be neither. */
static void hang_up(struct relay *relay, uint16_t code, const char *reason)
{
	char shown[CLOSE_REASON_MAX + 1];
	size_t n = 0;

	if (relay->closing)
		return;
	for (; reason[n] && n < CLOSE_REASON_MAX; n++)
		shown[n] = reason[n] >= 0x20 && reason[n] < 0x7f ? reason[n] : '?';
	shown[n] = 0;
	relay->closing = true;
	ws_close(relay->context->http, relay->conn, code, shown);
}

static void pop_input(struct relay *relay)
{
	struct input *first = relay->input;

	relay->input = first->next;
	if (!relay->input)
		relay->input_end = &relay->input;
	relay->input_bytes -= first->len;
	free(first);
}

static void drop_timer(struct relay *relay)
{
	if (relay->timer)
		loop_timer_free(relay->timer);
	relay->timer = NULL;
}

static void enter(struct relay *relay)
{
	relay->busy++;
}

static void leave(struct relay *relay)
{
	if (--relay->busy > 0 || !relay->gone)
		return;
	drop_timer(relay);
	if (relay->stream)
		worker_stream_close(relay->stream);
	while (relay->input)
		pop_input(relay);
	free(relay);
}

/* ---- waiting: credit owed to the machine, input that it does not take yet ---- */

static void give_credit(struct relay *relay)
{
	if (!relay->stream || relay->owed == 0 ||
	    ws_queued(relay->context->http, relay->conn) > QUEUED_MAX)
		return;
	worker_stream_credit(relay->stream, relay->owed);
	relay->owed = 0;
}

static void send_channel(struct relay *relay, uint8_t channel, const void *bytes, size_t len);

/* A client that keeps at most INPUT_MAX bytes untaken is never cut. */
static void say_taken(struct relay *relay, const struct input *input)
{
	char text[48];

	if (input->channel != WORKER_STDIN || input->len == 0)
		return;
	snprintf(text, sizeof(text), "{\"taken\":%zu}", input->len);
	send_channel(relay, EXEC_CONTROL, text, strlen(text));
}

static void send_input(struct relay *relay)
{
	while (relay->stream && relay->input) {
		struct input *first = relay->input;
		int r = worker_stream_send(relay->stream, first->channel, first->bytes, first->len);

		if (r == WORKER_E_TOO_MANY)
			return;
		if (r != 0)
			return hang_up(relay, CLOSE_FAULT, "the input could not be passed on");
		say_taken(relay, first);
		pop_input(relay);
	}
}

static void on_tick(void *arg)
{
	struct relay *relay = arg;

	enter(relay);
	send_input(relay);
	give_credit(relay);
	if (!relay->stream || (relay->owed == 0 && !relay->input))
		drop_timer(relay);
	leave(relay);
}

static void wait_more(struct relay *relay)
{
	if (!relay->timer && loop_timer_new(relay->context->loop, TICK_MS, TICK_MS, on_tick, relay,
					    &relay->timer) < 0) {
		relay->timer = NULL;
		hang_up(relay, CLOSE_FAULT, "out of memory");
	}
}

/* ---- from the machine ---- */

/* Takes @text over. */
static void send_text(struct relay *relay, char *text)
{
	if (!text)
		return hang_up(relay, CLOSE_FAULT, "the machine sent what cannot be shown");
	ws_send(relay->context->http, relay->conn, WS_TEXT, text, strlen(text));
	free(text);
}

static void send_channel(struct relay *relay, uint8_t channel, const void *bytes, size_t len)
{
	uint8_t *message = malloc(len + 1);

	if (!message)
		return hang_up(relay, CLOSE_FAULT, "out of memory");
	message[0] = channel;
	memcpy(message + 1, bytes, len);
	ws_send(relay->context->http, relay->conn, WS_BINARY, message, len + 1);
	free(message);
}

static void on_data(void *arg, enum worker_channel channel, uint64_t sequence, int64_t at_ms,
		    const void *bytes, size_t len)
{
	struct relay *relay = arg;

	enter(relay);
	switch (relay->request.kind) {
	case WORKER_STREAM_LOGS:
		send_text(relay, stream_log_text(channel, sequence, at_ms, bytes, len));
		break;
	case WORKER_STREAM_STATS:
		send_text(relay, stream_stats_text(at_ms, bytes, len));
		break;
	case WORKER_STREAM_EXEC:
		send_channel(relay, channel == WORKER_STDERR ? EXEC_STDERR : EXEC_STDOUT, bytes,
			     len);
		break;
	}
	relay->owed += len;
	give_credit(relay);
	if (relay->owed > 0)
		wait_more(relay);
	leave(relay);
}

static void say_exit(struct relay *relay, const char *reason, int32_t exit_code)
{
	char *text = stream_exit_text(reason, exit_code);

	if (text)
		send_channel(relay, EXEC_CONTROL, text, strlen(text));
	free(text);
}

static void on_stream_close(void *arg, const char *reason, int32_t exit_code)
{
	struct relay *relay = arg;

	enter(relay);
	relay->stream = NULL;
	if (relay->request.kind == WORKER_STREAM_EXEC)
		say_exit(relay, reason, exit_code);
	hang_up(relay, *reason ? CLOSE_FAULT : CLOSE_NORMAL, reason);
	leave(relay);
}

static const struct worker_stream_handler stream_handler = {
	.on_data = on_data,
	.on_close = on_stream_close,
};

static void open_stream(struct relay *relay)
{
	int r = worker_stream_open(&relay->request, &stream_handler, relay, &relay->stream);

	if (r == 0)
		return;
	relay->stream = NULL;
	if (r == WORKER_E_OFFLINE)
		hang_up(relay, CLOSE_TRY_LATER, "the rental's machine is not connected now");
	else
		hang_up(relay, CLOSE_FAULT, "the stream could not be opened");
}

/* ---- an exec's input ---- */

static void queue_input(struct relay *relay, enum worker_channel channel, const uint8_t *bytes,
			size_t len)
{
	struct input *input;

	if (relay->input_bytes + len > INPUT_MAX)
		return hang_up(relay, CLOSE_POLICY, "more input than the process takes");
	input = malloc(sizeof(*input) + len);
	if (!input)
		return hang_up(relay, CLOSE_FAULT, "out of memory");
	*input = (struct input){ .channel = channel, .len = len };
	if (len > 0)
		memcpy(input->bytes, bytes, len);
	*relay->input_end = input;
	relay->input_end = &input->next;
	relay->input_bytes += len;
}

/* An empty message ends the input. What comes after that is dropped: empty ones, which count nothing,
 * would wait without a limit. */
static void take_stdin(struct relay *relay, const uint8_t *bytes, size_t len)
{
	if (relay->input_ended)
		return;
	relay->input_ended = len == 0;
	do {
		size_t n = size_min(len, WIRE_CHUNK_MAX);

		queue_input(relay, WORKER_STDIN, bytes, n);
		bytes += n;
		len -= n;
	} while (len > 0 && !relay->closing);
	send_input(relay);
	if (relay->input)
		wait_more(relay);
}

static void say_wrong(struct relay *relay, const struct field_error *error)
{
	char text[sizeof(error->field) + sizeof(error->rule) + 1];

	snprintf(text, sizeof(text), "%s%s%s", error->field, *error->field ? " " : "", error->rule);
	hang_up(relay, CLOSE_POLICY, text);
}

static void take_control(struct relay *relay, const uint8_t *bytes, size_t len)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct field_error error;
	uint8_t size[4];
	int r = arena_new(ARENA_BYTES, &arena);

	if (r == 0)
		r = stream_resize_parse(bytes, len, arena, size, &error);
	if (r > 0)
		return say_wrong(relay, &error);
	if (r < 0)
		return hang_up(relay, CLOSE_FAULT, "out of memory");
	queue_input(relay, WORKER_RESIZE, size, sizeof(size));
	send_input(relay);
	if (relay->input)
		wait_more(relay);
}

static void start_exec(struct relay *relay, const void *bytes, size_t len)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct stream_exec exec;
	struct field_error error;
	int r = arena_new(ARENA_BYTES, &arena);

	if (r == 0)
		r = stream_exec_parse(bytes, len, arena, &exec, &error);
	if (r > 0)
		return say_wrong(relay, &error);
	if (r < 0)
		return hang_up(relay, CLOSE_FAULT, "out of memory");
	drop_timer(relay);
	relay->request.command = exec.command;
	relay->request.tty = exec.tty;
	relay->request.columns = (uint16_t)exec.columns;
	relay->request.rows = (uint16_t)exec.rows;
	open_stream(relay);
	relay->request.command = (struct field_texts){ .items = NULL };
	if (relay->stream && !exec.stdin_)
		take_stdin(relay, (const uint8_t *)"", 0);
}

static void take_message(struct relay *relay, enum ws_kind kind, const uint8_t *bytes, size_t len)
{
	if (!relay->stream) {
		if (kind != WS_TEXT)
			return hang_up(relay, CLOSE_POLICY, "the first message names the command");
		return start_exec(relay, bytes, len);
	}
	if (kind != WS_BINARY || len == 0)
		return hang_up(relay, CLOSE_POLICY, "binary messages start with their channel");
	if (bytes[0] == EXEC_STDIN)
		take_stdin(relay, bytes + 1, len - 1);
	else if (bytes[0] == EXEC_CONTROL)
		take_control(relay, bytes + 1, len - 1);
	else
		hang_up(relay, CLOSE_POLICY, "a client sends on channels 0 and 3");
}

static void exec_message(void *state, enum ws_kind kind, const void *bytes, size_t len)
{
	struct relay *relay = state;

	enter(relay);
	if (!relay->closing)
		take_message(relay, kind, bytes, len);
	leave(relay);
}

static void ignore_message(void *state _unused_, enum ws_kind kind _unused_,
			   const void *bytes _unused_, size_t len _unused_)
{
}

/* ---- a WebSocket's life ---- */

/* @first is called once after @first_ms, never from here: the upgrade is not through yet. */
static struct relay *relay_new(const struct context *context, struct http_conn_id conn,
			       struct prepared *prepared, uint64_t first_ms,
			       void (*first)(void *arg))
{
	struct relay *relay = calloc(1, sizeof(*relay));

	if (relay) {
		relay->context = context;
		relay->conn = conn;
		relay->request = prepared->request;
		relay->input_end = &relay->input;
		if (loop_timer_new(context->loop, first_ms, 0, first, relay, &relay->timer) < 0) {
			free(relay);
			relay = NULL;
		}
	}
	free(prepared);
	return relay;
}

static void on_begin(void *arg)
{
	struct relay *relay = arg;

	enter(relay);
	drop_timer(relay);
	open_stream(relay);
	leave(relay);
}

static void on_silence(void *arg)
{
	struct relay *relay = arg;

	enter(relay);
	drop_timer(relay);
	hang_up(relay, CLOSE_POLICY, "no command came");
	leave(relay);
}

static void *open_now(const struct context *context, struct http_conn_id conn, void *prepared)
{
	return relay_new(context, conn, prepared, 0, on_begin);
}

static void *open_exec(const struct context *context, struct http_conn_id conn, void *prepared)
{
	return relay_new(context, conn, prepared, FIRST_MESSAGE_MS, on_silence);
}

static void closed(void *state, uint16_t code _unused_)
{
	struct relay *relay = state;

	enter(relay);
	relay->gone = relay->closing = true;
	leave(relay);
}

const struct ws_route service_logs = { open_now, ignore_message, closed, discard };
const struct ws_route service_stats = { open_now, ignore_message, closed, discard };
const struct ws_route service_exec = { open_exec, exec_message, closed, discard };
