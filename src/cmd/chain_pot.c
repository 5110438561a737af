#include "cmd/chain_pot.h"

#include "chain/contract_event.h"
#include "cmd/onchain_logs.h"

/* Of Distributor.Root's four words, in order. */
static struct chain_root root_at(const struct abi_value *words)
{
	struct chain_root root = {
		.round = (uint64_t)u256_low(abi_as_number(&words[2])),
		.effective_s = (uint64_t)u256_low(abi_as_number(&words[3])),
	};

	memcpy(root.root, words[0].word, 32);
	root.there = root.effective_s != 0;
	return root;
}

int chain_pot_read(struct onchain *onchain, enum reward_kind kind, struct chain_pot *ret_pot)
{
	const struct abi_value of = abi_u64(kind);
	struct address distributor;
	struct abi_value pot;
	int r = onchain_contract(onchain, CONTRACT_DISTRIBUTOR, &distributor);

	if (r == 0)
		r = onchain_read(
			onchain, &distributor, "potOf(uint8)", &of, 1,
			"(uint256,uint256,bytes32,uint256,uint64,uint64,bytes32,uint256,uint64,"
			"uint64)",
			&pot);
	if (r != 0)
		return r;
	ret_pot->active = root_at(&pot.items[2]);
	ret_pot->pending = root_at(&pot.items[6]);
	return 0;
}

static int take_active(void *arg, const json_t *log)
{
	struct chain_root *root = arg;

	if (rpc_bytes(json_object_get(log, "data"), root->root, 32) < 0)
		return onchain_logs_nonsense();
	root->there = true;
	return 0;
}

int chain_pot_was_active(struct onchain *onchain, enum reward_kind kind, uint64_t round,
			 struct chain_root *ret_root)
{
	struct onchain_topics topics = { .n = 3 };

	*ret_root = (struct chain_root){ .round = round };
	contract_event_topic(EVENT_ROOT_ACTIVE, topics.words[0]);
	u256_bytes(u256_from(kind), topics.words[1]);
	u256_bytes(u256_from(round), topics.words[2]);
	return onchain_logs(onchain, CONTRACT_DISTRIBUTOR, &topics, take_active, ret_root);
}
