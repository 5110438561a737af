/* What a wallet has on the chain (wallet.h): its coin and the network's tokens, as their contracts say. */
#include "chain/coins.h"
#include "cmd/onchain.h"
#include "cmd/wallet.h"

static const struct option_row rows[] = { ONCHAIN_LOOK_ROWS, { 0 } };
static const struct option_table table = {
	.usage = "kaisar wallet balance [OPTIONS]",
	.about = "What a wallet has on the chain: the coin that gas is paid with, the network's "
		 "tokens. What\n"
		 "lies in the escrow is not in it (kaisar escrow show), nor what pays for rentals "
		 "(kaisar balance).",
	.rows = rows,
};

static const struct column columns[] = {
	{ "TOKEN", "symbol" },
	{ "AMOUNT", "amount" },
	{ "CONTRACT", "token" },
	{ 0 },
};

static int add(struct onchain *onchain, const struct address *contract, json_t *items)
{
	char amount[COINS_TEXT_SIZE], address[ADDRESS_TEXT_SIZE];
	struct onchain_token token;
	struct u256 balance;
	json_t *item;
	int r = onchain_token(onchain, contract, &token);

	if (r == 0)
		r = onchain_balance(onchain, &token, &balance);
	if (r != 0)
		return r;
	coins_text(balance, token.decimals, amount);
	address_text(contract, address);
	item = json_pack("{s:s, s:s, s:s?}", "symbol", token.symbol, "amount", amount, "token",
			 onchain_is_coin(&token) ? NULL : address);
	return json_array_append_new(items, item) < 0 ? cli_fault(-ENOMEM, "the balance") : 0;
}

static int show(struct onchain *onchain)
{
	static const enum contract tokens[] = { CONTRACT_DOLLAR, CONTRACT_TOKEN,
						CONTRACT_VESTED_TOKEN };
	_cleanup_(json_decrefp) json_t *items = json_array();
	const struct address coin = { 0 };
	int r = add(onchain, &coin, items);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(tokens); i++)
		if (onchain->contracts.at[tokens[i]].there)
			r = add(onchain, &onchain->contracts.at[tokens[i]].address, items);
	if (r != 0)
		return r;
	r = table_list(onchain->format, columns, items);
	return r < 0 ? cli_fault(r, "standard output") : 0;
}

int wallet_balance(int argc, char **argv)
{
	struct onchain onchain;
	int status;

	if (onchain_look(&table, argc, argv, &onchain, &status) != 0)
		return status;
	status = show(&onchain);
	onchain_end(&onchain);
	return status;
}
