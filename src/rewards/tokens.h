/* tokens.h - amounts of the network's token, in its smallest unit: integers below 2^96. Epoch
 * totals, stakes and rewards; the accounting currency is struct amount. */
#pragma once

#include "base/base.h"

struct tokens {
	unsigned __int128 units;
};

#define TOKENS_MAX (((unsigned __int128)1 << 96) - 1)

enum { TOKENS_TEXT_SIZE = 40 };

/* Decimal, without leading zeros; gives the length. */
size_t tokens_text(struct tokens tokens, char ret_text[static TOKENS_TEXT_SIZE]);

/* Exactly what tokens_text writes. -EINVAL; -ERANGE above TOKENS_MAX. */
_must_check_ int tokens_parse(const char *text, size_t len, struct tokens *ret_tokens);
