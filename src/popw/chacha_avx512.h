/* chacha_avx512.h - 16 ChaCha blocks side by side: vector i holds word i of each.
 *
 * The loops are of a constant, small number of turns, and the functions inlined, so that the vectors of
 * an array stay in registers. */
#pragma once

#include <immintrin.h>

#include "popw/chacha.h"
#include "popw/levels.h"

#define CHACHA_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))
#define CHACHA_AVX512_INLINE static inline __attribute__((always_inline)) CHACHA_AVX512

enum { CHACHA_AVX512_BLOCKS = PRG_BLOCKS_AVX512 };

CHACHA_AVX512_INLINE __m512i chacha_avx512_rotate(__m512i x, int n)
{
	switch (n) { /* an instruction's constant */
	case 16:
		return _mm512_rol_epi32(x, 16);
	case 12:
		return _mm512_rol_epi32(x, 12);
	case 8:
		return _mm512_rol_epi32(x, 8);
	default:
		return _mm512_rol_epi32(x, 7);
	}
}

/* A quarter of four quarter rounds: rows of four words, of which row r is turned by r * @turn. */
CHACHA_AVX512_INLINE void chacha_avx512_step(__m512i x[CHACHA_WORDS], int turn, int sum, int added,
					     int turned, int n)
{
	for (int i = 0; i < 4; i++)
		x[4 * sum + (i + sum * turn) % 4] = _mm512_add_epi32(
			x[4 * sum + (i + sum * turn) % 4], x[4 * added + (i + added * turn) % 4]);
	for (int i = 0; i < 4; i++)
		x[4 * turned + (i + turned * turn) % 4] = chacha_avx512_rotate(
			_mm512_xor_si512(x[4 * turned + (i + turned * turn) % 4],
					 x[4 * sum + (i + sum * turn) % 4]),
			n);
}

CHACHA_AVX512_INLINE void chacha_avx512_round(__m512i x[CHACHA_WORDS], int turn)
{
	chacha_avx512_step(x, turn, 0, 1, 3, 16);
	chacha_avx512_step(x, turn, 2, 3, 1, 12);
	chacha_avx512_step(x, turn, 0, 1, 3, 8);
	chacha_avx512_step(x, turn, 2, 3, 1, 7);
}

CHACHA_AVX512_INLINE void chacha_avx512_double_round(__m512i x[CHACHA_WORDS])
{
	chacha_avx512_round(x, 0);
	chacha_avx512_round(x, 1);
}

CHACHA_AVX512_INLINE void chacha_avx512_core(const __m512i words[CHACHA_WORDS],
					     uint32_t double_rounds,
					     __m512i ret_words[CHACHA_WORDS])
{
	__m512i x[CHACHA_WORDS];

	for (int i = 0; i < CHACHA_WORDS; i++)
		x[i] = words[i];
	for (uint32_t r = 0; r < double_rounds; r++)
		chacha_avx512_double_round(x);
	for (int i = 0; i < CHACHA_WORDS; i++)
		ret_words[i] = _mm512_add_epi32(x[i], words[i]);
}

/* The same words in every block. */
CHACHA_AVX512_INLINE void chacha_avx512_spread(const uint32_t words[CHACHA_WORDS],
					       __m512i ret_words[CHACHA_WORDS])
{
	for (int i = 0; i < CHACHA_WORDS; i++)
		ret_words[i] = _mm512_set1_epi32((int)words[i]);
}

/* Turns 16 by 16 words about: vectors of words become blocks, and blocks vectors of words. */
CHACHA_AVX512_INLINE void chacha_avx512_turn(const __m512i x[16], __m512i ret_x[16])
{
	__m512i pairs[16],
		rows[16]; /* rows[4 g + j]: words 4 g.. of blocks j, 4 + j, 8 + j, 12 + j */

	for (int i = 0; i < 8; i++) {
		pairs[2 * i] = _mm512_unpacklo_epi32(x[2 * i], x[2 * i + 1]);
		pairs[2 * i + 1] = _mm512_unpackhi_epi32(x[2 * i], x[2 * i + 1]);
	}
	for (int i = 0; i < 16; i += 4) {
		rows[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
		rows[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
		rows[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
		rows[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
	}
	for (int j = 0; j < 4; j++) {
		__m512i front = _mm512_shuffle_i32x4(rows[j], rows[4 + j], 0x44);
		__m512i front_end = _mm512_shuffle_i32x4(rows[8 + j], rows[12 + j], 0x44);
		__m512i back = _mm512_shuffle_i32x4(rows[j], rows[4 + j], 0xee);
		__m512i back_end = _mm512_shuffle_i32x4(rows[8 + j], rows[12 + j], 0xee);

		ret_x[j] = _mm512_shuffle_i32x4(front, front_end, 0x88);
		ret_x[4 + j] = _mm512_shuffle_i32x4(front, front_end, 0xdd);
		ret_x[8 + j] = _mm512_shuffle_i32x4(back, back_end, 0x88);
		ret_x[12 + j] = _mm512_shuffle_i32x4(back, back_end, 0xdd);
	}
}

/* 16 blocks, one after another. Any alignment. */
CHACHA_AVX512_INLINE void chacha_avx512_store(const __m512i words[CHACHA_WORDS], void *ret_blocks)
{
	__m512i blocks[16];

	chacha_avx512_turn(words, blocks);
	for (int i = 0; i < 16; i++)
		_mm512_storeu_si512((__m512i *)ret_blocks + i, blocks[i]);
}

/* Items, a lane to a block; only their numbers, word 12, are not there yet. */
CHACHA_AVX512_INLINE void chacha_avx512_items(const struct prg_key *key,
					      __m512i ret_words[CHACHA_WORDS])
{
	uint32_t words[CHACHA_WORDS] = { [14] = PRG_ITEM };

	chacha_begin(key, words);
	chacha_avx512_spread(words, ret_words);
	ret_words[13] = _mm512_set4_epi32(3, 2, 1, 0);
}
