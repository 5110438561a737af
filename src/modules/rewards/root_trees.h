/* root_trees.h - paths from accounts to roots. The last trees that were asked for are kept; one is made at a time.
 * Thread safe. */
#pragma once

#include "modules/rewards/roots.h"

struct root_proof {
	struct u256 cumulative;
	struct merkle_hash path[MERKLE_DEPTH_MAX];
	size_t n;
};

/* ROUTE_E_NOT_FOUND: the account is in no leaf; ROUTE_E_UNAVAILABLE: another tree is being made. */
_must_check_ int root_trees_prove(struct tx *tx, const struct root_row *row,
				  const struct address *account, struct root_proof *ret_proof);

void root_trees_forget(void);
