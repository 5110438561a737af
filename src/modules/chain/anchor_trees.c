#include "modules/chain/anchor_trees.h"

#include <pthread.h>

#include "api/route.h"

enum { KEPT = ANCHOR_TREES_NEWEST };

struct kept {
	uint64_t sequence; /* 0: none */
	uint64_t used; /* by a clock that counts uses */
	struct anchor_leaf *leaves;
	size_t n;
	struct merkle *merkle;
};

/* Who computes for a shelf keeps others from that, and nobody from the other one. */
struct shelf {
	struct kept trees[KEPT];
	bool computing;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* what follows */
static struct shelf newest, old;
static uint64_t uses;

static void kept_free(struct kept *tree)
{
	free(tree->leaves);
	merkle_free(tree->merkle);
	*tree = (struct kept){ 0 };
}

void anchor_trees_forget(void)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < KEPT; i++) {
		kept_free(&newest.trees[i]);
		kept_free(&old.trees[i]);
	}
	pthread_mutex_unlock(&lock);
}

static int by_id(const void *id, const void *leaf)
{
	return memcmp(id, ((const struct anchor_leaf *)leaf)->id, 32);
}

static int prove(struct kept *tree, const uint8_t id[32],
		 struct merkle_hash ret_path[static MERKLE_DEPTH_MAX], size_t *ret_n)
{
	const struct anchor_leaf *leaf = bsearch(id, tree->leaves, tree->n, sizeof(*leaf), by_id);

	tree->used = ++uses;
	if (!leaf)
		return ROUTE_E_NOT_FOUND;
	*ret_n = merkle_prove(tree->merkle, (size_t)(leaf - tree->leaves), ret_path);
	return 0;
}

static int compute(const struct chain_state *state, struct tx *tx, const struct anchor_root *root,
		   struct kept *ret_tree)
{
	struct anchor_place place = {
		.chain_id = state->contracts.chain_id,
		.contract = state->contracts.at[CONTRACT_ANCHOR].address,
	};
	struct kept tree = { .sequence = root->sequence };
	struct anchor_leaf *leaves;
	int r = chain_store_leaves(tx, (int64_t)root->sequence, &place.kind, &leaves, &tree.n);

	if (r != 0)
		return r;
	r = anchor_tree(&place, leaves, tree.n, &tree.merkle);
	if (r != 0)
		return r;
	tree.leaves = malloc(tree.n * sizeof(*leaves));
	if (!tree.leaves) {
		kept_free(&tree);
		return -ENOMEM;
	}
	memcpy(tree.leaves, leaves, tree.n * sizeof(*leaves));
	*ret_tree = tree;
	return 0;
}

/* In the place of the oldest of the newest, or of the old one that was not asked for longest. */
static struct kept *keep(struct shelf *shelf, const struct kept *tree)
{
	struct kept *place = &shelf->trees[0];

	for (size_t i = 1; i < KEPT; i++) {
		struct kept *it = &shelf->trees[i];

		if (shelf == &newest ? it->sequence < place->sequence : it->used < place->used)
			place = it;
	}
	kept_free(place);
	*place = *tree;
	return place;
}

static struct kept *find_on(struct shelf *shelf, uint64_t sequence)
{
	for (size_t i = 0; i < KEPT; i++)
		if (shelf->trees[i].sequence == sequence)
			return &shelf->trees[i];
	return NULL;
}

static struct kept *find(uint64_t sequence)
{
	struct kept *there = find_on(&newest, sequence);

	return there ? there : find_on(&old, sequence);
}

static int choose(struct tx *tx, uint64_t sequence, struct shelf **ret_shelf)
{
	struct anchor_row last;
	int r = chain_store_anchor_last(tx, ANCHOR_KINDS_N, &last);

	if (r == 0)
		*ret_shelf = sequence + KEPT > last.root.sequence ? &newest : &old;
	return r;
}

int anchor_trees_prove(const struct chain_state *state, struct tx *tx,
		       const struct anchor_root *root, const uint8_t id[32],
		       struct merkle_hash ret_path[static MERKLE_DEPTH_MAX], size_t *ret_n)
{
	struct kept *there, tree;
	struct shelf *shelf;
	bool wait;
	int r = choose(tx, root->sequence, &shelf);

	if (r != 0)
		return r;
	pthread_mutex_lock(&lock);
	there = find(root->sequence);
	if (there)
		r = prove(there, id, ret_path, ret_n);
	wait = shelf->computing;
	shelf->computing = wait || !there;
	pthread_mutex_unlock(&lock);
	if (there || wait)
		return there ? r : ROUTE_E_UNAVAILABLE;
	r = compute(state, tx, root, &tree);
	pthread_mutex_lock(&lock);
	shelf->computing = false;
	if (r == 0)
		r = prove(keep(shelf, &tree), id, ret_path, ret_n);
	pthread_mutex_unlock(&lock);
	return r;
}
