#include "cmd/onchain_logs.h"

struct asking {
	struct onchain *onchain;
	const struct onchain_topics *topics;
	struct address contract;
	uint64_t first, last; /* blocks, both included */
};

int onchain_logs_nonsense(void)
{
	return cli_fail(CLI_FAILED, "--rpc: what the node says the contract logged makes no sense");
}

static int refused(const struct rpc_error *error)
{
	return cli_fail(CLI_FAILED,
			"--rpc: the node does not say what the contract logged (%s); name one that "
			"does",
			error->message);
}

static json_t *topics_json(const struct onchain_topics *topics)
{
	json_t *list = json_array();

	for (size_t i = 0; i < topics->n; i++)
		if (json_array_append_new(list, topics->any[i]
							? json_null()
							: rpc_of_bytes(topics->words[i], 32)) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *params_json(const struct asking *asking)
{
	return json_pack("[{s:o, s:o, s:o, s:o}]", "address",
			 rpc_of_bytes(asking->contract.bytes, 20), "fromBlock",
			 rpc_of_quantity(asking->first), "toBlock", rpc_of_quantity(asking->last),
			 "topics", topics_json(asking->topics));
}

/* What was not asked for is no answer. */
static bool is_asked(const struct asking *asking, const json_t *log)
{
	const json_t *topics = json_object_get(log, "topics");
	uint8_t address[20], word[32];

	if (rpc_bytes(json_object_get(log, "address"), address, 20) < 0 ||
	    memcmp(address, asking->contract.bytes, 20) != 0 ||
	    json_array_size(topics) < asking->topics->n)
		return false;
	for (size_t i = 0; i < asking->topics->n; i++)
		if (rpc_bytes(json_array_get(topics, i), word, 32) < 0 ||
		    (!asking->topics->any[i] && memcmp(word, asking->topics->words[i], 32) != 0))
			return false;
	return true;
}

/* *@ret_wide: fewer blocks are to be asked for; nodes refuse too many in words of their own. */
static int ask(const struct asking *asking, onchain_log_fn *fn, void *arg, bool *ret_wide)
{
	_cleanup_(json_decrefp) json_t *params = params_json(asking), *logs = NULL;
	bool one = asking->first == asking->last;
	struct rpc_error error = { 0 };
	const json_t *log;
	size_t i;
	int r = params ? rpc_ask(asking->onchain->rpc, "eth_getLogs", params, &logs, &error)
		       : -ENOMEM;

	*ret_wide = r == RPC_E_REFUSED && !one;
	if (*ret_wide)
		return 0;
	if (r < 0)
		return cli_fault(r, "the chain");
	if (r == RPC_E_REFUSED)
		return refused(&error);
	if (r > 0)
		return cli_fail(CLI_FAILED, "--rpc: the node does not answer");
	if (!json_is_array(logs))
		return onchain_logs_nonsense();
	json_array_foreach(logs, i, log) {
		r = is_asked(asking, log) ? fn(arg, log) : onchain_logs_nonsense();
		if (r != 0)
			return r;
	}
	return 0;
}

static int latest(const struct onchain *onchain, uint64_t *ret_block)
{
	_cleanup_(json_decrefp) json_t *params = json_array(), *block = NULL;
	struct rpc_error error;
	int r = params ? rpc_ask(onchain->rpc, "eth_blockNumber", params, &block, &error) : -ENOMEM;

	if (r < 0)
		return cli_fault(r, "the chain");
	if (r > 0 || rpc_quantity(block, ret_block) < 0)
		return cli_fail(CLI_FAILED, "--rpc: the node does not say its latest block");
	return 0;
}

int onchain_logs(struct onchain *onchain, enum contract contract,
		 const struct onchain_topics *topics, onchain_log_fn *fn, void *arg)
{
	struct asking asking = { .onchain = onchain, .topics = topics };
	uint64_t end, span = UINT64_MAX / 4;
	int r = onchain_contract(onchain, contract, &asking.contract);

	if (r == 0)
		r = latest(onchain, &end);
	if (r != 0)
		return r;
	asking.first = onchain->contracts.at[contract].block;
	while (asking.first <= end) {
		bool wide;

		asking.last = end - asking.first < span ? end : asking.first + span - 1;
		r = ask(&asking, fn, arg, &wide);
		if (r != 0)
			return r;
		if (wide) {
			span = (asking.last - asking.first + 1) / 2;
			continue;
		}
		asking.first = asking.last + 1;
		span += span < UINT64_MAX / 4 ? span / 4 + 1 : 0;
	}
	return 0;
}
