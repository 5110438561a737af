/* money.c - what an account has, and how it came and went. */
#include "cmd/cli.h"
#include "cmd/commands.h"

static const struct option_row balance_rows[] = { CLI_URL_ROW, CLI_OUTPUT_ROW, { 0 } };
static const struct option_table balance_table = {
	.usage = "kaisar balance [OPTIONS]",
	.about = "What you may spend, what running rentals hold, and what your machines earned.",
	.rows = balance_rows,
};

static const struct column balance_columns[] = {
	{ "available", "available" },       { "held", "held" },     { "points", "points" },
	{ "withdrawable", "withdrawable" }, { "earned", "earned" }, { 0 },
};

int cmd_balance(int argc, char **argv)
{
	_cleanup_(json_decrefp) json_t *balance = NULL;
	struct cli cli;
	int status;

	if (cli_begin(&balance_table, argc, argv, &cli, &status) != 0)
		return status;
	status = client_get(cli.client, "/v1/balance", &balance);
	if (status == 0)
		status = cli_print_object(&cli, balance_columns, balance);
	cli_end(&cli);
	return status;
}

static const struct option_row statement_rows[] = {
	{ "limit", 'n', "N", "at most so many, the newest first (100; 0: all)" },
	CLI_URL_ROW,
	CLI_OUTPUT_ROW,
	{ 0 },
};
static const struct option_table statement_table = {
	.usage = "kaisar statement [OPTIONS]",
	.about = "Every movement of your money. `kaisar verify-bill` recomputes a rental's.",
	.rows = statement_rows,
};

static const struct column statement_columns[] = {
	{ "AT", "at" },         { "KIND", "kind" }, { "AMOUNT", "amount" },
	{ "RENTAL", "rental" }, { "MEMO", "memo" }, { 0 },
};

int cmd_statement(int argc, char **argv)
{
	_cleanup_(json_decrefp) json_t *items = NULL;
	struct cli cli;
	int64_t limit;
	int status;

	if (cli_begin(&statement_table, argc, argv, &cli, &status) != 0)
		return status;
	if (options_int(&cli.options, "limit", 0, 10000, 100, &limit) != 0)
		status = CLI_USAGE;
	if (status == 0)
		status = client_list(cli.client, "/v1/statement?limit=100", (size_t)limit, &items);
	if (status == 0)
		status = cli_print_list(&cli, statement_columns, items);
	cli_end(&cli);
	return status;
}
