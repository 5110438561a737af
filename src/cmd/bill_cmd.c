/* bill_cmd.c - a rental's bill as the network has it, and where it is on the chain. */
#include "cmd/anchor.h"
#include "cmd/cli.h"
#include "cmd/commands.h"
#include "cmd/rental_wait.h"
#include "wire/sign.h"

static const struct option_row rows[] = { CLI_URL_ROW, CLI_OUTPUT_ROW, { 0 } };
static const struct option_table table = {
	.usage = "kaisar bill [OPTIONS] RENTAL",
	.about = "What a rental cost, lease by lease, and where on the chain that is recorded: "
		 "while "
		 "a\n"
		 "lease goes on, its placing only. `kaisar verify-bill` checks both, also in what\n"
		 "`kaisar bill -o json` gives.",
	.rows = rows,
	.words_min = 1,
	.words_max = 1,
};
static const struct column columns[] = {
	{ "LEASE", "lease" },
	{ "MACHINE", "machine" },
	{ "TIME", "usage.seconds", COLUMN_SECONDS },
	{ "RATE/HOUR", "rate_hour" },
	{ "CHARGED", "charged" },
	{ "UNPAID", "unpaid" },
	{ "RECORDED", "recorded" },
	{ "ON CHAIN", "on_chain" },
	{ "ROOT", "anchor.sequence" },
	{ "TRANSACTION", "anchor.transaction" },
	{ 0 },
};

/* What of the lease is recorded. Until the end it is what was agreed, and nothing of what was charged. */
static const char *recorded_text(const json_t *lease, bool known)
{
	if (!known)
		return "nothing";
	return json_integer_value(json_object_get(lease, "record")) > 0 ? "all" : "placing only";
}

static const char *on_chain_text(const json_t *anchor, bool known)
{
	if (!known)
		return "no chain";
	if (!json_is_object(anchor))
		return "waits";
	return json_is_true(json_object_get(anchor, "final")) ? "final" : "not final yet";
}

/* For people only: in JSON "record" and "anchor" say the same. */
static int add_words(json_t *lease, bool known)
{
	const json_t *anchor = json_object_get(lease, "anchor");

	if (json_object_set_new(lease, "recorded", json_string(recorded_text(lease, known))) < 0 ||
	    json_object_set_new(lease, "on_chain", json_string(on_chain_text(anchor, known))) < 0)
		return cli_fault(-ENOMEM, "bill");
	return 0;
}

/* Adds "anchor": the root that the lease's last record is under; null: none yet. */
static int add_anchor(struct cli *cli, json_t *lease)
{
	const char *text = json_string_value(json_object_get(lease, "lease"));
	_cleanup_(json_decrefp) json_t *inclusion = NULL;
	uint8_t id[SIGN_DIGEST_SIZE];
	struct lease_id lease_id;
	json_t *anchor = NULL;
	bool waits;
	int r;

	if (!text || lease_id_parse(text, &lease_id) < 0)
		return cli_fail(CLI_FAILED, "the network's answer is no bill");
	record_id(lease_id, json_integer_value(json_object_get(lease, "record")), id);
	r = anchor_find(cli->client, ANCHOR_USAGE, id, &inclusion, &waits);
	if (r != 0)
		return r;
	if (inclusion)
		anchor = json_object_get(inclusion, "anchor");
	anchor = anchor ? json_incref(anchor) : json_null();
	if (json_object_set_new(lease, "anchor", anchor) < 0)
		return cli_fault(-ENOMEM, text);
	return cli->format == OUT_TABLE ? add_words(lease, inclusion || waits) : 0;
}

static int show(struct cli *cli)
{
	_cleanup_(json_decrefp) json_t *bill = NULL;
	const char *id, *path;
	json_t *leases;
	int r = rental_find(cli->client, cli->options.words[0], &id);

	if (r != 0)
		return r;
	path = cli_path(cli, "/v1/bills/", id, "");
	r = path ? client_get(cli->client, path, &bill) : cli_fault(-ENOMEM, id);
	if (r != 0)
		return r;
	leases = json_object_get(bill, "leases");
	for (size_t i = 0; r == 0 && i < json_array_size(leases); i++)
		r = add_anchor(cli, json_array_get(leases, i));
	if (r != 0)
		return r;
	return cli->format == OUT_TABLE ? cli_print_list(cli, columns, leases)
					: cli_print_object(cli, NULL, bill);
}

int cmd_bill(int argc, char **argv)
{
	struct cli cli;
	int status;

	if (cli_begin(&table, argc, argv, &cli, &status) != 0)
		return status;
	status = show(&cli);
	cli_end(&cli);
	return status;
}
