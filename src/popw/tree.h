/* tree.h - Merkle trees over a power of two of leaves. A leaf is H of its bytes (a tile's 512, a walk
 * state's 256), a node H of its two children's 64 bytes. Node 1 is the root, 2i and 2i+1 are the
 * children of i, leaf l is node leaves + l. */
#pragma once

#include "popw/hash.h"

enum { TREE_LEAVES_MAX = 1 << 24, TREE_DEPTH_MAX = 24 };

/* @nodes: 2 * leaves; those from @leaves on are filled in. Fills in the rest. */
void tree_build(struct hasher *hasher, struct hash *nodes, uint32_t leaves);

/* The siblings from the leaf up, depth of them. */
uint32_t tree_depth(uint32_t leaves);
void tree_path(const struct hash *nodes, uint32_t leaves, uint32_t leaf, struct hash *ret_path);

/* Whether the path leads from the leaf's hash to the root. */
bool tree_leads(struct hasher *hasher, const struct hash *leaf_hash, uint32_t leaf, uint32_t leaves,
		const struct hash *path, const struct hash *root);
