#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void keeps_its_limit(void **state _unused_)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;

	assert_int_equal(arena_new(10000, &arena), 0);
	assert_non_null(arena_alloc(arena, 9984));
	assert_null(arena_alloc(arena, 32));
	assert_non_null(arena_alloc(arena, 16));
	assert_null(arena_alloc(arena, 1));
	arena_reset(arena);
	assert_int_equal(arena_used(arena), 0);
	assert_non_null(arena_alloc(arena, 10000));
}

static void sizes_cannot_overflow(void **state _unused_)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;

	assert_int_equal(arena_new(SIZE_MAX, &arena), 0);
	assert_null(arena_alloc(arena, SIZE_MAX));
	assert_null(arena_alloc(arena, SIZE_MAX - 8));
	assert_null(arena_array(arena, SIZE_MAX / 2, 3));
	assert_null(arena_text(arena, "", SIZE_MAX));
}

static void memory_is_zeroed_and_apart(void **state _unused_)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	unsigned char *pieces[200];

	assert_int_equal(arena_new(1 << 20, &arena), 0);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
			pieces[i] = arena_alloc(arena, i + 1);
			assert_non_null(pieces[i]);
			assert_int_equal((uintptr_t)pieces[i] % 16, 0);
			for (size_t k = 0; k <= i; k++)
				assert_int_equal(pieces[i][k], 0);
			memset(pieces[i], (int)i, i + 1);
		}
		for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
			for (size_t k = 0; k <= i; k++)
				assert_int_equal(pieces[i][k], i & 255);
		arena_reset(arena);
	}
}

static void goes_back_to_a_mark(void **state _unused_)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct arena_mark empty, mark;
	char *kept, *after;

	assert_int_equal(arena_new(100000, &arena), 0);
	empty = arena_mark(arena);
	kept = arena_text(arena, "kept", 4);
	mark = arena_mark(arena);
	for (int i = 0; i < 10; i++) {
		after = arena_alloc(arena, 50);
		assert_non_null(after);
		assert_int_equal(after[0], 0);
		memset(after, 1, 50);
		assert_non_null(arena_alloc(arena, 90000));
		arena_rewind(arena, mark);
		assert_int_equal(arena_used(arena), 16);
		assert_string_equal(kept, "kept");
	}
	arena_rewind(arena, empty);
	assert_int_equal(arena_used(arena), 0);
	assert_non_null(arena_alloc(arena, 100000));
}

static void texts(void **state _unused_)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;

	assert_int_equal(arena_new(64, &arena), 0);
	assert_string_equal(arena_text(arena, "abcdef", 3), "abc");
	assert_string_equal(arena_printf(arena, "%d-%s", 7, "x"), "7-x");
	assert_null(arena_printf(arena, "%0100d", 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_its_limit),
		cmocka_unit_test(sizes_cannot_overflow),
		cmocka_unit_test(memory_is_zeroed_and_apart),
		cmocka_unit_test(goes_back_to_a_mark),
		cmocka_unit_test(texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
