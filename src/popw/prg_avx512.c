#include "popw/levels.h"

#include "popw/chacha_avx512.h"

CHACHA_AVX512 size_t prg_blocks_avx512(const uint32_t words[static CHACHA_WORDS], size_t n,
				       uint8_t *ret_blocks)
{
	__m512i x[CHACHA_WORDS], blocks[CHACHA_WORDS];
	size_t made = 0;

	chacha_avx512_spread(words, x);
	x[12] = _mm512_add_epi32(
		x[12], _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
	for (; n - made >= CHACHA_AVX512_BLOCKS; made += CHACHA_AVX512_BLOCKS) {
		chacha_avx512_core(x, PRG_DOUBLE_ROUNDS, blocks);
		chacha_avx512_store(blocks, ret_blocks + PRG_BLOCK * made);
		x[12] = _mm512_add_epi32(x[12], _mm512_set1_epi32(CHACHA_AVX512_BLOCKS));
	}
	return made;
}
