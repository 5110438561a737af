/* merkle.h - Merkle trees as OpenZeppelin's StandardMerkleTree makes them and its MerkleProof verifies
 * them on the chain: a leaf is keccak256(keccak256(what abi.encode gives)), so that no node passes for
 * one; leaves are in order of their hashes; a node is keccak256 of its children, the lesser first, so
 * that a proof needs no sides. */
#pragma once

#include "base/base.h"

enum {
	MERKLE_HASH_SIZE = 32,
	MERKLE_LEAVES_MAX = 1 << 22, /* 100 bytes of memory for each */
	MERKLE_DEPTH_MAX = 22, /* hashes in a proof */
	MERKLE_LEAF_MAX = 1024, /* bytes, encoded */
};

struct merkle_hash {
	uint8_t bytes[MERKLE_HASH_SIZE];
};

/* What one leaf's hash is, and whether @path leads from it to @root. */
void merkle_leaf(const void *encoded, size_t len, struct merkle_hash *ret_hash);
bool merkle_leads(const struct merkle_hash *leaf, const struct merkle_hash *path, size_t n,
		  const struct merkle_hash *root);

/* A tree: all its leaves are added, then it is sealed, then it is asked. One owner at a time. */
struct merkle;

/* For at most @capacity leaves. -EINVAL: none, or more than MERKLE_LEAVES_MAX; -ENOMEM. */
_must_check_ int merkle_new(size_t capacity, struct merkle **ret_merkle);
void merkle_free(struct merkle *merkle);

/* The next leaf, which later goes by its place in the order of adding, from 0. -ENOSPC: past the
 * capacity; -EINVAL: longer than MERKLE_LEAF_MAX, or the tree is sealed. */
_must_check_ int merkle_add(struct merkle *merkle, const void *encoded, size_t len);

/* Computes the rest of the tree. -EINVAL: no leaves, or sealed already; -ENOMEM. */
_must_check_ int merkle_seal(struct merkle *merkle);

/* Of a sealed tree. The path has at most MERKLE_DEPTH_MAX hashes; none where the leaf is the root. */
size_t merkle_count(const struct merkle *merkle);
const struct merkle_hash *merkle_root(const struct merkle *merkle);
size_t merkle_prove(const struct merkle *merkle, size_t leaf,
		    struct merkle_hash ret_path[static MERKLE_DEPTH_MAX]);

static inline void merkle_freep(struct merkle **merkle)
{
	merkle_free(*merkle);
}
