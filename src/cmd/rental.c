/* rental.c - a tenant's rentals: ps, inspect, stop, rm. */
#include "cmd/cli.h"
#include "cmd/commands.h"
#include "cmd/rental_wait.h"

#define RENTALS "/v1/rentals/"

/* ---- ps ---- */

static const struct option_row ps_rows[] = {
	{ "all", 'a', NULL, "ended ones, too" },
	{ "quiet", 'q', NULL, "ids only" },
	CLI_URL_ROW,
	CLI_OUTPUT_ROW,
	{ 0 },
};
static const struct option_table ps_table = {
	.usage = "kaisar ps [OPTIONS]",
	.about = "Lists your rentals, the newest first.",
	.rows = ps_rows,
};

static const struct column ps_columns[] = {
	{ "RENTAL", "id" },
	{ "NAME", "name" },
	{ "IMAGE", "image" },
	{ "STATE", "state" },
	{ "REASON", "reason" },
	{ "RATE/H", "rate_hour" },
	{ "SECONDS", "seconds", COLUMN_SECONDS },
	{ "CHARGED", "charged" },
	{ "PORTS", "ports", COLUMN_PORTS },
	{ 0 },
};

static int keep_live(json_t *items)
{
	for (size_t i = json_array_size(items); i > 0; i--)
		if (rental_has_ended(json_array_get(items, i - 1)) &&
		    json_array_remove(items, i - 1) < 0)
			return cli_fault(-ENOMEM, "ps");
	return 0;
}

static int print_ids(const json_t *items)
{
	for (size_t i = 0; i < json_array_size(items); i++)
		puts(rental_text(json_array_get(items, i), "id"));
	return fflush(stdout) == 0 ? 0 : cli_fault(-EIO, "standard output");
}

int cmd_ps(int argc, char **argv)
{
	_cleanup_(json_decrefp) json_t *items = NULL;
	struct cli cli;
	int status;

	if (cli_begin(&ps_table, argc, argv, &cli, &status) != 0)
		return status;
	status = client_list(cli.client, "/v1/rentals?limit=100", 0, &items);
	if (status == 0 && !options_has(&cli.options, "all"))
		status = keep_live(items);
	if (status == 0)
		status = options_has(&cli.options, "quiet")
				 ? print_ids(items)
				 : cli_print_list(&cli, ps_columns, items);
	cli_end(&cli);
	return status;
}

/* ---- one or more rentals by name ---- */

static const struct option_row plain_rows[] = { CLI_URL_ROW, CLI_OUTPUT_ROW, { 0 } };

typedef int rental_fn(struct cli *cli, const char *id);

/* Does @fn for each word; goes on behind a failure, whose code is the command's. */
static int for_each(const struct option_table *table, int argc, char **argv, rental_fn *fn)
{
	int status = 0, result, r;
	const char *id;
	struct cli cli;

	if (cli_begin(table, argc, argv, &cli, &status) != 0)
		return status;
	for (size_t i = 0; i < cli.options.n_words; i++) {
		r = rental_find(cli.client, cli.options.words[i], &id);
		result = r == 0 ? fn(&cli, id) : r;
		if (result != 0)
			status = result;
	}
	cli_end(&cli);
	return status;
}

static const struct option_table inspect_table = {
	.usage = "kaisar inspect [OPTIONS] RENTAL...",
	.about = "All about rentals, with their history. A RENTAL is an id, its beginning, or a "
		 "name.\n-o json says a little more.",
	.rows = plain_rows,
	.words_min = 1,
	.words_max = 64,
};

static const struct column inspect_columns[] = {
	{ "rental", "id" },
	{ "name", "name" },
	{ "image", "image" },
	{ "command", "command" },
	{ "state", "state" },
	{ "reason", "reason" },
	{ "caused by", "caused_by" },
	{ "detail", "detail" },
	{ "exit code", "exit_code" },
	{ "machine", "machine" },
	{ "cores", "cpu_milli", COLUMN_MILLI },
	{ "memory", "memory_bytes", COLUMN_BYTES },
	{ "disk", "disk_bytes", COLUMN_BYTES },
	{ "gpus", "gpus" },
	{ "ports", "ports", COLUMN_PORTS },
	{ "rate an hour", "rate_hour" },
	{ "ran", "seconds", COLUMN_SECONDS },
	{ "charged", "charged" },
	{ 0 },
};

static const struct column history_columns[] = {
	{ "AT", "at" },        { "STATE", "to" },      { "REASON", "reason" },
	{ "BY", "caused_by" }, { "DETAIL", "detail" }, { 0 },
};

static int print_inspected(struct cli *cli, const json_t *rental, const json_t *history)
{
	int r = cli_print_object(cli, inspect_columns, rental);

	if (r != 0 || cli->format != OUT_TABLE)
		return r;
	putchar('\n');
	return cli_print_list(cli, history_columns, history);
}

static int inspect(struct cli *cli, const char *id)
{
	_cleanup_(json_decrefp) json_t *rental = NULL, *history = NULL;
	const char *path = cli_path(cli, RENTALS, id, ""),
		   *moves = cli_path(cli, RENTALS, id, "/history");
	int r;

	if (!path || !moves)
		return cli_fault(-ENOMEM, "inspect");
	r = client_get(cli->client, path, &rental);
	if (r == 0)
		r = client_list(cli->client, moves, 0, &history);
	if (r != 0)
		return r;
	if (json_object_set(rental, "history", history) < 0)
		return cli_fault(-ENOMEM, "inspect");
	return print_inspected(cli, rental, history);
}

int cmd_inspect(int argc, char **argv)
{
	return for_each(&inspect_table, argc, argv, inspect);
}

static const struct option_row stop_rows[] = {
	{ "detach", 'd', NULL, "do not wait until it has stopped" },
	CLI_URL_ROW,
	CLI_OUTPUT_ROW,
	{ 0 },
};
static const struct option_table stop_table = {
	.usage = "kaisar stop [OPTIONS] RENTAL...",
	.about = "Stops rentals; what ran is charged to the second, the rest is released.",
	.rows = stop_rows,
	.words_min = 1,
	.words_max = 64,
};

static int stop(struct cli *cli, const char *id)
{
	_cleanup_(json_decrefp) json_t *rental = NULL;
	int r = rental_stop(cli->client, id, &rental);

	if (r == 0 && !options_has(&cli->options, "detach") && !rental_has_ended(rental)) {
		json_decref(rental);
		rental = NULL;
		r = rental_wait_end(cli->client, id, &rental);
	}
	if (r != 0)
		return r;
	if (cli->format != OUT_TABLE)
		return cli_print_object(cli, NULL, rental);
	puts(id);
	fprintf(stderr, "%s after %" JSON_INTEGER_FORMAT " s: %s charged\n",
		rental_text(rental, "state"),
		json_integer_value(json_object_get(rental, "seconds")),
		rental_text(rental, "charged"));
	return 0;
}

int cmd_stop(int argc, char **argv)
{
	return for_each(&stop_table, argc, argv, stop);
}

static const struct option_row rm_rows[] = {
	{ "force", 'f', NULL, "stop it first where it runs" },
	CLI_URL_ROW,
	{ 0 },
};
static const struct option_table rm_table = {
	.usage = "kaisar rm [OPTIONS] RENTAL...",
	.about = "Removes ended rentals with what their containers hold. Their bills stay.",
	.rows = rm_rows,
	.words_min = 1,
	.words_max = 64,
};

static int stop_first(struct cli *cli, const char *id)
{
	_cleanup_(json_decrefp) json_t *rental = NULL, *ended = NULL;
	int r = rental_stop(cli->client, id, &rental);

	return r == 0 && !rental_has_ended(rental) ? rental_wait_end(cli->client, id, &ended) : r;
}

static int remove_rental(struct cli *cli, const char *id)
{
	const struct client_call call = { .method = "DELETE",
					  .path = cli_path(cli, RENTALS, id, "") };
	_cleanup_(json_decrefp) json_t *answer = NULL;
	int r = call.path ? 0 : cli_fault(-ENOMEM, "rm");

	if (r == 0 && options_has(&cli->options, "force"))
		r = stop_first(cli, id);
	if (r == 0)
		r = client_call(cli->client, &call, &answer);
	if (r == 0)
		puts(id);
	return r;
}

int cmd_rm(int argc, char **argv)
{
	return for_each(&rm_table, argc, argv, remove_rental);
}
