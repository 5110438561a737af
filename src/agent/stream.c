#include "agent/stream.h"

#include "base/log.h"
#include "base/text.h"
#include "io/loop.h"

struct streams {
	struct streams_config config;
	struct stream *first;
	size_t n;
	unsigned int inside; /* walks over the table that are under way */
	struct loop_timer *tick; /* while there are streams */
};

const struct streams_config *agent_stream_config(const struct stream *stream)
{
	return &stream->streams->config;
}

struct lease *agent_stream_lease(const struct stream *stream)
{
	return reconcile_find(agent_stream_config(stream)->reconcile, stream->lease.bytes);
}

/* ---- the table ---- */

static void sweep(struct streams *streams)
{
	struct stream **at = &streams->first;

	if (streams->inside > 0)
		return;
	while (*at) {
		struct stream *stream = *at;

		if (!stream->ended) {
			at = &stream->next;
			continue;
		}
		*at = stream->next;
		streams->n--;
		free(stream);
	}
	if (streams->n == 0) {
		loop_timer_free(streams->tick);
		streams->tick = NULL;
	}
}

/* Its state goes at once, itself with the next sweep. */
static void retire(struct stream *stream)
{
	if (stream->ended)
		return;
	stream->ended = true;
	stream->kind->done(stream);
}

static struct stream *find(const struct streams *streams, uint64_t id)
{
	for (struct stream *stream = streams->first; stream; stream = stream->next)
		if (stream->id == id && !stream->ended)
			return stream;
	return NULL;
}

static void allow_more(struct stream *stream)
{
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	Wire__StreamCredit credit = WIRE__STREAM_CREDIT__INIT;

	if (stream->owed == 0 || (stream->kind->waiting && stream->kind->waiting(stream) > 0))
		return;
	credit.stream = stream->id;
	credit.bytes = (uint32_t)stream->owed;
	message.body_case = WIRE__TO_SERVER__BODY_STREAM_CREDIT;
	message.stream_credit = &credit;
	/* A full queue is tried again with the next tick. */
	if (link_send(agent_stream_config(stream)->link, &message) == 0)
		stream->owed = 0;
}

static void on_tick(void *arg)
{
	struct streams *streams = arg;

	streams->inside++;
	for (struct stream *stream = streams->first; stream; stream = stream->next) {
		if (!stream->ended)
			stream->kind->pump(stream);
		if (!stream->ended)
			allow_more(stream);
	}
	streams->inside--;
	sweep(streams);
}

/* ---- what kinds use ---- */

bool agent_stream_may_send(const struct stream *stream, size_t len)
{
	return !stream->ended && len <= stream->credit &&
	       link_queued(agent_stream_config(stream)->link) < STREAM_LINK_MAX;
}

bool agent_stream_send(struct stream *stream, const Wire__StreamData *data)
{
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	Wire__StreamData own = *data;
	int r;

	own.stream = stream->id;
	message.body_case = WIRE__TO_SERVER__BODY_STREAM_DATA;
	message.stream_data = &own;
	r = link_send(agent_stream_config(stream)->link, &message);
	if (r < 0) {
		log_warn("stream.send", log_fault(r));
		agent_stream_end(stream, "overrun", 0);
		return false;
	}
	stream->credit -= data->bytes.len;
	return true;
}

static void tell_close(struct streams *streams, uint64_t id, const char *reason, int32_t exit_code)
{
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	Wire__StreamClose close = WIRE__STREAM_CLOSE__INIT;
	char text[WIRE_TEXT_MAX / 4];
	int r;

	/* The engine's words. */
	text_copy(text, sizeof(text), reason);
	close.stream = id;
	close.reason = text;
	close.exit_code = exit_code;
	message.body_case = WIRE__TO_SERVER__BODY_STREAM_CLOSE;
	message.stream_close = &close;
	r = link_send(streams->config.link, &message);
	if (r < 0 && r != -ENOTCONN)
		log_warn("stream.close", log_fault(r));
}

void agent_stream_end(struct stream *stream, const char *reason, int32_t exit_code)
{
	if (stream->ended)
		return;
	tell_close(stream->streams, stream->id, reason, exit_code);
	retire(stream);
}

/* ---- messages ---- */

static const struct stream_kind *kind_of(Wire__StreamKind kind)
{
	switch (kind) {
	case WIRE__STREAM_KIND__STREAM_LOGS:
		return &agent_stream_logs;
	case WIRE__STREAM_KIND__STREAM_EXEC:
		return &agent_stream_exec;
	case WIRE__STREAM_KIND__STREAM_STATS:
		return &agent_stream_stats;
	default:
		return NULL;
	}
}

static int add(struct streams *streams, const Wire__StreamOpen *open, struct stream **ret_stream)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	int r = 0;

	if (!stream)
		return -ENOMEM;
	if (!streams->tick)
		r = loop_timer_new(streams->config.loop, STREAM_TICK_MS, STREAM_TICK_MS, on_tick,
				   streams, &streams->tick);
	if (r < 0) {
		free(stream);
		return r;
	}
	stream->streams = streams;
	stream->kind = kind_of(open->kind);
	stream->id = open->stream;
	memcpy(stream->lease.bytes, open->lease.data, sizeof(stream->lease.bytes));
	stream->credit = WIRE_STREAM_WINDOW;
	stream->next = streams->first;
	streams->first = stream;
	streams->n++;
	*ret_stream = stream;
	return 0;
}

void agent_streams_open(struct streams *streams, const Wire__StreamOpen *open)
{
	struct stream *stream;

	if (find(streams, open->stream))
		return;
	if (!kind_of(open->kind))
		tell_close(streams, open->stream, "unknown_kind", 0);
	else if (!reconcile_find(streams->config.reconcile, open->lease.data))
		tell_close(streams, open->stream, "no_such_lease", 0);
	else if (streams->n >= STREAMS_MAX || add(streams, open, &stream) < 0)
		tell_close(streams, open->stream, "too_many_streams", 0);
	else
		stream->kind->open(stream, open);
}

void agent_streams_data(struct streams *streams, const Wire__StreamData *data)
{
	struct stream *stream = find(streams, data->stream);

	if (!stream || !stream->kind->take)
		return;
	stream->owed += data->bytes.len;
	stream->kind->take(stream, data->channel, data->bytes.data, data->bytes.len);
}

void agent_streams_credit(struct streams *streams, const Wire__StreamCredit *credit)
{
	struct stream *stream = find(streams, credit->stream);

	if (!stream)
		return;
	/* More than a window is never outstanding. */
	stream->credit = size_min(stream->credit + credit->bytes, WIRE_STREAM_WINDOW);
	stream->kind->pump(stream);
}

void agent_streams_close(struct streams *streams, const Wire__StreamClose *close)
{
	struct stream *stream = find(streams, close->stream);

	if (stream)
		retire(stream);
}

void agent_streams_drop(struct streams *streams)
{
	for (struct stream *stream = streams->first; stream; stream = stream->next)
		retire(stream);
	sweep(streams);
}

void agent_streams_lines(struct streams *streams, const struct lease *lease)
{
	streams->inside++;
	for (struct stream *stream = streams->first; stream; stream = stream->next)
		if (!stream->ended && stream->kind == &agent_stream_logs &&
		    lease_id_equal(stream->lease, lease->id))
			stream->kind->pump(stream);
	streams->inside--;
}

int agent_streams_new(const struct streams_config *config, struct streams **ret_streams)
{
	struct streams *streams = calloc(1, sizeof(*streams));

	if (!streams)
		return -ENOMEM;
	streams->config = *config;
	*ret_streams = streams;
	return 0;
}

void agent_streams_free(struct streams *streams)
{
	if (!streams)
		return;
	agent_streams_drop(streams);
	free(streams);
}
