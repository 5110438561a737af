/* billing.h - money: a double-entry ledger, holds, and the metering of leases.
 *
 * Money moves only by postings whose entries sum to zero. A posting is never changed or deleted; a
 * correction is another posting. Functions that take a struct tx run inside the caller's
 * transaction.
 *
 * A lease's money: opening it sets a hold aside from the tenant's balance; each usage record that
 * the machine signed charges floor(rate * seconds / 3600) less what was charged before, first from
 * the hold, then from the balance, to the provider and the network; closing it gives back what is
 * left. A balance is never negative: what cannot be paid is not charged, and the lease is reported
 * by billing_exhausted_take. */
#pragma once

#include "api/route.h"
#include "wire/sign.h"

enum billing_outcome {
	BILLING_E_INSUFFICIENT = ROUTE_E_MODULE, /* the balance does not cover it */
	BILLING_E_NO_LEASE, /* unknown lease */
	BILLING_E_CLOSED, /* the lease was closed before this record's time */
	BILLING_E_RECORD, /* the record contradicts the lease or an earlier record:
					 * wrong ids, sequence or seconds going back, more seconds
					 * than passed, time in the future */
	BILLING_E_SIGNATURE,
	BILLING_E_LIMIT, /* an amount past its bound */
	BILLING_E_TOO_MUCH, /* more than may be withdrawn */
	BILLING_E_TOO_LITTLE, /* less than is withdrawn at a time */
	BILLING_E_TOO_OFTEN, /* as many withdrawals as an account may ask for in a day */
	BILLING_E_WITHDRAWING, /* another withdrawal goes on */
	BILLING_E_NO_CHAIN, /* hence no contract with deposits */
	BILLING_E_LEAVING, /* the tenant asked the escrow contract to leave */
	BILLING_E_KEY, /* the key was used for another account or amount */
};

/* Gives @amount, 0.000001 to a million, to @account from the network's issue account ("admin
 * credit"). The same @key (1 to BILLING_KEY_MAX bytes) with the same account and amount again: no
 * second posting, the same result. @memo: at most BILLING_MEMO_MAX bytes; may be NULL.
 * BILLING_E_LIMIT, BILLING_E_KEY. */
enum { BILLING_KEY_MAX = 64, BILLING_MEMO_MAX = 200 };
#define BILLING_CREDIT_MAX_MICRO INT64_C(1000000000000)
_must_check_ int billing_credit(const struct context *context, struct tx *tx,
				struct account_id account, struct amount amount, const char *key,
				const char *memo);

/* What the tenant may still spend: the balance without the holds. */
_must_check_ int billing_available(struct tx *tx, struct account_id account,
				   struct amount *ret_available);

/* Who may rent at what: recorded and signed by the network when a rental is placed. */
struct billing_lease {
	struct rental_id rental;
	struct lease_id lease;
	int64_t placing; /* which of the rental's leases it is, from 1 */
	struct account_id tenant;
	struct machine_id machine;
	struct account_id provider;
	struct amount rate_hour;
	struct amount hold; /* set aside now; released at the close where not used */
};

/* BILLING_E_INSUFFICIENT, BILLING_E_LEAVING: nothing was changed. BILLING_E_LIMIT: rate or hold is negative or past a
 * million. -EEXIST: opened before. */
_must_check_ int billing_lease_open(const struct context *context, struct tx *tx,
				    const struct billing_lease *lease);

/* A usage record, and what became of it. */
struct billing_record {
	struct usage_statement usage;
	uint8_t signature[SIGNATURE_SIZE];
	bool is_signed; /* by usage.machine: see billing_record_check */

	int outcome; /* 0, or BILLING_E_NO_LEASE, _RECORD, _SIGNATURE, _CLOSED: nothing was changed */
	struct amount charged; /* for the lease, in total */
	uint8_t receipt[SIGNATURE_SIZE]; /* the network's, over the record and @charged */
};

enum { BILLING_RECORDS_MAX = 256 };

/* Sets @record->is_signed. Needs no store, only CPU: so call it before the transaction, on a thread
 * that nobody waits for. */
_must_check_ int billing_record_check(struct billing_record *record);

/* Takes up to BILLING_RECORDS_MAX records that were checked, of any leases, in their order: amounts,
 * outcomes and events are those of one after the other. Judges each, charges, countersigns. One that
 * is refused changes nothing and does not concern its neighbours. The last record of a lease again
 * answers the same (its receipt states what is charged now, should a close have corrected it). What
 * the tenant cannot pay now stays due while the lease is open: the next record's charge asks for it
 * again. Returns 0 or a fault, which is that of all. */
_must_check_ int billing_usage_many(const struct context *context, struct tx *tx,
				    struct billing_record *const *records, size_t n);

/* The same for one record, checked here; returns its outcome. */
_must_check_ int billing_usage(const struct context *context, struct tx *tx,
			       const struct usage_statement *usage,
			       const uint8_t signature[static SIGNATURE_SIZE],
			       struct amount *ret_charged,
			       uint8_t ret_receipt[static SIGNATURE_SIZE]);

/* No more charges for what happens after @ended_at_ms; releases the hold, and gives back what was
 * charged past that moment. Usage records up to it (and 5 s) are still taken for 24 hours (a machine
 * that was away reports late), from the balance; seconds past it are not charged. Closing twice
 * changes nothing. @billed: false undoes what was charged (by a correcting posting): the tenant could
 * not use it; no record is taken then. BILLING_E_NO_LEASE. */
_must_check_ int billing_lease_close(const struct context *context, struct tx *tx,
				     struct lease_id lease, int64_t ended_at_ms, bool billed);

/* The rental has ended after @placings leases, all closed: recorded, so that none can be left out of its bill. */
_must_check_ int billing_rental_end(const struct context *context, struct tx *tx,
				    struct rental_id rental, struct account_id tenant,
				    int64_t placings);

/* From @from_ms on, or since it was placed, the lease is not billed: a majority of checkers found the machine unusable in the
 * session @proof. The next records charge for the seconds outside of its excuses only; what was charged
 * beyond is given back by a correcting posting. Signed by the network; part of the bill. One excuse is
 * open at a time: the same again changes nothing. BILLING_E_NO_LEASE. */
_must_check_ int billing_excuse_begin(const struct context *context, struct tx *tx,
				      struct lease_id lease, const uint8_t proof[static 16],
				      int64_t from_ms);

/* The session for which the lease is excused now; zeros: none. BILLING_E_NO_LEASE. */
_must_check_ int billing_excuse_open(struct tx *tx, struct lease_id lease,
				     uint8_t ret_proof[static 16]);

/* The machine is usable again since @until_ms; closing the lease ends an open excuse, too. Without an
 * open one nothing happens. BILLING_E_NO_LEASE. */
_must_check_ int billing_excuse_end(const struct context *context, struct tx *tx,
				    struct lease_id lease, int64_t until_ms);

/* The same for what is over: @n times within @hour in which a majority of the machine's watchers, as their
 * reports say, could not reach it. Only those parts within the lease that are not excused yet; also where
 * it was closed. @ret_added: excuses. Past BILLING_EXCUSES_MAX of a lease those two that lie closest together
 * become one, with what lies between: its bill must stay readable. BILLING_E_NO_LEASE. */
enum { BILLING_EXCUSES_MAX = 2048 };
struct billing_time {
	int64_t from_ms, until_ms;
};
_must_check_ int billing_excuse_away(const struct context *context, struct tx *tx,
				     struct lease_id lease, int64_t hour,
				     const struct billing_time *times, size_t n, size_t *ret_added);

/* Who rented @machine at a price at some time from @from_ms on and before @until_ms. In the transaction's arena. */
struct billing_tenancy {
	struct lease_id lease;
	struct account_id tenant;
};
_must_check_ int billing_machine_tenancies(struct tx *tx, struct machine_id machine,
					   int64_t from_ms, int64_t until_ms,
					   struct billing_tenancy **ret_tenancies, size_t *ret_n);

/* For an epoch's records: leases of @machine at a price from @provider, and to others than itself, whose last usage
 * record ended from @from_ms on. What an owner rents itself is no delivery. In the transaction's arena. */
struct billing_job {
	struct billing_time time; /* of its last usage record */
	int64_t seconds; /* charged */
	bool settled; /* closed so long ago that no record changes it any more */
};
_must_check_ int billing_machine_jobs(const struct context *context, struct tx *tx,
				      struct machine_id machine, struct account_id provider,
				      int64_t from_ms, struct billing_job **ret_jobs,
				      size_t *ret_n);

/* BILLING_E_NO_LEASE. */
struct billing_lease_sums {
	int64_t seconds; /* that are charged: none if it was closed as not billed */
	struct amount charged, rate_hour;
};
_must_check_ int billing_lease_sums(struct tx *tx, struct lease_id lease,
				    struct billing_lease_sums *ret_sums);

/* Rentals whose tenant could not pay since the last call: at most @max, taken off the list with
 * this transaction. */
_must_check_ int billing_exhausted_take(struct tx *tx, size_t max, struct rental_id *ret_rentals,
					size_t *ret_n);

/* The same for rentals whose tenant asked the escrow contract to leave: what they still use could not be settled. */
_must_check_ int billing_leaving_take(struct tx *tx, size_t max, struct rental_id *ret_rentals,
				      size_t *ret_n);

/* Nothing is held for @tenant's open leases any more: it is balance, from which they are paid. */
_must_check_ int billing_holds_release(const struct context *context, struct tx *tx,
				       struct account_id tenant);

/* Sums: every posting to zero, every balance to its entries. Outcome: a static text says what is
 * wrong, NULL when all is well. For `kaisar admin ledger-check` and tests. */
_must_check_ int billing_check(struct tx *tx, const char **ret_problem);

extern const struct module billing_module;
