#include "cmd/provider.h"

#include "cmd/cli.h"
#include "cmd/popw_probes.h"
#include "cmd/registration.h"
#include "cmd/worker_checks.h"

#define WORKERS "/v1/workers/"

static const struct option_row plain_rows[] = { CLI_URL_ROW, CLI_OUTPUT_ROW, { 0 } };

/* ---- status ---- */

static const struct option_table status_table = {
	.usage = "kaisar worker status [OPTIONS] [MACHINE]",
	.about = "Your machines; with a machine's address, all about it.",
	.rows = plain_rows,
	.words_max = 1,
};

static const struct column columns[] = {
	{ "MACHINE", "machine" },
	{ "NAME", "name" },
	{ "STATE", "state" },
	{ "PAUSED", "paused" },
	{ "PROVED", "proved" },
	{ "CLASS", "class" },
	{ "GPU/H", "gpu_hour" },
	{ "CORE/H", "core_hour" },
	{ "LEASES", "leases" },
	{ "FREE CORES", "free.cpu_milli", COLUMN_MILLI },
	{ "FREE RAM", "free.memory_bytes", COLUMN_BYTES },
	{ "FREE GPUS", "free.gpus" },
	{ "SEEN", "seen_at" },
	{ 0 },
};

static int show_one(struct cli *cli)
{
	_cleanup_(json_decrefp) json_t *worker = NULL, *list = NULL;
	const char *path = cli_path(cli, WORKERS, cli->options.words[0], "");
	int r = path ? client_get(cli->client, path, &worker) : cli_fault(-ENOMEM, "status");

	if (r != 0)
		return r;
	list = json_pack("[O]", worker);
	r = list ? worker_checks_note(cli, list) : cli_fault(-ENOMEM, "status");
	return r == 0 ? cli_print_object(cli, NULL, worker) : r;
}

static int show_all(struct cli *cli)
{
	_cleanup_(json_decrefp) json_t *items = NULL;
	int r = client_list(cli->client, "/v1/workers?limit=100", 0, &items);

	if (r == 0)
		r = worker_checks_note(cli, items);
	if (r == 0)
		r = cli_print_list(cli, columns, items);
	if (r != 0 || cli->format != OUT_TABLE)
		return r;
	/* Programs find the next three in each machine's object. */
	r = worker_checks_show(cli, items);
	if (r == 0)
		r = registration_show(cli, items);
	return r == 0 ? popw_show_last_probes(cli, items) : r;
}

int provider_status(int argc, char **argv)
{
	struct cli cli;
	int status;

	if (cli_begin(&status_table, argc, argv, &cli, &status) != 0)
		return status;
	status = cli.options.n_words ? show_one(&cli) : show_all(&cli);
	cli_end(&cli);
	return status;
}

/* ---- price ---- */

static const struct option_row price_rows[] = {
	{ "gpu-hour", 'g', "PRICE", "for a GPU and an hour, like 0.35" },
	{ "core-hour", 'c', "PRICE", "for a core and an hour, on machines without GPU" },
	{ "name", 0, "NAME", "what to call the machine" },
	{ "pause", 0, NULL, "no new rentals" },
	{ "resume", 0, NULL, "new rentals again" },
	CLI_URL_ROW,
	CLI_OUTPUT_ROW,
	{ 0 },
};
static const struct option_table price_table = {
	.usage = "kaisar worker price [OPTIONS] MACHINE",
	.about = "Sets what a machine costs. Running rentals keep their price.",
	.rows = price_rows,
	.words_min = 1,
	.words_max = 1,
};

static int change_body(const struct options *options, json_t **ret_body)
{
	const bool pause = options_has(options, "pause"), resume = options_has(options, "resume");
	json_t *body;

	if (pause && resume)
		return options_refuse(&price_table, "--pause or --resume, not both");
	if (options->n_values == 0)
		return options_refuse(&price_table, "what should change?");
	body = json_pack("{s:s*, s:s*, s:s*}", "gpu_hour", options_get(options, "gpu-hour", NULL),
			 "core_hour", options_get(options, "core-hour", NULL), "name",
			 options_get(options, "name", NULL));
	if (!body)
		return options_refuse(&price_table, "the words are not UTF-8");
	if ((pause || resume) && json_object_set_new(body, "paused", json_boolean(pause)) < 0) {
		json_decref(body);
		return cli_fault(-ENOMEM, "price");
	}
	*ret_body = body;
	return 0;
}

static int change(struct cli *cli)
{
	_cleanup_(json_decrefp) json_t *body = NULL, *worker = NULL, *list = NULL;
	struct client_call call = { .method = "PATCH" };
	int r = change_body(&cli->options, &body);

	if (r != 0)
		return r;
	call.path = cli_path(cli, WORKERS, cli->options.words[0], "");
	call.body = body;
	r = call.path ? client_call(cli->client, &call, &worker) : cli_fault(-ENOMEM, "price");
	if (r != 0)
		return r;
	if (cli->format != OUT_TABLE)
		return cli_print_object(cli, NULL, worker);
	list = json_pack("[O]", worker);
	return cli_print_list(cli, columns, list);
}

int provider_price(int argc, char **argv)
{
	struct cli cli;
	int status;

	if (cli_begin(&price_table, argc, argv, &cli, &status) != 0)
		return status;
	status = change(&cli);
	cli_end(&cli);
	return status;
}

/* ---- earnings ---- */

static const struct option_table earnings_table = {
	.usage = "kaisar worker earnings [OPTIONS]",
	.about = "What each lease on your machines earned, the newest first.",
	.rows = plain_rows,
};

static const struct column earnings_columns[] = {
	{ "LEASE", "lease" },     { "RENTAL", "rental" },
	{ "MACHINE", "machine" }, { "TIME", "seconds", COLUMN_SECONDS },
	{ "CHARGED", "charged" }, { "FEE", "fee" },
	{ "EARNED", "earned" },   { 0 },
};

int provider_earnings(int argc, char **argv)
{
	_cleanup_(json_decrefp) json_t *items = NULL;
	struct cli cli;
	int status;

	if (cli_begin(&earnings_table, argc, argv, &cli, &status) != 0)
		return status;
	status = client_list(cli.client, "/v1/earnings?limit=100", 0, &items);
	if (status == 0)
		status = cli_print_list(&cli, earnings_columns, items);
	cli_end(&cli);
	return status;
}

/* ---- tokens ---- */

static const struct option_row token_rows[] = {
	{ "name", 0, "NAME", "what to call the machine" },
	CLI_URL_ROW,
	CLI_OUTPUT_ROW,
	{ 0 },
};
static const struct option_table token_table = {
	.usage = "kaisar worker token [OPTIONS]",
	.about = "Makes a one-time token and shows the command to run on the machine that joins.",
	.rows = token_rows,
};

static const struct column token_columns[] = {
	{ "command", "command" },
	{ "expires", "expires_at" },
	{ 0 },
};

static int make_token(struct cli *cli)
{
	_cleanup_(json_decrefp) json_t *body = NULL, *token = NULL;
	struct client_call call = { .method = "POST", .path = "/v1/workers/tokens" };
	int r;

	body = json_pack("{s:s*}", "name", options_get(&cli->options, "name", NULL));
	if (!body)
		return options_refuse(&token_table, "the name is not UTF-8");
	call.body = body;
	r = client_call(cli->client, &call, &token);
	return r == 0 ? cli_print_object(cli, token_columns, token) : r;
}

int provider_token(int argc, char **argv)
{
	struct cli cli;
	int status;

	if (cli_begin(&token_table, argc, argv, &cli, &status) != 0)
		return status;
	status = make_token(&cli);
	cli_end(&cli);
	return status;
}

/* ---- remove ---- */

static const struct option_table remove_table = {
	.usage = "kaisar worker remove [OPTIONS] MACHINE",
	.about = "Takes a machine out of the network; not while it holds leases.",
	.rows = plain_rows,
	.words_min = 1,
	.words_max = 1,
};

int provider_remove(int argc, char **argv)
{
	return cli_remove(&remove_table, WORKERS, argc, argv);
}
