/* Every level of the arithmetic gives the values of vectors.h. */
#include "popw/vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "popw/level_world.h"
#include "popw/matrix.h"
#include "popw/tree.h"
#include "popw/walk.h"

static struct hasher *hasher;

static int set_up(void **state)
{
	(void)state;
	return hasher_new(&hasher);
}

static int tear_down(void **state)
{
	(void)state;
	hasher_free(hasher);
	return 0;
}

static struct prg_key key_of(const char *text)
{
	struct prg_key key;
	struct hash hash;

	hasher_once(hasher, text, strlen(text), &hash);
	prg_key_from(hash.bytes, &key);
	return key;
}

/* In the middle of more of the row, so that vector code makes them. */
static void check_blocks(void)
{
	struct prg_key key = key_of(VECTOR_KEY_G);
	uint8_t row[32 * PRG_BLOCK];

	for (size_t i = 0; i < ARRAY_SIZE(vector_blocks); i++) {
		uint32_t before = vector_blocks[i].counter < 31 ? 0 : 31;
		uint64_t offset = (uint64_t)(vector_blocks[i].counter - before) * PRG_BLOCK;

		prg_row(&key, vector_blocks[i].tag, vector_blocks[i].row, vector_blocks[i].round,
			offset, row, sizeof(row));
		assert_memory_equal(row + (size_t)before * PRG_BLOCK, vector_blocks[i].bytes,
				    PRG_BLOCK);
	}
}

static void test_blocks(void **state)
{
	(void)state;
	at_every_level(check_blocks);
}

static void check_items(void)
{
	struct prg_key key = key_of(VECTOR_KEY_D);

	for (size_t i = 0; i < ARRAY_SIZE(vector_items); i++) {
		struct item item;
		struct hash hash;

		item_fill(&key, vector_items[i].double_rounds, vector_items[i].index, 1, &item);
		hasher_once(hasher, &item, sizeof(item), &hash);
		assert_memory_equal(hash.bytes, vector_items[i].hash.bytes, HASH_SIZE);
	}
}

static void test_items(void **state)
{
	(void)state;
	at_every_level(check_items);
}

static void assert_epoch(const struct walk_state *states, uint32_t epoch, struct hash *ret_root)
{
	struct hash nodes[2 * VECTOR_WALK_WALKS];

	for (uint32_t w = 0; w < VECTOR_WALK_WALKS; w++)
		hasher_once(hasher, &states[w], sizeof(states[w]), &nodes[VECTOR_WALK_WALKS + w]);
	tree_build(hasher, nodes, VECTOR_WALK_WALKS);
	assert_memory_equal(&states[0], vector_walk_states[epoch], sizeof(states[0]));
	assert_memory_equal(nodes[1].bytes, vector_walk_roots[epoch], HASH_SIZE);
	*ret_root = nodes[1];
}

static void check_walks(void)
{
	struct prg_key seed_d = key_of(VECTOR_KEY_D), seed_w = key_of(VECTOR_KEY_W);
	struct walk_state read[VECTOR_WALK_WALKS], remade[VECTOR_WALK_WALKS];
	static struct item items[VECTOR_WALK_ITEMS];
	struct hash root = {};
	uint32_t salt[8];

	item_fill(&seed_d, VECTOR_WALK_DOUBLE_ROUNDS, 0, VECTOR_WALK_ITEMS, items);
	for (uint32_t w = 0; w < VECTOR_WALK_WALKS; w++)
		walk_start(&seed_w, w, &read[w]);
	memcpy(remade, read, sizeof(remade));
	for (uint32_t epoch = 0; epoch < VECTOR_WALK_EPOCHS; epoch++) {
		walk_salt(hasher, &seed_w, &root, epoch, salt);
		assert_memory_equal(salt, vector_walk_salts[epoch], HASH_SIZE);
		for (uint32_t w = 0; w < VECTOR_WALK_WALKS; w++) {
			walk_enter(&read[w], w, salt);
			walk_enter(&remade[w], w, salt);
		}
		walk_epoch(read, VECTOR_WALK_WALKS, items, VECTOR_WALK_ITEMS, VECTOR_WALK_STEPS);
		walk_epoch_remade(remade, VECTOR_WALK_WALKS, &seed_d, VECTOR_WALK_DOUBLE_ROUNDS,
				  VECTOR_WALK_ITEMS, VECTOR_WALK_STEPS);
		assert_epoch(read, epoch, &root);
		assert_epoch(remade, epoch, &root);
	}
}

static void test_walks(void **state)
{
	(void)state;
	at_every_level(check_walks);
}

static void check_tile(void)
{
	struct prg_key seed_g = key_of(VECTOR_KEY_G), seed_i = key_of(VECTOR_KEY_ROUND);
	_cleanup_(matrix_scratch_done) struct matrix_scratch scratch = {};
	struct hash leaf;
	struct tile tile;

	assert_int_equal(matrix_scratch_init(&scratch, VECTOR_TILE_K), 0);
	matrix_tile_remade(&scratch, &seed_g, &seed_i, VECTOR_TILE_ROUND, VECTOR_TILE_K,
			   VECTOR_TILE_N, VECTOR_TILE_INDEX, &tile);
	assert_memory_equal(tile.words, vector_tile_row, sizeof(vector_tile_row));
	hasher_once(hasher, &tile, TILE_BYTES, &leaf);
	assert_memory_equal(leaf.bytes, vector_tile_leaf, HASH_SIZE);
}

static void test_tile(void **state)
{
	(void)state;
	at_every_level(check_tile);
}

static void check_round(void)
{
	enum {
		M = VECTOR_MATRIX_M,
		N = VECTOR_MATRIX_N,
		K = VECTOR_MATRIX_K,
		TILES = M / 16 * (N / 8)
	};
	struct prg_key seed_g = key_of(VECTOR_KEY_G), seed_i = key_of(VECTOR_KEY_ROUND);
	_Alignas(64) static int8_t a[M * K], b[N * K];
	struct hash nodes[2 * TILES];
	struct tile tiles[TILES];

	for (uint32_t i = 0; i < M; i++)
		prg_row(&seed_i, PRG_A, i, VECTOR_MATRIX_ROUND, 0, a + (size_t)i * K, K);
	for (uint32_t i = 0; i < N; i++)
		prg_row(&seed_g, PRG_B, i, 0, 0, b + (size_t)i * K, K);
	assert_int_equal(matrix_multiply(a, b, M, N, K, tiles), 0);
	for (size_t i = 0; i < TILES; i++)
		hasher_once(hasher, &tiles[i], TILE_BYTES, &nodes[TILES + i]);
	tree_build(hasher, nodes, TILES);
	assert_memory_equal(nodes[1].bytes, vector_matrix_root, HASH_SIZE);
}

static void test_round(void **state)
{
	(void)state;
	at_every_level(check_round);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks), cmocka_unit_test(test_items),
		cmocka_unit_test(test_walks),  cmocka_unit_test(test_tile),
		cmocka_unit_test(test_round),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
