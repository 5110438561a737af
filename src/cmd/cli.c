#include "cmd/cli.h"

int cli_begin(const struct option_table *table, int argc, char **argv, struct cli *ret_cli,
	      int *ret_exit)
{
	struct cli cli = { .client = NULL };
	const char *format;

	if (options_read(table, argc, argv, &cli.options, ret_exit) != 0)
		return OPTIONS_E_DONE;
	format = options_get(&cli.options, "output", "table");
	if (out_format_parse(format, &cli.format) < 0) {
		*ret_exit = options_refuse(table, "--output must be table, json or yaml, not '%s'",
					   format);
		return OPTIONS_E_DONE;
	}
	*ret_exit = client_open(options_get(&cli.options, "url", NULL), &cli.client);
	if (*ret_exit != 0)
		return OPTIONS_E_DONE;
	*ret_cli = cli;
	return 0;
}

void cli_end(struct cli *cli)
{
	client_close(cli->client);
}

const char *cli_path(struct cli *cli, const char *before, const char *word, const char *after)
{
	const char *escaped = client_escape(cli->client, word);

	if (!escaped)
		return NULL;
	return arena_printf(client_arena(cli->client), "%s%s%s", before, escaped, after);
}

const char *cli_query(struct cli *cli, const char *path, const char *name)
{
	const char *value = options_get(&cli->options, name, NULL);
	const char *escaped = value ? client_escape(cli->client, value) : NULL;

	if (!value)
		return path;
	if (!escaped)
		return NULL;
	return arena_printf(client_arena(cli->client), "%s&%s=%s", path, name, escaped);
}

int cli_print_list(struct cli *cli, const struct column *columns, const json_t *items)
{
	int r = table_list(cli->format, columns, items);

	return r < 0 ? cli_fault(r, "standard output") : 0;
}

int cli_print_object(struct cli *cli, const struct column *columns, const json_t *object)
{
	int r = table_object(cli->format, columns, object);

	return r < 0 ? cli_fault(r, "standard output") : 0;
}

int cli_remove(const struct option_table *table, const char *before, int argc, char **argv)
{
	_cleanup_(json_decrefp) json_t *answer = NULL;
	struct client_call call = { .method = "DELETE" };
	struct cli cli;
	int status;

	if (cli_begin(table, argc, argv, &cli, &status) != 0)
		return status;
	call.path = cli_path(&cli, before, cli.options.words[0], "");
	status = call.path ? client_call(cli.client, &call, &answer) : cli_fault(-ENOMEM, "remove");
	if (status == 0)
		puts(cli.options.words[0]);
	cli_end(&cli);
	return status;
}

int cli_verbs(const char *noun, const struct cli_verb *verbs, int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	bool help = strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0;
	FILE *out = help ? stdout : stderr;

	for (const struct cli_verb *verb = verbs; verb->name; verb++)
		if (strcmp(verb->name, name) == 0)
			return verb->run(argc - 1, argv + 1);
	if (*name && !help)
		fprintf(out, "kaisar %s: no command '%s'\n", noun, name);
	fprintf(out, "usage: kaisar %s COMMAND [OPTIONS]\n\n", noun);
	for (const struct cli_verb *verb = verbs; verb->name; verb++)
		fprintf(out, "  %-12s %s\n", verb->name, verb->help);
	fprintf(out, "\n`kaisar %s COMMAND --help` says more.\n", noun);
	return help ? 0 : CLI_USAGE;
}
