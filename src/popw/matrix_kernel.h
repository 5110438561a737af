/* matrix_kernel.h - the innermost part of the products, of which each level has its own. For matrix.c.
 *
 * K is cut into slabs, so that what is multiplied again and again stays in the caches; the operands'
 * slabs are packed, one row right after another, in the form that the kernel's instructions take. Sums
 * may overflow on the way: they are right modulo 2^32, and the product fits. */
#pragma once

#include "popw/matrix.h"

struct matrix_kernel {
	size_t slab; /* of K, a multiple of 64 */
	size_t element; /* bytes, packed */

	/* @n rows of A, @stride bytes apart, of which @len are taken. */
	void (*pack_rows)(const int8_t *rows, size_t n, size_t stride, size_t len,
			  void *ret_packed);
	/* The columns of a tile alike, and what is to be added to each one's sums. */
	void (*pack_columns)(const int8_t *columns, size_t stride, size_t len, void *ret_packed,
			     int32_t ret_offsets[static TILE_COLUMNS]);
	/* Adds the slab's part to a tile. 64-aligned. */
	void (*add)(const void *rows, const void *columns, size_t len,
		    const int32_t offsets[static TILE_COLUMNS], struct tile *tile);
};

enum { MATRIX_ELEMENT_MAX = 2 };

extern const struct matrix_kernel matrix_scalar;
extern const struct matrix_kernel matrix_avx2;
extern const struct matrix_kernel matrix_avx512;
