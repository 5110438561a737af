/* exec.c - another process in a rental's container, with its input, output and exit code. */
#include <unistd.h>

#include "cmd/cli.h"
#include "cmd/commands.h"
#include "cmd/input.h"
#include "cmd/rental_wait.h"
#include "cmd/stream.h"
#include "cmd/terminal.h"
#include "io/loop.h"

enum {
	CHANNEL_STDIN,
	CHANNEL_STDOUT,
	CHANNEL_STDERR,
	CHANNEL_CONTROL,
	CHUNK_MAX = 16384,
	UNTAKEN_MAX = 512 << 10, /* bytes on their way to the process above which no more is read */
	TICK_MS = 100,
};

static const struct option_row rows[] = {
	{ "interactive", 'i', NULL, "pass standard input on" },
	{ "tty", 't', NULL, "a terminal for the process" },
	CLI_URL_ROW,
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar exec [OPTIONS] RENTAL COMMAND [ARGUMENT...]",
	.about = "Runs a command in a running rental's container and exits with its code.",
	.rows = rows,
	.stop_at_word = true,
	.words_min = 2,
	.words_max = 65,
};

struct exec {
	const struct options *options;
	bool interactive, tty;
	struct stream *stream;
	struct terminal terminal;
	struct input *input;
	struct loop_timer *timer;
	bool input_waits; /* a chunk was sent, and the next is not read yet */
	size_t untaken; /* sent, and not yet passed on to the machine */
	int columns, rows;
	bool has_ended;
	int exit_code;
	char error[256];
};

/* A message that cannot be sent ends the stream, whose end says why. */
static void send_bytes(struct exec *exec, enum ws_kind kind, const void *bytes, size_t len)
{
	if (stream_send(exec->stream, kind, bytes, len) < 0)
		stream_close(exec->stream);
}

static void send_channel(struct exec *exec, uint8_t channel, const void *bytes, size_t len)
{
	uint8_t message[1 + CHUNK_MAX];

	message[0] = channel;
	memcpy(message + 1, bytes, len);
	send_bytes(exec, WS_BINARY, message, 1 + len);
}

/* Takes @json over. */
static void send_json(struct exec *exec, bool first, json_t *json)
{
	_cleanup_(freep) char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	if (!text)
		stream_close(exec->stream);
	else if (first)
		send_bytes(exec, WS_TEXT, text, strlen(text));
	else
		send_channel(exec, CHANNEL_CONTROL, text, size_min(strlen(text), CHUNK_MAX));
}

static json_t *command_json(const struct options *options)
{
	json_t *command = json_array();

	for (size_t i = 1; command && i < options->n_words; i++)
		if (json_array_append_new(command, json_string(options->words[i])) < 0) {
			json_decref(command);
			return NULL;
		}
	return command;
}

/* ---- input ---- */

static void read_more(struct exec *exec)
{
	if (!exec->input_waits || exec->untaken >= UNTAKEN_MAX)
		return;
	exec->input_waits = false;
	input_next(exec->input);
}

static void on_input(void *arg, const void *bytes, size_t len)
{
	struct exec *exec = arg;

	send_channel(exec, CHANNEL_STDIN, bytes, len);
	exec->input_waits = len > 0;
	exec->untaken += len;
	read_more(exec);
}

static void send_size(struct exec *exec)
{
	int columns, lines;

	terminal_size(&columns, &lines);
	if (columns == exec->columns && lines == exec->rows)
		return;
	exec->columns = columns;
	exec->rows = lines;
	send_json(exec, false,
		  json_pack("{s:{s:i, s:i}}", "resize", "columns", columns, "rows", lines));
}

static void on_tick(void *arg)
{
	struct exec *exec = arg;

	if (exec->tty)
		send_size(exec);
}

static void on_open(struct stream *stream, void *arg)
{
	struct exec *exec = arg;
	struct loop *loop = stream_loop(stream);

	exec->stream = stream;
	terminal_size(&exec->columns, &exec->rows);
	send_json(exec, true,
		  json_pack("{s:o, s:b, s:b, s:i, s:i}", "command", command_json(exec->options),
			    "tty", exec->tty, "stdin", exec->interactive, "columns", exec->columns,
			    "rows", exec->rows));
	if ((exec->interactive && input_start(loop, on_input, exec, &exec->input) < 0) ||
	    loop_timer_new(loop, TICK_MS, TICK_MS, on_tick, exec, &exec->timer) < 0) {
		snprintf(exec->error, sizeof(exec->error), "out of memory");
		stream_close(stream);
	}
}

/* ---- output ---- */

static void write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		bytes += n;
		len -= (size_t)n;
	}
}

static void take_control(struct exec *exec, const char *bytes, size_t len)
{
	_cleanup_(json_decrefp) json_t *control = json_loadb(bytes, len, 0, NULL);
	const json_t *code = json_object_get(control, "exit_code");
	const json_t *taken = json_object_get(control, "taken");
	const char *error = json_string_value(json_object_get(control, "error"));

	if (json_is_integer(taken)) {
		exec->untaken -= size_min(exec->untaken, (size_t)json_integer_value(taken));
		read_more(exec);
	} else if (json_is_integer(code)) {
		exec->has_ended = true;
		exec->exit_code = (int)(json_integer_value(code) & 0xff);
	} else if (error) {
		snprintf(exec->error, sizeof(exec->error), "%s", error);
	}
}

static void on_message(struct stream *stream, void *arg, enum ws_kind kind, const void *bytes,
		       size_t len)
{
	struct exec *exec = arg;
	const char *text = bytes;

	(void)stream;
	if (kind != WS_BINARY || len == 0)
		return;
	switch (text[0]) {
	case CHANNEL_STDOUT:
		write_all(STDOUT_FILENO, text + 1, len - 1);
		break;
	case CHANNEL_STDERR:
		write_all(STDERR_FILENO, text + 1, len - 1);
		break;
	case CHANNEL_CONTROL:
		take_control(exec, text + 1, len - 1);
		break;
	}
}

static void on_end(struct stream *stream, void *arg)
{
	struct exec *exec = arg;

	(void)stream;
	if (exec->input)
		input_stop(exec->input);
	exec->input = NULL;
}

static int run(struct cli *cli, struct exec *exec)
{
	static const struct stream_handler handler = {
		.on_open = on_open,
		.on_message = on_message,
		.on_end = on_end,
	};
	struct stream_end end;
	const char *rental, *path;
	int r = rental_find(cli->client, cli->options.words[0], &rental);

	if (r != 0)
		return r;
	path = cli_path(cli, "/v1/rentals/", rental, "/exec");
	if (!path)
		return cli_fault(-ENOMEM, "exec");
	if (exec->tty && exec->interactive) {
		r = terminal_raw(&exec->terminal);
		if (r < 0)
			return cli_fail(CLI_USAGE, "--tty needs a terminal for standard input");
	}
	r = stream_run(cli->client, path, &handler, exec, &end);
	terminal_restore(&exec->terminal);
	if (r != 0)
		return r;
	if (exec->has_ended)
		return exec->exit_code;
	if (*exec->error)
		return cli_fail(CLI_FAILED, "%s", exec->error);
	r = stream_exit_code(&end);
	return r != 0 ? r : cli_fail(CLI_FAILED, "the process's end was not told");
}

int cmd_exec(int argc, char **argv)
{
	struct exec exec = { .stream = NULL };
	struct cli cli;
	int status;

	if (cli_begin(&table, argc, argv, &cli, &status) != 0)
		return status;
	exec.options = &cli.options;
	exec.interactive = options_has(&cli.options, "interactive");
	exec.tty = options_has(&cli.options, "tty");
	status = run(&cli, &exec);
	cli_end(&cli);
	return status;
}
