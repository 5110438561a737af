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
 * start and end, a begun one included; less those that are excused; none if the lease is not billed. */
int64_t metering_seconds(const struct lease_row *lease);

/* What they cost. -ERANGE. */
_must_check_ int metering_cost(const struct lease_row *lease, struct amount *ret_cost);

/* What it costs and was not charged yet: below zero if it was charged too much. -ERANGE. */
_must_check_ int metering_due(const struct lease_row *lease, struct amount *ret_due);

/* Takes @due (more than zero) as far as hold and @purse go: changes both rows, and fills a posting,
 * which has no entries when nothing can be paid. The caller stores and posts. */
_must_check_ int metering_collect(struct lease_row *lease, struct amount due,
				  struct store_purse *purse, struct ledger_posting *ret_posting);

/* Sets right a lease that was charged more than it costs: fills the row and one posting, which has no
 * entries when there is nothing to give back. What is given back becomes points. @key tells it from the lease's other corrections. */
_must_check_ int metering_correct(struct lease_row *lease, const char *key, const char *memo,
				  struct ledger_posting *ret_posting);

/* Whole seconds between start and last record, or the end if that was before, that excuses cover: their
 * parts within that time are added up in milliseconds, and rounded down once. */
int64_t metering_excused(const struct lease_row *lease);

/* Ends the open excuse, if there is one. The caller stores the lease. */
_must_check_ int metering_end_excuse(const struct context *context, struct tx *tx,
				     struct lease_row *lease, int64_t until_ms);

/* Signs what was charged for the last record. */
_must_check_ int metering_receipt(const struct context *context, struct lease_row *lease);

/* What a tenant has left, available and held, and what all open leases cost an hour. */
struct metering_cover {
	struct amount left, rate_hour;
};

_must_check_ int metering_cover_of(const struct store_purse *purse,
				   struct metering_cover *ret_cover);

/* Does what is left fall under METERING_LOW_SECONDS of all open leases together? */
bool metering_falls_low(struct metering_cover before, struct metering_cover after);

/* The event @type to the lease's tenant. */
_must_check_ int metering_tell(const struct context *context, struct tx *tx,
			       const struct lease_row *lease, const char *type,
			       struct metering_cover cover);
