#include "agent/stats.h"
#include "agent/stream.h"

enum { SAMPLE_MS = 1000, FIRST_SAMPLE_MS = 250 };

struct sampling {
	struct stream *stream;
	struct engine_call *call;
	struct stats before; /* .at_ms 0: none yet */
	int64_t next_ms; /* by the monotonic clock */
	bool follow;
};

static int64_t mono_ms(const struct stream *stream)
{
	return clock_mono_ms(agent_stream_config(stream)->clock);
}

static void show(struct stream *stream, const struct stats *before, const struct stats *now)
{
	Wire__StreamData data = WIRE__STREAM_DATA__INIT;
	char text[STATS_TEXT_SIZE];

	stats_text(before, now, text);
	data.channel = WIRE__CHANNEL__CHANNEL_STATS;
	data.bytes = (ProtobufCBinaryData){ strlen(text), (uint8_t *)text };
	data.at_ms = now->at_ms;
	/* A reader without credit misses samples, not the latest one. */
	if (agent_stream_may_send(stream, data.bytes.len))
		agent_stream_send(stream, &data);
}

/* The container runs no more; who has seen it run has seen all of it. */
static void end_of_run(struct stream *stream, const struct sampling *sampling)
{
	agent_stream_end(stream, sampling->before.at_ms ? "" : "not_running", 0);
}

static void on_stats(void *arg, const struct engine_reply *reply)
{
	struct sampling *sampling = arg;
	struct stream *stream = sampling->stream;
	bool follow = sampling->follow;
	struct stats now, before = sampling->before;

	sampling->call = NULL;
	if (reply->fault) {
		agent_stream_end(stream, "engine_down", 0);
		return;
	}
	if (!engine_ok(reply) ||
	    stats_parse(reply->json, clock_now_ms(agent_stream_config(stream)->clock), &now) < 0) {
		end_of_run(stream, sampling);
		return;
	}
	sampling->before = now;
	sampling->next_ms = mono_ms(stream) + (before.at_ms ? SAMPLE_MS : FIRST_SAMPLE_MS);
	if (before.at_ms == 0)
		return;
	show(stream, &before, &now);
	if (!follow)
		agent_stream_end(stream, "", 0);
}

static void pump(struct stream *stream)
{
	struct sampling *sampling = stream->state;
	struct lease *lease = agent_stream_lease(stream);

	if (!lease || lease->seen != SEEN_RUNNING) {
		if (lease && lease_ended(lease))
			agent_stream_end(stream, "", 0);
		else
			end_of_run(stream, sampling);
		return;
	}
	if (sampling->call || mono_ms(stream) < sampling->next_ms)
		return;
	if (engine_stats(agent_stream_config(stream)->engine, lease->container.id, on_stats,
			 sampling, &sampling->call) < 0)
		agent_stream_end(stream, "engine_down", 0);
}

static void open(struct stream *stream, const Wire__StreamOpen *message)
{
	struct sampling *sampling = calloc(1, sizeof(*sampling));

	stream->state = sampling;
	if (!sampling) {
		agent_stream_end(stream, "out_of_memory", 0);
		return;
	}
	sampling->stream = stream;
	sampling->follow = message->follow;
	pump(stream);
}

static void done(struct stream *stream)
{
	struct sampling *sampling = stream->state;

	if (sampling)
		engine_cancel(sampling->call);
	free(sampling);
	stream->state = NULL;
}

const struct stream_kind agent_stream_stats = { .open = open, .pump = pump, .done = done };
