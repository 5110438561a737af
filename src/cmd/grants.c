#include "cmd/grants.h"

#include "chain/coins.h"
#include "cmd/onchain_logs.h"
#include "cmd/payout.h"

enum { TOKEN_DECIMALS = 18 };

static const struct option_row grants_rows[] = {
	{ "account", 0, "ACCOUNT", "whose (the wallet's own)" },
	{ "id", 0, "N", "only those of this number, for a node that gives no logs" },
	ONCHAIN_ROWS,
	{ 0 },
};
static const struct option_table grants_table = {
	.usage = "kaisar rewards grants [OPTIONS]",
	.about =
		"KAI that becomes an account's over time: of vKAI that it gave up, and what it was "
		"granted.",
	.rows = grants_rows,
};
static const struct option_table release_table = {
	.usage = "kaisar rewards release [OPTIONS]",
	.about = "Pays out what has become free of an account's grants; anyone may, the account is "
		 "paid.",
	.rows = grants_rows,
};

static const struct {
	enum contract contract;
	const char *word;
} granting[] = { { CONTRACT_VESTED_TOKEN, "unlock" }, { CONTRACT_DISTRIBUTOR, "grant" } };

struct grant {
	const char *from;
	struct address contract;
	struct u256 id, amount, released, releasable;
	uint64_t until_s;
};

typedef int grant_fn(struct onchain *onchain, const struct grant *grant, json_t *list);

static int read_grant(struct onchain *onchain, const struct address *account, struct grant *grant,
		      bool *ret_own)
{
	const struct abi_value id = abi_number(grant->id);
	struct address whose;
	struct abi_value value;
	int r = onchain_read(onchain, &grant->contract, "grantOf(uint256)", &id, 1,
			     "(address,uint64,uint64,uint64,uint256,uint256)", &value);

	if (r != 0)
		return r;
	whose = abi_as_address(&value.items[0]);
	*ret_own = address_equal(&whose, account);
	if (!*ret_own)
		return 0;
	grant->until_s = (uint64_t)u256_low(abi_as_number(&value.items[1])) +
			 (uint64_t)u256_low(abi_as_number(&value.items[3]));
	grant->amount = abi_as_number(&value.items[4]);
	grant->released = abi_as_number(&value.items[5]);
	return onchain_word(onchain, &grant->contract, "releasable(uint256)", &id, 1,
			    &grant->releasable);
}

/* ---- which there are ---- */

struct ids {
	struct u256 *items;
	size_t n;
};

static int take_granted(void *arg, const json_t *log)
{
	struct ids *ids = arg;
	struct u256 *larger = realloc(ids->items, (ids->n + 1) * sizeof(*larger));
	uint8_t id[32];

	if (!larger)
		return cli_fault(-ENOMEM, "grants");
	ids->items = larger;
	if (rpc_bytes(json_array_get(json_object_get(log, "topics"), 1), id, 32) < 0)
		return onchain_logs_nonsense();
	ids->items[ids->n++] = u256_from_bytes(id);
	return 0;
}

/* Anybody may grant anything to anybody, so numbers say nothing: the contract's log names whose they are. */
static int find_granted(struct onchain *onchain, enum contract contract,
			const struct address *account, struct ids *ids)
{
	struct onchain_topics topics = { .n = 3, .any = { [1] = true } };

	abi_topic("Granted(uint256,address,uint256,uint64,uint64,uint64)", topics.words[0]);
	memcpy(topics.words[2] + 12, account->bytes, 20);
	return onchain_logs(onchain, contract, &topics, take_granted, ids);
}

/* --id's, if the contract has one of that number. */
static int find_named(struct onchain *onchain, const struct address *contract, const char *name,
		      struct ids *ids)
{
	struct u256 count, id;
	int r;

	if (u256_parse(name, strlen(name), &id) < 0)
		return options_refuse(onchain->options.table, "--id: '%s' is not a number", name);
	r = onchain_word(onchain, contract, "grantCount()", NULL, 0, &count);
	if (r != 0 || u256_compare(&id, &count) >= 0)
		return r;
	ids->items = malloc(sizeof(*ids->items));
	if (!ids->items)
		return cli_fault(-ENOMEM, "grants");
	ids->items[ids->n++] = id;
	return 0;
}

/* @grant: where they are. */
static int each_of(struct onchain *onchain, struct grant grant, const struct address *account,
		   const struct ids *ids, grant_fn *fn, json_t *list)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ids->n; i++) {
		struct arena_mark mark = arena_mark(onchain->arena);
		bool own = false;

		grant.id = ids->items[i];
		r = read_grant(onchain, account, &grant, &own);
		if (r == 0 && own)
			r = fn(onchain, &grant, list);
		arena_rewind(onchain->arena, mark);
	}
	return r;
}

static int each_grant(struct onchain *onchain, grant_fn *fn, json_t *list)
{
	const char *name = options_get(&onchain->options, "id", NULL);
	struct address account;
	int r = payout_who(onchain, &account);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(granting); i++) {
		struct grant grant = { .from = granting[i].word };
		struct ids ids = { 0 };

		r = onchain_contract(onchain, granting[i].contract, &grant.contract);
		if (r == 0)
			r = name ? find_named(onchain, &grant.contract, name, &ids)
				 : find_granted(onchain, granting[i].contract, &account, &ids);
		if (r == 0)
			r = each_of(onchain, grant, &account, &ids, fn, list);
		free(ids.items);
	}
	return r;
}

static json_t *coins_json(struct u256 units)
{
	char text[COINS_TEXT_SIZE];

	coins_text(units, TOKEN_DECIMALS, text);
	return json_string(text);
}

static int list_grant(struct onchain *onchain _unused_, const struct grant *grant, json_t *list)
{
	char id[U256_TEXT_SIZE], until[CLOCK_TEXT_SIZE];

	u256_text(grant->id, id);
	onchain_time(grant->until_s, until);
	return json_array_append_new(
		       list, json_pack("{s:s, s:s, s:o, s:o, s:o, s:s}", "from", grant->from, "id",
				       id, "amount", coins_json(grant->amount), "released",
				       coins_json(grant->released), "releasable",
				       coins_json(grant->releasable), "until", until)) < 0
		       ? cli_fault(-ENOMEM, "grants")
		       : 0;
}

static const struct column grant_columns[] = {
	{ "FROM", "from" },
	{ "ID", "id" },
	{ "KAI", "amount" },
	{ "RELEASED", "released" },
	{ "RELEASABLE", "releasable" },
	{ "ALL FREE", "until" },
	{ 0 },
};

static int grants(struct onchain *onchain)
{
	_cleanup_(json_decrefp) json_t *list = json_array();
	int r = each_grant(onchain, list_grant, list);

	if (r != 0)
		return r;
	r = table_list(onchain->format, grant_columns, list);
	return r < 0 ? cli_fault(r, "standard output") : 0;
}

int grants_show(int argc, char **argv)
{
	return payout_run(&grants_table, grants, argc, argv);
}

static int release_grant(struct onchain *onchain, const struct grant *grant, json_t *list)
{
	const struct abi_value id = abi_number(grant->id);
	const char *text = payout_tokens(onchain, grant->releasable, "KAI"), *what;
	char number[U256_TEXT_SIZE];
	struct transact_done done;
	struct call_data data;
	json_t *item;
	int r;

	if (u256_is_zero(grant->releasable))
		return 0;
	u256_text(grant->id, number);
	what = arena_printf(onchain->arena, "release of %s of %s %s", text ? text : "", grant->from,
			    number);
	r = text && what ? abi_encode_call("release(uint256)", &id, 1, onchain->arena, &data.bytes,
					   &data.len)
			 : -ENOMEM;
	if (r < 0)
		return cli_fault(r, "the release");
	r = onchain_send(onchain, what, &grant->contract, u256_from(0), &data, &done);
	if (r != 0)
		return r;
	item = onchain_done(&done);
	if (json_object_set_new(item, "id", json_string(number)) < 0 ||
	    json_object_set_new(item, "from", json_string(grant->from)) < 0 ||
	    json_array_append(list, item) < 0)
		r = cli_fault(-ENOMEM, "the release");
	json_decref(item);
	return r;
}

static const struct column release_columns[] = {
	{ "FROM", "from" },   { "ID", "id" }, { "TRANSACTION", "transaction" },
	{ "BLOCK", "block" }, { 0 },
};

static int release(struct onchain *onchain)
{
	_cleanup_(json_decrefp) json_t *list = json_array();
	int r = each_grant(onchain, release_grant, list);

	if (r != 0)
		return r;
	if (json_array_size(list) == 0)
		fprintf(stderr,
			"kaisar: nothing has become free; `kaisar rewards grants` says when "
			"it does\n");
	r = table_list(onchain->format, release_columns, list);
	return r < 0 ? cli_fault(r, "standard output") : 0;
}

int grants_release(int argc, char **argv)
{
	return payout_run(&release_table, release, argc, argv);
}
