/* levels.h - what prg.c, item.c and walk.c do with vectors, where cpu_level() has them. The same bits. */
#pragma once

#include "popw/walk.h"

enum { PRG_BLOCKS_AVX2 = 8, PRG_BLOCKS_AVX512 = 16 }; /* that fill a vector */

/* Whole vectors of the @n blocks that follow @words, the first block's: how many were made. */
size_t prg_blocks_avx2(const uint32_t words[static 16], size_t n, uint8_t *ret_blocks);
size_t prg_blocks_avx512(const uint32_t words[static 16], size_t n, uint8_t *ret_blocks);

void item_gather_avx2(const struct prg_key *key, uint32_t double_rounds, const uint32_t *indices,
		      size_t n, struct item *ret_items);
void item_gather_avx512(const struct prg_key *key, uint32_t double_rounds, const uint32_t *indices,
			size_t n, struct item *ret_items);

enum { /* walks that fill a vector, and the vectors of walks that go over a data set together */
       WALKS_AVX2 = 2,
       WALKS_AVX512 = 4,
       WALKS_AT_ONCE = 16,
};

void walk_remade_avx2(struct walk_state states[static WALKS_AVX2], const struct prg_key *seed_d,
		      uint32_t double_rounds, uint32_t n_items, uint32_t steps);
void walk_remade_avx512(struct walk_state states[static WALKS_AVX512], const struct prg_key *seed_d,
			uint32_t double_rounds, uint32_t n_items, uint32_t steps);

void walk_read_avx2(struct walk_state states[static WALKS_AT_ONCE], const struct item *items,
		    uint32_t n_items, uint32_t steps);
void walk_read_avx512(struct walk_state states[static WALKS_AT_ONCE], const struct item *items,
		      uint32_t n_items, uint32_t steps);
