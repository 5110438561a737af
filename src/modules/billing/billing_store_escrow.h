/* billing_store_escrow.h - every SQL statement about deposits, withdrawals, and tenants who leave. */
#pragma once

#include "base/u256.h"
#include "chain/indexer.h"
#include "modules/billing/billing_store.h"

struct deposit_row {
	struct deposit_id id;
	struct account_id tenant, payer;
	struct address token;
	struct u256 amount; /* of the token's smallest unit */
	struct amount credited;
	int64_t block, log, at_ms;
	uint8_t block_hash[32], transaction[32];
	const char *detail; /* why nothing was credited; "" */
};

/* SQL_E_CONFLICT: this log was added before. */
_must_check_ int store_deposit_add(struct tx *tx, const struct deposit_row *deposit);

/* At most @limit of the tenant's, newest first, older than @before (NULL: all). */
_must_check_ int store_deposits(struct tx *tx, struct account_id tenant,
				const struct deposit_id *before, size_t limit,
				struct deposit_row **ret_deposits, size_t *ret_n);

enum withdrawal_state { WITHDRAWAL_ASKED, WITHDRAWAL_RETURNED, WITHDRAWAL_FAILED };

struct withdrawal_row {
	struct withdrawal_id id;
	struct account_id tenant;
	struct amount amount, total; /* total: all that was ever given back, this included */
	enum withdrawal_state state;
	int64_t asked_at_ms, ended_at_ms; /* ended: 0 while it is asked */
	bool has_transaction;
	uint8_t transaction[32]; /* that returned it */
	const char *detail; /* why it failed; "" */
};

/* SQL_E_CONFLICT: another one of the tenant is asked. */
_must_check_ int store_withdrawal_add(struct tx *tx, const struct withdrawal_row *withdrawal);
/* Amount, state, end, transaction and detail. */
_must_check_ int store_withdrawal_update(struct tx *tx, const struct withdrawal_row *withdrawal);

/* All that was or is being given back to the tenant. */
_must_check_ int store_withdrawn(struct tx *tx, struct account_id tenant, struct amount *ret_total);

/* The tenant's that is asked. ROUTE_E_NOT_FOUND. */
/* How many were asked for since @since_ms, however they ended. */
_must_check_ int store_withdrawals_since(struct tx *tx, struct account_id tenant, int64_t since_ms,
					 int64_t *ret_n);
_must_check_ int store_withdrawal_asked(struct tx *tx, struct account_id tenant,
					struct withdrawal_row *ret_withdrawal);
_must_check_ int store_withdrawal(struct tx *tx, struct withdrawal_id id,
				  struct withdrawal_row *ret_withdrawal);

/* At most @limit that are asked, of any tenant, by id behind @after. */
_must_check_ int store_withdrawals_asked(struct tx *tx, struct withdrawal_id after, size_t limit,
					 struct withdrawal_row **ret_withdrawals, size_t *ret_n);

/* At most @limit of the tenant's, newest first, older than @before (NULL: all). */
_must_check_ int store_withdrawals(struct tx *tx, struct account_id tenant,
				   const struct withdrawal_id *before, size_t limit,
				   struct withdrawal_row **ret_withdrawals, size_t *ret_n);

/* Who asked the contract to leave, and when it can. SQL_E_CONFLICT: is there. */
_must_check_ int store_leaving_add(struct tx *tx, struct account_id tenant, int64_t at_ms,
				   int64_t exit_at_ms);
/* Takes the row away. @ret_amount: what the request took off the balance, as long as requests did that; zero where
 * there is no row. */
_must_check_ int store_leaving_take(struct tx *tx, struct account_id tenant,
				    struct amount *ret_amount);

/* ROUTE_E_NOT_FOUND: @tenant did not ask to leave. */
_must_check_ int store_leaving(struct tx *tx, struct account_id tenant, int64_t *ret_exit_at_ms);

/* Lists the rentals of @tenant's open leases; takes them off; at most @max that are listed, taken off. */
_must_check_ int store_leaving_rentals_add(struct tx *tx, struct account_id tenant, int64_t at_ms);
_must_check_ int store_leaving_rentals_drop(struct tx *tx, struct account_id tenant);
_must_check_ int store_leaving_rentals_take(struct tx *tx, size_t max,
					    struct rental_id *ret_rentals, size_t *ret_n);
