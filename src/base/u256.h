/* u256.h - unsigned integers of 256 bits: for products that must not be rounded before they are
 * divided, and as the EVM has them. What does not fit is a mistake of the caller, whose bounds rule it
 * out, and ends the program; only u256_parse is for what others wrote. */
#pragma once

#include "base/base.h"

struct u256 {
	uint64_t limbs[4]; /* the least significant first */
};

struct u256 u256_from(unsigned __int128 value);
/* Asserts that it fits. */
unsigned __int128 u256_low(struct u256 a);

/* As the EVM has them: 32 bytes, the most significant first. */
struct u256 u256_from_bytes(const uint8_t bytes[static 32]);
void u256_bytes(struct u256 a, uint8_t ret_bytes[static 32]);

/* Up to the highest one: 0 for zero, 256 at most. */
unsigned int u256_bits(struct u256 a);

enum { U256_TEXT_SIZE = 79 };

/* Decimal, without leading zeros; gives the length. */
size_t u256_text(struct u256 a, char ret_text[static U256_TEXT_SIZE]);

/* Exactly what u256_text writes. -EINVAL; -ERANGE from 2^256 on. */
_must_check_ int u256_parse(const char *text, size_t len, struct u256 *ret_value);

bool u256_is_zero(struct u256 a);
int u256_compare(const struct u256 *a, const struct u256 *b);
struct u256 u256_add(struct u256 a, struct u256 b);
/* @b is not above @a. */
struct u256 u256_subtract(struct u256 a, struct u256 b);
struct u256 u256_mul(struct u256 a, struct u256 b);
/* @divisor is not zero. */
struct u256 u256_divide(struct u256 dividend, struct u256 divisor, struct u256 *ret_remainder);
