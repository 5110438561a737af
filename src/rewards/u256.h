/* u256.h - unsigned integers of 256 bits, for products that must not be rounded before they are
 * divided. What does not fit is a mistake of the caller, whose bounds rule it out, and ends the
 * program. */
#pragma once

#include "base/base.h"

struct u256 {
	uint64_t limbs[4]; /* the least significant first */
};

struct u256 u256_from(unsigned __int128 value);
/* Asserts that it fits. */
unsigned __int128 u256_low(struct u256 a);
bool u256_is_zero(struct u256 a);
int u256_compare(const struct u256 *a, const struct u256 *b);
struct u256 u256_add(struct u256 a, struct u256 b);
struct u256 u256_mul(struct u256 a, struct u256 b);
/* @divisor is not zero. */
struct u256 u256_divide(struct u256 dividend, struct u256 divisor, struct u256 *ret_remainder);
