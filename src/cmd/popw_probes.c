/* popw_probes.c - the test containers that the network deployed, and what its checkers heard from them. */
#include "cmd/popw_probes.h"

#include "cmd/popw.h"

enum { LIMIT_MAX = 10000, SUMMARY_SIZE = 32, SHOWN_MACHINES_MAX = 32 };

static const struct option_row rows[] = {
	{ "machine", 0, "MACHINE", "of this machine only" },
	{ "outcome", 0, "WORD",
	  "passed, failed, no_majority, worker_gone, yielded, not_run or interrupted only" },
	{ "limit", 0, "N", "at most so many, the newest first (50)" },
	CLI_URL_ROW,
	CLI_OUTPUT_ROW,
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar admin probes [OPTIONS]",
	.about = "The test containers that were deployed on machines, the newest first, and how "
		 "many "
		 "of the\n"
		 "checkers that were drawn they answered. Public; -o json has each checker's "
		 "answer.",
	.rows = rows,
};

static const struct column columns[] = {
	{ "PROBE", "id" },        { "AT", "at" },
	{ "MACHINE", "machine" }, { "OUTCOME", "outcome" },
	{ "GPUS", "gpus" },       { "ANSWERED", "answered" },
	{ "DETAIL", "detail" },   { 0 },
};

static const struct column machine_columns[] = {
	{ "MACHINE", "name" },
	{ "LAST PROBE", "id" },
	{ "AT", "at" },
	{ "OUTCOME", "outcome" },
	{ "ANSWERED", "answered" },
	{ "DETAIL", "detail" },
	{ 0 },
};

/* "2 of 3" checkers were answered: what a table shows of the answers. */
static int summarize(json_t *probe)
{
	const json_t *answers = json_object_get(probe, "answers"), *answer;
	char text[SUMMARY_SIZE];
	size_t i, passed = 0;

	json_array_foreach(answers, i, answer)
		passed += json_is_true(json_object_get(answer, "passed"));
	snprintf(text, sizeof(text), "%zu of %zu", passed, json_array_size(answers));
	return json_object_set_new(probe, "answered", json_string(text));
}

/* ---- the operator's list ---- */

static int list(struct cli *cli)
{
	_cleanup_(json_decrefp) json_t *items = NULL;
	const char *path;
	json_t *probe;
	int64_t max;
	size_t i;
	int r;

	if (options_int(&cli->options, "limit", 1, LIMIT_MAX, 50, &max) != 0)
		return EXIT_USAGE;
	path = cli_query(cli, "/v1/probes?limit=100", "machine");
	path = path ? cli_query(cli, path, "outcome") : NULL;
	if (!path)
		return cli_fault(-ENOMEM, "probes");
	r = client_list(cli->client, path, (size_t)max, &items);
	if (r == 0 && cli->format == OUT_TABLE)
		json_array_foreach(items, i, probe)
			if (summarize(probe) < 0)
				return cli_fault(-ENOMEM, "probes");
	return r == 0 ? cli_print_list(cli, columns, items) : r;
}

int popw_admin_probes(int argc, char **argv)
{
	struct cli cli;
	int status;

	if (cli_begin(&table, argc, argv, &cli, &status) != 0)
		return status;
	status = list(&cli);
	cli_end(&cli);
	return status;
}

/* ---- beside machines ---- */

/* Adds the machine's last probe to the list, if it had one. 0 or an exit status. */
static int add_last(struct cli *cli, const json_t *worker, json_t *list)
{
	const char *machine = json_string_value(json_object_get(worker, "machine"));
	_cleanup_(json_decrefp) json_t *items = NULL;
	json_t *probe;
	const char *path = machine ? cli_path(cli, "/v1/probes?limit=1&machine=", machine, "")
				   : NULL;
	int r = path ? client_list(cli->client, path, 1, &items) : cli_fault(-ENOMEM, "probes");

	probe = json_array_get(items, 0);
	if (r != 0 || !probe)
		return r;
	if (summarize(probe) < 0 ||
	    json_object_set(probe, "name", json_object_get(worker, "name")) < 0 ||
	    json_array_append(list, probe) < 0)
		return cli_fault(-ENOMEM, "probes");
	return 0;
}

int popw_show_last_probes(struct cli *cli, const json_t *workers)
{
	_cleanup_(json_decrefp) json_t *list = json_array();
	int r = list ? 0 : cli_fault(-ENOMEM, "probes");

	for (size_t i = 0; r == 0 && i < size_min(json_array_size(workers), SHOWN_MACHINES_MAX);
	     i++)
		r = add_last(cli, json_array_get(workers, i), list);
	if (r != 0 || json_array_size(list) == 0)
		return r;
	putchar('\n');
	return cli_print_list(cli, machine_columns, list);
}
