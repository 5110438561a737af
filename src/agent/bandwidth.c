#include "agent/bandwidth.h"

#include "base/log.h"
#include "io/http_server.h"
#include "io/loop.h"
#include "popw/message.h"

enum { TICK_MS = 1 };

/* A session whose members may come. */
struct admission {
	struct proof_id id;
	unsigned int panel_size; /* 0: this place is free */
	uint32_t came; /* set of members */
	uint16_t bandwidth_ms;
	struct hash digest; /* of the session: in what its members sign */
	struct address members[SESSION_PANEL_MAX];
};

enum visit_step { GREETING, SENDING, TAKING, ANSWERED };

struct visit {
	struct visit *next;
	struct bandwidth_server *server; /* NULL: it is gone */
	struct http_conn_id conn;
	enum visit_step step;
	struct proof_id id; /* of its session, from SENDING on */
	uint64_t limit_ms;
	int64_t until_ms; /* monotonic */
	struct bandwidth_stream stream;
	struct bandwidth_count count;
};

struct bandwidth_server {
	struct loop *loop;
	const struct clock *clock;
	struct http_server *http;
	struct loop_timer *tick; /* while there are visits */
	struct hasher *hasher; /* from the first session on: libcrypto is large */
	struct admission admissions[BANDWIDTH_SESSIONS_MAX];
	struct visit *visits;
	uint8_t chunk[BANDWIDTH_CHUNK];
};

static struct admission *find_admission(struct bandwidth_server *server, const struct proof_id *id)
{
	for (size_t i = 0; i < ARRAY_SIZE(server->admissions); i++)
		if (server->admissions[i].panel_size &&
		    proof_id_equal(server->admissions[i].id, *id))
			return &server->admissions[i];
	return NULL;
}

static void enter(struct visit *visit, enum visit_step step, uint64_t ms)
{
	visit->step = step;
	visit->until_ms = clock_mono_ms(visit->server->clock) + (int64_t)ms;
}

static void cut(struct visit *visit, const char *why)
{
	enter(visit, ANSWERED, BANDWIDTH_SLACK_MS);
	ws_close(visit->server->http, visit->conn, 1008, why);
}

/* ---- sending ---- */

static size_t queue_limit(const struct bandwidth_server *server)
{
	size_t n = 0, limit;

	for (const struct visit *visit = server->visits; visit; visit = visit->next)
		n += visit->step == SENDING;
	limit = BANDWIDTH_QUEUE_TOTAL / (n ? n : 1);
	limit = size_min(limit, BANDWIDTH_QUEUE_MAX);
	return limit > BANDWIDTH_QUEUE_MIN ? limit : BANDWIDTH_QUEUE_MIN;
}

static void fill_queue(struct visit *visit, size_t limit)
{
	struct bandwidth_server *server = visit->server;

	/* The socket may take it at once: not for longer than one fill. */
	for (size_t given = 0;
	     given < limit && ws_queued(server->http, visit->conn) + BANDWIDTH_CHUNK <= limit;
	     given += BANDWIDTH_CHUNK) {
		bandwidth_next(&visit->stream, server->chunk);
		ws_send(server->http, visit->conn, WS_BINARY, server->chunk, BANDWIDTH_CHUNK);
	}
}

static void stop_sending(struct visit *visit)
{
	if (bandwidth_count_init(&visit->count) < 0) {
		cut(visit, "out of memory");
		return;
	}
	ws_send(visit->server->http, visit->conn, WS_TEXT, BANDWIDTH_STOP, strlen(BANDWIDTH_STOP));
	enter(visit, TAKING, visit->limit_ms + BANDWIDTH_SLACK_MS);
}

static void look_at(struct visit *visit, size_t limit, int64_t now_ms)
{
	bool late = now_ms >= visit->until_ms;

	if (visit->step == SENDING && late)
		stop_sending(visit);
	else if (visit->step == SENDING)
		fill_queue(visit, limit);
	else if (late)
		cut(visit, "too late");
}

static void on_tick(void *arg)
{
	struct bandwidth_server *server = arg;
	int64_t now_ms = clock_mono_ms(server->clock);
	size_t limit = queue_limit(server);

	for (struct visit *visit = server->visits; visit; visit = visit->next)
		look_at(visit, limit, now_ms);
	if (!server->visits) {
		loop_timer_free(server->tick);
		server->tick = NULL;
	}
}

/* ---- what members say ---- */

/* Where @hello, in @bytes, is of a member that may come now; NULL. */
static struct admission *admission_of(struct bandwidth_server *server,
				      const struct bandwidth_hello *hello, const void *bytes,
				      size_t len)
{
	struct admission *admission = find_admission(server, &hello->session);

	if (!admission || hello->member >= admission->panel_size ||
	    admission->came >> hello->member & 1)
		return NULL;
	return message_signed_by(server->hasher, TAG_HELLO, &admission->digest,
				 &admission->members[hello->member], bytes, len)
		       ? admission
		       : NULL;
}

static void take_hello(struct visit *visit, const void *bytes, size_t len)
{
	struct bandwidth_hello hello;
	struct admission *admission;

	if (bandwidth_hello_decode(bytes, len, &hello) != 0) {
		cut(visit, "no HELLO");
		return;
	}
	admission = admission_of(visit->server, &hello, bytes, len);
	if (!admission) {
		cut(visit, "not signed by a member that is awaited, or not for the first time");
		return;
	}
	admission->came |= 1u << hello.member;
	http_keep(visit->server->http, visit->conn);
	visit->id = hello.session;
	visit->limit_ms = bandwidth_limit_ms(admission->bandwidth_ms);
	bandwidth_stream_init(&visit->stream, hello.nonce, hello.member);
	enter(visit, SENDING, visit->limit_ms);
}

static void answer(struct visit *visit)
{
	uint8_t bytes[BANDWIDTH_ANSWER_SIZE];
	struct bandwidth_answer count;

	bandwidth_count_end(&visit->count, &count);
	bandwidth_answer_encode(&count, bytes);
	ws_send(visit->server->http, visit->conn, WS_BINARY, bytes, sizeof(bytes));
	enter(visit, ANSWERED, BANDWIDTH_SLACK_MS);
}

static bool says(enum ws_kind kind, const void *bytes, size_t len, const char *word)
{
	return kind == WS_TEXT && len == strlen(word) && memcmp(bytes, word, len) == 0;
}

static void on_message(void *arg, struct http_conn_id conn _unused_, enum ws_kind kind,
		       const void *bytes, size_t len)
{
	struct visit *visit = arg;
	bool stop = says(kind, bytes, len, BANDWIDTH_STOP);

	if (!visit->server || visit->step == ANSWERED)
		return;
	if (visit->step == GREETING && kind == WS_BINARY)
		take_hello(visit, bytes, len);
	else if (visit->step == SENDING && stop)
		stop_sending(visit);
	else if (visit->step == TAKING && kind == WS_BINARY)
		bandwidth_count_add(&visit->count, bytes, len);
	else if (visit->step == TAKING && says(kind, bytes, len, BANDWIDTH_END))
		answer(visit);
	else if (visit->step != TAKING || !stop) /* both may say it at the same time */
		cut(visit, "that has no place here");
}

/* ---- visits ---- */

static void on_close(void *arg, struct http_conn_id conn _unused_, uint16_t code _unused_)
{
	struct visit *visit = arg;
	struct visit **at = visit->server ? &visit->server->visits : NULL;

	while (at && *at != visit)
		at = &(*at)->next;
	if (at)
		*at = visit->next;
	bandwidth_count_done(&visit->count);
	free(visit);
}

static const struct ws_handler handler = { NULL, on_message, on_close };

static int admit_visit(struct bandwidth_server *server, struct http_conn_id conn)
{
	struct visit *visit;
	int r = 0;

	if (!server->tick)
		r = loop_timer_new(server->loop, TICK_MS, TICK_MS, on_tick, server, &server->tick);
	if (r < 0)
		return r;
	visit = calloc(1, sizeof(*visit));
	if (!visit)
		return -ENOMEM;
	visit->server = server;
	visit->conn = conn;
	enter(visit, GREETING, BANDWIDTH_HELLO_MS);
	visit->next = server->visits;
	server->visits = visit;
	http_upgrade(server->http, conn, &handler, visit, NULL);
	return 0;
}

static bool awaits_anybody(const struct bandwidth_server *server)
{
	for (size_t i = 0; i < ARRAY_SIZE(server->admissions); i++)
		if (server->admissions[i].panel_size)
			return true;
	return false;
}

static void on_request(void *arg, const struct http_request *request)
{
	struct bandwidth_server *server = arg;
	int status = 404;

	if (strcmp(request->path, BANDWIDTH_PATH) == 0) {
		status = !request->websocket ? 400 : !awaits_anybody(server) ? 403 : 101;
		if (status == 101 && admit_visit(server, request->conn) < 0)
			status = 503;
	}
	if (status != 101)
		http_reply(server->http, request->conn, status, NULL, 0, NULL, 0);
}

/* ---- sessions ---- */

static struct admission *free_admission(struct bandwidth_server *server)
{
	for (size_t i = 0; i < ARRAY_SIZE(server->admissions); i++)
		if (!server->admissions[i].panel_size)
			return &server->admissions[i];
	return NULL;
}

void bandwidth_server_admit(struct bandwidth_server *server, const struct summons *summons)
{
	struct admission *admission = free_admission(server);
	int r = 0;

	if (summons->bandwidth_ms == 0)
		return;
	if (!admission) {
		log_warn("bandwidth.full", log_int("sessions", BANDWIDTH_SESSIONS_MAX));
		return;
	}
	if (!server->hasher)
		r = hasher_new(&server->hasher);
	if (r < 0) {
		log_warn("bandwidth.admit", log_fault(r));
		return;
	}
	*admission = (struct admission){
		.id = summons->session.id,
		.panel_size = summons->session.panel_size,
		.bandwidth_ms = summons->bandwidth_ms,
	};
	session_digest(server->hasher, &summons->session, &admission->digest);
	memcpy(admission->members, summons->members, sizeof(admission->members));
}

void bandwidth_server_dismiss(struct bandwidth_server *server, const struct proof_id *id)
{
	struct admission *admission = find_admission(server, id);

	if (!admission)
		return;
	*admission = (struct admission){ 0 };
	for (struct visit *visit = server->visits; visit; visit = visit->next)
		if (visit->step != ANSWERED && proof_id_equal(visit->id, *id))
			cut(visit, "the session is over");
}

/* ---- beginning and end ---- */

int bandwidth_server_new(struct loop *loop, const struct clock *clock, const char *host,
			 uint16_t port, struct bandwidth_server **ret_server)
{
	struct bandwidth_server *server = calloc(1, sizeof(*server));
	struct http_server_config config;
	int r;

	if (!server)
		return -ENOMEM;
	server->loop = loop;
	server->clock = clock;
	http_server_config_init(&config);
	config.host = host;
	config.port = port;
	config.max_connections = BANDWIDTH_CONNECTIONS_MAX;
	config.max_strangers = BANDWIDTH_STRANGERS_MAX;
	config.max_body_bytes = 0;
	config.idle_timeout_ms = BANDWIDTH_HELLO_MS;
	config.header_timeout_ms = BANDWIDTH_HELLO_MS;
	config.ws_max_message_bytes = BANDWIDTH_CHUNK;
	config.ws_max_queue_bytes = 4 * BANDWIDTH_QUEUE_MAX; /* never reached by fill_queue */
	config.on_request = on_request;
	config.arg = server;
	r = http_server_new(loop, &config, &server->http);
	if (r < 0) {
		free(server);
		return r;
	}
	*ret_server = server;
	return 0;
}

uint16_t bandwidth_server_port(const struct bandwidth_server *server)
{
	return http_server_port(server->http);
}

void bandwidth_server_free(struct bandwidth_server *server)
{
	if (!server)
		return;
	/* Their last call may come when this is gone. */
	for (struct visit *visit = server->visits; visit; visit = visit->next)
		visit->server = NULL;
	loop_timer_free(server->tick);
	http_server_free(server->http);
	hasher_free(server->hasher);
	free(server);
}
