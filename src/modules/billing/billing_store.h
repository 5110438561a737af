/* billing_store.h - every SQL statement of billing. Postings and entries are only ever inserted. */
#pragma once

#include "io/store_values.h"
#include "modules/billing/billing.h"
#include "modules/billing/ledger.h"

/* Ids are random behind their time; nothing is newer than all ones. */
extern const uint8_t store_newest[16];

/* ---- ledger ---- */

struct store_posting {
	struct posting_id id;
	int64_t at_ms;
	const struct ledger_posting *posting;
};

/* SQL_E_CONFLICT: the key (or id) exists. */
_must_check_ int store_postings_add(struct tx *tx, const struct store_posting *postings, size_t n);

/* Entries of all @postings, in one statement. */
_must_check_ int store_entries_add(struct tx *tx, const struct store_posting *postings, size_t n);

/* Adds to people's balances, in the order given. SQL_E_CONFLICT: one would be negative. */
_must_check_ int store_balances_move(struct tx *tx, const struct ledger_entry *moves, size_t n);

_must_check_ int store_balances(struct tx *tx, struct account_id owner,
				struct ledger_balances *ret_balances);

/* The posting with @key, if there is one, and what it gave to @owner's available balance (0: another
 * account's). */
_must_check_ int store_posting_given(struct tx *tx, const char *key, struct account_id owner,
				     bool *ret_known, struct amount *ret_given);

/* The sum of all entries of one of the network's accounts. */
_must_check_ int store_network_sum(struct tx *tx, enum ledger_account account,
				   struct amount *ret_sum);

/* The first of the ledger's rules that does not hold, as a static text, or NULL. */
_must_check_ int store_check(struct tx *tx, const char **ret_problem);

struct statement_item {
	struct posting_id posting;
	int64_t at_ms;
	const char *kind, *memo;
	struct amount amount; /* change of all that the owner has */
	bool has_rental, has_lease;
	struct rental_id rental;
	struct lease_id lease;
};

/* At most @limit postings that touch @owner, newest first, older than @before (NULL: all). */
_must_check_ int store_statement(struct tx *tx, struct account_id owner,
				 const struct posting_id *before, size_t limit,
				 struct statement_item **ret_items, size_t *ret_n);

/* ---- leases ---- */

/* See billing_excuse_begin. */
struct excuse_row {
	uint8_t proof[16]; /* zeros: @hour says why */
	int64_t hour;
	int64_t from_ms, until_ms; /* until: 0 while it goes on */
	uint8_t signature[SIGNATURE_SIZE]; /* the network's */
};

struct lease_row {
	struct lease_id lease;
	struct rental_id rental;
	int64_t placing; /* 0: placed before leases were numbered */
	struct account_id tenant, provider;
	struct machine_id machine;
	struct amount rate_hour;
	int64_t fee_basis_points;
	int64_t placed_at_ms;
	uint8_t terms_signature[SIGNATURE_SIZE];

	struct amount held; /* what is left of the hold */
	int64_t sequence; /* of the last usage record; 0: none yet, and no signatures */
	int64_t started_at_ms, until_ms, seconds;
	bool final;
	uint8_t usage_signature[SIGNATURE_SIZE];
	uint8_t receipt_signature[SIGNATURE_SIZE];

	struct amount charged, fee; /* the fee is part of what was charged */
	bool exhausted;
	int64_t closed_at_ms; /* 0: open */
	int64_t ended_at_ms;
	bool billed;
	int64_t records; /* see record.h */
	struct excuse_row *excuses; /* the oldest first */
	size_t n_excuses;
};

/* Reads the lease's excuses into the row, which says that there are some. */
_must_check_ int store_excuses(struct tx *tx, struct lease_row *lease);
_must_check_ int store_excuse_remove(struct tx *tx, struct lease_id lease, int64_t from_ms);
_must_check_ int store_excuse_put(struct tx *tx, struct lease_id lease,
				  const struct excuse_row *excuse);

/* See billing_machine_tenancies. */
_must_check_ int store_tenancies(struct tx *tx, struct machine_id machine, int64_t from_ms,
				 int64_t until_ms, struct billing_tenancy **ret_tenancies,
				 size_t *ret_n);

/* See billing_machine_jobs. */
_must_check_ int store_machine_leases(struct tx *tx, struct machine_id machine,
				      struct account_id provider, int64_t from_ms,
				      struct lease_id **ret_ids, size_t *ret_n);

/* SQL_E_CONFLICT: it exists. */
_must_check_ int store_lease_add(struct tx *tx, const struct lease_row *lease);

/* BILLING_E_NO_LEASE. */
_must_check_ int store_lease(struct tx *tx, struct lease_id id, struct lease_row *ret_lease);

/* Those of @ids (1 to SQL_PARAMS_MAX) that exist, each once, ordered by id, in one statement. */
_must_check_ int store_leases_among(struct tx *tx, const struct lease_id *ids, size_t n,
				    struct lease_row **ret_leases, size_t *ret_n);

/* Everything but the terms. */
_must_check_ int store_leases_update(struct tx *tx, const struct lease_row *const *leases,
				     size_t n);

/* Of open leases of @tenant for which something is held; in the transaction's arena. */
_must_check_ int store_leases_held(struct tx *tx, struct account_id tenant,
				   struct lease_row **ret_leases, size_t *ret_n);

/* Oldest first, in the transaction's arena. */
_must_check_ int store_leases_of_rental(struct tx *tx, struct rental_id rental,
					struct lease_row **ret_leases, size_t *ret_n);

/* At most @limit, newest first, older than @before (NULL: all). */
_must_check_ int store_leases_of_provider(struct tx *tx, struct account_id provider,
					  const struct lease_id *before, size_t limit,
					  struct lease_row **ret_leases, size_t *ret_n);

/* What a tenant has, and what all open leases cost an hour. */
struct store_purse {
	struct account_id tenant;
	struct amount available, held, points, rate_hour;
};

/* Fills @purses, of which the tenants are set (1 to SQL_PARAMS_MAX, in any order, also twice), with
 * two statements; afterwards they are ordered, each tenant is there once, and @n says how many. */
_must_check_ int store_purses(struct tx *tx, struct store_purse *purses, size_t *n);

/* Among purses that were read; NULL: not there. */
struct store_purse *store_purse_of(struct store_purse *purses, size_t n, struct account_id tenant);

_must_check_ int store_exhausted_add(struct tx *tx, struct rental_id rental, int64_t at_ms);
_must_check_ int store_exhausted_take(struct tx *tx, size_t max, struct rental_id *ret_rentals,
				      size_t *ret_n);
