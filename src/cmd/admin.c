/* admin.c - what operators do: credit, roles, every machine, the ledger's check. */
#include "cmd/cli.h"
#include "cmd/commands.h"

/* ---- credit ---- */

static const struct option_row credit_rows[] = {
	{ "key", 'k', "KEY", "names this credit: the same key again credits nothing more" },
	{ "memo", 0, "TEXT", "shown in the account's statement" },
	CLI_URL_ROW,
	CLI_OUTPUT_ROW,
	{ 0 },
};
static const struct option_table credit_table = {
	.usage = "kaisar admin credit [OPTIONS] ACCOUNT AMOUNT",
	.about = "Gives an account credit, issued by the network.",
	.rows = credit_rows,
	.words_min = 2,
	.words_max = 2,
};

static const struct column credit_columns[] = {
	{ "account", "account" },
	{ "available", "available" },
	{ 0 },
};

static int credit(struct cli *cli)
{
	const char *key = options_get(&cli->options, "key", NULL);
	_cleanup_(json_decrefp) json_t *body = NULL, *answer = NULL;
	struct client_call call = { .method = "POST",
				    .path = "/v1/admin/credits",
				    .creates = true };
	int r;

	if (!key)
		return options_refuse(&credit_table, "--key is missing: a name for this credit, so "
						     "that it is not given twice");
	body = json_pack("{s:s, s:s, s:s, s:s}", "account", cli->options.words[0], "amount",
			 cli->options.words[1], "key", key, "memo",
			 options_get(&cli->options, "memo", "credit"));
	if (!body)
		return options_refuse(&credit_table, "the words are not UTF-8");
	call.body = body;
	r = client_call(cli->client, &call, &answer);
	return r == 0 ? cli_print_object(cli, credit_columns, answer) : r;
}

static int admin_credit(int argc, char **argv)
{
	struct cli cli;
	int status;

	if (cli_begin(&credit_table, argc, argv, &cli, &status) != 0)
		return status;
	status = credit(&cli);
	cli_end(&cli);
	return status;
}

/* ---- roles ---- */

static const struct option_row role_rows[] = {
	{ "revoke", 0, NULL, "take it away" },
	CLI_URL_ROW,
	CLI_OUTPUT_ROW,
	{ 0 },
};
static const struct option_table role_table = {
	.usage = "kaisar admin role [OPTIONS] ACCOUNT ROLE",
	.about = "Gives an account a role: tenant, provider, checker or operator.",
	.rows = role_rows,
	.words_min = 2,
	.words_max = 2,
};

static const struct column role_columns[] = {
	{ "account", "account" },   { "roles", "roles" },       { "created", "created_at" },
	{ "sessions", "sessions" }, { "API keys", "api_keys" }, { 0 },
};

static int admin_role(int argc, char **argv)
{
	_cleanup_(json_decrefp) json_t *body = NULL, *answer = NULL;
	struct client_call call = { .method = "PUT", .path = "/v1/admin/roles" };
	struct cli cli;
	int status;

	if (cli_begin(&role_table, argc, argv, &cli, &status) != 0)
		return status;
	body = json_pack("{s:s, s:s, s:b}", "account", cli.options.words[0], "role",
			 cli.options.words[1], "granted", !options_has(&cli.options, "revoke"));
	call.body = body;
	status = body ? client_call(cli.client, &call, &answer)
		      : options_refuse(&role_table, "the words are not UTF-8");
	if (status == 0)
		status = cli_print_object(&cli, role_columns, answer);
	cli_end(&cli);
	return status;
}

/* ---- machines and the ledger ---- */

static const struct option_row plain_rows[] = { CLI_URL_ROW, CLI_OUTPUT_ROW, { 0 } };
static const struct option_table workers_table = {
	.usage = "kaisar admin workers [OPTIONS]",
	.about = "Every machine of the network.",
	.rows = plain_rows,
};

static const struct column worker_columns[] = {
	{ "MACHINE", "machine" },
	{ "NAME", "name" },
	{ "OWNER", "owner" },
	{ "STATE", "state" },
	{ "CLASS", "class" },
	{ "LEASES", "leases" },
	{ "SEEN", "seen_at" },
	{ "VERSION", "agent_version" },
	{ 0 },
};

static int admin_workers(int argc, char **argv)
{
	_cleanup_(json_decrefp) json_t *items = NULL;
	struct cli cli;
	int status;

	if (cli_begin(&workers_table, argc, argv, &cli, &status) != 0)
		return status;
	status = client_list(cli.client, "/v1/admin/workers?limit=100", 0, &items);
	if (status == 0)
		status = cli_print_list(&cli, worker_columns, items);
	cli_end(&cli);
	return status;
}

static const struct option_table ledger_table = {
	.usage = "kaisar admin ledger [OPTIONS]",
	.about = "Checks that every posting and all balances add up; exits with 1 where they do "
		 "not.",
	.rows = plain_rows,
};

static const struct column ledger_columns[] = {
	{ "balanced", "balanced" },
	{ "problem", "problem" },
	{ "issued", "issued" },
	{ "fees", "fees" },
	{ 0 },
};

static int admin_ledger(int argc, char **argv)
{
	_cleanup_(json_decrefp) json_t *ledger = NULL;
	struct cli cli;
	int status;

	if (cli_begin(&ledger_table, argc, argv, &cli, &status) != 0)
		return status;
	status = client_get(cli.client, "/v1/admin/ledger", &ledger);
	if (status == 0)
		status = cli_print_object(&cli, ledger_columns, ledger);
	if (status == 0 && !json_is_true(json_object_get(ledger, "balanced")))
		status = cli_fail(CLI_FAILED, "the ledger does not add up");
	cli_end(&cli);
	return status;
}

int cmd_admin(int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{ "credit", "give an account credit", admin_credit },
		{ "role", "give or take a role", admin_role },
		{ "workers", "list every machine", admin_workers },
		{ "ledger", "check that the books balance", admin_ledger },
		{ 0 },
	};

	return cli_verbs("admin", verbs, argc, argv);
}
