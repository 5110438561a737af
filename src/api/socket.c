#include "api/socket.h"

struct socket {
	const struct context *context;
	const struct ws_route *route;
	void *prepared; /* until open() took it */
	void *state;
};

static void on_open(void *arg, struct http_conn_id conn)
{
	struct socket *socket = arg;
	void *prepared = socket->prepared;

	socket->prepared = NULL;
	socket->state = socket->route->open(socket->context, conn, prepared);
	if (!socket->state)
		ws_close(socket->context->http, conn, 1013, "not possible now; try again later");
}

static void on_message(void *arg, struct http_conn_id conn _unused_, enum ws_kind kind,
		       const void *bytes, size_t len)
{
	struct socket *socket = arg;

	if (socket->state)
		socket->route->message(socket->state, kind, bytes, len);
}

static void on_close(void *arg, struct http_conn_id conn _unused_, uint16_t code)
{
	struct socket *socket = arg;

	if (socket->state)
		socket->route->closed(socket->state, code);
	else if (socket->prepared && socket->route->discard)
		socket->route->discard(socket->prepared);
	free(socket);
}

static const struct ws_handler handler = { on_open, on_message, on_close };

int socket_open(const struct context *context, const struct ws_route *route,
		struct http_conn_id conn, void *prepared, const char *protocol)
{
	struct socket *socket = malloc(sizeof(*socket));

	if (!socket)
		return -ENOMEM;
	*socket = (struct socket){ .context = context, .route = route, .prepared = prepared };
	http_upgrade(context->http, conn, &handler, socket, protocol);
	return 0;
}
