#include "cmd/signer.h"

#include "chain/signer.h"
#include "cmd/cli.h"
#include "cmd/commands.h"
#include "cmd/home.h"

enum { MEMORY = 4 << 20 };

int cmd_signer(int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{ "create", "make the network's key for the chain", cmd_signer_create },
		{ "run", "hold the key, and sign what the policy allows", cmd_signer_run },
		{ "status", "what was signed today, and what was not", cmd_signer_status },
		{ 0 },
	};

	return cli_verbs("signer", verbs, argc, argv);
}

int signer_path(const struct options *options, const char *option, const char *file,
		struct arena *arena, const char **ret_path)
{
	const char *given = option ? options_get(options, option, NULL) : NULL;
	const char *folder = options_get(options, "state", NULL);
	char *path;
	int r = 0;

	if (given) {
		*ret_path = given;
		return 0;
	}
	if (!folder)
		r = home_path(arena, "signer", &folder);
	if (r == -ENOENT)
		return options_refuse(options->table, "which folder? --state DIR");
	path = r == 0 ? arena_printf(arena, "%s/%s", folder, file) : NULL;
	if (!path)
		return cli_fault(r < 0 ? r : -ENOMEM, "the signer's folder");
	*ret_path = path;
	return 0;
}

/* ---- status ---- */

static const struct option_row rows[] = {
	SIGNER_STATE_ROW,
	{ "socket", 0, "PATH", "where it listens (DIR/socket)" },
	CLI_OUTPUT_ROW,
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar signer status [OPTIONS]",
	.about = "Whose key a running signer holds, what it signed today (UTC), and what it\n"
		 "refused since it runs, the latest first.",
	.rows = rows,
};

static const struct column head_columns[] = {
	{ "ADDRESS", "address" }, { "CHAIN", "chain_id" }, { "DAY", "day" }, { 0 }
};
static const struct column kind_columns[] = {
	{ "KIND", "kind" },
	{ "SIGNED", "signed" },
	{ "LIMIT", "limit" },
	{ "CONTRACT", "contract" },
	{ 0 },
};
static const struct column token_columns[] = {
	{ "KIND", "kind" }, { "MOVED", "moved" }, { "LIMIT", "limit" }, { "TOKEN", "token" }, { 0 },
};
static const struct column refusal_columns[] = {
	{ "REFUSED", "at" }, { "KIND", "kind" }, { "REASON", "reason" }, { 0 }
};

/* The tokens of all kinds, each with its kind. NULL without memory. */
static json_t *flat_tokens(const json_t *kinds)
{
	json_t *list = json_array(), *kind, *token;
	size_t i, k;

	json_array_foreach(kinds, i, kind)
		json_array_foreach(json_object_get(kind, "tokens"), k, token)
			if (json_object_set(token, "kind", json_object_get(kind, "kind")) < 0 ||
			    json_array_append(list, token) < 0) {
				json_decref(list);
				return NULL;
			}
	return list;
}

static int print_part(const struct column *columns, const json_t *items)
{
	if (json_array_size(items) == 0)
		return 0;
	putchar('\n');
	return table_list(OUT_TABLE, columns, items);
}

static int print_status(enum out_format format, const json_t *status)
{
	const json_t *kinds = json_object_get(status, "kinds");
	json_t *tokens;
	int r = table_object(format, head_columns, status);

	if (r < 0 || format != OUT_TABLE)
		return r;
	tokens = flat_tokens(kinds);
	r = tokens ? print_part(kind_columns, kinds) : -ENOMEM;
	if (r == 0)
		r = print_part(token_columns, tokens);
	if (r == 0)
		r = print_part(refusal_columns, json_object_get(status, "refusals"));
	json_decref(tokens);
	return r;
}

static int ask(const char *socket, struct arena *arena, json_t **ret_status)
{
	_cleanup_(signer_client_freep) struct signer_client *client = NULL;
	const char *json, *detail;
	int r = signer_client_new(socket, &client);

	if (r == 0)
		r = signer_client_status(client, arena, &json, &detail);
	if (r < 0)
		return cli_fault(r, socket);
	if (r > 0)
		return cli_fail(CLI_FAILED, "%s", detail);
	*ret_status = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
	return *ret_status ? 0 : cli_fail(CLI_FAILED, "the signer's answer is not understood");
}

int cmd_signer_status(int argc, char **argv)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	json_t *status = NULL;
	enum out_format format;
	struct options options;
	const char *socket;
	int r, exit_status;

	if (options_read(&table, argc, argv, &options, &exit_status) != 0)
		return exit_status;
	if (out_format_parse(options_get(&options, "output", "table"), &format) < 0)
		return options_refuse(&table, "--output must be table, json or yaml");
	r = arena_new(MEMORY, &arena);
	if (r < 0)
		return cli_fault(r, "status");
	r = signer_path(&options, "socket", "socket", arena, &socket);
	if (r == 0)
		r = ask(socket, arena, &status);
	if (r != 0)
		return r;
	r = print_status(format, status);
	json_decref(status);
	return r < 0 ? cli_fault(r, "standard output") : 0;
}
