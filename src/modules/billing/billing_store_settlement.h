/* billing_store_settlement.h - every SQL statement about what the escrow contract is to say of tenants and providers. */
#pragma once

#include "base/u256.h"
#include "modules/billing/billing_store.h"
#include "modules/billing/shares.h"

/* Whom the contract pays fees. ROUTE_E_NOT_FOUND: it was not asked yet. */
_must_check_ int store_treasury(struct tx *tx, struct account_id *ret_treasury);
_must_check_ int store_treasury_add(struct tx *tx, struct account_id treasury);

/* ---- what is tallied ---- */

/* The last posting that is tallied; zeros: none. */
_must_check_ int store_tallied(struct tx *tx, struct posting_id *ret_posting);
_must_check_ int store_tallied_set(struct tx *tx, struct posting_id posting);

/* The last of at most @max postings of charges and refunds behind @after and before @before. ROUTE_E_NOT_FOUND. */
_must_check_ int store_tally_end(struct tx *tx, struct posting_id after, struct posting_id before,
				 size_t max, struct posting_id *ret_last);

/* What the charges and refunds behind @after up to @last add to a pair. */
struct pair_row {
	struct account_id tenant, provider;
	struct shares shares;
};
_must_check_ int store_tally(struct tx *tx, struct posting_id after, struct posting_id last,
			     struct pair_row **ret_pairs, size_t *ret_n);

/* Zeros where there is none. */
_must_check_ int store_pair(struct tx *tx, struct account_id tenant, struct account_id provider,
			    struct shares *ret_shares);
_must_check_ int store_pair_put(struct tx *tx, const struct pair_row *pair);

/* What deposits paid of @tenant's charges that are not tallied yet. */
_must_check_ int store_untallied(struct tx *tx, struct account_id tenant, struct amount *ret_coins);

/* What the network is to pay, but is due to nobody yet: points of charges that are not tallied, and what escaped. At most:
 * its own fee is in it. */
_must_check_ int store_undue(struct tx *tx, struct amount *ret_sum);

/* ---- what is to be settled ---- */

struct settlement_row {
	struct account_id payer, payee;
	int64_t charged, fee; /* ever */
	int64_t settled, settled_fee; /* in the contract */
	int64_t reported, tried_ms; /* by the last call that named it */
	bool unpaid; /* which had no effect */
	int64_t overpaid; /* beyond what it owed: what it is to pay next counts first */
};

/* Zeros but for the names where there is none. */
_must_check_ int store_settlement(struct tx *tx, struct account_id payer, struct account_id payee,
				  struct settlement_row *ret_row);
_must_check_ int store_settlement_put(struct tx *tx, const struct settlement_row *row);

/* At most @max of which at least @least is not settled, or less if the payer asked to leave, and that were not tried in
 * vain after @again_ms; those first whose payer asked to leave, then that were not tried for longest. Nothing of who may
 * leave before @leaves_ms, nor of @but (NULL: nobody). */
_must_check_ int store_settlements_due(struct tx *tx, int64_t least, int64_t again_ms,
				       int64_t leaves_ms, const struct account_id *but, size_t max,
				       struct settlement_row **ret_rows, size_t *ret_n);

/* Those that were reported and are not settled so far become unpaid. */
_must_check_ int store_settlements_unpaid(struct tx *tx);
/* It is as if they had not been. */
_must_check_ int store_settlements_unsaid(struct tx *tx);

/* The contract said so of one. */
_must_check_ int store_settlement_unpaid(struct tx *tx, struct account_id payer,
					 struct account_id payee);

/* All of @payer's that are not settled. */
_must_check_ int store_settlements_of(struct tx *tx, struct account_id payer,
				      struct settlement_row **ret_rows, size_t *ret_n);

/* What was settled to @payee, without fees. */
_must_check_ int store_paid(struct tx *tx, struct account_id payee, struct amount *ret_paid);

struct settlement_sums {
	struct amount due; /* of everybody */
	struct amount unpaid; /* of it what was tried in vain */
	struct amount due_network; /* of it what the network's own deposit is to pay */
	int64_t pairs_unpaid;
};
_must_check_ int store_settlement_sums(struct tx *tx, struct account_id treasury,
				       struct settlement_sums *ret_sums);

/* Due from tenants who may leave the contract since before @now_ms. */
_must_check_ int store_settlements_stuck(struct tx *tx, int64_t now_ms, struct amount *ret_due);

/* What a tenant who left owes, and the network pays. */
_must_check_ int store_escaped(struct tx *tx, struct account_id tenant, struct amount *ret_amount);
_must_check_ int store_escaped_put(struct tx *tx, struct account_id tenant, struct amount amount);

/* ---- calls ---- */

struct calls_row {
	const char *series;
	int64_t number; /* of the last one; 0: none was made */
	bool open; /* it goes on */
	int64_t made_ms;
	int64_t items; /* at most, in the next one; 0: as many as fit */
	const char *problem; /* of the last one; "" */
	const char *waits; /* what limits keep back of the next one; "" */
};
_must_check_ int store_calls(struct tx *tx, const char *series, struct calls_row *ret_row);
_must_check_ int store_calls_put(struct tx *tx, const struct calls_row *row);

/* ---- what the contract owes ---- */

_must_check_ int store_owed(struct tx *tx, struct account_id account, struct u256 *ret_owed);
_must_check_ int store_owed_put(struct tx *tx, struct account_id account, struct u256 owed);

/* ---- deposits in KAI ---- */

enum conversion_state { CONVERSION_WAITS, CONVERSION_CREDITED, CONVERSION_LEFT };

struct conversion_row {
	struct deposit_id deposit;
	struct account_id tenant;
	struct u256 used, rest, total; /* of KAI's smallest unit */
	struct amount price, credit;
	enum conversion_state state;
};

/* A conflict is a fault. */
_must_check_ int store_conversion_add(struct tx *tx, const struct conversion_row *conversion);
/* Its state, which is an end, from now on. */
_must_check_ int store_conversion_end(struct tx *tx, const struct conversion_row *conversion,
				      int64_t now_ms);
/* Credits the deposit, or says why not. */
_must_check_ int store_deposit_credit(struct tx *tx, struct deposit_id deposit,
				      struct amount credited, const char *detail);

/* The points that were credited since then. */
_must_check_ int store_conversions_since(struct tx *tx, int64_t since_ms, struct amount *ret_sum);
/* The tenant's that wait, by their totals (ids of one millisecond have no order); and of those that did not leave the one with the highest total: ROUTE_E_NOT_FOUND. */
_must_check_ int store_conversions_of(struct tx *tx, struct account_id tenant,
				      struct conversion_row **ret_conversions, size_t *ret_n);
_must_check_ int store_conversion_last(struct tx *tx, struct account_id tenant,
				       struct conversion_row *ret_conversion);
/* Of a tenant: what the contract ever paid the treasury, when a call named it alone, if none did it good since, and
 * whether it asked to leave. Zeros but for the name where there is none. */
struct converter_row {
	struct account_id tenant;
	struct u256 total; /* of KAI's smallest unit */
	int64_t tried_ms;
	bool leaves;
};
_must_check_ int store_converter(struct tx *tx, struct account_id tenant,
				 struct converter_row *ret_converter);
_must_check_ int store_converter_put(struct tx *tx, const struct converter_row *converter);
/* At most @max who have deposits that wait and do not leave: those first that were not tried for longest, then whose
 * deposit is oldest. */
_must_check_ int store_converters_waiting(struct tx *tx, size_t max,
					  struct converter_row **ret_converters, size_t *ret_n);
/* Of a deposit. ROUTE_E_NOT_FOUND. */
_must_check_ int store_conversion(struct tx *tx, struct deposit_id deposit,
				  struct conversion_row *ret_conversion);
