/* matrix.h - exact products of int8 matrices: C = A * B in int32.
 *
 * A is M x K by rows; B is kept by columns (N x K). Full-range int8 and K <= 65536 keep |C| <= 2^30, so
 * that every order of additions gives the same bits. Row r of A in round i is the PRG's row (PRG_A, r,
 * round i) under seed_i; column c of B its row (PRG_B, c, round 0) under seed_G.
 *
 * C is cut into tiles of 16 rows and 8 columns, numbered by rows of tiles; a tile's 512 bytes (its rows
 * one after another, little-endian) are a leaf of the round's tree. */
#pragma once

#include "popw/hash.h"
#include "popw/prg.h"

enum {
	TILE_ROWS = 16,
	TILE_COLUMNS = 8,
	TILE_WORDS = TILE_ROWS * TILE_COLUMNS,
	TILE_BYTES = TILE_WORDS * 4,
	MATRIX_K_MAX = 65536,
};

struct tile {
	int32_t words[TILE_WORDS];
};

/* @a: TILE_ROWS rows, @b: TILE_COLUMNS columns, each of @k (a multiple of 64) bytes, 64-aligned. */
void matrix_tile(const int8_t *a, const int8_t *b, size_t k, struct tile *ret_tile);

/* Room for a part of the operands of one tile, some KiB whatever K is, to be used again: -ENOMEM. */
struct matrix_scratch {
	int8_t *a, *b;
};
_must_check_ int matrix_scratch_init(struct matrix_scratch *scratch, size_t k_max);
void matrix_scratch_done(struct matrix_scratch *scratch);

/* Tile @index of round @round, from the seeds alone. */
void matrix_tile_remade(struct matrix_scratch *scratch, const struct prg_key *seed_g,
			const struct prg_key *seed_i, uint32_t round, uint32_t k, uint32_t n,
			uint32_t index, struct tile *ret_tile);

/* A whole product, tile-major: @ret_tiles holds (m / 16) * (n / 8) tiles. m a multiple of 16, n of 8,
 * k of 64, operands 64-aligned. On the calling thread; fast from 256 rows on, which the packing of B is
 * shared by. -ENOMEM. */
_must_check_ int matrix_multiply(const int8_t *a, const int8_t *b, uint32_t m, uint32_t n,
				 uint32_t k, struct tile *ret_tiles);
