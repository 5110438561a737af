#include "chain/anchor_leaf.h"

enum { LEAF_WORDS = 5 };

const char *const anchor_kind_words[ANCHOR_KINDS_N + 1] = {
	[ANCHOR_USAGE] = "usage",
	[ANCHOR_PROOFS] = "proofs",
	[ANCHOR_AUDIT] = "audit",
	[ANCHOR_PAYOUTS] = "payouts",
};

int anchor_kind_parse(const char *word, enum anchor_kind *ret_kind)
{
	for (enum anchor_kind kind = 0; kind < ANCHOR_KINDS_N; kind++)
		if (strcmp(anchor_kind_words[kind], word) == 0) {
			*ret_kind = kind;
			return 0;
		}
	return -EINVAL;
}

void anchor_leaf_id(const void *bytes, size_t len, uint8_t ret_id[static 32])
{
	memset(ret_id, 0, 32);
	memcpy(ret_id, bytes, size_min(len, 32));
}

static void encode(const struct anchor_place *place, const struct anchor_leaf *leaf,
		   uint8_t words[static LEAF_WORDS][32])
{
	memset(words, 0, LEAF_WORDS * 32);
	u256_bytes(u256_from(place->chain_id), words[0]);
	memcpy(words[1] + 12, place->contract.bytes, 20);
	words[2][31] = (uint8_t)place->kind;
	memcpy(words[3], leaf->id, 32);
	memcpy(words[4], leaf->digest, 32);
}

void anchor_leaf_hash(const struct anchor_place *place, const struct anchor_leaf *leaf,
		      struct merkle_hash *ret_hash)
{
	uint8_t words[LEAF_WORDS][32];

	encode(place, leaf, words);
	merkle_leaf(words, sizeof(words), ret_hash);
}

int anchor_tree(const struct anchor_place *place, const struct anchor_leaf *leaves, size_t n,
		struct merkle **ret_merkle)
{
	struct merkle *merkle;
	uint8_t words[LEAF_WORDS][32];
	int r = n > ANCHOR_LEAVES_MAX ? -EINVAL : merkle_new(n, &merkle);

	if (r != 0)
		return r;
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (i > 0 && memcmp(leaves[i - 1].id, leaves[i].id, 32) >= 0)
			r = -EINVAL;
		encode(place, &leaves[i], words);
		if (r == 0)
			r = merkle_add(merkle, words, sizeof(words));
	}
	if (r == 0)
		r = merkle_seal(merkle);
	if (r == 0)
		*ret_merkle = merkle;
	else
		merkle_free(merkle);
	return r;
}
