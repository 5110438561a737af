/* anchor_check.h - whether a record is under a root that a network put onto the chain, by endpoints of the reader's
 * own choice.
 *
 * The reader knows the record (hence leaf.digest), the contract and who publishes there. All else is what the network
 * says, and is believed in nothing: the path must lead from the leaf to the root, the root must be the contract's
 * event of that publisher and sequence number, in a block that is final, and the heads that follow from it and from
 * all roots behind it must end at the one that the contract holds now. */
#pragma once

#include "chain/anchor_leaf.h"
#include "chain/rpc.h"

struct anchor_claim {
	struct anchor_place place;
	struct address publisher;
	struct anchor_leaf leaf;
	const struct merkle_hash *path;
	size_t n_path;
	uint64_t sequence, block; /* of the root */
	const uint8_t *
		before; /* the head before it, 32 bytes; NULL: not known, and the head not followed */
	const struct anchor_root *after; /* the roots behind it, in order; NULL: likewise */
	size_t n_after;
};

struct anchor_found {
	struct anchor_root root;
	uint8_t transaction[32];
	int64_t block, final; /* the last final one */
	uint64_t latest; /* the contract's last root */
	bool followed; /* to the head of that root */
};

enum anchor_check_outcome {
	ANCHOR_CHECK_E_FALSE = 1, /* it is not so */
	ANCHOR_CHECK_E_UNKNOWN, /* an endpoint does not say */
};

/* The last of @publisher's roots that is final, as endpoint @endpoint of @rpc has it. Outcome with @ret_why, in @arena:
 * ANCHOR_CHECK_E_UNKNOWN. -ENOMEM. */
_must_check_ int anchor_latest_of(struct rpc *rpc, size_t endpoint,
				  const struct anchor_place *place, const struct address *publisher,
				  struct arena *arena, struct anchor_latest *ret_latest,
				  const char **ret_why);

/* Every endpoint of @rpc must bear it out. Outcomes with @ret_why, in @arena. -ENOMEM. */
_must_check_ int anchor_check(struct rpc *rpc, const struct anchor_claim *claim,
			      struct arena *arena, struct anchor_found *ret_found,
			      const char **ret_why);
