#include "fuzz.h"

#include <assert.h>

#include "chain/merkle.h"

/* A length, and leaves of it: each proof leads to the root from its leaf, and from no other hash; what
 * the bytes themselves claim to be a proof leads nowhere. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	_cleanup_(merkle_freep) struct merkle *merkle = NULL;
	struct merkle_hash path[MERKLE_DEPTH_MAX], leaf;
	size_t each = len > 0 ? bytes[0] + 1u : 1, n = size_min((len - (len > 0)) / each, 70);

	if (n == 0 || merkle_new(n, &merkle) < 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		assert(merkle_add(merkle, bytes + 1 + i * each, each) == 0);
	assert(merkle_seal(merkle) == 0);
	for (size_t i = 0; i < n; i++) {
		size_t depth = merkle_prove(merkle, i, path);

		merkle_leaf(bytes + 1 + i * each, each, &leaf);
		assert(merkle_leads(&leaf, path, depth, merkle_root(merkle)));
		leaf.bytes[i % 32] ^= 1;
		assert(!merkle_leads(&leaf, path, depth, merkle_root(merkle)));
	}
	assert(!merkle_leads(&leaf, (const struct merkle_hash *)(bytes + 1),
			     (len - 1) / sizeof(leaf), merkle_root(merkle)));
	return 0;
}
