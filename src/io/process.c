#include "io/process.h"

#include <signal.h>
#include <sys/resource.h>
#include <uv.h>

#include "io/loop_owned.h"

struct process {
	uv_process_t child;
	uv_pipe_t input, output, error;
	struct loop_owned owned;
	struct process_config config; /* its texts are gone */
	unsigned int open_handles;
	size_t queued;
	bool exited, freed, ended;
	bool output_open, error_open;
	struct process_end end;
	char line[PROCESS_LINE_MAX]; /* of standard error, as far as it came */
	char last_line[PROCESS_LINE_MAX];
	size_t line_len;
	char buffer[65536];
};

static void on_closed(uv_handle_t *handle)
{
	struct process *process = handle->data;

	if (--process->open_handles == 0 && process->freed)
		free(process);
}

static void close_one(uv_handle_t *handle)
{
	if (!uv_is_closing(handle))
		uv_close(handle, on_closed);
}

static void close_pipes(struct process *process)
{
	close_one((uv_handle_t *)&process->input);
	close_one((uv_handle_t *)&process->output);
	close_one((uv_handle_t *)&process->error);
}

/* ---- its end ---- */

static void end_if_over(struct process *process)
{
	if (!process->exited || process->output_open || process->error_open || process->freed ||
	    process->ended)
		return;
	process->ended = true;
	close_pipes(process);
	process->end.last_line = process->last_line;
	process->config.on_end(process->config.arg, &process->end);
}

static void on_exit_(uv_process_t *child, int64_t status, int signal)
{
	struct process *process = child->data;

	process->exited = true;
	process->end.status = (int)status;
	process->end.signal = signal;
	/* What it started must not outlive it, nor keep its pipes open. */
	kill(-child->pid, SIGKILL);
	close_one((uv_handle_t *)child);
	if (process->freed)
		loop_disown(&process->owned);
	else
		end_if_over(process);
}

/* The loop ends: nobody will hear of it. */
static void end_with_loop(struct loop_owned *owned)
{
	struct process *process = (struct process *)((char *)owned -
						     offsetof(struct process, owned));

	process_kill(process);
	process->freed = true;
	loop_disown(owned);
	close_pipes(process);
	close_one((uv_handle_t *)&process->child);
}

void process_kill(struct process *process)
{
	if (!process->exited)
		kill(-process->child.pid, SIGKILL);
}

void process_signal(struct process *process, int signal)
{
	if (!process->exited)
		kill(process->child.pid, signal);
}

void process_free(struct process *process)
{
	if (!process)
		return;
	process_kill(process);
	process->freed = true;
	close_pipes(process);
	if (!process->exited)
		return; /* the loop reaps it, and frees */
	loop_disown(&process->owned);
	if (process->open_handles == 0)
		free(process);
}

/* ---- what it says ---- */

static void on_room(uv_handle_t *handle, size_t size _unused_, uv_buf_t *ret_buf)
{
	struct process *process = handle->data;

	*ret_buf = uv_buf_init(process->buffer, sizeof(process->buffer));
}

static void on_output(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct process *process = stream->data;

	if (n > 0) {
		process->config.on_output(process->config.arg, buf->base, (size_t)n);
	} else if (n < 0) {
		uv_read_stop(stream);
		process->output_open = false;
		end_if_over(process);
	}
}

static void finish_line(struct process *process)
{
	if (process->line_len == 0)
		return;
	memcpy(process->last_line, process->line, process->line_len);
	process->last_line[process->line_len] = 0;
	process->line_len = 0;
}

static void take_error(struct process *process, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n')
			finish_line(process);
		else if (process->line_len < sizeof(process->line) - 1)
			process->line[process->line_len++] = bytes[i] >= ' ' && bytes[i] <= '~'
								     ? bytes[i]
								     : '?';
	}
}

static void on_error(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct process *process = stream->data;

	if (n > 0) {
		take_error(process, buf->base, (size_t)n);
	} else if (n < 0) {
		uv_read_stop(stream);
		finish_line(process);
		process->error_open = false;
		end_if_over(process);
	}
}

void process_hold(struct process *process, bool hold)
{
	if (!process->output_open)
		return;
	if (hold)
		uv_read_stop((uv_stream_t *)&process->output);
	else
		uv_read_start((uv_stream_t *)&process->output, on_room, on_output);
}

/* ---- what it is told ---- */

struct input {
	uv_write_t request;
	struct process *process;
	size_t len;
	char bytes[];
};

static void on_written(uv_write_t *request, int status _unused_)
{
	struct input *input = request->data;

	/* A failure is its end, of which on_end tells. */
	input->process->queued -= input->len;
	free(input);
}

int process_write(struct process *process, const void *bytes, size_t len)
{
	struct input *input;
	uv_buf_t buf;
	int r;

	if (process->exited || process->ended)
		return -EPIPE;
	if (len > process->config.queue_max - process->queued)
		return -EAGAIN;
	input = malloc(sizeof(*input) + len);
	if (!input)
		return -ENOMEM;
	input->request.data = input;
	input->process = process;
	input->len = len;
	memcpy(input->bytes, bytes, len);
	buf = uv_buf_init(input->bytes, (unsigned int)len);
	r = uv_write(&input->request, (uv_stream_t *)&process->input, &buf, 1, on_written);
	if (r < 0)
		free(input);
	else
		process->queued += len;
	return r;
}

int process_nice(struct process *process, int nice)
{
	/* By group: of a process, Linux would change its first thread alone. */
	if (process->exited)
		return 0;
	return setpriority(PRIO_PGRP, (id_t)process->child.pid, nice) < 0 ? -errno : 0;
}

/* ---- its beginning ---- */

static void open_pipe(struct process *process, struct loop *loop, uv_pipe_t *pipe)
{
	/* Without handles to pass on, this cannot fail. */
	uv_pipe_init(loop_uv(loop), pipe, 0);
	pipe->data = process;
	process->open_handles++;
}

static int spawn(struct process *process, struct loop *loop, const struct process_config *config)
{
	uv_stdio_container_t pipes[] = {
		{ UV_CREATE_PIPE | UV_READABLE_PIPE, { (uv_stream_t *)&process->input } },
		{ UV_CREATE_PIPE | UV_WRITABLE_PIPE, { (uv_stream_t *)&process->output } },
		{ UV_CREATE_PIPE | UV_WRITABLE_PIPE, { (uv_stream_t *)&process->error } },
	};
	const uv_process_options_t options = {
		.exit_cb = on_exit_,
		.file = config->file,
		.args = (char **)config->arguments,
		.flags = UV_PROCESS_DETACHED,
		.stdio_count = ARRAY_SIZE(pipes),
		.stdio = pipes,
	};

	open_pipe(process, loop, &process->input);
	open_pipe(process, loop, &process->output);
	open_pipe(process, loop, &process->error);
	process->child.data = process;
	process->open_handles++;
	return uv_spawn(loop_uv(loop), &process->child, &options);
}

int process_new(struct loop *loop, const struct process_config *config,
		struct process **ret_process)
{
	struct process *process = calloc(1, sizeof(*process));
	int r;

	if (!process)
		return -ENOMEM;
	process->config = *config;
	loop_own(loop, &process->owned, end_with_loop);
	r = spawn(process, loop, config);
	if (r < 0) {
		process->exited = true;
		close_one((uv_handle_t *)&process->child);
		process_free(process);
		return r;
	}
	process->output_open = process->error_open = true;
	uv_read_start((uv_stream_t *)&process->output, on_room, on_output);
	uv_read_start((uv_stream_t *)&process->error, on_room, on_error);
	*ret_process = process;
	return 0;
}
