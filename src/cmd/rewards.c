#include "base/arena.h"
#include "cmd/cli.h"
#include "cmd/commands.h"
#include "cmd/file.h"
#include "cmd/grants.h"
#include "cmd/home.h"
#include "cmd/payout.h"
#include "cmd/recompute_roots.h"
#include "cmd/wallet.h"
#include "rewards/epoch_text.h"

enum { FIRST_READ = 64 << 10, SHOWN_MAX = 300 };

/* A text, and what to call it when something is wrong with it. */
struct document {
	const char *name;
	char *text;
	size_t len;
};

static void document_done(struct document *document)
{
	free(document->text);
}

static void file_close(FILE **file)
{
	if (*file && *file != stdin)
		fclose(*file);
}

/* ---- where texts come from ---- */

static int read_stream(FILE *file, struct document *document)
{
	size_t size = FIRST_READ;

	for (;;) {
		char *larger = realloc(document->text, size + 1);

		if (!larger)
			return -ENOMEM;
		document->text = larger;
		document->len += fread(larger + document->len, 1, size - document->len, file);
		document->text[document->len] = 0;
		if (ferror(file))
			return -EIO;
		if (document->len < size)
			return 0;
		if (size > EPOCH_TEXT_MAX)
			return -EFBIG;
		size *= 2;
	}
}

/* @path, or "-" for standard input. 0 or an exit status. */
static int read_document(const char *path, struct document *document)
{
	bool from_stdin = strcmp(path, "-") == 0;
	_cleanup_(file_close) FILE *file = from_stdin ? stdin : fopen(path, "re");
	int r;

	document->name = from_stdin ? "standard input" : path;
	if (!file && errno == ENOENT)
		return cli_fail(CLI_NOT_FOUND, "%s: no such file (an epoch is a number)", path);
	if (!file)
		return cli_fault(-errno, path);
	r = read_stream(file, document);
	if (r == 0 && document->len > EPOCH_TEXT_MAX)
		r = -EFBIG;
	return r < 0 ? cli_fault(r, document->name) : 0;
}

/* "records" or "payouts" of an epoch, as the network publishes them. 0 or an exit status. */
static int fetch(struct client *client, uint32_t epoch, const char *what, struct document *document)
{
	struct arena *arena = client_arena(client);
	const char *path = arena_printf(arena, "/v1/rewards/%" PRIu32 "/%s", epoch, what);

	document->name = arena_printf(arena, "the network's %s of epoch %" PRIu32, what, epoch);
	if (!path || !document->name)
		return cli_fault(-ENOMEM, what);
	return client_get_text(client, path, EPOCH_TEXT_MAX, &document->text, &document->len);
}

/* ---- comparing ---- */

/* The length of the line at @at, without its newline. */
static size_t line_len(const char *at, const char *end)
{
	const char *newline = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;

	return (size_t)((newline ? newline : end) - at);
}

static void show_line(const char *who, const char *at, const char *end)
{
	size_t len = line_len(at, end);

	if (at == end) {
		fprintf(stderr, "  %s: nothing\n", who);
		return;
	}
	fprintf(stderr, "  %s: ", who);
	for (size_t i = 0; i < size_min(len, SHOWN_MAX); i++)
		fputc(at[i] >= ' ' && at[i] <= '~' ? at[i] : '?', stderr);
	fputs(at + len == end ? " (without a newline)\n" : "\n", stderr);
}

/* Both texts have one spelling only, so they say the same if they are the same. */
static int compare(const struct document *ours, const struct document *theirs)
{
	const char *a = ours->text, *a_end = a + ours->len;
	const char *b = theirs->text, *b_end = b + theirs->len;
	size_t line = 1;

	while (a < a_end && b < b_end) {
		size_t len = line_len(a, a_end);

		/* With the newline, which our texts have behind each line. */
		if (line_len(b, b_end) != len || b + len == b_end || memcmp(a, b, len) != 0)
			break;
		a += len + 1;
		b += len + 1;
		line++;
	}
	if (a == a_end && b == b_end) {
		fprintf(stderr, "%s: every unit follows from the records\n", theirs->name);
		return 0;
	}
	cli_fail(0, "%s does not follow from the records; line %zu is the first to differ:",
		 theirs->name, line);
	show_line("published ", b, b_end);
	show_line("recomputed", a, a_end);
	return CLI_FAILED;
}

/* ---- the subcommand ---- */

static const struct option_row rows[] = {
	{ "against", 0, "FILE",
	  "compare with this published table (an EPOCH's: with the network's)" },
	{ "save", 0, "FILE", "keep the fetched records, to compute again without the network" },
	{ "rpc", 0, "URL", "a node of the chain, to compare an EPOCH's roots with the contract's" },
	{ "addresses", 0, "FILE", "where the contracts are, for --rpc (KAISAR_ADDRESSES)" },
	{ "gaps", 0, NULL, "epochs that the network does not list are no fault" },
	CLI_URL_ROW,
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar rewards recompute [OPTIONS] EPOCH|FILE|-",
	.about =
		"Computes an epoch's payouts again from its records, prints them, and compares "
		"them "
		"with\n"
		"a published table: exit status 1 and the first difference if a unit is wrong. "
		"FILE "
		"holds the\n"
		"records (- is standard input): then nobody is asked. Those of an EPOCH, a number, "
		"are fetched.",
	.rows = rows,
	.words_min = 1,
	.words_max = 1,
};

/* 0 or an exit status. */
static int recompute(const struct document *records, struct document *ret_payouts)
{
	struct epoch_fault fault = { "" };
	int r;

	r = epoch_recompute(records->text, records->len, &ret_payouts->text, &ret_payouts->len,
			    &fault);
	if (r < 0)
		return cli_fault(r, records->name);
	if (r == EPOCH_E_INVALID)
		return cli_fail(CLI_FAILED, "%s: %s", records->name, fault.text);
	if (fwrite(ret_payouts->text, 1, ret_payouts->len, stdout) < ret_payouts->len ||
	    fflush(stdout) != 0)
		return cli_fault(-errno, "standard output");
	return 0;
}

static int recompute_file(const struct options *options)
{
	_cleanup_(document_done) struct document records = { 0 }, payouts = { 0 },
						 published = { 0 };
	const char *against = options_get(options, "against", NULL);
	int r = read_document(options->words[0], &records);

	if (r == 0 && against)
		r = read_document(against, &published);
	if (r == 0)
		r = recompute(&records, &payouts);
	return r == 0 && against ? compare(&payouts, &published) : r;
}

static int recompute_epoch(const struct options *options, uint32_t epoch)
{
	_cleanup_(document_done) struct document records = { 0 }, payouts = { 0 },
						 published = { 0 };
	_cleanup_(client_closep) struct client *client = NULL;
	const char *against = options_get(options, "against", NULL);
	const char *save = options_get(options, "save", NULL);
	int r = client_open(options_get(options, "url", NULL), &client), fault = 0;

	if (r == 0)
		r = fetch(client, epoch, "records", &records);
	if (r == 0 && save)
		fault = file_write(save, records.text, records.len, 0644);
	if (fault < 0)
		return cli_fault(fault, save);
	if (r == 0)
		r = against ? read_document(against, &published)
			    : fetch(client, epoch, "payouts", &published);
	if (r == 0)
		r = recompute(&records, &payouts);
	if (r == 0)
		r = compare(&payouts, &published);
	return r == 0 && !against ? recompute_roots(client, options, epoch) : r;
}

static int run_recompute(int argc, char **argv)
{
	struct options options;
	struct tokens number;
	const char *word;
	int status;

	if (options_read(&table, argc, argv, &options, &status) != 0)
		return status;
	word = options.words[0];
	if (options_has(&options, "addresses") && !options_has(&options, "rpc"))
		return options_refuse(&table, "--addresses says where --rpc is to look: give both");
	if (tokens_parse(word, strlen(word), &number) < 0)
		return options_has(&options, "save")
			       ? options_refuse(&table,
						"--save keeps what is fetched: it needs an EPOCH")
			       : recompute_file(&options);
	if (number.units > UINT32_MAX)
		return options_refuse(&table, "an EPOCH is at most %" PRIu32, UINT32_MAX);
	return recompute_epoch(&options, (uint32_t)number.units);
}

/* ---- lists ---- */

static const struct option_row list_rows[] = {
	{ "account", 0, "ACCOUNT", "what this account earned, epoch by epoch" },
	CLI_URL_ROW,
	CLI_OUTPUT_ROW,
	{ 0 },
};
static const struct option_table list_table = {
	.usage = "kaisar rewards list [OPTIONS]",
	.about = "The epochs, the newest first, and the tokens of their pots; or what an account "
		 "earned in each.",
	.rows = list_rows,
};

static const struct column list_columns[] = {
	{ "EPOCH", "epoch" },
	{ "STATE", "state" },
	{ "FROM", "from" },
	{ "UNTIL", "until" },
	{ "WORKERS", "result.workers" },
	{ "CHECKERS", "result.checkers" },
	{ "CAPACITY", "result.capacity.allotted", COLUMN_UNITS },
	{ "DELIVERY", "result.delivery.allotted", COLUMN_UNITS },
	{ "CHECKING", "result.checking.allotted", COLUMN_UNITS },
	{ 0 },
};

static const struct option_row show_rows[] = {
	{ "account", 0, "ACCOUNT", "whose (the current wallet's)" },
	CLI_URL_ROW,
	CLI_OUTPUT_ROW,
	{ 0 },
};
static const struct option_table show_table = {
	.usage = "kaisar rewards show [OPTIONS] [EPOCH]",
	.about = "What an account earned, claimed, can claim now, and when the next root takes "
		 "effect, in tokens; or,\n"
		 "of an EPOCH, what your machines and checkers got in it.",
	.rows = show_rows,
	.words_max = 1,
};

static const struct column show_columns[] = {
	{ "KIND", "kind" },
	{ "ID", "id" },
	{ "CAPACITY", "capacity", COLUMN_UNITS },
	{ "DELIVERY", "delivery", COLUMN_UNITS },
	{ "CHECKING", "checking", COLUMN_UNITS },
	{ "YOURS", "for_owner", COLUMN_UNITS },
	{ 0 },
};

/* An epoch that is not there or not closed is said to be so; else what is mine in it. */
static int show(struct cli *cli)
{
	_cleanup_(json_decrefp) json_t *epoch = NULL, *items = NULL;
	const char *path = cli_path(cli, "/v1/rewards/", cli->options.words[0], "");
	const char *state, *due;
	int r = path ? client_get(cli->client, path, &epoch) : cli_fault(-ENOMEM, "show");

	if (r != 0)
		return r;
	state = json_string_value(json_object_get(epoch, "state"));
	due = json_string_value(json_object_get(epoch, "due"));
	if (!state || strcmp(state, "closed") != 0)
		return cli_fail(CLI_FAILED, "epoch %s is %s: it is closed and published at %s",
				cli->options.words[0], state ? state : "unknown",
				due ? due : "an unknown time");
	path = cli_path(cli, "/v1/rewards/mine?limit=100&epoch=", cli->options.words[0], "");
	r = path ? client_list(cli->client, path, 0, &items) : cli_fault(-ENOMEM, "show");
	return r == 0 ? cli_print_list(cli, show_columns, items) : r;
}

/* ---- accounts ---- */

static const struct column account_columns[] = {
	{ "KIND", "kind" },
	{ "EARNED", "earned", COLUMN_UNITS },
	{ "CLAIMED", "claimed", COLUMN_UNITS },
	{ "CLAIMABLE", "claimable", COLUMN_UNITS },
	{ "NEXT ROOT", "next.state" },
	{ "WITH IT", "next.cumulative", COLUMN_UNITS },
	{ "IN EFFECT", "next.effective_at" },
	{ 0 },
};

static const struct column earned_columns[] = {
	{ "EPOCH", "epoch" },
	{ "KIND", "kind" },
	{ "AMOUNT", "amount", COLUMN_UNITS },
	{ 0 },
};

/* --account, or the current wallet's. 0 or an exit status. */
static int read_account(struct cli *cli, char ret_text[static ADDRESS_TEXT_SIZE])
{
	const char *text = options_get(&cli->options, "account", NULL);
	struct address address;
	int r;

	if (text && address_parse(text, &address) < 0)
		return options_refuse(cli->options.table, "--account: '%s' is not an address",
				      text);
	r = text ? 0 : wallet_current(client_arena(cli->client), &address);
	if (r == WALLET_E_NONE)
		return options_refuse(cli->options.table, "whose? --account ACCOUNT, or make a "
							  "wallet: `kaisar wallet create`");
	if (r < 0)
		return cli_fault(r, "the wallet");
	address_text(&address, ret_text);
	return 0;
}

static int show_account(struct cli *cli)
{
	_cleanup_(json_decrefp) json_t *answer = NULL;
	char account[ADDRESS_TEXT_SIZE];
	const char *path;
	int r = read_account(cli, account);

	if (r != 0)
		return r;
	path = cli_path(cli, "/v1/rewards/accounts/", account, "");
	r = path ? client_get(cli->client, path, &answer) : cli_fault(-ENOMEM, "show");
	return r == 0 ? cli_print_list(cli, account_columns, json_object_get(answer, "items")) : r;
}

static int list_account(struct cli *cli)
{
	_cleanup_(json_decrefp) json_t *items = NULL;
	char account[ADDRESS_TEXT_SIZE];
	const char *path;
	int r = read_account(cli, account);

	if (r != 0)
		return r;
	path = cli_path(cli, "/v1/rewards/accounts/", account, "/epochs?limit=100");
	r = path ? client_list(cli->client, path, 0, &items) : cli_fault(-ENOMEM, "list");
	return r == 0 ? cli_print_list(cli, earned_columns, items) : r;
}

static int run_list(int argc, char **argv)
{
	_cleanup_(json_decrefp) json_t *items = NULL;
	struct cli cli;
	int status;

	if (cli_begin(&list_table, argc, argv, &cli, &status) != 0)
		return status;
	if (options_has(&cli.options, "account"))
		status = list_account(&cli);
	else
		status = client_list(cli.client, "/v1/rewards?limit=100", 0, &items);
	if (status == 0 && items)
		status = cli_print_list(&cli, list_columns, items);
	cli_end(&cli);
	return status;
}

static int run_show(int argc, char **argv)
{
	struct cli cli;
	int status;

	if (cli_begin(&show_table, argc, argv, &cli, &status) != 0)
		return status;
	status = cli.options.n_words ? show(&cli) : show_account(&cli);
	cli_end(&cli);
	return status;
}

int cmd_rewards(int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{ "list", "the epochs, or what an account earned in each", run_list },
		{ "show", "what an account earned and can claim, or got in an epoch", run_show },
		{ "claim", "have what was earned paid by the chain", payout_claim },
		{ "unlock", "give vKAI up for KAI over time", payout_unlock },
		{ "grants", "KAI that becomes an account's over time", grants_show },
		{ "release", "have what became free paid out", grants_release },
		{ "recompute", "the payouts of an epoch, from its records", run_recompute },
		{ 0 },
	};

	return cli_verbs("rewards", verbs, argc, argv);
}
