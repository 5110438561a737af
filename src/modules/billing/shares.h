/* shares.h - who pays a provider what a tenant was charged, by sums that only grow, as the contract has them.
 *
 *	the tenant	what its deposits paid and was not refunded, with the fee in it
 *	the network	what points paid: the provider's share, without a fee, which would be the network's own
 *	to the network	what the tenant's deposits paid and was refunded, for the refund is points
 *
 * What is refunded after it was settled is not taken back: the next charges of the same pair pay the less. Pure. */
#pragma once

#include "base/amount.h"

struct shares {
	/* The ledger's, ever. */
	int64_t charged; /* whole */
	int64_t points; /* which of it were points */
	int64_t refunded; /* became points again */
	int64_t fee; /* in charged less refunded */
	/* To be settled, ever. */
	int64_t from_tenant, tenant_fee; /* the fee is part of it */
	int64_t to_treasury;
	int64_t from_network; /* of charged less refunded, which the tenant's deposits do not pay */
	int64_t network_pays; /* the provider's part of that */
};

/* After the first four have changed: what is to be settled. -ERANGE: past an amount. */
_must_check_ int shares_divide(struct shares *shares);
