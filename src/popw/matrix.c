#include "popw/matrix.h"

static int32_t dot(const int8_t *a, const int8_t *b, size_t k)
{
	int32_t sum = 0;

	for (size_t i = 0; i < k; i++)
		sum += a[i] * b[i];
	return sum;
}

void matrix_tile(const int8_t *a, const int8_t *b, size_t k, struct tile *ret_tile)
{
	for (size_t r = 0; r < TILE_ROWS; r++)
		for (size_t c = 0; c < TILE_COLUMNS; c++)
			ret_tile->words[TILE_COLUMNS * r + c] = dot(a + r * k, b + c * k, k);
}

int matrix_scratch_init(struct matrix_scratch *scratch, size_t k_max)
{
	scratch->a = aligned_alloc(64, TILE_ROWS * k_max);
	scratch->b = aligned_alloc(64, TILE_COLUMNS * k_max);
	if (scratch->a && scratch->b)
		return 0;
	matrix_scratch_done(scratch);
	return -ENOMEM;
}

void matrix_scratch_done(struct matrix_scratch *scratch)
{
	free(scratch->a);
	free(scratch->b);
	*scratch = (struct matrix_scratch){};
}

void matrix_tile_remade(struct matrix_scratch *scratch, const struct prg_key *seed_g,
			const struct prg_key *seed_i, uint32_t round, uint32_t k, uint32_t n,
			uint32_t index, struct tile *ret_tile)
{
	uint32_t across = n / TILE_COLUMNS;
	uint32_t row = index / across * TILE_ROWS, column = index % across * TILE_COLUMNS;

	for (uint32_t i = 0; i < TILE_ROWS; i++)
		prg_row(seed_i, PRG_A, row + i, round, 0, scratch->a + (size_t)i * k, k);
	for (uint32_t i = 0; i < TILE_COLUMNS; i++)
		prg_row(seed_g, PRG_B, column + i, 0, 0, scratch->b + (size_t)i * k, k);
	matrix_tile(scratch->a, scratch->b, k, ret_tile);
}

int matrix_multiply(const int8_t *a, const int8_t *b, uint32_t m, uint32_t n, uint32_t k,
		    struct tile *ret_tiles)
{
	for (uint32_t r = 0; r < m; r += TILE_ROWS)
		for (uint32_t c = 0; c < n; c += TILE_COLUMNS)
			matrix_tile(a + (size_t)r * k, b + (size_t)c * k, k, ret_tiles++);
	return 0;
}
