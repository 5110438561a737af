/* recompute_chain.h - whether a published root is the contract's: at a node and with an addresses file of the reader's
 * own, and by what the contract has and logged, so that nothing is the network's word. */
#pragma once

#include "chain/reward_leaves.h"
#include "cmd/chain_pot.h"

enum root_place {
	ROOT_IS_ABSENT, /* not proposed, or withdrawn */
	ROOT_IS_PENDING,
	ROOT_IS_ACTIVE,
	ROOT_WAS_ACTIVE,
};

/* Which of these the root of @leaves is. An exit status: the leaves are of another contract, or the contract has another
 * root of that number. */
_must_check_ int recompute_chain_root(struct onchain *onchain, const struct reward_leaves *leaves,
				      const uint8_t root[static 32], enum root_place *ret_place);

/* The number of the last root that the contract has; 0: none yet. An exit status. */
_must_check_ int recompute_chain_last(struct onchain *onchain, enum reward_kind kind,
				      uint64_t *ret_round);
