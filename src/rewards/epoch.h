/* epoch.h - an epoch's records and the payouts that follow from them: a pure function in exact
 * integers, so that anybody who has the records gets the same table. epoch_text.h is how both
 * are published.
 *
 * The document (Worker_Score and Worker_Reward, Checker_Score and Checker_Reward), as read here:
 *  - worker_total is cut in two pots, proof of capacity (1 - ratio) and proof of delivery
 *    (ratio). Capacity is shared by the Uptime part of the workers' scores, delivery by the
 *    Jobtime * Wj part. checker_total is a pot of its own. A pot in which nobody scores is not
 *    given out: it is `unallotted`.
 *  - commission is the delegators' part of a reward: Worker_Reward has (1 - Commission),
 *    Delegator_Total has Commission. Delegators share theirs by stake. Without delegators all of
 *    it is the owner's.
 *  - a checker's stake is its licences; its delegators are their owners.
 *  - who is banned scores nothing, and so gives its delegators nothing.
 * Every cut is by the largest remainder (share.h), so the parts of a pot add up to it, to the
 * last unit; of equal remainders the record with the lower id comes first (in a cut in two, the
 * owner, and capacity). */
#pragma once

#include "base/address.h"
#include "base/arena.h"
#include "rewards/scores.h"
#include "rewards/share.h"

enum {
	EPOCH_SECONDS = 14 * 24 * 3600,
	EPOCH_WORKERS_MAX = 200000,
	EPOCH_CHECKERS_MAX = 60000,
	EPOCH_DELEGATORS_MAX = 1000000, /* of workers and checkers together */
};

struct epoch_terms {
	uint64_t number;
	struct tokens worker_total, checker_total;
	uint64_t ratio_bp, commission_bp; /* of 10,000 */
	struct tokens max_stake;
};

/* Delegators of a record lie one behind the other in epoch.delegators. */
struct epoch_delegators {
	uint32_t first, n;
};

struct epoch_worker {
	struct address id, owner;
	uint64_t uptime_s, jobtime_s;
	struct tokens stake;
	struct machine_figures figures;
	bool banned;
	struct epoch_delegators delegators;
};

struct epoch_checker {
	struct address id, owner;
	uint64_t licences_milli, valid, wrong;
	bool banned;
	struct epoch_delegators delegators;
};

struct epoch_delegator {
	struct address account;
	struct tokens stake; /* thousandths of licences, of a checker */
};

struct epoch {
	struct epoch_terms terms;
	struct epoch_worker *workers; /* by id, ascending, none twice */
	struct epoch_checker *checkers; /* the same */
	struct epoch_delegator
		*delegators; /* the workers', then the checkers'; of each by account, ascending */
	size_t n_workers, n_checkers, n_delegators;
};

/* Which record breaks which bound or order: "worker 0x...: uptime_s: at most 1209600". */
struct epoch_fault {
	char text[160];
};

/* Whether everything is in its bounds and order: what comes from a database is checked by this
 * before it is published; epoch_read refuses the same. Outcome EPOCH_E_INVALID with @ret_fault. */
enum epoch_outcome { EPOCH_E_INVALID = 1 };
_must_check_ int epoch_check(const struct epoch *epoch, struct epoch_fault *ret_fault);

struct pot {
	struct tokens allotted, unallotted; /* given out is the difference */
};

struct worker_payout {
	struct tokens capacity, delivery; /* the reward's two parts */
	struct tokens owner; /* of their sum; the rest is the delegators' */
};

struct checker_payout {
	struct tokens reward, owner;
};

/* By the same indices as the epoch's records. */
struct payouts {
	struct pot capacity, delivery, checking;
	struct worker_payout *workers;
	struct checker_payout *checkers;
	struct tokens *delegators;
};

enum { PAYOUTS_ARENA_BYTES = 128 << 20 }; /* what the largest epoch takes of @arena */

/* @epoch has passed epoch_check or came from epoch_read. In @arena; -ENOMEM. */
_must_check_ int epoch_settle(const struct epoch *epoch, struct arena *arena,
			      struct payouts *ret_payouts);
