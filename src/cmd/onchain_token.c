/* Tokens that a person pays with (onchain.h): the chain's coin, and contracts by ERC-20. */
#include "chain/coins.h"
#include "cmd/onchain.h"

bool onchain_is_coin(const struct onchain_token *token)
{
	const struct address none = { 0 };

	return address_equal(&token->address, &none);
}

/* The contract's own word: only what a terminal shows as it is. */
static void take_symbol(const struct abi_value *text, char ret_symbol[static 17])
{
	size_t n = 0;

	for (size_t i = 0; i < text->len && n < 16; i++)
		if (text->bytes[i] > ' ' && text->bytes[i] <= '~')
			ret_symbol[n++] = (char)text->bytes[i];
	ret_symbol[n] = '\0';
}

int onchain_token(struct onchain *onchain, const struct address *address,
		  struct onchain_token *ret_token)
{
	struct onchain_token token = { .address = *address, .decimals = 18, .symbol = "coin" };
	struct abi_value symbol;
	struct u256 decimals;
	int r;

	if (!onchain_is_coin(&token)) {
		r = onchain_word(onchain, address, "decimals()", NULL, 0, &decimals);
		if (r == 0)
			r = onchain_read(onchain, address, "symbol()", NULL, 0, "(string)",
					 &symbol);
		if (r != 0)
			return r;
		if (u256_bits(decimals) > 8 || u256_low(decimals) > COINS_DECIMALS_MAX)
			return cli_fail(CLI_FAILED, "the token has more than %d decimals",
					COINS_DECIMALS_MAX);
		token.decimals = (unsigned int)u256_low(decimals);
		take_symbol(&symbol.items[0], token.symbol);
	}
	*ret_token = token;
	return 0;
}

int onchain_token_named(struct onchain *onchain, const char *name, struct onchain_token *ret_token)
{
	const struct contract_place *dollar = &onchain->contracts.at[CONTRACT_DOLLAR];
	const struct option_table *table = onchain->options.table;
	struct address address;
	int r = 0;

	if (strcmp(name, "kai") == 0) {
		r = onchain_contract(onchain, CONTRACT_TOKEN, &address);
	} else if (strcmp(name, "stablecoin") == 0) {
		if (!dollar->there)
			return options_refuse(
				table, "--token: this chain has no stablecoin of its own; name one "
				       "by its address");
		address = dollar->address;
	} else if (address_parse(name, &address) < 0) {
		return options_refuse(
			table, "--token: '%s' is neither stablecoin nor kai nor an address", name);
	}
	return r != 0 ? r : onchain_token(onchain, &address, ret_token);
}

const char *onchain_amount(struct onchain *onchain, const struct onchain_token *token,
			   struct u256 amount)
{
	char text[COINS_TEXT_SIZE];

	coins_text(amount, token->decimals, text);
	return arena_printf(onchain->arena, "%s %s", text, token->symbol);
}

/* Of the coin a transaction's own check tells, with its gas. */
/* It cannot be sent by anybody. */
static bool is_vested(const struct onchain *onchain, const struct onchain_token *token)
{
	const struct contract_place *vested = &onchain->contracts.at[CONTRACT_VESTED_TOKEN];

	return vested->there && address_equal(&token->address, &vested->address);
}

int onchain_has(struct onchain *onchain, const struct onchain_token *token, struct u256 amount,
		const char *field)
{
	char account[ADDRESS_TEXT_SIZE];
	const char *has, *wanted;
	struct u256 balance;
	int r;

	if (onchain_is_coin(token))
		return 0;
	r = onchain_balance(onchain, token, &balance);
	if (r != 0 || u256_compare(&balance, &amount) >= 0)
		return r;
	has = onchain_amount(onchain, token, balance);
	wanted = onchain_amount(onchain, token, amount);
	address_text(onchain_account(onchain), account);
	if (!has || !wanted)
		return cli_fault(-ENOMEM, "the balance");
	return cli_fail(CLI_BALANCE, "%s: %s has %s, less than %s; %s", field, account, has, wanted,
			is_vested(onchain, token) ? "`kaisar rewards claim` fetches what is earned"
						  : "send it some");
}

static int approve(struct onchain *onchain, const struct onchain_token *token,
		   const struct address *spender, struct u256 amount)
{
	const struct abi_value arguments[] = { abi_address(spender), abi_number(amount) };
	const char *text = onchain_amount(onchain, token, amount);
	const char *what = text ? arena_printf(onchain->arena, "approval of %s", text) : NULL;
	struct transact_done done;
	struct call_data data;
	int r;

	r = what ? abi_encode_call("approve(address,uint256)", arguments, 2, onchain->arena,
				   &data.bytes, &data.len)
		 : -ENOMEM;
	if (r < 0)
		return cli_fault(r, "the approval");
	return onchain_send(onchain, what, &token->address, u256_from(0), &data, &done);
}

int onchain_allow(struct onchain *onchain, const struct onchain_token *token,
		  const struct address *spender, struct u256 amount)
{
	const struct abi_value pair[] = { abi_address(onchain_account(onchain)),
					  abi_address(spender) };
	struct u256 allowed;
	int r;

	if (onchain_is_coin(token))
		return 0;
	r = onchain_word(onchain, &token->address, "allowance(address,address)", pair, 2, &allowed);
	if (r != 0 || u256_compare(&allowed, &amount) >= 0)
		return r;
	/* Some stablecoins change an allowance only from or to nothing. */
	if (!u256_is_zero(allowed))
		r = approve(onchain, token, spender, u256_from(0));
	return r == 0 ? approve(onchain, token, spender, amount) : r;
}
