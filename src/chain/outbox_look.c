/* What the chain is like in a turn (outbox_turn.h). */
#include "chain/outbox_turn.h"

enum { TIP_WEI = 1000000000 /* where a node has no opinion */ };

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

static int number_of(const json_t *block, uint64_t *ret_number)
{
	return rpc_quantity(json_object_get(block, "number"), ret_number);
}

int turn_ask_all(struct turn *turn, const char *method, json_t *params,
		 int (*read)(const json_t *answer, uint64_t *ret_number),
		 struct answers *ret_answers)
{
	struct rpc *rpc = turn->config->rpc;
	uint64_t numbers[RPC_ENDPOINTS_MAX];
	struct answers answers = { 0 };
	json_t *answer;
	int r = params ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < rpc_endpoints(rpc); i++) {
		r = rpc_ask_of(rpc, i, method, params, &answer, &answers.error);
		if (r == RPC_E_REFUSED) {
			answers.refusals++;
			answers.reverts += rpc_error_kind(&answers.error) == RPC_ERROR_REVERTED;
		}
		if (r != 0)
			continue;
		answers.n += read(answer, &numbers[answers.n]) == 0 &&
			     numbers[answers.n] <= INT64_MAX;
		json_decref(answer);
	}
	json_decref(params);
	if (r < 0)
		return r;
	qsort(numbers, answers.n, sizeof(numbers[0]), compare);
	answers.agreed = answers.n >= rpc_agreement(rpc);
	answers.reverted = answers.reverts >= rpc_agreement(rpc);
	if (answers.agreed)
		answers.number = (int64_t)numbers[rpc_agreement(rpc) - 1];
	*ret_answers = answers;
	return 0;
}

static int look_at_final(struct turn *turn)
{
	struct rpc *rpc = turn->config->rpc;
	struct answers answers;
	int r = turn_ask_all(turn, "eth_getBlockByNumber", json_pack("[s, b]", "finalized", 0),
			     number_of, &answers);

	if (r < 0)
		return r;
	turn->health->final = (uint64_t)answers.number;
	if (!answers.agreed)
		turn_problem(turn,
			     "%zu of %zu endpoints say which block is final, and %zu must; add "
			     "endpoints that answer \"finalized\"",
			     answers.n, rpc_endpoints(rpc), rpc_agreement(rpc));
	return 0;
}

static int look_at_head(struct turn *turn, uint64_t *ret_base_fee)
{
	json_t *params = json_pack("[s, b]", "latest", 0), *block = NULL;
	struct rpc_error error;
	int r = params ? rpc_ask(turn->config->rpc, "eth_getBlockByNumber", params, &block, &error)
		       : -ENOMEM;

	json_decref(params);
	if (r == 0 && (number_of(block, &turn->health->head) < 0 ||
		       rpc_quantity(json_object_get(block, "baseFeePerGas"), ret_base_fee) < 0))
		r = RPC_E_UNAVAILABLE;
	json_decref(block);
	return r;
}

static int look_at_tip(struct turn *turn, uint64_t *ret_tip)
{
	json_t *params = json_array(), *tip = NULL;
	struct rpc_error error;
	int r = params ? rpc_ask(turn->config->rpc, "eth_maxPriorityFeePerGas", params, &tip,
				 &error)
		       : -ENOMEM;

	if (r == RPC_E_REFUSED || (r == 0 && rpc_quantity(tip, ret_tip) < 0)) {
		*ret_tip = TIP_WEI;
		r = 0;
	}
	json_decref(params);
	json_decref(tip);
	return r;
}

/* A nonce from a liar would hold up everything behind it. */
static int look_at_count(struct turn *turn)
{
	json_t *sender = rpc_of_bytes(turn->config->sender.bytes, 20);
	struct answers answers;
	int r = sender ? turn_ask_all(turn, "eth_getTransactionCount",
				      json_pack("[o, s]", sender, "latest"), rpc_quantity, &answers)
		       : -ENOMEM;

	if (r < 0)
		return r;
	turn->count = answers.number;
	return answers.agreed ? 0 : RPC_E_UNAVAILABLE;
}

static int64_t fit(uint64_t fee)
{
	return fee > INT64_MAX / 4 ? INT64_MAX / 4 : (int64_t)fee;
}

/* Twice the base fee lasts for six full blocks. */
int turn_look(struct turn *turn)
{
	uint64_t base_fee, tip = 0;
	int r = look_at_head(turn, &base_fee);

	if (r == 0)
		r = look_at_tip(turn, &tip);
	if (r == 0)
		r = look_at_count(turn);
	if (r < 0)
		return r;
	if (r != 0) {
		turn_problem(turn,
			     "too few endpoints of the chain answer; see the endpoints' problems");
		return 0;
	}
	turn->priority_fee = fit(tip);
	turn->max_fee = 2 * fit(base_fee) + fit(tip);
	turn->looked = true;
	return look_at_final(turn);
}
