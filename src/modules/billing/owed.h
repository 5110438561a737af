/* owed.h - what the escrow contract owes to whom in the stablecoin until they fetch it: a provider's share of what was
 * settled, a tenant's returned withdrawals and exits, the treasury's fees. As the contract's final events say. */
#pragma once

#include "api/route.h"

/* Takes what there is, on a network with a chain. Outside of a transaction. */
_must_check_ int owed_follow(const struct context *context, struct arena *arena);

/* Zero without a chain. */
_must_check_ int owed_to(struct tx *tx, struct account_id account, struct amount *ret_owed);
