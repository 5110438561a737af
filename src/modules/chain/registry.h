/* registry.h - the machines on the registry contract, as its final logs say: read by a job, each log once, and shown
 * beside what the network knows of them (chain_registration). Nothing else follows from it. */
#pragma once

#include "chain/contract_event.h"
#include "chain/indexer.h"
#include "modules/chain/chain.h"

/* Takes what was logged since. For a network with a chain. */
_must_check_ int registry_follow(const struct context *context, struct arena *arena);

/* One log's effect. */
_must_check_ int registry_take(struct tx *tx, const struct indexer_log *log);

/* chain_registration of a network with a chain. */
_must_check_ int registry_json(struct tx *tx, const struct address *machine,
			       const struct address *owner, enum machine_kind kind,
			       json_t **ret_json);
