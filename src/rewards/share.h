/* share.h - an allotment given out by weights, to the last unit: the method of the largest
 * remainder.
 *
 * Everybody gets floor(allotted * weight / sum of the weights). The units that are left, fewer
 * than there are weights, go one each to those with the largest remainders; of equal remainders
 * to the lower index. */
#pragma once

#include "base/arena.h"
#include "base/u256.h"
#include "rewards/tokens.h"

/* Outcome SHARE_E_WEIGHTLESS: no weight is above zero, so nothing is given out. Faults: -ENOMEM
 * (36 bytes a weight in @arena, given back). A weight, the weights' sum and the product of a
 * weight and @allotted must fit 256 bits. */
enum share_outcome { SHARE_E_WEIGHTLESS = 1 };
_must_check_ int share_out(struct tokens allotted, const struct u256 *weights, size_t n,
			   struct arena *arena, struct tokens *ret_parts);

enum { BASIS_POINTS = 10000 };

/* In two by basis points of 10,000: an odd half unit goes to the first part. The parts add up to
 * @whole. */
void share_split(struct tokens whole, uint32_t second_bp, struct tokens *ret_first,
		 struct tokens *ret_second);
