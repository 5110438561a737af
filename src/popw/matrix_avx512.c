#include "popw/matrix_kernel.h"

#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

/* Rows of C that are summed at once, all columns of a tile: the sums are half of the registers, and their
 * order is the tile's. */
enum { ROWS = 2 };

/* vpdpbusd multiplies unsigned bytes by signed ones, so a + 128 stands for a: all sums become larger by
 * 128 times the sum of the column. */
AVX512 static void pack_rows(const int8_t *rows, size_t n, size_t stride, size_t len,
			     void *ret_packed)
{
	__m512i *packed = ret_packed;

	for (size_t r = 0; r < n; r++)
		for (size_t i = 0; i < len; i += 64)
			*packed++ = _mm512_xor_si512(_mm512_loadu_si512(rows + r * stride + i),
						     _mm512_set1_epi8(-128));
}

AVX512 static void pack_columns(const int8_t *columns, size_t stride, size_t len, void *ret_packed,
				int32_t ret_offsets[static TILE_COLUMNS])
{
	__m512i *packed = ret_packed;

	for (size_t c = 0; c < TILE_COLUMNS; c++) {
		__m512i sums = _mm512_setzero_si512();

		for (size_t i = 0; i < len; i += 64) {
			__m512i bytes = _mm512_loadu_si512(columns + c * stride + i);

			*packed++ = bytes;
			sums = _mm512_dpbusd_epi32(sums, _mm512_set1_epi8(-128), bytes);
		}
		ret_offsets[c] = -_mm512_reduce_add_epi32(sums);
	}
}

/* The sixteen sums over the words of sixteen vectors, in order. */
AVX512 static inline __m512i sums_of(const __m512i x[16])
{
	__m512i twos[8], fours[4], eights[2];

	for (int i = 0; i < 8; i++)
		twos[i] = _mm512_add_epi32(_mm512_unpacklo_epi32(x[2 * i], x[2 * i + 1]),
					   _mm512_unpackhi_epi32(x[2 * i], x[2 * i + 1]));
	for (int i = 0; i < 4; i++)
		fours[i] = _mm512_add_epi32(_mm512_unpacklo_epi64(twos[2 * i], twos[2 * i + 1]),
					    _mm512_unpackhi_epi64(twos[2 * i], twos[2 * i + 1]));
	for (int i = 0; i < 2; i++)
		eights[i] = _mm512_add_epi32(
			_mm512_shuffle_i32x4(fours[2 * i], fours[2 * i + 1], 0x44),
			_mm512_shuffle_i32x4(fours[2 * i], fours[2 * i + 1], 0xee));
	return _mm512_add_epi32(_mm512_shuffle_i32x4(eights[0], eights[1], 0x88),
				_mm512_shuffle_i32x4(eights[0], eights[1], 0xdd));
}

/* The instruction itself, and not its intrinsic, around which gcc 12 moves every sum back and forth. */
AVX512 static inline __m512i add_products(__m512i sums, __m512i a, __m512i b)
{
	__asm__("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(a), "v"(b));
	return sums;
}

/* Two rows by eight columns, each of @vectors. */
AVX512 static inline __m512i block(const __m512i *a, const __m512i *b, size_t vectors)
{
	__m512i sums[ROWS * TILE_COLUMNS];

	for (int i = 0; i < ROWS * TILE_COLUMNS; i++)
		sums[i] = _mm512_setzero_si512();
	for (size_t v = 0; v < vectors; v++) {
		__m512i a0 = a[v], a1 = a[vectors + v];

		for (int c = 0; c < TILE_COLUMNS; c++) {
			__m512i column = b[c * vectors + v];

			sums[c] = add_products(sums[c], a0, column);
			sums[TILE_COLUMNS + c] = add_products(sums[TILE_COLUMNS + c], a1, column);
		}
	}
	return sums_of(sums);
}

AVX512 static void add(const void *rows, const void *columns, size_t len,
		       const int32_t offsets[static TILE_COLUMNS], struct tile *tile)
{
	size_t vectors = len / sizeof(__m512i);
	const __m512i *a = rows, *b = columns;
	__m256i once = _mm256_loadu_si256((const __m256i *)offsets);
	__m512i twice = _mm512_inserti64x4(_mm512_castsi256_si512(once), once, 1);

	for (size_t r = 0; r < TILE_ROWS; r += ROWS) {
		int32_t *to = tile->words + TILE_COLUMNS * r;
		__m512i before = _mm512_add_epi32(_mm512_loadu_si512(to), twice);

		_mm512_storeu_si512(to,
				    _mm512_add_epi32(before, block(a + r * vectors, b, vectors)));
	}
}

const struct matrix_kernel matrix_avx512 = { 2048, sizeof(int8_t), pack_rows, pack_columns, add };
