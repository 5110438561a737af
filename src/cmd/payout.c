#include "cmd/payout.h"

#include "chain/coins.h"
#include "chain/hex.h"
#include "chain/reward_leaves.h"
#include "cmd/chain_pot.h"

enum { TOKEN_DECIMALS = 18 };

const char *payout_tokens(struct onchain *onchain, struct u256 units, const char *symbol)
{
	char text[COINS_TEXT_SIZE];

	coins_text(units, TOKEN_DECIMALS, text);
	return arena_printf(onchain->arena, "%s %s", text, symbol);
}

int payout_who(const struct onchain *onchain, struct address *ret_account)
{
	const char *text = options_get(&onchain->options, "account", NULL);

	*ret_account = *onchain_account(onchain);
	if (text && address_parse(text, ret_account) < 0)
		return options_refuse(onchain->options.table, "--account: '%s' is not an address",
				      text);
	return 0;
}

/* ---- claim ---- */

static const struct option_row claim_rows[] = {
	{ "account", 0, "ACCOUNT", "for whom (the wallet's own); it is paid, whoever claims" },
	CLI_URL_ROW,
	ONCHAIN_ROWS,
	{ 0 },
};
static const struct option_table claim_table = {
	.usage = "kaisar rewards claim [OPTIONS]",
	.about = "Claims what an account earned and was not paid: KAI for machines, vKAI for "
		 "checkers. The network\n"
		 "gives the proof; it is checked here against the contract's root before anything "
		 "is sent.",
	.rows = claim_rows,
};

static const char *const symbols[REWARD_KINDS_N] = { "KAI", "vKAI" };

struct claim {
	struct onchain *onchain;
	struct client *client;
	struct address account;
	struct reward_leaves place; /* chain, contract and kind */
	uint8_t root[32]; /* in effect */
	uint64_t round;
	struct reward_leaf leaf;
	struct merkle_hash path[MERKLE_DEPTH_MAX];
	size_t n;
	struct u256 claimed;
};

/* The root that a claim is checked against: a pending one whose time has come takes effect with it. The time is the
 * chain's, which the contract goes by. */
static int read_root(struct claim *claim)
{
	const struct chain_root *root;
	struct chain_pot pot;
	uint64_t now_s;
	int r = chain_pot_read(claim->onchain, claim->place.kind, &pot);

	if (r == 0)
		r = onchain_now(claim->onchain, &now_s);
	if (r != 0)
		return r;
	root = pot.pending.there && pot.pending.effective_s <= now_s ? &pot.pending : &pot.active;
	memcpy(claim->root, root->root, 32);
	claim->round = root->round;
	return 0;
}

static int wrong_proof(const struct claim *claim)
{
	return cli_fail(CLI_FAILED,
			"the network's proof does not lead to the contract's %s root %" PRIu64
			": nothing was sent; `kaisar rewards recompute` with --rpc says more",
			reward_kind_words[claim->place.kind], claim->round);
}

static int take_proof(struct claim *claim, const json_t *answer)
{
	const char *units = json_string_value(json_object_get(answer, "cumulative"));
	const json_t *path = json_object_get(answer, "path");
	const struct merkle_hash *root = (const struct merkle_hash *)claim->root;
	struct merkle_hash leaf;

	claim->n = json_array_size(path);
	if (!units || u256_parse(units, strlen(units), &claim->leaf.cumulative) < 0 ||
	    claim->n > MERKLE_DEPTH_MAX)
		return wrong_proof(claim);
	for (size_t i = 0; i < claim->n; i++) {
		const char *text = json_string_value(json_array_get(path, i));

		if (!text || hex_data_exact(text, strlen(text), claim->path[i].bytes, 32) < 0)
			return wrong_proof(claim);
	}
	claim->leaf.account = claim->account;
	reward_leaf_hash(&claim->place, &claim->leaf, &leaf);
	return merkle_leads(&leaf, claim->path, claim->n, root) ? 0 : wrong_proof(claim);
}

/* Nothing in @ret_there: the root has no leaf of the account. */
static int fetch_proof(struct claim *claim, bool *ret_there)
{
	_cleanup_(json_decrefp) json_t *answer = NULL;
	struct client_call call = { .method = "GET", .anonymous = true, .may_lack = true };
	char account[ADDRESS_TEXT_SIZE];
	int r;

	address_text(&claim->account, account);
	call.path = arena_printf(claim->onchain->arena,
				 "/v1/rewards/roots/%s/%" PRIu64 "/proofs/%s",
				 reward_kind_words[claim->place.kind], claim->round, account);
	if (!call.path)
		return cli_fault(-ENOMEM, "the proof");
	r = client_call(claim->client, &call, &answer);
	if (r != 0)
		return r;
	*ret_there = !json_object_get(answer, "type");
	return *ret_there ? take_proof(claim, answer) : 0;
}

static int send_claim(struct claim *claim, json_t *list)
{
	struct onchain *onchain = claim->onchain;
	const struct u256 amount = u256_subtract(claim->leaf.cumulative, claim->claimed);
	const char *text = payout_tokens(onchain, amount, symbols[claim->place.kind]), *what;
	struct abi_value path[MERKLE_DEPTH_MAX], arguments[4];
	char account[ADDRESS_TEXT_SIZE];
	struct transact_done done;
	struct call_data data;
	json_t *item;
	int r;

	for (size_t i = 0; i < claim->n; i++)
		path[i] = abi_fixed_bytes(claim->path[i].bytes, 32);
	arguments[0] = abi_u64(claim->place.kind);
	arguments[1] = abi_address(&claim->account);
	arguments[2] = abi_number(claim->leaf.cumulative);
	arguments[3] = abi_items(path, claim->n);
	address_text(&claim->account, account);
	what = arena_printf(onchain->arena, "claim of %s for %s", text ? text : "", account);
	r = text && what ? abi_encode_call("claim(uint8,address,uint256,bytes32[])", arguments, 4,
					   onchain->arena, &data.bytes, &data.len)
			 : -ENOMEM;
	if (r < 0)
		return cli_fault(r, "the claim");
	r = onchain_send(onchain, what, &claim->place.distributor, u256_from(0), &data, &done);
	if (r != 0)
		return r;
	item = onchain_done(&done);
	if (json_object_set_new(item, "amount", json_string(text)) < 0 ||
	    json_object_set_new(item, "account", json_string(account)) < 0 ||
	    json_array_append(list, item) < 0)
		r = cli_fault(-ENOMEM, "the claim");
	json_decref(item);
	return r;
}

static int claim_kind(struct claim *claim, json_t *list)
{
	const struct abi_value who[] = { abi_u64(claim->place.kind), abi_address(&claim->account) };
	bool there;
	int r = read_root(claim);

	if (r != 0 || claim->round == 0)
		return r;
	r = fetch_proof(claim, &there);
	if (r != 0 || !there)
		return r;
	r = onchain_word(claim->onchain, &claim->place.distributor, "claimed(uint8,address)", who,
			 2, &claim->claimed);
	if (r != 0 || u256_compare(&claim->leaf.cumulative, &claim->claimed) <= 0)
		return r;
	return send_claim(claim, list);
}

static const struct column claim_columns[] = {
	{ "AMOUNT", "amount" },
	{ "ACCOUNT", "account" },
	{ "TRANSACTION", "transaction" },
	{ "BLOCK", "block" },
	{ 0 },
};

static int claim_all(struct onchain *onchain)
{
	_cleanup_(json_decrefp) json_t *list = json_array();
	_cleanup_(client_closep) struct client *client = NULL;
	struct claim claim = { .onchain = onchain };
	int r = payout_who(onchain, &claim.account);

	if (r == 0)
		r = onchain_contract(onchain, CONTRACT_DISTRIBUTOR, &claim.place.distributor);
	if (r == 0)
		r = client_open(options_get(&onchain->options, "url", NULL), &client);
	claim.client = client;
	claim.place.chain_id = onchain->contracts.chain_id;
	for (enum reward_kind kind = 0; r == 0 && kind < REWARD_KINDS_N; kind++) {
		claim.place.kind = kind;
		r = claim_kind(&claim, list);
	}
	if (r != 0)
		return r;
	if (json_array_size(list) == 0)
		fprintf(stderr, "kaisar: there is nothing to claim now; `kaisar rewards show` says "
				"when there is\n");
	r = table_list(onchain->format, claim_columns, list);
	return r < 0 ? cli_fault(r, "standard output") : 0;
}

int payout_run(const struct option_table *table, int (*command)(struct onchain *), int argc,
	       char **argv)
{
	struct onchain onchain;
	int status;

	if (onchain_begin(table, argc, argv, &onchain, &status) != 0)
		return status;
	status = command(&onchain);
	onchain_end(&onchain);
	return status;
}

int payout_claim(int argc, char **argv)
{
	return payout_run(&claim_table, claim_all, argc, argv);
}

/* ---- unlock ---- */

static const struct option_row unlock_rows[] = {
	{ "over", 0, "DAYS", "30 (gives 25 %), 90 (50 %) or 180 (100 %)" },
	{ "yes", 'y', NULL, "do it: what is given up cannot be had back" },
	ONCHAIN_ROWS,
	{ 0 },
};
static const struct option_table unlock_table = {
	.usage = "kaisar rewards unlock [OPTIONS] --over DAYS AMOUNT",
	.about = "Gives vKAI up for KAI, which becomes free by the second over 30, 90 or 180 days: "
		 "25, 50 or 100 % of\n"
		 "it. The rest goes back to the checkers' pot at once. Without --yes it only says "
		 "what you would get.",
	.rows = unlock_rows,
	.words_min = 1,
	.words_max = 1,
};

/* VestedToken.Period. */
static const struct {
	int64_t days;
	unsigned int percent;
} periods[] = { { 30, 25 }, { 90, 50 }, { 180, 100 } };

static int read_period(const struct onchain *onchain, size_t *ret_period)
{
	int64_t days;

	if (options_int(&onchain->options, "over", 1, 1000, 0, &days) != 0)
		return CLI_USAGE;
	for (size_t i = 0; i < ARRAY_SIZE(periods); i++)
		if (periods[i].days == days) {
			*ret_period = i;
			return 0;
		}
	return options_refuse(&unlock_table, "--over must be 30, 90 or 180");
}

static const struct column unlock_columns[] = {
	{ "transaction", "transaction" }, { "block", "block" }, { "given up", "given_up" },
	{ "becomes free", "payout" },     { "over", "over" },   { 0 },
};

static int show_unlock(struct onchain *onchain, json_t *object, const char *given,
		       const char *payout, int64_t days)
{
	int r = -ENOMEM;

	if (object && json_object_set_new(object, "given_up", json_string(given)) == 0 &&
	    json_object_set_new(object, "payout", json_string(payout)) == 0 &&
	    json_object_set_new(object, "over", json_sprintf("%" PRId64 " days", days)) == 0)
		r = table_object(onchain->format, unlock_columns, object);
	json_decref(object);
	return r < 0 ? cli_fault(r, "standard output") : 0;
}

static int convert(struct onchain *onchain, const struct address *vested, struct u256 amount,
		   size_t period, const char *given, const char *payout)
{
	const struct abi_value arguments[] = { abi_number(amount), abi_u64(period) };
	const char *what = arena_printf(onchain->arena, "unlocking of %s over %" PRId64 " days",
					given, periods[period].days);
	struct transact_done done;
	struct call_data data;
	int r = what ? abi_encode_call("convert(uint256,uint8)", arguments, 2, onchain->arena,
				       &data.bytes, &data.len)
		     : -ENOMEM;

	if (r < 0)
		return cli_fault(r, "the unlocking");
	r = onchain_send(onchain, what, vested, u256_from(0), &data, &done);
	return r != 0 ? r
		      : show_unlock(onchain, onchain_done(&done), given, payout,
				    periods[period].days);
}

static int unlock(struct onchain *onchain)
{
	const char *text = onchain->options.words[0], *given, *payout;
	struct u256 amount, part, rest;
	struct onchain_token token;
	struct address vested;
	size_t period;
	int r = read_period(onchain, &period);

	if (r == 0 && (coins_parse(text, TOKEN_DECIMALS, &amount) < 0 || u256_bits(amount) > 192))
		return options_refuse(&unlock_table, "AMOUNT: '%s' is no amount like 12.5", text);
	if (r == 0)
		r = onchain_contract(onchain, CONTRACT_VESTED_TOKEN, &vested);
	if (r == 0)
		r = onchain_token(onchain, &vested, &token);
	if (r == 0)
		r = onchain_has(onchain, &token, amount, "AMOUNT");
	if (r != 0)
		return r;
	part = u256_divide(u256_mul(amount, u256_from(periods[period].percent)), u256_from(100),
			   &rest);
	if (u256_is_zero(part))
		return options_refuse(&unlock_table, "AMOUNT: so little gives nothing");
	given = payout_tokens(onchain, amount, "vKAI");
	payout = payout_tokens(onchain, part, "KAI");
	if (!given || !payout)
		return cli_fault(-ENOMEM, "the unlocking");
	if (options_has(&onchain->options, "yes"))
		return convert(onchain, &vested, amount, period, given, payout);
	return cli_fail(CLI_USAGE,
			"%s would be given up for %s, free by the second over %" PRId64
			" days (25 %% over 30, 50 %% over 90, 100 %% over 180); say --yes to do it",
			given, payout, periods[period].days);
}

int payout_unlock(int argc, char **argv)
{
	return payout_run(&unlock_table, unlock, argc, argv);
}
