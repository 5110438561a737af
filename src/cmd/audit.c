/* audit.c - who did what: as the network tells it, and checked. */
#include "cmd/audit.h"

#include "base/clock.h"
#include "chain/hex.h"
#include "cmd/anchor.h"
#include "cmd/cli.h"
#include "cmd/commands.h"
#include "cmd/file.h"

enum { FILE_MAX = 64 << 10, LIST_MAX = 200 };

/* ---- list ---- */

static const struct option_row list_rows[] = {
	{ "account", 0, "ADDRESS",
	  "operators: what this account did, or what was done to its own" },
	{ "all", 0, NULL, "operators: what everybody did" },
	{ "since", 0, "MS", "from then on, in milliseconds since 1970 UTC" },
	CLI_URL_ROW,
	CLI_OUTPUT_ROW,
	{ 0 },
};
static const struct option_table list_table = {
	.usage = "kaisar audit list [OPTIONS]",
	.about =
		"What you did, and what was done to what is yours: the newest 200, the last first.",
	.rows = list_rows,
};
static const struct column list_columns[] = {
	{ "AT", "at" },           { "ENTRY", "entry" },
	{ "ACTOR", "actor" },     { "ACTION", "action" },
	{ "SUBJECT", "subject" }, { "DETAIL", "detail" },
	{ "BATCH", "batch" },     { 0 },
};

static const char *list_path(struct cli *cli)
{
	const char *account = options_get(&cli->options, "account", NULL);
	const char *since = options_get(&cli->options, "since", NULL);
	struct arena *arena = client_arena(cli->client);

	if (account)
		account = client_escape(cli->client, account);
	if (since)
		since = client_escape(cli->client, since);
	return arena_printf(arena, "%s?limit=100%s%s%s%s",
			    account || options_has(&cli->options, "all") ? "/v1/admin/audit"
									 : "/v1/audit",
			    account ? "&account=" : "", account ? account : "",
			    since ? "&since_ms=" : "", since ? since : "");
}

static int audit_list(int argc, char **argv)
{
	_cleanup_(json_decrefp) json_t *items = NULL;
	const char *path;
	struct cli cli;
	int status;

	if (cli_begin(&list_table, argc, argv, &cli, &status) != 0)
		return status;
	path = list_path(&cli);
	status = path ? client_list(cli.client, path, LIST_MAX, &items)
		      : cli_fault(-ENOMEM, "list");
	if (status == 0)
		status = cli_print_list(&cli, list_columns, items);
	cli_end(&cli);
	return status;
}

/* ---- verify ---- */

static const struct option_row verify_rows[] = {
	{ "save", 0, "FILE", "keep the entry and its proof" },
	ANCHOR_ROWS,
	CLI_URL_ROW,
	{ 0 },
};
static const struct option_table verify_table = {
	.usage = "kaisar audit verify [OPTIONS] ENTRY|FILE",
	.about = "Computes again that an entry is in its sealed batch: one that was kept, asking "
		 "nobody, or by "
		 "its\n"
		 "id (aud-...), which is fetched first. With --rpc it then checks on the chain "
		 "that the network "
		 "recorded\n"
		 "just this batch (docs/records.md). Operators check the whole log with `kaisar "
		 "admin audit`.",
	.rows = verify_rows,
	.words_min = 1,
	.words_max = 1,
};

static bool is_id(const char *word)
{
	return strncmp(word, "aud-", 4) == 0;
}

static int load(struct cli *cli, json_t **ret_proof)
{
	const char *word = cli->options.words[0];
	struct arena *arena = client_arena(cli->client);
	const char *path;
	char *text;
	size_t len;
	int r;

	if (is_id(word)) {
		path = cli_path(cli, "/v1/audit/", word, "");
		return path ? client_get(cli->client, path, ret_proof) : cli_fault(-ENOMEM, word);
	}
	if (options_has(&cli->options, "save"))
		return options_refuse(&verify_table, "--save keeps what is fetched: name an entry");
	r = file_read(word, FILE_MAX, arena, &text, &len);
	if (r == -ENOENT)
		return cli_fail(CLI_NOT_FOUND, "%s: no such file (an entry's id begins with aud-)",
				word);
	if (r < 0)
		return cli_fault(r, word);
	*ret_proof = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	return *ret_proof ? 0 : cli_fail(CLI_FAILED, "%s is no entry of an audit log", word);
}

static int save(const struct cli *cli, const json_t *proof)
{
	const char *path = options_get(&cli->options, "save", NULL);
	char *text;
	int r;

	if (!path)
		return 0;
	text = json_dumps(proof, JSON_INDENT(2));
	if (!text)
		return cli_fault(-ENOMEM, path);
	r = file_write(path, text, strlen(text), 0600);
	free(text);
	return r < 0 ? cli_fault(r, path) : 0;
}

static int check_path(const json_t *list, const struct audit_read_entry *entry,
		      const struct audit_read_batch *batch)
{
	struct merkle_hash path[AUDIT_PATH_MAX];
	size_t n = json_array_size(list);

	if (!json_is_array(list) || n > AUDIT_PATH_MAX)
		return cli_fail(CLI_FAILED, "the path of %s is malformed", entry->text.entry);
	for (size_t i = 0; i < n; i++) {
		const json_t *hash = json_array_get(list, i);

		if (!json_is_string(hash) ||
		    hex_data_exact(json_string_value(hash), json_string_length(hash), path[i].bytes,
				   sizeof(path[i].bytes)) < 0)
			return cli_fail(CLI_FAILED, "the path of %s is malformed",
					entry->text.entry);
	}
	if (!audit_leads(entry->digest, path, n, &batch->batch))
		return cli_fail(CLI_FAILED, "%s, as it reads, is not in batch %" PRId64,
				entry->text.entry, batch->batch.number);
	return 0;
}

static int say(const struct audit_read_entry *entry, const struct audit_read_batch *batch)
{
	char sealed[CLOCK_TEXT_SIZE], at[CLOCK_TEXT_SIZE], network[ADDRESS_TEXT_SIZE], digest[67];
	const struct audit_text *text = &entry->text;

	clock_text(text->at_ms, at);
	clock_text(batch->batch.sealed_ms, sealed);
	address_text(&batch->batch.network, network);
	hex_data(batch->digest, sizeof(batch->digest), digest);
	printf("%s: %s, %s, of %s (%s), %s\n", at, text->actor, text->action, text->subject,
	       text->owner, text->detail);
	printf("%s is in batch %" PRId64 " of the network %s, sealed at %s with %" PRId64
	       " entries, digest %s.\n",
	       text->entry, batch->batch.number, network, sealed, batch->batch.entries, digest);
	return fflush(stdout) != 0 ? cli_fault(-errno, "output") : 0;
}

static int check_chain(struct cli *cli, const json_t *proof, const struct audit_read_batch *batch)
{
	bool chain = json_is_true(json_object_get(proof, "chain"));

	if (options_has(&cli->options, "rpc") && chain)
		return anchor_verify(cli->client, &verify_table, &cli->options, ANCHOR_AUDIT,
				     batch->id, batch->digest, stdout);
	if (options_has(&cli->options, "rpc"))
		return cli_fail(CLI_FAILED, "not anchored: this network has no chain");
	printf(chain ? "Not checked on the chain: name an endpoint with --rpc.\n"
		     : "Not anchored: this network has no chain.\n");
	return 0;
}

static int check(struct cli *cli, const json_t *proof)
{
	const char *word = cli->options.words[0];
	struct audit_read_entry entry;
	struct audit_read_batch batch;
	const json_t *json = json_object_get(proof, "entry");
	int r = audit_read_entry(json, client_arena(cli->client), &entry);

	if (r != 0)
		return r;
	if (is_id(word) && strcmp(entry.text.entry, word) != 0)
		return cli_fail(CLI_FAILED, "the network answered with another entry");
	if (json_is_null(json_object_get(proof, "batch")))
		return cli_fail(CLI_FAILED, "%s is not sealed yet: ask again in some seconds",
				entry.text.entry);
	r = audit_read_batch(json_object_get(proof, "batch"), &batch);
	if (r == 0 && json_integer_value(json_object_get(json, "batch")) != batch.batch.number)
		r = cli_fail(CLI_FAILED, "%s names another batch", entry.text.entry);
	if (r == 0)
		r = check_path(json_object_get(proof, "path"), &entry, &batch);
	if (r == 0)
		r = say(&entry, &batch);
	return r == 0 ? check_chain(cli, proof, &batch) : r;
}

static int audit_verify(int argc, char **argv)
{
	_cleanup_(json_decrefp) json_t *proof = NULL;
	struct cli cli;
	int status;

	if (cli_begin(&verify_table, argc, argv, &cli, &status) != 0)
		return status;
	status = load(&cli, &proof);
	if (status == 0)
		status = check(&cli, proof);
	if (status == 0)
		status = save(&cli, proof);
	cli_end(&cli);
	return status;
}

int cmd_audit(int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{ "list", "list who did what", audit_list },
		{ "verify", "check that an entry is in the sealed log, and on the chain",
		  audit_verify },
		{ 0 },
	};

	return cli_verbs("audit", verbs, argc, argv);
}
