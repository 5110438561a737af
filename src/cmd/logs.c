#include "cmd/logs.h"

#include <time.h>

#include "cmd/cli.h"
#include "cmd/commands.h"
#include "cmd/rental_wait.h"
#include "cmd/stream.h"

enum { TRIES = 10, PAUSE_S = 1, CLOSE_NORMAL = 1000, UNAVAILABLE = 503 };

struct logs {
	struct client *client;
	const char *rental;
	const struct logs_wish *wish;
	int64_t next; /* the first sequence not yet shown */
	bool stopping;
	int tries;
};

static void show_line(const char *stream, const char *text)
{
	FILE *out = strcmp(stream, "stdout") == 0 ? stdout : stderr;
	size_t len = strlen(text);

	fprintf(out, "%s%s%s", strcmp(stream, "system") == 0 ? "kaisar: " : "", text,
		len > 0 && text[len - 1] == '\n' ? "" : "\n");
	fflush(out);
}

static void on_message(struct stream *stream, void *arg, enum ws_kind kind, const void *bytes,
		       size_t len)
{
	_cleanup_(json_decrefp) json_t *line = NULL;
	struct logs *logs = arg;
	int64_t sequence;

	(void)stream;
	if (kind != WS_TEXT)
		return;
	line = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, NULL);
	sequence = json_integer_value(json_object_get(line, "seq"));
	if (!line || sequence < logs->next)
		return;
	logs->next = sequence + 1;
	logs->tries = 0;
	show_line(rental_text(line, "stream"), rental_text(line, "text"));
}

/* What somebody stops watching would go on costing: so the first Ctrl-C ends the rental, the second
 * only this program. */
static void stop_on_signal(struct stream *stream, void *arg, int signal)
{
	_cleanup_(json_decrefp) json_t *rental = NULL;
	struct logs *logs = arg;

	(void)signal;
	if (logs->stopping) {
		cli_fail(0, "%s is still stopping", logs->rental);
		stream_close(stream);
		return;
	}
	logs->stopping = true;
	cli_fail(0, "stopping %s; once more to leave at once", logs->rental);
	if (rental_stop(logs->client, logs->rental, &rental) != 0)
		stream_close(stream);
}

static int show_once(struct logs *logs, struct stream_end *ret_end)
{
	const struct stream_handler handler = {
		.on_message = on_message,
		.on_signal = logs->wish->owns ? stop_on_signal : NULL,
	};
	char path[160];

	snprintf(path, sizeof(path),
		 "/v1/rentals/%s/logs?since=%" PRId64 "&tail=%" PRId64 "&follow=%s", logs->rental,
		 logs->next, logs->next > logs->wish->since ? 0 : logs->wish->tail,
		 logs->wish->follow ? "true" : "false");
	return stream_run(logs->client, path, &handler, logs, ret_end);
}

/* Ends that may be over in a moment: no answer, a lost connection, a server that restarts, a machine
 * that is away. */
static bool may_go_on(const struct logs *logs, const struct stream_end *end)
{
	if (end->signal || logs->stopping || logs->tries >= TRIES)
		return false;
	if (end->status == 101)
		return end->code != CLOSE_NORMAL;
	return end->status == 0 || end->status == UNAVAILABLE;
}

int logs_show(struct client *client, const char *rental, const struct logs_wish *wish)
{
	const struct timespec pause = { .tv_sec = PAUSE_S };
	struct logs logs = { client, rental, wish, .next = wish->since };
	struct stream_end end;
	int r;

	for (;;) {
		r = show_once(&logs, &end);
		if (r != 0)
			return r;
		if (!may_go_on(&logs, &end))
			break;
		logs.tries++;
		nanosleep(&pause, NULL);
	}
	return logs.stopping ? 0 : stream_exit_code(&end);
}

static const struct option_row rows[] = {
	{ "follow", 'f', NULL, "go on with what comes" },
	{ "since", 0, "N", "from this sequence number on" },
	{ "tail", 'n', "N", "at most so many lines of the past" },
	CLI_URL_ROW,
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar logs [OPTIONS] RENTAL",
	.about = "What a rental wrote, from the pull onward: its output to standard output, its "
		 "errors\n"
		 "and the platform's own lines to standard error.",
	.rows = rows,
	.words_min = 1,
	.words_max = 1,
};

int cmd_logs(int argc, char **argv)
{
	struct logs_wish wish = { 0 };
	const char *rental;
	struct cli cli;
	int status;

	if (cli_begin(&table, argc, argv, &cli, &status) != 0)
		return status;
	wish.follow = options_has(&cli.options, "follow");
	if (options_int(&cli.options, "since", 0, INT64_MAX, 0, &wish.since) != 0 ||
	    options_int(&cli.options, "tail", 1, 1000000, 0, &wish.tail) != 0)
		status = CLI_USAGE;
	if (status == 0)
		status = rental_find(cli.client, cli.options.words[0], &rental);
	if (status == 0)
		status = logs_show(cli.client, rental, &wish);
	cli_end(&cli);
	return status;
}
