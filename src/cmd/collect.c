/* collect.c - what a contract owes to a wallet, fetched by it: a provider's earnings, a tenant's returned
 * withdrawals and exits, the treasury's fees. */
#include "chain/coins.h"
#include "cmd/commands.h"
#include "cmd/onchain.h"

static const struct option_row rows[] = {
	{ "token", 0, "TOKEN", ONCHAIN_TOKEN_HELP ", or coin" },
	{ "from", 0, "CONTRACT", "escrow (default), sale or registry" },
	{ "to", 0, "ACCOUNT", "where to; the wallet's own account" },
	ONCHAIN_ROWS,
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar collect [OPTIONS]",
	.about =
		"Fetches all that the network's escrow contract owes to your wallet: what your "
		"machines\n"
		"earned and was paid (kaisar worker earnings), and withdrawals that were returned\n"
		"(kaisar withdrawals). Only your wallet can; the network need not be there.",
	.rows = rows,
};

static const struct column columns[] = {
	{ "transaction", "transaction" },
	{ "block", "block" },
	{ "amount", "amount" },
	{ "token", "token" },
	{ "to", "to" },
	{ 0 },
};

struct collect {
	struct address contract, to;
	const char *contract_name;
	struct onchain_token token;
	const char *what;
};

static int read_contract(struct onchain *onchain, struct collect *collect)
{
	static const struct {
		const char *word;
		enum contract contract;
	} known[] = { { "escrow", CONTRACT_ESCROW },
		      { "sale", CONTRACT_SALE },
		      { "registry", CONTRACT_REGISTRY } };
	const char *word = options_get(&onchain->options, "from", "escrow");

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(known[i].word, word) == 0) {
			collect->contract_name = word;
			return onchain_contract(onchain, known[i].contract, &collect->contract);
		}
	return options_refuse(&table, "--from: '%s' is neither escrow nor sale nor registry", word);
}

static int read_token(struct onchain *onchain, struct collect *collect)
{
	const char *name = options_get(&onchain->options, "token", "stablecoin");
	const struct address coin = { 0 };

	return strcmp(name, "coin") == 0 ? onchain_token(onchain, &coin, &collect->token)
					 : onchain_token_named(onchain, name, &collect->token);
}

static int read_collect(struct onchain *onchain, struct collect *collect)
{
	const char *to = options_get(&onchain->options, "to", NULL);
	char text[ADDRESS_TEXT_SIZE];
	int r = read_contract(onchain, collect);

	if (r == 0)
		r = read_token(onchain, collect);
	if (r != 0)
		return r;
	collect->to = *onchain_account(onchain);
	if (to && address_parse(to, &collect->to) < 0)
		return options_refuse(&table, "--to: '%s' is not an address", to);
	r = onchain_receiver(onchain, "--to", &collect->to);
	if (r != 0)
		return r;
	address_text(&collect->to, text);
	collect->what = arena_printf(onchain->arena, "collecting %s from the %s to %s",
				     collect->token.symbol, collect->contract_name, text);
	return collect->what ? 0 : cli_fault(-ENOMEM, "collect");
}

/* @amount: NULL where it was fetched by a run that was interrupted. */
static int show(const struct onchain *onchain, const struct collect *collect,
		const struct u256 *amount, const struct transact_done *done)
{
	_cleanup_(json_decrefp) json_t *object = onchain_done(done);
	char token[ADDRESS_TEXT_SIZE], to[ADDRESS_TEXT_SIZE], text[COINS_TEXT_SIZE] = "";
	int r;

	address_text(&collect->token.address, token);
	address_text(&collect->to, to);
	if (amount)
		coins_text(*amount, collect->token.decimals, text);
	if (!object ||
	    json_object_set_new(object, "amount", amount ? json_string(text) : json_null()) < 0 ||
	    json_object_set_new(object, "token", json_string(token)) < 0 ||
	    json_object_set_new(object, "symbol", json_string(collect->token.symbol)) < 0 ||
	    json_object_set_new(object, "to", json_string(to)) < 0)
		return cli_fault(-ENOMEM, "collect");
	r = table_object(onchain->format, columns, object);
	return r < 0 ? cli_fault(r, "standard output") : 0;
}

static int collect_now(struct onchain *onchain, const struct collect *collect)
{
	const struct abi_value pair[] = { abi_address(&collect->token.address),
					  abi_address(onchain_account(onchain)) };
	const struct abi_value arguments[] = { pair[0], abi_address(&collect->to) };
	struct transact_done done;
	struct call_data data;
	struct u256 owed;
	int r = onchain_word(onchain, &collect->contract, "owed(address,address)", pair, 2, &owed);

	if (r == 0 && u256_is_zero(owed))
		return cli_fail(
			CLI_NOT_FOUND,
			"the %s owes this wallet no %s; `kaisar balance` says what the escrow "
			"owes, --token names another token",
			collect->contract_name, collect->token.symbol);
	if (r != 0)
		return r;
	r = abi_encode_call("withdraw(address,address)", arguments, 2, onchain->arena, &data.bytes,
			    &data.len);
	if (r < 0)
		return cli_fault(r, "collect");
	r = onchain_send(onchain, collect->what, &collect->contract, u256_from(0), &data, &done);
	return r == 0 ? show(onchain, collect, &owed, &done) : r;
}

int cmd_collect(int argc, char **argv)
{
	struct collect collect = { 0 };
	struct onchain onchain;
	int status;

	if (onchain_begin(&table, argc, argv, &onchain, &status) != 0)
		return status;
	status = read_collect(&onchain, &collect);
	/* What was asked for now is what was interrupted then: once is enough. */
	if (status == 0 && onchain.resumed && strcmp(onchain.resumed, collect.what) == 0)
		status = show(&onchain, &collect, NULL, &onchain.resumed_done);
	else if (status == 0)
		status = collect_now(&onchain, &collect);
	onchain_end(&onchain);
	return status;
}
