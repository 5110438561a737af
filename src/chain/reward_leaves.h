/* reward_leaves.h - the leaves under a root of the contract Distributor: for each account all that it ever earned of a
 * kind. They are published as text, from which anyone builds the tree again:
 *
 *	kaisar reward leaves 1
 *	chain 3338
 *	distributor 0x...
 *	kind liquid
 *	round 3			the contract's "epoch": roots of a kind are numbered from 1 on
 *	through 41		the last epoch of rewards that it has
 *	total 1200
 *	0x... 1000		ACCOUNT UNITS, by account, ascending; lower case
 *	0x... 200
 *	end
 */
#pragma once

#include "chain/contracts.h"
#include "chain/merkle.h"

enum { REWARD_LEAVES_TEXT_MAX = 48 << 20 }; /* what the network sends, and a reader takes */

struct reward_leaf {
	struct address account;
	struct u256 cumulative;
};

struct reward_leaves {
	uint64_t chain_id;
	struct address distributor;
	enum reward_kind kind;
	uint64_t round, through;
	struct u256 total;
	struct reward_leaf *items;
	size_t n;
};

/* "liquid", "vested"; NULL ends. -EINVAL. */
extern const char *const reward_kind_words[REWARD_KINDS_N + 1];
_must_check_ int reward_kind_parse(const char *word, enum reward_kind *ret_kind);

/* keccak256 twice of abi.encode(uint256 chain id, address contract, uint8 kind, address account, uint256
 * cumulative). */
void reward_leaf_hash(const struct reward_leaves *leaves, const struct reward_leaf *leaf,
		      struct merkle_hash *ret_hash);

/* -EINVAL: none, too many, not by account, each once, or they do not add up to the total; -ENOMEM. */
_must_check_ int reward_leaves_tree(const struct reward_leaves *leaves, struct merkle **ret_merkle);

/* What the text of @n leaves that add up to @total has at most, in bytes. */
size_t reward_leaves_size(size_t n, struct u256 total);

/* The caller frees *@ret_text. -ENOMEM. */
_must_check_ int reward_leaves_write(const struct reward_leaves *leaves, char **ret_text,
				     size_t *ret_len);

/* Exactly what reward_leaves_write writes; the items are malloc'ed. -EINVAL with the @ret_line that is not;
 * -ENOMEM. */
_must_check_ int reward_leaves_read(const char *text, size_t len, struct reward_leaves *ret_leaves,
				    size_t *ret_line);
