/* record.h - what a lease's row states, as it is signed (wire/sign.h), and the records of it that the network anchors.
 *
 * Record 0 is the lease as it was placed, number 1 as it was closed, and each further one as it was after something of
 * its bill changed behind that: a usage record that came late, or an excuse. So the last one is always what the bill
 * states, and each is a leaf from the transaction on that made it so. While the lease is open its bill may change
 * with each usage record, and is not recorded. */
#pragma once

#include "modules/billing/billing_store.h"

/* A rental has one more, of its end: how many leases it had. */
_must_check_ int rental_record(const struct context *context, struct tx *tx,
			       const struct rental_statement *rental);

void lease_terms_digest(const struct context *context, const struct lease_row *lease,
			uint8_t ret_digest[static SIGN_DIGEST_SIZE]);
void lease_usage_digest(const struct context *context, const struct lease_row *lease,
			uint8_t ret_digest[static SIGN_DIGEST_SIZE]);
struct excuse_statement lease_excuse(const struct context *context, const struct lease_row *lease,
				     const struct excuse_row *excuse);

/* All that the lease's bill states now: what is recorded of it, but for one that goes on, of which only the placing is.
 * -ERANGE. */
_must_check_ int lease_record_digest(const struct context *context, const struct lease_row *lease,
				     uint8_t ret_digest[static SIGN_DIGEST_SIZE]);

/* Of a new lease. */
_must_check_ int lease_record_placing(const struct context *context, struct tx *tx,
				      const struct lease_row *lease);

/* Numbers and adds the next record, if the lease is closed and the network has a chain. The caller stores the row. */
_must_check_ int lease_record(const struct context *context, struct tx *tx,
			      struct lease_row *lease);
