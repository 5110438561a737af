/* walk.h - dependent reads over the whole data set. A walk's state is 256 bytes; each step reads the
 * item that the state's first word points to, and mixes it in:
 *
 *	i = (S[0] * n_items) >> 32;  T = S xor item_i;  each of T's four lanes goes through one ChaCha
 *	double round;  S[16 l + j] = T[16 ((l + j / 4) mod 4) + j]
 *
 * An epoch is a number of steps. At its start the epoch's salt is mixed into words 4..11 of the state of
 * every walk w: S[4 + i] ^= salt[i] * (2 w + 1), modulo 2^32. The salt is
 * H(root of the epoch before || epoch, 4 bytes || seed_W); before the first, the root is 32 zero bytes.
 *
 * The factor keeps walks apart: with the same words for all, who committed to one state for every walk at
 * the end of a single epoch would have had but one walk to make in all epochs that follow. */
#pragma once

#include "popw/hash.h"
#include "popw/item.h"

struct walk_state {
	uint32_t words[ITEM_WORDS];
};

/* The first state of walk @w: 256 bytes of the PRG's row (PRG_STATE, w). */
void walk_start(const struct prg_key *seed_w, uint32_t w, struct walk_state *ret_state);

void walk_salt(struct hasher *hasher, const struct prg_key *seed_w, const struct hash *root_before,
	       uint32_t epoch, uint32_t ret_salt[static 8]);
void walk_enter(struct walk_state *state, uint32_t w, const uint32_t salt[static 8]);

static inline uint32_t walk_index(const struct walk_state *state, uint32_t n_items)
{
	return (uint32_t)(((uint64_t)state->words[0] * n_items) >> 32);
}

void walk_mix(struct walk_state *state, const struct item *item);

/* @steps steps of @n walks over a data set that is at hand. */
void walk_epoch(struct walk_state *states, size_t n, const struct item *items, uint32_t n_items,
		uint32_t steps);

/* The same without the data set: items are made as they are read, those of all @n walks together. */
void walk_epoch_remade(struct walk_state *states, size_t n, const struct prg_key *seed_d,
		       uint32_t double_rounds, uint32_t n_items, uint32_t steps);
