/* money.c - what an account has, and how it came and went. */
#include "cmd/cli.h"
#include "cmd/commands.h"

static const struct option_row balance_rows[] = { CLI_URL_ROW, CLI_OUTPUT_ROW, { 0 } };
static const struct option_table balance_table = {
	.usage = "kaisar balance [OPTIONS]",
	.about = "What you may spend, what running rentals hold, and what your machines earned: "
		 "what of it\n"
		 "the escrow contract paid, is still to pay, and owes to your wallet (kaisar "
		 "collect).\n"
		 "`leaves at`: you asked the contract to leave, and may then (kaisar escrow exit).",
	.rows = balance_rows,
};

static const struct column balance_columns[] = {
	{ "available", "available" },
	{ "held", "held" },
	{ "points", "points" },
	{ "withdrawable", "withdrawable" },
	{ "leaves at", "leaves_at" },
	{ "earned", "earned" },
	{ "paid", "paid" },
	{ "due", "due" },
	{ "collectable", "collectable" },
	{ 0 },
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

static const struct option_row list_rows[] = {
	{ "limit", 'n', "N", "at most so many, the newest first (100; 0: all)" },
	CLI_URL_ROW,
	CLI_OUTPUT_ROW,
	{ 0 },
};

static int print_all(const struct option_table *table, const char *path,
		     const struct column *columns, int argc, char **argv)
{
	_cleanup_(json_decrefp) json_t *items = NULL;
	struct cli cli;
	int64_t limit;
	int status;

	if (cli_begin(table, argc, argv, &cli, &status) != 0)
		return status;
	if (options_int(&cli.options, "limit", 0, 10000, 100, &limit) != 0)
		status = CLI_USAGE;
	if (status == 0)
		status = client_list(cli.client, path, (size_t)limit, &items);
	if (status == 0)
		status = cli_print_list(&cli, columns, items);
	cli_end(&cli);
	return status;
}

static const struct option_table statement_table = {
	.usage = "kaisar statement [OPTIONS]",
	.about = "Every movement of your money. `kaisar verify-bill` recomputes a rental's.",
	.rows = list_rows,
};

static const struct column statement_columns[] = {
	{ "AT", "at" },         { "KIND", "kind" }, { "AMOUNT", "amount" },
	{ "RENTAL", "rental" }, { "MEMO", "memo" }, { 0 },
};

int cmd_statement(int argc, char **argv)
{
	return print_all(&statement_table, "/v1/statement?limit=100", statement_columns, argc,
			 argv);
}

/* ---- the contract ---- */

static const struct option_table deposits_table = {
	.usage = "kaisar deposits [OPTIONS]",
	.about = "Your deposits in the escrow contract, also those that the chain may still drop.",
	.rows = list_rows,
};

static const struct column deposits_columns[] = {
	{ "AT", "at" },
	{ "STATE", "state" },
	{ "CREDITED", "credited" },
	{ "AMOUNT", "amount" },
	{ "TOKEN", "token" },
	{ "BLOCK", "block" },
	{ "TRANSACTION", "transaction" },
	{ "WHY", "detail" },
	{ 0 },
};

int cmd_deposits(int argc, char **argv)
{
	return print_all(&deposits_table, "/v1/deposits?limit=100", deposits_columns, argc, argv);
}

static const struct option_table withdrawals_table = {
	.usage = "kaisar withdrawals [OPTIONS]",
	.about = "What you took back of your deposits, and what goes on.",
	.rows = list_rows,
};

static const struct column withdrawals_columns[] = {
	{ "WITHDRAWAL", "id" },  { "STATE", "state" },
	{ "AMOUNT", "amount" },  { "ASKED", "asked_at" },
	{ "ENDED", "ended_at" }, { "TRANSACTION", "transaction" },
	{ "WHY", "detail" },     { 0 },
};

int cmd_withdrawals(int argc, char **argv)
{
	return print_all(&withdrawals_table, "/v1/withdrawals?limit=100", withdrawals_columns, argc,
			 argv);
}

static const struct option_row withdraw_rows[] = { CLI_URL_ROW, CLI_OUTPUT_ROW, { 0 } };
static const struct option_table withdraw_table = {
	.usage = "kaisar withdraw [OPTIONS] AMOUNT",
	.about = "Takes back what of your deposits is neither spent nor held. When it is returned\n"
		 "(kaisar withdrawals), the contract owes it to your wallet: `kaisar collect` "
		 "fetches it.",
	.rows = withdraw_rows,
	.words_min = 1,
	.words_max = 1,
};

int cmd_withdraw(int argc, char **argv)
{
	_cleanup_(json_decrefp) json_t *body = NULL, *answer = NULL;
	struct client_call call = { .method = "POST", .path = "/v1/withdrawals", .creates = true };
	struct cli cli;
	int status;

	if (cli_begin(&withdraw_table, argc, argv, &cli, &status) != 0)
		return status;
	call.body = body = json_pack("{s:s}", "amount", cli.options.words[0]);
	status = body ? client_call(cli.client, &call, &answer)
		      : options_refuse(&withdraw_table, "AMOUNT is not UTF-8");
	if (status == 0)
		status = cli_print_object(&cli, withdrawals_columns, answer);
	cli_end(&cli);
	return status;
}
