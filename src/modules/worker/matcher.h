/* matcher.h - the two halves of a choice, both pure: which rows of a segment meet the hard conditions,
 * and which of the candidates gets the rental.
 *
 * A segment is a set of plain columns, one row an offer, padded to a whole number of blocks with rows
 * that meet no condition, so that a block is compared without a branch. */
#pragma once

#include "base/base.h"

enum { MATCHER_BLOCK = 64 };

struct matcher_columns {
	const int32_t *gpus; /* free; 0 in class cpu; -1 in padding */
	const int32_t *cpu_milli, *memory_mib, *disk_mib;
	const int32_t *price; /* of a GPU-hour or core-hour, micro-units */
	size_t n; /* rows without the padding */
};

struct matcher_need {
	int32_t gpus, cpu_milli, memory_mib, disk_mib;
	int32_t price_max;
};

/* Rows that meet every condition, beginning with @start's block and wrapping round, at most @max. */
size_t matcher_scan(const struct matcher_columns *columns, const struct matcher_need *need,
		    size_t start, size_t max, uint32_t *ret_rows);

struct matcher_candidate {
	int64_t price; /* > 0 */
	int32_t quality; /* 0..1000 */
	int32_t latency_ms; /* >= 0 */
};

/* What a candidate weighs beside one at the price @cheapest: falls with the square of the price, in
 * proportion to quality, and slowly with latency. At least 1. */
uint64_t matcher_weight(const struct matcher_candidate *candidate, int64_t cheapest);

/* The index of one of @n > 0 candidates, with a chance in proportion to its weight. @random: 64
 * uniform bits. */
size_t matcher_choose(const struct matcher_candidate *candidates, size_t n, uint64_t random);
