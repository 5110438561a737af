#include "popw/walk.h"

#include "popw/chacha.h"
#include "popw/cpu.h"
#include "popw/levels.h"

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

void walk_enter(struct walk_state *state, uint32_t w, const uint32_t salt[static 8])
{
	for (int i = 0; i < 8; i++)
		state->words[4 + i] ^= salt[i] * (2 * w + 1);
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

static void read_scalar(struct walk_state *states, size_t n, const struct item *items,
			uint32_t n_items, uint32_t steps)
{
	for (uint32_t step = 0; step < steps; step++)
		for (size_t i = 0; i < n; i++) {
			walk_mix(&states[i], &items[walk_index(&states[i], n_items)]);
			__builtin_prefetch(&items[walk_index(&states[i], n_items)]);
		}
}

static void remake_scalar(struct walk_state *state, const struct prg_key *seed_d,
			  uint32_t double_rounds, uint32_t n_items, uint32_t steps)
{
	struct item item;

	for (uint32_t step = 0; step < steps; step++) {
		item_fill(seed_d, double_rounds, walk_index(state, n_items), 1, &item);
		walk_mix(state, &item);
	}
}

/* Where too few walks are left, ones that nobody looks at fill the vectors. */
void walk_epoch(struct walk_state *states, size_t n, const struct item *items, uint32_t n_items,
		uint32_t steps)
{
	struct walk_state few[WALKS_AT_ONCE] = {};

	for (size_t i = 0; i < n; i += WALKS_AT_ONCE) {
		size_t here = size_min(n - i, WALKS_AT_ONCE);

		memcpy(few, states + i, here * sizeof(few[0]));
		switch (cpu_level()) {
		case CPU_AVX512:
			walk_read_avx512(few, items, n_items, steps);
			break;
		case CPU_AVX2:
			walk_read_avx2(few, items, n_items, steps);
			break;
		case CPU_SCALAR:
			read_scalar(few, here, items, n_items, steps);
			break;
		}
		memcpy(states + i, few, here * sizeof(few[0]));
	}
}

/* How many walks were made: of @n, as many as fit into a vector. */
static size_t remake_few(struct walk_state few[static WALKS_AVX512], const struct prg_key *seed_d,
			 uint32_t double_rounds, uint32_t n_items, uint32_t steps)
{
	switch (cpu_level()) {
	case CPU_AVX512:
		walk_remade_avx512(few, seed_d, double_rounds, n_items, steps);
		return WALKS_AVX512;
	case CPU_AVX2:
		walk_remade_avx2(few, seed_d, double_rounds, n_items, steps);
		return WALKS_AVX2;
	case CPU_SCALAR:
		break;
	}
	remake_scalar(few, seed_d, double_rounds, n_items, steps);
	return 1;
}

void walk_epoch_remade(struct walk_state *states, size_t n, const struct prg_key *seed_d,
		       uint32_t double_rounds, uint32_t n_items, uint32_t steps)
{
	struct walk_state few[WALKS_AVX512] = {};

	while (n) {
		size_t here = size_min(n, WALKS_AVX512), made;

		memcpy(few, states, here * sizeof(few[0]));
		made = remake_few(few, seed_d, double_rounds, n_items, steps);
		made = size_min(made, here);
		memcpy(states, few, made * sizeof(few[0]));
		states += made;
		n -= made;
	}
}
