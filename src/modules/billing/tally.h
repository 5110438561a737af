/* tally.h - what providers are to be paid in the escrow contract, from the postings of charges and refunds.
 *
 * Postings are tallied once, by their order, when they are settle_after_ms old: that is longer than any transaction
 * takes, so none appears behind the place that was reached; and longer than a bill usually changes. A pair whose sums
 * cannot be is left out, and logged, until they can. */
#pragma once

#include "modules/billing/billing_store_settlement.h"

/* Tallies what is due; outside of a transaction. */
_must_check_ int tally_run(const struct context *context, struct arena *arena);

/* @payer is to have paid @payee @charged and, in it, @fee more. */
_must_check_ int tally_add(struct tx *tx, struct account_id payer, struct account_id payee,
			   int64_t charged, int64_t fee);
