#include "popw/crew.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdatomic.h>

#include "popw/tree.h"

enum { TURNS = 1000 };

struct tally {
	atomic_uint turns[TURNS];
	unsigned int size;
	atomic_bool strange; /* a worker that the crew does not have */
	size_t fault_at; /* TURNS: nowhere */
};

static int count_turn(void *arg, unsigned int worker, size_t i)
{
	struct tally *tally = arg;

	if (worker >= tally->size)
		atomic_store(&tally->strange, true);
	atomic_fetch_add(&tally->turns[i], 1);
	return i >= tally->fault_at ? -EIO : 0;
}

/* Every turn once, loop after loop, with and without threads. */
static void test_turns(void **state)
{
	static const unsigned int sizes[] = { 1, 2, 7 };

	(void)state;
	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		_cleanup_(crew_freep) struct crew *crew = NULL;
		struct tally tally = { .size = sizes[s], .fault_at = TURNS };

		assert_int_equal(crew_new(sizes[s], &crew), 0);
		assert_int_equal(crew_size(crew), sizes[s]);
		for (size_t n = 0; n <= TURNS; n += 125)
			assert_int_equal(crew_run(crew, n, count_turn, &tally), 0);
		for (size_t i = 0; i < TURNS; i++)
			assert_int_equal(tally.turns[i], 8 - i / 125);
		assert_false(tally.strange);
	}
}

/* A fault ends the loop, not the crew. */
static void test_fault(void **state)
{
	_cleanup_(crew_freep) struct crew *crew = NULL;
	struct tally tally = { .size = 3, .fault_at = 10 };

	(void)state;
	assert_int_equal(crew_new(3, &crew), 0);
	assert_int_equal(crew_run(crew, TURNS, count_turn, &tally), -EIO);
	assert_int_equal(tally.turns[TURNS - 1], 0);
	tally.fault_at = TURNS;
	assert_int_equal(crew_run(crew, TURNS, count_turn, &tally), 0);
	assert_int_equal(tally.turns[TURNS - 1], 1);
}

static void test_tree(void **state)
{
	static const uint32_t sizes[] = { 2, 256, 512, 4096 };

	(void)state;
	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		_cleanup_(crew_freep) struct crew *crew = NULL;
		_cleanup_(freep) struct hash *shared = calloc(2 * sizes[s], sizeof(*shared));
		_cleanup_(freep) struct hash *alone = calloc(2 * sizes[s], sizeof(*alone));

		assert_int_equal(crew_new(3, &crew), 0);
		for (uint32_t leaf = 0; leaf < sizes[s]; leaf++)
			memcpy(shared[sizes[s] + leaf].bytes, &leaf, sizeof(leaf));
		memcpy(alone, shared, 2 * sizes[s] * sizeof(*alone));
		crew_tree_build(crew, shared, sizes[s]);
		tree_build(crew_hasher(crew, 0), alone, sizes[s]);
		assert_memory_equal(shared, alone, 2 * sizes[s] * sizeof(*alone));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_fault),
		cmocka_unit_test(test_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
