/* socket.h - a WebSocket of a ws route, from the upgrade to its end. */
#pragma once

#include "api/route.h"

/* Upgrades @conn; takes over @prepared unless it fails (-ENOMEM). From any thread. */
_must_check_ int socket_open(const struct context *context, const struct ws_route *route,
			     struct http_conn_id conn, void *prepared, const char *protocol);
