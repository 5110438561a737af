/* licence_buy.c - checker licences from the sale contract, for the price that was seen and no more. */
#include "base/keccak.h"
#include "base/random.h"
#include "chain/coins.h"
#include "chain/merkle.h"
#include "cmd/licence.h"

enum { QUANTITY_MAX = 50 /* Sale.MAXIMUM_QUANTITY */ };

static const struct option_row rows[] = {
	{ "quantity", 'n', "N", "how many (1; 50 at most)" },
	{ "round", 0, "ROUND", "of which round (the first that is open)" },
	{ "token", 0, "TOKEN", "what you pay with: coin (default) or stablecoin" },
	{ "max-price", 0, "AMOUNT", "the highest price of one licence (what is asked for now)" },
	{ "referrer", 0, "ADDRESS", "who told you, and owns a licence: they earn, you pay less" },
	{ "whitelist", 0, "FILE", "the round's published list, an address on each line" },
	ONCHAIN_ROWS,
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar licence buy [OPTIONS]",
	.about = "Buys checker licences for your wallet, at the price that the sale asks for now, "
		 "never more. If\n"
		 "fewer are left, you get those, and what you paid too much is yours to fetch:\n"
		 "kaisar collect --from sale --token coin. What you earn as a referrer, too.",
	.rows = rows,
};

static const struct column columns[] = {
	{ "transaction", "transaction" },
	{ "block", "block" },
	{ "licence numbers", "licences" },
	{ "round", "round" },
	{ "price", "price" },
	{ 0 },
};

struct purchase {
	struct sale sale;
	struct sale_round round;
	const struct onchain_token *token; /* the sale's coin or token */
	int64_t quantity;
	struct address referrer; /* zeros: none */
	const struct merkle_hash *proof;
	size_t n_proof;
	struct u256 price, most;
	const char *price_text, *what;
	uint8_t key[32];
	struct abi_value *hashes, order[7];
};

/* ---- what is asked for ---- */

static int find_open(struct onchain *onchain, struct purchase *purchase)
{
	for (uint64_t i = 0; i < purchase->sale.n_rounds; i++) {
		int r = sale_round(onchain, &purchase->sale, i, &purchase->round);

		if (r != 0 || strcmp(sale_round_state(&purchase->round), "open") == 0)
			return r;
	}
	return cli_fail(CLI_FAILED, "no round is open; `kaisar licence rounds` shows them");
}

static int read_round(struct onchain *onchain, struct purchase *purchase)
{
	const char *state;
	int64_t number;
	int r;

	if (!options_has(&onchain->options, "round"))
		return find_open(onchain, purchase);
	if (options_int(&onchain->options, "round", 0, INT64_MAX, 0, &number) != 0)
		return CLI_USAGE;
	if ((uint64_t)number >= purchase->sale.n_rounds)
		return cli_fail(CLI_NOT_FOUND,
				"--round: there is no round %" PRId64
				"; `kaisar licence rounds` shows them",
				number);
	r = sale_round(onchain, &purchase->sale, (uint64_t)number, &purchase->round);
	state = r == 0 ? sale_round_state(&purchase->round) : "";
	if (r != 0 || strcmp(state, "open") == 0)
		return r;
	return cli_fail(CLI_FAILED,
			"--round: round %" PRId64 " is %s; `kaisar licence rounds` shows what is "
			"open",
			number, strcmp(state, "coming") == 0 ? "not open yet" : state);
}

static int read_token(struct onchain *onchain, struct purchase *purchase)
{
	const char *name = options_get(&onchain->options, "token", "coin");
	const struct u256 *price;

	if (strcmp(name, "coin") == 0)
		purchase->token = &purchase->sale.coin;
	else if (strcmp(name, "stablecoin") == 0)
		purchase->token = &purchase->sale.token;
	else
		return options_refuse(&table, "--token: '%s' is neither coin nor stablecoin", name);
	price = onchain_is_coin(purchase->token) ? &purchase->round.coin_price
						 : &purchase->round.token_price;
	return u256_is_zero(*price)
		       ? cli_fail(CLI_FAILED,
				  "--token: round %" PRIu64 " is not sold for %s; choose another",
				  purchase->round.number, name)
		       : 0;
}

static int read_referrer(struct onchain *onchain, struct purchase *purchase)
{
	const char *text = options_get(&onchain->options, "referrer", NULL);
	struct abi_value referrer;
	struct u256 has;
	int r;

	if (!text)
		return 0;
	if (address_parse(text, &purchase->referrer) < 0)
		return options_refuse(&table, "--referrer: '%s' is not an address", text);
	if (address_equal(&purchase->referrer, onchain_account(onchain)))
		return cli_fail(CLI_DENIED,
				"--referrer: is this wallet itself; nobody refers themselves");
	referrer = abi_address(&purchase->referrer);
	r = onchain_word(onchain, &purchase->sale.licence, "balanceOf(address)", &referrer, 1,
			 &has);
	if (r == 0 && u256_is_zero(has))
		return cli_fail(
			CLI_FAILED,
			"--referrer: %s owns no licence, and refers nobody before; leave it "
			"out",
			text);
	return r;
}

static int read_whitelist(struct onchain *onchain, struct purchase *purchase)
{
	const char *path = options_get(&onchain->options, "whitelist", NULL);

	return path ? sale_whitelist(onchain, &purchase->sale, &purchase->round, path,
				     &purchase->proof, &purchase->n_proof)
		    : 0;
}

/* Sale.Order, with the most that a licence may cost. */
static int make_order(struct onchain *onchain, struct purchase *purchase)
{
	purchase->hashes = arena_array(onchain->arena, purchase->n_proof + 1,
				       sizeof(*purchase->hashes));
	if (!purchase->hashes)
		return cli_fault(-ENOMEM, "the order");
	for (size_t i = 0; i < purchase->n_proof; i++)
		purchase->hashes[i] = abi_fixed_bytes(purchase->proof[i].bytes, 32);
	purchase->order[0] = abi_fixed_bytes(purchase->key, 32);
	purchase->order[1] = abi_u64(purchase->round.number);
	purchase->order[2] = abi_u64((uint64_t)purchase->quantity);
	purchase->order[3] = abi_address(&purchase->token->address);
	purchase->order[4] = abi_number(purchase->most);
	purchase->order[5] = abi_address(&purchase->referrer);
	purchase->order[6] = abi_items(purchase->hashes, purchase->n_proof);
	return 0;
}

/* What one costs this wallet now; it must not be more than was said, and no more is ever paid. */
static int read_price(struct onchain *onchain, struct purchase *purchase)
{
	const char *text = options_get(&onchain->options, "max-price", NULL);
	struct abi_value arguments[2];
	int r = make_order(onchain, purchase);

	if (r != 0)
		return r;
	arguments[0] = abi_items(purchase->order, 7);
	arguments[1] = abi_address(onchain_account(onchain));
	r = onchain_word(onchain, &purchase->sale.contract,
			 "priceOf((bytes32,uint256,uint32,address,uint256,address,bytes32[]),"
			 "address)",
			 arguments, 2, &purchase->price);
	if (r != 0)
		return r;
	purchase->price_text = onchain_amount(onchain, purchase->token, purchase->price);
	if (!purchase->price_text)
		return cli_fault(-ENOMEM, "the price");
	purchase->most = purchase->price;
	if (text && coins_parse(text, purchase->token->decimals, &purchase->most) < 0)
		return options_refuse(&table, "--max-price: '%s' is no amount like 0.26", text);
	if (u256_compare(&purchase->price, &purchase->most) > 0)
		return cli_fail(CLI_FAILED, "--max-price: a licence costs %s, more than %s",
				purchase->price_text, text);
	purchase->order[4] = abi_number(purchase->most);
	return 0;
}

static int read_purchase(struct onchain *onchain, struct purchase *purchase)
{
	int r;

	if (options_int(&onchain->options, "quantity", 1, QUANTITY_MAX, 1, &purchase->quantity) !=
	    0)
		return CLI_USAGE;
	if (random_fill(&random_system, purchase->key, sizeof(purchase->key)) < 0)
		return cli_fault(-EIO, "the order's key");
	r = sale_read(onchain, &purchase->sale);
	if (r == 0)
		r = read_round(onchain, purchase);
	if (r == 0)
		r = read_token(onchain, purchase);
	if (r == 0)
		r = read_referrer(onchain, purchase);
	if (r == 0)
		r = read_whitelist(onchain, purchase);
	if (r != 0)
		return r;
	purchase->what = arena_printf(
		onchain->arena, "purchase of %" PRId64 " licences in round %" PRIu64 " for %s",
		purchase->quantity, purchase->round.number, purchase->token->symbol);
	return purchase->what ? 0 : cli_fault(-ENOMEM, "buy");
}

/* ---- buying ---- */

/* The licences that the order made; none of an order that an interrupted run sent: its key is gone. */
static int read_bought(struct onchain *onchain, const struct purchase *purchase, json_t *ids)
{
	static const char shape[] = "(address,bytes32,uint32)";
	const struct abi_type *type;
	int r = abi_type_parse(shape, strlen(shape), onchain->arena, &type);

	for (int64_t i = 0; r == 0 && i < purchase->quantity; i++) {
		const struct abi_value words[] = { abi_address(onchain_account(onchain)),
						   abi_fixed_bytes(purchase->key, 32),
						   abi_u64((uint64_t)i) };
		const struct abi_value tuple = abi_items(words, 3);
		uint8_t mint_id[32];
		struct abi_value argument;
		const uint8_t *bytes;
		struct u256 id;
		size_t len;

		r = abi_encode(type, &tuple, onchain->arena, &bytes, &len);
		if (r < 0)
			break;
		keccak256(bytes, len, mint_id);
		argument = abi_fixed_bytes(mint_id, 32);
		r = onchain_word(onchain, &purchase->sale.licence, "licenceOf(bytes32)", &argument,
				 1, &id);
		if (r != 0)
			return r;
		if (!u256_is_zero(id) &&
		    json_array_append_new(ids, json_integer((json_int_t)u256_low(id))) < 0)
			r = -ENOMEM;
	}
	return r < 0 ? cli_fault(r, "buy") : 0;
}

static int show(struct onchain *onchain, const struct purchase *purchase,
		const struct transact_done *done, bool resumed)
{
	_cleanup_(json_decrefp) json_t *object = onchain_done(done);
	json_t *ids = json_array();
	int r = ids && !resumed ? read_bought(onchain, purchase, ids) : 0;

	if (r != 0) {
		json_decref(ids);
		return r;
	}
	if (!object || json_object_set_new(object, "licences", ids) < 0 ||
	    json_object_set_new(object, "round", json_integer((json_int_t)purchase->round.number)) <
		    0 ||
	    json_object_set_new(object, "price",
				resumed ? json_null() : json_string(purchase->price_text)) < 0)
		return cli_fault(-ENOMEM, "buy");
	if (resumed)
		fprintf(stderr, "kaisar: `kaisar licence list` shows what it bought\n");
	r = table_object(onchain->format, columns, object);
	return r < 0 ? cli_fault(r, "standard output") : 0;
}

static int buy_now(struct onchain *onchain, struct purchase *purchase)
{
	const struct address *sale = &purchase->sale.contract;
	struct transact_done done;
	struct abi_value order;
	struct call_data data;
	struct u256 cost;
	int r = read_price(onchain, purchase);

	if (r != 0)
		return r;
	cost = u256_mul(purchase->price, u256_from((unsigned __int128)purchase->quantity));
	r = onchain_has(onchain, purchase->token, cost, "--token");
	if (r == 0)
		r = onchain_allow(onchain, purchase->token, sale, cost);
	if (r != 0)
		return r;
	order = abi_items(purchase->order, 7);
	r = abi_encode_call("buy((bytes32,uint256,uint32,address,uint256,address,bytes32[]))",
			    &order, 1, onchain->arena, &data.bytes, &data.len);
	if (r < 0)
		return cli_fault(r, "buy");
	r = onchain_send(onchain, purchase->what, sale,
			 onchain_is_coin(purchase->token) ? cost : u256_from(0), &data, &done);
	return r == 0 ? show(onchain, purchase, &done, false) : r;
}

int licence_buy(int argc, char **argv)
{
	struct purchase purchase = { 0 };
	struct onchain onchain;
	int status;

	if (onchain_begin(&table, argc, argv, &onchain, &status) != 0)
		return status;
	status = read_purchase(&onchain, &purchase);
	/* What was asked for now is what was interrupted then: once is enough. */
	if (status == 0 && onchain.resumed && strcmp(onchain.resumed, purchase.what) == 0)
		status = show(&onchain, &purchase, &onchain.resumed_done, true);
	else if (status == 0)
		status = buy_now(&onchain, &purchase);
	onchain_end(&onchain);
	return status;
}
