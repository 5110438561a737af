/* coins.h - amounts of a token as people write them: "12.5" of one with six decimals is 12,500,000 of its
 * smallest unit. */
#pragma once

#include "base/u256.h"

enum { COINS_DECIMALS_MAX = 36, COINS_TEXT_SIZE = 128 };

/* Digits, and at most @decimals more behind a point; no sign, no exponent. -EINVAL; -ERANGE from 2^256
 * smallest units on. @decimals: COINS_DECIMALS_MAX at most. */
_must_check_ int coins_parse(const char *text, unsigned int decimals, struct u256 *ret_amount);

/* The shortest with at least one decimal: "12.5", "0.0". */
void coins_text(struct u256 amount, unsigned int decimals, char ret_text[static COINS_TEXT_SIZE]);
