/* withdrawal.h - what a tenant does not use, given back by the escrow contract.
 *
 *	asked     off the balance; the network's key is to call giveBack
 *	returned  the contract owes it to the tenant, who takes it from there (Escrow.withdraw)
 *	failed    the contract refused for good: it is balance again, and the row says why
 *
 * A tenant has one at a time: the contract counts all that was ever given back. Each is a call that the network pays for, and
 * the signer allows so many in a day: nobody may use them up for all others. */
#pragma once

#include "modules/billing/billing_store_escrow.h"

/* In the caller's transaction. @amount: more than zero. BILLING_E_LEAVING. BILLING_E_TOO_MUCH: than the deposits that are left and
 * not held; BILLING_E_TOO_LITTLE: than settings say, and not all that is left; BILLING_E_TOO_OFTEN, BILLING_E_WITHDRAWING,
 * BILLING_E_NO_CHAIN. */
_must_check_ int withdrawal_ask(const struct context *context, struct tx *tx,
				struct account_id tenant, struct amount amount,
				struct withdrawal_row *ret_withdrawal);

/* The contract gave back @amount, until it was @total in all, with this transaction. */
struct withdrawal_event {
	struct account_id tenant;
	struct amount amount, total;
	const uint8_t *transaction; /* 32 */
};

/* ROUTE_E_NOT_FOUND: none that was asked makes that total. */
_must_check_ int withdrawal_returned(const struct context *context, struct tx *tx,
				     const struct withdrawal_event *event);

/* Of none that is asked: of one that the tenant's exit overtook, mined after a new deposit. It is off the balance as
 * far as that has it, is a withdrawal of its own, and counts in the totals of those to come. */
_must_check_ int withdrawal_unasked(const struct context *context, struct tx *tx,
				    const struct withdrawal_event *event);

/* The tenant left with all that was there, also what was asked: nothing of that becomes balance again.
 * @ret_amount: of it; zero if none was. */
_must_check_ int withdrawal_overtaken(const struct context *context, struct tx *tx,
				      struct account_id tenant, struct amount *ret_amount);

/* Ends those whose call has failed. Outside of a transaction. */
_must_check_ int withdrawals_look(const struct context *context, struct arena *arena);
