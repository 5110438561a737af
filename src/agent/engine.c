#include "agent/engine.h"

#include "io/http_unix.h"
#include "io/loop.h"

enum { PATH_SIZE = 1024, BODY_SIZE = 128, NEWEST_MINOR = 41, OLDEST_MINOR = 24 };

enum answer_kind { ANSWER_JSON, ANSWER_LINES, ANSWER_FRAMES, ANSWER_RAW };

struct engine {
	struct loop *loop;
	char *socket;
	int minor; /* of API 1.x */
	uint64_t longest_ms; /* of any call's wait; 0: as each says */
	char name[64];
};

struct engine_call {
	struct engine *engine;
	struct http_unix_call *http;
	enum answer_kind kind;
	int status;
	int fault; /* what the answer was worth, where HTTP was fine */
	bool greeting, cancelled, inside;
	char *body; /* of ANSWER_JSON, or of any refusal */
	size_t body_len, body_size;
	struct frames frames;
	struct json_lines lines;
	char *error; /* said inside a pull's stream */
	json_lines_fn *on_object;
	frames_fn *on_frame;
	engine_fn *fn;
	void *arg;
};

static void call_free(struct engine_call *call)
{
	json_lines_end(&call->lines, NULL, NULL);
	free(call->body);
	free(call->error);
	free(call);
}

static int keep(struct engine_call *call, const void *bytes, size_t len)
{
	if (call->body_len + len > ENGINE_ANSWER_MAX)
		return -EMSGSIZE;
	if (call->body_len + len > call->body_size) {
		size_t size = (call->body_len + len) * 2;
		char *body = realloc(call->body, size);

		if (!body)
			return -ENOMEM;
		call->body = body;
		call->body_size = size;
	}
	memcpy(call->body + call->body_len, bytes, len);
	call->body_len += len;
	return 0;
}

static void on_object(void *arg, const json_t *object)
{
	struct engine_call *call = arg;
	const char *error = json_string_value(json_object_get(object, "error"));

	if (call->cancelled)
		return;
	if (error && !call->error)
		call->error = strdup(error);
	if (call->on_object)
		call->on_object(call->arg, object);
}

static void on_frame(void *arg, enum frame_channel channel, const void *bytes, size_t len)
{
	struct engine_call *call = arg;

	if (!call->cancelled)
		call->on_frame(call->arg, channel, bytes, len);
}

static int take(struct engine_call *call, const void *bytes, size_t len)
{
	enum answer_kind kind = call->status >= 300 ? ANSWER_JSON : call->kind;

	switch (kind) {
	case ANSWER_JSON:
		return keep(call, bytes, len);
	case ANSWER_LINES:
		return json_lines_take(&call->lines, bytes, len, on_object, call);
	case ANSWER_FRAMES:
		return frames_take(&call->frames, bytes, len, on_frame, call);
	case ANSWER_RAW:
		on_frame(call, FRAME_STDOUT, bytes, len);
		return 0;
	}
	return -EINVAL;
}

static void learn(struct engine *engine, const json_t *version)
{
	const char *api = json_string_value(json_object_get(version, "ApiVersion"));
	const char *number = json_string_value(json_object_get(version, "Version"));
	const json_t *first = json_array_get(json_object_get(version, "Components"), 0);
	const char *name = json_string_value(json_object_get(first, "Name"));
	int minor = 0;

	if (api && sscanf(api, "1.%d", &minor) == 1 && minor >= OLDEST_MINOR)
		engine->minor = minor < NEWEST_MINOR ? minor : NEWEST_MINOR;
	snprintf(engine->name, sizeof(engine->name), "%s %s",
		 name && strncmp(name, "Podman", 6) == 0 ? "podman" : "docker",
		 number ? number : "?");
}

static void finish(struct engine_call *call, int fault)
{
	struct engine_reply reply = { .fault = fault, .status = call->status, .message = "" };
	json_t *json = NULL;

	call->http = NULL;
	if (call->kind == ANSWER_LINES && fault == 0)
		json_lines_end(&call->lines, on_object, call);
	if (call->body_len > 0)
		json = json_loadb(call->body, call->body_len, JSON_DISABLE_EOF_CHECK, NULL);
	reply.json = json;
	if (fault < 0) {
		reply.message = strerror(-fault);
	} else if (call->error) {
		reply.status = 500;
		reply.message = call->error;
	} else if (call->status >= 300) {
		reply.message = json_string_value(json_object_get(json, "message"));
		reply.message = reply.message ? reply.message : "refused without a reason";
	}
	if (!call->cancelled && call->greeting && engine_ok(&reply) && json)
		learn(call->engine, json);
	if (!call->cancelled)
		call->fn(call->arg, &reply);
	json_decref(json);
	call_free(call);
}

static void on_status(void *arg, int status)
{
	struct engine_call *call = arg;

	call->status = status;
}

static void on_bytes(void *arg, const void *bytes, size_t len)
{
	struct engine_call *call = arg;
	int r;

	call->inside = true;
	r = take(call, bytes, len);
	call->inside = false;
	if (!call->cancelled && r == 0)
		return;
	http_unix_cancel(call->http);
	finish(call, r);
}

static void on_end(void *arg, int fault)
{
	finish(arg, fault);
}

static const struct http_unix_handler http_handler = { on_status, on_bytes, on_end };

/* 0 is for ever, as it is for streams that may be silent. */
static uint64_t hurried(const struct engine *engine, uint64_t ms)
{
	return engine->longest_ms && ms > engine->longest_ms ? engine->longest_ms : ms;
}

static int begin(struct engine *engine, const struct engine_call *kind,
		 const struct http_unix_request *request, struct engine_call **ret_call)
{
	struct http_unix_request full = *request;
	struct engine_call *call;
	int r;

	call = malloc(sizeof(*call));
	if (!call)
		return -ENOMEM;
	*call = *kind;
	call->engine = engine;
	full.socket = engine->socket;
	full.timeout_ms = hurried(engine, full.timeout_ms);
	full.idle_ms = hurried(engine, full.idle_ms);
	r = http_unix_start(engine->loop, &full, &http_handler, call, &call->http);
	if (r < 0) {
		free(call);
		return r;
	}
	*ret_call = call;
	return 0;
}

/* Puts the version in front of @path. */
static int begin_at(struct engine *engine, const struct engine_call *kind,
		    struct http_unix_request *request, const char *path,
		    struct engine_call **ret_call)
{
	char full[PATH_SIZE + 16];

	snprintf(full, sizeof(full), "/v1.%d/%s", engine->minor, path);
	request->path = full;
	return begin(engine, kind, request, ret_call);
}

int engine_request(struct engine *engine, const char *method, const char *path, const json_t *body,
		   uint64_t timeout_ms, engine_fn *fn, void *arg, struct engine_call **ret_call)
{
	_cleanup_(freep) char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	const struct engine_call kind = { .kind = ANSWER_JSON, .fn = fn, .arg = arg };
	struct http_unix_request request = {
		.method = method,
		.content_type = body ? "application/json" : NULL,
		.body = text,
		.body_len = text ? strlen(text) : 0,
		.timeout_ms = timeout_ms,
		.idle_ms = timeout_ms,
	};

	if (body && !text)
		return -ENOMEM;
	return begin_at(engine, &kind, &request, path, ret_call);
}

static int on_container(struct engine *engine, const char *method, const char *id, const char *rest,
			uint64_t timeout_ms, engine_fn *fn, void *arg,
			struct engine_call **ret_call)
{
	char path[PATH_SIZE];

	if (snprintf(path, sizeof(path), "containers/%s%s", id, rest) >= (int)sizeof(path))
		return -EINVAL;
	return engine_request(engine, method, path, NULL, timeout_ms, fn, arg, ret_call);
}

int engine_list(struct engine *engine, const char *label, engine_fn *fn, void *arg,
		struct engine_call **ret_call)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path),
		 "containers/json?all=1&filters=%%7B%%22label%%22%%3A%%5B%%22%s%%22%%5D%%7D",
		 label);
	return engine_request(engine, "GET", path, NULL, ENGINE_TIMEOUT_MS, fn, arg, ret_call);
}

bool engine_torn(const struct engine_reply *reply, char ret_id[ENGINE_ID_SIZE])
{
	static const char before[] = "container from store \"";
	const char *cause = json_string_value(json_object_get(reply->json, "cause"));
	const char *id = strstr(reply->message, before);

	if (!cause || strcmp(cause, "container not known") != 0 || !id)
		return false;
	id += sizeof(before) - 1;
	if (strspn(id, "0123456789abcdef") != ENGINE_ID_SIZE - 1)
		return false;
	memcpy(ret_id, id, ENGINE_ID_SIZE - 1);
	ret_id[ENGINE_ID_SIZE - 1] = 0;
	return true;
}

int engine_create(struct engine *engine, const char *name, const json_t *body, engine_fn *fn,
		  void *arg, struct engine_call **ret_call)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "containers/create?name=%s", name);
	return engine_request(engine, "POST", path, body, ENGINE_TIMEOUT_MS, fn, arg, ret_call);
}

int engine_start(struct engine *engine, const char *id, engine_fn *fn, void *arg,
		 struct engine_call **ret_call)
{
	return on_container(engine, "POST", id, "/start", ENGINE_TIMEOUT_MS, fn, arg, ret_call);
}

int engine_stop(struct engine *engine, const char *id, uint32_t grace_s, engine_fn *fn, void *arg,
		struct engine_call **ret_call)
{
	char rest[32];

	snprintf(rest, sizeof(rest), "/stop?t=%" PRIu32, grace_s);
	return on_container(engine, "POST", id, rest, ENGINE_TIMEOUT_MS + (uint64_t)grace_s * 1000,
			    fn, arg, ret_call);
}

int engine_inspect(struct engine *engine, const char *id, engine_fn *fn, void *arg,
		   struct engine_call **ret_call)
{
	return on_container(engine, "GET", id, "/json", ENGINE_TIMEOUT_MS, fn, arg, ret_call);
}

int engine_remove(struct engine *engine, const char *id, engine_fn *fn, void *arg,
		  struct engine_call **ret_call)
{
	return on_container(engine, "DELETE", id, "?force=1&v=1", ENGINE_TIMEOUT_MS, fn, arg,
			    ret_call);
}

int engine_stats(struct engine *engine, const char *id, engine_fn *fn, void *arg,
		 struct engine_call **ret_call)
{
	return on_container(engine, "GET", id, "/stats?stream=false&one-shot=true",
			    ENGINE_TIMEOUT_MS, fn, arg, ret_call);
}

bool engine_escape(char *path, size_t size, const char *text)
{
	size_t len = strlen(path);

	for (; *text; text++) {
		const unsigned char c = (unsigned char)*text;
		const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				   (c >= '0' && c <= '9') || strchr("-._~/:", c);
		const size_t need = plain ? 1 : 3;

		if (len + need + 1 > size)
			return false;
		snprintf(path + len, size - len, plain ? "%c" : "%%%02X", c);
		len += need;
	}
	return true;
}

int engine_pull(struct engine *engine, const char *image, json_lines_fn *on_progress, engine_fn *fn,
		void *arg, struct engine_call **ret_call)
{
	const struct engine_call kind = {
		.kind = ANSWER_LINES, .on_object = on_progress, .fn = fn, .arg = arg
	};
	struct http_unix_request request = {
		.method = "POST",
		.timeout_ms = ENGINE_PULL_IDLE_MS,
		.idle_ms = ENGINE_PULL_IDLE_MS,
	};
	const char *slash = strrchr(image, '/');
	char path[PATH_SIZE] = "images/create?fromImage=";

	if (!engine_escape(path, sizeof(path), image))
		return -EINVAL;
	/* Without a tag, Docker would pull them all. */
	if (!strchr(slash ? slash : image, ':') && !strchr(image, '@') &&
	    !engine_escape(path, sizeof(path), ":latest"))
		return -EINVAL;
	return begin_at(engine, &kind, &request, path, ret_call);
}

int engine_events(struct engine *engine, json_lines_fn *on_event, engine_fn *fn, void *arg,
		  struct engine_call **ret_call)
{
	const struct engine_call kind = {
		.kind = ANSWER_LINES, .on_object = on_event, .fn = fn, .arg = arg
	};
	/* Podman sends no header before the first event. */
	struct http_unix_request request = { .method = "GET" };

	/* Podman matches labels with values only: the caller looks for its own. */
	return begin_at(engine, &kind, &request,
			"events?filters=%7B%22type%22%3A%5B%22container%22%5D%7D", ret_call);
}

int engine_logs(struct engine *engine, const char *id, frames_fn *frame, engine_fn *fn, void *arg,
		struct engine_call **ret_call)
{
	const struct engine_call kind = {
		.kind = ANSWER_FRAMES, .on_frame = frame, .fn = fn, .arg = arg
	};
	struct http_unix_request request = { .method = "GET" };
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "containers/%s/logs?follow=1&stdout=1&stderr=1", id);
	return begin_at(engine, &kind, &request, path, ret_call);
}

/* Podman takes "h" and "w"; Docker "ConsoleSize", from 1.42 on. */
static void start_body(const struct engine_terminal *terminal, char ret_body[static BODY_SIZE])
{
	if (!terminal)
		snprintf(ret_body, BODY_SIZE, "{\"Detach\":false,\"Tty\":false}");
	else if (terminal->columns == 0 || terminal->rows == 0)
		snprintf(ret_body, BODY_SIZE, "{\"Detach\":false,\"Tty\":true}");
	else
		snprintf(ret_body, BODY_SIZE,
			 "{\"Detach\":false,\"Tty\":true,\"h\":%u,\"w\":%u,"
			 "\"ConsoleSize\":[%u,%u]}",
			 terminal->rows, terminal->columns, terminal->rows, terminal->columns);
}

int engine_exec_start(struct engine *engine, const char *exec,
		      const struct engine_terminal *terminal, frames_fn *frame, engine_fn *fn,
		      void *arg, struct engine_call **ret_call)
{
	const struct engine_call kind = { .kind = terminal ? ANSWER_RAW : ANSWER_FRAMES,
					  .on_frame = frame,
					  .fn = fn,
					  .arg = arg };
	struct http_unix_request request = {
		.method = "POST",
		.content_type = "application/json",
		.upgrade = true,
		.timeout_ms = ENGINE_TIMEOUT_MS,
	};
	char path[PATH_SIZE], body[BODY_SIZE];

	start_body(terminal, body);
	request.body = body;
	request.body_len = strlen(body);
	snprintf(path, sizeof(path), "exec/%s/start", exec);
	return begin_at(engine, &kind, &request, path, ret_call);
}

int engine_exec_send(struct engine_call *call, const void *bytes, size_t len)
{
	if (!call->http)
		return -EPIPE;
	if (len > 0)
		return http_unix_send(call->http, bytes, len);
	http_unix_finish(call->http);
	return 0;
}

size_t engine_exec_queued(const struct engine_call *call)
{
	return call->http ? http_unix_queued(call->http) : 0;
}

void engine_pause(struct engine_call *call)
{
	if (call->http)
		http_unix_pause(call->http);
}

void engine_resume(struct engine_call *call)
{
	if (call->http)
		http_unix_resume(call->http);
}

void engine_cancel(struct engine_call *call)
{
	if (!call || call->cancelled)
		return;
	call->cancelled = true;
	/* From its own callback: who called it ends it. */
	if (call->inside || !call->http)
		return;
	http_unix_cancel(call->http);
	call_free(call);
}

int engine_version(struct engine *engine, engine_fn *fn, void *arg, struct engine_call **ret_call)
{
	const struct engine_call kind = {
		.kind = ANSWER_JSON, .greeting = true, .fn = fn, .arg = arg
	};
	struct http_unix_request request = {
		.method = "GET",
		.path = "/version",
		.timeout_ms = ENGINE_TIMEOUT_MS,
		.idle_ms = ENGINE_TIMEOUT_MS,
	};

	return begin(engine, &kind, &request, ret_call);
}

const char *engine_name(const struct engine *engine)
{
	return engine->name;
}

int engine_new(struct loop *loop, const char *socket, struct engine **ret_engine)
{
	struct engine *engine = calloc(1, sizeof(*engine));

	if (!engine)
		return -ENOMEM;
	engine->socket = strdup(socket);
	if (!engine->socket) {
		free(engine);
		return -ENOMEM;
	}
	engine->loop = loop;
	engine->minor = NEWEST_MINOR;
	*ret_engine = engine;
	return 0;
}

void engine_hurry(struct engine *engine, uint64_t ms)
{
	engine->longest_ms = ms;
}

void engine_free(struct engine *engine)
{
	if (!engine)
		return;
	free(engine->socket);
	free(engine);
}
