/* ledger.h - double-entry bookkeeping: postings whose entries sum to zero, and people's balances.
 *
 * Each person has three accounts: available, held (set aside for leases) and earned. The network has
 * five: fees (its share), issue (where credits come from, so it is what is in circulation, below
 * zero), escrow (the same of what lies in the contract), settled and fund. Earned and fees are what ever was
 * earned: what of it the contract paid is in settled, and by whom to whom in settle.h. Beside them, points say which part of what
 * a person has, available and held, is no deposit but was credited or refunded: points pay first, and
 * are not withdrawn. People's balances are kept up to date in the posting's transaction and are never negative.
 * The network's are not kept: every charge touches them, so one row would make all charges wait for
 * each other (or fail to serialise); they are summed when somebody asks. */
#pragma once

#include "api/route.h"

enum ledger_account {
	LEDGER_AVAILABLE = 1,
	LEDGER_HELD,
	LEDGER_EARNED,
	LEDGER_FEES,
	LEDGER_ISSUE,
	LEDGER_POINTS, /* people's */
	LEDGER_POINTS_GIVEN, /* the network's, against them */
	LEDGER_ESCROW,
	LEDGER_SETTLED, /* the network's: below zero, what tenants' deposits paid in the contract */
	LEDGER_FUND, /* the network's own deposit in the contract, from which points are paid */
};

enum {
	LEDGER_ENTRIES_MAX = 6,
	LEDGER_BATCH_MAX = 1000,
	LEDGER_KEY_MAX = 96,
	LEDGER_MEMO_MAX = 200,
};

struct ledger_entry {
	struct account_id owner; /* zeros for the network's accounts */
	enum ledger_account account;
	struct amount amount;
};

struct ledger_posting {
	const char *kind; /* "charge" */
	char key[LEDGER_KEY_MAX + 1]; /* whoever posts the same thing twice is refused by it */
	char memo[LEDGER_MEMO_MAX + 1];
	const struct rental_id *rental; /* may be NULL */
	const struct lease_id *lease; /* may be NULL */
	struct ledger_entry entries[LEDGER_ENTRIES_MAX];
	size_t n_entries;
};

/* Adds @amount, which may be below zero, to one account of @posting; nothing for zero. Aborts past LEDGER_ENTRIES_MAX. */
void ledger_entry(struct ledger_posting *posting, struct account_id owner,
		  enum ledger_account account, struct amount amount);
void ledger_entry_network(struct ledger_posting *posting, enum ledger_account account,
			  struct amount amount);

/* So many more points for @owner; below zero: so many are spent. */
void ledger_entry_points(struct ledger_posting *posting, struct account_id owner,
			 struct amount amount);

enum ledger_outcome {
	LEDGER_E_DUPLICATE = 1, /* a posting with one of the keys exists */
	LEDGER_E_INSUFFICIENT, /* a person's balance would fall below zero */
};

/* Writes up to LEDGER_BATCH_MAX postings with four statements in all. An outcome may leave some of it
 * done: the caller rolls back. -EINVAL: a posting that does not sum to zero, has no key, or
 * moves one account twice. */
_must_check_ int ledger_post_many(const struct context *context, struct tx *tx,
				  const struct ledger_posting *postings, size_t n);

/* For callers who made sure before that the keys are new and the balances suffice: a duplicate is
 * then somebody quicker (-EAGAIN, so the transaction runs again and sees it), and a balance that
 * does not suffice is our mistake (-EIO). */
_must_check_ int ledger_post_sure(const struct context *context, struct tx *tx,
				  const struct ledger_posting *postings, size_t n);

struct ledger_balances {
	struct amount available, held, earned, points;
};

/* What of the available balance is a deposit: points pay for what is held. */
struct amount ledger_coins(const struct ledger_balances *balances);

/* Zeros for somebody unknown. */
_must_check_ int ledger_balances(struct tx *tx, struct account_id owner,
				 struct ledger_balances *ret_balances);
