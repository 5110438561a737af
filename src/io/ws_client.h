/* ws_client.h - one outgoing WebSocket on a loop (the agent's link; the CLI's logs, exec, events).
 * ws:// and wss://; ws_transport.h makes the connection, wslay the frames. */
#pragma once

#include "io/http_server.h"

struct ws_client;

/* All on the loop. */
struct ws_client_handler {
	void (*on_open)(void *arg);
	void (*on_message)(void *arg, enum ws_kind kind, const void *bytes, size_t len);
	/* The last call; the client is freed behind it. @status: 101 once it was open, the HTTP status
	 * that refused the upgrade, or 0 when there was no answer. @code: the close code, 1006 without
	 * one. @detail: one line for people: the close reason, the problem's detail, or the fault. */
	void (*on_close)(void *arg, int status, uint16_t code, const char *detail);
};

struct ws_client_config {
	const char *url; /* ws://host:port/path?query */
	const struct http_header *headers;
	size_t n_headers;
	uint64_t connect_timeout_ms;
	uint64_t ping_ms; /* sends pings; a server silent for two of them is cut */
	size_t max_message_bytes;
	size_t max_queue_bytes;
};

/* Connects in the background. Copies the configuration; @handler must outlive the client. On the
 * loop. Faults: -ENOMEM, -EINVAL (the URL); then on_close is not called. */
_must_check_ int ws_client_open(struct loop *loop, const struct ws_client_config *config,
				const struct ws_client_handler *handler, void *arg,
				struct ws_client **ret_client);

/* -EAGAIN when the queue is full (the message is not taken); -EPIPE before on_open and while it
 * ends; -ENOMEM. On the loop. */
_must_check_ int ws_client_send(struct ws_client *client, enum ws_kind kind, const void *bytes,
				size_t len);

/* Bytes queued and not yet sent. */
size_t ws_client_queued(const struct ws_client *client);

/* Ends the connection; on_close follows on the loop. */
void ws_client_close(struct ws_client *client, uint16_t code);
