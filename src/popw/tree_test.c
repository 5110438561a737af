#include "popw/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { LEAVES = 16, DEPTH = 4 };

static struct hasher *hasher;
static struct hash nodes[2 * LEAVES];

static int set_up(void **state)
{
	(void)state;
	if (hasher_new(&hasher))
		return -1;
	for (uint32_t leaf = 0; leaf < LEAVES; leaf++)
		hasher_once(hasher, &leaf, sizeof(leaf), &nodes[LEAVES + leaf]);
	tree_build(hasher, nodes, LEAVES);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hasher_free(hasher);
	return 0;
}

static void test_every_node_is_of_its_children(void **state)
{
	struct hash expected;

	(void)state;
	for (int i = 1; i < LEAVES; i++) {
		hasher_once(hasher, &nodes[2 * i], 2 * HASH_SIZE, &expected);
		assert_true(hash_equal(&nodes[i], &expected));
	}
}

static void test_every_path_leads(void **state)
{
	struct hash path[DEPTH];

	(void)state;
	assert_int_equal(tree_depth(LEAVES), DEPTH);
	for (uint32_t leaf = 0; leaf < LEAVES; leaf++) {
		const struct hash *here = &nodes[LEAVES + leaf];

		tree_path(nodes, LEAVES, leaf, path);
		assert_true(tree_leads(hasher, here, leaf, LEAVES, path, &nodes[1]));
		assert_false(tree_leads(hasher, here, leaf ^ 1, LEAVES, path, &nodes[1]));
		assert_false(tree_leads(hasher, here, leaf + LEAVES, LEAVES, path, &nodes[1]));
		assert_false(tree_leads(hasher, here, leaf, LEAVES, path, &nodes[2]));
		for (int i = 0; i < DEPTH; i++) {
			path[i].bytes[leaf] ^= 0x40;
			assert_false(tree_leads(hasher, here, leaf, LEAVES, path, &nodes[1]));
			path[i].bytes[leaf] ^= 0x40;
		}
	}
}

static void test_a_leaf_alone_is_the_root(void **state)
{
	struct hash alone[2] = { { { 0 } }, { { 7 } } };

	(void)state;
	tree_build(hasher, alone, 1);
	assert_int_equal(tree_depth(1), 0);
	assert_int_equal(alone[1].bytes[0], 7);
	assert_true(tree_leads(hasher, &alone[1], 0, 1, NULL, &alone[1]));
	assert_false(tree_leads(hasher, &alone[1], 1, 1, NULL, &alone[1]));
}

static void test_depth_of_the_largest(void **state)
{
	(void)state;
	assert_int_equal(tree_depth(TREE_LEAVES_MAX), TREE_DEPTH_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_node_is_of_its_children),
		cmocka_unit_test(test_every_path_leads),
		cmocka_unit_test(test_a_leaf_alone_is_the_root),
		cmocka_unit_test(test_depth_of_the_largest),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
