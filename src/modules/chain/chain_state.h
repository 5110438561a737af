/* chain_state.h - what the module's parts share: made at the start, then only read. */
#pragma once

#include "chain/indexer.h"
#include "chain/outbox.h"
#include "chain/signer.h"
#include "modules/chain/chain.h"

struct chain_state {
	struct contracts contracts;
	struct address publisher; /* the network's key */
	struct rpc *rpc;
	struct signer_client *signer;
	struct outbox_config outbox;
	struct indexer_contract followed[CONTRACTS_N];
	struct indexer_config indexer;
};

/* NULL: the network has no chain. */
const struct chain_state *chain_state(void);
