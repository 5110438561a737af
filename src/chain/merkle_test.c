#include "chain/merkle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/codec.h"
#include "base/keccak.h"
#include "base/random.h"

static void assert_hex(const struct merkle_hash *hash, const char *expected)
{
	char text[2 * MERKLE_HASH_SIZE + 1];

	hex_encode(hash->bytes, sizeof(hash->bytes), text);
	assert_string_equal(text, expected);
}

/* The example of OpenZeppelin's merkle-tree: [address, uint256] of two leaves. */
static void known_tree(void **state _unused_)
{
	_cleanup_(merkle_freep) struct merkle *merkle = NULL;
	struct merkle_hash path[MERKLE_DEPTH_MAX], leaf;
	uint8_t leaves[2][64] = { 0 };

	for (size_t i = 0; i < 2; i++) {
		memset(leaves[i] + 12, i == 0 ? 0x11 : 0x22, 20);
		assert_int_equal(hex_decode(i == 0 ? "4563918244f40000" : "22b1c8c1227a0000", 16,
					    leaves[i] + 56, 8),
				 0);
	}
	assert_int_equal(merkle_new(2, &merkle), 0);
	assert_int_equal(merkle_add(merkle, leaves[0], 64), 0);
	assert_int_equal(merkle_add(merkle, leaves[1], 64), 0);
	assert_int_equal(merkle_add(merkle, leaves[1], 64), -ENOSPC);
	assert_int_equal(merkle_seal(merkle), 0);
	assert_hex(merkle_root(merkle),
		   "d4dee0beab2d53f2cc83e567171bd2820e49898130a22622b10ead383e90bd77");
	assert_int_equal(merkle_prove(merkle, 0, path), 1);
	assert_hex(path, "b92c48e9d7abe27fd8dfd6b5dfdbfb1c9a463f80c712b66f3a5180a090cccafc");
	merkle_leaf(leaves[0], 64, &leaf);
	assert_true(merkle_leads(&leaf, path, 1, merkle_root(merkle)));
	assert_false(merkle_leads(&leaf, path, 0, merkle_root(merkle)));
	path[0].bytes[31] ^= 1;
	assert_false(merkle_leads(&leaf, path, 1, merkle_root(merkle)));
}

/* Leaf @i of a tree of @n: of several lengths, some of them twice. */
static size_t make_leaf(size_t i, uint8_t leaf[static 160])
{
	size_t len = i % 7 == 3 ? 160 : i % 5 == 0 ? 64 : 96;
	uint64_t number = i % 11 == 10 ? i - 1 : i;

	memset(leaf, 0, 160);
	memcpy(leaf, &number, sizeof(number));
	return len;
}

/* Pair by pair, as the definition says. */
static void plain_root(size_t n, struct merkle_hash *ret_root)
{
	struct merkle_hash *nodes = calloc(2 * n, sizeof(*nodes));

	assert_non_null(nodes);
	for (size_t i = 0; i < n; i++) {
		uint8_t bytes[160];
		struct merkle_hash leaf;
		size_t len = make_leaf(i, bytes), at = i;

		merkle_leaf(bytes, len, &leaf);
		for (; at > 0 && memcmp(nodes[2 * n - 1 - at].bytes, leaf.bytes, 32) > 0; at--)
			nodes[2 * n - 2 - at] = nodes[2 * n - 1 - at];
		nodes[2 * n - 2 - at] = leaf;
	}
	for (size_t i = n - 1; i-- > 0;) {
		const struct merkle_hash *a = nodes + 2 * i + 1, *b = a + 1;
		uint8_t pair[64];

		memcpy(pair, memcmp(a->bytes, b->bytes, 32) < 0 ? a : b, 32);
		memcpy(pair + 32, memcmp(a->bytes, b->bytes, 32) < 0 ? b : a, 32);
		keccak256(pair, sizeof(pair), nodes[i].bytes);
	}
	*ret_root = nodes[0];
	free(nodes);
}

static void assert_tree(size_t n)
{
	_cleanup_(merkle_freep) struct merkle *merkle = NULL;
	struct merkle_hash path[MERKLE_DEPTH_MAX], leaf, root;
	uint8_t bytes[160];

	assert_int_equal(merkle_new(n, &merkle), 0);
	for (size_t i = 0; i < n; i++) {
		size_t len = make_leaf(i, bytes);

		assert_int_equal(merkle_add(merkle, bytes, len), 0);
	}
	assert_int_equal(merkle_seal(merkle), 0);
	assert_int_equal(merkle_count(merkle), n);
	plain_root(n, &root);
	assert_memory_equal(root.bytes, merkle_root(merkle)->bytes, sizeof(root.bytes));
	for (size_t i = 0; i < n; i++) {
		size_t len = make_leaf(i, bytes), depth = merkle_prove(merkle, i, path);

		merkle_leaf(bytes, len, &leaf);
		assert_true(merkle_leads(&leaf, path, depth, &root));
		leaf.bytes[0] ^= 0x80;
		assert_false(merkle_leads(&leaf, path, depth, &root));
	}
}

static void all_sizes(void **state _unused_)
{
	for (size_t n = 1; n <= 140; n++)
		assert_tree(n);
	assert_tree(1000);
	assert_tree(1024);
}

static void bounds(void **state _unused_)
{
	_cleanup_(merkle_freep) struct merkle *merkle = NULL;
	struct merkle_hash path[MERKLE_DEPTH_MAX + 1] = { 0 }, leaf = { 0 }, root = { 0 };
	static uint8_t bytes[MERKLE_LEAF_MAX + 1];

	assert_int_equal(merkle_new(0, &merkle), -EINVAL);
	assert_int_equal(merkle_new(MERKLE_LEAVES_MAX + 1, &merkle), -EINVAL);
	assert_int_equal(merkle_new(40, &merkle), 0);
	assert_int_equal(merkle_seal(merkle), -EINVAL);
	assert_int_equal(merkle_add(merkle, bytes, sizeof(bytes)), -EINVAL);
	for (int i = 0; i < 40; i++)
		assert_int_equal(merkle_add(merkle, bytes, MERKLE_LEAF_MAX), 0);
	assert_int_equal(merkle_seal(merkle), 0);
	assert_int_equal(merkle_seal(merkle), -EINVAL);
	assert_int_equal(merkle_add(merkle, bytes, 1), -EINVAL);
	assert_false(merkle_leads(&leaf, path, MERKLE_DEPTH_MAX + 1, &root));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_tree),
		cmocka_unit_test(all_sizes),
		cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
