#include "popw/matrix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "popw/level_world.h"

static int8_t *operand(size_t bytes)
{
	int8_t *operand = aligned_alloc(64, bytes);

	assert_non_null(operand);
	return operand;
}

static void fill_random(int8_t *bytes, size_t len, uint64_t *random)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (int8_t)next_random(random);
}

static int64_t dot_by_the_book(const int8_t *a, const int8_t *b, size_t k)
{
	int64_t sum = 0;

	for (size_t i = 0; i < k; i++)
		sum += (int64_t)a[i] * b[i];
	return sum;
}

static void assert_tile(const struct tile *tile, const int8_t *a, const int8_t *b, size_t k)
{
	for (size_t r = 0; r < TILE_ROWS; r++)
		for (size_t c = 0; c < TILE_COLUMNS; c++)
			assert_int_equal(tile->words[TILE_COLUMNS * r + c],
					 dot_by_the_book(a + r * k, b + c * k, k));
}

/* Sums at both ends of what K = 65536 can reach: 2^30 and -127 * 128 * 2^16. */
static void check_extremes(void)
{
	static const int8_t values[] = { -128, -1, 0, 127 };
	_cleanup_(freep) int8_t *a = operand(TILE_ROWS * MATRIX_K_MAX);
	_cleanup_(freep) int8_t *b = operand(TILE_COLUMNS * MATRIX_K_MAX);
	struct tile tile, product;

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(values); j++) {
			memset(a, values[i], TILE_ROWS * MATRIX_K_MAX);
			memset(b, values[j], TILE_COLUMNS * MATRIX_K_MAX);
			matrix_tile(a, b, MATRIX_K_MAX, &tile);
			assert_int_equal(matrix_multiply(a, b, TILE_ROWS, TILE_COLUMNS,
							 MATRIX_K_MAX, &product),
					 0);
			for (size_t w = 0; w < TILE_WORDS; w++)
				assert_int_equal(tile.words[w],
						 values[i] * values[j] * MATRIX_K_MAX);
			assert_memory_equal(&tile, &product, TILE_BYTES);
		}
	}
}

static void test_extremes(void **state)
{
	(void)state;
	at_every_level(check_extremes);
}

static void check_tiles(void)
{
	static const size_t lengths[] = { 64, 128, 192, 448, 1024, 4160 };
	uint64_t random = 3;

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		size_t k = lengths[i];
		_cleanup_(freep) int8_t *a = operand(TILE_ROWS * k);
		_cleanup_(freep) int8_t *b = operand(TILE_COLUMNS * k);
		struct tile tile;

		fill_random(a, TILE_ROWS * k, &random);
		fill_random(b, TILE_COLUMNS * k, &random);
		matrix_tile(a, b, k, &tile);
		assert_tile(&tile, a, b, k);
	}
}

static void test_tiles(void **state)
{
	(void)state;
	at_every_level(check_tiles);
}

static void check_product(uint32_t m, uint32_t n, uint32_t k, uint64_t *random)
{
	size_t tiles = (size_t)(m / TILE_ROWS) * (n / TILE_COLUMNS);
	_cleanup_(freep) int8_t *a = operand((size_t)m * k);
	_cleanup_(freep) int8_t *b = operand((size_t)n * k);
	_cleanup_(freep) struct tile *product = malloc((tiles + 1) * sizeof(struct tile));
	struct tile untouched;

	assert_non_null(product);
	fill_random(a, (size_t)m * k, random);
	fill_random(b, (size_t)n * k, random);
	memset(product, 0xee, (tiles + 1) * sizeof(struct tile));
	untouched = product[tiles];
	assert_int_equal(matrix_multiply(a, b, m, n, k, product), 0);
	for (size_t t = 0; t < tiles; t++) {
		size_t row = t / (n / TILE_COLUMNS) * TILE_ROWS;
		size_t column = t % (n / TILE_COLUMNS) * TILE_COLUMNS;

		assert_tile(&product[t], a + row * k, b + column * k, k);
	}
	assert_memory_equal(&product[tiles], &untouched, TILE_BYTES);
}

/* Shapes that fill no block of any level's kernel, and ones that span several. */
static void check_products(void)
{
	uint64_t random = 4;

	check_product(16, 8, 64, &random);
	check_product(48, 24, 192, &random);
	check_product(16, 136, 64, &random);
	check_product(272, 8, 320, &random);
	check_product(32, 32, 9024, &random);
	check_product(80, 104, 2112, &random);
	for (int i = 0; i < 12; i++)
		check_product(16 * (1 + next_random(&random) % 9),
			      8 * (1 + next_random(&random) % 17),
			      64 * (1 + next_random(&random) % 9), &random);
}

static void test_products(void **state)
{
	(void)state;
	at_every_level(check_products);
}

static const struct prg_key seed_g = { { 1, 2, 3 } }, seed_i = { { 4, 5, 6 } };

/* Each tile of a small round is the one that the whole product has there. */
static void check_remade(void)
{
	enum { M = 48, N = 32, K = 1088, TILES = M / TILE_ROWS * (N / TILE_COLUMNS) };
	_cleanup_(matrix_scratch_done) struct matrix_scratch scratch = {};
	_cleanup_(freep) int8_t *a = operand(M * K), *b = operand(N * K);
	struct tile tile;

	assert_int_equal(matrix_scratch_init(&scratch, K), 0);
	for (uint32_t i = 0; i < M; i++)
		prg_row(&seed_i, PRG_A, i, 9, 0, a + (size_t)i * K, K);
	for (uint32_t i = 0; i < N; i++)
		prg_row(&seed_g, PRG_B, i, 0, 0, b + (size_t)i * K, K);
	for (uint32_t t = 0; t < TILES; t++) {
		matrix_tile_remade(&scratch, &seed_g, &seed_i, 9, K, N, t, &tile);
		assert_tile(&tile, a + (size_t)t / (N / 8) * 16 * K,
			    b + (size_t)t % (N / 8) * 8 * K, K);
	}
}

static void test_remade(void **state)
{
	(void)state;
	at_every_level(check_remade);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_tiles),
		cmocka_unit_test(test_products),
		cmocka_unit_test(test_remade),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
