#include "popw/walk.h"

#include "popw/chacha.h"

/* How many walks run side by side: enough to hide the latency of memory, or to fill vector units, while
 * their states stay in the first cache. */
enum { WALKS_AT_ONCE = 16 };

void walk_start(const struct prg_key *seed_w, uint32_t w, struct walk_state *ret_state)
{
	prg_row(seed_w, PRG_STATE, w, 0, 0, ret_state->words, sizeof(ret_state->words));
}

void walk_salt(struct hasher *hasher, const struct prg_key *seed_w, const struct hash *root_before,
	       uint32_t epoch, uint32_t ret_salt[static 8])
{
	struct hash salt;

	hasher_start(hasher);
	hasher_add(hasher, root_before->bytes, HASH_SIZE);
	hasher_add(hasher, &epoch, sizeof(epoch));
	hasher_add(hasher, seed_w->words, sizeof(seed_w->words));
	hasher_end(hasher, &salt);
	memcpy(ret_salt, salt.bytes, HASH_SIZE);
}

void walk_enter(struct walk_state *state, const uint32_t salt[static 8])
{
	for (int i = 0; i < 8; i++)
		state->words[4 + i] ^= salt[i];
}

void walk_mix(struct walk_state *state, const struct item *item)
{
	uint32_t mixed[ITEM_WORDS];

	for (int i = 0; i < ITEM_WORDS; i++)
		mixed[i] = state->words[i] ^ item->words[i];
	for (int lane = 0; lane < ITEM_LANES; lane++)
		chacha_double_round(mixed + CHACHA_WORDS * lane);
	for (int lane = 0; lane < ITEM_LANES; lane++)
		for (int j = 0; j < CHACHA_WORDS; j++)
			state->words[CHACHA_WORDS * lane + j] =
				mixed[CHACHA_WORDS * ((lane + j / 4) % ITEM_LANES) + j];
}

static void epoch_of_few(struct walk_state *states, size_t n, const struct item *items,
			 uint32_t n_items, uint32_t steps)
{
	for (uint32_t step = 0; step < steps; step++) {
		for (size_t i = 0; i < n; i++) {
			const struct item *next;

			walk_mix(&states[i], &items[walk_index(&states[i], n_items)]);
			next = &items[walk_index(&states[i], n_items)];
			for (size_t line = 0; line < ITEM_BYTES; line += 64)
				__builtin_prefetch((const uint8_t *)next + line);
		}
	}
}

void walk_epoch(struct walk_state *states, size_t n, const struct item *items, uint32_t n_items,
		uint32_t steps)
{
	for (size_t i = 0; i < n; i += WALKS_AT_ONCE)
		epoch_of_few(states + i, size_min(n - i, WALKS_AT_ONCE), items, n_items, steps);
}

static void epoch_of_few_remade(struct walk_state *states, size_t n, const struct prg_key *seed_d,
				uint32_t double_rounds, uint32_t n_items, uint32_t steps)
{
	uint32_t indices[WALKS_AT_ONCE];
	struct item items[WALKS_AT_ONCE];

	for (uint32_t step = 0; step < steps; step++) {
		for (size_t i = 0; i < n; i++)
			indices[i] = walk_index(&states[i], n_items);
		item_gather(seed_d, double_rounds, indices, n, items);
		for (size_t i = 0; i < n; i++)
			walk_mix(&states[i], &items[i]);
	}
}

void walk_epoch_remade(struct walk_state *states, size_t n, const struct prg_key *seed_d,
		       uint32_t double_rounds, uint32_t n_items, uint32_t steps)
{
	for (size_t i = 0; i < n; i += WALKS_AT_ONCE)
		epoch_of_few_remade(states + i, size_min(n - i, WALKS_AT_ONCE), seed_d,
				    double_rounds, n_items, steps);
}
