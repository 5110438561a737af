/* deposit.h - what lies in the escrow contract for a tenant, as balance.
 *
 * A deposit is no credit: it pays after points do, and what is left of it is withdrawn. */
#pragma once

#include "modules/billing/ledger.h"

/* Adds @amount, more than zero, to what @tenant may spend. @key tells it from all others, for ever: the same
 * again changes nothing. At most LEDGER_KEY_MAX less 8 and LEDGER_MEMO_MAX bytes. */
_must_check_ int deposit_add(const struct context *context, struct tx *tx, struct account_id tenant,
			     struct amount amount, const char *key, const char *memo);
