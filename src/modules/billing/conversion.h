/* conversion.h - deposits in KAI: credited as points, at the network's published price.
 *
 * What is used of a deposit goes to the treasury by a settlement in the contract, and is credited when that is final. So
 * points are given for KAI that the network has; who leaves before keeps the KAI and gets none. The price is that of the
 * moment in which the deposit became final. Used is the least that makes the credit, a whole number of micro-units; the
 * rest stays in the contract, the tenant's. What is above a day's points is not taken at all. */
#pragma once

#include "chain/contracts.h"
#include "modules/billing/billing_store_escrow.h"
#include "modules/billing/billing_store_settlement.h"

/* What @amount of KAI's smallest unit makes at @price: the credit, zero for too little or too much, and what is used. Pure. */
void conversion_value(struct u256 amount, struct amount price, struct amount *ret_credit,
		      struct u256 *ret_used);

/* A final deposit in KAI, as deposit_take's. */
_must_check_ int conversion_deposit(const struct context *context, struct tx *tx,
				    struct deposit_row *deposit);

/* The treasury got KAI of @tenant, until it was @total in all: what is within it is credited. */
_must_check_ int conversion_take(const struct context *context, struct tx *tx,
				 struct account_id tenant, struct u256 total);

/* The tenant left the contract with what waits. */
_must_check_ int conversion_leave(const struct context *context, struct tx *tx,
				  struct account_id tenant);

/* The tenant asked the contract to leave with its KAI (nothing more is taken of it), or takes that back. */
_must_check_ int conversion_leaving(struct tx *tx, struct account_id tenant, bool leaves);

/* What the next call says of those that wait, tenant by tenant, whose deposit waits longest first: so whoever fits
 * in a day has its turn at the next day's beginning, whatever comes after. A deposit is said whole or not at all: within what the contract lets pass of KAI, within the day's points
 * (kai_day_micro), and within what the network's own deposit holds beyond what it owes and the points that are out. */
struct conversion_call {
	struct account_id treasury;
	int64_t now_ms;
	struct u256 left; /* of KAI */
	bool marks; /* who was said alone, in a TX_WRITE */
	size_t max; /* tenants */
	/* Set: */
	struct settlement *items;
	size_t n;
	const char *waits; /* what limits keep back, for people; "" */
};
_must_check_ int conversion_gather(const struct context *context, struct tx *tx,
				   struct conversion_call *call);
