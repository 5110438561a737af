#include "io/http_conn.h"

#include "base/log.h"

enum {
	BACKLOG = 1024,
	SLOT_BITS = 24,
};

void http_server_config_init(struct http_server_config *config)
{
	*config = (struct http_server_config){
		.max_connections = 10000,
		.max_header_bytes = 16 * 1024,
		.max_body_bytes = 1024 * 1024,
		.header_timeout_ms = 10 * 1000,
		.body_timeout_ms = 30 * 1000,
		.idle_timeout_ms = 60 * 1000,
		.send_timeout_ms = 30 * 1000,
		.ws_max_message_bytes = 1024 * 1024,
		.ws_max_queue_bytes = 4 * 1024 * 1024,
		.ws_ping_ms = 20 * 1000,
	};
}

/* ---- ids and slots ---- */

struct http_conn_id http_conn_id_of(const struct http_conn *conn)
{
	return (struct http_conn_id){ conn->generation << SLOT_BITS | (conn->slot + 1) };
}

void http_conn_renew(struct http_conn *conn)
{
	conn->generation = ++conn->server->slots[conn->slot].generation;
}

struct http_conn *http_server_find(struct http_server *server, struct http_conn_id id)
{
	uint64_t slot = id.value & ((1 << SLOT_BITS) - 1);
	struct http_conn *conn;

	if (slot == 0 || slot > server->n_slots)
		return NULL;
	conn = server->slots[slot - 1].conn;
	return conn && conn->generation == id.value >> SLOT_BITS ? conn : NULL;
}

static int slots_new(struct http_server *server)
{
	/* Those above the limit are told so, up to a limit of their own. */
	size_t n = server->config.max_connections + server->config.max_connections / 8 + 16;

	if (n >= 1 << SLOT_BITS)
		return -EINVAL;
	server->slots = calloc(n, sizeof(*server->slots));
	server->free_slots = calloc(n, sizeof(*server->free_slots));
	if (!server->slots || !server->free_slots)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		server->free_slots[i] = (uint32_t)(n - 1 - i);
	server->n_slots = server->n_free_slots = n;
	return 0;
}

static void maybe_drained(struct http_server *server);

void http_server_release(struct http_server *server, struct http_conn *conn)
{
	server->slots[conn->slot].conn = NULL;
	server->free_slots[server->n_free_slots++] = conn->slot;
	server->n_conns--;
	maybe_drained(server);
}

/* ---- accepting ---- */

static void on_stray_closed(uv_handle_t *handle)
{
	struct http_conn *conn = handle->data;
	struct http_server *server = conn->server;

	free(conn);
	http_server_handle_closed(server);
}

/* Takes the connection from the kernel only to close it. */
static void turn_away(struct http_conn *conn)
{
	uv_close((uv_handle_t *)&conn->tcp, on_stray_closed);
}

/* Strangers that came before @conn: the oldest that makes room for it; NULL. */
static struct http_conn *in_the_way(const struct http_server *server, const struct http_conn *conn)
{
	struct http_conn *oldest = NULL, *own = NULL;
	size_t n_own = 0;

	for (size_t i = 0; i < server->n_slots; i++) {
		struct http_conn *other = server->slots[i].conn;

		if (!other || other == conn || other->known)
			continue;
		if (!oldest || other->arrival < oldest->arrival)
			oldest = other;
		if (memcmp(other->network, conn->network, sizeof(conn->network)) != 0)
			continue;
		n_own++;
		if (!own || other->arrival < own->arrival)
			own = other;
	}
	if (n_own >= server->config.max_strangers)
		return own;
	return server->n_conns > server->config.max_connections ? oldest : NULL;
}

static void make_room(struct http_server *server, struct http_conn *conn)
{
	struct http_conn *other;

	conn->arrival = server->arrivals++;
	other = server->config.max_strangers > 0 ? in_the_way(server, conn) : NULL;
	if (other)
		http_conn_close(other, true);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct http_server *server = listener->data;
	struct http_conn *conn;

	if (status < 0) {
		log_warn("http_accept_failed", log_text("fault", uv_err_name(status)));
		return;
	}
	conn = calloc(1, sizeof(*conn));
	if (!conn) {
		log_error("http_accept_failed", log_fault(-ENOMEM));
		return;
	}
	conn->server = server;
	conn->tcp.data = conn->timer.data = conn;
	uv_tcp_init(listener->loop, &conn->tcp);
	server->open_handles++;
	if (uv_accept(listener, (uv_stream_t *)&conn->tcp) < 0 || server->n_free_slots == 0) {
		turn_away(conn);
		return;
	}
	uv_timer_init(listener->loop, &conn->timer);
	conn->open_handles = 2;
	conn->slot = server->free_slots[--server->n_free_slots];
	server->slots[conn->slot].conn = conn;
	server->n_conns++;
	http_conn_start(conn);
	make_room(server, conn);
	if (server->n_conns > server->config.max_connections)
		http_conn_refuse(conn, 503, "too many connections");
}

static int listen_on(struct http_server *server)
{
	const struct http_server_config *config = &server->config;
	struct sockaddr_storage address;
	int len = sizeof(address), r;

	r = uv_ip4_addr(config->host, config->port, (struct sockaddr_in *)&address);
	if (r < 0)
		r = uv_ip6_addr(config->host, config->port, (struct sockaddr_in6 *)&address);
	if (r < 0)
		return -EINVAL;
	r = uv_tcp_bind(&server->listener, (struct sockaddr *)&address, 0);
	if (r == 0)
		r = uv_listen((uv_stream_t *)&server->listener, BACKLOG, on_connection);
	if (r == 0)
		r = uv_tcp_getsockname(&server->listener, (struct sockaddr *)&address, &len);
	if (r < 0)
		return r;
	server->port = ntohs(address.ss_family == AF_INET
				     ? ((struct sockaddr_in *)&address)->sin_port
				     : ((struct sockaddr_in6 *)&address)->sin6_port);
	return 0;
}

int http_server_new(struct loop *loop, const struct http_server_config *config,
		    struct http_server **ret_server)
{
	struct http_server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return -ENOMEM;
	server->loop = loop;
	server->config = *config;
	server->shared.max_header_bytes = config->max_header_bytes;
	server->shared.max_body_bytes = config->max_body_bytes;
	uv_tcp_init(loop_uv(loop), &server->listener);
	uv_timer_init(loop_uv(loop), &server->drain_timer);
	server->listener.data = server->drain_timer.data = server;
	server->open_handles = 2;
	r = slots_new(server);
	if (r == 0)
		r = listen_on(server);
	if (r < 0) {
		http_server_free(server);
		return r;
	}
	*ret_server = server;
	return 0;
}

uint16_t http_server_port(const struct http_server *server)
{
	return server->port;
}

/* ---- answers ---- */

struct reply {
	struct http_server *server;
	struct http_conn_id conn;
	int status;
	size_t lines_len, body_len;
	char bytes[];
};

static void reply_on_loop(void *arg)
{
	struct reply *reply = arg;
	struct http_conn *conn = http_server_find(reply->server, reply->conn);

	if (conn && conn->phase == HTTP_PHASE_HANDLING)
		http_conn_answer(conn, reply->status, reply->bytes, reply->lines_len,
				 reply->bytes + reply->lines_len, reply->body_len);
	free(reply);
}

static void reply_post(struct http_server *server, const struct reply *like,
		       const struct http_header *headers, size_t n_headers, const void *body)
{
	struct reply *reply = malloc(sizeof(*reply) + like->lines_len + like->body_len);
	int r = -ENOMEM;

	if (reply) {
		*reply = *like;
		http_lines_write(headers, n_headers, reply->bytes);
		if (like->body_len > 0)
			memcpy(reply->bytes + like->lines_len, body, like->body_len);
		r = loop_post(server->loop, reply_on_loop, reply);
	}
	if (r == 0)
		return;
	free(reply);
	if (r != -ESHUTDOWN)
		log_error("http_reply_lost", log_fault(r));
}

void http_reply(struct http_server *server, struct http_conn_id id, int status,
		const struct http_header *headers, size_t n_headers, const void *body,
		size_t body_len)
{
	struct reply reply = {
		.server = server, .conn = id, .status = status, .body_len = body_len
	};
	struct http_conn *conn;
	int r = http_lines_size(headers, n_headers, &reply.lines_len);

	if (r < 0) {
		log_error("http_reply_invalid", log_fault(r));
		reply.status = 500;
		n_headers = reply.lines_len = reply.body_len = 0;
	}
	if (!loop_is_current(server->loop)) {
		reply_post(server, &reply, headers, n_headers, body);
		return;
	}
	conn = http_server_find(server, id);
	if (!conn || conn->phase != HTTP_PHASE_HANDLING)
		return;
	http_lines_write(headers, n_headers, server->lines);
	http_conn_answer(conn, reply.status, server->lines, reply.lines_len, body, reply.body_len);
}

void http_keep(struct http_server *server, struct http_conn_id id)
{
	struct http_conn *conn = http_server_find(server, id);

	if (conn)
		conn->known = true;
}

/* ---- the end ---- */

void http_server_handle_closed(struct http_server *server)
{
	if (--server->open_handles > 0 || !server->freed)
		return;
	http_reader_shared_done(&server->shared);
	free(server->slots);
	free(server->free_slots);
	free(server);
}

static void on_own_closed(uv_handle_t *handle)
{
	http_server_handle_closed(handle->data);
}

static void close_own(uv_handle_t *handle)
{
	if (!uv_is_closing(handle))
		uv_close(handle, on_own_closed);
}

static void close_conns(struct http_server *server)
{
	for (size_t i = 0; i < server->n_slots; i++)
		if (server->slots[i].conn)
			http_conn_close(server->slots[i].conn, true);
}

static void on_drained(uv_timer_t *timer)
{
	struct http_server *server = timer->data;
	void (*done)(void *arg) = server->drain_done;

	server->drain_done = NULL;
	close_conns(server);
	if (done)
		done(server->drain_arg);
}

static void maybe_drained(struct http_server *server)
{
	if (server->drain_done && server->n_conns == 0)
		uv_timer_start(&server->drain_timer, on_drained, 0, 0);
}

void http_server_drain(struct http_server *server, uint64_t timeout_ms, void (*done)(void *arg),
		       void *arg)
{
	server->draining = true;
	server->drain_done = done;
	server->drain_arg = arg;
	close_own((uv_handle_t *)&server->listener);
	uv_timer_start(&server->drain_timer, on_drained, timeout_ms, 0);
	for (size_t i = 0; i < server->n_slots; i++)
		if (server->slots[i].conn)
			http_conn_drain(server->slots[i].conn);
	maybe_drained(server);
}

/* The memory goes with the last handle, which the loop closes before it is freed. */
void http_server_free(struct http_server *server)
{
	if (!server)
		return;
	server->freed = true;
	server->drain_done = NULL;
	close_conns(server);
	close_own((uv_handle_t *)&server->listener);
	close_own((uv_handle_t *)&server->drain_timer);
}
