/* stats.c - what a rental uses, now or live. */
#include "cmd/cli.h"
#include "cmd/commands.h"
#include "cmd/rental_wait.h"
#include "cmd/stream.h"

static const struct option_row rows[] = {
	{ "no-stream", 0, NULL, "once, then end" },
	CLI_URL_ROW,
	CLI_OUTPUT_ROW,
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar stats [OPTIONS] RENTAL",
	.about =
		"What a rental uses, a line each time it is measured. With -o json each line is an "
		"object.",
	.rows = rows,
	.words_min = 1,
	.words_max = 1,
};

struct stats {
	enum out_format format;
	bool once, titled, shown;
};

static double mib(const json_t *sample, const char *name)
{
	return (double)json_integer_value(json_object_get(sample, name)) / (1 << 20);
}

static void print_row(struct stats *stats, const json_t *sample)
{
	if (!stats->titled)
		printf("%8s  %10s  %10s  %6s  %10s  %10s\n", "CPU", "MEMORY", "LIMIT", "PIDS",
		       "NET IN", "NET OUT");
	stats->titled = true;
	printf("%7.1f%%  %7.1fMiB  %7.0fMiB  %6" JSON_INTEGER_FORMAT "  %7.1fMiB  %7.1fMiB\n",
	       (double)json_integer_value(json_object_get(sample, "cpu_permille")) / 10,
	       mib(sample, "memory_bytes"), mib(sample, "memory_limit_bytes"),
	       json_integer_value(json_object_get(sample, "pids")), mib(sample, "rx_bytes"),
	       mib(sample, "tx_bytes"));
}

static void on_message(struct stream *stream, void *arg, enum ws_kind kind, const void *bytes,
		       size_t len)
{
	_cleanup_(json_decrefp) json_t *sample = NULL;
	struct stats *stats = arg;

	if (kind != WS_TEXT || (stats->once && stats->shown))
		return;
	sample = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(sample))
		return;
	stats->shown = true;
	if (stats->format == OUT_TABLE) {
		print_row(stats, sample);
	} else {
		json_dumpf(sample, stdout, JSON_COMPACT);
		putchar('\n');
	}
	if (fflush(stdout) != 0 || stats->once)
		stream_close(stream);
}

static int show(struct cli *cli)
{
	static const struct stream_handler handler = { .on_message = on_message };
	struct stats stats = { .format = cli->format,
			       .once = options_has(&cli->options, "no-stream") };
	struct stream_end end;
	const char *rental, *path;
	int r;

	r = rental_find(cli->client, cli->options.words[0], &rental);
	if (r != 0)
		return r;
	path = cli_path(cli, "/v1/rentals/", rental,
			stats.once ? "/stats?follow=false" : "/stats?follow=true");
	if (!path)
		return cli_fault(-ENOMEM, "stats");
	r = stream_run(cli->client, path, &handler, &stats, &end);
	if (r != 0)
		return r;
	return stats.once && stats.shown ? 0 : stream_exit_code(&end);
}

int cmd_stats(int argc, char **argv)
{
	struct cli cli;
	int status;

	if (cli_begin(&table, argc, argv, &cli, &status) != 0)
		return status;
	status = show(&cli);
	cli_end(&cli);
	return status;
}
