#include "popw/levels.h"

#include "popw/chacha_avx2.h"

/* A vector of walks: vector i of @words holds word i of each lane of 2 walks, as the core has those of 2
 * items. */
struct walks {
	__m256i words[CHACHA_WORDS];
};

/* 8 blocks, from anywhere. */
CHACHA_AVX2_INLINE void load(const uint32_t *const blocks[CHACHA_AVX2_BLOCKS],
			     __m256i ret_words[CHACHA_WORDS])
{
	__m256i half[CHACHA_AVX2_BLOCKS];

	for (int words = 0; words < CHACHA_WORDS; words += 8) {
		for (int i = 0; i < CHACHA_AVX2_BLOCKS; i++)
			half[i] = _mm256_loadu_si256((const __m256i *)(blocks[i] + words));
		chacha_avx2_turn(half, ret_words + words);
	}
}

CHACHA_AVX2_INLINE void load_states(const struct walk_state *states, struct walks *ret_walks)
{
	const uint32_t *blocks[CHACHA_AVX2_BLOCKS];

	for (int i = 0; i < CHACHA_AVX2_BLOCKS; i++)
		blocks[i] = states[i / ITEM_LANES].words + CHACHA_WORDS * (i % ITEM_LANES);
	load(blocks, ret_walks->words);
}

/* The number of the item that each walk reads next, in all of its lanes. */
CHACHA_AVX2_INLINE __m256i next_items(const struct walks *walks, uint32_t n_items)
{
	__m256i scaled = _mm256_mul_epu32(walks->words[0], _mm256_set1_epi64x(n_items));

	return _mm256_shuffle_epi32(_mm256_srli_epi64(scaled, 32), 0);
}

CHACHA_AVX2_INLINE void mix(struct walks *walks, const __m256i items[CHACHA_WORDS])
{
	__m256i x[CHACHA_WORDS];

	for (int i = 0; i < CHACHA_WORDS; i++)
		x[i] = _mm256_xor_si256(walks->words[i], items[i]);
	chacha_avx2_double_round(x);
	for (int i = 0; i < 4; i++) { /* lane l takes row r from lane l + r */
		walks->words[i] = x[i];
		walks->words[4 + i] = _mm256_shuffle_epi32(x[4 + i], 0x39);
		walks->words[8 + i] = _mm256_shuffle_epi32(x[8 + i], 0x4e);
		walks->words[12 + i] = _mm256_shuffle_epi32(x[12 + i], 0x93);
	}
}

CHACHA_AVX2 void walk_remade_avx2(struct walk_state states[static WALKS_AVX2],
				  const struct prg_key *seed_d, uint32_t double_rounds,
				  uint32_t n_items, uint32_t steps)
{
	__m256i words[CHACHA_WORDS], items[CHACHA_WORDS];
	struct walks walks;

	load_states(states, &walks);
	chacha_avx2_items(seed_d, words);
	for (uint32_t step = 0; step < steps; step++) {
		words[12] = next_items(&walks, n_items);
		chacha_avx2_core(words, double_rounds, items);
		mix(&walks, items);
	}
	chacha_avx2_store(walks.words, states);
}

/* Asks memory for what the next step reads, and notes where it lies. */
CHACHA_AVX2_INLINE void look_ahead(const struct walks *walks, const struct item *items,
				   uint32_t n_items, const uint32_t *ret_blocks[CHACHA_AVX2_BLOCKS])
{
	uint32_t numbers[CHACHA_AVX2_BLOCKS];

	_mm256_storeu_si256((__m256i *)numbers, next_items(walks, n_items));
	for (int i = 0; i < CHACHA_AVX2_BLOCKS; i++) {
		ret_blocks[i] = items[numbers[i]].words + CHACHA_WORDS * (i % ITEM_LANES);
		__builtin_prefetch(ret_blocks[i]);
	}
}

CHACHA_AVX2 void walk_read_avx2(struct walk_state states[static WALKS_AT_ONCE],
				const struct item *items, uint32_t n_items, uint32_t steps)
{
	enum { VECTORS = WALKS_AT_ONCE / WALKS_AVX2 };
	const uint32_t *blocks[VECTORS][CHACHA_AVX2_BLOCKS];
	struct walks walks[VECTORS];
	__m256i read[CHACHA_WORDS];

	for (int i = 0; i < VECTORS; i++) {
		load_states(states + WALKS_AVX2 * i, &walks[i]);
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
		chacha_avx2_store(walks[i].words, states + WALKS_AVX2 * i);
}
