/* deposit.h - what lies in the escrow contract for a tenant, as balance.
 *
 * A deposit is no credit: it pays after points do, and what is left of it is withdrawn (withdrawal.h). It counts
 * when the chain can no longer drop it. */
#pragma once

#include "modules/billing/billing_store_escrow.h"

/* Larger ones stay in the contract, where whoever paid takes them back. */
#define DEPOSIT_MAX_MICRO INT64_C(1000000000000000)

/* Adds @amount, more than zero, to what @tenant may spend. @key tells it from all others, for ever: the same
 * again changes nothing. At most LEDGER_KEY_MAX less 8 and LEDGER_MEMO_MAX bytes. */
_must_check_ int deposit_add(const struct context *context, struct tx *tx, struct account_id tenant,
			     struct amount amount, const char *key, const char *memo);

/* A final deposit of the log that @deposit names: all but its id, what is credited, time and detail are set. In
 * the network's stablecoin it is credited, and the tenant is told; in KAI it is converted (conversion.h); else its row
 * says why not. The network's own, for the treasury, is what points are paid from. */
_must_check_ int deposit_take(const struct context *context, struct tx *tx,
			      struct deposit_row *deposit);

/* The tenant hears what became of it. */
_must_check_ int deposit_tell(const struct context *context, struct tx *tx,
			      const struct deposit_row *deposit);
