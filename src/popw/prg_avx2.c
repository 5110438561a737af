#include "popw/levels.h"

#include "popw/chacha_avx2.h"

CHACHA_AVX2 size_t prg_blocks_avx2(const uint32_t words[static CHACHA_WORDS], size_t n,
				   uint8_t *ret_blocks)
{
	__m256i x[CHACHA_WORDS], blocks[CHACHA_WORDS];
	size_t made = 0;

	chacha_avx2_spread(words, x);
	x[12] = _mm256_add_epi32(x[12], _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0));
	for (; n - made >= CHACHA_AVX2_BLOCKS; made += CHACHA_AVX2_BLOCKS) {
		chacha_avx2_core(x, PRG_DOUBLE_ROUNDS, blocks);
		chacha_avx2_store(blocks, ret_blocks + PRG_BLOCK * made);
		x[12] = _mm256_add_epi32(x[12], _mm256_set1_epi32(CHACHA_AVX2_BLOCKS));
	}
	return made;
}
