#include "cmd/anchor.h"

#include "base/clock.h"
#include "base/codec.h"
#include "chain/anchor_check.h"
#include "chain/hex.h"
#include "cmd/cli.h"
#include "cmd/commands.h"

enum {
	FOLLOW_MAX = 10000, /* roots behind the record's that are looked at */
	TIMEOUT_MS = 20000,
};

struct checking {
	struct client *client;
	const struct option_table *table;
	const struct options *options;
	struct anchor_claim claim;
	struct merkle_hash path[MERKLE_DEPTH_MAX];
	uint8_t before[32];
	int64_t every_ms; /* roots are made */
};

/* ---- what was asked for ---- */

int anchor_rpc(const struct option_table *table, const struct options *options, uint64_t chain_id,
	       struct rpc **ret_rpc)
{
	const char *urls[RPC_ENDPOINTS_MAX], *url;
	struct rpc_config config = { .urls = urls,
				     .chain_id = chain_id,
				     .timeout_ms = TIMEOUT_MS,
				     .agree = 1,
				     .clock = &clock_system };
	int r;

	for (; (url = options_nth(options, "rpc", config.n_urls)); urls[config.n_urls++] = url)
		if (config.n_urls == RPC_ENDPOINTS_MAX)
			return options_refuse(table, "at most %d --rpc", RPC_ENDPOINTS_MAX);
	r = rpc_new(&config, ret_rpc);
	if (r == -EINVAL)
		return options_refuse(table, "--rpc must be http:// or https://");
	return r < 0 ? cli_fault(r, "rpc") : 0;
}

static int read_addresses(const struct option_table *table, const struct options *options,
			  struct address *ret_contract, struct address *ret_publisher)
{
	const char *contract = options_get(options, "anchor-contract", NULL);
	const char *publisher = options_get(options, "publisher", NULL);

	if (contract && address_parse(contract, ret_contract) < 0)
		return options_refuse(table, "--anchor-contract must be 0x and 40 hex digits");
	if (publisher && address_parse(publisher, ret_publisher) < 0)
		return options_refuse(table, "--publisher must be 0x and 40 hex digits");
	return 0;
}

int anchor_options(const struct option_table *table, const struct options *options)
{
	struct address contract, publisher;
	struct rpc *rpc;
	int r = read_addresses(table, options, &contract, &publisher);

	if (r != 0 || !options_has(options, "rpc"))
		return r;
	r = anchor_rpc(table, options, 1, &rpc);
	if (r == 0)
		rpc_free(rpc);
	return r;
}

/* ---- what the network says ---- */

static int read_word(const json_t *object, const char *name, uint8_t ret_word[static 32])
{
	const json_t *text = json_object_get(object, name);

	return json_is_string(text) ? hex_data_exact(json_string_value(text),
						     json_string_length(text), ret_word, 32)
				    : -EINVAL;
}

int anchor_read_root(const json_t *json, struct anchor_root *ret_root)
{
	const char *kind = json_string_value(json_object_get(json, "kind"));
	json_int_t sequence = json_integer_value(json_object_get(json, "sequence"));
	json_int_t leaves = json_integer_value(json_object_get(json, "leaves"));

	*ret_root = (struct anchor_root){ .sequence = (uint64_t)sequence,
					  .leaves = (uint32_t)leaves };
	if (sequence < 1 || leaves < 1 || leaves > UINT32_MAX || !kind ||
	    anchor_kind_parse(kind, &ret_root->kind) < 0 ||
	    read_word(json, "root", ret_root->root) < 0)
		return -EINVAL;
	return read_word(json, "content", ret_root->content);
}

static int nonsense(void)
{
	return cli_fail(CLI_FAILED, "the network's answer makes no sense");
}

int anchor_of(struct client *client, const struct option_table *table,
	      const struct options *options, struct anchor_place *ret_place,
	      struct address *ret_publisher, int64_t *ret_every_ms)
{
	_cleanup_(json_decrefp) json_t *chain = NULL;
	const char *contract = options_get(options, "anchor-contract", NULL);
	const char *publisher = options_get(options, "publisher", NULL);
	struct client_call call = { .method = "GET", .path = "/v1/chain", .anonymous = true };
	json_int_t chain_id;
	int r = read_addresses(table, options, &ret_place->contract, ret_publisher);

	if (r == 0)
		r = client_call(client, &call, &chain);
	if (r != 0)
		return r;
	*ret_every_ms = json_integer_value(json_object_get(chain, "anchor_every_ms"));
	chain_id = json_integer_value(json_object_get(chain, "chain_id"));
	ret_place->chain_id = (uint64_t)chain_id;
	if (!contract)
		contract = json_string_value(json_object_get(
			json_object_get(json_object_get(chain, "contracts"), "Anchor"), "address"));
	if (!publisher)
		publisher = json_string_value(json_object_get(chain, "publisher"));
	if (chain_id < 1 || !contract || !publisher ||
	    address_parse(contract, &ret_place->contract) < 0 ||
	    address_parse(publisher, ret_publisher) < 0)
		return nonsense();
	return 0;
}

int anchor_read_path(const json_t *list, struct merkle_hash ret_path[static MERKLE_DEPTH_MAX],
		     size_t *ret_n)
{
	*ret_n = json_array_size(list);
	if (!json_is_array(list) || *ret_n > MERKLE_DEPTH_MAX)
		return -EINVAL;
	for (size_t i = 0; i < *ret_n; i++) {
		const json_t *text = json_array_get(list, i);

		if (!json_is_string(text) ||
		    hex_data_exact(json_string_value(text), json_string_length(text),
				   ret_path[i].bytes, 32) < 0)
			return -EINVAL;
	}
	return 0;
}

int anchor_find(struct client *client, enum anchor_kind kind, const uint8_t id[static 32],
		json_t **ret_inclusion, bool *ret_waits)
{
	struct client_call call = { .method = "GET", .anonymous = true, .may_lack = true };
	const char *type;
	json_t *answer;
	char text[67], path[128];
	int r;

	hex_data(id, 32, text);
	snprintf(path, sizeof(path), "/v1/inclusions/%s/%s", anchor_kind_words[kind], text);
	call.path = path;
	r = client_call(client, &call, &answer);
	if (r != 0)
		return r;
	type = json_string_value(json_object_get(answer, "type"));
	*ret_inclusion = type ? NULL : answer;
	if (!type)
		return 0;
	*ret_waits = strcmp(type, "urn:kaisar:problem:not-anchored") == 0;
	json_decref(answer);
	return 0;
}

static int say_missing(const struct checking *c, bool waits)
{
	int64_t every_s = (c->every_ms + 999) / 1000;

	if (!waits)
		return cli_fail(CLI_NOT_FOUND, "the network has recorded nothing of this id");
	return cli_fail(CLI_NOT_YET,
			"not anchored yet: the next root is due within %" PRId64
			" %s, and is final on the chain some blocks later",
			every_s < 120 ? every_s : (every_s + 59) / 60, every_s < 120 ? "s" : "min");
}

/* The record's place under its root. */
static int read_inclusion(struct checking *c, const uint8_t *digest)
{
	_cleanup_(json_decrefp) json_t *inclusion = NULL;
	struct anchor_claim *claim = &c->claim;
	const json_t *anchor;
	bool waits;
	int r = anchor_find(c->client, claim->place.kind, claim->leaf.id, &inclusion, &waits);

	if (r != 0)
		return r;
	if (!inclusion)
		return say_missing(c, waits);
	anchor = json_object_get(inclusion, "anchor");
	claim->sequence = (uint64_t)json_integer_value(json_object_get(anchor, "sequence"));
	if (!json_is_true(json_object_get(anchor, "final")))
		return cli_fail(CLI_NOT_YET,
				"its root is not final on the chain yet: ask again in a minute");
	claim->block = (uint64_t)json_integer_value(json_object_get(anchor, "block"));
	if (anchor_read_path(json_object_get(inclusion, "path"), c->path, &claim->n_path) < 0 ||
	    read_word(inclusion, "digest", claim->leaf.digest) < 0 ||
	    read_word(inclusion, "before", c->before) < 0)
		return nonsense();
	claim->path = c->path;
	claim->before = c->before;
	if (digest && memcmp(digest, claim->leaf.digest, 32) != 0)
		return cli_fail(CLI_FAILED, "the network anchored another record of this id");
	return 0;
}

/* ---- the roots around it ---- */

static int read_roots(const json_t *items, uint64_t sequence, struct anchor_root *roots, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		/* The last first. */
		struct anchor_root *root = &roots[n - 1 - i];

		if (anchor_read_root(json_array_get(items, i), root) < 0 ||
		    root->sequence != sequence + n - i)
			return nonsense();
	}
	return 0;
}

static int read_after(struct checking *c)
{
	struct anchor_claim *claim = &c->claim;
	struct arena *arena = client_arena(c->client);
	_cleanup_(json_decrefp) json_t *newest = NULL, *items = NULL;
	struct client_call call = { .method = "GET",
				    .path = "/v1/anchors?limit=1",
				    .anonymous = true };
	struct anchor_root *roots;
	json_int_t last;
	size_t n;
	int r = client_call(c->client, &call, &newest);

	if (r != 0)
		return r;
	last = json_integer_value(
		json_object_get(json_array_get(json_object_get(newest, "items"), 0), "sequence"));
	if (last < 0 || (uint64_t)last < claim->sequence)
		return nonsense();
	n = (size_t)((uint64_t)last - claim->sequence);
	if (n > FOLLOW_MAX)
		return 0;
	roots = arena_array(arena, n + 1, sizeof(*roots));
	if (!roots)
		return cli_fault(-ENOMEM, "roots");
	call.path = arena_printf(arena, "/v1/anchors?limit=100&cursor=%" PRId64, (int64_t)last + 1);
	if (!call.path)
		return cli_fault(-ENOMEM, "roots");
	if (n > 0)
		r = client_list(c->client, call.path, n, &items);
	if (r == 0)
		r = read_roots(items, claim->sequence, roots, n);
	claim->after = roots;
	claim->n_after = n;
	return r;
}

/* ---- the check ---- */

static int say(const struct anchor_claim *claim, const struct anchor_found *found, FILE *out)
{
	char contract[ADDRESS_TEXT_SIZE], publisher[ADDRESS_TEXT_SIZE], transaction[67];

	address_text(&claim->place.contract, contract);
	address_text(&claim->publisher, publisher);
	hex_data(found->transaction, 32, transaction);
	fprintf(out,
		"On chain %" PRIu64 ": under root %" PRIu64 " of %s at %s, in block %" PRId64
		" (final), transaction %s",
		claim->place.chain_id, claim->sequence, publisher, contract, found->block,
		transaction);
	if (found->followed)
		fprintf(out, "; the contract's head after root %" PRIu64 " follows from it.\n",
			found->latest);
	else
		fprintf(out,
			"; the contract's head was not followed from it: too many roots since.\n");
	return fflush(out) != 0 ? cli_fault(-errno, "output") : 0;
}

static int check(const struct checking *c, struct anchor_found *ret_found)
{
	const char *why;
	struct rpc *rpc;
	int r = anchor_rpc(c->table, c->options, c->claim.place.chain_id, &rpc);

	if (r != 0)
		return r;
	r = anchor_check(rpc, &c->claim, client_arena(c->client), ret_found, &why);
	rpc_free(rpc);
	if (r < 0)
		return cli_fault(r, "chain");
	if (r == 0)
		return 0;
	return cli_fail(r == ANCHOR_CHECK_E_UNKNOWN ? CLI_NOT_YET : CLI_FAILED, "%s", why);
}

static int prove(struct checking *c, const uint8_t id[static 32], const uint8_t *digest,
		 struct anchor_found *ret_found)
{
	int r;

	memcpy(c->claim.leaf.id, id, sizeof(c->claim.leaf.id));
	r = anchor_of(c->client, c->table, c->options, &c->claim.place, &c->claim.publisher,
		      &c->every_ms);
	if (r == 0)
		r = read_inclusion(c, digest);
	if (r == 0)
		r = read_after(c);
	if (r == 0)
		r = check(c, ret_found);
	/* How many are behind it is the contract's word, not the network's. */
	if (r == 0 && !ret_found->followed && ret_found->latest - c->claim.sequence <= FOLLOW_MAX)
		return cli_fail(CLI_FAILED,
				"the network says that it has roots which the contract does not "
				"have: its last is %" PRIu64,
				ret_found->latest);
	return r;
}

int anchor_verify(struct client *client, const struct option_table *table,
		  const struct options *options, enum anchor_kind kind, const uint8_t id[static 32],
		  const uint8_t *digest, FILE *out)
{
	struct checking c = { client, table, options, .claim.place.kind = kind };
	struct anchor_found found;
	int r = prove(&c, id, digest, &found);

	return r == 0 ? say(&c.claim, &found, out) : r;
}

/* ---- the subcommands ---- */

static const struct option_row list_rows[] = {
	{ "kind", 0, "KIND", "usage, proofs, audit or payouts (all)" },
	CLI_URL_ROW,
	CLI_OUTPUT_ROW,
	{ 0 },
};
static const struct option_table list_table = {
	.usage = "kaisar anchor list [OPTIONS]",
	.about = "The roots of the network's final records, the last first.",
	.rows = list_rows,
};
static const struct column list_columns[] = {
	{ "SEQUENCE", "sequence" }, { "KIND", "kind" },
	{ "RECORDS", "leaves" },    { "ROOT", "root" },
	{ "MADE", "made_at" },      { "FINAL", "final" },
	{ "BLOCK", "block" },       { 0 },
};

static int anchor_list(int argc, char **argv)
{
	_cleanup_(json_decrefp) json_t *items = NULL;
	const char *path;
	struct cli cli;
	int status;

	if (cli_begin(&list_table, argc, argv, &cli, &status) != 0)
		return status;
	path = cli_query(&cli, "/v1/anchors?limit=100", "kind");
	status = path ? client_list(cli.client, path, 0, &items) : cli_fault(-ENOMEM, "list");
	if (status == 0)
		status = cli_print_list(&cli, list_columns, items);
	cli_end(&cli);
	return status;
}

static const struct option_row verify_rows[] = {
	{ "digest", 0, "HASH", "of the record, as you have it (as the network says)" },
	ANCHOR_ROWS,
	CLI_URL_ROW,
	{ 0 },
};
static const struct option_table verify_table = {
	.usage = "kaisar anchor verify [OPTIONS] --rpc URL KIND ID",
	.about = "Checks on the chain that a record is under one of the network's roots. ID has 32 "
		 "bytes in hex.\n"
		 "`kaisar popw verify --rpc URL` checks a session's record itself, too.",
	.rows = verify_rows,
	.words_min = 2,
	.words_max = 2,
};

static int read_hash(const char *text, uint8_t ret_hash[static 32])
{
	return hex_data_exact(text, strlen(text), ret_hash, 32);
}

static int anchor_verify_cmd(int argc, char **argv)
{
	_cleanup_(client_closep) struct client *client = NULL;
	const char *digest_text;
	uint8_t id[32], digest[32];
	enum anchor_kind kind;
	struct options options;
	int r, status;

	if (options_read(&verify_table, argc, argv, &options, &status) != 0)
		return status;
	digest_text = options_get(&options, "digest", NULL);
	if (!options_has(&options, "rpc"))
		return options_refuse(&verify_table, "which endpoint? --rpc URL");
	if (anchor_kind_parse(options.words[0], &kind) < 0)
		return options_refuse(&verify_table, "KIND is usage, proofs, audit or payouts");
	if (read_hash(options.words[1], id) < 0 ||
	    (digest_text && read_hash(digest_text, digest) < 0))
		return options_refuse(&verify_table, "ID and --digest are 0x and 64 hex digits");
	r = client_open(options_get(&options, "url", NULL), &client);
	return r != 0 ? r
		      : anchor_verify(client, &verify_table, &options, kind, id,
				      digest_text ? digest : NULL, stdout);
}

int cmd_anchor(int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{ "list", "list the roots of final records", anchor_list },
		{ "verify", "check on the chain that a record is under a root", anchor_verify_cmd },
		{ 0 },
	};

	return cli_verbs("anchor", verbs, argc, argv);
}
