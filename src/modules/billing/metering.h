/* metering.h - what a lease costs, and taking that from the tenant.
 *
 * The charge of a lease is always floor(rate * seconds / 3600) of all its seconds; a record pays the
 * difference to what was charged before. So is the fee: floor(charged * basis points / 10000) of all
 * that was charged. However the seconds are cut into records, rounding never accumulates. */
#pragma once

#include "modules/billing/billing_store.h"

enum {
	METERING_SKEW_MS = 5000, /* how far a machine's clock may be off ours */
	METERING_LATE_MS = 24 * 3600 * 1000, /* how long after the close records are taken */
	METERING_LOW_SECONDS = 600, /* a balance is low when it lasts less than that */
};

/* The seconds that are charged: those of the last record; once closed, no more than fit between
 * start and end, a begun one included; none if the lease is not billed. */
int64_t metering_seconds(const struct lease_row *lease);

/* What they cost. -ERANGE. */
_must_check_ int metering_cost(const struct lease_row *lease, struct amount *ret_cost);

/* Charges @lease up to its cost, as far as hold and balance go: fills the row and posts; the caller
 * stores the row. */
_must_check_ int metering_collect(const struct context *context, struct tx *tx,
				  struct lease_row *lease);

/* Sets right, after the close, a lease that was charged more than it costs: fills the row and one
 * posting, which has no entries when there is nothing to give back. */
_must_check_ int metering_correct(struct lease_row *lease, struct ledger_posting *ret_posting);

/* Signs what was charged for the last record. */
_must_check_ int metering_receipt(const struct context *context, struct lease_row *lease);

/* Tells the tenant ("balance.low") when what is left, available and held, falls under
 * METERING_LOW_SECONDS of all open leases together. @rate_added: what the leases cost an hour more
 * than before. */
_must_check_ int metering_watch(const struct context *context, struct tx *tx,
				const struct lease_row *lease, struct amount left_before,
				struct amount left_after, struct amount rate_added);
