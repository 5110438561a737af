/* item.h - the data set that fills a GPU's memory: 256-byte items that are costly to make again.
 *
 * Item i is four lanes of 64 bytes. Lane l is the ChaCha core with @double_rounds double rounds and the
 * final addition, over the words (i, l, PRG_ITEM, 0). At 256 double rounds an item costs about 98,000
 * integer operations. */
#pragma once

#include "popw/prg.h"

enum { ITEM_BYTES = 256, ITEM_WORDS = 64, ITEM_LANES = 4, ITEM_DOUBLE_ROUNDS_MAX = 4096 };

struct item {
	uint32_t words[ITEM_WORDS];
};

/* Items @first .. @first + @n - 1. */
void item_fill(const struct prg_key *key, uint32_t double_rounds, uint32_t first, size_t n,
	       struct item *ret_items);

/* Any items, for many walks at once. */
void item_gather(const struct prg_key *key, uint32_t double_rounds, const uint32_t *indices,
		 size_t n, struct item *ret_items);
