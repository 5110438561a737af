/* settle.h - providers are paid in the escrow contract what was tallied (tally.h), and KAI that was deposited goes to
 * the treasury (conversion.h).
 *
 * There are two series of calls, "settle/N" and "convert/N", one call of each at a time. A call says what a payer is to
 * have paid a payee ever; what became of it the contract's events say, each taken once (escrow.h), and only they change
 * what counts as settled. When a call has ended and its events are taken, what it said and is not settled was said in
 * vain: it is said again later, and operators hear of it. A call that was refused is followed by one of half the size,
 * so that a pair which the contract refuses is found: named alone it counts as said in vain, and holds up nobody else.
 * No call says more than limits let pass: what is above them waits, and operators see it. */
#pragma once

#include "chain/indexer.h"
#include "modules/billing/billing_store_settlement.h"

enum { SETTLE_PROBLEM_SIZE = 400 };

/* One turn, which may ask the chain. Outside of a transaction, in a job that is .outside. */
_must_check_ int settle_turn(const struct context *context, struct arena *arena);

/* The contract paid @amount, @fee in it, until it was @total in all. In the transaction that moves on behind the log. What is
 * beyond what @payer is to pay was said before it left: the network is to pay @payee the less, and it is off the payer's
 * balance as far as that has it. */
struct settle_paid {
	struct account_id payer, payee;
	struct amount amount, fee, total;
};
_must_check_ int settle_take(const struct context *context, struct tx *tx,
			     const struct settle_paid *paid, const char *place);

/* Nothing that is not settled yet can be, for @payer left with it: the network pays @ret_lost of it to providers, or
 * nobody where it is the network's own. */
_must_check_ int settle_leave(struct tx *tx, struct account_id payer, struct amount *ret_lost);

/* ---- calls that ended ---- */

/* How many pairs the next call names at most, after one of @items of at most @most; 0: as many as fit. */
int64_t settle_items_next(int64_t items, int64_t most, bool refused);

/* A call of the series "settle" has ended, and its events are taken. A refused one had no effect: it says nothing of those
 * that it named, but of one that it named @alone. */
_must_check_ int settle_ended(struct tx *tx, bool refused, bool alone);
