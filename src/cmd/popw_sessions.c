/* popw_sessions.c - the sessions that the network publishes: lists, one with its panel, and appeals. */
#include "cmd/cli.h"
#include "cmd/popw.h"

enum { LIMIT_MAX = 10000 };

static const struct column list_columns[] = {
	{ "PROOF", "id" },
	{ "STARTED", "started_at" },
	{ "MACHINE", "machine" },
	{ "DEVICE", "device" },
	{ "MODEL", "model" },
	{ "CLASS", "class" },
	{ "KIND", "kind" },
	{ "STATE", "state" },
	{ "PANEL", "panel_size" },
	{ "WANTED", "panel_wanted" },
	{ "APPEAL", "appeals.owner.state" },
	{ "DETAIL", "detail" },
	{ 0 },
};

static const struct column admin_columns[] = {
	{ "PROOF", "id" },
	{ "STARTED", "started_at" },
	{ "MACHINE", "machine" },
	{ "DEVICE", "device" },
	{ "KIND", "kind" },
	{ "STATE", "state" },
	{ "PANEL", "panel_size" },
	{ "WANTED", "panel_wanted" },
	{ "PLANTED", "planted" },
	{ "DISAGREE", "disagreement" },
	{ "APPEAL", "appeals.owner.state" },
	{ "CHECKERS'", "appeals.checkers.state" },
	{ "LOOKED AGAIN", "appeals.network.state" },
	{ "DETAIL", "detail" },
	{ 0 },
};

static const struct column member_columns[] = {
	{ "CHECKER", "checker" },
	{ "LICENCES", "licences" },
	{ "MARK", "mark" },
	{ 0 },
};

static const struct column whole_columns[] = {
	{ "proof", "id" },
	{ "machine", "machine" },
	{ "device", "device" },
	{ "gpu", "gpu" },
	{ "model", "model" },
	{ "claimed class", "class" },
	{ "kind", "kind" },
	{ "state", "state" },
	{ "phase", "phase" },
	{ "detail", "detail" },
	{ "started", "started_at" },
	{ "ended", "ended_at" },
	{ "earned class", "verdict.earned" },
	{ "score", "verdict.score_milli", COLUMN_MILLI },
	{ "GOPS", "verdict.matrix_mops", COLUMN_MILLI },
	{ "walk MB/s", "verdict.walk_kbps", COLUMN_MILLI },
	{ "set MiB", "verdict.set_mib" },
	{ "down Mbit/s", "verdict.down_kbps", COLUMN_MILLI },
	{ "up Mbit/s", "verdict.up_kbps", COLUMN_MILLI },
	{ "beacon slot", "beacon.slot" },
	{ "panel", "panel_size" },
	{ "panel wanted", "panel_wanted" },
	{ "bits by the panel", "verdict.bits" },
	{ "bits by the network", "own_bits" },
	{ "disagreement", "disagreement" },
	{ "planted", "planted" },
	{ "held for an appeal against", "parent" },
	{ "owner may appeal until", "appeal_until" },
	{ "owner's appeal", "appeals.owner.state" },
	{ "held for it", "appeals.owner.session" },
	{ "checkers' appeal", "appeals.checkers.state" },
	{ "network's second look", "appeals.network.state" },
	{ "held for that", "appeals.network.session" },
	{ 0 },
};

/* ---- lists ---- */

#define LIST_ROWS                                                                           \
	{ "machine", 0, "MACHINE", "of this machine only" },                                \
		{ "outcome", 0, "WORD",                                                     \
		  "passed, lower, failed, no_majority; or why it was not judged" },         \
		{ "limit", 0, "N", "at most so many, the newest first (50)" }, CLI_URL_ROW, \
		CLI_OUTPUT_ROW

static const struct option_row list_rows[] = { LIST_ROWS, { 0 } };
static const struct option_table list_table = {
	.usage = "kaisar popw list [OPTIONS]",
	.about = "The proofs of the network's machines, the newest first. Public.",
	.rows = list_rows,
};

static const struct option_row admin_rows[] = {
	{ "disagreements", 0, NULL, "only where the panel and the network's own replay differ" },
	{ "planted", 0, NULL, "only those planted to test the checkers; once they are over" },
	LIST_ROWS,
	{ 0 },
};
static const struct option_table admin_table = {
	.usage = "kaisar admin proofs [OPTIONS]",
	.about = "All proofs, those planted to test the checkers among them. `kaisar popw show` "
		 "tells a\n"
		 "proof's panel, and what each member of it was marked.",
	.rows = admin_rows,
};

static int list(struct cli *cli, const char *path, const struct column *columns)
{
	_cleanup_(json_decrefp) json_t *items = NULL;
	int64_t max;
	int r;

	if (options_int(&cli->options, "limit", 1, LIMIT_MAX, 50, &max) != 0)
		return EXIT_USAGE;
	path = cli_query(cli, path, "machine");
	path = path ? cli_query(cli, path, "outcome") : NULL;
	if (!path)
		return cli_fault(-ENOMEM, "list");
	r = client_list(cli->client, path, (size_t)max, &items);
	return r == 0 ? cli_print_list(cli, columns, items) : r;
}

int popw_list(int argc, char **argv)
{
	struct cli cli;
	int status;

	if (cli_begin(&list_table, argc, argv, &cli, &status) != 0)
		return status;
	status = list(&cli, "/v1/proofs?limit=100", list_columns);
	cli_end(&cli);
	return status;
}

int popw_admin_list(int argc, char **argv)
{
	const char *path;
	struct cli cli;
	int status;

	if (cli_begin(&admin_table, argc, argv, &cli, &status) != 0)
		return status;
	path = arena_printf(client_arena(cli.client), "/v1/admin/proofs?limit=100%s%s",
			    options_has(&cli.options, "disagreements") ? "&disagreements=true" : "",
			    options_has(&cli.options, "planted") ? "&planted=true" : "");
	status = path ? list(&cli, path, admin_columns) : cli_fault(-ENOMEM, "proofs");
	cli_end(&cli);
	return status;
}

/* ---- one ---- */

static const struct option_row plain_rows[] = { CLI_URL_ROW, CLI_OUTPUT_ROW, { 0 } };
static const struct option_table show_table = {
	.usage = "kaisar popw show [OPTIONS] PROOF",
	.about = "One proof: what was claimed and measured, the panel, and how it ended. Public.",
	.rows = plain_rows,
	.words_min = 1,
	.words_max = 1,
};

static const struct option_table appeal_table = {
	.usage = "kaisar popw appeal [OPTIONS] PROOF",
	.about = "Asks for another look within a day: at your machine by a larger panel, or at\n"
		 "what your checker found, which was marked wrong. Each side asks once a session:\n"
		 "the machine's owner, and all marked checkers together. `kaisar popw show PROOF`\n"
		 "says what comes of it: upheld, overturned or undecided.",
	.rows = plain_rows,
	.words_min = 1,
	.words_max = 1,
};

static bool is_disk(const json_t *proof)
{
	const char *device = json_string_value(json_object_get(proof, "device"));

	return device && strcmp(device, "disk") == 0;
}

/* A verdict, whose text is the same wherever it is computed, names a class for whatever holds; a disk has
 * none, so people are shown none. */
static int print_whole(struct cli *cli, const json_t *proof)
{
	int r;

	if (cli->format == OUT_TABLE && is_disk(proof))
		(void)json_object_del(json_object_get(proof, "verdict"), "earned");
	r = cli_print_object(cli, whole_columns, proof);
	if (r != 0 || cli->format != OUT_TABLE)
		return r;
	putchar('\n');
	return cli_print_list(cli, member_columns, json_object_get(proof, "members"));
}

int popw_show(int argc, char **argv)
{
	_cleanup_(json_decrefp) json_t *proof = NULL;
	const char *path;
	struct cli cli;
	int status;

	if (cli_begin(&show_table, argc, argv, &cli, &status) != 0)
		return status;
	path = cli_path(&cli, "/v1/proofs/", cli.options.words[0], "");
	status = path ? client_get(cli.client, path, &proof) : cli_fault(-ENOMEM, "show");
	if (status == 0)
		status = print_whole(&cli, proof);
	cli_end(&cli);
	return status;
}

int popw_appeal(int argc, char **argv)
{
	_cleanup_(json_decrefp) json_t *proof = NULL;
	struct client_call call = { .method = "POST" };
	struct cli cli;
	int status;

	if (cli_begin(&appeal_table, argc, argv, &cli, &status) != 0)
		return status;
	call.path = cli_path(&cli, "/v1/proofs/", cli.options.words[0], "/appeal");
	status = call.path ? client_call(cli.client, &call, &proof) : cli_fault(-ENOMEM, "appeal");
	if (status == 0)
		status = print_whole(&cli, proof);
	cli_end(&cli);
	return status;
}
