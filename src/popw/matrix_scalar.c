#include "popw/matrix_kernel.h"

/* As int16, of which every compiler knows how to make dot products. */
static void pack_rows(const int8_t *rows, size_t n, size_t stride, size_t len, void *ret_packed)
{
	int16_t *packed = ret_packed;

	for (size_t r = 0; r < n; r++)
		for (size_t i = 0; i < len; i++)
			packed[r * len + i] = rows[r * stride + i];
}

static void pack_columns(const int8_t *columns, size_t stride, size_t len, void *ret_packed,
			 int32_t ret_offsets[static TILE_COLUMNS])
{
	pack_rows(columns, TILE_COLUMNS, stride, len, ret_packed);
	memset(ret_offsets, 0, TILE_COLUMNS * sizeof(ret_offsets[0]));
}

static int32_t dot(const int16_t *a, const int16_t *b, size_t len)
{
	int32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += a[i] * b[i];
	return sum;
}

static void add(const void *rows, const void *columns, size_t len,
		_unused_ const int32_t offsets[static TILE_COLUMNS], struct tile *tile)
{
	const int16_t *a = rows, *b = columns;

	for (size_t r = 0; r < TILE_ROWS; r++)
		for (size_t c = 0; c < TILE_COLUMNS; c++)
			tile->words[TILE_COLUMNS * r + c] += dot(a + r * len, b + c * len, len);
}

const struct matrix_kernel matrix_scalar = { 1024, sizeof(int16_t), pack_rows, pack_columns, add };
