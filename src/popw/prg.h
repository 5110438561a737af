/* prg.h - the pseudo-random bytes of the proofs: ChaCha8 in counter mode.
 *
 * A block is ChaCha (Bernstein 2008) with 8 rounds over the constants "expand 32-byte k", the key's
 * eight little-endian words, and the words (counter, round, tag, row): 64 bytes. A row is its
 * blocks with counters from 0 on. */
#pragma once

#include "base/base.h"

enum { PRG_BLOCK = 64 };

enum prg_tag { /* what a stream is for */
	       PRG_A = 0x41, /* rows of A_i */
	       PRG_B = 0x42, /* columns of B */
	       PRG_OPENING = 0x4f,
	       PRG_STATE = 0x53, /* the first states of the walks */
	       PRG_BANDWIDTH = 0x54,
	       PRG_ITEM = 0x57, /* items of the data set (item.h) */
};

struct prg_key {
	uint32_t words[8];
};

/* From 32 bytes, little-endian words. */
void prg_key_from(const uint8_t bytes[static 32], struct prg_key *ret_key);

/* @len bytes of the row from byte @offset on; both multiples of PRG_BLOCK, offset + len at most 2^38.
 * Any alignment. */
void prg_row(const struct prg_key *key, enum prg_tag tag, uint32_t row, uint32_t round,
	     uint64_t offset, void *ret_bytes, size_t len);
