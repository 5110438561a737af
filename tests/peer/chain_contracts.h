/* chain_contracts.h - chain_peer's commands about the network's contracts. */
#pragma once

#include <jansson.h>

#include "base/arena.h"

json_t *do_contract_call(const json_t *question, struct arena *arena);
json_t *do_contract_event(const json_t *question, struct arena *arena);
json_t *do_anchor_head(const json_t *question, struct arena *arena);
