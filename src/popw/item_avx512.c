#include "popw/levels.h"

#include "popw/chacha_avx512.h"

enum { ITEMS = CHACHA_AVX512_BLOCKS / ITEM_LANES }; /* of one vector */

CHACHA_AVX512 void item_gather_avx512(const struct prg_key *key, uint32_t double_rounds,
				      const uint32_t *indices, size_t n, struct item *ret_items)
{
	__m512i words[CHACHA_WORDS], made[CHACHA_WORDS];

	chacha_avx512_items(key, words);
	for (size_t i = 0; i < n; i += ITEMS) {
		size_t here = size_min(n - i, ITEMS);
		uint32_t numbers[CHACHA_AVX512_BLOCKS];
		struct item few[ITEMS];

		for (size_t block = 0; block < CHACHA_AVX512_BLOCKS; block++)
			numbers[block] = indices[i + size_min(block / ITEM_LANES, here - 1)];
		words[12] = _mm512_loadu_si512(numbers);
		chacha_avx512_core(words, double_rounds, made);
		if (here == ITEMS) {
			chacha_avx512_store(made, ret_items + i);
		} else {
			chacha_avx512_store(made, few);
			memcpy(ret_items + i, few, here * sizeof(few[0]));
		}
	}
}
