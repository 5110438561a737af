/* admin.c - what operators do: credit, roles, every machine and checker, licences, the ledger's check, the chain. */
#include "cmd/admin_vpn.h"
#include "cmd/audit.h"
#include "cmd/cli.h"
#include "cmd/commands.h"
#include "cmd/popw.h"

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

/* ---- machines ---- */

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

/* ---- checkers ---- */

static const struct option_row checkers_rows[] = {
	{ "banned", 0, NULL, "only those that are banned now" },
	CLI_URL_ROW,
	CLI_OUTPUT_ROW,
	{ 0 },
};
static const struct option_table checkers_table = {
	.usage = "kaisar admin checkers [OPTIONS]",
	.about = "Every checker of the network. `kaisar checker tasks` tells the proofs for which "
		 "one was\n"
		 "marked wrong.",
	.rows = checkers_rows,
};

static const struct column checker_columns[] = {
	{ "CHECKER", "checker" },
	{ "NAME", "name" },
	{ "ACCOUNT", "account" },
	{ "STATUS", "status" },
	{ "UNTIL", "ban.until" },
	{ "WHY", "ban.reason" },
	{ "LICENCES", "licences" },
	{ "VALID", "valid" },
	{ "WRONG", "wrong" },
	{ "ERRORS", "error_ppm", COLUMN_PPM },
	{ "SEEN", "seen_at" },
	{ "VERSION", "version" },
	{ 0 },
};

static int admin_checkers(int argc, char **argv)
{
	_cleanup_(json_decrefp) json_t *items = NULL;
	struct cli cli;
	int status;

	if (cli_begin(&checkers_table, argc, argv, &cli, &status) != 0)
		return status;
	status = client_list(cli.client,
			     options_has(&cli.options, "banned")
				     ? "/v1/admin/checkers?limit=100&banned=true"
				     : "/v1/admin/checkers?limit=100",
			     0, &items);
	if (status == 0)
		status = cli_print_list(&cli, checker_columns, items);
	cli_end(&cli);
	return status;
}

static const struct option_table licence_table = {
	.usage = "kaisar admin licence [OPTIONS] CHECKER N",
	.about = "Sets how many licences a checker has; with none it gets no tasks.",
	.rows = plain_rows,
	.words_min = 2,
	.words_max = 2,
};

static int licence(struct cli *cli)
{
	_cleanup_(json_decrefp) json_t *body = NULL, *checker = NULL, *list = NULL;
	struct client_call call = { .method = "PUT" };
	const char *word = cli->options.words[1];
	long long licences;
	char *end;
	int r;

	errno = 0;
	licences = strtoll(word, &end, 10);
	if (errno || end == word || *end || licences < 0)
		return options_refuse(&licence_table, "N must be a number from 0 on, not '%s'",
				      word);
	body = json_pack("{s:I}", "licences", (json_int_t)licences);
	call.path = cli_path(cli, "/v1/admin/checkers/", cli->options.words[0], "");
	call.body = body;
	if (!body || !call.path)
		return cli_fault(-ENOMEM, "licence");
	r = client_call(cli->client, &call, &checker);
	if (r != 0)
		return r;
	if (cli->format != OUT_TABLE)
		return cli_print_object(cli, NULL, checker);
	list = json_pack("[O]", checker);
	return cli_print_list(cli, checker_columns, list);
}

static int admin_licence(int argc, char **argv)
{
	struct cli cli;
	int status;

	if (cli_begin(&licence_table, argc, argv, &cli, &status) != 0)
		return status;
	status = licence(&cli);
	cli_end(&cli);
	return status;
}

/* ---- the ledger ---- */

static const struct option_table ledger_table = {
	.usage = "kaisar admin ledger [OPTIONS]",
	.about = "Checks that every posting and all balances add up; exits with 1 where they do "
		 "not.",
	.rows = plain_rows,
};

static const struct column ledger_columns[] = {
	{ "balanced", "balanced" },    { "problem", "problem" },
	{ "issued", "issued" },        { "fees", "fees" },
	{ "in the escrow", "escrow" }, { "the network's", "fund" },
	{ "settled", "settled" },      { "due", "due" },
	{ "unpaid", "unpaid" },        { 0 },
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

/* ---- instances ---- */

static const struct option_table instances_table = {
	.usage = "kaisar admin instances [OPTIONS]",
	.about = "The processes of the control plane, and which of them does what only one may do "
		 "at\n"
		 "a time.",
	.rows = plain_rows,
};

static const struct column instances_columns[] = {
	{ "INSTANCE", "id" },
	{ "URL", "url" },
	{ "STATE", "state" },
	{ "SEEN", "seen_at" },
	{ "DUTIES", "holds" },
	{ "VERSION", "version" },
	{ 0 },
};

/* The names of its duties, for the table. */
static int name_duties(json_t *instance)
{
	const json_t *duty, *duties = json_object_get(instance, "duties");
	char text[256] = "";
	size_t i, len = 0;

	json_array_foreach(duties, i, duty) {
		const char *name = json_string_value(json_object_get(duty, "duty"));

		if (len < sizeof(text))
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
						i ? "," : "", name ? name : "");
	}
	return json_object_set_new(instance, "holds", json_string(text));
}

static int admin_instances(int argc, char **argv)
{
	_cleanup_(json_decrefp) json_t *answer = NULL;
	json_t *items, *instance;
	struct cli cli;
	size_t i;
	int status;

	if (cli_begin(&instances_table, argc, argv, &cli, &status) != 0)
		return status;
	status = client_get(cli.client, "/v1/admin/instances", &answer);
	items = json_object_get(answer, "items");
	if (cli.format == OUT_TABLE)
		json_array_foreach(items, i, instance)
			status = status == 0 && name_duties(instance) < 0 ? CLI_FAILED : status;
	if (status == 0)
		status = cli_print_list(&cli, instances_columns, items);
	cli_end(&cli);
	return status;
}

/* ---- the chain ---- */

static const struct option_table chain_table = {
	.usage = "kaisar admin chain [OPTIONS]",
	.about = "How the chain does; exits with 1 where something is wrong.",
	.rows = plain_rows,
};

static const struct column chain_columns[] = {
	{ "chain", "chain.chain_id" },
	{ "key", "chain.publisher" },
	{ "head", "chain.head" },
	{ "final", "chain.final" },
	{ "calls waiting", "outbox.queued" },
	{ "calls sent", "outbox.in_flight" },
	{ "calls: problem", "outbox.problem" },
	{ "blocks behind", "indexer.behind" },
	{ "logs: problem", "indexer.problem" },
	{ "last root", "anchors.sequence" },
	{ "made", "anchors.made_at" },
	{ "final", "anchors.final" },
	{ "records waiting", "anchors.waiting" },
	{ "roots: problem", "anchors.problem" },
	{ "payouts: problem", "payouts.problem" },
	{ "settlement: problem", "settlement.problem" },
	{ "must agree", "agree" },
	{ 0 },
};

static const struct column endpoint_columns[] = {
	{ "ENDPOINT", "url" },      { "ANSWERS", "answers" }, { "FAILURES", "failures" },
	{ "RESTS MS", "rests_ms" }, { "PROBLEM", "problem" }, { 0 },
};

static bool chain_well(const json_t *health)
{
	static const char *const parts[] = { "outbox", "indexer", "anchors", "payouts",
					     "settlement" };
	bool well = true;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		well = well &&
		       json_is_null(json_object_get(json_object_get(health, parts[i]), "problem"));
	return well;
}

static int admin_chain(int argc, char **argv)
{
	_cleanup_(json_decrefp) json_t *health = NULL;
	struct cli cli;
	int status;

	if (cli_begin(&chain_table, argc, argv, &cli, &status) != 0)
		return status;
	status = client_get(cli.client, "/v1/admin/chain", &health);
	if (status == 0)
		status = cli_print_object(&cli, chain_columns, health);
	if (status == 0 && cli.format == OUT_TABLE)
		status = cli_print_list(&cli, endpoint_columns,
					json_object_get(health, "endpoints"));
	if (status == 0 && !chain_well(health))
		status = cli_fail(CLI_FAILED, "something keeps the network from its chain");
	cli_end(&cli);
	return status;
}

/* ---- rewards ---- */

static const struct option_row replace_rows[] = {
	{ "reason", 0, "TEXT", "why, which is published" },
	{ "less", 0, "ACCOUNT=UNITS",
	  "take so many units of 10^-18 token off the account's sum; may be repeated" },
	CLI_URL_ROW,
	CLI_OUTPUT_ROW,
	{ 0 },
};
static const struct option_table replace_table = {
	.usage = "kaisar admin replace-root [OPTIONS] --reason TEXT liquid|vested",
	.about = "Has the root of rewards made anew that the guardian withdrew.",
	.rows = replace_rows,
	.words_min = 1,
	.words_max = 1,
};

static const struct column replace_columns[] = {
	{ "kind", "kind" },
	{ "round", "round" },
	{ "withdrawn", "attempt" },
	{ "through", "through" },
	{ 0 },
};

/* NULL: an option is not as it should be, which was said. */
static json_t *replace_less(const struct cli *cli)
{
	json_t *less = json_object();
	const char *word;

	for (size_t i = 0; (word = options_nth(&cli->options, "less", i)); i++) {
		const char *equals = strchr(word, '=');

		if (!equals || json_object_setn_new(less, word, (size_t)(equals - word),
						    json_string(equals + 1)) < 0) {
			options_refuse(&replace_table, "--less must be ACCOUNT=UNITS, not '%s'",
				       word);
			json_decref(less);
			return NULL;
		}
	}
	return less;
}

static int replace_root(struct cli *cli)
{
	_cleanup_(json_decrefp) json_t *body = NULL, *answer = NULL;
	const char *reason = options_get(&cli->options, "reason", NULL);
	struct client_call call = { .method = "POST" };
	json_t *less;
	int r;

	if (!reason)
		return options_refuse(&replace_table, "--reason is missing: it is published");
	less = replace_less(cli);
	if (!less)
		return CLI_USAGE;
	body = json_pack("{s:s, s:o}", "reason", reason, "less", less);
	call.path = cli_path(cli, "/v1/admin/rewards/roots/", cli->options.words[0], "");
	call.body = body;
	if (!body || !call.path)
		return cli_fault(-ENOMEM, "replace-root");
	r = client_call(cli->client, &call, &answer);
	return r == 0 ? cli_print_object(cli, replace_columns, answer) : r;
}

static int admin_replace_root(int argc, char **argv)
{
	struct cli cli;
	int status;

	if (cli_begin(&replace_table, argc, argv, &cli, &status) != 0)
		return status;
	status = replace_root(&cli);
	cli_end(&cli);
	return status;
}

int cmd_admin(int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{ "credit", "give an account credit", admin_credit },
		{ "role", "give or take a role", admin_role },
		{ "workers", "list every machine", admin_workers },
		{ "checkers", "list every checker", admin_checkers },
		{ "licence", "set how many licences a checker has", admin_licence },
		{ "proofs", "list every proof, planted ones and disagreements", popw_admin_list },
		{ "probes", "list the test containers that checkers talked to", popw_admin_probes },
		{ "ledger", "check that the books balance", admin_ledger },
		{ "audit", "check that the audit log was not changed", audit_admin },
		{ "instances", "list the processes of the control plane, and what each does",
		  admin_instances },
		{ "chain", "show how the chain does, and what is wrong", admin_chain },
		{ "vpn", "show who is in the mesh VPN, let in, take out", admin_vpn },
		{ "replace-root", "have a withdrawn root of rewards made anew",
		  admin_replace_root },
		{ 0 },
	};

	return cli_verbs("admin", verbs, argc, argv);
}
