#include "modules/rewards/root_trees.h"

#include <pthread.h>

enum { PINNED = 2 /* of a kind: in effect, and proposed */ };

struct kept {
	bool there;
	uint8_t root[32];
	struct reward_leaves leaves;
	struct merkle *merkle;
};

/* Who is computing for a shelf keeps others from it, and nobody from another shelf. */
struct shelf {
	struct kept places[PINNED];
	bool computing;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* what follows */
static struct shelf shelves[REWARD_KINDS_N + 1]; /* each kind's; the last for old roots */
static int64_t old_made_ms;

static void kept_free(struct kept *tree)
{
	free(tree->leaves.items);
	merkle_free(tree->merkle);
	*tree = (struct kept){ 0 };
}

void root_trees_forget(void)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < ARRAY_SIZE(shelves); i++)
		for (size_t k = 0; k < PINNED; k++)
			kept_free(&shelves[i].places[k]);
	old_made_ms = 0;
	pthread_mutex_unlock(&lock);
}

static int by_account(const void *account, const void *leaf)
{
	return memcmp(account, ((const struct reward_leaf *)leaf)->account.bytes, 20);
}

static int prove(const struct kept *tree, const struct address *account,
		 struct root_proof *ret_proof)
{
	const struct reward_leaf *leaf = bsearch(account->bytes, tree->leaves.items, tree->leaves.n,
						 sizeof(*leaf), by_account);

	if (!leaf)
		return ROUTE_E_NOT_FOUND;
	ret_proof->cumulative = leaf->cumulative;
	ret_proof->n = merkle_prove(tree->merkle, (size_t)(leaf - tree->leaves.items),
				    ret_proof->path);
	return 0;
}

static int compute(struct tx *tx, const struct root_row *row, struct kept *ret_tree)
{
	struct kept tree = { .there = true };
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

/* ---- places ---- */

static bool is_root(const uint8_t a[static 32], const uint8_t b[static 32])
{
	return memcmp(a, b, 32) == 0;
}

static const struct kept *find(const struct shelf *shelf, const uint8_t root[static 32])
{
	for (size_t i = 0; i < PINNED; i++)
		if (shelf->places[i].there && is_root(shelf->places[i].root, root))
			return &shelf->places[i];
	return NULL;
}

/* Where it may be put: not in the place of @other, which stays. The old ones have one place. */
static const struct kept *put(struct shelf *shelf, const struct kept *tree, const uint8_t *other)
{
	struct kept *place = &shelf->places[0];

	if (other && place->there && is_root(place->root, other))
		place = &shelf->places[1];
	kept_free(place);
	*place = *tree;
	return place;
}

/* @ret_other: the root that stays beside it; NULL for the old ones. */
static int choose(struct tx *tx, const struct root_row *row, struct pot_row *pot,
		  struct shelf **ret_shelf, const uint8_t **ret_other)
{
	int r = rewards_store_pot(tx, row->kind, pot);

	if (r != 0)
		return r;
	*ret_shelf = &shelves[row->kind];
	if (is_root(row->root, pot->active_root)) {
		*ret_other = pot->pending_root;
	} else if (is_root(row->root, pot->pending_root)) {
		*ret_other = pot->active_root;
	} else {
		*ret_other = NULL;
		*ret_shelf = &shelves[REWARD_KINDS_N];
	}
	return 0;
}

/* Whether the caller is to compute it now; then nobody else does. */
static bool take_turn(struct shelf *shelf, bool old, int64_t now_ms)
{
	int64_t since_ms = now_ms - old_made_ms;

	if (shelf->computing || (old && since_ms >= 0 && since_ms < ROOT_TREES_OLD_EVERY_MS))
		return false;
	shelf->computing = true;
	if (old)
		old_made_ms = now_ms;
	return true;
}

int root_trees_prove(struct tx *tx, const struct root_row *row, const struct address *account,
		     int64_t now_ms, struct root_proof *ret_proof)
{
	const struct kept *there;
	const uint8_t *other;
	struct shelf *shelf;
	struct pot_row pot;
	struct kept tree;
	bool mine;
	int r = choose(tx, row, &pot, &shelf, &other);

	if (r != 0)
		return r;
	pthread_mutex_lock(&lock);
	there = find(shelf, row->root);
	if (there)
		r = prove(there, account, ret_proof);
	mine = !there && take_turn(shelf, !other, now_ms);
	pthread_mutex_unlock(&lock);
	if (!mine)
		return there ? r : ROUTE_E_UNAVAILABLE;
	r = compute(tx, row, &tree);
	pthread_mutex_lock(&lock);
	shelf->computing = false;
	if (r == 0)
		r = prove(put(shelf, &tree, other), account, ret_proof);
	pthread_mutex_unlock(&lock);
	return r;
}
