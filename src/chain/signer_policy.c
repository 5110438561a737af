#include "chain/signer_policy.h"

#include "base/keccak.h"
#include "chain/abi.h"
#include "chain/contracts.h"

struct checking {
	const struct transaction *transaction;
	struct arena *arena;
	struct signer_call *call;
	const char *detail;
};

_printf_(2, 3) static int refuse(struct checking *checking, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	checking->detail = arena_vprintf(checking->arena, format, args);
	va_end(args);
	return checking->detail ? SIGNER_E_REFUSED : -ENOMEM;
}

/* ---- the one function of each kind ---- */

/* A kind of the contract's own: past the last it is no value of its enum. */
static int check_member(struct checking *checking, const struct abi_value *value, uint64_t n)
{
	struct u256 number = abi_as_number(value), limit = u256_from(n);

	if (u256_compare(&number, &limit) < 0)
		return 0;
	return refuse(checking, "data: names a kind that the contract does not have; name one of "
				"its own");
}

static int read_anchor(struct checking *checking, const struct abi_value *arguments)
{
	return check_member(checking, &arguments->items[1], ANCHOR_KINDS_N);
}

static int read_rewards(struct checking *checking, const struct abi_value *arguments)
{
	return check_member(checking, &arguments->items[0], REWARD_KINDS_N);
}

static int read_propose(struct checking *checking, const struct abi_value *arguments)
{
	struct signer_claim *claim = arena_alloc(checking->arena, sizeof(*claim));
	int r = claim ? read_rewards(checking, arguments) : -ENOMEM;

	if (r != 0)
		return r;
	*claim = (struct signer_claim){ .total = abi_as_number(&arguments->items[3]) };
	claim->tenant.bytes[19] = (uint8_t)u256_low(abi_as_number(&arguments->items[0]));
	checking->call->token = &checking->call->rule->tokens[0];
	checking->call->claims = claim;
	checking->call->n_claims = 1;
	return 0;
}

static int find_token(struct checking *checking, const struct abi_value *value)
{
	const struct signer_rule *rule = checking->call->rule;
	struct address token = abi_as_address(value);
	char text[ADDRESS_TEXT_SIZE];

	for (size_t i = 0; i < rule->n_tokens; i++)
		if (address_equal(&rule->tokens[i].token, &token)) {
			checking->call->token = &rule->tokens[i];
			return 0;
		}
	address_text(&token, text);
	return refuse(checking, "kinds.%s.tokens: %s is not named; add it to the policy",
		      signer_kind_name(checking->call->kind), text);
}

static bool is_twice(const struct signer_claim *claims, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (address_equal(&claims[k].tenant, &claims[i].tenant) &&
		    address_equal(&claims[k].provider, &claims[i].provider))
			return true;
	return false;
}

static int read_settle(struct checking *checking, const struct abi_value *arguments)
{
	const struct abi_value *items = &arguments->items[1];
	struct signer_claim *claims;
	int r = find_token(checking, &arguments->items[0]);

	if (r != 0)
		return r;
	if (items->n_items == 0 || items->n_items > CONTRACTS_SETTLEMENTS_MAX)
		return refuse(checking, "data: settles %zu pairs; settle 1 to %d at a time",
			      items->n_items, CONTRACTS_SETTLEMENTS_MAX);
	claims = arena_array(checking->arena, items->n_items, sizeof(*claims));
	if (!claims)
		return -ENOMEM;
	for (size_t i = 0; i < items->n_items; i++) {
		const struct abi_value *item = items->items[i].items;

		claims[i] = (struct signer_claim){ abi_as_address(&item[0]),
						   abi_as_address(&item[1]),
						   abi_as_number(&item[2]) };
		if (is_twice(claims, i))
			return refuse(checking, "data: settles the same tenant and provider "
						"twice; name each pair once");
	}
	checking->call->claims = claims;
	checking->call->n_claims = items->n_items;
	return 0;
}

static int read_return(struct checking *checking, const struct abi_value *arguments)
{
	struct signer_claim *claim = arena_alloc(checking->arena, sizeof(*claim));

	if (!claim)
		return -ENOMEM;
	claim->tenant = abi_as_address(&arguments->items[1]);
	claim->total = abi_as_number(&arguments->items[2]);
	checking->call->claims = claim;
	checking->call->n_claims = 1;
	return find_token(checking, &arguments->items[0]);
}

static const struct {
	const char *name, *signature;
	int (*read)(struct checking *checking, const struct abi_value *arguments);
} kinds[SIGNER_KINDS_N] = {
	[SIGNER_ANCHOR] = { "anchor", "anchor(uint64,uint8,bytes32,uint32,bytes32)", read_anchor },
	[SIGNER_SETTLE] = { "settle", "settle(address,(address,address,uint256,uint256)[])",
			    read_settle },
	[SIGNER_RETURN] = { "return", "giveBack(address,address,uint256)", read_return },
	[SIGNER_PROPOSE] = { "propose", "propose(uint8,uint64,bytes32,uint256)", read_propose },
	[SIGNER_ACTIVATE] = { "activate", "activate(uint8)", read_rewards },
};

const char *signer_kind_name(enum signer_kind kind)
{
	return kind < SIGNER_KINDS_N ? kinds[kind].name : NULL;
}

static int check_data(struct checking *checking)
{
	const struct transaction *transaction = checking->transaction;
	enum signer_kind kind = checking->call->kind;
	struct abi_value arguments;
	int r = abi_decode_call(kinds[kind].signature, transaction->data, transaction->data_len,
				checking->arena, &arguments);

	if (r < 0)
		return r;
	if (r > 0)
		return refuse(checking,
			      "data: is not what the encoder of %s writes; ask for that call only",
			      kinds[kind].signature);
	return kinds[kind].read(checking, &arguments);
}

/* ---- around the data ---- */

static int find_rule(struct checking *checking, const struct signer_policy *policy,
		     const char *name)
{
	enum signer_kind kind = SIGNER_ANCHOR;

	while (kind < SIGNER_KINDS_N && strcmp(kinds[kind].name, name) != 0)
		kind++;
	if (kind == SIGNER_KINDS_N)
		return refuse(checking,
			      "kinds: \"%.32s\" is none that a signer knows; ask for "
			      "one of the policy's",
			      name);
	if (policy->rules[kind].calls_per_day == 0)
		return refuse(checking, "kinds.%s: the policy does not allow it; add it there",
			      name);
	checking->call->kind = kind;
	checking->call->rule = &policy->rules[kind];
	return 0;
}

/* That it is a plain call, for the right chain and contract. */
static int check_target(struct checking *checking, const struct signer_policy *policy)
{
	const struct transaction *transaction = checking->transaction;
	char contract[ADDRESS_TEXT_SIZE];

	if (transaction->kind != TRANSACTION_EIP1559 || transaction->n_access > 0 ||
	    transaction->creates)
		return refuse(checking, "transaction: legacy, with an access list, or makes a "
					"contract; ask for a plain EIP-1559 call");
	if (transaction->chain_id != policy->chain_id)
		return refuse(checking,
			      "chain_id: it is for chain %" PRIu64 ", the policy for %" PRIu64
			      "; use the policy's chain",
			      transaction->chain_id, policy->chain_id);
	if (!u256_is_zero(transaction->value))
		return refuse(checking, "value: it sends coins; ask for a call of value 0");
	address_text(&checking->call->rule->contract, contract);
	if (!address_equal(&transaction->to, &checking->call->rule->contract))
		return refuse(checking,
			      "kinds.%s.contract: it calls another than %s; name the "
			      "right contract",
			      kinds[checking->call->kind].name, contract);
	if (transaction->nonce > INT64_MAX)
		return refuse(checking, "nonce: above 2^63; ask with the key's next one");
	return 0;
}

static int check_cost(struct checking *checking)
{
	const struct signer_rule *rule = checking->call->rule;
	const struct transaction *transaction = checking->transaction;
	const struct u256 max_fee = u256_from((unsigned __int128)rule->max_fee_wei);
	const char *name = kinds[checking->call->kind].name;
	char fee[U256_TEXT_SIZE];

	if (transaction->gas_limit > (uint64_t)rule->max_gas)
		return refuse(checking,
			      "kinds.%s.max_gas: it wants %" PRIu64 " gas, the limit is %" PRId64
			      "; do less in one call, or raise the limit",
			      name, transaction->gas_limit, rule->max_gas);
	u256_text(transaction->max_fee, fee);
	if (u256_compare(&transaction->max_fee, &max_fee) > 0 ||
	    u256_compare(&transaction->max_priority_fee, &max_fee) > 0)
		return refuse(checking,
			      "kinds.%s.max_fee_wei: it may cost %s wei for each gas, the limit "
			      "is %" PRId64 "; wait for lower fees, or raise the limit",
			      name, fee, rule->max_fee_wei);
	return 0;
}

static int hash_call(struct checking *checking)
{
	const struct transaction *transaction = checking->transaction;
	size_t address = sizeof(transaction->to.bytes);
	uint8_t *bytes = arena_alloc(checking->arena, address + transaction->data_len);

	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, transaction->to.bytes, address);
	memcpy(bytes + address, transaction->data, transaction->data_len);
	keccak256(bytes, address + transaction->data_len, checking->call->hash);
	return 0;
}

int signer_policy_check(const struct signer_policy *policy, const char *kind,
			const struct transaction *transaction, struct arena *arena,
			struct signer_call *ret_call, const char **ret_detail)
{
	struct signer_call call = { .nonce = transaction->nonce };
	struct checking checking = { transaction, arena, &call, NULL };
	int r = find_rule(&checking, policy, kind);

	if (r == 0)
		r = check_target(&checking, policy);
	if (r == 0)
		r = check_cost(&checking);
	if (r == 0)
		r = check_data(&checking);
	if (r == 0)
		r = hash_call(&checking);
	if (r == 0)
		*ret_call = call;
	else if (r > 0)
		*ret_detail = checking.detail;
	return r;
}

/* ---- counting ---- */

/* @more is for no day: waiting would not help. */
static int refuse_for_ever(struct checking *checking, const struct signer_call *call,
			   const struct u256 *more)
{
	char text[U256_TEXT_SIZE], wanted[U256_TEXT_SIZE];

	u256_text(call->token->units_per_day, text);
	u256_text(*more, wanted);
	if (call->kind == SIGNER_PROPOSE)
		return refuse(
			checking,
			"kinds.propose.units_per_day: it alone would let %s units more be "
			"claimed than was ever signed, and %s units are a day's limit, so that "
			"no day will do: raise the limit, or bring back the counters "
			"(counters.db) if they were lost",
			wanted, text);
	return refuse(checking,
		      "kinds.%s.tokens: one pair alone would move %s units more than was ever "
		      "signed, and %s units are a day's limit, so that no day will do: raise "
		      "units_per_day, or bring back the counters (counters.db) if they were lost",
		      kinds[call->kind].name, wanted, text);
}

static int refuse_today(struct checking *checking, const struct signer_call *call)
{
	char token[ADDRESS_TEXT_SIZE], text[U256_TEXT_SIZE];

	address_text(&call->token->token, token);
	u256_text(call->token->units_per_day, text);
	if (call->kind == SIGNER_PROPOSE)
		return refuse(
			checking,
			"kinds.propose.units_per_day: it would let more than %s units a day be "
			"claimed; wait for the next day (UTC), or raise the limit",
			text);
	return refuse(checking,
		      "kinds.%s.tokens: it would move more than the %s units of %s a day; wait for "
		      "the next day (UTC), or raise units_per_day",
		      kinds[call->kind].name, text, token);
}

/* Adds what @call moves. @moved never passes the limit, hence neither do the sums overflow. */
static int count_money(struct checking *checking, const struct signer_call *call,
		       const struct u256 *before, struct u256 *moved)
{
	const struct u256 *limit = &call->token->units_per_day;

	for (size_t i = 0; i < call->n_claims; i++) {
		struct u256 more, left = u256_from(0);

		if (u256_compare(&call->claims[i].total, &before[i]) <= 0)
			continue;
		more = u256_subtract(call->claims[i].total, before[i]);
		if (u256_compare(&more, limit) > 0)
			return refuse_for_ever(checking, call, &more);
		if (u256_compare(moved, limit) < 0)
			left = u256_subtract(*limit, *moved);
		if (u256_compare(&more, &left) > 0)
			return refuse_today(checking, call);
		*moved = u256_add(*moved, more);
	}
	return 0;
}

int signer_policy_count(const struct signer_call *call, int64_t day, const struct u256 *before,
			struct signer_counters *counters, struct arena *arena,
			const char **ret_detail)
{
	struct signer_counters next = *counters;
	struct checking checking = { .arena = arena };
	int r = 0;

	if (day > next.calls_day) {
		next.calls_day = day;
		next.calls = 0;
	}
	if (day > next.moved_day) {
		next.moved_day = day;
		next.moved = u256_from(0);
	}
	if (next.calls >= call->rule->calls_per_day)
		r = refuse(&checking,
			   "kinds.%s.calls_per_day: %" PRId64 " were signed; wait for the next "
			   "day (UTC), or raise the limit",
			   kinds[call->kind].name, next.calls);
	next.calls++;
	if (r == 0 && call->token)
		r = count_money(&checking, call, before, &next.moved);
	if (r == 0)
		*counters = next;
	else if (r > 0)
		*ret_detail = checking.detail;
	return r;
}
