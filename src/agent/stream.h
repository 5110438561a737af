/* stream.h - logs, exec and stats of a lease, carried over the link for the control plane.
 *
 * Each stream has credit in both directions (wire.proto): nothing is sent that the other side did not
 * allow, and the engine waits when the control plane is slow. A stream ends with a StreamClose from
 * whichever side ends it first; all end with the session. */
#pragma once

#include "link/link.h"
#include "agent/reconcile.h"

struct streams;
struct stream;

enum {
	STREAMS_MAX = 256,
	STREAM_TICK_MS = 50, /* how often what waits is tried again */
	STREAM_LINK_MAX = 1 << 20, /* unsent bytes of the link above which streams wait */
};

struct streams_config {
	struct loop *loop;
	struct engine *engine;
	const struct clock *clock;
	struct reconcile *reconcile;
	struct link *link;
};

_must_check_ int agent_streams_new(const struct streams_config *config,
				   struct streams **ret_streams);
void agent_streams_free(struct streams *streams);

/* Messages of the control plane. */
void agent_streams_open(struct streams *streams, const Wire__StreamOpen *open);
void agent_streams_data(struct streams *streams, const Wire__StreamData *data);
void agent_streams_credit(struct streams *streams, const Wire__StreamCredit *credit);
void agent_streams_close(struct streams *streams, const Wire__StreamClose *close);

/* The session ended: all streams are gone. */
void agent_streams_drop(struct streams *streams);

/* The lease's log has grown, or is complete. */
void agent_streams_lines(struct streams *streams, const struct lease *lease);

/* ---- for the kinds of streams ---- */

struct stream_kind {
	/* Begins; on failure ends the stream itself. */
	void (*open)(struct stream *stream, const Wire__StreamOpen *open);
	/* Goes on where it may: called when credit comes, when lines come, and by the clock. */
	void (*pump)(struct stream *stream);
	/* Input. NULL: none is taken. */
	void (*take)(struct stream *stream, Wire__Channel channel, const void *bytes, size_t len);
	/* Bytes of input that were taken and not yet passed on: no more is allowed before. */
	size_t (*waiting)(const struct stream *stream);
	/* Frees .state. */
	void (*done)(struct stream *stream);
};

struct stream {
	struct stream *next;
	struct streams *streams;
	const struct stream_kind *kind;
	uint64_t id;
	struct lease_id lease;
	size_t credit; /* bytes that may be sent */
	size_t owed; /* bytes taken and not yet allowed anew */
	bool ended; /* freed by the table as soon as nobody stands in it */
	void *state; /* the kind's own */
};

extern const struct stream_kind agent_stream_logs, agent_stream_exec, agent_stream_stats;

const struct streams_config *agent_stream_config(const struct stream *stream);

/* NULL: it is not here any longer. */
struct lease *agent_stream_lease(const struct stream *stream);

/* Whether @len bytes may go out now. */
bool agent_stream_may_send(const struct stream *stream, size_t len);

/* Sends; the caller asked stream_may_send. False: the link refused, and the stream has ended. */
bool agent_stream_send(struct stream *stream, const Wire__StreamData *data);

/* Ends the stream. @reason "": as it should. */
void agent_stream_end(struct stream *stream, const char *reason, int32_t exit_code);
