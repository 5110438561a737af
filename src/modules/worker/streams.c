#include "modules/worker/streams.h"

#include "modules/worker/worker_state.h"

struct worker_stream {
	struct worker_stream *next;
	struct streams *streams;
	uint64_t number;
	const struct worker_stream_handler *handler;
	void *arg;
	size_t may_send; /* bytes that the agent takes now */
	size_t may_come; /* bytes that the agent may still send */
	size_t taken; /* taken by the handler, not yet told to the agent */
	struct chunk *first, **last; /* unsent */
	size_t unsent, chunks;
};

enum { CHUNKS_MAX = 1024 }; /* empty ones cost no credit */

struct chunk {
	struct chunk *next;
	enum worker_channel channel;
	size_t len;
	uint8_t bytes[];
};

/* Numbers are never used twice in one process. */
static uint64_t last_number;

static bool send_message(struct streams *streams, Wire__ToNode *message)
{
	const void *bytes;
	size_t len;
	int r = wire_encode_to_node(message, streams->scratch, &bytes, &len);

	if (r == 0)
		ws_send(streams->http, streams->conn, WS_BINARY, bytes, len);
	arena_reset(streams->scratch);
	return r == 0;
}

static void send_close(struct worker_stream *stream)
{
	Wire__StreamClose closed = WIRE__STREAM_CLOSE__INIT;
	Wire__ToNode message = WIRE__TO_NODE__INIT;

	closed.stream = stream->number;
	message.body_case = WIRE__TO_NODE__BODY_STREAM_CLOSE;
	message.stream_close = &closed;
	(void)send_message(stream->streams, &message);
}

/* ---- its life ---- */

static void unlink_stream(struct worker_stream *stream)
{
	struct worker_stream **at = &stream->streams->first;

	while (*at != stream)
		at = &(*at)->next;
	*at = stream->next;
	stream->streams->n--;
}

static void free_stream(struct worker_stream *stream)
{
	while (stream->first) {
		struct chunk *chunk = stream->first;

		stream->first = chunk->next;
		free(chunk);
	}
	free(stream);
}

/* The handler may not close what has ended: it is out of the list before it hears. */
static void end_stream(struct worker_stream *stream, const char *reason, int32_t exit_code)
{
	unlink_stream(stream);
	stream->handler->on_close(stream->arg, reason, exit_code);
	free_stream(stream);
}

static struct worker_stream *find(struct streams *streams, uint64_t number)
{
	struct worker_stream *stream = streams->first;

	while (stream && stream->number != number)
		stream = stream->next;
	return stream;
}

static bool send_open(struct streams *streams, uint64_t number,
		      const struct worker_stream_request *request)
{
	Wire__StreamOpen open = WIRE__STREAM_OPEN__INIT;
	Wire__ToNode message = WIRE__TO_NODE__INIT;

	open.stream = number;
	open.lease = (ProtobufCBinaryData){ sizeof(request->lease.bytes),
					    (uint8_t *)request->lease.bytes };
	open.kind = (Wire__StreamKind)request->kind;
	open.since = request->since;
	open.tail = request->tail;
	open.follow = request->follow;
	open.command = (char **)request->command.items;
	open.n_command = request->command.n;
	open.tty = request->tty;
	open.columns = request->columns;
	open.rows = request->rows;
	message.body_case = WIRE__TO_NODE__BODY_STREAM_OPEN;
	message.stream_open = &open;
	return send_message(streams, &message);
}

int worker_stream_open(const struct worker_stream_request *request,
		       const struct worker_stream_handler *handler, void *arg,
		       struct worker_stream **ret_stream)
{
	struct streams *streams = agents_streams(worker_state.agents, request->machine);
	struct worker_stream *stream;

	if (!streams)
		return WORKER_E_OFFLINE;
	if (streams->n >= STREAMS_OF_SESSION_MAX)
		return WORKER_E_TOO_MANY;
	stream = calloc(1, sizeof(*stream));
	if (!stream)
		return -ENOMEM;
	*stream = (struct worker_stream){
		.next = streams->first,
		.streams = streams,
		.number = ++last_number,
		.handler = handler,
		.arg = arg,
		.may_send = WIRE_STREAM_WINDOW,
		.may_come = WIRE_STREAM_WINDOW,
		.last = &stream->first,
	};
	if (!send_open(streams, stream->number, request)) {
		free(stream);
		return -ENOMEM;
	}
	streams->first = stream;
	streams->n++;
	*ret_stream = stream;
	return 0;
}

void worker_stream_close(struct worker_stream *stream)
{
	send_close(stream);
	unlink_stream(stream);
	free_stream(stream);
}

/* ---- to the agent ---- */

static bool send_data(struct worker_stream *stream, enum worker_channel channel, const void *bytes,
		      size_t len)
{
	Wire__StreamData data = WIRE__STREAM_DATA__INIT;
	Wire__ToNode message = WIRE__TO_NODE__INIT;

	data.stream = stream->number;
	data.channel = (Wire__Channel)channel;
	data.bytes = (ProtobufCBinaryData){ len, (uint8_t *)bytes };
	message.body_case = WIRE__TO_NODE__BODY_STREAM_DATA;
	message.stream_data = &data;
	return send_message(stream->streams, &message);
}

/* Sends what credit allows, in order. False without memory. */
static bool flush(struct worker_stream *stream)
{
	while (stream->first && stream->first->len <= stream->may_send) {
		struct chunk *chunk = stream->first;

		if (!send_data(stream, chunk->channel, chunk->bytes, chunk->len))
			return false;
		stream->may_send -= chunk->len;
		stream->unsent -= chunk->len;
		stream->chunks--;
		stream->first = chunk->next;
		if (!stream->first)
			stream->last = &stream->first;
		free(chunk);
	}
	return true;
}

static int append(struct worker_stream *stream, enum worker_channel channel, const void *bytes,
		  size_t len)
{
	struct chunk *chunk = malloc(sizeof(*chunk) + len);

	if (!chunk)
		return -ENOMEM;
	*chunk = (struct chunk){ .channel = channel, .len = len };
	if (len > 0)
		memcpy(chunk->bytes, bytes, len);
	*stream->last = chunk;
	stream->last = &chunk->next;
	stream->unsent += len;
	stream->chunks++;
	return 0;
}

int worker_stream_send(struct worker_stream *stream, enum worker_channel channel, const void *bytes,
		       size_t len)
{
	const uint8_t *rest = bytes;
	int r;

	if (len > WIRE_STREAM_WINDOW - stream->unsent || stream->chunks >= CHUNKS_MAX)
		return WORKER_E_TOO_MANY;
	do {
		size_t part = size_min(len, WIRE_CHUNK_MAX);

		r = append(stream, channel, rest, part);
		if (r < 0)
			return r;
		rest = rest ? rest + part : NULL;
		len -= part;
	} while (len > 0);
	return flush(stream) ? 0 : -ENOMEM;
}

void worker_stream_credit(struct worker_stream *stream, size_t bytes)
{
	Wire__StreamCredit credit = WIRE__STREAM_CREDIT__INIT;
	Wire__ToNode message = WIRE__TO_NODE__INIT;

	/* Never more than the window, whatever the handler says. */
	stream->taken = size_min(stream->taken + bytes, WIRE_STREAM_WINDOW - stream->may_come);
	if (stream->taken < WIRE_STREAM_WINDOW / 4)
		return;
	credit.stream = stream->number;
	credit.bytes = (uint32_t)stream->taken;
	message.body_case = WIRE__TO_NODE__BODY_STREAM_CREDIT;
	message.stream_credit = &credit;
	if (!send_message(stream->streams, &message))
		return;
	stream->may_come += stream->taken;
	stream->taken = 0;
}

/* ---- from the agent ---- */

bool streams_data(struct streams *streams, const Wire__StreamData *data)
{
	struct worker_stream *stream = find(streams, data->stream);

	if (!stream)
		return true;
	if (data->bytes.len > stream->may_come)
		return false;
	stream->may_come -= data->bytes.len;
	/* The last use: the handler may close the stream. */
	stream->handler->on_data(stream->arg, (enum worker_channel)data->channel, data->sequence,
				 data->at_ms, data->bytes.data, data->bytes.len);
	return true;
}

bool streams_credit(struct streams *streams, const Wire__StreamCredit *credit)
{
	struct worker_stream *stream = find(streams, credit->stream);

	if (!stream)
		return true;
	if (credit->bytes > WIRE_STREAM_WINDOW - stream->may_send)
		return false;
	stream->may_send += credit->bytes;
	return flush(stream);
}

void streams_closed(struct streams *streams, const Wire__StreamClose *closed)
{
	struct worker_stream *stream = find(streams, closed->stream);

	if (stream)
		end_stream(stream, closed->reason, closed->exit_code);
}

void streams_end(struct streams *streams, const char *reason)
{
	while (streams->first)
		end_stream(streams->first, reason, 0);
}
