#include "popw/walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "popw/chacha.h"
#include "popw/level_world.h"

enum { WALKS = 53, ITEMS = 1000, STEPS = 17, DOUBLE_ROUNDS = 5 };

static const struct prg_key seed_d = { { 1, 2, 3, 4, 5, 6, 7, 8 } };
static const struct prg_key seed_w = { { 8, 7, 6, 5, 4, 3, 2, 1 } };

static void start_all(struct walk_state states[WALKS])
{
	for (uint32_t w = 0; w < WALKS; w++)
		walk_start(&seed_w, w, &states[w]);
}

/* One step as the header says it. */
static void step_by_the_book(struct walk_state *state)
{
	uint32_t mixed[4][CHACHA_WORDS];
	struct item item;
	uint32_t index = (uint32_t)(((uint64_t)state->words[0] * ITEMS) >> 32);

	item_fill(&seed_d, DOUBLE_ROUNDS, index, 1, &item);
	for (int l = 0; l < 4; l++) {
		for (int j = 0; j < 16; j++)
			mixed[l][j] = state->words[16 * l + j] ^ item.words[16 * l + j];
		chacha_double_round(mixed[l]);
	}
	for (int l = 0; l < 4; l++)
		for (int j = 0; j < 16; j++)
			state->words[16 * l + j] = mixed[(l + j / 4) % 4][j];
}

static void check_epochs(void)
{
	struct walk_state expected[WALKS], read[WALKS + 1], remade[WALKS + 1];
	_cleanup_(freep) struct item *items = malloc(ITEMS * sizeof(struct item));

	assert_non_null(items);
	item_fill(&seed_d, DOUBLE_ROUNDS, 0, ITEMS, items);
	start_all(expected);
	for (size_t w = 0; w < WALKS; w++)
		for (int step = 0; step < STEPS; step++)
			step_by_the_book(&expected[w]);
	for (size_t n = 0; n <= WALKS; n++) {
		start_all(read);
		start_all(remade);
		memset(&read[n], 0xee, sizeof(read[n]));
		remade[n] = read[n];
		walk_epoch(read, n, items, ITEMS, STEPS);
		walk_epoch_remade(remade, n, &seed_d, DOUBLE_ROUNDS, ITEMS, STEPS);
		assert_memory_equal(read, expected, n * sizeof(read[0]));
		assert_memory_equal(remade, expected, n * sizeof(remade[0]));
		assert_int_equal(read[n].words[63], 0xeeeeeeee);
		assert_int_equal(remade[n].words[0], 0xeeeeeeee);
	}
}

static void test_epochs(void **state)
{
	(void)state;
	at_every_level(check_epochs);
}

static void test_index_stays_in_the_set(void **state)
{
	struct walk_state walk = { { UINT32_MAX } };

	(void)state;
	assert_int_equal(walk_index(&walk, 1000), 999);
	assert_int_equal(walk_index(&walk, UINT32_MAX), UINT32_MAX - 1);
	walk.words[0] = 0;
	assert_int_equal(walk_index(&walk, UINT32_MAX), 0);
}

static void test_salt(void **state)
{
	_cleanup_(hasher_freep) struct hasher *hasher = NULL;
	uint8_t text[68] = { [0] = 9,  [31] = 8, [32] = 0x04, [33] = 0x03, [36] = 8, [40] = 7,
			     [44] = 6, [48] = 5, [52] = 4,    [56] = 3,    [60] = 2, [64] = 1 };
	struct hash root = { { [0] = 9, [31] = 8 } }, expected;
	struct walk_state walk = {};
	uint32_t salt[8];

	(void)state;
	assert_int_equal(hasher_new(&hasher), 0);
	hasher_once(hasher, text, sizeof(text), &expected);
	walk_salt(hasher, &seed_w, &root, 0x0304, salt);
	assert_memory_equal(salt, expected.bytes, HASH_SIZE);

	walk.words[3] = walk.words[12] = 1;
	walk.words[4] = 0x55;
	walk_enter(&walk, 0, salt);
	assert_int_equal(walk.words[3], 1);
	assert_int_equal(walk.words[4], salt[0] ^ 0x55);
	assert_int_equal(walk.words[11], salt[7]);
	assert_int_equal(walk.words[12], 1);
}

/* Walks that were brought together do not stay together. */
static void test_salts_part_walks(void **state)
{
	const uint32_t salt[8] = { 3, 5, 7, 0x80000001, 11, 13, 17, UINT32_MAX };
	struct walk_state walk = {}, other = {};

	(void)state;
	walk_enter(&walk, 6, salt);
	walk_enter(&other, 7, salt);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(walk.words[4 + i], salt[i] * 13);
		assert_int_equal(other.words[4 + i], salt[i] * 15);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_epochs),
		cmocka_unit_test(test_index_stays_in_the_set),
		cmocka_unit_test(test_salt),
		cmocka_unit_test(test_salts_part_walks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
