#include "popw/tree.h"

static void node(struct hasher *hasher, const struct hash children[static 2],
		 struct hash *ret_parent)
{
	hasher_once(hasher, children, 2 * HASH_SIZE, ret_parent);
}

void tree_build(struct hasher *hasher, struct hash *nodes, uint32_t leaves)
{
	for (uint32_t i = leaves - 1; i; i--)
		node(hasher, &nodes[2 * i], &nodes[i]);
}

uint32_t tree_depth(uint32_t leaves)
{
	return (uint32_t)__builtin_ctz(leaves);
}

void tree_path(const struct hash *nodes, uint32_t leaves, uint32_t leaf, struct hash *ret_path)
{
	for (uint32_t i = leaves + leaf; i > 1; i /= 2)
		*ret_path++ = nodes[i ^ 1];
}

bool tree_leads(struct hasher *hasher, const struct hash *leaf_hash, uint32_t leaf, uint32_t leaves,
		const struct hash *path, const struct hash *root)
{
	struct hash children[2], here = *leaf_hash;

	if (leaf >= leaves)
		return false;
	for (uint32_t i = leaves + leaf; i > 1; i /= 2) {
		children[i % 2] = here;
		children[1 - i % 2] = *path++;
		node(hasher, children, &here);
	}
	return hash_equal(&here, root);
}
