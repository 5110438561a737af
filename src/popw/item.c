#include "popw/item.h"

#include "popw/chacha.h"

static void make(const struct prg_key *key, uint32_t double_rounds, uint32_t index,
		 struct item *ret_item)
{
	uint32_t words[CHACHA_WORDS];

	chacha_begin(key, words);
	words[12] = index;
	words[14] = PRG_ITEM;
	words[15] = 0;
	for (uint32_t lane = 0; lane < ITEM_LANES; lane++) {
		words[13] = lane;
		chacha_core(words, double_rounds, ret_item->words + CHACHA_WORDS * lane);
	}
}

void item_fill(const struct prg_key *key, uint32_t double_rounds, uint32_t first, size_t n,
	       struct item *ret_items)
{
	for (size_t i = 0; i < n; i++)
		make(key, double_rounds, first + (uint32_t)i, &ret_items[i]);
}

void item_gather(const struct prg_key *key, uint32_t double_rounds, const uint32_t *indices,
		 size_t n, struct item *ret_items)
{
	for (size_t i = 0; i < n; i++)
		make(key, double_rounds, indices[i], &ret_items[i]);
}
