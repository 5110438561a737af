/* rewards_store_roots.h - every SQL statement about how rewards are paid on the chain. What is written conditionally
 * gives -ESTALE to who comes second. */
#pragma once

#include "chain/reward_leaves.h"
#include "modules/rewards/rewards_store.h"
#include "rewards/credits.h"

/* ---- credits ---- */

/* The oldest closed epoch whose credits are not all written, and how many are. ROUTE_E_NOT_FOUND. */
_must_check_ int rewards_store_uncredited(struct tx *tx, struct epoch_row *ret_row,
					  int64_t *ret_written);
/* Behind @written, the next @n credits of the epoch; @done: they are the last. */
_must_check_ int rewards_store_credit(struct tx *tx, int64_t epoch, int64_t written,
				      const struct epoch_credit *credits, size_t n, bool done);
/* The last epoch whose credits are all written, and hence those of all before it. ROUTE_E_NOT_FOUND. */
_must_check_ int rewards_store_credited(struct tx *tx, int64_t *ret_epoch);
/* Whether there are credits of the kind in epochs above @after, up to @through. */
_must_check_ int rewards_store_grew(struct tx *tx, enum reward_kind kind, int64_t after,
				    int64_t through, bool *ret_grew);

/* The accounts' sums through an epoch, behind @after (NULL: from the first), @max at most. */
_must_check_ int rewards_store_leaves(struct tx *tx, enum reward_kind kind, int64_t through,
				      const struct address *after, size_t max,
				      struct reward_leaf **ret_leaves, size_t *ret_n);
/* An account's; zero if there is none. */
_must_check_ int rewards_store_sum(struct tx *tx, enum reward_kind kind,
				   const struct address *account, int64_t through,
				   struct u256 *ret_sum);

struct reward_earned {
	enum reward_kind kind;
	int64_t epoch;
	struct u256 amount;
};
/* What an account earned, the newest epoch first: below @before, or in it of kinds above @kind. */
_must_check_ int rewards_store_earned(struct tx *tx, const struct address *account, int64_t before,
				      int64_t kind, size_t max, struct reward_earned **ret_items,
				      size_t *ret_n);

/* ---- roots ---- */

/* WITHDRAWN waits for an operator, REPLACED for the next attempt. */
enum root_state { ROOT_MADE = 1, ROOT_PROPOSED, ROOT_ACTIVE, ROOT_WITHDRAWN, ROOT_REPLACED };

struct root_row {
	enum reward_kind kind;
	int64_t round, attempt, through;
	uint8_t root[32];
	struct u256 total;
	int64_t leaves;
	enum root_state state;
	int64_t made_ms;
	int64_t proposals, activations, called_ms; /* calls so far, and when the last was made */
	int64_t effective_s; /* 0: not proposed yet; this and the rest as the contract says */
	uint8_t transaction[32];
	int64_t block;
};

_must_check_ int rewards_store_root_add(struct tx *tx, const struct root_row *row);
_must_check_ int rewards_store_root_set(struct tx *tx, const struct root_row *row);
/* The last of a kind, or the last attempt at a round. ROUTE_E_NOT_FOUND. */
_must_check_ int rewards_store_root_last(struct tx *tx, enum reward_kind kind,
					 struct root_row *ret_row);
_must_check_ int rewards_store_root(struct tx *tx, enum reward_kind kind, int64_t round,
				    struct root_row *ret_row);
/* That of a hash. ROUTE_E_NOT_FOUND. */
_must_check_ int rewards_store_root_find(struct tx *tx, enum reward_kind kind, int64_t round,
					 const uint8_t root[static 32], struct root_row *ret_row);
/* The newest first, below (round, attempt). */
_must_check_ int rewards_store_roots(struct tx *tx, enum reward_kind kind, int64_t round,
				     int64_t attempt, size_t max, struct root_row **ret_rows,
				     size_t *ret_n);

/* ---- what the contract says ---- */

struct pot_row {
	struct u256 funded, claimed;
	int64_t active_round, pending_round; /* 0: none */
	uint8_t active_root[32], pending_root[32];
};
/* Zeros before its first event. */
_must_check_ int rewards_store_pot(struct tx *tx, enum reward_kind kind, struct pot_row *ret_row);
_must_check_ int rewards_store_pot_set(struct tx *tx, enum reward_kind kind,
				       const struct pot_row *row);
_must_check_ int rewards_store_claimed(struct tx *tx, enum reward_kind kind,
				       const struct address *account, struct u256 *ret_sum);
_must_check_ int rewards_store_claimed_set(struct tx *tx, enum reward_kind kind,
					   const struct address *account, struct u256 sum);

/* ---- corrections ---- */

struct correction_row {
	enum reward_kind kind;
	int64_t round, attempt;
	struct address account;
	struct u256 amount;
	const char *reason;
	struct account_id by;
	int64_t at_ms;
};
/* Takes it off the account's sums from its last credit through @through on. SQL_E_CONFLICT: this root has one of this
 * account. */
_must_check_ int rewards_store_correct(struct tx *tx, const struct correction_row *row,
				       int64_t through);
_must_check_ int rewards_store_corrections(struct tx *tx, enum reward_kind kind, int64_t round,
					   struct correction_row **ret_rows, size_t *ret_n);
