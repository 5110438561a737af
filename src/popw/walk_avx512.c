#include "popw/levels.h"

#include "popw/chacha_avx512.h"

/* A vector of walks: vector i of @words holds word i of each lane of 4 walks, as the core has those of 4
 * items. */
struct walks {
	__m512i words[CHACHA_WORDS];
};

/* 16 blocks, from anywhere. */
CHACHA_AVX512_INLINE void load(const uint32_t *const blocks[CHACHA_AVX512_BLOCKS],
			       __m512i ret_words[CHACHA_WORDS])
{
	__m512i whole[CHACHA_AVX512_BLOCKS];

	for (int i = 0; i < CHACHA_AVX512_BLOCKS; i++)
		whole[i] = _mm512_loadu_si512(blocks[i]);
	chacha_avx512_turn(whole, ret_words);
}

CHACHA_AVX512_INLINE void load_states(const struct walk_state *states, struct walks *ret_walks)
{
	const uint32_t *blocks[CHACHA_AVX512_BLOCKS];

	for (int i = 0; i < CHACHA_AVX512_BLOCKS; i++)
		blocks[i] = states[i / ITEM_LANES].words + CHACHA_WORDS * (i % ITEM_LANES);
	load(blocks, ret_walks->words);
}

/* The number of the item that each walk reads next, in all of its lanes. */
CHACHA_AVX512_INLINE __m512i next_items(const struct walks *walks, uint32_t n_items)
{
	__m512i scaled = _mm512_mul_epu32(walks->words[0], _mm512_set1_epi64(n_items));

	return _mm512_shuffle_epi32(_mm512_srli_epi64(scaled, 32), (_MM_PERM_ENUM)0);
}

CHACHA_AVX512_INLINE void mix(struct walks *walks, const __m512i items[CHACHA_WORDS])
{
	__m512i x[CHACHA_WORDS];

	for (int i = 0; i < CHACHA_WORDS; i++)
		x[i] = _mm512_xor_si512(walks->words[i], items[i]);
	chacha_avx512_double_round(x);
	for (int i = 0; i < 4; i++) { /* lane l takes row r from lane l + r */
		walks->words[i] = x[i];
		walks->words[4 + i] = _mm512_shuffle_epi32(x[4 + i], (_MM_PERM_ENUM)0x39);
		walks->words[8 + i] = _mm512_shuffle_epi32(x[8 + i], (_MM_PERM_ENUM)0x4e);
		walks->words[12 + i] = _mm512_shuffle_epi32(x[12 + i], (_MM_PERM_ENUM)0x93);
	}
}

CHACHA_AVX512 void walk_remade_avx512(struct walk_state states[static WALKS_AVX512],
				      const struct prg_key *seed_d, uint32_t double_rounds,
				      uint32_t n_items, uint32_t steps)
{
	__m512i words[CHACHA_WORDS], items[CHACHA_WORDS];
	struct walks walks;

	load_states(states, &walks);
	chacha_avx512_items(seed_d, words);
	for (uint32_t step = 0; step < steps; step++) {
		words[12] = next_items(&walks, n_items);
		chacha_avx512_core(words, double_rounds, items);
		mix(&walks, items);
	}
	chacha_avx512_store(walks.words, states);
}

/* Asks memory for what the next step reads, and notes where it lies. */
CHACHA_AVX512_INLINE void look_ahead(const struct walks *walks, const struct item *items,
				     uint32_t n_items,
				     const uint32_t *ret_blocks[CHACHA_AVX512_BLOCKS])
{
	uint32_t numbers[CHACHA_AVX512_BLOCKS];

	_mm512_storeu_si512(numbers, next_items(walks, n_items));
	for (int i = 0; i < CHACHA_AVX512_BLOCKS; i++) {
		ret_blocks[i] = items[numbers[i]].words + CHACHA_WORDS * (i % ITEM_LANES);
		__builtin_prefetch(ret_blocks[i]);
	}
}

CHACHA_AVX512 void walk_read_avx512(struct walk_state states[static WALKS_AT_ONCE],
				    const struct item *items, uint32_t n_items, uint32_t steps)
{
	enum { VECTORS = WALKS_AT_ONCE / WALKS_AVX512 };
	const uint32_t *blocks[VECTORS][CHACHA_AVX512_BLOCKS];
	struct walks walks[VECTORS];
	__m512i read[CHACHA_WORDS];

	for (int i = 0; i < VECTORS; i++) {
		load_states(states + WALKS_AVX512 * i, &walks[i]);
		look_ahead(&walks[i], items, n_items, blocks[i]);
	}
	for (uint32_t step = 0; step < steps; step++) {
		for (int i = 0; i < VECTORS; i++) {
			load(blocks[i], read);
			mix(&walks[i], read);
			look_ahead(&walks[i], items, n_items, blocks[i]);
		}
	}
	for (int i = 0; i < VECTORS; i++)
		chacha_avx512_store(walks[i].words, states + WALKS_AVX512 * i);
}
