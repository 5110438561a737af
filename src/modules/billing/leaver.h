/* leaver.h - tenants who leave the escrow contract with what is unsettled, for which they need nobody's consent.
 *
 *	asked      no lease is opened, nothing is withdrawn, and what runs is stopped (billing_leaving_take): its last
 *	           seconds are charged as always, and all that was spent can be settled before the contract's delay is over
 *	           (at least settle_after_ms and two hours)
 *	cancelled  a tenant like others again
 *	exited     the balance is gone but for points, and with it what is held. What the contract gave beyond is the
 *	           network's loss: what was spent but not settled in time
 *
 * @place names the contract's log: the same is taken once. In the transaction that moves on behind it. */
#pragma once

#include "modules/billing/billing_store.h"

_must_check_ int leaver_asked(const struct context *context, struct tx *tx, const char *place,
			      struct account_id tenant, int64_t exit_at_ms);

_must_check_ int leaver_cancelled(const struct context *context, struct tx *tx, const char *place,
				  struct account_id tenant);

/* @given: to the tenant, by the contract. */
_must_check_ int leaver_exited(const struct context *context, struct tx *tx, const char *place,
			       struct account_id tenant, struct amount given);
