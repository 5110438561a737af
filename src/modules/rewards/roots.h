/* roots.h - how what was earned comes onto the chain. When the last root of a kind is in effect and epochs were credited
 * since, the accounts' sums through the last of them become a root (chain/reward_leaves.h), which is proposed to the
 * contract, and put into effect when its delay has passed: one root of a kind at a time, numbered without gaps, each
 * call written with what makes it due. The chain's final events alone say that a step was done (pots.h).
 *
 * settings->chain_root_tokens bounds by how much a root grows: it then has as many epochs as fit, and the next the rest.
 *
 * What needs somebody is a problem that names the remedy: a pot with too little in it; a root that the guardian
 * withdrew, which waits until an operator has it made anew; calls that the contract does not take, which are
 * made again less and less often; an epoch that alone is above the bound; roots that this store did not make. */
#pragma once

#include "modules/rewards/rewards_store_roots.h"

enum { ROOTS_PROBLEM_MAX = 512 };

/* The next step of either kind; outside of a transaction. @ret_problem: "" or what needs somebody. */
_must_check_ int roots_turn(const struct context *context, struct arena *arena,
			    char ret_problem[static ROOTS_PROBLEM_MAX]);

/* What lies under a root; the caller frees the items. Only of the last attempt at a round. */
_must_check_ int roots_leaves(struct tx *tx, const struct root_row *row,
			      struct reward_leaves *ret_leaves);
