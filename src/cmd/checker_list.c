#include "cmd/checker.h"

#include "cmd/cli.h"
#include "cmd/registration.h"

static const struct option_row rows[] = { CLI_URL_ROW, CLI_OUTPUT_ROW, { 0 } };

/* ---- status ---- */

static const struct option_table status_table = {
	.usage = "kaisar checker status [OPTIONS] [CHECKER]",
	.about = "Your checkers; with a checker's address, all about it.",
	.rows = rows,
	.words_max = 1,
};

static const struct column columns[] = {
	{ "CHECKER", "checker" },   { "NAME", "name" },
	{ "STATUS", "status" },     { "UNTIL", "ban.until" },
	{ "WHY", "why" },           { "LICENCES", "licences" },
	{ "PROPOSED", "proposed" }, { "VALID", "valid" },
	{ "WRONG", "wrong" },       { "ERRORS", "error_ppm", COLUMN_PPM },
	{ "SEEN", "seen_at" },      { 0 },
};

static int show_one(struct cli *cli)
{
	_cleanup_(json_decrefp) json_t *checker = NULL;
	const char *path = cli_path(cli, "/v1/checkers/", cli->options.words[0], "");
	int r = path ? client_get(cli->client, path, &checker) : cli_fault(-ENOMEM, "status");

	return r == 0 ? cli_print_object(cli, NULL, checker) : r;
}

static int show_all(struct cli *cli)
{
	_cleanup_(json_decrefp) json_t *items = NULL;
	int r = client_list(cli->client, "/v1/checkers?limit=100", 0, &items);

	if (r == 0)
		r = cli_print_list(cli, columns, items);
	return r == 0 && cli->format == OUT_TABLE ? registration_show(cli, items) : r;
}

int cmd_checker_status(int argc, char **argv)
{
	struct cli cli;
	int status;

	if (cli_begin(&status_table, argc, argv, &cli, &status) != 0)
		return status;
	status = cli.options.n_words ? show_one(&cli) : show_all(&cli);
	cli_end(&cli);
	return status;
}

/* ---- tasks ---- */

static const struct option_table tasks_table = {
	.usage = "kaisar checker tasks [OPTIONS] CHECKER",
	.about = "The proofs in which a checker of yours took part, the newest first. Operators "
		 "may ask\n"
		 "for anybody's.",
	.rows = rows,
	.words_min = 1,
	.words_max = 1,
};

static const struct column task_columns[] = {
	{ "PROOF", "proof" }, { "AT", "at" }, { "MARK", "mark" }, { "CLEARED", "cleared" }, { 0 },
};

int cmd_checker_tasks(int argc, char **argv)
{
	_cleanup_(json_decrefp) json_t *items = NULL;
	const char *path;
	struct cli cli;
	int status;

	if (cli_begin(&tasks_table, argc, argv, &cli, &status) != 0)
		return status;
	path = cli_path(&cli, "/v1/checkers/", cli.options.words[0], "/tasks?limit=100");
	status = path ? client_list(cli.client, path, 0, &items) : cli_fault(-ENOMEM, "tasks");
	if (status == 0)
		status = cli_print_list(&cli, task_columns, items);
	cli_end(&cli);
	return status;
}

/* ---- remove ---- */

static const struct option_table remove_table = {
	.usage = "kaisar checker remove [OPTIONS] CHECKER",
	.about = "Takes a checker of yours out of the network; not one that took part in proofs.",
	.rows = rows,
	.words_min = 1,
	.words_max = 1,
};

int cmd_checker_remove(int argc, char **argv)
{
	return cli_remove(&remove_table, "/v1/checkers/", argc, argv);
}
