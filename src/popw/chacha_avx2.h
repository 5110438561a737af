/* chacha_avx2.h - 8 ChaCha blocks side by side: vector i holds word i of each.
 *
 * The loops are of a constant, small number of turns, and the functions inlined, so that the vectors of
 * an array stay in registers. */
#pragma once

#include <immintrin.h>

#include "popw/chacha.h"
#include "popw/levels.h"

#define CHACHA_AVX2 __attribute__((target("avx2")))
#define CHACHA_AVX2_INLINE static inline __attribute__((always_inline)) CHACHA_AVX2

enum { CHACHA_AVX2_BLOCKS = PRG_BLOCKS_AVX2 };

CHACHA_AVX2_INLINE __m256i chacha_avx2_rotate(__m256i x, int n)
{
	switch (n) { /* whole bytes are moved faster than shifted */
	case 16:
		return _mm256_shuffle_epi8(
			x, _mm256_set_epi64x(0x0d0c0f0e09080b0a, 0x0504070601000302,
					     0x0d0c0f0e09080b0a, 0x0504070601000302));
	case 8:
		return _mm256_shuffle_epi8(
			x, _mm256_set_epi64x(0x0e0d0c0f0a09080b, 0x0605040702010003,
					     0x0e0d0c0f0a09080b, 0x0605040702010003));
	default:
		return _mm256_or_si256(_mm256_slli_epi32(x, n), _mm256_srli_epi32(x, 32 - n));
	}
}

/* A quarter of two quarter rounds: rows of four words, of which row r is turned by r * @turn. */
CHACHA_AVX2_INLINE void chacha_avx2_step(__m256i x[CHACHA_WORDS], int first, int turn, int sum,
					 int added, int turned, int n)
{
	for (int i = first; i < first + 2; i++)
		x[4 * sum + (i + sum * turn) % 4] = _mm256_add_epi32(
			x[4 * sum + (i + sum * turn) % 4], x[4 * added + (i + added * turn) % 4]);
	for (int i = first; i < first + 2; i++)
		x[4 * turned + (i + turned * turn) % 4] = chacha_avx2_rotate(
			_mm256_xor_si256(x[4 * turned + (i + turned * turn) % 4],
					 x[4 * sum + (i + sum * turn) % 4]),
			n);
}

/* Two quarter rounds at once: four do not fit into 16 registers. */
CHACHA_AVX2_INLINE void chacha_avx2_quarters(__m256i x[CHACHA_WORDS], int first, int turn)
{
	chacha_avx2_step(x, first, turn, 0, 1, 3, 16);
	chacha_avx2_step(x, first, turn, 2, 3, 1, 12);
	chacha_avx2_step(x, first, turn, 0, 1, 3, 8);
	chacha_avx2_step(x, first, turn, 2, 3, 1, 7);
}

/* The last pair of the columns comes first of the diagonals, while its words are at hand. */
CHACHA_AVX2_INLINE void chacha_avx2_double_round(__m256i x[CHACHA_WORDS])
{
	chacha_avx2_quarters(x, 0, 0);
	chacha_avx2_quarters(x, 2, 0);
	chacha_avx2_quarters(x, 2, 1);
	chacha_avx2_quarters(x, 0, 1);
}

CHACHA_AVX2_INLINE void chacha_avx2_core(const __m256i words[CHACHA_WORDS], uint32_t double_rounds,
					 __m256i ret_words[CHACHA_WORDS])
{
	__m256i x[CHACHA_WORDS];

	for (int i = 0; i < CHACHA_WORDS; i++)
		x[i] = words[i];
	for (uint32_t r = 0; r < double_rounds; r++)
		chacha_avx2_double_round(x);
	for (int i = 0; i < CHACHA_WORDS; i++)
		ret_words[i] = _mm256_add_epi32(x[i], words[i]);
}

/* The same words in every block. */
CHACHA_AVX2_INLINE void chacha_avx2_spread(const uint32_t words[CHACHA_WORDS],
					   __m256i ret_words[CHACHA_WORDS])
{
	for (int i = 0; i < CHACHA_WORDS; i++)
		ret_words[i] = _mm256_set1_epi32((int)words[i]);
}

/* Turns 8 by 8 words about: vectors of words become halves of blocks, and back. */
CHACHA_AVX2_INLINE void chacha_avx2_turn(const __m256i x[8], __m256i ret_x[8])
{
	__m256i pairs[8], rows[8]; /* rows[4 g + j]: words 4 g.. of blocks j and 4 + j */

	for (int i = 0; i < 4; i++) {
		pairs[2 * i] = _mm256_unpacklo_epi32(x[2 * i], x[2 * i + 1]);
		pairs[2 * i + 1] = _mm256_unpackhi_epi32(x[2 * i], x[2 * i + 1]);
	}
	for (int i = 0; i < 8; i += 4) {
		rows[i] = _mm256_unpacklo_epi64(pairs[i], pairs[i + 2]);
		rows[i + 1] = _mm256_unpackhi_epi64(pairs[i], pairs[i + 2]);
		rows[i + 2] = _mm256_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
		rows[i + 3] = _mm256_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
	}
	for (int j = 0; j < 4; j++) {
		ret_x[j] = _mm256_permute2x128_si256(rows[j], rows[4 + j], 0x20);
		ret_x[4 + j] = _mm256_permute2x128_si256(rows[j], rows[4 + j], 0x31);
	}
}

/* 8 blocks, one after another. Any alignment. */
CHACHA_AVX2_INLINE void chacha_avx2_store(const __m256i words[CHACHA_WORDS], void *ret_blocks)
{
	for (int half = 0; half < 2; half++) {
		__m256i blocks[8];

		chacha_avx2_turn(words + 8 * half, blocks);
		for (int i = 0; i < 8; i++)
			_mm256_storeu_si256((__m256i *)ret_blocks + 2 * i + half, blocks[i]);
	}
}

/* Items, a lane to a block; only their numbers, word 12, are not there yet. */
CHACHA_AVX2_INLINE void chacha_avx2_items(const struct prg_key *key,
					  __m256i ret_words[CHACHA_WORDS])
{
	uint32_t words[CHACHA_WORDS] = { [14] = PRG_ITEM };

	chacha_begin(key, words);
	chacha_avx2_spread(words, ret_words);
	ret_words[13] = _mm256_set_epi32(3, 2, 1, 0, 3, 2, 1, 0);
}
