#include "popw/matrix.h"

#include "popw/cpu.h"
#include "popw/matrix_kernel.h"

enum {
	ALIGNMENT = 64,
	ROWS_AT_ONCE = 256, /* of A: a slab of them fits into the second cache */
	SLAB = 1024, /* of K, for one tile; whole vectors of the PRG's blocks */
};

static const struct matrix_kernel *kernel_here(void)
{
	switch (cpu_level()) {
	case CPU_AVX512:
		return &matrix_avx512;
	case CPU_AVX2:
		return &matrix_avx2;
	case CPU_SCALAR:
		break;
	}
	return &matrix_scalar;
}

/* ---- one tile ---- */

/* The operands' rows lie @stride apart; of each @len are taken, at most SLAB. */
static void add_slab(const int8_t *a, const int8_t *b, size_t stride, size_t len, struct tile *tile)
{
	const struct matrix_kernel *kernel = kernel_here();
	_Alignas(ALIGNMENT) uint8_t rows[TILE_ROWS * SLAB * MATRIX_ELEMENT_MAX];
	_Alignas(ALIGNMENT) uint8_t columns[TILE_COLUMNS * SLAB * MATRIX_ELEMENT_MAX];
	int32_t offsets[TILE_COLUMNS];

	kernel->pack_rows(a, TILE_ROWS, stride, len, rows);
	kernel->pack_columns(b, stride, len, columns, offsets);
	kernel->add(rows, columns, len, offsets, tile);
}

void matrix_tile(const int8_t *a, const int8_t *b, size_t k, struct tile *ret_tile)
{
	memset(ret_tile, 0, sizeof(*ret_tile));
	for (size_t done = 0; done < k; done += SLAB)
		add_slab(a + done, b + done, k, size_min(k - done, SLAB), ret_tile);
}

int matrix_scratch_init(struct matrix_scratch *scratch, size_t k_max)
{
	size_t len = size_min(k_max, SLAB);

	scratch->a = aligned_alloc(ALIGNMENT, TILE_ROWS * len);
	scratch->b = aligned_alloc(ALIGNMENT, TILE_COLUMNS * len);
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

/* Slab by slab, so that the operands never leave the caches. */
void matrix_tile_remade(struct matrix_scratch *scratch, const struct prg_key *seed_g,
			const struct prg_key *seed_i, uint32_t round, uint32_t k, uint32_t n,
			uint32_t index, struct tile *ret_tile)
{
	uint32_t across = n / TILE_COLUMNS;
	uint32_t row = index / across * TILE_ROWS, column = index % across * TILE_COLUMNS;

	memset(ret_tile, 0, sizeof(*ret_tile));
	for (size_t done = 0; done < k; done += SLAB) {
		size_t len = size_min(k - done, SLAB);

		for (uint32_t i = 0; i < TILE_ROWS; i++)
			prg_row(seed_i, PRG_A, row + i, round, done, scratch->a + i * len, len);
		for (uint32_t i = 0; i < TILE_COLUMNS; i++)
			prg_row(seed_g, PRG_B, column + i, 0, done, scratch->b + i * len, len);
		add_slab(scratch->a, scratch->b, len, len, ret_tile);
	}
}

/* ---- whole products ---- */

/* The part of a product that one slab of some rows of A makes. */
struct strip {
	const struct matrix_kernel *kernel;
	const int8_t *a, *b; /* from the slab on */
	uint32_t rows, n, k;
	size_t len;
	struct tile *tiles; /* of the rows */
	uint8_t *packed_rows, *packed_columns;
};

static void add_strip(const struct strip *strip)
{
	const struct matrix_kernel *kernel = strip->kernel;
	size_t across = strip->n / TILE_COLUMNS, panel = TILE_ROWS * strip->len * kernel->element;
	int32_t offsets[TILE_COLUMNS];

	kernel->pack_rows(strip->a, strip->rows, strip->k, strip->len, strip->packed_rows);
	for (size_t c = 0; c < across; c++) {
		kernel->pack_columns(strip->b + c * TILE_COLUMNS * strip->k, strip->k, strip->len,
				     strip->packed_columns, offsets);
		for (size_t r = 0; r < strip->rows / TILE_ROWS; r++)
			kernel->add(strip->packed_rows + r * panel, strip->packed_columns,
				    strip->len, offsets, &strip->tiles[r * across + c]);
	}
}

int matrix_multiply(const int8_t *a, const int8_t *b, uint32_t m, uint32_t n, uint32_t k,
		    struct tile *ret_tiles)
{
	const struct matrix_kernel *kernel = kernel_here();
	size_t row_bytes = kernel->slab * kernel->element, across = n / TILE_COLUMNS;
	_cleanup_(freep) uint8_t *rows = aligned_alloc(ALIGNMENT, ROWS_AT_ONCE * row_bytes);
	_cleanup_(freep) uint8_t *columns = aligned_alloc(ALIGNMENT, TILE_COLUMNS * row_bytes);

	if (!rows || !columns)
		return -ENOMEM;
	memset(ret_tiles, 0, m / TILE_ROWS * across * sizeof(ret_tiles[0]));
	for (size_t row = 0; row < m; row += ROWS_AT_ONCE) {
		for (size_t done = 0; done < k; done += kernel->slab) {
			add_strip(&(struct strip){
				.kernel = kernel,
				.a = a + row * k + done,
				.b = b + done,
				.rows = (uint32_t)size_min(m - row, ROWS_AT_ONCE),
				.n = n,
				.k = k,
				.len = size_min(k - done, kernel->slab),
				.tiles = ret_tiles + row / TILE_ROWS * across,
				.packed_rows = rows,
				.packed_columns = columns,
			});
		}
	}
	return 0;
}
