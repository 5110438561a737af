#include "agent/fake_engine.h"

#include <jansson.h>
#include <uv.h>

#include "io/loop.h"

#define FAKE_TORN_ID "0cd9276381dd45eaf2386807d687abc28fadd427896b3a19d60ec4873e47430d"

enum { REQUEST_MAX = 65536, ANSWER_MAX = 8192, FLOOD_SIZE = 65536 };

struct peer {
	struct fake_engine *fake;
	struct peer *next;
	uv_pipe_t pipe;
	uv_timer_t timer; /* of a slow answer, or a flood */
	int handles;
	bool answered, closing;
	char method[8], path[512];
	size_t len;
	char request[REQUEST_MAX];
};

struct fake_engine {
	struct loop *loop;
	uv_pipe_t listener;
	struct peer *peers;
	struct fake_rule rules[FAKE_RULES_MAX];
	size_t n_rules;
	enum fake_container container;
	json_t *labels;
	unsigned int calls;
	bool closed;
};

struct piece {
	uv_write_t write;
	bool last;
	char bytes[];
};

/* ---- connections ---- */

static void on_peer_closed(uv_handle_t *handle)
{
	struct peer *peer = handle->data, **at = &peer->fake->peers;

	if (--peer->handles > 0)
		return;
	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	free(peer);
}

static void close_peer(struct peer *peer)
{
	if (peer->closing)
		return;
	peer->closing = true;
	uv_close((uv_handle_t *)&peer->pipe, on_peer_closed);
	uv_close((uv_handle_t *)&peer->timer, on_peer_closed);
}

static void on_written(uv_write_t *write, int status)
{
	struct piece *piece = (struct piece *)write;
	struct peer *peer = write->handle->data;

	if (status < 0 || piece->last)
		close_peer(peer);
	free(piece);
}

static void say(struct peer *peer, const char *bytes, size_t len, bool last)
{
	struct piece *piece = malloc(sizeof(*piece) + len);
	uv_buf_t buf;

	if (!piece)
		abort();
	piece->last = last;
	memcpy(piece->bytes, bytes, len);
	buf = uv_buf_init(piece->bytes, (unsigned int)len);
	if (uv_write(&piece->write, (uv_stream_t *)&peer->pipe, &buf, 1, on_written) < 0) {
		free(piece);
		close_peer(peer);
	}
}

static void answer(struct peer *peer, int status, const char *body)
{
	char text[ANSWER_MAX];
	int n = snprintf(text, sizeof(text),
			 "HTTP/1.1 %d X\r\nContent-Type: application/json\r\n"
			 "Content-Length: %zu\r\n\r\n%s",
			 status, strlen(body), body);

	say(peer, text, (size_t)n, true);
}

/* ---- what a sound engine says ---- */

static const char *state_name(enum fake_container container)
{
	static const char *const names[] = { "", "created", "running", "exited", "torn" };

	return names[container];
}

static void answer_json(struct peer *peer, int status, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	answer(peer, status, text ? text : "");
	free(text);
	json_decref(json);
}

/* As Podman 4.3.1 does. */
static void answer_torn(struct peer *peer)
{
	answer(peer, 500,
	       "{\"cause\":\"container not known\",\"message\":\"getting container from store "
	       "\\\"" FAKE_TORN_ID "\\\": container not known\",\"response\":500}");
}

static void list(struct peer *peer, enum fake_container container)
{
	json_t *all;

	if (container == FAKE_TORN) {
		answer_torn(peer);
		return;
	}
	all = json_array();
	if (container != FAKE_ABSENT)
		json_array_append_new(all, json_pack("{s:s, s:s, s:O?}", "Id", "fake", "State",
						     state_name(container), "Labels",
						     peer->fake->labels));
	answer_json(peer, 200, all);
}

static void inspect(struct peer *peer, enum fake_container container)
{
	static const char never[] = "0001-01-01T00:00:00Z";
	bool ran = container >= FAKE_RUNNING;

	if (container == FAKE_TORN) {
		answer_torn(peer);
		return;
	}
	if (container == FAKE_ABSENT) {
		answer(peer, 404, "{\"message\":\"no such container\"}");
		return;
	}
	answer_json(peer, 200,
		    json_pack("{s:s, s:{s:b, s:s, s:i, s:s, s:s}}", "Id", "fake", "State",
			      "Running", container == FAKE_RUNNING, "Status", state_name(container),
			      "ExitCode", 0, "StartedAt", ran ? "2026-11-22T17:00:00Z" : never,
			      "FinishedAt",
			      container == FAKE_EXITED ? "2026-11-22T17:00:05Z" : never));
}

static void create(struct peer *peer)
{
	struct fake_engine *fake = peer->fake;
	const char *body = strstr(peer->request, "\r\n\r\n") + 4;
	json_t *json = json_loads(body, 0, NULL);

	json_decref(fake->labels);
	fake->labels = json_incref(json_object_get(json, "Labels"));
	json_decref(json);
	fake->container = FAKE_CREATED;
	answer(peer, 201, "{\"Id\":\"fake\"}");
}

static void act(struct peer *peer, enum fake_container next)
{
	peer->fake->container = next;
	answer(peer, 204, "");
}

/* Streams that are open as long as nothing happens. */
static void stream(struct peer *peer)
{
	static const char head[] = "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n";

	say(peer, head, sizeof(head) - 1, false);
}

static bool is(const struct peer *peer, const char *method, const char *path)
{
	return strcmp(peer->method, method) == 0 && strstr(peer->path, path);
}

static void obey(struct peer *peer)
{
	struct fake_engine *fake = peer->fake;

	if (is(peer, "GET", "/version"))
		answer(peer, 200, "{\"ApiVersion\":\"1.41\",\"Version\":\"0\"}");
	else if (is(peer, "GET", "/events"))
		stream(peer);
	else if (is(peer, "GET", "/logs"))
		answer(peer, 200, "");
	else if (is(peer, "GET", "containers/json"))
		list(peer, fake->container);
	else if (is(peer, "POST", "containers/create"))
		create(peer);
	else if (is(peer, "POST", "images/create"))
		answer(peer, 200, "{\"status\":\"Downloading\",\"id\":\"a\"}\n");
	else if (is(peer, "POST", "/start"))
		act(peer, FAKE_RUNNING);
	else if (is(peer, "POST", "/stop"))
		act(peer, FAKE_EXITED);
	else if (is(peer, "DELETE", fake->container == FAKE_TORN ? FAKE_TORN_ID : "containers/"))
		act(peer, FAKE_ABSENT);
	else
		inspect(peer, fake->container);
}

/* ---- and what a broken one says ---- */

static void on_slow(uv_timer_t *timer)
{
	obey(timer->data);
}

static void on_flood(uv_timer_t *timer)
{
	static const char bytes[FLOOD_SIZE] = { '[' };
	struct peer *peer = timer->data;

	if (!peer->closing && uv_stream_get_write_queue_size((uv_stream_t *)&peer->pipe) == 0)
		say(peer, bytes, sizeof(bytes), false);
}

static void flood(struct peer *peer)
{
	static const char head[] = "HTTP/1.1 200 X\r\nContent-Length: 99999999999\r\n\r\n";

	say(peer, head, sizeof(head) - 1, false);
	uv_timer_start(&peer->timer, on_flood, 0, 1);
}

static void break_it(struct peer *peer, enum fake_act how)
{
	static const char half[] = "HTTP/1.1 200 X\r\nContent-Le";
	static const char half_body[] = "HTTP/1.1 200 X\r\nContent-Length: 40\r\n\r\n{\"Id\":";

	switch (how) {
	case FAKE_HANG:
		break;
	case FAKE_HALF:
		say(peer, half, sizeof(half) - 1, false);
		break;
	case FAKE_HALF_BODY:
	case FAKE_CUT:
		say(peer, half_body, sizeof(half_body) - 1, how == FAKE_CUT);
		break;
	case FAKE_GARBAGE:
		answer(peer, 200, "<html>\x01 {{{ no JSON at all\n}\n");
		break;
	case FAKE_FLOOD:
		flood(peer);
		break;
	case FAKE_ERROR:
		answer(peer, 500, "{\"message\":\"broken on purpose\"}");
		break;
	case FAKE_CONFLICT:
		answer(peer, 409, "{\"message\":\"the name is already in use\"}");
		break;
	case FAKE_MISSING:
		answer(peer, 404, "{\"message\":\"no such thing\"}");
		break;
	case FAKE_IGNORE:
		answer(peer, 204, "");
		break;
	case FAKE_LIE:
		if (is(peer, "GET", "containers/json"))
			list(peer, FAKE_RUNNING);
		else
			inspect(peer, FAKE_RUNNING);
		break;
	case FAKE_SLOW:
		uv_timer_start(&peer->timer, on_slow, FAKE_SLOW_MS, 0);
		break;
	}
}

static void respond(struct peer *peer)
{
	struct fake_engine *fake = peer->fake;

	fake->calls++;
	for (size_t i = 0; i < fake->n_rules; i++) {
		struct fake_rule *rule = &fake->rules[i];

		if (!is(peer, rule->method, rule->path) || rule->seen++ < rule->after)
			continue;
		if (rule->times == 0 || rule->seen <= rule->after + rule->times) {
			break_it(peer, rule->act);
			return;
		}
	}
	obey(peer);
}

/* ---- requests ---- */

static bool request_complete(const struct peer *peer)
{
	const char *end = strstr(peer->request, "\r\n\r\n");
	const char *length = strcasestr(peer->request, "\r\nContent-Length:");
	size_t body = length ? strtoul(length + 17, NULL, 10) : 0;

	return end && strlen(end + 4) >= body;
}

static void on_read(uv_stream_t *stream_, ssize_t n, const uv_buf_t *buf _unused_)
{
	struct peer *peer = stream_->data;

	if (n < 0) {
		close_peer(peer);
		return;
	}
	peer->len += (size_t)n;
	peer->request[peer->len] = 0;
	if (peer->answered || !request_complete(peer))
		return;
	peer->answered = true;
	if (sscanf(peer->request, "%7s %511s", peer->method, peer->path) == 2)
		respond(peer);
}

static void on_room(uv_handle_t *handle, size_t size _unused_, uv_buf_t *buf)
{
	struct peer *peer = handle->data;

	*buf = uv_buf_init(peer->request + peer->len,
			   (unsigned int)(sizeof(peer->request) - peer->len - 1));
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct fake_engine *fake = listener->data;
	struct peer *peer = calloc(1, sizeof(*peer));

	if (!peer || status < 0)
		abort();
	peer->fake = fake;
	peer->next = fake->peers;
	fake->peers = peer;
	peer->handles = 2;
	uv_pipe_init(loop_uv(fake->loop), &peer->pipe, 0);
	uv_timer_init(loop_uv(fake->loop), &peer->timer);
	peer->pipe.data = peer->timer.data = peer;
	if (uv_accept(listener, (uv_stream_t *)&peer->pipe) < 0 ||
	    uv_read_start((uv_stream_t *)&peer->pipe, on_room, on_read) < 0)
		close_peer(peer);
}

/* ---- beginning, rules, end ---- */

int fake_engine_new(struct loop *loop, const char *socket, struct fake_engine **ret_fake)
{
	struct fake_engine *fake = calloc(1, sizeof(*fake));
	int r;

	if (!fake)
		return -ENOMEM;
	fake->loop = loop;
	uv_pipe_init(loop_uv(loop), &fake->listener, 0);
	fake->listener.data = fake;
	r = uv_pipe_bind(&fake->listener, socket);
	if (r == 0)
		r = uv_listen((uv_stream_t *)&fake->listener, 16, on_connection);
	if (r < 0)
		return r;
	*ret_fake = fake;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct fake_engine *fake = handle->data;

	fake->closed = true;
}

void fake_engine_free(struct fake_engine *fake)
{
	if (!fake)
		return;
	uv_close((uv_handle_t *)&fake->listener, on_closed);
	for (struct peer *peer = fake->peers; peer; peer = peer->next)
		close_peer(peer);
	while (fake->peers || !fake->closed)
		uv_run(loop_uv(fake->loop), UV_RUN_ONCE);
	json_decref(fake->labels);
	free(fake);
}

void fake_engine_break(struct fake_engine *fake, const struct fake_rule *rule)
{
	if (fake->n_rules == FAKE_RULES_MAX)
		abort();
	fake->rules[fake->n_rules++] = *rule;
}

void fake_engine_heal(struct fake_engine *fake)
{
	fake->n_rules = 0;
}

enum fake_container fake_engine_container(const struct fake_engine *fake)
{
	return fake->container;
}

void fake_engine_set(struct fake_engine *fake, enum fake_container container)
{
	fake->container = container;
}

unsigned int fake_engine_calls(const struct fake_engine *fake)
{
	return fake->calls;
}
