#include "agent/stream.h"

struct logs {
	struct logbook_cursor cursor;
	bool follow;
	bool waiting; /* .line was read, and waits for credit */
	struct logbook_line line;
};

static uint64_t first_wanted(const struct logbook *book, const Wire__StreamOpen *open)
{
	uint64_t first = open->since > 0 ? open->since : 1;
	uint64_t last = logbook_last(book);

	if (open->tail > 0 && last >= open->tail && last - open->tail + 1 > first)
		first = last - open->tail + 1;
	return first;
}

static bool send_line(struct stream *stream, struct logs *logs)
{
	Wire__StreamData data = WIRE__STREAM_DATA__INIT;

	logs->waiting = !agent_stream_may_send(stream, logs->line.len);
	if (logs->waiting)
		return false;
	data.channel = (Wire__Channel)logs->line.channel;
	data.bytes = (ProtobufCBinaryData){ logs->line.len, (uint8_t *)logs->line.text };
	data.sequence = logs->line.sequence;
	data.at_ms = logs->line.at_ms;
	return agent_stream_send(stream, &data);
}

static void pump(struct stream *stream)
{
	struct lease *lease = agent_stream_lease(stream);
	struct logs *logs = stream->state;
	bool complete;
	int r;

	if (!lease) {
		agent_stream_end(stream, "", 0);
		return;
	}
	if (logs->waiting && !send_line(stream, logs))
		return;
	complete = lease_ended(lease) && lease->logged;
	while ((r = logbook_read(lease->book, &logs->cursor, &logs->line)) == 0)
		if (!send_line(stream, logs))
			return;
	if (r < 0)
		agent_stream_end(stream, "log_unreadable", 0);
	else if (!logs->follow || complete)
		agent_stream_end(stream, "", 0);
}

static void open(struct stream *stream, const Wire__StreamOpen *message)
{
	struct logs *logs = calloc(1, sizeof(*logs));

	stream->state = logs;
	if (!logs) {
		agent_stream_end(stream, "out_of_memory", 0);
		return;
	}
	logs->follow = message->follow;
	logs->cursor.next = first_wanted(agent_stream_lease(stream)->book, message);
	pump(stream);
}

static void done(struct stream *stream)
{
	free(stream->state);
	stream->state = NULL;
}

const struct stream_kind agent_stream_logs = { .open = open, .pump = pump, .done = done };
