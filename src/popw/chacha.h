/* chacha.h - the ChaCha core (Bernstein 2008), one block at a time, for prg.c, item.c and walk.c. */
#pragma once

#include "popw/prg.h"

/* The proofs are defined on little-endian words, and so is every CPU that they run on. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "popw needs a little-endian machine");

enum { CHACHA_WORDS = 16, PRG_DOUBLE_ROUNDS = 4 };

/* What comes before the four words that name the block. */
static inline void chacha_begin(const struct prg_key *key, uint32_t words[static CHACHA_WORDS])
{
	static const uint32_t constants[4] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

	memcpy(words, constants, sizeof(constants));
	memcpy(words + 4, key->words, sizeof(key->words));
}

static inline uint32_t chacha_rotate(uint32_t x, unsigned int n)
{
	return x << n | x >> (32 - n);
}

static inline void chacha_quarter(uint32_t *words, int a, int b, int c, int d)
{
	words[a] += words[b];
	words[d] = chacha_rotate(words[d] ^ words[a], 16);
	words[c] += words[d];
	words[b] = chacha_rotate(words[b] ^ words[c], 12);
	words[a] += words[b];
	words[d] = chacha_rotate(words[d] ^ words[a], 8);
	words[c] += words[d];
	words[b] = chacha_rotate(words[b] ^ words[c], 7);
}

static inline void chacha_double_round(uint32_t words[static CHACHA_WORDS])
{
	chacha_quarter(words, 0, 4, 8, 12);
	chacha_quarter(words, 1, 5, 9, 13);
	chacha_quarter(words, 2, 6, 10, 14);
	chacha_quarter(words, 3, 7, 11, 15);
	chacha_quarter(words, 0, 5, 10, 15);
	chacha_quarter(words, 1, 6, 11, 12);
	chacha_quarter(words, 2, 7, 8, 13);
	chacha_quarter(words, 3, 4, 9, 14);
}

/* The whole core: the rounds, then the words from before are added. */
static inline void chacha_core(const uint32_t words[static CHACHA_WORDS], uint32_t double_rounds,
			       uint32_t ret_words[static CHACHA_WORDS])
{
	uint32_t x[CHACHA_WORDS];

	memcpy(x, words, sizeof(x));
	for (uint32_t i = 0; i < double_rounds; i++)
		chacha_double_round(x);
	for (int i = 0; i < CHACHA_WORDS; i++)
		ret_words[i] = x[i] + words[i];
}
