#include "popw/item.h"

#include "popw/chacha.h"
#include "popw/cpu.h"
#include "popw/levels.h"

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

void item_gather(const struct prg_key *key, uint32_t double_rounds, const uint32_t *indices,
		 size_t n, struct item *ret_items)
{
	switch (cpu_level()) {
	case CPU_AVX512:
		item_gather_avx512(key, double_rounds, indices, n, ret_items);
		return;
	case CPU_AVX2:
		item_gather_avx2(key, double_rounds, indices, n, ret_items);
		return;
	case CPU_SCALAR:
		for (size_t i = 0; i < n; i++)
			make(key, double_rounds, indices[i], &ret_items[i]);
		return;
	}
}

void item_fill(const struct prg_key *key, uint32_t double_rounds, uint32_t first, size_t n,
	       struct item *ret_items)
{
	uint32_t indices[64];

	for (size_t i = 0; i < n; i += ARRAY_SIZE(indices)) {
		size_t here = size_min(n - i, ARRAY_SIZE(indices));

		for (size_t j = 0; j < here; j++)
			indices[j] = first + (uint32_t)(i + j);
		item_gather(key, double_rounds, indices, here, ret_items + i);
	}
}
