/* escrow.c - a tenant's tokens in the escrow contract without the network: what lies there, and how to leave with it,
 * which nobody can refuse. What the contract would refuse is said in words before anything is sent. */
#include "chain/coins.h"
#include "cmd/commands.h"
#include "cmd/onchain.h"

/* ---- what it holds ---- */

static const struct option_row look_rows[] = { ONCHAIN_LOOK_ROWS, { 0 } };
static const struct option_table show_table = {
	.usage = "kaisar escrow show [OPTIONS]",
	.about = "What the escrow contract itself holds for a wallet: what is not settled yet "
		 "(BALANCE), when it\n"
		 "may leave with that, if it asked to, and what it can collect. The network is not "
		 "asked.",
	.rows = look_rows,
};

static const struct column show_columns[] = {
	{ "TOKEN", "symbol" },
	{ "BALANCE", "balance" },
	{ "LEAVES AT", "leaves_at" },
	{ "COLLECTABLE", "owed" },
	{ 0 },
};

struct holding {
	struct address escrow;
	struct onchain_token token;
	struct u256 balance, exit_at, owed;
};

static int holding_read(struct onchain *onchain, struct holding *holding)
{
	const struct abi_value pair[] = { abi_address(&holding->token.address),
					  abi_address(onchain_account(onchain)) };
	int r = onchain_word(onchain, &holding->escrow, "balance(address,address)", pair, 2,
			     &holding->balance);

	if (r == 0)
		r = onchain_word(onchain, &holding->escrow, "exitAt(address,address)", pair, 2,
				 &holding->exit_at);
	if (r == 0)
		r = onchain_word(onchain, &holding->escrow, "owed(address,address)", pair, 2,
				 &holding->owed);
	return r;
}

static json_t *amount_json(const struct holding *holding, struct u256 amount)
{
	char text[COINS_TEXT_SIZE];

	coins_text(amount, holding->token.decimals, text);
	return json_string(text);
}

/* False: it has not asked to leave. */
static bool exit_text(const struct holding *holding, char ret_text[static CLOCK_TEXT_SIZE])
{
	onchain_time(u256_bits(holding->exit_at) > 63 ? UINT64_MAX
						      : (uint64_t)u256_low(holding->exit_at),
		     ret_text);
	return !u256_is_zero(holding->exit_at);
}

static json_t *holding_json(const struct holding *holding)
{
	char token[ADDRESS_TEXT_SIZE], at[CLOCK_TEXT_SIZE];
	bool leaving = exit_text(holding, at);

	address_text(&holding->token.address, token);
	return json_pack("{s:s, s:s, s:o, s:s?, s:o}", "token", token, "symbol",
			 holding->token.symbol, "balance", amount_json(holding, holding->balance),
			 "leaves_at", leaving ? at : NULL, "owed",
			 amount_json(holding, holding->owed));
}

static int show_add(struct onchain *onchain, const struct address *escrow, const char *token,
		    json_t *items)
{
	struct holding holding = { .escrow = *escrow };
	int r = onchain_token_named(onchain, token, &holding.token);

	if (r == 0)
		r = holding_read(onchain, &holding);
	if (r != 0)
		return r;
	return json_array_append_new(items, holding_json(&holding)) < 0
		       ? cli_fault(-ENOMEM, "the escrow")
		       : 0;
}

static int show_all(struct onchain *onchain)
{
	_cleanup_(json_decrefp) json_t *items = json_array();
	struct address escrow;
	int r = onchain_contract(onchain, CONTRACT_ESCROW, &escrow);

	/* On a chain without a stablecoin of its own, the one that is meant must be named. */
	if (r == 0 && onchain->contracts.at[CONTRACT_DOLLAR].there)
		r = show_add(onchain, &escrow, "stablecoin", items);
	if (r == 0)
		r = show_add(onchain, &escrow, "kai", items);
	if (r != 0)
		return r;
	r = table_list(onchain->format, show_columns, items);
	return r < 0 ? cli_fault(r, "standard output") : 0;
}

static int escrow_show(int argc, char **argv)
{
	struct onchain onchain;
	int status;

	if (onchain_look(&show_table, argc, argv, &onchain, &status) != 0)
		return status;
	status = show_all(&onchain);
	onchain_end(&onchain);
	return status;
}

/* ---- leaving ---- */

enum act { ACT_LEAVE, ACT_STAY, ACT_EXIT };

static const struct option_row act_rows[] = {
	{ "token", 0, "TOKEN", ONCHAIN_TOKEN_HELP },
	ONCHAIN_ROWS,
	{ 0 },
};
static const struct option_table act_tables[] = {
	[ACT_LEAVE] = {
		.usage = "kaisar escrow leave [OPTIONS]",
		.about = "Asks the contract to leave with all that will be unsettled when its delay is "
			 "over; nobody has to\n"
			 "agree. When that is final the network stops what you rent, and lets you rent "
			 "and withdraw nothing\n"
			 "until you `stay`.",
		.rows = act_rows,
	},
	[ACT_STAY] = {
		.usage = "kaisar escrow stay [OPTIONS]",
		.about = "Takes back that you leave: the network counts what is still there once this "
			 "is final.",
		.rows = act_rows,
	},
	[ACT_EXIT] = {
		.usage = "kaisar escrow exit [OPTIONS]",
		.about = "Leaves, once the delay is over: what is unsettled is owed to your wallet, and "
			 "`kaisar collect`\n"
			 "fetches it.",
		.rows = act_rows,
	},
};

static const struct {
	const char *signature, *doing;
} calls[] = {
	[ACT_LEAVE] = { "requestExit(address)", "asking to leave the escrow with" },
	[ACT_STAY] = { "cancelExit(address)", "staying in the escrow with" },
	[ACT_EXIT] = { "exit(address)", "leaving the escrow with" },
};

static const struct column act_columns[] = {
	{ "token", "symbol" },
	{ "balance", "balance" },
	{ "leaves at", "leaves_at" },
	{ "collectable", "owed" },
	{ "transaction", "transaction" },
	{ "block", "block" },
	{ 0 },
};

/* By the chain's clock, which is not ours: whether the contract would let it leave now. */
static int check_time(struct onchain *onchain, const struct holding *holding,
		      const struct call_data *data)
{
	const struct transact_call call = { .to = holding->escrow,
					    .data = data->bytes,
					    .len = data->len };
	char problem[TRANSACT_PROBLEM_SIZE], at[CLOCK_TEXT_SIZE];
	const uint8_t *bytes;
	size_t len;
	int r = transact_read(&onchain->transact, &call, onchain->arena, &bytes, &len, problem);

	if (r < 0)
		return cli_fault(r, "the escrow");
	if (r == 0)
		return 0;
	exit_text(holding, at);
	return r == TRANSACT_E_REFUSED
		       ? cli_fail(CLI_FAILED, "too early: this wallet may leave with its %s at %s",
				  holding->token.symbol, at)
		       : cli_fail(CLI_FAILED, "%s", problem);
}

/* What the contract would refuse. */
static int check(struct onchain *onchain, enum act act, const struct holding *holding,
		 const struct call_data *data)
{
	const char *symbol = holding->token.symbol;
	char at[CLOCK_TEXT_SIZE];
	bool leaving = exit_text(holding, at);

	if (act == ACT_LEAVE && leaving)
		return cli_fail(CLI_FAILED,
				"this wallet asked to leave with its %s already and may at %s: "
				"`kaisar escrow exit` then, or `kaisar escrow stay`",
				symbol, at);
	if (act == ACT_LEAVE && u256_is_zero(holding->balance))
		return cli_fail(CLI_NOT_FOUND,
				"the escrow holds no unsettled %s of this wallet; `kaisar collect` "
				"fetches what it owes it",
				symbol);
	if (act != ACT_LEAVE && !leaving)
		return cli_fail(CLI_NOT_FOUND,
				"this wallet has not asked to leave with its %s; `kaisar escrow "
				"leave` does",
				symbol);
	return act == ACT_EXIT ? check_time(onchain, holding, data) : 0;
}

static int act_show(struct onchain *onchain, struct holding *holding,
		    const struct transact_done *done)
{
	_cleanup_(json_decrefp) json_t *object = NULL, *sent = onchain_done(done);
	int r = holding_read(onchain, holding);

	if (r != 0)
		return r;
	object = holding_json(holding);
	if (!object || !sent || json_object_update(object, sent) < 0)
		return cli_fault(-ENOMEM, "the escrow");
	r = table_object(onchain->format, act_columns, object);
	return r < 0 ? cli_fault(r, "standard output") : 0;
}

static int act_now(struct onchain *onchain, enum act act, struct holding *holding, const char *what)
{
	const struct abi_value token = abi_address(&holding->token.address);
	struct transact_done done;
	struct call_data data;
	int r = abi_encode_call(calls[act].signature, &token, 1, onchain->arena, &data.bytes,
				&data.len);

	if (r < 0)
		return cli_fault(r, "the escrow");
	r = check(onchain, act, holding, &data);
	if (r != 0)
		return r;
	r = onchain_send(onchain, what, &holding->escrow, u256_from(0), &data, &done);
	return r == 0 ? act_show(onchain, holding, &done) : r;
}

static int act_run(struct onchain *onchain, enum act act)
{
	struct holding holding;
	const char *what;
	int r = onchain_contract(onchain, CONTRACT_ESCROW, &holding.escrow);

	if (r == 0)
		r = onchain_token_named(onchain,
					options_get(&onchain->options, "token", "stablecoin"),
					&holding.token);
	if (r == 0)
		r = holding_read(onchain, &holding);
	if (r != 0)
		return r;
	what = arena_printf(onchain->arena, "%s %s", calls[act].doing, holding.token.symbol);
	if (!what)
		return cli_fault(-ENOMEM, "the escrow");
	/* What was asked for now is what was interrupted then: once is enough. */
	if (onchain->resumed && strcmp(onchain->resumed, what) == 0)
		return act_show(onchain, &holding, &onchain->resumed_done);
	return act_now(onchain, act, &holding, what);
}

static int act(enum act act, int argc, char **argv)
{
	struct onchain onchain;
	int status;

	if (onchain_begin(&act_tables[act], argc, argv, &onchain, &status) != 0)
		return status;
	status = act_run(&onchain, act);
	onchain_end(&onchain);
	return status;
}

static int escrow_leave(int argc, char **argv)
{
	return act(ACT_LEAVE, argc, argv);
}

static int escrow_stay(int argc, char **argv)
{
	return act(ACT_STAY, argc, argv);
}

static int escrow_exit(int argc, char **argv)
{
	return act(ACT_EXIT, argc, argv);
}

int cmd_escrow(int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{ "show", "what the contract holds for a wallet", escrow_show },
		{ "leave", "ask to leave with what is unsettled", escrow_leave },
		{ "stay", "take that back", escrow_stay },
		{ "exit", "leave, once the delay is over", escrow_exit },
		{ 0 },
	};

	return cli_verbs("escrow", verbs, argc, argv);
}
