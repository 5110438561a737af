/* root_trees.h - paths from accounts to roots. The trees of each kind's root in effect and of its proposed one are kept,
 * so that whoever claims gets a path whatever else is asked for. All others share one place: one of them is kept, and
 * another is computed OLD_EVERY_MS after the last. Thread safe. */
#pragma once

#include "modules/rewards/roots.h"

struct root_proof {
	struct u256 cumulative;
	struct merkle_hash path[MERKLE_DEPTH_MAX];
	size_t n;
};

enum { ROOT_TREES_OLD_EVERY_MS = 10 * 1000 };

/* ROUTE_E_NOT_FOUND: the account is in no leaf; ROUTE_E_UNAVAILABLE: another tree is being made, or was just now. */
_must_check_ int root_trees_prove(struct tx *tx, const struct root_row *row,
				  const struct address *account, int64_t now_ms,
				  struct root_proof *ret_proof);

void root_trees_forget(void);
