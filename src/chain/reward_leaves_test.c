#include "chain/reward_leaves.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct reward_leaf leaf_of(uint8_t last, uint64_t units)
{
	return (struct reward_leaf){ { { [0] = 0xab, [19] = last } }, u256_from(units) };
}

static struct reward_leaves leaves_of(struct reward_leaf *items, size_t n, uint64_t total)
{
	return (struct reward_leaves){ .chain_id = 3338,
				       .distributor = { { [0] = 0xcd } },
				       .kind = REWARD_VESTED,
				       .round = 3,
				       .through = 41,
				       .total = u256_from(total),
				       .items = items,
				       .n = n };
}

static const char text[] = "kaisar reward leaves 1\n"
			   "chain 3338\n"
			   "distributor 0xcd00000000000000000000000000000000000000\n"
			   "kind vested\n"
			   "round 3\n"
			   "through 41\n"
			   "total 1200\n"
			   "0xab00000000000000000000000000000000000001 1000\n"
			   "0xab00000000000000000000000000000000000002 200\n"
			   "end\n";

static void one_spelling(void **state _unused_)
{
	struct reward_leaf items[] = { leaf_of(1, 1000), leaf_of(2, 200) };
	struct reward_leaves leaves = leaves_of(items, 2, 1200), read;
	size_t len, line;
	char *written;

	assert_int_equal(reward_leaves_write(&leaves, &written, &len), 0);
	assert_true(len <= reward_leaves_size(2, leaves.total));
	assert_int_equal(len, strlen(text));
	assert_string_equal(written, text);
	assert_int_equal(reward_leaves_read(written, len, &read, &line), 0);
	assert_int_equal(read.n, 2);
	for (size_t i = 0; i < 2; i++)
		assert_true(address_equal(&read.items[i].account, &items[i].account) &&
			    u256_compare(&read.items[i].cumulative, &items[i].cumulative) == 0);
	assert_int_equal(read.kind, REWARD_VESTED);
	assert_true(read.round == 3 && read.through == 41 && u256_low(read.total) == 1200);
	free(read.items);
	free(written);
}

static void refused(const char *from, const char *to, size_t expected)
{
	const char *at = strstr(text, from);
	struct reward_leaves read;
	char copy[1024];
	size_t line;

	assert_non_null(at);
	snprintf(copy, sizeof(copy), "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	assert_int_equal(reward_leaves_read(copy, strlen(copy), &read, &line), -EINVAL);
	assert_int_equal(line, expected);
}

static void what_is_wrong_has_a_line(void **state _unused_)
{
	refused("leaves 1", "leaves 2", 1);
	refused("chain 3338", "chain 03338", 2);
	refused("0xcd", "0xCD", 3);
	refused("vested", "other", 4);
	refused("round 3", "round -3", 5);
	refused("through 41\n", "", 6);
	refused("1200", "1200 ", 7);
	refused(" 1000", "  1000", 8);
	refused("0xab00000000000000000000000000000000000002", "0xab", 9);
	refused("end\n", "end", 10);
	refused("end\n", "end\nend\n", 10);
}

/* In order, each once, and adding up: else there is no tree. */
static void what_makes_no_tree(void **state _unused_)
{
	struct reward_leaf twice[] = { leaf_of(1, 1), leaf_of(1, 1) };
	struct reward_leaf good[] = { leaf_of(1, 1), leaf_of(2, 1) };
	struct reward_leaves leaves = leaves_of(twice, 2, 2);
	struct merkle *merkle;

	assert_int_equal(reward_leaves_tree(&leaves, &merkle), -EINVAL);
	leaves = leaves_of(good, 2, 3);
	assert_int_equal(reward_leaves_tree(&leaves, &merkle), -EINVAL);
	leaves = leaves_of(good, 0, 0);
	assert_int_equal(reward_leaves_tree(&leaves, &merkle), -EINVAL);
	leaves = leaves_of(good, 2, 2);
	assert_int_equal(reward_leaves_tree(&leaves, &merkle), 0);
	merkle_free(merkle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_spelling),
		cmocka_unit_test(what_is_wrong_has_a_line),
		cmocka_unit_test(what_makes_no_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
