/* limits.h - what the escrow contract still lets the settler move in this day: a call above it would be refused as a
 * whole. */
#pragma once

#include "base/address.h"
#include "base/arena.h"
#include "base/u256.h"

/* Of @token, in its smallest unit, on the day (UTC) of @now_ms, as the last final block has it: exact where no call of ours
 * is on its way. Asks the chain, outside of a transaction. CHAIN_E_SILENT, CHAIN_E_NONE. */
_must_check_ int limits_left(const struct address *token, int64_t now_ms, struct arena *arena,
			     struct u256 *ret_left);
