/* chain_pot.h - a pot of the contract Distributor: the root that pays, and the one that is proposed. */
#pragma once

#include "cmd/onchain.h"

struct chain_root {
	bool there;
	uint64_t round; /* the contract's "epoch" */
	uint64_t effective_s; /* since 1970, by the chain's clock */
	uint8_t root[32];
};

struct chain_pot {
	struct chain_root active, pending;
};

/* An exit status. */
_must_check_ int chain_pot_read(struct onchain *onchain, enum reward_kind kind,
				struct chain_pot *ret_pot);

/* What the contract made @kind's root number @round of, once: one that is not in effect any more. There is none where
 * !ret_root->there. An exit status. */
_must_check_ int chain_pot_was_active(struct onchain *onchain, enum reward_kind kind,
				      uint64_t round, struct chain_root *ret_root);
