#include "chain/merkle.h"

#include <assert.h>

#include "base/keccak.h"

enum { BATCH = 32 /* leaves or pairs that are hashed together */ };

/* The nodes are OpenZeppelin's array: node 0 is the root, 2i + 1 and 2i + 2 are the children of i, and
 * the leaves lie at the end, the least hash last. Until the tree is sealed, the leaves' hashes lie at
 * its begin, in the order of adding. */
struct merkle {
	size_t capacity, n;
	bool sealed;
	struct merkle_hash *nodes;
	uint32_t *places; /* of the leaves in nodes */
	uint8_t batch[BATCH * MERKLE_LEAF_MAX]; /* of leaves of one length, the last ones added */
	size_t batch_n, batch_len;
};

static int compare(const struct merkle_hash *a, const struct merkle_hash *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static void join(const struct merkle_hash *a, const struct merkle_hash *b,
		 uint8_t ret_pair[static 2 * MERKLE_HASH_SIZE])
{
	bool swap = compare(a, b) > 0;

	memcpy(ret_pair, swap ? b : a, MERKLE_HASH_SIZE);
	memcpy(ret_pair + MERKLE_HASH_SIZE, swap ? a : b, MERKLE_HASH_SIZE);
}

/* ---- one leaf and its proof ---- */

void merkle_leaf(const void *encoded, size_t len, struct merkle_hash *ret_hash)
{
	uint8_t once[MERKLE_HASH_SIZE];

	keccak256(encoded, len, once);
	keccak256(once, sizeof(once), ret_hash->bytes);
}

bool merkle_leads(const struct merkle_hash *leaf, const struct merkle_hash *path, size_t n,
		  const struct merkle_hash *root)
{
	struct merkle_hash hash = *leaf;

	if (n > MERKLE_DEPTH_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		uint8_t pair[2 * MERKLE_HASH_SIZE];

		join(&hash, path + i, pair);
		keccak256(pair, sizeof(pair), hash.bytes);
	}
	return compare(&hash, root) == 0;
}

/* ---- a whole tree ---- */

int merkle_new(size_t capacity, struct merkle **ret_merkle)
{
	_cleanup_(merkle_freep) struct merkle *merkle = NULL;

	if (capacity == 0 || capacity > MERKLE_LEAVES_MAX)
		return -EINVAL;
	merkle = calloc(1, sizeof(*merkle));
	if (!merkle)
		return -ENOMEM;
	merkle->capacity = capacity;
	merkle->nodes = malloc((2 * capacity - 1) * sizeof(*merkle->nodes));
	merkle->places = malloc(capacity * sizeof(*merkle->places));
	if (!merkle->nodes || !merkle->places)
		return -ENOMEM;
	*ret_merkle = merkle;
	merkle = NULL;
	return 0;
}

void merkle_free(struct merkle *merkle)
{
	if (!merkle)
		return;
	free(merkle->nodes);
	free(merkle->places);
	free(merkle);
}

static void hash_batch(struct merkle *merkle)
{
	uint8_t once[BATCH * MERKLE_HASH_SIZE];

	keccak256_each(merkle->batch, merkle->batch_len, merkle->batch_n, once);
	keccak256_each(once, MERKLE_HASH_SIZE, merkle->batch_n,
		       merkle->nodes[merkle->n - merkle->batch_n].bytes);
	merkle->batch_n = 0;
}

int merkle_add(struct merkle *merkle, const void *encoded, size_t len)
{
	if (merkle->sealed || len > MERKLE_LEAF_MAX)
		return -EINVAL;
	if (merkle->n == merkle->capacity)
		return -ENOSPC;
	if (merkle->batch_n > 0 && (merkle->batch_n == BATCH || merkle->batch_len != len))
		hash_batch(merkle);
	if (len > 0)
		memcpy(merkle->batch + merkle->batch_n * len, encoded, len);
	merkle->batch_len = len;
	merkle->batch_n++;
	merkle->n++;
	return 0;
}

struct ranked {
	struct merkle_hash hash;
	uint32_t leaf;
};

/* Equal hashes stay in the order of adding. */
static int compare_ranked(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	int order = compare(&x->hash, &y->hash);

	return order ? order : (x->leaf > y->leaf) - (x->leaf < y->leaf);
}

static int place_leaves(struct merkle *merkle)
{
	_cleanup_(freep) struct ranked *ranked = malloc(merkle->n * sizeof(*ranked));

	if (!ranked)
		return -ENOMEM;
	for (size_t i = 0; i < merkle->n; i++)
		ranked[i] = (struct ranked){ merkle->nodes[i], (uint32_t)i };
	qsort(ranked, merkle->n, sizeof(*ranked), compare_ranked);
	for (size_t i = 0; i < merkle->n; i++) {
		size_t place = 2 * merkle->n - 2 - i;

		merkle->nodes[place] = ranked[i].hash;
		merkle->places[ranked[i].leaf] = (uint32_t)place;
	}
	return 0;
}

/* The nodes from @first to @last, whose children are known. */
static void join_children(struct merkle *merkle, size_t first, size_t last)
{
	uint8_t pairs[BATCH][2 * MERKLE_HASH_SIZE];

	for (size_t i = first; i <= last; i++)
		join(merkle->nodes + 2 * i + 1, merkle->nodes + 2 * i + 2, pairs[i - first]);
	keccak256_each(pairs, sizeof(pairs[0]), last - first + 1, merkle->nodes[first].bytes);
}

int merkle_seal(struct merkle *merkle)
{
	int r;

	if (merkle->sealed || merkle->n == 0)
		return -EINVAL;
	hash_batch(merkle);
	r = place_leaves(merkle);
	if (r < 0)
		return r;
	/* From the last inner node back to the root. Those from @left / 2 on have no child among
	 * those that are left. */
	for (size_t left = merkle->n - 1; left > 0;) {
		size_t first = left > 2 * BATCH ? left - BATCH : left / 2;

		join_children(merkle, first, left - 1);
		left = first;
	}
	merkle->sealed = true;
	return 0;
}

size_t merkle_count(const struct merkle *merkle)
{
	return merkle->n;
}

const struct merkle_hash *merkle_root(const struct merkle *merkle)
{
	assert(merkle->sealed);
	return merkle->nodes;
}

size_t merkle_prove(const struct merkle *merkle, size_t leaf,
		    struct merkle_hash ret_path[static MERKLE_DEPTH_MAX])
{
	size_t n = 0;

	assert(merkle->sealed && leaf < merkle->n);
	for (size_t node = merkle->places[leaf]; node > 0; node = (node - 1) / 2)
		ret_path[n++] = merkle->nodes[node % 2 ? node + 1 : node - 1];
	return n;
}
