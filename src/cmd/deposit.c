/* deposit.c - a tenant's money into the escrow, from where rentals are paid. */
#include "chain/coins.h"
#include "cmd/client.h"
#include "cmd/commands.h"
#include "cmd/onchain.h"

static const struct option_row rows[] = {
	{ "token", 0, "TOKEN", ONCHAIN_TOKEN_HELP },
	{ "for", 0, "ACCOUNT", "another tenant than the wallet's own" },
	{ "url", 0, "URL",
	  "the network, which is asked whether it credits this (KAISAR_URL, or where you signed "
	  "in)" },
	{ "yes", 'y', NULL, "of KAI: do it, at the price that there is when the deposit is final" },
	ONCHAIN_ROWS,
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar deposit [OPTIONS] AMOUNT",
	.about = "Deposits tokens of your wallet in the network's escrow contract, for rentals. "
		 "The network\n"
		 "credits them once their block is final; what is unused comes back. KAI becomes "
		 "points at the\n"
		 "price that the network has by then, and does not come back: without --yes it "
		 "only says so.\n"
		 "A network that you are signed in at, or name, must have this escrow.",
	.rows = rows,
	.words_min = 1,
	.words_max = 1,
};

static const struct column columns[] = {
	{ "transaction", "transaction" }, { "block", "block" },
	{ "amount", "amount" },           { "token", "token" },
	{ "account", "account" },         { 0 },
};

struct deposit {
	struct address escrow, account;
	struct onchain_token token;
	struct u256 amount;
	const char *amount_text; /* with the token's symbol */
	const char *what;
};

static int read_amount(const struct onchain *onchain, struct deposit *deposit)
{
	const char *text = onchain->options.words[0];

	if (coins_parse(text, deposit->token.decimals, &deposit->amount) < 0 ||
	    u256_is_zero(deposit->amount))
		return options_refuse(&table,
				      "AMOUNT: '%s' is no amount above 0 of at most %u decimals",
				      text, deposit->token.decimals);
	return 0;
}

static int read_account(const struct onchain *onchain, struct deposit *deposit)
{
	const char *text = options_get(&onchain->options, "for", NULL);

	deposit->account = *onchain_account(onchain);
	if (text && address_parse(text, &deposit->account) < 0)
		return options_refuse(&table,
				      "--for: '%s' is not an address, or not all of its capital "
				      "letters are right",
				      text);
	return onchain_receiver(onchain, "--for", &deposit->account);
}

static bool is_kai(const struct onchain *onchain, const struct deposit *deposit)
{
	const struct contract_place *kai = &onchain->contracts.at[CONTRACT_TOKEN];

	return kai->there && address_equal(&deposit->token.address, &kai->address);
}

/* KAI that the network does not credit would only lie there, and the price is the network's, until it credits. */
static int check_price(const struct onchain *onchain, const struct deposit *deposit,
		       const struct client *client, const json_t *network)
{
	const char *price = json_string_value(json_object_get(network, "kai_price"));

	if (!price)
		return cli_fail(
			CLI_FAILED,
			"--token: the network at %s publishes no price for KAI, so it would "
			"credit none; deposit the stablecoin",
			client_url(client));
	if (!options_has(&onchain->options, "yes"))
		return cli_fail(CLI_USAGE,
				"%s would become points of the network at %s, at the price that it "
				"has when the deposit is final (now %s for a KAI), and would not "
				"come back; say --yes to do it",
				deposit->amount_text, client_url(client), price);
	fprintf(stderr,
		"kaisar: the network at %s credits %s for a KAI now; what it credits when the "
		"deposit is final counts\n",
		client_url(client), price);
	return 0;
}

/* Another network's escrow would take it, and this one would never credit it. */
static int check_escrow(const struct deposit *deposit, const struct client *client,
			const json_t *network)
{
	const json_t *named = json_object_get(network, "escrow");
	const char *text = json_string_value(named);
	char own[ADDRESS_TEXT_SIZE];
	struct address escrow;

	address_text(&deposit->escrow, own);
	if (!text)
		return cli_fail(CLI_FAILED,
				"the network at %s names no escrow contract, so it credits no "
				"deposit; name another with --url",
				client_url(client));
	if (address_parse(text, &escrow) == 0 && address_equal(&escrow, &deposit->escrow))
		return 0;
	return cli_fail(CLI_FAILED,
			"the network at %s has the escrow %s, the addresses file %s: it would not "
			"credit this; name the network with --url, or its --addresses file",
			client_url(client), text, own);
}

/* Whether the network that is meant, if one is, would credit it. KAI has no price but a network's. */
static int check_network(const struct onchain *onchain, const struct deposit *deposit)
{
	const struct client_call call = { .method = "GET",
					  .path = "/v1/network",
					  .anonymous = true };
	const char *url = options_get(&onchain->options, "url", getenv("KAISAR_URL"));
	_cleanup_(client_closep) struct client *client = NULL;
	_cleanup_(json_decrefp) json_t *network = NULL;
	int r = client_open(options_get(&onchain->options, "url", NULL), &client);

	if (r != 0)
		return r;
	if (!is_kai(onchain, deposit) && !url && !client_account(client))
		return 0;
	r = client_call(client, &call, &network);
	if (r == 0)
		r = check_escrow(deposit, client, network);
	return r == 0 && is_kai(onchain, deposit) ? check_price(onchain, deposit, client, network)
						  : r;
}

/* What the contract would refuse, in words. */
static int check_terms(struct onchain *onchain, const struct deposit *deposit)
{
	const struct abi_value arguments[] = { abi_address(&deposit->token.address),
					       abi_address(&deposit->account) };
	struct abi_value terms;
	struct u256 exit_at;
	int r = onchain_read(onchain, &deposit->escrow, "terms(address)", arguments, 1,
			     "(bool,uint256)", &terms);

	if (r == 0 && !abi_as_bool(&terms.items[0]))
		return cli_fail(CLI_FAILED,
				"--token: the escrow does not take %s; see `kaisar deposit --help`",
				deposit->token.symbol);
	if (r == 0)
		r = onchain_word(onchain, &deposit->escrow, "exitAt(address,address)", arguments, 2,
				 &exit_at);
	if (r == 0 && !u256_is_zero(exit_at))
		return cli_fail(CLI_FAILED, "the account has asked the escrow to leave, and cannot "
					    "deposit; `kaisar escrow stay` takes that back");
	return r;
}

static int read_deposit(struct onchain *onchain, struct deposit *deposit)
{
	char account[ADDRESS_TEXT_SIZE];
	int r = onchain_contract(onchain, CONTRACT_ESCROW, &deposit->escrow);

	if (r == 0)
		r = onchain_token_named(onchain,
					options_get(&onchain->options, "token", "stablecoin"),
					&deposit->token);
	if (r == 0)
		r = read_amount(onchain, deposit);
	if (r == 0)
		r = read_account(onchain, deposit);
	if (r != 0)
		return r;
	address_text(&deposit->account, account);
	deposit->amount_text = onchain_amount(onchain, &deposit->token, deposit->amount);
	if (deposit->amount_text)
		deposit->what = arena_printf(onchain->arena, "deposit of %s for %s",
					     deposit->amount_text, account);
	return deposit->what ? 0 : cli_fault(-ENOMEM, "deposit");
}

static int show(const struct onchain *onchain, const struct deposit *deposit,
		const struct transact_done *done)
{
	_cleanup_(json_decrefp) json_t *object = onchain_done(done);
	char token[ADDRESS_TEXT_SIZE], account[ADDRESS_TEXT_SIZE], amount[COINS_TEXT_SIZE];
	int r;

	address_text(&deposit->token.address, token);
	address_text(&deposit->account, account);
	coins_text(deposit->amount, deposit->token.decimals, amount);
	if (!object || json_object_set_new(object, "amount", json_string(amount)) < 0 ||
	    json_object_set_new(object, "token", json_string(token)) < 0 ||
	    json_object_set_new(object, "symbol", json_string(deposit->token.symbol)) < 0 ||
	    json_object_set_new(object, "account", json_string(account)) < 0)
		return cli_fault(-ENOMEM, "deposit");
	r = table_object(onchain->format, columns, object);
	return r < 0 ? cli_fault(r, "standard output") : 0;
}

static int deposit_now(struct onchain *onchain, struct deposit *deposit)
{
	const struct abi_value arguments[] = { abi_address(&deposit->token.address),
					       abi_address(&deposit->account),
					       abi_number(deposit->amount) };
	struct transact_done done;
	struct call_data data;
	int r = check_network(onchain, deposit);

	if (r == 0)
		r = check_terms(onchain, deposit);
	if (r == 0)
		r = onchain_has(onchain, &deposit->token, deposit->amount, "AMOUNT");
	if (r == 0)
		r = onchain_allow(onchain, &deposit->token, &deposit->escrow, deposit->amount);
	if (r != 0)
		return r;
	r = abi_encode_call("deposit(address,address,uint256)", arguments, 3, onchain->arena,
			    &data.bytes, &data.len);
	if (r < 0)
		return cli_fault(r, "deposit");
	r = onchain_send(onchain, deposit->what, &deposit->escrow, u256_from(0), &data, &done);
	return r == 0 ? show(onchain, deposit, &done) : r;
}

int cmd_deposit(int argc, char **argv)
{
	struct deposit deposit = { 0 };
	struct onchain onchain;
	int status;

	if (onchain_begin(&table, argc, argv, &onchain, &status) != 0)
		return status;
	status = read_deposit(&onchain, &deposit);
	/* What was asked for now is what was interrupted then: once is enough. */
	if (status == 0 && onchain.resumed && strcmp(onchain.resumed, deposit.what) == 0)
		status = show(&onchain, &deposit, &onchain.resumed_done);
	else if (status == 0)
		status = deposit_now(&onchain, &deposit);
	onchain_end(&onchain);
	return status;
}
