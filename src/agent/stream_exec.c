#include "agent/stream.h"

enum { EXEC_ID_SIZE = 80, EXEC_PATH_SIZE = EXEC_ID_SIZE + 64 };

/* Output that waits for credit. */
struct late {
	struct late *next;
	enum frame_channel channel;
	size_t len;
	uint8_t bytes[];
};

/* A process beside the container's own. */
struct exec {
	struct stream *stream;
	struct engine_call *call; /* create, then the process's stream, then the inspection */
	struct engine_call *resizing;
	char id[EXEC_ID_SIZE];
	bool tty, started, sized, over;
	int32_t exit_code;
	uint16_t columns, rows;
	uint8_t *early; /* input that came before the start */
	size_t early_len;
	bool early_end;
	struct late *late, **late_end; /* the engine is paused while there is some */
};

/* ---- size ---- */

static void on_resized(void *arg, const struct engine_reply *reply _unused_)
{
	struct exec *exec = arg;

	/* A size that was not taken is the process's loss only. */
	exec->resizing = NULL;
}

static void resize(struct exec *exec)
{
	char path[EXEC_PATH_SIZE];

	exec->sized = true;
	if (!exec->tty || exec->columns == 0 || exec->rows == 0)
		return;
	engine_cancel(exec->resizing);
	snprintf(path, sizeof(path), "exec/%s/resize?h=%u&w=%u", exec->id, exec->rows,
		 exec->columns);
	if (engine_request(agent_stream_config(exec->stream)->engine, "POST", path, NULL,
			   ENGINE_TIMEOUT_MS, on_resized, exec, &exec->resizing) < 0)
		exec->resizing = NULL;
}

/* ---- output ---- */

/* False: it has to wait, or the stream has ended. */
static bool send_piece(struct stream *stream, enum frame_channel channel, const uint8_t *bytes,
		       size_t len)
{
	Wire__StreamData data = WIRE__STREAM_DATA__INIT;

	if (!agent_stream_may_send(stream, len))
		return false;
	data.channel = channel == FRAME_STDERR ? WIRE__CHANNEL__CHANNEL_STDERR
					       : WIRE__CHANNEL__CHANNEL_STDOUT;
	data.bytes = (ProtobufCBinaryData){ len, (uint8_t *)bytes };
	return agent_stream_send(stream, &data);
}

static void keep_late(struct exec *exec, enum frame_channel channel, const uint8_t *bytes,
		      size_t len)
{
	struct late *late = malloc(sizeof(*late) + len);

	if (!late) {
		agent_stream_end(exec->stream, "out_of_memory", 0);
		return;
	}
	*late = (struct late){ .channel = channel, .len = len };
	memcpy(late->bytes, bytes, len);
	*exec->late_end = late;
	exec->late_end = &late->next;
	/* What the engine had sent already still comes: one read's worth. */
	engine_pause(exec->call);
}

static void on_frame(void *arg, enum frame_channel channel, const void *bytes, size_t len)
{
	struct exec *exec = arg;
	struct stream *stream = exec->stream;
	const uint8_t *at = bytes;

	if (!exec->sized)
		resize(exec);
	while (len > 0 && !stream->ended) {
		size_t n = size_min(len, WIRE_CHUNK_MAX);

		if (exec->late || !send_piece(stream, channel, at, n)) {
			if (!stream->ended)
				keep_late(exec, channel, at, n);
		}
		at += n;
		len -= n;
	}
}

static void pump(struct stream *stream)
{
	struct exec *exec = stream->state;

	while (exec->late) {
		struct late *late = exec->late;

		if (!send_piece(stream, late->channel, late->bytes, late->len))
			return;
		exec->late = late->next;
		if (!exec->late)
			exec->late_end = &exec->late;
		free(late);
		if (!exec->late && exec->call)
			engine_resume(exec->call);
	}
	if (exec->over)
		agent_stream_end(stream, "", exec->exit_code);
}

/* ---- the engine's answers ---- */

static void on_inspected(void *arg, const struct engine_reply *reply)
{
	struct exec *exec = arg;

	exec->call = NULL;
	exec->over = true;
	exec->exit_code = (int32_t)json_integer_value(json_object_get(reply->json, "ExitCode"));
	pump(exec->stream);
}

static void on_ended(void *arg, const struct engine_reply *reply)
{
	struct exec *exec = arg;
	char path[EXEC_PATH_SIZE];

	exec->call = NULL;
	if (!engine_ok(reply) && reply->status != 101) {
		agent_stream_end(exec->stream, reply->message, 0);
		return;
	}
	snprintf(path, sizeof(path), "exec/%s/json", exec->id);
	if (engine_request(agent_stream_config(exec->stream)->engine, "GET", path, NULL,
			   ENGINE_TIMEOUT_MS, on_inspected, exec, &exec->call) < 0)
		agent_stream_end(exec->stream, "engine_down", 0);
}

static int release_early(struct exec *exec)
{
	int r = 0;

	exec->started = true;
	if (exec->early_len > 0)
		r = engine_exec_send(exec->call, exec->early, exec->early_len);
	if (r == 0 && exec->early_end)
		r = engine_exec_send(exec->call, NULL, 0);
	free(exec->early);
	exec->early = NULL;
	exec->early_len = 0;
	return r;
}

static void on_created(void *arg, const struct engine_reply *reply)
{
	const char *id = json_string_value(json_object_get(reply->json, "Id"));
	struct exec *exec = arg;
	struct engine_terminal terminal = { exec->columns, exec->rows };
	int r;

	exec->call = NULL;
	if (!engine_ok(reply) || !id || strlen(id) >= sizeof(exec->id)) {
		agent_stream_end(exec->stream, reply->message[0] ? reply->message : "exec_failed",
				 0);
		return;
	}
	snprintf(exec->id, sizeof(exec->id), "%s", id);
	r = engine_exec_start(agent_stream_config(exec->stream)->engine, exec->id,
			      exec->tty ? &terminal : NULL, on_frame, on_ended, exec, &exec->call);
	if (r == 0)
		r = release_early(exec);
	if (r < 0)
		agent_stream_end(exec->stream, "exec_failed", 0);
}

/* ---- beginning, input, end ---- */

static int begin(struct exec *exec, const struct lease *lease, const Wire__StreamOpen *message)
{
	json_t *command = json_array(), *body;
	char path[EXEC_PATH_SIZE];
	int r;

	for (size_t i = 0; i < message->n_command; i++)
		json_array_append_new(command, json_string(message->command[i]));
	body = json_pack("{s:b, s:b, s:b, s:b, s:o}", "AttachStdin", 1, "AttachStdout", 1,
			 "AttachStderr", 1, "Tty", exec->tty, "Cmd", command);
	if (!body)
		return -ENOMEM;
	snprintf(path, sizeof(path), "containers/%s/exec", lease->container.id);
	r = engine_request(agent_stream_config(exec->stream)->engine, "POST", path, body,
			   ENGINE_TIMEOUT_MS, on_created, exec, &exec->call);
	json_decref(body);
	return r;
}

static void open(struct stream *stream, const Wire__StreamOpen *message)
{
	const struct lease *lease = agent_stream_lease(stream);
	struct exec *exec = calloc(1, sizeof(*exec));

	stream->state = exec;
	if (!exec) {
		agent_stream_end(stream, "out_of_memory", 0);
		return;
	}
	exec->stream = stream;
	exec->late_end = &exec->late;
	exec->tty = message->tty;
	exec->columns = (uint16_t)message->columns;
	exec->rows = (uint16_t)message->rows;
	if (lease->seen != SEEN_RUNNING)
		agent_stream_end(stream, "not_running", 0);
	else if (message->n_command == 0)
		agent_stream_end(stream, "no_command", 0);
	else if (begin(exec, lease, message) < 0)
		agent_stream_end(stream, "engine_down", 0);
}

static int keep_early(struct exec *exec, const void *bytes, size_t len)
{
	uint8_t *early;

	if (len == 0) {
		exec->early_end = true;
		return 0;
	}
	if (exec->early_len + len > WIRE_STREAM_WINDOW)
		return -EAGAIN;
	early = realloc(exec->early, exec->early_len + len);
	if (!early)
		return -ENOMEM;
	memcpy(early + exec->early_len, bytes, len);
	exec->early = early;
	exec->early_len += len;
	return 0;
}

static void take(struct stream *stream, Wire__Channel channel, const void *bytes, size_t len)
{
	struct exec *exec = stream->state;
	const uint8_t *size = bytes;
	int r;

	if (channel == WIRE__CHANNEL__CHANNEL_RESIZE && len == 4) {
		exec->columns = (uint16_t)(size[0] | size[1] << 8);
		exec->rows = (uint16_t)(size[2] | size[3] << 8);
		if (exec->started)
			resize(exec);
		return;
	}
	if (channel != WIRE__CHANNEL__CHANNEL_STDIN || exec->over || (exec->started && !exec->call))
		return;
	r = exec->started ? engine_exec_send(exec->call, bytes, len) : keep_early(exec, bytes, len);
	/* A process that no longer reads has closed its end. */
	if (r < 0 && r != -EPIPE)
		agent_stream_end(stream, "input_overrun", 0);
}

static size_t waiting(const struct stream *stream)
{
	const struct exec *exec = stream->state;

	return exec->early_len + (exec->call && exec->started ? engine_exec_queued(exec->call) : 0);
}

static void done(struct stream *stream)
{
	struct exec *exec = stream->state;

	if (!exec)
		return;
	engine_cancel(exec->call);
	engine_cancel(exec->resizing);
	while (exec->late) {
		struct late *late = exec->late;

		exec->late = late->next;
		free(late);
	}
	free(exec->early);
	free(exec);
	stream->state = NULL;
}

const struct stream_kind agent_stream_exec = {
	.open = open, .pump = pump, .take = take, .waiting = waiting, .done = done
};
