/* escrow.h - the ledger follows the escrow contract: what its final events say happened to tenants' money
 * happens to their balances, each once and in the chain's order.
 *
 *	Deposited      balance (deposit.h), or to be converted to points (conversion.h)
 *	Charged	       somebody was paid (settle.h), or the treasury has KAI
 *	Unpaid	       somebody was not
 *	Returned       ends a withdrawal (withdrawal.h)
 *	ExitRequested, ExitCancelled, Exited	the tenant leaves (leaver.h)
 */
#pragma once

#include "api/route.h"
#include "chain/contract_event.h"
#include "chain/indexer.h"

/* The token that a unit of the ledger is: 6 decimals. NULL without a chain. */
const struct address *escrow_stablecoin(const struct context *context);

/* One event of the contract, in the transaction that moves on behind its log. */
_must_check_ int escrow_take(const struct context *context, struct tx *tx,
			     const struct indexer_log *log, const struct contract_event *event);

/* Takes what there is, on a network with a chain. Outside of a transaction. */
_must_check_ int escrow_follow(const struct context *context, struct arena *arena);

/* Whether all logs of blocks up to @block are recorded and taken: what a call in it did is in the ledger. */
_must_check_ int escrow_has_taken(struct tx *tx, int64_t block, bool *ret_taken);

/* Deposits to @tenant that are not final yet, as far as can be seen. Rows without id and credit. */
struct deposit_row;
_must_check_ int escrow_pending(struct tx *tx, struct account_id tenant,
				struct deposit_row **ret_deposits, size_t *ret_n);
