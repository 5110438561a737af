#include "cmd/admin_vpn.h"

#include "cmd/cli.h"

static const struct column columns[] = {
	{ "MACHINE", "machine" },
	{ "KIND", "kind" },
	{ "ADDRESS", "address" },
	{ "PLACE", "place" },
	{ "SEEN", "seen_at" },
	{ "CERTIFICATE UNTIL", "certificate.expires_at" },
	{ "REVOKED", "revoked.at" },
	{ "WHY", "revoked.reason" },
	{ 0 },
};

/* ---- list ---- */

static const struct option_row plain_rows[] = { CLI_URL_ROW, CLI_OUTPUT_ROW, { 0 } };
static const struct option_table list_table = {
	.usage = "kaisar admin vpn list [OPTIONS]",
	.about = "Every machine of the mesh VPN.",
	.rows = plain_rows,
};

static int vpn_list(int argc, char **argv)
{
	_cleanup_(json_decrefp) json_t *items = NULL;
	struct cli cli;
	int status;

	if (cli_begin(&list_table, argc, argv, &cli, &status) != 0)
		return status;
	status = client_list(cli.client, "/v1/admin/vpn?limit=100", 0, &items);
	if (status == 0)
		status = cli_print_list(&cli, columns, items);
	cli_end(&cli);
	return status;
}

/* ---- what changes one machine ---- */

/* @after: of the path, behind the machine's address. @body is taken over; NULL: it is not UTF-8. */
static int change(struct cli *cli, const char *method, const char *after, json_t *body)
{
	_cleanup_(json_decrefp) json_t *taken = body, *row = NULL, *list = NULL;
	struct client_call call = { .method = method, .body = taken };
	int r;

	if (!taken)
		return options_refuse(cli->options.table, "the words are not UTF-8");
	call.path = cli_path(cli, "/v1/admin/vpn/", cli->options.words[0], after);
	if (!call.path)
		return cli_fault(-ENOMEM, "vpn");
	r = client_call(cli->client, &call, &row);
	if (r != 0)
		return r;
	if (cli->format != OUT_TABLE)
		return cli_print_object(cli, NULL, row);
	list = json_pack("[O]", row);
	return cli_print_list(cli, columns, list);
}

static const struct option_row add_rows[] = {
	{ "place", 0, "HOST:PORT", "where on the internet a lighthouse is reached, by UDP" },
	CLI_URL_ROW,
	CLI_OUTPUT_ROW,
	{ 0 },
};
static const struct option_table add_table = {
	.usage = "kaisar admin vpn add [OPTIONS] MACHINE gateway|lighthouse",
	.about = "Lets a machine into the VPN that `kaisar vpn create` made a key for. Again "
		 "changes\n"
		 "where it is. A network has two lighthouses or more, on different machines.",
	.rows = add_rows,
	.words_min = 2,
	.words_max = 2,
};

static int vpn_add(int argc, char **argv)
{
	const char *place;
	struct cli cli;
	int status;

	if (cli_begin(&add_table, argc, argv, &cli, &status) != 0)
		return status;
	place = options_get(&cli.options, "place", NULL);
	status = change(&cli, "PUT", "",
			json_pack("{s:s, s:s*}", "kind", cli.options.words[1], "place", place));
	cli_end(&cli);
	return status;
}

static const struct option_row revoke_rows[] = {
	{ "reason", 0, "TEXT", "why, which is recorded" },
	CLI_URL_ROW,
	CLI_OUTPUT_ROW,
	{ 0 },
};
static const struct option_table revoke_table = {
	.usage = "kaisar admin vpn revoke [OPTIONS] --reason TEXT MACHINE",
	.about = "Takes a machine out of the VPN: its certificates are revoked, and it gets no "
		 "other.",
	.rows = revoke_rows,
	.words_min = 1,
	.words_max = 1,
};

static int vpn_revoke(int argc, char **argv)
{
	const char *reason;
	struct cli cli;
	int status;

	if (cli_begin(&revoke_table, argc, argv, &cli, &status) != 0)
		return status;
	reason = options_get(&cli.options, "reason", NULL);
	status = reason ? change(&cli, "POST", "/revoke", json_pack("{s:s}", "reason", reason))
			: options_refuse(&revoke_table, "--reason is missing: it is recorded");
	cli_end(&cli);
	return status;
}

static const struct option_table restore_table = {
	.usage = "kaisar admin vpn restore [OPTIONS] MACHINE",
	.about = "Lets a machine that was revoked back in: it gets a new certificate.",
	.rows = plain_rows,
	.words_min = 1,
	.words_max = 1,
};

static int vpn_restore(int argc, char **argv)
{
	struct cli cli;
	int status;

	if (cli_begin(&restore_table, argc, argv, &cli, &status) != 0)
		return status;
	status = change(&cli, "POST", "/restore", json_object());
	cli_end(&cli);
	return status;
}

int admin_vpn(int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{ "list", "every machine of the mesh VPN", vpn_list },
		{ "add", "let a gateway or lighthouse in, or say where it is", vpn_add },
		{ "revoke", "take a machine out", vpn_revoke },
		{ "restore", "let it back in", vpn_restore },
		{ 0 },
	};

	return cli_verbs("admin vpn", verbs, argc, argv);
}
