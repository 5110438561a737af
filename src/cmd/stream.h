/* stream.h - one WebSocket of the API from its opening to its end, as one blocking call. */
#pragma once

#include "cmd/client.h"
#include "io/ws_client.h"

struct stream;

/* All on the thread that called stream_run. Every member may be NULL. */
struct stream_handler {
	void (*on_open)(struct stream *stream, void *arg);
	void (*on_message)(struct stream *stream, void *arg, enum ws_kind kind, const void *bytes,
			   size_t len);
	/* SIGINT or SIGTERM; without it, either ends the stream. */
	void (*on_signal)(struct stream *stream, void *arg, int signal);
	/* The last call, while the loop is still there. */
	void (*on_end)(struct stream *stream, void *arg);
};

struct stream_end {
	int status; /* 101 once it was open, the HTTP status that refused it, 0 for no answer */
	uint16_t code; /* RFC 6455 section 7.4 */
	int signal; /* which ended it; 0: none */
	char detail[256];
};

/* Connects to @path of the client's API and returns when the connection has ended: 0, whatever the
 * end was, or enum cli_exit. */
_must_check_ int stream_run(struct client *client, const char *path,
			    const struct stream_handler *handler, void *arg,
			    struct stream_end *ret_end);

/* From within the handler's calls. */
struct loop *stream_loop(struct stream *stream);
_must_check_ int stream_send(struct stream *stream, enum ws_kind kind, const void *bytes,
			     size_t len);
void stream_close(struct stream *stream);

/* The exit code of an end that is not a normal one (1000); says why. */
int stream_exit_code(const struct stream_end *end);
