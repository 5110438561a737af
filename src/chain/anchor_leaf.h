/* anchor_leaf.h - the records under an anchored root: what a record's leaf is, and the tree that all of a root's
 * make. A root's leaves are published as they are here, one behind the other in the order of their ids, so that
 * anyone builds the tree again; keccak256 of those bytes is the root's content. */
#pragma once

#include <assert.h>

#include "chain/contracts.h"
#include "chain/merkle.h"

enum { ANCHOR_LEAVES_MAX = 16384 /* of a root */ };

struct anchor_leaf {
	uint8_t id[32], digest[32];
};
static_assert(sizeof(struct anchor_leaf) == 64, "published as it is");

/* Which tree: a leaf of one is none of another. */
struct anchor_place {
	uint64_t chain_id;
	struct address contract;
	enum anchor_kind kind;
};

/* "usage", "proofs", "audit", "payouts"; -EINVAL. */
extern const char *const anchor_kind_words[ANCHOR_KINDS_N + 1]; /* NULL ends */
_must_check_ int anchor_kind_parse(const char *word, enum anchor_kind *ret_kind);

/* An id of at most 32 bytes, with zeros behind it. */
void anchor_leaf_id(const void *bytes, size_t len, uint8_t ret_id[static 32]);

/* keccak256 twice of abi.encode(uint256 chain id, address contract, uint8 kind, bytes32 id, bytes32 digest). */
void anchor_leaf_hash(const struct anchor_place *place, const struct anchor_leaf *leaf,
		      struct merkle_hash *ret_hash);

/* The tree of @leaves, in their order. -EINVAL: none, too many, or not in the order of their ids, each once;
 * -ENOMEM. */
_must_check_ int anchor_tree(const struct anchor_place *place, const struct anchor_leaf *leaves,
			     size_t n, struct merkle **ret_merkle);
