/* bandwidth.h - the worker's end of popw/bandwidth.h: an HTTP server of its own on the proof port, whose one
 * route is a WebSocket.
 *
 * It serves the members of a session that the agent admitted, each once, by its signature, within the session's
 * times; all others are refused. Who comes when all connections are taken has the place of the oldest that has
 * not said HELLO, so that strangers do not keep members out. Everything is on the loop. */
#pragma once

#include "base/clock.h"
#include "popw/bandwidth.h"
#include "popw/summons.h"

struct loop;
struct bandwidth_server;

enum {
	BANDWIDTH_SESSIONS_MAX = 8, /* admitted at once */
	BANDWIDTH_CONNECTIONS_MAX = 256,
	BANDWIDTH_STRANGERS_MAX = 32, /* of one network, before HELLO; a panel is smaller */
	BANDWIDTH_HELLO_MS = 5000, /* from the connection to HELLO */
	BANDWIDTH_SLACK_MS = 5000, /* beyond what a direction may take */
	BANDWIDTH_QUEUE_TOTAL = 4 << 20, /* unsent bytes of all, about */
	BANDWIDTH_QUEUE_MAX = 1 << 20, /* of one */
	BANDWIDTH_QUEUE_MIN = 128 << 10,
};

/* @host: numeric; @port 0: any free one. Faults: -EADDRINUSE, -EACCES, -EINVAL, -ENOMEM. */
_must_check_ int bandwidth_server_new(struct loop *loop, const struct clock *clock,
				      const char *host, uint16_t port,
				      struct bandwidth_server **ret_server);
void bandwidth_server_free(struct bandwidth_server *server);
uint16_t bandwidth_server_port(const struct bandwidth_server *server);

/* The members of @summons may come; one without bandwidth_ms changes nothing. Past the most, they are
 * refused, and it is logged. */
void bandwidth_server_admit(struct bandwidth_server *server, const struct summons *summons);
/* No longer: those that are there are cut. */
void bandwidth_server_dismiss(struct bandwidth_server *server, const struct proof_id *id);
