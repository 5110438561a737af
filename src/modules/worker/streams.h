/* streams.h - logs, exec and stats relayed between a handler and an agent's session: bytes flow in
 * both directions only against credit, so that neither side can fill the other's memory. On the loop
 * only. */
#pragma once

#include "modules/worker/worker.h"
#include "wire/wire.h"

enum { STREAMS_OF_SESSION_MAX = 64 };

/* The streams of one session. */
struct streams {
	struct http_server *http;
	struct http_conn_id conn;
	struct arena *scratch; /* for one outgoing message; borrowed */
	struct worker_stream *first;
	size_t n;
};

/* What the agent sent. False: it broke the protocol (more than its credit). A stream that is not
 * there (any more) is passed over. */
_must_check_ bool streams_data(struct streams *streams, const Wire__StreamData *data);
_must_check_ bool streams_credit(struct streams *streams, const Wire__StreamCredit *credit);
void streams_closed(struct streams *streams, const Wire__StreamClose *closed);

/* The session is gone: each handler hears @reason. */
void streams_end(struct streams *streams, const char *reason);
