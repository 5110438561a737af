#include "modules/rewards/root_trees.h"

#include <pthread.h>

enum { KEPT = 4 };

struct kept {
	enum reward_kind kind;
	uint8_t root[32];
	uint64_t used; /* by a clock that counts uses; 0: none here */
	struct reward_leaves leaves;
	struct merkle *merkle;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* what follows */
static struct kept trees[KEPT];
static uint64_t uses;
static bool computing;

static void kept_free(struct kept *tree)
{
	free(tree->leaves.items);
	merkle_free(tree->merkle);
	*tree = (struct kept){ 0 };
}

void root_trees_forget(void)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < KEPT; i++)
		kept_free(&trees[i]);
	pthread_mutex_unlock(&lock);
}

static int by_account(const void *account, const void *leaf)
{
	return memcmp(account, ((const struct reward_leaf *)leaf)->account.bytes, 20);
}

static int prove(struct kept *tree, const struct address *account, struct root_proof *ret_proof)
{
	const struct reward_leaf *leaf = bsearch(account->bytes, tree->leaves.items, tree->leaves.n,
						 sizeof(*leaf), by_account);

	tree->used = ++uses;
	if (!leaf)
		return ROUTE_E_NOT_FOUND;
	ret_proof->cumulative = leaf->cumulative;
	ret_proof->n = merkle_prove(tree->merkle, (size_t)(leaf - tree->leaves.items),
				    ret_proof->path);
	return 0;
}

static int compute(struct tx *tx, const struct root_row *row, struct kept *ret_tree)
{
	struct kept tree = { .kind = row->kind };
	int r = roots_leaves(tx, row, &tree.leaves);

	if (r != 0)
		return r;
	r = reward_leaves_tree(&tree.leaves, &tree.merkle);
	if (r == 0 && memcmp(merkle_root(tree.merkle)->bytes, row->root, 32) != 0)
		r = -EIO;
	if (r != 0) {
		kept_free(&tree);
		return r;
	}
	memcpy(tree.root, row->root, sizeof(tree.root));
	*ret_tree = tree;
	return 0;
}

/* In the place of the one that was not asked for longest. */
static struct kept *keep(const struct kept *tree)
{
	struct kept *place = &trees[0];

	for (size_t i = 1; i < KEPT; i++)
		if (trees[i].used < place->used)
			place = &trees[i];
	kept_free(place);
	*place = *tree;
	return place;
}

static struct kept *find(const struct root_row *row)
{
	for (size_t i = 0; i < KEPT; i++)
		if (trees[i].used > 0 && trees[i].kind == row->kind &&
		    memcmp(trees[i].root, row->root, sizeof(row->root)) == 0)
			return &trees[i];
	return NULL;
}

int root_trees_prove(struct tx *tx, const struct root_row *row, const struct address *account,
		     struct root_proof *ret_proof)
{
	struct kept *there, tree;
	bool wait;
	int r = 0;

	pthread_mutex_lock(&lock);
	there = find(row);
	if (there)
		r = prove(there, account, ret_proof);
	wait = computing;
	computing = computing || !there;
	pthread_mutex_unlock(&lock);
	if (there || wait)
		return there ? r : ROUTE_E_UNAVAILABLE;
	r = compute(tx, row, &tree);
	pthread_mutex_lock(&lock);
	computing = false;
	if (r == 0)
		r = prove(keep(&tree), account, ret_proof);
	pthread_mutex_unlock(&lock);
	return r;
}
