#include "popw/matrix_kernel.h"

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

/* Rows and columns of C that are summed at once: their sums, and what they are made of, fill 16 registers. */
enum { ROWS = 2, COLUMNS = 4 };

/* As int16: pmaddwd is exact, where pmaddubsw on the bytes themselves would saturate. */
AVX2 static void pack_rows(const int8_t *rows, size_t n, size_t stride, size_t len,
			   void *ret_packed)
{
	__m256i *packed = ret_packed;

	for (size_t r = 0; r < n; r++)
		for (size_t i = 0; i < len; i += 16)
			*packed++ = _mm256_cvtepi8_epi16(
				_mm_loadu_si128((const __m128i *)(rows + r * stride + i)));
}

static void pack_columns(const int8_t *columns, size_t stride, size_t len, void *ret_packed,
			 int32_t ret_offsets[static TILE_COLUMNS])
{
	pack_rows(columns, TILE_COLUMNS, stride, len, ret_packed);
	memset(ret_offsets, 0, TILE_COLUMNS * sizeof(ret_offsets[0]));
}

/* The eight sums over the words of eight vectors, in order. */
AVX2 static inline __m256i sums_of(const __m256i x[ROWS * COLUMNS])
{
	__m256i first = _mm256_hadd_epi32(_mm256_hadd_epi32(x[0], x[1]),
					  _mm256_hadd_epi32(x[2], x[3]));
	__m256i second = _mm256_hadd_epi32(_mm256_hadd_epi32(x[4], x[5]),
					   _mm256_hadd_epi32(x[6], x[7]));

	return _mm256_add_epi32(_mm256_permute2x128_si256(first, second, 0x20),
				_mm256_permute2x128_si256(first, second, 0x31));
}

/* Two rows by four columns, each of @vectors. */
AVX2 static inline __m256i block(const __m256i *a, const __m256i *b, size_t vectors)
{
	__m256i sums[ROWS * COLUMNS];

	for (int i = 0; i < ROWS * COLUMNS; i++)
		sums[i] = _mm256_setzero_si256();
	for (size_t v = 0; v < vectors; v++) {
		__m256i a0 = a[v], a1 = a[vectors + v];

		for (int c = 0; c < COLUMNS; c++) {
			__m256i column = b[c * vectors + v];

			sums[c] = _mm256_add_epi32(sums[c], _mm256_madd_epi16(a0, column));
			sums[COLUMNS + c] = _mm256_add_epi32(sums[COLUMNS + c],
							     _mm256_madd_epi16(a1, column));
		}
	}
	return sums_of(sums);
}

AVX2 static void add(const void *rows, const void *columns, size_t len,
		     _unused_ const int32_t offsets[static TILE_COLUMNS], struct tile *tile)
{
	size_t vectors = len * sizeof(int16_t) / sizeof(__m256i);
	const __m256i *a = rows, *b = columns;

	for (size_t r = 0; r < TILE_ROWS; r += ROWS) {
		__m256i left = block(a + r * vectors, b, vectors);
		__m256i right = block(a + r * vectors, b + COLUMNS * vectors, vectors);
		__m256i *to = (__m256i *)(tile->words + TILE_COLUMNS * r);
		__m256i upper = _mm256_permute2x128_si256(left, right, 0x20);
		__m256i lower = _mm256_permute2x128_si256(left, right, 0x31);

		_mm256_storeu_si256(to, _mm256_add_epi32(_mm256_loadu_si256(to), upper));
		_mm256_storeu_si256(to + 1, _mm256_add_epi32(_mm256_loadu_si256(to + 1), lower));
	}
}

const struct matrix_kernel matrix_avx2 = { 1024, sizeof(int16_t), pack_rows, pack_columns, add };
